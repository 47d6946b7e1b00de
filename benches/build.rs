//! The image of the library, as the command has it.

fn main() {
    let image = yin_vm::image::build().unwrap_or_else(|e| panic!("{e}"));
    let out = std::env::var("OUT_DIR").expect("set by cargo");
    std::fs::write(std::path::Path::new(&out).join("library.image"), image).expect("writable");
    println!("cargo:rerun-if-changed=build.rs");
}
