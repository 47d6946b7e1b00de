;; string-build: Makes short strings out of literals and numbers and adds up their lengths.

(def N 300000)

(defn run []
  (loop [i 0 acc 0]
    (if (< i N)
      (recur (inc i) (+ acc (count (str "item-" i ":" (rem i 7)))))
      acc)))

(let [result (atom nil)
      report (with-out-str (time (reset! result (run))))]
  (println @result)
  (binding [*out* *err*]
    (println "elapsed_ms" (re-find #"[0-9.]+" report))))
