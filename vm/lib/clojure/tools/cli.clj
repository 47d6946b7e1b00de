;; Options of commands.
(ns clojure.tools.cli
  (:require [clojure.string :as str]))

(defn- compile-spec
  "An option of an option vector: [short long doc & settings]."
  [spec]
  (let [texts (take-while (fn [x] (or (string? x) (nil? x))) spec)
        settings (apply hash-map (drop (count texts) spec))
        [short long-text desc] (if (and (first texts) (str/starts-with? (first texts) "--"))
                                 (cons nil texts)
                                 texts)
        [_ negatable long arg] (when long-text (re-matches #"--(\[no-\])?([^ =]+)(?:[ =](.+))?" long-text))
        [_ short* short-arg] (when short (re-matches #"(-\S+)(?:[ =](.+))?" short))]
    (merge {:id (when long (keyword long))
            :short short*
            :long (when long (str "--" long))
            :no (when negatable (str "--no-" long))
            :required (or arg short-arg)
            :desc desc}
           settings)))

(defn- default-values [specs]
  (reduce (fn [m s]
            (cond (contains? s :default) (assoc m (:id s) (:default s))
                  (contains? s :default-fn) m
                  :else m))
          {} specs))

(defn- find-option [specs flag text]
  (first (filter (fn [s] (= text (get s flag))) specs)))

(defn- parse-value
  "[value nil] or [nil error] of an option's text."
  [spec flag text]
  (let [[v err] (if-let [f (:parse-fn spec)]
                  (try [(f text) nil]
                       (catch Throwable e
                         [nil (str "Error while parsing option \"" flag " " text "\": " e)]))
                  [text nil])]
    (if err
      [nil err]
      (loop [checks (let [c (:validate spec)]
                      (if c (partition-all 2 c)
                          (when (:validate-fn spec) [[(:validate-fn spec) (:validate-msg spec)]])))]
        (if (seq checks)
          (let [[ok? message] (first checks)]
            (if (try (ok? v) (catch Throwable _ false))
              (recur (rest checks))
              [nil (str "Failed to validate \"" flag " " text "\""
                        (when message (str ": " (if (fn? message) (message v) message))))]))
          [v nil])))))

(defn- store [options spec v]
  (cond
    (:assoc-fn spec) ((:assoc-fn spec) options (:id spec) v)
    (:update-fn spec) (if (:multi spec)
                        (update options (:id spec) (:update-fn spec) v)
                        (update options (:id spec) (:update-fn spec)))
    :else (assoc options (:id spec) v)))

(defn summarize
  "Lines that describe options."
  [specs]
  (let [rows (map (fn [{:keys [short long no required default default-desc desc]}]
                    [(cond (and short long) (str short ", ") short short :else "    ")
                     (str (if no (str "--[no-]" (subs long 2)) long) (when required (str " " required)))
                     (str (or default-desc (if (some? default) default "")))
                     (or desc "")])
                  specs)
        defaults? (some (fn [r] (not= "" (nth r 2))) rows)
        width (fn [i] (apply max 0 (map (fn [r] (count (nth r i))) rows)))
        pad (fn [text n] (str text (apply str (repeat (- n (count text)) " "))))]
    (str/join "\n"
              (map (fn [[a b c d]]
                     (str/trimr (str "  " a (pad b (width 1)) "  " (when defaults? (str (pad c (width 2)) "  ")) d)))
                   rows))))

(defn parse-opts
  "Parses command line arguments: {:options, :arguments, :errors, :summary}. Settings: :in-order, :no-defaults, :strict,
  :summary-fn."
  [args option-specs & {:keys [in-order no-defaults summary-fn]}]
  (let [specs (map compile-spec option-specs)
        start (default-values specs)]
    (loop [args (seq args) options {} arguments [] errors []]
      (if args
        (let [a (first args)
              more (next args)]
          (cond
            (= a "--") (recur nil options (into arguments more) errors)

            (and (str/starts-with? a "--") (> (count a) 2))
            (let [[flag text] (str/split a #"=" 2)
                  spec (or (find-option specs :long flag) (find-option specs :no flag))]
              (cond
                (nil? spec) (recur more options arguments (conj errors (str "Unknown option: " (pr-str flag))))
                (:required spec)
                (let [text (or text (first more))
                      more (if (str/includes? a "=") more (next more))]
                  (if (nil? text)
                    (recur more options arguments (conj errors (str "Missing required argument for " (pr-str (str flag " " (:required spec))))))
                    (let [[v err] (parse-value spec flag text)]
                      (if err
                        (recur more options arguments (conj errors err))
                        (recur more (store (if (and (:update-fn spec) (not (contains? options (:id spec))) (contains? start (:id spec)))
                                             (assoc options (:id spec) (get start (:id spec))) options) spec v)
                               arguments errors)))))
                :else (recur more (store (if (and (:update-fn spec) (not (contains? options (:id spec))))
                                           (assoc options (:id spec) (get start (:id spec))) options)
                                         spec (not= flag (:no spec)))
                             arguments errors)))

            (and (str/starts-with? a "-") (> (count a) 1))
            (let [flag (subs a 0 2)
                  rest-text (subs a 2)
                  spec (find-option specs :short flag)]
              (cond
                (nil? spec) (recur (if (= "" rest-text) more (cons (str "-" rest-text) more))
                                   options arguments (conj errors (str "Unknown option: " (pr-str flag))))
                (:required spec)
                (let [text (if (= "" rest-text) (first more) rest-text)
                      more (if (= "" rest-text) (next more) more)]
                  (if (nil? text)
                    (recur more options arguments (conj errors (str "Missing required argument for " (pr-str (str flag " " (:required spec))))))
                    (let [[v err] (parse-value spec flag text)]
                      (if err
                        (recur more options arguments (conj errors err))
                        (recur more (store options spec v) arguments errors)))))
                :else (recur (if (= "" rest-text) more (cons (str "-" rest-text) more))
                             (store (if (and (:update-fn spec) (not (contains? options (:id spec))))
                                      (assoc options (:id spec) (get start (:id spec))) options)
                                    spec true)
                             arguments errors)))

            in-order (recur nil options (into arguments args) errors)
            :else (recur more options (conj arguments a) errors)))
        (let [options (if no-defaults options (merge start options))
              options (if no-defaults
                        options
                        (reduce (fn [m s]
                                  (if (and (:default-fn s) (not (contains? m (:id s))))
                                    (assoc m (:id s) ((:default-fn s) m))
                                    m))
                                options specs))
              missing (keep (fn [s] (when (and (:missing s) (not (contains? options (:id s)))) (:missing s))) specs)
              errors (into errors missing)]
          {:options options
           :arguments arguments
           :summary ((or summary-fn summarize) specs)
           :errors (seq errors)})))))
