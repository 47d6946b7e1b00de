//! Values: one 64-bit word each.
//!
//! | low bits | meaning |
//! |---|---|
//! | `000` | fixnum: 61-bit signed integer, `n = v >> 3` |
//! | low two ≠ `00` | inline double: `v = rol(bits, 3) + 1`; every \|x\| < 2^513, both zeros |
//! | `100`, v ≥ 2^32 | reference to a heap object at `v - 4` |
//! | `100`, v < 2^32 | immediate: `payload:24 << 8 \| subtype:5 << 3 \| 4` |
//!
//! # Invariants
//! 1. A double that can be inline is never boxed; an integer that fits 61 bits is never boxed. So equality of
//!    fixnums, inline doubles and immediates is equality of words.
//! 2. A raw pointer that is 8-byte aligned looks like a fixnum, so such words may sit in tagged slots unharmed.

use crate::layout::Kind;

/// A tagged 64-bit word. `==` is identity of words (`identical?`), not Clojure's `=`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct Value(pub(crate) u64);

/// Subtypes of immediates.
pub mod imm {
    pub const SPECIAL: u64 = 0;
    pub const CHAR: u64 = 1;
    pub const KEYWORD: u64 = 2;
    pub const SYMBOL: u64 = 3;
}

pub const FIX_MAX: i64 = (1 << 60) - 1;
pub const FIX_MIN: i64 = -(1 << 60);

const fn immediate(subtype: u64, payload: u64) -> Value {
    Value(payload << 8 | subtype << 3 | 4)
}

impl Value {
    pub const NIL: Value = immediate(imm::SPECIAL, 0);
    pub const FALSE: Value = immediate(imm::SPECIAL, 1);
    pub const TRUE: Value = immediate(imm::SPECIAL, 2);
    /// What a declared var without value holds.
    pub const UNBOUND: Value = immediate(imm::SPECIAL, 3);
    /// "Not there": the default a lookup is given to tell absence from nil. Never visible to programs.
    pub const ABSENT: Value = immediate(imm::SPECIAL, 4);
    pub const ZERO: Value = Value(0);

    pub const fn from_bits(bits: u64) -> Value {
        Value(bits)
    }
    pub const fn bits(self) -> u64 {
        self.0
    }

    // ---- truth
    /// nil and false are falsy, everything else is truthy: one mask, one compare.
    #[inline(always)]
    pub fn truthy(self) -> bool {
        self.0 & !0x100 != 4
    }
    #[inline(always)]
    pub fn is_nil(self) -> bool {
        self.0 == Self::NIL.0
    }
    #[inline(always)]
    pub fn bool(b: bool) -> Value {
        // FALSE is 0x104 and TRUE is 0x204.
        Value((1 + b as u64) << 8 | 4)
    }
    pub fn is_bool(self) -> bool {
        self == Self::TRUE || self == Self::FALSE
    }

    // ---- fixnums
    #[inline(always)]
    pub fn is_fix(self) -> bool {
        self.0 & 7 == 0
    }
    #[inline(always)]
    pub fn both_fix(a: Value, b: Value) -> bool {
        (a.0 | b.0) & 7 == 0
    }
    /// The fixnum `n`, which must fit 61 bits; see `Vm::int` for any i64.
    #[inline(always)]
    pub const fn fix(n: i64) -> Value {
        debug_assert!(n >= FIX_MIN && n <= FIX_MAX);
        Value((n << 3) as u64)
    }
    /// The fixnum if `n` fits 61 bits.
    #[inline(always)]
    pub fn try_fix(n: i64) -> Option<Value> {
        if (FIX_MIN..=FIX_MAX).contains(&n) { Some(Value((n << 3) as u64)) } else { None }
    }
    /// The integer of a fixnum; meaningless for anything else.
    #[inline(always)]
    pub fn fix_get(self) -> i64 {
        self.0 as i64 >> 3
    }
    #[inline(always)]
    pub fn as_fix(self) -> Option<i64> {
        if self.is_fix() { Some(self.fix_get()) } else { None }
    }

    // ---- inline doubles
    #[inline(always)]
    pub fn is_inline_f64(self) -> bool {
        self.0 & 3 != 0
    }
    /// The inline form of `x`, if it has one; see `Vm::float` for any double.
    #[inline(always)]
    pub fn try_f64(x: f64) -> Option<Value> {
        let v = x.to_bits().rotate_left(3).wrapping_add(1);
        if v & 3 != 0 { Some(Value(v)) } else { None }
    }
    /// The double of an inline double; meaningless for anything else.
    #[inline(always)]
    pub fn f64_get(self) -> f64 {
        f64::from_bits(self.0.wrapping_sub(1).rotate_right(3))
    }

    // ---- immediates
    #[inline(always)]
    fn is_imm(self, subtype: u64) -> bool {
        self.0 & 0xFFFF_FFFF_0000_00FF == subtype << 3 | 4
    }
    /// Is this word an immediate (nil, booleans, characters, keywords, symbols without metadata)?
    #[inline(always)]
    pub fn is_immediate(self) -> bool {
        self.0 & 7 == 4 && self.0 < 1 << 32
    }
    #[inline(always)]
    fn payload(self) -> u32 {
        (self.0 >> 8) as u32 & 0xFF_FFFF
    }
    pub fn char(c: char) -> Value {
        immediate(imm::CHAR, c as u64)
    }
    pub fn as_char(self) -> Option<char> {
        if self.is_imm(imm::CHAR) { char::from_u32(self.payload()) } else { None }
    }
    pub fn is_char(self) -> bool {
        self.is_imm(imm::CHAR)
    }
    /// Keyword by its interned name; see `names::Names`.
    pub const fn keyword(id: u32) -> Value {
        immediate(imm::KEYWORD, id as u64)
    }
    pub fn as_keyword(self) -> Option<u32> {
        if self.is_imm(imm::KEYWORD) { Some(self.payload()) } else { None }
    }
    pub fn is_keyword(self) -> bool {
        self.is_imm(imm::KEYWORD)
    }
    /// Symbol without metadata, by its interned name. A symbol with metadata is a heap object of `Kind::SymbolMeta`.
    pub const fn symbol(id: u32) -> Value {
        immediate(imm::SYMBOL, id as u64)
    }
    /// Name id of a symbol without metadata; `Vm::symbol_id` also sees through metadata.
    pub fn as_plain_symbol(self) -> Option<u32> {
        if self.is_imm(imm::SYMBOL) { Some(self.payload()) } else { None }
    }

    // ---- references
    #[inline(always)]
    pub fn is_ref(self) -> bool {
        self.0 & 7 == 4 && self.0 >= 1 << 32
    }
}

impl std::fmt::Debug for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        if self.is_fix() {
            write!(f, "{}", self.fix_get())
        } else if self.is_inline_f64() {
            write!(f, "{:?}", self.f64_get())
        } else if self.is_ref() {
            write!(f, "ref@{:x}", self.0)
        } else {
            match *self {
                Value::NIL => write!(f, "nil"),
                Value::TRUE => write!(f, "true"),
                Value::FALSE => write!(f, "false"),
                _ => write!(f, "imm{}:{}", self.0 >> 3 & 31, self.payload()),
            }
        }
    }
}

/// A reference to a heap object: address of its header word. Valid until the next driver turn (collections happen only
/// there), so a primitive may hold it for as long as it runs.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub struct Obj(pub(crate) *mut u64);

impl Value {
    /// The object this word refers to, if it is a reference.
    #[inline(always)]
    pub fn obj(self) -> Option<Obj> {
        if self.is_ref() { Some(Obj((self.0 - 4) as *mut u64)) } else { None }
    }
    /// Kind of the heap object, or `None` for immediates and inline numbers.
    #[inline(always)]
    pub fn kind(self) -> Option<Kind> {
        self.obj().map(Obj::kind)
    }
    /// The object if it is of kind `k`.
    #[inline(always)]
    pub fn as_kind(self, k: Kind) -> Option<Obj> {
        match self.obj() {
            Some(o) if o.kind() == k => Some(o),
            _ => None,
        }
    }
    #[inline(always)]
    pub fn is_kind(self, k: Kind) -> bool {
        self.as_kind(k).is_some()
    }
}

impl From<Obj> for Value {
    #[inline(always)]
    fn from(o: Obj) -> Value {
        Value(o.0 as u64 + 4)
    }
}
