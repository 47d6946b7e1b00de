;; vector-nth: Reads a vector of 100 integers at a moving index.
(let ()
  (define N 3000000)

  (define (run)
    (let ((v (make-vector 100 0)))
      (let fill ((i 0))
        (if (fx< i 100)
            (begin
              (vector-set! v i i)
              (fill (fx+ i 1)))))
      (let loop ((i 0) (acc 0))
        (if (fx< i N)
            (loop (fx+ i 1)
                  (fxremainder (fx+ (fx* 3 acc) (vector-ref v (fxremainder i 100))) 1000003))
            acc))))

  (let* ((t0 (real-time)) (result (run)) (t1 (real-time)))
    (display result)
    (newline)
    (display "elapsed_ms " (current-error-port))
    (display (- t1 t0) (current-error-port))
    (newline (current-error-port))))
