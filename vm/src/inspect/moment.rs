//! Moments at which a running machine can be asked: between two instructions, with every frame suspended at a record.
//!
//! Whoever wants to ask installs an [`Asker`]. It is called at the poll after [`ask`], at `(yin.db/breakpoint)`, and
//! when the fuel is used up. A program asks itself with `(yin.db/q query input…)`.

use super::{Arrays, run};
use crate::frame::Regs;
use crate::machine::{ErrKind, Exit, Stop, Vm};
use crate::prim::{MANY, PrimDef, R, VMOP, prim};
use crate::value::Value;
use datoms::lazy::{Lazy, Lexicon};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The asker is to be called at the next poll.
static ASKED: AtomicBool = AtomicBool::new(false);

/// Has the asker something to ask?
pub(crate) fn asked() -> bool {
    ASKED.load(Ordering::Relaxed)
}

/// Has the asker called at the next poll, of interpreted or compiled code. From any thread.
pub fn ask() {
    ASKED.store(true, Ordering::Relaxed);
    crate::control::ask_from_elsewhere();
}

/// Why the machine can be asked now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Why {
    /// [`ask`] was called.
    Asked,
    /// The program called `(yin.db/breakpoint)`.
    Breakpoint,
    /// The fuel is used up; the program ends here.
    Fuel,
}

/// Go on, or end the program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Go {
    On,
    Stop,
}

/// A moment; good for as long as the asker is being called.
pub struct Moment {
    pub why: Why,
    top: *mut u64,
}

/// Called at moments.
pub type Asker = Box<dyn FnMut(&Vm, &Moment) -> Go>;

impl Vm {
    /// The machine at a moment as a source.
    pub fn moment_source(&self, m: &Moment, lexicon: &Arc<Lexicon>, wanted: &dyn Fn(&str) -> bool) -> Lazy<Arrays> {
        run::at(self, Some(m.top), lexicon, wanted)
    }

    /// Calls the asker, if there is one. `top` is the top header.
    #[cold]
    pub(crate) fn ask_at(&mut self, why: Why, top: Regs) -> Go {
        let Some(mut asker) = self.asker.take() else { return Go::On };
        let go = asker(self, &Moment { why, top: top.0 });
        self.asker = Some(asker);
        go
    }

    /// Serves [`ask`]. False: the program is to end.
    #[cold]
    pub(crate) fn serve_asked(&mut self, top: Regs) -> bool {
        ASKED.store(false, Ordering::Relaxed);
        self.ask_at(Why::Asked, top) == Go::On
    }
}

/// Frame operations of this module.
pub(crate) fn vmop(vm: &mut Vm, name: &str, fp: Regs, args: &[Value]) -> Result<Option<usize>, Exit> {
    match name {
        "yin.db/breakpoint" => {
            if vm.ask_at(Why::Breakpoint, fp) == Go::Stop {
                vm.pending.stop = Stop::Exit(0);
                vm.done = Some(Err(Exit::Stop));
                return Ok(None);
            }
            vm.deliver(fp, Value::NIL);
        }
        _ => {
            let found = crate::store::query::vmop(vm, name, fp, args)?;
            vm.deliver(fp, found);
        }
    }
    Ok(None)
}

fn source_name(vm: &mut Vm, name: &str) -> R {
    Ok(vm.keyword(name))
}
fn program(vm: &mut Vm, _: &[Value]) -> R {
    source_name(vm, "yin.db/program")
}
fn runtime(vm: &mut Vm, _: &[Value]) -> R {
    source_name(vm, "yin.db/runtime")
}
fn jit(vm: &mut Vm, _: &[Value]) -> R {
    source_name(vm, "yin.db/jit")
}
fn instructions(vm: &mut Vm, _: &[Value]) -> R {
    source_name(vm, "yin.db/instructions")
}
fn unsupported(vm: &mut Vm, _: &[Value]) -> R {
    Err(vm.err(ErrKind::State, "a frame operation was called as a plain function"))
}

pub const TABLE: &[PrimDef] = &[
    prim("yin.db/program", 0, 0, 0, program, "The program as a database for queries: every node read so far."),
    prim("yin.db/runtime", 0, 0, 0, runtime, "The running machine as a database for queries."),
    prim("yin.db/instructions", 0, 0, 0, instructions, "The instructions as a database for queries."),
    prim("yin.db/jit", 0, 0, 0, jit, "What the compiler decided, as a database for queries."),
    prim("yin.db/-q", 3, 3, VMOP, unsupported, "(query inputs answers) → [true answer] or [false calls to be made]."),
    prim("yin.db/-explain", 3, 3, VMOP, unsupported, "As -q; the answer is the steps that were taken, as text."),
    prim(
        "yin.db/q",
        1,
        MANY,
        VMOP,
        unsupported,
        "Answers a Datalog query over the program and the running machine; the library of rules is `%` if it is the last input.",
    ),
    prim("yin.db/breakpoint", 0, 0, VMOP, unsupported, "Where `yin query --source run` asks; does nothing else."),
];
