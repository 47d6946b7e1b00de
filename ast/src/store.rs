//! Programs as columns: one append-only store for all files of a program.
//!
//! Nodes are appended in evaluation order, so children have smaller ids than their parents, binders smaller ids than their
//! uses. One column per attribute. What few nodes have is elsewhere: transactions and files are runs, children lie in a
//! shared edge column, and a node's name, value or binder share one payload column, as hardly any node has two of them;
//! [`Extra`] keeps the second.
//!
//! # Invariants
//! 1. `payload[i]` is a binder if bit `i` of `is_ref` is set; else an index into `literals` if the kind is valued and not
//!    named; else an index into `names`; `u32::MAX` if there is none.
//! 2. A variable's name is its binder's unless `extra` says otherwise, and binders have smaller ids.

use crate::schema::{Kind, Shape};
use datoms::edn::Edn;
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;

/// A node of an [`Ast`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct NodeId(pub u32);

impl NodeId {
    /// "No node" in columns.
    pub const NONE: NodeId = NodeId(u32::MAX);
    pub fn some(self) -> Option<NodeId> {
        (self != NodeId::NONE).then_some(self)
    }
}

/// An interned name.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Name(pub u32);

/// Where a node stands: a file of the store and byte offsets.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Span {
    pub file: u32,
    pub start: u32,
    pub end: u32,
}

impl Span {
    /// The file of nodes that come from no file.
    pub const NO_FILE: u32 = u32::MAX;
    /// Of a node that comes from no file.
    pub const NONE: Span = Span { file: Span::NO_FILE, start: 0, end: 0 };
}

/// A source file: its name, language, text and where its lines start.
#[derive(Clone, Debug)]
pub struct File {
    pub name: String,
    /// `clojure`, `python`.
    pub lang: String,
    /// Empty for a file known from datoms only.
    pub text: String,
    line_starts: Vec<u32>,
    /// Without text: offset → line and column, for the offsets that nodes have.
    marks: BTreeMap<u32, (u32, u32)>,
}

impl File {
    /// Line and column, from 1, of a byte offset. O(log lines).
    pub fn line_col(&self, at: u32) -> (u32, u32) {
        if let Some(m) = self.marks.get(&at) {
            return *m;
        }
        let line = self.line_starts.partition_point(|s| *s <= at).max(1);
        let start = self.line_starts[line - 1] as usize;
        let end = (at as usize).min(self.text.len());
        let col = self.text.get(start..end).map_or(1, |t| t.chars().count() + 1);
        (line as u32, col as u32)
    }
    /// Text of a line, from 1.
    pub fn line(&self, line: u32) -> &str {
        let start = self.line_starts.get((line as usize).wrapping_sub(1)).map_or(self.text.len(), |s| *s as usize);
        self.text[start..].lines().next().unwrap_or("")
    }
    /// Says where an offset is, in a file without text.
    pub(crate) fn mark(&mut self, at: u32, line_col: (u32, u32)) {
        self.marks.insert(at, line_col);
    }
}

/// What the payload column has no room for.
#[derive(Clone, Default, Debug)]
struct Extra {
    name: Option<Name>,
    value: Option<u32>,
}

/// A program.
#[derive(Clone, Default, Debug)]
pub struct Ast {
    kind: Vec<Kind>,
    start: Vec<u32>,
    end: Vec<u32>,
    parent: Vec<NodeId>,
    payload: Vec<u32>,
    edge_start: Vec<u32>,
    edges: Vec<NodeId>,
    is_ref: Vec<u64>,
    tail: Vec<u64>,
    extra: BTreeMap<u32, Extra>,
    /// First node and file, ascending.
    file_runs: Vec<(u32, u32)>,
    /// First node and transaction, ascending.
    t_runs: Vec<(u32, i64)>,
    literals: Vec<Edn>,
    names: Vec<Box<str>>,
    name_ids: FxHashMap<Box<str>, u32>,
    files: Vec<File>,
    /// Ids below these belong to the image the machine was started from.
    base: u32,
    file_base: u32,
    pub roots: Vec<NodeId>,
}

fn bit(bits: &[u64], i: usize) -> bool {
    bits[i / 64] >> (i % 64) & 1 != 0
}

fn at_run<T: Copy>(runs: &[(u32, T)], id: u32) -> Option<T> {
    let i = runs.partition_point(|r| r.0 <= id);
    i.checked_sub(1).map(|i| runs[i].1)
}

impl Ast {
    pub fn new() -> Ast {
        Ast::default()
    }
    /// An empty program whose ids continue those of an image.
    pub fn after_image(base: u32, file_base: u32) -> Ast {
        Ast { base, file_base, ..Ast::default() }
    }
    /// One more than the largest id of a node.
    pub fn len(&self) -> usize {
        self.base as usize + self.kind.len()
    }
    /// All nodes, children before parents.
    pub fn ids(&self) -> impl DoubleEndedIterator<Item = NodeId> + use<> {
        (self.base..self.len() as u32).map(NodeId)
    }
    /// Number of files, those of the image included.
    pub fn n_files(&self) -> u32 {
        self.file_base + self.files.len() as u32
    }
    /// Is the node in these columns?
    pub fn has(&self, id: NodeId) -> bool {
        id.0 >= self.base && (id.0 as usize) < self.len()
    }
    /// The files of these columns.
    pub fn files(&self) -> &[File] {
        &self.files
    }
    pub fn file(&self, id: u32) -> Option<&File> {
        self.files.get(id.checked_sub(self.file_base)? as usize)
    }
    pub(crate) fn file_mut(&mut self, id: u32) -> Option<&mut File> {
        self.files.get_mut(id.checked_sub(self.file_base)? as usize)
    }
    fn at(&self, id: NodeId) -> usize {
        (id.0 - self.base) as usize
    }
    pub fn is_empty(&self) -> bool {
        self.kind.is_empty()
    }

    /// The last file added under a name.
    pub fn file_named(&self, name: &str) -> Option<u32> {
        self.files.iter().rposition(|f| f.name == name).map(|i| self.file_base + i as u32)
    }
    /// Adds a source file; its language by its suffix.
    pub fn add_file(&mut self, name: &str, text: &str) -> u32 {
        let mut line_starts = vec![0];
        line_starts.extend(text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(i, _)| i as u32 + 1));
        let lang = if name.ends_with(".py") { "python" } else { "clojure" };
        let (name, lang, text) = (name.into(), lang.into(), text.into());
        self.files.push(File { name, lang, text, line_starts, marks: BTreeMap::new() });
        self.file_base + self.files.len() as u32 - 1
    }
    /// Adds a file of which only the name and the language are known.
    pub(crate) fn add_file_known_by_name(&mut self, name: &str, lang: &str) -> u32 {
        let id = self.add_file(name, "");
        if let Some(f) = self.file_mut(id) {
            f.lang = lang.into();
        }
        id
    }
    pub fn intern(&mut self, s: &str) -> Name {
        if let Some(&id) = self.name_ids.get(s) {
            return Name(id);
        }
        let id = self.names.len() as u32;
        self.names.push(s.into());
        self.name_ids.insert(s.into(), id);
        Name(id)
    }
    /// Nodes from here on belong to transaction `t`.
    pub fn set_t(&mut self, t: i64) {
        let from = self.len() as u32;
        if self.t_runs.last().is_some_and(|r| r.0 == from) {
            self.t_runs.pop();
        }
        if self.t_runs.last().map_or(0, |r| r.1) != t {
            self.t_runs.push((from, t));
        }
    }

    /// Appends a node. `children` are as the node table lists them, `NONE` for an absent optional one.
    pub fn add(&mut self, kind: Kind, span: Span, children: &[NodeId]) -> NodeId {
        let id = NodeId(self.len() as u32);
        debug_assert!(self.fits(kind, children.len()), "{kind:?} with {} children", children.len());
        self.kind.push(kind);
        self.start.push(span.start);
        self.end.push(span.end);
        if self.file_runs.last().map_or(Span::NO_FILE, |r| r.1) != span.file {
            self.file_runs.push((id.0, span.file));
        }
        self.parent.push(NodeId::NONE);
        self.payload.push(u32::MAX);
        self.edge_start.push(self.edges.len() as u32);
        self.edges.extend_from_slice(children);
        for c in children.iter().filter(|c| c.some().is_some()) {
            let c = self.at(*c);
            self.parent[c] = id;
        }
        if (id.0 - self.base).is_multiple_of(64) {
            self.tail.push(0);
            self.is_ref.push(0);
        }
        id
    }
    fn fits(&self, kind: Kind, n: usize) -> bool {
        kind.info().repeated(n).is_some()
    }
    pub fn literal(&mut self, span: Span, v: Edn) -> NodeId {
        let id = self.add(Kind::Literal, span, &[]);
        self.set_value(id, v);
        id
    }
    pub fn named(&mut self, kind: Kind, span: Span, name: &str, children: &[NodeId]) -> NodeId {
        let id = self.add(kind, span, children);
        self.set_name(id, name);
        id
    }
    /// A use of a local.
    pub fn local(&mut self, span: Span, name: &str, binder: NodeId) -> NodeId {
        let id = self.named(Kind::Variable, span, name, &[]);
        self.set_refers_to(id, binder);
        id
    }
    fn payload_is_value(kind: Kind) -> bool {
        let info = kind.info();
        info.valued && !info.named
    }
    pub fn set_name(&mut self, id: NodeId, name: &str) {
        let n = self.intern(name);
        let i = self.at(id);
        if bit(&self.is_ref, i) {
            if self.name(id) != Some(name) {
                self.extra.entry(id.0).or_default().name = Some(n);
            }
        } else if Self::payload_is_value(self.kind[i]) {
            self.extra.entry(id.0).or_default().name = Some(n);
        } else {
            self.payload[i] = n.0;
        }
    }
    pub fn set_value(&mut self, id: NodeId, v: Edn) {
        let i = self.at(id);
        let at = self.literals.len() as u32;
        self.literals.push(v);
        if Self::payload_is_value(self.kind[i]) {
            self.payload[i] = at;
        } else {
            self.extra.entry(id.0).or_default().value = Some(at);
        }
    }
    /// Says what a variable (or, in a `letrec`, a binding) refers to. The binder must be older.
    pub fn set_refers_to(&mut self, id: NodeId, binder: NodeId) {
        let i = self.at(id);
        debug_assert!(binder < id && !Self::payload_is_value(self.kind[i]));
        let own = self.name(id).map(String::from);
        self.payload[i] = binder.0;
        self.is_ref[i / 64] |= 1 << (i % 64);
        if let Some(own) = own {
            self.set_name(id, &own);
        }
    }
    pub fn set_tail(&mut self, id: NodeId) {
        let i = self.at(id);
        self.tail[i / 64] |= 1 << (i % 64);
    }
    pub fn add_root(&mut self, id: NodeId) {
        self.roots.push(id);
    }

    pub fn kind(&self, id: NodeId) -> Kind {
        self.kind[self.at(id)]
    }
    /// All children, as the node table lists them.
    pub fn children(&self, id: NodeId) -> &[NodeId] {
        let i = self.at(id);
        let end = self.edge_start.get(i + 1).map_or(self.edges.len(), |e| *e as usize);
        &self.edges[self.edge_start[i] as usize..end]
    }
    /// Child `i` of those that occur once, counted from the front; from the back if negative.
    pub fn child(&self, id: NodeId, i: isize) -> NodeId {
        let c = self.children(id);
        if i < 0 { c[(c.len() as isize + i) as usize] } else { c[i as usize] }
    }
    pub fn name(&self, id: NodeId) -> Option<&str> {
        self.name_id(id).map(|n| self.name_text(n))
    }
    /// The interned name of a node. O(1).
    pub fn name_id(&self, id: NodeId) -> Option<Name> {
        let mut id = id;
        loop {
            let i = self.at(id);
            if let Some(n) = self.extra.get(&id.0).and_then(|e| e.name) {
                return Some(n);
            }
            if !bit(&self.is_ref, i) {
                let none = Self::payload_is_value(self.kind[i]) || self.payload[i] == u32::MAX;
                return (!none).then_some(Name(self.payload[i]));
            }
            id = NodeId(self.payload[i]);
        }
    }
    /// The text of an interned name.
    pub fn name_text(&self, n: Name) -> &str {
        &self.names[n.0 as usize]
    }
    /// How many names are interned; they are numbered from 0.
    pub fn n_names(&self) -> usize {
        self.names.len()
    }
    pub fn value(&self, id: NodeId) -> Option<&Edn> {
        let i = self.at(id);
        if Self::payload_is_value(self.kind[i]) {
            return self.literals.get(self.payload[i] as usize);
        }
        self.extra.get(&id.0).and_then(|e| e.value).map(|v| &self.literals[v as usize])
    }
    pub fn refers_to(&self, id: NodeId) -> Option<NodeId> {
        let i = self.at(id);
        bit(&self.is_ref, i).then(|| NodeId(self.payload[i]))
    }
    pub fn parent(&self, id: NodeId) -> Option<NodeId> {
        self.parent[self.at(id)].some()
    }
    pub fn is_tail(&self, id: NodeId) -> bool {
        bit(&self.tail, self.at(id))
    }
    /// The transaction that asserted the node.
    pub fn t(&self, id: NodeId) -> i64 {
        at_run(&self.t_runs, id.0).unwrap_or(0)
    }
    pub fn span(&self, id: NodeId) -> Span {
        let i = self.at(id);
        let file = at_run(&self.file_runs, id.0).unwrap_or(Span::NO_FILE);
        Span { file, start: self.start[i], end: self.end[i] }
    }
    pub fn line_col(&self, id: NodeId) -> (u32, u32) {
        let s = self.span(id);
        self.file(s.file).map_or((0, 0), |f| f.line_col(s.start))
    }
    /// An empty store whose ids continue those of this one, to be appended when it is whole.
    pub(crate) fn continuation(&self) -> Ast {
        Ast::after_image(self.len() as u32, self.n_files())
    }
    /// Takes over the nodes of a continuation of this store.
    pub(crate) fn append(&mut self, new: Ast) {
        debug_assert!(new.base as usize == self.len() && new.file_base == self.n_files());
        for id in new.ids() {
            self.set_t(new.t(id));
            let node = self.add(new.kind(id), new.span(id), new.children(id));
            if let Some(b) = new.refers_to(id) {
                self.set_refers_to(node, b);
            }
            if let Some(n) = new.name(id) {
                self.set_name(node, n);
            }
            if let Some(v) = new.value(id) {
                self.set_value(node, v.clone());
            }
            if new.is_tail(id) {
                self.set_tail(node);
            }
        }
        self.files.extend(new.files);
        self.roots.extend(new.roots);
    }
    /// Bytes of the columns: nodes, edges, runs and tables of names and values, without texts of files.
    pub fn size_bytes(&self) -> usize {
        let per_node = 1 + 4 + 4 + 4 + 4 + 4;
        let text: usize = self.names.iter().map(|n| n.len()).sum();
        self.kind.len() * per_node
            + self.edges.len() * 4
            + (self.tail.len() + self.is_ref.len()) * 8
            + self.file_runs.len() * 8
            + self.t_runs.len() * 16
            + self.extra.len() * (4 + size_of::<Extra>())
            + self.literals.len() * size_of::<Edn>()
            + self.names.len() * size_of::<Box<str>>()
            + text
    }
    /// Children in evaluation order with their attribute, absent ones left out.
    pub fn edges(&self, id: NodeId) -> impl Iterator<Item = (&'static str, NodeId)> + '_ {
        let (c, info) = (self.children(id), self.kind(id).info());
        c.iter().enumerate().filter_map(move |(i, x)| Some((info.child_at(i, c.len())?.attr, x.some()?)))
    }
    /// The repeated children.
    pub fn repeated(&self, id: NodeId) -> &[NodeId] {
        let (c, info) = (self.children(id), self.kind(id).info());
        let before = info.children.iter().position(|c| c.shape == Shape::Many);
        match (before, info.repeated(c.len())) {
            (Some(b), Some(n)) => &c[b..b + n],
            _ => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_give_back_what_was_put_in() {
        let mut a = Ast::after_image(7, 3);
        let f = a.add_file("a.clj", "(fn [x] x)\nλ y");
        let at = |start, end| Span { file: f, start, end };
        let p = a.named(Kind::Parameter, at(5, 6), "x", &[]);
        let x = a.local(at(8, 9), "x", p);
        let l = a.add(Kind::Lambda, at(0, 10), &[p, NodeId::NONE, x]);
        a.set_t(3);
        let field = a.named(Kind::Field, Span::NONE, "n", &[x]);
        a.set_value(field, Edn::Int(2));
        let other = a.local(at(14, 15), "this", p);
        assert_eq!((p, l, a.len()), (NodeId(7), NodeId(9), 12));
        assert_eq!(
            (a.name(x), a.refers_to(x), a.name(other), a.refers_to(other)),
            (Some("x"), Some(p), Some("this"), Some(p))
        );
        assert_eq!((a.name(field), a.value(field), a.span(field)), (Some("n"), Some(&Edn::Int(2)), Span::NONE));
        assert_eq!((a.name(l), a.value(l), a.parent(p), a.parent(l)), (None, None, Some(l), None));
        assert_eq!((a.t(l), a.t(other), a.line_col(other), a.line_col(l)), (0, 3, (2, 3), (1, 1)));
        assert_eq!(a.edges(l).collect::<Vec<_>>(), [("yin/parameters", p), ("yin/body", x)]);
        assert_eq!(a.repeated(l), [p]);
        assert_eq!(a.file(f).map(|f| f.line(2)), Some("λ y"));
    }
}
