//! Clojure: text to forms with spans.

pub mod reader;
