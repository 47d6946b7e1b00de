;; destructure: Takes a vector of two and a map of two apart by pattern in every turn of a loop.

(def N 400000)

(def pairs [[1 2] [3 4] [5 6]])
(def points [{:x 1 :y 2} {:x 3 :y 4} {:x 5 :y 6}])

(defn run []
  (loop [i 0 acc 0]
    (if (< i N)
      (let [j (rem i 3)
            [a b] (nth pairs j)
            {:keys [x y]} (nth points j)]
        (recur (inc i) (rem (+ acc (* a x) (* b y)) 1000003)))
      acc)))

(let [result (atom nil)
      report (with-out-str (time (reset! result (run))))]
  (println @result)
  (binding [*out* *err*]
    (println "elapsed_ms" (re-find #"[0-9.]+" report))))
