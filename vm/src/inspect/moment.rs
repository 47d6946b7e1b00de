//! Moments at which a running machine can be asked: between two instructions, with every frame suspended at a record.
//!
//! Whoever wants to ask installs an [`Asker`]. It is called at the poll after [`ask`], at `(yin.db/breakpoint)`, and
//! when the fuel is used up. A program asks itself with `(yin.db/q query input…)`.

use super::ask::Wanted;
use super::library::Rules;
use super::{Arrays, exec, globals, run, show};
use crate::frame::Regs;
use crate::machine::{ErrKind, Exit, Stop, Vm};
use crate::prim::{MANY, PrimDef, R, VMOP, prim};
use crate::value::Value;
use datoms::edn::Edn;
use datoms::lazy::{Lazy, Lexicon, Part, Union};
use datoms::query::{Input, Options, Prepared};
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
    crate::control::ask_for_attention();
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

    /// `(yin.db/q query input…)`: as the activation at `fp`.
    fn query_now(&self, fp: Regs, args: &[Value]) -> Result<Edn, (ErrKind, String)> {
        let data =
            |v: Value| show::data(self, v).map_err(|k| (ErrKind::Type, format!("a query takes data, not a {k}")));
        let query = data(args[0])?;
        let inputs: Vec<Edn> = args[1..].iter().map(|v| data(*v)).collect::<Result<_, _>>()?;
        let rules = Rules::library();
        let given: Vec<Edn> = inputs.iter().flat_map(|i| i.as_seq().map(<[Edn]>::to_vec).unwrap_or_default()).collect();
        let all_rules: Vec<Edn> = rules.branches.iter().chain(&given).cloned().collect();
        let wanted = Wanted::of(&query, &all_rules);
        let wants = |a: &str| wanted.wants(a);
        let lexicon = Lexicon::shared();
        let program = yin_ast::source::program(&self.ast, &lexicon);
        let globals = globals::source(self, &lexicon, &wants);
        let exec = exec::source(self, 0, &lexicon, &wants);
        let run = run::at(self, Some(fp.0), &lexicon, &wants);
        fn union<'s>(parts: Vec<&'s dyn Part>) -> Result<Union<'s>, (ErrKind, String)> {
            Union::new(parts).ok_or((ErrKind::State, "nothing to ask".to_string()))
        }
        let program = union(vec![&program, &globals])?;
        let code = union(vec![&exec])?;
        let runtime = union(vec![&run])?;
        let names: Vec<String> = inputs_of(&query).iter().map(ToString::to_string).collect();
        let mut values: Vec<Input> = Vec::new();
        for (i, v) in inputs.into_iter().enumerate() {
            let source = v.as_keyword().map(|k| k.as_str().to_string());
            values.push(match source.as_deref() {
                Some("yin.db/program") => Input::Source(&program),
                Some("yin.db/instructions") => Input::Source(&code),
                Some("yin.db/runtime") => Input::Source(&runtime),
                // The library is there without being passed; what is passed comes on top.
                _ if names.get(i).is_some_and(|n| n == "%") => {
                    let mut r = rules.clone();
                    r.add(&v.to_string()).map_err(|e| (ErrKind::Argument, e))?;
                    Input::Value(r.value())
                }
                _ => Input::Value(v),
            });
        }
        if names.len() == values.len() + 1 && names.last().is_some_and(|n| n == "%") {
            values.push(Input::Value(rules.value()));
        }
        let fail = |e: datoms::query::QueryError| (ErrKind::Argument, e.to_string());
        let prepared = Prepared::of(&query).map_err(fail)?;
        Ok(prepared.run(&values, &Options::default()).map_err(fail)?.to_edn())
    }
}

/// The inputs a query names.
fn inputs_of(query: &Edn) -> Vec<Edn> {
    let is_in = |x: &Edn| x.as_keyword().is_some_and(|k| k.as_str() == "in");
    match query {
        Edn::Map(m) => {
            m.iter().find(|(k, _)| is_in(k)).and_then(|(_, v)| v.as_seq().map(<[Edn]>::to_vec)).unwrap_or_default()
        }
        other => {
            let items = other.as_seq().unwrap_or_default();
            let at = items.iter().position(is_in).map_or(items.len(), |i| i + 1);
            items[at..].iter().take_while(|x| x.as_keyword().is_none()).cloned().collect()
        }
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
        _ => match vm.query_now(fp, args) {
            Ok(found) => {
                let v = vm.value_of(&found);
                vm.deliver(fp, v);
            }
            Err((kind, message)) => return Err(vm.err(kind, message)),
        },
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
fn instructions(vm: &mut Vm, _: &[Value]) -> R {
    source_name(vm, "yin.db/instructions")
}
fn unsupported(vm: &mut Vm, _: &[Value]) -> R {
    Err(vm.err(ErrKind::State, "a frame operation was called as a plain function"))
}

pub const TABLE: &[PrimDef] = &[
    prim("yin.db/program", 0, 0, 0, program, "The program as a database for yin.db/q: every node read so far."),
    prim("yin.db/runtime", 0, 0, 0, runtime, "The running machine as a database for yin.db/q."),
    prim("yin.db/instructions", 0, 0, 0, instructions, "The instructions as a database for yin.db/q."),
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
