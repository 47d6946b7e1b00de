(defn total [xs] (+ 0 (reduce + xs)))
(println "start")
(inc (total [1 :two 3]))
;; ---
;; error[type]: clojure.lang.Keyword cannot be cast to java.lang.Number: a number is needed here (Y0412)
;;  --> runtime_type.clj:1:23
;; 1 | (defn total [xs] (+ 0 (reduce + xs)))
;;   |                       ^^^^^^^^^^^^^
;;   in clojure.core/reduce-seq
;;   in user/total (runtime_type.clj:1)
;;   in top level (runtime_type.clj:3)
