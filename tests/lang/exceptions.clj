(def log (atom []))
(defn note [x] (swap! log conj x))
(defn risky [n]
  (try
    (when (zero? n) (throw (ex-info "zero" {:n n})))
    (/ 10 n)
    (catch ArithmeticException e :arith)
    (finally (note n))))
(def r (try (mapv risky [5 2 0]) (catch Exception e [(ex-message e) (ex-data e)])))
(def nested (try (try (throw (ex-info "inner" {})) (finally (note :inner))) (catch Exception e (note :outer) (ex-message e))))
[r nested @log]
;; => [["zero" {:n 0}] "inner" [5 2 0 :inner :outer]]
