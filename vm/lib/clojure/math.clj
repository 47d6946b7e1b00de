;; Mathematics. Elementary functions are primitives; the rest of the namespace is here.
(ns clojure.math)

(def E "Base of the natural logarithm." 2.718281828459045)
(def PI "Circumference of a circle of diameter 1." 3.141592653589793)

(defn random
  "A random double, 0 or more and less than 1."
  []
  (yin.rt/rand))

(defn add-exact "Sum of longs; an error if it is none." [x y] (+ (long x) (long y)))
(defn subtract-exact "Difference of longs; an error if it is none." [x y] (- (long x) (long y)))
(defn multiply-exact "Product of longs; an error if it is none." [x y] (* (long x) (long y)))
(defn increment-exact "x + 1; an error on overflow." [x] (inc (long x)))
(defn decrement-exact "x - 1; an error on overflow." [x] (dec (long x)))
(defn negate-exact "-x; an error on overflow." [x] (- (long x)))

(defn- bits ^long [x] (yin.rt/double-bits (double x)))
(defn- from-bits [n] (yin.rt/bits-double n))

(defn IEEE-remainder
  "dividend minus the nearest multiple of divisor (ties to the even one)."
  [dividend divisor]
  (let [x (double dividend)
        y (double divisor)]
    (cond
      (or (NaN? x) (NaN? y) (infinite? x) (zero? y)) ##NaN
      (infinite? y) x
      :else
      (let [y (abs y)
            r (yin.rt/fmod x (* 2.0 y))
            m (abs r)
            half (* 0.5 y)
            m (if (> m half)
                (let [m (- m y)] (if (>= m half) (- m y) m))
                m)]
        (if (neg? x) (- 0.0 m) m)))))

(defn copy-sign
  "magnitude with the sign of sign."
  [magnitude sign]
  (let [m (abs (double magnitude))]
    (if (neg? (bits sign)) (- m) m)))

(defn get-exponent
  "Unbiased exponent of a double."
  [d]
  (- (bit-and (unsigned-bit-shift-right (bits d) 52) 2047) 1023))

(defn next-up
  "The double just above d."
  [d]
  (let [x (double d)]
    (cond
      (NaN? x) x
      (= x ##Inf) x
      (zero? x) (from-bits 1)
      (pos? x) (from-bits (inc (bits x)))
      :else (from-bits (dec (bits x))))))

(defn next-down
  "The double just below d."
  [d]
  (- (next-up (- (double d)))))

(defn next-after
  "The double next to start towards direction."
  [start direction]
  (let [a (double start)
        b (double direction)]
    (cond
      (or (NaN? a) (NaN? b)) ##NaN
      (== a b) b
      (< a b) (next-up a)
      :else (next-down a))))

(defn ulp
  "Distance from d to the next double of larger magnitude."
  [d]
  (let [x (abs (double d))]
    (cond
      (NaN? x) x
      (infinite? x) x
      (= x 1.7976931348623157E308) (- x (next-down x))
      :else (- (next-up x) x))))

(defn scalb
  "d times two to the power n."
  [d n]
  (loop [x (double d)
         n (long n)]
    (cond
      (> n 1000) (if (or (zero? x) (infinite? x)) x (recur (* x 1.0715086071862673E301) (- n 1000)))
      (< n -1000) (if (zero? x) x (recur (/ x 1.0715086071862673E301) (+ n 1000)))
      :else (* x (pow 2.0 n)))))
