//! What all collections answer to: seq, first, count, get, conj, equality, hash, order. One function each, by kind.

use super::{R, hamt, num, sorted, types, vector};
use crate::layout::{Kind, slot};
use crate::machine::{ErrKind, Exit, Vm};
use crate::value::{Obj, Value};
use std::cmp::Ordering;

pub use super::types::{method_of, type_name};

// ---- small constructors
pub fn vector_of(vm: &mut Vm, items: &[Value]) -> Value {
    vector::of(vm, items)
}
pub fn vector_values(v: Value) -> Vec<Value> {
    v.as_kind(Kind::Vector).map_or(Vec::new(), vector::items)
}
/// A list of `items`; `()` if there are none.
pub fn list_of(vm: &mut Vm, items: &[Value]) -> Value {
    let mut l = vm.alloc(Kind::EmptyList, &[]);
    for (n, v) in items.iter().rev().enumerate() {
        l = vm.alloc(Kind::List, &[*v, l, Value::fix(n as i64 + 1)]);
    }
    l
}
/// What a rest parameter holds: nil or a list.
pub fn rest_list(vm: &mut Vm, items: &[Value]) -> Value {
    if items.is_empty() {
        return Value::NIL;
    }
    let node = vm.alloc(Kind::Node, items);
    vm.alloc(Kind::IndexedSeq, &[node, Value::ZERO])
}
pub fn seq_of_items(vm: &mut Vm, items: &[Value]) -> Value {
    rest_list(vm, items)
}
pub fn map_entry(vm: &mut Vm, k: Value, v: Value) -> Value {
    vm.alloc(Kind::MapEntry, &[k, v])
}
fn entries_seq(vm: &mut Vm, entries: Vec<(Value, Value)>) -> Value {
    let items: Vec<Value> = entries.into_iter().map(|(k, v)| map_entry(vm, k, v)).collect();
    seq_of_items(vm, &items)
}

#[cold]
pub fn type_err(vm: &mut Vm, v: Value, what: &str) -> Exit {
    let t = type_name(vm, v);
    vm.err(ErrKind::Type, format!("{what}: {t}"))
}
#[cold]
fn index_err(vm: &mut Vm, i: i64) -> Exit {
    vm.err(ErrKind::Index, format!("index {i} is out of bounds"))
}

// ---- classification
pub fn is_map(v: Value) -> bool {
    matches!(v.kind(), Some(Kind::ArrayMap | Kind::HashMap | Kind::SortedMap | Kind::Record))
}
pub fn is_set(v: Value) -> bool {
    matches!(v.kind(), Some(Kind::HashSet | Kind::SortedSet))
}
pub fn is_vector(v: Value) -> bool {
    matches!(v.kind(), Some(Kind::Vector | Kind::MapEntry))
}
pub fn is_seq(v: Value) -> bool {
    matches!(
        v.kind(),
        Some(
            Kind::EmptyList
                | Kind::List
                | Kind::Cons
                | Kind::LazySeq
                | Kind::IndexedSeq
                | Kind::ChunkedCons
                | Kind::Range
                | Kind::MapSeq
                | Kind::GenSeq
        )
    )
}
pub fn is_sequential(v: Value) -> bool {
    is_vector(v) || is_seq(v) || v.is_kind(Kind::Queue)
}
pub fn is_lookup(k: Kind) -> bool {
    use Kind::*;
    matches!(
        k,
        ArrayMap | HashMap | SortedMap | HashSet | SortedSet | Vector | MapEntry | SymbolMeta | Transient | Record
    )
}
fn is_hash_map(k: Kind) -> bool {
    matches!(k, Kind::ArrayMap | Kind::HashMap)
}

// ---- seqs
/// Elements of an indexed thing: vector, entry, node, string, array.
pub(crate) fn indexed_len(o: Obj) -> Option<usize> {
    match o.kind() {
        Kind::Vector => Some(vector::count(o)),
        Kind::MapEntry => Some(2),
        Kind::Node | Kind::Array | Kind::PrimArray => Some(o.len()),
        Kind::Str => Value::from(o).str_chars(),
        _ => None,
    }
}
fn indexed_at(vm: &mut Vm, o: Obj, i: usize) -> Value {
    match o.kind() {
        Kind::Vector => vector::get(o, i).unwrap_or(Value::NIL),
        Kind::Str => char_at(o.into(), i).map_or(Value::NIL, Value::char),
        Kind::PrimArray => array_get(vm, o, i),
        _ => o.get(i),
    }
}
/// Character `i` of a string. O(1) for ASCII, else O(i).
pub fn char_at(s: Value, i: usize) -> Option<char> {
    let text = s.as_str()?;
    if Some(text.len()) == s.str_chars() { text.as_bytes().get(i).map(|b| *b as char) } else { text.chars().nth(i) }
}

/// nil or a non-empty seq.
pub fn seq(vm: &mut Vm, v: Value) -> R {
    if v.is_nil() {
        return Ok(v);
    }
    let Some(o) = v.obj() else { return Err(not_seqable(vm, v)) };
    match o.kind() {
        Kind::List | Kind::Cons | Kind::IndexedSeq | Kind::ChunkedCons | Kind::Range => Ok(v),
        Kind::EmptyList => Ok(Value::NIL),
        Kind::LazySeq => {
            let inner = vm.force(v)?;
            seq(vm, inner)
        }
        Kind::Vector | Kind::MapEntry | Kind::Str | Kind::Array | Kind::PrimArray | Kind::Node => {
            if indexed_len(o) == Some(0) {
                return Ok(Value::NIL);
            }
            Ok(vm.alloc(Kind::IndexedSeq, &[v, Value::ZERO]))
        }
        Kind::ArrayMap | Kind::HashMap => Ok({
            let es = hamt::entries(vm, o);
            entries_seq(vm, es)
        }),
        Kind::SortedMap => Ok(entries_seq(vm, sorted::entries(o))),
        Kind::HashSet => {
            let items = hamt::keys(vm, o.get(0).obj().expect("a map"));
            Ok(seq_of_items(vm, &items))
        }
        Kind::SortedSet => {
            let items: Vec<Value> = sorted::entries(o.get(0).obj().expect("a map")).into_iter().map(|e| e.0).collect();
            Ok(seq_of_items(vm, &items))
        }
        Kind::Record => {
            let e = types::record_entries(vm, o);
            Ok(entries_seq(vm, e))
        }
        Kind::Queue => {
            let items = queue_items(vm, o)?;
            Ok(seq_of_items(vm, &items))
        }
        Kind::Instance => match method_of(vm, v, "seq") {
            Some(m) => vm.call_out(m, &[v]),
            None => Err(not_seqable(vm, v)),
        },
        _ => Err(not_seqable(vm, v)),
    }
}
#[cold]
fn not_seqable(vm: &mut Vm, v: Value) -> Exit {
    type_err(vm, v, "Don't know how to create ISeq from")
}
/// First element of a non-empty seq.
fn seq_first(vm: &mut Vm, s: Value) -> R {
    let Some(o) = s.obj() else { return Ok(Value::NIL) };
    match o.kind() {
        Kind::List | Kind::Cons => Ok(o.get(0)),
        Kind::IndexedSeq => {
            let back = o.get(0).obj().expect("indexed");
            Ok(indexed_at(vm, back, o.get(1).fix_get() as usize))
        }
        Kind::ChunkedCons => Ok(o.get(0).obj().expect("a chunk").get(o.get(1).fix_get() as usize)),
        Kind::Range => Ok(o.get(0)),
        Kind::Instance => match method_of(vm, s, "first") {
            Some(m) => vm.call_out(m, &[s]),
            None => Err(not_seqable(vm, s)),
        },
        _ => {
            let s = seq(vm, s)?;
            if s.is_nil() { Ok(s) } else { seq_first(vm, s) }
        }
    }
}
/// What follows the first element of a non-empty seq: any seqable, possibly unrealised.
fn seq_more(vm: &mut Vm, s: Value) -> R {
    let o = s.obj().expect("a seq");
    match o.kind() {
        Kind::List => Ok(o.get(1)),
        Kind::Cons => Ok(if o.get(1).is_nil() { empty_list(vm) } else { o.get(1) }),
        Kind::IndexedSeq => {
            let back = o.get(0);
            let i = o.get(1).fix_get() + 1;
            if i as usize >= indexed_len(back.obj().expect("indexed")).unwrap_or(0) {
                return Ok(empty_list(vm));
            }
            Ok(vm.alloc(Kind::IndexedSeq, &[back, Value::fix(i)]))
        }
        Kind::ChunkedCons => {
            let i = o.get(1).fix_get() + 1;
            if i as usize >= o.get(0).obj().expect("a chunk").len() {
                return Ok(if o.get(2).is_nil() { empty_list(vm) } else { o.get(2) });
            }
            Ok(vm.alloc(Kind::ChunkedCons, &[o.get(0), Value::fix(i), o.get(2)]))
        }
        Kind::Range => {
            let next = num::add_mode(vm, o.get(0), o.get(2), 1)?;
            Ok(range(vm, next, o.get(1), o.get(2))?)
        }
        Kind::Instance => match method_of(vm, s, "more").or(method_of(vm, s, "next")) {
            Some(m) => vm.call_out(m, &[s]),
            None => Err(not_seqable(vm, s)),
        },
        _ => {
            let s = seq(vm, s)?;
            if s.is_nil() { Ok(empty_list(vm)) } else { seq_more(vm, s) }
        }
    }
}
pub fn empty_list(vm: &mut Vm) -> Value {
    vm.alloc(Kind::EmptyList, &[])
}
/// The range from `start` while before `end` (ABSENT = for ever): a Range, or `()`.
pub fn range(vm: &mut Vm, start: Value, end: Value, step: Value) -> R {
    if end != Value::ABSENT {
        let up = num::gt(vm, step, Value::ZERO)?;
        let down = num::lt(vm, step, Value::ZERO)?;
        let over = (up && num::ge(vm, start, end)?) || (down && num::le(vm, start, end)?);
        if over || (!up && !down && num::num_eq(vm, start, end)?) {
            return Ok(empty_list(vm));
        }
    }
    Ok(vm.alloc(Kind::Range, &[start, end, step]))
}
pub fn first(vm: &mut Vm, v: Value) -> R {
    let s = seq(vm, v)?;
    if s.is_nil() { Ok(s) } else { seq_first(vm, s) }
}
pub fn rest(vm: &mut Vm, v: Value) -> R {
    let s = seq(vm, v)?;
    if s.is_nil() { Ok(empty_list(vm)) } else { seq_more(vm, s) }
}
pub fn next(vm: &mut Vm, v: Value) -> R {
    let s = seq(vm, v)?;
    if s.is_nil() {
        return Ok(s);
    }
    let more = seq_more(vm, s)?;
    seq(vm, more)
}
pub fn cons(vm: &mut Vm, x: Value, s: Value) -> R {
    match s.obj() {
        None if s.is_nil() => {
            let e = empty_list(vm);
            Ok(vm.alloc(Kind::List, &[x, e, Value::fix(1)]))
        }
        Some(_) if is_seq(s) => Ok(vm.alloc(Kind::Cons, &[x, s])),
        _ => {
            let s = seq(vm, s)?;
            Ok(vm.alloc(Kind::Cons, &[x, s]))
        }
    }
}
/// The elements of a finite collection whose lazy parts are realised; asks for realisation otherwise.
/// Fails beyond `limit` elements.
pub fn spread(vm: &mut Vm, v: Value, limit: usize) -> R<Vec<Value>> {
    let mut out = Vec::new();
    let mut s = v;
    loop {
        match s.obj() {
            None if s.is_nil() => return Ok(out),
            None => return Err(not_seqable(vm, s)),
            Some(o) => match o.kind() {
                Kind::EmptyList => return Ok(out),
                Kind::Vector => {
                    out.extend(vector::items(o));
                    return Ok(out);
                }
                Kind::IndexedSeq => {
                    let back = o.get(0).obj().expect("indexed");
                    let from = o.get(1).fix_get() as usize;
                    if back.kind() == Kind::Node {
                        out.extend_from_slice(&back.words()[from..]);
                    } else {
                        for i in from..indexed_len(back).unwrap_or(0) {
                            out.push(indexed_at(vm, back, i));
                        }
                    }
                    return Ok(out);
                }
                Kind::List | Kind::Cons => {
                    out.push(o.get(0));
                    s = o.get(1);
                }
                Kind::LazySeq => s = vm.force(s)?,
                Kind::ChunkedCons | Kind::Range => {
                    out.push(seq_first(vm, s)?);
                    s = seq_more(vm, s)?;
                }
                _ => {
                    s = seq(vm, s)?;
                    if s.obj().is_some_and(|o| o.kind() == Kind::Instance) {
                        out.push(seq_first(vm, s)?);
                        s = seq_more(vm, s)?;
                    }
                }
            },
        }
        if out.len() > limit {
            return Err(vm.err(ErrKind::Arity, format!("more than {limit} elements are passed as arguments")));
        }
    }
}

pub fn count(vm: &mut Vm, v: Value) -> R {
    if v.is_nil() {
        return Ok(Value::ZERO);
    }
    let Some(o) = v.obj() else { return Err(type_err(vm, v, "count not supported on this type")) };
    let n = match o.kind() {
        Kind::EmptyList => 0,
        Kind::List => o.get(2).fix_get(),
        Kind::ArrayMap | Kind::HashMap => hamt::count(o) as i64,
        Kind::SortedMap => o.get(0).fix_get(),
        Kind::HashSet | Kind::SortedSet => return count(vm, o.get(0)),
        Kind::Queue => o.get(2).fix_get(),
        Kind::Record => types::record_entries(vm, o).len() as i64,
        Kind::Transient => match o.aux() {
            k if k == Kind::Vector as u16 => o.get(0).fix_get(),
            _ => return count(vm, o.get(0)),
        },
        Kind::IndexedSeq => indexed_len(o.get(0).obj().expect("indexed")).unwrap_or(0) as i64 - o.get(1).fix_get(),
        Kind::Range if o.get(0).is_fix() && o.get(1).is_fix() && o.get(2).is_fix() && o.get(2).fix_get() != 0 => {
            let (a, b, s) = (o.get(0).fix_get(), o.get(1).fix_get(), o.get(2).fix_get());
            (b - a + s - s.signum()) / s
        }
        Kind::Cons | Kind::LazySeq | Kind::ChunkedCons | Kind::Range => {
            let mut n = 0i64;
            let mut s = seq(vm, v)?;
            while !s.is_nil() {
                n += 1;
                if let Some(o) = s.as_kind(Kind::IndexedSeq).or(s.as_kind(Kind::List)) {
                    let rest = count(vm, o.into())?;
                    return Ok(Value::fix(n - 1 + rest.fix_get()));
                }
                s = next(vm, s)?;
            }
            n
        }
        Kind::Instance => match method_of(vm, v, "count") {
            Some(m) => return vm.call_out(m, &[v]),
            None => match method_of(vm, v, "seq") {
                Some(_) => {
                    let s = seq(vm, v)?;
                    return count(vm, s);
                }
                None => return Err(type_err(vm, v, "count not supported on this type")),
            },
        },
        _ => match indexed_len(o) {
            Some(n) => n as i64,
            None => return Err(type_err(vm, v, "count not supported on this type")),
        },
    };
    Ok(Value::fix(n))
}

/// Element `i` of a vector, fast; None if `v` is no vector or has no such element.
#[inline(always)]
pub fn vector_at(v: Value, i: i64) -> Option<Value> {
    match v.obj() {
        Some(o) if o.kind() == Kind::Vector && i >= 0 => vector::get(o, i as usize),
        _ => None,
    }
}
pub fn nth(vm: &mut Vm, v: Value, i: Value, default: Option<Value>) -> R {
    let Some(n) = num::as_long(i) else {
        if num::is_number(i) {
            let i = num::to_long(vm, i)?;
            return nth(vm, v, i, default);
        }
        return Err(type_err(vm, i, "an index must be an integer"));
    };
    if v.is_nil() {
        return Ok(default.unwrap_or(Value::NIL));
    }
    if let Some(o) = v.obj() {
        if let Some(len) = indexed_len(o).filter(|_| o.kind() != Kind::Node) {
            if n >= 0 && (n as usize) < len {
                return Ok(indexed_at(vm, o, n as usize));
            }
            return default.ok_or(()).map_err(|()| index_err(vm, n));
        }
        match o.kind() {
            Kind::Transient if o.aux() == Kind::Vector as u16 => {
                return match if n >= 0 { vector::get(o, n as usize) } else { None } {
                    Some(x) => Ok(x),
                    None => default.ok_or(()).map_err(|()| index_err(vm, n)),
                };
            }
            Kind::IndexedSeq if n >= 0 => {
                let back = o.get(0).obj().expect("indexed");
                let at = o.get(1).fix_get() + n;
                if (at as usize) < indexed_len(back).unwrap_or(0) {
                    return Ok(indexed_at(vm, back, at as usize));
                }
                return default.ok_or(()).map_err(|()| index_err(vm, n));
            }
            Kind::Instance if let Some(m) = method_of(vm, v, "nth") => {
                return match default {
                    Some(d) => vm.call_out(m, &[v, i, d]),
                    None => vm.call_out(m, &[v, i]),
                };
            }
            _ if is_seq(v) || o.kind() == Kind::Queue => {
                let mut s = seq(vm, v)?;
                let mut k = n;
                while !s.is_nil() && k >= 0 {
                    if k == 0 {
                        return seq_first(vm, s);
                    }
                    k -= 1;
                    s = next(vm, s)?;
                }
                return default.ok_or(()).map_err(|()| index_err(vm, n));
            }
            _ => {}
        }
    }
    Err(type_err(vm, v, "nth not supported on this type"))
}

/// `(get v k default)`.
pub fn get(vm: &mut Vm, v: Value, k: Value, default: Value) -> R {
    let Some(o) = v.obj() else { return Ok(default) };
    let found = match o.kind() {
        Kind::ArrayMap | Kind::HashMap => hamt::get(vm, o, k)?,
        Kind::SortedMap => sorted::find(vm, o, k)?.map_or(Value::ABSENT, |e| e.1),
        Kind::HashSet => {
            let m = o.get(0).obj().expect("a map");
            hamt::get(vm, m, k)?
        }
        Kind::SortedSet => sorted::find(vm, o.get(0).obj().expect("a map"), k)?.map_or(Value::ABSENT, |e| e.0),
        Kind::Record => types::record_get(vm, o, k)?,
        Kind::Vector | Kind::MapEntry | Kind::Str | Kind::Array | Kind::PrimArray => match num::as_long(k) {
            Some(i) if i >= 0 && (i as usize) < indexed_len(o).unwrap_or(0) => indexed_at(vm, o, i as usize),
            _ => Value::ABSENT,
        },
        Kind::Transient if o.aux() == Kind::Vector as u16 => match k.as_fix() {
            Some(i) if i >= 0 => vector::get(o, i as usize).unwrap_or(Value::ABSENT),
            _ => Value::ABSENT,
        },
        Kind::Transient => return get(vm, o.get(0), k, default),
        Kind::TaggedLiteral => {
            let (tag, form) = (vm.keyword("tag"), vm.keyword("form"));
            if k == tag {
                o.get(0)
            } else if k == form {
                o.get(1)
            } else {
                Value::ABSENT
            }
        }
        Kind::Instance => match method_of(vm, v, "valAt") {
            Some(m) => return vm.call_out(m, &[v, k, default]),
            None => Value::ABSENT,
        },
        _ => Value::ABSENT,
    };
    Ok(if found == Value::ABSENT { default } else { found })
}
pub fn contains(vm: &mut Vm, v: Value, k: Value) -> R<bool> {
    if v.is_nil() {
        return Ok(false);
    }
    match v.kind() {
        Some(kind) if is_lookup(kind) && kind != Kind::SymbolMeta => Ok(get(vm, v, k, Value::ABSENT)? != Value::ABSENT),
        Some(Kind::Str | Kind::Array | Kind::PrimArray) => {
            let n = count(vm, v)?.fix_get();
            Ok(k.as_fix().is_some_and(|i| i >= 0 && i < n))
        }
        Some(Kind::Instance) if let Some(m) = method_of(vm, v, "containsKey") => Ok(vm.call_out(m, &[v, k])?.truthy()),
        Some(Kind::Instance) if method_of(vm, v, "valAt").is_some() => {
            Ok(get(vm, v, k, Value::ABSENT)? != Value::ABSENT)
        }
        _ => Err(type_err(vm, v, "contains? not supported on type")),
    }
}
/// The entry of key `k`, or nil.
pub fn find(vm: &mut Vm, v: Value, k: Value) -> R {
    if v.is_nil() {
        return Ok(v);
    }
    match v.obj() {
        Some(o) if o.kind() == Kind::SortedMap => {
            Ok(sorted::find(vm, o, k)?.map_or(Value::NIL, |(k, v)| map_entry(vm, k, v)))
        }
        Some(o) if is_map(v) || is_vector(v) || o.kind() == Kind::Transient => {
            let x = get(vm, v, k, Value::ABSENT)?;
            if x == Value::ABSENT {
                return Ok(Value::NIL);
            }
            // The entry has the map's own key, which may differ in metadata.
            let mut key = k;
            if is_hash_map(o.kind()) && k.is_ref() {
                for (a, _) in hamt::entries(vm, o) {
                    if equiv(vm, a, k)? {
                        key = a;
                        break;
                    }
                }
            }
            Ok(map_entry(vm, key, x))
        }
        Some(_) if let Some(m) = method_of(vm, v, "entryAt") => vm.call_out(m, &[v, k]),
        _ => Err(type_err(vm, v, "find needs a map")),
    }
}

pub fn assoc(vm: &mut Vm, v: Value, k: Value, x: Value) -> R {
    if v.is_nil() {
        return Ok(vm.alloc(Kind::ArrayMap, &[Value::NIL, k, x]));
    }
    match v.obj() {
        Some(o) => match o.kind() {
            Kind::ArrayMap | Kind::HashMap => hamt::assoc(vm, o, k, x),
            Kind::SortedMap => sorted::assoc(vm, o, k, x),
            Kind::Record => types::record_assoc(vm, o, k, x),
            Kind::Vector => {
                let Some(i) = num::as_long(k) else {
                    return Err(vm.err(ErrKind::Argument, "Key must be integer"));
                };
                match if i >= 0 { vector::assoc(vm, o, i as usize, x) } else { None } {
                    Some(v) => Ok(v),
                    None => Err(index_err(vm, i)),
                }
            }
            Kind::MapEntry => {
                let v = vector::of(vm, &[o.get(0), o.get(1)]);
                assoc(vm, v, k, x)
            }
            Kind::Instance if let Some(m) = method_of(vm, v, "assoc") => vm.call_out(m, &[v, k, x]),
            _ => Err(type_err(vm, v, "assoc not supported on this type")),
        },
        None => Err(type_err(vm, v, "assoc not supported on this type")),
    }
}
pub fn dissoc(vm: &mut Vm, v: Value, k: Value) -> R {
    if v.is_nil() {
        return Ok(v);
    }
    match v.obj() {
        Some(o) if is_hash_map(o.kind()) => hamt::dissoc(vm, o, k),
        Some(o) if o.kind() == Kind::SortedMap => sorted::dissoc(vm, o, k),
        Some(o) if o.kind() == Kind::Record => types::record_dissoc(vm, o, k),
        Some(_) if let Some(m) = method_of(vm, v, "without") => vm.call_out(m, &[v, k]),
        _ => Err(type_err(vm, v, "dissoc not supported on this type")),
    }
}
pub fn conj(vm: &mut Vm, v: Value, x: Value) -> R {
    if v.is_nil() {
        return Ok(list_of(vm, &[x]));
    }
    let Some(o) = v.obj() else { return Err(type_err(vm, v, "conj not supported on this type")) };
    match o.kind() {
        Kind::Vector => Ok(vector::conj(vm, o, x)),
        Kind::MapEntry => Ok(vector::of(vm, &[o.get(0), o.get(1), x])),
        Kind::EmptyList => Ok(match o.len() {
            0 => vm.alloc(Kind::List, &[x, v, Value::fix(1)]),
            _ => vm.alloc(Kind::List, &[x, v, Value::fix(1), o.get(0)]),
        }),
        Kind::List => {
            let n = Value::fix(o.get(2).fix_get() + 1);
            Ok(match o.len() {
                3 => vm.alloc(Kind::List, &[x, v, n]),
                _ => vm.alloc(Kind::List, &[x, v, n, o.get(3)]),
            })
        }
        Kind::HashSet => {
            let m = o.get(0).obj().expect("a map");
            if hamt::get(vm, m, x)? != Value::ABSENT {
                return Ok(v);
            }
            let m = hamt::assoc(vm, m, x, x)?;
            Ok(vm.alloc(Kind::HashSet, &[m, o.get(1)]))
        }
        Kind::SortedSet => {
            let m = o.get(0).obj().expect("a map");
            if sorted::find(vm, m, x)?.is_some() {
                return Ok(v);
            }
            let m = sorted::assoc(vm, m, x, x)?;
            Ok(vm.alloc(Kind::SortedSet, &[m, o.get(1)]))
        }
        Kind::ArrayMap | Kind::HashMap | Kind::SortedMap | Kind::Record => {
            if x.is_nil() {
                return Ok(v);
            }
            if let Some(e) = x.as_kind(Kind::MapEntry) {
                return assoc(vm, v, e.get(0), e.get(1));
            }
            if let Some(e) = x.as_kind(Kind::Vector) {
                if vector::count(e) != 2 {
                    return Err(vm.err(ErrKind::Argument, "Vector arg to map conj must be a pair"));
                }
                return assoc(vm, v, leaf0(e, 0), leaf0(e, 1));
            }
            if is_map(x) {
                let mut m = v;
                for (k, y) in map_entries(vm, x) {
                    m = assoc(vm, m, k, y)?;
                }
                return Ok(m);
            }
            if is_seq(x) {
                let mut m = v;
                let mut s = seq(vm, x)?;
                while !s.is_nil() {
                    let e = seq_first(vm, s)?;
                    if !e.is_kind(Kind::MapEntry) {
                        return Err(type_err(vm, e, "a map takes entries"));
                    }
                    m = conj(vm, m, e)?;
                    s = next(vm, s)?;
                }
                return Ok(m);
            }
            Err(type_err(vm, x, "a map takes entries"))
        }
        Kind::Queue => {
            let rear = if o.get(1).is_nil() { vector::of(vm, &[]) } else { o.get(1) };
            let (front, rear) = if o.get(0).is_nil() {
                let f = list_of(vm, &[x]);
                (f, rear)
            } else {
                let r = vector::conj(vm, rear.obj().expect("a vector"), x);
                (o.get(0), r)
            };
            Ok(vm.alloc(Kind::Queue, &[front, rear, Value::fix(o.get(2).fix_get() + 1), o.get(3)]))
        }
        Kind::Instance if let Some(m) = method_of(vm, v, "cons") => vm.call_out(m, &[v, x]),
        _ if is_seq(v) => Ok(vm.alloc(Kind::Cons, &[x, v])),
        _ => Err(type_err(vm, v, "conj not supported on this type")),
    }
}
fn leaf0(v: Obj, i: usize) -> Value {
    vector::get(v, i).unwrap_or(Value::NIL)
}
pub fn queue_items(vm: &mut Vm, q: Obj) -> R<Vec<Value>> {
    let mut items = spread(vm, q.get(0), usize::MAX)?;
    items.extend(vector_values(q.get(1)));
    Ok(items)
}
/// Entries of any map.
pub fn map_entries(vm: &mut Vm, m: Value) -> Vec<(Value, Value)> {
    match m.obj() {
        Some(o) => match o.kind() {
            Kind::ArrayMap | Kind::HashMap => hamt::entries(vm, o),
            Kind::SortedMap => sorted::entries(o),
            Kind::Record => types::record_entries(vm, o),
            _ => Vec::new(),
        },
        None => Vec::new(),
    }
}

// ---- equality, hash, order
/// Clojure's `=`. Nested data is compared with a work list; lazy seqs are realised cell by cell.
pub fn equiv(vm: &mut Vm, a: Value, b: Value) -> R<bool> {
    // Nothing is allocated for what has no parts.
    let mut work = Vec::new();
    let mut pair = Some((a, b));
    while let Some((a, b)) = pair.take().or_else(|| work.pop()) {
        if a == b && !a.is_inline_f64() {
            if a.as_kind(Kind::Float64).is_some_and(|o| f64::from_bits(o.raw(0)).is_nan()) {
                return Ok(false);
            }
            continue;
        }
        if num::is_number(a) || num::is_number(b) {
            match (num::number(a), num::number(b)) {
                (Some(x), Some(y)) if num::equal(&x, &y) => continue,
                _ => return Ok(false),
            }
        }
        let (Some(x), Some(y)) = (a.obj(), b.obj()) else {
            // A symbol with metadata equals the plain one.
            if vm.symbol_id(a).is_some() && vm.symbol_id(a) == vm.symbol_id(b) {
                continue;
            }
            if let Some(m) = b.obj().and(None).or(method_for_eq(vm, a))
                && vm.call_out(m, &[a, b])?.truthy()
            {
                continue;
            }
            return Ok(false);
        };
        if let Some(m) = method_for_eq(vm, a) {
            if vm.call_out(m, &[a, b])?.truthy() {
                continue;
            }
            return Ok(false);
        }
        if let Some(m) = method_for_eq(vm, b) {
            if vm.call_out(m, &[b, a])?.truthy() {
                continue;
            }
            return Ok(false);
        }
        if is_sequential(a) && is_sequential(b) {
            if is_vector(a) && is_vector(b) {
                let (n, m) = (count(vm, a)?, count(vm, b)?);
                if n != m {
                    return Ok(false);
                }
                for i in (0..n.fix_get() as usize).rev() {
                    work.push((indexed_at(vm, x, i), indexed_at(vm, y, i)));
                }
                continue;
            }
            let (mut s, mut t) = (seq(vm, a)?, seq(vm, b)?);
            while !s.is_nil() && !t.is_nil() {
                let (p, q) = (seq_first(vm, s)?, seq_first(vm, t)?);
                if !p.is_ref() && !q.is_ref() {
                    if p != q && !(p.is_inline_f64() && q.is_inline_f64() && p.f64_get() == q.f64_get()) {
                        return Ok(false);
                    }
                } else if p != q {
                    work.push((p, q));
                }
                s = next(vm, s)?;
                t = next(vm, t)?;
            }
            if s.is_nil() != t.is_nil() {
                return Ok(false);
            }
            continue;
        }
        match (x.kind(), y.kind()) {
            (Kind::Str, Kind::Str) if a.as_str() == b.as_str() => {}
            (Kind::SymbolMeta, Kind::SymbolMeta) if x.get(0) == y.get(0) => {}
            (Kind::Record, Kind::Record) if x.get(0) != y.get(0) => return Ok(false),
            (Kind::Record, k) | (k, Kind::Record) if k != Kind::Record => return Ok(false),
            _ if is_map(a) && is_map(b) => {
                if count(vm, a)? != count(vm, b)? {
                    return Ok(false);
                }
                for (k, v) in map_entries(vm, a) {
                    let w = match get(vm, b, k, Value::ABSENT) {
                        Ok(w) => w,
                        // A sorted map refuses keys it cannot compare: they are not in it.
                        Err(Exit::Throw) => return Ok(false),
                        Err(e) => return Err(e),
                    };
                    if w == Value::ABSENT {
                        return Ok(false);
                    }
                    work.push((v, w));
                }
            }
            _ if is_set(a) && is_set(b) => {
                if count(vm, a)? != count(vm, b)? {
                    return Ok(false);
                }
                for v in set_items(vm, a) {
                    match get(vm, b, v, Value::ABSENT) {
                        Ok(Value::ABSENT) | Err(Exit::Throw) => return Ok(false),
                        Ok(_) => {}
                        Err(e) => return Err(e),
                    }
                }
            }
            (Kind::Uuid, Kind::Uuid) if x.raw(0) == y.raw(0) && x.raw(1) == y.raw(1) => {}
            (Kind::Inst, Kind::Inst) if x.raw(0) == y.raw(0) => {}
            (Kind::TaggedLiteral, Kind::TaggedLiteral) if x.get(0) == y.get(0) => work.push((x.get(1), y.get(1))),
            _ => return Ok(false),
        }
    }
    Ok(true)
}
fn method_for_eq(vm: &mut Vm, v: Value) -> Option<Value> {
    if !v.is_kind(Kind::Instance) {
        return None;
    }
    method_of(vm, v, "equiv").or_else(|| method_of(vm, v, "equals"))
}
pub fn set_items(vm: &Vm, s: Value) -> Vec<Value> {
    match s.obj() {
        Some(o) => {
            let m = o.get(0).obj().expect("a map");
            if m.kind() == Kind::SortedMap {
                return sorted::entries(m).into_iter().map(|e| e.0).collect();
            }
            hamt::keys(vm, m)
        }
        None => Vec::new(),
    }
}

fn mix(h: u64) -> u32 {
    let h = (h ^ h >> 32).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (h ^ h >> 29) as u32
}
/// A hash that agrees with `equiv`. Strings keep theirs.
pub fn hash(vm: &mut Vm, v: Value) -> R<u32> {
    if v.is_fix() {
        return Ok(mix(v.fix_get() as u64));
    }
    if let Some(k) = v.as_keyword() {
        return Ok(vm.names.hash(k) ^ 0x9E37_79B9);
    }
    if let Some(s) = vm.symbol_id(v) {
        return Ok(vm.names.hash(s));
    }
    if v.is_inline_f64() {
        let x = v.f64_get();
        return Ok(mix(if x == 0.0 { 0 } else { x.to_bits() } ^ 0x5555));
    }
    let Some(o) = v.obj() else { return Ok(mix(v.bits() ^ 0xABCD)) };
    match o.kind() {
        Kind::Str => {
            let cached = o.raw(1);
            if cached != 0 {
                return Ok(cached as u32);
            }
            let mut h = 0xcbf2_9ce4_8422_2325u64;
            for b in v.as_str().unwrap_or("").bytes() {
                h = (h ^ b as u64).wrapping_mul(0x0100_0000_01b3);
            }
            let h = mix(h);
            o.set_raw(1, h as u64 | 1 << 32);
            Ok(h)
        }
        Kind::Int64 => Ok(mix(o.raw(0))),
        Kind::SmallBig => hash(vm, o.get(0)),
        Kind::BigInt => Ok((0..o.len()).fold(o.aux() as u32, |h, i| h.wrapping_mul(31) ^ mix(o.raw(i)))),
        Kind::Ratio | Kind::Decimal => {
            let (a, b) = (hash(vm, o.get(0))?, hash(vm, o.get(1))?);
            Ok(a.wrapping_mul(31) ^ b)
        }
        Kind::Float64 => Ok(mix(o.raw(0))),
        Kind::Uuid => Ok(mix(o.raw(0) ^ o.raw(1).rotate_left(17))),
        Kind::Inst => Ok(mix(o.raw(0))),
        Kind::ArrayMap | Kind::HashMap | Kind::SortedMap | Kind::Record => {
            let mut h = if o.kind() == Kind::Record { hash_identity(vm, o.get(0)) } else { 0x1234u32 };
            for (k, x) in map_entries(vm, v) {
                let e = hash(vm, k)?.wrapping_mul(31) ^ hash(vm, x)?;
                h = h.wrapping_add(mix(e as u64));
            }
            Ok(h)
        }
        Kind::HashSet | Kind::SortedSet => {
            let mut h = 0x4321u32;
            for x in set_items(vm, v) {
                let e = hash(vm, x)?;
                h = h.wrapping_add(mix(e as u64));
            }
            Ok(h)
        }
        Kind::Instance => match method_of(vm, v, "hasheq").or_else(|| method_of(vm, v, "hashCode")) {
            Some(m) => {
                let h = vm.call_out(m, &[v])?;
                Ok(mix(num::as_long(h).unwrap_or(0) as u64))
            }
            None => Ok(hash_identity(vm, v)),
        },
        _ if is_sequential(v) => {
            let mut h = 1u32;
            let mut s = seq(vm, v)?;
            while !s.is_nil() {
                let x = seq_first(vm, s)?;
                h = h.wrapping_mul(31).wrapping_add(hash(vm, x)?);
                s = next(vm, s)?;
            }
            Ok(mix(h as u64))
        }
        _ => Ok(hash_identity(vm, v)),
    }
}
/// Objects with identity only move, so their hash cannot be the address: it is drawn from their type.
fn hash_identity(vm: &mut Vm, v: Value) -> u32 {
    match v.obj() {
        Some(o) if o.kind() == Kind::Var => {
            let (a, b) = (vm.symbol_id(o.get(slot::VAR_NS)), vm.symbol_id(o.get(slot::VAR_NAME)));
            let of = |id: Option<u32>| id.map_or(0, |id| vm.names.hash(id));
            of(a).wrapping_mul(31) ^ of(b)
        }
        Some(o) => mix(o.kind() as u64 + 77),
        None => 0,
    }
}

/// `compare`: nil first, then numbers, strings, symbols, keywords, characters, booleans, vectors; unlike types are an error.
pub fn compare(vm: &mut Vm, a: Value, b: Value) -> R<Ordering> {
    if a == b && !a.is_inline_f64() && (!a.is_ref() || num::is_number(a) || a.as_str().is_some() || is_vector(a)) {
        return Ok(Ordering::Equal);
    }
    if a.is_nil() || b.is_nil() {
        return Ok(b.is_nil().cmp(&a.is_nil()));
    }
    if let (Some(x), Some(y)) = (num::number(a), num::number(b)) {
        return Ok(num::cmp(&x, &y).unwrap_or(Ordering::Equal));
    }
    if let (Some(x), Some(y)) = (a.as_str(), b.as_str()) {
        return Ok(x.encode_utf16().cmp(y.encode_utf16()));
    }
    if let (Some(x), Some(y)) = (a.as_char(), b.as_char()) {
        return Ok(x.cmp(&y));
    }
    let name_order = |vm: &Vm, x: u32, y: u32| {
        let key = |id| (vm.names.ns(id).map(str::to_string), vm.names.name(id).to_string());
        key(x).cmp(&key(y))
    };
    if let (Some(x), Some(y)) = (a.as_keyword(), b.as_keyword()) {
        return Ok(name_order(vm, x, y));
    }
    if let (Some(x), Some(y)) = (vm.symbol_id(a), vm.symbol_id(b)) {
        return Ok(name_order(vm, x, y));
    }
    if a.is_bool() && b.is_bool() {
        return Ok((a == Value::TRUE).cmp(&(b == Value::TRUE)));
    }
    if is_vector(a) && is_vector(b) {
        let (n, m) = (count(vm, a)?.fix_get(), count(vm, b)?.fix_get());
        if n != m {
            return Ok(n.cmp(&m));
        }
        for i in 0..n {
            let (x, y) = (nth(vm, a, Value::fix(i), None)?, nth(vm, b, Value::fix(i), None)?);
            let o = compare(vm, x, y)?;
            if o != Ordering::Equal {
                return Ok(o);
            }
        }
        return Ok(Ordering::Equal);
    }
    if let (Some(x), Some(y)) = (a.as_kind(Kind::Inst), b.as_kind(Kind::Inst)) {
        return Ok((x.raw(0) as i64).cmp(&(y.raw(0) as i64)));
    }
    if let (Some(x), Some(y)) = (a.as_kind(Kind::Uuid), b.as_kind(Kind::Uuid)) {
        return Ok((x.raw(0) as i64, x.raw(1) as i64).cmp(&(y.raw(0) as i64, y.raw(1) as i64)));
    }
    if let Some(m) = method_of(vm, a, "compareTo") {
        let r = vm.call_out(m, &[a, b])?;
        return Ok(num::as_long(r).unwrap_or(0).cmp(&0));
    }
    let (s, t) = (type_name(vm, a), type_name(vm, b));
    Err(vm.err(ErrKind::Type, format!("{s} cannot be compared with {t}")))
}

/// Keywords, symbols, maps, sets and vectors as functions.
pub fn call_data(vm: &mut Vm, f: Value, args: &[Value]) -> R {
    let keyed = f.is_keyword() || vm.symbol_id(f).is_some();
    let kind = f.kind();
    let two = keyed || matches!(kind, Some(Kind::ArrayMap | Kind::HashMap | Kind::SortedMap | Kind::Record));
    if args.is_empty() || args.len() > if two { 2 } else { 1 } {
        let text = super::print::str_of(vm, f)?;
        return Err(vm.err(ErrKind::Arity, format!("Wrong number of args ({}) passed to: {text}", args.len())));
    }
    let default = args.get(1).copied().unwrap_or(Value::NIL);
    if keyed {
        return get(vm, args[0], f, default);
    }
    match kind {
        Some(Kind::Vector | Kind::MapEntry) => {
            if !num::is_integer(args[0]) {
                return Err(vm.err(ErrKind::Argument, "Key must be integer"));
            }
            nth(vm, f, args[0], None)
        }
        _ => get(vm, f, args[0], default),
    }
}

// ---- arrays and cells
/// Element types of primitive arrays (aux).
pub mod elem {
    pub const LONG: u16 = 1;
    pub const DOUBLE: u16 = 2;
    pub const INT: u16 = 3;
    pub const CHAR: u16 = 4;
    pub const BOOLEAN: u16 = 5;
    pub const BYTE: u16 = 6;
    pub const SHORT: u16 = 7;
    pub const FLOAT: u16 = 8;
}
fn array_get(vm: &mut Vm, o: Obj, i: usize) -> Value {
    let raw = o.raw(i);
    match o.aux() {
        elem::DOUBLE | elem::FLOAT => vm.float(f64::from_bits(raw)),
        elem::CHAR => Value::char(char::from_u32(raw as u32).unwrap_or('\0')),
        elem::BOOLEAN => Value::bool(raw != 0),
        _ => vm.int(raw as i64),
    }
}
pub fn aget(vm: &mut Vm, a: Value, i: Value) -> R {
    let Some(n) = num::as_long(i) else { return Err(type_err(vm, i, "an index must be an integer")) };
    match a.obj() {
        Some(o) if matches!(o.kind(), Kind::Array | Kind::PrimArray) => {
            if n < 0 || n as usize >= o.len() {
                return Err(index_err(vm, n));
            }
            Ok(if o.kind() == Kind::Array { o.get(n as usize) } else { array_get(vm, o, n as usize) })
        }
        _ => Err(type_err(vm, a, "not an array")),
    }
}
pub fn aset(vm: &mut Vm, a: Value, i: Value, x: Value) -> R {
    let Some(n) = num::as_long(i) else { return Err(type_err(vm, i, "an index must be an integer")) };
    match a.obj() {
        Some(o) if matches!(o.kind(), Kind::Array | Kind::PrimArray) => {
            if n < 0 || n as usize >= o.len() {
                return Err(index_err(vm, n));
            }
            if o.kind() == Kind::Array {
                vm.heap.write(o, n as usize, x);
            } else {
                let raw = array_word(vm, o.aux(), x)?;
                o.set_raw(n as usize, raw);
            }
            Ok(x)
        }
        _ => Err(type_err(vm, a, "not an array")),
    }
}
/// The raw word of `x` in an array of element type `t`.
pub fn array_word(vm: &mut Vm, t: u16, x: Value) -> R<u64> {
    Ok(match t {
        elem::DOUBLE | elem::FLOAT => match num::number(x) {
            Some(n) => num::to_f64(&n).to_bits(),
            None => return Err(num::not_number(vm, x)),
        },
        elem::CHAR => match x.as_char() {
            Some(c) => c as u64,
            None => return Err(type_err(vm, x, "not a character")),
        },
        elem::BOOLEAN => x.truthy() as u64,
        _ => {
            let n = num::to_long(vm, x)?;
            num::as_long(n).unwrap_or(0) as u64
        }
    })
}
pub fn deref(vm: &mut Vm, v: Value) -> R {
    let Some(o) = v.obj() else { return Err(type_err(vm, v, "cannot be dereferenced")) };
    match o.kind() {
        Kind::Atom | Kind::Volatile | Kind::Reduced | Kind::Ref | Kind::Box => Ok(o.get(0)),
        Kind::Var => {
            let r = o.get(slot::VAR_ROOT);
            if r == Value::UNBOUND { Err(vm.unbound_var(o)) } else { Ok(r) }
        }
        Kind::Delay => {
            if !o.get(0).is_nil() {
                let name = vm.var("yin.rt/force-delay");
                return vm.call_out(name.get(slot::VAR_ROOT), &[v]);
            }
            if o.get(2).truthy() { Err(vm.throw(o.get(1))) } else { Ok(o.get(1)) }
        }
        Kind::Promise => {
            if o.get(0) == Value::ABSENT {
                return Err(vm.err(ErrKind::State, "a promise that nobody can deliver any more is dereferenced"));
            }
            Ok(o.get(0))
        }
        Kind::Instance if let Some(m) = method_of(vm, v, "deref") => vm.call_out(m, &[v]),
        _ => Err(type_err(vm, v, "cannot be dereferenced")),
    }
}
