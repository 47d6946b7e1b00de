//! The datom form: `[e a v t m]` for every attribute of every node.
//!
//! Entities are node ids + 16 (ids below 16 are reserved); `m` is 1, asserted. What [`facts`] writes, [`read`](crate::read)
//! takes back, ids included.

use crate::hash::hashes;
use crate::schema::{COMMON, KINDS, Kind, Shape};
use crate::store::{Ast, NodeId};
use ::datoms::edn::{Edn, Keyword};
use rustc_hash::FxHashMap as HashMap;
use std::io::{self, Write};

/// `m` of a fact that takes another back.
pub const RETRACT: i64 = 0;
/// `m` of a fact as stated.
pub const ASSERT: i64 = 1;
/// Entities of nodes begin here.
pub const FIRST: i64 = 16;

/// One fact.
#[derive(Clone, PartialEq, Debug)]
pub struct Fact {
    pub e: i64,
    pub a: Keyword,
    pub v: Edn,
    pub t: i64,
    pub m: i64,
}

impl std::fmt::Display for Fact {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[{} :{} {} {} {}]", self.e, self.a.as_str(), self.v, self.t, self.m)
    }
}

/// The entity of a node.
pub fn entity(id: NodeId) -> i64 {
    i64::from(id.0) + FIRST
}

/// Every fact of the nodes `ids`, attributes in the order of the table. O(nodes of the columns).
pub fn facts(ast: &Ast, ids: impl Iterator<Item = NodeId>) -> Vec<Fact> {
    let children = KINDS.iter().flat_map(|k| k.children.iter().map(|c| c.attr));
    let attrs: HashMap<&str, Keyword> =
        COMMON.iter().map(|c| c.0).chain(children).map(|a| (a, Keyword::new(a))).collect();
    let types: Vec<Edn> = KINDS.iter().map(|k| Edn::keyword(k.name)).collect();
    let hashes = hashes(ast);
    let first = ast.ids().next().map_or(0, |id| id.0);
    let mut child_index = vec![0u32; hashes.len()];
    for id in ast.ids() {
        for (i, c) in ast.children(id).iter().enumerate().filter(|(_, c)| c.0 >= first && c.some().is_some()) {
            child_index[(c.0 - first) as usize] = i as u32;
        }
    }
    let reference = |id: NodeId| Edn::Int(entity(id));
    let mut out = Vec::new();
    for id in ids.filter(|id| ast.has(*id)) {
        let (e, t, kind) = (entity(id), ast.t(id), ast.kind(id));
        let at = (id.0 - first) as usize;
        let mut add = |a: &str, v: Edn| out.push(Fact { e, a: attrs[a].clone(), v, t, m: ASSERT });
        add("yin/type", types[kind as usize].clone());
        if let Some(n) = ast.name(id) {
            add("yin/name", Edn::symbol(n));
        }
        if let Some(v) = ast.value(id) {
            add("yin/value", v.clone());
        }
        if kind == Kind::Lambda {
            let mut names: Vec<Edn> =
                ast.repeated(id).iter().map(|p| Edn::symbol(ast.name(*p).unwrap_or("_"))).collect();
            if let Some(rest) = ast.child(id, -2).some() {
                names.extend([Edn::symbol("&"), Edn::symbol(ast.name(rest).unwrap_or("_"))]);
            }
            add("yin/params", Edn::vector(names));
        }
        let info = kind.info();
        let mut fixed = ast.children(id).iter();
        for c in info.children {
            if c.shape == Shape::Many {
                let many = ast.repeated(id);
                add(c.attr, Edn::vector(many.iter().map(|x| reference(*x)).collect::<Vec<_>>()));
                fixed = fixed.as_slice()[many.len()..].iter();
            } else if let Some(x) = fixed.next().and_then(|x| x.some()) {
                add(c.attr, reference(x));
            }
        }
        if let Some(b) = ast.refers_to(id) {
            add("yin/refers-to", reference(b));
        }
        if ast.is_tail(id) {
            add("yin/tail?", Edn::Bool(true));
        }
        match ast.parent(id) {
            Some(p) => {
                add("yin/parent", reference(p));
                add("yin/child-index", Edn::Int(i64::from(child_index[at])));
            }
            None if ast.roots.binary_search(&id).is_ok() => add("yin/root", Edn::Bool(true)),
            None => {}
        }
        add("yin/hash", Edn::string(hashes[at].to_string()));
        let span = ast.span(id);
        if let Some(f) = ast.file(span.file) {
            add("yin/lang", Edn::keyword(&f.lang));
            add("yin/file", Edn::string(f.name.as_str()));
            add("yin/start", Edn::Int(i64::from(span.start)));
            add("yin/end", Edn::Int(i64::from(span.end)));
            let ((l, c), (l2, c2)) = (f.line_col(span.start), f.line_col(span.end));
            add("yin/line", Edn::Int(i64::from(l)));
            add("yin/column", Edn::Int(i64::from(c)));
            add("yin/end-line", Edn::Int(i64::from(l2)));
            add("yin/end-column", Edn::Int(i64::from(c2)));
        }
    }
    out
}

/// A text form of an AST.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// A fact a line, as EDN vectors.
    Edn,
    /// A fact a line, as JSON arrays; values that JSON has not are EDN in strings.
    Json,
    /// Facts in aligned columns.
    Table,
    /// A node a line, children indented.
    Tree,
}

impl Format {
    /// The names of all, for messages.
    pub const NAMES: &'static str = "edn, json, table and tree";
    pub fn named(name: &str) -> Option<Format> {
        Some(match name {
            "edn" => Format::Edn,
            "json" => Format::Json,
            "table" => Format::Table,
            "tree" => Format::Tree,
            _ => return None,
        })
    }
}

/// Writes nodes, of a tree all that hangs from them.
///
/// # Errors
/// Those of `out`.
pub fn write(ast: &Ast, mut ids: impl Iterator<Item = NodeId>, format: Format, out: &mut dyn Write) -> io::Result<()> {
    if format == Format::Tree {
        return ids.try_for_each(|id| if ast.parent(id).is_none() { tree(ast, id, out) } else { Ok(()) });
    }
    for f in facts(ast, ids) {
        match format {
            Format::Edn => writeln!(out, "{f}")?,
            Format::Table => {
                writeln!(out, "{:>7}  {:<18} {} {}  {}", f.e, f.a.as_str(), f.t, f.m, f.v)?;
            }
            _ => {
                write!(out, "[{},\":{}\",", f.e, f.a.as_str())?;
                json(&f.v, out)?;
                writeln!(out, ",{},{}]", f.t, f.m)?;
            }
        }
    }
    Ok(())
}

fn json(v: &Edn, out: &mut dyn Write) -> io::Result<()> {
    match v {
        Edn::Nil => write!(out, "null"),
        Edn::Bool(b) => write!(out, "{b}"),
        // Numbers that every reader of JSON keeps.
        Edn::Int(i) if i.unsigned_abs() < 1 << 53 => write!(out, "{i}"),
        Edn::Vector(items) if items.iter().all(|i| matches!(i, Edn::Int(_) | Edn::Symbol(_))) => {
            write!(out, "[")?;
            for (i, x) in items.iter().enumerate() {
                write!(out, "{}", if i > 0 { "," } else { "" })?;
                json(x, out)?;
            }
            write!(out, "]")
        }
        Edn::Str(s) => json_text(s, out),
        v => json_text(&v.to_string(), out),
    }
}

fn json_text(s: &str, out: &mut dyn Write) -> io::Result<()> {
    write!(out, "\"")?;
    for c in s.chars() {
        match c {
            '"' | '\\' => write!(out, "\\{c}")?,
            '\n' => write!(out, "\\n")?,
            c if c < ' ' || c == '\x7f' => write!(out, "\\u{:04x}", c as u32)?,
            c => write!(out, "{c}")?,
        }
    }
    write!(out, "\"")
}

/// Writes a node and all below it, a line each, children indented.
///
/// # Errors
/// Those of `out`.
pub fn tree(ast: &Ast, root: NodeId, out: &mut dyn Write) -> io::Result<()> {
    let mut work = vec![(0, "", root)];
    while let Some((depth, attr, id)) = work.pop() {
        let info = ast.kind(id).info();
        write!(out, "{:indent$}", "", indent = 2 * depth)?;
        if !attr.is_empty() {
            write!(out, "{}: ", attr.trim_start_matches("yin/"))?;
        }
        write!(out, "{}", info.name)?;
        if let Some(n) = ast.name(id) {
            write!(out, " {n}")?;
        }
        if let Some(v) = ast.value(id) {
            write!(out, " {v}")?;
        }
        write!(out, "  #{}", entity(id))?;
        if let Some(b) = ast.refers_to(id) {
            write!(out, " -> #{}", entity(b))?;
        }
        if ast.is_tail(id) {
            write!(out, " tail")?;
        }
        let span = ast.span(id);
        if ast.file(span.file).is_some() {
            let (l, c) = ast.line_col(id);
            write!(out, " {l}:{c}")?;
        }
        writeln!(out)?;
        let from = work.len();
        work.extend(ast.edges(id).map(|(a, c)| (depth + 1, a, c)));
        work[from..].reverse();
    }
    Ok(())
}
