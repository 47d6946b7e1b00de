//! Time of the parts (criterion): `cargo xtask bench wall`. A machine or store is made anew for every measurement.

use criterion::{BatchSize, Criterion};
use yin_benches::{each_part, ready};

fn main() {
    let mut c = Criterion::default().configure_from_args();
    macro_rules! parts {
        ($($name:ident)*) => {
            $(c.bench_function(stringify!($name), |b| {
                b.iter_batched_ref(|| ready(stringify!($name)), |work| work(), BatchSize::PerIteration);
            });)*
        };
    }
    each_part!(parts);
    c.final_summary();
}
