//! The machine: values, heap, frames, instruction stream, interpreter, continuations.
//!
//! Reading order: `value` (what a word means), `layout` (shapes of objects), `heap`, `names`, `machine`, `prim`.

pub mod clock;
pub mod code;
mod collect;
pub mod compile;
pub mod control;
pub mod driver;
pub mod expand;
mod forms;
pub mod frame;
pub mod freeze;
pub mod heap;
pub mod image;
pub mod inspect;
pub mod install;
mod interp;
mod kont;
pub mod layout;
pub mod live;
pub mod machine;
pub mod names;
pub mod namespace;
pub mod op;
pub mod phases;
pub mod prim;
mod region;
pub mod store;
mod thread;
pub mod tier;
pub mod value;

pub use machine::{ErrKind, Exit, Stop, Vm};
pub use value::{Obj, Value};
