//! The `yin` command: arguments to subcommands. Only this crate touches the terminal, the environment and the clock.
#![forbid(unsafe_code)]

mod cli;
mod ship;

fn main() {
    // Programs may nest deeply while they are read and analysed; that work has a stack of its own.
    let run = std::thread::Builder::new().stack_size(512 << 20).spawn(cli::main).expect("a thread");
    let code = run.join().unwrap_or(70);
    std::process::exit(code);
}
