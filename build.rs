//! Evaluates the library once and makes the image the command starts from.

fn main() {
    let image = match yin_vm::image::build() {
        Ok(i) => i,
        Err(e) => {
            println!("cargo::error={e}");
            std::process::exit(1);
        }
    };
    let out = std::env::var("OUT_DIR").expect("set by cargo");
    std::fs::write(std::path::Path::new(&out).join("library.image"), image).expect("writable");
    println!("cargo:rerun-if-changed=build.rs");
}
