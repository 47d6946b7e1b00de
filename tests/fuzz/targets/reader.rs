//! Any text is read or refused, and every span lies in it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use yin_yang::clojure::reader::{Reader, Resolver};

struct Plain(u64);

impl Resolver for Plain {
    fn current_ns(&self) -> String {
        "user".into()
    }
    fn alias(&self, alias: &str) -> Option<String> {
        (alias.len() % 2 == 0).then(|| alias.into())
    }
    fn quote_symbol(&self, name: &str) -> String {
        format!("user/{name}")
    }
    fn gensym(&mut self) -> u64 {
        self.0 += 1;
        self.0
    }
}

fuzz_target!(|text: &str| {
    for mut r in [Reader::new(text), Reader::data(text)] {
        loop {
            let at = r.position();
            let spans: Vec<(u32, u32)> = match r.next_form(&mut Plain(0)) {
                Ok(None) => break,
                Ok(Some(f)) => vec![(f.start, f.end)],
                Err(errors) => errors.iter().map(|e| (e.start, e.end)).collect(),
            };
            assert!(r.position() > at && !spans.is_empty());
            assert!(spans.iter().all(|(a, b)| a <= b && text.get(*a as usize..*b as usize).is_some()));
        }
    }
});
