//! Passes: rules whose heads rewrite nodes, applied until none applies.
//!
//! The clauses of a rewrite are a query over the nodes of the roots at hand. A round finds all places, then copies each root in
//! which there is one, with the templates in their place; the nodes it was made from stay. Every copy remembers its original and
//! every new node the application that made it, so that one can ask why it is there. A root is looked at by itself: what another
//! definition says may change while a program runs. So an edit makes anew what was derived from roots that changed, and nothing
//! else; roots are known by their content hash.

use super::library::{Rules, get};
use super::{Arrays, attr_table, globals, show};
use crate::layout::slot;
use crate::machine::{Exit, Vm};
use crate::value::Value;
use datoms::edn::{Edn, Symbol};
use datoms::lazy::{Lazy, Lexicon, Part, Union};
use datoms::query::{Input, Options, Prepared};
use rustc_hash::{FxHashMap, FxHashSet};
use std::sync::Arc;
use yin_ast::hash::Hash;
use yin_ast::source::{entity, node, program_from};
use yin_ast::{Ast, Kind, NodeId, Span};

/// The passes that ship.
pub const SHIPPED: &str = include_str!("rules/passes.edn");

attr_table! {
    FROM reference "yin.pass/from" "of an application of a rule: the node it rewrote";
    TO reference "yin.pass/to" "the node it made";
    PASS value "yin.pass/pass" "name of the pass, a symbol";
    RULE value "yin.pass/rule" "which of the pass's rewrites, from 0";
    ROUND value "yin.pass/round" "the round, from 1: the transaction of what it made";
    INPUT values "yin.pass/input" "a node that the clauses matched";
    DERIVED reference "yin.pass/derived-from" "of a node that a round made: the node it is a copy of";
    BY reference "yin.pass/by" "of a node that a rule made: the application";
}

/// Most rounds over one root; rules that go round in circles end here.
pub const MAX_ROUNDS: usize = 32;

struct Rewrite {
    pass: String,
    index: usize,
    node: usize,
    template: Edn,
    vars: Vec<Symbol>,
    query: Prepared,
    rules: Edn,
}

/// One application of a rule.
#[derive(Clone, Debug)]
pub struct Application {
    pub pass: String,
    /// Which rewrite of the pass.
    pub rule: usize,
    /// The round it was made in.
    pub round: usize,
    pub from: NodeId,
    pub to: NodeId,
    /// What the clauses bound.
    pub inputs: Vec<(Symbol, Edn)>,
}

/// What passes did, in numbers.
#[derive(Clone, Default, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Roots looked at, and how many of them were known from before.
    pub roots: usize,
    pub reused: usize,
    /// Roots that became something else.
    pub changed: usize,
    pub rounds: usize,
    /// Applications by pass.
    pub by_pass: Vec<(String, usize)>,
    pub nodes_before: usize,
    pub nodes_after: usize,
}

/// Passes ready to run, and everything they derived.
pub struct Passes {
    rewrites: Vec<Rewrite>,
    lexicon: Arc<Lexicon>,
    globals: Option<Lazy<Arrays>>,
    pub applications: Vec<Application>,
    /// Copies and their originals.
    pub origin: FxHashMap<NodeId, NodeId>,
    known: FxHashMap<Hash, NodeId>,
    pub counts: Counts,
}

impl Passes {
    /// The passes of a text; the library of rules is there too.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn new(text: &str) -> Result<Passes, String> {
        let mut rules = Rules::library();
        let from = rules.entries.len();
        rules.add(text)?;
        let mut rewrites = Vec::new();
        let mut by_pass = Vec::new();
        for e in &rules.entries[from..] {
            let Some(list) = get(e, "rewrite") else { continue };
            let name =
                get(e, "pass").map(ToString::to_string).ok_or("an entry with :rewrite needs a :pass, its name")?;
            by_pass.push((name.clone(), 0));
            for (index, r) in list.as_seq().ok_or(":rewrite takes a vector of rules")?.iter().enumerate() {
                rewrites
                    .push(rewrite(&name, index, r, &rules).map_err(|m| format!("pass {name}, rewrite {index}: {m}"))?);
            }
        }
        if rewrites.is_empty() {
            return Err(
                "there is no pass in it: an entry {:pass name :rewrite [[(=> ?node template) clause …] …]}".into()
            );
        }
        Ok(Passes {
            rewrites,
            lexicon: Lexicon::shared(),
            globals: None,
            applications: Vec::new(),
            origin: FxHashMap::default(),
            known: FxHashMap::default(),
            counts: Counts { by_pass, ..Counts::default() },
        })
    }

    /// What roots become; nodes from `first` on belong to them. Roots that nothing applies to stay themselves.
    ///
    /// # Errors
    /// Rules that cannot be evaluated or templates that make no program.
    pub fn derive(&mut self, vm: &mut Vm, first: NodeId, roots: &[NodeId]) -> Result<Vec<NodeId>, String> {
        let base = vm.ast.ids().next().map_or(0, |id| id.0);
        let hashes = if roots.len() > 1 { yin_ast::hash::hashes(&vm.ast) } else { Vec::new() };
        let hash = |id: NodeId| hashes.get((id.0 - base) as usize).copied();
        let mut current: Vec<NodeId> = roots.to_vec();
        let mut open: Vec<usize> = Vec::new();
        self.counts.roots += roots.len();
        for (i, root) in roots.iter().enumerate() {
            match hash(*root).and_then(|h| self.known.get(&h)) {
                Some(known) => {
                    current[i] = *known;
                    self.counts.reused += 1;
                }
                None => open.push(i),
            }
        }
        let fresh = open.clone();
        fresh.iter().for_each(|i| self.counts.nodes_before += tree_size(&vm.ast, roots[*i]));
        let mut first = first;
        for round in 1..=MAX_ROUNDS {
            if open.is_empty() {
                break;
            }
            let wanted: FxHashSet<NodeId> = open.iter().map(|i| current[*i]).collect();
            let found = self.find(vm, first, &wanted)?;
            if found.is_empty() {
                break;
            }
            self.counts.rounds = self.counts.rounds.max(round);
            let next_first = NodeId(vm.ast.len() as u32);
            let mut still = Vec::new();
            for i in open {
                let Some(places) = found.get(&current[i]) else { continue };
                match self.rebuild(vm, current[i], places, round) {
                    Some(new) => {
                        current[i] = new;
                        still.push(i);
                    }
                    None => continue,
                }
            }
            open = still;
            first = next_first;
        }
        for i in fresh {
            self.counts.nodes_after += tree_size(&vm.ast, current[i]);
            self.counts.changed += usize::from(current[i] != roots[i]);
            if let Some(h) = hash(roots[i]) {
                self.known.insert(h, current[i]);
            }
        }
        Ok(current)
    }

    /// Places where a rule applies, by root.
    fn find(
        &mut self,
        vm: &Vm,
        first: NodeId,
        roots: &FxHashSet<NodeId>,
    ) -> Result<FxHashMap<NodeId, FxHashMap<NodeId, Vec<Found>>>, String> {
        let lexicon = &self.lexicon;
        let globals = self.globals.get_or_insert_with(|| globals::source(vm, lexicon, &|_| true));
        let program = program_from(&vm.ast, first, lexicon);
        let parts: Vec<&dyn Part> = vec![&program, &*globals];
        let source = Union::new(parts).ok_or("nothing to ask")?;
        let mut out: FxHashMap<NodeId, FxHashMap<NodeId, Vec<Found>>> = FxHashMap::default();
        for (k, r) in self.rewrites.iter().enumerate() {
            let inputs = [Input::Source(&source), Input::Value(r.rules.clone())];
            let found = r.query.run(&inputs, &Options::default()).map_err(|e| format!("pass {}: {e}", r.pass))?;
            let mut rows: Vec<Vec<Edn>> = found.rows().collect();
            rows.sort();
            for row in rows {
                let at = row[r.node].as_int().and_then(|e| node(u32::try_from(e).ok()?));
                let Some(at) = at.filter(|id| vm.ast.has(*id)) else { continue };
                let mut root = at;
                while let Some(p) = vm.ast.parent(root) {
                    root = p;
                }
                if roots.contains(&root) {
                    let here = out.entry(root).or_default().entry(at).or_default();
                    // The first rule that applies decides; children that one rule drops are dropped together.
                    if here.first().is_none_or(|f| f.rewrite == k && is_drop(&r.template)) {
                        here.push(Found { rewrite: k, row });
                    }
                }
            }
        }
        Ok(out)
    }

    /// A copy of a root with templates in their places; `None` if none of them could be made.
    fn rebuild(
        &mut self,
        vm: &mut Vm,
        root: NodeId,
        places: &FxHashMap<NodeId, Vec<Found>>,
        round: usize,
    ) -> Option<NodeId> {
        let constants = self.constants(vm, places);
        let made = places
            .iter()
            .any(|(id, f)| !is_constant(&self.rewrites[f[0].rewrite].template) || constants.contains_key(id));
        if !made {
            return None;
        }
        let mut c = Copier {
            ast: &mut vm.ast,
            places,
            constants,
            rewrites: &self.rewrites,
            map: FxHashMap::default(),
            origin: &mut self.origin,
            applied: Vec::new(),
            open: FxHashSet::default(),
        };
        let new = c.copy(root, true);
        let applied = std::mem::take(&mut c.applied);
        vm.ast.add_root(new);
        for (from, to) in applied {
            let found = &places[&from][0];
            let r = &self.rewrites[found.rewrite];
            if let Some(n) = self.counts.by_pass.iter_mut().find(|n| n.0 == r.pass) {
                n.1 += places[&from].len();
            }
            let inputs = r.vars.iter().cloned().zip(found.row.iter().cloned()).collect();
            self.applications.push(Application { pass: r.pass.clone(), rule: r.index, round, from, to, inputs });
        }
        Some(new)
    }

    /// What calls to be folded give, where they give something that a literal can say.
    fn constants(&self, vm: &mut Vm, places: &FxHashMap<NodeId, Vec<Found>>) -> FxHashMap<NodeId, Edn> {
        let mut out = FxHashMap::default();
        let mut calls: Vec<NodeId> = places
            .iter()
            .filter(|(_, f)| is_constant(&self.rewrites[f[0].rewrite].template))
            .map(|(id, _)| *id)
            .collect();
        calls.sort_unstable();
        for call in calls {
            if let Some(v) = constant(vm, call) {
                out.insert(call, v);
            }
        }
        out
    }

    /// What the passes did, as a source: joins with nodes.
    pub fn source(&self, lexicon: &Arc<Lexicon>) -> Lazy<Arrays> {
        let mut a = Arrays::new(ATTRS, lexicon, &|_| true);
        let base = super::entity::APPLICATION;
        for (i, x) in self.applications.iter().enumerate() {
            let e = base + i as u32;
            a.reference(FROM, e, entity(x.from));
            a.reference(TO, e, entity(x.to));
            a.value(PASS, e, || Edn::symbol(&x.pass));
            a.int(RULE, e, x.rule as i64);
            a.int(ROUND, e, x.round as i64);
            x.inputs.iter().for_each(|(_, v)| a.value(INPUT, e, || v.clone()));
            a.reference(BY, entity(x.to), e);
        }
        for (new, old) in &self.origin {
            a.reference(DERIVED, entity(*new), entity(*old));
        }
        Lazy::new(a.finish(), lexicon)
    }
}

struct Found {
    rewrite: usize,
    row: Vec<Edn>,
}

fn head_is(template: &Edn, name: &str) -> bool {
    template.as_seq().and_then(|t| t.first()?.as_symbol()).is_some_and(|s| s.as_str() == name)
}
fn is_drop(t: &Edn) -> bool {
    head_is(t, "drop")
}
fn is_constant(t: &Edn) -> bool {
    head_is(t, "constant")
}

fn rewrite(pass: &str, index: usize, form: &Edn, rules: &Rules) -> Result<Rewrite, String> {
    let items = form.as_seq().ok_or("a rewrite is a vector")?;
    let Some([arrow, node, template]) = items.first().and_then(Edn::as_seq) else {
        return Err("a rewrite begins with (=> ?node template)".into());
    };
    let (Some("=>"), Some(at)) = (arrow.as_symbol().map(|s| s.as_str()), node.as_symbol()) else {
        return Err("a rewrite begins with (=> ?node template)".into());
    };
    check_template(template)?;
    let mut vars = vec![at.clone()];
    template_vars(template, &mut vars);
    let body = &items[1..];
    let mut q = vec![Edn::keyword("find")];
    q.extend(vars.iter().cloned().map(Edn::Symbol));
    q.extend([Edn::keyword("in"), Edn::symbol("$"), Edn::symbol("%"), Edn::keyword("where")]);
    q.extend(body.iter().cloned());
    let query = Prepared::new(&Edn::vector(q)).map_err(|e| e.to_string())?;
    let reachable = super::ask::reachable(&Edn::vector(body.to_vec()), &rules.branches);
    Ok(Rewrite {
        pass: pass.to_string(),
        index,
        node: 0,
        template: template.clone(),
        vars,
        query,
        rules: Edn::vector(reachable),
    })
}

fn template_vars(t: &Edn, out: &mut Vec<Symbol>) {
    match t {
        Edn::Symbol(s) if s.as_str().starts_with('?') && !out.contains(s) => out.push(s.clone()),
        Edn::List(items) | Edn::Vector(items) => items.iter().for_each(|x| template_vars(x, out)),
        _ => {}
    }
}

fn check_template(t: &Edn) -> Result<(), String> {
    let Edn::List(items) = t else {
        return match t {
            Edn::Symbol(s) if s.as_str().starts_with('?') => Ok(()),
            _ => Err(format!("a template is a variable or a list, not {t}")),
        };
    };
    let name = items.first().and_then(|x| x.as_symbol()).map_or("", |s| s.as_str());
    let n = items.len() - 1;
    match name {
        "literal" | "global" | "local" | "constant" if n == 1 => Ok(()),
        "drop" | "inline" if n == 2 => Ok(()),
        "if" if n == 2 || n == 3 => items[1..].iter().try_for_each(check_template),
        "application" | "do" if n >= 1 => items[1..].iter().try_for_each(check_template),
        _ => Err(format!(
            "no template {t}: there are literal, global, local, constant, drop, inline, if, do, application"
        )),
    }
}

/// What a call of a pure global on literals gives, if that is a scalar.
fn constant(vm: &mut Vm, call: NodeId) -> Option<Edn> {
    let c = vm.ast.children(call).to_vec();
    let name = vm.ast.name(*c.first()?)?.to_string();
    let args: Vec<Edn> = c[1..].iter().map(|x| vm.ast.value(*x).cloned()).collect::<Option<_>>()?;
    let plain = |v: &Edn| !matches!(v, Edn::Tagged(_));
    if !args.iter().all(plain) {
        return None;
    }
    vm.without_gc(|vm| {
        let f = vm.var(&name).get(slot::VAR_ROOT);
        let values: Vec<Value> = args.iter().map(|a| vm.value_of(a)).collect();
        let saved = vm.pending.value;
        let r = vm.call_now(f, &values);
        vm.pending.value = saved;
        match r {
            Ok(v) => show::data(vm, v).ok().filter(|v| {
                matches!(
                    v,
                    Edn::Nil
                        | Edn::Bool(_)
                        | Edn::Int(_)
                        | Edn::Float(_)
                        | Edn::Str(_)
                        | Edn::Keyword(_)
                        | Edn::Char(_)
                )
            }),
            Err(_) => None,
        }
    })
}

fn tree_size(ast: &Ast, root: NodeId) -> usize {
    let (mut n, mut work) = (0, vec![root]);
    while let Some(id) = work.pop() {
        n += 1;
        work.extend(ast.children(id).iter().filter_map(|c| c.some()));
    }
    n
}

/// Copies a tree in evaluation order, so that binders are older than their uses.
struct Copier<'a> {
    ast: &'a mut Ast,
    places: &'a FxHashMap<NodeId, Vec<Found>>,
    constants: FxHashMap<NodeId, Edn>,
    rewrites: &'a [Rewrite],
    /// The newest copy of a binder.
    map: FxHashMap<NodeId, NodeId>,
    origin: &'a mut FxHashMap<NodeId, NodeId>,
    applied: Vec<(NodeId, NodeId)>,
    /// Places whose template is being made: inside it the node is itself.
    open: FxHashSet<NodeId>,
}

impl Copier<'_> {
    fn copy(&mut self, id: NodeId, tail: bool) -> NodeId {
        if let Some(found) = self.places.get(&id)
            && !self.open.contains(&id)
        {
            let template = &self.rewrites[found[0].rewrite].template;
            if !is_constant(template) || self.constants.contains_key(&id) {
                self.open.insert(id);
                let new = self.template(template, &found[0], id, tail);
                self.open.remove(&id);
                self.applied.push((id, new));
                return new;
            }
        }
        self.plain(id, tail, &[])
    }

    /// The node with its children copied, but for those that are dropped.
    fn plain(&mut self, id: NodeId, tail: bool, dropped: &[NodeId]) -> NodeId {
        let (kind, span) = (self.ast.kind(id), self.ast.span(id));
        let children: Vec<NodeId> = self.ast.children(id).iter().copied().filter(|c| !dropped.contains(c)).collect();
        let n = children.len();
        let mut copies = Vec::with_capacity(n);
        for (i, c) in children.iter().enumerate() {
            let in_tail = match kind {
                Kind::If => i > 0 && tail,
                Kind::Do | Kind::Let | Kind::Letrec => i + 1 == n && tail,
                Kind::Loop | Kind::Lambda => i + 1 == n,
                Kind::Case => i > 0 && tail,
                _ => false,
            };
            copies.push(match c.some() {
                Some(c) => self.copy(c, in_tail),
                None => *c,
            });
        }
        // What a local function is called among its peers hangs on nothing: it is copied when its binding is met.
        let refers = self.ast.refers_to(id).map(|b| self.binder(b));
        let name = self.ast.name(id).map(String::from);
        let value = self.ast.value(id).cloned();
        let new = self.ast.add(kind, span, &copies);
        if let Some(n) = name {
            self.ast.set_name(new, &n);
        }
        if let Some(v) = value {
            self.ast.set_value(new, v);
        }
        if let Some(b) = refers {
            self.ast.set_refers_to(new, b);
        }
        if kind == Kind::Application && tail {
            self.ast.set_tail(new);
        }
        if kind.is_binder() {
            self.map.insert(id, new);
        }
        self.origin.insert(new, id);
        new
    }

    fn binder(&mut self, b: NodeId) -> NodeId {
        if let Some(new) = self.map.get(&b) {
            return *new;
        }
        let name = self.ast.name(b).unwrap_or("_").to_string();
        let span = self.ast.span(b);
        let new = self.ast.named(self.ast.kind(b), span, &name, &[]);
        self.origin.insert(new, b);
        self.map.insert(b, new);
        new
    }

    fn value_of<'f>(&self, var: &Edn, found: &'f Found) -> Option<&'f Edn> {
        let s = var.as_symbol()?;
        let at = self.rewrites[found.rewrite].vars.iter().position(|v| v == s)?;
        found.row.get(at)
    }

    fn node_of(&self, var: &Edn, found: &Found) -> Option<NodeId> {
        let e = self.value_of(var, found)?.as_int()?;
        node(u32::try_from(e).ok()?).filter(|id| self.ast.has(*id))
    }

    /// Makes a template at `at`; a template that names no node leaves what was there.
    fn template(&mut self, t: &Edn, found: &Found, at: NodeId, tail: bool) -> NodeId {
        let span = self.ast.span(at);
        let Edn::List(items) = t else {
            return match self.node_of(t, found) {
                Some(id) => self.copy(id, tail),
                None => self.plain(at, tail, &[]),
            };
        };
        let name = items[0].as_symbol().map_or("", |s| s.as_str());
        match name {
            "literal" => {
                let v = self.value_of(&items[1], found).unwrap_or(&items[1]).clone();
                self.ast.literal(span, v)
            }
            "global" => {
                let v = self.value_of(&items[1], found).unwrap_or(&items[1]).to_string();
                self.ast.named(Kind::Variable, span, &v, &[])
            }
            "local" => match self.node_of(&items[1], found) {
                Some(b) => {
                    let b = self.binder(b);
                    let name = self.ast.name(b).unwrap_or("_").to_string();
                    self.ast.local(span, &name, b)
                }
                None => self.plain(at, tail, &[]),
            },
            "constant" => {
                let v = self.constants[&at].clone();
                self.ast.literal(span, v)
            }
            "drop" => {
                let rows = &self.places[&at];
                let dropped: Vec<NodeId> = rows.iter().filter_map(|f| self.node_of(&items[2], f)).collect();
                self.plain(at, tail, &dropped)
            }
            "inline" => match (self.node_of(&items[1], found), self.node_of(&items[2], found)) {
                (Some(call), Some(f)) => self.inline(call, f, span, tail),
                _ => self.plain(at, tail, &[]),
            },
            "if" | "do" | "application" => {
                let n = items.len() - 1;
                let mut c: Vec<NodeId> = Vec::new();
                for (i, x) in items[1..].iter().enumerate() {
                    let in_tail = tail && if name == "if" { i > 0 } else { name == "do" && i + 1 == n };
                    c.push(self.template(x, found, at, in_tail));
                }
                let kind = match name {
                    "if" => Kind::If,
                    "do" => Kind::Do,
                    _ => Kind::Application,
                };
                if kind == Kind::If && c.len() == 2 {
                    c.push(NodeId::NONE);
                }
                let new = self.ast.add(kind, span, &c);
                if kind == Kind::Application && tail {
                    self.ast.set_tail(new);
                }
                new
            }
            _ => self.plain(at, tail, &[]),
        }
    }

    /// The body of a function with its parameters bound to the operands of a call.
    fn inline(&mut self, call: NodeId, f: NodeId, span: Span, tail: bool) -> NodeId {
        let lambda = if self.ast.kind(f) == Kind::Function { self.ast.repeated(f).first().copied() } else { Some(f) };
        let Some(lambda) = lambda else { return self.plain(call, tail, &[]) };
        let params = self.ast.repeated(lambda).to_vec();
        let operands = self.ast.repeated(call).to_vec();
        let body = self.ast.child(lambda, -1);
        let mut c = Vec::with_capacity(params.len() + 1);
        let mut bound = Vec::with_capacity(params.len());
        for (p, x) in params.iter().zip(&operands) {
            let init = self.copy(*x, false);
            let name = self.ast.name(*p).unwrap_or("_").to_string();
            let b = self.ast.named(Kind::Binding, span, &name, &[init]);
            self.origin.insert(b, *p);
            bound.push((*p, b));
            c.push(b);
        }
        // Operands are outside of the scope of the parameters.
        self.map.extend(bound);
        c.push(self.copy(body, tail));
        self.ast.add(Kind::Let, span, &c)
    }
}

/// A node as text, bounded: what people see of a rewrite.
pub fn sketch(ast: &Ast, id: NodeId, depth: usize) -> String {
    let mut out = String::new();
    draw(ast, id, depth, &mut out);
    out
}

fn draw(ast: &Ast, id: NodeId, depth: usize, out: &mut String) {
    let kind = ast.kind(id);
    let short = |n: &str| n.strip_prefix("clojure.core/").unwrap_or(n).to_string();
    let name = short(ast.name(id).unwrap_or(""));
    if depth == 0 || out.len() > 400 {
        return out.push('…');
    }
    let children: Vec<NodeId> = ast.children(id).iter().filter_map(|c| c.some()).collect();
    let list = |open: &str, items: &[NodeId], close: &str, out: &mut String| {
        out.push_str(open);
        for (i, c) in items.iter().enumerate() {
            if i > 0 || !(open.ends_with('(') || open.ends_with('[') || open.ends_with('{')) {
                out.push(' ');
            }
            draw(ast, *c, depth - 1, out);
        }
        out.push_str(close);
    };
    match kind {
        Kind::Literal => out.push_str(&ast.value(id).map_or("nil".into(), ToString::to_string)),
        Kind::Variable | Kind::Parameter => out.push_str(&name),
        Kind::Binding => {
            out.push_str(&name);
            list("", &children, "", out);
        }
        Kind::Application => list("(", &children, ")", out),
        Kind::If => list("(if", &children, ")", out),
        Kind::Do => list("(do", &children, ")", out),
        Kind::Recur => list("(recur", &children, ")", out),
        Kind::Let | Kind::Loop | Kind::Letrec => {
            let (body, bindings) = children.split_last().expect("a body");
            list(&format!("({} [", kind.info().name), bindings, "] ", out);
            draw(ast, *body, depth - 1, out);
            out.push(')');
        }
        Kind::Function => {
            let arities = ast.repeated(id);
            match arities {
                [one] => draw(ast, *one, depth, out),
                many => list("(fn", many, ")", out),
            }
        }
        Kind::Lambda => {
            let (body, params) = children.split_last().expect("a body");
            list("(fn [", params, "] ", out);
            draw(ast, *body, depth - 1, out);
            out.push(')');
        }
        Kind::VectorOf => list("[", &children, "]", out),
        Kind::MapOf => list("{", &children, "}", out),
        Kind::Define => {
            out.push_str(&format!("(def {name}"));
            if let Some(c) = children.last() {
                out.push(' ');
                draw(ast, *c, depth - 1, out);
            }
            out.push(')');
        }
        _ => list(&format!("({}", kind.info().name), &children, ")", out),
    }
}

impl Vm {
    /// A root as the passes make it, if there are any. `first`: where its nodes begin.
    pub(crate) fn with_passes(&mut self, first: NodeId, root: NodeId) -> Result<NodeId, Exit> {
        let Some(mut passes) = self.passes.take() else { return Ok(root) };
        let r = passes.derive(self, first, &[root]);
        self.passes = Some(passes);
        r.map(|r| r[0]).map_err(|m| self.err(crate::machine::ErrKind::State, m))
    }
}
