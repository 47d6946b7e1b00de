//! Values as data and back, whole. What is no data, a function or a mutable thing, goes by a number.

use crate::layout::{Kind, slot};
use crate::machine::{ErrKind, Vm};
use crate::prim::num::Num;
use crate::prim::{R, coll, hamt, num, types, vector};
use crate::value::{Obj, Value};
use datoms::edn::{Decimal, Edn, MAX_DEPTH, Ratio, Symbol, Uuid};
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// The tag of what goes by a number.
const OBJECT: &str = "yin/object";

/// Values that are no data, by number. The same values in the same order get the same numbers.
#[derive(Default)]
pub(crate) struct Objects {
    values: Vec<Value>,
    numbers: FxHashMap<u64, i64>,
}

impl Objects {
    pub fn put(&mut self, v: Value) -> Edn {
        let next = self.values.len() as i64;
        let n = *self.numbers.entry(v.bits()).or_insert(next);
        if n == next {
            self.values.push(v);
        }
        Edn::Tagged(Arc::new((Symbol::new(OBJECT), Edn::Int(n))))
    }
    /// The value behind a number.
    pub fn get(&self, e: &Edn) -> Option<Value> {
        match e {
            Edn::Tagged(t) if t.0.as_str() == OBJECT => self.values.get(usize::try_from(t.1.as_int()?).ok()?).copied(),
            _ => None,
        }
    }
}

/// True if something in it is no data.
pub(crate) fn has_object(e: &Edn) -> bool {
    match e {
        Edn::Tagged(t) => t.0.as_str() == OBJECT || has_object(&t.1),
        Edn::List(v) | Edn::Vector(v) | Edn::Set(v) => v.iter().any(has_object),
        Edn::Map(m) => m.iter().any(|(k, v)| has_object(k) || has_object(v)),
        _ => false,
    }
}

/// A number as data.
fn number(o: Value, n: Num) -> Option<Edn> {
    Some(match n {
        Num::Long(n) => Edn::Int(n),
        Num::Big(b) if o.is_kind(Kind::SmallBig) => Edn::BigInt(Arc::new(b)),
        Num::Big(b) => Edn::integer(b),
        Num::Ratio(a, b) => Ratio::quotient(a, b)?,
        Num::Dec(u, scale) => Edn::Decimal(Arc::new(Decimal::new(u, i32::try_from(scale).ok()?)?)),
        Num::Dbl(x) => Edn::Float(x),
    })
}

/// The name of the type of an instance.
fn type_of(vm: &Vm, o: Obj) -> Option<&str> {
    let t = o.get(0).as_kind(Kind::Type)?;
    vm.symbol_id(t.get(0)).map(|id| vm.names.text(id))
}

/// A value as data. Lazy seqs in it are realised.
pub(crate) fn data(vm: &mut Vm, objects: &mut Objects, v: Value) -> R<Edn> {
    at_depth(vm, objects, v, 0)
}

fn at_depth(vm: &mut Vm, objects: &mut Objects, v: Value, depth: usize) -> R<Edn> {
    if v.is_nil() {
        return Ok(Edn::Nil);
    }
    if v.is_bool() {
        return Ok(Edn::Bool(v == Value::TRUE));
    }
    if let Some(c) = v.as_char() {
        return Ok(Edn::Char(c));
    }
    if let Some(k) = v.as_keyword() {
        return Ok(Edn::keyword(vm.names.text(k)));
    }
    if let Some(s) = vm.symbol_id(v) {
        return Ok(Edn::symbol(vm.names.text(s)));
    }
    if let Some(s) = v.as_str() {
        return Ok(Edn::string(s));
    }
    if let Some(n) = num::number(v) {
        return Ok(number(v, n).unwrap_or_else(|| objects.put(v)));
    }
    let Some(o) = v.obj() else { return Ok(objects.put(v)) };
    if depth >= MAX_DEPTH / 2 {
        return Err(vm.err(ErrKind::Argument, format!("data is nested deeper than {}", MAX_DEPTH / 2)));
    }
    let each = |vm: &mut Vm, objects: &mut Objects, vs: Vec<Value>| -> R<Vec<Edn>> {
        vs.into_iter().map(|x| at_depth(vm, objects, x, depth + 1)).collect()
    };
    Ok(match o.kind() {
        Kind::Vector => Edn::vector(each(vm, objects, coll::vector_values(v))?),
        Kind::MapEntry => Edn::vector(each(vm, objects, vec![o.get(0), o.get(1)])?),
        Kind::ArrayMap | Kind::HashMap | Kind::SortedMap => {
            let mut pairs = Vec::new();
            for (k, x) in coll::map_entries(vm, v) {
                let k = at_depth(vm, objects, k, depth + 1)?;
                let x = match function_name(vm, &k, x) {
                    Some(name) => name,
                    None => at_depth(vm, objects, x, depth + 1)?,
                };
                pairs.push((k, x));
            }
            Edn::map(pairs)
        }
        Kind::HashSet | Kind::SortedSet => Edn::set(each(vm, objects, coll::set_items(vm, v))?),
        Kind::Inst => Edn::Inst(o.raw(0) as i64),
        Kind::Uuid => Edn::Uuid(Uuid((u128::from(o.raw(0)) << 64 | u128::from(o.raw(1))).to_be_bytes())),
        Kind::Regex => Edn::Regex(o.get(0).as_str().unwrap_or("").into()),
        Kind::TaggedLiteral => {
            let tag = vm.symbol_id(o.get(0)).map_or("", |id| vm.names.text(id)).to_string();
            Edn::Tagged(Arc::new((Symbol::new(tag), at_depth(vm, objects, o.get(1), depth + 1)?)))
        }
        Kind::Instance => match type_of(vm, o) {
            Some("datascript.core.Datom") if o.len() == 6 => {
                Edn::vector(each(vm, objects, (1..6).map(|i| o.get(i)).collect())?)
            }
            Some("datascript.core.Entity") if o.len() > 2 => at_depth(vm, objects, o.get(2), depth + 1)?,
            _ => objects.put(v),
        },
        Kind::Queue | Kind::Array | Kind::PrimArray => {
            let items = coll::spread(vm, v, usize::MAX)?;
            Edn::list(each(vm, objects, items)?)
        }
        _ if coll::is_seq(v) || o.kind() == Kind::LazySeq => {
            let items = coll::spread(vm, v, usize::MAX)?;
            Edn::list(each(vm, objects, items)?)
        }
        _ => objects.put(v),
    })
}

/// A function under `:db/fn` is stored by its name: that is data.
fn function_name(vm: &mut Vm, key: &Edn, v: Value) -> Option<Edn> {
    if key.as_keyword()?.as_str() != "db/fn" {
        return None;
    }
    let var = match v.obj()?.kind() {
        Kind::Var => v.obj()?,
        Kind::Closure => {
            let name = crate::frame::proto_of(v.obj()?).name.as_plain_symbol()?;
            named(vm, vm.names.text(name)).filter(|var| var.get(slot::VAR_ROOT) == v)?
        }
        _ => return None,
    };
    let part = |i: usize| var.get(i).as_plain_symbol().map(|id| vm.names.text(id));
    Some(Edn::symbol(&format!("{}/{}", part(slot::VAR_NS)?, part(slot::VAR_NAME)?)))
}

/// The var of a qualified name, its namespace perhaps by an alias of the current one; nothing is loaded.
pub(crate) fn named(vm: &Vm, name: &str) -> Option<Obj> {
    let (ns, name) = name.split_once('/').filter(|(a, b)| !a.is_empty() && !b.is_empty())?;
    let (ns, name) = (vm.names.find(ns)?, vm.names.find(name)?);
    let current = vm.ns_var.map(|v| v.get(slot::VAR_ROOT)).and_then(|v| v.as_kind(Kind::Namespace));
    let current = current.and_then(|o| o.get(0).as_plain_symbol());
    let alias = current.and_then(|c| vm.namespaces.get(&c)?.aliases.get(&ns).copied());
    vm.namespaces.get(&alias.unwrap_or(ns))?.mappings.get(&name)?.as_kind(Kind::Var)
}

/// Data as a value.
pub(crate) fn value(vm: &mut Vm, objects: &Objects, e: &Edn) -> Value {
    let each = |vm: &mut Vm, xs: &[Edn]| -> Vec<Value> { xs.iter().map(|x| value(vm, objects, x)).collect() };
    match e {
        Edn::List(xs) => {
            let vs = each(vm, xs);
            coll::list_of(vm, &vs)
        }
        Edn::Vector(xs) => {
            let vs = each(vm, xs);
            vector::of(vm, &vs)
        }
        Edn::Map(es) => {
            let vs: Vec<_> = es.iter().map(|(k, v)| (value(vm, objects, k), value(vm, objects, v))).collect();
            hamt::of(vm, &vs).unwrap_or(Value::NIL)
        }
        Edn::Set(xs) => {
            let vs: Vec<_> = each(vm, xs).into_iter().map(|v| (v, v)).collect();
            let m = hamt::of(vm, &vs).unwrap_or(Value::NIL);
            vm.alloc(Kind::HashSet, &[m, Value::NIL])
        }
        Edn::Tagged(t) => match objects.get(e) {
            Some(v) => v,
            None => {
                let tag = vm.symbol(t.0.as_str());
                let form = value(vm, objects, &t.1);
                vm.alloc(Kind::TaggedLiteral, &[tag, form])
            }
        },
        e => vm.value_of(e),
    }
}

/// Can it be called?
pub(crate) fn is_function(v: Value) -> bool {
    matches!(v.kind(), Some(Kind::Closure | Kind::PrimFn | Kind::MultiFn | Kind::ProtocolFn | Kind::KontFn | Kind::Var))
}

/// Can it be called, being data otherwise?
pub(crate) fn is_callable(vm: &mut Vm, v: Value) -> bool {
    is_function(v)
        || v.is_keyword()
        || coll::is_map(v)
        || coll::is_set(v)
        || v.is_kind(Kind::Instance) && types::method_of(vm, v, "invoke").is_some()
}
