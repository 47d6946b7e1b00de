;; vector-push: Appends integers to an empty vector one by one, a thousand to each of many
;; vectors.
(let ()
  (define N 600)

  (define (grown v)
    (let* ((n (vector-length v)) (w (make-vector (fx* 2 n) 0)))
      (let copy ((i 0))
        (if (fx< i n)
            (begin
              (vector-set! w i (vector-ref v i))
              (copy (fx+ i 1)))
            w))))

  (define (filled)
    (let loop ((i 0) (v (make-vector 4 0)))
      (if (fx< i 1000)
          (let ((v (if (fx= i (vector-length v)) (grown v) v)))
            (vector-set! v i i)
            (loop (fx+ i 1) v))
          v)))

  (define (run)
    (let loop ((i 0) (acc 0))
      (if (fx< i N)
          (let ((v (filled)))
            (loop (fx+ i 1)
                  (fxremainder (fx+ acc (fx+ 1000 (vector-ref v (fxremainder i 1000)))) 1000003)))
          acc)))

  (let* ((t0 (real-time)) (result (run)) (t1 (real-time)))
    (display result)
    (newline)
    (display "elapsed_ms " (current-error-port))
    (display (- t1 t0) (current-error-port))
    (newline (current-error-port))))
