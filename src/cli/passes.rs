//! `yin explain-pass`: what passes make of a program, and why.

use super::query::load_all;
use super::{Options, machine};
use yin_ast::NodeId;
use yin_vm::Vm;
use yin_vm::inspect::pass::{Counts, Passes, SHIPPED, sketch};

/// The passes that options name: a file, or the shipped ones for `default`.
pub fn passes(file: &str) -> Result<Passes, String> {
    if file == "default" {
        return Passes::new(SHIPPED);
    }
    let text = std::fs::read_to_string(file).map_err(|e| format!("{file}: {e}"))?;
    Passes::new(&text).map_err(|e| format!("{file}: {e}"))
}

pub fn run(o: &Options) -> i32 {
    match explain(o) {
        Ok(()) => 0,
        Err((code, message)) => {
            eprintln!("yin: {message}");
            code
        }
    }
}

/// Loads files and derives; the roots before and after.
fn derive(vm: &mut Vm, p: &mut Passes, files: &[String]) -> Result<(Vec<NodeId>, Vec<NodeId>), (i32, String)> {
    let first = NodeId(vm.ast.len() as u32);
    let n = vm.ast.roots.len();
    load_all(vm, files)?;
    let roots = vm.ast.roots[n..].to_vec();
    let derived = p.derive(vm, first, &roots).map_err(|e| (2, e))?;
    Ok((roots, derived))
}

fn explain(o: &Options) -> Result<(), (i32, String)> {
    let Some(file) = &o.file else {
        return Err((2, "explain-pass takes a program, and FILE:LINE or FILE to say what about it".into()));
    };
    let (file, line) = match file.rsplit_once(':') {
        Some((f, l)) if l.parse::<u32>().is_ok() => (f.to_string(), l.parse::<u32>().ok()),
        _ => (file.clone(), None),
    };
    let mut p = passes(o.passes.as_deref().unwrap_or("default")).map_err(|e| (2, e))?;
    let mut vm = machine(o).map_err(|e| (70, e))?;
    let started = std::time::Instant::now();
    derive(&mut vm, &mut p, std::slice::from_ref(&file))?;
    let ms = started.elapsed().as_secs_f64() * 1e3;
    for a in &p.applications {
        let (l, c) = vm.ast.line_col(a.from);
        if line.is_some_and(|want| want != l) {
            continue;
        }
        println!("{file}:{l}:{c} {} #{} in round {}", a.pass, a.rule, a.round);
        println!("  {}", sketch(&vm.ast, a.from, 6));
        println!("  => {}", sketch(&vm.ast, a.to, 6));
        for (name, v) in a.inputs.iter().skip(1) {
            let node =
                v.as_int().and_then(|e| yin_ast::source::node(u32::try_from(e).ok()?)).filter(|n| vm.ast.has(*n));
            match node {
                Some(n) => println!("     {name} = {}", sketch(&vm.ast, n, 4)),
                None => println!("     {name} = {v}"),
            }
        }
    }
    say(&p.counts);
    eprintln!("{ms:.1} ms with reading");
    // The same program after edits: only what changed is made anew.
    for edited in &o.args {
        let before = p.counts.clone();
        p.counts =
            Counts { by_pass: before.by_pass.iter().map(|(n, _)| (n.clone(), 0)).collect(), ..Counts::default() };
        derive(&mut vm, &mut p, std::slice::from_ref(edited))?;
        eprintln!("after the edit to {edited}:");
        say(&p.counts);
    }
    Ok(())
}

/// Counts, to standard error.
pub fn say(c: &Counts) {
    eprintln!(
        "{} roots: {} known from before, {} derived, {} of them changed in {} rounds; {} nodes became {}",
        c.roots,
        c.reused,
        c.roots - c.reused,
        c.changed,
        c.rounds,
        c.nodes_before,
        c.nodes_after
    );
    for (name, n) in &c.by_pass {
        eprintln!("  {name:<16} {n}");
    }
}
