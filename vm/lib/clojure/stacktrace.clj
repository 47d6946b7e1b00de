;; Reports of exceptions.
(ns clojure.stacktrace)

(defn root-cause
  "The innermost cause of exception e."
  [e]
  (if-let [c (ex-cause e)] (recur c) e))

(defn print-throwable
  "Prints the class and message of exception e, and its data."
  [e]
  (print (str (symbol (str (yin.rt/type-symbol (class e)))) ": " (ex-message e)))
  (when-let [data (ex-data e)]
    (newline)
    (pr data)))

(defn print-trace-element
  "Prints one element of a stack trace."
  [element]
  (print (str element)))

(defn print-stack-trace
  "Prints exception e and its frames, at most n."
  ([e] (print-stack-trace e nil))
  ([e n]
   (print-throwable e)
   (newline)
   (let [frames (yin.rt/ex-frames e)]
     (doseq [frame (if n (take n frames) frames)]
       (print "    at ")
       (print-trace-element frame)
       (newline)))))

(defn print-cause-trace
  "Prints exception e with its frames, then every cause."
  ([e] (print-cause-trace e nil))
  ([e n]
   (print-stack-trace e n)
   (when-let [c (ex-cause e)]
     (print "Caused by: ")
     (recur c n))))

(defn e
  "Prints a short trace of the last exception at the prompt."
  []
  (print-stack-trace *e 8))
