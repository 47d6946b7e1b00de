(println "what comes before runs")

(defn area [r]
  (let [text "a\qb" n 12abc]
    {:a 1 :a 2}
    (* r r]))

(defn unfinished [x]
  (inc x)

(defn fine [y] (dec y))
(def ch \spoce)
;; ---
;; error[read]: Unsupported escape character: \q (Y0114)
;;  --> every_read_error.clj:4:16
;; 4 |   (let [text "a\qb" n 12abc]
;;   |                ^^
;; error[read]: Invalid number: 12abc (Y0134)
;;  --> every_read_error.clj:4:23
;; 4 |   (let [text "a\qb" n 12abc]
;;   |                       ^^^^^
;; error[read]: Duplicate key: :a (Y0111)
;;  --> every_read_error.clj:5:11
;; 5 |     {:a 1 :a 2}
;;   |           ^^
;; error[read]: Unmatched delimiter: ], expected ) to match what starts on line 6 (Y0102)
;;  --> every_read_error.clj:6:11
;; 6 |     (* r r]))
;;   |           ^
;; error[read]: EOF while reading a collection that starts on line 8 (Y0104)
;;  --> every_read_error.clj:8:1
;; 8 | (defn unfinished [x]
;;   | ^
;; help: line 11 begins a form at the left edge: a delimiter may be missing before it
;; error[read]: Unsupported character: \spoce (Y0115)
;;   --> every_read_error.clj:12:9
;; 12 | (def ch \spoce)
;;    |         ^^^^^^
