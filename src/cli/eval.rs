//! `yin run` and `yin eval`.

use super::{Options, Stats, machine, park, report, stopped};
use std::io::Read;
use yin_vm::{Exit, Stop, Vm};

pub fn run(o: &Options, print: bool) -> i32 {
    let Some(file) = &o.file else {
        eprintln!(
            "yin: {} takes {}",
            o.command,
            if print { "an expression, or - for standard input" } else { "a file" }
        );
        return 2;
    };
    let (source, name) = if file == "-" {
        let mut s = String::new();
        if let Err(e) = std::io::stdin().read_to_string(&mut s) {
            eprintln!("yin: standard input: {e}");
            return 2;
        }
        (s, "stdin".to_string())
    } else if print {
        (file.clone(), "expression".to_string())
    } else {
        match std::fs::read_to_string(file) {
            Ok(s) => (s, file.clone()),
            Err(e) => {
                eprintln!("yin: {file}: {e}");
                return 2;
            }
        }
    };
    let lang = o.lang.as_deref().unwrap_or(if file.ends_with(".py") { "py" } else { "clj" });
    if lang != "clj" {
        eprintln!("yin: language {lang} is not built in yet; Clojure (clj) is");
        return 2;
    }
    let mut vm = match machine(o) {
        Ok(vm) => vm,
        Err(e) => {
            eprintln!("yin: {e}");
            return 70;
        }
    };
    if !print && let Some(dir) = std::path::Path::new(&name).parent() {
        vm.source_paths.insert(0, dir.to_string_lossy().into_owned());
    }
    if !vm.args.is_empty() {
        let args: Vec<_> = vm.args.clone().iter().map(|a| vm.str(a)).collect();
        let args = yin_vm::prim::coll::seq_of_items(&mut vm, &args);
        let var = vm.var("clojure.core/*command-line-args*");
        vm.set_root(var, args);
    }
    if let Some(file) = &o.passes {
        match super::passes::passes(file) {
            Ok(p) => vm.passes = Some(Box::new(p)),
            Err(e) => {
                eprintln!("yin: {e}");
                return 2;
            }
        }
    }
    let recording = o.trace.map(|level| super::inspect::record(&mut vm, level, o.trace_limit));
    if recording.is_some() && o.trace_file.is_none() {
        eprintln!("yin: --trace needs --trace-file FILE here; `yin query QUERY FILE --trace …` asks about a recording");
        return 2;
    }
    if let Some(address) = &o.inspect
        && let Err(e) = super::inspect::listen(&mut vm, address)
    {
        eprintln!("yin: {e}");
        return 2;
    }
    report::watch_interrupts();
    // A program as datoms is an expression: its value is its output.
    let as_datoms = !print && name.ends_with(".edn");
    let started = yin_vm::clock::now_ns();
    let result = if as_datoms { vm.eval_datoms(&source) } else { vm.eval_text(&source, &name) };
    let ran = std::time::Duration::from_nanos(yin_vm::clock::now_ns() - started);
    let result = match result {
        Ok(v) if print || as_datoms => vm.pr_now(v).map(Some),
        Ok(_) => Ok(None),
        Err(e) => Err(e),
    };
    let code = match result {
        Ok(text) => {
            if let Some(t) = text {
                vm.out.push_str(&t);
                vm.out.push('\n');
            }
            vm.flush_out();
            0
        }
        Err(e) => {
            vm.flush_out();
            failed(&mut vm, o, e)
        }
    };
    if let (Some(lexicon), Some(file)) = (&recording, &o.trace_file)
        && let Err(e) = super::inspect::write_recording(&mut vm, lexicon, file)
    {
        eprintln!("yin: {file}: {e}");
        return 1;
    }
    match o.stats {
        Stats::No => {}
        Stats::Text => {
            report::stats(&vm, ran);
            if let Some(p) = &vm.passes {
                super::passes::say(&p.counts);
            }
        }
        Stats::Json => report::stats_line(&vm, ran),
    }
    code
}

/// Reports how a program ended; its exit status.
pub fn failed(vm: &mut Vm, o: &Options, e: Exit) -> i32 {
    if e == Exit::Stop {
        return if vm.pending.stop == Stop::Parked { park::parked(vm, o) } else { stopped(vm.pending.stop) };
    }
    let f = vm.failure();
    report::failure(&f);
    if matches!(f.kind.as_str(), "read" | "syntax") { 2 } else { 1 }
}
