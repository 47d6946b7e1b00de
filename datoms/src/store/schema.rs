//! What is said of attributes beforehand: cardinality, uniqueness, references, components, indexes, tuples, types.

use super::pool::{AttrId, Lineage};
use crate::edn::Edn;
use crate::query::{ErrorKind, QueryError};
use crate::value::{Word, kind};
use rustc_hash::FxHashMap;
use std::sync::atomic::{AtomicU64, Ordering};

type Result<T> = std::result::Result<T, QueryError>;

/// How values of an attribute tell entities apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unique {
    /// A value belongs to one entity.
    Value,
    /// The same, and a new entity with such a value is that entity.
    Identity,
}

/// A type that values of an attribute must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueType {
    /// An entity.
    Ref,
    /// An integer of 64 bits.
    Long,
    /// Any integer.
    BigInt,
    /// A double.
    Double,
    /// A decimal number.
    BigDec,
    /// Any number.
    Number,
    /// A string.
    Str,
    /// A truth value.
    Bool,
    /// A keyword.
    Keyword,
    /// A symbol.
    Symbol,
    /// An instant.
    Instant,
    /// A UUID.
    Uuid,
    /// A vector.
    Tuple,
}

const TYPES: [(&str, ValueType); 15] = [
    ("ref", ValueType::Ref),
    ("long", ValueType::Long),
    ("bigint", ValueType::BigInt),
    ("double", ValueType::Double),
    ("float", ValueType::Double),
    ("bigdec", ValueType::BigDec),
    ("number", ValueType::Number),
    ("string", ValueType::Str),
    ("boolean", ValueType::Bool),
    ("keyword", ValueType::Keyword),
    ("symbol", ValueType::Symbol),
    ("instant", ValueType::Instant),
    ("uuid", ValueType::Uuid),
    ("tuple", ValueType::Tuple),
    ("uri", ValueType::Str),
];

impl ValueType {
    /// Whether a value has the type.
    pub fn admits(self, v: &Edn) -> bool {
        match self {
            ValueType::Ref => v.as_int().is_some(),
            ValueType::Long => matches!(v, Edn::Int(_)),
            ValueType::BigInt => matches!(v, Edn::Int(_) | Edn::BigInt(_)),
            ValueType::Double => matches!(v, Edn::Float(_)),
            ValueType::BigDec => matches!(v, Edn::Decimal(_)),
            ValueType::Number => v.is_number(),
            ValueType::Str => matches!(v, Edn::Str(_)),
            ValueType::Bool => matches!(v, Edn::Bool(_)),
            ValueType::Keyword => matches!(v, Edn::Keyword(_)),
            ValueType::Symbol => matches!(v, Edn::Symbol(_)),
            ValueType::Instant => matches!(v, Edn::Inst(_)),
            ValueType::Uuid => matches!(v, Edn::Uuid(_)),
            ValueType::Tuple => matches!(v, Edn::Vector(_) | Edn::List(_)),
        }
    }

    fn name(self) -> &'static str {
        TYPES.iter().find(|(_, t)| *t == self).map_or("", |(n, _)| n)
    }
}

/// What is known of one attribute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Props {
    /// An entity can have several values.
    pub many: bool,
    /// Values are entities.
    pub is_ref: bool,
    /// Values are parts of the entity.
    pub component: bool,
    /// Values tell entities apart.
    pub unique: Option<Unique>,
    /// Values can be looked up in order: declared, unique, reference or tuple.
    pub indexed: bool,
    /// Values are made from those of other attributes.
    pub tuple: bool,
    /// Values go into those of a tuple attribute.
    pub tuple_part: bool,
    /// Values have a type.
    pub of_type: Option<ValueType>,
}

/// A tuple attribute and the attributes whose values it holds.
#[derive(Clone, Debug)]
pub struct Tuple {
    /// The attribute.
    pub attr: AttrId,
    /// Its parts, in order.
    pub parts: Vec<AttrId>,
}

/// A checked schema.
#[derive(Clone, Debug)]
pub struct Schema {
    number: u64,
    form: Edn,
    props: Vec<Props>,
    refs: Vec<AttrId>,
    tuples: Vec<Tuple>,
    /// Tuples by the attribute of a part.
    tuples_of: FxHashMap<AttrId, Vec<usize>>,
}

fn bad(message: String, form: &Edn) -> QueryError {
    QueryError::at(ErrorKind::Other("schema/validation"), message, form)
}

/// The value of a key that must be one of some keywords.
fn choice(attr: &Edn, spec: &Edn, key: &str, allowed: &[&str]) -> Result<Option<String>> {
    match spec.get_kw(key) {
        None | Some(Edn::Nil) => Ok(None),
        Some(Edn::Keyword(k)) if allowed.contains(&k.as_str()) => Ok(Some(k.as_str().to_string())),
        Some(v) => {
            let all: Vec<String> = allowed.iter().map(|a| format!(":{a}")).collect();
            Err(bad(
                format!("Bad attribute specification for {{{attr} {{:{key} {v}}}}}, expected one of {}", all.join(" ")),
                v,
            ))
        }
    }
}

fn truth(attr: &Edn, spec: &Edn, key: &str) -> Result<bool> {
    match spec.get_kw(key) {
        None | Some(Edn::Nil) => Ok(false),
        Some(Edn::Bool(b)) => Ok(*b),
        Some(v) => Err(bad(
            format!("Bad attribute specification for {{{attr} {{:{key} {v}}}}}, expected one of #{{true false}}"),
            v,
        )),
    }
}

impl Schema {
    /// Checks a schema: a map from attribute to a map of its properties, or a sequence of maps with `:db/ident`.
    ///
    /// Errors have the class `:schema/validation`.
    pub fn parse(form: &Edn, lineage: &Lineage) -> Result<Self> {
        let from_list;
        let (form, pairs): (Edn, &[(Edn, Edn)]) = match form {
            Edn::Nil => (Edn::Nil, &[]),
            Edn::Map(m) => (form.clone(), m),
            Edn::List(items) | Edn::Vector(items) => {
                let mut out = Vec::new();
                for item in items.iter() {
                    let ident = item
                        .get_kw("db/ident")
                        .ok_or_else(|| bad(format!("An attribute of a schema needs :db/ident, got {item}"), item))?;
                    let rest = item.as_map().unwrap_or(&[]).iter().filter(|(k, _)| *k != Edn::keyword("db/ident"));
                    out.push((ident.clone(), Edn::map(rest.cloned())));
                }
                from_list = Edn::map(out);
                (from_list.clone(), from_list.as_map().unwrap_or(&[]))
            }
            _ => return Err(bad(format!("A schema is a map, got {form}"), form)),
        };
        let mut named: Vec<(AttrId, Props)> = Vec::new();
        let mut tuples: Vec<Tuple> = Vec::new();
        for (attr, spec) in pairs {
            if !matches!(attr, Edn::Keyword(_) | Edn::Str(_)) {
                return Err(bad(format!("An attribute is a keyword or a string, got {attr}"), attr));
            }
            let mut p = Props::default();
            if spec.as_map().is_none() && !spec.is_nil() {
                return Err(bad(format!("Bad attribute specification for {attr}: expected a map, got {spec}"), spec));
            }
            let cardinality = choice(attr, spec, "db/cardinality", &["db.cardinality/one", "db.cardinality/many"])?;
            p.many = cardinality.as_deref() == Some("db.cardinality/many");
            let unique = choice(attr, spec, "db/unique", &["db.unique/value", "db.unique/identity"])?;
            p.unique = unique.map(|u| if u == "db.unique/identity" { Unique::Identity } else { Unique::Value });
            let types: Vec<String> = TYPES.iter().map(|(n, _)| format!("db.type/{n}")).collect();
            let types: Vec<&str> = types.iter().map(String::as_str).collect();
            let of_type = choice(attr, spec, "db/valueType", &types)?;
            p.of_type =
                of_type.and_then(|t| TYPES.iter().find(|(n, _)| t.strip_prefix("db.type/") == Some(n))).map(|t| t.1);
            p.is_ref = p.of_type == Some(ValueType::Ref);
            p.component = truth(attr, spec, "db/isComponent")?;
            if p.component && !p.is_ref {
                return Err(bad(
                    format!(
                        "Bad attribute specification for {attr}: {{:db/isComponent true}} should also have \
                         {{:db/valueType :db.type/ref}}"
                    ),
                    spec,
                ));
            }
            let index = truth(attr, spec, "db/index")?;
            let a = lineage.intern(attr);
            if let Some(parts) = spec.get_kw("db/tupleAttrs") {
                p.tuple = true;
                if p.many {
                    return Err(bad(format!("{attr} has :db/tupleAttrs, must be :db.cardinality/one"), spec));
                }
                let Some(items) = parts.as_seq() else {
                    let message = format!("{attr} :db/tupleAttrs must be a sequential collection, got: {parts}");
                    return Err(bad(message, parts));
                };
                if items.is_empty() {
                    return Err(bad(format!("{attr} :db/tupleAttrs can’t be empty"), parts));
                }
                for part in items {
                    let of = pairs.iter().find(|(k, _)| k == part).map(|(_, s)| s);
                    if of.is_some_and(|s| s.get_kw("db/tupleAttrs").is_some()) {
                        let message = format!("{attr} :db/tupleAttrs can’t depend on another tuple attribute: {part}");
                        return Err(bad(message, part));
                    }
                    let many = |s: &Edn| s.get_kw("db/cardinality") == Some(&Edn::keyword("db.cardinality/many"));
                    if of.is_some_and(many) {
                        let message =
                            format!("{attr} :db/tupleAttrs can’t depend on :db.cardinality/many attribute: {part}");
                        return Err(bad(message, part));
                    }
                    if !matches!(part, Edn::Keyword(_) | Edn::Str(_)) {
                        return Err(bad(format!("{attr} :db/tupleAttrs holds {part}, no attribute"), part));
                    }
                }
                tuples.push(Tuple { attr: a, parts: items.iter().map(|p| lineage.intern(p)).collect() });
            }
            p.indexed = index || p.unique.is_some() || p.is_ref || p.tuple;
            named.push((a, p));
        }
        let ident = lineage.intern(&Edn::keyword("db/ident"));
        if named.iter().all(|(a, _)| *a != ident) {
            named.push((ident, Props { unique: Some(Unique::Identity), indexed: true, ..Props::default() }));
        }
        let mut tuples_of: FxHashMap<AttrId, Vec<usize>> = FxHashMap::default();
        for (i, t) in tuples.iter().enumerate() {
            for part in &t.parts {
                let of = tuples_of.entry(*part).or_default();
                if !of.contains(&i) {
                    of.push(i);
                }
            }
        }
        let len = named.iter().map(|(a, _)| *a).chain(tuples_of.keys().copied()).max().map_or(0, |a| a as usize + 1);
        let mut props = vec![Props::default(); len];
        for (a, p) in &named {
            props[*a as usize] = *p;
        }
        for part in tuples_of.keys() {
            props[*part as usize].tuple_part = true;
        }
        let refs = named.iter().filter(|(_, p)| p.is_ref).map(|(a, _)| *a).collect();
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Ok(Self { number, form, props, refs, tuples, tuples_of })
    }

    /// A number that no other schema of this process has.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// The schema as it was given.
    pub fn form(&self) -> &Edn {
        &self.form
    }

    /// What is known of an attribute.
    #[inline]
    pub fn props(&self, a: AttrId) -> Props {
        self.props.get(a as usize).copied().unwrap_or_default()
    }

    /// The attributes whose values are entities.
    pub fn refs(&self) -> &[AttrId] {
        &self.refs
    }

    /// The tuple attributes that an attribute goes into.
    pub fn tuples_of(&self, a: AttrId) -> impl Iterator<Item = &Tuple> {
        self.tuples_of.get(&a).into_iter().flatten().map(|i| &self.tuples[*i])
    }

    /// The tuple of a tuple attribute.
    pub fn tuple(&self, a: AttrId) -> Option<&Tuple> {
        self.tuples.iter().find(|t| t.attr == a)
    }

    /// Checks a value against the type of its attribute; references are checked where they are resolved.
    pub fn check_type(&self, a: AttrId, v: &Edn, lineage: &Lineage) -> Result<()> {
        match self.props(a).of_type {
            Some(t) if t != ValueType::Ref && !t.admits(v) => Err(QueryError::at(
                ErrorKind::Other("transact/type"),
                format!("Value {v} of {} is not of its type :db.type/{}", lineage.name(a), t.name()),
                v,
            )),
            _ => Ok(()),
        }
    }
}

/// True if words of this kind sort in words as they do as values, also beside each other.
pub fn sorts_by_word(w: Word) -> bool {
    matches!(w.kind(), kind::BOOL | kind::CHAR | kind::INT | kind::INST)
}
