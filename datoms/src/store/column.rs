//! All facts of one attribute in arrays, and what was true of it once: immutable, shared between databases.

use super::pool::Lineage;
use super::schema::sorts_by_word;
use crate::source::Column;
use crate::value::Word;
use std::sync::OnceLock;

/// A fact as it is kept in a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fact {
    /// The entity.
    pub e: u32,
    /// The value.
    pub v: Word,
    /// The transaction that asserted it.
    pub t: u32,
    /// Its provenance, not 0.
    pub m: u32,
}

/// A fact that no longer holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Past {
    /// The fact.
    pub fact: Fact,
    /// The transaction that retracted it.
    pub end: u32,
}

/// The facts of one attribute, sorted by entity, then by value in word order.
#[derive(Debug, Default)]
pub struct Col {
    /// Entities.
    pub e: Vec<u32>,
    /// Values.
    pub v: Vec<Word>,
    /// Transactions.
    pub t: Vec<u32>,
    /// Provenance; empty while everything is plainly asserted.
    pub m: Vec<u32>,
    /// What no longer holds, in the order it ended.
    pub past: Vec<Past>,
    /// Entities follow each other without a gap, one fact each.
    dense: bool,
    by_value: OnceLock<Vec<u32>>,
    /// Rows by value in value order, where that is not word order.
    by_order: OnceLock<Option<Vec<u32>>>,
}

/// Puts the rows of a column together one after another.
#[derive(Default)]
pub struct Builder {
    e: Vec<u32>,
    v: Vec<Word>,
    t: Vec<u32>,
    m: Vec<u32>,
    past: Vec<Past>,
}

impl Builder {
    /// With room for some rows.
    pub fn with_capacity(n: usize) -> Self {
        Self { e: Vec::with_capacity(n), v: Vec::with_capacity(n), t: Vec::with_capacity(n), ..Self::default() }
    }

    /// Adds a row, which comes after all others in order.
    #[inline]
    pub fn push(&mut self, f: Fact) {
        if f.m != 1 && self.m.is_empty() {
            self.m = vec![1; self.e.len()];
        }
        self.e.push(f.e);
        self.v.push(f.v);
        self.t.push(f.t);
        if !self.m.is_empty() || f.m != 1 {
            self.m.push(f.m);
        }
    }

    /// Adds a run of a column's rows.
    fn push_run(&mut self, c: &Col, rows: std::ops::Range<usize>) {
        if !c.m.is_empty() || !self.m.is_empty() {
            rows.for_each(|i| self.push(c.fact(i)));
            return;
        }
        self.e.extend_from_slice(&c.e[rows.clone()]);
        self.v.extend_from_slice(&c.v[rows.clone()]);
        self.t.extend_from_slice(&c.t[rows]);
    }

    /// The column.
    pub fn finish(mut self) -> Col {
        self.e.shrink_to_fit();
        self.v.shrink_to_fit();
        self.t.shrink_to_fit();
        Col::new(self.e, self.v, self.t, self.m, self.past)
    }
}

impl Col {
    /// From arrays that are in order; `m` may be empty.
    pub fn new(e: Vec<u32>, v: Vec<Word>, t: Vec<u32>, m: Vec<u32>, past: Vec<Past>) -> Self {
        let dense = match (e.first(), e.last()) {
            (Some(a), Some(b)) => {
                b.checked_sub(*a).is_some_and(|d| d as usize + 1 == e.len()) && e.windows(2).all(|w| w[0] < w[1])
            }
            _ => false,
        };
        debug_assert!((1..e.len()).all(|i| (e[i - 1], v[i - 1]) < (e[i], v[i])));
        Self { e, v, t, m, past, dense, by_value: OnceLock::new(), by_order: OnceLock::new() }
    }

    /// From facts in any order, of which none is there twice.
    pub fn from_facts(mut facts: Vec<Fact>) -> Self {
        if !facts.is_sorted_by_key(|f| (f.e, f.v)) {
            facts.sort_unstable_by_key(|f| (f.e, f.v));
        }
        let mut b = Builder::with_capacity(facts.len());
        facts.iter().for_each(|f| b.push(*f));
        b.finish()
    }

    /// How many facts there are.
    pub fn len(&self) -> usize {
        self.e.len()
    }

    /// How many rows it keeps, the past included.
    pub fn weight(&self) -> usize {
        self.e.len() + self.past.len()
    }

    /// The fact of a row.
    #[inline]
    pub fn fact(&self, i: usize) -> Fact {
        Fact { e: self.e[i], v: self.v[i], t: self.t[i], m: self.m.get(i).copied().unwrap_or(1) }
    }

    /// As the query engine takes it.
    pub fn as_column(&self) -> Column<'_> {
        Column { e: &self.e, v: &self.v, t: &self.t }
    }

    /// The rows of an entity.
    #[inline]
    pub fn rows_of(&self, e: u32) -> std::ops::Range<usize> {
        if self.dense {
            let at = e.wrapping_sub(self.e[0]) as usize;
            return if at < self.e.len() { at..at + 1 } else { 0..0 };
        }
        let start = self.e.partition_point(|x| *x < e);
        let n = self.e[start..].iter().take_while(|x| **x == e).count();
        start..start + n
    }

    /// Rows by value in word order, then entity. Made when first asked for.
    pub fn by_value(&self) -> &[u32] {
        self.by_value.get_or_init(|| {
            let mut keys: Vec<(Word, u32)> = self.v.iter().enumerate().map(|(i, v)| (*v, i as u32)).collect();
            keys.sort_unstable();
            keys.into_iter().map(|(_, i)| i).collect()
        })
    }

    /// Which part of [`by_value`](Self::by_value) has a value.
    pub fn value_range(&self, w: Word) -> std::ops::Range<usize> {
        let p = self.by_value();
        let start = p.partition_point(|i| self.v[*i as usize] < w);
        let n = p[start..].partition_point(|i| self.v[*i as usize] == w);
        start..start + n
    }

    /// Rows by value in the order of values, then entity. Made when first asked for; where words sort as values do it
    /// is [`by_value`](Self::by_value).
    pub fn by_order(&self, lineage: &Lineage) -> &[u32] {
        let made = self.by_order.get_or_init(|| {
            if self.v.iter().all(|w| sorts_by_word(*w)) {
                return None;
            }
            // Each distinct value is compared, its rows go along.
            let p = self.by_value();
            let mut groups: Vec<std::ops::Range<usize>> = Vec::new();
            let mut i = 0;
            while i < p.len() {
                let w = self.v[p[i] as usize];
                let end = i + p[i..].partition_point(|j| self.v[*j as usize] == w);
                groups.push(i..end);
                i = end;
            }
            groups.sort_by(|a, b| lineage.compare(self.v[p[a.start] as usize], self.v[p[b.start] as usize]));
            Some(groups.into_iter().flat_map(|g| p[g].iter().copied()).collect())
        });
        match made {
            Some(p) => p,
            None => self.by_value(),
        }
    }

    /// This column with facts added and rows taken away. `added` is in order and shares no fact with what stays;
    /// `gone` is ascending. What is taken away goes to the past by `ended`.
    pub fn merge(&self, added: &[Fact], gone: &[u32], ended: &[Past]) -> Col {
        let mut b = Builder::with_capacity(self.len() + added.len() - gone.len());
        let mut at = 0;
        let mut gone = gone.iter().peekable();
        let mut copy = |b: &mut Builder, at: &mut usize, to: usize| {
            while let Some(g) = gone.next_if(|g| (**g as usize) < to) {
                b.push_run(self, *at..*g as usize);
                *at = *g as usize + 1;
            }
            b.push_run(self, *at..to);
            *at = to;
        };
        for f in added {
            let to = at + gallop(&self.e[at..], &self.v[at..], f);
            copy(&mut b, &mut at, to);
            b.push(*f);
        }
        copy(&mut b, &mut at, self.len());
        b.past = Vec::with_capacity(self.past.len() + ended.len());
        b.past.extend_from_slice(&self.past);
        b.past.extend_from_slice(ended);
        b.finish()
    }
}

/// How many rows come before a fact, by steps that double.
fn gallop(e: &[u32], v: &[Word], f: &Fact) -> usize {
    let before = |i: usize| (e[i], v[i]) < (f.e, f.v);
    let (mut low, mut step) = (0, 1);
    while low + step <= e.len() && before(low + step - 1) {
        low += step;
        step *= 2;
    }
    let mut high = (low + step - 1).min(e.len());
    while low < high {
        let mid = low + (high - low) / 2;
        if before(mid) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fact(e: u32, v: i64) -> Fact {
        Fact { e, v: Word::int(v).unwrap(), t: 1, m: 1 }
    }

    #[test]
    fn merging_equals_building_anew() {
        // A fixed generator; every combination of adding and taking away.
        let mut s = 7u32;
        let mut draw = |n: u32| {
            s = s.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ((u64::from(s) * u64::from(n)) >> 32) as u32
        };
        for round in 0..200 {
            let n = draw(60);
            let mut all: Vec<Fact> = (0..n).map(|_| fact(draw(20), draw(6).into())).collect();
            all.sort_unstable_by_key(|f| (f.e, f.v));
            all.dedup();
            let base: Vec<Fact> = all.iter().copied().filter(|_| draw(2) == 0).collect();
            let added: Vec<Fact> = all.iter().copied().filter(|f| !base.contains(f)).collect();
            let col = Col::from_facts(base.clone());
            let gone: Vec<u32> = (0..base.len() as u32).filter(|_| draw(3) == 0).collect();
            let merged = col.merge(&added, &gone, &[]);
            let mut want: Vec<Fact> =
                base.iter().enumerate().filter(|(i, _)| !gone.contains(&(*i as u32))).map(|(_, f)| *f).collect();
            want.extend(&added);
            let want = Col::from_facts(want);
            assert_eq!((&merged.e, &merged.v, merged.dense), (&want.e, &want.v, want.dense), "round {round}");
            for e in 0..20 {
                let rows: Vec<u32> = merged.e[merged.rows_of(e)].to_vec();
                assert_eq!(rows.len(), merged.e.iter().filter(|x| **x == e).count());
            }
        }
    }

    #[test]
    fn provenance_is_kept_when_there_is_any() {
        let col = Col::from_facts(vec![fact(1, 1), Fact { m: 40, ..fact(2, 2) }, fact(3, 3)]);
        assert_eq!(col.m, [1, 40, 1]);
        let merged = col.merge(&[fact(2, 3)], &[0], &[]);
        assert_eq!((merged.m.as_slice(), merged.len()), (&[40, 1, 1][..], 3));
    }
}
