;; rest-args: Calls a function that takes any number of arguments and adds them up.
(let ()
  (define N 500000)

  (define (total . xs)
    (let loop ((xs xs) (s 0))
      (if (pair? xs)
          (loop (cdr xs) (fx+ s (car xs)))
          s)))

  (define (run)
    (let loop ((i 0) (acc 0))
      (if (fx< i N)
          (loop (fx+ i 1) (fxremainder (total acc i 1 2) 1000003))
          acc)))

  (let* ((t0 (real-time)) (result (run)) (t1 (real-time)))
    (display result)
    (newline)
    (display "elapsed_ms " (current-error-port))
    (display (- t1 t0) (current-error-port))
    (newline (current-error-port))))
