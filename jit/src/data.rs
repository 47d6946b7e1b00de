//! Arrays, sequences, maps, records, and making objects: a fast way for what is most often met, the machine's helper else.

use crate::ops::h;
use crate::piece::{Piece, mem};
use crate::state::Ty;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{F64, I64};
use cranelift_codegen::ir::{BlockArg, InstBuilder, Value};
use yin_vm::layout::Kind;
use yin_vm::op::{self, mode, saw};
use yin_vm::tier::helper;
use yin_vm::value::Value as Word64;

impl Piece<'_, '_, '_> {
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
    pub fn array_get(&mut self, w: op::Word, a: usize, x: usize, i: usize) {
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
    pub fn array_set(&mut self, w: op::Word, x: usize, i: usize, v: usize) {
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
    pub fn nth(&mut self, a: usize, x: usize, i: usize) {
        if !matches!(self.ty(i), Ty::Fix) {
            return self.helper2(a, h!(nth), x, i);
        }
        let (v, n) = (self.tagged(x), self.fix(i));
        let out = self.fast_or(
            |p, way| {
                // The last block of a vector is at hand.
                p.need_kind(v, &[Kind::Vector], way);
                let count = p.payload(v, 0);
                let last = p.b.ins().iadd_imm_s(count, -8);
                let start = p.b.ins().band_imm_s(last, !(31 << 3));
                let from = p.b.ins().isub(n, start);
                let room = p.b.ins().isub(count, start);
                let ok = p.b.ins().icmp(IntCC::UnsignedLessThan, from, room);
                p.need(ok, way);
                let node = p.payload(v, 3);
                let at = p.b.ins().iadd(node, from);
                p.b.ins().load(I64, mem(), at, 4)
            },
            |p| p.call_checked(h!(nth), &[v, n]),
        );
        self.define(a, Ty::Any, out);
    }
    /// Keyword lookup: where the interpreter last found the key in a small map, else the helper.
    pub fn get_keyword(&mut self, w: op::Word, a: usize, b: usize) {
        let guess = self.code().words()[self.pc + 1] as usize;
        let key = self.iconst(self.code().consts()[op::c(w)].bits() as i64);
        let m = self.tagged(b);
        let out = if (1..64).contains(&guess) {
            self.fast_or(
                |p, way| {
                    p.need_kind(m, &[Kind::ArrayMap], way);
                    let len = p.b.ins().uload32(mem(), m, 0);
                    let long = p.b.ins().icmp_imm_u(IntCC::UnsignedGreaterThan, len, guess as i64 + 1);
                    p.need(long, way);
                    let k = p.payload(m, guess);
                    let same = p.b.ins().icmp(IntCC::Equal, k, key);
                    p.need(same, way);
                    p.payload(m, guess + 1)
                },
                |p| p.call_checked(h!(get), &[m, key]),
            )
        } else {
            self.call_checked(h!(get), &[m, key])
        };
        self.define(a, Ty::Any, out);
    }
    /// A new young object of the given words; the helper where the block at hand is full.
    pub fn allocate(&mut self, kind: Kind, words: &[Value], slow: impl FnOnce(&mut Self) -> Value) -> Value {
        use yin_vm::tier::offset::{ALLOC, ALLOC_END};
        self.fast_or(
            |c, way| {
                let (p, last) = (c.field(ALLOC), c.field(ALLOC_END));
                let end = c.b.ins().iadd_imm_s(p, 8 * (words.len() as i64 + 1));
                let fits = c.b.ins().icmp(IntCC::UnsignedLessThanOrEqual, end, last);
                c.need(fits, way);
                let vm = c.vm();
                c.b.ins().store(mem(), end, vm, ALLOC);
                let header = c.iconst(kind as i64 | (words.len() as i64) << 32);
                c.b.ins().store(mem(), header, p, 0);
                for (i, w) in words.iter().enumerate() {
                    c.b.ins().store(mem(), *w, p, 8 * (i as i32 + 1));
                }
                c.b.ins().iadd_imm_s(p, 4)
            },
            slow,
        )
    }
    /// `fast` of an object of one of the kinds, else the helper.
    pub fn by_kind(
        &mut self,
        a: usize,
        b: usize,
        kinds: &[Kind],
        fast: impl FnOnce(&mut Self, Value) -> Value,
        slow: u64,
    ) {
        let v = self.tagged(b);
        let out = self.fast_or(
            |p, way| {
                p.need_kind(v, kinds, way);
                fast(p, v)
            },
            |p| p.call_checked(slow, &[v]),
        );
        self.define(a, Ty::Any, out);
    }
    /// The next cell of a chain of cells, else the helper.
    pub fn next_seq(&mut self, a: usize, b: usize) {
        let v = self.tagged(b);
        let out = self.fast_or(
            |p, way| {
                p.need_kind(v, &[Kind::List, Kind::Cons], way);
                let next = p.payload(v, 1);
                let kind = p.kind_of(next, way);
                let cell = p.is_one_of(kind, &[Kind::List, Kind::Cons]);
                p.answer_if(cell, next, way);
                let empty = p.is_one_of(kind, &[Kind::EmptyList]);
                p.need(empty, way);
                p.iconst(Word64::NIL.bits() as i64)
            },
            |p| p.call_checked(h!(next), &[v]),
        );
        self.define(a, Ty::Any, out);
    }
    /// A new cell before a chain of cells or a lazy seq, else the helper.
    pub fn cons(&mut self, a: usize, x: usize, s: usize) {
        let (x, s) = (self.tagged(x), self.tagged(s));
        let out = self.fast_or(
            |p, way| {
                p.need_kind(s, &[Kind::List, Kind::Cons, Kind::LazySeq], way);
                p.allocate(Kind::Cons, &[x, s], |p| p.call_checked(h!(cons), &[x, s]))
            },
            |p| p.call_checked(h!(cons), &[x, s]),
        );
        self.define(a, Ty::Any, out);
    }
    pub fn record_field(&mut self, a: usize, b: usize, i: usize) {
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
