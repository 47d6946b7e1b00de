//! What must hold of nodes before anyone compiles them. Trees that the analyser builds do; trees read from datoms are
//! checked.

use crate::hash::Scopes;
use crate::schema::{Kind, Shape};
use crate::store::{Ast, NodeId};
use datoms::edn::Edn;

/// Trees deeper than this are refused: whoever follows them recursively relies on it.
pub const MAX_DEPTH: usize = 2000;
/// Most parameters of a function.
pub const MAX_PARAMS: usize = 250;

/// A rule that a node breaks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    pub node: NodeId,
    pub message: String,
}

/// Every rule broken by nodes from `first` on. O(nodes).
pub fn check(ast: &Ast, first: NodeId) -> Vec<Problem> {
    let mut out = Vec::new();
    let first = first.max(ast.ids().next().unwrap_or(first));
    let ids = || ast.ids().filter(|id| *id >= first);
    for id in ids() {
        if let Err(message) = node(ast, id) {
            out.push(Problem { node: id, message });
        }
    }
    // The walks below rely on the shapes checked above.
    if !out.is_empty() {
        return out;
    }
    let mut depth = vec![1usize; ids().count()];
    for id in ids() {
        let deepest = ast.edges(id).filter(|e| e.1 >= first).map(|(_, c)| depth[(c.0 - first.0) as usize]).max();
        let d = deepest.unwrap_or(0) + 1;
        depth[(id.0 - first.0) as usize] = d;
        if d > MAX_DEPTH {
            out.push(Problem { node: id, message: format!("nodes are nested deeper than {MAX_DEPTH}") });
            return out;
        }
    }
    for root in ids().filter(|id| ast.parent(*id).is_none()) {
        Scopes::walk(ast, root, |id, s| {
            if let Some(b) = ast.refers_to(id)
                && s.index(b).is_none()
            {
                let name = ast.name(b).unwrap_or("a local").to_string();
                out.push(Problem { node: id, message: format!("{name} is not in scope here") });
            }
        });
        recurs(ast, root, &mut out);
    }
    out
}

fn node(ast: &Ast, id: NodeId) -> Result<(), String> {
    let (kind, c) = (ast.kind(id), ast.children(id));
    let info = kind.info();
    let what = info.name;
    for (i, x) in c.iter().enumerate() {
        let Some(entry) = info.child_at(i, c.len()) else {
            return Err(format!("a {what} does not have {} children", c.len()));
        };
        let attr = entry.attr;
        match x.some() {
            None if entry.shape != Shape::Opt => return Err(format!("a {what} needs :{attr}")),
            None => {}
            Some(x) if x >= id || !ast.has(x) => return Err(format!(":{attr} must be an older node")),
            Some(x) if !entry.role.takes(ast.kind(x)) => {
                return Err(format!("a {} cannot be :{attr} of a {what}", ast.kind(x).info().name));
            }
            Some(_) => {}
        }
    }
    if let Some(b) = ast.refers_to(id) {
        if !matches!(kind, Kind::Variable | Kind::Binding) {
            return Err(format!("a {what} refers to nothing"));
        }
        if !ast.has(b) || !ast.kind(b).is_binder() {
            return Err(":yin/refers-to must be a parameter or a binding".into());
        }
    }
    let many = ast.repeated(id);
    match kind {
        Kind::Variable | Kind::Var | Kind::Define | Kind::HostCall | Kind::New | Kind::Syntax
            if ast.name(id).is_none() =>
        {
            Err(format!("a {what} needs :yin/name"))
        }
        Kind::Literal if ast.value(id).is_none() => Err("a literal needs :yin/value".into()),
        Kind::MapOf if !many.len().is_multiple_of(2) => Err("a map needs a value for every key".into()),
        Kind::Lambda if many.len() > MAX_PARAMS => Err(format!("a function has at most {MAX_PARAMS} parameters")),
        Kind::Let | Kind::Loop if many.iter().any(|b| ast.child(*b, 0) == NodeId::NONE) => {
            Err(format!("a binding of a {what} needs :yin/init"))
        }
        Kind::Letrec if many.iter().any(|b| ast.child(*b, 0) == NodeId::NONE || ast.refers_to(*b).is_none()) => {
            Err("a binding of a letrec needs :yin/init and :yin/refers-to".into())
        }
        Kind::Set => {
            let t = c[0];
            match ast.kind(t) {
                Kind::Field | Kind::Var => Ok(()),
                Kind::Variable if ast.refers_to(t).is_none() => Ok(()),
                _ => Err("only globals and fields can be assigned".into()),
            }
        }
        Kind::Field => match ast.value(id) {
            Some(Edn::Int(0..=60_000)) => Ok(()),
            _ => Err("a field needs its index as :yin/value".into()),
        },
        Kind::Case => match ast.value(id) {
            Some(Edn::Vector(keys)) if keys.len() == many.len() && keys.iter().all(|k| k.as_vector().is_some()) => {
                Ok(())
            }
            _ => Err("a case needs a vector of constants for every branch".into()),
        },
        Kind::Function => {
            let mut counts: Vec<usize> = many.iter().map(|l| ast.repeated(*l).len()).collect();
            let rests = many.iter().filter(|l| ast.child(**l, -2) != NodeId::NONE).count();
            counts.sort();
            match () {
                () if many.is_empty() => Err("a function needs an arity".into()),
                () if rests > 1 => Err("a function has at most one arity with rest".into()),
                () if rests == 0 && counts.windows(2).any(|w| w[0] == w[1]) => {
                    Err("arities of a function differ in their number of parameters".into())
                }
                () => Ok(()),
            }
        }
        _ => Ok(()),
    }
}

/// Every `recur` stands in the tail of a loop or function and has as many operands as that has locals.
fn recurs(ast: &Ast, root: NodeId, out: &mut Vec<Problem>) {
    // Node and what a recur there must have; None: there may be none.
    let mut work: Vec<(NodeId, Option<usize>)> = vec![(root, None)];
    while let Some((id, target)) = work.pop() {
        let (kind, c) = (ast.kind(id), ast.children(id));
        let last = c.len().wrapping_sub(1);
        if kind == Kind::Recur && target != Some(c.len()) {
            let message = match target {
                None => "recur stands outside the tail of a loop or function".to_string(),
                Some(n) => format!("recur takes {n} operands here, not {}", c.len()),
            };
            out.push(Problem { node: id, message });
        }
        for (i, x) in c.iter().enumerate() {
            let Some(x) = x.some() else { continue };
            let inner = match kind {
                Kind::Lambda if i == last => Some(ast.repeated(id).len() + usize::from(c[last - 1] != NodeId::NONE)),
                Kind::Loop if i == last => Some(ast.repeated(id).len()),
                Kind::If | Kind::Case if i > 0 => target,
                Kind::Do | Kind::Let | Kind::Letrec if i == last => target,
                _ => None,
            };
            work.push((x, inner));
        }
    }
}
