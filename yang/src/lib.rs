//! Front ends: source text to forms. Nothing here runs code.
#![forbid(unsafe_code)]

pub mod clojure;
