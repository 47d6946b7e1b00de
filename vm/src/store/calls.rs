//! Functions of the program that queries and transactions call.
//!
//! Rust code never calls a program. A query that needs the answer of a function stops; the program makes the calls it asks
//! for and runs the query again with all answers so far. Queries are pure and run the same way each time, so calls are told
//! apart by their order alone. A clause asks for all its rows at once: the number of runs grows with the clauses that call
//! functions, not with the rows.

use datoms::edn::{Edn, Symbol};
use datoms::query::{ErrorKind, Function, QueryError};
use datoms::source::Source;
use datoms::store::{Database, TxFunction};
use rustc_hash::FxHashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

type Result<T> = std::result::Result<T, QueryError>;

/// The class of the error that stops a query.
const STOPPED: ErrorKind = ErrorKind::Other("yin/stopped");

/// What a call gives until its answer is there.
fn pending() -> Edn {
    Edn::Tagged(Arc::new((Symbol::new("yin/pending"), Edn::Nil)))
}

fn has_pending(e: &Edn) -> bool {
    match e {
        Edn::Tagged(t) => t.0.as_str() == "yin/pending",
        Edn::List(v) | Edn::Vector(v) | Edn::Set(v) => v.iter().any(has_pending),
        Edn::Map(m) => m.iter().any(|(k, v)| has_pending(k) || has_pending(v)),
        _ => false,
    }
}

/// Calls of one query: those answered, and those to be made.
pub(super) struct Calls {
    answers: Vec<Edn>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Which call it was, by function and arguments.
    order: FxHashMap<(u32, Edn), usize>,
    /// Calls to be made, in order.
    missing: Vec<(u32, Edn)>,
}

impl Calls {
    pub fn new(answers: Vec<Edn>) -> Arc<Calls> {
        Arc::new(Calls { answers, state: Mutex::default() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer of a call, or a note that it is to be made.
    fn answer(&self, number: u32, args: Edn) -> Option<Edn> {
        let mut s = self.state();
        let next = s.order.len();
        let i = *s.order.entry((number, args.clone())).or_insert(next);
        match self.answers.get(i) {
            Some(a) => Some(a.clone()),
            None => {
                if i == next {
                    s.missing.push((number, args));
                }
                None
            }
        }
    }

    /// The calls that have to be made: number of the function, vector of arguments.
    pub fn missing(&self) -> Vec<(u32, Edn)> {
        std::mem::take(&mut self.state().missing)
    }
}

/// Did the query stop because it needs an answer?
pub(super) fn is_stop(e: &QueryError) -> bool {
    e.kind == STOPPED
}

/// A function of the program, by number.
pub(super) struct Remote {
    pub calls: Arc<Calls>,
    pub number: u32,
    /// What stands for the sources among arguments, by their addresses.
    pub sources: Arc<Vec<(usize, Edn)>>,
}

pub(super) fn address(s: &dyn Source) -> usize {
    std::ptr::from_ref(s).cast::<()>() as usize
}

impl Remote {
    fn args(&self, sources: &[&dyn Source], args: impl IntoIterator<Item = Edn>) -> Edn {
        let source =
            |s: &&dyn Source| self.sources.iter().find(|(a, _)| *a == address(*s)).map_or(Edn::Nil, |(_, e)| e.clone());
        Edn::vector(sources.iter().map(source).chain(args).collect::<Vec<_>>())
    }
}

impl Function for Remote {
    fn call(&self, sources: &[&dyn Source], args: &[Edn]) -> Result<Edn> {
        let args = self.args(sources, args.iter().cloned());
        // What another call has yet to give is no argument.
        if has_pending(&args) {
            return Ok(pending());
        }
        Ok(self.calls.answer(self.number, args).unwrap_or_else(pending))
    }

    fn looks_ahead(&self) -> bool {
        true
    }

    fn foresee(&self, sources: &[&dyn Source], calls: &mut dyn Iterator<Item = Vec<Edn>>) -> Result<()> {
        let mut all = true;
        for args in calls {
            all &= self.calls.answer(self.number, self.args(sources, args)).is_some();
        }
        if all { Ok(()) } else { Err(QueryError::new(STOPPED, "a function of the program is to be called")) }
    }
}

/// Calls that one transaction makes, one after another.
pub(super) struct TxCalls {
    answers: Vec<Edn>,
    state: Mutex<(usize, Option<TxCall>)>,
}

/// A call that a transaction waits for.
pub(super) struct TxCall {
    pub function: Edn,
    pub db: Database,
    pub args: Vec<Edn>,
}

impl TxCalls {
    pub fn new(answers: Vec<Edn>) -> Arc<TxCalls> {
        Arc::new(TxCalls { answers, state: Mutex::default() })
    }

    pub fn missing(&self) -> Option<TxCall> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).1.take()
    }
}

/// A transaction function, by its symbol or as an object.
pub(super) struct TxRemote {
    pub calls: Arc<TxCalls>,
    pub function: Edn,
}

impl TxFunction for TxRemote {
    fn call(&self, db: &Database, args: &[Edn]) -> Result<Edn> {
        let mut s = self.calls.state.lock().unwrap_or_else(PoisonError::into_inner);
        let i = s.0;
        s.0 += 1;
        match self.calls.answers.get(i) {
            Some(a) => Ok(a.clone()),
            None => {
                s.1 = Some(TxCall { function: self.function.clone(), db: db.clone(), args: args.to_vec() });
                Err(QueryError::new(STOPPED, "a function of the program is to be called"))
            }
        }
    }
}
