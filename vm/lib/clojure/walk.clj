;; Walking nested data.
(ns clojure.walk)

(defn walk
  "Applies inner to each element of form, makes a collection of the same kind from the results, and applies outer to it."
  [inner outer form]
  (cond
    (list? form) (outer (with-meta (apply list (map inner form)) (meta form)))
    (map-entry? form) (outer (clojure.lang.MapEntry/create (inner (key form)) (inner (val form))))
    (seq? form) (outer (with-meta (doall (map inner form)) (meta form)))
    (record? form) (outer (reduce (fn [r entry] (conj r (inner entry))) form form))
    (coll? form) (outer (with-meta (into (empty form) (map inner) form) (meta form)))
    :else (outer form)))

(defn postwalk
  "Rebuilds form from the leaves up, with f applied to every part after its own parts."
  [f form]
  (walk (fn [part] (postwalk f part)) f form))

(defn prewalk
  "Like postwalk, with f applied to every part before its own parts."
  [f form]
  (walk (fn [part] (prewalk f part)) identity (f form)))

(defn- printing [step form]
  (step (fn [part] (print "Walked: ") (prn part) part) form))

(defn postwalk-demo
  "Prints every part in the order postwalk visits them."
  [form]
  (printing postwalk form))

(defn prewalk-demo
  "Prints every part in the order prewalk visits them."
  [form]
  (printing prewalk form))

(defn- map-keys-deep [f m]
  (postwalk (fn [part]
              (if (map? part)
                (with-meta (into {} (map (fn [entry] [(f (key entry)) (val entry)])) part) (meta part))
                part))
            m))

(defn keywordize-keys
  "All string keys in nested maps become keywords."
  [m]
  (map-keys-deep (fn [k] (if (string? k) (keyword k) k)) m))

(defn stringify-keys
  "All keyword keys in nested maps become strings."
  [m]
  (map-keys-deep (fn [k] (if (keyword? k) (name k) k)) m))

(defn- replacing [step smap form]
  (step (fn [part] (if (contains? smap part) (get smap part) part)) form))

(defn prewalk-replace
  "Replaces the parts of form that are keys of smap, from the root down."
  [smap form]
  (replacing prewalk smap form))

(defn postwalk-replace
  "Replaces the parts of form that are keys of smap, from the leaves up."
  [smap form]
  (replacing postwalk smap form))

(defn macroexpand-all
  "Expands every macro call in form."
  [form]
  (prewalk (fn [part] (if (seq? part) (macroexpand part) part)) form))
