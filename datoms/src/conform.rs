//! The shared Datalog cases: reading them, comparing results, and running them.
//!
//! A file is a JSON array of cases; schema, transactions, arguments and results are EDN inside of strings. [`run`]
//! gives a verdict on each, [`report`] prints one JSON line a case and a closing line.

use crate::edn::{Edn, read};
use crate::json::{Json, write_json_string};
use crate::query::{ErrorKind, Function, Input, Options, Prepared, QueryError};
use crate::store::{Attr, Conn, Database, Datom, Entity, Filter, Index, Report, TX0, TxFunctions, TxOptions};
use rustc_hash::FxHashMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

/// Why a case's operation failed: a class such as `query/where`, and a message.
pub type Failure = (String, String);

/// The verdict on one case.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The case.
    pub id: String,
    /// Whether it passed.
    pub pass: bool,
    /// What came of it, as text.
    pub got: String,
}

/// Runs all cases of a file. The text holds a JSON array.
pub fn run(text: &str) -> Result<Vec<Verdict>, String> {
    let cases = Json::parse(text)?;
    let mut out = Vec::new();
    for case in cases.items() {
        let id = case.get("id").and_then(Json::as_str).unwrap_or("?").to_string();
        let got = operation(case).map_err(failure);
        let pass = passes(case, &got);
        let got = match got {
            Ok(v) => v.to_string(),
            Err((class, message)) => format!("error :{class} {message}"),
        };
        out.push(Verdict { id, pass, got });
    }
    Ok(out)
}

/// The verdicts as lines of JSON, and the closing line.
pub fn report(verdicts: &[Verdict]) -> String {
    let mut out = String::new();
    for v in verdicts {
        let (mut id, mut got) = (String::new(), String::new());
        write_json_string(&mut id, &v.id);
        write_json_string(&mut got, &v.got);
        let _ = writeln!(out, "{{\"id\":{id},\"pass\":{},\"got\":{got}}}", v.pass);
    }
    let passed = verdicts.iter().filter(|v| v.pass).count();
    let _ = writeln!(out, "{passed} passed, {} failed", verdicts.len() - passed);
    out
}

/// Whether a result is what a case expects, or one of its alternatives.
pub fn passes(case: &Json, got: &Result<Edn, Failure>) -> bool {
    let bag = case.get("cmp").and_then(Json::as_str) == Some("bag");
    let alts = case.get("alts").map(Json::items).unwrap_or(&[]);
    let matches = |text: &str, got: &Edn| read(text).is_ok_and(|want| equal(&want, got, bag));
    match got {
        Ok(v) => {
            case.get("expect").and_then(Json::as_str).is_some_and(|e| matches(e, v))
                || alts.iter().filter_map(Json::as_str).any(|a| a != ":error" && matches(a, v))
        }
        Err((class, _)) => {
            alts.iter().any(|a| a.as_str() == Some(":error"))
                || case
                    .get("error")
                    .and_then(Json::as_str)
                    .is_some_and(|want| want.trim_start_matches(':') == class || want == ":error")
        }
    }
}

fn equal(want: &Edn, got: &Edn, bag: bool) -> bool {
    match (bag, want.as_coll(), got.as_coll()) {
        (true, Some(a), Some(b)) => {
            let sort = |v: &[Edn]| {
                let mut v = v.to_vec();
                v.sort();
                v
            };
            sort(a) == sort(b)
        }
        _ => want == got,
    }
}

/// The host functions that cases name `:conf.fn/…`, as far as queries call them.
pub fn host_function(name: &str) -> Option<Arc<dyn Function>> {
    type F = fn(&[Edn]) -> Result<Edn, QueryError>;
    fn n(a: &[Edn], i: usize) -> i64 {
        a.get(i).and_then(Edn::as_int).unwrap_or(0)
    }
    fn ints(v: Option<&Edn>) -> Vec<i64> {
        v.and_then(Edn::as_coll).unwrap_or(&[]).iter().filter_map(Edn::as_int).collect()
    }
    let f: F = match name {
        "even" => |a| Ok(Edn::Bool(n(a, 0) % 2 == 0)),
        "add2" => |a| Ok(Edn::Int(n(a, 0) + 2)),
        "half-even" => |a| Ok(if n(a, 0) % 2 == 0 { Edn::Int(n(a, 0) / 2) } else { Edn::Nil }),
        "pair" => |a| Ok(Edn::vector([Edn::Int(n(a, 0)), Edn::Int(n(a, 0) * n(a, 0))])),
        "next3" => |a| Ok(Edn::vector((0..3).map(|i| Edn::Int(n(a, 0) + i)).collect::<Vec<_>>())),
        "sum-sq" => |a| Ok(Edn::Int(ints(a.last()).iter().map(|x| x * x).sum())),
        "last-sorted" => {
            |a| Ok(a.last().and_then(Edn::as_coll).and_then(|v| v.iter().max().cloned()).unwrap_or(Edn::Nil))
        }
        "add-scaled" => |a| Ok(Edn::Int(n(a, 0) * ints(a.last()).iter().sum::<i64>())),
        _ => return None,
    };
    Some(Arc::new(f))
}

fn failure(e: QueryError) -> Failure {
    (e.kind.keyword().to_string(), e.message)
}

fn edn(text: &str) -> Result<Edn, QueryError> {
    read(text).map_err(|e| QueryError::new(ErrorKind::Other("case"), e.to_string()))
}

fn field<'c>(case: &'c Json, key: &str) -> Option<&'c str> {
    case.get(key).and_then(Json::as_str)
}

/// The transaction functions of the cases.
fn tx_functions() -> TxFunctions {
    let name = |n: &str| Edn::keyword(&format!("conf.fn/{n}"));
    let mut out = TxFunctions::default();
    out.add(name("tx-inc"), |db: &Database, args: &[Edn]| {
        let [e, a] = args else { return Ok(Edn::Nil) };
        let now = db.datoms(Index::Eavt, args)?.first().map_or(Some(0), |d| db.value(d.v).as_int()).unwrap_or(0);
        let add = [Edn::keyword("db/add"), e.clone(), a.clone(), Edn::Int(now + 1)];
        Ok(Edn::vector([Edn::vector(add)]))
    });
    out.add(name("tx-two"), |_: &Database, args: &[Edn]| {
        let [a, x, y] = args else { return Ok(Edn::Nil) };
        let one = |v: &Edn| Edn::map([(a.clone(), v.clone())]);
        Ok(Edn::vector([one(x), one(y)]))
    });
    out.add(name("tx-none"), |_: &Database, _: &[Edn]| Ok(Edn::vector([])));
    out
}

/// The filters of the cases.
fn filter_of(name: &str) -> Option<Filter> {
    let age = |db: &Database| db.attr_id(&Edn::keyword("p/age"));
    Some(match name {
        "flt-no-age" => Arc::new(move |db: &Database, d: &Datom| Some(d.a) != age(db)),
        "flt-odd-e" => Arc::new(|_: &Database, d: &Datom| d.e % 2 == 1),
        "flt-adult" => Arc::new(|db: &Database, d: &Datom| {
            let ages = db.datoms(Index::Eavt, &[Edn::Int(d.e.into()), Edn::keyword("p/age")]).unwrap_or_default();
            ages.first().is_none_or(|a| db.value(a.v).as_int().is_some_and(|x| x >= 18))
        }),
        _ => return None,
    })
}

/// A database with some transactions.
fn build(case: &Json) -> Result<Database, QueryError> {
    let functions = tx_functions();
    let meta = field(case, "tx_meta").map_or(Ok(Edn::Nil), edn)?;
    let options = TxOptions { functions: Some(&functions), meta, ..TxOptions::default() };
    let schema = field(case, "schema").map_or(Ok(Edn::Nil), edn)?;
    let mut db = Database::empty(&schema)?;
    for tx in case.get("txs").map(Json::items).unwrap_or(&[]) {
        db = db.transact(&edn(tx.as_str().unwrap_or("nil"))?, &options)?.db_after;
    }
    Ok(db)
}

/// The database of a case, brought through everything that the case says.
fn database(case: &Json) -> Result<Database, QueryError> {
    let mut db = build(case)?;
    match field(case, "via") {
        Some("serializable") => db = Database::from_serializable(&db.to_serializable())?,
        Some("reader") => db = Database::from_literal(&edn(&db.to_literal())?)?,
        Some("init-db") => {
            let all = db.datoms(Index::Eavt, &[])?;
            let facts = all.iter().map(|d| (d.e, db.attr_name(d.a).clone(), db.value(d.v), d.t));
            db = Database::from_datoms(db.schema().form(), facts)?;
        }
        _ => {}
    }
    if let Some(view) = case.get("view") {
        let tx = |key: &str| view.get(key).and_then(Json::as_int).map(|n| TX0 + n as u32);
        if let Some(t) = tx("as_of") {
            db = db.as_of(t);
        }
        if let Some(t) = tx("since") {
            db = db.since(t);
        }
        if view.get("history") == Some(&Json::Bool(true)) {
            db = db.history();
        }
    }
    for f in case.get("filter").map(Json::items).unwrap_or(&[]) {
        if let Some(keep) = f.as_str().and_then(|f| filter_of(f.trim_start_matches(":conf.fn/"))) {
            db = db.filter(keep);
        }
    }
    Ok(db)
}

fn rows(db: &Database, datoms: &[Datom], shape: fn(&Database, &Datom) -> Edn) -> Edn {
    Edn::vector(datoms.iter().map(|d| shape(db, d)).collect::<Vec<_>>())
}

fn fact(db: &Database, d: &Datom) -> Edn {
    Edn::vector([Edn::Int(d.e.into()), db.attr_name(d.a).clone(), db.value(d.v)])
}

fn report_edn(report: &Report) -> Edn {
    let tempids = Edn::map(report.tempids.iter().map(|(k, e)| (k.clone(), Edn::Int((*e).into()))));
    Edn::map([(Edn::keyword("tx-data"), report.changes()), (Edn::keyword("tempids"), tempids)])
}

fn entity_keys(entity: Option<Entity>, keys: &[Edn]) -> Edn {
    let Some(entity) = entity else { return Edn::Nil };
    let Some((key, rest)) = keys.split_first() else { return entity.touch() };
    match entity.get(key) {
        Some(Attr::Ref(next)) if !rest.is_empty() => entity_keys(Some(next), rest),
        Some(found) => found.to_edn(),
        None => Edn::Nil,
    }
}

fn query(case: &Json, db: &Database, args: &[Edn]) -> Result<Edn, QueryError> {
    let mut others: FxHashMap<String, Database> = FxHashMap::default();
    if let Some(Json::Object(dbs)) = case.get("dbs") {
        for (name, db) in dbs {
            others.insert(name.clone(), build(db)?);
        }
    }
    let (query, args) = args.split_first().ok_or_else(|| QueryError::new(ErrorKind::Inputs, "A query is missing"))?;
    let mut inputs: Vec<Input> = Vec::new();
    for a in args {
        let name = a.as_keyword().map(|k| (k.namespace(), k.name()));
        inputs.push(match name {
            Some((Some("conf"), "db")) => Input::Source(db),
            Some((Some("conf.db"), name)) => match others.get(name) {
                Some(db) => Input::Source(db),
                None => Input::Value(a.clone()),
            },
            Some((Some("conf.fn"), name)) => match host_function(name) {
                Some(f) => Input::Function(f),
                None => Input::Value(a.clone()),
            },
            _ => Input::Value(a.clone()),
        });
    }
    Ok(Prepared::of(query)?.run(&inputs, &Options::default())?.to_edn())
}

fn operation(case: &Json) -> Result<Edn, QueryError> {
    let op = field(case, "op").unwrap_or("");
    let args: Vec<Edn> = case
        .get("args")
        .map(Json::items)
        .unwrap_or(&[])
        .iter()
        .map(|a| edn(a.as_str().unwrap_or("")))
        .collect::<Result<_, _>>()?;
    let arg = |i: usize| args.get(i).cloned().unwrap_or(Edn::Nil);
    let int = |i: u32| Edn::Int(i.into());
    match op {
        "empty-db" => return Database::empty(&arg(0)).map(|_| Edn::keyword("ok")),
        "listen" => return listen(case),
        _ => {}
    }
    let db = database(case)?;
    let index = || Index::parse(&arg(0));
    let rest = args.get(1..).unwrap_or(&[]);
    Ok(match op {
        "schema" => db.schema().form().clone(),
        "db" => rows(&db, &db.datoms(Index::Eavt, &[])?, Database::datom_edn),
        "max" => Edn::map([(Edn::keyword("max-eid"), int(db.max_eid())), (Edn::keyword("max-tx"), int(db.max_tx()))]),
        "q" => query(case, &db, &args)?,
        "pull" => db.pull(&arg(0), &arg(1))?,
        "pull-many" => Edn::vector(db.pull_many(&arg(0), arg(1).as_coll().unwrap_or(&[]))?),
        "datoms" => rows(&db, &db.datoms(index()?, rest)?, fact),
        "datoms-tx" => rows(&db, &db.datoms(index()?, rest)?, Database::datom_edn),
        "seek-datoms" => rows(&db, &db.seek_datoms(index()?, rest)?, fact),
        "rseek-datoms" => rows(&db, &db.rseek_datoms(index()?, rest)?, fact),
        "index-range" => rows(&db, &db.index_range(&arg(0), &arg(1), &arg(2))?, fact),
        "find-datom" => db.datoms(index()?, rest)?.first().map_or(Edn::Nil, |d| fact(&db, d)),
        "entid" => db.entid(&arg(0))?.map_or(Edn::Nil, int),
        "entity" => entity_keys(db.entity(&arg(0))?, rest),
        "entity-keys" => db.entity(&arg(0))?.map_or(Edn::Nil, |e| Edn::set(e.keys())),
        "with" => {
            let functions = tx_functions();
            report_edn(&db.transact(&arg(0), &TxOptions { functions: Some(&functions), ..TxOptions::default() })?)
        }
        "history" => rows(&db, &db.history().datoms(Index::Eavt, &[])?, Database::change_edn),
        _ => return Err(QueryError::new(ErrorKind::Other("case"), format!("No operation {op}"))),
    })
}

fn listen(case: &Json) -> Result<Edn, QueryError> {
    let schema = field(case, "schema").map_or(Ok(Edn::Nil), edn)?;
    let meta = field(case, "tx_meta").map_or(Ok(Edn::Nil), edn)?;
    let conn = Conn::new(Database::empty(&schema)?);
    let calls: Arc<Mutex<Vec<Edn>>> = Arc::default();
    let heard = calls.clone();
    let key = conn.listen(
        None,
        Arc::new(move |r: &Report| {
            if let Ok(mut calls) = heard.lock() {
                calls.push(Edn::vector([r.changes(), r.tx_meta.clone()]));
            }
        }),
    );
    let functions = tx_functions();
    let options = TxOptions { functions: Some(&functions), meta, ..TxOptions::default() };
    for tx in case.get("txs").map(Json::items).unwrap_or(&[]) {
        conn.transact(&edn(tx.as_str().unwrap_or("nil"))?, &options)?;
    }
    conn.unlisten(&key);
    conn.transact(&edn("[[:db/add 1 :after \"x\"]]")?, &options)?;
    let calls = calls.lock().map(|c| c.clone()).unwrap_or_default();
    // A call is the changes one after another, then what was passed along.
    let flat = calls.iter().map(|c| {
        let parts = c.as_seq().unwrap_or(&[]);
        let mut out: Vec<Edn> = parts.first().and_then(Edn::as_seq).unwrap_or(&[]).to_vec();
        out.extend(parts.get(1).cloned());
        Edn::vector(out)
    });
    Ok(Edn::vector(flat.collect::<Vec<_>>()))
}
