//! The reference page of instructions, generated from the instruction table.

use yin_vm::op::{Effect, Flow, OPS, OpInfo, Operand};

fn operand(name: &str, o: Operand) -> Option<String> {
    let what = match o {
        Operand::No => return None,
        Operand::Def => "register written",
        Operand::Use => "register read",
        Operand::Imm => "signed immediate",
        Operand::Nat => "unsigned immediate",
        Operand::Const => "constant",
        Operand::Jump => "jump, in words from the next instruction",
        Operand::Site => "call site",
        Operand::Window => "call window",
        Operand::Args => "first of `aux` registers read",
        Operand::Capture => "capture",
        Operand::Prim => "primitive",
    };
    Some(format!("{name} {what}"))
}

fn row(i: &OpInfo) -> String {
    let second = if i.wide { "I" } else { "B" };
    let fields = [("A", i.a), (second, i.b), ("C", i.c)];
    let operands: Vec<String> = fields.into_iter().filter_map(|(n, o)| operand(n, o)).collect();
    let flow = match i.flow {
        Flow::Next => "next",
        Flow::Branch => "next or jump",
        Flow::Jump => "jump",
        Flow::Case => "next or case",
        Flow::End => "leaves",
    };
    let effect = match i.effect {
        Effect::Pure => "none",
        Effect::Throws => "may throw",
        Effect::Calls => "may throw, call, switch frames",
    };
    let doc = i.doc.replace('|', "\\|");
    format!("| {} | `{}` | {doc} | {} | {flow} | {effect} |\n", i.op as u8, i.name.to_lowercase(), operands.join("; "))
}

fn page() -> String {
    let mut s = String::from(
        "# Instructions\n\nGenerated from the instruction table (`vm/src/op.rs`); a test keeps it fresh. `yin --dump op` \
         prints the instructions of\na program.\n\nAn instruction is a word of 64 bits, `op:8 | aux:8 | A:16 | B:16 | C:16` \
         or `op:8 | aux:8 | A:16 | I:32`; a few take further\nwords. Its position is an entity, its opcode an attribute, \
         its operands the value.\n\n| no. | name | meaning | operands | goes on at | effects |\n|---|---|---|---|---|---|\n",
    );
    OPS.iter().for_each(|i| s.push_str(&row(i)));
    s
}

/// `UPDATE_EXPECT=1 cargo test -p yin-vm` writes the page anew.
#[test]
fn the_reference_page_is_fresh() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reference/instructions.md");
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(path, page()).expect("docs can be written");
    }
    let found = std::fs::read_to_string(path).unwrap_or_default();
    assert!(found == page(), "docs/reference/instructions.md is stale: UPDATE_EXPECT=1 cargo test -p yin-vm");
}
