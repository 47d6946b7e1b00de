//! Clojure: text to forms with spans.

pub mod reader;
#[cfg(test)]
mod tests;
