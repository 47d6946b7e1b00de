;; server.clj after an edit: greet has another body, visit! is new code around it.
(ns server2)

(defn greet [name] (str "Good day " name))

(defn welcome [name] (greet name))

(defn add-tax [price] (* price 1.2))
