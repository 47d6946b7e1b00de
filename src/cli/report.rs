//! What people see when something goes wrong, and `--stats`.

use std::io::IsTerminal;
use std::sync::atomic::Ordering;
use yin_vm::driver::{Failure, Place};
use yin_vm::{Vm, control};

/// Ctrl-C asks the program to stop at its next poll.
pub fn watch_interrupts() {
    yin_vm::control::watch_interrupts();
    control::INTERRUPTED.store(false, Ordering::Relaxed);
}

/// `error[kind]: message`, the source line, the trace.
pub fn failure(f: &Failure) {
    let color = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let (red, bold, off) = if color { ("\x1b[31m", "\x1b[1m", "\x1b[0m") } else { ("", "", "") };
    eprintln!("{red}error[{}]{off}{bold}: {}{off}", f.kind, f.message);
    if let Some(Place { file, line, column, width, text }) = &f.place {
        let margin = " ".repeat(line.to_string().len());
        eprintln!("{margin}--> {file}:{line}:{column}");
        eprintln!("{line} | {text}");
        eprintln!("{margin} | {}{red}{}{off}", " ".repeat(*column as usize - 1), "^".repeat(*width as usize));
    }
    for t in f.trace.iter().take(12) {
        eprintln!("  in {t}");
    }
}

pub fn stats(vm: &Vm) {
    let h = &vm.heap.stats;
    eprintln!("steps                {}", vm.steps());
    eprintln!("collections          {} minor, {} major", h.minor_collections, h.major_collections);
    eprintln!("longest pause        {:.3} ms", h.longest_pause_ns as f64 / 1e6);
    eprintln!("allocated            {} KiB", h.allocated_words * 8 / 1024);
    eprintln!("copied               {} KiB", h.copied_words * 8 / 1024);
    eprintln!("heap in use          {} KiB", vm.heap.used_bytes() / 1024);
    eprintln!("AST                  {} nodes, {} KiB of columns", vm.ast.len(), vm.ast.size_bytes() / 1024);
    eprintln!("time                 {:.3} ms", vm.started.elapsed().as_secs_f64() * 1e3);
}
