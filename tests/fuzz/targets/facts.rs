//! Any facts are an AST or refused; an AST gives back its facts.
#![no_main]

use libfuzzer_sys::fuzz_target;
use yin_ast::Ast;

fuzz_target!(|text: &str| {
    let Ok(facts) = yin_ast::parse(text) else { return };
    let mut ast = Ast::new();
    if yin_ast::read(&mut ast, &facts).is_ok() {
        let facts = yin_ast::datoms::facts(&ast, ast.ids());
        let mut again = Ast::new();
        yin_ast::read(&mut again, &facts).expect("facts of an AST are an AST");
        assert_eq!(yin_ast::datoms::facts(&again, again.ids()), facts);
    }
});
