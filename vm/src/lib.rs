//! The machine: values, heap, frames, instruction stream, interpreter, continuations.
