//! The shared cases that need nothing but queries on plain facts.

use datoms::conform::{FactsBackend, run};

#[test]
fn queries_on_plain_facts_answer_as_the_cases_say() {
    let verdicts = run(include_str!("data/datalog.json"), &FactsBackend).expect("the file of cases reads");
    let failed: Vec<String> = verdicts.iter().filter(|v| !v.pass).map(|v| format!("{}: {}", v.id, v.got)).collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(verdicts.len() >= 170, "only {} cases ran", verdicts.len());
}
