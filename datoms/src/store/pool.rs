//! What all values of one database share: the dictionary of large values and the table of attributes. Both only grow,
//! and reading them takes no lock, so that snapshots on other threads never wait.

use crate::edn::Edn;
use crate::value::{Dict, SharedDict, Word};
use rustc_hash::FxHashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

/// The size of the first chunk; each next one is twice as large.
const FIRST: usize = 64;

/// A vector that many threads read while one appends. An element never moves, so it is read without a lock.
struct Chunks<T> {
    chunks: [OnceLock<Box<[OnceLock<T>]>>; 27],
}

impl<T> Chunks<T> {
    fn new() -> Self {
        Self { chunks: [const { OnceLock::new() }; 27] }
    }

    #[inline]
    fn place(i: usize) -> (usize, usize) {
        let i = i + FIRST;
        let chunk = (usize::BITS - 1 - i.leading_zeros()) as usize - FIRST.trailing_zeros() as usize;
        (chunk, i - (FIRST << chunk))
    }

    #[inline]
    fn get(&self, i: usize) -> Option<&T> {
        let (chunk, at) = Self::place(i);
        self.chunks[chunk].get()?[at].get()
    }

    /// Sets element `i`, which nobody has set before.
    fn set(&self, i: usize, value: T) {
        let (chunk, at) = Self::place(i);
        let chunk = self.chunks[chunk].get_or_init(|| (0..FIRST << chunk).map(|_| OnceLock::new()).collect());
        let fresh = chunk[at].set(value).is_ok();
        debug_assert!(fresh, "an element is set once");
    }
}

/// The dictionary of a database. A value added stays for good.
pub struct Pool {
    values: Chunks<Edn>,
    index: RwLock<FxHashMap<Edn, u32>>,
}

impl Default for Pool {
    fn default() -> Self {
        Self { values: Chunks::new(), index: RwLock::default() }
    }
}

impl Pool {
    /// How many values it holds.
    pub fn len(&self) -> usize {
        self.index.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// The index of a value, which is added if it is new.
    pub fn add(&self, v: &Edn) -> u32 {
        if let Some(i) = self.find(v) {
            return i;
        }
        let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(i) = index.get(v) {
            return *i;
        }
        let i = u32::try_from(index.len()).expect("a dictionary holds fewer than 2^32 values");
        self.values.set(i as usize, v.clone());
        index.insert(v.clone(), i);
        i
    }

    /// Adds a value that is not there yet, as the next one.
    pub fn append(&self, v: Edn) {
        let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
        let i = index.len() as u32;
        if index.insert(v.clone(), i).is_none() {
            self.values.set(i as usize, v);
        }
    }

    /// The word of a value, which is added if it needs to be.
    #[inline]
    pub fn encode(&self, v: &Edn) -> Word {
        Word::inline(v).unwrap_or_else(|| Word::coded(Word::coded_kind(v), self.add(v), false))
    }

    /// A coded value without a copy.
    pub fn borrow(&self, index: u32) -> Option<&Edn> {
        self.values.get(index as usize)
    }
}

impl Dict for Pool {
    fn find(&self, v: &Edn) -> Option<u32> {
        self.index.read().unwrap_or_else(PoisonError::into_inner).get(v).copied()
    }

    fn get(&self, index: u32) -> Edn {
        self.values.get(index as usize).cloned().unwrap_or(Edn::Nil)
    }
}

/// An attribute of a database, by the order in which attributes became known.
pub type AttrId = u32;

struct AttrName {
    name: Edn,
    word: Word,
}

#[derive(Default)]
struct AttrIndex {
    by_text: FxHashMap<Arc<str>, AttrId>,
    by_word: FxHashMap<Word, AttrId>,
    len: u32,
}

/// The dictionary and the attributes of a database and of everything that came from it.
pub struct Lineage {
    /// The dictionary by its own type.
    pub pool: Arc<Pool>,
    /// The same, as sources hand it out.
    pub dict: SharedDict,
    names: Chunks<AttrName>,
    index: RwLock<AttrIndex>,
    /// Attributes in the order of their names, as of some number of attributes.
    order: Mutex<Arc<Vec<AttrId>>>,
    /// Why a part of a stored database could not be read, once that happened.
    pub fault: OnceLock<String>,
}

impl Default for Lineage {
    fn default() -> Self {
        let pool = Arc::new(Pool::default());
        Self {
            dict: pool.clone(),
            pool,
            names: Chunks::new(),
            index: RwLock::default(),
            order: Mutex::default(),
            fault: OnceLock::new(),
        }
    }
}

impl Lineage {
    /// How many attributes are known.
    pub fn attr_count(&self) -> u32 {
        self.index.read().unwrap_or_else(PoisonError::into_inner).len
    }

    /// The attribute of a keyword or string, if it is known.
    #[inline]
    pub fn attr(&self, name: &Edn) -> Option<AttrId> {
        let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
        match name {
            Edn::Keyword(k) => index.by_text.get(&**k.text()).copied(),
            _ => index.by_word.get(&self.dict.word(name)?).copied(),
        }
    }

    /// The attribute of a word, if it is known.
    #[inline]
    pub fn attr_of_word(&self, word: Word) -> Option<AttrId> {
        self.index.read().unwrap_or_else(PoisonError::into_inner).by_word.get(&word).copied()
    }

    /// The attribute of a keyword or string, which becomes known if it was not.
    pub fn intern(&self, name: &Edn) -> AttrId {
        if let Some(a) = self.attr(name) {
            return a;
        }
        let word = self.pool.encode(name);
        let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(a) = index.by_word.get(&word) {
            return *a;
        }
        let a = index.len;
        self.names.set(a as usize, AttrName { name: name.clone(), word });
        index.by_word.insert(word, a);
        if let Edn::Keyword(k) = name {
            index.by_text.insert(k.text().clone(), a);
        }
        index.len += 1;
        a
    }

    /// The name of an attribute.
    pub fn name(&self, a: AttrId) -> &Edn {
        self.names.get(a as usize).map_or(&Edn::Nil, |n| &n.name)
    }

    /// The word of an attribute's name.
    pub fn word(&self, a: AttrId) -> Word {
        self.names.get(a as usize).map_or(Word::NIL, |n| n.word)
    }

    /// All attributes in the order of their names.
    pub fn by_name(&self) -> Arc<Vec<AttrId>> {
        let n = self.attr_count();
        let mut order = self.order.lock().unwrap_or_else(PoisonError::into_inner);
        if order.len() != n as usize {
            let mut all: Vec<AttrId> = (0..n).collect();
            all.sort_by(|a, b| self.name(*a).cmp(self.name(*b)));
            *order = Arc::new(all);
        }
        order.clone()
    }

    /// Compares two words as values.
    pub fn compare(&self, a: Word, b: Word) -> std::cmp::Ordering {
        if a == b {
            return std::cmp::Ordering::Equal;
        }
        if a.kind() == b.kind() && a.code().is_none() && a.kind() != crate::value::kind::FLOAT {
            return a.cmp(&b);
        }
        let inline = |w: Word| w.as_inline();
        match (a.code(), b.code()) {
            (Some((i, _)), Some((j, _))) => match (self.pool.borrow(i), self.pool.borrow(j)) {
                (Some(x), Some(y)) => x.cmp(y),
                _ => a.cmp(&b),
            },
            (Some((i, _)), None) => match (self.pool.borrow(i), inline(b)) {
                (Some(x), Some(y)) => x.cmp(&y),
                _ => a.cmp(&b),
            },
            (None, Some((j, _))) => match (inline(a), self.pool.borrow(j)) {
                (Some(x), Some(y)) => x.cmp(y),
                _ => a.cmp(&b),
            },
            (None, None) => inline(a).cmp(&inline(b)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edn::read;

    #[test]
    fn values_keep_their_index_over_many_chunks() {
        let pool = Pool::default();
        for i in 0..5000 {
            assert_eq!(pool.add(&Edn::from(format!("v{i}"))), i);
        }
        assert_eq!(pool.add(&Edn::from("v77")), 77);
        assert_eq!(pool.get(4999), Edn::from("v4999"));
        assert_eq!(pool.len(), 5000);
        assert_eq!(pool.find(&Edn::from("none")), None);
    }

    #[test]
    fn words_compare_as_their_values() {
        let lineage = Lineage::default();
        let vs = crate::edn::read_all("1 2.5 -3 \"b\" \"a\" :k :a true nil [1] [1 2] 1/2 ##Inf \\c").unwrap();
        for a in &vs {
            for b in &vs {
                let (x, y) = (lineage.pool.encode(a), lineage.pool.encode(b));
                assert_eq!(lineage.compare(x, y), a.cmp(b), "{a} {b}");
            }
        }
        let k = read(":b/a").unwrap();
        let a = lineage.intern(&k);
        assert_eq!(lineage.attr(&k), Some(a));
        assert_eq!(lineage.attr_of_word(lineage.word(a)), Some(a));
        assert_eq!(lineage.intern(&Edn::from("b/a")), a + 1);
    }
}
