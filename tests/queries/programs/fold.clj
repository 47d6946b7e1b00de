;; Things for passes to do.
(defn seconds [days] (* days (* 24 (* 60 60))))

(defn area [r]
  (let [pi 3 scale (fn [x] (* pi x))]
    (scale (* r r))))

(defn pick [x] (if (< 1 2) x (inc x)))

(println (seconds 2) (area 4) (pick 7))
