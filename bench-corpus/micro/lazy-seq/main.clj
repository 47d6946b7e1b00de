;; lazy-seq: Walks an infinite sequence whose every cell is computed when first asked for and
;; then kept.

(def N 300000)

(defn ints-from [n]
  (lazy-seq (cons n (ints-from (inc n)))))

(defn run []
  (loop [i 0 acc 0 xs (ints-from 0)]
    (if (< i N)
      (recur (inc i) (rem (+ (* 3 acc) (first xs)) 1000003) (rest xs))
      acc)))

(let [result (atom nil)
      report (with-out-str (time (reset! result (run))))]
  (println @result)
  (binding [*out* *err*]
    (println "elapsed_ms" (re-find #"[0-9.]+" report))))
