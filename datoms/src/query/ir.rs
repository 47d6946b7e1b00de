//! The lowered query: variables are numbers, constants are words, and every clause knows what must be bound before it.
//!
//! Lowering goes through the clauses in written order and reports what written order makes an error: unbound arguments,
//! unknown names, negations that share nothing. What comes out may then run in any order that respects `needs`.

use super::ast::Binding;
use super::func::Func;
use crate::edn::{Edn, Symbol};
use crate::value::Word;

/// A variable of one body.
pub type Var = usize;

/// A place of a pattern or an argument of a rule call.
#[derive(Clone, Debug, PartialEq)]
pub enum Term {
    /// Anything.
    Blank,
    /// A variable.
    Var(Var),
    /// A constant.
    Const(Word),
}

/// An argument of a function.
#[derive(Clone, Debug)]
pub enum Arg {
    /// A variable.
    Var(Var),
    /// A constant and its word.
    Const(Edn, Word),
    /// A source, by index.
    Source(usize),
}

/// A binding of a function's result.
#[derive(Clone, Debug)]
pub enum Bind {
    /// `_`
    Ignore,
    /// `?x`
    Var(Var),
    /// `[b ...]`
    Coll(Box<Bind>),
    /// `[b …]`
    Tuple(Vec<Bind>),
}

impl Bind {
    /// Calls `f` with each variable.
    pub fn each_var(&self, f: &mut impl FnMut(Var)) {
        match self {
            Bind::Ignore => {}
            Bind::Var(v) => f(*v),
            Bind::Coll(b) => b.each_var(f),
            Bind::Tuple(bs) => bs.iter().for_each(|b| b.each_var(f)),
        }
    }

    /// The written form, for messages.
    pub fn show(&self, names: &[Symbol]) -> String {
        match self {
            Bind::Ignore => "_".into(),
            Bind::Var(v) => names[*v].to_string(),
            Bind::Coll(b) => match &**b {
                Bind::Tuple(_) => format!("[{}]", b.show(names)),
                b => format!("[{} ...]", b.show(names)),
            },
            Bind::Tuple(bs) => format!("[{}]", bs.iter().map(|b| b.show(names)).collect::<Vec<_>>().join(" ")),
        }
    }
}

/// The written form of an input binding, for messages.
pub fn show_binding(b: &Binding) -> String {
    match b {
        Binding::Ignore => "_".into(),
        Binding::Scalar(s) | Binding::Source(s) | Binding::Plain(s) => s.to_string(),
        Binding::Rules => "%".into(),
        Binding::Coll(b) => match &**b {
            Binding::Tuple(_) => format!("[{}]", show_binding(b)),
            b => format!("[{} ...]", show_binding(b)),
        },
        Binding::Tuple(bs) => format!("[{}]", bs.iter().map(show_binding).collect::<Vec<_>>().join(" ")),
    }
}

/// A lowered clause.
#[derive(Clone, Debug)]
pub struct Node {
    /// What it does.
    pub kind: Kind,
    /// Variables that must be bound before it runs.
    pub needs: Vec<Var>,
    /// All variables of the surrounding body that it reads or binds.
    pub vars: Vec<Var>,
    /// As written.
    pub form: Edn,
}

/// What a lowered clause does.
#[derive(Clone, Debug)]
pub enum Kind {
    /// Rows of a source.
    Pattern {
        /// The source, by index.
        src: usize,
        /// The places.
        terms: Vec<Term>,
    },
    /// Keeps rows for which a predicate holds.
    Pred {
        /// The predicate.
        func: Func,
        /// Its arguments.
        args: Vec<Arg>,
    },
    /// Binds the result of a function.
    Call {
        /// The function.
        func: Func,
        /// Its arguments.
        args: Vec<Arg>,
        /// Where the result goes.
        bind: Bind,
    },
    /// Rows of a rule.
    Rule {
        /// The rule, by index.
        rule: usize,
        /// Its arguments.
        args: Vec<Term>,
    },
    /// Rows that an input brought.
    Table {
        /// A variable for each column.
        vars: Vec<Var>,
        /// The columns.
        cols: std::sync::Arc<Vec<Vec<Word>>>,
    },
    /// Rows of a table of a rule that is being worked out; only inside of rules.
    Recur {
        /// The rule.
        rule: usize,
        /// The arguments that its table is asked by.
        places: Vec<usize>,
        /// The arguments; for [`Part::OldDemand`] those at `places` only.
        args: Vec<Term>,
        /// Which rows.
        part: Part,
    },
    /// Drops rows for which the body has any row.
    Not {
        /// What it shares with its surroundings.
        join: Vec<Var>,
        /// The negated body.
        body: Vec<Node>,
    },
    /// Rows of any of the branches.
    Or {
        /// The alternatives.
        branches: Vec<Vec<Node>>,
    },
}

/// Which rows of a rule's table a step reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Answers known when the round began.
    Answers,
    /// Answers known when the round before began.
    OldAnswers,
    /// What had been asked for when the round before began.
    OldDemand,
}

/// A rule with its default source, lowered.
#[derive(Clone, Debug)]
pub struct RuleDef {
    /// The name, for messages.
    pub name: Symbol,
    /// The default source of its body.
    pub src: usize,
    /// How many arguments it takes.
    pub arity: usize,
    /// For each argument, whether a call must have it bound.
    pub needs: Vec<bool>,
    /// Its branches.
    pub branches: Vec<RuleBranch>,
    /// Rules with the same number call each other, directly or not.
    pub component: usize,
}

/// A branch: variables `0..arity` are the head.
#[derive(Clone, Debug)]
pub struct RuleBranch {
    /// Names of the variables.
    pub names: Vec<Symbol>,
    /// The body.
    pub nodes: Vec<Node>,
}
