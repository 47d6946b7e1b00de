//! What a running query stands on: its sources, its words, its functions and its budget.

use super::error::{ErrorKind, QueryError};
use super::func::{self, Ask, Func, Registry};
use super::ir::Arg;
use super::rows::Rows;
use super::space::Space;
use crate::edn::{Edn, Keyword, Symbol};
use crate::source::{AttrTraits, Column, Source};
use crate::value::Word;
use rustc_hash::FxHashMap;
use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

type Result<T> = std::result::Result<T, QueryError>;

/// A source of the query: the caller's, or a collection that came as a value.
enum Held<'s> {
    Borrowed(&'s dyn Source),
    Rows(Box<Rows>),
}

struct Entry<'s> {
    name: Symbol,
    held: Held<'s>,
    /// True if its words are the query's words.
    native: bool,
    /// Words of the query for words of a foreign source, as far as they were met.
    inward: RefCell<FxHashMap<Word, Word>>,
}

/// Ends a query that takes too much.
#[derive(Clone, Default)]
pub struct Budget {
    fuel: Option<Cell<u64>>,
    cancel: Option<Arc<AtomicBool>>,
}

impl Budget {
    /// With a number of rows that steps may make, and a flag that stops the query when it is set.
    pub fn new(fuel: Option<u64>, cancel: Option<Arc<AtomicBool>>) -> Self {
        Self { fuel: fuel.map(Cell::new), cancel }
    }

    /// Pays for rows that were made, or are about to be.
    #[inline]
    pub fn pay(&self, rows: usize) -> Result<()> {
        if let Some(fuel) = &self.fuel {
            match fuel.get().checked_sub(rows as u64) {
                Some(left) => fuel.set(left),
                None => return Err(QueryError::new(ErrorKind::Limit, "The query ran out of fuel")),
            }
        }
        if let Some(cancel) = &self.cancel
            && cancel.load(Ordering::Relaxed)
        {
            return Err(QueryError::new(ErrorKind::Limit, "The query was cancelled"));
        }
        Ok(())
    }
}

/// The surroundings of a running query.
pub struct Env<'s> {
    /// Its words.
    pub space: Space,
    /// Its budget.
    pub budget: Budget,
    sources: Vec<Entry<'s>>,
    pub(super) registry: Option<&'s Registry>,
}

impl<'s> Env<'s> {
    /// Without sources yet; the first source that is a database gives the dictionary.
    pub fn new(space: Space, budget: Budget, registry: Option<&'s Registry>) -> Self {
        Self { space, budget, sources: Vec::new(), registry }
    }

    /// Adds the caller's source.
    pub fn add_source(&mut self, name: Symbol, source: &'s dyn Source) {
        let native = self.space.is_native(source.dict());
        self.sources.push(Entry { name, held: Held::Borrowed(source), native, inward: RefCell::default() });
    }

    /// Adds a collection of rows as a source.
    pub fn add_rows(&mut self, name: Symbol, value: &Edn) -> Result<()> {
        let rows = Rows::from_edn(value, &mut |v| self.space.encode(v))?;
        self.sources.push(Entry { name, held: Held::Rows(Box::new(rows)), native: true, inward: RefCell::default() });
        Ok(())
    }

    /// The index of a source by name.
    pub fn source_index(&self, name: &Symbol) -> Option<usize> {
        self.sources.iter().position(|s| s.name == *name)
    }

    /// A source by index.
    pub fn source(&self, i: usize) -> &dyn Source {
        match &self.sources[i].held {
            Held::Borrowed(s) => *s,
            Held::Rows(r) => &**r,
        }
    }

    /// A function by name: the host's, or a built-in one.
    pub fn function(&self, name: &Symbol) -> Option<Func> {
        if let Some(f) = self.registry.and_then(|r| r.get(name.as_str())) {
            return Some(Func::Host(f.clone()));
        }
        func::builtin(name.as_str())
    }

    /// The host's function of a name.
    pub fn host_function(&self, name: &str) -> Option<Func> {
        self.registry.and_then(|r| r.get(name)).map(|f| Func::Host(f.clone()))
    }

    // ------------------------------------------------------------ words across dictionaries

    /// The source's word for a word of the query; `None` if the source has no such value.
    fn outward(&self, src: usize, w: Word) -> Option<Word> {
        if self.sources[src].native || w.code().is_none() {
            return Some(w);
        }
        self.source(src).dict().word(&self.space.decode(w))
    }

    /// The query's word for a word of the source.
    fn inward(&self, src: usize, w: Word) -> Word {
        if self.sources[src].native || w.code().is_none() {
            return w;
        }
        *self.sources[src]
            .inward
            .borrow_mut()
            .entry(w)
            .or_insert_with(|| self.space.encode(&self.source(src).dict().value(w)))
    }

    /// What is known of an attribute.
    pub fn attr(&self, src: usize, attr: Word) -> AttrTraits {
        match self.outward(src, attr) {
            Some(a) => self.source(src).attr(a),
            None => AttrTraits { is_ref: false, many: true, unique: false },
        }
    }

    /// The arrays of an attribute, where the source has them and speaks the query's words.
    pub fn column(&self, src: usize, attr: Word) -> Option<Column<'_>> {
        if self.sources[src].native { self.source(src).column(attr) } else { None }
    }

    /// The rows of an attribute by value, where the source has them.
    pub fn by_value(&self, src: usize, attr: Word) -> Option<&[u32]> {
        if self.sources[src].native { self.source(src).by_value(attr) } else { None }
    }

    /// How many rows match, or more.
    pub fn count(&self, src: usize, bound: &[Option<Word>]) -> usize {
        match self.bound_outward(src, bound) {
            Some(b) => self.source(src).count(&b),
            None => 0,
        }
    }

    fn bound_outward(&self, src: usize, bound: &[Option<Word>]) -> Option<Vec<Option<Word>>> {
        bound
            .iter()
            .map(|b| match b {
                None => Some(None),
                Some(w) => self.outward(src, *w).map(Some),
            })
            .collect()
    }

    /// Calls `f` with each row that matches, in the query's words.
    pub fn scan(&self, src: usize, bound: &[Option<Word>], f: &mut dyn FnMut(&[Word]) -> Result<()>) -> Result<()> {
        let Some(bound) = self.bound_outward(src, bound) else { return Ok(()) };
        let mut cursor = self.source(src).scan(&bound);
        if self.sources[src].native {
            while let Some(row) = cursor.next() {
                f(row)?;
            }
        } else {
            let mut buffer = Vec::new();
            while let Some(row) = cursor.next() {
                buffer.clear();
                buffer.extend(row.iter().map(|w| self.inward(src, *w)));
                f(&buffer)?;
            }
        }
        Ok(())
    }

    /// The values of one entity and attribute.
    pub fn values(&self, src: usize, e: u32, attr: Word, out: &mut Vec<Word>) {
        let Some(a) = self.outward(src, attr) else { return };
        let from = out.len();
        self.source(src).values(e, a, out);
        if !self.sources[src].native {
            for w in &mut out[from..] {
                *w = self.inward(src, *w);
            }
        }
    }

    /// The entities with a value.
    pub fn entities(&self, src: usize, attr: Word, v: Word, out: &mut Vec<u32>) {
        if let (Some(a), Some(v)) = (self.outward(src, attr), self.outward(src, v)) {
            self.source(src).entities(a, v, out);
        }
    }

    /// The word of a constant where an entity is meant: a number, a lookup ref or an ident. Only in the entity place
    /// must it be one of these.
    pub fn entity_word(&self, src: usize, k: &Edn, strict: bool, form: &Edn) -> Result<Word> {
        let resolvable = match k {
            Edn::Int(_) | Edn::Nil => false,
            Edn::Keyword(_) => true,
            _ => is_lookup_ref(k),
        };
        if resolvable {
            return match self.source(src).entity(k)? {
                Some(e) => Ok(Word::entity(e)),
                None => Err(QueryError::at(ErrorKind::EntityMissing, format!("Nothing found for entity id {k}"), form)),
            };
        }
        if strict && !matches!(k, Edn::Int(_) | Edn::Nil) {
            let message = format!("Expected number or lookup ref for entity id, got {k}");
            return Err(QueryError::at(ErrorKind::EntitySyntax, message, form));
        }
        Ok(self.space.encode(k))
    }

    // ------------------------------------------------------------ calls

    /// Calls a function for one row; `value` gives the variables.
    pub fn call(&self, func: &Func, args: &[Arg], value: &mut dyn FnMut(usize) -> Word) -> Result<Edn> {
        let mut values: Vec<Edn> = Vec::with_capacity(args.len());
        let mut sources: Vec<usize> = Vec::new();
        for a in args {
            match a {
                Arg::Var(v) => values.push(self.space.decode(value(*v))),
                Arg::Const(k, _) => values.push(k.clone()),
                Arg::Source(i) => sources.push(*i),
            }
        }
        match func {
            Func::Ask(ask) => self.ask(*ask, &sources, &values),
            _ => {
                let sources: Vec<&dyn Source> = sources.iter().map(|i| self.source(*i)).collect();
                func.call(&sources, &values)
            }
        }
    }

    /// Shows a function that looks ahead its calls for `n` rows; `value` gives the variables of a row.
    pub fn foresee(&self, func: &Func, args: &[Arg], n: usize, value: &dyn Fn(usize, usize) -> Word) -> Result<()> {
        let Func::Host(f) = func else { return Ok(()) };
        if !f.looks_ahead() {
            return Ok(());
        }
        let sources: Vec<&dyn Source> =
            args.iter().filter_map(|a| if let Arg::Source(i) = a { Some(self.source(*i)) } else { None }).collect();
        let row = |i: usize| {
            args.iter()
                .filter_map(|a| match a {
                    Arg::Var(v) => Some(self.space.decode(value(i, *v))),
                    Arg::Const(k, _) => Some(k.clone()),
                    Arg::Source(_) => None,
                })
                .collect()
        };
        f.foresee(&sources, &mut (0..n).map(row))
    }

    fn ask(&self, ask: Ask, sources: &[usize], args: &[Edn]) -> Result<Edn> {
        let fail = |m: &str| Err(QueryError::new(ErrorKind::Function, m.to_string()));
        let ([src], [id, attrs @ ..]) = (sources, args) else {
            return fail("Expected a source, an entity and an attribute");
        };
        let e = match id {
            Edn::Int(i) => u32::try_from(*i).ok(),
            _ => match self.source(*src).entity(id)? {
                Some(e) => Some(e),
                None if is_lookup_ref(id) => {
                    return Err(QueryError::new(ErrorKind::EntityMissing, format!("Nothing found for entity id {id}")));
                }
                None => None,
            },
        };
        let first = |attr: &Edn| {
            let mut out = Vec::new();
            if let Some(e) = e {
                self.values(*src, e, self.space.encode(attr), &mut out);
            }
            out.first().copied()
        };
        match (ask, attrs) {
            (Ask::GetElse, [_, Edn::Nil]) => {
                Err(QueryError::new(ErrorKind::Where, "get-else: nil default value is not supported"))
            }
            (Ask::GetElse, [attr, default]) => {
                Ok(first(attr).map_or_else(|| default.clone(), |w| self.space.decode(w)))
            }
            (Ask::GetSome, attrs) if !attrs.is_empty() => {
                for attr in attrs {
                    if let Some(w) = first(attr) {
                        return Ok(Edn::vector([attr.clone(), self.space.decode(w)]));
                    }
                }
                Ok(Edn::Nil)
            }
            (Ask::Missing, [attr]) => {
                let present = match (reverse(attr), e) {
                    (_, None) => false,
                    (None, Some(_)) => first(attr).is_some(),
                    (Some(forward), Some(e)) => {
                        self.count(*src, &[None, Some(self.space.encode(&forward)), Some(Word::entity(e))]) > 0
                    }
                };
                Ok(Edn::Bool(!present))
            }
            _ => fail("Wrong number of args passed to a function that asks a database"),
        }
    }
}

/// The attribute that `:ns/_name` is the reverse of.
fn reverse(attr: &Edn) -> Option<Edn> {
    let k = attr.as_keyword()?;
    let name = k.name().strip_prefix('_').filter(|n| !n.is_empty())?;
    Some(Edn::Keyword(match k.namespace() {
        Some(ns) => Keyword::with_namespace(ns, name),
        None => Keyword::new(name),
    }))
}

/// True for `[:attr value]`.
pub fn is_lookup_ref(v: &Edn) -> bool {
    matches!(v.as_seq(), Some([Edn::Keyword(_), _]))
}
