(defmacro define-all [& names] `(do ~@(map (fn [n] `(def ~n (undefined-maker))) names)))

(define-all a b)
;; ---
;; error[unbound]: No such var: user/undefined-maker (Y0302)
;;  --> macro_made.clj:3:1
;; 3 | (define-all a b)
;;   | ^^^^^^^^^^^^^^^^
