;; References: atoms, refs, agents, vars and their bindings. Parts of a reference by index: metadata 1, watches 2, validator 3.
(in-ns 'clojure.core)

(declare ex-info)

;; ---- watches and validators

(defn- check-value [r v]
  (let [validator (yin.rt/cell-get r 3)]
    (when validator
      (when-not (validator v)
        (yin.rt/raise :state "Invalid reference state")))))

(defn- tell-watches [r old new]
  (let [watches (yin.rt/cell-get r 2)]
    (when watches
      (reduce-kv (fn [_ k f] (f k r old new) nil) nil watches))))

(defn add-watch "Calls (f key reference old new) after every change of the reference." [reference key f]
  (yin.rt/cell-set! reference 2 (assoc (or (yin.rt/cell-get reference 2) {}) key f))
  reference)

(defn remove-watch "Ends the watch of that key." [reference key]
  (yin.rt/cell-set! reference 2 (dissoc (yin.rt/cell-get reference 2) key))
  reference)

(defn set-validator! "Only values for which f is true may be set from now on." [reference f]
  (when f
    (when-not (f (if (var? reference) (yin.rt/var-part reference 2) (yin.rt/deref reference)))
      (yin.rt/raise :state "Invalid reference state")))
  (yin.rt/cell-set! reference 3 f)
  nil)

(defn get-validator "The validator of the reference, or nil." [reference] (yin.rt/cell-get reference 3))

(defn- init-ref [r options]
  (let [{:keys [meta validator]} options]
    (when meta (yin.rt/cell-set! r 1 meta))
    (when validator
      (when-not (validator (yin.rt/deref r))
        (yin.rt/raise :state "Invalid reference state"))
      (yin.rt/cell-set! r 3 validator))
    r))

;; ---- atoms

(defn atom "A reference to x, changed by swap! and reset!. Options: :meta, :validator."
  ([x] (yin.rt/atom x))
  ([x & options] (init-ref (yin.rt/atom x) (seq-to-map-for-destructuring options))))

(defn- set-atom [a old new]
  (check-value a new)
  (yin.rt/reset a new)
  (tell-watches a old new)
  new)

(defn- not-atom [a]
  (yin.rt/raise :type (str (pr-str (class a)) " cannot be cast to clojure.lang.IAtom")))

(defn- set-any [a old new]
  (if (yin.rt/atom? a) (set-atom a old new) (not-atom a)))

;; Threads may change places while f runs: the value counts only if the atom still has the one it was made from.

(defn swap! "Sets atom a to (f value args…). If another thread changed it meanwhile, once more: f is to have no effects."
  ([a f]
   (let [old (yin.rt/deref a) new (f old)]
     (cond (yin.rt/swap-plain a old new) new
           (identical? old (yin.rt/deref a)) (set-any a old new)
           :else (recur a f))))
  ([a f x]
   (let [old (yin.rt/deref a) new (f old x)]
     (cond (yin.rt/swap-plain a old new) new
           (identical? old (yin.rt/deref a)) (set-any a old new)
           :else (recur a f x))))
  ([a f x y]
   (let [old (yin.rt/deref a) new (f old x y)]
     (cond (yin.rt/swap-plain a old new) new
           (identical? old (yin.rt/deref a)) (set-any a old new)
           :else (recur a f x y))))
  ([a f x y z]
   (let [old (yin.rt/deref a) new (f old x y z)]
     (cond (yin.rt/swap-plain a old new) new
           (identical? old (yin.rt/deref a)) (set-any a old new)
           :else (recur a f x y z))))
  ;; Two keys for assoc.
  ([a f x y z w]
   (let [old (yin.rt/deref a) new (f old x y z w)]
     (cond (yin.rt/swap-plain a old new) new
           (identical? old (yin.rt/deref a)) (set-any a old new)
           :else (recur a f x y z w))))
  ([a f x y z w & args]
   (let [old (yin.rt/deref a) new (apply f old x y z w args)]
     (cond (yin.rt/swap-plain a old new) new
           (identical? old (yin.rt/deref a)) (set-any a old new)
           :else (recur a f x y z w args)))))

(defn reset! "Sets atom a to x." [a x]
  (let [old (yin.rt/deref a)]
    (if (yin.rt/swap-plain a old x) x (set-any a old x))))

(defn compare-and-set! "Sets atom a to new if its value is old; did it?" [a old new]
  (if (yin.rt/atom? a)
    (if (identical? old (yin.rt/deref a))
      (do (set-atom a old new) true)
      false)
    (not-atom a)))

(defn swap-vals! "swap!; [old new]." [a f & args]
  (let [old (yin.rt/deref a) new (apply f old args)]
    (cond (not (identical? old (yin.rt/deref a))) (recur a f args)
          (yin.rt/atom? a) (do (set-atom a old new) [old new])
          :else (not-atom a))))

(defn reset-vals! "reset!; [old new]." [a x]
  (if (yin.rt/atom? a)
    (let [old (yin.rt/deref a)]
      (set-atom a old x)
      [old x])
    (not-atom a)))

(defn force "The value of a delay; any other x is itself." [x] (if (delay? x) (yin.rt/deref x) x))

;; ---- metadata of references

(defn reset-meta! "Replaces the metadata of a namespace, var, atom, ref or agent." [r m]
  (yin.rt/set-meta! r m))

(defn alter-meta! "Sets the metadata of a reference to (f metadata args…)." [r f & args]
  (let [m (apply f (meta r) args)]
    (yin.rt/set-meta! r m)
    m))

;; ---- vars

(defn var-get "Value of var v." [v]
  (if (var? v) (yin.rt/deref v) (yin.rt/raise :type "var-get needs a var")))

(defn bound? "Have all the vars values?" [& vars]
  (every? (fn [v] (yin.rt/var-bound? v)) vars))

(defn alter-var-root "Sets var v to (f value args…)." [v f & args]
  (if (var? v)
    (let [old (yin.rt/var-part v 2)
          new (apply f old args)]
      (check-value v new)
      (yin.rt/var-set-root v new)
      (tell-watches v old new)
      new)
    (yin.rt/raise :type "alter-var-root needs a var")))

(defn- with-roots
  "Sets the roots of vars from a map; the map of their old roots."
  [m]
  (reduce-kv (fn [old v x]
               (let [before (yin.rt/var-part v 2)]
                 (yin.rt/var-set-root v x)
                 (assoc old v before)))
             {}
             m))

(defn with-redefs-fn "Calls f while the vars of a map have its values as roots." [binding-map f]
  (let [old (with-roots binding-map)]
    (try
      (f)
      (finally (with-roots old)))))

(defn- spread-pairs [m]
  (reduce-kv (fn [out k v] (conj out k v)) [] m))

(defn with-bindings* "Calls f with the vars of a map bound to its values." [binding-map f & args]
  (apply yin.rt/with-bindings (fn [] (apply f args)) (spread-pairs binding-map)))

(defn get-thread-bindings "A map of the vars bound here to their values." []
  (apply hash-map (yin.rt/current-bindings)))

(defn bound-fn* "f with the dynamic bindings in force here." [f]
  (let [bs (yin.rt/current-bindings)]
    (fn [& args]
      (apply yin.rt/with-bindings (fn [] (apply f args)) bs))))

(defn thread-bound? "Are all the vars bound here?" [& vars]
  (let [bs (get-thread-bindings)]
    (every? (fn [v] (contains? bs v)) vars)))

(intern 'yin.rt 'make-var
  (fn []
    (let [v (intern (create-ns 'yin.locals) (gensym "local"))]
      (yin.rt/var-set-flags v 1))))

(defn var-set "Sets a var bound here." [v x] (yin.rt/set-var v x))

;; ---- refs: transactions

(def ^:private transaction
  ;; nil, or an atom of the map of refs to values set in the running transaction.
  (yin.rt/atom nil))

(defn in-transaction? "Is a transaction running?" [] (some? (yin.rt/deref transaction)))

(defn ref "A reference changed in transactions. Options: :meta, :validator."
  ([x] (yin.rt/make-ref x 0))
  ([x & options] (init-ref (yin.rt/make-ref x 0) (seq-to-map-for-destructuring options))))

(defn- agent? [x] (and (yin.rt/ref? x) (instance? clojure.lang.Agent x)))
(defn- stm-ref? [x] (and (yin.rt/ref? x) (not (agent? x))))

(defn- log-of [r]
  (when-not (stm-ref? r)
    (yin.rt/raise :type (str (pr-str (class r)) " cannot be cast to clojure.lang.Ref")))
  (or (yin.rt/deref transaction)
      (yin.rt/raise :state "No transaction running")))

(defn- set-in-transaction [r x]
  (let [log (log-of r)]
    (check-value r x)
    (when-not (contains? (yin.rt/deref log) r)
      (yin.rt/reset log (assoc (yin.rt/deref log) r (yin.rt/deref r))))
    (yin.rt/reset r x)
    x))

(declare -hold -release)

(intern 'yin.rt 'transaction
  ;; Refs are set at once and put back if the transaction fails: other threads do not run in between.
  (fn [f]
    (if (in-transaction?)
      (f)
      (let [log (yin.rt/atom {})
            done (volatile! false)
            _ (-hold)
            v (try
                (yin.rt/reset transaction log)
                (let [v (f)]
                  (vreset! done true)
                  v)
                (finally
                  (-release)
                  (yin.rt/reset transaction nil)
                  (when-not (yin.rt/deref done)
                    (reduce-kv (fn [_ r old] (yin.rt/reset r old) nil) nil (yin.rt/deref log)))))]
        (reduce-kv (fn [_ r old] (tell-watches r old (yin.rt/deref r)) nil) nil (yin.rt/deref log))
        v))))

(defn ref-set "Sets a ref in a transaction." [r x] (set-in-transaction r x))
(defn alter "Sets a ref to (f value args…) in a transaction." [r f & args]
  (log-of r)
  (set-in-transaction r (apply f (yin.rt/deref r) args)))
(defn commute "Sets a ref to (f value args…) in a transaction." [r f & args]
  (log-of r)
  (set-in-transaction r (apply f (yin.rt/deref r) args)))
(defn ensure "The value of a ref, which nothing else changes in this transaction." [r]
  (log-of r)
  (yin.rt/deref r))
(defn ref-history-count "0: no history is kept." [_r] 0)
(defn ref-min-history "0, or the ref." ([_r] 0) ([r _n] r))
(defn ref-max-history "10, or the ref." ([_r] 10) ([r _n] r))

;; ---- agents: actions run one after the other, at once

(def ^:dynamic *agent* "The agent whose action is running." nil)

(def ^:private agent-queues
  ;; Agents with actions that wait, to a vector of them; an action sent by an action waits for its end.
  (yin.rt/atom {}))

(defn agent "A reference changed by actions sent to it. Options: :meta, :validator, :error-handler, :error-mode."
  [x & options]
  (let [{:keys [error-handler error-mode] :as options} (seq-to-map-for-destructuring options)
        a (init-ref (yin.rt/make-ref x 1) options)]
    (yin.rt/cell-set! a 4 {:handler error-handler :mode (or error-mode (if error-handler :continue :fail)) :error nil})
    a))

(defn- need-agent [a]
  (when-not (agent? a)
    (yin.rt/raise :type (str (pr-str (class a)) " cannot be cast to clojure.lang.Agent"))))

(defn agent-error "The exception that stopped the agent, or nil." [a]
  (need-agent a)
  (:error (yin.rt/cell-get a 4)))

(defn- run-action [a f args]
  (let [old (yin.rt/deref a)]
    (try
      (let [new (binding [*agent* a] (apply f old args))]
        (check-value a new)
        (yin.rt/reset a new)
        (tell-watches a old new))
      (catch Throwable e
        (let [{:keys [handler mode] :as state} (yin.rt/cell-get a 4)]
          (when handler (handler a e))
          (when (= mode :fail)
            (yin.rt/cell-set! a 4 (assoc state :error e))))))))

(defn send "Sends agent a the action (f value args…)." [a f & args]
  (need-agent a)
  (when (agent-error a)
    (throw (ex-info "Agent is failed, needs restart" {} (agent-error a))))
  (let [waiting (yin.rt/deref agent-queues)
        busy (contains? waiting a)]
    (yin.rt/reset agent-queues (assoc waiting a (conj (get waiting a []) [f args])))
    (when-not busy
      (loop []
        (let [q (get (yin.rt/deref agent-queues) a)]
          (if (and (seq q) (nil? (agent-error a)))
            (let [[f args] (nth q 0)]
              (run-action a f args)
              (yin.rt/reset agent-queues
                            (assoc (yin.rt/deref agent-queues) a (subvec (get (yin.rt/deref agent-queues) a) 1)))
              (recur))
            (yin.rt/reset agent-queues (dissoc (yin.rt/deref agent-queues) a))))))
    a))

(defn send-off "Sends agent a an action." [a f & args] (apply send a f args))
(defn send-via "Sends agent a an action." [_executor a f & args] (apply send a f args))
(defn release-pending-sends "0: actions are never held back." [] 0)
(defn await "Waits until the actions sent so far are done." [& _agents] nil)
(defn await-for "Waits until the actions sent so far are done; true." [_timeout-ms & _agents] true)
(defn await1 "Waits until the actions sent so far are done." [a] a)
(defn shutdown-agents "Nothing: there are no threads." [] nil)
(defn agent-errors "The exceptions of the agent." [a] (when-let [e (agent-error a)] (list e)))
(defn restart-agent "Starts a failed agent again with a new value." [a new-state & _options]
  (need-agent a)
  (when-not (agent-error a)
    (throw (RuntimeException. "Agent does not need a restart")))
  (check-value a new-state)
  (yin.rt/cell-set! a 4 (assoc (yin.rt/cell-get a 4) :error nil))
  (yin.rt/reset a new-state)
  new-state)
(defn clear-agent-errors "Starts a failed agent again." [a] (restart-agent a (yin.rt/deref a)))
(defn error-handler "The agent's error handler." [a] (:handler (yin.rt/cell-get a 4)))
(defn set-error-handler! "Sets the agent's error handler." [a f]
  (yin.rt/cell-set! a 4 (assoc (yin.rt/cell-get a 4) :handler f)) nil)
(defn error-mode "The agent's error mode." [a] (:mode (yin.rt/cell-get a 4)))
(defn set-error-mode! "Sets the agent's error mode." [a mode]
  (yin.rt/cell-set! a 4 (assoc (yin.rt/cell-get a 4) :mode mode)) nil)

;; ---- exceptions

(defn ex-info "An exception with a map of data, and maybe a cause."
  ([msg data] (ex-info msg data nil))
  ([msg data cause]
   (if (map? data)
     (yin.rt/make-exception 'clojure.lang.ExceptionInfo msg data cause :user)
     (yin.rt/raise :argument "Additional data must be non-nil."))))
(defn ex-data "The data of an exception made by ex-info, or nil." [e] (yin.rt/ex-get e 2))
(defn ex-message "The message of an exception, or nil." [e] (yin.rt/ex-get e 1))
(defn ex-cause "The cause of an exception, or nil." [e] (yin.rt/ex-get e 3))

(defn Throwable->map "An exception as data." [e]
  (let [chain (loop [out [] e e] (if e (recur (conj out e) (ex-cause e)) out))
        entry (fn [x]
                (let [m {:type (symbol (str (yin.rt/type-symbol (class x))))}
                      m (if (ex-message x) (assoc m :message (ex-message x)) m)]
                  (if (ex-data x) (assoc m :data (ex-data x)) m)))
        root (peek chain)
        m {:via (mapv entry chain) :trace []}
        m (if (ex-message root) (assoc m :cause (ex-message root)) m)]
    (if (ex-data root) (assoc m :data (ex-data root)) m)))
