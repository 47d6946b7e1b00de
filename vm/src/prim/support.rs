//! Small primitives the Clojure part of the library stands on: what it cannot ask of values otherwise.

use super::coll::{self, elem};
use super::num::{self, as_long};
use super::text::{inst_text, want_str};
use super::{PURE, PrimDef, R, prim, types, vector};
use crate::layout::{Kind, slot};
use crate::machine::{ErrKind, Vm};
use crate::value::Value;
use std::io::Read;

fn double(vm: &mut Vm, v: Value) -> R<f64> {
    match num::number(v) {
        Some(n) => Ok(num::to_f64(&n)),
        None => Err(num::not_number(vm, v)),
    }
}
/// The low `bits` of an integer, with sign.
fn wrap(vm: &mut Vm, v: Value, bits: u32) -> R {
    let n = match (as_long(v), num::number(v)) {
        (Some(n), _) => n,
        (None, Some(num::Num::Big(b))) => {
            let digits = b.to_u64_digits().1;
            let low = digits.first().copied().unwrap_or(0) as i64;
            if b.sign() == num_bigint::Sign::Minus { low.wrapping_neg() } else { low }
        }
        (None, Some(n)) => num::to_f64(&n) as i64,
        _ => match v.as_char() {
            Some(c) => c as i64,
            None => return Err(num::not_number(vm, v)),
        },
    };
    let shift = 64 - bits.clamp(1, 64);
    Ok(vm.int(n << shift >> shift))
}
fn element_name(t: u16) -> &'static str {
    match t {
        elem::LONG => "long",
        elem::DOUBLE => "double",
        elem::INT => "int",
        elem::CHAR => "char",
        elem::BOOLEAN => "boolean",
        elem::BYTE => "byte",
        elem::SHORT => "short",
        elem::FLOAT => "float",
        _ => "object",
    }
}
/// Element type that a class stands for in `make-array` and `into-array`; boxed classes stand for objects.
fn element_of(vm: &mut Vm, class: Value) -> u16 {
    let Some(t) = class.as_kind(Kind::Type) else { return 0 };
    let name = vm.symbol_id(t.get(0)).map_or("", |id| vm.names.text(id));
    match name {
        "long" => elem::LONG,
        "double" => elem::DOUBLE,
        "int" => elem::INT,
        "char" => elem::CHAR,
        "boolean" => elem::BOOLEAN,
        "byte" => elem::BYTE,
        "short" => elem::SHORT,
        "float" => elem::FLOAT,
        _ => 0,
    }
}
fn new_array(vm: &mut Vm, t: u16, n: Value) -> R {
    let Some(n) = as_long(n) else { return Err(coll::type_err(vm, n, "an array length must be an integer, not")) };
    if n < 0 {
        return Err(vm.err(ErrKind::Argument, format!("negative array size: {n}")));
    }
    if t == 0 {
        let o = vm.heap.alloc(Kind::Array, 0, n as usize);
        (0..n as usize).for_each(|i| o.set(i, Value::NIL));
        return Ok(o.into());
    }
    let o = vm.heap.alloc(Kind::PrimArray, t, n as usize);
    (0..n as usize).for_each(|i| o.set_raw(i, 0));
    Ok(o.into())
}
fn typed_array(vm: &mut Vm, t: u16, items: Value) -> R {
    let items = coll::spread(vm, items, usize::MAX)?;
    if t == 0 {
        return Ok(vm.alloc(Kind::Array, &items));
    }
    let mut raw = Vec::with_capacity(items.len());
    for x in items {
        raw.push(coll::array_word(vm, t, x)?);
    }
    let o = vm.heap.alloc(Kind::PrimArray, t, raw.len());
    raw.into_iter().enumerate().for_each(|(i, w)| o.set_raw(i, w));
    Ok(o.into())
}
/// The parents a class is directly made of.
fn class_parents(vm: &mut Vm, c: Value) -> R {
    let Some(t) = c.as_kind(Kind::Type) else { return Ok(Value::NIL) };
    let name = vm.symbol_id(t.get(0)).map_or(String::new(), |id| vm.names.text(id).to_string());
    let mut names: Vec<String> = types::parents_of(&name).iter().map(|s| s.to_string()).collect();
    for i in coll::spread(vm, t.get(4), usize::MAX).unwrap_or_default() {
        if let Some(id) = vm.symbol_id(i) {
            names.push(vm.names.text(id).to_string());
        }
    }
    if names.is_empty() && name != "java.lang.Object" {
        names.push("java.lang.Object".into());
    }
    let items: Vec<Value> = names.iter().map(|n| vm.class_value(n)).collect();
    Ok(coll::list_of(vm, &items))
}

macro_rules! fns {
    ($($name:ident |$vm:ident, $a:ident| $e:expr;)*) => {$(
        fn $name($vm: &mut Vm, $a: &[Value]) -> R { $e }
    )*};
}
fns! {
    method_of |vm, a| {
        let name = vm.symbol_id(a[1]).map_or(String::new(), |id| vm.names.text(id).to_string());
        Ok(types::method_of(vm, a[0], &name).unwrap_or(Value::NIL))
    };
    array_type |vm, a| match a[0].obj() {
        Some(o) if o.kind() == Kind::PrimArray => Ok(vm.keyword(element_name(o.aux()))),
        Some(o) if o.kind() == Kind::Array => Ok(vm.keyword("object")),
        _ => Ok(Value::NIL),
    };
    p_new_array |vm, a| { let t = element_of(vm, a[0]); new_array(vm, t, a[1]) };
    p_typed_array |vm, a| { let t = element_of(vm, a[0]); typed_array(vm, t, a[1]) };
    p_wrap |vm, a| { let bits = a[1].as_fix().unwrap_or(64) as u32; wrap(vm, a[0], bits) };
    sink_p |_vm, a| Ok(Value::bool(a[0].is_fix() || a[0].is_kind(Kind::Buffer)));
    buffer_p |_vm, a| Ok(Value::bool(a[0].is_kind(Kind::Buffer)));
    buffer_clear |vm, a| match a[0].as_kind(Kind::Buffer) {
        Some(b) => { let i = b.get(0).fix_get() as usize; if let Some(t) = vm.buffers.get_mut(i) { t.clear(); } Ok(a[0]) }
        None => Err(coll::type_err(vm, a[0], "not a text buffer")),
    };
    slurp_stdin |vm, _a| { let mut b = Vec::new(); let _ = std::io::stdin().read_to_end(&mut b); let s = String::from_utf8_lossy(&b).into_owned(); Ok(vm.str(&s)) };
    p_class_parents |vm, a| class_parents(vm, a[0]);
    code_text |vm, a| { let n = as_long(a[0]).and_then(|n| u32::try_from(n).ok()).and_then(char::from_u32).unwrap_or('\u{FFFD}'); Ok(vm.str(n.encode_utf8(&mut [0; 4]))) };
    double_bits |vm, a| { let x = double(vm, a[0])?; Ok(vm.int(x.to_bits() as i64)) };
    bits_double |vm, a| match as_long(a[0]) { Some(n) => Ok(vm.float(f64::from_bits(n as u64))), None => Err(coll::type_err(vm, a[0], "an integer is needed, not")) };
    fmod |vm, a| { let (x, y) = (double(vm, a[0])?, double(vm, a[1])?); Ok(vm.float(x % y)) };
    inst_iso |vm, a| match a[0].as_kind(Kind::Inst) {
        Some(o) => { let t = inst_text(o.raw(0) as i64); let t = t.split('.').next().unwrap_or(&t).to_string() + "Z"; Ok(vm.str(&t)) }
        None => Err(coll::type_err(vm, a[0], "not an instant")),
    };
    inst_of |vm, a| match as_long(a[0]) { Some(n) => Ok(vm.alloc(Kind::Inst, &[Value::from_bits(n as u64)])), None => Err(coll::type_err(vm, a[0], "an integer is needed, not")) };
    uuid_of |vm, a| match (as_long(a[0]), as_long(a[1])) { (Some(h), Some(l)) => Ok(vm.alloc(Kind::Uuid, &[Value::from_bits(h as u64), Value::from_bits(l as u64)])), _ => Err(coll::type_err(vm, a[0], "integers are needed, not")) };
    ex_frames |vm, a| { let names: Vec<Value> = match a[0].as_kind(Kind::Exception) { Some(_) => { let names: Vec<String> = vm.trace_of(a[0]).into_iter().map(|(c, _)| vm.code_name(c).unwrap_or("top level").to_string()).collect(); names.iter().map(|n| vm.str(n)).collect() } None => Vec::new() }; Ok(vector::of(vm, &names)) };
    range_part |vm, a| match (a[0].as_kind(Kind::Range), a[1].as_fix()) {
        (Some(o), Some(i @ 0..=2)) => Ok(if o.get(i as usize) == Value::ABSENT { Value::NIL } else { o.get(i as usize) }),
        _ => { let _ = vm; Ok(Value::NIL) }
    };
    fix_range_p |_vm, a| Ok(Value::bool(a[0].as_kind(Kind::Range).is_some_and(|o| o.words()[..3].iter().all(|v| v.is_fix()))));
    indexed_seq_p |_vm, a| Ok(Value::bool(a[0].is_kind(Kind::IndexedSeq)));
    // (yin.rt/set-class! type 'name): makes a type the class of that name
    register_class |vm, a| match (a[0].as_kind(Kind::Type), vm.symbol_id(a[1])) {
        (Some(_), Some(id)) => { let i = vm.roots.extra.len(); vm.roots.extra.push(a[0]); vm.classes.insert(id, i); Ok(a[0]) }
        _ => Err(coll::type_err(vm, a[0], "not a type")),
    };
    set_cause |vm, a| match a[0].as_kind(Kind::Exception) { Some(e) => { vm.heap.write(e, slot::EX_CAUSE, a[1]); Ok(a[0]) } None => Err(coll::type_err(vm, a[0], "not an exception")) };
    matcher_matches |vm, a| match a[0].as_kind(Kind::Matcher) {
        Some(m) => { let g = super::text::re_matches(vm, &[m.get(0), m.get(1)])?; vm.heap.write(m, 3, g); Ok(Value::bool(!g.is_nil())) }
        None => Err(coll::type_err(vm, a[0], "not a matcher")),
    };
    library_p |vm, a| { let n = vm.symbol_id(a[0]).map_or("", |id| vm.names.text(id)); Ok(Value::bool(crate::driver::LIBRARY.iter().any(|l| l.0 == n))) };
    split_path |vm, a| { let s = want_str(vm, a[0])?; let parts: Vec<String> = s.split('/').map(String::from).collect(); let v: Vec<Value> = parts.iter().map(|p| vm.str(p)).collect(); Ok(vector::of(vm, &v)) };
}

macro_rules! rows {
    ($($name:literal $min:tt $max:tt $flags:tt $f:ident $doc:literal;)*) => { &[$(prim($name, $min, $max, $flags, $f, $doc),)*] };
}
pub const TABLE: &[PrimDef] = rows! {
    "yin.rt/method-of" 2 2 0 method_of "The interface method of an instance, or nil.";
    "yin.rt/array-type" 1 1 PURE array_type "Element type of an array as a keyword.";
    "yin.rt/new-array" 2 2 0 p_new_array "An array of a type and length.";
    "yin.rt/typed-array" 2 2 0 p_typed_array "An array of a type with the elements of a realised collection.";
    "yin.rt/wrap" 2 2 PURE p_wrap "The low bits of an integer, with sign.";
    "yin.rt/sink?" 1 1 PURE sink_p "Is it a built-in text sink?";
    "yin.rt/buffer?" 1 1 PURE buffer_p "Is it a text buffer?";
    "yin.rt/buffer-clear" 1 1 0 buffer_clear "Empties a text buffer.";
    "yin.rt/slurp-stdin" 0 0 0 slurp_stdin "What is left of standard input.";
    "yin.rt/class-parents" 1 1 0 p_class_parents "The classes a class is directly made of.";
    "yin.rt/code-text" 1 1 PURE code_text "The character of a code point, as a string.";
    "yin.rt/double-bits" 1 1 PURE double_bits "Bits of a double as a long.";
    "yin.rt/bits-double" 1 1 PURE bits_double "The double of these bits.";
    "yin.rt/fmod" 2 2 PURE fmod "Remainder of doubles, truncated.";
    "yin.rt/inst-iso" 1 1 PURE inst_iso "An instant as text in ISO 8601, without fractions.";
    "yin.rt/inst-of" 1 1 PURE inst_of "The instant of milliseconds since the epoch.";
    "yin.rt/uuid-of" 2 2 PURE uuid_of "The UUID of two longs.";
    "yin.rt/ex-frames" 1 1 0 ex_frames "Names of the functions an exception passed, innermost first.";
    "yin.rt/range-part" 2 2 PURE range_part "Start, end or step of a range.";
    "yin.rt/fix-range?" 1 1 PURE fix_range_p "Is it a finite range of small integers?";
    "yin.rt/indexed-seq?" 1 1 PURE indexed_seq_p "Is it a seq over something indexed?";
    "yin.rt/set-class!" 2 2 0 register_class "Makes a type the class of a name.";
    "yin.rt/set-cause!" 2 2 0 set_cause "Sets the cause of an exception.";
    "yin.rt/matcher-matches" 1 1 0 matcher_matches "Does the matcher's whole string match? Its groups are kept.";
    "yin.rt/library?" 1 1 PURE library_p "Does a namespace come with the machine?";
    "yin.rt/path-parts" 1 1 PURE split_path "Parts of a path between slashes.";
};
