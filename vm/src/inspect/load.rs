//! Reading programs for queries: analysed like programs that run, but without their effects.
//!
//! A later form may need what an earlier one defines: a macro, a namespace, a function that a macro calls. So top-level
//! forms that cannot have an effect outside the machine are evaluated: namespace forms, functions, constants, calls of pure
//! primitives. Other forms are only analysed. If the analysis of a form then fails, because a macro needed one of them, they
//! are evaluated after all, in order, and the form is analysed again.

use crate::driver::Loader;
use crate::expand;
use crate::machine::{ErrKind, Exit, Vm};
use crate::prim::{PURE, R, table};
use crate::value::Value;
use yin_ast::{Kind, NodeId};
use yin_yang::clojure::reader::{Form, FormKind, Reader, Resolver};

/// A source of a project.
pub struct Source {
    pub name: String,
    pub text: String,
}

impl Vm {
    /// Adds a source's program to the machine's; its top-level forms are the new roots of [`Vm::ast`].
    ///
    /// # Errors
    /// Throws what reading, expanding and analysing throws; forms before the one at fault stay.
    pub fn load_program(&mut self, source: &str, file_name: &str) -> Result<(), Exit> {
        if file_name.ends_with(".edn") {
            let read = yin_ast::parse(source)
                .map_err(|e| vec![e])
                .and_then(|facts| yin_ast::read(&mut self.ast, &facts).map(|_| ()));
            return read.map_err(|errors| {
                let text: Vec<String> = errors.iter().map(ToString::to_string).collect();
                self.err(ErrKind::Read, text.join("; "))
            });
        }
        let back = self.current_ns();
        let user = self.names.intern("user");
        self.set_current_ns(user);
        let l = self.open_loader(source, file_name);
        // Programs run in between: the loader is reached through a root.
        let at = self.roots.extra.len();
        self.roots.extra.extend([l.0.into(), Value::NIL]);
        let r = self.load_forms(at);
        self.roots.extra[at..at + 2].fill(Value::NIL);
        self.set_current_ns(back);
        r
    }

    /// Root `at` holds the loader, the next one the form at hand.
    fn load_forms(&mut self, at: usize) -> R<()> {
        let loader = |vm: &Vm| Loader(vm.roots.extra[at].obj().expect("a loader"));
        let mut put_off: Vec<NodeId> = Vec::new();
        while let Some(form) = self.next_form(loader(self))? {
            let span = loader(self).span();
            self.roots.extra[at + 1] = form;
            let root = match expand::analyse(self, form, span) {
                Err(Exit::Throw) if !put_off.is_empty() => {
                    for root in std::mem::take(&mut put_off) {
                        self.evaluate_root(root)?;
                    }
                    let form = self.roots.extra[at + 1];
                    expand::analyse(self, form, span)?
                }
                r => r?,
            };
            if self.is_harmless(root) {
                self.evaluate_root(root)?;
            } else {
                put_off.push(root);
            }
        }
        Ok(())
    }

    /// Evaluates a root. What it loads, such as a library, is no part of the program that is asked about.
    fn evaluate_root(&mut self, root: NodeId) -> R<()> {
        let n_roots = self.ast.roots.len();
        let f = self.code_of(root)?;
        let r = self.call_now(f, &[]);
        self.ast.roots.truncate(n_roots);
        r.map(|_| ())
    }

    /// Can the evaluation of the root have no effect outside of the machine? Functions are not entered.
    fn is_harmless(&self, root: NodeId) -> bool {
        let mut work = vec![root];
        while let Some(id) = work.pop() {
            match self.ast.kind(id) {
                Kind::Lambda | Kind::Function => continue,
                Kind::HostCall | Kind::New | Kind::Set | Kind::Loop | Kind::Letrec | Kind::Throw => return false,
                Kind::Application => {
                    let op = self.ast.child(id, 0);
                    let global = self.ast.kind(op) == Kind::Variable && self.ast.refers_to(op).is_none();
                    if !global || !self.ast.name(op).is_some_and(|n| self.is_harmless_name(n)) {
                        return false;
                    }
                }
                _ => {}
            }
            work.extend(self.ast.children(id).iter().copied().filter(|c| c.some().is_some()));
        }
        true
    }

    fn is_harmless_name(&self, name: &str) -> bool {
        const OUTSIDE: &[&str] = &[
            "yin.rt/write",
            "yin.rt/flush",
            "yin.rt/slurp",
            "yin.rt/slurp-stdin",
            "yin.rt/spit",
            "yin.rt/file-info",
            "yin.rt/file-op",
            "yin.rt/list-dir",
            "yin.rt/read-line",
            "yin.rt/sleep",
            "yin.rt/run-loader",
            "yin.rt/raise",
            "yin.rt/throw",
        ];
        const INSIDE: &[&str] = &[
            "in-ns",
            "require",
            "use",
            "refer",
            "import",
            "alias",
            "-refer-core",
            "-interfaces",
            "-implement",
            "-define-protocol",
            "-add-method",
            "extend",
            "atom",
            "volatile!",
            "delay",
            "promise",
            "with-meta",
            "merge",
            "into",
            "range",
            "derive",
            "make-hierarchy",
            "sorted-map",
            "sorted-set",
            "transient",
            "persistent!",
            "commute",
            "ref",
            "agent",
            "object-array",
            "long-array",
            "double-array",
            "concat",
            "seq",
            "set",
            "vec",
            "zipmap",
            "inc",
            "dec",
            "+",
            "-",
            "*",
        ];
        if name.starts_with("yin.rt/") {
            return !OUTSIDE.contains(&name);
        }
        let pure = self.prim_ids.get(name).and_then(|id| table::get(*id)).is_some_and(|p| p.flags & PURE != 0);
        pure || name.strip_prefix("clojure.core/").is_some_and(|n| INSIDE.contains(&n))
    }

    /// Reads a project: each source once, those that others require first. What went wrong, by source; the others are read
    /// all the same. `progress` is told before each source.
    pub fn load_project(&mut self, sources: &[Source], progress: &mut dyn FnMut(usize, &str)) -> Vec<(usize, Exit)> {
        let heads: Vec<(Option<String>, Vec<String>)> = sources.iter().map(head).collect();
        // A namespace of the project is read, not evaluated, so nothing has to load it.
        for ns in heads.iter().filter_map(|h| h.0.as_deref()) {
            let id = self.names.intern(ns);
            self.ns_mut(id);
            self.loaded.insert(id);
        }
        let mut failed = Vec::new();
        for (n, i) in order(&heads).into_iter().enumerate() {
            progress(n, &sources[i].name);
            // A source is a transaction.
            self.ast.set_t(n as i64 + 1);
            if let Err(e) = self.load_program(&sources[i].text, &sources[i].name) {
                failed.push((i, e));
                if e == Exit::Stop {
                    break;
                }
            }
        }
        failed
    }
}

/// Sources so that what is required comes before who requires it; cycles in the order given.
fn order(heads: &[(Option<String>, Vec<String>)]) -> Vec<usize> {
    let of = |ns: &String| heads.iter().position(|h| h.0.as_ref() == Some(ns));
    let (mut out, mut seen) = (Vec::new(), vec![false; heads.len()]);
    for start in 0..heads.len() {
        let mut work = vec![(start, false)];
        while let Some((i, done)) = work.pop() {
            if done {
                out.push(i);
            } else if !std::mem::replace(&mut seen[i], true) {
                work.push((i, true));
                work.extend(heads[i].1.iter().rev().filter_map(of).filter(|d| !seen[*d]).map(|d| (d, false)));
            }
        }
    }
    out
}

struct Nobody;
impl Resolver for Nobody {
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

/// Namespace of a source and the namespaces its `ns` form names.
fn head(s: &Source) -> (Option<String>, Vec<String>) {
    let Ok(Some(form)) = Reader::new(&s.text).next_form(&mut Nobody) else { return (None, Vec::new()) };
    let FormKind::List(items) = &form.kind else { return (None, Vec::new()) };
    match (&items.first().map(|f| &f.kind), items.get(1).map(|f| &f.kind)) {
        (Some(FormKind::Symbol(ns)), Some(FormKind::Symbol(name))) if ns == "ns" => {
            let mut needs = Vec::new();
            items[2..].iter().for_each(|f| symbols(f, &mut needs));
            (Some(name.clone()), needs)
        }
        _ => (None, Vec::new()),
    }
}

fn symbols(f: &Form, out: &mut Vec<String>) {
    match &f.kind {
        FormKind::Symbol(s) => out.push(s.clone()),
        FormKind::List(items) | FormKind::Vector(items) => {
            // A prefix list: (clojure [set :as s]).
            if let (FormKind::List(_), Some(FormKind::Symbol(prefix))) = (&f.kind, items.first().map(|f| &f.kind)) {
                let mut rest = Vec::new();
                items[1..].iter().for_each(|f| symbols(f, &mut rest));
                out.extend(rest.iter().map(|r| format!("{prefix}.{r}")));
            }
            items.iter().for_each(|f| symbols(f, out));
        }
        _ => {}
    }
}
