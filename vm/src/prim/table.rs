//! The table of primitives. The position of a row is its id; the order of modules and rows is part of the image format.

use super::PrimDef;

/// The modules' tables, in id order.
pub const TABLES: &[&[PrimDef]] = &[];

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
