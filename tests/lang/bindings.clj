(def ^:dynamic *x* 1)
(defn x [] *x*)
(def seen (atom []))
(binding [*x* 2]
  (swap! seen conj (x))
  (binding [*x* 3] (swap! seen conj (x)) (set! *x* 4) (swap! seen conj (x)))
  (swap! seen conj (x))
  (try (binding [*x* 9] (throw (ex-info "out" {}))) (catch Exception e (swap! seen conj (x)))))
(conj @seen (x))
;; => [2 3 4 2 2 1]
