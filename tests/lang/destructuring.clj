(defn f [{:keys [a b] :or {b 7} :as m} [x & ys] & {:keys [k]}] [a b (count m) x ys k])
(f {:a 1} [1 2 3] :k 9)
;; => [1 7 1 1 (2 3) 9]
