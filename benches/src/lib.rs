//! The parts of Yin as pieces of work with known answers, for time (`wall.rs`) and for instruction counts (`parts.rs`).
//!
//! A part is made ready outside of what is measured; doing it gives a number that is checked. Whole programs are elsewhere:
//! `programs.rs` counts those of the corpus as processes, and `yin bench` times them.
#![forbid(unsafe_code)]

mod language;
mod store;

/// A piece of work that can be done again and again; the number it gives.
pub type Work = Box<dyn FnMut() -> u64>;

/// Calls a macro with the name of every part.
#[macro_export]
macro_rules! each_part {
    ($m:ident) => {
        $m! {
            probe
            start read expand compile
            ast_encode ast_decode
            interpret_loop interpret_call interpret_closure interpret_float interpret_dispatch interpret_exception
            interpret_continuation interpret_generator
            collect
            map_update vector_push vector_nth string_build lazy_seq transducer
            freeze thaw
            query_join query_rules query_aggregate query_parse
            transact transact_large
        }
    };
}

/// A part made ready.
///
/// # Panics
/// No part has that name, or it cannot be made ready.
pub fn ready(name: &str) -> Work {
    match name {
        "probe" => Box::new(probe),
        _ => language::ready(name).or_else(|| store::ready(name)).unwrap_or_else(|| panic!("no part {name}")),
    }
}

/// What the gate is tested with: with the feature `slowed` it takes 2 % more work.
#[inline(never)]
fn probe() -> u64 {
    let turns = if cfg!(feature = "slowed") { 10_200 } else { 10_000 };
    (0..turns).fold(0, |sum: u64, i| std::hint::black_box(sum.wrapping_mul(31).wrapping_add(i)))
}

#[cfg(test)]
mod tests {
    macro_rules! all {
        ($($name:ident)*) => { [$(stringify!($name)),*] };
    }

    #[test]
    fn every_part_gives_the_same_answer_twice() {
        for name in each_part!(all) {
            let mut work = super::ready(name);
            let first = work();
            assert!(first > 0, "{name}");
            assert_eq!(work(), first, "{name}");
        }
    }
}
