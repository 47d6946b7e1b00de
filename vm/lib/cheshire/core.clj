;; JSON, with the interface of the Cheshire library.
(ns cheshire.core
  (:require [yin.json :as j]))

(defn- key-option [key-fn]
  (cond (or (nil? key-fn) (false? key-fn)) identity
        (true? key-fn) keyword
        :else key-fn))

(defn parse-string
  "The value of a JSON text; nil for nil or an empty text. key-fn: true for keywords, or a function of a name. array-coerce-fn:
  unused names yield the collection an array is poured into."
  ([string] (parse-string string nil nil))
  ([string key-fn] (parse-string string key-fn nil))
  ([string key-fn _array-coerce-fn]
   (when string
     (j/parse string {:key-fn (key-option key-fn) :eof-error? false :eof-value nil}))))

(defn parse-string-strict
  "Like parse-string, but not lazy at the top (it never is)."
  ([string] (parse-string string nil nil))
  ([string key-fn] (parse-string string key-fn nil)))

(defn parse-stream
  "The JSON value a reader holds; see parse-string."
  ([reader] (parse-stream reader nil nil))
  ([reader key-fn] (parse-stream reader key-fn nil))
  ([reader key-fn array-coerce-fn]
   (when reader (parse-string (slurp reader) key-fn array-coerce-fn))))

(defn parsed-seq
  "All JSON values a reader holds, lazily."
  ([reader] (parsed-seq reader nil nil))
  ([reader key-fn] (parsed-seq reader key-fn nil))
  ([reader key-fn _array-coerce-fn]
   (when reader (j/parse-all (slurp reader) {:key-fn (key-option key-fn)}))))

(defn- key-text [k]
  (cond (keyword? k) (subs (str k) 1)
        :else (str k)))

(defn- write-options [{:keys [pretty escape-non-ascii key-fn date-format]}]
  {:key-fn (or key-fn key-text) :escape-unicode escape-non-ascii :indent pretty :qualified-values true
   :style :cheshire :date-format date-format :unknown :parse})

(defn generate-string
  "JSON text of x. Options: :pretty for indented text, :escape-non-ascii, :key-fn of every key."
  ([x] (generate-string x nil))
  ([x options] (j/generate x (write-options options))))

(defn generate-stream
  "Writes x as JSON to a writer, which is returned."
  ([x writer] (generate-stream x writer nil))
  ([x writer options]
   (yin.rt/write-text writer (generate-string x options))
   writer))

(def encode "JSON text of x." generate-string)
(def encode-stream "Writes x as JSON to a writer." generate-stream)
(def decode "The value of a JSON text." parse-string)
(def decode-stream "The JSON value a reader holds." parse-stream)
(def decode-strict "The value of a JSON text." parse-string-strict)
