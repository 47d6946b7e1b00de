//! Writes the list of all programs with their texts, so that the command carries the corpus with it.

use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Entries of a folder by name, in order.
fn sorted(dir: &Path) -> Vec<PathBuf> {
    let mut v: Vec<PathBuf> =
        std::fs::read_dir(dir).expect("the corpus is there").map(|e| e.expect("an entry").path()).collect();
    v.sort();
    v
}

fn name(p: &Path) -> String {
    p.file_name().expect("a name").to_str().expect("UTF-8").to_string()
}

fn main() {
    let root = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let mut out = String::from("pub(crate) static PROGRAMS: &[(&str, &str, Files)] = &[\n");
    for set in ["headline", "other", "micro"] {
        println!("cargo:rerun-if-changed={set}");
        for program in sorted(&root.join(set)) {
            println!("cargo:rerun-if-changed={}", program.display());
            writeln!(out, "({set:?}, {:?}, &[", name(&program)).unwrap();
            for file in sorted(&program) {
                writeln!(out, "({:?}, include_str!({:?})),", name(&file), file).unwrap();
            }
            out.push_str("]),\n");
        }
    }
    out.push_str("];\npub(crate) static SHIMS: Files = &[\n");
    println!("cargo:rerun-if-changed=shims");
    for file in sorted(&root.join("shims")) {
        writeln!(out, "({:?}, include_str!({:?})),", name(&file), file).unwrap();
    }
    out.push_str("];\n");
    let target = PathBuf::from(std::env::var("OUT_DIR").expect("cargo sets it")).join("corpus.rs");
    std::fs::write(target, out).expect("OUT_DIR is writable");
}
