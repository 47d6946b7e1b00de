//! The machine: values, heap, frames, instruction stream, interpreter, continuations.
//!
//! Reading order: `value` (what a word means), `layout` (shapes of objects), `heap`, `names`, `machine`, `prim`.

pub mod heap;
pub mod layout;
pub mod machine;
pub mod names;
pub mod op;
pub mod prim;
mod region;
pub mod value;

pub use machine::{ErrKind, Exit, Stop, Vm};
pub use value::{Obj, Value};
