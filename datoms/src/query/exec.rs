//! The engine: clauses in the order that the data suggests, a column at a time.
//!
//! There is no separate plan. After each step the number of rows is known exactly, and counts in sorted columns cost a
//! search, so the next clause is chosen when it is needed: the one that leaves the fewest rows. Each step takes a
//! [`Batch`] and makes another. Variables that nobody needs any more are dropped on the way, and a place that binds
//! such a variable only asks whether there is any value.
//!
//! Patterns with a constant attribute run over the arrays of their source: an entity that is known is found by position
//! where entities are dense, by walking along where they come sorted, by search otherwise; a value that is known is
//! found in the permutation by value. Two patterns that bind the same value from known entities intersect their sorted
//! lists, which is the step of a worst-case-optimal join. Everything else scans its source.

use super::batch::{Batch, Col, distinct_rows};
use super::env::Env;
use super::error::{ErrorKind, QueryError};
use super::func::{Cmp, Func};
use super::ir::*;
use super::lower::Program;
use super::rows::value_range;
use super::rules::Tables;
use crate::edn::{Edn, Symbol};
use crate::source::Column;
use crate::value::{Word, kind};
use rustc_hash::FxHashMap;
use std::borrow::Cow;
use std::cell::{Cell, RefCell};

pub(super) type Result<T> = std::result::Result<T, QueryError>;

/// A set of variables; those from 127 on share the last bit and are never dropped.
pub type Mask = u128;

/// The set of one variable.
#[inline]
pub fn bit(v: Var) -> Mask {
    1 << v.min(127)
}

/// The set of some variables.
pub fn mask(vars: &[Var]) -> Mask {
    vars.iter().fold(0, |m, v| m | bit(*v))
}

/// One step of a query as it went.
#[derive(Clone, Debug)]
pub struct Step {
    /// The clause.
    pub form: Edn,
    /// How many rows were expected after it; negative if nobody asked.
    pub estimated: f64,
    /// How many rows there were before it.
    pub rows_in: usize,
    /// How many there were after it.
    pub rows_out: usize,
    /// How deep in rules and negations it ran.
    pub depth: usize,
}

/// A query being run.
pub struct Exec<'e, 's> {
    pub(super) env: &'e Env<'s>,
    pub(super) program: &'e Program,
    /// True if clauses run as written.
    pub(super) written: bool,
    pub(super) tables: RefCell<Tables>,
    pub(super) depth: Cell<usize>,
    steps: Option<RefCell<Vec<Step>>>,
}

/// What stands in a place of a pattern, seen from a batch.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Slot {
    /// Anything, and nobody asks what.
    Any,
    Const(Word),
    Bound(Var),
    Free(Var),
}

impl<'e, 's> Exec<'e, 's> {
    /// Over an environment and its rules.
    pub fn new(env: &'e Env<'s>, program: &'e Program, written: bool, explain: bool) -> Self {
        Self {
            env,
            program,
            written,
            tables: RefCell::new(Tables::default()),
            depth: Cell::new(0),
            steps: explain.then(RefCell::default),
        }
    }

    /// The steps that were taken, if they were asked for.
    pub fn steps(&self) -> Vec<Step> {
        self.steps.as_ref().map(|s| s.borrow().clone()).unwrap_or_default()
    }

    /// Runs clauses on a batch; columns outside `keep` may be dropped.
    pub fn run(&self, nodes: &[&Node], mut batch: Batch<'e>, keep: Mask) -> Result<Batch<'e>> {
        let mut left: Vec<&Node> = nodes.to_vec();
        while !left.is_empty() {
            if batch.n == 0 {
                // Nothing can come of it; say so for each variable that is asked for.
                for n in left {
                    for v in &n.vars {
                        batch.cols[*v].get_or_insert(Col::Words(Cow::Borrowed(&[])));
                    }
                }
                return Ok(batch.none());
            }
            let (next, estimated) = self.choose(&left, &batch)?;
            let node = left.remove(next);
            let rows_in = batch.n;
            let mut live = keep;
            let mut also = Vec::new();
            if !self.written && !left.is_empty() && matches!(node.kind, Kind::Pattern { .. }) {
                also = self.partners(node, &left, &batch);
            }
            if also.is_empty() {
                left.iter().for_each(|n| live |= mask(&n.vars));
                batch = self.step(node, batch, live)?;
            } else {
                let partners: Vec<&Node> = also.iter().rev().map(|i| left.remove(*i)).collect();
                left.iter().for_each(|n| live |= mask(&n.vars));
                batch = self.intersect(node, &partners, batch, live)?;
            }
            self.env.budget.pay(batch.n)?;
            if let Some(steps) = &self.steps {
                let form = node.form.clone();
                let rows_out = batch.n;
                steps.borrow_mut().push(Step { form, estimated, rows_in, rows_out, depth: self.depth.get() });
            }
        }
        Ok(batch)
    }

    // ------------------------------------------------------------ choice

    fn choose(&self, left: &[&Node], batch: &Batch) -> Result<(usize, f64)> {
        if left.len() == 1 {
            return Ok((0, -1.0));
        }
        if self.written {
            // Bodies of rules are asked sideways, so even there a call may have to wait for what it needs.
            let ready = |n: &&Node| n.needs.iter().all(|v| batch.cols[*v].is_some());
            return Ok((left.iter().position(ready).unwrap_or(0), -1.0));
        }
        let mut best: Option<(usize, f64)> = None;
        for (i, node) in left.iter().enumerate() {
            if node.needs.iter().any(|v| batch.cols[*v].is_none()) {
                continue;
            }
            let cost = self.estimate(node, batch);
            if cost < 0.0 {
                return Ok((i, cost));
            }
            if best.is_none_or(|(_, c)| cost < c) {
                best = Some((i, cost));
            }
        }
        best.ok_or_else(|| QueryError::at(ErrorKind::Where, "Insufficient bindings", &left[0].form))
    }

    /// How many rows a clause would leave; below zero for what is free to run.
    fn estimate(&self, node: &Node, batch: &Batch) -> f64 {
        let n = batch.n as f64;
        let bound = || node.vars.iter().any(|v| batch.cols[*v].is_some());
        match &node.kind {
            Kind::Pred { .. } => -1.0,
            Kind::Call { bind: Bind::Var(_), .. } => n,
            Kind::Call { .. } => n * 4.0,
            Kind::Not { .. } => n,
            Kind::Table { vars, cols } => {
                let rows = cols.first().map_or(1, Vec::len) as f64;
                if vars.iter().any(|v| batch.cols[*v].is_some()) { n * 0.9 } else { n * rows }
            }
            Kind::Rule { .. } => {
                let bound = bound()
                    || !matches!(&node.kind, Kind::Rule { args, .. } if args.iter().all(|a| matches!(a, Term::Var(_))));
                if bound { n * 16.0 } else { n * 1e6 }
            }
            Kind::Recur { .. } if bound() => n * 2.0,
            Kind::Recur { .. } => n * 1e5,
            Kind::Or { branches } if bound() => n * branches.len() as f64,
            Kind::Or { branches } => {
                let unit = Batch::unit(batch.cols.len());
                let first =
                    |b: &Vec<Node>| b.iter().map(|n| self.estimate(n, &unit).abs()).fold(f64::INFINITY, f64::min);
                n * branches.iter().map(first).sum::<f64>()
            }
            Kind::Pattern { src, terms } => self.estimate_pattern(*src, terms, batch),
        }
    }

    fn slot(&self, terms: &[Term], place: usize, batch: &Batch, live: Mask) -> Slot {
        match terms.get(place) {
            None | Some(Term::Blank) => Slot::Any,
            Some(Term::Const(w)) => Slot::Const(*w),
            Some(Term::Var(v)) => match &batch.cols[*v] {
                Some(Col::Const(w)) => Slot::Const(*w),
                Some(_) => Slot::Bound(*v),
                None if live & bit(*v) == 0 => Slot::Any,
                None => Slot::Free(*v),
            },
        }
    }

    /// The attribute of a pattern that reads no more than `e a v`, if it is known.
    fn plain_attr(&self, src: usize, terms: &[Term], batch: &Batch) -> Option<Word> {
        if self.env.source(src).ragged() {
            return None;
        }
        let short = terms.len() <= 3 || terms[3..].iter().all(|t| *t == Term::Blank) && terms.len() <= 4;
        match self.slot(terms, 1, batch, Mask::MAX) {
            Slot::Const(a) if short => Some(a),
            _ => None,
        }
    }

    fn estimate_pattern(&self, src: usize, terms: &[Term], batch: &Batch) -> f64 {
        let n = batch.n;
        let slots: Vec<Slot> = (0..terms.len()).map(|i| self.slot(terms, i, batch, Mask::MAX)).collect();
        let any_bound = slots.iter().any(|s| matches!(s, Slot::Bound(_)));
        let bound_at = |row: usize| -> Vec<Option<Word>> {
            slots
                .iter()
                .map(|s| match s {
                    Slot::Const(w) => Some(*w),
                    Slot::Bound(v) => batch.cols[*v].as_ref().map(|c| c.get(row)),
                    Slot::Any | Slot::Free(_) => None,
                })
                .collect()
        };
        if !any_bound {
            // A point of a database is at most one fact or few; no need to look.
            if let (Slot::Const(_), Some(Slot::Const(a))) = (slots[0], slots.get(1))
                && !self.env.attr(src, *a).many
            {
                return n as f64;
            }
            return n as f64 * self.env.count(src, &bound_at(0)) as f64;
        }
        let full = slots.iter().all(|s| matches!(s, Slot::Bound(_) | Slot::Const(_)));
        if let (Slot::Bound(_), Some(Slot::Const(a))) = (slots[0], slots.get(1))
            && !self.env.attr(src, *a).many
            && slots.len() <= 3
        {
            // At most one value each: a filter if the value is known, how selective its count says.
            return match slots.get(2) {
                Some(Slot::Const(v)) => {
                    let with = self.env.count(src, &[None, Some(*a), Some(*v)]) as f64;
                    let all = self.env.count(src, &[None, Some(*a), None]).max(1) as f64;
                    n as f64 * with / all
                }
                Some(Slot::Bound(_)) => n as f64 * 0.5,
                _ => n as f64,
            };
        }
        // Look at a few rows and take their mean.
        let looks = n.min(8);
        let total: usize = (0..looks).map(|i| self.env.count(src, &bound_at(i * n / looks))).sum();
        let mean = total as f64 / looks as f64 * n as f64;
        if full { mean.min(n as f64 * 0.5) } else { mean }
    }

    /// Other patterns that would bind the same value from entities that are known, so that lists can be intersected.
    fn partners(&self, node: &Node, left: &[&Node], batch: &Batch) -> Vec<usize> {
        let Some((_, _, v)) = self.expansion(node, batch) else { return Vec::new() };
        let fits = |n: &&Node| self.expansion(n, batch).is_some_and(|(_, _, w)| w == v);
        left.iter().enumerate().filter(|(_, n)| fits(n)).map(|(i, _)| i).collect()
    }

    /// Source, attribute and free value of a pattern whose entity varies over the rows and has many values.
    fn expansion(&self, node: &Node, batch: &Batch) -> Option<(usize, Word, Var)> {
        let Kind::Pattern { src, terms } = &node.kind else { return None };
        let attr = self.plain_attr(*src, terms, batch)?;
        let e = self.slot(terms, 0, batch, Mask::MAX);
        match (e, self.slot(terms, 2, batch, Mask::MAX)) {
            (Slot::Bound(_), Slot::Free(v)) if self.env.attr(*src, attr).many => {
                self.env.column(*src, attr).map(|_| (*src, attr, v))
            }
            _ => None,
        }
    }

    // ------------------------------------------------------------ steps

    fn step(&self, node: &Node, mut batch: Batch<'e>, live: Mask) -> Result<Batch<'e>> {
        let out = match &node.kind {
            Kind::Pattern { src, terms } => self.pattern(*src, terms, batch, live)?,
            Kind::Pred { func, args } => self.pred(func, args, batch)?,
            Kind::Call { func, args, bind } => self.call(func, args, bind, batch)?,
            Kind::Table { vars, cols } => self.join_rows(
                &vars.iter().map(|v| Term::Var(*v)).collect::<Vec<_>>(),
                cols.first().map_or(1, Vec::len),
                &|i, j| cols[j][i],
                batch,
            )?,
            Kind::Not { join, body } => self.not(join, body, batch)?,
            Kind::Or { branches } => self.or(node, branches, batch, live)?,
            Kind::Recur { rule, places, args, part } => self.recur(*rule, places, args, *part, batch, live)?,
            Kind::Rule { rule, args } => {
                for (v, c) in batch.cols.iter_mut().enumerate() {
                    if live & bit(v) == 0 && !node.vars.contains(&v) {
                        *c = None;
                    }
                }
                self.call_rule(*rule, args, batch, live)?
            }
        };
        Ok(drop_dead(out, live))
    }

    /// New columns beside the rows they came from; `None` for rows means each row once, in order.
    fn extend(
        &self,
        batch: Batch<'e>,
        rows: Option<Vec<u32>>,
        new: Vec<(Var, Col<'e>)>,
        n: usize,
        live: Mask,
    ) -> Batch<'e> {
        let batch = drop_dead(batch, live);
        let mut out = match rows {
            None => batch,
            Some(rows) => batch.gather(&rows),
        };
        out.n = n;
        for (v, c) in new {
            out.cols[v] = Some(c);
        }
        out
    }

    fn pattern(&self, src: usize, terms: &[Term], batch: Batch<'e>, live: Mask) -> Result<Batch<'e>> {
        let repeated = (1..terms.len()).any(|i| matches!(terms[i], Term::Var(_)) && terms[..i].contains(&terms[i]));
        if repeated {
            return self.scan(src, terms, batch);
        }
        let Some(attr) = self.plain_attr(src, terms, &batch) else { return self.scan(src, terms, batch) };
        let e = self.slot(terms, 0, &batch, live);
        let v = self.slot(terms, 2, &batch, live);
        match (e, v) {
            (Slot::Const(e), _) => self.point(src, attr, e, v, batch, live),
            (Slot::Bound(_), _) if batch.n <= 4 => self.points(src, attr, e, v, batch, live),
            _ => {
                let Some(column) = self.env.column(src, attr) else { return self.scan(src, terms, batch) };
                match (e, v) {
                    (Slot::Bound(e), _) => self.by_entity(src, attr, column, e, v, batch, live),
                    (_, Slot::Const(w)) => self.with_value(src, attr, column, e, w, batch, live),
                    (_, Slot::Bound(v)) => self.by_value(src, attr, column, e, v, batch, live),
                    (_, Slot::Any | Slot::Free(_)) => self.whole(src, attr, column, e, v, batch, live),
                }
            }
        }
    }

    /// One known entity for all rows.
    fn point(&self, src: usize, attr: Word, e: Word, v: Slot, batch: Batch<'e>, live: Mask) -> Result<Batch<'e>> {
        let mut values = Vec::new();
        if let Some(e) = e.as_entity() {
            self.env.values(src, e, attr, &mut values);
        }
        Ok(match v {
            Slot::Any if values.is_empty() => batch.none(),
            Slot::Any => batch,
            Slot::Const(w) if values.contains(&w) => batch,
            Slot::Const(_) => batch.none(),
            Slot::Bound(v) => {
                let col = column_of(&batch, v);
                let rows: Vec<u32> = (0..batch.n).filter(|i| values.contains(&col.get(*i))).map(|i| i as u32).collect();
                batch.select(&rows)
            }
            Slot::Free(v) => {
                if let [w] = values[..] {
                    let n = batch.n;
                    return Ok(self.extend(batch, None, vec![(v, Col::Const(w))], n, live));
                }
                self.env.budget.pay(batch.n * values.len())?;
                let (rows, col) = if batch.n == 1 {
                    (vec![0; values.len()], values)
                } else {
                    let rows = (0..batch.n as u32).flat_map(|i| values.iter().map(move |_| i)).collect();
                    (rows, (0..batch.n).flat_map(|_| values.iter().copied()).collect())
                };
                let n = rows.len();
                self.extend(batch, Some(rows), vec![(v, Col::Words(col.into()))], n, live)
            }
        })
    }

    /// A few known entities: ask for each, without the arrays.
    fn points(&self, src: usize, attr: Word, e: Slot, v: Slot, batch: Batch<'e>, live: Mask) -> Result<Batch<'e>> {
        let Slot::Bound(e) = e else { return Ok(batch) };
        let (mut rows, mut out, mut values) = (Vec::new(), Vec::new(), Vec::new());
        for i in 0..batch.n {
            values.clear();
            if let Some(e) = column_of(&batch, e).entity(i) {
                self.env.values(src, e, attr, &mut values);
            }
            let keep = match v {
                Slot::Free(_) => {
                    rows.extend(values.iter().map(|_| i as u32));
                    out.extend_from_slice(&values);
                    continue;
                }
                Slot::Any => !values.is_empty(),
                Slot::Const(w) => values.contains(&w),
                Slot::Bound(v) => values.contains(&column_of(&batch, v).get(i)),
            };
            if keep {
                rows.push(i as u32);
            }
        }
        Ok(match v {
            Slot::Free(v) => {
                let n = rows.len();
                self.extend(batch, Some(rows), vec![(v, Col::Words(out.into()))], n, live)
            }
            _ => batch.select(&rows),
        })
    }

    /// Entities known by row, over the arrays.
    #[allow(clippy::too_many_arguments, reason = "a pattern taken apart")]
    fn by_entity(
        &self,
        src: usize,
        attr: Word,
        column: Column<'e>,
        e: Var,
        v: Slot,
        batch: Batch<'e>,
        live: Mask,
    ) -> Result<Batch<'e>> {
        let many = self.env.attr(src, attr).many;
        let n = batch.n;
        let mut rows: Vec<u32> = Vec::with_capacity(n);
        let es = column_of(&batch, e);
        if let Slot::Free(v) = v {
            if !many
                && let (Col::Ents(es), Some(first)) = (es, dense_from(column.e))
                && let Some(out) = es.iter().map(|e| column.v.get(e.wrapping_sub(first) as usize).copied()).collect()
            {
                // Every entity has its value, found by position: the batch stays as it is.
                let out: Vec<Word> = out;
                return Ok(self.extend(batch, None, vec![(v, Col::Words(out.into()))], n, live));
            }
            let mut out: Vec<Word> = Vec::with_capacity(n);
            let mut paid = 0;
            let mut over = Ok(());
            each_entity(es, n, column.e, many, |i, range| {
                rows.extend(range.clone().map(|_| i));
                out.extend_from_slice(&column.v[range]);
                if out.len() - paid > 65_536 && over.is_ok() {
                    over = self.env.budget.pay(out.len() - paid);
                    paid = out.len();
                }
                over.is_ok()
            });
            over?;
            let n_out = rows.len();
            // Each row once, in order: the batch stays as it is.
            let same = n_out == n && !many;
            return Ok(self.extend(batch, (!same).then_some(rows), vec![(v, Col::Words(out.into()))], n_out, live));
        }
        match v {
            Slot::Const(w) => each_entity(es, n, column.e, many, |i, range| {
                if column.v[range].contains(&w) {
                    rows.push(i);
                }
                true
            }),
            Slot::Bound(v) => {
                let vs = column_of(&batch, v);
                each_entity(es, n, column.e, many, |i, range| {
                    if column.v[range].binary_search(&vs.get(i as usize)).is_ok() {
                        rows.push(i);
                    }
                    true
                });
            }
            _ => each_entity(es, n, column.e, many, |i, range| {
                if !range.is_empty() {
                    rows.push(i);
                }
                true
            }),
        }
        Ok(batch.select(&rows))
    }

    /// One known value for all rows.
    #[allow(clippy::too_many_arguments, reason = "a pattern taken apart")]
    fn with_value(
        &self,
        src: usize,
        attr: Word,
        column: Column<'e>,
        e: Slot,
        w: Word,
        batch: Batch<'e>,
        live: Mask,
    ) -> Result<Batch<'e>> {
        let found: Vec<u32> = match self.env.by_value(src, attr) {
            Some(p) => p[value_range(column.v, p, w)].iter().map(|i| column.e[*i as usize]).collect(),
            None => {
                let mut found = Vec::new();
                self.env.entities(src, attr, w, &mut found);
                found
            }
        };
        match e {
            Slot::Free(e) => self.cross(batch, found.len(), vec![(e, Col::Ents(found.into()))], live),
            _ if found.is_empty() => Ok(batch.none()),
            _ => Ok(batch),
        }
    }

    /// Every row of the batch beside every row of some columns.
    fn cross(&self, batch: Batch<'e>, n: usize, new: Vec<(Var, Col<'e>)>, live: Mask) -> Result<Batch<'e>> {
        let batch = drop_dead(batch, live);
        if batch.n == 1 {
            // Constants stay constants; anything else of one row becomes one.
            let mut out =
                Batch { n, cols: batch.cols.iter().map(|c| c.as_ref().map(|c| Col::Const(c.get(0)))).collect() };
            for (v, c) in new {
                out.cols[v] = Some(c);
            }
            return Ok(out);
        }
        let total = batch.n.checked_mul(n).filter(|t| *t < u32::MAX as usize);
        let Some(total) = total else {
            return Err(QueryError::new(ErrorKind::Limit, "A product of clauses has more than 2^32 rows"));
        };
        self.env.budget.pay(total)?;
        let left: Vec<u32> = (0..batch.n as u32).flat_map(|i| std::iter::repeat_n(i, n)).collect();
        let right: Vec<u32> = (0..batch.n).flat_map(|_| 0..n as u32).collect();
        let new = new.into_iter().map(|(v, c)| (v, c.gather(&right))).collect();
        Ok(self.extend(batch, Some(left), new, total, live))
    }

    /// Values known by row.
    #[allow(clippy::too_many_arguments, reason = "a pattern taken apart")]
    fn by_value(
        &self,
        src: usize,
        attr: Word,
        column: Column<'e>,
        e: Slot,
        v: Var,
        batch: Batch<'e>,
        live: Mask,
    ) -> Result<Batch<'e>> {
        let n = batch.n;
        let vs = column_of(&batch, v);
        let (mut rows, mut out): (Vec<u32>, Vec<u32>) = (Vec::new(), Vec::new());
        let Some(p) = self.env.by_value(src, attr) else {
            for i in 0..n {
                let from = out.len();
                self.env.entities(src, attr, vs.get(i), &mut out);
                rows.extend((from..out.len()).map(|_| i as u32));
            }
            return Ok(self.reached(e, batch, rows, out, live));
        };
        let mut take = |i: usize, range: std::ops::Range<usize>| {
            if matches!(e, Slot::Free(_)) {
                rows.extend(range.clone().map(|_| i as u32));
                out.extend(p[range].iter().map(|i| column.e[*i as usize]));
            } else if !range.is_empty() {
                rows.push(i as u32);
            }
        };
        if n * 4 < column.len() {
            // Values that come in order are found by walking along.
            let in_order = (1..n).all(|i| vs.get(i - 1) <= vs.get(i));
            let (mut paid, mut at) = (0, 0);
            for i in 0..n {
                let w = vs.get(i);
                let range = if in_order {
                    at += gallop_by(p.len() - at, |k| column.v[p[at + k] as usize] < w);
                    at..at + gallop_by(p.len() - at, |k| column.v[p[at + k] as usize] == w)
                } else {
                    value_range(column.v, p, w)
                };
                paid += range.len();
                if paid > 65_536 {
                    self.env.budget.pay(paid)?;
                    paid = 0;
                }
                take(i, range);
            }
        } else {
            // Many rows: find each value once, by table.
            let mut starts: FxHashMap<Word, (u32, u32)> = FxHashMap::default();
            let mut i = 0;
            while i < p.len() {
                let w = column.v[p[i] as usize];
                let end = i + p[i..].iter().take_while(|j| column.v[**j as usize] == w).count();
                starts.insert(w, (i as u32, end as u32));
                i = end;
            }
            let mut paid = 0;
            for i in 0..n {
                if let Some((start, end)) = starts.get(&vs.get(i)) {
                    paid += (end - start) as usize;
                    if paid > 65_536 {
                        self.env.budget.pay(paid)?;
                        paid = 0;
                    }
                    take(i, *start as usize..*end as usize);
                }
            }
        }
        Ok(self.reached(e, batch, rows, out, live))
    }

    fn reached(&self, e: Slot, batch: Batch<'e>, mut rows: Vec<u32>, out: Vec<u32>, live: Mask) -> Batch<'e> {
        match e {
            Slot::Free(e) => {
                let n = rows.len();
                self.extend(batch, Some(rows), vec![(e, Col::Ents(out.into()))], n, live)
            }
            _ => {
                rows.dedup();
                batch.select(&rows)
            }
        }
    }

    /// All facts of an attribute.
    #[allow(clippy::too_many_arguments, reason = "a pattern taken apart")]
    fn whole(
        &self,
        src: usize,
        attr: Word,
        column: Column<'e>,
        e: Slot,
        v: Slot,
        batch: Batch<'e>,
        live: Mask,
    ) -> Result<Batch<'e>> {
        let many = self.env.attr(src, attr).many;
        match (e, v) {
            (Slot::Free(e), Slot::Free(v)) => {
                let new = vec![(e, Col::Ents(column.e.into())), (v, Col::Words(column.v.into()))];
                self.cross(batch, column.len(), new, live)
            }
            (Slot::Free(e), _) if many => {
                let mut es = column.e.to_vec();
                es.dedup();
                self.cross(batch, es.len(), vec![(e, Col::Ents(es.into()))], live)
            }
            (Slot::Free(e), _) => self.cross(batch, column.len(), vec![(e, Col::Ents(column.e.into()))], live),
            (_, Slot::Free(v)) => {
                let mut vs = column.v.to_vec();
                if !self.env.attr(src, attr).unique {
                    vs.sort_unstable();
                    vs.dedup();
                }
                self.cross(batch, vs.len(), vec![(v, Col::Words(vs.into()))], live)
            }
            _ if column.is_empty() => Ok(batch.none()),
            _ => Ok(batch),
        }
    }

    /// Several patterns that bind one value from known entities: the values that all of them have.
    fn intersect(&self, node: &Node, partners: &[&Node], batch: Batch<'e>, live: Mask) -> Result<Batch<'e>> {
        let mut lists: Vec<(Var, Column<'e>)> = Vec::new();
        let mut value = 0;
        for n in std::iter::once(&node).chain(partners) {
            if let (Kind::Pattern { src, terms }, Some((_, attr, v))) = (&n.kind, self.expansion(n, &batch))
                && let (Slot::Bound(e), Some(c)) = (self.slot(terms, 0, &batch, Mask::MAX), self.env.column(*src, attr))
            {
                lists.push((e, c));
                value = v;
            }
        }
        let ranges: Vec<Vec<std::ops::Range<usize>>> = lists
            .iter()
            .map(|(e, c)| {
                let mut out = vec![0..0; batch.n];
                each_entity(column_of(&batch, *e), batch.n, c.e, true, |i, range| {
                    out[i as usize] = range;
                    true
                });
                out
            })
            .collect();
        let (mut rows, mut out, mut paid) = (Vec::new(), Vec::new(), 0);
        let mut order: Vec<usize> = (0..lists.len()).collect();
        #[allow(clippy::needless_range_loop, reason = "one row of several lists at once")]
        for i in 0..batch.n {
            order.sort_unstable_by_key(|k| ranges[*k][i].len());
            let list = |k: usize| &lists[k].1.v[ranges[k][i].clone()];
            let first = list(order[0]);
            paid += first.len();
            if paid > 65_536 {
                self.env.budget.pay(paid)?;
                paid = 0;
            }
            let mut rest: Vec<&[Word]> = order[1..].iter().map(|k| list(*k)).collect();
            'values: for w in first {
                for l in &mut rest {
                    let at = gallop(l, w);
                    *l = &l[at..];
                    match l.first() {
                        None => break 'values,
                        Some(x) if x != w => continue 'values,
                        Some(_) => {}
                    }
                }
                rows.push(i as u32);
                out.push(*w);
            }
        }
        let n = rows.len();
        Ok(self.extend(batch, Some(rows), vec![(value, Col::Words(out.into()))], n, live))
    }

    /// A pattern of any shape, by scanning its source: for each row if there are few, once and hashed otherwise.
    fn scan(&self, src: usize, terms: &[Term], batch: Batch<'e>) -> Result<Batch<'e>> {
        let all = |row: Option<usize>| -> Vec<Option<Word>> {
            terms
                .iter()
                .map(|t| match (t, row) {
                    (Term::Const(w), _) => Some(*w),
                    (Term::Var(v), row) => match (&batch.cols[*v], row) {
                        (Some(Col::Const(w)), _) => Some(*w),
                        (Some(c), Some(i)) => Some(c.get(i)),
                        _ => None,
                    },
                    (Term::Blank, _) => None,
                })
                .collect()
        };
        let once = all(None);
        let varying = terms
            .iter()
            .any(|t| matches!(t, Term::Var(v) if matches!(&batch.cols[*v], Some(c) if !matches!(c, Col::Const(_)))));
        let mut words: Vec<Word> = Vec::new();
        let mut count = 0;
        if varying && batch.n * 16 < self.env.count(src, &once) {
            // Places already agree with the batch; what is left is to bind the others.
            let (mut rows, mut found): (Vec<u32>, Vec<Word>) = (Vec::new(), Vec::new());
            let free = free_places(terms, &batch);
            for i in 0..batch.n {
                let bound = all(Some(i));
                self.env.scan(src, &bound, &mut |row| {
                    if row.len() >= terms.len() && agrees(terms, row, &bound) {
                        rows.push(i as u32);
                        found.extend(free.iter().map(|(place, _)| row[*place]));
                    }
                    Ok(())
                })?;
                self.env.budget.pay(1)?;
            }
            let n = rows.len();
            let new = free.iter().enumerate().map(|(k, (_, v))| {
                (*v, Col::Words((0..n).map(|i| found[i * free.len() + k]).collect::<Vec<_>>().into()))
            });
            return Ok(self.extend(batch.clone(), Some(rows), new.collect(), n, Mask::MAX));
        }
        self.env.scan(src, &once, &mut |row| {
            if row.len() >= terms.len() && agrees(terms, row, &once) {
                words.extend_from_slice(&row[..terms.len()]);
                count += 1;
                if count % 65_536 == 0 {
                    self.env.budget.pay(65_536)?;
                }
            }
            Ok(())
        })?;
        let width = terms.len();
        self.join_rows(terms, count, &|i, j| words[i * width + j], batch)
    }

    /// Joins a batch with rows given by number and place, on every variable that both have.
    pub(super) fn join_rows(
        &self,
        terms: &[Term],
        count: usize,
        at: &dyn Fn(usize, usize) -> Word,
        batch: Batch<'e>,
    ) -> Result<Batch<'e>> {
        // A variable that is constant or varies in the batch is a key; the first place of a free one binds it.
        let keys: Vec<(usize, Var)> = terms
            .iter()
            .enumerate()
            .filter_map(|(i, t)| match t {
                Term::Var(v) if batch.cols[*v].is_some() => Some((i, *v)),
                _ => None,
            })
            .collect();
        let free = free_places(terms, &batch);
        let own: Vec<usize> = (0..count)
            .filter(|i| {
                terms.iter().enumerate().all(|(j, t)| match t {
                    Term::Const(w) => at(*i, j) == *w,
                    Term::Var(v) => free.iter().all(|(place, w)| w != v || at(*i, *place) == at(*i, j)),
                    Term::Blank => true,
                })
            })
            .collect();
        let bind = |rows: &[usize]| -> Vec<(Var, Col<'e>)> {
            free.iter()
                .map(|(p, v)| (*v, Col::Words(rows.iter().map(|i| at(*i, *p)).collect::<Vec<_>>().into())))
                .collect()
        };
        if keys.is_empty() {
            return self.cross(batch, own.len(), bind(&own), Mask::MAX);
        }
        let mut index: FxHashMap<Vec<Word>, Vec<u32>> = FxHashMap::default();
        for i in &own {
            let key: Vec<Word> = keys.iter().map(|(p, _)| at(*i, *p)).collect();
            index.entry(key).or_default().push(*i as u32);
        }
        let (mut rows, mut found) = (Vec::new(), Vec::new());
        let mut key = Vec::new();
        for i in 0..batch.n {
            key.clear();
            key.extend(keys.iter().map(|(_, v)| column_of(&batch, *v).get(i)));
            if let Some(hits) = index.get(&key) {
                if free.is_empty() {
                    rows.push(i as u32);
                } else {
                    self.env.budget.pay(hits.len())?;
                    rows.extend(hits.iter().map(|_| i as u32));
                    found.extend(hits.iter().map(|h| *h as usize));
                }
            }
        }
        let n = rows.len();
        let new = bind(&found);
        Ok(self.extend(batch, Some(rows), new, n, Mask::MAX))
    }

    // ------------------------------------------------------------ functions

    fn pred(&self, func: &Func, args: &[Arg], batch: Batch<'e>) -> Result<Batch<'e>> {
        if let (Func::Cmp(cmp), [a, b]) = (func, args) {
            return Ok(self.compare(*cmp, a, b, batch));
        }
        self.env.foresee(func, args, batch.n, &|i, v| column_of(&batch, v).get(i))?;
        let mut rows = Vec::with_capacity(batch.n);
        for i in 0..batch.n {
            if self.env.call(func, args, &mut |v| column_of(&batch, v).get(i))?.is_truthy() {
                rows.push(i as u32);
            }
            if i % 1024 == 1023 {
                self.env.budget.pay(0)?;
            }
        }
        Ok(batch.select(&rows))
    }

    fn compare(&self, cmp: Cmp, a: &Arg, b: &Arg, batch: Batch<'e>) -> Batch<'e> {
        let unit;
        let side = |x: &Arg| match x {
            Arg::Var(v) => column_of(&batch, *v).clone(),
            Arg::Const(_, w) => Col::Const(*w),
            Arg::Source(_) => Col::Const(Word::NIL),
        };
        let (x, y) = (side(a), side(b));
        let holds = |x: Word, y: Word| -> bool {
            match cmp {
                // A value has one word.
                Cmp::Eq => x == y,
                Cmp::Ne => x != y,
                _ if x.kind() == kind::INT && y.kind() == kind::INT => cmp.holds(x.cmp(&y)),
                _ => {
                    let (x, y) = (self.env.space.decode(x), self.env.space.decode(y));
                    cmp.holds(x.compare_numbers(&y).unwrap_or_else(|| x.cmp(&y)))
                }
            }
        };
        let mut rows: Vec<u32> = Vec::with_capacity(batch.n);
        match (&x, &y) {
            (Col::Const(x), Col::Const(y)) => {
                unit = holds(*x, *y);
                return if unit { batch } else { batch.none() };
            }
            (Col::Words(xs), Col::Const(y)) => {
                // The common case: a column against a number.
                if y.kind() == kind::INT && xs.iter().all(|x| x.kind() == kind::INT) {
                    rows.resize(batch.n, 0);
                    let mut k = 0;
                    for (i, x) in xs.iter().enumerate() {
                        rows[k] = i as u32;
                        k += usize::from(cmp.holds(x.cmp(y)));
                    }
                    rows.truncate(k);
                } else {
                    rows.extend((0..batch.n).filter(|i| holds(xs[*i], *y)).map(|i| i as u32));
                }
            }
            _ => rows.extend((0..batch.n).filter(|i| holds(x.get(*i), y.get(*i))).map(|i| i as u32)),
        }
        batch.select(&rows)
    }

    fn call(&self, func: &Func, args: &[Arg], bind: &Bind, batch: Batch<'e>) -> Result<Batch<'e>> {
        let mut vars: Vec<Var> = Vec::new();
        bind.each_var(&mut |v| {
            if !vars.contains(&v) {
                vars.push(v);
            }
        });
        let free: Vec<Var> = vars.iter().copied().filter(|v| batch.cols[*v].is_none()).collect();
        let (mut rows, mut out): (Vec<u32>, Vec<Vec<Word>>) = (Vec::new(), vec![Vec::new(); free.len()]);
        let mut memo: Option<(Vec<Word>, Edn)> = None;
        let constant = args.iter().all(|a| !matches!(a, Arg::Var(v) if !matches!(batch.cols[*v], Some(Col::Const(_)))));
        let ahead = if constant { batch.n.min(1) } else { batch.n };
        self.env.foresee(func, args, ahead, &|i, v| column_of(&batch, v).get(i))?;
        for i in 0..batch.n {
            let value = match &memo {
                Some((_, v)) if constant => v.clone(),
                _ => {
                    let v = self.env.call(func, args, &mut |v| column_of(&batch, v).get(i))?;
                    if constant {
                        memo = Some((Vec::new(), v.clone()));
                    }
                    v
                }
            };
            if value.is_nil() {
                continue;
            }
            for assignment in destructure(bind, &value, &|| bind_text(bind))? {
                let word = |v: Var| assignment.iter().find(|(w, _)| *w == v).map(|(_, x)| self.env.space.encode(x));
                let unifies = assignment.iter().all(|(v, x)| {
                    let x = self.env.space.encode(x);
                    match &batch.cols[*v] {
                        Some(c) => c.get(i) == x,
                        None => word(*v) == Some(x),
                    }
                });
                if unifies {
                    rows.push(i as u32);
                    for (col, v) in out.iter_mut().zip(&free) {
                        col.push(word(*v).unwrap_or(Word::NIL));
                    }
                }
            }
            if i % 1024 == 1023 {
                self.env.budget.pay(0)?;
            }
        }
        let n = rows.len();
        let new = free.into_iter().zip(out).map(|(v, c)| (v, Col::Words(c.into()))).collect();
        let same = n == batch.n && rows.iter().enumerate().all(|(i, r)| i == *r as usize);
        Ok(self.extend(batch, (!same).then_some(rows), new, n, Mask::MAX))
    }

    // ------------------------------------------------------------ not, or

    fn not(&self, join: &[Var], body: &[Node], batch: Batch<'e>) -> Result<Batch<'e>> {
        let hidden = batch.cols.len();
        let mut inner = Batch { n: batch.n, cols: vec![None; hidden + 1] };
        for v in join {
            inner.cols[*v] = batch.cols[*v].clone();
        }
        inner.cols[hidden] = Some(Col::Ents((0..batch.n as u32).collect::<Vec<_>>().into()));
        let nodes: Vec<&Node> = body.iter().collect();
        let found = self.deeper(|| self.run(&nodes, inner, bit(hidden)))?;
        let mut hit = vec![false; batch.n];
        if let Some(c) = &found.cols[hidden] {
            for i in 0..found.n {
                if let Some(r) = c.entity(i) {
                    hit[r as usize] = true;
                }
            }
        }
        let rows: Vec<u32> = (0..batch.n as u32).filter(|i| !hit[*i as usize]).collect();
        Ok(batch.select(&rows))
    }

    fn or(&self, node: &Node, branches: &[Vec<Node>], batch: Batch<'e>, live: Mask) -> Result<Batch<'e>> {
        let hidden = batch.cols.len();
        let given: Vec<Var> = node.vars.iter().copied().filter(|v| batch.cols[*v].is_some()).collect();
        let fresh: Vec<Var> = node.vars.iter().copied().filter(|v| batch.cols[*v].is_none()).collect();
        let apart = given.is_empty();
        let mut inner =
            if apart { Batch::unit(hidden + 1) } else { Batch { n: batch.n, cols: vec![None; hidden + 1] } };
        for v in &given {
            inner.cols[*v] = batch.cols[*v].clone();
        }
        inner.cols[hidden] = Some(if apart {
            Col::Const(Word::entity(0))
        } else {
            Col::Ents((0..batch.n as u32).collect::<Vec<_>>().into())
        });
        let keep = bit(hidden) | mask(&fresh);
        let mut rows: Vec<u32> = Vec::new();
        let mut out: Vec<Vec<Word>> = vec![Vec::new(); fresh.len()];
        let mut parts = 0;
        for b in branches {
            let nodes: Vec<&Node> = b.iter().collect();
            let mut found = self.deeper(|| self.run(&nodes, inner.clone(), keep))?;
            if found.n == 0 {
                continue;
            }
            parts += 1;
            let n = found.n;
            rows.extend((0..n).map(|i| found.cols[hidden].as_ref().and_then(|c| c.entity(i)).unwrap_or(0)));
            for (col, v) in out.iter_mut().zip(&fresh) {
                match found.cols[*v].take() {
                    Some(c) => col.extend(c.into_words(n)),
                    None => col.extend(std::iter::repeat_n(Word::NIL, n)),
                }
            }
        }
        // Branches may agree, and a branch may reach a row in several ways.
        let mut cols: Vec<Col> = vec![Col::Ents(rows.into())];
        cols.extend(out.into_iter().map(|c| Col::Words(c.into())));
        let n = match &cols[0] {
            Col::Ents(r) => r.len(),
            _ => 0,
        };
        if parts > 0 {
            let mut chosen = distinct_rows(&cols.iter().collect::<Vec<_>>(), n);
            if fresh.is_empty() {
                // Keep the order of the batch, which later steps can use.
                chosen.sort_unstable_by_key(|i| cols[0].entity(*i as usize));
            }
            cols = cols.iter().map(|c| c.gather(&chosen)).collect();
        }
        let mut cols = cols.into_iter();
        let rows = match cols.next() {
            Some(Col::Ents(r)) => r.into_owned(),
            _ => Vec::new(),
        };
        let new: Vec<(Var, Col)> = fresh.into_iter().zip(cols).collect();
        if apart {
            return self.cross(batch, rows.len(), new, live);
        }
        let n = rows.len();
        Ok(self.extend(batch, Some(rows), new, n, live))
    }

    /// Runs something one level deeper; nesting is bounded because each level is a call of this engine.
    pub(super) fn deeper<T>(&self, f: impl FnOnce() -> Result<T>) -> Result<T> {
        const MAX_NESTING: usize = 160;
        if self.depth.get() >= MAX_NESTING {
            return Err(QueryError::new(
                ErrorKind::Limit,
                format!("Clauses and rules nested deeper than {MAX_NESTING}"),
            ));
        }
        self.depth.set(self.depth.get() + 1);
        let result = f();
        self.depth.set(self.depth.get() - 1);
        result
    }
}

pub(super) fn column_of<'b, 'a>(batch: &'b Batch<'a>, v: Var) -> &'b Col<'a> {
    const NIL: &Col<'static> = &Col::Const(Word::NIL);
    batch.cols[v].as_ref().unwrap_or(NIL)
}

/// Drops columns that nobody needs.
fn drop_dead<'a>(mut batch: Batch<'a>, live: Mask) -> Batch<'a> {
    for (v, c) in batch.cols.iter_mut().enumerate() {
        if live & bit(v) == 0 {
            *c = None;
        }
    }
    batch
}

/// The places that bind a free variable, each variable once.
fn free_places(terms: &[Term], batch: &Batch) -> Vec<(usize, Var)> {
    let mut out: Vec<(usize, Var)> = Vec::new();
    for (i, t) in terms.iter().enumerate() {
        if let Term::Var(v) = t
            && batch.cols[*v].is_none()
            && out.iter().all(|(_, w)| w != v)
        {
            out.push((i, *v));
        }
    }
    out
}

/// Whether a row has the constants of a pattern and equal words where a variable is repeated.
fn agrees(terms: &[Term], row: &[Word], bound: &[Option<Word>]) -> bool {
    terms.iter().enumerate().all(|(i, t)| {
        bound[i].is_none_or(|w| w == row[i])
            && match t {
                Term::Var(_) => terms[..i].iter().position(|u| u == t).is_none_or(|j| row[j] == row[i]),
                _ => true,
            }
    })
}

/// The first entity of a column of one-valued facts whose entities follow each other without a gap.
fn dense_from(sorted: &[u32]) -> Option<u32> {
    let (first, last) = (sorted.first()?, sorted.last()?);
    ((last - first) as usize + 1 == sorted.len()).then_some(*first)
}

/// Calls `f` with each row that has facts and where they are in a sorted column; stops when it says so.
fn each_entity(es: &Col, n: usize, sorted: &[u32], many: bool, mut f: impl FnMut(u32, std::ops::Range<usize>) -> bool) {
    let len = sorted.len();
    if len == 0 {
        return;
    }
    if let (false, Some(first)) = (many, dense_from(sorted)) {
        // Dense: the position is the entity.
        for i in 0..n {
            if let Some(e) = es.entity(i)
                && let at = e.wrapping_sub(first) as usize
                && at < len
                && !f(i as u32, at..at + 1)
            {
                return;
            }
        }
        return;
    }
    let mut at = 0;
    let mut previous = 0;
    for i in 0..n {
        let Some(e) = es.entity(i) else { continue };
        if e < previous {
            at = 0;
        }
        previous = e;
        at += gallop(&sorted[at..], &e);
        // The same entity may come again, so the position stays at its first fact.
        let mut end = at;
        while end < len && sorted[end] == e {
            end += 1;
        }
        if end > at && !f(i as u32, at..end) {
            return;
        }
    }
}

/// The first position whose element is not below `x`, by steps that double.
fn gallop<T: Ord>(sorted: &[T], x: &T) -> usize {
    gallop_by(sorted.len(), |i| sorted[i] < *x)
}

/// The first of `n` positions that is not `before`, which holds up to some position and not from there on.
fn gallop_by(n: usize, before: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut step) = (0, 1);
    while low + step <= n && before(low + step - 1) {
        low += step;
        step *= 2;
    }
    // What is searched for lies in `low..low + step`.
    let mut high = (low + step).min(n + 1) - 1;
    while low < high {
        let mid = low + (high - low) / 2;
        if before(mid) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    low
}

/// The written form of a binding, as far as it is known here.
fn bind_text(bind: &Bind) -> String {
    let mut names: Vec<Symbol> = Vec::new();
    bind.each_var(&mut |v| {
        while names.len() <= v {
            names.push(Symbol::new(format!("?{}", names.len())));
        }
    });
    bind.show(&names)
}

/// Takes a value apart: one list of variables and values for each row that it makes.
pub(super) fn destructure(bind: &Bind, value: &Edn, show: &dyn Fn() -> String) -> Result<Vec<Vec<(Var, Edn)>>> {
    let fail = |m: String| Err(QueryError::at(ErrorKind::Binding, m, value));
    match bind {
        Bind::Ignore => Ok(vec![Vec::new()]),
        Bind::Var(v) => Ok(vec![vec![(*v, value.clone())]]),
        Bind::Coll(inner) => {
            let entries;
            let items: &[Edn] = match value {
                Edn::Nil => &[],
                Edn::Map(m) => {
                    entries = m.iter().map(|(k, v)| Edn::vector([k.clone(), v.clone()])).collect::<Vec<_>>();
                    &entries
                }
                _ => match value.as_coll() {
                    Some(items) => items,
                    None => return fail(format!("Cannot bind value {value} to collection {}", show())),
                },
            };
            let mut out = Vec::with_capacity(items.len());
            for x in items {
                out.extend(destructure(inner, x, show)?);
            }
            Ok(out)
        }
        Bind::Tuple(binds) => {
            let Some(items) = value.as_coll() else {
                return fail(format!("Cannot bind value {value} to tuple {}", show()));
            };
            if items.len() < binds.len() {
                return fail(format!("Not enough elements in a collection {value} to bind tuple {}", show()));
            }
            let mut out = vec![Vec::new()];
            for (b, x) in binds.iter().zip(items) {
                let parts = destructure(b, x, show)?;
                if let [part] = &parts[..] {
                    out.iter_mut().for_each(|row| row.extend(part.iter().cloned()));
                } else {
                    out = out
                        .iter()
                        .flat_map(|row: &Vec<(Var, Edn)>| parts.iter().map(|p| [&row[..], p].concat()))
                        .collect();
                }
            }
            Ok(out)
        }
    }
}
