;; The language's own macros, built up from special forms and primitives. Read first, top to bottom: until `defn`, `fn` and
;; destructuring exist, definitions use `def`, `fn*` and `let*`.
;;
;; A macro is a function of the call (&form), the locals in sight (&env) and the call's arguments. The analyser itself
;; expands `let`, `loop` and `fn` whose binders are all plain symbols.

(def ^{:macro true} let (fn* [&form &env & decl] (cons 'let* decl)))
(def ^{:macro true} loop (fn* [&form &env & decl] (cons 'loop* decl)))
(def ^{:macro true} fn (fn* [&form &env & decl] (cons 'fn* decl)))

(def ^{:macro true :doc "A seq whose body runs when it is first looked at."} lazy-seq
  (fn* [&form &env & body] (list 'yin.rt/lazy-seq (cons 'fn* (cons [] body)))))

(def ^{:macro true :arglists '([test & body])} when
  (fn* [&form &env test & body] (list 'if test (cons 'do body))))

(def ^{:macro true :arglists '([test & body])} when-not
  (fn* [&form &env test & body] (list 'if test nil (cons 'do body))))

(def ^{:macro true :arglists '([test then] [test then else])} if-not
  (fn*
    ([&form &env test then] (list 'if test nil then))
    ([&form &env test then else] (list 'if test else then))))

(def ^{:macro true :arglists '([& clauses])} cond
  (fn* [&form &env & clauses]
    (when clauses
      (if (next clauses)
        (list 'if (first clauses) (first (next clauses))
              (cons 'clojure.core/cond (next (next clauses))))
        (yin.rt/raise :syntax "cond requires an even number of forms")))))

(def ^{:macro true :arglists '([] [x] [x & next])} and
  (fn*
    ([&form &env] true)
    ([&form &env x] x)
    ([&form &env x & more]
     (let* [v (gensym "and__")]
       (list 'let* [v x] (list 'if v (cons 'clojure.core/and more) v))))))

(def ^{:macro true :arglists '([] [x] [x & next])} or
  (fn*
    ([&form &env] nil)
    ([&form &env x] x)
    ([&form &env x & more]
     (let* [v (gensym "or__")]
       (list 'let* [v x] (list 'if v v (cons 'clojure.core/or more)))))))

(def second (fn* second [coll] (first (next coll))))
(def ffirst (fn* ffirst [coll] (first (first coll))))
(def nfirst (fn* nfirst [coll] (next (first coll))))
(def fnext (fn* fnext [coll] (first (next coll))))
(def nnext (fn* nnext [coll] (next (next coll))))

(def ^{:private true} realize
  (fn* realize [s]
    ;; Walks a seq so that all of it is realised; the seq.
    (let* [start (seq s)]
      (loop* [s start]
        (if s (recur (next s)) start)))))

(def ^{:private true} spreadable
  ;; A collection as the machine can spread it over arguments: realised.
  (fn* spreadable [args]
    (if (yin.rt/realized-coll? args) args (realize args))))

(def last
  (fn* last [coll]
    (loop* [s (seq coll)]
      (let* [more (next s)]
        (if more (recur more) (first s))))))

(def butlast
  (fn* butlast [coll]
    (loop* [out [] s (seq coll)]
      (if (next s)
        (recur (conj out (first s)) (next s))
        (seq out)))))

(def concat
  (fn* concat
    ([] (lazy-seq nil))
    ([a] (lazy-seq a))
    ([a b]
     (lazy-seq
       (let* [s (seq a)]
         (if s
           (cons (first s) (concat (rest s) b))
           b))))
    ([a b & more]
     (let* [join (fn* join [ab zs]
                   (lazy-seq
                     (let* [s (seq ab)]
                       (if s
                         (cons (first s) (join (rest s) zs))
                         (if zs
                           (join (first zs) (next zs))
                           nil)))))]
       (join (concat a b) more)))))

(def ^{:private true} spread
  ;; Arguments of which the last is a seq of more.
  (fn* spread [xs]
    (if (next xs)
      (cons (first xs) (spread (next xs)))
      (seq (first xs)))))

(def list*
  (fn* list*
    ([args] (seq args))
    ([a args] (cons a args))
    ([a b args] (cons a (cons b args)))
    ([a b c args] (cons a (cons b (cons c args))))
    ([a b c d & more] (cons a (cons b (cons c (cons d (spread more))))))))

(def ^{:arglists '([f args] [f x args] [f x y args] [f x y z args] [f a b c d & args])} apply
  (fn* apply
    ([f args] (yin.rt/apply f (spreadable args)))
    ([f a args] (yin.rt/apply f a (spreadable args)))
    ([f a b args] (yin.rt/apply f a b (spreadable args)))
    ([f a b c args] (yin.rt/apply f a b c (spreadable args)))
    ([f a b c d & more]
     (let* [args (cons a (cons b (cons c (cons d (spread more)))))]
       (yin.rt/apply f (spreadable args))))))

;; ---- defn

(def pr-str (fn* pr-str [& xs] (apply yin.rt/pr-str xs)))

(def ^{:private true} plain-params?
  ;; Are all parameters plain symbols?
  (fn* plain-params? [params]
    (loop* [i 0]
      (if (< i (count params))
        (if (symbol? (nth params i)) (recur (inc i)) false)
        true))))

(def ^{:private true} arity-forms
  ;; The arities of a function's tail: ([params] body…) each.
  (fn* arity-forms [decl]
    (if (vector? (first decl))
      (list decl)
      decl)))

(def ^{:private true} params-of
  ;; The parameter vectors of arities, as for :arglists.
  (fn* params-of [arities]
    (loop* [as (seq arities) out []]
      (if as
        (recur (next as) (conj out (first (first as))))
        (apply list out)))))

(def ^{:private true} check-arities
  (fn* check-arities [what arities]
    (if (seq arities)
      (loop* [as (seq arities)]
        (when as
          (let* [a (first as)]
            (if (and (seq? a) (vector? (first a)))
              (recur (next as))
              (yin.rt/raise :syntax (str what ": Parameter declaration " (pr-str (if (seq? a) (first a) a)) " should be a vector"))))))
      (yin.rt/raise :syntax (str what ": Parameter declaration missing")))))

(def ^{:private true} merge-meta
  ;; b's entries added to map a, either may be nil.
  (fn* merge-meta [a b] (if a (if b (conj a b) a) b)))

(def ^{:private true} def-function
  ;; The definition that defn, defn- and defmacro share: `more` is metadata to add.
  (fn* def-function [what name decl more]
    (if (symbol? name)
      (let* [doc (if (string? (first decl)) (first decl) nil)
             decl (if doc (next decl) decl)
             attrs (if (map? (first decl)) (first decl) nil)
             decl (if attrs (next decl) decl)
             arities (arity-forms decl)
             trailing (if (vector? (first decl)) nil (if (map? (last arities)) (last arities) nil))
             arities (if trailing (butlast arities) arities)
             _ (check-arities what arities)
             m {:arglists (list 'quote (params-of arities))}
             m (if doc (conj m {:doc doc}) m)
             m (merge-meta m (meta name))
             m (merge-meta m attrs)
             m (merge-meta m trailing)
             m (merge-meta m more)]
        {:name (with-meta name m) :arities arities})
      (yin.rt/raise :syntax (str "First argument to " what " must be a symbol")))))

(def ^{:macro true
       :doc "Defines a function: (defn name doc? attrs? [params] body…), or with several arities ([params] body…)."
       :arglists '([name doc-string? attr-map? [params*] prepost-map? body] [name doc-string? attr-map? ([params*] prepost-map? body) + attr-map?])}
  defn
  (fn* [&form &env & decl]
    (let* [d (def-function "defn" (first decl) (next decl) nil)]
      (list 'def (get d :name) (cons 'clojure.core/fn (get d :arities))))))

(def ^{:macro true :doc "Defines a private function." :arglists '([name & decls])} defn-
  (fn* [&form &env & decl]
    (let* [d (def-function "defn-" (first decl) (next decl) {:private true})]
      (list 'def (get d :name) (cons 'clojure.core/fn (get d :arities))))))

(def ^{:macro true :doc "Defines a macro: a function from forms to the form that stands for the call."
       :arglists '([name doc-string? attr-map? [params*] body])}
  defmacro
  (fn* [&form &env & decl]
    (let* [d (def-function "defmacro" (first decl) (next decl) {:macro true})
           with-env (fn* with-env [as]
                      (if (seq as)
                        (let* [a (first as)]
                          (cons (cons (yin.rt/join-colls ['&form '&env] (first a)) (next a))
                                (with-env (next as))))
                        nil))]
      (list 'do
            (list 'def (get d :name)
                  (cons 'clojure.core/fn (with-env (get d :arities))))
            (list 'var (with-meta (get d :name) nil))))))

;; ---- destructuring

(defn seq-to-map-for-destructuring
  "The map that a seq of keys and values, maybe with a map behind them, stands for."
  [s]
  (if (next s)
    (loop [m {} s (seq s)]
      (if s
        (if (next s)
          (recur (assoc m (first s) (second s)) (next (next s)))
          (if (or (map? (first s)) (nil? (first s)))
            (conj m (first s))
            (yin.rt/raise :argument (str "No value supplied for key: " (pr-str (first s))))))
        m))
    (if (seq s) (first s) {})))

(defn- amp? [x] (and (symbol? x) (= "&" (name x)) (nil? (namespace x))))

(def destructure-into)

(defn- destructure-vector
  "Adds the bindings of vector pattern b, whose value is the symbol v, to out."
  [out b v]
  (let [n (count b)
        rest? (loop [i 0] (if (< i n) (if (amp? (nth b i)) true (recur (inc i))) false))
        sq (gensym "seq__")
        head (gensym "first__")]
    (loop [out (if rest? (conj out sq (list 'clojure.core/seq v)) out)
           i 0
           at 0
           seen false]
      (if (< i n)
        (let [x (nth b i)]
          (cond
            (amp? x)
            (if (and (< (inc i) n) (not seen)
                     (or (= (+ i 2) n) (and (= (nth b (+ i 2)) :as) (= (+ i 4) n))))
              (recur (destructure-into out (nth b (inc i)) sq) (+ i 2) at true)
              (yin.rt/raise :syntax (if seen "Unsupported binding form, only :as can follow & parameter"
                                        "Unsupported binding form, & takes one parameter")))

            (= x :as)
            (if (and (< (inc i) n) (symbol? (nth b (inc i))) (= (+ i 2) n))
              (recur (destructure-into out (nth b (inc i)) v) (+ i 2) at seen)
              (yin.rt/raise :syntax ":as takes a symbol and comes last"))

            seen (yin.rt/raise :syntax "Unsupported binding form, only :as can follow & parameter")

            rest?
            (recur (destructure-into (conj out head (list 'clojure.core/first sq)
                                           sq (list 'clojure.core/next sq))
                                     x head)
                   (inc i) (inc at) seen)

            :else
            (recur (destructure-into out x (list 'clojure.core/nth v at nil)) (inc i) (inc at) seen)))
        out))))

(defn- key-group
  "For a key such as :keys, :ns/keys, :syms or :strs of a map pattern: the function from its symbols to keys of the map."
  [k]
  (if (keyword? k)
    (let [kind (name k)
          ns (namespace k)]
      (cond
        (= kind "keys") (fn [s] (keyword (or ns (namespace s)) (name s)))
        (= kind "syms") (fn [s] (list 'quote (symbol (or ns (namespace s)) (name s))))
        (and (= kind "strs") (nil? ns)) (fn [s] (name s))
        :else nil))
    nil))

(defn- destructure-key
  "Adds the binding of pattern p to the value of key form k in the map m."
  [out p k m defaults]
  (let [local (if (or (symbol? p) (keyword? p)) (with-meta (symbol (name p)) (if (symbol? p) (meta p) nil)) nil)
        value (if (and local (contains? defaults local))
                (list 'clojure.core/get m k (get defaults local))
                (list 'clojure.core/get m k))]
    (destructure-into out (if local local p) value)))

(defn- destructure-map
  "Adds the bindings of map pattern b, whose value is the symbol v, to out."
  [out b v]
  (let [m (gensym "map__")
        defaults (or (get b :or) {})
        out (conj out m (list 'if (list 'clojure.core/seq? v)
                              (list 'clojure.core/seq-to-map-for-destructuring v)
                              v))
        out (if (contains? b :as)
              (if (symbol? (get b :as))
                (conj out (get b :as) m)
                (yin.rt/raise :syntax ":as takes a symbol"))
              out)]
    (loop [out out entries (seq b)]
      (if entries
        (let [e (first entries)
              k (key e)
              x (val e)
              group (key-group k)]
          (cond
            (or (= k :as) (= k :or)) (recur out (next entries))
            group
            (if (or (vector? x) (seq? x))
              (recur (loop [out out xs (seq x)]
                       (if xs
                         (if (or (symbol? (first xs)) (keyword? (first xs)))
                           (recur (destructure-key out (first xs) (group (first xs)) m defaults) (next xs))
                           (yin.rt/raise :syntax (str "Unsupported binding form: " (pr-str (first xs)))))
                         out))
                     (next entries))
              (yin.rt/raise :syntax (str (pr-str k) " takes a vector of symbols")))
            (keyword? k) (yin.rt/raise :syntax (str "Unsupported binding form: " (pr-str k)))
            :else (recur (destructure-key out k x m defaults) (next entries))))
        out))))

(defn- destructure-into
  "Adds to the vector `out` the plain bindings that bind pattern b to the value of form x."
  [out b x]
  (cond
    (symbol? b)
    (if (namespace b)
      (yin.rt/raise :syntax (str "Can't let qualified name: " b))
      (conj out b x))
    (vector? b)
    (let [v (gensym "vec__")] (destructure-vector (conj out v x) b v))
    (map? b)
    (let [v (gensym "map__")] (destructure-map (conj out v x) b v))
    :else (yin.rt/raise :syntax (str "Unsupported binding form: " (pr-str b)))))

(defn- check-bindings
  "Refuses what is no binding vector."
  [what bindings]
  (if (vector? bindings)
    (if (even? (count bindings))
      bindings
      (yin.rt/raise :syntax (str what " requires an even number of forms in binding vector")))
    (yin.rt/raise :syntax (str what " requires a vector for its binding"))))

(defn destructure
  "A binding vector with patterns as one with symbols only."
  [bindings]
  (loop [out [] i 0]
    (if (< i (count bindings))
      (recur (destructure-into out (nth bindings i) (nth bindings (inc i))) (+ i 2))
      out)))

(def ^{:macro true :doc "Evaluates body with names bound, one after the other; names may be patterns." :arglists '([bindings & body])} let
  (fn* [&form &env & decl]
    (if decl
      (cons 'let* (cons (destructure (check-bindings "let" (first decl))) (next decl)))
      (yin.rt/raise :syntax "let requires a vector for its binding"))))

(defn- all-symbols?
  "Are the binders of a binding vector plain?"
  [bindings]
  (loop [i 0]
    (if (< i (count bindings))
      (if (symbol? (nth bindings i)) (recur (+ i 2)) false)
      true)))

(def ^{:macro true :doc "let, and the target of recur with one value for each name." :arglists '([bindings & body])} loop
  (fn* [&form &env & decl]
    (if decl
      (let [bindings (check-bindings "loop" (first decl))
            body (next decl)]
        (if (all-symbols? bindings)
          (cons 'loop* (cons bindings body))
          (let [n (count bindings)]
            (loop [i 0 outer [] inner [] pats []]
              (if (< i n)
                (let [b (nth bindings i)
                      x (nth bindings (inc i))
                      g (if (symbol? b) b (gensym "loop__"))]
                  (recur (+ i 2)
                         (if (symbol? b) (conj outer g x) (conj outer g x b g))
                         (conj inner g g)
                         (if (symbol? b) pats (conj pats b g))))
                (list 'clojure.core/let outer
                      (list 'loop* inner
                            (cons 'clojure.core/let (cons pats body)))))))))
      (yin.rt/raise :syntax "loop requires a vector for its binding"))))

;; ---- fn

(defn- condition-forms [conds]
  (loop [out [] cs (seq conds)]
    (if cs
      (recur (conj out (list 'clojure.core/assert (first cs))) (next cs))
      out)))

(defn- with-conditions
  "A function body with its :pre and :post conditions as assertions."
  [params body]
  (let [m (if (and (next body) (map? (first body))) (first body) nil)
        body (if m (next body) body)
        m (or m (meta params))
        pre (get m :pre)
        post (get m :post)]
    (if (or pre post)
      (let [body (if post
                   (list (list 'clojure.core/let ['% (cons 'do body)]
                               (cons 'do (concat (condition-forms post) (list '%)))))
                   body)]
        (concat (condition-forms pre) body))
      body)))

(defn- plain-arity
  "An arity with patterns among its parameters as one with symbols only."
  [a]
  (let [params (first a)
        body (with-conditions params (next a))]
    (if (plain-params? params)
      (cons params body)
      (loop [i 0 out [] bindings []]
        (if (< i (count params))
          (let [p (nth params i)]
            (if (symbol? p)
              (recur (inc i) (conj out p) bindings)
              (if (or (vector? p) (map? p))
                (let [g (gensym "p__")]
                  (recur (inc i) (conj out g) (conj bindings p g)))
                (yin.rt/raise :syntax (str "Unsupported binding form: " (pr-str p))))))
          (list out (cons 'clojure.core/let (cons bindings body))))))))

(def ^{:macro true :doc "A function: (fn name? [params] body…), or with several arities ([params] body…)."
       :arglists '([name? [params*] exprs*] [name? ([params*] exprs*) +])}
  fn
  (fn* [&form &env & decl]
    (let* [name (if (symbol? (first decl)) (list (first decl)) nil)
           decl (if name (next decl) decl)
           arities (arity-forms decl)
           _ (check-arities "fn" arities)
           plain (loop* [as (seq arities) out []]
                   (if as (recur (next as) (conj out (plain-arity (first as)))) out))
           form (cons 'fn* (concat name plain))
           m (meta &form)
           m (if m (dissoc m :line :column :file :end-line :end-column) nil)]
      (if (seq m) (list 'clojure.core/with-meta form m) form))))

(defmacro declare
  "Defines names without values, for uses before their definitions."
  [& names]
  (loop [out [] ns (seq names)]
    (if ns
      (recur (conj out (list 'def (with-meta (first ns) (conj {:declared true} (or (meta (first ns)) {}))))) (next ns))
      (cons 'do out))))

(defmacro defonce
  "Defines name unless it has a value."
  [name expr]
  (let [v (gensym "var__")]
    (list 'clojure.core/let [v (list 'def name)]
          (list 'clojure.core/when-not (list 'clojure.core/bound? v)
                (list 'def name expr)))))

;; ---- threading

(defmacro ->
  "Passes x through the forms as their first argument."
  [x & forms]
  (loop [x x forms forms]
    (if forms
      (let [f (first forms)]
        (recur (if (seq? f)
                 (with-meta (cons (first f) (cons x (next f))) (meta f))
                 (list f x))
               (next forms)))
      x)))

(defmacro ->>
  "Passes x through the forms as their last argument."
  [x & forms]
  (loop [x x forms forms]
    (if forms
      (let [f (first forms)]
        (recur (if (seq? f)
                 (with-meta (concat f (list x)) (meta f))
                 (list f x))
               (next forms)))
      x)))

(defn- steps
  "A let that binds name to each form in turn and yields the last."
  [name start forms]
  (if (seq forms)
    (loop [bindings [name start] forms (seq forms)]
      (if (next forms)
        (recur (conj bindings name (first forms)) (next forms))
        `(let ~bindings ~(first forms))))
    start))

(defn- map-forms
  "(f x) for every x, at once, as a vector."
  [f xs]
  (loop [out [] xs (seq xs)]
    (if xs (recur (conj out (f (first xs))) (next xs)) out)))

(defn- pairs-of
  "Groups of two of a seq of even length, else a syntax error."
  [what xs]
  (loop [out [] xs (seq xs)]
    (if xs
      (if (next xs)
        (recur (conj out [(first xs) (second xs)]) (nnext xs))
        (yin.rt/raise :syntax (str what " requires an even number of forms")))
      out)))

(defmacro as->
  "Binds name to expr and then to each form in turn; the last value."
  [expr name & forms]
  (steps name expr forms))

(defmacro some->
  "Like ->, but nil ends it."
  [expr & forms]
  (let [g (gensym "some__")]
    (steps g expr (map-forms (fn [f] `(if (nil? ~g) nil (-> ~g ~f))) forms))))

(defmacro some->>
  "Like ->>, but nil ends it."
  [expr & forms]
  (let [g (gensym "some__")]
    (steps g expr (map-forms (fn [f] `(if (nil? ~g) nil (->> ~g ~f))) forms))))

(defmacro cond->
  "Passes expr through the forms whose tests hold, as first argument."
  [expr & clauses]
  (let [g (gensym "cond__")]
    (steps g expr (map-forms (fn [p] `(if ~(first p) (-> ~g ~(second p)) ~g)) (pairs-of "cond->" clauses)))))

(defmacro cond->>
  "Passes expr through the forms whose tests hold, as last argument."
  [expr & clauses]
  (let [g (gensym "cond__")]
    (steps g expr (map-forms (fn [p] `(if ~(first p) (->> ~g ~(second p)) ~g)) (pairs-of "cond->>" clauses)))))

(defmacro doto
  "Evaluates the forms with x as first argument; x."
  [x & forms]
  (let [g (gensym "doto__")]
    `(let [~g ~x]
       ~@(map-forms (fn [f] (if (seq? f)
                              (with-meta (cons (first f) (cons g (next f))) (meta f))
                              (list f g)))
                    forms)
       ~g)))

(defmacro ..
  "Member calls, one on the result of the other."
  ([x form] `(. ~x ~form))
  ([x form & more] `(.. (. ~x ~form) ~@more)))

(defmacro comment "Ignores its body." [& body] nil)

;; ---- choice

(defn- one-binding [what bindings]
  (if (and (vector? bindings) (= 2 (count bindings)))
    bindings
    (yin.rt/raise :syntax (str what " requires exactly 2 forms in binding vector"))))

(defn- args-or-syntax
  "The arguments of a macro call if there are enough of them, else a syntax error."
  [what args least most]
  (let [n (count args)]
    (if (and (>= n least) (or (nil? most) (<= n most)))
      args
      (yin.rt/raise :syntax (str "Call to " what " did not conform: " n " forms")))))

(defmacro if-let
  "then with the name bound to the test's value if that is true, else the other form."
  {:arglists '([bindings then] [bindings then else & oldform])}
  [& args]
  (let [[bindings then else] (args-or-syntax "if-let" args 2 3)
        [form test] (one-binding "if-let" bindings)
        g (gensym "if__")]
    `(let [~g ~test]
       (if ~g (let [~form ~g] ~then) ~else))))

(defmacro when-let
  "body with the name bound to the test's value, if that is true."
  {:arglists '([bindings & body])}
  [& args]
  (let [[bindings & body] (args-or-syntax "when-let" args 1 nil)
        [form test] (one-binding "when-let" bindings)
        g (gensym "when__")]
    `(let [~g ~test]
       (when ~g (let [~form ~g] ~@body)))))

(defmacro if-some
  "then with the name bound to the test's value unless that is nil, else the other form."
  {:arglists '([bindings then] [bindings then else & oldform])}
  [& args]
  (let [[bindings then else] (args-or-syntax "if-some" args 2 3)
        [form test] (one-binding "if-some" bindings)
        g (gensym "if__")]
    `(let [~g ~test]
       (if (nil? ~g) ~else (let [~form ~g] ~then)))))

(defmacro when-some
  "body with the name bound to the test's value, unless that is nil."
  {:arglists '([bindings & body])}
  [& args]
  (let [[bindings & body] (args-or-syntax "when-some" args 1 nil)
        [form test] (one-binding "when-some" bindings)
        g (gensym "when__")]
    `(let [~g ~test]
       (if (nil? ~g) nil (let [~form ~g] ~@body)))))

(defmacro when-first
  "body with the name bound to the first element, if there is one."
  [bindings & body]
  (let [[form coll] (one-binding "when-first" bindings)
        g (gensym "seq__")]
    `(let [~g (seq ~coll)]
       (when ~g (let [~form (first ~g)] ~@body)))))

(defmacro condp
  "The expression of the first clause whose test makes (pred test expr) true; with :>> its function of that value."
  [pred expr & clauses]
  (let [p (gensym "pred__")
        x (gensym "expr__")
        emit (fn emit [cs]
               (cond
                 (nil? cs) `(yin.rt/raise :no-clause (str "No matching clause: " ~x))
                 (nil? (next cs)) (first cs)
                 (= :>> (second cs))
                 (let [g (gensym "p__")]
                   (if (nnext cs)
                     `(let [~g (~p ~(first cs) ~x)]
                        (if ~g (~(first (nnext cs)) ~g) ~(emit (next (nnext cs)))))
                     (yin.rt/raise :syntax "condp: :>> takes a function")))
                 :else `(if (~p ~(first cs) ~x) ~(second cs) ~(emit (nnext cs)))))]
    `(let [~p ~pred ~x ~expr]
       ~(emit (seq clauses)))))

(defmacro case
  "The expression of the clause whose constant equals the value of expr. A list groups constants; a last single form is the
  default."
  [expr & clauses]
  (let [default? (odd? (count clauses))
        g (gensym "case__")
        default (if default?
                  (last clauses)
                  `(yin.rt/raise :no-clause (str "No matching clause: " ~g)))
        n (quot (count clauses) 2)]
    (loop [i 0 cs (seq clauses) rows [] seen #{}]
      (if (< i n)
        (let [k (first cs)
              ks (if (seq? k) (map-forms (fn [x] x) k) [k])
              seen (loop [seen seen j 0]
                     (if (< j (count ks))
                       (if (contains? seen (nth ks j))
                         (yin.rt/raise :syntax (str "Duplicate case test constant: " (pr-str (nth ks j))))
                         (recur (conj seen (nth ks j)) (inc j)))
                       seen))]
          (recur (inc i) (nnext cs) (if (zero? (count ks)) rows (conj rows ks (second cs))) seen))
        `(let* [~g ~expr] (case* ~g ~default ~@rows))))))

;; ---- loops

(defmacro while
  "Runs body as long as test is true."
  [test & body]
  `(loop [] (when ~test ~@body (recur))))

(defmacro dotimes
  "Runs body with the name bound to 0, 1 … n - 1."
  [bindings & body]
  (let [[i n] (one-binding "dotimes" bindings)
        end (gensym "n__")]
    `(let [~end (long ~n)]
       (loop [~i 0]
         (when (< ~i ~end)
           ~@body
           (recur (inc ~i)))))))

(defn- comprehension-groups
  "The bindings of for and doseq as groups: [pattern, collection, modifiers as [keyword form] …]."
  [what bindings]
  (check-bindings what bindings)
  (loop [i 0 groups []]
    (if (< i (count bindings))
      (let [k (nth bindings i)
            x (nth bindings (inc i))]
        (if (keyword? k)
          (if (and (seq groups) (or (= k :let) (= k :when) (= k :while)))
            (let [[p c ms] (peek groups)]
              (recur (+ i 2) (conj (pop groups) [p c (conj ms [k x])])))
            (yin.rt/raise :syntax (str "Invalid '" what "' keyword " k)))
          (recur (+ i 2) (conj groups [k x []]))))
      groups)))

(defn- with-modifiers
  "inner under the modifiers of a comprehension; `skip` goes on with the next element."
  [modifiers inner skip]
  (if (seq modifiers)
    (let [[k x] (first modifiers)
          more (with-modifiers (next modifiers) inner skip)]
      (cond
        (= k :let) `(let ~x ~more)
        (= k :when) `(if ~x ~more ~skip)
        :else `(if ~x ~more nil)))
    inner))

(defmacro doseq
  "Runs body for every combination of elements, the last binding fastest; :let, :when and :while as in for."
  [seq-exprs & body]
  (let [emit (fn emit [groups]
               (if (seq groups)
                 (let [[p c ms] (first groups)
                       s (gensym "seq__")
                       skip `(recur (next ~s))]
                   `(loop [~s (seq ~c)]
                      (when ~s
                        (let [~p (first ~s)]
                          ~(with-modifiers ms `(do ~(emit (next groups)) ~skip) skip)))))
                 `(do ~@body nil)))]
    (emit (comprehension-groups "doseq" seq-exprs))))

(defmacro for
  "A lazy seq of the value of body for every combination of elements, the last binding fastest. :let binds more names, :when
  skips, :while ends."
  [seq-exprs body-expr]
  (let [groups (comprehension-groups "for" seq-exprs)
        emit (fn emit [groups]
               (let [[p c ms] (first groups)
                     step (gensym "step__")
                     s (gensym "s__")
                     xs (gensym "xs__")
                     skip `(recur (next ~xs))
                     inner (if (next groups)
                             (let [ys (gensym "ys__")]
                               `(let [~ys (seq ~(emit (next groups)))]
                                  (if ~ys
                                    (concat ~ys (~step (rest ~xs)))
                                    ~skip)))
                             `(cons ~body-expr (~step (rest ~xs))))]
                 `((fn ~step [~s]
                     (lazy-seq
                       (loop [~xs (seq ~s)]
                         (when ~xs
                           (let [~p (first ~xs)]
                             ~(with-modifiers ms inner skip))))))
                   ~c)))]
    (if (seq groups)
      (emit groups)
      (yin.rt/raise :syntax "for requires a binding"))))

;; ---- errors and effects

(def ^:dynamic *assert* "Do assertions check?" true)

(defmacro assert
  "An error unless x is true."
  ([x]
   (if *assert*
     `(when-not ~x
        (yin.rt/raise :assert (str "Assert failed: " (pr-str '~x))))
     nil))
  ([x message]
   (if *assert*
     `(when-not ~x
        (yin.rt/raise :assert (str "Assert failed: " ~message "\n" (pr-str '~x))))
     nil)))

(defmacro delay "A value computed when it is first asked for." [& body]
  `(yin.rt/delay (fn [] ~@body)))

(defmacro letfn
  "body with functions that see each other."
  [fnspecs & body]
  (if (vector? fnspecs)
    `(letfn* ~(loop [out [] fs (seq fnspecs)]
                (if fs
                  (if (and (seq? (first fs)) (symbol? (first (first fs))))
                    (recur (conj out (first (first fs)) (cons `fn (first fs))) (next fs))
                    (yin.rt/raise :syntax "letfn takes functions: (name [params] body…)"))
                  out))
       ~@body)
    (yin.rt/raise :syntax "letfn requires a vector of functions")))

(defn- var-form [name]
  (if (symbol? name)
    (list 'var name)
    (yin.rt/raise :syntax (str "binding takes names, not " (pr-str name)))))

(defmacro binding
  "Evaluates body with dynamic vars bound to new values, computed before any is bound."
  [bindings & body]
  (check-bindings "binding" bindings)
  `(yin.rt/with-bindings (fn [] ~@body)
     ~@(loop [out [] i 0]
         (if (< i (count bindings))
           (recur (conj out (var-form (nth bindings i)) (nth bindings (inc i))) (+ i 2))
           out))))

(defmacro with-redefs
  "Evaluates body while vars have other root values."
  [bindings & body]
  (check-bindings "with-redefs" bindings)
  `(with-redefs-fn
     (hash-map ~@(loop [out [] i 0]
                   (if (< i (count bindings))
                     (recur (conj out (var-form (nth bindings i)) (nth bindings (inc i))) (+ i 2))
                     out)))
     (fn [] ~@body)))

(defmacro with-local-vars
  "Evaluates body with names bound to new vars."
  [name-vals-vec & body]
  (check-bindings "with-local-vars" name-vals-vec)
  (let [n (count name-vals-vec)
        names (loop [out [] i 0] (if (< i n) (recur (conj out (nth name-vals-vec i)) (+ i 2)) out))
        values (loop [out [] i 1] (if (< i n) (recur (conj out (nth name-vals-vec i)) (+ i 2)) out))]
    `(let [~@(loop [out [] i 0]
               (if (< i (count names))
                 (recur (conj out (nth names i) `(yin.rt/make-var)) (inc i))
                 out))]
       (yin.rt/with-bindings (fn [] ~@body)
         ~@(loop [out [] i 0]
             (if (< i (count names))
               (recur (conj out (nth names i) (nth values i)) (inc i))
               out))))))

(defmacro with-open
  "Evaluates body with names bound to things that are closed afterwards, the last first."
  [bindings & body]
  (check-bindings "with-open" bindings)
  (if (zero? (count bindings))
    `(do ~@body)
    (if (symbol? (nth bindings 0))
      `(let [~(nth bindings 0) ~(nth bindings 1)]
         (try
           (with-open ~(subvec bindings 2) ~@body)
           (finally (. ~(nth bindings 0) ~'close))))
      (yin.rt/raise :syntax "with-open only allows Symbols in bindings"))))

(defmacro with-out-str
  "The text that body prints."
  [& body]
  `(let [out# (yin.rt/buffer)]
     (binding [*out* out#]
       ~@body
       (str out#))))

(defmacro with-in-str
  "Evaluates body with *in* reading the text s."
  [s & body]
  `(let [in# (yin.rt/string-reader ~s)]
     (binding [*in* in#]
       ~@body)))

(defmacro time
  "Prints how long expr takes; its value."
  [expr]
  `(let [start# (System/nanoTime)
         value# ~expr]
     (prn (str "Elapsed time: " (/ (double (quot (- (System/nanoTime) start#) 1000)) 1000.0) " msecs"))
     value#))

(defmacro locking "Evaluates body without letting other threads run, except where it waits." [x & body]
  `(do ~x
       (-hold)
       (try ~@body (finally (-release)))))

(defmacro dosync "A transaction: changes of refs in body happen together or not at all." [& body]
  `(yin.rt/transaction (fn [] ~@body)))

(defmacro sync "dosync with flags, which are ignored." [_flags-ignored-for-now & body]
  `(dosync ~@body))

(defmacro io! "An error inside a transaction." [& body]
  (let [message (if (string? (first body)) (first body) "I/O in transaction")
        body (if (string? (first body)) (next body) body)]
    `(if (in-transaction?)
       (throw (IllegalStateException. ~message))
       (do ~@body))))

(defmacro future "Runs body, at the latest when its value is asked for." [& body]
  `(future-call (fn [] ~@body)))

(defmacro pvalues "A lazy seq of the values of exprs." [& exprs]
  `(pcalls ~@(map-forms (fn [x] `(fn [] ~x)) exprs)))

(defmacro bound-fn "A function that runs with the dynamic bindings in force here." [& fntail]
  `(bound-fn* (fn ~@fntail)))

(defmacro vswap! "Sets volatile vol to (f value args…)." [vol f & args]
  `(let [v# ~vol] (vreset! v# (~f (deref v#) ~@args))))

(defmacro lazy-cat "The concatenation of colls, each evaluated when it is reached." [& colls]
  `(concat ~@(map-forms (fn [c] `(lazy-seq ~c)) colls)))

(defmacro memfn "A function that calls the method `name`." [name & args]
  (let [g (gensym "target__")]
    `(fn [~g ~@args] (. ~g (~name ~@args)))))

(defmacro areduce
  "Reduces array a: idx and ret are bound to the index and the result so far."
  [a idx ret init expr]
  `(let [a# ~a n# (alength a#)]
     (loop [~idx 0 ~ret ~init]
       (if (< ~idx n#)
         (recur (inc ~idx) ~expr)
         ~ret))))

(defmacro amap
  "An array like a with expr at every index; idx and ret are bound to the index and the new array."
  [a idx ret expr]
  `(let [a# ~a n# (alength a#) ~ret (aclone a#)]
     (loop [~idx 0]
       (if (< ~idx n#)
         (do (aset ~ret ~idx ~expr)
             (recur (inc ~idx)))
         ~ret))))

(defmacro with-bindings
  "Evaluates body with the vars of a map bound to its values."
  [binding-map & body]
  `(with-bindings* ~binding-map (fn [] ~@body)))

(defmacro with-precision
  "Evaluates body with decimals rounded to precision digits; a rounding mode may follow: :rounding MODE."
  [precision & exprs]
  (let [[exprs mode] (if (= (first exprs) :rounding)
                       [(next (next exprs)) (keyword (name (second exprs)))]
                       [exprs :HALF_UP])]
    `(binding [*math-context* [~precision ~mode]]
       ~@exprs)))

;; ---- the rest of the namespace

(yin.rt/load-ns 'clojure.core.seqs)
(yin.rt/load-ns 'clojure.core.refs)
(yin.rt/load-ns 'clojure.core.types)
(yin.rt/load-ns 'clojure.core.print)
(yin.rt/load-ns 'clojure.core.tasks)
(yin.rt/load-ns 'clojure.core.host)
(yin.rt/load-ns 'clojure.core.namespaces)
(yin.rt/load-ns 'clojure.core.async)
(yin.rt/load-ns 'yin.control)
