(defn f [] (undefined-thing 1))
;; => error[unbound]
