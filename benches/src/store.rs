//! Parts of the store: queries over facts in memory, transactions.

use crate::Work;
use datoms::bench;
use datoms::edn::{Edn, read};
use datoms::query::{Facts, Input, Options, Prepared};
use datoms::store::Database;

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
        "transact" => {
            // One small transaction after the other, with upserts.
            let txs: Vec<Edn> = (0..200).map(|i| people(i % 120, 1)).collect();
            Box::new(move || {
                let db = txs.iter().fold(shop(), |db, tx| db.db_with(tx).expect("it fits"));
                db.datoms(datoms::store::Index::Eavt, &[]).expect("an index").len() as u64
            })
        }
        "transact_large" => {
            let tx = people(0, 1000);
            Box::new(move || shop().with(&tx).expect("it fits").tx_data.len() as u64)
        }
        _ => return None,
    })
}

/// An empty store with a unique, an indexed, a reference and a plural attribute.
fn shop() -> Database {
    let schema = "{:name {:db/unique :db.unique/identity} :age {:db/index true}
                   :friend {:db/valueType :db.type/ref} :likes {:db/cardinality :db.cardinality/many}}";
    Database::empty(&read(schema).expect("well-formed")).expect("a schema")
}

/// A transaction of some people, from a number on.
fn people(from: u32, n: u32) -> Edn {
    let one = |i: u32| {
        let text = format!(
            "{{:db/id -{} :name \"p{i}\" :age {} :likes [\"a{}\" \"b{}\"] :friend {{:name \"p{}\"}}}}",
            i + 1,
            i % 90,
            i % 7,
            i % 11,
            i / 2
        );
        read(&text).expect("well-formed")
    };
    Edn::vector((from..from + n).map(one).collect::<Vec<_>>())
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
