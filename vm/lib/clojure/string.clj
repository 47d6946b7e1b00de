;; Strings. What walks a text character by character is a primitive; this file holds the rest of the namespace.
(ns clojure.string
  (:refer-clojure :exclude [replace reverse]))

(defn join
  "The texts of the elements of coll, with separator between them if one is given."
  ([coll] (apply str coll))
  ([separator coll] (yin.rt/join separator (if (vector? coll) coll (doall (seq coll))))))

(defn split
  "The parts of s between the matches of regex re: at most limit parts; trailing empty ones are dropped unless limit is negative."
  ([s re] (yin.rt/split s re 0))
  ([s re limit] (yin.rt/split s re limit)))

(defn replace
  "s with every match replaced. match and replacement: two strings, two characters, or a regex and a string
  ($1 stands for a group) or a function of the match."
  [s match replacement]
  (yin.rt/replace s match replacement false))

(defn replace-first
  "s with its first match replaced; see replace."
  [s match replacement]
  (yin.rt/replace s match replacement true))

(defn escape
  "s with each character c for which (cmap c) is not nil replaced by the text of that."
  [s cmap]
  (let [out (yin.rt/buffer)]
    (loop [cs (seq s)]
      (if cs
        (let [c (first cs)
              r (cmap c)]
          (yin.rt/write out (str (if (nil? r) c r)))
          (recur (next cs)))
        (str out)))))
