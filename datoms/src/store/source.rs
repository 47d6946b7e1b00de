//! Databases behind `$`.

use super::column::Col;
use super::db::{Database, Datom, Result};
use super::pool::AttrId;
use crate::edn::Edn;
use crate::query::{QueryError, Registry};
use crate::source::{AttrTraits, Bound, Column, Cursor, Source};
use crate::value::{SharedDict, Word};

/// Rows `[e a v t]` of a database, attribute by attribute.
struct Rows<'a> {
    db: &'a Database,
    attrs: Vec<AttrId>,
    bound: [Option<Word>; 4],
    /// The rows of the present attribute: a range, or a part of a permutation.
    range: std::ops::Range<usize>,
    by: Option<&'a [u32]>,
    col: Option<&'a Col>,
    attr: Word,
    row: [Word; 4],
}

impl Rows<'_> {
    fn find(&mut self, ok: impl Fn(&[Word]) -> bool) -> Option<&[Word]> {
        loop {
            while let (Some(k), Some(col)) = (self.range.next(), self.col) {
                let i = self.by.map_or(k, |p| p[k] as usize);
                self.row = [Word::entity(col.e[i]), self.attr, col.v[i], Word::entity(col.t[i])];
                if self.bound.iter().zip(&self.row).all(|(b, w)| b.is_none_or(|b| b == *w)) && ok(&self.row) {
                    return Some(&self.row);
                }
            }
            let a = self.attrs.pop()?;
            let col = self.db.col(a);
            self.attr = self.db.lineage().word(a);
            self.col = Some(col);
            self.by = None;
            self.range = match (self.bound[0], self.bound[2]) {
                (Some(e), _) => e.as_entity().map_or(0..0, |e| col.rows_of(e)),
                (None, Some(v)) if col.len() > 0 => {
                    self.by = Some(col.by_value());
                    col.value_range(v)
                }
                _ => 0..col.len(),
            };
        }
    }
}

impl Cursor for Rows<'_> {
    fn next(&mut self) -> Option<&[Word]> {
        self.find(|_| true)
    }

    fn seek(&mut self, column: usize, word: Word) -> Option<&[Word]> {
        self.find(|row| row.get(column).is_some_and(|w| *w >= word))
    }
}

/// Rows `[e a v t op]` of a history.
struct PastRows<'a> {
    db: &'a Database,
    attrs: Vec<AttrId>,
    bound: [Option<Word>; 5],
    at: std::vec::IntoIter<Datom>,
    row: [Word; 5],
}

impl PastRows<'_> {
    fn find(&mut self, ok: impl Fn(&[Word]) -> bool) -> Option<&[Word]> {
        loop {
            for d in self.at.by_ref() {
                let a = self.db.lineage().word(d.a);
                self.row = [Word::entity(d.e), a, d.v, Word::entity(d.t), Word::bool(d.added())];
                if self.bound.iter().zip(&self.row).all(|(b, w)| b.is_none_or(|b| b == *w)) && ok(&self.row) {
                    return Some(&self.row);
                }
            }
            self.at = self.db.past_of(self.attrs.pop()?).into_iter();
        }
    }
}

impl Cursor for PastRows<'_> {
    fn next(&mut self) -> Option<&[Word]> {
        self.find(|_| true)
    }

    fn seek(&mut self, column: usize, word: Word) -> Option<&[Word]> {
        self.find(|row| row.get(column).is_some_and(|w| *w >= word))
    }
}

impl Database {
    /// The attributes that a scan goes through, last first.
    fn scanned(&self, attr: Option<Word>) -> Vec<AttrId> {
        match attr {
            Some(w) => self.lineage().attr_of_word(w).into_iter().collect(),
            None => (0..self.lineage().attr_count()).rev().collect(),
        }
    }
}

impl Source for Database {
    fn dict(&self) -> &SharedDict {
        &self.0.lineage.dict
    }

    fn arity(&self) -> usize {
        if self.is_history() { 5 } else { 4 }
    }

    fn count(&self, bound: Bound) -> usize {
        let at = |i: usize| bound.get(i).copied().flatten();
        let of = |a: AttrId| -> usize {
            if self.is_history() {
                return self.count_of(a);
            }
            match (at(0), at(2)) {
                (Some(e), None) => e.as_entity().map_or(0, |e| {
                    let mut n = 0;
                    self.each_fact(e, a, |_| n += 1);
                    n
                }),
                (Some(e), Some(v)) => e.as_entity().map_or(0, |e| {
                    let mut n = 0;
                    self.each_fact(e, a, |f| n += usize::from(f.v == v));
                    n
                }),
                (None, Some(v)) => {
                    let col = self.col(a);
                    if col.len() == 0 { 0 } else { col.value_range(v).len() }
                }
                (None, None) => self.count_of(a),
            }
        };
        self.scanned(at(1)).into_iter().map(of).sum()
    }

    fn scan<'a>(&'a self, bound: Bound) -> Box<dyn Cursor + 'a> {
        let at = |i: usize| bound.get(i).copied().flatten();
        let attrs = self.scanned(at(1));
        if self.is_history() {
            let bound = [at(0), at(1), at(2), at(3), at(4)];
            return Box::new(PastRows { db: self, attrs, bound, at: Vec::new().into_iter(), row: [Word::NIL; 5] });
        }
        let attrs = if bound.len() > 4 && at(4).is_some() { Vec::new() } else { attrs };
        Box::new(Rows {
            db: self,
            attrs,
            bound: [at(0), at(1), at(2), at(3)],
            range: 0..0,
            by: None,
            col: None,
            attr: Word::NIL,
            row: [Word::NIL; 4],
        })
    }

    fn column(&self, attr: Word) -> Option<Column<'_>> {
        if self.is_history() {
            return None;
        }
        Some(self.lineage().attr_of_word(attr).map_or(Column::default(), |a| self.col(a).as_column()))
    }

    fn by_value(&self, attr: Word) -> Option<&[u32]> {
        if self.is_history() {
            return None;
        }
        Some(self.lineage().attr_of_word(attr).map_or(&[], |a| self.col(a).by_value()))
    }

    fn values(&self, e: u32, attr: Word, out: &mut Vec<Word>) {
        let Some(a) = self.lineage().attr_of_word(attr) else { return };
        if self.is_history() {
            out.extend(self.past_of(a).iter().filter(|d| d.e == e).map(|d| d.v));
            out.sort_unstable();
            out.dedup();
            return;
        }
        self.each_fact(e, a, |f| out.push(f.v));
    }

    fn entities(&self, attr: Word, v: Word, out: &mut Vec<u32>) {
        let Some(a) = self.lineage().attr_of_word(attr) else { return };
        if self.is_history() {
            out.extend(self.past_of(a).iter().filter(|d| d.v == v).map(|d| d.e));
            out.sort_unstable();
            out.dedup();
            return;
        }
        self.entities_with(a, v, out);
    }

    fn attr(&self, attr: Word) -> AttrTraits {
        let p = self.lineage().attr_of_word(attr).map(|a| self.props(a)).unwrap_or_default();
        if self.is_history() {
            return AttrTraits { is_ref: p.is_ref, many: true, unique: false };
        }
        AttrTraits { is_ref: p.is_ref, many: p.many, unique: p.unique.is_some() }
    }

    fn is_database(&self) -> bool {
        true
    }

    fn entity(&self, id: &Edn) -> Result<Option<u32>> {
        self.entid(id)
    }

    fn pull(&self, pattern: &Edn, entity: &Edn, functions: Option<&Registry>) -> Result<Edn> {
        self.pull_parsed(&*self.pull_pattern_with(pattern, functions)?, entity)
    }

    fn fault(&self) -> Option<QueryError> {
        let why = self.lineage().fault.get()?;
        Some(QueryError::new(crate::query::ErrorKind::Other("store/corrupt"), why.clone()))
    }
}
