//! From the visits of a parser's tree to the columns of the Universal AST.

use datoms::edn::Edn;
use std::collections::HashMap;
use yin_ast::{Ast, Kind, NodeId, Span};

/// What a node of a foreign tree is.
pub enum What<'a> {
    /// Nothing of its own: its parts are parts of what is around it.
    Nothing,
    Literal(Edn),
    Variable(&'a str),
    /// The first part is called with the others.
    Application,
    /// Which part is test, consequent, alternate.
    If([usize; 3]),
    /// Anything else, with its operator if it has one.
    Syntax(Construct, &'static str),
}

/// A kind of node of a parser.
#[derive(Clone, Copy)]
pub enum Construct {
    Python(rustpython_ruff_python_ast::NodeKind),
    JavaScript(oxc_ast::AstType),
}

impl Construct {
    fn number(self) -> (bool, u8) {
        match self {
            Construct::Python(k) => (false, k as u8),
            Construct::JavaScript(k) => (true, k as u8),
        }
    }
    /// As `:yin/name` has it.
    fn name(self, operator: &str) -> String {
        match self {
            Construct::Python(k) => format!("python/{k:?}{operator}"),
            Construct::JavaScript(k) => format!("javascript/{k:?}{operator}"),
        }
    }
}

/// Nodes are left before what is around them, so that children come first in the columns.
pub struct Builder {
    pub ast: Ast,
    pub file: u32,
    spelt: HashMap<((bool, u8), &'static str), String>,
    /// Nodes without a parent yet.
    pending: Vec<NodeId>,
    /// For every node that is entered, how many were pending then.
    open: Vec<usize>,
}

impl Builder {
    pub fn new() -> Builder {
        Builder { ast: Ast::new(), file: Span::NO_FILE, spelt: HashMap::new(), pending: Vec::new(), open: Vec::new() }
    }
    pub fn enter(&mut self) {
        self.open.push(self.pending.len());
    }
    pub fn leave(&mut self, what: What, start: u32, end: u32) {
        let from = self.open.pop().expect("entered before");
        let span = Span { file: self.file, start, end };
        let parts = &self.pending[from..];
        let node = match what {
            What::Nothing => return,
            What::Literal(v) => self.ast.literal(span, v),
            What::Variable(name) => self.ast.named(Kind::Variable, span, name, &[]),
            What::Application if !parts.is_empty() => self.ast.add(Kind::Application, span, parts),
            What::If(order) if parts.len() == 3 => self.ast.add(Kind::If, span, &order.map(|i| parts[i])),
            What::Application | What::If(_) => self.ast.named(Kind::Syntax, span, "malformed", parts),
            What::Syntax(kind, operator) => {
                let name = self.spelt.entry((kind.number(), operator)).or_insert_with(|| kind.name(operator));
                self.ast.named(Kind::Syntax, span, name, parts)
            }
        };
        self.pending.truncate(from);
        self.pending.push(node);
    }
    /// A file is over: what is pending are its top-level nodes.
    pub fn end(&mut self) {
        for id in std::mem::take(&mut self.pending) {
            self.ast.add_root(id);
        }
        self.open.clear();
    }
}
