//! Running a query: inputs in, plan or written order, results out.

use super::ast::{self, Arg, Binding, Clause, ClauseKind, FindElem, PullPattern, Query};
use super::batch::{Batch, Col, distinct_rows};
use super::env::{Budget, Env, is_lookup_ref};
use super::error::{ErrorKind, QueryError};
use super::exec::{Exec, bit, column_of, destructure};
use super::func::{self, Func, Function, Registry};
use super::ir::*;
use super::lower::{Lowered, Lowering, Program};
use super::naive;
use super::output::{Column, Output};
use super::parse::{parse_query, parse_rules};
use super::space::Space;
use crate::edn::{Edn, Symbol};
use crate::source::Source;
use crate::value::{Word, kind};
use rustc_hash::FxHashMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

type Result<T> = std::result::Result<T, QueryError>;

/// One argument of a query.
#[derive(Clone)]
pub enum Input<'s> {
    /// A database or anything else that can be scanned.
    Source(&'s dyn Source),
    /// A value: a constant, a collection, rules, a pull pattern, or rows for a `$`.
    Value(Edn),
    /// A function, predicate or aggregate.
    Function(Arc<dyn Function>),
}

impl From<Edn> for Input<'_> {
    fn from(v: Edn) -> Self {
        Input::Value(v)
    }
}

/// In which order the clauses run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// As counts suggest.
    #[default]
    Planned,
    /// As written, by the same engine.
    Written,
    /// As written, by the evaluator that defines what queries mean. For tests and small data.
    Naive,
}

/// How a query runs.
#[derive(Clone, Default)]
pub struct Options<'s> {
    /// The order of clauses.
    pub order: Order,
    /// Rows that all steps together may make; more is an error of the class [`ErrorKind::Limit`]. The same query on
    /// the same data always needs the same.
    pub fuel: Option<u64>,
    /// Rows that the result may have; more is an error of the class [`ErrorKind::Limit`].
    pub max_rows: Option<usize>,
    /// Stops the query soon after it is set.
    pub cancel: Option<Arc<AtomicBool>>,
    /// Functions of the host.
    pub functions: Option<&'s Registry>,
    /// Whether to record the steps.
    pub explain: bool,
}

/// A parsed query, to be run any number of times.
#[derive(Debug)]
pub struct Prepared {
    query: Query,
}

/// How many parsed queries are kept.
const CACHE: usize = 256;

type Cached<K, V> = Mutex<Option<FxHashMap<K, Arc<V>>>>;

fn cached<K: std::hash::Hash + Eq + Clone, V>(
    cache: &Cached<K, V>,
    key: &K,
    make: impl FnOnce() -> Result<V>,
) -> Result<Arc<V>> {
    let lock = || cache.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(found) = lock().get_or_insert_default().get(key) {
        return Ok(found.clone());
    }
    let made = Arc::new(make()?);
    let mut guard = lock();
    let map = guard.get_or_insert_default();
    if map.len() >= CACHE {
        map.clear();
    }
    map.insert(key.clone(), made.clone());
    Ok(made)
}

impl Prepared {
    /// Parses a query given as data.
    pub fn new(form: &Edn) -> Result<Self> {
        Ok(Self { query: parse_query(form)? })
    }

    /// Parses a query given as text.
    pub fn parse(text: &str) -> Result<Self> {
        let form = crate::edn::read(text).map_err(|e| QueryError::new(ErrorKind::ParserQuery, e.to_string()))?;
        Self::new(&form)
    }

    /// A query given as data, parsed now or before.
    pub fn of(form: &Edn) -> Result<Arc<Self>> {
        static QUERIES: Cached<Edn, Prepared> = Mutex::new(None);
        super::parse::check_depth(form)?;
        cached(&QUERIES, form, || Self::new(form))
    }

    /// A query given as text, parsed now or before.
    pub fn of_text(text: &str) -> Result<Arc<Self>> {
        static TEXTS: Cached<Arc<str>, Prepared> = Mutex::new(None);
        cached(&TEXTS, &Arc::from(text), || Self::parse(text))
    }

    /// The parsed form.
    pub fn query(&self) -> &Query {
        &self.query
    }

    /// Runs it.
    pub fn run(&self, inputs: &[Input], options: &Options) -> Result<Output> {
        match run(&self.query, inputs, options) {
            // A function met values that written order would have kept from it: written order decides.
            Err(e) if options.order == Order::Planned && e.kind == ErrorKind::Function => {
                run(&self.query, inputs, &Options { order: Order::Written, ..options.clone() })
            }
            result => result,
        }
    }
}

/// Runs a query given as data; parsed queries are kept.
pub fn q(form: &Edn, inputs: &[Input]) -> Result<Output> {
    Prepared::of(form)?.run(inputs, &Options::default())
}

/// Runs a query given as text; parsed queries are kept.
///
/// ```
/// use datoms::edn::Edn;
/// use datoms::query::{q_text, Input};
/// let rows = datoms::edn::read("[[1 :parent 2] [2 :parent 3]]").unwrap();
/// let rules = datoms::edn::read("[[(above ?x ?y) [?x :parent ?y]] [(above ?x ?y) [?x :parent ?z] (above ?z ?y)]]").unwrap();
/// let out = q_text("[:find ?y :in $ % :where (above 1 ?y)]", &[Input::Value(rows), Input::Value(rules)]).unwrap();
/// assert_eq!(out.to_edn(), datoms::edn::read("#{[2] [3]}").unwrap());
/// ```
pub fn q_text(text: &str, inputs: &[Input]) -> Result<Output> {
    Prepared::of_text(text)?.run(inputs, &Options::default())
}

// ---------------------------------------------------------------- inputs

/// What the inputs of a query bind.
#[derive(Default)]
struct Bound {
    /// Variables in the order of their numbers.
    names: Vec<Symbol>,
    /// One word for all rows, by variable.
    constants: Vec<(Var, Word)>,
    /// Inputs with several rows.
    tables: Vec<Node>,
    functions: FxHashMap<Symbol, Func>,
    values: FxHashMap<Symbol, Edn>,
    rules: Option<Arc<Vec<ast::Rule>>>,
    entity_of: FxHashMap<Symbol, Symbol>,
}

fn rules_of(form: &Edn) -> Result<Arc<Vec<ast::Rule>>> {
    static RULES: Cached<Edn, Vec<ast::Rule>> = Mutex::new(None);
    super::parse::check_depth(form)?;
    cached(&RULES, form, || parse_rules(form))
}

fn inputs_text(q: &Query) -> String {
    format!("[{}]", q.inputs.iter().map(show_binding).collect::<Vec<_>>().join(" "))
}

fn environment<'s>(q: &Query, inputs: &[Input<'s>], options: &Options<'s>) -> Result<Env<'s>> {
    if inputs.len() != q.inputs.len() {
        let what = if inputs.len() > q.inputs.len() { "Extra" } else { "Too few" };
        let message = format!("{what} inputs passed, expected: {}, got: {}", inputs_text(q), inputs.len());
        return Err(QueryError::new(ErrorKind::Inputs, message));
    }
    let dict = inputs.iter().find_map(|i| match i {
        Input::Source(s) => Some(s.dict().clone()),
        _ => None,
    });
    let budget = Budget::new(options.fuel, options.cancel.clone());
    let mut env = Env::new(Space::new(dict), budget, options.functions);
    for (b, i) in q.inputs.iter().zip(inputs) {
        if let Binding::Source(name) = b {
            match i {
                Input::Source(s) => env.add_source(name.clone(), *s),
                Input::Value(v) => env.add_rows(name.clone(), v)?,
                Input::Function(_) => {
                    return Err(QueryError::new(ErrorKind::Inputs, format!("A function cannot be the source {name}")));
                }
            }
        }
    }
    Ok(env)
}

fn bind_inputs(q: &Query, inputs: &[Input], env: &Env) -> Result<Bound> {
    let mut out = Bound::default();
    for (b, i) in q.inputs.iter().zip(inputs) {
        match (b, i) {
            (Binding::Source(_) | Binding::Ignore, _) => {}
            (_, Input::Source(_)) => {
                return Err(QueryError::new(
                    ErrorKind::Inputs,
                    format!("A source cannot be bound to {}", show_binding(b)),
                ));
            }
            (Binding::Rules, Input::Value(v)) => out.rules = Some(rules_of(v)?),
            (Binding::Plain(s), Input::Value(v)) => {
                out.values.insert(s.clone(), v.clone());
            }
            (Binding::Scalar(s), Input::Function(f)) => {
                out.functions.insert(s.clone(), Func::Host(f.clone()));
                // The variable is bound, to nothing that could be joined with.
                let v = out.names.len();
                out.names.push(s.clone());
                out.constants.push((v, Word::NIL));
            }
            (_, Input::Function(_)) => {
                return Err(QueryError::new(
                    ErrorKind::Inputs,
                    format!("A function cannot be bound to {}", show_binding(b)),
                ));
            }
            (_, Input::Value(value)) => bind_value(q, b, value, env, &mut out)?,
        }
    }
    Ok(out)
}

fn bind_value(q: &Query, b: &Binding, value: &Edn, env: &Env, out: &mut Bound) -> Result<()> {
    let mut vars: Vec<Symbol> = Vec::new();
    let bind = to_bind(b, &mut vars);
    if let (Binding::Scalar(s), false) = (b, needs_entity(value)) {
        let v = out.names.len();
        out.names.push(s.clone());
        out.constants.push((v, env.space.encode(value)));
        out.values.insert(s.clone(), value.clone());
        return Ok(());
    }
    let rows = destructure(&bind, value, &|| show_binding(b))?;
    if let Binding::Scalar(s) = b {
        out.values.insert(s.clone(), value.clone());
    }
    let first = out.names.len();
    out.names.extend(vars.iter().cloned());
    let mut cols: Vec<Vec<Word>> = vec![Vec::with_capacity(rows.len()); vars.len()];
    let mut unresolved = vec![false; vars.len()];
    for row in &rows {
        for (v, x) in row {
            unresolved[*v] |= needs_entity(x);
            cols[*v].push(env.space.encode(x));
        }
    }
    // Lookup refs and idents stay what they are in the result; where an entity is meant, a second variable has it.
    for v in 0..vars.len() {
        if !unresolved[v] {
            continue;
        }
        let Some(src) = entity_source(&q.clauses, &vars[v], env) else { continue };
        let mut col = Vec::with_capacity(rows.len());
        for row in &rows {
            let x = row.iter().find(|(w, _)| *w == v).map_or(&Edn::Nil, |(_, x)| x);
            col.push(if needs_entity(x) {
                match env.source(src).entity(x)? {
                    Some(e) => Word::entity(e),
                    None if is_lookup_ref(x) => {
                        return Err(QueryError::at(
                            ErrorKind::EntityMissing,
                            format!("Nothing found for entity id {x}"),
                            x,
                        ));
                    }
                    None => env.space.encode(x),
                }
            } else {
                env.space.encode(x)
            });
        }
        let name = Symbol::new(format!("{}#entity", vars[v]));
        out.entity_of.insert(vars[v].clone(), name.clone());
        out.names.push(name);
        cols.push(col);
    }
    let n = rows.len();
    let numbers: Vec<Var> = (first..out.names.len()).collect();
    if n == 1 {
        out.constants.extend(numbers.iter().zip(&cols).map(|(v, c)| (*v, c[0])));
        return Ok(());
    }
    let columns: Vec<Col> = cols.iter().map(|c| Col::Words(c.as_slice().into())).collect();
    let keep = distinct_rows(&columns.iter().collect::<Vec<_>>(), n);
    let keep = if cols.is_empty() { (0..n.min(1) as u32).collect() } else { keep };
    let cols: Vec<Vec<Word>> = cols.iter().map(|c| keep.iter().map(|i| c[*i as usize]).collect()).collect();
    if cols.is_empty() && n > 0 {
        return Ok(());
    }
    let cols = if cols.is_empty() { vec![Vec::new()] } else { cols };
    out.tables.push(Node {
        kind: Kind::Table { vars: numbers.clone(), cols: Arc::new(cols) },
        needs: Vec::new(),
        vars: numbers,
        form: Edn::symbol(&show_binding(b)),
    });
    Ok(())
}

fn to_bind(b: &Binding, vars: &mut Vec<Symbol>) -> Bind {
    match b {
        Binding::Scalar(s) => {
            vars.push(s.clone());
            Bind::Var(vars.len() - 1)
        }
        Binding::Coll(b) => Bind::Coll(Box::new(to_bind(b, vars))),
        Binding::Tuple(bs) => Bind::Tuple(bs.iter().map(|b| to_bind(b, vars)).collect()),
        _ => Bind::Ignore,
    }
}

fn needs_entity(v: &Edn) -> bool {
    matches!(v, Edn::Keyword(_)) || is_lookup_ref(v)
}

/// The database in which a variable stands for an entity somewhere, if any.
fn entity_source(clauses: &[Clause], var: &Symbol, env: &Env) -> Option<usize> {
    let index = |source: &Option<Symbol>, default: Option<usize>| match source {
        Some(s) => env.source_index(s),
        None => default,
    };
    #[allow(clippy::type_complexity, reason = "one closure, passed down the recursion")]
    fn walk(
        clauses: &[Clause],
        var: &Symbol,
        env: &Env,
        default: Option<usize>,
        index: &dyn Fn(&Option<Symbol>, Option<usize>) -> Option<usize>,
    ) -> Option<usize> {
        let is_var = |t: Option<&ast::Term>| matches!(t, Some(ast::Term::Var(v)) if v == var);
        clauses.iter().find_map(|c| match &c.kind {
            ClauseKind::Pattern { source, terms } => {
                let src = index(source, default).filter(|s| env.source(*s).is_database())?;
                let by_value = match terms.get(1) {
                    Some(ast::Term::Const(a)) => is_var(terms.get(2)) && env.attr(src, env.space.encode(a)).is_ref,
                    _ => false,
                };
                (is_var(terms.first()) || by_value).then_some(src)
            }
            ClauseKind::Rule { source, args, .. } => {
                let src = index(source, default).filter(|s| env.source(*s).is_database())?;
                args.iter().any(|a| is_var(Some(a))).then_some(src)
            }
            ClauseKind::Not { source, clauses, .. } => walk(clauses, var, env, index(source, default), index),
            ClauseKind::Or { source, branches, .. } => {
                branches.iter().find_map(|b| walk(b, var, env, index(source, default), index))
            }
            _ => None,
        })
    }
    walk(clauses, var, env, env.source_index(&Symbol::new("$")), &index)
}

// ---------------------------------------------------------------- the run

fn run(query: &Query, inputs: &[Input], options: &Options) -> Result<Output> {
    let env = environment(query, inputs, options)?;
    let bound = bind_inputs(query, inputs, &env)?;
    let default = env.source_index(&Symbol::new("$"));
    let rules: &[ast::Rule] = bound.rules.as_ref().map_or(&[], |r| r.as_slice());
    let lowering = Lowering::new(&env, rules, &bound.functions, bound.entity_of.clone());
    let (body, program) = lowering.query(&query.clauses, &bound.names, default)?;

    // What the result is made of: find variables in order, then :with.
    let elems = query.find.elems();
    let variable = |name: &Symbol| body.names.iter().position(|n| n == name);
    let mut vars: Vec<Var> = Vec::new();
    let wanted = |name: &Symbol, vars: &mut Vec<Var>| {
        if let Some(v) = variable(name)
            && !vars.contains(&v)
        {
            vars.push(v);
        }
    };
    for e in elems {
        match e {
            FindElem::Var(v) | FindElem::Pull { var: v, .. } => wanted(v, &mut vars),
            FindElem::Aggregate { args, .. } => {
                for a in args {
                    if let Arg::Var(v) = a {
                        wanted(v, &mut vars);
                    }
                }
            }
        }
    }
    query.with.iter().for_each(|v| wanted(v, &mut vars));
    for (v, name) in body.names.iter().enumerate() {
        if vars.contains(&v)
            && bound.functions.contains_key(name)
            && elems.iter().any(|e| matches!(e, FindElem::Var(n) if n == name))
        {
            return Err(QueryError::new(ErrorKind::ParserFind, format!("{name} is a function and cannot be found")));
        }
    }

    let (mut batch, steps) = match options.order {
        Order::Naive => (run_naive(&env, &program, &body, &bound, &vars)?, Vec::new()),
        order => {
            let exec = Exec::new(&env, &program, order == Order::Written, options.explain);
            let mut start = Batch::unit(body.names.len());
            for (v, w) in &bound.constants {
                start.cols[*v] = Some(Col::Const(*w));
            }
            let nodes: Vec<&Node> = bound.tables.iter().chain(&body.nodes).collect();
            let keep = vars.iter().fold(0, |m, v| m | bit(*v));
            let batch = exec.run(&nodes, start, keep)?;
            // Everything that borrows from the environment ends here.
            let owned = Batch {
                n: batch.n,
                cols: batch
                    .cols
                    .into_iter()
                    .enumerate()
                    .map(|(v, c)| c.filter(|_| vars.contains(&v)).map(owned))
                    .collect(),
            };
            (owned, exec.steps())
        }
    };
    for v in &vars {
        if batch.n > 0 && batch.cols[*v].is_none() {
            return Err(QueryError::new(ErrorKind::Where, format!("{} is not bound", body.names[*v])));
        }
    }
    if batch.n > 1 && !(options.order != Order::Naive && proves_distinct(&env, &bound, &body, &vars)) {
        let cols: Vec<&Col> = vars.iter().map(|v| column_of(&batch, *v)).collect();
        let keep = distinct_rows(&cols, batch.n);
        batch = batch.select(&keep);
    }
    if let Some(fault) = inputs.iter().find_map(|i| match i {
        Input::Source(s) => s.fault(),
        _ => None,
    }) {
        return Err(fault);
    }
    if options.max_rows.is_some_and(|m| batch.n > m) {
        return Err(QueryError::new(
            ErrorKind::Limit,
            format!("The result has more than {} rows", options.max_rows.unwrap_or(0)),
        ));
    }
    let columns = result_columns(query, &env, &bound, &body, &batch)?;
    let n = columns.first().map_or(batch.n, |c| c.0);
    let columns: Vec<Column> = columns.into_iter().map(|c| c.1).collect();
    let bag = !query.with.is_empty() || elems.iter().any(|e| !matches!(e, FindElem::Var(_)));
    Output::new(query, columns, n, bag, steps, env)
}

fn owned(c: Col<'_>) -> Col<'static> {
    match c {
        Col::Const(w) => Col::Const(w),
        Col::Ents(e) => Col::Ents(e.into_owned().into()),
        Col::Words(w) => Col::Words(w.into_owned().into()),
    }
}

fn run_naive(env: &Env, program: &Program, body: &Lowered, bound: &Bound, vars: &[Var]) -> Result<Batch<'static>> {
    let nodes: Vec<Node> = bound.tables.iter().chain(&body.nodes).cloned().collect();
    let mut start: naive::Row = vec![None; body.names.len()];
    bound.constants.iter().for_each(|(v, w)| start[*v] = Some(*w));
    let rows = naive::solve(env, program, &nodes, start)?;
    let mut batch = Batch { n: rows.len(), cols: vec![None; body.names.len()] };
    for v in vars {
        let col: Option<Vec<Word>> = rows.iter().map(|r| r[*v]).collect();
        batch.cols[*v] = col.map(|c| Col::Words(c.into()));
    }
    Ok(batch)
}

/// Whether rows that are distinct in all variables are distinct in some: keys of the attributes decide.
fn proves_distinct(env: &Env, bound: &Bound, body: &Lowered, vars: &[Var]) -> bool {
    let mut known: Vec<bool> = vec![false; body.names.len()];
    vars.iter().for_each(|v| known[*v] = true);
    bound.constants.iter().for_each(|(v, _)| known[*v] = true);
    let mut rules: Vec<(Vec<Var>, Var)> = Vec::new();
    for n in &body.nodes {
        match &n.kind {
            Kind::Pattern { src, terms } => {
                let Some(Term::Const(attr)) = terms.get(1) else {
                    // A wild place may have made several rows of one.
                    if terms.contains(&Term::Blank) || env.source(*src).arity() > terms.len() {
                        return false;
                    }
                    continue;
                };
                let traits = env.attr(*src, *attr);
                if terms.len() > 3 || env.column(*src, *attr).is_none() {
                    return false;
                }
                match (terms.first(), terms.get(2)) {
                    (Some(Term::Var(e)), Some(Term::Var(v))) => {
                        if !traits.many {
                            rules.push((vec![*e], *v));
                        }
                        if traits.unique {
                            rules.push((vec![*v], *e));
                        }
                    }
                    (Some(Term::Const(_)), Some(Term::Var(v))) if !traits.many => rules.push((Vec::new(), *v)),
                    (Some(Term::Var(e)), Some(Term::Const(_))) if traits.unique => rules.push((Vec::new(), *e)),
                    // A blank never makes rows here: it is only asked whether there is one.
                    _ => {}
                }
            }
            Kind::Call { args, bind: Bind::Var(v), .. } => {
                let from = args.iter().filter_map(|a| match a {
                    super::ir::Arg::Var(v) => Some(*v),
                    _ => None,
                });
                rules.push((from.collect(), *v));
            }
            Kind::Call { .. } => return false,
            Kind::Rule { args, .. } if args.iter().all(|a| matches!(a, Term::Var(_))) => {}
            Kind::Rule { .. } => return false,
            _ => {}
        }
    }
    loop {
        let mut changed = false;
        for (from, to) in &rules {
            if !known[*to] && from.iter().all(|v| known[*v]) {
                known[*to] = true;
                changed = true;
            }
        }
        if !changed {
            break;
        }
    }
    let mut used: Vec<Var> = bound.tables.iter().chain(&body.nodes).flat_map(|n| n.vars.iter().copied()).collect();
    used.sort_unstable();
    used.dedup();
    used.iter().all(|v| known[*v])
}

// ---------------------------------------------------------------- results

/// The columns of the result, each with the number of rows.
fn result_columns(
    query: &Query,
    env: &Env,
    bound: &Bound,
    body: &Lowered,
    batch: &Batch<'static>,
) -> Result<Vec<(usize, Column)>> {
    let elems = query.find.elems();
    let variable = |name: &Symbol| body.names.iter().position(|n| n == name).unwrap_or(usize::MAX);
    let col =
        |name: &Symbol| batch.cols.get(variable(name)).and_then(|c| c.clone()).unwrap_or(Col::Words(Vec::new().into()));
    let aggregated = elems.iter().any(|e| matches!(e, FindElem::Aggregate { .. }));
    let groups = if aggregated { Some(group(elems, batch, &variable)) } else { None };
    let n = groups.as_ref().map_or(batch.n, |g| g.firsts.len());
    let mut out = Vec::new();
    for e in elems {
        out.push(match e {
            FindElem::Var(v) => {
                let c = col(v);
                let c = match &groups {
                    Some(g) => c.gather(&g.firsts),
                    None => c,
                };
                (
                    n,
                    match c {
                        Col::Const(w) => Column::Const(w),
                        Col::Ents(e) => Column::Ents(e.into_owned()),
                        Col::Words(w) => Column::Words(w.into_owned()),
                    },
                )
            }
            FindElem::Pull { source, var, pattern } => {
                let src = env
                    .source_index(source)
                    .ok_or_else(|| QueryError::new(ErrorKind::ParserQuery, format!("Unknown source {source}")))?;
                let pattern = match pattern {
                    PullPattern::Const(p) => p.clone(),
                    PullPattern::Input(name) => bound.values.get(name).cloned().ok_or_else(|| {
                        QueryError::new(ErrorKind::ParserFind, format!("{name} holds no pull pattern"))
                    })?,
                };
                let c = col(var);
                let mut values = Vec::with_capacity(n);
                for i in 0..n {
                    let row = groups.as_ref().map_or(i, |g| g.firsts[i] as usize);
                    values.push(env.source(src).pull(&pattern, &env.space.decode(c.get(row)), env.registry)?);
                }
                (n, Column::Values(values))
            }
            FindElem::Aggregate { func, args } => {
                let empty = Groups::default();
                let g = groups.as_ref().unwrap_or(&empty);
                (n, aggregate(func, args, g, env, bound, batch, &variable)?)
            }
        });
    }
    Ok(out)
}

/// Rows by group: the group of each row, and the first row of each group.
#[derive(Default)]
struct Groups {
    of: Vec<u32>,
    firsts: Vec<u32>,
}

fn group(elems: &[FindElem], batch: &Batch, variable: &dyn Fn(&Symbol) -> usize) -> Groups {
    let keys: Vec<&Col> = elems
        .iter()
        .filter_map(|e| match e {
            FindElem::Var(v) | FindElem::Pull { var: v, .. } => batch.cols.get(variable(v)).and_then(|c| c.as_ref()),
            FindElem::Aggregate { .. } => None,
        })
        .filter(|c| !matches!(c, Col::Const(_)))
        .collect();
    let mut g = Groups::default();
    if batch.n == 0 {
        return g;
    }
    if keys.is_empty() {
        return Groups { of: vec![0; batch.n], firsts: vec![0] };
    }
    g.of.reserve(batch.n);
    if let [key] = keys[..] {
        // A small table in front: groups are few more often than not.
        let mut recent = [(Word::NIL, u32::MAX); 64];
        let mut seen: FxHashMap<Word, u32> = FxHashMap::default();
        for i in 0..batch.n {
            let w = key.get(i);
            let slot = &mut recent[(w.0.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58) as usize];
            if slot.1 == u32::MAX || slot.0 != w {
                let next = g.firsts.len() as u32;
                let id = *seen.entry(w).or_insert(next);
                if id == next {
                    g.firsts.push(i as u32);
                }
                *slot = (w, id);
            }
            g.of.push(slot.1);
        }
        return g;
    }
    let mut seen: FxHashMap<Vec<Word>, u32> = FxHashMap::default();
    for i in 0..batch.n {
        let next = g.firsts.len() as u32;
        let id = *seen.entry(keys.iter().map(|c| c.get(i)).collect()).or_insert(next);
        if id == next {
            g.firsts.push(i as u32);
        }
        g.of.push(id);
    }
    g
}

fn aggregate(
    func: &ast::Func,
    args: &[Arg],
    g: &Groups,
    env: &Env,
    bound: &Bound,
    batch: &Batch,
    variable: &dyn Fn(&Symbol) -> usize,
) -> Result<Column> {
    let host = match func {
        ast::Func::Named(name) => env.host_function(name.as_str()),
        ast::Func::Var(name) => Some(
            bound
                .functions
                .get(name)
                .cloned()
                .ok_or_else(|| QueryError::new(ErrorKind::Where, format!("Unknown aggregate '{name}")))?,
        ),
    };
    let Some((Arg::Var(last), constants)) = args.split_last() else {
        return Err(QueryError::new(ErrorKind::ParserFind, "The last argument of an aggregate must be a variable"));
    };
    let nothing = Col::Words(Vec::new().into());
    let col = batch.cols.get(variable(last)).and_then(|c| c.as_ref()).unwrap_or(&nothing);
    let name = match func {
        ast::Func::Named(n) => n.as_str(),
        ast::Func::Var(n) => n.as_str(),
    };
    if host.is_none()
        && constants.is_empty()
        && let Some(column) = fast_aggregate(name, g, col)
    {
        return Ok(column);
    }
    let builtin = if host.is_none() {
        Some(
            func::aggregate(name)
                .ok_or_else(|| QueryError::new(ErrorKind::Where, format!("Unknown aggregate '{name}")))?,
        )
    } else {
        None
    };
    let mut values: Vec<Vec<Edn>> = vec![Vec::new(); g.firsts.len()];
    for (i, id) in g.of.iter().enumerate() {
        values[*id as usize].push(env.space.decode(col.get(i)));
    }
    let before = |id: usize| {
        let mut before: Vec<Edn> = Vec::new();
        for a in constants {
            match a {
                Arg::Const(k) => before.push(k.clone()),
                Arg::Var(v) => {
                    let c = batch.cols.get(variable(v)).and_then(|c| c.as_ref());
                    before.push(c.map_or(Edn::Nil, |c| env.space.decode(c.get(g.firsts[id] as usize))));
                }
                Arg::Source(_) => {}
            }
        }
        before
    };
    let mut out = Vec::with_capacity(values.len());
    match (&host, builtin) {
        (Some(f), _) => {
            let calls: Vec<Vec<Edn>> = values
                .into_iter()
                .enumerate()
                .map(|(id, values)| {
                    let mut args = before(id);
                    args.push(Edn::vector(values));
                    args
                })
                .collect();
            if let Func::Host(h) = f
                && h.looks_ahead()
            {
                h.foresee(&[], &mut calls.iter().cloned())?;
            }
            for args in calls {
                out.push(f.call(&[], &args)?);
            }
        }
        (None, Some(f)) => {
            for (id, values) in values.into_iter().enumerate() {
                out.push(f(&before(id), &values)?);
            }
        }
        (None, None) => out.resize(values.len(), Edn::Nil),
    }
    Ok(Column::Values(out))
}

/// Counts, sums and extremes of integers, straight on the column. `None` where the general way is needed.
fn fast_aggregate(name: &str, g: &Groups, col: &Col) -> Option<Column> {
    let n = g.firsts.len();
    if name == "count" {
        let mut counts = vec![0i64; n];
        g.of.iter().for_each(|id| counts[*id as usize] += 1);
        return Some(Column::Values(counts.into_iter().map(Edn::Int).collect()));
    }
    if !matches!(name, "sum" | "min" | "max") {
        return None;
    }
    let Col::Words(words) = col else { return None };
    if words.iter().any(|w| w.kind() != kind::INT) {
        return None;
    }
    if name == "sum" {
        let mut sums = vec![0i64; n];
        for (id, w) in g.of.iter().zip(words.iter()) {
            let s = &mut sums[*id as usize];
            *s = s.checked_add(w.as_int()?)?;
        }
        return Some(Column::Values(sums.into_iter().map(Edn::Int).collect()));
    }
    let mut best: Vec<Word> = g.firsts.iter().map(|i| words[*i as usize]).collect();
    for (id, w) in g.of.iter().zip(words.iter()) {
        let b = &mut best[*id as usize];
        *b = if name == "min" { (*b).min(*w) } else { (*b).max(*w) };
    }
    Some(Column::Words(best))
}
