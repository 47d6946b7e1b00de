//! Recording a run: calls, or steps with what they bind, as columns with `t` the step.
//!
//! A step is what `--fuel` counts: a function's entry or a turn of a loop. A machine that records looks up at every step
//! instead of now and then; one that does not has no code for it in the interpreter. A call ends before the first step at which
//! the stack is not above it any more.

use super::{attr_table, entity, show};
use crate::frame::{Native, Proto, Walk, proto_of, stack_frames};
use crate::layout::{FRAME_HEADER, Kind, slot};
use crate::machine::Vm;
use crate::value::Value;
use datoms::edn::Edn;
use datoms::lazy::{AttrInfo, Lazy, Lexicon, Relations};
use datoms::value::Word;
use rustc_hash::FxHashMap;
use std::sync::Arc;
use yin_ast::NodeId;

attr_table! {
    FUNCTION value "yin.trace/function" "of a call: name of the function, a symbol";
    CALLER reference "yin.trace/caller" "of a call: the call it was made from";
    STARTED value "yin.trace/started" "of a call: the step of its entry";
    ENDED value "yin.trace/ended" "of a call: the last step before it returned or was left; absent if it did not return";
    ARGS value "yin.trace/args" "of a call: its arguments, a vector, bounded";
    DEPTH value "yin.trace/depth" "of a call: number of calls it was made from";
    STEP value "yin.trace/step" "of a step: its number, from 1";
    WHAT value "yin.trace/what" "of a step: `:entry` of a function or `:turn` of a loop";
    IN reference "yin.trace/in" "of a step: the call it belongs to";
    AT reference "yin.trace/at" "of a step: its node";
    NAME value "yin.trace/name" "of a binding: name of the local, a symbol";
    VALUE value "yin.trace/value" "of a binding: the value that the local has from this step on, as data, bounded";
    BY reference "yin.trace/by" "of a binding: the step";
}

/// What is recorded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Level {
    Calls,
    Steps,
}

struct Call {
    function: *const Proto,
    caller: u32,
    started: u32,
    ended: u32,
    depth: u32,
    args: Word,
}

struct Step {
    t: u32,
    call: u32,
    node: u32,
    turn: bool,
}

struct Binding {
    step: u32,
    name: u32,
    value: Word,
}

/// A recording under way.
pub struct Trace {
    /// Steps so far.
    t: u32,
    level: Level,
    limit: usize,
    lexicon: Arc<Lexicon>,
    calls: Vec<Call>,
    steps: Vec<Step>,
    bindings: Vec<Binding>,
    /// Calls that have not ended: words of stack below their frame, number.
    open: Vec<(usize, u32)>,
    /// The last value of a local of an open call.
    last: FxHashMap<(u32, u32), Word>,
    /// Words in the heap chain below the stack, for the chain last seen.
    below: (u64, usize, usize),
    /// True if the limit ended the recording.
    pub full: bool,
}

const NONE: u32 = u32::MAX;

impl Trace {
    /// Records until `limit` rows are held.
    pub fn new(level: Level, limit: usize, lexicon: &Arc<Lexicon>) -> Trace {
        Trace {
            t: 0,
            level,
            limit,
            lexicon: lexicon.clone(),
            calls: Vec::new(),
            steps: Vec::new(),
            bindings: Vec::new(),
            open: Vec::new(),
            last: FxHashMap::default(),
            below: (0, 0, 0),
            full: false,
        }
    }
    /// Rows held.
    pub fn len(&self) -> usize {
        self.calls.len() + self.steps.len() + self.bindings.len()
    }
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn word(&self, vm: &Vm, v: Value) -> Word {
        match v.as_fix().and_then(Word::int) {
            Some(w) => w,
            None => self.lexicon.encode(&show::shown(vm, v)),
        }
    }

    /// Words of frames below the stack's base.
    fn words_below(&mut self, vm: &Vm) -> usize {
        let key = (vm.roots.kseg.bits(), vm.koff);
        if (self.below.0, self.below.1) != key {
            let mut n = 0;
            let mut at = vm.roots.kseg.as_kind(Kind::Seg).map(|s| (s, vm.koff));
            while let Some((s, off)) = at {
                n += off;
                let parent = s.get(slot::SEG_PARENT).as_kind(Kind::Seg);
                at = parent.map(|p| (p, s.get(slot::SEG_PARENT_OFF).fix_get() as usize));
            }
            self.below = (key.0, key.1, n);
        }
        self.below.2
    }

    fn note(&mut self, vm: &Vm, top: *mut u64) {
        if self.len() >= self.limit {
            self.full = true;
            return;
        }
        // A machine that records serves every step: this is the next one.
        self.t = self.t.saturating_add(1);
        let t = self.t;
        let mut walk: Walk = stack_frames(vm.stack.base, top);
        let Some(frame) = walk.next() else { return };
        let r = frame.record();
        let depth = self.words_below(vm) + (frame.fp as usize).saturating_sub(vm.stack.base as usize) / 8;
        let is_entry = r.native() == Some(Native::Activate);
        if r.is_native() && !is_entry {
            return;
        }
        // Frames at this height or above are gone; the running one stays at the turn of a loop.
        while let Some((d, call)) = self.open.last().copied()
            && (d > depth || is_entry && d == depth)
        {
            self.calls[call as usize].ended = t - 1;
            self.open.pop();
            if self.level == Level::Steps {
                self.last.retain(|k, _| k.0 != call);
            }
        }
        if is_entry {
            let callee = frame.slot(1);
            let Some(f) = callee.as_kind(Kind::Closure) else { return };
            let proto = proto_of(f);
            let argc = r.delta as usize - 2;
            let args: Vec<Edn> = (0..argc.min(8)).map(|i| show::shown(vm, frame.slot(2 + i))).collect();
            let args = self.lexicon.encode(&Edn::vector(args));
            let caller = self.open.last().map_or(NONE, |c| c.1);
            let call = self.calls.len() as u32;
            let n_open = self.open.len() as u32;
            self.calls.push(Call { function: proto, caller, started: t, ended: 0, depth: n_open, args });
            self.open.push((depth, call));
            if self.level == Level::Steps {
                self.steps.push(Step { t, call, node: proto.node, turn: false });
                if let Some(code) = proto.select(argc) {
                    for l in code
                        .locals()
                        .iter()
                        .filter(|l| (l.reg as usize) < argc.min(code.n_params as usize) && l.start == 0)
                    {
                        let w = self.word(vm, frame.slot(FRAME_HEADER + l.reg as usize));
                        self.bind(call, l.name, w);
                    }
                }
            }
        } else if self.level == Level::Steps {
            let Some(code) = r.owner() else { return };
            let pc = code.index(r.pc);
            let call = self.open.last().map_or(NONE, |c| c.1);
            self.steps.push(Step { t, call, node: code.node_at(pc), turn: true });
            for l in code.locals() {
                let i = FRAME_HEADER + l.reg as usize;
                if (l.start as usize..l.end as usize).contains(&pc) && i < r.delta as usize && r.is_live(i) {
                    let w = self.word(vm, frame.slot(i));
                    self.bind(call, l.name, w);
                }
            }
        }
    }

    /// A local has a value at the newest step; only changes are kept.
    fn bind(&mut self, call: u32, name: u32, value: Word) {
        if self.last.insert((call, name), value) != Some(value) {
            self.bindings.push(Binding { step: self.steps.len() as u32 - 1, name, value });
        }
    }
}

impl Vm {
    /// Records the step at which the machine looked up.
    #[cold]
    pub(crate) fn note_step(&mut self, top: *mut u64) {
        let Some(mut t) = self.trace.take() else { return };
        t.note(self, top);
        self.trace = Some(t);
    }
    /// Ends the recording: what was recorded, as a source.
    pub fn end_trace(&mut self) -> Option<Lazy<Recorded>> {
        let t = self.trace.take()?;
        let lexicon = t.lexicon.clone();
        let mut names: FxHashMap<*const Proto, Word> = FxHashMap::default();
        for c in &t.calls {
            names.entry(c.function).or_insert_with(|| {
                let name = crate::frame::proto_name(c.function).and_then(Value::as_plain_symbol);
                name.map_or(Word::NIL, |id| lexicon.encode(&Edn::symbol(self.names.text(id))))
            });
        }
        let functions = t.calls.iter().map(|c| names[&c.function]).collect();
        let local = |id: u32| lexicon.encode(&Edn::symbol(self.names.text(id)));
        let mut by_name: FxHashMap<u32, Word> = FxHashMap::default();
        let locals = t.bindings.iter().map(|b| *by_name.entry(b.name).or_insert_with(|| local(b.name))).collect();
        let what = [lexicon.encode(&Edn::keyword("entry")), lexicon.encode(&Edn::keyword("turn"))];
        let first_node = self.ast.ids().next().map_or(u32::MAX, |id| id.0);
        let calls = t.calls.iter().map(|c| (c.caller, c.started, c.ended, c.depth, c.args)).collect();
        let recorded = Recorded { calls, functions, steps: t.steps, bindings: t.bindings, locals, what, first_node };
        Some(Lazy::new(recorded, &lexicon))
    }
}

/// A recording that is over.
pub struct Recorded {
    calls: Vec<(u32, u32, u32, u32, Word)>,
    functions: Vec<Word>,
    steps: Vec<Step>,
    bindings: Vec<Binding>,
    locals: Vec<Word>,
    what: [Word; 2],
    first_node: u32,
}

impl Recorded {
    /// The fact of an attribute and row of its table.
    fn at(&self, attr: usize, i: usize) -> Option<Word> {
        let int = |n: u32| Some(Word::entity(n));
        match attr {
            FUNCTION => Some(self.functions[i]).filter(|w| *w != Word::NIL),
            CALLER => (self.calls[i].0 != NONE).then(|| Word::entity(entity::CALL + self.calls[i].0)),
            STARTED => int(self.calls[i].1),
            ENDED => (self.calls[i].2 > 0).then(|| Word::entity(self.calls[i].2)),
            DEPTH => int(self.calls[i].3),
            ARGS => Some(self.calls[i].4),
            STEP => int(self.steps[i].t),
            WHAT => Some(self.what[usize::from(self.steps[i].turn)]),
            IN => (self.steps[i].call != NONE).then(|| Word::entity(entity::CALL + self.steps[i].call)),
            AT => (self.steps[i].node >= self.first_node)
                .then(|| Word::entity(yin_ast::source::entity(NodeId(self.steps[i].node)))),
            NAME => Some(self.locals[i]),
            VALUE => Some(self.bindings[i].value),
            BY => Some(Word::entity(entity::STEP + self.bindings[i].step)),
            _ => None,
        }
    }
    /// First entity and number of rows of an attribute's table.
    fn table(&self, attr: usize) -> (u32, usize) {
        match attr {
            FUNCTION..=DEPTH => (entity::CALL, self.calls.len()),
            STEP..=AT => (entity::STEP, self.steps.len()),
            _ => (entity::BINDING, self.bindings.len()),
        }
    }
    /// Every fact `[e a v t m]`, one a line.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write(&self, lexicon: &Lexicon, out: &mut dyn std::io::Write) -> std::io::Result<()> {
        use datoms::value::Dict;
        for (attr, info) in ATTRS.iter().enumerate() {
            let (base, n) = self.table(attr);
            for i in 0..n {
                if let Some(w) = self.at(attr, i) {
                    let e = base + i as u32;
                    let (t, m) = self.provenance(attr, e);
                    writeln!(out, "[{e} :{} {} {t} {m}]", info.name, lexicon.value(w))?;
                }
            }
        }
        Ok(())
    }
}

impl Relations for Recorded {
    fn attrs(&self) -> &[AttrInfo] {
        ATTRS
    }
    fn fill(&self, attr: usize, out: &mut dyn FnMut(u32, Word)) {
        let (base, n) = self.table(attr);
        for i in 0..n {
            if let Some(w) = self.at(attr, i) {
                out(base + i as u32, w);
            }
        }
    }
    fn values(&self, attr: usize, e: u32, out: &mut Vec<Word>) -> bool {
        let (base, n) = self.table(attr);
        if let Some(i) = e.checked_sub(base).map(|i| i as usize).filter(|i| *i < n) {
            out.extend(self.at(attr, i));
        }
        true
    }
    fn n_entities(&self) -> usize {
        self.calls.len() + self.steps.len() + self.bindings.len()
    }
    fn provenance(&self, attr: usize, e: u32) -> (i64, i64) {
        let (base, n) = self.table(attr);
        let Some(i) = e.checked_sub(base).map(|i| i as usize).filter(|i| *i < n) else { return (0, 1) };
        let t = match attr {
            ENDED => self.calls[i].2,
            FUNCTION..=DEPTH => self.calls[i].1,
            STEP..=AT => self.steps[i].t,
            _ => self.steps[self.bindings[i].step as usize].t,
        };
        (i64::from(t), 1)
    }
}
