;; try-enter: Enters and leaves a handler in every turn; one turn in a thousand throws.
(let ()
  (define N 1000000)

  (define (check i)
    (if (fx= (fxremainder i 1000) 999)
        (raise 'thousandth)
        (fxremainder i 10)))

  (define (attempt i)
    (guard (e (#t 7)) (check i)))

  (define (run)
    (let loop ((i 0) (acc 0))
      (if (fx< i N)
          (loop (fx+ i 1) (fx+ acc (attempt i)))
          acc)))

  (let* ((t0 (real-time)) (result (run)) (t1 (real-time)))
    (display result)
    (newline)
    (display "elapsed_ms " (current-error-port))
    (display (- t1 t0) (current-error-port))
    (newline (current-error-port))))
