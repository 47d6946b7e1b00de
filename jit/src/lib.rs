//! The compiler from hot lambdas to machine code.
