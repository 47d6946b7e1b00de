//! From Universal AST to instruction drafts: one pass, destination-driven, linear registers.
//!
//! Locals live in registers for their scope; arguments are computed straight into call windows; tests fuse with jumps.
//! Closures copy what they use (flat closures, Cardelli 1984). Nesting is bounded by the analyser.

use crate::code::{CodeDraft, Const, FnDraft, Handler, LocalDraft, SiteDraft};
use crate::op::{self, Op};
use crate::value::Value;
use datoms::edn::Edn;
use rustc_hash::{FxHashMap as HashMap, FxHashSet as HashSet};
use yin_ast::{Ast, Kind, NodeId};

/// Facts about globals.
pub struct Env<'a> {
    /// Ids of primitives that may be called without looking at their var.
    pub prims: &'a HashMap<&'static str, u16>,
    /// Names of those that are something else now: they are called like any function.
    pub redefined: &'a HashSet<String>,
}

/// Where a value goes.
#[derive(Clone, Copy, PartialEq)]
enum Dest {
    Reg(u16),
    /// Returned from the function.
    Tail,
    /// Dropped.
    Ignore,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Loc {
    Reg(u16),
    Capture(u16),
    Myself,
}

/// A jump to be patched: instruction index.
type Label = Vec<usize>;

struct Target {
    regs: Vec<u16>,
    start: usize,
}

#[derive(Default)]
struct Arity {
    d: CodeDraft,
    next: u16,
    locs: HashMap<NodeId, Loc>,
    targets: Vec<Target>,
}

struct Function {
    /// Binders captured from outside, in capture order.
    captures: Vec<NodeId>,
    me: Option<NodeId>,
    arity: Arity,
}

struct Compiler<'a> {
    ast: &'a Ast,
    env: &'a Env<'a>,
    stack: Vec<Function>,
    /// Conditional jumps too far for 16 bits: compute conditions as values.
    long: bool,
    too_far: bool,
    node: u32,
}

/// Compiles a top-level form to a function of no arguments.
///
/// # Errors
/// Limits of the instruction format, as text.
pub fn compile(ast: &Ast, root: NodeId, env: &Env) -> Result<FnDraft, String> {
    for long in [false, true] {
        let mut c = Compiler { ast, env, stack: Vec::new(), long, too_far: false, node: root.0 };
        c.stack.push(Function { captures: Vec::new(), me: None, arity: Arity::default() });
        c.expr(root, Dest::Tail)?;
        if c.too_far {
            continue;
        }
        let f = c.stack.pop().expect("pushed above");
        return Ok(FnDraft { name: None, arities: vec![f.arity.d], n_captures: 0, node: root.0 });
    }
    Err("a function is too large".into())
}

type Res<T = ()> = Result<T, String>;

/// Two-operand ops by function name: op, op with an immediate on the right.
fn binary(name: &str) -> Option<(Op, Option<Op>)> {
    Some(match name {
        "+" => (Op::Add, Some(Op::AddI)),
        "-" => (Op::Sub, None),
        "*" => (Op::Mul, Some(Op::MulI)),
        "/" => (Op::Div, None),
        "quot" => (Op::Quot, Some(Op::QuotI)),
        "rem" => (Op::Rem, Some(Op::RemI)),
        "mod" => (Op::Mod, None),
        "bit-and" => (Op::And, Some(Op::AndI)),
        "bit-or" => (Op::Or, None),
        "bit-xor" => (Op::Xor, None),
        "bit-shift-left" => (Op::Shl, Some(Op::ShlI)),
        "bit-shift-right" => (Op::Shr, Some(Op::ShrI)),
        "unsigned-bit-shift-right" => (Op::UShr, None),
        "<" => (Op::Lt, None),
        "<=" => (Op::Le, None),
        ">" => (Op::Gt, None),
        ">=" => (Op::Ge, None),
        "==" => (Op::NumEq, None),
        "=" => (Op::Eq, None),
        "identical?" => (Op::Same, None),
        "get" => (Op::Get, None),
        "nth" => (Op::Nth, None),
        "cons" => (Op::Cons, None),
        "conj" => (Op::Conj, None),
        "aget" => (Op::AGet, None),
        _ => return None,
    })
}
fn unary(name: &str) -> Option<Op> {
    Some(match name {
        "not" => Op::Not,
        "nil?" => Op::IsNil,
        "first" => Op::First,
        "rest" => Op::Rest,
        "next" => Op::NextSeq,
        "seq" => Op::Seq,
        "count" => Op::Count,
        "deref" => Op::Deref,
        "long" => Op::ToLong,
        "double" => Op::ToDouble,
        _ => return None,
    })
}
/// Jump taken when the comparison fails: register form, immediate form.
fn branch(name: &str) -> Option<(Op, Option<Op>)> {
    Some(match name {
        "<" => (Op::JNLt, Some(Op::JNLtI)),
        "<=" => (Op::JNLe, Some(Op::JNLeI)),
        ">" => (Op::JNGt, Some(Op::JNGtI)),
        ">=" => (Op::JNGe, Some(Op::JNGeI)),
        "==" => (Op::JNNum, Some(Op::JNNumI)),
        "=" => (Op::JNEq, None),
        "identical?" => (Op::JNSame, None),
        _ => return None,
    })
}

/// Name, in lower case, of the instruction that a call of a core function becomes.
pub fn instruction_of(name: &str) -> Option<&'static str> {
    let op = binary(name).map(|b| b.0).or_else(|| unary(name))?;
    Some(crate::op::lower_name(op))
}

impl Compiler<'_> {
    // ---- emission
    fn a(&mut self) -> &mut Arity {
        &mut self.stack.last_mut().expect("inside a function").arity
    }
    fn here(&mut self) -> usize {
        self.a().d.words.len()
    }
    fn emit(&mut self, w: u64) -> usize {
        let node = self.node;
        let a = self.a();
        a.d.words.push(w);
        a.d.src.push(node);
        a.d.words.len() - 1
    }
    fn abc(&mut self, o: Op, aux: u8, a: u16, b: u16, c: u16) {
        self.emit(op::abc(o, aux, a, b, c));
    }
    fn alloc(&mut self) -> Res<u16> {
        let a = self.a();
        let r = a.next;
        if r as usize >= crate::install::MAX_REGS - 8 {
            return Err("a function needs too many registers".into());
        }
        a.next += 1;
        a.d.n_regs = a.d.n_regs.max(a.next);
        Ok(r)
    }
    fn free_to(&mut self, mark: u16) {
        self.a().next = mark;
    }
    fn mark(&mut self) -> u16 {
        self.a().next
    }
    fn constant(&mut self, c: Const) -> Res<usize> {
        let consts = &mut self.a().d.consts;
        let same = |x: &Const| match (x, &c) {
            (Const::Var(a), Const::Var(b)) => a == b,
            (Const::Data(Edn::Keyword(a)), Const::Data(Edn::Keyword(b))) => a == b,
            (Const::Data(Edn::Str(a)), Const::Data(Edn::Str(b))) => a == b,
            (Const::Data(Edn::Symbol(a)), Const::Data(Edn::Symbol(b))) => a == b,
            (Const::Data(Edn::Int(a)), Const::Data(Edn::Int(b))) => a == b,
            _ => false,
        };
        if let Some(i) = consts.iter().position(same) {
            return Ok(i);
        }
        consts.push(c);
        let i = consts.len() - 1;
        if i > u16::MAX as usize { Err("a function has too many constants".into()) } else { Ok(i) }
    }
    fn patch(&mut self, label: Label) {
        let here = self.here();
        for at in label {
            self.patch_to(at, here);
        }
    }
    fn patch_to(&mut self, at: usize, to: usize) {
        let d = to as i64 - at as i64 - 1;
        let w = self.a().d.words[at];
        let info = Op::of(w).expect("emitted").info();
        let patched = if info.wide {
            w & 0xFFFF_FFFF | (d as i32 as u32 as u64) << 32
        } else {
            if i16::try_from(d).is_err() {
                self.too_far = true;
            }
            w & 0xFFFF_FFFF_FFFF | (d as i16 as u16 as u64) << 48
        };
        self.a().d.words[at] = patched;
    }
    fn jump(&mut self) -> usize {
        self.emit(op::ai(Op::Jmp, 0, 0, 0))
    }
    fn finish(&mut self, dest: Dest, r: u16) {
        match dest {
            Dest::Reg(d) if d != r => self.abc(Op::Move, 0, d, r, 0),
            Dest::Tail => self.abc(Op::Ret, 0, r, 0, 0),
            _ => {}
        }
    }
    /// Register to compute into for `dest`; `finish` completes it.
    fn target(&mut self, dest: Dest) -> Res<u16> {
        match dest {
            Dest::Reg(r) => Ok(r),
            _ => self.alloc(),
        }
    }

    // ---- locals
    fn resolve(&mut self, binder: NodeId) -> Res<Loc> {
        let depth = self.stack.len() - 1;
        self.resolve_at(binder, depth)
    }
    fn resolve_at(&mut self, binder: NodeId, depth: usize) -> Res<Loc> {
        let f = &self.stack[depth];
        if let Some(&l) = f.arity.locs.get(&binder) {
            return Ok(l);
        }
        if f.me == Some(binder) {
            return Ok(Loc::Myself);
        }
        if let Some(i) = f.captures.iter().position(|b| *b == binder) {
            return Ok(Loc::Capture(i as u16));
        }
        if depth == 0 {
            return Err(format!("no binder for {:?}", self.ast.name(binder)));
        }
        self.resolve_at(binder, depth - 1)?;
        let f = &mut self.stack[depth];
        f.captures.push(binder);
        Ok(Loc::Capture(f.captures.len() as u16 - 1))
    }
    fn load(&mut self, loc: Loc, d: u16) {
        match loc {
            Loc::Reg(r) => {
                if r != d {
                    self.abc(Op::Move, 0, d, r, 0)
                }
            }
            Loc::Capture(i) => self.abc(Op::Capture, 0, d, i, 0),
            Loc::Myself => self.abc(Op::Myself, 0, d, 0, 0),
        }
    }
    fn declare(&mut self, binder: NodeId, r: u16) {
        let name = self.ast.name(binder).unwrap_or("_").to_string();
        let start = self.here() as u32;
        let a = self.a();
        a.locs.insert(binder, Loc::Reg(r));
        a.d.locals.push(LocalDraft { name, reg: r, start, end: u32::MAX });
    }
    /// Locals declared since `n` end here.
    fn end_scope(&mut self, n: usize) {
        let here = self.here() as u32;
        for l in &mut self.a().d.locals[n..] {
            if l.end == u32::MAX {
                l.end = here;
            }
        }
    }

    /// The register an operand is in, computing it into a new one if need be.
    fn operand(&mut self, id: NodeId) -> Res<u16> {
        if self.ast.kind(id) == Kind::Variable
            && let Some(b) = self.ast.refers_to(id)
            && let Loc::Reg(r) = self.resolve(b)?
        {
            return Ok(r);
        }
        let r = self.alloc()?;
        self.expr(id, Dest::Reg(r))?;
        Ok(r)
    }
    fn small_int(&self, id: NodeId) -> Option<i16> {
        match (self.ast.kind(id), self.ast.value(id)) {
            (Kind::Literal, Some(Edn::Int(n))) => i16::try_from(*n).ok(),
            _ => None,
        }
    }
    /// Core name of a global operator: `+` of `clojure.core/+`.
    fn core_name(&self, id: NodeId) -> Option<&str> {
        if self.ast.kind(id) != Kind::Variable || self.ast.refers_to(id).is_some() {
            return None;
        }
        let name = self.ast.name(id).filter(|n| !self.env.redefined.contains(*n))?;
        // The library dereferences before it has a `deref` of its own.
        if name == "yin.rt/deref" { Some("deref") } else { name.strip_prefix("clojure.core/") }
    }

    // ---- expressions
    fn expr(&mut self, id: NodeId, dest: Dest) -> Res {
        let saved = std::mem::replace(&mut self.node, id.0);
        let mark = self.mark();
        let r = self.expr_inner(id, dest);
        self.free_to(mark);
        self.node = saved;
        r
    }

    fn expr_inner(&mut self, id: NodeId, dest: Dest) -> Res {
        let ast = self.ast;
        let c = ast.children(id);
        match ast.kind(id) {
            Kind::Literal => {
                if dest == Dest::Ignore {
                    return Ok(());
                }
                let d = self.target(dest)?;
                match ast.value(id).expect("a literal has a value") {
                    Edn::Nil => self.imm(d, Value::NIL),
                    Edn::Bool(b) => self.imm(d, Value::bool(*b)),
                    Edn::Char(ch) => self.imm(d, Value::char(*ch)),
                    Edn::Int(n) if i32::try_from(*n).is_ok() => {
                        self.emit(op::ai(Op::Int, 0, d, *n as i32));
                    }
                    v => {
                        let k = self.constant(Const::Data(v.clone()))?;
                        self.emit(op::ai(Op::Const, 0, d, k as i32));
                    }
                }
                self.finish(dest, d);
                Ok(())
            }
            Kind::Variable => {
                match ast.refers_to(id) {
                    Some(b) => {
                        let loc = self.resolve(b)?;
                        match (loc, dest) {
                            (_, Dest::Ignore) => {}
                            (Loc::Reg(r), _) => self.finish(dest, r),
                            _ => {
                                let d = self.target(dest)?;
                                self.load(loc, d);
                                self.finish(dest, d);
                            }
                        }
                    }
                    None => {
                        let d = self.target(dest)?;
                        let k = self.constant(Const::Var(ast.name(id).unwrap_or("").into()))?;
                        self.emit(op::ai(Op::Global, 0, d, k as i32));
                        self.finish(dest, d);
                    }
                }
                Ok(())
            }
            Kind::Var => {
                let d = self.target(dest)?;
                let k = self.constant(Const::Var(ast.name(id).unwrap_or("").into()))?;
                self.emit(op::ai(Op::Const, 0, d, k as i32));
                self.finish(dest, d);
                Ok(())
            }
            Kind::Do => {
                for x in &c[..c.len() - 1] {
                    self.expr(*x, Dest::Ignore)?;
                }
                self.expr(c[c.len() - 1], dest)
            }
            Kind::If => {
                let mut on_false = Label::new();
                self.test(c[0], &mut on_false)?;
                // A value needed but not tail: both arms compute into one register.
                let (arm, r) = match dest {
                    Dest::Tail | Dest::Ignore => (dest, None),
                    Dest::Reg(r) => (dest, Some(r)),
                };
                let _ = r;
                self.expr(c[1], arm)?;
                let end = if dest == Dest::Tail { None } else { Some(self.jump()) };
                self.patch(on_false);
                match c[2].some() {
                    Some(alt) => self.expr(alt, arm)?,
                    None if dest != Dest::Ignore => {
                        let d = self.target(dest)?;
                        self.imm(d, Value::NIL);
                        self.finish(dest, d);
                    }
                    None => {}
                }
                if let Some(j) = end {
                    self.patch(vec![j]);
                }
                Ok(())
            }
            Kind::Let => {
                let scope = self.a().d.locals.len();
                for b in &c[..c.len() - 1] {
                    let r = self.alloc()?;
                    self.expr(ast.child(*b, 0), Dest::Reg(r))?;
                    self.declare(*b, r);
                }
                self.expr(c[c.len() - 1], dest)?;
                self.end_scope(scope);
                Ok(())
            }
            Kind::Loop => {
                let scope = self.a().d.locals.len();
                let mut regs = Vec::new();
                for b in &c[..c.len() - 1] {
                    let r = self.alloc()?;
                    self.expr(ast.child(*b, 0), Dest::Reg(r))?;
                    self.declare(*b, r);
                    regs.push(r);
                }
                let start = self.here();
                self.a().targets.push(Target { regs, start });
                // The value of a loop that is dropped still needs a place for its arms.
                let inner = if dest == Dest::Ignore { Dest::Reg(self.alloc()?) } else { dest };
                self.expr(c[c.len() - 1], inner)?;
                self.a().targets.pop();
                self.end_scope(scope);
                Ok(())
            }
            Kind::Recur => {
                let (regs, start) = {
                    let t = self.a().targets.last().ok_or("recur without a target")?;
                    (t.regs.clone(), t.start)
                };
                self.parallel_move(c, &regs)?;
                let j = self.emit(op::ai(Op::Poll, 0, 0, 0));
                self.patch_to(j, start);
                Ok(())
            }
            Kind::Letrec => self.letrec(c, dest),
            Kind::Function => {
                if dest == Dest::Ignore {
                    return Ok(());
                }
                let d = self.target(dest)?;
                self.closure(id, d)?;
                self.finish(dest, d);
                Ok(())
            }
            Kind::Lambda => {
                if dest == Dest::Ignore {
                    return Ok(());
                }
                let d = self.target(dest)?;
                self.closure_of(ast.name(id).map(String::from), None, &[id], id, d)?;
                self.finish(dest, d);
                Ok(())
            }
            Kind::Application => self.application(id, c, dest),
            Kind::Define => {
                let name = ast.name(id).unwrap_or("").to_string();
                let mut args = vec![Arg::Var(name)];
                args.push(c[0].some().map_or(Arg::Nil, Arg::Node));
                if let Some(x) = c[1].some() {
                    args.push(Arg::Node(x));
                }
                self.call_prim("yin.rt/def-var", &args, dest)
            }
            Kind::Set => {
                if ast.kind(c[0]) == Kind::Field {
                    let i = self.field_index(c[0]);
                    let t = self.operand(ast.child(c[0], 0))?;
                    let v = self.operand(c[1])?;
                    self.abc(Op::SetField, 0, t, v, i);
                    self.finish(dest, v);
                    return Ok(());
                }
                let name = ast.name(c[0]).unwrap_or("").to_string();
                self.call_prim("yin.rt/set-var", &[Arg::Var(name), Arg::Node(c[1])], dest)
            }
            Kind::Field => {
                let i = self.field_index(id);
                let t = self.operand(c[0])?;
                let d = self.target(dest)?;
                self.abc(Op::Field, 0, d, t, i);
                self.finish(dest, d);
                Ok(())
            }
            Kind::Throw => {
                self.call_prim("yin.rt/throw", &[Arg::Node(c[0])], Dest::Ignore)?;
                // Never reached, but every path must end in the value's place.
                if dest != Dest::Ignore {
                    let d = self.target(dest)?;
                    self.imm(d, Value::NIL);
                    self.finish(dest, d);
                }
                Ok(())
            }
            Kind::Try => self.try_node(c, dest),
            Kind::VectorOf | Kind::SetOf | Kind::MapOf => self.collection(ast.kind(id), c, dest),
            Kind::Case => self.case(id, c, dest),
            Kind::HostCall => {
                let name = Edn::symbol(ast.name(id).unwrap_or(""));
                let mut args = vec![Arg::Node(c[0]), Arg::Data(name)];
                args.extend(c[1..].iter().map(|x| Arg::Node(*x)));
                self.call_var("yin.rt/invoke-method", &args, dest)
            }
            Kind::New => {
                let name = Edn::symbol(ast.name(id).unwrap_or(""));
                let mut args = vec![Arg::Data(name)];
                args.extend(c.iter().map(|x| Arg::Node(*x)));
                self.call_var("yin.rt/new", &args, dest)
            }
            Kind::Syntax => Err(format!("`{}` has no meaning yet", ast.name(id).unwrap_or(""))),
            Kind::Parameter | Kind::Binding | Kind::Catch => Err("a binder is not an expression".into()),
        }
    }

    fn imm(&mut self, d: u16, v: Value) {
        self.emit(op::ai(Op::Imm, 0, d, v.bits() as i32));
    }
    fn field_index(&self, id: NodeId) -> u16 {
        match self.ast.value(id) {
            Some(Edn::Int(n)) => *n as u16,
            _ => 0,
        }
    }

    /// Assigns `regs` from expressions at once.
    fn parallel_move(&mut self, exprs: &[NodeId], regs: &[u16]) -> Res {
        let mut moves = Vec::new();
        for (i, (e, r)) in exprs.iter().zip(regs).enumerate() {
            // An expression may go straight into its register if nothing later reads what is there now.
            let read_later =
                exprs[i + 1..].iter().any(|x| self.reads(*x, *r)) || moves.iter().any(|m: &(u16, u16)| m.1 == *r);
            if !read_later && !self.captures_later(&exprs[i + 1..]) {
                self.expr(*e, Dest::Reg(*r))?;
            } else {
                let t = self.operand(*e)?;
                // A local read in place may be overwritten by an earlier move: keep a copy.
                let t = if regs.contains(&t) && t != *r {
                    let copy = self.alloc()?;
                    self.abc(Op::Move, 0, copy, t, 0);
                    copy
                } else {
                    t
                };
                moves.push((*r, t));
            }
        }
        for (r, t) in moves {
            if r != t {
                self.abc(Op::Move, 0, r, t, 0);
            }
        }
        Ok(())
    }
    fn captures_later(&self, _exprs: &[NodeId]) -> bool {
        false
    }
    /// Does the expression read register `r` as a local of this function?
    fn reads(&self, id: NodeId, r: u16) -> bool {
        let f = self.stack.last().expect("inside a function");
        let mut work = vec![id];
        while let Some(n) = work.pop() {
            if let Some(b) = self.ast.refers_to(n)
                && f.arity.locs.get(&b) == Some(&Loc::Reg(r))
            {
                return true;
            }
            work.extend(self.ast.children(n).iter().filter_map(|c| c.some()));
        }
        false
    }

    /// Jumps to the label when the test is false, else goes on.
    fn test(&mut self, id: NodeId, on_false: &mut Label) -> Res {
        let ast = self.ast;
        let saved = std::mem::replace(&mut self.node, id.0);
        let mark = self.mark();
        let c = ast.children(id);
        let done = match ast.kind(id) {
            Kind::Literal => {
                if matches!(ast.value(id), Some(Edn::Nil | Edn::Bool(false))) {
                    let j = self.jump();
                    on_false.push(j);
                }
                true
            }
            Kind::Application => self.fused_test(c, on_false)?,
            // (and a b) and (or a b) as `let` + `if` in test position: jump directly.
            Kind::Let if c.len() == 2 => self.let_test(c, on_false)?,
            Kind::If if c[2] != NodeId::NONE && self.is_false(c[2]) => {
                self.test(c[0], on_false)?;
                self.test(c[1], on_false)?;
                true
            }
            _ => false,
        };
        if !done {
            let r = self.operand(id)?;
            let j = self.emit(op::ai(Op::JIfNot, 0, r, 0));
            on_false.push(j);
        }
        self.free_to(mark);
        self.node = saved;
        Ok(())
    }
    fn is_false(&self, id: NodeId) -> bool {
        self.ast.kind(id) == Kind::Literal && matches!(self.ast.value(id), Some(Edn::Nil | Edn::Bool(false)))
    }
    /// `(let [x a] (if x b x))` and `(let [x a] (if x x b))` where x is used nowhere else.
    fn let_test(&mut self, c: &[NodeId], on_false: &mut Label) -> Res<bool> {
        let ast = self.ast;
        let (binding, body) = (c[0], c[1]);
        if ast.kind(body) != Kind::If {
            return Ok(false);
        }
        let b = ast.children(body);
        let is_x = |n: NodeId| n != NodeId::NONE && ast.refers_to(n) == Some(binding) && ast.kind(n) == Kind::Variable;
        if !is_x(b[0]) || b[2] == NodeId::NONE {
            return Ok(false);
        }
        let init = ast.child(binding, 0);
        let mentions = |n: NodeId| {
            let mut work = vec![n];
            while let Some(n) = work.pop() {
                if ast.refers_to(n) == Some(binding) {
                    return true;
                }
                work.extend(ast.children(n).iter().filter_map(|c| c.some()));
            }
            false
        };
        if is_x(b[2]) && !mentions(b[1]) {
            self.test(init, on_false)?;
            self.test(b[1], on_false)?;
            return Ok(true);
        }
        if is_x(b[1]) && !mentions(b[2]) {
            let mut first_false = Label::new();
            self.test(init, &mut first_false)?;
            let j = self.jump();
            self.patch(first_false);
            self.test(b[2], on_false)?;
            self.patch(vec![j]);
            return Ok(true);
        }
        Ok(false)
    }
    fn fused_test(&mut self, c: &[NodeId], on_false: &mut Label) -> Res<bool> {
        let Some(name) = self.core_name(c[0]).map(String::from) else { return Ok(false) };
        match (name.as_str(), c.len()) {
            ("not", 2) => {
                let mut falsy = Label::new();
                self.test(c[1], &mut falsy)?;
                let j = self.jump();
                on_false.push(j);
                self.patch(falsy);
                Ok(true)
            }
            ("nil?", 2) => {
                let r = self.operand(c[1])?;
                let j = self.emit(op::ai(Op::JNotNil, 0, r, 0));
                on_false.push(j);
                Ok(true)
            }
            ("some?", 2) => {
                let r = self.operand(c[1])?;
                let j = self.emit(op::ai(Op::JNil, 0, r, 0));
                on_false.push(j);
                Ok(true)
            }
            ("zero?" | "pos?" | "neg?", 2) if !self.long => {
                let r = self.operand(c[1])?;
                let o = match name.as_str() {
                    "zero?" => Op::JNNumI,
                    "pos?" => Op::JNGtI,
                    _ => Op::JNLtI,
                };
                let j = self.emit(op::abc(o, 0, r, 0, 0));
                on_false.push(j);
                Ok(true)
            }
            (n, 3) if !self.long => {
                let Some((o, imm)) = branch(n) else { return Ok(false) };
                let x = self.stable_operand(c[1], &c[2..])?;
                let j = match (imm, self.small_int(c[2])) {
                    (Some(i), Some(k)) => self.emit(op::abc(i, 0, x, k as u16, 0)),
                    _ => {
                        let y = self.operand(c[2])?;
                        self.emit(op::abc(o, 0, x, y, 0))
                    }
                };
                on_false.push(j);
                Ok(true)
            }
            _ => Ok(false),
        }
    }
    /// An operand whose register keeps its value while `later` ones are computed. Locals are never assigned but by `recur`,
    /// which leaves; so a local's own register will do.
    fn stable_operand(&mut self, id: NodeId, _later: &[NodeId]) -> Res<u16> {
        self.operand(id)
    }

    fn application(&mut self, id: NodeId, c: &[NodeId], dest: Dest) -> Res {
        if let Some(name) = self.core_name(c[0]).map(String::from)
            && self.intrinsic(&name, &c[1..], dest)?
        {
            return Ok(());
        }
        let ast = self.ast;
        // A keyword in operator position.
        if ast.kind(c[0]) == Kind::Literal
            && let Some(Edn::Keyword(_)) = ast.value(c[0])
            && c.len() == 2
        {
            let k = self.constant(Const::Data(ast.value(c[0]).expect("checked").clone()))?;
            let m = self.operand(c[1])?;
            let d = self.target(dest)?;
            self.abc(Op::GetKw, 0, d, m, k as u16);
            self.emit(0);
            self.finish(dest, d);
            return Ok(());
        }
        if ast.kind(c[0]) == Kind::Variable
            && ast.refers_to(c[0]).is_none()
            && let Some(name) = ast.name(c[0])
        {
            if let Some(&p) = self.env.prims.get(name).filter(|_| !self.env.redefined.contains(name)) {
                let def = crate::prim::table::get(p).expect("in the table");
                let n = c.len() - 1;
                let fits =
                    n >= def.min_args as usize && (def.max_args == crate::prim::MANY || n <= def.max_args as usize);
                // Names of the run-time system mean what they say; others that have effects stay calls, which see a new root. A
                // function that ends in raising is no part of the trace: that tail call stays one.
                let direct = def.flags & crate::prim::PURE != 0
                    || name.starts_with("yin.rt/")
                        && name != "yin.rt/raise"
                        && def.flags & (crate::prim::VMOP | crate::prim::MACRO) == 0;
                if fits && direct {
                    let args: Vec<Arg> = c[1..].iter().map(|x| Arg::Node(*x)).collect();
                    return self.prim(p, &args, dest);
                }
            }
            let args: Vec<Arg> = c[1..].iter().map(|x| Arg::Node(*x)).collect();
            return self.call_var(name, &args, dest);
        }
        let _ = id;
        // The function's own name with one of its arities.
        let own = ast.refers_to(c[0]).is_some_and(|b| self.stack.last().is_some_and(|f| f.me == Some(b)));
        let (h, window) = self.window()?;
        if !own || dest == Dest::Tail {
            self.expr(c[0], Dest::Reg(window))?;
        }
        for x in &c[1..] {
            let r = self.alloc()?;
            self.expr(*x, Dest::Reg(r))?;
        }
        let _ = h;
        let o = if own && dest != Dest::Tail { Op::CallSelf } else { Op::Call };
        self.call(o, window, c.len() - 1, 0, dest)
    }
    /// Header and callee registers of a new call window at the top.
    fn window(&mut self) -> Res<(u16, u16)> {
        let h = self.alloc()?;
        let w = self.alloc()?;
        Ok((h, w))
    }
    fn call(&mut self, o: Op, window: u16, argc: usize, k: u16, dest: Dest) -> Res {
        if argc > 250 {
            return Err("a call has more than 250 arguments".into());
        }
        if dest == Dest::Tail {
            let o = if o == Op::CallVar { Op::TailCallVar } else { Op::TailCall };
            self.abc(o, argc as u8, window, 0, k);
            return Ok(());
        }
        let dst = match dest {
            Dest::Reg(r) => r,
            // The value of a call that is dropped may land on the callee's own place.
            _ => window,
        };
        let site = self.a().d.sites.len();
        if site > u16::MAX as usize {
            return Err("a function has too many calls".into());
        }
        self.abc(o, argc as u8, window, site as u16, k);
        let pc = self.here() as u32;
        self.a().d.sites.push(SiteDraft { pc, dst, window });
        Ok(())
    }
    fn call_var(&mut self, name: &str, args: &[Arg], dest: Dest) -> Res {
        let k = self.constant(Const::Var(name.into()))?;
        let (_, window) = self.window()?;
        for a in args {
            let r = self.alloc()?;
            self.arg(a, r)?;
        }
        self.call(Op::CallVar, window, args.len(), k as u16, dest)
    }
    fn arg(&mut self, a: &Arg, r: u16) -> Res {
        match a {
            Arg::Node(n) => self.expr(*n, Dest::Reg(r)),
            Arg::Nil => {
                self.imm(r, Value::NIL);
                Ok(())
            }
            Arg::Data(d) => {
                let k = self.constant(Const::Data(d.clone()))?;
                self.emit(op::ai(Op::Const, 0, r, k as i32));
                Ok(())
            }
            Arg::Var(v) => {
                let k = self.constant(Const::Var(v.clone()))?;
                self.emit(op::ai(Op::Const, 0, r, k as i32));
                Ok(())
            }
        }
    }
    fn arg_operand(&mut self, a: &Arg) -> Res<u16> {
        match a {
            Arg::Node(n) => self.operand(*n),
            _ => {
                let r = self.alloc()?;
                self.arg(a, r)?;
                Ok(r)
            }
        }
    }
    fn call_prim(&mut self, name: &str, args: &[Arg], dest: Dest) -> Res {
        let p = *self.env.prims.get(name).ok_or_else(|| format!("no primitive {name}"))?;
        self.prim(p, args, dest)
    }
    fn prim(&mut self, p: u16, args: &[Arg], dest: Dest) -> Res {
        match args.len() {
            1 => {
                let x = self.arg_operand(&args[0])?;
                let d = self.target(dest)?;
                self.abc(Op::Prim1, 0, d, x, p);
                self.finish(dest, d);
            }
            2 | 3 => {
                let regs = args.iter().map(|a| self.arg_operand(a)).collect::<Res<Vec<_>>>()?;
                let d = self.target(dest)?;
                let o = if args.len() == 2 { Op::Prim2 } else { Op::Prim3 };
                self.abc(o, 0, d, regs[0], regs[1]);
                self.emit(op::second(p, regs.get(2).copied().unwrap_or(0)));
                self.finish(dest, d);
            }
            n if n > 250 => return Err("a call has more than 250 arguments".into()),
            n => {
                let first = self.mark();
                for a in args {
                    let r = self.alloc()?;
                    self.arg(a, r)?;
                }
                let d = self.target(dest)?;
                self.abc(Op::PrimN, n as u8, d, first, p);
                self.finish(dest, d);
            }
        }
        Ok(())
    }

    /// Emits the op of a core function, if it has one for these arguments.
    fn intrinsic(&mut self, name: &str, args: &[NodeId], dest: Dest) -> Res<bool> {
        match (name, args.len()) {
            ("inc" | "dec", 1) => {
                let x = self.operand(args[0])?;
                let d = self.target(dest)?;
                self.abc(Op::AddI, 0, d, x, if name == "inc" { 1 } else { -1i16 as u16 });
                self.finish(dest, d);
            }
            ("-", 2) if self.small_int(args[1]).is_some_and(|n| n != i16::MIN) => {
                let n = -self.small_int(args[1]).expect("checked");
                let x = self.operand(args[0])?;
                let d = self.target(dest)?;
                self.abc(Op::AddI, 0, d, x, n as u16);
                self.finish(dest, d);
            }
            ("unchecked-add" | "unchecked-subtract" | "unchecked-multiply" | "+'" | "-'" | "*'", 2) => {
                let mode = if name.ends_with('\'') { op::mode::PROMOTE } else { op::mode::WRAP };
                let o = match name {
                    "unchecked-add" | "+'" => Op::Add,
                    "unchecked-subtract" | "-'" => Op::Sub,
                    _ => Op::Mul,
                };
                let (x, y) = (self.operand(args[0])?, self.operand(args[1])?);
                let d = self.target(dest)?;
                self.abc(o, mode, d, x, y);
                self.finish(dest, d);
            }
            ("assoc", 3) => {
                let regs = args.iter().map(|a| self.operand(*a)).collect::<Res<Vec<_>>>()?;
                let d = self.target(dest)?;
                self.abc(Op::Assoc, 0, d, regs[0], regs[1]);
                self.emit(op::second(0, regs[2]));
                self.finish(dest, d);
            }
            ("aset", 3) => {
                let regs = args.iter().map(|a| self.operand(*a)).collect::<Res<Vec<_>>>()?;
                self.abc(Op::ASet, 0, regs[0], regs[1], regs[2]);
                self.finish(dest, regs[2]);
            }
            ("vector", n) if n <= 200 => return self.collection(Kind::VectorOf, args, dest).map(|()| true),
            (_, 1) => {
                let Some(o) = unary(name) else { return Ok(false) };
                let x = self.operand(args[0])?;
                let d = self.target(dest)?;
                self.abc(o, 0, d, x, 0);
                self.finish(dest, d);
            }
            (_, n) if n >= 2 => {
                let Some((o, imm)) = binary(name) else { return Ok(false) };
                let folds = matches!(o, Op::Add | Op::Sub | Op::Mul | Op::Div | Op::And | Op::Or | Op::Xor);
                if n > 2 && !folds {
                    return Ok(false);
                }
                let mut x = self.operand(args[0])?;
                let d = self.target(dest)?;
                for (i, y) in args[1..].iter().enumerate() {
                    // Only the last step may write the destination: later operands may still read a local there.
                    let to = if i + 2 == n { d } else { self.alloc()? };
                    match (imm, self.small_int(*y)) {
                        (Some(io), Some(k)) if imm_fits(io, k) => self.abc(io, 0, to, x, k as u16),
                        _ => {
                            let y = self.operand(*y)?;
                            self.abc(o, 0, to, x, y);
                        }
                    }
                    x = to;
                }
                self.finish(dest, d);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn collection(&mut self, kind: Kind, c: &[NodeId], dest: Dest) -> Res {
        let name = match kind {
            Kind::VectorOf => "clojure.core/vector",
            Kind::SetOf => "yin.rt/set-of",
            _ => "yin.rt/map-of",
        };
        if c.len() <= 200 && kind == Kind::VectorOf {
            let first = self.mark();
            for x in c {
                let r = self.alloc()?;
                self.expr(*x, Dest::Reg(r))?;
            }
            let d = self.target(dest)?;
            self.abc(Op::Vector, c.len() as u8, d, first, 0);
            self.finish(dest, d);
            return Ok(());
        }
        let args: Vec<Arg> = c.iter().map(|x| Arg::Node(*x)).collect();
        if c.len() <= 200 {
            return self.call_prim(name, &args, dest);
        }
        // Large literals: the first part, then the rest joined on.
        let acc = self.alloc()?;
        let parts: Vec<&[Arg]> = args.chunks(200).collect();
        let p = *self.env.prims.get(name).ok_or("no primitive")?;
        self.prim(p, parts[0], Dest::Reg(acc))?;
        for part in &parts[1..] {
            let mark = self.mark();
            let r = self.alloc()?;
            self.prim(p, part, Dest::Reg(r))?;
            let join = *self.env.prims.get("yin.rt/join-colls").ok_or("no primitive")?;
            self.abc(Op::Prim2, 0, acc, acc, r);
            self.emit(op::second(join, 0));
            self.free_to(mark);
        }
        self.finish(dest, acc);
        Ok(())
    }

    fn closure(&mut self, id: NodeId, d: u16) -> Res {
        let c = self.ast.children(id);
        let me = c[0].some();
        let name = self.ast.name(id).map(String::from);
        self.closure_of(name, me, &c[1..], id, d)
    }
    fn closure_of(&mut self, name: Option<String>, me: Option<NodeId>, arities: &[NodeId], id: NodeId, d: u16) -> Res {
        let (draft, captured) = self.function(name, me, arities, id)?;
        let n = captured.len();
        if n > 250 {
            return Err("a function captures more than 250 locals".into());
        }
        let k = self.constant(Const::Fn(Box::new(draft)))?;
        let mut regs = Vec::with_capacity(n);
        for b in captured {
            match self.resolve(b)? {
                Loc::Reg(r) => regs.push(r),
                loc => {
                    let r = self.alloc()?;
                    self.load(loc, r);
                    regs.push(r);
                }
            }
        }
        self.emit(op::ai(Op::Closure, n as u8, d, k as i32));
        for chunk in regs.chunks(4) {
            let w = chunk.iter().enumerate().fold(0u64, |w, (i, r)| w | (*r as u64) << (16 * i));
            self.emit(w);
        }
        Ok(())
    }
    fn function(
        &mut self,
        name: Option<String>,
        me: Option<NodeId>,
        arities: &[NodeId],
        id: NodeId,
    ) -> Res<(FnDraft, Vec<NodeId>)> {
        self.stack.push(Function { captures: Vec::new(), me, arity: Arity::default() });
        let mut done = Vec::new();
        for l in arities {
            let c = self.ast.children(*l);
            self.a().d = CodeDraft::default();
            self.stack.last_mut().expect("pushed above").arity = Arity::default();
            let (params, rest, body) = (&c[..c.len() - 2], c[c.len() - 2].some(), c[c.len() - 1]);
            let mut regs = Vec::new();
            for p in params.iter().copied().chain(rest) {
                let r = self.alloc()?;
                self.declare(p, r);
                regs.push(r);
            }
            self.a().d.n_params = params.len() as u8;
            self.a().d.variadic = rest.is_some();
            self.a().targets.push(Target { regs, start: 0 });
            self.node = body.0;
            self.expr(body, Dest::Tail)?;
            self.end_scope(0);
            done.push(std::mem::take(&mut self.a().d));
        }
        let f = self.stack.pop().expect("pushed above");
        let n_captures = f.captures.len() as u16;
        Ok((FnDraft { name, arities: done, n_captures, node: id.0 }, f.captures))
    }

    fn letrec(&mut self, c: &[NodeId], dest: Dest) -> Res {
        let ast = self.ast;
        let scope = self.a().d.locals.len();
        let bindings = &c[..c.len() - 1];
        let mut regs = Vec::new();
        for b in bindings {
            let r = self.alloc()?;
            self.imm(r, Value::NIL);
            let binder = ast.refers_to(*b).unwrap_or(*b);
            self.declare(binder, r);
            regs.push(r);
        }
        let mut ties = Vec::new();
        for (b, r) in bindings.iter().zip(&regs) {
            let f = ast.child(*b, 0);
            if ast.kind(f) != Kind::Function {
                self.expr(f, Dest::Reg(*r))?;
                continue;
            }
            let before = self.here();
            let mark = self.mark();
            self.closure(f, *r)?;
            self.free_to(mark);
            // Captures of functions of this group are filled in when all exist.
            let at = (before..self.here()).find(|i| {
                Op::of(self.stack.last().expect("inside").arity.d.words[*i]) == Some(Op::Closure)
                    && op::a(self.stack.last().expect("inside").arity.d.words[*i]) == *r as usize
            });
            if let Some(at) = at {
                let words = self.a().d.words[at..].to_vec();
                for i in 0..op::aux(words[0]) as usize {
                    let src = op::capture_reg(&words[1..], i);
                    if regs.contains(&src) {
                        ties.push((*r, i as u16, src));
                    }
                }
            }
        }
        for (r, i, src) in ties {
            self.abc(Op::Tie, 0, r, i, src);
        }
        self.expr(c[c.len() - 1], dest)?;
        self.end_scope(scope);
        Ok(())
    }

    fn try_node(&mut self, c: &[NodeId], dest: Dest) -> Res {
        let ast = self.ast;
        let (body, catches, finally) = (c[0], &c[1..c.len() - 1], c[c.len() - 1].some());
        if catches.is_empty() && finally.is_none() {
            return self.expr(body, dest);
        }
        // What the body computes must not be visible half-done in a register others read.
        let out = self.alloc()?;
        let exc = self.alloc()?;
        let start = self.here();
        self.expr(body, Dest::Reg(out))?;
        // At least one instruction, so that the range is not empty.
        if self.here() == start {
            self.abc(Op::Move, 0, out, out, 0);
        }
        let end = self.here();
        let mut ends = Label::new();
        if !catches.is_empty() {
            let j = self.jump();
            ends.push(j);
            let target = self.here();
            self.a().d.handlers.push(Handler {
                start: start as u32,
                end: end as u32,
                target: target as u32,
                dst: exc as u32,
            });
            for k in catches {
                let kc = ast.children(*k);
                let mark = self.mark();
                let class = self.operand(kc[0])?;
                let t = self.alloc()?;
                let p = *self.env.prims.get("yin.rt/catches?").ok_or("no primitive")?;
                self.abc(Op::Prim2, 0, t, class, exc);
                self.emit(op::second(p, 0));
                let next = self.emit(op::ai(Op::JIfNot, 0, t, 0));
                self.free_to(mark);
                let scope = self.a().d.locals.len();
                self.declare(kc[1], exc);
                self.expr(kc[2], Dest::Reg(out))?;
                self.end_scope(scope);
                let j = self.jump();
                ends.push(j);
                self.patch(vec![next]);
            }
            self.abc(Op::Throw, 0, exc, 0, 0);
        }
        if let Some(f) = finally {
            let covered = self.here();
            self.patch(std::mem::take(&mut ends));
            self.expr(f, Dest::Ignore)?;
            let j = self.jump();
            let target = self.here();
            self.a().d.handlers.push(Handler {
                start: start as u32,
                end: covered as u32,
                target: target as u32,
                dst: exc as u32,
            });
            self.expr(f, Dest::Ignore)?;
            self.abc(Op::Throw, 0, exc, 0, 0);
            ends.push(j);
        }
        self.patch(ends);
        self.finish(dest, out);
        Ok(())
    }

    fn case(&mut self, id: NodeId, c: &[NodeId], dest: Dest) -> Res {
        let ast = self.ast;
        let Some(Edn::Vector(groups)) = ast.value(id) else { return Err("a case without keys".into()) };
        let keys: Vec<Vec<Edn>> = groups
            .iter()
            .map(|g| match g {
                Edn::Vector(ks) => ks.to_vec(),
                other => vec![other.clone()],
            })
            .collect();
        let direct = |k: &Edn| match k {
            Edn::Nil | Edn::Bool(_) | Edn::Char(_) | Edn::Keyword(_) => true,
            Edn::Int(n) => Value::try_fix(*n).is_some(),
            _ => false,
        };
        let t = self.operand(c[0])?;
        let arm = if dest == Dest::Ignore { Dest::Reg(self.alloc()?) } else { dest };
        let mut ends = Label::new();
        let all_direct = keys.iter().flatten().all(direct);
        if !all_direct || self.long {
            for (ks, branch) in keys.iter().zip(&c[2..]) {
                let mut hits = Label::new();
                for k in ks {
                    let mark = self.mark();
                    let r = self.alloc()?;
                    self.arg(&Arg::Data(k.clone()), r)?;
                    let b = self.alloc()?;
                    let p = *self.env.prims.get("clojure.core/=").ok_or("no primitive")?;
                    self.abc(Op::Prim2, 0, b, t, r);
                    self.emit(op::second(p, 0));
                    let j = self.emit(op::ai(Op::JIf, 0, b, 0));
                    hits.push(j);
                    self.free_to(mark);
                }
                let next = self.jump();
                self.patch(hits);
                self.expr(*branch, arm)?;
                if dest != Dest::Tail {
                    let j = self.jump();
                    ends.push(j);
                }
                self.patch(vec![next]);
            }
            self.expr(c[1], arm)?;
            self.patch(ends);
            return Ok(());
        }
        let k = self.constant(Const::Case(Vec::new()))?;
        self.emit(op::ai(Op::Case, 0, t, k as i32));
        let base = self.here();
        self.expr(c[1], arm)?;
        if dest != Dest::Tail {
            let j = self.jump();
            ends.push(j);
        }
        let mut rows = Vec::new();
        for (i, branch) in c[2..].iter().enumerate() {
            let d = (self.here() - base) as i32;
            rows.extend(keys[i].iter().map(|k| (k.clone(), d)));
            self.expr(*branch, arm)?;
            if dest != Dest::Tail && i + 3 < c.len() {
                let j = self.jump();
                ends.push(j);
            }
        }
        self.a().d.consts[k] = Const::Case(rows);
        self.patch(ends);
        // A path may end at the very last word: give it somewhere to go.
        Ok(())
    }
}

fn imm_fits(o: Op, k: i16) -> bool {
    match o {
        Op::QuotI | Op::RemI => k > 0,
        Op::ShlI | Op::ShrI => (0..60).contains(&k),
        _ => true,
    }
}

/// An argument of a call the compiler makes up.
enum Arg {
    Node(NodeId),
    Nil,
    Data(Edn),
    Var(String),
}
