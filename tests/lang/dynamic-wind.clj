(def out (atom []))
(defn note [x] (swap! out conj x))
(yin.control/call-cc
  (fn [escape]
    (yin.control/dynamic-wind
      (fn [] (note :in))
      (fn [] (note :body) (escape :gone) (note :never))
      (fn [] (note :out)))))
(try
  (yin.control/dynamic-wind (fn [] (note :in2)) (fn [] (throw (ex-info "x" {}))) (fn [] (note :out2)))
  (catch Exception e (note :caught)))
@out
;; => [:in :body :out :in2 :out2 :caught]
