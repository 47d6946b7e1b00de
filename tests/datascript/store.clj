;; A store in a directory, given as the argument: what a program reads back is what it wrote, through closing, views, texts and
;; a backup. Prints one line a step.
(require '[datascript.core :as d] '[yin.db :as ydb])

(def dir (first *command-line-args*))
(defn failure [f] (try (f) (catch Exception e (:error (ex-data e)))))
(defn up [db e] [[:db/add e :n (inc (:n (d/entity db e)))]])

(let [conn (ydb/create dir {:name {:db/unique :db.unique/identity}})]
  (d/transact! conn [{:name "a" :n 1}])
  (d/listen! conn :told (fn [r] (println "told" (mapv (juxt :v :added) (:tx-data r)))))
  (d/transact! conn [[:db.fn/call up [:name "a"]]])
  (println (d/conn? conn) (d/pull @conn '[*] [:name "a"]))
  (println (failure (fn [] (d/transact! conn [{:name (fn [] 1)}]))) (count @conn))
  (println (failure (fn [] (ydb/open dir))) (failure (fn [] (ydb/create dir))))
  (ydb/compact! conn)
  (ydb/backup! conn (str dir "-backup"))
  (ydb/close conn))
(let [conn (ydb/open dir)
      db @conn]
  (println (select-keys (ydb/verify dir) [:facts :past :errors]) (= db (ydb/read-only (str dir "-backup"))))
  (println (:n (d/entity db 1)) (:n (d/entity (d/as-of db (inc d/tx0)) 1))
           (map (juxt :v :added) (d/datoms (d/history db) :eavt 1 :n)))
  (print (ydb/as-text db :json))
  (println (= db (ydb/from-text (ydb/as-text db :edn))))
  (print (ydb/explain '[:find ?n :where [?e :n ?n] [(> ?n 1)]] db))
  (ydb/set-schema! conn {:name {:db/unique :db.unique/identity} :n {:db/index true}})
  (println (map :v (d/index-range @conn :n 0 9)))
  (ydb/close conn)
  (println (failure (fn [] (ydb/open (str dir "-nothing"))))))
