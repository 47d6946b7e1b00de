//! Every Clojure program of the corpus gives its answer at small size, in this process, also when its work is done again.

use std::thread;
use yin_bench_corpus::{Program, Size, all, source};
use yin_vm::Vm;

/// What a program prints; standard error goes where the test's goes.
fn run(text: &str, name: &str) -> Result<String, String> {
    let mut vm = Vm::from_sources(0)?;
    vm.hold_output = true;
    match vm.eval_text(text, name) {
        Ok(_) => Ok(std::mem::take(&mut vm.out).trim().to_string()),
        Err(_) => Err(vm.failure().message),
    }
}

fn on_a_deep_stack(f: impl FnOnce() + Send + 'static) {
    thread::Builder::new().stack_size(256 << 20).spawn(f).expect("a thread").join().expect("the checks hold");
}

#[test]
fn every_program_gives_its_answer() {
    on_a_deep_stack(|| {
        let mut wrong = Vec::new();
        for p in all() {
            for file in ["main.clj", "yin.clj"].into_iter().filter(|f| p.file(f).is_some()) {
                let text = p.source(file, Size::Small).expect("it has the file");
                let got = run(&text, file);
                if got.as_deref().ok() != p.answer(Size::Small) {
                    wrong.push(format!("{}/{file}: {got:?}, expected {:?}", p.name, p.answer(Size::Small)));
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    });
}

#[test]
fn work_done_again_gives_the_same_answer() {
    on_a_deep_stack(|| {
        for p in all() {
            let Some(file) = p.for_yin("clj") else { continue };
            let text = p.source(file, Size::Small).expect("it has the file");
            if source::repeated(file, &text, 1).is_none() {
                assert_eq!(p.name, "startup", "every other program has a run");
                continue;
            }
            // Call it twice more instead of timing it, and keep what it says.
            let got = run(&format!("{text}\n(println (run))\n(println (run))"), file);
            let lines: Vec<String> = got.unwrap_or_else(|e| e).lines().map(String::from).collect();
            let answer = p.answer(Size::Small).expect("known");
            assert_eq!(lines, [answer, answer, answer], "{}", p.name);
        }
    });
}

#[test]
fn every_program_is_described_and_present_in_the_languages_of_its_note() {
    let programs = all();
    for p in &programs {
        let said = !p.about.is_empty() && !p.measures.is_empty() && !p.misses.is_empty();
        assert!(said, "{}: about, measures, misses", p.name);
        assert!(p.checksum.is_some() && p.small_checksum.is_some(), "{}: answers", p.name);
        assert!(p.for_yin("clj").is_some(), "{}: a program for Yin", p.name);
        for (file, text) in &p.files {
            for (name, value) in &p.params {
                let stated = source::with_constants(file, text, &[(name.clone(), value.clone())]);
                assert_eq!(&stated, text, "{}/{file} and params.json state another {name}", p.name);
                let changed = source::with_constants(file, text, &[(name.clone(), "123456789".into())]);
                assert_ne!(&changed, text, "{}/{file} defines {name}", p.name);
            }
        }
    }
    let mut names: Vec<&str> = programs.iter().map(|p| &*p.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), programs.len(), "names are unique");
    let python = programs.iter().filter(|p: &&Program| p.for_yin("py").is_some()).count();
    assert!(programs.len() >= 50 && python >= 49, "{} programs, {python} of them in Python", programs.len());
}
