;; Names: aliases, referring, hiding names of the core, vars of other namespaces, libraries at hand.
(ns shop.stock (:refer-clojure :exclude [find]) (:require [clojure.string :as str :refer [upper-case]]))
(def ^:private secret 7)
(defn find [k] [(upper-case k) (str/trim " x ") `find `map ::str/k])
(ns user)
(alias 'stock 'shop.stock)
(defmacro here [] (list 'quote (vals (select-keys (meta &form) [:line :note]))))
[(stock/find "a")
 @#'shop.stock/secret
 (contains? (ns-publics 'shop.stock) 'secret)
 (contains? (ns-map 'shop.stock) 'find)
 (ns-resolve 'shop.stock 'map)
 (some? (get (ns-refers 'user) 'map))
 (clojure.set/union #{1} #{1})
 ^{:note 1} (here)
 (meta ^:once (fn [x] x))
 (read-string {:read-cond :allow :features #{:bb}} "[#?@(:bb [1 2] :clj [3])]")]
;; => [["A" "x" shop.stock/find clojure.core/map :clojure.string/k] 7 false true #'clojure.core/map true #{1} (15 1) {:once true} [1 2]]
