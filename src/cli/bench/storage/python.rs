//! Python, parsed by ruff's parser.

use super::build::{Builder, Construct, What};
use datoms::edn::Edn;
use rustpython_ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use rustpython_ruff_python_ast::{AnyNodeRef, Number, PySourceType};
use rustpython_ruff_python_parser::parse_unchecked_source;
use rustpython_ruff_text_size::Ranged;
use std::time::{Duration, Instant};

struct Visitor<'b>(&'b mut Builder);

impl<'a> SourceOrderVisitor<'a> for Visitor<'_> {
    fn enter_node(&mut self, _: AnyNodeRef<'a>) -> TraversalSignal {
        self.0.enter();
        TraversalSignal::Traverse
    }
    fn leave_node(&mut self, node: AnyNodeRef<'a>) {
        let range = node.range();
        self.0.leave(what(node), range.start().to_u32(), range.end().to_u32());
    }
}

fn what(node: AnyNodeRef) -> What {
    use AnyNodeRef as N;
    let operator = match node {
        N::ExprName(n) => return What::Variable(n.id.as_str()),
        N::Identifier(n) => return What::Literal(Edn::symbol(n.id.as_str())),
        N::ExprNumberLiteral(n) => {
            return What::Literal(match &n.value {
                Number::Int(i) => i.as_i64().map_or_else(|| Edn::from(i.to_string().as_str()), Edn::Int),
                Number::Float(f) => Edn::Float(*f),
                Number::Complex { real, imag } => Edn::from(format!("{real}+{imag}j").as_str()),
            });
        }
        N::StringLiteral(s) => return What::Literal(Edn::from(&*s.value)),
        N::BytesLiteral(s) => return What::Literal(Edn::from(String::from_utf8_lossy(&s.value).as_ref())),
        N::InterpolatedStringLiteralElement(s) => return What::Literal(Edn::from(&*s.value)),
        N::ExprBooleanLiteral(b) => return What::Literal(Edn::Bool(b.value)),
        N::ExprNoneLiteral(_) => return What::Literal(Edn::Nil),
        N::ExprStringLiteral(s) if !s.value.is_implicit_concatenated() => return What::Nothing,
        N::ExprBytesLiteral(s) if !s.value.is_implicit_concatenated() => return What::Nothing,
        // Plain arguments are operands; keywords and stars make a call of their own kind.
        N::Arguments(a) if plain(a) => return What::Nothing,
        N::ExprCall(c) if plain(&c.arguments) => return What::Application,
        // In the order of the source the consequent comes first.
        N::ExprIf(_) => return What::If([1, 0, 2]),
        N::ExprBinOp(x) => x.op.as_str(),
        N::StmtAugAssign(x) => x.op.as_str(),
        N::ExprUnaryOp(x) => x.op.as_str(),
        N::ExprBoolOp(x) => x.op.as_str(),
        N::ExprCompare(x) if x.ops.len() == 1 => x.ops[0].as_str(),
        _ => "",
    };
    What::Syntax(Construct::Python(node.kind()), operator)
}

fn plain(a: &rustpython_ruff_python_ast::Arguments) -> bool {
    a.keywords.is_empty() && !a.args.iter().any(|x| x.is_starred_expr())
}

/// Parses a file into the builder's store: time of parsing, time of the rest, and whether the parser was content.
pub fn file(text: &str, b: &mut Builder) -> (Duration, Duration, bool) {
    let started = Instant::now();
    let parsed = parse_unchecked_source(text, PySourceType::Python);
    let parse = started.elapsed();
    let started = Instant::now();
    Visitor(b).visit_body(&parsed.syntax().body);
    b.end();
    (parse, started.elapsed(), parsed.errors().is_empty())
}
