;; map-update: Counts in a map of eight keyword keys: one update with a function in every turn.

(def N 500000)

(def names [:a :b :c :d :e :f :g :h])

(defn run []
  (loop [i 0 m {:a 0 :b 0 :c 0 :d 0 :e 0 :f 0 :g 0 :h 0}]
    (if (< i N)
      (recur (inc i) (update m (nth names (rem (* i 5) 8)) inc))
      (+ (:a m) (* 3 (:d m)) (* 7 (:h m))))))

(let [result (atom nil)
      report (with-out-str (time (reset! result (run))))]
  (println @result)
  (binding [*out* *err*]
    (println "elapsed_ms" (re-find #"[0-9.]+" report))))
