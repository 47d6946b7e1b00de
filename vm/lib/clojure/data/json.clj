;; JSON.
(ns clojure.data.json
  (:require [yin.json :as j]))

(defn- read-options [{:keys [key-fn value-fn bigdec eof-error? eof-value] :or {eof-error? true}}]
  {:key-fn (or key-fn identity) :value-fn value-fn :bigdec bigdec :eof-error? eof-error? :eof-value eof-value})

(defn read-str
  "The value a JSON text spells. Options: :key-fn of every name, :value-fn of a name and its value, :bigdec decimals for
  numbers with a fraction, :eof-error? and :eof-value for an empty text."
  [string & {:as options}]
  (j/parse string (read-options options)))

(defn read
  "The JSON value a reader holds; options as in read-str."
  [reader & {:as options}]
  (j/parse (slurp reader) (read-options options)))

(defn read-json
  "The value of a JSON text or reader; names are keywords unless keywordize? is false."
  ([input] (read-json input true))
  ([input keywordize?] (read-json input keywordize? true nil))
  ([input keywordize? eof-error? eof-value]
   (j/parse (if (string? input) input (slurp input))
            (read-options {:key-fn (if keywordize? keyword identity) :eof-error? eof-error? :eof-value eof-value}))))

(defn- default-key [k]
  (cond (nil? k) (throw (Exception. "JSON object properties may not be nil"))
        (or (keyword? k) (symbol? k)) (name k)
        :else (str k)))

(defn- write-options [{:keys [key-fn value-fn escape-unicode escape-slash escape-js-separators indent default-fn]
                       :or {escape-unicode true escape-slash true escape-js-separators true}}]
  {:key-fn (or key-fn default-key) :value-fn value-fn :escape-unicode escape-unicode :escape-slash escape-slash
   :escape-js-separators escape-js-separators :indent indent :default-fn default-fn :qualified-values false
   :style :data-json})

(defn write-str
  "JSON text of x. Options: :key-fn of every key, :value-fn of a key and its value, :escape-unicode, :escape-slash,
  :escape-js-separators (all true unless given), :indent for one value a line, :default-fn of a value JSON has not."
  [x & {:as options}]
  (j/generate x (write-options options)))

(defn write
  "Writes x as JSON; options as in write-str."
  [x writer & {:as options}]
  (yin.rt/write-text writer (j/generate x (write-options options))))

(defn pprint
  "Prints x as indented JSON."
  [x & {:as options}]
  (print (j/generate x (write-options (assoc options :indent true))))
  (newline))

(defn pprint-json "Prints x as indented JSON." [x & options] (apply pprint x options))
(defn json-str "JSON text of x." [x & options] (apply write-str x options))
(defn print-json "Prints x as JSON." [x & options] (print (apply write-str x options)))
