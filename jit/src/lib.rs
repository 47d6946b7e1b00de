//! The compiler: hot codes become machine code through Cranelift.
//!
//! A code is compiled as *pieces*: its entry, what follows each of its calls, and loop headers that are entered from outside.
//! A piece is one Cranelift function that only ever tail-calls. Between pieces everything lies in the frame, in the form the
//! interpreter has, so the interpreter's records are the stack maps of compiled code too, and leaving to the interpreter is
//! a jump. Reading order: `abi` (conventions and stubs), `code` (memory), `flow` (blocks and loops), `state` (what is known
//! of frame words), `piece` (translation), `ops` (each instruction; `arith` numbers, `data` objects), `unit` (when, and what is
//! kept).

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod abi;
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod arith;
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod code;
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod data;
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod flow;
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod ops;
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod piece;
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod seeds;
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod state;
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod unit;

use yin_vm::Vm;

/// How eagerly to compile.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Mode {
    Off,
    /// What polls find running often.
    #[default]
    Auto,
    /// Everything, before it first runs.
    Always,
}

/// What to print of compiled functions.
#[derive(Clone, Debug, Default)]
pub struct Dump {
    pub clif: bool,
    pub asm: bool,
    /// Only functions whose name contains this.
    pub name: Option<String>,
}

/// Options of the compiler.
#[derive(Clone, Debug, Default)]
pub struct Config {
    pub mode: Mode,
    pub dump: Dump,
    /// Leave Cranelift's prologues in place (a mode for tests: code is slower and does the same).
    pub keep_prologues: bool,
}

/// Gives `vm` a compiler. On a target without one nothing changes: everything runs interpreted. Costs nothing before the
/// first code is hot.
pub fn attach(vm: &mut Vm, config: Config) {
    #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
    if config.mode != Mode::Off {
        let always = config.mode == Mode::Always;
        vm.tier = Some(Box::new(unit::Jit::new(config)));
        if always {
            vm.compile_first();
        }
    }
    #[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
    let _ = (vm, config);
}
