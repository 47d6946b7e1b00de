//! Equality, hashing and the total order of values, kept in one place because they must agree.

use super::number::compare_size;
use super::value::Edn;
use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

impl Edn {
    /// Where its kind stands among unlike kinds; the order follows the class names of the JVM, on which DataScript's
    /// order of unlike values rests.
    pub fn kind_rank(&self) -> u8 {
        match self {
            Edn::Nil => 0,
            Edn::Keyword(_) => 1,
            Edn::Map(_) => 2,
            Edn::Set(_) => 3,
            Edn::List(_) | Edn::Vector(_) => 4,
            Edn::Symbol(_) => 5,
            Edn::Bool(_) => 6,
            Edn::Char(_) => 7,
            Edn::Int(_) | Edn::BigInt(_) | Edn::Float(_) | Edn::Decimal(_) | Edn::Ratio(_) => 8,
            Edn::Str(_) => 9,
            Edn::Inst(_) => 10,
            Edn::Uuid(_) => 11,
            Edn::Regex(_) => 12,
            Edn::Tagged(_) => 13,
        }
    }

    /// Numbers of different category are never equal, whatever their size.
    fn number_category(&self) -> u8 {
        match self {
            Edn::Int(_) | Edn::BigInt(_) => 0,
            Edn::Ratio(_) => 1,
            Edn::Decimal(_) => 2,
            _ => 3,
        }
    }

    /// Compares two numbers by size across types (`1` and `1.0` are the same); `None` if either is no number.
    pub fn compare_numbers(&self, other: &Self) -> Option<Ordering> {
        (self.is_number() && other.is_number()).then(|| compare_size(self, other))
    }
}

impl PartialEq for Edn {
    fn eq(&self, other: &Self) -> bool {
        use Edn::*;
        match (self, other) {
            (Nil, Nil) => true,
            (Bool(a), Bool(b)) => a == b,
            (Int(a), Int(b)) => a == b,
            (BigInt(a), BigInt(b)) => a == b,
            (Int(a), BigInt(b)) | (BigInt(b), Int(a)) => i64::try_from(&**b) == Ok(*a),
            (Float(a), Float(b)) => a == b || (a.is_nan() && b.is_nan()),
            (Decimal(a), Decimal(b)) => a == b,
            (Ratio(a), Ratio(b)) => a == b,
            (Char(a), Char(b)) => a == b,
            (Str(a), Str(b)) => a == b,
            (Keyword(a), Keyword(b)) => a == b,
            (Symbol(a), Symbol(b)) => a == b,
            (List(a) | Vector(a), List(b) | Vector(b)) => {
                std::ptr::eq(a.as_ptr(), b.as_ptr()) && a.len() == b.len() || a == b
            }
            (Set(a), Set(b)) => a.len() == b.len() && (a == b || sorted(a) == sorted(b)),
            (Map(a), Map(b)) => a.len() == b.len() && (a == b || sorted(a) == sorted(b)),
            (Tagged(a), Tagged(b)) => a == b,
            (Inst(a), Inst(b)) => a == b,
            (Uuid(a), Uuid(b)) => a == b,
            (Regex(a), Regex(b)) => a == b,
            _ => false,
        }
    }
}
impl Eq for Edn {}

fn sorted<T: Ord>(items: &[T]) -> Vec<&T> {
    let mut v: Vec<&T> = items.iter().collect();
    v.sort();
    v
}

/// FNV-1a over the bytes a value feeds to a hasher: a fixed function, so that unordered hashes are reproducible.
struct Fnv(u64);
impl Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for b in bytes {
            self.0 = (self.0 ^ *b as u64).wrapping_mul(0x100_0000_01b3);
        }
    }
}

fn unordered<T: Hash>(items: &[T]) -> u64 {
    items.iter().fold(0, |sum, x| {
        let mut h = Fnv(0xcbf2_9ce4_8422_2325);
        x.hash(&mut h);
        u64::wrapping_add(sum, h.finish())
    })
}

impl Hash for Edn {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u8(self.kind_rank());
        match self {
            Edn::Nil => {}
            Edn::Bool(b) => b.hash(state),
            Edn::Int(i) => i.hash(state),
            Edn::BigInt(i) => match i64::try_from(&**i) {
                Ok(i) => i.hash(state),
                Err(_) => i.hash(state),
            },
            // Zero and minus zero are equal, and so are all NaNs.
            Edn::Float(f) if *f == 0.0 => 0u64.hash(state),
            Edn::Float(f) if f.is_nan() => u64::MAX.hash(state),
            Edn::Float(f) => f.to_bits().hash(state),
            Edn::Decimal(d) => d.hash(state),
            Edn::Ratio(r) => r.hash(state),
            Edn::Char(c) => c.hash(state),
            Edn::Str(s) | Edn::Regex(s) => s.hash(state),
            Edn::Keyword(k) => k.hash(state),
            Edn::Symbol(s) => s.hash(state),
            Edn::List(v) | Edn::Vector(v) => v.hash(state),
            Edn::Map(m) => unordered(m).hash(state),
            Edn::Set(s) => unordered(s).hash(state),
            Edn::Tagged(t) => t.hash(state),
            Edn::Inst(i) => i.hash(state),
            Edn::Uuid(u) => u.hash(state),
        }
    }
}

impl PartialOrd for Edn {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Edn {
    fn cmp(&self, other: &Self) -> Ordering {
        use Edn::*;
        match (self, other) {
            (Bool(a), Bool(b)) => a.cmp(b),
            (Int(a), Int(b)) => a.cmp(b),
            (Char(a), Char(b)) => a.cmp(b),
            (Str(a), Str(b)) | (Regex(a), Regex(b)) => compare_utf16(a, b),
            (Keyword(a), Keyword(b)) => a.cmp(b),
            (Symbol(a), Symbol(b)) => a.cmp(b),
            (List(a) | Vector(a), List(b) | Vector(b)) => a.len().cmp(&b.len()).then_with(|| a.cmp(b)),
            (Set(a), Set(b)) => a.len().cmp(&b.len()).then_with(|| sorted(a).cmp(&sorted(b))),
            (Map(a), Map(b)) => a.len().cmp(&b.len()).then_with(|| sorted(a).cmp(&sorted(b))),
            (Tagged(a), Tagged(b)) => a.cmp(b),
            (Inst(a), Inst(b)) => a.cmp(b),
            (Uuid(a), Uuid(b)) => a.cmp(b),
            (a, b) if a.is_number() && b.is_number() => {
                compare_size(a, b).then_with(|| a.number_category().cmp(&b.number_category()))
            }
            (a, b) => a.kind_rank().cmp(&b.kind_rank()),
        }
    }
}

/// Compares two strings by UTF-16 unit, as Java and JavaScript do: characters beyond the basic plane sort below
/// `U+E000`…`U+FFFF`. Bytes decide until the first difference, so nothing is converted.
pub fn compare_utf16(a: &str, b: &str) -> Ordering {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let n = a.len().min(b.len());
    match a[..n].iter().zip(&b[..n]).find(|(x, y)| x != y) {
        None => a.len().cmp(&b.len()),
        Some((&x, &y)) => {
            // Four-byte sequences (0xF0…) are surrogates D800…DFFF in UTF-16: below EE.. and EF.. (E000…FFFF).
            let weight = |b: u8| if b >= 0xf0 { 0xed00 | b as u16 } else { (b as u16) << 8 };
            weight(x).cmp(&weight(y))
        }
    }
}
