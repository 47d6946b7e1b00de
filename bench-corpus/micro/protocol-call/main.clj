;; protocol-call: Calls one method on two types of records that take turns.

(def N 1500000)

(defprotocol Shape
  (area [s k]))

(defrecord Square [side]
  Shape
  (area [_ k] (+ (* side side) k)))

(defrecord Rect [w h]
  Shape
  (area [_ k] (+ (* w h) k)))

(defn run []
  (let [one (->Square 3)
        two (->Rect 2 5)]
    (loop [i 0 acc 0]
      (if (< i N)
        (recur (inc i) (rem (+ (* 3 acc) (area (if (== (rem i 2) 0) one two) i)) 1000003))
        acc))))

(let [result (atom nil)
      report (with-out-str (time (reset! result (run))))]
  (println @result)
  (binding [*out* *err*]
    (println "elapsed_ms" (re-find #"[0-9.]+" report))))
