(defn f [a b]
  (if a
    (recur b)
    b))
;; ---
;; error[syntax]: Mismatched argument count to recur, expected: 2 args, got: 1 (Y0211)
;;  --> recur_count.clj:3:5
;; 3 |     (recur b)
;;   |     ^^^^^^^^^
