;; generator: Two chained generators, the first yielding N integers, the second passing
;; on those not divisible by three.

(require '[yin.control :refer [generator yield]])

(def N 1000000)

(defn numbers [n]
  (generator
    (loop [i 0]
      (when (< i n)
        (yield i)
        (recur (inc i))))))

(defn not-by-three [xs]
  (generator
    (loop [xs xs]
      (when-let [s (seq xs)]
        (let [x (first s)]
          (when-not (zero? (rem x 3)) (yield x))
          (recur (rest s)))))))

(defn run []
  (loop [xs (not-by-three (numbers N)) acc 0]
    (if-let [s (seq xs)]
      (recur (rest s) (rem (+ (* 3 acc) (first s)) 1000003))
      acc)))

(let [result (atom nil)
      report (with-out-str (time (reset! result (run))))]
  (println @result)
  (binding [*out* *err*]
    (println "elapsed_ms" (re-find #"[0-9.]+" report))))
