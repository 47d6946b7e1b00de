//! Subcommands: one file each; this one finds out which, and holds what they share.

mod ast;
mod bench;
mod check;
mod conform;
mod db;
mod eval;
mod inspect;
mod park;
mod passes;
mod query;
mod repl;
mod report;
mod send;
mod serve;
mod shape;

use lexopt::prelude::*;
use yin_ast::diag::{DIAGS, Diag};
use yin_vm::freeze::OnConflict;
use yin_vm::{Stop, Vm};

const HELP: &str = "\
yin — run Clojure, keep it as datoms

usage: yin FILE [ARG…]            run a program
       yin run FILE|- [ARG…]      the same
       yin run FILE.edn           a program given as datoms [e a v t m] of its AST
       yin eval EXPR|-            run, then print the last value
       yin repl                   read, evaluate, print, again
       yin ast FILE               the program's AST as datoms (--format edn|json|table|tree)
       yin explain [CODE]         what the code of a report means; all of them without one
       yin query QUERY FILE…      Datalog over programs: files and folders
       yin check FILE…            finds mistakes by rules; exit 1 if there are any (--rules FILE: your own)
       yin explain-pass FILE[:LINE] [EDITED…]   what --passes makes of a program, and why
       yin conform --lang clj|datalog FILE   many cases in one process
       yin resume FILE [EDN]      goes on with a parked program; EDN is what park returns
       yin inspect FILE           what is in frozen bytes: frames, locals, sizes
       yin db …                   databases in directories (yin db --help)
       yin serve --accept         runs what others send, and sends back what comes of it
       yin send HOST:PORT FILE [EDN…]   has frozen bytes, or the function that a program ends with, run there
       yin key FILE               makes a key for both sides
       yin bench [NAME…]          measures the benchmark corpus, or your programs (yin bench --help)

options: --lang clj        language of standard input
         --fuel N          stop after N steps (calls and loop turns)
         --mem SIZE        most memory for values: 512M, 2G
         --clock steps     the program's clock counts its steps, random numbers are the same every time
         --stats[=json]    times, counts and sizes at the end, to standard error
         --jit off|auto|always   machine code: never, for what is hot, for everything before it runs
         --dump ast,op,clif,asm  print each form's AST, its instructions, compiler input, machine code to standard error
         --park FILE       where (park label) freezes the program to
         --park-on-term FILE   a request to terminate (SIGTERM) freezes the program instead
         --checkpoint FILE --every N   freezes the program every N steps and goes on
         --format F        output format where there is a choice

sending: --key FILE        what both sides know; conversations are sealed with it
         --insecure        without: whoever reaches the port runs programs
         --listen HOST:PORT   where serve listens (127.0.0.1:4747)
         --most SIZE       most bytes of one job (64M); --fuel and --mem limit it, too (10_000_000_000 steps, 1G)
         --out FILE        where send writes the value as frozen bytes; --park FILE: the program, if it parks there

resume, serve:
         --load FILE       evaluates definitions first, so that the program goes on with them (as often as needed)
         --on-conflict ours|theirs|error   which of two definitions of one name counts: those here, those that arrive, or
                           neither (error, the default)

queries: --rules FILE      more rules; --in NAME=EDN gives an input a value, --in '$NAME=DIR' a store
         --source S,…      what is asked: ast (nodes), exec (instructions); types, run, jit run the program;
                           frozen (a file of frozen bytes: nothing runs)
         --passes FILE     rewrites every form by rules before it runs; `default` are the shipped ones
         --trace calls|steps    records the run: `yin query` asks about it, `yin run` writes it to --trace-file FILE;
                           --trace-limit N rows at most (1_000_000)
         --attach ADDRESS  asks a process that runs with --inspect ADDRESS; --token TOKEN is what it printed
         --format F        table, edn or json
         --help, --version

exit status: 0 fine, 1 the program failed, 2 usage, read or compile error, 3 a limit was reached, 130 interrupted
";

/// Whether and how a run is accounted for at its end.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub enum Stats {
    #[default]
    No,
    Text,
    /// One line behind the word `yin_stats`.
    Json,
}

/// What the command line asks for.
#[derive(Default, Clone)]
pub struct Options {
    pub command: String,
    pub file: Option<String>,
    pub args: Vec<String>,
    pub fuel: Option<u64>,
    pub mem: Option<usize>,
    pub clock_is_steps: bool,
    pub dump: Vec<String>,
    pub stats: Stats,
    pub format: Option<String>,
    pub lang: Option<String>,
    pub jit: yin_jit::Config,
    /// File that `park` freezes to.
    pub park: Option<String>,
    pub park_on_term: Option<String>,
    pub checkpoint: Option<String>,
    pub every: Option<u64>,
    /// What becomes of a definition that both sides have, differently.
    pub on_conflict: OnConflict,
    /// Files evaluated before a frozen program goes on.
    pub load: Vec<String>,
    pub accept: bool,
    pub listen: Option<String>,
    pub key: Option<String>,
    pub insecure: bool,
    pub most: Option<usize>,
    pub out: Option<String>,
    /// Folder of the job that this process is (`serve`).
    pub job: Option<String>,
    pub rules: Vec<String>,
    pub inputs: Vec<String>,
    pub source: Option<String>,
    pub inspect: Option<String>,
    pub attach: Option<String>,
    pub token: Option<String>,
    pub passes: Option<String>,
    pub trace: Option<yin_vm::inspect::trace::Level>,
    pub trace_limit: Option<usize>,
    pub trace_file: Option<String>,
}

fn size(text: &str) -> Option<usize> {
    let (digits, unit) = match text.char_indices().find(|(_, c)| !c.is_ascii_digit()) {
        Some((i, _)) => text.split_at(i),
        None => (text, ""),
    };
    let n: usize = digits.parse().ok()?;
    let shift = match unit.trim_end_matches("iB").trim_end_matches('B').to_ascii_uppercase().as_str() {
        "" => 0,
        "K" => 10,
        "M" => 20,
        "G" => 30,
        _ => return None,
    };
    n.checked_shl(shift)
}

const COMMANDS: &[&str] = &[
    "run",
    "eval",
    "repl",
    "ast",
    "query",
    "check",
    "explain-pass",
    "conform",
    "bench",
    "db",
    "explain",
    "help",
    "resume",
    "inspect",
    "serve",
    "send",
    "key",
];

fn parse() -> Result<Options, String> {
    let mut o = Options::default();
    let mut p = lexopt::Parser::from_env();
    let text = |v: std::ffi::OsString| v.into_string().map_err(|_| "arguments must be UTF-8".to_string());
    while let Some(arg) = p.next().map_err(|e| e.to_string())? {
        match arg {
            Long("help") | Short('h') => o.command = "help".into(),
            Long("version") | Short('V') => o.command = "version".into(),
            Long("fuel") => {
                let v = text(p.value().map_err(|e| e.to_string())?)?;
                o.fuel = Some(v.replace('_', "").parse().map_err(|_| format!("--fuel takes a number, not {v}"))?);
            }
            Long("clock") => {
                let v = text(p.value().map_err(|e| e.to_string())?)?;
                o.clock_is_steps = match v.as_str() {
                    "real" => false,
                    "steps" => true,
                    _ => return Err(format!("--clock takes real or steps, not {v}")),
                };
            }
            Long("mem") => {
                let v = text(p.value().map_err(|e| e.to_string())?)?;
                o.mem = Some(size(&v).ok_or_else(|| format!("--mem takes a size such as 512M, not {v}"))?);
            }
            Long("dump") => {
                let v = text(p.value().map_err(|e| e.to_string())?)?;
                o.dump = v.split(',').map(String::from).collect();
                for d in &o.dump {
                    match d.split_once('=').unwrap_or((d, "")) {
                        ("ast" | "op", "") => {}
                        ("clif", _) => o.jit.dump.clif = true,
                        ("asm", _) => o.jit.dump.asm = true,
                        _ => {
                            return Err(format!(
                                "--dump knows ast, op, clif, asm (clif=NAME: only functions named so), not {d}"
                            ));
                        }
                    }
                    if let Some((_, name)) = d.split_once('=') {
                        o.jit.dump.name = Some(name.to_string());
                    }
                }
            }
            Long("stats") => {
                o.stats = match p.optional_value().map(text).transpose()?.as_deref() {
                    None => Stats::Text,
                    Some("json") => Stats::Json,
                    Some(f) => return Err(format!("--stats knows json, not {f}")),
                }
            }
            Long("jit") => {
                let v = text(p.value().map_err(|e| e.to_string())?)?;
                o.jit.mode = match v.as_str() {
                    "off" => yin_jit::Mode::Off,
                    "auto" => yin_jit::Mode::Auto,
                    "always" => yin_jit::Mode::Always,
                    _ => return Err(format!("--jit takes off, auto or always, not {v}")),
                };
            }
            Long("park") => o.park = Some(text(p.value().map_err(|e| e.to_string())?)?),
            Long("park-on-term") => o.park_on_term = Some(text(p.value().map_err(|e| e.to_string())?)?),
            Long("checkpoint") => o.checkpoint = Some(text(p.value().map_err(|e| e.to_string())?)?),
            Long("every") => {
                let v = text(p.value().map_err(|e| e.to_string())?)?;
                let n = v.replace('_', "").parse().ok().filter(|n| *n > 0);
                o.every = Some(n.ok_or_else(|| format!("--every takes a number of steps, not {v}"))?);
            }
            Long("on-conflict") => {
                let v = text(p.value().map_err(|e| e.to_string())?)?;
                o.on_conflict = OnConflict::named(&v)
                    .ok_or_else(|| format!("--on-conflict takes ours, theirs or error, not {v}"))?;
            }
            Long("accept") => o.accept = true,
            Long("insecure") => o.insecure = true,
            Long("listen") => o.listen = Some(text(p.value().map_err(|e| e.to_string())?)?),
            Long("key") => o.key = Some(text(p.value().map_err(|e| e.to_string())?)?),
            Long("out") => o.out = Some(text(p.value().map_err(|e| e.to_string())?)?),
            Long("job") => o.job = Some(text(p.value().map_err(|e| e.to_string())?)?),
            Long("most") => {
                let v = text(p.value().map_err(|e| e.to_string())?)?;
                o.most = Some(size(&v).ok_or_else(|| format!("--most takes a size such as 64M, not {v}"))?);
            }
            Long("load") => o.load.push(text(p.value().map_err(|e| e.to_string())?)?),
            Long("format") => o.format = Some(text(p.value().map_err(|e| e.to_string())?)?),
            Long("rules") => o.rules.push(text(p.value().map_err(|e| e.to_string())?)?),
            Long("in") => o.inputs.push(text(p.value().map_err(|e| e.to_string())?)?),
            Long("source") => o.source = Some(text(p.value().map_err(|e| e.to_string())?)?),
            Long("inspect") => o.inspect = Some(text(p.value().map_err(|e| e.to_string())?)?),
            Long("attach") => o.attach = Some(text(p.value().map_err(|e| e.to_string())?)?),
            Long("token") => o.token = Some(text(p.value().map_err(|e| e.to_string())?)?),
            Long("trace") => {
                use yin_vm::inspect::trace::Level;
                o.trace = Some(match text(p.value().map_err(|e| e.to_string())?)?.as_str() {
                    "calls" => Level::Calls,
                    "steps" => Level::Steps,
                    other => return Err(format!("--trace takes calls or steps, not {other}")),
                });
            }
            Long("trace-limit") => {
                let v = text(p.value().map_err(|e| e.to_string())?)?;
                let n = v.replace('_', "").parse().map_err(|_| format!("--trace-limit takes a number, not {v}"))?;
                o.trace_limit = Some(n);
            }
            Long("trace-file") => o.trace_file = Some(text(p.value().map_err(|e| e.to_string())?)?),
            Long("passes") => o.passes = Some(text(p.value().map_err(|e| e.to_string())?)?),
            Long("lang") => o.lang = Some(text(p.value().map_err(|e| e.to_string())?)?),
            Value(v) => {
                let v = text(v)?;
                if o.command.is_empty() {
                    // A file's name wins over a subcommand's.
                    if COMMANDS.contains(&v.as_str()) && !std::path::Path::new(&v).is_file() {
                        o.command = v;
                        if o.command == "bench" || o.command == "db" {
                            // It has options of its own.
                            o.args = p.raw_args().map_err(|e| e.to_string())?.map(text).collect::<Result<_, _>>()?;
                        }
                        continue;
                    }
                    o.command = "run".into();
                }
                if o.file.is_none() {
                    o.file = Some(v);
                    if o.command == "run" {
                        // Everything behind the program is the program's.
                        o.args = p.raw_args().map_err(|e| e.to_string())?.map(text).collect::<Result<_, _>>()?;
                    }
                } else {
                    o.args.push(v);
                }
            }
            other => return Err(other.unexpected().to_string()),
        }
    }
    Ok(o)
}

/// Runs the command; the exit status.
pub fn main() -> i32 {
    let o = match parse() {
        Ok(o) => o,
        Err(e) => {
            eprintln!("yin: {e}\ntry: yin --help");
            return 2;
        }
    };
    match o.command.as_str() {
        "" if o.file.is_none() => repl::run(&o),
        "help" => {
            print!("{HELP}");
            0
        }
        "version" => {
            println!("yin {}", env!("CARGO_PKG_VERSION"));
            0
        }
        "run" => eval::run(&o, false),
        "eval" => eval::run(&o, true),
        "repl" => repl::run(&o),
        "ast" => ast::run(&o),
        "resume" => park::resume(&o),
        "inspect" => park::inspect(&o),
        "serve" => serve::serve(&o),
        "send" => send::run(&o),
        "key" => serve::make_key(&o),
        "query" => query::run(&o),
        "check" => check::run(&o),
        "explain-pass" => passes::run(&o),
        "conform" => conform::run(&o),
        "bench" => bench::run(&o),
        "db" => db::run(&o),
        "explain" => explain(&o),
        c => {
            eprintln!("yin: no command {c}\ntry: yin --help");
            2
        }
    }
}

/// Writes to standard output; a reader that has seen enough is no error.
pub fn print(text: &str) {
    use std::io::Write;
    let mut out = std::io::stdout();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// `yin explain [CODE…]`.
fn explain(o: &Options) -> i32 {
    let mut text = String::new();
    for code in o.file.iter().chain(&o.args) {
        match Diag::named(code) {
            Some(d) => text.push_str(&yin_ast::diag::explain(d)),
            None => {
                eprintln!("yin: no code {code}; yin explain lists them");
                return 2;
            }
        }
    }
    if o.file.is_none() {
        for i in DIAGS {
            text.push_str(&format!("{}  {:<10}  {}\n", i.code, i.kind, i.text.replace("{}", "…")));
        }
    }
    print(&text);
    0
}

/// The library, evaluated while building.
#[repr(C, align(4096))]
struct Aligned<T: ?Sized>(T);
static IMAGE: &Aligned<[u8]> = &Aligned(*include_bytes!(concat!(env!("OUT_DIR"), "/library.image")));

/// A machine with the library.
pub fn new_vm() -> Result<Vm, String> {
    Vm::from_image(&IMAGE.0)
}

/// A machine set up as the options and `YIN_ZEAL` say.
pub fn machine(o: &Options) -> Result<Vm, String> {
    let mut vm = new_vm()?;
    vm.fuel = o.fuel;
    if let Some(m) = o.mem {
        vm.set_memory_limit(m);
    }
    if o.clock_is_steps {
        vm.count_time_in_steps();
    }
    vm.dump_ast = o.dump.iter().any(|d| d == "ast");
    vm.dump_ops = o.dump.iter().any(|d| d == "op");
    vm.args = o.args.clone();
    park::set_up(&mut vm, o)?;
    vm.phases = (o.stats != Stats::No).then(Default::default);
    if let Ok(z) = std::env::var("YIN_ZEAL") {
        for mode in z.split(',').filter(|m| !m.is_empty()) {
            let (name, k) = mode.split_once('=').unwrap_or((mode, "1"));
            let k: u32 = k.parse().map_err(|_| format!("YIN_ZEAL: {mode}: a number is needed behind ="))?;
            vm.set_zeal(name, k)?;
        }
    }
    // A recording sees every step, so it is made by the interpreter.
    if o.trace.is_none() {
        yin_jit::attach(&mut vm, o.jit.clone());
    }
    Ok(vm)
}

fn limit(d: Diag) {
    eprintln!("error[{}]: {} ({})", d.info().kind, d.info().text, d.code());
}

/// Exit status of a stopped program, said on standard error.
pub fn stopped(stop: Stop) -> i32 {
    match stop {
        Stop::Fuel => {
            limit(Diag::Fuel);
            3
        }
        Stop::Memory => {
            limit(Diag::Memory);
            3
        }
        Stop::Interrupt => {
            eprintln!("interrupted");
            130
        }
        Stop::Parked => 0,
        Stop::Exit(code) => code,
    }
}
