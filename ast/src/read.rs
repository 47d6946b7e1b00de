//! From datoms to nodes.
//!
//! Takes what [`facts`](crate::datoms::facts) writes and gives back the same nodes with the same ids. It also takes facts
//! that say less: parents before children, any entity numbers, shared entities (each use becomes a node of its own), no
//! root (then what no other node refers to is one), lambdas with `:yin/params [x y]` only, and variables without
//! `:yin/refers-to`, which are then looked up by name in the scopes around them.

use crate::check::{self, MAX_DEPTH};
use crate::datoms::{ASSERT, FIRST, Fact, RETRACT};
use crate::schema::{Kind, Shape};
use crate::store::{Ast, NodeId, Span};
use ::datoms::edn::{Edn, Keyword, read_all};
use rustc_hash::{FxHashMap as HashMap, FxHashSet as HashSet};
use std::collections::BTreeMap;

/// Most nodes that shared entities may unfold to.
const MAX_NODES: usize = 1 << 24;

/// Why facts are no program.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FactError {
    /// The entity at fault, 0 for the whole.
    pub e: i64,
    pub message: String,
}

impl std::fmt::Display for FactError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.e == 0 { write!(f, "{}", self.message) } else { write!(f, "entity {}: {}", self.e, self.message) }
    }
}

fn wrong<T>(e: i64, message: impl Into<String>) -> Result<T, Vec<FactError>> {
    Err(vec![FactError { e, message: message.into() }])
}

/// Facts from EDN text: vectors `[e a v]`, `[e a v t]` or `[e a v t m]`, one after the other or in one vector.
///
/// # Errors
/// The text is no EDN, or a form is no fact.
pub fn parse(text: &str) -> Result<Vec<Fact>, FactError> {
    let err = |message: String| FactError { e: 0, message };
    let forms = read_all(text).map_err(|x| err(format!("{}:{}: {}", x.line, x.column, x.message)))?;
    let rows: &[Edn] = match forms.as_slice() {
        [one] if one.as_seq().is_some_and(|r| r.iter().all(|x| x.as_seq().is_some())) => one.as_seq().unwrap_or(&[]),
        rows => rows,
    };
    rows.iter()
        .map(|row| {
            let f = row.as_seq().unwrap_or(&[]);
            let (Some(e), Some(a), Some(v)) =
                (f.first().and_then(Edn::as_int), f.get(1).and_then(Edn::as_keyword), f.get(2))
            else {
                return Err(err(format!("a fact is [e :a v t m], not {row}")));
            };
            let number = |i: usize, default| f.get(i).map_or(Some(default), Edn::as_int);
            match (number(3, 0), number(4, ASSERT), f.len()) {
                (Some(t), Some(m), ..=5) => Ok(Fact { e, a: a.clone(), v: v.clone(), t, m }),
                _ => Err(err(format!("a fact is [e :a v t m], not {row}"))),
            }
        })
        .collect()
}

/// What is known of an entity.
#[derive(Default)]
struct Entity {
    kind: Option<Kind>,
    t: i64,
    /// Values by attribute, in the order asserted; where one value is wanted the last one counts.
    values: HashMap<Keyword, Vec<Edn>>,
    /// Children as the node table lists them, entities.
    children: Vec<Option<i64>>,
    /// Names of parameters that are no entities: those of a lambda with `:yin/params` only.
    params: Option<(Vec<String>, Option<String>)>,
    /// Nodes that the entity unfolds to, and how deep.
    size: usize,
    depth: usize,
}

impl Entity {
    fn last(&self, attr: &str) -> Option<&Edn> {
        self.values.get(&Keyword::new(attr))?.last()
    }
    fn int(&self, attr: &str) -> Option<i64> {
        self.last(attr)?.as_int()
    }
    fn name(&self) -> Option<String> {
        Some(match self.last("yin/name")? {
            Edn::Symbol(s) => s.as_str().to_string(),
            Edn::Str(s) => s.to_string(),
            _ => return None,
        })
    }
}

/// Appends the nodes that facts describe; the new roots.
///
/// # Errors
/// Everything that is wrong with them, as far as it can be told; nothing was appended then.
pub fn read(ast: &mut Ast, facts: &[Fact]) -> Result<Vec<NodeId>, Vec<FactError>> {
    let (mut entities, order) = gather(facts)?;
    children(&mut entities)?;
    sizes(&mut entities, &order)?;
    let roots = roots(&entities, &order);
    if roots.is_empty() {
        return wrong(0, "there is no root");
    }
    // Work on a copy of nothing: a store that continues the ids, taken over when all is well.
    let mut new = ast.continuation();
    let mut b =
        Builder { entities: &entities, ast: &mut new, made: HashMap::default(), scopes: Vec::new(), files: Vec::new() };
    let mut new_roots =
        if b.in_order() { b.direct(&roots) } else { roots.iter().map(|r| b.unfold(*r)).collect::<Result<_, _>>()? };
    let made: HashMap<NodeId, i64> = b.made.iter().map(|(e, id)| (*id, *e)).collect();
    new_roots.sort();
    new_roots.iter().for_each(|r| new.add_root(*r));
    let problems = check::check(&new, NodeId(ast.len() as u32));
    if !problems.is_empty() {
        let error = |p: check::Problem| FactError { e: made.get(&p.node).copied().unwrap_or(0), message: p.message };
        return Err(problems.into_iter().map(error).collect());
    }
    ast.append(new);
    Ok(new_roots)
}

/// The program that facts describe, with the ids that they have if those are dense.
///
/// # Errors
/// As [`read`].
pub fn program(facts: &[Fact]) -> Result<Ast, Vec<FactError>> {
    let least = facts.iter().map(|f| f.e).min().unwrap_or(FIRST);
    let base = u32::try_from(least - FIRST).unwrap_or(0);
    let mut ast = Ast::after_image(base, 0);
    read(&mut ast, facts)?;
    Ok(ast)
}

type Entities = BTreeMap<i64, Entity>;

/// Facts by entity, and the typed entities in order of appearance.
fn gather(facts: &[Fact]) -> Result<(Entities, Vec<i64>), Vec<FactError>> {
    let mut by_t: Vec<&Fact> = facts.iter().collect();
    by_t.sort_by_key(|f| f.t);
    let mut entities = Entities::new();
    let mut order = Vec::new();
    for f in by_t {
        let e = entities.entry(f.e).or_default();
        let values = e.values.entry(f.a.clone()).or_default();
        if f.m == RETRACT {
            values.retain(|v| *v != f.v);
        } else {
            values.push(f.v.clone());
            if f.a.as_str() == "yin/type" {
                order.push(f.e);
                e.t = f.t;
            }
        }
    }
    let mut errors = Vec::new();
    for (&id, e) in &mut entities {
        let Some(kind) = e.last("yin/type") else { continue };
        match kind.as_keyword().and_then(|k| Kind::named(k.as_str())) {
            Some(k) => e.kind = Some(k),
            None => errors.push(FactError { e: id, message: format!("there is no node type {kind}") }),
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    entities.retain(|_, e| e.kind.is_some());
    let mut seen = HashSet::default();
    order.retain(|e| entities.contains_key(e) && seen.insert(*e));
    Ok((entities, order))
}

/// Fills in `children` and `params`.
fn children(entities: &mut Entities) -> Result<(), Vec<FactError>> {
    let known: HashMap<i64, Kind> = entities.iter().filter_map(|(id, e)| Some((*id, e.kind?))).collect();
    let mut errors = Vec::new();
    for (&id, e) in entities.iter_mut() {
        let info = e.kind.expect("only typed entities are left").info();
        let mut out = Vec::new();
        let only_names = e.kind == Some(Kind::Lambda) && !e.values.contains_key(&Keyword::new("yin/parameters"));
        for c in info.children {
            let values = e.values.get(&Keyword::new(c.attr)).map_or(&[][..], |v| v);
            let refs: Option<Vec<i64>> = match (c.shape, values) {
                // Asserted one by one, or all in one vector.
                (Shape::Many, v) if v.iter().all(|x| x.as_int().is_some()) => v.iter().map(Edn::as_int).collect(),
                (Shape::Many, [.., last]) => last.as_seq().and_then(|r| r.iter().map(Edn::as_int).collect()),
                (_, [.., last]) => last.as_int().map(|x| vec![x]),
                (_, []) => Some(Vec::new()),
            };
            let Some(refs) = refs else {
                errors.push(FactError { e: id, message: format!(":{} must refer to nodes", c.attr) });
                continue;
            };
            for r in &refs {
                let message = match known.get(r) {
                    None => format!(":{} refers to {r}, which is no node", c.attr),
                    Some(k) if !c.role.takes(*k) => {
                        format!(":{} refers to {r}, a {}, which cannot stand there", c.attr, k.info().name)
                    }
                    Some(_) => continue,
                };
                errors.push(FactError { e: id, message });
            }
            match c.shape {
                Shape::Many => out.extend(refs.into_iter().map(Some)),
                _ => out.push(refs.last().copied()),
            }
        }
        e.children = out;
        if only_names {
            match e.last("yin/params").map_or(Some(Vec::new()), param_names) {
                Some(mut names) => {
                    let rest = names.iter().position(|n| n == "&").map(|at| names.split_off(at));
                    match rest.as_deref() {
                        None => e.params = Some((names, None)),
                        Some([_, rest]) => e.params = Some((names, Some(rest.clone()))),
                        _ => errors.push(FactError { e: id, message: "one name follows &".into() }),
                    }
                }
                None => errors.push(FactError { e: id, message: ":yin/params must be a vector of symbols".into() }),
            }
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

fn param_names(v: &Edn) -> Option<Vec<String>> {
    v.as_seq()?.iter().map(|s| Some(s.as_symbol()?.as_str().to_string())).collect()
}

/// Bounds depth and number of nodes, and finds cycles, before anything is built.
fn sizes(entities: &mut Entities, order: &[i64]) -> Result<(), Vec<FactError>> {
    let mut open = HashSet::default();
    for &start in order {
        let mut work = vec![(start, 0)];
        while let Some((id, next)) = work.last_mut() {
            let (id, at) = (*id, *next);
            *next += 1;
            let e = &entities[&id];
            if at == 0 {
                if e.size > 0 {
                    work.pop();
                    continue;
                }
                if !open.insert(id) {
                    return wrong(id, "the node contains itself");
                }
            }
            if let Some(c) = e.children.get(at) {
                if let Some(c) = c {
                    work.push((*c, 0));
                }
                continue;
            }
            let kids = || e.children.iter().flatten().map(|c| &entities[c]);
            let size = kids().map(|k| k.size).fold(1usize, usize::saturating_add);
            let depth = kids().map(|k| k.depth).max().unwrap_or(0) + 1;
            if depth > MAX_DEPTH {
                return wrong(id, format!("nodes are nested deeper than {MAX_DEPTH}"));
            }
            if size > MAX_NODES {
                return wrong(id, format!("shared nodes unfold to more than {MAX_NODES}"));
            }
            let params = e.params.as_ref().map_or(0, |p| p.0.len() + 1);
            let e = entities.get_mut(&id).expect("just read");
            (e.size, e.depth) = (size + params, depth);
            open.remove(&id);
            work.pop();
        }
    }
    Ok(())
}

/// Roots as stated; else the expressions no other node has as a child. In order of appearance.
fn roots(entities: &Entities, order: &[i64]) -> Vec<i64> {
    let stated: Vec<i64> =
        order.iter().copied().filter(|id| entities[id].last("yin/root").is_some_and(Edn::is_truthy)).collect();
    if !stated.is_empty() {
        return stated;
    }
    let used: HashSet<i64> = entities.values().flat_map(|e| e.children.iter().flatten().copied()).collect();
    let free = |id: &i64| !used.contains(id) && entities[id].kind.is_some_and(Kind::is_expr);
    order.iter().copied().filter(free).collect()
}

struct Builder<'a> {
    entities: &'a Entities,
    ast: &'a mut Ast,
    /// Node that an entity became last.
    made: HashMap<i64, NodeId>,
    /// Names in scope and their binders, innermost last.
    scopes: Vec<(String, NodeId)>,
    files: Vec<((String, String), u32)>,
}

impl Builder<'_> {
    /// Can the entities become nodes in the order of their numbers, with nothing added?
    fn in_order(&self) -> bool {
        let binders: HashSet<String> =
            self.entities.values().filter(|e| e.kind.is_some_and(Kind::is_binder)).filter_map(|e| e.name()).collect();
        let Some((&least, _)) = self.entities.iter().next() else { return false };
        let mut used = HashSet::default();
        self.entities.iter().enumerate().all(|(i, (&id, e))| {
            let refers = e.int("yin/refers-to");
            least.checked_add(i as i64) == Some(id)
                && e.params.is_none()
                && e.children.iter().flatten().all(|c| *c < id && used.insert(*c))
                && refers.is_none_or(|b| b < id)
                && (e.kind != Some(Kind::Variable)
                    || refers.is_some()
                    || e.name().is_none_or(|n| !binders.contains(&n)))
        })
    }
    fn direct(&mut self, roots: &[i64]) -> Vec<NodeId> {
        for (&id, e) in self.entities {
            let c: Vec<NodeId> = e.children.iter().map(|c| c.map_or(NodeId::NONE, |c| self.made[&c])).collect();
            self.node(id, e, &c);
        }
        roots.iter().map(|r| self.made[r]).collect()
    }
    /// A node of its own for every use.
    fn unfold(&mut self, root: i64) -> Result<NodeId, Vec<FactError>> {
        struct Open {
            e: i64,
            next: usize,
            done: Vec<NodeId>,
            scope: usize,
        }
        let mut work = vec![Open { e: root, next: 0, done: Vec::new(), scope: 0 }];
        self.scopes.clear();
        loop {
            let w = work.last_mut().expect("the root is taken off last");
            let (id, at) = (w.e, w.next);
            w.next += 1;
            let e = &self.entities[&id];
            let kind = e.kind.expect("typed");
            if at == 0 {
                w.scope = self.scopes.len();
                if let Some((names, rest)) = &e.params {
                    let span = self.span(e);
                    self.ast.set_t(e.t);
                    for n in names.iter().chain(rest) {
                        let p = self.ast.named(Kind::Parameter, span, n, &[]);
                        self.scopes.push((n.clone(), p));
                        w.done.push(p);
                    }
                    if rest.is_none() {
                        w.done.push(NodeId::NONE);
                    }
                }
                if kind == Kind::Letrec {
                    // What the functions refer to each other by exists before them.
                    let bindings = e.children.iter().flatten().map(|b| &self.entities[b]);
                    for b in bindings.filter(|b| b.kind == Some(Kind::Binding)) {
                        let (Some(p), Some(name)) = (b.int("yin/refers-to"), b.name()) else { continue };
                        let span = self.span(b);
                        self.ast.set_t(b.t);
                        let node = self.ast.named(Kind::Parameter, span, &name, &[]);
                        self.made.insert(p, node);
                        self.scopes.push((name, node));
                    }
                }
            }
            // A lambda with names only has just its body as a child of the facts.
            let skip = if e.params.is_some() { e.children.len() - 1 } else { 0 };
            match e.children.get(at + skip) {
                Some(Some(c)) => work.push(Open { e: *c, next: 0, done: Vec::new(), scope: 0 }),
                Some(None) => w.done.push(NodeId::NONE),
                None => {
                    let Open { done, scope, .. } = work.pop().expect("just looked at");
                    if matches!(
                        kind,
                        Kind::Lambda | Kind::Function | Kind::Let | Kind::Loop | Kind::Letrec | Kind::Catch
                    ) {
                        self.scopes.truncate(scope);
                    }
                    if kind.info().repeated(done.len()).is_none() {
                        return wrong(id, format!("a {} does not have {} children", kind.info().name, done.len()));
                    }
                    let node = self.node(id, e, &done);
                    if kind.is_binder()
                        && self.ast.refers_to(node).is_none()
                        && let Some(n) = e.name()
                    {
                        self.scopes.push((n, node));
                    }
                    match work.last_mut() {
                        Some(parent) => parent.done.push(node),
                        None => return Ok(node),
                    }
                }
            }
        }
    }
    /// Appends the node of an entity.
    fn node(&mut self, id: i64, e: &Entity, children: &[NodeId]) -> NodeId {
        let kind = e.kind.expect("typed");
        let span = self.span(e);
        self.ast.set_t(e.t);
        let node = self.ast.add(kind, span, children);
        let info = kind.info();
        if info.named
            && let Some(n) = e.name()
        {
            self.ast.set_name(node, &n);
        }
        if info.valued {
            match e.last("yin/value") {
                Some(v) => self.ast.set_value(node, v.clone()),
                // Index forms of facts leave nil out.
                None if kind == Kind::Literal => self.ast.set_value(node, Edn::Nil),
                None => {}
            }
        }
        if matches!(kind, Kind::Variable | Kind::Binding) {
            let binder = match e.int("yin/refers-to") {
                Some(b) => self.made.get(&b).copied(),
                None if kind == Kind::Variable => {
                    let name = e.name().unwrap_or_default();
                    self.scopes.iter().rev().find(|s| s.0 == name).map(|s| s.1)
                }
                None => None,
            };
            if let Some(b) = binder {
                self.ast.set_refers_to(node, b);
            }
        }
        if e.last("yin/tail?").is_some_and(Edn::is_truthy) {
            self.ast.set_tail(node);
        }
        self.made.insert(id, node);
        node
    }
    fn span(&mut self, e: &Entity) -> Span {
        let Some(name) = e.last("yin/file").and_then(Edn::as_str) else { return Span::NONE };
        let lang = e.last("yin/lang").and_then(Edn::as_keyword).map_or("clojure", Keyword::as_str);
        let file = match self.files.iter().find(|f| f.0.0 == name && f.0.1 == lang) {
            Some(f) => f.1,
            None => {
                let id = self.ast.add_file_known_by_name(name, lang);
                self.files.push(((name.into(), lang.into()), id));
                id
            }
        };
        let number = |a: &str| e.int(a).and_then(|i| u32::try_from(i).ok());
        let mut place = |offset: &str, line: &str, column: &str| {
            let (l, c) = (number(line).unwrap_or(1), number(column).unwrap_or(1));
            // Without offsets, any that keep the order of places will do.
            let at = number(offset).unwrap_or((l << 12) | c.min(4095));
            if let Some(f) = self.ast.file_mut(file) {
                f.mark(at, (l, c));
            }
            at
        };
        let start = place("yin/start", "yin/line", "yin/column");
        let end = place("yin/end", "yin/end-line", "yin/end-column");
        Span { file, start, end }
    }
}
