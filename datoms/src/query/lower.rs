//! Lowering: from parsed clauses to [`Node`]s, in written order.

use super::ast::{self, Binding, Clause, ClauseKind, JoinVars, Rule};
use super::env::Env;
use super::error::{ErrorKind, QueryError};
use super::func::Func;
use super::ir::*;
use crate::edn::{Edn, Symbol};
use rustc_hash::FxHashMap;

type Result<T> = std::result::Result<T, QueryError>;

/// Rules reachable from a query, lowered for their default sources.
#[derive(Default)]
pub struct Program {
    /// The rules.
    pub rules: Vec<RuleDef>,
}

/// Lowers one body after another; rules are added to the program as calls name them.
pub struct Lowering<'e, 's> {
    env: &'e Env<'s>,
    parsed: &'e [Rule],
    by_name: FxHashMap<&'e str, usize>,
    instances: FxHashMap<(usize, usize), usize>,
    program: Program,
    /// Functions that inputs bind to variables.
    functions: &'e FxHashMap<Symbol, Func>,
    /// For variables bound to lookup refs or idents, the variable that holds the entity.
    entity_of: FxHashMap<Symbol, Symbol>,
}

/// What is known of variables while a body is lowered.
struct Body<'h> {
    names: Vec<Symbol>,
    /// Level at which a variable was bound, or none yet.
    bound: Vec<Option<usize>>,
    /// For each open `not` or `or`: what it needs from outside.
    needs: Vec<Vec<Var>>,
    /// Head variables of a rule, and which of them turned out to be needed.
    head: &'h [Symbol],
    head_needs: Vec<bool>,
}

type Scope = FxHashMap<Symbol, Var>;

impl Body<'_> {
    fn fresh(&mut self, name: &Symbol) -> Var {
        self.names.push(name.clone());
        self.bound.push(None);
        self.names.len() - 1
    }

    fn level(&self) -> usize {
        self.needs.len()
    }

    fn is_bound(&self, v: Var) -> bool {
        self.bound[v].is_some()
    }

    fn bind(&mut self, v: Var) {
        let level = self.level();
        self.bound[v].get_or_insert(level);
    }

    /// Notes that a variable must be bound here; false if it is not and cannot be.
    fn require(&mut self, v: Var) -> bool {
        let level = match self.bound[v] {
            Some(level) => level,
            None if v < self.head.len() => {
                self.head_needs[v] = true;
                self.bound[v] = Some(0);
                0
            }
            None => return false,
        };
        for needs in &mut self.needs[level..] {
            if !needs.contains(&v) {
                needs.push(v);
            }
        }
        true
    }
}

/// A body of a query or rule, lowered.
pub struct Lowered {
    /// Names of its variables.
    pub names: Vec<Symbol>,
    /// Its clauses.
    pub nodes: Vec<Node>,
}

impl<'e, 's> Lowering<'e, 's> {
    /// For the rules given and the functions that inputs bind.
    pub fn new(
        env: &'e Env<'s>,
        parsed: &'e [Rule],
        functions: &'e FxHashMap<Symbol, Func>,
        entity_of: FxHashMap<Symbol, Symbol>,
    ) -> Self {
        let by_name = parsed.iter().enumerate().map(|(i, r)| (r.name.as_str(), i)).collect();
        Self {
            env,
            parsed,
            by_name,
            instances: FxHashMap::default(),
            program: Program::default(),
            functions,
            entity_of,
        }
    }

    /// Lowers the clauses of a query whose inputs bind `inputs`, in order from variable 0.
    pub fn query(mut self, clauses: &[Clause], inputs: &[Symbol], src: Option<usize>) -> Result<(Lowered, Program)> {
        let (mut scope, mut body) = (Scope::default(), new_body(&[]));
        for name in inputs {
            let v = body.fresh(name);
            body.bind(v);
            scope.insert(name.clone(), v);
        }
        let mut nodes = self.clauses(clauses, &mut scope, &mut body, src)?;
        // Needs of rules may grow while rules are lowered: repeat until they stay, then lower the query with them.
        if !self.program.rules.is_empty() {
            self.settle()?;
            (scope, body) = (Scope::default(), new_body(&[]));
            for name in inputs {
                let v = body.fresh(name);
                body.bind(v);
                scope.insert(name.clone(), v);
            }
            nodes = self.clauses(clauses, &mut scope, &mut body, src)?;
            components(&mut self.program.rules)?;
        }
        Ok((Lowered { names: body.names, nodes }, self.program))
    }

    /// Lowers all reachable rules until what they need is stable.
    fn settle(&mut self) -> Result<()> {
        // Names in rules are their own: what an input binds at top level means nothing there.
        let entity_of = std::mem::take(&mut self.entity_of);
        let result = self.settle_rules();
        self.entity_of = entity_of;
        result
    }

    fn settle_rules(&mut self) -> Result<()> {
        loop {
            let mut changed = false;
            let mut i = 0;
            while i < self.program.rules.len() {
                let (parsed_index, src) = {
                    let (name, src) = (&self.program.rules[i].name, self.program.rules[i].src);
                    (self.by_name[name.as_str()], src)
                };
                let rule: &'e Rule = &self.parsed[parsed_index];
                let mut needs = self.program.rules[i].needs.clone();
                let mut branches = Vec::new();
                for branch in &rule.branches {
                    let head: Vec<Symbol> = branch.vars.all().cloned().collect();
                    let mut body = new_body(&head);
                    let mut scope = Scope::default();
                    for name in &head {
                        let v = body.fresh(name);
                        scope.insert(name.clone(), v);
                    }
                    for (v, need) in needs.iter().enumerate() {
                        if *need {
                            body.bind(v);
                        }
                    }
                    let nodes = self.clauses(&branch.clauses, &mut scope, &mut body, Some(src))?;
                    for (v, need) in needs.iter_mut().enumerate() {
                        // What no clause binds, a caller must.
                        *need |= body.head_needs[v] || !body.is_bound(v);
                    }
                    branches.push(RuleBranch { names: body.names, nodes });
                }
                let def = &mut self.program.rules[i];
                changed |= def.needs != needs || def.branches.is_empty();
                def.needs = needs;
                def.branches = branches;
                i += 1;
            }
            if !changed {
                return Ok(());
            }
        }
    }

    fn instance(&mut self, name: &Symbol, src: usize, form: &Edn) -> Result<usize> {
        let Some(&parsed) = self.by_name.get(name.as_str()) else {
            return Err(QueryError::at(ErrorKind::Where, format!("Unknown rule '{name} in {form}"), form));
        };
        if let Some(i) = self.instances.get(&(parsed, src)) {
            return Ok(*i);
        }
        let first = &self.parsed[parsed].branches[0].vars;
        let arity = first.len();
        let needs = (0..arity).map(|i| i < first.required.len()).collect();
        let i = self.program.rules.len();
        self.program.rules.push(RuleDef { name: name.clone(), src, arity, needs, branches: Vec::new(), component: 0 });
        self.instances.insert((parsed, src), i);
        Ok(i)
    }

    fn source(&self, source: &Option<Symbol>, default: Option<usize>, form: &Edn) -> Result<usize> {
        match source {
            None => default.ok_or_else(|| QueryError::at(ErrorKind::Where, format!("No source for {form}"), form)),
            Some(s) => self
                .env
                .source_index(s)
                .ok_or_else(|| QueryError::at(ErrorKind::Where, format!("Unknown source {s} in {form}"), form)),
        }
    }

    fn clauses(
        &mut self,
        clauses: &[Clause],
        scope: &mut Scope,
        body: &mut Body,
        src: Option<usize>,
    ) -> Result<Vec<Node>> {
        clauses.iter().map(|c| self.clause(c, scope, body, src)).collect()
    }

    fn clause(&mut self, c: &Clause, scope: &mut Scope, body: &mut Body, src: Option<usize>) -> Result<Node> {
        let mut vars: Vec<Var> = Vec::new();
        let mut needs: Vec<Var> = Vec::new();
        let kind = match &c.kind {
            ClauseKind::Pattern { source, terms } => {
                let src = self.source(source, src, &c.form)?;
                let terms = self.pattern(src, terms, scope, body, &c.form)?;
                for t in &terms {
                    if let Term::Var(v) = t {
                        vars.push(*v);
                        body.bind(*v);
                    }
                }
                Kind::Pattern { src, terms }
            }
            ClauseKind::Pred { func, args } => {
                let func = self.func(func, "predicate", &c.form)?;
                let args = self.args(args, scope, body, &mut needs, &c.form)?;
                vars.extend(&needs);
                Kind::Pred { func, args }
            }
            ClauseKind::Call { func, args, binding } => {
                let func = self.func(func, "function", &c.form)?;
                let args = self.args(args, scope, body, &mut needs, &c.form)?;
                let bind = bind(binding, scope, body);
                vars.extend(&needs);
                bind.each_var(&mut |v| {
                    vars.push(v);
                    body.bind(v);
                });
                Kind::Call { func, args, bind }
            }
            ClauseKind::Rule { source, name, args } => {
                let src = match source {
                    None => src.unwrap_or(0),
                    Some(_) => self.source(source, src, &c.form)?,
                };
                let rule = self.instance(name, src, &c.form)?;
                let def = &self.program.rules[rule];
                if def.arity != args.len() {
                    let message =
                        format!("Wrong number of arguments for rule '{name} in {}, expected {}", c.form, def.arity);
                    return Err(QueryError::at(ErrorKind::Where, message, &c.form));
                }
                let rule_needs = def.needs.clone();
                let mut terms = Vec::new();
                for (t, need) in args.iter().zip(rule_needs) {
                    let t = match t {
                        ast::Term::Blank => Term::Blank,
                        ast::Term::Const(k) => Term::Const(self.env.space.encode(k)),
                        ast::Term::Var(name) => {
                            Term::Var(variable(self.entity_of.get(name).unwrap_or(name), scope, body))
                        }
                    };
                    let unbound = match t {
                        Term::Blank => need,
                        Term::Var(v) => need && !body.require(v),
                        Term::Const(_) => false,
                    };
                    if unbound {
                        return insufficient(args_vars(args), &c.form);
                    }
                    if let (Term::Var(v), true) = (&t, need) {
                        needs.push(*v);
                    }
                    terms.push(t);
                }
                for t in &terms {
                    if let Term::Var(v) = t {
                        vars.push(*v);
                        body.bind(*v);
                    }
                }
                Kind::Rule { rule, args: terms }
            }
            ClauseKind::Not { source, vars: join, clauses } => {
                let src = if source.is_some() { Some(self.source(source, src, &c.form)?) } else { src };
                let mut inner = Scope::default();
                let mut shared = Vec::new();
                match join {
                    Some(names) => {
                        for name in names {
                            let name = self.entity_of.get(name).cloned().unwrap_or_else(|| name.clone());
                            let v = variable(&name, scope, body);
                            if !body.require(v) {
                                return insufficient(vec![name], &c.form);
                            }
                            inner.insert(name, v);
                            shared.push(v);
                        }
                    }
                    None => {
                        let mut mentioned: Vec<Symbol> = Vec::new();
                        for c in clauses {
                            ast::visible_vars(c, &mut |v| {
                                for v in [Some(v), self.entity_of.get(v)].into_iter().flatten() {
                                    if !mentioned.contains(v) {
                                        mentioned.push(v.clone());
                                    }
                                }
                            });
                        }
                        for name in &mentioned {
                            // Head variables of a rule are shared even where only the caller binds them.
                            let v = match scope.get(name) {
                                Some(v) if body.is_bound(*v) || *v < body.head.len() => *v,
                                _ => continue,
                            };
                            body.require(v);
                            inner.insert(name.clone(), v);
                            shared.push(v);
                        }
                        if shared.is_empty() {
                            let message = format!(
                                "Insufficient bindings: none of {} is bound in {}",
                                set_text(&mentioned),
                                c.form
                            );
                            return Err(QueryError::at(ErrorKind::Where, message, &c.form));
                        }
                    }
                }
                needs.extend(&shared);
                vars.extend(&shared);
                body.needs.push(Vec::new());
                let saved = body.bound.clone();
                let nodes = self.clauses(clauses, &mut inner, body, src);
                restore(body, saved);
                body.needs.pop();
                Kind::Not { join: shared, body: nodes? }
            }
            ClauseKind::Or { source, vars: join, branches } => {
                let src = if source.is_some() { Some(self.source(source, src, &c.form)?) } else { src };
                self.or(c, join.as_ref(), branches, scope, body, src, &mut vars, &mut needs)?
            }
        };
        vars.sort_unstable();
        vars.dedup();
        needs.sort_unstable();
        needs.dedup();
        Ok(Node { kind, needs, vars, form: c.form.clone() })
    }

    #[allow(clippy::too_many_arguments, reason = "the state of one clause, split off for length only")]
    fn or(
        &mut self,
        c: &Clause,
        join: Option<&JoinVars>,
        branches: &[Vec<Clause>],
        scope: &mut Scope,
        body: &mut Body,
        src: Option<usize>,
        vars: &mut Vec<Var>,
        needs: &mut Vec<Var>,
    ) -> Result<Kind> {
        let rename = |name: &Symbol| self.entity_of.get(name).cloned().unwrap_or_else(|| name.clone());
        let mentioned: Vec<Vec<Symbol>> = branches
            .iter()
            .map(|b| {
                let mut names = Vec::new();
                b.iter().for_each(|c| ast::visible_vars(c, &mut |v| names.push(v.clone())));
                names.sort();
                names.dedup();
                names
            })
            .collect();
        let is_free = |name: &Symbol, scope: &Scope, body: &Body| !scope.get(name).is_some_and(|v| body.is_bound(*v));
        let disagree = || {
            let message = format!("All clauses in 'or' must use same set of free vars in {}", c.form);
            Err(QueryError::at(ErrorKind::Where, message, &c.form))
        };
        let visible: Vec<Symbol> = match join {
            Some(join) => {
                for name in &join.required {
                    let v = variable(&rename(name), scope, body);
                    if !body.require(v) {
                        return insufficient(vec![name.clone()], &c.form);
                    }
                    needs.push(v);
                }
                for name in &join.free {
                    if is_free(name, scope, body) && mentioned.iter().any(|m| !m.contains(name)) {
                        return disagree();
                    }
                }
                join.all().cloned().collect()
            }
            None => {
                let free = |m: &Vec<Symbol>| m.iter().filter(|n| is_free(n, scope, body)).cloned().collect::<Vec<_>>();
                let first = free(&mentioned[0]);
                // A rule's head variables may be bound by the caller, and then need not occur in each branch.
                let in_head = |n: &Symbol| body.head.contains(n);
                for m in &mentioned[1..] {
                    let other = free(m);
                    let mut odd =
                        first.iter().filter(|n| !other.contains(n)).chain(other.iter().filter(|n| !first.contains(n)));
                    if odd.any(|n| !in_head(n)) {
                        return disagree();
                    }
                }
                let mut all: Vec<Symbol> = mentioned.concat();
                all.sort();
                all.dedup();
                all
            }
        };
        let mut inner = Scope::default();
        for name in &visible {
            for name in [Some(name.clone()), self.entity_of.get(name).cloned()].into_iter().flatten() {
                let v = variable(&name, scope, body);
                if join.is_none() && body.head.contains(&name) && mentioned.iter().any(|m| !m.contains(&name)) {
                    body.require(v);
                    needs.push(v);
                }
                inner.insert(name, v);
                vars.push(v);
            }
        }
        body.needs.push(Vec::new());
        let mut lowered = Vec::new();
        for b in branches {
            let saved = body.bound.clone();
            let nodes = self.clauses(b, &mut inner.clone(), body, src);
            restore(body, saved);
            lowered.push(nodes?);
        }
        needs.extend(body.needs.pop().unwrap_or_default());
        // A variable made for an entity that no branch uses stays unbound; the others are bound from here on.
        let mut used = Vec::new();
        for n in lowered.iter().flatten() {
            used.extend(&n.vars);
        }
        vars.retain(|v| used.contains(v));
        // What is bound before and not bound by each branch has to stay bound before.
        let binds = |n: &Node, v: &Var| match &n.kind {
            Kind::Pred { .. } | Kind::Not { .. } => false,
            Kind::Call { bind, .. } => {
                let mut found = false;
                bind.each_var(&mut |w| found |= w == *v);
                found
            }
            _ => n.vars.contains(v) && !n.needs.contains(v),
        };
        needs.extend(
            vars.iter().filter(|v| body.is_bound(**v) && !lowered.iter().all(|b| b.iter().any(|n| binds(n, v)))),
        );
        for v in vars.iter() {
            body.bind(*v);
        }
        Ok(Kind::Or { branches: lowered })
    }

    fn pattern(
        &mut self,
        src: usize,
        terms: &[ast::Term],
        scope: &mut Scope,
        body: &mut Body,
        form: &Edn,
    ) -> Result<Vec<Term>> {
        let source = self.env.source(src);
        let db = source.is_database();
        let attr = match terms.get(1) {
            Some(ast::Term::Const(a)) => Some(self.env.space.encode(a)),
            _ => None,
        };
        let is_ref = db && attr.is_some_and(|a| self.env.attr(src, a).is_ref);
        let mut out = Vec::with_capacity(terms.len());
        for (i, t) in terms.iter().enumerate() {
            let entity_place = db && (i == 0 || (i == 2 && is_ref));
            out.push(match t {
                ast::Term::Blank => Term::Blank,
                ast::Term::Var(name) => {
                    let name = if entity_place { self.entity_of.get(name).unwrap_or(name) } else { name };
                    Term::Var(variable(name, scope, body))
                }
                ast::Term::Const(k) if entity_place => Term::Const(self.env.entity_word(src, k, i == 0, form)?),
                ast::Term::Const(k) => Term::Const(self.env.space.encode(k)),
            });
        }
        Ok(out)
    }

    fn func(&self, func: &ast::Func, what: &str, form: &Edn) -> Result<Func> {
        let found = match func {
            ast::Func::Named(name) => self.env.function(name),
            ast::Func::Var(name) => self.functions.get(name).cloned(),
        };
        found.ok_or_else(|| {
            let name = match func {
                ast::Func::Named(n) | ast::Func::Var(n) => n,
            };
            QueryError::at(ErrorKind::Where, format!("Unknown {what} '{name} in {form}"), form)
        })
    }

    fn args(
        &self,
        args: &[ast::Arg],
        scope: &mut Scope,
        body: &mut Body,
        needs: &mut Vec<Var>,
        form: &Edn,
    ) -> Result<Vec<Arg>> {
        let mut unbound = Vec::new();
        let mut out = Vec::with_capacity(args.len());
        for a in args {
            out.push(match a {
                ast::Arg::Const(k) => Arg::Const(k.clone(), self.env.space.encode(k)),
                ast::Arg::Source(s) => match self.env.source_index(s) {
                    Some(i) => Arg::Source(i),
                    None => {
                        return Err(QueryError::at(ErrorKind::Where, format!("Unknown source {s} in {form}"), form));
                    }
                },
                ast::Arg::Var(name) => {
                    let v = variable(name, scope, body);
                    if body.require(v) {
                        needs.push(v)
                    } else {
                        unbound.push(name.clone())
                    }
                    Arg::Var(v)
                }
            });
        }
        if unbound.is_empty() { Ok(out) } else { insufficient(unbound, form) }
    }
}

fn new_body(head: &[Symbol]) -> Body<'_> {
    Body { names: Vec::new(), bound: Vec::new(), needs: Vec::new(), head, head_needs: vec![false; head.len()] }
}

/// Forgets what an inner body bound; head variables that it found to be needed stay bound.
fn restore(body: &mut Body, saved: Vec<Option<usize>>) {
    for (v, b) in body.bound.iter_mut().enumerate() {
        let kept = body.head_needs.get(v) == Some(&true);
        if !kept {
            *b = saved.get(v).copied().flatten();
        }
    }
}

fn variable(name: &Symbol, scope: &mut Scope, body: &mut Body) -> Var {
    match scope.get(name) {
        Some(v) => *v,
        None => {
            let v = body.fresh(name);
            scope.insert(name.clone(), v);
            v
        }
    }
}

fn bind(b: &Binding, scope: &mut Scope, body: &mut Body) -> Bind {
    match b {
        Binding::Scalar(name) => Bind::Var(variable(name, scope, body)),
        Binding::Coll(b) => Bind::Coll(Box::new(bind(b, scope, body))),
        Binding::Tuple(bs) => Bind::Tuple(bs.iter().map(|b| bind(b, scope, body)).collect()),
        _ => Bind::Ignore,
    }
}

fn args_vars(args: &[ast::Term]) -> Vec<Symbol> {
    args.iter()
        .filter_map(|t| match t {
            ast::Term::Var(v) => Some(v.clone()),
            _ => None,
        })
        .collect()
}

fn set_text(names: &[Symbol]) -> String {
    Edn::set(names.iter().cloned().map(Edn::Symbol)).to_string()
}

fn insufficient<T>(names: Vec<Symbol>, form: &Edn) -> Result<T> {
    let message = format!("Insufficient bindings: {} not bound in {form}", set_text(&names));
    Err(QueryError::at(ErrorKind::Where, message, form))
}

/// Calls `f` with each rule called by the nodes, and whether the call is under a negation.
pub fn each_call(nodes: &[Node], negated: bool, f: &mut impl FnMut(usize, bool)) {
    for n in nodes {
        match &n.kind {
            Kind::Rule { rule, .. } => f(*rule, negated),
            Kind::Not { body, .. } => each_call(body, true, f),
            Kind::Or { branches } => branches.iter().for_each(|b| each_call(b, negated, f)),
            _ => {}
        }
    }
}

/// Numbers the strongly connected components of the rules (Tarjan, with an explicit stack) and refuses recursion
/// through negation, which has no least fixpoint.
fn components(rules: &mut [RuleDef]) -> Result<()> {
    let n = rules.len();
    let mut calls: Vec<Vec<(usize, bool)>> = Vec::with_capacity(n);
    for r in rules.iter() {
        let mut out = Vec::new();
        r.branches.iter().for_each(|b| each_call(&b.nodes, false, &mut |r, negated| out.push((r, negated))));
        calls.push(out);
    }
    let (mut index, mut low) = (vec![usize::MAX; n], vec![0; n]);
    let (mut on_stack, mut stack, mut next, mut component) = (vec![false; n], Vec::new(), 0, 0);
    for root in 0..n {
        if index[root] != usize::MAX {
            continue;
        }
        let mut work = vec![(root, 0)];
        while let Some((v, i)) = work.pop() {
            if i == 0 {
                index[v] = next;
                low[v] = next;
                next += 1;
                stack.push(v);
                on_stack[v] = true;
            }
            if let Some((w, _)) = calls[v].get(i) {
                work.push((v, i + 1));
                if index[*w] == usize::MAX {
                    work.push((*w, 0));
                } else if on_stack[*w] {
                    low[v] = low[v].min(index[*w]);
                }
                continue;
            }
            if low[v] == index[v] {
                while let Some(w) = stack.pop() {
                    on_stack[w] = false;
                    rules[w].component = component;
                    if w == v {
                        break;
                    }
                }
                component += 1;
            }
            if let Some((parent, _)) = work.last() {
                low[*parent] = low[*parent].min(low[v]);
            }
        }
    }
    for (r, calls) in calls.iter().enumerate() {
        for (callee, negated) in calls {
            if *negated && rules[r].component == rules[*callee].component {
                let message = format!("Rule '{}' depends on the negation of itself", rules[r].name);
                return Err(QueryError::new(ErrorKind::Where, message));
            }
        }
    }
    Ok(())
}
