;; Code from templates.
(ns clojure.template
  (:require [clojure.walk :as walk]))

(defn apply-template
  "expr with the symbols of the vector argv replaced by values."
  [argv expr values]
  (assert (vector? argv))
  (assert (every? symbol? argv))
  (walk/postwalk-replace (zipmap argv values) expr))

(defmacro do-template
  "Expands to one copy of expr for each group of values, as many as argv has symbols."
  [argv expr & values]
  `(do ~@(map (fn [group] (apply-template argv expr group))
              (partition (count argv) values))))
