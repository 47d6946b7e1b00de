//! Words: every value as 64 bits, so that columns are plain arrays and joins compare integers.
//!
//! A [`Word`] is four bits of kind and sixty of content. Integers of 60 bits, most doubles, instants, characters,
//! booleans and `nil` are in the word itself; everything else is an index into a [`Dict`]. Within one dictionary equal
//! values have equal words and unequal values have unequal words; entity ids are integers like any other.
//!
//! # Invariants
//! 1. The kind of a dictionary-coded word is the kind of its value, so kinds can be told apart without a dictionary.
//! 2. Integers in words sort as integers do, and instants as instants.
//! 3. A value has one word: whole big integers that fit are integers, minus zero is zero.

use crate::edn::Edn;
use std::fmt;
use std::sync::Arc;

/// A value in 64 bits; see the module.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Word(pub u64);

const PAYLOAD: u64 = (1 << 60) - 1;
const BIAS: i64 = 1 << 59;
/// Set in the index of a word that belongs to a query's own overlay instead of a source's dictionary.
const LOCAL: u64 = 1 << 59;

/// The four bits of kind. The first fourteen are [`Edn::kind_rank`].
pub mod kind {
    /// `nil`
    pub const NIL: u8 = 0;
    /// Keyword, in the dictionary.
    pub const KEYWORD: u8 = 1;
    /// Symbol, in the dictionary.
    pub const SYMBOL: u8 = 5;
    /// `true` or `false`
    pub const BOOL: u8 = 6;
    /// Character.
    pub const CHAR: u8 = 7;
    /// Integer of 60 bits, and any entity id.
    pub const INT: u8 = 8;
    /// String, in the dictionary.
    pub const STR: u8 = 9;
    /// Milliseconds.
    pub const INST: u8 = 10;
    /// A number that fits no word, in the dictionary.
    pub const NUMBER: u8 = 14;
    /// A double with an exponent of 7 bits.
    pub const FLOAT: u8 = 15;
}

impl Word {
    /// `nil`
    pub const NIL: Word = Word(0);
    /// `false`
    pub const FALSE: Word = Word((kind::BOOL as u64) << 60);
    /// `true`
    pub const TRUE: Word = Word(((kind::BOOL as u64) << 60) | 1);
    /// The least integer word; all integer words lie between it and [`Word::INT_MAX`].
    pub const INT_MIN: Word = Word((kind::INT as u64) << 60);
    /// The greatest integer word.
    pub const INT_MAX: Word = Word(((kind::INT as u64) << 60) | PAYLOAD);

    /// The kind, one of [`kind`] or an [`Edn::kind_rank`].
    #[inline]
    pub fn kind(self) -> u8 {
        (self.0 >> 60) as u8
    }

    /// The word of an entity id.
    #[inline]
    pub fn entity(e: u32) -> Self {
        Word(Self::INT_MIN.0 + (BIAS as u64) + u64::from(e))
    }

    /// The entity id, if this is an integer in its range.
    #[inline]
    pub fn as_entity(self) -> Option<u32> {
        u32::try_from(self.0.wrapping_sub(Self::INT_MIN.0 + BIAS as u64)).ok()
    }

    /// The word of an integer, if it fits.
    #[inline]
    pub fn int(i: i64) -> Option<Self> {
        (-BIAS..BIAS).contains(&i).then(|| Word(Self::INT_MIN.0 + (i + BIAS) as u64))
    }

    /// The integer, if this is one.
    #[inline]
    pub fn as_int(self) -> Option<i64> {
        (self.kind() == kind::INT).then(|| (self.0 & PAYLOAD) as i64 - BIAS)
    }

    /// The word of a truth value.
    #[inline]
    pub fn bool(b: bool) -> Self {
        if b { Self::TRUE } else { Self::FALSE }
    }

    /// A word of the dictionary. `local` marks a query's overlay.
    #[inline]
    pub fn coded(kind: u8, index: u32, local: bool) -> Self {
        Word((u64::from(kind) << 60) | u64::from(index) | if local { LOCAL } else { 0 })
    }

    /// The index into the dictionary, and whether it is a query's overlay; `None` for words that are whole in themselves.
    #[inline]
    pub fn code(self) -> Option<(u32, bool)> {
        match self.kind() {
            0 | 6 | 7 | 8 | 10 | 15 => None,
            _ => Some((self.0 as u32, self.0 & LOCAL != 0)),
        }
    }

    /// The word of a value that needs no dictionary.
    pub fn inline(v: &Edn) -> Option<Self> {
        match v {
            Edn::Nil => Some(Self::NIL),
            Edn::Bool(b) => Some(Self::bool(*b)),
            Edn::Char(c) => Some(Word((u64::from(kind::CHAR) << 60) | u64::from(u32::from(*c)))),
            Edn::Int(i) => Self::int(*i),
            Edn::BigInt(_) => v.as_int().and_then(Self::int),
            Edn::Inst(ms) => {
                (-BIAS..BIAS).contains(ms).then(|| Word((u64::from(kind::INST) << 60) + (ms + BIAS) as u64))
            }
            Edn::Float(f) => Self::float(*f),
            _ => None,
        }
    }

    /// The word of a double whose exponent is in −62…63, or of zero.
    fn float(f: f64) -> Option<Self> {
        let tag = u64::from(kind::FLOAT) << 60;
        if f == 0.0 {
            return Some(Word(tag));
        }
        let bits = f.to_bits();
        let exponent = ((bits >> 52) & 0x7ff) as i64 - 1023 + 63;
        let fraction = bits & ((1 << 52) - 1);
        let word = tag | ((bits >> 63) << 59) | ((exponent.max(0) as u64) << 52) | fraction;
        (1..128).contains(&exponent).then_some(Word(word))
    }

    /// The value of a word that needs no dictionary.
    pub fn as_inline(self) -> Option<Edn> {
        let payload = self.0 & PAYLOAD;
        match self.kind() {
            kind::NIL => Some(Edn::Nil),
            kind::BOOL => Some(Edn::Bool(payload == 1)),
            kind::CHAR => u32::try_from(payload).ok().and_then(char::from_u32).map(Edn::Char),
            kind::INT => Some(Edn::Int(payload as i64 - BIAS)),
            kind::INST => Some(Edn::Inst(payload as i64 - BIAS)),
            kind::FLOAT if payload == 0 => Some(Edn::Float(0.0)),
            kind::FLOAT => {
                let exponent = ((payload >> 52) & 0x7f) + 1023 - 63;
                let bits = ((payload >> 59) << 63) | (exponent << 52) | (payload & ((1 << 52) - 1));
                Some(Edn::Float(f64::from_bits(bits)))
            }
            _ => None,
        }
    }

    /// The kind bits under which a value is kept in a dictionary.
    pub fn coded_kind(v: &Edn) -> u8 {
        if v.is_number() || matches!(v, Edn::Inst(_)) { kind::NUMBER } else { v.kind_rank() }
    }
}

impl fmt::Debug for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.as_inline(), self.code()) {
            (Some(v), _) => write!(f, "{v}"),
            (None, Some((i, local))) => write!(f, "#{}{}.{i}", if local { "q" } else { "d" }, self.kind()),
            (None, None) => write!(f, "#{:x}", self.0),
        }
    }
}

/// Values that are too large for a word, numbered from 0. Append-only: an index keeps its value for good.
pub trait Dict: Send + Sync {
    /// The index of a value that is already there.
    fn find(&self, v: &Edn) -> Option<u32>;
    /// The value of an index it gave out.
    fn get(&self, index: u32) -> Edn;

    /// The word of a value, if it is in the word itself or already in the dictionary.
    fn word(&self, v: &Edn) -> Option<Word> {
        Word::inline(v).or_else(|| self.find(v).map(|i| Word::coded(Word::coded_kind(v), i, false)))
    }

    /// The value of a word of this dictionary.
    fn value(&self, w: Word) -> Edn {
        match w.as_inline() {
            Some(v) => v,
            None => self.get(w.0 as u32),
        }
    }
}

/// A dictionary that takes new values through `&mut`; for sources built once and for overlays of queries.
#[derive(Clone, Default)]
pub struct LocalDict {
    values: Vec<Edn>,
    index: rustc_hash::FxHashMap<Edn, u32>,
}

impl LocalDict {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many values it holds.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// True if it holds none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The index of a value, which is added if it is new. The dictionary holds at most 2^32 values.
    pub fn add(&mut self, v: &Edn) -> u32 {
        if let Some(i) = self.index.get(v) {
            return *i;
        }
        let i = u32::try_from(self.values.len()).expect("a dictionary holds fewer than 2^32 values");
        self.values.push(v.clone());
        self.index.insert(v.clone(), i);
        i
    }

    /// The word of a value, which is added if it needs to be.
    pub fn encode(&mut self, v: &Edn) -> Word {
        Word::inline(v).unwrap_or_else(|| Word::coded(Word::coded_kind(v), self.add(v), false))
    }
}

impl Dict for LocalDict {
    fn find(&self, v: &Edn) -> Option<u32> {
        self.index.get(v).copied()
    }

    fn get(&self, index: u32) -> Edn {
        self.values.get(index as usize).cloned().unwrap_or(Edn::Nil)
    }
}

/// A dictionary shared between threads.
pub type SharedDict = Arc<dyn Dict>;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edn::{read, read_all};

    #[test]
    fn words_and_values_correspond() {
        let vs = read_all(
            "nil true false \\a 0 1 -1 576460752303423487 576460752303423488 -576460752303423488 9223372036854775807 \
             1.0 -2.5 0.1 1e-300 1e300 0.0 ##Inf ##NaN :a b \"s\" [1] {} #{} #inst \"2000\" 1/2 1M 99999999999999999999",
        )
        .unwrap();
        let mut d = LocalDict::new();
        let words: Vec<Word> = vs.iter().map(|v| d.encode(v)).collect();
        for (i, (v, w)) in vs.iter().zip(&words).enumerate() {
            assert_eq!(d.value(*w), *v, "{v}");
            assert_eq!(d.word(v), Some(*w), "{v}");
            for (u, x) in vs.iter().zip(&words).take(i) {
                assert_ne!(w, x, "{v} {u}");
            }
        }
        assert_eq!(d.encode(&read("1N").unwrap()), Word::entity(1));
        assert_eq!(d.encode(&read("(1)").unwrap()), d.encode(&read("[1]").unwrap()));
        assert!(Word::int(-5) < Word::int(3) && Word::int(3) < Word::int(4));
        assert_eq!(Word::entity(7).as_entity(), Some(7));
        assert_eq!(Word::int(-1).unwrap().as_entity(), None);
        assert_eq!(Word::int(1 << 32).unwrap().as_entity(), None);
    }
}
