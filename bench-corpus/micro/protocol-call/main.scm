;; protocol-call: Calls one method on two types of records that take turns.
(let ()
  (define N 1500000)

  (define-record-type (square make-square square?)
    (fields (mutable side square-side set-square-side!)))
  (define-record-type (rect make-rect rect?)
    (fields (mutable w rect-w set-rect-w!) (mutable h rect-h set-rect-h!)))

  (define (area s k)
    (cond
      ((square? s) (fx+ (fx* (square-side s) (square-side s)) k))
      (else (fx+ (fx* (rect-w s) (rect-h s)) k))))

  (define (run)
    (let ((one (make-square 3)) (two (make-rect 2 5)))
      (let loop ((i 0) (acc 0))
        (if (fx< i N)
            (loop (fx+ i 1)
                  (fxremainder (fx+ (fx* 3 acc) (area (if (fx= (fxremainder i 2) 0) one two) i))
                               1000003))
            acc))))

  (let* ((t0 (real-time)) (result (run)) (t1 (real-time)))
    (display result)
    (newline)
    (display "elapsed_ms " (current-error-port))
    (display (- t1 t0) (current-error-port))
    (newline (current-error-port))))
