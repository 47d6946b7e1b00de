;; Functions of the core that are instructions are called by name where their vars have been given something else.
(ns mine (:refer-clojure :exclude [inc first]))
(defn inc [x] [:mine x])
(defn first [x] [:first x])
(defn both [x] [(inc x) (first [x])])
(in-ns 'user)
(def before (rest [1 2]))
(alter-var-root #'clojure.core/rest (constantly (fn [_] :rest)))
(defn other-rest [x] (rest x))
(def during [(rest [1 2]) (other-rest [1 2]) (map rest [[1 2]])])
(def made-inside (with-redefs [str (fn [x] [:str x])] (eval '(do (defn shown [x] (str x)) (shown 1)))))
(defn one [] 1)
(defn calls-one [] (one))
(dotimes [_ 3000] (calls-one))
(intern 'user 'one (fn [] 2))
[(mine/both 1) before during made-inside (shown 1) (calls-one)]
;; => [[[:mine 1] [:first [1]]] (2) [:rest :rest (:rest)] [:str 1] "1" 2]
