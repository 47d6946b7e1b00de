//! Runs the files under `tests/diag`: each fails, and its report must be what its last lines state, line for line
//! (`;; text`). `UPDATE_EXPECT=1` rewrites them.

use std::path::Path;
use std::process::Command;

#[test]
fn reports_read_as_written() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/diag");
    let mut files: Vec<_> = std::fs::read_dir(&dir).expect("tests/diag").flatten().map(|e| e.path()).collect();
    files.sort();
    assert!(files.len() > 5, "the test files are there");
    let mut wrong = Vec::new();
    for f in &files {
        let source = std::fs::read_to_string(f).expect("readable");
        // The report stands below the program, after a line of its own.
        let (program, expected) = source.split_once("\n;; ---\n").unwrap_or((source.trim_end(), ""));
        let name = f.file_name().expect("a file").to_string_lossy();
        let out =
            Command::new(env!("CARGO_BIN_EXE_yin")).arg("run").arg(&*name).current_dir(&dir).output().expect("runs");
        assert!(!out.status.success(), "{name} must fail");
        let report = String::from_utf8_lossy(&out.stderr);
        let got: String = report.lines().map(|l| format!(";; {l}").trim_end().to_string() + "\n").collect();
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::write(f, format!("{program}\n;; ---\n{got}")).expect("writable");
        } else if got != expected {
            wrong.push(format!("{name}: expected\n{expected}got\n{got}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
