//! Running programs: reading, analysing, compiling and calling one top-level form after the other.

use crate::code::FnDraft;
use crate::compile::{self, Env};
use crate::expand;
use crate::frame::{Native, Regs};
use crate::layout::{Kind, slot, var_flag};
use crate::machine::{ErrKind, Exit, Stop, Vm};
use crate::namespace::Answers;
use crate::phases::Phase;
use crate::prim::{PrimDef, R, VMOP, coll, hamt, prim, table, text, types, vector};
use crate::value::{Obj, Value};
use yin_ast::diag::Diag;
use yin_yang::clojure::reader::{ReadError, Reader};

/// A source being evaluated: an object of `Kind::Loader`, so that a continuation has it with it.
#[derive(Clone, Copy)]
pub(crate) struct Loader(pub(crate) Obj);

/// Words of a loader.
pub(crate) mod loader {
    /// The source, a string.
    pub const TEXT: usize = 0;
    /// Bytes of it that were read.
    pub const AT: usize = 1;
    /// Its file in the AST, -1 for forms from nowhere.
    pub const FILE: usize = 2;
    /// Where the form read last starts and ends: the place of what its macros make.
    pub const START: usize = 3;
    pub const END: usize = 4;
    /// Forms still to evaluate before reading on, a list.
    pub const FORMS: usize = 5;
    /// Namespace to go back to, a symbol.
    pub const NS: usize = 6;
    /// `*file*` to go back to.
    pub const FILE_NAME: usize = 7;
    /// Value of the form evaluated last.
    pub const LAST: usize = 8;
    pub const LEN: usize = 9;
}

impl Loader {
    fn of(v: Value) -> Loader {
        Loader(v.as_kind(Kind::Loader).expect("load frames hold loaders"))
    }
    /// The number in a word; those that are written are small.
    fn number(self, i: usize) -> i64 {
        self.0.get(i).fix_get()
    }
    pub(crate) fn span(self) -> yin_ast::Span {
        let file = u32::try_from(self.number(loader::FILE)).unwrap_or(yin_ast::Span::NO_FILE);
        yin_ast::Span { file, start: self.number(loader::START) as u32, end: self.number(loader::END) as u32 }
    }
    fn is_file(self) -> bool {
        self.number(loader::FILE) >= 0
    }
}

/// Mistakes in a text, found with the one that ended the program.
pub(crate) struct Unread {
    file: u32,
    first: ReadError,
    more: Vec<ReadError>,
}

/// A place in a source, for reports.
#[derive(Clone, Debug)]
pub struct Place {
    pub file: String,
    /// Line and column, from 1; the column counts characters.
    pub line: u32,
    pub column: u32,
    /// Characters of this line that are meant, at least 1.
    pub width: u32,
    /// The line.
    pub text: String,
}

/// What a program left behind when it failed.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Kind word of the report.
    pub kind: String,
    pub message: String,
    /// File, line, column, text of the line.
    pub place: Option<Place>,
    /// What it is in the table of diagnostics.
    pub diag: Option<Diag>,
    /// What may help.
    pub hint: Option<String>,
    /// Function and place of the frames it passed, innermost first.
    pub trace: Vec<String>,
    pub stop: Option<Stop>,
    /// Further mistakes of the same text.
    pub also: Vec<Failure>,
}

impl Failure {
    fn new(kind: &str, message: String) -> Failure {
        let kind = kind.to_string();
        let (place, diag, hint, trace, stop, also) = (None, None, None, Vec::new(), None, Vec::new());
        Failure { kind, message, place, diag, hint, trace, stop, also }
    }
}

/// Library sources that come with the machine: namespace, text.
pub static LIBRARY: &[(&str, &str)] = &include!(concat!(env!("OUT_DIR"), "/library.rs"));

impl Vm {
    /// A machine with the primitives and the core library, evaluated from its sources. See `image` for the quick way.
    ///
    /// # Errors
    /// A failure while the core library is evaluated, or the operating system's refusal of memory.
    pub fn from_sources(perm_at: usize) -> Result<Vm, String> {
        let mut vm = Vm::with_primitives(perm_at)?;
        let core_ns = vm.names.intern("clojure.core");
        vm.set_current_ns(core_ns);
        let core = LIBRARY.iter().find(|l| l.0 == "clojure.core").map_or("", |l| l.1);
        if vm.eval_text(core, "clojure/core.clj").is_err() {
            let f = vm.failure();
            return Err(format!("core library: error[{}]: {} {:?} {:?}", f.kind, f.message, f.place, f.trace));
        }
        let user = vm.names.intern("user");
        vm.set_current_ns(user);
        vm.loaded.insert(core_ns);
        Ok(vm)
    }

    /// A machine with the primitives as vars, and nothing else. `perm_at`: where permanent memory should lie, 0 = as usual.
    pub fn with_primitives(perm_at: usize) -> Result<Vm, String> {
        let mut vm = Vm::bare_at(perm_at)?;
        for (id, def) in table::all() {
            vm.prim_ids.insert(def.name, id);
            let name = vm.symbol(def.name);
            let f = vm.heap.alloc_perm(Kind::PrimFn, id, &[name, Value::NIL]);
            let (ns, n) = if let Some(ns) = def.name.strip_suffix("//") {
                (ns, "/")
            } else {
                def.name.split_once('/').expect("qualified")
            };
            let (ns, n) = (vm.names.intern(ns), vm.names.intern(n));
            let var = vm.intern_var(ns, n);
            vm.heap.write(var, slot::VAR_ROOT, f.into());
            let doc = vm.keyword("doc");
            let text = vm.str(def.doc);
            let meta = vm.alloc(Kind::ArrayMap, &[Value::NIL, doc, text]);
            vm.heap.write(var, slot::VAR_META, meta);
        }
        let ns_var = vm.var("clojure.core/*ns*");
        vm.heap.write(ns_var, slot::VAR_FLAGS, Value::fix(var_flag::DYNAMIC));
        vm.ns_var = Some(ns_var);
        let core = vm.names.intern("clojure.core");
        vm.set_current_ns(core);
        Ok(vm)
    }

    /// Evaluates a text form by form in the current namespace. The value of the last form.
    pub fn eval_text(&mut self, source: &str, file_name: &str) -> Result<Value, Exit> {
        let l = self.open_loader(source, file_name);
        let f = self.var("yin.rt/run-loader").get(slot::VAR_ROOT);
        self.call_now(f, &[l.0.into()])
    }
    pub(crate) fn open_loader(&mut self, source: &str, file_name: &str) -> Loader {
        let file = self.ast.add_file(file_name, source);
        let text = self.str(source);
        let name = self.str(file_name);
        let before = self.swap_file_name(name);
        self.new_loader(text, i64::from(file), Value::NIL, before)
    }
    fn new_loader(&mut self, text: Value, file: i64, forms: Value, file_name: Value) -> Loader {
        let mut w = [Value::ZERO; loader::LEN];
        w[loader::TEXT] = text;
        w[loader::FILE] = Value::fix(file);
        w[loader::FORMS] = forms;
        w[loader::NS] = Value::symbol(self.current_ns());
        w[loader::FILE_NAME] = file_name;
        w[loader::LAST] = Value::NIL;
        Loader(self.heap.alloc_with(Kind::Loader, 0, &w))
    }

    /// Sets `*file*`; what it was.
    fn swap_file_name(&mut self, name: Value) -> Value {
        let var = self.var("clojure.core/*file*");
        let old = var.get(slot::VAR_ROOT);
        self.heap.write(var, slot::VAR_ROOT, name);
        if old == Value::UNBOUND { Value::NIL } else { old }
    }
    /// A form was evaluated to `v`: the next one.
    pub(crate) fn load_next(&mut self, fp: Regs, v: Value) {
        let l = Loader::of(Value(fp.word(1)));
        if v != Value::ABSENT {
            self.heap.write(l.0, loader::LAST, v);
        }
        match self.next_thunk(l) {
            Ok(Some(thunk)) => {
                let callee = fp.up(2);
                callee.set_word(0, self.natives.get(Native::Load) as u64);
                callee.set_word(1, thunk.bits());
                self.activate(callee, 0)
            }
            Ok(None) => {
                self.close_loader(l);
                self.deliver(fp, l.0.get(loader::LAST))
            }
            Err(exit) => {
                self.close_loader(l);
                self.raise_exit(fp, exit)
            }
        }
    }
    /// An exception passes a load: its file is closed.
    pub(crate) fn load_failed(&mut self, fp: Regs) {
        self.close_loader(Loader::of(Value(fp.word(1))))
    }
    fn close_loader(&mut self, l: Loader) {
        if l.is_file() {
            if let Some(ns) = l.0.get(loader::NS).as_plain_symbol() {
                self.set_current_ns(ns);
            }
            self.swap_file_name(l.0.get(loader::FILE_NAME));
        }
    }
    /// The next top-level form as a function of no arguments.
    fn next_thunk(&mut self, l: Loader) -> R<Option<Value>> {
        match self.next_form(l)? {
            Some(form) => self.thunk(form, l.span()).map(Some),
            None => Ok(None),
        }
    }
    pub(crate) fn next_form(&mut self, l: Loader) -> R<Option<Value>> {
        loop {
            let form = match l.0.get(loader::FORMS).as_kind(Kind::Cons) {
                Some(c) => {
                    self.heap.write(l.0, loader::FORMS, c.get(1));
                    c.get(0)
                }
                None => match self.phase(Phase::Read, |vm| vm.read_next(l))? {
                    Some(f) => f,
                    None => return Ok(None),
                },
            };
            // A `do`, also one that a macro gives, is a sequence of top-level forms.
            let mut form = form;
            for turn in 0.. {
                let next = self.phase(Phase::Expand, |vm| vm.macroexpand_top(form))?;
                if next == form {
                    break;
                }
                if turn == expand::MAX_DEPTH {
                    return Err(self.err(ErrKind::Syntax, Diag::NestedForms.message(&[])));
                }
                form = next;
            }
            if coll::is_seq(form) {
                let items = self.form_items(form)?;
                let head = items.first().and_then(|h| self.symbol_id(*h)).map(|id| self.names.text(id).to_string());
                if head.as_deref() == Some("do") && items.len() > 2 {
                    for f in items[1..].iter().rev() {
                        let more = self.alloc(Kind::Cons, &[*f, l.0.get(loader::FORMS)]);
                        self.heap.write(l.0, loader::FORMS, more);
                    }
                    continue;
                }
            }
            return Ok(Some(form));
        }
    }
    fn macroexpand_top(&mut self, form: Value) -> R {
        // Only forms whose macro may give a `do` need the step here; the analyser does the rest.
        let span = form.as_kind(Kind::List).filter(|o| o.len() > 3).map(|o| o.get(3));
        if span.is_none() && !coll::is_seq(form) {
            return Ok(form);
        }
        if let Some(s) = span.and_then(|s| s.as_kind(Kind::SpanMeta)) {
            self.err_span =
                Some(yin_ast::Span { file: s.raw(0) as u32, start: (s.raw(0) >> 32) as u32, end: s.raw(1) as u32 });
        }
        let e = self.macroexpand_1(form)?;
        if e != form
            && let (Some(o), Some(s)) = (e.as_kind(Kind::List), span)
            && o.len() == 3
        {
            return types::with_meta(self, e, s);
        }
        Ok(e)
    }
    fn read_next(&mut self, l: Loader) -> R<Option<Value>> {
        let (text, at) = (l.0.get(loader::TEXT).as_str().unwrap_or(""), l.number(loader::AT) as usize);
        let file = l.span().file;
        if at >= text.len() {
            return Ok(None);
        }
        let mut reader = Reader::new(text).at(at);
        let form = reader.next_form(&mut Answers(self));
        l.0.set(loader::AT, Value::fix(reader.position() as i64));
        match form {
            Ok(Some(f)) => {
                l.0.set(loader::START, Value::fix(f.start as i64));
                l.0.set(loader::END, Value::fix(f.end as i64));
                let v = self.value_of_form(&f, file);
                if v.is_err() {
                    self.err_span = Some(yin_ast::Span { file, start: f.start, end: f.end });
                }
                v.map(Some)
            }
            Ok(None) => Ok(None),
            Err(mut errors) => {
                // The program ends here; what else is wrong with its text is said with it.
                errors.extend(reader.remaining_errors(&mut Answers(self)));
                let first = errors.remove(0);
                self.err_span = Some(yin_ast::Span { file, start: first.start, end: first.end });
                let exit = self.err(ErrKind::Read, &first.message);
                self.unread = Some(Unread { file, first, more: errors });
                Err(exit)
            }
        }
    }
    /// The value of a text that holds one datum.
    ///
    /// # Errors
    /// A read error: the text is no datum, or more than one.
    pub fn read_data(&mut self, s: &str) -> R {
        match read_text(self, s, true, Vec::new())? {
            (Some(v), n) if s[n..].trim().is_empty() => Ok(v),
            (Some(_), _) => Err(self.err(ErrKind::Read, "there is more than one datum")),
            (None, _) => Err(self.err(ErrKind::Read, "there is no datum")),
        }
    }
    /// A form as a function of no arguments.
    fn thunk(&mut self, form: Value, span: yin_ast::Span) -> R {
        let root = self.analyse(form, span)?;
        self.code_of(root)
    }
    fn analyse(&mut self, form: Value, span: yin_ast::Span) -> R<yin_ast::NodeId> {
        let first = yin_ast::NodeId(self.ast.len() as u32);
        let root = self.phase(Phase::Expand, |vm| expand::analyse(vm, form, span))?;
        let root = if self.passes.is_some() { self.with_passes(first, root)? } else { root };
        if self.dump_ast {
            let mut text = Vec::new();
            let shown = yin_ast::datoms::tree(&self.ast, root, &mut text);
            debug_assert!(shown.is_ok(), "memory takes it");
            eprint!("{}", String::from_utf8_lossy(&text));
        }
        Ok(root)
    }
    /// A root of the AST as a function of no arguments.
    pub(crate) fn code_of(&mut self, root: yin_ast::NodeId) -> R {
        self.phase(Phase::Compile, |vm| vm.install_root(root))
    }
    fn install_root(&mut self, root: yin_ast::NodeId) -> R {
        if self.heap.is_perm_full() {
            self.pending.stop = Stop::Memory;
            return Err(Exit::Stop);
        }
        let draft = match compile::compile(&self.ast, root, &Env { prims: &self.prim_ids, redefined: &self.redefined })
        {
            Ok(d) => d,
            Err(m) => return Err(self.err(ErrKind::Syntax, m)),
        };
        self.dump(&draft);
        match self.install(&draft) {
            Ok(p) => Ok(self.closure(p)),
            Err(m) => Err(self.err(ErrKind::Syntax, m)),
        }
    }
    fn dump(&mut self, d: &FnDraft) {
        if self.dump_ops {
            eprint!("{}", listing(d, 0));
        }
    }

    /// What the pending error is, for reports.
    pub fn failure(&mut self) -> Failure {
        let e = self.pending.value;
        let mut f = Failure::new("user", String::new());
        if let Some(o) = e.as_kind(Kind::Exception) {
            let class = self.symbol_id(o.get(slot::EX_CLASS)).map_or("", |id| self.names.text(id)).to_string();
            f.kind = match o.get(slot::EX_KIND).as_keyword() {
                Some(k) => self.names.text(k).to_string(),
                None => kind_of_class(&class).to_string(),
            };
            f.message = match o.get(slot::EX_MESSAGE).as_str() {
                Some(m) => m.to_string(),
                None => class,
            };
            let data = o.get(slot::EX_DATA);
            if coll::is_map(data) && coll::count(self, data).is_ok_and(|n| n.fix_get() > 0) {
                f.message = format!("{} {}", f.message, self.show(data));
            }
        } else {
            f.message = self.show(e);
        }
        let trace = self.trace_of(e);
        if !trace.is_empty() {
            for (code, node) in &trace {
                let name = self.code_name(*code).unwrap_or("top level").to_string();
                let at = if self.ast.has(yin_ast::NodeId(*node)) {
                    self.place(self.ast.span(yin_ast::NodeId(*node)))
                } else {
                    None
                };
                match at {
                    Some(p) => {
                        f.trace.push(format!("{name} ({}:{})", p.file, p.line));
                        if f.place.is_none() && !is_library(&p.file) {
                            f.place = Some(p);
                        }
                    }
                    None => f.trace.push(name),
                }
            }
        }
        if f.place.is_none()
            && let Some(s) = self.err_span
            && matches!(f.kind.as_str(), "syntax" | "unbound" | "read" | "arity")
        {
            f.place = self.place(s);
        }
        f.diag = Diag::of(&f.kind, &f.message);
        if let Some(u) = &self.unread
            && f.kind == "read"
            && f.message == u.first.message
        {
            f.hint = u.first.hint.clone();
            f.also = u.more.iter().map(|e| self.failure_to_read(u.file, e)).collect();
        }
        f
    }
    fn failure_to_read(&self, file: u32, e: &ReadError) -> Failure {
        let place = self.place(yin_ast::Span { file, start: e.start, end: e.end });
        Failure { place, diag: Some(e.diag), hint: e.hint.clone(), ..Failure::new("read", e.message.clone()) }
    }
    fn place(&self, s: yin_ast::Span) -> Option<Place> {
        let x = self.ast.file(s.file)?;
        let (line, column) = x.line_col(s.start);
        let text = x.line(line).to_string();
        let rest = text.chars().count().saturating_sub(column as usize - 1);
        let meant = x.text.get(s.start as usize..s.end as usize).unwrap_or("");
        let width = meant.lines().next().unwrap_or("").chars().count().min(rest).max(1) as u32;
        Some(Place { file: x.name.clone(), line, column, width, text })
    }

    /// A well-mixed 64-bit number (splitmix64, Steele et al. 2014), seeded once per machine.
    pub fn random(&mut self) -> u64 {
        self.random_state = self.random_state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.random_state;
        z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ z >> 31
    }
}

pub(crate) fn is_library(file: &str) -> bool {
    LIBRARY.iter().any(|l| file == lib_path(l.0))
}
fn lib_path(ns: &str) -> String {
    format!("{}.clj", ns.replace('-', "_").replace('.', "/"))
}

/// Kind word of an exception class that programs made themselves.
pub fn kind_of_class(class: &str) -> &'static str {
    match class {
        "clojure.lang.ArityException" => "arity",
        "java.lang.ClassCastException"
        | "java.lang.NullPointerException"
        | "java.lang.UnsupportedOperationException" => "type",
        "java.lang.ArithmeticException" => "arithmetic",
        "java.lang.IndexOutOfBoundsException"
        | "java.lang.StringIndexOutOfBoundsException"
        | "java.lang.ArrayIndexOutOfBoundsException" => "index",
        "java.lang.NumberFormatException" => "parse",
        "java.lang.IllegalArgumentException" => "argument",
        "java.lang.IllegalStateException" => "state",
        "java.lang.AssertionError" => "assert",
        "java.io.IOException" | "java.io.FileNotFoundException" => "io",
        _ => "user",
    }
}

/// Readable listing of a draft and the functions in it.
pub fn listing(d: &FnDraft, depth: usize) -> String {
    use std::fmt::Write;
    let mut s = String::new();
    let pad = "  ".repeat(depth);
    for a in &d.arities {
        let name = d.name.as_deref().unwrap_or("fn");
        let _ = writeln!(s, "{pad}{name}/{}{} regs={}", a.n_params, if a.variadic { "+" } else { "" }, a.n_regs);
        let mut pc = 0;
        while pc < a.words.len() {
            let _ = writeln!(s, "{pad}  {pc:4} {}", crate::op::disassemble(&a.words, pc));
            pc += crate::op::len(a.words[pc]);
        }
        for (i, c) in a.consts.iter().enumerate() {
            match c {
                crate::code::Const::Fn(f) => {
                    let _ = write!(s, "{pad}  k{i} = {}", listing(f, depth + 1).trim_start());
                }
                crate::code::Const::Data(e) => {
                    let _ = writeln!(s, "{pad}  k{i} = {e}");
                }
                c => {
                    let _ = writeln!(s, "{pad}  k{i} = {c:?}");
                }
            }
        }
    }
    s
}

/// Frame operations of the front end, as the activation at `fp`.
pub(crate) fn vmop(vm: &mut Vm, name: &str, fp: Regs, args: &[Value]) -> Result<Option<usize>, Exit> {
    let l = match name {
        "yin.rt/run-loader" => match args[0].as_kind(Kind::Loader) {
            Some(o) => Loader(o),
            None => return Err(vm.err(ErrKind::Type, "not a loader")),
        },
        "clojure.core/eval" => {
            let forms = vm.alloc(Kind::Cons, &[args[0], Value::NIL]);
            vm.new_loader(Value::NIL, -1, forms, Value::NIL)
        }
        "clojure.core/load-string" => {
            let s = text::want_str(vm, args[0])?.to_string();
            vm.open_loader(&s, "string")
        }
        "clojure.core/load-file" => {
            let p = text::want_str(vm, args[0])?.to_string();
            match std::fs::read_to_string(&p) {
                Ok(s) => vm.open_loader(&s, &p),
                Err(_) => return Err(vm.err(ErrKind::Io, format!("{p} (No such file or directory)"))),
            }
        }
        // (yin.rt/load-ns 'name): evaluates the file of a namespace; false if it is loaded already
        "yin.rt/load-ns" => {
            let Some(id) = vm.symbol_id(args[0]) else {
                return Err(vm.err(ErrKind::Type, "a namespace is named by a symbol"));
            };
            if vm.loaded.contains(&id) {
                vm.deliver(fp, Value::FALSE);
                return Ok(None);
            }
            let name = vm.names.text(id).to_string();
            let path = lib_path(&name);
            let found = LIBRARY.iter().find(|l| l.0 == name).map(|l| (l.1.to_string(), path.clone())).or_else(|| {
                let stems = vm.source_paths.clone();
                stems
                    .iter()
                    .flat_map(|d| [format!("{d}/{path}"), format!("{d}/{path}c")])
                    .find_map(|p| std::fs::read_to_string(&p).ok().map(|s| (s, p)))
            });
            match found {
                Some((s, p)) => {
                    vm.loaded.insert(id);
                    let l = vm.open_loader(&s, &p);
                    let user = vm.names.intern("user");
                    vm.set_current_ns(user);
                    l
                }
                None if vm.namespaces.contains_key(&id) => {
                    vm.deliver(fp, Value::FALSE);
                    return Ok(None);
                }
                None => {
                    let what = path.trim_end_matches(".clj").to_string();
                    let class = vm.symbol("java.io.FileNotFoundException");
                    return Err(vm.err_of("io", class, &format!("Could not locate {what}.clj on the source path")));
                }
            }
        }
        _ => return Err(vm.err(ErrKind::State, format!("unknown frame operation {name}"))),
    };
    fp.set_word(1, Value::from(l.0).bits());
    vm.load_next(fp, Value::ABSENT);
    Ok(None)
}

// ---- primitives of namespaces and source
macro_rules! fns {
    ($($name:ident |$vm:ident, $a:ident| $e:expr;)*) => {$(
        fn $name($vm: &mut Vm, $a: &[Value]) -> R { $e }
    )*};
}
/// Name id of a namespace given as symbol or object.
fn ns_id(vm: &mut Vm, v: Value) -> R<u32> {
    match v.as_kind(Kind::Namespace).and_then(|o| o.get(0).as_plain_symbol()).or_else(|| vm.symbol_id(v)) {
        Some(id) => Ok(id),
        None => Err(coll::type_err(vm, v, "a namespace is named by a symbol, not")),
    }
}
fn known_ns(vm: &mut Vm, v: Value) -> R<u32> {
    let id = ns_id(vm, v)?;
    if vm.load_at_hand(id)? || vm.namespaces.contains_key(&id) {
        return Ok(id);
    }
    let n = vm.names.text(id).to_string();
    Err(vm.err(ErrKind::Unbound, format!("No namespace: {n} found")))
}
fn mappings(vm: &mut Vm, id: u32, own: Option<bool>, public: bool) -> R {
    let mut rows: Vec<(u32, Value)> = vm.ns_mut(id).mappings.iter().map(|(k, v)| (*k, *v)).collect();
    let core = vm.names.intern("clojure.core");
    if own != Some(true) && id != core {
        // Every namespace sees the core without mappings of its own.
        let ns = &vm.namespaces[&id];
        rows.extend(vm.namespaces[&core].mappings.iter().filter_map(|(k, v)| {
            let o = v.as_kind(Kind::Var)?;
            let seen = o.get(slot::VAR_NS) == Value::symbol(core)
                && o.get(slot::VAR_FLAGS).fix_get() & var_flag::PRIVATE == 0
                && !ns.unseen.contains(k)
                && !ns.mappings.contains_key(k);
            seen.then_some((*k, *v))
        }));
    }
    rows.sort_by(|a, b| vm.names.text(a.0).cmp(vm.names.text(b.0)));
    let mut m = hamt::empty(vm);
    for (k, v) in rows {
        let mine = v.as_kind(Kind::Var).is_some_and(|o| o.get(slot::VAR_NS) == Value::symbol(id));
        let private = v.as_kind(Kind::Var).is_some_and(|o| o.get(slot::VAR_FLAGS).fix_get() & var_flag::PRIVATE != 0);
        if own.is_none_or(|want| want == mine) && !(public && private) {
            m = coll::assoc(vm, m, Value::symbol(k), v)?;
        }
    }
    Ok(m)
}
fn read_text(vm: &mut Vm, s: &str, data: bool, features: Vec<String>) -> R<(Option<Value>, usize)> {
    let mut r = if data { Reader::data(s) } else { Reader::new(s) }.with_features(features);
    match r.next_form(&mut Answers(vm)) {
        Ok(Some(f)) => {
            let v = vm.value_of_form(&f, u32::MAX);
            let v = match v {
                Ok(v) => v,
                Err(Exit::Throw) => return Err(Exit::Throw),
                Err(e) => return Err(e),
            };
            Ok((Some(plain(vm, v)?), r.position()))
        }
        Ok(None) => Ok((None, r.position())),
        Err(e) => Err(vm.err(ErrKind::Read, &e[0].message)),
    }
}
/// Data without source positions and with maps in their final form.
fn plain(vm: &mut Vm, v: Value) -> R {
    Ok(match v.obj() {
        Some(o) => match o.kind() {
            Kind::List => {
                let items = coll::spread(vm, v, usize::MAX)?;
                let items = items.into_iter().map(|x| plain(vm, x)).collect::<R<Vec<_>>>()?;
                let l = coll::list_of(vm, &items);
                match o.get(o.len() - 1) {
                    m if o.len() > 3 && coll::is_map(m) => types::with_meta(vm, l, m)?,
                    _ => l,
                }
            }
            Kind::Vector => {
                let m = o.get(4);
                let items = vector::items(o).into_iter().map(|x| plain(vm, x)).collect::<R<Vec<_>>>()?;
                let v = vector::of(vm, &items);
                if m.is_nil() { v } else { types::with_meta(vm, v, m)? }
            }
            Kind::ArrayMap | Kind::HashMap => {
                let m = types::meta_of(vm, v);
                let es = hamt::entries(vm, o)
                    .into_iter()
                    .map(|(k, x)| Ok((plain(vm, k)?, plain(vm, x)?)))
                    .collect::<R<Vec<_>>>()?;
                let v = hamt::of(vm, &es)?;
                if m.is_nil() { v } else { types::with_meta(vm, v, m)? }
            }
            _ => v,
        },
        None => v,
    })
}
fns! {
    in_ns |vm, a| { let id = ns_id(vm, a[0])?; vm.set_current_ns(id); Ok(vm.namespaces[&id].object.unwrap_or(Value::NIL)) };
    create_ns |vm, a| { let id = ns_id(vm, a[0])?; vm.ns_mut(id); Ok(vm.namespaces[&id].object.unwrap_or(Value::NIL)) };
    find_ns |vm, a| { let id = ns_id(vm, a[0])?; Ok(vm.namespaces.get(&id).and_then(|n| n.object).unwrap_or(Value::NIL)) };
    the_ns |vm, a| { let id = known_ns(vm, a[0])?; Ok(vm.ns_mut(id).object.unwrap_or(Value::NIL)) };
    all_ns |vm, _a| { let mut ids: Vec<u32> = vm.namespaces.keys().copied().collect(); ids.sort_by(|a, b| vm.names.text(*a).cmp(vm.names.text(*b))); let os: Vec<Value> = ids.into_iter().filter_map(|i| vm.namespaces[&i].object).collect(); Ok(coll::list_of(vm, &os)) };
    ns_name |vm, a| { let id = known_ns(vm, a[0])?; Ok(Value::symbol(id)) };
    remove_ns |vm, a| { let id = ns_id(vm, a[0])?; let o = vm.namespaces.remove(&id).and_then(|n| n.object); vm.loaded.remove(&id); Ok(o.unwrap_or(Value::NIL)) };
    ns_map |vm, a| { let id = known_ns(vm, a[0])?; mappings(vm, id, None, false) };
    ns_publics |vm, a| { let id = known_ns(vm, a[0])?; mappings(vm, id, Some(true), true) };
    ns_interns |vm, a| { let id = known_ns(vm, a[0])?; mappings(vm, id, Some(true), false) };
    ns_refers |vm, a| { let id = known_ns(vm, a[0])?; mappings(vm, id, Some(false), false) };
    ns_aliases |vm, a| {
        let id = known_ns(vm, a[0])?;
        let mut rows: Vec<(u32, u32)> = vm.ns_mut(id).aliases.iter().map(|(k, v)| (*k, *v)).collect();
        rows.sort();
        let mut m = hamt::empty(vm);
        for (k, f) in rows { let o = vm.ns_mut(f).object.unwrap_or(Value::NIL); m = coll::assoc(vm, m, Value::symbol(k), o)?; }
        Ok(m)
    };
    alias |vm, a| {
        let cur = vm.current_ns();
        let (Some(al), full) = (vm.symbol_id(a[0]), known_ns(vm, a[1])?) else { return Err(coll::type_err(vm, a[0], "an alias is a symbol, not")) };
        if vm.ns_mut(cur).aliases.get(&al).is_some_and(|f| *f != full) { let n = vm.names.text(al).to_string(); return Err(vm.err(ErrKind::State, format!("Alias {n} already exists in namespace"))); }
        vm.ns_mut(cur).aliases.insert(al, full);
        Ok(Value::NIL)
    };
    // (yin.rt/add-alias 'a 'full): an alias of a namespace that need not exist
    add_alias |vm, a| { let cur = vm.current_ns(); let (al, full) = (ns_id(vm, a[0])?, ns_id(vm, a[1])?); vm.ns_mut(cur).aliases.insert(al, full); Ok(Value::NIL) };
    ns_unalias |vm, a| { let id = known_ns(vm, a[0])?; if let Some(al) = vm.symbol_id(a[1]) { vm.ns_mut(id).aliases.remove(&al); } Ok(Value::NIL) };
    ns_unmap |vm, a| { let id = known_ns(vm, a[0])?; if let Some(s) = vm.symbol_id(a[1]) { vm.ns_mut(id).mappings.remove(&s); } Ok(Value::NIL) };
    // (yin.rt/refer-var 'as var): maps a symbol in the current namespace
    refer_var |vm, a| { let cur = vm.current_ns(); match vm.symbol_id(a[0]) { Some(s) => { vm.ns_mut(cur).mappings.insert(s, a[1]); Ok(Value::NIL) } None => Err(coll::type_err(vm, a[0], "not a symbol")) } };
    ns_resolve |vm, a| {
        let id = known_ns(vm, a[0])?;
        let Some(s) = vm.symbol_id(a[1]) else { return Err(coll::type_err(vm, a[1], "not a symbol")) };
        let cur = vm.current_ns();
        vm.set_current_ns(id);
        let r = vm.resolve(s);
        vm.set_current_ns(cur);
        match r { Ok(v) => Ok(v.unwrap_or(Value::NIL)), Err(Exit::Throw) => Ok(Value::NIL), Err(e) => Err(e) }
    };
    // (intern ns name [value])
    intern |vm, a| {
        let id = known_ns(vm, a[0])?;
        let Some(s) = vm.symbol_id(a[1]) else { return Err(coll::type_err(vm, a[1], "not a symbol")) };
        let m = types::meta_of(vm, a[1]);
        let v = vm.intern_var(id, s);
        if let Some(x) = a.get(2) { vm.set_root(v, *x); }
        if !m.is_nil() { vm.heap.write(v, slot::VAR_META, m); }
        Ok(v.into())
    };
    find_var |vm, a| { let Some(s) = vm.symbol_id(a[0]) else { return Err(coll::type_err(vm, a[0], "not a symbol")) }; let Some(ns) = vm.names.ns(s).map(String::from) else { return Err(vm.err(ErrKind::Argument, "Symbol must be namespace-qualified")) }; let n = vm.names.name(s).to_string(); let (ns, n) = (vm.names.intern(&ns), vm.names.intern(&n)); if !vm.namespaces.contains_key(&ns) { return Err(vm.err(ErrKind::Argument, "No such namespace")); } Ok(vm.ns_mut(ns).mappings.get(&n).copied().unwrap_or(Value::NIL)) };
    mark_loaded |vm, a| { let id = ns_id(vm, a[0])?; vm.loaded.insert(id); Ok(Value::NIL) };
    unmark_loaded |vm, a| { let id = ns_id(vm, a[0])?; vm.loaded.remove(&id); Ok(Value::NIL) };
    loaded_libs |vm, _a| { let mut ids: Vec<u32> = vm.loaded.iter().copied().collect(); ids.sort_by(|a, b| vm.names.text(*a).cmp(vm.names.text(*b))); let v: Vec<Value> = ids.into_iter().map(Value::symbol).collect(); Ok(coll::list_of(vm, &v)) };
    macroexpand_1 |vm, a| vm.macroexpand_1(a[0]);
    special_p |vm, a| { let t = vm.symbol_id(a[0]).map_or(String::new(), |id| vm.names.text(id).to_string()); Ok(Value::bool(matches!(t.as_str(), "def" | "if" | "do" | "let*" | "fn*" | "loop*" | "recur" | "quote" | "var" | "try" | "catch" | "finally" | "throw" | "new" | "." | "set!" | "letfn*" | "case*" | "&" | "monitor-enter" | "monitor-exit"))) };
    // (yin.rt/hide-core names only?): clojure.core's names that the current namespace does not see, or the only ones it does
    hide_core |vm, a| {
        let cur = vm.current_ns();
        let names: Vec<u32> = coll::spread(vm, a[0], usize::MAX)?.into_iter().filter_map(|v| vm.symbol_id(v)).collect();
        let core = vm.names.intern("clojure.core");
        let hidden = if a[1].truthy() {
            let all: Vec<u32> = vm.ns_mut(core).mappings.keys().copied().collect();
            all.into_iter().filter(|k| !names.contains(k)).collect()
        } else {
            names
        };
        vm.ns_mut(cur).unseen.extend(hidden);
        Ok(Value::NIL)
    };
    // (yin.rt/read-string text data? [features]): [form bytes-used] or nil at the end
    read_string |vm, a| { let s = text::want_str(vm, a[0])?; let features = match a.get(2) { Some(f) => coll::spread(vm, *f, usize::MAX)?.into_iter().filter_map(|k| Some(vm.names.text(k.as_keyword()?).to_string())).collect(), None => Vec::new() }; let (v, n) = read_text(vm, s, a[1].truthy(), features)?; Ok(match v { Some(v) => vector::of(vm, &[v, Value::fix(n as i64)]), None => Value::NIL }) };
    unsupported |vm, _a| Err(vm.err(ErrKind::State, "a frame operation was called as a plain function"));
    args |vm, _a| { let items: Vec<Value> = vm.args.clone().iter().map(|s| vm.str(s)).collect(); Ok(coll::seq_of_items(vm, &items)) };
    collect |vm, _a| { vm.heap.want_major(); Ok(Value::NIL) };
}

macro_rules! rows {
    ($($name:literal $min:tt $max:tt $flags:tt $f:ident $doc:literal;)*) => { &[$(prim($name, $min, $max, $flags, $f, $doc),)*] };
}
pub const TABLE: &[PrimDef] = rows! {
    "clojure.core/in-ns" 1 1 0 in_ns "Makes a namespace the current one.";
    "clojure.core/create-ns" 1 1 0 create_ns "The namespace of a name, made if need be.";
    "clojure.core/find-ns" 1 1 0 find_ns "The namespace of a name, or nil.";
    "clojure.core/the-ns" 1 1 0 the_ns "The namespace of a name.";
    "clojure.core/all-ns" 0 0 0 all_ns "Every namespace.";
    "clojure.core/ns-name" 1 1 0 ns_name "Name of a namespace.";
    "clojure.core/remove-ns" 1 1 0 remove_ns "Removes a namespace.";
    "clojure.core/ns-map" 1 1 0 ns_map "What symbols mean in a namespace.";
    "clojure.core/ns-publics" 1 1 0 ns_publics "Public vars of a namespace.";
    "clojure.core/ns-interns" 1 1 0 ns_interns "Vars of a namespace.";
    "clojure.core/ns-refers" 1 1 0 ns_refers "Vars a namespace refers to.";
    "clojure.core/ns-aliases" 1 1 0 ns_aliases "Aliases of a namespace.";
    "clojure.core/alias" 2 2 0 alias "Gives a namespace a short name.";
    "yin.rt/add-alias" 2 2 0 add_alias "An alias of a namespace that need not exist.";
    "clojure.core/ns-unalias" 2 2 0 ns_unalias "Removes an alias.";
    "clojure.core/ns-unmap" 2 2 0 ns_unmap "Removes a mapping.";
    "yin.rt/refer-var" 2 2 0 refer_var "Maps a symbol in the current namespace.";
    "clojure.core/ns-resolve" 2 2 0 ns_resolve "What a symbol means in a namespace.";
    "clojure.core/intern" 2 3 0 intern "A var of a namespace.";
    "clojure.core/find-var" 1 1 0 find_var "The var of a qualified symbol.";
    "yin.rt/mark-loaded" 1 1 0 mark_loaded "A namespace counts as loaded.";
    "yin.rt/unmark-loaded" 1 1 0 unmark_loaded "A namespace counts as not loaded.";
    "yin.rt/loaded-libs" 0 0 0 loaded_libs "Namespaces loaded.";
    "clojure.core/macroexpand-1" 1 1 0 macroexpand_1 "One step of macro expansion.";
    "clojure.core/special-symbol?" 1 1 0 special_p "Does it name a special form?";
    "yin.rt/read-string" 2 3 0 read_string "The first form of a text.";
    "yin.rt/hide-core" 2 2 0 hide_core "Names of the core that the current namespace does not see.";
    "yin.rt/args" 0 0 0 args "Arguments of the command.";
    "System/gc" 0 0 0 collect "Asks for a collection.";
    "yin.rt/run-loader" 1 1 VMOP unsupported "Evaluates a source.";
    "clojure.core/eval" 1 1 VMOP unsupported "Evaluates a form.";
    "clojure.core/load-string" 1 1 VMOP unsupported "Evaluates a text.";
    "clojure.core/load-file" 1 1 VMOP unsupported "Evaluates a file.";
    "yin.rt/load-ns" 1 1 VMOP unsupported "Evaluates the file of a namespace.";
};

/// Does the text end inside a form?
pub fn is_incomplete(text: &str) -> bool {
    struct Nobody;
    impl yin_yang::clojure::reader::Resolver for Nobody {
        fn current_ns(&self) -> String {
            "user".into()
        }
        fn alias(&self, alias: &str) -> Option<String> {
            Some(alias.into())
        }
        fn quote_symbol(&self, name: &str) -> String {
            name.into()
        }
        fn gensym(&mut self) -> u64 {
            0
        }
    }
    let mut r = Reader::new(text);
    loop {
        match r.next_form(&mut Nobody) {
            Ok(Some(_)) => {}
            Ok(None) => return false,
            Err(errors) => return errors.iter().all(|e| e.incomplete),
        }
    }
}

impl Vm {
    /// Readable text of a value, realising what is lazy, by the program's own printer.
    pub fn pr_now(&mut self, v: Value) -> Result<String, Exit> {
        let f = self.var("clojure.core/pr-str").get(slot::VAR_ROOT);
        let f = if f == Value::UNBOUND { self.var("yin.rt/pr-str").get(slot::VAR_ROOT) } else { f };
        let s = self.call_now(f, &[v])?;
        Ok(s.as_str().unwrap_or("").to_string())
    }
    pub fn current_ns_name(&mut self) -> String {
        let id = self.current_ns();
        self.names.text(id).to_string()
    }
    /// `*1`, `*2`, `*3` of an interactive session.
    pub fn remember(&mut self, v: Value) {
        for (name, from) in [("clojure.core/*3", "clojure.core/*2"), ("clojure.core/*2", "clojure.core/*1")] {
            let x = self.var(from).get(slot::VAR_ROOT);
            let var = self.var(name);
            self.set_root(var, x);
        }
        let var = self.var("clojure.core/*1");
        self.set_root(var, v);
    }
    /// Reads and analyses a whole text; definitions and what changes namespaces are evaluated, as later forms need them.
    /// The number of its file, which the nodes of the text have in their spans.
    ///
    /// # Errors
    /// Those of reading and analysis, and what evaluating a definition throws.
    pub fn analyse_text(&mut self, source: &str, file_name: &str) -> Result<u32, Exit> {
        let l = self.open_loader(source, file_name);
        let file = l.span().file;
        // Nothing else holds the loader while macros run.
        let r = self.without_gc(|vm| vm.analyse_forms(l));
        r.map(|()| file)
    }
    fn analyse_forms(&mut self, l: Loader) -> R<()> {
        const CHANGES: &[&str] = &["in-ns", "require", "use", "alias", "refer", "import", "refer-clojure"];
        while let Some(form) = self.next_form(l)? {
            let before = self.ast.len() as u32;
            let root = self.analyse(form, l.span())?;
            let needed = (before..=root.0).map(yin_ast::NodeId).any(|id| match self.ast.kind(id) {
                yin_ast::Kind::Define => true,
                yin_ast::Kind::Variable => self.ast.name(id).is_some_and(|n| {
                    n.strip_prefix("clojure.core/").is_some_and(|n| CHANGES.contains(&n)) || n == "yin.rt/mark-loaded"
                }),
                _ => false,
            });
            if needed {
                let f = self.code_of(root)?;
                self.call_now(f, &[])?;
            }
        }
        Ok(())
    }
    /// Steps executed so far.
    pub fn steps(&self) -> u64 {
        self.steps_done + (self.slice - self.heap.steps - self.heap.steps_banked).max(0) as u64
    }
    /// From now on a step is a nanosecond of the program's clock, which starts in 1970, and random numbers are the same every
    /// time: two runs of a program do the same to the last instruction. Compiled code counts its steps only with `fuel`.
    pub fn count_time_in_steps(&mut self) {
        self.clock_is_steps = true;
        self.random_state = 1;
    }
    /// Milliseconds since 1970 by the program's clock.
    pub(crate) fn millis(&self) -> i64 {
        if self.clock_is_steps {
            return self.nano_time() / 1_000_000;
        }
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_millis() as i64)
    }
    /// Another order for what has no defined one, the same each time for the same number of items.
    pub(crate) fn shuffle<T>(&self, items: &mut [T]) {
        if self.zeal.order == 0 {
            return;
        }
        // Fisher & Yates, with Marsaglia's xorshift.
        let mut x = self.zeal.order.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ items.len() as u64 | 1;
        for i in (1..items.len()).rev() {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            items.swap(i, (x % (i as u64 + 1)) as usize);
        }
    }
    /// Turns a stress mode on.
    ///
    /// # Errors
    /// Names the modes there are.
    pub fn set_zeal(&mut self, name: &str, k: u32) -> Result<(), String> {
        match name {
            "gc" => {
                self.zeal.gc = k.max(1);
                self.poison = true;
            }
            "capture" => {
                self.zeal.capture = k.max(1);
                self.poison = true;
            }
            "park" => {
                self.zeal.park = k.max(1);
                self.poison = true;
            }
            "switch" => self.zeal.switch = k.max(1),
            "tier" => self.compile_first(),
            "exit" => self.zeal.exit = true,
            "order" => self.zeal.order = u64::from(k.max(1)),
            "batch" => {}
            _ => {
                return Err(format!(
                    "YIN_ZEAL: no mode {name}; there are gc, capture, park, switch, tier, exit, batch, order"
                ));
            }
        }
        self.heap.want_poll();
        Ok(())
    }
}

impl Vm {
    /// Runs a program given as datoms of its AST, root after root: one vector of `[e a v t m]`, or one after the other. The
    /// value of the last root. Variables that nothing binds are resolved in the current namespace.
    ///
    /// # Errors
    /// A read error for datoms that are no program; else what the program throws.
    pub fn eval_datoms(&mut self, source: &str) -> Result<Value, Exit> {
        let first = self.ast.len() as u32;
        let read = match yin_ast::parse(source) {
            Ok(facts) => yin_ast::read(&mut self.ast, &facts),
            Err(e) => Err(vec![e]),
        };
        let roots = match read {
            Ok(roots) => roots,
            Err(errors) => {
                let text: Vec<String> = errors.iter().map(ToString::to_string).collect();
                return Err(self.err(ErrKind::Read, text.join("; ")));
            }
        };
        let globals = self.ast.ids().filter(|id| id.0 >= first).filter(|id| {
            matches!(self.ast.kind(*id), yin_ast::Kind::Variable | yin_ast::Kind::Var | yin_ast::Kind::Define)
                && self.ast.refers_to(*id).is_none()
        });
        for id in globals.collect::<Vec<_>>() {
            let name = self.ast.name(id).unwrap_or("").to_string();
            if name.len() > 1 && name.contains('/') {
                continue;
            }
            let symbol = self.names.intern(&name);
            let full = match self.resolve(symbol) {
                Ok(Some(v)) if let Some(o) = v.as_kind(Kind::Var) => {
                    let text = |v: Value| v.as_plain_symbol().map_or("", |id| self.names.text(id));
                    format!("{}/{}", text(o.get(slot::VAR_NS)), text(o.get(slot::VAR_NAME)))
                }
                _ => format!("{}/{name}", self.current_ns_name()),
            };
            self.ast.set_name(id, &full);
        }
        let mut last = Value::NIL;
        for root in roots {
            let f = self.code_of(root)?;
            last = self.call_now(f, &[])?;
        }
        Ok(last)
    }
}
