//! The numeric tower: longs with overflow errors, doubles, big integers, exact ratios, decimals.
//!
//! Contagion as Clojure's: double over decimal over ratio over big integer over long.

use super::{MANY, PURE, PrimDef, R, prim};
use crate::layout::Kind;
use crate::machine::{ErrKind, Exit, Vm};
use crate::op::mode;
use crate::value::Value;
use num_bigint::{BigInt, BigUint, Sign};
use num_integer::Integer;
use num_traits::{One, Pow, Signed, ToPrimitive, Zero};
use std::cmp::Ordering;

/// A number out of its word.
#[derive(Clone, Debug)]
pub enum Num {
    Long(i64),
    Big(BigInt),
    /// Numerator, denominator: coprime, denominator > 1.
    Ratio(BigInt, BigInt),
    /// unscaled × 10^-scale
    Dec(BigInt, i64),
    Dbl(f64),
}
use Num::*;

fn big_of(o: crate::value::Obj) -> BigInt {
    let digits: Vec<u32> = (0..o.len()).flat_map(|i| [o.raw(i) as u32, (o.raw(i) >> 32) as u32]).collect();
    let sign = if o.aux() == 1 { Sign::Minus } else { Sign::Plus };
    BigInt::from_biguint(sign, BigUint::new(digits))
}

/// The number a value is, if it is one.
pub fn number(v: Value) -> Option<Num> {
    if v.is_fix() {
        return Some(Long(v.fix_get()));
    }
    if v.is_inline_f64() {
        return Some(Dbl(v.f64_get()));
    }
    let o = v.obj()?;
    let int = |v: Value| match number(v) {
        Some(Long(n)) => BigInt::from(n),
        Some(Big(b)) => b,
        _ => BigInt::zero(),
    };
    match o.kind() {
        Kind::Int64 => Some(Long(o.raw(0) as i64)),
        Kind::Float64 => Some(Dbl(f64::from_bits(o.raw(0)))),
        Kind::BigInt => Some(Big(big_of(o))),
        Kind::SmallBig => Some(Big(int(o.get(0)))),
        Kind::Ratio => Some(Ratio(int(o.get(0)), int(o.get(1)))),
        Kind::Decimal => Some(Dec(int(o.get(0)), o.get(1).fix_get())),
        _ => None,
    }
}
pub fn is_number(v: Value) -> bool {
    v.is_fix()
        || v.is_inline_f64()
        || matches!(
            v.kind(),
            Some(Kind::Int64 | Kind::Float64 | Kind::BigInt | Kind::SmallBig | Kind::Ratio | Kind::Decimal)
        )
}
pub fn is_integer(v: Value) -> bool {
    v.is_fix() || matches!(v.kind(), Some(Kind::Int64 | Kind::BigInt | Kind::SmallBig))
}
pub fn as_f64(v: Value) -> Option<f64> {
    match number(v)? {
        Dbl(x) => Some(x),
        _ => None,
    }
}
/// A long, if `v` is one (not a big integer).
pub fn as_long(v: Value) -> Option<i64> {
    match v.as_fix() {
        Some(n) => Some(n),
        None => v.as_kind(Kind::Int64).map(|o| o.raw(0) as i64),
    }
}

fn raw_big(vm: &mut Vm, b: &BigInt) -> Value {
    if let Some(n) = b.to_i64() {
        return vm.int(n);
    }
    let (sign, digits) = b.to_u64_digits();
    let words: Vec<Value> = digits.into_iter().map(Value::from_bits).collect();
    vm.heap.alloc_with(Kind::BigInt, (sign == Sign::Minus) as u16, &words).into()
}
/// A big integer (prints with N), in its small form when it fits a long.
pub fn big(vm: &mut Vm, b: &BigInt) -> Value {
    match b.to_i64() {
        Some(n) => {
            let n = vm.int(n);
            vm.alloc(Kind::SmallBig, &[n])
        }
        None => raw_big(vm, b),
    }
}
/// The exact quotient of two integers: an integer (big if `bigly`) or a ratio.
fn ratio(vm: &mut Vm, n: BigInt, d: BigInt, bigly: bool) -> R {
    if d.is_zero() {
        return Err(div_zero(vm));
    }
    let g = n.gcd(&d);
    let (mut n, mut d) = (n / &g, d / &g);
    if d.is_negative() {
        (n, d) = (-n, -d);
    }
    if d.is_one() {
        return Ok(match n.to_i64() {
            Some(x) if !bigly => vm.int(x),
            _ => big(vm, &n),
        });
    }
    let (n, d) = (raw_big(vm, &n), raw_big(vm, &d));
    Ok(vm.alloc(Kind::Ratio, &[n, d]))
}
pub fn decimal(vm: &mut Vm, unscaled: &BigInt, scale: i64) -> Value {
    let u = raw_big(vm, unscaled);
    vm.alloc(Kind::Decimal, &[u, Value::fix(scale)])
}
/// The value of a number.
pub fn value(vm: &mut Vm, n: Num) -> R {
    Ok(match n {
        Long(n) => vm.int(n),
        Big(b) => big(vm, &b),
        Ratio(n, d) => return ratio(vm, n, d, true),
        Dec(u, s) => decimal(vm, &u, s),
        Dbl(x) => vm.float(x),
    })
}

#[cold]
fn div_zero(vm: &mut Vm) -> Exit {
    vm.err(ErrKind::Arithmetic, "Divide by zero")
}
#[cold]
fn overflow(vm: &mut Vm, what: &str) -> Exit {
    vm.err(ErrKind::Arithmetic, what)
}
#[cold]
pub fn not_number(vm: &mut Vm, v: Value) -> Exit {
    if v.is_nil() {
        let class = vm.symbol("java.lang.NullPointerException");
        return vm.err_of("type", class, "nil is not a number");
    }
    let t = super::coll::type_name(vm, v);
    vm.err(ErrKind::Type, format!("{t} cannot be cast to java.lang.Number: a number is needed here"))
}
fn want(vm: &mut Vm, v: Value) -> R<Num> {
    match number(v) {
        Some(n) => Ok(n),
        None => Err(not_number(vm, v)),
    }
}
fn ratio_f64(n: &BigInt, d: &BigInt) -> f64 {
    // As the JVM has it: a decimal of 16 digits (ties to even), read back.
    let digits = |x: &BigInt| x.magnitude().to_string().len() as i64;
    let mut scale = 17 + digits(d) - digits(n);
    let mut q;
    loop {
        let (num, den) = if scale >= 0 {
            (n.magnitude() * num_bigint::BigUint::from(10u8).pow(scale as u32), d.magnitude().clone())
        } else {
            (n.magnitude().clone(), d.magnitude() * num_bigint::BigUint::from(10u8).pow((-scale) as u32))
        };
        let (whole, rest) = num.div_rem(&den);
        if whole.to_string().len() > 16 {
            scale -= whole.to_string().len() as i64 - 16;
            continue;
        }
        q = whole;
        let twice = rest << 1u8;
        if twice > den || (twice == den && (&q % 2u8).is_one()) {
            q += 1u8;
        }
        break;
    }
    let x: f64 = format!("{q}e{}", -scale).parse().unwrap_or(f64::NAN);
    if n.sign() == num_bigint::Sign::Minus { -x } else { x }
}
pub fn to_f64(n: &Num) -> f64 {
    match n {
        Long(n) => *n as f64,
        Big(b) => b.to_f64().unwrap_or(f64::INFINITY),
        Ratio(n, d) => ratio_f64(n, d),
        Dec(u, s) => format!("{u}e{}", -s).parse().unwrap_or(f64::NAN),
        Dbl(x) => *x,
    }
}
fn fraction(n: Num) -> (BigInt, BigInt) {
    match n {
        Long(n) => (n.into(), BigInt::one()),
        Big(b) => (b, BigInt::one()),
        Ratio(n, d) => (n, d),
        Dec(u, s) if s >= 0 => (u, BigInt::from(10).pow(s as u64)),
        Dec(u, s) => (u * BigInt::from(10).pow((-s) as u64), BigInt::one()),
        Dbl(_) => (BigInt::zero(), BigInt::one()),
    }
}
fn to_dec(n: Num) -> (BigInt, i64) {
    match n {
        Long(n) => (n.into(), 0),
        Big(b) => (b, 0),
        Dec(u, s) => (u, s),
        _ => (BigInt::zero(), 0),
    }
}
fn align(a: (BigInt, i64), b: (BigInt, i64)) -> (BigInt, BigInt, i64) {
    let s = a.1.max(b.1);
    let up = |(u, k): (BigInt, i64)| if k < s { u * BigInt::from(10).pow((s - k) as u64) } else { u };
    (up(a), up(b), s)
}

#[derive(Clone, Copy, PartialEq)]
enum Arith {
    Add,
    Sub,
    Mul,
}

#[inline]
fn arith(vm: &mut Vm, op: Arith, a: Value, b: Value, m: u8) -> R {
    // Tagged words are eight times the number: what overflows goes the general way.
    if Value::both_fix(a, b) {
        let (x, y) = (a.bits() as i64, b.bits() as i64);
        let r = match op {
            Arith::Add => x.checked_add(y),
            Arith::Sub => x.checked_sub(y),
            Arith::Mul => a.fix_get().checked_mul(y),
        };
        if let Some(r) = r {
            return Ok(Value(r as u64));
        }
    }
    arith_any(vm, op, a, b, m)
}
#[inline(never)]
fn arith_any(vm: &mut Vm, op: Arith, a: Value, b: Value, m: u8) -> R {
    let (x, y) = (want(vm, a)?, want(vm, b)?);
    let big_op = |x: BigInt, y: BigInt| match op {
        Arith::Add => x + y,
        Arith::Sub => x - y,
        Arith::Mul => x * y,
    };
    match (x, y) {
        (Long(x), Long(y)) => {
            let (r, o) = match op {
                Arith::Add => x.overflowing_add(y),
                Arith::Sub => x.overflowing_sub(y),
                Arith::Mul => x.overflowing_mul(y),
            };
            match m {
                _ if !o => Ok(vm.int(r)),
                mode::WRAP => Ok(vm.int(r)),
                mode::PROMOTE => Ok(big(vm, &big_op(x.into(), y.into()))),
                _ => Err(overflow(vm, "integer overflow")),
            }
        }
        (x @ Dbl(_), y) | (x, y @ Dbl(_)) => {
            let (x, y) = (to_f64(&x), to_f64(&y));
            Ok(vm.float(match op {
                Arith::Add => x + y,
                Arith::Sub => x - y,
                Arith::Mul => x * y,
            }))
        }
        (x @ Dec(..), y) | (x, y @ Dec(..)) => {
            if matches!(x, Ratio(..)) || matches!(y, Ratio(..)) {
                let (x, y) = (as_decimal(vm, x)?, as_decimal(vm, y)?);
                return dec_op(vm, op, x, y);
            }
            dec_op(vm, op, to_dec(x), to_dec(y))
        }
        (x @ Ratio(..), y) | (x, y @ Ratio(..)) => {
            let ((a, b), (c, d)) = (fraction(x), fraction(y));
            let n = match op {
                Arith::Add => &a * &d + &c * &b,
                Arith::Sub => &a * &d - &c * &b,
                Arith::Mul => a * c,
            };
            ratio(vm, n, b * d, true)
        }
        (x, y) => {
            let ((x, _), (y, _)) = (fraction(x), fraction(y));
            Ok(big(vm, &big_op(x, y)))
        }
    }
}
fn as_decimal(vm: &mut Vm, n: Num) -> R<(BigInt, i64)> {
    match n {
        Ratio(n, d) => exact_div(vm, (n, 0), (d, 0)),
        n => Ok(to_dec(n)),
    }
}
fn dec_op(vm: &mut Vm, op: Arith, a: (BigInt, i64), b: (BigInt, i64)) -> R {
    if op == Arith::Mul {
        return Ok(decimal(vm, &(a.0 * b.0), a.1 + b.1));
    }
    let (x, y, s) = align(a, b);
    let r = if op == Arith::Add { x + y } else { x - y };
    Ok(decimal(vm, &r, s))
}
/// Decimal quotient, exact or an error; preferred scale as Java's BigDecimal.divide.
fn exact_div(vm: &mut Vm, a: (BigInt, i64), b: (BigInt, i64)) -> R<(BigInt, i64)> {
    if b.0.is_zero() {
        return Err(div_zero(vm));
    }
    let preferred = a.1 - b.1;
    let g = a.0.gcd(&b.0);
    let (mut n, mut d) = (&a.0 / &g, &b.0 / &g);
    if d.is_negative() {
        (n, d) = (-n, -d);
    }
    let (mut twos, mut fives) = (0i64, 0i64);
    while d.is_even() {
        d /= 2;
        twos += 1;
    }
    while (&d % 5u8).is_zero() {
        d /= 5;
        fives += 1;
    }
    if !d.is_one() {
        return Err(overflow(vm, "Non-terminating decimal expansion; no exact representable decimal result."));
    }
    let k = twos.max(fives);
    n *= BigInt::from(2).pow((k - twos) as u64) * BigInt::from(5).pow((k - fives) as u64);
    let mut scale = k + preferred;
    // Strip down to the preferred scale where zeros allow.
    while scale < preferred {
        n *= 10;
        scale += 1;
    }
    while scale > preferred && !n.is_zero() && (&n % 10u8).is_zero() {
        n /= 10;
        scale -= 1;
    }
    Ok((n, scale))
}

pub fn add_mode(vm: &mut Vm, a: Value, b: Value, m: u8) -> R {
    arith(vm, Arith::Add, a, b, m)
}
pub fn sub_mode(vm: &mut Vm, a: Value, b: Value, m: u8) -> R {
    arith(vm, Arith::Sub, a, b, m)
}
pub fn mul_mode(vm: &mut Vm, a: Value, b: Value, m: u8) -> R {
    arith(vm, Arith::Mul, a, b, m)
}
pub fn div(vm: &mut Vm, a: Value, b: Value) -> R {
    let (x, y) = (want(vm, a)?, want(vm, b)?);
    match (x, y) {
        (Long(x), Long(y)) if y != 0 && y != -1 && x % y == 0 => Ok(vm.int(x / y)),
        (Long(_), Long(0)) => Err(div_zero(vm)),
        (x @ Dbl(_), y) | (x, y @ Dbl(_)) => {
            let (x, y) = (to_f64(&x), to_f64(&y));
            Ok(vm.float(x / y))
        }
        (x @ Dec(..), y) | (x, y @ Dec(..)) => {
            let (x, y) = (as_decimal(vm, x)?, as_decimal(vm, y)?);
            let (u, s) = exact_div(vm, x, y)?;
            Ok(decimal(vm, &u, s))
        }
        (x, y) => {
            let bigly = !(matches!(x, Long(_)) && matches!(y, Long(_)));
            let ((a, b), (c, d)) = (fraction(x), fraction(y));
            ratio(vm, a * d, b * c, bigly)
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Division {
    Quot,
    Rem,
    Mod,
}
fn divide(vm: &mut Vm, a: Value, b: Value, op: Division) -> R {
    let (x, y) = (want(vm, a)?, want(vm, b)?);
    match (x, y) {
        (Long(_), Long(0)) => Err(div_zero(vm)),
        (Long(x), Long(y)) => match op {
            // The one quotient beyond 64 bits comes round, as on the JVM.
            Division::Quot => Ok(vm.int(x.wrapping_div(y))),
            Division::Rem => Ok(vm.int(x.wrapping_rem(y))),
            Division::Mod => {
                let r = x.wrapping_rem(y);
                Ok(vm.int(if r != 0 && (r < 0) != (y < 0) { r + y } else { r }))
            }
        },
        (x @ Dbl(_), y) | (x, y @ Dbl(_)) => {
            let (x, y) = (to_f64(&x), to_f64(&y));
            if y == 0.0 {
                return Err(div_zero(vm));
            }
            let q = (x / y).trunc();
            if !q.is_finite() {
                return Err(vm.err(ErrKind::Parse, "Infinite or NaN"));
            }
            let r = x - q * y;
            Ok(vm.float(match op {
                Division::Quot => q,
                Division::Rem => r,
                Division::Mod if r != 0.0 && (r < 0.0) != (y < 0.0) => r + y,
                Division::Mod => r,
            }))
        }
        (x, y) => {
            let is_dec = matches!(x, Dec(..)) || matches!(y, Dec(..));
            let ((a, b), (c, d)) = (fraction(x), fraction(y));
            if c.is_zero() {
                return Err(div_zero(vm));
            }
            // q = trunc((a/b) / (c/d)); r = a/b - q*c/d
            let (num, den) = (&a * &d, &b * &c);
            let q = &num / &den;
            let out = match op {
                Division::Quot => (q, BigInt::one()),
                _ => {
                    let mut n = &a * &d - &q * &c * &b;
                    let den = &b * &d;
                    if op == Division::Mod && !n.is_zero() && n.is_negative() != c.is_negative() {
                        n += &c * &b;
                    }
                    (n, den)
                }
            };
            if is_dec {
                let (u, s) = exact_div(vm, (out.0, 0), (out.1, 0))?;
                return Ok(decimal(vm, &u, s));
            }
            ratio(vm, out.0, out.1, true)
        }
    }
}
pub fn quot(vm: &mut Vm, a: Value, b: Value) -> R {
    divide(vm, a, b, Division::Quot)
}
pub fn rem(vm: &mut Vm, a: Value, b: Value) -> R {
    divide(vm, a, b, Division::Rem)
}
pub fn modulo(vm: &mut Vm, a: Value, b: Value) -> R {
    divide(vm, a, b, Division::Mod)
}

/// Order of two numbers by value; None with NaN.
pub fn cmp(a: &Num, b: &Num) -> Option<Ordering> {
    match (a, b) {
        (Long(x), Long(y)) => Some(x.cmp(y)),
        (Dbl(x), y) => x.partial_cmp(&to_f64(y)),
        (x, Dbl(y)) => to_f64(x).partial_cmp(y),
        (x, y) => {
            let ((a, b), (c, d)) = (fraction(x.clone()), fraction(y.clone()));
            Some((a * d).cmp(&(c * b)))
        }
    }
}
#[inline]
fn compare(vm: &mut Vm, a: Value, b: Value) -> R<Option<Ordering>> {
    if Value::both_fix(a, b) {
        return Ok(Some((a.bits() as i64).cmp(&(b.bits() as i64))));
    }
    compare_any(vm, a, b)
}
#[inline(never)]
fn compare_any(vm: &mut Vm, a: Value, b: Value) -> R<Option<Ordering>> {
    let (x, y) = (want(vm, a)?, want(vm, b)?);
    Ok(cmp(&x, &y))
}
pub fn lt(vm: &mut Vm, a: Value, b: Value) -> R<bool> {
    Ok(compare(vm, a, b)? == Some(Ordering::Less))
}
pub fn le(vm: &mut Vm, a: Value, b: Value) -> R<bool> {
    Ok(matches!(compare(vm, a, b)?, Some(Ordering::Less | Ordering::Equal)))
}
pub fn gt(vm: &mut Vm, a: Value, b: Value) -> R<bool> {
    Ok(compare(vm, a, b)? == Some(Ordering::Greater))
}
pub fn ge(vm: &mut Vm, a: Value, b: Value) -> R<bool> {
    Ok(matches!(compare(vm, a, b)?, Some(Ordering::Greater | Ordering::Equal)))
}
pub fn num_eq(vm: &mut Vm, a: Value, b: Value) -> R<bool> {
    Ok(compare(vm, a, b)? == Some(Ordering::Equal))
}
/// Clojure's `=` of two numbers: equal values of the same category (integer, ratio, decimal, floating).
pub fn equal(a: &Num, b: &Num) -> bool {
    let category = |n: &Num| match n {
        Long(_) | Big(_) => 0,
        Ratio(..) => 1,
        Dec(..) => 2,
        Dbl(_) => 3,
    };
    category(a) == category(b)
        && match (a, b) {
            (Dec(x, s), Dec(y, t)) => x == y && s == t,
            _ => cmp(a, b) == Some(Ordering::Equal),
        }
}

// ---- bits
fn int_arg(vm: &mut Vm, v: Value) -> R<i64> {
    match as_long(v) {
        Some(n) => Ok(n),
        None => {
            let t = super::coll::type_name(vm, v);
            match v.kind() {
                Some(Kind::SmallBig) => to_long(vm, v).map(|v| as_long(v).unwrap_or(0)),
                _ => Err(vm.err(ErrKind::Type, format!("bit operation not supported for: {t}"))),
            }
        }
    }
}
macro_rules! bit_ops {
    ($($name:ident |$x:ident, $y:ident| $e:expr;)*) => {$(
        pub fn $name(vm: &mut Vm, a: Value, b: Value) -> R {
            let ($x, $y) = (int_arg(vm, a)?, int_arg(vm, b)?);
            let r: i64 = $e;
            Ok(vm.int(r))
        }
    )*};
}
bit_ops! {
    bit_and |x, y| x & y;
    bit_or |x, y| x | y;
    bit_xor |x, y| x ^ y;
    bit_shift_left |x, y| x.wrapping_shl(y as u32 & 63);
    bit_shift_right |x, y| x.wrapping_shr(y as u32 & 63);
    unsigned_bit_shift_right |x, y| ((x as u64) >> (y as u32 & 63)) as i64;
}

// ---- conversions
pub fn to_double(vm: &mut Vm, v: Value) -> R {
    let n = want(vm, v)?;
    Ok(vm.float(to_f64(&n)))
}
pub fn to_long(vm: &mut Vm, v: Value) -> R {
    if let Some(c) = v.as_char() {
        return Ok(Value::fix(c as i64));
    }
    let n = want(vm, v)?;
    let r = match &n {
        Long(n) => Some(*n),
        Big(b) => b.to_i64(),
        Ratio(n, d) => (n / d).to_i64(),
        Dec(..) => {
            let (n, d) = fraction(n.clone());
            (n / d).to_i64()
        }
        Dbl(x) if x.is_nan() => Some(0),
        Dbl(x) if *x >= -9.223_372_036_854_776e18 && *x < 9.223_372_036_854_776e18 => Some(*x as i64),
        Dbl(_) => None,
    };
    match r {
        Some(n) => Ok(vm.int(n)),
        None => {
            let text = super::print::str_of(vm, v)?;
            Err(vm.err(ErrKind::Argument, format!("Value out of range for long: {text}")))
        }
    }
}
fn ranged(vm: &mut Vm, v: Value, lo: i64, hi: i64, what: &str) -> R {
    let n = match to_long(vm, v) {
        Ok(n) => as_long(n),
        Err(Exit::Throw) if number(v).is_some() => None,
        Err(e) => return Err(e),
    };
    match n {
        Some(n) if (lo..=hi).contains(&n) => Ok(Value::fix(n)),
        _ => {
            let text = super::print::str_of(vm, v)?;
            Err(vm.err(ErrKind::Argument, format!("Value out of range for {what}: {text}")))
        }
    }
}
fn to_bigint(vm: &mut Vm, v: Value) -> R {
    let b = match want(vm, v)? {
        Dbl(x) => match f64_big(x) {
            Some(b) => b,
            None => return Err(vm.err(ErrKind::Parse, "Infinite or NaN")),
        },
        n => {
            let (n, d) = fraction(n);
            n / d
        }
    };
    Ok(big(vm, &b))
}
fn f64_big(x: f64) -> Option<BigInt> {
    num_traits::FromPrimitive::from_f64(x.trunc())
}
fn to_bigdec(vm: &mut Vm, v: Value) -> R {
    match want(vm, v)? {
        Dbl(x) => match super::print::double_text(x).parse::<DecText>() {
            Ok(DecText(u, s)) => Ok(decimal(vm, &u, s)),
            Err(()) => Err(vm.err(ErrKind::Parse, "Infinite or NaN")),
        },
        n => {
            let (u, s) = as_decimal(vm, n)?;
            Ok(decimal(vm, &u, s))
        }
    }
}
fn rationalize(vm: &mut Vm, v: Value) -> R {
    match want(vm, v)? {
        Dbl(x) => match super::print::double_text(x).parse::<DecText>() {
            Ok(DecText(u, s)) => {
                let (n, d) = fraction(Dec(u, s));
                ratio(vm, n, d, true)
            }
            Err(()) => Err(vm.err(ErrKind::Parse, "Infinite or NaN")),
        },
        Dec(u, s) => {
            let (n, d) = fraction(Dec(u, s));
            ratio(vm, n, d, true)
        }
        _ => Ok(v),
    }
}
/// Decimal text: digits, optional point, optional exponent.
pub struct DecText(pub BigInt, pub i64);
impl std::str::FromStr for DecText {
    type Err = ();
    fn from_str(s: &str) -> Result<DecText, ()> {
        let (mantissa, exp) = match s.find(['e', 'E']) {
            Some(i) => (&s[..i], s[i + 1..].parse::<i64>().map_err(|_| ())?),
            None => (s, 0),
        };
        let (whole, frac) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{whole}{frac}");
        if digits.trim_start_matches(['-', '+']).is_empty() || exp.abs() > 100_000 {
            return Err(());
        }
        Ok(DecText(digits.parse().map_err(|_| ())?, frac.len() as i64 - exp))
    }
}

/// The number a token spells, in Clojure's syntax: `1 -0x1F 017 2r101 1N 1.5M 3/4 1e3`. `None`: not a number.
pub fn parse_token(text: &str) -> Option<Result<Num, String>> {
    let (neg, body) = match text.strip_prefix('-') {
        Some(r) => (true, r),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if !body.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let bad = || Some(Err(format!("Invalid number: {text}")));
    let sign = |b: BigInt| if neg { -b } else { b };
    let int = |digits: &str, radix: u32, n: bool| -> Option<Result<Num, String>> {
        let Some(b) = BigInt::parse_bytes(digits.as_bytes(), radix) else { return bad() };
        let b = sign(b);
        Some(Ok(match b.to_i64() {
            Some(x) if !n => Long(x),
            _ => Big(b),
        }))
    };
    if let Some((a, b)) = body.split_once('/') {
        if !a.bytes().all(|c| c.is_ascii_digit()) || b.is_empty() || !b.bytes().all(|c| c.is_ascii_digit()) {
            return bad();
        }
        let (n, d): (BigInt, BigInt) = (a.parse().ok()?, b.parse().ok()?);
        if d.is_zero() {
            return Some(Err("Divide by zero".into()));
        }
        let g = n.gcd(&d);
        let (n, d) = (sign(n / &g), d / &g);
        return Some(Ok(if d.is_one() { n.to_i64().map_or(Big(n), Long) } else { Ratio(n, d) }));
    }
    let (core, n) = match body.strip_suffix('N') {
        Some(c) => (c, true),
        None => (body, false),
    };
    if let Some(hex) = core.strip_prefix("0x").or_else(|| core.strip_prefix("0X")) {
        return if hex.is_empty() { bad() } else { int(hex, 16, n) };
    }
    if core.bytes().all(|c| c.is_ascii_digit()) {
        if core.len() > 1 && core.starts_with('0') {
            return int(&core[1..], 8, n);
        }
        return int(core, 10, n);
    }
    if let Some((radix, digits)) = core.split_once(['r', 'R'])
        && let Ok(r) = radix.parse::<u32>()
    {
        return if (2..=36).contains(&r) && !digits.is_empty() { int(digits, r, n) } else { bad() };
    }
    if let Some(dec) = body.strip_suffix('M') {
        return match dec.parse::<DecText>() {
            Ok(DecText(u, s)) => Some(Ok(Dec(sign(u), s))),
            Err(()) => bad(),
        };
    }
    let floaty = body.bytes().all(|c| c.is_ascii_digit() || matches!(c, b'.' | b'e' | b'E' | b'+' | b'-'));
    match body.parse::<f64>() {
        Ok(x) if floaty => Some(Ok(Dbl(if neg { -x } else { x }))),
        _ => bad(),
    }
}

// ---- table
macro_rules! fold {
    ($name:ident, $unit:expr, $m:expr, $f:ident) => {
        fn $name(vm: &mut Vm, args: &[Value]) -> R {
            let mut acc = match args.first() {
                Some(v) => {
                    want(vm, *v)?;
                    *v
                }
                None => return Ok(Value::fix($unit)),
            };
            for v in &args[1..] {
                acc = $f(vm, acc, *v, $m)?;
            }
            Ok(acc)
        }
    };
}
fold!(p_add, 0, mode::CHECKED, add_mode);
fold!(p_addp, 0, mode::PROMOTE, add_mode);
fold!(p_mul, 1, mode::CHECKED, mul_mode);
fold!(p_mulp, 1, mode::PROMOTE, mul_mode);
fn subtract(vm: &mut Vm, args: &[Value], m: u8) -> R {
    if args.len() == 1 {
        return match want(vm, args[0])? {
            Dbl(x) => Ok(vm.float(-x)),
            _ => sub_mode(vm, Value::ZERO, args[0], m),
        };
    }
    args[1..].iter().try_fold(args[0], |acc, v| sub_mode(vm, acc, *v, m))
}
fn p_sub(vm: &mut Vm, a: &[Value]) -> R {
    subtract(vm, a, mode::CHECKED)
}
fn p_subp(vm: &mut Vm, a: &[Value]) -> R {
    subtract(vm, a, mode::PROMOTE)
}
fn p_div(vm: &mut Vm, a: &[Value]) -> R {
    if a.len() == 1 {
        return div(vm, Value::fix(1), a[0]);
    }
    a[1..].iter().try_fold(a[0], |acc, v| div(vm, acc, *v))
}
macro_rules! chain {
    ($($name:ident $f:ident;)*) => {$(
        fn $name(vm: &mut Vm, a: &[Value]) -> R {
            if a.len() == 1 {
                return Ok(Value::TRUE);
            }
            for w in a.windows(2) {
                if !$f(vm, w[0], w[1])? {
                    return Ok(Value::FALSE);
                }
            }
            Ok(Value::TRUE)
        }
    )*};
}
chain! { p_lt lt; p_le le; p_gt gt; p_ge ge; p_num_eq num_eq; }
macro_rules! two {
    ($($name:ident $f:ident;)*) => {$(
        fn $name(vm: &mut Vm, a: &[Value]) -> R {
            a[2..].iter().try_fold($f(vm, a[0], a[1])?, |acc, v| $f(vm, acc, *v))
        }
    )*};
}
two! {
    p_quot quot; p_rem rem; p_mod modulo; p_and bit_and; p_or bit_or; p_xor bit_xor;
    p_shl bit_shift_left; p_shr bit_shift_right; p_ushr unsigned_bit_shift_right;
}
macro_rules! mode_fns {
    ($($name:ident $f:ident $m:expr;)*) => {$(
        fn $name(vm: &mut Vm, a: &[Value]) -> R {
            $f(vm, a[0], a[1], $m)
        }
    )*};
}
mode_fns! { u_add add_mode mode::WRAP; u_sub sub_mode mode::WRAP; u_mul mul_mode mode::WRAP; }
macro_rules! fns {
    ($($name:ident |$vm:ident, $a:ident| $e:expr;)*) => {$(
        fn $name($vm: &mut Vm, $a: &[Value]) -> R {
            $e
        }
    )*};
}
/// The larger or smaller of two numbers, NaN winning, as Clojure's max and min.
fn pick(vm: &mut Vm, args: &[Value], want_less: bool) -> R {
    let mut best = args[0];
    want(vm, best)?;
    for &v in &args[1..] {
        if as_f64(best).is_some_and(f64::is_nan) {
            return Ok(best);
        }
        // Of equal ones the later, as `(if (> x y) x y)` picks.
        let keep = if want_less { lt(vm, best, v)? } else { gt(vm, best, v)? };
        if as_f64(v).is_some_and(f64::is_nan) || !keep {
            best = v;
        }
    }
    Ok(best)
}
fn int_parity(vm: &mut Vm, v: Value) -> R<bool> {
    match number(v) {
        Some(Long(n)) => Ok(n & 1 == 0),
        Some(Big(b)) => Ok(b.is_even()),
        None => Err(not_number(vm, v)),
        _ => {
            let text = super::print::str_of(vm, v)?;
            Err(vm.err(ErrKind::Argument, format!("Argument must be an integer: {text}")))
        }
    }
}
fn sign_of(vm: &mut Vm, v: Value) -> R<i32> {
    Ok(match want(vm, v)? {
        Long(n) => n.signum() as i32,
        Big(b) | Ratio(b, _) | Dec(b, _) => b.signum().to_i32().unwrap_or(0),
        Dbl(x) => (x > 0.0) as i32 - (x < 0.0) as i32,
    })
}
fns! {
    inc |vm, a| add_mode(vm, a[0], Value::fix(1), mode::CHECKED);
    dec |vm, a| sub_mode(vm, a[0], Value::fix(1), mode::CHECKED);
    incp |vm, a| add_mode(vm, a[0], Value::fix(1), mode::PROMOTE);
    decp |vm, a| sub_mode(vm, a[0], Value::fix(1), mode::PROMOTE);
    u_inc |vm, a| add_mode(vm, a[0], Value::fix(1), mode::WRAP);
    u_dec |vm, a| sub_mode(vm, a[0], Value::fix(1), mode::WRAP);
    u_neg |vm, a| sub_mode(vm, Value::ZERO, a[0], mode::WRAP);
    max |vm, a| pick(vm, a, false);
    min |vm, a| pick(vm, a, true);
    p_not |vm, a| { let n = int_arg(vm, a[0])?; Ok(vm.int(!n)) };
    and_not |vm, a| { let (x, y) = (int_arg(vm, a[0])?, int_arg(vm, a[1])?); Ok(vm.int(x & !y)) };
    bit_set |vm, a| { let (x, y) = (int_arg(vm, a[0])?, int_arg(vm, a[1])?); Ok(vm.int(x | 1i64.wrapping_shl(y as u32))) };
    bit_clear |vm, a| { let (x, y) = (int_arg(vm, a[0])?, int_arg(vm, a[1])?); Ok(vm.int(x & !1i64.wrapping_shl(y as u32))) };
    bit_flip |vm, a| { let (x, y) = (int_arg(vm, a[0])?, int_arg(vm, a[1])?); Ok(vm.int(x ^ 1i64.wrapping_shl(y as u32))) };
    bit_test |vm, a| { let (x, y) = (int_arg(vm, a[0])?, int_arg(vm, a[1])?); Ok(Value::bool(x & 1i64.wrapping_shl(y as u32) != 0)) };
    p_long |vm, a| to_long(vm, a[0]);
    p_int |vm, a| ranged(vm, a[0], i32::MIN as i64, i32::MAX as i64, "int");
    p_short |vm, a| ranged(vm, a[0], i16::MIN as i64, i16::MAX as i64, "short");
    p_byte |vm, a| ranged(vm, a[0], -128, 127, "byte");
    p_double |vm, a| to_double(vm, a[0]);
    p_float |vm, a| { let n = want(vm, a[0])?; Ok(vm.float(to_f64(&n) as f32 as f64)) };
    p_bigint |vm, a| match a[0].as_str() {
        Some(s) => match s.parse::<BigInt>() { Ok(b) => Ok(big(vm, &b)), Err(_) => Err(vm.err(ErrKind::Parse, format!("For input string: \"{s}\""))) },
        None => to_bigint(vm, a[0]),
    };
    p_bigdec |vm, a| match a[0].as_str() {
        Some(s) => match s.parse::<DecText>() { Ok(DecText(u, k)) => Ok(decimal(vm, &u, k)), Err(()) => Err(vm.err(ErrKind::Parse, format!("not a number: \"{s}\""))) },
        None => to_bigdec(vm, a[0]),
    };
    p_rationalize |vm, a| rationalize(vm, a[0]);
    numerator |vm, a| match number(a[0]) { Some(Ratio(n, _)) => Ok(raw_big(vm, &n)), _ => { let t = super::coll::type_name(vm, a[0]); Err(vm.err(ErrKind::Type, format!("{t} is not a ratio"))) } };
    denominator |vm, a| match number(a[0]) { Some(Ratio(_, d)) => Ok(raw_big(vm, &d)), _ => { let t = super::coll::type_name(vm, a[0]); Err(vm.err(ErrKind::Type, format!("{t} is not a ratio"))) } };
    zero_p |vm, a| Ok(Value::bool(sign_of(vm, a[0])? == 0 && !as_f64(a[0]).is_some_and(f64::is_nan)));
    pos_p |vm, a| Ok(Value::bool(sign_of(vm, a[0])? > 0));
    neg_p |vm, a| Ok(Value::bool(sign_of(vm, a[0])? < 0));
    even_p |vm, a| Ok(Value::bool(int_parity(vm, a[0])?));
    odd_p |vm, a| Ok(Value::bool(!int_parity(vm, a[0])?));
    abs |vm, a| match want(vm, a[0])? {
        Dbl(x) => Ok(vm.float(x.abs())),
        Long(n) => Ok(vm.int(n.wrapping_abs())),
        n => if sign_of(vm, a[0])? < 0 { let _ = n; sub_mode(vm, Value::ZERO, a[0], 0) } else { Ok(a[0]) },
    };
    number_p |_vm, a| Ok(Value::bool(is_number(a[0])));
    integer_p |_vm, a| Ok(Value::bool(is_integer(a[0])));
    int_p |_vm, a| Ok(Value::bool(as_long(a[0]).is_some()));
    float_p |_vm, a| Ok(Value::bool(as_f64(a[0]).is_some()));
    ratio_p |_vm, a| Ok(Value::bool(a[0].is_kind(Kind::Ratio)));
    rational_p |_vm, a| Ok(Value::bool(is_number(a[0]) && as_f64(a[0]).is_none()));
    decimal_p |_vm, a| Ok(Value::bool(a[0].is_kind(Kind::Decimal)));
    bigint_p |_vm, a| Ok(Value::bool(matches!(a[0].kind(), Some(Kind::BigInt | Kind::SmallBig))));
    double_bits |vm, a| { let n = want(vm, a[0])?; Ok(vm.int(to_f64(&n).to_bits() as i64)) };
    bits_double |vm, a| { let n = int_arg(vm, a[0])?; Ok(vm.float(f64::from_bits(n as u64))) };
    fmod |vm, a| { let (x, y) = (want(vm, a[0])?, want(vm, a[1])?); Ok(vm.float(to_f64(&x) % to_f64(&y))) };
    nan_p |vm, a| { let n = want(vm, a[0])?; Ok(Value::bool(to_f64(&n).is_nan())) };
    infinite_p |vm, a| { let n = want(vm, a[0])?; Ok(Value::bool(to_f64(&n).is_infinite())) };
}
macro_rules! math {
    ($($name:ident |$($x:ident),*| $e:expr;)*) => {$(
        fn $name(vm: &mut Vm, a: &[Value]) -> R {
            let mut i = 0;
            $(let $x = { let n = want(vm, a[i])?; i += 1; to_f64(&n) };)*
            let _ = i;
            Ok(vm.float($e))
        }
    )*};
}
math! {
    m_sqrt |x| x.sqrt(); m_cbrt |x| { let r = x.cbrt(); let k = r.round(); if k * k * k == x { k } else { r } }; m_pow |x, y| if (x.abs() == 1.0 && y.is_infinite()) || y.is_nan() { f64::NAN } else { x.powf(y) }; m_exp |x| x.exp(); m_log |x| x.ln(); m_log10 |x| x.log10();
    m_sin |x| x.sin(); m_cos |x| x.cos(); m_tan |x| x.tan(); m_asin |x| x.asin(); m_acos |x| x.acos();
    m_atan |x| x.atan(); m_atan2 |x, y| x.atan2(y); m_floor |x| x.floor(); m_ceil |x| x.ceil();
    m_rint |x| x.round_ties_even(); m_hypot |x, y| x.hypot(y); m_signum |x| if x == 0.0 || x.is_nan() { x } else { x.signum() };
    m_sinh |x| x.sinh(); m_cosh |x| x.cosh(); m_tanh |x| x.tanh(); m_log1p |x| x.ln_1p(); m_expm1 |x| x.exp_m1();
    m_rad |x| x / 180.0 * std::f64::consts::PI; m_deg |x| x * 180.0 / std::f64::consts::PI;
}
fn m_round(vm: &mut Vm, a: &[Value]) -> R {
    let n = want(vm, a[0])?;
    let x = to_f64(&n);
    let r = (x + 0.5).floor();
    let r = if x.is_nan() { 0 } else { r as i64 };
    Ok(vm.int(r))
}
fn floor_div(vm: &mut Vm, a: &[Value]) -> R {
    let (x, y) = (int_arg(vm, a[0])?, int_arg(vm, a[1])?);
    if y == 0 {
        return Err(div_zero(vm));
    }
    Ok(vm.int(Integer::div_floor(&x, &y)))
}
fn gcd(vm: &mut Vm, a: &[Value]) -> R {
    let (x, y) = (int_arg(vm, a[0])?, int_arg(vm, a[1])?);
    Ok(vm.int(x.gcd(&y)))
}

macro_rules! rows {
    ($($name:literal $min:tt $max:tt $f:ident $doc:literal;)*) => { &[$(prim($name, $min, $max, PURE, $f, $doc),)*] };
}
pub const TABLE: &[PrimDef] = rows! {
    "clojure.core/+" 0 MANY p_add "Sum of numbers; longs overflow with an error.";
    "clojure.core/-" 1 MANY p_sub "Difference, or negation of one number.";
    "clojure.core/*" 0 MANY p_mul "Product of numbers; longs overflow with an error.";
    "clojure.core//" 1 MANY p_div "Quotient; exact for integers.";
    "clojure.core/+'" 0 MANY p_addp "Sum; beyond longs a big integer.";
    "clojure.core/-'" 1 MANY p_subp "Difference; beyond longs a big integer.";
    "clojure.core/*'" 0 MANY p_mulp "Product; beyond longs a big integer.";
    "clojure.core/inc" 1 1 inc "One more.";
    "clojure.core/dec" 1 1 dec "One less.";
    "clojure.core/inc'" 1 1 incp "One more; beyond longs a big integer.";
    "clojure.core/dec'" 1 1 decp "One less; beyond longs a big integer.";
    "clojure.core/unchecked-add" 2 2 u_add "Sum that wraps around.";
    "clojure.core/unchecked-subtract" 2 2 u_sub "Difference that wraps around.";
    "clojure.core/unchecked-multiply" 2 2 u_mul "Product that wraps around.";
    "clojure.core/unchecked-inc" 1 1 u_inc "One more, wrapping around.";
    "clojure.core/unchecked-dec" 1 1 u_dec "One less, wrapping around.";
    "clojure.core/unchecked-negate" 1 1 u_neg "Negation that wraps around.";
    "clojure.core/<" 1 MANY p_lt "Are the numbers ascending?";
    "clojure.core/<=" 1 MANY p_le "Are the numbers not descending?";
    "clojure.core/>" 1 MANY p_gt "Are the numbers descending?";
    "clojure.core/>=" 1 MANY p_ge "Are the numbers not ascending?";
    "clojure.core/==" 1 MANY p_num_eq "Are the numbers of equal value?";
    "clojure.core/quot" 2 2 p_quot "Quotient, truncated towards zero.";
    "clojure.core/rem" 2 2 p_rem "Remainder with the sign of the dividend.";
    "clojure.core/mod" 2 2 p_mod "Remainder with the sign of the divisor.";
    "clojure.core/bit-and" 2 MANY p_and "Bitwise and.";
    "clojure.core/bit-or" 2 MANY p_or "Bitwise or.";
    "clojure.core/bit-xor" 2 MANY p_xor "Bitwise exclusive or.";
    "clojure.core/bit-not" 1 1 p_not "Bitwise complement.";
    "clojure.core/bit-and-not" 2 2 and_not "Bitwise and with complement.";
    "clojure.core/bit-shift-left" 2 2 p_shl "Shifts left.";
    "clojure.core/bit-shift-right" 2 2 p_shr "Shifts right, keeping the sign.";
    "clojure.core/unsigned-bit-shift-right" 2 2 p_ushr "Shifts right, filling with zeros.";
    "clojure.core/bit-set" 2 2 bit_set "Sets bit n.";
    "clojure.core/bit-clear" 2 2 bit_clear "Clears bit n.";
    "clojure.core/bit-flip" 2 2 bit_flip "Flips bit n.";
    "clojure.core/bit-test" 2 2 bit_test "Is bit n set?";
    "clojure.core/max" 1 MANY max "The greatest number.";
    "clojure.core/min" 1 MANY min "The least number.";
    "clojure.core/abs" 1 1 abs "The number without its sign.";
    "clojure.core/long" 1 1 p_long "The number as a long.";
    "clojure.core/int" 1 1 p_int "The number as an integer of 32 bits.";
    "clojure.core/short" 1 1 p_short "The number as an integer of 16 bits.";
    "clojure.core/byte" 1 1 p_byte "The number as an integer of 8 bits.";
    "clojure.core/double" 1 1 p_double "The number as a double.";
    "clojure.core/float" 1 1 p_float "The number rounded to single precision.";
    "clojure.core/bigint" 1 1 p_bigint "The number as a big integer.";
    "clojure.core/biginteger" 1 1 p_bigint "The number as a big integer.";
    "clojure.core/bigdec" 1 1 p_bigdec "The number as a decimal.";
    "clojure.core/rationalize" 1 1 p_rationalize "The exact value a double's text spells.";
    "clojure.core/numerator" 1 1 numerator "Numerator of a ratio.";
    "clojure.core/denominator" 1 1 denominator "Denominator of a ratio.";
    "clojure.core/zero?" 1 1 zero_p "Is the number zero?";
    "clojure.core/pos?" 1 1 pos_p "Is the number greater than zero?";
    "clojure.core/neg?" 1 1 neg_p "Is the number less than zero?";
    "clojure.core/even?" 1 1 even_p "Is the integer even?";
    "clojure.core/odd?" 1 1 odd_p "Is the integer odd?";
    "clojure.core/number?" 1 1 number_p "Is it a number?";
    "clojure.core/integer?" 1 1 integer_p "Is it an integer?";
    "clojure.core/int?" 1 1 int_p "Is it a long?";
    "clojure.core/float?" 1 1 float_p "Is it a floating point number?";
    "clojure.core/double?" 1 1 float_p "Is it a double?";
    "clojure.core/ratio?" 1 1 ratio_p "Is it a ratio?";
    "clojure.core/rational?" 1 1 rational_p "Is it an exact number?";
    "clojure.core/decimal?" 1 1 decimal_p "Is it a decimal?";
    "yin.rt/bigint?" 1 1 bigint_p "Is it a big integer?";
    "clojure.core/NaN?" 1 1 nan_p "Is it not a number?";
    "clojure.core/infinite?" 1 1 infinite_p "Is it infinite?";
    "clojure.math/sqrt" 1 1 m_sqrt "Square root.";
    "clojure.math/cbrt" 1 1 m_cbrt "Cube root.";
    "clojure.math/pow" 2 2 m_pow "x to the power y.";
    "clojure.math/exp" 1 1 m_exp "e to the power x.";
    "clojure.math/log" 1 1 m_log "Natural logarithm.";
    "clojure.math/log10" 1 1 m_log10 "Logarithm to base ten.";
    "clojure.math/sin" 1 1 m_sin "Sine.";
    "clojure.math/cos" 1 1 m_cos "Cosine.";
    "clojure.math/tan" 1 1 m_tan "Tangent.";
    "clojure.math/asin" 1 1 m_asin "Arc sine.";
    "clojure.math/acos" 1 1 m_acos "Arc cosine.";
    "clojure.math/atan" 1 1 m_atan "Arc tangent.";
    "clojure.math/atan2" 2 2 m_atan2 "Angle of the point (x, y), y first.";
    "clojure.math/floor" 1 1 m_floor "Greatest integral double not above x.";
    "clojure.math/ceil" 1 1 m_ceil "Least integral double not below x.";
    "clojure.math/rint" 1 1 m_rint "Nearest integral double, ties to even.";
    "clojure.math/round" 1 1 m_round "Nearest long, ties upwards.";
    "clojure.math/hypot" 2 2 m_hypot "Length of the hypotenuse.";
    "clojure.math/signum" 1 1 m_signum "Sign as a double.";
    "clojure.math/sinh" 1 1 m_sinh "Hyperbolic sine.";
    "clojure.math/cosh" 1 1 m_cosh "Hyperbolic cosine.";
    "clojure.math/tanh" 1 1 m_tanh "Hyperbolic tangent.";
    "clojure.math/log1p" 1 1 m_log1p "Logarithm of 1 + x.";
    "clojure.math/expm1" 1 1 m_expm1 "e to the power x, minus 1.";
    "clojure.math/to-radians" 1 1 m_rad "Degrees as radians.";
    "clojure.math/to-degrees" 1 1 m_deg "Radians as degrees.";
    "clojure.math/floor-div" 2 2 floor_div "Integer quotient, rounded down.";
    "clojure.math/floor-mod" 2 2 p_mod "Remainder with the sign of the divisor.";
    "yin.rt/double-bits" 1 1 double_bits "Bits of a double as a long.";
    "yin.rt/bits-double" 1 1 bits_double "The double of bits.";
    "yin.rt/fmod" 2 2 fmod "Remainder of doubles, truncated.";
    "yin.rt/gcd" 2 2 gcd "Greatest common divisor.";
};
