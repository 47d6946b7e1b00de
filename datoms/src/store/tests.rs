//! The store against a plain set of facts, and the corners that the shared cases do not reach.

use super::*;
use crate::edn::{Edn, read};
use crate::query::{Input, q_text};
use std::collections::BTreeMap;
use std::sync::Arc;

const SCHEMA: &str = "{:many {:db/cardinality :db.cardinality/many}
    :ref {:db/valueType :db.type/ref}
    :refs {:db/valueType :db.type/ref :db/cardinality :db.cardinality/many}
    :part {:db/valueType :db.type/ref :db/isComponent true}
    :uniq {:db/unique :db.unique/identity}}";

fn edn(text: &str) -> Edn {
    read(text).unwrap()
}

fn db(schema: &str, txs: &[&str]) -> Database {
    txs.iter().fold(Database::empty(&edn(schema)).unwrap(), |db, tx| db.db_with(&edn(tx)).unwrap())
}

/// A fixed generator.
struct Draw(u32);

impl Draw {
    fn to(&mut self, n: u32) -> u32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        ((u64::from(self.0) * u64::from(n)) >> 32) as u32
    }
}

type Facts = BTreeMap<(u32, &'static str, i64), u32>;

/// The meaning of the operations, on a set of facts.
#[derive(Clone, Default)]
struct Model {
    facts: Facts,
    t: u32,
}

const ATTRS: [&str; 6] = ["many", "one", "part", "ref", "refs", "uniq"];

impl Model {
    fn add(&mut self, e: u32, a: &'static str, v: i64) -> bool {
        if self.facts.contains_key(&(e, a, v)) {
            return true;
        }
        if a == "uniq" && self.facts.keys().any(|(_, b, w)| *b == a && *w == v) {
            return false;
        }
        if !matches!(a, "many" | "refs") {
            self.facts.retain(|(x, b, _), _| (*x, *b) != (e, a));
        }
        self.facts.insert((e, a, v), self.t);
        true
    }

    fn retract_entity(&mut self, e: u32) {
        let parts: Vec<i64> = self.facts.keys().filter(|(x, a, _)| *x == e && *a == "part").map(|k| k.2).collect();
        self.facts.retain(|(x, a, v), _| *x != e && !(matches!(*a, "ref" | "refs" | "part") && *v == i64::from(e)));
        parts.into_iter().for_each(|p| self.retract_entity(p as u32));
    }

    fn retract_attr(&mut self, e: u32, a: &'static str) {
        let gone: Vec<i64> = self.facts.keys().filter(|(x, b, _)| (*x, *b) == (e, a)).map(|k| k.2).collect();
        self.facts.retain(|(x, b, _), _| (*x, *b) != (e, a));
        if a == "part" {
            gone.into_iter().for_each(|p| self.retract_entity(p as u32));
        }
    }
}

fn facts_of(db: &Database) -> Facts {
    let all = db.datoms(Index::Eavt, &[]).unwrap();
    let row = |d: &Datom| {
        let name = db.attr_name(d.a).to_string();
        let a = ATTRS.iter().find(|a| name[1..] == ***a).unwrap();
        ((d.e, *a, db.value(d.v).as_int().unwrap()), d.t)
    };
    let out: Facts = all.iter().map(row).collect();
    assert_eq!(out.len(), all.len());
    let keys: Vec<_> = all.iter().map(|d| row(d).0).collect();
    assert!(keys.is_sorted(), "the order of :eavt");
    out
}

/// Some operations as text, and what they do to a model; false if they are refused.
fn operations(r: &mut Draw, model: &mut Model) -> (String, bool) {
    let (mut text, mut fine) = (String::new(), true);
    for _ in 0..1 + r.to(6) {
        let e = 1 + r.to(12);
        let a = ATTRS[r.to(6) as usize];
        let is_ref = matches!(a, "ref" | "refs" | "part");
        let v = i64::from(if is_ref { 1 + r.to(12) } else { r.to(5) });
        match r.to(10) {
            0..=4 => {
                text += &format!("[:db/add {e} :{a} {v}]");
                fine = fine && model.add(e, a, v);
            }
            5 | 6 => {
                text += &format!("[:db/retract {e} :{a} {v}]");
                model.facts.remove(&(e, a, v));
            }
            7 => {
                text += &format!("[:db.fn/retractAttribute {e} :{a}]");
                model.retract_attr(e, a);
            }
            8 => {
                text += &format!("[:db/retractEntity {e}]");
                model.retract_entity(e);
            }
            _ => {
                text += &format!("{{:db/id {e} :one {v} :many [{v} {}]}}", v + 1);
                fine = fine && model.add(e, "one", v) && model.add(e, "many", v) && model.add(e, "many", v + 1);
            }
        }
    }
    (format!("[{text}]"), fine)
}

#[test]
fn transactions_do_what_the_model_says_and_leave_old_values_alone() {
    let mut r = Draw(99);
    let (mut db, mut model) = (db(SCHEMA, &[]), Model { t: TX0, ..Model::default() });
    let mut kept: Vec<(Database, Facts)> = vec![(db.clone(), Facts::new())];
    let mut refused = 0;
    for round in 0..6000 {
        // Now and then go on from an older value: both lines of descent must stay right.
        if r.to(40) == 0 {
            let (old, facts) = kept[r.to(kept.len() as u32) as usize].clone();
            model = Model { facts, t: old.max_tx() };
            db = old;
        }
        let mut next = model.clone();
        next.t += 1;
        let (text, fine) = operations(&mut r, &mut next);
        match db.with(&edn(&text)) {
            Ok(report) => {
                assert!(fine, "{text} should be refused");
                // What changed, applied to what was, gives what is.
                let mut facts = facts_of(&db);
                for d in &report.tx_data {
                    let name = report.db_after.attr_name(d.a).to_string();
                    let a = ATTRS.iter().find(|a| name[1..] == ***a).unwrap();
                    let key = (d.e, *a, report.db_after.value(d.v).as_int().unwrap());
                    if d.added() {
                        assert_eq!(facts.insert(key, d.t), None, "{text}");
                    } else {
                        assert!(facts.remove(&key).is_some(), "{text}");
                    }
                }
                assert_eq!(facts, next.facts, "{text}");
                db = report.db_after;
                model = next;
            }
            Err(e) => {
                assert!(!fine, "{text}: {e}");
                refused += 1;
            }
        }
        assert_eq!(facts_of(&db), model.facts, "round {round}: {text}");
        if r.to(8) == 0 {
            kept.push((db.clone(), model.facts.clone()));
        }
    }
    assert!(refused > 100);
    for (db, facts) in &kept {
        assert_eq!(facts_of(db), *facts);
        check_orders(db, facts);
    }
}

/// Every other way to read gives the same facts.
fn check_orders(db: &Database, facts: &Facts) {
    assert_eq!(db.len(), facts.len());
    let out = q_text("[:find ?e ?a ?v ?t :where [?e ?a ?v ?t]]", &[Input::Source(db)]).unwrap();
    assert_eq!(out.len(), facts.len());
    for e in 1..=12u32 {
        for a in ATTRS {
            let name = Edn::keyword(a);
            let id = Edn::Int(e.into());
            let want: Vec<i64> = facts.keys().filter(|k| (k.0, k.1) == (e, a)).map(|k| k.2).collect();
            let got = db.datoms(Index::Eavt, &[id.clone(), name.clone()]).unwrap();
            let got: Vec<i64> = got.iter().map(|d| db.value(d.v).as_int().unwrap()).collect();
            assert_eq!(got, want);
            if matches!(a, "ref" | "refs" | "part") {
                let want: Vec<u32> = facts.keys().filter(|k| k.1 == a && k.2 == i64::from(e)).map(|k| k.0).collect();
                let got = db.datoms(Index::Avet, &[name.clone(), id.clone()]).unwrap();
                assert_eq!(got.iter().map(|d| d.e).collect::<Vec<_>>(), want);
                let out = q_text(&format!("[:find [?x ...] :where [?x :{a} {e}]]"), &[Input::Source(db)]).unwrap();
                assert_eq!(out.len(), want.len());
            }
        }
    }
    for v in 0..5 {
        let want = facts.keys().find(|k| k.1 == "uniq" && k.2 == v).map(|k| k.0);
        assert_eq!(db.entid(&Edn::vector([Edn::keyword("uniq"), Edn::Int(v)])).unwrap(), want);
    }
}

#[test]
fn every_moment_can_be_looked_at_again() {
    let mut r = Draw(5);
    let (mut db, mut model) = (db(SCHEMA, &[]), Model { t: TX0, ..Model::default() });
    let mut moments: Vec<Facts> = vec![Facts::new()];
    while moments.len() < 3000 {
        let mut next = model.clone();
        next.t += 1;
        let (text, fine) = operations(&mut r, &mut next);
        if fine {
            db = db.db_with(&edn(&text)).unwrap();
            model = next;
            moments.push(model.facts.clone());
        }
    }
    for (n, facts) in moments.iter().enumerate().step_by(37) {
        let t = TX0 + n as u32;
        assert_eq!(facts_of(&db.as_of(t)), *facts, "as of {n}");
        let since: Facts = model.facts.iter().filter(|(_, u)| **u > t).map(|(k, u)| (*k, *u)).collect();
        assert_eq!(facts_of(&db.since(t)), since, "since {n}");
    }
    // Playing the history gives what holds.
    let mut played = Facts::new();
    let mut history = db.history().datoms(Index::Eavt, &[]).unwrap();
    history.sort_by_key(|d| (d.t, d.added()));
    let mut ops: BTreeMap<(u32, String, i64), i32> = BTreeMap::new();
    for d in &history {
        let name = db.attr_name(d.a).to_string();
        *ops.entry((d.e, name, db.value(d.v).as_int().unwrap())).or_default() += if d.added() { 1 } else { -1 };
    }
    for ((e, name, v), n) in ops {
        assert!(n == 0 || n == 1, "{e} {name} {v}: {n}");
        if n == 1 {
            let a = ATTRS.iter().find(|a| name[1..] == ***a).unwrap();
            played.insert((e, a, v), model.facts[&(e, *a, v)]);
        }
    }
    assert_eq!(played, model.facts);
}

#[test]
fn values_are_read_on_other_threads_while_one_writes() {
    let start = db("{:n {:db/index true}}", &["[{:db/id 1 :n 0} {:db/id 2 :n 0}]"]);
    let conn = Arc::new(Conn::new(start));
    std::thread::scope(|s| {
        for _ in 0..3 {
            let conn = conn.clone();
            s.spawn(move || {
                for _ in 0..300 {
                    // Both entities change in one transaction, so no value sees one without the other.
                    let db = conn.db();
                    let out = q_text("[:find [?n ...] :where [_ :n ?n]]", &[Input::Source(&db)]).unwrap();
                    assert_eq!(out.len(), 1);
                    let of = |e: i64| db.datoms(Index::Eavt, &[Edn::Int(e), Edn::keyword("n")]).unwrap()[0].v;
                    assert_eq!(of(1), of(2));
                }
            });
        }
        for i in 1..2000 {
            conn.transact(&edn(&format!("[[:db/add 1 :n {i}] [:db/add 2 :n {i}]]")), &TxOptions::default()).unwrap();
        }
    });
    assert_eq!(conn.db().history().datoms(Index::Eavt, &[]).unwrap().len(), 2 * (2000 + 1999));
}

#[test]
fn a_failed_transaction_leaves_nothing() {
    let before = db(SCHEMA, &["[{:db/id 1 :uniq 1 :one 1}]"]);
    let bad = "[[:db/add 1 :one 2] [:db/add 5 :many 1] [:db/add 2 :uniq 1]]";
    for _ in 0..3 {
        assert_eq!(before.with(&edn(bad)).unwrap_err().kind.keyword(), "transact/unique");
    }
    let after = before.db_with(&edn("[[:db/add 1 :many 7]]")).unwrap();
    assert_eq!(after.len(), 3);
    assert_eq!(after.max_tx(), before.max_tx() + 1);
    assert_eq!(after.history().datoms(Index::Eavt, &[]).unwrap().len(), 3);
}

#[test]
fn functions_see_the_database_so_far_and_may_write_to_it() {
    let start = db(SCHEMA, &["[{:db/id 1 :one 1}]"]);
    let mut functions = TxFunctions::default();
    let seen: Arc<std::sync::Mutex<Vec<Database>>> = Arc::default();
    let keep = seen.clone();
    functions.add(Edn::keyword("bump"), move |db: &Database, _: &[Edn]| {
        keep.lock().unwrap().push(db.clone());
        // A value that is written to inside of a function is nobody else's.
        let tried = db.db_with(&read("[[:db/add 1 :many 100]]").unwrap())?;
        assert_eq!(tried.len(), db.len() + 1);
        let now = db.value(db.datoms(Index::Eavt, &[Edn::Int(1), Edn::keyword("one")])?[0].v).as_int().unwrap();
        read(&format!("[[:db/add 1 :one {}]]", now + 1)).map_err(|e| panic!("{e}"))
    });
    let options = TxOptions { functions: Some(&functions), ..TxOptions::default() };
    let tx = edn("[[:db.fn/call :bump] [:db/add 1 :many 5] [:db.fn/call :bump]]");
    let after = start.transact(&tx, &options).unwrap().db_after;
    assert_eq!(facts_of(&after).keys().copied().collect::<Vec<_>>(), [(1, "many", 5), (1, "one", 3)]);
    // The same, but refused at the end: what the function saw stays as it was.
    let tx = edn("[[:db.fn/call :bump] [:db/add 2 5 5]]");
    assert!(start.transact(&tx, &options).is_err());
    let seen = seen.lock().unwrap();
    assert_eq!(seen.iter().map(|db| facts_of(db).len()).collect::<Vec<_>>(), [1, 2, 1]);
    let calls = edn("[[:db.fn/call :nobody]]");
    assert_eq!(start.transact(&calls, &options).unwrap_err().kind.keyword(), "transact/syntax");
}

#[test]
fn types_are_enforced_where_they_are_given() {
    let db = db("{:s {:db/valueType :db.type/string} :n {:db/valueType :db.type/long}}", &["[{:s \"a\" :n 1}]"]);
    for bad in ["[{:s 1}]", "[{:n \"x\"}]", "[{:n 1.5}]", "[[:db/add 1 :s :k]]"] {
        assert_eq!(db.with(&edn(bad)).unwrap_err().kind.keyword(), "transact/type", "{bad}");
    }
    let bad = Database::empty(&edn("{:x {:db/valueType :db.type/nothing}}"));
    assert_eq!(bad.unwrap_err().kind.keyword(), "schema/validation");
}

#[test]
fn provenance_goes_with_facts() {
    let start = db(SCHEMA, &["[{:db/id 1 :one 1 :many [1 2]}]"]);
    let options = TxOptions { provenance: Some(77), ..TxOptions::default() };
    let after = start.transact(&edn("[[:db/add 1 :one 2] [:db/add 2 :many 1]]"), &options).unwrap().db_after;
    let m: Vec<u32> = after.datoms(Index::Eavt, &[]).unwrap().iter().map(|d| d.m).collect();
    assert_eq!(m, [1, 1, 77, 77]);
    let reserved = TxOptions { provenance: Some(5), ..TxOptions::default() };
    assert!(start.transact(&edn("[]"), &reserved).is_err());
}

#[test]
fn deep_data_ends_in_an_error_and_not_in_a_crash() {
    let start = db("{:next {:db/valueType :db.type/ref}}", &[]);
    let deep = (0..1500).fold(edn("{:v 1}"), |m, _| Edn::map([(Edn::keyword("next"), m)]));
    assert_eq!(start.with(&Edn::vector([deep])).unwrap_err().kind.keyword(), "transact/syntax");
    let chain: Vec<Edn> = (1..5000).map(|i| edn(&format!("[:db/add {i} :next {}]", i + 1))).collect();
    let chain = start.db_with(&Edn::vector(chain)).unwrap();
    assert_eq!(chain.pull(&edn("[{:next ...}]"), &Edn::Int(1)).unwrap_err().kind.keyword(), "pull/depth");
    assert!(chain.pull(&edn("[{:next 100}]"), &Edn::Int(1)).is_ok());
    let parts = db("{:next {:db/valueType :db.type/ref :db/isComponent true}}", &[]);
    let many: Vec<Edn> = (1..100_000).map(|i| edn(&format!("[:db/add {i} :next {}]", i + 1))).collect();
    let parts = parts.db_with(&Edn::vector(many)).unwrap();
    assert_eq!(parts.db_with(&edn("[[:db/retractEntity 1]]")).unwrap().len(), 0);
}

#[test]
fn text_comes_back_as_the_same_database() {
    let db = db(
        SCHEMA,
        &[
            "[{:db/id 1 :one \"a\\n\\\"b\" :many [1 2.5 :k sym \\c #inst \"2020\" 1/2 123456789012345678901 ##NaN [1 nil]]}]",
            "[{:uniq 7 :refs [1 {:one true}]}]",
        ],
    );
    let rows = |db: &Database| -> Vec<String> {
        db.datoms(Index::Eavt, &[]).unwrap().iter().map(|d| db.datom_edn(d).to_string()).collect()
    };
    let mut lines = Vec::new();
    db.write_edn(&mut lines).unwrap();
    let copies = [
        Database::from_serializable(&db.to_serializable()).unwrap(),
        Database::from_literal(&read(&db.to_literal()).unwrap()).unwrap(),
        Database::read_edn(std::str::from_utf8(&lines).unwrap()).unwrap(),
    ];
    for copy in &copies {
        assert_eq!(rows(copy), rows(&db));
        assert_eq!(copy.max_tx(), db.max_tx());
        assert_eq!(copy.schema().form(), db.schema().form());
    }
    let mut json = Vec::new();
    db.write_json_lines(&mut json).unwrap();
    assert_eq!(String::from_utf8(json).unwrap().lines().count(), db.len());
    for bad in ["{", "[]", "{\"eavt\":[[1]],\"attrs\":[],\"keywords\":[],\"schema\":\"nil\",\"tx0\":0}"] {
        assert!(Database::from_serializable(bad).is_err());
    }
    for bad in ["[1 2]", "[[1 :a]]", "#datascript/DB 5", "{:datoms [[1]]}"] {
        assert!(Database::read_edn(bad).is_err(), "{bad}");
    }
}
