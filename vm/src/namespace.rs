//! Namespaces: what symbols mean, and the reader's questions about them.

use crate::expand::SPECIAL;
use crate::layout::{Kind, slot, var_flag};
use crate::machine::{ErrKind, Vm};
use crate::prim::{R, types};
use crate::value::{Obj, Value};
use rustc_hash::{FxHashMap as HashMap, FxHashSet as HashSet};
use yin_ast::diag::Diag;
use yin_yang::clojure::reader::Resolver;

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

impl Vm {
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
    pub(crate) fn core_ns(&mut self) -> u32 {
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
                    return Err(self.err(ErrKind::Unbound, Diag::NotPublic.message(&[&format!("#'{ns}/{name}")])));
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
