//! Interpreter and compiled code mean what the walker says, on generated programs, in every stress mode.
//!
//! More programs than the tests take, with what is being compared on standard error:
//! `YIN_SEEDS=10000..20000 cargo test -p yin-meaning --test same compiled -- --nocapture`.

use datoms::edn::Edn;
use std::sync::LazyLock;
use yin_jit::{Config, Mode};
use yin_meaning::generate::program;
use yin_meaning::walk::{Outcome, Walker};
use yin_vm::{Exit, Vm};

const STEPS: u64 = 200_000;

/// What the machine makes of a program, and its roots.
fn machine(vm: &mut Vm, source: &str) -> (Outcome, Vec<yin_ast::NodeId>) {
    let first = vm.ast.roots.len();
    let steps = vm.steps();
    let r = vm.eval_text(source, "program").and_then(|v| vm.pr_now(v));
    let roots = vm.ast.roots[first..].to_vec();
    assert!(vm.steps() >= steps);
    let outcome = match r {
        Ok(text) => Outcome::Value(datoms::edn::read(&text).expect("what is printed can be read")),
        Err(Exit::Stop) => Outcome::Limit,
        Err(_) => Outcome::Error(vm.failure().kind),
    };
    (outcome, roots)
}

/// Lists and vectors are equal if their elements are; NaN is NaN.
fn plain(e: &Edn) -> Edn {
    match e {
        Edn::List(xs) | Edn::Vector(xs) => Edn::vector(xs.iter().map(plain).collect::<Vec<_>>()),
        Edn::Float(x) if x.is_nan() => Edn::keyword("nan"),
        e => e.clone(),
    }
}
fn same(a: &Outcome, b: &Outcome) -> bool {
    match (a, b) {
        (Outcome::Value(a), Outcome::Value(b)) => plain(a) == plain(b),
        (a, b) => a == b,
    }
}

static IMAGE: LazyLock<&'static [u8]> = LazyLock::new(|| yin_vm::image::build().expect("the library evaluates").leak());

/// A machine with a compiler, in stress modes.
fn new_machine(jit: Mode, zeal: &[(&str, u32)]) -> Vm {
    let mut vm = Vm::from_image(&IMAGE).expect("a machine");
    for (mode, k) in zeal {
        vm.set_zeal(mode, *k).expect("a mode");
    }
    yin_jit::attach(&mut vm, Config { mode: jit, ..Config::default() });
    vm
}

/// How machine and walker differ on the program of a seed, or whether it had a value.
fn difference(vm: &mut Vm, seed: u64) -> Result<Option<bool>, String> {
    let source = program(seed);
    vm.fuel = Some(STEPS);
    let (got, roots) = machine(vm, &source);
    let meant = Walker::new(&vm.ast, 50 * STEPS).run(&roots);
    match (&got, &meant) {
        // A program that cannot be compiled has fewer roots than forms.
        (Outcome::Limit, _) | (_, Outcome::Limit) => Ok(None),
        _ if same(&got, &meant) => Ok(Some(matches!(meant, Outcome::Value(_)))),
        _ => Err(format!("seed {seed}: the machine says {got:?}, the walker {meant:?}\n{source}")),
    }
}

/// One machine runs all programs, each of which defines the same names anew.
fn compare(jit: Mode, zeal: &[(&str, u32)], seeds: std::ops::Range<u64>) {
    let asked = std::env::var("YIN_SEEDS").ok().map(|s| {
        let (from, to) = s.split_once("..").expect("YIN_SEEDS=FROM..TO");
        from.parse().expect("a number")..to.parse().expect("a number")
    });
    let tell = asked.is_some();
    let seeds: std::ops::Range<u64> = asked.unwrap_or(seeds);
    let mut vm = new_machine(jit, zeal);
    let (mut values, mut errors, mut wrong) = (0, 0, Vec::new());
    for seed in seeds.clone() {
        if tell {
            eprintln!("{jit:?} {zeal:?} {seed}");
        }
        match difference(&mut vm, seed) {
            Ok(Some(true)) => values += 1,
            Ok(Some(false)) => errors += 1,
            Ok(None) => {}
            Err(text) => {
                let alone = difference(&mut new_machine(jit, zeal), seed).is_err();
                wrong.push(format!("{text}{}\n", if alone { "" } else { "; only after the programs before it" }));
            }
        }
    }
    assert!(wrong.is_empty(), "{jit:?} {zeal:?}: {} differ\n{}", wrong.len(), wrong.join("\n"));
    // Most programs must mean something, or the comparison says little.
    let n = seeds.end - seeds.start;
    assert!(values > n / 3 && errors > n / 50, "{values} values, {errors} errors of {n}");
}

#[test]
fn the_interpreter_agrees_with_the_walker() {
    compare(Mode::Off, &[], 0..1500);
}

#[test]
fn collections_change_nothing() {
    compare(Mode::Off, &[("gc", 1)], 2000..2150);
}

#[test]
fn captures_everywhere_change_nothing() {
    compare(Mode::Off, &[("capture", 1)], 3000..3150);
}

#[test]
fn bytes_in_between_change_nothing() {
    compare(Mode::Off, &[("park", 61)], 4000..4100);
}

#[test]
fn another_order_changes_nothing() {
    compare(Mode::Off, &[("order", 2)], 5000..5150);
}

#[test]
fn compiled_before_it_runs_it_is_the_same() {
    compare(Mode::Always, &[], 0..1000);
}

#[test]
fn compiled_when_hot_it_is_the_same() {
    compare(Mode::Auto, &[], 6000..7000);
}

#[test]
fn compiled_guards_that_fail_change_nothing() {
    compare(Mode::Always, &[("exit", 1)], 8000..8400);
}

#[test]
fn compiled_frames_are_collected_and_captured() {
    compare(Mode::Always, &[("gc", 3), ("capture", 2)], 9000..9200);
    compare(Mode::Always, &[("exit", 1), ("gc", 1), ("capture", 1)], 10_000..10_100);
}

#[test]
fn compiled_frames_become_bytes() {
    compare(Mode::Always, &[("park", 61)], 11_000..11_100);
}

#[test]
fn programs_are_given_by_their_seed() {
    assert_eq!(program(7), program(7));
    assert_ne!(program(7), program(8));
}
