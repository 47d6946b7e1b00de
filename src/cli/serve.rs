//! `yin serve --accept`: runs what others send, each job in a process of its own.

use super::{Options, eval, machine, park};
use crate::ship::link::{Link, Tcp};
use crate::ship::seal::{Key, Sealed};
use crate::ship::wire::{self, Done, Name, Say};
use std::collections::{HashMap, VecDeque};
use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use yin_ast::pack::{In, Out};
use yin_vm::freeze;
use yin_vm::layout::Kind;

/// Where to listen unless told.
const ADDRESS: &str = "127.0.0.1:4747";
/// Steps, bytes of values and bytes on the way that a job gets unless told.
const FUEL: u64 = 10_000_000_000;
const MEMORY_BYTES: usize = 1 << 30;
const MOST_BYTES: usize = 64 << 20;
/// Bytes of code that is kept for the next job.
const KEPT_BYTES: usize = 64 << 20;
/// Jobs at the same time.
const JOBS: usize = 16;
/// How long somebody who sends may be silent.
const PATIENCE: Duration = Duration::from_secs(20);

/// Packed forms by their hash, the oldest given up first.
#[derive(Default)]
struct Forms {
    by_name: HashMap<Name, Arc<Vec<u8>>>,
    order: VecDeque<Name>,
    bytes: usize,
}
impl Forms {
    fn keep(&mut self, name: Name, form: Arc<Vec<u8>>) {
        if self.by_name.contains_key(&name) || form.len() > KEPT_BYTES {
            return;
        }
        self.bytes += form.len();
        self.order.push_back(name);
        self.by_name.insert(name, form);
        while self.bytes > KEPT_BYTES {
            let Some(oldest) = self.order.pop_front() else { break };
            self.bytes -= self.by_name.remove(&oldest).map_or(0, |f| f.len());
        }
    }
}

struct Server {
    key: Option<Key>,
    most: usize,
    /// Options that a job's process gets.
    job_options: Vec<String>,
    forms: Mutex<Forms>,
    jobs: AtomicUsize,
    serial: AtomicUsize,
}

/// The key that the options name; none with `--insecure`.
///
/// # Errors
/// There is none, and that was not asked for.
pub fn key(o: &Options) -> Result<Option<Key>, String> {
    match &o.key {
        Some(_) if o.insecure => Err("--key and --insecure exclude each other".into()),
        Some(file) => Key::read(file).map(Some),
        None if o.insecure => Ok(None),
        None => Err(format!(
            "{} needs --key FILE, the same on both sides (`yin key FILE` makes one); --insecure goes without",
            o.command
        )),
    }
}

/// `yin key FILE`
pub fn make_key(o: &Options) -> i32 {
    let Some(file) = &o.file else {
        eprintln!("yin: key takes the name of a file to make");
        return 2;
    };
    match Key::create(file) {
        Ok(()) => 0,
        Err(why) => {
            eprintln!("yin: {why}");
            2
        }
    }
}

/// `yin serve --accept`
pub fn serve(o: &Options) -> i32 {
    if let Some(dir) = &o.job {
        return job(o, Path::new(dir));
    }
    if !o.accept {
        eprintln!("yin: serve takes --accept: it runs what others send");
        return 2;
    }
    let key = match key(o) {
        Ok(k) => k,
        Err(why) => {
            eprintln!("yin: {why}");
            return 2;
        }
    };
    let address = o.listen.as_deref().unwrap_or(ADDRESS);
    let bound = TcpListener::bind(address).and_then(|l| l.local_addr().map(|a| (l, a)));
    let (listener, bound) = match bound {
        Ok(b) => b,
        Err(e) => {
            eprintln!("yin: {address}: {e}");
            return 2;
        }
    };
    if key.is_none() && !bound.ip().is_loopback() {
        eprintln!("warning: whoever reaches {bound} can run programs here");
    }
    eprintln!("listening on {bound}");
    let mut job_options: Vec<String> = vec!["--fuel".into(), o.fuel.unwrap_or(FUEL).to_string()];
    job_options.extend(["--mem".into(), o.mem.unwrap_or(MEMORY_BYTES).to_string()]);
    job_options.extend(["--on-conflict".into(), o.on_conflict.word().into()]);
    o.load.iter().for_each(|f| job_options.extend(["--load".into(), f.clone()]));
    if o.jit.mode == yin_jit::Mode::Off {
        job_options.extend(["--jit".into(), "off".into()]);
    }
    let server = Arc::new(Server {
        key,
        most: o.most.unwrap_or(MOST_BYTES),
        job_options,
        forms: Mutex::default(),
        jobs: AtomicUsize::new(0),
        serial: AtomicUsize::new(0),
    });
    for stream in listener.incoming() {
        let stream = match stream {
            Ok(s) => s,
            Err(e) => {
                eprintln!("yin: {e}");
                continue;
            }
        };
        let server = server.clone();
        let who = stream.peer_addr().map_or("somebody".into(), |a| a.to_string());
        let talk = move || {
            match talk(&server, stream) {
                Ok(what) => eprintln!("{who}: {what}"),
                Err(why) => eprintln!("{who}: refused: {why}"),
            };
        };
        if let Err(e) = std::thread::Builder::new().name("job".into()).spawn(talk) {
            eprintln!("yin: {e}");
        }
    }
    0
}

/// One conversation; what came of it, for people.
fn talk(server: &Server, stream: TcpStream) -> Result<String, String> {
    let mut tcp = Tcp::new(stream)?;
    tcp.set_patience(Some(PATIENCE))?;
    let mut link: Box<dyn Link> = match &server.key {
        Some(k) => Box::new(Sealed::accept(tcp, k)?),
        None => Box::new(tcp),
    };
    struct Place<'a>(&'a AtomicUsize);
    impl Drop for Place<'_> {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::SeqCst);
        }
    }
    let busy = server.jobs.fetch_add(1, Ordering::SeqCst) >= JOBS;
    let _place = Place(&server.jobs);
    let result = if busy { Err("too many jobs at once".into()) } else { receive(server, link.as_mut()) };
    match result {
        Ok((bytes, arguments, what)) => {
            let status = run(server, link.as_mut(), &bytes, &arguments)?;
            Ok(format!("{what}, exit status {status}"))
        }
        Err(why) => {
            let _ = wire::say(link.as_mut(), &Say::Refused(why.clone()));
            // Closing at once could lose what was just said, while bytes of the other side are unread.
            let _ = wire::hear(link.as_mut(), 1 << 16);
            Err(why)
        }
    }
}

/// Hears an offer and gets the code that is not here: the frozen bytes, arguments, and what travelled.
fn receive(server: &Server, link: &mut dyn Link) -> Result<(Vec<u8>, Vec<String>, String), String> {
    let said = wire::hear(link, server.most)?;
    let Some(Say::Offer { skeleton, forms, arguments }) = said else { return Err("no offer came".into()) };
    let mut have: Vec<Option<Arc<Vec<u8>>>> = {
        let kept = server.forms.lock().map_err(|_| "a job failed")?;
        forms.iter().map(|f| kept.by_name.get(f).cloned()).collect()
    };
    let lacks: Vec<u64> = (0..forms.len()).filter(|i| have[*i].is_none()).map(|i| i as u64).collect();
    wire::say(link, &Say::Lacks(lacks.clone()))?;
    let said = wire::hear(link, server.most.saturating_sub(skeleton.len()))?;
    let Some(Say::Forms(sent)) = said else { return Err("no code came".into()) };
    if sent.len() != lacks.len() {
        return Err("other code came than was asked for".into());
    }
    for (i, form) in lacks.iter().zip(sent) {
        let name = forms[*i as usize];
        if blake3::hash(&form).as_bytes() != &name {
            return Err("other code came than was asked for".into());
        }
        let form = Arc::new(form);
        server.forms.lock().map_err(|_| "a job failed")?.keep(name, form.clone());
        have[*i as usize] = Some(form);
    }
    let have: Vec<&[u8]> = have.iter().flatten().map(|f| f.as_slice()).collect();
    let bytes = freeze::join(&skeleton, &have)?;
    if bytes.len() > server.most {
        return Err(format!("more than {} bytes", server.most));
    }
    freeze::holds_program(&bytes)?;
    let what = format!("{} bytes, {} of {} forms were here", bytes.len(), forms.len() - lacks.len(), forms.len());
    Ok((bytes, arguments, what))
}

/// A folder that only this user sees, and that is gone at the end.
struct Folder(PathBuf);
impl Folder {
    fn new(serial: usize) -> Result<Folder, String> {
        let path = std::env::temp_dir().join(format!("yin-job-{}-{serial}", std::process::id()));
        let mut builder = std::fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        Ok(Folder(path))
    }
    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), String> {
        std::fs::write(self.0.join(name), bytes).map_err(|e| format!("{name}: {e}"))
    }
    fn read(&self, name: &str) -> Option<Vec<u8>> {
        std::fs::read(self.0.join(name)).ok()
    }
}
impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

enum Event {
    Say(Say),
    /// One of the two outputs ended.
    Ended,
    Gone,
}

fn forward(mut from: impl Read + Send + 'static, to: SyncSender<Event>, what: fn(Vec<u8>) -> Say) {
    std::thread::spawn(move || {
        let mut buffer = [0; 16 << 10];
        loop {
            match from.read(&mut buffer) {
                Ok(0) | Err(_) => break,
                Ok(n) => {
                    if to.send(Event::Say(what(buffer[..n].to_vec()))).is_err() {
                        return;
                    }
                }
            }
        }
        let _ = to.send(Event::Ended);
    });
}

/// Runs a job in its own process, sends what it writes and how it ended; its exit status.
fn run(server: &Server, link: &mut dyn Link, bytes: &[u8], arguments: &[String]) -> Result<i32, String> {
    let folder = Folder::new(server.serial.fetch_add(1, Ordering::SeqCst))?;
    folder.write("bytes", bytes)?;
    let mut out = Out::default();
    out.number(arguments.len() as u64);
    arguments.iter().for_each(|a| out.text(a));
    folder.write("arguments", &out.0)?;
    let program = std::env::current_exe().map_err(|e| e.to_string())?;
    let mut child = Command::new(program)
        .args(["serve", "--job"])
        .arg(&folder.0)
        .args(&server.job_options)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| e.to_string())?;
    let (to, events) = sync_channel(16);
    forward(child.stdout.take().expect("piped"), to.clone(), Say::Out);
    forward(child.stderr.take().expect("piped"), to.clone(), Say::Err);
    link.set_patience(None)?;
    let mut gone = link.watch()?;
    std::thread::spawn(move || {
        while !gone() {
            std::thread::sleep(Duration::from_millis(100));
        }
        let _ = to.send(Event::Gone);
    });
    let mut open = 2;
    let mut lost = None;
    while open > 0 {
        let failed = match events.recv() {
            Ok(Event::Say(what)) if lost.is_none() => wire::say(link, &what).err(),
            Ok(Event::Say(_)) => None,
            Ok(Event::Ended) => {
                open -= 1;
                None
            }
            Ok(Event::Gone) => Some("the other side is gone".to_string()),
            Err(_) => break,
        };
        if let Some(why) = failed {
            // Nobody waits for it any more.
            let _ = child.kill();
            lost.get_or_insert(why);
        }
    }
    let status = child.wait().map_err(|e| e.to_string())?;
    if let Some(why) = lost {
        return Err(why);
    }
    let status = status.code().unwrap_or(70);
    let done = Done {
        status: u8::try_from(status).unwrap_or(70),
        result: folder.read("result").and_then(|b| String::from_utf8(b).ok()),
        frozen: folder.read("frozen"),
        parked: folder.read("parked"),
    };
    wire::say(link, &Say::Done(done))?;
    Ok(status)
}

/// The process of a job: `yin serve --job FOLDER`.
fn job(o: &Options, dir: &Path) -> i32 {
    match try_job(o, dir) {
        Ok(code) => code,
        Err(why) => {
            eprintln!("yin: {why}");
            2
        }
    }
}
fn try_job(o: &Options, dir: &Path) -> Result<i32, String> {
    let read = |name: &str| std::fs::read(dir.join(name)).map_err(|e| format!("{name}: {e}"));
    let (bytes, arguments) = (read("bytes")?, read("arguments")?);
    let mut b = In::new(&arguments);
    let n = b.count(1)?;
    let arguments = (0..n).map(|_| b.text().map(String::from)).collect::<Result<Vec<_>, _>>()?;
    let mut o = o.clone();
    o.park = Some(dir.join("parked").to_string_lossy().into_owned());
    let mut vm = machine(&o)?;
    if let Err(code) = park::load(&mut vm, &o) {
        return Ok(code);
    }
    if freeze::holds_program(&bytes)? {
        if arguments.len() > 1 {
            return Err("a program that parked takes one value".into());
        }
        return Ok(park::go_on(&mut vm, &o, "the program", &bytes, arguments.first().map(String::as_str)));
    }
    let result = vm.thaw(&bytes, o.on_conflict).and_then(|v| {
        let args = arguments.iter().map(|a| vm.read_data(a)).collect::<Result<Vec<_>, _>>()?;
        match v.kind() {
            Some(Kind::Closure | Kind::KontFn | Kind::PrimFn | Kind::MultiFn | Kind::ProtocolFn | Kind::Var) => {
                vm.call_now(v, &args)
            }
            _ => Ok(v),
        }
    });
    let result = result.and_then(|v| vm.pr_now(v).map(|text| (v, text)));
    vm.flush_out();
    match result {
        Ok((v, text)) => {
            std::fs::write(dir.join("result"), text).map_err(|e| e.to_string())?;
            if let Ok(frozen) = vm.freeze(v) {
                std::fs::write(dir.join("frozen"), frozen).map_err(|e| e.to_string())?;
            }
            Ok(0)
        }
        Err(e) => Ok(eval::failed(&mut vm, &o, e)),
    }
}
