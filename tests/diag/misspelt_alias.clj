(ns t.core
  (:require [clojure.string :as str]))

(defn area [r]
  (let [x (* r r)]
    (when (pos? x)
      (str/jion "," [x fooo]))))
;; ---
;; error[unbound]: No such var: str/jion. Did you mean str/join? (Y0302)
;;  --> misspelt_alias.clj:7:8
;; 7 |       (str/jion "," [x fooo]))))
;;   |        ^^^^^^^^
