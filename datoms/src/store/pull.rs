//! Pull: what a pattern wants of an entity, as nested maps.

use super::db::{Database, Result};
use super::pool::AttrId;
use super::tx::reversed;
use crate::edn::{Edn, MAX_DEPTH, Symbol};
use crate::query::{ErrorKind, Func, QueryError, Registry};
use crate::value::Word;
use rustc_hash::FxHashMap;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

/// How many values of an attribute come unless the pattern says otherwise.
const LIMIT: usize = 1000;
/// Parsed patterns by schema and form.
type Patterns = FxHashMap<(u64, Edn), Arc<Pattern>>;

/// How many parsed patterns are kept.
const CACHE: usize = 128;

/// A parsed pattern. It belongs to the schema it was parsed under.
#[derive(Debug)]
pub struct Pattern {
    wildcard: bool,
    specs: Vec<Spec>,
}

/// What is wanted of one attribute.
#[derive(Debug)]
struct Spec {
    /// The attribute as written, which a wildcard leaves out.
    name: Edn,
    /// Where the values go.
    key: Edn,
    a: Option<AttrId>,
    kind: Kind,
    limit: Option<usize>,
    default: Edn,
    xform: Option<Func>,
}

#[derive(Debug)]
enum Kind {
    Id,
    Value { many: bool },
    Ref { many: bool, reverse: bool, guarded: bool, inner: Inner },
}

#[derive(Debug)]
enum Inner {
    /// `{:db/id n}`
    Id,
    /// Everything, with its parts.
    All,
    Pattern(Box<Pattern>),
    /// The surrounding pattern, so many times.
    Again(Option<usize>),
}

fn bad(message: String, form: &Edn) -> QueryError {
    QueryError::at(ErrorKind::ParserPull, message, form)
}

fn is_wildcard(form: &Edn) -> bool {
    match form {
        Edn::Symbol(s) => s.as_str() == "*",
        Edn::Keyword(k) => k.as_str() == "*",
        Edn::Str(s) => &**s == "*",
        _ => false,
    }
}

fn word_of(form: &Edn) -> Option<&str> {
    match form {
        Edn::Symbol(s) => Some(s.as_str()),
        Edn::Keyword(k) => Some(k.as_str()),
        Edn::Str(s) => Some(s),
        _ => None,
    }
}

impl Pattern {
    /// Parses a pattern under the schema of a database. `functions` are what `:xform` may name besides the functions
    /// that are always there.
    ///
    /// # Errors
    /// `:parser/pull`.
    pub fn parse(db: &Database, form: &Edn, functions: Option<&Registry>) -> Result<Self> {
        let Some(items) = form.as_seq() else {
            return Err(bad(format!("Expected a sequential pull pattern, got: {form}"), form));
        };
        let mut out = Self { wildcard: false, specs: Vec::new() };
        for item in items {
            if is_wildcard(item) {
                out.wildcard = true;
                continue;
            }
            match item {
                Edn::Map(pairs) => {
                    for (k, v) in pairs.iter() {
                        let whole = Edn::map([(k.clone(), v.clone())]);
                        let spec = Spec::parse(db, k, Some(v), &whole, functions)?;
                        out.add(spec);
                    }
                }
                _ => {
                    let spec = Spec::parse(db, item, None, item, functions)?;
                    out.add(spec);
                }
            }
        }
        if out.wildcard && out.specs.iter().all(|s| !matches!(s.kind, Kind::Id)) {
            out.specs.insert(0, Spec::id());
        }
        Ok(out)
    }

    /// Of several specs for one key the last counts.
    fn add(&mut self, spec: Spec) {
        self.specs.retain(|s| s.key != spec.key);
        self.specs.push(spec);
    }
}

impl Spec {
    fn id() -> Self {
        let id = Edn::keyword("db/id");
        Self { name: id.clone(), key: id, a: None, kind: Kind::Id, limit: None, default: Edn::Nil, xform: None }
    }

    fn parse(
        db: &Database,
        form: &Edn,
        inner: Option<&Edn>,
        whole: &Edn,
        functions: Option<&Registry>,
    ) -> Result<Self> {
        let expected = || bad(format!("Expected attr-name | attr-expr | map-spec | *, got: {form}"), whole);
        // `(limit :attr 5)` and `(default :attr x)` are the older way to write options.
        let (name, options): (&Edn, Vec<(String, Edn)>) = match form {
            Edn::Keyword(_) | Edn::Str(_) => (form, Vec::new()),
            Edn::Vector(parts) | Edn::List(parts) => match &parts[..] {
                [what, name @ (Edn::Keyword(_) | Edn::Str(_)), x]
                    if matches!(word_of(what), Some("limit" | "default")) =>
                {
                    (name, vec![(word_of(what).unwrap_or("").to_string(), x.clone())])
                }
                [name @ (Edn::Keyword(_) | Edn::Str(_)), rest @ ..] => {
                    let mut options = Vec::new();
                    for pair in rest.chunks(2) {
                        let [key, value] = pair else {
                            return Err(bad(
                                format!("Expected even number of options after {name}, got: {form}"),
                                whole,
                            ));
                        };
                        let key = match key {
                            Edn::Keyword(k) => k.as_str(),
                            _ => "",
                        };
                        if !matches!(key, "as" | "limit" | "default" | "xform") {
                            return Err(bad(
                                format!("Expected one of :as, :limit, :default, :xform, got: {form}"),
                                whole,
                            ));
                        }
                        options.push((key.to_string(), value.clone()));
                    }
                    (name, options)
                }
                _ => return Err(expected()),
            },
            _ => return Err(expected()),
        };
        let mut out = Self { key: name.clone(), name: name.clone(), ..Self::id() };
        out.limit = Some(LIMIT);
        if *name == Edn::keyword("db/id") {
            out.limit = None;
        } else {
            let straight = reversed(name);
            let reverse = straight.is_some();
            let plain = straight.as_ref().unwrap_or(name);
            out.a = db.attr_id(plain);
            let p = out.a.map(|a| db.props(a)).unwrap_or_default();
            if reverse && !p.is_ref {
                return Err(bad(format!("Expected reverse attribute having :db.type/ref, got: {name}"), whole));
            }
            if inner.is_some() && !p.is_ref {
                return Err(bad(format!("Expected attribute having :db.type/ref, got: {name}"), whole));
            }
            let many = if reverse { !p.component } else { p.many };
            out.kind = if p.is_ref {
                let inner = match inner {
                    None if p.component && !reverse => Inner::All,
                    None => Inner::Id,
                    Some(v) => Self::inner(db, v, whole, functions)?,
                };
                let guarded = p.component && !reverse || matches!(inner, Inner::Again(_));
                Kind::Ref { many, reverse, guarded, inner }
            } else {
                Kind::Value { many }
            };
            if !many && options.iter().any(|(k, _)| k == "limit") {
                return Err(bad(format!("Expected limit attribute having :db.cardinality/many, got: {name}"), whole));
            }
        }
        for (key, value) in options {
            match key.as_str() {
                "as" => out.key = value,
                "default" => out.default = value,
                "limit" => {
                    out.limit = match &value {
                        Edn::Nil => None,
                        Edn::Int(n) if *n > 0 => Some(usize::try_from(*n).unwrap_or(usize::MAX)),
                        _ => {
                            return Err(bad(format!("Expected (positive-number | nil), got: {value}"), whole));
                        }
                    }
                }
                _ => {
                    let name = match &value {
                        Edn::Symbol(s) => s.clone(),
                        _ => Symbol::new(value.to_string()),
                    };
                    let short = name.as_str().strip_prefix("clojure.core/").unwrap_or(name.as_str());
                    let host = functions.and_then(|f| f.get(name.as_str())).map(|f| Func::Host(f.clone()));
                    let function = host
                        .or_else(|| crate::query::builtin(short))
                        .ok_or_else(|| bad(format!("Can't resolve symbol {value}"), whole))?;
                    out.xform = Some(function);
                }
            }
        }
        Ok(out)
    }

    fn inner(db: &Database, form: &Edn, whole: &Edn, functions: Option<&Registry>) -> Result<Inner> {
        match form {
            Edn::Vector(_) | Edn::List(_) => Ok(Inner::Pattern(Box::new(Pattern::parse(db, form, functions)?))),
            Edn::Int(n) if *n > 0 => Ok(Inner::Again(Some(usize::try_from(*n).unwrap_or(usize::MAX)))),
            _ if word_of(form) == Some("...") => Ok(Inner::Again(None)),
            _ => Err(bad(format!("Expected (positive-num | ...), got: {whole}"), whole)),
        }
    }

    fn transformed(&self, v: Edn) -> Result<Edn> {
        match &self.xform {
            None => Ok(v),
            Some(f) => f.call(&[], &[v]),
        }
    }
}

/// Entities and limits on the way from the root to where a pull stands.
struct Path<'p> {
    seen: Vec<u32>,
    /// How often a recursive attribute may still be followed, by its spec.
    limits: FxHashMap<*const Spec, usize>,
    depth: usize,
    all: &'p Pattern,
    /// What a wildcard wants of attributes, as they are met.
    wild: FxHashMap<AttrId, Rc<Spec>>,
}

impl Database {
    /// Parses a pull pattern for this database; parsed patterns are kept.
    ///
    /// # Errors
    /// `:parser/pull`.
    pub fn pull_pattern(&self, form: &Edn) -> Result<Arc<Pattern>> {
        self.pull_pattern_with(form, None)
    }

    /// The same with functions that `:xform` may name. What uses one of them is not kept.
    ///
    /// # Errors
    /// `:parser/pull`.
    pub fn pull_pattern_with(&self, form: &Edn, functions: Option<&Registry>) -> Result<Arc<Pattern>> {
        static PATTERNS: Mutex<Option<Patterns>> = Mutex::new(None);
        crate::query::check_depth(form)?;
        // Numbers of schemas, not addresses: an address may come again.
        let key = (self.schema().number(), form.clone());
        let lock = || PATTERNS.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(p) = lock().get_or_insert_default().get(&key) {
            return Ok(p.clone());
        }
        let known = self.lineage().attr_count();
        let parsed = Arc::new(Pattern::parse(self, form, functions)?);
        // A pattern that names an attribute which nobody knows yet is not kept.
        if known == self.lineage().attr_count() && parsed.is_complete() {
            let mut guard = lock();
            let map = guard.get_or_insert_default();
            if map.len() >= CACHE {
                map.clear();
            }
            map.insert(key, parsed.clone());
        }
        Ok(parsed)
    }

    /// What a pattern wants of an entity: a map, or `nil` if there is nothing of it.
    ///
    /// # Errors
    /// `:parser/pull`, and those of [`entid`](Self::entid).
    pub fn pull(&self, pattern: &Edn, entity: &Edn) -> Result<Edn> {
        let pattern = self.pull_pattern(pattern)?;
        self.pull_parsed(&pattern, entity)
    }

    /// The same for several entities.
    pub fn pull_many(&self, pattern: &Edn, entities: &[Edn]) -> Result<Vec<Edn>> {
        let pattern = self.pull_pattern(pattern)?;
        entities.iter().map(|e| self.pull_parsed(&pattern, e)).collect()
    }

    /// The same with a parsed pattern.
    pub fn pull_parsed(&self, pattern: &Pattern, entity: &Edn) -> Result<Edn> {
        if self.is_history() {
            return Err(QueryError::new(ErrorKind::Other("history/pull"), "A history has no entities to pull"));
        }
        let Some(e) = self.entid(entity)? else { return Ok(Edn::Nil) };
        let all = Pattern { wildcard: true, specs: vec![Spec::id()] };
        let mut path =
            Path { seen: Vec::new(), limits: FxHashMap::default(), depth: 0, all: &all, wild: FxHashMap::default() };
        self.pulled(pattern, e, &mut path)
    }

    fn pulled(&self, pattern: &Pattern, e: u32, path: &mut Path) -> Result<Edn> {
        if path.depth >= MAX_DEPTH / 4 {
            let message = format!("A pull nested deeper than {}", MAX_DEPTH / 4);
            return Err(QueryError::new(ErrorKind::Other("pull/depth"), message));
        }
        path.depth += 1;
        let mut out: Vec<(Edn, Edn)> = Vec::with_capacity(pattern.specs.len());
        let mut scratch = Vec::new();
        for spec in &pattern.specs {
            let v = self.spec(spec, pattern, e, path, &mut scratch)?;
            if !v.is_nil() {
                out.push((spec.key.clone(), v));
            }
        }
        if pattern.wildcard {
            for a in self.lineage().by_name().iter() {
                let name = self.attr_name(*a);
                if pattern.specs.iter().any(|s| s.name == *name) || self.first_value(e, *a).is_none() {
                    continue;
                }
                let spec = match path.wild.get(a) {
                    Some(spec) => spec.clone(),
                    None => {
                        let spec = Rc::new(Spec::parse(self, name, None, name, None)?);
                        path.wild.insert(*a, spec.clone());
                        spec
                    }
                };
                let v = self.spec(&spec, path.all, e, path, &mut scratch)?;
                if !v.is_nil() {
                    out.push((name.clone(), v));
                }
            }
        }
        path.depth -= 1;
        // The id alone is an answer only where it was asked for alone.
        if out.is_empty() { Ok(Edn::Nil) } else { Ok(Edn::Map(out.into())) }
    }

    fn spec(&self, spec: &Spec, pattern: &Pattern, e: u32, path: &mut Path, scratch: &mut Vec<Word>) -> Result<Edn> {
        let none =
            |spec: &Spec| if spec.default.is_nil() { spec.transformed(Edn::Nil) } else { Ok(spec.default.clone()) };
        match &spec.kind {
            Kind::Id => spec.transformed(Edn::Int(e.into())),
            Kind::Value { many: false } => match spec.a.and_then(|a| self.first_value(e, a)) {
                Some(w) => spec.transformed(self.value(w)),
                None => none(spec),
            },
            Kind::Value { many: true } => {
                scratch.clear();
                if let Some(a) = spec.a {
                    self.each_fact(e, a, |f| scratch.push(f.v));
                }
                if scratch.is_empty() {
                    return none(spec);
                }
                scratch.sort_by(|x, y| self.lineage().compare(*x, *y));
                scratch.truncate(spec.limit.unwrap_or(usize::MAX));
                let values: Vec<Edn> = scratch.iter().map(|w| self.value(*w)).collect();
                spec.transformed(Edn::vector(values))
            }
            Kind::Ref { many, reverse, guarded, inner } => {
                let mut targets: Vec<u32> = Vec::new();
                match spec.a {
                    None => {}
                    Some(a) if *reverse => self.entities_with(a, Word::entity(e), &mut targets),
                    Some(a) => self.each_fact(e, a, |f| targets.extend(f.v.as_entity())),
                }
                if targets.is_empty() {
                    return none(spec);
                }
                if !many {
                    let v = self.follow(spec, pattern, targets[0], *guarded, inner, path)?;
                    return if v.is_nil() { Ok(Edn::Nil) } else { spec.transformed(v) };
                }
                let mut values: Vec<Edn> = Vec::with_capacity(targets.len().min(spec.limit.unwrap_or(usize::MAX)));
                for t in targets {
                    if spec.limit.is_some_and(|l| values.len() >= l) {
                        break;
                    }
                    let v = self.follow(spec, pattern, t, *guarded, inner, path)?;
                    if !v.is_nil() {
                        values.push(v);
                    }
                }
                spec.transformed(if values.is_empty() { Edn::Nil } else { Edn::vector(values) })
            }
        }
    }

    /// What is wanted of an entity that is referred to.
    fn follow(
        &self,
        spec: &Spec,
        pattern: &Pattern,
        e: u32,
        guarded: bool,
        inner: &Inner,
        path: &mut Path,
    ) -> Result<Edn> {
        let only_id = || Edn::Map([(Edn::keyword("db/id"), Edn::Int(e.into()))].into());
        if !guarded {
            return match inner {
                Inner::Pattern(p) => self.pulled(p, e, path),
                _ => Ok(only_id()),
            };
        }
        if path.seen.contains(&e) {
            return Ok(only_id());
        }
        let key: *const Spec = spec;
        let before = path.limits.get(&key).copied();
        if let Inner::Again(Some(limit)) = inner {
            match before.unwrap_or(*limit) {
                0 => return Ok(Edn::Nil),
                left => path.limits.insert(key, left - 1),
            };
        }
        path.seen.push(e);
        let all = path.all;
        let result = match inner {
            Inner::Pattern(p) => self.pulled(p, e, path),
            Inner::Again(_) => self.pulled(pattern, e, path),
            Inner::All | Inner::Id => self.pulled(all, e, path),
        };
        path.seen.pop();
        match before {
            Some(n) => path.limits.insert(key, n),
            None => path.limits.remove(&key),
        };
        result
    }
}

impl Pattern {
    /// True if all its attributes are known, and it has no function of the host.
    fn is_complete(&self) -> bool {
        self.specs.iter().all(|s| {
            !matches!(s.xform, Some(Func::Host(_)))
                && (s.a.is_some() || matches!(s.kind, Kind::Id))
                && match &s.kind {
                    Kind::Ref { inner: Inner::Pattern(p), .. } => p.is_complete(),
                    _ => true,
                }
        })
    }
}
