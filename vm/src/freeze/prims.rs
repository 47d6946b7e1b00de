//! `freeze`, `thaw` and `park` as functions of programs.

use super::OnConflict;
use crate::layout::Kind;
use crate::machine::{ErrKind, Vm};
use crate::prim::{PrimDef, R, VMOP, coll, prim};
use crate::value::Value;

/// An array of bytes. O(n).
pub(crate) fn byte_array(vm: &mut Vm, bytes: &[u8]) -> Value {
    let o = vm.heap.alloc(Kind::PrimArray, coll::elem::BYTE, bytes.len());
    for (i, b) in bytes.iter().enumerate() {
        o.set_raw(i, i64::from(*b as i8) as u64);
    }
    o.into()
}
/// The bytes of an array of bytes. O(n).
pub(crate) fn bytes_of(vm: &mut Vm, v: Value) -> R<Vec<u8>> {
    match v.as_kind(Kind::PrimArray) {
        Some(o) if o.aux() == coll::elem::BYTE => Ok((0..o.len()).map(|i| o.raw(i) as u8).collect()),
        _ => Err(coll::type_err(vm, v, "an array of bytes is needed, not")),
    }
}

fn freeze(vm: &mut Vm, a: &[Value]) -> R {
    let bytes = vm.freeze(a[0])?;
    Ok(byte_array(vm, &bytes))
}
fn thaw(vm: &mut Vm, a: &[Value]) -> R {
    let policy = match a.get(1) {
        None => Some(OnConflict::Error),
        Some(k) => k.as_keyword().and_then(|k| OnConflict::named(vm.names.text(k))),
    };
    let Some(policy) = policy else {
        return Err(vm.err(ErrKind::Argument, "on a conflict: :error, :ours or :theirs"));
    };
    let bytes = bytes_of(vm, a[0])?;
    vm.thaw(&bytes, policy)
}
fn unsupported(vm: &mut Vm, _a: &[Value]) -> R {
    Err(vm.err(ErrKind::State, "a frame operation was called as a plain function"))
}

pub const TABLE: &[PrimDef] = &[
    prim(
        "yin.control/freeze",
        1,
        1,
        0,
        freeze,
        "A continuation, or any value, as an array of bytes: self-contained, for another process or machine.",
    ),
    prim(
        "yin.control/thaw",
        1,
        2,
        0,
        thaw,
        "What freeze was given. Definitions that differ here are an error, or with :ours or :theirs one of them counts.",
    ),
    prim(
        "yin.control/park",
        1,
        1,
        VMOP,
        unsupported,
        "Freezes the whole program to the file given by --park and ends it; when it is resumed, returns the value given then.",
    ),
];
