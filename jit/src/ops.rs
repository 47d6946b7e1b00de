//! Each instruction as machine code.

use crate::abi::{self, REG_ARGS};
use crate::piece::{Piece, code_at, mem};
use crate::state::{Ty, Word};
use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::types::{F64, I64};
use cranelift_codegen::ir::{BlockArg, InstBuilder, InstructionData, Opcode, Value, ValueDef};
use yin_vm::frame::{Code, FAST_ARITIES, Proto};
use yin_vm::layout::{FRAME_HEADER, Kind, slot, var_flag};
use yin_vm::op::{self, Op, mode, saw};
use yin_vm::tier::{Why, helper, proto_called};
use yin_vm::value::{FIX_MAX, FIX_MIN, Value as Word64};

/// An operand of arithmetic.
#[derive(Clone, Copy)]
enum Opd {
    /// Frame word.
    Reg(usize),
    Imm(i64),
}

/// How arithmetic on two operands is done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Plan {
    /// On tagged fixnums; leaving 61 bits is an exit.
    Fix,
    /// On raw integers; leaving 64 bits is an exit.
    Wide,
    Double,
    /// Fixnums at once, everything else through the helper.
    Poly,
}

macro_rules! h {
    ($f:ident) => {
        helper::$f as *const () as u64
    };
}

/// Bounds of a sum, difference or product.
fn result_range(op: Op, (a, b): (i64, i64), (c, d): (i64, i64)) -> (i128, i128) {
    let (a, b, c, d) = (a as i128, b as i128, c as i128, d as i128);
    match op {
        Op::Add => (a + c, b + d),
        Op::Sub => (a - d, b - c),
        _ => {
            let all = [a * c, a * d, b * c, b * d];
            (all.into_iter().min().expect("four"), all.into_iter().max().expect("four"))
        }
    }
}
fn clamp(n: i128) -> i64 {
    n.clamp(i64::MIN as i128, i64::MAX as i128) as i64
}

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
            Op::Div => {
                if self.plan(w, Opd::Reg(b), Opd::Reg(c)) == Plan::Double
                    && (self.ty(b) == Ty::F64 || self.ty(c) == Ty::F64 || op::aux(w) & mode::SAW_DOUBLE != 0)
                {
                    let (x, y) = (self.double(b), self.double(c));
                    let r = self.b.ins().fdiv(x, y);
                    self.define(a, Ty::F64, r);
                } else {
                    self.helper2(a, h!(div), b, c);
                }
            }
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
            None => {
                let (maybe, yes, done) = (self.b.create_block(), self.b.create_block(), self.b.create_block());
                let out = self.merge_param(done, I64);
                let stub = self.interpreter_entry(argc);
                let is_ref = self.is_ref(f);
                self.b.ins().brif(is_ref, maybe, &[], done, &[BlockArg::Value(stub)]);
                self.b.switch_to_block(maybe);
                let h = self.header(f);
                let kind = self.b.ins().band_imm_u(h, 0xFF);
                let closure = self.b.ins().icmp_imm_u(IntCC::Equal, kind, Kind::Closure as i64);
                self.b.ins().brif(closure, yes, &[], done, &[BlockArg::Value(stub)]);
                self.b.switch_to_block(yes);
                let proto = self.payload(f, slot::CLOSURE_PROTO);
                let entry = self.entry_of(proto, argc);
                self.b.ins().jump(done, &[BlockArg::Value(entry)]);
                self.b.switch_to_block(done);
                out
            }
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
    fn helper1(&mut self, a: usize, f: u64, b: usize) {
        let x = self.tagged(b);
        let v = self.call_checked(f, &[x]);
        self.define(a, Ty::Any, v);
    }
    fn helper2(&mut self, a: usize, f: u64, b: usize, c: usize) {
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

    /// `fast` of an object of one of the kinds, else the helper.
    fn by_kind(&mut self, a: usize, b: usize, kinds: &[Kind], fast: impl Fn(&mut Self, Value) -> Value, slow: u64) {
        let v = self.tagged(b);
        let (maybe, other, done) = (self.b.create_block(), self.b.create_block(), self.b.create_block());
        let out = self.merge_param(done, I64);
        let is_ref = self.is_ref(v);
        self.b.ins().brif(is_ref, maybe, &[], other, &[]);
        self.b.switch_to_block(maybe);
        let h = self.header(v);
        let kind = self.b.ins().band_imm_u(h, 0xFF);
        for k in kinds {
            let (yes, no) = (self.b.create_block(), self.b.create_block());
            let is = self.b.ins().icmp_imm_u(IntCC::Equal, kind, *k as i64);
            self.b.ins().brif(is, yes, &[], no, &[]);
            self.b.switch_to_block(yes);
            let r = fast(self, v);
            self.b.ins().jump(done, &[BlockArg::Value(r)]);
            self.b.switch_to_block(no);
        }
        self.b.ins().jump(other, &[]);
        self.b.switch_to_block(other);
        let r = self.call_checked(slow, &[v]);
        self.b.ins().jump(done, &[BlockArg::Value(r)]);
        self.b.switch_to_block(done);
        self.define(a, Ty::Any, out);
    }

    // ---- arithmetic
    fn opd_ty(&self, x: Opd) -> Ty {
        match x {
            Opd::Reg(i) => self.ty(i),
            Opd::Imm(_) => Ty::Fix,
        }
    }
    fn opd_range(&self, x: Opd) -> (i64, i64) {
        match x {
            Opd::Reg(i) => self.range(i),
            Opd::Imm(n) => (n, n),
        }
    }
    fn opd_known(&self, x: Opd) -> Option<i64> {
        match x {
            Opd::Reg(i) => self.known(i),
            Opd::Imm(n) => Some(n),
        }
    }
    fn opd_fix(&mut self, x: Opd) -> Value {
        match x {
            Opd::Reg(i) => self.fix(i),
            Opd::Imm(n) => self.iconst(n << 3),
        }
    }
    fn opd_int(&mut self, x: Opd) -> Value {
        match x {
            Opd::Reg(i) => self.int(i),
            Opd::Imm(n) => self.iconst(n),
        }
    }
    fn opd_double(&mut self, x: Opd) -> Value {
        match x {
            Opd::Reg(i) => self.double(i),
            Opd::Imm(n) => self.b.ins().f64const(n as f64),
        }
    }
    fn opd_tagged(&mut self, x: Opd) -> Value {
        match x {
            Opd::Reg(i) => self.tagged(i),
            Opd::Imm(n) => self.iconst(n << 3),
        }
    }

    /// How to do arithmetic or a comparison, from the types known, the interpreter's notes and what failed guards saw.
    fn plan(&self, w: op::Word, x: Opd, y: Opd) -> Plan {
        let seen = self.seen() as u8;
        let (tx, ty) = (self.opd_ty(x), self.opd_ty(y));
        let int = |t: Ty| matches!(t, Ty::Fix | Ty::I64);
        if seen & saw::OTHER != 0 || self.env.plain && !(int(tx) && int(ty) || tx == Ty::F64 && ty == Ty::F64) {
            return Plan::Poly;
        }
        if tx == Ty::F64 || ty == Ty::F64 {
            return Plan::Double;
        }
        if int(tx) && int(ty) {
            return match (tx, ty) {
                _ if self.env.plain => Plan::Poly,
                (Ty::Fix, Ty::Fix) if seen & saw::FIX == 0 => Plan::Fix,
                _ => Plan::Wide,
            };
        }
        let doubles = seen & saw::DOUBLE != 0 || op::aux(w) & mode::SAW_DOUBLE != 0;
        let fixes = seen & saw::FIX != 0;
        match (doubles, fixes) {
            (true, false) => Plan::Double,
            (true, true) => Plan::Poly,
            _ if op::aux(w) & mode::SAW_OTHER != 0 => Plan::Poly,
            (false, true) => Plan::Wide,
            (false, false) => Plan::Fix,
        }
    }

    fn arithmetic(&mut self, op: Op, w: op::Word, a: usize, x: Opd, y: Opd) {
        let m = op::aux(w) & mode::MASK;
        match self.plan(w, x, y) {
            Plan::Fix if m != mode::WRAP => {
                let (p, q) = (self.opd_fix(x), self.opd_fix(y));
                let (lo, hi) = result_range(op, self.opd_range(x), self.opd_range(y));
                if lo >= FIX_MIN as i128 && hi <= FIX_MAX as i128 {
                    let r = match op {
                        Op::Add => self.b.ins().iadd(p, q),
                        Op::Sub => self.b.ins().isub(p, q),
                        _ => {
                            let n = self.b.ins().sshr_imm_u(p, 3);
                            self.b.ins().imul(n, q)
                        }
                    };
                    self.define(a, Ty::Fix, r);
                    self.set_range(a, lo as i64, hi as i64);
                    return;
                }
                let v = match self.stepped(op, p, q, y) {
                    Some(v) => v,
                    None => self.fix_op(op, p, q),
                };
                self.guard(v.1);
                self.define(a, Ty::Fix, v.0);
                self.set_range(a, clamp(lo), clamp(hi));
            }
            Plan::Fix | Plan::Wide => {
                let (p, q) = (self.opd_int(x), self.opd_int(y));
                let (lo, hi) = result_range(op, self.opd_range(x), self.opd_range(y));
                let fits = lo >= i64::MIN as i128 && hi <= i64::MAX as i128;
                let (r, over) = match op {
                    _ if m != mode::WRAP
                        && !fits
                        && let Some((r, ok)) = self.stepped(op, p, q, y) =>
                    {
                        self.guard(ok);
                        self.define(a, Ty::I64, r);
                        self.set_range(a, clamp(lo), clamp(hi));
                        return;
                    }
                    _ if m == mode::WRAP || fits => {
                        let r = match op {
                            Op::Add => self.b.ins().iadd(p, q),
                            Op::Sub => self.b.ins().isub(p, q),
                            _ => self.b.ins().imul(p, q),
                        };
                        self.define(a, Ty::I64, r);
                        if fits {
                            self.set_range(a, lo as i64, hi as i64);
                        }
                        return;
                    }
                    Op::Add => self.b.ins().sadd_overflow(p, q),
                    Op::Sub => self.b.ins().ssub_overflow(p, q),
                    _ => self.b.ins().smul_overflow(p, q),
                };
                let ok = self.b.ins().icmp_imm_s(IntCC::Equal, over, 0);
                self.guard(ok);
                self.define(a, Ty::I64, r);
                self.set_range(a, clamp(lo), clamp(hi));
            }
            Plan::Double => {
                let (p, q) = (self.opd_double(x), self.opd_double(y));
                let r = match op {
                    Op::Add => self.b.ins().fadd(p, q),
                    Op::Sub => self.b.ins().fsub(p, q),
                    _ => self.b.ins().fmul(p, q),
                };
                self.define(a, Ty::F64, r);
            }
            Plan::Poly => {
                let f = match op {
                    Op::Add => h!(add),
                    Op::Sub => h!(sub),
                    _ => h!(mul),
                };
                let (p, q) = (self.opd_tagged(x), self.opd_tagged(y));
                let (fast, slow, done) = (self.b.create_block(), self.b.create_block(), self.b.create_block());
                let out = self.merge_param(done, I64);
                let both = self.both_fix(p, q);
                self.b.ins().brif(both, fast, &[], slow, &[]);
                self.b.switch_to_block(fast);
                let v = self.fix_op(op, p, q);
                self.b.ins().brif(v.1, done, &[BlockArg::Value(v.0)], slow, &[]);
                self.b.switch_to_block(slow);
                let m = self.iconst(m as i64);
                let r = self.call_checked(f, &[p, q, m]);
                self.b.ins().jump(done, &[BlockArg::Value(r)]);
                self.b.switch_to_block(done);
                self.define(a, Ty::Any, out);
            }
        }
    }
    /// Sum or difference where the sign of the second operand is known: an overflow is a step in the wrong direction, and a
    /// comparison is cheaper than the machine's overflow flag, which must be made a value first.
    fn stepped(&mut self, op: Op, p: Value, q: Value, y: Opd) -> Option<(Value, Value)> {
        let (lo, hi) = self.opd_range(y);
        let up = match op {
            Op::Add if lo >= 0 => true,
            Op::Add if hi <= 0 => false,
            Op::Sub if hi <= 0 => true,
            Op::Sub if lo >= 0 => false,
            _ => return None,
        };
        let r = if op == Op::Add { self.b.ins().iadd(p, q) } else { self.b.ins().isub(p, q) };
        let cc = if up { IntCC::SignedGreaterThanOrEqual } else { IntCC::SignedLessThanOrEqual };
        Some((r, self.b.ins().icmp(cc, r, p)))
    }
    /// Sum, difference or product of tagged fixnums, and whether it is one.
    fn fix_op(&mut self, op: Op, p: Value, q: Value) -> (Value, Value) {
        let (r, over) = match op {
            Op::Add => self.b.ins().sadd_overflow(p, q),
            Op::Sub => self.b.ins().ssub_overflow(p, q),
            _ => {
                let n = self.b.ins().sshr_imm_u(p, 3);
                self.b.ins().smul_overflow(n, q)
            }
        };
        (r, self.b.ins().icmp_imm_s(IntCC::Equal, over, 0))
    }
    fn both_fix(&mut self, p: Value, q: Value) -> Value {
        let o = self.b.ins().bor(p, q);
        let low = self.b.ins().band_imm_u(o, 7);
        self.b.ins().icmp_imm_s(IntCC::Equal, low, 0)
    }

    fn compare(&mut self, op: Op, w: op::Word, x: Opd, y: Opd) -> Value {
        let (ic, fc, f) = match op {
            Op::JNLt | Op::JNLtI | Op::Lt => (IntCC::SignedLessThan, FloatCC::LessThan, h!(lt)),
            Op::JNLe | Op::JNLeI | Op::Le => (IntCC::SignedLessThanOrEqual, FloatCC::LessThanOrEqual, h!(le)),
            Op::JNGt | Op::JNGtI | Op::Gt => (IntCC::SignedGreaterThan, FloatCC::GreaterThan, h!(gt)),
            Op::JNGe | Op::JNGeI | Op::Ge => (IntCC::SignedGreaterThanOrEqual, FloatCC::GreaterThanOrEqual, h!(ge)),
            _ => (IntCC::Equal, FloatCC::Equal, h!(num_eq)),
        };
        match self.plan(w, x, y) {
            Plan::Fix => {
                let (p, q) = (self.opd_fix(x), self.opd_fix(y));
                self.b.ins().icmp(ic, p, q)
            }
            Plan::Wide => {
                let (p, q) = (self.opd_int(x), self.opd_int(y));
                self.b.ins().icmp(ic, p, q)
            }
            Plan::Double => {
                let (p, q) = (self.opd_double(x), self.opd_double(y));
                self.b.ins().fcmp(fc, p, q)
            }
            Plan::Poly => {
                let (p, q) = (self.opd_tagged(x), self.opd_tagged(y));
                let (fast, slow, done) = (self.b.create_block(), self.b.create_block(), self.b.create_block());
                let out = self.merge_param(done, I64);
                let both = self.both_fix(p, q);
                self.b.ins().brif(both, fast, &[], slow, &[]);
                self.b.switch_to_block(fast);
                let r = self.b.ins().icmp(ic, p, q);
                let r = self.b.ins().uextend(I64, r);
                self.b.ins().jump(done, &[BlockArg::Value(r)]);
                self.b.switch_to_block(slow);
                let r = self.call_checked(f, &[p, q]);
                self.b.ins().jump(done, &[BlockArg::Value(r)]);
                self.b.switch_to_block(done);
                out
            }
        }
    }
    fn equal(&mut self, x: usize, y: usize) -> Value {
        match (self.ty(x), self.ty(y)) {
            (Ty::Fix | Ty::Bool, Ty::Fix | Ty::Bool) => {
                let (p, q) = (self.tagged(x), self.tagged(y));
                self.b.ins().icmp(IntCC::Equal, p, q)
            }
            (Ty::Fix | Ty::I64, Ty::Fix | Ty::I64) => {
                let (p, q) = (self.int(x), self.int(y));
                self.b.ins().icmp(IntCC::Equal, p, q)
            }
            (Ty::F64, Ty::F64) => {
                let (p, q) = (self.double(x), self.double(y));
                self.b.ins().fcmp(FloatCC::Equal, p, q)
            }
            _ => {
                // Two words neither of which can equal another one: fixnums, or an immediate constant and no reference.
                let (p, q) = (self.tagged(x), self.tagged(y));
                let (slow, done) = (self.b.create_block(), self.b.create_block());
                let out = self.merge_param(done, I64);
                let both = match (self.is_immediate(p), self.is_immediate(q)) {
                    (true, _) | (_, true) => {
                        let other = if self.is_immediate(p) { q } else { p };
                        let is_ref = self.is_ref(other);
                        self.b.ins().icmp_imm_s(IntCC::Equal, is_ref, 0)
                    }
                    _ => self.both_fix(p, q),
                };
                let same = self.b.ins().icmp(IntCC::Equal, p, q);
                let same = self.b.ins().uextend(I64, same);
                self.b.ins().brif(both, done, &[BlockArg::Value(same)], slow, &[]);
                self.b.switch_to_block(slow);
                let r = self.call_checked(h!(equiv), &[p, q]);
                self.b.ins().jump(done, &[BlockArg::Value(r)]);
                self.b.switch_to_block(done);
                out
            }
        }
    }

    /// Is it the constant word of nil, a boolean, a character, a keyword or a symbol?
    fn is_immediate(&self, v: Value) -> bool {
        let dfg = &self.b.func.dfg;
        match dfg.value_def(dfg.resolve_aliases(v)) {
            ValueDef::Result(i, _) => match dfg.insts[i] {
                InstructionData::UnaryImm { opcode: Opcode::Iconst, imm } => {
                    let w = imm.bits() as u64;
                    w & 7 == 4 && w <= u32::MAX as u64
                }
                _ => false,
            },
            _ => false,
        }
    }

    fn division(&mut self, op: Op, w: op::Word, a: usize, x: Opd, y: Opd) {
        let f = match op {
            Op::Quot => h!(quot),
            Op::Rem => h!(rem),
            _ => h!(modulo),
        };
        let plan = self.plan(w, x, y);
        if !matches!(plan, Plan::Fix | Plan::Wide) || self.opd_known(y) == Some(0) {
            let (p, q) = (self.opd_tagged(x), self.opd_tagged(y));
            let v = self.call_checked(f, &[p, q]);
            return self.define(a, Ty::Any, v);
        }
        let d = self.opd_known(y);
        if plan == Plan::Fix && op == Op::Rem {
            // (8a) rem (8b) = 8 (a rem b); 8b is never -1.
            let (p, q) = (self.opd_fix(x), self.opd_fix(y));
            if d.is_none() {
                let ok = self.b.ins().icmp_imm_s(IntCC::NotEqual, q, 0);
                self.guard(ok);
            }
            let r = self.b.ins().srem(p, q);
            self.define(a, Ty::Fix, r);
            return self.division_range(op, a, x, d);
        }
        let (p, q) = (self.opd_int(x), self.opd_int(y));
        if d.is_none() {
            let ok = self.b.ins().icmp_imm_s(IntCC::NotEqual, q, 0);
            self.guard(ok);
        }
        if d.is_none_or(|d| d == -1) {
            // The least integer by -1 is no integer.
            let ok = self.b.ins().icmp_imm_s(IntCC::NotEqual, q, -1);
            self.guard(ok);
        }
        let r = match op {
            Op::Quot => self.b.ins().sdiv(p, q),
            Op::Rem => self.b.ins().srem(p, q),
            _ => {
                let r = self.b.ins().srem(p, q);
                let s = self.b.ins().iadd(r, q);
                let mixed = self.b.ins().bxor(r, q);
                let other_sign = self.b.ins().icmp_imm_s(IntCC::SignedLessThan, mixed, 0);
                let nonzero = self.b.ins().icmp_imm_s(IntCC::NotEqual, r, 0);
                let adjust = self.b.ins().band(other_sign, nonzero);
                self.b.ins().select(adjust, s, r)
            }
        };
        if plan == Plan::Fix {
            // The quotient of fixnums by anything but -1, and every remainder, is one.
            let t = self.b.ins().ishl_imm_u(r, 3);
            self.define(a, Ty::Fix, t);
        } else {
            self.define(a, Ty::I64, r);
        }
        self.division_range(op, a, x, d)
    }
    /// Bounds of a quotient or remainder by a known positive divisor.
    fn division_range(&mut self, op: Op, a: usize, x: Opd, d: Option<i64>) {
        let Some(d) = d.filter(|d| *d > 0) else { return };
        let (lo, hi) = self.opd_range(x);
        match op {
            Op::Quot => self.set_range(a, lo / d, hi / d),
            Op::Rem => self.set_range(a, if lo >= 0 { 0 } else { 1 - d }, if hi <= 0 { 0 } else { d - 1 }),
            _ => self.set_range(a, 0, d - 1),
        }
    }

    fn integers(&self, x: Opd, y: Opd) -> bool {
        let bad = saw::OTHER | saw::DOUBLE;
        let int = |t: Ty| matches!(t, Ty::Fix | Ty::I64);
        (int(self.opd_ty(x)) && int(self.opd_ty(y))) || (self.seen() as u8 & bad == 0 && !self.env.plain)
    }
    fn bits(&mut self, op: Op, a: usize, x: Opd, y: Opd) {
        if !self.integers(x, y) {
            let f = match op {
                Op::And => h!(bit_and),
                Op::Or => h!(bit_or),
                _ => h!(bit_xor),
            };
            let (p, q) = (self.opd_tagged(x), self.opd_tagged(y));
            let v = self.call_checked(f, &[p, q]);
            return self.define(a, Ty::Any, v);
        }
        let wide = self.opd_ty(x) == Ty::I64 || self.opd_ty(y) == Ty::I64;
        let (p, q) = if wide { (self.opd_int(x), self.opd_int(y)) } else { (self.opd_fix(x), self.opd_fix(y)) };
        let r = match op {
            Op::And => self.b.ins().band(p, q),
            Op::Or => self.b.ins().bor(p, q),
            _ => self.b.ins().bxor(p, q),
        };
        let small = |k: Option<i64>| k.is_some_and(|k| (0..1 << 60).contains(&k));
        let mask = self.opd_known(x).or(self.opd_known(y));
        if wide && op == Op::And && small(mask) {
            let t = self.b.ins().ishl_imm_u(r, 3);
            self.define(a, Ty::Fix, t);
            return self.set_range(a, 0, mask.unwrap_or(0));
        }
        if op == Op::And && small(mask) {
            self.define(a, Ty::Fix, r);
            return self.set_range(a, 0, mask.unwrap_or(0));
        }
        self.define(a, if wide { Ty::I64 } else { Ty::Fix }, r);
    }
    fn shift(&mut self, op: Op, a: usize, x: Opd, y: Opd) {
        if !self.integers(x, y) {
            let f = match op {
                Op::Shl => h!(shift_left),
                Op::Shr => h!(shift_right),
                _ => h!(shift_right_logical),
            };
            let (p, q) = (self.opd_tagged(x), self.opd_tagged(y));
            let v = self.call_checked(f, &[p, q]);
            return self.define(a, Ty::Any, v);
        }
        // Distances count modulo 64, as Java has it and the machine does.
        let (p, n) = (self.opd_int(x), self.opd_int(y));
        let r = match op {
            Op::Shl => self.b.ins().ishl(p, n),
            Op::Shr => self.b.ins().sshr(p, n),
            _ => self.b.ins().ushr(p, n),
        };
        if op == Op::Shr && self.opd_ty(x) == Ty::Fix {
            let t = self.b.ins().ishl_imm_u(r, 3);
            return self.define(a, Ty::Fix, t);
        }
        self.define(a, Ty::I64, r);
    }
    fn as_double(&mut self, a: usize, b: usize) {
        if self.ty(b) == Ty::Any && self.seen() & saw::OTHER as u16 != 0 {
            return self.helper1(a, h!(to_double), b);
        }
        if self.ty(b) == Ty::Any && self.seen() == 0 {
            // Integers and doubles both come; without a guess.
            let code = self.code();
            self.env.vm.note_at(&code.words()[self.pc], saw::FIX as u16);
        }
        let f = self.double(b);
        self.define(a, Ty::F64, f);
    }
    /// A double as a long, towards zero; leaves where it has none.
    fn truncate(&mut self, a: usize, b: usize) {
        if self.seen() & (saw::DOUBLE | saw::OTHER) as u16 != 0 {
            return self.helper1(a, h!(to_long), b);
        }
        let f = self.double(b);
        let size = self.b.ins().fabs(f);
        let bound = self.b.ins().f64const(9.0e18);
        let ok = self.b.ins().fcmp(FloatCC::LessThan, size, bound);
        self.guard(ok);
        let n = self.b.ins().fcvt_to_sint_sat(I64, f);
        self.define(a, Ty::I64, n);
    }

    // ---- data
    fn element_sort(&self, w: op::Word, x: usize) -> Option<Ty> {
        let seen = self.seen() as u8;
        match self.ty(x) {
            t @ (Ty::Longs | Ty::Doubles) => Some(t),
            _ if seen & saw::OTHER != 0 || self.env.plain => None,
            _ if seen & (saw::LONGS | saw::DOUBLES) == saw::LONGS | saw::DOUBLES => None,
            _ if seen & saw::DOUBLES != 0 => Some(Ty::Doubles),
            _ if seen & saw::LONGS != 0 => Some(Ty::Longs),
            _ if op::aux(w) & mode::SAW_OTHER != 0 => None,
            _ if op::aux(w) & mode::SAW_DOUBLE != 0 => Some(Ty::Doubles),
            _ => Some(Ty::Longs),
        }
    }
    /// Address, less 4, of element `i` of the array in word `x`.
    fn element(&mut self, array: Value, x: usize, i: usize) -> Value {
        let length = self.array_length(x);
        let tagged = self.st.get(i).is_none_or(|w| w.ty != Ty::I64 || w.is_small());
        // A tagged index is the offset in bytes.
        let (n, offset) = if tagged {
            let t = self.fix(i);
            (self.b.ins().sshr_imm_u(t, 3), t)
        } else {
            let n = self.int(i);
            (n, self.b.ins().ishl_imm_u(n, 3))
        };
        let ok = self.b.ins().icmp(IntCC::UnsignedLessThan, n, length);
        self.guard(ok);
        self.b.ins().iadd(array, offset)
    }
    fn array_get(&mut self, w: op::Word, a: usize, x: usize, i: usize) {
        let Some(sort) = self.element_sort(w, x) else { return self.helper2(a, h!(aget), x, i) };
        let array = self.array(x, sort);
        let p = self.element(array, x, i);
        if sort == Ty::Longs {
            let v = self.b.ins().load(I64, mem(), p, 4);
            self.define(a, Ty::I64, v);
        } else {
            let v = self.b.ins().load(F64, mem(), p, 4);
            self.define(a, Ty::F64, v);
        }
    }
    fn array_set(&mut self, w: op::Word, x: usize, i: usize, v: usize) {
        let fits = |sort: Ty, t: Ty| match sort {
            Ty::Longs => t != Ty::F64,
            _ => !matches!(t, Ty::Fix | Ty::I64),
        };
        let wanted = |p: &Self, sort: Ty| {
            let other = if sort == Ty::Longs { saw::DOUBLE } else { saw::FIX };
            // The index is always a fixnum, so that says nothing of the element.
            fits(sort, p.ty(v)) && (sort == Ty::Doubles || p.seen() as u8 & other == 0)
        };
        match self.element_sort(w, x) {
            Some(sort) if wanted(self, sort) => {
                let value = if sort == Ty::Longs {
                    self.int(v)
                } else {
                    match self.ty(v) {
                        Ty::F64 => self.double(v),
                        _ => {
                            let t = self.tagged(v);
                            let low = self.b.ins().band_imm_u(t, 3);
                            self.guard(low);
                            self.untag_double(t)
                        }
                    }
                };
                let array = self.array(x, sort);
                let p = self.element(array, x, i);
                self.b.ins().store(mem(), value, p, 4);
            }
            _ => {
                let (x, i, v) = (self.tagged(x), self.tagged(i), self.tagged(v));
                self.call_checked(h!(aset), &[x, i, v]);
            }
        }
    }
    fn nth(&mut self, a: usize, x: usize, i: usize) {
        if !matches!(self.ty(i), Ty::Fix) {
            return self.helper2(a, h!(nth), x, i);
        }
        // The last block of a vector is at hand.
        let (v, n) = (self.tagged(x), self.fix(i));
        let (maybe, vector, tail, slow, done) = (
            self.b.create_block(),
            self.b.create_block(),
            self.b.create_block(),
            self.b.create_block(),
            self.b.create_block(),
        );
        let out = self.merge_param(done, I64);
        let is_ref = self.is_ref(v);
        self.b.ins().brif(is_ref, maybe, &[], slow, &[]);
        self.b.switch_to_block(maybe);
        let h = self.header(v);
        let kind = self.b.ins().band_imm_u(h, 0xFF);
        let is = self.b.ins().icmp_imm_u(IntCC::Equal, kind, Kind::Vector as i64);
        self.b.ins().brif(is, vector, &[], slow, &[]);
        self.b.switch_to_block(vector);
        let count = self.payload(v, 0);
        let last = self.b.ins().iadd_imm_s(count, -8);
        let start = self.b.ins().band_imm_s(last, !(31 << 3));
        let from = self.b.ins().isub(n, start);
        let room = self.b.ins().isub(count, start);
        let ok = self.b.ins().icmp(IntCC::UnsignedLessThan, from, room);
        self.b.ins().brif(ok, tail, &[], slow, &[]);
        self.b.switch_to_block(tail);
        let node = self.payload(v, 3);
        let p = self.b.ins().iadd(node, from);
        let e = self.b.ins().load(I64, mem(), p, 4);
        self.b.ins().jump(done, &[BlockArg::Value(e)]);
        self.b.switch_to_block(slow);
        let r = self.call_checked(h!(nth), &[v, n]);
        self.b.ins().jump(done, &[BlockArg::Value(r)]);
        self.b.switch_to_block(done);
        self.define(a, Ty::Any, out);
    }
    /// Keyword lookup: where the interpreter last found the key in a small map, else the helper.
    fn get_keyword(&mut self, w: op::Word, a: usize, b: usize) {
        let guess = self.code().words()[self.pc + 1] as usize;
        let key = self.iconst(self.code().consts()[op::c(w)].bits() as i64);
        let m = self.tagged(b);
        let (slow, done) = (self.b.create_block(), self.b.create_block());
        let out = self.merge_param(done, I64);
        if guess > 0 && guess < 64 {
            let (maybe, map, hit) = (self.b.create_block(), self.b.create_block(), self.b.create_block());
            let is_ref = self.is_ref(m);
            self.b.ins().brif(is_ref, maybe, &[], slow, &[]);
            self.b.switch_to_block(maybe);
            let h = self.header(m);
            let kind = self.b.ins().band_imm_u(h, 0xFF);
            let is = self.b.ins().icmp_imm_u(IntCC::Equal, kind, Kind::ArrayMap as i64);
            let len = self.b.ins().ushr_imm_u(h, 32);
            let long = self.b.ins().icmp_imm_u(IntCC::UnsignedGreaterThan, len, guess as i64 + 1);
            let ok = self.b.ins().band(is, long);
            self.b.ins().brif(ok, map, &[], slow, &[]);
            self.b.switch_to_block(map);
            let k = self.payload(m, guess);
            let same = self.b.ins().icmp(IntCC::Equal, k, key);
            self.b.ins().brif(same, hit, &[], slow, &[]);
            self.b.switch_to_block(hit);
            let v = self.payload(m, guess + 1);
            self.b.ins().jump(done, &[BlockArg::Value(v)]);
        } else {
            self.b.ins().jump(slow, &[]);
        }
        self.b.switch_to_block(slow);
        let r = self.call_checked(h!(get), &[m, key]);
        self.b.ins().jump(done, &[BlockArg::Value(r)]);
        self.b.switch_to_block(done);
        self.define(a, Ty::Any, out);
    }
    /// A new young object of the given words; the helper where the block at hand is full.
    fn allocate(&mut self, kind: Kind, words: &[Value], slow: impl FnOnce(&mut Self) -> Value) -> Value {
        use yin_vm::tier::offset::{ALLOC, ALLOC_END};
        let (room, full, done) = (self.b.create_block(), self.b.create_block(), self.b.create_block());
        let out = self.merge_param(done, I64);
        let (p, last) = (self.field(ALLOC), self.field(ALLOC_END));
        let end = self.b.ins().iadd_imm_s(p, 8 * (words.len() as i64 + 1));
        let fits = self.b.ins().icmp(IntCC::UnsignedLessThanOrEqual, end, last);
        self.b.set_cold_block(full);
        self.b.ins().brif(fits, room, &[], full, &[]);
        self.b.switch_to_block(room);
        let vm = self.vm();
        self.b.ins().store(mem(), end, vm, ALLOC);
        let header = self.iconst(kind as i64 | (words.len() as i64) << 32);
        self.b.ins().store(mem(), header, p, 0);
        for (i, w) in words.iter().enumerate() {
            self.b.ins().store(mem(), *w, p, 8 * (i as i32 + 1));
        }
        let v = self.b.ins().iadd_imm_s(p, 4);
        self.b.ins().jump(done, &[BlockArg::Value(v)]);
        self.b.switch_to_block(full);
        let v = slow(self);
        self.b.ins().jump(done, &[BlockArg::Value(v)]);
        self.b.switch_to_block(done);
        out
    }
    /// Is the object that `v` refers to of a kind between two?
    fn kind_between(&mut self, v: Value, first: Kind, last: Kind) -> Value {
        let h = self.header(v);
        let kind = self.b.ins().band_imm_u(h, 0xFF);
        let n = self.b.ins().iadd_imm_s(kind, -(first as i64));
        self.b.ins().icmp_imm_u(IntCC::UnsignedLessThanOrEqual, n, last as i64 - first as i64)
    }
    /// The next cell of a chain of cells, else the helper.
    fn next_seq(&mut self, a: usize, b: usize) {
        let v = self.tagged(b);
        let [cell, more, object, slow, done] = std::array::from_fn(|_| self.b.create_block());
        let maybe = self.b.create_block();
        let out = self.merge_param(done, I64);
        let is_ref = self.is_ref(v);
        self.b.ins().brif(is_ref, maybe, &[], slow, &[]);
        self.b.switch_to_block(maybe);
        let is = self.kind_between(v, Kind::List, Kind::Cons);
        self.b.ins().brif(is, cell, &[], slow, &[]);
        self.b.switch_to_block(cell);
        let next = self.payload(v, 1);
        let is_ref = self.is_ref(next);
        self.b.ins().brif(is_ref, object, &[], slow, &[]);
        self.b.switch_to_block(object);
        let is = self.kind_between(next, Kind::List, Kind::Cons);
        self.b.ins().brif(is, done, &[BlockArg::Value(next)], more, &[]);
        self.b.switch_to_block(more);
        let empty = self.kind_between(next, Kind::EmptyList, Kind::EmptyList);
        let nil = self.iconst(Word64::NIL.bits() as i64);
        self.b.ins().brif(empty, done, &[BlockArg::Value(nil)], slow, &[]);
        self.b.switch_to_block(slow);
        let r = self.call_checked(h!(next), &[v]);
        self.b.ins().jump(done, &[BlockArg::Value(r)]);
        self.b.switch_to_block(done);
        self.define(a, Ty::Any, out);
    }
    /// A new cell before a chain of cells or a lazy seq, else the helper.
    fn cons(&mut self, a: usize, x: usize, s: usize) {
        let (x, s) = (self.tagged(x), self.tagged(s));
        let [maybe, seq, slow, done] = std::array::from_fn(|_| self.b.create_block());
        let out = self.merge_param(done, I64);
        let is_ref = self.is_ref(s);
        self.b.ins().brif(is_ref, maybe, &[], slow, &[]);
        self.b.switch_to_block(maybe);
        let is = self.kind_between(s, Kind::List, Kind::LazySeq);
        self.b.ins().brif(is, seq, &[], slow, &[]);
        self.b.switch_to_block(seq);
        let cell = self.allocate(Kind::Cons, &[x, s], |p| p.call_checked(h!(cons), &[x, s]));
        self.b.ins().jump(done, &[BlockArg::Value(cell)]);
        self.b.switch_to_block(slow);
        let r = self.call_checked(h!(cons), &[x, s]);
        self.b.ins().jump(done, &[BlockArg::Value(r)]);
        self.b.switch_to_block(done);
        self.define(a, Ty::Any, out);
    }
    fn record_field(&mut self, a: usize, b: usize, i: usize) {
        let v = self.tagged(b);
        let is_ref = self.is_ref(v);
        self.guard(is_ref);
        let h = self.header(v);
        let kind = self.b.ins().band_imm_u(h, 0xFF);
        let len = self.b.ins().ushr_imm_u(h, 32);
        let (record, instance, done) = (self.b.create_block(), self.b.create_block(), self.b.create_block());
        let out = self.merge_param(done, I64);
        let is = self.b.ins().icmp_imm_u(IntCC::Equal, kind, Kind::Record as i64);
        self.b.ins().brif(is, record, &[], instance, &[]);
        for (block, first, kind_of) in [(record, 3, None), (instance, 1, Some(Kind::Instance))] {
            self.b.switch_to_block(block);
            if let Some(k) = kind_of {
                let is = self.b.ins().icmp_imm_u(IntCC::Equal, kind, k as i64);
                self.guard(is);
            }
            let ok = self.b.ins().icmp_imm_u(IntCC::UnsignedGreaterThan, len, (first + i) as i64);
            self.guard(ok);
            let x = self.payload(v, first + i);
            self.b.ins().jump(done, &[BlockArg::Value(x)]);
        }
        self.b.switch_to_block(done);
        self.define(a, Ty::Any, out);
    }
}
