(ns a.b)
(defn- hidden [] 1)
(ns c.d)
(defn f [] (a.b/hidden))
;; ---
;; error[unbound]: var: #'a.b/hidden is not public (Y0306)
;;  --> private_var.clj:4:12
;; 4 | (defn f [] (a.b/hidden))
;;   |            ^^^^^^^^^^^^
