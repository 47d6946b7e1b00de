;; Green threads: futures, promises and waiting. A task runs under a prompt; where it must wait it leaves to the prompt with its
;; continuation, which goes on when what it waits for is there. The main program waits by running tasks. Who runs long gives way
;; at safe points (`vm/src/thread.rs`): a task goes behind the others, the main program lets each have a turn.
(in-ns 'clojure.core)

;; Shared with the machine, by position: ring of (task, function, argument) that are ready, its head, its count, the running
;; task (nil in the main program), how often tasks may change places before the scheduler looks around, how often the running
;; thread must not be interrupted, sleepers, serial number of the last sleeper.
(def -scheduler (object-array 8))
(run! (fn [i] (yin.rt/aset -scheduler i 0)) [1 2 4 5 7])

(defn- current [] (yin.rt/aget -scheduler 3))

(defn -hold "The running thread is not interrupted until -release." []
  (yin.rt/aset -scheduler 5 (inc (yin.rt/aget -scheduler 5))))
(defn -release "Ends a -hold." []
  (yin.rt/aset -scheduler 5 (max 0 (dec (yin.rt/aget -scheduler 5)))))

;; A task: while it waits, how to wake it, and how to take its waiting back (or nil); what the machine keeps for it.
(defn- new-task [] (object-array 3))

(defn -run-task
  "Runs thunk as a task until it ends, waits or gives way."
  ([thunk] (-run-task (new-task) thunk))
  ([task thunk]
   (let [outer (current)]
     (yin.rt/current! task)
     (try
       (yin.control/call-with-prompt ::task thunk (fn [k park] (park k) nil))
       (finally (yin.rt/current! outer))))))

;; What a task that goes on is given when it was cancelled meanwhile.
(deftype Cancelled [])
(def ^:private cancelled (->Cancelled))

(defn- going-on
  "A task goes on with v."
  [v]
  (if (identical? v cancelled)
    (throw (java.util.concurrent.CancellationException. "the thread was cancelled"))
    v))

(defn -park
  "Inside a task: stops it here and calls (f resume); calling (resume v) makes it ready to go on with v. If f returns a function,
  it is called when the task is cancelled instead."
  [f]
  (let [task (current)
        held (yin.rt/aget -scheduler 5)]
    (yin.rt/aset -scheduler 5 0)
    (yin.rt/aset task 2 nil)
    (let [v (yin.rt/suspend ::task
              (fn [k]
                (let [waits (yin.rt/atom true)
                      wake (fn [v]
                             (when (yin.rt/deref waits)
                               (yin.rt/reset waits false)
                               (yin.rt/aset task 0 nil)
                               (yin.rt/aset task 1 nil)
                               (yin.rt/ready! task k v)))
                      undo (f wake)]
                  (when (yin.rt/deref waits)
                    (yin.rt/aset task 0 wake)
                    (when (fn? undo) (yin.rt/aset task 1 undo))))))]
      (yin.rt/aset -scheduler 5 held)
      (going-on v))))

(defn -cancel
  "Ends a task's waiting with a CancellationException; one that is ready gets it when it goes on. Does the task wait or is it
  ready?"
  [task]
  (cond
    (identical? task (current)) (going-on cancelled)
    (yin.rt/aget task 0) (let [wake (yin.rt/aget task 0)
                               undo (yin.rt/aget task 1)]
                           (when undo (undo))
                           (wake cancelled)
                           true)
    :else (yin.rt/tell-ready! task cancelled)))

(defn -soon "Calls thunk when something next waits." [thunk] (yin.rt/ready! nil (fn [_] (thunk)) nil))

(defn- wake-sleepers []
  (when (yin.rt/aget -scheduler 6)
    (let [now (System/nanoTime)]
      (loop []
        (let [m (yin.rt/aget -scheduler 6)
              e (first m)]
          (when (and e (<= (nth (key e) 0) now))
            (let [m (dissoc m (key e))]
              (yin.rt/sleepers! (if (zero? (count m)) nil m)))
            (-soon (val e))
            (recur)))))))

(defn- run-one
  "Runs one task that is ready; was there one? Then at most n others, as the tasks give way to each other."
  [n]
  (wake-sleepers)
  (if (zero? (yin.rt/aget -scheduler 2))
    false
    (do (yin.rt/aset -scheduler 4 n)
        (try
          ;; What whoever waits has bound is none of the tasks' business.
          (if-let [roots (yin.rt/root-bindings)]
            (apply yin.rt/with-bindings (fn [] (yin.rt/run-next)) roots)
            (yin.rt/run-next))
          (finally (yin.rt/current! nil)))
        true)))

(defn- run-round
  "Gives each task that is ready a turn."
  []
  (run-one (dec (yin.rt/aget -scheduler 2))))

(defn- wait-for-sleeper
  "Sleeps until the next sleeper is due; false if there is none."
  []
  (if-let [e (first (yin.rt/aget -scheduler 6))]
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
      (run-round) (recur)
      (wait-for-sleeper) (recur)
      :else false)))

(defn -run-ready
  "Runs tasks until none is ready."
  []
  (loop [] (when (run-round) (recur))))

(defn -give-way
  "Lets the other tasks that are ready have a turn."
  []
  (if (current)
    (let [held (yin.rt/aget -scheduler 5)]
      (yin.rt/aset -scheduler 5 0)
      (let [v (yin.rt/give-way)]
        (yin.rt/aset -scheduler 5 held)
        (going-on v)))
    (do (run-round) nil)))

(defn -after
  "Calls thunk in ms milliseconds, when something runs tasks then. A function that takes that back."
  [ms thunk]
  (let [n (yin.rt/aset -scheduler 7 (inc (yin.rt/aget -scheduler 7)))
        at [(+ (System/nanoTime) (* 1000000 (long ms))) n]]
    (yin.rt/sleepers! (assoc (or (yin.rt/aget -scheduler 6) (sorted-map)) at thunk))
    (fn []
      (let [m (dissoc (yin.rt/aget -scheduler 6) at)]
        (yin.rt/sleepers! (if (zero? (count m)) nil m))
        nil))))

(defn -wait
  "Waits until something calls the function that is given to (register f): in a task by parking, in the main program by
  running tasks. The value f is called with; an error if nothing can call it any more. If register returns a function, it takes
  the waiting back."
  [register]
  (if (current)
    (-park register)
    (let [cell (yin.rt/atom ::none)]
      (register (fn [v] (when (identical? ::none (yin.rt/deref cell)) (yin.rt/reset cell v)) nil))
      (if (-run-until (fn [] (not (identical? ::none (yin.rt/deref cell)))))
        (yin.rt/deref cell)
        (yin.rt/raise :state "deadlock: nothing is left that could end this wait")))))

(defn -sleep "Lets other tasks run for ms milliseconds." [ms]
  (if (current)
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

(deftype Future [task state result]
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
          (-cancel task)
          true)))
  (isCancelled [_] (= :cancelled (yin.rt/deref state))))

(defn future-call "Runs f as a task; what deref of the future gives." [f]
  (let [task (new-task)
        state (yin.rt/atom :pending)
        result (promise)
        f (if (zero? (count (yin.rt/current-bindings))) f (bound-fn* f))]
    (-run-task task
      (fn []
        (let [r (try
                  [:ok (f)]
                  (catch Throwable e [:failed e]))]
          (when (= :pending (yin.rt/deref state))
            (yin.rt/reset state (nth r 0))
            (deliver result r)))))
    (->Future task state result)))

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
                      (let [forget (-after timeout-ms (fn [] (wake ::late)))]
                        (. ref addWaiter (fn [_] (forget) (wake ::there)))
                        forget)))]
       (if (= r ::late) timeout-val (yin.rt/deref ref)))
     :else (yin.rt/deref ref))))

(defn pmap "map. Nothing runs at the same time." ([f coll] (map f coll)) ([f coll & colls] (apply map f coll colls)))
(defn pcalls "A lazy seq of the values of the functions." [& fns] (map (fn [f] (f)) fns))
(defn seque "s." ([s] s) ([_n s] s))
