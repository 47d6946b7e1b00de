;; call: Calls a named function of two arguments in a loop.

(def N 3000000)

(defn step [a b]
  (rem (+ a b) 1000003))

(defn run []
  (loop [i 0 acc 0]
    (if (< i N)
      (recur (inc i) (step acc i))
      acc)))

(let [result (atom nil)
      report (with-out-str (time (reset! result (run))))]
  (println @result)
  (binding [*out* *err*]
    (println "elapsed_ms" (re-find #"[0-9.]+" report))))
