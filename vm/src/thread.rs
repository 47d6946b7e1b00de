//! Green threads, the machine's side: the queue of what is ready, changing places, giving way at safe points.
//!
//! The scheduler is the library's (`clojure/core/tasks.clj`). Its state is an array that both sides know by position, so it
//! travels with a program like any other value. A thread runs under a prompt; where it waits or gives way, its frames down to
//! that prompt become a quiet continuation (`kont`), which is later put down wherever the scheduler runs then.

use crate::control::ask_from_elsewhere;
use crate::frame::{Native, Proto, Regs, proto_of, resume_ref, seg_frames, stack_frames};
use crate::kont::Abort;
use crate::layout::{Kind, slot};
use crate::machine::Vm;
use crate::prim::{PrimDef, R, VMOP, coll, prim};
use crate::value::{Obj, Value};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Thread;
use std::time::Duration;

/// The scheduler's state by position; `tasks.clj` has the same numbers.
mod state {
    /// Ring of (task, function, argument).
    pub const RING: usize = 0;
    pub const HEAD: usize = 1;
    pub const COUNT: usize = 2;
    /// The task that runs, nil in the main program.
    pub const CURRENT: usize = 3;
    /// How often tasks may still change places among themselves before the scheduler looks around.
    pub const BUDGET: usize = 4;
    /// Not to be interrupted while positive.
    pub const HELD: usize = 5;
    /// Sorted map of who sleeps, or nil.
    pub const SLEEPERS: usize = 6;
    pub const LEN: usize = 8;
}

/// A task is an array of what the library keeps and, last, the continuation it gave way with.
const TASK_LEN: usize = 3;
const TASK_SLICE: usize = 2;

/// Steps that a thread runs while others wait. In compiled code, which counts none, a clock decides.
const QUANTUM: u64 = 50_000;
const TICK: Duration = Duration::from_millis(10);

/// Where the scheduler's state is, and when somebody else is to run.
#[derive(Default)]
pub(crate) struct Threads {
    /// The global that holds the state; none before there are threads.
    state: Option<Obj>,
    /// Tag of tasks' prompts.
    tag: Option<Value>,
    /// Steps done when the running thread is to give way.
    turn_ends: u64,
    /// Clock ticks since it began: over at the second, so that it lasts a whole one.
    ticks: u32,
}

/// Who is ready and who sleeps, of a scheduler's state.
pub(crate) fn queues(s: Obj) -> [Value; 2] {
    [state::RING, state::SLEEPERS].map(|i| if s.len() == state::LEN { s.get(i) } else { Value::NIL })
}

/// A clock tick that no machine has seen.
static TICKED: AtomicBool = AtomicBool::new(false);
/// Does a machine want ticks?
static WANTED: AtomicBool = AtomicBool::new(false);

/// Makes the clock tick: compiled code is asked for attention from then on, until nobody wants it.
fn want_ticks() {
    static CLOCK: OnceLock<Thread> = OnceLock::new();
    if WANTED.swap(true, Ordering::Relaxed) {
        return;
    }
    let clock = || {
        loop {
            std::thread::sleep(TICK);
            if WANTED.load(Ordering::Relaxed) {
                TICKED.store(true, Ordering::Relaxed);
                ask_from_elsewhere();
            } else {
                std::thread::park();
            }
        }
    };
    let started = CLOCK.get_or_init(|| {
        let t = std::thread::Builder::new().name("clock".into()).stack_size(64 << 10).spawn(clock);
        // Without a clock, threads give way where they wait and in code that counts steps.
        t.map_or_else(|_| std::thread::current(), |t| t.thread().clone())
    });
    started.unpark();
}

impl Vm {
    /// The scheduler's state; none while there is no library, or when a program put something else there.
    fn scheduler(&mut self) -> Option<Obj> {
        let var = match self.threads.state {
            Some(v) => v,
            None => {
                let v = self.var("clojure.core/-scheduler");
                self.threads.state = Some(v);
                v
            }
        };
        var.get(slot::VAR_ROOT).as_kind(Kind::Array).filter(|o| o.len() == state::LEN)
    }
    /// Is there anybody that the running thread could give way to? A task lies above whoever started it or runs the tasks.
    fn others_wait(s: Obj) -> bool {
        !s.get(state::CURRENT).is_nil() || Vm::number(s, state::COUNT) > 0 || !s.get(state::SLEEPERS).is_nil()
    }
    /// Code that counts no steps is interrupted by a clock from now on.
    fn watch_time(&self) {
        if self.tier.is_some() && !self.metered() {
            want_ticks();
        }
    }
    /// A program that was read goes on: its threads with it.
    pub(crate) fn threads_go_on(&mut self) {
        if self.scheduler().is_some_and(Vm::others_wait) {
            self.watch_time();
        }
    }
    fn number(s: Obj, i: usize) -> usize {
        s.get(i).as_fix().map_or(0, |n| n.max(0) as usize)
    }
    /// The ring, and how many entries it has room for; 0 if it is not as this file leaves it.
    fn ring(s: Obj) -> (Option<Obj>, usize) {
        let ring = s.get(state::RING).as_kind(Kind::Array);
        let room = ring.map_or(0, |r| r.len() / 3);
        let sound = Vm::number(s, state::COUNT) <= room && Vm::number(s, state::HEAD) < room.max(1);
        if sound { (ring, room) } else { (None, 0) }
    }

    /// `f` is to be called with `v`, as a part of `task`, behind all that are ready. O(1) amortised.
    fn make_ready(&mut self, task: Value, f: Value, v: Value) {
        let Some(s) = self.scheduler() else { return };
        let (mut ring, mut room) = Vm::ring(s);
        let (mut head, mut count) = (Vm::number(s, state::HEAD), Vm::number(s, state::COUNT));
        if room == 0 {
            (head, count) = (0, 0);
        }
        if count == room {
            let bigger = self.heap.alloc_with(Kind::Array, 0, &vec![Value::NIL; 3 * (2 * room).max(16)]);
            if let Some(r) = ring {
                for i in 0..3 * count {
                    bigger.set(i, r.get((3 * head + i) % (3 * room)));
                }
            }
            head = 0;
            (ring, room) = (Some(bigger), bigger.len() / 3);
            self.heap.write(s, state::RING, bigger.into());
        }
        let ring = ring.expect("it has room");
        let at = 3 * ((head + count) % room);
        for (i, w) in [task, f, v].into_iter().enumerate() {
            self.heap.write(ring, at + i, w);
        }
        self.heap.write(s, state::HEAD, Value::fix(head as i64));
        self.heap.write(s, state::COUNT, Value::fix(count as i64 + 1));
        self.watch_time();
    }
    /// The next that is ready: its task becomes the running one.
    fn next_ready(&mut self) -> Option<(Value, Value)> {
        let s = self.scheduler()?;
        let (ring, room) = Vm::ring(s);
        let count = Vm::number(s, state::COUNT).checked_sub(1)?;
        let (ring, head) = (ring?, Vm::number(s, state::HEAD));
        let [task, f, v] = [0, 1, 2].map(|i| ring.get(3 * head + i));
        (0..3).for_each(|i| ring.set(3 * head + i, Value::NIL));
        self.heap.write(s, state::HEAD, Value::fix(((head + 1) % room) as i64));
        self.heap.write(s, state::COUNT, Value::fix(count as i64));
        self.heap.write(s, state::CURRENT, task);
        self.new_turn();
        Some((f, v))
    }
    fn new_turn(&mut self) {
        let z = &self.zeal;
        // Where every step is served, steps are slow.
        let quantum = if z.gc > 0 || z.capture > 0 || z.park > 0 { QUANTUM / 100 } else { QUANTUM };
        self.threads.turn_ends = self.steps_done + quantum;
        self.threads.ticks = 0;
    }

    /// Runs the next that is ready as the activation at `fp`; false if there is none.
    pub(crate) fn run_next(&mut self, fp: Regs) {
        match self.next_ready() {
            Some((f, v)) => {
                fp.set_word(1, f.bits());
                fp.set(0, v);
                self.activate(fp, 1)
            }
            None => self.deliver(fp, Value::FALSE),
        }
    }

    /// The running task goes behind all that are ready. `fp` is its activation that gives way; nil is delivered there when it
    /// is its turn again, or what `yin.rt/tell-ready` put in its place.
    pub(crate) fn give_way(&mut self, fp: Regs) {
        if self.scheduler().is_none_or(|s| s.get(state::CURRENT).is_nil()) {
            return self.deliver(fp, Value::NIL);
        }
        let tag = self.task_tag();
        fp.set(0, tag);
        self.abort(fp, 1, Abort::Switch)
    }
    /// What the running task gave way with last time and has gone on from, if its segment has `len` words.
    pub(crate) fn spare_slice(&mut self, len: usize) -> Option<(Value, Obj, Obj)> {
        let task = self.scheduler()?.get(state::CURRENT).as_kind(Kind::Array).filter(|t| t.len() == TASK_LEN)?;
        let f = task.get(TASK_SLICE);
        let kont = f.as_kind(Kind::KontFn)?.get(0).as_kind(Kind::Kont)?;
        // A delimited one has its segment for itself; what comes from elsewhere may be another.
        if kont.get(slot::KONT_TAG).is_nil() {
            return None;
        }
        let seg = kont.get(slot::KONT_SEG).as_kind(Kind::Seg)?;
        (seg.len() == len).then_some((f, kont, seg))
    }
    /// The frames of the running task are in `k`; others may run at `fp`, where its prompt was.
    pub(crate) fn change_places(&mut self, fp: Regs, k: Value) {
        let Some(s) = self.scheduler() else { return self.deliver(fp, Value::NIL) };
        let current = s.get(state::CURRENT);
        if let Some(task) = current.as_kind(Kind::Array).filter(|t| t.len() == TASK_LEN) {
            self.heap.write(task, TASK_SLICE, k);
        }
        self.make_ready(current, k, Value::NIL);
        let budget = Vm::number(s, state::BUDGET);
        if budget == 0 {
            return self.deliver(fp, Value::NIL);
        }
        self.heap.write(s, state::BUDGET, Value::fix(budget as i64 - 1));
        self.run_next(fp)
    }
    fn task_tag(&mut self) -> Value {
        match self.threads.tag {
            Some(t) => t,
            None => {
                let t = self.keyword("clojure.core/task");
                *self.threads.tag.insert(t)
            }
        }
    }

    /// At a safe point below whose header `top` the machine is suspended: lets others run, if it is their turn. True: the next
    /// step is theirs.
    pub(crate) fn end_turn(&mut self, top: Regs) -> bool {
        if TICKED.load(Ordering::Relaxed) && TICKED.swap(false, Ordering::Relaxed) {
            self.threads.ticks += 1;
        }
        let zeal = self.zeal.switch > 0 && self.zeal.count.is_multiple_of(self.zeal.switch);
        if !(zeal || self.threads.ticks >= 2 || self.steps_done >= self.threads.turn_ends) {
            return false;
        }
        let Some(s) = self.scheduler().filter(|s| Vm::others_wait(*s)) else {
            WANTED.store(false, Ordering::Relaxed);
            self.new_turn();
            return false;
        };
        if self.outer_stacks.len() > 1 || self.no_gc > 0 || Vm::number(s, state::HELD) > 0 {
            return false;
        }
        let (may, looked_at) = self.may_give_way(top);
        if !may {
            // Soon again; looking at many frames takes time, too.
            self.threads.turn_ends = self.steps_done + 1000 + 8 * looked_at;
            return false;
        }
        self.new_turn();
        let f = self.var("clojure.core/-give-way").get(slot::VAR_ROOT);
        top.set_word(1, f.bits());
        self.activate(top, 0);
        true
    }

    /// Is the running thread at a place where others may run? Not while it realises what others could ask for too (a lazy seq,
    /// a delay), and not while the scheduler or a channel is being changed. And how many frames were looked at.
    fn may_give_way(&mut self, top: Regs) -> (bool, u64) {
        let tag = self.task_tag();
        // Functions of the library on behalf of which nothing of the program runs yet.
        let mut inner = true;
        let mut looked_at = 0;
        let mut frames = stack_frames(self.stack.base, top.0);
        let mut below = self.roots.kseg.obj().map(|seg| (seg, self.koff));
        loop {
            let Some(f) = frames.next() else {
                let Some((seg, off)) = below else { return (true, looked_at) };
                frames = seg_frames(seg, off);
                let off = seg.get(slot::SEG_PARENT_OFF).as_fix().unwrap_or(0) as usize;
                below = seg.get(slot::SEG_PARENT).obj().map(|p| (p, off));
                continue;
            };
            looked_at += 1;
            let r = resume_ref(f.resume);
            match r.native() {
                Some(Native::Prompt) if f.slot(1) == tag => return (true, looked_at),
                Some(Native::Force | Native::Delay) => return (false, looked_at),
                // What is called here may be the last step of such a change.
                Some(Native::Activate) if inner => match f.slot(1).as_kind(Kind::Closure) {
                    Some(c) => {
                        let proto = proto_of(c);
                        if self.library.has_address(std::ptr::from_ref(proto) as usize) && self.is_indivisible(proto) {
                            return (false, looked_at);
                        }
                    }
                    None => return (false, looked_at),
                },
                Some(_) => {}
                None => match r.owner().filter(|_| inner) {
                    Some(code) if self.library.has_address(r.owner as usize) => {
                        if self.is_indivisible(code.proto()) {
                            return (false, looked_at);
                        }
                    }
                    _ => inner = false,
                },
            }
        }
    }
    /// Does this function of the library change what threads share?
    fn is_indivisible(&self, proto: &Proto) -> bool {
        let Some(name) = proto.name.as_plain_symbol().map(|n| self.names.text(n)) else { return true };
        name.starts_with("clojure.core.async/")
            || name.strip_prefix("clojure.core/").is_some_and(|n| n.starts_with('-') || INDIVISIBLE.contains(&n))
    }
}

/// Functions of `clojure.core` that read and then write a reference or the scheduler's state, beside those whose names begin
/// with `-`.
const INDIVISIBLE: &[&str] = &[
    "add-watch",
    "alter",
    "alter-meta!",
    "alter-var-root",
    "commute",
    "compare-and-set!",
    "deliver",
    "deref",
    "future-call",
    "future-cancel",
    "going-on",
    "memoize",
    "plain-atom?",
    "ref-set",
    "remove-watch",
    "reset!",
    "reset-vals!",
    "run-one",
    "run-round",
    "send",
    "send-off",
    "set-any",
    "set-atom",
    "set-in-transaction",
    "swap!",
    "swap-vals!",
    "wait-for-sleeper",
    "wake-sleepers",
];

fn unsupported(vm: &mut Vm, _a: &[Value]) -> R {
    Err(vm.err(crate::machine::ErrKind::State, "a frame operation was called as a plain function"))
}
fn ready(vm: &mut Vm, a: &[Value]) -> R {
    vm.make_ready(a[0], a[1], a[2]);
    Ok(Value::NIL)
}
/// What a task that is ready will be given, is `v` instead; is it ready?
fn tell_ready(vm: &mut Vm, a: &[Value]) -> R {
    let Some(s) = vm.scheduler() else { return Ok(Value::FALSE) };
    let (Some(ring), room) = Vm::ring(s) else { return Ok(Value::FALSE) };
    let (head, count) = (Vm::number(s, state::HEAD), Vm::number(s, state::COUNT));
    for i in 0..count {
        let at = 3 * ((head + i) % room);
        if ring.get(at) == a[0] {
            vm.heap.write(ring, at + 2, a[1]);
            return Ok(Value::TRUE);
        }
    }
    Ok(Value::FALSE)
}
/// Variables that are bound here, each with the value it has where nothing is bound; nil if there are none.
fn root_bindings(vm: &mut Vm, _a: &[Value]) -> R {
    let mut pairs: Vec<Value> = Vec::new();
    let mut node = vm.roots.dyn_node;
    while let Some(o) = node.obj() {
        // The outermost node has the value out of force that was there before all.
        for i in (2..o.len()).step_by(2) {
            match pairs.chunks(2).position(|p| p[0] == o.get(i)) {
                Some(k) => pairs[2 * k + 1] = o.get(i + 1),
                None => pairs.extend([o.get(i), o.get(i + 1)]),
            }
        }
        node = o.get(0);
    }
    Ok(if pairs.is_empty() { Value::NIL } else { coll::vector_of(vm, &pairs) })
}
fn current(vm: &mut Vm, a: &[Value]) -> R {
    if let Some(s) = vm.scheduler() {
        vm.heap.write(s, state::CURRENT, a[0]);
        vm.watch_time();
    }
    Ok(a[0])
}
fn sleepers(vm: &mut Vm, a: &[Value]) -> R {
    if let Some(s) = vm.scheduler() {
        vm.heap.write(s, state::SLEEPERS, a[0]);
        vm.watch_time();
    }
    Ok(a[0])
}

pub const TABLE: &[PrimDef] = &[
    prim(
        "yin.rt/run-next",
        0,
        0,
        VMOP,
        unsupported,
        "Runs the next task that is ready until it ends, waits or gives way.",
    ),
    prim("yin.rt/give-way", 0, 0, VMOP, unsupported, "Inside a task: runs the others that are ready first."),
    prim("yin.rt/ready!", 3, 3, 0, ready, "(task f v): f is to be called with v when it is the task's turn."),
    prim(
        "yin.rt/root-bindings",
        0,
        0,
        0,
        root_bindings,
        "[var value …]: what is bound here, with its value outside; or nil.",
    ),
    prim("yin.rt/current!", 1, 1, 0, current, "Sets the task that runs, nil in the main program."),
    prim("yin.rt/sleepers!", 1, 1, 0, sleepers, "Sets the map of who sleeps, nil if nobody does."),
    prim("yin.rt/tell-ready!", 2, 2, 0, tell_ready, "(task v): gives a task that is ready v; is it?"),
];
