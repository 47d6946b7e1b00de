//! Times the query workloads: `cargo run --release --example bench_store [--quick] [NAME…]`.

fn main() {
    let (flags, names): (Vec<String>, Vec<String>) = std::env::args().skip(1).partition(|a| a.starts_with("--"));
    let quick = flags.iter().any(|f| f == "--quick");
    if let Err(e) = datoms::bench::run(&names, quick, &mut |line| println!("{line}")) {
        eprintln!("{e}");
        std::process::exit(1);
    }
}
