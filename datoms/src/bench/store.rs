//! The workloads of the store itself: writing, reading by index, pulling, and to and from text.

use super::{Data, Fact, Lcg, Line, ids1000, measure, people, text_checksum};
use crate::edn::{Edn, read};
use crate::store::{Database, Datom, Index};

type Answer = (usize, u32);

fn shuffle<T>(list: &mut [T], seed: u32) {
    let mut r = Lcg(seed);
    for i in (1..list.len()).rev() {
        list.swap(i, r.draw(i as u32 + 1) as usize);
    }
}

/// The people in the order in which they are written: five facts each.
fn written() -> Vec<Vec<Fact>> {
    let mut all: Vec<Vec<Fact>> = people(20_000).chunks(5).map(<[Fact]>::to_vec).collect();
    shuffle(&mut all, 7);
    all
}

fn map(facts: &[Fact], id: bool) -> Edn {
    let id = id.then(|| (Edn::keyword("db/id"), Edn::Int(facts[0].0.into())));
    Edn::map(id.into_iter().chain(facts.iter().map(|(_, a, v)| (a.clone(), v.clone()))))
}

fn empty() -> Database {
    Database::empty(&read(super::PEOPLE).unwrap_or(Edn::Nil)).expect("the schema of the workloads is one")
}

fn database_checksum(db: &Database) -> Answer {
    let all = db.datoms(Index::Eavt, &[]).unwrap_or_default();
    let rows = all.iter().map(|d| {
        let a = db.attr_name(d.a).to_string();
        [Edn::Int(d.e.into()), Edn::from(a.trim_start_matches(':')), db.value(d.v)]
    });
    text_checksum(rows)
}

fn transact_all(db: &Database, txs: &[Edn]) -> Database {
    let mut db = db.clone();
    for tx in txs {
        db = db.db_with(tx).expect("a transaction of the workloads is right");
    }
    db
}

fn sum(datoms: &[Datom], of: impl Fn(&Datom) -> u32) -> Answer {
    (datoms.len(), datoms.iter().fold(0, |s, d| s.wrapping_add(of(d))))
}

/// Nodes of a pulled tree and the sum of their ids.
fn tree(v: &Edn) -> Answer {
    let mut found = (0, 0);
    let mut left = vec![v.clone()];
    while let Some(v) = left.pop() {
        if let Some(id) = v.get_kw("id").or_else(|| v.get_kw("db/id")).and_then(Edn::as_int) {
            found = (found.0 + 1, found.1 + id as u32);
        }
        left.extend(v.get_kw("follows").and_then(Edn::as_seq).unwrap_or(&[]).iter().cloned());
    }
    found
}

/// Runs the workloads that are wanted; a wrong answer is named in `wrong`.
pub(super) fn run(wanted: &dyn Fn(&str) -> bool, quick: bool, wrong: &mut Vec<String>, emit: &mut dyn FnMut(&Line)) {
    let mut line = |line: Line, answer: Answer| {
        if (line.count, line.checksum) != answer {
            wrong.push(format!("{}: expected {answer:?}", line.name));
        }
        emit(&line);
    };
    let any = |names: &[&str]| names.iter().any(|n| wanted(n));
    const ALL: Answer = (100_000, 749_781_809);
    if any(&["add-1", "add-5", "add-5-tempid", "add-all", "init", "upsert-5", "retract-5"]) {
        let people = written();
        let start = empty();
        if wanted("add-1") {
            let txs: Vec<Edn> = people
                .iter()
                .flatten()
                .map(|(e, a, v)| {
                    let add = [Edn::keyword("db/add"), Edn::Int((*e).into()), a.clone(), v.clone()];
                    Edn::vector([Edn::vector(add)])
                })
                .collect();
            line(measure("add-1", || transact_all(&start, &txs), database_checksum, quick), ALL);
        }
        let one_each = |id: bool| people.iter().map(|p| Edn::vector([map(p, id)])).collect::<Vec<_>>();
        if wanted("add-5") {
            let txs = one_each(true);
            line(measure("add-5", || transact_all(&start, &txs), database_checksum, quick), ALL);
        }
        if wanted("add-5-tempid") {
            let txs = one_each(false);
            let run = || transact_all(&start, &txs);
            line(measure("add-5-tempid", run, database_checksum, quick), (100_000, 4_102_403_995));
        }
        if wanted("add-all") {
            let tx = [Edn::vector(people.iter().map(|p| map(p, true)).collect::<Vec<_>>())];
            line(measure("add-all", || transact_all(&start, &tx), database_checksum, quick), ALL);
        }
        if wanted("init") {
            let schema = read(super::PEOPLE).unwrap_or(Edn::Nil);
            let facts: Vec<(u32, Edn, Edn, u32)> =
                people.iter().flatten().map(|(e, a, v)| (*e, a.clone(), v.clone(), 0x2000_0001)).collect();
            let run = || Database::from_datoms(&schema, facts.iter().cloned()).expect("the facts are right");
            line(measure("init", run, database_checksum, quick), ALL);
        }
        if wanted("upsert-5") {
            let id = Edn::keyword("id");
            let base: Vec<Edn> = people[..5000]
                .iter()
                .map(|p| {
                    let mut facts = p.clone();
                    facts.push((p[0].0, id.clone(), Edn::Int(p[0].0.into())));
                    map(&facts, true)
                })
                .collect();
            let base = transact_all(&start, &[Edn::vector(base)]);
            let txs: Vec<Edn> = people[..5000]
                .iter()
                .map(|p| {
                    let age = (p[3].2.as_int().unwrap_or(0) + 1) % 100;
                    let pairs = [(id.clone(), Edn::Int(p[0].0.into())), (Edn::keyword("age"), Edn::Int(age))];
                    Edn::vector([Edn::map(pairs)])
                })
                .collect();
            let run = || transact_all(&base, &txs);
            line(measure("upsert-5", run, database_checksum, quick), (30_000, 3_829_290_780));
        }
        if wanted("retract-5") {
            let base = Data::People.database();
            let mut ids: Vec<u32> = (1..=20_000).collect();
            shuffle(&mut ids, 11);
            let txs: Vec<Edn> = ids
                .iter()
                .map(|e| Edn::vector([Edn::vector([Edn::keyword("db.fn/retractEntity"), Edn::Int((*e).into())])]))
                .collect();
            line(measure("retract-5", || transact_all(&base, &txs), database_checksum, quick), (0, 0));
        }
    }
    if any(&["find-datoms", "entity-get", "scan-eavt", "scan-aevt", "index-range", "pull-flat", "freeze", "thaw"]) {
        let db = Data::People.database();
        let last = Edn::keyword("last-name");
        let ids: Vec<Edn> = (9000..=10_999).map(Edn::Int).collect();
        let names = |names: &Vec<Edn>| text_checksum(names.iter().map(|n| [n.clone()]));
        if wanted("find-datoms") {
            let run = || {
                ids.iter()
                    .map(|id| {
                        let found = db.datoms(Index::Eavt, &[id.clone(), last.clone()]).unwrap_or_default();
                        found.first().map_or(Edn::Nil, |d| db.value(d.v))
                    })
                    .collect::<Vec<_>>()
            };
            line(measure("find-datoms", run, names, quick), (2000, 3_426_551_795));
        }
        if wanted("entity-get") {
            let run = || {
                ids.iter()
                    .map(|id| {
                        let e = db.entity(id).ok().flatten();
                        e.and_then(|e| e.get(&last)).map_or(Edn::Nil, |v| v.to_edn())
                    })
                    .collect::<Vec<_>>()
            };
            line(measure("entity-get", run, names, quick), (2000, 3_426_551_795));
        }
        if wanted("scan-eavt") {
            let run = || sum(&db.datoms(Index::Eavt, &[]).unwrap_or_default(), |d| d.e);
            line(measure("scan-eavt", run, |s| *s, quick), (100_000, 1_000_050_000));
        }
        if wanted("scan-aevt") {
            let salary = [Edn::keyword("salary")];
            let of = |d: &Datom| d.v.as_int().unwrap_or(0) as u32;
            let run = || sum(&db.datoms(Index::Aevt, &salary).unwrap_or_default(), of);
            line(measure("scan-aevt", run, |s| *s, quick), (20_000, 1_006_292_812));
        }
        if wanted("index-range") {
            let indexed = read("{:age {:db/index true} :salary {:db/index true}}").unwrap_or(Edn::Nil);
            let db = db.with_schema(&indexed).expect("the schema is one");
            let age = Edn::keyword("age");
            let run = || sum(&db.index_range(&age, &Edn::Int(18), &Edn::Int(30)).unwrap_or_default(), |d| d.e);
            line(measure("index-range", run, |s| *s, quick), (2606, 26_586_852));
        }
        if wanted("pull-flat") {
            let pattern = read("[:name :age]").unwrap_or(Edn::Nil);
            let ids: Vec<Edn> = ids1000().into_iter().map(|i| Edn::Int(i.into())).collect();
            let run = || db.pull_many(&pattern, &ids).unwrap_or_default();
            let check = |rows: &Vec<Edn>| {
                let at = |r: &Edn, k: &str| r.get_kw(k).cloned().unwrap_or(Edn::Nil);
                text_checksum(rows.iter().map(|r| [at(r, "name"), at(r, "age")]))
            };
            line(measure("pull-flat", run, check, quick), (1000, 676_273_536));
        }
        if wanted("freeze") {
            // The length is that of our own text.
            let run = || db.to_serializable();
            let length = run().len();
            line(measure("freeze", run, |s| (s.len(), 0), quick), (length, 0));
        }
        if wanted("thaw") {
            let text = db.to_serializable();
            let run = || Database::from_serializable(&text).expect("the text was just made");
            line(measure("thaw", run, database_checksum, quick), ALL);
        }
    }
    let pulls = [
        ("pull-one", "[:id :name {:follows ...}]"),
        ("pull-many", "[:db/id :last-name :alias :sex :age :salary {:follows ...}]"),
        ("pull-wildcard", "[* {:follows ...}]"),
    ];
    for (name, pattern) in pulls {
        if wanted(name) {
            let db = Data::Wide(4, 5).database();
            let pattern = read(pattern).unwrap_or(Edn::Nil);
            let run = || db.pull(&pattern, &Edn::Int(1)).unwrap_or(Edn::Nil);
            line(measure(name, run, tree, quick), (781, 609_961));
        }
    }
}
