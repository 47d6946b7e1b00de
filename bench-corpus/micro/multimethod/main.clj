;; multimethod: Calls one operation on three kinds of values, found in an open table by a
;; computed key.

(def N 500000)

(defmulti area :kind)
(defmethod area :square [s] (* (:side s) (:side s)))
(defmethod area :rect [s] (* (:w s) (:h s)))
(defmethod area :triangle [s] (quot (* (:base s) (:height s)) 2))

(def shapes [{:kind :square :side 3} {:kind :rect :w 2 :h 5} {:kind :triangle :base 6 :height 7}])

(defn run []
  (loop [i 0 acc 0]
    (if (< i N)
      (recur (inc i) (rem (+ (* 3 acc) (area (nth shapes (rem i 3)))) 1000003))
      acc)))

(let [result (atom nil)
      report (with-out-str (time (reset! result (run))))]
  (println @result)
  (binding [*out* *err*]
    (println "elapsed_ms" (re-find #"[0-9.]+" report))))
