//! Rules: tables filled by semi-naive rounds, asked only for what is wanted.
//!
//! A table belongs to a rule and the set of its arguments that a caller has bound (its *places*). It holds the demand,
//! the values asked for so far in those places, and the answers to it. One round takes what is new in the demand and in
//! the answers of each table of a component and derives what follows from it: from new demand through the whole body,
//! and from new answers of each recursive call through the rest of the body. Rounds go on until nothing is new, which
//! is the least fixpoint; every value in it comes from the data or from a function that the rules call, so it ends if
//! the functions do not make new values for ever. Rules of other components are worked out completely when a body asks
//! for them, so a negated call sees all of its answers.
//!
//! The magic-set transformation and its semi-naive evaluation are described by Balbin and Ramamohanarao ("A
//! generalization of the differential approach to recursive query evaluation", 1987) and by Bancilhon et al. (1986).

use super::batch::{Batch, Col, RowSet};
use super::error::{ErrorKind, QueryError};
use super::exec::{Exec, Mask, Result, bit, column_of, mask};
use super::ir::*;
use crate::edn::Edn;
use crate::value::Word;
use rustc_hash::FxHashMap;
use std::rc::Rc;

/// All tables of a query.
#[derive(Default)]
pub struct Tables {
    list: Vec<Table>,
    by_key: FxHashMap<(usize, Vec<usize>), usize>,
    pub(super) closures: FxHashMap<usize, Option<super::closure::Closure>>,
}

struct Table {
    rule: usize,
    places: Vec<usize>,
    demand: RowSet,
    answers: RowSet,
    /// Ends of the old and of the current part of demand and answers.
    demand_marks: (usize, usize),
    answer_marks: (usize, usize),
    branches: Rc<Vec<Branch>>,
}

/// A branch of a rule for some bound places, ready for rounds.
struct Branch {
    n_vars: usize,
    /// The body for new demand.
    whole: Vec<Node>,
    /// For each recursive call: its rule and places, its arguments, and the rest of the body.
    deltas: Vec<Delta>,
}

/// A recursive call: rule and places, arguments, and the rest of the body.
type Delta = (usize, Vec<usize>, Vec<Term>, Vec<Node>);

/// More alternatives than this in one rule body, after writing out its disjunctions, are refused.
const MAX_ALTERNATIVES: usize = 256;

impl<'e> Exec<'e, '_> {
    /// Rows of a rule, called from outside of its component.
    pub(super) fn call_rule(&self, rule: usize, args: &[Term], batch: Batch<'e>, live: Mask) -> Result<Batch<'e>> {
        if !self.written
            && let Some(closure) = self.closure_of(rule)
        {
            return self.call_closure(&closure, args, batch, live);
        }
        let places: Vec<usize> = (0..args.len())
            .filter(|i| match &args[*i] {
                Term::Const(_) => true,
                Term::Var(v) => batch.cols[*v].is_some(),
                Term::Blank => false,
            })
            .collect();
        let table = self.table(rule, &places)?;
        if self.ask(table, args, &places, &batch)? {
            self.deeper(|| self.solve(self.program.rules[rule].component))?;
        }
        let all = self.tables.borrow().list[table].answers.len();
        self.join_answers(table, args, 0..all, false, batch, live)
    }

    /// A step of a body that reads a table of its own component.
    pub(super) fn recur(
        &self,
        rule: usize,
        places: &[usize],
        args: &[Term],
        part: Part,
        batch: Batch<'e>,
        live: Mask,
    ) -> Result<Batch<'e>> {
        let table = self.table(rule, places)?;
        let range = {
            let tables = self.tables.borrow();
            let t = &tables.list[table];
            match part {
                Part::Answers => 0..t.answer_marks.1,
                Part::OldAnswers => 0..t.answer_marks.0,
                Part::OldDemand => 0..t.demand_marks.0,
            }
        };
        if part != Part::OldDemand {
            self.ask(table, args, places, &batch)?;
        }
        self.join_answers(table, args, range, part == Part::OldDemand, batch, live)
    }

    /// Adds what a batch wants to know to a table's demand; true if something is new.
    fn ask(&self, table: usize, args: &[Term], places: &[usize], batch: &Batch) -> Result<bool> {
        let mut tables = self.tables.borrow_mut();
        let demand = &mut tables.list[table].demand;
        let before = demand.len();
        let mut key = Vec::with_capacity(places.len());
        for i in 0..batch.n {
            key.clear();
            key.extend(places.iter().map(|p| match &args[*p] {
                Term::Const(w) => *w,
                Term::Var(v) => column_of(batch, *v).get(i),
                Term::Blank => Word::NIL,
            }));
            demand.insert(&key);
            if places.is_empty() {
                break;
            }
        }
        let added = demand.len() - before;
        drop(tables);
        self.env.budget.pay(added)?;
        Ok(added > 0)
    }

    fn join_answers(
        &self,
        table: usize,
        args: &[Term],
        range: std::ops::Range<usize>,
        demand: bool,
        batch: Batch<'e>,
        live: Mask,
    ) -> Result<Batch<'e>> {
        let mut keys: Vec<usize> = Vec::new();
        let mut free: Vec<(usize, Var)> = Vec::new();
        let mut same: Vec<(usize, usize)> = Vec::new();
        for (i, a) in args.iter().enumerate() {
            match a {
                Term::Const(_) => keys.push(i),
                Term::Var(v) if batch.cols[*v].is_some() => keys.push(i),
                Term::Var(v) => match free.iter().find(|(_, w)| w == v) {
                    Some((first, _)) => same.push((*first, i)),
                    None => free.push((i, *v)),
                },
                Term::Blank => {}
            }
        }
        let wanted: Vec<(usize, Var)> = free.iter().copied().filter(|(_, v)| live & bit(*v) != 0).collect();
        let (mut rows, mut out): (Vec<u32>, Vec<Vec<Word>>) = (Vec::new(), vec![Vec::new(); wanted.len()]);
        let mut tables = self.tables.borrow_mut();
        let t = &mut tables.list[table];
        let set = if demand { &mut t.demand } else { &mut t.answers };
        let mut key = Vec::with_capacity(keys.len());
        let mut paid = 0;
        for i in 0..batch.n {
            key.clear();
            key.extend(keys.iter().map(|k| match &args[*k] {
                Term::Const(w) => *w,
                Term::Var(v) => column_of(&batch, *v).get(i),
                Term::Blank => Word::NIL,
            }));
            let before = rows.len();
            set.lookup(&keys, &key, &range, &mut |row| {
                if same.iter().all(|(a, b)| row[*a] == row[*b]) && (!wanted.is_empty() || rows.len() == before) {
                    rows.push(i as u32);
                    for (col, (p, _)) in out.iter_mut().zip(&wanted) {
                        col.push(row[*p]);
                    }
                }
            });
            if rows.len() - paid > 65_536 {
                self.env.budget.pay(rows.len() - paid)?;
                paid = rows.len();
            }
        }
        drop(tables);
        let n = rows.len();
        let mut result = batch.gather(&rows);
        result.n = n;
        for ((_, v), c) in wanted.into_iter().zip(out) {
            result.cols[v] = Some(Col::Words(c.into()));
        }
        Ok(result)
    }

    /// The table of a rule and its bound places.
    fn table(&self, rule: usize, places: &[usize]) -> Result<usize> {
        let mut tables = self.tables.borrow_mut();
        if let Some(t) = tables.by_key.get(&(rule, places.to_vec())) {
            return Ok(*t);
        }
        let def = &self.program.rules[rule];
        let mut branches = Vec::new();
        for b in &def.branches {
            for nodes in self.alternatives(&b.nodes, def.component)? {
                branches.push(self.compile(rule, places, b.names.len(), nodes)?);
            }
        }
        let t = tables.list.len();
        tables.list.push(Table {
            rule,
            places: places.to_vec(),
            demand: RowSet::new(places.len()),
            answers: RowSet::new(def.arity),
            demand_marks: (0, 0),
            answer_marks: (0, 0),
            branches: Rc::new(branches),
        });
        tables.by_key.insert((rule, places.to_vec()), t);
        Ok(t)
    }

    /// A body with each disjunction that calls back into the component written out.
    fn alternatives(&self, nodes: &[Node], component: usize) -> Result<Vec<Vec<Node>>> {
        let mut out: Vec<Vec<Node>> = vec![Vec::new()];
        for n in nodes {
            let mut recursive = false;
            super::lower::each_call(std::slice::from_ref(n), false, &mut |r, _| {
                recursive |= self.program.rules[r].component == component;
            });
            match &n.kind {
                Kind::Or { branches } if recursive => {
                    let mut parts = Vec::new();
                    for b in branches {
                        parts.extend(self.alternatives(b, component)?);
                    }
                    if out.len() * parts.len() > MAX_ALTERNATIVES {
                        let message = format!("More than {MAX_ALTERNATIVES} alternatives in a recursive rule");
                        return Err(QueryError::at(ErrorKind::Limit, message, &n.form));
                    }
                    out = out.iter().flat_map(|a| parts.iter().map(|b| [&a[..], b].concat())).collect();
                }
                _ => out.iter_mut().for_each(|a| a.push(n.clone())),
            }
        }
        Ok(out)
    }

    /// Decides which arguments of recursive calls are bound, and makes the bodies of a round.
    fn compile(&self, rule: usize, places: &[usize], n_vars: usize, mut nodes: Vec<Node>) -> Result<Branch> {
        let component = self.program.rules[rule].component;
        let mut bound = mask(places);
        let mut left: Vec<usize> = (0..nodes.len()).collect();
        let mut calls: Vec<usize> = Vec::new();
        while !left.is_empty() {
            // Sideways: what is bound already comes first; the order here only fixes what calls are asked by.
            let score = |i: &usize| -> u32 {
                let n = &nodes[*i];
                if n.needs.iter().any(|v| bound & bit(*v) == 0) {
                    return 9;
                }
                let touches =
                    |t: &Term| matches!(t, Term::Const(_)) || matches!(t, Term::Var(v) if bound & bit(*v) != 0);
                match &n.kind {
                    Kind::Pred { .. } | Kind::Not { .. } | Kind::Call { .. } | Kind::Table { .. } => 0,
                    Kind::Pattern { terms, .. } => {
                        let ends = [terms.first(), terms.get(2)].into_iter().flatten().any(touches);
                        if ends { 1 } else { 3 }
                    }
                    Kind::Rule { args, .. } if args.iter().any(touches) => 2,
                    Kind::Or { .. } if n.vars.iter().any(|v| bound & bit(*v) != 0) => 2,
                    Kind::Or { .. } => 3,
                    _ => 4,
                }
            };
            let k = (0..left.len()).min_by_key(|k| score(&left[*k])).unwrap_or(0);
            if score(&left[k]) == 9 {
                return Err(QueryError::at(ErrorKind::Where, "Insufficient bindings", &nodes[left[k]].form));
            }
            let i = left.remove(k);
            if let Kind::Rule { rule: callee, args } = &nodes[i].kind
                && self.program.rules[*callee].component == component
            {
                let def = &self.program.rules[*callee];
                let asked: Vec<usize> = (0..args.len())
                    .filter(|j| {
                        let is_bound = match &args[*j] {
                            Term::Const(_) => true,
                            Term::Var(v) => bound & bit(*v) != 0,
                            Term::Blank => false,
                        };
                        // A table for everything asks for everything: its calls need no demand of their own.
                        is_bound && (!places.is_empty() || def.needs[*j])
                    })
                    .collect();
                let (callee, args) = (*callee, args.clone());
                for j in &asked {
                    if let Term::Var(v) = args[*j] {
                        nodes[i].needs.push(v);
                    }
                }
                nodes[i].kind = Kind::Recur { rule: callee, places: asked, args, part: Part::Answers };
                calls.push(i);
            }
            bound |= mask(&nodes[i].vars);
        }
        calls.sort_unstable();
        let mut deltas = Vec::new();
        for (k, i) in calls.iter().enumerate() {
            let Kind::Recur { rule: callee, places: asked, args, .. } = nodes[*i].kind.clone() else { continue };
            let mut rest: Vec<Node> = Vec::new();
            if !places.is_empty() {
                rest.push(Node {
                    kind: Kind::Recur {
                        rule,
                        places: places.to_vec(),
                        args: places.iter().map(|p| Term::Var(*p)).collect(),
                        part: Part::OldDemand,
                    },
                    needs: Vec::new(),
                    vars: places.to_vec(),
                    form: Edn::Nil,
                });
            }
            for (j, n) in nodes.iter().enumerate() {
                if j == *i {
                    continue;
                }
                let mut n = n.clone();
                if calls[..k].contains(&j)
                    && let Kind::Recur { part, .. } = &mut n.kind
                {
                    *part = Part::OldAnswers;
                }
                rest.push(n);
            }
            deltas.push((callee, asked, args, rest));
        }
        Ok(Branch { n_vars, whole: nodes, deltas })
    }

    /// Rounds over the tables of a component until nothing is new.
    fn solve(&self, component: usize) -> Result<()> {
        loop {
            let mine: Vec<usize> = {
                let mut tables = self.tables.borrow_mut();
                let mut mine = Vec::new();
                let mut new = false;
                for (i, t) in tables.list.iter_mut().enumerate() {
                    if self.program.rules[t.rule].component == component {
                        t.demand_marks = (t.demand_marks.1, t.demand.len());
                        t.answer_marks = (t.answer_marks.1, t.answers.len());
                        new |= t.demand_marks.0 < t.demand_marks.1 || t.answer_marks.0 < t.answer_marks.1;
                        mine.push(i);
                    }
                }
                if !new {
                    return Ok(());
                }
                mine
            };
            for t in mine {
                let (branches, places, marks, arity) = {
                    let tables = self.tables.borrow();
                    let table = &tables.list[t];
                    let arity = self.program.rules[table.rule].arity;
                    (table.branches.clone(), table.places.clone(), table.demand_marks, arity)
                };
                let head: Mask = (0..arity).fold(0, |m, v| m | bit(v));
                for b in branches.iter() {
                    if marks.0 < marks.1 {
                        let args: Vec<Term> = places.iter().map(|p| Term::Var(*p)).collect();
                        let batch = self.rows_as_batch(t, marks.0..marks.1, true, &args, b.n_vars);
                        self.derive(t, &b.whole, batch, head, arity)?;
                    }
                    for (callee, asked, args, rest) in &b.deltas {
                        let Some(u) = self.tables.borrow().by_key.get(&(*callee, asked.clone())).copied() else {
                            continue;
                        };
                        let (old, end) = self.tables.borrow().list[u].answer_marks;
                        if old < end {
                            let batch = self.rows_as_batch(u, old..end, false, args, b.n_vars);
                            self.derive(t, rest, batch, head, arity)?;
                        }
                    }
                }
            }
        }
    }

    /// Runs a body and adds what it gives to a table's answers.
    fn derive(&self, table: usize, nodes: &[Node], batch: Batch<'e>, head: Mask, arity: usize) -> Result<()> {
        if batch.n == 0 {
            return Ok(());
        }
        let nodes: Vec<&Node> = nodes.iter().collect();
        let found = self.run(&nodes, batch, head)?;
        let mut tables = self.tables.borrow_mut();
        let answers = &mut tables.list[table].answers;
        let mut row = vec![Word::NIL; arity];
        let before = answers.len();
        for i in 0..found.n {
            for (v, w) in row.iter_mut().enumerate() {
                *w = column_of(&found, v).get(i);
            }
            answers.insert(&row);
        }
        let added = answers.len() - before;
        drop(tables);
        self.env.budget.pay(added)
    }

    /// Rows of a table as a batch of the variables that the arguments name; rows that disagree with a constant or with
    /// a repeated variable are left out.
    fn rows_as_batch(
        &self,
        table: usize,
        range: std::ops::Range<usize>,
        demand: bool,
        args: &[Term],
        n_vars: usize,
    ) -> Batch<'e> {
        let tables = self.tables.borrow();
        let t = &tables.list[table];
        let set = if demand { &t.demand } else { &t.answers };
        let fits = |row: &[Word]| {
            args.iter().enumerate().all(|(i, a)| match a {
                Term::Const(w) => row[i] == *w,
                Term::Var(_) => args[..i].iter().position(|b| b == a).is_none_or(|j| row[j] == row[i]),
                Term::Blank => true,
            })
        };
        let rows: Vec<usize> = range.filter(|i| fits(set.row(*i))).collect();
        let mut batch = Batch { n: rows.len(), cols: vec![None; n_vars] };
        for (p, a) in args.iter().enumerate() {
            if let Term::Var(v) = a
                && batch.cols[*v].is_none()
            {
                batch.cols[*v] = Some(Col::Words(rows.iter().map(|i| set.row(*i)[p]).collect::<Vec<_>>().into()));
            }
        }
        batch
    }
}
