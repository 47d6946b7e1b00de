//! Names of functions that hold everywhere: the content hash of the top-level form a function stands in, and which node of
//! that form it is.
//!
//! Functions of the library are named by a table in the image, so nothing of them travels. Other forms travel as packed
//! Universal AST (`yin_ast::pack`); who receives one that it has not compiles it, and runs nothing.

use crate::code::{Const, FnDraft};
use crate::compile::{self, Env};
use crate::frame::{Code, Proto, code_ref};
use crate::machine::Vm;
use crate::op::{self, Op};
use rustc_hash::FxHashMap as HashMap;
use std::sync::Arc;
use yin_ast::hash::{Hash, hash_of_root};
use yin_ast::pack;
use yin_ast::{Kind, NodeId};

/// The part of an image that names the library's functions.
#[derive(Clone, Copy, Default)]
pub(crate) struct Library {
    /// Hash of the whole image: same machine, same library.
    pub hash: [u8; 32],
    /// Hashes of top-level forms, ascending, four words each.
    roots: &'static [u64],
    /// `[form << 32 | node, address − base]` of every function, ascending.
    protos: &'static [u64],
    /// Rows of `protos` in order of address.
    by_address: &'static [u64],
    base: usize,
    /// Where the image ends in permanent memory.
    pub end: usize,
}

fn hash_words(h: &Hash) -> [u64; 4] {
    std::array::from_fn(|i| u64::from_le_bytes(h.0[8 * i..8 * i + 8].try_into().expect("eight bytes")))
}

impl Library {
    /// The table for an image of this machine, whose permanent memory lies at `base`.
    pub fn table(vm: &Vm, base: usize) -> Vec<u64> {
        let mut of_node: HashMap<u32, (Hash, u32)> = HashMap::default();
        let mut done: HashMap<NodeId, ()> = HashMap::default();
        let mut protos: Vec<(Hash, u32, u64)> = Vec::new();
        let mut seen: HashMap<usize, ()> = HashMap::default();
        for code in &vm.codes {
            let proto = code_ref(*code).proto;
            let node = code_ref(*code).proto().node;
            if seen.insert(proto as usize, ()).is_some() || !vm.ast.has(NodeId(node)) {
                continue;
            }
            let root = pack::root_of(&vm.ast, NodeId(node));
            if done.insert(root, ()).is_none() {
                let nodes = pack::nodes_of(&vm.ast, root);
                let hash = hash_of_root(&vm.ast, &nodes);
                of_node.extend(nodes.iter().enumerate().map(|(i, n)| (n.0, (hash, i as u32))));
            }
            let (hash, rank) = of_node[&node];
            protos.push((hash, rank, (proto as usize - base) as u64));
        }
        protos.sort();
        let mut roots: Vec<Hash> = protos.iter().map(|p| p.0).collect();
        roots.dedup();
        let mut out = vec![roots.len() as u64, protos.len() as u64];
        out.extend(roots.iter().flat_map(hash_words));
        for (hash, rank, at) in &protos {
            let root = roots.binary_search(hash).expect("collected above") as u64;
            out.extend([root << 32 | u64::from(*rank), *at]);
        }
        let mut order: Vec<u64> = (0..protos.len() as u64).collect();
        order.sort_by_key(|i| protos[*i as usize].2);
        out.extend(order);
        out
    }
    /// Reads the table; the words behind it.
    pub fn read(t: &'static [u64], hash: [u8; 32], base: usize, end: usize) -> (Library, &'static [u64]) {
        let (n_roots, n_protos) = (t[0] as usize, t[1] as usize);
        let (roots, t) = t[2..].split_at(4 * n_roots);
        let (protos, t) = t.split_at(2 * n_protos);
        let (by_address, t) = t.split_at(n_protos);
        (Library { hash, roots, protos, by_address, base, end }, t)
    }
    pub fn has_address(&self, p: usize) -> bool {
        p >= self.base && p < self.end
    }
    fn hash_at(&self, root: usize) -> Hash {
        let mut h = [0; 32];
        for i in 0..4 {
            h[8 * i..8 * i + 8].copy_from_slice(&self.roots[4 * root + i].to_le_bytes());
        }
        Hash(h)
    }
    /// Form and node of a function of the library. O(log functions).
    fn name_of(&self, proto: *const Proto) -> Option<(Hash, u32)> {
        let at = (proto as usize).checked_sub(self.base)? as u64;
        let row = |i: u64| &self.protos[2 * i as usize..2 * i as usize + 2];
        let i = self.by_address.binary_search_by_key(&at, |i| row(*i)[1]).ok()?;
        let key = row(self.by_address[i])[0];
        Some((self.hash_at((key >> 32) as usize), key as u32))
    }
    fn find(&self, hash: &Hash, rank: u32) -> Option<*const Proto> {
        let n = self.roots.len() / 4;
        // Forms are ordered by their bytes.
        let (mut low, mut high) = (0, n);
        while low < high {
            let mid = (low + high) / 2;
            if self.hash_at(mid) < *hash { low = mid + 1 } else { high = mid }
        }
        if low == n || self.hash_at(low) != *hash {
            return None;
        }
        let key = (low as u64) << 32 | u64::from(rank);
        let (mut low, mut high) = (0, self.protos.len() / 2);
        while low < high {
            let mid = (low + high) / 2;
            if self.protos[2 * mid] < key { low = mid + 1 } else { high = mid }
        }
        let row = self.protos.get(2 * low..2 * low + 2)?;
        (row[0] == key).then(|| (self.base + row[1] as usize) as *const Proto)
    }
}

/// A top-level form that is not the library's.
pub(crate) struct Form {
    pub hash: Hash,
    /// Its bytes; an error text if it holds what cannot travel.
    pub packed: Result<Arc<[u8]>, String>,
    nodes: Vec<NodeId>,
}

/// What the machine knows of the functions that programs brought.
#[derive(Default)]
pub(crate) struct CodeBook {
    forms: Vec<Form>,
    /// Node of a function → form, position in it.
    of_node: HashMap<u32, (u32, u32)>,
    by_hash: HashMap<Hash, u32>,
    /// Node of a function → the function.
    protos: HashMap<u32, usize>,
    /// Hashes of functions by themselves, by node.
    functions: HashMap<u32, Hash>,
    /// Codes looked at so far.
    scanned: usize,
}

/// Where a function comes from.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Origin {
    Library(Hash),
    /// A form of the book.
    Form(u32),
}

impl CodeBook {
    pub fn form(&self, i: u32) -> &Form {
        &self.forms[i as usize]
    }
    fn add(&mut self, hash: Hash, packed: Result<Arc<[u8]>, String>, nodes: Vec<NodeId>) -> u32 {
        let i = self.forms.len() as u32;
        self.of_node.extend(nodes.iter().enumerate().map(|(k, n)| (n.0, (i, k as u32))));
        self.by_hash.entry(hash).or_insert(i);
        self.forms.push(Form { hash, packed, nodes });
        i
    }
}

/// Why a form cannot travel, if it cannot: it holds an object that is no data.
fn stuck(ast: &yin_ast::Ast, nodes: &[NodeId]) -> Option<String> {
    fn object(e: &datoms::edn::Edn) -> bool {
        use datoms::edn::Edn;
        match e {
            Edn::Tagged(t) => t.0.as_str() == "yin/object" || object(&t.1),
            Edn::List(xs) | Edn::Vector(xs) | Edn::Set(xs) => xs.iter().any(object),
            Edn::Map(es) => es.iter().any(|(k, v)| object(k) || object(v)),
            _ => false,
        }
    }
    let at = nodes.iter().find(|n| ast.value(**n).is_some_and(object))?;
    let line = ast.line_col(*at).0;
    let file = ast.file(ast.span(*at).file).map_or("", |f| &f.name);
    Some(format!("the code at {file}:{line} holds an object that is no data, so it cannot travel"))
}

impl Vm {
    /// Form and node that name a function everywhere; `None` for one that came from no form.
    pub(crate) fn name_of_proto(&mut self, proto: *const Proto, node: u32) -> Option<(Origin, u32)> {
        if self.library.has_address(proto as usize) {
            let (hash, rank) = self.library.name_of(proto)?;
            return Some((Origin::Library(hash), rank));
        }
        if !self.book.of_node.contains_key(&node) {
            if !self.ast.has(NodeId(node)) {
                return None;
            }
            let root = pack::root_of(&self.ast, NodeId(node));
            let nodes = pack::nodes_of(&self.ast, root);
            let hash = hash_of_root(&self.ast, &nodes);
            let packed = match stuck(&self.ast, &nodes) {
                None => Ok(pack::pack(&self.ast, &nodes).into()),
                Some(why) => Err(why),
            };
            self.book.add(hash, packed, nodes);
        }
        let (form, rank) = *self.book.of_node.get(&node)?;
        // A form met under two sets of nodes counts as the first of them.
        let first = self.book.by_hash[&self.book.forms[form as usize].hash];
        Some((Origin::Form(first), rank))
    }

    /// Hash of what a function means by itself.
    pub(crate) fn hash_of_function(&mut self, node: u32) -> Hash {
        if let Some(h) = self.book.functions.get(&node) {
            return *h;
        }
        let hash = hash_of_root(&self.ast, &pack::nodes_of(&self.ast, NodeId(node)));
        self.book.functions.insert(node, hash);
        hash
    }
    /// Qualified names of the globals that the code at a node mentions, in order, each once.
    pub(crate) fn globals_under(&self, node: u32) -> Vec<String> {
        let mut out: Vec<String> = Vec::new();
        let mut seen: rustc_hash::FxHashSet<&str> = Default::default();
        let mut work = vec![NodeId(node)];
        while let Some(id) = work.pop() {
            if !self.ast.has(id) {
                continue;
            }
            let global = matches!(self.ast.kind(id), Kind::Variable | Kind::Var | Kind::Define);
            if global
                && self.ast.refers_to(id).is_none()
                && let Some(name) = self.ast.name(id)
                && name.contains('/')
                && seen.insert(name)
            {
                out.push(name.to_string());
            }
            work.extend(self.ast.children(id).iter().rev().filter_map(|c| c.some()));
        }
        out
    }
    /// The library's function of that name.
    pub(crate) fn library_proto(&self, hash: &Hash, rank: u32) -> Option<*const Proto> {
        self.library.find(hash, rank)
    }
    pub(crate) fn form_known(&mut self, hash: &Hash) -> Option<u32> {
        self.book.by_hash.get(hash).copied()
    }
    /// The function at a node of a form.
    pub(crate) fn form_proto(&mut self, form: u32, rank: u32) -> Option<*const Proto> {
        let node = self.book.forms[form as usize].nodes.get(rank as usize)?.0;
        for i in self.book.scanned..self.codes.len() {
            let code = code_ref(self.codes[i]);
            self.book.protos.entry(code.proto().node).or_insert(code.proto as usize);
        }
        self.book.scanned = self.codes.len();
        self.book.protos.get(&node).map(|p| *p as *const Proto)
    }
    /// Checks, compiles, verifies and installs a form that came from elsewhere. Nothing of it runs.
    pub(crate) fn adopt_form(&mut self, hash: Hash, packed: &[u8]) -> Result<u32, String> {
        if self.heap.perm_is_nearly_full() {
            return Err("there is no room for more code".into());
        }
        let nodes = pack::unpack(&mut self.ast, packed, &hash)?;
        let root = *nodes.last().expect("a form has nodes");
        if let Some(why) = stuck(&self.ast, &nodes) {
            return Err(why);
        }
        let draft = compile::compile(&self.ast, root, &Env { prims: &self.prim_ids, redefined: &self.redefined })?;
        if size_of_draft(&draft) > 64 * packed.len() + 4096 {
            return Err("a form grows too much when it is compiled".into());
        }
        self.install(&draft)?;
        Ok(self.book.add(hash, Ok(packed.into()), nodes))
    }
}

fn size_of_draft(d: &FnDraft) -> usize {
    let inner = |c: &Const| if let Const::Fn(f) = c { size_of_draft(f) } else { 1 };
    d.arities.iter().map(|a| a.words.len() + a.consts.iter().map(inner).sum::<usize>()).sum()
}

/// Digest of the instructions of a code: two machines that agree on it keep the same locals in the same registers at the
/// same places. Marks that instructions collect while they run do not count. O(instructions).
pub(crate) fn digest(code: &Code) -> u64 {
    let words = code.words();
    let mut bytes = Vec::with_capacity(words.len() * 8);
    let prim = |id: usize| crate::prim::table::get(id as u16).map_or("", |p| p.name);
    let mut pc = 0;
    while pc < words.len() {
        let w = words[pc];
        let o = Op::of(w).expect("verified");
        let info = o.info();
        bytes.extend(info.name.as_bytes());
        for (kind, x) in
            [(info.a, op::a(w)), (info.b, if info.wide { op::ui(w) } else { op::b(w) }), (info.c, op::c(w))]
        {
            match kind {
                op::Operand::No => {}
                op::Operand::Prim => bytes.extend(prim(x).as_bytes()),
                _ => bytes.extend((x as u32).to_le_bytes()),
            }
        }
        match o {
            Op::Call | Op::CallVar | Op::CallSelf | Op::TailCall | Op::TailCallVar | Op::PrimN | Op::Vector => {
                bytes.push(op::aux(w))
            }
            Op::Prim2 | Op::Prim3 => {
                bytes.extend(prim(words[pc + 1] as u16 as usize).as_bytes());
                bytes.extend(((words[pc + 1] >> 16) as u16).to_le_bytes());
            }
            Op::Assoc => bytes.extend(words[pc + 1].to_le_bytes()),
            Op::Closure => {
                (0..op::aux(w) as usize).for_each(|i| bytes.extend(op::capture_reg(&words[pc + 1..], i).to_le_bytes()))
            }
            _ => {}
        }
        pc += op::len(w);
    }
    bytes.extend(code.n_regs.to_le_bytes());
    bytes.extend([code.n_params, code.variadic]);
    u64::from_le_bytes(blake3::hash(&bytes).as_bytes()[..8].try_into().expect("eight bytes"))
}
