//! Why a query was refused or stopped.

use crate::edn::Edn;
use std::fmt;

/// The class of an error, DataScript's own where it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The query as a whole: unknown variables, sources, sections.
    ParserQuery,
    /// A clause of `:where` cannot be parsed.
    ParserWhere,
    /// A `:find` element cannot be parsed.
    ParserFind,
    /// An input or function binding cannot be parsed.
    ParserBinding,
    /// A rule cannot be parsed, or its branches differ in arity.
    ParserRule,
    /// The variables of a rule head or of a join list.
    ParserRuleVars,
    /// A pull pattern cannot be parsed.
    ParserPull,
    /// A clause cannot be evaluated where it stands: unbound variables, unknown names.
    Where,
    /// An input or result has not the shape of its binding.
    Binding,
    /// Too few or too many inputs.
    Inputs,
    /// Syntax of an entity identifier.
    EntitySyntax,
    /// A lookup ref finds nothing.
    EntityMissing,
    /// A lookup ref through an attribute that is not unique.
    LookupUnique,
    /// A function failed on its arguments.
    Function,
    /// The fuel, row limit or cancellation ended the query; it left nothing behind.
    Limit,
    /// Anything else, named by the text it carries.
    Other(&'static str),
}

impl ErrorKind {
    /// The keyword of the class, without colon, as DataScript puts it under `:error`.
    pub fn keyword(self) -> &'static str {
        match self {
            ErrorKind::ParserQuery => "parser/query",
            ErrorKind::ParserWhere => "parser/where",
            ErrorKind::ParserFind => "parser/find",
            ErrorKind::ParserBinding => "parser/binding",
            ErrorKind::ParserRule => "parser/rule",
            ErrorKind::ParserRuleVars => "parser/rule-vars",
            ErrorKind::ParserPull => "parser/pull",
            ErrorKind::Where => "query/where",
            ErrorKind::Binding => "query/binding",
            ErrorKind::Inputs => "query/inputs",
            ErrorKind::EntitySyntax => "entity-id/syntax",
            ErrorKind::EntityMissing => "entity-id/missing",
            ErrorKind::LookupUnique => "lookup-ref/unique",
            ErrorKind::Function => "error",
            ErrorKind::Limit => "query/limit",
            ErrorKind::Other(s) => s,
        }
    }
}

/// Why a query gave no result. Queries have no effects, so nothing is left behind.
#[derive(Clone, Debug, PartialEq)]
pub struct QueryError {
    /// The class of the error.
    pub kind: ErrorKind,
    /// What rule was broken and what was found.
    pub message: String,
    /// The form at fault.
    pub form: Edn,
}

impl QueryError {
    /// An error without a form.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), form: Edn::Nil }
    }

    /// An error at a form.
    pub fn at(kind: ErrorKind, message: impl Into<String>, form: &Edn) -> Self {
        Self { kind, message: message.into(), form: form.clone() }
    }
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, ":{}: {}", self.kind.keyword(), self.message)
    }
}

impl std::error::Error for QueryError {}
