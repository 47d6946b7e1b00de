//! Datalog over [`Source`](crate::source::Source)s.

pub mod ast;
mod error;
mod parse;

pub use error::{ErrorKind, QueryError};
pub use parse::{parse_query, parse_rules};
