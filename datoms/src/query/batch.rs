//! Rows of a running query as columns, and the tables that keep sets of rows.

use crate::value::Word;
use std::borrow::Cow;

/// Values of one variable in all rows of a batch.
#[derive(Clone, Debug)]
pub enum Col<'a> {
    /// The same in each row.
    Const(Word),
    /// Entities, often straight from a source.
    Ents(Cow<'a, [u32]>),
    /// Any words.
    Words(Cow<'a, [Word]>),
}

impl<'a> Col<'a> {
    /// The word of a row.
    #[inline]
    pub fn get(&self, i: usize) -> Word {
        match self {
            Col::Const(w) => *w,
            Col::Ents(e) => Word::entity(e[i]),
            Col::Words(w) => w[i],
        }
    }

    /// The entity of a row, if it is one.
    #[inline]
    pub fn entity(&self, i: usize) -> Option<u32> {
        match self {
            Col::Const(w) => w.as_entity(),
            Col::Ents(e) => Some(e[i]),
            Col::Words(w) => w[i].as_entity(),
        }
    }

    /// The rows chosen, in that order.
    pub fn gather(&self, rows: &[u32]) -> Col<'a> {
        match self {
            Col::Const(w) => Col::Const(*w),
            Col::Ents(e) => Col::Ents(rows.iter().map(|i| e[*i as usize]).collect::<Vec<_>>().into()),
            Col::Words(w) => Col::Words(rows.iter().map(|i| w[*i as usize]).collect::<Vec<_>>().into()),
        }
    }

    /// As plain words.
    pub fn into_words(self, n: usize) -> Vec<Word> {
        match self {
            Col::Const(w) => vec![w; n],
            Col::Ents(e) => e.iter().map(|e| Word::entity(*e)).collect(),
            Col::Words(w) => w.into_owned(),
        }
    }
}

/// Rows of a running query: a column for each variable that is bound and still needed.
#[derive(Clone, Debug)]
pub struct Batch<'a> {
    /// How many rows there are, also when there are no columns.
    pub n: usize,
    /// By variable.
    pub cols: Vec<Option<Col<'a>>>,
}

impl<'a> Batch<'a> {
    /// One row without variables: what a query starts from.
    pub fn unit(n_vars: usize) -> Self {
        Self { n: 1, cols: vec![None; n_vars] }
    }

    /// The rows chosen, in that order.
    pub fn gather(&self, rows: &[u32]) -> Batch<'a> {
        Batch { n: rows.len(), cols: self.cols.iter().map(|c| c.as_ref().map(|c| c.gather(rows))).collect() }
    }

    /// The rows chosen, in ascending order; all of them are passed on as they are.
    pub fn select(self, rows: &[u32]) -> Batch<'a> {
        if rows.len() == self.n { self } else { self.gather(rows) }
    }

    /// No rows, same variables.
    pub fn none(mut self) -> Batch<'a> {
        self.n = 0;
        for c in self.cols.iter_mut().flatten() {
            if !matches!(c, Col::Const(_)) {
                *c = Col::Words(Vec::new().into());
            }
        }
        self
    }
}

#[inline]
fn mix(h: u64, w: Word) -> u64 {
    (h.rotate_left(5) ^ w.0).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Where a hash starts its search in a table of a power of two of slots.
#[inline]
fn slot(h: u64, mask: usize) -> usize {
    ((h ^ (h >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize & mask
}

const EMPTY: u32 = u32::MAX;

/// A set of rows of words, in the order they came.
#[derive(Clone, Debug)]
pub struct RowSet {
    width: usize,
    n: usize,
    words: Vec<Word>,
    slots: Vec<u32>,
    indexes: Vec<Index>,
}

/// Rows with the same values in some places, chained from the newest to the oldest.
#[derive(Clone, Debug)]
struct Index {
    places: Vec<usize>,
    slots: Vec<u32>,
    next: Vec<u32>,
    n_keys: usize,
}

impl RowSet {
    /// An empty set of rows of a width.
    pub fn new(width: usize) -> Self {
        Self { width, n: 0, words: Vec::new(), slots: vec![EMPTY; 16], indexes: Vec::new() }
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.n
    }

    /// A row by number.
    #[inline]
    pub fn row(&self, i: usize) -> &[Word] {
        &self.words[i * self.width..(i + 1) * self.width]
    }

    /// Adds a row; false if it was there.
    pub fn insert(&mut self, row: &[Word]) -> bool {
        debug_assert_eq!(row.len(), self.width);
        if self.n * 2 >= self.slots.len() {
            self.grow();
        }
        let mask = self.slots.len() - 1;
        let mut at = slot(row.iter().fold(0, |h, w| mix(h, *w)), mask);
        loop {
            let i = self.slots[at];
            if i == EMPTY {
                break;
            }
            if self.row(i as usize) == row {
                return false;
            }
            at = (at + 1) & mask;
        }
        self.slots[at] = u32::try_from(self.n).expect("a set of rows holds fewer than 2^32");
        self.words.extend_from_slice(row);
        self.n += 1;
        true
    }

    fn grow(&mut self) {
        let size = self.slots.len() * 4;
        self.slots.clear();
        self.slots.resize(size, EMPTY);
        for i in 0..self.n {
            let mut at = slot(self.row(i).iter().fold(0, |h, w| mix(h, *w)), size - 1);
            while self.slots[at] != EMPTY {
                at = (at + 1) & (size - 1);
            }
            self.slots[at] = i as u32;
        }
    }

    /// Calls `f` with each row in `range` whose `places` hold `key`, newest first.
    pub fn lookup(
        &mut self,
        places: &[usize],
        key: &[Word],
        range: &std::ops::Range<usize>,
        f: &mut dyn FnMut(&[Word]),
    ) {
        if places.is_empty() {
            for i in range.clone() {
                f(&self.words[i * self.width..(i + 1) * self.width]);
            }
            return;
        }
        let which = match self.indexes.iter().position(|x| x.places == places) {
            Some(i) => i,
            None => {
                self.indexes.push(Index {
                    places: places.to_vec(),
                    slots: vec![EMPTY; 16],
                    next: Vec::new(),
                    n_keys: 0,
                });
                self.indexes.len() - 1
            }
        };
        self.update(which);
        let index = &self.indexes[which];
        let mask = index.slots.len() - 1;
        let mut at = slot(key.iter().fold(0, |h, w| mix(h, *w)), mask);
        let word = |i: usize, p: usize| self.words[i * self.width + p];
        loop {
            let head = index.slots[at];
            if head == EMPTY {
                return;
            }
            if places.iter().zip(key).all(|(p, k)| word(head as usize, *p) == *k) {
                let mut i = head;
                while i != EMPTY && i as usize >= range.start {
                    if (i as usize) < range.end {
                        f(self.row(i as usize));
                    }
                    i = index.next[i as usize];
                }
                return;
            }
            at = (at + 1) & mask;
        }
    }

    /// Brings an index up to date with the rows.
    fn update(&mut self, which: usize) {
        let (words, width, n) = (&self.words, self.width, self.n);
        let index = &mut self.indexes[which];
        for i in index.next.len()..n {
            if index.n_keys * 2 >= index.slots.len() {
                // Only heads of chains are in slots.
                let heads: Vec<u32> = index.slots.iter().copied().filter(|h| *h != EMPTY).collect();
                let size = index.slots.len() * 4;
                index.slots.clear();
                index.slots.resize(size, EMPTY);
                for h in heads {
                    let key = index.places.iter().fold(0, |x, p| mix(x, words[h as usize * width + p]));
                    let mut at = slot(key, size - 1);
                    while index.slots[at] != EMPTY {
                        at = (at + 1) & (size - 1);
                    }
                    index.slots[at] = h;
                }
            }
            let mask = index.slots.len() - 1;
            let row = &words[i * width..(i + 1) * width];
            let mut at = slot(index.places.iter().fold(0, |h, p| mix(h, row[*p])), mask);
            loop {
                let head = index.slots[at];
                if head == EMPTY {
                    index.n_keys += 1;
                    index.next.push(EMPTY);
                    break;
                }
                if index.places.iter().all(|p| words[head as usize * width + p] == row[*p]) {
                    index.next.push(head);
                    break;
                }
                at = (at + 1) & mask;
            }
            index.slots[at] = i as u32;
        }
    }
}

/// The rows, by number, of which no earlier row has the same words in all columns.
pub fn distinct_rows(cols: &[&Col], n: usize) -> Vec<u32> {
    let cols: Vec<&&Col> = cols.iter().filter(|c| !matches!(c, Col::Const(_))).collect();
    if cols.is_empty() {
        return if n > 0 { vec![0] } else { Vec::new() };
    }
    let mut size = 16;
    while size < n * 2 {
        size *= 2;
    }
    let mut slots = vec![EMPTY; size];
    let mut out = Vec::with_capacity(n);
    for i in 0..n {
        let mut at = slot(cols.iter().fold(0, |h, c| mix(h, c.get(i))), size - 1);
        loop {
            let j = slots[at];
            if j == EMPTY {
                slots[at] = i as u32;
                out.push(i as u32);
                break;
            }
            if cols.iter().all(|c| c.get(i) == c.get(j as usize)) {
                break;
            }
            at = (at + 1) & (size - 1);
        }
    }
    out
}
