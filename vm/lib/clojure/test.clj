;; Unit tests: assertions, tests as functions in the metadata of vars, fixtures, runs and their reports.
(ns clojure.test
  (:require [clojure.template :as template]
            [clojure.stacktrace :as stacktrace]
            [clojure.string :as str]))

(def ^:dynamic *load-tests* "false: deftest defines nothing." true)
(def ^:dynamic *stack-trace-depth* "Most frames printed of an exception; nil for all." nil)
(def ^:dynamic *report-counters* "Counters of the running tests, in an atom; nil outside a run." nil)
(def ^:dynamic *initial-report-counters* "What a run starts to count from." {:test 0, :pass 0, :fail 0, :error 0})
(def ^:dynamic *testing-vars* "The tests being run, innermost first." ())
(def ^:dynamic *testing-contexts* "The descriptions of `testing`, innermost first." ())
(def ^:dynamic *assert-line* "Line of the assertion being evaluated." 0)
(def ^:dynamic *test-out* "Where reports go; the standard output when it is not bound to something else." nil)

(defmacro with-test-out
  "Runs body with reports going to *test-out*."
  [& body]
  `(binding [*out* (or *test-out* *out*)]
     ~@body))

(defn testing-vars-str
  "The tests being run, as text: names, and the place of the report m."
  [m]
  (str (reverse (map (fn [v] (:name (meta v))) *testing-vars*))
       " (" (:file m) ":" (:line m) ")"))

(defn testing-contexts-str
  "The descriptions of the running `testing` forms, outermost first."
  []
  (str/join " " (reverse *testing-contexts*)))

(defn inc-report-counter
  "Counts one more of kind name."
  [name]
  (when *report-counters*
    (swap! *report-counters* update name (fnil inc 0))))

;; ---- reports

(defmulti ^:dynamic report
  "Says something about a test run: m is a map with :type. May be rebound or extended."
  :type)

(defn file-position
  "File and line of a caller; not known here."
  [_n]
  ["NO_SOURCE_FILE" 0])

(defn do-report
  "Reports m, with the place it comes from if m does not name one."
  [m]
  (report (if (contains? #{:fail :error} (:type m))
            (merge {:file (or *file* "NO_SOURCE_FILE") :line *assert-line*} m)
            m)))

(defmethod report :default [m]
  (with-test-out (prn m)))

(defmethod report :pass [_m]
  (with-test-out (inc-report-counter :pass)))

(defn- print-contexts [m]
  (when (seq *testing-contexts*) (println (testing-contexts-str)))
  (when-let [message (:message m)] (println message)))

(defmethod report :fail [m]
  (with-test-out
    (inc-report-counter :fail)
    (println "\nFAIL in" (testing-vars-str m))
    (print-contexts m)
    (println "expected:" (pr-str (:expected m)))
    (println "  actual:" (pr-str (:actual m)))))

(defmethod report :error [m]
  (with-test-out
    (inc-report-counter :error)
    (println "\nERROR in" (testing-vars-str m))
    (print-contexts m)
    (println "expected:" (pr-str (:expected m)))
    (print "  actual: ")
    (let [actual (:actual m)]
      (if (instance? Throwable actual)
        (do (stacktrace/print-cause-trace actual *stack-trace-depth*) (newline))
        (prn actual)))))

(defmethod report :summary [m]
  (with-test-out
    (println "\nRan" (:test m) "tests containing" (+ (:pass m) (:fail m) (:error m)) "assertions.")
    (println (str (:fail m) " failures, " (:error m) " errors."))))

(defmethod report :begin-test-ns [m]
  (with-test-out
    (println "\nTesting" (ns-name (:ns m)))))

(defmethod report :end-test-ns [_m])
(defmethod report :begin-test-var [_m])
(defmethod report :end-test-var [_m])

;; ---- assertions

(defn get-possibly-unbound-var
  "Value of var v, or nil if it has none."
  [v]
  (when (bound? v) (var-get v)))

(defn function?
  "Is x a function, or a symbol that names one?"
  [x]
  (if (symbol? x)
    (when-let [v (resolve x)]
      (when (var? v)
        (when-let [value (get-possibly-unbound-var v)]
          (and (fn? value) (not (:macro (meta v)))))))
    (fn? x)))

(defn assert-predicate
  "Code of an assertion that calls a function: failures show the values of the arguments."
  [msg form]
  (let [pred (first form)]
    `(let [values# (list ~@(rest form))
           result# (apply ~pred values#)]
       (if result#
         (do-report {:type :pass, :message ~msg, :expected '~form, :actual (cons '~pred values#)})
         (do-report {:type :fail, :message ~msg, :expected '~form, :actual (list '~'not (cons '~pred values#))}))
       result#)))

(defn assert-any
  "Code of an assertion about the value of any form."
  [msg form]
  `(let [value# ~form]
     (if value#
       (do-report {:type :pass, :message ~msg, :expected '~form, :actual value#})
       (do-report {:type :fail, :message ~msg, :expected '~form, :actual value#}))
     value#))

(defmulti assert-expr
  "Code of the assertion `form`, by its operator. Extend it for assertions of one's own."
  (fn [_msg form]
    (cond (nil? form) :always-fail
          (seq? form) (first form)
          :else :default)))

(defmethod assert-expr :always-fail [msg _form]
  `(do-report {:type :fail, :message ~msg}))

(defmethod assert-expr :default [msg form]
  (if (and (sequential? form) (function? (first form)))
    (assert-predicate msg form)
    (assert-any msg form)))

(defmethod assert-expr 'instance? [msg form]
  `(let [class# ~(nth form 1)
         object# ~(nth form 2)
         result# (instance? class# object#)]
     (if result#
       (do-report {:type :pass, :message ~msg, :expected '~form, :actual (class object#)})
       (do-report {:type :fail, :message ~msg, :expected '~form, :actual (class object#)}))
     result#))

(defmethod assert-expr 'thrown? [msg form]
  (let [class (second form)
        body (nthnext form 2)]
    `(try
       ~@body
       (do-report {:type :fail, :message ~msg, :expected '~form, :actual nil})
       (catch ~class e#
         (do-report {:type :pass, :message ~msg, :expected '~form, :actual e#})
         e#))))

(defmethod assert-expr 'thrown-with-msg? [msg form]
  (let [class (nth form 1)
        re (nth form 2)
        body (nthnext form 3)]
    `(try
       ~@body
       (do-report {:type :fail, :message ~msg, :expected '~form, :actual nil})
       (catch ~class e#
         (if (re-find ~re (str (ex-message e#)))
           (do-report {:type :pass, :message ~msg, :expected '~form, :actual e#})
           (do-report {:type :fail, :message ~msg, :expected '~form, :actual e#}))
         e#))))

(defmacro try-expr
  "Evaluates an assertion; an exception in it is reported as an error."
  [msg form]
  `(try
     ~(assert-expr msg form)
     (catch Throwable t#
       (do-report {:type :error, :message ~msg, :expected '~form, :actual t#}))))

(defmacro is
  "Asserts that form is true; reports it if not. `(is (thrown? Class body…))` and `(is (thrown-with-msg? Class re body…))`
  assert that body throws."
  ([form] `(is ~form nil))
  ([form msg]
   (let [{:keys [line]} (meta &form)]
     (if line
       `(binding [*assert-line* ~line] (try-expr ~msg ~form))
       `(try-expr ~msg ~form)))))

(defmacro are
  "Asserts expr for each group of arguments, as many as argv has symbols."
  [argv expr & args]
  (if (or (and (empty? argv) (empty? args))
          (and (pos? (count argv)) (pos? (count args)) (zero? (mod (count args) (count argv)))))
    `(template/do-template ~argv (is ~expr) ~@args)
    (throw (IllegalArgumentException. "The number of args doesn't match are's argv."))))

(defmacro testing
  "Runs body with a description that reports show."
  [string & body]
  `(binding [*testing-contexts* (conj *testing-contexts* ~string)]
     ~@body))

;; ---- definitions

(defmacro with-test
  "Attaches tests to the var that definition defines."
  [definition & body]
  (if *load-tests*
    `(doto ~definition (alter-meta! assoc :test (fn [] ~@body)))
    definition))

(defmacro deftest
  "Defines a test: a function without parameters that is also the var's :test."
  [name & body]
  (when *load-tests*
    `(def ~(vary-meta name assoc :test `(fn [] ~@body))
       (fn [] (test-var (var ~name))))))

(defmacro deftest-
  "deftest with a private var."
  [name & body]
  (when *load-tests*
    `(deftest ~(vary-meta name assoc :private true) ~@body)))

(defmacro set-test
  "Gives an existing var a test."
  [name & body]
  (when *load-tests*
    `(alter-meta! (var ~name) assoc :test (fn [] ~@body))))

;; ---- fixtures

(defn- fixture-key [kind]
  (case kind
    :once ::once-fixtures
    :each ::each-fixtures
    (throw (IllegalArgumentException. (str "Unknown kind of fixture: " kind)))))

(defn use-fixtures
  "Functions of a function to run around all tests of the namespace (:once) or around each (:each)."
  [kind & fixtures]
  (alter-meta! *ns* assoc (fixture-key kind) fixtures))

(defn compose-fixtures
  "A fixture that runs fixture a around fixture b."
  [a b]
  (fn [f] (a (fn [] (b f)))))

(defn join-fixtures
  "One fixture of many, the first outermost."
  [fixtures]
  (reduce compose-fixtures (fn [f] (f)) fixtures))

;; ---- running

(defn test-var
  "Runs the test of var v."
  [v]
  (when-let [t (:test (meta v))]
    (binding [*testing-vars* (conj *testing-vars* v)]
      (do-report {:type :begin-test-var, :var v})
      (inc-report-counter :test)
      (try
        (t)
        (catch Throwable e
          (do-report {:type :error, :message "Uncaught exception, not in assertion."
                      :expected nil, :actual e})))
      (do-report {:type :end-test-var, :var v}))))

(defn test-vars
  "Runs the tests of vars, with the fixtures of their namespaces."
  [vars]
  (doseq [[ns vars] (group-by (fn [v] (find-ns (symbol (namespace (symbol v))))) vars)]
    (let [once (join-fixtures (::once-fixtures (meta ns)))
          each (join-fixtures (::each-fixtures (meta ns)))]
      (once (fn []
              (doseq [v vars]
                (when (:test (meta v))
                  (each (fn [] (test-var v))))))))))

(defn- in-order
  "Vars by the place of their definition, then by name: runs are the same every time."
  [vars]
  (sort-by (fn [v] (let [m (meta v)] [(or (:line m) 0) (or (:column m) 0) (str (:name m))])) vars))

(defn test-all-vars
  "Runs every test of namespace ns."
  [ns]
  (test-vars (in-order (vals (ns-interns ns)))))

(defn test-ns
  "Runs the tests of namespace ns (its function test-ns-hook instead, if it has one); the counters."
  [ns]
  (binding [*report-counters* (atom *initial-report-counters*)]
    (let [ns-obj (the-ns ns)]
      (do-report {:type :begin-test-ns, :ns ns-obj})
      (if-let [hook (find-var (symbol (str (ns-name ns-obj)) "test-ns-hook"))]
        ((var-get hook))
        (test-all-vars ns-obj))
      (do-report {:type :end-test-ns, :ns ns-obj}))
    @*report-counters*))

(defn run-tests
  "Runs the tests of the namespaces (of the current one if none is given), reports, and returns the summary."
  ([] (run-tests *ns*))
  ([& namespaces]
   (let [summary (assoc (apply merge-with + *initial-report-counters* (map test-ns namespaces)) :type :summary)]
     (do-report summary)
     summary)))

(defn run-all-tests
  "Runs the tests of all namespaces, or of those whose name matches re."
  ([] (apply run-tests (sort-by ns-name (all-ns))))
  ([re] (apply run-tests (filter (fn [ns] (re-matches re (name (ns-name ns)))) (sort-by ns-name (all-ns))))))

(defn run-test-var
  "Runs the one test of var v, reports, and returns the summary."
  [v]
  (binding [*report-counters* (atom *initial-report-counters*)]
    (let [ns-obj (find-ns (symbol (namespace (symbol v))))]
      (do-report {:type :begin-test-ns, :ns ns-obj})
      (test-vars [v])
      (do-report {:type :end-test-ns, :ns ns-obj})
      (let [summary (assoc @*report-counters* :type :summary)]
        (do-report summary)
        summary))))

(defmacro run-test
  "Runs the one test of that name."
  [test-symbol]
  (let [v (resolve test-symbol)]
    (cond
      (nil? v) `(throw (IllegalArgumentException. ~(str "Unable to resolve " test-symbol " to a test function.")))
      (not (:test (meta v))) `(throw (IllegalArgumentException. ~(str test-symbol " is not a test.")))
      :else `(run-test-var (var ~test-symbol)))))

(defn successful?
  "Did a run with this summary find no failure and no error?"
  [summary]
  (and (zero? (:fail summary 0)) (zero? (:error summary 0))))
