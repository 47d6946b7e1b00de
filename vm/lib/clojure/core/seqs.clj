;; Collections and sequences: everything that takes a function, is lazy, or makes one collection of another.
(in-ns 'clojure.core)

(declare mapv into tree-seq sequence doall repeat range reverse sort empty? vec)

;; ---- functions

(defn identity "x." [x] x)

(defn constantly "A function that always returns x." [x]
  (fn ([] x) ([_] x) ([_ _] x) ([_ _ & _] x)))

(defn complement "The function that says no when f says yes." [f]
  (fn
    ([] (not (f)))
    ([a] (not (f a)))
    ([a b] (not (f a b)))
    ([a b & more] (not (apply f a b more)))))

(defn comp "The function that applies the last function first." 
  ([] identity)
  ([f] f)
  ([f g]
   (fn
     ([] (f (g)))
     ([a] (f (g a)))
     ([a b] (f (g a b)))
     ([a b c] (f (g a b c)))
     ([a b c & more] (f (apply g a b c more)))))
  ([f g h]
   (fn
     ([] (f (g (h))))
     ([a] (f (g (h a))))
     ([a b] (f (g (h a b))))
     ([a b & more] (f (g (apply h a b more))))))
  ([f g h & more]
   (loop [k (comp f g h) fs (seq more)]
     (if fs (recur (comp k (first fs)) (next fs)) k))))

(defn partial "f with its first arguments given."
  ([f] f)
  ([f a]
   (fn
     ([] (f a))
     ([x] (f a x))
     ([x y] (f a x y))
     ([x y z] (f a x y z))
     ([x y z & more] (apply f a x y z more))))
  ([f a b]
   (fn
     ([] (f a b))
     ([x] (f a b x))
     ([x y] (f a b x y))
     ([x y & more] (apply f a b x y more))))
  ([f a b c]
   (fn
     ([] (f a b c))
     ([x] (f a b c x))
     ([x & more] (apply f a b c x more))))
  ([f a b c & more]
   (fn [& xs] (apply f a b c (concat more xs)))))

(defn fnil "f with defaults for nil among its first arguments."
  ([f x]
   (fn
     ([a] (f (if (nil? a) x a)))
     ([a b] (f (if (nil? a) x a) b))
     ([a b c] (f (if (nil? a) x a) b c))
     ([a b c & more] (apply f (if (nil? a) x a) b c more))))
  ([f x y]
   (fn
     ([a b] (f (if (nil? a) x a) (if (nil? b) y b)))
     ([a b c] (f (if (nil? a) x a) (if (nil? b) y b) c))
     ([a b c & more] (apply f (if (nil? a) x a) (if (nil? b) y b) c more))))
  ([f x y z]
   (fn
     ([a b] (f (if (nil? a) x a) (if (nil? b) y b)))
     ([a b c] (f (if (nil? a) x a) (if (nil? b) y b) (if (nil? c) z c)))
     ([a b c & more] (apply f (if (nil? a) x a) (if (nil? b) y b) (if (nil? c) z c) more)))))

(defn juxt "A function that returns a vector of what the functions return."
  ([f] (fn [& xs] [(apply f xs)]))
  ([f g]
   (fn
     ([] [(f) (g)])
     ([a] [(f a) (g a)])
     ([a b] [(f a b) (g a b)])
     ([a b & more] [(apply f a b more) (apply g a b more)])))
  ([f g h]
   (fn
     ([] [(f) (g) (h)])
     ([a] [(f a) (g a) (h a)])
     ([a b] [(f a b) (g a b) (h a b)])
     ([a b & more] [(apply f a b more) (apply g a b more) (apply h a b more)])))
  ([f g h & more]
   (let [fs (list* f g h more)]
     (fn [& xs]
       (loop [out [] fs (seq fs)]
         (if fs (recur (conj out (apply (first fs) xs)) (next fs)) out))))))

(defn memoize "f that remembers what it returned." [f]
  (let [seen (yin.rt/atom {})]
    (fn [& args]
      (let [hit (find (yin.rt/deref seen) args)]
        (if hit
          (val hit)
          (let [r (apply f args)]
            (yin.rt/reset seen (assoc (yin.rt/deref seen) args r))
            r))))))

(defn trampoline "Calls f, and what it returns as long as that is a function."
  ([f]
   (let [r (f)]
     (if (fn? r) (recur r) r)))
  ([f & args] (trampoline (fn [] (apply f args)))))

;; ---- reduction

(defn- reduce-vector [f init v]
  (let [n (count v)]
    (loop [i 0 acc init]
      (if (< i n)
        (let [b (yin.rt/block-at v i)
              m (yin.rt/block-len b)
              acc (loop [j 0 acc acc]
                    (if (< j m)
                      (let [acc (f acc (yin.rt/block-get b j))]
                        (if (reduced? acc) acc (recur (inc j) acc)))
                      acc))]
          (if (reduced? acc)
            (yin.rt/deref acc)
            (recur (+ i m) acc)))
        acc))))

(defn- reduce-seq [f init s]
  (loop [s s acc init]
    (if s
      (let [acc (f acc (first s))]
        (if (reduced? acc)
          (yin.rt/deref acc)
          (recur (next s) acc)))
      acc)))

(defn- reducible? [x]
  (yin.rt/method-of x 'reduce))

(defn reduce
  "The result of f on init and the first element, of f on that and the second, and so on; without init the first element is it.
  A value from `reduced` ends it."
  ([f coll]
   (if (reducible? coll)
     ((reducible? coll) coll f)
     (let [s (seq coll)]
       (if s
         (let [more (next s)]
           (if more (reduce-seq f (first s) more) (first s)))
         (f)))))
  ([f init coll]
   (cond
     (vector? coll) (reduce-vector f init coll)
     (or (map? coll) (set? coll) (string? coll)) (reduce-vector f init (yin.rt/vec coll))
     (reducible? coll) ((reducible? coll) coll f init)
     :else (reduce-seq f init (seq coll)))))

(defn reduce-kv "Reduces f of the result so far, a key and its value." [f init coll]
  (cond
    (nil? coll) init
    (map? coll)
    (let [es (yin.rt/vec coll) n (count es)]
      (loop [i 0 acc init]
        (if (< i n)
          (let [e (nth es i)
                acc (f acc (key e) (val e))]
            (if (reduced? acc) (yin.rt/deref acc) (recur (inc i) acc)))
          acc)))
    (vector? coll)
    (let [n (count coll)]
      (loop [i 0 acc init]
        (if (< i n)
          (let [acc (f acc i (nth coll i))]
            (if (reduced? acc) (yin.rt/deref acc) (recur (inc i) acc)))
          acc)))
    (yin.rt/method-of coll 'kvreduce) ((yin.rt/method-of coll 'kvreduce) coll f init)
    (and (seqable? coll) (not (string? coll)) (or (empty? coll) (map-entry? (first coll))))
    (reduce (fn [acc e] (f acc (key e) (val e))) init coll)
    :else (yin.rt/raise :type (str "No implementation of method: :kv-reduce found for " (pr-str (class coll))))))

(defn ensure-reduced "x as a reduced value." [x] (if (reduced? x) x (reduced x)))

(defn completing "Reducing function f with cf for its completion."
  ([f] (completing f identity))
  ([f cf]
   (fn
     ([] (f))
     ([x] (cf x))
     ([x y] (f x y)))))

(defn transduce "Reduces coll with f under transducer xform."
  ([xform f coll] (transduce xform f (f) coll))
  ([xform f init coll]
   (let [rf (xform f)]
     (rf (reduce rf init coll)))))

(defn reductions "The results on the way of a reduction, lazily."
  ([f coll]
   (lazy-seq
     (let [s (seq coll)]
       (if s
         (reductions f (first s) (rest s))
         (list (f))))))
  ([f init coll]
   (if (reduced? init)
     (list (yin.rt/deref init))
     (cons init
           (lazy-seq
             (let [s (seq coll)]
               (when s
                 (reductions f (f init (first s)) (rest s)))))))))

(defn run! "Calls proc on every element; nil." [proc coll]
  (reduce (fn [_ x] (proc x)) nil coll)
  nil)

;; ---- tests of elements

(defn empty? "Has it no element?" [coll] (not (seq coll)))
(defn not-empty "coll, or nil if it has no element." [coll] (when (seq coll) coll))

(defn every? "Does pred hold for every element?" [pred coll]
  (loop [s (seq coll)]
    (if s
      (if (pred (first s)) (recur (next s)) false)
      true)))

(defn not-every? "Does pred fail for an element?" [pred coll] (not (every? pred coll)))

(defn some "The first true value of pred on an element, or nil." [pred coll]
  (loop [s (seq coll)]
    (when s
      (let [r (pred (first s))]
        (if r r (recur (next s)))))))

(defn not-any? "Does pred hold for no element?" [pred coll] (not (some pred coll)))

(defn every-pred "A function: do all the predicates hold for all its arguments?" [& preds]
  (fn
    ([] true)
    ([x] (every? (fn [p] (p x)) preds))
    ([x & more]
     (let [xs (cons x more)]
       (every? (fn [p] (every? p xs)) preds)))))

(defn some-fn "A function: the first true value of a predicate on an argument." [& preds]
  (fn
    ([] nil)
    ([x] (loop [ps (seq preds) r nil]
           (if ps
             (let [r ((first ps) x)] (if r r (recur (next ps) r)))
             r)))
    ([x & more]
     (loop [xs (cons x more) r nil]
       (if (seq xs)
         (let [r (loop [ps (seq preds) r r]
                   (if ps
                     (let [r ((first ps) (first xs))] (if r r (recur (next ps) r)))
                     r))]
           (if r r (recur (rest xs) r)))
         r)))))

(defn distinct? "Are the arguments all different?"
  ([_x] true)
  ([x y] (not (= x y)))
  ([x y & more]
   (loop [seen #{x} xs (list* y more)]
     (if (seq xs)
       (if (contains? seen (first xs)) false (recur (conj seen (first xs)) (rest xs)))
       true))))

;; ---- map, filter and their kin

(defn map
  "A lazy seq of f of the elements of the collections, taken together; a transducer without a collection."
  ([f]
   (fn [rf]
     (fn
       ([] (rf))
       ([acc] (rf acc))
       ([acc x] (rf acc (f x)))
       ([acc x & more] (rf acc (apply f x more))))))
  ([f coll]
   (lazy-seq
     (let [s (seq coll)]
       (when s
         (cons (f (first s)) (map f (rest s)))))))
  ([f a b]
   (lazy-seq
     (let [s (seq a) t (seq b)]
       (when (and s t)
         (cons (f (first s) (first t)) (map f (rest s) (rest t)))))))
  ([f a b c]
   (lazy-seq
     (let [s (seq a) t (seq b) u (seq c)]
       (when (and s t u)
         (cons (f (first s) (first t) (first u)) (map f (rest s) (rest t) (rest u)))))))
  ([f a b c & more]
   (let [step (fn step [colls]
                (lazy-seq
                  (let [ss (mapv seq colls)]
                    (when (every? identity ss)
                      (cons (mapv first ss) (step (mapv rest ss)))))))]
     (map (fn [xs] (apply f xs)) (step (list* a b c more))))))

(defn mapv
  "A vector of f of the elements of the collections, taken together."
  ([f coll]
   (persistent! (reduce (fn [acc x] (conj! acc (f x))) (transient []) coll)))
  ([f a b]
   (loop [out (transient []) s (seq a) t (seq b)]
     (if (and s t)
       (recur (conj! out (f (first s) (first t))) (next s) (next t))
       (persistent! out))))
  ([f a b c & more] (into [] (apply map f a b c more))))

(defn filter
  "A lazy seq of the elements for which pred holds; a transducer without a collection."
  ([pred]
   (fn [rf]
     (fn
       ([] (rf))
       ([acc] (rf acc))
       ([acc x] (if (pred x) (rf acc x) acc)))))
  ([pred coll]
   (lazy-seq
     (loop [s (seq coll)]
       (when s
         (let [x (first s)]
           (if (pred x)
             (cons x (filter pred (rest s)))
             (recur (next s)))))))))

(defn filterv "A vector of the elements for which pred holds." [pred coll]
  (persistent! (reduce (fn [acc x] (if (pred x) (conj! acc x) acc)) (transient []) coll)))

(defn remove "A lazy seq of the elements for which pred does not hold; a transducer without a collection."
  ([pred] (filter (complement pred)))
  ([pred coll] (filter (complement pred) coll)))

(defn keep "A lazy seq of the values of f that are not nil; a transducer without a collection."
  ([f]
   (fn [rf]
     (fn
       ([] (rf))
       ([acc] (rf acc))
       ([acc x] (let [v (f x)] (if (nil? v) acc (rf acc v)))))))
  ([f coll]
   (lazy-seq
     (loop [s (seq coll)]
       (when s
         (let [v (f (first s))]
           (if (nil? v)
             (recur (next s))
             (cons v (keep f (rest s))))))))))

(defn map-indexed "A lazy seq of f of each index and element; a transducer without a collection."
  ([f]
   (fn [rf]
     (let [i (volatile! -1)]
       (fn
         ([] (rf))
         ([acc] (rf acc))
         ([acc x] (rf acc (f (vreset! i (inc (yin.rt/deref i))) x)))))))
  ([f coll]
   (let [step (fn step [i s]
                (lazy-seq
                  (let [s (seq s)]
                    (when s
                      (cons (f i (first s)) (step (inc i) (rest s)))))))]
     (step 0 coll))))

(defn keep-indexed "A lazy seq of the values of f of each index and element that are not nil; a transducer without a collection."
  ([f]
   (fn [rf]
     (let [i (volatile! -1)]
       (fn
         ([] (rf))
         ([acc] (rf acc))
         ([acc x]
          (let [v (f (vreset! i (inc (yin.rt/deref i))) x)]
            (if (nil? v) acc (rf acc v))))))))
  ([f coll]
   (let [step (fn step [i s]
                (lazy-seq
                  (loop [i i s (seq s)]
                    (when s
                      (let [v (f i (first s))]
                        (if (nil? v)
                          (recur (inc i) (next s))
                          (cons v (step (inc i) (rest s)))))))))]
     (step 0 coll))))

(defn- concat-seqs
  "The elements of the collections of a seq, lazily."
  [colls]
  (lazy-seq
    (loop [cs (seq colls)]
      (when cs
        (let [s (seq (first cs))]
          (if s
            (concat s (concat-seqs (rest cs)))
            (recur (next cs))))))))

(defn cat "A transducer that passes on the elements of its inputs." [rf]
  (let [inner (fn [acc x] (let [r (rf acc x)] (if (reduced? r) (reduced r) r)))]
    (fn
      ([] (rf))
      ([acc] (rf acc))
      ([acc coll] (reduce inner acc coll)))))

(defn mapcat "The elements of the collections f returns, lazily; a transducer without a collection."
  ([f] (comp (map f) cat))
  ([f coll] (concat-seqs (map f coll)))
  ([f coll & colls] (concat-seqs (apply map f coll colls))))

(defn take "The first n elements, lazily; a transducer without a collection."
  ([n]
   (fn [rf]
     (let [left (volatile! n)]
       (fn
         ([] (rf))
         ([acc] (rf acc))
         ([acc x]
          (let [k (yin.rt/deref left)
                more (vreset! left (dec k))
                acc (if (pos? k) (rf acc x) acc)]
            (if (pos? more) acc (ensure-reduced acc))))))))
  ([n coll]
   (lazy-seq
     (when (pos? n)
       (let [s (seq coll)]
         (when s
           (cons (first s) (take (dec n) (rest s)))))))))

(defn drop "All but the first n elements, lazily; a transducer without a collection."
  ([n]
   (fn [rf]
     (let [left (volatile! n)]
       (fn
         ([] (rf))
         ([acc] (rf acc))
         ([acc x]
          (let [k (yin.rt/deref left)]
            (if (pos? k)
              (do (vreset! left (dec k)) acc)
              (rf acc x))))))))
  ([n coll]
   (lazy-seq
     (loop [n n s (seq coll)]
       (if (and s (pos? n))
         (recur (dec n) (next s))
         s)))))

(defn take-while "The elements up to the first for which pred does not hold, lazily; a transducer without a collection."
  ([pred]
   (fn [rf]
     (fn
       ([] (rf))
       ([acc] (rf acc))
       ([acc x] (if (pred x) (rf acc x) (reduced acc))))))
  ([pred coll]
   (lazy-seq
     (let [s (seq coll)]
       (when s
         (let [x (first s)]
           (when (pred x)
             (cons x (take-while pred (rest s))))))))))

(defn drop-while "The elements from the first for which pred does not hold, lazily; a transducer without a collection."
  ([pred]
   (fn [rf]
     (let [dropping (volatile! true)]
       (fn
         ([] (rf))
         ([acc] (rf acc))
         ([acc x]
          (if (and (yin.rt/deref dropping) (pred x))
            acc
            (do (vreset! dropping false)
                (rf acc x))))))))
  ([pred coll]
   (lazy-seq
     (loop [s (seq coll)]
       (if (and s (pred (first s)))
         (recur (next s))
         s)))))

(defn take-nth "Every nth element, lazily; a transducer without a collection."
  ([n]
   (fn [rf]
     (let [i (volatile! -1)]
       (fn
         ([] (rf))
         ([acc] (rf acc))
         ([acc x]
          (let [k (vreset! i (inc (yin.rt/deref i)))]
            (if (zero? (rem k n)) (rf acc x) acc)))))))
  ([n coll]
   (lazy-seq
     (let [s (seq coll)]
       (when s
         (cons (first s) (take-nth n (drop n s))))))))

(defn drop-last "All but the last n (or one) elements, lazily."
  ([coll] (drop-last 1 coll))
  ([n coll] (map (fn [x _] x) coll (drop n coll))))

(defn take-last "The last n elements as a seq." [n coll]
  (loop [s (seq coll) lead (seq (drop n coll))]
    (if lead
      (recur (next s) (next lead))
      s)))

(defn split-at "[the first n elements, the rest]." [n coll] [(take n coll) (drop n coll)])
(defn split-with "[the elements while pred holds, the rest]." [pred coll] [(take-while pred coll) (drop-while pred coll)])

(defn nthnext "The seq from element n, or nil." [coll n]
  (loop [n n s (seq coll)]
    (if (and s (pos? n)) (recur (dec n) (next s)) s)))

(defn nthrest "What follows the first n elements." [coll n]
  (loop [n n s coll]
    (if (and (pos? n) (seq s))
      (recur (dec n) (rest s))
      (if (pos? n) () s))))

(defn distinct "The elements without repetitions, lazily; a transducer without a collection."
  ([]
   (fn [rf]
     (let [seen (volatile! #{})]
       (fn
         ([] (rf))
         ([acc] (rf acc))
         ([acc x]
          (if (contains? (yin.rt/deref seen) x)
            acc
            (do (vreset! seen (conj (yin.rt/deref seen) x))
                (rf acc x))))))))
  ([coll]
   (let [step (fn step [s seen]
                (lazy-seq
                  (loop [s (seq s)]
                    (when s
                      (let [x (first s)]
                        (if (contains? seen x)
                          (recur (next s))
                          (cons x (step (rest s) (conj seen x)))))))))]
     (step coll #{}))))

(defn dedupe "The elements without repetitions in a row, lazily; a transducer without a collection."
  ([]
   (fn [rf]
     (let [last-seen (volatile! ::none)]
       (fn
         ([] (rf))
         ([acc] (rf acc))
         ([acc x]
          (let [before (yin.rt/deref last-seen)]
            (vreset! last-seen x)
            (if (= before x) acc (rf acc x))))))))
  ([coll] (sequence (dedupe) coll)))

(defn interpose "sep between the elements, lazily; a transducer without a collection."
  ([sep]
   (fn [rf]
     (let [started (volatile! false)]
       (fn
         ([] (rf))
         ([acc] (rf acc))
         ([acc x]
          (if (yin.rt/deref started)
            (let [acc (rf acc sep)]
              (if (reduced? acc) acc (rf acc x)))
            (do (vreset! started true)
                (rf acc x))))))))
  ([sep coll]
   (lazy-seq
     (let [s (seq coll)]
       (when s
         (cons (first s)
               (mapcat (fn [x] (list sep x)) (rest s))))))))

(defn interleave "The first elements of the collections, then the second ones, lazily."
  ([] ())
  ([a] (lazy-seq a))
  ([a b]
   (lazy-seq
     (let [s (seq a) t (seq b)]
       (when (and s t)
         (cons (first s) (cons (first t) (interleave (rest s) (rest t))))))))
  ([a b & more]
   (lazy-seq
     (let [ss (mapv seq (list* a b more))]
       (when (every? identity ss)
         (concat (mapv first ss) (apply interleave (mapv rest ss))))))))

(defn partition "The elements in groups of n, lazily, a group every step elements; an incomplete last group is filled from pad
  or left out."
  ([n coll] (partition n n coll))
  ([n step coll]
   (lazy-seq
     (let [s (seq coll)]
       (when s
         (let [group (doall (take n s))]
           (when (= n (count group))
             (cons group (partition n step (nthrest s step)))))))))
  ([n step pad coll]
   (lazy-seq
     (let [s (seq coll)]
       (when s
         (let [group (doall (take n s))]
           (if (= n (count group))
             (cons group (partition n step pad (nthrest s step)))
             (list (take n (concat group pad))))))))))

(defn partition-all "The elements in groups of n, lazily, the last ones maybe smaller; a transducer without a collection."
  ([n]
   (fn [rf]
     (let [group (volatile! [])]
       (fn
         ([] (rf))
         ([acc]
          (let [g (yin.rt/deref group)
                acc (if (seq g)
                      (do (vreset! group []) (unreduced (rf acc g)))
                      acc)]
            (rf acc)))
         ([acc x]
          (let [g (conj (yin.rt/deref group) x)]
            (if (= n (count g))
              (do (vreset! group []) (rf acc g))
              (do (vreset! group g) acc))))))))
  ([n coll] (partition-all n n coll))
  ([n step coll]
   (lazy-seq
     (let [s (seq coll)]
       (when s
         (let [group (doall (take n s))]
           (cons group (partition-all n step (nthrest s step)))))))))

(defn partition-by "The elements in groups on which f has one value, lazily; a transducer without a collection."
  ([f]
   (fn [rf]
     (let [group (volatile! []) value (volatile! ::none)]
       (fn
         ([] (rf))
         ([acc]
          (let [g (yin.rt/deref group)
                acc (if (seq g)
                      (do (vreset! group []) (unreduced (rf acc g)))
                      acc)]
            (rf acc)))
         ([acc x]
          (let [before (yin.rt/deref value) v (f x)]
            (vreset! value v)
            (if (or (identical? before ::none) (= v before))
              (do (vreset! group (conj (yin.rt/deref group) x)) acc)
              (let [g (yin.rt/deref group)
                    _ (vreset! group [])
                    acc (rf acc g)]
                (when-not (reduced? acc)
                  (vreset! group [x]))
                acc))))))))
  ([f coll]
   (lazy-seq
     (let [s (seq coll)]
       (when s
         (let [x (first s)
               v (f x)
               run (cons x (take-while (fn [y] (= v (f y))) (next s)))]
           (cons run (partition-by f (lazy-seq (drop (count run) s))))))))))

(defn flatten "The elements of nested sequential things, lazily." [x]
  (filter (complement sequential?)
          (rest (tree-seq sequential? seq x))))

(defn tree-seq "The nodes of a tree, depth first, lazily." [branch? children root]
  (let [walk (fn walk [node]
               (lazy-seq
                 (cons node
                       (when (branch? node)
                         (mapcat walk (children node))))))]
    (walk root)))

(defn zipmap "A map of keys to values." [ks vs]
  (loop [m (transient {}) ks (seq ks) vs (seq vs)]
    (if (and ks vs)
      (recur (assoc! m (first ks) (first vs)) (next ks) (next vs))
      (persistent! m))))

(defn group-by "A map of the values of f to vectors of the elements with that value." [f coll]
  (persistent!
    (reduce (fn [m x]
              (let [k (f x)]
                (assoc! m k (conj (get m k []) x))))
            (transient {})
            coll)))

(defn frequencies "A map of the elements to how often they come." [coll]
  (persistent!
    (reduce (fn [m x] (assoc! m x (inc (get m x 0)))) (transient {}) coll)))

(defn replace "coll with its elements that are keys of smap replaced; a transducer without a collection."
  ([smap] (map (fn [x] (let [e (find smap x)] (if e (val e) x)))))
  ([smap coll]
   (if (vector? coll)
     (reduce (fn [v i]
               (let [e (find smap (nth v i))]
                 (if e (assoc v i (val e)) v)))
             coll
             (range (count coll)))
     (map (fn [x] (let [e (find smap x)] (if e (val e) x))) coll))))

(defn max-key "The argument for which k is greatest; the last of several."
  ([_k x] x)
  ([k x y] (if (> (k x) (k y)) x y))
  ([k x y & more]
   (loop [best x v (k x) xs (list* y more)]
     (if (seq xs)
       (let [w (k (first xs))]
         (if (>= w v) (recur (first xs) w (rest xs)) (recur best v (rest xs))))
       best))))

(defn min-key "The argument for which k is least; the last of several."
  ([_k x] x)
  ([k x y] (if (< (k x) (k y)) x y))
  ([k x y & more]
   (loop [best x v (k x) xs (list* y more)]
     (if (seq xs)
       (let [w (k (first xs))]
         (if (<= w v) (recur (first xs) w (rest xs)) (recur best v (rest xs))))
       best))))

;; ---- making seqs and collections

(defn range "The numbers from start (0), by step (1), before end (for ever)."
  ([] (yin.rt/range 0 nil 1))
  ([end] (yin.rt/range 0 end 1))
  ([start end] (yin.rt/range start end 1))
  ([start end step]
   (if (zero? step)
     (if (= start end) () (repeat start))
     (yin.rt/range start end step))))

(defn iterate "x, (f x), (f (f x)) … lazily." [f x]
  (cons x (lazy-seq (iterate f (f x)))))

(defn repeat "x again and again, n times if n is given, lazily."
  ([x] (cons x (lazy-seq (repeat x))))
  ([n x] (take n (repeat x))))

(defn repeatedly "The values of calls of f, lazily, n of them if n is given."
  ([f] (lazy-seq (cons (f) (repeatedly f))))
  ([n f] (take n (repeatedly f))))

(defn cycle "The elements again and again, lazily." [coll]
  (lazy-seq
    (let [s (seq coll)]
      (when s (concat s (cycle s))))))

(defn dorun "Realises a seq, or n elements of it; nil."
  ([coll]
   (loop [s (seq coll)]
     (when s (recur (next s)))))
  ([n coll]
   (loop [n n s (seq coll)]
     (when (and s (pos? n)) (recur (dec n) (next s))))))

(defn doall "Realises a seq, or n elements of it; the seq."
  ([coll] (dorun coll) coll)
  ([n coll] (dorun n coll) coll))

(defn vec "A vector of the elements." [coll]
  (cond
    (vector? coll) (if (map-entry? coll) (vector (key coll) (val coll)) (with-meta coll nil))
    (or (nil? coll) (map? coll) (set? coll) (string? coll) (yin.rt/array? coll)) (yin.rt/vec coll)
    :else (loop [out (transient []) s (seq coll)]
            (if s
              (recur (conj! out (first s)) (next s))
              (persistent! out)))))

(defn set "A set of the elements." [coll]
  (if (set? coll)
    (with-meta coll nil)
    (persistent! (reduce conj! (transient #{}) coll))))

(defn- editable? [x]
  (and (or (vector? x) (map? x) (set? x))
       (not (sorted? x)) (not (record? x)) (not (map-entry? x))))

(defn into "to with the elements of from added, through transducer xform if one is given."
  ([] [])
  ([to] to)
  ([to from]
   (if (editable? to)
     (with-meta (persistent! (reduce conj! (transient to) from)) (meta to))
     (reduce conj to from)))
  ([to xform from]
   (if (editable? to)
     (with-meta (persistent! (transduce xform conj! (transient to) from)) (meta to))
     (transduce xform conj to from))))

(defn reverse "The elements backwards, as a list." [coll] (reduce conj () coll))
(defn rand "A random double below 1, or below n."
  ([] (yin.rt/rand))
  ([n] (* n (yin.rt/rand))))
(defn rand-nth "A random element." [coll] (nth coll (rand-int (count coll))))
(defn random-sample "Each element with probability prob; a transducer without a collection."
  ([prob] (filter (fn [_] (< (rand) prob))))
  ([prob coll] (filter (fn [_] (< (rand) prob)) coll)))

(defn shuffle "A vector of the elements in random order." [coll]
  (if (or (coll? coll) (yin.rt/array? coll))
    (loop [v (transient (vec coll)) i (dec (count coll))]
      (if (pos? i)
        (let [j (rand-int (inc i))
              x (nth v i)
              y (nth v j)]
          (recur (assoc! v i y j x) (dec i)))
        (persistent! v)))
    (yin.rt/raise :type "shuffle needs a collection")))

(defn- part-of-sorted
  [sc t1 k1 t2 k2 back]
    (if (sorted? sc)
      (let [key-of (if (map? sc) key identity)
            ok (fn [e]
                 (let [k (key-of e)]
                   (and (t1 (yin.rt/sorted-order sc k k1) 0)
                        (or (nil? t2) (t2 (yin.rt/sorted-order sc k k2) 0)))))
            hits (filterv ok (yin.rt/vec (seq sc)))]
        (if back (rseq hits) (seq hits)))
      (yin.rt/raise :type "subseq needs a sorted collection")))

(defn subseq "The entries of a sorted collection whose keys pass the tests."
  ([sc test key] (part-of-sorted sc test key nil nil false))
  ([sc start-test start-key end-test end-key] (part-of-sorted sc start-test start-key end-test end-key false)))

(defn rsubseq "Like subseq, backwards."
  ([sc test key] (part-of-sorted sc test key nil nil true))
  ([sc start-test start-key end-test end-key] (part-of-sorted sc start-test start-key end-test end-key true)))

(defn bounded-count "Number of elements, counted up to n." [n coll]
  (if (counted? coll)
    (count coll)
    (loop [i 0 s (seq coll)]
      (if (and s (< i n)) (recur (inc i) (next s)) i))))

;; ---- order

(defn comparator "A comparator from a predicate: is a before b?" [pred]
  (fn [a b] (cond (pred a b) -1 (pred b a) 1 :else 0)))

(defn- as-order
  "A comparator function from what sort takes: a function of two that returns a number or a truth, or a Comparator."
  [cmp]
  (let [f (or (yin.rt/method-of cmp 'compare) nil)
        call (if f (fn [a b] (f cmp a b)) cmp)]
    (fn [a b]
      (let [r (call a b)]
        (cond
          (number? r) (<= r 0)
          r true
          :else (not (call b a)))))))

(defn- merge-runs
  "Merges the sorted vectors a and b; before? says whether an element of a may stay in front of one of b."
  [before? a b]
  (let [n (count a) m (count b)]
    (loop [out (transient []) i 0 j 0]
      (cond
        (= i n) (loop [out out j j] (if (< j m) (recur (conj! out (nth b j)) (inc j)) (persistent! out)))
        (= j m) (loop [out out i i] (if (< i n) (recur (conj! out (nth a i)) (inc i)) (persistent! out)))
        (before? (nth a i) (nth b j)) (recur (conj! out (nth a i)) (inc i) j)
        :else (recur (conj! out (nth b j)) i (inc j))))))

(defn- merge-sort [before? v]
  (loop [runs (mapv (fn [x] [x]) v)]
    (let [n (count runs)]
      (if (> n 1)
        (recur (loop [out [] i 0]
                 (cond
                   (< (inc i) n) (recur (conj out (merge-runs before? (nth runs i) (nth runs (inc i)))) (+ i 2))
                   (< i n) (conj out (nth runs i))
                   :else out)))
        (if (= n 1) (nth runs 0) [])))))

(defn- sorted-back
  "The sorted vector as what sort returns; an array is sorted in place."
  [coll v]
  (if (yin.rt/array? coll)
    (do (loop [i 0] (when (< i (count v)) (yin.rt/aset coll i (nth v i)) (recur (inc i))))
        (seq coll))
    (or (seq v) ())))

(defn sort "The elements in order, equal ones as they came."
  ([coll] (if (seq coll) (sorted-back coll (vec (yin.rt/sort (vec coll)))) ()))
  ([comp coll]
   (if (seq coll)
     (if (identical? comp compare)
       (sorted-back coll (vec (yin.rt/sort (vec coll))))
       (sorted-back coll (merge-sort (as-order comp) (vec coll))))
     ())))

(defn sort-by "The elements in the order of keyfn of them."
  ([keyfn coll] (sort-by keyfn compare coll))
  ([keyfn comp coll]
   (let [before? (as-order comp)
         keyed (mapv (fn [x] [(keyfn x) x]) coll)]
     (if (seq keyed)
       (sorted-back coll (mapv (fn [p] (nth p 1))
                               (merge-sort (fn [a b] (before? (nth a 0) (nth b 0))) keyed)))
       ()))))

;; ---- maps

(defn get-in "The value at a path of keys." 
  ([m ks] (reduce get m ks))
  ([m ks not-found]
   (loop [m m ks (seq ks)]
     (if ks
       (let [v (get m (first ks) ::none)]
         (if (identical? v ::none) not-found (recur v (next ks))))
       m))))

(defn assoc-in "m with the value at a path of keys, maps made as needed." [m ks v]
  (let [k (first ks) more (next ks)]
    (if more
      (assoc m k (assoc-in (get m k) more v))
      (assoc m k v))))

(defn update "m with (f old-value args…) at key k."
  ([m k f] (assoc m k (f (get m k))))
  ([m k f a] (assoc m k (f (get m k) a)))
  ([m k f a b] (assoc m k (f (get m k) a b)))
  ([m k f a b c] (assoc m k (f (get m k) a b c)))
  ([m k f a b c & more] (assoc m k (apply f (get m k) a b c more))))

(defn update-in "m with (f old-value args…) at a path of keys." [m ks f & args]
  (let [go (fn go [m ks]
             (let [k (first ks) more (next ks)]
               (if more
                 (assoc m k (go (get m k) more))
                 (assoc m k (apply f (get m k) args)))))]
    (go m ks)))

(defn update-vals "m with f of every value." [m f]
  (with-meta
    (persistent! (reduce-kv (fn [acc k v] (assoc! acc k (f v))) (transient {}) m))
    (meta m)))

(defn update-keys "m with f of every key." [m f]
  (with-meta
    (persistent! (reduce-kv (fn [acc k v] (assoc! acc (f k) v)) (transient {}) m))
    (meta m)))

(defn select-keys "The part of m with these keys." [m ks]
  (with-meta
    (reduce (fn [acc k]
              (let [e (find m k)]
                (if e (conj acc e) acc)))
            {}
            ks)
    (meta m)))

(defn merge "The maps in one; later values win." [& maps]
  (when (some identity maps)
    (reduce (fn [a b] (if (nil? b) a (conj (if (nil? a) {} a) b))) maps)))

(defn merge-with "The maps in one; (f a b) is the value of a key in both." [f & maps]
  (when (some identity maps)
    (let [add (fn [m e]
                (let [k (key e) v (val e) old (find m k)]
                  (assoc m k (if old (f (val old) v) v))))]
      (reduce (fn [a b] (reduce add (if (nil? a) {} a) (seq b))) maps))))

(defn vary-meta "x with (f its-metadata args…) as metadata." [x f & args]
  (with-meta x (apply f (meta x) args)))

;; ---- transducers at work

(defn sequence "A seq of coll, through transducer xform if one is given, lazily."
  ([coll] (if (seq? coll) coll (or (seq coll) ())))
  ([xform coll]
   (let [out (volatile! [])
         rf (xform (fn
                     ([] nil)
                     ([acc] acc)
                     ([acc x] (vreset! out (conj (yin.rt/deref out) x)) acc)))
         take-out (fn [] (let [v (yin.rt/deref out)] (vreset! out []) v))
         step (fn step [s]
                (lazy-seq
                  (loop [s (seq s)]
                    (if s
                      (let [r (rf nil (first s))]
                        (if (reduced? r)
                          (do (rf nil) (seq (take-out)))
                          (let [xs (take-out)]
                            (if (pos? (count xs))
                              (concat xs (step (rest s)))
                              (recur (next s))))))
                      (do (rf nil) (seq (take-out)))))))]
     (or (seq (step coll)) ())))
  ([xform coll & colls]
   (sequence (fn [rf]
               (let [rf (xform rf)]
                 (fn
                   ([] (rf))
                   ([acc] (rf acc))
                   ([acc xs] (apply rf acc xs)))))
             (apply map vector coll colls))))

(defn iteration
  "A seq of the results of repeated calls of step: of (vf ret) while (somef ret), the next call with (kf ret)."
  [step & {:keys [somef vf kf initk] :or {vf identity kf identity somef some? initk nil}}]
  (let [go (fn go [k]
             (lazy-seq
               (let [ret (step k)]
                 (when (somef ret)
                   (cons (vf ret)
                         (let [k (kf ret)]
                           (when (some? k) (go k))))))))]
    (go initk)))

(defn halt-when "A transducer that ends the whole reduction when pred holds of an input: the result is that input, or
  (retf completed-result input)."
  ([pred] (halt-when pred nil))
  ([pred retf]
   (fn [rf]
     (fn
       ([] (rf))
       ([acc] (if (and (map? acc) (contains? acc ::halt)) (::halt acc) (rf acc)))
       ([acc x]
        (if (pred x)
          (reduced {::halt (if retf (retf (rf acc) x) x)})
          (rf acc x)))))))

;; ---- numbers and small things

(defn nat-int? "Is it a long, 0 or more?" [x] (and (int? x) (not (neg? x))))
(defn neg-int? "Is it a negative long?" [x] (and (int? x) (neg? x)))
(defn pos-int? "Is it a positive long?" [x] (and (int? x) (pos? x)))
(defn any? "true." [_x] true)
(defn ident? "Is it a keyword or symbol?" [x] (or (keyword? x) (symbol? x)))
(defn simple-ident? "Is it a keyword or symbol without a namespace?" [x] (and (ident? x) (nil? (namespace x))))
(defn qualified-ident? "Is it a keyword or symbol with a namespace?" [x] (boolean (and (ident? x) (namespace x) true)))
(defn simple-symbol? "Is it a symbol without a namespace?" [x] (and (symbol? x) (nil? (namespace x))))
(defn qualified-symbol? "Is it a symbol with a namespace?" [x] (boolean (and (symbol? x) (namespace x) true)))
(defn simple-keyword? "Is it a keyword without a namespace?" [x] (and (keyword? x) (nil? (namespace x))))
(defn qualified-keyword? "Is it a keyword with a namespace?" [x] (boolean (and (keyword? x) (namespace x) true)))
(defn uri? "Is it a URI? There are none." [_x] false)
(defn bytes? "Is it an array of bytes?" [x] (and (yin.rt/array? x) (= :byte (yin.rt/array-type x))))
(defn find-keyword "The keyword of a name." ([n] (keyword n)) ([ns n] (keyword ns n)))

(defn re-seq "A lazy seq of the matches of re in s." [re s]
  (seq (yin.rt/re-all re s)))

(defn aget "Element of an array at an index, or at indices of nested arrays."
  ([a i] (yin.rt/aget a i))
  ([a i & more] (apply aget (yin.rt/aget a i) more)))
(defn aset "Sets an element of an array, or of nested arrays."
  ([a i v] (yin.rt/aset a i v))
  ([a i j & more] (apply aset (yin.rt/aget a i) j more)))
(defn aset-int "Sets an element." ([a i v] (aset a i (int v))) ([a i j & more] (apply aset-int (aget a i) j more)))
(defn aset-long "Sets an element." ([a i v] (aset a i (long v))) ([a i j & more] (apply aset-long (aget a i) j more)))
(defn aset-double "Sets an element." ([a i v] (aset a i (double v))) ([a i j & more] (apply aset-double (aget a i) j more)))
(defn aset-float "Sets an element." ([a i v] (aset a i (float v))) ([a i j & more] (apply aset-float (aget a i) j more)))
(defn aset-short "Sets an element." ([a i v] (aset a i (short v))) ([a i j & more] (apply aset-short (aget a i) j more)))
(defn aset-byte "Sets an element." ([a i v] (aset a i (byte v))) ([a i j & more] (apply aset-byte (aget a i) j more)))
(defn aset-char "Sets an element." ([a i v] (aset a i (char v))) ([a i j & more] (apply aset-char (aget a i) j more)))
(defn aset-boolean "Sets an element." ([a i v] (aset a i (boolean v))) ([a i j & more] (apply aset-boolean (aget a i) j more)))

(defn to-array "An array of the elements." [coll] (yin.rt/to-array (if (vector? coll) coll (vec coll))))
(defn into-array "An array of the elements; a type may be named."
  ([coll] (to-array coll))
  ([type coll] (yin.rt/typed-array type (vec coll))))
(defn to-array-2d "An array of arrays." [coll] (to-array (mapv to-array coll)))
(defn make-array "An array of a type and length, or nested arrays."
  ([type n] (yin.rt/new-array type n))
  ([type n & more] (to-array (mapv (fn [_] (apply make-array type more)) (range n)))))
(def booleans "The array." identity)
(def bytes "The array." identity)
(def chars "The array." identity)
(def doubles "The array." identity)
(def floats "The array." identity)
(def ints "The array." identity)
(def longs "The array." identity)
(def shorts "The array." identity)
(defn num "x, which must be a number." [x] (if (number? x) x (yin.rt/raise :type "not a number")))
(defn unchecked-long [x] (yin.rt/wrap x 64))
(defn unchecked-int [x] (yin.rt/wrap x 32))
(defn unchecked-short [x] (yin.rt/wrap x 16))
(defn unchecked-byte [x] (yin.rt/wrap x 8))
(defn unchecked-char [x] (char (bit-and (yin.rt/wrap x 64) 65535)))
(defn unchecked-double [x] (double x))
(defn unchecked-float [x] (float x))
(defn unchecked-add-int [x y] (yin.rt/wrap (unchecked-add x y) 32))
(defn unchecked-subtract-int [x y] (yin.rt/wrap (unchecked-subtract x y) 32))
(defn unchecked-multiply-int [x y] (yin.rt/wrap (unchecked-multiply x y) 32))
(defn unchecked-inc-int [x] (yin.rt/wrap (unchecked-inc x) 32))
(defn unchecked-dec-int [x] (yin.rt/wrap (unchecked-dec x) 32))
(defn unchecked-negate-int [x] (yin.rt/wrap (unchecked-negate x) 32))
(defn unchecked-divide-int [x y] (yin.rt/wrap (quot x y) 32))
(defn unchecked-remainder-int [x y] (yin.rt/wrap (rem x y) 32))
(defn hash-combine "Mixes two hashes." [a b] (bit-xor a (+ b -1640531527 (bit-shift-left (bit-and a 67108863) 6) (bit-shift-right a 2))))
(defn hash-ordered-coll "Hash of a sequential collection." [coll] (hash (vec coll)))
(defn hash-unordered-coll "Hash of a collection without order." [coll] (hash (set coll)))
(defn mix-collection-hash "A hash from the parts of a collection's." [h n] (hash [h n]))

(def char-escape-string
  "What stands for a character in printed strings."
  {\newline "\\n" \tab "\\t" \return "\\r" \" "\\\"" \\ "\\\\" \formfeed "\\f" \backspace "\\b"})
(def char-name-string
  "Names of characters in print."
  {\newline "newline" \tab "tab" \space "space" \backspace "backspace" \formfeed "formfeed" \return "return"})
