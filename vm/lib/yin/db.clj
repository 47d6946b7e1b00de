;; What DataScript has not: databases in directories, texts of databases, and how a query runs. The program and the machine as
;; databases ((yin.db/program) and its kin) are primitives of this namespace.
(ns yin.db
  (:require [datascript.core :as d]))

(deftype Store [held path listeners]
  clojure.lang.IDeref
  (deref [_] (d/->DB (yin.rt/store-db held) nil))
  (handle [_] held)
  (told [_] listeners)
  (toString [_] (str "#<Store " path ">"))
  (printed [_] (tagged-literal 'yin.db/store path)))

(extend-type Store
  d/Connection
  (-listeners [store] (. store told))
  (-transact [store tx-data tx-meta]
    (let [tx (mapv (fn [x] x) (if (sequential? tx-data) (#'d/items tx-data) [tx-data]))]
      (loop []
        (let [before @store
              done (#'d/called (fn [answers]
                                 (yin.rt/store-with d/Datom (. store handle) tx nil answers before)))]
          ;; Another transaction came in while a function of this one ran: once more, on what holds now.
          (if done
            (#'d/report before done tx-meta)
            (recur)))))))

(defn create "Makes a store in a directory, for a schema; a connection to it." 
  ([path] (create path nil))
  ([path schema] (->Store (yin.rt/store-create (str path) schema) (str path) (atom {}))))
(defn open "A connection to the store in a directory. Transactions are on disk when transact! returns. One process may write."
  [path]
  (->Store (yin.rt/store-open (str path)) (str path) (atom {})))
(defn read-only "The database in a directory as it is now, whoever is writing to it." [path]
  (d/->DB (yin.rt/store-read (str path)) nil))
(defn close "Ends a connection; another process may write." [store] (yin.rt/store-close (. store handle)))
(defn compact! "Brings the log of a store into its columns." [store] (yin.rt/store-do (. store handle) :compact nil))
(defn backup! "Copies a store into another directory, while it is in use." [store path]
  (yin.rt/store-do (. store handle) :backup (str path)))
(defn load! "Brings a database into a store that is empty." [store db] (yin.rt/store-do (. store handle) :load db))
(defn set-schema! "Puts a store under another schema." [store schema]
  (yin.rt/store-do (. store handle) :schema schema))
(defn verify "Reads everything in a directory and checks it: counts, and :errors." [path] (yin.rt/store-verify (str path)))

(defn as-text "A database as lines of text: :edn or :json." [db format] (yin.rt/db-text db format))
(defn from-text "The database of lines of EDN." [text] (d/->DB (yin.rt/db-read :edn text) nil))

(defn explain "How a query runs: a table of its steps, with the rows that were expected and that came." [query & inputs]
  (#'d/answered (fn [answers] (yin.db/-explain query inputs answers))))
