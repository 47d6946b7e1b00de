//! Transitive closure of one attribute, recognised among rules and answered by walking the graph.
//!
//! A rule with a branch `r(x,y) ← e(x,y)` and a branch `r(x,y) ← e(x,t), r(t,y)`, or its mirror, or `r(x,t), r(t,y)`,
//! where `e` is one attribute in either direction, is the closure of that attribute. From a bound end it is a search;
//! for all pairs it is one search a source, or a walk along the chain where each node has one successor. The work is
//! proportional to the edges met, and no set of pairs is kept: each search meets a node once.

use super::batch::{Batch, Col};
use super::error::{ErrorKind, QueryError};
use super::exec::{Exec, Mask, Result, bit};
use super::ir::*;
use super::rows::value_range;
use crate::source::Column;
use crate::value::Word;
use rustc_hash::{FxHashMap, FxHashSet};

/// A rule that is the closure of an attribute.
#[derive(Clone, Copy, Debug)]
pub struct Closure {
    src: usize,
    attr: Word,
    /// True if the first argument is the entity and the second the value.
    forward: bool,
}

/// The edges of an attribute, followed in one direction.
struct Edges<'a> {
    column: Column<'a>,
    by_value: &'a [u32],
    /// True from entity to value.
    along: bool,
    /// Offsets and targets by node, made when a search is going to meet much of the graph.
    table: Option<(Vec<u32>, Vec<u32>)>,
    dense_from: Option<u32>,
}

impl<'a> Edges<'a> {
    fn new(column: Column<'a>, by_value: &'a [u32], along: bool) -> Self {
        let dense_from = match (column.e.first(), column.e.last()) {
            (Some(a), Some(b))
                if column.e.len() == (b - a) as usize + 1 && column.e.windows(2).all(|w| w[0] < w[1]) =>
            {
                Some(*a)
            }
            _ => None,
        };
        Self { column, by_value, along, table: None, dense_from }
    }

    /// The greatest node, if nodes are dense enough for arrays over them.
    fn limit(&self) -> Option<usize> {
        let by_entity = self.column.e.last().copied().unwrap_or(0);
        let by_value = self.column.v.iter().filter_map(|w| w.as_entity()).max().unwrap_or(0);
        let limit = by_entity.max(by_value) as usize;
        (limit <= self.column.len() * 8 + 4096).then_some(limit)
    }

    fn tabulate(&mut self) {
        let Some(limit) = self.limit() else { return };
        if self.table.is_some() {
            return;
        }
        let ends = |i: usize| {
            let (e, v) = (self.column.e[i], self.column.v[i].as_entity().unwrap_or(0));
            if self.along { (e, v) } else { (v, e) }
        };
        let mut offsets = vec![0u32; limit + 2];
        for i in 0..self.column.len() {
            offsets[ends(i).0 as usize + 1] += 1;
        }
        for i in 0..=limit {
            offsets[i + 1] += offsets[i];
        }
        let mut fill = offsets.clone();
        let mut targets = vec![0u32; self.column.len()];
        for i in 0..self.column.len() {
            let (from, to) = ends(i);
            targets[fill[from as usize] as usize] = to;
            fill[from as usize] += 1;
        }
        self.table = Some((offsets, targets));
    }

    #[inline]
    fn each(&self, node: u32, mut f: impl FnMut(u32)) {
        if let Some((offsets, targets)) = &self.table {
            if (node as usize) + 1 < offsets.len() {
                targets[offsets[node as usize] as usize..offsets[node as usize + 1] as usize]
                    .iter()
                    .for_each(|t| f(*t));
            }
        } else if self.along {
            let rows = match self.dense_from {
                Some(first) => {
                    let at = node.wrapping_sub(first) as usize;
                    if at < self.column.len() { at..at + 1 } else { 0..0 }
                }
                None => self.column.rows_of(node),
            };
            self.column.v[rows].iter().filter_map(|w| w.as_entity()).for_each(f);
        } else {
            let range = value_range(self.column.v, self.by_value, Word::entity(node));
            self.by_value[range].iter().for_each(|i| f(self.column.e[*i as usize]));
        }
    }
}

/// Which nodes a search has met: stamped arrays where nodes are dense, a set otherwise.
enum Seen {
    Stamps(Vec<u32>, u32),
    Set(FxHashSet<u32>),
}

impl Seen {
    fn new(limit: Option<usize>) -> Self {
        match limit {
            Some(limit) => Seen::Stamps(vec![0; limit + 1], 0),
            None => Seen::Set(FxHashSet::default()),
        }
    }

    fn start(&mut self) {
        match self {
            Seen::Stamps(stamps, now) => {
                if *now == u32::MAX {
                    stamps.fill(0);
                    *now = 0;
                }
                *now += 1;
            }
            Seen::Set(s) => s.clear(),
        }
    }

    /// True the first time.
    #[inline]
    fn meet(&mut self, node: u32) -> bool {
        match self {
            Seen::Stamps(stamps, now) => match stamps.get_mut(node as usize) {
                Some(s) => std::mem::replace(s, *now) != *now,
                None => false,
            },
            Seen::Set(s) => s.insert(node),
        }
    }
}

/// Appends every node that can be reached from `from` by one edge or more, in the order they are met.
fn search(edges: &Edges, seen: &mut Seen, from: u32, out: &mut Vec<u32>) {
    seen.start();
    let mut next = out.len();
    edges.each(from, |t| {
        if seen.meet(t) {
            out.push(t);
        }
    });
    while next < out.len() {
        let node = out[next];
        next += 1;
        edges.each(node, |t| {
            if seen.meet(t) {
                out.push(t);
            }
        });
    }
}

impl<'e> Exec<'e, '_> {
    /// The closure that a rule is, if it is one and its source can answer it.
    pub(super) fn closure_of(&self, rule: usize) -> Option<Closure> {
        if let Some(known) = self.tables.borrow().closures.get(&rule) {
            return *known;
        }
        let found = self.recognise(rule).filter(|c| {
            // Values that are no entities have no successors, and searches over arrays could not hold them.
            let column = self.env.column(c.src, c.attr);
            self.env.by_value(c.src, c.attr).is_some()
                && column
                    .is_some_and(|k| self.env.attr(c.src, c.attr).is_ref || k.v.iter().all(|w| w.as_entity().is_some()))
        });
        self.tables.borrow_mut().closures.insert(rule, found);
        found
    }

    fn recognise(&self, rule: usize) -> Option<Closure> {
        let def = &self.program.rules[rule];
        let [a, b] = &def.branches[..] else { return None };
        let (base, step) = match (&a.nodes[..], &b.nodes[..]) {
            ([base], [x, y]) | ([x, y], [base]) if def.arity == 2 => (base, [x, y]),
            _ => return None,
        };
        // An edge of the closure: source, attribute, and the variables at its ends as entity and value.
        let edge = |n: &Node| match &n.kind {
            Kind::Pattern { src, terms } => match terms[..] {
                [Term::Var(e), Term::Const(attr), Term::Var(v)] if e != v => Some((*src, attr, e, v)),
                _ => None,
            },
            _ => None,
        };
        let call = |n: &Node| match &n.kind {
            Kind::Rule { rule: r, args } if *r == rule => match args[..] {
                [Term::Var(x), Term::Var(y)] => Some((x, y)),
                _ => None,
            },
            _ => None,
        };
        let (src, attr, e, v) = edge(base)?;
        let forward = match (e, v) {
            (0, 1) => true,
            (1, 0) => false,
            _ => return None,
        };
        // One step from x to y, either an edge in the same direction or a call of the rule itself.
        let pair = |n: &Node| match edge(n) {
            Some((s, a, e, v)) if s == src && a == attr => Some(if forward { (e, v, false) } else { (v, e, false) }),
            Some(_) => None,
            None => call(n).map(|(x, y)| (x, y, true)),
        };
        let (p, q) = (pair(step[0])?, pair(step[1])?);
        let chained = |p: (Var, Var, bool), q: (Var, Var, bool)| p.0 == 0 && p.1 == q.0 && p.1 > 1 && q.1 == 1;
        ((p.2 || q.2) && (chained(p, q) || chained(q, p))).then_some(Closure { src, attr, forward })
    }

    /// Rows of a closure.
    pub(super) fn call_closure(&self, c: &Closure, args: &[Term], batch: Batch<'e>, live: Mask) -> Result<Batch<'e>> {
        let (Some(column), Some(by_value)) = (self.env.column(c.src, c.attr), self.env.by_value(c.src, c.attr)) else {
            return Ok(batch.none());
        };
        let end = |i: usize| -> Option<Col<'e>> {
            match &args[i] {
                Term::Const(w) => Some(Col::Const(*w)),
                Term::Var(v) => batch.cols[*v].clone(),
                Term::Blank => None,
            }
        };
        let free = |i: usize| match &args[i] {
            Term::Var(v) if batch.cols[*v].is_none() => Some(*v),
            _ => None,
        };
        match (end(0), end(1)) {
            (None, None) => {
                let mut edges = Edges::new(column, by_value, c.forward);
                let (mut xs, mut ys) = self.all_pairs(&mut edges, c.forward)?;
                if free(0).is_some() && free(0) == free(1) {
                    xs = xs.into_iter().zip(ys).filter(|(x, y)| x == y).map(|(x, _)| x).collect();
                    ys = xs.clone();
                }
                let mut new: Vec<(Var, Col)> = Vec::new();
                match (free(0), free(1)) {
                    (Some(x), None) => {
                        xs.dedup();
                        new.push((x, Col::Ents(xs.into())));
                    }
                    (x, y) => {
                        let x = x.filter(|x| Some(*x) != y);
                        new.extend(x.map(|x| (x, Col::Ents(xs.into()))));
                        new.extend(y.map(|y| (y, Col::Ents(ys.into()))));
                    }
                }
                let rows = match new.first() {
                    Some((_, Col::Ents(c))) => c.len(),
                    _ => usize::from(!column.is_empty()),
                };
                let terms: Vec<Term> = new.iter().map(|(v, _)| Term::Var(*v)).collect();
                if batch.n == 1 {
                    let mut out = Batch {
                        n: rows,
                        cols: batch.cols.iter().map(|c| c.as_ref().map(|c| Col::Const(c.get(0)))).collect(),
                    };
                    for (v, c) in new {
                        out.cols[v] = Some(c);
                    }
                    return Ok(out);
                }
                self.join_rows(&terms, rows, &|i, j| new[j].1.get(i), batch)
            }
            (Some(x), None) => self.reach_from(Edges::new(column, by_value, c.forward), x, free(1), batch, live),
            (None, Some(y)) => self.reach_from(Edges::new(column, by_value, !c.forward), y, free(0), batch, live),
            (Some(x), Some(y)) => {
                let mut edges = Edges::new(column, by_value, c.forward);
                let mut reached: FxHashMap<u32, FxHashSet<u32>> = FxHashMap::default();
                let limit = if batch.n > 64 { edges.limit() } else { None };
                let mut seen = Seen::new(limit);
                if batch.n > 64 {
                    edges.tabulate();
                }
                let (mut rows, mut found) = (Vec::new(), Vec::new());
                for i in 0..batch.n {
                    let (Some(x), Some(y)) = (x.entity(i), y.entity(i)) else { continue };
                    let known = match reached.entry(x) {
                        std::collections::hash_map::Entry::Occupied(known) => known.into_mut(),
                        std::collections::hash_map::Entry::Vacant(new) => {
                            found.clear();
                            search(&edges, &mut seen, x, &mut found);
                            self.env.budget.pay(found.len())?;
                            new.insert(found.iter().copied().collect())
                        }
                    };
                    if known.contains(&y) {
                        rows.push(i as u32);
                    }
                }
                Ok(batch.select(&rows))
            }
        }
    }

    /// Everything that can be reached from one end that is known by row.
    fn reach_from(
        &self,
        mut edges: Edges,
        start: Col<'e>,
        other: Option<Var>,
        batch: Batch<'e>,
        live: Mask,
    ) -> Result<Batch<'e>> {
        let n = if matches!(start, Col::Const(_)) { batch.n.min(1) } else { batch.n };
        let mut seen = Seen::new(None);
        if n > 64 {
            edges.tabulate();
            seen = Seen::new(edges.limit());
        }
        let mut found: Vec<u32> = Vec::new();
        let mut ranges: FxHashMap<u32, (usize, usize)> = FxHashMap::default();
        let mut of_row: Vec<(usize, usize)> = Vec::with_capacity(n);
        for i in 0..n {
            let range = match start.entity(i) {
                None => (0, 0),
                Some(x) => match ranges.get(&x) {
                    Some(r) => *r,
                    None => {
                        let from = found.len();
                        search(&edges, &mut seen, x, &mut found);
                        self.env.budget.pay(found.len() - from)?;
                        ranges.insert(x, (from, found.len()));
                        (from, found.len())
                    }
                },
            };
            of_row.push(range);
        }
        let range_of = |i: usize| if n < batch.n { of_row[0] } else { of_row[i] };
        let other = other.filter(|v| live & bit(*v) != 0);
        let Some(v) = other else {
            let rows: Vec<u32> = (0..batch.n).filter(|i| range_of(*i).0 < range_of(*i).1).map(|i| i as u32).collect();
            return Ok(batch.select(&rows));
        };
        if batch.n == 1 {
            let mut out = Batch {
                n: found.len(),
                cols: batch.cols.iter().map(|c| c.as_ref().map(|c| Col::Const(c.get(0)))).collect(),
            };
            out.cols[v] = Some(Col::Ents(found.into()));
            return Ok(out);
        }
        let (mut rows, mut out) = (Vec::new(), Vec::new());
        for i in 0..batch.n {
            let (from, to) = range_of(i);
            rows.extend(std::iter::repeat_n(i as u32, to - from));
            out.extend_from_slice(&found[from..to]);
            self.env.budget.pay(to - from)?;
        }
        let mut result = batch.gather(&rows);
        result.cols[v] = Some(Col::Ents(out.into()));
        Ok(result)
    }

    /// All pairs, by source.
    fn all_pairs(&self, edges: &mut Edges, forward: bool) -> Result<(Vec<u32>, Vec<u32>)> {
        edges.tabulate();
        let mut sources: Vec<u32> = if forward {
            edges.column.e.to_vec()
        } else {
            edges.by_value.iter().filter_map(|i| edges.column.v[*i as usize].as_entity()).collect()
        };
        sources.dedup();
        let (mut xs, mut ys) = (Vec::new(), Vec::new());
        let limit = edges.limit();
        let mut seen = Seen::new(limit);
        let single = edges.table.as_ref().is_some_and(|(offsets, _)| offsets.windows(2).all(|w| w[1] - w[0] <= 1));
        for x in sources {
            let from = ys.len();
            match &edges.table {
                Some((offsets, targets)) if single => {
                    // One successor each: follow the chain; a node met again closes a cycle.
                    seen.start();
                    let mut node = x;
                    while let Some(&at) = offsets.get(node as usize)
                        && offsets.get(node as usize + 1).is_some_and(|end| at < *end)
                    {
                        node = targets[at as usize];
                        if !seen.meet(node) {
                            break;
                        }
                        ys.push(node);
                    }
                }
                _ => search(edges, &mut seen, x, &mut ys),
            }
            xs.resize(ys.len(), x);
            self.env.budget.pay(ys.len() - from)?;
            if ys.len() > u32::MAX as usize {
                return Err(QueryError::new(ErrorKind::Limit, "A closure has more than 2^32 pairs"));
            }
        }
        Ok((xs, ys))
    }
}
