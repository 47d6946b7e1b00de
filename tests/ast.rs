//! `yin ast`: each node of a file once, nothing of what it loads, and the same program when read back.

use std::process::Command;

fn yin(args: &[&str]) -> (bool, String, String) {
    let out = Command::new(env!("CARGO_BIN_EXE_yin")).args(args).output().expect("it runs");
    let text = |b: Vec<u8>| String::from_utf8_lossy(&b).into_owned();
    (out.status.success(), text(out.stdout), text(out.stderr))
}

#[test]
fn a_file_is_listed_once_and_alone() {
    let dir = std::env::temp_dir().join(format!("yin-ast-{}", std::process::id()));
    std::fs::create_dir_all(&dir).expect("a folder");
    let clj = dir.join("a.clj");
    let source =
        "(ns a (:require [clojure.zip :as z]))\n(defn f [x] (if x {:a #{1 2} :b 10N} (z/vector-zip x)))\n(f 2)\n";
    std::fs::write(&clj, source).expect("writable");
    let clj = clj.to_string_lossy();
    let (ok, tree, err) = yin(&["ast", "--format", "tree", &clj]);
    assert!(ok, "{err}");
    assert_eq!(tree.matches("define a/f").count(), 1, "{tree}");
    assert!(!tree.contains("define clojure.zip"), "{tree}");
    assert!(tree.contains("literal {:a #{1 2} :b 10N}") || tree.contains("literal {:a #{1 2}, :b 10N}"), "{tree}");
    // As datoms it is the same program.
    let (_, facts, _) = yin(&["ast", &clj]);
    let edn = dir.join("a.edn");
    std::fs::write(&edn, facts).expect("writable");
    let (ok, value, err) = yin(&["run", &edn.to_string_lossy()]);
    assert!(ok, "{err}");
    assert_eq!(value.trim_end(), "{:a #{1 2}, :b 10N}");
    std::fs::remove_dir_all(&dir).expect("removable");
}

#[test]
fn dumps_go_to_standard_error() {
    let (ok, out, err) = yin(&["--dump", "ast,op", "eval", "(+ 1 2)"]);
    assert!(ok && out == "3\n", "{err}");
    assert!(err.contains("operator: variable clojure.core/+") && err.contains("addi r1 r0 2"), "{err}");
}
