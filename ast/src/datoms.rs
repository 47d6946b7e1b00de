//! The datom form: `[e a v t m]` for every attribute of every node.
//!
//! Entities are node ids + 16 (ids below 16 are reserved). `t` is 0 and `m` 1 (asserted): a program as read.

use crate::schema::{Kind, Shape};
use crate::store::{Ast, NodeId};
use ::datoms::edn::Edn;

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
