//! The meaning of queries: row by row, clause by clause, as written.
//!
//! Nothing here is fast and nothing is clever; it shares only the lowered clauses with the engine. Rules are tables of
//! answers by call, filled again and again from the start until nothing changes. Tests compare the engine with it.

use super::env::Env;
use super::exec::{Result, destructure};
use super::ir::*;
use super::lower::Program;
use crate::value::Word;
use std::collections::{BTreeMap, BTreeSet};

/// A row: the word of each variable that is bound.
pub type Row = Vec<Option<Word>>;

type Call = (usize, Vec<Option<Word>>);

struct Naive<'e, 's> {
    env: &'e Env<'s>,
    program: &'e Program,
    answers: BTreeMap<Call, BTreeSet<Vec<Word>>>,
    changed: bool,
}

/// All rows of some clauses that extend a given one.
pub fn solve(env: &Env, program: &Program, nodes: &[Node], start: Row) -> Result<Vec<Row>> {
    let mut n = Naive { env, program, answers: BTreeMap::new(), changed: false };
    loop {
        n.changed = false;
        let rows = n.body(nodes, vec![start.clone()])?;
        if !n.changed {
            return Ok(rows);
        }
        n.fixpoint()?;
    }
}

impl Naive<'_, '_> {
    fn fixpoint(&mut self) -> Result<()> {
        loop {
            self.changed = false;
            let calls: Vec<Call> = self.answers.keys().cloned().collect();
            for call in calls {
                let (rule, args) = &call;
                let program = self.program;
                for b in &program.rules[*rule].branches {
                    let mut row: Row = vec![None; b.names.len()];
                    row[..args.len()].copy_from_slice(args);
                    for found in self.body(&b.nodes, vec![row])? {
                        let answer: Option<Vec<Word>> = found[..args.len()].iter().copied().collect();
                        if let (Some(a), Some(set)) = (answer, self.answers.get_mut(&call)) {
                            let added = set.insert(a);
                            self.changed |= added;
                            self.env.budget.pay(usize::from(added))?;
                        }
                    }
                }
            }
            if !self.changed {
                self.changed = true;
                return Ok(());
            }
        }
    }

    fn body(&mut self, nodes: &[Node], mut rows: Vec<Row>) -> Result<Vec<Row>> {
        for n in nodes {
            let mut out = Vec::new();
            for row in &rows {
                self.node(n, row, &mut out)?;
            }
            self.env.budget.pay(out.len())?;
            rows = out;
        }
        Ok(rows)
    }

    fn node(&mut self, node: &Node, row: &Row, out: &mut Vec<Row>) -> Result<()> {
        match &node.kind {
            Kind::Pattern { src, terms } => {
                let bound: Vec<Option<Word>> = terms.iter().map(|t| known(t, row)).collect();
                self.env.scan(*src, &bound, &mut |found| {
                    out.extend(unify(terms, found, row));
                    Ok(())
                })
            }
            Kind::Pred { func, args } => {
                if self.env.call(func, args, &mut |v| row[v].unwrap_or(Word::NIL))?.is_truthy() {
                    out.push(row.clone());
                }
                Ok(())
            }
            Kind::Call { func, args, bind } => {
                let value = self.env.call(func, args, &mut |v| row[v].unwrap_or(Word::NIL))?;
                if value.is_nil() {
                    return Ok(());
                }
                for assignment in destructure(bind, &value, &|| "its binding".into())? {
                    let (terms, words): (Vec<Term>, Vec<Word>) =
                        assignment.iter().map(|(v, x)| (Term::Var(*v), self.env.space.encode(x))).unzip();
                    out.extend(unify(&terms, &words, row));
                }
                Ok(())
            }
            Kind::Table { vars, cols } => {
                let terms: Vec<Term> = vars.iter().map(|v| Term::Var(*v)).collect();
                for i in 0..cols.first().map_or(1, Vec::len) {
                    let words: Vec<Word> = cols.iter().map(|c| c[i]).collect();
                    out.extend(unify(&terms, &words, row));
                }
                Ok(())
            }
            Kind::Rule { rule, args } => {
                let call = (*rule, args.iter().map(|t| known(t, row)).collect::<Vec<_>>());
                match self.answers.get(&call) {
                    Some(answers) => out.extend(answers.iter().filter_map(|a| unify(args, a, row))),
                    None => {
                        self.answers.insert(call, BTreeSet::new());
                        self.changed = true;
                    }
                }
                Ok(())
            }
            // Only the engine's own bodies have these.
            Kind::Recur { .. } => Ok(()),
            Kind::Not { join, body } => {
                let mut inner: Row = vec![None; row.len()];
                join.iter().for_each(|v| inner[*v] = row[*v]);
                // What is negated is complete before it is asked.
                if solve(self.env, self.program, body, inner)?.is_empty() {
                    out.push(row.clone());
                }
                Ok(())
            }
            Kind::Or { branches } => {
                for b in branches {
                    let mut inner: Row = vec![None; row.len()];
                    node.vars.iter().for_each(|v| inner[*v] = row[*v]);
                    for found in self.body(b, vec![inner])? {
                        let mut whole = row.clone();
                        node.vars.iter().for_each(|v| whole[*v] = found[*v]);
                        out.push(whole);
                    }
                }
                Ok(())
            }
        }
    }
}

fn known(t: &Term, row: &Row) -> Option<Word> {
    match t {
        Term::Blank => None,
        Term::Const(w) => Some(*w),
        Term::Var(v) => row[*v],
    }
}

/// The row with the variables of `terms` bound to `words`, if they agree.
fn unify(terms: &[Term], words: &[Word], row: &Row) -> Option<Row> {
    if words.len() < terms.len() {
        return None;
    }
    let mut out = row.clone();
    for (t, w) in terms.iter().zip(words) {
        match t {
            Term::Blank => {}
            Term::Const(k) if k == w => {}
            Term::Const(_) => return None,
            Term::Var(v) => match out[*v] {
                Some(x) if x == *w => {}
                Some(_) => return None,
                None => out[*v] = Some(*w),
            },
        }
    }
    Some(out)
}
