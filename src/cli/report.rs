//! What people see when something goes wrong, and `--stats`.

use std::io::IsTerminal;
use std::sync::atomic::Ordering;
use std::time::Duration;
use yin_ast::diag::Diag;
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
    // What a program throws of its own needs no explaining.
    let code = f.diag.filter(|d| *d != Diag::User).map_or(String::new(), |d| format!(" ({})", d.code()));
    eprintln!("{red}error[{}]{off}{bold}: {}{off}{code}", f.kind, f.message);
    if let Some(p) = &f.place {
        marked(p, (red, off), &mut |line| eprintln!("{line}"));
    }
    if let Some(h) = &f.hint {
        eprintln!("help: {h}");
    }
    for t in f.trace.iter().take(12) {
        eprintln!("  in {t}");
    }
    f.also.iter().for_each(failure);
}

/// The line of a place with marks under what is meant.
pub fn excerpt(p: &Place, say: &mut dyn FnMut(&str)) {
    marked(p, ("", ""), say);
}

fn marked(p: &Place, (mark, off): (&str, &str), say: &mut dyn FnMut(&str)) {
    let Place { file, line, column, width, text } = p;
    let margin = " ".repeat(line.to_string().len());
    say(&format!("{margin}--> {file}:{line}:{column}"));
    say(&format!("{line} | {text}"));
    say(&format!("{margin} | {}{mark}{}{off}", " ".repeat(*column as usize - 1), "^".repeat(*width as usize)));
}

/// `--stats`: for people. `ran`: from the first form to the last.
pub fn stats(vm: &Vm, ran: Duration) {
    let h = &vm.heap.stats;
    let ms = |ns: u64| ns as f64 / 1e6;
    eprintln!("run                  {:.3} ms", ran.as_secs_f64() * 1e3);
    if let Some(p) = &vm.phases {
        let (r, e, c) = (ms(p.read_ns), ms(p.expand_ns), ms(p.compile_ns));
        eprintln!("of it                {r:.3} ms read, {e:.3} ms expand, {c:.3} ms compile");
    }
    eprintln!("instructions         {} KiB", vm.code_words * 8 / 1024);
    eprintln!("steps interpreted    {}", vm.steps());
    eprintln!("collections          {} minor, {} major", h.minor_collections, h.major_collections);
    eprintln!("pauses               {:.3} ms, the longest {:.3} ms", ms(h.pause_ns), ms(h.longest_pause_ns));
    eprintln!("allocated            {} KiB", h.allocated_words * 8 / 1024);
    eprintln!("copied               {} KiB", h.copied_words * 8 / 1024);
    eprintln!("heap in use          {} KiB", vm.heap.used_bytes() / 1024);
    eprintln!("AST                  {} nodes, {} KiB of columns", vm.ast.len(), vm.ast.size_bytes() / 1024);
    if let Some(t) = &vm.tier {
        t.stats().into_iter().for_each(|(name, value)| eprintln!("{name:<20} {value}"));
    }
    eprintln!("time                 {:.3} ms", vm.started.elapsed().as_secs_f64() * 1e3);
}

/// `--stats=json`: the same for machines, as one line.
pub fn stats_line(vm: &Vm, ran: Duration) {
    let h = &vm.heap.stats;
    let ms = |ns: u64| ns as f64 / 1e6;
    let p = vm.phases.unwrap_or_default();
    let total = vm.started.elapsed();
    let line = serde_json::json!({
        "start_ms": total.saturating_sub(ran).as_secs_f64() * 1e3,
        "run_ms": ran.as_secs_f64() * 1e3,
        "read_ms": ms(p.read_ns),
        "expand_ms": ms(p.expand_ns),
        "compile_ms": ms(p.compile_ns),
        "steps": vm.steps(),
        "code_bytes": vm.code_words * 8,
        "minor_collections": h.minor_collections,
        "major_collections": h.major_collections,
        "pause_ms": ms(h.pause_ns),
        "longest_pause_ms": ms(h.longest_pause_ns),
        "allocated_bytes": h.allocated_words * 8,
        "copied_bytes": h.copied_words * 8,
        "heap_bytes": vm.heap.used_bytes(),
        "ast_nodes": vm.ast.len(),
        "ast_bytes": vm.ast.size_bytes(),
    });
    eprintln!("yin_stats {line}");
}
