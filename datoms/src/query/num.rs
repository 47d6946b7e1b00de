//! Arithmetic on values as Clojure has it: integers overflow to an error, division of integers is exact, doubles win.

use super::error::{ErrorKind, QueryError};
use crate::edn::{BigInt, Decimal, Edn, Ratio};
use num_traits::{One, Signed, Zero};
use std::sync::Arc;

type Result<T> = std::result::Result<T, QueryError>;

fn fail<T>(message: impl Into<String>) -> Result<T> {
    Err(QueryError::new(ErrorKind::Function, message))
}

/// Whether all numbers of an operation are machine integers, exact, or one is a double.
enum Tower {
    Int(i64, i64),
    Float(f64, f64),
    Decimal(Decimal, Decimal),
    Exact((BigInt, BigInt), (BigInt, BigInt)),
}

fn tower(op: &str, a: &Edn, b: &Edn) -> Result<Tower> {
    let not_number = |x: &Edn| fail(format!("{op} takes numbers, found {x}"));
    if !a.is_number() {
        return not_number(a);
    }
    if !b.is_number() {
        return not_number(b);
    }
    Ok(match (a, b) {
        (Edn::Int(a), Edn::Int(b)) => Tower::Int(*a, *b),
        (Edn::Float(_), _) | (_, Edn::Float(_)) => {
            Tower::Float(a.as_f64().unwrap_or(f64::NAN), b.as_f64().unwrap_or(f64::NAN))
        }
        (Edn::Decimal(_), _) | (_, Edn::Decimal(_)) => match (decimal(a), decimal(b)) {
            (Some(a), Some(b)) => Tower::Decimal(a, b),
            _ => return fail(format!("{op} does not mix decimals and ratios")),
        },
        _ => Tower::Exact(fraction(a), fraction(b)),
    })
}

fn integer(a: &Edn) -> Option<BigInt> {
    match a {
        Edn::Int(i) => Some(BigInt::from(*i)),
        Edn::BigInt(i) => Some((**i).clone()),
        _ => None,
    }
}

fn decimal(a: &Edn) -> Option<Decimal> {
    match a {
        Edn::Decimal(d) => Some((**d).clone()),
        _ => integer(a).and_then(|i| Decimal::new(i, 0)),
    }
}

fn fraction(a: &Edn) -> (BigInt, BigInt) {
    match a {
        Edn::Ratio(r) => (r.numerator().clone(), r.denominator().clone()),
        _ => (integer(a).unwrap_or_else(BigInt::zero), BigInt::one()),
    }
}

fn quotient(num: BigInt, den: BigInt) -> Result<Edn> {
    Ratio::quotient(num, den).map_or_else(|| fail("Divide by zero"), Ok)
}

fn scaled(unscaled: BigInt, scale: i64) -> Result<Edn> {
    match i32::try_from(scale).ok().and_then(|s| Decimal::new(unscaled, s)) {
        Some(d) => Ok(Edn::Decimal(Arc::new(d))),
        None => fail("Scale of a decimal out of range"),
    }
}

fn aligned(a: &Decimal, b: &Decimal) -> (BigInt, BigInt, i64) {
    let scale = a.scale().max(b.scale());
    let up = |d: &Decimal| d.unscaled() * BigInt::from(10).pow((scale - d.scale()) as u32);
    (up(a), up(b), i64::from(scale))
}

/// `(+ a b)`
pub fn add(a: &Edn, b: &Edn) -> Result<Edn> {
    match tower("+", a, b)? {
        Tower::Int(a, b) => a.checked_add(b).map_or_else(|| fail("integer overflow"), |c| Ok(Edn::Int(c))),
        Tower::Float(a, b) => Ok(Edn::Float(a + b)),
        Tower::Decimal(a, b) => {
            let (a, b, scale) = aligned(&a, &b);
            scaled(a + b, scale)
        }
        Tower::Exact((a, b), (c, d)) => quotient(a * &d + c * &b, b * d),
    }
}

/// `(- a b)`
pub fn sub(a: &Edn, b: &Edn) -> Result<Edn> {
    match tower("-", a, b)? {
        Tower::Int(a, b) => a.checked_sub(b).map_or_else(|| fail("integer overflow"), |c| Ok(Edn::Int(c))),
        Tower::Float(a, b) => Ok(Edn::Float(a - b)),
        Tower::Decimal(a, b) => {
            let (a, b, scale) = aligned(&a, &b);
            scaled(a - b, scale)
        }
        Tower::Exact((a, b), (c, d)) => quotient(a * &d - c * &b, b * d),
    }
}

/// `(* a b)`
pub fn mul(a: &Edn, b: &Edn) -> Result<Edn> {
    match tower("*", a, b)? {
        Tower::Int(a, b) => a.checked_mul(b).map_or_else(|| fail("integer overflow"), |c| Ok(Edn::Int(c))),
        Tower::Float(a, b) => Ok(Edn::Float(a * b)),
        Tower::Decimal(a, b) => scaled(a.unscaled() * b.unscaled(), i64::from(a.scale()) + i64::from(b.scale())),
        Tower::Exact((a, b), (c, d)) => quotient(a * c, b * d),
    }
}

/// `(/ a b)`: a ratio where integers do not divide.
pub fn div(a: &Edn, b: &Edn) -> Result<Edn> {
    match tower("/", a, b)? {
        Tower::Int(a, b) => quotient(BigInt::from(a), BigInt::from(b)),
        Tower::Float(_, b) if b == 0.0 && matches!((a, b), (Edn::Int(_), _)) => fail("Divide by zero"),
        Tower::Float(a, b) => Ok(Edn::Float(a / b)),
        Tower::Decimal(a, b) => {
            // The quotient ends in decimal digits if the reduced denominator has no prime factor but 2 and 5.
            let (a, b, _) = aligned(&a, &b);
            if b.is_zero() {
                return fail("Divide by zero");
            }
            for scale in 0..64u32 {
                let n = &a * BigInt::from(10).pow(scale);
                if (&n % &b).is_zero() {
                    return scaled(n / b, i64::from(scale));
                }
            }
            fail("Non-terminating decimal expansion; no exact representable decimal result")
        }
        Tower::Exact((a, b), (c, d)) => quotient(a * d, b * c),
    }
}

/// Which whole division.
#[derive(Clone, Copy, PartialEq)]
pub enum Whole {
    /// `quot`: toward zero.
    Quot,
    /// `rem`: sign of the dividend.
    Rem,
    /// `mod`: sign of the divisor.
    Mod,
}

/// `quot`, `rem` and `mod`.
pub fn whole(op: Whole, a: &Edn, b: &Edn) -> Result<Edn> {
    match tower("quot", a, b)? {
        Tower::Int(_, 0) => fail("Divide by zero"),
        Tower::Int(a, b) => match op {
            Whole::Quot => a.checked_div(b).map_or_else(|| fail("integer overflow"), |c| Ok(Edn::Int(c))),
            Whole::Rem => Ok(Edn::Int(a.wrapping_rem(b))),
            Whole::Mod => {
                let r = a.wrapping_rem(b);
                Ok(Edn::Int(if r != 0 && (r < 0) != (b < 0) { r + b } else { r }))
            }
        },
        Tower::Float(_, 0.0) => fail("Divide by zero"),
        Tower::Float(a, b) => Ok(Edn::Float(match op {
            Whole::Quot => (a / b).trunc(),
            Whole::Rem => a % b,
            Whole::Mod => {
                let r = a % b;
                if r != 0.0 && (r < 0.0) != (b < 0.0) { r + b } else { r }
            }
        })),
        Tower::Decimal(..) => fail("quot, rem and mod take integers or doubles"),
        Tower::Exact((a, b), (c, d)) => {
            let (n, m) = (a * &d, c * &b);
            if m.is_zero() {
                return fail("Divide by zero");
            }
            let r = &n % &m;
            match op {
                Whole::Quot => Ok(Edn::integer(n / m)),
                Whole::Rem => quotient(r, b * d),
                Whole::Mod if !r.is_zero() && r.is_negative() != m.is_negative() => quotient(r + m, b * d),
                Whole::Mod => quotient(r, b * d),
            }
        }
    }
}

/// The sign of a number: -1, 0 or 1.
pub fn sign(a: &Edn) -> Result<i64> {
    match a.compare_numbers(&Edn::Int(0)) {
        Some(o) => Ok(o as i64),
        None => fail(format!("Expected a number, found {a}")),
    }
}
