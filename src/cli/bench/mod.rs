//! `yin bench`: programs of the corpus, or anybody's, on Yin and on other engines.

mod compare;
mod engines;
mod html;
mod launch;
mod measure;
mod record;
mod stat;
mod storage;
mod table;

use super::Options;
use engines::{Engine, Missing, PEERS};
use lexopt::prelude::*;
use measure::Plan;
use record::{Metric, Results};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use yin_bench_corpus::{Program, Set, Size};

const HELP: &str = "\
yin bench — measure programs

usage: yin bench [NAME|SET|PATH…]       programs of the corpus, sets of them (headline, other, micro), files, folders
       yin bench --compare A B          two files made by --json, or two yin binaries; what became slower
       yin bench list                   the corpus
       yin bench storage PATH…          size of Python and JavaScript sources as datoms
       yin bench store [NAME…]          query workloads of the store

what:   --peers             every engine that is installed, and how to get the others
        --engines LIST      yin, yin-py, and with :off, :auto or :always the same with that --jit; names of peers
        --jit LIST          variants of yin: off,auto,always
        --small             small sizes, quick
how:    --processes N       processes per program and engine (5)
        --iterations N      further runs in a process (as many as fit, at most 30)
        --timeout SECONDS   per process (60)
        --budget SECONDS    per program and engine, once there are three processes (10)
out:    --format F          table, json (lines), markdown, html; on standard output
        --json FILE, --markdown FILE, --html FILE
        --history FILE      medians are added to it; the page shows their course
        --from FILE         show what an earlier run wrote with --json, measure nothing
compare: --fail-above P%    exit 1 if something is slower by more, and clearly so
        --metric LIST       steady (default), first, wall, cpu, memory

exit status: 0 fine, 1 a wrong answer, a failure of yin or something slower than allowed, 2 usage, 130 interrupted
";

struct Request {
    what: Vec<String>,
    engines: Vec<String>,
    peers: bool,
    plan: Plan,
    format: Option<String>,
    json: Option<PathBuf>,
    markdown: Option<PathBuf>,
    html: Option<PathBuf>,
    history: Option<PathBuf>,
    from: Option<PathBuf>,
    compare: bool,
    fail_above: Option<f64>,
    metrics: Vec<Metric>,
}

fn parse(args: &[String]) -> Result<Option<Request>, String> {
    let mut r = Request {
        what: Vec::new(),
        engines: Vec::new(),
        peers: false,
        plan: Plan {
            size: Size::Full,
            processes: 5,
            iterations: None,
            timeout: Duration::from_secs(60),
            budget: Duration::from_secs(10),
        },
        format: None,
        json: None,
        markdown: None,
        html: None,
        history: None,
        from: None,
        compare: false,
        fail_above: None,
        metrics: vec![Metric::Steady],
    };
    let mut p = lexopt::Parser::from_args(args);
    let text = |v: std::ffi::OsString| v.into_string().map_err(|_| "arguments must be UTF-8".to_string());
    let list = |v: String| v.split(',').map(|s| s.trim().to_string()).filter(|s| !s.is_empty()).collect::<Vec<_>>();
    while let Some(arg) = p.next().map_err(|e| e.to_string())? {
        let name = match &arg {
            Value(v) => {
                r.what.push(text(v.clone())?);
                continue;
            }
            Short('h') => return Ok(None),
            Long(l) => l.to_string(),
            other => return Err(format!("no option {other:?}")),
        };
        match name.as_str() {
            "help" => return Ok(None),
            "peers" => r.peers = true,
            "small" => r.plan.size = Size::Small,
            "compare" => r.compare = true,
            _ => {
                let v = text(p.value().map_err(|_| format!("--{name}: no such option, or its value is missing"))?)?;
                let number =
                    || v.trim_end_matches('%').trim().parse::<f64>().ok().filter(|x| x.is_finite() && *x >= 0.0);
                let number = || number().ok_or_else(|| format!("--{name} takes a number, not {v}"));
                let path = || Some(PathBuf::from(&v));
                match name.as_str() {
                    "engines" => r.engines.extend(list(v)),
                    "jit" => r.engines.extend(list(v).iter().map(|j| format!("yin:{j}"))),
                    "processes" => r.plan.processes = (number()? as usize).max(1),
                    "iterations" => r.plan.iterations = Some(number()? as usize),
                    "timeout" => r.plan.timeout = Duration::from_secs_f64(number()?.min(1e6)),
                    "budget" => r.plan.budget = Duration::from_secs_f64(number()?.min(1e6)),
                    "format" => r.format = Some(v),
                    "json" => r.json = path(),
                    "markdown" => r.markdown = path(),
                    "html" => r.html = path(),
                    "history" => r.history = path(),
                    "from" => r.from = path(),
                    "fail-above" => r.fail_above = Some(number()?),
                    "metric" => {
                        let named = |m: &String| Metric::named(m).ok_or_else(|| format!("no metric {m}"));
                        r.metrics = list(v).iter().map(named).collect::<Result<_, _>>()?;
                    }
                    _ => return Err(format!("no option --{name}")),
                }
            }
        }
    }
    let formats = ["table", "json", "markdown", "html"];
    if let Some(f) = r.format.as_deref().filter(|f| !formats.contains(f)) {
        return Err(format!("bench has the formats {}, not {f}", formats.join(", ")));
    }
    Ok(Some(r))
}

/// `yin bench …`; the exit status.
pub fn run(o: &Options) -> i32 {
    match o.args.first().map(String::as_str) {
        Some("--launch") => return launch::launcher(&o.args[1..]),
        Some("store") => return store(&o.args[1..]),
        Some("storage") => return storage::run(&o.args[1..]),
        Some("list") if o.args.len() == 1 => return list(),
        _ => {}
    }
    let request = match parse(&o.args) {
        Ok(Some(r)) => r,
        Ok(None) => {
            super::print(HELP);
            return 0;
        }
        Err(e) => {
            eprintln!("yin: bench: {e}\ntry: yin bench --help");
            return 2;
        }
    };
    super::report::watch_interrupts();
    let done = if request.compare { comparison(&request) } else { measurement(&request, o) };
    done.unwrap_or_else(|e| {
        eprintln!("yin: bench: {e}");
        2
    })
}

/// `yin bench store [NAME…]`: the query workloads.
fn store(names: &[String]) -> i32 {
    match datoms::bench::run(names, false, &mut |line| println!("{line}")) {
        Ok(()) => 0,
        Err(e) => {
            eprintln!("yin: {e}");
            1
        }
    }
}

fn list() -> i32 {
    let mut s = String::new();
    for p in yin_bench_corpus::all() {
        let langs: Vec<&str> = p.files.iter().map(|f| &*f.0).collect();
        s.push_str(&format!("{:9} {:18} {}\n{:29}{}\n", p.set.name(), p.name, p.about, "", langs.join(" ")));
    }
    super::print(&s);
    0
}

/// The programs that words mean: names, sets, paths. None = the whole corpus.
fn programs(words: &[String]) -> Result<Vec<Program>, String> {
    let corpus = yin_bench_corpus::all();
    if words.is_empty() || words == ["all"] {
        return Ok(corpus);
    }
    let mut v: Vec<Program> = Vec::new();
    for w in words {
        if let Some(set) = Set::named(w) {
            v.extend(corpus.iter().filter(|p| p.set == set).cloned());
        } else if let Some(p) = corpus.iter().find(|p| p.name == *w) {
            v.push(p.clone());
        } else if Path::new(w).exists() {
            // Whoever runs it stands elsewhere.
            let path = Path::new(w).canonicalize().map_err(|e| format!("{w}: {e}"))?;
            v.extend(yin_bench_corpus::load_path(&path).map_err(|e| e.to_string())?);
        } else {
            return Err(format!("{w}: no program or set of that name (yin bench list), and no file or folder"));
        }
    }
    Ok(v)
}

fn found(request: &Request) -> Result<(Vec<Engine>, Vec<Missing>), String> {
    let me = std::env::current_exe().map_err(|e| format!("the yin command itself: {e}"))?;
    let mut names = request.engines.clone();
    let asked = names.clone();
    if !names.iter().any(|n| n.starts_with("yin")) {
        names.insert(0, "yin".into());
    }
    if request.peers {
        names.extend(["yin:off".to_string(), "yin-py".to_string()]);
        names.extend(PEERS.iter().map(|p| p.name.to_string()));
    }
    let (mut engines, mut missing): (Vec<Engine>, Vec<Missing>) = (Vec::new(), Vec::new());
    for n in &names {
        if engines.iter().any(|e| e.name == *n) || missing.iter().any(|m| m.name == *n) {
            continue;
        }
        let r = if n == "yin" || n.starts_with("yin:") || n.starts_with("yin-") {
            engines::yin(n, &me)
        } else {
            engines::peer_named(n)
        };
        match r {
            Ok(e) => engines.push(e),
            Err(m) if asked.contains(n) => return Err(format!("{}: {}", m.name, m.why)),
            Err(m) => missing.push(m),
        }
    }
    Ok((engines, missing))
}

fn measurement(request: &Request, o: &Options) -> Result<i32, String> {
    let (results, interrupted) = if let Some(path) = &request.from {
        (Results::read(path)?, false)
    } else {
        let programs = programs(&request.what)?;
        let (engines, missing) = found(request)?;
        for m in &missing {
            eprintln!("left out: {}: {}", m.name, m.why);
        }
        let (mut results, interrupted) = measure::run(&programs, &engines, &request.plan, &mut |_| {})?;
        results.about = about(&engines, request, &o.args);
        (results, interrupted)
    };
    if results.rows.is_empty() {
        return if interrupted { Ok(130) } else { Err("no engine can run any of these programs".into()) };
    }
    let history = match &request.history {
        Some(path) if request.from.is_none() => add_to_history(path, &results)?,
        Some(path) => std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?,
        None => String::new(),
    };
    let page = || html::page(&results, &history);
    let write = |path: &Option<PathBuf>, text: &dyn Fn() -> String| match path {
        Some(p) => std::fs::write(p, text()).map_err(|e| format!("{}: {e}", p.display())),
        None => Ok(()),
    };
    write(&request.json, &|| results.to_lines())?;
    write(&request.markdown, &|| table::markdown(&results))?;
    write(&request.html, &page)?;
    match request.format.as_deref() {
        Some("json") => super::print(&results.to_lines()),
        Some("markdown") => super::print(&table::markdown(&results)),
        Some("html") => super::print(&page()),
        _ => super::print(&table::text(&results)),
    }
    let mut failed = false;
    for r in results.rows.iter().filter(|r| !r.ok()) {
        let counts = r.status == record::Status::Wrong || r.engine.starts_with("yin");
        failed |= counts;
        if counts {
            eprintln!("{} on {}: {}: {}", r.program, r.engine, r.status.name(), r.message);
        }
    }
    Ok(if interrupted { 130 } else { i32::from(failed) })
}

/// Two files of results, or two binaries that are measured in turns.
fn comparison(request: &Request) -> Result<i32, String> {
    let [a, b, what @ ..] = &request.what[..] else {
        return Err("--compare takes two files made by --json, or two yin binaries".into());
    };
    let (mut first, mut second) = (Results::default(), Results::default());
    if is_binary(a) && is_binary(b) {
        let engine = |label: &str, path: &str| {
            let mut e = engines::yin("yin", Path::new(path)).map_err(|m| format!("{path}: {}", m.why))?;
            e.name = format!("{label} {path}");
            Ok::<Engine, String>(e)
        };
        let engines = [engine("A", a)?, engine("B", b)?];
        let (r, interrupted) = measure::run(&programs(what)?, &engines, &request.plan, &mut |_| {})?;
        if interrupted {
            return Ok(130);
        }
        for row in r.rows {
            if row.engine.starts_with("A ") { &mut first } else { &mut second }.rows.push(row);
        }
    } else {
        (first, second) = (Results::read(Path::new(a))?, Results::read(Path::new(b))?);
        for r in [&mut first, &mut second].into_iter().filter(|_| !what.is_empty()) {
            r.rows.retain(|row| what.contains(&row.program) || what.contains(&row.set));
        }
    }
    let c = compare::compare(&first, &second, &request.metrics);
    if c.changes.is_empty() && c.broken.is_empty() {
        return Err("the two have no program and engine in common".into());
    }
    let t = c.table();
    super::print(&if request.format.as_deref() == Some("markdown") { t.markdown() } else { t.text() });
    c.unmatched.iter().for_each(|u| eprintln!("not compared: {u}"));
    let offenders = request.fail_above.map_or(c.broken.clone(), |p| c.offenders(p));
    offenders.iter().for_each(|o| eprintln!("slower: {o}"));
    Ok(i32::from(!offenders.is_empty()))
}

/// Is it a program of this system rather than text?
fn is_binary(path: &str) -> bool {
    use std::io::Read;
    let mut head = [0; 4];
    let read = std::fs::File::open(path).and_then(|mut f| f.read_exact(&mut head));
    read.is_ok() && (head == *b"\x7fELF" || head == [0xcf, 0xfa, 0xed, 0xfe])
}

/// Where and how.
fn about(engines: &[Engine], request: &Request, args: &[String]) -> BTreeMap<String, String> {
    let mut a = BTreeMap::new();
    let mut put = |k: &str, v: String| a.insert(k.to_string(), v);
    put("date", date());
    put("cpu", cpu());
    put("system", format!("{} {}, {} cores", std::env::consts::OS, std::env::consts::ARCH, cores()));
    // Paths of one machine tell nobody anything.
    let word = |a: &String| {
        Path::new(a).file_name().filter(|_| a.contains('/')).map_or(a.clone(), |n| n.to_string_lossy().into())
    };
    put("command", std::iter::once("yin bench".into()).chain(args.iter().map(word)).collect::<Vec<_>>().join(" "));
    put("size", if request.plan.size == Size::Small { "small" } else { "full" }.into());
    put("processes", request.plan.processes.to_string());
    if let Ok(commit) = std::env::var("GITHUB_SHA") {
        put("commit", commit);
    }
    for e in engines {
        put(&format!("version {}", e.name), e.version.clone());
    }
    a
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn cpu() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info.lines().find_map(|l| l.strip_prefix("model name")?.split_once(':'));
    name.map_or_else(|| "unknown processor".into(), |n| n.1.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Today, UTC, as 2026-11-25 (Hinnant's days_from_civil, backwards).
fn date() -> String {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let days = since.map_or(0, |d| d.as_secs() / 86_400) as i64 + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let m = (5 * of_year + 2) / 153;
    let (day, month) = (of_year - (153 * m + 2) / 5 + 1, if m < 10 { m + 3 } else { m - 9 });
    format!("{}-{month:02}-{day:02}", year + era * 400 + i64::from(month <= 2))
}

/// Adds one line a program and engine to a history; the whole history.
fn add_to_history(path: &Path, r: &Results) -> Result<String, String> {
    let refused = |e: std::io::Error| format!("{}: {e}", path.display());
    let mut text = match std::fs::read_to_string(path) {
        Ok(t) => t,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(e) => return Err(refused(e)),
    };
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    for row in r.rows.iter().filter(|x| x.ok()) {
        let number = |m| row.median(m).map(|x| (x * 1e3).round() / 1e3);
        text.push_str(&format!(
            "{}\n",
            serde_json::json!({
                "date": r.about("date"), "commit": r.about("commit"), "program": row.program, "engine": row.engine,
                "steady_ms": number(Metric::Steady), "first_ms": number(Metric::First), "rss_kb": number(Metric::Memory),
            })
        ));
    }
    std::fs::write(path, &text).map_err(refused)?;
    Ok(text)
}
