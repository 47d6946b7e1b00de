//! A database as a value: what held at one point, for good.

use super::column::{Col, Fact, Past};
use super::delta::{Delta, Generation, Slot};
use super::pool::{AttrId, Lineage, Pool};
use super::schema::{Props, Schema};
use crate::edn::Edn;
use crate::query::{ErrorKind, QueryError};
use crate::value::{Dict, Word};
use std::fmt;
use std::sync::{Arc, OnceLock};

pub(super) type Result<T> = std::result::Result<T, QueryError>;

/// Where transaction ids start; the first transaction is the next one.
pub const TX0: u32 = 0x2000_0000;
/// The greatest entity id.
pub const E_MAX: u32 = 0x7fff_ffff;

/// A fact with its attribute: `[e a v t m]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Datom {
    /// The entity.
    pub e: u32,
    /// The attribute.
    pub a: AttrId,
    /// The value, a word of the database.
    pub v: Word,
    /// The transaction.
    pub t: u32,
    /// 0 retract, 1 assert, 2 derived, otherwise an entity that tells where it is from.
    pub m: u32,
}

impl Datom {
    /// False for a retraction.
    pub fn added(&self) -> bool {
        self.m != 0
    }
}

/// Says of a fact whether a filtered database has it. It is given the database that was filtered.
pub type Filter = Arc<dyn Fn(&Database, &Datom) -> bool + Send + Sync>;

/// Which facts of a database are looked at.
#[derive(Clone, Default)]
pub(super) struct View {
    /// The last transaction that counts.
    pub as_of: Option<u32>,
    /// The last transaction that does not count.
    pub since: Option<u32>,
    /// Every assertion and retraction instead of what holds.
    pub history: bool,
    pub filters: Vec<Filter>,
}

pub(super) struct Inner {
    pub lineage: Arc<Lineage>,
    pub schema: Arc<Schema>,
    pub generation: Arc<Generation>,
    /// How many operations of the delta are seen.
    pub at: u32,
    pub max_eid: u32,
    pub max_tx: u32,
    pub view: Option<Box<View>>,
    /// Columns as this value sees them, by attribute, made when asked for.
    cols: OnceLock<Box<[OnceLock<Seen>]>>,
}

/// A column of a database value: one of its generation as it is, or one of its own.
enum Seen {
    Base,
    Own(Box<Col>),
}

/// An immutable database. A clone costs a reference count; it can be read on any thread while others write.
///
/// ```
/// use datoms::store::Database;
/// use datoms::edn::read;
/// let db = Database::empty(&read("{:friend {:db/valueType :db.type/ref}}").unwrap()).unwrap();
/// let report = db.with(&read("[{:db/id 1 :name \"Ada\"} {:name \"Bob\" :friend 1}]").unwrap()).unwrap();
/// let db = report.db_after;
/// assert_eq!(db.len(), 3);
/// let out = datoms::query::q_text(
///     "[:find ?n . :where [?e :friend ?f] [?f :name ?n]]", &[datoms::query::Input::Source(&db)]).unwrap();
/// assert_eq!(out.to_edn(), datoms::edn::Edn::from("Ada"));
/// ```
#[derive(Clone)]
pub struct Database(pub(super) Arc<Inner>);

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#<Database max-eid {} max-tx {}>", self.max_eid(), self.max_tx())
    }
}

impl Database {
    /// A database without facts.
    ///
    /// # Errors
    /// `:schema/validation` for a schema that says something unknown or contradictory.
    pub fn empty(schema: &Edn) -> Result<Self> {
        let lineage = Arc::new(Lineage::default());
        let schema = Arc::new(Schema::parse(schema, &lineage)?);
        let generation = Arc::new(Generation::new(Vec::new(), Delta::default()));
        Ok(Self::make(lineage, schema, generation, 0, 0, TX0))
    }

    pub(super) fn make(
        lineage: Arc<Lineage>,
        schema: Arc<Schema>,
        generation: Arc<Generation>,
        at: u32,
        max_eid: u32,
        max_tx: u32,
    ) -> Self {
        let cols = OnceLock::new();
        Self(Arc::new(Inner { lineage, schema, generation, at, max_eid, max_tx, view: None, cols }))
    }

    /// A database of facts `[e a v]` or `[e a v t]`, in any order; the same fact twice is one. Conflicts with the
    /// schema are not looked for, as facts come from a database. O(n log n).
    ///
    /// # Errors
    /// `:schema/validation`, and `:transact/syntax` for a fact that cannot be one.
    pub fn from_datoms(schema: &Edn, datoms: impl IntoIterator<Item = (u32, Edn, Edn, u32)>) -> Result<Self> {
        let lineage = Arc::new(Lineage::default());
        let schema = Arc::new(Schema::parse(schema, &lineage)?);
        let mut facts: Vec<Vec<Fact>> = Vec::new();
        let (mut max_eid, mut max_tx) = (0, TX0);
        let mut last: Option<(Edn, AttrId)> = None;
        for (e, name, v, t) in datoms {
            let a = match &last {
                Some((n, a)) if same_name(n, &name) => *a,
                _ => {
                    if !matches!(name, Edn::Keyword(_) | Edn::Str(_)) {
                        return Err(syntax(format!("Bad entity attribute {name}, expected keyword or string"), &name));
                    }
                    lineage.intern(&name)
                }
            };
            last = Some((name, a));
            if v.is_nil() {
                return Err(syntax("Cannot store nil as a value".into(), &v));
            }
            if facts.len() <= a as usize {
                facts.resize_with(a as usize + 1, Vec::new);
            }
            let v = lineage.pool.encode(&v);
            facts[a as usize].push(Fact { e, v, t, m: 1 });
            if e < TX0 {
                max_eid = max_eid.max(e);
            }
            if let (true, Some(r)) = (schema.props(a).is_ref, v.as_entity())
                && r < TX0
            {
                max_eid = max_eid.max(r);
            }
            max_tx = max_tx.max(t);
        }
        let base = facts.into_iter().map(|mut f| {
            // The last of several facts about the same counts.
            if !f.is_sorted_by_key(|f| (f.e, f.v)) {
                f.sort_by_key(|f| (f.e, f.v));
            }
            f.dedup_by(|b, a| {
                (a.e, a.v) == (b.e, b.v) && {
                    a.t = b.t;
                    true
                }
            });
            Slot::ready(Arc::new(Col::from_facts(f)))
        });
        let generation = Arc::new(Generation::new(base.collect(), Delta::default()));
        Ok(Self::make(lineage, schema, generation, 0, max_eid, max_tx))
    }

    /// A database of columns, by attribute as numbered in `lineage`.
    pub(crate) fn of_columns(
        lineage: Arc<Lineage>,
        schema: &Edn,
        base: Vec<Arc<Slot>>,
        max_eid: u32,
        max_tx: u32,
    ) -> Result<Self> {
        let schema = Arc::new(Schema::parse(schema, &lineage)?);
        let generation = Arc::new(Generation::new(base, Delta::default()));
        Ok(Self::make(lineage, schema, generation, 0, max_eid, max_tx))
    }

    /// The same database with everything in columns.
    pub(crate) fn columns_only(&self) -> Self {
        let i = &self.0;
        let generation = Arc::new(i.generation.compacted(i.at, &[]));
        Self::make(i.lineage.clone(), i.schema.clone(), generation, 0, i.max_eid, i.max_tx)
    }

    /// The columns, by attribute.
    pub(crate) fn slots(&self) -> Vec<Option<Arc<Slot>>> {
        self.0.generation.base.iter().cloned().map(Some).collect()
    }

    /// The names of all attributes, by number.
    pub(crate) fn all_attributes(&self) -> Vec<Edn> {
        (0..self.0.lineage.attr_count()).map(|a| self.0.lineage.name(a).clone()).collect()
    }

    /// The dictionary.
    pub(crate) fn pool(&self) -> &Pool {
        &self.0.lineage.pool
    }

    /// Why a stored column could not be read, if one could not.
    pub(crate) fn fault_of(&self) -> Option<String> {
        self.0.lineage.fault.get().cloned()
    }

    pub(super) fn lineage(&self) -> &Lineage {
        &self.0.lineage
    }

    /// What is said of attributes.
    pub fn schema(&self) -> &Schema {
        &self.0.schema
    }

    /// The greatest entity id in use.
    pub fn max_eid(&self) -> u32 {
        self.0.max_eid
    }

    /// The last transaction.
    pub fn max_tx(&self) -> u32 {
        self.0.max_tx
    }

    /// True if both are the same value, not only equal ones.
    pub fn is_same(&self, other: &Database) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The same facts under another schema.
    pub fn with_schema(&self, schema: &Edn) -> Result<Self> {
        let schema = Arc::new(Schema::parse(schema, &self.0.lineage)?);
        let i = &self.0;
        // What the delta keeps by value depends on the schema: start from columns.
        let generation = Arc::new(i.generation.compacted(i.at, &[]));
        let mut out = Self::make(i.lineage.clone(), schema, generation, 0, i.max_eid, i.max_tx);
        if let (Some(inner), Some(view)) = (Arc::get_mut(&mut out.0), &i.view) {
            inner.view = Some(view.clone());
        }
        Ok(out)
    }

    fn viewed(&self, change: impl FnOnce(&mut View)) -> Self {
        let i = &self.0;
        let mut view = i.view.as_deref().cloned().unwrap_or_default();
        change(&mut view);
        let mut out = Self::make(i.lineage.clone(), i.schema.clone(), i.generation.clone(), i.at, i.max_eid, i.max_tx);
        if let Some(inner) = Arc::get_mut(&mut out.0) {
            inner.view = Some(Box::new(view));
        }
        out
    }

    /// The database as it was after transaction `t`.
    pub fn as_of(&self, t: u32) -> Self {
        self.viewed(|v| v.as_of = Some(v.as_of.map_or(t, |u| u.min(t))))
    }

    /// Only the facts that were asserted after transaction `t` and still hold.
    pub fn since(&self, t: u32) -> Self {
        self.viewed(|v| v.since = Some(v.since.map_or(t, |u| u.max(t))))
    }

    /// Every assertion and retraction, with true or false as the fifth place.
    pub fn history(&self) -> Self {
        self.viewed(|v| v.history = true)
    }

    /// Only the facts that a predicate keeps. It can be filtered again; it cannot be written.
    pub fn filter(&self, keep: Filter) -> Self {
        self.viewed(|v| v.filters.push(keep))
    }

    /// True for databases made by [`filter`](Self::filter), [`as_of`](Self::as_of) and the like.
    pub fn is_filtered(&self) -> bool {
        self.0.view.is_some()
    }

    /// True for databases made by [`history`](Self::history).
    pub fn is_history(&self) -> bool {
        self.0.view.as_ref().is_some_and(|v| v.history)
    }

    /// The same database without any view on it.
    pub(super) fn unfiltered(&self) -> Self {
        let i = &self.0;
        Self::make(i.lineage.clone(), i.schema.clone(), i.generation.clone(), i.at, i.max_eid, i.max_tx)
    }

    // ------------------------------------------------------------ columns

    fn cells(&self) -> &[OnceLock<Seen>] {
        self.0.cols.get_or_init(|| (0..self.0.lineage.attr_count()).map(|_| OnceLock::new()).collect())
    }

    /// The facts of an attribute as this value sees them. Made when first asked for: at once where nothing was written
    /// since its columns were made, otherwise in time proportional to the column.
    pub(super) fn col(&self, a: AttrId) -> &Col {
        static EMPTY: OnceLock<Col> = OnceLock::new();
        let Some(cell) = self.cells().get(a as usize) else { return EMPTY.get_or_init(Col::default) };
        match cell.get_or_init(|| self.make_col(a)) {
            Seen::Base => self.0.generation.col(a),
            Seen::Own(col) => col,
        }
    }

    fn make_col(&self, a: AttrId) -> Seen {
        let i = &self.0;
        let plain = {
            let delta = i.generation.read();
            if delta.touches(a, i.at) {
                Seen::Own(Box::new(delta.merged(i.generation.col(a), a, i.at, &[])))
            } else {
                Seen::Base
            }
        };
        let Some(view) = &i.view else { return plain };
        let col = match &plain {
            Seen::Base => i.generation.col(a),
            Seen::Own(col) => col,
        };
        let mut facts: Vec<Fact> = match view.as_of {
            None => (0..col.len()).map(|i| col.fact(i)).collect(),
            Some(t) => {
                let then = col.past.iter().filter(|p| p.fact.t <= t && t < p.end).map(|p| p.fact);
                (0..col.len()).map(|i| col.fact(i)).filter(|f| f.t <= t).chain(then).collect()
            }
        };
        if let Some(t) = view.since {
            facts.retain(|f| f.t > t);
        }
        self.retain(view, a, &mut facts);
        Seen::Own(Box::new(Col::from_facts(facts)))
    }

    fn retain(&self, view: &View, a: AttrId, facts: &mut Vec<Fact>) {
        if view.filters.is_empty() {
            return;
        }
        let unfiltered = match (view.as_of, view.since) {
            (None, None) => self.unfiltered(),
            _ => self.unfiltered().viewed(|v| {
                v.as_of = view.as_of;
                v.since = view.since;
            }),
        };
        facts.retain(|f| {
            let d = Datom { e: f.e, a, v: f.v, t: f.t, m: f.m };
            view.filters.iter().all(|keep| keep(&unfiltered, &d))
        });
    }

    /// Every assertion and retraction of an attribute within the view's bounds.
    pub(super) fn past_of(&self, a: AttrId) -> Vec<Datom> {
        let i = &self.0;
        let view = i.view.as_deref().cloned().unwrap_or_default();
        let delta = i.generation.read();
        let base = i.generation.col(a);
        let own;
        let col = if delta.touches(a, i.at) {
            own = delta.merged(base, a, i.at, &[]);
            &own
        } else {
            base
        };
        drop(delta);
        let datom = |f: &Fact, t: u32, m: u32| Datom { e: f.e, a, v: f.v, t, m };
        let mut out: Vec<Datom> = Vec::with_capacity(col.len() + col.past.len() * 2);
        for Past { fact, end } in &col.past {
            out.push(datom(fact, fact.t, fact.m));
            out.push(datom(fact, *end, 0));
        }
        out.extend((0..col.len()).map(|i| col.fact(i)).map(|f| datom(&f, f.t, f.m)));
        out.retain(|d| view.as_of.is_none_or(|t| d.t <= t) && view.since.is_none_or(|t| d.t > t));
        if !view.filters.is_empty() {
            let unfiltered = self.unfiltered();
            out.retain(|d| view.filters.iter().all(|keep| keep(&unfiltered, d)));
        }
        out.sort_by(|x, y| {
            (x.e.cmp(&y.e)).then_with(|| self.lineage().compare(x.v, y.v)).then((x.t, x.m == 0).cmp(&(y.t, y.m == 0)))
        });
        out
    }

    /// True if an attribute's column of this value is at hand.
    fn is_made(&self, a: AttrId) -> bool {
        self.0.view.is_some()
            || self.0.at == 0
            || self.0.cols.get().and_then(|c| c.get(a as usize)).is_some_and(|c| c.get().is_some())
    }

    /// Calls `f` with each fact of an entity and attribute, in word order.
    #[inline]
    pub(super) fn each_fact(&self, e: u32, a: AttrId, mut f: impl FnMut(Fact)) {
        let i = &self.0;
        if self.is_made(a) {
            let col = if i.view.is_none() && i.at == 0 { i.generation.col(a) } else { self.col(a) };
            col.rows_of(e).for_each(|i| f(col.fact(i)));
            return;
        }
        let mut found: Vec<Fact> = Vec::new();
        let mut one: Option<Fact> = None;
        i.generation.read().each_of_entity(i.generation.col(a), a, e, i.at, |x, _| match one {
            None => one = Some(x),
            Some(_) => found.push(x),
        });
        match one {
            None => {}
            Some(x) if found.is_empty() => f(x),
            Some(x) => {
                found.push(x);
                found.sort_unstable_by_key(|f| f.v);
                found.into_iter().for_each(f);
            }
        }
    }

    /// The only or least value of an entity and attribute.
    pub(super) fn first_value(&self, e: u32, a: AttrId) -> Option<Word> {
        let mut out = None;
        self.each_fact(e, a, |f| {
            out.get_or_insert(f.v);
        });
        out
    }

    /// The entities with a value, ascending.
    pub(super) fn entities_with(&self, a: AttrId, v: Word, out: &mut Vec<u32>) {
        let i = &self.0;
        if self.is_made(a) {
            let col = if i.view.is_none() && i.at == 0 { i.generation.col(a) } else { self.col(a) };
            if col.len() > 0 {
                out.extend(col.by_value()[col.value_range(v)].iter().map(|r| col.e[*r as usize]));
            }
            return;
        }
        let from = out.len();
        let looked_up = i.schema.props(a).indexed;
        i.generation.read().each_of_value(i.generation.col(a), a, v, i.at, looked_up, |f, _| out.push(f.e));
        out[from..].sort_unstable();
    }

    /// How many facts an attribute has, or more.
    pub(super) fn count_of(&self, a: AttrId) -> usize {
        if self.0.view.is_some() {
            return if self.is_history() { self.past_of(a).len() } else { self.col(a).len() };
        }
        if self.0.at != 0 && (self.is_made(a) || self.0.generation.read().touches(a, self.0.at)) {
            return self.col(a).len();
        }
        self.0.generation.base.get(a as usize).map_or(0, |s| s.len())
    }

    /// How many facts there are.
    pub fn len(&self) -> usize {
        (0..self.0.lineage.attr_count()).map(|a| self.count_of(a)).sum()
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The names of all attributes that have facts, in order.
    pub fn attributes(&self) -> Vec<Edn> {
        let order = self.lineage().by_name();
        order.iter().filter(|a| self.count_of(**a) > 0).map(|a| self.lineage().name(*a).clone()).collect()
    }

    /// Bytes that columns and what was written since take, without the dictionary.
    pub fn column_bytes(&self) -> usize {
        (0..self.0.lineage.attr_count())
            .map(|a| {
                let c = self.col(a);
                c.e.capacity() * 4 + c.v.capacity() * 8 + (c.t.capacity() + c.m.capacity()) * 4 + c.past.capacity() * 32
            })
            .sum()
    }

    // ------------------------------------------------------------ names and values

    /// The value of a word.
    #[inline]
    pub fn value(&self, w: Word) -> Edn {
        self.0.lineage.pool.value(w)
    }

    /// The name of a datom's attribute.
    pub fn attr_name(&self, a: AttrId) -> &Edn {
        self.0.lineage.name(a)
    }

    /// The attribute of a name, if any fact ever had it.
    pub fn attr_id(&self, name: &Edn) -> Option<AttrId> {
        self.0.lineage.attr(name)
    }

    pub(super) fn props(&self, a: AttrId) -> Props {
        self.0.schema.props(a)
    }

    /// A datom as data: `[e a v t]`.
    pub fn datom_edn(&self, d: &Datom) -> Edn {
        Edn::vector([Edn::Int(d.e.into()), self.attr_name(d.a).clone(), self.value(d.v), Edn::Int(d.t.into())])
    }

    /// A datom as data with its operation: `[e a v t added]`.
    pub fn change_edn(&self, d: &Datom) -> Edn {
        Edn::vector([
            Edn::Int(d.e.into()),
            self.attr_name(d.a).clone(),
            self.value(d.v),
            Edn::Int(d.t.into()),
            Edn::Bool(d.added()),
        ])
    }

    /// True if anything is known of an entity.
    pub fn has_entity(&self, e: u32) -> bool {
        (0..self.0.lineage.attr_count()).any(|a| self.first_value(e, a).is_some())
    }

    // ------------------------------------------------------------ identifiers

    /// The entity of a number, lookup ref or ident. A number is its own entity, known or not; a lookup ref or ident
    /// that finds nothing is `None`, as is `nil` for a value of a lookup ref.
    ///
    /// # Errors
    /// `:entity-id/syntax`, `:entity-id`, `:lookup-ref/syntax`, `:lookup-ref/unique`.
    pub fn entid(&self, id: &Edn) -> Result<Option<u32>> {
        resolve(&self.0.lineage, &self.0.schema, id, &mut |a, v| self.find_one(a, v))
    }

    /// The same, where there must be one.
    ///
    /// # Errors
    /// As [`entid`](Self::entid), and `:entity-id/missing`.
    pub fn entid_strict(&self, id: &Edn) -> Result<u32> {
        self.entid(id)?.ok_or_else(|| missing(id))
    }

    /// The first entity with a value.
    pub(super) fn find_one(&self, a: AttrId, value: &Edn) -> Option<u32> {
        let w = self.0.lineage.dict.word(value)?;
        let mut out = Vec::new();
        self.entities_with(a, w, &mut out);
        out.first().copied()
    }
}

/// Finds the entity with a value of an attribute.
pub(super) type Find<'f> = &'f mut dyn FnMut(AttrId, &Edn) -> Option<u32>;

/// The entity of a number, lookup ref or ident.
pub(super) fn resolve(lineage: &Lineage, schema: &Schema, id: &Edn, find: Find) -> Result<Option<u32>> {
    match id {
        Edn::Int(i) if *i > 0 => number_id(*i).map(Some),
        Edn::Keyword(_) => Ok(lineage.attr(&Edn::keyword("db/ident")).and_then(|a| find(a, id))),
        Edn::Vector(items) | Edn::List(items) => {
            let [name, value] = &items[..] else {
                let message = format!("Lookup ref should contain 2 elements: {id}");
                return Err(QueryError::at(ErrorKind::Other("lookup-ref/syntax"), message, id));
            };
            let a = lineage.attr(name).filter(|a| schema.props(*a).unique.is_some()).ok_or_else(|| {
                let message = format!("Lookup ref attribute should be marked as :db/unique: {id}");
                QueryError::at(ErrorKind::LookupUnique, message, id)
            })?;
            if value.is_nil() { Ok(None) } else { resolve_value(lineage, schema, a, value, find) }
        }
        _ => Err(QueryError::at(
            ErrorKind::EntitySyntax,
            format!("Expected number or lookup ref for entity id, got {id}"),
            id,
        )),
    }
}

/// An entity by a value of a unique attribute; references and parts of tuples may be lookup refs themselves.
pub(super) fn resolve_value(
    lineage: &Lineage,
    schema: &Schema,
    a: AttrId,
    value: &Edn,
    find: Find,
) -> Result<Option<u32>> {
    let names_entity = |v: &Edn| v.as_seq().is_some() || matches!(v, Edn::Keyword(_));
    if schema.props(a).is_ref && names_entity(value) {
        return Ok(match resolve(lineage, schema, value, find)? {
            Some(e) => find(a, &Edn::Int(e.into())),
            None => None,
        });
    }
    if let (Some(tuple), Some(items)) = (schema.tuple(a), value.as_seq()) {
        let mut out = Vec::with_capacity(items.len());
        for (i, item) in items.iter().enumerate() {
            let is_ref = tuple.parts.get(i).is_some_and(|p| schema.props(*p).is_ref);
            out.push(if is_ref && names_entity(item) {
                match resolve(lineage, schema, item, find)? {
                    Some(e) => Edn::Int(e.into()),
                    None => return Ok(None),
                }
            } else {
                item.clone()
            });
        }
        return Ok(find(a, &Edn::vector(out)));
    }
    Ok(find(a, value))
}

fn same_name(a: &Edn, b: &Edn) -> bool {
    match (a, b) {
        (Edn::Keyword(x), Edn::Keyword(y)) => Arc::ptr_eq(x.text(), y.text()) || x == y,
        _ => a == b,
    }
}

pub(super) fn syntax(message: String, form: &Edn) -> QueryError {
    QueryError::at(ErrorKind::Other("transact/syntax"), message, form)
}

pub(super) fn missing(id: &Edn) -> QueryError {
    QueryError::at(ErrorKind::EntityMissing, format!("Nothing found for entity id {id}"), id)
}

/// A number as an entity id.
pub(super) fn number_id(i: i64) -> Result<u32> {
    u32::try_from(i).ok().filter(|e| *e <= E_MAX).ok_or_else(|| {
        QueryError::at(
            ErrorKind::Other("entity-id"),
            format!("Highest supported entity id is {E_MAX}, got {i}"),
            &Edn::Int(i),
        )
    })
}
