;; The classic programs with continuations.
(require '[yin.control :as c])

;; ---- same fringe: two trees walked side by side
(defn leaves [tree]
  (c/generator ((fn walk [t] (if (sequential? t) (run! walk t) (c/yield t))) tree)))
(defn same-fringe? [a b] (= (leaves a) (leaves b)))
(def fringes [(same-fringe? [1 [2 [3 4]] 5] [[1 2] [3] [4 [5]]]) (same-fringe? [1 [2 3]] [[1 3] 2]) (same-fringe? [1 2] [1 2 3])])

;; ---- amb, by resuming many times
(def amb-tag :amb)
(defn amb [& options] (c/abort-to-prompt amb-tag options))
(defn all-of [thunk]
  (c/call-with-prompt amb-tag
    (fn [] [(thunk)])
    (fn [k options] (into [] (mapcat k) options))))
(defn check [ok] (when-not ok (amb)))
(def triples
  (all-of (fn []
            (let [a (apply amb (range 1 6)) b (apply amb (range a 6)) c (apply amb (range b 6))]
              (check (= (+ (* a a) (* b b)) (* c c)))
              [a b c]))))
(defn queens [n]
  (all-of (fn []
            (loop [row 0 placed []]
              (if (= row n)
                placed
                (let [col (apply amb (range n))]
                  (check (every? (fn [[r c]] (not (or (= c col) (= (- row r) (- col c)) (= (- row r) (- c col))))) placed))
                  (recur (inc row) (conj placed [row col]))))))))

;; ---- amb by whole continuations and backtracking
(def choices (atom ()))
(defn fail [] (if-let [k (first @choices)] (do (swap! choices rest) (k nil)) :exhausted))
(defn choose [xs]
  (if (empty? xs)
    (fail)
    (let [v (c/call-cc (fn [k] [:first k]))]
      (if (vector? v)
        (do (swap! choices conj (second v)) (first xs))
        (choose (rest xs))))))
(def dwellings
  (let [cooper (choose [1 2 3 4]) fletcher (choose [1 2 3 4]) miller (choose [1 2 3 4])]
    (if (and (distinct? cooper fletcher miller) (not= cooper 1) (not= fletcher 1) (> miller cooper)
             (not= 1 (abs (- fletcher cooper))))
      {:cooper cooper :fletcher fletcher :miller miller}
      (fail))))

;; ---- puzzles
;; The yin-yang puzzle, its first characters.
(def out (atom []))
(c/call-with-prompt :enough
  (fn []
    (let [emit (fn [x] (swap! out conj x) (when (= 28 (count @out)) (c/abort-to-prompt :enough)))
          yin ((fn [cc] (emit \@) cc) (c/call-cc (fn [k] k)))
          yang ((fn [cc] (emit \*) cc) (c/call-cc (fn [k] k)))]
      (yin yang)))
  (fn [_] nil))
;; call/cc of call/cc; a continuation that is its own argument; a loop of one.
(def puzzles
  [((c/call-cc c/call-cc) (fn [x] (if (fn? x) 3 x)))
   (let [r (atom 0) k (c/call-cc identity)] (swap! r inc) (if (fn? k) (k @r) [k @r]))
   (let [n (atom 0)] (let [again (c/call-cc (fn [k] k))] (swap! n inc) (if (< @n 5) (again again) @n)))
   (c/reset (* 2 (c/shift k (k (k 4)))))
   (c/reset (let [x (c/shift k (cons 1 (k 2)))] (c/reset (cons 3 (c/shift k2 (list x (k2 ())))))))
   (c/reset (c/control k1 (+ 1 (k1 1))) (c/control k2 (* 10 (k2 2))) 7)
   (c/reset (cons :a (c/reset (cons :b (c/shift f (c/shift g (cons :c ())))))))])

;; ---- errors and prompts
(def crossings
  [(try (c/call-with-prompt :p (fn [] (throw (ex-info "out" {}))) (fn [_] :handler)) (catch Exception e (ex-message e)))
   (c/call-with-prompt :p
     (fn [] (try (c/abort-to-prompt :p 1) (catch Exception e [:caught (ex-message e)])))
     (fn [k v] v))
   ;; The catch around the capture is around what goes on.
   (let [k (c/call-with-prompt :p
             (fn [] (try ((c/abort-to-prompt :p)) (catch Exception e [:caught (ex-message e)])))
             (fn [k] k))]
     [(k (fn [] 1)) (k (fn [] (throw (ex-info "inside" {})))) (k (fn [] 2))])
   (try (c/abort-to-prompt :nobody) (catch IllegalStateException _ :no-prompt))
   ;; finally runs when its body ends, each time it does, not when it is left by an abort.
   (let [log (atom [])
         k (c/call-with-prompt :p
             (fn [] (try (c/abort-to-prompt :p) (finally (swap! log conj :finally))))
             (fn [k] (swap! log conj :left) k))]
     (k 1) (k 2) @log)])

;; ---- coroutines: two that hand values to each other
(defn coroutine [body]
  (let [state (atom nil)]
    (reset! state (fn [v] (c/call-with-prompt :co (fn [] (body v) :over) (fn [k out] (reset! state k) out))))
    (fn [v] (@state v))))
(def pingpong
  (let [echo (coroutine (fn [v] (loop [v v n 0] (recur (c/abort-to-prompt :co [v n]) (inc n)))))]
    [(echo :a) (echo :b) (echo :c)]))

[fringes triples (count (queens 4)) (first (queens 5)) dwellings (apply str @out) puzzles crossings pingpong]
;; => [[true false false] [[3 4 5]] 2 [[0 0] [1 2] [2 4] [3 1] [4 3]] {:cooper 2, :fletcher 4, :miller 3} "@*@**@***@****@*****@******@" [3 [1 2] 5 16 (1 2 (3)) 80 (:a :c)] ["out" 1 [1 [:caught "inside"] 2] :no-prompt [:left :finally :finally]] [[:a 0] [:b 1] [:c 2]]]
