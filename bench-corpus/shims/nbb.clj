;; Lets nbb (Clojure interpreted on node) run main.clj. The runner puts this text in front.
(def Exception js/Error)
(defn int [x] (if (string? x) (.charCodeAt x 0) (bit-or x 0)))
(defn long-array
  ([n] (clojure.core/long-array n 0))
  ([n x] (clojure.core/long-array n x)))
(defn double-array
  ([n] (clojure.core/double-array n 0.0))
  ([n x] (clojure.core/double-array n x)))

