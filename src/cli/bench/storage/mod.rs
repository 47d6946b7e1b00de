//! `yin bench storage`: how large real programs are as datoms, and how long making them takes.
//!
//! Files are parsed with parsers of others and turned into the Universal AST, constructs without a meaning in the machine
//! included. The parsers are heavy, so that they are in builds with the feature `storage` only.

#[cfg(feature = "storage")]
mod build;
#[cfg(feature = "storage")]
mod javascript;
#[cfg(feature = "storage")]
mod python;
#[cfg(feature = "storage")]
mod size;

const HELP: &str = "\
yin bench storage — size of sources as datoms

usage: yin bench storage [--format table|markdown|json] PATH…

Every .py, .js, .mjs, .cjs, .jsx, .ts and .tsx file under the paths; one column a path.
";

/// The exit status.
pub fn run(args: &[String]) -> i32 {
    if args.is_empty() || args.iter().any(|a| a == "--help" || a == "-h") {
        super::super::print(HELP);
        return if args.is_empty() { 2 } else { 0 };
    }
    #[cfg(feature = "storage")]
    return size::run(args);
    #[cfg(not(feature = "storage"))]
    {
        eprintln!(
            "yin: this build has no parsers of Python and JavaScript; one that has:\n  \
             cargo build --release --features storage --target x86_64-unknown-linux-gnu\n\
             (with the target named, as the parsers need macros that the static build cannot have)"
        );
        2
    }
}
