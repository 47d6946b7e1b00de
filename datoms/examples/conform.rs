//! Runs a file of Datalog cases: `cargo run --example conform FILE`. One JSON line a case, then the totals.

use datoms::conform::{report, run};

fn main() {
    let Some(file) = std::env::args().nth(1) else {
        eprintln!("usage: conform FILE");
        std::process::exit(2);
    };
    let result = std::fs::read_to_string(&file).map_err(|e| e.to_string()).and_then(|text| run(&text));
    match result {
        Ok(verdicts) => {
            print!("{}", report(&verdicts));
            std::process::exit(i32::from(verdicts.iter().any(|v| !v.pass)));
        }
        Err(e) => {
            eprintln!("{file}: {e}");
            std::process::exit(2);
        }
    }
}
