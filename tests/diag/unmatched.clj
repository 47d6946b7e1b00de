(defn g [x]
  [x (+ 1
  {:a bar}]
;; ---
;; error[read]: Unmatched delimiter: ], expected ) to match what starts on line 2
;;  --> unmatched.clj:3:11
;; 3 |   {:a bar}]
;;   |           ^
