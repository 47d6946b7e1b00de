;; dynamic-var: Binds a dynamic variable around a call that reads it twice.

(def N 500000)

(def ^:dynamic *scale* 1)

(defn scaled [x]
  (+ (* *scale* x) *scale*))

(defn run []
  (loop [i 0 acc 0]
    (if (< i N)
      (recur (inc i) (rem (+ acc (binding [*scale* (rem i 7)] (scaled i))) 1000003))
      acc)))

(let [result (atom nil)
      report (with-out-str (time (reset! result (run))))]
  (println @result)
  (binding [*out* *err*]
    (println "elapsed_ms" (re-find #"[0-9.]+" report))))
