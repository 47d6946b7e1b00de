//! The live machine as a source: threads, frames with their locals, continuations, channels, globals' values and the heap.
//!
//! A machine that is suspended between two instructions has a resume record for every frame; what is read here is what the
//! collector and exceptions read. The facts are those of one moment. Objects get numbers as they are met; all objects that
//! the program can reach are visited only if a query asks about the heap, continuations, threads or channels.

use super::{Arrays, attr_table, entity, show};
use crate::frame::{FrameRef, Native, Walk, seg_frames, stack_frames};
use crate::layout::{FRAME_HEADER, Kind, SCAN, Scan, gc, slot};
use crate::machine::Vm;
use crate::value::{Obj, Value};
use datoms::edn::Edn;
use datoms::lazy::{Lazy, Lexicon};
use rustc_hash::FxHashMap;
use std::sync::Arc;
use yin_ast::NodeId;

attr_table! {
    THREAD_KIND value "yin.thread/kind" "`:main`, `:task`, or `:nested` for a run that macro expansion or a host waits for";
    THREAD_STATE value "yin.thread/state" "`:running`, `:waiting` (below a nested run), `:ready`, `:sleeping` or `:blocked`";
    THREAD_FRAME reference "yin.thread/frame" "its innermost frame";
    THREAD_DEPTH value "yin.thread/depth" "number of its frames";
    THREAD_ON reference "yin.thread/waits-on" "the object whose queue it waits in: a channel, a promise";
    THREAD_FOR value "yin.thread/waits-for" "`:take`, `:put`, `:promise`, `:time`, `:turn`";
    THREAD_KONT reference "yin.thread/continuation" "the continuation that goes on with it";
    FRAME_THREAD reference "yin.frame/thread" "the thread it belongs to; frames of continuations that are no threads have none";
    FRAME_PARENT reference "yin.frame/parent" "the frame it returns to";
    FRAME_DEPTH value "yin.frame/depth" "number of frames above it in its thread: 0 for the innermost";
    FRAME_FUNCTION value "yin.frame/function" "name of its function, a symbol";
    FRAME_NODE reference "yin.frame/node" "the node of the call it waits for, or of the instruction it is at";
    FRAME_LINE value "yin.frame/line" "line of that node";
    FRAME_FILE value "yin.frame/file" "file of that node";
    FRAME_CODE reference "yin.frame/code" "its code (`:yin.code/…`)";
    FRAME_PC value "yin.frame/pc" "position of the next instruction in its code";
    FRAME_NATIVE value "yin.frame/native" "what the machine does there, for frames that are no function: `:prompt`, `:force`, `:bind`, …";
    FRAME_LOCAL references "yin.frame/local" "its locals that are still needed";
    LOCAL_NAME value "yin.local/name" "name, a symbol";
    LOCAL_VALUE value "yin.local/value" "its value as data, bounded in depth and width";
    LOCAL_OBJECT reference "yin.local/object" "its value, if it is an object of the heap";
    LOCAL_FRAME reference "yin.local/frame" "the frame it belongs to";
    LOCAL_REGISTER value "yin.local/register" "the register that holds it";
    KONT_FRAME reference "yin.continuation/frame" "its innermost frame";
    KONT_DEPTH value "yin.continuation/depth" "number of its frames";
    KONT_DELIMITED value "yin.continuation/delimited?" "true if it ends at a prompt; the others are the whole rest of the program";
    KONT_OBJECT reference "yin.continuation/object" "the continuation as an object";
    CHAN_OBJECT reference "yin.channel/object" "the channel as an object";
    CHAN_ITEMS value "yin.channel/items" "number of values in its buffer";
    CHAN_TAKERS value "yin.channel/takers" "number of takes that wait";
    CHAN_PUTTERS value "yin.channel/putters" "number of puts that wait";
    CHAN_CLOSED value "yin.channel/closed?" "true if it is closed";
    VAR_NAME value "yin.var/name" "qualified symbol of a global of the program";
    VAR_VALUE value "yin.var/value" "its value as data, bounded";
    VAR_OBJECT reference "yin.var/object" "its value, if it is an object of the heap";
    KIND value "yin.heap/kind" "kind of an object, a keyword: `:vector`, `:closure`";
    WORDS value "yin.heap/words" "its size in words of 8 bytes, header included";
    VALUE value "yin.heap/value" "the object as data, bounded";
    TYPE value "yin.heap/type" "name of the type of an instance or record, a symbol";
    FUNCTION value "yin.heap/function" "name of a closure's function, a symbol";
    SLOT references "yin.heap/slot" "an object it refers to";
    SPACE value "yin.heap/space" "`:nursery`, `:survivor`, `:old`, `:large` or `:permanent`";
    STEPS value "yin.run/steps" "steps executed so far, of the machine (entity 1)";
    HEAP_BYTES value "yin.run/heap-bytes" "bytes of the heap in use, of the machine (entity 1)";
    COLLECTIONS value "yin.run/collections" "collections so far, of the machine (entity 1)";
}

const HEAP: &[usize] = &[
    THREAD_KIND,
    THREAD_STATE,
    THREAD_FRAME,
    THREAD_DEPTH,
    THREAD_ON,
    THREAD_FOR,
    THREAD_KONT,
    KONT_FRAME,
    KONT_DEPTH,
    KONT_DELIMITED,
    KONT_OBJECT,
    CHAN_OBJECT,
    CHAN_ITEMS,
    CHAN_TAKERS,
    CHAN_PUTTERS,
    CHAN_CLOSED,
    KIND,
    WORDS,
    VALUE,
    TYPE,
    FUNCTION,
    SLOT,
    SPACE,
];
const FRAMES: &[usize] = &[
    THREAD_FRAME,
    THREAD_DEPTH,
    THREAD_KIND,
    FRAME_THREAD,
    FRAME_PARENT,
    FRAME_DEPTH,
    FRAME_FUNCTION,
    FRAME_NODE,
    FRAME_LINE,
    FRAME_FILE,
    FRAME_CODE,
    FRAME_PC,
    FRAME_NATIVE,
    FRAME_LOCAL,
    LOCAL_NAME,
    LOCAL_VALUE,
    LOCAL_OBJECT,
    LOCAL_FRAME,
    LOCAL_REGISTER,
    KONT_FRAME,
];
const LOCALS: &[usize] = &[FRAME_LOCAL, LOCAL_NAME, LOCAL_VALUE, LOCAL_OBJECT, LOCAL_FRAME, LOCAL_REGISTER];

/// The machine at this moment as a source. `top` is where its top header is, if it runs.
pub(crate) fn at(
    vm: &Vm,
    top: Option<*mut u64>,
    lexicon: &Arc<Lexicon>,
    wanted: &dyn Fn(&str) -> bool,
) -> Lazy<Arrays> {
    let a = Arrays::new(ATTRS, lexicon, wanted);
    if a.is_unwanted() {
        return Lazy::new(a, lexicon);
    }
    let mut s = Snapshot {
        vm,
        a,
        objects: FxHashMap::default(),
        list: Vec::new(),
        frames: FxHashMap::default(),
        n_frames: 0,
        n_locals: 0,
        n_threads: 0,
        functions: FxHashMap::default(),
        kinds: FxHashMap::default(),
    };
    s.a.int(STEPS, 1, vm.steps() as i64);
    s.a.int(HEAP_BYTES, 1, vm.heap.used_bytes() as i64);
    s.a.int(COLLECTIONS, 1, (vm.heap.stats.minor_collections + vm.heap.stats.major_collections) as i64);
    let globals = s.globals();
    s.running(top);
    if s.a.wants(HEAP) {
        s.heap(top, &globals);
        s.continuations();
    }
    Lazy::new(s.a.finish(), lexicon)
}

struct Snapshot<'a> {
    vm: &'a Vm,
    a: Arrays,
    /// Numbers of objects by address.
    objects: FxHashMap<usize, u32>,
    list: Vec<Obj>,
    /// Entities of frames by the address of their record word, so that frames that continuations share are one.
    frames: FxHashMap<usize, u32>,
    n_frames: u32,
    n_locals: u32,
    n_threads: u32,
    functions: FxHashMap<usize, Option<datoms::value::Word>>,
    /// Words of the names of kinds.
    kinds: FxHashMap<Kind, datoms::value::Word>,
}

/// The frames of one thread or continuation, across its segments.
struct Frames {
    walk: Walk,
    next: Option<(Obj, usize)>,
}

impl Frames {
    fn of_seg(seg: Option<(Obj, usize)>) -> Option<Frames> {
        let (seg, off) = seg?;
        Some(Frames { walk: seg_frames(seg, off), next: parent(seg) })
    }
}

fn parent(seg: Obj) -> Option<(Obj, usize)> {
    let p = seg.get(slot::SEG_PARENT).as_kind(Kind::Seg)?;
    Some((p, seg.get(slot::SEG_PARENT_OFF).fix_get() as usize))
}

impl Iterator for Frames {
    type Item = FrameRef;
    fn next(&mut self) -> Option<FrameRef> {
        loop {
            match self.walk.next() {
                // The bottom of the stack: the rest is in segments.
                Some(f) if f.record().native() == Some(Native::Underflow) => {}
                Some(f) => return Some(f),
                None => *self = Frames::of_seg(self.next.take())?,
            }
        }
    }
}

fn native_name(n: Native) -> &'static str {
    match n {
        Native::Halt => "halt",
        Native::Underflow => "underflow",
        Native::Force => "force",
        Native::Replay => "replay",
        Native::Activate => "activate",
        Native::Prompt => "prompt",
        Native::Wind => "wind",
        Native::WindBefore => "wind-before",
        Native::WindAfter => "wind-after",
        Native::Rewind => "rewind",
        Native::Unwind => "unwind",
        Native::Bind => "bind",
        Native::Load => "load",
        Native::Delay => "delay",
        Native::AbortUnwind => "abort-unwind",
        #[allow(unreachable_patterns, reason = "records of other parts of the machine")]
        _ => "machine",
    }
}

impl Snapshot<'_> {
    fn object(&mut self, o: Obj) -> u32 {
        let next = self.list.len() as u32;
        let n = *self.objects.entry(Value::from(o).bits() as usize).or_insert(next);
        if n == next {
            self.list.push(o);
        }
        entity::OBJECT + n
    }

    // ---- the running threads
    fn running(&mut self, top: Option<*mut u64>) {
        if !self.a.wants(FRAMES) && !self.a.wants(HEAP) {
            return;
        }
        let vm = self.vm;
        let mut stacks: Vec<(Frames, &str)> = Vec::new();
        if let Some(top) = top {
            let next = vm.roots.kseg.as_kind(Kind::Seg).map(|s| (s, vm.koff));
            stacks.push((Frames { walk: stack_frames(vm.stack.base, top), next }, "running"));
        }
        for o in vm.outer_stacks.iter().rev() {
            let next = o.kseg.as_kind(Kind::Seg).map(|s| (s, o.koff));
            stacks.push((Frames { walk: stack_frames(o.base, o.top), next }, "waiting"));
        }
        // The outermost run is the program; the stack below the first run holds nothing.
        let mut found: Vec<(Vec<FrameRef>, &str)> = Vec::new();
        for (frames, state) in stacks {
            let mut frames: Vec<FrameRef> = frames.collect();
            if state == "running" {
                // Who asks is not what is asked about.
                let asking = frames.iter().take_while(|f| self.is_asking(f)).count();
                frames.drain(..asking);
            }
            if !frames.is_empty() {
                found.push((frames, state));
            }
        }
        let n = found.len();
        for (i, (frames, state)) in found.into_iter().enumerate() {
            let thread = self.thread(if i + 1 == n { "main" } else { "nested" }, state);
            self.chain(frames.into_iter(), Some(thread), THREAD_FRAME, THREAD_DEPTH, thread);
        }
    }

    /// Does the frame belong to the functions that programs ask with?
    fn is_asking(&self, f: &FrameRef) -> bool {
        let r = crate::frame::canonical(f.record()).unwrap_or(f.record());
        let name = r.owner().and_then(|code| code.proto().name.as_plain_symbol());
        name.is_some_and(|id| self.vm.names.text(id).starts_with("datascript.core/"))
    }

    fn thread(&mut self, kind: &str, state: &str) -> u32 {
        let e = entity::THREAD + self.n_threads;
        self.n_threads += 1;
        self.a.value(THREAD_KIND, e, || Edn::keyword(kind));
        self.a.value(THREAD_STATE, e, || Edn::keyword(state));
        e
    }

    /// States the frames of a thread or continuation, from the innermost out. Stops where they were stated before.
    fn chain(
        &mut self,
        frames: impl Iterator<Item = FrameRef>,
        thread: Option<u32>,
        first: usize,
        depth: usize,
        owner: u32,
    ) {
        let mut above: Option<u32> = None;
        let mut n = 0;
        let mut shared = false;
        for f in frames {
            n += 1;
            if shared {
                continue;
            }
            let key = f.fp as usize;
            let known = self.frames.get(&key).copied();
            let e = known.unwrap_or_else(|| {
                let e = entity::FRAME + self.n_frames;
                self.n_frames += 1;
                self.frames.insert(key, e);
                e
            });
            match above {
                Some(child) => self.a.reference(FRAME_PARENT, child, e),
                None => self.a.reference(first, owner, e),
            }
            above = Some(e);
            if known.is_some() {
                shared = true;
                continue;
            }
            if let Some(t) = thread {
                self.a.reference(FRAME_THREAD, e, t);
            }
            self.a.int(FRAME_DEPTH, e, n - 1);
            self.frame(&f, e);
        }
        self.a.int(depth, owner, n);
    }

    fn frame(&mut self, f: &FrameRef, e: u32) {
        // Compiled code describes the same place by the interpreter's record.
        let r = match crate::frame::canonical(f.record()) {
            Some(r) => r,
            None => f.record(),
        };
        if let Some(n) = r.native() {
            self.a.value(FRAME_NATIVE, e, || Edn::keyword(native_name(n)));
            return;
        }
        let Some(code) = r.owner() else { return };
        let vm = self.vm;
        if self.a.wants(&[FRAME_FUNCTION]) {
            let a = &self.a;
            let word = *self.functions.entry(code.proto as usize).or_insert_with(|| {
                code.proto().name.as_plain_symbol().map(|id| a.word(&Edn::symbol(vm.names.text(id))))
            });
            if let Some(w) = word {
                self.a.add(FRAME_FUNCTION, e, w);
            }
        }
        self.a.reference(FRAME_CODE, e, entity::CODE + code.id);
        let pc = code.index(r.pc);
        self.a.int(FRAME_PC, e, pc as i64);
        let at = pc.saturating_sub(usize::from(r.flags() & crate::frame::flag::DISCARD == 0));
        let node = NodeId(code.node_at(at));
        if vm.ast.has(node) {
            self.a.reference(FRAME_NODE, e, yin_ast::source::entity(node));
            if self.a.wants(&[FRAME_LINE]) {
                self.a.int(FRAME_LINE, e, i64::from(vm.ast.line_col(node).0));
            }
            if self.a.wants(&[FRAME_FILE])
                && let Some(file) = vm.ast.file(vm.ast.span(node).file)
            {
                self.a.value(FRAME_FILE, e, || Edn::string(file.name.as_str()));
            }
        }
        if self.a.wants(LOCALS) && f.record().kinds.is_null() {
            for l in code.locals() {
                let i = FRAME_HEADER + l.reg as usize;
                let in_scope = (l.start as usize..l.end as usize).contains(&at)
                    || (l.start as usize..l.end as usize).contains(&pc);
                if in_scope && i < f.record().delta as usize && r.is_live(i) {
                    self.local(f.slot(i), l.name, l.reg, e);
                }
            }
        }
    }

    fn local(&mut self, v: Value, name: u32, reg: u32, frame: u32) {
        let vm = self.vm;
        let e = entity::LOCAL + self.n_locals;
        self.n_locals += 1;
        self.a.reference(FRAME_LOCAL, frame, e);
        self.a.reference(LOCAL_FRAME, e, frame);
        self.a.value(LOCAL_NAME, e, || Edn::symbol(vm.names.text(name)));
        self.a.int(LOCAL_REGISTER, e, i64::from(reg));
        self.a.value(LOCAL_VALUE, e, || show::shown(vm, v));
        if let Some(o) = v.obj()
            && self.a.wants(&[LOCAL_OBJECT])
        {
            let object = self.object(o);
            self.a.reference(LOCAL_OBJECT, e, object);
        }
    }

    // ---- globals
    /// Values of the vars that the program made or changed; those are also where objects are looked for.
    fn globals(&mut self) -> Vec<Value> {
        let vm = self.vm;
        let wanted = self.a.wants(&[VAR_NAME, VAR_VALUE, VAR_OBJECT]);
        if !wanted && !self.a.wants(HEAP) {
            return Vec::new();
        }
        let mut rows: Vec<(String, Value)> = Vec::new();
        let mut roots = Vec::new();
        for (ns, entry) in &vm.namespaces {
            let ns_text = vm.names.text(*ns);
            let own = wanted && !vm.is_library_ns(ns_text);
            for v in entry.mappings.values() {
                if let Some(o) = v.as_kind(Kind::Var)
                    && o.get(slot::VAR_NS).as_plain_symbol() == Some(*ns)
                {
                    roots.push(o.get(slot::VAR_ROOT));
                    if own {
                        let name = o.get(slot::VAR_NAME).as_plain_symbol().map_or("", |id| vm.names.text(id));
                        rows.push((format!("{ns_text}/{name}"), o.get(slot::VAR_ROOT)));
                    }
                }
            }
        }
        rows.sort_by(|a, b| a.0.cmp(&b.0));
        for (i, (name, v)) in rows.into_iter().enumerate() {
            let e = entity::GLOBAL + 0x800_0000 + i as u32;
            self.a.value(VAR_NAME, e, || Edn::symbol(&name));
            self.a.value(VAR_VALUE, e, || show::shown(vm, v));
            if let Some(o) = v.obj()
                && self.a.wants(&[VAR_OBJECT])
            {
                let object = self.object(o);
                self.a.reference(VAR_OBJECT, e, object);
            }
        }
        roots
    }

    // ---- the heap
    fn heap(&mut self, top: Option<*mut u64>, globals: &[Value]) {
        let vm = self.vm;
        for v in vm.roots.extra.iter().chain(globals).chain([&vm.roots.dyn_node, &vm.roots.winds, &vm.roots.kseg]) {
            if let Some(o) = v.obj() {
                self.object(o);
            }
        }
        let stacks = vm.outer_stacks.iter().map(|o| (o.base, o.top)).chain(top.map(|t| (vm.stack.base, t)));
        for (base, top) in stacks.collect::<Vec<_>>() {
            for f in stack_frames(base, top) {
                let r = f.record();
                if !r.kinds.is_null() {
                    continue;
                }
                for i in 1..r.delta as usize {
                    if r.is_live(i)
                        && let Some(o) = f.slot(i).obj()
                    {
                        self.object(o);
                    }
                }
            }
        }
        let slots = self.a.wants(&[SLOT]);
        let mut next = 0;
        while let Some(o) = self.list.get(next).copied() {
            let e = entity::OBJECT + next as u32;
            next += 1;
            self.describe(o, e);
            self.refers(o, |s, to| {
                let to = s.object(to);
                if slots {
                    s.a.reference(SLOT, e, to);
                }
            });
        }
    }

    fn describe(&mut self, o: Obj, e: u32) {
        let vm = self.vm;
        if self.a.wants(&[KIND]) {
            let a = &self.a;
            let word = *self.kinds.entry(o.kind()).or_insert_with(|| a.word(&show::kind_keyword(o.kind())));
            self.a.add(KIND, e, word);
        }
        self.a.int(WORDS, e, o.len() as i64 + 1);
        self.a.value(VALUE, e, || show::shown(vm, o.into()));
        match o.kind() {
            Kind::Instance | Kind::Record if self.a.wants(&[TYPE]) => {
                if let Some(t) = show::type_name(vm, o) {
                    self.a.value(TYPE, e, || t);
                }
            }
            Kind::Closure if self.a.wants(&[FUNCTION]) => {
                if let Some(t) = show::function_name(vm, o) {
                    self.a.value(FUNCTION, e, || t);
                }
            }
            _ => {}
        }
        self.a.value(SPACE, e, || {
            Edn::keyword(match o.header() >> gc::SHIFT & gc::SPACE {
                gc::NURSERY => "nursery",
                gc::SURVIVOR => "survivor",
                gc::OLD => "old",
                gc::LARGE => "large",
                _ => "permanent",
            })
        });
    }

    /// Calls `f` with each object that `o` refers to. What the library holds is not entered.
    fn refers(&mut self, o: Obj, mut f: impl FnMut(&mut Self, Obj)) {
        let permanent = o.header() >> gc::SHIFT & gc::SPACE == gc::PERM;
        if permanent
            && o.header() >> gc::SHIFT & gc::DIRTY == 0
            && matches!(o.kind(), Kind::Namespace | Kind::Type | Kind::Protocol)
        {
            return;
        }
        let n = match SCAN[o.kind() as usize] {
            Scan::All => o.len(),
            Scan::Prefix(n) => n as usize,
            Scan::None => 0,
            Scan::Seg => {
                if let Some(p) = o.get(slot::SEG_PARENT).obj() {
                    f(self, p);
                }
                for frame in seg_frames(o, o.len() - slot::SEG_WORDS) {
                    let r = frame.record();
                    for i in 1..r.delta as usize {
                        if r.is_live(i)
                            && let Some(to) = frame.slot(i).obj()
                        {
                            f(self, to);
                        }
                    }
                }
                0
            }
        };
        for i in 0..n {
            if let Some(to) = o.get(i).obj() {
                f(self, to);
            }
        }
    }

    // ---- continuations, tasks, channels
    fn continuations(&mut self) {
        let konts: Vec<(u32, Obj)> = self
            .list
            .iter()
            .enumerate()
            .filter(|(_, o)| o.kind() == Kind::Kont)
            .map(|(i, o)| (entity::OBJECT + i as u32, *o))
            .collect();
        let why = self.waits();
        for (i, (object, k)) in konts.iter().enumerate() {
            let e = entity::CONTINUATION + i as u32;
            let tag = k.get(slot::KONT_TAG);
            let start = k.get(slot::KONT_SEG).as_kind(Kind::Seg).map(|s| (s, k.get(slot::KONT_OFF).fix_get() as usize));
            self.a.reference(KONT_OBJECT, e, *object);
            if !tag.is_nil() {
                self.a.value(KONT_DELIMITED, e, || Edn::Bool(true));
            }
            // A task that waits is a continuation in a queue.
            let thread = match why.get(object) {
                Some((state, what, on)) => {
                    let t = self.thread("task", state);
                    self.a.value(THREAD_FOR, t, || Edn::keyword(what));
                    self.a.reference(THREAD_KONT, t, e);
                    if let Some(on) = on {
                        self.a.reference(THREAD_ON, t, *on);
                    }
                    Some(t)
                }
                None => None,
            };
            if let Some(frames) = Frames::of_seg(start) {
                let frames: Vec<FrameRef> = frames.collect();
                if let (Some(t), Some(_)) = (thread, frames.first()) {
                    self.chain(frames.iter().copied(), thread, THREAD_FRAME, THREAD_DEPTH, t);
                }
                self.chain(frames.into_iter(), thread, KONT_FRAME, KONT_DEPTH, e);
            }
        }
    }

    /// For objects of continuations that wait in a queue: state, what for, and the owner of the queue.
    #[allow(clippy::type_complexity, reason = "one table, used once")]
    fn waits(&mut self) -> FxHashMap<u32, (&'static str, &'static str, Option<u32>)> {
        let vm = self.vm;
        let mut out = FxHashMap::default();
        let root = |name: &str| -> Option<Value> {
            let (ns, n) = name.split_once('/')?;
            let (ns, n) = (vm.names.find(ns)?, vm.names.find(n)?);
            let var = vm.namespaces.get(&ns)?.mappings.get(&n)?.as_kind(Kind::Var)?;
            Some(var.get(slot::VAR_ROOT))
        };
        let mut queues: Vec<(Value, &'static str, &'static str, Option<u32>)> = Vec::new();
        if let Some(s) = root("clojure.core/-scheduler").and_then(|v| v.as_kind(Kind::Array)) {
            let [ready, sleepers] = crate::thread::queues(s);
            queues.extend([(ready, "ready", "turn", None), (sleepers, "sleeping", "time", None)]);
        }
        let mut n_channels = 0;
        for (i, o) in self.list.clone().into_iter().enumerate() {
            if o.kind() != Kind::Instance {
                continue;
            }
            let e = entity::OBJECT + i as u32;
            let fields = |names: &[&str]| -> Option<Vec<Value>> {
                let t = o.get(0).as_kind(Kind::Type)?;
                let all = crate::prim::coll::vector_values(t.get(1));
                let find =
                    |n: &&str| all.iter().position(|f| vm.symbol_id(*f).is_some_and(|id| vm.names.text(id) == *n));
                names.iter().map(|n| find(n).and_then(|i| (1 + i < o.len()).then(|| o.get(1 + i)))).collect()
            };
            let ends_in = |what: &str| {
                show::type_name(vm, o).is_some_and(|t| t.as_symbol().is_some_and(|s| s.name().ends_with(what)))
            };
            if ends_in("Channel")
                && let Some(f) = fields(&["items", "takers", "putters", "closed"])
            {
                let c = entity::CONTINUATION + 0x400_0000 + n_channels;
                n_channels += 1;
                self.a.reference(CHAN_OBJECT, c, e);
                let size = |v: Value| queue_size(v).unwrap_or(0) as i64;
                self.a.int(CHAN_ITEMS, c, size(f[0]));
                self.a.int(CHAN_TAKERS, c, size(f[1]));
                self.a.int(CHAN_PUTTERS, c, size(f[2]));
                if f[3].truthy() {
                    self.a.value(CHAN_CLOSED, c, || Edn::Bool(true));
                }
                queues.push((f[1], "blocked", "take", Some(e)));
                queues.push((f[2], "blocked", "put", Some(e)));
            } else if ends_in("Promise")
                && let Some(f) = fields(&["waiters"])
            {
                queues.push((f[0], "blocked", "promise", Some(e)));
            }
        }
        for (queue, state, what, on) in queues {
            self.konts_in(queue, &mut |k| {
                out.entry(k).or_insert((state, what, on));
            });
        }
        out
    }

    /// Continuations that a queue holds, through the closures and collections it is made of.
    fn konts_in(&self, queue: Value, f: &mut dyn FnMut(u32)) {
        let mut seen = rustc_hash::FxHashSet::default();
        let mut work: Vec<Obj> = queue.obj().into_iter().collect();
        while let Some(o) = work.pop() {
            if !seen.insert(Value::from(o).bits()) {
                continue;
            }
            match o.kind() {
                Kind::Kont => {
                    if let Some(n) = self.objects.get(&(Value::from(o).bits() as usize)) {
                        f(entity::OBJECT + n);
                    }
                }
                // What a waiting task will do next is in its continuation; what else the program has is not its queue.
                Kind::Instance | Kind::Record | Kind::Seg | Kind::Var | Kind::Namespace | Kind::Type | Kind::PrimFn => {
                }
                kind if SCAN[kind as usize] == Scan::All => {
                    let from = if kind == Kind::Closure { slot::CLOSURE_CAPTURES } else { 0 };
                    work.extend((from..o.len()).filter_map(|i| o.get(i).obj()));
                }
                _ => {}
            }
        }
    }
}

/// Elements of a persistent queue or a sequence that knows its size.
fn queue_size(v: Value) -> Option<usize> {
    let o = v.obj()?;
    let n = match o.kind() {
        Kind::Queue => o.get(2),
        Kind::Vector => o.get(0),
        Kind::List => o.get(2),
        _ => return None,
    };
    n.as_fix().map(|n| n as usize)
}

impl Vm {
    /// Is a namespace of the library that comes with the machine?
    pub fn is_library_ns(&self, ns: &str) -> bool {
        crate::driver::LIBRARY.iter().any(|l| l.0 == ns) || ns.starts_with("yin.") || self.is_class_ns(ns)
    }
    /// Primitives of host classes live in namespaces named after them: `System`, `Math`.
    fn is_class_ns(&self, ns: &str) -> bool {
        ns.starts_with(char::is_uppercase) || ns.starts_with("java.")
    }
    /// The machine as a source while no program of it runs.
    pub fn run_source(&self, lexicon: &Arc<Lexicon>, wanted: &dyn Fn(&str) -> bool) -> Lazy<Arrays> {
        at(self, None, lexicon, wanted)
    }
    /// The machine as a source while the frames of a program that was read wait to go on.
    pub fn captured_source(&self, lexicon: &Arc<Lexicon>, wanted: &dyn Fn(&str) -> bool) -> Lazy<Arrays> {
        at(self, Some(self.stack.base), lexicon, wanted)
    }
}
