//! `yin ast`: a program's AST as datoms.

use super::{Options, eval, machine};
use std::io::Write;

pub fn run(o: &Options) -> i32 {
    let Some(file) = &o.file else {
        eprintln!("yin: ast takes a file");
        return 2;
    };
    let source = match std::fs::read_to_string(file) {
        Ok(s) => s,
        Err(e) => {
            eprintln!("yin: {file}: {e}");
            return 2;
        }
    };
    let mut vm = match machine(o) {
        Ok(vm) => vm,
        Err(e) => {
            eprintln!("yin: {e}");
            return 70;
        }
    };
    let first = vm.ast.len() as u32;
    if let Err(e) = vm.analyse_text(&source, file) {
        return eval::failed(&mut vm, e);
    }
    let ids = (first..vm.ast.len() as u32).map(yin_ast::NodeId);
    let mut out = std::io::BufWriter::new(std::io::stdout());
    let facts = yin_ast::datoms::facts(&vm.ast, ids);
    let r = match o.format.as_deref().unwrap_or("edn") {
        "edn" => facts.iter().try_for_each(|(e, a, v, t, m)| writeln!(out, "[{e} :{a} {v} {t} {m}]")),
        "table" => facts.iter().try_for_each(|(e, a, v, t, m)| writeln!(out, "{e:>7}  {a:<18} {t} {m}  {v}")),
        "json" => facts.iter().try_for_each(|(e, a, v, t, m)| {
            writeln!(out, "{}", serde_json::json!([e, format!(":{a}"), v.to_string(), t, m]))
        }),
        f => {
            eprintln!("yin: ast has the formats edn, table and json, not {f}");
            return 2;
        }
    };
    // A reader that has seen enough is no error.
    let _ = r.and_then(|()| out.flush());
    0
}
