(defn f
  ([& xs] xs)
  ([a & xs] a))
;; ---
;; error[syntax]: Can't have more than 1 variadic overload (Y0223)
;;  --> two_variadics.clj:1:1
;; 1 | (defn f
;;   | ^^^^^^^
