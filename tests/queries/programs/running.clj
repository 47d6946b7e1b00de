;; A program that is asked in the middle: tasks that wait, and a computation that has got somewhere.
(ns running
  (:require [clojure.core.async :as a]))

(def requests (a/chan))
(def results (a/chan 4))
(def mailbox (a/chan 1))
(def pipe (a/chan 1))

(defn serve [n]
  (let [request (a/<! requests)]
    (+ n request)))

(defn produce [k]
  (a/>! results k)
  (a/>! results (inc k)))

(defn sum-to [n total]
  (if (= n 0)
    (do (yin.db/breakpoint) total)
    (let [bigger (+ total n)]
      (max bigger (sum-to (dec n) bigger)))))

(a/go (serve 1))
(a/go (serve 2))
(a/go (produce 10))
(a/go (a/>! mailbox :first) (a/>! mailbox :second))
(a/go (a/>! pipe 1))
(a/go (a/<! pipe))
(a/<!! (a/go 1))
(def made (map (fn [x] (* x x)) [1 2 3]))
(println (sum-to 20 0))
