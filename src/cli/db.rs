//! `yin db`: stores in directories, made, filled, asked and looked after.

use super::Options;
use super::query;
use super::shape::{self, Shape};
use datoms::disk::{Directory, Disk, Store, verify};
use datoms::edn::{Edn, read, read_all};
use datoms::query::{ErrorKind, Input, Options as QueryOptions, Prepared, QueryError};
use datoms::store::{Database, Index, TX0};
use lexopt::prelude::*;
use std::io::{IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const HELP: &str = "\
yin db — databases in directories

usage: yin db create DIR [SCHEMA]         makes a store; SCHEMA is EDN or a file with it
       yin db transact DIR TX…            runs transactions; TX is EDN, a file with one or more, or - for standard input
       yin db query DIR QUERY             answers a query; QUERY is EDN or a file with it
       yin db pull DIR PATTERN ID…        what a pull pattern wants of entities (ids, lookup refs, idents)
       yin db datoms DIR INDEX [PART…]    datoms of :eavt, :aevt, :avet or :vaet that begin with these parts
       yin db history DIR [ID [ATTR]]     every assertion and retraction, oldest first
       yin db explain DIR QUERY           how a query runs: its steps, with expected and real rows
       yin db schema DIR [SCHEMA]         prints the schema, or puts another in its place
       yin db import DIR FILE|-           brings a file into a new or empty store: lines of EDN or JSON as export writes
                                          them, DataScript's printed database or its serialised form
       yin db export DIR [FILE]           all datoms as lines (--format edn|json)
       yin db info DIR                    counts and sizes
       yin db verify DIR                  reads and checks everything; exit 1 if something is wrong
       yin db backup DIR TO               copies a store while it is in use
       yin db compact DIR                 brings the log into columns

options: --format F      table, edn or json
         --in NAME=EDN   gives an input of a query a value; NAME=DIR for an input $NAME: another store
         --rules FILE    rules for a query's %
         --as-of T       the database as it was after transaction T (its id, or 1 for the first)
         --since T       only what was asserted after T and still holds
         --fuel N        stops a query after N rows of work
         --limit N       prints N rows at most
         --schema EDN    for import: the schema, where the file has none

Everything but create, transact, import, schema with a SCHEMA and compact opens the store for reading only, whoever is writing.

exit status: 0 fine, 1 refused or something is wrong, 2 usage or text that cannot be read, 3 the fuel is used up
";

type Failed = (i32, String);
type Done = Result<i32, Failed>;

fn usage(m: impl Into<String>) -> Failed {
    (2, m.into())
}

/// The exit status and report of an error of the store.
fn refused(e: QueryError) -> Failed {
    let class = e.kind.keyword();
    let code = match e.kind {
        ErrorKind::Limit => 3,
        _ if class.starts_with("parser/") || matches!(class, "import/syntax" | "store/missing" | "query/inputs") => 2,
        _ => 1,
    };
    (code, format!("error[{class}]: {}", e.message))
}

/// What the command line asks for.
#[derive(Default)]
struct Asked {
    args: Vec<String>,
    format: Option<String>,
    inputs: Vec<String>,
    rules: Vec<String>,
    as_of: Option<u32>,
    since: Option<u32>,
    fuel: Option<u64>,
    limit: Option<usize>,
    schema: Option<String>,
}

fn transaction(text: &str) -> Result<u32, String> {
    let n: u32 = text.replace('_', "").parse().map_err(|_| format!("a transaction is a number, not {text}"))?;
    Ok(if n < TX0 { TX0 + n } else { n })
}

fn parse(args: &[String]) -> Result<Option<Asked>, String> {
    let mut a = Asked::default();
    let mut p = lexopt::Parser::from_args(args);
    let text = |v: std::ffi::OsString| v.into_string().map_err(|_| "arguments must be UTF-8".to_string());
    while let Some(arg) = p.next().map_err(|e| e.to_string())? {
        let name = match arg {
            Value(v) => {
                a.args.push(text(v)?);
                continue;
            }
            Long("help") | Short('h') => return Ok(None),
            Long(name) => name.to_string(),
            other => return Err(other.unexpected().to_string()),
        };
        let known = ["format", "in", "rules", "as-of", "since", "fuel", "limit", "schema"];
        if !known.contains(&name.as_str()) {
            return Err(format!("no option --{name}"));
        }
        let v = text(p.value().map_err(|e| e.to_string())?)?;
        let number = || v.replace('_', "").parse::<u64>().map_err(|_| format!("--{name} takes a number, not {v}"));
        match name.as_str() {
            "format" => a.format = Some(v),
            "in" => a.inputs.push(v),
            "rules" => a.rules.push(v),
            "as-of" => a.as_of = Some(transaction(&v)?),
            "since" => a.since = Some(transaction(&v)?),
            "fuel" => a.fuel = Some(number()?),
            "limit" => a.limit = Some(usize::try_from(number()?).unwrap_or(usize::MAX)),
            _ => a.schema = Some(v),
        }
    }
    Ok(Some(a))
}

pub fn run(o: &Options) -> i32 {
    let asked = match parse(&o.args) {
        Ok(Some(a)) if !a.args.is_empty() => a,
        Ok(_) => {
            shape::put(HELP);
            return i32::from(o.args.is_empty()) * 2;
        }
        Err(e) => {
            eprintln!("yin: db: {e}\ntry: yin db --help");
            return 2;
        }
    };
    match act(&asked) {
        Ok(code) => code,
        Err((code, message)) if message.starts_with("error[") => {
            eprintln!("{message}");
            code
        }
        Err((code, message)) => {
            eprintln!("yin: db: {message}");
            code
        }
    }
}

fn act(a: &Asked) -> Done {
    let (what, rest) = (a.args[0].as_str(), &a.args[1..]);
    let needs = match what {
        "query" | "explain" | "datoms" | "import" | "backup" | "transact" => 2,
        "pull" => 3,
        "create" | "schema" | "export" | "info" | "verify" | "compact" | "history" => 1,
        _ => return Err(usage(format!("no command {what}; yin db --help lists them"))),
    };
    if rest.len() < needs {
        let line = HELP.lines().find(|l| l.contains(&format!("yin db {what} "))).unwrap_or("").trim_start();
        let line = line.trim_start_matches("usage: ");
        return Err(usage(format!("{what} takes more: {}", line.split("   ").next().unwrap_or(line))));
    }
    let most = match what {
        "pull" | "datoms" | "transact" => usize::MAX,
        "history" => 3,
        "info" | "verify" | "compact" => 1,
        _ => 2,
    };
    if let Some(x) = rest.get(most) {
        return Err(usage(format!("{what} does not take {x}")));
    }
    let (dir, rest) = (Path::new(&rest[0]), &rest[1..]);
    match what {
        "create" => create(dir, rest),
        "transact" => transact(a, dir, rest),
        "query" | "explain" => query(a, dir, &rest[0], what == "explain"),
        "pull" => pull(a, dir, rest),
        "datoms" => datoms(a, dir, rest),
        "history" => history(a, dir, rest),
        "schema" => schema(a, dir, rest),
        "import" => import(a, dir, &rest[0]),
        "export" => export(a, dir, rest),
        "info" => info(a, dir),
        "verify" => check(a, dir),
        "backup" => backup(dir, &rest[0]),
        _ => open(dir)?.compact().map(|()| 0).map_err(refused),
    }
}

/// The text an argument means: that of a file, of standard input, or itself.
fn text_of(arg: &str) -> Result<String, Failed> {
    if arg == "-" {
        let mut s = String::new();
        std::io::stdin().read_to_string(&mut s).map_err(|e| usage(format!("standard input: {e}")))?;
        return Ok(s);
    }
    if Path::new(arg).is_file() {
        return std::fs::read_to_string(arg).map_err(|e| usage(format!("{arg}: {e}")));
    }
    Ok(arg.to_string())
}

fn form_of(arg: &str, what: &str) -> Result<Edn, Failed> {
    read(&text_of(arg)?).map_err(|e| usage(format!("{what}: {e}")))
}

fn open(dir: &Path) -> Result<Store, Failed> {
    Store::open(dir).map_err(refused)
}

/// The database that options look at.
fn view(a: &Asked, dir: &Path) -> Result<Database, Failed> {
    let mut db = Store::read_only(dir).map_err(refused)?;
    if let Some(t) = a.as_of {
        db = db.as_of(t);
    }
    if let Some(t) = a.since {
        db = db.since(t);
    }
    Ok(db)
}

fn create(dir: &Path, rest: &[String]) -> Done {
    let schema = rest.first().map_or(Ok(Edn::Nil), |s| form_of(s, "the schema"))?;
    Store::create(dir, &schema).map(|_| 0).map_err(refused)
}

/// The transactions of a text: each vector is one; maps and other items at the top are one together.
fn transactions(text: &str) -> Result<Vec<Edn>, Failed> {
    let forms = read_all(text).map_err(|e| usage(format!("the transaction: {e}")))?;
    let whole = |f: &Edn| f.as_vector().is_some_and(|v| v.first().is_none_or(|x| x.as_keyword().is_none()));
    Ok(if forms.iter().all(whole) { forms } else { vec![Edn::vector(forms)] })
}

fn transact(a: &Asked, dir: &Path, rest: &[String]) -> Done {
    let format = Shape::named(a.format.as_deref(), Shape::Edn)?;
    let mut all = Vec::new();
    for arg in rest {
        all.extend(transactions(&text_of(arg)?)?);
    }
    let store = open(dir)?;
    let progress = all.len() > 1000 && std::io::stderr().is_terminal();
    for (i, tx) in all.iter().enumerate() {
        if progress && i % 1000 == 0 {
            eprint!("\r\x1b[K{i}/{}", all.len());
        }
        let r = store.transact(tx).map_err(|e| {
            let (code, m) = refused(e);
            let before = if i > 0 { format!("\n{i} transactions before it are stored") } else { String::new() };
            (code, m + &before)
        })?;
        let t = r.db_after.max_tx();
        match format {
            Shape::Table => {
                let head = ["e", "a", "v", "t", "added"].map(String::from);
                let changes = r.changes();
                let rows = changes.as_seq().unwrap_or_default().iter().filter_map(|c| c.as_seq().map(<[Edn]>::to_vec));
                shape::put(&shape::table(&head, &rows.collect::<Vec<_>>()));
            }
            _ => {
                let tempids = r.tempids.iter().map(|(k, e)| (k.clone(), Edn::Int((*e).into())));
                let report = Edn::map([
                    (Edn::keyword("tx"), Edn::Int(t.into())),
                    (Edn::keyword("tempids"), Edn::map(tempids)),
                    (Edn::keyword("tx-data"), r.changes()),
                ]);
                shape::put(&shape::value(&report, format));
            }
        }
    }
    if progress {
        eprint!("\r\x1b[K");
    }
    Ok(0)
}

/// The value of an input: a store for a name with `$`, if it names a directory.
enum Given {
    Store(Database),
    Value(Edn),
}

/// A query that gives so many rows at most, if it does not say so itself.
fn limited(form: Edn, limit: Option<usize>) -> Edn {
    let Some(n) = limit.and_then(|n| i64::try_from(n).ok()) else { return form };
    let key = Edn::keyword("limit");
    match &form {
        Edn::Map(m) if form.get(&key).is_none() => Edn::map(m.iter().cloned().chain([(key, Edn::Int(n))])),
        Edn::Vector(items) if !items.contains(&key) => {
            Edn::vector(items.iter().cloned().chain([key, Edn::Int(n)]).collect::<Vec<_>>())
        }
        _ => form,
    }
}

fn query(a: &Asked, dir: &Path, arg: &str, explain: bool) -> Done {
    let format = Shape::named(a.format.as_deref(), Shape::Table)?;
    let form = form_of(arg, "the query")?;
    let mut rules: Vec<Edn> = Vec::new();
    for file in &a.rules {
        let form = form_of(file, file)?;
        rules.extend(form.as_seq().unwrap_or_default().iter().cloned());
    }
    let mut named: Vec<(String, Given)> = Vec::new();
    for i in &a.inputs {
        let (name, v) = i.split_once('=').ok_or_else(|| usage(format!("--in takes NAME=EDN, not {i}")))?;
        let other = Path::new(v);
        if name.starts_with('$') && other.is_dir() {
            named.push((name.to_string(), Given::Store(Store::read_only(other).map_err(refused)?)));
        } else {
            let name = if name.starts_with(['?', '$']) { name.to_string() } else { format!("?{name}") };
            named.push((name.clone(), Given::Value(read(v).map_err(|e| usage(format!("--in {name}: {e}")))?)));
        }
    }
    let form = limited(form, a.limit);
    let db = view(a, dir)?;
    let (form, names) = query::with_section_in(&form, named.iter().map(|(n, _)| n.as_str()), !rules.is_empty());
    let rules = Edn::vector(rules);
    let mut inputs: Vec<Input> = Vec::new();
    for name in &names {
        let text = query::input_name(name);
        inputs.push(match (text.as_str(), named.iter().find(|(n, _)| *n == text)) {
            (_, Some((_, Given::Store(db)))) => Input::Source(db),
            (_, Some((_, Given::Value(v)))) => Input::Value(v.clone()),
            ("$", None) => Input::Source(&db),
            ("%", None) => Input::Value(rules.clone()),
            _ => return Err(usage(format!("the input {name} has no value: --in '{text}=EDN'"))),
        });
    }
    let options = QueryOptions { fuel: a.fuel, explain, ..QueryOptions::default() };
    let prepared = Prepared::of(&form).map_err(refused)?;
    let out = prepared.run(&inputs, &options).map_err(refused)?;
    if explain {
        shape::put(&out.explain());
        return Ok(0);
    }
    shape::put(&query::text(&out, &form, format));
    Ok(0)
}

fn pull(a: &Asked, dir: &Path, rest: &[String]) -> Done {
    let format = Shape::named(a.format.as_deref(), Shape::Edn)?;
    let pattern = form_of(&rest[0], "the pattern")?;
    let ids: Vec<Edn> = rest[1..].iter().map(|id| form_of(id, "the id")).collect::<Result<_, _>>()?;
    let db = view(a, dir)?;
    for v in db.pull_many(&pattern, &ids).map_err(refused)? {
        shape::put(&shape::value(&v, format));
    }
    Ok(0)
}

/// Rows as a table, or one line each.
fn rows(a: &Asked, head: &[&str], mut rows: Vec<Vec<Edn>>) -> Done {
    let format = Shape::named(a.format.as_deref(), Shape::Table)?;
    rows.truncate(a.limit.unwrap_or(usize::MAX));
    match format {
        Shape::Table => shape::put(&shape::table(&head.iter().map(ToString::to_string).collect::<Vec<_>>(), &rows)),
        _ => {
            let text: String = rows.into_iter().map(|r| shape::value(&Edn::vector(r), format)).collect();
            shape::put(&text);
        }
    }
    Ok(0)
}

fn row(e: &Edn) -> Vec<Edn> {
    e.as_seq().map(<[Edn]>::to_vec).unwrap_or_default()
}

fn datoms(a: &Asked, dir: &Path, rest: &[String]) -> Done {
    let name = rest[0].trim_start_matches(':');
    let index = Index::parse(&Edn::keyword(name)).map_err(|e| usage(e.message))?;
    let parts: Vec<Edn> = rest[1..].iter().map(|p| form_of(p, "the part")).collect::<Result<_, _>>()?;
    let db = view(a, dir)?;
    let all = db.datoms(index, &parts).map_err(refused)?;
    rows(a, &["e", "a", "v", "t"], all.iter().map(|d| row(&db.datom_edn(d))).collect())
}

fn history(a: &Asked, dir: &Path, rest: &[String]) -> Done {
    let parts: Vec<Edn> = rest.iter().map(|p| form_of(p, "the id or attribute")).collect::<Result<_, _>>()?;
    let now = view(a, dir)?;
    // A lookup ref means what it finds now.
    let mut parts = parts;
    if let Some(id) = parts.first_mut() {
        *id = Edn::Int(now.entid_strict(id).map_err(refused)?.into());
    }
    let db = now.history();
    let mut all = db.datoms(Index::Eavt, &parts).map_err(refused)?;
    all.sort_by_key(|d| (d.t, d.added()));
    rows(a, &["e", "a", "v", "t", "added"], all.iter().map(|d| row(&db.change_edn(d))).collect())
}

fn schema(a: &Asked, dir: &Path, rest: &[String]) -> Done {
    let format = Shape::named(a.format.as_deref(), Shape::Edn)?;
    if let Some(s) = rest.first() {
        let form = form_of(s, "the schema")?;
        open(dir)?.set_schema(&form).map_err(refused)?;
        return Ok(0);
    }
    shape::put(&shape::value(view(a, dir)?.schema().form(), format));
    Ok(0)
}

fn import(a: &Asked, dir: &Path, file: &str) -> Done {
    if file != "-" && !Path::new(file).is_file() {
        return Err(usage(format!("{file} is no file")));
    }
    let text = text_of(file)?;
    let schema = a.schema.as_ref().map_or(Ok(Edn::Nil), |s| form_of(s, "the schema"))?;
    let start = text.trim_start();
    let db = if start.starts_with("{\"e\"") || a.format.as_deref() == Some("json") {
        Database::read_json_lines(&schema, &text)
    } else if start.starts_with("{\"") {
        Database::from_serializable(&text)
    } else {
        Database::read_edn(&text)
    };
    let mut db = db.map_err(refused)?;
    if !schema.is_nil() {
        db = db.with_schema(&schema).map_err(refused)?;
    }
    let store = match Store::open(dir) {
        Ok(store) => store,
        Err(e) if e.kind.keyword() == "store/missing" => Store::create(dir, db.schema().form()).map_err(refused)?,
        Err(e) => return Err(refused(e)),
    };
    if store.db().is_empty() && store.db().schema().form() != db.schema().form() {
        store.set_schema(db.schema().form()).map_err(refused)?;
    }
    store.load(&db).map_err(refused)?;
    Ok(0)
}

fn export(a: &Asked, dir: &Path, rest: &[String]) -> Done {
    let format = Shape::named(a.format.as_deref(), Shape::Edn)?;
    let db = view(a, dir)?;
    let write = |out: &mut dyn Write| match format {
        Shape::Json => db.write_json_lines(out),
        _ => db.write_edn(out),
    };
    if format == Shape::Table {
        return Err(usage("export has the formats edn and json"));
    }
    match rest.first().filter(|f| *f != "-") {
        Some(file) => {
            let io = |e: std::io::Error| (1, format!("{file}: {e}"));
            // Written beside and renamed: a file of that name is whole, before and after.
            let beside = PathBuf::from(format!("{file}.part"));
            let mut out = std::io::BufWriter::new(std::fs::File::create(&beside).map_err(io)?);
            write(&mut out).and_then(|()| out.flush()).map_err(io)?;
            std::fs::rename(&beside, file).map_err(io)?;
        }
        None => {
            let mut out = std::io::BufWriter::new(std::io::stdout().lock());
            match write(&mut out).and_then(|()| out.flush()) {
                Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => {
                    return Err((1, format!("standard output: {e}")));
                }
                _ => {}
            }
        }
    }
    Ok(0)
}

fn info(a: &Asked, dir: &Path) -> Done {
    let format = Shape::named(a.format.as_deref(), Shape::Table)?;
    let db = view(a, dir)?;
    let mut sizes = [0u64; 2];
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let len = entry.metadata().map_or(0, |m| m.len());
        match name.split('-').next() {
            Some("log") => sizes[0] += len,
            Some("segment") => sizes[1] += len,
            _ => {}
        }
    }
    let n = |x: u64| Edn::Int(i64::try_from(x).unwrap_or(i64::MAX));
    let pairs = [
        ("datoms", n(db.len() as u64)),
        ("attributes", n(db.attributes().len() as u64)),
        ("transactions", n(u64::from(db.max_tx() - TX0))),
        ("max-eid", n(db.max_eid().into())),
        ("max-tx", n(db.max_tx().into())),
        ("log-bytes", n(sizes[0])),
        ("segment-bytes", n(sizes[1])),
    ];
    shape::put(&shape::value(&Edn::map(pairs.map(|(k, v)| (Edn::keyword(k), v))), format));
    Ok(0)
}

fn check(a: &Asked, dir: &Path) -> Done {
    let format = Shape::named(a.format.as_deref(), Shape::Table)?;
    let disk = Directory::read_only(dir).map_err(|e| usage(format!("{}: {e}", dir.display())))?;
    let disk: Arc<dyn Disk> = Arc::new(disk);
    let c = verify(&disk).map_err(refused)?;
    let n = |x: u64| Edn::Int(i64::try_from(x).unwrap_or(i64::MAX));
    let errors: Vec<Edn> = c.errors.iter().map(|e| Edn::string(e.as_str())).collect();
    let pairs = [
        ("facts", n(c.facts)),
        ("past-facts", n(c.past)),
        ("values", n(c.values)),
        ("transactions-in-log", n(c.records)),
        ("torn-bytes", n(c.torn)),
        ("errors", Edn::vector(errors)),
    ];
    shape::put(&shape::value(&Edn::map(pairs.map(|(k, v)| (Edn::keyword(k), v))), format));
    Ok(i32::from(!c.errors.is_empty()))
}

fn backup(dir: &Path, to: &str) -> Done {
    // What is read stays readable: whoever writes may go on.
    let db = Store::read_only(dir).map_err(refused)?;
    let copy = Store::create(Path::new(to), db.schema().form()).map_err(refused)?;
    copy.load(&db).map_err(refused)?;
    Ok(0)
}
