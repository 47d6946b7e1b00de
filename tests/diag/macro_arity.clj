(defmacro unless [t & body] `(if ~t nil (do ~@body)))
(unless)
;; ---
;; error[arity]: Wrong number of args (0) passed to: user/unless (Y0401)
;;  --> macro_arity.clj:2:1
;; 2 | (unless)
;;   | ^^^^^^^^
