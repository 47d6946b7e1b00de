;; JSON text and values; clojure.data.json and cheshire.core are faces of this.
;;
;; Parsing walks the text by index, with one pass over each string and number; nesting is bounded by memory only as calls are.
(ns yin.json)

(defn- fail [^String message at]
  (yin.rt/raise :parse (str "JSON error: " message " at " at)))

(defn- skip-space [s at n]
  (loop [i at]
    (if (< i n)
      (let [c (.charAt s i)]
        (if (or (= c \space) (= c \newline) (= c \return) (= c \tab))
          (recur (inc i))
          i))
      i)))

(defn- hex4 [s at n]
  (if (> (+ at 4) n)
    (fail "end of text in a character escape" at)
    (loop [i at v 0]
      (if (= i (+ at 4))
        v
        (let [d (Character/digit (.charAt s i) 16)]
          (if (neg? d) (fail "bad character escape" i) (recur (inc i) (+ (* 16 v) d))))))))

(defn- escaped
  "Writes the escape sequence whose letter is at `at`; the index behind it."
  [s at n out]
  (if (>= at n)
    (fail "end of text in a string" at)
    (let [c (.charAt s at)]
      (if (= c \u)
        (let [code (hex4 s (inc at) n)]
          (if (and (<= 0xD800 code 0xDBFF) (< (+ at 6) n) (= (.charAt s (+ at 5)) \\) (= (.charAt s (+ at 6)) \u))
            (let [low (hex4 s (+ at 7) n)]
              (yin.rt/write out (yin.rt/code-text (+ 0x10000 (* 0x400 (- code 0xD800)) (- low 0xDC00))))
              (+ at 11))
            (do (yin.rt/write out (yin.rt/code-text code))
                (+ at 5))))
        (do (yin.rt/write out
                          (case c
                            \" "\"" \\ "\\" \/ "/" \n "\n" \t "\t" \r "\r" \b "\b" \f "\f"
                            (fail (str "bad escape \\" c) at)))
            (inc at))))))

(defn- parse-text
  "The string whose first character is at `at`: [text, index behind its closing quote]."
  [s at n]
  (let [stop (fn [from]
               (loop [i from]
                 (if (< i n)
                   (let [c (.charAt s i)]
                     (if (or (= c \") (= c \\)) i (recur (inc i))))
                   (fail "end of text in a string" n))))
        end (stop at)]
    (if (= (.charAt s end) \")
      [(subs s at end) (inc end)]
      (let [out (yin.rt/buffer)]
        (loop [from at end end]
          (yin.rt/write out (subs s from end))
          (if (= (.charAt s end) \")
            [(str out) (inc end)]
            (let [i (escaped s (inc end) n out)]
              (recur i (stop i)))))))))

(defn- number-char? [c]
  (or (Character/isDigit c) (= c \-) (= c \+) (= c \.) (= c \e) (= c \E)))

(defn- parse-num [s at n opts]
  (let [end (loop [i at] (if (and (< i n) (number-char? (.charAt s i))) (recur (inc i)) i))
        text (subs s at end)]
    (if (re-matches #"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?" text)
      [(if (re-find #"[.eE]" text)
         (if (:bigdec opts) (bigdec text) (Double/parseDouble text))
         (or (parse-long text) (bigint text)))
       end]
      (fail (if (= text "") "unexpected character" (str "bad number " text)) at))))

(declare parse-at)

(defn- parse-array [s at n opts]
  (let [i (skip-space s at n)]
    (if (and (< i n) (= (.charAt s i) \]))
      [[] (inc i)]
      (loop [items (transient []) i i]
        (let [[v i] (parse-at s i n opts)
              items (conj! items v)
              i (skip-space s i n)
              c (when (< i n) (.charAt s i))]
          (cond
            (= c \,) (recur items (inc i))
            (= c \]) [(persistent! items) (inc i)]
            :else (fail "array without end" i)))))))

(defn- parse-object [s at n {:keys [key-fn value-fn] :as opts}]
  (let [i (skip-space s at n)]
    (if (and (< i n) (= (.charAt s i) \}))
      [{} (inc i)]
      (loop [m (transient {}) i i]
        (let [i (skip-space s i n)
              _ (when-not (and (< i n) (= (.charAt s i) \")) (fail "an object needs names" i))
              [k i] (parse-text s (inc i) n)
              i (skip-space s i n)
              _ (when-not (and (< i n) (= (.charAt s i) \:)) (fail "a name needs a colon" i))
              [v i] (parse-at s (inc i) n opts)
              k (key-fn k)
              v (if value-fn (value-fn k v) v)
              m (if (and value-fn (identical? v value-fn)) m (assoc! m k v))
              i (skip-space s i n)
              c (when (< i n) (.charAt s i))]
          (cond
            (= c \,) (recur m (inc i))
            (= c \}) [(persistent! m) (inc i)]
            :else (fail "object without end" i)))))))

(defn- word [s at n text value]
  (let [end (+ at (count text))]
    (if (and (<= end n) (= text (subs s at end)))
      [value end]
      (fail "unexpected word" at))))

(defn- parse-at
  "The value at index `at`: [value, index behind it]."
  [s at n opts]
  (let [i (skip-space s at n)]
    (if (>= i n)
      (fail "unexpected end" i)
      (let [c (.charAt s i)]
        (case c
          \{ (parse-object s (inc i) n opts)
          \[ (parse-array s (inc i) n opts)
          \" (parse-text s (inc i) n)
          \t (word s i n "true" true)
          \f (word s i n "false" false)
          \n (word s i n "null" nil)
          (if (or (= c \-) (Character/isDigit c))
            (parse-num s i n opts)
            (fail (str "unexpected character " c) i)))))))

(defn parse
  "The first JSON value of text s. Options: :key-fn, :value-fn, :bigdec, :eof-error?, :eof-value."
  [s opts]
  (let [n (count s)]
    (if (= n (skip-space s 0 n))
      (if (:eof-error? opts)
        (throw (java.io.EOFException. "JSON error (end-of-file)"))
        (:eof-value opts))
      (nth (parse-at s 0 n opts) 0))))

(defn parse-all
  "All JSON values of text s, lazily."
  [s opts]
  (let [n (count s)
        step (fn step [at]
               (lazy-seq
                 (let [i (skip-space s at n)]
                   (when (< i n)
                     (let [[v i] (parse-at s i n opts)]
                       (cons v (step i)))))))]
    (step 0)))

;; ---- writing

(defn- hex-escape [code]
  (let [h (Long/toString code 16)]
    (str "\\u" (subs "0000" (count h)) h)))

(defn- escape-char
  "What stands for a character in a JSON string, or nil for itself."
  [c {:keys [escape-unicode escape-slash escape-js-separators]}]
  (case c
    \" "\\\""
    \\ "\\\\"
    \newline "\\n"
    \return "\\r"
    \tab "\\t"
    \backspace "\\b"
    \formfeed "\\f"
    \/ (when escape-slash "\\/")
    (let [code (int c)]
      (cond
        (< code 32) (hex-escape code)
        (< code 127) nil
        (or escape-unicode (and escape-js-separators (or (= code 0x2028) (= code 0x2029))))
        (if (> code 0xFFFF)
          (let [code (- code 0x10000)]
            (str (hex-escape (+ 0xD800 (quot code 0x400))) (hex-escape (+ 0xDC00 (rem code 0x400)))))
          (hex-escape code))))))

(defn- write-string [s out opts]
  (yin.rt/write out "\"")
  (let [n (count s)]
    (loop [from 0 i 0]
      (if (= i n)
        (yin.rt/write out (subs s from n))
        (let [r (escape-char (.charAt s i) opts)]
          (if r
            (do (yin.rt/write out (subs s from i))
                (yin.rt/write out r)
                (recur (inc i) (inc i)))
            (recur from (inc i)))))))
  (yin.rt/write out "\""))

(defn- new-line [out depth]
  (yin.rt/write out "\n")
  (dotimes [_ depth] (yin.rt/write out "  ")))

(declare write-value)

(defn- write-array [xs out opts depth]
  (let [indent (:indent opts)
        style (:style opts)]
    (if (empty? xs)
      (yin.rt/write out (if (and indent (= style :cheshire)) "[ ]" "[]"))
      (let [lines (and indent (= style :data-json))]
        (yin.rt/write out (if (and indent (= style :cheshire)) "[ " "["))
        (loop [xs (seq xs) sep nil]
          (when xs
            (when sep (yin.rt/write out sep))
            (when lines (new-line out (inc depth)))
            (write-value (first xs) out opts (inc depth))
            (recur (next xs) (if (and indent (= style :cheshire)) ", " ","))))
        (when lines (new-line out depth))
        (yin.rt/write out (if (and indent (= style :cheshire)) " ]" "]"))))))

(defn- write-object [m out {:keys [key-fn value-fn indent style] :as opts} depth]
  (if (empty? m)
    (yin.rt/write out (if (and indent (= style :cheshire)) "{ }" "{}"))
    (do
      (yin.rt/write out "{")
      (loop [entries (seq m) sep nil]
        (when entries
          (let [k (key (first entries))
                v (val (first entries))
                v (if value-fn (value-fn k v) v)]
            (if (and value-fn (identical? v value-fn))
              (recur (next entries) sep)
              (do
                (when sep (yin.rt/write out sep))
                (when indent (new-line out (inc depth)))
                (let [text (key-fn k)]
                  (write-string (if (string? text) text (str text)) out opts))
                (yin.rt/write out (cond (not indent) ":" (= style :cheshire) " : " :else ": "))
                (write-value v out opts (inc depth))
                (recur (next entries) ","))))))
      (when indent (new-line out depth))
      (yin.rt/write out "}"))))

(defn- full-name [k]
  (if-let [ns (namespace k)] (str ns "/" (name k)) (name k)))

(defn- write-number [x out]
  (yin.rt/write out
                (cond
                  (ratio? x) (str (double x))
                  (and (float? x) (or (NaN? x) (infinite? x))) (yin.rt/raise :argument "JSON has no infinite or undefined numbers")
                  :else (str x))))

(defn- write-value [x out opts depth]
  (cond
    (nil? x) (yin.rt/write out "null")
    (string? x) (write-string x out opts)
    (number? x) (write-number x out)
    (true? x) (yin.rt/write out "true")
    (false? x) (yin.rt/write out "false")
    (or (keyword? x) (symbol? x)) (write-string (if (:qualified-values opts) (full-name x) (name x)) out opts)
    (map? x) (write-object x out opts depth)
    (or (sequential? x) (set? x)) (write-array x out opts depth)
    (char? x) (write-string (str x) out opts)
    (uuid? x) (write-string (str x) out opts)
    (inst? x) (write-string ((or (:date-fn opts) yin.rt/inst-iso) x) out opts)
    (yin.rt/array? x) (write-array (seq x) out opts depth)
    (:default-fn opts) (write-value ((:default-fn opts) x) out (dissoc opts :default-fn) depth)
    :else (if-let [encode (:encoder opts)]
            (encode x out opts depth)
            (yin.rt/raise (:unknown opts :type) (str "Don't know how to write JSON of " (pr-str (class x)))))))

(defn generate
  "JSON text of x. Options: :key-fn (required), :value-fn, :indent, :style (:data-json or :cheshire: how indented text looks),
  :escape-unicode, :escape-slash, :escape-js-separators, :qualified-values (names of keywords with their namespace),
  :default-fn, :date-fn."
  [x opts]
  (let [out (yin.rt/buffer)]
    (write-value x out opts 0)
    (str out)))
