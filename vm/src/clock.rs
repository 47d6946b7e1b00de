//! Time for statistics, read so that the number of instructions does not depend on what the clock shows.
//!
//! Subtracting two `std::time::Instant`s borrows from the seconds when the nanoseconds say so: a branch. One count of
//! nanoseconds has none, and a run of one build on one input executes the same instructions to the last one.

/// Nanoseconds of the monotonic clock, from an unspecified start.
pub fn now_ns() -> u64 {
    let mut t = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `t` is a valid place for the answer; the monotonic clock exists everywhere we run.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut t) };
    t.tv_sec as u64 * 1_000_000_000 + t.tv_nsec as u64
}
