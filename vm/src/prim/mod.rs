//! Primitives: the functions of the core library that are written in Rust.
//!
//! A primitive gets the machine and its arguments, and returns a value or an [`Exit`]. It may allocate freely: nothing
//! moves while it runs. It never calls into a program directly. When it needs to (forcing a lazy seq, a user's comparator)
//! it returns through `?` from [`Vm::force`](crate::machine::Vm::force) or [`Vm::call_out`](crate::machine::Vm::call_out):
//! the interpreter makes the call and then runs the primitive again from its start, with the answers it already asked for.
//! So until its last call-out a primitive must have no effect but allocation, and must ask in the same order every time.
//! A function that makes many calls is better written in Clojure.

use crate::machine::{Exit, Vm};
use crate::value::Value;

pub mod colfns;
pub mod coll;
pub mod format;
pub mod hamt;
pub mod method;
pub mod num;
pub mod print;
pub mod sorted;
pub mod support;
pub mod table;
pub mod text;
pub mod types;
pub mod vector;

/// What a primitive returns. `Exit` is one byte: its details are in the machine.
pub type R<T = Value> = Result<T, Exit>;

/// A primitive that returns to its caller.
pub type PrimFn = fn(&mut Vm, &[Value]) -> R;

/// No bound on the number of arguments.
pub const MANY: u8 = u8::MAX;

/// Calling it twice with the same arguments gives the same answer, and nothing else can tell.
pub const PURE: u8 = 1;
/// An operation on frames: the interpreter runs it with the caller's frame suspended.
pub const VMOP: u8 = 2;
/// A macro: its var is marked so.
pub const MACRO: u8 = 4;

/// One row of the table of primitives.
#[derive(Clone, Copy)]
pub struct PrimDef {
    /// Qualified name of the var that holds it: `clojure.core/first`.
    pub name: &'static str,
    pub min_args: u8,
    /// `MANY` for no bound.
    pub max_args: u8,
    pub flags: u8,
    pub run: PrimFn,
    pub doc: &'static str,
}

/// Shorthand for tables: `prim("clojure.core/first", 1, 1, PURE, first, "…")`.
pub const fn prim(
    name: &'static str,
    min_args: u8,
    max_args: u8,
    flags: u8,
    run: PrimFn,
    doc: &'static str,
) -> PrimDef {
    PrimDef { name, min_args, max_args, flags, run, doc }
}
