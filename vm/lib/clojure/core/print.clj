;; Printing and reading of text. *out* is 1 (standard output), 2 (standard error), a text buffer, or an object with `write`.
(in-ns 'clojure.core)

(def ^:dynamic *out* "Where print and its kin write." 1)
(def ^:dynamic *err* "Where errors are written." 2)
(def ^:dynamic *print-length* "Most elements printed of a collection; nil for all." nil)
(def ^:dynamic *print-level* "Most levels of nesting printed; nil for all." nil)
(def ^:dynamic *print-readably* "Are strings printed so that they read back?" true)
(def ^:dynamic *print-namespace-maps* "Are maps printed with the namespace of their keys in front?" false)
(def ^:dynamic *print-meta* "Is metadata printed?" false)
(def ^:dynamic *print-dup* "Is everything printed so that it reads back with its type? Not used." false)
(def ^:dynamic *flush-on-newline* "Is output flushed by newline?" true)

;; ---- writing

(defn- emit
  "Writes text to a sink."
  [out s]
  (if (yin.rt/sink? out)
    (yin.rt/write out s)
    (. out write s)))

(intern 'yin.rt 'write-text (fn [out s] (emit out s) nil))

(defn flush "Writes out what *out* holds back." []
  (if (yin.rt/sink? *out*)
    (yin.rt/flush)
    (. *out* flush))
  nil)

;; ---- text of values

(defmulti print-method
  "Writes x to a writer; programs extend it for their types."
  (fn [x _writer]
    (let [t (get (meta x) :type)]
      (if (keyword? t) t (class x)))))

(defmulti print-dup "Writes x so that it reads back with its type." (fn [x _writer] (class x)))

(def ^:private built-in-methods
  ;; How many methods print-method has before programs add some.
  (volatile! 0))

(defn- print-options [readably]
  {:readably readably
   :length *print-length* :level *print-level*
   :namespace-maps *print-namespace-maps* :meta *print-meta*})

(defn- plain-text
  "Text of x, no print-method of the program being asked."
  [x readably]
  (if (or *print-length* *print-level* *print-namespace-maps* *print-meta*)
    (yin.rt/text (print-options readably) x)
    (if readably (yin.rt/pr-str x) (yin.rt/print-str x))))

(defn- own-method [x]
  (let [t (get (meta x) :type)
        f (get-method print-method (if (keyword? t) t (class x)))]
    (when-not (identical? f (get (methods print-method) :default)) f)))

(declare write-value)

(defn- write-elements [xs out readably depth write-one open close sep]
  (emit out open)
  (if (and *print-level* (>= depth *print-level*))
    (emit out "#")
    (loop [s (seq xs) i 0]
      (when s
        (when (pos? i) (emit out sep))
        (if (and *print-length* (>= i *print-length*))
          (emit out "...")
          (do (write-one (first s))
              (recur (next s) (inc i)))))))
  (emit out close))

(defn- write-value
  "Writes x, asking print-method about x and everything in it."
  [x out readably depth]
  (let [f (own-method x)
        one (fn [y] (write-value y out readably (inc depth)))
        entry (fn [e] (one (key e)) (emit out " ") (one (val e)))]
    (cond
      f (if (yin.rt/sink? out)
          (let [b (yin.rt/buffer)]
            (f x b)
            (yin.rt/write out (str b)))
          (f x out))
      (record? x) (write-elements x out readably depth entry (str "#" (yin.rt/type-symbol (class x)) "{") "}" ", ")
      (map? x) (write-elements x out readably depth entry "{" "}" ", ")
      (vector? x) (write-elements x out readably depth one "[" "]" " ")
      (set? x) (write-elements x out readably depth one "#{" "}" " ")
      (seq? x) (write-elements x out readably depth one "(" ")" " ")
      :else (emit out (plain-text x readably)))))

(defn- custom-methods? []
  (> (count (methods print-method)) (yin.rt/deref built-in-methods)))

(defn- text-of [x readably]
  (if (custom-methods?)
    (let [b (yin.rt/buffer)]
      (write-value x b readably 0)
      (str b))
    (plain-text x readably)))

(defmethod print-method :default [x writer]
  (emit writer (plain-text x *print-readably*)))
(defmethod print-dup :default [x writer]
  (emit writer (plain-text x true)))
(vreset! built-in-methods (count (methods print-method)))

(defn print-simple "Writes x as print-method does by default." [x writer]
  (emit writer (plain-text x *print-readably*)))
(defn print-ctor "Writes x with its class." [x print-args writer]
  (emit writer (str "#=(" (yin.rt/type-symbol (class x)) ". "))
  (print-args x writer)
  (emit writer ")"))

(defn- joined
  "Texts of xs with spaces between."
  [xs readably]
  (if (next xs)
    (let [b (yin.rt/buffer)]
      (loop [xs xs first? true]
        (when xs
          (when-not first? (yin.rt/write b " "))
          (yin.rt/write b (text-of (first xs) readably))
          (recur (next xs) false)))
      (str b))
    (if xs (text-of (first xs) readably) "")))

(defn pr "Prints the arguments so that they read back."
  ([] nil)
  ([x] (emit *out* (text-of x *print-readably*)) nil)
  ([x & more] (emit *out* (joined (cons x more) *print-readably*)) nil))

(defn newline "Prints a newline." [] (emit *out* "\n") nil)

(defn prn "pr, and a newline." [& xs]
  (emit *out* (str (joined xs *print-readably*) "\n"))
  nil)

(defn print "Prints the arguments for people." [& xs]
  (emit *out* (joined xs false))
  nil)

(defn println "print, and a newline." 
  ([] (emit *out* "\n") nil)
  ([x] (emit *out* (str (if (string? x) x (text-of x false)) "\n")) nil)
  ([x & more] (emit *out* (str (joined (cons x more) false) "\n")) nil))

(defn pr-str "The text pr prints." [& xs] (joined xs *print-readably*))
(defn prn-str "The text prn prints." [& xs] (str (joined xs *print-readably*) "\n"))
(defn print-str "The text print prints." [& xs] (joined xs false))
(defn println-str "The text println prints." [& xs] (str (joined xs false) "\n"))
(defn printf "Prints formatted text." [fmt & args] (emit *out* (apply format fmt args)) nil)

(defmacro with-err-out "Prints to *err*." [& body] `(binding [*out* *err*] ~@body))

;; ---- reading

(deftype ^{:class java.io.BufferedReader} TextReader [text ^:unsynchronized-mutable at]
  java.io.Reader
  (read [_]
    (if (< at (count text))
      (let [c (. text charAt at)]
        (set! at (inc at))
        (int c))
      -1))
  (unread [_ _c] (set! at (dec at)) nil)
  (readLine [_]
    (when (< at (count text))
      (let [i (. text indexOf "\n" at)
            end (if (neg? i) (count text) i)
            line (subs text at end)]
        (set! at (if (neg? i) end (inc i)))
        (if (and (pos? (count line)) (= \return (. line charAt (dec (count line)))))
          (subs line 0 (dec (count line)))
          line))))
  (rest [_]
    (let [s (subs text at)]
      (set! at (count text))
      s))
  (peekRest [_] (subs text at))
  (skip [_ n] (set! at (min (count text) (+ at n))) n)
  (ready [_] (< at (count text)))
  (close [_] nil))

(deftype StandardIn [^:unsynchronized-mutable kept]
  java.io.Reader
  (fill [_]
    (when-not kept
      (set! kept (->TextReader (yin.rt/slurp-stdin) 0)))
    kept)
  (read [this] (. (. this fill) read))
  (unread [this c] (. (. this fill) unread c))
  (readLine [this]
    (if kept
      (. kept readLine)
      (yin.rt/read-line)))
  (rest [this] (. (. this fill) rest))
  (peekRest [this] (. (. this fill) peekRest))
  (skip [this n] (. (. this fill) skip n))
  (ready [this] (. (. this fill) ready))
  (close [_] nil))

(intern 'yin.rt 'string-reader (fn [s] (->TextReader s 0)))

(def ^:dynamic *in* "What read and read-line read." (->StandardIn nil))

(defn read-line "The next line of *in*, or nil." [] (. *in* readLine))

(defn line-seq "The lines of a reader, lazily." [rdr]
  (lazy-seq
    (let [line (. rdr readLine)]
      (when line (cons line (line-seq rdr))))))

(def ^:dynamic *read-eval* "May reading evaluate? Not used." true)
(def ^:dynamic *data-readers* "Functions of tags." {})
(def ^:dynamic *default-data-reader-fn* "Function of an unknown tag and its form." nil)
(def default-data-readers "The built-in functions of tags."
  {'inst yin.rt/inst 'uuid parse-uuid})

(defn- reader-text [rdr] (. rdr peekRest))

(defn- read-from
  "The next form of a reader; eof-value at its end, or an error if eof-error?."
  [rdr data? eof-error? eof-value]
  (let [r (yin.rt/read-string (reader-text rdr) data?)]
    (if r
      (do (. rdr skip (nth r 1))
          (nth r 0))
      (if eof-error?
        (yin.rt/raise :read "EOF while reading")
        eof-value))))

(defn read "The next form of a reader, of *in* if none is given."
  ([] (read *in*))
  ([stream] (read-from stream false true nil))
  ([opts stream] (read-from stream false (not (contains? opts :eof)) (:eof opts)))
  ([stream eof-error? eof-value] (read-from stream false eof-error? eof-value))
  ([stream eof-error? eof-value _recursive?] (read-from stream false eof-error? eof-value)))

(defn read-string "The first form of a text."
  ([s] (read-string {} s))
  ([opts s]
   (let [r (yin.rt/read-string s false (:features opts))]
     (if r
       (nth r 0)
       (if (contains? opts :eof)
         (:eof opts)
         (yin.rt/raise :read "EOF while reading"))))))

(defn read+string "[the next form of a reader, its text]."
  ([] (read+string *in*))
  ([stream]
   (let [text (reader-text stream)
         form (read stream)]
     [form (subs text 0 (- (count text) (count (reader-text stream))))])))

(intern 'yin.rt 'read-edn
  (fn [s {:keys [readers default] :as opts}]
    (let [r (binding [*data-readers* (or readers {})
                      *default-data-reader-fn* default]
              (yin.rt/read-string s true))]
      (if r
        (nth r 0)
        (if (contains? opts :eof)
          (:eof opts)
          (yin.rt/raise :read "EOF while reading"))))))

(intern 'yin.rt 'read-edn-from
  (fn [stream {:keys [readers default] :as opts}]
    (binding [*data-readers* (or readers {})
              *default-data-reader-fn* default]
      (read-from stream true (not (contains? opts :eof)) (:eof opts)))))

;; ---- files

(defn- path-of [f] (if (string? f) f (str f)))

(defn slurp "The text of a file or reader." [f & _options]
  (if (or (string? f) (not (yin.rt/method-of f 'rest)))
    (yin.rt/slurp (path-of f))
    (. f rest)))

(defn spit "Writes the text of content to a file; :append true adds it." [f content & {:keys [append]}]
  (if (yin.rt/method-of f 'write)
    (do (. f write (str content)) nil)
    (yin.rt/spit (path-of f) (str content) (boolean append))))

;; ---- tap

(def ^:private taps (yin.rt/atom #{}))
(defn add-tap "Calls f with what tap> gets." [f] (yin.rt/reset taps (conj (yin.rt/deref taps) f)) nil)
(defn remove-tap "Ends add-tap." [f] (yin.rt/reset taps (disj (yin.rt/deref taps) f)) nil)
(defn tap> "Sends x to the taps; true." [x]
  (run! (fn [f] (try (f x) (catch Throwable _ nil))) (yin.rt/deref taps))
  true)

(defn test "Calls the function in the :test metadata of v." [v]
  (let [f (:test (meta v))]
    (if f (do (f) :ok) :no-test)))
