;; keyword-lookup: Reads three keys of small maps by keyword; two maps of the same shape take
;; turns.

(def N 1500000)

(def one {:a 1 :b 2 :c 3 :d 4})
(def two {:a 5 :b 6 :c 7 :d 8})

(defn run []
  (loop [i 0 acc 0]
    (if (< i N)
      (let [m (if (== (rem i 2) 0) one two)]
        (recur (inc i) (rem (+ acc (:a m) (* (:b m) (:d m))) 1000003)))
      acc)))

(let [result (atom nil)
      report (with-out-str (time (reset! result (run))))]
  (println @result)
  (binding [*out* *err*]
    (println "elapsed_ms" (re-find #"[0-9.]+" report))))
