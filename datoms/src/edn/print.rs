//! Printing: the text that Clojure's `pr-str` gives.

use super::inst;
use super::value::Edn;
use std::fmt::{self, Write};

impl fmt::Display for Edn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_value(f, self)
    }
}

impl fmt::Debug for Edn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_value(f, self)
    }
}

fn write_value(f: &mut impl Write, value: &Edn) -> fmt::Result {
    match value {
        Edn::Nil => f.write_str("nil"),
        Edn::Bool(b) => write!(f, "{b}"),
        Edn::Int(i) => write!(f, "{i}"),
        Edn::BigInt(i) => write!(f, "{i}N"),
        Edn::Float(x) => write_double(f, *x),
        Edn::Decimal(d) => write!(f, "{}M", d.to_text()),
        Edn::Ratio(r) => write!(f, "{}/{}", r.numerator(), r.denominator()),
        Edn::Char(c) => write_char(f, *c),
        Edn::Str(s) => write_string(f, s),
        Edn::Keyword(k) => write!(f, "{k}"),
        Edn::Symbol(s) => write!(f, "{s}"),
        Edn::List(v) => write_items(f, "(", v, ")"),
        Edn::Vector(v) => write_items(f, "[", v, "]"),
        Edn::Set(v) => write_items(f, "#{", v, "}"),
        Edn::Map(pairs) => {
            f.write_char('{')?;
            for (i, (k, v)) in pairs.iter().enumerate() {
                if i > 0 {
                    f.write_str(", ")?;
                }
                write_value(f, k)?;
                f.write_char(' ')?;
                write_value(f, v)?;
            }
            f.write_char('}')
        }
        Edn::Tagged(t) => {
            write!(f, "#{} ", t.0)?;
            write_value(f, &t.1)
        }
        Edn::Inst(ms) => write!(f, "#inst \"{}\"", inst::Rfc3339(*ms)),
        Edn::Uuid(u) => write!(f, "#uuid \"{u}\""),
        Edn::Regex(s) => write!(f, "#\"{s}\""),
    }
}

fn write_items(f: &mut impl Write, open: &str, items: &[Edn], close: &str) -> fmt::Result {
    f.write_str(open)?;
    for (i, x) in items.iter().enumerate() {
        if i > 0 {
            f.write_char(' ')?;
        }
        write_value(f, x)?;
    }
    f.write_str(close)
}

/// Writes a double as Java does with the fewest digits that read back: `1.0`, `1.0E10`, `1.5E-5`, `##Inf`.
pub fn write_double(f: &mut impl Write, x: f64) -> fmt::Result {
    if x.is_nan() {
        return f.write_str("##NaN");
    }
    if x.is_infinite() {
        return f.write_str(if x > 0.0 { "##Inf" } else { "##-Inf" });
    }
    let size = x.abs();
    if size == 0.0 || (1e-3..1e7).contains(&size) {
        return write!(f, "{x:?}");
    }
    let text = format!("{x:e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    f.write_str(mantissa)?;
    if !mantissa.contains('.') {
        f.write_str(".0")?;
    }
    write!(f, "E{exponent}")
}

/// Writes a string in quotes with Clojure's escapes.
pub fn write_string(f: &mut impl Write, s: &str) -> fmt::Result {
    f.write_char('"')?;
    let mut from = 0;
    for (at, b) in s.bytes().enumerate() {
        let escape = match b {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\t' => "\\t",
            b'\r' => "\\r",
            8 => "\\b",
            12 => "\\f",
            _ => continue,
        };
        f.write_str(&s[from..at])?;
        f.write_str(escape)?;
        from = at + 1;
    }
    f.write_str(&s[from..])?;
    f.write_char('"')
}

fn write_char(f: &mut impl Write, c: char) -> fmt::Result {
    match c {
        '\n' => f.write_str("\\newline"),
        ' ' => f.write_str("\\space"),
        '\t' => f.write_str("\\tab"),
        '\u{8}' => f.write_str("\\backspace"),
        '\u{c}' => f.write_str("\\formfeed"),
        '\r' => f.write_str("\\return"),
        c => write!(f, "\\{c}"),
    }
}
