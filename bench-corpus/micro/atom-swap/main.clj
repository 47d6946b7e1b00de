;; atom-swap: Changes a shared mutable cell by a function, once in every turn of a loop.

(def N 1000000)

(defn step [old x]
  (rem (+ (* 3 old) x) 1000003))

(defn run []
  (let [a (atom 1)]
    (loop [i 0]
      (if (< i N)
        (do (swap! a step i)
            (recur (inc i)))
        @a))))

(let [result (atom nil)
      report (with-out-str (time (reset! result (run))))]
  (println @result)
  (binding [*out* *err*]
    (println "elapsed_ms" (re-find #"[0-9.]+" report))))
