//! `format`: texts from patterns, as java.util.Formatter makes them.

use super::num::{self, Num};
use super::text::want_str;
use super::{MANY, PrimDef, R, coll, prim, print};
use crate::layout::Kind;
use crate::machine::{Exit, Vm};
use crate::value::Value;
use num_bigint::{BigInt, Sign};
use num_traits::{Signed, ToPrimitive};

/// One `%[index$][flags][width][.precision]conversion`.
#[derive(Default, Clone)]
struct Spec {
    index: Option<usize>,
    previous: bool,
    left: bool,
    alternate: bool,
    plus: bool,
    space: bool,
    zero: bool,
    group: bool,
    paren: bool,
    width: Option<usize>,
    precision: Option<usize>,
    conversion: char,
    /// Second letter of a date conversion.
    date: char,
}

fn bad(vm: &mut Vm, class: &str, message: String) -> Exit {
    let class = vm.symbol(class);
    vm.err_of("argument", class, &message)
}
fn illegal(vm: &mut Vm, conversion: char, v: Value) -> Exit {
    let t = coll::type_name(vm, v);
    bad(vm, "java.util.IllegalFormatConversionException", format!("{conversion} != {t}"))
}

/// Parses the spec behind a `%`; the bytes it takes.
fn parse(vm: &mut Vm, s: &str) -> R<(Spec, usize)> {
    let b = s.as_bytes();
    let mut spec = Spec::default();
    let mut i = 0;
    let number = |i: &mut usize| {
        let start = *i;
        while *i < b.len() && b[*i].is_ascii_digit() {
            *i += 1;
        }
        s[start..*i].parse::<usize>().ok()
    };
    // `1$` before the flags, or a width that does not start with 0.
    if b.first().is_some_and(|c| (b'1'..=b'9').contains(c)) {
        let n = number(&mut i);
        if b.get(i) == Some(&b'$') {
            spec.index = n;
            i += 1;
        } else {
            i = 0;
        }
    } else if b.first() == Some(&b'<') {
        spec.previous = true;
        i = 1;
    }
    while let Some(c) = b.get(i) {
        match c {
            b'-' => spec.left = true,
            b'#' => spec.alternate = true,
            b'+' => spec.plus = true,
            b' ' => spec.space = true,
            b'0' => spec.zero = true,
            b',' => spec.group = true,
            b'(' => spec.paren = true,
            _ => break,
        }
        i += 1;
    }
    spec.width = number(&mut i);
    if b.get(i) == Some(&b'.') {
        i += 1;
        spec.precision = number(&mut i);
        if spec.precision.is_none() {
            return Err(bad(vm, "java.util.UnknownFormatConversionException", "Conversion = '.'".into()));
        }
    }
    let Some(c) = s[i..].chars().next() else {
        return Err(bad(vm, "java.util.UnknownFormatConversionException", "Conversion = '%'".into()));
    };
    spec.conversion = c;
    i += c.len_utf8();
    if matches!(c, 't' | 'T') {
        let Some(d) = s[i..].chars().next() else {
            return Err(bad(vm, "java.util.UnknownFormatConversionException", "Conversion = 't'".into()));
        };
        spec.date = d;
        i += d.len_utf8();
    }
    if spec.width.is_some_and(|w| w > 1 << 20) || spec.precision.is_some_and(|p| p > 1 << 20) {
        return Err(bad(vm, "java.util.IllegalFormatWidthException", "the width is too large".into()));
    }
    if (spec.left || spec.zero) && spec.width.is_none() && !matches!(c, 'n' | '%') {
        return Err(bad(vm, "java.util.MissingFormatWidthException", format!("%{}", &s[..i])));
    }
    Ok((spec, i))
}

fn pad(spec: &Spec, body: String, out: &mut String) {
    let n = body.chars().count();
    let fill = spec.width.unwrap_or(0).saturating_sub(n);
    if !spec.left {
        out.extend(std::iter::repeat_n(' ', fill));
    }
    out.push_str(&body);
    if spec.left {
        out.extend(std::iter::repeat_n(' ', fill));
    }
}
fn grouped(digits: &str) -> String {
    let (whole, frac) = digits.split_once('.').map_or((digits, None), |(w, f)| (w, Some(f)));
    let mut out = String::new();
    for (i, c) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    if let Some(f) = frac {
        out.push('.');
        out.push_str(f);
    }
    out
}
/// Sign, zero padding and grouping of the digits of a number.
fn signed(spec: &Spec, negative: bool, digits: &str, group: bool, out: &mut String) {
    let mut body = if group { grouped(digits) } else { digits.to_string() };
    let (before, after) = match (negative, spec.paren) {
        (true, true) => ("(", ")"),
        (true, false) => ("-", ""),
        (false, _) if spec.plus => ("+", ""),
        (false, _) if spec.space => (" ", ""),
        _ => ("", ""),
    };
    if spec.zero {
        let fill = spec.width.unwrap_or(0).saturating_sub(body.len() + before.len() + after.len());
        body.insert_str(0, &"0".repeat(fill));
    }
    pad(spec, format!("{before}{body}{after}"), out);
}

/// Digits of |u| * 10^-scale with exactly `places` decimals, halves away from zero.
fn fixed(u: &BigInt, scale: i64, places: usize) -> String {
    let ten = |n: u32| BigInt::from(10).pow(n);
    let u = u.abs();
    let places_i = places as i64;
    let units = if scale > places_i {
        let d = ten((scale - places_i) as u32);
        (&u + &d / 2) / &d
    } else {
        u * ten((places_i - scale) as u32)
    };
    let mut s = units.to_string();
    if places == 0 {
        return s;
    }
    if s.len() <= places {
        s.insert_str(0, &"0".repeat(places + 1 - s.len()));
    }
    s.insert(s.len() - places, '.');
    s
}
/// The decimal a finite double's shortest text spells: unscaled, scale.
fn decimal_of(x: f64) -> (BigInt, i64) {
    let t = format!("{x:e}");
    let (m, e) = t.split_once('e').unwrap_or((&t, "0"));
    let e: i64 = e.parse().unwrap_or(0);
    let (whole, frac) = m.split_once('.').unwrap_or((m, ""));
    let u: BigInt = format!("{whole}{frac}").parse().unwrap_or_default();
    (u, frac.len() as i64 - e)
}
/// Scientific notation of a decimal with `places` decimals.
fn scientific(u: &BigInt, scale: i64, places: usize) -> String {
    let digits = u.abs().to_string();
    if u.sign() == Sign::NoSign {
        return format!("{}e+00", fixed(u, 0, places));
    }
    let mut exp = digits.len() as i64 - 1 - scale;
    let mut m = fixed(&u.abs(), digits.len() as i64 - 1, places);
    if m.starts_with("10") {
        exp += 1;
        m = fixed(&u.abs(), digits.len() as i64, places);
    }
    format!("{m}e{}{:02}", if exp < 0 { '-' } else { '+' }, exp.abs())
}

fn integer(vm: &mut Vm, spec: &Spec, v: Value, out: &mut String) -> R<()> {
    if spec.precision.is_some() {
        let p = spec.precision.unwrap_or(0);
        return Err(bad(vm, "java.util.IllegalFormatPrecisionException", p.to_string()));
    }
    let (n, big) = match num::number(v) {
        Some(Num::Long(n)) => (BigInt::from(n), false),
        Some(Num::Big(b)) => (b, true),
        _ => return Err(illegal(vm, spec.conversion, v)),
    };
    match spec.conversion {
        'd' => signed(spec, n.sign() == Sign::Minus, &n.abs().to_string(), spec.group, out),
        c => {
            let radix = if c == 'o' { 8 } else { 16 };
            let mut digits = if big {
                let d = n.abs().to_str_radix(radix);
                if n.sign() == Sign::Minus { format!("-{d}") } else { d }
            } else {
                let x = n.to_i64().unwrap_or(0);
                if radix == 8 { format!("{x:o}") } else { format!("{x:x}") }
            };
            if spec.alternate {
                digits.insert_str(0, if radix == 8 { "0" } else { "0x" });
            }
            if c == 'X' {
                digits.make_ascii_uppercase();
            }
            if spec.zero {
                let fill = spec.width.unwrap_or(0).saturating_sub(digits.len());
                digits.insert_str(0, &"0".repeat(fill));
            }
            pad(spec, digits, out);
        }
    }
    Ok(())
}

fn real(vm: &mut Vm, spec: &Spec, v: Value, out: &mut String) -> R<()> {
    let (u, scale) = match num::number(v) {
        Some(Num::Dbl(x)) if x.is_nan() || x.is_infinite() => {
            let t = if x.is_nan() { "NaN" } else { "Infinity" };
            let sign = if x.is_nan() {
                ""
            } else if x < 0.0 {
                if spec.paren { "(" } else { "-" }
            } else if spec.plus {
                "+"
            } else {
                ""
            };
            let close = if sign == "(" { ")" } else { "" };
            let spec = Spec { zero: false, ..spec.clone() };
            pad(&spec, format!("{sign}{t}{close}"), out);
            return Ok(());
        }
        Some(Num::Dbl(x)) => {
            if x == 0.0 && x.is_sign_negative() {
                let d = fixed(&BigInt::from(0), 0, spec.precision.unwrap_or(6));
                signed(spec, true, &d, spec.group, out);
                return Ok(());
            }
            decimal_of(x)
        }
        Some(Num::Dec(u, s)) => (u, s),
        _ => return Err(illegal(vm, spec.conversion, v)),
    };
    let negative = u.sign() == Sign::Minus;
    let places = spec.precision.unwrap_or(6);
    let text = match spec.conversion {
        'e' | 'E' => scientific(&u, scale, places),
        'g' | 'G' => {
            let places = places.max(1);
            let digits = u.abs().to_string().len() as i64;
            let exp = digits - 1 - scale;
            // After rounding to that many digits: between 1e-4 and 10^precision it is plain.
            let sci = scientific(&u, scale, places - 1);
            let e: i64 = sci.rsplit_once('e').and_then(|x| x.1.parse().ok()).unwrap_or(exp);
            if u.sign() == Sign::NoSign {
                fixed(&u, 0, places - 1)
            } else if (-4..places as i64).contains(&e) {
                fixed(&u, scale, (places as i64 - 1 - e).max(0) as usize)
            } else {
                sci
            }
        }
        _ => fixed(&u, scale, places),
    };
    let group = spec.group && !matches!(spec.conversion, 'e' | 'E');
    let mut done = String::new();
    signed(spec, negative, &text, group, &mut done);
    out.push_str(&if spec.conversion.is_ascii_uppercase() { done.to_uppercase() } else { done });
    Ok(())
}

fn date(vm: &mut Vm, spec: &Spec, v: Value) -> R<String> {
    let ms = match v.as_kind(Kind::Inst) {
        Some(o) => o.raw(0) as i64,
        None => match num::as_long(v) {
            Some(n) => n,
            None => return Err(illegal(vm, spec.conversion, v)),
        },
    };
    let t = super::text::inst_text(ms);
    // YYYY-MM-DDTHH:MM:SS.mmm…
    let (day, time) = t.split_once('T').unwrap_or((&t, "00:00:00.000"));
    let mut d = day.rsplitn(3, '-');
    let (dd, mm, yy) = (d.next().unwrap_or(""), d.next().unwrap_or(""), d.next().unwrap_or(""));
    let (h, m, s) = (&time[0..2], &time[3..5], &time[6..8]);
    let hour: u32 = h.parse().unwrap_or(0);
    let months = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    let days = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
    let month = months[mm.parse::<usize>().unwrap_or(1).clamp(1, 12) - 1];
    let week_day = days[(ms.div_euclid(86_400_000) + 4).rem_euclid(7) as usize];
    let twelve = if hour.is_multiple_of(12) { 12 } else { hour % 12 };
    Ok(match spec.date {
        'Y' => format!("{yy:0>4}"),
        'y' => yy[yy.len().saturating_sub(2)..].to_string(),
        'm' => mm.into(),
        'd' => dd.into(),
        'e' => dd.trim_start_matches('0').into(),
        'H' => h.into(),
        'k' => hour.to_string(),
        'I' => format!("{twelve:02}"),
        'l' => twelve.to_string(),
        'M' => m.into(),
        'S' => s.into(),
        'L' => format!("{:03}", ms.rem_euclid(1000)),
        'p' => if hour < 12 { "am" } else { "pm" }.into(),
        'B' => month.into(),
        'b' | 'h' => month[..3].into(),
        'A' => week_day.into(),
        'a' => week_day[..3].into(),
        's' => ms.div_euclid(1000).to_string(),
        'Q' => ms.to_string(),
        'F' => day.into(),
        'T' => format!("{h}:{m}:{s}"),
        'R' => format!("{h}:{m}"),
        'D' => format!("{mm}/{dd}/{}", &yy[yy.len().saturating_sub(2)..]),
        'z' => "+0000".into(),
        'Z' => "UTC".into(),
        c => {
            return Err(bad(vm, "java.util.UnknownFormatConversionException", format!("Conversion = 't{c}'")));
        }
    })
}

/// The text of a pattern and its arguments.
///
/// # Errors
/// Kind `argument` for a pattern or an argument that does not fit, as java.util.Formatter says.
pub fn format(vm: &mut Vm, pattern: &str, args: &[Value]) -> R<String> {
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut rest = pattern;
    let (mut next, mut last) = (0, None);
    while let Some(i) = rest.find('%') {
        out.push_str(&rest[..i]);
        let (spec, used) = parse(vm, &rest[i + 1..])?;
        let whole = &rest[i..i + 1 + used];
        rest = &rest[i + 1 + used..];
        match spec.conversion {
            'n' => {
                out.push('\n');
                continue;
            }
            '%' => {
                pad(&spec, "%".into(), &mut out);
                continue;
            }
            'd' | 'x' | 'X' | 'o' | 'f' | 'e' | 'E' | 'g' | 'G' | 's' | 'S' | 'c' | 'C' | 'b' | 'B' | 'h' | 'H'
            | 't' | 'T' => {}
            c => {
                return Err(bad(vm, "java.util.UnknownFormatConversionException", format!("Conversion = '{c}'")));
            }
        }
        let at = match (spec.previous, spec.index) {
            (true, _) => last.unwrap_or(usize::MAX),
            (_, Some(n)) => n - 1,
            _ => {
                next += 1;
                next - 1
            }
        };
        let Some(&v) = args.get(at) else {
            return Err(bad(vm, "java.util.MissingFormatArgumentException", format!("Format specifier '{whole}'")));
        };
        last = Some(at);
        let upper = spec.conversion.is_ascii_uppercase();
        let text = match spec.conversion {
            'b' | 'B' => if v.is_nil() || v == Value::FALSE { "false" } else { "true" }.to_string(),
            _ if v.is_nil() => "null".into(),
            'd' | 'x' | 'X' | 'o' => {
                integer(vm, &spec, v, &mut out)?;
                continue;
            }
            'f' | 'e' | 'E' | 'g' | 'G' => {
                real(vm, &spec, v, &mut out)?;
                continue;
            }
            'c' | 'C' => match (v.as_char(), num::as_long(v)) {
                (Some(c), _) => c.to_string(),
                (None, Some(n)) => match u32::try_from(n).ok().and_then(char::from_u32) {
                    Some(c) => c.to_string(),
                    None => {
                        return Err(bad(
                            vm,
                            "java.util.IllegalFormatCodePointException",
                            format!("Code point = {n:#x}"),
                        ));
                    }
                },
                _ => return Err(illegal(vm, spec.conversion, v)),
            },
            'h' | 'H' => format!("{:x}", coll::hash(vm, v)?),
            't' | 'T' => date(vm, &spec, v)?,
            _ => print::str_of(vm, v)?,
        };
        let text = match spec.precision {
            Some(p) => text.chars().take(p).collect(),
            None => text,
        };
        pad(&spec, if upper { text.to_uppercase() } else { text }, &mut out);
    }
    out.push_str(rest);
    Ok(out)
}

fn p_format(vm: &mut Vm, a: &[Value]) -> R {
    let pattern = want_str(vm, a[0])?;
    let s = format(vm, pattern, &a[1..])?;
    Ok(vm.str(&s))
}
pub const TABLE: &[PrimDef] = &[
    prim("clojure.core/format", 1, MANY, 0, p_format, "Text from a pattern such as \"%d of %s\" and its arguments."),
    prim("String/format", 1, MANY, 0, p_format, "Text from a pattern and its arguments."),
];
