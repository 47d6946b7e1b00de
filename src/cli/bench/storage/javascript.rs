//! JavaScript and TypeScript, parsed by oxc.

use super::build::{Builder, Construct, What};
use datoms::edn::Edn;
use oxc_allocator::Allocator;
use oxc_ast::AstKind;
use oxc_ast_visit::Visit;
use oxc_parser::Parser;
use oxc_span::{GetSpan, SourceType};
use std::path::Path;
use std::time::{Duration, Instant};

struct Visitor<'b>(&'b mut Builder);

impl<'a> Visit<'a> for Visitor<'_> {
    fn enter_node(&mut self, _: AstKind<'a>) {
        self.0.enter();
    }
    fn leave_node(&mut self, kind: AstKind<'a>) {
        let span = kind.span();
        self.0.leave(what(kind), span.start, span.end);
    }
}

fn what(kind: AstKind) -> What {
    use AstKind as K;
    let operator = match kind {
        K::IdentifierReference(i) => return What::Variable(i.name.as_str()),
        K::IdentifierName(i) => return What::Literal(Edn::symbol(i.name.as_str())),
        K::BindingIdentifier(i) => return What::Literal(Edn::symbol(i.name.as_str())),
        K::LabelIdentifier(i) => return What::Literal(Edn::symbol(i.name.as_str())),
        K::PrivateIdentifier(i) => return What::Literal(Edn::symbol(i.name.as_str())),
        K::NumericLiteral(n) => return What::Literal(Edn::Float(n.value)),
        K::StringLiteral(s) => return What::Literal(Edn::from(s.value.as_str())),
        K::BigIntLiteral(n) => return What::Literal(Edn::from(n.value.as_str())),
        K::BooleanLiteral(b) => return What::Literal(Edn::Bool(b.value)),
        K::NullLiteral(_) => return What::Literal(Edn::Nil),
        K::RegExpLiteral(r) => return What::Literal(Edn::from(r.regex.pattern.text.as_str())),
        K::TemplateElement(t) => return What::Literal(Edn::from(t.value.raw.as_str())),
        K::Program(_) => return What::Nothing,
        K::CallExpression(c)
            if !c.optional && c.type_arguments.is_none() && !c.arguments.iter().any(|a| a.is_spread()) =>
        {
            return What::Application;
        }
        K::ConditionalExpression(_) => return What::If([0, 1, 2]),
        K::BinaryExpression(x) => x.operator.as_str(),
        K::LogicalExpression(x) => x.operator.as_str(),
        K::AssignmentExpression(x) => x.operator.as_str(),
        K::UnaryExpression(x) => x.operator.as_str(),
        K::UpdateExpression(x) => x.operator.as_str(),
        K::VariableDeclaration(x) => x.kind.as_str(),
        _ => "",
    };
    What::Syntax(Construct::JavaScript(kind.ty()), operator)
}

/// Parses a file into the builder's store: time of parsing, time of the rest, and whether the parser was content.
pub fn file(path: &Path, text: &str, b: &mut Builder) -> (Duration, Duration, bool) {
    let kind = SourceType::from_path(path).unwrap_or_default();
    let started = Instant::now();
    let arena = Allocator::default();
    let mut parsed = Parser::new(&arena, text, kind).parse();
    if !parsed.diagnostics.is_empty() && path.extension().is_some_and(|e| e == "js") {
        // Older packages are scripts: with `with`, octal numbers, `await` as a name.
        parsed = Parser::new(&arena, text, SourceType::cjs()).parse();
    }
    let parse = started.elapsed();
    let started = Instant::now();
    Visitor(b).visit_program(&parsed.program);
    b.end();
    (parse, started.elapsed(), parsed.diagnostics.is_empty())
}
