//! Operations on frames: starting activations, returning, raising, polling, frame operations by name.
//!
//! Everything here is reached by jump from the interpreter or the driver: the running frame is suspended at a resume record
//! or about to be left, so collecting and copying the stack are allowed.

use crate::frame::{self, Code, Native, Pc, Regs, Resume, code_ref, flag, live_bits, resume_ref};
use crate::heap::Heap;
use crate::kont::Abort;
use crate::layout::{Kind, slot};
use crate::live;
use crate::machine::{ErrKind, Exit, Replay, Stop, Vm};
use crate::op::Op;
use crate::prim::{self, R, coll, table};
use crate::value::{Obj, Value};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU16, Ordering};

/// Set by the command's signal handler; looked at when a slice of steps is over.
pub static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Where the running machine keeps the limit that compiled code looks at; null while nothing runs.
static LIMIT: AtomicPtr<*mut u64> = AtomicPtr::new(std::ptr::null_mut());

/// Held while another thread uses `LIMIT`.
static LIMIT_STAYS: std::sync::Mutex<()> = std::sync::Mutex::new(());

/// Tells signal handlers and other threads where to ask for attention.
pub(crate) fn watch_limit(limit: *mut *mut u64) {
    let _stays = LIMIT_STAYS.lock();
    LIMIT.store(limit, Ordering::Relaxed)
}

/// Somebody asked for attention and no poll has looked since. Set before the limit is cleared and looked at after the limit is
/// set, so that a request between two slices, or while nothing runs, is not lost.
static ATTENTION: AtomicBool = AtomicBool::new(false);

/// Does somebody want attention?
pub(crate) fn attention_wanted() -> bool {
    // Pairs with the store in `ask_for_attention`: the limit was written before this load.
    std::sync::atomic::fence(Ordering::SeqCst);
    ATTENTION.load(Ordering::SeqCst)
}

/// Makes the next safe point of compiled code give way. May be called from a signal handler.
pub(crate) fn ask_for_attention() {
    ATTENTION.store(true, Ordering::SeqCst);
    let limit = LIMIT.load(Ordering::Relaxed);
    if !limit.is_null() {
        // SAFETY: a machine that runs is alive; the field is one aligned word, which its thread reads again at each safe point.
        unsafe { limit.write_volatile(std::ptr::null_mut()) }
    }
}

/// The same from another thread: the machine that is asked stays alive meanwhile.
pub(crate) fn ask_from_elsewhere() {
    let _stays = LIMIT_STAYS.lock();
    ask_for_attention()
}

/// Set by the command's handler of requests to terminate.
pub static TERMINATED: AtomicBool = AtomicBool::new(false);

/// Steps between two looks at the world.
const SLICE: i64 = 1 << 16;
/// The same while a compiler wants to know what is hot. Not a power of two, so that loops do not fall into step with it.
const SAMPLE: i64 = 1021;

/// Activations of interpreted code by the machine between two looks at what is hot.
const SAMPLE_CALLS: u32 = 127;

/// Most arguments of an activation that waits.
pub(crate) const MAX_ACTIVATE: usize = 259;

/// Records of native frames, made once.
pub(crate) struct NativeRecords {
    fixed: Vec<(Native, *const Resume)>,
    /// By number of arguments.
    activate: Vec<*const Resume>,
}

impl NativeRecords {
    pub fn new(heap: &mut Heap) -> NativeRecords {
        use Native::*;
        let sizes = [
            (Halt, 1),
            (Underflow, 0),
            (Force, 4),
            (Replay, 2),
            (Prompt, 3),
            (Wind, 4),
            (WindBefore, 4),
            (WindAfter, 3),
            (Rewind, 4),
            (Unwind, 4),
            (Bind, 2),
            (Load, 2),
            (Delay, 2),
            (AbortUnwind, 4),
        ];
        let fixed = sizes.into_iter().map(|(n, d)| (n, frame::native_record(heap, n, d))).collect();
        let activate = (0..=MAX_ACTIVATE as u32).map(|argc| frame::native_record(heap, Activate, 2 + argc)).collect();
        NativeRecords { fixed, activate }
    }
    pub fn get(&self, n: Native) -> *const Resume {
        self.fixed.iter().find(|(k, _)| *k == n).expect("every native frame but Activate").1
    }
    pub fn activate(&self, argc: usize) -> *const Resume {
        self.activate[argc]
    }
    pub fn all(&self) -> impl Iterator<Item = *const Resume> {
        self.fixed.iter().map(|f| f.1).chain(self.activate.iter().copied())
    }
}

impl Replay {
    /// A primitive returned: its answers are used up.
    #[inline(always)]
    pub fn finish(&mut self) {
        if self.next | self.restarts != 0 {
            self.clear();
        }
    }
    #[cold]
    fn clear(&mut self) {
        self.answers.clear();
        self.next = 0;
        self.restarts = 0;
    }
}

impl Vm {
    // ---- records
    /// The interpreter's record to go on at instruction `pc` of `code`, dropping the value delivered. Made once per place.
    pub(crate) fn resume_at(&mut self, code: *const Code, pc: Pc) -> *const Resume {
        if let Some(&r) = self.resume_points.get(&(pc.0 as usize)) {
            return r;
        }
        let c = code_ref(code);
        let at = c.index(pc.0);
        let live = live::at(c, at);
        let delta = c.frame_words();
        // The callee's slot is live throughout or not at all: calls before this point did not keep it otherwise.
        let uses_self = live::uses_self(c.words());
        let is_live = |i: usize| if i == 1 { uses_self } else { live.contains(i - 2) };
        let r = self.make_record(code, pc, delta, 0, flag::DISCARD, is_live);
        self.resume_points.insert(pc.0 as usize, r);
        r
    }

    pub(crate) fn make_record(
        &mut self,
        code: *const Code,
        pc: Pc,
        delta: usize,
        dst: u16,
        flags: u16,
        is_live: impl Fn(usize) -> bool,
    ) -> *const Resume {
        let (live, wide) = live_bits(&mut self.heap, delta, is_live);
        let p = self.heap.alloc_raw(size_of::<Resume>() / 8) as *mut Resume;
        let r = Resume {
            code: AtomicPtr::new(self.resume_stub()),
            delta: delta as u32,
            dst,
            flags: AtomicU16::new(flags | wide),
            pc: pc.0,
            owner: code,
            live,
            native: 0,
            node: code_ref(code).node_at(code_ref(code).index(pc.0)),
            kinds: std::ptr::null(),
            canon: std::ptr::null(),
        };
        // SAFETY: fresh permanent memory of that size.
        unsafe { p.write(r) };
        p
    }

    // ---- starting activations
    /// Starts the activation at `fp`: header set, callee in slot 1, `argc` arguments behind it. Sets the next step.
    pub(crate) fn activate_slow(&mut self, fp: Regs, argc: usize) {
        if self.needs_service() {
            // The step was counted; serve whoever wants attention, then go on.
            if !self.service(fp, argc) {
                return;
            }
        } else if !matches!(fp.closure().kind(), Some(Kind::Closure)) {
            self.heap.steps -= 1;
        }
        self.activate(fp, argc)
    }

    pub(crate) fn activate(&mut self, mut fp: Regs, mut argc: usize) {
        if fp.0 > self.stack.limit {
            fp = self.overflow(fp, argc);
        }
        // What a callable resolves to is called in its place; chains are short, cycles impossible but for programs' own.
        for _ in 0..1000 {
            let f = fp.closure();
            let Some(kind) = f.kind() else {
                if f.is_keyword() || self.symbol_id(f).is_some() {
                    return self.run_prim(fp, argc, call_data);
                }
                return self.not_callable(fp, f);
            };
            let o = f.obj().expect("has a kind");
            match kind {
                Kind::Closure => {
                    let proto = frame::proto_of(o);
                    let Some(code) = proto.select(argc) else {
                        let exit = self.arity_error(f, argc);
                        return self.raise_exit(fp, exit);
                    };
                    if code.variadic != 0 {
                        let n = code.n_params as usize;
                        let rest = coll::rest_list(self, fp.slice(n, argc - n));
                        fp.set(n, rest);
                    }
                    if self.tier.is_some() && code.native.load(Ordering::Relaxed).is_null() {
                        // What machine code and the machine itself call comes to no poll of the interpreter.
                        self.activations = self.activations.wrapping_add(1);
                        if self.activations.is_multiple_of(SAMPLE_CALLS) {
                            self.sample(code, 0, fp);
                        }
                    }
                    if !code.native.load(Ordering::Relaxed).is_null() {
                        return self.enter_native(code, fp);
                    }
                    self.code = code;
                    self.fp = fp;
                    self.pc = Pc(code.words);
                    return;
                }
                Kind::PrimFn => {
                    let def = table::get(o.aux()).expect("a primitive's id");
                    if argc < def.min_args as usize || (def.max_args != prim::MANY && argc > def.max_args as usize) {
                        let exit = self.arity_error(f, argc);
                        return self.raise_exit(fp, exit);
                    }
                    if def.flags & prim::VMOP == 0 {
                        return self.run_prim(fp, argc, call_prim);
                    }
                    match self.vmop(def.name, fp, argc) {
                        Ok(Some(n)) => argc = n,
                        Ok(None) => return,
                        Err(exit) => return self.suspend_activation(fp, argc, exit),
                    }
                }
                Kind::Var => {
                    let root = o.get(slot::VAR_ROOT);
                    if root == Value::UNBOUND {
                        let exit = self.unbound_var(o);
                        return self.raise_exit(fp, exit);
                    }
                    fp.set_word(1, root.bits());
                }
                Kind::KontFn => {
                    let v = if argc == 1 { fp.get(0) } else { coll::vector_of(self, fp.slice(0, argc)) };
                    return self.throw_to(fp, o.get(0), v);
                }
                Kind::ProtocolFn | Kind::MultiFn => match self.resolve_dispatch(o, fp.slice(0, argc)) {
                    Ok(method) => {
                        self.replay.finish();
                        fp.set_word(1, method.bits())
                    }
                    Err(exit) => return self.suspend_activation(fp, argc, exit),
                },
                Kind::Instance | Kind::Record if coll::method_of(self, f, "invoke").is_some() => {
                    let m = coll::method_of(self, f, "invoke").expect("just found");
                    fp.shift(0, 1, argc);
                    fp.set(0, f);
                    fp.set_word(1, m.bits());
                    argc += 1;
                }
                _ if coll::is_lookup(kind) && kind != Kind::Record => return self.run_prim(fp, argc, call_data),
                _ => return self.not_callable(fp, f),
            }
        }
        let exit = self.err(ErrKind::Type, "a callable that calls only itself");
        self.raise_exit(fp, exit)
    }

    fn not_callable(&mut self, fp: Regs, f: Value) {
        let what = coll::type_name(self, f);
        let exit = self.err(ErrKind::Type, format!("{what} cannot be cast to clojure.lang.IFn: it is not a function"));
        self.raise_exit(fp, exit)
    }

    /// Runs a primitive as the activation at `fp` and delivers its value.
    fn run_prim(&mut self, fp: Regs, argc: usize, run: fn(&mut Vm, Value, &[Value]) -> R) {
        match run(self, fp.closure(), fp.slice(0, argc)) {
            Ok(v) => {
                self.replay.finish();
                self.deliver(fp, v)
            }
            Err(exit) => self.suspend_activation(fp, argc, exit),
        }
    }

    /// The activation at `fp` left through `exit`: it is suspended, to be started again.
    fn suspend_activation(&mut self, fp: Regs, argc: usize, exit: Exit) {
        let top = fp.up(2 + argc);
        top.set_word(0, self.natives.activate(argc) as u64);
        self.serve_exit(top, exit)
    }

    /// The instruction at `self.pc` of the running frame left through `exit`.
    pub(crate) fn fault(&mut self, exit: Exit) {
        match exit {
            Exit::Throw => {
                self.replay_reset();
                let code = code_ref(self.code);
                let at = code.index(self.pc.0);
                // A primitive that is called last has left the frame; compiled code runs it in place.
                if Op::of(code.words()[at]) != Some(Op::TailCallVar) {
                    self.note_trace(self.code, at);
                }
                if let Some(h) = code.handler_at(at) {
                    self.fp.set(h.dst as usize, self.pending.value);
                    // SAFETY: handler targets are verified.
                    self.pc = Pc(unsafe { code.words.add(h.target as usize) });
                } else {
                    self.raise(self.fp, self.pending.value)
                }
            }
            Exit::Stop => self.done = Some(Err(Exit::Stop)),
            Exit::Switch => {}
            Exit::Force | Exit::Call => {
                let r = self.resume_at(self.code, self.pc);
                let top = self.fp.up(resume_ref(r).delta as usize);
                top.set_word(0, r as u64);
                self.serve_exit(top, exit)
            }
        }
    }

    fn replay_reset(&mut self) {
        self.replay.clear();
    }

    /// A primitive asked for something; `top` is the header of a suspended frame that will run it again.
    fn serve_exit(&mut self, top: Regs, exit: Exit) {
        match exit {
            Exit::Throw => {
                self.replay_reset();
                // The frame below `top` is the primitive's own activation: it has no handler, so raise from it.
                self.raise(top, self.pending.value)
            }
            Exit::Stop => self.done = Some(Err(Exit::Stop)),
            Exit::Switch => {}
            Exit::Force => {
                let cell = self.pending.value;
                let restarts = self.replay.restarts + 1;
                let answers = self.save_answers();
                let top = self.push_answers(top, answers);
                top.set_word(1, cell.bits());
                // A primitive that starts over for every cell would take quadratic time: after some restarts, as many cells
                // more as were realised so far.
                let more = if restarts > 24 { 1i64 << (restarts - 24).min(20) } else { 0 };
                top.set_word(2, Value::fix(more).bits());
                top.set_word(3, Value::fix(restarts as i64).bits());
                let callee = top.up(4);
                callee.set_word(0, self.natives.get(Native::Force) as u64);
                let thunk = cell.obj().expect("a lazy seq").get(slot::LAZY_THUNK);
                callee.set_word(1, thunk.bits());
                self.activate(callee, 0)
            }
            Exit::Call => {
                let answers = self.save_answers();
                let answers = if answers.is_nil() { coll::vector_of(self, &[]) } else { answers };
                top.set_word(1, answers.bits());
                let callee = top.up(2);
                callee.set_word(0, self.natives.get(Native::Replay) as u64);
                callee.set_word(1, self.pending.value.bits());
                for (i, v) in self.pending.args.iter().enumerate() {
                    callee.set(i, *v);
                }
                let argc = self.pending.args.len();
                self.activate(callee, argc)
            }
        }
    }

    /// The answers so far as a vector, nil if there are none; the count of restarts is with the frame that asks.
    fn save_answers(&mut self) -> Value {
        let answers = std::mem::take(&mut self.replay.answers);
        self.replay.next = 0;
        self.replay.restarts = 0;
        if answers.is_empty() { Value::NIL } else { coll::vector_of(self, &answers) }
    }

    /// Pushes a frame that keeps answers while something is forced: a value returned to it only restores them.
    fn push_answers(&mut self, top: Regs, answers: Value) -> Regs {
        if answers.is_nil() {
            return top;
        }
        top.set_word(1, answers.bits());
        let up = top.up(2);
        up.set_word(0, self.natives.get(Native::Replay) as u64);
        // The value that comes is marked as "no answer" by the Force frame above it.
        up
    }

    // ---- returning
    /// Returns `v` to the frame that the header at `top` describes.
    pub(crate) fn deliver(&mut self, mut top: Regs, mut v: Value) {
        loop {
            let r = resume_ref(top.header());
            let fp = top.down(r.delta as usize);
            let Some(native) = r.native() else {
                if self.has_native(r) {
                    return self.resume_native(top, r, v);
                }
                self.fp = fp;
                self.pc = Pc(r.pc);
                self.code = r.owner;
                if r.flags() & flag::DISCARD == 0 {
                    fp.set(r.dst as usize, v);
                }
                return;
            };
            match native {
                Native::Halt => {
                    self.done = Some(Ok(v));
                    return;
                }
                Native::Underflow => match self.underflow() {
                    Some(t) => {
                        top = t;
                        continue;
                    }
                    None => {
                        self.done = Some(Ok(v));
                        return;
                    }
                },
                Native::Force => {
                    let cell = Value(fp.word(1)).obj().expect("a lazy seq");
                    self.heap.write(cell, slot::LAZY_VALUE, v);
                    self.heap.write(cell, slot::LAZY_THUNK, Value::NIL);
                    let more = Value(fp.word(2)).fix_get();
                    if more > 0
                        && let Some(next) = unrealised_rest(v)
                    {
                        fp.set_word(1, Value::from(next).bits());
                        fp.set_word(2, Value::fix(more - 1).bits());
                        let callee = fp.up(4);
                        callee.set_word(0, self.natives.get(Native::Force) as u64);
                        callee.set_word(1, next.get(slot::LAZY_THUNK).bits());
                        return self.activate(callee, 0);
                    }
                    self.replay.restarts = Value(fp.word(3)).fix_get() as usize;
                    v = Value::ABSENT;
                }
                Native::Delay => {
                    let cell = Value(fp.word(1)).obj().expect("a delay");
                    self.heap.write(cell, 1, v);
                    self.heap.write(cell, 0, Value::NIL);
                }
                Native::Replay => {
                    let answers = Value(fp.word(1));
                    let answers: Vec<Value> = coll::vector_values(answers);
                    self.replay.answers = answers;
                    if v != Value::ABSENT {
                        self.replay.answers.push(v);
                    }
                    self.replay.next = 0;
                }
                Native::Activate => {
                    let argc = r.delta as usize - 2;
                    return self.activate(fp, argc);
                }
                Native::Prompt => {}
                Native::Bind => {
                    self.leave_binding();
                    debug_assert!(self.roots.dyn_node == Value(fp.word(1)));
                }
                Native::WindBefore => {
                    // before ran: [before, thunk, after] → inside.
                    let (before, thunk, after) = (Value(fp.word(1)), Value(fp.word(2)), Value(fp.word(3)));
                    let node = self.alloc(Kind::Node, &[self.roots.winds, before, after]);
                    self.roots.winds = node;
                    fp.set_word(2, after.bits());
                    fp.set_word(3, node.bits());
                    let callee = fp.up(4);
                    callee.set_word(0, self.natives.get(Native::Wind) as u64);
                    callee.set_word(1, thunk.bits());
                    return self.activate(callee, 0);
                }
                Native::Wind => {
                    self.roots.winds = Value(fp.word(3)).obj().expect("a wind").get(0);
                    let after = Value(fp.word(2));
                    fp.set_word(1, v.bits());
                    fp.set_word(2, Value::FALSE.bits());
                    let callee = fp.up(3);
                    callee.set_word(0, self.natives.get(Native::WindAfter) as u64);
                    callee.set_word(1, after.bits());
                    return self.activate(callee, 0);
                }
                Native::WindAfter => {
                    v = Value(fp.word(1));
                    if Value(fp.word(2)).truthy() {
                        return self.raise(fp, v);
                    }
                }
                Native::Rewind => return self.rewind(fp),
                Native::Unwind => return self.unwind(fp, Value(fp.word(1)), Value(fp.word(2))),
                Native::AbortUnwind => return self.abort_unwind(fp),
                Native::Load => return self.load_next(fp, v),
            }
            top = fp;
        }
    }

    // ---- raising
    pub(crate) fn raise_exit(&mut self, fp: Regs, exit: Exit) {
        match exit {
            Exit::Throw => self.raise(fp, self.pending.value),
            _ => self.done = Some(Err(exit)),
        }
    }

    /// Raises `v` in the frame that the header at `top` describes.
    pub(crate) fn raise(&mut self, mut top: Regs, v: Value) {
        loop {
            let r = resume_ref(top.header());
            let fp = top.down(r.delta as usize);
            match r.native() {
                None => {
                    let code = code_ref(r.owner);
                    let at = code.index(r.pc) - (r.flags() & flag::DISCARD == 0) as usize;
                    self.note_trace(r.owner, at);
                    if let Some(h) = code.handler_at(at) {
                        self.fp = fp;
                        self.code = r.owner;
                        // SAFETY: handler targets are verified.
                        self.pc = Pc(unsafe { code.words.add(h.target as usize) });
                        fp.set(h.dst as usize, v);
                        return;
                    }
                }
                Some(Native::Halt) => {
                    self.pending.value = v;
                    self.done = Some(Err(Exit::Throw));
                    return;
                }
                Some(Native::Underflow) => match self.underflow() {
                    Some(t) => {
                        top = t;
                        continue;
                    }
                    None => {
                        self.pending.value = v;
                        self.done = Some(Err(Exit::Throw));
                        return;
                    }
                },
                Some(Native::Bind) => self.leave_binding(),
                Some(Native::Delay) => {
                    let cell = Value(fp.word(1)).obj().expect("a delay");
                    self.heap.write(cell, 1, v);
                    self.heap.write(cell, 2, Value::TRUE);
                    self.heap.write(cell, 0, Value::NIL);
                }
                Some(Native::Load) => self.load_failed(fp),
                Some(Native::Wind) => {
                    self.roots.winds = Value(fp.word(3)).obj().expect("a wind").get(0);
                    let after = Value(fp.word(2));
                    fp.set_word(1, v.bits());
                    fp.set_word(2, Value::TRUE.bits());
                    let callee = fp.up(3);
                    callee.set_word(0, self.natives.get(Native::WindAfter) as u64);
                    callee.set_word(1, after.bits());
                    return self.activate(callee, 0);
                }
                Some(_) => {}
            }
            top = fp;
        }
    }

    /// Adds the place to the trace of the exception being raised: pairs of code id and position, bounded.
    fn note_trace(&mut self, code: *const Code, at: usize) {
        const TRACE: usize = 24;
        let Some(e) = self.pending.value.as_kind(Kind::Exception) else { return };
        let node = Value::fix(code_ref(code).node_at(at) as i64);
        let id = Value::fix(code_ref(code).id as i64);
        match e.get(slot::EX_TRACE).obj() {
            None => {
                let mut words = [Value::NIL; 2 * TRACE + 1];
                words[0] = Value::fix(1);
                (words[1], words[2]) = (id, node);
                let t = self.alloc(Kind::Array, &words);
                self.heap.write(e, slot::EX_TRACE, t);
            }
            Some(t) => {
                let n = t.get(0).fix_get() as usize;
                if n < TRACE && !(t.get(2 * n - 1) == id && t.get(2 * n) == node) {
                    t.set(0, Value::fix(n as i64 + 1));
                    t.set(2 * n + 1, id);
                    t.set(2 * n + 2, node);
                }
            }
        }
    }

    /// (code id, AST node) of the frames an exception passed, innermost first.
    pub fn trace_of(&self, e: Value) -> Vec<(u32, u32)> {
        let Some(t) = e.as_kind(Kind::Exception).and_then(|e| e.get(slot::EX_TRACE).obj()) else { return Vec::new() };
        let n = t.get(0).fix_get() as usize;
        (0..n).map(|i| (t.get(2 * i + 1).fix_get() as u32, t.get(2 * i + 2).fix_get() as u32)).collect()
    }

    /// Name of the function with code `id`.
    pub fn code_name(&self, id: u32) -> Option<&str> {
        let code = self.codes.get(id as usize)?;
        let name = code_ref(*code).proto().name.as_plain_symbol()?;
        Some(self.names.text(name))
    }

    #[cold]
    pub(crate) fn unbound_var(&mut self, var: Obj) -> Exit {
        let (ns, name) = (var.get(slot::VAR_NS), var.get(slot::VAR_NAME));
        let text = |vm: &Vm, v: Value| v.as_plain_symbol().map_or(String::new(), |id| vm.names.text(id).to_string());
        let message = format!("Attempting to use unbound var #'{}/{}", text(self, ns), text(self, name));
        self.err(ErrKind::Unbound, message)
    }

    #[cold]
    fn arity_error(&mut self, f: Value, argc: usize) -> Exit {
        let name = match f.obj() {
            Some(o) if o.kind() == Kind::Closure => {
                let name = frame::proto_of(o).name;
                name.as_plain_symbol().map_or("fn".to_string(), |id| self.names.text(id).to_string())
            }
            Some(o) if o.kind() == Kind::PrimFn => table::get(o.aux()).map_or("fn", |d| d.name).to_string(),
            _ => "fn".to_string(),
        };
        self.err(ErrKind::Arity, format!("Wrong number of args ({argc}) passed to: {name}"))
    }

    // ---- polls
    /// At a loop header whose step count ran out; the next instruction is at `self.pc`.
    pub(crate) fn poll_loop(&mut self) {
        let r = self.resume_at(self.code, self.pc);
        let top = self.fp.up(resume_ref(r).delta as usize);
        top.set_word(0, r as u64);
        if self.tier.is_some() {
            self.sample(self.code, code_ref(self.code).index(self.pc.0), self.fp);
        }
        if self.attend(top) {
            let top = self.detour(top);
            if !self.end_turn(top) {
                self.deliver(top, Value::NIL)
            }
        }
    }

    /// At a function entry whose step count ran out. False: the run is over or went elsewhere.
    fn service(&mut self, fp: Regs, argc: usize) -> bool {
        let top = fp.up(2 + argc);
        top.set_word(0, self.natives.activate(argc) as u64);
        if self.tier.is_some()
            && let Some(code) = self.code_called(fp, argc)
        {
            self.sample(code, 0, fp);
        }
        if !self.attend(top) {
            return false;
        }
        let moved = self.detour(top);
        if self.end_turn(moved) {
            return false;
        }
        if moved == top {
            return true;
        }
        self.deliver(moved, Value::NIL);
        false
    }

    /// Serves everybody who wants attention. `top` is the top header. Order: limits, interruption, collection, zeal.
    pub(crate) fn attend(&mut self, top: Regs) -> bool {
        let banked = std::mem::take(&mut self.heap.steps_banked);
        self.steps_done += (self.slice - banked).max(0) as u64;
        if let Some(fuel) = self.fuel {
            let used = (self.slice - banked).max(0) as u64;
            if fuel <= used {
                self.fuel = Some(0);
                self.ask_at(crate::inspect::moment::Why::Fuel, top);
                return self.stop(Stop::Fuel);
            }
            self.fuel = Some(fuel - used);
        }
        ATTENTION.store(false, Ordering::SeqCst);
        if INTERRUPTED.swap(false, Ordering::Relaxed) {
            return self.stop(Stop::Interrupt);
        }
        if self.parking.on_term && TERMINATED.load(Ordering::Relaxed) && self.park_on_term(top) {
            return false;
        }
        if crate::inspect::moment::asked() && !self.serve_asked(top) {
            return self.stop(Stop::Exit(0));
        }
        if self.trace.is_some() {
            self.note_step(top.0);
        }
        let zeal_gc = self.zeal.gc > 0 && self.zeal.count.is_multiple_of(self.zeal.gc);
        if (self.heap.wanted || zeal_gc) && self.no_gc == 0 {
            self.collect(top.0, false);
            if self.heap.used_bytes() / 8 > self.heap.limit_words {
                self.collect(top.0, true);
                if self.heap.used_bytes() / 8 > self.heap.limit_words {
                    return self.stop(Stop::Memory);
                }
            }
        } else if self.heap.used_bytes() / 8 > self.heap.limit_words.saturating_mul(2) {
            return self.stop(Stop::Memory);
        }
        self.new_slice();
        true
    }

    fn new_slice(&mut self) {
        let zealous = self.zeal.gc > 0 || self.zeal.park > 0 || self.zeal.capture > 0 || self.zeal.switch > 0;
        let mut most = if self.trace.is_some() {
            // Every step is served.
            0
        } else if zealous {
            1
        } else if self.tier.is_some() {
            SAMPLE
        } else {
            SLICE
        };
        if self.parking.every > 0 {
            most = most.min(self.parking.due.saturating_sub(self.steps_done).clamp(1, SLICE as u64) as i64);
        }
        self.slice = self.fuel.map_or(most, |f| most.min(f as i64));
        self.heap.steps = self.slice;
        self.rearm();
    }

    /// Does somebody want attention at this safe point?
    #[inline]
    pub(crate) fn needs_service(&self) -> bool {
        self.heap.steps < 0 || self.heap.stack_limit.is_null()
    }

    fn stop(&mut self, why: Stop) -> bool {
        self.pending.stop = why;
        self.done = Some(Err(Exit::Stop));
        false
    }

    /// Looks up at the next step, as settings that polls serve have changed.
    pub fn look_up(&mut self) {
        self.heap.want_poll();
    }

    /// Bytes the program's values may take.
    pub fn set_memory_limit(&mut self, bytes: usize) {
        self.heap.limit_words = bytes / 8;
    }

    /// Checkpoints and stress modes. Returns the top header.
    pub(crate) fn detour(&mut self, top: Regs) -> Regs {
        self.zeal.count = self.zeal.count.wrapping_add(1);
        let due = |k: u32| k > 0 && self.zeal.count.is_multiple_of(k);
        let (capture, park) = (due(self.zeal.capture), due(self.zeal.park));
        let mut top = self.checkpoint(top);
        if capture {
            top = self.through_capture(top);
        }
        if park { self.through_bytes(top) } else { top }
    }
    /// Stress mode `capture`: captures everything above the base, then goes on from the copy.
    fn through_capture(&mut self, top: Regs) -> Regs {
        let base = self.capture(top);
        if self.poison {
            let used = (top.0 as usize - base.0 as usize) / 8;
            (1..=used).for_each(|i| base.set_word(i, 0xDEAD_BEEF_DEAD_BEEC));
        }
        self.underflow().unwrap_or(base)
    }

    // ---- frame operations by name
    /// Runs a frame operation as the activation at `fp`. `Ok(Some(n))`: call what is now in `fp` with `n` arguments.
    fn vmop(&mut self, name: &str, fp: Regs, argc: usize) -> Result<Option<usize>, Exit> {
        match name {
            // (apply f a… seq), after Clojure code made the last argument a realised list or vector
            "yin.rt/apply" => {
                let last = fp.get(argc - 1);
                let tail = coll::spread(self, last, usize::MAX)?;
                self.replay.finish();
                let f = fp.get(0);
                let n = argc - 2 + tail.len();
                if n <= 250 {
                    fp.set_word(1, f.bits());
                    fp.shift(1, 0, argc - 2);
                    for (i, v) in tail.into_iter().enumerate() {
                        fp.set(argc - 2 + i, v);
                    }
                    return Ok(Some(n));
                }
                // More than a window holds: a function takes the rest as a list, a primitive as a slice.
                let mut args: Vec<Value> = fp.slice(1, argc - 2).to_vec();
                args.extend(tail);
                match f.obj().map(|o| (o, o.kind())) {
                    Some((o, Kind::Closure)) if !frame::proto_of(o).variadic.is_null() => {
                        let variadic = frame::proto_of(o).variadic;
                        let code = code_ref(variadic);
                        let fixed = code.n_params as usize;
                        let rest = coll::rest_list(self, &args[fixed..]);
                        fp.set_word(1, f.bits());
                        args[..fixed].iter().enumerate().for_each(|(i, v)| fp.set(i, *v));
                        fp.set(fixed, rest);
                        (self.code, self.fp, self.pc) = (variadic, fp, Pc(code.words));
                        Ok(None)
                    }
                    Some((o, Kind::PrimFn))
                        if table::get(o.aux())
                            .is_some_and(|d| d.max_args == prim::MANY && d.flags & prim::VMOP == 0) =>
                    {
                        let v = table::function(o.aux())(self, &args)?;
                        self.replay.finish();
                        self.deliver(fp, v);
                        Ok(None)
                    }
                    _ => Err(self.arity_error(f, n)),
                }
            }
            "yin.control/call-cc" => {
                let f = fp.get(0);
                let k = self.current_kont(fp);
                let base = Regs(self.stack.base);
                base.set_word(1, f.bits());
                base.set(0, k);
                self.activate(base, 1);
                Ok(None)
            }
            "yin.control/call-with-prompt" => {
                let (tag, thunk, handler) = (fp.get(0), fp.get(1), fp.get(2));
                fp.set_word(1, tag.bits());
                fp.set_word(2, handler.bits());
                let callee = fp.up(3);
                callee.set_word(0, self.natives.get(Native::Prompt) as u64);
                callee.set_word(1, thunk.bits());
                self.activate(callee, 0);
                Ok(None)
            }
            "yin.control/abort-to-prompt" => {
                self.abort(fp, argc, Abort::Plain);
                Ok(None)
            }
            "yin.rt/perform" => {
                self.perform(fp, argc)?;
                Ok(None)
            }
            // (yin.rt/suspend tag v…): an abort that runs no thunks of winds, as threads change places
            "yin.rt/suspend" => {
                self.abort(fp, argc, Abort::Quiet);
                Ok(None)
            }
            "yin.control/park" => {
                self.park(fp, fp.get(0))?;
                Ok(None)
            }
            "yin.control/dynamic-wind" => {
                let (before, thunk, after) = (fp.get(0), fp.get(1), fp.get(2));
                fp.set_word(1, before.bits());
                fp.set_word(2, thunk.bits());
                fp.set_word(3, after.bits());
                let callee = fp.up(4);
                callee.set_word(0, self.natives.get(Native::WindBefore) as u64);
                callee.set_word(1, before.bits());
                self.activate(callee, 0);
                Ok(None)
            }
            // (yin.rt/with-bindings thunk var value …)
            "yin.rt/with-bindings" => {
                let thunk = fp.get(0);
                let old = self.roots.dyn_node;
                let depth = old.obj().map_or(0, |o| o.get(1).fix_get());
                let mut words = vec![old, Value::fix(depth + 1)];
                for pair in fp.slice(1, argc - 1).chunks(2) {
                    let Some(var) = pair[0].as_kind(Kind::Var) else {
                        return Err(self.err(ErrKind::Type, "binding needs vars"));
                    };
                    if var.get(slot::VAR_FLAGS).fix_get() & crate::layout::var_flag::DYNAMIC == 0 {
                        let name = var.get(slot::VAR_NAME).as_plain_symbol().map_or("", |id| self.names.text(id));
                        let message = format!("Can't dynamically bind non-dynamic var: {name}");
                        return Err(self.err(ErrKind::State, message));
                    }
                    words.extend([pair[0], pair[1]]);
                }
                let node = self.alloc(Kind::Node, &words);
                fp.set_word(1, old.bits());
                self.enter_binding(node);
                let callee = fp.up(2);
                callee.set_word(0, self.natives.get(Native::Bind) as u64);
                callee.set_word(1, thunk.bits());
                self.activate(callee, 0);
                Ok(None)
            }
            // (yin.rt/force-delay d)
            "yin.rt/force-delay" => {
                let d = fp.get(0);
                let o = d.as_kind(Kind::Delay).expect("checked by its caller");
                let thunk = o.get(0);
                fp.set_word(1, d.bits());
                let callee = fp.up(2);
                callee.set_word(0, self.natives.get(Native::Delay) as u64);
                callee.set_word(1, thunk.bits());
                self.activate(callee, 0);
                Ok(None)
            }
            "yin.rt/run-next" => {
                self.run_next(fp);
                Ok(None)
            }
            "yin.rt/give-way" => {
                self.give_way(fp);
                Ok(None)
            }
            _ => {
                // A function of the front end that ends in a call: it leaves callee and arguments.
                self.nest_top = fp.up(2 + argc);
                self.nest_top.set_word(0, self.natives.activate(argc) as u64);
                let args: Vec<Value> = fp.slice(0, argc).to_vec();
                if name.starts_with("yin.db/") {
                    return crate::inspect::moment::vmop(self, name, fp, &args);
                }
                crate::driver::vmop(self, name, fp, &args)
            }
        }
    }
}

/// The next unrealised cell behind the value of a lazy seq, where one look tells.
fn unrealised_rest(v: Value) -> Option<Obj> {
    let mut v = v;
    for _ in 0..4 {
        let o = v.obj()?;
        match o.kind() {
            Kind::Cons => v = o.get(1),
            Kind::ChunkedCons => v = o.get(2),
            Kind::LazySeq if o.get(slot::LAZY_THUNK).is_nil() => v = o.get(slot::LAZY_VALUE),
            Kind::LazySeq => return Some(o),
            _ => return None,
        }
    }
    None
}

fn call_prim(vm: &mut Vm, f: Value, args: &[Value]) -> R {
    let id = f.obj().expect("a primitive").aux();
    table::function(id)(vm, args)
}

/// Keywords, symbols, maps, sets and vectors as functions.
fn call_data(vm: &mut Vm, f: Value, args: &[Value]) -> R {
    coll::call_data(vm, f, args)
}

/// Makes SIGTERM ask the running program to park at its next poll.
pub fn watch_termination() {
    extern "C" fn note(_: libc::c_int) {
        TERMINATED.store(true, Ordering::Relaxed);
        ask_for_attention();
    }
    // SAFETY: the handler only touches an atomic and the limit.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = note as *const () as usize;
        libc::sigaction(libc::SIGTERM, &action, std::ptr::null_mut());
    }
}

/// Makes SIGINT ask the running program to stop at its next poll instead of killing the process; a second one kills.
pub fn watch_interrupts() {
    extern "C" fn note(_: libc::c_int) {
        if INTERRUPTED.swap(true, Ordering::Relaxed) {
            // SAFETY: `_exit` may be called from a signal handler.
            unsafe { libc::_exit(130) };
        }
        ask_for_attention();
    }
    // SAFETY: the handler only touches atomics, the limit and `_exit`. The signal is let through even where the parent
    // blocked it: a program that cannot be interrupted must be killed, and loses what it had.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = note as *const () as usize;
        libc::sigaction(libc::SIGINT, &action, std::ptr::null_mut());
        let mut mask: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut mask);
        libc::sigaddset(&raw mut mask, libc::SIGINT);
        libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const mask, std::ptr::null_mut());
    }
}
