//! The shared Datalog cases: reading them, comparing results, and running them.
//!
//! A file is a JSON array of cases; schema, transactions, arguments and results are EDN inside of strings. [`run`]
//! prints one JSON line a case and a closing line. What executes an operation is a [`Backend`], so that the same cases
//! check the query engine on plain facts and the whole store.

use crate::edn::{Edn, read, write_string};
use crate::query::{Facts, Function, Input, Options, Prepared, QueryError};
use rustc_hash::FxHashMap;
use std::fmt::Write as _;
use std::sync::Arc;

/// A JSON value; only what the files hold.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// Any number.
    Number(f64),
    /// A string.
    Str(String),
    /// An array.
    Array(Vec<Json>),
    /// An object, in the order written.
    Object(Vec<(String, Json)>),
}

impl Json {
    /// Reads one value. Nesting is limited to 100.
    pub fn parse(text: &str) -> Result<Json, String> {
        let mut at = 0;
        let value = parse_json(text, &mut at, 0)?;
        skip(text, &mut at);
        if at == text.len() { Ok(value) } else { Err(format!("text after the end at {at}")) }
    }

    /// A field of an object.
    pub fn get(&self, key: &str) -> Option<&Json> {
        match self {
            Json::Object(fields) => fields.iter().find(|(k, _)| k == key).map(|(_, v)| v),
            _ => None,
        }
    }

    /// The text of a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Json::Str(s) => Some(s),
            _ => None,
        }
    }

    /// The elements of an array; none for anything else.
    pub fn items(&self) -> &[Json] {
        match self {
            Json::Array(v) => v,
            _ => &[],
        }
    }
}

fn skip(text: &str, at: &mut usize) {
    *at += text[*at..].len() - text[*at..].trim_start_matches([' ', '\n', '\r', '\t']).len();
}

fn parse_json(text: &str, at: &mut usize, depth: usize) -> Result<Json, String> {
    skip(text, at);
    let bad = |at: usize| Err(format!("bad JSON at byte {at}"));
    if depth > 100 {
        return Err("JSON nested deeper than 100".into());
    }
    let rest = &text[*at..];
    for (word, value) in [("null", Json::Null), ("true", Json::Bool(true)), ("false", Json::Bool(false))] {
        if rest.starts_with(word) {
            *at += word.len();
            return Ok(value);
        }
    }
    match rest.as_bytes().first() {
        Some(b'"') => {
            // JSON's escapes but `\/` are EDN's.
            let mut end = 1;
            while let Some(b) = rest.as_bytes().get(end)
                && *b != b'"'
            {
                end += if *b == b'\\' { 2 } else { 1 };
            }
            let Some(raw) = rest.get(..=end) else { return bad(*at) };
            *at += end + 1;
            match read(&raw.replace("\\/", "/")) {
                Ok(Edn::Str(s)) => Ok(Json::Str(s.to_string())),
                _ => bad(*at),
            }
        }
        Some(b'[') => {
            *at += 1;
            let mut out = Vec::new();
            loop {
                skip(text, at);
                match text.as_bytes().get(*at) {
                    Some(b']') => {
                        *at += 1;
                        return Ok(Json::Array(out));
                    }
                    Some(b',') if !out.is_empty() => *at += 1,
                    Some(_) if out.is_empty() => {}
                    _ => return bad(*at),
                }
                out.push(parse_json(text, at, depth + 1)?);
            }
        }
        Some(b'{') => {
            *at += 1;
            let mut out = Vec::new();
            loop {
                skip(text, at);
                match text.as_bytes().get(*at) {
                    Some(b'}') => {
                        *at += 1;
                        return Ok(Json::Object(out));
                    }
                    Some(b',') if !out.is_empty() => *at += 1,
                    Some(_) if out.is_empty() => {}
                    _ => return bad(*at),
                }
                let Json::Str(key) = parse_json(text, at, depth + 1)? else { return bad(*at) };
                skip(text, at);
                if text.as_bytes().get(*at) != Some(&b':') {
                    return bad(*at);
                }
                *at += 1;
                out.push((key, parse_json(text, at, depth + 1)?));
            }
        }
        _ => {
            let end = rest.find(|c: char| !matches!(c, '0'..='9' | '+' | '-' | '.' | 'e' | 'E')).unwrap_or(rest.len());
            match rest[..end].parse() {
                Ok(n) => {
                    *at += end;
                    Ok(Json::Number(n))
                }
                Err(_) => bad(*at),
            }
        }
    }
}

/// Why a case's operation failed: a class such as `query/where`, and a message.
pub type Failure = (String, String);

/// What executes the operation of a case.
pub trait Backend {
    /// The result of a case's operation on the database it describes. `None` if the backend does not know the
    /// operation; such a case is not counted.
    fn run(&self, case: &Json) -> Option<Result<Edn, Failure>>;
}

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
pub fn run(text: &str, backend: &dyn Backend) -> Result<Vec<Verdict>, String> {
    let cases = Json::parse(text)?;
    let mut out = Vec::new();
    for case in cases.items() {
        let id = case.get("id").and_then(Json::as_str).unwrap_or("?").to_string();
        let Some(got) = backend.run(case) else { continue };
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
        json_string(&mut id, &v.id);
        json_string(&mut got, &v.got);
        let _ = writeln!(out, "{{\"id\":{id},\"pass\":{},\"got\":{got}}}", v.pass);
    }
    let passed = verdicts.iter().filter(|v| v.pass).count();
    let _ = writeln!(out, "{passed} passed, {} failed", verdicts.len() - passed);
    out
}

fn json_string(out: &mut String, s: &str) {
    let clean: String = s
        .chars()
        .map(|c| if c.is_control() && !matches!(c, '\n' | '\t' | '\r' | '\u{8}' | '\u{c}') { ' ' } else { c })
        .collect();
    let _ = write_string(out, &clean);
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

/// Queries on plain facts: databases are built from the map forms and `:db/add` of the transactions, without any other
/// meaning of transactions. Cases that need more are left to the store's own backend.
pub struct FactsBackend;

impl FactsBackend {
    /// The database of a case or of one of its `dbs`, if its transactions are simple enough.
    fn database(case: &Json) -> Option<Facts> {
        let schema = case.get("schema").and_then(Json::as_str).and_then(|s| read(s).ok()).unwrap_or(Edn::Nil);
        let trait_of = |a: &Edn, key: &str| schema.get(a).and_then(|t| t.get_kw(key)).cloned();
        let is = |a: &Edn, key: &str, value: &str| trait_of(a, key) == Some(Edn::keyword(value));
        let mut facts: Vec<(u32, Edn, Edn)> = Vec::new();
        fn put(facts: &mut Vec<(u32, Edn, Edn)>, e: u32, a: &Edn, v: &Edn, many: bool) {
            if !many {
                facts.retain(|(x, b, _)| *x != e || b != a);
            }
            facts.push((e, a.clone(), v.clone()));
        }
        for tx in case.get("txs").map(Json::items).unwrap_or(&[]) {
            let tx = read(tx.as_str()?).ok()?;
            let mut items: Vec<Edn> = tx.as_seq()?.iter().rev().cloned().collect();
            while let Some(item) = items.pop() {
                if let Some(pairs) = item.as_map() {
                    let e = u32::try_from(item.get_kw("db/id")?.as_int()?).ok()?;
                    for (a, v) in pairs {
                        if a.as_keyword().is_some_and(|k| k.as_str() == "db/id") {
                            continue;
                        }
                        let many = is(a, "db/cardinality", "db.cardinality/many");
                        let is_ref = is(a, "db/valueType", "db.type/ref");
                        let values: Vec<Edn> = match v.as_coll() {
                            Some(vs) if many => vs.to_vec(),
                            _ => vec![v.clone()],
                        };
                        for v in values {
                            let v = match (is_ref, v.as_map()) {
                                (true, Some(_)) => {
                                    let id = v.get_kw("db/id")?.clone();
                                    items.push(v.clone());
                                    id
                                }
                                (true, None) => Edn::Int(v.as_int()?),
                                _ => v,
                            };
                            put(&mut facts, e, a, &v, many);
                        }
                    }
                } else {
                    let [op, e, a, v] = item.as_seq()? else { return None };
                    if op.as_keyword()?.as_str() != "db/add" {
                        return None;
                    }
                    let e = u32::try_from(e.as_int()?).ok()?;
                    put(&mut facts, e, a, v, is(a, "db/cardinality", "db.cardinality/many"));
                }
            }
        }
        let mut refs: Vec<String> = Vec::new();
        for (a, _) in schema.as_map().unwrap_or(&[]) {
            if is(a, "db/valueType", "db.type/ref") {
                refs.push(a.as_keyword()?.as_str().to_string());
            }
            if trait_of(a, "db/tupleAttrs").is_some() {
                return None;
            }
        }
        Some(Facts::new(facts, &refs.iter().map(String::as_str).collect::<Vec<_>>()))
    }
}

impl Backend for FactsBackend {
    fn run(&self, case: &Json) -> Option<Result<Edn, Failure>> {
        if case.get("op")?.as_str()? != "q" || ["view", "filter", "via"].iter().any(|k| case.get(k).is_some()) {
            return None;
        }
        let main = Self::database(case)?;
        let mut others: FxHashMap<String, Facts> = FxHashMap::default();
        if let Some(Json::Object(dbs)) = case.get("dbs") {
            for (name, db) in dbs {
                others.insert(name.clone(), Self::database(db)?);
            }
        }
        let args: Vec<Edn> = case.get("args")?.items().iter().map(|a| read(a.as_str()?).ok()).collect::<Option<_>>()?;
        let (query, args) = args.split_first()?;
        if query.to_string().contains("(pull ") {
            return None;
        }
        let mut inputs: Vec<Input> = Vec::new();
        for a in args {
            let name = a.as_keyword().map(|k| (k.namespace(), k.name()));
            inputs.push(match name {
                Some((Some("conf"), "db")) => Input::Source(&main),
                Some((Some("conf.db"), name)) => Input::Source(others.get(name)?),
                Some((Some("conf.fn"), name)) => Input::Function(host_function(name)?),
                _ => Input::Value(a.clone()),
            });
        }
        let result = Prepared::of(query).and_then(|p| p.run(&inputs, &Options::default()));
        Some(match result {
            Ok(out) => Ok(out.to_edn()),
            Err(e) => Err((e.kind.keyword().to_string(), e.message)),
        })
    }
}
