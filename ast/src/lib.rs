//! The Universal AST: one node table, its columnar form, its datoms.
//!
//! Reading order: `schema` (the node table), `store` (columns, builder, views), `hash` (what nodes mean), `check` (what must
//! hold), `diag` (what can be wrong), `datoms` (to `[e a v t m]` and other texts), `read` (back), `pack` (one top-level form
//! as bytes that travel, and back), `source` (the columns as a database).
#![forbid(unsafe_code)]

pub mod check;
pub mod datoms;
pub mod diag;
pub mod hash;
pub mod pack;
pub mod read;
pub mod schema;
pub mod source;
pub mod store;

pub use read::{FactError, parse, program, read};
pub use schema::{Kind, Role, Shape};
pub use store::{Ast, Name, NodeId, Span};

#[cfg(test)]
mod tests;
