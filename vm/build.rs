//! Lists the library sources that are part of the machine.

use std::path::{Path, PathBuf};

fn files(dir: &Path, out: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|e| e.path()).collect();
    entries.sort();
    for p in entries {
        if p.is_dir() {
            files(&p, out);
        } else if p.extension().is_some_and(|e| e == "clj") {
            out.push(p);
        }
    }
}

fn main() {
    let lib = Path::new("lib").canonicalize().expect("the library folder");
    println!("cargo:rerun-if-changed={}", lib.display());
    let mut all = Vec::new();
    files(&lib, &mut all);
    let mut text = String::from("[\n");
    for p in all {
        println!("cargo:rerun-if-changed={}", p.display());
        let rel = p.strip_prefix(&lib).expect("inside").with_extension("");
        let ns = rel.to_string_lossy().replace('/', ".").replace('_', "-");
        text.push_str(&format!("({ns:?}, include_str!({:?})),\n", p.display().to_string()));
    }
    text.push(']');
    let out = std::env::var("OUT_DIR").expect("set by cargo");
    std::fs::write(Path::new(&out).join("library.rs"), text).expect("writable");
}
