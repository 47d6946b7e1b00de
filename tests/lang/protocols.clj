(defprotocol Shape (area [s]) (scale [s k]))
(defrecord Square [side] Shape (area [_] (* side side)) (scale [s k] (assoc s :side (* side k))))
(deftype Circle [r] Shape (area [_] (* 3 r r)) (scale [_ k] (Circle. (* r k))))
(extend-protocol Shape nil (area [_] 0) (scale [_ _] nil) String (area [s] (count s)) (scale [s k] (apply str (repeat k s))))
(defmulti kind (fn [x] (cond (number? x) :num (string? x) :str)))
(defmethod kind :num [_] "number")
(defmethod kind :default [_] "other")
[(area (->Square 3)) (area (scale (Circle. 2) 2)) (area nil) (scale "ab" 2) (kind 1) (kind :x) (->Square 4)]
;; => [9 48 0 "abab" "number" "other" #user.Square{:side 4}]
