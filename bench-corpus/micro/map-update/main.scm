;; map-update: Counts in a map of eight keyword keys: one update with a function in every turn.
(let ()
  (define N 500000)

  (define names (vector 'a 'b 'c 'd 'e 'f 'g 'h))

  (define (run)
    (let ((m (make-eq-hashtable)))
      (let fill ((i 0))
        (if (fx< i 8)
            (begin
              (hashtable-set! m (vector-ref names i) 0)
              (fill (fx+ i 1)))))
      (let loop ((i 0))
        (if (fx< i N)
            (let ((k (vector-ref names (fxremainder (fx* i 5) 8))))
              (hashtable-set! m k (fx+ 1 (hashtable-ref m k 0)))
              (loop (fx+ i 1)))
            (fx+ (hashtable-ref m 'a 0)
                 (fx+ (fx* 3 (hashtable-ref m 'd 0)) (fx* 7 (hashtable-ref m 'h 0))))))))

  (let* ((t0 (real-time)) (result (run)) (t1 (real-time)))
    (display result)
    (newline)
    (display "elapsed_ms " (current-error-port))
    (display (- t1 t0) (current-error-port))
    (newline (current-error-port))))
