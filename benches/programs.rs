//! Instruction counts of whole small programs, start-up included (iai-callgrind): `cargo xtask bench compare`.
//!
//! The command is the one built beside this program. Programs lie in a folder beside it and are named without a path, and
//! the environment is empty, so that counts depend on neither.

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

fn add(group: &mut BinaryBenchmarkGroup) {
    let here = std::env::current_exe().expect("this program");
    let built = here.ancestors().nth(2).expect("target/PROFILE/deps/programs").to_path_buf();
    let (yin, dir) = (built.join("yin"), built.join("counted"));
    std::fs::create_dir_all(&dir).expect("a folder");
    let modes = modes(&yin);
    for p in all() {
        let file = p.for_yin("clj").expect("every program is there for Yin");
        let name = format!("{}.clj", p.name);
        std::fs::write(dir.join(&name), p.source(file, Size::Small).expect("the file is there")).expect("written");
        let mut b = BinaryBenchmark::new(p.name.replace('-', "_"));
        for mode in &modes {
            let mut c = Command::new(&yin);
            c.args(["run", "--jit", mode, &name]).current_dir(&dir);
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
