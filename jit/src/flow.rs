//! Blocks and loops of a code, found once before its pieces are made.

use std::collections::{BTreeMap, BTreeSet};
use yin_vm::frame::Code;
use yin_vm::live::{self, RegSet};
use yin_vm::op::{self, Flow, Op};

/// What translation needs to know of a code.
pub struct Shape {
    /// Live registers before each instruction.
    pub live: Vec<RegSet>,
    /// Instructions that start a block.
    pub leaders: BTreeSet<usize>,
    /// Loop headers with the position of the last back-edge to them.
    pub loops: BTreeMap<usize, usize>,
    /// Loop headers where pieces begin and end: loops that call.
    pub borders: BTreeSet<usize>,
    pub uses_self: bool,
    /// Instructions that make a call, tail calls not counted.
    pub n_calls: usize,
}

/// Does the instruction call out, so that the piece ends there?
pub fn is_call(op: Op) -> bool {
    matches!(op, Op::Call | Op::CallVar | Op::CallSelf)
}

pub fn shape(code: &Code) -> Shape {
    let words = code.words();
    let case_targets = |k: usize| live::case_distances(code.consts()[k]);
    let site_dst = |i: usize| code.sites()[i].dst as usize;
    let live = live::analyse(&live::Stream {
        words,
        handlers: code.handlers(),
        n_regs: code.n_regs as usize,
        case_targets: &case_targets,
        site_dst: &site_dst,
    });
    let (mut leaders, mut loops, mut calls) = (BTreeSet::from([0]), BTreeMap::new(), Vec::new());
    let mut pc = 0;
    while pc < words.len() {
        let w = words[pc];
        let op = Op::of(w).expect("verified");
        let next = pc + op::len(w);
        if let Some(t) = op::target(words, pc) {
            leaders.insert(t);
            if t <= pc {
                loops.insert(t, pc);
            }
        }
        if op.info().flow == Flow::Case {
            leaders.extend(case_targets(op::ui(w)).into_iter().map(|d| (next as i64 + d) as usize));
        }
        if op.info().flow != Flow::Next || is_call(op) {
            leaders.insert(next);
        }
        if is_call(op) {
            calls.push(pc);
        }
        pc = next;
    }
    leaders.remove(&words.len());
    let borders =
        loops.iter().filter(|(h, end)| calls.iter().any(|c| (**h..**end).contains(c))).map(|(h, _)| *h).collect();
    Shape { live, leaders, loops, borders, uses_self: live::uses_self(words), n_calls: calls.len() }
}
