;; green-threads: Many cooperative tasks in pairs, each sending its partner a number
;; and then yielding, resumed round-robin.

(require '[yin.control :refer [spawn join give-way]])

(def TASKS 100000)
(def ROUNDS 10)

(defn partner [i]
  (if (== 0 (rem i 2)) (inc i) (dec i)))

(defn task [start boxes i rounds]
  (fn []
    @start
    (let [p (partner i)]
      (loop [r 0]
        (when (< r rounds)
          (aset boxes p (rem (+ (+ (* 3 (aget boxes i)) i) r) 1000003))
          (give-way)
          (recur (inc r)))))))

(defn total [boxes n]
  (loop [i 0 s 0]
    (if (< i n)
      (recur (inc i) (+ s (aget boxes i)))
      s)))

(defn run []
  (let [n TASKS
        boxes (long-array n)
        start (promise)
        tasks (mapv (fn [i] (spawn (task start boxes i ROUNDS))) (range n))]
    (deliver start true)
    (run! join tasks)
    (total boxes n)))

(let [result (atom nil)
      report (with-out-str (time (reset! result (run))))]
  (println @result)
  (binding [*out* *err*]
    (println "elapsed_ms" (re-find #"[0-9.]+" report))))
