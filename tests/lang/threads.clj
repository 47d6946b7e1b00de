;; Green threads: fairness, waiting, errors, cancellation.
(require '[yin.control :as c])

;; Neither loop waits: each gives way at safe points.
(def done (atom false))
(def fair
  (let [a (c/spawn (fn [] (loop [i 0] (if @done :saw (recur (inc i))))))
        b (c/spawn (fn [] (loop [i 0] (if (< i 300) (recur (inc i)) (reset! done true)))))]
    [(c/join a) (c/join b)]))

;; The main program gives way too.
(def flag (atom false))
(def busy
  (do (c/spawn (fn [] (c/give-way) (c/sleep 1) (reset! flag true)))
      (loop [] (if @flag :seen (recur)))))

;; What several threads add up is not lost.
(def total (atom 0))
(run! c/join (mapv (fn [_] (c/spawn (fn [] (dotimes [_ 40] (swap! total inc))))) (range 4)))

;; A lazy seq that two threads realise is computed once.
(def computed (atom 0))
(def shared (map (fn [x] (swap! computed inc) (loop [i 0] (when (< i 8) (recur (inc i)))) (* x x)) (range 12)))
(def sums (mapv c/join (mapv (fn [_] (c/spawn (fn [] (reduce + shared)))) (range 3))))

;; An uncaught error reaches who joins, as often as they do.
(def failed
  (let [t (c/spawn (fn [] (c/give-way) (throw (ex-info "boom" {:n 1}))))
        try-join (fn [] (try (c/join t) (catch Exception e [(ex-message e) (ex-data e)])))]
    [(try-join) (try-join) (c/join (c/spawn try-join))]))

;; Threads that start and join threads.
(defn tree [d] (if (zero? d) 1 (let [l (c/spawn (fn [] (tree (dec d)))) r (c/spawn (fn [] (tree (dec d))))] (+ (c/join l) (c/join r)))))

;; A ring that hands a number around.
(defn ring [n turns]
  (let [chans (vec (repeatedly n c/chan))
        over (promise)]
    (dotimes [i n]
      (c/spawn (fn []
                 (loop []
                   (let [v (c/take! (chans i))]
                     (if (zero? v)
                       (deliver over (inc i))
                       (do (c/put! (chans (mod (inc i) n)) (dec v)) (recur))))))))
    (c/put! (chans 0) turns)
    @over))

;; Cancelling: in a sleep, in a take, while busy; what is to be cleaned up is.
(def cleaned (atom []))
(defn cancelled [body]
  (let [t (c/spawn (fn [] (try (body) (finally (swap! cleaned conj :cleaned)))))]
    (c/give-way)
    [(c/cancel t) (try (c/join t) (catch java.util.concurrent.CancellationException _ :cancelled)) (c/cancel t)]))
(def ch (c/chan))
(def cancels
  [(cancelled (fn [] (c/sleep 100000)))
   (cancelled (fn [] (c/take! ch)))
   (cancelled (fn [] (loop [] (recur))))
   (cancelled (fn [] :over))])
(c/sleep 0)
;; The take that was cancelled takes nothing.
(def taken (let [t (c/spawn (fn [] (c/take! ch)))] (c/put! ch :value) (c/join t)))

;; Sleepers, and waiting no longer than that.
(def order (atom []))
(run! c/join (mapv (fn [ms] (c/spawn (fn [] (c/sleep ms) (swap! order conj ms)))) [30 10 20]))
(def late [(c/join (c/spawn (fn [] (c/sleep 100000))) 1 :late) (c/join (c/spawn (fn [] 5)) 1 :late)])

;; Bindings and winds stay with their thread; a thread that waits leaves no wind.
(def ^:dynamic *who* nil)
(def winds (atom []))
(def own
  (mapv c/join
        (mapv (fn [i] (c/spawn (fn []
                                 (binding [*who* i]
                                   (c/dynamic-wind (fn [] (swap! winds conj :in))
                                                   (fn [] (c/sleep 1) (c/give-way) *who*)
                                                   (fn [] (swap! winds conj :out)))))))
              (range 3))))

;; What the waiting thread has bound is not seen by the others.
(def unseen
  (let [t (c/spawn (fn [] (c/give-way) *who*))]
    (binding [*who* :main] (c/join t))))

;; Exceptions across prompts in a thread, and a lock that is held across safe points.
(def crossing
  (c/join (c/spawn (fn []
                     (try
                       (c/call-with-prompt :q
                         (fn [] (c/give-way) (throw (ex-info "through" {})))
                         (fn [_ _] :handler))
                       (catch Exception e (ex-message e)))))))
(def pair (atom [0 0]))
(def torn (atom 0))
(defn set-both [i] (locking pair (reset! pair [i (second @pair)]) (dotimes [_ 4] (inc 1)) (reset! pair [(first @pair) i])))
(run! c/join (mapv (fn [k] (c/spawn (fn [] (dotimes [i 6] (set-both i) (locking pair (when-not (apply = @pair) (swap! torn inc))))))) (range 3)))

[fair busy @total sums @computed failed (tree 3) (ring 5 24) cancels @cleaned taken (sort @order) late own (frequencies @winds) unseen crossing @torn]
;; => [[:saw true] :seen 160 [506 506 506] 12 [["boom" {:n 1}] ["boom" {:n 1}] ["boom" {:n 1}]] 8 5 [[true :cancelled false] [true :cancelled false] [true :cancelled false] [false :over false]] [:cleaned :cleaned :cleaned :cleaned] :value (10 20 30) [:late 5] [0 1 2] {:in 3, :out 3} nil "through" 0]
