//! Programs that stop in the middle and go on later: `--park`, `--park-on-term`, `--checkpoint`, `yin resume`, `yin inspect`.

use super::{Options, eval, machine, report};
use std::path::Path;
use yin_vm::{Vm, control, freeze};

/// Replaces a file at once: whoever reads it sees the old bytes or the new ones.
pub fn write_whole(path: &str, bytes: &[u8]) -> Result<(), String> {
    let target = Path::new(path);
    let name = target.file_name().ok_or_else(|| format!("{path} names no file"))?.to_string_lossy().into_owned();
    let temporary = target.with_file_name(format!(".{name}.{}", std::process::id()));
    let written = std::fs::write(&temporary, bytes).and_then(|()| std::fs::rename(&temporary, target));
    written.map_err(|e| {
        let _ = std::fs::remove_file(&temporary);
        format!("{path}: {e}")
    })
}

/// What the options say about parking.
pub fn set_up(vm: &mut Vm, o: &Options) -> Result<(), String> {
    vm.parking.allowed = o.park.is_some();
    if o.park_on_term.is_some() {
        vm.parking.on_term = true;
        control::watch_termination();
    }
    match (&o.checkpoint, o.every) {
        (None, None) => {}
        (Some(file), every) => {
            let file = file.clone();
            vm.checkpoint_every(
                every.unwrap_or(1_000_000),
                Box::new(move |frozen| {
                    if let Err(why) = frozen.map_err(String::from).and_then(|b| write_whole(&file, b)) {
                        eprintln!("warning: no checkpoint: {why}");
                        return false;
                    }
                    true
                }),
            );
        }
        (None, Some(_)) => return Err("--every needs --checkpoint FILE".into()),
    }
    Ok(())
}

/// The program became bytes: they go to their file. The exit status.
pub fn parked(vm: &mut Vm, o: &Options) -> i32 {
    let label = vm.parking.label.take();
    let file = if label.is_some() { &o.park } else { &o.park_on_term };
    let (Some(bytes), Some(file)) = (vm.parking.bytes.take(), file) else {
        let why = vm.parking.error.take().unwrap_or_default();
        eprintln!("yin: the program cannot be parked: {why}");
        return 1;
    };
    if let Err(why) = write_whole(file, &bytes) {
        eprintln!("yin: {why}");
        return 1;
    }
    match label {
        Some(l) => println!("{l}"),
        None => eprintln!("parked in {file}: yin resume {file}"),
    }
    0
}

fn frozen(o: &Options) -> Result<(&str, Vec<u8>), i32> {
    let Some(file) = &o.file else {
        eprintln!("yin: {} takes a file of frozen bytes", o.command);
        return Err(2);
    };
    match std::fs::read(file) {
        Ok(b) => Ok((file, b)),
        Err(e) => {
            eprintln!("yin: {file}: {e}");
            Err(2)
        }
    }
}

/// `yin resume FILE [EDN]`
pub fn resume(o: &Options) -> i32 {
    let (file, bytes) = match frozen(o) {
        Ok(f) => f,
        Err(code) => return code,
    };
    if o.args.len() > 1 {
        eprintln!("yin: resume takes one value");
        return 2;
    }
    let mut vm = match machine(o) {
        Ok(vm) => vm,
        Err(e) => {
            eprintln!("yin: {e}");
            return 70;
        }
    };
    report::watch_interrupts();
    if let Err(code) = load(&mut vm, o) {
        return code;
    }
    go_on(&mut vm, o, file, &bytes, o.args.first().map(String::as_str))
}

/// Evaluates the files that are to be there before anything arrives.
///
/// # Errors
/// The exit status, after the reason was said.
pub fn load(vm: &mut Vm, o: &Options) -> Result<(), i32> {
    for name in &o.load {
        let source = std::fs::read_to_string(name).map_err(|e| {
            eprintln!("yin: {name}: {e}");
            2
        })?;
        if let Err(e) = vm.eval_text(&source, name) {
            vm.flush_out();
            return Err(eval::failed(vm, o, e));
        }
    }
    Ok(())
}

/// Goes on with a program that was parked in `file`; `text` is the value of its `park`. The exit status.
pub fn go_on(vm: &mut Vm, o: &Options, file: &str, bytes: &[u8], text: Option<&str>) -> i32 {
    let resumed = match vm.read_program(bytes, o.on_conflict) {
        Ok(r) => r,
        Err(why) => {
            eprintln!("yin: {file}: cannot resume: {why}");
            if why.starts_with(freeze::CONFLICT) {
                eprintln!(
                    "hint: --on-conflict ours keeps the definitions here, --on-conflict theirs those of the program"
                );
            }
            return 2;
        }
    };
    let value = match text {
        Some(_) if resumed.label.is_none() => {
            eprintln!("yin: {file}: the program waits for no value");
            return 2;
        }
        Some(text) => vm.read_data(text),
        None => Ok(yin_vm::Value::NIL),
    };
    let result = match value {
        Ok(v) => vm.go_on(v),
        Err(e) => Err(e),
    };
    vm.flush_out();
    match result {
        Ok(_) => 0,
        Err(e) => eval::failed(vm, o, e),
    }
}

/// `yin inspect FILE`
pub fn inspect(o: &Options) -> i32 {
    let (file, bytes) = match frozen(o) {
        Ok(f) => f,
        Err(code) => return code,
    };
    let mut vm = match super::new_vm() {
        Ok(vm) => vm,
        Err(e) => {
            eprintln!("yin: {e}");
            return 70;
        }
    };
    let i = match vm.inspect(&bytes) {
        Ok(i) => i,
        Err(why) => {
            eprintln!("yin: {file}: {why}");
            return 2;
        }
    };
    match o.format.as_deref() {
        Some("json") => {
            let frames: Vec<_> = i
                .frames
                .iter()
                .map(|f| {
                    let (file, line) = f.place.clone().unzip();
                    serde_json::json!({ "function": f.function, "file": file, "line": line, "words": f.words,
                        "locals": f.locals.iter().map(|(n, v)| serde_json::json!([n, v])).collect::<Vec<_>>() })
                })
                .collect();
            let all = serde_json::json!({ "program": i.program, "bytes": i.size_bytes, "label": i.label, "value": i.value,
                "frames": frames, "globals": i.globals });
            println!("{all}");
        }
        None | Some("text") => {
            println!("{}, {} bytes", if i.program { "program" } else { "value" }, i.size_bytes);
            if let Some(l) = &i.label {
                println!("waits at {l}");
            }
            if let Some(v) = &i.value {
                println!("{v}");
            }
            for f in &i.frames {
                let place = f.place.as_ref().map_or(String::new(), |(f, l)| format!(" ({f}:{l})"));
                println!("{}{place}, {} bytes", f.function, 8 * f.words);
                f.locals.iter().for_each(|(n, v)| println!("  {n} = {v}"));
            }
            if !i.globals.is_empty() {
                println!("globals: {}", i.globals.join(" "));
            }
        }
        Some(f) => {
            eprintln!("yin: inspect has the formats text and json, not {f}");
            return 2;
        }
    }
    0
}
