;; ctak: The Takeuchi function in a form that captures a continuation at every call and
;; returns through it.

(def X 18)
(def Y 12)
(def Z 6)
(def REPS 6)

(defn ctak-aux [k x y z]
  (if (< y x)
    (yin.control/call-cc
      (fn [k]
        (ctak-aux k
                  (yin.control/call-cc (fn [k] (ctak-aux k (dec x) y z)))
                  (yin.control/call-cc (fn [k] (ctak-aux k (dec y) z x)))
                  (yin.control/call-cc (fn [k] (ctak-aux k (dec z) x y))))))
    (k z)))

(defn ctak [x y z]
  (yin.control/call-cc (fn [k] (ctak-aux k x y z))))

(defn run []
  (loop [i 0 s 0]
    (if (< i REPS)
      (recur (inc i) (+ s (ctak X Y Z)))
      s)))

(let [result (atom nil)
      report (with-out-str (time (reset! result (run))))]
  (println @result)
  (binding [*out* *err*]
    (println "elapsed_ms" (re-find #"[0-9.]+" report))))
