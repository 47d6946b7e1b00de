(defmacro twice [x] `(let [v# ~x] [v# v#]))
(defn f [total]
  (twice (+ 1
            totl)))
;; ---
;; error[unbound]: Unable to resolve symbol: totl in this context. Did you mean total? (Y0301)
;;  --> in_macro_argument.clj:4:13
;; 4 |             totl)))
;;   |             ^^^^
