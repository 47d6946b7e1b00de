;; Green threads: futures, promises and waiting. A task runs under a prompt; where it must wait it aborts to the prompt with its
;; continuation, which is resumed when what it waits for is there. The main program waits by running other tasks.
(in-ns 'clojure.core)

(def ^:private ready
  ;; Thunks to run, a queue.
  (yin.rt/atom (yin.rt/queue)))

(def ^:private sleepers
  ;; [wake-up time in ns, serial, thunk], sorted.
  (yin.rt/atom (sorted-map)))

(def ^:private serial (yin.rt/atom 0))
(def ^:private in-task (yin.rt/atom false))

(defn- enqueue [thunk]
  (yin.rt/reset ready (conj (yin.rt/deref ready) thunk))
  nil)

(defn -run-task
  "Runs thunk as a task until it ends or waits."
  [thunk]
  (let [outer (yin.rt/deref in-task)]
    (yin.rt/reset in-task true)
    (try
      (yin.control/call-with-prompt ::task thunk (fn [k park] (park k) nil))
      (finally (yin.rt/reset in-task outer)))))

(defn -park
  "Inside a task: stops it here and calls (f resume); calling (resume v) makes it ready to go on with v."
  [f]
  (yin.control/abort-to-prompt ::task
    (fn [k]
      (let [resumed (yin.rt/atom false)]
        (f (fn [v]
             (when-not (yin.rt/deref resumed)
               (yin.rt/reset resumed true)
               (enqueue (fn [] (-run-task (fn [] (k v))))))))))))

(defn -soon "Calls thunk when something next waits." [thunk] (enqueue thunk))

(defn- wake-sleepers []
  (let [now (System/nanoTime)]
    (loop []
      (let [e (first (yin.rt/deref sleepers))]
        (when (and e (<= (nth (key e) 0) now))
          (yin.rt/reset sleepers (dissoc (yin.rt/deref sleepers) (key e)))
          (enqueue (val e))
          (recur))))))

(defn- run-one
  "Runs one ready task; was there one?"
  []
  (wake-sleepers)
  (let [q (yin.rt/deref ready)]
    (if-let [thunk (peek q)]
      (do (yin.rt/reset ready (pop q))
          (thunk)
          true)
      false)))

(defn- wait-for-sleeper
  "Sleeps until the next sleeper is due; false if there is none."
  []
  (if-let [e (first (yin.rt/deref sleepers))]
    (let [ms (quot (- (nth (key e) 0) (System/nanoTime)) 1000000)]
      (when (pos? ms) (yin.rt/sleep ms))
      (when (< ms 1) (yin.rt/sleep 0))
      true)
    false))

(defn -run-until
  "In the main program: runs tasks until (done?) is true; false if nothing is left that could make it so."
  [done?]
  (loop []
    (cond
      (done?) true
      (run-one) (recur)
      (wait-for-sleeper) (recur)
      :else false)))

(defn -run-ready
  "Runs tasks until none is ready."
  []
  (loop [] (when (run-one) (recur))))

(defn -after
  "Calls thunk in ms milliseconds, when something runs tasks then."
  [ms thunk]
  (let [n (yin.rt/reset serial (inc (yin.rt/deref serial)))]
    (yin.rt/reset sleepers
                  (assoc (yin.rt/deref sleepers) [(+ (System/nanoTime) (* 1000000 (long ms))) n] thunk))
    nil))

(defn -wait
  "Waits until something calls the function that is given to (register f): in a task by parking, in the main program by
  running tasks. The value f is called with; an error if nothing can call it any more."
  [register]
  (if (yin.rt/deref in-task)
    (-park register)
    (let [cell (yin.rt/atom ::none)]
      (register (fn [v] (when (identical? ::none (yin.rt/deref cell)) (yin.rt/reset cell v)) nil))
      (if (-run-until (fn [] (not (identical? ::none (yin.rt/deref cell)))))
        (yin.rt/deref cell)
        (yin.rt/raise :state "deadlock: nothing is left that could end this wait")))))

(defn -sleep "Lets other tasks run for ms milliseconds." [ms]
  (if (yin.rt/deref in-task)
    (-park (fn [resume] (-after ms (fn [] (resume nil)))))
    (let [end (+ (System/nanoTime) (* 1000000 (long ms)))]
      (-after ms (fn [] nil))
      (-run-until (fn [] (>= (System/nanoTime) end)))
      nil)))

;; ---- promises: a cell with waiters

(deftype Promise [^:unsynchronized-mutable value ^:unsynchronized-mutable done ^:unsynchronized-mutable waiters]
  clojure.lang.IDeref
  clojure.lang.IPending
  clojure.lang.IFn
  (deref [_]
    (if done
      value
      (-wait (fn [wake] (set! waiters (conj waiters wake))))))
  (isRealized [_] done)
  (addWaiter [_ f]
    (if done (f value) (set! waiters (conj waiters f)))
    nil)
  (invoke [this v]
    (if done
      nil
      (let [ws waiters]
        (set! value v)
        (set! done true)
        (set! waiters [])
        (run! (fn [w] (w v)) ws)
        this))))

(defn promise "A value that deliver gives later." [] (->Promise nil false []))

(defn deliver "Gives a promise its value, once." [promise v]
  (. promise invoke v))

;; ---- futures

(deftype Future [state result]
  ;; state: an atom of :pending, :ok, :failed or :cancelled; result: the promise of the end
  clojure.lang.IDeref
  clojure.lang.IPending
  java.util.concurrent.Future
  (deref [_]
    (let [r (yin.rt/deref result)]
      (case (nth r 0)
        :ok (nth r 1)
        :failed (throw (nth r 1))
        (throw (java.util.concurrent.CancellationException. "the future was cancelled")))))
  (isRealized [_] (. result isRealized))
  (addWaiter [_ f] (. result addWaiter f))
  (isDone [_] (. result isRealized))
  (get [this] (yin.rt/deref this))
  (cancel [_ _]
    (if (. result isRealized)
      false
      (do (yin.rt/reset state :cancelled)
          (deliver result [:cancelled])
          true)))
  (isCancelled [_] (= :cancelled (yin.rt/deref state))))

(defn future-call "Runs f as a task; what deref of the future gives." [f]
  (let [state (yin.rt/atom :pending)
        result (promise)
        f (bound-fn* f)]
    (-run-task
      (fn []
        (let [r (try
                  [:ok (f)]
                  (catch Throwable e [:failed e]))]
          (when (= :pending (yin.rt/deref state))
            (yin.rt/reset state (nth r 0))
            (deliver result r)))))
    (->Future state result)))

(defn future? "Is x a future?" [x] (instance? Future x))
(defn future-done? "Is the future over?" [f] (. f isDone))
(defn future-cancel "Ends a future that is not over; did it?" [f] (. f cancel true))
(defn future-cancelled? "Was the future cancelled?" [f] (. f isCancelled))

(defn deref
  "The value of a reference. With a time in ms and a value: waits no longer than that for a promise or future."
  ([ref] (yin.rt/deref ref))
  ([ref timeout-ms timeout-val]
   (cond
     (realized? ref) (yin.rt/deref ref)
     (yin.rt/method-of ref 'addWaiter)
     (let [r (-wait (fn [wake]
                      (. ref addWaiter (fn [_] (wake ::there)))
                      (-after timeout-ms (fn [] (wake ::late)))))]
       (if (= r ::late) timeout-val (yin.rt/deref ref)))
     :else (yin.rt/deref ref))))

(defn pmap "map. Nothing runs at the same time." ([f coll] (map f coll)) ([f coll & colls] (apply map f coll colls)))
(defn pcalls "A lazy seq of the values of the functions." [& fns] (map (fn [f] (f)) fns))
(defn seque "s." ([s] s) ([_n s] s))
