//! Queries of programs: over databases, collections, the program itself and the running machine.

use super::calls::{Calls, Remote, address, is_stop};
use super::data::{self, Objects};
use crate::frame::Regs;
use crate::inspect::ask::Wanted;
use crate::inspect::library::Rules;
use crate::inspect::{exec, globals, jit, run};
use crate::layout::Kind;
use crate::machine::{ErrKind, Vm};
use crate::prim::{R, coll, vector};
use crate::value::Value;
use datoms::edn::Edn;
use datoms::lazy::{Lexicon, Part, Union};
use datoms::query::{ErrorKind, Input, Options, Prepared, QueryError, Registry, builtin};
use datoms::source::Source;
use datoms::store::Database;
use std::sync::Arc;

/// What a query is asked of, beside databases and collections.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Machine {
    Program,
    Instructions,
    Runtime,
    Jit,
}

impl Machine {
    fn named(name: &str) -> Option<Machine> {
        Some(match name {
            "yin.db/program" => Machine::Program,
            "yin.db/instructions" => Machine::Instructions,
            "yin.db/runtime" => Machine::Runtime,
            "yin.db/jit" => Machine::Jit,
            _ => return None,
        })
    }
}

/// An input of a query before it is one for the engine.
enum Given {
    Db(Database),
    Machine(Machine),
    Function(u32),
    Data(Edn),
}

/// How a query is run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Want {
    Answer,
    /// The answer, with the library of rules in `%`.
    WithLibrary,
    /// The steps that were taken, as text.
    Steps,
}

/// The outcome: the answer, or calls to be made, each a function and its arguments.
pub(crate) enum Outcome {
    Answer(Value),
    Calls(Vec<Value>),
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

/// What is called by name in a form.
fn called(form: &Edn, out: &mut Vec<String>) {
    match form {
        Edn::List(items) | Edn::Vector(items) => {
            if let (Edn::List(_), Some(Edn::Symbol(s))) = (form, items.first()) {
                out.push(s.as_str().to_string());
            }
            // [:attr :xform f]
            if let [.., Edn::Keyword(k), Edn::Symbol(s)] = &items[..]
                && k.as_str() == "xform"
            {
                out.push(s.as_str().to_string());
            }
            items.iter().for_each(|x| called(x, out));
        }
        Edn::Map(m) => m.iter().for_each(|(k, v)| {
            called(k, out);
            called(v, out);
        }),
        Edn::Set(s) => s.iter().for_each(|x| called(x, out)),
        _ => {}
    }
}

/// The objects that stand in a form where a pull names a function.
fn xforms(form: &Edn, out: &mut Vec<Edn>) {
    match form {
        Edn::List(items) | Edn::Vector(items) => {
            items.windows(2).for_each(|w| {
                if w[0].as_keyword().is_some_and(|k| k.as_str() == "xform") {
                    out.push(w[1].clone());
                }
            });
            items.iter().for_each(|x| xforms(x, out));
        }
        Edn::Map(m) => m.iter().for_each(|(k, v)| {
            xforms(k, out);
            xforms(v, out);
        }),
        _ => {}
    }
}

/// Functions of the program by number, and by the names that a form calls them.
pub(super) struct Functions {
    pub values: Vec<Value>,
    pub calls: Arc<Calls>,
    named: Vec<(String, u32)>,
}

impl Functions {
    pub fn new(answers: Vec<Edn>) -> Functions {
        Functions { values: Vec::new(), calls: Calls::new(answers), named: Vec::new() }
    }
    pub fn add(&mut self, f: Value) -> u32 {
        self.values.push(f);
        self.values.len() as u32 - 1
    }
    /// Finds the functions that a form calls by qualified names, and those in its pulls.
    pub fn look(&mut self, vm: &Vm, objects: &Objects, form: &Edn) {
        let mut names = Vec::new();
        called(form, &mut names);
        for name in names {
            if builtin(&name).is_some() || self.named.iter().any(|(n, _)| *n == name) {
                continue;
            }
            if let Some(var) = data::named(vm, &name) {
                let f = self.add(var.get(crate::layout::slot::VAR_ROOT));
                self.named.push((name, f));
            }
        }
        let mut found = Vec::new();
        xforms(form, &mut found);
        for x in found {
            let name = x.to_string();
            if let Some(f) = objects.get(&x)
                && !self.named.iter().any(|(n, _)| *n == name)
            {
                let f = self.add(f);
                self.named.push((name, f));
            }
        }
    }
    pub fn remote(&self, number: u32, sources: &Arc<Vec<(usize, Edn)>>) -> Arc<Remote> {
        Arc::new(Remote { calls: self.calls.clone(), number, sources: sources.clone() })
    }
    pub fn registry(&self, sources: &Arc<Vec<(usize, Edn)>>) -> Registry {
        let mut r = Registry::new();
        for (name, n) in &self.named {
            r.add_shared(name, self.remote(*n, sources));
        }
        r
    }
    /// What came of a run: an error, calls to be made, or an answer.
    pub fn outcome(
        self,
        vm: &mut Vm,
        objects: &Objects,
        r: Result<Edn, QueryError>,
        take: impl FnOnce(&mut Vm, &Objects, &Edn) -> Value,
    ) -> R<Outcome> {
        let missing = self.calls.missing();
        match r {
            Err(e) if !is_stop(&e) => Err(vm.store_error(objects, &e)),
            Ok(answer) if missing.is_empty() => Ok(Outcome::Answer(take(vm, objects, &answer))),
            Err(e) if missing.is_empty() => Err(vm.store_error(objects, &e)),
            _ => {
                let mut out = Vec::with_capacity(missing.len());
                for (n, args) in missing {
                    let mut call = vec![self.values[n as usize]];
                    for a in args.as_seq().unwrap_or_default() {
                        call.push(data::value(vm, objects, a));
                    }
                    out.push(vector::of(vm, &call));
                }
                Ok(Outcome::Calls(out))
            }
        }
    }
}

fn fail(vm: &mut Vm, objects: &Objects, message: &str) -> crate::machine::Exit {
    vm.store_error(objects, &QueryError::new(ErrorKind::Inputs, message))
}

/// Runs a query as the activation at `fp`.
pub(crate) fn run(vm: &mut Vm, fp: Regs, query: Value, inputs: &[Value], answers: &[Value], want: Want) -> R<Outcome> {
    let mut objects = Objects::default();
    let mut form = data::data(vm, &mut objects, query)?;
    if let Some(text) = form.as_str() {
        form = match datoms::edn::read(text) {
            Ok(f) => f,
            Err(e) => return Err(fail(vm, &objects, &format!("the query: {e}"))),
        };
    }
    let names = inputs_of(&form);
    let mut heads = Vec::new();
    called(&form, &mut heads);
    let mut functions: Vec<Value> = Vec::new();
    let mut given: Vec<Given> = Vec::new();
    for (i, v) in inputs.iter().enumerate() {
        let name = names.get(i).and_then(|n| n.as_symbol()).map(|s| s.as_str().to_string());
        let head = name.as_ref().is_some_and(|n| heads.contains(n));
        if v.as_kind(Kind::Atom).is_some_and(|a| vm.database(a.get(0)).is_some()) {
            return Err(fail(vm, &objects, "An input is a connection; a query takes the database in it: @conn"));
        }
        given.push(if let Some(db) = vm.database(*v) {
            Given::Db(db)
        } else if let Some(m) = v.as_keyword().and_then(|k| Machine::named(vm.names.text(k))) {
            Given::Machine(m)
        } else if data::is_function(*v) || head && data::is_callable(vm, *v) {
            functions.push(*v);
            Given::Function(functions.len() as u32 - 1)
        } else {
            Given::Data(data::data(vm, &mut objects, *v)?)
        });
    }
    // What a function is given in place of a source is what the query was given.
    let stand_ins: Vec<Edn> = inputs.iter().map(|v| objects.put(*v)).collect();
    let mut known = Vec::with_capacity(answers.len());
    for a in answers {
        known.push(data::data(vm, &mut objects, *a)?);
    }
    let mut functions = Functions { values: functions, ..Functions::new(known) };
    functions.look(vm, &objects, &form);
    let mut all_rules: Vec<Edn> = Vec::new();
    let library = (want == Want::WithLibrary).then(Rules::library);
    for (i, g) in given.iter_mut().enumerate() {
        let Given::Data(d) = g else { continue };
        if names.get(i).is_some_and(|n| n.as_symbol().is_some_and(|s| s.as_str() == "%")) {
            if let Some(text) = d.as_str() {
                *d = match datoms::edn::read(text) {
                    Ok(f) => f,
                    Err(e) => return Err(fail(vm, &objects, &format!("the rules: {e}"))),
                };
            }
            if let Some(library) = &library {
                let mut r = library.clone();
                // The library is there without being passed; what is passed comes on top.
                if let Err(e) = r.add(&d.to_string()) {
                    return Err(vm.err(ErrKind::Argument, e));
                }
                *d = r.value();
            }
            all_rules.extend(d.as_seq().unwrap_or_default().iter().cloned());
        }
        // Rules and pull patterns call functions too.
        functions.look(vm, &objects, d);
    }
    if let Some(library) = &library
        && names.len() == given.len() + 1
        && names.last().is_some_and(|n| n.as_symbol().is_some_and(|s| s.as_str() == "%"))
    {
        all_rules.extend(library.branches.iter().cloned());
        given.push(Given::Data(library.value()));
    }
    let answer = answer(vm, fp, &form, &all_rules, &given, &stand_ins, &functions, want);
    functions.outcome(vm, &objects, answer, data::value)
}

#[expect(clippy::too_many_arguments, reason = "the parts of one query")]
fn answer(
    vm: &Vm,
    fp: Regs,
    form: &Edn,
    rules: &[Edn],
    given: &[Given],
    stand_ins: &[Edn],
    functions: &Functions,
    want: Want,
) -> Result<Edn, QueryError> {
    let asks = |m: Machine| given.iter().any(|g| matches!(g, Given::Machine(x) if *x == m));
    let machine = given.iter().any(|g| matches!(g, Given::Machine(_)));
    let wanted = if machine { Wanted::of(form, rules) } else { Wanted::default() };
    let lexicon = Lexicon::shared();
    let if_asked = |m: Machine| {
        let (asked, wanted) = (asks(m), &wanted);
        move |a: &str| asked && wanted.wants(a)
    };
    let program = asks(Machine::Program).then(|| yin_ast::source::program(&vm.ast, &lexicon));
    let globals = globals::source(vm, &lexicon, &if_asked(Machine::Program));
    let exec = exec::source(vm, 0, &lexicon, &if_asked(Machine::Instructions));
    let runtime = run::at(vm, Some(fp.0), &lexicon, &if_asked(Machine::Runtime));
    let compiled = jit::source(vm, &lexicon, &if_asked(Machine::Jit));
    fn union<'s>(parts: Vec<&'s dyn Part>) -> Result<Union<'s>, QueryError> {
        Union::new(parts).ok_or_else(|| QueryError::new(ErrorKind::Inputs, "nothing to ask"))
    }
    let program = union(program.iter().map(|p| p as &dyn Part).chain([&globals as &dyn Part]).collect())?;
    let code = union(vec![&exec])?;
    let runtime = union(vec![&runtime])?;
    let compiled = union(vec![&compiled])?;
    let source = |m: Machine| -> &dyn Source {
        match m {
            Machine::Program => &program,
            Machine::Instructions => &code,
            Machine::Runtime => &runtime,
            Machine::Jit => &compiled,
        }
    };
    let mut addresses = Vec::new();
    for (g, e) in given.iter().zip(stand_ins) {
        match g {
            Given::Db(db) => addresses.push((address(db), e.clone())),
            Given::Machine(m) => addresses.push((address(source(*m)), e.clone())),
            _ => {}
        }
    }
    let addresses = Arc::new(addresses);
    let inputs: Vec<Input> = given
        .iter()
        .map(|g| match g {
            Given::Db(db) => Input::Source(db),
            Given::Machine(m) => Input::Source(source(*m)),
            Given::Function(n) => Input::Function(functions.remote(*n, &addresses)),
            Given::Data(d) => Input::Value(d.clone()),
        })
        .collect();
    let registry = functions.registry(&addresses);
    let options = Options { functions: Some(&registry), explain: want == Want::Steps, ..Options::default() };
    let out = Prepared::of(form)?.run(&inputs, &options)?;
    Ok(if want == Want::Steps { Edn::string(out.explain()) } else { out.to_edn() })
}

/// `[true answer]`, or `[false [[function argument…] …]]`.
pub(super) fn reply(vm: &mut Vm, outcome: Outcome) -> Value {
    let (done, v) = match outcome {
        Outcome::Answer(v) => (true, v),
        Outcome::Calls(calls) => (false, vector::of(vm, &calls)),
    };
    vector::of(vm, &[Value::bool(done), v])
}

/// The frame operations `yin.db/-q`, `yin.db/-explain` `(query inputs answers)` and `yin.db/q` `(query input…)`.
pub(crate) fn vmop(vm: &mut Vm, name: &str, fp: Regs, args: &[Value]) -> R {
    let want = match name {
        "yin.db/q" => {
            return match run(vm, fp, args[0], &args[1..], &[], Want::WithLibrary)? {
                Outcome::Answer(v) => Ok(v),
                Outcome::Calls(_) => {
                    let message = "yin.db/q calls no functions of the program; datascript.core/q does";
                    Err(vm.err(ErrKind::Argument, message))
                }
            };
        }
        "yin.db/-explain" => Want::Steps,
        _ => Want::Answer,
    };
    let inputs = coll::spread(vm, args[1], usize::MAX)?;
    let answers = if args[2].is_kind(Kind::Vector) { coll::vector_values(args[2]) } else { Vec::new() };
    let outcome = run(vm, fp, args[0], &inputs, &answers, want)?;
    vm.replay.finish();
    Ok(reply(vm, outcome))
}
