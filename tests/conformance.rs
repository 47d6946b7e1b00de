//! Runs the Clojure cases with answers from the JVM (`tests/conformance/clojure.jsonl`) through `yin conform` and fails when
//! fewer pass than did before, or when a case ends the process.

use serde_json::Value as Json;
use std::process::Command;

/// Cases that passed when this was last raised; of 2245.
const PASSING: usize = 2241;

fn same(expected: &Json, got: &Json) -> bool {
    if let Some(v) = expected["value"].as_str() {
        let Some(g) = got["value"].as_str() else { return false };
        // Entries of maps and elements of sets may come in any order.
        let data = |s: &str| datoms::edn::read(s).ok();
        return v == g || data(v).is_some_and(|x| data(g) == Some(x));
    }
    ["out", "error"].iter().all(|k| expected[*k].is_null() || expected[*k] == got[*k])
}

#[test]
fn clojure_cases_interpreted() {
    cases_pass(&["--jit", "off"], "");
}

#[test]
fn clojure_cases_compiled_first() {
    cases_pass(&["--jit", "always"], "exit");
}

fn cases_pass(options: &[&str], zeal: &str) {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/conformance/clojure.jsonl");
    let text = std::fs::read_to_string(file).expect("the cases");
    let cases: Vec<Json> = text.lines().map(|l| serde_json::from_str(l).expect("a case")).collect();
    let dir = std::env::temp_dir().join(format!("yin-conformance-{}-{}", std::process::id(), options.join("")));
    std::fs::create_dir_all(&dir).expect("a folder for what cases write");
    let input = dir.join("cases.jsonl");
    let lines: String = cases
        .iter()
        .map(|c| {
            let kind = if c["expect"]["out"].is_null() { "value" } else { "out" };
            format!("{}\n", serde_json::json!({ "id": c["id"], "src": c["src"], "kind": kind }))
        })
        .collect();
    std::fs::write(&input, lines).expect("writable");
    let out = Command::new(env!("CARGO_BIN_EXE_yin"))
        .args(options)
        .args(["conform", "--lang", "clj"])
        .env("YIN_ZEAL", zeal)
        .arg(&input)
        .current_dir(&dir)
        .output()
        .expect("it runs");
    std::fs::remove_dir_all(&dir).expect("our own folder");
    let got: Vec<Json> =
        String::from_utf8_lossy(&out.stdout).lines().map(|l| serde_json::from_str(l).expect("an answer")).collect();
    assert_eq!(got.len(), cases.len(), "a case ended the process: {}", String::from_utf8_lossy(&out.stderr));
    let failed: Vec<&Json> =
        cases.iter().zip(&got).filter(|(c, g)| !same(&c["expect"], g)).map(|(c, _)| &c["id"]).collect();
    let passed = cases.len() - failed.len();
    println!("{options:?}: {passed} of {} Clojure cases pass; not: {failed:?}", cases.len());
    assert!(passed >= PASSING, "only {passed} pass; not: {failed:?}");
}
