//! The parsed form of a query: what the text says, before any plan.

use crate::edn::{Edn, Symbol};

/// A parsed query.
#[derive(Clone, Debug)]
pub struct Query {
    /// The shape of the result and its elements.
    pub find: Find,
    /// `:with`: variables that keep rows apart without being in the result.
    pub with: Vec<Symbol>,
    /// `:keys`, `:syms` or `:strs`: rows become maps with these keys.
    pub keys: Option<Vec<Edn>>,
    /// `:in`, or its default.
    pub inputs: Vec<Binding>,
    /// `:where`, in written order.
    pub clauses: Vec<Clause>,
    /// `:order-by`, an extension.
    pub order: Vec<OrderBy>,
    /// `:limit`, an extension.
    pub limit: Option<usize>,
    /// `:offset`, an extension.
    pub offset: usize,
}

/// One key of `:order-by`: a find element by variable or position, and its direction.
#[derive(Clone, Debug)]
pub struct OrderBy {
    /// Index of the find element.
    pub column: usize,
    /// Largest first.
    pub descending: bool,
}

/// What `:find` asks for.
#[derive(Clone, Debug)]
pub enum Find {
    /// `?x ?y`: a relation.
    Rel(Vec<FindElem>),
    /// `[?x ...]`: the values of one element.
    Coll(FindElem),
    /// `[?x ?y]`: one row.
    Tuple(Vec<FindElem>),
    /// `?x .`: one value.
    Scalar(FindElem),
}

impl Find {
    /// The elements of any shape.
    pub fn elems(&self) -> &[FindElem] {
        match self {
            Find::Rel(e) | Find::Tuple(e) => e,
            Find::Coll(e) | Find::Scalar(e) => std::slice::from_ref(e),
        }
    }
}

/// One element of `:find`.
#[derive(Clone, Debug)]
pub enum FindElem {
    /// A variable.
    Var(Symbol),
    /// `(pull $src ?e pattern)`.
    Pull {
        /// The source, `$` if not said.
        source: Symbol,
        /// The variable that holds the entity.
        var: Symbol,
        /// The pattern.
        pattern: PullPattern,
    },
    /// `(sum ?x)`, `(min 2 ?x)`, `(aggregate ?f ?x)`.
    Aggregate {
        /// A name, or an input variable that holds a function.
        func: Func,
        /// Its arguments; the last is the variable that is aggregated.
        args: Vec<Arg>,
    },
}

/// Where the pattern of a pull element comes from.
#[derive(Clone, Debug)]
pub enum PullPattern {
    /// Written in the query.
    Const(Edn),
    /// An input, named by a variable or plain symbol.
    Input(Symbol),
}

/// What is called.
#[derive(Clone, Debug, PartialEq)]
pub enum Func {
    /// A function by name.
    Named(Symbol),
    /// A function held by an input variable.
    Var(Symbol),
}

/// An argument of a function, predicate or aggregate.
#[derive(Clone, Debug, PartialEq)]
pub enum Arg {
    /// A variable.
    Var(Symbol),
    /// A source such as `$`.
    Source(Symbol),
    /// Anything else stands for itself.
    Const(Edn),
}

/// A place of a pattern or rule call.
#[derive(Clone, Debug, PartialEq)]
pub enum Term {
    /// `_`
    Blank,
    /// A variable.
    Var(Symbol),
    /// A constant.
    Const(Edn),
}

/// The shape that an input or function result is taken apart by.
#[derive(Clone, Debug, PartialEq)]
pub enum Binding {
    /// `_`
    Ignore,
    /// `?x`
    Scalar(Symbol),
    /// `$`, `$name`
    Source(Symbol),
    /// `%`
    Rules,
    /// A plain symbol that names a pull pattern.
    Plain(Symbol),
    /// `[b ...]`, and `[[…]]` as a collection of tuples.
    Coll(Box<Binding>),
    /// `[b …]`
    Tuple(Vec<Binding>),
}

impl Binding {
    /// Calls `f` with each variable, from left to right.
    pub fn each_var<'a>(&'a self, f: &mut impl FnMut(&'a Symbol)) {
        match self {
            Binding::Scalar(v) => f(v),
            Binding::Coll(b) => b.each_var(f),
            Binding::Tuple(bs) => bs.iter().for_each(|b| b.each_var(f)),
            Binding::Ignore | Binding::Source(_) | Binding::Rules | Binding::Plain(_) => {}
        }
    }
}

/// A clause of `:where` or of a rule body, with the form it was read from.
#[derive(Clone, Debug)]
pub struct Clause {
    /// What it says.
    pub kind: ClauseKind,
    /// As written, for messages.
    pub form: Edn,
}

/// What a clause says. A source that is not written is `None`: the default of the place.
#[derive(Clone, Debug)]
pub enum ClauseKind {
    /// `[?e :attr ?v …]`
    Pattern {
        /// The source written in front.
        source: Option<Symbol>,
        /// Its places.
        terms: Vec<Term>,
    },
    /// `[(f args…)]`
    Pred {
        /// The predicate.
        func: Func,
        /// Its arguments.
        args: Vec<Arg>,
    },
    /// `[(f args…) binding]`
    Call {
        /// The function.
        func: Func,
        /// Its arguments.
        args: Vec<Arg>,
        /// What takes its result.
        binding: Binding,
    },
    /// `(rule args…)`
    Rule {
        /// The source written in front.
        source: Option<Symbol>,
        /// The rule.
        name: Symbol,
        /// Its arguments.
        args: Vec<Term>,
    },
    /// `(not …)`, `(not-join [vars] …)`
    Not {
        /// The source written in front.
        source: Option<Symbol>,
        /// The join variables of `not-join`.
        vars: Option<Vec<Symbol>>,
        /// The negated clauses.
        clauses: Vec<Clause>,
    },
    /// `(or …)`, `(or-join [[required] free] …)`
    Or {
        /// The source written in front.
        source: Option<Symbol>,
        /// The join variables of `or-join`.
        vars: Option<JoinVars>,
        /// The alternatives.
        branches: Vec<Vec<Clause>>,
    },
}

/// The variables of a rule head or an `or-join`.
#[derive(Clone, Debug, PartialEq)]
pub struct JoinVars {
    /// Must be bound before.
    pub required: Vec<Symbol>,
    /// The others.
    pub free: Vec<Symbol>,
}

impl JoinVars {
    /// All, required ones first.
    pub fn all(&self) -> impl Iterator<Item = &Symbol> {
        self.required.iter().chain(&self.free)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.required.len() + self.free.len()
    }

    /// True if there are none; the parser refuses that.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A rule with all its branches.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Its name.
    pub name: Symbol,
    /// Its branches; all have the same number of required and free variables.
    pub branches: Vec<Branch>,
}

/// One branch of a rule.
#[derive(Clone, Debug)]
pub struct Branch {
    /// The head.
    pub vars: JoinVars,
    /// The body in written order.
    pub clauses: Vec<Clause>,
}

/// True for a symbol that names a variable: `?x`.
pub fn is_var(s: &Symbol) -> bool {
    s.as_str().starts_with('?')
}

/// True for a symbol that names a source: `$`, `$2`.
pub fn is_source(s: &Symbol) -> bool {
    s.as_str().starts_with('$')
}

/// Calls `f` with every variable of a clause that its surroundings can see.
pub fn visible_vars<'a>(clause: &'a Clause, f: &mut impl FnMut(&'a Symbol)) {
    match &clause.kind {
        ClauseKind::Pattern { terms, .. } | ClauseKind::Rule { args: terms, .. } => {
            for t in terms {
                if let Term::Var(v) = t {
                    f(v);
                }
            }
        }
        ClauseKind::Pred { func, args } => call_vars(func, args, f),
        ClauseKind::Call { func, args, binding } => {
            call_vars(func, args, f);
            binding.each_var(f);
        }
        ClauseKind::Not { vars: Some(vars), .. } => vars.iter().for_each(f),
        ClauseKind::Not { vars: None, clauses, .. } => clauses.iter().for_each(|c| visible_vars(c, f)),
        ClauseKind::Or { vars: Some(vars), .. } => vars.all().for_each(f),
        ClauseKind::Or { vars: None, branches, .. } => branches.iter().flatten().for_each(|c| visible_vars(c, f)),
    }
}

fn call_vars<'a>(func: &'a Func, args: &'a [Arg], f: &mut impl FnMut(&'a Symbol)) {
    if let Func::Var(v) = func {
        f(v);
    }
    for a in args {
        if let Arg::Var(v) = a {
            f(v);
        }
    }
}
