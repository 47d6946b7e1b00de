//! From forms to Universal AST: values of source, namespaces, special forms, macro expansion by the machine itself.
//!
//! A form is read as a value (lists carry their span as `SpanMeta`), macros get and return such values, and the analyser
//! walks them and appends nodes in evaluation order. Macro calls run on a stack of their own with collections put off, so
//! the analyser may hold values.

use crate::layout::{Kind, slot, var_flag};
use crate::machine::{ErrKind, Exit, Vm};
use crate::prim::{R, coll, hamt, num, print, text, types, vector};
use crate::value::{Obj, Value};
use datoms::edn::{Edn, Symbol};
use rustc_hash::{FxHashMap as HashMap, FxHashSet as HashSet};
use yin_ast::{Kind as Node, NodeId, Span};
use yin_yang::clojure::reader::{Form, FormKind, Resolver};

/// A namespace: what its symbols mean. Vars and types are permanent objects.
#[derive(Default, Clone)]
pub struct Ns {
    /// Symbol id → var or type.
    pub mappings: HashMap<u32, Value>,
    /// Alias (symbol id) → full name (symbol id).
    pub aliases: HashMap<u32, u32>,
    /// Names of clojure.core that `refer-clojure` left out. Of library namespaces these are not kept in an image: nothing
    /// is analysed in them again.
    pub unseen: HashSet<u32>,
    pub object: Option<Value>,
}

const SPECIAL: &[&str] = &[
    "def",
    "if",
    "do",
    "let*",
    "fn*",
    "loop*",
    "recur",
    "quote",
    "var",
    "try",
    "catch",
    "finally",
    "throw",
    "new",
    ".",
    "set!",
    "letfn*",
    "case*",
    "method*",
    "&",
    "monitor-enter",
    "monitor-exit",
];
/// Libraries that a program may mention by their full name without `require`, as on the JVM, where starting up loads them.
const AT_HAND: &[&str] = &[
    "clojure.string",
    "clojure.set",
    "clojure.walk",
    "clojure.edn",
    "clojure.java.io",
    "clojure.pprint",
    "clojure.repl",
];
/// Deepest nesting of forms the analyser follows.
const MAX_DEPTH: usize = 1500;

impl Vm {
    // ---- namespaces
    /// The namespace's entry, made if need be.
    pub fn ns_mut(&mut self, name: u32) -> &mut Ns {
        if self.namespaces.get(&name).is_none_or(|n| n.object.is_none()) {
            let words = [Value::symbol(name), Value::NIL, Value::NIL, Value::NIL, Value::NIL];
            let o: Value = self.heap.alloc_perm(Kind::Namespace, 0, &words).into();
            self.namespaces.entry(name).or_default().object = Some(o);
        }
        self.namespaces.get_mut(&name).expect("just made")
    }
    /// The var `name` (qualified), created unbound if need be.
    pub fn var(&mut self, name: &str) -> Obj {
        let (ns, n) = name.rsplit_once('/').filter(|(ns, n)| !ns.is_empty() && !n.is_empty()).unwrap_or_else(|| {
            // `ns//` is the division function of ns.
            (name.strip_suffix("//").unwrap_or("user"), if name.ends_with("//") { "/" } else { name })
        });
        let (ns, n) = (self.names.intern(ns.trim_end_matches('/')), self.names.intern(n));
        self.intern_var(ns, n)
    }
    pub fn intern_var(&mut self, ns: u32, name: u32) -> Obj {
        if let Some(v) = self.ns_mut(ns).mappings.get(&name)
            && let Some(o) = v.as_kind(Kind::Var)
            && o.get(slot::VAR_NS) == Value::symbol(ns)
        {
            return o;
        }
        let mut w = [Value::NIL; slot::VAR_LEN];
        w[slot::VAR_NS] = Value::symbol(ns);
        w[slot::VAR_NAME] = Value::symbol(name);
        w[slot::VAR_ROOT] = Value::UNBOUND;
        w[slot::VAR_FLAGS] = Value::ZERO;
        let o = self.heap.alloc_perm(Kind::Var, 0, &w);
        self.ns_mut(ns).mappings.insert(name, o.into());
        o
    }
    /// Name id of the current namespace.
    pub fn current_ns(&mut self) -> u32 {
        let ns = self.ns_var.map(|v| v.get(slot::VAR_ROOT));
        match ns.and_then(|v| v.as_kind(Kind::Namespace)).and_then(|o| o.get(0).as_plain_symbol()) {
            Some(id) => id,
            None => self.names.intern("user"),
        }
    }
    pub fn set_current_ns(&mut self, name: u32) {
        self.ns_mut(name);
        let o = self.namespaces[&name].object.expect("made above");
        if let Some(v) = self.ns_var {
            self.heap.write(v, slot::VAR_ROOT, o);
        }
    }
    fn core_ns(&mut self) -> u32 {
        self.names.intern("clojure.core")
    }
    /// Full name of the namespace that `alias` stands for in the current one.
    pub fn ns_of_alias(&mut self, alias: u32) -> Option<u32> {
        let cur = self.current_ns();
        if let Some(&full) = self.ns_mut(cur).aliases.get(&alias) {
            return Some(full);
        }
        self.namespaces.contains_key(&alias).then_some(alias)
    }
    /// Loads a library that counts as there from the start. Was that its name?
    ///
    /// # Errors
    /// What evaluating the library throws.
    pub(crate) fn load_at_hand(&mut self, ns: u32) -> R<bool> {
        let core = self.core_ns();
        if self.loaded.contains(&ns) || !AT_HAND.contains(&self.names.text(ns)) || !self.loaded.contains(&core) {
            return Ok(false);
        }
        let text = self.names.text(ns);
        if !crate::driver::LIBRARY.iter().any(|l| l.0 == text) {
            return Ok(false);
        }
        let load = self.var("yin.rt/load-ns").get(slot::VAR_ROOT);
        self.without_gc(|vm| vm.call_now(load, &[Value::symbol(ns)]))?;
        Ok(true)
    }
    /// What a symbol means in the current namespace: a var or a type.
    pub fn resolve(&mut self, sym: u32) -> R<Option<Value>> {
        let cur = self.current_ns();
        if let Some(ns) = self.names.ns(sym).map(str::to_string) {
            let (ns_id, name) = (self.names.intern(&ns), self.names.name(sym).to_string());
            let name_id = self.names.intern(&name);
            let full = match self.ns_of_alias(ns_id) {
                Some(f) => f,
                None if self.load_at_hand(ns_id)? => ns_id,
                None => {
                    // A class name, short or full, names the namespace of its statics.
                    let short = ns.rsplit('.').next().unwrap_or(&ns).to_string();
                    let short = self.names.intern(&short);
                    if !self.namespaces.contains_key(&short) {
                        return Ok(None);
                    }
                    short
                }
            };
            let mut found = self.ns_mut(full).mappings.get(&name_id).copied();
            if found.is_none() && self.load_at_hand(full)? {
                found = self.ns_mut(full).mappings.get(&name_id).copied();
            }
            if let Some(v) = found.and_then(|v| v.as_kind(Kind::Var)) {
                if v.get(slot::VAR_NS) != Value::symbol(full) && full != cur {
                    return Ok(None);
                }
                if v.get(slot::VAR_FLAGS).fix_get() & var_flag::PRIVATE != 0 && full != cur && !self.see_private {
                    return Err(self.err(ErrKind::Unbound, format!("var: #'{ns}/{name} is not public")));
                }
            }
            return Ok(found);
        }
        if let Some(&v) = self.ns_mut(cur).mappings.get(&sym) {
            return Ok(Some(v));
        }
        let core = self.core_ns();
        let unseen = self.ns_mut(cur).unseen.contains(&sym);
        if !unseen && let Some(&v) = self.ns_mut(core).mappings.get(&sym) {
            let private =
                v.as_kind(Kind::Var).is_some_and(|o| o.get(slot::VAR_FLAGS).fix_get() & var_flag::PRIVATE != 0);
            if !private || cur == core {
                return Ok(Some(v));
            }
        }
        let text = self.names.text(sym).to_string();
        if types::is_known_class(&text) {
            let full = types::full_name(&text);
            return Ok(Some(self.class_value(&full)));
        }
        // A dotted name of a type that a deftype made: ns.Name.
        if let Some((ns, n)) = text.rsplit_once('.') {
            let (ns, n) = (self.names.intern(&ns.replace('_', "-")), self.names.intern(n));
            if let Some(v) = self.namespaces.get(&ns).and_then(|x| x.mappings.get(&n)).copied()
                && v.as_kind(Kind::Var).is_some_and(|o| o.get(slot::VAR_ROOT).is_kind(Kind::Type))
            {
                return Ok(Some(v));
            }
        }
        Ok(None)
    }

    // ---- values of forms and data
    /// The value of a form; lists remember where they stand.
    pub fn value_of_form(&mut self, f: &Form, file: u32) -> R {
        let many = |vm: &mut Vm, items: &[Form]| -> R<Vec<Value>> {
            items.iter().map(|i| vm.value_of_form(i, file)).collect()
        };
        let v = match &f.kind {
            FormKind::Nil => Value::NIL,
            FormKind::Bool(b) => Value::bool(*b),
            FormKind::Number(t) => self.number_token(t)?,
            FormKind::Char(c) => Value::char(*c),
            FormKind::Str(s) => self.str(s),
            FormKind::Regex(s) => text::regex(self, s)?,
            FormKind::Keyword(k) => self.keyword(k),
            FormKind::Symbol(s) => self.symbol(s),
            FormKind::List(items) => {
                let vs = many(self, items)?;
                let l = coll::list_of(self, &vs);
                if file == u32::MAX {
                    // Read by the program, from no file.
                    return match &f.meta {
                        Some(m) => {
                            let m = self.value_of_form(m, file)?;
                            types::with_meta(self, l, m)
                        }
                        None => Ok(l),
                    };
                }
                let (line, col) = self.ast.file(file).map_or((0, 0), |x| x.line_col(f.start));
                let span = self.heap.alloc(Kind::SpanMeta, 0, 3);
                span.set_raw(0, file as u64 | (f.start as u64) << 32);
                span.set_raw(1, f.end as u64 | (line as u64) << 32);
                span.set_raw(2, col as u64);
                types::with_meta(self, l, span.into())?
            }
            FormKind::Vector(items) => {
                let vs = many(self, items)?;
                vector::of(self, &vs)
            }
            FormKind::Map(items) => {
                let vs = many(self, items)?;
                // In source order, however many: an array map of any length is only met by the analyser.
                if vs.len() <= 16 {
                    let mut w = vec![Value::NIL];
                    w.extend(vs);
                    self.alloc(Kind::ArrayMap, &w)
                } else {
                    let pairs: Vec<_> = vs.chunks(2).map(|c| (c[0], c[1])).collect();
                    hamt::of(self, &pairs)?
                }
            }
            FormKind::Set(items) => {
                let vs = many(self, items)?;
                let pairs: Vec<_> = vs.iter().map(|v| (*v, *v)).collect();
                let m = hamt::of(self, &pairs)?;
                self.alloc(Kind::HashSet, &[m, Value::NIL])
            }
            FormKind::Tagged(tag, inner) => {
                let x = self.value_of_form(inner, file)?;
                self.tagged(tag, x)?
            }
        };
        match &f.meta {
            Some(m) => {
                let m = self.value_of_form(m, file)?;
                // A list keeps its span beside its metadata by having it in the map.
                let m = match types::meta_of(self, v) {
                    old if coll::is_map(old) => coll::conj(self, old, m)?,
                    _ => m,
                };
                types::with_meta(self, v, m)
            }
            None => Ok(v),
        }
    }
    /// The number a token spells.
    pub fn number_token(&mut self, t: &str) -> R {
        match t {
            "##Inf" => return Ok(self.float(f64::INFINITY)),
            "##-Inf" => return Ok(self.float(f64::NEG_INFINITY)),
            "##NaN" => return Ok(self.float(f64::NAN)),
            _ => {}
        }
        match num::parse_token(t) {
            Some(Ok(n)) => num::value(self, n),
            Some(Err(e)) => Err(self.err(ErrKind::Read, e)),
            None => Err(self.err(ErrKind::Read, format!("Invalid number: {t}"))),
        }
    }
    fn tagged(&mut self, tag: &str, x: Value) -> R {
        match tag {
            "inst" => {
                let s = text::want_str(self, x)?;
                match text::parse_inst(s) {
                    Some(ms) => Ok(self.alloc(Kind::Inst, &[Value::from_bits(ms as u64)])),
                    None => Err(self.err(ErrKind::Read, format!("Unrecognized date/time syntax: {s}"))),
                }
            }
            "uuid" => {
                let s = text::want_str(self, x)?;
                match text::parse_uuid(s) {
                    Some((h, l)) => Ok(self.alloc(Kind::Uuid, &[Value::from_bits(h), Value::from_bits(l)])),
                    None => Err(self.err(ErrKind::Read, format!("Invalid UUID string: {s}"))),
                }
            }
            _ => {
                let t = self.symbol(tag);
                let readers = self.var("clojure.core/*data-readers*").get(slot::VAR_ROOT);
                if coll::is_map(readers) {
                    let f = coll::get(self, readers, t, Value::NIL)?;
                    if !f.is_nil() {
                        return self.call_now(f, &[x]);
                    }
                }
                let default = self.var("clojure.core/*default-data-reader-fn*").get(slot::VAR_ROOT);
                if default.truthy() && default != Value::UNBOUND {
                    return self.call_now(default, &[t, x]);
                }
                Err(self.err(ErrKind::Read, format!("No reader function for tag {tag}")))
            }
        }
    }
    /// The value of EDN data.
    pub fn value_of(&mut self, e: &Edn) -> Value {
        match e {
            Edn::Nil => Value::NIL,
            Edn::Bool(b) => Value::bool(*b),
            Edn::Int(n) => self.int(*n),
            Edn::Float(x) => self.float(*x),
            Edn::BigInt(b) => num::big(self, b),
            Edn::Char(c) => Value::char(*c),
            Edn::Str(s) => self.str(s),
            Edn::Keyword(k) => self.keyword(k.as_str()),
            Edn::Symbol(s) => self.symbol(s.as_str()),
            Edn::Tagged(t) if t.0.as_str() == "yin/object" => match &t.1 {
                Edn::Int(i) => self.roots.extra.get(*i as usize).copied().unwrap_or(Value::NIL),
                _ => Value::NIL,
            },
            Edn::List(xs) => {
                let vs: Vec<Value> = xs.iter().map(|x| self.value_of(x)).collect();
                coll::list_of(self, &vs)
            }
            Edn::Vector(xs) => {
                let vs: Vec<Value> = xs.iter().map(|x| self.value_of(x)).collect();
                vector::of(self, &vs)
            }
            Edn::Map(es) => {
                let vs: Vec<_> = es.iter().map(|(k, v)| (self.value_of(k), self.value_of(v))).collect();
                hamt::of(self, &vs).unwrap_or(Value::NIL)
            }
            Edn::Set(xs) => {
                let vs: Vec<_> = xs.iter().map(|x| self.value_of(x)).map(|v| (v, v)).collect();
                let m = hamt::of(self, &vs).unwrap_or(Value::NIL);
                self.alloc(Kind::HashSet, &[m, Value::NIL])
            }
            other => {
                let t = other.to_string();
                self.number_token(&t).unwrap_or(Value::NIL)
            }
        }
    }
    /// A value as data of the AST. What is not plain data stays an object of this machine.
    fn data_of(&mut self, v: Value) -> Edn {
        if v.is_nil() {
            return Edn::Nil;
        }
        if v.is_bool() {
            return Edn::Bool(v == Value::TRUE);
        }
        if let Some(n) = num::as_long(v) {
            return Edn::Int(n);
        }
        if let Some(x) = num::as_f64(v) {
            return Edn::Float(x);
        }
        if let Some(c) = v.as_char() {
            return Edn::Char(c);
        }
        if let Some(s) = v.as_str() {
            return Edn::string(s);
        }
        if let Some(k) = v.as_keyword() {
            return Edn::keyword(self.names.text(k));
        }
        if let Some(s) = v.as_plain_symbol() {
            return Edn::symbol(self.names.text(s));
        }
        let plain = types::meta_of(self, v).is_nil()
            || v.is_kind(Kind::List) && v.obj().is_some_and(|o| o.len() > 3 && o.get(3).is_kind(Kind::SpanMeta));
        if plain {
            match v.kind() {
                Some(Kind::Vector) => {
                    let xs: Vec<Edn> = coll::vector_values(v).into_iter().map(|x| self.data_of(x)).collect();
                    return Edn::vector(xs);
                }
                Some(Kind::List | Kind::EmptyList) => {
                    let xs: Vec<Value> = coll::spread(self, v, usize::MAX).unwrap_or_default();
                    let xs: Vec<Edn> = xs.into_iter().map(|x| self.data_of(x)).collect();
                    return Edn::list(xs);
                }
                Some(Kind::ArrayMap) => {
                    let es: Vec<(Edn, Edn)> = coll::map_entries(self, v)
                        .into_iter()
                        .map(|(k, x)| (self.data_of(k), self.data_of(x)))
                        .collect();
                    return Edn::Map(es.into());
                }
                _ => {}
            }
        }
        let i = self.roots.extra.len() as i64;
        self.roots.extra.push(v);
        Edn::Tagged(std::sync::Arc::new((Symbol::new("yin/object"), Edn::Int(i))))
    }
}

/// The reader's questions, answered by the machine.
pub struct Answers<'a>(pub &'a mut Vm);

impl Resolver for Answers<'_> {
    fn current_ns(&self) -> String {
        let ns = self.0.ns_var.map(|v| v.get(slot::VAR_ROOT));
        match ns.and_then(|v| v.as_kind(Kind::Namespace)).and_then(|o| o.get(0).as_plain_symbol()) {
            Some(id) => self.0.names.text(id).to_string(),
            None => "user".into(),
        }
    }
    fn alias(&self, alias: &str) -> Option<String> {
        // A name that was never interned names nothing.
        let id = self.0.names.find(alias)?;
        let cur = self.0.names.find(&self.current_ns())?;
        if let Some(full) = self.0.namespaces.get(&cur).and_then(|ns| ns.aliases.get(&id)) {
            return Some(self.0.names.text(*full).to_string());
        }
        self.0.namespaces.contains_key(&id).then(|| alias.to_string())
    }
    fn quote_symbol(&self, name: &str) -> String {
        // Only reads: names that were never interned cannot be mapped.
        if SPECIAL.contains(&name) || name.starts_with('.') {
            return name.to_string();
        }
        let (name, dot) = match name.strip_suffix('.') {
            Some(n) if !n.is_empty() && !n.ends_with('.') => (n, "."),
            _ => (name, ""),
        };
        let cur = self.current_ns();
        let find = |ns: &str| self.0.names.find(ns).and_then(|id| self.0.namespaces.get(&id));
        if let Some((ns, n)) = name.split_once('/').filter(|(a, b)| !a.is_empty() && !b.is_empty()) {
            return match self.alias(ns) {
                Some(full) => format!("{full}/{n}{dot}"),
                None => format!("{name}{dot}"),
            };
        }
        let id = self.0.names.find(name);
        let lookup = |ns: &str| find(ns).zip(id).and_then(|(x, id)| x.mappings.get(&id).copied());
        let unseen = find(&cur).zip(id).is_some_and(|(x, id)| x.unseen.contains(&id));
        for ns in [cur.as_str(), "clojure.core"] {
            if unseen && ns != cur {
                break;
            }
            if let Some(o) = lookup(ns).and_then(|v| v.as_kind(Kind::Var)) {
                let text = |v: Value| v.as_plain_symbol().map_or("", |id| self.0.names.text(id));
                return format!("{}/{}{dot}", text(o.get(slot::VAR_NS)), text(o.get(slot::VAR_NAME)));
            }
        }
        if types::is_known_class(name) {
            return format!("{}{dot}", types::full_name(name));
        }
        if name.contains('.') {
            return format!("{name}{dot}");
        }
        format!("{cur}/{name}{dot}")
    }
    fn gensym(&mut self) -> u64 {
        self.0.gensym += 1;
        self.0.gensym
    }
}

#[derive(Clone, Copy)]
enum Local {
    Plain(NodeId),
    /// A field of the object that binder holds.
    Field(NodeId, u32),
}

/// Analyses one form.
pub struct Analyser<'a> {
    vm: &'a mut Vm,
    locals: Vec<(u32, Local)>,
    /// Number of values each enclosing `recur` target takes; None = a `recur` may not pass.
    targets: Vec<Option<usize>>,
    span: Span,
    depth: usize,
}

/// The AST of a form in the current namespace, as a root of the machine's program. `span`: its place if it knows none.
///
/// # Errors
/// Throws syntax, arity and unbound errors, with the place in `vm.err_span`.
pub fn analyse(vm: &mut Vm, form: Value, span: Span) -> R<NodeId> {
    vm.no_gc += 1;
    let mut a = Analyser { vm, locals: Vec::new(), targets: vec![None], span, depth: 0 };
    let r = a.form(form, true);
    let span = a.span;
    vm.no_gc -= 1;
    match r {
        Ok(id) => {
            vm.ast.add_root(id);
            Ok(id)
        }
        Err(e) => {
            vm.err_span = Some(span);
            Err(e)
        }
    }
}

impl Analyser<'_> {
    fn syntax<T>(&mut self, m: impl AsRef<str>) -> R<T> {
        Err(self.vm.err(ErrKind::Syntax, m))
    }
    fn items(&mut self, v: Value) -> R<Vec<Value>> {
        self.vm.form_items(v)
    }
    fn sym_text(&self, v: Value) -> Option<String> {
        self.vm.symbol_id(v).map(|id| self.vm.names.text(id).to_string())
    }
    fn core(&mut self, name: &str) -> NodeId {
        self.vm.ast.named(Node::Variable, self.span, name, &[])
    }
    fn call_core(&mut self, name: &str, args: &[NodeId]) -> NodeId {
        let op = self.core(name);
        let mut c = vec![op];
        c.extend(args);
        self.vm.ast.add(Node::Application, self.span, &c)
    }
    fn literal(&mut self, v: Value) -> NodeId {
        let e = self.vm.data_of(v);
        self.vm.ast.literal(self.span, e)
    }
    fn lookup(&self, id: u32) -> Option<Local> {
        self.locals.iter().rev().find(|l| l.0 == id).map(|l| l.1)
    }
    fn bind(&mut self, sym: u32, binder: NodeId) {
        self.locals.push((sym, Local::Plain(binder)));
    }

    fn form(&mut self, v: Value, tail: bool) -> R<NodeId> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return self.syntax("forms are nested too deeply");
        }
        let saved = self.span;
        let r = self.form_inner(v, tail);
        self.depth -= 1;
        if r.is_ok() {
            self.span = saved;
        }
        r
    }

    fn form_inner(&mut self, v: Value, tail: bool) -> R<NodeId> {
        if let Some(id) = self.vm.symbol_id(v) {
            return self.symbol(id);
        }
        let Some(o) = v.obj() else { return Ok(self.literal(v)) };
        match o.kind() {
            Kind::List | Kind::Cons | Kind::IndexedSeq | Kind::LazySeq | Kind::ChunkedCons => self.list(v, tail),
            Kind::Vector => {
                let items = coll::vector_values(v);
                self.collection(v, Node::VectorOf, items)
            }
            Kind::ArrayMap | Kind::HashMap => {
                let items = coll::map_entries(self.vm, v).into_iter().flat_map(|(k, x)| [k, x]).collect();
                self.collection(v, Node::MapOf, items)
            }
            Kind::HashSet => {
                let items = coll::set_items(v);
                self.collection(v, Node::SetOf, items)
            }
            Kind::Record => Ok(self.literal(v)),
            _ => Ok(self.literal(v)),
        }
    }

    fn is_constant(&self, v: Value) -> bool {
        match v.obj() {
            None => v.as_plain_symbol().is_none(),
            Some(o) => matches!(
                o.kind(),
                Kind::Str
                    | Kind::Int64
                    | Kind::Float64
                    | Kind::BigInt
                    | Kind::SmallBig
                    | Kind::Ratio
                    | Kind::Decimal
                    | Kind::EmptyList
            ),
        }
    }
    fn collection(&mut self, v: Value, node: Node, items: Vec<Value>) -> R<NodeId> {
        let meta = types::meta_of(self.vm, v);
        let id = if items.iter().all(|x| self.is_constant(*x)) {
            let plain = if meta.is_nil() { v } else { types::with_meta(self.vm, v, Value::NIL)? };
            self.literal(plain)
        } else {
            let nodes: Vec<NodeId> = items.into_iter().map(|x| self.form(x, false)).collect::<R<_>>()?;
            self.vm.ast.add(node, self.span, &nodes)
        };
        if meta.is_nil() || coll::count(self.vm, meta)?.fix_get() == 0 {
            return Ok(id);
        }
        let m = self.form(meta, false)?;
        Ok(self.call_core("clojure.core/with-meta", &[id, m]))
    }

    fn symbol(&mut self, id: u32) -> R<NodeId> {
        if self.vm.names.ns(id).is_none()
            && let Some(l) = self.lookup(id)
        {
            let name = self.vm.names.text(id).to_string();
            return Ok(match l {
                Local::Plain(b) => self.vm.ast.local(self.span, &name, b),
                Local::Field(this, i) => {
                    let t = self.vm.ast.local(self.span, "this", this);
                    let f = self.vm.ast.named(Node::Field, self.span, &name, &[t]);
                    self.vm.ast.set_value(f, Edn::Int(i as i64));
                    f
                }
            });
        }
        match self.vm.resolve(id)? {
            Some(v) => match v.as_kind(Kind::Var) {
                Some(o) => {
                    if o.get(slot::VAR_FLAGS).fix_get() & var_flag::MACRO != 0 {
                        let t = self.vm.names.text(id).to_string();
                        return self.syntax(format!("Can't take value of a macro: {t}"));
                    }
                    let name = self.var_name(o);
                    Ok(self.vm.ast.named(Node::Variable, self.span, &name, &[]))
                }
                None => Ok(self.literal(v)),
            },
            None => Err(self.unresolved(id)),
        }
    }
    fn var_name(&self, o: Obj) -> String {
        let t = |v: Value| v.as_plain_symbol().map_or("", |id| self.vm.names.text(id));
        format!("{}/{}", t(o.get(slot::VAR_NS)), t(o.get(slot::VAR_NAME)))
    }
    fn unresolved(&mut self, id: u32) -> Exit {
        let text = self.vm.names.text(id).to_string();
        if let Some((class, member)) = text.split_once('/')
            && types::is_known_class(class)
            && !member.is_empty()
        {
            let m = format!("No matching method or field {member} of class {class}");
            return self.vm.err(ErrKind::NoMethod, m);
        }
        let mut message = match text.split_once('/') {
            Some((ns, n)) if !ns.is_empty() && !n.is_empty() => {
                let nsid = self.vm.names.intern(ns);
                if self.vm.ns_of_alias(nsid).is_some() {
                    format!("No such var: {text}")
                } else {
                    format!("No such namespace: {ns}")
                }
            }
            _ if text.contains('.') && !text.starts_with('.') => format!("Unable to find the class {text}"),
            _ => format!("Unable to resolve symbol: {text} in this context"),
        };
        if let Some(s) = self.locate(&text) {
            self.span = s;
        }
        if let Some(near) = self.did_you_mean(&text) {
            message.push_str(&format!(". Did you mean {near}?"));
        }
        self.vm.err(ErrKind::Unbound, message)
    }
    /// The known name nearest to `text`, if one is near.
    fn did_you_mean(&mut self, text: &str) -> Option<String> {
        let cur = self.vm.current_ns();
        let core = self.vm.core_ns();
        let mut best: Option<(usize, String)> = None;
        let mut consider = |name: &str| {
            let d = distance(text, name);
            if d <= 1 + text.len() / 5
                && d < name.len()
                && best.as_ref().is_none_or(|b| (d, name) < (b.0, b.1.as_str()))
            {
                best = Some((d, name.to_string()));
            }
        };
        let names = &self.vm.names;
        let spaces = &self.vm.namespaces;
        if let Some((alias, _)) = text.split_once('/').filter(|(a, b)| !a.is_empty() && !b.is_empty()) {
            let aliases = spaces.get(&cur).map(|n| &n.aliases);
            let full = names.find(alias).map(|id| aliases.and_then(|a| a.get(&id)).copied().unwrap_or(id));
            match full.and_then(|id| Some((id, spaces.get(&id)?))) {
                // A name of that namespace, as this one spells it.
                Some((id, n)) => n
                    .mappings
                    .iter()
                    .filter(|(_, v)| {
                        v.as_kind(Kind::Var).is_some_and(|o| {
                            o.get(slot::VAR_NS) == Value::symbol(id)
                                && o.get(slot::VAR_FLAGS).fix_get() & var_flag::PRIVATE == 0
                        })
                    })
                    .for_each(|(k, _)| consider(&format!("{alias}/{}", names.text(*k)))),
                None => {
                    let rest = &text[alias.len()..];
                    aliases.into_iter().flatten().for_each(|(k, _)| consider(&format!("{}{rest}", names.text(*k))));
                    spaces.keys().for_each(|k| consider(&format!("{}{rest}", names.text(*k))));
                }
            }
            return best.map(|b| b.1);
        }
        self.locals.iter().for_each(|(id, _)| consider(names.text(*id)));
        for ns in [cur, core] {
            if let Some(n) = spaces.get(&ns) {
                n.mappings.keys().for_each(|k| consider(names.text(*k)));
            }
        }
        best.map(|b| b.1)
    }
    /// Where the name stands in the text of the form being analysed. Symbols carry no place of their own, so that macros
    /// meet the plain values they expect; the text still knows.
    fn locate(&self, name: &str) -> Option<Span> {
        let Span { file, start, end } = self.span;
        let text = self.vm.ast.file(file)?.text.get(start as usize..end as usize)?;
        let (at, len) = find_token(text, name)?;
        Some(Span { file, start: start + at as u32, end: start + (at + len) as u32 })
    }

    fn set_span(&mut self, v: Value) {
        if let Some(s) = types::span_of(v) {
            self.span = Span { file: s.raw(0) as u32, start: (s.raw(0) >> 32) as u32, end: s.raw(1) as u32 };
        }
    }

    fn list(&mut self, v: Value, tail: bool) -> R<NodeId> {
        let form = v;
        let items = self.items(v)?;
        self.set_span(v);
        let Some(&head) = items.first() else { return Ok(self.literal(v)) };
        if let Some(id) = self.vm.symbol_id(head) {
            let name = self.vm.names.text(id).to_string();
            let local = self.vm.names.ns(id).is_none() && self.lookup(id).is_some();
            if !local {
                if SPECIAL.contains(&name.as_str()) {
                    return self.special(&name, &items, tail);
                }
                let bare = name.strip_prefix("clojure.core/").unwrap_or(&name);
                if let Some(r) = self.plain_binding_form(bare, form, &items, id, tail)? {
                    return Ok(r);
                }
                if name.len() > 1 && name.starts_with('.') && !name.starts_with("..") {
                    if items.len() < 2 {
                        return self.syntax(format!("Malformed member expression, expecting ({name} target …)"));
                    }
                    return self.host_call(&name[1..], items[1], &items[2..]);
                }
                if name.len() > 1 && name.ends_with('.') && !name.ends_with("..") {
                    let class = self.vm.symbol(&name[..name.len() - 1]);
                    return self.new_object(class, &items[1..]);
                }
                if let Some(v) = self.vm.resolve(id)?
                    && let Some(o) = v.as_kind(Kind::Var)
                    && o.get(slot::VAR_FLAGS).fix_get() & var_flag::MACRO != 0
                {
                    let expanded = self.macroexpand(o, form, &items)?;
                    return self.form(expanded, tail);
                }
            }
        }
        if items.len() == 1
            && let Some(id) = self.vm.symbol_id(head)
            && (self.vm.names.ns(id).is_some() || self.lookup(id).is_none())
            && let Some(o) = self.vm.resolve(id)?.and_then(|v| v.as_kind(Kind::Var))
            && o.get(slot::VAR_ROOT).is_kind(Kind::ProtocolFn)
        {
            let t = self.vm.names.text(id).to_string();
            return self.syntax(format!("No single method: {t} of a protocol takes 0 arguments"));
        }
        if items.len() == 1
            && let Some(id) = self.vm.symbol_id(head)
            && self.vm.names.ns(id).is_some_and(|n| n.rsplit('.').next().unwrap_or(n).starts_with(char::is_uppercase))
            && let Some(o) = self.vm.resolve(id)?.and_then(|v| v.as_kind(Kind::Var))
            && !matches!(o.get(slot::VAR_ROOT).kind(), Some(Kind::Closure | Kind::PrimFn))
        {
            // `(Long/MAX_VALUE)`: a constant of a class in parentheses.
            return self.symbol(id);
        }
        let op = self.form(head, false)?;
        let mut c = vec![op];
        for x in &items[1..] {
            c.push(self.form(*x, false)?);
        }
        if c.len() > 250 {
            return self.syntax("a call has more than 250 arguments; use apply");
        }
        let id = self.vm.ast.add(Node::Application, self.span, &c);
        if tail {
            self.vm.ast.set_tail(id);
        }
        Ok(id)
    }

    /// Calls macro `var` on a form's arguments.
    fn macroexpand(&mut self, var: Obj, form: Value, items: &[Value]) -> R {
        let f = var.get(slot::VAR_ROOT);
        // &env: the locals in sight, as a map of symbols.
        let mut env = Value::NIL;
        if !self.locals.is_empty() {
            env = hamt::empty(self.vm);
            let ids: Vec<u32> = self.locals.iter().map(|l| l.0).collect();
            for id in ids {
                env = coll::assoc(self.vm, env, Value::symbol(id), Value::TRUE)?;
            }
        }
        let span = self.span;
        // &form: the call as written, or as another macro made it, then with the place of that call.
        let form = if types::span_of(form).is_some() || !types::meta_of(self.vm, form).is_nil() || span.end == 0 {
            form
        } else {
            let l = coll::list_of(self.vm, items);
            self.with_span(l, span)?
        };
        let mut args = vec![form, env];
        args.extend(&items[1..]);
        let r = if args.len() > 250 {
            let list = coll::list_of(self.vm, &args);
            let apply = self.vm.var("clojure.core/apply").get(slot::VAR_ROOT);
            self.vm.call_now(apply, &[f, list])
        } else {
            self.vm.call_now(f, &args)
        };
        match r {
            Ok(v) => {
                // The expansion stands where the call stood.
                if span.end > 0 && v.as_kind(Kind::List).is_some_and(|o| o.len() == 3) {
                    self.with_span(v, span)
                } else {
                    Ok(v)
                }
            }
            Err(Exit::Throw) => {
                let e = self.vm.pending.value;
                self.vm.adjust_macro_arity(e);
                // What a macro throws of its own is a mistake in the text it was called on.
                let user = self.vm.keyword("user");
                if let Some(o) = e.as_kind(Kind::Exception)
                    && (o.get(slot::EX_KIND) == user || o.get(slot::EX_KIND).is_nil())
                {
                    let syntax = self.vm.keyword("syntax");
                    self.vm.heap.write(o, slot::EX_KIND, syntax);
                }
                Err(self.vm.throw(e))
            }
            Err(e) => Err(e),
        }
    }
    fn with_span(&mut self, v: Value, s: Span) -> R {
        let (line, col) = self.vm.ast.file(s.file).map_or((0, 0), |x| x.line_col(s.start));
        let span = self.vm.heap.alloc(Kind::SpanMeta, 0, 3);
        span.set_raw(0, s.file as u64 | (s.start as u64) << 32);
        span.set_raw(1, s.end as u64 | (line as u64) << 32);
        span.set_raw(2, col as u64);
        types::with_meta(self.vm, v, span.into())
    }

    /// `let`, `loop` and `fn` whose binders are plain symbols need no macro.
    fn plain_binding_form(
        &mut self,
        name: &str,
        form: Value,
        items: &[Value],
        id: u32,
        tail: bool,
    ) -> R<Option<NodeId>> {
        if !matches!(name, "let" | "loop" | "fn") {
            return Ok(None);
        }
        // Only the core's own meaning of these names.
        let var = self.vm.resolve(id)?.and_then(|v| v.as_kind(Kind::Var));
        let core = self.vm.core_ns();
        if var.is_none_or(|o| o.get(slot::VAR_NS) != Value::symbol(core)) {
            return Ok(None);
        }
        let plain =
            |vm: &Vm, v: Value| vm.symbol_id(v).is_some_and(|id| vm.names.text(id) != "&" && vm.names.ns(id).is_none());
        if name != "fn" {
            let Some(&b) = items.get(1) else { return Ok(None) };
            if !b.is_kind(Kind::Vector) {
                return Ok(None);
            }
            let bs = coll::vector_values(b);
            if !bs.len().is_multiple_of(2) || !bs.iter().step_by(2).all(|s| plain(self.vm, *s)) {
                return Ok(None);
            }
            let special = if name == "let" { "let*" } else { "loop*" };
            return self.special(special, items, tail).map(Some);
        }
        let mut i = 1;
        if items.get(1).is_some_and(|v| self.vm.symbol_id(*v).is_some()) {
            i = 2;
        }
        let ok_params = |vm: &mut Vm, p: Value, body: &[Value]| {
            p.is_kind(Kind::Vector)
                && coll::vector_values(p).iter().all(|s| vm.symbol_id(*s).is_some_and(|id| vm.names.ns(id).is_none()))
                && !(body.len() > 1 && coll::is_map(body[0]))
        };
        let ok = match items.get(i) {
            Some(v) if v.is_kind(Kind::Vector) => ok_params(self.vm, *v, &items[i + 1..]),
            Some(_) => {
                let mut all = true;
                for a in &items[i..] {
                    if !coll::is_seq(*a) {
                        return Ok(None);
                    }
                    let parts = self.items(*a)?;
                    all &= parts.first().is_some_and(|p| ok_params(self.vm, *p, &parts[1..]));
                }
                all
            }
            None => false,
        };
        if !ok {
            return Ok(None);
        }
        let f = self.special("fn*", items, tail)?;
        match self.written_meta(form)? {
            Some(m) => {
                let m = self.form(m, false)?;
                Ok(Some(self.call_core("clojure.core/with-meta", &[f, m])))
            }
            None => Ok(Some(f)),
        }
    }
    /// The metadata a form was written with, places left out.
    fn written_meta(&mut self, form: Value) -> R<Option<Value>> {
        let raw = form.as_kind(Kind::List).filter(|o| o.len() > 3).map(|o| o.get(3));
        if !raw.is_some_and(coll::is_map) {
            return Ok(None);
        }
        let mut m = hamt::empty(self.vm);
        let meta = types::meta_of(self.vm, form);
        for (k, v) in coll::map_entries(self.vm, meta) {
            if !k.as_keyword().is_some_and(|k| matches!(self.vm.names.text(k), "line" | "column" | "rettag" | "tag")) {
                m = coll::assoc(self.vm, m, k, v)?;
            }
        }
        Ok((coll::count(self.vm, m)?.fix_get() > 0).then_some(m))
    }

    fn body(&mut self, items: &[Value], tail: bool) -> R<NodeId> {
        match items.len() {
            0 => Ok(self.literal(Value::NIL)),
            1 => self.form(items[0], tail),
            n => {
                let mut c = Vec::with_capacity(n);
                for (i, x) in items.iter().enumerate() {
                    c.push(self.form(*x, tail && i == n - 1)?);
                }
                Ok(self.vm.ast.add(Node::Do, self.span, &c))
            }
        }
    }

    fn special(&mut self, name: &str, items: &[Value], tail: bool) -> R<NodeId> {
        let n = items.len();
        match name {
            "quote" => {
                if n != 2 {
                    return self.syntax("quote takes one form");
                }
                Ok(self.literal(items[1]))
            }
            "if" => {
                if !(3..=4).contains(&n) {
                    return self.syntax(if n > 4 { "Too many arguments to if" } else { "Too few arguments to if" });
                }
                let t = self.form(items[1], false)?;
                let c = self.form(items[2], tail)?;
                let a = if n == 4 { self.form(items[3], tail)? } else { NodeId::NONE };
                Ok(self.vm.ast.add(Node::If, self.span, &[t, c, a]))
            }
            "do" => self.body(&items[1..], tail),
            "let*" | "loop*" => self.let_form(name == "loop*", items, tail),
            "letfn*" => self.letfn(items, tail),
            "fn*" => self.function(&items[1..], None),
            "method*" => {
                let fields = coll::vector_values(items.get(1).copied().unwrap_or(Value::NIL));
                let f = self.items(items.get(2).copied().unwrap_or(Value::NIL))?;
                self.function(&f[1..], Some(&fields))
            }
            "recur" => {
                let want = self.targets.last().copied().flatten();
                if want.is_none() && self.targets.len() > 1 {
                    return self.syntax("Cannot recur across try");
                }
                if !tail {
                    return self.syntax("Can only recur from tail position");
                }
                let Some(want) = want else {
                    return self.syntax("Can only recur from tail position of a loop or function");
                };
                if want != n - 1 {
                    return self
                        .syntax(format!("Mismatched argument count to recur, expected: {want} args, got: {}", n - 1));
                }
                let c = items[1..].iter().map(|x| self.form(*x, false)).collect::<R<Vec<_>>>()?;
                Ok(self.vm.ast.add(Node::Recur, self.span, &c))
            }
            "def" => self.def(items),
            "var" => {
                let Some(id) = items.get(1).and_then(|v| self.vm.symbol_id(*v)) else {
                    return self.syntax("var takes a symbol");
                };
                self.vm.see_private = true;
                let found = self.vm.resolve(id);
                self.vm.see_private = false;
                match found?.and_then(|v| v.as_kind(Kind::Var)) {
                    Some(o) => {
                        let name = self.var_name(o);
                        Ok(self.vm.ast.named(Node::Var, self.span, &name, &[]))
                    }
                    None => {
                        let t = self.vm.names.text(id).to_string();
                        Err(self.vm.err(ErrKind::Unbound, format!("Unable to resolve var: {t} in this context")))
                    }
                }
            }
            "set!" => {
                if n != 3 {
                    return self.syntax("Malformed assignment, expecting (set! target val)");
                }
                let target = match self.vm.symbol_id(items[1]).and_then(|id| self.lookup(id).map(|l| (id, l))) {
                    Some((_, Local::Plain(_))) => return self.syntax("Cannot assign to non-mutable local"),
                    Some((id, Local::Field(..))) => self.symbol(id)?,
                    None => match self.vm.symbol_id(items[1]) {
                        Some(id) => match self.vm.resolve(id)?.and_then(|v| v.as_kind(Kind::Var)) {
                            Some(o) => {
                                let name = self.var_name(o);
                                self.vm.ast.named(Node::Var, self.span, &name, &[])
                            }
                            None => return Err(self.unresolved(id)),
                        },
                        None => {
                            // (set! (.-field x) v)
                            let parts = if coll::is_seq(items[1]) { self.items(items[1])? } else { Vec::new() };
                            let name = parts.first().and_then(|v| self.sym_text(*v)).unwrap_or_default();
                            match (name.strip_prefix(".-"), parts.len()) {
                                (Some(f), 2) => {
                                    let key = self.vm.symbol(f);
                                    let t = self.form(parts[1], false)?;
                                    let k = self.literal(key);
                                    let v = self.form(items[2], false)?;
                                    return Ok(self.call_core("yin.rt/set-field", &[t, k, v]));
                                }
                                _ => return self.syntax("Invalid assignment target"),
                            }
                        }
                    },
                };
                let v = self.form(items[2], false)?;
                Ok(self.vm.ast.add(Node::Set, self.span, &[target, v]))
            }
            "throw" => {
                if n != 2 {
                    return self.syntax("throw takes one form");
                }
                let v = self.form(items[1], false)?;
                Ok(self.vm.ast.add(Node::Throw, self.span, &[v]))
            }
            "try" => self.try_form(items),
            "catch" | "finally" => self.syntax(format!("Unable to resolve symbol: {name} outside of try")),
            "case*" => self.case(items, tail),
            "new" => {
                if n < 2 {
                    return self.syntax("new takes a class");
                }
                self.new_object(items[1], &items[2..])
            }
            "." => {
                if n < 3 {
                    return self.syntax("Malformed member expression, expecting (. target member …)");
                }
                let (member, args) = if coll::is_seq(items[2]) {
                    let m = self.items(items[2])?;
                    (m[0], m[1..].to_vec())
                } else {
                    (items[2], items[3..].to_vec())
                };
                let name = self.sym_text(member).unwrap_or_default();
                if let Some(id) = self.vm.symbol_id(items[1])
                    && self.lookup(id).is_none()
                    && let Some(v) = self.vm.resolve(id)?
                    && v.is_kind(Kind::Type)
                {
                    let class = self.vm.names.name(id).rsplit('.').next().unwrap_or("").to_string();
                    let f = self.vm.symbol(&format!("{class}/{name}"));
                    let mut call = vec![f];
                    call.extend(args);
                    let l = coll::list_of(self.vm, &call);
                    return self.form(l, tail);
                }
                self.host_call(&name, items[1], &args)
            }
            "monitor-enter" | "monitor-exit" => Ok(self.literal(Value::NIL)),
            _ => self.syntax(format!("Unable to resolve symbol: {name} in this context")),
        }
    }

    fn binding_vector(&mut self, v: Option<&Value>, what: &str) -> R<Vec<Value>> {
        match v {
            Some(v) if v.is_kind(Kind::Vector) => {
                let bs = coll::vector_values(*v);
                if !bs.len().is_multiple_of(2) {
                    return self.syntax(format!("{what} requires an even number of forms in binding vector"));
                }
                Ok(bs)
            }
            _ => self.syntax(format!("{what} requires a vector for its binding")),
        }
    }
    fn plain_symbol(&mut self, v: Value, what: &str) -> R<u32> {
        match self.vm.symbol_id(v) {
            Some(id) if self.vm.names.ns(id).is_none() => Ok(id),
            Some(_) => self.syntax(format!("Can't {what} qualified name")),
            None => self.syntax(format!("Can't {what} what is not a symbol")),
        }
    }
    fn let_form(&mut self, is_loop: bool, items: &[Value], tail: bool) -> R<NodeId> {
        let bs = self.binding_vector(items.get(1), if is_loop { "loop" } else { "let" })?;
        let mark = self.locals.len();
        let mut c = Vec::new();
        for b in bs.chunks(2) {
            let id = self.plain_symbol(b[0], "let")?;
            let init = self.form(b[1], false)?;
            let name = self.vm.names.text(id).to_string();
            let binder = self.vm.ast.named(Node::Binding, self.span, &name, &[init]);
            self.bind(id, binder);
            c.push(binder);
        }
        if is_loop {
            self.targets.push(Some(c.len()));
        }
        let body = self.body(&items[2..], tail || is_loop)?;
        if is_loop {
            self.targets.pop();
        }
        self.locals.truncate(mark);
        c.push(body);
        Ok(self.vm.ast.add(if is_loop { Node::Loop } else { Node::Let }, self.span, &c))
    }
    fn letfn(&mut self, items: &[Value], tail: bool) -> R<NodeId> {
        let bs = self.binding_vector(items.get(1), "letfn")?;
        let mark = self.locals.len();
        // Binders first: the functions see each other.
        let mut binders = Vec::new();
        for b in bs.chunks(2) {
            let id = self.plain_symbol(b[0], "letfn")?;
            let name = self.vm.names.text(id).to_string();
            let p = self.vm.ast.named(Node::Parameter, self.span, &name, &[]);
            self.bind(id, p);
            binders.push(p);
        }
        let mut c = Vec::new();
        for (b, p) in bs.chunks(2).zip(&binders) {
            let f = self.form(b[1], false)?;
            let name = self.vm.ast.name(*p).unwrap_or("").to_string();
            let binding = self.vm.ast.named(Node::Binding, self.span, &name, &[f]);
            self.vm.ast.set_refers_to(binding, *p);
            c.push(binding);
        }
        let body = self.body(&items[2..], tail)?;
        self.locals.truncate(mark);
        c.push(body);
        Ok(self.vm.ast.add(Node::Letrec, self.span, &c))
    }

    fn function(&mut self, items: &[Value], fields: Option<&[Value]>) -> R<NodeId> {
        let mut items = items;
        let mark = self.locals.len();
        let mut own = NodeId::NONE;
        let mut fn_name = None;
        if let Some(id) = items.first().and_then(|v| self.vm.symbol_id(*v)) {
            let name = self.vm.names.name(id).to_string();
            own = self.vm.ast.named(Node::Parameter, self.span, &name, &[]);
            self.bind(id, own);
            fn_name = Some(name);
            items = &items[1..];
        }
        let arities: Vec<Vec<Value>> = match items.first() {
            Some(v) if v.is_kind(Kind::Vector) => vec![items.to_vec()],
            Some(_) => {
                let mut all = Vec::new();
                for a in items {
                    if !coll::is_seq(*a) {
                        return self.syntax("a function's arity must be a list that starts with its parameters");
                    }
                    all.push(self.items(*a)?);
                }
                all
            }
            None => return self.syntax("Parameter declaration missing"),
        };
        let mut c = vec![own];
        let mut seen = Vec::new();
        let mut rest_fixed = None;
        for a in &arities {
            let (id, n, rest) = self.arity(a, fields)?;
            if rest {
                if rest_fixed.is_some() {
                    return self.syntax("Can't have more than 1 variadic overload");
                }
                rest_fixed = Some(n);
            } else if seen.contains(&n) {
                return self.syntax("Can't have 2 overloads with same arity");
            } else {
                seen.push(n);
            }
            c.push(id);
        }
        if let Some(r) = rest_fixed
            && seen.iter().any(|n| *n > r)
        {
            return self.syntax("Can't have fixed arity function with more params than variadic function");
        }
        self.locals.truncate(mark);
        let f = self.vm.ast.add(Node::Function, self.span, &c);
        let ns = self.vm.current_ns();
        let full = match (&fn_name, &self.vm.def_name) {
            (Some(n), _) => Some(format!("{}/{n}", self.vm.names.text(ns))),
            (None, Some(d)) => Some(d.clone()),
            _ => None,
        };
        if let Some(n) = full {
            self.vm.ast.set_name(f, &n);
        }
        Ok(f)
    }
    fn arity(&mut self, a: &[Value], fields: Option<&[Value]>) -> R<(NodeId, usize, bool)> {
        let Some(p) = a.first().filter(|v| v.is_kind(Kind::Vector)) else {
            return self.syntax("Parameter declaration should be a vector");
        };
        let mark = self.locals.len();
        let ps = coll::vector_values(*p);
        let mut c = Vec::new();
        let mut rest = NodeId::NONE;
        let mut i = 0;
        let mut fresh = Vec::new();
        while i < ps.len() {
            let mut is_rest = false;
            if self.sym_text(ps[i]).as_deref() == Some("&") {
                if i + 2 != ps.len() {
                    return self.syntax("Unexpected parameter after &");
                }
                is_rest = true;
                i += 1;
            }
            let id = self.plain_symbol(ps[i], "use as parameter")?;
            let name = self.vm.names.text(id).to_string();
            let b = self.vm.ast.named(Node::Parameter, self.span, &name, &[]);
            fresh.push((id, b));
            if is_rest {
                rest = b
            } else {
                c.push(b)
            }
            i += 1;
        }
        if c.len() > 200 {
            return self.syntax("Can't specify more than 200 params");
        }
        if let (Some(fields), Some((_, this))) = (fields, fresh.first()) {
            for (i, f) in fields.iter().enumerate() {
                let id = self.plain_symbol(*f, "use as field")?;
                self.locals.push((id, Local::Field(*this, i as u32)));
            }
        }
        for (id, b) in fresh {
            self.bind(id, b);
        }
        let n = c.len();
        let has_rest = rest != NodeId::NONE;
        self.targets.push(Some(n + has_rest as usize));
        let saved = self.vm.def_name.take();
        let body = self.body(&a[1..], true)?;
        self.vm.def_name = saved;
        self.targets.pop();
        self.locals.truncate(mark);
        c.extend([rest, body]);
        Ok((self.vm.ast.add(Node::Lambda, self.span, &c), n, has_rest))
    }

    fn def(&mut self, items: &[Value]) -> R<NodeId> {
        if !(2..=4).contains(&items.len()) {
            return self.syntax(if items.len() > 4 { "Too many arguments to def" } else { "Too few arguments to def" });
        }
        let Some(id) = self.vm.symbol_id(items[1]) else {
            return self.syntax("First argument to def must be a Symbol");
        };
        let cur = self.vm.current_ns();
        let name = self.vm.names.name(id).to_string();
        if let Some(ns) = self.vm.names.ns(id).map(str::to_string) {
            let nsid = self.vm.names.intern(&ns);
            if self.vm.ns_of_alias(nsid) != Some(cur) {
                return self.syntax("Can't refer to qualified var that doesn't exist");
            }
        }
        let name_id = self.vm.names.intern(&name);
        let var = self.vm.intern_var(cur, name_id);
        let full = self.var_name(var);
        let mut meta = types::meta_of(self.vm, items[1]);
        if items.len() == 4 {
            if items[2].as_str().is_none() {
                return self.syntax("Too many arguments to def");
            }
            let doc = self.vm.keyword("doc");
            meta = coll::assoc(self.vm, meta, doc, items[2])?;
        }
        meta = self.with_place(meta)?;
        // Flags count from here on, so that the value may use them.
        let mut flags = var.get(slot::VAR_FLAGS).fix_get();
        for (key, bit) in [("dynamic", var_flag::DYNAMIC), ("macro", var_flag::MACRO), ("private", var_flag::PRIVATE)] {
            let k = self.vm.keyword(key);
            if coll::is_map(meta) && coll::get(self.vm, meta, k, Value::NIL)?.truthy() {
                flags |= bit;
            } else if key == "private" && coll::is_map(meta) {
                flags &= !bit;
            }
        }
        self.vm.heap.write(var, slot::VAR_FLAGS, Value::fix(flags));
        let m = if coll::is_map(meta) { self.form(meta, false)? } else { NodeId::NONE };
        let init = if items.len() > 2 {
            let saved = self.vm.def_name.replace(full.clone());
            let r = self.form(items[items.len() - 1], false);
            self.vm.def_name = saved;
            r?
        } else {
            NodeId::NONE
        };
        Ok(self.vm.ast.named(Node::Define, self.span, &full, &[m, init]))
    }

    /// Metadata of a definition with where it stands; the libraries' own go without.
    fn with_place(&mut self, meta: Value) -> R {
        let span = self.span;
        let place = self.vm.ast.file(span.file).filter(|f| span.end > 0 && !crate::driver::is_library(&f.name));
        let Some((name, (line, column))) = place.map(|f| (f.name.clone(), f.line_col(span.start))) else {
            return Ok(meta);
        };
        let name = self.vm.str(&name);
        let mut m = hamt::empty(self.vm);
        for (k, v) in [("line", Value::fix(line as i64)), ("column", Value::fix(column as i64)), ("file", name)] {
            let k = self.vm.keyword(k);
            m = coll::assoc(self.vm, m, k, v)?;
        }
        // What the program says of it counts more.
        if coll::is_map(meta) { coll::conj(self.vm, m, meta) } else { Ok(m) }
    }

    fn try_form(&mut self, items: &[Value]) -> R<NodeId> {
        let mut body = Vec::new();
        let mut catches = Vec::new();
        let mut finally = None;
        for x in &items[1..] {
            let parts = if coll::is_seq(*x) && !x.is_kind(Kind::LazySeq) { self.items(*x)? } else { Vec::new() };
            match parts.first().and_then(|v| self.sym_text(*v)).as_deref() {
                Some("catch") => {
                    if finally.is_some() {
                        return self.syntax("finally clause must be last in try expression");
                    }
                    if parts.len() < 3 {
                        return self.syntax("catch takes a class and a name");
                    }
                    catches.push(parts);
                }
                Some("finally") => {
                    if finally.is_some() {
                        return self.syntax("Only one finally clause is allowed");
                    }
                    finally = Some(parts);
                }
                _ if !catches.is_empty() || finally.is_some() => {
                    return self.syntax("Only catch or finally clause can follow catch in try expression");
                }
                _ => body.push(*x),
            }
        }
        self.targets.push(None);
        let b = self.body(&body, false)?;
        let mut c = vec![b];
        for parts in &catches {
            let class = match self.sym_text(parts[1]).as_deref() {
                Some(":default") => {
                    let t = self.vm.class_value("java.lang.Throwable");
                    self.literal(t)
                }
                _ if parts[1].is_keyword() => {
                    let t = self.vm.class_value("java.lang.Throwable");
                    self.literal(t)
                }
                _ => self.form(parts[1], false)?,
            };
            let id = self.plain_symbol(parts[2], "bind")?;
            let name = self.vm.names.text(id).to_string();
            let binder = self.vm.ast.named(Node::Parameter, self.span, &name, &[]);
            let mark = self.locals.len();
            self.bind(id, binder);
            let body = self.body(&parts[3..], false)?;
            self.locals.truncate(mark);
            c.push(self.vm.ast.add(Node::Catch, self.span, &[class, binder, body]));
        }
        let f = match finally {
            Some(parts) => self.body(&parts[1..], false)?,
            None => NodeId::NONE,
        };
        self.targets.pop();
        c.push(f);
        Ok(self.vm.ast.add(Node::Try, self.span, &c))
    }

    /// `(case* expr default [constants] result …)`
    fn case(&mut self, items: &[Value], tail: bool) -> R<NodeId> {
        if items.len() < 3 || items.len().is_multiple_of(2) {
            return self.syntax("malformed case*");
        }
        let test = self.form(items[1], false)?;
        let default = self.form(items[2], tail)?;
        let mut c = vec![test, default];
        let mut keys = Vec::new();
        for pair in items[3..].chunks(2) {
            let consts: Vec<Edn> = coll::vector_values(pair[0]).into_iter().map(|k| self.vm.data_of(k)).collect();
            keys.push(Edn::vector(consts));
            c.push(self.form(pair[1], tail)?);
        }
        let id = self.vm.ast.add(Node::Case, self.span, &c);
        self.vm.ast.set_value(id, Edn::vector(keys));
        Ok(id)
    }

    fn host_call(&mut self, name: &str, target: Value, args: &[Value]) -> R<NodeId> {
        let t = self.form(target, false)?;
        let mut c = vec![t];
        for a in args {
            c.push(self.form(*a, false)?);
        }
        Ok(self.vm.ast.named(Node::HostCall, self.span, name, &c))
    }
    fn new_object(&mut self, class: Value, args: &[Value]) -> R<NodeId> {
        let Some(id) = self.vm.symbol_id(class) else { return self.syntax("new takes a class") };
        let found = self.vm.resolve(id)?;
        let name = match found {
            Some(v) if v.is_kind(Kind::Var) => {
                // A type made by deftype is the value of a var.
                let t = self.symbol(id)?;
                let mut c = vec![t];
                for a in args {
                    c.push(self.form(*a, false)?);
                }
                return Ok(self.call_core("yin.rt/new-instance", &c));
            }
            Some(v) => self.sym_text(v.obj().expect("a type").get(0)).unwrap_or_default(),
            None => {
                let t = self.vm.names.text(id).to_string();
                return Err(self.vm.err(ErrKind::Unbound, format!("Unable to resolve classname: {t}")));
            }
        };
        let mut c = Vec::new();
        for a in args {
            c.push(self.form(*a, false)?);
        }
        Ok(self.vm.ast.named(Node::New, self.span, &name, &c))
    }
}

/// Offset and length of the first token of a source text that is `name`, also as a class to make (`Name.`).
fn find_token(text: &str, name: &str) -> Option<(usize, usize)> {
    let ends = |c: char| {
        c.is_whitespace()
            || matches!(c, ',' | '"' | ';' | '@' | '^' | '`' | '~' | '\'' | '\\')
            || matches!(c, '(' | ')' | '[' | ']' | '{' | '}')
    };
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let at = text.len() - rest.len();
        let skip = match c {
            ';' => rest.find('\n').unwrap_or(rest.len()),
            '"' => {
                let mut escaped = false;
                let close = rest[1..].find(|c| {
                    let end = c == '"' && !escaped;
                    escaped = c == '\\' && !escaped;
                    end
                });
                close.map_or(rest.len(), |i| i + 2)
            }
            '\\' => 1 + rest[1..].chars().next().map_or(0, char::len_utf8),
            c if ends(c) => c.len_utf8(),
            _ => {
                let len = rest.find(|c: char| ends(c) && c != '\'').unwrap_or(rest.len());
                let token = rest[..len].trim_start_matches('#');
                if token == name || token.strip_suffix('.') == Some(name) {
                    return Some((at + len - token.len(), name.len()));
                }
                len
            }
        };
        rest = &rest[skip..];
    }
    None
}

/// Edit distance of two names (Wagner & Fischer), bounded by their lengths.
pub fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut last = row[0];
        row[0] = i + 1;
        for j in 0..b.len() {
            let cost = last + (x != b[j]) as usize;
            last = row[j + 1];
            row[j + 1] = cost.min(last + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

impl Vm {
    /// Wrong argument counts of a macro are counted without `&form` and `&env`.
    fn adjust_macro_arity(&mut self, e: Value) {
        let Some(o) = e.as_kind(Kind::Exception) else { return };
        let arity = self.keyword("arity");
        if o.get(slot::EX_KIND) == arity
            && let Some(m) = o.get(slot::EX_MESSAGE).as_str()
            && let Some(rest) = m.strip_prefix("Wrong number of args (")
            && let Some((n, tail)) = rest.split_once(')')
            && let Ok(n) = n.parse::<i64>()
        {
            let text = format!("Wrong number of args ({}){tail}", (n - 2).max(0));
            let s = self.str(&text);
            self.heap.write(o, slot::EX_MESSAGE, s);
        }
    }
    /// The parts of a form, which a macro may have made lazily: they are realised by runs of their own.
    pub(crate) fn form_items(&mut self, v: Value) -> R<Vec<Value>> {
        loop {
            match coll::spread(self, v, usize::MAX) {
                Err(Exit::Force) => {
                    let cell = self.pending.value;
                    let seq = self.var("clojure.core/seq").get(slot::VAR_ROOT);
                    self.without_gc(|vm| vm.call_now(seq, &[cell]))?;
                }
                r => return r,
            }
        }
    }
    /// One step of macro expansion; the form itself if it is no macro call.
    pub fn macroexpand_1(&mut self, form: Value) -> R {
        if !coll::is_seq(form) {
            return Ok(form);
        }
        let items = self.form_items(form)?;
        let Some(id) = items.first().and_then(|h| self.symbol_id(*h)) else { return Ok(form) };
        let name = self.names.text(id).to_string();
        if SPECIAL.contains(&name.as_str()) {
            return Ok(form);
        }
        if name.len() > 1 && name.ends_with('.') && !name.ends_with("..") {
            let class = self.symbol(&name[..name.len() - 1]);
            let mut l = vec![self.symbol("new"), class];
            l.extend(&items[1..]);
            return Ok(coll::list_of(self, &l));
        }
        if name.len() > 1 && name.starts_with('.') && !name.starts_with("..") && items.len() > 1 {
            let m = self.symbol(&name[1..]);
            let mut l = vec![self.symbol("."), items[1], m];
            l.extend(&items[2..]);
            return Ok(coll::list_of(self, &l));
        }
        match self.resolve(id)?.and_then(|v| v.as_kind(Kind::Var)) {
            Some(o) if o.get(slot::VAR_FLAGS).fix_get() & var_flag::MACRO != 0 => {
                self.no_gc += 1;
                let mut a =
                    Analyser { vm: self, locals: Vec::new(), targets: vec![None], span: Span::default(), depth: 0 };
                a.set_span(form);
                let r = a.macroexpand(o, form, &items);
                self.no_gc -= 1;
                r
            }
            _ => Ok(form),
        }
    }
    /// Readable text, for messages.
    pub fn show(&mut self, v: Value) -> String {
        print::pr_str(self, v).unwrap_or_else(|_| "?".into())
    }
}
