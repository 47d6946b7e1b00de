//! EDN: the data notation of queries, transactions, schemas and programs.
//!
//! [`Edn`] is one immutable value with cheap clones. [`read`] turns text into values and says where an error is,
//! [`read_with_spans`] also says where every part of the value stood, [`Display`](std::fmt::Display) prints what
//! Clojure's `pr-str` prints. [`lex`] holds the pieces that a reader of a larger language shares: numbers, strings,
//! characters and names.
//!
//! Equality, hashing and order are total and agree with each other:
//! - Equality is Clojure's `=`: `1` and `1.0` differ, `1` and `1N` do not, a list equals a vector with the same
//!   elements, the order of maps and sets does not matter. As keys of tables need it, `##NaN` equals itself.
//! - Order is DataScript's order of values: numbers by size whatever their type, strings by UTF-16 unit, names without
//!   a namespace first, sequences by length and then by element, unlike kinds by a fixed rank of kinds.
//!
//! ```
//! use datoms::edn::{read, Edn};
//! let v = read("{:name \"Ada\", :tags #{:a :b}}").unwrap();
//! assert_eq!(v.get(&Edn::keyword("name")), Some(&Edn::from("Ada")));
//! assert_eq!(v.to_string(), "{:name \"Ada\", :tags #{:a :b}}");
//! ```

pub mod inst;
pub mod lex;
mod name;
mod number;
mod order;
mod print;
mod read;
mod value;

pub use name::{Keyword, Symbol};
/// The integers of [`Edn::BigInt`].
pub use num_bigint::BigInt;
pub use number::{Decimal, Ratio};
pub use print::{write_double, write_string};
pub use read::{MAX_DEPTH, ReadError, Spans, read, read_all, read_all_with_spans, read_prefix, read_with_spans};
pub use value::{Edn, Uuid};

#[cfg(test)]
mod tests;
