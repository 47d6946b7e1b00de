//! The packed stream as a source: codes and their instructions, with the type feedback that the interpreter leaves in
//! arithmetic instructions.

use super::{Arrays, attr_table, entity, show};
use crate::frame::{Code, code_ref};
use crate::layout::{Kind, slot};
use crate::live;
use crate::machine::Vm;
use crate::op::{self, Effect, Flow, Op, Operand};
use crate::prim::table;
use crate::value::Value;
use datoms::edn::Edn;
use datoms::lazy::{Lazy, Lexicon};
use std::sync::Arc;
use yin_ast::NodeId;

attr_table! {
    CODE_FUNCTION value "yin.code/function" "name of the function, a symbol";
    CODE_NODE reference "yin.code/node" "the function's node";
    CODE_PARAMS value "yin.code/params" "number of fixed parameters";
    CODE_VARIADIC value "yin.code/variadic?" "true if it takes further arguments";
    CODE_REGISTERS value "yin.code/registers" "number of registers";
    CODE_WORDS value "yin.code/words" "number of words";
    CODE_LOCAL values "yin.code/local" "name of a local, a symbol";
    CODE_HEAT value "yin.code/heat" "how often the code was found running at a poll; machine code is made of what is hot";
    OP value "yin.op/op" "the operation, a keyword: `:add`, `:callvar`";
    OP_CODE reference "yin.op/code" "the code it belongs to";
    PC value "yin.op/pc" "its position, in words";
    NODE reference "yin.op/node" "the node it was made from";
    LINE value "yin.op/line" "line of that node";
    DEF value "yin.op/def" "register written";
    USE values "yin.op/use" "register read";
    TARGET reference "yin.op/target" "where it jumps";
    NEXT reference "yin.op/next" "the instruction behind it, if control can get there";
    IMMEDIATE value "yin.op/immediate" "its immediate operand";
    CONSTANT value "yin.op/constant" "its constant operand";
    GLOBAL value "yin.op/global" "the global it reads or calls, a symbol";
    PRIM value "yin.op/primitive" "the primitive it calls, a symbol";
    ARGS value "yin.op/args" "number of arguments of a call";
    EFFECT value "yin.op/effect" "`:pure`, `:throws` or `:calls`";
    TEXT value "yin.op/text" "as `--dump op` prints it";
    SAW values "yin.type/saw" "operands met so far beside small integers: `:double`, `:other`";
    STABLE value "yin.type/stable?" "true for arithmetic that met small integers only, or has not run";
}

/// Codes installed from `first` on, as a source; with 0 also the library's.
pub fn source(vm: &Vm, first: usize, lexicon: &Arc<Lexicon>, wanted: &dyn Fn(&str) -> bool) -> Lazy<Arrays> {
    let mut a = Arrays::new(ATTRS, lexicon, wanted);
    if a.is_unwanted() {
        return Lazy::new(a, lexicon);
    }
    let mut e = entity::INSTRUCTION;
    let about_ops = a.wants(&[
        OP, OP_CODE, PC, NODE, LINE, DEF, USE, TARGET, NEXT, IMMEDIATE, CONSTANT, GLOBAL, PRIM, ARGS, EFFECT, TEXT,
        SAW, STABLE,
    ]);
    for code in vm.codes.iter().skip(first).map(|c| code_ref(*c)) {
        let c = entity::CODE + code.id;
        let proto = code.proto();
        if let Some(id) = proto.name.as_plain_symbol() {
            a.value(CODE_FUNCTION, c, || Edn::symbol(vm.names.text(id)));
        }
        if vm.ast.has(NodeId(proto.node)) {
            a.reference(CODE_NODE, c, yin_ast::source::entity(NodeId(proto.node)));
        }
        a.int(CODE_PARAMS, c, i64::from(code.n_params));
        if code.variadic != 0 {
            a.value(CODE_VARIADIC, c, || Edn::Bool(true));
        }
        a.int(CODE_REGISTERS, c, i64::from(code.n_regs));
        a.int(CODE_WORDS, c, i64::from(code.n_words));
        for l in code.locals() {
            a.value(CODE_LOCAL, c, || Edn::symbol(vm.names.text(l.name)));
        }
        a.int(CODE_HEAT, c, i64::from(code.hot.load(std::sync::atomic::Ordering::Relaxed)));
        if about_ops {
            instructions(vm, code, c, e, &mut a);
        }
        e += code.n_words;
    }
    Lazy::new(a.finish(), lexicon)
}

/// The instructions of a code: the one at `pc` is entity `base + pc`.
fn instructions(vm: &Vm, code: &Code, c: u32, base: u32, a: &mut Arrays) {
    let words = code.words();
    let mut pc = 0;
    while pc < words.len() {
        let w = words[pc];
        let Some(op) = Op::of(w) else { break };
        let (info, e) = (op.info(), base + pc as u32);
        let next = pc + op::len(w);
        a.value(OP, e, || Edn::keyword(op::lower_name(op)));
        a.reference(OP_CODE, e, c);
        a.int(PC, e, pc as i64);
        let node = NodeId(code.node_at(pc));
        if vm.ast.has(node) {
            a.reference(NODE, e, yin_ast::source::entity(node));
            if a.wants(&[LINE]) {
                a.int(LINE, e, i64::from(vm.ast.line_col(node).0));
            }
        }
        if a.wants(&[DEF, USE]) {
            op::registers(&words[pc..], |r, def| a.int(if def { DEF } else { USE }, e, r as i64));
            if let Some(site) = live::site_of(w) {
                a.int(DEF, e, i64::from(code.sites()[site].dst));
            }
        }
        if let Some(t) = op::target(words, pc) {
            a.reference(TARGET, e, base + t as u32);
        }
        if !matches!(info.flow, Flow::Jump | Flow::End) {
            a.reference(NEXT, e, base + next as u32);
        }
        match (info.b, info.c) {
            (Operand::Imm, _) => a.int(IMMEDIATE, e, if info.wide { op::si(w) } else { op::sb(w) }),
            (_, Operand::Imm) => a.int(IMMEDIATE, e, op::sc(w)),
            _ => {}
        }
        let constant = match (info.b, info.c) {
            (Operand::Const, _) if info.wide => Some(op::ui(w)),
            (_, Operand::Const) => Some(op::c(w)),
            _ => None,
        };
        if let Some(v) = constant.and_then(|k| code.consts().get(k)) {
            match op {
                Op::Global | Op::CallVar | Op::TailCallVar => {
                    if let Some(var) = v.as_kind(Kind::Var) {
                        let text = |v: Value| v.as_plain_symbol().map_or("", |id| vm.names.text(id));
                        a.value(GLOBAL, e, || {
                            Edn::symbol(&format!("{}/{}", text(var.get(slot::VAR_NS)), text(var.get(slot::VAR_NAME))))
                        });
                    }
                }
                Op::Closure | Op::Case => {}
                _ => a.value(CONSTANT, e, || show::shown(vm, *v)),
            }
        }
        let prim = match op {
            Op::Prim1 | Op::PrimN => Some(op::c(w) as u16),
            Op::Prim2 | Op::Prim3 => words.get(pc + 1).map(|x| *x as u16),
            _ => None,
        };
        if let Some(p) = prim.and_then(table::get) {
            a.value(PRIM, e, || Edn::symbol(p.name));
        }
        if info.a == Operand::Window {
            a.int(ARGS, e, i64::from(op::aux(w)));
        }
        a.value(EFFECT, e, || {
            Edn::keyword(match info.effect {
                Effect::Pure => "pure",
                Effect::Throws => "throws",
                Effect::Calls => "calls",
            })
        });
        a.value(TEXT, e, || Edn::string(op::disassemble(words, pc)));
        if (Op::Add as u8..=Op::ShrI as u8).contains(&(op as u8)) {
            for (bit, what) in [(op::mode::SAW_DOUBLE, "double"), (op::mode::SAW_OTHER, "other")] {
                if op::aux(w) & bit != 0 {
                    a.value(SAW, e, || Edn::keyword(what));
                }
            }
            if op::aux(w) & (op::mode::SAW_DOUBLE | op::mode::SAW_OTHER) == 0 {
                a.value(STABLE, e, || Edn::Bool(true));
            }
        }
        pc = next;
    }
}

impl Vm {
    /// How many codes are installed: those of a program loaded next have greater numbers.
    pub fn n_codes(&self) -> usize {
        self.codes.len()
    }
    /// Compiles and installs the roots from number `first` on, without running them, so that their instructions can be asked
    /// about.
    ///
    /// # Errors
    /// Throws limits of the instruction format.
    pub fn install_roots(&mut self, first: usize) -> Result<(), crate::machine::Exit> {
        for root in self.ast.roots.clone().into_iter().skip(first) {
            self.code_of(root)?;
        }
        Ok(())
    }
}
