//! Parts of the language: reader, expansion, compiler, AST, interpreter, collector, collections.

use crate::Work;
use std::fmt::Write;
use yin_ast::{Ast, NodeId};
use yin_bench_corpus::{Size, find};
use yin_vm::compile::{Env, compile};
use yin_vm::freeze::OnConflict;
use yin_vm::layout::slot;
use yin_vm::{Value, Vm};
use yin_yang::clojure::reader::{Reader, Resolver};

#[repr(C, align(4096))]
struct Aligned<T: ?Sized>(T);
static IMAGE: &Aligned<[u8]> = &Aligned(*include_bytes!(concat!(env!("OUT_DIR"), "/library.image")));

fn machine() -> Vm {
    let mut vm = Vm::from_image(&IMAGE.0).expect("an image of this build");
    vm.hold_output = true;
    vm
}

/// Programs of the corpus whose work is a part, by name of the part.
const PROGRAMS: &[(&str, &str)] = &[
    ("interpret_loop", "loop-sum"),
    ("interpret_call", "fib-plain"),
    ("interpret_closure", "closure-call"),
    ("interpret_float", "nbody"),
    ("interpret_dispatch", "protocol-call"),
    ("interpret_exception", "try-enter"),
    ("interpret_continuation", "call-cc"),
    ("interpret_generator", "generator"),
    ("collect", "binary-trees"),
    ("map_update", "map-update"),
    ("vector_push", "vector-push"),
    ("vector_nth", "vector-nth"),
    ("string_build", "string-build"),
    ("lazy_seq", "lazy-seq"),
    ("transducer", "transducer"),
];

pub fn ready(name: &str) -> Option<Work> {
    if let Some((_, program)) = PROGRAMS.iter().find(|p| p.0 == name) {
        return Some(run_of(program));
    }
    Some(match name {
        "start" => Box::new(|| machine().ast.len() as u64),
        "read" => {
            let text = yin_vm::driver::LIBRARY.iter().find(|l| l.0 == "clojure.core").expect("the core library").1;
            Box::new(|| read(text))
        }
        "expand" => {
            let (mut vm, text) = (machine(), functions(5));
            Box::new(move || {
                let before = vm.ast.len();
                analyse(&mut vm, &text);
                (vm.ast.len() - before) as u64
            })
        }
        "compile" => {
            let mut vm = machine();
            let roots = analyse(&mut vm, &functions(5));
            Box::new(move || {
                let env = Env { prims: &vm.prim_ids, redefined: &vm.redefined };
                let words = |r: &NodeId| compile(&vm.ast, *r, &env).expect("it fits").arities[0].consts.len() as u64;
                roots.iter().map(words).sum()
            })
        }
        "ast_encode" => {
            let ast = tree();
            Box::new(move || yin_ast::datoms::facts(&ast, ast.ids()).len() as u64)
        }
        "ast_decode" => {
            let ast = tree();
            let facts = yin_ast::datoms::facts(&ast, ast.ids());
            Box::new(move || yin_ast::program(&facts).expect("its own facts").len() as u64)
        }
        "freeze" => {
            let (mut vm, k) = suspended();
            Box::new(move || {
                let k = vm.var(k).get(slot::VAR_ROOT);
                vm.freeze(k).expect("it can travel").len() as u64
            })
        }
        "thaw" => {
            let (mut vm, k) = suspended();
            let k = vm.var(k).get(slot::VAR_ROOT);
            let bytes = vm.freeze(k).expect("it can travel");
            Box::new(move || {
                vm.thaw(&bytes, OnConflict::Error).expect("its own bytes");
                bytes.len() as u64
            })
        }
        _ => return None,
    })
}

/// A machine, and the var whose value is a continuation of some depth that holds some data.
fn suspended() -> (Vm, &'static str) {
    let mut vm = machine();
    let text = "
        (defn leaf [x] (yin.control/abort-to-prompt :part x))
        (defn deep [n m] (if (zero? n) (leaf m) (let [r (deep (dec n) (assoc m n (str n)))] (+ n r))))
        (def k (yin.control/call-with-prompt :part (fn [] (deep 50 {:v (vec (range 500)) :s #{1.5 2/3 \"text\"}}))
                                             (fn [k m] k)))";
    vm.eval_text(text, "part.clj").expect("it runs");
    (vm, "user/k")
}

/// The work of a program of the corpus at small size, in a machine that has run it once.
fn run_of(program: &str) -> Work {
    let p = find(program).expect("a program of the corpus");
    let file = p.for_yin("clj").expect("a program for Yin");
    let mut vm = machine();
    vm.eval_text(&p.source(file, Size::Small).expect("the file is there"), file).expect("it runs");
    let answer = p.answer(Size::Small).expect("known").to_string();
    Box::new(move || {
        // Collections move functions: it is asked for every time.
        let f = vm.var("user/run").get(slot::VAR_ROOT);
        let v = vm.call_now(f, &[]).expect("it runs");
        assert_eq!(shown(&mut vm, v), answer);
        answer.len() as u64
    })
}

fn shown(vm: &mut Vm, v: Value) -> String {
    match v.as_str() {
        Some(s) => s.to_string(),
        None => vm.pr_now(v).expect("printable"),
    }
}

struct Names(u64);

impl Resolver for Names {
    fn current_ns(&self) -> String {
        "user".into()
    }
    fn alias(&self, _: &str) -> Option<String> {
        None
    }
    fn quote_symbol(&self, name: &str) -> String {
        format!("user/{name}")
    }
    fn gensym(&mut self) -> u64 {
        self.0 += 1;
        self.0
    }
}

fn read(text: &str) -> u64 {
    let (mut reader, mut names, mut n) = (Reader::new(text), Names(0), 0);
    while reader.next_form(&mut names).expect("well-formed").is_some() {
        n += 1;
    }
    n
}

/// A text of functions without definitions, rich in macros.
fn functions(n: usize) -> String {
    let mut s = String::new();
    for i in 0..n {
        let _ = writeln!(
            s,
            "(fn f{i} [{{:keys [a b] :as m}} & [c d]]\n  (let [[x y & more] (map inc (filter odd? a))\n        \
             z (cond (nil? b) {i} (< x y) (-> b (assoc :k x) (update :n inc)) :else (or c d (and x y)))]\n    \
             (try (doseq [p more :when (pos? p)] (println p \"text\" \\c 1.5))\n         \
             (for [q (range {i}) r more :let [t (* q r)] :while (< t 100)] (vector q r t))\n         \
             (catch Exception e (case x 1 :one (2 3) :some (loop [k 0] (if (< k 10) (recur (inc k)) {{:e e :z z :m m}})))))))"
        );
    }
    s
}

/// Analyses a text; its top-level nodes.
fn analyse(vm: &mut Vm, text: &str) -> Vec<NodeId> {
    let first = vm.ast.len();
    vm.analyse_text(text, "part.clj").expect("well-formed");
    let new = (first..vm.ast.len()).map(|i| NodeId(i as u32));
    new.filter(|id| vm.ast.parent(*id).is_none() && vm.ast.kind(*id).is_expr()).collect()
}

/// A program as a store of its own.
fn tree() -> Ast {
    let mut vm = machine();
    let first = vm.ast.len();
    analyse(&mut vm, &functions(5));
    let facts = yin_ast::datoms::facts(&vm.ast, (first..vm.ast.len()).map(|i| NodeId(i as u32)));
    yin_ast::program(&facts).expect("its own facts")
}
