//! What the compiler decided, as a source: which codes have machine code, what it relies on, where it leaves, and which codes
//! stay interpreted and why.

use super::{Arrays, attr_table, entity};
use crate::frame::{Code, code_ref};
use crate::layout::{Kind, slot};
use crate::machine::Vm;
use crate::tier::Why;
use crate::value::Value;
use datoms::edn::Edn;
use datoms::lazy::{Lazy, Lexicon};
use rustc_hash::FxHashMap;
use std::sync::Arc;

attr_table! {
    CODE reference "yin.jit/code" "the code it is about (`:yin.code/…`)";
    FUNCTION value "yin.jit/function" "name of the function, a symbol";
    STATE value "yin.jit/state" "`:compiled`, `:refused`, or `:dropped` if its machine code was and no other was made yet";
    REASON value "yin.jit/reason" "why it stays interpreted, a string";
    VERSION value "yin.jit/version" "how often it was compiled anew because guards failed";
    INVALIDATIONS value "yin.jit/invalidations" "how often its machine code was dropped: a global changed, or guards failed";
    BYTES value "yin.jit/bytes" "size of its machine code";
    PIECES value "yin.jit/pieces" "number of its pieces: its entry, what follows each call, loops entered from outside";
    GUARDS value "yin.jit/guards" "number of checks that its types rest on";
    INLINED value "yin.jit/inlined" "number of calls that were inlined";
    ASSUMES values "yin.jit/assumes" "a global whose value it relies on, a symbol";
    LOOP values "yin.jit/loop" "position of a loop header that can be entered from the interpreter";
    EXIT_UNIT reference "yin.exit/unit" "the unit that left";
    EXIT_CODE reference "yin.exit/code" "the code the interpreter went on in";
    EXIT_PC value "yin.exit/pc" "and where";
    EXIT_WHY value "yin.exit/why" "`:guard`, `:fault`, `:poll` or `:cold`";
    EXIT_COUNT value "yin.exit/count" "how often";
}

/// The compiler's decisions so far.
pub fn source(vm: &Vm, lexicon: &Arc<Lexicon>, wanted: &dyn Fn(&str) -> bool) -> Lazy<Arrays> {
    let mut a = Arrays::new(ATTRS, lexicon, wanted);
    let Some(tier) = vm.tier.as_ref().filter(|_| !a.is_unwanted()) else { return Lazy::new(a, lexicon) };
    let codes: FxHashMap<usize, &Code> = vm.codes.iter().map(|c| (*c as usize, code_ref(*c))).collect();
    let code_entity = |at: usize| codes.get(&at).map(|c| entity::CODE + c.id);
    let mut units: FxHashMap<usize, u32> = FxHashMap::default();
    for (i, u) in tier.units().into_iter().enumerate() {
        let e = entity::UNIT + i as u32;
        units.insert(u.code, e);
        if let Some(c) = code_entity(u.code) {
            a.reference(CODE, e, c);
            let name = codes[&u.code].proto().name.as_plain_symbol();
            a.value(FUNCTION, e, || Edn::symbol(name.map_or("fn", |id| vm.names.text(id))));
        }
        let state = match (u.compiled, &u.refused) {
            (true, _) => "compiled",
            (false, Some(_)) => "refused",
            (false, None) => "dropped",
        };
        a.value(STATE, e, || Edn::keyword(state));
        if let Some(why) = &u.refused {
            a.value(REASON, e, || Edn::string(why.as_str()));
        }
        a.int(VERSION, e, i64::from(u.version));
        a.int(INVALIDATIONS, e, i64::from(u.dropped));
        if u.compiled {
            for (attr, n) in [(BYTES, u.bytes), (PIECES, u.pieces), (GUARDS, u.guards), (INLINED, u.inlined)] {
                a.int(attr, e, n as i64);
            }
        }
        for var in &u.vars {
            if let Some(o) = Value(*var).as_kind(Kind::Var) {
                let part = |i: usize| o.get(i).as_plain_symbol().map_or("", |id| vm.names.text(id));
                a.value(ASSUMES, e, || Edn::symbol(&format!("{}/{}", part(slot::VAR_NS), part(slot::VAR_NAME))));
            }
        }
        u.loops.iter().for_each(|pc| a.int(LOOP, e, *pc as i64));
    }
    for (i, x) in tier.exits().into_iter().enumerate() {
        let e = entity::EXIT + i as u32;
        if let Some(u) = units.get(&x.owner) {
            a.reference(EXIT_UNIT, e, *u);
        }
        if let Some(c) = code_entity(x.code) {
            a.reference(EXIT_CODE, e, c);
        }
        a.int(EXIT_PC, e, i64::from(x.pc));
        let why = match x.why {
            Why::Guard => "guard",
            Why::Fault => "fault",
            Why::Poll => "poll",
            Why::Cold => "cold",
        };
        a.value(EXIT_WHY, e, || Edn::keyword(why));
        a.int(EXIT_COUNT, e, x.count as i64);
    }
    Lazy::new(a.finish(), lexicon)
}
