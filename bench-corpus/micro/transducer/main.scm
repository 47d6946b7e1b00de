;; transducer: Reduces a range through a composed map, filter and map, with no sequence in
;; between.
(let ()
  (define N 600000)

  (define (mapping f)
    (lambda (rf) (lambda (acc x) (rf acc (f x)))))

  (define (filtering p)
    (lambda (rf) (lambda (acc x) (if (p x) (rf acc x) acc))))

  (define (run)
    (let* ((a (mapping (lambda (x) (fx* x 3))))
           (b (filtering (lambda (x) (fx= (fxremainder x 2) 0))))
           (c (mapping (lambda (x) (fx+ x 1))))
           (rf (a (b (c (lambda (acc x) (fxremainder (fx+ acc x) 1000003)))))))
      (let loop ((i 0) (acc 0))
        (if (fx< i N)
            (loop (fx+ i 1) (rf acc i))
            acc))))

  (let* ((t0 (real-time)) (result (run)) (t1 (real-time)))
    (display result)
    (newline)
    (display "elapsed_ms " (current-error-port))
    (display (- t1 t0) (current-error-port))
    (newline (current-error-port))))
