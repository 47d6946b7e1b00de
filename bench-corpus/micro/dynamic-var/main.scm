;; dynamic-var: Binds a dynamic variable around a call that reads it twice.
(let ()
  (define N 500000)

  (define scale (make-parameter 1))

  (define (scaled x) (fx+ (fx* (scale) x) (scale)))

  (define (run)
    (let loop ((i 0) (acc 0))
      (if (fx< i N)
          (loop (fx+ i 1)
                (fxremainder (fx+ acc (parameterize ((scale (fxremainder i 7))) (scaled i)))
                             1000003))
          acc)))

  (let* ((t0 (real-time)) (result (run)) (t1 (real-time)))
    (display result)
    (newline)
    (display "elapsed_ms " (current-error-port))
    (display (- t1 t0) (current-error-port))
    (newline (current-error-port))))
