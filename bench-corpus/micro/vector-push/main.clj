;; vector-push: Appends integers to an empty vector one by one, a thousand to each of many
;; vectors.

(def N 600)

(defn filled []
  (loop [i 0 v []]
    (if (< i 1000)
      (recur (inc i) (conj v i))
      v)))

(defn run []
  (loop [i 0 acc 0]
    (if (< i N)
      (let [v (filled)]
        (recur (inc i) (rem (+ acc (count v) (nth v (rem i 1000))) 1000003)))
      acc)))

(let [result (atom nil)
      report (with-out-str (time (reset! result (run))))]
  (println @result)
  (binding [*out* *err*]
    (println "elapsed_ms" (re-find #"[0-9.]+" report))))
