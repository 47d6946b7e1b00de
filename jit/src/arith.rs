//! Numbers: sums, comparisons, division, bits, conversions, and what is known of results.

use crate::ops::h;
use crate::piece::Piece;
use crate::state::Ty;
use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::types::I64;
use cranelift_codegen::ir::{InstBuilder, InstructionData, Opcode, Value, ValueDef};
use yin_vm::op::{self, Op, mode, saw};
use yin_vm::tier::helper;
use yin_vm::value::{FIX_MAX, FIX_MIN};

/// An operand of arithmetic.
#[derive(Clone, Copy)]
pub enum Opd {
    /// Frame word.
    Reg(usize),
    Imm(i64),
}

/// How arithmetic on two operands is done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Plan {
    /// On tagged fixnums; leaving 61 bits is an exit.
    Fix,
    /// On raw integers; leaving 64 bits is an exit.
    Wide,
    Double,
    /// Fixnums at once, everything else through the helper.
    Poly,
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

impl Piece<'_, '_, '_> {
    pub fn opd_ty(&self, x: Opd) -> Ty {
        match x {
            Opd::Reg(i) => self.ty(i),
            Opd::Imm(_) => Ty::Fix,
        }
    }
    pub fn opd_range(&self, x: Opd) -> (i64, i64) {
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
    pub fn plan(&self, w: op::Word, x: Opd, y: Opd) -> Plan {
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

    pub fn arithmetic(&mut self, op: Op, w: op::Word, a: usize, x: Opd, y: Opd) {
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
                let out = self.fast_or(
                    |c, way| {
                        let both = c.both_fix(p, q);
                        c.need(both, way);
                        let (r, ok) = c.fix_op(op, p, q);
                        c.need(ok, way);
                        r
                    },
                    |c| {
                        let m = c.iconst(m as i64);
                        c.call_checked(f, &[p, q, m])
                    },
                );
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

    pub fn compare(&mut self, op: Op, w: op::Word, x: Opd, y: Opd) -> Value {
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
                self.fast_or(
                    |c, way| {
                        let both = c.both_fix(p, q);
                        c.need(both, way);
                        let r = c.b.ins().icmp(ic, p, q);
                        c.b.ins().uextend(I64, r)
                    },
                    |c| c.call_checked(f, &[p, q]),
                )
            }
        }
    }
    pub fn equal(&mut self, x: usize, y: usize) -> Value {
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
                self.fast_or(
                    |c, way| {
                        let ok = match (c.is_immediate(p), c.is_immediate(q)) {
                            (false, false) => c.both_fix(p, q),
                            (first, _) => {
                                let is_ref = c.is_ref(if first { q } else { p });
                                c.b.ins().icmp_imm_s(IntCC::Equal, is_ref, 0)
                            }
                        };
                        c.need(ok, way);
                        let same = c.b.ins().icmp(IntCC::Equal, p, q);
                        c.b.ins().uextend(I64, same)
                    },
                    |c| c.call_checked(h!(equiv), &[p, q]),
                )
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

    /// The exact quotient: of doubles here, else in the helper.
    pub fn divide(&mut self, w: op::Word, a: usize, x: usize, y: usize) {
        let double = self.ty(x) == Ty::F64 || self.ty(y) == Ty::F64 || op::aux(w) & mode::SAW_DOUBLE != 0;
        if !double || self.plan(w, Opd::Reg(x), Opd::Reg(y)) != Plan::Double {
            return self.helper2(a, h!(div), x, y);
        }
        let (x, y) = (self.double(x), self.double(y));
        let r = self.b.ins().fdiv(x, y);
        self.define(a, Ty::F64, r);
    }
    pub fn division(&mut self, op: Op, w: op::Word, a: usize, x: Opd, y: Opd) {
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
    pub fn bits(&mut self, op: Op, a: usize, x: Opd, y: Opd) {
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
    pub fn shift(&mut self, op: Op, a: usize, x: Opd, y: Opd) {
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
    pub fn as_double(&mut self, a: usize, b: usize) {
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
    pub fn truncate(&mut self, a: usize, b: usize) {
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
}
