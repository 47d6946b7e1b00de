//! Generated programs mean the same to the machine and to the walker.
#![no_main]

use libfuzzer_sys::fuzz_target;
use yin_meaning::walk::{Outcome, Walker};
use yin_vm::Vm;

thread_local! {
    static VM: std::cell::RefCell<Vm> = std::cell::RefCell::new(Vm::from_sources(0).expect("a machine"));
}

fuzz_target!(|seed: u64| {
    VM.with_borrow_mut(|vm| {
        let source = yin_meaning::generate::program(seed);
        let first = vm.ast.roots.len();
        vm.fuel = Some(100_000);
        let got = match vm.eval_text(&source, "program").and_then(|v| vm.pr_now(v)) {
            Ok(text) => text,
            Err(yin_vm::Exit::Stop) => return,
            Err(_) => vm.failure().kind,
        };
        let roots = vm.ast.roots[first..].to_vec();
        let meant = match Walker::new(&vm.ast, 5_000_000).run(&roots) {
            Outcome::Limit => return,
            Outcome::Error(kind) => kind,
            Outcome::Value(v) => {
                let got = datoms::edn::read(&got).expect("what is printed can be read");
                assert_eq!(got.to_string().replace("NaN", ""), v.to_string().replace("NaN", ""), "{source}");
                return;
            }
            Outcome::Unknown(what) => panic!("the walker does not know {what}: {source}"),
        };
        assert_eq!(got, meant, "{source}");
    });
});
