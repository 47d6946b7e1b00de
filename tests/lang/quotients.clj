(defn q [a b] (quot a b))
(defn r [a b] (rem a b))
(defn m [a b] (mod a b))
(def least -9223372036854775808)
[(quot -9223372036854775808 -1) (q least -1) (r least -1) (m least -1) (q -1152921504606846976 -1)
 (mapv q [7 -7 7 -7] [2 2 -2 -2]) (mapv r [7 -7 7 -7] [2 2 -2 -2]) (mapv m [7 -7 7 -7] [2 2 -2 -2])
 (mapv #(try (% 1 0) (catch ArithmeticException e :zero)) [q r m])]
;; => [-9223372036854775808 -9223372036854775808 0 0 1152921504606846976 [3 -3 -3 3] [1 -1 1 -1] [1 1 -1 -1] [:zero :zero :zero]]
