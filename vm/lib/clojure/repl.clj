;; Help at the prompt.
(ns clojure.repl
  (:require [clojure.string :as str]))

(defn -print-doc "Prints what is known of the var v." [v]
  (let [m (meta v)]
    (println "-------------------------")
    (println (subs (str v) 2))
    (when (:arglists m) (prn (:arglists m)))
    (when (:macro m) (println "Macro"))
    (println " " (or (:doc m) ""))))

(defmacro doc "Prints the documentation of a name." [name]
  (cond
    (special-symbol? name) `(println ~(str "-------------------------\n" name "\nSpecial Form"))
    (find-ns name) `(println ~(str "-------------------------\n" name "\n  " (:doc (meta (find-ns name)))))
    (var? (resolve name)) `(-print-doc (var ~name))
    :else nil))

(defn apropos "Names of public vars that contain a text or match a regex." [str-or-pattern]
  (let [hit? (if (string? str-or-pattern)
               (fn [n] (str/includes? n str-or-pattern))
               (fn [n] (some? (re-find str-or-pattern n))))]
    (sort (mapcat (fn [ns]
                    (map (fn [n] (symbol (str (ns-name ns)) (str n)))
                         (filter (fn [n] (hit? (str n))) (keys (ns-publics ns)))))
                  (all-ns)))))

(defn find-doc "Prints the documentation that matches a text or regex." [re-string-or-pattern]
  (let [re (re-pattern re-string-or-pattern)]
    (doseq [ns (all-ns)
            [_ v] (sort-by key (ns-publics ns))
            :when (or (re-find re (str (:doc (meta v)))) (re-find re (str (:name (meta v)))))]
      (-print-doc v))))

(defn dir-fn "Names of the public vars of a namespace, sorted." [ns] (sort (keys (ns-publics (the-ns ns)))))
(defmacro dir "Prints the names of the public vars of a namespace." [nsname]
  `(doseq [v# (dir-fn '~nsname)] (println v#)))
(defn source-fn "The text of a definition; it is not kept." [_sym] nil)
(defmacro source "Prints the text of a definition, if it is known." [n]
  `(println (or (source-fn '~n) "Source not found")))
(defn root-cause "The innermost cause of an exception." [t] (if-let [c (ex-cause t)] (recur c) t))
(defn demunge "A name as programs write it." [s] (str/replace (str s) "_" "-"))
(defn pst "Prints an exception and its frames."
  ([] (pst *e))
  ([e] (pst e 12))
  ([e depth]
   (binding [*out* *err*]
     (println (str (yin.rt/type-symbol (class e)) " " (ex-message e)))
     (doseq [frame (take depth (yin.rt/ex-frames e))] (println (str "\t" frame))))))
