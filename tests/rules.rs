//! The library of rules: every example of a shipped file gives the answer it states.

use datoms::edn::{Edn, Keyword, read, read_all};
use std::process::Command;

fn get<'a>(entry: &'a Edn, key: &str) -> Option<&'a Edn> {
    let key = Edn::Keyword(Keyword::new(key));
    entry.as_map()?.iter().find(|(k, _)| *k == key).map(|(_, v)| v)
}

/// Standard output of the command; its standard error if it failed.
fn yin(args: &[&str]) -> Result<String, String> {
    let out = Command::new(env!("CARGO_BIN_EXE_yin")).args(args).output().expect("yin runs");
    let text = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
    if out.status.success() { Ok(text(&out.stdout)) } else { Err(text(&out.stderr)) }
}

/// Sequences are compared without regard to order: queries promise none.
fn unordered(v: Edn) -> Edn {
    match v.as_seq() {
        Some(items) => {
            let mut items = items.to_vec();
            items.sort();
            Edn::vector(items)
        }
        None => v,
    }
}

#[test]
fn examples_give_their_answers() {
    let root = env!("CARGO_MANIFEST_DIR");
    let dir = std::env::temp_dir().join(format!("yin-rules-{}", std::process::id()));
    std::fs::create_dir_all(&dir).expect("a folder");
    let mut wrong = Vec::new();
    let mut n = 0;
    for file in ["program", "flow", "exec", "run"] {
        let text = std::fs::read_to_string(format!("{root}/vm/src/inspect/rules/{file}.edn")).expect("shipped");
        for entry in read_all(&text).expect("EDN") {
            let doc = get(&entry, "doc").and_then(Edn::as_str).expect("every entry has a :doc").to_string();
            let example = get(&entry, "example").unwrap_or_else(|| panic!("no example: {doc}"));
            let program = get(example, "program").and_then(Edn::as_str).expect("a program");
            let query = get(example, "query").expect("a query").to_string();
            let answer = get(example, "answer").expect("an answer").clone();
            let path = dir.join(format!("{file}{n}.clj"));
            std::fs::write(&path, program).expect("written");
            let sources = match (file, get(example, "run").is_some()) {
                (_, true) => "run,types",
                ("exec", _) => "ast,exec",
                _ => "ast",
            };
            let path = path.to_string_lossy();
            let found = yin(&["query", &query, &path, "--format", "edn", "--source", sources]);
            n += 1;
            match found {
                Ok(text) if unordered(read(&text).expect("EDN")) == unordered(answer.clone()) => {}
                Ok(text) => wrong.push(format!("{doc}\n  {query}\n  gives {}  not {answer}", text)),
                Err(e) => wrong.push(format!("{doc}\n  {query}\n  fails: {e}")),
            }
        }
    }
    let _ = std::fs::remove_dir_all(&dir);
    assert!(n > 50, "{n} examples");
    assert!(wrong.is_empty(), "{} of {n} examples:\n{}", wrong.len(), wrong.join("\n"));
}
