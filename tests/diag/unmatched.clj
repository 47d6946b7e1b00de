(defn g [x]
  [x (+ 1
  {:a bar}]
;; ---
;; error[read]: Unmatched delimiter: ], expected ) to match what starts on line 2 (Y0102)
;;  --> unmatched.clj:3:11
;; 3 |   {:a bar}]
;;   |           ^
;; error[read]: EOF while reading a collection that starts on line 1 (Y0104)
;;  --> unmatched.clj:1:1
;; 1 | (defn g [x]
;;   | ^
