;; A small request handler with things in it that queries should find.
(ns server
  (:require [clojure.string :as str]))

(def hits (atom 0))

(defn ^:deprecated old-greet [name] (str "Hi " name))

(defn greet [name] (str "Hello " name))

(defn visit! [] (swap! hits inc))

(defn log [line] (println "LOG" line))

(defn handle-home [request]
  (visit!)
  (log (:path request))
  (greet (:user request)))

(defn handle-run [request]
  (let [code (read-line)]
    (load-string code)))

(defn handle-count [request]
  (let [n (parse-long (read-line))]
    (spit "count.txt" n)
    n))

(defn handle-old [request] (old-greet (:user request)))

(defn answer [] 42)
(defn ultimate [] (+ (answer) (answer)))

(defn double-it [x] (+ x x))

(defn totals [rows] (reduce + (map (fn [r] (* 2 r)) rows)))

(defn report [rows]
  (mapv (fn [r] (log r) r) rows))

(defn pairs [xs]
  (for [a xs b xs] [a b]))

(defn render [items]
  (loop [i 0 out "" bound (count items)]
    (if (< i (+ 1 (dec bound)))
      (recur (inc i) (str out (nth items i)) bound)
      out)))

(defn third [] (let [items '(1 2 3)] (nth items 2)))

(defn add-tax [price] (* price 1.2))
(defn wrong [] (add-tax "ten"))

(defn copy-file [from to] (spit to (slurp from)))

(defn counter []
  (let [a 1 b 2 c 3]
    (fn [x] (+ a b c x))))

(defn unused-end [x y] x)

(defn -main []
  (handle-home {:path "/" :user "me"})
  (totals [1 2 3])
  (ultimate))
