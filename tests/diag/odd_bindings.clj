(defn f [x]
  (let [y 1
        z]
    (+ x y)))
;; ---
;; error[syntax]: let requires an even number of forms in binding vector (Y0216)
;;  --> odd_bindings.clj:2:3
;; 2 |   (let [y 1
;;   |   ^^^^^^^^^
;;   in clojure.core/let
