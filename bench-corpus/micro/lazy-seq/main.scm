;; lazy-seq: Walks an infinite sequence whose every cell is computed when first asked for and
;; then kept.
(let ()
  (define N 300000)

  ;; A cell is a pair: (thunk . #f) before it is forced, (value . rest) after, told apart by a flag in front.
  (define (make-cell thunk) (vector #f thunk #f))

  (define (force-cell c)
    (if (not (vector-ref c 0))
        (let ((p ((vector-ref c 1))))
          (vector-set! c 0 #t)
          (vector-set! c 1 (car p))
          (vector-set! c 2 (cdr p)))))

  (define (ints-from n)
    (make-cell (lambda () (cons n (ints-from (fx+ n 1))))))

  (define (run)
    (let loop ((i 0) (acc 0) (xs (ints-from 0)))
      (if (fx< i N)
          (begin
            (force-cell xs)
            (loop (fx+ i 1)
                  (fxremainder (fx+ (fx* 3 acc) (vector-ref xs 1)) 1000003)
                  (vector-ref xs 2)))
          acc)))

  (let* ((t0 (real-time)) (result (run)) (t1 (real-time)))
    (display result)
    (newline)
    (display "elapsed_ms " (current-error-port))
    (display (- t1 t0) (current-error-port))
    (newline (current-error-port))))
