//! The table of collection functions: thin rows over `coll`, `hamt`, `vector`, `sorted`.

use super::coll::{self, elem};
use super::num::{self, as_long};
use super::{MANY, PURE, PrimDef, R, VMOP, hamt, prim, sorted, types, vector};
use crate::layout::{Kind, slot, var_flag};
use crate::machine::{ErrKind, Vm};
use crate::value::Value;
use std::cmp::Ordering;

macro_rules! fns {
    ($($name:ident |$vm:ident, $a:ident| $e:expr;)*) => {$(
        fn $name($vm: &mut Vm, $a: &[Value]) -> R { $e }
    )*};
}
fn kind_is(v: Value, ks: &[Kind]) -> R {
    Ok(Value::bool(v.kind().is_some_and(|k| ks.contains(&k))))
}
fn instance_has(vm: &mut Vm, v: Value, m: &str) -> bool {
    coll::method_of(vm, v, m).is_some()
}
/// Transient maps and sets hold the persistent map as it is so far; the box is what changes.
fn t_box(vm: &mut Vm, v: Value, what: Value) -> Value {
    let k = if coll::is_set(v) { Kind::HashSet } else { Kind::HashMap };
    vm.heap.alloc_with(Kind::Transient, k as u16, &[what, Value::TRUE]).into()
}
fn live_transient(vm: &mut Vm, v: Value) -> R<crate::value::Obj> {
    match v.as_kind(Kind::Transient) {
        Some(o) if o.get(o.len() - 1).truthy() => Ok(o),
        Some(_) => Err(vm.err(ErrKind::State, "Transient used after persistent! call")),
        None => Err(coll::type_err(vm, v, "not a transient")),
    }
}
fn pairs_of(vm: &mut Vm, a: &[Value]) -> R<Vec<(Value, Value)>> {
    if !a.len().is_multiple_of(2) {
        let s = super::print::pr_str(vm, a[a.len() - 1])?;
        return Err(vm.err(ErrKind::Argument, format!("No value supplied for key: {s}")));
    }
    Ok(a.chunks(2).map(|c| (c[0], c[1])).collect())
}
fn array_map(vm: &mut Vm, a: &[Value]) -> R {
    let pairs = pairs_of(vm, a)?;
    if pairs.len() <= 8 {
        return hamt::of(vm, &pairs);
    }
    hamt::of(vm, &pairs)
}
fn set_of(vm: &mut Vm, items: &[Value]) -> R {
    let pairs: Vec<_> = items.iter().map(|v| (*v, *v)).collect();
    let mut m = hamt::empty(vm);
    for (k, v) in pairs {
        let o = m.obj().expect("a map");
        if hamt::get(vm, o, k)? == Value::ABSENT {
            m = hamt::assoc(vm, o, k, v)?;
        }
    }
    Ok(vm.alloc(Kind::HashSet, &[m, Value::NIL]))
}
fn sorted_map(vm: &mut Vm, cmp: Value, pairs: &[(Value, Value)]) -> R {
    let mut m = sorted::empty(vm, cmp);
    for (k, v) in pairs {
        m = sorted::assoc(vm, m.obj().expect("a map"), *k, *v)?;
    }
    Ok(m)
}
fn make_array(vm: &mut Vm, a: &[Value], t: u16) -> R {
    // (n), (n init), (seq)
    let fill = |vm: &mut Vm, n: i64| -> R {
        if n < 0 {
            return Err(vm.err(ErrKind::Argument, format!("negative array size: {n}")));
        }
        Ok(vm.heap.alloc(Kind::PrimArray, t, n as usize).into())
    };
    match as_long(a[0]) {
        Some(n) => {
            let arr = fill(vm, n)?;
            if let Some(init) = a.get(1) {
                let o = arr.obj().expect("an array");
                if num::is_number(*init) || init.is_char() || init.is_bool() {
                    let w = coll::array_word(vm, t, *init)?;
                    (0..o.len()).for_each(|i| o.set_raw(i, w));
                } else {
                    for (i, x) in coll::spread(vm, *init, usize::MAX)?.into_iter().take(n as usize).enumerate() {
                        let w = coll::array_word(vm, t, x)?;
                        o.set_raw(i, w);
                    }
                }
            }
            Ok(arr)
        }
        None => {
            let items = coll::spread(vm, a[0], usize::MAX)?;
            let arr = fill(vm, items.len() as i64)?;
            let o = arr.obj().expect("an array");
            for (i, x) in items.into_iter().enumerate() {
                let w = coll::array_word(vm, t, x)?;
                o.set_raw(i, w);
            }
            Ok(arr)
        }
    }
}
fn object_array(vm: &mut Vm, a: &[Value]) -> R {
    match as_long(a[0]) {
        Some(n) if n >= 0 => {
            let o = vm.heap.alloc(Kind::Array, 0, n as usize);
            (0..n as usize).for_each(|i| o.set(i, Value::NIL));
            Ok(o.into())
        }
        Some(n) => Err(vm.err(ErrKind::Argument, format!("negative array size: {n}"))),
        None => {
            let items = coll::spread(vm, a[0], usize::MAX)?;
            Ok(vm.alloc(Kind::Array, &items))
        }
    }
}
fn range_pieces(vm: &mut Vm, v: Value) -> R<Vec<(Value, Value)>> {
    match v.obj() {
        Some(o) if o.kind() == Kind::SortedMap => Ok(sorted::entries(o)),
        Some(o) if o.kind() == Kind::SortedSet => Ok(sorted::entries(o.get(0).obj().expect("a map"))),
        _ => Err(coll::type_err(vm, v, "a sorted collection is needed, not")),
    }
}
fns! {
    first |vm, a| coll::first(vm, a[0]);
    rest |vm, a| coll::rest(vm, a[0]);
    next |vm, a| coll::next(vm, a[0]);
    seq |vm, a| coll::seq(vm, a[0]);
    cons |vm, a| coll::cons(vm, a[0], a[1]);
    count |vm, a| coll::count(vm, a[0]);
    nth |vm, a| coll::nth(vm, a[0], a[1], a.get(2).copied());
    get |vm, a| coll::get(vm, a[0], a[1], a.get(2).copied().unwrap_or(Value::NIL));
    contains |vm, a| Ok(Value::bool(coll::contains(vm, a[0], a[1])?));
    find |vm, a| coll::find(vm, a[0], a[1]);
    assoc |vm, a| {
        if a.len().is_multiple_of(2) { return Err(vm.err(ErrKind::Argument, "assoc expects even number of arguments after map/vector, found odd number")); }
        a[1..].chunks(2).try_fold(a[0], |m, e| coll::assoc(vm, m, e[0], e[1]))
    };
    dissoc |vm, a| a[1..].iter().try_fold(a[0], |m, k| coll::dissoc(vm, m, *k));
    conj |vm, a| match a.len() { 0 => Ok(vector::of(vm, &[])), 1 => Ok(a[0]), _ => a[1..].iter().try_fold(a[0], |c, x| coll::conj(vm, c, *x)) };
    disj |vm, a| a[1..].iter().try_fold(a[0], |s, x| match s.obj() {
        None if s.is_nil() => Ok(s),
        Some(o) if o.kind() == Kind::HashSet => { let m = hamt::dissoc(vm, o.get(0).obj().expect("a map"), *x)?; Ok(vm.alloc(Kind::HashSet, &[m, o.get(1)])) }
        Some(o) if o.kind() == Kind::SortedSet => { let m = sorted::dissoc(vm, o.get(0).obj().expect("a map"), *x)?; Ok(vm.alloc(Kind::SortedSet, &[m, o.get(1)])) }
        _ => Err(coll::type_err(vm, s, "a set is needed, not")),
    });
    equiv |vm, a| { for w in a.windows(2) { if !coll::equiv(vm, w[0], w[1])? { return Ok(Value::FALSE); } } Ok(Value::TRUE) };
    not_eq |vm, a| { for w in a.windows(2) { if !coll::equiv(vm, w[0], w[1])? { return Ok(Value::TRUE); } } Ok(Value::FALSE) };
    identical |_vm, a| Ok(Value::bool(a[0] == a[1]));
    hash |vm, a| { let h = coll::hash(vm, a[0])?; Ok(Value::fix(h as i32 as i64)) };
    compare |vm, a| { let o = coll::compare(vm, a[0], a[1])?; Ok(Value::fix(match o { Ordering::Less => -1, Ordering::Equal => 0, Ordering::Greater => 1 })) };
    not |_vm, a| Ok(Value::bool(!a[0].truthy()));
    nil_p |_vm, a| Ok(Value::bool(a[0].is_nil()));
    some_p |_vm, a| Ok(Value::bool(!a[0].is_nil()));
    true_p |_vm, a| Ok(Value::bool(a[0] == Value::TRUE));
    false_p |_vm, a| Ok(Value::bool(a[0] == Value::FALSE));
    boolean |_vm, a| Ok(Value::bool(a[0].truthy()));
    boolean_p |_vm, a| Ok(Value::bool(a[0].is_bool()));
    vector |vm, a| Ok(vector::of(vm, a));
    list |vm, a| Ok(coll::list_of(vm, a));
    hash_map |vm, a| { let p = pairs_of(vm, a)?; hamt::of(vm, &p) };
    p_array_map |vm, a| array_map(vm, a);
    hash_set |vm, a| set_of(vm, a);
    // Literals refuse equal keys.
    map_of |vm, a| {
        let mut m = hamt::empty(vm);
        for e in a.chunks(2) {
            let o = m.obj().expect("a map");
            if hamt::get(vm, o, e[0])? != Value::ABSENT { let s = super::print::pr_str(vm, e[0])?; return Err(vm.err(ErrKind::Argument, format!("Duplicate key: {s}"))); }
            m = hamt::assoc(vm, o, e[0], e[1])?;
        }
        Ok(m)
    };
    p_set_of |vm, a| {
        let s = set_of(vm, a)?;
        let n = coll::count(vm, s)?;
        if n.fix_get() as usize != a.len() { return Err(vm.err(ErrKind::Argument, "Duplicate key in a set literal")); }
        Ok(s)
    };
    join_colls |vm, a| {
        let items = if coll::is_map(a[1]) { coll::map_entries(vm, a[1]).into_iter().map(|(k, v)| coll::map_entry(vm, k, v)).collect() } else { coll::spread(vm, a[1], usize::MAX)? };
        items.into_iter().try_fold(a[0], |c, x| coll::conj(vm, c, x))
    };
    vec |vm, a| {
        if a[0].is_kind(Kind::Vector) { return Ok(a[0]); }
        let items = coll::spread(vm, a[0], usize::MAX)?;
        Ok(vector::of(vm, &items))
    };
    peek |vm, a| match a[0].obj() {
        None if a[0].is_nil() => Ok(a[0]),
        Some(o) if o.kind() == Kind::Vector => { let n = vector::count(o); Ok(if n == 0 { Value::NIL } else { vector::get(o, n - 1).unwrap_or(Value::NIL) }) }
        Some(o) if matches!(o.kind(), Kind::List | Kind::EmptyList) => coll::first(vm, a[0]),
        Some(o) if o.kind() == Kind::MapEntry => Ok(o.get(1)),
        Some(o) if o.kind() == Kind::Queue => { let i = coll::queue_items(vm, o)?; Ok(i.first().copied().unwrap_or(Value::NIL)) }
        _ => Err(coll::type_err(vm, a[0], "peek needs a list, vector or queue, not")),
    };
    pop |vm, a| match a[0].obj() {
        None if a[0].is_nil() => Ok(a[0]),
        Some(o) if o.kind() == Kind::Vector => if vector::count(o) == 0 { Err(vm.err(ErrKind::State, "Can't pop empty vector")) } else { Ok(vector::pop(vm, o)) },
        Some(o) if o.kind() == Kind::MapEntry => Ok(vector::of(vm, &[o.get(0)])),
        Some(o) if o.kind() == Kind::List => Ok(o.get(1)),
        Some(o) if o.kind() == Kind::EmptyList => Err(vm.err(ErrKind::State, "Can't pop empty list")),
        Some(o) if o.kind() == Kind::Queue => {
            let i = coll::queue_items(vm, o)?;
            if i.is_empty() { return Ok(a[0]); }
            let f = if i.len() == 1 { Value::NIL } else { coll::list_of(vm, &i[1..]) };
            Ok(vm.alloc(Kind::Queue, &[f, Value::NIL, Value::fix(i.len() as i64 - 1), o.get(3)]))
        }
        _ => Err(coll::type_err(vm, a[0], "pop needs a list, vector or queue, not")),
    };
    empty |vm, a| {
        let Some(o) = a[0].obj() else { return Ok(Value::NIL) };
        let m = types::meta_of(vm, a[0]);
        let e = match o.kind() {
            Kind::Vector | Kind::MapEntry => vector::of(vm, &[]),
            Kind::ArrayMap | Kind::HashMap => hamt::empty(vm),
            Kind::HashSet => { let m = hamt::empty(vm); vm.alloc(Kind::HashSet, &[m, Value::NIL]) }
            Kind::SortedMap => sorted::empty(vm, o.get(2)),
            Kind::SortedSet => { let m = sorted::empty(vm, o.get(0).obj().expect("a map").get(2)); vm.alloc(Kind::SortedSet, &[m, Value::NIL]) }
            Kind::Queue => vm.alloc(Kind::Queue, &[Value::NIL, Value::NIL, Value::ZERO, Value::NIL]),
            Kind::Record => return Err(coll::type_err(vm, a[0], "Can't create empty")),
            _ if coll::is_seq(a[0]) => coll::empty_list(vm),
            Kind::Instance if let Some(f) = coll::method_of(vm, a[0], "empty") => return vm.call_out(f, &[a[0]]),
            _ => return Ok(Value::NIL),
        };
        if coll::is_map(m) && !matches!(o.kind(), Kind::List | Kind::Cons) { types::with_meta(vm, e, m) } else { Ok(e) }
    };
    keys |vm, a| { if a[0].is_nil() { return Ok(Value::NIL); }
        if coll::is_map(a[0]) { let ks: Vec<Value> = coll::map_entries(vm, a[0]).into_iter().map(|e| e.0).collect(); return Ok(coll::seq_of_items(vm, &ks)); } let es = coll::spread(vm, a[0], usize::MAX)?; let mut ks = Vec::new(); for e in es { match e.as_kind(Kind::MapEntry) { Some(o) => ks.push(o.get(0)), None => return Err(coll::type_err(vm, e, "not a map entry")) } } Ok(coll::seq_of_items(vm, &ks)) };
    vals |vm, a| { if a[0].is_nil() { return Ok(Value::NIL); }
        if coll::is_map(a[0]) { let ks: Vec<Value> = coll::map_entries(vm, a[0]).into_iter().map(|e| e.1).collect(); return Ok(coll::seq_of_items(vm, &ks)); } let es = coll::spread(vm, a[0], usize::MAX)?; let mut ks = Vec::new(); for e in es { match e.as_kind(Kind::MapEntry) { Some(o) => ks.push(o.get(1)), None => return Err(coll::type_err(vm, e, "not a map entry")) } } Ok(coll::seq_of_items(vm, &ks)) };
    key |vm, a| match a[0].as_kind(Kind::MapEntry) { Some(o) => Ok(o.get(0)), None => Err(coll::type_err(vm, a[0], "not a map entry")) };
    val |vm, a| match a[0].as_kind(Kind::MapEntry) { Some(o) => Ok(o.get(1)), None => Err(coll::type_err(vm, a[0], "not a map entry")) };
    map_entry |vm, a| Ok(coll::map_entry(vm, a[0], a[1]));
    subvec |vm, a| {
        let Some(o) = a[0].as_kind(Kind::Vector) else { return Err(coll::type_err(vm, a[0], "subvec needs a vector, not")) };
        let n = vector::count(o) as i64;
        let int = |vm: &mut Vm, v: Value| -> R<i64> { let v = num::to_long(vm, v)?; Ok(as_long(v).unwrap_or(-1)) };
        let from = int(vm, a[1])?;
        let to = match a.get(2) { Some(v) => int(vm, *v)?, None => n };
        if from < 0 || to < from || to > n { return Err(vm.err(ErrKind::Index, format!("subvec {from} to {to} of {n} elements"))); }
        let items = vector::items(o);
        Ok(vector::of(vm, &items[from as usize..to as usize]))
    };
    p_sorted_map |vm, a| { let p = pairs_of(vm, a)?; sorted_map(vm, Value::NIL, &p) };
    p_sorted_map_by |vm, a| { let p = pairs_of(vm, &a[1..])?; sorted_map(vm, a[0], &p) };
    p_sorted_set |vm, a| { let p: Vec<_> = a.iter().map(|v| (*v, *v)).collect(); let m = sorted_map(vm, Value::NIL, &p)?; Ok(vm.alloc(Kind::SortedSet, &[m, Value::NIL])) };
    p_sorted_set_by |vm, a| { let p: Vec<_> = a[1..].iter().map(|v| (*v, *v)).collect(); let m = sorted_map(vm, a[0], &p)?; Ok(vm.alloc(Kind::SortedSet, &[m, Value::NIL])) };
    rseq |vm, a| match a[0].obj() {
        Some(o) if o.kind() == Kind::Vector => { let mut i = vector::items(o); i.reverse(); Ok(coll::seq_of_items(vm, &i)) }
        Some(o) if o.kind() == Kind::SortedMap => { let i: Vec<Value> = sorted::entries(o).into_iter().rev().map(|(k, v)| coll::map_entry(vm, k, v)).collect(); Ok(coll::seq_of_items(vm, &i)) }
        Some(o) if o.kind() == Kind::SortedSet => { let i: Vec<Value> = sorted::entries(o.get(0).obj().expect("a map")).into_iter().rev().map(|e| e.0).collect(); Ok(coll::seq_of_items(vm, &i)) }
        _ => Err(coll::type_err(vm, a[0], "rseq needs a vector or sorted collection, not")),
    };
    // (yin.rt/sorted-entries coll): keys or entries in order; (yin.rt/sorted-order coll a b): -1 0 1 by its comparator
    sorted_entries |vm, a| { let is_map = a[0].is_kind(Kind::SortedMap); let e = range_pieces(vm, a[0])?; let i: Vec<Value> = e.into_iter().map(|(k, v)| if is_map { coll::map_entry(vm, k, v) } else { k }).collect(); Ok(coll::seq_of_items(vm, &i)) };
    sorted_order |vm, a| { let o = a[0].obj().expect("sorted"); let m = if o.kind() == Kind::SortedSet { o.get(0).obj().expect("a map") } else { o }; let r = sorted::order(vm, m.get(2), a[1], a[2])?; Ok(Value::fix(r as i64)) };
    queue |vm, _a| Ok(vm.alloc(Kind::Queue, &[Value::NIL, Value::NIL, Value::ZERO, Value::NIL]));
    range |vm, a| {
        for (i, v) in a.iter().enumerate() {
            if !(num::is_number(*v) || i == 1 && v.is_nil()) { return Err(num::not_number(vm, *v)); }
        }
        coll::range(vm, a[0], if a[1].is_nil() { Value::ABSENT } else { a[1] }, a[2])
    };
    lazy_seq |vm, a| Ok(vm.alloc(Kind::LazySeq, &[a[0], Value::NIL, Value::NIL]));
    realized |vm, a| match a[0].obj() {
        Some(o) if o.kind() == Kind::Instance && coll::method_of(vm, a[0], "isRealized").is_some() => {
            let m = coll::method_of(vm, a[0], "isRealized").unwrap_or(Value::NIL);
            vm.call_out(m, &[a[0]])
        }
        Some(o) if matches!(o.kind(), Kind::LazySeq | Kind::Delay) => Ok(Value::bool(o.get(0).is_nil())),
        Some(o) if o.kind() == Kind::Promise => Ok(Value::bool(o.get(0) != Value::ABSENT)),
        _ => Err(coll::type_err(vm, a[0], "realized? not supported on this type")),
    };
    // chunks: a chunk is a Node
    chunk_p |_vm, a| kind_is(a[0], &[Kind::ChunkedCons]);
    chunk_first |vm, a| match a[0].as_kind(Kind::ChunkedCons) { Some(o) => { let n = o.get(0).obj().expect("a chunk"); let i = o.get(1).fix_get() as usize; Ok(vm.alloc(Kind::Node, &n.words()[i..])) } None => Err(coll::type_err(vm, a[0], "not chunked")) };
    chunk_rest |vm, a| match a[0].as_kind(Kind::ChunkedCons) { Some(o) => Ok(if o.get(2).is_nil() { coll::empty_list(vm) } else { o.get(2) }), None => Err(coll::type_err(vm, a[0], "not chunked")) };
    chunk_cons |vm, a| { let n = a[0].as_kind(Kind::Node).map_or(0, |o| o.len()); if n == 0 { Ok(a[1]) } else { Ok(vm.alloc(Kind::ChunkedCons, &[a[0], Value::ZERO, a[1]])) } };
    chunk_buffer |vm, _a| { let v = vector::of(vm, &[]); let t = vector::transient(vm, v.obj().expect("a vector")); Ok(t) };
    chunk_append |vm, a| { let t = live_transient(vm, a[0])?; vector::t_conj(vm, t, a[1]); Ok(Value::NIL) };
    chunk |vm, a| { let t = live_transient(vm, a[0])?; let v = vector::persistent(vm, t); let i = vector::items(v.obj().expect("a vector")); Ok(vm.alloc(Kind::Node, &i)) };
    // (yin.rt/node-at vector i): the 32-wide block with element i; blocks are indexed with aget
    block_at |_vm, a| match (a[0].as_kind(Kind::Vector), a[1].as_fix()) { (Some(o), Some(i)) if i >= 0 && (i as usize) < vector::count(o) => Ok(vector::leaf(o, i as usize).into()), _ => Ok(Value::NIL) };
    block_get |vm, a| match (a[0].as_kind(Kind::Node), a[1].as_fix()) { (Some(o), Some(i)) if i >= 0 && (i as usize) < o.len() => Ok(o.get(i as usize)), _ => Err(coll::type_err(vm, a[0], "not a block")) };
    block_len |vm, a| match a[0].as_kind(Kind::Node) { Some(o) => Ok(Value::fix(o.len() as i64)), None => Err(coll::type_err(vm, a[0], "not a block")) };
    transient |vm, a| match a[0].obj() {
        Some(o) if o.kind() == Kind::Vector => Ok(vector::transient(vm, o)),
        Some(o) if matches!(o.kind(), Kind::ArrayMap | Kind::HashMap | Kind::HashSet) => Ok(t_box(vm, a[0], a[0])),
        _ => Err(coll::type_err(vm, a[0], "cannot be made transient")),
    };
    persistent |vm, a| {
        let o = live_transient(vm, a[0])?;
        let r = if o.aux() == Kind::Vector as u16 { vector::persistent(vm, o) } else { o.get(0) };
        vm.heap.write(o, o.len() - 1, Value::FALSE);
        Ok(r)
    };
    conj_t |vm, a| {
        if a.is_empty() { let v = vector::of(vm, &[]); return Ok(vector::transient(vm, v.obj().expect("a vector"))); }
        let o = live_transient(vm, a[0])?;
        for x in &a[1..] {
            if o.aux() == Kind::Vector as u16 { vector::t_conj(vm, o, *x) } else { let m = coll::conj(vm, o.get(0), *x)?; vm.heap.write(o, 0, m) }
        }
        Ok(a[0])
    };
    assoc_t |vm, a| {
        let o = live_transient(vm, a[0])?;
        if a.len().is_multiple_of(2) { return Err(vm.err(ErrKind::Argument, "assoc! expects pairs")); }
        for e in a[1..].chunks(2) {
            if o.aux() == Kind::Vector as u16 {
                let Some(i) = as_long(e[0]) else { return Err(vm.err(ErrKind::Argument, "Key must be integer")) };
                if i < 0 || !vector::t_assoc(vm, o, i as usize, e[1]) { return Err(vm.err(ErrKind::Index, format!("index {i} is out of bounds"))); }
            } else { let m = coll::assoc(vm, o.get(0), e[0], e[1])?; vm.heap.write(o, 0, m) }
        }
        Ok(a[0])
    };
    dissoc_t |vm, a| { let o = live_transient(vm, a[0])?; for k in &a[1..] { let m = coll::dissoc(vm, o.get(0), *k)?; vm.heap.write(o, 0, m); } Ok(a[0]) };
    disj_t |vm, a| { let o = live_transient(vm, a[0])?; for k in &a[1..] { let s = disj(vm, &[o.get(0), *k])?; vm.heap.write(o, 0, s); } Ok(a[0]) };
    pop_t |vm, a| { let o = live_transient(vm, a[0])?; if vector::count(o) == 0 { return Err(vm.err(ErrKind::State, "Can't pop empty vector")); } vector::t_pop(vm, o); Ok(a[0]) };
    vector_p |_vm, a| kind_is(a[0], &[Kind::Vector, Kind::MapEntry]);
    map_p |vm, a| Ok(Value::bool(coll::is_map(a[0]) || instance_has(vm, a[0], "without")));
    set_p |_vm, a| Ok(Value::bool(coll::is_set(a[0])));
    list_p |_vm, a| kind_is(a[0], &[Kind::List, Kind::EmptyList]);
    seq_p |vm, a| Ok(Value::bool(coll::is_seq(a[0]) || instance_has(vm, a[0], "more")));
    coll_p |vm, a| Ok(Value::bool(coll::is_map(a[0]) || coll::is_set(a[0]) || coll::is_sequential(a[0]) || instance_has(vm, a[0], "cons")));
    sequential_p |_vm, a| Ok(Value::bool(coll::is_sequential(a[0])));
    associative_p |vm, a| Ok(Value::bool(coll::is_map(a[0]) || coll::is_vector(a[0]) || instance_has(vm, a[0], "assoc")));
    sorted_p |_vm, a| kind_is(a[0], &[Kind::SortedMap, Kind::SortedSet]);
    counted_p |vm, a| Ok(Value::bool(coll::is_map(a[0]) || coll::is_set(a[0]) || coll::is_vector(a[0]) || matches!(a[0].kind(), Some(Kind::List | Kind::EmptyList | Kind::Queue | Kind::IndexedSeq | Kind::Range)) || instance_has(vm, a[0], "count")));
    reversible_p |_vm, a| kind_is(a[0], &[Kind::Vector, Kind::MapEntry, Kind::SortedMap, Kind::SortedSet]);
    indexed_p |_vm, a| kind_is(a[0], &[Kind::Vector, Kind::MapEntry]);
    map_entry_p |_vm, a| kind_is(a[0], &[Kind::MapEntry]);
    seqable_p |vm, a| Ok(Value::bool(a[0].is_nil() || coll::is_map(a[0]) || coll::is_set(a[0]) || coll::is_sequential(a[0]) || matches!(a[0].kind(), Some(Kind::Str | Kind::Array | Kind::PrimArray)) || instance_has(vm, a[0], "seq")));
    fn_p |_vm, a| kind_is(a[0], &[Kind::Closure, Kind::PrimFn, Kind::ProtocolFn, Kind::KontFn, Kind::MultiFn]);
    ifn_p |vm, a| Ok(Value::bool(a[0].is_keyword() || vm.symbol_id(a[0]).is_some() || coll::is_map(a[0]) || coll::is_set(a[0]) || coll::is_vector(a[0]) || matches!(a[0].kind(), Some(Kind::Closure | Kind::PrimFn | Kind::ProtocolFn | Kind::KontFn | Kind::MultiFn | Kind::Var)) || instance_has(vm, a[0], "invoke")));
    queue_p |_vm, a| kind_is(a[0], &[Kind::Queue]);
    array_p |_vm, a| kind_is(a[0], &[Kind::Array, Kind::PrimArray]);
    p_object_array |vm, a| object_array(vm, a);
    long_array |vm, a| make_array(vm, a, elem::LONG);
    int_array |vm, a| make_array(vm, a, elem::INT);
    double_array |vm, a| make_array(vm, a, elem::DOUBLE);
    float_array |vm, a| make_array(vm, a, elem::FLOAT);
    boolean_array |vm, a| make_array(vm, a, elem::BOOLEAN);
    byte_array |vm, a| make_array(vm, a, elem::BYTE);
    short_array |vm, a| make_array(vm, a, elem::SHORT);
    char_array |vm, a| make_array(vm, a, elem::CHAR);
    aget |vm, a| coll::aget(vm, a[0], a[1]);
    aset |vm, a| coll::aset(vm, a[0], a[1], a[2]);
    alength |vm, a| match a[0].obj() { Some(o) if matches!(o.kind(), Kind::Array | Kind::PrimArray) => Ok(Value::fix(o.len() as i64)), _ => Err(coll::type_err(vm, a[0], "not an array")) };
    aclone |vm, a| match a[0].obj() { Some(o) if matches!(o.kind(), Kind::Array | Kind::PrimArray) => { let n = vm.heap.alloc(o.kind(), o.aux(), o.len()); n.copy_words(0, o, 0, o.len()); Ok(n.into()) } _ => Err(coll::type_err(vm, a[0], "not an array")) };
    to_array |vm, a| { let i = coll::spread(vm, a[0], usize::MAX)?; Ok(vm.alloc(Kind::Array, &i)) };
    // Stable sort of a realised collection by `compare`.
    sort_default |vm, a| {
        let items = coll::spread(vm, a[0], usize::MAX)?;
        let sorted = merge_sort(vm, items)?;
        Ok(coll::seq_of_items(vm, &sorted))
    };
    // cells
    atom |vm, a| Ok(vm.alloc(Kind::Atom, &[a[0], Value::NIL, Value::NIL, Value::NIL]));
    reset_raw |vm, a| match a[0].obj() { Some(o) if matches!(o.kind(), Kind::Atom | Kind::Volatile | Kind::Ref | Kind::Box) => { vm.heap.write(o, 0, a[1]); Ok(a[1]) } _ => Err(coll::type_err(vm, a[0], "not a reference")) };
    // (yin.rt/cell-get ref i) and (yin.rt/cell-set! ref i v): metadata 1, watches 2, validator 3 of atoms and refs
    swap_plain |vm, a| match a[0].as_kind(Kind::Atom) {
        // 2 watches, 3 validator
        Some(o) if o.get(2).is_nil() && o.get(3).is_nil() && o.get(0) == a[1] => { vm.heap.write(o, 0, a[2]); Ok(Value::TRUE) }
        _ => Ok(Value::FALSE),
    };
    cell_get |vm, a| match (a[0].obj(), a[1].as_fix()) { (Some(o), Some(i)) if matches!(o.kind(), Kind::Atom | Kind::Ref | Kind::Promise) && (0..o.len() as i64).contains(&i) => Ok(o.get(i as usize)), (Some(o), Some(i @ 2..=3)) if o.kind() == Kind::Var => Ok(o.get(slot::VAR_WATCHES + i as usize - 2)), _ => Err(coll::type_err(vm, a[0], "not a reference")) };
    cell_set |vm, a| match (a[0].obj(), a[1].as_fix()) { (Some(o), Some(i)) if matches!(o.kind(), Kind::Atom | Kind::Ref | Kind::Promise) && (0..o.len() as i64).contains(&i) => { vm.heap.write(o, i as usize, a[2]); Ok(a[2]) } (Some(o), Some(i @ 2..=3)) if o.kind() == Kind::Var => { vm.heap.write(o, slot::VAR_WATCHES + i as usize - 2, a[2]); Ok(a[2]) } _ => Err(coll::type_err(vm, a[0], "not a reference")) };
    atom_p |_vm, a| kind_is(a[0], &[Kind::Atom]);
    volatile |vm, a| Ok(vm.alloc(Kind::Volatile, &[a[0]]));
    volatile_p |_vm, a| kind_is(a[0], &[Kind::Volatile]);
    vreset |vm, a| match a[0].as_kind(Kind::Volatile) { Some(o) => { vm.heap.write(o, 0, a[1]); Ok(a[1]) } None => Err(coll::type_err(vm, a[0], "not a volatile")) };
    deref |vm, a| coll::deref(vm, a[0]);
    delay |vm, a| Ok(vm.alloc(Kind::Delay, &[a[0], Value::NIL, Value::NIL]));
    delay_p |_vm, a| kind_is(a[0], &[Kind::Delay]);
    promise |vm, _a| Ok(vm.alloc(Kind::Promise, &[Value::ABSENT, Value::NIL]));
    promise_p |_vm, a| kind_is(a[0], &[Kind::Promise]);
    pending_p |_vm, a| Ok(Value::bool(a[0].as_kind(Kind::Promise).is_some_and(|o| o.get(0) == Value::ABSENT)));
    make_ref |vm, a| { let o = vm.heap.alloc_with(Kind::Ref, a[1].as_fix().unwrap_or(0) as u16, &[a[0], Value::NIL, Value::NIL, Value::NIL, Value::NIL]); Ok(o.into()) };
    ref_p |_vm, a| kind_is(a[0], &[Kind::Ref]);
    reduced |vm, a| Ok(vm.alloc(Kind::Reduced, &[a[0]]));
    reduced_p |_vm, a| kind_is(a[0], &[Kind::Reduced]);
    unreduced |_vm, a| Ok(match a[0].as_kind(Kind::Reduced) { Some(o) => o.get(0), None => a[0] });
    tagged_literal |vm, a| Ok(vm.alloc(Kind::TaggedLiteral, &[a[0], a[1]]));
    tagged_p |_vm, a| kind_is(a[0], &[Kind::TaggedLiteral]);
    // vars
    var_p |_vm, a| kind_is(a[0], &[Kind::Var]);
    var_part |vm, a| match (a[0].as_kind(Kind::Var), a[1].as_fix()) { (Some(o), Some(i)) if (0..slot::VAR_LEN as i64).contains(&i) => { let v = o.get(i as usize); Ok(if v == Value::UNBOUND { Value::NIL } else { v }) } _ => Err(coll::type_err(vm, a[0], "not a var")) };
    var_bound |vm, a| match a[0].as_kind(Kind::Var) { Some(o) => Ok(Value::bool(o.get(slot::VAR_ROOT) != Value::UNBOUND)), None => Err(coll::type_err(vm, a[0], "not a var")) };
    var_set_root |vm, a| match a[0].as_kind(Kind::Var) { Some(o) => { vm.set_root(o, a[1]); Ok(a[1]) } None => Err(coll::type_err(vm, a[0], "not a var")) };
    var_flags |vm, a| match (a[0].as_kind(Kind::Var), a[1].as_fix()) { (Some(o), Some(n)) => { vm.heap.write(o, slot::VAR_FLAGS, Value::fix(n)); Ok(a[0]) } _ => Err(coll::type_err(vm, a[0], "not a var")) };
    // (yin.rt/def-var var meta value?)
    def_var |vm, a| match a[0].as_kind(Kind::Var) {
        Some(o) => {
            if a.len() == 3 { vm.set_root(o, a[2]); }
            if !a[1].is_nil() || a.len() == 3 { vm.heap.write(o, slot::VAR_META, a[1]); }
            Ok(a[0])
        }
        None => Err(coll::type_err(vm, a[0], "not a var")),
    };
    // (set! var value): only inside a binding of the var
    set_var |vm, a| match a[0].as_kind(Kind::Var) {
        Some(o) => {
            let mut n = vm.roots.dyn_node;
            while let Some(node) = n.obj() {
                if node.words()[2..].chunks(2).any(|p| p[0] == a[0]) { vm.set_root(o, a[1]); return Ok(a[1]); }
                n = node.get(0);
            }
            // Settings every program may change for the rest of its run.
            let name = o.get(slot::VAR_NAME).as_plain_symbol().map_or("", |id| vm.names.text(id));
            if matches!(name, "*warn-on-reflection*" | "*unchecked-math*" | "*print-length*" | "*print-level*" | "*print-namespace-maps*" | "*assert*") {
                vm.set_root(o, a[1]);
                return Ok(a[1]);
            }
            let m = format!("Can't change/establish root binding of: {name} with set");
            Err(vm.err(ErrKind::State, m))
        }
        None => Err(coll::type_err(vm, a[0], "not a var")),
    };
    var_dynamic |_vm, a| Ok(Value::bool(a[0].as_kind(Kind::Var).is_some_and(|o| o.get(slot::VAR_FLAGS).fix_get() & var_flag::DYNAMIC != 0)));
    // Bindings in force as a vector of vars and values, innermost first.
    current_bindings |vm, _a| {
        let mut out: Vec<Value> = Vec::new();
        let mut n = vm.roots.dyn_node;
        while let Some(node) = n.obj() {
            for p in node.words()[2..].chunks(2) { if !out.iter().step_by(2).any(|v| *v == p[0]) { let root = p[0].obj().expect("a var").get(slot::VAR_ROOT); out.extend([p[0], root]); } }
            n = node.get(0);
        }
        Ok(vector::of(vm, &out))
    };
    // Can the machine spread it over arguments without running anything?
    realized_coll |_vm, a| {
        let mut s = a[0];
        for _ in 0..4000 {
            let Some(o) = s.obj() else { return Ok(Value::bool(s.is_nil())) };
            match o.kind() {
                Kind::EmptyList | Kind::Vector | Kind::MapEntry | Kind::Str | Kind::ArrayMap | Kind::HashMap | Kind::SortedMap | Kind::HashSet | Kind::SortedSet | Kind::Record | Kind::Array | Kind::PrimArray | Kind::Queue => return Ok(Value::TRUE),
                Kind::IndexedSeq => return Ok(Value::TRUE),
                Kind::Range => return Ok(Value::bool(o.get(1) != Value::ABSENT)),
                Kind::List | Kind::Cons => s = o.get(1),
                Kind::ChunkedCons => s = o.get(2),
                Kind::LazySeq if o.get(slot::LAZY_THUNK).is_nil() => s = o.get(slot::LAZY_VALUE),
                _ => return Ok(Value::FALSE),
            }
        }
        Ok(Value::FALSE)
    };
    last_of |vm, a| { let i = coll::spread(vm, a[0], usize::MAX)?; Ok(i.last().copied().unwrap_or(Value::NIL)) };
    but_last_of |vm, a| { let mut i = coll::spread(vm, a[0], usize::MAX)?; i.pop(); Ok(coll::list_of(vm, &i)) };
    make_var |vm, _a| { let mut w = [Value::NIL; slot::VAR_LEN]; w[slot::VAR_ROOT] = Value::UNBOUND; w[slot::VAR_FLAGS] = Value::fix(var_flag::DYNAMIC); let n = vm.symbol("local"); w[slot::VAR_NAME] = n; w[slot::VAR_NS] = n; Ok(vm.alloc(Kind::Var, &w)) };
    set_field |vm, a| { let name = vm.symbol_id(a[1]); match a[0].obj() { Some(o) if matches!(o.kind(), Kind::Instance) => { let fields = coll::vector_values(o.get(0).obj().expect("a type").get(1)); match fields.iter().position(|f| vm.symbol_id(*f) == name) { Some(i) => { vm.heap.write(o, 1 + i, a[2]); Ok(a[2]) } None => Err(coll::type_err(vm, a[0], "no such field")) } } _ => Err(coll::type_err(vm, a[0], "no such field")) } };
    unsupported |vm, _a| Err(vm.err(ErrKind::State, "a frame operation was called as a plain function"));
}
/// Stable merge sort by `compare`.
fn merge_sort(vm: &mut Vm, items: Vec<Value>) -> R<Vec<Value>> {
    let mut from = items;
    let mut to = from.clone();
    let mut width = 1;
    while width < from.len() {
        for lo in (0..from.len()).step_by(2 * width) {
            let (mid, hi) = ((lo + width).min(from.len()), (lo + 2 * width).min(from.len()));
            let (mut i, mut j) = (lo, mid);
            for slot in &mut to[lo..hi] {
                let left = i < mid && (j >= hi || coll::compare(vm, from[i], from[j])? != Ordering::Greater);
                *slot = if left { from[i] } else { from[j] };
                if left { i += 1 } else { j += 1 }
            }
        }
        std::mem::swap(&mut from, &mut to);
        width *= 2;
    }
    if from.len() == 1 {
        coll::compare(vm, from[0], from[0])?;
    }
    Ok(from)
}

macro_rules! rows {
    ($($name:literal $min:tt $max:tt $flags:tt $f:ident $doc:literal;)*) => { &[$(prim($name, $min, $max, $flags, $f, $doc),)*] };
}
pub const TABLE: &[PrimDef] = rows! {
    "clojure.core/first" 1 1 PURE first "The first element, or nil.";
    "clojure.core/rest" 1 1 PURE rest "What follows the first element; () at the end.";
    "clojure.core/next" 1 1 PURE next "What follows the first element; nil at the end.";
    "clojure.core/seq" 1 1 PURE seq "A seq of the elements; nil if there are none.";
    "clojure.core/cons" 2 2 PURE cons "x in front of a seq.";
    "clojure.core/count" 1 1 PURE count "Number of elements.";
    "clojure.core/nth" 2 3 PURE nth "Element i.";
    "clojure.core/get" 2 3 PURE get "Value of a key.";
    "clojure.core/contains?" 2 2 PURE contains "Is there such a key?";
    "clojure.core/find" 2 2 PURE find "The entry of a key, or nil.";
    "clojure.core/assoc" 3 MANY PURE assoc "With keys and values.";
    "clojure.core/dissoc" 1 MANY PURE dissoc "Without keys.";
    "clojure.core/conj" 0 MANY PURE conj "With more elements.";
    "clojure.core/disj" 1 MANY PURE disj "A set without elements.";
    "clojure.core/=" 1 MANY PURE equiv "Are they equal?";
    "clojure.core/not=" 1 MANY PURE not_eq "Are they unequal?";
    "clojure.core/identical?" 2 2 PURE identical "Are they one object?";
    "clojure.core/hash" 1 1 PURE hash "A hash that agrees with =.";
    "clojure.core/compare" 2 2 PURE compare "-1, 0 or 1.";
    "clojure.core/not" 1 1 PURE not "true for nil and false.";
    "clojure.core/nil?" 1 1 PURE nil_p "Is it nil?";
    "clojure.core/some?" 1 1 PURE some_p "Is it not nil?";
    "clojure.core/true?" 1 1 PURE true_p "Is it true?";
    "clojure.core/false?" 1 1 PURE false_p "Is it false?";
    "clojure.core/boolean" 1 1 PURE boolean "Its truth.";
    "clojure.core/boolean?" 1 1 PURE boolean_p "Is it a boolean?";
    "clojure.core/vector" 0 MANY PURE vector "A vector of the arguments.";
    "clojure.core/list" 0 MANY PURE list "A list of the arguments.";
    "clojure.core/hash-map" 0 MANY PURE hash_map "A map of keys and values.";
    "clojure.core/array-map" 0 MANY PURE p_array_map "A map that keeps order while small.";
    "clojure.core/hash-set" 0 MANY PURE hash_set "A set of the arguments.";
    "yin.rt/map-of" 0 MANY PURE map_of "A map literal.";
    "yin.rt/set-of" 0 MANY PURE p_set_of "A set literal.";
    "yin.rt/join-colls" 2 2 PURE join_colls "Elements of the second added to the first.";
    "yin.rt/vec" 1 1 PURE vec "A vector of a realised collection.";
    "clojure.core/peek" 1 1 PURE peek "The element pop would take.";
    "clojure.core/pop" 1 1 PURE pop "Without the element peek shows.";
    "clojure.core/empty" 1 1 PURE empty "An empty collection of the kind.";
    "clojure.core/keys" 1 1 PURE keys "Keys of a map.";
    "clojure.core/vals" 1 1 PURE vals "Values of a map.";
    "clojure.core/key" 1 1 PURE key "Key of an entry.";
    "clojure.core/val" 1 1 PURE val "Value of an entry.";
    "yin.rt/map-entry" 2 2 PURE map_entry "A map entry.";
    "clojure.core/subvec" 2 3 PURE subvec "Part of a vector.";
    "clojure.core/sorted-map" 0 MANY 0 p_sorted_map "A map sorted by key.";
    "clojure.core/sorted-map-by" 1 MANY 0 p_sorted_map_by "A map sorted by a comparator.";
    "clojure.core/sorted-set" 0 MANY 0 p_sorted_set "A sorted set.";
    "clojure.core/sorted-set-by" 1 MANY 0 p_sorted_set_by "A set sorted by a comparator.";
    "clojure.core/rseq" 1 1 PURE rseq "The elements backwards.";
    "yin.rt/sorted-entries" 1 1 0 sorted_entries "Entries of a sorted collection.";
    "yin.rt/sorted-order" 3 3 0 sorted_order "Order of two keys in a sorted collection.";
    "yin.rt/queue" 0 0 0 queue "An empty queue.";
    "yin.rt/range" 3 3 0 range "A range; end nil = for ever.";
    "yin.rt/lazy-seq" 1 1 0 lazy_seq "A seq computed when needed.";
    "clojure.core/realized?" 1 1 0 realized "Is its value there?";
    "clojure.core/chunked-seq?" 1 1 PURE chunk_p "Is it a chunked seq?";
    "clojure.core/chunk-first" 1 1 PURE chunk_first "The chunk in front.";
    "clojure.core/chunk-rest" 1 1 PURE chunk_rest "What follows the chunk.";
    "clojure.core/chunk-cons" 2 2 PURE chunk_cons "A chunk in front of a seq.";
    "clojure.core/chunk-buffer" 1 1 0 chunk_buffer "A chunk to fill.";
    "clojure.core/chunk-append" 2 2 0 chunk_append "Adds to a chunk.";
    "clojure.core/chunk" 1 1 0 chunk "A filled chunk.";
    "yin.rt/block-at" 2 2 PURE block_at "The block of a vector with element i.";
    "yin.rt/block-get" 2 2 PURE block_get "Element of a block.";
    "yin.rt/block-len" 1 1 PURE block_len "Elements of a block.";
    "clojure.core/transient" 1 1 0 transient "An editable copy.";
    "clojure.core/persistent!" 1 1 0 persistent "The collection a transient has become.";
    "clojure.core/conj!" 0 MANY 0 conj_t "Adds to a transient.";
    "clojure.core/assoc!" 3 MANY 0 assoc_t "Sets keys of a transient.";
    "clojure.core/dissoc!" 2 MANY 0 dissoc_t "Removes keys of a transient.";
    "clojure.core/disj!" 2 MANY 0 disj_t "Removes elements of a transient set.";
    "clojure.core/pop!" 1 1 0 pop_t "Removes the last element of a transient vector.";
    "clojure.core/vector?" 1 1 PURE vector_p "Is it a vector?";
    "clojure.core/map?" 1 1 PURE map_p "Is it a map?";
    "clojure.core/set?" 1 1 PURE set_p "Is it a set?";
    "clojure.core/list?" 1 1 PURE list_p "Is it a list?";
    "clojure.core/seq?" 1 1 PURE seq_p "Is it a seq?";
    "clojure.core/coll?" 1 1 PURE coll_p "Is it a collection?";
    "clojure.core/sequential?" 1 1 PURE sequential_p "Is it in sequence?";
    "clojure.core/associative?" 1 1 PURE associative_p "Has it keys?";
    "clojure.core/sorted?" 1 1 PURE sorted_p "Is it sorted?";
    "clojure.core/counted?" 1 1 PURE counted_p "Is counting it quick?";
    "clojure.core/reversible?" 1 1 PURE reversible_p "Can rseq reverse it?";
    "clojure.core/indexed?" 1 1 PURE indexed_p "Is nth quick on it?";
    "clojure.core/map-entry?" 1 1 PURE map_entry_p "Is it a map entry?";
    "clojure.core/seqable?" 1 1 PURE seqable_p "Can seq take it?";
    "clojure.core/fn?" 1 1 PURE fn_p "Is it a function?";
    "clojure.core/ifn?" 1 1 PURE ifn_p "Can it be called?";
    "yin.rt/queue?" 1 1 PURE queue_p "Is it a queue?";
    "yin.rt/array?" 1 1 PURE array_p "Is it an array?";
    "clojure.core/object-array" 1 1 0 p_object_array "An array of objects.";
    "clojure.core/long-array" 1 2 0 long_array "An array of longs.";
    "clojure.core/int-array" 1 2 0 int_array "An array of integers.";
    "clojure.core/double-array" 1 2 0 double_array "An array of doubles.";
    "clojure.core/float-array" 1 2 0 float_array "An array of floats.";
    "clojure.core/boolean-array" 1 2 0 boolean_array "An array of booleans.";
    "clojure.core/byte-array" 1 2 0 byte_array "An array of bytes.";
    "clojure.core/short-array" 1 2 0 short_array "An array of shorts.";
    "clojure.core/char-array" 1 2 0 char_array "An array of characters.";
    "yin.rt/aget" 2 2 0 aget "Element of an array.";
    "yin.rt/aset" 3 3 0 aset "Sets an element of an array.";
    "clojure.core/alength" 1 1 0 alength "Length of an array.";
    "clojure.core/aclone" 1 1 0 aclone "A copy of an array.";
    "yin.rt/to-array" 1 1 0 to_array "An array of a realised collection.";
    "yin.rt/sort" 1 1 0 sort_default "A realised collection sorted by compare.";
    "yin.rt/atom" 1 1 0 atom "A new atom.";
    "yin.rt/reset" 2 2 0 reset_raw "Sets a reference.";
    "yin.rt/swap-plain" 3 3 0 swap_plain "Sets an atom that has neither validator nor watches and still has the old value; was it so?";
    "yin.rt/cell-get" 2 2 0 cell_get "Part of a reference.";
    "yin.rt/cell-set!" 3 3 0 cell_set "Sets a part of a reference.";
    "yin.rt/atom?" 1 1 PURE atom_p "Is it an atom?";
    "clojure.core/volatile!" 1 1 0 volatile "A new volatile.";
    "clojure.core/volatile?" 1 1 PURE volatile_p "Is it a volatile?";
    "clojure.core/vreset!" 2 2 0 vreset "Sets a volatile.";
    "yin.rt/deref" 1 1 0 deref "Value of a reference.";
    "yin.rt/delay" 1 1 0 delay "A delay of a function.";
    "clojure.core/delay?" 1 1 PURE delay_p "Is it a delay?";
    "yin.rt/promise" 0 0 0 promise "A promise.";
    "yin.rt/promise?" 1 1 PURE promise_p "Is it a promise?";
    "yin.rt/pending?" 1 1 0 pending_p "Is it an undelivered promise?";
    "yin.rt/make-ref" 2 2 0 make_ref "A ref or agent.";
    "yin.rt/ref?" 1 1 PURE ref_p "Is it a ref or agent?";
    "clojure.core/reduced" 1 1 PURE reduced "Ends a reduction with x.";
    "clojure.core/reduced?" 1 1 PURE reduced_p "Does it end a reduction?";
    "clojure.core/unreduced" 1 1 PURE unreduced "x without reduced.";
    "clojure.core/tagged-literal" 2 2 PURE tagged_literal "A tagged literal.";
    "clojure.core/tagged-literal?" 1 1 PURE tagged_p "Is it a tagged literal?";
    "clojure.core/var?" 1 1 PURE var_p "Is it a var?";
    "yin.rt/var-part" 2 2 0 var_part "Part of a var.";
    "yin.rt/var-bound?" 1 1 0 var_bound "Has the var a value?";
    "yin.rt/var-set-root" 2 2 0 var_set_root "Sets the value of a var.";
    "yin.rt/var-set-flags" 2 2 0 var_flags "Sets the flags of a var.";
    "yin.rt/var-dynamic?" 1 1 0 var_dynamic "Is the var dynamic?";
    "yin.rt/def-var" 2 3 0 def_var "Defines a var.";
    "yin.rt/set-var" 2 2 0 set_var "Assigns a bound var.";
    "yin.rt/current-bindings" 0 0 0 current_bindings "Bindings in force.";
    "yin.rt/realized-coll?" 1 1 0 realized_coll "Is all of a collection there?";
    "yin.rt/last-of" 1 1 0 last_of "Last element of a realised collection.";
    "yin.rt/but-last-of" 1 1 0 but_last_of "A realised collection without its last element.";
    "yin.rt/make-var" 0 0 0 make_var "A var of no namespace.";
    "yin.rt/make-delay" 1 1 0 delay "A delay of a function.";
    "yin.rt/set-field" 3 3 0 set_field "Assigns a field.";
    "yin.rt/apply" 2 MANY VMOP unsupported "Calls f with arguments and the elements of the last one.";
    "yin.rt/with-bindings" 1 MANY VMOP unsupported "Calls a function with vars bound.";
    "yin.rt/force-delay" 1 1 VMOP unsupported "Value of a delay.";
    "yin.control/call-cc" 1 1 VMOP unsupported "Calls f with the whole continuation as a function that never returns.";
    "yin.control/call-with-prompt" 3 3 VMOP unsupported "Runs thunk under a prompt; abort-to-prompt calls handler with the continuation.";
    "yin.control/abort-to-prompt" 1 MANY VMOP unsupported "Leaves to the nearest prompt with the tag.";
    "yin.rt/perform" 1 MANY VMOP unsupported "Leaves to the innermost prompt whose tag handles an operation.";
    "yin.rt/suspend" 1 MANY VMOP unsupported "abort-to-prompt that runs no thunks of winds, here and when its continuation goes on.";
    "yin.control/dynamic-wind" 3 3 VMOP unsupported "Calls before on every entry of thunk and after on every exit.";
};
