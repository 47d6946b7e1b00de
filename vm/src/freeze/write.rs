//! From values to bytes.
//!
//! Every object gets a number. Immutable ones are numbered after what they refer to, mutable ones and globals when they are
//! first met: so references between immutable objects go to smaller numbers only, and whoever reads can tell that they make
//! no cycle. The order depends on the graph alone, so equal states give equal bytes.

use super::code::{self, Origin};
use super::{entry, tag};
use crate::driver::loader;
use crate::frame::{self, Code, Native, Proto, Resume, code_ref, flag, resume_ref};
use crate::layout::{KINDS, Kind, Mutability, SCAN, Scan, slot};
use crate::machine::Vm;
use crate::prim::table;
use crate::value::{Obj, Value};
use rustc_hash::{FxHashMap as HashMap, FxHashSet as HashSet};
use std::collections::VecDeque;
use yin_ast::pack::Out;

type Res<T = ()> = Result<T, String>;

/// What has a number.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Item {
    Object(Obj),
    /// The frame whose top header is word `end - 1` of the segment.
    Frame(Obj, usize),
}

impl Item {
    /// An address that stands for it: headers of objects and words of segments are different places.
    fn key(self) -> u64 {
        match self {
            Item::Object(o) => o.0 as u64,
            Item::Frame(seg, end) => seg.0 as u64 + 8 * (slot::SEG_WORDS + end) as u64,
        }
    }
}

/// How an object goes into the table.
#[derive(Clone, PartialEq)]
enum How {
    /// With its words.
    Whole,
    Frame,
    /// By a name; `payload`: with its contents too.
    Var {
        payload: bool,
    },
    Namespace,
    Primitive,
    Type {
        payload: bool,
    },
    LibraryValue {
        var: Obj,
        payload: bool,
    },
    LibraryObject {
        at: u64,
        payload: bool,
    },
}

/// One frame, as found in a segment.
pub(crate) struct FrameView {
    seg: Obj,
    /// Word of its slot 1.
    low: usize,
    record: &'static Resume,
}

impl FrameView {
    pub fn of(seg: Obj, end: usize) -> FrameView {
        let found = resume_ref(seg.raw(slot::SEG_WORDS + end - 1) as *const Resume);
        // Frames of machine code have the interpreter's record for the same place.
        let record = if found.canon.is_null() { found } else { resume_ref(found.canon) };
        FrameView { seg, low: end - record.delta as usize, record }
    }
    /// Slot `i`, from 1.
    pub fn slot(&self, i: usize) -> Value {
        self.seg.get(slot::SEG_WORDS + self.low + i - 1)
    }
    pub fn record(&self) -> &'static Resume {
        self.record
    }
    /// Live slots in order.
    pub fn slots(&self) -> impl Iterator<Item = usize> + '_ {
        (1..self.record.delta as usize).filter(|i| self.record.is_live(*i))
    }
    /// Segment and end of the frame below.
    pub fn parent_place(&self) -> Option<(Obj, usize)> {
        if self.low > 0 {
            return Some((self.seg, self.low));
        }
        let parent = self.seg.get(slot::SEG_PARENT).obj()?;
        Some((parent, self.seg.get(slot::SEG_PARENT_OFF).fix_get() as usize))
    }
    fn parent(&self) -> Option<Item> {
        self.parent_place().map(|(seg, end)| Item::Frame(seg, end))
    }
}

/// What the bytes are for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// A value with the globals it needs.
    Value,
    /// All of a machine.
    Program,
    /// The hash of a definition: globals by name only, contents of mutable cells left out.
    Meaning,
}

pub(super) struct Writer<'a> {
    pub vm: &'a mut Vm,
    scope: Scope,
    items: Vec<Item>,
    hows: Vec<How>,
    /// What each item was first met in.
    holder: HashMap<u64, Item>,
    ids: HashMap<u64, u32>,
    later: VecDeque<u32>,
    strings: Vec<String>,
    string_ids: HashMap<String, u32>,
    /// Interned name → string.
    name_strings: HashMap<u32, u32>,
    protos: Vec<(*const Proto, Origin, u32)>,
    proto_ids: HashMap<usize, u32>,
    forms: Vec<u32>,
    codes: Vec<(u32, u32, u64)>,
    code_ids: HashMap<usize, u32>,
    /// Values of the library's globals, made when needed.
    library_values: Option<HashMap<u64, Obj>>,
    /// Permanent objects that changed since the image was made.
    dirty: HashSet<u64>,
    /// Globals found on the way that need a hash.
    hashes: HashMap<u64, [u8; 32]>,
}

/// The body of a frozen value.
pub(super) fn value(vm: &mut Vm, v: Value) -> Res<Vec<u8>> {
    let mut w = Writer::new(vm, Scope::Value);
    w.reach(v)?;
    w.finish(|w, out| w.word(out, v))
}

/// Hash of what a global is: its value without what mutable cells hold; other globals count by name.
pub(super) fn meaning(vm: &mut Vm, v: Value) -> Res<[u8; 32]> {
    let mut w = Writer::new(vm, Scope::Meaning);
    w.reach(v)?;
    let bytes = w.finish(|w, out| w.word(out, v))?;
    Ok(*blake3::hash(&bytes).as_bytes())
}

impl<'a> Writer<'a> {
    pub fn new(vm: &'a mut Vm, scope: Scope) -> Writer<'a> {
        let dirty = if scope == Scope::Program {
            let inside = |o: &&Obj| vm.library.has_address(o.0 as usize);
            vm.heap.dirty_perm.iter().filter(inside).map(|o| o.0 as u64).collect()
        } else {
            HashSet::default()
        };
        Writer {
            vm,
            scope,
            items: Vec::new(),
            hows: Vec::new(),
            holder: HashMap::default(),
            ids: HashMap::default(),
            later: VecDeque::new(),
            strings: Vec::new(),
            string_ids: HashMap::default(),
            name_strings: HashMap::default(),
            protos: Vec::new(),
            proto_ids: HashMap::default(),
            forms: Vec::new(),
            codes: Vec::new(),
            code_ids: HashMap::default(),
            library_values: None,
            dirty,
            hashes: HashMap::default(),
        }
    }

    // ---- numbering
    /// The value must go in, with what it refers to.
    pub fn reach(&mut self, v: Value) -> Res {
        match v.obj() {
            Some(o) => self.reach_item(Item::Object(o)),
            None => Ok(()),
        }
    }
    pub fn reach_item(&mut self, item: Item) -> Res {
        self.descend(item, None)?;
        while let Some(id) = self.later.pop_front() {
            let item = self.items[id as usize];
            let how = self.hows[id as usize].clone();
            for child in self.children(item, &how)? {
                self.descend(child, Some(item))?;
            }
        }
        Ok(())
    }
    fn number(&mut self, item: Item, how: How) -> u32 {
        let id = self.items.len() as u32;
        self.ids.insert(item.key(), id);
        self.items.push(item);
        self.hows.push(how);
        id
    }
    /// Numbers `item` and the immutable objects below it; mutable ones wait for their turn.
    fn descend(&mut self, item: Item, from: Option<Item>) -> Res {
        struct Open {
            item: Item,
            how: How,
            children: Vec<Item>,
            next: usize,
        }
        let mut open: Vec<Open> = Vec::new();
        let mut inside: HashSet<u64> = HashSet::default();
        let mut next = Some(item);
        loop {
            if let Some(item) = next.take()
                && !self.ids.contains_key(&item.key())
            {
                if let Some(holder) = open.last().map(|o| o.item).or(from) {
                    self.holder.entry(item.key()).or_insert(holder);
                }
                let how = match self.how(item) {
                    Ok(h) => h,
                    Err(why) => return Err(self.explain(&why, item)),
                };
                let deferred = match (&how, item) {
                    (How::Whole, Item::Object(o)) => KINDS[o.kind() as usize].3 == Mutability::Mutable,
                    (How::Frame, _) => false,
                    _ => true,
                };
                if deferred {
                    let id = self.number(item, how);
                    self.later.push_back(id);
                } else {
                    if !inside.insert(item.key()) {
                        return Err("immutable objects refer to each other in a circle".into());
                    }
                    let children = self.children(item, &how)?;
                    open.push(Open { item, how, children, next: 0 });
                }
            }
            let Some(top) = open.last_mut() else { return Ok(()) };
            match top.children.get(top.next) {
                Some(c) => {
                    top.next += 1;
                    next = Some(*c);
                }
                None => {
                    let done = open.pop().expect("looked at");
                    inside.remove(&done.item.key());
                    self.number(done.item, done.how);
                }
            }
        }
    }

    fn how(&mut self, item: Item) -> Res<How> {
        let Item::Object(o) = item else { return Ok(How::Frame) };
        let kind = o.kind();
        let library = self.vm.library.has_address(o.0 as usize);
        let payload = library && self.dirty.contains(&(o.0 as u64));
        match kind {
            Kind::Var => {
                let payload = if library { payload } else { self.scope != Scope::Meaning };
                return Ok(How::Var { payload });
            }
            Kind::Namespace => return Ok(How::Namespace),
            Kind::PrimFn => return Ok(How::Primitive),
            Kind::Type => {
                let name = o.get(0).as_plain_symbol();
                let known = name.and_then(|n| self.vm.classes.get(&n)).map(|i| self.vm.roots.extra[*i]);
                // A class of the host is its name, and nothing else.
                let bare = o.get(2) == Value::ZERO && o.get(1).obj().is_some_and(|f| f.get(0) == Value::ZERO);
                let mine = known == Some(o.into()) && (library || bare);
                return Ok(How::Type { payload: if mine { payload } else { self.scope != Scope::Meaning } });
            }
            Kind::Native if self.vm.database(Value::from(o)).is_none() => {
                return Err("a store that is open for writing".into());
            }
            Kind::Seg | Kind::MapSeq | Kind::GenSeq | Kind::Generator => {
                return Err(format!("an object of the machine ({})", kind.name()));
            }
            _ => {}
        }
        if library {
            if let Some(var) = self.library_value(o) {
                return Ok(How::LibraryValue { var, payload });
            }
            if payload || KINDS[kind as usize].3 == Mutability::Mutable && kind != Kind::Closure {
                let at = (o.0 as usize - self.vm.heap.perm_base()) as u64 / 8;
                return Ok(How::LibraryObject { at, payload });
            }
        }
        Ok(How::Whole)
    }
    /// The global of the library whose value the object has been since the image was made.
    fn library_value(&mut self, o: Obj) -> Option<Obj> {
        if self.library_values.is_none() {
            let mut names: Vec<u32> = self.vm.namespaces.keys().copied().collect();
            names.sort_by(|a, b| self.vm.names.text(*a).cmp(self.vm.names.text(*b)));
            let mut found: HashMap<u64, Obj> = HashMap::default();
            for ns in names {
                for v in self.vm.namespaces[&ns].mappings.values() {
                    let Some(var) = v.as_kind(Kind::Var).filter(|o| self.vm.library.has_address(o.0 as usize)) else {
                        continue;
                    };
                    if let Some(root) = var.get(slot::VAR_ROOT).obj()
                        && self.vm.library.has_address(root.0 as usize)
                        && root.kind() != Kind::PrimFn
                    {
                        let e = found.entry(root.0 as u64).or_insert(var);
                        // Of several globals with one value, the first by name.
                        if self.vm.var_text(var) < self.vm.var_text(*e) {
                            *e = var;
                        }
                    }
                }
            }
            self.library_values = Some(found);
        }
        self.library_values.as_ref().and_then(|f| f.get(&(o.0 as u64)).copied())
    }

    /// What an item refers to, in order.
    fn children(&mut self, item: Item, how: &How) -> Res<Vec<Item>> {
        let object = |v: Value| v.obj().map(Item::Object);
        let o = match (item, how) {
            (Item::Frame(seg, end), _) => {
                let f = FrameView::of(seg, end);
                let known = self.protos.len();
                if let Err(why) = self.note_frame(&f) {
                    return Err(format!("{why}, in {}", self.vm.frame_text(f.record)));
                }
                let mut out: Vec<Item> = f.parent().into_iter().collect();
                out.extend(f.slots().filter_map(|i| object(f.slot(i))));
                self.globals_of_new(known, &mut out);
                return Ok(out);
            }
            (Item::Object(o), _) => o,
        };
        let whole = match how {
            How::Whole | How::Frame => true,
            How::Var { payload } => {
                if !payload {
                    return Ok(Vec::new());
                }
                if self.scope == Scope::Value {
                    let hash = meaning(self.vm, o.get(slot::VAR_ROOT)).unwrap_or([0; 32]);
                    self.hashes.insert(o.0 as u64, hash);
                }
                let words = &o.words()[slot::VAR_ROOT..slot::VAR_LEN];
                return Ok(words.iter().filter_map(|v| object(*v)).collect());
            }
            How::Type { payload } | How::LibraryValue { payload, .. } | How::LibraryObject { payload, .. } => *payload,
            How::Namespace | How::Primitive => false,
        };
        if !whole || (self.scope == Scope::Meaning && is_cell(o.kind())) {
            return Ok(Vec::new());
        }
        match o.kind() {
            Kind::Kont => {
                let mut out = Vec::new();
                if let Some(seg) = o.get(slot::KONT_SEG).obj() {
                    out.push(Item::Frame(seg, o.get(slot::KONT_OFF).fix_get() as usize));
                }
                out.extend([slot::KONT_DYN, slot::KONT_FLAGS].into_iter().filter_map(|i| object(o.get(i))));
                Ok(out)
            }
            Kind::Closure => {
                let proto = o.raw(slot::CLOSURE_PROTO) as *const Proto;
                let known = self.protos.len();
                if let Err(why) = self.proto(proto) {
                    return Err(self.explain(&why, item));
                }
                let mut out: Vec<Item> = o.words()[1..].iter().filter_map(|v| object(*v)).collect();
                self.globals_of_new(known, &mut out);
                Ok(out)
            }
            kind if SCAN[kind as usize] == Scan::All => {
                let left_out = left_out(kind);
                let words = o.words().iter().enumerate().filter(|(i, _)| !left_out.contains(i));
                Ok(words.filter_map(|(_, v)| object(*v)).collect())
            }
            _ => Ok(Vec::new()),
        }
    }

    /// The globals that functions met since the `known`-th name, but for the library's.
    fn globals_of_new(&mut self, known: usize, out: &mut Vec<Item>) {
        if self.scope != Scope::Value {
            return;
        }
        for i in known..self.protos.len() {
            let (proto, origin, _) = self.protos[i];
            if matches!(origin, Origin::Library(_)) {
                continue;
            }
            // SAFETY: protos are permanent.
            let node = unsafe { (*proto).node };
            for name in self.vm.globals_under(node) {
                let var = self.vm.var(&name);
                if !self.vm.library.has_address(var.0 as usize) {
                    out.push(Item::Object(var));
                }
            }
        }
    }
    /// The code a frame needs is named before anything is written.
    fn note_frame(&mut self, f: &FrameView) -> Res {
        match f.record.native() {
            Some(Native::Underflow) => Err("a frame that cannot be frozen".into()),
            Some(_) => Ok(()),
            None => self.code(f.record.owner).map(|_| ()),
        }
    }
    fn proto(&mut self, proto: *const Proto) -> Res<u32> {
        if let Some(&i) = self.proto_ids.get(&(proto as usize)) {
            return Ok(i);
        }
        // SAFETY: protos are permanent (invariant 1 of `frame`); callers took the address from a closure or a code.
        let p = unsafe { &*proto };
        let name = p.name.as_plain_symbol().map_or("fn".to_string(), |id| self.vm.names.text(id).to_string());
        let Some((origin, rank)) = self.vm.name_of_proto(proto, p.node) else {
            return Err(format!("the function {name} has no form"));
        };
        if let Origin::Form(f) = origin {
            if self.scope != Scope::Meaning
                && let Err(why) = &self.vm.book.form(f).packed
            {
                return Err(why.clone());
            }
            if !self.forms.contains(&f) {
                self.forms.push(f);
            }
        }
        let i = self.protos.len() as u32;
        self.protos.push((proto, origin, rank));
        self.proto_ids.insert(proto as usize, i);
        Ok(i)
    }
    fn code(&mut self, code: *const Code) -> Res<u32> {
        if let Some(&i) = self.code_ids.get(&(code as usize)) {
            return Ok(i);
        }
        let c = code_ref(code);
        let proto = self.proto(c.proto)?;
        let arity = c.proto().arities().position(|a| std::ptr::eq(a, c)).ok_or("a code without a function")? as u32;
        let i = self.codes.len() as u32;
        self.codes.push((proto, arity, code::digest(c)));
        self.code_ids.insert(code as usize, i);
        Ok(i)
    }

    /// Says where something is that cannot travel: the frame and local, or the global, through which it is reached.
    fn explain(&mut self, why: &str, item: Item) -> String {
        let mut text = why.to_string();
        let mut below = item;
        while let Some(&holder) = self.holder.get(&below.key()) {
            match holder {
                Item::Frame(seg, end) => {
                    let f = FrameView::of(seg, end);
                    let at = f.slots().find(|i| f.slot(*i).obj().map(Item::Object) == Some(below));
                    let place = self.vm.frame_text(f.record);
                    let local = at.and_then(|i| self.vm.local_name(f.record, i));
                    text.push_str(&match local {
                        Some(l) => format!(", held by the local {l} of {place}"),
                        None => format!(", held by {place}"),
                    });
                    return text;
                }
                Item::Object(o) if o.kind() == Kind::Var => {
                    text.push_str(&format!(", the value of #'{}", self.vm.var_text(o)));
                    return text;
                }
                Item::Object(o) => text.push_str(&format!(", in a {}", o.kind().name())),
            }
            below = holder;
        }
        text
    }

    // ---- writing
    fn string(&mut self, s: &str) -> u32 {
        if let Some(&i) = self.string_ids.get(s) {
            return i;
        }
        let i = self.strings.len() as u32;
        self.strings.push(s.into());
        self.string_ids.insert(s.into(), i);
        i
    }
    fn name(&mut self, id: u32) -> u32 {
        if let Some(&i) = self.name_strings.get(&id) {
            return i;
        }
        let text = self.vm.names.text(id).to_string();
        let i = self.string(&text);
        self.name_strings.insert(id, i);
        i
    }
    pub fn put_string(&mut self, out: &mut Out, s: &str) {
        let i = self.string(s);
        out.number(u64::from(i));
    }
    pub fn put_name(&mut self, out: &mut Out, id: u32) {
        let i = self.name(id);
        out.number(u64::from(i));
    }
    pub fn put_id(&mut self, out: &mut Out, item: Item) -> Res {
        let id = *self.ids.get(&item.key()).ok_or("an object was met that was not there before")?;
        if id < 0x80 {
            out.0.push(tag::NEAR + id as u8);
        } else {
            out.0.push(tag::OBJECT);
            out.number(u64::from(id));
        }
        Ok(())
    }
    /// A tagged word.
    pub fn word(&mut self, out: &mut Out, v: Value) -> Res {
        if let Some(n) = v.as_fix() {
            let small = n + tag::SMALL_ZERO;
            if (0..0x40).contains(&small) {
                out.0.push(tag::SMALL + small as u8);
            } else {
                out.0.push(tag::INT);
                out.signed(n);
            }
        } else if v.is_inline_f64() {
            out.0.push(tag::DOUBLE);
            out.0.extend(v.f64_get().to_bits().to_le_bytes());
        } else if let Some(o) = v.obj() {
            return self.put_id(out, Item::Object(o));
        } else if let Some(c) = v.as_char() {
            out.0.push(tag::CHAR);
            out.number(u64::from(u32::from(c)));
        } else if let Some(k) = v.as_keyword() {
            out.0.push(tag::KEYWORD);
            self.put_name(out, k);
        } else if let Some(s) = v.as_plain_symbol() {
            out.0.push(tag::SYMBOL);
            self.put_name(out, s);
        } else {
            out.0.push(match v {
                Value::NIL => tag::NIL,
                Value::FALSE => tag::FALSE,
                Value::TRUE => tag::TRUE,
                Value::UNBOUND => tag::UNBOUND,
                Value::ABSENT => tag::ABSENT,
                _ => return Err("an unknown word".into()),
            });
        }
        Ok(())
    }

    /// Everything: the tables, the objects, then what `tail` writes.
    pub fn finish(mut self, tail: impl FnOnce(&mut Self, &mut Out) -> Res) -> Res<Vec<u8>> {
        let mut kinds: Vec<String> = Vec::new();
        let mut kind_ids: HashMap<String, u64> = HashMap::default();
        let mut heads = Out::default();
        let mut bodies = Out::default();
        for id in 0..self.items.len() {
            let (item, how) = (self.items[id], self.hows[id].clone());
            let label = match (&how, item) {
                (How::Whole, Item::Object(o)) => o.kind().name(),
                (How::Frame, _) | (How::Whole, Item::Frame(..)) => entry::FRAME,
                (How::Var { .. }, _) => entry::VAR,
                (How::Namespace, _) => entry::NAMESPACE,
                (How::Primitive, _) => entry::PRIMITIVE,
                (How::Type { .. }, _) => entry::TYPE,
                (How::LibraryValue { .. }, _) => entry::LIBRARY_VALUE,
                (How::LibraryObject { .. }, _) => entry::LIBRARY_OBJECT,
            };
            let k = *kind_ids.entry(label.to_string()).or_insert_with(|| {
                kinds.push(label.to_string());
                kinds.len() as u64 - 1
            });
            heads.number(k);
            match (how, item) {
                (_, Item::Frame(seg, end)) => self.frame(&mut bodies, seg, end)?,
                (How::Whole, Item::Object(o)) => self.object(&mut heads, &mut bodies, o)?,
                (How::Frame, _) => {}
                (How::Var { payload }, Item::Object(o)) => {
                    let text = self.vm.var_text(o);
                    self.put_string(&mut heads, &text);
                    self.var(&mut heads, &mut bodies, o, payload)?;
                }
                (How::Namespace, Item::Object(o)) => {
                    let name = o.get(0).as_plain_symbol().ok_or("a namespace without a name")?;
                    self.put_name(&mut heads, name);
                }
                (How::Primitive, Item::Object(o)) => {
                    let name = table::get(o.aux()).ok_or("an unknown primitive")?.name;
                    self.put_string(&mut heads, name);
                }
                (How::Type { payload }, Item::Object(o)) => {
                    let name = o.get(0).as_plain_symbol().ok_or("a type without a name")?;
                    self.put_name(&mut heads, name);
                    heads.0.push(u8::from(payload));
                    if payload {
                        self.words(&mut bodies, o)?;
                    }
                }
                (How::LibraryValue { var, payload }, Item::Object(o)) => {
                    let text = self.vm.var_text(var);
                    self.put_string(&mut heads, &text);
                    self.contents(&mut heads, &mut bodies, o, payload)?;
                }
                (How::LibraryObject { at, payload }, Item::Object(o)) => {
                    heads.number(at);
                    self.contents(&mut heads, &mut bodies, o, payload)?;
                }
            }
        }
        let mut end = Out::default();
        tail(&mut self, &mut end)?;
        let mut functions = Out::default();
        let forms = std::mem::take(&mut self.forms);
        if self.scope != Scope::Meaning {
            functions.number(forms.len() as u64);
            for f in &forms {
                let form = self.vm.book.form(*f);
                functions.0.extend(form.hash.0);
                functions.bytes(form.packed.as_ref().map_err(Clone::clone)?);
            }
        }
        let protos = std::mem::take(&mut self.protos);
        functions.number(protos.len() as u64);
        for (proto, origin, rank) in protos {
            match origin {
                // The form around a function does not count, only the function.
                Origin::Form(_) if self.scope == Scope::Meaning => {
                    // SAFETY: protos are permanent.
                    let hash = self.vm.hash_of_function(unsafe { (*proto).node });
                    functions.0.extend(hash.0);
                    continue;
                }
                Origin::Library(hash) => {
                    functions.0.push(0);
                    functions.0.extend(hash.0);
                }
                Origin::Form(f) => {
                    functions.number(1 + forms.iter().position(|x| *x == f).expect("noted with the function") as u64)
                }
            }
            functions.number(u64::from(rank));
            // SAFETY: protos are permanent.
            let name = unsafe { (*proto).name }.as_plain_symbol();
            match name {
                Some(id) if self.scope != Scope::Meaning => {
                    let i = self.name(id);
                    functions.number(1 + u64::from(i));
                }
                _ => functions.0.push(0),
            }
        }
        functions.number(self.codes.len() as u64);
        for (proto, arity, digest) in &self.codes {
            functions.number(u64::from(*proto));
            functions.number(u64::from(*arity));
            functions.0.extend(digest.to_le_bytes());
        }
        let mut out = Out::default();
        if self.scope != Scope::Meaning {
            out.0.extend(self.vm.library.hash);
        }
        out.number(self.strings.len() as u64);
        self.strings.iter().for_each(|s| out.text(s));
        out.number(kinds.len() as u64);
        kinds.iter().for_each(|k| out.text(k));
        out.0.extend(functions.0);
        out.number(self.items.len() as u64);
        out.0.extend(heads.0);
        out.0.extend(bodies.0);
        out.0.extend(end.0);
        Ok(out.0)
    }

    fn var(&mut self, heads: &mut Out, bodies: &mut Out, o: Obj, payload: bool) -> Res {
        heads.0.push(u8::from(payload));
        if payload {
            let hash = self.hashes.get(&(o.0 as u64)).copied().unwrap_or([0; 32]);
            bodies.0.extend(hash);
            for i in slot::VAR_ROOT..slot::VAR_LEN {
                self.word(bodies, o.get(i))?;
            }
        }
        Ok(())
    }
    /// Contents of an object of the library that changed.
    fn contents(&mut self, heads: &mut Out, bodies: &mut Out, o: Obj, payload: bool) -> Res {
        heads.0.push(u8::from(payload));
        if !payload {
            return Ok(());
        }
        if SCAN[o.kind() as usize] != Scan::All || o.kind() == Kind::Closure {
            return Err(format!("a {} of the library changed", o.kind().name()));
        }
        heads.number(o.len() as u64);
        self.words(bodies, o)
    }
    fn words(&mut self, bodies: &mut Out, o: Obj) -> Res {
        let left_out = left_out(o.kind());
        for (i, v) in o.words().iter().enumerate() {
            if !left_out.contains(&i) {
                self.word(bodies, *v)?;
            }
        }
        Ok(())
    }
    fn object(&mut self, heads: &mut Out, bodies: &mut Out, o: Obj) -> Res {
        match o.kind() {
            Kind::Float64 | Kind::Int64 | Kind::Inst => heads.0.extend(o.raw(0).to_le_bytes()),
            Kind::Uuid => {
                heads.0.extend(o.raw(0).to_le_bytes());
                heads.0.extend(o.raw(1).to_le_bytes());
            }
            Kind::BigInt => {
                heads.number((o.len() as u64) << 1 | u64::from(o.aux() & 1));
                (0..o.len()).for_each(|i| heads.0.extend(o.raw(i).to_le_bytes()));
            }
            Kind::Str => heads.text(Value::from(o).as_str().unwrap_or("")),
            Kind::SpanMeta => {
                let file = self.vm.ast.file(o.raw(0) as u32).map(|f| f.name.clone());
                match file {
                    Some(f) => {
                        let i = self.string(&f);
                        heads.number(1 + u64::from(i));
                    }
                    None => heads.0.push(0),
                }
                for n in [o.raw(0) >> 32, o.raw(1) & 0xFFFF_FFFF, o.raw(1) >> 32, o.raw(2)] {
                    heads.number(n);
                }
            }
            Kind::PrimArray => {
                heads.number(u64::from(o.aux()));
                heads.number(o.len() as u64);
                if self.scope == Scope::Meaning {
                    return Ok(());
                }
                let double = matches!(o.aux(), crate::prim::coll::elem::DOUBLE | crate::prim::coll::elem::FLOAT);
                for i in 0..o.len() {
                    if double {
                        heads.0.extend(o.raw(i).to_le_bytes());
                    } else {
                        heads.signed(o.raw(i) as i64);
                    }
                }
            }
            Kind::Native => {
                let db = self.vm.database(Value::from(o)).ok_or("a store that is open for writing")?;
                // A history is no database, and a database of a damaged store has nothing to give.
                let bytes = db.to_bytes().map_err(|e| e.message)?;
                heads.number(bytes.len() as u64);
                heads.0.extend(bytes);
            }
            Kind::Buffer => {
                let text = self.vm.buffers.get(o.get(0).as_fix().unwrap_or(-1) as usize).cloned().unwrap_or_default();
                heads.number(u64::from(o.aux()));
                heads.text(if self.scope == Scope::Meaning { "" } else { &text });
            }
            Kind::Kont => {
                let delimited = !o.get(slot::KONT_TAG).is_nil();
                let quiet = delimited && o.get(slot::KONT_FLAGS).is_fix();
                heads.0.push(u8::from(delimited) + u8::from(quiet));
                match o.get(slot::KONT_SEG).obj() {
                    Some(seg) => {
                        self.put_id(bodies, Item::Frame(seg, o.get(slot::KONT_OFF).fix_get() as usize))?;
                    }
                    None => bodies.0.push(tag::NIL),
                }
                self.word(bodies, o.get(slot::KONT_DYN))?;
                if !delimited {
                    self.word(bodies, o.get(slot::KONT_FLAGS))?;
                }
            }
            Kind::Closure => {
                let i = self.proto_ids[&(o.raw(slot::CLOSURE_PROTO) as usize)];
                heads.number(u64::from(i));
                heads.number(o.len() as u64 - slot::CLOSURE_CAPTURES as u64);
                for v in &o.words()[slot::CLOSURE_META..] {
                    self.word(bodies, *v)?;
                }
            }
            kind => {
                heads.number(u64::from(o.aux()));
                heads.number(o.len() as u64);
                if self.scope == Scope::Meaning && is_cell(kind) {
                    return Ok(());
                }
                if kind == Kind::Loader {
                    // The number of a file means nothing elsewhere, its name does.
                    let file = o.get(loader::FILE).as_fix().and_then(|f| u32::try_from(f).ok());
                    let name = file.and_then(|f| self.vm.ast.file(f)).map(|f| f.name.clone());
                    match name {
                        Some(f) => {
                            let i = self.string(&f);
                            bodies.number(1 + u64::from(i));
                        }
                        None => bodies.0.push(0),
                    }
                }
                self.words(bodies, o)?;
            }
        }
        Ok(())
    }
    fn frame(&mut self, out: &mut Out, seg: Obj, end: usize) -> Res {
        let f = FrameView::of(seg, end);
        match f.record.native() {
            Some(n) => {
                out.0.push(0);
                out.0.push(n as u8);
                if n == Native::Activate {
                    out.number(u64::from(f.record.delta) - 2);
                }
            }
            None => {
                let code = self.code_ids[&(f.record.owner as usize)];
                out.number(1 + u64::from(code));
                let pc = code_ref(f.record.owner).index(f.record.pc) as u64;
                out.number(pc << 1 | u64::from(f.record.flags() & flag::DISCARD != 0));
            }
        }
        match f.parent() {
            Some(p) => self.put_id(out, p)?,
            None => out.0.push(tag::NIL),
        }
        for i in f.slots() {
            self.word(out, f.slot(i))?;
        }
        Ok(())
    }
}

/// Words that hold what the machine finds again by itself: caches and numbers that mean nothing elsewhere.
pub(super) fn left_out(kind: Kind) -> &'static [usize] {
    match kind {
        // The number of the compiled pattern.
        Kind::Regex => &[1],
        // Codes and nodes of the trace.
        Kind::Exception => &[slot::EX_TRACE],
        Kind::ProtocolFn => &[3, 4, 5, 6, 7, 8, 9, 10, 11],
        Kind::Loader => &[loader::FILE],
        _ => &[],
    }
}

/// Mutable cells, whose contents are no part of what a definition means.
fn is_cell(kind: Kind) -> bool {
    use Kind::*;
    matches!(
        kind,
        Atom | Volatile
            | Box
            | Ref
            | Array
            | PrimArray
            | Promise
            | Delay
            | LazySeq
            | Instance
            | Transient
            | Matcher
            | Buffer
            | ChunkBuffer
            | Loader
            | Exception
    )
}

impl Vm {
    /// `ns/name` of a global.
    pub(crate) fn var_text(&self, var: Obj) -> String {
        let text = |v: Value| v.as_plain_symbol().map_or("", |id| self.names.text(id));
        format!("{}/{}", text(var.get(slot::VAR_NS)), text(var.get(slot::VAR_NAME)))
    }
    /// Function and place of a suspended frame.
    pub(crate) fn frame_text(&self, r: &Resume) -> String {
        match r.owner() {
            None => format!("a frame of the machine ({:?})", r.native()),
            Some(code) => {
                let name = code.proto().name.as_plain_symbol().map_or("top level", |id| self.names.text(id));
                match self.place_of_node(r.node) {
                    Some((file, line)) => format!("{name} ({file}:{line})"),
                    None => name.to_string(),
                }
            }
        }
    }
    pub(crate) fn place_of_node(&self, node: u32) -> Option<(String, u32)> {
        let id = yin_ast::NodeId(node);
        if !self.ast.has(id) {
            return None;
        }
        let f = self.ast.file(self.ast.span(id).file)?;
        Some((f.name.clone(), self.ast.line_col(id).0))
    }
    /// Name of the local that slot `i` of a suspended frame holds.
    pub(crate) fn local_name(&self, r: &Resume, i: usize) -> Option<String> {
        let code = r.owner()?;
        let pc = code.index(r.pc) as u32;
        let reg = i.checked_sub(crate::layout::FRAME_HEADER)? as u32;
        let covers = |l: &&frame::Local| l.reg == reg && l.start <= pc && pc <= l.end;
        if let Some(l) = code.locals().iter().rev().find(covers) {
            return Some(self.names.text(l.name).to_string());
        }
        None
    }
}
