(let [m (into {} (map (fn [i] [i (* i i)]) (range 100)))
      m2 (reduce dissoc m (range 0 100 2))
      v (vec (range 1100))
      s (into (sorted-map) {3 :c 1 :a 2 :b})]
  [(count m) (m 9) (count m2) (m2 8) (m2 9) (nth v 1056) (peek (pop v)) (assoc [1 2] 1 :x) (seq s) (conj #{1} 2 1)
   (= {:a 1 :b [1 2]} {:b '(1 2) :a 1}) (get-in {:a {:b [10 20]}} [:a :b 1]) (persistent! (reduce conj! (transient []) (range 40)))])
;; => [100 81 50 nil 81 1056 1098 [1 :x] ([1 :a] [2 :b] [3 :c]) #{1 2} true 20 [0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39]]
