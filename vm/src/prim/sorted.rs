//! Sorted maps: weight-balanced trees (Adams 1993, parameters of Hirai & Yamamoto 2011: delta 3, ratio 2).
//!
//! Node: `[size, key, value, left, right]`. Map: `[count, root, comparator or nil, meta]`.

use super::R;
use super::coll::{compare, type_name};
use super::num;
use crate::layout::Kind;
use crate::machine::{ErrKind, Vm};
use crate::value::{Obj, Value};
use std::cmp::Ordering;

fn size(t: Value) -> i64 {
    t.obj().map_or(0, |o| o.get(0).fix_get())
}
fn make(vm: &mut Vm, k: Value, v: Value, l: Value, r: Value) -> Value {
    let n = size(l) + size(r) + 1;
    vm.alloc(Kind::TreeNode, &[Value::fix(n), k, v, l, r])
}
fn parts(t: Value) -> (Value, Value, Value, Value) {
    let o = t.obj().expect("a tree node");
    (o.get(1), o.get(2), o.get(3), o.get(4))
}
fn balance(vm: &mut Vm, k: Value, v: Value, l: Value, r: Value) -> Value {
    let (sl, sr) = (size(l), size(r));
    if sl + sr <= 1 || (sr <= 3 * sl && sl <= 3 * sr) {
        return make(vm, k, v, l, r);
    }
    if sr > sl {
        let (rk, rv, rl, rr) = parts(r);
        if size(rl) < 2 * size(rr) {
            let left = make(vm, k, v, l, rl);
            return make(vm, rk, rv, left, rr);
        }
        let (mk, mv, ml, mr) = parts(rl);
        let left = make(vm, k, v, l, ml);
        let right = make(vm, rk, rv, mr, rr);
        return make(vm, mk, mv, left, right);
    }
    let (lk, lv, ll, lr) = parts(l);
    if size(lr) < 2 * size(ll) {
        let right = make(vm, k, v, lr, r);
        return make(vm, lk, lv, ll, right);
    }
    let (mk, mv, ml, mr) = parts(lr);
    let left = make(vm, lk, lv, ll, ml);
    let right = make(vm, k, v, mr, r);
    make(vm, mk, mv, left, right)
}

/// Order of two keys by a map's comparator: nil = `compare`, a function giving a number or a truth value.
pub fn order(vm: &mut Vm, cmp: Value, a: Value, b: Value) -> R<Ordering> {
    if cmp.is_nil() {
        return compare(vm, a, b);
    }
    let r = vm.call_out(cmp, &[a, b])?;
    if r.is_bool() {
        if r == Value::TRUE {
            return Ok(Ordering::Less);
        }
        let back = vm.call_out(cmp, &[b, a])?;
        return Ok(if back == Value::TRUE { Ordering::Greater } else { Ordering::Equal });
    }
    match num::number(r) {
        Some(n) => Ok(num::cmp(&n, &num::Num::Long(0)).unwrap_or(Ordering::Equal)),
        None => {
            let t = type_name(vm, r);
            Err(vm.err(ErrKind::Type, format!("a comparator must return a number or a boolean, not {t}")))
        }
    }
}
pub fn empty(vm: &mut Vm, cmp: Value) -> Value {
    vm.alloc(Kind::SortedMap, &[Value::ZERO, Value::NIL, cmp, Value::NIL])
}
/// Entry of `k` as (key, value), if there is one. O(log n) comparisons.
pub fn find(vm: &mut Vm, m: Obj, k: Value) -> R<Option<(Value, Value)>> {
    let mut t = m.get(1);
    if t.is_nil() && m.get(2).is_nil() {
        return Ok(None);
    }
    while !t.is_nil() {
        let (tk, tv, l, r) = parts(t);
        t = match order(vm, m.get(2), k, tk)? {
            Ordering::Less => l,
            Ordering::Greater => r,
            Ordering::Equal => return Ok(Some((tk, tv))),
        };
    }
    Ok(None)
}
fn insert(vm: &mut Vm, cmp: Value, t: Value, k: Value, v: Value) -> R {
    if t.is_nil() {
        return Ok(make(vm, k, v, Value::NIL, Value::NIL));
    }
    let (tk, tv, l, r) = parts(t);
    Ok(match order(vm, cmp, k, tk)? {
        Ordering::Less => {
            let l = insert(vm, cmp, l, k, v)?;
            balance(vm, tk, tv, l, r)
        }
        Ordering::Greater => {
            let r = insert(vm, cmp, r, k, v)?;
            balance(vm, tk, tv, l, r)
        }
        Ordering::Equal => make(vm, tk, v, l, r),
    })
}
fn with_root(vm: &mut Vm, m: Obj, root: Value) -> Value {
    vm.alloc(Kind::SortedMap, &[Value::fix(size(root)), root, m.get(2), m.get(3)])
}
pub fn assoc(vm: &mut Vm, m: Obj, k: Value, v: Value) -> R {
    // The first key is compared with itself, so that what cannot be compared is refused.
    if m.get(1).is_nil() {
        order(vm, m.get(2), k, k)?;
    }
    let root = insert(vm, m.get(2), m.get(1), k, v)?;
    Ok(with_root(vm, m, root))
}
fn pop_min(vm: &mut Vm, t: Value) -> (Value, Value, Value) {
    let (k, v, l, r) = parts(t);
    if l.is_nil() {
        return (k, v, r);
    }
    let (mk, mv, l) = pop_min(vm, l);
    let rest = balance(vm, k, v, l, r);
    (mk, mv, rest)
}
fn delete(vm: &mut Vm, cmp: Value, t: Value, k: Value) -> R {
    if t.is_nil() {
        return Ok(t);
    }
    let (tk, tv, l, r) = parts(t);
    Ok(match order(vm, cmp, k, tk)? {
        Ordering::Less => {
            let l2 = delete(vm, cmp, l, k)?;
            if l2 == l { t } else { balance(vm, tk, tv, l2, r) }
        }
        Ordering::Greater => {
            let r2 = delete(vm, cmp, r, k)?;
            if r2 == r { t } else { balance(vm, tk, tv, l, r2) }
        }
        Ordering::Equal if l.is_nil() => r,
        Ordering::Equal if r.is_nil() => l,
        Ordering::Equal => {
            let (mk, mv, r) = pop_min(vm, r);
            balance(vm, mk, mv, l, r)
        }
    })
}
pub fn dissoc(vm: &mut Vm, m: Obj, k: Value) -> R {
    let root = delete(vm, m.get(2), m.get(1), k)?;
    Ok(if root == m.get(1) { m.into() } else { with_root(vm, m, root) })
}
/// Entries in order. O(n).
pub fn entries(m: Obj) -> Vec<(Value, Value)> {
    let mut out = Vec::with_capacity(m.get(0).fix_get() as usize);
    let mut stack = Vec::new();
    let mut t = m.get(1);
    while !t.is_nil() || !stack.is_empty() {
        while !t.is_nil() {
            stack.push(t);
            t = parts(t).2;
        }
        let top = stack.pop().expect("not empty");
        let (k, v, _, r) = parts(top);
        out.push((k, v));
        t = r;
    }
    out
}
