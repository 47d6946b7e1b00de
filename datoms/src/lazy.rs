//! Sources over data that is already there: columns are made when a query first looks at them, and never otherwise.
//!
//! Whoever has data in a form of its own implements [`Relations`]: which attributes there are, the facts of one of them,
//! and the values of one entity. [`Lazy`] makes a [`Source`] of that. A point is answered from the data itself; a join
//! over an attribute makes that attribute's column, a value that is looked up its permutation by value, once each.
//! [`Union`] puts sources side by side as one database, told apart by their attributes.

use crate::edn::Edn;
use crate::query::QueryError;
use crate::source::{AttrTraits, Bound, Column, Cursor, Row, Source};
use crate::value::{Dict, LocalDict, SharedDict, Word};
use rustc_hash::FxHashMap;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

/// A dictionary that several lazy sources share. What a query asks for is taken in as well, so a value has one word
/// whether it is met first in the query or in a column that is made while the query runs.
#[derive(Default)]
pub struct Lexicon(RwLock<LocalDict>);

impl Lexicon {
    /// An empty one, ready to be shared.
    pub fn shared() -> Arc<Lexicon> {
        Arc::default()
    }

    /// The word of any value.
    pub fn encode(&self, v: &Edn) -> Word {
        match Word::inline(v) {
            Some(w) => w,
            None => Word::coded(Word::coded_kind(v), self.add(v), false),
        }
    }

    fn add(&self, v: &Edn) -> u32 {
        if let Some(i) = self.0.read().unwrap_or_else(PoisonError::into_inner).find(v) {
            return i;
        }
        self.0.write().unwrap_or_else(PoisonError::into_inner).add(v)
    }
}

impl Dict for Lexicon {
    fn find(&self, v: &Edn) -> Option<u32> {
        Some(self.add(v))
    }

    fn get(&self, index: u32) -> Edn {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(index)
    }
}

/// An attribute of a lazy source.
#[derive(Clone, Debug)]
pub struct AttrInfo {
    /// Without colon: `yin/type`.
    pub name: &'static str,
    /// What the engine may rely on.
    pub traits: AttrTraits,
    /// What the value is, for reference pages.
    pub doc: &'static str,
}

impl AttrInfo {
    /// An attribute with at most one value, which is no entity.
    pub const fn value(name: &'static str, doc: &'static str) -> Self {
        Self { name, traits: AttrTraits { is_ref: false, many: false, unique: false }, doc }
    }

    /// An attribute with at most one value, an entity.
    pub const fn reference(name: &'static str, doc: &'static str) -> Self {
        Self { name, traits: AttrTraits { is_ref: true, many: false, unique: false }, doc }
    }

    /// The same with any number of values.
    pub const fn many(mut self) -> Self {
        self.traits.many = true;
        self
    }
}

/// Facts kept in a form of their owner's.
pub trait Relations: Send + Sync {
    /// The attributes; the other methods name them by index.
    fn attrs(&self) -> &[AttrInfo];

    /// All facts of an attribute, entities ascending. Values of one entity may come in any order.
    fn fill(&self, attr: usize, out: &mut dyn FnMut(u32, Word));

    /// The values of one entity, if that takes no search; false sends the caller to the column.
    fn values(&self, _attr: usize, _e: u32, _out: &mut Vec<Word>) -> bool {
        false
    }

    /// An upper bound of the number of entities.
    fn n_entities(&self) -> usize;

    /// Transaction and meta entity of a fact.
    fn provenance(&self, _attr: usize, _e: u32) -> (i64, i64) {
        (0, 1)
    }
}

#[derive(Default)]
struct Made {
    e: Vec<u32>,
    v: Vec<Word>,
    by_value: OnceLock<Vec<u32>>,
}

/// A source that makes its columns when they are asked for; see the module.
pub struct Lazy<R> {
    relations: R,
    dict: SharedDict,
    index: FxHashMap<Word, usize>,
    words: Vec<Word>,
    made: Vec<OnceLock<Made>>,
}

/// Columns of a lazy source: e a v t m.
const ARITY: usize = 5;

impl<R: Relations> Lazy<R> {
    /// Over relations whose words are those of a lexicon. O(attributes).
    pub fn new(relations: R, lexicon: &Arc<Lexicon>) -> Self {
        let words: Vec<Word> = relations.attrs().iter().map(|a| lexicon.encode(&Edn::keyword(a.name))).collect();
        let index = words.iter().enumerate().map(|(i, w)| (*w, i)).collect();
        let made = words.iter().map(|_| OnceLock::new()).collect();
        Self { relations, dict: lexicon.clone(), index, words, made }
    }

    /// What it is over.
    pub fn relations(&self) -> &R {
        &self.relations
    }

    /// How many columns were made so far.
    pub fn n_made(&self) -> usize {
        self.made.iter().filter(|m| m.get().is_some()).count()
    }

    fn made(&self, attr: usize) -> &Made {
        self.made[attr].get_or_init(|| {
            let mut m = Made::default();
            self.relations.fill(attr, &mut |e, v| {
                m.e.push(e);
                m.v.push(v);
            });
            if self.relations.attrs()[attr].traits.many {
                let mut pairs: Vec<(u32, Word)> = m.e.iter().copied().zip(m.v.iter().copied()).collect();
                pairs.sort_unstable();
                pairs.dedup();
                (m.e, m.v) = pairs.into_iter().unzip();
            }
            debug_assert!(m.e.is_sorted(), "{}", self.relations.attrs()[attr].name);
            m
        })
    }

    fn by_value_of(&self, attr: usize) -> &[u32] {
        let m = self.made(attr);
        m.by_value.get_or_init(|| {
            let mut p: Vec<u32> = (0..m.v.len() as u32).collect();
            // Values that grow with the entities, as parents nearly do, sort in little time.
            p.sort_by_key(|i| m.v[*i as usize]);
            p
        })
    }

    fn values_of(&self, attr: usize, e: u32, out: &mut Vec<Word>) {
        let from = out.len();
        if self.relations.values(attr, e, out) {
            out[from..].sort_unstable();
            return;
        }
        let m = self.made(attr);
        let c = Column { e: &m.e, v: &m.v, t: &[] };
        out.extend_from_slice(&c.v[c.rows_of(e)]);
    }

    /// The rows of a by-value permutation that have a value.
    fn with_value(&self, attr: usize, w: Word) -> &[u32] {
        let (m, p) = (self.made(attr), self.by_value_of(attr));
        let start = p.partition_point(|i| m.v[*i as usize] < w);
        let n = p[start..].partition_point(|i| m.v[*i as usize] == w);
        &p[start..start + n]
    }

    fn row(&self, attr: usize, e: u32, v: Word) -> [Word; ARITY] {
        let (t, m) = self.relations.provenance(attr, e);
        let word = |i: i64| Word::int(i).unwrap_or(Word::NIL);
        [Word::entity(e), self.words[attr], v, word(t), word(m)]
    }

    /// The attributes a scan has to look at.
    fn wanted(&self, attr: Option<Word>) -> std::ops::Range<usize> {
        match attr {
            None => 0..self.words.len(),
            Some(a) => self.index.get(&a).map_or(0..0, |i| *i..*i + 1),
        }
    }
}

/// Rows of the attributes `attrs`, one attribute after the other.
struct LazyCursor<'a, R> {
    source: &'a Lazy<R>,
    attrs: std::ops::Range<usize>,
    bound: Vec<Option<Word>>,
    /// Facts of the attribute at hand, and how far they were read.
    facts: Vec<(u32, Word)>,
    at: usize,
    attr: usize,
    row: [Word; ARITY],
}

impl<R: Relations> LazyCursor<'_, R> {
    fn find(&mut self, ok: impl Fn(&[Word]) -> bool) -> Option<Row<'_>> {
        loop {
            while let Some((e, v)) = self.facts.get(self.at).copied() {
                self.at += 1;
                self.row = self.source.row(self.attr, e, v);
                let fits = self.bound.iter().zip(&self.row).all(|(b, w)| b.is_none_or(|b| b == *w));
                if fits && ok(&self.row) {
                    return Some(&self.row);
                }
            }
            self.attr = self.attrs.next()?;
            self.at = 0;
            self.facts.clear();
            let at = |i: usize| self.bound.get(i).copied().flatten();
            match (at(0), at(2)) {
                (Some(e), _) => {
                    if let Some(e) = e.as_entity() {
                        let mut values = Vec::new();
                        self.source.values_of(self.attr, e, &mut values);
                        self.facts.extend(values.into_iter().map(|v| (e, v)));
                    }
                }
                (None, Some(v)) => {
                    let m = self.source.made(self.attr);
                    let rows = self.source.with_value(self.attr, v);
                    self.facts.extend(rows.iter().map(|i| (m.e[*i as usize], v)));
                }
                (None, None) => {
                    let m = self.source.made(self.attr);
                    self.facts.extend(m.e.iter().copied().zip(m.v.iter().copied()));
                }
            }
        }
    }
}

impl<R: Relations> Cursor for LazyCursor<'_, R> {
    fn next(&mut self) -> Option<Row<'_>> {
        self.find(|_| true)
    }

    fn seek(&mut self, column: usize, word: Word) -> Option<Row<'_>> {
        self.find(|row| row.get(column).is_some_and(|w| *w >= word))
    }
}

impl<R: Relations> Source for Lazy<R> {
    fn dict(&self) -> &SharedDict {
        &self.dict
    }

    fn arity(&self) -> usize {
        ARITY
    }

    fn count(&self, bound: Bound) -> usize {
        let at = |i: usize| bound.get(i).copied().flatten();
        if at(1).is_none() && at(0).is_none() {
            return self.words.len() * self.relations.n_entities();
        }
        let mut values = Vec::new();
        self.wanted(at(1))
            .map(|attr| match (at(0), at(2)) {
                (Some(e), v) => e.as_entity().map_or(0, |e| {
                    values.clear();
                    self.values_of(attr, e, &mut values);
                    values.iter().filter(|w| v.is_none_or(|v| v == **w)).count()
                }),
                (None, Some(v)) => self.with_value(attr, v).len(),
                (None, None) => self.made(attr).e.len(),
            })
            .sum()
    }

    fn scan<'a>(&'a self, bound: Bound) -> Box<dyn Cursor + 'a> {
        let attrs = self.wanted(bound.get(1).copied().flatten());
        let row = [Word::NIL; ARITY];
        Box::new(LazyCursor { source: self, attrs, bound: bound.to_vec(), facts: Vec::new(), at: 0, attr: 0, row })
    }

    fn column(&self, attr: Word) -> Option<Column<'_>> {
        Some(self.index.get(&attr).map_or(Column::default(), |a| {
            let m = self.made(*a);
            Column { e: &m.e, v: &m.v, t: &[] }
        }))
    }

    fn by_value(&self, attr: Word) -> Option<&[u32]> {
        Some(self.index.get(&attr).map_or(&[], |a| self.by_value_of(*a)))
    }

    fn values(&self, e: u32, attr: Word, out: &mut Vec<Word>) {
        if let Some(a) = self.index.get(&attr) {
            self.values_of(*a, e, out);
        }
    }

    fn entities(&self, attr: Word, v: Word, out: &mut Vec<u32>) {
        if let Some(a) = self.index.get(&attr) {
            let m = self.made(*a);
            out.extend(self.with_value(*a, v).iter().map(|i| m.e[*i as usize]));
        }
    }

    fn attr(&self, attr: Word) -> AttrTraits {
        let unknown = AttrTraits { is_ref: false, many: false, unique: false };
        self.index.get(&attr).map_or(unknown, |a| self.relations.attrs()[*a].traits)
    }

    fn is_database(&self) -> bool {
        true
    }

    fn entity(&self, id: &Edn) -> Result<Option<u32>, QueryError> {
        entity_of(self, id)
    }
}

/// The entity of a number, or the first one with the value of a lookup ref; idents there are none.
fn entity_of(source: &dyn Source, id: &Edn) -> Result<Option<u32>, QueryError> {
    if let Edn::Int(i) = id {
        return Ok(u32::try_from(*i).ok());
    }
    let Some([a @ Edn::Keyword(_), v]) = id.as_seq() else { return Ok(None) };
    let (Some(a), Some(v)) = (source.dict().word(a), source.dict().word(v)) else { return Ok(None) };
    let mut found = Vec::new();
    source.entities(a, v, &mut found);
    Ok(found.first().copied())
}

/// A source that knows which attributes it has.
pub trait Part: Source {
    /// The words of its attributes.
    fn attr_words(&self) -> &[Word];
}

impl<R: Relations> Part for Lazy<R> {
    fn attr_words(&self) -> &[Word] {
        &self.words
    }
}

/// Several sources as one database. They share a dictionary; an attribute belongs to the first source that has it.
pub struct Union<'s> {
    parts: Vec<&'s dyn Part>,
    of: FxHashMap<Word, usize>,
}

impl<'s> Union<'s> {
    /// Of at least one source; `None` without any.
    pub fn new(parts: Vec<&'s dyn Part>) -> Option<Self> {
        let mut of = FxHashMap::default();
        for (i, p) in parts.iter().enumerate() {
            p.attr_words().iter().for_each(|w| {
                of.entry(*w).or_insert(i);
            });
        }
        (!parts.is_empty()).then_some(Self { parts, of })
    }

    fn part(&self, attr: Word) -> &'s dyn Part {
        self.parts[self.of.get(&attr).copied().unwrap_or(0)]
    }
}

struct Chain<'a> {
    parts: Vec<Box<dyn Cursor + 'a>>,
    at: usize,
}

impl Chain<'_> {
    fn advance(&mut self, mut step: impl FnMut(&mut dyn Cursor) -> Option<Vec<Word>>) -> Option<Vec<Word>> {
        while let Some(c) = self.parts.get_mut(self.at) {
            if let Some(row) = step(&mut **c) {
                return Some(row);
            }
            self.at += 1;
        }
        None
    }
}

/// A cursor over a chain keeps the row it is at.
struct ChainCursor<'a> {
    chain: Chain<'a>,
    row: Vec<Word>,
}

impl Cursor for ChainCursor<'_> {
    fn next(&mut self) -> Option<Row<'_>> {
        self.row = self.chain.advance(|c| c.next().map(<[Word]>::to_vec))?;
        Some(&self.row)
    }

    fn seek(&mut self, column: usize, word: Word) -> Option<Row<'_>> {
        self.row = self.chain.advance(|c| c.seek(column, word).map(<[Word]>::to_vec))?;
        Some(&self.row)
    }
}

impl Source for Union<'_> {
    fn dict(&self) -> &SharedDict {
        self.parts[0].dict()
    }

    fn arity(&self) -> usize {
        ARITY
    }

    fn count(&self, bound: Bound) -> usize {
        match bound.get(1).copied().flatten() {
            Some(a) => self.part(a).count(bound),
            None => self.parts.iter().map(|p| p.count(bound)).sum(),
        }
    }

    fn scan<'a>(&'a self, bound: Bound) -> Box<dyn Cursor + 'a> {
        match bound.get(1).copied().flatten() {
            Some(a) => self.part(a).scan(bound),
            None => {
                let parts = self.parts.iter().map(|p| p.scan(bound)).collect();
                Box::new(ChainCursor { chain: Chain { parts, at: 0 }, row: Vec::new() })
            }
        }
    }

    fn column(&self, attr: Word) -> Option<Column<'_>> {
        self.part(attr).column(attr)
    }

    fn by_value(&self, attr: Word) -> Option<&[u32]> {
        self.part(attr).by_value(attr)
    }

    fn values(&self, e: u32, attr: Word, out: &mut Vec<Word>) {
        self.part(attr).values(e, attr, out);
    }

    fn entities(&self, attr: Word, v: Word, out: &mut Vec<u32>) {
        self.part(attr).entities(attr, v, out);
    }

    fn attr(&self, attr: Word) -> AttrTraits {
        self.part(attr).attr(attr)
    }

    fn is_database(&self) -> bool {
        true
    }

    fn entity(&self, id: &Edn) -> Result<Option<u32>, QueryError> {
        entity_of(self, id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::{Input, q_text};
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// The numbers below 100: their square, and their divisors.
    struct Numbers {
        attrs: Vec<AttrInfo>,
        fills: AtomicUsize,
    }

    impl Relations for Numbers {
        fn attrs(&self) -> &[AttrInfo] {
            &self.attrs
        }
        fn fill(&self, attr: usize, out: &mut dyn FnMut(u32, Word)) {
            self.fills.fetch_add(1, Ordering::Relaxed);
            for e in 1..100u32 {
                match attr {
                    0 => out(e, Word::entity(e * e)),
                    _ => (1..=e).rev().filter(|d| e % d == 0).for_each(|d| out(e, Word::entity(d))),
                }
            }
        }
        fn values(&self, attr: usize, e: u32, out: &mut Vec<Word>) -> bool {
            if attr == 0 && (1..100).contains(&e) {
                out.push(Word::entity(e * e));
            }
            attr == 0
        }
        fn n_entities(&self) -> usize {
            100
        }
    }

    fn numbers(lexicon: &Arc<Lexicon>) -> Lazy<Numbers> {
        let attrs =
            vec![AttrInfo::value("n/square", "its square"), AttrInfo::reference("n/divisor", "a divisor").many()];
        Lazy::new(Numbers { attrs, fills: AtomicUsize::new(0) }, lexicon)
    }

    fn ask(s: &dyn Source, q: &str) -> String {
        q_text(q, &[Input::Source(s)]).expect("a query").to_edn().to_string()
    }

    #[test]
    fn points_make_no_column_and_joins_make_what_they_touch() {
        let s = numbers(&Lexicon::shared());
        assert_eq!(ask(&s, "[:find ?v . :where [7 :n/square ?v]]"), "49");
        assert_eq!(s.n_made(), 0);
        assert_eq!(ask(&s, "[:find [?e ...] :where [?e :n/divisor 33]]"), "[33 66 99]");
        assert_eq!(s.n_made(), 1);
        assert_eq!(ask(&s, "[:find ?e . :where [?e :n/square 81]]"), "9");
        assert_eq!(ask(&s, "[:find (count ?e) . :where [?e :n/divisor 7]]"), "14");
        assert_eq!(s.relations().fills.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn every_place_of_a_pattern_may_vary() {
        let s = numbers(&Lexicon::shared());
        assert_eq!(ask(&s, "[:find (count ?a) . :where [8 ?a ?v]]"), "2");
        assert_eq!(ask(&s, "[:find (count ?v) . :with ?a :where [8 ?a ?v]]"), "5");
        assert_eq!(ask(&s, "[:find ?t ?m :where [8 :n/square ?v ?t ?m]]"), "#{[0 1]}");
        assert_eq!(ask(&s, "[:find ?e :where [?e :n/nothing ?v]]"), "#{}");
        assert_eq!(ask(&s, "[:find ?v . :where [[:n/square 16] :n/square ?v]]"), "16");
    }

    #[test]
    fn a_union_is_one_database() {
        let lexicon = Lexicon::shared();
        let (a, b) = (numbers(&lexicon), crate::lazy::tests::words(&lexicon));
        let u = Union::new(vec![&a, &b]).expect("two parts");
        assert_eq!(ask(&u, "[:find ?w . :where [?e :n/square 9] [?e :w/text ?w]]"), "\"n3\"");
        assert_eq!(ask(&u, "[:find (count ?a) . :where [3 ?a]]"), "3");
    }

    struct Words(Arc<Lexicon>, Vec<AttrInfo>);

    impl Relations for Words {
        fn attrs(&self) -> &[AttrInfo] {
            &self.1
        }
        fn fill(&self, _: usize, out: &mut dyn FnMut(u32, Word)) {
            (0..10).for_each(|e| out(e, self.0.encode(&Edn::string(format!("n{e}")))));
        }
        fn n_entities(&self) -> usize {
            10
        }
    }

    fn words(lexicon: &Arc<Lexicon>) -> Lazy<Words> {
        Lazy::new(Words(lexicon.clone(), vec![AttrInfo::value("w/text", "text")]), lexicon)
    }

    #[test]
    fn values_of_the_query_are_those_of_columns_made_later() {
        let s = words(&Lexicon::shared());
        assert_eq!(ask(&s, "[:find ?e . :where [?e :w/text \"n4\"]]"), "4");
        let q = "[:find ?e . :in $ ?w :where [(str \"n\" ?w) ?x] [?e :w/text ?x]]";
        let found = q_text(q, &[Input::Source(&s), Input::Value(Edn::Int(5))]).expect("a query").to_edn();
        assert_eq!(found, Edn::Int(5));
    }
}
