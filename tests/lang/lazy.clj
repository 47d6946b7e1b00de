(defn nums [n] (lazy-seq (cons n (nums (inc n)))))
[(take 3 (nums 5)) (nth (nums 0) 1000) (count (take 5000 (nums 0))) (= (take 100 (nums 0)) (range 100))
 (first (filter #(> % 50) (map #(* % %) (nums 0)))) (reduce + (take-while #(< % 100) (nums 0)))]
;; => [(5 6 7) 1000 5000 true 64 4950]
