(defn f [x]
  (-> x
      inc
      (println undefinedd)))
(f 1)
;; ---
;; error[unbound]: Unable to resolve symbol: undefinedd in this context (Y0301)
;;  --> inside_threading.clj:4:16
;; 4 |       (println undefinedd)))
;;   |                ^^^^^^^^^^
