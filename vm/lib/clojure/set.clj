;; Set algebra, and relations as sets of maps.
(ns clojure.set
  (:refer-clojure :exclude [join]))

(defn- pour
  "Adds the elements of b to a."
  [a b]
  (reduce conj a b))

(defn union
  "What is in any of the sets."
  ([] #{})
  ([a] a)
  ([a b] (if (< (count a) (count b)) (pour b a) (pour a b)))
  ([a b & more]
   (let [all (list* a b more)
         largest (apply max-key count all)]
     (reduce (fn [acc s] (if (identical? s largest) acc (pour acc s))) largest all))))

(defn intersection
  "What is in all of the sets."
  ([a] a)
  ([a b]
   (if (< (count b) (count a))
     (recur b a)
     (reduce (fn [acc x] (if (contains? b x) acc (disj acc x))) a a)))
  ([a b & more]
   (let [ordered (sort-by count (list* a b more))]
     (reduce intersection (first ordered) (rest ordered)))))

(defn difference
  "What is in the first set and in none of the others."
  ([a] a)
  ([a b]
   (if (and (set? b) (< (count a) (count b)))
     (reduce (fn [acc x] (if (contains? b x) (disj acc x) acc)) a a)
     (reduce disj a b)))
  ([a b & more] (reduce difference (difference a b) more)))

(defn select
  "The elements of set xs for which pred holds."
  [pred xs]
  (reduce (fn [acc x] (if (pred x) acc (disj acc x))) xs xs))

(defn project
  "The relation xrel with only the keys ks."
  [xrel ks]
  (with-meta (into #{} (map (fn [row] (select-keys row ks))) xrel) (meta xrel)))

(defn rename-keys
  "Map m with its keys renamed as the map kmap says."
  [m kmap]
  (reduce-kv (fn [acc old new] (if (contains? m old) (assoc acc new (get m old)) acc))
             (apply dissoc m (keys kmap))
             kmap))

(defn rename
  "The relation xrel with the keys of every row renamed as kmap says."
  [xrel kmap]
  (with-meta (into #{} (map (fn [row] (rename-keys row kmap))) xrel) (meta xrel)))

(defn index
  "A map from the values of the keys ks to the set of rows of xrel that have them."
  [xrel ks]
  (reduce (fn [acc row]
            (let [k (select-keys row ks)]
              (assoc acc k (conj (get acc k #{}) row))))
          {}
          xrel))

(defn map-invert
  "m with its values as keys and its keys as values."
  [m]
  (persistent! (reduce-kv (fn [acc k v] (assoc! acc v k)) (transient {}) m)))

(defn- join-on
  "Joins two relations. pairs maps keys of rows of a to keys of rows of b."
  [a b pairs]
  (let [idx (index b (vals pairs))]
    (reduce (fn [acc row]
              (let [k (reduce-kv (fn [m ka kb] (if (contains? row ka) (assoc m kb (get row ka)) m)) {} pairs)]
                (reduce (fn [acc other] (conj acc (merge other row))) acc (get idx k))))
            #{}
            a)))

(defn join
  "The natural join of two relations, or the join on the keys that the map km relates."
  ([a b]
   (if (and (seq a) (seq b))
     (let [common (intersection (set (keys (first a))) (set (keys (first b))))
           pairs (zipmap common common)]
       (if (<= (count a) (count b))
         (join-on b a pairs)
         (join-on a b pairs)))
     #{}))
  ([a b km]
   (if (<= (count a) (count b))
     (join-on b a (map-invert km))
     (join-on a b km))))

(defn subset?
  "Is every element of a in b?"
  [a b]
  (and (<= (count a) (count b)) (every? (fn [x] (contains? b x)) a)))

(defn superset?
  "Is every element of b in a?"
  [a b]
  (and (>= (count a) (count b)) (every? (fn [x] (contains? a x)) b)))
