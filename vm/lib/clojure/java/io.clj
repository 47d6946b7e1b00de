;; Files, readers and writers by the names of clojure.java.io.
(ns clojure.java.io)

(defn file
  "A file of a path, below a parent if there are several parts."
  ([arg] (if (instance? java.io.File arg) arg (when (some? arg) (java.io.File. (str arg)))))
  ([parent child] (java.io.File. (str parent) (str child)))
  ([parent child & more] (reduce file (file parent child) more)))

(defn as-file "The file of a path." [x] (file x))
(defn as-url "The text of a URL of x." [x] (if (instance? java.io.File x) (. x toURI) (str x)))

(defn as-relative-path
  "The path of x, which must be relative."
  [x]
  (let [f (file x)]
    (if (. f isAbsolute)
      (throw (IllegalArgumentException. (str f " is not a relative path")))
      (. f getPath))))

(defn reader
  "A reader of a file, path or reader."
  [x & _opts]
  (clojure.core/-reader (if (instance? java.io.File x) (str x) x)))

(defn input-stream "A reader of a file, path or reader." [x & opts] (apply reader x opts))

(defn writer
  "A writer to a file or path; :append true adds to it. A writer is itself."
  [x & {:keys [append]}]
  (if (or (string? x) (instance? java.io.File x))
    (clojure.core/-file-writer (str x) append)
    x))

(defn output-stream "A writer to a file or path." [x & opts] (apply writer x opts))

(defn copy
  "Writes what input (a file or reader; a string is its own text) holds to output (a file or writer)."
  [input output & _opts]
  (let [text (if (string? input) input (slurp input))]
    (if (instance? java.io.File output)
      (spit output text)
      (yin.rt/write-text output text))
    nil))

(defn delete-file
  "Deletes a file; an error, or the value of silently, if that cannot be done."
  ([f] (delete-file f false))
  ([f silently]
   (or (. (file f) delete)
       silently
       (throw (java.io.IOException. (str "Couldn't delete " f))))))

(defn make-parents
  "Makes the folders above a file."
  [f & more]
  (when-let [parent (. (apply file f more) getParentFile)]
    (. parent mkdirs)))

(defn resource
  "The file of a name on the source path, or nil."
  ([n] (let [f (file n)] (when (. f exists) f)))
  ([n _loader] (resource n)))
