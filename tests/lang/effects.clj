;; Effect handlers: resumptions used never, once, many times and later; handlers in handlers; errors both ways.
(require '[yin.control :as c :refer [perform handle]])

(def never (handle {:fail (fn [_k why] [:failed why])} (inc (perform :fail "x"))))

(defn counter [body]
  ((handle {:get (fn [k] (fn [s] ((k s) s)))
            :put (fn [k v] (fn [_] ((k nil) v)))
            :return (fn [v] (fn [s] [v s]))}
     (body))
   10))
(def once (counter (fn []
                     (dotimes [_ 3] (perform :put (inc (perform :get))))
                     (* 2 (perform :get)))))

(defn all-choices [body]
  (handle {:choose (fn [k options] (into [] (mapcat k) options))
           :return vector}
    (body)))
(def many (all-choices (fn []
                         (let [a (perform :choose [1 2 3])
                               b (perform :choose [:x :y])]
                           [a b]))))

(def later
  (let [k (handle {:ask (fn [k q] [k q])} (let [v (perform :ask :name)] [:hello v]))]
    [(second k) ((first k) "a") ((first k) "b")]))

;; What a handler performs itself, and what its :return performs, is for the handlers outside.
(def nested
  (handle {:log (fn [k x] (let [[v seen] (k nil)] [v (cons x seen)]))
           :return (fn [v] [v nil])}
    (handle {:log (fn [k x] (perform :log [:inner x]) (k (inc x)))
             :return (fn [v] (perform :log :returned) (* 10 v))}
      (+ (perform :log 1) (perform :log 2)))))

;; An operation that only the outer handler has passes the inner one, and the inner one is there again afterwards.
(def through
  (handle {:outer (fn [k x] (k (* 2 x)))}
    (handle {:inner (fn [k x] (k (+ 1 x)))}
      (let [a (perform :outer 10)] [a (perform :inner a)]))))

(def unhandled
  (handle {:other (fn [k] (k 1))}
    (try (perform :nobody 1) (catch IllegalStateException e (ex-message e)))))

(def thrown-into
  (handle {:read (fn [k file] (c/throw-into k (ex-info "no such file" {:file file})))}
    (try (perform :read "f") (catch Exception e [(ex-message e) (ex-data e)]))))

(def thrown-out
  (try
    (handle {:op (fn [_k] (throw (ex-info "handler failed" {})))}
      (try (perform :op) (catch Exception _ :not-here)))
    (catch Exception e (ex-message e))))

;; Deep in recursion, and from inside a lazy seq.
(defn deep [n] (if (zero? n) (perform :depth) (inc (deep (dec n)))))
(def depths (handle {:depth (fn [k] [(k 0) (k 100)])} (deep 500)))
(def lazily (handle {:scale (fn [k x] (k (* 3 x)))} (doall (map (fn [x] (perform :scale x)) (range 5)))))

[never once many later nested through unhandled thrown-into thrown-out depths lazily]
;; => [[:failed "x"] [26 13] [[1 :x] [1 :y] [2 :x] [2 :y] [3 :x] [3 :y]] [:name [:hello "a"] [:hello "b"]] [50 ([:inner 1] [:inner 2] :returned)] [20 21] "perform: nothing handles :nobody here" ["no such file" {:file "f"}] "handler failed" [500 600] (0 3 6 9 12)]
