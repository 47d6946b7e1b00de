;; vector-nth: Reads a vector of 100 integers at a moving index.

(def N 3000000)

(defn run []
  (let [v (vec (range 100))]
    (loop [i 0 acc 0]
      (if (< i N)
        (recur (inc i) (rem (+ (* 3 acc) (nth v (rem i 100))) 1000003))
        acc))))

(let [result (atom nil)
      report (with-out-str (time (reset! result (run))))]
  (println @result)
  (binding [*out* *err*]
    (println "elapsed_ms" (re-find #"[0-9.]+" report))))
