;; Reducible transformations of collections: recipes that reduce applies without making collections in between.
(ns clojure.core.reducers
  (:refer-clojure :exclude [reduce map mapcat filter remove take take-while drop flatten cat]))

(defn reduce "Reduces coll with f; entries of maps as key and value."
  ([f coll] (reduce f (f) coll))
  ([f init coll]
   (if (map? coll)
     (reduce-kv f init coll)
     (clojure.core/reduce f init coll))))

(defn reducer "coll seen through a function of reducing functions." [coll xf]
  (eduction xf coll))
(defn folder "coll seen through a function of reducing functions."
  ([coll xf] (eduction xf coll))
  ([coll xf _fold] (eduction xf coll)))

(defn map "f of every element." ([f] (fn [coll] (map f coll))) ([f coll] (eduction (clojure.core/map f) coll)))
(defn mapcat "The elements of what f returns." ([f] (fn [coll] (mapcat f coll))) ([f coll] (eduction (clojure.core/mapcat f) coll)))
(defn filter "The elements for which pred holds." ([pred] (fn [coll] (filter pred coll))) ([pred coll] (eduction (clojure.core/filter pred) coll)))
(defn remove "The elements for which pred does not hold." ([pred] (fn [coll] (remove pred coll))) ([pred coll] (eduction (clojure.core/remove pred) coll)))
(defn take "The first n elements." ([n] (fn [coll] (take n coll))) ([n coll] (eduction (clojure.core/take n) coll)))
(defn take-while "The elements while pred holds." ([pred] (fn [coll] (take-while pred coll))) ([pred coll] (eduction (clojure.core/take-while pred) coll)))
(defn drop "All but the first n elements." ([n] (fn [coll] (drop n coll))) ([n coll] (eduction (clojure.core/drop n) coll)))
(defn flatten "The elements of nested sequential things." ([] (fn [coll] (flatten coll))) ([coll] (clojure.core/flatten (into [] coll))))

(defn monoid "A function with op for two arguments and (ctor) for none." [op ctor]
  (fn ([] (ctor)) ([a b] (op a b))))

(defn fold "Reduces coll with reducef from (combinef)."
  ([reducef coll] (fold reducef reducef coll))
  ([combinef reducef coll] (fold 512 combinef reducef coll))
  ([_n combinef reducef coll]
   (let [r (reduce reducef (combinef) coll)] r)))

(defn cat "Both collections, one after the other." 
  ([] (fn ([] []) ([a b] (cat a b))))
  ([ctor] (fn ([] (ctor)) ([a b] (cat a b))))
  ([a b] (into (vec a) b)))
(defn append! "acc with x." [acc x] (conj acc x))
(defn foldcat "A collection of the elements." [coll] (into [] coll))
