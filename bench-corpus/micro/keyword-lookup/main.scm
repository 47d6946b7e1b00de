;; keyword-lookup: Reads three keys of small maps by keyword; two maps of the same shape take
;; turns.
(let ()
  (define N 1500000)

  (define (table a b c d)
    (let ((h (make-eq-hashtable)))
      (hashtable-set! h 'a a)
      (hashtable-set! h 'b b)
      (hashtable-set! h 'c c)
      (hashtable-set! h 'd d)
      h))

  (define one (table 1 2 3 4))
  (define two (table 5 6 7 8))

  (define (run)
    (let loop ((i 0) (acc 0))
      (if (fx< i N)
          (let ((m (if (fx= (fxremainder i 2) 0) one two)))
            (loop (fx+ i 1)
                  (fxremainder (fx+ acc (fx+ (hashtable-ref m 'a 0)
                                             (fx* (hashtable-ref m 'b 0) (hashtable-ref m 'd 0))))
                               1000003)))
          acc)))

  (let* ((t0 (real-time)) (result (run)) (t1 (real-time)))
    (display result)
    (newline)
    (display "elapsed_ms " (current-error-port))
    (display (- t1 t0) (current-error-port))
    (newline (current-error-port))))
