//! Instruction counts of the parts (iai-callgrind): `cargo xtask bench compare`. Making ready and dropping are not counted.

use iai_callgrind::{Callgrind, LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main};
use std::hint::black_box;
use yin_benches::{Work, ready};

macro_rules! parts {
    ($($name:ident)*) => {
        #[library_benchmark]
        $(#[bench::$name(ready(stringify!($name)))])*
        fn part(mut work: Work) -> (Work, u64) {
            let n = black_box(work());
            (work, n)
        }
    };
}
#[cfg(not(feature = "probe"))]
yin_benches::each_part!(parts);
#[cfg(feature = "probe")]
parts!(probe);

library_benchmark_group!(name = parts; benchmarks = part);
// Instructions are what counts; simulating caches would double the time.
main!(
    config = LibraryBenchmarkConfig::default().tool(Callgrind::with_args(["--cache-sim=no"]));
    library_benchmark_groups = parts);
