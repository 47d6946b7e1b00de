;; DataScript's interface over Yin's store. Databases, queries and transactions are primitives (vm/src/store); here is what
;; programs see: databases, datoms and entities as values, connections, and the calls that queries make of functions.
(ns datascript.core
  (:refer-clojure :exclude [filter]))

(def tx0 "Transaction ids start here; the first transaction is the next." 0x20000000)

;; ---- datoms

(declare datom? db? touch entity-value)

(deftype Datom [e a v tx added]
  clojure.lang.ILookup
  clojure.lang.Indexed
  clojure.lang.Seqable
  clojure.lang.Sequential
  clojure.lang.Counted
  clojure.lang.IFn
  java.lang.Comparable
  (valAt [this k] (. this valAt k nil))
  (valAt [_ k default]
    (case k :e e :a a :v v :tx tx :t tx :added added "e" e "a" a "v" v "tx" tx "added" added default))
  (containsKey [_ k] (contains? #{:e :a :v :tx :added} k))
  (nth [_ i]
    (case i 0 e 1 a 2 v 3 tx 4 added (throw (IndexOutOfBoundsException. (str "A datom has no element " i)))))
  (nth [_ i default] (case i 0 e 1 a 2 v 3 tx 4 added default))
  (count [_] 5)
  (seq [_] (list e a v tx added))
  (invoke [this k] (. this valAt k nil))
  (equiv [_ other] (and (instance? Datom other) (= e (:e other)) (= a (:a other)) (= v (:v other))))
  (hasheq [_] (hash [e a v]))
  (compareTo [_ other] (compare [e a v] [(:e other) (:a other) (:v other)]))
  (printed [_] (tagged-literal 'datascript/Datom [e a v tx added]))
  (toString [_] (str "#datascript/Datom " (pr-str [e a v tx added]))))

(defn datom "A datom; what is not given is the first transaction, and true."
  ([e a v] (->Datom e a v tx0 true))
  ([e a v tx] (->Datom e a v tx true))
  ([e a v tx added] (->Datom e a v tx added)))
(defn datom? "Is x a datom?" [x] (instance? Datom x))

;; ---- calls that primitives ask for: they are made here, then the primitive runs again with all answers

(defn- answered
  "What attempt gives once it has the answers of all calls that it asks for."
  [attempt]
  (loop [answers []]
    (let [r (attempt answers)]
      (if (nth r 0)
        (nth r 1)
        (recur (reduce (fn [as call] (conj as (apply (nth call 0) (subvec call 1)))) answers (nth r 1)))))))

;; ---- databases

(declare datoms)

(defn- rschema
  "The attributes of a schema by their properties."
  [schema]
  (reduce-kv (fn [m attr spec]
               (reduce-kv (fn [m k v]
                            (let [add (fn [m k] (assoc m k (conj (get m k #{}) attr)))]
                              (cond
                                (= k :db/unique) (-> m (add :db/unique) (add v) (add :db/index))
                                (= v :db.type/ref) (-> m (add :db.type/ref) (add :db/index))
                                (= v :db.cardinality/many) (add m :db.cardinality/many)
                                (true? v) (add m k)
                                (= k :db/tupleAttrs) (-> m (add :db.type/tuple) (add :db/index))
                                :else m)))
                          m spec))
             {} schema))

(deftype DB [held data]
  clojure.lang.ILookup
  clojure.lang.Counted
  clojure.lang.Seqable
  clojure.lang.IObj
  (valAt [this k] (. this valAt k nil))
  (valAt [this k default]
    (case k
      (:schema :max-eid :max-tx) (yin.rt/db-info this k)
      :rschema (rschema (yin.rt/db-info this :schema))
      (:eavt :aevt :avet :vaet) (datoms this k)
      default))
  (containsKey [_ k] (contains? #{:schema :rschema :max-eid :max-tx :eavt :aevt :avet} k))
  (count [this] (yin.rt/db-info this :count))
  (seq [this] (datoms this :eavt))
  (equiv [this other] (and (db? other) (yin.rt/db-equal? this other)))
  (hasheq [this] (yin.rt/db-info this :hash))
  (meta [_] data)
  (withMeta [_ m] (->DB held m))
  (printed [this]
    (tagged-literal 'datascript/DB
      {:schema (yin.rt/db-info this :schema)
       :datoms (mapv (fn [d] [(:e d) (:a d) (:v d) (:tx d)]) (datoms this :eavt))}))
  (toString [this] (pr-str this)))

(defn- db-of [held] (->DB held nil))

(defn db? "Is x a database?" [x] (and (instance? DB x) (yin.rt/db? x)))

(defn empty-db "A database without datoms. The schema is a map of attributes to their properties."
  ([] (empty-db nil))
  ([schema] (db-of (yin.rt/db-empty schema)))
  ([schema _options] (empty-db schema)))

(defn init-db "A database of datoms, or of vectors [e a v t]: faster than transacting them."
  ([datoms] (init-db datoms nil))
  ([datoms schema] (db-of (yin.rt/db-from schema datoms)))
  ([datoms schema _options] (init-db datoms schema)))

(defn schema "The schema of a database." [db] (yin.rt/db-info db :schema))
(defn with-schema "The database under another schema." [db schema] (db-of (yin.rt/db-with-schema db schema)))
(defn is-filtered "Is it a view on a database: filtered, as-of, since or history?" [db] (yin.rt/db-info db :filtered))
(defn entid "The entity id of a number, lookup ref or ident; nil if there is none." [db eid] (yin.rt/db-entid db eid))

;; ---- indexes

(defn- stream
  "Datoms of an index, made in growing portions as they are looked at."
  [db how index components]
  (let [from (fn from [i n ds]
               (if (< (count ds) n)
                 (seq ds)
                 (concat ds
                         (lazy-seq
                           (let [at (+ i n) n (* 8 n)]
                             (from at n (yin.rt/db-datoms Datom db how index components at n)))))))]
    ;; The first portion is made at once, so that errors come where the index is asked for.
    (from 0 32 (yin.rt/db-datoms Datom db how index components 0 32))))

(defn datoms "The datoms of an index (:eavt, :aevt, :avet, :vaet) that begin with these components, in its order."
  [db index & components]
  (stream db :datoms index (vec components)))
(defn find-datom "The first datom of an index that begins with these components, or nil." [db index & components]
  (first (yin.rt/db-datoms Datom db :datoms index (vec components) 0 1)))
(defn seek-datoms "The datoms of an index from these components on, to its end." [db index & components]
  (stream db :seek index (vec components)))
(defn rseek-datoms "The datoms of an index from these components back to its beginning." [db index & components]
  (stream db :rseek index (vec components)))
(defn index-range "The datoms of an indexed attribute with values between start and end, both included."
  [db attr start end]
  (stream db :range :avet [attr start end]))

;; ---- queries

(defn q
  "Answers a query. Inputs are databases, collections, values, rules and functions, as its :in says; (yin.db/program),
  (yin.db/runtime), (yin.db/instructions) and (yin.db/jit) are databases too."
  [query & inputs]
  (answered (fn [answers] (yin.db/-q query inputs answers))))

(defn pull-many "What a pull pattern wants of each of several entities."
  [db pattern eids]
  (answered (fn [answers] (yin.rt/db-pull db pattern eids answers))))
(defn pull "What a pull pattern wants of an entity: a map, or nil."
  [db pattern eid]
  (nth (pull-many db pattern [eid]) 0))

;; ---- entities

(deftype Entity [db eid cache touched]
  clojure.lang.ILookup
  clojure.lang.Associative
  clojure.lang.Seqable
  clojure.lang.Counted
  clojure.lang.IFn
  (valAt [this k] (entity-value this k nil))
  (valAt [this k default] (entity-value this k default))
  (containsKey [this k] (not= this (entity-value this k this)))
  (entryAt [this k] (let [v (entity-value this k this)] (when-not (= this v) (clojure.lang.MapEntry. k v))))
  (seq [this] (seq (deref (. (touch this) attributes))))
  (attributes [_] cache)
  (database [_] db)
  (isTouched [_] touched)
  (count [this] (count (deref (. (touch this) attributes))))
  (invoke [this k] (entity-value this k nil))
  (invoke [this k default] (entity-value this k default))
  (equiv [_ other] (and (instance? Entity other) (= eid (:db/id other)) (yin.rt/db-same? db (. other database))))
  (hasheq [_] (hash eid))
  (printed [_] (assoc (deref cache) :db/id eid))
  (toString [this] (pr-str this)))

(defn- entity-at [db eid] (->Entity db eid (volatile! {}) (volatile! false)))

(defn- entity-value [entity k default]
  (let [db (. entity database) cache (. entity attributes) eid (. entity eid)]
    (cond
      (= k :db/id) eid
      (contains? @cache k) (get @cache k)
      :else
      (let [found (yin.rt/db-get db eid k)]
        (if (nil? found)
          default
          (let [x (nth found 1)
                v (case (nth found 0)
                    :ref (entity-at db x)
                    :refs (into #{} (map (fn [e] (entity-at db e))) x)
                    x)]
            (vswap! cache assoc k v)
            v))))))

(defn entity? "Is x an entity?" [x] (instance? Entity x))
(defn entity "The entity of an id, lookup ref or ident, read as it is looked at; nil if nothing is known of it."
  [db eid]
  (let [e (yin.rt/db-entity db eid)]
    (when e (entity-at db e))))
(defn entity-db "The database an entity was made of." [entity] (. entity database))

(defn touch "Reads all attributes of an entity, and of its components; the entity." [entity]
  (when-not @(. entity isTouched)
    (vreset! (. entity isTouched) true)
    (let [db (. entity database)
          component? (fn [k] (get-in (schema db) [k :db/isComponent]))]
      (doseq [k (yin.rt/db-keys db (. entity eid))]
        (let [v (entity-value entity k nil)]
          (when (component? k)
            (if (set? v) (run! touch v) (when (entity? v) (touch v))))))))
  entity)

;; ---- transactions

(defrecord TxReport [db-before db-after tx-data tempids tx-meta])

(defn- item
  "A transaction's item as data."
  [x]
  (cond
    (datom? x) (if (:added x) [:db/add (:e x) (:a x) (:v x) (:tx x)] [:db/retract (:e x) (:a x) (:v x)])
    (record? x) (into {} x)
    :else x))
(defn- items [tx-data] (if (sequential? tx-data) (mapv item tx-data) tx-data))

(defn- called
  "The result of a transaction once all functions it calls have been: what attempt gives, or nil if it gives up."
  [attempt]
  (loop [answers []]
    (let [r (attempt answers)]
      (case (nth r 0)
        true (nth r 1)
        false (let [call (nth r 1)]
                (recur (conj answers (items (apply (nth call 0) (db-of (nth call 1)) (subvec call 2))))))
        nil))))

(defn- report [before [after tx-data tempids] tx-meta]
  (->TxReport before (db-of after) tx-data tempids tx-meta))

(defn with "What a transaction does to a database: a report with :db-after, :tx-data, :tempids and so on."
  ([db tx-data] (with db tx-data nil))
  ([db tx-data tx-meta]
   (let [tx (items tx-data)]
     (report db (called (fn [answers] (yin.rt/db-with Datom db tx nil answers))) tx-meta))))

(defn db-with "The database with a transaction on top." [db tx-data] (:db-after (with db tx-data)))

(defn- last-number
  "The next of the numbers that tempid counts down."
  [counter]
  (swap! counter dec))
(def ^:private tempids (atom -1000000))

(defn tempid "An id that stands for a new entity within one transaction."
  ([part] (if (= part :db.part/tx) :db/current-tx (last-number tempids)))
  ([part x] (if (= part :db.part/tx) :db/current-tx x)))
(defn resolve-tempid "The entity that a tempid became, by the :tempids of a report." [_db tempids id] (get tempids id))

;; ---- connections

(defprotocol Connection
  "A place that holds the newest value of a database."
  (-transact [conn tx-data tx-meta] "Runs a transaction; its report.")
  (-listeners [conn] "An atom with a map of keys to listeners."))

(defn conn? "Is x a connection?" [x]
  (boolean (and (or (instance? clojure.lang.Atom x) (satisfies? Connection x)) (db? @x))))

(defn conn-from-db "A connection that begins with a database." [db]
  (when-not (db? db)
    (throw (ex-info "A connection begins with a database" {:error :conn/database :form db})))
  (atom db :meta {:listeners (atom {})}))
(defn conn-from-datoms "A connection that begins with a database of datoms."
  ([datoms] (conn-from-db (init-db datoms)))
  ([datoms schema] (conn-from-db (init-db datoms schema)))
  ([datoms schema _options] (conn-from-datoms datoms schema)))
(defn create-conn "A connection that begins with an empty database."
  ([] (create-conn nil))
  ([schema] (conn-from-db (empty-db schema)))
  ([schema _options] (create-conn schema)))

(defn- listeners-of [conn]
  (if (instance? clojure.lang.Atom conn) (:listeners (meta conn)) (-listeners conn)))
(defn- tell [conn report]
  (run! (fn [f] (f report)) (vals @(listeners-of conn)))
  report)

(defn- check-conn [conn]
  (when-not (conn? conn)
    (throw (ex-info "A connection is needed" {:error :conn/type :form (str (type conn))}))))

(defn transact! "Runs a transaction on what a connection holds and tells the listeners; its report."
  ([conn tx-data] (transact! conn tx-data nil))
  ([conn tx-data tx-meta]
   (check-conn conn)
   (tell conn
         (if (instance? clojure.lang.Atom conn)
           ;; A function of the transaction may have let others run meanwhile.
           (loop []
             (let [before @conn
                   r (with before tx-data tx-meta)]
               (if (compare-and-set! conn before (:db-after r)) r (recur))))
           (-transact conn tx-data tx-meta)))))

(defn transact "transact!, as something to deref."
  ([conn tx-data] (transact conn tx-data nil))
  ([conn tx-data tx-meta] (let [r (transact! conn tx-data tx-meta)] (delay r))))
(defn transact-async "transact!, as something to deref."
  ([conn tx-data] (transact conn tx-data nil))
  ([conn tx-data tx-meta] (transact conn tx-data tx-meta)))

(defn db "What a connection holds." [conn] (check-conn conn) @conn)

(defn reset-conn! "Puts another database in place of what a connection holds; listeners are told of the difference."
  ([conn db] (reset-conn! conn db nil))
  ([conn db tx-meta]
   (check-conn conn)
   (when-not (instance? clojure.lang.Atom conn)
     (throw (ex-info "A database on disk is changed by transactions only" {:error :conn/logged})))
   (let [before @conn
         gone (map (fn [d] (->Datom (:e d) (:a d) (:v d) (:tx d) false)) (datoms before :eavt))]
     (reset! conn db)
     (tell conn (->TxReport before db (vec (concat gone (datoms db :eavt))) {} tx-meta))
     db)))
(defn reset-schema! "Puts what a connection holds under another schema." [conn schema]
  (check-conn conn)
  (swap! conn with-schema schema))

(defn listen! "Calls f with the report of each transaction; the key under which it does."
  ([conn f] (listen! conn (rand) f))
  ([conn key f]
   (check-conn conn)
   (swap! (listeners-of conn) assoc key f)
   key))
(defn unlisten! "Ends listen!." [conn key]
  (check-conn conn)
  (swap! (listeners-of conn) dissoc key)
  nil)

;; ---- views

(defn filter "The database with only the datoms that (pred db datom) keeps. pred is called for every datom, once, at once."
  [db pred]
  (let [all (datoms db :eavt)]
    (db-of (yin.rt/db-filter db (mapv (fn [d] (boolean (pred db d))) all)))))
(defn as-of "The database as it was after transaction t." [db t] (db-of (yin.rt/db-view db :as-of t)))
(defn since "Only the datoms that were asserted after transaction t and still hold." [db t]
  (db-of (yin.rt/db-view db :since t)))
(defn history "Every assertion and retraction, with true or false as the fifth place." [db]
  (db-of (yin.rt/db-view db :history nil)))

;; ---- text

(defn serializable "A database as plain maps, vectors, strings and numbers, which any format can write."
  ([db] (yin.rt/db-text db :serializable))
  ([db _options] (serializable db)))
(defn from-serializable "The database of what serializable gives."
  ([form] (db-of (yin.rt/db-read :serializable form)))
  ([form _options] (from-serializable form)))

(defn db-from-reader "The database of a read #datascript/DB." [form]
  (init-db (map (fn [[e a v tx]] (datom e a v (or tx tx0))) (:datoms form)) (:schema form)))
(defn datom-from-reader "The datom of a read #datascript/Datom." [form] (apply datom form))
(def data-readers "Functions of the tags that databases and datoms are printed with."
  {'datascript/Datom datom-from-reader 'datascript/DB db-from-reader})
(alter-var-root #'*data-readers* merge data-readers)

;; ---- UUIDs that sort by time

(defn squuid "A UUID that begins with the time in seconds."
  ([] (squuid (System/currentTimeMillis)))
  ([ms]
   (let [text (str (random-uuid))]
     (parse-uuid (str (format "%08x" (bit-and (quot ms 1000) 0xFFFFFFFF)) (subs text 8))))))
(defn squuid-time-millis "The time that squuid put into a UUID." [uuid]
  (* 1000 (Long/parseLong (subs (str uuid) 0 8) 16)))
