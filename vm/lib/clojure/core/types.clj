;; Types and dispatch: hierarchies, multimethods, protocols, deftype, defrecord, reify.
(in-ns 'clojure.core)

(defn type "The :type of x's metadata, or its class." [x] (or (get (meta x) :type) (class x)))
(defn cast "x, which must be an instance of c." [c x]
  (if (or (nil? x) (instance? c x))
    x
    (yin.rt/raise :type (str "Cannot cast " (pr-str (class x)) " to " (pr-str c)))))

;; ---- hierarchies

(defn make-hierarchy "An empty hierarchy." [] {:parents {} :descendants {} :ancestors {}})

(def ^:private global-hierarchy "The hierarchy that isa? uses when none is given." (make-hierarchy))

(defn bases "The classes a class is directly made of." [c] (seq (yin.rt/class-parents c)))
(defn supers "The classes and interfaces above a class." [c]
  (let [s (set (yin.rt/class-ancestors c))] (when (seq s) s)))

(defn isa? "Is child parent, derived from it, or a vector of such?"
  ([child parent] (isa? global-hierarchy child parent))
  ([h child parent]
   (or (= child parent)
       (contains? (get (:ancestors h) child #{}) parent)
       (and (class? child)
            (or (and (class? parent) (some (fn [c] (= c parent)) (yin.rt/class-ancestors child)))
                (some (fn [c] (contains? (get (:ancestors h) c #{}) parent)) (yin.rt/class-ancestors child)))
            true)
       (and (vector? child) (vector? parent) (= (count child) (count parent))
            (loop [i 0]
              (if (< i (count child))
                (if (isa? h (nth child i) (nth parent i)) (recur (inc i)) false)
                true))))))

(defn parents "The direct parents of tag, or nil."
  ([tag] (parents global-hierarchy tag))
  ([h tag]
   (let [own (get (:parents h) tag)
         all (if (class? tag) (into (or own #{}) (bases tag)) own)]
     (not-empty all))))

(defn ancestors "Everything above tag, or nil."
  ([tag] (ancestors global-hierarchy tag))
  ([h tag]
   (let [own (get (:ancestors h) tag)
         all (if (class? tag)
               (let [cs (yin.rt/class-ancestors tag)]
                 (reduce (fn [acc c] (into acc (get (:ancestors h) c))) (into (or own #{}) cs) cs))
               own)]
     (not-empty all))))

(defn descendants "Everything below tag, or nil."
  ([tag] (descendants global-hierarchy tag))
  ([h tag]
   (if (class? tag)
     (throw (UnsupportedOperationException. "Can't get descendants of classes"))
     (not-empty (get (:descendants h) tag)))))

(defn- closure-of
  "The transitive closure of a relation from tag to sets."
  [relation tag]
  (loop [seen #{} todo (seq (get relation tag))]
    (if todo
      (if (contains? seen (first todo))
        (recur seen (next todo))
        (recur (conj seen (first todo)) (seq (concat (get relation (first todo)) (next todo)))))
      seen)))

(defn- hierarchy-of
  "The hierarchy with these direct parents."
  [parents]
  (let [children (reduce-kv (fn [m tag ps]
                              (reduce (fn [m p] (assoc m p (conj (get m p #{}) tag))) m ps))
                            {}
                            parents)
        close (fn [relation]
                (reduce (fn [m tag] (assoc m tag (closure-of relation tag))) {} (keys relation)))]
    {:parents parents :ancestors (close parents) :descendants (close children)}))

(defn derive "tag becomes a child of parent, in hierarchy h or everywhere."
  ([tag parent]
   (assert (namespace parent))
   (assert (or (class? tag) (and (ident? tag) (namespace tag))))
   (alter-var-root #'global-hierarchy derive tag parent)
   nil)
  ([h tag parent]
   (assert (not= tag parent))
   (assert (or (class? tag) (ident? tag)))
   (assert (ident? parent))
   (let [ps (get (:parents h) tag #{})]
     (cond
       (contains? ps parent) h
       (contains? (get (:ancestors h) tag #{}) parent)
       (throw (Exception. (str (pr-str tag) " already has " (pr-str parent) " as ancestor")))
       (or (= tag parent) (contains? (get (:ancestors h) parent #{}) tag))
       (throw (Exception. (str "Cyclic derivation: " (pr-str parent) " has " (pr-str tag) " as ancestor")))
       :else (hierarchy-of (assoc (:parents h) tag (conj ps parent)))))))

(defn underive "tag is no child of parent any more, in hierarchy h or everywhere."
  ([tag parent]
   (alter-var-root #'global-hierarchy underive tag parent)
   nil)
  ([h tag parent]
   (let [ps (disj (get (:parents h) tag #{}) parent)
         parents (if (seq ps) (assoc (:parents h) tag ps) (dissoc (:parents h) tag))]
     (if (contains? (get (:parents h) tag #{}) parent)
       (hierarchy-of parents)
       h))))

;; ---- multimethods: [name, dispatch function, default, hierarchy var, methods, preferences, cache]

(defn- multi [m]
  (if (yin.rt/multi? m)
    m
    (yin.rt/raise :type (str (pr-str (class m)) " cannot be cast to clojure.lang.MultiFn"))))

(defn- hierarchy-of-multi [m]
  (let [h (yin.rt/multi-get m 3)]
    (if h (yin.rt/deref h) global-hierarchy)))

(defn methods "A map of dispatch values to the methods of m." [m] (yin.rt/multi-get (multi m) 4))
(defn prefers "A map of dispatch values to those they are preferred to." [m] (yin.rt/multi-get (multi m) 5))

(defn- prefers? [h prefs x y]
  (or (contains? (get prefs x #{}) y)
      (some (fn [p] (prefers? h prefs x p)) (parents h y))
      (some (fn [p] (prefers? h prefs p y)) (parents h x))))

(defn- best-method [m dispatch]
  (let [h (hierarchy-of-multi m)
        prefs (prefers m)
        dominates? (fn [x y] (or (prefers? h prefs x y) (isa? h x y)))]
    (reduce-kv (fn [best k f]
                 (if (isa? h dispatch k)
                   (cond
                     (nil? best) [k f]
                     (dominates? k (nth best 0)) [k f]
                     (dominates? (nth best 0) k) best
                     :else (yin.rt/raise :no-method
                             (str "Multiple methods in multimethod '" (name (yin.rt/multi-get m 0))
                                  "' match dispatch value: " (pr-str dispatch) " -> " (pr-str k) " and "
                                  (pr-str (nth best 0)) ", and neither is preferred")))
                   best))
               nil
               (dissoc (methods m) (yin.rt/multi-get m 2)))))

(defn get-method "The method of m for a dispatch value, or nil." [m dispatch]
  (let [found (best-method (multi m) dispatch)]
    (if found
      (nth found 1)
      (get (methods m) (yin.rt/multi-get m 2)))))

(defn -find-method
  "What the machine asks when a dispatch value has no method of its own: the method, remembered for the hierarchy in force."
  [m dispatch]
  (let [h (hierarchy-of-multi m)
        cache (yin.rt/multi-get m 6)
        cache (if (and cache (identical? h (nth cache 0))) cache [h {}])
        hit (get (nth cache 1) dispatch)]
    (or hit
        (let [f (get-method m dispatch)]
          (if f
            (do (yin.rt/multi-set! m 6 [h (assoc (nth cache 1) dispatch f)])
                f)
            (yin.rt/raise :no-method
              (str "No method in multimethod '" (name (yin.rt/multi-get m 0)) "' for dispatch value: " (pr-str dispatch))))))))

(defn -add-method "What defmethod does." [m dispatch f]
  (multi m)
  (yin.rt/multi-set! m 4 (assoc (methods m) dispatch f))
  (yin.rt/multi-set! m 6 nil)
  m)

(defn remove-method "Removes the method of a dispatch value." [m dispatch]
  (multi m)
  (yin.rt/multi-set! m 4 (dissoc (methods m) dispatch))
  (yin.rt/multi-set! m 6 nil)
  m)

(defn remove-all-methods "Removes all methods." [m]
  (multi m)
  (yin.rt/multi-set! m 4 {})
  (yin.rt/multi-set! m 6 nil)
  m)

(defn prefer-method "Of two methods that match, that of x is taken before that of y." [m x y]
  (multi m)
  (when (prefers? (hierarchy-of-multi m) (prefers m) y x)
    (throw (IllegalStateException. (str "Preference conflict in multimethod '" (name (yin.rt/multi-get m 0)) "': "
                                        (pr-str y) " is already preferred to " (pr-str x)))))
  (yin.rt/multi-set! m 5 (assoc (prefers m) x (conj (get (prefers m) x #{}) y)))
  (yin.rt/multi-set! m 6 nil)
  m)

(defmacro defmulti
  "Defines a multimethod: a function that chooses by (dispatch-fn args…). Options: :default, :hierarchy (a var)."
  {:arglists '([name docstring? attr-map? dispatch-fn & options])}
  [mm-name & more]
  (let [doc (when (string? (first more)) (first more))
        more (if doc (next more) more)
        attrs (when (map? (first more)) (first more))
        more (if attrs (next more) more)
        dispatch (first more)
        options (next more)]
    (when (nil? more)
      (yin.rt/raise :syntax "defmulti takes a name and a dispatch function"))
    (when (odd? (count options))
      (yin.rt/raise :syntax "defmulti options are keys and values"))
    (let [{:keys [default hierarchy] :or {default :default}} (apply hash-map options)
          m (merge (if doc {:doc doc} {}) (meta mm-name) attrs)
          v (gensym "var__")]
      `(let [~v (def ~(with-meta mm-name m))]
         (if (and (bound? ~v) (yin.rt/multi? (var-get ~v)))
           nil
           (def ~(with-meta mm-name m)
             (yin.rt/make-multi '~mm-name ~dispatch ~default ~hierarchy)))
         ~v))))

(defmacro defmethod "Defines the method of a multimethod for a dispatch value." [multifn dispatch-val & fn-tail]
  `(-add-method ~multifn ~dispatch-val (fn ~@fn-tail)))

;; ---- protocols

(defn -define-protocol "What defprotocol does: the protocol, the old one if its methods are the same." [sym methods options]
  (yin.rt/make-protocol sym methods (boolean (:extend-via-metadata options))))

(defmacro defprotocol
  "Defines a protocol: functions (name [this args…]…) that types implement."
  [name & opts+sigs]
  (when-not (symbol? name)
    (yin.rt/raise :syntax "defprotocol takes a name"))
  (let [doc (when (string? (first opts+sigs)) (first opts+sigs))
        more (if doc (next opts+sigs) opts+sigs)
        [options sigs] (loop [options {} more more]
                         (if (keyword? (first more))
                           (recur (assoc options (first more) (second more)) (nnext more))
                           [options (seq more)]))
        sigs (mapv (fn [sig]
                     (when-not (and (seq? sig) (symbol? (first sig)))
                       (yin.rt/raise :syntax (str "Not a method signature: " (pr-str sig))))
                     (let [arglists (filterv vector? (rest sig))]
                       (when (some empty? arglists)
                         (yin.rt/raise :syntax (str "Definition of function " (first sig) " in protocol " name
                                                    " must take at least one arg.")))
                       {:name (first sig) :arglists arglists :doc (some (fn [x] (when (string? x) x)) sig)}))
                   sigs)
        qualified (symbol (str (ns-name *ns*)) (str name))]
    `(do
       (def ~(vary-meta name merge (if doc {:doc doc} {}))
         (-define-protocol '~qualified '~(mapv (fn [s] (keyword (str (:name s)))) sigs) ~options))
       ~@(map (fn [s]
                `(def ~(with-meta (:name s)
                         (merge (meta (:name s))
                                {:arglists `'~(apply list (:arglists s)) :protocol `(var ~name)}
                                (if (:doc s) {:doc (:doc s)} {})))
                   (yin.rt/protocol-fn ~name ~(keyword (str (:name s))))))
              sigs)
       '~name)))

(defn- protocol! [p]
  (if (yin.rt/protocol? p)
    p
    (yin.rt/raise :argument (str (pr-str p) " is not a protocol"))))

(defn extend "Implements protocols for a type: each with a map of method keywords to functions." [atype & proto+mmaps]
  (loop [more (seq proto+mmaps)]
    (when more
      (yin.rt/extend! (protocol! (first more)) atype (second more))
      (recur (nnext more)))))

(defn extends? "Was the protocol implemented for exactly this type?" [protocol atype]
  (let [key (if (nil? atype) 'nil (yin.rt/type-symbol atype))]
    (contains? (yin.rt/protocol-impls (protocol! protocol)) key)))

(defn extenders "The types that implement the protocol." [protocol]
  (seq (map (fn [sym] (when-not (= sym 'nil) (yin.rt/class sym))) (keys (yin.rt/protocol-impls (protocol! protocol))))))

(defn find-protocol-impl "The map of methods for x, or nil." [protocol x]
  (get (yin.rt/protocol-impls (protocol! protocol)) (if (nil? x) 'nil (yin.rt/type-symbol (class x)))))

(defn- group-specs
  "[symbol, its method forms] for each symbol of a body of extend-type and its kin."
  [what specs]
  (loop [out [] more (seq specs)]
    (if more
      (if (seq? (first more))
        (if (seq out)
          (recur (conj (pop out) (update (peek out) 1 conj (first more))) (next more))
          (yin.rt/raise :syntax (str what ": methods need a protocol before them")))
        (recur (conj out [(first more) []]) (next more)))
      out)))

(defn- methods-map
  "Code of the map of method keywords to functions; forms of one name are arities."
  [forms]
  (let [names (distinct (map first forms))]
    (into {}
          (map (fn [n]
                 (let [own (filter (fn [f] (= n (first f))) forms)
                       arities (mapcat (fn [f] (if (vector? (second f)) (list (next f)) (next f))) own)]
                   [(keyword (name n)) `(fn ~@arities)])))
          names)))

(defmacro extend-type "Implements protocols for a type: each named, then its methods." [t & specs]
  `(extend ~t
     ~@(mapcat (fn [[p forms]] [p (methods-map forms)]) (group-specs "extend-type" specs))))

(defmacro extend-protocol "Implements a protocol for types: each named, then its methods." [p & specs]
  `(do
     ~@(map (fn [[t forms]] `(extend-type ~t ~p ~@forms)) (group-specs "extend-protocol" specs))))

;; ---- deftype, defrecord, reify

(defn- method-forms
  "[name, code of a function of all its arities] for each method name; `fields` are in sight in the bodies, as fields of the
  first parameter."
  [fields forms]
  (let [names (distinct (map first forms))]
    (mapv (fn [n]
            (let [own (filter (fn [f] (= n (first f))) forms)
                  arities (map (fn [f]
                                 (let [params (second f)]
                                   (when-not (and (vector? params) (seq params))
                                     (yin.rt/raise :syntax (str "Must supply at least one argument for 'this' in: " n)))
                                   (plain-arity (cons params (nnext f)))))
                               own)]
              [n (if fields
                   (list 'method* fields (list* 'fn* arities))
                   (list* 'fn* arities))]))
          names)))

(defn -implement
  "Gives a type its methods: pairs of an interface or protocol and a map of method names to functions."
  [t specs]
  (loop [more (seq specs)]
    (when more
      (let [p (first more) methods (second more)]
        (when (yin.rt/protocol? p)
          (yin.rt/extend! p t (into {} (map (fn [[n f]] [(keyword (name n)) f])) methods)))
        (reduce-kv (fn [_ n f] (yin.rt/add-method! t (symbol (name n)) f) nil) nil methods)
        (recur (nnext more))))))

(defn- spec-code
  "Code of the arguments of -implement, from [symbol forms] groups."
  [fields groups]
  (mapcat (fn [[p forms]]
            [p (into {} (map (fn [[n code]] [(list 'quote n) code])) (method-forms fields forms))])
          groups))

(defn- interface-names
  "Code of the list of names of the interfaces among the symbols of groups."
  [groups]
  `(-interfaces [~@(map first groups)]))

(defn -interfaces "Names of the classes among xs, and Comparable and so on for what they imply." [xs]
  (apply list (map (fn [x] (if (yin.rt/protocol? x)
                             (let [s (yin.rt/protocol-symbol x)] (symbol (str (namespace s) "." (name s))))
                             (yin.rt/type-symbol x)))
                   xs)))

(defn- check-fields [what fields]
  (when-not (and (vector? fields) (every? symbol? fields))
    (yin.rt/raise :syntax (str what ": fields must be a vector of symbols")))
  (when (and (seq fields) (not (apply distinct? fields)))
    (yin.rt/raise :syntax (str what ": fields must be distinct"))))

(defn- drop-options [specs]
  (loop [more (seq specs)]
    (if (keyword? (first more)) (recur (nnext more)) more)))

(defn- class-symbol
  "Name of the class of a type: of its namespace, or as its metadata says."
  [name]
  (or (:class (meta name))
      (symbol (str (ns-name *ns*) "." name))))

(defmacro deftype
  "Defines a type with fields and methods; (Name. fields…) and ->Name make instances."
  [name fields & opts+specs]
  (check-fields "deftype" fields)
  (let [groups (group-specs "deftype" (drop-options opts+specs))
        bare (mapv (fn [f] (with-meta f nil)) fields)]
    `(do
       (def ~name (yin.rt/make-type '~(class-symbol name) '~bare 0 ~(interface-names groups)))
       (declare ~(symbol (str "->" name)))
       (-implement ~name (list ~@(spec-code fields groups)))
       (defn ~(symbol (str "->" name)) ~(str "An instance of " name ".") ~bare
         (yin.rt/new-instance ~name ~@bare))
       ~name)))

(defmacro defrecord
  "Defines a record: a type with fields that is also a map of them; ->Name and map->Name make instances."
  [name fields & opts+specs]
  (check-fields "defrecord" fields)
  (let [groups (group-specs "defrecord" (drop-options opts+specs))
        bare (mapv (fn [f] (with-meta f nil)) fields)
        m (gensym "m__")]
    `(do
       (def ~name (yin.rt/make-type '~(class-symbol name) '~bare 1 ~(interface-names groups)))
       (defn ~(symbol (str "->" name)) ~(str "A record " name " of its fields.") ~bare
         (yin.rt/new-instance ~name ~@bare))
       (defn ~(symbol (str "map->" name)) ~(str "A record " name " of a map.") [~m]
         (-record-of-map (yin.rt/new-instance ~name ~@(map (fn [_] nil) bare)) ~m))
       (-implement ~name (list ~@(spec-code fields groups)))
       ~name)))

(defn -record-of-map "A record with the entries of map m added." [r m]
  (reduce-kv assoc r m))

(defmacro reify
  "An object with these methods; they see the locals around."
  [& opts+specs]
  (let [groups (group-specs "reify" (drop-options opts+specs))
        t (gensym "reify__")]
    `(let [~t (yin.rt/make-type '~(symbol (str (ns-name *ns*) "$reify__" (gensym ""))) [] 0 ~(interface-names groups))]
       (-implement ~t (list ~@(spec-code nil groups)))
       (yin.rt/new-instance ~t))))

(defmacro proxy
  "An object with the methods of fns that stands for classes and interfaces; the first parameter `this` is in sight."
  [class-and-interfaces _args & fs]
  (let [forms (mapcat (fn [f]
                        (if (vector? (second f))
                          [(list* (first f) (into ['this] (second f)) (nnext f))]
                          (map (fn [a] (list* (first f) (into ['this] (first a)) (next a))) (next f))))
                      fs)
        t (gensym "proxy__")]
    `(let [~t (yin.rt/make-type '~(symbol (str (ns-name *ns*) "$proxy__" (gensym ""))) [] 0
                                (-interfaces [~@class-and-interfaces]))]
       (-implement ~t (list ~(first class-and-interfaces)
                            ~(into {} (map (fn [[n code]] [(list 'quote n) code])) (method-forms nil forms))))
       (yin.rt/new-instance ~t))))

(defmacro definterface "Defines an interface: a type with a name only." [name & _sigs]
  `(do (def ~name (yin.rt/make-type '~(class-symbol name) [] 0 (list)))
       ~name))

(defmacro gen-class "Nothing: there are no class files." [& _options] nil)
(defmacro gen-interface "Nothing: there are no class files." [& _options] nil)
