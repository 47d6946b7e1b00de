//! The store: immutable databases of datoms, transactions on them, and every way to read them.
//!
//! - [`Database`] is a value; [`Database::with`] makes the next one. [`Conn`] holds the newest.
//! - Facts of one attribute are arrays sorted by entity ([`column`]); what was written since is a list on top of them
//!   ([`delta`]). A database value is a number of operations of that list, so taking one costs nothing.
//! - What no longer holds stays in the columns with the transactions that bound it: [`Database::as_of`],
//!   [`Database::since`] and [`Database::history`] are filters over it.
//! - [`Database`] is a [`Source`](crate::source::Source), so queries run over the arrays without a copy.

mod column;
mod conn;
mod db;
mod delta;
mod entity;
mod index;
mod pool;
mod pull;
mod schema;
mod source;
mod tx;
mod wire;

#[cfg(test)]
mod tests;

pub(crate) use column::{Col, Fact, Past};
pub use conn::{Commit, Conn, Listener, Turn};
pub use db::{Database, Datom, E_MAX, Filter, TX0};
pub(crate) use delta::{Slot, Stored};
pub use entity::{Attr, Entity};
pub use index::Index;
pub use pool::AttrId;
pub(crate) use pool::Lineage;
pub use pull::Pattern;
pub use schema::{Props, Schema, Unique, ValueType};
pub use tx::{Report, TxFunction, TxFunctions, TxOptions};
