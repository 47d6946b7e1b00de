;; Reading data that is not a program.
(ns clojure.edn
  (:refer-clojure :exclude [read read-string]))

(defn read-string
  "The first form of the text s. Options: :eof what stands for no form, :readers functions of tags, :default a function of an
  unknown tag and its form."
  ([s] (read-string {:eof nil} s))
  ([opts s]
   (when s
     (yin.rt/read-edn s opts))))

(defn read
  "The next form of a reader; options as in read-string."
  ([] (read *in*))
  ([stream] (read {} stream))
  ([opts stream] (yin.rt/read-edn-from stream opts)))
