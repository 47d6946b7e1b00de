//! The shared cases, whole.

use datoms::conform::run;

#[test]
fn the_store_answers_as_the_cases_say() {
    let verdicts = run(include_str!("data/datalog.json")).expect("the file of cases reads");
    let failed: Vec<String> = verdicts.iter().filter(|v| !v.pass).map(|v| format!("{}: {}", v.id, v.got)).collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert_eq!(verdicts.len(), 423);
}
