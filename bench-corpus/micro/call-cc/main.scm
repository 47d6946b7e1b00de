;; call-cc: Captures the continuation, goes a few calls deeper and comes back by calling it.
(let ()
  (define N 300000)

  (define (deeper k d i)
    (if (fx= d 0)
        (k (fxremainder i 10))
        (fx+ 1 (deeper k (fx- d 1) i))))

  (define (run)
    (let loop ((i 0) (acc 0))
      (if (fx< i N)
          (loop (fx+ i 1) (fx+ acc (call/cc (lambda (k) (deeper k (fxremainder i 4) i)))))
          acc)))

  (let* ((t0 (real-time)) (result (run)) (t1 (real-time)))
    (display result)
    (newline)
    (display "elapsed_ms " (current-error-port))
    (display (- t1 t0) (current-error-port))
    (newline (current-error-port))))
