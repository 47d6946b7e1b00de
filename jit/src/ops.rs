//! Each instruction as machine code: which is what, moves, jumps, calls. `arith` has numbers, `data` arrays and collections.

use crate::abi::{self, REG_ARGS};
use crate::arith::Opd;
use crate::piece::{Piece, code_at, mem};
use crate::state::{Ty, Word};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::I64;
use cranelift_codegen::ir::{InstBuilder, Value};
use yin_vm::frame::{Code, FAST_ARITIES, Proto};
use yin_vm::layout::{FRAME_HEADER, Kind, slot, var_flag};
use yin_vm::op::{self, Op, saw};
use yin_vm::tier::{Why, helper, proto_called};
use yin_vm::value::Value as Word64;

/// Address of a helper of the machine.
macro_rules! h {
    ($f:ident) => {
        helper::$f as *const () as u64
    };
}
pub(crate) use h;

/// Largest function that is inlined, in words.
const INLINE_WORDS: usize = 40;

impl Piece<'_, '_, '_> {
    /// Translates the instruction at `self.pc`. False: the block is over.
    pub fn instruction(&mut self, op: Op, w: op::Word) -> bool {
        let (a, b, c) = (self.slot(op::a(w)), self.slot(op::b(w)), self.slot(op::c(w)));
        match op {
            Op::Move => {
                self.copy(a, b);
            }
            Op::Const => self.constant(a, op::ui(w)),
            Op::Int => self.define_known(a, op::si(w)),
            Op::Imm => {
                let v = self.iconst(op::ui(w) as i64);
                self.define(a, Ty::Any, v);
            }
            Op::Capture => {
                let me = self.tagged(self.slot(0) - 1);
                let v = self.payload(me, slot::CLOSURE_CAPTURES + op::b(w));
                self.define(a, Ty::Any, v);
            }
            Op::Myself => {
                let me = self.tagged(self.slot(0) - 1);
                self.define(a, Ty::Any, me);
            }
            Op::Global => {
                let v = self.root(op::ui(w));
                self.define(a, Ty::Any, v);
            }
            Op::Jmp => {
                self.jump(op::si(w));
                return false;
            }
            Op::JIf | Op::JIfNot => {
                let truthy = self.truthy(a);
                return self.branch(truthy, op::si(w), op == Op::JIf);
            }
            Op::JNil | Op::JNotNil => {
                let nil = match self.ty(a) {
                    Ty::Any => {
                        let v = self.tagged(a);
                        self.b.ins().icmp_imm_s(IntCC::Equal, v, 4)
                    }
                    _ => self.iconst(0),
                };
                return self.branch(nil, op::si(w), op == Op::JNil);
            }
            Op::JNLt | Op::JNLe | Op::JNGt | Op::JNGe | Op::JNNum => {
                let holds = self.compare(op, w, Opd::Reg(a), Opd::Reg(b));
                return self.branch_on(holds, op::sc(w), false, Some((op, Opd::Reg(a), Opd::Reg(b))));
            }
            Op::JNLtI | Op::JNLeI | Op::JNGtI | Op::JNGeI | Op::JNNumI => {
                let (x, y) = (Opd::Reg(a), Opd::Imm(op::sb(w)));
                let holds = self.compare(op, w, x, y);
                return self.branch_on(holds, op::sc(w), false, Some((op, x, y)));
            }
            Op::JNEq => {
                let eq = self.equal(a, b);
                return self.branch(eq, op::sc(w), false);
            }
            Op::JNSame => {
                let (x, y) = (self.tagged(a), self.tagged(b));
                let same = self.b.ins().icmp(IntCC::Equal, x, y);
                return self.branch(same, op::sc(w), false);
            }
            Op::Case => {
                self.case(a, op::ui(w));
                return false;
            }
            Op::Poll => {
                let target = (self.pc as i64 + 1 + op::si(w)) as usize;
                self.safe_point(target, false);
                let cx = self.cx;
                self.edge(cx, target);
                return false;
            }
            Op::Ret => {
                self.ret(a);
                return false;
            }
            Op::Throw => {
                let (cx, pc) = (self.cx, self.pc);
                self.exit(Why::Cold, cx, pc, 0);
                return false;
            }
            Op::Call => {
                self.call_value(w);
                return false;
            }
            Op::CallVar => {
                self.call_var(w);
                return false;
            }
            Op::CallSelf => {
                self.call_self(w);
                return false;
            }
            Op::TailCall => {
                let f = self.tagged(a);
                self.tail_call(w, f, None);
                return false;
            }
            Op::TailCallVar => {
                let argc = op::aux(w) as usize;
                if let Some(id) = self.known_primitive(op::c(w), argc) {
                    self.primitive_of_window(a, id, a + 1, argc);
                    self.ret(a);
                    return false;
                }
                let known = self.known_function(op::c(w), argc);
                let f = self.root(op::c(w));
                self.tail_call(w, f, known.map(|k| k.0));
                return false;
            }
            Op::Prim1 => {
                let v = self.tagged(b);
                self.primitive(a, op::c(w) as u16, &[v]);
            }
            Op::Prim2 | Op::Prim3 => {
                let second = self.code().words()[self.pc + 1];
                let mut args = vec![self.tagged(b), self.tagged(c)];
                if op == Op::Prim3 {
                    let d = self.slot((second >> 16) as u16 as usize);
                    args.push(self.tagged(d));
                }
                self.primitive(a, second as u16, &args);
            }
            Op::PrimN => {
                self.primitive_of_window(a, op::c(w) as u16, b, op::aux(w) as usize);
            }
            Op::Add | Op::Sub | Op::Mul => self.arithmetic(op, w, a, Opd::Reg(b), Opd::Reg(c)),
            Op::AddI => self.arithmetic(Op::Add, w, a, Opd::Reg(b), Opd::Imm(op::sc(w))),
            Op::MulI => self.arithmetic(Op::Mul, w, a, Opd::Reg(b), Opd::Imm(op::sc(w))),
            Op::Div => self.divide(w, a, b, c),
            Op::Quot | Op::Rem | Op::Mod => self.division(op, w, a, Opd::Reg(b), Opd::Reg(c)),
            Op::QuotI => self.division(Op::Quot, w, a, Opd::Reg(b), Opd::Imm(op::sc(w))),
            Op::RemI => self.division(Op::Rem, w, a, Opd::Reg(b), Opd::Imm(op::sc(w))),
            Op::And | Op::Or | Op::Xor => self.bits(op, a, Opd::Reg(b), Opd::Reg(c)),
            Op::AndI => self.bits(Op::And, a, Opd::Reg(b), Opd::Imm(op::sc(w))),
            Op::Shl | Op::Shr | Op::UShr => self.shift(op, a, Opd::Reg(b), Opd::Reg(c)),
            Op::ShlI => self.shift(Op::Shl, a, Opd::Reg(b), Opd::Imm(op::sc(w))),
            Op::ShrI => self.shift(Op::Shr, a, Opd::Reg(b), Opd::Imm(op::sc(w))),
            Op::ToDouble => self.as_double(a, b),
            Op::ToLong => match self.ty(b) {
                Ty::Fix | Ty::I64 => {
                    self.copy(a, b);
                }
                Ty::F64 => self.truncate(a, b),
                _ if self.seen() & (saw::DOUBLE | saw::OTHER) as u16 != 0 => self.helper1(a, h!(to_long), b),
                _ => {
                    let v = self.fix(b);
                    self.define(a, Ty::Fix, v);
                }
            },
            Op::Lt | Op::Le | Op::Gt | Op::Ge | Op::NumEq => {
                let holds = self.compare(op, w, Opd::Reg(b), Opd::Reg(c));
                self.boolean(a, holds);
            }
            Op::Eq => {
                let eq = self.equal(b, c);
                self.boolean(a, eq);
            }
            Op::Same => {
                let (x, y) = (self.tagged(b), self.tagged(c));
                let same = self.b.ins().icmp(IntCC::Equal, x, y);
                self.boolean(a, same);
            }
            Op::Not => {
                let t = self.truthy(b);
                let f = self.b.ins().icmp_imm_s(IntCC::Equal, t, 0);
                self.boolean(a, f);
            }
            Op::IsNil => {
                let v = self.tagged(b);
                let nil = self.b.ins().icmp_imm_s(IntCC::Equal, v, 4);
                self.boolean(a, nil);
            }
            Op::GetKw => self.get_keyword(w, a, b),
            Op::Get => self.helper2(a, h!(get), b, c),
            Op::Nth => self.nth(a, b, c),
            Op::First => self.by_kind(a, b, &[Kind::List, Kind::Cons], |p, v| p.payload(v, 0), h!(first)),
            // The rest of a list is a list.
            Op::Rest => self.by_kind(a, b, &[Kind::List], |p, v| p.payload(v, 1), h!(rest)),
            Op::NextSeq => self.next_seq(a, b),
            Op::Seq => self.by_kind(a, b, &[Kind::List, Kind::Cons], |_, v| v, h!(seq)),
            Op::Count => self.helper1(a, h!(count), b),
            Op::Cons => self.cons(a, b, c),
            Op::Conj => self.helper2(a, h!(conj), b, c),
            Op::Assoc => {
                let d = self.slot((self.code().words()[self.pc + 1] >> 16) as u16 as usize);
                let (m, k, x) = (self.tagged(b), self.tagged(c), self.tagged(d));
                let v = self.call_checked(h!(assoc), &[m, k, x]);
                self.define(a, Ty::Any, v);
            }
            Op::AGet => self.array_get(w, a, b, c),
            Op::ASet => self.array_set(w, a, b, c),
            Op::Deref => self.by_kind(a, b, &[Kind::Atom, Kind::Volatile], |p, v| p.payload(v, 0), h!(deref)),
            Op::Vector => {
                let n = op::aux(w) as usize;
                let p = self.args_in_frame(b, n);
                let n = self.iconst(n as i64);
                let v = self.call(h!(vector), &[p, n]);
                self.define(a, Ty::Any, v);
            }
            Op::MakeBox => {
                let x = self.tagged(b);
                let v = self.allocate(Kind::Box, &[x], |p| p.call(h!(make_box), &[x]));
                self.define(a, Ty::Any, v);
            }
            Op::GetBox => {
                let o = self.tagged(b);
                let v = self.payload(o, 0);
                self.define(a, Ty::Any, v);
            }
            Op::SetBox => {
                let (o, x, i) = (self.tagged(a), self.tagged(b), self.iconst(0));
                self.call(h!(write), &[o, i, x]);
            }
            Op::Tie => {
                let i = self.iconst((slot::CLOSURE_CAPTURES + op::b(w)) as i64);
                let (o, x) = (self.tagged(a), self.tagged(c));
                self.call(h!(write), &[o, i, x]);
            }
            Op::Closure if op::aux(w) <= 8 => {
                let n = op::aux(w) as usize;
                let words = self.code().words();
                let captures: Vec<Value> = (0..n)
                    .map(|i| self.tagged(self.slot(op::capture_reg(&words[self.pc + 1..], i) as usize)))
                    .collect();
                let proto = self.iconst(self.code().consts()[op::ui(w)].bits() as i64);
                let nil = self.iconst(Word64::NIL.bits() as i64);
                let all: Vec<Value> = [proto, nil].into_iter().chain(captures.iter().copied()).collect();
                let v = self.allocate(Kind::Closure, &all, |p| {
                    let vm = p.vm();
                    for (i, v) in captures.iter().enumerate() {
                        p.b.ins().store(mem(), *v, vm, yin_vm::tier::offset::ARGS + 8 * i as i32);
                    }
                    let n = p.iconst(n as i64);
                    p.call(h!(closure), &[proto, n])
                });
                self.define(a, Ty::Any, v);
            }
            Op::Field => self.record_field(a, b, op::c(w)),
            Op::Closure | Op::SetField => self.step(w),
        }
        true
    }

    fn operand(&mut self, i: usize) -> (Ty, Value) {
        match self.ty(i) {
            Ty::F64 => (Ty::F64, self.double(i)),
            Ty::I64 => (Ty::I64, self.int(i)),
            ty => (ty, self.tagged(i)),
        }
    }
    /// Word `a` becomes what `b` is.
    fn copy(&mut self, a: usize, b: usize) {
        let (ty, v) = self.operand(b);
        let (lo, hi) = self.range(b);
        let length = ty.is_array().then(|| self.array_length(b));
        self.define(a, ty, v);
        self.set_range(a, lo, hi);
        if let Some(n) = length {
            self.same_array(a, n);
        }
    }
    fn boolean(&mut self, i: usize, cond: Value) {
        let wide = if self.b.func.dfg.value_type(cond) == I64 { cond } else { self.b.ins().uextend(I64, cond) };
        let shifted = self.b.ins().ishl_imm_u(wide, 8);
        let v = self.b.ins().iadd_imm_s(shifted, 0x104);
        self.define(i, Ty::Bool, v);
    }
    fn truthy(&mut self, i: usize) -> Value {
        match self.ty(i) {
            Ty::Any => {
                let v = self.tagged(i);
                let x = self.b.ins().band_imm_s(v, !0x100);
                self.b.ins().icmp_imm_s(IntCC::NotEqual, x, 4)
            }
            Ty::Bool => {
                let v = self.tagged(i);
                self.b.ins().icmp_imm_s(IntCC::Equal, v, 0x204)
            }
            _ => self.iconst(1),
        }
    }
    fn constant(&mut self, a: usize, k: usize) {
        let v = self.code().consts()[k];
        if let Some(n) = v.as_fix() {
            self.define_known(a, n);
        } else if v.is_inline_f64() {
            let f = self.b.ins().f64const(v.f64_get());
            self.define(a, Ty::F64, f);
        } else if v.is_ref() {
            let v = self.constant_word(k);
            self.define(a, Ty::Any, v);
        } else {
            let v = self.iconst(v.bits() as i64);
            self.define(a, Ty::Any, v);
        }
    }
    /// Constant `k`, read from the code's table: the collector may move what it refers to.
    fn constant_word(&mut self, k: usize) -> Value {
        let p = self.iconst(self.code().consts().as_ptr() as i64);
        self.b.ins().load(I64, mem(), p, 8 * k as i32)
    }
    /// Root of the var that is constant `k`; leaves if it is unbound.
    fn root(&mut self, k: usize) -> Value {
        let var = self.code().consts()[k];
        let p = self.iconst(var.bits() as i64);
        let v = self.payload(p, slot::VAR_ROOT);
        // A root that is relied on is bound.
        if !self.env.vars.contains(&var.bits()) {
            let ok = self.b.ins().icmp_imm_u(IntCC::NotEqual, v, Word64::UNBOUND.bits() as i64);
            self.guard(ok);
        }
        v
    }

    // ---- jumps
    fn jump(&mut self, d: i64) {
        let t = (self.pc as i64 + 1 + d) as usize;
        let cx = self.cx;
        self.edge(cx, t)
    }
    /// Ends the block: to the jump's target if `cond` is `when`, else to the next instruction.
    fn branch(&mut self, cond: Value, d: i64, when: bool) -> bool {
        self.branch_on(cond, d, when, None)
    }
    /// The same; where `cond` says how two operands compare, both ways know.
    fn branch_on(&mut self, cond: Value, d: i64, when: bool, says: Option<(Op, Opd, Opd)>) -> bool {
        let (jump, next) = (self.b.create_block(), self.b.create_block());
        if when {
            self.b.ins().brif(cond, jump, &[], next, &[]);
        } else {
            self.b.ins().brif(cond, next, &[], jump, &[]);
        }
        let (cx, pc, st) = (self.cx, self.pc, self.st.clone());
        let following = pc + op::len(self.code().words()[pc]);
        self.b.switch_to_block(jump);
        self.learn(says, when);
        self.edge(cx, (pc as i64 + 1 + d) as usize);
        (self.cx, self.pc, self.st) = (cx, pc, st);
        self.b.switch_to_block(next);
        self.learn(says, !when);
        self.edge(cx, following);
        false
    }
    /// Bounds that follow from a comparison that held or not.
    fn learn(&mut self, says: Option<(Op, Opd, Opd)>, held: bool) {
        let Some((op, x, y)) = says else { return };
        let int = |t: Ty| matches!(t, Ty::Fix | Ty::I64);
        if !int(self.opd_ty(x)) || !int(self.opd_ty(y)) {
            return;
        }
        // As `x < y`, `x <= y` or `x = y`.
        let (x, y, strict) = match (op, held) {
            (Op::JNLt | Op::JNLtI, true) | (Op::JNGe | Op::JNGeI, false) => (x, y, true),
            (Op::JNLe | Op::JNLeI, true) | (Op::JNGt | Op::JNGtI, false) => (x, y, false),
            (Op::JNGt | Op::JNGtI, true) | (Op::JNLe | Op::JNLeI, false) => (y, x, true),
            (Op::JNGe | Op::JNGeI, true) | (Op::JNLt | Op::JNLtI, false) => (y, x, false),
            (Op::JNNum | Op::JNNumI, true) => {
                let ((a, b), (c, d)) = (self.opd_range(x), self.opd_range(y));
                for o in [x, y] {
                    if let Opd::Reg(i) = o {
                        self.set_range(i, a.max(c), b.min(d));
                    }
                }
                return;
            }
            _ => return,
        };
        let ((lo, _), (_, hi)) = (self.opd_range(x), self.opd_range(y));
        if let Opd::Reg(i) = x {
            self.set_range(i, i64::MIN, hi.saturating_sub(strict as i64));
        }
        if let Opd::Reg(i) = y {
            self.set_range(i, lo.saturating_add(strict as i64), i64::MAX);
        }
    }
    fn case(&mut self, a: usize, k: usize) {
        let table = self.code().consts()[k].obj().expect("a case table").words();
        let key = self.tagged(a);
        let (cx, pc, st) = (self.cx, self.pc, self.st.clone());
        for row in table[1..].chunks(2).filter(|r| r[0] != Word64::ABSENT) {
            let (hit, on) = (self.b.create_block(), self.b.create_block());
            let want = self.iconst(row[0].bits() as i64);
            let same = self.b.ins().icmp(IntCC::Equal, key, want);
            self.b.ins().brif(same, hit, &[], on, &[]);
            self.b.switch_to_block(hit);
            self.edge(cx, (pc as i64 + 1 + row[1].fix_get()) as usize);
            (self.cx, self.pc, self.st) = (cx, pc, st.clone());
            self.b.switch_to_block(on);
        }
        self.edge(cx, pc + 1)
    }

    // ---- calls
    fn ret(&mut self, a: usize) {
        let cx = self.cx;
        match self.ctxs[cx].parent {
            None => {
                let v = self.tagged(a);
                let r = self.b.ins().load(I64, mem(), self.fp, 0);
                let target = self.b.ins().load(I64, mem(), r, yin_vm::tier::offset::RESUME_CODE);
                let fp = self.fp;
                self.tail(target, &[fp, v])
            }
            Some((p, _, record)) => {
                let r = yin_vm::tier::resume_of(record);
                let dst = self.ctxs[p].base + FRAME_HEADER + r.dst as usize;
                self.copy(dst, a);
                self.drop_frame(cx);
                self.cx = p;
                let next = self.code().index(r.pc);
                self.pc = next;
                self.edge(p, next)
            }
        }
    }

    /// The function that the var constant `k` holds and its code for `argc` arguments, relied on from now on.
    fn known_function(&mut self, k: usize, argc: usize) -> Option<(*const Proto, *const Code)> {
        let var = self.code().consts()[k].obj().expect("a var");
        if var.get(slot::VAR_FLAGS).fix_get() & var_flag::DYNAMIC != 0 {
            return None;
        }
        let (proto, code) = proto_called(var.get(slot::VAR_ROOT), argc)?;
        self.env.vars.insert(self.code().consts()[k].bits());
        Some((proto, code))
    }

    fn call_var(&mut self, w: op::Word) {
        let argc = op::aux(w) as usize;
        let known = self.known_function(op::c(w), argc);
        let callee = self.slot(op::a(w));
        if let Some((_, code)) = known
            && let Some(cx) = self.may_inline(code, w)
        {
            if self.ctxs[cx].shape.uses_self {
                let f = self.root(op::c(w));
                self.define(callee, Ty::Any, f);
            }
            return self.edge(cx, 0);
        }
        if let Some(id) = self.known_primitive(op::c(w), argc) {
            let r = &self.code().sites()[op::b(w)];
            let (dst, next) = (self.slot(r.dst as usize), self.code().index(r.pc));
            self.primitive_of_window(dst, id, callee + 1, argc);
            let cx = self.cx;
            return self.edge(cx, next);
        }
        let f = self.root(op::c(w));
        self.suspend_and_call(w, f, known.map(|k| k.0));
    }
    /// The primitive that the var constant `k` holds, if it may be called with `argc` arguments and returns to its caller;
    /// relied on from now on.
    fn known_primitive(&mut self, k: usize, argc: usize) -> Option<u16> {
        let var = self.code().consts()[k].obj().expect("a var");
        if self.env.metered || var.get(slot::VAR_FLAGS).fix_get() & var_flag::DYNAMIC != 0 {
            return None;
        }
        let id = var.get(slot::VAR_ROOT).as_kind(Kind::PrimFn)?.aux();
        let def = yin_vm::prim::table::get(id)?;
        let fits =
            argc >= def.min_args as usize && (def.max_args == yin_vm::prim::MANY || argc <= def.max_args as usize);
        if !fits || def.flags & yin_vm::prim::VMOP != 0 {
            return None;
        }
        self.env.vars.insert(self.code().consts()[k].bits());
        Some(id)
    }
    /// Word `a` becomes what primitive `id` makes of `n` words from `first` on.
    fn primitive_of_window(&mut self, a: usize, id: u16, first: usize, n: usize) {
        if n <= 4 {
            let args: Vec<Value> = (0..n).map(|i| self.tagged(first + i)).collect();
            return self.primitive(a, id, &args);
        }
        let p = self.args_in_frame(first, n);
        let (id, n) = (self.iconst(id as i64), self.iconst(n as i64));
        let v = self.call_checked(h!(prim_n), &[id, p, n]);
        self.define(a, Ty::Any, v);
    }
    fn call_self(&mut self, w: op::Word) {
        let code = self.code();
        let me = self.slot(0) - 1;
        if op::aux(w) as usize == code.n_params as usize && code.variadic == 0 {
            if let Some(cx) = self.may_inline(code, w) {
                let f = self.tagged(me);
                let callee = self.slot(op::a(w));
                self.define(callee, Ty::Any, f);
                return self.edge(cx, 0);
            }
            let f = self.tagged(me);
            return self.suspend_and_call(w, f, Some(code.proto));
        }
        let f = self.tagged(me);
        self.suspend_and_call(w, f, None);
    }
    fn call_value(&mut self, w: op::Word) {
        let f = self.tagged(self.slot(op::a(w)));
        self.suspend_and_call(w, f, None);
    }

    /// The inlined frame for a call of `code`, if it is worth it.
    fn may_inline(&mut self, code: *const Code, w: op::Word) -> Option<usize> {
        let (cx, pc) = (self.cx, self.pc);
        if let Some(c) = self.inlined_at(cx, pc) {
            return Some(c);
        }
        if self.env.metered || self.env.plain || self.env.n_inlined >= 16 {
            return None;
        }
        let c = code_at(code);
        let (depth, same) = self.depth(cx, code);
        if c.words().len() > INLINE_WORDS
            || c.variadic != 0
            || !c.handlers().is_empty()
            || depth >= 3
            || same >= 2
            || c.n_params as usize != op::aux(w) as usize
        {
            return None;
        }
        let record: *const yin_vm::frame::Resume = &self.code().sites()[op::b(w)];
        let shape = crate::flow::shape(c);
        if !shape.loops.is_empty() || shape.n_calls > 2 {
            return None;
        }
        if shape.n_calls > 0 {
            self.env.wanted.insert(code as usize);
        }
        Some(self.inline(cx, pc, code, op::a(w), record))
    }

    /// Ends the piece with a call; the record at the site leads to what follows it.
    fn suspend_and_call(&mut self, w: op::Word, f: Value, known: Option<*const Proto>) {
        let argc = op::aux(w) as usize;
        let record = &self.code().sites()[op::b(w)];
        self.flush_call(record);
        let window = self.slot(op::a(w));
        let args: Vec<Value> = (0..argc).map(|i| self.tagged(window + 1 + i)).collect();
        let base = window - 1;
        let r = self.iconst(record as *const _ as i64);
        self.b.ins().store(mem(), r, self.fp, 8 * base as i32);
        self.enter_callee(base, f, &args, known);
    }
    fn tail_call(&mut self, w: op::Word, f: Value, known: Option<*const Proto>) {
        let argc = op::aux(w) as usize;
        let window = self.slot(op::a(w));
        let args: Vec<Value> = (0..argc).map(|i| self.tagged(window + 1 + i)).collect();
        let (cx, base) = (self.cx, self.ctxs[self.cx].base);
        self.flush(cx, |p, i| i <= base && p.matters(cx, p.pc, i));
        self.enter_callee(base, f, &args, known);
    }
    /// Jumps to a function whose frame is at `base`; its header is there already.
    fn enter_callee(&mut self, base: usize, f: Value, args: &[Value], known: Option<*const Proto>) {
        let argc = args.len();
        let nfp = self.frame(base);
        for (i, v) in args.iter().enumerate().skip(REG_ARGS) {
            self.b.ins().store(mem(), *v, self.fp, 8 * (base + FRAME_HEADER + i) as i32);
        }
        if argc >= FAST_ARITIES {
            for (i, v) in args.iter().enumerate().take(REG_ARGS) {
                self.b.ins().store(mem(), *v, self.fp, 8 * (base + FRAME_HEADER + i) as i32);
            }
            self.b.ins().store(mem(), f, self.fp, 8 * (base + 1) as i32);
            let n = self.iconst(argc as i64);
            let stub = self.iconst(self.env.side_exit as i64);
            return self.tail(stub, &[nfp, n]);
        }
        let target = match known {
            Some(proto) => {
                let p = self.iconst(proto as i64);
                self.entry_of(p, argc)
            }
            None => self.fast_or(
                |p, way| {
                    p.need_kind(f, &[Kind::Closure], way);
                    let proto = p.payload(f, slot::CLOSURE_PROTO);
                    p.entry_of(proto, argc)
                },
                |p| p.interpreter_entry(argc),
            ),
        };
        let mut all = vec![nfp, f];
        all.extend(args.iter().take(REG_ARGS));
        self.tail(target, &all);
    }

    // ---- primitives and helpers
    fn primitive(&mut self, a: usize, id: u16, args: &[Value]) {
        let f = [h!(prim0), h!(prim1), h!(prim2), h!(prim3), h!(prim4)][args.len()];
        let mut all = vec![self.iconst(id as i64)];
        all.extend(args);
        let v = self.call_checked(f, &all);
        self.define(a, Ty::Any, v);
    }
    /// Address of `n` words from `first` on, which are put into the frame.
    fn args_in_frame(&mut self, first: usize, n: usize) -> Value {
        for i in first..first + n {
            let v = self.tagged(i);
            self.b.ins().store(mem(), v, self.fp, 8 * i as i32);
            let w = self.st.get(i).unwrap_or(Word::MEMORY);
            self.st.set(i, Word { clean: true, ..w });
        }
        self.frame(first)
    }
    pub fn helper1(&mut self, a: usize, f: u64, b: usize) {
        let x = self.tagged(b);
        let v = self.call_checked(f, &[x]);
        self.define(a, Ty::Any, v);
    }
    pub fn helper2(&mut self, a: usize, f: u64, b: usize, c: usize) {
        let (x, y) = (self.tagged(b), self.tagged(c));
        let v = self.call_checked(f, &[x, y]);
        self.define(a, Ty::Any, v);
    }
    /// One instruction in the interpreter.
    fn step(&mut self, w: op::Word) {
        let (cx, pc) = (self.cx, self.pc);
        self.flush(cx, |p, i| p.matters(cx, pc, i));
        let base = self.ctxs[cx].base;
        let fp = self.frame(base);
        let code = self.iconst(self.ctxs[cx].code as i64);
        let at = self.iconst(&self.code().words()[pc] as *const op::Word as i64);
        let left = self.call(h!(step), &[fp, code, at]);
        let (out, on) = (self.b.create_block(), self.b.create_block());
        self.b.set_cold_block(out);
        self.b.ins().brif(left, out, &[], on, &[]);
        self.b.switch_to_block(out);
        let stub = self.iconst(abi::leave as *const () as i64);
        self.tail(stub, &[fp]);
        self.b.switch_to_block(on);
        op::registers(&self.code().words()[pc..], |r, def| {
            if def {
                let i = self.slot(r);
                self.st.set(i, Word::MEMORY);
            }
        });
        let _ = w;
    }
}
