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

/// A folder with one program that prints `answer` and, if asked for, takes `work` turns of a loop.
fn program(dir: &std::path::Path, name: &str, answer: &str, work: u32) {
    let dir = dir.join(name);
    std::fs::create_dir_all(&dir).expect("a folder");
    let text = format!(
        "(defn run [] (loop [i 0] (if (< i {work}) (recur (inc i)) 42)))\n\
         (let [result (atom nil) report (with-out-str (time (reset! result (run))))]\n  (println @result)\n  \
         (binding [*out* *err*] (println \"elapsed_ms\" (re-find #\"[0-9.]+\" report))))\n"
    );
    std::fs::write(dir.join("main.clj"), text).expect("written");
    std::fs::write(dir.join("params.json"), format!("{{\"checksum\": \"{answer}\"}}")).expect("written");
}

fn text(b: &[u8]) -> String {
    String::from_utf8_lossy(b).into_owned()
}

#[test]
fn a_folder_of_programs_is_measured_and_written_in_every_form() {
    let dir = folder("own");
    program(&dir, "right", "42", 20_000);
    program(&dir, "more", "42", 40_000);
    let (own, json, html, md) =
        (dir.to_str().expect("UTF-8"), dir.join("a.json"), dir.join("a.html"), dir.join("a.md"));
    let args = ["bench", own, "--processes", "2", "--iterations", "3", "--format", "json", "--json"];
    let rest =
        [json.to_str(), Some("--html"), html.to_str(), Some("--markdown"), md.to_str()].map(|a| a.expect("UTF-8"));
    let out = yin(&[&args[..], &rest[..]].concat());
    assert!(out.status.success(), "{}", text(&out.stderr));
    let written = std::fs::read_to_string(&json).expect("written");
    assert_eq!(text(&out.stdout), written);
    let lines: Vec<serde_json::Value> = written.lines().map(|l| serde_json::from_str(l).expect("JSON lines")).collect();
    assert_eq!(lines.len(), 3, "the machine and two programs");
    for l in &lines[1..] {
        assert_eq!(l["status"], "ok");
        let samples = l["samples"].as_array().expect("samples");
        assert_eq!(samples.len(), 2);
        for s in samples {
            assert_eq!(s["iterations_ms"].as_array().expect("further runs").len(), 3);
            for phase in ["start_ms", "read_ms", "expand_ms", "compile_ms"] {
                assert!(s["inside"][phase].as_f64() > Some(0.0), "{phase} in {s}");
            }
            assert!(s["rss_kb"].as_f64() > Some(100.0) && s["cpu_ms"].as_f64().is_some());
        }
        assert!(l["steady_ms"]["median"].as_f64() > Some(0.0));
    }
    assert!(std::fs::read_to_string(html).expect("written").ends_with("</html>\n"));
    assert!(std::fs::read_to_string(md).expect("written").contains("| right |"));
}

#[test]
fn wrong_answers_and_failures_are_told_and_counted() {
    let dir = folder("wrong");
    program(&dir, "wrong", "43", 10);
    std::fs::write(dir.join("fails.clj"), "(println 1)\n(+ nil 1)\n").expect("written");
    let out = yin(&["bench", dir.to_str().expect("UTF-8"), "--processes", "1"]);
    let said = text(&out.stderr);
    assert_eq!(out.status.code(), Some(1));
    assert!(said.contains("wrong on yin: wrong: printed \"42\", expected \"43\""), "{said}");
    assert!(said.contains("fails on yin: failed: error["), "{said}");
    for bad in [&["bench", "no-such-thing"][..], &["bench", "--no-such"], &["bench", "--processes", "x", "fib"]] {
        assert_eq!(yin(bad).status.code(), Some(2), "{bad:?}");
    }
}

#[test]
fn what_became_slower_is_named_and_fails() {
    let dir = folder("compare");
    let line = |program: &str, ms: [f64; 3]| {
        let samples: Vec<_> = ms.iter().map(|x| serde_json::json!({ "wall_ms": x, "first_ms": x })).collect();
        serde_json::json!({ "program": program, "engine": "yin", "samples": samples }).to_string()
    };
    let write = |name: &str, lines: &[String]| {
        let path = dir.join(name);
        std::fs::write(&path, lines.join("\n")).expect("written");
        path.to_str().expect("UTF-8").to_string()
    };
    let a = write("a", &[line("same", [10.0, 10.1, 10.2]), line("slow", [10.0, 10.1, 10.2])]);
    let b = write("b", &[line("same", [10.0, 10.1, 10.3]), line("slow", [10.9, 11.0, 11.1])]);
    let out = yin(&["bench", "--compare", &a, &b, "--fail-above", "3%"]);
    assert_eq!(out.status.code(), Some(1));
    assert_eq!(text(&out.stderr), "slower: slow on yin: steady up 8.9 %, more than 3 %\n");
    let out = yin(&["bench", "--compare", &a, &b, "--fail-above", "10"]);
    assert_eq!((out.status.code(), text(&out.stderr)), (Some(0), String::new()));
    assert!(text(&out.stdout).contains("+8.9 %"));
    assert_eq!(yin(&["bench", "--compare", &b, &a, "--fail-above", "3%"]).status.code(), Some(0));
    assert_eq!(yin(&["bench", "--compare", &a]).status.code(), Some(2));
}
