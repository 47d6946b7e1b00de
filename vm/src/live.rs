//! Liveness of registers over verified instruction words: what the collector's maps are made from.
//!
//! Backward dataflow to a fixpoint over basic blocks of one instruction each; codes are small. Every instruction inside a
//! handler's range may go to the handler. Source: any compiler text, e.g. Appel, Modern Compiler Implementation, ch. 10.

use crate::code::Handler;
use crate::frame::Code;
use crate::op::{self, Flow, Op, Word};
use crate::value::Value;

/// A set of registers.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RegSet(Vec<u64>);

impl RegSet {
    pub fn new(n_regs: usize) -> RegSet {
        RegSet(vec![0; n_regs.div_ceil(64)])
    }
    pub fn contains(&self, r: usize) -> bool {
        self.0.get(r / 64).is_some_and(|w| w >> (r % 64) & 1 != 0)
    }
    pub fn insert(&mut self, r: usize) {
        self.0[r / 64] |= 1 << (r % 64);
    }
    pub fn remove(&mut self, r: usize) {
        self.0[r / 64] &= !(1 << (r % 64));
    }
    /// Adds all of `other`; was anything new?
    fn union(&mut self, other: &RegSet) -> bool {
        let mut new = false;
        for (a, b) in self.0.iter_mut().zip(&other.0) {
            new |= *b & !*a != 0;
            *a |= b;
        }
        new
    }
}

/// What liveness needs to know of a code, installed or not.
pub struct Stream<'a> {
    pub words: &'a [Word],
    pub handlers: &'a [Handler],
    pub n_regs: usize,
    /// Targets of the case table that is constant `k`, as jump distances.
    pub case_targets: &'a dyn Fn(usize) -> Vec<i64>,
    /// Register of the value that the call at site `i` returns.
    pub site_dst: &'a dyn Fn(usize) -> usize,
}

/// Live registers before each instruction (empty sets for second words).
pub fn analyse(s: &Stream) -> Vec<RegSet> {
    let mut starts = Vec::new();
    let mut pc = 0;
    while pc < s.words.len() {
        starts.push(pc);
        pc += op::len(s.words[pc]);
    }
    let mut live = vec![RegSet::new(s.n_regs); s.words.len() + 1];
    let mut changed = true;
    while changed {
        changed = false;
        for &pc in starts.iter().rev() {
            let w = s.words[pc];
            let info = Op::of(w).expect("verified").info();
            let next = pc + op::len(w);
            let mut set = RegSet::new(s.n_regs);
            if !matches!(info.flow, Flow::Jump | Flow::End) {
                set.union(&live[next]);
            }
            if let Some(t) = op::target(s.words, pc) {
                set.union(&live[t]);
            }
            if info.flow == Flow::Case {
                for d in (s.case_targets)(op::ui(w)) {
                    set.union(&live[(next as i64 + d) as usize]);
                }
            }
            if let Some(i) = site_of(w) {
                set.remove((s.site_dst)(i));
            }
            let mut uses = Vec::new();
            op::registers(&s.words[pc..], |r, def| if def { set.remove(r) } else { uses.push(r) });
            uses.into_iter().for_each(|r| set.insert(r));
            for h in s.handlers.iter().filter(|h| (h.start as usize..h.end as usize).contains(&pc)) {
                let mut at = live[h.target as usize].clone();
                at.remove(h.dst as usize);
                set.union(&at);
            }
            changed |= live[pc].union(&set);
        }
    }
    live
}

/// Registers live while the call before `after` is suspended: what is used after it, or by a handler that covers it.
pub fn across_call(live: &[RegSet], handlers: &[Handler], call: usize, after: usize) -> RegSet {
    let mut set = live[after].clone();
    for h in handlers.iter().filter(|h| (h.start as usize..h.end as usize).contains(&call)) {
        let mut at = live[h.target as usize].clone();
        at.remove(h.dst as usize);
        set.union(&at);
    }
    set
}

/// Does the code read its own closure? If not, that slot of its frames is dead.
pub fn uses_self(words: &[Word]) -> bool {
    let mut pc = 0;
    while pc < words.len() {
        if matches!(Op::of(words[pc]), Some(Op::Myself | Op::Capture | Op::CallSelf)) {
            return true;
        }
        pc += op::len(words[pc]);
    }
    false
}

/// Call site of a non-tail call.
pub fn site_of(w: Word) -> Option<usize> {
    matches!(Op::of(w), Some(Op::Call | Op::CallVar | Op::CallSelf)).then(|| op::b(w))
}

/// Live registers of installed code before the instruction at `pc`.
pub fn at(code: &Code, pc: usize) -> RegSet {
    let case_targets = |k: usize| case_distances(code.consts()[k]);
    let site_dst = |i: usize| code.sites()[i].dst as usize;
    let s = Stream {
        words: code.words(),
        handlers: code.handlers(),
        n_regs: code.n_regs as usize,
        case_targets: &case_targets,
        site_dst: &site_dst,
    };
    analyse(&s).swap_remove(pc)
}

/// Jump distances of an installed case table.
pub fn case_distances(table: Value) -> Vec<i64> {
    let words = table.obj().expect("a case table").words();
    words[1..].chunks(2).filter(|p| p[0] != Value::ABSENT).map(|p| p[1].fix_get()).collect()
}
