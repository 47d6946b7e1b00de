//! The columns of a program as a database: what queries over programs ask.
//!
//! The facts are those of the datom form, with two differences that queries want: a repeated child is one fact a child
//! (`:yin/child-index` and `:yin/position` keep the order), and some attributes are derived from the tree
//! ([`DERIVED`]). Points are read from the columns of the AST, nothing is copied before a join asks for it.

use crate::hash::{Hash, hashes};
use crate::schema::{COMMON, KINDS, Kind, Shape};
use crate::store::{Ast, NodeId};
use datoms::edn::Edn;
use datoms::lazy::{AttrInfo, Lazy, Lexicon, Relations};
use datoms::value::Word;
use std::sync::{Arc, OnceLock};

/// Attributes that follow from the tree and are in no datom form.
pub const DERIVED: &[AttrInfo] = &[
    AttrInfo::value("yin/position", "which of the repeated children of its parent the node is, from 0"),
    AttrInfo::value("yin/count", "number of repeated children: operands, parameters, statements"),
    AttrInfo::value("yin/size", "number of nodes of the tree under the node, itself included"),
    AttrInfo::value("yin/global", "of a variable that nothing binds: the qualified name of the global"),
    AttrInfo::value("yin/defines", "of a definition: the qualified name it defines"),
    AttrInfo::value(
        "yin/uses",
        "of a binder: how many variables refer to it; of a definition: how many use its global",
    ),
    AttrInfo::reference(
        "yin/function",
        "the innermost function around the node, itself not counted; an arity belongs to its function",
    ),
    AttrInfo::reference("yin/toplevel", "the root of the node's tree"),
];

/// What an attribute is read from.
#[derive(Clone, Copy, PartialEq, Debug)]
enum What {
    Type,
    Name,
    Value,
    Params,
    RefersTo,
    Tail,
    Root,
    Parent,
    ChildIndex,
    Hash,
    Lang,
    File,
    Start,
    End,
    Line,
    Column,
    EndLine,
    EndColumn,
    Child(&'static str),
    Position,
    Count,
    Size,
    Global,
    Defines,
    Uses,
    Function,
    Toplevel,
}

fn what(name: &'static str) -> What {
    use What::*;
    match name {
        "yin/type" => Type,
        "yin/name" => Name,
        "yin/value" => Value,
        "yin/params" => Params,
        "yin/refers-to" => RefersTo,
        "yin/tail?" => Tail,
        "yin/root" => Root,
        "yin/parent" => Parent,
        "yin/child-index" => ChildIndex,
        "yin/hash" => Hash,
        "yin/lang" => Lang,
        "yin/file" => File,
        "yin/start" => Start,
        "yin/end" => End,
        "yin/line" => Line,
        "yin/column" => Column,
        "yin/end-line" => EndLine,
        "yin/end-column" => EndColumn,
        "yin/position" => Position,
        "yin/count" => Count,
        "yin/size" => Size,
        "yin/global" => Global,
        "yin/defines" => Defines,
        "yin/uses" => Uses,
        "yin/function" => Function,
        "yin/toplevel" => Toplevel,
        child => Child(child),
    }
}

/// Every attribute of a program as a database, in the order of the tables.
pub fn attrs() -> Vec<AttrInfo> {
    let mut out: Vec<AttrInfo> = COMMON
        .iter()
        .map(|(name, doc)| match *name {
            "yin/refers-to" | "yin/parent" => AttrInfo::reference(name, doc),
            _ => AttrInfo::value(name, doc),
        })
        .collect();
    for c in KINDS.iter().flat_map(|k| k.children) {
        if !out.iter().any(|a| a.name == c.attr) {
            out.push(AttrInfo::reference(c.attr, "a child"));
        }
        if c.shape == Shape::Many
            && let Some(a) = out.iter_mut().find(|a| a.name == c.attr)
        {
            a.traits.many = true;
        }
    }
    out.extend(DERIVED.iter().cloned());
    out
}

/// Which nodes belong to the database: all that hang on a root, as an analysis that failed leaves nodes without one.
struct Tree {
    /// By node from the first one of the columns: the root's number in the columns, or `u32::MAX`.
    top: Vec<u32>,
    size: Vec<u32>,
    /// Innermost function around.
    function: Vec<u32>,
    child_index: Vec<u32>,
}

/// A program as relations.
pub struct Program<'a> {
    ast: &'a Ast,
    lexicon: Arc<Lexicon>,
    attrs: Vec<AttrInfo>,
    what: Vec<What>,
    first: u32,
    n: u32,
    types: Vec<Word>,
    tree: OnceLock<Tree>,
    uses: OnceLock<(Vec<u32>, Vec<u32>)>,
    hashes: OnceLock<Vec<Hash>>,
    names: OnceLock<Vec<Word>>,
    files: OnceLock<Vec<(Word, Word)>>,
}

/// The program of an AST as a database. O(attributes).
pub fn program<'a>(ast: &'a Ast, lexicon: &Arc<Lexicon>) -> Lazy<Program<'a>> {
    program_from(ast, NodeId(0), lexicon)
}

/// The nodes from `first` on as a database: roots analysed since.
pub fn program_from<'a>(ast: &'a Ast, first: NodeId, lexicon: &Arc<Lexicon>) -> Lazy<Program<'a>> {
    Lazy::new(Program::new(ast, first, lexicon), lexicon)
}

/// Entities of nodes begin here, as in the datom form.
const FIRST: u32 = crate::datoms::FIRST as u32;

/// The entity of a node.
pub fn entity(id: NodeId) -> u32 {
    id.0 + FIRST
}

/// The node of an entity.
pub fn node(e: u32) -> Option<NodeId> {
    e.checked_sub(FIRST).map(NodeId)
}

impl<'a> Program<'a> {
    fn new(ast: &'a Ast, first: NodeId, lexicon: &Arc<Lexicon>) -> Self {
        let attrs = attrs();
        let what = attrs.iter().map(|a| what(a.name)).collect();
        let first = ast.ids().next().map_or(ast.len() as u32, |id| id.0).max(first.0);
        let n = (ast.len() as u32).saturating_sub(first);
        let types = KINDS.iter().map(|k| lexicon.encode(&Edn::keyword(k.name))).collect();
        Program {
            ast,
            lexicon: lexicon.clone(),
            attrs,
            what,
            first,
            n,
            types,
            tree: OnceLock::new(),
            uses: OnceLock::new(),
            hashes: OnceLock::new(),
            names: OnceLock::new(),
            files: OnceLock::new(),
        }
    }

    fn at(&self, id: NodeId) -> usize {
        (id.0 - self.first) as usize
    }

    fn has(&self, id: NodeId) -> bool {
        id.0 >= self.first && self.ast.has(id)
    }

    fn ids(&self) -> impl DoubleEndedIterator<Item = NodeId> + use<> {
        (self.first..self.first + self.n).map(NodeId)
    }

    /// One pass from the last node to the first, as parents have greater ids; one forth for sizes. O(nodes).
    fn tree(&self) -> &Tree {
        self.tree.get_or_init(|| {
            let n = self.n as usize;
            let none = || vec![u32::MAX; n];
            let mut t = Tree { top: none(), size: vec![1; n], function: none(), child_index: vec![0; n] };
            let mut roots = vec![false; n];
            self.ast.roots.iter().filter(|r| self.has(**r)).for_each(|r| roots[self.at(*r)] = true);
            for id in self.ids().rev() {
                let i = self.at(id);
                match self.ast.parent(id) {
                    Some(p) => {
                        let p_at = self.at(p);
                        t.top[i] = t.top[p_at];
                        let arity = |p| self.ast.parent(p).is_some_and(|f| self.ast.kind(f) == Kind::Function);
                        t.function[i] = match self.ast.kind(p) {
                            Kind::Function => p_at as u32,
                            Kind::Lambda if !arity(p) => p_at as u32,
                            _ => t.function[p_at],
                        };
                    }
                    None if roots[i] => t.top[i] = i as u32,
                    None => {}
                }
                // The names of local functions that know each other hang on nothing; they belong where they are bound.
                if let (Kind::Binding, Some(b)) = (self.ast.kind(id), self.ast.refers_to(id))
                    && self.has(b)
                {
                    t.top[self.at(b)] = t.top[i];
                    t.function[self.at(b)] = t.function[i];
                }
                for (k, c) in self.ast.children(id).iter().enumerate() {
                    if let Some(c) = c.some().filter(|c| self.has(*c)) {
                        t.child_index[self.at(c)] = k as u32;
                    }
                }
            }
            for id in self.ids() {
                if let Some(p) = self.ast.parent(id) {
                    t.size[self.at(p)] += t.size[self.at(id)];
                }
            }
            t
        })
    }

    /// Variables by binder, and variables without one by name. O(nodes).
    fn uses(&self) -> &(Vec<u32>, Vec<u32>) {
        self.uses.get_or_init(|| {
            let (mut binders, mut names) = (vec![0; self.n as usize], vec![0; self.ast.n_names()]);
            for id in self.ids().filter(|id| self.holds(*id) && self.ast.kind(*id) == Kind::Variable) {
                match (self.ast.refers_to(id), self.ast.name_id(id)) {
                    (Some(b), _) if self.has(b) => binders[self.at(b)] += 1,
                    (None, Some(n)) => names[n.0 as usize] += 1,
                    _ => {}
                }
            }
            (binders, names)
        })
    }

    fn name_words(&self) -> &[Word] {
        self.names.get_or_init(|| {
            let symbol = |i: usize| Edn::symbol(self.ast.name_text(crate::Name(i as u32)));
            (0..self.ast.n_names()).map(|i| self.lexicon.encode(&symbol(i))).collect()
        })
    }

    /// Name and language of a file, as words.
    fn file_words(&self, file: u32) -> Option<(Word, Word)> {
        let first = self.ast.n_files() - self.ast.files().len() as u32;
        let words = self.files.get_or_init(|| {
            let word = |f: &crate::store::File| {
                (self.lexicon.encode(&Edn::string(f.name.as_str())), self.lexicon.encode(&Edn::keyword(&f.lang)))
            };
            self.ast.files().iter().map(word).collect()
        });
        words.get(file.checked_sub(first)? as usize).copied()
    }

    fn params(&self, id: NodeId) -> Edn {
        let name = |p: NodeId| Edn::symbol(self.ast.name(p).unwrap_or("_"));
        let mut names: Vec<Edn> = self.ast.repeated(id).iter().map(|p| name(*p)).collect();
        if let Some(rest) = self.ast.child(id, -2).some() {
            names.extend([Edn::symbol("&"), name(rest)]);
        }
        Edn::vector(names)
    }

    /// The facts of one attribute and node.
    fn each(&self, what: What, id: NodeId, out: &mut dyn FnMut(Word)) {
        let (ast, kind) = (self.ast, self.ast.kind(id));
        let int = |i: u32| Word::entity(i);
        let line_col = |end: bool| {
            let s = ast.span(id);
            ast.file(s.file).map(|f| f.line_col(if end { s.end } else { s.start }))
        };
        let node = |id: NodeId| Word::entity(entity(id));
        let one = match what {
            What::Type => Some(self.types[kind as usize]),
            What::Name => ast.name_id(id).map(|n| self.name_words()[n.0 as usize]),
            What::Value => ast.value(id).map(|v| self.lexicon.encode(v)),
            What::Params => (kind == Kind::Lambda).then(|| self.lexicon.encode(&self.params(id))),
            What::RefersTo => ast.refers_to(id).map(node),
            What::Tail => ast.is_tail(id).then_some(Word::TRUE),
            What::Root => (self.tree().top[self.at(id)] as usize == self.at(id)).then_some(Word::TRUE),
            What::Parent => ast.parent(id).map(node),
            What::ChildIndex => ast.parent(id).map(|_| int(self.tree().child_index[self.at(id)])),
            What::Hash => {
                let h = self.hashes.get_or_init(|| hashes(ast))[(id.0 - ast.ids().next().map_or(0, |f| f.0)) as usize];
                Some(self.lexicon.encode(&Edn::string(h.to_string())))
            }
            What::Lang => self.file_words(ast.span(id).file).map(|w| w.1),
            What::File => self.file_words(ast.span(id).file).map(|w| w.0),
            What::Start | What::End => {
                let s = ast.span(id);
                ast.file(s.file).map(|_| int(if what == What::Start { s.start } else { s.end }))
            }
            What::Line => line_col(false).map(|p| int(p.0)),
            What::Column => line_col(false).map(|p| int(p.1)),
            What::EndLine => line_col(true).map(|p| int(p.0)),
            What::EndColumn => line_col(true).map(|p| int(p.1)),
            What::Child(attr) => {
                if kind.info().children.iter().any(|c| c.attr == attr) {
                    ast.edges(id).filter(|(a, _)| *a == attr).for_each(|(_, c)| out(node(c)));
                }
                None
            }
            What::Position => self.position(id).map(int),
            What::Count => {
                let many = kind.info().children.iter().any(|c| c.shape == Shape::Many);
                many.then(|| int(ast.repeated(id).len() as u32))
            }
            What::Size => Some(int(self.tree().size[self.at(id)])),
            What::Global => {
                let free = kind == Kind::Variable && ast.refers_to(id).is_none();
                ast.name_id(id).filter(|_| free).map(|n| self.name_words()[n.0 as usize])
            }
            What::Defines => ast.name_id(id).filter(|_| kind == Kind::Define).map(|n| self.name_words()[n.0 as usize]),
            What::Uses => {
                let (of_binder, of_name) = self.uses();
                match kind {
                    Kind::Define => ast.name_id(id).map(|n| int(of_name[n.0 as usize])),
                    Kind::Parameter | Kind::Binding => Some(int(of_binder[self.at(id)])),
                    _ => None,
                }
            }
            What::Function => {
                let f = self.tree().function[self.at(id)];
                (f != u32::MAX).then(|| node(NodeId(self.first + f)))
            }
            What::Toplevel => Some(node(NodeId(self.first + self.tree().top[self.at(id)]))),
        };
        if let Some(w) = one {
            out(w);
        }
    }

    fn position(&self, id: NodeId) -> Option<u32> {
        let p = self.ast.parent(id)?;
        let before = self.ast.kind(p).info().children.iter().position(|c| c.shape == Shape::Many)?;
        let i = (self.tree().child_index[self.at(id)] as usize).checked_sub(before)?;
        (i < self.ast.repeated(p).len()).then_some(i as u32)
    }

    /// Is the node in a program's tree?
    fn holds(&self, id: NodeId) -> bool {
        self.has(id) && self.tree().top[self.at(id)] != u32::MAX
    }
}

impl Relations for Program<'_> {
    fn attrs(&self) -> &[AttrInfo] {
        &self.attrs
    }

    fn fill(&self, attr: usize, out: &mut dyn FnMut(u32, Word)) {
        let what = self.what[attr];
        for id in self.ids().filter(|id| self.holds(*id)) {
            self.each(what, id, &mut |w| out(entity(id), w));
        }
    }

    fn values(&self, attr: usize, e: u32, out: &mut Vec<Word>) -> bool {
        if let Some(id) = node(e).filter(|id| self.holds(*id)) {
            self.each(self.what[attr], id, &mut |w| out.push(w));
        }
        true
    }

    fn n_entities(&self) -> usize {
        self.n as usize
    }

    fn provenance(&self, _attr: usize, e: u32) -> (i64, i64) {
        (node(e).filter(|id| self.has(*id)).map_or(0, |id| self.ast.t(id)), crate::datoms::ASSERT)
    }
}
