;; closure-call: Makes a closure over one variable in every turn of a loop and calls it once.
(let ()
  (define N 2000000)

  (define (adder k)
    (lambda (x) (fxremainder (fx+ x k) 1000003)))

  (define (run)
    (let loop ((i 0) (acc 0))
      (if (fx< i N)
          (loop (fx+ i 1) ((adder i) acc))
          acc)))

  (let* ((t0 (real-time)) (result (run)) (t1 (real-time)))
    (display result)
    (newline)
    (display "elapsed_ms " (current-error-port))
    (display (- t1 t0) (current-error-port))
    (newline (current-error-port))))
