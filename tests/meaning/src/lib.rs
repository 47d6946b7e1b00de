//! The meaning of the language, in the plainest way, and programs to compare by.
//!
//! [`walk`] evaluates a Universal AST node by node: no instructions, no registers, no collector. What runs programs fast must
//! agree with it. [`generate`] makes programs from a seed; any engine's tests can use them. Not part of the product.
#![forbid(unsafe_code)]

pub mod generate;
pub mod walk;
