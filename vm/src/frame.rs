//! Frames and resume records: the one description of an activation that interpreter, collector, exceptions, continuations,
//! traces, compiler and queries read.
//!
//! ```text
//! fp[0]      *const Resume   where this activation returns to; describes the CALLER's frame
//! fp[1]      callee closure
//! fp[2 + i]  register i; arguments are registers 0..n
//! ```
//!
//! The stack grows up. A caller that suspends at a point with record `R` has its callee at `fp + R.delta`; nothing saves
//! `fp`. Frames hold no addresses of frames, so copying words moves them.
//!
//! # Invariants
//! 1. Every header word on the stack and in a `Seg` points at a `Resume` that lives as long as the machine.
//! 2. Code was verified when installed: its register operands are below `n_regs`, its jumps land on instructions.
//! 3. A slot that `live` names holds a tagged word at that point.

use crate::code::Handler;
use crate::heap::Heap;
use crate::layout::{FRAME_HEADER, slot};
use crate::op::{OP_COUNT, Op, Word};
use crate::value::{Obj, Value};
use std::sync::atomic::{AtomicI32, AtomicPtr, AtomicU16, Ordering};

/// Flags of a resume record.
pub mod flag {
    /// The frame belongs to Rust code: `Resume::native` says which; every slot from 1 on is tagged.
    pub const NATIVE: u16 = 1;
    /// The value delivered is dropped: the instruction at `pc` runs (again).
    pub const DISCARD: u16 = 2;
    /// `live` is a pointer to words of bits, not the bits.
    pub const WIDE: u16 = 4;
    /// `Resume::code` was set to machine code: returning looks there first.
    pub const COMPILED: u16 = 8;
}

/// Rust code that a value may be returned to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u16)]
pub enum Native {
    /// End of a run: the value is its result.
    Halt,
    /// Bottom of the stack: more frames may lie in the heap.
    Underflow,
    /// `[cell, cells to realise beyond it, restarts so far]`: the value becomes the content of a lazy seq.
    Force,
    /// `[answers]`: the value is the next answer to a primitive that called out.
    Replay,
    /// `[callee, args…]`: a callable that is not code is (run again and) called.
    Activate,
    /// `[tag, handler]`: a prompt.
    Prompt,
    /// `[before, after, old winds]`: inside a dynamic-wind.
    Wind,
    /// `[before, thunk, after]`: before ran, now the thunk.
    WindBefore,
    /// `[value, raise?]`: after ran; go on returning or raising the value.
    WindAfter,
    /// `[kont, value, winds still to enter]`: entering the winds of a continuation that is applied.
    Rewind,
    /// `[kont, value, winds still to leave]`: leaving winds before a continuation is applied.
    Unwind,
    /// `[old bindings, own bindings]`: inside a `binding`.
    Bind,
    /// `[loader]`: a form of a file was evaluated, now the next.
    Load,
    /// `[delay]`: the value becomes the content of a delay.
    Delay,
    /// `[tag, handler, vs, winds]`: leaving winds of frames that an abort drops.
    AbortUnwind,
}

impl Native {
    /// All of them, by number; the numbers are part of the format of frozen frames.
    const ALL: [Native; 15] = {
        use Native::*;
        [
            Halt,
            Underflow,
            Force,
            Replay,
            Activate,
            Prompt,
            Wind,
            WindBefore,
            WindAfter,
            Rewind,
            Unwind,
            Bind,
            Load,
            Delay,
            AbortUnwind,
        ]
    };
    pub(crate) fn from_number(n: u8) -> Option<Native> {
        Native::ALL.get(n as usize).copied().filter(|x| *x as u8 == n)
    }
}

/// Where an activation goes on when the one above it returns.
#[repr(C)]
pub struct Resume {
    /// Compiled continuation, null when there is none.
    pub code: AtomicPtr<u8>,
    /// Words of the suspended frame: its callee's frame starts at `fp + delta`.
    pub delta: u32,
    /// Register that takes the value.
    pub dst: u16,
    pub flags: AtomicU16,
    /// Next instruction; for native frames unused.
    pub pc: *const Word,
    /// Code of the suspended frame; null for native frames.
    pub owner: *const Code,
    /// One bit a slot (bit 0 = header, never set): holds a live tagged word. A pointer if `WIDE`.
    pub live: u64,
    /// `Native` of a native frame.
    pub native: u16,
    /// Position in source order: AST node of the suspended call.
    pub node: u32,
    /// Representation of compiled frames' slots; null = all tagged.
    pub kinds: *const u8,
    /// The interpreter's record for the same point; null in the interpreter's own records.
    pub canon: *const Resume,
}

/// One arity of a function, installed. Lives in permanent memory.
#[repr(C)]
pub struct Code {
    pub words: *mut Word,
    pub consts: *mut Value,
    pub sites: *const Resume,
    pub n_words: u32,
    pub n_consts: u32,
    pub n_sites: u32,
    pub n_handlers: u32,
    pub handlers: *const Handler,
    /// AST node by position.
    pub src: *const u32,
    pub locals: *const Local,
    pub n_locals: u32,
    /// Registers, windows included.
    pub n_regs: u16,
    pub n_params: u8,
    pub variadic: u8,
    pub proto: *const Proto,
    /// Machine code of the entry; null = none, `tier::ASK` = to be made before it runs.
    pub native: AtomicPtr<u8>,
    /// How often the code was found running at a poll.
    pub hot: AtomicI32,
    pub id: u32,
}

/// A named local of a code: for traces, debuggers and queries.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Local {
    /// Interned name.
    pub name: u32,
    pub reg: u32,
    pub start: u32,
    pub end: u32,
}

/// Fixed arities reachable without search: 0..FAST_ARITIES arguments.
pub const FAST_ARITIES: usize = 6;

/// A function: what closures of it share. Lives in permanent memory.
#[repr(C)]
pub struct Proto {
    /// Native entry by number of arguments (last: any); null when there is none.
    pub entry: [AtomicPtr<u8>; FAST_ARITIES],
    /// Code by number of arguments; null = look further.
    pub codes: [*const Code; FAST_ARITIES],
    /// Arity with a rest parameter, or null.
    pub variadic: *const Code,
    /// All arities.
    pub all: *const *const Code,
    pub n_all: u32,
    pub n_captures: u32,
    /// Symbol, or nil.
    pub name: Value,
    pub node: u32,
    pub id: u32,
}

impl Proto {
    /// The code for `argc` arguments and whether it takes a rest list.
    pub fn select(&self, argc: usize) -> Option<&Code> {
        // SAFETY: pointers in a Proto are null or permanent (invariant 1 of this module).
        unsafe {
            for i in 0..self.n_all as usize {
                let code = &**self.all.add(i);
                if code.variadic == 0 && code.n_params as usize == argc {
                    return Some(code);
                }
            }
            match self.variadic.as_ref() {
                Some(code) if argc >= code.n_params as usize => Some(code),
                _ => None,
            }
        }
    }
    /// Every arity, in source order.
    pub fn arities(&self) -> impl Iterator<Item = &Code> {
        // SAFETY: as above.
        (0..self.n_all as usize).map(|i| unsafe { &**self.all.add(i) })
    }
}

impl Code {
    pub fn words(&self) -> &[Word] {
        // SAFETY: `n_words` words were installed there; only quickening writes them, from the same thread.
        unsafe { std::slice::from_raw_parts(self.words, self.n_words as usize) }
    }
    pub fn consts(&self) -> &[Value] {
        // SAFETY: as above.
        unsafe { std::slice::from_raw_parts(self.consts, self.n_consts as usize) }
    }
    pub fn handlers(&self) -> &[Handler] {
        // SAFETY: as above.
        unsafe { std::slice::from_raw_parts(self.handlers, self.n_handlers as usize) }
    }
    pub fn sites(&self) -> &[Resume] {
        // SAFETY: as above.
        unsafe { std::slice::from_raw_parts(self.sites, self.n_sites as usize) }
    }
    pub fn locals(&self) -> &[Local] {
        // SAFETY: as above.
        unsafe { std::slice::from_raw_parts(self.locals, self.n_locals as usize) }
    }
    /// AST node of the instruction at `pc`.
    pub fn node_at(&self, pc: usize) -> u32 {
        // SAFETY: `src` has one entry a word.
        if pc < self.n_words as usize { unsafe { *self.src.add(pc) } } else { 0 }
    }
    /// Index of an instruction pointer into this code.
    pub fn index(&self, pc: *const Word) -> usize {
        (pc as usize - self.words as usize) / 8
    }
    /// The innermost handler that covers the instruction at `pc`.
    pub fn handler_at(&self, pc: usize) -> Option<&Handler> {
        self.handlers().iter().find(|h| (h.start as usize..h.end as usize).contains(&pc))
    }
    pub fn proto(&self) -> &Proto {
        // SAFETY: set when installed, permanent.
        unsafe { &*self.proto }
    }
    /// Words of a frame of this code.
    pub fn frame_words(&self) -> usize {
        FRAME_HEADER + self.n_regs as usize
    }
}

impl Resume {
    #[inline(always)]
    pub fn flags(&self) -> u16 {
        self.flags.load(Ordering::Relaxed)
    }
    #[inline(always)]
    pub fn is_native(&self) -> bool {
        self.flags() & flag::NATIVE != 0
    }
    pub fn native(&self) -> Option<Native> {
        if !self.is_native() {
            return None;
        }
        // SAFETY: native records are made by `native_record` from a `Native`.
        Some(unsafe { std::mem::transmute::<u16, Native>(self.native) })
    }
    /// Is slot `i` (1..delta) a live tagged word?
    #[inline(always)]
    pub fn is_live(&self, i: usize) -> bool {
        if self.flags() & flag::NATIVE != 0 {
            return true;
        }
        if self.flags() & flag::WIDE == 0 {
            return i < 64 && self.live >> i & 1 != 0;
        }
        // SAFETY: a wide record points at `delta` bits, rounded up to words.
        unsafe { *(self.live as *const u64).add(i / 64) >> (i % 64) & 1 != 0 }
    }
    pub fn owner(&self) -> Option<&Code> {
        // SAFETY: null or permanent.
        unsafe { self.owner.as_ref() }
    }
}

/// Fills the live bits of a record that covers `delta` slots from a predicate.
pub(crate) fn live_bits(heap: &mut Heap, delta: usize, is_live: impl Fn(usize) -> bool) -> (u64, u16) {
    if delta <= 64 {
        ((1..delta).filter(|&i| is_live(i)).fold(0, |m, i| m | 1 << i), 0)
    } else {
        let words = heap.alloc_raw(delta.div_ceil(64));
        for i in (1..delta).filter(|&i| is_live(i)) {
            // SAFETY: inside the words just allocated.
            unsafe { *words.add(i / 64) |= 1 << (i % 64) };
        }
        (words as u64, flag::WIDE)
    }
}

/// A record for native frames of `delta` words.
pub(crate) fn native_record(heap: &mut Heap, native: Native, delta: u32) -> *const Resume {
    let p = heap.alloc_raw(size_of::<Resume>() / 8) as *mut Resume;
    let r = Resume {
        code: AtomicPtr::new(std::ptr::null_mut()),
        delta,
        dst: 0,
        flags: AtomicU16::new(flag::NATIVE),
        pc: std::ptr::null(),
        owner: std::ptr::null(),
        live: 0,
        native: native as u16,
        node: 0,
        kinds: std::ptr::null(),
        canon: std::ptr::null(),
    };
    // SAFETY: fresh permanent memory of that size, 8-aligned.
    unsafe { p.write(r) };
    p
}

/// A stretch of frame words, on the stack or in a `Seg`, walked from the top frame down.
///
/// `end` is one past the top header word; the words `base..end` start with slot 1 of the lowest frame.
#[derive(Clone, Copy)]
pub struct Walk {
    base: *mut u64,
    at: *mut u64,
}

/// One suspended frame met by a walk.
#[derive(Clone, Copy)]
pub struct FrameRef {
    /// Address of the frame's slot 0; not to be read for the lowest frame of a stretch.
    pub fp: *mut u64,
    pub resume: *const Resume,
}

impl FrameRef {
    pub fn record(&self) -> &Resume {
        // SAFETY: invariant 1.
        unsafe { &*self.resume }
    }
    /// Slot `i`, 1..delta.
    pub fn slot(&self, i: usize) -> Value {
        assert!(i >= 1 && i < self.record().delta as usize);
        // SAFETY: inside the frame by the assert.
        Value(unsafe { *self.fp.add(i) })
    }
    pub fn set_slot(&self, i: usize, v: Value) {
        assert!(i >= 1 && i < self.record().delta as usize);
        // SAFETY: inside the frame by the assert; only called on stacks and fresh segments.
        unsafe { *self.fp.add(i) = v.0 }
    }
}

impl Walk {
    /// # Safety
    /// `base..end` are frame words as described above, and stay so during the walk.
    pub unsafe fn new(base: *mut u64, end: *mut u64) -> Walk {
        Walk { base, at: end }
    }
}

impl Iterator for Walk {
    type Item = FrameRef;
    fn next(&mut self) -> Option<FrameRef> {
        if self.at <= self.base {
            return None;
        }
        // SAFETY: the contract of `new`: the word below `at` is a header.
        unsafe {
            let header = self.at.sub(1);
            let resume = *header as *const Resume;
            let fp = header.sub((*resume).delta as usize);
            self.at = fp.add(1);
            Some(FrameRef { fp, resume })
        }
    }
}

/// The name of a function by its prototype, which is permanent.
pub(crate) fn proto_name(p: *const Proto) -> Option<Value> {
    // SAFETY: null or permanent, as everything that a closure points at.
    unsafe { p.as_ref() }.map(|p| p.name)
}

/// The interpreter's record for the place that a record of compiled code describes.
pub fn canonical(r: &Resume) -> Option<&Resume> {
    // SAFETY: null or a record that lives as long as the machine (invariant 1).
    unsafe { r.canon.as_ref() }
}

/// The frames of a segment below word `off` of its frame words, from the top down.
pub fn seg_frames(seg: Obj, off: usize) -> Walk {
    assert!(seg.kind() == crate::layout::Kind::Seg && slot::SEG_WORDS + off <= seg.len());
    // SAFETY: by heap invariant 3 and the assert those words are frames; nothing moves until the next driver turn.
    unsafe {
        let base = seg.0.add(1 + slot::SEG_WORDS);
        Walk::new(base, base.add(off))
    }
}

/// The frames of a stack whose top header is at `top`, from the top down. The machine must be suspended there.
pub(crate) fn stack_frames(base: *mut u64, top: *mut u64) -> Walk {
    // SAFETY: the words between a stack's base and its top header are frames (`collect` walks the same words).
    unsafe { Walk::new(base.add(1), top.add(1)) }
}

/// The registers of the running activation. Indices come from verified code (invariant 2), so they are not checked again.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Regs(pub *mut u64);

impl Regs {
    #[inline(always)]
    pub fn get(self, r: usize) -> Value {
        // SAFETY: invariant 2; the stack has room for the frame (checked on entry).
        Value(unsafe { *self.0.add(FRAME_HEADER + r) })
    }
    #[inline(always)]
    pub fn set(self, r: usize, v: Value) {
        // SAFETY: as above.
        unsafe { *self.0.add(FRAME_HEADER + r) = v.0 }
    }
    #[inline(always)]
    pub fn closure(self) -> Value {
        // SAFETY: slot 1 of every frame.
        Value(unsafe { *self.0.add(1) })
    }
    /// `n` registers from `r` on. They must not be written while the slice lives.
    #[inline(always)]
    pub fn slice<'a>(self, r: usize, n: usize) -> &'a [Value] {
        // SAFETY: as above.
        unsafe { std::slice::from_raw_parts(self.0.add(FRAME_HEADER + r) as *const Value, n) }
    }
    /// Frame word `i`: 0 is the header.
    #[inline(always)]
    pub fn word(self, i: usize) -> u64 {
        // SAFETY: as above.
        unsafe { *self.0.add(i) }
    }
    #[inline(always)]
    pub fn set_word(self, i: usize, bits: u64) {
        // SAFETY: as above.
        unsafe { *self.0.add(i) = bits }
    }
    #[inline(always)]
    pub fn header(self) -> *const Resume {
        self.word(0) as *const Resume
    }
    /// The frame `words` above.
    #[inline(always)]
    pub fn up(self, words: usize) -> Regs {
        // SAFETY: inside the stack: frames are bounded and the stack has slack for one.
        Regs(unsafe { self.0.add(words) })
    }
    #[inline(always)]
    pub fn down(self, words: usize) -> Regs {
        // SAFETY: as above.
        Regs(unsafe { self.0.sub(words) })
    }
    /// Moves `n` registers from `from` to `to`; ranges may overlap.
    #[inline(always)]
    pub fn shift(self, from: usize, to: usize, n: usize) {
        // SAFETY: as above.
        unsafe { std::ptr::copy(self.0.add(FRAME_HEADER + from), self.0.add(FRAME_HEADER + to), n) }
    }
}

/// The instruction pointer of verified code.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pc(pub *const Word);

impl Pc {
    /// The word here; steps over it.
    #[inline(always)]
    pub fn fetch(&mut self) -> Word {
        // SAFETY: invariant 2: control never runs past the code.
        unsafe {
            let w = *self.0;
            self.0 = self.0.add(1);
            w
        }
    }
    #[inline(always)]
    pub fn peek(self) -> Word {
        // SAFETY: as above.
        unsafe { *self.0 }
    }
    /// Rewrites the word before this one (quickening, caches).
    #[inline(always)]
    pub fn patch_previous(self, w: Word) {
        // SAFETY: installed words are writable, one thread runs them.
        unsafe { *(self.0.sub(1) as *mut Word) = w }
    }
    #[inline(always)]
    pub fn patch(self, w: Word) {
        // SAFETY: as above.
        unsafe { *(self.0 as *mut Word) = w }
    }
    /// Jumps by `d` words. The empty barrier keeps conditional jumps branches: a conditional move would make the next fetch
    /// wait for the comparison.
    #[inline(always)]
    pub fn jump(&mut self, d: i64) {
        #[cfg(not(miri))]
        // SAFETY: no instruction.
        unsafe {
            std::arch::asm!("", options(nomem, nostack, preserves_flags))
        };
        // SAFETY: jumps land inside the code (verifier).
        self.0 = unsafe { self.0.offset(d as isize) };
    }
    #[inline(always)]
    pub fn back(self, n: usize) -> Pc {
        // SAFETY: used to name the instruction just fetched.
        Pc(unsafe { self.0.sub(n) })
    }
}

impl Op {
    /// The opcode of a verified word.
    #[inline(always)]
    pub(crate) fn decode(w: Word) -> Op {
        debug_assert!((w as u8 as usize) < OP_COUNT);
        // SAFETY: the verifier accepted the word (invariant 2).
        unsafe { std::mem::transmute(w as u8) }
    }
}

/// Constant `i` of verified code.
#[inline(always)]
pub(crate) fn constant(code: *const Code, i: usize) -> Value {
    // SAFETY: invariant 2: constant indices are in range; codes are permanent.
    unsafe { *(*code).consts.add(i) }
}
/// Call site `i` of verified code.
#[inline(always)]
pub(crate) fn site(code: *const Code, i: usize) -> *const Resume {
    // SAFETY: as above.
    unsafe { (*code).sites.add(i) }
}
/// A record, code or function by its pointer; all of them are permanent.
#[inline(always)]
pub(crate) fn code_ref<'a>(code: *const Code) -> &'a Code {
    // SAFETY: as above.
    unsafe { &*code }
}
#[inline(always)]
pub(crate) fn resume_ref<'a>(r: *const Resume) -> &'a Resume {
    // SAFETY: invariant 1.
    unsafe { &*r }
}
/// The code a closure runs for `argc` arguments, if that arity is fixed and small.
#[inline(always)]
pub(crate) fn fast_code(closure: Obj, argc: usize) -> *const Code {
    if argc >= FAST_ARITIES {
        return std::ptr::null();
    }
    // SAFETY: slot 0 of a closure is a Proto pointer, permanent.
    unsafe { (*(closure.raw_unchecked(slot::CLOSURE_PROTO) as *const Proto)).codes[argc] }
}
pub(crate) fn proto_of<'a>(closure: Obj) -> &'a Proto {
    // SAFETY: as above.
    unsafe { &*(closure.raw(slot::CLOSURE_PROTO) as *const Proto) }
}
