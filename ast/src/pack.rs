//! One top-level form as bytes that travel, and back: the columns of its nodes with names, values and places.
//!
//! Bytes name nothing outside the form: nodes count from 0 in their order, children and binders are distances backwards,
//! names are positions in the form's own table. `docs/frozen.md` describes them. Whoever reads them trusts nothing: shapes,
//! scopes and the content hash are checked before the nodes join a program.

use crate::check::{self, MAX_DEPTH};
use crate::hash::{Hash, hash_of_root};
use crate::schema::{KINDS, Kind};
use crate::store::{Ast, NodeId, Span};
use datoms::edn::{self, Edn};
use rustc_hash::FxHashMap as HashMap;
use std::collections::BTreeMap;

/// Most nodes of a form.
const MAX_NODES: u64 = 1 << 24;

/// Writes the numbers and texts of the format.
#[derive(Default, Clone, Debug)]
pub struct Out(pub Vec<u8>);

impl Out {
    /// A number: seven bits a byte, low ones first, the high bit says that more follow.
    pub fn number(&mut self, mut n: u64) {
        while n >= 0x80 {
            self.0.push(n as u8 | 0x80);
            n >>= 7;
        }
        self.0.push(n as u8);
    }
    /// A number with sign: 0, -1, 1, -2, … as 0, 1, 2, 3, …
    pub fn signed(&mut self, n: i64) {
        self.number(((n << 1) ^ (n >> 63)) as u64)
    }
    pub fn bytes(&mut self, b: &[u8]) {
        self.number(b.len() as u64);
        self.0.extend_from_slice(b);
    }
    pub fn text(&mut self, s: &str) {
        self.bytes(s.as_bytes())
    }
}

/// Reads them back, believing nothing.
#[derive(Clone, Debug)]
pub struct In<'a> {
    pub rest: &'a [u8],
}

type Res<T> = Result<T, String>;

impl<'a> In<'a> {
    pub fn new(bytes: &'a [u8]) -> In<'a> {
        In { rest: bytes }
    }
    pub fn byte(&mut self) -> Res<u8> {
        let (b, rest) = self.rest.split_first().ok_or("the bytes end too early")?;
        self.rest = rest;
        Ok(*b)
    }
    pub fn number(&mut self) -> Res<u64> {
        let mut n = 0u64;
        for shift in (0..64).step_by(7) {
            let b = self.byte()?;
            let bits = u64::from(b & 0x7F);
            // One way to write a number: no needless last byte, no bits beyond the 64th.
            if (shift > 0 && b == 0) || bits << shift >> shift != bits {
                return Err("a number is not in its shortest form".into());
            }
            n |= bits << shift;
            if b & 0x80 == 0 {
                return Ok(n);
            }
        }
        Err("a number is too long".into())
    }
    pub fn signed(&mut self) -> Res<i64> {
        let n = self.number()?;
        Ok((n >> 1) as i64 ^ -((n & 1) as i64))
    }
    /// A number that counts things of at least `each` bytes that still follow.
    pub fn count(&mut self, each: usize) -> Res<usize> {
        let n = self.number()?;
        if n > (self.rest.len() / each.max(1)) as u64 {
            return Err("a count exceeds what follows".into());
        }
        Ok(n as usize)
    }
    pub fn take(&mut self, n: usize) -> Res<&'a [u8]> {
        if n > self.rest.len() {
            return Err("the bytes end too early".into());
        }
        let (a, b) = self.rest.split_at(n);
        self.rest = b;
        Ok(a)
    }
    pub fn bytes(&mut self) -> Res<&'a [u8]> {
        let n = self.count(1)?;
        self.take(n)
    }
    pub fn text(&mut self) -> Res<&'a str> {
        std::str::from_utf8(self.bytes()?).map_err(|_| "a text is not UTF-8".into())
    }
    /// Nothing may be left.
    pub fn end(&self) -> Res<()> {
        if self.rest.is_empty() { Ok(()) } else { Err("bytes are left over".into()) }
    }
}

/// Writes EDN data.
pub fn put_edn(out: &mut Out, v: &Edn) {
    let many = |out: &mut Out, tag: u8, xs: &[Edn]| {
        out.0.push(tag);
        out.number(xs.len() as u64);
        xs.iter().for_each(|x| put_edn(out, x));
    };
    let text = |out: &mut Out, tag: u8, s: &str| {
        out.0.push(tag);
        out.text(s);
    };
    match v {
        Edn::Nil => out.0.push(0),
        Edn::Bool(b) => out.0.push(1 + u8::from(*b)),
        Edn::Int(n) => {
            out.0.push(3);
            out.signed(*n);
        }
        Edn::Float(x) => {
            out.0.push(4);
            out.0.extend(x.to_bits().to_le_bytes());
        }
        Edn::Char(c) => {
            out.0.push(5);
            out.number(u64::from(u32::from(*c)));
        }
        Edn::Str(s) => text(out, 6, s),
        Edn::Keyword(k) => text(out, 7, k.as_str()),
        Edn::Symbol(s) => text(out, 8, s.as_str()),
        Edn::List(xs) => many(out, 9, xs),
        Edn::Vector(xs) => many(out, 10, xs),
        Edn::Set(xs) => many(out, 11, xs),
        Edn::Map(es) => {
            out.0.push(12);
            out.number(es.len() as u64);
            for (k, v) in es.iter() {
                put_edn(out, k);
                put_edn(out, v);
            }
        }
        Edn::Tagged(t) => {
            text(out, 13, t.0.as_str());
            put_edn(out, &t.1);
        }
        Edn::Regex(s) => text(out, 14, s),
        Edn::Inst(ms) => {
            out.0.push(15);
            out.signed(*ms);
        }
        // Numbers beyond the machine's and what else has a text of its own.
        v => text(out, 16, &v.to_string()),
    }
}

/// Reads EDN data nested at most `depth` deep.
///
/// # Errors
/// The bytes are no data.
pub fn get_edn(b: &mut In, depth: usize) -> Res<Edn> {
    let inner = depth.checked_sub(1).ok_or("data are nested too deep")?;
    let many = |b: &mut In| -> Res<Vec<Edn>> {
        let n = b.count(1)?;
        (0..n).map(|_| get_edn(b, inner)).collect()
    };
    Ok(match b.byte()? {
        0 => Edn::Nil,
        1 => Edn::Bool(false),
        2 => Edn::Bool(true),
        3 => Edn::Int(b.signed()?),
        4 => Edn::Float(f64::from_bits(u64::from_le_bytes(b.take(8)?.try_into().expect("eight bytes")))),
        5 => {
            let c = b.number()?;
            Edn::Char(u32::try_from(c).ok().and_then(char::from_u32).ok_or("no such character")?)
        }
        6 => Edn::string(b.text()?),
        7 => Edn::keyword(b.text()?),
        8 => Edn::symbol(b.text()?),
        9 => Edn::list(many(b)?),
        10 => Edn::vector(many(b)?),
        11 => Edn::set(many(b)?),
        12 => {
            let n = b.count(2)?;
            let pairs = (0..n).map(|_| Ok((get_edn(b, inner)?, get_edn(b, inner)?))).collect::<Res<Vec<_>>>()?;
            Edn::map(pairs)
        }
        13 => {
            let tag = edn::Symbol::new(b.text()?);
            Edn::Tagged(std::sync::Arc::new((tag, get_edn(b, inner)?)))
        }
        14 => Edn::Regex(b.text()?.into()),
        15 => Edn::Inst(b.signed()?),
        16 => match edn::read(b.text()?) {
            Ok(v @ (Edn::BigInt(_) | Edn::Ratio(_) | Edn::Decimal(_) | Edn::Uuid(_))) => v,
            _ => return Err("no such datum".into()),
        },
        _ => return Err("no such datum".into()),
    })
}

/// The top-level form that a node belongs to.
pub fn root_of(ast: &Ast, id: NodeId) -> NodeId {
    let mut id = id;
    while let Some(p) = ast.parent(id) {
        id = p;
    }
    id
}

/// The nodes of a top-level form in order, itself last: what is below it, and the binders that `letrec`s name.
pub fn nodes_of(ast: &Ast, root: NodeId) -> Vec<NodeId> {
    let mut out = Vec::new();
    let mut work = vec![root];
    while let Some(id) = work.pop() {
        out.push(id);
        work.extend(ast.children(id).iter().filter_map(|c| c.some()).filter(|c| ast.has(*c)));
        if ast.kind(id) == Kind::Binding {
            work.extend(ast.refers_to(id).filter(|b| ast.has(*b)));
        }
    }
    out.sort();
    out.dedup();
    out
}

/// A form as bytes. O(nodes × log nodes).
pub fn pack(ast: &Ast, nodes: &[NodeId]) -> Vec<u8> {
    let at = |id: NodeId| nodes.binary_search(&id).unwrap_or(0) as u64;
    let mut names: Vec<&str> = Vec::new();
    let mut name_ids: HashMap<&str, u64> = HashMap::default();
    let mut files: Vec<u32> = Vec::new();
    let mut marks: BTreeMap<(usize, u32), (u32, u32)> = BTreeMap::new();
    let mut body = Out::default();
    let mut before = 0i64;
    for (i, &id) in nodes.iter().enumerate() {
        let i = i as u64;
        let (kind, children, span) = (ast.kind(id), ast.children(id), ast.span(id));
        let file = ast.file(span.file);
        let (name, value, binder) = (ast.name(id), ast.value(id), ast.refers_to(id));
        body.0.push(kind as u8);
        let flags = u8::from(name.is_some())
            | u8::from(value.is_some()) << 1
            | u8::from(binder.is_some()) << 2
            | u8::from(ast.is_tail(id)) << 3
            | u8::from(file.is_some()) << 4;
        body.0.push(flags);
        if kind.info().children.iter().any(|c| c.shape == crate::Shape::Many) {
            body.number(children.len() as u64);
        }
        for c in children {
            body.number(c.some().map_or(0, |c| i - at(c)));
        }
        if let Some(n) = name {
            let n = *name_ids.entry(n).or_insert_with(|| {
                names.push(n);
                names.len() as u64 - 1
            });
            body.number(n);
        }
        if let Some(v) = value {
            put_edn(&mut body, v);
        }
        if let Some(b) = binder {
            body.number(i - at(b));
        }
        if let Some(f) = file {
            let n = files.iter().position(|x| *x == span.file).unwrap_or_else(|| {
                files.push(span.file);
                files.len() - 1
            });
            body.number(n as u64);
            body.signed(i64::from(span.start) - before);
            body.number(u64::from(span.end.wrapping_sub(span.start)));
            before = i64::from(span.start);
            for p in [span.start, span.end] {
                marks.entry((n, p)).or_insert_with(|| f.line_col(p));
            }
        }
    }
    let mut out = Out::default();
    out.number(names.len() as u64);
    names.iter().for_each(|n| out.text(n));
    out.number(files.len() as u64);
    for (n, id) in files.iter().enumerate() {
        let f = ast.file(*id).expect("looked up above");
        out.text(&f.name);
        out.text(&f.lang);
        let of_file: Vec<_> = marks.range((n, 0)..=(n, u32::MAX)).collect();
        out.number(of_file.len() as u64);
        let (mut at, mut line) = (0, 0);
        for ((_, p), (l, c)) in of_file {
            out.number(u64::from(p - at));
            out.signed(i64::from(*l) - i64::from(line));
            out.number(u64::from(*c));
            (at, line) = (*p, *l);
        }
    }
    out.number(nodes.len() as u64);
    out.0.extend(body.0);
    out.0
}

/// Appends the form that `bytes` hold; its nodes in order, itself last.
///
/// # Errors
/// The bytes are no form, the form breaks a rule, or its content hash is not `expected`. Nothing was appended then.
pub fn unpack(ast: &mut Ast, bytes: &[u8], expected: &Hash) -> Res<Vec<NodeId>> {
    let mut b = In::new(bytes);
    let n_names = b.count(1)?;
    let names = (0..n_names).map(|_| b.text()).collect::<Res<Vec<&str>>>()?;
    let mut new = ast.continuation();
    let n_files = b.count(3)?;
    let mut files = Vec::with_capacity(n_files);
    for _ in 0..n_files {
        let (name, lang) = (b.text()?, b.text()?);
        let id = new.add_file_known_by_name(name, lang);
        files.push(id);
        let n = b.count(3)?;
        let (mut at, mut line) = (0u64, 0i64);
        for _ in 0..n {
            at = at.saturating_add(b.number()?);
            line = line.saturating_add(b.signed()?);
            let column = b.number()?;
            match (u32::try_from(at), u32::try_from(line), u32::try_from(column)) {
                (Ok(at), Ok(line), Ok(column)) => {
                    if let Some(f) = new.file_mut(id) {
                        f.mark(at, (line, column));
                    }
                }
                _ => return Err("a place is too far".into()),
            }
        }
    }
    let n = b.count(2)? as u64;
    if n == 0 || n > MAX_NODES {
        return Err("a form has no nodes, or too many".into());
    }
    let mut made: Vec<NodeId> = Vec::with_capacity(n as usize);
    let mut used = vec![false; n as usize];
    let mut before = 0i64;
    for i in 0..n {
        let kind = KINDS.get(b.byte()? as usize).ok_or("no such kind of node")?;
        let flags = b.byte()?;
        if flags > 31 {
            return Err("a node has unknown marks".into());
        }
        let count =
            if kind.children.iter().any(|c| c.shape == crate::Shape::Many) { b.count(1)? } else { kind.children.len() };
        if kind.repeated(count).is_none() {
            return Err(format!("a {} does not have {count} children", kind.name));
        }
        // A node that lies `d` nodes back.
        let older = |d: u64| i.checked_sub(d).filter(|_| d > 0).ok_or("a node refers to a later one");
        let mut children = Vec::with_capacity(count);
        for _ in 0..count {
            match b.number()? {
                0 => children.push(NodeId::NONE),
                d => {
                    let c = older(d)? as usize;
                    if std::mem::replace(&mut used[c], true) {
                        return Err("a node is the child of two".into());
                    }
                    children.push(made[c]);
                }
            }
        }
        let name = match flags & 1 {
            0 => None,
            _ => Some(*names.get(b.number()? as usize).ok_or("no such name")?),
        };
        let value = if flags & 2 != 0 { Some(get_edn(&mut b, edn::MAX_DEPTH)?) } else { None };
        let binder = if flags & 4 != 0 { Some(made[older(b.number()?)? as usize]) } else { None };
        let span = if flags & 16 != 0 {
            let file = *files.get(b.number()? as usize).ok_or("no such file")?;
            let start = before.saturating_add(b.signed()?);
            before = start;
            match (u32::try_from(start), u32::try_from(b.number()?)) {
                (Ok(start), Ok(len)) => Span { file, start, end: start.wrapping_add(len) },
                _ => return Err("a place is too far".into()),
            }
        } else {
            Span::NONE
        };
        if binder.is_some() && !matches!(kind.kind, Kind::Variable | Kind::Binding)
            || name.is_some() && !kind.named && binder.is_none()
            || value.is_some() && !kind.valued
        {
            return Err(format!("a {} has no such attribute", kind.name));
        }
        let id = new.add(kind.kind, span, &children);
        if let Some(b) = binder {
            new.set_refers_to(id, b);
        }
        if let Some(n) = name {
            new.set_name(id, n);
        }
        if let Some(v) = value {
            new.set_value(id, v);
        }
        if flags & 8 != 0 {
            new.set_tail(id);
        }
        made.push(id);
    }
    b.end()?;
    let root = *made.last().expect("at least one");
    if !new.kind(root).is_expr() {
        return Err("the form is no expression".into());
    }
    if let Some(p) = check::check(&new, made[0]).first() {
        return Err(format!("a node breaks a rule: {} (deepest nesting: {MAX_DEPTH})", p.message));
    }
    if nodes_of(&new, root).len() != made.len() {
        return Err("nodes are left over".into());
    }
    if hash_of_root(&new, &made) != *expected {
        return Err("a form is not what its hash says".into());
    }
    new.set_t(0);
    new.add_root(root);
    ast.append(new);
    Ok(made)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> (Ast, NodeId) {
        let mut a = Ast::after_image(100, 2);
        let f = a.add_file("λ.clj", "(fn [x] (f x \"é\" 1))\n");
        let at = |start, end| Span { file: f, start, end };
        let p = a.named(Kind::Parameter, at(5, 6), "x", &[]);
        let g = a.named(Kind::Variable, at(9, 10), "user/f", &[]);
        let x = a.local(at(11, 12), "x", p);
        let s = a.literal(at(13, 17), Edn::string("é"));
        let n =
            a.literal(at(18, 19), edn::read("{:a [1 2.5 #{\\c nil} 123456789012345678901N 1/2 foo]}").expect("data"));
        let app = a.add(Kind::Application, at(8, 20), &[g, x, s, n]);
        a.set_tail(app);
        let l = a.add(Kind::Lambda, at(0, 21), &[p, NodeId::NONE, app]);
        a.add_root(l);
        (a, l)
    }

    #[test]
    fn a_form_comes_back_as_it_was() {
        let (a, root) = sample();
        let nodes = nodes_of(&a, root);
        assert_eq!(root_of(&a, nodes[1]), root);
        let hash = hash_of_root(&a, &nodes);
        assert_eq!(hash, crate::hash::hashes(&a)[root.0 as usize - 100]);
        let bytes = pack(&a, &nodes);
        let mut b = Ast::new();
        b.literal(Span::NONE, Edn::Nil);
        let made = unpack(&mut b, &bytes, &hash).expect("it is a form");
        assert_eq!(made.len(), nodes.len());
        for (x, y) in nodes.iter().zip(&made) {
            assert_eq!((a.kind(*x), a.name(*x), a.value(*x)), (b.kind(*y), b.name(*y), b.value(*y)));
            assert_eq!((a.is_tail(*x), a.line_col(*x)), (b.is_tail(*y), b.line_col(*y)));
            assert_eq!((a.span(*x).start, a.span(*x).end), (b.span(*y).start, b.span(*y).end));
        }
        assert_eq!(pack(&b, &made), bytes);
        assert!(unpack(&mut b, &bytes, &Hash([1; 32])).is_err());
    }

    #[test]
    fn every_damaged_byte_is_an_error_or_the_same_meaning() {
        let (a, root) = sample();
        let nodes = nodes_of(&a, root);
        let hash = hash_of_root(&a, &nodes);
        let bytes = pack(&a, &nodes);
        for i in 0..bytes.len() {
            for flip in [1u8, 0x80, 0xFF, 0x10] {
                let mut damaged = bytes.clone();
                damaged[i] ^= flip;
                let mut b = Ast::new();
                if let Ok(made) = unpack(&mut b, &damaged, &hash) {
                    assert_eq!(hash_of_root(&b, &made), hash);
                } else {
                    assert_eq!(b.len(), 0);
                }
            }
            assert!(unpack(&mut Ast::new(), &bytes[..i], &hash).is_err());
        }
    }
}
