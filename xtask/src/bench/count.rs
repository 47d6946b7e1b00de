//! Counting: builds, runs iai-callgrind, reads its summaries, measures sizes and memory.

use super::baseline::{Baseline, root};
use super::{Done, Failure, failed};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The runner must be of the version of the library (`benches/Cargo.toml`).
const RUNNER: &str = "iai-callgrind-runner";
const RUNNER_VERSION: &str = "0.16.1";

/// What counting needs beside cargo.
pub struct Tools {
    runner: PathBuf,
    valgrind: String,
    rustc: String,
    /// The triple of this machine, always given: the harnesses' macros cannot be built for the static target.
    target: String,
}

impl Tools {
    pub fn describe(&self) -> String {
        format!("valgrind {}, {RUNNER} {RUNNER_VERSION}, rustc {}, {}", self.valgrind, self.rustc, self.target)
    }
}

fn said(program: impl AsRef<std::ffi::OsStr>, args: &[&str]) -> Option<String> {
    let out = Command::new(program).args(args).stdin(Stdio::null()).output().ok()?;
    out.status.success().then(|| String::from_utf8_lossy(&out.stdout).trim().to_string())
}

/// Finds the tools; `install`: gets those that are missing.
///
/// # Errors
/// What is missing and how to get it, with exit status 3.
pub fn tools(install: bool) -> Result<Tools, Failure> {
    let missing = |why: String| (3, why);
    if install && said("valgrind", &["--version"]).is_none() {
        println!("installing valgrind");
        // A fresh machine has no package lists. Whether it worked is seen below.
        for args in [&["update", "-qq"][..], &["install", "-y", "-qq", "--no-install-recommends", "valgrind"]] {
            let mut c = Command::new("apt-get");
            let _ = c.args(args).env("DEBIAN_FRONTEND", "noninteractive").stdout(Stdio::null()).status();
        }
    }
    let valgrind = said("valgrind", &["--version"])
        .ok_or_else(|| missing("missing: valgrind (Debian: apt-get install valgrind)".into()))?;
    let own = root().join("target/tools");
    let names = [own.join("bin").join(RUNNER), PathBuf::from(RUNNER)];
    let find = || names.iter().find(|p| version(p).as_deref() == Some(RUNNER_VERSION)).cloned();
    if install && find().is_none() {
        println!("installing {RUNNER} {RUNNER_VERSION} (some minutes)");
        let mut c = cargo();
        c.args(["install", RUNNER, "--version", RUNNER_VERSION, "--locked", "--quiet", "--root"]).arg(&own);
        let _ = c.status();
    }
    let runner = find().ok_or_else(|| {
        missing(format!(
            "missing: {RUNNER} {RUNNER_VERSION} (cargo install {RUNNER} --version {RUNNER_VERSION} --locked)"
        ))
    })?;
    let rustc = said("rustc", &["-vV"]).ok_or_else(|| missing("missing: rustc".into()))?;
    let line = |key: &str| rustc.lines().find_map(|l| l.strip_prefix(key)).unwrap_or("").trim().to_string();
    Ok(Tools {
        runner: if runner.is_absolute() { runner } else { on_path(RUNNER).unwrap_or(runner) },
        valgrind: valgrind.trim_start_matches("valgrind-").to_string(),
        rustc: line("release:"),
        target: line("host:"),
    })
}

fn on_path(name: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?).map(|d| d.join(name)).find(|p| p.is_file())
}

/// It says its version only when it complains of having been started by hand.
fn version(runner: &Path) -> Option<String> {
    let out = Command::new(runner).arg("--version").stdin(Stdio::null()).output().ok()?;
    let text = [out.stdout, out.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    let numbers = |w: &&str| w.split('.').count() == 3 && w.split('.').all(|n| n.parse::<u32>().is_ok());
    text.split(|c: char| c.is_whitespace() || "'`,()".contains(c)).find(numbers).map(String::from)
}

fn cargo() -> Command {
    let mut c = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    c.current_dir(root());
    c
}

/// Runs a command that has nothing to say unless it fails.
fn quietly(mut c: Command, what: &str) -> Done {
    let out = c.stdin(Stdio::null()).output().map_err(|e| failed(format!("{what}: {e}")))?;
    if out.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned();
    let lines: Vec<&str> = text.lines().collect();
    let last = lines[lines.len().saturating_sub(40)..].join("\n");
    Err(failed(format!("{last}\n{what} failed")))
}

/// Everything, or `parts`, `programs` or `sizes`.
pub fn everything(only: Option<&str>) -> Result<Baseline, Failure> {
    let tools = tools(false)?;
    let wanted = |what: &str| only.is_none_or(|o| o == what);
    let mut b = Baseline::default();
    b.tools.insert("rustc".into(), tools.rustc.clone());
    b.tools.insert("valgrind".into(), tools.valgrind.clone());
    b.tools.insert("target".into(), tools.target.clone());
    b.tools.insert("processor".into(), processor());
    eprintln!("building");
    build(&tools)?;
    if wanted("parts") {
        eprintln!("counting parts");
        b.figures.extend(harness(&tools, "parts", "parts", "icount")?);
    }
    if wanted("programs") {
        eprintln!("counting programs");
        b.figures.extend(harness(&tools, "programs", "programs", "icount")?);
    }
    if wanted("sizes") {
        eprintln!("measuring sizes");
        sizes(&tools, &mut b.figures)?;
    }
    Ok(b)
}

/// Builds what is counted: the command and both harnesses.
pub fn build(tools: &Tools) -> Done {
    let mut c = cargo();
    c.args(["build", "--quiet", "--profile", "count", "--package", "yin", "--target", &tools.target]);
    quietly(c, "the build")?;
    let mut c = bench(tools, "icount");
    c.args(["--bench", "parts", "--bench", "programs", "--no-run"]);
    quietly(c, "the build of what counts")
}

/// `cargo bench` as both harnesses are built and run.
fn bench(tools: &Tools, features: &str) -> Command {
    let mut c = cargo();
    c.args(["bench", "--quiet", "--profile", "count", "--package", "yin-benches", "--features", features]);
    c.args(["--target", &tools.target]);
    c
}

/// What libraries and compiled code choose by: the extensions that valgrind lets a program see.
fn processor() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let flags = text.lines().find_map(|l| l.strip_prefix("flags")).unwrap_or("");
    let has = |f: &&&str| flags.split_whitespace().any(|w| w == **f);
    let of = ["sse4_2", "avx", "avx2", "bmi1", "bmi2", "abm", "fma", "rdrand"];
    of.iter().filter(has).copied().collect::<Vec<_>>().join(" ")
}

/// The part the gate is tested with, as it is or slowed down.
pub fn probe(slowed: bool) -> Result<Baseline, Failure> {
    let tools = tools(false)?;
    // The runner's filter knows functions, not the parts that one of them counts: the harness is built with this part alone.
    let features = if slowed { "icount,probe,slowed" } else { "icount,probe" };
    let figures = harness(&tools, "parts", "probe", features)?;
    Ok(Baseline { figures, ..Baseline::default() })
}

/// Runs a harness of `benches` and reads what it counted; `place`: where its summaries go.
fn harness(tools: &Tools, name: &str, place: &str, features: &str) -> Result<BTreeMap<String, u64>, Failure> {
    let home = root().join("target/icount").join(place);
    // Summaries of benchmarks that are no more would be read again.
    let _ = std::fs::remove_dir_all(&home);
    // Counts do not depend on what else runs, so that programs are shared among processes.
    let n = if name == "programs" { std::thread::available_parallelism().map_or(1, |n| n.get().min(4)) } else { 1 };
    let share = |i: usize| {
        let mut c = bench(tools, features);
        c.args(["--bench", name]);
        c.env("IAI_CALLGRIND_HOME", home.join(i.to_string()))
            .env("IAI_CALLGRIND_SAVE_SUMMARY", "json")
            .env("IAI_CALLGRIND_RUNNER", &tools.runner)
            .env("YIN_COUNT_SHARE", format!("{i}/{n}"));
        quietly(c, &format!("counting {name}"))
    };
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..n)
            .map(|i| {
                scope.spawn({
                    let share = &share;
                    move || share(i)
                })
            })
            .collect();
        running.into_iter().try_for_each(|r| r.join().expect("it does not panic"))
    })?;
    let mut figures = BTreeMap::new();
    summaries(&home, &mut figures).map_err(failed)?;
    if figures.is_empty() { Err(failed(format!("{name}: nothing was counted"))) } else { Ok(figures) }
}

/// Reads every `summary.json` below a folder.
fn summaries(dir: &Path, figures: &mut BTreeMap<String, u64>) -> Result<(), String> {
    let at = |e: std::io::Error| format!("{}: {e}", dir.display());
    for e in std::fs::read_dir(dir).map_err(at)? {
        let path = e.map_err(at)?.path();
        if path.is_dir() {
            summaries(&path, figures)?;
        } else if path.file_name().is_some_and(|n| n == "summary.json") {
            let text = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
            let j: Json = serde_json::from_str(&text).map_err(|e| format!("{}: {e}", path.display()))?;
            let (name, count) = summary(&j).ok_or_else(|| format!("{}: not a summary as expected", path.display()))?;
            figures.insert(name, count);
        }
    }
    Ok(())
}

/// Name and instructions of a summary.
fn summary(j: &Json) -> Option<(String, u64)> {
    let (function, id) = (j["function_name"].as_str()?, j["id"].as_str()?);
    let name = match j["kind"].as_str()? {
        "LibraryBenchmark" => format!("{function}/{id}"),
        _ => format!("program/{}:{id}", function.replace('_', "-")),
    };
    let profile = j["profiles"].as_array()?.iter().find(|p| p["tool"] == "Callgrind")?;
    let count = &profile["summaries"]["total"]["summary"]["Callgrind"]["Ir"]["metrics"];
    // New counts stand alone, others beside those before.
    let new = ["Left", "Both"].iter().find_map(|k| count.get(k))?;
    let new = new.as_array().map_or(new, |pair| &pair[0]);
    Some((name, new["Int"].as_u64().or_else(|| new.as_u64())?))
}

/// What sizes of a run are counted, by their names in Yin's own report.
const MEMORY: &[(&str, &str)] = &[("allocated_bytes", "allocated"), ("code_bytes", "code"), ("ast_bytes", "AST")];

/// Sizes of the command and memory of programs. All of them are exact.
fn sizes(tools: &Tools, figures: &mut BTreeMap<String, u64>) -> Done {
    let built = root().join("target").join(&tools.target).join("count");
    let yin = built.join("yin");
    figures.insert("size/yin".into(), std::fs::metadata(&yin).map_err(failed)?.len());
    let dir = built.join("counted");
    std::fs::create_dir_all(&dir).map_err(failed)?;
    for p in yin_bench_corpus::all() {
        let Some(text) = p.for_yin("clj").and_then(|f| p.source(f, yin_bench_corpus::Size::Small)) else { continue };
        let name = format!("{}.clj", p.name);
        std::fs::write(dir.join(&name), text).map_err(failed)?;
        let mut c = Command::new(&yin);
        c.args(["run", "--clock", "steps", "--jit", "off", "--stats=json", &name]);
        c.current_dir(&dir).stdin(Stdio::null()).env_clear();
        let out = c.output().map_err(failed)?;
        let said = String::from_utf8_lossy(&out.stderr);
        let line = said.lines().find_map(|l| l.strip_prefix("yin_stats "));
        let stats: Json =
            line.and_then(|l| serde_json::from_str(l).ok()).ok_or_else(|| failed(format!("{name}: {said}")))?;
        for (key, word) in MEMORY {
            // What was allocated is known after a collection only.
            if let Some(n) = stats[key].as_u64().filter(|n| *n > 0) {
                figures.insert(format!("memory/{} {word}", p.name), n);
            }
        }
    }
    Ok(())
}

/// Time of the parts.
pub fn wall(args: &[String]) -> Done {
    let target = said("rustc", &["-vV"]).unwrap_or_default();
    let target =
        target.lines().find_map(|l| l.strip_prefix("host: ")).ok_or_else(|| failed("rustc does not run"))?.to_string();
    let mut c = cargo();
    c.args(["bench", "--package", "yin-benches", "--features", "wall", "--target", &target, "--bench", "wall", "--"])
        .args(args);
    let status = c.status().map_err(failed)?;
    if status.success() { Ok(()) } else { Err(failed("measuring failed")) }
}
