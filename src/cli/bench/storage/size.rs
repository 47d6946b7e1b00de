//! Sizes of the same nodes in several forms, and the time it takes to make each.

use super::super::table::{Table, kib, ms};
use super::build::Builder;
use super::{javascript, python};
use datoms::edn::Edn;
use datoms::store::{Database, TX0};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use yin_ast::{Ast, Kind, NodeId};

/// Suffixes of sources.
const SUFFIXES: &[&str] = &["py", "js", "mjs", "cjs", "jsx", "ts", "tsx"];
/// Larger files are left out, and counted.
const MOST_BYTES: u64 = 16 << 20;

/// What was found under a path.
#[derive(Default)]
struct Measured {
    path: String,
    files: usize,
    /// Not UTF-8, too large, or the parser complained: those it complained of are measured all the same.
    skipped: usize,
    faulty: usize,
    source_bytes: usize,
    nodes: usize,
    syntax: usize,
    edges: usize,
    literal_bytes: usize,
    columns_bytes: usize,
    boxed_bytes: usize,
    compact_bytes: usize,
    datoms: usize,
    datascript_bytes: usize,
    /// Datoms given to the store, bytes of its columns, of an index by value of all of them.
    stored: usize,
    stored_bytes: usize,
    parse: Duration,
    columns: Duration,
    boxed: Duration,
    facts: Duration,
    store: Duration,
}

pub fn run(args: &[String]) -> i32 {
    let (mut format, mut paths) = ("table".to_string(), Vec::new());
    let mut args = args.iter();
    while let Some(a) = args.next() {
        match a.as_str() {
            "--format" => format = args.next().cloned().unwrap_or_default(),
            o if o.starts_with("--") => {
                eprintln!("yin: bench storage has no option {o}");
                return 2;
            }
            path => paths.push(PathBuf::from(path)),
        }
    }
    if !["table", "markdown", "json"].contains(&&*format) {
        eprintln!("yin: bench storage has the formats table, markdown, json, not {format}");
        return 2;
    }
    let mut all = Vec::new();
    for p in &paths {
        match measure(p) {
            Ok(m) => all.push(m),
            Err(e) => {
                eprintln!("yin: {e}");
                return 2;
            }
        }
    }
    match &*format {
        "json" => all.iter().for_each(|m| super::super::super::print(&format!("{}\n", json(m)))),
        "markdown" => super::super::super::print(&table(&all).markdown()),
        _ => super::super::super::print(&table(&all).text()),
    }
    0
}

/// The sources under a path, in order of names. Links are not followed: they may lead in circles.
fn sources(path: &Path, found: &mut Vec<PathBuf>) -> Result<(), String> {
    let at = |e: std::io::Error| format!("{}: {e}", path.display());
    let meta = std::fs::symlink_metadata(path).map_err(at)?;
    if meta.is_file() && path.extension().is_some_and(|e| SUFFIXES.iter().any(|s| e == *s)) {
        found.push(path.into());
    } else if meta.is_dir() {
        let mut inside = std::fs::read_dir(path)
            .map_err(at)?
            .map(|e| e.map(|e| e.path()))
            .collect::<Result<Vec<_>, _>>()
            .map_err(at)?;
        inside.sort();
        inside.iter().try_for_each(|p| sources(p, found))?;
    }
    Ok(())
}

fn measure(path: &Path) -> Result<Measured, String> {
    let mut files = Vec::new();
    sources(&path.canonicalize().map_err(|e| format!("{}: {e}", path.display()))?, &mut files)?;
    if files.is_empty() {
        return Err(format!("{}: no sources of Python or JavaScript", path.display()));
    }
    let mut m = Measured {
        path: path.file_name().map_or("sources".into(), |n| n.to_string_lossy().into()),
        ..Measured::default()
    };
    let mut b = Builder::new();
    for f in &files {
        let small = std::fs::metadata(f).is_ok_and(|m| m.len() <= MOST_BYTES);
        let Some(text) = small.then(|| std::fs::read_to_string(f).ok()).flatten() else {
            m.skipped += 1;
            continue;
        };
        m.files += 1;
        m.source_bytes += text.len();
        b.file = b.ast.add_file(&f.to_string_lossy(), "");
        let is_python = f.extension().is_some_and(|e| e == "py");
        let (parse, columns, fine) =
            if is_python { python::file(&text, &mut b) } else { javascript::file(f, &text, &mut b) };
        m.parse += parse;
        m.columns += columns;
        m.faulty += usize::from(!fine);
    }
    let ast = b.ast;
    m.nodes = ast.len();
    m.syntax = ast.ids().filter(|id| ast.kind(*id) == Kind::Syntax).count();
    m.edges = ast.ids().map(|id| ast.children(id).len()).sum();
    m.literal_bytes = ast.ids().filter_map(|id| ast.value(id)).map(text_bytes).sum();
    m.columns_bytes = ast.size_bytes() + m.literal_bytes;
    trees(&ast, &mut m);
    datoms(&ast, &mut m);
    store(&ast, &mut m)?;
    Ok(m)
}

/// What the allocator takes for so many bytes: eight of its own, multiples of 16, at least 32 (glibc).
fn allocated(bytes: usize) -> usize {
    if bytes == 0 { 0 } else { ((bytes + 8).div_ceil(16) * 16).max(32) }
}

/// Text of a literal that lies outside of it.
fn text_bytes(v: &Edn) -> usize {
    match v {
        // Two counts before the text.
        Edn::Str(s) => allocated(16 + s.len()),
        _ => 0,
    }
}

/// A tree as a compiler in Rust would have it, one allocation a node: `boxed` of the table.
struct Boxed {
    _kind: Kind,
    _start: u32,
    _end: u32,
    _payload: Payload,
    children: Vec<Box<Boxed>>,
}

/// The same with the children of a node side by side: `compact` of the table.
struct Compact {
    _kind: Kind,
    _start: u32,
    _end: u32,
    _payload: Payload,
    _children: Box<[Compact]>,
}

/// Names are interned, as in the columns.
enum Payload {
    Nothing,
    Name(#[allow(dead_code)] u32),
    Value(#[allow(dead_code)] Box<Edn>),
}

/// Builds the boxed tree of every file, timed, and counts what both kinds of tree take, with the table of names that they
/// share with the columns. Neither knows parents or files.
fn trees(ast: &Ast, m: &mut Measured) {
    let started = Instant::now();
    let roots: Vec<Box<Boxed>> = ast.roots.iter().map(|r| boxed(ast, *r)).collect();
    m.boxed = started.elapsed();
    let mut names = std::collections::BTreeSet::new();
    let (mut values, mut lists, mut slices) = (0, 0, 0);
    for id in ast.ids() {
        let n = ast.children(id).len();
        lists += allocated(n * size_of::<Box<Boxed>>());
        slices += allocated(n * size_of::<Compact>());
        if ast.value(id).is_some() {
            values += allocated(size_of::<Edn>());
        }
        names.extend(ast.name(id));
    }
    let table: usize = names.iter().map(|n| n.len() + size_of::<Box<str>>()).sum();
    let common = values + table + m.literal_bytes;
    m.boxed_bytes = ast.len() * allocated(size_of::<Boxed>()) + lists + common;
    m.compact_bytes = roots.len() * size_of::<Compact>() + slices + common;
    debug_assert!(roots.iter().all(|r| r.children.len() <= ast.len()));
}

fn boxed(ast: &Ast, id: NodeId) -> Box<Boxed> {
    let span = ast.span(id);
    let payload = match (ast.value(id), ast.name(id)) {
        (Some(v), _) => Payload::Value(Box::new(v.clone())),
        (None, Some(n)) => Payload::Name(n.len() as u32),
        (None, None) => Payload::Nothing,
    };
    let children = ast.children(id).iter().filter_map(|c| c.some()).map(|c| boxed(ast, c)).collect();
    Box::new(Boxed { _kind: ast.kind(id), _start: span.start, _end: span.end, _payload: payload, children })
}

/// Bytes of a datom in DataScript on a JVM of 64 bits with compressed references: the object with e, a, v, tx, idx and hash;
/// its places in the sets EAVT and AEVT, whose leaves are three quarters full; a third place if the attribute is indexed.
const DATOM: usize = 40;
const PLACE: f64 = 4.0 / 0.75;

fn datoms(ast: &Ast, m: &mut Measured) {
    let ids: Vec<NodeId> = ast.ids().collect();
    let mut bytes = 0.0;
    for part in ids.chunks(4096) {
        let started = Instant::now();
        let facts = yin_ast::datoms::facts(ast, part.iter().copied());
        m.facts += started.elapsed();
        m.datoms += facts.len();
        for f in &facts {
            let name = f.a.to_string();
            // A vector of references is one datom each there; its order is in :yin/child-index.
            let (n, value, is_ref) = match &f.v {
                Edn::Vector(items) if items.iter().all(|x| matches!(x, Edn::Int(_))) => (items.len(), 24, true),
                Edn::Int(-128..=127) => (1, 0, false),
                Edn::Int(_) => (1, 24, name == ":yin/parent" || name == ":yin/refers-to"),
                Edn::Float(_) => (1, 24, false),
                // A string and its array of bytes.
                Edn::Str(s) => (1, 24 + (16 + s.len()).div_ceil(8) * 8, false),
                _ => (1, 0, false),
            };
            let indexed = is_ref || name == ":yin/type" || name == ":yin/name";
            bytes += n as f64 * ((DATOM + value) as f64 + PLACE * if indexed { 3.0 } else { 2.0 });
        }
    }
    m.datascript_bytes = bytes as usize;
}

/// The store gets the datoms of so many nodes; what all would take follows from it.
const STORED_NODES: usize = 200_000;

/// The datoms in the store: columns by attribute and entity.
fn store(ast: &Ast, m: &mut Measured) -> Result<(), String> {
    let facts = yin_ast::datoms::facts(ast, ast.ids().take(STORED_NODES));
    m.stored = facts.len();
    let entity = |e: i64| u32::try_from(e).expect("as many nodes as there are");
    let started = Instant::now();
    let rows = facts.into_iter().map(|f| (entity(f.e), Edn::Keyword(f.a), f.v, TX0 + 1));
    let db = Database::from_datoms(&Edn::map([]), rows).map_err(|e| e.to_string())?;
    m.store = started.elapsed();
    m.stored_bytes = db.column_bytes();
    Ok(())
}

/// All datoms in the store's columns, from those that were stored.
fn all_stored(m: &Measured) -> usize {
    (m.stored_bytes as f64 / m.stored.max(1) as f64 * m.datoms as f64) as usize
}

type Line = (&'static str, fn(&Measured) -> String);

fn size(bytes: usize) -> String {
    kib(bytes as f64 / 1024.0)
}
fn per_source(bytes: usize, m: &Measured) -> String {
    format!("{} ({:.2} × source)", size(bytes), bytes as f64 / m.source_bytes.max(1) as f64)
}
fn time(d: Duration) -> String {
    ms(d.as_secs_f64() * 1e3)
}

const LINES: &[Line] = &[
    ("files", |m| m.files.to_string()),
    ("skipped: not UTF-8 or too large", |m| m.skipped.to_string()),
    ("with faults, measured all the same", |m| m.faulty.to_string()),
    ("source", |m| size(m.source_bytes)),
    ("nodes", |m| m.nodes.to_string()),
    ("of them without meaning yet", |m| format!("{:.0} %", m.syntax as f64 / m.nodes.max(1) as f64 * 100.0)),
    ("bytes of source a node", |m| format!("{:.1}", m.source_bytes as f64 / m.nodes.max(1) as f64)),
    ("boxed tree", |m| per_source(m.boxed_bytes, m)),
    ("compact tree", |m| per_source(m.compact_bytes, m)),
    ("columns", |m| per_source(m.columns_bytes, m)),
    ("columns ÷ boxed tree", |m| format!("{:.2}", m.columns_bytes as f64 / m.boxed_bytes.max(1) as f64)),
    ("columns ÷ compact tree", |m| format!("{:.2}", m.columns_bytes as f64 / m.compact_bytes.max(1) as f64)),
    ("datoms", |m| format!("{} ({:.1} a node)", m.datoms, m.datoms as f64 / m.nodes.max(1) as f64)),
    ("store: columns of all datoms", |m| per_source(all_stored(m), m)),
    // Rows in order of values: 32 bits a datom.
    ("store: and indexed by value", |m| per_source(all_stored(m) + 4 * m.datoms, m)),
    ("DataScript's form (computed)", |m| per_source(m.datascript_bytes, m)),
    ("time: parse", |m| time(m.parse)),
    ("time: columns", |m| time(m.columns)),
    ("time: boxed tree", |m| time(m.boxed)),
    ("time: datoms", |m| time(m.facts)),
    ("time: into the store, a million datoms", |m| time(m.store.mul_f64(1e6 / m.stored.max(1) as f64))),
];

fn table(all: &[Measured]) -> Table {
    let heads = std::iter::once("".to_string()).chain(all.iter().map(|m| m.path.clone())).collect();
    let rows =
        LINES.iter().map(|(name, f)| std::iter::once(name.to_string()).chain(all.iter().map(f)).collect()).collect();
    Table { title: "Real programs as datoms".into(), heads, rows }
}

fn json(m: &Measured) -> serde_json::Value {
    serde_json::json!({
        "path": m.path, "files": m.files, "skipped": m.skipped, "faulty": m.faulty, "source_bytes": m.source_bytes,
        "nodes": m.nodes, "syntax_nodes": m.syntax, "edges": m.edges, "boxed_bytes": m.boxed_bytes,
        "compact_bytes": m.compact_bytes, "columns_bytes": m.columns_bytes, "datoms": m.datoms,
        "datascript_bytes": m.datascript_bytes, "store_bytes": all_stored(m), "by_value_bytes": 4 * m.datoms, "parse_ms": m.parse.as_secs_f64() * 1e3,
        "columns_ms": m.columns.as_secs_f64() * 1e3, "boxed_ms": m.boxed.as_secs_f64() * 1e3,
        "facts_ms": m.facts.as_secs_f64() * 1e3,
    })
}
