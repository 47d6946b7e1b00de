;; All placements of eight queens by nondeterministic choice: `choose` returns once for every option, because a continuation
;; may be resumed any number of times.

(def solutions (atom []))

(defn choose
  "Returns an element of options; the rest of the computation runs once for each."
  [options]
  (yin.control/abort-to-prompt :choice options))

(defn all-choices
  "Runs thunk with every combination of its choices."
  [thunk]
  (yin.control/call-with-prompt :choice thunk
    (fn [k options]
      (doseq [o options]
        (all-choices (fn [] (k o)))))))

(defn attacks? [queens col]
  (loop [qs queens d 1]
    (if (seq qs)
      (let [q (first qs)]
        (if (or (= q col) (= (abs (- q col)) d))
          true
          (recur (rest qs) (inc d))))
      false)))

(defn place [n]
  (loop [row 0 queens ()]
    (if (= row n)
      (swap! solutions conj queens)
      (let [col (choose (remove (fn [c] (attacks? queens c)) (range n)))]
        (recur (inc row) (cons col queens))))))

(all-choices (fn [] (place 8)))

(println (count @solutions) "solutions; the first:")
(doseq [q (first @solutions)]
  (println (apply str (map (fn [c] (if (= c q) "♛ " "· ")) (range 8)))))
