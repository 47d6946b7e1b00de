//! Programs with known answers, the same in every language.
//!
//! Three sets: `headline` (what README shows), `other` (wider real work) and `micro` (one feature each). A program is a folder:
//! `main.clj`, `main.py`, `main.lua`, `main.scm`, `main.js` where the language has what it takes, variants (`yin.clj`: Yin
//! alone; `main54.lua`: Lua 5.4 alone; `imm.js`, `imm.rkt`: immutable collections), and `params.json` with a note, sizes and
//! answers. [`all`] lists the corpus, which is part of the binary; [`Program::load`] reads a folder of anybody's.
//!
//! Every program prints one line, its answer, on standard output, and `elapsed_ms N` (its own clock, without start-up) on
//! standard error. Its work is a function `run` without arguments, so that [`source::repeated`] can time more iterations in
//! the same process.
#![forbid(unsafe_code)]

mod program;
pub mod source;

pub use program::{LoadError, Program, Set, Size, all, find, load_path, shim};
