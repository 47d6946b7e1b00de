//! The seam between the query engine and whatever holds facts.
//!
//! A [`Source`] is a relation of rows of words. What stands in the `e`, `a`, `v`, `t` and op places of a database's
//! pattern are its first five columns; a plain collection has as many columns as its rows have elements. The least a
//! source must do is [`count`](Source::count) and [`scan`](Source::scan) under any binding of its columns. One that is
//! organised by attribute also hands out its [`Column`]s, and then joins run over its arrays without a copy.

use crate::edn::Edn;
use crate::query::{QueryError, Registry};
use crate::value::{SharedDict, Word};

/// How many places a row can have in a scan: enough for `e a v t op`, and wider for collections.
pub type Row<'a> = &'a [Word];

/// The constants of a scan by column; columns past the end are free.
pub type Bound<'a> = &'a [Option<Word>];

/// Rows one after another, each only until the next call.
pub trait Cursor {
    /// The next row; columns that the scan bound hold the constant.
    fn next(&mut self) -> Option<Row<'_>>;

    /// Goes on to the first row whose `column` is at least `word`, where rows come in the order of that column. The
    /// default steps; a sorted source searches.
    fn seek(&mut self, column: usize, word: Word) -> Option<Row<'_>>;
}

/// All facts of one attribute as arrays of the same length.
///
/// Sorted by entity, then by value in [`Word`] order; no pair of entity and value twice. `t` may be empty if nobody
/// keeps transactions.
#[derive(Clone, Copy, Debug, Default)]
pub struct Column<'a> {
    /// Entities, ascending.
    pub e: &'a [u32],
    /// Values beside them.
    pub v: &'a [Word],
    /// Transactions beside them, or empty.
    pub t: &'a [u32],
}

impl<'a> Column<'a> {
    /// How many facts there are.
    pub fn len(&self) -> usize {
        self.e.len()
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.e.is_empty()
    }

    /// The rows of one entity.
    pub fn rows_of(&self, e: u32) -> std::ops::Range<usize> {
        let start = self.e.partition_point(|x| *x < e);
        let n = self.e[start..].iter().take_while(|x| **x == e).count();
        start..start + n
    }
}

/// What a source says about an attribute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AttrTraits {
    /// Values are entities.
    pub is_ref: bool,
    /// An entity can have several values; otherwise at most one, and the engine relies on it.
    pub many: bool,
    /// A value belongs to at most one entity; the engine relies on it.
    pub unique: bool,
}

/// Anything that can stand behind `$`.
pub trait Source: Send + Sync {
    /// What gives its coded words their meaning. Sources with the same dictionary, the same by address, have words that
    /// compare directly.
    fn dict(&self) -> &SharedDict;

    /// How many columns rows have at most; a pattern with more places matches nothing.
    fn arity(&self) -> usize;

    /// True if rows may be of different length, so that the places of a pattern also test for presence.
    fn ragged(&self) -> bool {
        false
    }

    /// How many rows match: exact where that costs no more than a search, an upper bound otherwise.
    fn count(&self, bound: Bound) -> usize;

    /// The rows that match, in an order of the source's own choice.
    fn scan<'a>(&'a self, bound: Bound) -> Box<dyn Cursor + 'a>;

    /// All facts of an attribute in arrays, if the source has or can make them; an empty column for an attribute that
    /// it does not know. `None` sends the engine to [`scan`](Source::scan).
    fn column(&self, _attr: Word) -> Option<Column<'_>> {
        None
    }

    /// The permutation of a column's rows by value in [`Word`] order, then entity: made on demand and kept.
    fn by_value(&self, _attr: Word) -> Option<&[u32]> {
        None
    }

    /// The values of one entity and attribute, appended in word order. The default scans.
    fn values(&self, e: u32, attr: Word, out: &mut Vec<Word>) {
        let mut rows = self.scan(&[Some(Word::entity(e)), Some(attr)]);
        while let Some(row) = rows.next() {
            out.extend(row.get(2));
        }
    }

    /// The entities that have a value, appended in ascending order. The default scans.
    fn entities(&self, attr: Word, v: Word, out: &mut Vec<u32>) {
        let from = out.len();
        let mut rows = self.scan(&[None, Some(attr), Some(v)]);
        while let Some(row) = rows.next() {
            out.extend(row.first().and_then(|e| e.as_entity()));
        }
        out[from..].sort_unstable();
    }

    /// What is known of an attribute; without knowledge nothing is promised.
    fn attr(&self, _attr: Word) -> AttrTraits {
        AttrTraits { is_ref: false, many: true, unique: false }
    }

    /// True if rows are datoms of a database: lookup refs and idents are resolved and `pull` works.
    fn is_database(&self) -> bool {
        false
    }

    /// The entity of a number, lookup ref or ident; `None` if there is none. Only databases resolve.
    fn entity(&self, _id: &Edn) -> Result<Option<u32>, QueryError> {
        Ok(None)
    }

    /// Pulls an entity; only databases can. `functions` are those of the host that the pattern may name.
    fn pull(&self, _pattern: &Edn, _entity: &Edn, _functions: Option<&Registry>) -> Result<Edn, QueryError> {
        Err(QueryError::new(crate::query::ErrorKind::ParserPull, "Only a database can be pulled from"))
    }

    /// Why something could not be read, once that happened; what the source gave out since is not to be relied on.
    fn fault(&self) -> Option<QueryError> {
        None
    }
}
