//! The Universal AST: one node table, its columnar form, its datoms.
//!
//! Reading order: `schema` (the node table), `store` (columns, builder, views), `datoms` (to and from `[e a v t m]`).
#![forbid(unsafe_code)]

pub mod datoms;
pub mod schema;
pub mod store;

pub use schema::{Kind, Shape};
pub use store::{Ast, Name, NodeId, Span};
