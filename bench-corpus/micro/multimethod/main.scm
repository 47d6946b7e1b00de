;; multimethod: Calls one operation on three kinds of values, found in an open table by a
;; computed key.
(let ()
  (define N 500000)

  (define (get s k) (hashtable-ref s k 0))

  (define methods
    (let ((h (make-eq-hashtable)))
      (hashtable-set! h 'square (lambda (s) (fx* (get s 'side) (get s 'side))))
      (hashtable-set! h 'rect (lambda (s) (fx* (get s 'w) (get s 'h))))
      (hashtable-set! h 'triangle (lambda (s) (fxquotient (fx* (get s 'base) (get s 'height)) 2)))
      h))

  (define (area s) ((hashtable-ref methods (get s 'kind) #f) s))

  (define (shape kind a x b y)
    (let ((h (make-eq-hashtable)))
      (hashtable-set! h 'kind kind)
      (hashtable-set! h a x)
      (hashtable-set! h b y)
      h))

  (define shapes
    (vector (shape 'square 'side 3 'none 0) (shape 'rect 'w 2 'h 5)
            (shape 'triangle 'base 6 'height 7)))

  (define (run)
    (let loop ((i 0) (acc 0))
      (if (fx< i N)
          (loop (fx+ i 1)
                (fxremainder (fx+ (fx* 3 acc) (area (vector-ref shapes (fxremainder i 3)))) 1000003))
          acc)))

  (let* ((t0 (real-time)) (result (run)) (t1 (real-time)))
    (display result)
    (newline)
    (display "elapsed_ms " (current-error-port))
    (display (- t1 t0) (current-error-port))
    (newline (current-error-port))))
