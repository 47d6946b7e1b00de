//! The value type: what EDN text denotes.

use super::name::{Keyword, Symbol};
use super::number::{Decimal, Ratio};
use num_bigint::BigInt;
use std::fmt;
use std::sync::Arc;

/// A universally unique identifier: its 16 bytes in the order they are written.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Uuid(pub [u8; 16]);

impl Uuid {
    /// From the written form `8-4-4-4-12` of hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let mut groups = text.split('-');
        let mut value: u128 = 0;
        for len in [8u32, 4, 4, 4, 12] {
            let group = groups.next()?;
            // As Java, a group may be short but not empty or long.
            if group.is_empty() || group.len() > len as usize || !group.bytes().all(|b| b.is_ascii_hexdigit()) {
                return None;
            }
            value = (value << (4 * len)) | u128::from_str_radix(group, 16).ok()?;
        }
        groups.next().is_none().then_some(Self(value.to_be_bytes()))
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, b) in self.0.iter().enumerate() {
            if matches!(i, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{b:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An EDN value. Immutable; a clone is at most one reference count.
///
/// Values built by the reader are never nested deeper than [`MAX_DEPTH`](super::MAX_DEPTH); equality, hashing, order,
/// printing and dropping recurse to the depth of the value, so code that builds values keeps to that bound.
#[derive(Clone, Default)]
pub enum Edn {
    /// `nil`
    #[default]
    Nil,
    /// `true`, `false`
    Bool(bool),
    /// An integer of 64 bits.
    Int(i64),
    /// An integer written `1N`, or too large for 64 bits.
    BigInt(Arc<BigInt>),
    /// A double.
    Float(f64),
    /// `1.50M`
    Decimal(Arc<Decimal>),
    /// `1/2`, in lowest terms.
    Ratio(Arc<Ratio>),
    /// `\a`
    Char(char),
    /// `"text"`
    Str(Arc<str>),
    /// `:name`, `:ns/name`
    Keyword(Keyword),
    /// `name`, `ns/name`
    Symbol(Symbol),
    /// `(a b)`
    List(Arc<[Edn]>),
    /// `[a b]`
    Vector(Arc<[Edn]>),
    /// `{k v}`, pairs in the order written, keys distinct.
    Map(Arc<[(Edn, Edn)]>),
    /// `#{a b}`, in the order written, elements distinct.
    Set(Arc<[Edn]>),
    /// `#tag value`
    Tagged(Arc<(Symbol, Edn)>),
    /// `#inst "…"`: milliseconds since 1970-01-01T00:00Z.
    Inst(i64),
    /// `#uuid "…"`
    Uuid(Uuid),
    /// `#"pattern"`, the text between the quotes as written.
    Regex(Arc<str>),
}

impl Edn {
    /// A keyword from its text without colon.
    pub fn keyword(text: &str) -> Self {
        Edn::Keyword(Keyword::new(text))
    }

    /// A symbol from its text.
    pub fn symbol(text: &str) -> Self {
        Edn::Symbol(Symbol::new(text))
    }

    /// A string.
    pub fn string(text: impl Into<Arc<str>>) -> Self {
        Edn::Str(text.into())
    }

    /// A vector.
    pub fn vector(items: impl Into<Arc<[Edn]>>) -> Self {
        Edn::Vector(items.into())
    }

    /// A list.
    pub fn list(items: impl Into<Arc<[Edn]>>) -> Self {
        Edn::List(items.into())
    }

    /// A set; repeated elements are dropped, the first stays.
    pub fn set(items: impl IntoIterator<Item = Edn>) -> Self {
        let mut seen = rustc_hash::FxHashSet::default();
        Edn::Set(items.into_iter().filter(|x| seen.insert(x.clone())).collect())
    }

    /// A map; of repeated keys the last value stays, in the first one's place.
    pub fn map(pairs: impl IntoIterator<Item = (Edn, Edn)>) -> Self {
        let mut at: rustc_hash::FxHashMap<Edn, usize> = rustc_hash::FxHashMap::default();
        let mut out: Vec<(Edn, Edn)> = Vec::new();
        for (k, v) in pairs {
            match at.entry(k.clone()) {
                std::collections::hash_map::Entry::Occupied(e) => out[*e.get()].1 = v,
                std::collections::hash_map::Entry::Vacant(e) => {
                    e.insert(out.len());
                    out.push((k, v));
                }
            }
        }
        Edn::Map(out.into())
    }

    /// An integer of any size: [`Edn::Int`] where it fits.
    pub fn integer(n: BigInt) -> Self {
        match i64::try_from(&n) {
            Ok(i) => Edn::Int(i),
            Err(_) => Edn::BigInt(Arc::new(n)),
        }
    }

    /// True for `nil`.
    pub fn is_nil(&self) -> bool {
        matches!(self, Edn::Nil)
    }

    /// False for `nil` and `false` only.
    pub fn is_truthy(&self) -> bool {
        !matches!(self, Edn::Nil | Edn::Bool(false))
    }

    /// True for the five kinds of numbers.
    pub fn is_number(&self) -> bool {
        matches!(self, Edn::Int(_) | Edn::BigInt(_) | Edn::Float(_) | Edn::Decimal(_) | Edn::Ratio(_))
    }

    /// The integer, if it is one of 64 bits.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Edn::Int(i) => Some(*i),
            Edn::BigInt(i) => i64::try_from(&**i).ok(),
            _ => None,
        }
    }

    /// The nearest double of a number.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Edn::Int(i) => Some(*i as f64),
            Edn::Float(f) => Some(*f),
            Edn::BigInt(i) => i.to_string().parse().ok(),
            Edn::Decimal(d) => d.to_text().parse().ok(),
            Edn::Ratio(r) => {
                // Keep 64 significant bits of the quotient: enough for a correctly rounded double.
                let (n, d) = (r.numerator(), r.denominator());
                let shift = d.bits() as i64 - n.bits() as i64 + 66;
                let q = if shift >= 0 { (n << shift as usize) / d } else { n / (d << (-shift) as usize) };
                let m: f64 = q.to_string().parse().ok()?;
                Some(m * (2f64).powi((-shift / 2) as i32) * (2f64).powi((-shift - -shift / 2) as i32))
            }
            _ => None,
        }
    }

    /// The text of a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Edn::Str(s) => Some(s),
            _ => None,
        }
    }

    /// The keyword.
    pub fn as_keyword(&self) -> Option<&Keyword> {
        match self {
            Edn::Keyword(k) => Some(k),
            _ => None,
        }
    }

    /// The symbol.
    pub fn as_symbol(&self) -> Option<&Symbol> {
        match self {
            Edn::Symbol(s) => Some(s),
            _ => None,
        }
    }

    /// The elements of a list or vector.
    pub fn as_seq(&self) -> Option<&[Edn]> {
        match self {
            Edn::List(v) | Edn::Vector(v) => Some(v),
            _ => None,
        }
    }

    /// The elements of a list, vector or set.
    pub fn as_coll(&self) -> Option<&[Edn]> {
        match self {
            Edn::List(v) | Edn::Vector(v) | Edn::Set(v) => Some(v),
            _ => None,
        }
    }

    /// The elements of a vector.
    pub fn as_vector(&self) -> Option<&[Edn]> {
        match self {
            Edn::Vector(v) => Some(v),
            _ => None,
        }
    }

    /// The pairs of a map.
    pub fn as_map(&self) -> Option<&[(Edn, Edn)]> {
        match self {
            Edn::Map(m) => Some(m),
            _ => None,
        }
    }

    /// The value of a key, if this is a map that has it. Linear in the size of the map.
    pub fn get(&self, key: &Edn) -> Option<&Edn> {
        self.as_map()?.iter().find(|(k, _)| k == key).map(|(_, v)| v)
    }

    /// The value of a keyword given by its text, if this is a map that has it.
    pub fn get_kw(&self, key: &str) -> Option<&Edn> {
        self.as_map()?.iter().find(|(k, _)| k.as_keyword().is_some_and(|k| k.as_str() == key)).map(|(_, v)| v)
    }
}

impl From<bool> for Edn {
    fn from(b: bool) -> Self {
        Edn::Bool(b)
    }
}
impl From<i64> for Edn {
    fn from(i: i64) -> Self {
        Edn::Int(i)
    }
}
impl From<f64> for Edn {
    fn from(f: f64) -> Self {
        Edn::Float(f)
    }
}
impl From<char> for Edn {
    fn from(c: char) -> Self {
        Edn::Char(c)
    }
}
impl From<&str> for Edn {
    fn from(s: &str) -> Self {
        Edn::Str(s.into())
    }
}
impl From<String> for Edn {
    fn from(s: String) -> Self {
        Edn::Str(s.into())
    }
}
impl From<Keyword> for Edn {
    fn from(k: Keyword) -> Self {
        Edn::Keyword(k)
    }
}
impl From<Symbol> for Edn {
    fn from(s: Symbol) -> Self {
        Edn::Symbol(s)
    }
}
impl From<Vec<Edn>> for Edn {
    fn from(v: Vec<Edn>) -> Self {
        Edn::Vector(v.into())
    }
}
impl<T: Into<Edn>> From<Option<T>> for Edn {
    fn from(v: Option<T>) -> Self {
        v.map_or(Edn::Nil, Into::into)
    }
}
impl std::str::FromStr for Edn {
    type Err = super::ReadError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        super::read(text)
    }
}
