//! Databases on disk: a directory that survives the loss of power at any moment.
//!
//! | file | holds |
//! |---|---|
//! | `log-N` | what transactions did since the columns were written ([`log`]) |
//! | `segment-N` | columns and parts of the dictionary ([`segment`]); never changed once written |
//! | `manifest` | where everything is ([`manifest`]); replaced as a whole |
//! | `lock` | held by the one process that writes |
//!
//! A commit is acknowledged when its record is on stable storage. [`Store::compact`] begins a new log file, writes the
//! columns that changed into a new segment, replaces the manifest, and only then removes what nothing refers to any more.
//! Opening reads the manifest and the log; columns are read when they are first asked for.

mod bytes;
mod codec;
mod crc;
mod io;
mod log;
mod manifest;
mod open;
mod segment;
mod store;

#[cfg(test)]
mod tests;

pub use io::{Append, Directory, Disk};
pub(crate) use log::{Change as LogChange, Record};
pub use open::{Check, verify};
pub use store::{Limits, Store};
