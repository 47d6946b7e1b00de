(loop [n 3]
  (try (recur (dec n))
       (catch Exception e n)))
;; ---
;; error[syntax]: Cannot recur across try (Y0209)
;;  --> recur_across_try.clj:2:8
;; 2 |   (try (recur (dec n))
;;   |        ^^^^^^^^^^^^^^^
