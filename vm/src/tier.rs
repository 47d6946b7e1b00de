//! The seam between the machine and a compiler: who asks for machine code, how it is entered, how it leaves.
//!
//! The machine knows no compiler. Compiled code is a set of *pieces*: addresses in `Code::native` (start of an arity),
//! `Proto::entry` (the same, by number of arguments) and `Resume::code` (after a call, at a loop header). Without compiled
//! code all of them hold a stub that stores its arguments and returns to the driver, or null before the first compilation.
//!
//! Compiled frames are words as the interpreter has them: at each place where compiled code may leave, every live register
//! is in its slot. So the interpreter's resume records describe compiled frames too, and collector, continuations,
//! exceptions, traces and queries see no difference.
//!
//! # Invariants
//! 1. `Vm::native.code` is null or the address of a piece whose convention `NativeCall::regs` follows.
//! 2. An `ExitPoint` outlives every piece that names it.

use crate::frame::{Code, FAST_ARITIES, Pc, Regs, Resume, code_ref, flag, proto_of, resume_ref};
use crate::layout::Kind;
use crate::machine::{Exit, Vm};
use crate::op::{self, Word};
use crate::value::Value;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

/// A compiler, as the machine sees it.
pub trait Tier {
    /// Code `code` is hot at instruction `at` (0: its entry; else a loop header). `frame` holds its registers there.
    /// Called at a poll: nothing native is running.
    fn request(&mut self, vm: &mut Vm, code: *const Code, at: usize, frame: Frame);
    /// A guard failed often: compile the code again, with what is known now.
    fn refresh(&mut self, vm: &mut Vm, code: *const Code);
    /// The instruction at `at` often waits for other code: compile what is needed to go on there.
    fn resume_point(&mut self, vm: &mut Vm, code: *const Code, at: usize);
    /// The root of a var that compiled code relies on is about to change.
    fn var_changed(&mut self, vm: &mut Vm, var: u64);
    /// Lines for `--stats`.
    fn stats(&self) -> Vec<(&'static str, String)>;
    /// What was decided about each code so far, for queries.
    fn units(&self) -> Vec<UnitReport>;
    /// The places where machine code left at least once.
    fn exits(&self) -> Vec<ExitReport>;
}

/// What a tier decided about a code.
#[derive(Clone, Debug, Default)]
pub struct UnitReport {
    /// Address of the code.
    pub code: usize,
    /// Machine code exists now.
    pub compiled: bool,
    /// Why it stays interpreted, if it does.
    pub refused: Option<String>,
    /// How often it was compiled anew because guards failed.
    pub version: u32,
    /// How often its machine code was dropped.
    pub dropped: u32,
    pub bytes: usize,
    pub pieces: usize,
    pub guards: usize,
    /// Calls that were inlined.
    pub inlined: usize,
    /// Addresses of the vars whose roots it relies on.
    pub vars: Vec<u64>,
    /// Loop headers, in words from the start, that can be entered from the interpreter.
    pub loops: Vec<usize>,
}

/// A place where machine code may leave, for queries.
#[derive(Clone, Copy, Debug)]
pub struct ExitReport {
    pub why: Why,
    /// The code that owns the place, the code that goes on, and where in it.
    pub owner: usize,
    pub code: usize,
    pub pc: u32,
    pub count: u64,
}

/// Registers of an activation, to be looked at while compiling.
#[derive(Clone, Copy)]
pub struct Frame(Regs);

impl Frame {
    /// Frame word `i`; 1 is the callee, register `r` is word `2 + r`.
    pub fn word(self, i: usize) -> Value {
        Value(self.0.word(i))
    }
}

/// What machine code asks the driver to do next.
pub mod leave {
    /// Up to here: start the activation at `fp` with that many arguments.
    pub const ARGS: u64 = 4095;
    /// The next step is set up already.
    pub const SET: u64 = 4097;
}

/// Addresses of the stubs that lead back to the driver.
#[derive(Clone, Copy)]
pub struct Stubs {
    /// Enters a piece: `(vm, piece, registers)`.
    pub enter: unsafe extern "C" fn(*mut Vm, *const u8, *const u64),
    /// Start an activation in the interpreter, by number of arguments.
    pub entry: [*const u8; FAST_ARITIES],
    /// Return to the interpreter.
    pub resume: *const u8,
}

/// A call into machine code that the driver is about to make.
pub struct NativeCall {
    pub code: *const u8,
    /// Entry: frame, callee, up to four arguments. Continuation: header of the callee's frame, value.
    pub regs: [u64; 6],
}

impl NativeCall {
    pub const NONE: NativeCall = NativeCall { code: std::ptr::null(), regs: [0; 6] };
}

/// Representation of a frame word as compiled code leaves it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Raw {
    I64,
    F64,
}

/// Why a piece leaves at an exit point.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum Why {
    /// A guard failed; the interpreter goes on at `pc`.
    Guard,
    /// The instruction at `pc` left through `Vm::native_exit`.
    Fault,
    /// Somebody wants attention; go on at `pc`.
    Poll,
    /// Not compiled from here on.
    Cold,
}

/// A place where compiled code may leave to the interpreter.
#[repr(C)]
pub struct ExitPoint {
    pub why: Why,
    pub pc: u32,
    pub code: *const Code,
    /// How often.
    pub count: AtomicU64,
    /// Unit that owns the point.
    pub owner: *const Code,
    /// Frame word whose type was not what a loop wants; 0 = the guard concerns the instruction's operands.
    pub word: u32,
    /// Frame words (relative to the frame that leaves) that are not tagged yet.
    pub raw: Vec<(i32, Raw)>,
}

/// Exits through one point before its unit is compiled again.
pub const REFRESH: u64 = 24;
/// Loops hope that integers from outside are no larger: then sums and products of two of them need no check.
pub const SMALL: i64 = 1 << 28;
/// Samples that make a code hot.
const HOT: i32 = 2;
/// `Code::native` of a code to be compiled before it first runs.
pub const ASK: *mut u8 = std::ptr::dangling_mut::<u8>();

/// A word no program value has: a helper's answer "left through `Vm::native_exit`".
pub const FAULT: u64 = 5 << 8 | 4;

/// Offsets of machine fields that compiled code and stubs use, from the machine's address.
pub mod offset {
    use super::*;
    use std::mem::offset_of;
    pub const LIMIT: i32 = offset_of!(Vm, heap.stack_limit) as i32;
    pub const STEPS: i32 = offset_of!(Vm, heap.steps) as i32;
    pub const ALLOC: i32 = offset_of!(Vm, heap.alloc) as i32;
    pub const ALLOC_END: i32 = offset_of!(Vm, heap.alloc_end) as i32;
    pub const FP: i32 = offset_of!(Vm, fp) as i32;
    pub const EXIT: i32 = offset_of!(Vm, native_leave) as i32;
    pub const ARGS: i32 = offset_of!(Vm, native_args) as i32;
    pub const CODE_WORDS: i32 = offset_of!(Code, words) as i32;
    pub const CODE_NATIVE: i32 = offset_of!(Code, native) as i32;
    pub const NATIVE_REGS: i32 = (offset_of!(Vm, native) + offset_of!(NativeCall, regs)) as i32;
    pub const RESUME_CODE: i32 = offset_of!(Resume, code) as i32;
    pub const PROTO_ENTRY: i32 = offset_of!(crate::frame::Proto, entry) as i32;
}

impl Vm {
    /// Are steps counted in compiled code, so that every safe point is seen?
    pub fn metered(&self) -> bool {
        let z = &self.zeal;
        let zealous = z.gc > 0 || z.park > 0 || z.capture > 0 || z.switch > 0;
        self.fuel.is_some() || zealous || self.trace.is_some() || self.parking.every > 0
    }

    /// Puts the stubs in every place that compiled code may jump through. O(records).
    pub fn install_stubs(&mut self, stubs: Stubs) {
        self.stubs = Some(stubs);
        for &code in &self.codes {
            let c = code_ref(code);
            for (k, e) in c.proto().entry.iter().enumerate() {
                e.store(stubs.entry[k] as *mut u8, Ordering::Relaxed);
            }
            for r in c.sites() {
                r.code.store(stubs.resume as *mut u8, Ordering::Relaxed);
            }
        }
        for r in self.natives.all().chain(self.resume_points.values().copied()) {
            resume_ref(r).code.store(stubs.resume as *mut u8, Ordering::Relaxed);
        }
    }

    /// Where a new record's machine code is: the stub, or null before there are any.
    pub(crate) fn resume_stub(&self) -> *mut u8 {
        self.stubs.map_or(std::ptr::null_mut(), |s| s.resume as *mut u8)
    }

    /// Has this record machine code of its own?
    #[inline]
    pub fn has_native(&self, r: &Resume) -> bool {
        self.stubs.is_some_and(|s| !std::ptr::eq(r.code.load(Ordering::Relaxed), s.resume))
    }

    /// Every code is to be compiled before it first runs (`--jit always`).
    pub fn compile_first(&mut self) {
        self.always = true;
        for &code in &self.codes {
            code_ref(code).native.store(ASK, Ordering::Relaxed);
        }
    }

    /// The activation at `fp` runs `code`, which has machine code or is to have it: makes it the next step.
    pub(crate) fn enter_native(&mut self, code: *const Code, fp: Regs) {
        let c = code_ref(code);
        if c.native.load(Ordering::Relaxed) == ASK {
            c.native.store(std::ptr::null_mut(), Ordering::Relaxed);
            self.with_tier(|t, vm| t.request(vm, code, 0, Frame(fp)));
        }
        let native = c.native.load(Ordering::Relaxed);
        if native.is_null() {
            (self.code, self.fp, self.pc) = (code, fp, Pc(c.words));
            return;
        }
        let n = (c.n_params as usize + c.variadic as usize).min(4);
        let mut regs = [0; 6];
        regs[0] = fp.0 as u64;
        regs[1] = fp.word(1);
        (0..n).for_each(|i| regs[2 + i] = fp.get(i).0);
        self.native = NativeCall { code: native, regs };
    }

    /// The frame below the header at `top` goes on in machine code with `v`.
    pub(crate) fn resume_native(&mut self, top: Regs, r: &Resume, v: Value) {
        self.native = NativeCall { code: r.code.load(Ordering::Relaxed), regs: [top.0 as u64, v.0, 0, 0, 0, 0] };
    }

    fn with_tier(&mut self, f: impl FnOnce(&mut dyn Tier, &mut Vm)) {
        if let Some(mut t) = self.tier.take() {
            f(&mut *t, self);
            self.tier = Some(t);
        }
    }

    /// Notes that `code` was found running at `at` when its thread came to a poll.
    pub(crate) fn sample(&mut self, code: *const Code, at: usize, fp: Regs) {
        let c = code_ref(code);
        let hot = c.hot.load(Ordering::Relaxed) + 1;
        c.hot.store(hot, Ordering::Relaxed);
        if (HOT..64).contains(&hot) {
            self.with_tier(|t, vm| t.request(vm, code, at, Frame(fp)));
        }
    }

    /// An interpreted loop of a code that has machine code: goes on there if that loop has its own entry.
    pub(crate) fn enter_loop(&mut self, code: *const Code, pc: Pc, fp: Regs) -> bool {
        let c = code_ref(code);
        if let Some(&r) = self.resume_points.get(&(pc.0 as usize))
            && self.has_native(resume_ref(r))
        {
            let r = resume_ref(r);
            self.resume_native(fp.up(r.delta as usize), r, Value::NIL);
            return true;
        }
        let hot = c.hot.load(Ordering::Relaxed) + 1;
        c.hot.store(hot, Ordering::Relaxed);
        if hot & 31 == 0 && hot < 1 << 16 {
            let at = c.index(pc.0);
            self.with_tier(|t, vm| t.request(vm, code, at, Frame(fp)));
        }
        false
    }

    /// Machine code for the entry of `code`.
    pub fn set_entry(&mut self, code: *const Code, at: *const u8) {
        let c = code_ref(code);
        store(&c.native, at);
        if c.variadic == 0 && (c.n_params as usize) < FAST_ARITIES {
            store(&c.proto().entry[c.n_params as usize], at);
        }
    }
    /// Machine code for what follows a record.
    pub fn set_resume(&mut self, r: *const Resume, at: *const u8) {
        let r = resume_ref(r);
        store(&r.code, at);
        r.flags.store(r.flags() | flag::COMPILED, Ordering::Relaxed);
    }
    /// The tier wants to know before the root of this var changes.
    pub fn watch_var(&mut self, var: u64) {
        self.watched.insert(var);
    }

    /// The record at which a loop header of `code` may be entered, made if need be.
    pub fn loop_record(&mut self, code: *const Code, at: usize) -> *const Resume {
        // SAFETY: `at` is an instruction of the code.
        let pc = Pc(unsafe { code_ref(code).words.add(at) });
        self.resume_at(code, pc)
    }

    /// A var's root is about to be replaced.
    #[inline]
    pub fn set_root(&mut self, var: crate::value::Obj, v: Value) {
        if !self.watched.is_empty() && self.watched.remove(&Value::from(var).0) {
            self.with_tier(|t, vm| t.var_changed(vm, Value::from(var).0));
        }
        let old = var.get(crate::layout::slot::VAR_ROOT);
        if (old.is_kind(Kind::PrimFn) || v.is_kind(Kind::PrimFn)) && self.library.has_address(var.0 as usize) {
            let name = self.var_text(var);
            let own = v.as_kind(Kind::PrimFn).and_then(|p| p.get(0).as_plain_symbol());
            match own.is_some_and(|p| self.names.text(p) == name) {
                true => self.redefined.remove(&name),
                false => self.redefined.insert(name),
            };
        }
        self.heap.write(var, crate::layout::slot::VAR_ROOT, v);
    }

    /// Makes the call in `self.native` and does what the code asked for when it left.
    pub(crate) fn run_native(&mut self) {
        let stubs = self.stubs.expect("machine code comes with stubs");
        let call = std::mem::replace(&mut self.native, NativeCall::NONE);
        // SAFETY: invariant 1; the stub keeps Rust's registers.
        unsafe { (stubs.enter)(self, call.code, call.regs.as_ptr()) };
        let fp = self.fp;
        match self.native_leave {
            argc if argc <= leave::ARGS => self.activate_slow(fp, argc as usize),
            leave::SET => {}
            point => {
                // SAFETY: everything else is an exit point (invariant 2).
                let p = unsafe { &*(point as *const ExitPoint) };
                for &(slot, raw) in &p.raw {
                    let at = Regs(fp.0.wrapping_offset(slot as isize));
                    let v = match raw {
                        Raw::I64 => self.int(at.word(0) as i64),
                        Raw::F64 => self.float(f64::from_bits(at.word(0))),
                    };
                    at.set_word(0, v.0);
                }
                self.code = p.code;
                // SAFETY: `pc` is an instruction of the code.
                self.pc = Pc(unsafe { code_ref(p.code).words.add(p.pc as usize) });
                let n = p.count.load(Ordering::Relaxed) + 1;
                p.count.store(n, Ordering::Relaxed);
                match p.why {
                    Why::Guard => {
                        match p.word {
                            0 => self.note_operands(p.code, p.pc as usize, fp),
                            i => {
                                let v = Value(fp.word(i as usize));
                                let wide = v.as_fix().is_some_and(|n| n.unsigned_abs() > SMALL as u64);
                                let seen = seen_of(v) | if wide { op::saw::WIDE } else { 0 };
                                *self.profile.entry(word_key(self.pc.0, i as usize)).or_default() |= seen as u16;
                            }
                        }
                        if n == REFRESH {
                            let owner = p.owner;
                            self.with_tier(|t, vm| t.refresh(vm, owner));
                        }
                    }
                    Why::Cold => {}
                    Why::Fault => {
                        let exit = self.native_exit;
                        if n == REFRESH && matches!(exit, Exit::Force | Exit::Call) {
                            self.with_tier(|t, vm| t.resume_point(vm, p.code, p.pc as usize));
                        }
                        self.fault(exit)
                    }
                    Why::Poll => self.poll_native(),
                }
            }
        }
    }

    /// Type feedback from a failed guard: what the operands of the instruction are.
    fn note_operands(&mut self, code: *const Code, at: usize, fp: Regs) {
        let c = code_ref(code);
        let words = &c.words()[at..];
        let mut seen = 0;
        op::registers(words, |r, def| {
            if !def {
                seen |= seen_of(fp.get(r))
            }
        });
        *self.profile.entry(words.as_ptr() as u64).or_default() |= seen as u16;
    }

    /// What failed guards have seen of a frame word at a loop header.
    pub fn seen_word(&self, pc: *const Word, word: usize) -> u16 {
        self.profile.get(&word_key(pc, word)).copied().unwrap_or(0)
    }
    /// Notes a bit at an instruction.
    pub fn note_at(&mut self, pc: *const Word, bits: u16) {
        *self.profile.entry(pc as u64).or_default() |= bits;
    }
    /// What failed guards have seen of an instruction's operands: bits of `op::saw`.
    pub fn seen_at(&self, pc: *const Word) -> u16 {
        self.profile.get(&(pc as u64)).copied().unwrap_or(0)
    }

    /// A safe point of compiled code; the running frame is at `self.pc`.
    fn poll_native(&mut self) {
        let r = self.resume_at(self.code, self.pc);
        let mut top = self.fp.up(resume_ref(r).delta as usize);
        top.set_word(0, r as u64);
        if self.needs_service() && !self.attend(top) {
            return;
        }
        if top.0 > self.stack.limit {
            let base = self.capture(top);
            self.heap.want_poll();
            top = self.underflow().unwrap_or(base);
        } else {
            top = self.detour(top);
            if self.end_turn(top) {
                return;
            }
        }
        self.deliver(top, Value::NIL)
    }

    /// Code for `argc` arguments of a closure at `fp`, if that is what is called.
    pub(crate) fn code_called(&self, fp: Regs, argc: usize) -> Option<*const Code> {
        let o = fp.closure().as_kind(Kind::Closure)?;
        proto_of(o).select(argc).map(|c| c as *const Code)
    }

    /// Forgets the machine code of `code`: entry, and every record of it, lead to the interpreter again.
    pub fn drop_native(&mut self, code: *const Code) {
        let Some(stubs) = self.stubs else { return };
        let c = code_ref(code);
        c.native.store(std::ptr::null_mut(), Ordering::Relaxed);
        if c.variadic == 0 && (c.n_params as usize) < FAST_ARITIES {
            let k = c.n_params as usize;
            c.proto().entry[k].store(stubs.entry[k] as *mut u8, Ordering::Relaxed);
        }
        for r in c.sites() {
            r.code.store(stubs.resume as *mut u8, Ordering::Relaxed);
        }
        let words = c.words().as_ptr_range();
        for (pc, r) in &self.resume_points {
            if (words.start as usize..words.end as usize).contains(pc) {
                resume_ref(*r).code.store(stubs.resume as *mut u8, Ordering::Relaxed);
            }
        }
    }
}

fn word_key(pc: *const Word, word: usize) -> u64 {
    pc as u64 | (word as u64) << 48
}

/// The bit of `op::saw` for a value.
pub fn seen_of(v: Value) -> u8 {
    match v.as_kind(Kind::PrimArray).map(|o| o.aux()) {
        Some(crate::prim::coll::elem::LONG) => op::saw::LONGS,
        Some(crate::prim::coll::elem::DOUBLE) => op::saw::DOUBLES,
        _ if v.is_fix() => op::saw::FIX,
        _ if v.is_inline_f64() => op::saw::DOUBLE,
        _ => op::saw::OTHER,
    }
}

/// The function and code that calling `f` with `argc` arguments runs, if it is a function of fixed arity.
pub fn proto_called(f: Value, argc: usize) -> Option<(*const crate::frame::Proto, *const Code)> {
    let proto = proto_of(f.as_kind(Kind::Closure)?);
    let code = proto.select(argc).filter(|c| c.variadic == 0 && argc < FAST_ARITIES)?;
    Some((proto, code))
}

/// A code by its pointer; codes are permanent.
pub fn code_of<'a>(code: *const Code) -> &'a Code {
    code_ref(code)
}
/// A record by its pointer; records are permanent.
pub fn resume_of<'a>(r: *const Resume) -> &'a Resume {
    resume_ref(r)
}

/// Sets a code pointer of the machine.
pub fn store(p: &AtomicPtr<u8>, code: *const u8) {
    p.store(code as *mut u8, Ordering::Relaxed)
}

/// Operations that compiled code calls. All of them take the machine's address first; none collects, none switches frames
/// but `step`. An answer of `FAULT` means: leave through an exit point of `Why::Fault`.
pub mod helper {
    use super::*;
    use crate::prim::{R, coll, num, table};

    #[inline(always)]
    fn answer(vm: &mut Vm, r: R) -> u64 {
        match r {
            Ok(v) => {
                vm.replay.finish();
                v.0
            }
            Err(e) => {
                vm.native_exit = e;
                FAULT
            }
        }
    }
    macro_rules! helpers {
        ($($(#[$doc:meta])* $name:ident($vm:ident $(, $a:ident)*) $body:expr;)*) => { $(
            $(#[$doc])*
            /// # Safety
            /// `vm` is the running machine.
            pub unsafe extern "C" fn $name(vm: *mut Vm $(, $a: u64)*) -> u64 {
                // SAFETY: the contract.
                let $vm = unsafe { &mut *vm };
                $body
            }
        )* };
    }
    fn v(x: u64) -> Value {
        Value(x)
    }
    /// The piece that is the machine's next step, taken from it; 0 if it is none.
    #[inline(always)]
    fn next_piece(vm: &mut Vm) -> u64 {
        if vm.done.is_some() || vm.native.code.is_null() {
            vm.native_leave = leave::SET;
            return 0;
        }
        std::mem::replace(&mut vm.native.code, std::ptr::null()) as u64
    }
    fn truth(vm: &mut Vm, r: R<bool>) -> u64 {
        match r {
            Ok(b) => {
                vm.replay.finish();
                b as u64
            }
            Err(e) => {
                vm.native_exit = e;
                FAULT
            }
        }
    }
    helpers! {
        /// Primitive `id` of up to four words. They come in machine registers: words that were just stored one by one and are
        /// loaded in larger pieces again would wait for each other.
        prim0(vm, id) { let r = table::function(id as u16)(vm, &[]); answer(vm, r) };
        prim1(vm, id, x) { let r = table::function(id as u16)(vm, &[v(x)]); answer(vm, r) };
        prim2(vm, id, x, y) { let r = table::function(id as u16)(vm, &[v(x), v(y)]); answer(vm, r) };
        prim3(vm, id, x, y, z) { let r = table::function(id as u16)(vm, &[v(x), v(y), v(z)]); answer(vm, r) };
        prim4(vm, id, x, y, z, w) { let r = table::function(id as u16)(vm, &[v(x), v(y), v(z), v(w)]); answer(vm, r) };
        /// Primitive `id` of the `n` words at `p`, registers of the running frame.
        prim_n(vm, id, p, n) {
            let args = Regs((p as *mut u64).wrapping_sub(crate::layout::FRAME_HEADER)).slice(0, n as usize);
            let r = table::function(id as u16)(vm, args);
            answer(vm, r)
        };
        add(vm, x, y, mode) { let r = num::add_mode(vm, v(x), v(y), mode as u8); answer(vm, r) };
        sub(vm, x, y, mode) { let r = num::sub_mode(vm, v(x), v(y), mode as u8); answer(vm, r) };
        mul(vm, x, y, mode) { let r = num::mul_mode(vm, v(x), v(y), mode as u8); answer(vm, r) };
        div(vm, x, y) { let r = num::div(vm, v(x), v(y)); answer(vm, r) };
        quot(vm, x, y) { let r = num::quot(vm, v(x), v(y)); answer(vm, r) };
        rem(vm, x, y) { let r = num::rem(vm, v(x), v(y)); answer(vm, r) };
        modulo(vm, x, y) { let r = num::modulo(vm, v(x), v(y)); answer(vm, r) };
        bit_and(vm, x, y) { let r = num::bit_and(vm, v(x), v(y)); answer(vm, r) };
        bit_or(vm, x, y) { let r = num::bit_or(vm, v(x), v(y)); answer(vm, r) };
        bit_xor(vm, x, y) { let r = num::bit_xor(vm, v(x), v(y)); answer(vm, r) };
        shift_left(vm, x, y) { let r = num::bit_shift_left(vm, v(x), v(y)); answer(vm, r) };
        shift_right(vm, x, y) { let r = num::bit_shift_right(vm, v(x), v(y)); answer(vm, r) };
        shift_right_logical(vm, x, y) { let r = num::unsigned_bit_shift_right(vm, v(x), v(y)); answer(vm, r) };
        to_double(vm, x) { let r = num::to_double(vm, v(x)); answer(vm, r) };
        to_long(vm, x) { let r = num::to_long(vm, v(x)); answer(vm, r) };
        /// Comparisons: 0, 1 or `FAULT`.
        lt(vm, x, y) { let r = num::lt(vm, v(x), v(y)); truth(vm, r) };
        le(vm, x, y) { let r = num::le(vm, v(x), v(y)); truth(vm, r) };
        gt(vm, x, y) { let r = num::gt(vm, v(x), v(y)); truth(vm, r) };
        ge(vm, x, y) { let r = num::ge(vm, v(x), v(y)); truth(vm, r) };
        num_eq(vm, x, y) { let r = num::num_eq(vm, v(x), v(y)); truth(vm, r) };
        equiv(vm, x, y) { let r = coll::equiv(vm, v(x), v(y)); truth(vm, r) };
        get(vm, m, k) { let r = coll::get(vm, v(m), v(k), Value::NIL); answer(vm, r) };
        nth(vm, x, i) {
            if v(i).is_fix() && let Some(e) = coll::vector_at(v(x), v(i).fix_get()) {
                return e.0;
            }
            if v(i).is_fix() && let Ok(at) = usize::try_from(v(i).fix_get()) && let Some(c) = coll::char_at(v(x), at) {
                return Value::char(c).0;
            }
            let r = coll::nth(vm, v(x), v(i), None);
            answer(vm, r)
        };
        first(vm, x) { let r = coll::first(vm, v(x)); answer(vm, r) };
        rest(vm, x) { let r = coll::rest(vm, v(x)); answer(vm, r) };
        next(vm, x) { let r = coll::next(vm, v(x)); answer(vm, r) };
        seq(vm, x) { let r = coll::seq(vm, v(x)); answer(vm, r) };
        count(vm, x) { let r = coll::count(vm, v(x)); answer(vm, r) };
        cons(vm, x, s) { let r = coll::cons(vm, v(x), v(s)); answer(vm, r) };
        conj(vm, c, x) { let r = coll::conj(vm, v(c), v(x)); answer(vm, r) };
        assoc(vm, m, k, x) { let r = coll::assoc(vm, v(m), v(k), v(x)); answer(vm, r) };
        deref(vm, x) { let r = coll::deref(vm, v(x)); answer(vm, r) };
        aget(vm, x, i) { let r = coll::aget(vm, v(x), v(i)); answer(vm, r) };
        aset(vm, x, i, e) { let r = coll::aset(vm, v(x), v(i), v(e)); answer(vm, r) };
        /// A double that has no inline form, boxed.
        box_f64(vm, bits) vm.float(f64::from_bits(bits)).0;
        /// An integer that is no fixnum, boxed.
        box_i64(vm, n) vm.int(n as i64).0;
        /// Distance of the case table for a key, or `FAULT` for none.
        case(_vm, t, key) {
            crate::interp::case_target(v(t).obj().expect("a case table"), v(key)).map_or(FAULT, |d| d as u64)
        };
        /// Closure of `n` captures, which lie in `Vm::native_args`.
        closure(vm, proto, n) {
            let args = vm.native_args;
            let o = vm.heap.alloc(Kind::Closure, 0, crate::layout::slot::CLOSURE_CAPTURES + n as usize);
            o.set(crate::layout::slot::CLOSURE_PROTO, Value(proto));
            o.set(crate::layout::slot::CLOSURE_META, Value::NIL);
            for (i, a) in args[..n as usize].iter().enumerate() {
                o.set(crate::layout::slot::CLOSURE_CAPTURES + i, Value(*a));
            }
            Value::from(o).0
        };
        /// Vector of the `n` words at `p`, registers of the running frame.
        vector(vm, p, n) {
            let args = Regs((p as *mut u64).wrapping_sub(crate::layout::FRAME_HEADER)).slice(0, n as usize);
            coll::vector_of(vm, args).0
        };
        /// A new cell.
        make_box(vm, x) vm.alloc(Kind::Box, &[v(x)]).0;
        /// Slot `i` of the mutable object `o` becomes `x`.
        write(vm, o, i, x) {
            let o = v(o).obj().expect("an object");
            vm.heap.write(o, i as usize, v(x));
            0
        };
        /// Starts the activation at `fp`: the address of the piece to go on with, its arguments in `Vm::native`, or 0 if the
        /// next step is not in machine code.
        activate(vm, fp, argc) {
            let (fp, argc) = (Regs(fp as *mut u64), argc as usize);
            vm.activate_slow(fp, argc);
            next_piece(vm)
        };
        /// Returns `x` to the frame below the header at `top`; the answer is as that of `activate`.
        deliver(vm, top, x) {
            vm.deliver(Regs(top as *mut u64), v(x));
            next_piece(vm)
        };
        /// Runs one instruction of the frame at `fp` in the interpreter: 0 if it went on to the next one, else the next
        /// step is set.
        step(vm, fp, code, pc) {
            let code = code as *const Code;
            let start = Pc(pc as *const Word);
            vm.fp = Regs(fp as *mut u64);
            vm.code = code;
            vm.pc = start;
            let next = pc + 8 * op::len(start.peek()) as u64;
            crate::interp::step(vm);
            let on = vm.done.is_none() && vm.native.code.is_null() && vm.fp.0 as u64 == fp
                && vm.code == code && vm.pc.0 as u64 == next;
            vm.native_leave = leave::SET;
            !on as u64
        };
    }
}

/// The exit that a helper answered `FAULT` for.
pub type NativeExit = Exit;
