//! Tasks of whoever works on Yin: `cargo xtask TASK`.
#![forbid(unsafe_code)]

mod bench;

const HELP: &str = "\
usage: cargo xtask bench …     instruction counts and their gate; cargo xtask bench help says more
";

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let code = match args.first().map(String::as_str) {
        Some("bench") => bench::run(&args[1..]),
        Some("help" | "--help" | "-h") => {
            print!("{HELP}");
            0
        }
        _ => {
            eprint!("{HELP}");
            2
        }
    };
    std::process::exit(code);
}
