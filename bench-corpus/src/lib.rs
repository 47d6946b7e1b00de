//! Programs with known answers, the same in every language.
#![forbid(unsafe_code)]
