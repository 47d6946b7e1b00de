//! `yin repl`: read, evaluate, print, again. Input that is not complete asks for more.

use super::{Options, eval, machine, report};
use std::io::{BufRead, IsTerminal, Write};
use yin_vm::Exit;

pub fn run(o: &Options) -> i32 {
    let mut vm = match machine(o) {
        Ok(vm) => vm,
        Err(e) => {
            eprintln!("yin: {e}");
            return 70;
        }
    };
    report::watch_interrupts();
    let stdin = std::io::stdin();
    let tty = stdin.is_terminal();
    if tty {
        println!("yin {}  (Ctrl-D leaves, Ctrl-C stops a running program)", env!("CARGO_PKG_VERSION"));
    }
    let mut pending = String::new();
    loop {
        if tty {
            let prompt = if pending.is_empty() { format!("{}=> ", vm.current_ns_name()) } else { "  … ".into() };
            print!("{prompt}");
            let _ = std::io::stdout().flush();
        }
        let mut line = String::new();
        match stdin.lock().read_line(&mut line) {
            Ok(0) => break,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {
                pending.clear();
                println!();
                continue;
            }
            Err(e) => {
                eprintln!("yin: standard input: {e}");
                return 1;
            }
            Ok(_) => pending.push_str(&line),
        }
        if yin_vm::driver::is_incomplete(&pending) {
            continue;
        }
        let source = std::mem::take(&mut pending);
        if source.trim().is_empty() {
            continue;
        }
        let r = vm.eval_text(&source, "repl").and_then(|v| {
            let t = vm.pr_now(v)?;
            vm.remember(v);
            Ok(t)
        });
        match r {
            Ok(t) => {
                vm.out.push_str(&t);
                vm.out.push('\n');
                vm.flush_out();
            }
            Err(Exit::Stop) => {
                vm.flush_out();
                if let yin_vm::Stop::Exit(code) = vm.pending.stop {
                    return code;
                }
                eval::failed(&mut vm, o, Exit::Stop);
            }
            Err(e) => {
                vm.flush_out();
                eval::failed(&mut vm, o, e);
            }
        }
        if vm.broken_pipe {
            break;
        }
    }
    0
}
