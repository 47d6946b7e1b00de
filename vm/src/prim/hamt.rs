//! Hash maps: compressed hash-array mapped prefix tries (Steindorff & Vinju, OOPSLA 2015), over array maps of up to eight
//! entries that keep insertion order.
//!
//! Node: `[data bitmap, child bitmap, k0, v0, k1, v1, …, child0, child1, …]`, bitmaps as fixnums. Below the hash's last
//! bits: `HashCollision [hash, k0, v0, …]`.

use super::R;
use super::coll::{equiv, hash};
use crate::layout::Kind;
use crate::machine::Vm;
use crate::value::{Obj, Value};

const ARRAY_MAX: usize = 8;

#[inline(always)]
fn same_key(vm: &mut Vm, a: Value, b: Value) -> R<bool> {
    if a == b {
        return Ok(true);
    }
    // Immediates and fixnums are equal only to themselves or to boxed numbers.
    if !a.is_ref() && !b.is_ref() {
        return Ok(false);
    }
    equiv(vm, a, b)
}
fn maps(n: Obj) -> (u32, u32) {
    (n.get_unchecked(0).fix_get() as u32, n.get_unchecked(1).fix_get() as u32)
}
fn index(map: u32, bit: u32) -> usize {
    (map & (bit - 1)).count_ones() as usize
}

pub fn empty(vm: &mut Vm) -> Value {
    vm.alloc(Kind::ArrayMap, &[Value::NIL])
}
pub fn count(m: Obj) -> usize {
    match m.kind() {
        Kind::ArrayMap => (m.len() - 1) / 2,
        _ => m.get(0).fix_get() as usize,
    }
}
pub fn meta_slot(m: Obj) -> usize {
    if m.kind() == Kind::ArrayMap { 0 } else { 2 }
}

/// Value of `k`, or ABSENT. O(log32 n).
pub fn get(vm: &mut Vm, m: Obj, k: Value) -> R {
    if m.kind() == Kind::ArrayMap {
        return Ok(match array_index(vm, m, k)? {
            Some(i) => m.get(i + 1),
            None => Value::ABSENT,
        });
    }
    let Some(mut n) = m.get(1).obj() else { return Ok(Value::ABSENT) };
    let h = hash(vm, k)?;
    let mut shift = 0;
    loop {
        if n.kind() == Kind::HashCollision {
            let mut i = 1;
            while i < n.len() {
                if same_key(vm, n.get(i), k)? {
                    return Ok(n.get(i + 1));
                }
                i += 2;
            }
            return Ok(Value::ABSENT);
        }
        let (data, nodes) = maps(n);
        let bit = 1u32 << (h >> shift & 31);
        if data & bit != 0 {
            let i = 2 + 2 * index(data, bit);
            return Ok(if same_key(vm, n.get(i), k)? { n.get(i + 1) } else { Value::ABSENT });
        }
        if nodes & bit == 0 {
            return Ok(Value::ABSENT);
        }
        n = n.get(2 + 2 * data.count_ones() as usize + index(nodes, bit)).obj().expect("a node");
        shift += 5;
    }
}
fn array_index(vm: &mut Vm, m: Obj, k: Value) -> R<Option<usize>> {
    let mut i = 1;
    if !k.is_ref() {
        while i < m.len() {
            let x = m.get(i);
            if x == k || (x.is_ref() && !k.is_keyword() && equiv(vm, x, k)?) {
                return Ok(Some(i));
            }
            i += 2;
        }
        return Ok(None);
    }
    while i < m.len() {
        if same_key(vm, m.get(i), k)? {
            return Ok(Some(i));
        }
        i += 2;
    }
    Ok(None)
}

pub fn assoc(vm: &mut Vm, m: Obj, k: Value, v: Value) -> R {
    if m.kind() == Kind::ArrayMap {
        if let Some(i) = array_index(vm, m, k)? {
            if m.get(i + 1) == v {
                return Ok(m.into());
            }
            let o = vm.heap.alloc(Kind::ArrayMap, 0, m.len());
            o.copy_words(0, m, 0, m.len());
            o.set(i + 1, v);
            return Ok(o.into());
        }
        if count(m) < ARRAY_MAX {
            let o = vm.heap.alloc(Kind::ArrayMap, 0, m.len() + 2);
            o.copy_words(0, m, 0, m.len());
            o.set(m.len(), k);
            o.set(m.len() + 1, v);
            return Ok(o.into());
        }
        let mut root = Value::NIL;
        let mut added = false;
        for e in m.words()[1..].chunks(2) {
            let h = hash(vm, e[0])?;
            root = insert(vm, root, 0, h, e[0], e[1], &mut added)?;
        }
        let h = hash(vm, k)?;
        root = insert(vm, root, 0, h, k, v, &mut added)?;
        return Ok(vm.alloc(Kind::HashMap, &[Value::fix(count(m) as i64 + 1), root, m.get(0)]));
    }
    let h = hash(vm, k)?;
    let mut added = false;
    let root = insert(vm, m.get(1), 0, h, k, v, &mut added)?;
    if root == m.get(1) {
        return Ok(m.into());
    }
    let n = m.get(0).fix_get() + added as i64;
    Ok(vm.alloc(Kind::HashMap, &[Value::fix(n), root, m.get(2)]))
}
/// Node `at` (nil = empty) with `k` → `v`.
fn insert(vm: &mut Vm, at: Value, shift: u32, h: u32, k: Value, v: Value, added: &mut bool) -> R {
    let Some(n) = at.obj() else {
        *added = true;
        let bit = 1u32 << (h >> shift & 31);
        return Ok(vm.alloc(Kind::HashNode, &[Value::fix(bit as i64), Value::ZERO, k, v]));
    };
    if n.kind() == Kind::HashCollision {
        let mut i = 1;
        while i < n.len() {
            if same_key(vm, n.get(i), k)? {
                return Ok(replaced(vm, n, i + 1, v));
            }
            i += 2;
        }
        *added = true;
        let o = vm.heap.alloc(Kind::HashCollision, 0, n.len() + 2);
        o.copy_words(0, n, 0, n.len());
        o.set(n.len(), k);
        o.set(n.len() + 1, v);
        return Ok(o.into());
    }
    let (data, nodes) = maps(n);
    let bit = 1u32 << (h >> shift & 31);
    let n_data = data.count_ones() as usize;
    if data & bit != 0 {
        let i = 2 + 2 * index(data, bit);
        let (k0, v0) = (n.get(i), n.get(i + 1));
        if same_key(vm, k0, k)? {
            return Ok(if v0 == v { at } else { replaced(vm, n, i + 1, v) });
        }
        // Two keys in one place: push both down.
        *added = true;
        let h0 = hash(vm, k0)?;
        let child = pair(vm, shift + 5, (h0, k0, v0), (h, k, v));
        let (data2, nodes2) = (data & !bit, nodes | bit);
        let o = vm.heap.alloc(Kind::HashNode, 0, n.len() - 1);
        o.set(0, Value::fix(data2 as i64));
        o.set(1, Value::fix(nodes2 as i64));
        let at_child = index(nodes2, bit);
        o.copy_words(2, n, 2, i - 2);
        o.copy_words(i, n, i + 2, 2 * n_data - i);
        let (from, to) = (2 + 2 * n_data, 2 * n_data);
        o.copy_words(to, n, from, at_child);
        o.set(to + at_child, child);
        o.copy_words(to + at_child + 1, n, from + at_child, n.len() - from - at_child);
        return Ok(o.into());
    }
    if nodes & bit != 0 {
        let i = 2 + 2 * n_data + index(nodes, bit);
        let child = insert(vm, n.get(i), shift + 5, h, k, v, added)?;
        return Ok(if child == n.get(i) { at } else { replaced(vm, n, i, child) });
    }
    *added = true;
    let i = 2 + 2 * index(data, bit);
    let o = vm.heap.alloc(Kind::HashNode, 0, n.len() + 2);
    o.copy_words(0, n, 0, i);
    o.set(0, Value::fix((data | bit) as i64));
    o.set(i, k);
    o.set(i + 1, v);
    o.copy_words(i + 2, n, i, n.len() - i);
    Ok(o.into())
}
fn replaced(vm: &mut Vm, n: Obj, i: usize, v: Value) -> Value {
    let o = vm.heap.alloc(n.kind(), 0, n.len());
    o.copy_words(0, n, 0, n.len());
    o.set(i, v);
    o.into()
}
/// A node of two entries whose hashes agree below `shift`.
fn pair(vm: &mut Vm, shift: u32, a: (u32, Value, Value), b: (u32, Value, Value)) -> Value {
    if shift >= 32 {
        return vm.alloc(Kind::HashCollision, &[Value::fix(a.0 as i64), a.1, a.2, b.1, b.2]);
    }
    let (ia, ib) = (a.0 >> shift & 31, b.0 >> shift & 31);
    if ia == ib {
        let child = pair(vm, shift + 5, a, b);
        return vm.alloc(Kind::HashNode, &[Value::ZERO, Value::fix(1i64 << ia), child]);
    }
    let (x, y) = if ia < ib { (a, b) } else { (b, a) };
    let data = 1i64 << ia | 1i64 << ib;
    vm.alloc(Kind::HashNode, &[Value::fix(data), Value::ZERO, x.1, x.2, y.1, y.2])
}

pub fn dissoc(vm: &mut Vm, m: Obj, k: Value) -> R {
    if m.kind() == Kind::ArrayMap {
        let Some(i) = array_index(vm, m, k)? else { return Ok(m.into()) };
        let o = vm.heap.alloc(Kind::ArrayMap, 0, m.len() - 2);
        o.copy_words(0, m, 0, i);
        o.copy_words(i, m, i + 2, m.len() - i - 2);
        return Ok(o.into());
    }
    if m.get(1).is_nil() {
        return Ok(m.into());
    }
    let h = hash(vm, k)?;
    let root = remove(vm, m.get(1), 0, h, k)?;
    if root == m.get(1) {
        return Ok(m.into());
    }
    Ok(vm.alloc(Kind::HashMap, &[Value::fix(m.get(0).fix_get() - 1), root, m.get(2)]))
}
fn remove(vm: &mut Vm, at: Value, shift: u32, h: u32, k: Value) -> R {
    let n = at.obj().expect("a node");
    if n.kind() == Kind::HashCollision {
        let mut i = 1;
        while i < n.len() {
            if same_key(vm, n.get(i), k)? {
                if n.len() == 3 {
                    return Ok(Value::NIL);
                }
                let o = vm.heap.alloc(Kind::HashCollision, 0, n.len() - 2);
                o.copy_words(0, n, 0, i);
                o.copy_words(i, n, i + 2, n.len() - i - 2);
                return Ok(o.into());
            }
            i += 2;
        }
        return Ok(at);
    }
    let (data, nodes) = maps(n);
    let bit = 1u32 << (h >> shift & 31);
    let n_data = data.count_ones() as usize;
    if data & bit != 0 {
        let i = 2 + 2 * index(data, bit);
        if !same_key(vm, n.get(i), k)? {
            return Ok(at);
        }
        if n.len() == 4 {
            return Ok(Value::NIL);
        }
        let o = vm.heap.alloc(Kind::HashNode, 0, n.len() - 2);
        o.copy_words(0, n, 0, i);
        o.set(0, Value::fix((data & !bit) as i64));
        o.copy_words(i, n, i + 2, n.len() - i - 2);
        return Ok(o.into());
    }
    if nodes & bit == 0 {
        return Ok(at);
    }
    let i = 2 + 2 * n_data + index(nodes, bit);
    let child = remove(vm, n.get(i), shift + 5, h, k)?;
    if child == n.get(i) {
        return Ok(at);
    }
    // A child with a single entry moves up: the canonical form keeps equal maps of equal shape.
    if let Some(c) = child.obj()
        && c.kind() == Kind::HashNode
        && c.len() == 4
        && maps(c).1 == 0
    {
        let j = 2 + 2 * index(data | bit, bit);
        let o = vm.heap.alloc(Kind::HashNode, 0, n.len() + 1);
        o.set(0, Value::fix((data | bit) as i64));
        o.set(1, Value::fix((nodes & !bit) as i64));
        o.copy_words(2, n, 2, j - 2);
        o.set(j, c.get(2));
        o.set(j + 1, c.get(3));
        o.copy_words(j + 2, n, j, i - j);
        o.copy_words(i + 2, n, i + 1, n.len() - i - 1);
        return Ok(o.into());
    }
    if child.is_nil() {
        if n.len() == 3 {
            return Ok(Value::NIL);
        }
        let o = vm.heap.alloc(Kind::HashNode, 0, n.len() - 1);
        o.copy_words(0, n, 0, i);
        o.set(1, Value::fix((nodes & !bit) as i64));
        o.copy_words(i, n, i + 1, n.len() - i - 1);
        return Ok(o.into());
    }
    Ok(replaced(vm, n, i, child))
}

/// Keys of a set in iteration order, `m` being the map it is made of. O(n).
pub fn keys(vm: &Vm, m: Obj) -> Vec<Value> {
    let mut out: Vec<Value> = entries(vm, m).into_iter().map(|e| e.0).collect();
    if m.kind() == Kind::ArrayMap {
        vm.shuffle(&mut out);
    }
    out
}
/// Keys and values in iteration order: that of insertion for an array map, any for a hash map. O(n).
pub fn entries(vm: &Vm, m: Obj) -> Vec<(Value, Value)> {
    if m.kind() == Kind::ArrayMap {
        return m.words()[1..].chunks(2).map(|e| (e[0], e[1])).collect();
    }
    let mut out = Vec::with_capacity(m.get(0).fix_get() as usize);
    let mut stack: Vec<Obj> = m.get(1).obj().into_iter().collect();
    while let Some(n) = stack.pop() {
        if n.kind() == Kind::HashCollision {
            out.extend(n.words()[1..].chunks(2).map(|e| (e[0], e[1])));
            continue;
        }
        let data = maps(n).0.count_ones() as usize;
        out.extend(n.words()[2..2 + 2 * data].chunks(2).map(|e| (e[0], e[1])));
        stack.extend(n.words()[2 + 2 * data..].iter().rev().filter_map(|v| v.obj()));
    }
    vm.shuffle(&mut out);
    out
}
/// A map of pairs; later ones win.
pub fn of(vm: &mut Vm, pairs: &[(Value, Value)]) -> R {
    let mut m = empty(vm);
    for (k, v) in pairs {
        m = assoc(vm, m.obj().expect("a map"), *k, *v)?;
    }
    Ok(m)
}
