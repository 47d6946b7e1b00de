;; Elements of a map literal are evaluated in the order they are written, however many there are.
(def seen (atom []))
(defn note [x] (swap! seen conj x) x)
{(note 1) 0, (note 2) 0, (note 3) 0, (note 4) 0, (note 5) 0, (note 6) 0, (note 7) 0, (note 8) 0, (note 9) 0, (note 10) 0, (note 11) 0}
(defmacro twice [m] (assoc m :extra (count m)))
[@seen
 (= {:a 1 :b 2 :c 3 :d 4 :e 5 :f 6 :g 7 :h 8 :i 9} (zipmap [:a :b :c :d :e :f :g :h :i] (range 1 10)))
 (:extra (twice {:a 1 :b 2 :c 3 :d 4 :e 5 :f 6 :g 7 :h 8 :i 9}))
 (get '{[1] #{2 3} \a 1/2 :b 10N "c" 1.50M} [1])
 (map class ['1/2 '10N '1.50M '#inst "2024-01-01" '#"a+"])
 (contains? '#{a #{b}} #{'b})]
;; => [[1 2 3 4 5 6 7 8 9 10 11] true 9 #{2 3} (clojure.lang.Ratio clojure.lang.BigInt java.math.BigDecimal java.util.Date java.util.regex.Pattern) true]
