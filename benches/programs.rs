//! Instruction counts of whole small programs, start-up included (iai-callgrind): `cargo xtask bench compare`.
//!
//! The command is the one built beside this program. Programs lie in a folder beside it and are named without a path, and
//! the environment is empty, so that counts depend on neither. The clock is one of steps: a program that prints how long it took
//! would take longer to print some times than others. `YIN_COUNT_SHARE=I/N` counts every N-th program, from the I-th on.

use iai_callgrind::{
    Bench, BinaryBenchmark, BinaryBenchmarkConfig, BinaryBenchmarkGroup, Callgrind, Command, binary_benchmark_group,
    main,
};
use std::path::PathBuf;
use yin_bench_corpus::{Size, all};

/// Modes of the compiler that this build has.
fn modes(yin: &PathBuf) -> Vec<&'static str> {
    let able = |mode: &&str| {
        let out = std::process::Command::new(yin).args(["eval", "--jit", mode, "1"]).output();
        out.is_ok_and(|o| o.status.success())
    };
    ["off", "always"].into_iter().filter(able).collect()
}

/// Which programs to count: from which one on, and every how many-th.
fn share() -> (usize, usize) {
    let Ok(text) = std::env::var("YIN_COUNT_SHARE") else { return (0, 1) };
    let (i, n) = text.split_once('/').expect("YIN_COUNT_SHARE=I/N");
    (i.parse().expect("a number"), n.parse().expect("a number"))
}

fn add(group: &mut BinaryBenchmarkGroup) {
    let here = std::env::current_exe().expect("this program");
    let built = here.ancestors().nth(2).expect("target/PROFILE/deps/programs").to_path_buf();
    let (yin, dir) = (built.join("yin"), built.join("counted"));
    std::fs::create_dir_all(&dir).expect("a folder");
    let modes = modes(&yin);
    let (from, step) = share();
    for p in all().into_iter().skip(from).step_by(step) {
        let file = p.for_yin("clj").expect("every program is there for Yin");
        let name = format!("{}.clj", p.name);
        std::fs::write(dir.join(&name), p.source(file, Size::Small).expect("the file is there")).expect("written");
        let mut b = BinaryBenchmark::new(p.name.replace('-', "_"));
        for mode in &modes {
            let mut c = Command::new(&yin);
            c.args(["run", "--clock", "steps", "--jit", mode, &name]).current_dir(&dir);
            b.bench(Bench::new(*mode).command(c).clone());
        }
        group.binary_benchmark(b);
    }
}

binary_benchmark_group!(name = programs; benchmarks = |group: &mut BinaryBenchmarkGroup| add(group));
// Instructions are what counts; simulating caches would double the time.
main!(
    config = BinaryBenchmarkConfig::default().tool(Callgrind::with_args(["--cache-sim=no"]));
    binary_benchmark_groups = programs);
