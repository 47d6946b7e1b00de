//! The programs of the corpus through the command, and `yin bench` itself.

use std::path::PathBuf;
use std::process::{Command, Output};
use yin_bench_corpus::{Size, all};

fn yin(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_yin")).args(args).output().expect("the command starts")
}

fn folder(name: &str) -> PathBuf {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).expect("a folder");
    dir
}

#[test]
fn programs_give_their_answers_through_the_command() {
    let dir = folder("corpus");
    let mut wrong = Vec::new();
    for p in all() {
        let file = p.for_yin("clj").expect("every program is there for Yin");
        let path = dir.join(format!("{}.clj", p.name));
        std::fs::write(&path, p.source(file, Size::Small).expect("it has the file")).expect("written");
        let out = yin(&["run", path.to_str().expect("UTF-8")]);
        let (text, said) = (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
        if !out.status.success() || Some(text.trim()) != p.answer(Size::Small) {
            wrong.push(format!("{}: {text} {said}", p.name));
        } else if p.name != "startup" && !said.contains("elapsed_ms ") {
            wrong.push(format!("{}: no elapsed_ms in {said:?}", p.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
