//! `yin ast`: a program's AST as datoms.

use super::{Options, eval, machine};
use std::io::Write;
use yin_ast::NodeId;
use yin_ast::datoms::Format;

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
    let name = o.format.as_deref().unwrap_or("edn");
    let Some(format) = Format::named(name) else {
        eprintln!("yin: ast has the formats {}, not {name}", Format::NAMES);
        return 2;
    };
    let first = NodeId(vm.ast.len() as u32);
    let mut own = None;
    if file.ends_with(".edn") {
        // Datoms again: checked, and completed where they say less.
        if let Err(errors) = yin_ast::parse(&source)
            .map_err(|e| vec![e])
            .and_then(|facts| yin_ast::read(&mut vm.ast, &facts).map(|_| ()))
        {
            errors.iter().for_each(|e| eprintln!("error[read]: {file}: {e}"));
            return 2;
        }
    } else {
        match vm.analyse_text(&source, file) {
            Ok(f) => own = Some(f),
            Err(e) => return eval::failed(&mut vm, o, e),
        }
    }
    // Of what it loads, nothing: only the file's own nodes.
    let ids = vm.ast.ids().filter(|id| *id >= first && own.is_none_or(|f| vm.ast.span(*id).file == f));
    let mut out = std::io::BufWriter::new(std::io::stdout());
    // A reader that has seen enough is no error.
    let _ = yin_ast::datoms::write(&vm.ast, ids, format, &mut out).and_then(|()| out.flush());
    0
}
