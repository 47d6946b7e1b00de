;; rest-args: Calls a function that takes any number of arguments and adds them up.

(def N 500000)

(defn total [& xs]
  (loop [xs xs s 0]
    (if xs
      (recur (next xs) (+ s (first xs)))
      s)))

(defn run []
  (loop [i 0 acc 0]
    (if (< i N)
      (recur (inc i) (rem (total acc i 1 2) 1000003))
      acc)))

(let [result (atom nil)
      report (with-out-str (time (reset! result (run))))]
  (println @result)
  (binding [*out* *err*]
    (println "elapsed_ms" (re-find #"[0-9.]+" report))))
