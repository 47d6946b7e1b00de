//! Exact numbers beyond machine words: ratios and decimals, and comparison across all kinds of numbers.

use super::value::Edn;
use num_bigint::BigInt;
use num_integer::Integer;
use num_traits::{One, Signed};
use std::cmp::Ordering;

/// A fraction in lowest terms; the denominator is at least 2.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Ratio {
    num: BigInt,
    den: BigInt,
}

impl Ratio {
    /// The quotient of two integers as Clojure has it: an integer where the division is exact. `None` for a zero
    /// denominator.
    pub fn quotient(num: BigInt, den: BigInt) -> Option<Edn> {
        if den == BigInt::ZERO {
            return None;
        }
        let g = num.gcd(&den);
        let (mut num, mut den) = if g == BigInt::ZERO { (num, den) } else { (num / &g, den / &g) };
        if den < BigInt::ZERO {
            (num, den) = (-num, -den);
        }
        Some(if den.is_one() { Edn::integer(num) } else { Edn::Ratio(std::sync::Arc::new(Self { num, den })) })
    }

    /// The numerator, which carries the sign.
    pub fn numerator(&self) -> &BigInt {
        &self.num
    }

    /// The denominator, at least 2.
    pub fn denominator(&self) -> &BigInt {
        &self.den
    }
}

/// An exact decimal, `unscaled · 10^-scale`, as Java's `BigDecimal`. Numbers of different scale but the same size are
/// equal.
#[derive(Clone, Debug)]
pub struct Decimal {
    unscaled: BigInt,
    scale: i32,
}

impl Decimal {
    /// The largest scale, positive or negative, that the reader takes: it bounds the work of a comparison.
    pub const MAX_SCALE: i32 = 20_000;

    /// From its parts; `None` when the scale is out of range.
    pub fn new(unscaled: BigInt, scale: i32) -> Option<Self> {
        (-Self::MAX_SCALE..=Self::MAX_SCALE).contains(&scale).then_some(Self { unscaled, scale })
    }

    /// The digits as one integer.
    pub fn unscaled(&self) -> &BigInt {
        &self.unscaled
    }

    /// How many of the digits stand after the point.
    pub fn scale(&self) -> i32 {
        self.scale
    }

    /// The same number without trailing zeros: equal decimals have equal parts here.
    pub fn normalized(&self) -> (BigInt, i32) {
        if self.unscaled == BigInt::ZERO {
            return (BigInt::ZERO, 0);
        }
        let ten = BigInt::from(10);
        let (mut digits, mut scale) = (self.unscaled.clone(), self.scale);
        while &digits % &ten == BigInt::ZERO {
            digits /= &ten;
            scale -= 1;
        }
        (digits, scale)
    }

    /// The text that Java's `BigDecimal.toString` gives.
    pub fn to_text(&self) -> String {
        let digits = self.unscaled.abs().to_string();
        let sign = if self.unscaled < BigInt::ZERO { "-" } else { "" };
        let n = digits.len() as i64;
        let scale = self.scale as i64;
        let exponent = n - 1 - scale;
        if scale >= 0 && exponent >= -6 {
            return if scale == 0 {
                format!("{sign}{digits}")
            } else if n > scale {
                let at = (n - scale) as usize;
                format!("{sign}{}.{}", &digits[..at], &digits[at..])
            } else {
                format!("{sign}0.{}{digits}", "0".repeat((scale - n) as usize))
            };
        }
        let mantissa = if n == 1 { digits } else { format!("{}.{}", &digits[..1], &digits[1..]) };
        format!("{sign}{mantissa}E{exponent:+}")
    }
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Self) -> bool {
        self.normalized() == other.normalized()
    }
}
impl Eq for Decimal {}
impl std::hash::Hash for Decimal {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.normalized().hash(state);
    }
}

/// A finite number as an exact fraction with a positive denominator.
fn exact(n: &Edn) -> Option<(BigInt, BigInt)> {
    let ten = || BigInt::from(10);
    Some(match n {
        Edn::Int(i) => (BigInt::from(*i), BigInt::one()),
        Edn::BigInt(i) => ((**i).clone(), BigInt::one()),
        Edn::Ratio(r) => (r.num.clone(), r.den.clone()),
        Edn::Decimal(d) if d.scale >= 0 => (d.unscaled.clone(), ten().pow(d.scale as u32)),
        Edn::Decimal(d) => (&d.unscaled * ten().pow(-d.scale as u32), BigInt::one()),
        Edn::Float(f) if f.is_finite() => {
            let bits = f.to_bits();
            let exponent = ((bits >> 52) & 0x7ff) as i32;
            let fraction = (bits & ((1 << 52) - 1)) as i64;
            let (m, e) = if exponent == 0 { (fraction, -1074) } else { (fraction | 1 << 52, exponent - 1075) };
            let m = BigInt::from(if *f < 0.0 { -m } else { m });
            if e >= 0 { (m << e as usize, BigInt::one()) } else { (m, BigInt::one() << (-e) as usize) }
        }
        _ => return None,
    })
}

/// Compares two numbers by size, exactly and across types; `##NaN` is above everything and equals itself.
/// Both arguments must be numbers.
pub(super) fn compare_size(a: &Edn, b: &Edn) -> Ordering {
    match (a, b) {
        (Edn::Int(a), Edn::Int(b)) => a.cmp(b),
        (Edn::Float(a), Edn::Float(b)) => a.partial_cmp(b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan())),
        (Edn::Float(f), _) if f.is_nan() || *f == f64::INFINITY => Ordering::Greater,
        (Edn::Float(_), _) if !f_finite(a) => Ordering::Less,
        (_, Edn::Float(f)) if f.is_nan() || *f == f64::INFINITY => Ordering::Less,
        (_, Edn::Float(_)) if !f_finite(b) => Ordering::Greater,
        (Edn::Int(i), Edn::Float(f)) if i.unsigned_abs() <= 1 << 53 => {
            (*i as f64).partial_cmp(f).unwrap_or(Ordering::Less)
        }
        (Edn::Float(f), Edn::Int(i)) if i.unsigned_abs() <= 1 << 53 => {
            f.partial_cmp(&(*i as f64)).unwrap_or(Ordering::Greater)
        }
        _ => match (exact(a), exact(b)) {
            (Some((an, ad)), Some((bn, bd))) => (an * bd).cmp(&(bn * ad)),
            _ => Ordering::Equal,
        },
    }
}

fn f_finite(n: &Edn) -> bool {
    matches!(n, Edn::Float(f) if f.is_finite())
}
