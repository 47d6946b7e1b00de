//! Measuring: programs one after the other, their engines in turns, so that whatever else the machine does meets all of them.

use super::engines::Engine;
use super::launch::{Job, Process, measure};
use super::record::{Results, Row, Sample, Status};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use yin_bench_corpus::{Program, Size, source};

/// How much to measure.
pub struct Plan {
    pub size: Size,
    /// Processes per program and engine.
    pub processes: usize,
    /// Further runs in each process; none = as many as fit.
    pub iterations: Option<usize>,
    pub timeout: Duration,
    /// A program and engine that has run this long gets no further processes beyond three.
    pub budget: Duration,
}

/// Further runs in a process are to take about this long in all.
const STEADY_MS: f64 = 600.0;
const MOST_ITERATIONS: usize = 30;

/// A program on an engine, under way.
struct Course<'a> {
    engine: &'a Engine,
    row: Row,
    dir: PathBuf,
    path: PathBuf,
    file: &'static str,
    text: String,
    /// Has it work that can be done again in the same process?
    repeatable: bool,
    spent: Duration,
    done: bool,
}

/// Measures; `seen` is told of every row that is complete. Ends early when interrupted: second of the pair.
///
/// # Errors
/// What the file system refused.
pub fn run(
    programs: &[Program],
    engines: &[Engine],
    plan: &Plan,
    seen: &mut dyn FnMut(&Row),
) -> Result<(Results, bool), String> {
    let work = Work::new()?;
    let mut results = Results::default();
    let mut progress = Progress { shown: std::io::stderr().is_terminal(), started: Instant::now() };
    for (i, p) in programs.iter().enumerate() {
        let mut courses = Vec::new();
        for e in engines {
            courses.extend(Course::start(p, e, plan, &work.0)?);
        }
        let mut expected: Option<String> = p.answer(plan.size).map(String::from);
        let mut interrupted = false;
        'processes: for n in 0..plan.processes {
            let count = courses.len();
            for k in 0..count {
                // Another engine begins every round.
                let c = &mut courses[(k + n) % count];
                if c.done || (n >= 3 && c.spent > plan.budget) {
                    continue;
                }
                let place = (i, programs.len(), n, plan.processes);
                progress.show(place, &p.name, &c.engine.name);
                if let Err(e) = c.step(p, plan, n == 0, &mut expected) {
                    if e == "interrupted" {
                        interrupted = true;
                        break 'processes;
                    }
                    c.fail(Status::Failed, &e);
                }
            }
        }
        progress.clear();
        for c in courses.into_iter().filter(|c| c.done || !c.row.samples.is_empty()) {
            seen(&c.row);
            results.rows.push(c.row);
        }
        if interrupted {
            return Ok((results, true));
        }
    }
    Ok((results, false))
}

impl<'a> Course<'a> {
    fn start(p: &Program, engine: &'a Engine, plan: &Plan, work: &Path) -> Result<Option<Course<'a>>, String> {
        let Some(file) = engine.file(p) else { return Ok(None) };
        let text = p.source(file, plan.size).expect("the engine named a file that is there");
        let dir = work.join(engine.name.replace([':', '/'], "-")).join(&p.name);
        std::fs::create_dir_all(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
        // What else the folder holds may be asked for by the program.
        for (name, text) in p.files.iter().filter(|_| p.dir.is_some()) {
            std::fs::write(dir.join(name), &**text).map_err(|e| format!("{}: {e}", dir.display()))?;
        }
        let (_, suffix) = engine.prepared(file, "");
        let path = dir.join(format!("main.{suffix}"));
        let row = Row {
            program: p.name.clone(),
            set: p.set.name().into(),
            engine: engine.name.clone(),
            file: file.into(),
            status: Status::Ok,
            message: String::new(),
            samples: Vec::new(),
        };
        let (repeatable, spent) = (source::repeated(file, &text, 1).is_some(), Duration::ZERO);
        let mut c = Course { engine, row, dir, path, file, text, repeatable, spent, done: false };
        c.write(0)?;
        Ok(Some(c))
    }

    /// Writes the program with so many further runs, if it can have them.
    fn write(&mut self, iterations: usize) -> Result<(), String> {
        let repeated = if iterations > 0 { source::repeated(self.file, &self.text, iterations) } else { None };
        let (text, _) = self.engine.prepared(self.file, repeated.as_deref().unwrap_or(&self.text));
        std::fs::write(&self.path, text).map_err(|e| format!("{}: {e}", self.path.display()))
    }

    /// One process. The first of a program also says how many further runs fit.
    fn step(&mut self, p: &Program, plan: &Plan, first: bool, expected: &mut Option<String>) -> Result<(), String> {
        if first {
            for _ in 0..self.engine.warm() {
                self.process(p, plan)?;
            }
            if let Some(n) = plan.iterations {
                self.write(n)?;
            } else {
                let trial = self.process(p, plan)?;
                if let Some((status, why)) = trouble(&trial, p, &self.engine.name) {
                    self.fail(status, &why);
                    return Ok(());
                }
                let fits = |ms: f64| ((STEADY_MS / ms.max(0.001)) as usize).clamp(2, MOST_ITERATIONS);
                let n = number_after(&trial.stderr, "elapsed_ms ").map_or(0, fits);
                self.write(n)?;
            }
        }
        let r = self.process(p, plan)?;
        if let Some((status, why)) = trouble(&r, p, &self.engine.name) {
            self.fail(status, &why);
            return Ok(());
        }
        let answer = answer(&r.stdout);
        let expected = expected.get_or_insert_with(|| answer.clone());
        let mut others = iterations(&r.stderr).filter(|i| !i.1.is_empty() && i.1 != answer);
        if answer != *expected {
            self.fail(Status::Wrong, &format!("printed {answer:?}, expected {expected:?}"));
        } else if let Some((_, other)) = others.next() {
            self.fail(Status::Wrong, &format!("printed {answer:?}, then {other:?} when run again"));
        } else {
            self.row.samples.push(Sample {
                wall_ms: r.wall_ms,
                cpu_ms: r.cpu_ms,
                rss_kb: r.rss_kb,
                // Nothing is timed in a program without work of its own.
                first_ms: number_after(&r.stderr, "elapsed_ms ").filter(|ms| *ms > 0.0 || self.repeatable),
                iterations_ms: iterations(&r.stderr).map(|i| i.0).collect(),
                inside: inside(&r),
            });
        }
        Ok(())
    }

    fn process(&mut self, p: &Program, plan: &Plan) -> Result<Process, String> {
        let args = self.engine.args(&self.path);
        // What guile compiles stays with the rest.
        let cache = self.dir.join("cache").to_string_lossy().into_owned();
        let env = [("XDG_CACHE_HOME".to_string(), cache)];
        let dir = p.dir.as_deref().unwrap_or(&self.dir);
        let timeout = plan.timeout;
        let r = measure(&Job { program: self.engine.path(), args: &args, dir, env: &env, timeout })?;
        self.spent += Duration::from_secs_f64(r.wall_ms / 1e3);
        Ok(r)
    }

    fn fail(&mut self, status: Status, why: &str) {
        (self.row.status, self.row.message, self.done) = (status, why.to_string(), true);
    }
}

/// What engines say when a stack overflows.
const OVERFLOWS: &[&str] = &[
    "StackOverflow",
    "tack overflow",
    "RecursionError",
    "Maximum call stack",
    "recursion limit",
    "too much recursion",
];

/// Why a process cannot count, if so.
fn trouble(r: &Process, p: &Program, engine: &str) -> Option<(Status, String)> {
    let said = || r.stderr.lines().map(str::trim).filter(|l| !l.is_empty() && !is_report(l));
    let last = || said().rfind(|l| l.contains("rror")).or_else(|| said().next()).unwrap_or("").to_string();
    if r.late {
        return Some((Status::Late, "ran longer than --timeout".into()));
    }
    if r.code == 0 && !answer(&r.stdout).is_empty() {
        return None;
    }
    // 139: a native stack that ran into its guard.
    if OVERFLOWS.iter().any(|o| r.stderr.contains(o))
        || (r.code == 139 && p.overflow_expected.iter().any(|o| o == engine))
    {
        return Some((Status::Overflow, "stack overflow".into()));
    }
    if r.stderr.contains("Cannot find module") || r.stderr.contains("ModuleNotFoundError") {
        return Some((Status::Missing, last()));
    }
    let error = r.stderr.lines().find(|l| l.starts_with("error[")).map_or_else(last, String::from);
    let why = match (r.code, error.is_empty()) {
        (0, _) => "printed no answer".to_string(),
        (c, true) => format!("exit status {c}"),
        (_, false) => error,
    };
    Some((Status::Failed, why))
}

/// Is it a line of a program's own report?
fn is_report(line: &str) -> bool {
    ["elapsed_ms ", "iteration_ms ", "yin_stats "].iter().any(|r| line.starts_with(r))
}

/// The last line on standard output that is not a time.
fn answer(stdout: &str) -> String {
    stdout.lines().rfind(|l| !l.trim().is_empty() && !l.starts_with("elapsed_ms")).unwrap_or("").trim().to_string()
}

fn number_after(text: &str, word: &str) -> Option<f64> {
    text.lines().find_map(|l| l.strip_prefix(word)?.trim().parse().ok())
}

/// Milliseconds and answer of further runs.
fn iterations(text: &str) -> impl Iterator<Item = (f64, &str)> {
    text.lines().filter_map(|l| {
        let (ms, answer) = l.strip_prefix("iteration_ms ")?.split_once(' ').unwrap_or((l, ""));
        Some((ms.parse().ok()?, answer.trim()))
    })
}

/// The numbers of Yin's own report (`--stats=json`). Start is what the process takes beside the program: starting, the image,
/// ending.
fn inside(r: &Process) -> BTreeMap<String, f64> {
    let report = r.stderr.lines().rev().find_map(|l| l.strip_prefix("yin_stats "));
    let json: Option<Json> = report.and_then(|l| serde_json::from_str(l).ok());
    let fields = json.as_ref().and_then(Json::as_object).into_iter().flatten();
    let mut numbers: BTreeMap<String, f64> = fields.filter_map(|(k, v)| Some((k.clone(), v.as_f64()?))).collect();
    if let Some(ran) = numbers.get("run_ms") {
        let start = (r.wall_ms - ran).max(0.0);
        numbers.insert("start_ms".into(), start);
    }
    numbers
}

/// A folder of our own, removed at the end.
struct Work(PathBuf);

impl Work {
    fn new() -> Result<Work, String> {
        let dir = std::env::temp_dir().join(format!("yin-bench-{}", std::process::id()));
        std::fs::create_dir_all(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
        Ok(Work(dir))
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// One line on a terminal.
struct Progress {
    shown: bool,
    started: Instant,
}

impl Progress {
    fn show(&mut self, (i, programs, n, processes): (usize, usize, usize, usize), program: &str, engine: &str) {
        if !self.shown {
            return;
        }
        let part = (i as f64 + n as f64 / processes as f64) / programs as f64;
        let left = if part > 0.02 {
            let s = self.started.elapsed().as_secs_f64() * (1.0 - part) / part;
            format!(", about {} left", if s < 90.0 { format!("{s:.0} s") } else { format!("{:.0} min", s / 60.0) })
        } else {
            String::new()
        };
        eprint!("\r\x1b[K[{}/{programs}] {program} on {engine}, process {}/{processes}{left}", i + 1, n + 1);
        let _ = std::io::stderr().flush();
    }
    fn clear(&mut self) {
        if self.shown {
            eprint!("\r\x1b[K");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_processes_say_is_understood() {
        let stderr = "noise\nelapsed_ms 12.5\niteration_ms 3 42\niteration_ms 2.5 a b\nyin_stats {\"run_ms\":5,\"jit\":\"off\"}\n";
        assert_eq!(number_after(stderr, "elapsed_ms "), Some(12.5));
        assert_eq!(iterations(stderr).collect::<Vec<_>>(), [(3.0, "42"), (2.5, "a b")]);
        let process = Process { wall_ms: 7.0, stderr: stderr.into(), ..Process::default() };
        assert_eq!(inside(&process), [("run_ms".to_string(), 5.0), ("start_ms".to_string(), 2.0)].into());
        assert_eq!(answer("x\n42 \n\nelapsed_ms 3\n"), "42");
    }

    #[test]
    fn trouble_has_a_kind() {
        let p = Program::load_file(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/bench-corpus/demo/queens.clj")));
        let p = p.expect("it is there");
        let kind = |code, stdout: &str, stderr: &str, late| {
            let r = Process { code, late, stdout: stdout.into(), stderr: stderr.into(), ..Process::default() };
            trouble(&r, &p, "yin").map(|t| t.0)
        };
        assert_eq!(kind(0, "42", "", false), None);
        assert_eq!(kind(0, "", "", false), Some(Status::Failed));
        assert_eq!(kind(1, "42", "error[type]: no", false), Some(Status::Failed));
        assert_eq!(kind(1, "", "RecursionError: maximum", false), Some(Status::Overflow));
        assert_eq!(kind(1, "", "Error: Cannot find module 'immutable'", false), Some(Status::Missing));
        assert_eq!(kind(137, "", "", true), Some(Status::Late));
    }
}
