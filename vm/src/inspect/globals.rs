//! What names of globals stand for, as a source: joins with `:yin/name` of variables.

use super::{Arrays, attr_table, entity};
use crate::layout::{Kind, slot, var_flag};
use crate::machine::Vm;
use crate::prim::{MANY, PURE, table};
use datoms::edn::Edn;
use datoms::lazy::{Lazy, Lexicon};
use std::sync::Arc;

attr_table! {
    NAME value "yin.global/name" "qualified symbol";
    PRIMITIVE value "yin.global/primitive?" "true for a function written in Rust";
    PURE_P value "yin.global/pure?" "true if calling it twice with the same arguments gives the same answer and nothing else can tell";
    MACRO value "yin.global/macro?" "true for a macro";
    PRIVATE value "yin.global/private?" "true if private";
    DYNAMIC value "yin.global/dynamic?" "true if it can be bound by `binding`";
    MIN value "yin.global/min-args" "fewest arguments of a primitive";
    MAX value "yin.global/max-args" "most arguments of a primitive; absent if any number";
    DOC value "yin.global/doc" "its documentation";
    OP value "yin.global/op" "the instruction that calls of it become, a keyword";
}

/// Functions of the core that become instructions are pure whatever they are written in.
fn op_of(name: &str) -> Option<&'static str> {
    crate::compile::instruction_of(name.strip_prefix("clojure.core/")?)
}

/// Globals of the machine as a source.
pub fn source(vm: &Vm, lexicon: &Arc<Lexicon>, wanted: &dyn Fn(&str) -> bool) -> Lazy<Arrays> {
    let mut a = Arrays::new(ATTRS, lexicon, wanted);
    if a.is_unwanted() {
        return Lazy::new(a, lexicon);
    }
    let mut rows: Vec<(String, crate::value::Obj)> = Vec::new();
    for (ns, entry) in &vm.namespaces {
        for v in entry.mappings.values() {
            if let Some(o) = v.as_kind(Kind::Var)
                && o.get(slot::VAR_NS).as_plain_symbol() == Some(*ns)
            {
                let name = o.get(slot::VAR_NAME).as_plain_symbol().map_or("", |id| vm.names.text(id));
                rows.push((format!("{}/{name}", vm.names.text(*ns)), o));
            }
        }
    }
    rows.sort_by(|x, y| x.0.cmp(&y.0));
    for (i, (name, var)) in rows.iter().enumerate() {
        let e = entity::GLOBAL + i as u32;
        a.value(NAME, e, || Edn::symbol(name));
        let flags = var.get(slot::VAR_FLAGS).as_fix().unwrap_or(0);
        for (attr, bit) in [(MACRO, var_flag::MACRO), (PRIVATE, var_flag::PRIVATE), (DYNAMIC, var_flag::DYNAMIC)] {
            if flags & bit != 0 {
                a.value(attr, e, || Edn::Bool(true));
            }
        }
        if let Some(op) = op_of(name) {
            a.value(OP, e, || Edn::keyword(op));
        }
        let prim = vm.prim_ids.get(name.as_str()).and_then(|id| table::get(*id));
        if let Some(p) = prim {
            a.value(PRIMITIVE, e, || Edn::Bool(true));
            a.int(MIN, e, i64::from(p.min_args));
            if p.max_args != MANY {
                a.int(MAX, e, i64::from(p.max_args));
            }
            a.value(DOC, e, || Edn::string(p.doc));
        }
        let arithmetic = op_of(name).is_some_and(|o| o != "deref" && o != "aget");
        if prim.is_some_and(|p| p.flags & PURE != 0) || arithmetic {
            a.value(PURE_P, e, || Edn::Bool(true));
        }
    }
    Lazy::new(a.finish(), lexicon)
}
