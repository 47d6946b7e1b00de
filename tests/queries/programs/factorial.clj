;; 5! by self-application.
(def answer ((fn [self n] (if (< n 2) 1 (* n (self self (- n 1))))) (fn [self n] (if (< n 2) 1 (* n (self self (- n 1))))) 5))
