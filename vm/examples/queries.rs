//! How long queries over a large program take: a generated project of about a million facts, loaded and asked.
//!
//! `cargo run --release -p yin-vm --example queries [FUNCTIONS]`. Each query runs once to make the columns it looks at, then
//! five times; the least wall time of those is printed, beside the first.

use datoms::edn::{Edn, read};
use datoms::lazy::{Lexicon, Part, Union};
use datoms::query::{Input, Options, Prepared};
use datoms::source::Source as _;
use std::time::Instant;
use yin_vm::Vm;
use yin_vm::inspect::library::Rules;
use yin_vm::inspect::load::Source;
use yin_vm::inspect::{ask::Wanted, globals};

/// Functions that call each other in layers, with locals, closures, branches and loops.
fn project(functions: usize) -> Vec<Source> {
    let per_file = 100;
    (0..functions.div_ceil(per_file))
        .map(|m| {
            let mut text = format!("(ns p{m}");
            if m > 0 {
                text += &format!(" (:require [p{} :as before])", m - 1);
            }
            text += ")\n";
            for i in 0..per_file {
                // Ten layers in a file, each on the file before.
                let callee = match (i % 10, m) {
                    (0, 0) => "inc".to_string(),
                    (0, _) => format!("before/f{}", i + 9),
                    _ => format!("f{}", i - 1),
                };
                let effect = if i % 50 == 49 { "(println total)" } else { "total" };
                text += &format!(
                    "(defn f{i} [x y]\n  (let [total (+ x (* 2 y)) scale (fn [k] (* k total))]\n    (if (< x y)\n      \
                     (loop [i 0 acc 0] (if (< i {i}) (recur (inc i) (+ acc (scale i))) acc))\n      \
                     (do {effect} ({callee} {} total)))))\n",
                    if callee == "inc" { "" } else { "x" }
                );
            }
            Source { name: format!("p{m}.clj"), text }
        })
        .collect()
}

fn main() -> Result<(), String> {
    let functions: usize = std::env::args().nth(1).map_or(Ok(1000), |a| a.parse().map_err(|e| format!("{a}: {e}")))?;
    let mut vm = Vm::from_sources(0)?;
    let sources = project(functions);
    let before = vm.ast.len();
    let start = Instant::now();
    let failed = vm.load_project(&sources, &mut |_, _| {});
    let seconds = start.elapsed().as_secs_f64();
    if let Some((i, _)) = failed.first() {
        return Err(format!("{}: {}", sources[*i].name, vm.failure().message));
    }
    let nodes = vm.ast.len() - before;
    println!("loaded {nodes} nodes in {:.0} ms: {:.2} million a second", seconds * 1e3, nodes as f64 / seconds / 1e6);
    let lexicon = Lexicon::shared();
    let rules = Rules::library();
    let ast = yin_ast::source::program(&vm.ast, &lexicon);
    let mid = format!("p{}/f50", sources.len() / 2);
    let queries = [
        ("callers of f", format!("[:find [?by ...] :in $ % :where (caller {mid} ?by)]")),
        ("uses of a name", format!("[:find [?v ...] :in $ % :where (use {mid} ?v)]")),
        (
            "enclosing function",
            format!("[:find [?n ...] :in $ % :where (use {mid} ?v) (enclosing-function ?v ?f) [?f :yin/name ?n]]"),
        ),
        (
            "calls in a function",
            format!("[:find ?c ?n :in $ % :where (function-of {mid} ?f) [?c :yin/function ?f] (call-of ?c ?n)]"),
        ),
        ("reachable from f", format!("[:find (count ?g) . :in $ % :where (function-of {mid} ?f) (reachable ?f ?g)]")),
        ("recursive", "[:find (count ?f) . :in $ % :where (recursive ?f)]".to_string()),
        ("purity of all", "[:find (count ?f) . :in $ % :where (pure ?f)]".to_string()),
        ("free variables of all", "[:find ?f ?b :in $ % :where (free-variable ?f ?b)]".to_string()),
        ("unused bindings", "[:find ?b :in $ % :where (unused-binding ?b)]".to_string()),
        ("dead functions", "[:find (count ?f) . :in $ % :where (dead ?f)]".to_string()),
    ];
    let forms: Vec<Edn> = queries.iter().map(|q| read(&q.1).map_err(|e| e.to_string())).collect::<Result<_, _>>()?;
    let wanted: Vec<Wanted> = forms.iter().map(|f| Wanted::of(f, &rules.branches)).collect();
    let globals = globals::source(&vm, &lexicon, &|a| wanted.iter().any(|w| w.wants(a)));
    let parts: Vec<&dyn Part> = vec![&ast, &globals];
    let source = Union::new(parts).ok_or("nothing to ask")?;
    let facts: usize = ast.attr_words().iter().map(|a| ast.count(&[None, Some(*a)])).sum();
    println!("{facts} facts of the AST");
    println!("{:<24} {:>10} {:>10} {:>8}", "query", "first ms", "ms", "rows");
    for ((name, _), form) in queries.iter().zip(&forms) {
        let run = || {
            let start = Instant::now();
            let inputs = [Input::Source(&source), Input::Value(rules.value())];
            let out =
                Prepared::of(form).and_then(|p| p.run(&inputs, &Options::default())).map_err(|e| e.to_string())?;
            Ok::<_, String>((
                start.elapsed().as_secs_f64() * 1e3,
                out.int(0, 0).filter(|_| out.len() == 1).map_or(out.len() as i64, |n| n),
            ))
        };
        let (first, rows) = run()?;
        let mut least = f64::MAX;
        for _ in 0..5 {
            least = least.min(run()?.0);
        }
        println!("{name:<24} {first:>10.2} {least:>10.3} {rows:>8}");
    }
    Ok(())
}
