;; What programs of the JVM call by host names: constructors, methods and statics, for the classes scripts use. Each is
;; written with the library's own functions; methods of strings that loops call are primitives (prim/method.rs).
(in-ns 'clojure.core)

(declare -iterator ->File)

(defn- no-method [target m args]
  (yin.rt/raise :no-method (str "No matching method " m " found taking " (count args) " args for "
                                (if (nil? target) "nil" (pr-str (class target))))))

;; ---- mutable collections: a cell with a persistent one

(deftype ^{:class java.util.ArrayList} MutableList [cell]
  java.util.List
  java.util.Deque
  java.util.Collection
  clojure.lang.Seqable
  clojure.lang.Sequential
  (printed [_] (yin.rt/deref cell))
  (toString [_] (str (yin.rt/deref cell)))
  (equals [_ other] (= (yin.rt/deref cell) (if (instance? MutableList other) (vec (seq other)) other)))
  (seq [_] (seq (yin.rt/deref cell)))
  (count [_] (count (yin.rt/deref cell)))
  (nth [_ i] (nth (yin.rt/deref cell) i))
  (nth [_ i default] (nth (yin.rt/deref cell) i default))
  (size [_] (count (yin.rt/deref cell)))
  (isEmpty [_] (empty? (yin.rt/deref cell)))
  (get [_ i] (nth (yin.rt/deref cell) i))
  (add [_ x] (yin.rt/reset cell (conj (yin.rt/deref cell) x)) true)
  (add [_ i x] (let [v (yin.rt/deref cell)]
                 (yin.rt/reset cell (into (conj (subvec v 0 i) x) (subvec v i))) nil))
  (addAll [_ xs] (yin.rt/reset cell (into (yin.rt/deref cell) xs)) true)
  (set [_ i x] (let [v (yin.rt/deref cell)] (yin.rt/reset cell (assoc v i x)) (nth v i)))
  (remove [_ i] (let [v (yin.rt/deref cell)]
                  (yin.rt/reset cell (into (subvec v 0 i) (subvec v (inc i)))) (nth v i)))
  (clear [_] (yin.rt/reset cell []) nil)
  (contains [_ x] (boolean (some (fn [y] (= x y)) (yin.rt/deref cell))))
  (indexOf [_ x] (loop [i 0 s (seq (yin.rt/deref cell))] (if s (if (= x (first s)) i (recur (inc i) (next s))) -1)))
  (toArray [_] (to-array (yin.rt/deref cell)))
  (iterator [_] (-iterator (yin.rt/deref cell)))
  (addFirst [_ x] (yin.rt/reset cell (into [x] (yin.rt/deref cell))) nil)
  (addLast [_ x] (yin.rt/reset cell (conj (yin.rt/deref cell) x)) nil)
  (push [_ x] (yin.rt/reset cell (into [x] (yin.rt/deref cell))) nil)
  (offer [_ x] (yin.rt/reset cell (conj (yin.rt/deref cell) x)) true)
  (peek [_] (first (yin.rt/deref cell)))
  (peekFirst [_] (first (yin.rt/deref cell)))
  (peekLast [_] (peek (yin.rt/deref cell)))
  (getFirst [_] (nth (yin.rt/deref cell) 0))
  (getLast [_] (peek (yin.rt/deref cell)))
  (poll [_] (let [v (yin.rt/deref cell)] (when (seq v) (yin.rt/reset cell (subvec v 1)) (nth v 0))))
  (pollFirst [_] (let [v (yin.rt/deref cell)] (when (seq v) (yin.rt/reset cell (subvec v 1)) (nth v 0))))
  (pollLast [_] (let [v (yin.rt/deref cell)] (when (seq v) (yin.rt/reset cell (pop v)) (peek v))))
  (pop [_] (let [v (yin.rt/deref cell)] (yin.rt/reset cell (subvec v 1)) (nth v 0)))
  (removeFirst [_] (let [v (yin.rt/deref cell)] (yin.rt/reset cell (subvec v 1)) (nth v 0)))
  (removeLast [_] (let [v (yin.rt/deref cell)] (yin.rt/reset cell (pop v)) (peek v))))

(deftype ^{:class java.util.HashMap} MutableMap [cell]
  java.util.Map
  clojure.lang.Seqable
  clojure.lang.ILookup
  (printed [_] (yin.rt/deref cell))
  (toString [_] (str (yin.rt/deref cell)))
  (equals [_ other] (= (yin.rt/deref cell) (if (instance? MutableMap other) (into {} (seq other)) other)))
  (seq [_] (seq (yin.rt/deref cell)))
  (count [_] (count (yin.rt/deref cell)))
  (valAt [_ k] (get (yin.rt/deref cell) k))
  (valAt [_ k default] (get (yin.rt/deref cell) k default))
  (size [_] (count (yin.rt/deref cell)))
  (isEmpty [_] (empty? (yin.rt/deref cell)))
  (get [_ k] (get (yin.rt/deref cell) k))
  (getOrDefault [_ k default] (get (yin.rt/deref cell) k default))
  (put [_ k v] (let [m (yin.rt/deref cell)] (yin.rt/reset cell (assoc m k v)) (get m k)))
  (putIfAbsent [_ k v] (let [m (yin.rt/deref cell)] (when-not (contains? m k) (yin.rt/reset cell (assoc m k v))) (get m k)))
  (putAll [_ other] (yin.rt/reset cell (into (yin.rt/deref cell) other)) nil)
  (remove [_ k] (let [m (yin.rt/deref cell)] (yin.rt/reset cell (dissoc m k)) (get m k)))
  (containsKey [_ k] (contains? (yin.rt/deref cell) k))
  (containsValue [_ v] (boolean (some (fn [x] (= x v)) (vals (yin.rt/deref cell)))))
  (clear [_] (yin.rt/reset cell (empty (yin.rt/deref cell))) nil)
  (keySet [_] (set (keys (yin.rt/deref cell))))
  (values [_] (or (vals (yin.rt/deref cell)) ()))
  (entrySet [_] (set (seq (yin.rt/deref cell)))))

(deftype ^{:class java.util.HashSet} MutableSet [cell]
  java.util.Set
  clojure.lang.Seqable
  (printed [_] (yin.rt/deref cell))
  (toString [_] (str (yin.rt/deref cell)))
  (equals [_ other] (= (yin.rt/deref cell) (if (instance? MutableSet other) (set (seq other)) other)))
  (seq [_] (seq (yin.rt/deref cell)))
  (count [_] (count (yin.rt/deref cell)))
  (size [_] (count (yin.rt/deref cell)))
  (isEmpty [_] (empty? (yin.rt/deref cell)))
  (containsKey [_ x] (contains? (yin.rt/deref cell) x))
  (contains [_ x] (contains? (yin.rt/deref cell) x))
  (add [_ x] (let [s (yin.rt/deref cell)] (yin.rt/reset cell (conj s x)) (not (contains? s x))))
  (addAll [_ xs] (yin.rt/reset cell (into (yin.rt/deref cell) xs)) true)
  (remove [_ x] (let [s (yin.rt/deref cell)] (yin.rt/reset cell (disj s x)) (contains? s x)))
  (clear [_] (yin.rt/reset cell (empty (yin.rt/deref cell))) nil))

(deftype Iterator [^:unsynchronized-mutable s]
  java.util.Iterator
  (hasNext [_] (boolean (seq s)))
  (next [_] (if (seq s)
              (let [x (first s)] (set! s (rest s)) x)
              (throw (java.util.NoSuchElementException. "the iterator is at its end")))))
(defn -iterator "An iterator over the elements." [coll] (->Iterator (seq coll)))

(deftype AtomicCell [cell]
  java.lang.Number
  clojure.lang.IDeref
  (toString [_] (str (yin.rt/deref cell)))
  (deref [_] (yin.rt/deref cell))
  (get [_] (yin.rt/deref cell))
  (set [_ x] (yin.rt/reset cell x) nil)
  (incrementAndGet [_] (yin.rt/reset cell (inc (yin.rt/deref cell))))
  (decrementAndGet [_] (yin.rt/reset cell (dec (yin.rt/deref cell))))
  (getAndIncrement [_] (let [x (yin.rt/deref cell)] (yin.rt/reset cell (inc x)) x))
  (getAndDecrement [_] (let [x (yin.rt/deref cell)] (yin.rt/reset cell (dec x)) x))
  (addAndGet [_ n] (yin.rt/reset cell (+ (yin.rt/deref cell) n)))
  (getAndAdd [_ n] (let [x (yin.rt/deref cell)] (yin.rt/reset cell (+ x n)) x))
  (getAndSet [_ n] (let [x (yin.rt/deref cell)] (yin.rt/reset cell n) x))
  (compareAndSet [_ old new] (if (= old (yin.rt/deref cell)) (do (yin.rt/reset cell new) true) false))
  (intValue [_] (yin.rt/deref cell))
  (longValue [_] (yin.rt/deref cell)))

;; ---- files

(defn- join-path [a b]
  (cond (= a "") b
        (= \/ (. a charAt (dec (count a)))) (str a b)
        :else (str a "/" b)))

(deftype ^{:class java.io.File} File [path]
  java.lang.Comparable
  (toString [_] path)
  (equals [_ other] (and (instance? File other) (= path (. other getPath))))
  (hashCode [_] (hash path))
  (compareTo [_ other] (compare path (. other getPath)))
  (getPath [_] path)
  (getName [_] (last (yin.rt/path-parts path)))
  (getParent [_] (let [ps (yin.rt/path-parts path)
                       p (yin.rt/join "/" (vec (butlast ps)))]
                   (cond (= 1 (count ps)) nil (= p "") "/" :else p)))
  (getParentFile [this] (let [p (. this getParent)] (when p (->File p))))
  (getAbsolutePath [_] (if (and (pos? (count path)) (= \/ (. path charAt 0))) path (join-path (yin.rt/property "user.dir") path)))
  (getCanonicalPath [this] (. this getAbsolutePath))
  (getAbsoluteFile [this] (->File (. this getAbsolutePath)))
  (getCanonicalFile [this] (->File (. this getAbsolutePath)))
  (isAbsolute [_] (and (pos? (count path)) (= \/ (. path charAt 0))))
  (exists [_] (yin.rt/file-info path :exists))
  (isDirectory [_] (yin.rt/file-info path :dir))
  (isFile [_] (yin.rt/file-info path :file))
  (isHidden [this] (= \. (first (. this getName))))
  (canRead [_] (yin.rt/file-info path :exists))
  (canWrite [_] (yin.rt/file-info path :exists))
  (length [_] (yin.rt/file-info path :size))
  (mkdir [_] (yin.rt/file-op :mkdirs path true))
  (mkdirs [_] (yin.rt/file-op :mkdirs path true))
  (createNewFile [_] (if (yin.rt/file-info path :exists) false (do (yin.rt/spit path "" false) true)))
  (delete [_] (yin.rt/file-op :delete path true))
  (list [this] (when (. this isDirectory) (to-array (yin.rt/list-dir path))))
  (listFiles [this] (when (. this isDirectory)
                      (to-array (mapv (fn [n] (->File (join-path path n))) (yin.rt/list-dir path)))))
  (toURI [this] (str "file:" (. this getAbsolutePath)))
  (toPath [this] this))
(yin.rt/set-class! File 'java.io.File)

(deftype ^{:class java.io.FileWriter} FileWriter [buffer path appends]
  java.io.Writer
  (write [this x] (yin.rt/write buffer (if (number? x) (yin.rt/code-text x) (str x))) this)
  (append [this x] (yin.rt/write buffer (str x)) this)
  (print [_ x] (yin.rt/write buffer (str x)) nil)
  (println [_ x] (yin.rt/write buffer (str x "\n")) nil)
  (newLine [_] (yin.rt/write buffer "\n") nil)
  (flush [_]
    (yin.rt/spit path (str buffer) (yin.rt/deref appends))
    (yin.rt/buffer-clear buffer)
    (yin.rt/reset appends true)
    nil)
  (close [this] (. this flush)))

(defn -file-writer "A writer to the file of a path; it is made or emptied at once unless append is true." [path append]
  (yin.rt/spit path "" (boolean append))
  (->FileWriter (yin.rt/buffer) path (yin.rt/atom true)))

(defn -reader "A reader of a text, file or reader." [x]
  (cond
    (yin.rt/method-of x 'readLine) x
    (and (string? x)) (yin.rt/string-reader (yin.rt/slurp x))
    :else (yin.rt/string-reader (slurp x))))

;; ---- constructors

(def ^:private constructors (yin.rt/atom {}))

(defn -add-constructor "f makes the instances of the class named sym." [sym f]
  (yin.rt/reset constructors (assoc (yin.rt/deref constructors) sym f)))

(defn- text-buffer
  ([] (yin.rt/buffer))
  ([x] (let [b (yin.rt/buffer)]
         (when-not (number? x) (yin.rt/write b (str x)))
         b)))

(defn- make-string
  ([] "")
  ([x] (cond (string? x) x
             (yin.rt/buffer? x) (str x)
             (and (yin.rt/array? x) (= :byte (yin.rt/array-type x))) (yin.rt/utf8-text x)
             (yin.rt/array? x) (apply str (seq x))
             :else (yin.rt/raise :type (str (pr-str (class x)) " cannot be made into a string"))))
  ([x _charset] (make-string x))
  ([x from n] (subs (make-string x) from (+ from n))))

(run! (fn [[names f]] (run! (fn [n] (-add-constructor n f)) names))
  [['[java.lang.StringBuilder java.lang.StringBuffer java.io.StringWriter] text-buffer]
   ['[java.lang.String] make-string]
   ['[java.lang.Object] (fn [] (yin.rt/new-instance Object))]
   ['[java.lang.Long java.lang.Integer java.lang.Short java.lang.Byte]
    (fn [x] (if (string? x) (Long/parseLong x) (long x)))]
   ['[java.lang.Double java.lang.Float] (fn [x] (if (string? x) (Double/parseDouble x) (double x)))]
   ['[java.lang.Boolean] (fn [x] (= "true" (str x)))]
   ['[java.math.BigInteger] (fn [x] (bigint x))]
   ['[java.math.BigDecimal] (fn [x] (bigdec x))]
   ['[java.util.Date] (fn ([] (yin.rt/inst-of (System/currentTimeMillis))) ([ms] (yin.rt/inst-of ms)))]
   ['[java.util.UUID] (fn [h l] (yin.rt/uuid-of h l))]
   ['[java.io.File] (fn ([p] (->File (str p))) ([a b] (->File (join-path (str a) (str b)))))]
   ['[java.io.StringReader] (fn [s] (yin.rt/string-reader s))]
   ['[java.io.BufferedReader java.io.PushbackReader clojure.lang.LineNumberingPushbackReader java.io.InputStreamReader]
    (fn [r & _] (-reader r))]
   ['[java.io.FileReader] (fn [f] (yin.rt/string-reader (yin.rt/slurp (str f))))]
   ['[java.io.FileWriter] (fn ([f] (-file-writer (str f) false)) ([f append] (-file-writer (str f) append)))]
   ['[java.io.BufferedWriter java.io.PrintWriter] (fn [w & _] w)]
   ['[java.util.ArrayList java.util.LinkedList java.util.ArrayDeque java.util.Vector java.util.Stack]
    (fn ([] (->MutableList (yin.rt/atom [])))
        ([x] (->MutableList (yin.rt/atom (if (number? x) [] (vec (seq x)))))))]
   ['[java.util.HashMap java.util.LinkedHashMap java.util.concurrent.ConcurrentHashMap]
    (fn ([] (->MutableMap (yin.rt/atom {})))
        ([x & _] (->MutableMap (yin.rt/atom (if (number? x) {} (into {} (seq x)))))))]
   ['[java.util.TreeMap] (fn ([] (->MutableMap (yin.rt/atom (sorted-map))))
                             ([x] (->MutableMap (yin.rt/atom (if (fn? x) (sorted-map-by x) (into (sorted-map) (seq x)))))))]
   ['[java.util.HashSet java.util.LinkedHashSet]
    (fn ([] (->MutableSet (yin.rt/atom #{})))
        ([x] (->MutableSet (yin.rt/atom (if (number? x) #{} (set (seq x)))))))]
   ['[java.util.TreeSet] (fn ([] (->MutableSet (yin.rt/atom (sorted-set))))
                             ([x] (->MutableSet (yin.rt/atom (into (sorted-set) (seq x))))))]
   ['[java.util.concurrent.atomic.AtomicLong java.util.concurrent.atomic.AtomicInteger]
    (fn ([] (->AtomicCell (yin.rt/atom 0))) ([n] (->AtomicCell (yin.rt/atom n))))]
   ['[java.util.concurrent.atomic.AtomicReference]
    (fn ([] (->AtomicCell (yin.rt/atom nil))) ([x] (->AtomicCell (yin.rt/atom x))))]
   ['[clojure.lang.MapEntry] (fn [k v] (yin.rt/map-entry k v))]])

(defn- new-exception
  "An exception of a class by name; its kind follows from the class."
  [sym args]
  (case (count args)
    0 (yin.rt/make-exception sym nil nil nil nil)
    1 (if (or (string? (first args)) (nil? (first args)))
        (yin.rt/make-exception sym (first args) nil nil nil)
        (if (yin.rt/exception? (first args))
          (yin.rt/make-exception sym (str (first args)) nil (first args) nil)
          (yin.rt/make-exception sym (str (first args)) nil nil nil)))
    2 (if (= sym 'clojure.lang.ExceptionInfo)
        (ex-info (first args) (second args))
        (yin.rt/make-exception sym (first args) nil (second args) nil))
    3 (ex-info (first args) (second args) (nth args 2))
    (yin.rt/raise :no-method (str "No matching ctor found for class " sym))))

(intern 'yin.rt 'new
  (fn [sym & args]
    (if-let [f (get (yin.rt/deref constructors) sym)]
      (apply f args)
      (let [c (yin.rt/class sym)]
        (if (contains? (set (yin.rt/class-ancestors c)) Throwable)
          (new-exception sym args)
          (if (= sym 'java.lang.Throwable)
            (new-exception sym args)
            (yin.rt/raise :no-method (str "No matching ctor found for class " sym))))))))

;; ---- methods

(defn- index-in [coll x]
  (loop [i 0 s (seq coll)]
    (if s (if (= x (first s)) i (recur (inc i) (next s))) -1)))

(defn- collection-method [c m args none]
  (let [[a b] args
        n (count args)]
    (case n
      0 (case m
          (size count length) (count c)
          isEmpty (empty? c)
          seq (seq c)
          first (first c)
          (rest more) (rest c)
          next (next c)
          iterator (-iterator c)
          keySet (set (keys c))
          values (or (vals c) ())
          entrySet (set (seq c))
          (getKey key) (key c)
          (getValue val) (val c)
          toArray (to-array c)
          peek (peek c)
          pop (pop c)
          empty (empty c)
          meta (meta c)
          getFirst (first c)
          rseq (rseq c)
          stream c
          none)
      1 (case m
          get (if (or (map? c) (set? c)) (get c a) (nth c a))
          (nth elementAt) (nth c a)
          valAt (get c a)
          containsKey (contains? c a)
          contains (if (or (set? c)) (contains? c a) (not (neg? (index-in c a))))
          containsValue (boolean (some (fn [v] (= v a)) (vals c)))
          containsAll (every? (fn [x] (some (fn [y] (= x y)) c)) a)
          indexOf (index-in c a)
          lastIndexOf (let [i (index-in (reverse c) a)] (if (neg? i) -1 (- (count c) i 1)))
          (cons conj) (conj c a)
          entryAt (find c a)
          without (dissoc c a)
          disjoin (disj c a)
          equiv (= c a)
          withMeta (with-meta c a)
          forEach (run! a c)
          invoke (c a)
          none)
      2 (case m
          (get valAt getOrDefault) (get c a b)
          nth (nth c a b)
          (assoc assocN) (assoc c a b)
          subList (subvec (vec c) a b)
          invoke (c a b)
          none)
      none)))

(defn- number-method [x m args none]
  (let [[a] args]
    (case m
      (intValue longValue) (long x)
      (shortValue byteValue) (long x)
      (doubleValue floatValue) (double x)
      compareTo (compare x a)
      add (+ x a)
      subtract (- x a)
      multiply (* x a)
      divide (/ x a)
      (mod) (mod x a)
      (remainder) (rem x a)
      negate (- x)
      abs (abs x)
      signum (compare x 0)
      gcd (yin.rt/gcd x a)
      pow (reduce *' (repeat a x))
      isNaN (NaN? x)
      isInfinite (infinite? x)
      bitLength (loop [n 0 v (if (neg? x) (- (inc x)) x)] (if (zero? v) n (recur (inc n) (quot v 2))))
      toBigInteger (bigint x)
      none)))

(defn- exception-method [e m args none]
  (case m
    (getMessage getLocalizedMessage) (ex-message e)
    getCause (ex-cause e)
    getData (ex-data e)
    getStackTrace (to-array [])
    printStackTrace (do (emit *err* (str e "\n")) nil)
    setStackTrace nil
    fillInStackTrace e
    initCause (yin.rt/set-cause! e (first args))
    addSuppressed nil
    getSuppressed (to-array [])
    none))

(defn- buffer-method [b m args none]
  (let [text (fn [s] (yin.rt/buffer-clear b) (yin.rt/write b s) b)
        [x y z] args]
    (case m
      (append write) (do (yin.rt/write b (cond (and (= m 'write) (number? x)) (yin.rt/code-text x)
                                               (nil? x) "null"
                                               (and z (number? y)) (subs (str x) y z)
                                               :else (str x)))
                         b)
      (print) (do (yin.rt/write b (str x)) nil)
      (println) (do (yin.rt/write b (str x "\n")) nil)
      (flush close) nil
      getBuffer b
      length (count (str b))
      charAt (. (str b) charAt x)
      indexOf (. (str b) indexOf x)
      substring (if y (subs (str b) x y) (subs (str b) x))
      reverse (text (apply str (reverse (str b))))
      insert (text (str (subs (str b) 0 x) y (subs (str b) x)))
      setLength (do (text (let [s (str b)]
                            (if (<= x (count s)) (subs s 0 x) (str s (apply str (repeat (- x (count s)) (char 0)))))))
                    nil)
      deleteCharAt (text (str (subs (str b) 0 x) (subs (str b) (inc x))))
      delete (text (str (subs (str b) 0 x) (subs (str b) (min y (count (str b))))))
      setCharAt (do (text (str (subs (str b) 0 x) y (subs (str b) (inc x)))) nil)
      isEmpty (= "" (str b))
      none)))

(defn- name-method [x m args none]
  (case m
    getName (name x)
    getNamespace (namespace x)
    sym (symbol x)
    compareTo (compare x (first args))
    invoke (apply x args)
    none))

(defn- reference-method [r m args none]
  (case m
    deref (yin.rt/deref r)
    reset (reset! r (first args))
    swap (apply swap! r args)
    compareAndSet (apply compare-and-set! r args)
    isBound (bound? r)
    addWatch (apply add-watch r args)
    getWatches (yin.rt/cell-get r 2)
    invoke (apply (yin.rt/deref r) args)
    none))

(defn- pattern-method [p m args none]
  (case m
    pattern (str p)
    matcher (re-matcher p (first args))
    split (to-array (yin.rt/split (first args) p 0))
    none))

(defn- class-method [c m args none]
  (case m
    (getName getTypeName getCanonicalName) (str (yin.rt/type-symbol c))
    getSimpleName (let [n (str (yin.rt/type-symbol c))] (last (yin.rt/split n #"[.$]" 0)))
    isInstance (instance? c (first args))
    cast (cast c (first args))
    getSuperclass (first (bases c))
    isAssignableFrom (isa? (first args) c)
    isArray false
    none))

(defn- text-method [s m args none]
  (let [[a b] args]
    (case m
      (strip) (yin.rt/trim s)
      equalsIgnoreCase (= (yin.rt/lower-case s) (if (string? a) (yin.rt/lower-case a) a))
      compareTo (compare s a)
      compareToIgnoreCase (compare (yin.rt/lower-case s) (yin.rt/lower-case a))
      concat (str s a)
      replace (yin.rt/replace s a b false)
      replaceAll (yin.rt/replace s (re-pattern a) b false)
      replaceFirst (yin.rt/replace s (re-pattern a) b true)
      matches (some? (re-matches (re-pattern a) s))
      split (to-array (yin.rt/split s (re-pattern a) (or b 0)))
      lines (yin.rt/split s #"\r?\n" 0)
      toCharArray (char-array s)
      getBytes (yin.rt/utf8-bytes s)
      intern s
      codePointAt (int (. s charAt a))
      (chars codePoints) (map int s)
      contentEquals (= s (str a))
      format (apply format s args)
      none)))

(defn- matcher-method [mt m args none]
  (case m
    find (some? (re-find mt))
    matches (yin.rt/matcher-matches mt)
    group (let [g (re-groups mt)]
            (if (vector? g) (nth g (or (first args) 0)) g))
    groupCount (let [g (re-groups mt)] (if (vector? g) (dec (count g)) 0))
    none))

(defn -method
  "The result of calling method m of target, which is no instance of a program's type. Asked by the machine."
  [target m & args]
  (let [none ::none
        r (cond
            (nil? target) (yin.rt/raise :type (str "Cannot invoke method " m " of nil"))
            (string? target) (text-method target m args none)
            (number? target) (number-method target m args none)
            (yin.rt/exception? target) (exception-method target m args none)
            (coll? target) (collection-method target m args none)
            (yin.rt/buffer? target) (buffer-method target m args none)
            (ident? target) (name-method target m args none)
            (class? target) (class-method target m args none)
            (char? target) (case m charValue target compareTo (compare target (first args)) none)
            (or (yin.rt/atom? target) (var? target) (volatile? target) (yin.rt/ref? target) (delay? target))
            (reference-method target m args none)
            (fn? target) (case m (invoke call run) (apply target args) applyTo (apply target (first args))
                               compare (let [r (apply target args)] (cond (number? r) r r -1 :else 0))
                               apply (apply target args) none)
            (yin.rt/regex? target) (pattern-method target m args none)
            (inst? target) (case m getTime (inst-ms target)
                                 before (neg? (compare target (first args)))
                                 after (pos? (compare target (first args)))
                                 toInstant target none)
            (instance? java.util.regex.Matcher target) (matcher-method target m args none)
            (yin.rt/sink? target) (case m (write append print) (do (yin.rt/write target (str (first args))) nil)
                                        println (do (yin.rt/write target (str (first args) "\n")) nil)
                                        (flush close) (yin.rt/flush) none)
            :else none)]
    (if (identical? r none)
      (case m
        toString (if (seq args) (no-method target m args) (str target))
        equals (= target (first args))
        hashCode (hash target)
        getClass (class target)
        charValue (if (char? target) target (no-method target m args))
        booleanValue (if (boolean? target) target (no-method target m args))
        get (if (yin.rt/array? target) (aget target (first args)) (no-method target m args))
        meta (meta target)
        withMeta (with-meta target (first args))
        clone (if (yin.rt/array? target) (aclone target) (no-method target m args))
        (no-method target m args))
      r)))

;; ---- statics

(defn- statics [class m]
  (create-ns class)
  (reduce-kv (fn [_ k v] (intern class k v) nil) nil m))

(defn- within [lo hi x]
  (if (<= lo x hi) x (throw (ArithmeticException. "integer overflow"))))
(defn- parse-int
  ([s] (parse-int s 10))
  ([s radix]
   (let [n (Long/parseLong s radix)]
     (if (<= -2147483648 n 2147483647)
       n
       (throw (NumberFormatException. (str "For input string: \"" s "\"")))))))
(defn- int-text [n radix] (if (neg? n) (yin.rt/bits-text (bit-and n 4294967295) radix) (yin.rt/bits-text n radix)))
(defn- bit-count [n] (loop [n n c 0] (if (zero? n) c (recur (bit-and n (unchecked-dec n)) (inc c)))))
(defn- leading-zeros [n bits]
  (loop [i (dec bits) c 0] (if (or (neg? i) (bit-test n i)) c (recur (dec i) (inc c)))))
(defn- trailing-zeros [n bits]
  (loop [i 0] (if (or (= i bits) (bit-test n i)) i (recur (inc i)))))

(statics 'Math
  {'PI 3.141592653589793 'E 2.718281828459045
   'abs abs 'max max 'min min 'random (fn [] (rand))
   'sqrt clojure.math/sqrt 'cbrt clojure.math/cbrt 'pow clojure.math/pow 'exp clojure.math/exp 'log clojure.math/log
   'log10 clojure.math/log10 'log1p clojure.math/log1p 'expm1 clojure.math/expm1
   'sin clojure.math/sin 'cos clojure.math/cos 'tan clojure.math/tan 'asin clojure.math/asin 'acos clojure.math/acos
   'atan clojure.math/atan 'atan2 clojure.math/atan2 'sinh clojure.math/sinh 'cosh clojure.math/cosh 'tanh clojure.math/tanh
   'floor clojure.math/floor 'ceil clojure.math/ceil 'rint clojure.math/rint 'round clojure.math/round
   'hypot clojure.math/hypot 'signum clojure.math/signum 'toRadians clojure.math/to-radians 'toDegrees clojure.math/to-degrees
   'floorDiv clojure.math/floor-div 'floorMod clojure.math/floor-mod
   'addExact (fn [a b] (+ a b)) 'subtractExact (fn [a b] (- a b)) 'multiplyExact (fn [a b] (* a b))
   'incrementExact (fn [a] (inc a)) 'decrementExact (fn [a] (dec a)) 'negateExact (fn [a] (- a))
   'toIntExact (fn [a] (within -2147483648 2147483647 a))
   'fma (fn [a b c] (+ (* a b) c))})

(let [common {'compare (fn [a b] (compare a b)) 'signum (fn [a] (compare a 0)) 'sum (fn [a b] (+ a b)) 'max max 'min min
              'hashCode (fn [a] (hash a))}]
  (statics 'Long
    (merge common
      {'MAX_VALUE 9223372036854775807 'MIN_VALUE -9223372036854775808 'SIZE 64 'BYTES 8
       'valueOf (fn ([x] (if (string? x) (Long/parseLong x) (long x))) ([s r] (Long/parseLong s r)))
       'toString (fn ([n] (str n)) ([n r] (yin.rt/radix-text n r)))
       'toBinaryString (fn [n] (yin.rt/bits-text n 2)) 'toHexString (fn [n] (yin.rt/bits-text n 16))
       'toOctalString (fn [n] (yin.rt/bits-text n 8))
       'bitCount bit-count
       'numberOfLeadingZeros (fn [n] (leading-zeros n 64)) 'numberOfTrailingZeros (fn [n] (trailing-zeros n 64))
       'highestOneBit (fn [n] (if (zero? n) 0 (bit-shift-left 1 (- 63 (leading-zeros n 64)))))
       'lowestOneBit (fn [n] (bit-and n (unchecked-negate n)))
       'rotateLeft (fn [n d] (bit-or (bit-shift-left n d) (unsigned-bit-shift-right n (- 64 d))))
       'rotateRight (fn [n d] (bit-or (unsigned-bit-shift-right n d) (bit-shift-left n (- 64 d))))
       'reverse (fn [n] (reduce (fn [acc i] (if (bit-test n i) (bit-set acc (- 63 i)) acc)) 0 (range 64)))}))
  (statics 'Integer
    (merge common
      {'MAX_VALUE 2147483647 'MIN_VALUE -2147483648 'SIZE 32 'BYTES 4
       'parseInt parse-int
       'valueOf (fn ([x] (if (string? x) (parse-int x) (int x))) ([s r] (parse-int s r)))
       'toString (fn ([n] (str n)) ([n r] (yin.rt/radix-text n r)))
       'toBinaryString (fn [n] (int-text n 2)) 'toHexString (fn [n] (int-text n 16)) 'toOctalString (fn [n] (int-text n 8))
       'bitCount (fn [n] (bit-count (bit-and n 4294967295)))
       'numberOfLeadingZeros (fn [n] (leading-zeros n 32)) 'numberOfTrailingZeros (fn [n] (trailing-zeros n 32))})))
(statics 'Short {'MAX_VALUE 32767 'MIN_VALUE -32768 'parseShort parse-int})
(statics 'Byte {'MAX_VALUE 127 'MIN_VALUE -128 'parseByte parse-int})
(statics 'Double
  {'MAX_VALUE 1.7976931348623157E308 'MIN_VALUE (yin.rt/bits-double 1) 'POSITIVE_INFINITY ##Inf 'NEGATIVE_INFINITY ##-Inf 'NaN ##NaN
   'isNaN (fn [x] (NaN? x)) 'isInfinite (fn [x] (infinite? x)) 'isFinite (fn [x] (not (or (NaN? x) (infinite? x))))
   'valueOf (fn [x] (if (string? x) (Double/parseDouble x) (double x)))
   'toString (fn [x] (str (double x))) 'compare (fn [a b] (compare a b))
   'doubleToLongBits yin.rt/double-bits 'doubleToRawLongBits yin.rt/double-bits 'longBitsToDouble yin.rt/bits-double})
(statics 'Float {'MAX_VALUE 3.4028234663852886E38 'MIN_VALUE 1.401298464324817E-45 'valueOf (fn [x] (float (if (string? x) (Double/parseDouble x) x)))})
(statics 'Boolean {'TRUE true 'FALSE false
                   'parseBoolean (fn [s] (and (string? s) (= "true" (yin.rt/lower-case s))))
                   'valueOf (fn [x] (if (string? x) (= "true" (yin.rt/lower-case x)) x))
                   'toString (fn [x] (str x)) 'logicalXor (fn [a b] (not= a b))})
(statics 'Character {'MAX_VALUE (char 65535) 'MIN_VALUE (char 0)
                     'isSpaceChar (fn [c] (= c \space)) 'toString (fn [c] (str c)) 'valueOf (fn [c] c)
                     'toChars (fn [n] (char-array (yin.rt/code-text n)))
                     'forDigit (fn [d r] (if (< -1 d r) (. "0123456789abcdefghijklmnopqrstuvwxyz" charAt d) (char 0)))
                     'compare (fn [a b] (- (int a) (int b)))})
(statics 'String {'valueOf (fn [x] (if (nil? x) "null" (if (yin.rt/array? x) (apply str (seq x)) (str x))))
                  'join (fn [sep & xs] (yin.rt/join (str sep) (if (and (= 1 (count xs)) (not (string? (first xs))))
                                                                (vec (seq (first xs)))
                                                                (vec xs))))
                  'copyValueOf (fn [a] (apply str (seq a)))})
(statics 'System
  {'getProperty (fn ([k] (yin.rt/property k)) ([k default] (or (yin.rt/property k) default)))
   'getProperties (fn [] {})
   'lineSeparator (fn [] "\n")
   'identityHashCode (fn [x] (hash x))
   'out 1 'err 2
   'arraycopy (fn [from i to j n] (dotimes [k n] (aset to (+ j k) (aget from (+ i k)))))})
(statics 'Thread {'sleep (fn ([ms] (-sleep ms)) ([ms _nanos] (-sleep ms)))
                  'currentThread (fn [] nil) 'yield (fn [] nil) 'interrupted (fn [] false)})
(statics 'UUID {'randomUUID random-uuid 'fromString (fn [s] (or (parse-uuid s) (yin.rt/raise :argument (str "Invalid UUID string: " s))))})
(statics 'MapEntry {'create yin.rt/map-entry})
(statics 'PersistentQueue {'EMPTY (yin.rt/queue)})
(statics 'PersistentHashMap {'EMPTY {}})
(statics 'PersistentVector {'EMPTY [] 'create vec})
(statics 'PersistentList {'EMPTY ()})
(statics 'Pattern {'compile (fn ([s] (re-pattern s)) ([s _flags] (re-pattern s))) 'quote yin.rt/re-quote
                   'matches (fn [re s] (some? (re-matches (re-pattern re) s)))})
(statics 'Matcher {'quoteReplacement (fn [s] (yin.rt/replace (yin.rt/replace s "\\" "\\\\" false) "$" "\\$" false))})
(statics 'Instant {'now (fn [] (yin.rt/inst-of (System/currentTimeMillis)))})
(statics 'Arrays {'asList (fn [& xs] (vec xs)) 'toString (fn [a] (str "[" (yin.rt/join ", " (vec (seq a))) "]"))
                  'equals (fn [a b] (= (seq a) (seq b))) 'fill (fn [a x] (dotimes [i (alength a)] (aset a i x)))
                  'sort (fn [a] (sort a) nil) 'copyOf (fn [a n] (let [b (aclone a)] (into-array (take n (concat (seq b) (repeat nil))))))})
(statics 'Collections {'emptyList (fn [] ()) 'emptyMap (fn [] {}) 'sort (fn [l] (let [v (vec (sort (seq l)))] (. l clear) (. l addAll v) nil))
                       'reverse (fn [l] (let [v (vec (reverse (seq l)))] (. l clear) (. l addAll v) nil))})
(statics 'Objects {'equals = 'hash (fn [& xs] (hash xs)) 'isNull nil? 'nonNull some?})
(statics 'BigInteger {'ONE 1N 'ZERO 0N 'TEN 10N 'TWO 2N 'valueOf bigint})
(statics 'BigDecimal {'ONE 1M 'ZERO 0M 'TEN 10M 'valueOf bigdec})
(statics 'File {'separator "/" 'separatorChar \/ 'pathSeparator ":"
                'createTempFile (fn [prefix suffix & _]
                                  (let [f (->File (str "/tmp/" prefix (rand-int 1000000000) suffix))]
                                    (. f createNewFile)
                                    f))})
(statics 'Reflector {})
(statics 'RT {'count count 'nth nth 'get get 'seq seq})
(statics 'Numbers {'add + 'multiply * 'minus -})
(statics 'TimeUnit {'MILLISECONDS :milliseconds 'SECONDS :seconds})
