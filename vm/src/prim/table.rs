//! The table of primitives. The position of a row is its id; the order of modules and rows is part of the image format.

use super::{PrimDef, PrimFn};

/// The modules' tables, in id order.
pub const TABLES: &[&[PrimDef]] = &[
    super::colfns::TABLE,
    super::num::TABLE,
    super::text::TABLE,
    super::types::TABLE,
    super::support::TABLE,
    super::format::TABLE,
    super::method::TABLE,
    crate::driver::TABLE,
    crate::freeze::prims::TABLE,
    crate::inspect::moment::TABLE,
    crate::store::TABLE,
    crate::thread::TABLE,
];

const fn total() -> usize {
    let mut n = 0;
    let mut i = 0;
    while i < TABLES.len() {
        n += TABLES[i].len();
        i += 1;
    }
    n
}
const fn flatten() -> [PrimFn; total()] {
    let mut out = [TABLES[0][0].run; total()];
    let (mut i, mut k) = (0, 0);
    while i < TABLES.len() {
        let mut j = 0;
        while j < TABLES[i].len() {
            out[k] = TABLES[i][j].run;
            k += 1;
            j += 1;
        }
        i += 1;
    }
    out
}
/// Functions by id.
static FUNCTIONS: [PrimFn; total()] = flatten();

/// Function of primitive `id`, which verified code or a PrimFn object names.
#[inline(always)]
pub fn function(id: u16) -> PrimFn {
    FUNCTIONS[id as usize]
}

/// Row of primitive `id`. O(number of modules).
pub fn get(id: u16) -> Option<&'static PrimDef> {
    let mut i = id as usize;
    for t in TABLES {
        match t.get(i) {
            Some(d) => return Some(d),
            None => i -= t.len(),
        }
    }
    None
}

/// Every primitive with its id.
pub fn all() -> impl Iterator<Item = (u16, &'static PrimDef)> {
    TABLES.iter().flat_map(|t| t.iter()).enumerate().map(|(i, d)| (i as u16, d))
}
