;; Control with continuations. The primitives are call-with-prompt, abort-to-prompt, call-cc and dynamic-wind; reset and shift,
;; control, effect handlers, generators and green threads are written with them here.
(ns yin.control
  (:require [clojure.core.async :as async]))

;; ---- delimited continuations
;;
;; A captured continuation includes its prompt, which is what shift wants. control wants it without: its continuation turns the
;; prompt it brings along into one that passes every capture on to the next prompt outside, so that the two make one.

(defn -reset
  "What reset does: runs thunk under a prompt that lets shift and control have the continuation."
  [thunk]
  (let [forwards (volatile! false)]
    (call-with-prompt ::reset thunk
      (fn [k kind f]
        (cond
          @forwards
          ((abort-to-prompt ::reset kind
             (fn [outer] (f (fn [v] (outer (fn [] (k v))))))))
          (= kind :control)
          (-reset (fn []
                    (f (fn [v]
                         (vreset! forwards true)
                         (k v)))))
          :else
          (-reset (fn [] (f k))))))))

(defmacro reset
  "Evaluates body; the continuation that shift and control in it take ends here."
  [& body]
  `(-reset (fn [] ~@body)))

(defmacro shift
  "Leaves to the nearest reset and evaluates body there, with k bound to the continuation from here to that reset. Calling k, any
  number of times, goes on here with its argument, under a reset of its own."
  [k & body]
  `(abort-to-prompt ::reset :shift (fn [~k] ~@body)))

(defmacro control
  "Like shift, but what k runs is not under a reset of its own."
  [k & body]
  `(abort-to-prompt ::reset :control (fn [~k] ~@body)))

;; ---- generators

(defn -generate
  "What generator does: the values that thunk yields, lazily."
  [thunk]
  (lazy-seq
    (call-with-prompt ::generator
      (fn [] (thunk) nil)
      (fn [k v] (cons v (lazy-seq (k nil)))))))

(defmacro generator
  "A lazy seq of the values that body yields; body runs as far as the seq is looked at."
  [& body]
  `(-generate (fn [] ~@body)))

(defn yield
  "Gives v to the nearest generator; returns nil when the next value is wanted."
  [v]
  (abort-to-prompt ::generator v))

(defn yield-all
  "Yields every element of coll."
  [coll]
  (run! yield coll))

;; ---- effects
;;
;; A handler is a prompt whose tag, a volatile, holds the map of its operations; perform finds it by walking the frames. The
;; continuation that an operation gets includes the prompt, so what it goes on with is handled again (deep handlers).

(deftype Thrown [error])

(defn perform
  "Asks the nearest handler that has `operation` to do it; the value it goes on with. An error if there is none."
  [operation & args]
  (let [v (apply yin.rt/perform operation args)]
    (if (instance? Thrown v) (throw (.-error v)) v)))

(defn throw-into
  "Goes on with continuation k by throwing error where it was taken by perform."
  [k error]
  (k (->Thrown error)))

(defn with-handlers
  "Calls thunk; what it performs is done by `handlers`, a map from operations to functions. Such a function gets the continuation
  of the perform and its arguments, and its value is the value of with-handlers; the continuation may be called never, once or
  many times, now or later. :return is a function for the value of thunk. What the functions perform themselves is for handlers
  further out."
  [handlers thunk]
  (let [tag (volatile! handlers)
        return (:return handlers)]
    (call-with-prompt tag
      (if return
        (fn []
          (let [v (thunk)]
            (call-with-prompt (volatile! tag) (fn [] (return v)) nil)))
        thunk)
      (fn [k operation & args]
        (apply (get handlers operation) k args)))))

(defmacro handle
  "(with-handlers handlers (fn [] body…))"
  [handlers & body]
  `(with-handlers ~handlers (fn [] ~@body)))

;; ---- green threads

(defn spawn
  "Runs f, a function of no arguments, as a thread: at once, until it waits or its turn is over. Threads that run long give way to
  others at safe points."
  [f]
  (future-call f))

(defn join
  "Waits for a thread and gives its value, or throws what it threw; a CancellationException if it was cancelled. With a time in ms
  and a value: waits no longer than that."
  ([thread]
   (try
     (deref thread)
     (catch java.util.concurrent.ExecutionException e
       (throw (or (ex-cause e) e)))))
  ([thread ms timeout-value]
   (try
     (deref thread ms timeout-value)
     (catch java.util.concurrent.ExecutionException e
       (throw (or (ex-cause e) e))))))

(defn cancel
  "Ends a thread: a CancellationException is thrown where it waits, or where it goes on. False if it was over already."
  [thread]
  (future-cancel thread))

(defn give-way
  "Lets the other threads that are ready have a turn."
  []
  (clojure.core/-give-way))

(defn sleep "Lets other threads run for ms milliseconds." [ms] (clojure.core/-sleep ms))

;; ---- channels

(defn chan
  "A channel that holds n values; without n a put waits for its take."
  ([] (async/chan))
  ([n] (async/chan n)))
(defn put! "Puts v on a channel, waiting for room; false if it is closed." [c v] (async/>! c v))
(defn take! "Takes a value of a channel, waiting for one; nil if it is closed." [c] (async/<! c))
(defn close! "Closes a channel: what is in it can still be taken." [c] (async/close! c))
(defn timeout "A channel that closes in ms milliseconds." [ms] (async/timeout ms))
(defn alts!
  "Does the first possible of several takes (channels) and puts ([channel value]): [result channel]. Options: :priority true tries
  them in order, :default v is the result if none can be done at once."
  [ports & options]
  (apply async/alts! ports options))
