;; Control with continuations. The primitives are call-with-prompt, abort-to-prompt, call-cc and dynamic-wind; reset and shift,
;; control, generators and green threads are written with them here.
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

;; ---- green threads

(defn spawn
  "Runs f, a function of no arguments, as a task; join gives its value."
  [f]
  (future-call f))

(defn join
  "Waits for a task and gives its value, or throws what it threw."
  [task]
  (try
    (deref task)
    (catch java.util.concurrent.ExecutionException e
      (throw (or (ex-cause e) e)))))

(defn chan
  "A channel that holds n values; without n a put waits for its take."
  ([] (async/chan))
  ([n] (async/chan n)))
(defn put! "Puts v on a channel, waiting for room; false if it is closed." [c v] (async/>! c v))
(defn take! "Takes a value of a channel, waiting for one; nil if it is closed." [c] (async/<! c))
(defn close! "Closes a channel." [c] (async/close! c))
(defn alts! "Does the first possible of several takes (channels) and puts ([channel value]): [result channel]."
  [ports & options]
  (apply async/alts! ports options))
(defn sleep "Lets other tasks run for ms milliseconds." [ms] (clojure.core/-sleep ms))
