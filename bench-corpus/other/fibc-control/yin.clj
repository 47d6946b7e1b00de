;; fibc: Naive Fibonacci in which every recursive result comes back by calling a
;; captured continuation.

(def N 26)

(defn fibc [n k]
  (if (< n 2)
    (k n)
    (k (+ (yin.control/call-cc (fn [j] (fibc (- n 1) j)))
          (yin.control/call-cc (fn [j] (fibc (- n 2) j)))))))

(defn run []
  (yin.control/call-cc (fn [k] (fibc N k))))

(let [result (atom nil)
      report (with-out-str (time (reset! result (run))))]
  (println @result)
  (binding [*out* *err*]
    (println "elapsed_ms" (re-find #"[0-9.]+" report))))
