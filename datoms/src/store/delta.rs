//! What was written since the columns of a generation were made, and which part of it a database value sees.
//!
//! A delta is a list of operations that only grows. A database value is a generation and a number of operations: what
//! comes later in the list it does not see. So taking a value costs nothing, and the newest value is extended by
//! appending. Extending an older one forks the list. When a delta has grown to a part of its columns, both are merged
//! into the columns of a new generation; values of the old one keep it alive.

use super::column::{Builder, Col, Fact, Past};
use super::pool::AttrId;
use crate::value::Word;
use rustc_hash::FxHashMap;
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

const NONE: u32 = u32::MAX;

/// Where a fact stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// A row of a column of the generation.
    Row(u32),
    /// An entry of the delta.
    Entry(u32),
}

/// One change, as a transaction makes it.
#[derive(Clone, Copy, Debug)]
pub struct Change {
    /// The attribute.
    pub a: AttrId,
    /// The fact; `t` and `m` are the asserting ones.
    pub fact: Fact,
    /// `None` to assert it, otherwise where it stands and the transaction that retracts it.
    pub gone: Option<(Place, u32)>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    a: AttrId,
    fact: Fact,
    /// The operation that made it.
    born: u32,
    /// The operation that ended it, and its transaction.
    died: u32,
    end: u32,
    /// The entry before it with the same attribute and entity, attribute and value, attribute.
    next_ea: u32,
    next_av: u32,
    next_a: u32,
}

impl Entry {
    #[inline]
    fn is_seen(&self, at: u32) -> bool {
        self.born < at && self.died >= at
    }
}

/// A row of a column that no longer holds.
#[derive(Clone, Copy, Debug)]
struct Gone {
    row: u32,
    died: u32,
    end: u32,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Delta {
    entries: Vec<Entry>,
    /// By attribute and entity, attribute and value (of looked-up attributes), attribute: the newest entry.
    by_ea: FxHashMap<u64, u32>,
    by_av: FxHashMap<(AttrId, Word), u32>,
    by_a: FxHashMap<AttrId, u32>,
    /// Rows gone, by attribute and row, and by attribute.
    gone: FxHashMap<u64, u32>,
    gone_of: FxHashMap<AttrId, Vec<Gone>>,
    /// How many operations there are.
    len: u32,
}

#[inline]
fn pair(a: AttrId, x: u32) -> u64 {
    (u64::from(a) << 32) | u64::from(x)
}

impl Delta {
    /// How many operations there are.
    pub fn len(&self) -> u32 {
        self.len
    }

    /// Appends a change. `looked_up` says whether entities are found by values of the attribute.
    pub fn push(&mut self, c: &Change, looked_up: bool) {
        let Change { a, fact, gone } = *c;
        let op = self.len;
        self.len += 1;
        match gone {
            None => {
                let i = self.entries.len() as u32;
                let next_ea = self.by_ea.insert(pair(a, fact.e), i).unwrap_or(NONE);
                let next_av = if looked_up { self.by_av.insert((a, fact.v), i).unwrap_or(NONE) } else { NONE };
                let next_a = self.by_a.insert(a, i).unwrap_or(NONE);
                self.entries.push(Entry { a, fact, born: op, died: NONE, end: 0, next_ea, next_av, next_a });
            }
            Some((Place::Entry(i), end)) => {
                let e = &mut self.entries[i as usize];
                e.died = op;
                e.end = end;
            }
            Some((Place::Row(row), end)) => {
                self.gone.insert(pair(a, row), op);
                self.gone_of.entry(a).or_default().push(Gone { row, died: op, end });
            }
        }
    }

    /// How many entries the first `at` operations made; the next one gets this number.
    pub fn entries_before(&self, at: u32) -> u32 {
        if at == self.len { self.entries.len() as u32 } else { self.entries.partition_point(|e| e.born < at) as u32 }
    }

    /// The first `at` operations as a list of their own. Entries keep their numbers.
    pub fn fork(&self, at: u32, looked_up: impl Fn(AttrId) -> bool) -> Self {
        let mut out = Self { len: at, ..Self::default() };
        for e in self.entries.iter().take_while(|e| e.born < at) {
            let i = out.entries.len() as u32;
            let (died, end) = if e.died < at { (e.died, e.end) } else { (NONE, 0) };
            let next_ea = out.by_ea.insert(pair(e.a, e.fact.e), i).unwrap_or(NONE);
            let next_av = if looked_up(e.a) { out.by_av.insert((e.a, e.fact.v), i).unwrap_or(NONE) } else { NONE };
            let next_a = out.by_a.insert(e.a, i).unwrap_or(NONE);
            out.entries.push(Entry { died, end, next_ea, next_av, next_a, ..*e });
        }
        for (a, rows) in &self.gone_of {
            let kept: Vec<Gone> = rows.iter().copied().filter(|g| g.died < at).collect();
            for g in &kept {
                out.gone.insert(pair(*a, g.row), g.died);
            }
            if !kept.is_empty() {
                out.gone_of.insert(*a, kept);
            }
        }
        out
    }

    /// True if a value that sees `at` operations sees any change of an attribute.
    pub fn touches(&self, a: AttrId, at: u32) -> bool {
        self.gone_of.get(&a).is_some_and(|g| g.first().is_some_and(|g| g.died < at))
            || self.chain(self.by_a.get(&a), |e| e.next_a).any(|i| self.entries[i as usize].born < at)
    }

    fn chain<'s>(&'s self, head: Option<&u32>, next: impl Fn(&Entry) -> u32 + 's) -> impl Iterator<Item = u32> + 's {
        let mut at = head.copied().unwrap_or(NONE);
        std::iter::from_fn(move || {
            let i = (at != NONE).then_some(at)?;
            at = next(&self.entries[i as usize]);
            Some(i)
        })
    }

    /// Calls `f` with each fact of an entity and attribute that is seen, those of the column first.
    #[inline]
    pub fn each_of_entity(&self, col: &Col, a: AttrId, e: u32, at: u32, mut f: impl FnMut(Fact, Place)) {
        for i in col.rows_of(e) {
            if !self.is_gone(a, i as u32, at) {
                f(col.fact(i), Place::Row(i as u32));
            }
        }
        if !self.entries.is_empty() {
            for i in self.chain(self.by_ea.get(&pair(a, e)), |x| x.next_ea) {
                let x = &self.entries[i as usize];
                if x.is_seen(at) {
                    f(x.fact, Place::Entry(i));
                }
            }
        }
    }

    /// Calls `f` with each fact of a value that is seen. `looked_up` is what was said when the facts were written.
    pub fn each_of_value(
        &self,
        col: &Col,
        a: AttrId,
        v: Word,
        at: u32,
        looked_up: bool,
        mut f: impl FnMut(Fact, Place),
    ) {
        if col.len() > 0 {
            let p = col.by_value();
            for i in &p[col.value_range(v)] {
                if !self.is_gone(a, *i, at) {
                    f(col.fact(*i as usize), Place::Row(*i));
                }
            }
        }
        if self.entries.is_empty() {
            return;
        }
        let mut seen = |i: u32| {
            let x = &self.entries[i as usize];
            if x.fact.v == v && x.is_seen(at) {
                f(x.fact, Place::Entry(i));
            }
        };
        if looked_up {
            self.chain(self.by_av.get(&(a, v)), |x| x.next_av).for_each(&mut seen);
        } else {
            self.chain(self.by_a.get(&a), |x| x.next_a).for_each(&mut seen);
        }
    }

    #[inline]
    fn is_gone(&self, a: AttrId, row: u32, at: u32) -> bool {
        !self.gone.is_empty() && self.gone.get(&pair(a, row)).is_some_and(|died| *died < at)
    }

    /// The column of an attribute as a value that sees `at` operations has it, with `more` changes on top of those.
    pub fn merged(&self, col: &Col, a: AttrId, at: u32, more: &[Change]) -> Col {
        let (mut added, mut ended): (Vec<Fact>, Vec<Past>) = Default::default();
        let mut entries: Vec<u32> =
            self.chain(self.by_a.get(&a), |e| e.next_a).filter(|i| self.entries[*i as usize].born < at).collect();
        entries.reverse();
        let mut gone: Vec<u32> = Vec::new();
        for g in self.gone_of.get(&a).into_iter().flatten().filter(|g| g.died < at) {
            gone.push(g.row);
            ended.push(Past { fact: col.fact(g.row as usize), end: g.end });
        }
        // Changes that are not yet in the list have entries numbered from here on.
        let mut fresh: Vec<Option<Fact>> = Vec::new();
        let mut dead: FxHashMap<u32, u32> = FxHashMap::default();
        let first = self.entries_before(at);
        for c in more {
            match c.gone {
                None => fresh.push((c.a == a).then_some(c.fact)),
                Some(_) if c.a != a => {}
                Some((Place::Row(row), end)) => {
                    gone.push(row);
                    ended.push(Past { fact: c.fact, end });
                }
                Some((Place::Entry(i), end)) if i < first => {
                    dead.insert(i, end);
                }
                Some((Place::Entry(i), end)) => {
                    if let Some(f) = fresh.get_mut((i - first) as usize).and_then(Option::take) {
                        ended.push(Past { fact: f, end });
                    }
                }
            }
        }
        for i in entries {
            let e = &self.entries[i as usize];
            if e.died < at {
                ended.push(Past { fact: e.fact, end: e.end });
            } else if let Some(end) = dead.get(&i) {
                ended.push(Past { fact: e.fact, end: *end });
            } else {
                added.push(e.fact);
            }
        }
        added.extend(fresh.into_iter().flatten());
        gone.sort_unstable();
        added.sort_unstable_by_key(|f| (f.e, f.v));
        ended.sort_by_key(|p| p.end);
        if col.weight() == 0 && gone.is_empty() && ended.is_empty() {
            let mut b = Builder::with_capacity(added.len());
            added.iter().for_each(|f| b.push(*f));
            return b.finish();
        }
        col.merge(&added, &gone, &ended)
    }

    /// The attributes that a value which sees `at` operations sees changes of.
    pub fn touched(&self, at: u32) -> Vec<AttrId> {
        let mut out: Vec<AttrId> = self.by_a.keys().chain(self.gone_of.keys()).copied().collect();
        out.sort_unstable();
        out.dedup();
        out.retain(|a| self.touches(*a, at));
        out
    }
}

/// A column that may still have to be read from where it is stored.
pub struct Slot {
    col: OnceLock<Arc<Col>>,
    stored: Option<Box<dyn Stored>>,
}

/// A column somewhere else.
pub trait Stored: Send + Sync {
    /// How many facts hold, known without reading them.
    fn len(&self) -> usize;
    /// How many rows there are with the past.
    fn weight(&self) -> usize;
    /// Reads the column. What goes wrong is kept by the implementation; the column then reads as empty.
    fn load(&self) -> Arc<Col>;
}

impl Slot {
    /// A column at hand.
    pub fn ready(col: Arc<Col>) -> Arc<Self> {
        Arc::new(Self { col: OnceLock::from(col), stored: None })
    }

    /// A column that is read when it is first asked for.
    pub fn stored(stored: Box<dyn Stored>) -> Arc<Self> {
        Arc::new(Self { col: OnceLock::new(), stored: Some(stored) })
    }

    /// The column.
    #[inline]
    pub fn get(&self) -> &Arc<Col> {
        self.col.get_or_init(|| self.stored.as_ref().map_or_else(Arc::default, |s| s.load()))
    }

    /// How many facts hold.
    pub fn len(&self) -> usize {
        match (self.col.get(), &self.stored) {
            (None, Some(s)) => s.len(),
            _ => self.get().len(),
        }
    }

    /// How many rows there are with the past.
    pub fn weight(&self) -> usize {
        match (self.col.get(), &self.stored) {
            (None, Some(s)) => s.weight(),
            _ => self.get().weight(),
        }
    }
}

/// Columns, and what was written since.
pub struct Generation {
    /// Columns by attribute; attributes that came later have none.
    pub base: Vec<Arc<Slot>>,
    /// Rows in all columns.
    pub weight: usize,
    delta: RwLock<Delta>,
}

impl Generation {
    /// Over columns.
    pub fn new(base: Vec<Arc<Slot>>, delta: Delta) -> Self {
        let weight = base.iter().map(|c| c.weight()).sum();
        Self { base, weight, delta: RwLock::new(delta) }
    }

    /// The column of an attribute.
    #[inline]
    pub fn col(&self, a: AttrId) -> &Col {
        static EMPTY: OnceLock<Col> = OnceLock::new();
        match self.base.get(a as usize) {
            Some(slot) => slot.get(),
            None => EMPTY.get_or_init(Col::default),
        }
    }

    /// What was written since, to be read.
    pub fn read(&self) -> RwLockReadGuard<'_, Delta> {
        self.delta.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was written since, to be appended to.
    pub fn write(&self) -> RwLockWriteGuard<'_, Delta> {
        self.delta.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many changes may pile up before the columns are made anew.
    pub fn patience(&self) -> usize {
        (self.weight / 4).clamp(8192, 262_144)
    }

    /// New columns with everything that `at` operations and `more` changes made of these.
    pub fn compacted(&self, at: u32, more: &[Change]) -> Self {
        let delta = self.read();
        let mut touched = delta.touched(at);
        touched.extend(more.iter().map(|c| c.a));
        touched.sort_unstable();
        touched.dedup();
        let mut base = self.base.clone();
        if let Some(last) = touched.last() {
            while base.len() <= *last as usize {
                base.push(Slot::ready(Arc::default()));
            }
        }
        // One pass over many changes for each attribute would be quadratic in attributes: split them first.
        let first = delta.entries_before(at);
        let mut of: FxHashMap<AttrId, Vec<Change>> = FxHashMap::default();
        // Entries are numbered over all attributes; within an attribute's own list they are numbered again.
        let mut number: Vec<u32> = Vec::new();
        let mut count: FxHashMap<AttrId, u32> = FxHashMap::default();
        for c in more {
            let mut c = *c;
            match &mut c.gone {
                None => {
                    let n = count.entry(c.a).or_default();
                    number.push(*n);
                    *n += 1;
                }
                Some((Place::Entry(i), _)) if *i >= first => *i = first + number[(*i - first) as usize],
                Some(_) => {}
            }
            of.entry(c.a).or_default().push(c);
        }
        for a in touched {
            let more = of.get(&a).map_or(&[][..], |v| v);
            base[a as usize] = Slot::ready(Arc::new(delta.merged(self.col(a), a, at, more)));
        }
        drop(delta);
        Self::new(base, Delta::default())
    }
}
