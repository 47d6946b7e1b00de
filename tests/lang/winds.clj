;; The order of dynamic-wind's thunks: leaving through prompts and continuations, entering once and several times, with bindings and
;; errors in between.
(require '[yin.control :as c])
(def out (atom []))
(defn note [x] (swap! out conj x) nil)
(defn noted [] (let [v @out] (reset! out []) v))
(defn winding [name thunk]
  (c/dynamic-wind (fn [] (note [:in name])) thunk (fn [] (note [:out name]))))

;; An abort leaves, a resumption enters again, each time.
(def multi
  (let [k (c/call-with-prompt :p
            (fn [] (winding :a (fn [] (winding :b (fn [] (note :ab) (note (c/abort-to-prompt :p)) :end)))))
            (fn [k] k))]
    [(k 1) (k 2) (noted)]))

;; Handlers run outside.
(def outside
  [(c/call-with-prompt :p
     (fn [] (winding :a (fn [] (c/abort-to-prompt :p 5))))
     (fn [_ v] (note :handler) v))
   (noted)])

;; Whole continuations: out of two, into two others.
(def k (atom nil))
(def jumps (atom 0))
(def whole
  (do
    (winding :x (fn [] (winding :y (fn [] (c/call-cc (fn [kk] (reset! k kk))) (note :here)))))
    (when (< (swap! jumps inc) 3)
      (winding :z (fn [] (winding :w (fn [] (@k nil))))))
    (noted)))

;; The classic of the reports on Scheme.
(def reports
  (let [path (atom []) k (atom nil)
        add (fn [s] (swap! path conj s))]
    (c/dynamic-wind (fn [] (add :connect))
                    (fn [] (add (c/call-cc (fn [c0] (reset! k c0) :talk1))))
                    (fn [] (add :disconnect)))
    (if (< (count @path) 4)
      (@k :talk2)
      @path)))

;; Thunks see the bindings of the place where their wind is.
(def ^:dynamic *d* :root)
(def bound
  (let [k (c/call-with-prompt :p
            (fn []
              (binding [*d* :outer]
                (c/dynamic-wind
                  (fn [] (note [:in *d*]))
                  (fn [] (binding [*d* :inner] (c/abort-to-prompt :p) *d*))
                  (fn [] (note [:out *d*])))))
            (fn [k] k))]
    [*d* (binding [*d* :elsewhere] (k nil)) (k nil) *d* (noted)]))

;; An error in `after` goes to whoever is outside, and `after` does not run twice.
(def failing
  [(try
     (c/call-with-prompt :p
       (fn []
         (c/dynamic-wind (fn []) (fn [] (c/abort-to-prompt :p)) (fn [] (note :after) (throw (ex-info "after" {})))))
       (fn [_] :never))
     (catch Exception e (ex-message e)))
   (noted)])

;; shift and reset, generators.
(def shifted
  [(c/reset (+ 1 (winding :s (fn [] (c/shift k (+ (k 10) (k 20)))))))
   (noted)
   (vec (c/generator (winding :g (fn [] (c/yield 1) (c/yield 2)))))
   (noted)])

;; Under many frames.
(defn deep [n thunk] (if (zero? n) (thunk) (inc (deep (dec n) thunk))))
(def far
  [(c/call-with-prompt :p
     (fn [] (deep 100 (fn [] (winding :deep (fn [] (deep 100 (fn [] (c/abort-to-prompt :p 7))))))))
     (fn [k v] [v (k 1)]))
   (noted)])

[multi outside whole reports bound failing shifted far]
;; => [[:end :end [[:in :a] [:in :b] :ab [:out :b] [:out :a] [:in :a] [:in :b] 1 [:out :b] [:out :a] [:in :a] [:in :b] 2 [:out :b] [:out :a]]] [5 [[:in :a] [:out :a] :handler]] [[:in :x] [:in :y] :here [:out :y] [:out :x] [:in :z] [:in :w] [:out :w] [:out :z] [:in :x] [:in :y] :here [:out :y] [:out :x] [:in :z] [:in :w] [:out :w] [:out :z] [:in :x] [:in :y] :here [:out :y] [:out :x]] [:connect :talk1 :disconnect :connect :talk2 :disconnect] [:root :inner :inner :root [[:in :outer] [:out :outer] [:in :outer] [:out :outer] [:in :outer] [:out :outer]]] ["after" [:after]] [32 [[:in :s] [:out :s] [:in :s] [:out :s] [:in :s] [:out :s]] [1 2] [[:in :g] [:out :g] [:in :g] [:out :g] [:in :g] [:out :g]]] [[7 201] [[:in :deep] [:out :deep] [:in :deep] [:out :deep]]]]
