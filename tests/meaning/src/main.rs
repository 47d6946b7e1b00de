//! Prints the program of a seed: `cargo run -p yin-meaning -- 42`.

fn main() {
    let seed = std::env::args().nth(1).and_then(|s| s.parse().ok()).unwrap_or(1);
    print!("{}", yin_meaning::generate::program(seed));
}
