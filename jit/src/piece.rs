//! Translation of one piece: from a place in a code to every place where it leaves.
//!
//! The piece is translated again and again until what is assumed at each block's start holds on every way to it; the last
//! translation is the one that is kept. Types therefore need no analysis of their own: translating is the analysis.
//!
//! # Invariants
//! 1. Nothing happens between a guard and the instruction its exit point names: leaving there and running the instruction
//!    in the interpreter is the same as not having started it.
//! 2. At an exit every live word is in the frame, tagged or named in the exit point's `raw`.

use crate::abi::{self, REG_ARGS};
use crate::flow::{self, Shape};
use crate::state::{Demand, State, Ty, Word};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{F64, I64};
use cranelift_codegen::ir::{
    AbiParam, Block, BlockArg, InstBuilder, MemFlagsData, SigRef, Signature, SourceLoc, Type, Value,
};
use cranelift_codegen::isa::CallConv;
use cranelift_frontend::{FunctionBuilder, Variable};
use rustc_hash::FxHashMap as HashMap;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::atomic::AtomicU64;
use yin_vm::Vm;
use yin_vm::frame::{Code, FAST_ARITIES, Resume};
use yin_vm::layout::{FRAME_HEADER, Kind};
use yin_vm::op::{self, Flow, Op, saw};
use yin_vm::tier::{ExitPoint, FAULT, Frame, Raw, SMALL, Why, offset};

/// Where a piece starts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord)]
pub enum Start {
    Entry,
    /// After the call of this site.
    Site(usize),
    /// At this instruction, entered from outside with everything in the frame.
    At(usize),
}

/// What pieces of a unit share while they are made.
pub struct Env<'a> {
    pub vm: &'a mut Vm,
    pub code: &'a Code,
    pub shape: Rc<Shape>,
    pub shapes: HashMap<usize, Rc<Shape>>,
    /// Values of the frame that asked for the code, and the instruction it is at.
    pub frame: Option<(usize, Frame)>,
    pub metered: bool,
    /// Every guard fails the first time.
    pub fail_once: bool,
    /// No inlining, no guards that can be done without: the unit left too often.
    pub plain: bool,
    /// Vars whose roots the unit relies on.
    pub vars: BTreeSet<u64>,
    /// Functions that were inlined and go on by themselves after calls they make.
    pub wanted: BTreeSet<usize>,
    #[expect(clippy::vec_box, reason = "machine code holds the addresses")]
    pub exits: Vec<Box<ExitPoint>>,
    pub side_exit: u64,
    pub n_inlined: usize,
}

/// A frame of the piece: its own, or that of an inlined call.
pub struct Ctx {
    pub code: *const Code,
    pub shape: Rc<Shape>,
    /// Offset of its word 0 from the piece's frame.
    pub base: usize,
    /// Frame that called, position of the call, record of the call.
    pub parent: Option<(usize, usize, *const Resume)>,
    /// Positions of the calls that lead here.
    pub path: Vec<u32>,
}

/// A block: path of calls, then position. In this order every block comes after those that lead to it, loops apart.
pub type Key = Vec<u32>;

pub struct Piece<'a, 'b, 'c> {
    pub env: &'a mut Env<'c>,
    pub b: FunctionBuilder<'b>,
    pub ctxs: Vec<Ctx>,
    inlined: &'a mut BTreeMap<Key, usize>,
    entries: &'a mut BTreeMap<Key, (usize, usize, State)>,
    demands: &'a mut BTreeMap<Key, Vec<Demand>>,
    weakened: &'a mut BTreeMap<Key, u32>,
    /// The edge being made comes from outside.
    starting: bool,
    home: Start,
    blocks: BTreeMap<Key, Block>,
    pub changed: bool,
    pub st: State,
    pub cx: usize,
    pub pc: usize,
    pub fp: Value,
    vars: HashMap<(usize, Var), Variable>,
    pub n_tails: u32,
    pub native_calls: bool,
    sigs: HashMap<(bool, usize), SigRef>,
    pub guards: usize,
}

pub fn mem() -> MemFlagsData {
    MemFlagsData::trusted()
}

/// Signature of pieces and stubs with `n` arguments.
pub fn tail_signature(n: usize) -> Signature {
    let mut s = Signature::new(CallConv::Tail);
    (0..n).for_each(|_| s.params.push(AbiParam::new(I64)));
    s
}

/// Code by its pointer.
pub fn code_at<'x>(code: *const Code) -> &'x Code {
    yin_vm::tier::code_of(code)
}

/// Where a fast way goes that does not lead to the end, and where it ends.
#[derive(Clone, Copy)]
pub struct Way {
    slow: Block,
    done: Block,
}

/// What of a frame word a machine register holds.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Var {
    /// The tagged word or the raw integer.
    Word,
    /// The raw double.
    Double,
    /// The number of the array's elements. Held whenever the word's type is an array's: lengths never change, so that the check
    /// of a type, which loops do once, is the only look at them.
    Length,
}

/// What one translation gave.
pub struct Made {
    pub n_tails: u32,
    pub native_calls: bool,
    pub changed: bool,
    pub guards: usize,
}

/// Persistent between translations of one piece.
#[derive(Default)]
pub struct Memo {
    pub inlined: BTreeMap<Key, usize>,
    pub entries: BTreeMap<Key, (usize, usize, State)>,
    /// What loops want: checked where they are entered.
    pub demands: BTreeMap<Key, Vec<Demand>>,
    /// How often what is assumed at a loop header had to be weakened.
    pub weakened: BTreeMap<Key, u32>,
    pub ctxs: Vec<Ctx>,
}

/// Translates a piece into `b` once.
pub fn translate<'a, 'b, 'c>(
    env: &'a mut Env<'c>,
    memo: &'a mut Memo,
    b: FunctionBuilder<'b>,
    start: Start,
) -> (Made, FunctionBuilder<'b>) {
    let root = Ctx { code: env.code, shape: env.shape.clone(), base: 0, parent: None, path: Vec::new() };
    let mut ctxs = std::mem::take(&mut memo.ctxs);
    if ctxs.is_empty() {
        ctxs.push(root);
    }
    let mut p = Piece {
        env,
        b,
        ctxs,
        inlined: &mut memo.inlined,
        entries: &mut memo.entries,
        demands: &mut memo.demands,
        weakened: &mut memo.weakened,
        starting: true,
        home: start,
        blocks: BTreeMap::new(),
        changed: false,
        st: State::default(),
        cx: 0,
        pc: 0,
        fp: Value::from_u32(0),
        vars: HashMap::default(),
        n_tails: 0,
        native_calls: false,
        sigs: HashMap::default(),
        guards: 0,
    };
    p.start(start);
    p.run();
    p.b.seal_all_blocks();
    let made = Made { n_tails: p.n_tails, native_calls: p.native_calls, changed: p.changed, guards: p.guards };
    let Piece { b, ctxs, .. } = p;
    memo.ctxs = ctxs;
    (made, b)
}

impl Piece<'_, '_, '_> {
    pub fn code(&self) -> &'static Code {
        code_at(self.ctxs[self.cx].code)
    }
    pub fn shape(&self) -> Rc<Shape> {
        self.ctxs[self.cx].shape.clone()
    }
    /// Frame word of register `r` of the current code.
    pub fn slot(&self, r: usize) -> usize {
        self.ctxs[self.cx].base + FRAME_HEADER + r
    }
    fn key(&self, cx: usize, pc: usize) -> Key {
        let mut k = self.ctxs[cx].path.clone();
        k.push(pc as u32);
        k
    }

    /// Signature and first state of the piece.
    fn start(&mut self, start: Start) {
        let block = self.b.create_block();
        self.b.append_block_params_for_function_params(block);
        self.b.switch_to_block(block);
        let params = self.b.block_params(block).to_vec();
        let code = self.code();
        let shape = self.shape();
        self.fp = params[0];
        let at = match start {
            Start::Entry => {
                let n = code.n_params as usize + code.variadic as usize;
                if shape.uses_self {
                    self.define(1, Ty::Any, params[1]);
                }
                for r in 0..n {
                    if r < REG_ARGS {
                        self.define(FRAME_HEADER + r, Ty::Any, params[2 + r]);
                    } else {
                        self.st.set(FRAME_HEADER + r, Word::MEMORY);
                    }
                }
                self.pc = 0;
                self.safe_point(0, true);
                0
            }
            Start::Site(i) => {
                let r = &code.sites()[i];
                let delta = r.delta as i64;
                self.fp = self.b.ins().iadd_imm_s(params[0], -8 * delta);
                for s in (1..r.delta as usize).filter(|s| r.is_live(*s)) {
                    self.st.set(s, Word::MEMORY);
                }
                let at = code.index(r.pc);
                self.pc = at;
                self.define(FRAME_HEADER + r.dst as usize, Ty::Any, params[1]);
                at
            }
            Start::At(at) => {
                let delta = code.frame_words() as i64;
                self.fp = self.b.ins().iadd_imm_s(params[0], -8 * delta);
                if shape.uses_self {
                    self.st.set(1, Word::MEMORY);
                }
                for r in (0..code.n_regs as usize).filter(|r| shape.live[at].contains(*r)) {
                    self.st.set(FRAME_HEADER + r, Word::MEMORY);
                }
                at
            }
        };
        // The start is not a border of itself.
        self.enter_block(0, at);
        self.starting = false;
    }

    /// Blocks in order, each from the state that its ways agree on.
    fn run(&mut self) {
        let mut done: BTreeSet<Key> = BTreeSet::new();
        // Blocks appear while others are translated, always later ones.
        while let Some(key) = self.blocks.keys().find(|k| !done.contains(*k)).cloned() {
            done.insert(key.clone());
            let (cx, pc, state) = self.entries[&key].clone();
            self.b.switch_to_block(self.blocks[&key]);
            (self.cx, self.pc, self.st) = (cx, pc, state);
            self.block();
        }
    }

    /// Instructions up to the end of the block.
    fn block(&mut self) {
        let first = self.pc;
        loop {
            let words = self.code().words();
            let w = words[self.pc];
            let op = Op::of(w).expect("verified");
            let next = self.pc + op::len(w);
            if !self.instruction(op, w) {
                return;
            }
            self.pc = next;
            if next != first && self.ctxs[self.cx].shape.leaders.contains(&next) {
                let cx = self.cx;
                self.edge(cx, next);
                return;
            }
            debug_assert!(op.info().flow == Flow::Next);
        }
    }

    // ---- liveness
    /// Does frame word `i` matter to whoever goes on at `pc` of `cx`?
    pub fn matters(&self, cx: usize, pc: usize, i: usize) -> bool {
        let c = &self.ctxs[cx];
        if i > c.base {
            let r = i - c.base;
            return if r == 1 { c.shape.uses_self } else { c.shape.live[pc].contains(r - FRAME_HEADER) };
        }
        self.matters_below(cx, i)
    }
    /// The same for words of the frames that wait for `cx`.
    fn matters_below(&self, cx: usize, i: usize) -> bool {
        match self.ctxs[cx].parent {
            Some((p, _, record)) => {
                let base = self.ctxs[p].base;
                if i > base {
                    // SAFETY: records are permanent.
                    let r = yin_vm::tier::resume_of(record);
                    i - base < r.delta as usize && r.is_live(i - base)
                } else {
                    self.matters_below(p, i)
                }
            }
            None => false,
        }
    }

    // ---- words
    fn var(&mut self, i: usize, float: bool) -> Variable {
        self.var_of(i, if float { Var::Double } else { Var::Word })
    }
    fn var_of(&mut self, i: usize, what: Var) -> Variable {
        if let Some(v) = self.vars.get(&(i, what)) {
            return *v;
        }
        let v = self.b.declare_var(if what == Var::Double { F64 } else { I64 });
        self.vars.insert((i, what), v);
        v
    }
    /// Number of elements of the array in word `i`, whose type is known.
    pub fn array_length(&mut self, i: usize) -> Value {
        debug_assert!(self.ty(i).is_array());
        let var = self.var_of(i, Var::Length);
        self.b.use_var(var)
    }
    /// Word `i` has the array that word `from` has.
    pub fn same_array(&mut self, i: usize, from: Value) {
        let var = self.var_of(i, Var::Length);
        self.b.def_var(var, from);
    }
    /// Word `i` becomes a new value.
    pub fn define(&mut self, i: usize, ty: Ty, v: Value) {
        let var = self.var(i, ty == Ty::F64);
        self.b.def_var(var, v);
        self.st.set(i, Word::new(ty));
    }
    /// Word `i` becomes a fixnum known now.
    pub fn define_known(&mut self, i: usize, n: i64) {
        let v = self.iconst(n << 3);
        self.define(i, Ty::Fix, v);
        self.set_range(i, n, n);
    }
    /// Integer word `i` lies between `lo` and `hi`.
    pub fn set_range(&mut self, i: usize, lo: i64, hi: i64) {
        let Some(mut w) = self.st.get(i) else { return };
        // Bounds that contradict each other come from code that cannot be reached.
        let (lo, hi) = (lo.max(w.lo), hi.min(w.hi));
        if lo <= hi {
            (w.lo, w.hi) = (lo, hi);
            self.st.set(i, w);
        }
    }
    pub fn range(&self, i: usize) -> (i64, i64) {
        self.st.get(i).map_or((i64::MIN, i64::MAX), |w| (w.lo, w.hi))
    }
    fn used(&mut self, i: usize) -> (Word, Value) {
        let w = self.st.get(i).unwrap_or(Word::MEMORY);
        if !w.reg {
            let v = self.b.ins().load(I64, mem(), self.fp, 8 * i as i32);
            let var = self.var(i, false);
            self.b.def_var(var, v);
            let w = Word { reg: true, ..w };
            self.st.set(i, w);
            return (w, v);
        }
        let var = self.var(i, w.ty == Ty::F64);
        (w, self.b.use_var(var))
    }
    pub fn ty(&self, i: usize) -> Ty {
        self.st.get(i).map_or(Ty::Any, |w| w.ty)
    }
    pub fn known(&self, i: usize) -> Option<i64> {
        self.st.get(i).and_then(Word::known)
    }
    fn refine(&mut self, i: usize, ty: Ty) {
        let mut w = self.st.get(i).unwrap_or(Word::MEMORY);
        w.ty = ty;
        let (lo, hi) = ty.range();
        (w.lo, w.hi) = (w.lo.max(lo), w.hi.min(hi));
        self.st.set(i, w);
    }

    /// The tagged word.
    pub fn tagged(&mut self, i: usize) -> Value {
        let (w, v) = self.used(i);
        self.tag(w, v)
    }
    pub fn tag(&mut self, w: Word, v: Value) -> Value {
        match w.ty {
            Ty::I64 if w.is_small() => self.b.ins().ishl_imm_u(v, 3),
            Ty::F64 => {
                let bits = self.b.ins().bitcast(I64, MemFlagsData::new(), v);
                let r = self.b.ins().rotl_imm_u(bits, 3);
                let t = self.b.ins().iadd_imm_s(r, 1);
                let low = self.b.ins().band_imm_u(t, 3);
                self.or_box(low, t, yin_vm::tier::helper::box_f64 as *const () as u64, bits)
            }
            Ty::I64 => {
                let t = self.b.ins().ishl_imm_u(v, 3);
                let back = self.b.ins().sshr_imm_u(t, 3);
                let ok = self.b.ins().icmp(IntCC::Equal, back, v);
                self.or_box(ok, t, yin_vm::tier::helper::box_i64 as *const () as u64, v)
            }
            _ => v,
        }
    }
    /// `t` where `ok`, else what the helper makes of `raw`; an exit, as long as that was never needed.
    fn or_box(&mut self, ok: Value, t: Value, helper: u64, raw: Value) -> Value {
        if self.seen() & saw::OTHER as u16 == 0 && !self.env.plain {
            self.guard(ok);
            return t;
        }
        self.fast_or(
            |p, way| {
                p.need(ok, way);
                t
            },
            |p| p.call(helper, &[raw]),
        )
    }
    /// What failed guards saw at this instruction.
    pub fn seen(&self) -> u16 {
        self.env.vm.seen_at(&self.code().words()[self.pc])
    }

    /// The tagged word of a fixnum; a guard if that is not known.
    pub fn fix(&mut self, i: usize) -> Value {
        let (w, v) = self.used(i);
        match w.ty {
            Ty::Fix => v,
            Ty::I64 if w.is_small() => self.b.ins().ishl_imm_u(v, 3),
            Ty::I64 => {
                let t = self.b.ins().ishl_imm_u(v, 3);
                let back = self.b.ins().sshr_imm_u(t, 3);
                let ok = self.b.ins().icmp(IntCC::Equal, back, v);
                self.guard(ok);
                t
            }
            _ => {
                let v = self.tag(w, v);
                let low = self.b.ins().band_imm_u(v, 7);
                let ok = self.b.ins().icmp_imm_s(IntCC::Equal, low, 0);
                self.guard(ok);
                if w.ty.is_tagged() {
                    self.refine(i, Ty::Fix);
                }
                v
            }
        }
    }
    /// The integer.
    pub fn int(&mut self, i: usize) -> Value {
        if self.ty(i) == Ty::I64 {
            return self.used(i).1;
        }
        let t = self.fix(i);
        self.b.ins().sshr_imm_u(t, 3)
    }
    /// The double, of a double or (as arithmetic does) of an integer.
    pub fn double(&mut self, i: usize) -> Value {
        let (w, v) = self.used(i);
        match w.ty {
            Ty::F64 => v,
            Ty::I64 => self.b.ins().fcvt_from_sint(F64, v),
            Ty::Fix => match w.known() {
                Some(n) => self.b.ins().f64const(n as f64),
                None => {
                    let n = self.b.ins().sshr_imm_u(v, 3);
                    self.b.ins().fcvt_from_sint(F64, n)
                }
            },
            _ => {
                let low = self.b.ins().band_imm_u(v, 3);
                if self.seen() & saw::FIX as u16 == 0 {
                    self.guard(low);
                    let f = self.untag_double(v);
                    let var = self.var(i, true);
                    self.b.def_var(var, f);
                    self.refine(i, Ty::F64);
                    return f;
                }
                // Integers come here too.
                let (inline, other, done) = (self.b.create_block(), self.b.create_block(), self.b.create_block());
                let out = self.b.append_block_param(done, F64);
                self.b.ins().brif(low, inline, &[], other, &[]);
                self.b.switch_to_block(inline);
                let f = self.untag_double(v);
                self.b.ins().jump(done, &[BlockArg::Value(f)]);
                self.b.switch_to_block(other);
                let tag = self.b.ins().band_imm_u(v, 7);
                let ok = self.b.ins().icmp_imm_s(IntCC::Equal, tag, 0);
                self.guard(ok);
                let n = self.b.ins().sshr_imm_u(v, 3);
                let f = self.b.ins().fcvt_from_sint(F64, n);
                self.b.ins().jump(done, &[BlockArg::Value(f)]);
                self.b.switch_to_block(done);
                out
            }
        }
    }
    pub fn untag_double(&mut self, v: Value) -> Value {
        let x = self.b.ins().iadd_imm_s(v, -1);
        let bits = self.b.ins().rotr_imm_u(x, 3);
        self.b.ins().bitcast(F64, MemFlagsData::new(), bits)
    }
    /// The tagged word of an array of that sort; a guard if that is not known.
    pub fn array(&mut self, i: usize, ty: Ty) -> Value {
        let (w, v) = self.used(i);
        if w.ty == ty {
            return v;
        }
        let v = self.tag(w, v);
        let elem = if ty == Ty::Longs { yin_vm::prim::coll::elem::LONG } else { yin_vm::prim::coll::elem::DOUBLE };
        let is_ref = self.is_ref(v);
        self.guard(is_ref);
        let h = self.header(v);
        let masked = self.b.ins().band_imm_u(h, 0xFFFF_00FF);
        let ok = self.b.ins().icmp_imm_u(IntCC::Equal, masked, Kind::PrimArray as i64 | (elem as i64) << 16);
        self.guard(ok);
        // Loaded on its own: what is computed from the header would be computed again wherever it is needed.
        let length = self.b.ins().uload32(mem(), v, 0);
        self.same_array(i, length);
        self.refine(i, ty);
        v
    }
    /// Is the tagged word a reference?
    pub fn is_ref(&mut self, v: Value) -> Value {
        let low = self.b.ins().band_imm_u(v, 7);
        let tag = self.b.ins().icmp_imm_s(IntCC::Equal, low, 4);
        let big = self.b.ins().icmp_imm_u(IntCC::UnsignedGreaterThan, v, 0xFFFF_FFFF);
        self.b.ins().band(tag, big)
    }
    /// Header of the object that `v` refers to.
    pub fn header(&mut self, v: Value) -> Value {
        self.b.ins().load(I64, mem(), v, -4)
    }
    /// Payload word `i` of the object that `v` refers to.
    pub fn payload(&mut self, v: Value, i: usize) -> Value {
        self.b.ins().load(I64, mem(), v, 4 + 8 * i as i32)
    }

    // ---- leaving
    pub fn iconst(&mut self, n: i64) -> Value {
        self.b.ins().iconst(I64, n)
    }
    pub fn vm(&mut self) -> Value {
        self.b.ins().get_pinned_reg(I64)
    }
    pub fn field(&mut self, offset: i32) -> Value {
        let vm = self.vm();
        self.b.ins().load(I64, mem(), vm, offset)
    }
    fn signature(&mut self, tail: bool, n: usize) -> SigRef {
        if let Some(s) = self.sigs.get(&(tail, n)) {
            return *s;
        }
        let sig = if tail {
            tail_signature(n)
        } else {
            let mut s = Signature::new(CallConv::SystemV);
            (0..n).for_each(|_| s.params.push(AbiParam::new(I64)));
            s.returns.push(AbiParam::new(I64));
            s
        };
        let r = self.b.import_signature(sig);
        self.sigs.insert((tail, n), r);
        r
    }
    /// Ends the block with a jump to another piece.
    pub fn tail(&mut self, target: Value, args: &[Value]) {
        self.n_tails += 1;
        let sig = self.signature(true, args.len());
        self.b.set_srcloc(SourceLoc::new(self.n_tails));
        self.b.ins().return_call_indirect(sig, target, args);
        self.b.set_srcloc(SourceLoc::default());
    }
    /// Calls a helper; the machine is the first argument.
    pub fn call(&mut self, helper: u64, args: &[Value]) -> Value {
        self.native_calls = true;
        let vm = self.vm();
        let mut all = vec![vm];
        all.extend(args);
        let sig = self.signature(false, all.len());
        let f = self.iconst(helper as i64);
        let call = self.b.ins().call_indirect(sig, f, &all);
        self.b.inst_results(call)[0]
    }
    /// The same for a helper that may answer `FAULT`.
    pub fn call_checked(&mut self, helper: u64, args: &[Value]) -> Value {
        let v = self.call(helper, args);
        let ok = self.b.ins().icmp_imm_u(IntCC::NotEqual, v, FAULT as i64);
        self.check(ok, Why::Fault);
        v
    }

    // ---- fast ways
    /// A word made on a fast way, or by `slow` where something the fast way needs does not hold.
    pub fn fast_or(
        &mut self,
        fast: impl FnOnce(&mut Self, Way) -> Value,
        slow: impl FnOnce(&mut Self) -> Value,
    ) -> Value {
        let way = Way { slow: self.b.create_block(), done: self.b.create_block() };
        let out = self.b.append_block_param(way.done, I64);
        let v = fast(self, way);
        self.b.ins().jump(way.done, &[BlockArg::Value(v)]);
        self.b.switch_to_block(way.slow);
        let v = slow(self);
        self.b.ins().jump(way.done, &[BlockArg::Value(v)]);
        self.b.switch_to_block(way.done);
        out
    }
    /// Goes the slow way unless `ok`.
    pub fn need(&mut self, ok: Value, way: Way) {
        let on = self.b.create_block();
        self.b.ins().brif(ok, on, &[], way.slow, &[]);
        self.b.switch_to_block(on);
    }
    /// `v` is the result if `cond`.
    pub fn answer_if(&mut self, cond: Value, v: Value, way: Way) {
        let on = self.b.create_block();
        self.b.ins().brif(cond, way.done, &[BlockArg::Value(v)], on, &[]);
        self.b.switch_to_block(on);
    }
    /// Kind of the object that `v` refers to; the slow way if it is no reference.
    pub fn kind_of(&mut self, v: Value, way: Way) -> Value {
        let is_ref = self.is_ref(v);
        self.need(is_ref, way);
        let h = self.header(v);
        self.b.ins().band_imm_u(h, 0xFF)
    }
    /// Is it one of the kinds? One comparison for neighbours in the table of kinds.
    pub fn is_one_of(&mut self, kind: Value, kinds: &[Kind]) -> Value {
        let (first, last) = (kinds[0] as i64, kinds[kinds.len() - 1] as i64);
        debug_assert!(kinds.windows(2).all(|w| w[1] as i64 == w[0] as i64 + 1), "neighbours, in order");
        if first == last {
            return self.b.ins().icmp_imm_u(IntCC::Equal, kind, first);
        }
        let n = self.b.ins().iadd_imm_s(kind, -first);
        self.b.ins().icmp_imm_u(IntCC::UnsignedLessThanOrEqual, n, last - first)
    }
    /// Goes the slow way unless `v` refers to an object of one of the kinds, neighbours in the table of kinds.
    pub fn need_kind(&mut self, v: Value, kinds: &[Kind], way: Way) {
        let kind = self.kind_of(v, way);
        let is = self.is_one_of(kind, kinds);
        self.need(is, way);
    }

    /// Leaves unless `ok`: the interpreter runs this instruction.
    pub fn guard(&mut self, ok: Value) {
        self.guards += 1;
        self.check(ok, Why::Guard)
    }
    fn check(&mut self, ok: Value, why: Why) {
        let (cx, pc) = (self.cx, self.pc);
        self.check_at(ok, why, cx, pc, 0)
    }
    fn check_at(&mut self, ok: Value, why: Why, cx: usize, pc: usize, word: usize) {
        let (on, out) = (self.b.create_block(), self.b.create_block());
        self.b.set_cold_block(out);
        let point = self.point(why, cx, pc, word);
        let ok = if self.env.fail_once && why == Why::Guard {
            // Stress mode `exit`: fails as long as the point was never left through.
            let count = self.iconst(&self.env.exits[point].count as *const AtomicU64 as i64);
            let n = self.b.ins().load(I64, mem(), count, 0);
            let before = self.b.ins().icmp_imm_s(IntCC::NotEqual, n, 0);
            let zero = self.iconst(0);
            let ok =
                if self.b.func.dfg.value_type(ok) == I64 { self.b.ins().icmp(IntCC::NotEqual, ok, zero) } else { ok };
            self.b.ins().band(ok, before)
        } else {
            ok
        };
        self.b.ins().brif(ok, on, &[], out, &[]);
        self.b.switch_to_block(out);
        self.leave_at(point, cx, pc);
        self.b.switch_to_block(on);
    }
    /// A new exit point; its index.
    fn point(&mut self, why: Why, cx: usize, pc: usize, word: usize) -> usize {
        let base = self.ctxs[cx].base;
        self.env.exits.push(Box::new(ExitPoint {
            why,
            pc: pc as u32,
            code: self.ctxs[cx].code,
            count: AtomicU64::new(0),
            owner: self.env.code,
            word: (word as i32 - base as i32).max(0) as u32,
            raw: Vec::new(),
        }));
        self.env.exits.len() - 1
    }
    /// Ends the block by leaving to `pc` of `cx`. `word`: the frame word whose type was wrong, if it is no operand.
    pub fn exit(&mut self, why: Why, cx: usize, pc: usize, word: usize) {
        let point = self.point(why, cx, pc, word);
        self.leave_at(point, cx, pc)
    }
    fn leave_at(&mut self, point: usize, cx: usize, pc: usize) {
        let base = self.ctxs[cx].base;
        let mut raw = Vec::new();
        for i in 1..self.st.0.len() {
            let Some(w) = self.st.get(i) else { continue };
            if !w.reg || w.clean || !self.matters(cx, pc, i) {
                continue;
            }
            let var = self.var(i, w.ty == Ty::F64);
            let v = self.b.use_var(var);
            self.b.ins().store(mem(), v, self.fp, 8 * i as i32);
            match w.ty {
                Ty::I64 => raw.push((i as i32 - base as i32, Raw::I64)),
                Ty::F64 => raw.push((i as i32 - base as i32, Raw::F64)),
                _ => {}
            }
        }
        self.headers(cx);
        self.env.exits[point].raw = raw;
        let info = self.iconst(&*self.env.exits[point] as *const ExitPoint as i64);
        let fp = self.frame(base);
        let stub = self.iconst(self.env.side_exit as i64);
        self.tail(stub, &[fp, info]);
    }
    pub fn frame(&mut self, base: usize) -> Value {
        if base == 0 { self.fp } else { self.b.ins().iadd_imm_s(self.fp, 8 * base as i64) }
    }
    /// Writes the header words of inlined frames up to `cx`.
    fn headers(&mut self, cx: usize) {
        let mut at = cx;
        while let Some((p, _, record)) = self.ctxs[at].parent {
            let r = self.iconst(record as i64);
            self.b.ins().store(mem(), r, self.fp, 8 * self.ctxs[at].base as i32);
            at = p;
        }
    }

    /// A place where others may be served: function entry or loop header `pc`.
    pub fn safe_point(&mut self, pc: usize, entry: bool) {
        let cx = self.cx;
        if self.env.metered {
            let vm = self.vm();
            let n = self.b.ins().load(I64, mem(), vm, offset::STEPS);
            let n = self.b.ins().iadd_imm_s(n, -1);
            self.b.ins().store(mem(), n, vm, offset::STEPS);
            let ok = self.b.ins().icmp_imm_s(IntCC::SignedGreaterThanOrEqual, n, 0);
            self.check_at(ok, Why::Poll, cx, pc, 0);
        }
        let limit = self.field(offset::LIMIT);
        let ok = if entry {
            let fp = self.fp;
            self.b.ins().icmp(IntCC::UnsignedLessThanOrEqual, fp, limit)
        } else {
            self.b.ins().icmp_imm_s(IntCC::NotEqual, limit, 0)
        };
        self.check_at(ok, Why::Poll, cx, pc, 0);
    }

    // ---- edges
    /// Ends the block by going on at `pc` of `cx`.
    pub fn edge(&mut self, cx: usize, pc: usize) {
        // Where every call of a loop was inlined, or none is reached, its piece goes round by itself.
        if cx == 0 && self.env.shape.borders.contains(&pc) && self.home != Start::At(pc) {
            return self.border(pc);
        }
        self.enter_block(cx, pc)
    }

    fn enter_block(&mut self, cx: usize, pc: usize) {
        let key = self.key(cx, pc);
        let mut s = self.st.clone();
        s.retain(|i| self.matters(cx, pc, i));
        let t = match self.entries.get(&key) {
            Some((.., old)) => {
                if let Some(demands) = self.demands.get(&key)
                    && !self.is_back_edge(cx, pc)
                {
                    demands.iter().for_each(|d| s.demand(*d));
                }
                let mut t = old.join(&s);
                if t != *old && self.ctxs[cx].shape.loops.contains_key(&pc) {
                    let n = self.weakened.entry(key.clone()).or_default();
                    *n += 1;
                    t.widen(old, *n > 2);
                }
                t
            }
            None => {
                let (t, demands) = self.at_header(cx, pc, s);
                self.demands.insert(key.clone(), demands);
                t
            }
        };
        let known = self.entries.get(&key).map(|e| &e.2);
        if known != Some(&t) {
            self.changed = true;
            self.entries.insert(key.clone(), (cx, pc, t.clone()));
        }
        let block = match self.blocks.get(&key) {
            Some(b) => *b,
            None => {
                let b = self.b.create_block();
                self.blocks.insert(key, b);
                b
            }
        };
        self.convert(cx, pc, &t);
        self.b.ins().jump(block, &[]);
    }

    /// Does the edge being made to the loop header `pc` of `cx` come from inside the loop?
    fn is_back_edge(&self, cx: usize, pc: usize) -> bool {
        let (mut at, mut from) = (self.cx, self.pc);
        while at != cx {
            let Some((parent, call, _)) = self.ctxs[at].parent else { return false };
            (at, from) = (parent, call);
        }
        !self.starting && self.ctxs[cx].shape.loops.get(&pc).is_some_and(|end| (pc..=*end).contains(&from))
    }

    /// Brings the words into the form that `t` says.
    fn convert(&mut self, cx: usize, pc: usize, t: &State) {
        for i in 1..t.0.len() {
            let (Some(to), Some(from)) = (t.get(i), self.st.get(i)) else { continue };
            if to.reg && !from.reg {
                self.used(i);
            }
            if !to.reg {
                continue;
            }
            if from.ty != to.ty {
                self.retype(cx, pc, i, to.ty);
            }
            let mut w = self.st.get(i).expect("there");
            w.ty = to.ty;
            if to.ty.is_int() && (to.lo > w.lo || to.hi < w.hi) {
                let v = self.used(i).1;
                let shift = if to.ty == Ty::Fix { 3 } else { 0 };
                let from_lo = self.b.ins().iadd_imm_s(v, (to.lo << shift).wrapping_neg());
                let ok = self.b.ins().icmp_imm_u(
                    IntCC::UnsignedLessThanOrEqual,
                    from_lo,
                    to.hi.wrapping_sub(to.lo) << shift,
                );
                self.guards += 1;
                self.check_at(ok, Why::Guard, cx, pc, i);
            }
            (w.lo, w.hi) = (to.lo, to.hi);
            self.st.set(i, w);
        }
    }
    /// Brings word `i` into the form of a type; leaves to `pc` of `cx` where it is not of it.
    fn retype(&mut self, cx: usize, pc: usize, i: usize, to: Ty) {
        let (w, v) = self.used(i);
        let here = (self.cx, self.pc);
        match (w.ty, to) {
            (Ty::Fix, Ty::I64) => {
                let n = self.b.ins().sshr_imm_u(v, 3);
                let var = self.var(i, false);
                self.b.def_var(var, n);
                // The frame has the same integer, tagged; it is written again if need be.
            }
            (Ty::F64 | Ty::I64, _) => {
                (self.cx, self.pc) = (cx, pc);
                let v = self.tag(w, v);
                (self.cx, self.pc) = here;
                let var = self.var(i, false);
                self.b.def_var(var, v);
            }
            (_, Ty::Any) => {}
            // Demanded by the loop that starts here.
            (_, Ty::Fix | Ty::I64) => {
                let low = self.b.ins().band_imm_u(v, 7);
                let ok = self.b.ins().icmp_imm_s(IntCC::Equal, low, 0);
                self.guards += 1;
                self.check_at(ok, Why::Guard, cx, pc, i);
                if to == Ty::I64 {
                    let n = self.b.ins().sshr_imm_u(v, 3);
                    let var = self.var(i, false);
                    self.b.def_var(var, n);
                }
            }
            (_, Ty::F64) => {
                let ok = self.b.ins().band_imm_u(v, 3);
                self.guards += 1;
                self.check_at(ok, Why::Guard, cx, pc, i);
                let f = self.untag_double(v);
                let var = self.var(i, true);
                self.b.def_var(var, f);
            }
            (_, Ty::Longs | Ty::Doubles) => {
                (self.cx, self.pc) = (cx, pc);
                self.array(i, to);
                (self.cx, self.pc) = here;
            }
            (_, Ty::Bool) => unreachable!("no edge asks for {to:?} of {:?}", w.ty),
        }
        let mut now = self.st.get(i).expect("there");
        let (lo, hi) = to.range();
        (now.ty, now.lo, now.hi) = (to, now.lo.max(lo), now.hi.min(hi));
        self.st.set(i, now);
    }

    /// The state at a block met for the first time: at a loop header, values are in registers and of the types the loop needs.
    /// Second: what must be checked for that.
    fn at_header(&self, cx: usize, pc: usize, mut s: State) -> (State, Vec<Demand>) {
        let c = &self.ctxs[cx];
        let mut demands = Vec::new();
        if !c.shape.loops.contains_key(&pc) {
            return (s, demands);
        }
        let words = code_at(c.code).words();
        // Who comes from outside into an inner loop comes into the outer ones too, innermost first.
        let starting = self.starting;
        let around = c.shape.loops.range(..=pc).rev().filter(|(h, end)| **h == pc || starting && **end >= pc);
        let mut done = BTreeSet::new();
        for (&first, &end) in around {
            let mut at = first;
            let mut defined = BTreeSet::new();
            let mut uses = BTreeSet::new();
            while at <= end {
                op::registers(&words[at..], |r, def| {
                    if def {
                        defined.insert(r);
                    } else {
                        uses.insert(r);
                    }
                });
                at += op::len(words[at]);
            }
            for r in uses {
                if !done.insert(r) {
                    continue;
                }
                let i = c.base + FRAME_HEADER + r;
                let Some(mut w) = s.get(i) else { continue };
                w.reg = true;
                s.set(i, w);
                let wanted = self.demand(cx, pc, (first, end), r, &s);
                let wide = self.env.vm.seen_word(&words[pc], FRAME_HEADER + r) & saw::WIDE as u16 != 0;
                let int = if w.ty == Ty::Any { wanted == Some(Ty::Fix) } else { w.ty.is_int() && wanted.is_some() };
                let demand = Demand { word: i, ty: wanted.filter(|_| w.ty == Ty::Any), small: int && !wide };
                if demand.ty.is_some() || demand.small {
                    s.demand(demand);
                    demands.push(demand);
                }
                let mut w = s.get(i).expect("there");
                if defined.contains(&r) && w.ty.is_int() {
                    // Counted up, most often, to something small.
                    w.hi = w.hi.max(if wide { w.ty.range().1 } else { SMALL });
                }
                s.set(i, w);
            }
        }
        (s, demands)
    }

    /// Type that a loop will want of register `r` at the header `pc`, from the first instruction of it that says.
    fn demand(&self, cx: usize, pc: usize, (first, end): (usize, usize), r: usize, s: &State) -> Option<Ty> {
        if self.env.plain {
            return None;
        }
        let c = &self.ctxs[cx];
        let words = code_at(c.code).words();
        let seen = self.env.vm.seen_word(&words[pc], FRAME_HEADER + r);
        let seen = seen as u8 & !saw::WIDE;
        if seen & saw::OTHER != 0 || seen.count_ones() > 1 {
            return None;
        }
        let mut at = first;
        let mut wanted = None;
        while at <= end && wanted.is_none() {
            let w = words[at];
            let op = Op::of(w).expect("verified");
            let mut reads = false;
            op::registers(&words[at..], |x, def| reads |= !def && x == r);
            if reads {
                wanted = self.wants(cx, at, op, w, r, s);
            }
            at += op::len(w);
        }
        let wanted = wanted?;
        let from_seen = match seen {
            saw::FIX => Some(Ty::Fix),
            saw::DOUBLE => Some(Ty::F64),
            saw::LONGS => Some(Ty::Longs),
            saw::DOUBLES => Some(Ty::Doubles),
            _ => None,
        };
        let from_frame = match self.env.frame {
            Some((at, frame)) if cx == 0 && at == pc => {
                let v = frame.word(FRAME_HEADER + r);
                Some(yin_vm::tier::seen_of(v)).and_then(|b| match b {
                    saw::FIX => Some(Ty::Fix),
                    saw::DOUBLE => Some(Ty::F64),
                    saw::LONGS => Some(Ty::Longs),
                    saw::DOUBLES => Some(Ty::Doubles),
                    _ => None,
                })
            }
            _ => None,
        };
        Some(from_seen.or(from_frame).unwrap_or(wanted))
    }

    fn wants(&self, cx: usize, at: usize, op: Op, w: op::Word, r: usize, s: &State) -> Option<Ty> {
        let seen = self.env.vm.seen_at(&code_at(self.ctxs[cx].code).words()[at]);
        if seen & saw::OTHER as u16 != 0 {
            return None;
        }
        let other = |x: usize| s.get(self.ctxs[cx].base + FRAME_HEADER + x).map_or(Ty::Any, |w| w.ty);
        let aux = op::aux(w);
        let number = |y: Option<usize>| {
            if seen & saw::DOUBLE as u16 != 0
                || (aux & op::mode::SAW_DOUBLE != 0)
                || y.is_some_and(|y| other(y) == Ty::F64)
            {
                if seen & saw::FIX as u16 != 0 { None } else { Some(Ty::F64) }
            } else if aux & op::mode::SAW_OTHER != 0 {
                None
            } else {
                Some(Ty::Fix)
            }
        };
        let pair = |a: usize, b: usize| number(Some(if a == r { b } else { a }));
        match op {
            Op::JNLt | Op::JNLe | Op::JNGt | Op::JNGe | Op::JNNum => pair(op::a(w), op::b(w)),
            Op::JNLtI | Op::JNLeI | Op::JNGtI | Op::JNGeI | Op::JNNumI => number(None),
            Op::Add | Op::Sub | Op::Mul | Op::Lt | Op::Le | Op::Gt | Op::Ge | Op::NumEq => pair(op::b(w), op::c(w)),
            Op::Div => (pair(op::b(w), op::c(w)) == Some(Ty::F64)).then_some(Ty::F64),
            Op::Quot | Op::Rem | Op::Mod | Op::And | Op::Or | Op::Xor | Op::Shl | Op::Shr | Op::UShr => Some(Ty::Fix),
            Op::AddI | Op::MulI | Op::QuotI | Op::RemI | Op::AndI | Op::ShlI | Op::ShrI => number(None),
            Op::AGet if r == op::c(w) => Some(Ty::Fix),
            Op::ASet if r == op::b(w) => Some(Ty::Fix),
            Op::AGet | Op::ASet if r == if op == Op::AGet { op::b(w) } else { op::a(w) } => {
                if aux & op::mode::SAW_OTHER != 0 {
                    None
                } else if aux & op::mode::SAW_DOUBLE != 0 {
                    Some(Ty::Doubles)
                } else {
                    Some(Ty::Longs)
                }
            }
            Op::Nth if r == op::c(w) => Some(Ty::Fix),
            _ => None,
        }
    }

    /// Ends the piece at a loop header that is a piece of its own.
    fn border(&mut self, pc: usize) {
        self.pc = pc;
        self.flush(0, |p, i| p.matters(0, pc, i));
        let record = self.env.vm.loop_record(self.env.code, pc);
        let delta = self.env.code.frame_words();
        let r = self.iconst(record as i64);
        self.b.ins().store(mem(), r, self.fp, 8 * delta as i32);
        let target = self.b.ins().load(I64, mem(), r, offset::RESUME_CODE);
        let top = self.frame(delta);
        let nil = self.iconst(4);
        self.tail(target, &[top, nil]);
    }

    /// Puts every word that `wanted` names into the frame, tagged.
    pub fn flush(&mut self, cx: usize, wanted: impl Fn(&Self, usize) -> bool) {
        for i in 1..self.st.0.len() {
            let Some(w) = self.st.get(i) else { continue };
            if !w.reg || w.clean || !wanted(self, i) {
                continue;
            }
            let v = self.tagged(i);
            self.b.ins().store(mem(), v, self.fp, 8 * i as i32);
            let mut w = self.st.get(i).expect("there");
            w.clean = true;
            self.st.set(i, w);
        }
        self.headers(cx);
    }
    /// Everything that lives across the call with `record` goes to the frame.
    pub fn flush_call(&mut self, record: &Resume) {
        let (cx, base) = (self.cx, self.ctxs[self.cx].base);
        self.flush(cx, |p, i| {
            if i > base { i - base < record.delta as usize && record.is_live(i - base) } else { p.matters_below(cx, i) }
        })
    }

    /// Which inlined frame a call leads to, if it was inlined in an earlier translation.
    pub fn inlined_at(&self, cx: usize, pc: usize) -> Option<usize> {
        self.inlined.get(&self.key(cx, pc)).copied()
    }
    /// A new inlined frame for the call at `pc` of `cx`.
    pub fn inline(&mut self, cx: usize, pc: usize, code: *const Code, window: usize, record: *const Resume) -> usize {
        let shape = match self.env.shapes.get(&(code as usize)) {
            Some(s) => s.clone(),
            None => {
                let s = Rc::new(flow::shape(code_at(code)));
                self.env.shapes.insert(code as usize, s.clone());
                s
            }
        };
        let path = self.key(cx, pc);
        let base = self.ctxs[cx].base + window + 1;
        self.ctxs.push(Ctx { code, shape, base, parent: Some((cx, pc, record)), path: path.clone() });
        self.env.n_inlined += 1;
        self.inlined.insert(path, self.ctxs.len() - 1);
        self.ctxs.len() - 1
    }
    /// Depth of inlining at `cx`, and whether `code` is being inlined in it already.
    pub fn depth(&self, cx: usize, code: *const Code) -> (usize, usize) {
        let (mut n, mut same, mut at) = (0, (self.ctxs[cx].code == code) as usize, cx);
        while let Some((p, ..)) = self.ctxs[at].parent {
            n += 1;
            at = p;
            same += (self.ctxs[at].code == code) as usize;
        }
        (n, same)
    }
    /// Forgets the words of frame `cx`, which is left.
    pub fn drop_frame(&mut self, cx: usize) {
        let base = self.ctxs[cx].base;
        (base..self.st.0.len()).for_each(|i| self.st.clear(i));
    }

    /// Address of the piece for a call with `n` arguments through a function's entry table.
    pub fn entry_of(&mut self, proto: Value, n: usize) -> Value {
        debug_assert!(n < FAST_ARITIES);
        self.b.ins().load(I64, mem(), proto, offset::PROTO_ENTRY + 8 * n as i32)
    }
    pub fn interpreter_entry(&mut self, n: usize) -> Value {
        self.iconst(abi::stubs().entry[n] as i64)
    }
    pub fn merge_param(&mut self, block: Block, ty: Type) -> Value {
        self.b.append_block_param(block, ty)
    }
}
