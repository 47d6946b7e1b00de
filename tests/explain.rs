//! Each diagnostic's example fails with its code, and `yin explain` knows it.

use std::io::Write;
use std::process::{Command, Stdio};
use yin_ast::diag::{DIAGS, Diag};

fn yin(args: &[&str], input: &str) -> (Option<i32>, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_yin"))
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    child.stdin.take().expect("piped").write_all(input.as_bytes()).expect("it reads");
    let out = child.wait_with_output().expect("it ends");
    let text = |b: Vec<u8>| String::from_utf8_lossy(&b).into_owned();
    (out.status.code(), text(out.stdout), text(out.stderr))
}

#[test]
fn examples_fail_with_their_code() {
    let mut wrong = Vec::new();
    for i in DIAGS.iter().filter(|i| !i.example.is_empty()) {
        let (_, _, err) = yin(&["eval", "-"], i.example);
        let first = err.lines().next().unwrap_or("");
        let code = format!("({})", i.code);
        let shown = first.ends_with(&code) || i.diag == Diag::User;
        if !first.starts_with(&format!("error[{}]", i.kind)) || !shown {
            wrong.push(format!("{} {}: {first}", i.code, i.example));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn codes_are_explained() {
    let (code, out, _) = yin(&["explain", "y0102"], "");
    assert_eq!(code, Some(0));
    assert!(out.starts_with("Y0102: error[read]: Unmatched delimiter"), "{out}");
    let (code, out, _) = yin(&["explain"], "");
    assert_eq!((code, out.lines().count()), (Some(0), DIAGS.len()));
    assert_eq!(yin(&["explain", "Y9999"], "").0, Some(2));
}

#[test]
fn limits_have_codes() {
    let (code, _, err) = yin(&["--fuel", "100", "eval", "(loop [] (recur))"], "");
    assert_eq!((code, err.trim_end()), (Some(3), "error[limit]: the program used up its fuel (Y0501)"));
}
