;; amb: Nondeterministic choice with backtracking: all placements of N queens by an
;; ambiguous operator, repeated.
;; Multi-shot continuations: each choice point may be re-entered many times.

(def N 8)
(def REPS 200)

(def fail (volatile! nil))

;; Returns 0, 1, ... n-1 in turn, the next one each time the computation after it fails.
(defn choose [n]
  (yin.control/call-cc
    (fn [k]
      (let [outer @fail
            attempt (fn attempt [i]
                      (if (= i n)
                        (do (vreset! fail outer)
                            (outer))
                        (do (vreset! fail (fn [] (attempt (inc i))))
                            (k i))))]
        (attempt 0)))))

(defn compatible? [queens col]
  (loop [qs (seq queens) d 1]
    (if qs
      (let [q (first qs)]
        (if (or (= q col) (= (- q col) d) (= (- col q) d))
          false
          (recur (next qs) (inc d))))
      true)))

(defn place [row queens n]
  (if (= row n)
    queens
    (let [col (choose n)]
      (if (compatible? queens col)
        (place (inc row) (cons col queens) n)
        (@fail)))))

(defn count-all [n]
  (let [acc (volatile! 0)]
    (yin.control/call-cc
      (fn [done]
        (vreset! fail (fn [] (done nil)))
        (let [queens (place 0 nil n)]
          (vswap! acc + (+ 100 (first queens)))
          (@fail))))
    @acc))

(defn run []
  (loop [i 0 s 0]
    (if (< i REPS)
      (recur (inc i) (+ s (count-all N)))
      s)))

(let [result (atom nil)
      report (with-out-str (time (reset! result (run))))]
  (println @result)
  (binding [*out* *err*]
    (println "elapsed_ms" (re-find #"[0-9.]+" report))))
