;; atom-swap: Changes a shared mutable cell by a function, once in every turn of a loop.
(let ()
  (define N 1000000)

  (define (step old x) (fxremainder (fx+ (fx* 3 old) x) 1000003))
  (define (swap! cell f x)
    (vector-set! cell 0 (f (vector-ref cell 0) x))
    (vector-ref cell 0))

  (define (run)
    (let ((a (vector 1)))
      (let loop ((i 0))
        (if (fx< i N)
            (begin
              (swap! a step i)
              (loop (fx+ i 1)))
            (vector-ref a 0)))))

  (let* ((t0 (real-time)) (result (run)) (t1 (real-time)))
    (display result)
    (newline)
    (display "elapsed_ms " (current-error-port))
    (display (- t1 t0) (current-error-port))
    (newline (current-error-port))))
