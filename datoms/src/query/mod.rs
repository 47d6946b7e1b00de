//! Datalog over [`Source`](crate::source::Source)s: all of DataScript's query language, and what Datomic's adds.
//!
//! A query is parsed ([`parse_query`]), lowered to numbered variables and words in written order, and run by an engine
//! that orders clauses by exact counts. The same lowered clauses run row by row in the evaluator that defines their
//! meaning ([`Order::Naive`]); tests hold the two against each other.
//!
//! [`Prepared`] is a parsed query, [`q`] and [`q_text`] keep parsed queries by their value, [`Output`] decodes values
//! when they are looked at. Functions of a host come in through [`Function`] and [`Registry`].

pub mod ast;
mod batch;
mod closure;
mod env;
mod error;
mod exec;
mod func;
mod ir;
mod lower;
mod naive;
mod num;
mod output;
mod parse;
mod rows;
mod rules;
mod run;
mod space;

#[cfg(test)]
mod tests;

pub use error::{ErrorKind, QueryError};
pub use exec::Step;
pub use func::{Func, Function, Registry, builtin};
pub use output::Output;
pub use parse::{check_depth, parse_query, parse_rules};
pub use rows::{Facts, Rows};
pub use run::{Input, Options, Order, Prepared, q, q_text};
