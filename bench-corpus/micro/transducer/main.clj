;; transducer: Reduces a range through a composed map, filter and map, with no sequence in
;; between.

(def N 600000)

(defn add [acc x]
  (rem (+ acc x) 1000003))

(defn run []
  (transduce (comp (map (fn [x] (* x 3)))
                   (filter (fn [x] (== (rem x 2) 0)))
                   (map (fn [x] (+ x 1))))
             (completing add)
             0
             (range N)))

(let [result (atom nil)
      report (with-out-str (time (reset! result (run))))]
  (println @result)
  (binding [*out* *err*]
    (println "elapsed_ms" (re-find #"[0-9.]+" report))))
