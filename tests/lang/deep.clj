(defn deep [n] (if (zero? n) 0 (inc (deep (dec n)))))
(defn loop-down [n] (if (zero? n) :done (recur (dec n))))
(defn even-odd [n] (letfn [(e [n] (if (zero? n) :even (o (dec n)))) (o [n] (if (zero? n) :odd (e (dec n))))] (e n)))
[(deep 3000) (loop-down 3000) (even-odd 3001)]
;; => [3000 :done :odd]
