//! Parts of the store: queries over facts in memory.

use crate::Work;
use datoms::bench;
use datoms::edn::{Edn, read};
use datoms::query::{Facts, Input, Options, Prepared};

pub fn ready(name: &str) -> Option<Work> {
    Some(match name {
        "query_join" => {
            let text = "[:find ?e ?l ?a :where [?e :name \"Ivan\"] [?e :last-name ?l] [?e :age ?a] [?e :sex :male]]";
            query(Facts::new(bench::people(2000), &[]), text.replace(":male", "\"male\"").as_str(), &[])
        }
        "query_aggregate" => {
            let text = "[:find ?l (count ?e) (max ?s) :where [?e :last-name ?l] [?e :salary ?s]]";
            query(Facts::new(bench::people(2000), &[]), text, &[])
        }
        "query_rules" => {
            let rules = "[[(follows ?x ?y) [?x :follows ?y]] [(follows ?x ?y) [?x :follows ?z] (follows ?z ?y)]]";
            let text = "[:find ?x ?y :in $ % :where (follows ?x ?y)]";
            query(Facts::new(bench::long(20, 10), &["follows"]), text, &[read(rules).expect("well-formed")])
        }
        "query_parse" => {
            let text = "[:find ?e ?l (count ?a) :in $ ?n [?x ...] :where [?e :name ?n] [?e :last-name ?l] [?e :age ?a] \
                        (not [?e :sex ?x]) (or-join [?e] [?e :salary 1] (and [?e :age 2] [?e :salary ?z])) [(< ?a 10)]]";
            Box::new(move || (0..20).map(|_| Prepared::parse(std::hint::black_box(text)).map_or(0, |_| 1)).sum())
        }
        _ => return None,
    })
}

fn query(facts: Facts, text: &str, inputs: &[Edn]) -> Work {
    let query = Prepared::parse(text).expect("well-formed");
    let inputs = inputs.to_vec();
    Box::new(move || {
        let values = inputs.iter().cloned().map(Input::Value);
        let all: Vec<Input> = std::iter::once(Input::Source(&facts)).chain(values).collect();
        query.run(&all, &Options::default()).expect("it runs").rows().count() as u64
    })
}
