//! Computations that go to other machines: what is said between the two sides (`wire`), over any transport (`link`), sealed with a
//! key that both have (`seal`). `src/cli/serve.rs` and `src/cli/send.rs` are the two ends.
//!
//! The sender offers frozen bytes without the code in them and the hashes of the code; the other side answers which it lacks;
//! only those travel. Then output comes back as it is written, and at last how the computation ended.

pub mod link;
mod primitives;
pub mod seal;
pub mod wire;

/// Why two sides could not do business.
pub type Res<T> = Result<T, String>;
