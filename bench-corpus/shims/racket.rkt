#lang racket/base
;; Lets Racket run main.scm, which is written for Chez Scheme. The runner puts this text in front.
(require racket/fixnum
         racket/flonum
         (only-in racket/vector vector-map)
         (for-syntax racket/base))

(define-syntax (define-record-type stx)
  (syntax-case stx (fields mutable)
    [(_ (name make pred) (fields (mutable f get set) ...))
     (with-syntax ([n (length (syntax->list #'(f ...)))]
                   [(i ...) (for/list ([x (syntax->list #'(f ...))] [k (in-naturals)]) k)])
       #'(define-values (make pred get ... set ...)
           (let-values ([(type new is? ref put)
                         (make-struct-type 'name #f n 0 #f)])
             (values new is?
                     (make-struct-field-accessor ref i 'f) ...
                     (make-struct-field-mutator put i 'f) ...))))]))

(define-syntax-rule (guard (e (test body ...)) expr ...)
  (with-handlers ([(lambda (e) test) (lambda (e) body ...)]) expr ...))

(define-syntax-rule (fxsll a b) (fxlshift a b))
(define-syntax-rule (fxsrl a b) (fxrshift a b))
(define-syntax-rule (fixnum->flonum a) (fx->fl a))
(define-syntax-rule (exact a) (inexact->exact a))

(define string-hash #f)
(define (make-eq-hashtable) (make-hasheq))
(define (make-eqv-hashtable) (make-hasheqv))
(define (make-hashtable hash same?) (make-hash))
(define-syntax-rule (hashtable-ref h k d) (hash-ref h k d))
(define-syntax-rule (hashtable-set! h k v) (hash-set! h k v))
(define-syntax-rule (hashtable-delete! h k) (hash-remove! h k))
(define-syntax-rule (hashtable-size h) (hash-count h))
(define-syntax-rule (hashtable-contains? h k) (hash-has-key? h k))
(define (hashtable-keys h) (list->vector (hash-keys h)))

(define (list-sort less? xs) (sort xs less?))

(define (fold-left f acc xs)
  (if (null? xs) acc (fold-left f (f acc (car xs)) (cdr xs))))

(define (real-time) (current-inexact-milliseconds))

