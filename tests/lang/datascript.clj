;; Databases as values of a program: transactions, queries with functions of the program, entities, pull, and what survives.
(require '[datascript.core :as d])

(def schema {:person/email {:db/unique :db.unique/identity}
             :person/friend {:db/valueType :db.type/ref :db/cardinality :db.cardinality/many}
             :person/home {:db/valueType :db.type/ref :db/isComponent true}
             :person/age {:db/index true}})

(defn adult? [age] (>= age 18))
(defn decade [age] (* 10 (quot age 10)))
(defn older [db e n] [[:db/add e :person/age (+ n (:person/age (d/entity db e)))]])

(let [conn (d/create-conn schema)
      heard (atom 0)
      _ (d/listen! conn :count (fn [r] (swap! heard + (count (:tx-data r)))))
      r (d/transact! conn [{:db/id -1 :person/email "ada@x" :person/age 36 :person/friend [-2]
                            :person/home {:street "St James"}}
                           {:db/id -2 :person/email "bob@x" :person/age 12}])
      ada (d/resolve-tempid (:db-after r) (:tempids r) -1)
      before @conn
      many (d/db-with before (for [i (range 100)] {:person/email (str "p" i) :person/age i}))]
  (d/transact! conn [[:db.fn/call older [:person/email "bob@x"] 30]])
  (d/unlisten! conn :count)
  (d/transact! conn [{:db/ident :older :db/fn older}])
  (d/transact! conn [[:older ada 1]])
  (dotimes [_ 300] (d/db-with before [[:db/add 7 :x 1]]))
  [(d/q '[:find [?e ...] :where [?p :person/age ?a] [(user/adult? ?a)] [?p :person/email ?e]] before)
   (d/q '[:find [?e ...] :where [?p :person/age ?a] [(user/adult? ?a)] [?p :person/email ?e]] @conn)
   (count (d/q '[:find ?e ?d :in $ ?ok ?f :where [?p :person/age ?a] [(?ok ?a)] [(?f ?a) ?d] [?p :person/email ?e]]
               many even? decade))
   (into (sorted-map) (d/q '[:find ?d (user/largest ?a) :where [?p :person/age ?a] [(user/decade ?a) ?d] [(< ?d 30)]]
                           (do (defn largest [xs] (apply max xs)) many)))
   (d/pull @conn [[:person/email :xform (fn [s] (str "<" s ">"))] {:person/friend [:person/age]} :person/home] ada)
   (let [e (d/entity @conn [:person/email "ada@x"])]
     [(:person/age e) (:street (:person/home e)) (map :person/age (:person/friend e)) (= e (d/entity @conn ada))])
   (sort (d/q '[:find ?x ?y :in $ % ?x :where (reaches ?x ?y)]
              [[1 2] [2 3] [3 1]] '[[(reaches ?x ?y) [?x ?y]] [(reaches ?x ?y) [?x ?z] (reaches ?z ?y)]] 1))
   (count (d/filter many (fn [_ dt] (= :person/age (:a dt)))))
   (map (juxt :e :v) (take 2 (d/index-range many :person/age 98 200)))
   (= before (d/from-serializable (d/serializable before)) (read-string (pr-str before)))
   (count (d/datoms (d/history @conn) :eavt [:person/email "bob@x"] :person/age))
   (:person/age (d/entity (d/as-of @conn (inc d/tx0)) [:person/email "bob@x"]))
   @heard
   (try (d/transact! conn [[:db/add 1 :f (fn [] 1)]]) (catch Exception e (:error (ex-data e))))
   (try (d/q '[:find ?x :where [?x :a]] conn) (catch Exception e (:error (ex-data e))))
   (try (d/q '[:find ?x :where [?e :person/age ?x] [(user/adult? ?y)]] @conn) (catch Exception e (:error (ex-data e))))])
;; => [["ada@x"] ["ada@x" "bob@x"] 52 {0 9, 10 19, 20 29} {:person/email "<ada@x>", :person/friend [{:person/age 42}], :person/home {:db/id 3, :street "St James"}} [37 "St James" (42) true] ([1 1] [1 2] [1 3]) 102 ([102 98] [103 99]) true 3 12 9 :transact/data :query/inputs :query/where]
