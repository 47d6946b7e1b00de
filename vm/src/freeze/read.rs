//! From bytes to values, believing nothing: every number is in range, every table fits, code is compiled and verified here,
//! objects are checked (`check`) before anything refers to them, and globals change last.

use super::check::Measure;
use super::code::digest;
use super::write::{left_out, meaning};
use super::{OnConflict, entry, tag};
use crate::driver::loader;
use crate::frame::{Code, Native, Pc, Proto, Resume, code_ref, resume_ref};
use crate::kont::slice_flags;
use crate::layout::{KINDS, Kind, Mutability, SCAN, Scan, slot};
use crate::machine::Vm;
use crate::op::{self, Effect, Flow, Op};
use crate::prim::{coll, table};
use crate::value::{Obj, Value};
use rustc_hash::{FxHashMap as HashMap, FxHashSet as HashSet};
use std::cell::RefCell;
use yin_ast::hash::Hash;
use yin_ast::pack::In;

type Res<T = ()> = Result<T, String>;

/// Words of a segment that frames are laid out in, where they need not be together.
const SEG_CHUNK: usize = 1 << 16;

/// A frame as read.
pub(super) struct FrameData {
    record: *const Resume,
    pub parent: Option<u32>,
    /// Live slots in order; of native frames all from 1 on.
    pub slots: Box<[Value]>,
    /// The nearest frame of a `binding` here or below.
    bind: Option<u32>,
}

impl FrameData {
    pub fn record(&self) -> &Resume {
        resume_ref(self.record)
    }
}

/// What the checks know.
#[derive(Default)]
pub(super) struct Graph {
    ids: HashMap<u64, u32>,
    pub measures: Vec<Measure>,
    /// Most elements a collection can have.
    pub words: u64,
    protos: HashSet<usize>,
    pub tries: RefCell<HashSet<(u64, u64, u64)>>,
}

impl Graph {
    pub fn id_of(&self, o: Obj) -> Option<u32> {
        self.ids.get(&(o.0 as u64)).copied()
    }
    pub fn is_proto(&self, p: usize) -> bool {
        self.protos.contains(&p)
    }
}

/// What the second part of an entry holds.
#[derive(Clone, Copy)]
enum Body {
    None,
    /// Words of a new object.
    Words,
    /// Words for an object that exists.
    Changed(usize),
    Kont {
        delimited: bool,
        quiet: bool,
    },
    Frame,
    Var,
    Type,
}

struct Entry {
    object: Option<Obj>,
    body: Body,
    /// May only refer to smaller numbers among such.
    frozen: bool,
    frame: u32,
}

/// A global that arrives.
struct Definition {
    var: Obj,
    hash: [u8; 32],
    words: [Value; slot::VAR_LEN - slot::VAR_ROOT],
}

pub(super) struct Reader<'a> {
    pub vm: &'a mut Vm,
    pub b: In<'a>,
    program: bool,
    same_library: bool,
    strings: Vec<&'a str>,
    names: Vec<Option<u32>>,
    protos: Vec<*const Proto>,
    codes: Vec<*const Code>,
    entries: Vec<Entry>,
    frames: Vec<FrameData>,
    graph: Graph,
    /// Segment and end of frames that have been laid out.
    placed: Vec<Option<(Value, usize)>>,
    definitions: Vec<Definition>,
    /// Objects that exist and their new words.
    changes: Vec<(Obj, Vec<(usize, Value)>)>,
    conflicts: Vec<String>,
    new_types: Vec<(u32, Obj)>,
    starts: Option<HashSet<u64>>,
    allocated: usize,
    /// Classes from here on were made while reading.
    first_class: usize,
}

/// The value that a body holds.
pub(super) fn value(vm: &mut Vm, body: &[u8], on_conflict: OnConflict) -> Res<Value> {
    let mut r = Reader::open(vm, body, false)?;
    let v = r.word(u32::MAX)?;
    r.b.end()?;
    r.commit(on_conflict)?;
    Ok(v)
}

impl<'a> Reader<'a> {
    /// Reads the tables and objects; what the tail says comes next, then `commit`.
    pub fn open(vm: &'a mut Vm, body: &'a [u8], program: bool) -> Res<Reader<'a>> {
        let mut b = In::new(body);
        let same_library = b.take(32)? == vm.library.hash;
        let n = b.count(1)?;
        let strings = (0..n).map(|_| b.text()).collect::<Res<Vec<_>>>()?;
        let n = b.count(1)?;
        let kinds = (0..n).map(|_| b.text()).collect::<Res<Vec<_>>>()?;
        let names = vec![None; strings.len()];
        let first_class = vm.roots.extra.len();
        let mut r = Reader {
            vm,
            b,
            program,
            same_library,
            strings,
            names,
            protos: Vec::new(),
            codes: Vec::new(),
            entries: Vec::new(),
            frames: Vec::new(),
            graph: Graph::default(),
            placed: Vec::new(),
            definitions: Vec::new(),
            changes: Vec::new(),
            conflicts: Vec::new(),
            new_types: Vec::new(),
            starts: None,
            allocated: 0,
            first_class,
        };
        r.functions()?;
        let n = r.b.count(1)?;
        r.graph.words = r.b.rest.len() as u64;
        for id in 0..n as u32 {
            let kind = *kinds.get(r.b.number()? as usize).ok_or("no such kind")?;
            let e = r.head(kind)?;
            if let Some(o) = e.object.filter(|_| matches!(e.body, Body::None | Body::Words | Body::Kont { .. })) {
                // Of objects that exist one may be met under two names.
                r.graph.ids.entry(o.0 as u64).or_insert(id);
            }
            r.entries.push(e);
        }
        for id in 0..n as u32 {
            r.body(id)?;
        }
        r.segments()?;
        r.sound()?;
        Ok(r)
    }

    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    // ---- code
    fn functions(&mut self) -> Res {
        let n = self.b.count(32)?;
        let mut forms = Vec::with_capacity(n);
        for _ in 0..n {
            let hash = self.hash()?;
            let packed = self.b.bytes()?;
            let form = match self.vm.form_known(&hash) {
                Some(f) => f,
                None => self.vm.adopt_form(hash, packed)?,
            };
            forms.push(form);
        }
        let n = self.b.count(3)?;
        for _ in 0..n {
            let (found, name) = match self.b.number()? {
                0 => {
                    let hash = self.hash()?;
                    let rank = self.u32()?;
                    (self.vm.library_proto(&hash, rank), self.b.number()?)
                }
                f => {
                    let form = *forms.get(f as usize - 1).ok_or("no such form")?;
                    let rank = self.u32()?;
                    (self.vm.form_proto(form, rank), self.b.number()?)
                }
            };
            let name = match name {
                0 => "fn",
                i => self.strings.get(i as usize - 1).ok_or("no such text")?,
            };
            let proto = found.ok_or_else(|| format!("this build's library has another {name}"))?;
            self.graph.protos.insert(proto as usize);
            self.protos.push(proto);
        }
        let n = self.b.count(10)?;
        for _ in 0..n {
            let proto = *self.protos.get(self.b.number()? as usize).ok_or("no such function")?;
            // SAFETY: found in this machine's own tables: permanent (invariant 1 of `frame`).
            let p = unsafe { &*proto };
            let arity = self.b.number()? as usize;
            let code = p.arities().nth(arity).ok_or("no such arity")?;
            let sum = u64::from_le_bytes(self.b.take(8)?.try_into().expect("eight bytes"));
            if digest(code) != sum {
                let name = p.name.as_plain_symbol().map_or("a function", |id| self.vm.names.text(id));
                return Err(format!("this build compiles {name} in another way than the one that froze it"));
            }
            self.codes.push(code);
        }
        Ok(())
    }
    fn hash(&mut self) -> Res<Hash> {
        Ok(Hash(self.b.take(32)?.try_into().expect("32 bytes")))
    }
    fn u32(&mut self) -> Res<u32> {
        u32::try_from(self.b.number()?).map_err(|_| "a number is too large".into())
    }

    // ---- first parts
    pub fn text(&mut self) -> Res<&'a str> {
        let i = self.b.number()? as usize;
        self.strings.get(i).copied().ok_or_else(|| "no such text".into())
    }
    /// A text as an interned name.
    pub fn name(&mut self) -> Res<u32> {
        let i = self.b.number()? as usize;
        let text = *self.strings.get(i).ok_or("no such text")?;
        if let Some(id) = self.names[i] {
            return Ok(id);
        }
        if self.vm.names.len() + 1 >= 1 << 24 {
            return Err("too many names".into());
        }
        let id = self.vm.names.intern(text);
        self.names[i] = Some(id);
        Ok(id)
    }
    fn flag(&mut self) -> Res<bool> {
        match self.b.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err("a mark is neither 0 nor 1".into()),
        }
    }
    fn raw(&mut self) -> Res<Value> {
        Ok(Value::from_bits(u64::from_le_bytes(self.b.take(8)?.try_into().expect("eight bytes"))))
    }
    /// An object of `len` words, each of which takes at least a byte of what follows, but for `free` of them.
    fn alloc(&mut self, kind: Kind, aux: u16, len: usize, free: usize) -> Res<Obj> {
        self.allocated += len.saturating_sub(free);
        if self.allocated > self.graph.words as usize || len > u32::MAX as usize / 2 {
            return Err("objects are larger than what follows".into());
        }
        Ok(self.vm.heap.alloc(kind, aux, len))
    }
    fn global(&mut self) -> Res<Obj> {
        let text = self.text()?;
        match text.split_once('/') {
            Some((ns, name)) if !ns.is_empty() && !name.is_empty() => {
                if self.vm.heap.perm_is_nearly_full() {
                    return Err("there is no room for more globals".into());
                }
                let (ns, name) = (self.vm.names.intern(ns), self.vm.names.intern(name));
                Ok(self.vm.intern_var(ns, name))
            }
            _ => Err(format!("{text} names no global")),
        }
    }
    fn head(&mut self, label: &str) -> Res<Entry> {
        let known = |o: Obj, body: Body| Entry { object: Some(o), body, frozen: false, frame: 0 };
        match label {
            entry::FRAME => {
                let frame = self.frames.len() as u32;
                let record = std::ptr::null();
                self.frames.push(FrameData { record, parent: None, slots: Box::new([]), bind: None });
                return Ok(Entry { object: None, body: Body::Frame, frozen: true, frame });
            }
            entry::VAR => {
                let var = self.global()?;
                let body = if self.flag()? { Body::Var } else { Body::None };
                return Ok(known(var, body));
            }
            entry::NAMESPACE => {
                if self.vm.heap.perm_is_nearly_full() {
                    return Err("there is no room for more namespaces".into());
                }
                let name = self.name()?;
                let ns = self.vm.ns_mut(name).object.and_then(|o| o.obj()).expect("made with its object");
                return Ok(known(ns, Body::None));
            }
            entry::PRIMITIVE => {
                let name = self.text()?;
                let id = *self.vm.prim_ids.get(name).ok_or_else(|| format!("this build has no primitive {name}"))?;
                let root = self.vm.var(name).get(slot::VAR_ROOT);
                let f = match root.as_kind(Kind::PrimFn).filter(|f| f.aux() == id) {
                    Some(f) => f,
                    None => {
                        let name = self.vm.symbol(table::get(id).map_or("", |p| p.name));
                        self.vm.heap.alloc_with(Kind::PrimFn, id, &[name, Value::NIL])
                    }
                };
                return Ok(known(f, Body::None));
            }
            entry::TYPE => {
                let name = self.name()?;
                let payload = self.flag()?;
                let object = match self.vm.type_named(name) {
                    Some(t) => t,
                    None if !payload => {
                        if self.vm.heap.perm_is_nearly_full() {
                            return Err("there is no room for more types".into());
                        }
                        let full = self.vm.names.text(name).to_string();
                        self.vm.class_value(&full).obj().expect("a type")
                    }
                    None => {
                        let o = self.alloc(Kind::Type, 0, 5, 0)?;
                        // Until its words are read, a type without anything.
                        let (fields, methods) = (coll::vector_of(self.vm, &[]), crate::prim::hamt::empty(self.vm));
                        let words = [Value::symbol(name), fields, Value::ZERO, methods, Value::NIL];
                        words.iter().enumerate().for_each(|(i, w)| o.set(i, *w));
                        self.new_types.push((name, o));
                        return Ok(Entry { object: Some(o), body: Body::Words, frozen: false, frame: 0 });
                    }
                };
                return Ok(known(object, if payload { Body::Type } else { Body::None }));
            }
            entry::LIBRARY_VALUE => {
                let var = self.global()?;
                let root = var.get(slot::VAR_ROOT).obj().filter(|_| self.vm.library.has_address(var.0 as usize));
                let o = root.ok_or_else(|| format!("this build's library has no {}", self.vm.var_text(var)))?;
                return self.changed(o);
            }
            entry::LIBRARY_OBJECT => {
                let at = self.b.number()?;
                if !self.same_library {
                    return Err("it refers to an object inside the library of another build".into());
                }
                let base = self.vm.heap.perm_base() as u64;
                if self.starts.is_none() {
                    let objects = self.vm.heap.perm_objects();
                    let inside = |o: &Obj| self.vm.library.has_address(o.0 as usize) && !o.is_raw_run();
                    self.starts = Some(objects.into_iter().filter(inside).map(|o| (o.0 as u64 - base) / 8).collect());
                }
                if !self.starts.as_ref().is_some_and(|s| s.contains(&at)) {
                    return Err("no such object of the library".into());
                }
                return self.changed(Obj((base + 8 * at) as *mut u64));
            }
            _ => {}
        }
        let row = KINDS.iter().find(|k| k.1 == label).ok_or_else(|| format!("no such kind as {label}"))?;
        let (kind, frozen) = (row.0, row.3 == Mutability::Frozen);
        let made = |o: Obj, body: Body| Ok(Entry { object: Some(o), body, frozen, frame: 0 });
        match kind {
            Kind::Float64 | Kind::Int64 | Kind::Inst => {
                let w = self.raw()?;
                made(self.vm.heap.alloc_with(kind, 0, &[w]), Body::None)
            }
            Kind::Uuid => {
                let w = [self.raw()?, self.raw()?];
                made(self.vm.heap.alloc_with(kind, 0, &w), Body::None)
            }
            Kind::BigInt => {
                let n = self.b.number()?;
                let len = (n >> 1) as usize;
                if len == 0 || len > self.b.rest.len() / 8 {
                    return Err("an integer is longer than what follows".into());
                }
                let o = self.vm.heap.alloc(kind, (n & 1) as u16, len);
                for i in 0..len {
                    o.set_raw(i, self.raw()?.bits());
                }
                if o.raw(len - 1) == 0 {
                    return Err("an integer is not in its shortest form".into());
                }
                made(o, Body::None)
            }
            Kind::Str => {
                let text = self.b.text()?;
                made(self.vm.str(text).obj().expect("a string"), Body::None)
            }
            Kind::SpanMeta => {
                let file = match self.b.number()? {
                    0 => u32::MAX,
                    i => {
                        let name = *self.strings.get(i as usize - 1).ok_or("no such text")?;
                        self.vm.file_named(name)
                    }
                };
                let (start, end, line, column) = (self.u32()?, self.u32()?, self.u32()?, self.u32()?);
                let o = self.vm.heap.alloc(kind, 0, 3);
                o.set_raw(0, u64::from(file) | u64::from(start) << 32);
                o.set_raw(1, u64::from(end) | u64::from(line) << 32);
                o.set_raw(2, u64::from(column));
                made(o, Body::None)
            }
            Kind::PrimArray => {
                let aux = self.b.number()?;
                if !(1..=8).contains(&aux) {
                    return Err("no such type of array".into());
                }
                let len = self.b.count(1)?;
                let o = self.vm.heap.alloc(kind, aux as u16, len);
                for i in 0..len {
                    let double = matches!(aux as u16, coll::elem::DOUBLE | coll::elem::FLOAT);
                    let w = if double { self.raw()?.bits() } else { self.b.signed()? as u64 };
                    o.set_raw(i, w);
                }
                made(o, Body::None)
            }
            Kind::Native => {
                let n = self.b.count(1)?;
                let db = datoms::store::Database::from_bytes(self.b.take(n)?).map_err(|e| e.message)?;
                made(self.vm.hold(crate::store::Thing::Db(db)).obj().expect("an object"), Body::None)
            }
            Kind::Buffer => {
                let aux = self.b.number()?;
                let text = self.b.text()?.to_string();
                self.vm.buffers.push(text);
                let i = Value::fix(self.vm.buffers.len() as i64 - 1);
                made(self.vm.heap.alloc_with(kind, aux as u16, &[i]), Body::None)
            }
            Kind::Kont => {
                let (delimited, quiet) = match self.b.byte()? {
                    0 => (false, false),
                    1 => (true, false),
                    2 => (true, true),
                    _ => return Err("no such continuation".into()),
                };
                let nil = Value::NIL;
                let o = self.vm.heap.alloc_with(kind, 0, &[nil, Value::ZERO, nil, nil, nil]);
                made(o, Body::Kont { delimited, quiet })
            }
            Kind::Closure => {
                let proto = *self.protos.get(self.b.number()? as usize).ok_or("no such function")?;
                let captures = self.b.count(1)?;
                // SAFETY: found in this machine's own tables.
                if captures != unsafe { (*proto).n_captures } as usize {
                    return Err("a function has another number of captures".into());
                }
                let o = self.alloc(kind, 0, slot::CLOSURE_CAPTURES + captures, 1)?;
                o.set_raw(slot::CLOSURE_PROTO, proto as u64);
                (slot::CLOSURE_META..o.len()).for_each(|i| o.set(i, Value::NIL));
                made(o, Body::Words)
            }
            Kind::Var | Kind::Namespace | Kind::PrimFn | Kind::Type | Kind::Seg => {
                Err("an object without its name".into())
            }
            kind if SCAN[kind as usize] == Scan::All => {
                let aux = u16::try_from(self.b.number()?).map_err(|_| "a mark is too large")?;
                let len = self.b.number()? as usize;
                let left = left_out(kind);
                if left.iter().any(|i| *i >= len) {
                    return Err(format!("a {label} is too short"));
                }
                let o = self.alloc(kind, aux, len, left.len())?;
                (0..len).for_each(|i| o.set(i, Value::NIL));
                for &i in left {
                    o.set(
                        i,
                        if matches!(kind, Kind::Regex) || kind == Kind::ProtocolFn && i == slot::PFN_VERSION {
                            Value::fix(-1)
                        } else {
                            Value::NIL
                        },
                    );
                }
                made(o, Body::Words)
            }
            _ => Err(format!("a {label} cannot travel")),
        }
    }
    /// An object of the library, perhaps with new words.
    fn changed(&mut self, o: Obj) -> Res<Entry> {
        let body = if self.flag()? {
            if !self.program || SCAN[o.kind() as usize] != Scan::All || o.kind() == Kind::Closure {
                return Err(format!("a {} of the library cannot be changed", o.kind().name()));
            }
            Body::Changed(self.b.count(1)?)
        } else {
            Body::None
        };
        Ok(Entry { object: Some(o), body, frozen: false, frame: 0 })
    }

    // ---- words
    /// The object with a number. `from`: who refers to it.
    fn target(&mut self, id: u64, from: u32) -> Res<u32> {
        let id = u32::try_from(id).map_err(|_| "no such object")?;
        let e = self.entries.get(id as usize).ok_or("no such object")?;
        let forward = e.frozen && id >= from && self.entries.get(from as usize).is_some_and(|f| f.frozen);
        if forward { Err("immutable objects refer to each other in a circle".into()) } else { Ok(id) }
    }
    /// The next tagged word, part of object `from`.
    pub fn word(&mut self, from: u32) -> Res<Value> {
        let t = self.b.byte()?;
        Ok(match t {
            tag::NIL => Value::NIL,
            tag::FALSE => Value::FALSE,
            tag::TRUE => Value::TRUE,
            tag::UNBOUND => Value::UNBOUND,
            tag::ABSENT => Value::ABSENT,
            tag::INT => {
                let n = self.b.signed()?;
                if (0..0x40).contains(&n.saturating_add(tag::SMALL_ZERO)) {
                    return Err("a number is not in its shortest form".into());
                }
                Value::try_fix(n).ok_or("an integer is too large")?
            }
            tag::DOUBLE => Value::try_f64(f64::from_bits(self.raw()?.bits())).ok_or("a double out of its range")?,
            tag::CHAR => Value::char(char::from_u32(self.u32()?).ok_or("no such character")?),
            tag::KEYWORD => Value::keyword(self.name()?),
            tag::SYMBOL => Value::symbol(self.name()?),
            tag::OBJECT => {
                let n = self.b.number()?;
                self.object(n, from)?
            }
            tag::SMALL..tag::NEAR => Value::fix(i64::from(t - tag::SMALL) - tag::SMALL_ZERO),
            tag::NEAR.. => self.object(u64::from(t - tag::NEAR), from)?,
            _ => return Err("no such word".into()),
        })
    }
    fn object(&mut self, id: u64, from: u32) -> Res<Value> {
        let id = self.target(id, from)?;
        self.entries[id as usize].object.map(Value::from).ok_or_else(|| "a frame is no value".into())
    }
    /// The number of a frame, or nil.
    pub fn frame_word(&mut self, from: u32) -> Res<Option<u32>> {
        let id = match self.b.byte()? {
            tag::NIL => return Ok(None),
            tag::OBJECT => self.b.number()?,
            t @ tag::NEAR.. => u64::from(t - tag::NEAR),
            _ => return Err("not a frame".into()),
        };
        let id = self.target(id, from)?;
        match self.entries[id as usize].body {
            Body::Frame => Ok(Some(self.entries[id as usize].frame)),
            _ => Err("not a frame".into()),
        }
    }

    // ---- second parts
    fn body(&mut self, id: u32) -> Res {
        let e = &self.entries[id as usize];
        let (object, body, frame) = (e.object, e.body, e.frame);
        match (body, object) {
            (Body::None, _) => {}
            (Body::Frame, _) => self.frame(id, frame as usize)?,
            (Body::Words, Some(o)) => {
                if o.kind() == Kind::Loader {
                    let file = match self.b.number()? {
                        0 => -1,
                        i => {
                            let name = self.strings.get(i as usize - 1).ok_or("no such text")?;
                            i64::from(self.vm.file_named(name))
                        }
                    };
                    o.set(loader::FILE, Value::fix(file));
                }
                let left = left_out(o.kind());
                let first = if o.kind() == Kind::Closure { slot::CLOSURE_META } else { 0 };
                for i in (first..o.len()).filter(|i| !left.contains(i)) {
                    let v = self.word(id)?;
                    o.set(i, v);
                }
            }
            (Body::Changed(len), Some(o)) => {
                let left = left_out(o.kind());
                if len != o.len() {
                    return Err("an object of the library has another size".into());
                }
                let words =
                    (0..len).filter(|i| !left.contains(i)).map(|i| Ok((i, self.word(id)?))).collect::<Res<Vec<_>>>()?;
                self.changes.push((o, words));
            }
            (Body::Type, Some(o)) => {
                let words = (0..5).map(|i| Ok((i, self.word(id)?))).collect::<Res<Vec<_>>>()?;
                self.changes.push((o, words));
            }
            (Body::Var, Some(var)) => {
                if !self.program && self.vm.library.has_address(var.0 as usize) {
                    return Err("a global of the library cannot be defined".into());
                }
                let hash: [u8; 32] = self.b.take(32)?.try_into().expect("32 bytes");
                let mut words = [Value::NIL; slot::VAR_LEN - slot::VAR_ROOT];
                for w in &mut words {
                    *w = self.word(id)?;
                }
                let flags = words[slot::VAR_FLAGS - slot::VAR_ROOT];
                let meta = words[slot::VAR_META - slot::VAR_ROOT];
                if flags.as_fix().is_none_or(|f| !(0..16).contains(&f)) || !(meta.is_nil() || coll::is_map(meta)) {
                    return Err("a global is not well-formed".into());
                }
                self.definitions.push(Definition { var, hash, words });
            }
            (Body::Kont { delimited, .. }, Some(o)) => {
                let frame = self.frame_word(id)?;
                let dynamic = self.word(id)?;
                let winds = if delimited { Value::TRUE } else { self.word(id)? };
                if delimited && frame.is_none() {
                    return Err("a continuation without frames".into());
                }
                // The frame's number waits in the place of the segment.
                o.set(slot::KONT_SEG, frame.map_or(Value::NIL, |f| Value::fix(i64::from(f))));
                o.set(slot::KONT_DYN, dynamic);
                o.set(slot::KONT_TAG, Value::bool(delimited));
                o.set(slot::KONT_FLAGS, winds);
            }
            (_, None) => return Err("an entry without its object".into()),
        }
        Ok(())
    }
    fn frame(&mut self, id: u32, frame: usize) -> Res {
        let record = match self.b.number()? {
            0 => {
                let n = self.b.byte()?;
                let native = Native::from_number(n).ok_or("no such frame")?;
                match native {
                    Native::Activate => {
                        let argc = self.b.number()? as usize;
                        if argc > crate::control::MAX_ACTIVATE {
                            return Err("a call has too many arguments".into());
                        }
                        self.vm.natives.activate(argc)
                    }
                    Native::Underflow => return Err("no such frame".into()),
                    n => self.vm.natives.get(n),
                }
            }
            c => {
                let code = *self.codes.get(c as usize - 1).ok_or("no such code")?;
                let n = self.b.number()?;
                self.record(code, (n >> 1) as usize, n & 1 != 0)?
            }
        };
        let parent = self.frame_word(id)?;
        let r = resume_ref(record);
        let live: usize = (1..r.delta as usize).filter(|i| r.is_live(*i)).count();
        if live > self.b.rest.len() {
            return Err("a frame is larger than what follows".into());
        }
        let slots = (0..live).map(|_| self.word(id)).collect::<Res<Vec<_>>>()?;
        let own = (r.native() == Some(Native::Bind)).then_some(frame as u32);
        let bind = own.or_else(|| parent.and_then(|p| self.frames[p as usize].bind));
        self.frames[frame] = FrameData { record, parent, slots: slots.into(), bind };
        Ok(())
    }
    /// The record of a place where code may be suspended.
    fn record(&mut self, code: *const Code, pc: usize, again: bool) -> Res<*const Resume> {
        let c = code_ref(code);
        let words = c.words();
        if pc >= words.len() {
            return Err("no such place in a code".into());
        }
        // SAFETY: inside the words by the check above.
        let at = Pc(unsafe { c.words.add(pc) });
        if !again {
            let site = c.sites().iter().find(|s| s.pc == at.0);
            return site.map(|s| s as *const Resume).ok_or_else(|| "no call ends there".into());
        }
        let mut start = 0;
        while start < pc {
            start += op::len(words[start]);
        }
        let info = Op::of(words[pc]).filter(|_| start == pc).ok_or("no instruction starts there")?.info();
        // An instruction runs again where it asked for something; polls are at the start and where a loop starts.
        let asks = info.effect != Effect::Pure && info.flow != Flow::End || info.effect == Effect::Calls;
        let loops = || {
            let mut i = 0;
            while i < words.len() {
                if Op::of(words[i]) == Some(Op::Poll) && op::target(words, i) == Some(pc) {
                    return true;
                }
                i += op::len(words[i]);
            }
            false
        };
        if !asks && pc != 0 && !loops() {
            return Err("no code is suspended there".into());
        }
        if self.vm.heap.perm_is_nearly_full() {
            return Err("there is no room for more frames".into());
        }
        Ok(self.vm.resume_at(code, at))
    }

    // ---- frames to segments
    fn segments(&mut self) -> Res {
        self.placed = vec![None; self.frames.len()];
        for id in 0..self.entries.len() {
            let (Body::Kont { delimited, quiet }, Some(o)) = (self.entries[id].body, self.entries[id].object) else {
                continue;
            };
            let top = o.get(slot::KONT_SEG).as_fix().map(|f| f as u32);
            let Some(top) = top else {
                o.set(slot::KONT_TAG, Value::NIL);
                if !o.get(slot::KONT_DYN).is_nil() {
                    return Err("bindings without frames".into());
                }
                continue;
            };
            if delimited {
                let (seg, n, special) = self.slice(top)?;
                o.set(slot::KONT_SEG, seg);
                o.set(slot::KONT_OFF, Value::fix(n as i64));
                o.set(slot::KONT_TAG, Value::TRUE);
                o.set(slot::KONT_FLAGS, slice_flags(special, quiet));
            } else {
                self.check_bindings(top, o.get(slot::KONT_DYN))?;
                let (seg, off) = self.place(top)?;
                o.set(slot::KONT_SEG, seg);
                o.set(slot::KONT_OFF, Value::fix(off as i64));
                o.set(slot::KONT_TAG, Value::NIL);
            }
        }
        Ok(())
    }
    /// Frames of bindings and the nodes in force agree.
    pub fn check_bindings(&self, top: u32, dynamic: Value) -> Res {
        let mut node = dynamic;
        let mut at = self.frames[top as usize].bind;
        loop {
            match (node.as_kind(Kind::Node), at) {
                (None, None) if node.is_nil() => return Ok(()),
                (Some(o), Some(f)) if !o.is_empty() => {
                    let f = &self.frames[f as usize];
                    if f.slots.first() != Some(&o.get(0)) {
                        return Err("frames and bindings do not fit each other".into());
                    }
                    node = o.get(0);
                    at = f.parent.and_then(|p| self.frames[p as usize].bind);
                }
                _ => return Err("frames and bindings do not fit each other".into()),
            }
        }
    }
    /// Frames from `top` down to the bottom, or to one that has its place.
    fn chain(&self, top: u32, stop: impl Fn(u32) -> bool) -> (Vec<u32>, Option<u32>) {
        let mut out = Vec::new();
        let mut at = Some(top);
        while let Some(f) = at {
            if stop(f) {
                return (out, Some(f));
            }
            out.push(f);
            at = self.frames[f as usize].parent;
        }
        (out, None)
    }
    /// Segment and end of a frame in a continuation of everything.
    pub fn place(&mut self, top: u32) -> Res<(Value, usize)> {
        let (mut chain, base) = self.chain(top, |f| self.placed[f as usize].is_some());
        let mut below = base.and_then(|f| self.placed[f as usize]).unwrap_or((Value::NIL, 0));
        while !chain.is_empty() {
            // From the bottom up, as many as a segment takes.
            let mut n = 0;
            let mut first = chain.len();
            while first > 0 {
                let delta = self.frames[chain[first - 1] as usize].record().delta as usize;
                if n > 0 && n + delta > SEG_CHUNK {
                    break;
                }
                n += delta;
                first -= 1;
            }
            let part = chain.split_off(first);
            let seg = self.lay_out(&part, n, below)?;
            let mut end = 0;
            for f in part.iter().rev() {
                end += self.frames[*f as usize].record().delta as usize;
                self.placed[*f as usize] = Some((seg, end));
            }
            below = (seg, n);
        }
        Ok(below)
    }
    /// A segment of its own for a delimited continuation: its words, and whether it has bindings or winds.
    fn slice(&mut self, top: u32) -> Res<(Value, usize, bool)> {
        let (chain, _) = self.chain(top, |_| false);
        let n = chain.iter().map(|f| self.frames[*f as usize].record().delta as usize).sum();
        if n > self.graph.words as usize * 64 + SEG_CHUNK {
            return Err("a continuation is too large".into());
        }
        let seg = self.lay_out(&chain, n, (Value::NIL, 0))?;
        let mut special = false;
        for f in chain {
            let f = &self.frames[f as usize];
            match f.record().native() {
                Some(Native::Bind) if !f.slots[0].is_kind(Kind::Node) => {
                    return Err("a binding without its node".into());
                }
                Some(Native::Bind | Native::Wind) => special = true,
                _ => {}
            }
        }
        Ok((seg, n, special))
    }
    /// Frames (top first) as a segment of `n` words over `below`.
    fn lay_out(&mut self, frames: &[u32], n: usize, below: (Value, usize)) -> Res<Value> {
        let limit = self.vm.heap.limit_words;
        if self.vm.heap.used_bytes() / 8 + n > limit {
            return Err("it needs more memory than --mem allows".into());
        }
        let seg = self.vm.heap.alloc(Kind::Seg, 0, slot::SEG_WORDS + n);
        seg.set(slot::SEG_PARENT, below.0);
        seg.set(slot::SEG_PARENT_OFF, Value::fix(below.1 as i64));
        let mut low = slot::SEG_WORDS;
        for f in frames.iter().rev() {
            let f = &self.frames[*f as usize];
            let r = f.record();
            let mut slots = f.slots.iter();
            for i in (1..r.delta as usize).filter(|i| r.is_live(*i)) {
                seg.set(low + i - 1, *slots.next().expect("counted when they were read"));
            }
            low += r.delta as usize;
            seg.set_raw(low - 1, f.record as u64);
        }
        Ok(seg.into())
    }

    // ---- checks and effects
    fn sound(&mut self) -> Res {
        self.graph.measures = vec![Measure::default(); self.entries.len()];
        for id in 0..self.entries.len() {
            let e = &self.entries[id];
            match (e.body, e.object) {
                (Body::Words, Some(o)) => {
                    let words = o.words();
                    let m = self.graph.sound(o.kind(), o.aux(), words)?;
                    self.graph.measures[id] = m;
                    if o.kind() == Kind::LazySeq {
                        self.realised(o)?;
                    }
                }
                (Body::Kont { delimited, .. }, Some(o)) => {
                    let winds = o.get(slot::KONT_FLAGS);
                    let dynamic = o.get(slot::KONT_DYN);
                    if !self.graph.bindings(dynamic) || !delimited && !self.graph.winds(winds) {
                        return Err("a continuation is not well-formed".into());
                    }
                }
                (Body::Frame, _) => self.graph.frame(&self.frames[e.frame as usize])?,
                _ => {}
            }
        }
        for (o, words) in &self.changes {
            let mut all = vec![Value::NIL; o.len().max(words.len())];
            words.iter().for_each(|(i, v)| all[*i] = *v);
            for i in left_out(o.kind()) {
                all[*i] = o.get(*i);
            }
            if o.kind() == Kind::Exception {
                all[slot::EX_TRACE] = Value::NIL;
            }
            self.graph.sound(o.kind(), o.aux(), &all)?;
        }
        Ok(())
    }
    /// A realised lazy seq may hold another one, but not itself.
    fn realised(&self, o: Obj) -> Res {
        let mut at = o;
        let mut steps = 0u64;
        while at.get(slot::LAZY_THUNK).is_nil() {
            let Some(next) = at.get(slot::LAZY_VALUE).as_kind(Kind::LazySeq) else { return Ok(()) };
            at = next;
            steps += 1;
            if steps > self.entries.len() as u64 {
                return Err("a lazy seq is its own value".into());
            }
        }
        Ok(())
    }

    /// Globals and types take their values, after conflicts were looked for.
    ///
    /// # Errors
    /// Names the conflicts; nothing was changed then.
    pub fn commit(&mut self, on_conflict: OnConflict) -> Res {
        let mut define = Vec::new();
        for d in &self.definitions {
            let root = d.var.get(slot::VAR_ROOT);
            let changed_by_program = self.program && self.vm.library.has_address(d.var.0 as usize);
            if changed_by_program || root == Value::UNBOUND {
                define.push((d.var, d.words));
                continue;
            }
            // Programs come without hashes: they are frozen often, and rarely meet definitions.
            let arriving = if self.program { meaning(self.vm, d.words[0]) } else { Ok(d.hash) };
            if meaning(self.vm, root).is_ok_and(|h| arriving.is_ok_and(|a| a == h)) {
                if self.program {
                    // The same but for what is in its cells: a program's state comes with it.
                    define.push((d.var, d.words));
                }
                continue;
            }
            match on_conflict {
                OnConflict::Ours => {}
                OnConflict::Theirs => define.push((d.var, d.words)),
                OnConflict::Error => self.conflicts.push(format!("#'{}", self.vm.var_text(d.var))),
            }
        }
        let mut changes = Vec::new();
        for (o, words) in &self.changes {
            let name = o.get(0).as_plain_symbol();
            let new = || name.and_then(|n| self.vm.classes.get(&n)).is_some_and(|i| *i >= self.first_class);
            if o.kind() == Kind::Type && !self.program && !new() {
                let items = |v: Value| v.as_kind(Kind::Vector).map(|_| coll::vector_values(v));
                let same = items(o.get(1)) == items(words[1].1) && o.get(2) == words[2].1;
                if same {
                    continue;
                }
                match on_conflict {
                    OnConflict::Ours | OnConflict::Theirs => {
                        let name = o.get(0).as_plain_symbol().map_or("", |n| self.vm.names.text(n));
                        return Err(format!("the type {name} has other fields here"));
                    }
                    OnConflict::Error => {
                        let name = o.get(0).as_plain_symbol().map_or("", |n| self.vm.names.text(n));
                        self.conflicts.push(format!("type {name}"));
                    }
                }
                continue;
            }
            changes.push((*o, words.clone()));
        }
        if !self.conflicts.is_empty() {
            return Err(format!("{}: {}", super::CONFLICT, self.conflicts.join(", ")));
        }
        for (var, words) in define {
            for (i, w) in words.into_iter().enumerate() {
                if i == 0 {
                    self.vm.set_root(var, w);
                } else {
                    self.vm.heap.write(var, slot::VAR_ROOT + i, w);
                }
            }
        }
        for (o, words) in changes {
            for (i, w) in words {
                self.vm.heap.write(o, i, w);
            }
        }
        for (name, o) in std::mem::take(&mut self.new_types) {
            self.vm.register_type(name, o);
        }
        Ok(())
    }
}

impl Vm {
    /// A type by its full name: a class, or what a namespace calls so.
    pub(crate) fn type_named(&self, name: u32) -> Option<Obj> {
        if let Some(i) = self.classes.get(&name) {
            return self.roots.extra[*i].as_kind(Kind::Type);
        }
        let (ns, n) = self.names.text(name).rsplit_once('.')?;
        let ns = self.namespaces.get(&self.names.find(ns)?)?;
        let meant = *ns.mappings.get(&self.names.find(n)?)?;
        // `deftype` makes a global.
        let meant = meant.as_kind(Kind::Var).map_or(meant, |var| var.get(slot::VAR_ROOT));
        let t = meant.as_kind(Kind::Type)?;
        (t.get(0).as_plain_symbol() == Some(name)).then_some(t)
    }
    /// A type that came along is known by its name.
    pub(crate) fn register_type(&mut self, name: u32, o: Obj) {
        let full = self.names.text(name).to_string();
        let i = self.roots.extra.len();
        self.roots.extra.push(o.into());
        self.classes.insert(name, i);
        if let Some((ns, n)) = full.rsplit_once('.')
            && let Some(ns) = self.names.find(ns)
            && self.namespaces.contains_key(&ns)
        {
            let n = self.names.intern(n);
            self.ns_mut(ns).mappings.entry(n).or_insert(o.into());
        }
    }
    /// A file of the AST by its name, added if there is none.
    pub(crate) fn file_named(&mut self, name: &str) -> u32 {
        let mine = self.ast.file_named(name);
        mine.unwrap_or_else(|| self.ast.add_file(name, ""))
    }
}
