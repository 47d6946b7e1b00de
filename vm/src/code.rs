//! Functions as the machine runs them: drafts (what the compiler to instructions makes) and installed code.

use crate::op::Word;
use crate::value::Value;
use datoms::edn::Edn;

/// A constant of a draft.
#[derive(Clone, Debug)]
pub enum Const {
    /// Quoted data; made a value once, when the code is installed.
    Data(Edn),
    /// A value that exists already (image and embedding).
    Value(Value),
    /// The var of a qualified name, created unbound if need be.
    Var(String),
    /// A function to make closures of.
    Fn(Box<FnDraft>),
    /// Case table: keys (fixnums and immediates only) with jump distances from the instruction after `Case`.
    Case(Vec<(Edn, i32)>),
}

/// A call site of a draft, in order of `pc`.
#[derive(Clone, Copy, Debug)]
pub struct SiteDraft {
    /// Position of the instruction after the call.
    pub pc: u32,
    /// Register of the result.
    pub dst: u16,
    /// Window register `A` of the call.
    pub window: u16,
}

/// An exception handler: covers `start..end`, inner ones first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Handler {
    pub start: u32,
    pub end: u32,
    /// Where the handler starts.
    pub target: u32,
    /// Register that takes the thrown value.
    pub dst: u32,
}

/// One arity of a function.
#[derive(Clone, Debug, Default)]
pub struct CodeDraft {
    pub words: Vec<Word>,
    pub consts: Vec<Const>,
    pub sites: Vec<SiteDraft>,
    pub handlers: Vec<Handler>,
    /// AST node of each word.
    pub src: Vec<u32>,
    /// Registers, call windows included.
    pub n_regs: u16,
    /// Fixed parameters; registers `0..n_params` hold them on entry.
    pub n_params: u8,
    /// Register `n_params` takes the list of the remaining arguments (nil if none).
    pub variadic: bool,
    /// Register → name of the local it holds, with the span of `pc` where it does: for traces and queries.
    pub locals: Vec<LocalDraft>,
}

#[derive(Clone, Debug)]
pub struct LocalDraft {
    pub name: String,
    pub reg: u16,
    pub start: u32,
    pub end: u32,
}

/// A function: its arities and what it captures.
#[derive(Clone, Debug, Default)]
pub struct FnDraft {
    pub name: Option<String>,
    pub arities: Vec<CodeDraft>,
    pub n_captures: u16,
    /// AST node of the function.
    pub node: u32,
}
