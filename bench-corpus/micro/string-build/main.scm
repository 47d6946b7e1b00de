;; string-build: Makes short strings out of literals and numbers and adds up their lengths.
(let ()
  (define N 300000)

  (define (run)
    (let loop ((i 0) (acc 0))
      (if (fx< i N)
          (loop (fx+ i 1)
                (fx+ acc (string-length
                           (string-append "item-" (number->string i) ":"
                                          (number->string (fxremainder i 7))))))
          acc)))

  (let* ((t0 (real-time)) (result (run)) (t1 (real-time)))
    (display result)
    (newline)
    (display "elapsed_ms " (current-error-port))
    (display (- t1 t0) (current-error-port))
    (newline (current-error-port))))
