;; Namespaces, evaluation, and what programs know of their surroundings.
(in-ns 'clojure.core)

(def ^:dynamic *file* "The file being evaluated, if it is known." nil)
(def ^:dynamic *command-line-args* "The arguments of the command." nil)
(def ^:dynamic *warn-on-reflection* "Not used." false)
(def ^:dynamic *unchecked-math* "Not used: arithmetic is always checked." false)
(def ^:dynamic *compile-files* "Not used." false)
(def ^:dynamic *compile-path* "Not used." "classes")
(def ^:dynamic *math-context* "Precision and rounding of decimals: nil or [digits mode]." nil)
(def ^:dynamic *verbose-defrecords* "Not used." false)
(def ^:dynamic *suppress-read* "Not used." nil)
(def ^:dynamic *reader-resolver* "Not used." nil)
(def ^:dynamic *use-context-classloader* "Not used." true)
(def ^:dynamic *allow-unresolved-vars* "Not used." false)
(def ^:dynamic *fn-loader* "Not used." nil)
(def ^:dynamic *source-path* "Not used." "NO_SOURCE_PATH")
(def ^:dynamic *repl* "Is this a prompt?" false)
(def ^:dynamic *1 "The last value at the prompt." nil)
(def ^:dynamic *2 "The value before." nil)
(def ^:dynamic *3 "The value before that." nil)
(def ^:dynamic *e "The last exception at the prompt." nil)
(def ^:dynamic *clojure-version* "The version of Clojure whose behaviour is followed."
  {:major 1 :minor 11 :incremental 1 :qualifier nil})

(defn clojure-version "The version of Clojure whose behaviour is followed, as text." []
  (str (:major *clojure-version*) "." (:minor *clojure-version*) "." (:incremental *clojure-version*)))

;; ---- looking things up

(defn resolve "What a symbol means here: a var, a class, or nil."
  ([sym] (ns-resolve *ns* sym))
  ([env sym] (when-not (contains? env sym) (ns-resolve *ns* sym))))

(defn ns-imports "Classes a namespace knows by short names." [_ns] {})

(defn macroexpand "Expands a form until it is no macro call." [form]
  (let [ex (macroexpand-1 form)]
    (if (identical? ex form) form (recur ex))))

(defn- ns-public-var [ns sym]
  (let [v (get (ns-publics ns) sym)]
    (or v
        (if (contains? (ns-interns ns) sym)
          (yin.rt/raise :unbound (str sym " is not public"))
          (yin.rt/raise :unbound (str sym " does not exist in " (ns-name ns)))))))

(defn refer "Maps the public vars of a namespace here. Filters: :only, :exclude, :rename." [ns-sym & filters]
  (when-not (find-ns ns-sym)
    ;; A library that comes with the machine is there, loaded or not.
    (when (yin.rt/library? ns-sym) (yin.rt/load-ns ns-sym)))
  (let [ns (the-ns ns-sym)
        {:keys [only exclude rename]} (apply hash-map filters)
        excluded (set exclude)]
    (when (and only (not (sequential? only)) (not (set? only)))
      (throw (Exception. ":only/:refer value must be a sequential collection of symbols")))
    (run! (fn [sym]
            (when-not (contains? excluded sym)
              (yin.rt/refer-var (get rename sym sym) (ns-public-var ns sym))))
          (or only (keys (ns-publics ns))))
    nil))

(defmacro refer-clojure "Maps the public vars of clojure.core here, which they are anyway; :exclude makes room for own names."
  [& filters]
  (let [{:keys [exclude only rename]} (apply hash-map filters)]
    `(-refer-core '~exclude '~only '~rename)))

(defn -refer-core "What refer-clojure does: names of core that are left out are no longer seen." [exclude only rename]
  (when only (yin.rt/hide-core only true))
  (when exclude (yin.rt/hide-core exclude false))
  (when rename
    (reduce-kv (fn [_ from to] (yin.rt/refer-var to (ns-public-var 'clojure.core from)) nil) nil rename))
  nil)

;; ---- loading

(defn loaded-libs "The namespaces loaded, sorted." [] (apply sorted-set (yin.rt/loaded-libs)))

(defn- load-lib [lib reload]
  (when reload (yin.rt/unmark-loaded lib))
  (try
    (yin.rt/load-ns lib)
    (catch java.io.FileNotFoundException e
      (yin.rt/raise :unbound (ex-message e))))
  (when-not (find-ns lib)
    (yin.rt/raise :unbound (str "namespace '" lib "' not found after loading"))))

(defn- require-lib
  "Loads and names one library of require or use."
  [lib options use? flags]
  (when-not (even? (count options))
    (yin.rt/raise :argument (str "Options of " lib " must be keys and values")))
  (let [{:keys [as as-alias refer rename only exclude reload] :as opts} (apply hash-map options)
        unsupported (remove #{:as :as-alias :refer :rename :only :exclude :reload :reload-all :verbose
                              :refer-macros :include-macros}
                            (keys opts))]
    (when (seq unsupported)
      (yin.rt/raise :argument (str "Unsupported option(s) supplied: " (pr-str unsupported))))
    (if (and as-alias (not as) (not refer))
      (yin.rt/add-alias as-alias lib)
      (do
        (load-lib lib (or reload (:reload-all opts) (contains? flags :reload) (contains? flags :reload-all)))
        (when as (alias as lib))
        (when as-alias (yin.rt/add-alias as-alias lib))
        (cond
          (= refer :all) (clojure.core/refer lib :rename (or rename {}))
          refer (if (sequential? refer)
                  (clojure.core/refer lib :only refer :rename (or rename {}))
                  (yin.rt/raise :syntax ":refer value must be a sequential collection of symbols"))
          use? (apply clojure.core/refer lib (concat (when only [:only only])
                                                     (when exclude [:exclude exclude])
                                                     [:rename (or rename {})])))))))

(defn- libspec? [x]
  (or (symbol? x)
      (and (vector? x) (symbol? (first x))
           (or (nil? (second x)) (keyword? (second x))))))

(defn- load-spec [spec use? flags]
  (cond
    (symbol? spec) (require-lib spec nil use? flags)
    (libspec? spec) (require-lib (first spec) (rest spec) use? flags)
    (and (sequential? spec) (symbol? (first spec)))
    (run! (fn [sub]
            (let [sub (if (symbol? sub) [sub] sub)]
              (require-lib (symbol (str (first spec) "." (first sub))) (rest sub) use? flags)))
          (rest spec))
    :else (yin.rt/raise :argument (str "Not a libspec: " (pr-str spec)))))

(defn- load-specs [specs use?]
  (let [flags (set (filter keyword? specs))]
    (run! (fn [spec] (load-spec spec use? flags)) (remove keyword? specs))
    nil))

(defn require "Loads libraries: symbols or [name :as alias :refer names]." [& args] (load-specs args false))
(defn use "Loads libraries and refers to their vars." [& args] (load-specs args true))

(defn requiring-resolve "The var of a qualified symbol, its namespace loaded if need be." [sym]
  (if (qualified-symbol? sym)
    (or (resolve sym)
        (do (require (symbol (namespace sym)))
            (resolve sym)))
    (throw (IllegalArgumentException. (str "Not a qualified symbol: " sym)))))

(defn load "Loads the files of resource paths such as /a/b." [& paths]
  (run! (fn [p]
          (let [lib (symbol (yin.rt/replace (yin.rt/replace (if (= \/ (first p)) (subs p 1) p) "/" "." false) "_" "-" false))]
            (yin.rt/unmark-loaded lib)
            (yin.rt/load-ns lib)))
        paths))

(defn load-reader "Evaluates what a reader holds." [rdr] (load-string (slurp rdr)))
(defn compile "Loads a library." [lib] (require lib) lib)

(defmacro import "Gives classes of packages short names here: symbols or (package Class…)." [& specs]
  (let [full (mapcat (fn [spec]
                       (let [spec (if (and (seq? spec) (= 'quote (first spec))) (second spec) spec)]
                         (cond
                           (symbol? spec) [spec]
                           (and (sequential? spec) (seq spec) (every? symbol? spec))
                           (map (fn [c] (symbol (str (first spec) "." c))) (rest spec))
                           :else (yin.rt/raise :syntax (str "import takes class names, not " (pr-str spec))))))
                     specs)]
    `(do ~@(map (fn [c] `(-import '~c)) full))))

(defn -import "What import does with one class name." [sym]
  (let [short (symbol (last (yin.rt/split (str sym) #"\." 0)))
        found (ns-resolve *ns* sym)]
    (cond
      (var? found) (yin.rt/refer-var short found)
      found (yin.rt/refer-var short found)
      :else (yin.rt/raise :unbound (str "ClassNotFoundException: " sym)))
    (if (var? found) (yin.rt/deref found) found)))

(def ^:private ns-directives
  {:require 'clojure.core/require :use 'clojure.core/use :import 'clojure.core/import
   :refer-clojure 'clojure.core/refer-clojure :refer 'clojure.core/refer :load 'clojure.core/load
   :gen-class nil :require-macros nil :use-macros nil})

(defmacro ns
  "Makes the namespace `name` the current one and loads what it needs: (:require …) (:use …) (:import …) (:refer-clojure …)."
  {:arglists '([name docstring? attr-map? references*])}
  [& decl]
  (let [name (first decl)
        _ (when-not (symbol? name)
            (yin.rt/raise :syntax "ns takes a symbol"))
        more (next decl)
        doc (when (string? (first more)) (first more))
        more (if doc (next more) more)
        attrs (when (map? (first more)) (first more))
        more (if attrs (next more) more)
        m (merge (meta name) attrs (if doc {:doc doc} {}))
        forms (map (fn [ref]
                     (when-not (and (seq? ref) (or (keyword? (first ref)) (symbol? (first ref))))
                       (yin.rt/raise :syntax (str "Not a reference of ns: " (pr-str ref))))
                     (let [k (keyword (clojure.core/name (first ref)))]
                       (when-not (contains? ns-directives k)
                         (yin.rt/raise :syntax (str "Unknown reference of ns: " (pr-str (first ref)))))
                       (cond
                         (nil? (get ns-directives k)) nil
                         (contains? #{:import :refer-clojure} k) `(~(get ns-directives k) ~@(rest ref))
                         :else `(~(get ns-directives k) ~@(map (fn [x] (list 'quote x)) (rest ref))))))
                   more)]
    `(do
       (in-ns '~(with-meta name nil))
       ~@(if (seq m) [`(reset-meta! (find-ns '~(with-meta name nil)) ~(list 'quote m))] nil)
       (yin.rt/mark-loaded '~(with-meta name nil))
       ~@forms
       nil)))

;; ---- the rest

(defn munge "A name as class files spell it." [s]
  (let [t (yin.rt/replace (str s) "-" "_" false)]
    (if (symbol? s) (symbol t) t)))
(defn namespace-munge "A namespace name as file names spell it." [ns] (yin.rt/replace (str ns) "-" "_" false))

(defn reader-conditional "A reader conditional as data." [form splicing?]
  {:form form :splicing? splicing?})
(defn reader-conditional? "Is it a reader conditional? They are resolved while reading." [_x] false)
(deftype Eduction [xform coll]
  clojure.lang.Sequential
  clojure.lang.Seqable
  (printed [_] (sequence xform coll))
  (seq [_] (seq (sequence xform coll)))
  (reduce [_ f] (transduce xform (completing f) coll))
  (reduce [_ f init] (transduce xform (completing f) init coll)))

(defn eduction "Coll through transducers, again at each use." [& xforms]
  (let [coll (last xforms)
        xform (apply comp (butlast xforms))]
    (->Eduction xform coll)))

(defn enumeration-seq "A seq of an enumeration." [e] (seq e))
(defn iterator-seq "A seq of an iterator." [it]
  (lazy-seq (when (. it hasNext) (cons (. it next) (iterator-seq it)))))
(defn resultset-seq "Not supported." [_rs] (yin.rt/raise :type "there are no result sets"))
(defn file-seq "The files below a directory, itself first." [dir]
  (tree-seq (fn [f] (. f isDirectory)) (fn [d] (seq (. d listFiles))) dir))
(defn xml-seq "The elements of a tree of XML, depth first." [root]
  (tree-seq (complement string?) (comp seq :content) root))
(defn bean "A map of x's properties: x itself if it is a map." [x] (if (map? x) x {}))
(defn add-classpath "Nothing." [_url] nil)
(defn set-break-handler! "Nothing." ([] nil) ([_f] nil))
(def unquote)
(def unquote-splicing)

(defn chunk-next "The seq behind the chunk in front, or nil." [s] (seq (chunk-rest s)))
(defn replicate "x, n times." [n x] (take n (repeat x)))
(defn -reset-methods "Nothing: methods are looked up by version." [_protocol] nil)
(defn find-protocol-method "The method of a protocol for x, or nil." [protocol methodk x]
  (get (find-protocol-impl protocol x) methodk))
(defn StackTraceElement->vec "A frame as a vector." [frame] [frame])
(defn set-agent-send-executor! "Nothing: there are no threads." [_executor] nil)
(defn set-agent-send-off-executor! "Nothing: there are no threads." [_executor] nil)
(def ^:dynamic *compiler-options* "Not used." nil)
(defmacro with-loading-context "Evaluates body." [& body] `(do ~@body))
(defmacro definline "Defines a function." [name & decl] `(defn ~name ~@(map (fn [x] x) decl)))
(defprotocol Inst "Moments in time." (inst-ms* [inst] "Milliseconds since the epoch."))
(extend-protocol Inst Object (inst-ms* [inst] (inst-ms inst)))
(defn vector-of "A vector of elements of a primitive type." [t & xs]
  (let [f (get {:int int :long long :float float :double double :byte byte :short short :char char :boolean boolean} t)]
    (when-not f (throw (IllegalArgumentException. (str "Unrecognized type " t))))
    (mapv f xs)))

;; ---- structs: maps with keys given beforehand

(defn create-struct "The keys of structs." [& ks] {::keys (vec ks)})
(defmacro defstruct "Defines the keys of structs." [name & ks] `(def ~name (create-struct ~@ks)))
(defn struct "A map of a struct's keys to vals." [s & vals]
  (let [ks (::keys s)]
    (when (> (count vals) (count ks))
      (throw (IllegalArgumentException. "Too many arguments to struct constructor")))
    (apply array-map (interleave ks (concat vals (repeat (- (count ks) (count vals)) nil))))))
(defn struct-map "A map of a struct's keys, with the values that are given." [s & inits]
  (let [base (apply array-map (interleave (::keys s) (repeat nil)))]
    (apply assoc base inits)))
(defn accessor "A function that gets a key of a struct." [s k]
  (when-not (some (fn [x] (= x k)) (::keys s))
    (throw (IllegalArgumentException. "Not a key of struct")))
  (fn [m] (get m k)))

;; ---- parameters of primitives, for documentation

(run! (fn [[sym arglists]]
        (let [v (find-var (symbol "clojure.core" (name sym)))]
          (when (and v (nil? (:arglists (meta v))))
            (alter-meta! v assoc :arglists arglists :name sym :ns (find-ns 'clojure.core)))))
      (partition 2
        '[first ([coll]) rest ([coll]) next ([coll]) seq ([coll]) cons ([x seq]) count ([coll])
          nth ([coll index] [coll index not-found]) get ([map key] [map key not-found]) contains? ([coll key]) find ([map key])
          assoc ([map key val] [map key val & kvs]) dissoc ([map] [map key] [map key & ks])
          conj ([] [coll] [coll x] [coll x & xs]) disj ([set] [set key] [set key & ks])
          = ([x] [x y] [x y & more]) not= ([x] [x y] [x y & more]) identical? ([x y]) hash ([x]) compare ([x y]) not ([x])
          nil? ([x]) some? ([x]) true? ([x]) false? ([x]) boolean ([x]) boolean? ([x])
          vector ([] [a] [a b] [a b c] [a b c d] [a b c d e] [a b c d e f] [a b c d e f & args]) list ([& items])
          hash-map ([] [& keyvals]) array-map ([] [& keyvals]) hash-set ([] [& keys])
          peek ([coll]) pop ([coll]) empty ([coll]) keys ([map]) vals ([map]) key ([e]) val ([e])
          subvec ([v start] [v start end]) sorted-map ([& keyvals]) sorted-map-by ([comparator & keyvals])
          sorted-set ([& keys]) sorted-set-by ([comparator & keys]) rseq ([rev]) realized? ([x])
          transient ([coll]) persistent! ([coll]) conj! ([] [coll] [coll x]) assoc! ([coll key val] [coll key val & kvs])
          dissoc! ([map key] [map key & ks]) disj! ([set] [set key] [set key & ks]) pop! ([coll])
          vector? ([x]) map? ([x]) set? ([x]) list? ([x]) seq? ([x]) coll? ([x]) sequential? ([coll]) associative? ([coll])
          sorted? ([coll]) counted? ([coll]) reversible? ([coll]) fn? ([x]) ifn? ([x])
          volatile! ([val]) vreset! ([vol newval]) reduced ([x]) reduced? ([x]) unreduced ([x])
          + ([] [x] [x y] [x y & more]) - ([x] [x y] [x y & more]) * ([] [x] [x y] [x y & more]) / ([x] [x y] [x y & more])
          inc ([x]) dec ([x]) < ([x] [x y] [x y & more]) <= ([x] [x y] [x y & more]) > ([x] [x y] [x y & more])
          >= ([x] [x y] [x y & more]) == ([x] [x y] [x y & more]) quot ([num div]) rem ([num div]) mod ([num div])
          max ([x] [x y] [x y & more]) min ([x] [x y] [x y & more]) abs ([a]) zero? ([num]) pos? ([num]) neg? ([num])
          even? ([n]) odd? ([n]) number? ([x]) integer? ([n]) int? ([x]) float? ([n]) double? ([x]) ratio? ([n]) rational? ([n])
          decimal? ([n]) long ([x]) int ([x]) double ([x]) float ([x]) bigint ([x]) bigdec ([x])
          str ([] [x] [x & ys]) subs ([s start] [s start end]) keyword ([name] [ns name]) symbol ([name] [ns name])
          name ([x]) namespace ([x]) gensym ([] [prefix-string]) char ([x]) char? ([x]) string? ([x]) keyword? ([x]) symbol? ([x])
          re-pattern ([s]) re-matcher ([re s]) re-groups ([m]) re-find ([m] [re s]) re-matches ([re s])
          format ([fmt & args]) meta ([obj]) with-meta ([obj m]) class ([x]) instance? ([c x]) satisfies? ([protocol x])
          eval ([form]) macroexpand-1 ([form]) in-ns ([name]) find-ns ([sym]) the-ns ([x]) ns-name ([ns])]))
