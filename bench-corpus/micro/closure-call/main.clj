;; closure-call: Makes a closure over one variable in every turn of a loop and calls it once.

(def N 2000000)

(defn adder [k]
  (fn [x] (rem (+ x k) 1000003)))

(defn run []
  (loop [i 0 acc 0]
    (if (< i N)
      (recur (inc i) ((adder i) acc))
      acc)))

(let [result (atom nil)
      report (with-out-str (time (reset! result (run))))]
  (println @result)
  (binding [*out* *err*]
    (println "elapsed_ms" (re-find #"[0-9.]+" report))))
