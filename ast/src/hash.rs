//! Content hashes: equal for nodes that mean the same.
//!
//! A local is named by how many binders lie between its use and its binder (de Bruijn's index), so names of locals do not
//! count, nor do places in the text, tail marks and names that functions give themselves for traces. One walk finds the
//! indices, one pass over the columns the hashes: O(nodes).

use crate::schema::Kind;
use crate::store::{Ast, NodeId};
use datoms::edn::Edn;

/// A hash of a meaning.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hash(pub [u8; 32]);

impl std::fmt::Display for Hash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}
impl std::fmt::Debug for Hash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

/// Walks a tree in evaluation order and knows which binders are in scope.
pub(crate) struct Scopes {
    /// Binders in scope, outermost first.
    pub visible: Vec<NodeId>,
    /// Where in `visible` a binder was put last, by id.
    level: rustc_hash::FxHashMap<NodeId, usize>,
}

impl Scopes {
    /// Calls `see` for every node under `root`, children first, with the scopes as they are when the node is evaluated.
    pub(crate) fn walk(ast: &Ast, root: NodeId, mut see: impl FnMut(NodeId, &Scopes)) {
        let mut s = Scopes { visible: Vec::new(), level: rustc_hash::FxHashMap::default() };
        // Node, next child, binders in scope when it was entered.
        let mut work = vec![(root, 0, 0)];
        s.enter(ast, root);
        while let Some((id, next, before)) = work.last_mut() {
            let (id, before) = (*id, *before);
            match ast.children(id).get(*next) {
                Some(&c) => {
                    *next += 1;
                    if let Some(c) = c.some() {
                        work.push((c, 0, s.visible.len()));
                        s.enter(ast, c);
                    }
                }
                None => {
                    see(id, &s);
                    work.pop();
                    match ast.kind(id) {
                        Kind::Lambda | Kind::Function | Kind::Let | Kind::Loop | Kind::Letrec | Kind::Catch => {
                            s.visible.truncate(before)
                        }
                        Kind::Parameter => s.bind(id),
                        // A binding of a letrec stands for what it refers to, which is in scope already.
                        Kind::Binding if ast.refers_to(id).is_none() => s.bind(id),
                        _ => {}
                    }
                }
            }
        }
    }
    fn enter(&mut self, ast: &Ast, id: NodeId) {
        if ast.kind(id) == Kind::Letrec {
            ast.repeated(id).iter().filter_map(|b| ast.refers_to(*b)).for_each(|b| self.bind(b));
        }
    }
    fn bind(&mut self, binder: NodeId) {
        self.level.insert(binder, self.visible.len());
        self.visible.push(binder);
    }
    /// How many binders were put in scope after this one; `None` if it is not in scope.
    pub(crate) fn index(&self, binder: NodeId) -> Option<usize> {
        let at = *self.level.get(&binder)?;
        (self.visible.get(at) == Some(&binder)).then(|| self.visible.len() - at - 1)
    }
}

/// The hashes of all nodes of the columns, in order of ids.
pub fn hashes(ast: &Ast) -> Vec<Hash> {
    let first = ast.ids().next().map_or(0, |id| id.0);
    let mut index = vec![u32::MAX; ast.ids().count()];
    for root in ast.ids().filter(|id| ast.parent(*id).is_none()) {
        Scopes::walk(ast, root, |id, s| {
            if let Some(i) = ast.refers_to(id).and_then(|b| s.index(b)) {
                index[(id.0 - first) as usize] = i as u32;
            }
        });
    }
    let mut out: Vec<Hash> = Vec::with_capacity(index.len());
    let mut bytes = Vec::new();
    for id in ast.ids() {
        // Children are older; one of an image has no columns here.
        let child = |c: NodeId| c.0.checked_sub(first).map(|c| out[c as usize]);
        let hash = one(ast, id, index[(id.0 - first) as usize], child, &mut bytes);
        out.push(hash);
    }
    out
}

/// The hash of a top-level form whose nodes are `nodes`, ascending, the form itself last: what [`hashes`] says of it.
pub fn hash_of_root(ast: &Ast, nodes: &[NodeId]) -> Hash {
    let at = |id: NodeId| nodes.binary_search(&id).ok();
    let mut index = vec![u32::MAX; nodes.len()];
    let Some(&root) = nodes.last() else { return Hash([0; 32]) };
    Scopes::walk(ast, root, |id, s| {
        if let Some(i) = ast.refers_to(id).and_then(|b| s.index(b))
            && let Some(at) = at(id)
        {
            index[at] = i as u32;
        }
    });
    let mut out: Vec<Hash> = Vec::with_capacity(nodes.len());
    let mut bytes = Vec::new();
    for (i, &id) in nodes.iter().enumerate() {
        let hash = one(ast, id, index[i], |c| at(c).and_then(|c| out.get(c).copied()), &mut bytes);
        out.push(hash);
    }
    out.pop().expect("there is a last node")
}

/// The hash of a node whose children have theirs. `index`: of a use of a local, de Bruijn's index.
fn one(ast: &Ast, id: NodeId, index: u32, child: impl Fn(NodeId) -> Option<Hash>, bytes: &mut Vec<u8>) -> Hash {
    bytes.clear();
    let kind = ast.kind(id);
    text(bytes, kind.info().name);
    let local = kind == Kind::Variable && ast.refers_to(id).is_some();
    if local {
        bytes.extend(index.to_le_bytes());
    } else if !matches!(kind, Kind::Parameter | Kind::Binding | Kind::Lambda | Kind::Function) {
        text(bytes, ast.name(id).unwrap_or(""));
    }
    if let Some(v) = ast.value(id) {
        value(bytes, v);
    }
    for c in ast.children(id) {
        match c.some().and_then(&child) {
            Some(h) => bytes.extend(h.0),
            None => bytes.push(0),
        }
    }
    Hash(*blake3::hash(bytes).as_bytes())
}

fn text(out: &mut Vec<u8>, s: &str) {
    out.extend((s.len() as u32).to_le_bytes());
    out.extend(s.as_bytes());
}

/// Bytes that are equal for equal values, whatever the order of maps and sets.
fn value(out: &mut Vec<u8>, v: &Edn) {
    let unordered = |out: &mut Vec<u8>, tag: u8, items: Vec<Vec<u8>>| {
        let mut items = items;
        items.sort();
        out.push(tag);
        out.extend((items.len() as u32).to_le_bytes());
        items.iter().for_each(|i| out.extend(i));
    };
    let apart = |v: &Edn| {
        let mut b = Vec::new();
        value(&mut b, v);
        b
    };
    match v {
        Edn::Int(i) => {
            out.push(b'i');
            out.extend(i.to_le_bytes());
        }
        Edn::Float(f) => {
            out.push(b'f');
            out.extend(f.to_bits().to_le_bytes());
        }
        Edn::List(items) | Edn::Vector(items) => {
            out.push(if matches!(v, Edn::List(_)) { b'(' } else { b'[' });
            out.extend((items.len() as u32).to_le_bytes());
            items.iter().for_each(|i| value(out, i));
        }
        Edn::Set(items) => unordered(out, b'#', items.iter().map(apart).collect()),
        Edn::Map(pairs) => unordered(
            out,
            b'{',
            pairs
                .iter()
                .map(|(k, v)| {
                    let mut b = apart(k);
                    value(&mut b, v);
                    b
                })
                .collect(),
        ),
        Edn::Tagged(t) => {
            out.push(b't');
            text(out, t.0.as_str());
            value(out, &t.1);
        }
        // Their text tells them from everything else.
        v => {
            out.push(b'v');
            text(out, &v.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Span;

    const S: Span = Span::NONE;

    /// `(fn [a] (fn [b] USE))` with names of choice.
    fn nested(a: &str, b: &str, outer: bool) -> Hash {
        let mut t = Ast::new();
        let pa = t.named(Kind::Parameter, S, a, &[]);
        let pb = t.named(Kind::Parameter, S, b, &[]);
        let x = if outer { t.local(S, a, pa) } else { t.local(S, b, pb) };
        let inner = t.add(Kind::Lambda, S, &[pb, NodeId::NONE, x]);
        t.add(Kind::Lambda, S, &[pa, NodeId::NONE, inner]);
        *hashes(&t).last().expect("five nodes")
    }

    #[test]
    fn names_of_locals_do_not_count_but_binders_do() {
        assert_eq!(nested("a", "b", true), nested("x", "y", true));
        assert_eq!(nested("a", "a", false), nested("x", "y", false));
        assert_ne!(nested("a", "b", true), nested("a", "b", false));
    }

    #[test]
    fn values_count_whatever_the_order_of_maps() {
        let h = |text: &str| {
            let mut t = Ast::new();
            t.literal(S, datoms::edn::read(text).expect("valid"));
            hashes(&t)[0]
        };
        assert_eq!(h("{:a 1 :b #{1 2}}"), h("{:b #{2 1} :a 1}"));
        for (x, y) in [("1", "1.0"), ("\"a\"", "a"), ("[1]", "(1)"), ("\\a", "\"a\""), ("[[] 1]", "[[1]]"), (":a", "a")]
        {
            assert_ne!(h(x), h(y), "{x} {y}");
        }
    }
}
