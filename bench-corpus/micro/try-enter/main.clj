;; try-enter: Enters and leaves a handler in every turn; one turn in a thousand throws.

(def N 1000000)

(defn check [i]
  (if (== (rem i 1000) 999)
    (throw (ex-info "thousandth" {}))
    (rem i 10)))

(defn attempt [i]
  (try
    (check i)
    (catch Exception _ 7)))

(defn run []
  (loop [i 0 acc 0]
    (if (< i N)
      (recur (inc i) (+ acc (attempt i)))
      acc)))

(let [result (atom nil)
      report (with-out-str (time (reset! result (run))))]
  (println @result)
  (binding [*out* *err*]
    (println "elapsed_ms" (re-find #"[0-9.]+" report))))
