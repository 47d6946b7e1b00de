//! The gate: instruction counts, sizes and memory, compared with a committed baseline.

mod baseline;
mod count;
mod report;

use baseline::{Baseline, Finding};
use std::path::PathBuf;

const HELP: &str = "\
usage: cargo xtask bench [compare]            count, compare with benches/baseline.json; 1 if something rose too much
       cargo xtask bench bless --reason WHY   count, and make that the baseline
       cargo xtask bench exact [N]            count N times (5): are all equal?
       cargo xtask bench selftest             is a function that was slowed down caught?
       cargo xtask bench tools                install what counting needs, or say what is missing
       cargo xtask bench build                build what is counted, and count nothing
       cargo xtask bench wall [FILTER]        time of the parts (criterion)

options: --only parts|programs|sizes   some of it (compare and exact)
         --from FILE      do not count: take what an earlier --json wrote
         --json FILE      what was counted, as a baseline has it
         --history FILE   the same as one line, added to it
         --markdown FILE  the comparison, for a comment

limits: instructions 1 %, sizes and memory 2 %
";

/// What the command line asks for.
#[derive(Default)]
pub struct Request {
    command: String,
    only: Option<String>,
    reason: Option<String>,
    from: Option<PathBuf>,
    json: Option<PathBuf>,
    history: Option<PathBuf>,
    markdown: Option<PathBuf>,
    rest: Vec<String>,
}

fn parse(args: &[String]) -> Result<Request, String> {
    let mut r = Request::default();
    let mut args = args.iter();
    while let Some(a) = args.next() {
        let mut value = || args.next().cloned().ok_or_else(|| format!("{a} takes a value"));
        match a.as_str() {
            "--only" => r.only = Some(value()?),
            "--reason" => r.reason = Some(value()?),
            "--from" => r.from = Some(value()?.into()),
            "--json" => r.json = Some(value()?.into()),
            "--history" => r.history = Some(value()?.into()),
            "--markdown" => r.markdown = Some(value()?.into()),
            "--help" | "-h" => r.command = "help".into(),
            o if o.starts_with("--") => return Err(format!("no option {o}")),
            word if r.command.is_empty() => r.command = word.into(),
            word => r.rest.push(word.into()),
        }
    }
    if r.only.as_deref().is_some_and(|o| !["parts", "programs", "sizes"].contains(&o)) {
        return Err("--only takes parts, programs or sizes".into());
    }
    Ok(r)
}

/// `cargo xtask bench …`; the exit status: 0 fine, 1 something rose, 2 usage, 3 tools are missing.
pub fn run(args: &[String]) -> i32 {
    let done = parse(args).map_err(|e| (2, e)).and_then(|r| match r.command.as_str() {
        "" | "compare" => compare(&r),
        "bless" => bless(&r),
        "exact" => exact(&r),
        "selftest" => selftest(),
        "tools" => count::tools(true).map(|t| println!("{}", t.describe())),
        "build" => count::tools(false).and_then(|t| count::build(&t)),
        "wall" => count::wall(&r.rest),
        "help" => {
            print!("{HELP}");
            Ok(())
        }
        c => Err((2, format!("no command {c}\n{HELP}"))),
    });
    match done {
        Ok(()) => 0,
        Err((code, why)) => {
            eprintln!("{why}");
            code
        }
    }
}

/// A failure: exit status and what to say.
type Failure = (i32, String);
type Done = Result<(), Failure>;

fn failed(e: impl ToString) -> Failure {
    (1, e.to_string())
}

fn counted(r: &Request) -> Result<Baseline, Failure> {
    let now = match &r.from {
        Some(path) => Baseline::read(path).map_err(failed)?,
        None => count::everything(r.only.as_deref())?,
    };
    if let Some(path) = &r.json {
        now.write(path).map_err(failed)?;
    }
    if let Some(path) = &r.history {
        now.append(path).map_err(failed)?;
    }
    Ok(now)
}

fn compare(r: &Request) -> Done {
    let old = Baseline::read(&baseline::path()).map_err(failed)?;
    let now = counted(r)?;
    let findings = old.compare(&now, r.only.as_deref());
    print!("{}", report::text(&old, &now, &findings));
    if let Some(path) = &r.markdown {
        std::fs::write(path, report::markdown(&old, &now, &findings)).map_err(failed)?;
    }
    let bad: Vec<&Finding> = findings.iter().filter(|f| f.fails()).collect();
    if bad.is_empty() {
        return Ok(());
    }
    let mut why = String::from("\nThe gate is closed:\n");
    bad.iter().for_each(|f| why.push_str(&format!("  {f}\n")));
    why.push_str(
        "If that is meant: cargo xtask bench bless --reason \"WHY\", and commit benches/baseline.json with the change.",
    );
    Err((1, why))
}

fn bless(r: &Request) -> Done {
    let Some(reason) = r.reason.as_deref().map(str::trim).filter(|s| !s.is_empty()) else {
        return Err((2, "bless takes --reason \"WHY\": the reason is committed with the counts".into()));
    };
    if r.only.is_some() {
        return Err((2, "a baseline is whole: bless takes no --only".into()));
    }
    let mut now = counted(r)?;
    if let Ok(old) = Baseline::read(&baseline::path()) {
        print!("{}", report::text(&old, &now, &old.compare(&now, None)));
        now.reasons = old.reasons;
    }
    now.reasons.insert(0, reason.to_string());
    now.reasons.truncate(20);
    now.write(&baseline::path()).map_err(failed)?;
    println!(
        "blessed: {} figures are now the baseline; commit benches/baseline.json with the change",
        now.figures.len()
    );
    Ok(())
}

/// Counts several times; every figure must be the same every time.
fn exact(r: &Request) -> Done {
    let n: usize = match r.rest.first() {
        Some(n) => n.parse().ok().filter(|n| *n > 1).ok_or((2, format!("{n}: a number above 1 is needed")))?,
        None => 5,
    };
    let runs = (0..n).map(|_| count::everything(r.only.as_deref())).collect::<Result<Vec<_>, _>>()?;
    if let Some(path) = &r.json {
        runs[0].write(path).map_err(failed)?;
    }
    let mut uneven = Vec::new();
    for name in runs[0].figures.keys() {
        let values: Vec<u64> = runs.iter().filter_map(|b| b.figures.get(name).copied()).collect();
        let (least, most) = (values.iter().min().copied().unwrap_or(0), values.iter().max().copied().unwrap_or(0));
        if values.len() != n || least != most {
            uneven.push(format!(
                "  {name}: {least} to {most}, {:.4} %",
                (most - least) as f64 / least.max(1) as f64 * 100.0
            ));
        }
    }
    let equal = runs[0].figures.len() - uneven.len();
    println!("{n} runs: {equal} of {} figures are equal to the last instruction", runs[0].figures.len());
    if uneven.is_empty() { Ok(()) } else { Err((1, uneven.join("\n"))) }
}

/// The gate against a function that is deliberately slowed down by 2 %.
fn selftest() -> Done {
    let old = Baseline::read(&baseline::path()).map_err(failed)?;
    let only = |b: &Baseline| -> Vec<String> {
        let findings = old.compare_names(b, |name| name == "part/probe");
        findings.iter().filter(|f| f.fails()).map(|f| f.to_string()).collect()
    };
    let usual = only(&count::probe(false)?);
    if !usual.is_empty() {
        return Err((1, format!("the gate is closed to a function that is as it was: {}", usual.join("; "))));
    }
    let slowed = only(&count::probe(true)?);
    if slowed.len() != 1 {
        return Err((1, "the gate let a function pass that takes 2 % more instructions".into()));
    }
    println!("the gate works: it is open to the function as it was, and closed to the slowed one:\n  {}", slowed[0]);
    Ok(())
}
