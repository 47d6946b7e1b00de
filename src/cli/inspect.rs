//! Asking a running machine: the program of `yin query --source run`, and processes started with `--inspect`.
//!
//! A process that can be asked listens on a loopback address. A request is one line, an EDN map with the token that the
//! process printed; the answer is text until the end of the stream. The machine answers at its next poll, on its own thread,
//! so that the answer is of one moment, and goes on.

use super::query::{Question, text};
use super::shape::Shape;
use super::{Options, eval, report};
use datoms::edn::{Edn, Symbol, read};
use datoms::lazy::{Lexicon, Part};
use datoms::query::Output;
use std::cell::RefCell;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;
use yin_vm::Vm;
use yin_vm::inspect::library::{Rules, get};
use yin_vm::inspect::moment::{self, Go, Moment, Why};
use yin_vm::inspect::trace::{Level, Trace};
use yin_vm::inspect::{exec, globals, jit, load};

type Failed = (i32, String);

/// The answer of a machine at a moment, or when it is idle.
fn answer(vm: &Vm, moment: Option<&Moment>, first_code: usize, q: &Question) -> Result<Output, String> {
    let wanted = q.wanted();
    let wants = |a: &str| wanted.wants(a);
    let lexicon = Lexicon::shared();
    let ast = yin_ast::source::program(&vm.ast, &lexicon);
    let globals = globals::source(vm, &lexicon, &wants);
    let exec = exec::source(vm, first_code, &lexicon, &wants);
    let run = match moment {
        Some(m) => vm.moment_source(m, &lexicon, &wants),
        None => vm.run_source(&lexicon, &wants),
    };
    let jit = jit::source(vm, &lexicon, &wants);
    let parts: Vec<(&str, &dyn Part)> =
        vec![("ast", &ast), ("globals", &globals), ("exec", &exec), ("run", &run), ("jit", &jit)];
    q.run(&parts)
}

/// Rows that a recording holds if nothing else is said.
const TRACE_LIMIT: usize = 1_000_000;

/// Makes a machine record its run.
pub fn record(vm: &mut Vm, level: Level, limit: Option<usize>) -> Arc<Lexicon> {
    let lexicon = Lexicon::shared();
    vm.trace = Some(Box::new(Trace::new(level, limit.unwrap_or(TRACE_LIMIT), &lexicon)));
    vm.look_up();
    lexicon
}

fn say_if_full(vm: &Vm) {
    if let Some(t) = vm.trace.as_ref().filter(|t| t.full) {
        eprintln!("yin: the recording is full and ends after {} rows; --trace-limit N allows more", t.len());
    }
}

/// Writes what was recorded to a file, a fact a line.
pub fn write_recording(vm: &mut Vm, lexicon: &Arc<Lexicon>, file: &str) -> std::io::Result<()> {
    say_if_full(vm);
    let Some(recorded) = vm.end_trace() else { return Ok(()) };
    let mut out = std::io::BufWriter::new(std::fs::File::create(file)?);
    recorded.relations().write(lexicon, &mut out)?;
    out.flush()
}

/// Runs a program and asks at its breakpoint, where its fuel ends, or when it is over. Its output goes to standard error.
pub fn run_and_ask(
    mut vm: Vm,
    file: &load::Source,
    first_code: usize,
    question: Question,
    shape: Shape,
    o: &Options,
) -> Result<i32, Failed> {
    if let Some(level) = o.trace {
        return record_and_ask(vm, file, first_code, &question, shape, level, o.trace_limit);
    }
    let found: Rc<RefCell<Option<Result<Output, String>>>> = Rc::default();
    let (slot, question) = (found.clone(), Rc::new(question));
    let q = question.clone();
    vm.asker = Some(Box::new(move |vm, m| {
        if m.why != Why::Asked && slot.borrow().is_none() {
            *slot.borrow_mut() = Some(answer(vm, Some(m), first_code, &q));
        }
        Go::Stop
    }));
    vm.hold_output = true;
    report::watch_interrupts();
    if let Some(dir) = std::path::Path::new(&file.name).parent() {
        vm.source_paths.insert(0, dir.to_string_lossy().into_owned());
    }
    let result = vm.eval_text(&file.text, &file.name);
    eprint!("{}", vm.out);
    vm.out.clear();
    let mut code = 0;
    if found.borrow().is_none() {
        if let Err(e) = result {
            code = eval::failed(&mut vm, &Options::default(), e);
        }
        *found.borrow_mut() = Some(answer(&vm, None, first_code, &question));
    }
    let out = found.borrow_mut().take().expect("asked above").map_err(|e| (2, e))?;
    super::query::print(&out, &question.query, shape);
    Ok(code)
}

/// Asks about frozen bytes: nothing of them runs. A value is the global `user/frozen`.
pub fn thaw_and_ask(mut vm: Vm, file: &str, first_code: usize, q: &Question, shape: Shape) -> Result<i32, Failed> {
    let bytes = std::fs::read(file).map_err(|e| (2, format!("{file}: {e}")))?;
    vm.open_frozen(&bytes, "user/frozen").map_err(|e| (2, format!("{file}: {e}")))?;
    let wanted = q.wanted();
    let wants = |a: &str| wanted.wants(a);
    let lexicon = Lexicon::shared();
    let ast = yin_ast::source::program(&vm.ast, &lexicon);
    let globals = globals::source(&vm, &lexicon, &wants);
    let exec = exec::source(&vm, first_code, &lexicon, &wants);
    let run = vm.captured_source(&lexicon, &wants);
    let parts: Vec<(&str, &dyn Part)> = vec![("ast", &ast), ("globals", &globals), ("exec", &exec), ("run", &run)];
    let out = q.run(&parts).map_err(|e| (2, e))?;
    super::query::print(&out, &q.query, shape);
    Ok(0)
}

/// Runs a program to its end, recording, and asks about the recording.
fn record_and_ask(
    mut vm: Vm,
    file: &load::Source,
    first_code: usize,
    q: &Question,
    shape: Shape,
    level: Level,
    limit: Option<usize>,
) -> Result<i32, Failed> {
    let lexicon = record(&mut vm, level, limit);
    vm.hold_output = true;
    report::watch_interrupts();
    let result = vm.eval_text(&file.text, &file.name);
    eprint!("{}", vm.out);
    vm.out.clear();
    let code = result.map_or_else(|e| eval::failed(&mut vm, &Options::default(), e), |_| 0);
    say_if_full(&vm);
    let recorded = vm.end_trace().expect("set above");
    let wanted = q.wanted();
    let wants = |a: &str| wanted.wants(a);
    let ast = yin_ast::source::program(&vm.ast, &lexicon);
    let globals = globals::source(&vm, &lexicon, &wants);
    let exec = exec::source(&vm, first_code, &lexicon, &wants);
    let run = vm.run_source(&lexicon, &wants);
    let parts: Vec<(&str, &dyn Part)> =
        vec![("ast", &ast), ("globals", &globals), ("exec", &exec), ("run", &run), ("trace", &recorded)];
    let out = q.run(&parts).map_err(|e| (2, e))?;
    super::query::print(&out, &q.query, shape);
    Ok(code)
}

// ---------------------------------------------------------------- a process that can be asked

struct Request {
    question: Question,
    shape: Shape,
    reply: mpsc::Sender<String>,
}

/// Longest request.
const MAX_REQUEST: u64 = 1 << 20;

/// Makes a machine answer questions on a loopback address. Says where, and the token, on standard error.
///
/// # Errors
/// Addresses that are not loopback, and those the system refuses.
pub fn listen(vm: &mut Vm, address: &str) -> Result<(), String> {
    let addr: SocketAddr =
        address.parse().map_err(|_| format!("--inspect takes an address such as 127.0.0.1:7777, not {address}"))?;
    if !addr.ip().is_loopback() {
        return Err(format!("--inspect listens on loopback addresses only, not {}", addr.ip()));
    }
    let listener = TcpListener::bind(addr).map_err(|e| format!("--inspect {address}: {e}"))?;
    let at = listener.local_addr().map_err(|e| e.to_string())?;
    let token = token()?;
    eprintln!("inspect: yin query QUERY --attach {at} --token {token}");
    let (send, requests) = mpsc::channel::<Request>();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (send, token) = (send.clone(), token.clone());
            std::thread::spawn(move || serve(stream, &token, &send));
        }
    });
    vm.asker = Some(Box::new(move |vm, m| {
        while let Ok(r) = requests.try_recv() {
            let moment = (m.why != Why::Fuel).then_some(m);
            let reply = match answer(vm, moment, 0, &r.question) {
                Ok(out) => text(&out, &r.question.query, r.shape),
                Err(e) => format!("error: {e}\n"),
            };
            // Who asked may have gone.
            let _ = r.reply.send(reply);
        }
        Go::On
    }));
    Ok(())
}

/// 128 random bits from the system.
fn token() -> Result<String, String> {
    let mut bytes = [0u8; 16];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut f| f.read_exact(&mut bytes))
        .map_err(|e| format!("/dev/urandom: {e}"))?;
    Ok(bytes.iter().map(|b| format!("{b:02x}")).collect())
}

/// Equal in time that does not depend on where they differ.
fn same(a: &str, b: &str) -> bool {
    a.len() == b.len() && a.bytes().zip(b.bytes()).fold(0, |d, (x, y)| d | (x ^ y)) == 0
}

fn serve(mut stream: TcpStream, token: &str, send: &mpsc::Sender<Request>) {
    let _ = stream.set_read_timeout(Some(Duration::from_secs(10)));
    let mut line = String::new();
    let reply = match BufReader::new((&stream).take(MAX_REQUEST)).read_line(&mut line) {
        Err(e) => format!("error: {e}\n"),
        Ok(_) => match request(&line, token) {
            Err(e) => format!("error: {e}\n"),
            Ok((question, shape)) => {
                let (reply, answer) = mpsc::channel();
                if send.send(Request { question, shape, reply }).is_err() {
                    "error: the program is over\n".into()
                } else {
                    moment::ask();
                    answer.recv_timeout(Duration::from_secs(30)).unwrap_or_else(|_| {
                        "error: the program did not come to a poll within 30 seconds; it may be waiting for the system\n".into()
                    })
                }
            }
        },
    };
    let _ = stream.write_all(reply.as_bytes());
}

fn request(line: &str, token: &str) -> Result<(Question, Shape), String> {
    let form = read(line).map_err(|e| e.to_string())?;
    if !get(&form, "token").and_then(Edn::as_str).is_some_and(|t| same(t, token)) {
        return Err("the token is wrong".into());
    }
    let mut rules = Rules::library();
    if let Some(r) = get(&form, "rules").and_then(Edn::as_str) {
        rules.add(r)?;
    }
    let inputs = get(&form, "inputs")
        .and_then(|m| m.as_map())
        .map_or(Vec::new(), |m| m.iter().filter_map(|(k, v)| Some((Symbol::new(k.as_str()?), v.clone()))).collect());
    let query = get(&form, "query").cloned().ok_or("the request has no query")?;
    let shape = Shape::named(get(&form, "format").and_then(Edn::as_str), Shape::Table).map_err(|e| e.1)?;
    Ok((Question { query, rules, inputs, sources: Vec::new(), stores: Vec::new() }, shape))
}

/// Asks a process: `yin query QUERY --attach ADDRESS --token TOKEN`.
pub fn attach(o: &Options, address: &str) -> Result<i32, Failed> {
    let q = super::query::question(o)?;
    let token = o.token.clone().or_else(|| std::env::var("YIN_TOKEN").ok()).ok_or((
        2,
        "--attach needs --token TOKEN, or YIN_TOKEN in the environment: the process printed it when it started"
            .to_string(),
    ))?;
    let own: Vec<Edn> = q.rules.branches[Rules::library().branches.len()..].to_vec();
    let pairs = vec![
        (Edn::keyword("token"), Edn::string(token)),
        (Edn::keyword("query"), q.query.clone()),
        (Edn::keyword("rules"), Edn::string(Edn::vector(own).to_string())),
        (Edn::keyword("inputs"), Edn::map(q.inputs.iter().map(|(n, v)| (Edn::string(n.as_str()), v.clone())))),
        (Edn::keyword("format"), Edn::string(o.format.as_deref().unwrap_or("table"))),
    ];
    let line = Edn::map(pairs).to_string().replace('\n', "\\n") + "\n";
    let fail = |e: std::io::Error| (1, format!("{address}: {e}"));
    let mut stream = TcpStream::connect(address).map_err(fail)?;
    stream.write_all(line.as_bytes()).map_err(fail)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).map_err(fail)?;
    if let Some(e) = answer.strip_prefix("error: ") {
        return Err((1, e.trim_end().to_string()));
    }
    // A reader that has seen enough is no error.
    let _ = std::io::stdout().write_all(answer.as_bytes());
    Ok(0)
}
