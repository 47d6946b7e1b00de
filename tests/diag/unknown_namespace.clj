(require '[clojure.string :as text])
(defn f [s]
  ;; txet in a comment, "txet/trim" in a string
  (str "txet/trim" \t (txet/trim s)))
;; ---
;; error[unbound]: No such namespace: txet. Did you mean text/trim? (Y0303)
;;  --> unknown_namespace.clj:4:24
;; 4 |   (str "txet/trim" \t (txet/trim s)))
;;   |                        ^^^^^^^^^
