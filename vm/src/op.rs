//! The instruction set, stated once. Everything that walks instructions expands or reads the table below: encoder, verifier,
//! disassembler, liveness, interpreter, reference page, compiler.
//!
//! One 64-bit word each: `op:8 | aux:8 | A:16 | B:16 | C:16`, or with one 32-bit immediate `op:8 | aux:8 | A:16 | I:32`.
//! Position = entity, opcode = attribute, operands = value: a stream read as datoms is `[position op operands]`.
//!
//! # The call window
//! A call with window `A` has the callee in register `A`, its arguments in `A+1 ..= A+argc`; register `A-1` is the callee's
//! header word and holds nothing across the call. So the callee's frame is `fp + A + 1`, and arguments are evaluated in
//! place. The result goes to the `dst` of the site.
//!
//! # Aux of arithmetic
//! Low two bits: overflow mode (`mode`). Bit 4: a double was seen. Bit 5: something else was seen. The interpreter sets these
//! on its slower paths, so the stream is its own type feedback.

/// What an operand field is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operand {
    /// Not used; must be zero.
    No,
    /// Register written.
    Def,
    /// Register read.
    Use,
    /// Signed immediate.
    Imm,
    /// Unsigned immediate.
    Nat,
    /// Index into the constants.
    Const,
    /// Jump distance in words, relative to the next instruction.
    Jump,
    /// Index of a call site.
    Site,
    /// First register of a call window: `A` is read when the op calls a value, `A+1 ..= A+aux` are read.
    Window,
    /// First of `aux` consecutive registers read.
    Args,
    /// Index of a capture of the running closure.
    Capture,
    /// Primitive id.
    Prim,
}

/// What comes after an op.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flow {
    /// The next instruction.
    Next,
    /// The next instruction or the jump's target.
    Branch,
    /// Only the jump's target.
    Jump,
    /// Any target of a case table, or the next instruction.
    Case,
    /// Leaves the activation.
    End,
}

/// What an op may do besides computing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Effect {
    /// Nothing.
    Pure,
    /// Throw.
    Throws,
    /// Throw, call out, switch frames.
    Calls,
}

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub struct OpInfo {
    pub op: Op,
    pub name: &'static str,
    pub a: Operand,
    /// `B` and `C`, or the 32-bit immediate and `No`.
    pub b: Operand,
    pub c: Operand,
    /// Is the immediate 32 bits wide?
    pub wide: bool,
    pub flow: Flow,
    pub effect: Effect,
    pub doc: &'static str,
}

/// The table: `Name (A, B, C)` or `Name (A; I)`, flow, effect, meaning.
#[macro_export]
macro_rules! for_each_op { ($m:ident) => { $m! {
    // ---- moves and constants
    "A = B" Move (Def, Use, No) Next Pure;
    "A = constant I" Const (Def; Const) Next Pure;
    "A = the fixnum I" Int (Def; Imm) Next Pure;
    "A = the immediate value whose word is I (nil, booleans, characters, keywords, symbols)" Imm (Def; Nat) Next Pure;
    "A = capture B of the running closure" Capture (Def, Capture, No) Next Pure;
    "A = the running closure" Myself (Def, No, No) Next Pure;
    "A = value of the var that is constant I; unbound raises" Global (Def; Const) Next Calls;
    "A = new closure of function constant I; aux captures follow, four registers a word" Closure (Def; Const) Next Pure;
    "capture B of the closure in A becomes C (mutually recursive local functions)" Tie (Use, Nat, Use) Next Pure;
    // ---- control
    "jump" Jmp (No; Jump) Jump Pure;
    "jump if A is truthy" JIf (Use; Jump) Branch Pure;
    "jump if A is nil or false" JIfNot (Use; Jump) Branch Pure;
    "jump if A is nil" JNil (Use; Jump) Branch Pure;
    "jump if A is not nil" JNotNil (Use; Jump) Branch Pure;
    "jump if not A < B" JNLt (Use, Use, Jump) Branch Throws;
    "jump if not A <= B" JNLe (Use, Use, Jump) Branch Throws;
    "jump if not A > B" JNGt (Use, Use, Jump) Branch Throws;
    "jump if not A >= B" JNGe (Use, Use, Jump) Branch Throws;
    "jump if not A == B" JNNum (Use, Use, Jump) Branch Throws;
    "jump if not A < immediate B" JNLtI (Use, Imm, Jump) Branch Throws;
    "jump if not A <= immediate B" JNLeI (Use, Imm, Jump) Branch Throws;
    "jump if not A > immediate B" JNGtI (Use, Imm, Jump) Branch Throws;
    "jump if not A >= immediate B" JNGeI (Use, Imm, Jump) Branch Throws;
    "jump if not A == immediate B" JNNumI (Use, Imm, Jump) Branch Throws;
    "jump if not A = B" JNEq (Use, Use, Jump) Branch Calls;
    "jump if A and B are not the same word" JNSame (Use, Use, Jump) Branch Pure;
    "jump to where case table I sends A; on if nowhere" Case (Use; Const) Case Pure;
    "loop back-edge: jump, counting a step and giving way to whoever wants attention" Poll (No; Jump) Jump Calls;
    "return A" Ret (Use, No, No) End Pure;
    "throw A" Throw (Use, No, No) End Throws;
    // ---- calls: aux = number of arguments
    "call register A with A+1..; B = site" Call (Window, Site, No) Next Calls;
    "call the var that is constant C with A+1..; B = site" CallVar (Window, Site, Const) Next Calls;
    "call the running function with A+1..; B = site" CallSelf (Window, Site, No) Next Calls;
    "tail call of register A with A+1.." TailCall (Window, No, No) End Calls;
    "tail call of the var that is constant C with A+1.." TailCallVar (Window, No, Const) End Calls;
    "A = primitive C of B" Prim1 (Def, Use, Prim) Next Calls;
    "A = primitive (low half of the second word) of B, C" Prim2 (Def, Use, Use) Next Calls;
    "A = primitive (low half of the second word) of B, C and the register in the second word's next quarter" Prim3 (Def, Use, Use) Next Calls;
    "A = primitive C of aux registers from B on" PrimN (Def, Args, Prim) Next Calls;
    // ---- arithmetic
    "A = B + C" Add (Def, Use, Use) Next Throws;
    "A = B - C" Sub (Def, Use, Use) Next Throws;
    "A = B * C" Mul (Def, Use, Use) Next Throws;
    "A = B / C" Div (Def, Use, Use) Next Throws;
    "A = B quot C" Quot (Def, Use, Use) Next Throws;
    "A = B rem C" Rem (Def, Use, Use) Next Throws;
    "A = B mod C (floored)" Mod (Def, Use, Use) Next Throws;
    "A = B + immediate C" AddI (Def, Use, Imm) Next Throws;
    "A = B * immediate C" MulI (Def, Use, Imm) Next Throws;
    "A = B quot immediate C (not zero)" QuotI (Def, Use, Imm) Next Throws;
    "A = B rem immediate C (not zero)" RemI (Def, Use, Imm) Next Throws;
    "A = B & C" And (Def, Use, Use) Next Throws;
    "A = B | C" Or (Def, Use, Use) Next Throws;
    "A = B ^ C" Xor (Def, Use, Use) Next Throws;
    "A = B << C" Shl (Def, Use, Use) Next Throws;
    "A = B >> C, arithmetic" Shr (Def, Use, Use) Next Throws;
    "A = B >>> C, logical" UShr (Def, Use, Use) Next Throws;
    "A = B & immediate C" AndI (Def, Use, Imm) Next Throws;
    "A = B << immediate C (0..63)" ShlI (Def, Use, Imm) Next Throws;
    "A = B >> immediate C (0..63), arithmetic" ShrI (Def, Use, Imm) Next Throws;
    "A = B as a double" ToDouble (Def, Use, No) Next Throws;
    "A = B as a long" ToLong (Def, Use, No) Next Throws;
    // ---- comparisons as values
    "A = B < C" Lt (Def, Use, Use) Next Throws;
    "A = B <= C" Le (Def, Use, Use) Next Throws;
    "A = B > C" Gt (Def, Use, Use) Next Throws;
    "A = B >= C" Ge (Def, Use, Use) Next Throws;
    "A = B == C" NumEq (Def, Use, Use) Next Throws;
    "A = (B = C)" Eq (Def, Use, Use) Next Calls;
    "A = B and C are the same word" Same (Def, Use, Use) Next Pure;
    "A = not B" Not (Def, Use, No) Next Pure;
    "A = B is nil" IsNil (Def, Use, No) Next Pure;
    // ---- data, with fast paths and caches
    "A = (get B C); constant C is a keyword; the second word is the cache" GetKw (Def, Use, Const) Next Calls;
    "A = (get B C)" Get (Def, Use, Use) Next Calls;
    "A = (nth B C)" Nth (Def, Use, Use) Next Calls;
    "A = (first B)" First (Def, Use, No) Next Calls;
    "A = (rest B)" Rest (Def, Use, No) Next Calls;
    "A = (next B)" NextSeq (Def, Use, No) Next Calls;
    "A = (seq B)" Seq (Def, Use, No) Next Calls;
    "A = (count B)" Count (Def, Use, No) Next Calls;
    "A = (cons B C)" Cons (Def, Use, Use) Next Calls;
    "A = (conj B C)" Conj (Def, Use, Use) Next Calls;
    "A = (assoc B C D); D in the second word" Assoc (Def, Use, Use) Next Calls;
    "A = (aget B C)" AGet (Def, Use, Use) Next Throws;
    "(aset A B C)" ASet (Use, Use, Use) Next Throws;
    "A = (deref B) of an atom, volatile or var" Deref (Def, Use, No) Next Calls;
    "A = vector of aux registers from B on" Vector (Def, Args, No) Next Pure;
    // ---- mutable cells of locals that are assigned, and fields
    "A = new cell holding B" MakeBox (Def, Use, No) Next Pure;
    "A = content of cell B" GetBox (Def, Use, No) Next Pure;
    "content of cell A becomes B" SetBox (Use, Use, No) Next Pure;
    "A = field C of the instance or record in B" Field (Def, Use, Nat) Next Throws;
    "field C of the instance in A becomes B" SetField (Use, Use, Nat) Next Throws;
}}}

macro_rules! make_ops {
    (@b $b:ident, $c:ident) => { ($b, $c, false) };
    ($($doc:literal $name:ident ($a:ident $(, $b:ident, $c:ident)? $(; $i:ident)?) $flow:ident $effect:ident;)*) => {
        /// Opcodes, in table order.
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
        #[repr(u8)]
        pub enum Op { $(#[doc = $doc] $name,)* }
        /// One row per opcode, in order.
        pub static OPS: &[OpInfo] = &[$(OpInfo {
            op: Op::$name,
            name: stringify!($name),
            a: Operand::$a,
            b: make_ops!(@first $($b)? $($i)?),
            c: make_ops!(@second $($c)?),
            wide: make_ops!(@wide $($i)?),
            flow: Flow::$flow,
            effect: Effect::$effect,
            doc: $doc,
        },)*];
    };
    (@first $x:ident) => { Operand::$x };
    (@second $x:ident) => { Operand::$x };
    (@second) => { Operand::No };
    (@wide $x:ident) => { true };
    (@wide) => { false };
}
for_each_op!(make_ops);

pub const OP_COUNT: usize = OPS.len();

/// Overflow modes of integer arithmetic, from the source language.
pub mod mode {
    /// Beyond i64 is an error (Clojure).
    pub const CHECKED: u8 = 0;
    /// Beyond i64 becomes a big integer (Python, `+'`).
    pub const PROMOTE: u8 = 1;
    /// Wraps (`unchecked-add`).
    pub const WRAP: u8 = 2;
    pub const MASK: u8 = 3;
    pub const SAW_DOUBLE: u8 = 16;
    pub const SAW_OTHER: u8 = 32;
}

/// What failed guards saw of an instruction's operands (see `Vm::seen_at`).
pub mod saw {
    pub const FIX: u8 = 1;
    pub const DOUBLE: u8 = 2;
    pub const LONGS: u8 = 4;
    pub const DOUBLES: u8 = 8;
    pub const OTHER: u8 = 16;
    /// A fixnum of more than 28 bits came to a loop that wanted a smaller one.
    pub const WIDE: u8 = 32;
}

/// One encoded word.
pub type Word = u64;

#[inline(always)]
pub const fn abc(op: Op, aux: u8, a: u16, b: u16, c: u16) -> Word {
    op as u64 | (aux as u64) << 8 | (a as u64) << 16 | (b as u64) << 32 | (c as u64) << 48
}
#[inline(always)]
pub const fn ai(op: Op, aux: u8, a: u16, i: i32) -> Word {
    op as u64 | (aux as u64) << 8 | (a as u64) << 16 | (i as u32 as u64) << 32
}
#[inline(always)]
pub const fn aux(w: Word) -> u8 {
    (w >> 8) as u8
}
#[inline(always)]
pub const fn a(w: Word) -> usize {
    (w >> 16) as u16 as usize
}
#[inline(always)]
pub const fn b(w: Word) -> usize {
    (w >> 32) as u16 as usize
}
#[inline(always)]
pub const fn c(w: Word) -> usize {
    (w >> 48) as usize
}
/// `B` as a signed immediate.
#[inline(always)]
pub const fn sb(w: Word) -> i64 {
    (w >> 32) as i16 as i64
}
/// `C` as a signed immediate or jump.
#[inline(always)]
pub const fn sc(w: Word) -> i64 {
    w as i64 >> 48
}
/// `I`, signed.
#[inline(always)]
pub const fn si(w: Word) -> i64 {
    w as i64 >> 32
}
/// `I`, unsigned.
#[inline(always)]
pub const fn ui(w: Word) -> usize {
    (w >> 32) as usize
}

impl Op {
    /// The opcode of a word, if there is one.
    pub fn of(w: Word) -> Option<Op> {
        OPS.get(w as u8 as usize).map(|i| i.op)
    }
    pub fn info(self) -> &'static OpInfo {
        &OPS[self as usize]
    }
}

/// The names of all opcodes in lower case, as listings and queries show them.
pub fn lower_name(op: Op) -> &'static str {
    static NAMES: std::sync::OnceLock<Vec<String>> = std::sync::OnceLock::new();
    &NAMES.get_or_init(|| OPS.iter().map(|o| o.name.to_lowercase()).collect())[op as usize]
}

/// Words of the instruction that starts with `w`, that word included.
pub fn len(w: Word) -> usize {
    match Op::of(w) {
        Some(Op::Prim2 | Op::Prim3 | Op::GetKw | Op::Assoc) => 2,
        Some(Op::Closure) => 1 + (aux(w) as usize).div_ceil(4),
        _ => 1,
    }
}
/// Second word of `Prim2` and `Prim3`: primitive id, third argument.
pub const fn second(prim: u16, d: u16) -> Word {
    prim as u64 | (d as u64) << 16
}
/// Register `i` of the captures that follow a `Closure`.
pub fn capture_reg(words: &[Word], i: usize) -> u16 {
    (words[i / 4] >> (16 * (i % 4))) as u16
}

/// Calls `f(register, is_def)` for every register the instruction at `words[0..]` reads or writes: reads first.
pub fn registers(words: &[Word], mut f: impl FnMut(usize, bool)) {
    let w = words[0];
    let Some(op) = Op::of(w) else { return };
    let info = op.info();
    let n = aux(w) as usize;
    let fields = [(info.a, a(w)), (info.b, b(w)), (info.c, c(w))];
    for (kind, r) in fields.into_iter().take(if info.wide { 1 } else { 3 }) {
        match kind {
            Operand::Use => f(r, false),
            Operand::Args => (r..r + n).for_each(|r| f(r, false)),
            Operand::Window => {
                let first = if matches!(op, Op::Call | Op::TailCall) { r } else { r + 1 };
                (first..=r + n).for_each(|r| f(r, false));
            }
            _ => {}
        }
    }
    match op {
        Op::Prim3 | Op::Assoc => f((words[1] >> 16) as u16 as usize, false),
        Op::Closure => (0..n).for_each(|i| f(capture_reg(&words[1..], i) as usize, false)),
        _ => {}
    }
    if info.a == Operand::Def {
        f(a(w), true);
    }
}

/// Target of the jump at `pc`, if the instruction has one.
pub fn target(words: &[Word], pc: usize) -> Option<usize> {
    let w = words[pc];
    let info = Op::of(w)?.info();
    let d = match (info.b, info.c) {
        (Operand::Jump, _) => si(w),
        (_, Operand::Jump) => sc(w),
        _ => return None,
    };
    usize::try_from(pc as i64 + 1 + d).ok()
}

/// Text of the instruction at `words[pc]`, as `--dump op` prints it: `add r2 r0 r1`.
pub fn disassemble(words: &[Word], pc: usize) -> String {
    use std::fmt::Write;
    let w = words[pc];
    let Some(op) = Op::of(w) else { return format!("?{w:016x}") };
    let info = op.info();
    let mut s = info.name.to_lowercase();
    let mut field = |kind: Operand, raw: usize, signed: i64| {
        let _ = match kind {
            Operand::No => Ok(()),
            Operand::Def | Operand::Use => write!(s, " r{raw}"),
            Operand::Imm => write!(s, " {signed}"),
            Operand::Nat => write!(s, " {raw}"),
            Operand::Const => write!(s, " k{raw}"),
            Operand::Jump => write!(s, " ->{}", pc as i64 + 1 + signed),
            Operand::Site => write!(s, " @{raw}"),
            Operand::Window | Operand::Args => write!(s, " r{raw}..{}", aux(w)),
            Operand::Capture => write!(s, " c{raw}"),
            Operand::Prim => write!(s, " {}", crate::prim::table::get(raw as u16).map_or("?", |p| p.name)),
        };
    };
    field(info.a, a(w), 0);
    if info.wide {
        field(info.b, ui(w), si(w));
    } else {
        field(info.b, b(w), sb(w));
        field(info.c, c(w), sc(w));
    }
    if matches!(op, Op::Prim2 | Op::Prim3 | Op::Assoc) {
        let x = words.get(pc + 1).copied().unwrap_or(0);
        if op != Op::Prim2 {
            let _ = write!(s, " r{}", (x >> 16) as u16);
        }
        if op != Op::Assoc {
            let _ = write!(s, " {}", crate::prim::table::get(x as u16).map_or("?", |p| p.name));
        }
    }
    if op == Op::Closure {
        for i in 0..aux(w) as usize {
            let _ = write!(s, " r{}", words.get(pc + 1 + i / 4).map_or(0, |_| capture_reg(&words[pc + 1..], i)));
        }
    }
    s
}
