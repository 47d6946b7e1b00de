//! What became of the time before a program ran: reading, expanding, compiling. Counted only when asked for.

use crate::clock::now_ns;
use crate::machine::Vm;

/// The phases of evaluating a top-level form, before it runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// Text to forms.
    Read,
    /// Forms to the AST, macros included.
    Expand,
    /// AST to installed instructions.
    Compile,
}

/// Nanoseconds by phase. Phases inside phases (a macro that evaluates) count once, as what they are.
#[derive(Clone, Copy, Default, Debug)]
pub struct Phases {
    pub read_ns: u64,
    pub expand_ns: u64,
    pub compile_ns: u64,
    /// Spent in phases that started and ended inside the one that is open.
    inner_ns: u64,
}

impl Vm {
    /// Runs a phase, timed if [`Vm::phases`] is there.
    pub(crate) fn phase<T>(&mut self, phase: Phase, f: impl FnOnce(&mut Vm) -> T) -> T {
        let Some(p) = &mut self.phases else { return f(self) };
        let outer = std::mem::take(&mut p.inner_ns);
        let started = now_ns();
        let result = f(self);
        if let Some(p) = &mut self.phases {
            let spent = now_ns() - started;
            let own = spent - p.inner_ns;
            match phase {
                Phase::Read => p.read_ns += own,
                Phase::Expand => p.expand_ns += own,
                Phase::Compile => p.compile_ns += own,
            }
            p.inner_ns = outer + spent;
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_inside_phases_count_once_and_only_when_asked_for() {
        let mut vm = Vm::bare().expect("a machine");
        let nest = |vm: &mut Vm| vm.phase(Phase::Expand, |vm| vm.phase(Phase::Compile, |_| std::hint::black_box(7)));
        assert_eq!(nest(&mut vm), 7);
        assert!(vm.phases.is_none());
        vm.phases = Some(Phases::default());
        let started = now_ns();
        for _ in 0..100 {
            nest(&mut vm);
        }
        let total = now_ns() - started;
        let p = vm.phases.expect("asked for");
        assert!(p.expand_ns + p.compile_ns <= total, "{p:?} of {total}");
        assert!(p.expand_ns > 0 && p.read_ns == 0, "{p:?}");
    }
}
