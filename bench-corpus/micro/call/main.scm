;; call: Calls a named function of two arguments in a loop.
(let ()
  (define N 3000000)

  (define (step a b) (fxremainder (fx+ a b) 1000003))

  (define (run)
    (let loop ((i 0) (acc 0))
      (if (fx< i N)
          (loop (fx+ i 1) (step acc i))
          acc)))

  (let* ((t0 (real-time)) (result (run)) (t1 (real-time)))
    (display result)
    (newline)
    (display "elapsed_ms " (current-error-port))
    (display (- t1 t0) (current-error-port))
    (newline (current-error-port))))
