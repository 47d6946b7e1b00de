//! Bytes of the AST columns of our own library against a boxed Rust tree of the same nodes:
//! `cargo run --release -p yin-vm --example ast_size`.

use yin_ast::{Ast, Kind, NodeId, Span};
use yin_vm::Vm;

/// The same nodes as one would write them without columns.
#[allow(dead_code, reason = "only its size counts")]
struct Boxed {
    kind: Kind,
    span: Span,
    tail: bool,
    name: Option<Box<str>>,
    value: Option<datoms::edn::Edn>,
    refers_to: Option<NodeId>,
    children: Vec<Boxed>,
}

fn tree(ast: &Ast, id: NodeId, bytes: &mut usize) -> Boxed {
    let children: Vec<Boxed> = ast.children(id).iter().filter_map(|c| c.some()).map(|c| tree(ast, c, bytes)).collect();
    let name: Option<Box<str>> = ast.name(id).map(Into::into);
    *bytes += size_of::<Boxed>() + name.as_ref().map_or(0, |n| n.len().next_multiple_of(16));
    Boxed {
        kind: ast.kind(id),
        span: ast.span(id),
        tail: ast.is_tail(id),
        name,
        value: ast.value(id).cloned(),
        refers_to: ast.refers_to(id),
        children,
    }
}

fn main() {
    let run = std::thread::Builder::new().stack_size(256 << 20).spawn(|| {
        let vm = Vm::from_sources(0).expect("the library evaluates");
        let mut bytes = 0;
        let roots: Vec<Boxed> = vm.ast.roots.iter().map(|r| tree(&vm.ast, *r, &mut bytes)).collect();
        let n = vm.ast.len();
        println!("{n} nodes, {} top-level forms", roots.len());
        println!("columns     {:>9} bytes, {:.1} a node", vm.ast.size_bytes(), vm.ast.size_bytes() as f64 / n as f64);
        println!("boxed tree  {bytes:>9} bytes, {:.1} a node", bytes as f64 / n as f64);
    });
    run.expect("a thread").join().expect("it ends");
}
