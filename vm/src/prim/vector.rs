//! Persistent vectors: a radix-32 trie with a tail, after Bagwell and Hickey.
//!
//! `[count, shift, root, tail, meta]`; the root is nil while everything fits the tail.

use crate::layout::Kind;
use crate::machine::Vm;
use crate::value::{Obj, Value};

const BITS: usize = 5;
const WIDTH: usize = 32;
const MASK: usize = WIDTH - 1;

fn node(vm: &mut Vm, words: &[Value]) -> Value {
    vm.alloc(Kind::Node, words)
}
fn make(vm: &mut Vm, count: usize, shift: usize, root: Value, tail: Value, meta: Value) -> Value {
    vm.alloc(Kind::Vector, &[Value::fix(count as i64), Value::fix(shift as i64), root, tail, meta])
}
#[inline(always)]
pub fn count(v: Obj) -> usize {
    v.get_unchecked(0).fix_get() as usize
}
fn tail_offset(n: usize) -> usize {
    if n == 0 { 0 } else { (n - 1) & !MASK }
}
/// The node that holds element `i`.
#[inline(always)]
pub fn leaf(v: Obj, i: usize) -> Obj {
    let n = count(v);
    if i >= tail_offset(n) {
        return v.get_unchecked(3).obj().expect("a tail");
    }
    let mut at = v.get_unchecked(2).obj().expect("a root");
    let mut shift = v.get_unchecked(1).fix_get() as usize;
    while shift > 0 {
        at = at.get(i >> shift & MASK).obj().expect("a node");
        shift -= BITS;
    }
    at
}
#[inline(always)]
pub fn get(v: Obj, i: usize) -> Option<Value> {
    if i < count(v) { Some(leaf(v, i).get(i & MASK)) } else { None }
}
/// A vector of `items`. O(n).
pub fn of(vm: &mut Vm, items: &[Value]) -> Value {
    let cut = tail_offset(items.len());
    let tail = node(vm, &items[cut..]);
    if cut == 0 {
        return make(vm, items.len(), 0, Value::NIL, tail, Value::NIL);
    }
    let mut level: Vec<Value> = items[..cut].chunks(WIDTH).map(|c| node(vm, c)).collect();
    let mut shift = 0;
    while level.len() > 1 || shift == 0 {
        level = level.chunks(WIDTH).map(|c| node(vm, c)).collect();
        shift += BITS;
    }
    make(vm, items.len(), shift, level[0], tail, Value::NIL)
}
/// Puts leaf `leaf` (elements `n-32..n` of the trie part) into the trie.
fn push_leaf(vm: &mut Vm, root: Value, shift: usize, n: usize, leaf: Value) -> (Value, usize) {
    let Some(r) = root.obj() else {
        return (node(vm, &[leaf]), BITS);
    };
    let first = n - WIDTH;
    if first >> (shift + BITS) > 0 || first >= 1 << (shift + BITS) {
        let path = new_path(vm, shift, leaf);
        return (node(vm, &[root, path]), shift + BITS);
    }
    (push_into(vm, r, shift, first, leaf), shift)
}
fn new_path(vm: &mut Vm, shift: usize, leaf: Value) -> Value {
    let mut at = leaf;
    let mut s = 0;
    while s < shift {
        at = node(vm, &[at]);
        s += BITS;
    }
    at
}
fn push_into(vm: &mut Vm, at: Obj, shift: usize, i: usize, leaf: Value) -> Value {
    let slot = i >> shift & MASK;
    let child = if shift == BITS {
        leaf
    } else if slot < at.len() {
        let c = at.get(slot).obj().expect("a node");
        push_into(vm, c, shift - BITS, i, leaf)
    } else {
        new_path(vm, shift - BITS, leaf)
    };
    let o = vm.heap.alloc(Kind::Node, 0, at.len().max(slot + 1));
    o.copy_words(0, at, 0, at.len());
    o.set(slot, child);
    o.into()
}
pub fn conj(vm: &mut Vm, v: Obj, x: Value) -> Value {
    let n = count(v);
    let tail = v.get(3).obj().expect("a tail");
    if tail.len() < WIDTH {
        let t = vm.heap.alloc(Kind::Node, 0, tail.len() + 1);
        t.copy_words(0, tail, 0, tail.len());
        t.set(tail.len(), x);
        return make(vm, n + 1, v.get(1).fix_get() as usize, v.get(2), t.into(), v.get(4));
    }
    let (root, shift) = push_leaf(vm, v.get(2), v.get(1).fix_get() as usize, n, tail.into());
    let t = node(vm, &[x]);
    make(vm, n + 1, shift, root, t, v.get(4))
}
fn copy_with(vm: &mut Vm, at: Obj, i: usize, x: Value) -> Value {
    let o = vm.heap.alloc(Kind::Node, 0, at.len());
    o.copy_words(0, at, 0, at.len());
    o.set(i, x);
    o.into()
}
fn set_into(vm: &mut Vm, at: Obj, shift: usize, i: usize, x: Value) -> Value {
    if shift == 0 {
        return copy_with(vm, at, i & MASK, x);
    }
    let slot = i >> shift & MASK;
    let child = at.get(slot).obj().expect("a node");
    let child = set_into(vm, child, shift - BITS, i, x);
    copy_with(vm, at, slot, child)
}
/// Replaces element `i`; `i` = count appends. `None`: out of range.
pub fn assoc(vm: &mut Vm, v: Obj, i: usize, x: Value) -> Option<Value> {
    let n = count(v);
    if i == n {
        return Some(conj(vm, v, x));
    }
    if i > n {
        return None;
    }
    let (shift, root, tail) = (v.get(1).fix_get() as usize, v.get(2), v.get(3));
    if i >= tail_offset(n) {
        let t = copy_with(vm, tail.obj().expect("a tail"), i & MASK, x);
        return Some(make(vm, n, shift, root, t, v.get(4)));
    }
    let root = set_into(vm, root.obj().expect("a root"), shift, i, x);
    Some(make(vm, n, shift, root, tail, v.get(4)))
}
/// Without the last element; the vector must not be empty.
pub fn pop(vm: &mut Vm, v: Obj) -> Value {
    let n = count(v);
    let tail = v.get(3).obj().expect("a tail");
    if tail.len() > 1 || n == 1 {
        let t = node(vm, &tail.words()[..tail.len() - 1]);
        return make(vm, n - 1, v.get(1).fix_get() as usize, v.get(2), t, v.get(4));
    }
    let new_tail = leaf(v, n - 2);
    let (shift, root) = (v.get(1).fix_get() as usize, v.get(2).obj().expect("a root"));
    let root = pop_leaf(vm, root, shift, n - 2);
    let (mut root, mut shift) = (root, shift);
    while let Some(o) = root.obj()
        && o.len() == 1
        && shift > BITS
    {
        root = o.get(0);
        shift -= BITS;
    }
    if root.is_nil() {
        shift = 0;
    }
    make(vm, n - 1, shift, root, new_tail.into(), v.get(4))
}
fn pop_leaf(vm: &mut Vm, at: Obj, shift: usize, i: usize) -> Value {
    let slot = i >> shift & MASK;
    if shift > BITS {
        let child = pop_leaf(vm, at.get(slot).obj().expect("a node"), shift - BITS, i);
        if !child.is_nil() {
            return copy_with(vm, at, slot, child);
        }
    }
    if slot == 0 { Value::NIL } else { node(vm, &at.words()[..slot]) }
}
/// All elements. O(n).
pub fn items(v: Obj) -> Vec<Value> {
    let n = count(v);
    let mut out = Vec::with_capacity(n);
    let mut i = 0;
    while i < n {
        let l = leaf(v, i);
        out.extend_from_slice(l.words());
        i += l.len();
    }
    out
}

// Transient vectors: `[count, shift, root, tail (32 wide), live?]`, aux = Kind::Vector.
pub fn transient(vm: &mut Vm, v: Obj) -> Value {
    let tail = v.get(3).obj().expect("a tail");
    let t = vm.heap.alloc(Kind::Node, 0, WIDTH);
    t.copy_words(0, tail, 0, tail.len());
    let words = [v.get(0), v.get(1), v.get(2), t.into(), Value::TRUE];
    vm.heap.alloc_with(Kind::Transient, Kind::Vector as u16, &words).into()
}
pub fn t_conj(vm: &mut Vm, t: Obj, x: Value) {
    let n = count(t);
    let used = n - tail_offset(n).min(n);
    let tail = t.get(3).obj().expect("a tail");
    if used < WIDTH {
        vm.heap.write(tail, used, x);
    } else {
        let (root, shift) = push_leaf(vm, t.get(2), t.get(1).fix_get() as usize, n, tail.into());
        let fresh = vm.heap.alloc(Kind::Node, 0, WIDTH);
        fresh.set(0, x);
        vm.heap.write(t, 2, root);
        vm.heap.write(t, 1, Value::fix(shift as i64));
        vm.heap.write(t, 3, fresh.into());
    }
    vm.heap.write(t, 0, Value::fix(n as i64 + 1));
}
pub fn t_assoc(vm: &mut Vm, t: Obj, i: usize, x: Value) -> bool {
    let n = count(t);
    if i == n {
        t_conj(vm, t, x);
        return true;
    }
    if i > n {
        return false;
    }
    if i >= tail_offset(n) {
        vm.heap.write(t.get(3).obj().expect("a tail"), i & MASK, x);
    } else {
        let root = set_into(vm, t.get(2).obj().expect("a root"), t.get(1).fix_get() as usize, i, x);
        vm.heap.write(t, 2, root);
    }
    true
}
pub fn t_pop(vm: &mut Vm, t: Obj) {
    let v = persistent(vm, t);
    let v = pop(vm, v.obj().expect("a vector"));
    let fresh = transient(vm, v.obj().expect("a vector")).obj().expect("a transient");
    (0..4).for_each(|i| vm.heap.write(t, i, fresh.get(i)));
}
/// The vector a transient has become. The tail is copied, so that the transient may be dropped or misused safely.
pub fn persistent(vm: &mut Vm, t: Obj) -> Value {
    let n = count(t);
    let used = n - tail_offset(n).min(n);
    let tail = node(vm, &t.get(3).obj().expect("a tail").words()[..used]);
    make(vm, n, t.get(1).fix_get() as usize, t.get(2), tail, Value::NIL)
}
