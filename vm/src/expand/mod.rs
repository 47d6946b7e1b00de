//! From forms to Universal AST: special forms, macro expansion by the machine itself.
//!
//! A form is read as a value (lists carry their span as `SpanMeta`), macros get and return such values, and the analyser
//! walks them and appends nodes in evaluation order. Macro calls run on a stack of their own with collections put off, so
//! the analyser may hold values.

mod names;
mod special;

use crate::layout::{Kind, slot, var_flag};
use crate::machine::{ErrKind, Exit, Vm};
use crate::prim::{R, coll, hamt, print, types};
use crate::value::{Obj, Value};
use datoms::edn::Edn;
use yin_ast::diag::Diag;
use yin_ast::{Kind as Node, NodeId, Span};

pub(crate) const SPECIAL: &[&str] = &[
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
/// Deepest nesting of forms the analyser follows.
pub(crate) const MAX_DEPTH: usize = 1500;

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
    fn syntax<T>(&mut self, d: Diag, holes: &[&str]) -> R<T> {
        Err(self.vm.err(ErrKind::Syntax, d.message(holes)))
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
            return self.syntax(Diag::NestedForms, &[]);
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
                let items = coll::set_items(self.vm, v);
                self.collection(v, Node::SetOf, items)
            }
            Kind::Record => Ok(self.literal(v)),
            _ => Ok(self.literal(v)),
        }
    }

    fn is_constant(&mut self, v: Value) -> bool {
        let Some(o) = v.obj() else { return v.as_plain_symbol().is_none() };
        let items = match o.kind() {
            Kind::Str
            | Kind::Int64
            | Kind::Float64
            | Kind::BigInt
            | Kind::SmallBig
            | Kind::Ratio
            | Kind::Decimal
            | Kind::EmptyList => return true,
            Kind::Vector => coll::vector_values(v),
            Kind::ArrayMap | Kind::HashMap => {
                coll::map_entries(self.vm, v).into_iter().flat_map(|(k, x)| [k, x]).collect()
            }
            Kind::HashSet => coll::set_items(self.vm, v),
            _ => return false,
        };
        types::meta_of(self.vm, v).is_nil() && items.into_iter().all(|x| self.is_constant(x))
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
                        return self.syntax(Diag::MacroValue, &[&t]);
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
                        return self.syntax(Diag::Member, &[&format!("({name} target …)")]);
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
            return self.syntax(Diag::NoMethodOfProtocol, &[&t]);
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
            return self.syntax(Diag::ManyArguments, &[]);
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
