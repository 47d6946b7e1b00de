//! The orders of a database: by entity, by attribute, by value.

use super::column::Col;
use super::db::{Database, Datom, Result};
use super::pool::AttrId;
use crate::edn::Edn;
use crate::query::{ErrorKind, QueryError};
use crate::value::Word;
use std::cmp::Ordering;

/// An order of datoms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Index {
    /// By entity, attribute, value.
    Eavt,
    /// By attribute, entity, value.
    Aevt,
    /// By attribute, value, entity; only attributes that are indexed, unique, references or tuples.
    Avet,
    /// By value, attribute, entity; only references.
    Vaet,
}

impl Index {
    /// From its keyword, such as `:eavt`.
    pub fn parse(name: &Edn) -> Result<Self> {
        match name.as_keyword().map(|k| k.as_str()) {
            Some("eavt") => Ok(Index::Eavt),
            Some("aevt") => Ok(Index::Aevt),
            Some("avet") => Ok(Index::Avet),
            Some("vaet") => Ok(Index::Vaet),
            _ => Err(QueryError::at(
                ErrorKind::Other("index/unknown"),
                format!("Expected :eavt, :aevt, :avet or :vaet, got {name}"),
                name,
            )),
        }
    }
}

/// Components of an index, resolved.
#[derive(Clone, Debug, Default)]
struct Components {
    e: Option<u32>,
    a: Option<Edn>,
    v: Option<Edn>,
    t: Option<u32>,
}

impl Database {
    fn components(&self, index: Index, given: &[Edn]) -> Result<Components> {
        let at = |i: usize| given.get(i).filter(|x| !x.is_nil());
        let (e, a, v) = match index {
            Index::Eavt => (at(0), at(1), at(2)),
            Index::Aevt => (at(1), at(0), at(2)),
            Index::Avet => (at(2), at(0), at(1)),
            Index::Vaet => (at(2), at(1), at(0)),
        };
        let mut out = Components { a: a.cloned(), ..Components::default() };
        if let Some(e) = e {
            out.e = Some(self.entid_strict(e)?);
        }
        if let Some(a) = a
            && !matches!(a, Edn::Keyword(_) | Edn::Str(_))
        {
            let message = format!("Bad entity attribute {a}, expected keyword or string");
            return Err(QueryError::at(ErrorKind::Other("transact/syntax"), message, a));
        }
        let is_ref = index == Index::Vaet || a.and_then(|a| self.attr_id(a)).is_some_and(|a| self.props(a).is_ref);
        out.v = match v {
            Some(v) if is_ref => Some(Edn::Int(self.entid_strict(v)?.into())),
            v => v.cloned(),
        };
        if let Some(t) = at(3) {
            out.t = t.as_int().and_then(|t| u32::try_from(t).ok());
        }
        if index == Index::Avet
            && let Some(name) = &out.a
            && !self.attr_id(name).is_some_and(|a| self.props(a).indexed)
        {
            return Err(QueryError::at(
                ErrorKind::Other("index-access"),
                format!("Attribute {name} should be marked as :db/index true"),
                name,
            ));
        }
        Ok(out)
    }

    fn rows(&self, a: AttrId, rows: impl Iterator<Item = usize>, out: &mut Vec<Datom>) {
        let col = self.col(a);
        out.extend(rows.map(|i| datom(col, a, i)));
    }

    /// The rows of an entity and attribute in the order of values.
    fn rows_of(&self, e: u32, a: AttrId, out: &mut Vec<Datom>) {
        let from = out.len();
        self.each_fact(e, a, |f| out.push(Datom { e: f.e, a, v: f.v, t: f.t, m: f.m }));
        if out.len() > from + 1 {
            out[from..].sort_by(|x, y| self.lineage().compare(x.v, y.v));
        }
    }

    /// Attributes of an index in order.
    fn index_attrs(&self, index: Index) -> Vec<AttrId> {
        let all = self.lineage().by_name();
        let keep = |a: &&AttrId| match index {
            Index::Eavt | Index::Aevt => true,
            Index::Avet => self.props(**a).indexed,
            Index::Vaet => self.props(**a).is_ref,
        };
        all.iter().filter(keep).copied().collect()
    }

    /// All datoms of an index that have the given components, in its order.
    ///
    /// # Errors
    /// Those of [`entid_strict`](Self::entid_strict), and `:index-access` where an attribute is not in `:avet`.
    pub fn datoms(&self, index: Index, components: &[Edn]) -> Result<Vec<Datom>> {
        let mut out = Vec::new();
        // An entity's value is the commonest question.
        if let (Index::Eavt, [e @ Edn::Int(_), a], false) = (index, components, self.is_history()) {
            let e = self.entid_strict(e)?;
            if let Some(a) = self.attr_id(a) {
                self.rows_of(e, a, &mut out);
            }
            return Ok(out);
        }
        let c = self.components(index, components)?;
        if self.is_history() {
            return Ok(self.past_datoms(index, &c));
        }
        let attr = c.a.as_ref().map(|a| self.attr_id(a));
        let value = match &c.v {
            None => None,
            Some(v) => match self.lineage().dict.word(v) {
                Some(w) => Some(w),
                None => return Ok(out),
            },
        };
        let attrs: Vec<AttrId> = match attr {
            Some(a) => a.into_iter().collect(),
            None => self.index_attrs(index),
        };
        match (index, c.e) {
            (_, Some(e)) => attrs.iter().for_each(|a| self.rows_of(e, *a, &mut out)),
            (Index::Eavt, None) if attr.is_none() => self.by_entity(&attrs, 0, &mut out),
            (Index::Eavt | Index::Aevt, None) => attrs.iter().for_each(|a| self.in_value_order(*a, &mut out)),
            (Index::Avet | Index::Vaet, None) => {
                for a in &attrs {
                    let col = self.col(*a);
                    match value {
                        Some(w) if col.len() > 0 => {
                            let p = col.by_value();
                            self.rows(*a, p[col.value_range(w)].iter().map(|i| *i as usize), &mut out);
                        }
                        Some(_) => {}
                        None if col.len() > 0 => {
                            self.rows(*a, col.by_order(self.lineage()).iter().map(|i| *i as usize), &mut out);
                        }
                        None => {}
                    }
                }
            }
        }
        if let Some(w) = value {
            out.retain(|d| d.v == w);
        }
        if let Some(t) = c.t {
            out.retain(|d| d.t == t);
        }
        if index == Index::Vaet {
            out.sort_by(|x, y| self.cmp(index, x, y));
        }
        Ok(out)
    }

    /// A whole column, values of one entity in the order of values.
    fn in_value_order(&self, a: AttrId, out: &mut Vec<Datom>) {
        let from = out.len();
        let col = self.col(a);
        self.rows(a, 0..col.len(), out);
        if self.props(a).many {
            let rows = &mut out[from..];
            let mut i = 0;
            while i < rows.len() {
                let n = rows[i..].iter().take_while(|d| d.e == rows[i].e).count();
                rows[i..i + n].sort_by(|x, y| self.lineage().compare(x.v, y.v));
                i += n;
            }
        }
    }

    /// Everything from an entity on, by entity.
    fn by_entity(&self, attrs: &[AttrId], from: u32, out: &mut Vec<Datom>) {
        let cols: Vec<(AttrId, &Col)> = attrs.iter().map(|a| (*a, self.col(*a))).collect();
        let mut at: Vec<usize> = cols.iter().map(|(_, c)| c.e.partition_point(|e| *e < from)).collect();
        let total: usize = cols.iter().zip(&at).map(|((_, c), at)| c.len() - at).sum();
        out.reserve(total);
        let mut next = cols.iter().zip(&at).filter_map(|((_, c), at)| c.e.get(*at).copied()).min();
        while let Some(e) = next {
            next = None;
            for ((a, c), at) in cols.iter().zip(&mut at) {
                let start = out.len();
                while c.e.get(*at) == Some(&e) {
                    out.push(datom(c, *a, *at));
                    *at += 1;
                }
                if out.len() > start + 1 {
                    out[start..].sort_by(|x, y| self.lineage().compare(x.v, y.v));
                }
                if let Some(x) = c.e.get(*at) {
                    next = Some(next.map_or(*x, |n: u32| n.min(*x)));
                }
            }
        }
    }

    /// The order of an index.
    fn cmp(&self, index: Index, x: &Datom, y: &Datom) -> Ordering {
        let l = self.lineage();
        let attr = || if x.a == y.a { Ordering::Equal } else { l.name(x.a).cmp(l.name(y.a)) };
        let value = || l.compare(x.v, y.v);
        match index {
            Index::Eavt => x.e.cmp(&y.e).then_with(attr).then_with(value),
            Index::Aevt => attr().then(x.e.cmp(&y.e)).then_with(value),
            Index::Avet => attr().then_with(value).then(x.e.cmp(&y.e)),
            Index::Vaet => value().then_with(attr).then(x.e.cmp(&y.e)),
        }
        .then((x.t, x.m == 0).cmp(&(y.t, y.m == 0)))
    }

    fn past_datoms(&self, index: Index, c: &Components) -> Vec<Datom> {
        let attrs: Vec<AttrId> = match &c.a {
            Some(a) => self.attr_id(a).into_iter().collect(),
            None => self.index_attrs(index),
        };
        let mut out: Vec<Datom> = attrs.iter().flat_map(|a| self.past_of(*a)).collect();
        out.retain(|d| {
            c.e.is_none_or(|e| d.e == e)
                && c.v.as_ref().is_none_or(|v| self.value(d.v) == *v)
                && c.t.is_none_or(|t| d.t == t)
        });
        out.sort_by(|x, y| self.cmp(index, x, y));
        out
    }

    /// How a datom compares to components; what is not given compares equal.
    fn against(&self, index: Index, d: &Datom, c: &Components) -> Ordering {
        let e = || c.e.map_or(Ordering::Equal, |e| d.e.cmp(&e));
        let a = || c.a.as_ref().map_or(Ordering::Equal, |a| self.attr_name(d.a).cmp(a));
        let v = || match &c.v {
            None => Ordering::Equal,
            Some(v) => {
                let x = self.value(d.v);
                x.compare_numbers(v).unwrap_or_else(|| x.cmp(v))
            }
        };
        match index {
            Index::Eavt => e().then_with(a).then_with(v),
            Index::Aevt => a().then_with(e).then_with(v),
            Index::Avet => a().then_with(v).then_with(e),
            Index::Vaet => v().then_with(a).then_with(e),
        }
    }

    /// All datoms of an index from the given components on, to the end of the index.
    pub fn seek_datoms(&self, index: Index, components: &[Edn]) -> Result<Vec<Datom>> {
        let c = self.components(index, components)?;
        let mut all = Vec::new();
        match (index, c.e, self.is_history()) {
            (Index::Eavt, Some(e), false) => self.by_entity(&self.index_attrs(index), e, &mut all),
            (Index::Aevt | Index::Avet, _, false) if c.a.is_some() => {
                // Attributes before the first are not looked at.
                for a in self.index_attrs(index) {
                    if c.a.as_ref().is_some_and(|name| self.attr_name(a) < name) {
                        continue;
                    }
                    match index {
                        Index::Aevt => self.in_value_order(a, &mut all),
                        _ => {
                            let col = self.col(a);
                            if col.len() > 0 {
                                self.rows(a, col.by_order(self.lineage()).iter().map(|i| *i as usize), &mut all);
                            }
                        }
                    }
                }
            }
            _ => all = self.datoms(index, &[])?,
        }
        let from = all.partition_point(|d| self.against(index, d, &c).is_lt());
        all.drain(..from);
        Ok(all)
    }

    /// All datoms of an index from the given components back to its beginning.
    pub fn rseek_datoms(&self, index: Index, components: &[Edn]) -> Result<Vec<Datom>> {
        let c = self.components(index, components)?;
        let mut all = self.datoms(index, &[])?;
        let to = all.partition_point(|d| self.against(index, d, &c).is_le());
        all.truncate(to);
        all.reverse();
        Ok(all)
    }

    /// The datoms of an attribute whose values lie between two, both included; `nil` leaves a side open.
    ///
    /// # Errors
    /// `:index-access` if the attribute is not in `:avet`.
    pub fn index_range(&self, attr: &Edn, start: &Edn, end: &Edn) -> Result<Vec<Datom>> {
        let low = self.components(Index::Avet, &[attr.clone(), start.clone()])?;
        let high = self.components(Index::Avet, &[attr.clone(), end.clone()])?;
        let Some(a) = self.attr_id(attr) else { return Ok(Vec::new()) };
        if self.is_history() {
            let mut all = self.past_datoms(Index::Avet, &Components { a: low.a.clone(), ..Components::default() });
            all.retain(|d| self.against(Index::Avet, d, &low).is_ge() && self.against(Index::Avet, d, &high).is_le());
            return Ok(all);
        }
        let col = self.col(a);
        if col.len() == 0 {
            return Ok(Vec::new());
        }
        let p = col.by_order(self.lineage());
        let at = |i: &u32| col.v[*i as usize];
        let from = match &low.v {
            None => 0,
            Some(v) => p.partition_point(|i| self.compare_to(at(i), v).is_lt()),
        };
        let to = match &high.v {
            None => p.len(),
            Some(v) => p.partition_point(|i| self.compare_to(at(i), v).is_le()),
        };
        let mut out = Vec::with_capacity(to.saturating_sub(from));
        self.rows(a, p[from..to.max(from)].iter().map(|i| *i as usize), &mut out);
        Ok(out)
    }

    /// A word against a value, numbers by size.
    fn compare_to(&self, w: Word, v: &Edn) -> Ordering {
        if let (Some(x), Edn::Int(y)) = (w.as_int(), v) {
            return x.cmp(y);
        }
        let x = self.value(w);
        x.compare_numbers(v).unwrap_or_else(|| x.cmp(v))
    }
}

fn datom(col: &Col, a: AttrId, i: usize) -> Datom {
    Datom { e: col.e[i], a, v: col.v[i], t: col.t[i], m: col.m.get(i).copied().unwrap_or(1) }
}
