;; Channels and go blocks. Go blocks are green threads: an operation that must wait parks the whole continuation, wherever in
;; the code it stands, so <! works in functions that a go block calls. In the main program <!! and <! wait by running tasks.
(ns clojure.core.async
  (:refer-clojure :exclude [reduce transduce into merge map take partition partition-by]))

;; ---- buffers: persistent queues with a rule for what happens when they are full

(deftype Buffer [kind n])

(defn buffer "A buffer of n values." [n] (->Buffer :fixed n))
(defn dropping-buffer "A buffer of n values; when it is full, what is put is dropped." [n] (->Buffer :dropping n))
(defn sliding-buffer "A buffer of n values; when it is full, the oldest is dropped." [n] (->Buffer :sliding n))
(defn- promise-buffer [] (->Buffer :promise 1))
(defn unblocking-buffer? "Does putting into the buffer never wait?" [b] (not= :fixed (.-kind b)))

;; ---- channels

(deftype Channel [buffer                            ; Buffer or nil
                  ^:unsynchronized-mutable items    ; queue of values
                  ^:unsynchronized-mutable takers   ; queue of [flag f]: f gets the value
                  ^:unsynchronized-mutable putters  ; queue of [flag value f]: f gets true or false
                  ^:unsynchronized-mutable closed
                  ^:unsynchronized-mutable add]     ; reducing function into items
  Object
  (getItems [_] items)
  (setItems [_ q] (set! items q))
  (getTakers [_] takers)
  (setTakers [_ q] (set! takers q))
  (getPutters [_] putters)
  (setPutters [_ q] (set! putters q))
  (isClosed [_] closed)
  (setClosed [_] (set! closed true))
  (getAdd [_] add)
  (setAdd [_ f] (set! add f)))

(def ^:private empty-queue clojure.lang.PersistentQueue/EMPTY)

;; A flag is an atom that is true while its operation may still happen; the operations of one alts share one.
(defn- new-flag [] (atom true))
(defn- live? [entry] @(nth entry 0))
(defn- claim! [entry] (reset! (nth entry 0) false))

(defn- full? [^Channel ch]
  (let [b (.-buffer ch)]
    (and (= :fixed (.-kind b)) (>= (count (.getItems ch)) (.-n b)))))

(defn- add-item [^Channel ch x]
  (let [b (.-buffer ch)
        items (.getItems ch)
        n (.-n b)]
    (case (.-kind b)
      :fixed (.setItems ch (conj items x))
      :dropping (when (< (count items) n) (.setItems ch (conj items x)))
      :sliding (.setItems ch (conj (if (>= (count items) n) (pop items) items) x))
      :promise (when (zero? (count items)) (.setItems ch (conj items x))))
    ch))

(defn- adder
  "The reducing function that puts values into a channel's buffer, through a transducer."
  [xform ex-handler]
  (let [rf (fn
             ([ch] ch)
             ([ch x] (add-item ch x)))
        rf (if xform (xform rf) rf)]
    (if ex-handler
      (fn
        ([ch] (try (rf ch) (catch Throwable e (let [v (ex-handler e)] (when (some? v) (add-item ch v)) ch))))
        ([ch x] (try (rf ch x) (catch Throwable e (let [v (ex-handler e)] (when (some? v) (add-item ch v)) ch)))))
      rf)))

(defn chan
  "A channel: without a buffer, with one of a size, or with a given one; values go through transducer xform if there is one."
  ([] (chan nil))
  ([buf-or-n] (chan buf-or-n nil))
  ([buf-or-n xform] (chan buf-or-n xform nil))
  ([buf-or-n xform ex-handler]
   (let [b (cond (number? buf-or-n) (when (pos? buf-or-n) (buffer buf-or-n))
                 :else buf-or-n)]
     (when (and xform (nil? b))
       (throw (AssertionError. "Assert failed: buffer must be supplied when transducer is")))
     (->Channel b empty-queue empty-queue empty-queue false (adder xform ex-handler)))))

(defn promise-chan
  "A channel that gives its first value to everybody."
  ([] (promise-chan nil))
  ([xform] (promise-chan xform nil))
  ([xform ex-handler] (chan (promise-buffer) xform ex-handler)))

(defn- pop-live
  "[first live entry or nil, queue behind it]."
  [q]
  (loop [q q]
    (if-let [e (peek q)]
      (if (live? e) [e (pop q)] (recur (pop q)))
      [nil q])))

(defn- next-taker [ch]
  (let [[e q] (pop-live (.getTakers ch))]
    (.setTakers ch q)
    e))
(defn- next-putter [ch]
  (let [[e q] (pop-live (.getPutters ch))]
    (.setPutters ch q)
    e))

(defn- take-item [ch]
  (let [items (.getItems ch)
        x (peek items)]
    (when-not (= :promise (.-kind (.-buffer ch)))
      (.setItems ch (pop items)))
    x))

(defn- serve-takers
  "Gives buffered values to waiting takers."
  [ch]
  (loop []
    (when (pos? (count (.getItems ch)))
      (when-let [t (next-taker ch)]
        (claim! t)
        ((nth t 1) (take-item ch))
        (recur)))))

(defn close!
  "Closes a channel: what is in it can still be taken, then takes give nil."
  [ch]
  (when-not (.isClosed ch)
    (.setClosed ch)
    (when (.-buffer ch)
      ((.getAdd ch) ch)
      (serve-takers ch))
    (loop []
      (when-let [t (next-taker ch)]
        (claim! t)
        ((nth t 1) nil)
        (recur))))
  nil)

(defn- buffer-put
  "Puts a value into the buffer, which has room."
  [ch x]
  (when (reduced? ((.getAdd ch) ch x))
    (close! ch))
  (serve-takers ch))

(defn- refill
  "Moves values of waiting putters into a buffer with room."
  [ch]
  (when (.-buffer ch)
    (loop []
      (when (and (not (full? ch)) (not (.isClosed ch)))
        (when-let [p (next-putter ch)]
          (claim! p)
          (buffer-put ch (nth p 1))
          ((nth p 2) true)
          (recur))))))

(defn- try-take
  "[value] if one can be taken at once (nil of a closed channel), else nil."
  [ch]
  (cond
    (pos? (count (.getItems ch)))
    (let [x (take-item ch)]
      (refill ch)
      [x])
    (nil? (.-buffer ch))
    (if-let [p (next-putter ch)]
      (do (claim! p)
          ((nth p 2) true)
          [(nth p 1)])
      (when (.isClosed ch) [nil]))
    :else
    (do (refill ch)
        (cond
          (pos? (count (.getItems ch))) (let [x (take-item ch)] (refill ch) [x])
          (.isClosed ch) [nil]
          :else nil))))

(defn- try-put
  "[true] if the value could be put at once, [false] if the channel is closed, else nil."
  [ch x]
  (when (nil? x)
    (throw (IllegalArgumentException. "Can't put nil on a channel")))
  (cond
    (.isClosed ch) [false]
    (.-buffer ch) (when-not (full? ch)
                    (buffer-put ch x)
                    [true])
    :else (when-let [t (next-taker ch)]
            (claim! t)
            ((nth t 1) x)
            [true])))

(def ^:private most-waiting 1024)

(defn- wait-take [ch entry]
  (when (>= (count (.getTakers ch)) most-waiting)
    (throw (AssertionError. (str "Assert failed: No more than " most-waiting " pending takes are allowed on a single channel."))))
  (.setTakers ch (conj (.getTakers ch) entry)))
(defn- wait-put [ch entry]
  (when (>= (count (.getPutters ch)) most-waiting)
    (throw (AssertionError. (str "Assert failed: No more than " most-waiting " pending puts are allowed on a single channel. Consider using a windowed buffer."))))
  (.setPutters ch (conj (.getPutters ch) entry)))

(defn <!
  "Takes a value, waiting for one; nil if the channel is closed."
  [ch]
  (if-let [r (try-take ch)]
    (nth r 0)
    (clojure.core/-wait (fn [wake]
                          (let [flag (new-flag)]
                            (wait-take ch [flag wake])
                            (fn [] (reset! flag false)))))))

(defn >!
  "Puts a value, waiting for room; false if the channel is closed."
  [ch x]
  (if-let [r (try-put ch x)]
    (nth r 0)
    (clojure.core/-wait (fn [wake]
                          (let [flag (new-flag)]
                            (wait-put ch [flag x wake])
                            (fn [] (reset! flag false)))))))

(defn <!! "Takes a value, waiting for one; nil if the channel is closed." [ch] (<! ch))
(defn >!! "Puts a value, waiting for room; false if the channel is closed." [ch x] (>! ch x))

(defn poll! "A value if there is one, else nil." [ch] (when-let [r (try-take ch)] (nth r 0)))
(defn offer! "Puts a value if there is room: true; nil otherwise." [ch x] (when-let [r (try-put ch x)] (nth r 0)))

(defn take!
  "Calls f with a value of the channel, when there is one."
  ([ch f] (take! ch f true))
  ([ch f _on-caller?]
   (if-let [r (try-take ch)]
     (f (nth r 0))
     (wait-take ch [(new-flag) (fn [v] (clojure.core/-soon (fn [] (f v))))]))
   nil))

(defn put!
  "Puts a value, and calls f with whether that could be done, when there is room. False if the channel is closed."
  ([ch x] (put! ch x (fn [_] nil)))
  ([ch x f] (put! ch x f true))
  ([ch x f _on-caller?]
   (if-let [r (try-put ch x)]
     (do (f (nth r 0)) (nth r 0))
     (do (wait-put ch [(new-flag) x (fn [v] (clojure.core/-soon (fn [] (f v))))])
         true))))

(defn timeout
  "A channel that closes after ms milliseconds."
  [ms]
  (let [ch (chan)]
    (clojure.core/-after ms (fn [] (close! ch)))
    ch))

;; ---- alternatives

(defn- try-port [port]
  (if (vector? port)
    (when-let [r (try-put (nth port 0) (nth port 1))] [(nth r 0) (nth port 0)])
    (when-let [r (try-take port)] [(nth r 0) port])))

(defn alts!
  "Does one of several operations, channels to take from and [channel value] to put: [result channel]. Options: :priority true
  tries them in order, :default is the result if none can be done at once."
  [ports & {:as opts}]
  (when (empty? ports)
    (throw (AssertionError. "Assert failed: alts must have at least one channel operation")))
  (let [order (if (:priority opts) ports (shuffle ports))
        now (some try-port order)]
    (cond
      now now
      (contains? opts :default) [(:default opts) :default]
      :else
      (clojure.core/-wait
        (fn [wake]
          (let [flag (new-flag)]
            (doseq [port order]
              (if (vector? port)
                (wait-put (nth port 0) [flag (nth port 1) (fn [ok] (wake [ok (nth port 0)]))])
                (wait-take port [flag (fn [v] (wake [v port]))])))
            (fn [] (reset! flag false))))))))

(defn alts!! "alts!, for the main program." [ports & {:as opts}] (apply alts! ports (mapcat identity opts)))
(defn do-alts "alts! with a callback." [f ports opts]
  (f (apply alts! ports (mapcat identity opts))))

(defmacro alt!
  "Does one of several operations; clauses are a channel, or a vector of channels and [[channel value]] puts, each with a result
  expression or ([value channel] body)."
  [& clauses]
  (let [pairs (clojure.core/partition 2 clauses)
        options (clojure.core/into {} (filter (fn [[k _]] (keyword? k)) pairs))
        branches (remove (fn [[k _]] (keyword? k)) pairs)
        v (gensym "value__")
        c (gensym "channel__")
        rows (mapcat (fn [[ports result]]
                       (clojure.core/map (fn [port] [port (gensym "port__") result])
                                         (if (vector? ports) ports [ports])))
                     branches)
        put? (fn [port] (vector? port))]
    `(let [~@(mapcat (fn [[port g _]] [g (if (put? port) `[~(first port) ~(second port)] port)]) rows)
           [~v ~c] (alts! [~@(clojure.core/map second rows)]
                          ~@(when (contains? options :priority) [:priority (:priority options)])
                          ~@(when (contains? options :default) [:default ::default]))]
       (cond
         ~@(mapcat (fn [[port g result]]
                     [(if (put? port) `(identical? ~c (nth ~g 0)) `(identical? ~c ~g))
                      (if (and (seq? result) (vector? (first result)))
                        `(let [~(first result) [~v ~c]] ~@(rest result))
                        result)])
                   rows)
         ~@(when (contains? options :default) [:else (:default options)])))))

(defmacro alt!! "alt!, for the main program." [& clauses] `(alt! ~@clauses))

;; ---- processes

(defn -go
  "What go does: runs f as a task; a channel that gets its value and closes."
  [f]
  (let [out (chan 1)
        f (bound-fn* f)]
    (clojure.core/-soon
      (fn []
        (clojure.core/-run-task
          (fn []
            (try
              (let [v (f)]
                (when (some? v) (put! out v)))
              (catch Throwable e
                (binding [*out* *err*] (println (str "Exception in a go block: " e))))
              (finally (close! out)))))))
    out))

(defmacro go "Runs body as a task; a channel that gets its value." [& body] `(-go (fn [] ~@body)))
(defmacro go-loop "(go (loop …))." [bindings & body] `(go (loop ~bindings ~@body)))
(defmacro thread "Runs body as a task; a channel that gets its value." [& body] `(-go (fn [] ~@body)))
(defn thread-call "Runs f as a task; a channel that gets its value." [f] (-go f))

;; ---- channels and collections

(defn onto-chan!
  "Puts the elements of coll, then closes the channel unless close? is false; a channel that closes when that is done."
  ([ch coll] (onto-chan! ch coll true))
  ([ch coll close?]
   (go-loop [s (seq coll)]
     (if (and s (>! ch (first s)))
       (recur (next s))
       (when close? (close! ch))))))
(defn onto-chan!! "onto-chan!." ([ch coll] (onto-chan! ch coll)) ([ch coll close?] (onto-chan! ch coll close?)))
(defn onto-chan "onto-chan!." ([ch coll] (onto-chan! ch coll)) ([ch coll close?] (onto-chan! ch coll close?)))

(defn to-chan! "A channel of the elements of coll, closed behind them." [coll]
  (let [ch (chan (max 1 (bounded-count 100 coll)))]
    (onto-chan! ch coll)
    ch))
(defn to-chan!! "to-chan!." [coll] (to-chan! coll))
(defn to-chan "to-chan!." [coll] (to-chan! coll))

(defn reduce "A channel with the reduction of what ch gives." [f init ch]
  (go-loop [acc init]
    (let [v (<! ch)]
      (if (nil? v)
        acc
        (let [acc (f acc v)]
          (if (reduced? acc) @acc (recur acc)))))))

(defn transduce "A channel with the reduction of what ch gives, through xform." [xform f init ch]
  (let [f (xform f)]
    (go (f (<! (reduce f init ch))))))

(defn into "A channel with coll and what ch gives added to it." [coll ch] (reduce conj coll ch))

(defn take "A channel of the first n values of ch."
  ([n ch] (take n ch nil))
  ([n ch buf-or-n]
   (let [out (chan buf-or-n)]
     (go (loop [i 0]
           (when (< i n)
             (let [v (<! ch)]
               (when (some? v)
                 (>! out v)
                 (recur (inc i))))))
         (close! out))
     out)))

(defn pipe "Moves what `from` gives to `to`, closing it at the end unless close? is false; to."
  ([from to] (pipe from to true))
  ([from to close?]
   (go-loop []
     (let [v (<! from)]
       (if (nil? v)
         (when close? (close! to))
         (when (>! to v) (recur)))))
   to))

(defn- pipeline* [n to xform from close? ex-handler]
  (go-loop []
    (let [v (<! from)]
      (if (nil? v)
        (when close? (close! to))
        (let [results (try
                        (clojure.core/into [] xform [v])
                        (catch Throwable e
                          (if ex-handler
                            (let [r (ex-handler e)] (if (nil? r) [] [r]))
                            (throw e))))]
          (when (loop [rs (seq results)]
                  (if rs
                    (if (>! to (first rs)) (recur (next rs)) false)
                    true))
            (recur)))))))

(defn pipeline "Moves what `from` gives to `to`, through transducer xform, in order."
  ([n to xform from] (pipeline n to xform from true))
  ([n to xform from close?] (pipeline n to xform from close? nil))
  ([n to xform from close? ex-handler] (pipeline* n to xform from close? ex-handler)))

(defn pipeline-blocking "pipeline."
  ([n to xform from] (pipeline n to xform from true))
  ([n to xform from close?] (pipeline n to xform from close? nil))
  ([n to xform from close? ex-handler] (pipeline* n to xform from close? ex-handler)))

(defn pipeline-async
  "Calls (af value channel) for what `from` gives and moves what those channels get to `to`, in order, n at a time."
  ([n to af from] (pipeline-async n to af from true))
  ([n to af from close?]
   (let [jobs (chan n)]
     (go-loop []
       (let [v (<! from)]
         (if (nil? v)
           (close! jobs)
           (let [result (chan 1)]
             (af v result)
             (>! jobs result)
             (recur)))))
     (go-loop []
       (let [result (<! jobs)]
         (if (nil? result)
           (when close? (close! to))
           (do (loop []
                 (let [v (<! result)]
                   (when (some? v)
                     (>! to v)
                     (recur))))
               (recur))))))))

(defn split "[channel of the values for which p holds, channel of the others]."
  ([p ch] (split p ch nil nil))
  ([p ch t-buf-or-n f-buf-or-n]
   (let [yes (chan t-buf-or-n)
         no (chan f-buf-or-n)]
     (go-loop []
       (let [v (<! ch)]
         (if (nil? v)
           (do (close! yes) (close! no))
           (when (>! (if (p v) yes no) v) (recur)))))
     [yes no])))

(defn map "A channel of f of the values the channels give, taken together."
  ([f chs] (map f chs nil))
  ([f chs buf-or-n]
   (let [out (chan buf-or-n)]
     (go-loop []
       (let [vs (mapv <! chs)]
         (if (some nil? vs)
           (close! out)
           (when (>! out (apply f vs)) (recur)))))
     out)))

(defn merge "A channel of what all the channels give, as it comes."
  ([chs] (merge chs nil))
  ([chs buf-or-n]
   (let [out (chan buf-or-n)]
     (go-loop [chs (vec chs)]
       (if (pos? (count chs))
         (let [[v c] (alts! chs)]
           (if (nil? v)
             (recur (filterv (fn [x] (not (identical? x c))) chs))
             (do (>! out v) (recur chs))))
         (close! out)))
     out)))

;; ---- mult: one channel to many

(defn mult "A source of copies of what ch gives: tap makes them." [ch]
  (let [taps (atom [])
        m {::ch ch ::taps taps}]
    (go-loop []
      (let [v (<! ch)]
        (if (nil? v)
          (doseq [[c close?] @taps] (when close? (close! c)))
          (do (doseq [[c _] @taps]
                (when-not (>! c v)
                  (swap! taps (fn [ts] (filterv (fn [t] (not (identical? c (first t)))) ts)))))
              (recur)))))
    m))
(defn tap "Sends copies of what mult gets to ch." ([mult ch] (tap mult ch true))
  ([mult ch close?] (swap! (::taps mult) conj [ch close?]) ch))
(defn untap "Ends a tap." [mult ch]
  (swap! (::taps mult) (fn [ts] (filterv (fn [t] (not (identical? ch (first t)))) ts))) nil)
(defn untap-all "Ends all taps." [mult] (reset! (::taps mult) []) nil)

;; ---- mix: many to one

(defn mix "A mix of channels into `out`." [out]
  (let [m {::out out ::chs (atom {})}
        change (chan (sliding-buffer 1))]
    (go-loop []
      (let [all @(::chs m)
            soloed (clojure.core/into {} (filter (fn [[_ a]] (:solo a)) all))
            active (remove (fn [[_ a]] (:pause a)) (if (seq soloed) soloed all))
            [v c] (alts! (conj (mapv first active) change))]
        (cond
          (identical? c change) (recur)
          (nil? v) (do (swap! (::chs m) dissoc c) (recur))
          (:mute (get all c)) (recur)
          :else (when (>! out v) (recur)))))
    (assoc m ::change change)))
(defn admix "Adds a channel to a mix." [mix ch] (swap! (::chs mix) assoc ch {}) (offer! (::change mix) true) nil)
(defn unmix "Removes a channel from a mix." [mix ch] (swap! (::chs mix) dissoc ch) (offer! (::change mix) true) nil)
(defn unmix-all "Removes all channels from a mix." [mix] (reset! (::chs mix) {}) (offer! (::change mix) true) nil)
(defn toggle "Sets :mute, :pause or :solo of channels of a mix." [mix state-map]
  (swap! (::chs mix) (fn [m] (merge-with clojure.core/merge m state-map)))
  (offer! (::change mix) true) nil)
(defn solo-mode "Nothing: channels beside a solo one are paused." [_mix _mode] nil)

;; ---- pub: one channel to many by topic

(defn pub "A source of what ch gives by topic: (topic-fn value)."
  ([ch topic-fn] (pub ch topic-fn (constantly nil)))
  ([ch topic-fn _buf-fn]
   (let [subs (atom {})]
     (go-loop []
       (let [v (<! ch)]
         (if (nil? v)
           (doseq [[_ cs] @subs [c close?] cs] (when close? (close! c)))
           (do (doseq [[c _] (get @subs (topic-fn v))]
                 (when-not (>! c v)
                   (swap! subs update (topic-fn v) (fn [cs] (filterv (fn [s] (not (identical? c (first s)))) cs)))))
               (recur)))))
     {::subs subs})))
(defn sub "Sends what pub gets of a topic to ch." ([p topic ch] (sub p topic ch true))
  ([p topic ch close?] (swap! (::subs p) update topic (fnil conj []) [ch close?]) ch))
(defn unsub "Ends a sub." [p topic ch]
  (swap! (::subs p) update topic (fn [cs] (filterv (fn [s] (not (identical? ch (first s)))) cs))) nil)
(defn unsub-all "Ends all subs, or those of a topic." ([p] (reset! (::subs p) {}) nil)
  ([p topic] (swap! (::subs p) dissoc topic) nil))
