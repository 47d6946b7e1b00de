;; The cases of the store (datoms/tests/data/datalog.json) through datascript.core: prints what fails, and a closing line.
(require '[datascript.core :as d] '[clojure.data.json :as json] '[clojure.edn :as edn] '[clojure.string :as str])

(def host
  {:even even?
   :add2 (fn [x] (+ x 2))
   :half-even (fn [x] (when (even? x) (quot x 2)))
   :pair (fn [x] [x (* x x)])
   :next3 (fn [x] [x (+ x 1) (+ x 2)])
   :sum-sq (fn [xs] (reduce + (map (fn [x] (* x x)) xs)))
   :last-sorted (fn [xs] (last (sort xs)))
   :add-scaled (fn [k xs] (* k (reduce + xs)))
   :tx-inc (fn [db e a] [[:db/add e a (inc (or (:v (first (d/datoms db :eavt e a))) 0))]])
   :tx-two (fn [_db a v1 v2] [{a v1} {a v2}])
   :tx-none (fn [_db] [])
   :flt-no-age (fn [_db dt] (not= :p/age (:a dt)))
   :flt-odd-e (fn [_db dt] (odd? (:e dt)))
   :flt-adult (fn [db dt] (let [age (:v (first (d/datoms db :eavt (:e dt) :p/age)))] (or (nil? age) (>= age 18))))})

(defn put-in
  "A form with the functions and databases that its keywords name."
  [form db dbs]
  (let [go (fn go [x]
             (cond
               (and (keyword? x) (= "conf" (namespace x)) (= "db" (name x))) db
               (and (keyword? x) (= "conf.db" (namespace x))) (get dbs (name x))
               (and (keyword? x) (= "conf.fn" (namespace x))) (get host (keyword (name x)))
               (map? x) (into {} (map (fn [[k v]] [(go k) (go v)])) x)
               (vector? x) (mapv go x)
               (seq? x) (apply list (map go x))
               (set? x) (into #{} (map go) x)
               :else x))]
    (go form)))

(defn build [{:strs [schema txs tx_meta]}]
  (reduce (fn [db tx] (:db-after (d/with db (put-in (edn/read-string tx) nil nil) (when tx_meta (edn/read-string tx_meta)))))
          (d/empty-db (when schema (edn/read-string schema)))
          txs))

(defn database [{:strs [via view filter] :as one}]
  (let [db (build one)
        db (condp = via
             "serializable" (d/from-serializable (json/read-str (json/write-str (d/serializable db))))
             "reader" (edn/read-string {:readers d/data-readers} (pr-str db))
             "init-db" (d/init-db (d/datoms db :eavt) (d/schema db))
             db)
        db (if-let [n (get view "as_of")] (d/as-of db (+ d/tx0 n)) db)
        db (if-let [n (get view "since")] (d/since db (+ d/tx0 n)) db)
        db (if (get view "history") (d/history db) db)]
    (reduce (fn [db f] (d/filter db (put-in (edn/read-string f) nil nil))) db filter)))

(defn plain [x]
  (cond
    (d/entity? x) {:db/id (:db/id x)}
    (set? x) (into #{} (map plain) x)
    :else x))

(defn eav [dt] [(:e dt) (:a dt) (:v dt)])
(defn eavt [dt] (conj (eav dt) (:tx dt)))
(defn change [dt] (conj (eavt dt) (:added dt)))

(defn run [{:strs [op args schema txs tx_meta dbs] :as one}]
  (let [forms (mapv edn/read-string args)
        meta (when tx_meta (edn/read-string tx_meta))]
    (cond
      (= op "empty-db") (do (d/empty-db (first forms)) :ok)
      (= op "listen")
      (let [conn (d/create-conn (when schema (edn/read-string schema)))
            calls (atom [])
            key (d/listen! conn (fn [r] (swap! calls conj (conj (mapv change (:tx-data r)) (:tx-meta r)))))]
        (doseq [tx txs] (d/transact! conn (edn/read-string tx) meta))
        (d/unlisten! conn key)
        (d/transact! conn [[:db/add 1 :after "x"]] meta)
        @calls)
      :else
      (let [db (database one)
            others (into {} (map (fn [[k v]] [k (build v)])) dbs)
            [a & more :as args] (put-in forms db others)]
        (case op
          "schema" (d/schema db)
          "db" (mapv eavt (d/datoms db :eavt))
          "max" {:max-eid (:max-eid db) :max-tx (:max-tx db)}
          "q" (apply d/q args)
          "pull" (apply d/pull db args)
          "pull-many" (apply d/pull-many db args)
          "datoms" (mapv eav (apply d/datoms db args))
          "datoms-tx" (mapv eavt (apply d/datoms db args))
          "seek-datoms" (mapv eav (apply d/seek-datoms db args))
          "rseek-datoms" (mapv eav (apply d/rseek-datoms db args))
          "index-range" (mapv eav (apply d/index-range db args))
          "find-datom" (when-let [dt (apply d/find-datom db args)] (eav dt))
          "entid" (d/entid db a)
          "entity" (let [e (d/entity db a)]
                     (cond
                       (nil? e) nil
                       (empty? more) (into {:db/id (:db/id e)} (map (fn [[k v]] [k (plain v)])) (d/touch e))
                       :else (plain (reduce get e more))))
          "entity-keys" (set (keys (d/touch (d/entity db a))))
          "with" (let [r (d/with db a)] {:tx-data (mapv change (:tx-data r)) :tempids (:tempids r)})
          "history" (mapv change (d/datoms (d/history db) :eavt)))))))

(defn same? [cmp want got]
  (if (= cmp "bag")
    (and (coll? got) (= (frequencies want) (frequencies got)))
    (= want got)))

(let [lines (filter (fn [l] (str/starts-with? l "{")) (str/split-lines (slurp (first *command-line-args*))))
      ;; One case a line, which is an element of an array.
      cases (map (fn [l] (json/read-str (if (str/ends-with? l ",") (subs l 0 (dec (count l))) l))) lines)
      failed (atom 0)]
  (doseq [{:strs [id expect error alts cmp] :as one} cases]
    (let [got (try {:value (run one)}
                   (catch Throwable e {:error (or (:error (ex-data e)) :error) :message (ex-message e)}))
          pass (if (contains? got :error)
                 (or (some #{":error"} alts) (= error ":error") (and error (= (edn/read-string error) (:error got))))
                 (or (and expect (same? cmp (edn/read-string expect) (:value got)))
                     (some (fn [a] (and (not= a ":error") (same? cmp (edn/read-string a) (:value got)))) alts)))]
      (when-not pass
        (swap! failed inc)
        (println id (pr-str (get one "args")) "want" (or expect error) "got" (pr-str got)))))
  (println (- (count cases) @failed) "passed," @failed "failed"))
