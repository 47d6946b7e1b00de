//! Values of forms and of the data in the AST, and back.

use crate::layout::{Kind, slot};
use crate::machine::{ErrKind, Vm};
use crate::prim::{R, coll, hamt, num, text, types, vector};
use crate::value::Value;
use datoms::edn::{Edn, Symbol};
use yin_ast::diag::Diag;
use yin_yang::clojure::reader::{Form, FormKind};

impl Vm {
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
                // In source order, however many: elements are evaluated so. A larger one becomes a hash map when a
                // literal is made of it, or when a macro adds to it.
                if file != u32::MAX || vs.len() <= 16 {
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
            None => Err(self.err(ErrKind::Read, Diag::NumberToken.message(&[t]))),
        }
    }
    fn tagged(&mut self, tag: &str, x: Value) -> R {
        match tag {
            "inst" => {
                let s = text::want_str(self, x)?;
                match text::parse_inst(s) {
                    Some(ms) => Ok(self.alloc(Kind::Inst, &[Value::from_bits(ms as u64)])),
                    None => Err(self.err(ErrKind::Read, Diag::DateToken.message(&[s]))),
                }
            }
            "uuid" => {
                let s = text::want_str(self, x)?;
                match text::parse_uuid(s) {
                    Some((h, l)) => Ok(self.alloc(Kind::Uuid, &[Value::from_bits(h), Value::from_bits(l)])),
                    None => Err(self.err(ErrKind::Read, Diag::UuidToken.message(&[s]))),
                }
            }
            _ => {
                let t = self.symbol(tag);
                let readers = self.var("clojure.core/*data-readers*").get(slot::VAR_ROOT);
                if coll::is_map(readers) {
                    let f = coll::get(self, readers, t, Value::NIL)?;
                    if !f.is_nil() {
                        return self.without_gc(|vm| vm.call_now(f, &[x]));
                    }
                }
                let default = self.var("clojure.core/*default-data-reader-fn*").get(slot::VAR_ROOT);
                if default.truthy() && default != Value::UNBOUND {
                    return self.without_gc(|vm| vm.call_now(default, &[t, x]));
                }
                Err(self.err(ErrKind::Read, Diag::NoTagReader.message(&[tag])))
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
            Edn::Tagged(t) if t.0.as_str().starts_with("yin/") && t.0.as_str() != "yin/object" => self.special_value(t),
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
            Edn::Inst(ms) => self.alloc(Kind::Inst, &[Value::from_bits(*ms as u64)]),
            Edn::Uuid(u) => {
                let n = u128::from_be_bytes(u.0);
                self.alloc(Kind::Uuid, &[Value::from_bits((n >> 64) as u64), Value::from_bits(n as u64)])
            }
            Edn::Regex(s) => text::regex(self, s).unwrap_or(Value::NIL),
            Edn::Tagged(t) => {
                let x = self.value_of(&t.1);
                self.tagged(t.0.as_str(), x).unwrap_or(Value::NIL)
            }
            Edn::Decimal(_) | Edn::Ratio(_) => self.number_token(&e.to_string()).unwrap_or(Value::NIL),
        }
    }
    /// What stands in code for a type, a global, a namespace, or a value with metadata.
    fn special_value(&mut self, t: &(Symbol, Edn)) -> Value {
        match (t.0.as_str(), &t.1) {
            ("yin/type", Edn::Symbol(s)) => {
                let name = self.names.intern(s.as_str());
                match self.type_named(name) {
                    Some(t) => t.into(),
                    None => self.class_value(s.as_str()),
                }
            }
            ("yin/var", Edn::Symbol(s)) => self.var(s.as_str()).into(),
            ("yin/namespace", Edn::Symbol(s)) => {
                let name = self.names.intern(s.as_str());
                self.ns_mut(name).object.unwrap_or(Value::NIL)
            }
            ("yin/meta", Edn::Vector(vm)) if vm.len() == 2 => {
                let (v, m) = (self.value_of(&vm[0]), self.value_of(&vm[1]));
                types::with_meta(self, v, m).unwrap_or(v)
            }
            _ => Value::NIL,
        }
    }
    /// A value as data of the AST. What is not plain data stays an object of this machine.
    pub(crate) fn data_of(&mut self, v: Value) -> Edn {
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
        let tagged = |tag: &str, e: Edn| Edn::Tagged(std::sync::Arc::new((Symbol::new(tag), e)));
        match v.obj().map(|o| (o.kind(), o)) {
            Some((Kind::Type, o)) => {
                if let Some(name) = o.get(0).as_plain_symbol()
                    && self.type_named(name) == Some(o)
                {
                    return tagged("yin/type", Edn::symbol(self.names.text(name)));
                }
            }
            Some((Kind::Var, o)) => return tagged("yin/var", Edn::symbol(&self.var_text(o))),
            Some((Kind::Namespace, o)) => {
                if let Some(name) = o.get(0).as_plain_symbol() {
                    return tagged("yin/namespace", Edn::symbol(self.names.text(name)));
                }
            }
            Some((Kind::SymbolMeta, o)) => {
                let (s, m) = (self.data_of(o.get(0)), self.data_of(o.get(1)));
                return tagged("yin/meta", Edn::vector([s, m]));
            }
            Some((Kind::Vector | Kind::List | Kind::ArrayMap | Kind::HashMap | Kind::HashSet, _)) => {
                let m = types::meta_of(self, v);
                if coll::is_map(m)
                    && let Ok(bare) = types::with_meta(self, v, Value::NIL)
                {
                    let (v, m) = (self.data_of(bare), self.data_of(m));
                    return tagged("yin/meta", Edn::vector([v, m]));
                }
            }
            Some((Kind::Cons | Kind::LazySeq | Kind::ChunkedCons | Kind::IndexedSeq, _)) => {
                // Realised ones are lists to whoever quotes them.
                if let Ok(xs) = coll::spread(self, v, usize::MAX) {
                    let xs: Vec<Edn> = xs.into_iter().map(|x| self.data_of(x)).collect();
                    return Edn::list(xs);
                }
            }
            _ => {}
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
                Some(Kind::ArrayMap | Kind::HashMap) => {
                    let es: Vec<(Edn, Edn)> = coll::map_entries(self, v)
                        .into_iter()
                        .map(|(k, x)| (self.data_of(k), self.data_of(x)))
                        .collect();
                    return Edn::Map(es.into());
                }
                Some(Kind::HashSet) => {
                    let xs: Vec<Edn> = coll::set_items(self, v).into_iter().map(|x| self.data_of(x)).collect();
                    return Edn::Set(xs.into());
                }
                Some(Kind::BigInt | Kind::SmallBig | Kind::Ratio | Kind::Decimal) => {
                    let text = self.show(v);
                    if let Ok(n) = datoms::edn::read(&text) {
                        return n;
                    }
                }
                Some(Kind::Inst) => return Edn::Inst(v.obj().expect("has a kind").raw(0) as i64),
                Some(Kind::Uuid) => {
                    let o = v.obj().expect("has a kind");
                    let n = u128::from(o.raw(0)) << 64 | u128::from(o.raw(1));
                    return Edn::Uuid(datoms::edn::Uuid(n.to_be_bytes()));
                }
                Some(Kind::Regex) => {
                    if let Some(s) = v.obj().and_then(|o| o.get(0).as_str()) {
                        return Edn::Regex(s.into());
                    }
                }
                _ => {}
            }
        }
        let i = self.roots.extra.len() as i64;
        self.roots.extra.push(v);
        Edn::Tagged(std::sync::Arc::new((Symbol::new("yin/object"), Edn::Int(i))))
    }
}
