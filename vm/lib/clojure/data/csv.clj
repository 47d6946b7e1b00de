;; Comma-separated values.
(ns clojure.data.csv
  (:require [clojure.string :as str]))

(defn- read-quoted
  "The cell whose opening quote is before index `at`: [text, index behind the closing quote]."
  [s at n quote]
  (let [out (yin.rt/buffer)]
    (loop [i at from at]
      (if (>= i n)
        (throw (java.io.EOFException. "CSV error (unexpected end of file)"))
        (if (= (.charAt s i) quote)
          (do
            (yin.rt/write out (subs s from i))
            (if (and (< (inc i) n) (= (.charAt s (inc i)) quote))
              (do (yin.rt/write out (str quote))
                  (recur (+ i 2) (+ i 2)))
              [(str out) (inc i)]))
          (recur (inc i) from))))))

(defn- cell-end [s at n separator]
  (loop [i at]
    (if (>= i n)
      n
      (let [c (.charAt s i)]
        (if (or (= c separator) (= c \newline) (= c \return))
          i
          (recur (inc i)))))))

(defn- read-record
  "The record at index `at`: [cells, index of the next record]."
  [s at n separator quote]
  (loop [cells (transient []) i at]
    (let [quoted (and (< i n) (= (.charAt s i) quote))
          [cell i] (if quoted
                     (read-quoted s (inc i) n quote)
                     (let [end (cell-end s i n separator)] [(subs s i end) end]))
          cells (conj! cells cell)
          c (when (< i n) (.charAt s i))]
      (cond
        (= c separator) (recur cells (inc i))
        (nil? c) [(persistent! cells) n]
        (= c \newline) [(persistent! cells) (inc i)]
        (= c \return) [(persistent! cells) (if (and (< (inc i) n) (= (.charAt s (inc i)) \newline)) (+ i 2) (inc i))]
        :else (throw (Exception. (str "CSV error (unexpected character: " c ")")))))))

(defn read-csv
  "The records of a text or reader, lazily, as vectors of strings. Options: :separator and :quote, characters."
  [input & {:keys [separator quote] :or {separator \, quote \"}}]
  (let [s (if (string? input) input (slurp input))
        n (count s)
        step (fn step [at]
               (lazy-seq
                 (when (< at n)
                   (let [[cells i] (read-record s at n separator quote)]
                     (cons cells (step i))))))]
    (step 0)))

(defn- quoted [text quote]
  (str quote (str/replace text (str quote) (str quote quote)) quote))

(defn write-csv
  "Writes records, collections of cells. Options: :separator, :quote, :quote? (does a text need quotes?), :newline (:lf or :cr+lf)."
  [writer data & {:keys [separator quote quote? newline] :or {separator \, quote \" newline :lf}}]
  (let [special (set [separator quote \newline \return])
        quote? (or quote? (fn [text] (some special text)))
        end (if (= newline :cr+lf) "\r\n" "\n")
        out (yin.rt/buffer)]
    (doseq [record data]
      (loop [cells (seq record) first? true]
        (when cells
          (when-not first? (yin.rt/write out (str separator)))
          (let [text (str (first cells))]
            (yin.rt/write out (if (quote? text) (quoted text quote) text)))
          (recur (next cells) false)))
      (yin.rt/write out end))
    (yin.rt/write-text writer (str out))))
