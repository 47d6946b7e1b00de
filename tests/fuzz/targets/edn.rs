//! What is read as EDN and printed is read again as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(v) = datoms::edn::read(text) {
        let shown = v.to_string();
        let again = datoms::edn::read(&shown).expect("what is printed can be read");
        assert_eq!(again.to_string(), shown);
    }
});
