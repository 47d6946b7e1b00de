//! The query parser: forms to [`Query`] and [`Rule`]s, with the checks that need no database.
//!
//! The grammar is DataScript's, with Datomic's map form and the extensions `:order-by`, `:limit` and `:offset`. The
//! depth of forms is bounded by the reader; forms built by hand are checked against the same bound.

use super::ast::*;
use super::error::{ErrorKind, QueryError};
use crate::edn::{Edn, MAX_DEPTH, Symbol};
use std::collections::BTreeMap;

type Result<T> = std::result::Result<T, QueryError>;

fn err<T>(kind: ErrorKind, message: impl Into<String>, form: &Edn) -> Result<T> {
    Err(QueryError::at(kind, message, form))
}

/// Parses a query given as a vector or a map.
pub fn parse_query(form: &Edn) -> Result<Query> {
    check_depth(form)?;
    let sections = sections(form)?;
    let section = |name: &str| sections.get(name).map(|v| v.as_slice());
    for name in sections.keys() {
        if !matches!(
            name.as_str(),
            "find" | "with" | "in" | "where" | "keys" | "syms" | "strs" | "order-by" | "limit" | "offset"
        ) {
            return err(ErrorKind::ParserQuery, format!("Unknown section of a query: :{name}"), form);
        }
    }
    let find = parse_find(section("find").unwrap_or(&[]), form)?;
    let with = match section("with") {
        None => Vec::new(),
        Some(vars) if !vars.is_empty() => {
            vars.iter().map(|v| variable(v).ok_or(())).collect::<std::result::Result<Vec<_>, _>>().or_else(|()| {
                err(ErrorKind::Other("parser/with"), "Cannot parse :with clause, expected [ variable+ ]", form)
            })?
        }
        Some(_) => Vec::new(),
    };
    let clauses = parse_clauses(section("where").unwrap_or(&[]), 0)?;
    let inputs = match section("in") {
        Some(forms) => forms.iter().map(|b| parse_binding(b, true)).collect::<Result<Vec<_>>>()?,
        None if uses_default_source(&clauses) => vec![Binding::Source(Symbol::new("$"))],
        None => Vec::new(),
    };
    let keys = parse_keys(&sections, &find, form)?;
    let query = Query {
        order: parse_order(section("order-by").unwrap_or(&[]), &find)?,
        limit: parse_count(section("limit"), "limit", form)?,
        offset: parse_count(section("offset"), "offset", form)?.unwrap_or(0),
        find,
        with,
        keys,
        inputs,
        clauses,
    };
    validate(&query, form)?;
    Ok(query)
}

/// Values built by hand can be nested without bound; what walks them recurses.
pub fn check_depth(form: &Edn) -> Result<()> {
    let mut stack = vec![(form, 0)];
    while let Some((f, depth)) = stack.pop() {
        if depth > MAX_DEPTH {
            return Err(QueryError::new(ErrorKind::ParserQuery, format!("Nested deeper than {MAX_DEPTH}")));
        }
        match f {
            Edn::List(v) | Edn::Vector(v) | Edn::Set(v) => stack.extend(v.iter().map(|x| (x, depth + 1))),
            Edn::Map(m) => stack.extend(m.iter().flat_map(|(k, v)| [(k, depth + 1), (v, depth + 1)])),
            Edn::Tagged(t) => stack.push((&t.1, depth + 1)),
            _ => {}
        }
    }
    Ok(())
}

fn sections(form: &Edn) -> Result<BTreeMap<String, Vec<Edn>>> {
    let mut out: BTreeMap<String, Vec<Edn>> = BTreeMap::new();
    match form {
        Edn::Map(pairs) => {
            for (k, v) in pairs.iter() {
                let Some(k) = k.as_keyword() else {
                    return err(ErrorKind::ParserQuery, "Keys of a query map must be keywords", form);
                };
                let items = match v {
                    Edn::Int(_) => vec![v.clone()],
                    Edn::Nil => Vec::new(),
                    _ => match v.as_seq() {
                        Some(items) => items.to_vec(),
                        None => return err(ErrorKind::ParserQuery, format!("Section {k} must be a vector"), form),
                    },
                };
                out.insert(k.as_str().to_string(), items);
            }
        }
        _ => {
            let Some(items) = form.as_seq() else {
                return err(ErrorKind::ParserQuery, "Query should be a vector or a map", form);
            };
            let mut current: Option<&mut Vec<Edn>> = None;
            let mut ordering = false;
            for item in items {
                match (item.as_keyword(), &mut current) {
                    (Some(k), Some(section)) if ordering && matches!(k.as_str(), "asc" | "desc") => {
                        section.push(item.clone());
                    }
                    (Some(k), _) => {
                        if out.contains_key(k.as_str()) {
                            return err(ErrorKind::ParserQuery, format!("Section {k} is given twice"), form);
                        }
                        ordering = k.as_str() == "order-by";
                        current = Some(out.entry(k.as_str().to_string()).or_default());
                    }
                    (None, Some(section)) => section.push(item.clone()),
                    (None, None) => return err(ErrorKind::ParserQuery, "Query should start with :find", form),
                }
            }
        }
    }
    Ok(out)
}

fn parse_count(section: Option<&[Edn]>, name: &str, form: &Edn) -> Result<Option<usize>> {
    match section {
        None => Ok(None),
        Some([Edn::Int(n)]) if *n >= 0 => Ok(Some(*n as usize)),
        Some(_) => err(ErrorKind::ParserQuery, format!(":{name} takes one number, 0 or more"), form),
    }
}

fn variable(form: &Edn) -> Option<Symbol> {
    form.as_symbol().filter(|s| is_var(s)).cloned()
}

fn source(form: &Edn) -> Option<Symbol> {
    form.as_symbol().filter(|s| is_source(s)).cloned()
}

fn plain(form: &Edn) -> Option<Symbol> {
    form.as_symbol().filter(|s| !is_var(s) && !is_source(s) && !matches!(s.as_str(), "%" | "_")).cloned()
}

fn is_symbol(form: &Edn, text: &str) -> bool {
    form.as_symbol().is_some_and(|s| s.as_str() == text)
}

// ---------------------------------------------------------------- :find

fn parse_find(items: &[Edn], form: &Edn) -> Result<Find> {
    let fail = || {
        err(
            ErrorKind::ParserFind,
            "Cannot parse :find, expected: (find-rel | find-coll | find-tuple | find-scalar)",
            form,
        )
    };
    match items {
        [] => fail(),
        [x, dot] if is_symbol(dot, ".") => Ok(Find::Scalar(parse_elem(x)?)),
        [Edn::Vector(inner)] => match &inner[..] {
            [x, dots] if is_symbol(dots, "...") => Ok(Find::Coll(parse_elem(x)?)),
            [] => fail(),
            elems => Ok(Find::Tuple(elems.iter().map(parse_elem).collect::<Result<_>>()?)),
        },
        elems => Ok(Find::Rel(elems.iter().map(parse_elem).collect::<Result<_>>()?)),
    }
}

fn parse_elem(form: &Edn) -> Result<FindElem> {
    if let Some(v) = variable(form) {
        return Ok(FindElem::Var(v));
    }
    let fail = |what: &str| err(ErrorKind::ParserFind, what.to_string(), form);
    let Some([head, args @ ..]) = form.as_seq() else {
        return fail("Cannot parse :find element, expected a variable, an aggregate or a pull");
    };
    if is_symbol(head, "pull") {
        let (src, rest) = match args {
            [s, rest @ ..] if source(s).is_some() => (source(s), rest),
            rest => (None, rest),
        };
        let [var, pattern] = rest else {
            return fail(
                "Cannot parse pull expression, expected [ \"pull\" src-var? variable (constant | variable | plain-symbol) ]",
            );
        };
        let Some(var) = variable(var) else {
            return fail(
                "Cannot parse pull expression, expected [ \"pull\" src-var? variable (constant | variable | plain-symbol) ]",
            );
        };
        let pattern = match pattern.as_symbol() {
            Some(s) => PullPattern::Input(s.clone()),
            None => PullPattern::Const(pattern.clone()),
        };
        return Ok(FindElem::Pull { source: src.unwrap_or_else(|| Symbol::new("$")), var, pattern });
    }
    if is_symbol(head, "aggregate") {
        let [f, args @ ..] = args else {
            return fail("Cannot parse custom aggregate call, expect [ 'aggregate' variable fn-arg+ ]");
        };
        let Some(f) = variable(f).filter(|_| !args.is_empty()) else {
            return fail("Cannot parse custom aggregate call, expect [ 'aggregate' variable fn-arg+ ]");
        };
        return Ok(FindElem::Aggregate { func: Func::Var(f), args: aggregate_args(args, form)? });
    }
    match plain(head) {
        Some(name) if !args.is_empty() => {
            Ok(FindElem::Aggregate { func: Func::Named(name), args: aggregate_args(args, form)? })
        }
        _ => fail("Cannot parse aggregate expression, expected [ aggregate-fn fn-arg+ ]"),
    }
}

fn aggregate_args(args: &[Edn], form: &Edn) -> Result<Vec<Arg>> {
    let args: Vec<Arg> = args.iter().map(parse_arg).collect();
    match args.last() {
        Some(Arg::Var(_)) => Ok(args),
        _ => err(ErrorKind::ParserFind, "The last argument of an aggregate must be a variable", form),
    }
}

fn parse_arg(form: &Edn) -> Arg {
    if let Some(v) = variable(form) {
        Arg::Var(v)
    } else if let Some(s) = source(form) {
        Arg::Source(s)
    } else {
        Arg::Const(form.clone())
    }
}

fn parse_keys(sections: &BTreeMap<String, Vec<Edn>>, find: &Find, form: &Edn) -> Result<Option<Vec<Edn>>> {
    let given: Vec<&str> = ["keys", "syms", "strs"].into_iter().filter(|k| sections.contains_key(*k)).collect();
    let kind = match given[..] {
        [] => return Ok(None),
        [kind] => kind,
        _ => return err(ErrorKind::ParserQuery, "Only one of :keys/:syms/:strs must be present", form),
    };
    match find {
        Find::Scalar(_) => {
            return err(ErrorKind::ParserQuery, format!(":{kind} does not work with single-scalar :find"), form);
        }
        Find::Coll(_) => {
            return err(ErrorKind::ParserQuery, format!(":{kind} does not work with collection :find"), form);
        }
        _ => {}
    }
    let names = &sections[kind];
    if names.len() != find.elems().len() {
        return err(ErrorKind::ParserQuery, format!("Count of :{kind} must match count of :find"), form);
    }
    let keys = names.iter().map(|n| {
        let Some(s) = n.as_symbol() else {
            return err(ErrorKind::ParserQuery, format!("Cannot parse :{kind}, expected [ symbol+ ]"), form);
        };
        Ok(match kind {
            "keys" => Edn::keyword(s.as_str()),
            "syms" => n.clone(),
            _ => Edn::from(s.as_str()),
        })
    });
    keys.collect::<Result<Vec<_>>>().map(Some)
}

/// `:order-by [?a :desc ?b]`: variables of the result, or positions from 0, each with an optional direction.
fn parse_order(items: &[Edn], find: &Find) -> Result<Vec<OrderBy>> {
    let mut out: Vec<OrderBy> = Vec::new();
    let items = match items {
        [Edn::Vector(inner)] => inner,
        items => items,
    };
    for item in items {
        let fail = || {
            err(ErrorKind::ParserQuery, "Cannot parse :order-by, expected (variable | position) (:asc | :desc)?", item)
        };
        match item {
            Edn::Keyword(k) => match (k.as_str(), out.last_mut()) {
                ("asc", Some(last)) => last.descending = false,
                ("desc", Some(last)) => last.descending = true,
                _ => return fail(),
            },
            Edn::Int(i) if usize::try_from(*i).is_ok_and(|i| i < find.elems().len()) => {
                out.push(OrderBy { column: *i as usize, descending: false });
            }
            _ => {
                let column = variable(item)
                    .and_then(|v| find.elems().iter().position(|e| matches!(e, FindElem::Var(w) if *w == v)));
                match column {
                    Some(column) => out.push(OrderBy { column, descending: false }),
                    None => return fail(),
                }
            }
        }
    }
    Ok(out)
}

// ---------------------------------------------------------------- bindings

/// Parses a binding; sources, rules and plain symbols only at the top of `:in`.
pub(super) fn parse_binding(form: &Edn, input: bool) -> Result<Binding> {
    if is_symbol(form, "_") {
        return Ok(Binding::Ignore);
    }
    if let Some(v) = variable(form) {
        return Ok(Binding::Scalar(v));
    }
    if input {
        if let Some(s) = source(form) {
            return Ok(Binding::Source(s));
        }
        if is_symbol(form, "%") {
            return Ok(Binding::Rules);
        }
        if let Some(s) = plain(form) {
            return Ok(Binding::Plain(s));
        }
    }
    match form.as_seq() {
        Some([]) => err(ErrorKind::ParserBinding, "Tuple binding cannot be empty", form),
        Some([b, dots]) if is_symbol(dots, "...") => Ok(Binding::Coll(Box::new(parse_binding(b, false)?))),
        Some([inner]) if inner.as_seq().is_some() => Ok(Binding::Coll(Box::new(parse_binding(inner, false)?))),
        Some(items) => Ok(Binding::Tuple(items.iter().map(|b| parse_binding(b, false)).collect::<Result<_>>()?)),
        None => err(
            ErrorKind::ParserBinding,
            "Cannot parse binding, expected (bind-scalar | bind-tuple | bind-coll | bind-rel)",
            form,
        ),
    }
}

// ---------------------------------------------------------------- :where

/// How deeply clauses may stand inside of clauses; each level is a level of every later stage.
const MAX_CLAUSES: usize = 64;

fn parse_clauses(forms: &[Edn], depth: usize) -> Result<Vec<Clause>> {
    forms.iter().map(|f| parse_clause(f, depth)).collect()
}

fn parse_clause(form: &Edn, depth: usize) -> Result<Clause> {
    let fail = |message: &str| err(ErrorKind::ParserWhere, message, form);
    if depth > MAX_CLAUSES {
        return fail(&format!("Clauses nested deeper than {MAX_CLAUSES}"));
    }
    let depth = depth + 1;
    let Some(items) = form.as_seq() else {
        return fail(
            "Cannot parse clause, expected (data-pattern | pred-expr | fn-expr | rule-expr | not-clause | not-join-clause | or-clause | or-join-clause)",
        );
    };
    let clause = |kind| Ok(Clause { kind, form: form.clone() });
    let (src, rest) = match items {
        [s, rest @ ..] if source(s).is_some() => (source(s), rest),
        rest => (None, rest),
    };
    match rest {
        [head, body @ ..] if is_symbol(head, "not") => {
            if body.is_empty() {
                return fail("Cannot parse 'not' clause, expected [ src-var? 'not' clause+ ]");
            }
            clause(ClauseKind::Not { source: src, vars: None, clauses: parse_clauses(body, depth)? })
        }
        [head, body @ ..] if is_symbol(head, "not-join") => {
            let expected = "Cannot parse 'not-join' clause, expected [ src-var? 'not-join' [ variable+ ] clause+ ]";
            let [vars, body @ ..] = body else { return fail(expected) };
            let vars = match vars.as_seq() {
                Some(vars) if !vars.is_empty() => vars.iter().map(variable).collect::<Option<Vec<_>>>(),
                _ => None,
            };
            match vars {
                Some(vars) if !body.is_empty() => {
                    let clauses = parse_clauses(body, depth)?;
                    clause(ClauseKind::Not { source: src, vars: Some(vars), clauses })
                }
                _ => fail(expected),
            }
        }
        [head, body @ ..] if is_symbol(head, "or") => {
            if body.is_empty() {
                return fail("Cannot parse 'or' clause, expected [ src-var? 'or' clause+ ]");
            }
            clause(ClauseKind::Or { source: src, vars: None, branches: parse_branches(body, depth)? })
        }
        [head, body @ ..] if is_symbol(head, "or-join") => {
            let expected = "Cannot parse 'or-join' clause, expected [ src-var? 'or-join' [ variable+ ] clause+ ]";
            let [vars, body @ ..] = body else { return fail(expected) };
            if body.is_empty() {
                return fail(expected);
            }
            let vars = parse_join_vars(vars.as_seq().unwrap_or(&[]), vars)?;
            clause(ClauseKind::Or { source: src, vars: Some(vars), branches: parse_branches(body, depth)? })
        }
        [head, ..] if is_symbol(head, "and") => fail("'and' may stand only inside 'or' and 'or-join'"),
        [Edn::List(call), binding @ ..] if src.is_none() && binding.len() <= 1 => {
            let [head, args @ ..] = &call[..] else { return fail("Cannot parse an empty call") };
            let func = match (variable(head), plain(head)) {
                (Some(v), _) => Func::Var(v),
                (_, Some(name)) => Func::Named(name),
                _ => return fail("Cannot parse a call, expected a function name or variable in front"),
            };
            let args = args.iter().map(parse_arg).collect();
            match binding {
                [] => clause(ClauseKind::Pred { func, args }),
                [b, ..] => clause(ClauseKind::Call { func, args, binding: parse_binding(b, false)? }),
            }
        }
        [head, args @ ..] if plain(head).is_some() => {
            if args.is_empty() {
                return fail("rule-expr requires at least one argument");
            }
            let name = plain(head).unwrap_or_else(|| Symbol::new("_"));
            clause(ClauseKind::Rule { source: src, name, args: args.iter().map(parse_term).collect() })
        }
        [] => fail("Pattern could not be empty"),
        terms => clause(ClauseKind::Pattern { source: src, terms: terms.iter().map(parse_term).collect() }),
    }
}

fn parse_branches(forms: &[Edn], depth: usize) -> Result<Vec<Vec<Clause>>> {
    let branch = |f: &Edn| match f.as_seq() {
        Some([head, body @ ..]) if is_symbol(head, "and") => {
            if body.is_empty() {
                return err(ErrorKind::ParserWhere, "Cannot parse 'and' clause, expected [ 'and' clause+ ]", f);
            }
            parse_clauses(body, depth)
        }
        _ => Ok(vec![parse_clause(f, depth)?]),
    };
    forms.iter().map(branch).collect()
}

fn parse_term(form: &Edn) -> Term {
    if is_symbol(form, "_") {
        Term::Blank
    } else if let Some(v) = variable(form) {
        Term::Var(v)
    } else {
        Term::Const(form.clone())
    }
}

fn parse_join_vars(items: &[Edn], form: &Edn) -> Result<JoinVars> {
    let fail = || {
        err(
            ErrorKind::ParserRuleVars,
            "Cannot parse rule-vars, expected [ variable+ | ([ variable+ ] variable*) ]",
            form,
        )
    };
    let (required, free) = match items {
        [first, rest @ ..] if first.as_seq().is_some() => (first.as_seq().unwrap_or(&[]), rest),
        rest => (&[][..], rest),
    };
    let all = |v: &[Edn]| v.iter().map(variable).collect::<Option<Vec<_>>>();
    let (Some(required), Some(free)) = (all(required), all(free)) else { return fail() };
    let vars = JoinVars { required, free };
    if vars.is_empty() {
        return fail();
    }
    let mut names: Vec<&Symbol> = vars.all().collect();
    names.sort();
    if names.windows(2).any(|w| w[0] == w[1]) {
        return err(ErrorKind::ParserRuleVars, "Rule variables should be distinct", form);
    }
    Ok(vars)
}

// ---------------------------------------------------------------- rules

/// Parses a collection of rules; the branches of a rule may stand apart from each other.
pub fn parse_rules(form: &Edn) -> Result<Vec<Rule>> {
    check_depth(form)?;
    let text;
    let form = match form {
        Edn::Str(s) => {
            text = crate::edn::read(s).map_err(|e| QueryError::new(ErrorKind::ParserRule, e.to_string()))?;
            &text
        }
        _ => form,
    };
    let Some(items) = form.as_coll() else {
        return err(ErrorKind::ParserRule, "Rules should be a collection", form);
    };
    let mut rules: Vec<Rule> = Vec::new();
    for item in items {
        let expected = "Cannot parse rule, expected [ rule-head clause+ ]";
        let Some([head, body @ ..]) = item.as_seq() else { return err(ErrorKind::ParserRule, expected, item) };
        let Some([name, vars @ ..]) = head.as_seq() else {
            return err(ErrorKind::ParserRule, "Cannot parse rule head, expected [rule-name rule-vars]", item);
        };
        let Some(name) = plain(name) else {
            return err(ErrorKind::ParserRule, "Cannot parse rule name, expected plain-symbol", item);
        };
        let vars = parse_join_vars(vars, head)?;
        if body.is_empty() {
            return err(ErrorKind::ParserRule, "Rule branch should have clauses", item);
        }
        let branch = Branch { vars, clauses: parse_clauses(body, 0)? };
        match rules.iter_mut().find(|r| r.name == name) {
            None => rules.push(Rule { name, branches: vec![branch] }),
            Some(rule) => {
                let first = &rule.branches[0].vars;
                if (first.required.len(), first.free.len()) != (branch.vars.required.len(), branch.vars.free.len()) {
                    let show =
                        |v: &JoinVars| Edn::list(v.all().cloned().map(Edn::Symbol).collect::<Vec<_>>()).to_string();
                    let message =
                        format!("Arity mismatch for rule '{name}': {} vs. {}", show(first), show(&branch.vars));
                    return err(ErrorKind::ParserRule, message, item);
                }
                rule.branches.push(branch);
            }
        }
    }
    Ok(rules)
}

// ---------------------------------------------------------------- checks of the whole

/// True if a data pattern stands without a source or with `$`, or a clause names `$` in front.
fn uses_default_source(clauses: &[Clause]) -> bool {
    let dollar = |s: &Option<Symbol>| s.as_ref().is_some_and(|s| s.as_str() == "$");
    clauses.iter().any(|c| match &c.kind {
        ClauseKind::Pattern { source, .. } => source.is_none() || dollar(source),
        ClauseKind::Not { source, clauses, .. } => dollar(source) || uses_default_source(clauses),
        ClauseKind::Or { source, branches, .. } => dollar(source) || branches.iter().any(|b| uses_default_source(b)),
        ClauseKind::Rule { source, .. } => dollar(source),
        _ => false,
    })
}

/// What the clauses mention, at any depth.
#[derive(Default)]
struct Mentions<'a> {
    sources: Vec<&'a Symbol>,
    rules: bool,
}

fn mentions<'a>(clauses: &'a [Clause], m: &mut Mentions<'a>) {
    for c in clauses {
        match &c.kind {
            ClauseKind::Pattern { source, .. } => m.sources.extend(source),
            ClauseKind::Rule { source, .. } => {
                m.sources.extend(source);
                m.rules = true;
            }
            ClauseKind::Pred { args, .. } | ClauseKind::Call { args, .. } => {
                m.sources.extend(args.iter().filter_map(|a| match a {
                    Arg::Source(s) => Some(s),
                    _ => None,
                }));
            }
            ClauseKind::Not { source, clauses, .. } => {
                m.sources.extend(source);
                mentions(clauses, m);
            }
            ClauseKind::Or { source, branches, .. } => {
                m.sources.extend(source);
                branches.iter().for_each(|b| mentions(b, m));
            }
        }
    }
}

fn vector_text<'a>(symbols: impl IntoIterator<Item = &'a Symbol>) -> String {
    Edn::vector(symbols.into_iter().cloned().map(Edn::Symbol).collect::<Vec<_>>()).to_string()
}

fn validate(q: &Query, form: &Edn) -> Result<()> {
    let fail = |message: String| err(ErrorKind::ParserQuery, message, form);
    let mut input_vars: Vec<&Symbol> = Vec::new();
    q.inputs.iter().for_each(|b| b.each_var(&mut |v| input_vars.push(v)));
    let sources: Vec<&Symbol> = q
        .inputs
        .iter()
        .filter_map(|b| match b {
            Binding::Source(s) => Some(s),
            _ => None,
        })
        .collect();
    let rules = q.inputs.iter().filter(|b| matches!(b, Binding::Rules)).count();
    let mut known: Vec<&Symbol> = input_vars.clone();
    q.clauses.iter().for_each(|c| visible_vars(c, &mut |v| known.push(v)));
    let mut wanted: Vec<&Symbol> = Vec::new();
    for e in q.find.elems() {
        match e {
            FindElem::Var(v) | FindElem::Pull { var: v, .. } => wanted.push(v),
            FindElem::Aggregate { func, args } => {
                if let Func::Var(v) = func {
                    wanted.push(v);
                }
                wanted.extend(args.iter().filter_map(|a| match a {
                    Arg::Var(v) => Some(v),
                    _ => None,
                }));
            }
        }
    }
    let shared: Vec<&Symbol> = q.with.iter().filter(|v| wanted.contains(v)).collect();
    if !shared.is_empty() {
        return fail(format!(":find and :with should not use same variables: {}", vector_text(shared)));
    }
    let mut unknown: Vec<&Symbol> = Vec::new();
    for v in wanted.into_iter().chain(&q.with) {
        if !known.contains(&v) && !unknown.contains(&v) {
            unknown.push(v);
        }
    }
    if !unknown.is_empty() {
        return fail(format!("Query for unknown vars: {}", vector_text(unknown)));
    }
    let distinct = |v: &[&Symbol]| {
        let mut v = v.to_vec();
        v.sort();
        v.windows(2).all(|w| w[0] != w[1])
    };
    if !distinct(&input_vars) || !distinct(&sources) || rules > 1 {
        return fail("Vars used in :in should be distinct".into());
    }
    if !distinct(&q.with.iter().collect::<Vec<_>>()) {
        return fail("Vars used in :with should be distinct".into());
    }
    let mut m = Mentions::default();
    mentions(&q.clauses, &mut m);
    let mut unknown: Vec<&Symbol> = Vec::new();
    for s in m.sources {
        if !sources.contains(&s) && !unknown.contains(&s) {
            unknown.push(s);
        }
    }
    if !unknown.is_empty() {
        return fail(format!("Where uses unknown source vars: {}", vector_text(unknown)));
    }
    if m.rules && rules == 0 {
        return fail("Missing rules var '%' in :in".into());
    }
    for e in q.find.elems() {
        if let FindElem::Pull { source, pattern, .. } = e {
            if !sources.contains(&source) {
                return fail(format!("Find uses unknown source vars: {}", vector_text([source])));
            }
            if let PullPattern::Input(p) = pattern {
                let known = q.inputs.iter().any(|b| matches!(b, Binding::Scalar(s) | Binding::Plain(s) if s == p));
                if !known {
                    return fail(format!("Find uses an unknown pull pattern: {p}"));
                }
            }
        }
    }
    Ok(())
}
