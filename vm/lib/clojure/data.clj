;; Differences of data.
(ns clojure.data
  (:require [clojure.set :as set]))

(declare diff)

(defn- atom-diff [a b]
  (if (= a b) [nil nil a] [a b nil]))

(defn- key-diff
  "Difference of two associative things at key k, as three maps (or nil)."
  [a b k]
  (let [va (get a k)
        vb (get b k)
        [only-a only-b both] (diff va vb)
        in-a (contains? a k)
        in-b (contains? b k)
        same (and in-a in-b (or (some? both) (and (nil? va) (nil? vb))))]
    [(when (and in-a (or (some? only-a) (not same))) {k only-a})
     (when (and in-b (or (some? only-b) (not same))) {k only-b})
     (when same {k both})]))

(defn- map-diff [a b ks]
  (reduce (fn [acc k] (doall (map merge acc (key-diff a b k)))) [nil nil nil] ks))

(defn- sparse
  "A vector with the entries of map m (index to value), or nil."
  [m]
  (when (seq m)
    (reduce (fn [v [i x]] (assoc v i x))
            (vec (repeat (apply max (keys m)) nil))
            m)))

(defn- seq-diff [a b]
  (vec (map sparse (map-diff (if (vector? a) a (vec a))
                             (if (vector? b) b (vec b))
                             (range (max (count a) (count b)))))))

(defn- set-diff [a b]
  (let [side (fn [s] (not-empty s))]
    [(side (set/difference a b)) (side (set/difference b a)) (side (set/intersection a b))]))

(defprotocol EqualityPartition
  "Which values are compared part by part."
  (equality-partition [x] "A keyword: :atom, :set, :sequential or :map."))

(defprotocol Diff
  "How values of one partition differ."
  (diff-similar [a b] "Difference of a and b, which are of the same partition."))

(defn- kind-of [x]
  (cond (map? x) :map
        (set? x) :set
        (or (sequential? x) (yin.rt/array? x)) :sequential
        :else :atom))

(extend-protocol EqualityPartition
  nil (equality-partition [_] :atom)
  Object (equality-partition [x] (kind-of x)))

(extend-protocol Diff
  nil (diff-similar [a b] (atom-diff a b))
  Object
  (diff-similar [a b]
    (case (kind-of a)
      :map (map-diff a b (set/union (set (keys a)) (set (keys b))))
      :set (set-diff a b)
      :sequential (seq-diff a b)
      (atom-diff a b))))

(defn diff
  "What is only in a, only in b, and in both: three parts, found by comparing nested data."
  [a b]
  (cond
    (= a b) [nil nil a]
    (= (equality-partition a) (equality-partition b)) (diff-similar a b)
    :else (atom-diff a b)))
