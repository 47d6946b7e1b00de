//! Installing drafts: verified instruction words, constants as values, call sites as resume records.

use crate::code::{CodeDraft, Const, FnDraft, Handler};
use crate::frame::{Code, FAST_ARITIES, Local, Pc, Proto, code_ref};
use crate::interp::case_hash;
use crate::layout::Kind;
use crate::live::{self, RegSet, Stream};
use crate::machine::Vm;
use crate::op::{self, Flow, Op, Operand};
use crate::value::Value;
use std::sync::atomic::{AtomicI32, AtomicPtr};

/// Most registers of one arity: frames and windows must fit the stack's slack.
pub const MAX_REGS: usize = 4000;

/// Checks a draft: every operand in range, every jump on an instruction, every path ends, nothing read before it is
/// written. O(instructions × registers / 64) per pass.
///
/// # Errors
/// What is wrong and where.
pub fn verify(d: &CodeDraft, n_captures: usize) -> Result<Vec<RegSet>, String> {
    let n_regs = d.n_regs as usize;
    let fail = |pc: usize, what: &str| Err(format!("instruction {pc}: {what}"));
    if n_regs > MAX_REGS {
        return Err(format!("a function needs {n_regs} registers; the limit is {MAX_REGS}"));
    }
    if d.n_params as usize + d.variadic as usize > n_regs {
        return Err("more parameters than registers".into());
    }
    if d.src.len() != d.words.len() {
        return Err("source column has another length than the code".into());
    }
    let mut is_start = vec![false; d.words.len() + 1];
    let mut pc = 0;
    while pc < d.words.len() {
        is_start[pc] = true;
        let Some(_) = Op::of(d.words[pc]) else { return fail(pc, "no such op") };
        pc += op::len(d.words[pc]);
    }
    if pc != d.words.len() || pc == 0 {
        return fail(pc, "the last instruction is cut off");
    }
    let case_targets = |k: usize| match d.consts.get(k) {
        Some(Const::Case(rows)) => rows.iter().map(|r| r.1 as i64).collect(),
        _ => Vec::new(),
    };
    let mut pc = 0;
    while pc < d.words.len() {
        let w = d.words[pc];
        let op = Op::of(w).expect("checked");
        let info = op.info();
        let next = pc + op::len(w);
        let n = op::aux(w) as usize;
        let fields =
            [(info.a, op::a(w), 0), (info.b, if info.wide { op::ui(w) } else { op::b(w) }, 1), (info.c, op::c(w), 2)];
        for (kind, x, _) in fields {
            let ok = match kind {
                Operand::No | Operand::Imm | Operand::Nat | Operand::Jump => true,
                Operand::Def | Operand::Use => x < n_regs,
                Operand::Const => x < d.consts.len(),
                Operand::Site => x < d.sites.len(),
                Operand::Window => x >= 1 && x + n < n_regs,
                Operand::Args => x + n <= n_regs,
                Operand::Capture => x < n_captures,
                Operand::Prim => crate::prim::table::get(x as u16).is_some(),
            };
            if !ok {
                return fail(pc, "operand out of range");
            }
        }
        let mut in_range = true;
        op::registers(&d.words[pc..], |r, _| in_range &= r < n_regs);
        if !in_range {
            return fail(pc, "register out of range");
        }
        let second = d.words.get(pc + 1).copied().unwrap_or(0);
        let constant = if info.wide { d.consts.get(op::ui(w)) } else { d.consts.get(op::c(w)) };
        let right = match op {
            Op::Global | Op::CallVar | Op::TailCallVar => matches!(constant, Some(Const::Var(_))),
            Op::Closure => matches!(constant, Some(Const::Fn(f)) if f.n_captures as usize == n),
            Op::Case => matches!(constant, Some(Const::Case(_))),
            Op::Const | Op::GetKw => matches!(constant, Some(Const::Data(_) | Const::Value(_) | Const::Var(_))),
            Op::Prim2 | Op::Prim3 => crate::prim::table::get(second as u16).is_some(),
            Op::QuotI | Op::RemI => op::sc(w) != 0,
            _ => true,
        };
        if !right {
            return fail(pc, "constant of the wrong sort");
        }
        if let Some(i) = live::site_of(w) {
            let s = &d.sites[i];
            if s.pc as usize != next || s.window as usize != op::a(w) || s.dst as usize >= n_regs {
                return fail(pc, "call site does not describe the call");
            }
        }
        let lands = |t: i64| t >= 0 && (t as usize) < d.words.len() && is_start[t as usize];
        if matches!(info.flow, Flow::Jump | Flow::Branch) && !op::target(&d.words, pc).is_some_and(|t| lands(t as i64))
        {
            return fail(pc, "jump to nowhere");
        }
        if info.flow == Flow::Case && case_targets(op::ui(w)).iter().any(|t| !lands(next as i64 + t)) {
            return fail(pc, "case to nowhere");
        }
        if !matches!(info.flow, Flow::Jump | Flow::End) && next >= d.words.len() {
            return fail(pc, "control runs off the end");
        }
        pc = next;
    }
    for h in &d.handlers {
        let n = d.words.len();
        if h.target as usize >= n || !is_start[h.target as usize] || h.end as usize > n || h.dst as usize >= n_regs {
            return Err("handler out of range".into());
        }
    }
    let site_dst = |i: usize| d.sites[i].dst as usize;
    let live = live::analyse(&Stream {
        words: &d.words,
        handlers: &d.handlers,
        n_regs,
        case_targets: &case_targets,
        site_dst: &site_dst,
    });
    let given = d.n_params as usize + d.variadic as usize;
    match (given..n_regs).find(|&r| live[0].contains(r)) {
        Some(r) => Err(format!("register {r} may be read before it is written")),
        None => Ok(live),
    }
}

impl Vm {
    /// Installs a function and returns its prototype.
    ///
    /// # Errors
    /// The verifier's complaint.
    pub fn install(&mut self, f: &FnDraft) -> Result<*const Proto, String> {
        let name = match &f.name {
            Some(n) => self.symbol(n),
            None => Value::NIL,
        };
        let proto = self.heap.alloc_raw(size_of::<Proto>() / 8) as *mut Proto;
        let all = self.heap.alloc_raw(f.arities.len().max(1)) as *mut *const Code;
        let mut p = Proto {
            entry: std::array::from_fn(|k| {
                AtomicPtr::new(self.stubs.map_or(std::ptr::null_mut(), |s| s.entry[k] as *mut u8))
            }),
            codes: [std::ptr::null(); FAST_ARITIES],
            variadic: std::ptr::null(),
            all: all as *const *const Code,
            n_all: f.arities.len() as u32,
            n_captures: f.n_captures as u32,
            name,
            node: f.node,
            id: 0,
        };
        for (i, d) in f.arities.iter().enumerate() {
            let code = self.install_code(d, f.n_captures as usize, proto)?;
            // SAFETY: `all` has one word an arity.
            unsafe { *all.add(i) = code };
            if d.variadic {
                p.variadic = code;
            } else if (d.n_params as usize) < FAST_ARITIES {
                p.codes[d.n_params as usize] = code;
            }
        }
        // SAFETY: fresh permanent memory of that size.
        unsafe { proto.write(p) };
        Ok(proto)
    }

    /// A closure without captures of an installed function.
    pub fn closure(&mut self, proto: *const Proto) -> Value {
        self.alloc(Kind::Closure, &[Value(proto as u64), Value::NIL])
    }

    fn install_code(&mut self, d: &CodeDraft, n_captures: usize, proto: *const Proto) -> Result<*const Code, String> {
        let live = verify(d, n_captures)?;
        let mut consts = Vec::with_capacity(d.consts.len());
        for c in &d.consts {
            let v = match c {
                Const::Data(e) => self.value_of(e),
                Const::Value(v) => *v,
                Const::Var(name) => self.var(name).into(),
                Const::Fn(f) => Value(self.install(f)? as u64),
                Const::Case(rows) => self.case_table(rows),
            };
            consts.push(v);
        }
        let id = self.codes.len() as u32;
        fn copy<T: Copy>(vm: &mut Vm, xs: &[T]) -> *mut T {
            let p = vm.heap.alloc_raw(std::mem::size_of_val(xs).div_ceil(8).max(1)) as *mut T;
            // SAFETY: fresh permanent memory of at least that size, 8-aligned.
            unsafe { std::ptr::copy_nonoverlapping(xs.as_ptr(), p, xs.len()) };
            p
        }
        let code = self.heap.alloc_raw(size_of::<Code>() / 8) as *mut Code;
        let locals: Vec<Local> = d
            .locals
            .iter()
            .map(|l| Local { name: self.names.intern(&l.name), reg: l.reg as u32, start: l.start, end: l.end })
            .collect();
        let c = Code {
            words: copy(self, &d.words),
            consts: copy(self, &consts),
            sites: std::ptr::null(),
            n_words: d.words.len() as u32,
            n_consts: consts.len() as u32,
            n_sites: d.sites.len() as u32,
            n_handlers: d.handlers.len() as u32,
            handlers: copy::<Handler>(self, &d.handlers),
            src: copy(self, &d.src),
            locals: copy(self, &locals),
            n_locals: locals.len() as u32,
            n_regs: d.n_regs,
            n_params: d.n_params,
            variadic: d.variadic as u8,
            proto,
            native: AtomicPtr::new(if self.always { crate::tier::ASK } else { std::ptr::null_mut() }),
            hot: AtomicI32::new(0),
            id,
        };
        // SAFETY: fresh permanent memory of that size.
        unsafe { code.write(c) };
        self.codes.push(code);
        self.code_words += d.words.len() as u64;
        // Constants may be young: they are roots until they have aged.
        self.young_codes.push(code);
        let uses_self = live::uses_self(&d.words);
        let sites = self.heap.alloc_raw((size_of::<crate::frame::Resume>() / 8 * d.sites.len()).max(1))
            as *mut crate::frame::Resume;
        for (i, s) in d.sites.iter().enumerate() {
            // Calls are one word.
            let after = live::across_call(&live, &d.handlers, s.pc as usize - 1, s.pc as usize);
            let delta = s.window as usize + 1;
            // SAFETY: `pc` is inside the words.
            let pc = Pc(unsafe { code_ref(code).words.add(s.pc as usize) });
            let is_live = |i: usize| if i == 1 { uses_self } else { i - 2 != s.dst as usize && after.contains(i - 2) };
            let r = self.make_record(code, pc, delta, s.dst, 0, is_live);
            // SAFETY: one record a site; moving the record is fine before anything points at it.
            unsafe { std::ptr::copy_nonoverlapping(r, sites.add(i), 1) };
        }
        // SAFETY: nobody runs the code yet.
        unsafe { (*code).sites = sites };
        Ok(code)
    }

    fn case_table(&mut self, rows: &[(datoms::edn::Edn, i32)]) -> Value {
        let size = (rows.len() * 2).next_power_of_two();
        let mut words = vec![Value::ABSENT; 1 + 2 * size];
        words[0] = Value::fix(size as i64 - 1);
        for (k, d) in rows {
            let k = self.value_of(k);
            let mut i = case_hash(k) & (size - 1);
            while words[1 + 2 * i] != Value::ABSENT {
                i = (i + 1) & (size - 1);
            }
            words[1 + 2 * i] = k;
            words[2 + 2 * i] = Value::fix(*d as i64);
        }
        self.alloc(Kind::Array, &words)
    }
}
