//! Entities: the facts of one thing, looked at one attribute at a time.

use super::db::{Database, Result};
use super::tx::reversed;
use crate::edn::Edn;
use crate::value::Word;
use std::cell::RefCell;
use std::fmt;

/// A thing in a database. Attributes are read when they are first asked for, and kept.
///
/// Two entities are equal if their ids are and their databases are the same value.
#[derive(Clone)]
pub struct Entity {
    db: Database,
    e: u32,
    read: RefCell<Vec<(Edn, Attr)>>,
}

/// What an entity has under an attribute.
#[derive(Clone, Debug, PartialEq)]
pub enum Attr {
    /// One value.
    One(Edn),
    /// The values of a many-valued attribute, in order.
    Many(Vec<Edn>),
    /// The entity that is referred to.
    Ref(Entity),
    /// The entities that are referred to, or that refer to this one.
    Refs(Vec<Entity>),
}

impl PartialEq for Entity {
    fn eq(&self, other: &Self) -> bool {
        self.e == other.e && self.db.is_same(&other.db)
    }
}

impl fmt::Debug for Entity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{:db/id {}}}", self.e)
    }
}

impl Attr {
    /// As data: references are `{:db/id n}`, several values are a set.
    pub fn to_edn(&self) -> Edn {
        match self {
            Attr::One(v) => v.clone(),
            Attr::Many(vs) => Edn::Set(vs.clone().into()),
            Attr::Ref(e) => e.id_edn(),
            Attr::Refs(es) => Edn::Set(es.iter().map(Entity::id_edn).collect()),
        }
    }
}

impl Database {
    /// The entity of a number, lookup ref or ident; `None` if there is none or nothing is known of it.
    ///
    /// # Errors
    /// Those of [`entid`](Self::entid) for a lookup ref that cannot be one.
    pub fn entity(&self, id: &Edn) -> Result<Option<Entity>> {
        if !matches!(id, Edn::Int(_) | Edn::Vector(_) | Edn::List(_) | Edn::Keyword(_)) {
            return Ok(None);
        }
        let e = match id {
            Edn::Int(i) if *i <= 0 => None,
            _ => self.entid(id)?,
        };
        Ok(e.filter(|e| self.has_entity(*e)).map(|e| self.entity_at(e)))
    }

    fn entity_at(&self, e: u32) -> Entity {
        Entity { db: self.clone(), e, read: RefCell::default() }
    }
}

impl Entity {
    /// Its id.
    pub fn id(&self) -> u32 {
        self.e
    }

    /// The database it belongs to.
    pub fn db(&self) -> &Database {
        &self.db
    }

    fn id_edn(&self) -> Edn {
        Edn::map([(Edn::keyword("db/id"), Edn::Int(self.e.into()))])
    }

    /// What it has under an attribute; `:ns/_attr` gives what refers to it.
    pub fn get(&self, name: &Edn) -> Option<Attr> {
        if *name == Edn::keyword("db/id") {
            return Some(Attr::One(Edn::Int(self.e.into())));
        }
        if let Some((_, found)) = self.read.borrow().iter().find(|(n, _)| n == name) {
            return Some(found.clone());
        }
        let found = self.look(name)?;
        self.read.borrow_mut().push((name.clone(), found.clone()));
        Some(found)
    }

    fn look(&self, name: &Edn) -> Option<Attr> {
        let db = &self.db;
        if let Some(straight) = reversed(name) {
            let a = db.attr_id(&straight)?;
            let mut found = Vec::new();
            db.entities_with(a, Word::entity(self.e), &mut found);
            let first = *found.first()?;
            return Some(if db.props(a).component {
                Attr::Ref(db.entity_at(first))
            } else {
                Attr::Refs(found.into_iter().map(|e| db.entity_at(e)).collect())
            });
        }
        let a = db.attr_id(name)?;
        let p = db.props(a);
        let mut words: Vec<Word> = Vec::new();
        db.each_fact(self.e, a, |f| words.push(f.v));
        let first = *words.first()?;
        let known = |w: &Word| w.as_entity().filter(|e| db.has_entity(*e)).map(|e| db.entity_at(e));
        Some(match (p.is_ref, p.many) {
            (true, true) => Attr::Refs(words.iter().filter_map(known).collect()),
            (true, false) => Attr::Ref(known(&first)?),
            (false, true) => {
                words.sort_by(|x, y| db.lineage().compare(*x, *y));
                Attr::Many(words.iter().map(|w| db.value(*w)).collect())
            }
            (false, false) => Attr::One(db.value(first)),
        })
    }

    /// The names of its attributes, in order, without `:db/id`.
    pub fn keys(&self) -> Vec<Edn> {
        let order = self.db.lineage().by_name();
        order
            .iter()
            .filter(|a| self.db.first_value(self.e, **a).is_some())
            .map(|a| self.db.attr_name(*a).clone())
            .collect()
    }

    /// All its attributes as a map with `:db/id`; references are `{:db/id n}`.
    pub fn touch(&self) -> Edn {
        let id = (Edn::keyword("db/id"), Edn::Int(self.e.into()));
        let rest = self.keys().into_iter().filter_map(|k| self.get(&k).map(|v| (k, v.to_edn())));
        Edn::map(std::iter::once(id).chain(rest))
    }
}
