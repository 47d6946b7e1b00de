//! Methods of values by name: those of program types from their method tables, those of strings here, all others from the
//! Clojure part of the library (`clojure.core/-method`).

use super::num::as_long;
use super::text::{substring, want_str};
use super::{MANY, PURE, PrimDef, R, coll, prim, print, types, vector};
use crate::layout::{Kind, slot};
use crate::machine::{ErrKind, Exit, Vm};
use crate::value::{Obj, Value};

/// Field `name` of an instance or record.
fn field(vm: &mut Vm, o: Obj, name: &str) -> Option<Value> {
    let fields = o.get(0).obj()?.get(1).obj()?;
    let first = if o.kind() == Kind::Record { 3 } else { 1 };
    let id = vm.names.intern(name);
    (0..vector::count(fields))
        .find(|&i| vector::get(fields, i).and_then(|f| vm.symbol_id(f)) == Some(id))
        .map(|i| o.get(first + i))
}
fn missing(vm: &mut Vm, target: Value, name: &str, n: usize) -> Exit {
    let t = coll::type_name(vm, target);
    vm.err(ErrKind::NoMethod, format!("No matching method {name} found taking {n} args for class {t}"))
}
/// Character `i` of a string.
fn char_at(vm: &mut Vm, s: Value, i: Value) -> R {
    let n = as_long(i).unwrap_or(-1);
    match if n >= 0 { coll::char_at(s, n as usize) } else { None } {
        Some(c) => Ok(Value::char(c)),
        None => {
            let class = vm.symbol("java.lang.StringIndexOutOfBoundsException");
            Err(vm.err_of("index", class, &format!("String index out of range: {n}")))
        }
    }
}
fn needle(vm: &mut Vm, v: Value) -> R<String> {
    if let Some(c) = v.as_char() {
        return Ok(c.to_string());
    }
    match as_long(v).and_then(|n| u32::try_from(n).ok()).and_then(char::from_u32) {
        Some(c) => Ok(c.to_string()),
        None => Ok(want_str(vm, v)?.to_string()),
    }
}
fn chars_in(s: &str) -> i64 {
    if s.is_ascii() { s.len() as i64 } else { s.chars().count() as i64 }
}
/// Methods of strings; None for one that is not here.
fn text_method(vm: &mut Vm, v: Value, name: &str, a: &[Value]) -> R<Option<Value>> {
    let s = want_str(vm, v)?;
    Ok(Some(match (name, a) {
        ("length", []) => Value::fix(v.str_chars().unwrap_or(0) as i64),
        ("charAt", [i]) => char_at(vm, v, *i)?,
        ("isEmpty", []) => Value::bool(s.is_empty()),
        ("isBlank", []) => Value::bool(s.trim().is_empty()),
        ("substring" | "subSequence", [from, ..]) if a.len() < 3 => {
            let (f, t) = (as_long(*from), a.get(1).map(|t| as_long(*t)));
            match (f, t) {
                (Some(f), None) => substring(vm, v, f, None)?,
                (Some(f), Some(Some(t))) => substring(vm, v, f, Some(t))?,
                _ => return Err(coll::type_err(vm, *from, "an index must be an integer, not")),
            }
        }
        ("indexOf", [x, ..]) if a.len() < 3 => {
            let t = needle(vm, *x)?;
            let from = a.get(1).and_then(|v| as_long(*v)).unwrap_or(0).max(0) as usize;
            let at = if s.is_ascii() { Some(from) } else { s.char_indices().nth(from).map(|x| x.0) };
            match at.filter(|b| *b <= s.len()) {
                Some(b) => Value::fix(s[b..].find(&t).map_or(-1, |i| chars_in(&s[..b + i]))),
                None => Value::fix(-1),
            }
        }
        ("lastIndexOf", [x]) => {
            let t = needle(vm, *x)?;
            Value::fix(s.rfind(&t).map_or(-1, |i| chars_in(&s[..i])))
        }
        ("startsWith", [x]) => Value::bool(s.starts_with(want_str(vm, *x)?)),
        ("startsWith", [x, from]) => {
            let t = want_str(vm, *x)?;
            let from = as_long(*from).unwrap_or(-1);
            Value::bool(from >= 0 && s.chars().skip(from as usize).collect::<String>().starts_with(t))
        }
        ("endsWith", [x]) => Value::bool(s.ends_with(want_str(vm, *x)?)),
        ("contains", [x]) => {
            let t = print::str_of(vm, *x)?;
            Value::bool(s.contains(&t))
        }
        ("toUpperCase", [] | [_]) => vm.str(&s.to_uppercase()),
        ("toLowerCase", [] | [_]) => vm.str(&s.to_lowercase()),
        ("trim", []) => vm.str(s.trim_matches(|c| c <= ' ')),
        ("stripLeading", []) => vm.str(s.trim_start()),
        ("stripTrailing", []) => vm.str(s.trim_end()),
        ("repeat", [n]) => match as_long(*n) {
            Some(n) if n >= 0 && (n as usize).saturating_mul(s.len()) < 1 << 31 => vm.str(&s.repeat(n as usize)),
            _ => return Err(vm.err(ErrKind::Argument, "count is negative or too large")),
        },
        ("toString", []) => v,
        ("equals", [x]) => Value::bool(x.as_str() == Some(s)),
        ("hashCode", []) => {
            let h = s.encode_utf16().fold(0i32, |h, c| h.wrapping_mul(31).wrapping_add(c as i32));
            Value::fix(h as i64)
        }
        _ => return Ok(None),
    }))
}

/// `(yin.rt/invoke-method target 'name args…)`; a name that starts with `-` is a field.
fn invoke_method(vm: &mut Vm, a: &[Value]) -> R {
    let target = a[0];
    let Some(id) = vm.symbol_id(a[1]) else {
        return Err(coll::type_err(vm, a[1], "a method is named by a symbol, not"));
    };
    let name = vm.names.text(id).to_string();
    let bare = name.strip_prefix('-').unwrap_or(&name);
    if let Some(o) = target.obj().filter(|o| matches!(o.kind(), Kind::Instance | Kind::Record)) {
        // A field is read by its name if there is no argument.
        if a.len() == 2
            && let Some(v) = field(vm, o, bare)
        {
            return Ok(v);
        }
        if let Some(m) = types::method_of(vm, target, bare) {
            let mut args = vec![target];
            args.extend(&a[2..]);
            return vm.call_out(m, &args);
        }
        if o.kind() == Kind::Instance && !matches!(bare, "toString" | "hashCode" | "equals" | "getClass") {
            return Err(missing(vm, target, bare, a.len() - 2));
        }
    }
    if target.as_str().is_some()
        && let Some(v) = text_method(vm, target, bare, &a[2..])?
    {
        return Ok(v);
    }
    let f = vm.var("clojure.core/-method").get(slot::VAR_ROOT);
    let mut args = vec![target, vm.symbol(bare)];
    args.extend(&a[2..]);
    vm.call_out(f, &args)
}
fn upper(vm: &mut Vm, a: &[Value]) -> R {
    let s = want_str(vm, a[0])?;
    Ok(vm.str(&s.to_uppercase()))
}
fn lower(vm: &mut Vm, a: &[Value]) -> R {
    let s = want_str(vm, a[0])?;
    Ok(vm.str(&s.to_lowercase()))
}
fn trim(vm: &mut Vm, a: &[Value]) -> R {
    let s = want_str(vm, a[0])?;
    Ok(vm.str(s.trim()))
}
fn utf8_bytes(vm: &mut Vm, a: &[Value]) -> R {
    let s = want_str(vm, a[0])?;
    let o = vm.heap.alloc(Kind::PrimArray, coll::elem::BYTE, s.len());
    s.bytes().enumerate().for_each(|(i, b)| o.set_raw(i, b as i8 as i64 as u64));
    Ok(o.into())
}
fn utf8_text(vm: &mut Vm, a: &[Value]) -> R {
    match a[0].as_kind(Kind::PrimArray) {
        Some(o) => {
            let bytes: Vec<u8> = (0..o.len()).map(|i| o.raw(i) as u8).collect();
            Ok(vm.str(&String::from_utf8_lossy(&bytes)))
        }
        None => Err(coll::type_err(vm, a[0], "an array of bytes is needed, not")),
    }
}
/// System properties scripts ask for.
fn property(vm: &mut Vm, a: &[Value]) -> R {
    let k = want_str(vm, a[0])?;
    let dir = |p: std::io::Result<std::path::PathBuf>| p.ok().map(|p| p.display().to_string());
    let v = match k {
        "user.dir" => dir(std::env::current_dir()),
        "user.home" => std::env::var("HOME").ok(),
        "user.name" => std::env::var("USER").ok(),
        "java.io.tmpdir" => dir(Ok(std::env::temp_dir())),
        "line.separator" => Some("\n".into()),
        "file.separator" => Some("/".into()),
        "path.separator" => Some(":".into()),
        "file.encoding" => Some("UTF-8".into()),
        "os.name" => Some("Linux".into()),
        "os.arch" => Some(std::env::consts::ARCH.into()),
        _ => None,
    };
    Ok(v.map_or(Value::NIL, |s| vm.str(&s)))
}

pub const TABLE: &[PrimDef] = &[
    prim("yin.rt/invoke-method", 2, MANY, 0, invoke_method, "Calls a method of a value by name."),
    prim("yin.rt/upper-case", 1, 1, PURE, upper, "In upper case."),
    prim("yin.rt/lower-case", 1, 1, PURE, lower, "In lower case."),
    prim("yin.rt/trim", 1, 1, PURE, trim, "Without white space at both ends."),
    prim("yin.rt/utf8-bytes", 1, 1, 0, utf8_bytes, "The bytes of a string."),
    prim("yin.rt/utf8-text", 1, 1, 0, utf8_text, "The string of bytes."),
    prim("yin.rt/property", 1, 1, 0, property, "A property of the surroundings, or nil."),
];
