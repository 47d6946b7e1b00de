//! The special forms.

use super::{Analyser, Local};
use crate::layout::{Kind, slot, var_flag};
use crate::machine::ErrKind;
use crate::prim::{R, coll, hamt, types};
use crate::value::Value;
use datoms::edn::Edn;
use yin_ast::diag::Diag;
use yin_ast::{Kind as Node, NodeId};

impl Analyser<'_> {
    pub(super) fn body(&mut self, items: &[Value], tail: bool) -> R<NodeId> {
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

    pub(super) fn special(&mut self, name: &str, items: &[Value], tail: bool) -> R<NodeId> {
        let n = items.len();
        match name {
            "quote" => {
                if n != 2 {
                    return self.syntax(Diag::FormCount, &["quote", "one form"]);
                }
                Ok(self.literal(items[1]))
            }
            "if" => {
                if !(3..=4).contains(&n) {
                    return self.syntax(if n > 4 { Diag::ManyParts } else { Diag::FewArguments }, &["if"]);
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
                    return self.syntax(Diag::RecurTry, &[]);
                }
                if !tail {
                    return self.syntax(Diag::RecurTail, &[]);
                }
                let Some(want) = want else {
                    return self.syntax(Diag::RecurTail, &[" of a loop or function"]);
                };
                if want != n - 1 {
                    let (want, got) = (want.to_string(), (n - 1).to_string());
                    return self.syntax(Diag::RecurCount, &[&want, &got]);
                }
                let c = items[1..].iter().map(|x| self.form(*x, false)).collect::<R<Vec<_>>>()?;
                Ok(self.vm.ast.add(Node::Recur, self.span, &c))
            }
            "def" => self.def(items),
            "var" => {
                let Some(id) = items.get(1).and_then(|v| self.vm.symbol_id(*v)) else {
                    return self.syntax(Diag::FormCount, &["var", "a symbol"]);
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
                        Err(self.vm.err(ErrKind::Unbound, Diag::NoVarForm.message(&[&t])))
                    }
                }
            }
            "set!" => {
                if n != 3 {
                    return self.syntax(Diag::Assignment, &[]);
                }
                let target = match self.vm.symbol_id(items[1]).and_then(|id| self.lookup(id).map(|l| (id, l))) {
                    Some((_, Local::Plain(_))) => return self.syntax(Diag::AssignLocal, &[]),
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
                                _ => return self.syntax(Diag::AssignTarget, &[]),
                            }
                        }
                    },
                };
                let v = self.form(items[2], false)?;
                Ok(self.vm.ast.add(Node::Set, self.span, &[target, v]))
            }
            "throw" => {
                if n != 2 {
                    return self.syntax(Diag::FormCount, &["throw", "one form"]);
                }
                let v = self.form(items[1], false)?;
                Ok(self.vm.ast.add(Node::Throw, self.span, &[v]))
            }
            "try" => self.try_form(items),
            "catch" | "finally" => self.syntax(Diag::OutsideTry, &[name]),
            "case*" => self.case(items, tail),
            "new" => {
                if n < 2 {
                    return self.syntax(Diag::FormCount, &["new", "a class"]);
                }
                self.new_object(items[1], &items[2..])
            }
            "." => {
                if n < 3 {
                    return self.syntax(Diag::Member, &["(. target member …)"]);
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
            _ => self.syntax(Diag::SpecialOnly, &[name]),
        }
    }

    fn binding_vector(&mut self, v: Option<&Value>, what: &str) -> R<Vec<Value>> {
        match v {
            Some(v) if v.is_kind(Kind::Vector) => {
                let bs = coll::vector_values(*v);
                if !bs.len().is_multiple_of(2) {
                    return self.syntax(Diag::OddBindings, &[what]);
                }
                Ok(bs)
            }
            _ => self.syntax(Diag::BindingVector, &[what]),
        }
    }
    fn plain_symbol(&mut self, v: Value, what: &str) -> R<u32> {
        match self.vm.symbol_id(v) {
            Some(id) if self.vm.names.ns(id).is_none() => Ok(id),
            Some(_) => self.syntax(Diag::QualifiedLocal, &[what]),
            None => self.syntax(Diag::NotASymbol, &[what]),
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
                        return self.syntax(Diag::ArityList, &[]);
                    }
                    all.push(self.items(*a)?);
                }
                all
            }
            None => return self.syntax(Diag::ParametersMissing, &[]),
        };
        let mut c = vec![own];
        let mut seen = Vec::new();
        let mut rest_fixed = None;
        for a in &arities {
            let (id, n, rest) = self.arity(a, fields)?;
            if rest {
                if rest_fixed.is_some() {
                    return self.syntax(Diag::TwoVariadics, &[]);
                }
                rest_fixed = Some(n);
            } else if seen.contains(&n) {
                return self.syntax(Diag::SameArity, &[]);
            } else {
                seen.push(n);
            }
            c.push(id);
        }
        if let Some(r) = rest_fixed
            && seen.iter().any(|n| *n > r)
        {
            return self.syntax(Diag::VariadicShorter, &[]);
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
            return self.syntax(Diag::ParameterVector, &[]);
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
                    return self.syntax(Diag::AfterRest, &[]);
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
            return self.syntax(Diag::ManyParameters, &[]);
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
            return self.syntax(if items.len() > 4 { Diag::ManyParts } else { Diag::FewArguments }, &["def"]);
        }
        let Some(id) = self.vm.symbol_id(items[1]) else {
            return self.syntax(Diag::DefSymbol, &[]);
        };
        let cur = self.vm.current_ns();
        let name = self.vm.names.name(id).to_string();
        if let Some(ns) = self.vm.names.ns(id).map(str::to_string) {
            let nsid = self.vm.names.intern(&ns);
            if self.vm.ns_of_alias(nsid) != Some(cur) {
                return self.syntax(Diag::DefElsewhere, &[]);
            }
        }
        let name_id = self.vm.names.intern(&name);
        let var = self.vm.intern_var(cur, name_id);
        let full = self.var_name(var);
        let mut meta = types::meta_of(self.vm, items[1]);
        if items.len() == 4 {
            if items[2].as_str().is_none() {
                return self.syntax(Diag::ManyParts, &["def"]);
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
                        return self.syntax(Diag::FinallyLast, &[]);
                    }
                    if parts.len() < 3 {
                        return self.syntax(Diag::FormCount, &["catch", "a class and a name"]);
                    }
                    catches.push(parts);
                }
                Some("finally") => {
                    if finally.is_some() {
                        return self.syntax(Diag::TwoFinally, &[]);
                    }
                    finally = Some(parts);
                }
                _ if !catches.is_empty() || finally.is_some() => {
                    return self.syntax(Diag::AfterCatch, &[]);
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
            return self.syntax(Diag::FormCount, &["case*", "a test, a default, and constants and results in turn"]);
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

    pub(super) fn host_call(&mut self, name: &str, target: Value, args: &[Value]) -> R<NodeId> {
        let t = self.form(target, false)?;
        let mut c = vec![t];
        for a in args {
            c.push(self.form(*a, false)?);
        }
        Ok(self.vm.ast.named(Node::HostCall, self.span, name, &c))
    }
    pub(super) fn new_object(&mut self, class: Value, args: &[Value]) -> R<NodeId> {
        let Some(id) = self.vm.symbol_id(class) else { return self.syntax(Diag::FormCount, &["new", "a class"]) };
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
                return Err(self.vm.err(ErrKind::Unbound, Diag::NoClassname.message(&[&t])));
            }
        };
        let mut c = Vec::new();
        for a in args {
            c.push(self.form(*a, false)?);
        }
        Ok(self.vm.ast.named(Node::New, self.span, &name, &c))
    }
}
