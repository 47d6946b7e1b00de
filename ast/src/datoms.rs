//! The datom form: `[e a v t m]` for every attribute of every node.
//!
//! Entities are node ids + 16 (ids below 16 are reserved). `t` is 0 and `m` 1 (asserted): a program as read.

use crate::schema::{Kind, Shape};
use crate::store::{Ast, NodeId, Span};
use ::datoms::edn::Edn;
use std::collections::{BTreeMap, HashMap, HashSet};

/// One fact.
pub type Datom = (i64, String, Edn, i64, i64);

const FIRST: i64 = 16;

fn entity(id: NodeId) -> Edn {
    Edn::Int(id.0 as i64 + FIRST)
}

/// Every fact of the nodes under `roots`, parents after children, attributes in table order. O(nodes).
pub fn facts(ast: &Ast, ids: impl Iterator<Item = NodeId>) -> Vec<Datom> {
    let mut out = Vec::new();
    for id in ids {
        let e = id.0 as i64 + FIRST;
        let mut add = |a: &str, v: Edn| out.push((e, format!("yin/{a}"), v, 0, 1));
        let info = ast.kind(id).info();
        add("type", Edn::keyword(info.name));
        if let Some(n) = ast.name(id) {
            add("name", Edn::symbol(n));
        }
        if let Some(v) = ast.value(id) {
            add("value", v.clone());
        }
        let c = ast.children(id);
        let many = c.len() - info.children.iter().filter(|x| x.1 != Shape::Many).count().min(c.len());
        let mut i = 0;
        for (attr, shape) in info.children {
            match shape {
                Shape::Many => {
                    let refs: Vec<Edn> = c[i..i + many].iter().map(|x| entity(*x)).collect();
                    if ast.kind(id) == Kind::Lambda {
                        let names = c[i..i + many].iter().map(|p| Edn::symbol(ast.name(*p).unwrap_or("_")));
                        add("params", Edn::Vector(names.collect::<Vec<_>>().into()));
                    }
                    add(attr, Edn::Vector(refs.into()));
                    i += many;
                }
                _ => {
                    if let Some(x) = c[i].some() {
                        add(attr, entity(x));
                    }
                    i += 1;
                }
            }
        }
        if let Some(b) = ast.refers_to(id) {
            add("refers-to", entity(b));
        }
        if ast.is_tail(id) {
            add("tail?", Edn::Bool(true));
        }
        match ast.parent(id) {
            Some(p) => {
                add("parent", entity(p));
                let at = ast.children(p).iter().position(|x| *x == id).unwrap_or(0);
                add("child-index", Edn::Int(at as i64));
            }
            None if ast.roots.contains(&id) => add("root", Edn::Bool(true)),
            None => {}
        }
        let span = ast.span(id);
        if let Some(f) = ast.file(span.file) {
            add("lang", Edn::keyword(if f.name.ends_with(".py") { "python" } else { "clojure" }));
            add("file", Edn::string(f.name.as_str()));
            let ((l, c), (l2, c2)) = (f.line_col(span.start), f.line_col(span.end));
            add("line", Edn::Int(l as i64));
            add("column", Edn::Int(c as i64));
            add("end-line", Edn::Int(l2 as i64));
            add("end-column", Edn::Int(c2 as i64));
        }
    }
    out
}

/// Reads a program from its datoms: builds the nodes under the root in evaluation order. Takes this crate's own form and
/// the original's, where a lambda has only the symbols of its parameters (`:yin/params [x y]`) and nothing names the root.
/// `resolve` gives the qualified name of a variable that no binder binds. O(datoms).
///
/// # Errors
/// What is missing or malformed, as text. Nothing is added to the roots then.
pub fn read(ast: &mut Ast, facts: &[Edn], resolve: &mut dyn FnMut(&str) -> String) -> Result<NodeId, String> {
    let mut nodes: BTreeMap<i64, HashMap<String, Edn>> = BTreeMap::new();
    for f in facts {
        let (Edn::Vector(d) | Edn::List(d)) = f else { return Err(format!("a datom is [e a v t m], not {f}")) };
        match (d.first(), d.get(1), d.get(2)) {
            (Some(Edn::Int(e)), Some(Edn::Keyword(a)), Some(v)) => {
                let name = a.as_str().strip_prefix("yin/").unwrap_or(a.as_str());
                nodes.entry(*e).or_default().insert(name.into(), v.clone());
            }
            _ => return Err(format!("a datom is [e a v t m], not {f}")),
        }
    }
    let mut used = HashSet::new();
    for n in nodes.values() {
        for (a, v) in n.iter().filter(|(a, _)| !matches!(a.as_str(), "value" | "parent" | "child-index" | "refers-to"))
        {
            match v {
                Edn::Int(e) if a.as_str() != "line" && a.as_str() != "column" => {
                    used.insert(*e);
                }
                Edn::Vector(es) => {
                    used.extend(es.iter().filter_map(|e| if let Edn::Int(e) = e { Some(*e) } else { None }))
                }
                _ => {}
            }
        }
    }
    let stated = nodes.iter().filter(|(_, n)| n.contains_key("root")).map(|(e, _)| *e).max();
    let typed = nodes.iter().filter(|(e, n)| n.contains_key("type") && !used.contains(e)).map(|(e, _)| *e);
    let root = stated.or_else(|| typed.max()).ok_or("no root: every node is part of another")?;
    let mut b = Builder { ast, nodes: &nodes, resolve, scope: Vec::new(), depth: 0 };
    let id = b.node(root)?;
    ast.add_root(id);
    Ok(id)
}

struct Builder<'a> {
    ast: &'a mut Ast,
    nodes: &'a BTreeMap<i64, HashMap<String, Edn>>,
    resolve: &'a mut dyn FnMut(&str) -> String,
    scope: Vec<(String, NodeId)>,
    depth: usize,
}

impl Builder<'_> {
    fn child(&mut self, e: i64, n: &HashMap<String, Edn>, attr: &str) -> Result<NodeId, String> {
        match n.get(attr) {
            Some(Edn::Int(c)) => self.node(*c),
            _ => Err(format!("node {e} has no :yin/{attr}")),
        }
    }
    fn node(&mut self, e: i64) -> Result<NodeId, String> {
        self.depth += 1;
        if self.depth > 2000 {
            return Err("the program is nested too deeply, or a node contains itself".into());
        }
        let nodes = self.nodes;
        let n = nodes.get(&e).ok_or_else(|| format!("no node {e}"))?;
        let span = Span { file: u32::MAX, ..Span::default() };
        let name = |n: &HashMap<String, Edn>| match n.get("name") {
            Some(Edn::Symbol(s)) => Ok(s.as_str().to_string()),
            _ => Err(format!("node {e} has no :yin/name")),
        };
        let kind = match n.get("type") {
            Some(Edn::Keyword(k)) => k.as_str(),
            _ => return Err(format!("node {e} has no :yin/type")),
        };
        let id = match kind {
            "literal" => self.ast.literal(span, n.get("value").cloned().unwrap_or(Edn::Nil)),
            "variable" => {
                let name = name(n)?;
                match self.scope.iter().rev().find(|s| s.0 == name).map(|s| s.1) {
                    Some(binder) => self.ast.local(span, &name, binder),
                    None => {
                        let full = (self.resolve)(&name);
                        self.ast.named(Kind::Variable, span, &full, &[])
                    }
                }
            }
            "lambda" => {
                let Some(Edn::Vector(params)) = n.get("params") else {
                    return Err(format!("node {e} has no :yin/params"));
                };
                let mark = self.scope.len();
                let mut children = Vec::new();
                for p in params.iter() {
                    let p = p.to_string();
                    let binder = self.ast.named(Kind::Parameter, span, &p, &[]);
                    self.scope.push((p, binder));
                    children.push(binder);
                }
                let body = self.child(e, n, "body")?;
                self.scope.truncate(mark);
                children.extend([NodeId::NONE, body]);
                self.ast.add(Kind::Lambda, span, &children)
            }
            "application" => {
                let mut children = vec![self.child(e, n, "operator")?];
                if let Some(Edn::Vector(operands)) = n.get("operands") {
                    for o in operands.iter() {
                        match o {
                            Edn::Int(o) => children.push(self.node(*o)?),
                            _ => return Err(format!("an operand of node {e} is no entity")),
                        }
                    }
                }
                self.ast.add(Kind::Application, span, &children)
            }
            "if" => {
                let test = self.child(e, n, "test")?;
                let yes = self.child(e, n, "consequent")?;
                let no = if n.contains_key("alternate") { self.child(e, n, "alternate")? } else { NodeId::NONE };
                self.ast.add(Kind::If, span, &[test, yes, no])
            }
            "do" => {
                let mut children = Vec::new();
                if let Some(Edn::Vector(statements)) = n.get("statements") {
                    for s in statements.iter() {
                        match s {
                            Edn::Int(s) => children.push(self.node(*s)?),
                            _ => return Err(format!("a statement of node {e} is no entity")),
                        }
                    }
                }
                self.ast.add(Kind::Do, span, &children)
            }
            k => {
                return Err(format!(
                    "node {e}: programs given as datoms may hold literals, variables, lambdas, applications, if and do, not :{k}"
                ));
            }
        };
        if n.get("tail?") == Some(&Edn::Bool(true)) {
            self.ast.set_tail(id);
        }
        self.depth -= 1;
        Ok(id)
    }
}
