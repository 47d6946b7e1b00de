;; The program, its instructions, the compiler and the running machine as databases of datascript.core, joined with stored ones.
(require '[datascript.core :as d])

(defn work [n] (loop [i 0 s 0] (if (< i n) (recur (inc i) (+ s i)) s)))
(def ratings (d/db-with (d/empty-db) [{:fn 'user/work :grade 1} {:fn 'user/nobody :grade 2}]))

(defn depth [n found]
  (if (= n 0)
    (reset! found
      (sort (d/q '[:find ?n ?v :where [?f :yin.frame/function user/depth] [?f :yin.frame/local ?l]
                   [?l :yin.local/name ?n] [(= ?n n)] [?l :yin.local/value ?v]]
                 (yin.db/runtime))))
    (do (depth (dec n) found) n)))

(let [found (atom nil)]
  (depth 3 found)
  [(d/q '[:find ?fn ?g :in $ $p :where [$p ?f :yin/name ?fn] [$p ?f :yin/type :function] [$ ?r :fn ?fn] [$ ?r :grade ?g]]
        ratings (yin.db/program))
   (d/q '[:find [?n ...] :in $ % :where (recursive ?f) [?f :yin/name ?n] [(namespace ?n) ?ns] [(= ?ns "user")]]
        (yin.db/program) (yin.db/rules))
   @found
   (pos? (count (d/q '[:find ?i :where [?i :yin.op/code ?c] [?c :yin.code/function user/work]] (yin.db/instructions))))
   (contains? #{#{} #{[:compiled]}} 
     (do (work 100000)
         (d/q '[:find ?s :where [?u :yin.jit/function user/work] [?u :yin.jit/state ?s]] (yin.db/jit))))
   (d/q '[:find ?a . :in $ ?name ?pred :where [?p :yin/name ?n] [(?pred ?n ?name)] [?p :yin/type :function] [?p :yin/name ?a]]
        (yin.db/program) "user/work" (fn [n s] (= (str n) s)))])
;; => [#{[user/work 1]} [user/depth] ([n 1] [n 2] [n 3]) true true user/work]
