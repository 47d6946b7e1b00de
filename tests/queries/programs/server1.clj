;; What server2.clj was before.
(ns server1)

(defn greet [name] (str "Hello " name))

(defn welcome [name] (greet name))

(defn add-tax [price] (* price 1.2))
