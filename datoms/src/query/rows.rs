//! Two sources over plain Rust data: a collection of rows as it comes, and facts kept in columns.
//!
//! [`Rows`] stands behind `$` when a query is given a collection. [`Facts`] has everything that makes the engine fast
//! and nothing else: no transactions, no history. Both show what a source has to do.

use super::error::{ErrorKind, QueryError};
use crate::edn::Edn;
use crate::source::{AttrTraits, Bound, Column, Cursor, Source};
use crate::value::{LocalDict, SharedDict, Word};
use rustc_hash::FxHashMap;
use std::sync::{Arc, OnceLock};

/// Rows of any length, one after another.
pub struct Rows {
    dict: SharedDict,
    words: Vec<Word>,
    /// Ends of rows in `words`.
    ends: Vec<usize>,
    arity: usize,
}

impl Rows {
    /// From a collection of sequences; `encode` gives the words. A map's rows are its entries.
    pub fn from_edn(value: &Edn, encode: &mut dyn FnMut(&Edn) -> Word) -> Result<Self, QueryError> {
        let mut rows = Self { dict: Arc::new(LocalDict::new()), words: Vec::new(), ends: Vec::new(), arity: 0 };
        match value {
            Edn::Nil => {}
            Edn::Map(pairs) => pairs.iter().for_each(|(k, v)| {
                let row = [encode(k), encode(v)];
                rows.push(&row);
            }),
            _ => {
                let bad = || QueryError::new(ErrorKind::Inputs, format!("Cannot use {value} as a source of rows"));
                for row in value.as_coll().ok_or_else(bad)? {
                    let Some(row) = row.as_seq() else { return Err(bad()) };
                    let row: Vec<Word> = row.iter().map(&mut *encode).collect();
                    rows.push(&row);
                }
            }
        }
        Ok(rows)
    }

    /// From words of a dictionary.
    pub fn new(dict: SharedDict, rows: impl IntoIterator<Item = Vec<Word>>) -> Self {
        let mut out = Self { dict, words: Vec::new(), ends: Vec::new(), arity: 0 };
        rows.into_iter().for_each(|r| out.push(&r));
        out
    }

    fn push(&mut self, row: &[Word]) {
        self.words.extend_from_slice(row);
        self.ends.push(self.words.len());
        self.arity = self.arity.max(row.len());
    }
}

struct RowsCursor<'a> {
    rows: &'a Rows,
    bound: Vec<Option<Word>>,
    next: usize,
}

fn matches(row: &[Word], bound: &[Option<Word>]) -> bool {
    bound.iter().enumerate().all(|(i, b)| b.is_none_or(|b| row.get(i) == Some(&b)))
}

impl RowsCursor<'_> {
    fn find(&mut self, ok: impl Fn(&[Word]) -> bool) -> Option<&[Word]> {
        while self.next < self.rows.ends.len() {
            let i = self.next;
            self.next += 1;
            let start = if i == 0 { 0 } else { self.rows.ends[i - 1] };
            let row = &self.rows.words[start..self.rows.ends[i]];
            if matches(row, &self.bound) && ok(row) {
                return Some(row);
            }
        }
        None
    }
}

impl Cursor for RowsCursor<'_> {
    fn next(&mut self) -> Option<&[Word]> {
        self.find(|_| true)
    }

    fn seek(&mut self, column: usize, word: Word) -> Option<&[Word]> {
        self.find(|row| row.get(column).is_some_and(|w| *w >= word))
    }
}

impl Source for Rows {
    fn dict(&self) -> &SharedDict {
        &self.dict
    }

    fn arity(&self) -> usize {
        self.arity
    }

    fn ragged(&self) -> bool {
        true
    }

    fn count(&self, _bound: Bound) -> usize {
        self.ends.len()
    }

    fn scan<'a>(&'a self, bound: Bound) -> Box<dyn Cursor + 'a> {
        Box::new(RowsCursor { rows: self, bound: bound.to_vec(), next: 0 })
    }
}

/// Facts `[e a v]` in one pair of arrays per attribute.
pub struct Facts {
    dict: SharedDict,
    attrs: FxHashMap<Word, FactColumn>,
    /// Attributes in the order they came, for scans that leave the attribute free.
    order: Vec<Word>,
}

struct FactColumn {
    e: Vec<u32>,
    v: Vec<Word>,
    by_value: OnceLock<Vec<u32>>,
    traits: AttrTraits,
}

impl Facts {
    /// From facts in any order, repeated or not. What is promised of an attribute (one value per entity, one entity
    /// per value) is found out from the facts; `refs` names the attributes whose values are entities.
    pub fn new(facts: impl IntoIterator<Item = (u32, Edn, Edn)>, refs: &[&str]) -> Self {
        let mut dict = LocalDict::new();
        let mut order = Vec::new();
        let mut pairs: FxHashMap<Word, Vec<(u32, Word)>> = FxHashMap::default();
        for (e, a, v) in facts {
            let (a, v) = (dict.encode(&a), dict.encode(&v));
            pairs.entry(a).or_insert_with(|| {
                order.push(a);
                Vec::new()
            });
            pairs.entry(a).or_default().push((e, v));
        }
        let refs: Vec<Word> = refs.iter().map(|r| dict.encode(&Edn::keyword(r))).collect();
        let attrs = pairs
            .into_iter()
            .map(|(a, mut pairs)| {
                pairs.sort_unstable();
                pairs.dedup();
                let many = pairs.windows(2).any(|w| w[0].0 == w[1].0);
                let mut values: Vec<Word> = pairs.iter().map(|p| p.1).collect();
                values.sort_unstable();
                let unique = values.windows(2).all(|w| w[0] != w[1]);
                let traits = AttrTraits { is_ref: refs.contains(&a), many, unique };
                let (e, v) = pairs.into_iter().unzip();
                (a, FactColumn { e, v, by_value: OnceLock::new(), traits })
            })
            .collect();
        Self { dict: Arc::new(dict), attrs, order }
    }

    fn wanted(&self, attr: Option<Word>) -> Vec<Word> {
        match attr {
            Some(a) => vec![a],
            None => self.order.clone(),
        }
    }
}

struct FactCursor<'a> {
    facts: &'a Facts,
    attrs: Vec<Word>,
    bound: Vec<Option<Word>>,
    /// Position: attribute and row in its column.
    at: (usize, usize),
    row: [Word; 3],
}

impl FactCursor<'_> {
    fn find(&mut self, ok: impl Fn(&[Word]) -> bool) -> Option<&[Word]> {
        let (e, v) = (self.bound.first().copied().flatten(), self.bound.get(2).copied().flatten());
        while self.at.0 < self.attrs.len() {
            let a = self.attrs[self.at.0];
            if let Some(c) = self.facts.attrs.get(&a) {
                let (mut i, mut end) = (self.at.1, c.e.len());
                if let Some(e) = e {
                    match e.as_entity() {
                        Some(e) => {
                            i = i.max(c.e.partition_point(|x| *x < e));
                            end = i + c.e[i..].iter().take_while(|x| **x == e).count();
                        }
                        None => end = 0,
                    }
                }
                while i < end {
                    self.row = [Word::entity(c.e[i]), a, c.v[i]];
                    i += 1;
                    self.at.1 = i;
                    if v.is_none_or(|v| v == self.row[2]) && ok(&self.row) {
                        return Some(&self.row);
                    }
                }
            }
            self.at = (self.at.0 + 1, 0);
        }
        None
    }
}

impl Cursor for FactCursor<'_> {
    fn next(&mut self) -> Option<&[Word]> {
        self.find(|_| true)
    }

    fn seek(&mut self, column: usize, word: Word) -> Option<&[Word]> {
        self.find(|row| row.get(column).is_some_and(|w| *w >= word))
    }
}

/// The part of a by-value permutation that has one value.
pub(super) fn value_range(v: &[Word], by_value: &[u32], w: Word) -> std::ops::Range<usize> {
    let start = by_value.partition_point(|i| v[*i as usize] < w);
    let mut end = start;
    // Few rows share a value more often than not: gallop, then search.
    let mut step = 1;
    while end < by_value.len() && v[by_value[end] as usize] == w {
        end += step;
        step *= 2;
    }
    let high = end.min(by_value.len());
    start..start + by_value[start..high].partition_point(|i| v[*i as usize] == w)
}

impl Source for Facts {
    fn dict(&self) -> &SharedDict {
        &self.dict
    }

    fn arity(&self) -> usize {
        3
    }

    fn count(&self, bound: Bound) -> usize {
        let at = |i: usize| bound.get(i).copied().flatten();
        self.wanted(at(1))
            .iter()
            .filter_map(|a| self.attrs.get(a).map(|c| (a, c)))
            .map(|(a, c)| match (at(0), at(2)) {
                (Some(e), _) => e.as_entity().map_or(0, |e| Column { e: &c.e, v: &c.v, t: &[] }.rows_of(e).len()),
                (None, Some(v)) => self.by_value(*a).map_or(0, |p| value_range(&c.v, p, v).len()),
                (None, None) => c.e.len(),
            })
            .sum()
    }

    fn scan<'a>(&'a self, bound: Bound) -> Box<dyn Cursor + 'a> {
        let attrs = self.wanted(bound.get(1).copied().flatten());
        Box::new(FactCursor { facts: self, attrs, bound: bound.to_vec(), at: (0, 0), row: [Word::NIL; 3] })
    }

    fn column(&self, attr: Word) -> Option<Column<'_>> {
        Some(self.attrs.get(&attr).map_or(Column::default(), |c| Column { e: &c.e, v: &c.v, t: &[] }))
    }

    fn by_value(&self, attr: Word) -> Option<&[u32]> {
        Some(self.attrs.get(&attr).map_or(&[], |c| {
            c.by_value.get_or_init(|| {
                let mut p: Vec<u32> = (0..c.v.len() as u32).collect();
                p.sort_unstable_by_key(|i| (c.v[*i as usize], *i));
                p
            })
        }))
    }

    fn values(&self, e: u32, attr: Word, out: &mut Vec<Word>) {
        if let Some(c) = self.attrs.get(&attr) {
            let rows = Column { e: &c.e, v: &c.v, t: &[] }.rows_of(e);
            out.extend_from_slice(&c.v[rows]);
        }
    }

    fn attr(&self, attr: Word) -> AttrTraits {
        self.attrs.get(&attr).map_or(AttrTraits { is_ref: false, many: false, unique: false }, |c| c.traits)
    }

    fn is_database(&self) -> bool {
        true
    }

    fn entity(&self, id: &Edn) -> Result<Option<u32>, QueryError> {
        match id {
            Edn::Int(i) => Ok(u32::try_from(*i).ok()),
            Edn::Keyword(_) => self.entity(&Edn::vector([Edn::keyword("db/ident"), id.clone()])),
            _ => {
                let Some([a, v]) = id.as_seq() else { return Ok(None) };
                let (Some(a), Some(v)) = (self.dict.word(a), self.dict.word(v)) else { return Ok(None) };
                let mut found = Vec::new();
                self.entities(a, v, &mut found);
                Ok(found.first().copied())
            }
        }
    }
}
