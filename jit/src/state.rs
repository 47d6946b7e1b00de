//! What is known of a frame's words at a point of a piece: type, where the value is, whether the frame has it.

use yin_vm::tier::SMALL;
use yin_vm::value::{FIX_MAX, FIX_MIN};

/// Bound of products of small numbers.
const PRODUCT: i64 = SMALL * SMALL;

/// What a loop wants of a word where it is entered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Demand {
    pub word: usize,
    /// If its type is not known.
    pub ty: Option<Ty>,
    /// Integers no larger than `SMALL`.
    pub small: bool,
}

/// Type and representation of a word whose value is in a machine register.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ty {
    /// A tagged word of any type.
    Any,
    /// A tagged fixnum.
    Fix,
    /// A raw 64-bit integer.
    I64,
    /// A raw double.
    F64,
    /// A tagged array of longs, header checked.
    Longs,
    /// A tagged array of doubles, header checked.
    Doubles,
    /// Tagged true or false.
    Bool,
}

impl Ty {
    /// Is the machine register's content the tagged word?
    pub fn is_tagged(self) -> bool {
        !matches!(self, Ty::I64 | Ty::F64)
    }
    /// Does the machine know the array's length too?
    pub fn is_array(self) -> bool {
        matches!(self, Ty::Longs | Ty::Doubles)
    }
    pub fn is_int(self) -> bool {
        matches!(self, Ty::Fix | Ty::I64)
    }
    /// Every value of the type lies between these.
    pub fn range(self) -> (i64, i64) {
        if self == Ty::Fix { (FIX_MIN, FIX_MAX) } else { (i64::MIN, i64::MAX) }
    }
    fn join(self, other: Ty) -> Ty {
        match (self, other) {
            (a, b) if a == b => a,
            (Ty::Fix, Ty::I64) | (Ty::I64, Ty::Fix) => Ty::I64,
            _ => Ty::Any,
        }
    }
}

/// One frame word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Word {
    pub ty: Ty,
    /// The value is in a machine register; else only in the frame.
    pub reg: bool,
    /// The frame has the tagged word.
    pub clean: bool,
    /// Least and greatest value, of integers.
    pub lo: i64,
    pub hi: i64,
}

impl Word {
    pub const MEMORY: Word = Word { ty: Ty::Any, reg: false, clean: true, lo: i64::MIN, hi: i64::MAX };
    pub fn new(ty: Ty) -> Word {
        let (lo, hi) = ty.range();
        Word { ty, reg: true, clean: false, lo, hi }
    }
    /// The integer it is known to be.
    pub fn known(self) -> Option<i64> {
        (self.lo == self.hi).then_some(self.lo)
    }
    /// Is every value a fixnum?
    pub fn is_small(self) -> bool {
        self.lo >= FIX_MIN && self.hi <= FIX_MAX
    }
}

/// The frame's words; `None` holds nothing that is needed. Index 1 is the callee, `2 + r` register `r`; inlined frames follow
/// at their places.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct State(pub Vec<Option<Word>>);

impl State {
    pub fn get(&self, i: usize) -> Option<Word> {
        self.0.get(i).copied().flatten()
    }
    pub fn set(&mut self, i: usize, w: Word) {
        if self.0.len() <= i {
            self.0.resize(i + 1, None);
        }
        self.0[i] = Some(w);
    }
    pub fn clear(&mut self, i: usize) {
        if let Some(w) = self.0.get_mut(i) {
            *w = None;
        }
    }
    /// What will be known of a word after the checks that a loop demands.
    pub fn demand(&mut self, d: Demand) {
        let Some(mut w) = self.get(d.word) else { return };
        if let (Some(ty), Ty::Any) = (d.ty, w.ty) {
            (w.ty, w.reg) = (ty, true);
            (w.lo, w.hi) = ty.range();
        }
        if d.small && w.ty.is_int() && w.lo <= SMALL && w.hi >= -SMALL {
            (w.lo, w.hi) = (w.lo.max(-SMALL), w.hi.min(SMALL));
        }
        self.set(d.word, w);
    }
    /// What holds at a loop header where `old` was thought to hold and `self` does, in few steps: a bound that grew beyond
    /// small numbers, or `again`, is given up.
    pub fn widen(&mut self, old: &State, again: bool) {
        for (i, w) in self.0.iter_mut().enumerate() {
            let (Some(w), Some(o)) = (w, old.get(i)) else { continue };
            let (lo, hi) = w.ty.range();
            // What is at most a product of small numbers can be added to without a check.
            if w.lo < o.lo && (again || w.lo < -SMALL) {
                w.lo = if w.lo >= -PRODUCT && o.lo > -PRODUCT { -PRODUCT } else { lo };
            }
            if w.hi > o.hi && (again || w.hi > SMALL) {
                w.hi = if w.hi <= PRODUCT && o.hi < PRODUCT { PRODUCT } else { hi };
            }
        }
    }
    /// Keeps only words that `keep` wants.
    pub fn retain(&mut self, keep: impl Fn(usize) -> bool) {
        for (i, w) in self.0.iter_mut().enumerate() {
            if w.is_some() && !keep(i) {
                *w = None;
            }
        }
    }
    /// What holds whichever of two ways was taken.
    pub fn join(&self, other: &State) -> State {
        let n = self.0.len().max(other.0.len());
        let word = |i: usize| {
            let (a, b) = (self.get(i)?, other.get(i)?);
            let ty = a.ty.join(b.ty);
            let (lo, hi) = if ty == Ty::Any { ty.range() } else { (a.lo.min(b.lo), a.hi.max(b.hi)) };
            Some(Word { ty, reg: a.reg || b.reg, clean: a.clean && b.clean, lo, hi })
        };
        State((0..n).map(word).collect())
    }
}
