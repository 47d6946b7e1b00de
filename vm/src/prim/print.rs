//! Printing values as Clojure on the JVM prints them. Iterative: a stack of pieces, so nesting is bounded by memory only.

use super::num::{self, Num};
use super::{R, coll, types, vector};
use crate::layout::{Kind, slot};
use crate::machine::Vm;
use crate::value::Value;

/// How to print.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Strings and characters so that they read back.
    pub readably: bool,
    /// Most elements of a collection.
    pub length: Option<usize>,
    /// Most levels of nesting.
    pub level: Option<usize>,
    /// `#:ns{…}` for maps whose keys share a namespace.
    pub namespace_maps: bool,
    /// Metadata too.
    pub meta: bool,
}
impl Default for Options {
    fn default() -> Self {
        Options { readably: true, length: None, level: None, namespace_maps: false, meta: false }
    }
}

enum Piece {
    Val(Value, usize),
    Text(&'static str),
    Owned(String),
}

/// Java's text of a double: shortest digits that read back, plain from 1e-3 up to 1e7.
pub fn double_text(x: f64) -> String {
    if x.is_nan() {
        return "NaN".into();
    }
    if x.is_infinite() {
        return if x > 0.0 { "Infinity".into() } else { "-Infinity".into() };
    }
    if x == 0.0 {
        return if x.is_sign_negative() { "-0.0".into() } else { "0.0".into() };
    }
    if x.abs() == f64::from_bits(1) {
        // Java prints at least two digits.
        return if x > 0.0 { "4.9E-324".into() } else { "-4.9E-324".into() };
    }
    if x.abs() == 5e-324 {
        // Java shows two digits at least.
        return if x < 0.0 { "-4.9E-324" } else { "4.9E-324" }.into();
    }
    let s = format!("{x:e}");
    let (mantissa, exp) = s.split_once('e').expect("exponent form");
    let exp: i32 = exp.parse().expect("an exponent");
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(m) => ("-", m),
        None => ("", mantissa),
    };
    let digits: String = mantissa.chars().filter(|c| *c != '.').collect();
    if (-3..7).contains(&exp) {
        if exp < 0 {
            return format!("{sign}0.{}{digits}", "0".repeat((-exp - 1) as usize));
        }
        let whole = exp as usize + 1;
        return if digits.len() > whole {
            format!("{sign}{}.{}", &digits[..whole], &digits[whole..])
        } else {
            format!("{sign}{digits}{}.0", "0".repeat(whole - digits.len()))
        };
    }
    let frac = if digits.len() > 1 { &digits[1..] } else { "0" };
    format!("{sign}{}.{frac}E{exp}", &digits[..1])
}
/// Text of a decimal, as BigDecimal.toString.
pub fn decimal_text(u: &num_bigint::BigInt, scale: i64) -> String {
    let s = u.to_string();
    let (sign, digits) = match s.strip_prefix('-') {
        Some(d) => ("-", d),
        None => ("", s.as_str()),
    };
    let adjusted = digits.len() as i64 - 1 - scale;
    if scale == 0 {
        return s;
    }
    if scale > 0 && adjusted >= -6 {
        let n = digits.len() as i64;
        return if n > scale {
            format!("{sign}{}.{}", &digits[..(n - scale) as usize], &digits[(n - scale) as usize..])
        } else {
            format!("{sign}0.{}{digits}", "0".repeat((scale - n) as usize))
        };
    }
    let frac = if digits.len() > 1 { format!(".{}", &digits[1..]) } else { String::new() };
    format!("{sign}{}{frac}E{}{adjusted}", &digits[..1], if adjusted >= 0 { "+" } else { "" })
}
pub fn number_text(n: &Num, readably: bool) -> String {
    match n {
        Num::Long(n) => n.to_string(),
        Num::Big(b) => format!("{b}{}", if readably { "N" } else { "" }),
        Num::Ratio(n, d) => format!("{n}/{d}"),
        Num::Dec(u, s) => format!("{}{}", decimal_text(u, *s), if readably { "M" } else { "" }),
        Num::Dbl(x) if readably && !x.is_finite() => {
            format!(
                "##{}",
                if x.is_nan() {
                    "NaN"
                } else if *x > 0.0 {
                    "Inf"
                } else {
                    "-Inf"
                }
            )
        }
        Num::Dbl(x) => double_text(*x),
    }
}
fn escape(s: &str, out: &mut String) {
    out.push('"');
    for c in s.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            '\x0c' => out.push_str("\\f"),
            '\x08' => out.push_str("\\b"),
            c => out.push(c),
        }
    }
    out.push('"');
}
pub fn char_text(c: char) -> String {
    match c {
        '\n' => "\\newline".into(),
        ' ' => "\\space".into(),
        '\t' => "\\tab".into(),
        '\r' => "\\return".into(),
        '\x0c' => "\\formfeed".into(),
        '\x08' => "\\backspace".into(),
        c => format!("\\{c}"),
    }
}

pub fn pr_str(vm: &mut Vm, v: Value) -> R<String> {
    text(vm, v, Options::default())
}
/// What `str` makes of one value: nil is empty, strings and characters are themselves.
pub fn str_of(vm: &mut Vm, v: Value) -> R<String> {
    if v.is_nil() {
        return Ok(String::new());
    }
    if let Some(s) = v.as_str() {
        return Ok(s.to_string());
    }
    if let Some(c) = v.as_char() {
        return Ok(c.to_string());
    }
    if let Some(n) = num::number(v) {
        return Ok(number_text(&n, false));
    }
    match v.obj().map(|o| (o, o.kind())) {
        Some((_, Kind::Instance | Kind::Record)) => {
            if let Some(m) = types::method_of(vm, v, "toString") {
                let s = vm.call_out(m, &[v])?;
                return Ok(s.as_str().unwrap_or("").to_string());
            }
            pr_str(vm, v)
        }
        Some((o, Kind::Regex)) => Ok(o.get(0).as_str().unwrap_or("").to_string()),
        Some((o, Kind::Uuid)) => Ok(uuid_text(o.raw(0), o.raw(1))),
        Some((o, Kind::Buffer)) => Ok(vm.buffers.get(o.get(0).fix_get() as usize).cloned().unwrap_or_default()),
        Some((o, Kind::Namespace)) => {
            Ok(vm.symbol_id(o.get(0)).map_or(String::new(), |id| vm.names.text(id).to_string()))
        }
        Some((o, Kind::Type)) => {
            let name = vm.symbol_id(o.get(0)).map_or("", |id| vm.names.text(id));
            Ok(format!("class {name}"))
        }
        Some((o, Kind::Exception)) => {
            let class = vm.symbol_id(o.get(slot::EX_CLASS)).map_or(String::new(), |id| vm.names.text(id).to_string());
            let message = o.get(slot::EX_MESSAGE);
            let mut s =
                if message.is_nil() { class.clone() } else { format!("{class}: {}", message.as_str().unwrap_or("")) };
            if class == "clojure.lang.ExceptionInfo" {
                let data = pr_str(vm, o.get(slot::EX_DATA))?;
                s = format!("{s} {data}");
            }
            Ok(s)
        }
        _ => pr_str(vm, v),
    }
}
pub fn uuid_text(hi: u64, lo: u64) -> String {
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        hi >> 32,
        hi >> 16 & 0xFFFF,
        hi & 0xFFFF,
        lo >> 48,
        lo & 0xFFFF_FFFF_FFFF
    )
}

/// The text of `v`.
pub fn text(vm: &mut Vm, v: Value, opts: Options) -> R<String> {
    let mut out = String::new();
    let mut work = vec![Piece::Val(v, 0)];
    while let Some(piece) = work.pop() {
        let (v, depth) = match piece {
            Piece::Text(t) => {
                out.push_str(t);
                continue;
            }
            Piece::Owned(t) => {
                out.push_str(&t);
                continue;
            }
            Piece::Val(v, d) => (v, d),
        };
        if v.is_nil() {
            out.push_str("nil");
            continue;
        }
        if v.is_bool() {
            out.push_str(if v == Value::TRUE { "true" } else { "false" });
            continue;
        }
        if let Some(n) = num::number(v) {
            out.push_str(&number_text(&n, true));
            continue;
        }
        if let Some(k) = v.as_keyword() {
            out.push(':');
            out.push_str(vm.names.text(k));
            continue;
        }
        if let Some(id) = vm.symbol_id(v) {
            if opts.meta && v.is_kind(Kind::SymbolMeta) {
                let m = types::meta_of(vm, v);
                if !m.is_nil() {
                    work.push(Piece::Owned(format!(" {}", vm.names.text(id))));
                    work.push(Piece::Val(m, depth));
                    out.push('^');
                    continue;
                }
            }
            out.push_str(vm.names.text(id));
            continue;
        }
        if let Some(c) = v.as_char() {
            if opts.readably {
                out.push_str(&char_text(c))
            } else {
                out.push(c)
            }
            continue;
        }
        let Some(o) = v.obj() else {
            out.push_str("#<unbound>");
            continue;
        };
        if let Some(s) = v.as_str() {
            if opts.readably {
                escape(s, &mut out)
            } else {
                out.push_str(s)
            }
            continue;
        }
        if opts.meta {
            let m = types::meta_of(vm, v);
            if coll::is_map(m)
                && coll::count(vm, m)?.fix_get() > 0
                && !v.is_kind(Kind::Var)
                && !matches!(o.kind(), Kind::Closure | Kind::Atom | Kind::List)
            {
                out.push('^');
                let plain = types::with_meta(vm, v, Value::NIL)?;
                work.push(Piece::Val(plain, depth));
                work.push(Piece::Text(" "));
                work.push(Piece::Val(m, depth));
                continue;
            }
        }
        if o.kind() == Kind::Instance
            && let Some(m) = types::method_of(vm, v, "printed")
        {
            // An instance that prints as a collection gives it.
            let shown = vm.call_out(m, &[v])?;
            work.push(Piece::Val(shown, depth));
            continue;
        }
        let is_coll = coll::is_map(v) || coll::is_set(v) || coll::is_sequential(v);
        if is_coll && opts.level.is_some_and(|l| depth >= l) {
            out.push('#');
            continue;
        }
        if coll::is_map(v) {
            let mut open = String::from("{");
            if o.kind() == Kind::Record {
                let name = vm.symbol_id(o.get(0).obj().expect("a type").get(0)).map_or("", |id| vm.names.text(id));
                open = format!("#{name}{{");
            }
            let mut entries = coll::map_entries(vm, v);
            if opts.namespace_maps && o.kind() != Kind::Record && !entries.is_empty() {
                let ns: Vec<Option<String>> = entries
                    .iter()
                    .map(|(k, _)| k.as_keyword().or(vm.symbol_id(*k)).and_then(|id| vm.names.ns(id)).map(String::from))
                    .collect();
                if let Some(n) = ns[0].clone().filter(|n| ns.iter().all(|x| x.as_ref() == Some(n))) {
                    open = format!("#:{n}{{");
                    for e in &mut entries {
                        e.0 = match e.0.as_keyword() {
                            Some(id) => {
                                let t = vm.names.name(id).to_string();
                                vm.keyword(&t)
                            }
                            None => {
                                let t = vm.symbol_id(e.0).map_or(String::new(), |id| vm.names.name(id).to_string());
                                vm.symbol(&t)
                            }
                        };
                    }
                }
            }
            out.push_str(&open);
            work.push(Piece::Text("}"));
            let cut = opts.length.is_some_and(|n| entries.len() > n);
            if let Some(n) = opts.length {
                entries.truncate(n);
            }
            if cut {
                work.push(Piece::Text(if entries.is_empty() { "..." } else { ", ..." }));
            }
            for (i, (k, x)) in entries.into_iter().enumerate().rev() {
                work.push(Piece::Val(x, depth + 1));
                work.push(Piece::Text(" "));
                work.push(Piece::Val(k, depth + 1));
                if i > 0 {
                    work.push(Piece::Text(", "));
                }
            }
            continue;
        }
        if is_coll {
            let (open, close) = match o.kind() {
                Kind::Vector | Kind::MapEntry => ("[", "]"),
                Kind::HashSet | Kind::SortedSet => ("#{", "}"),
                Kind::Queue => ("#object[clojure.lang.PersistentQueue ", "]"),
                _ => ("(", ")"),
            };
            let (items, cut) = match o.kind() {
                Kind::Vector => (vector::items(o), false),
                Kind::HashSet | Kind::SortedSet => (coll::set_items(vm, v), false),
                _ => {
                    let mut items = Vec::new();
                    let mut s = coll::seq(vm, v)?;
                    let mut cut = false;
                    while !s.is_nil() {
                        if opts.length.is_some_and(|n| items.len() >= n) {
                            cut = true;
                            break;
                        }
                        let x = coll::first(vm, s)?;
                        items.push(x);
                        s = coll::next(vm, s)?;
                    }
                    (items, cut)
                }
            };
            let over = opts.length.is_some_and(|n| items.len() > n);
            let shown = opts.length.map_or(items.len(), |n| n.min(items.len()));
            out.push_str(open);
            work.push(Piece::Text(close));
            if cut || over {
                work.push(Piece::Text(if shown == 0 { "..." } else { " ..." }));
            }
            for (i, x) in items[..shown].iter().enumerate().rev() {
                work.push(Piece::Val(*x, depth + 1));
                if i > 0 {
                    work.push(Piece::Text(" "));
                }
            }
            continue;
        }
        let sym = |vm: &Vm, v: Value| vm.symbol_id(v).map_or(String::new(), |id| vm.names.text(id).to_string());
        match o.kind() {
            Kind::Regex => {
                out.push_str("#\"");
                out.push_str(o.get(0).as_str().unwrap_or(""));
                out.push('"');
            }
            Kind::Uuid => out.push_str(&format!("#uuid \"{}\"", uuid_text(o.raw(0), o.raw(1)))),
            Kind::Inst => out.push_str(&format!("#inst \"{}\"", super::text::inst_text(o.raw(0) as i64))),
            Kind::Var => {
                out.push_str(&format!("#'{}/{}", sym(vm, o.get(slot::VAR_NS)), sym(vm, o.get(slot::VAR_NAME))))
            }
            Kind::Type => out.push_str(&sym(vm, o.get(0))),
            Kind::Namespace => out.push_str(&format!("#object[clojure.lang.Namespace 0x1 \"{}\"]", sym(vm, o.get(0)))),
            Kind::TaggedLiteral => {
                out.push_str(&format!("#{} ", sym(vm, o.get(0))));
                work.push(Piece::Val(o.get(1), depth));
            }
            Kind::Atom | Kind::Volatile | Kind::Delay | Kind::Reduced | Kind::Ref => {
                let class = types::class_name(vm, v);
                let ready = o.kind() != Kind::Delay || o.get(0).is_nil();
                let x = if o.kind() == Kind::Delay { if ready { o.get(1) } else { Value::NIL } } else { o.get(0) };
                out.push_str(&format!(
                    "#object[{class} 0x1 {{:status {}, :val ",
                    if ready { ":ready" } else { ":pending" }
                ));
                work.push(Piece::Text("}]"));
                work.push(Piece::Val(x, depth + 1));
            }
            Kind::Exception => {
                let class = sym(vm, o.get(slot::EX_CLASS));
                out.push_str("#error {\n :cause ");
                work.push(Piece::Text("}"));
                if !o.get(slot::EX_DATA).is_nil() {
                    work.push(Piece::Val(o.get(slot::EX_DATA), depth + 1));
                    work.push(Piece::Text("\n :data "));
                }
                work.push(Piece::Owned(format!("\n :type {class}")));
                work.push(Piece::Val(o.get(slot::EX_MESSAGE), depth + 1));
            }
            Kind::Instance => {
                let class = types::class_name(vm, v);
                if types::method_of(vm, v, "toString").is_some() {
                    let s = str_of(vm, v)?;
                    out.push_str(&format!("#object[{class} 0x1 \"{s}\"]"));
                } else {
                    out.push_str(&format!("#object[{class} 0x1 \"{class}@1\"]"));
                }
            }
            Kind::Closure => {
                let name = crate::frame::proto_of(o).name;
                let name = vm.symbol_id(name).map_or("fn".to_string(), |id| vm.names.text(id).replace('/', "$"));
                out.push_str(&format!("#object[{name} 0x1 \"{name}@1\"]"));
            }
            Kind::Buffer => {
                let s = str_of(vm, v)?;
                out.push_str(&s);
            }
            _ => {
                let class = types::class_name(vm, v);
                out.push_str(&format!("#object[{class} 0x1 \"{class}@1\"]"));
            }
        }
    }
    Ok(out)
}
