//! Values of the machine as data, bounded: what is deeper or longer is left out, what is no data is named.

use crate::frame::proto_of;
use crate::layout::{Kind, slot};
use crate::machine::Vm;
use crate::prim::{coll, hamt, num};
use crate::value::{Obj, Value};
use datoms::edn::{Edn, Symbol};
use std::sync::Arc;

/// Most elements of a collection, and most bytes of a string, that are shown.
const WIDTH: usize = 16;
const TEXT: usize = 200;
const DEPTH: usize = 3;

/// The name of a kind as a keyword: `:hash-map`.
pub(super) fn kind_keyword(kind: Kind) -> Edn {
    let mut s = String::new();
    for (i, c) in kind.name().chars().enumerate() {
        if c.is_uppercase() && i > 0 {
            s.push('-');
        }
        s.extend(c.to_lowercase());
    }
    Edn::keyword(&s)
}

fn tagged(tag: &str, v: Edn) -> Edn {
    Edn::Tagged(Arc::new((Symbol::new(tag), v)))
}

/// Name of a closure's function.
pub(super) fn function_name(vm: &Vm, o: Obj) -> Option<Edn> {
    proto_of(o).name.as_plain_symbol().map(|id| Edn::symbol(vm.names.text(id)))
}

/// Name of the type of an instance or record.
pub(super) fn type_name(vm: &Vm, o: Obj) -> Option<Edn> {
    let t = o.get(0).as_kind(Kind::Type)?;
    vm.symbol_id(t.get(0)).map(|id| Edn::symbol(vm.names.text(id)))
}

/// A value as data.
pub(super) fn shown(vm: &Vm, v: Value) -> Edn {
    at_depth(vm, v, DEPTH)
}

fn at_depth(vm: &Vm, v: Value, depth: usize) -> Edn {
    if v.is_nil() || v == Value::ABSENT {
        return Edn::Nil;
    }
    if v.is_bool() {
        return Edn::Bool(v == Value::TRUE);
    }
    if v == Value::UNBOUND {
        return tagged("yin/unbound", Edn::Nil);
    }
    if let Some(c) = v.as_char() {
        return Edn::Char(c);
    }
    if let Some(k) = v.as_keyword() {
        return Edn::keyword(vm.names.text(k));
    }
    if let Some(s) = vm.symbol_id(v) {
        return Edn::symbol(vm.names.text(s));
    }
    if let Some(n) = num::as_long(v) {
        return Edn::Int(n);
    }
    if let Some(s) = v.as_str() {
        let mut end = s.len().min(TEXT);
        while !s.is_char_boundary(end) {
            end -= 1;
        }
        return Edn::string(if end < s.len() { format!("{}…", &s[..end]) } else { s.to_string() });
    }
    if v.is_inline_f64() || v.is_kind(Kind::Float64) {
        return num::as_f64(v).map_or(Edn::Nil, Edn::Float);
    }
    let Some(o) = v.obj() else { return Edn::Nil };
    let name = |n: Option<Edn>| n.unwrap_or(Edn::Nil);
    match o.kind() {
        Kind::Closure => tagged("yin/function", name(function_name(vm, o))),
        Kind::PrimFn | Kind::Var | Kind::Namespace | Kind::Type | Kind::MultiFn | Kind::Protocol => {
            let at = if o.kind() == Kind::Var { 1 } else { 0 };
            tagged("yin/named", name(vm.symbol_id(o.get(at)).map(|id| Edn::symbol(vm.names.text(id)))))
        }
        kind if depth == 0 => tagged("yin/object", kind_keyword(kind)),
        Kind::Vector => Edn::vector(
            coll::vector_values(v).into_iter().take(WIDTH).map(|x| at_depth(vm, x, depth - 1)).collect::<Vec<_>>(),
        ),
        Kind::MapEntry => Edn::vector([0, 1].map(|i| at_depth(vm, o.get(i), depth - 1)).to_vec()),
        Kind::List => {
            let (mut items, mut at) = (Vec::new(), v);
            while let Some(l) = at.as_kind(Kind::List)
                && items.len() < WIDTH
            {
                items.push(at_depth(vm, l.get(0), depth - 1));
                at = l.get(1);
            }
            Edn::list(items)
        }
        Kind::EmptyList => Edn::list(Vec::new()),
        Kind::ArrayMap | Kind::HashMap => Edn::map(
            hamt::entries(vm, o)
                .into_iter()
                .take(WIDTH)
                .map(|(k, x)| (at_depth(vm, k, depth - 1), at_depth(vm, x, depth - 1))),
        ),
        Kind::HashSet => Edn::set(
            coll::set_items(vm, v).into_iter().take(WIDTH).map(|x| at_depth(vm, x, depth - 1)).collect::<Vec<_>>(),
        ),
        Kind::Atom | Kind::Volatile | Kind::Box => tagged("yin/cell", at_depth(vm, o.get(0), depth - 1)),
        Kind::Record | Kind::Instance => tagged("yin/instance", name(type_name(vm, o))),
        Kind::LazySeq if o.get(slot::LAZY_THUNK).is_nil() => at_depth(vm, o.get(slot::LAZY_VALUE), depth),
        Kind::Exception => tagged("yin/exception", at_depth(vm, o.get(slot::EX_MESSAGE), depth - 1)),
        Kind::Ratio | Kind::BigInt | Kind::Decimal | Kind::SmallBig => {
            num::as_f64(v).map_or(tagged("yin/object", kind_keyword(o.kind())), Edn::Float)
        }
        kind => tagged("yin/object", kind_keyword(kind)),
    }
}

/// A value as the data it is, whole.
///
/// # Errors
/// The kind of an object that is no data.
pub(super) fn data(vm: &Vm, v: Value) -> Result<Edn, &'static str> {
    let Some(o) = v.obj() else { return Ok(at_depth(vm, v, 1)) };
    let each = |vs: Vec<Value>| -> Result<Vec<Edn>, &'static str> { vs.into_iter().map(|x| data(vm, x)).collect() };
    Ok(match o.kind() {
        Kind::Str => Edn::string(v.as_str().unwrap_or("")),
        Kind::Vector => Edn::vector(each(coll::vector_values(v))?),
        Kind::List | Kind::Cons | Kind::EmptyList | Kind::LazySeq => {
            let (mut items, mut at) = (Vec::new(), v);
            while let Some(l) = at.obj() {
                match l.kind() {
                    Kind::List | Kind::Cons => {
                        items.push(data(vm, l.get(0))?);
                        at = l.get(1);
                    }
                    Kind::LazySeq if l.get(slot::LAZY_THUNK).is_nil() => at = l.get(slot::LAZY_VALUE),
                    Kind::EmptyList => break,
                    kind => return Err(kind.name()),
                }
            }
            Edn::list(items)
        }
        Kind::ArrayMap | Kind::HashMap => {
            let pairs: Result<Vec<(Edn, Edn)>, &'static str> =
                hamt::entries(vm, o).into_iter().map(|(k, x)| Ok((data(vm, k)?, data(vm, x)?))).collect();
            Edn::map(pairs?)
        }
        Kind::HashSet => Edn::set(each(coll::set_items(vm, v))?),
        Kind::SymbolMeta | Kind::Int64 | Kind::Float64 => at_depth(vm, v, 1),
        kind => return Err(kind.name()),
    })
}
