//! Primitives over databases and stores, for the Clojure part of the library.

use super::Thing;
use super::calls::{TxCalls, TxRemote, is_stop};
use super::data::{self, Objects, has_object};
use super::query::{Functions, Outcome, reply};
use crate::layout::Kind;
use crate::machine::{ErrKind, Exit, Vm};
use crate::prim::{PrimDef, R, coll, hamt, prim, text, vector};
use crate::value::Value;
use datoms::disk::{Disk, Store};
use datoms::edn::Edn;
use datoms::json::{Json, write_json_string};
use datoms::query::{ErrorKind, QueryError};
use datoms::store::{Attr, Database, Datom, Index, Report, TxFunction, TxFunctions, TxOptions};
use rustc_hash::{FxHashSet, FxHasher};
use std::hash::{Hash, Hasher};
use std::path::Path;
use std::sync::Arc;

fn want_db(vm: &mut Vm, v: Value) -> R<Database> {
    match vm.database(v) {
        Some(db) => Ok(db),
        None => Err(coll::type_err(vm, v, "a database is needed, not")),
    }
}

fn want_store(vm: &mut Vm, v: Value) -> R<Arc<Store>> {
    match vm.thing(v) {
        Some(Thing::Store(s)) => Ok(s.clone()),
        _ => Err(coll::type_err(vm, v, "an open store is needed, not")),
    }
}

fn fail(vm: &mut Vm, e: QueryError) -> Exit {
    vm.store_error(&Objects::default(), &e)
}

/// Data of a value in which nothing is an object.
fn plain(vm: &mut Vm, v: Value) -> R<Edn> {
    let mut objects = Objects::default();
    let e = data::data(vm, &mut objects, v)?;
    if has_object(&e) {
        return Err(coll::type_err(vm, v, "data is needed, not"));
    }
    Ok(e)
}

fn hold_db(vm: &mut Vm, db: Database) -> Value {
    vm.hold(Thing::Db(db))
}

/// Instances of the type `Datom`, its fields e a v tx added.
fn datom_values(vm: &mut Vm, datom: Value, db: &Database, datoms: &[Datom]) -> Value {
    let none = Objects::default();
    let mut out = Vec::with_capacity(datoms.len());
    for d in datoms {
        let a = data::value(vm, &none, db.attr_name(d.a));
        let v = data::value(vm, &none, &db.value(d.v));
        let words = [datom, vm.int(d.e.into()), a, v, vm.int(d.t.into()), Value::bool(d.added())];
        out.push(vm.alloc(Kind::Instance, &words));
    }
    vector::of(vm, &out)
}

fn keyword_text(vm: &Vm, v: Value) -> &str {
    v.as_keyword().map_or("", |k| vm.names.text(k))
}

fn facts(vm: &mut Vm, v: Value) -> R<Vec<(u32, Edn, Edn, u32)>> {
    let rows = plain(vm, v)?;
    let mut out = Vec::new();
    for row in rows.as_coll().unwrap_or_default() {
        let id = |x: &Edn| x.as_int().and_then(|i| u32::try_from(i).ok());
        let fact = match row.as_seq() {
            Some([e, a, v]) => id(e).map(|e| (e, a.clone(), v.clone(), datoms::store::TX0)),
            Some([e, a, v, t, ..]) => id(e).zip(id(t)).map(|(e, t)| (e, a.clone(), v.clone(), t)),
            _ => None,
        };
        match fact {
            Some(f) => out.push(f),
            None => {
                let message = format!("Not a datom: {row}");
                return Err(fail(vm, QueryError::at(ErrorKind::Other("init-db"), message, row)));
            }
        }
    }
    Ok(out)
}

/// What a transaction is run on.
enum On {
    Db(Database),
    /// A store, if its newest value is still this one.
    Store(Arc<Store>, Database),
}

/// `[true [db-after datoms tempids]]`; `[false [f db args…]]` for a call that is to be made first; `[nil]` if the store has
/// another value by now.
fn transact(vm: &mut Vm, datom: Value, on: On, tx_data: Value, meta: Value, answers: Value) -> R {
    let mut objects = Objects::default();
    let items = data::data(vm, &mut objects, tx_data)?;
    let meta = data::data(vm, &mut objects, meta)?;
    let mut known = Vec::new();
    for a in coll::vector_values(answers) {
        known.push(data::data(vm, &mut objects, a)?);
    }
    vm.replay.finish();
    let calls = TxCalls::new(known);
    let mut functions = TxFunctions::default();
    let remote = calls.clone();
    functions.or_find(move |name| {
        let callable = matches!(name, Edn::Symbol(_)) || has_object(name);
        let f = TxRemote { calls: remote.clone(), function: name.clone() };
        callable.then(|| Arc::new(f) as Arc<dyn TxFunction>)
    });
    let options = TxOptions { functions: Some(&functions), meta, ..TxOptions::default() };
    let report = match &on {
        On::Db(db) => db.transact(&items, &options),
        On::Store(store, db) => {
            let now = store.db();
            if now.max_tx() != db.max_tx() {
                return Ok(vector::of(vm, &[Value::NIL]));
            }
            // Tried first on the value: what cannot be stored must not get to the disk.
            match now.transact(&items, &options) {
                Ok(r) => match objects_in(&r) {
                    Some(e) => Err(e),
                    None => store.transact_with(&items, &options),
                },
                Err(e) => Err(e),
            }
        }
    };
    match report {
        Ok(r) => {
            if let Some(e) = objects_in(&r) {
                return Err(vm.store_error(&objects, &e));
            }
            let datoms = datom_values(vm, datom, &r.db_after, &r.tx_data);
            let mut tempids = Vec::with_capacity(r.tempids.len());
            for (k, e) in &r.tempids {
                tempids.push((data::value(vm, &objects, k), vm.int((*e).into())));
            }
            let tempids = hamt::of(vm, &tempids)?;
            let after = hold_db(vm, r.db_after);
            let parts = vector::of(vm, &[after, datoms, tempids]);
            Ok(vector::of(vm, &[Value::TRUE, parts]))
        }
        Err(e) if is_stop(&e) => {
            let Some(call) = calls.missing() else { return Err(vm.store_error(&objects, &e)) };
            let f = match (&call.function, objects.get(&call.function)) {
                (_, Some(f)) => f,
                (Edn::Symbol(s), None) => match data::named(vm, s.as_str()) {
                    Some(var) => var.get(crate::layout::slot::VAR_ROOT),
                    None => {
                        let message = format!("Unknown transaction function {s}");
                        let e = QueryError::at(ErrorKind::Other("transact/syntax"), message, &call.function);
                        return Err(vm.store_error(&objects, &e));
                    }
                },
                _ => return Err(vm.store_error(&objects, &e)),
            };
            let mut out = vec![f, hold_db(vm, call.db)];
            for a in &call.args {
                out.push(data::value(vm, &objects, a));
            }
            let call = vector::of(vm, &out);
            Ok(vector::of(vm, &[Value::FALSE, call]))
        }
        Err(e) => Err(vm.store_error(&objects, &e)),
    }
}

/// The error for a transaction that would store something that is no data.
fn objects_in(r: &Report) -> Option<QueryError> {
    let d = r.tx_data.iter().find(|d| has_object(&r.db_after.value(d.v)))?;
    let message = format!(
        "A database holds data; the value of {} is a function or another object of the program. \
         Under :db/fn give the qualified symbol of a function",
        r.db_after.attr_name(d.a)
    );
    Some(QueryError::at(ErrorKind::Other("transact/data"), message, &r.db_after.value(d.v)))
}

fn pull(vm: &mut Vm, a: &[Value]) -> R {
    let db = want_db(vm, a[0])?;
    let mut objects = Objects::default();
    let pattern = data::data(vm, &mut objects, a[1])?;
    let mut ids = Vec::new();
    for id in coll::spread(vm, a[2], usize::MAX)? {
        ids.push(data::data(vm, &mut objects, id)?);
    }
    let mut known = Vec::new();
    for x in coll::vector_values(a[3]) {
        known.push(data::data(vm, &mut objects, x)?);
    }
    let pattern = match &pattern {
        Edn::Str(s) => match datoms::edn::read(s) {
            Ok(p) => p,
            Err(e) => return Err(fail(vm, QueryError::new(ErrorKind::ParserPull, e.to_string()))),
        },
        _ => pattern,
    };
    let mut functions = Functions::new(known);
    functions.look(vm, &objects, &pattern);
    let registry = functions.registry(&Arc::default());
    let found = db
        .pull_pattern_with(&pattern, Some(&registry))
        .and_then(|p| ids.iter().map(|id| db.pull_parsed(&p, id)).collect::<Result<Vec<Edn>, _>>())
        .map(Edn::vector);
    let outcome: Outcome = functions.outcome(vm, &objects, found, data::value)?;
    Ok(reply(vm, outcome))
}

/// `(yin.rt/db-datoms Datom db how index components from n)`
fn datoms_of(vm: &mut Vm, a: &[Value]) -> R {
    let db = want_db(vm, a[1])?;
    let index = plain(vm, a[3])?;
    let c = plain(vm, a[4])?;
    let c = c.as_coll().unwrap_or_default();
    let at = |i: usize| c.get(i).cloned().unwrap_or(Edn::Nil);
    let found = match keyword_text(vm, a[2]) {
        "range" => db.index_range(&at(0), &at(1), &at(2)),
        how => Index::parse(&index).and_then(|i| match how {
            "seek" => db.seek_datoms(i, c),
            "rseek" => db.rseek_datoms(i, c),
            _ => db.datoms(i, c),
        }),
    };
    match found {
        Ok(all) => {
            let from = (a[5].as_fix().unwrap_or(0).max(0) as usize).min(all.len());
            let to = from.saturating_add(a[6].as_fix().unwrap_or(i64::MAX).max(0) as usize).min(all.len());
            Ok(datom_values(vm, a[0], &db, &all[from..to]))
        }
        Err(e) => Err(fail(vm, e)),
    }
}

/// `(yin.rt/db-get db e attr)`: nil, or how and what: `[:one v]`, `[:many set]`, `[:ref e]`, `[:refs [e…]]`.
fn get(vm: &mut Vm, a: &[Value]) -> R {
    let db = want_db(vm, a[0])?;
    let name = plain(vm, a[2])?;
    let id = Edn::Int(a[1].as_fix().unwrap_or(-1));
    let none = Objects::default();
    let found = match db.entity(&id) {
        Ok(e) => e.and_then(|e| e.get(&name)),
        Err(e) => return Err(fail(vm, e)),
    };
    let (how, v) = match found {
        None => return Ok(Value::NIL),
        Some(Attr::One(v)) => ("one", data::value(vm, &none, &v)),
        Some(Attr::Many(vs)) => ("many", data::value(vm, &none, &Edn::Set(vs.into()))),
        Some(Attr::Ref(e)) => ("ref", vm.int(e.id().into())),
        Some(Attr::Refs(es)) => {
            let ids: Vec<Value> = es.iter().map(|e| vm.int(e.id().into())).collect();
            ("refs", vector::of(vm, &ids))
        }
    };
    let how = vm.keyword(how);
    Ok(vector::of(vm, &[how, v]))
}

fn info(vm: &mut Vm, a: &[Value]) -> R {
    let db = want_db(vm, a[0])?;
    let none = Objects::default();
    Ok(match keyword_text(vm, a[1]) {
        "schema" => data::value(vm, &none, db.schema().form()),
        "max-eid" => vm.int(db.max_eid().into()),
        "max-tx" => vm.int(db.max_tx().into()),
        "count" => vm.int(db.len() as i64),
        "filtered" => Value::bool(db.is_filtered()),
        "history" => Value::bool(db.is_history()),
        "attributes" => data::value(vm, &none, &Edn::vector(db.attributes())),
        "hash" => {
            let mut h = FxHasher::default();
            db.schema().form().hash(&mut h);
            for d in db.datoms(Index::Eavt, &[]).unwrap_or_default() {
                (d.e, db.attr_name(d.a), db.value(d.v)).hash(&mut h);
            }
            vm.int(i64::from(h.finish() as u32 as i32))
        }
        _ => Value::NIL,
    })
}

fn equal(a: &Database, b: &Database) -> bool {
    if a.is_same(b) {
        return true;
    }
    let rows = |db: &Database| db.datoms(Index::Eavt, &[]).unwrap_or_default();
    let (x, y) = (rows(a), rows(b));
    a.schema().form() == b.schema().form()
        && x.len() == y.len()
        && x.iter().zip(&y).all(|(p, q)| {
            p.e == q.e && p.added() == q.added() && a.attr_name(p.a) == b.attr_name(q.a) && a.value(p.v) == b.value(q.v)
        })
}

/// `(yin.rt/db-view db how t)`
fn view(vm: &mut Vm, a: &[Value]) -> R {
    let db = want_db(vm, a[0])?;
    let t = a[2].as_fix().and_then(|t| u32::try_from(t).ok());
    let seen = match (keyword_text(vm, a[1]), t) {
        ("as-of", Some(t)) => db.as_of(t),
        ("since", Some(t)) => db.since(t),
        ("history", _) => db.history(),
        _ => return Err(coll::type_err(vm, a[2], "a transaction is a number, not")),
    };
    Ok(hold_db(vm, seen))
}

/// `(yin.rt/db-filter db keep)`: `keep` says of each datom of `:eavt`, in order, whether it stays.
fn filter(vm: &mut Vm, a: &[Value]) -> R {
    let db = want_db(vm, a[0])?;
    let keep = coll::vector_values(a[1]);
    let all = db.datoms(Index::Eavt, &[]).map_err(|e| fail(vm, e))?;
    let key = |d: &Datom| (d.e, d.a, d.v, d.t, d.added());
    let kept: FxHashSet<_> = all.iter().zip(&keep).filter(|(_, k)| k.truthy()).map(|(d, _)| key(d)).collect();
    let filtered = db.filter(Arc::new(move |_: &Database, d: &Datom| kept.contains(&key(d))));
    Ok(hold_db(vm, filtered))
}

fn text_of(vm: &mut Vm, a: &[Value]) -> R {
    let db = want_db(vm, a[0])?;
    let mut bytes = Vec::new();
    let written = match keyword_text(vm, a[1]) {
        "serializable" => {
            let form = Json::parse(&db.to_serializable()).map(|j| form_of(&j)).unwrap_or(Edn::Nil);
            return Ok(data::value(vm, &Objects::default(), &form));
        }
        "edn" => db.write_edn(&mut bytes),
        "json" => db.write_json_lines(&mut bytes),
        _ => {
            let s = db.to_literal();
            return Ok(vm.str(&s));
        }
    };
    match written {
        Ok(()) => Ok(vm.str(&String::from_utf8_lossy(&bytes))),
        Err(e) => Err(vm.err(ErrKind::Io, e.to_string())),
    }
}

/// JSON as data: objects are maps with strings as keys.
fn form_of(j: &Json) -> Edn {
    match j {
        Json::Null => Edn::Nil,
        Json::Bool(b) => Edn::Bool(*b),
        Json::Int(i) => Edn::Int(*i),
        Json::Number(n) => Edn::Float(*n),
        Json::Str(s) => Edn::string(s.as_str()),
        Json::Array(items) => Edn::vector(items.iter().map(form_of).collect::<Vec<_>>()),
        Json::Object(fields) => Edn::map(fields.iter().map(|(k, v)| (Edn::string(k.as_str()), form_of(v)))),
    }
}

/// The same back; keys may be keywords by now.
fn write_form(e: &Edn, out: &mut String) {
    use std::fmt::Write;
    let list = |items: &[Edn], out: &mut String| {
        out.push('[');
        for (i, x) in items.iter().enumerate() {
            if i > 0 {
                out.push(',');
            }
            write_form(x, out);
        }
        out.push(']');
    };
    match e {
        Edn::Map(pairs) => {
            out.push('{');
            for (i, (k, v)) in pairs.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                let key = match k {
                    Edn::Keyword(k) => k.as_str(),
                    k => k.as_str().unwrap_or(""),
                };
                write_json_string(out, key);
                out.push(':');
                write_form(v, out);
            }
            out.push('}');
        }
        Edn::Str(s) => write_json_string(out, s),
        Edn::Nil => out.push_str("null"),
        e => match e.as_coll() {
            Some(items) => list(items, out),
            None => {
                let _ = write!(out, "{e}");
            }
        },
    }
}

fn read_text(vm: &mut Vm, a: &[Value]) -> R {
    let db = match keyword_text(vm, a[0]) {
        "serializable" => {
            let form = plain(vm, a[1])?;
            let mut json = String::new();
            match &form {
                Edn::Str(s) => json.push_str(s),
                form => write_form(form, &mut json),
            }
            Database::from_serializable(&json)
        }
        _ => Database::read_edn(text::want_str(vm, a[1])?),
    };
    match db {
        Ok(db) => Ok(hold_db(vm, db)),
        Err(e) => Err(fail(vm, e)),
    }
}

// ---------------------------------------------------------------- stores on disk

fn held_store(vm: &mut Vm, s: Result<Store, QueryError>) -> R {
    match s {
        Ok(s) => Ok(vm.hold(Thing::Store(Arc::new(s)))),
        Err(e) => Err(fail(vm, e)),
    }
}

/// `(yin.rt/store-do store what argument)`
fn store_do(vm: &mut Vm, a: &[Value]) -> R {
    let store = want_store(vm, a[0])?;
    let done = match keyword_text(vm, a[1]) {
        "compact" => store.compact(),
        "backup" => store.backup(Path::new(text::want_str(vm, a[2])?)),
        "schema" => {
            let schema = plain(vm, a[2])?;
            store.set_schema(&schema)
        }
        "load" => {
            let db = want_db(vm, a[2])?;
            store.load(&db)
        }
        _ => Ok(()),
    };
    match done {
        Ok(()) => Ok(Value::NIL),
        Err(e) => Err(fail(vm, e)),
    }
}

fn verify(vm: &mut Vm, a: &[Value]) -> R {
    let path = text::want_str(vm, a[0])?.to_string();
    let disk: Arc<dyn Disk> = match datoms::disk::Directory::read_only(Path::new(&path)) {
        Ok(d) => Arc::new(d),
        Err(e) => return Err(vm.err(ErrKind::Io, format!("{path}: {e}"))),
    };
    match datoms::disk::verify(&disk) {
        Ok(c) => {
            let n = |x: u64| Edn::Int(i64::try_from(x).unwrap_or(i64::MAX));
            let errors = Edn::vector(c.errors.iter().map(|e| Edn::string(e.as_str())).collect::<Vec<_>>());
            let pairs = [
                ("facts", n(c.facts)),
                ("past", n(c.past)),
                ("values", n(c.values)),
                ("log", n(c.records)),
                ("torn-bytes", n(c.torn)),
                ("errors", errors),
            ];
            let form = Edn::map(pairs.map(|(k, v)| (Edn::keyword(k), v)));
            Ok(data::value(vm, &Objects::default(), &form))
        }
        Err(e) => Err(fail(vm, e)),
    }
}

/// Lets go of a store before its object is collected: its lock is free at once.
fn close(vm: &mut Vm, a: &[Value]) -> R {
    if let Some(n) = a[0].as_kind(Kind::Native) {
        let i = n.get(0).fix_get() as usize;
        vm.held.close(i);
    }
    Ok(Value::NIL)
}

macro_rules! fns {
    ($($name:ident |$vm:ident, $a:ident| $e:expr;)*) => {$(
        fn $name($vm: &mut Vm, $a: &[Value]) -> R { $e }
    )*};
}
fns! {
    empty |vm, a| {
        let schema = plain(vm, a[0])?;
        match Database::empty(&schema) { Ok(db) => Ok(hold_db(vm, db)), Err(e) => Err(fail(vm, e)) }
    };
    from_datoms |vm, a| {
        let schema = plain(vm, a[0])?;
        let facts = facts(vm, a[1])?;
        match Database::from_datoms(&schema, facts) { Ok(db) => Ok(hold_db(vm, db)), Err(e) => Err(fail(vm, e)) }
    };
    with_schema |vm, a| {
        let db = want_db(vm, a[0])?;
        let schema = plain(vm, a[1])?;
        match db.with_schema(&schema) { Ok(db) => Ok(hold_db(vm, db)), Err(e) => Err(fail(vm, e)) }
    };
    is_db |vm, a| Ok(Value::bool(vm.database(a[0]).is_some()));
    with |vm, a| { let db = want_db(vm, a[1])?; transact(vm, a[0], On::Db(db), a[2], a[3], a[4]) };
    entid |vm, a| {
        let db = want_db(vm, a[0])?;
        let id = plain(vm, a[1])?;
        match db.entid(&id) { Ok(e) => Ok(e.map_or(Value::NIL, |e| vm.int(e.into()))), Err(e) => Err(fail(vm, e)) }
    };
    entity |vm, a| {
        let db = want_db(vm, a[0])?;
        let id = plain(vm, a[1])?;
        match db.entity(&id) { Ok(e) => Ok(e.map_or(Value::NIL, |e| vm.int(e.id().into()))), Err(e) => Err(fail(vm, e)) }
    };
    keys |vm, a| {
        let db = want_db(vm, a[0])?;
        let keys = match db.entity(&Edn::Int(a[1].as_fix().unwrap_or(-1))) { Ok(e) => e.map_or(Vec::new(), |e| e.keys()), Err(e) => return Err(fail(vm, e)) };
        Ok(data::value(vm, &Objects::default(), &Edn::vector(keys)))
    };
    same |vm, a| { let (x, y) = (want_db(vm, a[0])?, want_db(vm, a[1])?); Ok(Value::bool(x.is_same(&y))) };
    equal_p |vm, a| { let (x, y) = (want_db(vm, a[0])?, want_db(vm, a[1])?); Ok(Value::bool(equal(&x, &y))) };
    store_open |vm, a| { let p = text::want_str(vm, a[0])?; let s = Store::open(Path::new(p)); held_store(vm, s) };
    store_create |vm, a| { let schema = plain(vm, a[1])?; let p = text::want_str(vm, a[0])?; let s = Store::create(Path::new(p), &schema); held_store(vm, s) };
    store_read |vm, a| { let p = text::want_str(vm, a[0])?; match Store::read_only(Path::new(p)) { Ok(db) => Ok(hold_db(vm, db)), Err(e) => Err(fail(vm, e)) } };
    store_db |vm, a| { let s = want_store(vm, a[0])?; Ok(hold_db(vm, s.db())) };
    store_with |vm, a| { let s = want_store(vm, a[1])?; let db = want_db(vm, a[5])?; transact(vm, a[0], On::Store(s, db), a[2], a[3], a[4]) };
    rules |vm, _a| Ok(data::value(vm, &Objects::default(), &crate::inspect::library::Rules::library().value()));
}

macro_rules! rows {
    ($($name:literal $n:tt $f:ident $doc:literal;)*) => { &[$(prim($name, $n, $n, 0, $f, $doc),)*] };
}
pub const TABLE: &[PrimDef] = rows! {
    "yin.rt/db-empty" 1 empty "An empty database of a schema.";
    "yin.rt/db-from" 2 from_datoms "A database of a schema and datoms.";
    "yin.rt/db-with-schema" 2 with_schema "The database under another schema.";
    "yin.rt/db?" 1 is_db "Is it a database?";
    "yin.rt/db-with" 5 with "(Datom db tx-data meta answers) → [true [db-after datoms tempids]] or [false [f db args…]].";
    "yin.rt/db-pull" 4 pull "(db pattern ids answers) → [true maps] or [false calls to be made].";
    "yin.rt/db-datoms" 7 datoms_of "(Datom db how index components from n): datoms of an index.";
    "yin.rt/db-get" 3 get "What an entity has under an attribute: nil or [how what].";
    "yin.rt/db-keys" 2 keys "The attributes of an entity.";
    "yin.rt/db-entid" 2 entid "The entity of a number, lookup ref or ident, or nil.";
    "yin.rt/db-entity" 2 entity "The same, nil also if nothing is known of it.";
    "yin.rt/db-info" 2 info "A property of a database.";
    "yin.rt/db-same?" 2 same "Are they the same value?";
    "yin.rt/db-equal?" 2 equal_p "Have they the same schema and datoms?";
    "yin.rt/db-view" 3 view "The database :as-of or :since a transaction, or its :history.";
    "yin.rt/db-filter" 2 filter "The database with only the datoms that a vector of truth values keeps.";
    "yin.rt/db-text" 2 text_of "A database as text: :literal, :serializable, :edn, :json.";
    "yin.rt/db-read" 2 read_text "The database of such a text.";
    "yin.rt/store-open" 1 store_open "Opens the store in a directory.";
    "yin.rt/store-create" 2 store_create "Makes a store in a directory.";
    "yin.rt/store-read" 1 store_read "The database of the store in a directory, read only.";
    "yin.rt/store-db" 1 store_db "The newest database of a store.";
    "yin.rt/store-with" 6 store_with "(Datom store tx-data meta answers db): as db-with, to disk; [nil] if db is no longer the newest.";
    "yin.rt/store-do" 3 store_do "Compacts, backs up, loads, changes the schema.";
    "yin.rt/store-verify" 1 verify "What verification of a directory finds.";
    "yin.rt/store-close" 1 close "Closes a store.";
    "yin.db/rules" 0 rules "The library of rules for queries about programs, to be passed as `%`.";
};
