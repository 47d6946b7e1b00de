(defmacro unless [t & body] `(if ~t nil (do ~@body)))
(defmacro swap-pair [[a b]] (let [t (gensym)] `(let [~t ~a] [~b ~t])))
(defmacro my-or ([] nil) ([x] x) ([x & more] `(let [v# ~x] (if v# v# (my-or ~@more)))))
[(unless false 1 2) (swap-pair [1 2]) (let [v 5] (my-or nil false v)) (macroexpand-1 '(unless a b))]
;; => [2 [2 1] 5 (if a nil (do b))]
