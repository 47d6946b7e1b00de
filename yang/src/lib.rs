//! Front ends: source text to forms and Universal AST. Nothing here runs code.
#![forbid(unsafe_code)]
