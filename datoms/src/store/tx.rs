//! Transactions: items one after another on the database so far.
//!
//! A transaction collects its changes on top of the value it starts from and adds them all at the end, so one that
//! fails leaves nothing. When a tempid turns out to be an entity that is already there after it was given a new id, the
//! transaction starts over with the tempid pinned.

use super::column::Fact;
use super::db::{Database, Datom, Result, TX0, missing, resolve, resolve_value, syntax};
use super::delta::{Change, Delta, Generation, Place};
use super::pool::{AttrId, Lineage};
use super::schema::{Schema, Unique};
use crate::disk::{LogChange, Record};
use crate::edn::{Edn, Keyword};
use crate::query::{ErrorKind, QueryError};
use crate::value::{Dict, Word};
use rustc_hash::{FxHashMap, FxHashSet};
use std::sync::{Arc, RwLockReadGuard};

/// How deep maps may be nested in each other, and functions may return calls of functions.
const MAX_NESTED: usize = 500;
/// From how many changes on they are found by table.
const FEW: usize = 8;

/// What a transaction did.
#[derive(Clone, Debug)]
pub struct Report {
    /// The database that was given.
    pub db_before: Database,
    /// The database with the changes.
    pub db_after: Database,
    /// What really changed, in order.
    pub tx_data: Vec<Datom>,
    /// The entities of tempids, and the transaction under `:db/current-tx`.
    pub tempids: Vec<(Edn, u32)>,
    /// What was passed along.
    pub tx_meta: Edn,
}

impl Report {
    /// The entity that a tempid became.
    pub fn tempid(&self, id: &Edn) -> Option<u32> {
        self.tempids.iter().find(|(k, _)| k == id).map(|(_, e)| *e)
    }

    /// The changes as data: `[[e a v t added] …]`.
    pub fn changes(&self) -> Edn {
        Edn::vector(self.tx_data.iter().map(|d| self.db_after.change_edn(d)).collect::<Vec<_>>())
    }
}

/// A function that transactions call by name: it is given the database so far and gives back items.
pub trait TxFunction: Send + Sync {
    /// The items that take the place of the call.
    fn call(&self, db: &Database, args: &[Edn]) -> Result<Edn>;
}

impl<F: Fn(&Database, &[Edn]) -> Result<Edn> + Send + Sync> TxFunction for F {
    fn call(&self, db: &Database, args: &[Edn]) -> Result<Edn> {
        self(db, args)
    }
}

/// Finds a function by its name.
type FindFunction = Arc<dyn Fn(&Edn) -> Option<Arc<dyn TxFunction>> + Send + Sync>;

/// Transaction functions by name, a keyword or symbol.
#[derive(Clone, Default)]
pub struct TxFunctions {
    functions: FxHashMap<Edn, Arc<dyn TxFunction>>,
    find: Option<FindFunction>,
}

impl TxFunctions {
    /// Adds a function, or puts another in its place.
    pub fn add(&mut self, name: Edn, function: impl TxFunction + 'static) -> &mut Self {
        self.functions.insert(name, Arc::new(function));
        self
    }

    /// Asks `find` for names that were not added.
    pub fn or_find(&mut self, find: impl Fn(&Edn) -> Option<Arc<dyn TxFunction>> + Send + Sync + 'static) -> &mut Self {
        self.find = Some(Arc::new(find));
        self
    }

    fn get(&self, name: &Edn) -> Option<Arc<dyn TxFunction>> {
        self.functions.get(name).cloned().or_else(|| self.find.as_ref()?(name))
    }
}

/// How a transaction runs.
#[derive(Clone, Default)]
pub struct TxOptions<'f> {
    /// Functions it may call.
    pub functions: Option<&'f TxFunctions>,
    /// Passed on in the report.
    pub meta: Edn,
    /// Provenance of what it asserts; 1 if not given. Ids below 16 other than 1 and 2 are reserved.
    pub provenance: Option<u32>,
}

impl Database {
    /// The database with a transaction on top, and what it did. This value stays as it is.
    ///
    /// # Errors
    /// Classes as DataScript's: `:transact/syntax`, `:transact/unique`, `:transact/upsert`, `:transact/cas`,
    /// `:transaction/filtered`, those of [`entid_strict`](Self::entid_strict), and `:transact/type` for a value that is
    /// not of its attribute's type. Nothing of a failed transaction is kept.
    pub fn with(&self, tx_data: &Edn) -> Result<Report> {
        self.transact(tx_data, &TxOptions::default())
    }

    /// The database with the transactions of a log on top.
    ///
    /// # Errors
    /// `:store/corrupt` if a record does not fit what came before.
    pub(crate) fn replay(&self, records: &[Record]) -> Result<Self> {
        let Some(last) = records.last() else { return Ok(self.clone()) };
        let options = TxOptions::default();
        let mut tx = Tx::new(self, &options, FxHashMap::default());
        tx.replay(records)?;
        Ok(tx.finish(last.t))
    }

    /// The same as [`with`](Self::with), and only the new database.
    pub fn db_with(&self, tx_data: &Edn) -> Result<Database> {
        self.with(tx_data).map(|r| r.db_after)
    }

    /// The same with functions and what else [`TxOptions`] says.
    pub fn transact(&self, tx_data: &Edn, options: &TxOptions) -> Result<Report> {
        if self.is_filtered() {
            return Err(QueryError::new(ErrorKind::Other("transaction/filtered"), "Filtered DB cannot be modified"));
        }
        let items: &[Edn] = match tx_data {
            Edn::Nil => &[],
            Edn::List(items) | Edn::Vector(items) => items,
            _ => {
                return Err(syntax(format!("Bad transaction data {tx_data}, expected sequential collection"), tx_data));
            }
        };
        if options.provenance.is_some_and(|m| m == 0 || (m > 2 && m < 16)) {
            return Err(syntax("Provenance is 1, 2 or an entity of 16 or more".into(), &Edn::Nil));
        }
        let mut pinned: FxHashMap<Temp, u32> = FxHashMap::default();
        let mut known: FxHashMap<Temp, u32> = FxHashMap::default();
        loop {
            let mut tx = Tx::new(self, options, known);
            match tx.run(items) {
                Ok(()) => return Ok(tx.commit()),
                Err(Stop::Error(e)) => return Err(*e),
                Err(Stop::Retry(temp, e)) => {
                    if let Some(before) = pinned.insert(temp.clone(), e) {
                        let message =
                            format!("Conflicting upsert: {} resolves both to {e} and {before}", temp.to_edn());
                        return Err(QueryError::at(ErrorKind::Other("transact/upsert"), message, &temp.to_edn()));
                    }
                    known = std::mem::take(&mut tx.tempids);
                    known.extend(pinned.iter().map(|(t, e)| (t.clone(), *e)));
                }
            }
        }
    }
}

/// An id that stands for an entity within one transaction.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Temp {
    Number(i64),
    Text(Arc<str>),
    /// Of a map without an id, by number.
    Auto(u32),
    /// A name of the transaction itself.
    Tx(Edn),
}

impl Temp {
    fn to_edn(&self) -> Edn {
        match self {
            Temp::Number(i) => Edn::Int(*i),
            Temp::Text(s) => Edn::Str(s.clone()),
            Temp::Auto(n) => Edn::Int(-i64::from(*n)),
            Temp::Tx(name) => name.clone(),
        }
    }
}

/// What is written where an entity is meant.
#[derive(Clone, Debug)]
enum Target<'f> {
    Id(u32),
    Temp(Temp),
    /// The transaction, under the name that was written.
    Tx(&'f Edn),
    /// A number, lookup ref or ident, or something that is no identifier.
    Form(&'f Edn),
}

impl<'f> Target<'f> {
    fn of(form: &'f Edn) -> Self {
        match form {
            Edn::Int(i) if *i < 0 => Target::Temp(Temp::Number(*i)),
            Edn::Str(s) if matches!(&**s, "datomic.tx" | "datascript.tx") => Target::Tx(form),
            Edn::Str(s) => Target::Temp(Temp::Text(s.clone())),
            Edn::Keyword(k) if k.as_str() == "db/current-tx" => Target::Tx(form),
            _ => Target::Form(form),
        }
    }
}

/// The value of an assertion: as written, or an entity of the transaction.
#[derive(Clone, Debug)]
enum Val<'f> {
    Form(&'f Edn),
    Target(Target<'f>),
}

/// What an item looked like, for messages.
#[derive(Clone, Copy)]
enum At<'f> {
    Form(&'f Edn),
    Pair(&'f Edn, &'f Edn),
}

impl At<'_> {
    fn to_edn(self) -> Edn {
        match self {
            At::Form(f) => f.clone(),
            At::Pair(a, v) => Edn::map([(a.clone(), v.clone())]),
        }
    }
}

/// The reference by which a nested map hangs on another.
struct Link<'f> {
    a: AttrId,
    /// True if the nested entity refers to its owner.
    reverse: bool,
    owner: Target<'f>,
}

enum Stop {
    Error(Box<QueryError>),
    Retry(Temp, u32),
}

impl From<QueryError> for Stop {
    fn from(e: QueryError) -> Self {
        Stop::Error(Box::new(e))
    }
}

type Step<T = ()> = std::result::Result<T, Stop>;

/// A fact asserted by the transaction.
struct Added {
    a: AttrId,
    fact: Fact,
    dead: bool,
}

struct Tx<'a> {
    before: &'a Database,
    lineage: &'a Lineage,
    schema: &'a Schema,
    generation: &'a Generation,
    /// Let go while a function of the host runs.
    delta: Option<RwLockReadGuard<'a, Delta>>,
    at: u32,
    /// The number of the first entry that the transaction makes.
    first: u32,
    options: &'a TxOptions<'a>,
    t: u32,
    m: u32,
    max_eid: u32,
    /// The greatest explicit id of a map: new ids are greater.
    reserved: u32,
    changes: Vec<Change>,
    tx_data: Vec<Datom>,
    added: Vec<Added>,
    by_ea: FxHashMap<(AttrId, u32), Vec<u32>>,
    by_av: FxHashMap<(AttrId, Word), Vec<u32>>,
    gone: FxHashSet<(AttrId, Place)>,
    tempids: FxHashMap<Temp, u32>,
    /// Tempids in the order they were met.
    order: Vec<Temp>,
    named: FxHashSet<Temp>,
    autos: u32,
    /// Entities that tempids in the place of values became.
    as_value: FxHashMap<u32, Temp>,
    redundant: FxHashSet<u32>,
    queued: Vec<(u32, AttrId)>,
    names: Vec<(Keyword, AttrId)>,
    depth: usize,
}

impl<'a> Tx<'a> {
    fn new(before: &'a Database, options: &'a TxOptions<'a>, tempids: FxHashMap<Temp, u32>) -> Self {
        let inner = &before.0;
        let delta = inner.generation.read();
        let first = delta.entries_before(inner.at);
        Self {
            before,
            lineage: &inner.lineage,
            schema: &inner.schema,
            generation: &inner.generation,
            delta: Some(delta),
            at: inner.at,
            first,
            options,
            t: inner.max_tx + 1,
            m: options.provenance.unwrap_or(1),
            max_eid: inner.max_eid,
            reserved: 0,
            changes: Vec::new(),
            tx_data: Vec::new(),
            added: Vec::new(),
            by_ea: FxHashMap::default(),
            by_av: FxHashMap::default(),
            gone: FxHashSet::default(),
            tempids,
            order: Vec::new(),
            named: FxHashSet::default(),
            autos: 0,
            as_value: FxHashMap::default(),
            redundant: FxHashSet::default(),
            queued: Vec::new(),
            names: Vec::new(),
            depth: 0,
        }
    }

    // ------------------------------------------------------------ reading the database so far

    fn delta(&self) -> &Delta {
        self.delta.as_deref().expect("the delta is let go only while a function runs")
    }

    /// Calls `f` with each fact of an entity and attribute.
    fn each(&self, e: u32, a: AttrId, mut f: impl FnMut(Fact, Place)) {
        self.delta().each_of_entity(self.generation.col(a), a, e, self.at, |fact, place| {
            if self.gone.is_empty() || !self.gone.contains(&(a, place)) {
                f(fact, place);
            }
        });
        let mut own = |k: usize| {
            let x = &self.added[k];
            if x.a == a && x.fact.e == e && !x.dead {
                f(x.fact, Place::Entry(self.first + k as u32));
            }
        };
        if self.added.len() <= FEW {
            (0..self.added.len()).for_each(own);
        } else if let Some(list) = self.by_ea.get(&(a, e)) {
            list.iter().for_each(|k| own(*k as usize));
        }
    }

    /// An entity with a value.
    fn holder(&self, a: AttrId, v: Word) -> Option<Fact> {
        let mut found = None;
        let looked_up = self.schema.props(a).indexed;
        self.delta().each_of_value(self.generation.col(a), a, v, self.at, looked_up, |fact, place| {
            if !self.gone.contains(&(a, place)) {
                found.get_or_insert(fact);
            }
        });
        self.each_added_value(a, v, |k| {
            found.get_or_insert(self.added[k].fact);
        });
        found
    }

    fn each_added_value(&self, a: AttrId, v: Word, mut f: impl FnMut(usize)) {
        let mut own = |k: usize| {
            let x = &self.added[k];
            if x.a == a && x.fact.v == v && !x.dead {
                f(k);
            }
        };
        if self.added.len() <= FEW || !self.schema.props(a).indexed {
            (0..self.added.len()).for_each(own);
        } else if let Some(list) = self.by_av.get(&(a, v)) {
            list.iter().for_each(|k| own(*k as usize));
        }
    }

    fn find(&self, a: AttrId, v: &Edn) -> Option<u32> {
        self.holder(a, self.lineage.dict.word(v)?).map(|f| f.e)
    }

    fn first_value(&self, e: u32, a: AttrId) -> Option<(Fact, Place)> {
        let mut out = None;
        self.each(e, a, |f, p| {
            out.get_or_insert((f, p));
        });
        out
    }

    fn entid(&self, id: &Edn) -> Result<Option<u32>> {
        resolve(self.lineage, self.schema, id, &mut |a, v| self.find(a, v))
    }

    fn entid_strict(&self, id: &Edn) -> Result<u32> {
        self.entid(id)?.ok_or_else(|| missing(id))
    }

    /// The attribute of a name.
    fn attr(&mut self, name: &Edn, at: At) -> Result<AttrId> {
        match name {
            Edn::Keyword(k) => {
                if let Some((_, a)) = self.names.iter().find(|(n, _)| Arc::ptr_eq(n.text(), k.text())) {
                    return Ok(*a);
                }
                let a = self.lineage.intern(name);
                if self.names.len() < 16 {
                    self.names.push((k.clone(), a));
                }
                Ok(a)
            }
            Edn::Str(_) => Ok(self.lineage.intern(name)),
            _ => {
                let at = at.to_edn();
                Err(syntax(format!("Bad entity attribute {name} at {at}, expected keyword or string"), &at))
            }
        }
    }

    // ------------------------------------------------------------ ids

    fn next_eid(&self) -> Result<u32> {
        let e = self.max_eid.max(self.reserved) + 1;
        if e >= TX0 {
            return Err(QueryError::new(ErrorKind::Other("entity-id"), "No entity ids are left"));
        }
        Ok(e)
    }

    fn allocate(&mut self, temp: Temp, e: u32) {
        self.advance(e);
        if !matches!(temp, Temp::Auto(_)) && self.named.insert(temp.clone()) {
            self.order.push(temp.clone());
        }
        self.tempids.insert(temp, e);
    }

    fn advance(&mut self, e: u32) {
        if e < TX0 {
            self.max_eid = self.max_eid.max(e);
        }
    }

    fn current_tx(&mut self, name: &Edn) -> u32 {
        self.allocate(Temp::Tx(name.clone()), self.t);
        self.t
    }

    // ------------------------------------------------------------ changes

    fn assert(&mut self, a: AttrId, fact: Fact) -> Step {
        let p = self.schema.props(a);
        if p.unique.is_some()
            && let Some(held) = self.holder(a, fact.v)
        {
            let show = |f: &Fact| {
                let d = Datom { e: f.e, a, v: f.v, t: f.t, m: f.m };
                self.before.change_edn(&d)
            };
            let message = format!("Cannot add {} because of unique constraint: ({})", show(&fact), show(&held));
            return Err(QueryError::at(ErrorKind::Other("transact/unique"), message, &show(&fact)).into());
        }
        self.note(a, fact);
        if p.tuple_part {
            self.queue(fact.e, a);
        }
        Ok(())
    }

    fn note(&mut self, a: AttrId, fact: Fact) {
        let k = self.added.len() as u32;
        self.added.push(Added { a, fact, dead: false });
        if self.added.len() > FEW {
            let from = if self.by_ea.is_empty() { 0 } else { k };
            for k in from..=k {
                let Added { a, fact, .. } = self.added[k as usize];
                self.by_ea.entry((a, fact.e)).or_default().push(k);
                if self.schema.props(a).indexed {
                    self.by_av.entry((a, fact.v)).or_default().push(k);
                }
            }
        }
        self.changes.push(Change { a, fact, gone: None });
        self.tx_data.push(Datom { e: fact.e, a, v: fact.v, t: fact.t, m: fact.m });
        self.advance(fact.e);
    }

    fn retract(&mut self, a: AttrId, fact: Fact, place: Place, t: u32) {
        match place {
            Place::Entry(i) if i >= self.first => self.added[(i - self.first) as usize].dead = true,
            _ => {
                self.gone.insert((a, place));
            }
        }
        self.changes.push(Change { a, fact, gone: Some((place, t)) });
        self.tx_data.push(Datom { e: fact.e, a, v: fact.v, t, m: 0 });
        if self.schema.props(a).tuple_part {
            self.queue(fact.e, a);
        }
    }

    fn queue(&mut self, e: u32, part: AttrId) {
        for t in self.schema.tuples_of(part) {
            if !self.queued.contains(&(e, t.attr)) {
                self.queued.push((e, t.attr));
            }
        }
    }

    /// Brings tuples up to date with their parts.
    fn flush(&mut self) -> Step {
        for (e, a) in std::mem::take(&mut self.queued) {
            let Some(tuple) = self.schema.tuple(a) else { continue };
            let parts: Vec<Edn> = tuple
                .parts
                .iter()
                .map(|p| self.first_value(e, *p).map_or(Edn::Nil, |(f, _)| self.lineage.pool.value(f.v)))
                .collect();
            let current = self.first_value(e, a);
            let value =
                if parts.iter().all(Edn::is_nil) { None } else { Some(self.lineage.pool.encode(&Edn::vector(parts))) };
            if current.map(|(f, _)| f.v) == value {
                continue;
            }
            if let Some((fact, place)) = current {
                self.retract(a, fact, place, self.t);
            }
            if let Some(v) = value {
                self.assert(a, Fact { e, v, t: self.t, m: self.m })?;
            }
        }
        Ok(())
    }

    // ------------------------------------------------------------ assertions

    fn add(&mut self, e: Target, a: AttrId, v: Val, t: Option<u32>, at: At) -> Step {
        let p = self.schema.props(a);
        let mut e = e;
        let mut v = v;
        if let Target::Tx(name) = e {
            e = Target::Id(self.current_tx(name));
        }
        if p.is_ref {
            if let Val::Form(form) = v {
                v = Val::Target(Target::of(form));
            }
            match v {
                Val::Target(Target::Tx(name)) => v = Val::Target(Target::Id(self.current_tx(name))),
                Val::Target(Target::Temp(temp)) => {
                    let id = match self.tempids.get(&temp) {
                        Some(id) => *id,
                        None => {
                            let id = self.next_eid()?;
                            self.allocate(temp.clone(), id);
                            id
                        }
                    };
                    self.as_value.insert(id, temp);
                    v = Val::Target(Target::Id(id));
                }
                _ => {}
            }
        }
        if let Target::Temp(temp) = e {
            let there = match &v {
                _ if p.unique != Some(Unique::Identity) => None,
                Val::Form(v) => resolve_value(self.lineage, self.schema, a, v, &mut |a, v| self.find(a, v))?,
                Val::Target(Target::Id(id)) => self.find(a, &Edn::Int((*id).into())),
                Val::Target(Target::Form(form)) => self.entid(form)?.and_then(|id| self.find(a, &Edn::Int(id.into()))),
                Val::Target(_) => None,
            };
            let allocated = self.tempids.get(&temp).copied();
            if let (Some(there), Some(allocated)) = (there, allocated)
                && there != allocated
            {
                return Err(Stop::Retry(temp, there));
            }
            let id = match there.or(allocated) {
                Some(id) => id,
                None => self.next_eid()?,
            };
            self.allocate(temp, id);
            e = Target::Id(id);
        }
        if p.tuple {
            return self.check_tuple(&e, a, &v, at);
        }
        if let Val::Form(Edn::Nil) | Val::Target(Target::Form(Edn::Nil)) = v {
            let at = at.to_edn();
            return Err(syntax(format!("Cannot store nil as a value at {at}"), &at).into());
        }
        let e = self.settled(&e)?;
        let word = match &v {
            Val::Form(form) => {
                self.schema.check_type(a, form, self.lineage)?;
                self.lineage.pool.encode(form)
            }
            Val::Target(target) => Word::entity(self.settled(target)?),
        };
        self.put(a, Fact { e, v: word, t: t.unwrap_or(self.t), m: self.m })
    }

    /// The entity of a target that is no tempid any more.
    fn settled(&self, target: &Target) -> Result<u32> {
        match target {
            Target::Id(id) => Ok(*id),
            Target::Form(form) | Target::Tx(form) => self.entid_strict(form),
            Target::Temp(temp) => Err(missing(&temp.to_edn())),
        }
    }

    /// Asserts a fact in place of what it replaces.
    fn put(&mut self, a: AttrId, fact: Fact) -> Step {
        let many = self.schema.props(a).many;
        let mut old = None;
        self.each(fact.e, a, |f, place| {
            if !many || f.v == fact.v {
                old.get_or_insert((f, place));
            }
        });
        match old {
            Some((f, _)) if f.v == fact.v => {
                if !self.as_value.is_empty() {
                    self.redundant.insert(fact.e);
                }
                Ok(())
            }
            Some((f, place)) => {
                self.retract(a, f, place, fact.t);
                self.assert(a, fact)
            }
            None => self.assert(a, fact),
        }
    }

    /// A tuple may be written only as what it already is.
    fn check_tuple(&self, e: &Target, a: AttrId, v: &Val, at: At) -> Step {
        let e = self.settled(e)?;
        let same = match (v, self.schema.tuple(a)) {
            (Val::Form(v), Some(tuple)) => v.as_seq().is_some_and(|items| {
                items.len() == tuple.parts.len()
                    && items.iter().zip(&tuple.parts).all(|(v, p)| {
                        !v.is_nil()
                            && self.first_value(e, *p).map(|(f, _)| self.lineage.pool.value(f.v)).as_ref() == Some(v)
                    })
            }),
            _ => false,
        };
        if same {
            return Ok(());
        }
        let at = at.to_edn();
        Err(syntax(format!("Can’t modify tuple attrs directly: {at}"), &at).into())
    }

    // ------------------------------------------------------------ items

    fn run(&mut self, items: &[Edn]) -> Step {
        for item in items {
            self.item(item)?;
            if !self.queued.is_empty() {
                self.flush()?;
            }
        }
        let mut unused: Vec<(&u32, &Temp)> = self.as_value.iter().collect();
        if !unused.is_empty() {
            let used: FxHashSet<u32> = self.tx_data.iter().map(|d| d.e).collect();
            unused.retain(|(e, _)| !used.contains(e) && !self.redundant.contains(e));
            if !unused.is_empty() {
                let mut names: Vec<Edn> = unused.iter().map(|(_, t)| t.to_edn()).collect();
                names.sort();
                let names = Edn::list(names);
                return Err(syntax(format!("Tempids used only as value in transaction: {names}"), &names).into());
            }
        }
        Ok(())
    }

    fn deeper(&mut self, f: impl FnOnce(&mut Self) -> Step) -> Step {
        if self.depth >= MAX_NESTED {
            return Err(syntax(format!("Transaction data nested deeper than {MAX_NESTED}"), &Edn::Nil).into());
        }
        self.depth += 1;
        let result = f(self);
        self.depth -= 1;
        result
    }

    fn item(&mut self, item: &Edn) -> Step {
        match item {
            Edn::Nil => Ok(()),
            Edn::Map(pairs) => self.map(pairs, None, item),
            Edn::Vector(parts) | Edn::List(parts) => self.operation(parts, item),
            Edn::Tagged(tagged) if tagged.0.as_str() == "datascript/Datom" => self.datom(&tagged.1, item),
            _ => Err(syntax(format!("Bad entity type at {item}, expected map or vector"), item).into()),
        }
    }

    /// A datom: asserted with its transaction, or retracted.
    fn datom(&mut self, parts: &Edn, item: &Edn) -> Step {
        let Some([e, a, v, rest @ ..]) = parts.as_seq() else {
            return Err(syntax(format!("Bad datom {item}"), item).into());
        };
        if rest.get(1) == Some(&Edn::Bool(false)) {
            return self.retract_item(e, a, Some(v), At::Form(item));
        }
        let t = rest.first().and_then(Edn::as_int).and_then(|t| u32::try_from(t).ok());
        let a = self.attr(a, At::Form(item))?;
        self.add(Target::of(e), a, Val::Form(v), t, At::Form(item))
    }

    fn operation(&mut self, parts: &[Edn], item: &Edn) -> Step {
        let at = At::Form(item);
        let nil = Edn::Nil;
        let part = |i: usize| parts.get(i).unwrap_or(&nil);
        let op = part(0).as_keyword().map(|k| k.as_str());
        match op {
            Some("db/add") => {
                let t = match parts.get(4) {
                    None | Some(Edn::Nil) => None,
                    Some(t) => Some(
                        t.as_int()
                            .and_then(|t| u32::try_from(t).ok())
                            .ok_or_else(|| syntax(format!("Bad transaction id {t} at {item}"), item))?,
                    ),
                };
                let a = self.attr(part(2), at)?;
                return self.add(Target::of(part(1)), a, Val::Form(part(3)), t, at);
            }
            Some("db.fn/call") => {
                let function = self.options.functions.and_then(|f| f.get(part(1)));
                let function = function
                    .ok_or_else(|| syntax(format!("Unknown transaction function {} at {item}", part(1)), item))?;
                return self.call(&*function, parts.get(2..).unwrap_or(&[]));
            }
            Some(
                "db/cas"
                | "db.fn/cas"
                | "db/retract"
                | "db.fn/retractAttribute"
                | "db.fn/retractEntity"
                | "db/retractEntity",
            ) => {}
            Some(_) => return self.installed(parts, item),
            None => {}
        }
        if matches!(Target::of(part(1)), Target::Temp(_)) && op.is_some() {
            let message = format!("Can't use tempid in '{item}'. Tempids are allowed in :db/add only");
            return Err(syntax(message, item).into());
        }
        match op {
            Some("db/cas" | "db.fn/cas") => self.cas(parts, item),
            Some("db/retract") => self.retract_item(part(1), part(2), parts.get(3).filter(|v| !v.is_nil()), at),
            Some("db.fn/retractAttribute") => self.retract_item(part(1), part(2), None, at),
            Some("db.fn/retractEntity" | "db/retractEntity") => {
                let e = match Target::of(part(1)) {
                    Target::Tx(name) => Some(self.current_tx(name)),
                    _ => self.entid(part(1))?,
                };
                match e {
                    Some(e) => self.retract_entities(vec![e]),
                    None => Ok(()),
                }
            }
            _ => {
                let message = format!(
                    "Unknown operation at {item}, expected :db/add, :db/retract, :db.fn/call, \
                     :db.fn/retractAttribute, :db.fn/retractEntity or an ident of a transaction function"
                );
                Err(syntax(message, item).into())
            }
        }
    }

    /// Items of a function in place of its call.
    fn call(&mut self, function: &dyn TxFunction, args: &[Edn]) -> Step {
        let db = self.so_far();
        // The function may read, and write other values of, the same database.
        self.delta = None;
        let result = function.call(&db, args);
        self.delta = Some(self.generation.read());
        let items = result?;
        let items: Vec<Edn> = match &items {
            Edn::Nil => Vec::new(),
            Edn::List(v) | Edn::Vector(v) => v.to_vec(),
            _ => return Err(syntax(format!("A transaction function gave {items}, no items"), &items).into()),
        };
        self.deeper(|tx| items.iter().try_for_each(|i| tx.item(i)))
    }

    /// A call of a function that an entity holds under `:db/fn` by its name.
    fn installed(&mut self, parts: &[Edn], item: &Edn) -> Step {
        let name = &parts[0];
        let Some(e) = self.entid(name)? else {
            return Err(syntax(format!("Can’t find entity for transaction fn {name}"), item).into());
        };
        let held = self.lineage.attr(&Edn::keyword("db/fn")).and_then(|a| self.first_value(e, a));
        let held = held.map(|(f, _)| self.lineage.pool.value(f.v));
        let function = held.as_ref().and_then(|h| self.options.functions.and_then(|f| f.get(h)));
        match function {
            Some(f) => self.call(&*f, &parts[1..]),
            None => {
                let message = format!("Entity {name} expected to have :db/fn attribute with fn? value");
                Err(syntax(message, item).into())
            }
        }
    }

    fn cas(&mut self, parts: &[Edn], item: &Edn) -> Step {
        let at = At::Form(item);
        let [_, e, name, old, new, ..] = parts else {
            return Err(syntax(format!("Expected [:db/cas entity attribute old new], got {item}"), item).into());
        };
        let e = match Target::of(e) {
            Target::Tx(n) => self.current_tx(n),
            _ => self.entid_strict(e)?,
        };
        let a = self.attr(name, at)?;
        let is_ref = self.schema.props(a).is_ref;
        let resolve = |tx: &Self, v: &Edn| -> Result<Edn> {
            if is_ref && !v.is_nil() { Ok(Edn::Int(tx.entid_strict(v)?.into())) } else { Ok(v.clone()) }
        };
        let (old, new) = (resolve(self, old)?, resolve(self, new)?);
        if new.is_nil() {
            return Err(syntax(format!("Cannot store nil as a value at {item}"), item).into());
        }
        if self.schema.props(a).tuple {
            return self.check_tuple(&Target::Id(e), a, &Val::Form(&new), at);
        }
        let mut held: Vec<Edn> = Vec::new();
        self.each(e, a, |f, _| held.push(self.lineage.pool.value(f.v)));
        held.sort();
        let many = self.schema.props(a).many;
        let agrees = if many { held.contains(&old) } else { *held.first().unwrap_or(&Edn::Nil) == old };
        if !agrees {
            let shown = if many { Edn::list(held) } else { held.first().cloned().unwrap_or(Edn::Nil) };
            let message = format!(":db.fn/cas failed on datom [{e} {name} {shown}], expected {old}");
            return Err(QueryError::at(ErrorKind::Other("transact/cas"), message, item).into());
        }
        self.schema.check_type(a, &new, self.lineage)?;
        let v = self.lineage.pool.encode(&new);
        self.put(a, Fact { e, v, t: self.t, m: self.m })
    }

    fn retract_item(&mut self, e: &Edn, name: &Edn, v: Option<&Edn>, at: At) -> Step {
        let e = match Target::of(e) {
            Target::Tx(n) => Some(self.current_tx(n)),
            _ => self.entid(e)?,
        };
        let Some(e) = e else { return Ok(()) };
        let a = self.attr(name, at)?;
        let p = self.schema.props(a);
        if p.tuple {
            let value = v.unwrap_or(&Edn::Nil);
            return self.check_tuple(&Target::Id(e), a, &Val::Form(value), at);
        }
        match v {
            Some(v) => {
                let w = if p.is_ref {
                    let id = match Target::of(v) {
                        Target::Tx(n) => self.current_tx(n),
                        _ => self.entid_strict(v)?,
                    };
                    Some(Word::entity(id))
                } else {
                    self.lineage.dict.word(v)
                };
                let mut found = None;
                self.each(e, a, |f, place| {
                    if Some(f.v) == w {
                        found = Some((f, place));
                    }
                });
                if let Some((f, place)) = found {
                    self.retract(a, f, place, self.t);
                }
                Ok(())
            }
            None => {
                let facts = self.facts(e, a);
                let mut parts = Vec::new();
                for (f, place) in facts {
                    self.retract(a, f, place, self.t);
                    parts.extend(f.v.as_entity().filter(|_| p.component));
                }
                self.retract_entities(parts)
            }
        }
    }

    /// The facts of an entity and attribute in the order of values.
    fn facts(&self, e: u32, a: AttrId) -> Vec<(Fact, Place)> {
        let mut out = Vec::new();
        self.each(e, a, |f, place| out.push((f, place)));
        if out.len() > 1 {
            out.sort_by(|x, y| self.lineage.compare(x.0.v, y.0.v));
        }
        out
    }

    /// Entities with everything that refers to them, and their parts.
    fn retract_entities(&mut self, list: Vec<u32>) -> Step {
        let mut left = list;
        left.reverse();
        let attrs = if left.is_empty() { Arc::default() } else { self.lineage.by_name() };
        while let Some(e) = left.pop() {
            let mut parts: Vec<u32> = Vec::new();
            for a in attrs.iter() {
                let component = self.schema.props(*a).component;
                for (f, place) in self.facts(e, *a) {
                    self.retract(*a, f, place, self.t);
                    if let Some(part) = f.v.as_entity().filter(|x| component && !parts.contains(x)) {
                        parts.push(part);
                    }
                }
            }
            let schema = self.schema;
            for a in schema.refs() {
                let mut facts: Vec<(Fact, Place)> = Vec::new();
                let v = Word::entity(e);
                self.delta().each_of_value(self.generation.col(*a), *a, v, self.at, true, |f, place| {
                    if !self.gone.contains(&(*a, place)) {
                        facts.push((f, place));
                    }
                });
                self.each_added_value(*a, v, |k| {
                    facts.push((self.added[k].fact, Place::Entry(self.first + k as u32)));
                });
                facts.sort_by_key(|(f, _)| f.e);
                for (f, place) in facts {
                    self.retract(*a, f, place, self.t);
                }
            }
            left.extend(parts.into_iter().rev());
        }
        Ok(())
    }

    // ------------------------------------------------------------ maps

    fn map<'f>(&mut self, pairs: &'f [(Edn, Edn)], link: Option<Link<'f>>, form: &'f Edn) -> Step {
        let id = pairs.iter().find(|(k, _)| is_id(k)).map(|(_, v)| v);
        let mut target = match id {
            None | Some(Edn::Nil) => {
                self.autos += 1;
                Target::Temp(Temp::Auto(self.autos))
            }
            Some(form) => match (Target::of(form), form) {
                (Target::Tx(name), _) => Target::Id(self.current_tx(name)),
                (t @ Target::Temp(_), _) => t,
                (_, Edn::Int(i)) if *i > 0 => Target::Id(self.entid_strict(form)?),
                (t, Edn::Int(_)) => t,
                (_, Edn::Vector(_) | Edn::List(_)) => Target::Id(self.entid_strict(form)?),
                (_, other) => {
                    let message = format!("Expected number, string or lookup ref for :db/id, got {other}");
                    return Err(QueryError::at(ErrorKind::EntitySyntax, message, form).into());
                }
            },
        };
        // Which values are found, by pair and by position in its collection.
        let mut found: Vec<(usize, Option<usize>)> = Vec::new();
        if let Some(e) = self.upsert(pairs, &target, &mut found)? {
            if let Target::Temp(temp) = &target {
                if self.tempids.get(temp).is_some_and(|known| *known != e) {
                    return Err(Stop::Retry(temp.clone(), e));
                }
                self.allocate(temp.clone(), e);
            }
            self.redundant.insert(e);
            target = Target::Id(e);
        }
        if let Target::Id(e) = target
            && pairs.len() + usize::from(link.is_some()) > 1
            && e < TX0
        {
            self.reserved = self.reserved.max(e);
        }
        let mut tuples = false;
        for (i, (name, v)) in pairs.iter().enumerate() {
            if is_id(name) {
                continue;
            }
            if self.lineage.attr(name).is_some_and(|a| self.schema.props(a).tuple) {
                tuples = true;
                continue;
            }
            self.pair(i, name, v, &target, &found)?;
        }
        if tuples {
            for (i, (name, v)) in pairs.iter().enumerate() {
                if self.lineage.attr(name).is_some_and(|a| self.schema.props(a).tuple) {
                    self.pair(i, name, v, &target, &found)?;
                }
            }
        }
        if let Some(Link { a, reverse, owner }) = link {
            let (from, to) = if reverse { (target, owner) } else { (owner, target) };
            self.add(from, a, Val::Target(to), None, At::Form(form))?;
        }
        Ok(())
    }

    /// The entity that identity attributes of a map find.
    fn upsert(
        &mut self,
        pairs: &[(Edn, Edn)],
        target: &Target,
        found: &mut Vec<(usize, Option<usize>)>,
    ) -> Step<Option<u32>> {
        let mut by: Option<(u32, Edn)> = None;
        for (i, (name, v)) in pairs.iter().enumerate() {
            if is_id(name) {
                continue;
            }
            let a = match name {
                Edn::Keyword(k) if k.name().starts_with('_') => continue,
                _ => self.attr(name, At::Pair(name, v))?,
            };
            let p = self.schema.props(a);
            if p.unique != Some(Unique::Identity) {
                continue;
            }
            let single = [v.clone()];
            let (values, many): (&[Edn], bool) = match v.as_coll() {
                Some(vs) if p.many => (vs, true),
                _ => (&single, false),
            };
            for (j, v) in values.iter().enumerate() {
                let e = if v.is_nil() || v.as_map().is_some() {
                    None
                } else if p.is_ref {
                    match Target::of(v) {
                        Target::Temp(_) => None,
                        Target::Tx(_) => self.find(a, &Edn::Int(self.t.into())),
                        _ => self.entid(v)?.and_then(|id| self.find(a, &Edn::Int(id.into()))),
                    }
                } else {
                    resolve_value(self.lineage, self.schema, a, v, &mut |a, v| self.find(a, v))?
                };
                let Some(e) = e else { continue };
                found.push((i, many.then_some(j)));
                let this = Edn::vector([name.clone(), v.clone()]);
                match &by {
                    Some((other, that)) if *other != e => {
                        let message =
                            format!("Conflicting upserts: {that} resolves to {other}, but {this} resolves to {e}");
                        return Err(QueryError::at(ErrorKind::Other("transact/upsert"), message, &this).into());
                    }
                    Some(_) => {}
                    None => by = Some((e, this)),
                }
            }
        }
        if let (Some((e, this)), Target::Id(id)) = (&by, target)
            && e != id
        {
            let message = format!("Conflicting upsert: {this} resolves to {e}, but entity already has :db/id {id}");
            return Err(QueryError::at(ErrorKind::Other("transact/upsert"), message, this).into());
        }
        Ok(by.map(|(e, _)| e))
    }

    /// One attribute of a map.
    fn pair<'f>(
        &mut self,
        i: usize,
        name: &'f Edn,
        v: &'f Edn,
        target: &Target<'f>,
        found: &[(usize, Option<usize>)],
    ) -> Step {
        let at = At::Pair(name, v);
        let straight = reversed(name);
        let a = self.attr(straight.as_ref().unwrap_or(name), at)?;
        let p = self.schema.props(a);
        let reverse = straight.is_some();
        if reverse && !p.is_ref {
            let message = format!(
                "Bad attribute {name}: reverse attribute name requires {{:db/valueType :db.type/ref}} in schema"
            );
            return Err(syntax(message, &at.to_edn()).into());
        }
        let values = match v.as_coll() {
            Some(vs) if (reverse || p.many) && !self.is_lookup_ref(vs) => Some(vs),
            _ => None,
        };
        if values.is_none() && found.contains(&(i, None)) {
            return Ok(());
        }
        for (j, v) in values.unwrap_or(std::slice::from_ref(v)).iter().enumerate() {
            if values.is_some() && found.contains(&(i, Some(j))) {
                continue;
            }
            match v.as_map() {
                Some(pairs) if p.is_ref => {
                    let link = Link { a, reverse, owner: target.clone() };
                    self.deeper(|tx| tx.map(pairs, Some(link), v))?;
                }
                _ if reverse => self.add(Target::of(v), a, Val::Target(target.clone()), None, at)?,
                _ => self.add(target.clone(), a, Val::Form(v), None, at)?,
            }
        }
        Ok(())
    }

    /// True for two values of which the first is an identity attribute.
    fn is_lookup_ref(&self, vs: &[Edn]) -> bool {
        match vs {
            [name @ (Edn::Keyword(_) | Edn::Str(_)), _] => {
                self.lineage.attr(name).is_some_and(|a| self.schema.props(a).unique == Some(Unique::Identity))
            }
            _ => false,
        }
    }

    // ------------------------------------------------------------ the end

    /// The database so far, as a value of its own.
    fn so_far(&self) -> Database {
        if self.changes.is_empty() {
            return self.before.clone();
        }
        let inner = &self.before.0;
        let looked_up = |a: AttrId| self.schema.props(a).indexed;
        let mut delta = self.delta().fork(self.at, looked_up);
        self.changes.iter().for_each(|c| delta.push(c, looked_up(c.a)));
        let at = delta.len();
        let generation = Arc::new(Generation::new(self.generation.base.clone(), delta));
        Database::make(inner.lineage.clone(), inner.schema.clone(), generation, at, self.max_eid, inner.max_tx)
    }

    /// The facts of a log's records, as they are: what was checked once is not checked again.
    fn replay(&mut self, records: &[Record]) -> Result<()> {
        let damaged = |what: &str, c: &LogChange| {
            let message = format!("The log {what}: [{} {} {}]", c.e, c.a, c.v);
            QueryError::new(ErrorKind::Other("store/corrupt"), message)
        };
        for r in records {
            for c in &r.changes {
                let a = self.attr(&c.a, At::Form(&c.a))?;
                let v = self.lineage.pool.encode(&c.v);
                let mut held = None;
                self.each(c.e, a, |f, place| {
                    if f.v == v {
                        held = Some((f, place));
                    }
                });
                match held {
                    Some((fact, place)) if c.m == 0 => self.retract(a, fact, place, c.t),
                    None if c.m != 0 => self.note(a, Fact { e: c.e, v, t: c.t, m: c.m }),
                    None => return Err(damaged("retracts what does not hold", c)),
                    Some(_) => return Err(damaged("asserts what holds", c)),
                }
            }
            self.tx_data.clear();
            self.max_eid = self.max_eid.max(r.max_eid);
        }
        self.queued.clear();
        Ok(())
    }

    fn commit(mut self) -> Report {
        let t = self.before.max_tx() + 1;
        let db_after = self.finish(t);
        let mut tempids: Vec<(Edn, u32)> = Vec::with_capacity(self.order.len() + 1);
        for temp in &self.order {
            if let (false, Some(e)) = (matches!(temp, Temp::Auto(_)), self.tempids.get(temp)) {
                tempids.push((temp.to_edn(), *e));
            }
        }
        let current = Edn::keyword("db/current-tx");
        if !tempids.iter().any(|(k, _)| *k == current) {
            tempids.push((current, self.t));
        }
        Report {
            db_before: self.before.clone(),
            db_after,
            tx_data: std::mem::take(&mut self.tx_data),
            tempids,
            tx_meta: self.options.meta.clone(),
        }
    }

    /// The database with all changes.
    fn finish(&mut self, max_tx: u32) -> Database {
        self.delta = None;
        let inner = &self.before.0;
        let n = self.changes.len();
        let looked_up = |a: AttrId| self.schema.props(a).indexed;
        let (generation, at) = if n == 0 {
            (inner.generation.clone(), self.at)
        } else if self.at as usize + n > self.generation.patience() {
            (Arc::new(self.generation.compacted(self.at, &self.changes)), 0)
        } else {
            let mut delta = self.generation.write();
            if delta.len() == self.at {
                self.changes.iter().for_each(|c| delta.push(c, looked_up(c.a)));
                (inner.generation.clone(), delta.len())
            } else {
                // This value was written before: what came of that stays apart.
                let mut own = delta.fork(self.at, looked_up);
                drop(delta);
                self.changes.iter().for_each(|c| own.push(c, looked_up(c.a)));
                let at = own.len();
                (Arc::new(Generation::new(self.generation.base.clone(), own)), at)
            }
        };
        Database::make(inner.lineage.clone(), inner.schema.clone(), generation, at, self.max_eid, max_tx)
    }
}

fn is_id(name: &Edn) -> bool {
    matches!(name, Edn::Keyword(k) if k.as_str() == "db/id")
}

/// The attribute that a name such as `:ns/_name` is the reverse of.
pub(super) fn reversed(name: &Edn) -> Option<Edn> {
    match name {
        Edn::Keyword(k) => {
            let rest = k.name().strip_prefix('_').filter(|n| !n.is_empty())?;
            Some(Edn::Keyword(match k.namespace() {
                Some(ns) => Keyword::with_namespace(ns, rest),
                None => Keyword::new(rest),
            }))
        }
        Edn::Str(s) => match s.rsplit_once('/') {
            Some((ns, n)) => n.strip_prefix('_').map(|n| Edn::from(format!("{ns}/{n}"))),
            None => s.strip_prefix('_').filter(|n| !n.is_empty()).map(Edn::from),
        },
        _ => None,
    }
}
