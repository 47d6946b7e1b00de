;; Channels: rendezvous and buffers, closing, alternatives with timeouts, producers and consumers; frozen with what waits at them.
(require '[yin.control :as c])

(def rendezvous
  (let [ch (c/chan) log (atom [])]
    (c/spawn (fn [] (dotimes [i 3] (swap! log conj [:put i]) (c/put! ch i)) (c/close! ch)))
    (loop [got []] (let [v (c/take! ch)] (if (nil? v) [got (count @log)] (recur (conj got v)))))))

(def buffered
  (let [ch (c/chan 2) log (atom [])
        t (c/spawn (fn [] (dotimes [i 4] (c/put! ch i) (swap! log conj i))))]
    [(c/take! ch) (c/take! ch) (c/join t) @log (c/take! ch) (c/take! ch)]))

(def closed
  (let [ch (c/chan 1)]
    (c/put! ch :last)
    (c/close! ch)
    [(c/put! ch :more) (c/take! ch) (c/take! ch)]))

(def alternatives
  (let [a (c/chan) b (c/chan 1)]
    [(let [[v port] (c/alts! [a (c/timeout 1)])] [v (identical? port a)])
     (c/alts! [a] :default :none)
     (let [[ok port] (c/alts! [a [b :x]] :priority true)] [ok (identical? port b)])
     (c/take! b)
     (let [t (c/spawn (fn [] (c/sleep 1) (c/put! a :late)))
           [v port] (c/alts! [b a])]
       [v (identical? port a) (c/join t)])]))

;; Losing alternatives take nothing.
(def once
  (let [a (c/chan) b (c/chan)
        t (c/spawn (fn [] (first (c/alts! [a b]))))]
    (c/put! a 1)
    [(c/join t) (first (c/alts! [[b :nobody] (c/timeout 1)]))]))

(defn workers [n jobs]
  (let [in (c/chan) out (c/chan)]
    (c/spawn (fn [] (run! (fn [j] (c/put! in j)) (range jobs)) (c/close! in)))
    (let [ws (mapv (fn [_] (c/spawn (fn [] (loop [] (when-let [j (c/take! in)] (c/put! out (* j j)) (recur)))))) (range n))]
      (c/spawn (fn [] (run! c/join ws) (c/close! out)))
      (loop [sum 0] (if-let [v (c/take! out)] (recur (+ sum v)) sum)))))

;; The sieve of threads.
(defn primes [n]
  (let [start (c/chan)]
    (c/spawn (fn [] (loop [i 2] (when (c/put! start i) (recur (inc i))))))
    (loop [found [] from start]
      (if (= n (count found))
        found
        (let [p (c/take! from) to (c/chan)]
          (c/spawn (fn [] (loop [] (let [v (c/take! from)] (when-not (zero? (rem v p)) (c/put! to v)) (recur)))))
          (recur (conj found p) to))))))

;; A generator half used is a value.
(def travelled
  (let [g (c/generator (c/yield 1) (c/yield 2) (c/yield 3))]
    (first g)
    (let [g2 (c/thaw (c/freeze g))]
      [(vec g2) (vec g)])))

;; A deadlock is an error, not a hang.
(def stuck (try (c/take! (c/chan)) (catch IllegalStateException e :deadlock)))

[rendezvous buffered closed alternatives once (workers 3 20) (primes 12) travelled stuck]
;; => [[[0 1 2] 3] [0 1 nil [0 1 2 3] 2 3] [false :last nil] [[nil false] [:none :default] [true true] :x [:late true true]] [1 nil] 2470 [2 3 5 7 11 13 17 19 23 29 31 37] [[1 2 3] [1 2 3]] :deadlock]
