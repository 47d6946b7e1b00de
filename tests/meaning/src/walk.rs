//! A walker of the AST: what a program means.
//!
//! A CEK machine (Felleisen & Friedman 1986): the state is a node in a scope, or a value, in front of a continuation, which is
//! a list of frames. So tail calls take no space, depth is bounded by memory, and a captured continuation is a piece of the
//! list. Numbers are longs and doubles; strings, keywords, vectors and maps are as plain as Rust has them.

use datoms::edn::Edn;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use yin_ast::{Ast, Kind, NodeId};

/// How a program ends.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    Value(Edn),
    /// The kind word of an error that nobody caught.
    Error(String),
    /// It took more steps than allowed.
    Limit,
    /// It uses what the walker does not know.
    Unknown(String),
}

#[derive(Clone)]
enum Val {
    Data(Edn),
    Vector(Rc<Vec<Val>>),
    /// In order of insertion.
    Map(Rc<Vec<(Val, Val)>>),
    Fn(Rc<Closure>),
    /// A function of the core, by name.
    Prim(Rc<str>),
    /// From the prompt outwards: frames, innermost first.
    Slice(Rc<Vec<What>>),
    Whole(K),
    Atom(Rc<RefCell<Val>>),
    Raised(Rc<Raised>),
}

/// A thrown thing: kind word, data of `ex-info`.
struct Raised {
    kind: String,
    data: Val,
}

struct Closure {
    node: NodeId,
    scope: Scope,
}

/// Locals, innermost first, and where `recur` goes.
#[derive(Clone, Default)]
struct Scope {
    binds: Option<Rc<Bind>>,
    target: Option<Rc<Target>>,
}

struct Bind {
    binder: NodeId,
    val: RefCell<Val>,
    next: Option<Rc<Bind>>,
}

/// A loop or lambda, and the scope outside its locals.
struct Target {
    node: NodeId,
    outside: Scope,
}

type K = Option<Rc<Frame>>;

struct Frame {
    what: What,
    next: K,
}

impl Drop for Frame {
    /// One after the other: a long continuation must not need a long native stack.
    fn drop(&mut self) {
        let mut next = self.next.take();
        while let Some(f) = next.and_then(|f| Rc::try_unwrap(f).ok()) {
            let mut f = f;
            next = f.next.take();
        }
    }
}

/// What to do with the value that comes.
#[derive(Clone)]
enum What {
    If(NodeId, Scope),
    /// The statement of this number was evaluated.
    Do(NodeId, usize, Scope),
    /// So was the binding.
    Bind(NodeId, usize, Scope),
    /// So was a child, of a node that computes with all of them.
    All(NodeId, Vec<Val>, Scope),
    /// Arithmetic of many operands is arithmetic of two, again and again: the result so far, and the operand of this number.
    Fold(NodeId, Option<Val>, usize, Scope),
    Case(NodeId, Scope),
    Define(String),
    Throw,
    Catch(NodeId, Scope),
    Finally(NodeId, Scope),
    /// `finally` ran: this is how the body ended.
    Ended(Result<Val, Val>),
    Prompt(Val, Val),
    Swap(Rc<RefCell<Val>>),
    /// Function, elements, next one.
    Reduce(Val, Rc<Vec<Val>>, usize),
    /// The same, and results so far.
    Each(Val, Rc<Vec<Val>>, Vec<Val>),
}

enum State {
    Eval(NodeId, Scope, K),
    Give(Val, K),
    Raise(Val, K),
}

enum Stop {
    Unknown(String),
}
type Res<T> = Result<T, Stop>;

fn unknown<T>(what: impl Into<String>) -> Res<T> {
    Err(Stop::Unknown(what.into()))
}
fn raised(kind: &str) -> Val {
    Val::Raised(Rc::new(Raised { kind: kind.into(), data: nil() }))
}
fn nil() -> Val {
    Val::Data(Edn::Nil)
}
fn int(n: i64) -> Val {
    Val::Data(Edn::Int(n))
}
fn bool(b: bool) -> Val {
    Val::Data(Edn::Bool(b))
}
fn truthy(v: &Val) -> bool {
    !matches!(v, Val::Data(Edn::Nil | Edn::Bool(false)))
}
fn push(what: What, next: K) -> K {
    Some(Rc::new(Frame { what, next }))
}

/// Globals live as long as the walker.
pub struct Walker<'a> {
    ast: &'a Ast,
    globals: HashMap<String, Val>,
    steps: u64,
}

impl<'a> Walker<'a> {
    /// `steps`: how many turns of the machine a program may take.
    pub fn new(ast: &'a Ast, steps: u64) -> Walker<'a> {
        Walker { ast, globals: HashMap::new(), steps }
    }

    /// Evaluates roots one after the other; the value of the last.
    pub fn run(&mut self, roots: &[NodeId]) -> Outcome {
        let mut last = nil();
        for root in roots {
            match self.root(*root) {
                Ok(Some(Ok(v))) => last = v,
                Ok(Some(Err(e))) => {
                    return Outcome::Error(match e {
                        Val::Raised(r) => r.kind.clone(),
                        _ => "user".into(),
                    });
                }
                Ok(None) => return Outcome::Limit,
                Err(Stop::Unknown(what)) => return Outcome::Unknown(what),
            }
        }
        match data(&last) {
            Ok(v) => Outcome::Value(v),
            Err(Stop::Unknown(what)) => Outcome::Unknown(what),
        }
    }

    fn root(&mut self, root: NodeId) -> Res<Option<Result<Val, Val>>> {
        let mut state = State::Eval(root, Scope::default(), None);
        loop {
            if self.steps == 0 {
                return Ok(None);
            }
            self.steps -= 1;
            state = match state {
                State::Eval(id, scope, k) => self.eval(id, scope, k)?,
                State::Give(v, None) => return Ok(Some(Ok(v))),
                State::Raise(v, None) => return Ok(Some(Err(v))),
                State::Give(v, Some(f)) => self.give(v, f.what.clone(), f.next.clone())?,
                State::Raise(v, Some(f)) => match &f.what {
                    What::Catch(id, scope) => self.catch(v, *id, scope, f.next.clone())?,
                    What::Finally(id, scope) => {
                        State::Eval(*id, scope.clone(), push(What::Ended(Err(v)), f.next.clone()))
                    }
                    _ => State::Raise(v, f.next.clone()),
                },
            };
        }
    }

    fn bind(&self, binder: NodeId, val: Val, scope: &Scope) -> Scope {
        let binds = Some(Rc::new(Bind { binder, val: RefCell::new(val), next: scope.binds.clone() }));
        Scope { binds, target: scope.target.clone() }
    }
    fn local(&self, binder: NodeId, scope: &Scope) -> Res<Rc<Bind>> {
        let mut at = scope.binds.as_ref();
        while let Some(b) = at {
            if b.binder == binder {
                return Ok(b.clone());
            }
            at = b.next.as_ref();
        }
        unknown("a local out of sight")
    }

    fn eval(&mut self, id: NodeId, scope: Scope, k: K) -> Res<State> {
        let ast = self.ast;
        let c = ast.children(id);
        Ok(match ast.kind(id) {
            Kind::Literal => State::Give(value(ast.value(id).unwrap_or(&Edn::Nil)), k),
            Kind::Variable => match ast.refers_to(id) {
                Some(b) => State::Give(self.local(b, &scope)?.val.borrow().clone(), k),
                None => {
                    let name = ast.name(id).unwrap_or("");
                    let v = self.globals.get(name).cloned();
                    State::Give(v.unwrap_or_else(|| Val::Prim(name.into())), k)
                }
            },
            Kind::Function => State::Give(Val::Fn(Rc::new(Closure { node: id, scope })), k),
            Kind::If => State::Eval(c[0], scope.clone(), push(What::If(id, scope), k)),
            Kind::Do => State::Eval(c[0], scope.clone(), push(What::Do(id, 0, scope), k)),
            Kind::Let | Kind::Loop => self.enter(id, scope, k),
            Kind::Letrec => {
                let mut inner = scope;
                let bindings = &c[..c.len() - 1];
                for b in bindings {
                    inner = self.bind(ast.refers_to(*b).unwrap_or(*b), nil(), &inner);
                }
                for b in bindings {
                    let f = ast.child(*b, 0);
                    if ast.kind(f) != Kind::Function {
                        return unknown("a letrec of something else than functions");
                    }
                    let place = self.local(ast.refers_to(*b).unwrap_or(*b), &inner)?;
                    *place.val.borrow_mut() = Val::Fn(Rc::new(Closure { node: f, scope: inner.clone() }));
                }
                State::Eval(c[c.len() - 1], inner, k)
            }
            Kind::Application if c.len() > 3 && self.folds(c[0]) => {
                State::Eval(c[1], scope.clone(), push(What::Fold(id, None, 1, scope), k))
            }
            Kind::Application | Kind::Recur | Kind::VectorOf | Kind::MapOf => match c.first() {
                Some(first) => State::Eval(*first, scope.clone(), push(What::All(id, Vec::new(), scope), k)),
                None => self.all(id, Vec::new(), &scope, k)?,
            },
            Kind::Define => {
                let name = ast.name(id).unwrap_or("").to_string();
                match c[1].some() {
                    Some(init) => State::Eval(init, scope, push(What::Define(name), k)),
                    None => State::Give(nil(), k),
                }
            }
            Kind::Throw => State::Eval(c[0], scope, push(What::Throw, k)),
            Kind::Try => {
                let (body, finally) = (c[0], c[c.len() - 1].some());
                let k = match finally {
                    Some(f) => push(What::Finally(f, scope.clone()), k),
                    None => k,
                };
                let k = if c.len() > 2 { push(What::Catch(id, scope.clone()), k) } else { k };
                State::Eval(body, scope, k)
            }
            Kind::Case => State::Eval(c[0], scope.clone(), push(What::Case(id, scope), k)),
            other => return unknown(format!("a node of kind {other:?}")),
        })
    }

    /// Is it one of the functions that Clojure's compiler, too, applies to two operands at a time?
    fn folds(&self, operator: NodeId) -> bool {
        let name = self.ast.name(operator).filter(|_| self.ast.refers_to(operator).is_none());
        name.and_then(|n| n.strip_prefix("clojure.core/"))
            .is_some_and(|n| matches!(n, "+" | "-" | "*" | "bit-and" | "bit-or" | "bit-xor"))
    }

    /// Binding number 0 of a let or loop, or its body at once.
    fn enter(&mut self, id: NodeId, scope: Scope, k: K) -> State {
        let c = self.ast.children(id);
        match c.len() {
            1 => State::Eval(c[0], self.inside(id, &scope, scope.clone()), k),
            _ => State::Eval(self.ast.child(c[0], 0), scope.clone(), push(What::Bind(id, 0, scope), k)),
        }
    }
    /// The scope of a body: that of a loop is a target of `recur`.
    fn inside(&self, id: NodeId, outside: &Scope, inner: Scope) -> Scope {
        match self.ast.kind(id) {
            Kind::Loop | Kind::Lambda => {
                let outside = Scope { binds: outside.binds.clone(), target: None };
                Scope { binds: inner.binds, target: Some(Rc::new(Target { node: id, outside })) }
            }
            _ => inner,
        }
    }

    fn give(&mut self, v: Val, what: What, k: K) -> Res<State> {
        let ast = self.ast;
        Ok(match what {
            What::If(id, scope) => {
                let c = ast.children(id);
                match (truthy(&v), c[2].some()) {
                    (true, _) => State::Eval(c[1], scope, k),
                    (false, Some(alternate)) => State::Eval(alternate, scope, k),
                    (false, None) => State::Give(nil(), k),
                }
            }
            What::Do(id, i, scope) => {
                let c = ast.children(id);
                match c.get(i + 1) {
                    Some(next) if i + 2 < c.len() => {
                        State::Eval(*next, scope.clone(), push(What::Do(id, i + 1, scope), k))
                    }
                    Some(last) => State::Eval(*last, scope, k),
                    None => State::Give(v, k),
                }
            }
            What::Bind(id, i, scope) => {
                let c = ast.children(id);
                let scope = self.bind(c[i], v, &scope);
                if i + 2 < c.len() {
                    let init = ast.child(c[i + 1], 0);
                    State::Eval(init, scope.clone(), push(What::Bind(id, i + 1, scope), k))
                } else {
                    // The scope outside is the one without this node's locals.
                    let mut outside = scope.binds.clone();
                    for _ in 0..=i {
                        outside = outside.and_then(|b| b.next.clone());
                    }
                    let outside = Scope { binds: outside, target: None };
                    State::Eval(c[i + 1], self.inside(id, &outside, scope), k)
                }
            }
            What::All(id, mut vals, scope) => {
                vals.push(v);
                match ast.children(id).get(vals.len()) {
                    Some(next) => State::Eval(*next, scope.clone(), push(What::All(id, vals, scope), k)),
                    None => self.all(id, vals, &scope, k)?,
                }
            }
            What::Fold(id, acc, i, scope) => {
                let c = ast.children(id);
                let name = ast.name(c[0]).and_then(|n| n.strip_prefix("clojure.core/")).unwrap_or("");
                let acc = match acc {
                    None => v,
                    Some(acc) => match plain(name, &[acc, v])? {
                        Ok(v) => v,
                        Err(kind) => return Ok(State::Raise(raised(kind), k)),
                    },
                };
                match c.get(i + 1) {
                    Some(next) => State::Eval(*next, scope.clone(), push(What::Fold(id, Some(acc), i + 1, scope), k)),
                    None => State::Give(acc, k),
                }
            }
            What::Case(id, scope) => {
                let c = ast.children(id);
                let Some(Edn::Vector(groups)) = ast.value(id) else { return unknown("a case without keys") };
                let hit = groups.iter().position(|g| match g {
                    Edn::Vector(keys) => keys.iter().any(|key| equal(&value(key), &v)),
                    _ => false,
                });
                State::Eval(hit.map_or(c[1], |i| c[2 + i]), scope, k)
            }
            What::Define(name) => {
                self.globals.insert(name, v);
                State::Give(nil(), k)
            }
            What::Throw => match v {
                Val::Raised(_) => State::Raise(v, k),
                _ => State::Raise(raised("type"), k),
            },
            What::Catch(..) | What::Prompt(..) => State::Give(v, k),
            What::Finally(id, scope) => State::Eval(id, scope, push(What::Ended(Ok(v)), k)),
            What::Ended(Ok(v)) => State::Give(v, k),
            What::Ended(Err(e)) => State::Raise(e, k),
            What::Swap(cell) => {
                *cell.borrow_mut() = v.clone();
                State::Give(v, k)
            }
            What::Reduce(f, items, i) => match items.get(i) {
                Some(x) => {
                    let k = push(What::Reduce(f.clone(), items.clone(), i + 1), k);
                    self.call(f, vec![v, x.clone()], k)?
                }
                None => State::Give(v, k),
            },
            What::Each(f, items, mut done) => {
                done.push(v);
                self.each(f, items, done, k)?
            }
        })
    }
    fn each(&mut self, f: Val, items: Rc<Vec<Val>>, done: Vec<Val>, k: K) -> Res<State> {
        match items.get(done.len()) {
            Some(x) => {
                let x = x.clone();
                let k = push(What::Each(f.clone(), items, done), k);
                self.call(f, vec![x], k)
            }
            None => Ok(State::Give(Val::Vector(Rc::new(done)), k)),
        }
    }

    /// All children of a node are evaluated.
    fn all(&mut self, id: NodeId, mut vals: Vec<Val>, scope: &Scope, k: K) -> Res<State> {
        let ast = self.ast;
        match ast.kind(id) {
            Kind::VectorOf => Ok(State::Give(Val::Vector(Rc::new(vals)), k)),
            Kind::MapOf => {
                let mut m = Vec::new();
                for e in vals.chunks(2) {
                    put(&mut m, e[0].clone(), e[1].clone());
                }
                Ok(State::Give(Val::Map(Rc::new(m)), k))
            }
            Kind::Recur => {
                let Some(t) = scope.target.clone() else { return unknown("a recur that leads nowhere") };
                let c = ast.children(t.node);
                let mut inner = t.outside.clone();
                if ast.kind(t.node) == Kind::Loop {
                    for (b, v) in c.iter().zip(vals) {
                        inner = self.bind(*b, v, &inner);
                    }
                } else {
                    let (params, rest) = (ast.repeated(t.node), ast.child(t.node, -2).some());
                    for (p, v) in params.iter().copied().chain(rest).zip(vals) {
                        inner = self.bind(p, v, &inner);
                    }
                }
                inner.target = Some(t.clone());
                Ok(State::Eval(c[c.len() - 1], inner, k))
            }
            _ => {
                let f = vals.remove(0);
                self.call(f, vals, k)
            }
        }
    }

    fn catch(&mut self, v: Val, id: NodeId, scope: &Scope, k: K) -> Res<State> {
        let ast = self.ast;
        let c = ast.children(id);
        let kind = match &v {
            Val::Raised(r) => r.kind.clone(),
            _ => "user".into(),
        };
        for handler in &c[1..c.len() - 1] {
            let hc = ast.children(*handler);
            let class = match ast.value(hc[0]) {
                Some(Edn::Tagged(t)) => match &t.1 {
                    Edn::Symbol(s) => s.as_str().to_string(),
                    _ => String::new(),
                },
                _ => String::new(),
            };
            let takes = match class.as_str() {
                "java.lang.Throwable" | "java.lang.Exception" => true,
                "java.lang.ArithmeticException" => kind == "arithmetic",
                "clojure.lang.ExceptionInfo" => kind == "user",
                other => return unknown(format!("the class {other:?}")),
            };
            if takes {
                let scope = self.bind(hc[1], v, scope);
                return Ok(State::Eval(hc[2], scope, k));
            }
        }
        Ok(State::Raise(v, k))
    }

    fn call(&mut self, f: Val, args: Vec<Val>, k: K) -> Res<State> {
        let ast = self.ast;
        match f {
            Val::Fn(c) => {
                let arities = ast.repeated(c.node);
                let rest = |l: NodeId| ast.child(l, -2).some();
                let fits = |l: &&NodeId| ast.repeated(**l).len() == args.len() && rest(**l).is_none();
                let more = |l: &&NodeId| ast.repeated(**l).len() <= args.len() && rest(**l).is_some();
                let Some(l) = arities.iter().find(fits).or_else(|| arities.iter().find(more)).copied() else {
                    return Ok(State::Raise(raised("arity"), k));
                };
                let mut outside = c.scope.clone();
                if let Some(me) = ast.child(c.node, 0).some() {
                    outside = self.bind(me, Val::Fn(c.clone()), &outside);
                }
                let mut inner = outside.clone();
                let params = ast.repeated(l);
                for (p, v) in params.iter().zip(&args) {
                    inner = self.bind(*p, v.clone(), &inner);
                }
                if let Some(r) = rest(l) {
                    let more = &args[params.len()..];
                    let v = if more.is_empty() { nil() } else { Val::Vector(Rc::new(more.to_vec())) };
                    inner = self.bind(r, v, &inner);
                }
                let inner = self.inside(l, &outside, inner);
                Ok(State::Eval(ast.child(l, -1), inner, k))
            }
            Val::Prim(name) => self.prim(&name, args, k),
            Val::Slice(frames) => {
                let Some(v) = args.into_iter().next() else { return unknown("a continuation without a value") };
                let k = frames.iter().rev().fold(k, |k, f| push(f.clone(), k));
                Ok(State::Give(v, k))
            }
            Val::Whole(k) => {
                let Some(v) = args.into_iter().next() else { return unknown("a continuation without a value") };
                Ok(State::Give(v, k))
            }
            Val::Data(Edn::Keyword(_)) if args.len() == 1 => {
                Ok(State::Give(lookup(&args[0], &f).unwrap_or_else(nil), k))
            }
            Val::Map(_) if args.len() == 1 => Ok(State::Give(lookup(&f, &args[0]).unwrap_or_else(nil), k)),
            Val::Vector(_) if args.len() == 1 => self.prim("clojure.core/nth", vec![f, args[0].clone()], k),
            _ => Ok(State::Raise(raised("type"), k)),
        }
    }

    fn prim(&mut self, name: &str, mut args: Vec<Val>, k: K) -> Res<State> {
        let short = name.strip_prefix("clojure.core/").unwrap_or(name);
        match (short, args.len()) {
            ("yin.control/call-with-prompt", 3) => {
                let (handler, thunk) = (args.remove(2), args.remove(1));
                return self.call(thunk, Vec::new(), push(What::Prompt(args.remove(0), handler), k));
            }
            ("yin.control/abort-to-prompt", n) if n > 0 => {
                let tag = args.remove(0);
                let mut frames = Vec::new();
                let mut at = k.clone();
                while let Some(f) = at {
                    frames.push(f.what.clone());
                    if let What::Prompt(t, handler) = &f.what
                        && equal(t, &tag)
                    {
                        let mut all = vec![Val::Slice(Rc::new(frames))];
                        all.extend(args);
                        return self.call(handler.clone(), all, f.next.clone());
                    }
                    at = f.next.clone();
                }
                return Ok(State::Raise(raised("state"), k));
            }
            ("yin.control/call-cc", 1) => return self.call(args.remove(0), vec![Val::Whole(k.clone())], k),
            ("swap!", n) if n >= 2 => {
                let Val::Atom(cell) = args.remove(0) else { return Ok(State::Raise(raised("type"), k)) };
                let f = args.remove(0);
                args.insert(0, cell.borrow().clone());
                return self.call(f, args, push(What::Swap(cell), k));
            }
            ("apply", 2) => {
                let Val::Vector(xs) = &args[1] else { return unknown("apply to something else than a vector") };
                return self.call(args[0].clone(), xs.to_vec(), k);
            }
            ("reduce", 3) => {
                let Val::Vector(xs) = args[2].clone() else { return unknown("reduce of something else than a vector") };
                let k = push(What::Reduce(args[0].clone(), xs, 0), k);
                return Ok(State::Give(args[1].clone(), k));
            }
            ("mapv", 2) => {
                let Val::Vector(xs) = args[1].clone() else { return unknown("mapv of something else than a vector") };
                return self.each(args[0].clone(), xs, Vec::new(), k);
            }
            _ => {}
        }
        Ok(match plain(short, &args)? {
            Ok(v) => State::Give(v, k),
            Err(kind) => State::Raise(raised(kind), k),
        })
    }
}

// ---- data
fn value(e: &Edn) -> Val {
    match e {
        Edn::Vector(xs) | Edn::List(xs) => Val::Vector(Rc::new(xs.iter().map(value).collect())),
        Edn::Map(es) => Val::Map(Rc::new(es.iter().map(|(k, v)| (value(k), value(v))).collect())),
        e => Val::Data(e.clone()),
    }
}
fn data(v: &Val) -> Res<Edn> {
    Ok(match v {
        Val::Data(e) => e.clone(),
        Val::Vector(xs) => Edn::vector(xs.iter().map(data).collect::<Res<Vec<_>>>()?),
        Val::Map(es) => Edn::map(es.iter().map(|(k, v)| Ok((data(k)?, data(v)?))).collect::<Res<Vec<_>>>()?),
        _ => return unknown("a value that is no data"),
    })
}
fn equal(a: &Val, b: &Val) -> bool {
    match (a, b) {
        (Val::Vector(a), Val::Vector(b)) => a.len() == b.len() && a.iter().zip(b.iter()).all(|(x, y)| equal(x, y)),
        (Val::Map(a), Val::Map(b)) => {
            a.len() == b.len() && a.iter().all(|(k, v)| b.iter().any(|(k2, v2)| equal(k, k2) && equal(v, v2)))
        }
        (Val::Data(Edn::Float(a)), Val::Data(Edn::Float(b))) => a == b,
        (Val::Data(a), Val::Data(b)) => a == b,
        (Val::Fn(a), Val::Fn(b)) => Rc::ptr_eq(a, b),
        (Val::Atom(a), Val::Atom(b)) => Rc::ptr_eq(a, b),
        (Val::Prim(a), Val::Prim(b)) => a == b,
        _ => false,
    }
}
fn put(m: &mut Vec<(Val, Val)>, k: Val, v: Val) {
    match m.iter_mut().find(|e| equal(&e.0, &k)) {
        Some(e) => e.1 = v,
        None => m.push((k, v)),
    }
}
fn lookup(m: &Val, k: &Val) -> Option<Val> {
    match m {
        Val::Map(es) => es.iter().find(|e| equal(&e.0, k)).map(|e| e.1.clone()),
        Val::Vector(xs) => match k {
            Val::Data(Edn::Int(i)) => usize::try_from(*i).ok().and_then(|i| xs.get(i)).cloned(),
            _ => None,
        },
        _ => None,
    }
}

// ---- arithmetic
#[derive(Clone, Copy)]
enum Num {
    Long(i64),
    Double(f64),
}
use Num::{Double, Long};

fn num(v: &Val) -> Result<Num, &'static str> {
    match v {
        Val::Data(Edn::Int(n)) => Ok(Long(*n)),
        Val::Data(Edn::Float(x)) => Ok(Double(*x)),
        _ => Err("type"),
    }
}
fn long(v: &Val) -> Result<i64, &'static str> {
    match num(v)? {
        Long(n) => Ok(n),
        // Bit operations take no doubles.
        Double(_) => Err("type"),
    }
}
fn of(n: Num) -> Val {
    match n {
        Long(n) => int(n),
        Double(x) => Val::Data(Edn::Float(x)),
    }
}
fn arith(
    a: Num,
    b: Num,
    longs: fn(i64, i64) -> Option<i64>,
    doubles: fn(f64, f64) -> f64,
) -> Result<Num, &'static str> {
    let f = |n| match n {
        Long(n) => n as f64,
        Double(x) => x,
    };
    match (a, b) {
        (Long(a), Long(b)) => longs(a, b).map(Long).ok_or("arithmetic"),
        _ => Ok(Double(doubles(f(a), f(b)))),
    }
}
fn less(a: Num, b: Num) -> bool {
    match (a, b) {
        (Long(a), Long(b)) => a < b,
        (Long(a), Double(b)) => (a as f64) < b,
        (Double(a), Long(b)) => a < b as f64,
        (Double(a), Double(b)) => a < b,
    }
}
fn same(a: Num, b: Num) -> bool {
    match (a, b) {
        (Long(a), Long(b)) => a == b,
        (Long(a), Double(b)) | (Double(b), Long(a)) => a as f64 == b,
        (Double(a), Double(b)) => a == b,
    }
}
fn chain(args: &[Val], holds: impl Fn(Num, Num) -> bool) -> Result<Val, &'static str> {
    for w in args.windows(2) {
        if !holds(num(&w[0])?, num(&w[1])?) {
            return Ok(bool(false));
        }
    }
    Ok(bool(true))
}
fn divide(a: &Val, b: &Val, f: fn(i64, i64) -> i64) -> Result<Val, &'static str> {
    match (num(a)?, num(b)?) {
        (Long(_), Long(0)) => Err("arithmetic"),
        (Long(a), Long(b)) => Ok(int(f(a, b))),
        _ => Err("a quotient of doubles"),
    }
}

/// Functions that only compute. The error is a kind word.
fn plain(name: &str, args: &[Val]) -> Res<Result<Val, &'static str>> {
    let fold = |unit: i64, longs: fn(i64, i64) -> Option<i64>, doubles: fn(f64, f64) -> f64| {
        let mut acc = match args {
            [] => return Ok(int(unit)),
            [a, ..] => num(a)?,
        };
        for b in &args[1..] {
            acc = arith(acc, num(b)?, longs, doubles)?;
        }
        Ok(of(acc))
    };
    let bits = |f: fn(i64, i64) -> i64| Ok(int(f(long(&args[0])?, long(&args[1])?)));
    let wrap = |f: fn(i64, i64) -> i64, g: fn(f64, f64) -> f64| {
        Ok(of(match (num(&args[0])?, num(&args[1])?) {
            (Long(a), Long(b)) => Long(f(a, b)),
            (a, b) => arith(a, b, |_, _| None, g)?,
        }))
    };
    let one = |f: fn(Num) -> Val| num(&args[0]).map(f);
    Ok(match (name, args.len()) {
        ("+", _) => fold(0, i64::checked_add, |a, b| a + b),
        ("*", _) => fold(1, i64::checked_mul, |a, b| a * b),
        ("-", 1) => num(&args[0]).and_then(|a| arith(Long(0), a, i64::checked_sub, |_, b| -b)).map(of),
        ("-", n) if n > 1 => fold(0, i64::checked_sub, |a, b| a - b),
        ("inc", 1) => num(&args[0]).and_then(|a| arith(a, Long(1), i64::checked_add, |a, b| a + b)).map(of),
        ("dec", 1) => num(&args[0]).and_then(|a| arith(a, Long(1), i64::checked_sub, |a, b| a - b)).map(of),
        ("unchecked-add", 2) => wrap(i64::wrapping_add, |a, b| a + b),
        ("unchecked-subtract", 2) => wrap(i64::wrapping_sub, |a, b| a - b),
        ("unchecked-multiply", 2) => wrap(i64::wrapping_mul, |a, b| a * b),
        ("quot", 2) => divide(&args[0], &args[1], i64::wrapping_div),
        ("rem", 2) => divide(&args[0], &args[1], i64::wrapping_rem),
        ("mod", 2) => divide(&args[0], &args[1], |a, b| {
            let r = a.wrapping_rem(b);
            if r != 0 && (r < 0) != (b < 0) { r + b } else { r }
        }),
        ("bit-and", 2) => bits(|a, b| a & b),
        ("bit-or", 2) => bits(|a, b| a | b),
        ("bit-xor", 2) => bits(|a, b| a ^ b),
        ("bit-shift-left", 2) => bits(|a, b| a << (b & 63)),
        ("bit-shift-right", 2) => bits(|a, b| a >> (b & 63)),
        ("unsigned-bit-shift-right", 2) => bits(|a, b| (a as u64 >> (b & 63)) as i64),
        ("<", n) if n > 0 => chain(args, less),
        (">", n) if n > 0 => chain(args, |a, b| less(b, a)),
        ("<=", n) if n > 0 => chain(args, |a, b| less(a, b) || same(a, b)),
        (">=", n) if n > 0 => chain(args, |a, b| less(b, a) || same(a, b)),
        ("==", n) if n > 0 => chain(args, same),
        ("zero?", 1) => one(|n| bool(same(n, Long(0)))),
        ("pos?", 1) => one(|n| bool(less(Long(0), n))),
        ("neg?", 1) => one(|n| bool(less(n, Long(0)))),
        ("even?", 1) => long(&args[0]).map(|n| bool(n & 1 == 0)),
        ("odd?", 1) => long(&args[0]).map(|n| bool(n & 1 == 1)),
        ("double", 1) => one(|n| of(arith(n, Double(0.0), |_, _| None, |a, _| a).unwrap_or(n))),
        ("=", n) if n > 0 => Ok(bool(args.windows(2).all(|w| equal(&w[0], &w[1])))),
        ("not=", 2) => Ok(bool(!equal(&args[0], &args[1]))),
        ("not", 1) => Ok(bool(!truthy(&args[0]))),
        ("nil?", 1) => Ok(bool(matches!(args[0], Val::Data(Edn::Nil)))),
        ("some?", 1) => Ok(bool(!matches!(args[0], Val::Data(Edn::Nil)))),
        ("identity", 1) => Ok(args[0].clone()),
        ("vector", _) => Ok(Val::Vector(Rc::new(args.to_vec()))),
        ("conj", 2) => match &args[0] {
            Val::Vector(xs) => {
                let mut xs = xs.to_vec();
                xs.push(args[1].clone());
                Ok(Val::Vector(Rc::new(xs)))
            }
            _ => return unknown("conj to something else than a vector"),
        },
        ("count", 1) => match &args[0] {
            Val::Vector(xs) => Ok(int(xs.len() as i64)),
            Val::Map(es) => Ok(int(es.len() as i64)),
            Val::Data(Edn::Nil) => Ok(int(0)),
            _ => Err("type"),
        },
        ("nth", 2 | 3) => match (&args[0], &args[1]) {
            (Val::Vector(xs), Val::Data(Edn::Int(i))) => {
                let found = usize::try_from(*i).ok().and_then(|i| xs.get(i)).cloned();
                found.or_else(|| args.get(2).cloned()).ok_or("index")
            }
            _ => return unknown("nth of something else than a vector"),
        },
        ("get", 2 | 3) => Ok(lookup(&args[0], &args[1]).unwrap_or_else(|| args.get(2).cloned().unwrap_or_else(nil))),
        ("assoc", 3) => match (&args[0], &args[1]) {
            (Val::Map(es), key) => {
                let mut es = es.to_vec();
                put(&mut es, key.clone(), args[2].clone());
                Ok(Val::Map(Rc::new(es)))
            }
            (Val::Vector(xs), Val::Data(Edn::Int(i))) => {
                let mut xs = xs.to_vec();
                match usize::try_from(*i) {
                    Ok(i) if i < xs.len() => {
                        xs[i] = args[2].clone();
                        Ok(Val::Vector(Rc::new(xs)))
                    }
                    Ok(i) if i == xs.len() => {
                        xs.push(args[2].clone());
                        Ok(Val::Vector(Rc::new(xs)))
                    }
                    _ => Err("index"),
                }
            }
            _ => return unknown("assoc to something else"),
        },
        ("range", 1) => match &args[0] {
            Val::Data(Edn::Int(n)) => Ok(Val::Vector(Rc::new((0..*n).map(int).collect()))),
            _ => return unknown("a range of something else"),
        },
        ("atom", 1) => Ok(Val::Atom(Rc::new(RefCell::new(args[0].clone())))),
        ("deref", 1) => match &args[0] {
            Val::Atom(cell) => Ok(cell.borrow().clone()),
            _ => return unknown("deref of something else than an atom"),
        },
        ("reset!", 2) => match &args[0] {
            Val::Atom(cell) => {
                *cell.borrow_mut() = args[1].clone();
                Ok(args[1].clone())
            }
            _ => return unknown("reset! of something else than an atom"),
        },
        ("ex-info", 2) => Ok(Val::Raised(Rc::new(Raised { kind: "user".into(), data: args[1].clone() }))),
        ("ex-data", 1) => match &args[0] {
            Val::Raised(r) => Ok(r.data.clone()),
            _ => Ok(nil()),
        },
        _ => return unknown(format!("{name} of {} arguments", args.len())),
    })
}
