//! Programs as columns: one append-only store for all files of a program.
//!
//! Nodes are appended in evaluation order, so children have smaller ids than their parents, binders smaller ids than their
//! uses. One column per attribute; children in a shared edge column.

use crate::schema::{Kind, Shape};
use datoms::edn::Edn;
use std::collections::HashMap;

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

/// A source file: its name and where its lines start.
#[derive(Clone, Debug)]
pub struct File {
    pub name: String,
    pub text: String,
    line_starts: Vec<u32>,
}

impl File {
    /// Line and column, from 1, of a byte offset. O(log lines).
    pub fn line_col(&self, at: u32) -> (u32, u32) {
        let line = self.line_starts.partition_point(|s| *s <= at).max(1);
        let start = self.line_starts[line - 1] as usize;
        let end = (at as usize).min(self.text.len());
        let col = self.text.get(start..end).map_or(1, |t| t.chars().count() + 1);
        (line as u32, col as u32)
    }
    /// Text of a line, from 1.
    pub fn line(&self, line: u32) -> &str {
        let start = self.line_starts.get(line as usize - 1).map_or(self.text.len(), |s| *s as usize);
        self.text[start..].lines().next().unwrap_or("")
    }
}

/// A program.
#[derive(Clone, Default, Debug)]
pub struct Ast {
    kind: Vec<u8>,
    start: Vec<u32>,
    end: Vec<u32>,
    file: Vec<u16>,
    parent: Vec<NodeId>,
    name: Vec<u32>,
    refers_to: Vec<NodeId>,
    literal: Vec<u32>,
    edge_start: Vec<u32>,
    edges: Vec<NodeId>,
    tail: Vec<u64>,
    literals: Vec<Edn>,
    names: Vec<String>,
    name_ids: HashMap<String, u32>,
    files: Vec<File>,
    /// Ids below these belong to the image the machine was started from.
    base: u32,
    file_base: u32,
    pub roots: Vec<NodeId>,
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
    /// Number of files, those of the image included.
    pub fn n_files(&self) -> u32 {
        self.file_base + self.files.len() as u32
    }
    /// Is the node in these columns?
    pub fn has(&self, id: NodeId) -> bool {
        id.0 >= self.base && (id.0 as usize) < self.len()
    }
    pub fn file(&self, id: u32) -> Option<&File> {
        self.files.get(id.checked_sub(self.file_base)? as usize)
    }
    fn at(&self, id: NodeId) -> usize {
        (id.0 - self.base) as usize
    }
    pub fn is_empty(&self) -> bool {
        self.kind.is_empty()
    }

    /// Adds a source file.
    pub fn add_file(&mut self, name: &str, text: &str) -> u32 {
        let mut line_starts = vec![0];
        line_starts.extend(text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(i, _)| i as u32 + 1));
        self.files.push(File { name: name.into(), text: text.into(), line_starts });
        self.file_base + self.files.len() as u32 - 1
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

    /// Appends a node. `children` are as the node table lists them, `NONE` for an absent optional one.
    pub fn add(&mut self, kind: Kind, span: Span, children: &[NodeId]) -> NodeId {
        let id = NodeId(self.len() as u32);
        debug_assert!(self.fits(kind, children.len()), "{kind:?} with {} children", children.len());
        self.kind.push(kind as u8);
        self.start.push(span.start);
        self.end.push(span.end);
        self.file.push(span.file as u16);
        self.parent.push(NodeId::NONE);
        self.name.push(u32::MAX);
        self.refers_to.push(NodeId::NONE);
        self.literal.push(u32::MAX);
        self.edge_start.push(self.edges.len() as u32);
        self.edges.extend_from_slice(children);
        for c in children.iter().filter(|c| c.some().is_some()) {
            let c = self.at(*c);
            self.parent[c] = id;
        }
        if (id.0 - self.base).is_multiple_of(64) {
            self.tail.push(0);
        }
        id
    }
    fn fits(&self, kind: Kind, n: usize) -> bool {
        let shapes = kind.info().children;
        let fixed = shapes.iter().filter(|c| c.1 != Shape::Many).count();
        if shapes.len() == fixed { n == fixed } else { n >= fixed }
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
    pub fn set_name(&mut self, id: NodeId, name: &str) {
        let n = self.intern(name);
        let i = self.at(id);
        self.name[i] = n.0;
    }
    pub fn set_value(&mut self, id: NodeId, v: Edn) {
        let i = self.at(id);
        self.literal[i] = self.literals.len() as u32;
        self.literals.push(v);
    }
    pub fn set_refers_to(&mut self, id: NodeId, binder: NodeId) {
        let i = self.at(id);
        self.refers_to[i] = binder;
    }
    pub fn set_tail(&mut self, id: NodeId) {
        let i = self.at(id);
        self.tail[i / 64] |= 1 << (i % 64);
    }
    pub fn add_root(&mut self, id: NodeId) {
        self.roots.push(id);
    }

    pub fn kind(&self, id: NodeId) -> Kind {
        Kind::from_u8(self.kind[self.at(id)]).expect("stored from a kind")
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
        self.names.get(self.name[self.at(id)] as usize).map(String::as_str)
    }
    pub fn value(&self, id: NodeId) -> Option<&Edn> {
        self.literals.get(self.literal[self.at(id)] as usize)
    }
    pub fn refers_to(&self, id: NodeId) -> Option<NodeId> {
        self.refers_to[self.at(id)].some()
    }
    pub fn parent(&self, id: NodeId) -> Option<NodeId> {
        self.parent[self.at(id)].some()
    }
    pub fn is_tail(&self, id: NodeId) -> bool {
        let i = self.at(id);
        self.tail[i / 64] >> (i % 64) & 1 != 0
    }
    pub fn span(&self, id: NodeId) -> Span {
        let i = self.at(id);
        Span { file: self.file[i] as u32, start: self.start[i], end: self.end[i] }
    }
    pub fn line_col(&self, id: NodeId) -> (u32, u32) {
        let s = self.span(id);
        self.file(s.file).map_or((0, 0), |f| f.line_col(s.start))
    }
    /// Bytes of the columns.
    pub fn size_bytes(&self) -> usize {
        let n = self.kind.len();
        n * (1 + 4 + 4 + 2 + 4 + 4 + 4 + 4 + 4) + self.edges.len() * 4 + self.tail.len() * 8
    }
}
