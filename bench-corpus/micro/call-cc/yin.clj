;; call-cc: Captures the continuation, goes a few calls deeper and comes back by calling it.

(def N 300000)

(defn deeper [k d i]
  (if (== d 0)
    (k (rem i 10))
    (+ 1 (deeper k (dec d) i))))

(defn run []
  (loop [i 0 acc 0]
    (if (< i N)
      (recur (inc i) (+ acc (yin.control/call-cc (fn [k] (deeper k (rem i 4) i)))))
      acc)))

(let [result (atom nil)
      report (with-out-str (time (reset! result (run))))]
  (println @result)
  (binding [*out* *err*]
    (println "elapsed_ms" (re-find #"[0-9.]+" report))))
