;; Pretty printing, tables, and format strings of Common Lisp.
;;
;; pprint: a value whose text fits in what is left of the line is printed as it is; otherwise its elements go one below the
;; other, indented behind the opening bracket.
(ns clojure.pprint
  (:refer-clojure :exclude [deftype])
  (:require [clojure.string :as str]))

(def ^:dynamic *print-right-margin* "Columns of a line." 72)
(def ^:dynamic *print-miser-width* "Not used." 40)
(def ^:dynamic *print-pretty* "Are lines broken?" true)
(def ^:dynamic *print-base* "Radix of integers." 10)
(def ^:dynamic *print-radix* "Is the radix printed? Not used." false)
(def ^:dynamic *print-suppress-namespaces* "Are namespaces of symbols left out?" false)
(def ^:dynamic *print-pprint-dispatch* "The dispatch function; :code indents forms as code." nil)

(declare layout)

(defn- flat [x]
  (pr-str x))

(defn- fits? [x column tail]
  (<= (+ column (count (flat x)) tail) *print-right-margin*))

(defn- spaces [n] (apply str (repeat n " ")))

(defn- limited
  "Elements as *print-length* lets them be printed, with whether some are left out."
  [xs]
  (if *print-length*
    [(take *print-length* xs) (boolean (seq (drop *print-length* xs)))]
    [xs false]))

(defn- stacked
  "Texts of elements one below the other between brackets. put: text of an element at a column with a number of characters
  behind it."
  [open close xs column tail sep put]
  (let [[xs more?] (limited xs)
        inner (+ column (count open))
        out (yin.rt/buffer)]
    (yin.rt/write out open)
    (loop [s (seq xs) first? true]
      (when s
        (when-not first?
          (yin.rt/write out sep)
          (yin.rt/write out "\n")
          (yin.rt/write out (spaces inner)))
        (yin.rt/write out (put (first s) inner (if (next s) (count sep) (+ tail (count close)))))
        (recur (next s) false)))
    (when more?
      (yin.rt/write out (str sep "\n" (spaces inner) "...")))
    (yin.rt/write out close)
    (str out)))

(defn- entry-layout
  "A key and its value: the value on the key's line if it fits there or can be broken, else below it."
  [e column tail]
  (let [k (layout (key e) column 1)
        last-line (last (str/split k #"\n"))
        at (if (str/includes? k "\n") (inc (count last-line)) (+ column (count k) 1))
        v (val e)]
    (if (or (fits? v at tail)
            (not (and (coll? v) (seq v))))
      (if (or (fits? v at tail) (<= at (+ column 1)))
        (str k " " (layout v at tail))
        (str k "\n" (spaces column) (layout v column tail)))
      (str k "\n" (spaces column) (layout v column tail)))))

(defn- layout
  "Text of x that starts at a column, with `tail` characters to come behind it."
  [x column tail]
  (cond
    (or (not (coll? x)) (not *print-pretty*) (empty? x) (fits? x column tail)) (flat x)
    (record? x) (stacked (str "#" (yin.rt/type-symbol (class x)) "{") "}" (seq x) column tail "," entry-layout)
    (map? x) (stacked "{" "}" (seq x) column tail "," entry-layout)
    (set? x) (stacked "#{" "}" (seq x) column tail "" layout)
    (vector? x) (stacked "[" "]" (seq x) column tail "" layout)
    (and (= :code *print-pprint-dispatch*) (symbol? (first x)) (next x))
    (let [head (str "(" (first x) " ")
          inner (+ column 2)]
      (str "(" (first x) " " (layout (second x) (+ column (count head)) 0)
           (apply str (map (fn [y] (str "\n" (spaces inner) (layout y inner 1))) (nnext x)))
           ")"))
    :else (stacked "(" ")" (seq x) column tail "" layout)))

(defn simple-dispatch "Prints x as pprint does data." [x] (print (layout x 0 0)))
(defn code-dispatch "Prints x as pprint does code." [x]
  (binding [*print-pprint-dispatch* :code] (print (layout x 0 0))))

(defn pprint
  "Prints x with line breaks where it does not fit on a line, to *out* or a writer."
  ([x]
   (print (str (layout x 0 0) "\n")))
  ([x writer]
   (binding [*out* writer]
     (pprint x))))

(defn pprint-newline "A newline." [_kind] (newline))
(defn fresh-line "A newline." [] (newline))
(defmacro pp "Prints the last value at the prompt." [] `(pprint *1))
(defmacro with-pprint-dispatch "Evaluates body with another dispatch function." [f & body]
  `(binding [*print-pprint-dispatch* (if (= ~f code-dispatch) :code nil)] ~@body))
(defn write
  "Prints x; :stream nil returns the text instead, :pretty false breaks no lines."
  [x & {:keys [stream pretty right-margin length level base] :or {stream true pretty true}}]
  (binding [*print-pretty* pretty
            *print-right-margin* (or right-margin *print-right-margin*)
            *print-length* (or length *print-length*)
            *print-level* (or level *print-level*)]
    (let [text (layout x 0 0)]
      (if (nil? stream)
        text
        (do (print text) nil)))))
(defn write-out "Prints x." [x] (print (layout x 0 0)))

(defn print-table
  "Prints maps as a table, of the keys ks or of those of the first row."
  ([rows] (print-table (keys (first rows)) rows))
  ([ks rows]
   (when (seq rows)
     (let [widths (map (fn [k] (apply max (count (str k)) (map (fn [row] (count (str (get row k)))) rows))) ks)
           cell (fn [text width] (str (spaces (- width (count text))) text))
           line (fn [open sep close texts] (str open (str/join sep texts) close))
           rule (map (fn [w] (apply str (repeat w "-"))) widths)]
       (println)
       (println (line "| " " | " " |" (map (fn [k w] (cell (str k) w)) ks widths)))
       (println (line "|-" "-+-" "-|" rule))
       (doseq [row rows]
         (println (line "| " " | " " |" (map (fn [k w] (cell (str (get row k)) w)) ks widths))))))))

;; ---- cl-format

(defn- parse-params
  "The parameters of a directive at index i: [params, index behind them]; a parameter is an integer, a character, :V or nil."
  [s i]
  (loop [params [] i i]
    (let [c (.charAt s i)]
      (cond
        (= c \') (let [i (+ i 2)]
                   (if (= \, (.charAt s i))
                     (recur (conj params (.charAt s (dec i))) (inc i))
                     [(conj params (.charAt s (dec i))) i]))
        (or (= c \v) (= c \V)) (if (= \, (.charAt s (inc i)))
                                 (recur (conj params :V) (+ i 2))
                                 [(conj params :V) (inc i)])
        (= c \,) (recur (conj params nil) (inc i))
        (or (Character/isDigit c) (and (or (= c \-) (= c \+)) (Character/isDigit (.charAt s (inc i)))))
        (let [end (loop [j (inc i)] (if (Character/isDigit (.charAt s j)) (recur (inc j)) j))
              n (parse-long (subs s (if (= c \+) (inc i) i) end))]
          (if (= \, (.charAt s end))
            (recur (conj params n) (inc end))
            [(conj params n) end]))
        :else [params i]))))

(def ^:private closing {\{ \} \[ \] \( \) \< \>})

(declare parse-until)

(defn- parse-directive
  "The directive whose ~ is at index i: [directive, index behind it]."
  [s i]
  (let [[params i] (parse-params s (inc i))
        [flags i] (loop [flags #{} i i]
                    (let [c (.charAt s i)]
                      (if (or (= c \:) (= c \@)) (recur (conj flags c) (inc i)) [flags i])))
        c (first (str/lower-case (str (.charAt s i))))
        d {:op c :params params :colon (contains? flags \:) :at (contains? flags \@)}]
    (cond
      (contains? closing c)
      (let [[sections close i] (parse-until s (inc i) (get closing c))]
        [(assoc d :sections sections :close close) i])
      (= c \newline) [(assoc d :op :skip)
                      (loop [j (inc i)] (if (and (< j (count s)) (Character/isWhitespace (.charAt s j))) (recur (inc j)) j))]
      :else [d (inc i)])))

(defn- parse-until
  "Directives and texts from index i up to the directive `end` (nil: the end of s), in sections between ~;."
  [s i end]
  (loop [sections [] items [] i i]
    (let [at (str/index-of s "~" i)]
      (if (nil? at)
        (if end
          (throw (IllegalArgumentException. (str "cl-format: ~" end " is missing")))
          [(conj sections (conj items (subs s i))) nil (count s)])
        (let [items (if (< i at) (conj items (subs s i at)) items)
              [d j] (parse-directive s at)]
          (cond
            (= (:op d) end) [(conj sections items) d j]
            (= (:op d) \;) (recur (conj sections (if (:colon d) (conj items {:op :default}) items)) [] j)
            :else (recur sections (conj items d) j)))))))

(defn- roman [n]
  (loop [n n out "" table [[1000 "M"] [900 "CM"] [500 "D"] [400 "CD"] [100 "C"] [90 "XC"] [50 "L"] [40 "XL"]
                           [10 "X"] [9 "IX"] [5 "V"] [4 "IV"] [1 "I"]]]
    (cond
      (zero? n) out
      (>= n (ffirst table)) (recur (- n (ffirst table)) (str out (second (first table))) table)
      :else (recur n out (rest table)))))

(def ^:private small-numbers
  ["zero" "one" "two" "three" "four" "five" "six" "seven" "eight" "nine" "ten" "eleven" "twelve" "thirteen" "fourteen"
   "fifteen" "sixteen" "seventeen" "eighteen" "nineteen"])
(def ^:private tens ["" "" "twenty" "thirty" "forty" "fifty" "sixty" "seventy" "eighty" "ninety"])
(def ^:private scales ["" " thousand" " million" " billion" " trillion" " quadrillion" " quintillion"])

(defn- below-thousand [n]
  (let [h (quot n 100)
        r (rem n 100)
        low (cond
              (zero? r) nil
              (< r 20) (nth small-numbers r)
              (zero? (rem r 10)) (nth tens (quot r 10))
              :else (str (nth tens (quot r 10)) "-" (nth small-numbers (rem r 10))))]
    (str/join " " (remove nil? [(when (pos? h) (str (nth small-numbers h) " hundred")) low]))))

(defn- cardinal [n]
  (cond
    (zero? n) "zero"
    (neg? n) (str "minus " (cardinal (- n)))
    :else (loop [n n i 0 parts ()]
            (if (zero? n)
              (str/join ", " parts)
              (let [g (rem n 1000)]
                (recur (quot n 1000) (inc i)
                       (if (zero? g) parts (cons (str (below-thousand g) (nth scales i)) parts))))))))

(def ^:private irregular
  {"one" "first" "two" "second" "three" "third" "five" "fifth" "eight" "eighth" "nine" "ninth" "twelve" "twelfth"})

(defn- ordinal [n]
  (let [text (cardinal n)
        [_ front word] (re-matches #"(.*?)([a-z]+)$" text)]
    (str front (or (get irregular word)
                   (if (str/ends-with? word "y")
                     (str (subs word 0 (dec (count word))) "ieth")
                     (str word "th"))))))

(defn- grouped [digits sep n]
  (let [head (rem (count digits) n)
        groups (map (fn [g] (apply str g)) (partition n (drop head digits)))]
    (str/join sep (remove empty? (cons (subs digits 0 head) groups)))))

(defn- pad-left [text width fill]
  (str (apply str (repeat (- (or width 0) (count text)) (or fill \space))) text))
(defn- pad-right [text width fill]
  (str text (apply str (repeat (- (or width 0) (count text)) (or fill \space)))))

(defn- integer-text [x radix {:keys [params colon at]} skip]
  (if (integer? x)
    (let [[width fill sep n] (drop skip params)
          digits (let [m (if (neg? x) (-' x) x)]
                   (if (= radix 10)
                     (str m)
                     (loop [m m out ""] (if (zero? m) (if (= out "") "0" out)
                                            (recur (quot m radix)
                                                   (str (.charAt "0123456789abcdefghijklmnopqrstuvwxyz" (int (rem m radix))) out))))))
          body (if colon (grouped digits (str (or sep ",")) (or n 3)) digits)]
      (pad-left (str (cond (neg? x) "-" at "+" :else "") body) width fill))
    (str x)))

(defn- fixed-text [x {:keys [params at]}]
  (let [[width digits _ _ fill] params
        sign (if (and at (not (neg? x))) "+" "")
        text (if digits
               (format (str "%." digits "f") (if (decimal? x) x (double x)))
               (let [t (str (double x))] (if (str/includes? t "E") (format "%f" (double x)) t)))
        text (if (and width (= (count (str sign text)) (inc width)) (str/starts-with? text "0.")) (subs text 1) text)]
    (pad-left (str sign text) width fill)))

(defn- capitalized [text {:keys [colon at]}]
  (cond
    (and colon at) (str/upper-case text)
    colon (str/replace (str/lower-case text) #"[a-z0-9]+" str/capitalize)
    at (let [t (str/lower-case text)
             m (re-find #"[a-z]" t)]
         (if m (str/replace-first t m (str/upper-case m)) t))
    :else (str/lower-case text)))

;; The state of a run: [out args index]; args is the vector of all arguments of this level.

(declare run-items)

(defn- next-arg [[out args i]]
  (if (< i (count args))
    [(nth args i) [out args (inc i)]]
    (throw (IllegalArgumentException. "cl-format: not enough arguments"))))

(defn- resolve-params
  "Parameters with :V replaced by arguments."
  [d state]
  (reduce (fn [[d state] [i p]]
            (if (= p :V)
              (let [[x state] (next-arg state)] [(assoc-in d [:params i] x) state])
              [d state]))
          [d state]
          (map-indexed vector (:params d))))

(defn- emit [[out args i] text] [(str out text) args i])

(defn- iterate-over
  "Runs the body of ~{ ~} over items until they are used up or ~^ ends it."
  [body state-out items limit]
  (loop [out state-out i 0 rounds 0]
    (if (or (>= i (count items)) (and limit (>= rounds limit)))
      out
      (let [[[out* _ i*] ended] (run-items body [out items i])]
        (cond
          ended out*
          (= i i*) out*
          :else (recur out* i* (inc rounds)))))))

(defn- run-directive
  "The state after one directive, and whether ~^ ended the level: [state ended]."
  [d state]
  (let [[d state] (resolve-params d state)
        {:keys [op params colon at sections close]} d
        [p0 p1] params
        with-arg (fn [f] (let [[x state] (next-arg state)] [(emit state (f x)) false]))]
    (case op
      \a (with-arg (fn [x] (let [t (if (nil? x) "nil" (print-str x))]
                             (if at (pad-left t p0 (nth params 3 nil)) (pad-right t p0 (nth params 3 nil))))))
      \s (with-arg (fn [x] (let [t (pr-str x)]
                             (if at (pad-left t p0 (nth params 3 nil)) (pad-right t p0 (nth params 3 nil))))))
      \d (with-arg (fn [x] (integer-text x 10 d 0)))
      \b (with-arg (fn [x] (integer-text x 2 d 0)))
      \o (with-arg (fn [x] (integer-text x 8 d 0)))
      \x (with-arg (fn [x] (integer-text x 16 d 0)))
      \r (with-arg (fn [x] (cond p0 (integer-text x p0 d 1)
                                 at (roman x)
                                 colon (ordinal x)
                                 :else (cardinal x))))
      \f (with-arg (fn [x] (fixed-text x d)))
      \e (with-arg (fn [x] (format (str "%" (when p0 p0) "." (or p1 1) "e") (double x))))
      \g (with-arg (fn [x] (fixed-text x d)))
      \$ (with-arg (fn [x] (pad-left (format (str "%." (or p0 2) "f") (double x)) (nth params 2 nil) nil)))
      \c (with-arg (fn [x] (if at (pr-str x) (str x))))
      \p (let [[out args i] state
               state (if colon [out args (dec i)] state)
               [x state] (next-arg state)]
           [(emit state (if at (if (= x 1) "y" "ies") (if (= x 1) "" "s"))) false])
      \% [(emit state (apply str (repeat (or p0 1) "\n"))) false]
      \& [(let [[out] state]
            (if (or (= out "") (str/ends-with? out "\n")) state (emit state "\n"))) false]
      \~ [(emit state (apply str (repeat (or p0 1) "~"))) false]
      \t [(let [[out] state
                column (- (count out) (inc (or (str/last-index-of out "\n") -1)))]
            (emit state (spaces (if at (or p0 1) (max 1 (- (or p0 1) column)))))) false]
      \* (let [[out args i] state]
           [[out args (cond at (or p0 0) colon (- i (or p0 1)) :else (+ i (or p0 1)))] false])
      \^ (let [[_ args i] state] [state (>= i (count args))])
      \_ [state false]
      \w (with-arg pr-str)
      \( (let [[[out args i] ended] (run-items (first sections) (assoc state 0 ""))]
           [[(str (nth state 0) (capitalized out d)) args i] ended])
      \{ (let [body (first sections)
               [out args i] state]
           (cond
             (and at colon) [[(reduce (fn [out sub] (nth (nth (run-items body [out (vec sub) 0]) 0) 0)) out (drop i args))
                              args (count args)] false]
             at [[(iterate-over body out (subvec args i) p0) args (count args)] false]
             :else (let [[items state] (next-arg state)]
                     [(assoc state 0 (if colon
                                       (reduce (fn [out sub] (nth (nth (run-items body [out (vec sub) 0]) 0) 0))
                                               out (if p0 (take p0 items) items))
                                       (iterate-over body out (vec items) p0)))
                      false])))
      \[ (cond
           colon (let [[x state] (next-arg state)] (run-items (nth sections (if x 1 0)) state))
           at (let [[out args i] state]
                (if (nth args i) (run-items (first sections) state) [[out args (inc i)] false]))
           :else (let [[x state] (if p0 [p0 state] (next-arg state))
                       default? (some (fn [item] (= item {:op :default})) (last (butlast sections)))
                       n (count sections)]
                   (cond
                     (and (integer? x) (< -1 x (if default? (dec n) n)))
                     (run-items (remove (fn [item] (= item {:op :default})) (nth sections x)) state)
                     default? (run-items (last sections) state)
                     :else [state false])))
      \< (let [texts (loop [ss sections state state texts []]
                       (if (seq ss)
                         (let [[[out args i] _] (run-items (first ss) (assoc state 0 ""))]
                           (recur (rest ss) [(nth state 0) args i] (conj texts out)))
                         [texts state]))
               [texts state] texts
               width (or p0 0)
               total (reduce + (map count texts))
               gaps (max 1 (dec (count texts)))
               fill (max 0 (- width total))]
           [(emit state (if (= 1 (count texts))
                          (pad-left (first texts) width nil)
                          (loop [out (first texts) ts (rest texts) k 0]
                            (if (seq ts)
                              (recur (str out (spaces (- (quot (* fill (inc k)) gaps) (quot (* fill k) gaps))) (first ts))
                                     (rest ts) (inc k))
                              out))))
            false])
      :skip [state false]
      :default [state false]
      (throw (IllegalArgumentException. (str "cl-format: unknown directive ~" op))))))

(defn- run-items [items state]
  (loop [items (seq items) state state]
    (if items
      (let [item (first items)]
        (if (string? item)
          (recur (next items) (emit state item))
          (let [[state ended] (run-directive item state)]
            (if ended [state true] (recur (next items) state)))))
      [state false])))

(defn cl-format
  "Text from a format string of Common Lisp and arguments: nil as writer returns it, true prints it to *out*."
  [writer format-in & args]
  (let [[sections] (parse-until format-in 0 nil)
        [[out]] (run-items (first sections) ["" (vec args) 0])]
    (cond
      (nil? writer) out
      (true? writer) (do (print out) nil)
      :else (do (yin.rt/write-text writer out) nil))))

(defn formatter "A function of a writer and arguments that formats them." [format-in]
  (fn [writer & args] (apply cl-format writer format-in args)))
