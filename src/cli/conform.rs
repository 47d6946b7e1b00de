//! `yin conform`: many cases in one process, each as if alone.

use super::Options;
use serde_json::{Value as Json, json};
use std::io::Write;
use yin_vm::{Exit, Vm};

pub fn run(o: &Options) -> i32 {
    let Some(file) = &o.file else {
        eprintln!("yin: conform takes a file of cases");
        return 2;
    };
    match o.lang.as_deref() {
        None | Some("clj") => {}
        Some("datalog") => return datalog(file),
        Some(l) => {
            eprintln!("yin: conform knows --lang clj and datalog, not {l}");
            return 2;
        }
    }
    let text = match std::fs::read_to_string(file) {
        Ok(t) => t,
        Err(e) => {
            eprintln!("yin: {file}: {e}");
            return 2;
        }
    };
    for (n, line) in text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty()) {
        let case: Json = match serde_json::from_str(line) {
            Ok(c) => c,
            Err(e) => {
                eprintln!("yin: {file}:{}: {e}", n + 1);
                return 2;
            }
        };
        let (id, src) = (&case["id"], case["src"].as_str().unwrap_or(""));
        let out = match super::machine(o) {
            Ok(mut vm) => one(&mut vm, src, case["kind"].as_str() == Some("value")),
            Err(e) => json!({ "error": e }),
        };
        let mut row = json!({ "id": id });
        if let (Some(r), Some(o)) = (row.as_object_mut(), out.as_object()) {
            r.extend(o.clone());
        }
        let mut stdout = std::io::stdout();
        if writeln!(stdout, "{row}").and_then(|()| stdout.flush()).is_err() {
            return 0;
        }
    }
    0
}

/// One JSON line a case, then the totals.
fn datalog(file: &str) -> i32 {
    let result = std::fs::read_to_string(file).map_err(|e| e.to_string()).and_then(|text| datoms::conform::run(&text));
    match result {
        Ok(verdicts) => {
            let mut out = std::io::stdout();
            let shown = out.write_all(datoms::conform::report(&verdicts).as_bytes()).and_then(|()| out.flush());
            // A reader that has seen enough is no error.
            let _ = shown;
            i32::from(verdicts.iter().any(|v| !v.pass))
        }
        Err(e) => {
            eprintln!("yin: {file}: {e}");
            2
        }
    }
}

fn one(vm: &mut Vm, src: &str, value: bool) -> Json {
    vm.hold_output = true;
    let r = vm.eval_text(src, "case").and_then(|v| if value { vm.pr_now(v) } else { Ok(String::new()) });
    match r {
        Ok(v) if value => json!({ "value": v }),
        Ok(_) => json!({ "out": vm.out }),
        Err(Exit::Stop) if !value => json!({ "out": vm.out }),
        Err(_) => json!({ "error": vm.failure().kind }),
    }
}
