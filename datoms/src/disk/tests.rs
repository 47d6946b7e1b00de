//! What is found after a crash, at any byte and any operation.

use super::io::memory::Memory;
use super::*;
use crate::edn::{Edn, read};
use crate::query::{Input, q_text};
use crate::store::{Database, Index, TX0};
use std::sync::Arc;

const SCHEMA: &str = "{:many {:db/cardinality :db.cardinality/many} :ref {:db/valueType :db.type/ref}
    :uniq {:db/unique :db.unique/identity}}";

fn edn(text: &str) -> Edn {
    read(text).unwrap()
}

/// Everything there is to know of a database.
fn state(db: &Database) -> Vec<String> {
    let past = db.history().datoms(Index::Eavt, &[]).unwrap();
    let mut out: Vec<String> = past.iter().map(|d| db.change_edn(d).to_string()).collect();
    let now = db.datoms(Index::Eavt, &[]).unwrap();
    out.extend(now.iter().map(|d| format!("{} {}", db.datom_edn(d), d.m)));
    out.push(format!("{} {}", db.max_eid(), db.max_tx()));
    out
}

/// The n-th transaction: adds, replaces and takes away; new attributes and values of every kind.
fn tx(n: u32) -> Edn {
    let text = match n % 5 {
        0 => format!("[{{:uniq {n} :name \"person {n}\" :many [{n} \"x{n}\" :k/k{n}]}}]"),
        1 => format!("[[:db/add 1 :name \"again {n}\"] [:db/add 1 :attr-{n} {n}.5]]"),
        2 => format!("[[:db/add {n} :ref 1] {{:db/id :db/current-tx :why [\"{n}\" nil]}}]"),
        3 => "[[:db/retractEntity 2] [:db/retract 1 :many 0]]".to_string(),
        _ => format!("[[:db/add 1 :big {n}00000000000000000000] [:db/add \"t\" :at #inst \"2020\"]]"),
    };
    edn(&text)
}

fn disk(m: &Memory) -> Arc<dyn Disk> {
    Arc::new(m.clone())
}

fn create(m: &Memory) -> Store {
    Store::create_on(disk(m), &edn(SCHEMA), Limits::default()).unwrap()
}

fn open(m: &Memory) -> crate::query::QueryError {
    match Store::open_on(disk(m), &Edn::Nil, Limits::default()) {
        Ok(_) => panic!("it opens"),
        Err(e) => e,
    }
}

fn reopened(m: &Memory) -> Store {
    Store::open_on(disk(m), &Edn::Nil, Limits::default()).unwrap()
}

#[test]
fn a_log_cut_at_any_byte_gives_the_transactions_before_the_cut() {
    let m = Memory::default();
    let store = create(&m);
    let mut states = vec![(m.read("log-0000000001").unwrap().len(), state(&store.db()))];
    for n in 0..25 {
        store.transact(&tx(n)).unwrap();
        states.push((m.read("log-0000000001").unwrap().len(), state(&store.db())));
    }
    let whole = m.read("log-0000000001").unwrap();
    for cut in 0..=whole.len() {
        let copy = m.copy();
        copy.put("log-0000000001", whole[..cut].to_vec());
        let want = &states.iter().rev().find(|(len, _)| *len <= cut).unwrap_or(&states[0]).1;
        assert_eq!(&state(&Store::read_only_on(&disk(&copy)).unwrap()), want, "cut at {cut}");
        let store = reopened(&copy);
        assert_eq!(&state(&store.db()), want, "cut at {cut}");
        // It goes on from there.
        store.transact(&edn("[[:db/add 77 :after \"the cut\"]]")).unwrap();
        let after = state(&store.db());
        drop(store);
        assert_eq!(state(&reopened(&copy).db()), after, "cut at {cut}");
    }
}

#[test]
fn a_damaged_byte_is_never_taken_for_data() {
    let m = Memory::default();
    let store = create(&m);
    let mut states = vec![state(&store.db())];
    for n in 0..12 {
        store.transact(&tx(n)).unwrap();
        states.push(state(&store.db()));
        if n == 6 {
            store.compact().unwrap();
        }
    }
    drop(store);
    for name in m.list().unwrap() {
        let whole = m.read(&name).unwrap();
        for i in 0..whole.len() {
            let copy = m.copy();
            let mut bad = whole.clone();
            bad[i] ^= 0x41;
            copy.put(&name, bad);
            let read = Store::read_only_on(&disk(&copy)).and_then(|db| {
                // Columns are read when they are asked for, and say then what is wrong with them.
                q_text("[:find ?e ?a ?v :where [?e ?a ?v]]", &[Input::Source(&db)])?;
                Ok(state(&db))
            });
            let check = verify(&disk(&copy)).unwrap();
            match read {
                Ok(found) => {
                    let n = states.iter().position(|s| *s == found);
                    assert!(n.is_some(), "{name} byte {i}: something that never was");
                    let whole = n == Some(states.len() - 1);
                    assert!(whole || !check.errors.is_empty() || check.torn > 0, "{name} byte {i}: not noticed");
                }
                Err(e) => {
                    assert_eq!(e.kind.keyword(), "store/corrupt", "{name} byte {i}: {e}");
                    assert!(!check.errors.is_empty(), "{name} byte {i}");
                }
            }
        }
    }
    assert_eq!(verify(&disk(&m)).unwrap().errors, Vec::<String>::new());
}

#[test]
fn whatever_operation_fails_what_was_acknowledged_is_found() {
    // What a run does until something fails: the states that were acknowledged, and those that were tried.
    let run = |m: &Memory| -> (usize, Vec<Vec<String>>) {
        let mut tried = Vec::new();
        let mut done = 0;
        let Ok(store) = Store::create_on(disk(m), &edn(SCHEMA), Limits::default()) else { return (0, tried) };
        tried.push(state(&store.db()));
        done = done.max(1);
        let mut model = store.db();
        for n in 0..14 {
            if matches!(n, 4 | 9 | 10) {
                let _ = store.compact();
            }
            model = model.db_with(&tx(n)).unwrap();
            tried.push(state(&model));
            if store.transact(&tx(n)).is_err() {
                assert_eq!(state(&store.db()), tried[done - 1], "nobody sees what does not last");
                break;
            }
            done += 1;
        }
        (done, tried)
    };
    let sound = Memory::default();
    let (done, tried) = run(&sound);
    assert_eq!((done, tried.len()), (15, 15));
    let total = sound.done();
    assert!(total > 60, "{total}");
    for n in 0..=total {
        let m = Memory::default();
        m.fail_after(Some(n));
        let (done, tried) = run(&m);
        let mut r = n as u32;
        let mut draw = move |k: usize| {
            r = r.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ((u64::from(r) * (k as u64 + 1)) >> 32) as usize
        };
        for (how, last_names) in [(0, true), (0, false), (1, true), (1, false), (2, true), (2, false)] {
            let after = m.after_power_loss(
                &mut |k| match how {
                    0 => 0,
                    1 => k,
                    _ => draw(k),
                },
                last_names,
            );
            if open_manifest(&after).is_none() {
                assert_eq!(done, 0, "operation {n}: the store is gone");
                continue;
            }
            let store = match Store::open_on(disk(&after), &Edn::Nil, Limits::default()) {
                Ok(s) => s,
                Err(e) => panic!("operation {n}, {how} {last_names}: {e}"),
            };
            let found = state(&store.db());
            let all =
                if tried.is_empty() { vec![state(&Database::empty(&edn(SCHEMA)).unwrap())] } else { tried.clone() };
            let at = all.iter().position(|s| *s == found);
            assert!(
                at.is_some_and(|at| at + 1 >= done),
                "operation {n}, {how} {last_names}: {done} acknowledged, found {at:?}"
            );
            assert_eq!(verify(&disk(&after)).unwrap().errors, Vec::<String>::new(), "operation {n}");
            store.transact(&edn("[[:db/add 77 :after true]]")).unwrap();
            store.compact().unwrap();
            let now = state(&store.db());
            drop(store);
            assert_eq!(state(&reopened(&after).db()), now, "operation {n}");
        }
    }
}

fn open_manifest(m: &Memory) -> Option<Vec<u8>> {
    m.read("manifest").ok()
}

#[test]
fn threads_that_commit_together_lose_nothing() {
    let m = Memory::default();
    // A log that is compacted again and again while eight threads write.
    let store = Store::create_on(disk(&m), &edn(SCHEMA), Limits { log: 2000 }).unwrap();
    std::thread::scope(|s| {
        for k in 0..8 {
            let store = &store;
            let m = &m;
            s.spawn(move || {
                for n in 0..60 {
                    store.transact(&edn(&format!("[{{:uniq {} :name \"t{k}\"}}]", k * 1000 + n))).unwrap();
                    if n % 20 == 0 {
                        // A reader beside them sees whole transactions only.
                        let db = Store::read_only_on(&disk(m)).unwrap();
                        let both = q_text("[:find ?e :where [?e :uniq] [?e :name]]", &[Input::Source(&db)]).unwrap();
                        assert_eq!(db.len(), both.len() * 2);
                    }
                }
            });
        }
    });
    assert!(store.trouble().is_none());
    assert_eq!(store.db().len(), 8 * 60 * 2);
    let before = state(&store.db());
    let copy = Memory::default();
    store.backup_on(&copy).unwrap();
    drop(store);
    assert_eq!(state(&reopened(&m).db()), before);
    assert_eq!(state(&reopened(&copy).db()), before);
    assert_eq!(before.last().unwrap(), &format!("480 {}", TX0 + 480));
}

#[test]
fn a_directory_has_one_writer_and_any_readers() {
    let dir = std::env::temp_dir().join(format!("datoms-test-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&dir);
    let class = |r: Result<Store, crate::query::QueryError>| r.err().map(|e| e.kind.keyword());
    assert_eq!(class(Store::open(&dir)), Some("store/missing"));
    let store = Store::create(&dir, &edn(SCHEMA)).unwrap();
    assert_eq!(class(Store::open(&dir)), Some("store/locked"));
    assert_eq!(class(Store::create(&dir, &Edn::Nil)), Some("store/locked"));
    (0..10).for_each(|n| drop(store.transact(&tx(n)).unwrap()));
    let reader = Store::read_only(&dir).unwrap();
    assert_eq!(state(&reader), state(&store.db()));
    store.compact().unwrap();
    let reader = Store::read_only(&dir).unwrap();
    // Its columns are read later, when the files that had them are gone.
    (10..20).for_each(|n| drop(store.transact(&tx(n)).unwrap()));
    store.compact().unwrap();
    let then = state(&store.db().as_of(TX0 + 10));
    assert_eq!(reader.max_tx(), TX0 + 10);
    assert_eq!(state(&reader)[..then.len() - 1], then[..then.len() - 1]);
    let copy = dir.join("copy");
    store.backup(&copy).unwrap();
    store.set_schema(&edn("{:name {:db/index true}}")).unwrap();
    let now = state(&store.db());
    drop(store);
    assert_eq!(class(Store::create(&dir, &Edn::Nil)), Some("store/exists"));
    let store = Store::open(&dir).unwrap();
    assert_eq!(state(&store.db()), now);
    assert_eq!(store.db().schema().form(), &edn("{:name {:db/index true}}"));
    assert_eq!(state(&Store::open(&copy).unwrap().db()), now);
    drop(store);
    std::fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn what_is_newer_or_foreign_is_refused_by_name() {
    let m = Memory::default();
    drop(create(&m));
    let text = String::from_utf8(m.read("manifest").unwrap()).unwrap().replace(":format 1", ":format 9");
    let body = &text[..text.rfind(";crc").unwrap()];
    m.put("manifest", format!("{body};crc32c {:08x}\n", super::crc::crc32c(0, body.as_bytes())).into_bytes());
    assert!(open(&m).message.contains("newer"));
    let m = Memory::default();
    drop(create(&m));
    m.put("log-0000000001", super::log::header(1, 5).to_vec());
    assert!(open(&m).message.contains("another store"));
}
