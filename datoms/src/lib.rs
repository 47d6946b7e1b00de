//! The store and its one query engine: immutable databases of datoms `[e a v t m]`, and Datalog over anything that can be scanned.
#![forbid(unsafe_code)]

pub mod bench;
pub mod conform;
pub mod disk;
pub mod edn;
pub mod json;
pub mod lazy;
pub mod query;
pub mod source;
pub mod store;
pub mod value;
