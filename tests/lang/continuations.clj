;; A continuation includes its prompt: the second abort inside (k 10) reaches the handler of the first one again.
(def k-store (atom nil))
(def trail (atom []))
(defn gen [] (+ 1 (yin.control/abort-to-prompt :p :first) (yin.control/abort-to-prompt :p :second)))
(def result
  (yin.control/call-with-prompt :p gen
    (fn [k v]
      (swap! trail conj v)
      (yin.control/call-with-prompt :p (fn [] (k 10))
        (fn [k2 v2]
          (swap! trail conj v2)
          [:unreached k2])))))
(def escaped (yin.control/call-cc (fn [k] (+ 1 (k 42)))))
(def count-up (atom 0))
(let [r (yin.control/call-cc (fn [k] (reset! k-store k) 0))]
  (swap! count-up inc)
  (when (< r 3) (@k-store (inc r))))
[result @trail escaped @count-up]
;; => [21 [:first :second] 42 4]
