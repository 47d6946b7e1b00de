//! Conventions of pieces, and the stubs at the border to Rust.
//!
//! Pieces have Cranelift's convention `Tail`: integer arguments in rdi rsi rdx rcx r8 r9, nothing kept across a jump but r15,
//! which holds the machine's address.
//!
//! | piece | arguments |
//! |---|---|
//! | entry | frame, callee, up to four arguments; further ones are in their registers of the frame |
//! | continuation | header of the callee's frame, value |
//!
//! # Invariants
//! 1. A piece is entered with `rsp ≡ 8 (mod 16)`, as after a call, and leaves `rsp` and `rbp` as it found them.
//! 2. A stub touches only the fields of the machine it is told of; it returns to `enter`'s caller or jumps to a piece.

use std::arch::naked_asm;
use yin_vm::Vm;
use yin_vm::tier::{Stubs, helper, offset};

/// Calls a piece with the six words at `regs`; returns when some piece or stub returns.
///
/// # Safety
/// `piece` is an address of a piece of this process, `regs` fit its convention, `vm` is the running machine.
#[unsafe(naked)]
unsafe extern "C" fn enter(vm: *mut Vm, piece: *const u8, regs: *const u64) {
    naked_asm!(
        "push rbp",
        "push rbx",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "sub rsp, 8",
        "mov r15, rdi",
        "mov rax, rsi",
        "mov r10, rdx",
        "mov rdi, [r10]",
        "mov rsi, [r10 + 8]",
        "mov rdx, [r10 + 16]",
        "mov rcx, [r10 + 24]",
        "mov r8, [r10 + 32]",
        "mov r9, [r10 + 40]",
        "call rax",
        "add rsp, 8",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbx",
        "pop rbp",
        "ret",
    )
}

/// Leaves to the driver: `(frame, exit point or number of arguments)`.
///
/// # Safety
/// Only jumped to, by a piece (invariants 1 and 2); the same for the other stubs.
#[unsafe(naked)]
pub unsafe extern "C" fn side_exit() {
    naked_asm!(
        "mov [r15 + {fp}], rdi",
        "mov [r15 + {exit}], rsi",
        "ret",
        fp = const offset::FP,
        exit = const offset::EXIT,
    )
}

/// What a stub does once the machine has set its next step: `rax` is the piece to go on with, or 0.
macro_rules! go_on {
    () => {
        "add rsp, 8
        test rax, rax
        jz 2f
        mov rdi, [r15 + {regs}]
        mov rsi, [r15 + {regs} + 8]
        mov rdx, [r15 + {regs} + 16]
        mov rcx, [r15 + {regs} + 24]
        mov r8, [r15 + {regs} + 32]
        mov r9, [r15 + {regs} + 40]
        jmp rax
        2:
        ret"
    };
}

/// Returns a value to a frame without a piece: the machine's own frames, and those that go on in the interpreter.
///
/// # Safety
/// Only jumped to, by a piece that returns; `rdi` is the header, `rsi` the value.
#[unsafe(naked)]
unsafe extern "C" fn resume() {
    naked_asm!(
        "mov rdx, rsi",
        "mov rsi, rdi",
        "mov rdi, r15",
        "sub rsp, 8",
        "call {deliver}",
        go_on!(),
        regs = const offset::NATIVE_REGS,
        deliver = sym helper::deliver,
    )
}

macro_rules! entries {
    ($($name:ident $n:literal [$($store:literal),*];)*) => {
        $(
            /// Starts an activation that has no piece of its own: callee and arguments go to their slots, the machine finds
            /// what is called, and if that leads to machine code again (a primitive's caller, a method's piece) it goes on there.
            ///
            /// # Safety
            /// Only jumped to, by a piece that calls, with the arguments of an entry.
            #[unsafe(naked)]
            unsafe extern "C" fn $name() {
                naked_asm!(
                    "mov [rdi + 8], rsi",
                    $($store,)*
                    "mov rsi, rdi",
                    "mov rdi, r15",
                    "mov edx, {n}",
                    "sub rsp, 8",
                    "call {activate}",
                    go_on!(),
                    regs = const offset::NATIVE_REGS,
                    activate = sym helper::activate,
                    n = const $n,
                )
            }
        )*
        const ENTRIES: [unsafe extern "C" fn(); 6] = [$($name),*];
    };
}
entries! {
    entry_0 0 [];
    entry_1 1 ["mov [rdi + 16], rdx"];
    entry_2 2 ["mov [rdi + 16], rdx", "mov [rdi + 24], rcx"];
    entry_3 3 ["mov [rdi + 16], rdx", "mov [rdi + 24], rcx", "mov [rdi + 32], r8"];
    entry_4 4 ["mov [rdi + 16], rdx", "mov [rdi + 24], rcx", "mov [rdi + 32], r8", "mov [rdi + 40], r9"];
    entry_5 5 ["mov [rdi + 16], rdx", "mov [rdi + 24], rcx", "mov [rdi + 32], r8", "mov [rdi + 40], r9"];
}

/// Arguments that travel in machine registers.
pub const REG_ARGS: usize = 4;

/// The stubs, for `Vm::install_stubs`.
pub fn stubs() -> Stubs {
    Stubs { enter, entry: ENTRIES.map(|e| e as *const u8), resume: resume as *const u8 }
}

/// Leaves to the driver, whose next step is set already.
///
/// # Safety
/// Only jumped to, by a piece.
#[unsafe(naked)]
pub unsafe extern "C" fn leave() {
    naked_asm!("ret")
}
