//! The Universal AST: one node table, its columnar datom form, checker and printer.
#![forbid(unsafe_code)]
