//! Strings, characters, names, regular expressions, text sinks, and the clock.

use super::num::{self, as_long};
use super::print::{self, Options};
use super::{MANY, PURE, PrimDef, R, coll, prim, vector};
use crate::layout::Kind;
use crate::machine::{ErrKind, Exit, Stop, Vm};
use crate::value::{Obj, Value};
use std::io::Write;

pub fn want_str<'a>(vm: &mut Vm, v: Value) -> R<&'a str> {
    match v.as_str() {
        Some(s) => Ok(s),
        None => Err(coll::type_err(vm, v, "a string is needed, not")),
    }
}
fn want_int(vm: &mut Vm, v: Value) -> R<i64> {
    match as_long(v) {
        Some(n) => Ok(n),
        None => Err(coll::type_err(vm, v, "an integer is needed, not")),
    }
}
/// Byte offset of character `i` (0..=length).
fn byte_at(s: &str, chars: usize, i: usize) -> Option<usize> {
    if i > chars {
        return None;
    }
    if s.len() == chars { Some(i) } else { Some(s.char_indices().nth(i).map_or(s.len(), |x| x.0)) }
}
pub fn substring(vm: &mut Vm, v: Value, from: i64, to: Option<i64>) -> R {
    let s = want_str(vm, v)?;
    let n = v.str_chars().unwrap_or(0);
    let to = to.unwrap_or(n as i64);
    if from < 0 || to < from || to > n as i64 {
        return Err(vm.err(ErrKind::Index, format!("begin {from}, end {to}, length {n}")));
    }
    let (a, b) = (byte_at(s, n, from as usize).unwrap_or(0), byte_at(s, n, to as usize).unwrap_or(0));
    Ok(vm.str(&s[a..b]))
}
fn char_index(s: &str, byte: usize) -> i64 {
    if s.is_ascii() { byte as i64 } else { s[..byte].chars().count() as i64 }
}

// ---- regular expressions
/// Java's syntax where it differs from the engine's.
fn translate(p: &str) -> String {
    let mut out = String::with_capacity(p.len());
    let mut chars = p.chars().peekable();
    let mut class = 0;
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('Q') => {
                    let mut quoted = String::new();
                    while let Some(q) = chars.next() {
                        if q == '\\' && chars.peek() == Some(&'E') {
                            chars.next();
                            break;
                        }
                        quoted.push(q);
                    }
                    out.push_str(&fancy_regex::escape(&quoted));
                }
                Some('Z') => out.push_str("(?=\\n?\\z)"),
                Some('h') => out.push_str("[ \\t]"),
                Some('R') => out.push_str("(?:\\r\\n|[\\n\\r])"),
                Some('/') => out.push('/'),
                Some(x @ ('"' | '\'' | ',' | '=' | '!' | '@' | '%' | ':' | ';' | '_' | '`')) => out.push(x),
                Some('d') => out.push_str("[0-9]"),
                Some('D') => out.push_str("[^0-9]"),
                Some('w') => out.push_str("[a-zA-Z0-9_]"),
                Some('W') => out.push_str("[^a-zA-Z0-9_]"),
                Some('s') => out.push_str("[ \\t\\n\\x0B\\f\\r]"),
                Some('S') => out.push_str("[^ \\t\\n\\x0B\\f\\r]"),
                Some('b') => out.push_str("\\b"),
                Some('p') => {
                    out.push_str("\\p");
                    if chars.peek() == Some(&'{') {
                        let mut name = String::new();
                        for x in chars.by_ref() {
                            name.push(x);
                            if x == '}' {
                                break;
                            }
                        }
                        out.push_str(match name.as_str() {
                            "{Alpha}" | "{IsAlphabetic}" => "{Alphabetic}",
                            "{Punct}" => "{P}",
                            "{Upper}" | "{javaUpperCase}" => "{Lu}",
                            "{Lower}" | "{javaLowerCase}" => "{Ll}",
                            "{Digit}" => "{Nd}",
                            "{Space}" => "{White_Space}",
                            n => n,
                        });
                    }
                }
                Some(x) => {
                    out.push('\\');
                    out.push(x);
                }
                None => out.push('\\'),
            },
            '[' => {
                out.push('[');
                class += 1;
                if chars.peek() == Some(&'^') {
                    out.push('^');
                    chars.next();
                }
                if chars.peek() == Some(&']') {
                    out.push_str("\\]");
                    chars.next();
                }
            }
            ']' if class > 0 => {
                class -= 1;
                out.push(']');
            }
            '&' if class > 0 && chars.peek() == Some(&'&') => out.push('&'),
            '~' | '#' if class > 0 => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}
pub fn regex(vm: &mut Vm, source: &str) -> R {
    let s = vm.str(source);
    let v = vm.alloc(Kind::Regex, &[s, Value::fix(-1)]);
    compiled(vm, v)?;
    Ok(v)
}
/// The compiled form of a Regex object, made on first use and shared by equal patterns.
pub fn compiled(vm: &mut Vm, v: Value) -> R<fancy_regex::Regex> {
    let Some(o) = v.as_kind(Kind::Regex) else { return Err(coll::type_err(vm, v, "a regex is needed, not")) };
    let i = o.get(1).fix_get();
    if i >= 0
        && let Some(r) = vm.regexes.get(i as usize)
    {
        return Ok(r.clone());
    }
    let source = o.get(0).as_str().unwrap_or("");
    if let Some(&i) = vm.regex_ids.get(source) {
        vm.heap.write(o, 1, Value::fix(i as i64));
        return Ok(vm.regexes[i].clone());
    }
    match fancy_regex::RegexBuilder::new(&translate(source)).backtrack_limit(5_000_000).build() {
        Ok(r) => {
            let i = vm.regexes.len();
            vm.regexes.push(r.clone());
            vm.regex_ids.insert(source.to_string(), i);
            vm.heap.write(o, 1, Value::fix(i as i64));
            Ok(r)
        }
        Err(e) => {
            let class = vm.symbol("java.util.regex.PatternSyntaxException");
            Err(vm.err_of("parse", class, &format!("{e} in pattern: {source}")))
        }
    }
}
fn groups_value(vm: &mut Vm, c: &fancy_regex::Captures<'_, str>) -> Value {
    let mut group = |i: usize| match c.get(i) {
        Some(m) => vm.str(m.as_str()),
        None => Value::NIL,
    };
    if c.len() == 1 {
        return group(0);
    }
    let items: Vec<Value> = (0..c.len()).map(&mut group).collect();
    vector::of(vm, &items)
}
fn too_hard(vm: &mut Vm) -> Exit {
    vm.err(ErrKind::Argument, "the pattern backtracks too much on this text")
}
/// Matcher: `[regex, string, byte position or -1, last groups]`.
fn matcher_find(vm: &mut Vm, m: Obj) -> R {
    let re = compiled(vm, m.get(0))?;
    let s = want_str(vm, m.get(1))?;
    let at = m.get(2).fix_get();
    if at < 0 || at as usize > s.len() {
        return Ok(Value::NIL);
    }
    match re.captures_from_pos(s, at as usize) {
        Ok(Some(c)) => {
            let whole = c.get(0).expect("group 0");
            let next = if whole.end() == whole.start() {
                s[whole.end()..].chars().next().map_or(s.len() + 1, |c| whole.end() + c.len_utf8())
            } else {
                whole.end()
            };
            let g = groups_value(vm, &c);
            vm.heap.write(m, 2, Value::fix(next as i64));
            vm.heap.write(m, 3, g);
            Ok(g)
        }
        Ok(None) => {
            vm.heap.write(m, 2, Value::fix(-1));
            vm.heap.write(m, 3, Value::NIL);
            Ok(Value::NIL)
        }
        Err(_) => Err(too_hard(vm)),
    }
}
pub(super) fn re_matches(vm: &mut Vm, a: &[Value]) -> R {
    let re = compiled(vm, a[0])?;
    let s = want_str(vm, a[1])?;
    // The whole text must match: try the pattern anchored at both ends.
    let source = a[0].obj().expect("a regex").get(0).as_str().unwrap_or("").to_string();
    let whole = regex(vm, &format!("^(?:{source})\\z"))?;
    let whole = compiled(vm, whole).unwrap_or(re);
    match whole.captures(s) {
        Ok(Some(c)) => Ok(groups_value(vm, &c)),
        Ok(None) => Ok(Value::NIL),
        Err(_) => Err(too_hard(vm)),
    }
}
fn re_find(vm: &mut Vm, a: &[Value]) -> R {
    if let Some(m) = a[0].as_kind(Kind::Matcher) {
        return matcher_find(vm, m);
    }
    let re = compiled(vm, a[0])?;
    let s = want_str(vm, a[1])?;
    match re.captures(s) {
        Ok(Some(c)) => Ok(groups_value(vm, &c)),
        Ok(None) => Ok(Value::NIL),
        Err(_) => Err(too_hard(vm)),
    }
}
/// Every match: a vector of group values.
fn re_all(vm: &mut Vm, a: &[Value]) -> R {
    let m = vm.alloc(Kind::Matcher, &[a[0], a[1], Value::ZERO, Value::NIL]);
    let m = m.obj().expect("a matcher");
    let mut out = Vec::new();
    loop {
        let g = matcher_find(vm, m)?;
        if g.is_nil() {
            return Ok(vector::of(vm, &out));
        }
        out.push(g);
    }
}
/// Java's replacement text: `$1`, `${name}`, `\$`.
fn expand_replacement(vm: &mut Vm, c: &fancy_regex::Captures<'_, str>, template: &str) -> R<String> {
    let mut out = String::new();
    let mut chars = template.chars().peekable();
    while let Some(ch) = chars.next() {
        match ch {
            '\\' => out.extend(chars.next()),
            '$' => {
                if chars.peek() == Some(&'{') {
                    chars.next();
                    let name: String = chars.by_ref().take_while(|c| *c != '}').collect();
                    out.push_str(c.name(&name).map_or("", |m| m.as_str()));
                    continue;
                }
                let mut n = match chars.next().and_then(|d| d.to_digit(10)) {
                    Some(n) => n as usize,
                    None => return Err(vm.err(ErrKind::Argument, "Illegal group reference")),
                };
                while let Some(d) = chars.peek().and_then(|d| d.to_digit(10)) {
                    if n * 10 + d as usize >= c.len() {
                        break;
                    }
                    n = n * 10 + d as usize;
                    chars.next();
                }
                if n >= c.len() {
                    return Err(vm.err(ErrKind::Index, format!("No group {n}")));
                }
                out.push_str(c.get(n).map_or("", |m| m.as_str()));
            }
            c => out.push(c),
        }
    }
    Ok(out)
}
/// (yin.rt/replace s match replacement first-only?)
fn replace(vm: &mut Vm, a: &[Value]) -> R {
    let s = want_str(vm, a[0])?;
    let once = a[3].truthy();
    if let (Some(from), Some(to)) = (a[1].as_char(), a[2].as_char()) {
        let r = if once { s.replacen(from, &to.to_string(), 1) } else { s.replace(from, &to.to_string()) };
        return Ok(vm.str(&r));
    }
    if let (Some(from), Some(to)) = (a[1].as_str(), a[2].as_str()) {
        let r = if once { s.replacen(from, to, 1) } else { s.replace(from, to) };
        return Ok(vm.str(&r));
    }
    if !a[1].is_kind(Kind::Regex) {
        return Err(vm.err(ErrKind::Argument, "Invalid match arg"));
    }
    let re = compiled(vm, a[1])?;
    let mut out = String::new();
    let mut last = 0;
    let mut at = 0;
    while at <= s.len() {
        let c = match re.captures_from_pos(s, at) {
            Ok(Some(c)) => c,
            Ok(None) => break,
            Err(_) => return Err(too_hard(vm)),
        };
        let m = c.get(0).expect("group 0");
        out.push_str(&s[last..m.start()]);
        if let Some(t) = a[2].as_str() {
            out.push_str(&expand_replacement(vm, &c, t)?);
        } else {
            let g = groups_value(vm, &c);
            let r = vm.call_out(a[2], &[g])?;
            let t = want_str(vm, r)?;
            out.push_str(t);
        }
        last = m.end();
        at =
            if m.end() > m.start() { m.end() } else { m.end() + s[m.end()..].chars().next().map_or(1, char::len_utf8) };
        if once {
            break;
        }
    }
    out.push_str(&s[last.min(s.len())..]);
    Ok(vm.str(&out))
}
/// (yin.rt/split s regex limit): as Java's String.split.
fn split(vm: &mut Vm, a: &[Value]) -> R {
    let s = want_str(vm, a[0])?;
    let re = compiled(vm, a[1])?;
    let limit = want_int(vm, a[2])?;
    let mut parts: Vec<&str> = Vec::new();
    let (mut last, mut at) = (0, 0);
    while at <= s.len() {
        if limit > 0 && parts.len() as i64 == limit - 1 {
            break;
        }
        let m = match re.find_from_pos(s, at) {
            Ok(Some(m)) => m,
            Ok(None) => break,
            Err(_) => return Err(too_hard(vm)),
        };
        if m.end() == m.start() {
            if m.start() >= s.len() {
                break;
            }
            at = m.start() + s[m.start()..].chars().next().map_or(1, char::len_utf8);
            if m.start() == 0 || m.start() == last && m.start() != 0 && m.start() < last {
                continue;
            }
            parts.push(&s[last..m.start()]);
            last = m.start();
            continue;
        }
        if !(m.start() == 0 && m.end() == 0) {
            parts.push(&s[last..m.start()]);
        }
        last = m.end();
        at = m.end();
    }
    parts.push(&s[last..]);
    if limit == 0 {
        while parts.len() > 1 && parts.last() == Some(&"") {
            parts.pop();
        }
    }
    let items: Vec<Value> = parts.into_iter().map(|p| vm.str(p)).collect();
    Ok(vector::of(vm, &items))
}

// ---- dates
/// `2024-01-15T00:00:00.000-00:00`
pub fn inst_text(ms: i64) -> String {
    let (days, t) = (ms.div_euclid(86_400_000), ms.rem_euclid(86_400_000));
    let (y, m, d) = civil(days);
    format!(
        "{y:04}-{m:02}-{d:02}T{:02}:{:02}:{:02}.{:03}-00:00",
        t / 3_600_000,
        t / 60_000 % 60,
        t / 1000 % 60,
        t % 1000
    )
}
/// Days since 1970-01-01 to year, month, day (Hinnant, chrono-compatible low-level date algorithms).
fn civil(z: i64) -> (i64, i64, i64) {
    let z = z + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let m = if mp < 10 { mp + 3 } else { mp - 9 };
    (yoe + era * 400 + (m <= 2) as i64, m, doy - (153 * mp + 2) / 5 + 1)
}
fn days(y: i64, m: i64, d: i64) -> i64 {
    let y = if m <= 2 { y - 1 } else { y };
    let era = y.div_euclid(400);
    let yoe = y.rem_euclid(400);
    let doy = (153 * (if m > 2 { m - 3 } else { m + 9 }) + 2) / 5 + d - 1;
    era * 146_097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719_468
}
/// Milliseconds of an `#inst` text.
pub fn parse_inst(s: &str) -> Option<i64> {
    let digits =
        |s: &str| if !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit()) { s.parse::<i64>().ok() } else { None };
    let (date, time) = s.split_once('T').unwrap_or((s, ""));
    let mut d = date.split('-');
    let y = digits(d.next()?)?;
    let m = d.next().map_or(Some(1), digits)?;
    let day = d.next().map_or(Some(1), digits)?;
    if d.next().is_some() || !(1..=12).contains(&m) || !(1..=31).contains(&day) {
        return None;
    }
    let (clock, offset) = match time.find(['Z', '+', '-']) {
        Some(i) => time.split_at(i),
        None => (time, ""),
    };
    let (hms, frac) = clock.split_once('.').unwrap_or((clock, ""));
    let mut t = hms.split(':').filter(|x| !x.is_empty()).map(digits);
    let (h, mi, sec) = (t.next().unwrap_or(Some(0))?, t.next().unwrap_or(Some(0))?, t.next().unwrap_or(Some(0))?);
    if h > 23 || mi > 59 || sec > 60 {
        return None;
    }
    let frac = digits(&format!("{frac:0<3}")[..3])?;
    let off = match offset.chars().next() {
        Some(c @ ('+' | '-')) => {
            let (oh, om) = offset[1..].split_once(':')?;
            let o = digits(oh)? * 60 + digits(om)?;
            if c == '-' { -o } else { o }
        }
        _ => 0,
    };
    Some(days(y, m, day) * 86_400_000 + h * 3_600_000 + (mi - off) * 60_000 + sec * 1000 + frac)
}
pub fn parse_uuid(s: &str) -> Option<(u64, u64)> {
    let groups: Vec<&str> = s.split('-').collect();
    let sizes = [8, 4, 4, 4, 12];
    if groups.len() != 5
        || !groups.iter().zip(sizes).all(|(g, n)| g.len() == n && g.bytes().all(|b| b.is_ascii_hexdigit()))
    {
        return None;
    }
    let n = u128::from_str_radix(&groups.concat(), 16).ok()?;
    Some(((n >> 64) as u64, n as u64))
}

// ---- sinks
/// Sinks of `yin.rt/write`: 1 = standard output, 2 = standard error, a Buffer = text in memory.
fn write(vm: &mut Vm, a: &[Value]) -> R {
    let s = want_str(vm, a[1])?;
    match (a[0].as_fix(), a[0].as_kind(Kind::Buffer)) {
        (Some(1), _) => vm.out.push_str(s),
        (Some(2), _) => {
            vm.flush_out();
            let _ = std::io::stderr().write_all(s.as_bytes());
        }
        (_, Some(b)) => match vm.buffers.get_mut(b.get(0).fix_get() as usize) {
            Some(text) => text.push_str(s),
            None => return Err(vm.err(ErrKind::State, "the buffer is closed")),
        },
        _ => return Err(coll::type_err(vm, a[0], "cannot write to")),
    }
    if vm.out.len() > 1 << 13 {
        vm.flush_out();
    }
    Ok(Value::NIL)
}
impl Vm {
    /// Writes out what programs printed. A broken pipe ends the program quietly.
    pub fn flush_out(&mut self) {
        if self.out.is_empty() || self.hold_output {
            return;
        }
        let mut o = std::io::stdout();
        if o.write_all(self.out.as_bytes()).and_then(|()| o.flush()).is_err() {
            self.broken_pipe = true;
        }
        self.out.clear();
    }
}

fn print_options(vm: &mut Vm, m: Value) -> R<Options> {
    let mut field = |name: &str| {
        let k = vm.keyword(name);
        coll::get(vm, m, k, Value::NIL)
    };
    let (r, l, v, n, meta) =
        (field("readably")?, field("length")?, field("level")?, field("namespace-maps")?, field("meta")?);
    Ok(Options {
        readably: r.truthy(),
        length: l.as_fix().map(|n| n.max(0) as usize),
        level: v.as_fix().map(|n| n.max(0) as usize),
        namespace_maps: n.truthy(),
        meta: meta.truthy(),
    })
}

macro_rules! fns {
    ($($name:ident |$vm:ident, $a:ident| $e:expr;)*) => {$(
        fn $name($vm: &mut Vm, $a: &[Value]) -> R { $e }
    )*};
}
fn case_map(vm: &mut Vm, v: Value, f: fn(&str) -> String) -> R {
    if v.is_nil() {
        return Err(coll::type_err(vm, v, "a string is needed, not"));
    }
    if v.is_nil() {
        return Err(coll::type_err(vm, v, "a string is needed, not"));
    }
    let s = print::str_of(vm, v)?;
    let r = f(&s);
    Ok(vm.str(&r))
}
fn want_char(vm: &mut Vm, v: Value) -> R<char> {
    match v.as_char() {
        Some(c) => Ok(c),
        None => match as_long(v).and_then(|n| u32::try_from(n).ok()).and_then(char::from_u32) {
            Some(c) => Ok(c),
            None => Err(coll::type_err(vm, v, "a character is needed, not")),
        },
    }
}
fn name_id(vm: &mut Vm, v: Value) -> Option<u32> {
    v.as_keyword().or_else(|| vm.symbol_id(v))
}
fn opt_name<'a>(vm: &mut Vm, v: Value) -> R<&'a str> {
    if v.is_nil() { Ok("") } else { want_str(vm, v) }
}
/// The name that makes a symbol or keyword of one or two parts.
fn two_part(vm: &mut Vm, a: &[Value]) -> R<String> {
    if a.len() == 1 {
        return match name_id(vm, a[0]) {
            Some(id) => Ok(vm.names.text(id).to_string()),
            None if a[0].is_kind(Kind::Var) => {
                let s = print::pr_str(vm, a[0])?;
                Ok(s[2..].to_string())
            }
            None => match a[0].as_str() {
                Some(s) => Ok(s.to_string()),
                None => Err(vm.err(ErrKind::Argument, "no conversion to symbol")),
            },
        };
    }
    let (ns, n) = (opt_name(vm, a[0])?, want_str(vm, a[1])?);
    Ok(if ns.is_empty() { n.to_string() } else { format!("{ns}/{n}") })
}
const JAVA_SPACE: [char; 10] = [' ', '\t', '\n', '\r', '\x0b', '\x0c', '\x1c', '\x1d', '\x1e', '\x1f'];
fn is_space(c: char) -> bool {
    JAVA_SPACE.contains(&c) || (c.is_whitespace() && c != '\u{a0}' && c != '\u{2007}' && c != '\u{202f}')
}
fns! {
    p_str |vm, a| {
        if a.len() == 1 && a[0].as_str().is_some() { return Ok(a[0]); }
        let mut out = String::new();
        for v in a {
            match v.as_str() { Some(s) => out.push_str(s), None => { let s = print::str_of(vm, *v)?; out.push_str(&s) } }
        }
        Ok(vm.str(&out))
    };
    subs |vm, a| {
        let from = want_int(vm, a[1])?;
        let to = match a.get(2) { Some(v) => Some(want_int(vm, *v)?), None => None };
        substring(vm, a[0], from, to)
    };
    p_pr_str |vm, a| {
        let mut out = String::new();
        for (i, v) in a.iter().enumerate() { if i > 0 { out.push(' '); } out.push_str(&print::pr_str(vm, *v)?); }
        Ok(vm.str(&out))
    };
    text_with |vm, a| { let o = print_options(vm, a[0])?; let s = print::text(vm, a[1], o)?; Ok(vm.str(&s)) };
    print_str |vm, a| { let s = print::text(vm, a[0], Options { readably: false, ..Options::default() })?; Ok(vm.str(&s)) };
    upper |vm, a| case_map(vm, a[0], |s| s.to_uppercase());
    lower |vm, a| case_map(vm, a[0], |s| s.to_lowercase());
    capitalize |vm, a| case_map(vm, a[0], |s| { let mut c = s.chars(); match c.next() { Some(f) => f.to_uppercase().chain(c.as_str().to_lowercase().chars()).collect(), None => String::new() } });
    trim |vm, a| { let s = want_str(vm, a[0])?; Ok(vm.str(s.trim_matches(is_space))) };
    triml |vm, a| { let s = want_str(vm, a[0])?; Ok(vm.str(s.trim_start_matches(is_space))) };
    trimr |vm, a| { let s = want_str(vm, a[0])?; Ok(vm.str(s.trim_end_matches(is_space))) };
    trim_newline |vm, a| { let s = want_str(vm, a[0])?; Ok(vm.str(s.trim_end_matches(['\n', '\r']))) };
    blank |vm, a| { if a[0].is_nil() { return Ok(Value::TRUE); } let s = want_str(vm, a[0])?; Ok(Value::bool(s.chars().all(is_space))) };
    reverse |vm, a| { let s = want_str(vm, a[0])?; let r: String = s.chars().rev().collect(); Ok(vm.str(&r)) };
    starts |vm, a| { let (s, t) = (want_str(vm, a[0])?, want_str(vm, a[1])?); Ok(Value::bool(s.starts_with(t))) };
    ends |vm, a| { let (s, t) = (want_str(vm, a[0])?, want_str(vm, a[1])?); Ok(Value::bool(s.ends_with(t))) };
    includes |vm, a| { let (s, t) = (want_str(vm, a[0])?, want_str(vm, a[1])?); Ok(Value::bool(s.contains(t))) };
    index_of |vm, a| {
        let s = want_str(vm, a[0])?;
        let t = match a[1].as_char() { Some(c) => c.to_string(), None => want_str(vm, a[1])?.to_string() };
        let from = match a.get(2) { Some(v) => want_int(vm, *v)?.max(0) as usize, None => 0 };
        let n = a[0].str_chars().unwrap_or(0);
        let Some(b) = byte_at(s, n, from.min(n)) else { return Ok(Value::NIL) };
        Ok(s[b..].find(&t).map_or(Value::NIL, |i| Value::fix(char_index(s, b + i))))
    };
    last_index_of |vm, a| {
        let s = want_str(vm, a[0])?;
        let t = match a[1].as_char() { Some(c) => c.to_string(), None => want_str(vm, a[1])?.to_string() };
        let n = a[0].str_chars().unwrap_or(0);
        let end = match a.get(2) { Some(v) => { let i = want_int(vm, *v)?; if i < 0 { return Ok(Value::NIL); } let c = (i as usize + t.chars().count()).min(n); byte_at(s, n, c).unwrap_or(s.len()) } None => s.len() };
        Ok(s[..end].rfind(&t).map_or(Value::NIL, |i| Value::fix(char_index(s, i))))
    };
    split_lines |vm, a| {
        let s = want_str(vm, a[0])?;
        let mut parts: Vec<&str> = s.split('\n').map(|l| l.strip_suffix('\r').unwrap_or(l)).collect();
        while parts.len() > 1 && parts.last() == Some(&"") { parts.pop(); }
        let items: Vec<Value> = parts.into_iter().map(|p| vm.str(p)).collect();
        Ok(vector::of(vm, &items))
    };
    join |vm, a| {
        let sep = print::str_of(vm, a[0])?;
        let mut out = String::new();
        for (i, v) in coll::spread(vm, a[1], usize::MAX)?.into_iter().enumerate() {
            if i > 0 { out.push_str(&sep); }
            out.push_str(&print::str_of(vm, v)?);
        }
        Ok(vm.str(&out))
    };
    quote_replacement |vm, a| { let s = want_str(vm, a[0])?; let r = s.replace('\\', "\\\\").replace('$', "\\$"); Ok(vm.str(&r)) };
    re_pattern |vm, a| if a[0].is_kind(Kind::Regex) { Ok(a[0]) } else { let s = want_str(vm, a[0])?; regex(vm, s) };
    re_quote |vm, a| { let s = want_str(vm, a[0])?; Ok(vm.str(&format!("\\Q{s}\\E"))) };
    re_matcher |vm, a| { compiled(vm, a[0])?; want_str(vm, a[1])?; Ok(vm.alloc(Kind::Matcher, &[a[0], a[1], Value::ZERO, Value::NIL])) };
    re_groups |vm, a| match a[0].as_kind(Kind::Matcher) { Some(m) if !m.get(3).is_nil() => Ok(m.get(3)), _ => Err(vm.err(ErrKind::State, "No match found")) };
    keyword |vm, a| { if a.len() == 1 && (a[0].is_keyword() || !(a[0].as_str().is_some() || name_id(vm, a[0]).is_some())) { return Ok(if a[0].is_keyword() { a[0] } else { Value::NIL }); } let t = two_part(vm, a)?; Ok(vm.keyword(&t)) };
    symbol |vm, a| { let t = two_part(vm, a)?; if a.len() == 1 && vm.symbol_id(a[0]).is_some() { return Ok(a[0]); } Ok(vm.symbol(&t)) };
    name |vm, a| match name_id(vm, a[0]) { Some(id) => { let t = vm.names.name(id).to_string(); Ok(vm.str(&t)) } None => { want_str(vm, a[0])?; Ok(a[0]) } };
    namespace |vm, a| match name_id(vm, a[0]) { Some(id) => match vm.names.ns(id).map(String::from) { Some(t) => Ok(vm.str(&t)), None => Ok(Value::NIL) }, None => Err(coll::type_err(vm, a[0], "has no namespace")) };
    gensym |vm, a| { let p = match a.first() { Some(v) => print::str_of(vm, *v)?, None => "G__".into() }; vm.gensym += 1; let t = format!("{p}{}", vm.gensym); Ok(vm.symbol(&t)) };
    p_char |vm, a| match a[0].as_char() { Some(_) => Ok(a[0]), None => match num::number(a[0]) { Some(_) => { let n = num::to_long(vm, a[0])?; match as_long(n).and_then(|n| u32::try_from(n).ok()).filter(|n| *n < 0x10000).and_then(char::from_u32) { Some(c) => Ok(Value::char(c)), None => { let s = print::str_of(vm, a[0])?; Err(vm.err(ErrKind::Argument, format!("Value out of range for char: {s}"))) } } } None => Err(coll::type_err(vm, a[0], "cannot be cast to a character")) } };
    char_p |_vm, a| Ok(Value::bool(a[0].is_char()));
    string_p |_vm, a| Ok(Value::bool(a[0].as_str().is_some()));
    keyword_p |_vm, a| Ok(Value::bool(a[0].is_keyword()));
    symbol_p |vm, a| Ok(Value::bool(vm.symbol_id(a[0]).is_some()));
    regex_p |_vm, a| Ok(Value::bool(a[0].is_kind(Kind::Regex)));
    char_digit |vm, a| { let c = want_char(vm, a[0])?; Ok(Value::bool(c.is_numeric() && c.is_ascii_digit() || c.is_ascii_digit())) };
    char_letter |vm, a| { let c = want_char(vm, a[0])?; Ok(Value::bool(c.is_alphabetic())) };
    char_alnum |vm, a| { let c = want_char(vm, a[0])?; Ok(Value::bool(c.is_alphanumeric())) };
    char_space |vm, a| { let c = want_char(vm, a[0])?; Ok(Value::bool(is_space(c))) };
    char_upper |vm, a| { let c = want_char(vm, a[0])?; Ok(Value::bool(c.is_uppercase())) };
    char_lower |vm, a| { let c = want_char(vm, a[0])?; Ok(Value::bool(c.is_lowercase())) };
    char_to_upper |vm, a| { let c = want_char(vm, a[0])?; Ok(Value::char(c.to_uppercase().next().unwrap_or(c))) };
    char_to_lower |vm, a| { let c = want_char(vm, a[0])?; Ok(Value::char(c.to_lowercase().next().unwrap_or(c))) };
    char_num |vm, a| { let c = want_char(vm, a[0])?; Ok(Value::fix(c.to_digit(36).map_or(-1, |d| d as i64))) };
    char_digit_radix |vm, a| { let (c, r) = (want_char(vm, a[0])?, want_int(vm, a[1])?); Ok(Value::fix(if (2..=36).contains(&r) { c.to_digit(r as u32).map_or(-1, |d| d as i64) } else { -1 })) };
    parse_long |vm, a| { let s = want_str(vm, a[0])?; Ok(match s.parse::<i64>() { Ok(n) if !s.is_empty() => vm.int(n), _ => Value::NIL }) };
    parse_double |vm, a| { let s = want_str(vm, a[0])?; Ok(double_of(s).map_or(Value::NIL, |x| vm.float(x))) };
    parse_boolean |vm, a| { let s = want_str(vm, a[0])?; Ok(match s { "true" => Value::TRUE, "false" => Value::FALSE, _ => Value::NIL }) };
    parse_uuid_p |vm, a| { let s = want_str(vm, a[0])?; Ok(match parse_uuid(s) { Some((h, l)) => vm.alloc(Kind::Uuid, &[Value::from_bits(h), Value::from_bits(l)]), None => Value::NIL }) };
    int_of |vm, a| {
        let s = want_str(vm, a[0])?;
        let radix = match a.get(1) { Some(r) => want_int(vm, *r)? as u32, None => 10 };
        match i64::from_str_radix(s, radix.clamp(2, 36)) { Ok(n) => Ok(vm.int(n)), Err(_) => Err(vm.err(ErrKind::Parse, format!("For input string: \"{s}\""))) }
    };
    dbl_of |vm, a| { let s = want_str(vm, a[0])?; match double_of(s.trim()) { Some(x) => Ok(vm.float(x)), None => Err(vm.err(ErrKind::Parse, format!("For input string: \"{s}\""))) } };
    radix_text |vm, a| { let (n, r) = (want_int(vm, a[0])?, want_int(vm, a[1])?); let t = radix_str(n, r.clamp(2, 36) as u32); Ok(vm.str(&t)) };
    bits_text |vm, a| { let (n, r) = (want_int(vm, a[0])?, want_int(vm, a[1])?); let t = match r { 2 => format!("{n:b}"), 8 => format!("{n:o}"), _ => format!("{n:x}") }; Ok(vm.str(&t)) };
    random_uuid |vm, _a| { let (h, l) = (vm.random(), vm.random()); Ok(vm.alloc(Kind::Uuid, &[Value::from_bits(h & !0xF000 | 0x4000), Value::from_bits(l & !(3 << 62) | 2 << 62)])) };
    uuid_p |_vm, a| Ok(Value::bool(a[0].is_kind(Kind::Uuid)));
    inst_p |_vm, a| Ok(Value::bool(a[0].is_kind(Kind::Inst)));
    inst_iso |vm, a| match a[0].as_kind(Kind::Inst) { Some(o) => { let t = inst_text(o.raw(0) as i64); Ok(vm.str(&t.replace("-00:00", "Z").replace(".000Z", "Z"))) } None => Err(coll::type_err(vm, a[0], "not an instant")) };
    code_text |vm, a| { let n = want_int(vm, a[0])?; let s = u32::try_from(n).ok().and_then(char::from_u32).map_or("\u{fffd}".to_string(), |c| c.to_string()); Ok(vm.str(&s)) };
    inst_ms |vm, a| match a[0].as_kind(Kind::Inst) { Some(o) => Ok(vm.int(o.raw(0) as i64)), None => Err(coll::type_err(vm, a[0], "not an instant")) };
    inst |vm, a| { let s = want_str(vm, a[0])?; match parse_inst(s) { Some(ms) => Ok(vm.alloc(Kind::Inst, &[Value::from_bits(ms as u64)])), None => Err(vm.err(ErrKind::Read, format!("Unrecognized date/time syntax: {s}"))) } };
    rand |vm, _a| { let x = (vm.random() >> 11) as f64 / (1u64 << 53) as f64; Ok(vm.float(x)) };
    rand_int |vm, a| { let n = num::to_long(vm, a[0])?; let n = as_long(n).unwrap_or(1); if n <= 0 { return Ok(Value::ZERO); } let r = ((vm.random() as u128 * n as u128) >> 64) as i64; Ok(vm.int(r)) };
    nano_time |vm, _a| { let n = vm.nano_time(); Ok(vm.int(n)) };
    millis |vm, _a| { let n = vm.millis(); Ok(vm.int(n)) };
    p_exit |vm, a| { let code = match a.first() { Some(v) => want_int(vm, *v)? as i32, None => 0 }; vm.pending.stop = Stop::Exit(code); Err(Exit::Stop) };
    getenv |vm, a| match a.first() { Some(v) => { let k = want_str(vm, *v)?; match std::env::var(k) { Ok(s) => Ok(vm.str(&s)), Err(_) => Ok(Value::NIL) } } None => { let mut m = super::hamt::empty(vm); for (k, v) in std::env::vars() { let (k, v) = (vm.str(&k), vm.str(&v)); m = coll::assoc(vm, m, k, v)?; } Ok(m) } };
    buffer |vm, _a| { vm.buffers.push(String::new()); let i = vm.buffers.len() as i64 - 1; Ok(vm.alloc(Kind::Buffer, &[Value::fix(i)])) };
    flush |vm, _a| { vm.flush_out(); Ok(Value::NIL) };
    slurp |vm, a| { let p = want_str(vm, a[0])?; match std::fs::read(p) { Ok(b) => { let s = String::from_utf8_lossy(&b).into_owned(); Ok(vm.str(&s)) } Err(e) => Err(io_err(vm, p, e)) } };
    spit |vm, a| {
        let (p, s) = (want_str(vm, a[0])?, want_str(vm, a[1])?);
        let r = std::fs::OpenOptions::new().create(true).write(true).append(a[2].truthy()).truncate(!a[2].truthy()).open(p).and_then(|mut f| f.write_all(s.as_bytes()));
        match r { Ok(()) => Ok(Value::NIL), Err(e) => Err(io_err(vm, p, e)) }
    };
    file_info |vm, a| {
        let p = want_str(vm, a[0])?;
        let k = a[1].as_keyword().map_or(String::new(), |k| vm.names.text(k).to_string());
        let m = std::fs::metadata(p);
        Ok(match (k.as_str(), m) { ("exists", m) => Value::bool(m.is_ok()), ("dir", m) => Value::bool(m.is_ok_and(|m| m.is_dir())), ("file", m) => Value::bool(m.is_ok_and(|m| m.is_file())), ("size", Ok(m)) => vm.int(m.len() as i64), ("size", Err(_)) => Value::ZERO, _ => Value::NIL })
    };
    file_op |vm, a| {
        let p = want_str(vm, a[1])?;
        let k = a[0].as_keyword().map_or(String::new(), |k| vm.names.text(k).to_string());
        let r = match k.as_str() { "delete" => if std::fs::metadata(p).is_ok_and(|m| m.is_dir()) { std::fs::remove_dir(p) } else { std::fs::remove_file(p) }, "mkdirs" => std::fs::create_dir_all(p), _ => Ok(()) };
        match r { Ok(()) => Ok(Value::TRUE), Err(e) => if a.get(2).is_some_and(|v| v.truthy()) { Ok(Value::FALSE) } else { Err(io_err(vm, p, e)) } }
    };
    list_dir |vm, a| { let p = want_str(vm, a[0])?; let mut names: Vec<String> = match std::fs::read_dir(p) { Ok(d) => d.flatten().map(|e| e.file_name().to_string_lossy().into_owned()).collect(), Err(e) => return Err(io_err(vm, p, e)) }; names.sort(); let items: Vec<Value> = names.iter().map(|n| vm.str(n)).collect(); Ok(vector::of(vm, &items)) };
    read_line |vm, _a| { vm.flush_out(); let mut s = String::new(); match std::io::stdin().read_line(&mut s) { Ok(0) | Err(_) => Ok(Value::NIL), Ok(_) => { let t = s.trim_end_matches(['\n', '\r']).to_string(); Ok(vm.str(&t)) } } };
    sleep |vm, a| { let n = want_int(vm, a[0])?; vm.flush_out(); vm.pause(n.clamp(0, 1 << 40) as u64); Ok(Value::NIL) };
}
fn radix_str(n: i64, r: u32) -> String {
    let mut m = n.unsigned_abs();
    let mut d = Vec::new();
    while m > 0 || d.is_empty() {
        d.push(char::from_digit((m % r as u64) as u32, r).unwrap_or('0'));
        m /= r as u64;
    }
    if n < 0 {
        d.push('-');
    }
    d.iter().rev().collect()
}
fn double_of(s: &str) -> Option<f64> {
    match s {
        "NaN" => Some(f64::NAN),
        "Infinity" | "+Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        _ if s.bytes().any(|b| b.is_ascii_digit())
            && s.bytes().all(|b| matches!(b, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-')) =>
        {
            s.parse().ok()
        }
        _ => None,
    }
}
fn io_err(vm: &mut Vm, path: &str, e: std::io::Error) -> Exit {
    let class =
        if e.kind() == std::io::ErrorKind::NotFound { "java.io.FileNotFoundException" } else { "java.io.IOException" };
    let class = vm.symbol(class);
    let what =
        if e.kind() == std::io::ErrorKind::NotFound { "No such file or directory".to_string() } else { e.to_string() };
    vm.err_of("io", class, &format!("{path} ({what})"))
}

macro_rules! rows {
    ($($name:literal $min:tt $max:tt $flags:tt $f:ident $doc:literal;)*) => { &[$(prim($name, $min, $max, $flags, $f, $doc),)*] };
}
pub const TABLE: &[PrimDef] = rows! {
    "clojure.core/str" 0 MANY PURE p_str "Text of the arguments, joined.";
    "clojure.core/subs" 2 3 PURE subs "Part of a string.";
    "yin.rt/pr-str" 0 MANY 0 p_pr_str "Readable text of the arguments.";
    "yin.rt/text" 2 2 0 text_with "Text of x with printing options.";
    "yin.rt/print-str" 1 1 0 print_str "Text of x for people.";
    "clojure.string/upper-case" 1 1 PURE upper "In upper case.";
    "clojure.string/lower-case" 1 1 PURE lower "In lower case.";
    "clojure.string/capitalize" 1 1 PURE capitalize "First character in upper case, the rest in lower case.";
    "clojure.string/trim" 1 1 PURE trim "Without white space at both ends.";
    "clojure.string/triml" 1 1 PURE triml "Without white space in front.";
    "clojure.string/trimr" 1 1 PURE trimr "Without white space behind.";
    "clojure.string/trim-newline" 1 1 PURE trim_newline "Without newlines behind.";
    "clojure.string/blank?" 1 1 PURE blank "Nil, empty or white space only?";
    "clojure.string/reverse" 1 1 PURE reverse "The characters backwards.";
    "clojure.string/starts-with?" 2 2 PURE starts "Does s start with t?";
    "clojure.string/ends-with?" 2 2 PURE ends "Does s end with t?";
    "clojure.string/includes?" 2 2 PURE includes "Does s contain t?";
    "clojure.string/index-of" 2 3 PURE index_of "Index of the first t in s, or nil.";
    "clojure.string/last-index-of" 2 3 PURE last_index_of "Index of the last t in s, or nil.";
    "clojure.string/split-lines" 1 1 PURE split_lines "The lines of s.";
    "yin.rt/join" 2 2 0 join "Texts of a realised collection, with a separator.";
    "yin.rt/replace" 4 4 0 replace "Replaces matches in s.";
    "yin.rt/split" 3 3 PURE split "Splits s at a regex.";
    "clojure.string/re-quote-replacement" 1 1 PURE quote_replacement "A replacement that means itself.";
    "clojure.core/re-pattern" 1 1 PURE re_pattern "The regex of a text.";
    "yin.rt/re-quote" 1 1 PURE re_quote "A pattern that matches the text itself.";
    "clojure.core/re-matcher" 2 2 0 re_matcher "A matcher of a regex over a string.";
    "clojure.core/re-groups" 1 1 0 re_groups "Groups of the last match.";
    "clojure.core/re-find" 1 2 0 re_find "The next match.";
    "clojure.core/re-matches" 2 2 PURE re_matches "The match of the whole string.";
    "yin.rt/re-all" 2 2 PURE re_all "Every match.";
    "clojure.core/keyword" 1 2 PURE keyword "The keyword of a name.";
    "clojure.core/symbol" 1 2 PURE symbol "The symbol of a name.";
    "clojure.core/name" 1 1 PURE name "Name of a keyword, symbol or string.";
    "clojure.core/namespace" 1 1 PURE namespace "Namespace of a keyword or symbol.";
    "clojure.core/gensym" 0 1 0 gensym "A new symbol.";
    "clojure.core/char" 1 1 PURE p_char "The character of a code.";
    "clojure.core/char?" 1 1 PURE char_p "Is it a character?";
    "clojure.core/string?" 1 1 PURE string_p "Is it a string?";
    "clojure.core/keyword?" 1 1 PURE keyword_p "Is it a keyword?";
    "clojure.core/symbol?" 1 1 PURE symbol_p "Is it a symbol?";
    "yin.rt/regex?" 1 1 PURE regex_p "Is it a regex?";
    "Character/isDigit" 1 1 PURE char_digit "Is it a digit?";
    "Character/isLetter" 1 1 PURE char_letter "Is it a letter?";
    "Character/isLetterOrDigit" 1 1 PURE char_alnum "Is it a letter or digit?";
    "Character/isAlphabetic" 1 1 PURE char_letter "Is it alphabetic?";
    "Character/isWhitespace" 1 1 PURE char_space "Is it white space?";
    "Character/isUpperCase" 1 1 PURE char_upper "Is it upper case?";
    "Character/isLowerCase" 1 1 PURE char_lower "Is it lower case?";
    "Character/toUpperCase" 1 1 PURE char_to_upper "In upper case.";
    "Character/toLowerCase" 1 1 PURE char_to_lower "In lower case.";
    "Character/getNumericValue" 1 1 PURE char_num "Value of a digit or letter.";
    "Character/digit" 2 2 PURE char_digit_radix "Value of a digit in a radix.";
    "clojure.core/parse-long" 1 1 PURE parse_long "The long a text spells, or nil.";
    "clojure.core/parse-double" 1 1 PURE parse_double "The double a text spells, or nil.";
    "clojure.core/parse-boolean" 1 1 PURE parse_boolean "The boolean a text spells, or nil.";
    "clojure.core/parse-uuid" 1 1 PURE parse_uuid_p "The UUID a text spells, or nil.";
    "Long/parseLong" 1 2 PURE int_of "The long a text spells.";
    "Double/parseDouble" 1 1 PURE dbl_of "The double a text spells.";
    "Float/parseFloat" 1 1 PURE dbl_of "The float a text spells.";
    "yin.rt/radix-text" 2 2 PURE radix_text "Text of a long in a radix.";
    "yin.rt/bits-text" 2 2 PURE bits_text "Text of a long's bits.";
    "clojure.core/random-uuid" 0 0 0 random_uuid "A random UUID.";
    "clojure.core/uuid?" 1 1 PURE uuid_p "Is it a UUID?";
    "clojure.core/inst?" 1 1 PURE inst_p "Is it an instant?";
    "clojure.core/inst-ms" 1 1 PURE inst_ms "Milliseconds since the epoch.";
    "yin.rt/inst-iso" 1 1 PURE inst_iso "ISO text of an instant.";
    "yin.rt/code-text" 1 1 PURE code_text "The string of a code point.";
    "yin.rt/inst" 1 1 PURE inst "The instant a text spells.";
    "yin.rt/rand" 0 0 0 rand "A random double below 1.";
    "clojure.core/rand-int" 1 1 0 rand_int "A random integer below n.";
    "System/nanoTime" 0 0 0 nano_time "Nanoseconds since some moment.";
    "System/currentTimeMillis" 0 0 0 millis "Milliseconds since the epoch.";
    "System/exit" 0 1 0 p_exit "Ends the program.";
    "System/getenv" 0 1 0 getenv "An environment variable, or all.";
    "yin.rt/buffer" 0 0 0 buffer "A text sink in memory.";
    "yin.rt/write" 2 2 0 write "Writes text to a sink.";
    "yin.rt/flush" 0 0 0 flush "Writes out standard output.";
    "yin.rt/slurp" 1 1 0 slurp "Text of a file.";
    "yin.rt/spit" 3 3 0 spit "Writes a file.";
    "yin.rt/file-info" 2 2 0 file_info "What is known of a file.";
    "yin.rt/file-op" 2 3 0 file_op "Deletes or makes files.";
    "yin.rt/list-dir" 1 1 0 list_dir "Names in a directory.";
    "yin.rt/read-line" 0 0 0 read_line "A line of standard input.";
    "yin.rt/sleep" 1 1 0 sleep "Waits some milliseconds.";
};
