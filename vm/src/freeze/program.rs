//! Whole programs: everything a machine runs and what the program changed, so that another process goes on with it.
//!
//! A program is its frames, bindings and winds; the namespaces and globals it made; the objects of the library it changed
//! (among them the queue of ready threads); and its clock. The library itself does not travel.

use super::read::Reader;
use super::write::{Item, Scope, Writer};
use super::{Content, OnConflict, open, seal};
use crate::control::{INTERRUPTED, TERMINATED};
use crate::frame::Regs;
use crate::layout::{KINDS, Kind, Mutability, slot};
use crate::machine::{ErrKind, Exit, Stop, Vm};
use crate::value::{Obj, Value};
use std::sync::atomic::Ordering;
use yin_ast::pack::Out;

type Res<T = ()> = Result<T, String>;

/// A program that was read back.
pub struct Resumed {
    /// What `park` was given, if the program waits for a value there.
    pub label: Option<Value>,
}

/// Called with the bytes of a checkpoint, or why there are none; whether to go on taking them.
pub type Checkpoint = Box<dyn FnMut(Result<&[u8], &str>) -> bool>;

/// What is to be done with programs that stop in the middle.
#[derive(Default)]
pub struct Parking {
    /// May the program park?
    pub allowed: bool,
    /// Does a request to terminate park it?
    pub on_term: bool,
    /// Bytes of the program that parked, and its label.
    pub bytes: Option<Vec<u8>>,
    pub label: Option<String>,
    /// Why a program that was asked to park could not.
    pub error: Option<String>,
    /// Steps between two checkpoints, 0 = none, and what takes them.
    pub every: u64,
    pub sink: Option<Checkpoint>,
    /// Steps done when the next one is due.
    pub(crate) due: u64,
}

impl Vm {
    /// Bytes of everything the machine runs. The stack is empty: its frames were captured.
    pub(crate) fn freeze_program(&mut self, label: Option<Value>) -> Res<Vec<u8>> {
        if self.outer_stacks.len() > 1 {
            return Err("a program cannot be frozen while a macro runs".into());
        }
        let (kseg, koff, winds) = (self.roots.kseg, self.koff, self.roots.winds);
        let dynamic = self.leave_all_bindings();
        let body = body(self, kseg, koff, dynamic, winds, label);
        self.enter_bindings(dynamic);
        Ok(seal(Content::Program, &body?))
    }

    /// Reads a frozen program into this machine; `go_on` runs it. Globals that this machine has already, differently, are
    /// conflicts; what the program changed of the library is none.
    ///
    /// # Errors
    /// The bytes are no program, damaged, of another version, or need what this build has not; or a conflict.
    pub fn read_program(&mut self, bytes: &[u8], on_conflict: OnConflict) -> Res<Resumed> {
        let (content, body) = open(bytes)?;
        if content != Content::Program {
            return Err("this is a value, no program: `thaw` reads it".into());
        }
        let mut r = Reader::open(self, body, true)?;
        let frame = r.frame_word(u32::MAX)?;
        let dynamic = r.word(u32::MAX)?;
        let winds = r.word(u32::MAX)?;
        if !r.context_is_sound(frame, dynamic, winds) {
            return Err("the program's context is not well-formed".into());
        }
        let label = match r.b.byte()? {
            0 => None,
            1 => Some(r.word(u32::MAX)?),
            _ => return Err("a mark is neither 0 nor 1".into()),
        };
        let (clock, gensym) = (r.b.signed()?, r.b.number()?);
        let seed = u64::from_le_bytes(r.b.take(8)?.try_into().expect("eight bytes"));
        let texts = |r: &mut Reader| -> Res<Vec<String>> {
            let n = r.b.count(1)?;
            (0..n).map(|_| r.b.text().map(String::from)).collect()
        };
        let (args, paths) = (texts(&mut r)?, texts(&mut r)?);
        let n = r.b.count(1)?;
        let loaded = (0..n).map(|_| r.name()).collect::<Res<Vec<u32>>>()?;
        let n = r.b.count(4)?;
        let mut spaces = Vec::with_capacity(n);
        for _ in 0..n {
            let name = r.name()?;
            let k = r.b.count(2)?;
            let mappings = (0..k).map(|_| Ok((r.name()?, r.word(u32::MAX)?))).collect::<Res<Vec<_>>>()?;
            if mappings.iter().any(|m| !matches!(m.1.kind(), Some(Kind::Var | Kind::Type))) {
                return Err("a symbol means neither a global nor a type".into());
            }
            let k = r.b.count(2)?;
            let aliases = (0..k).map(|_| Ok((r.name()?, r.name()?))).collect::<Res<Vec<_>>>()?;
            let k = r.b.count(1)?;
            let unseen = (0..k).map(|_| r.name()).collect::<Res<Vec<_>>>()?;
            spaces.push((name, mappings, aliases, unseen));
        }
        let n = r.b.count(2)?;
        let types = (0..n).map(|_| Ok((r.name()?, r.word(u32::MAX)?))).collect::<Res<Vec<_>>>()?;
        if types.iter().any(|t| !t.1.is_kind(Kind::Type)) {
            return Err("a class is no type".into());
        }
        r.b.end()?;
        let (kseg, koff) = match frame {
            Some(f) => r.place(f)?,
            None => (Value::NIL, 0),
        };
        r.commit(on_conflict)?;
        for (name, mappings, aliases, unseen) in spaces {
            let ns = self.ns_mut(name);
            ns.mappings.extend(mappings);
            ns.aliases.extend(aliases);
            ns.unseen.extend(unseen);
        }
        for (name, t) in types {
            if self.type_named(name).map(Value::from) != Some(t) {
                let i = self.roots.extra.len();
                self.roots.extra.push(t);
                self.classes.insert(name, i);
            }
        }
        self.loaded.extend(loaded);
        self.gensym = gensym;
        self.random_state = seed;
        (self.args, self.source_paths) = (args, paths);
        self.clock_ahead_ns = 0;
        self.clock_ahead_ns = clock.saturating_sub(self.nano_time());
        self.roots.kseg = kseg;
        self.koff = koff;
        self.roots.winds = winds;
        self.enter_bindings(dynamic);
        Ok(Resumed { label })
    }

    /// Goes on with a program that was read: where it parked, `v` is the value of `park`.
    pub fn go_on(&mut self, v: Value) -> Result<Value, Exit> {
        self.threads_go_on();
        self.run_captured(|vm| match vm.underflow() {
            Some(top) => vm.deliver(top, v),
            None => vm.done = Some(Ok(v)),
        })
    }

    /// `(park label)` as the activation at `fp`.
    pub(crate) fn park(&mut self, fp: Regs, label: Value) -> Result<(), Exit> {
        if !self.parking.allowed {
            return Err(self.err(ErrKind::State, "park: this program was not started with --park FILE"));
        }
        let text = match label.as_str() {
            Some(s) => s.to_string(),
            None => self.show(label),
        };
        self.capture(fp);
        self.flush_out();
        match self.freeze_program(Some(label)) {
            Ok(bytes) => {
                self.parking.bytes = Some(bytes);
                self.parking.label = Some(text);
                self.pending.stop = Stop::Parked;
                self.done = Some(Err(Exit::Stop));
            }
            Err(why) => {
                let exit = self.err(ErrKind::State, format!("cannot park: {why}"));
                let base = Regs(self.stack.base);
                let top = self.underflow().unwrap_or(base);
                self.raise_exit(top, exit);
            }
        }
        Ok(())
    }
    /// A request to terminate, where the program gives way. The stack's top header is `top`.
    pub(crate) fn park_on_term(&mut self, top: Regs) -> bool {
        if self.outer_stacks.len() > 1 || self.no_gc > 0 {
            return false;
        }
        self.capture(top);
        self.flush_out();
        match self.freeze_program(None) {
            Ok(bytes) => {
                self.parking.bytes = Some(bytes);
                self.pending.stop = Stop::Parked;
            }
            Err(why) => {
                self.parking.error = Some(why);
                self.pending.stop = Stop::Parked;
            }
        }
        self.done = Some(Err(Exit::Stop));
        true
    }
    /// Waits, until the time is over or someone wants the program to stop.
    pub(crate) fn pause(&mut self, ms: u64) {
        let end = std::time::Instant::now() + std::time::Duration::from_millis(ms);
        loop {
            let asked = self.parking.on_term && TERMINATED.load(Ordering::Relaxed);
            let left = end.saturating_duration_since(std::time::Instant::now());
            if left.is_zero() || asked || INTERRUPTED.load(Ordering::Relaxed) {
                self.heap.want_poll();
                return;
            }
            std::thread::sleep(left.min(std::time::Duration::from_millis(20)));
        }
    }
    /// Freezes the program every `steps` steps, counted from here on.
    pub fn checkpoint_every(&mut self, steps: u64, sink: Checkpoint) {
        self.parking.every = steps;
        self.parking.sink = Some(sink);
        self.parking.due = self.steps_done + steps;
        self.heap.want_poll();
    }
    /// A checkpoint, if one is due. Returns the top header.
    pub(crate) fn checkpoint(&mut self, top: Regs) -> Regs {
        if self.parking.every == 0
            || self.steps_done < self.parking.due
            || self.outer_stacks.len() > 1
            || self.no_gc > 0
        {
            return top;
        }
        self.parking.due = self.steps_done + self.parking.every;
        let base = self.capture(top);
        self.flush_out();
        let frozen = self.freeze_program(None);
        let mut sink = self.parking.sink.take();
        let frozen = frozen.as_deref().map_err(String::as_str);
        if !sink.as_mut().is_some_and(|s| s(frozen)) {
            // The program goes on without.
            self.parking.every = 0;
        }
        self.parking.sink = sink;
        self.underflow().unwrap_or(base)
    }
    /// Stress mode: the program becomes bytes, what it was is destroyed, the bytes become the program again.
    pub(crate) fn through_bytes(&mut self, top: Regs) -> Regs {
        if self.outer_stacks.len() > 1 || self.no_gc > 0 {
            return top;
        }
        let base = self.capture(top);
        let bytes = match self.freeze_program(None) {
            Ok(b) => b,
            Err(why) => panic!("stress mode park: {why}"),
        };
        self.roots.kseg = Value::NIL;
        self.koff = 0;
        self.enter_bindings(Value::NIL);
        self.roots.winds = Value::NIL;
        let used = (top.0 as usize - base.0 as usize) / 8;
        (1..=used).for_each(|i| base.set_word(i, 0xDEAD_BEEF_DEAD_BEEC));
        let globals: Vec<Obj> = self
            .namespaces
            .values()
            .flat_map(|ns| ns.mappings.values().filter_map(|v| v.as_kind(Kind::Var)))
            .filter(|v| !self.library.has_address(v.0 as usize))
            .collect();
        for v in globals {
            self.set_root(v, Value::UNBOUND);
            self.heap.write(v, slot::VAR_META, Value::NIL);
        }
        self.buffers.clear();
        if let Err(why) = self.read_program(&bytes, OnConflict::Theirs) {
            panic!("stress mode park: {why}");
        }
        if cfg!(debug_assertions) {
            let again = self.freeze_program(None).unwrap_or_else(|why| panic!("stress mode park, again: {why}"));
            let sizes = (bytes.len(), again.len());
            assert!(
                sizes.0.abs_diff(sizes.1) < 16,
                "frozen twice, a program differs in more than its clock: {sizes:?}"
            );
        }
        self.underflow().unwrap_or(base)
    }
}

impl Reader<'_> {
    fn context_is_sound(&self, frame: Option<u32>, dynamic: Value, winds: Value) -> bool {
        let bound = match frame {
            Some(f) => self.check_bindings(f, dynamic).is_ok(),
            None => dynamic.is_nil(),
        };
        bound && self.graph().bindings(dynamic) && self.graph().winds(winds)
    }
}

fn body(vm: &mut Vm, kseg: Value, koff: usize, dynamic: Value, winds: Value, label: Option<Value>) -> Res<Vec<u8>> {
    let frame = kseg.obj().map(|seg| Item::Frame(seg, koff));
    let spaces = spaces(vm);
    let mut types: Vec<(u32, Value)> = vm.classes.iter().map(|(n, i)| (*n, vm.roots.extra[*i])).collect();
    types.retain(|(_, t)| t.obj().is_some_and(|o| !vm.library.has_address(o.0 as usize)));
    types.sort_by(|a, b| vm.names.text(a.0).cmp(vm.names.text(b.0)));
    let mut loaded: Vec<u32> = vm.loaded.iter().copied().collect();
    loaded.sort_by(|a, b| vm.names.text(*a).cmp(vm.names.text(*b)));
    let mut changed: Vec<Obj> = vm.heap.dirty_perm.clone();
    changed.retain(|o| vm.library.has_address(o.0 as usize) && !only_caches(*o));
    changed.sort_by_key(|o| o.0 as usize);
    changed.dedup();
    let (clock, gensym, seed) = (vm.nano_time(), vm.gensym, vm.random_state);
    let (args, paths) = (vm.args.clone(), vm.source_paths.clone());
    let mut w = Writer::new(vm, Scope::Program);
    if let Some(f) = frame {
        w.reach_item(f)?;
    }
    for v in [dynamic, winds].into_iter().chain(label) {
        w.reach(v)?;
    }
    for o in changed {
        w.reach_item(Item::Object(o))?;
    }
    for v in spaces.iter().flat_map(|s| s.mappings.iter().map(|m| m.1)).chain(types.iter().map(|t| t.1)) {
        w.reach(v)?;
    }
    w.finish(|w, out: &mut Out| {
        match frame {
            Some(f) => w.put_id(out, f)?,
            None => out.0.push(super::tag::NIL),
        }
        w.word(out, dynamic)?;
        w.word(out, winds)?;
        match label {
            Some(l) => {
                out.0.push(1);
                w.word(out, l)?;
            }
            None => out.0.push(0),
        }
        out.signed(clock);
        out.number(gensym);
        out.0.extend(seed.to_le_bytes());
        for texts in [&args, &paths] {
            out.number(texts.len() as u64);
            texts.iter().for_each(|t| out.text(t));
        }
        out.number(loaded.len() as u64);
        for n in &loaded {
            w.put_name(out, *n);
        }
        out.number(spaces.len() as u64);
        for s in &spaces {
            w.put_name(out, s.name);
            out.number(s.mappings.len() as u64);
            for (n, v) in &s.mappings {
                w.put_name(out, *n);
                w.word(out, *v)?;
            }
            out.number(s.aliases.len() as u64);
            for (a, n) in &s.aliases {
                w.put_name(out, *a);
                w.put_name(out, *n);
            }
            out.number(s.unseen.len() as u64);
            for n in &s.unseen {
                w.put_name(out, *n);
            }
        }
        out.number(types.len() as u64);
        for (n, t) in &types {
            w.put_name(out, *n);
            w.word(out, *t)?;
        }
        Ok(())
    })
}

/// Objects that change only by remembering what they found.
fn only_caches(o: Obj) -> bool {
    matches!(o.kind(), Kind::ProtocolFn | Kind::Namespace | Kind::Regex)
        || KINDS[o.kind() as usize].3 == Mutability::Frozen
}

struct Space {
    name: u32,
    mappings: Vec<(u32, Value)>,
    aliases: Vec<(u32, u32)>,
    unseen: Vec<u32>,
}

/// What the program made of its namespaces, in order of names.
fn spaces(vm: &Vm) -> Vec<Space> {
    let by_text = |a: &u32, b: &u32| vm.names.text(*a).cmp(vm.names.text(*b));
    let mut names: Vec<u32> = vm.namespaces.keys().copied().collect();
    names.sort_by(by_text);
    let inside = |v: Value| v.obj().is_some_and(|o| vm.library.has_address(o.0 as usize));
    let mut out = Vec::new();
    for name in names {
        let ns = &vm.namespaces[&name];
        let whole = vm.names.text(name) == "user" || !ns.object.is_some_and(inside);
        let mut mappings: Vec<(u32, Value)> = ns.mappings.iter().map(|(n, v)| (*n, *v)).collect();
        mappings.retain(|(_, v)| whole || !inside(*v));
        if !whole && mappings.is_empty() {
            continue;
        }
        mappings.sort_by(|a, b| by_text(&a.0, &b.0));
        let mut aliases: Vec<(u32, u32)> = ns.aliases.iter().filter(|_| whole).map(|(a, n)| (*a, *n)).collect();
        aliases.sort_by(|a, b| by_text(&a.0, &b.0));
        let mut unseen: Vec<u32> = ns.unseen.iter().filter(|_| whole).copied().collect();
        unseen.sort_by(by_text);
        out.push(Space { name, mappings, aliases, unseen });
    }
    out
}
