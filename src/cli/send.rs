//! `yin send HOST:PORT FILE [EDN…]`: has a computation run where `yin serve --accept` listens.

use super::{Options, Stats, eval, machine, park, report, serve};
use crate::ship::link::{Link, Tcp};
use crate::ship::seal::Sealed;
use crate::ship::wire::{self, Done, Say};
use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;
use yin_vm::freeze;

/// How long to wait for an answer before the computation runs.
const PATIENCE: Duration = Duration::from_secs(20);
/// Largest answer.
const MOST_BYTES: usize = 1 << 30;

/// Exit status and message of what went wrong.
type Failed = (i32, String);

pub fn run(o: &Options) -> i32 {
    match send(o) {
        Ok(code) => code,
        Err((code, why)) => {
            if !why.is_empty() {
                eprintln!("yin: {why}");
            }
            code
        }
    }
}

/// Frozen bytes of a file; of a program's text, those of its last value.
fn bytes_of(o: &Options, file: &str) -> Result<Vec<u8>, Failed> {
    let mut bytes = Vec::new();
    let read = match file {
        "-" => std::io::stdin().read_to_end(&mut bytes).map(drop),
        _ => std::fs::read(file).map(|b| bytes = b),
    };
    read.map_err(|e| (2, format!("{file}: {e}")))?;
    if bytes.starts_with(freeze::MAGIC) {
        return Ok(bytes);
    }
    let source = String::from_utf8(bytes).map_err(|_| (2, format!("{file}: neither frozen bytes nor UTF-8")))?;
    let mut vm = machine(o).map_err(|e| (70, e))?;
    if let Some(dir) = std::path::Path::new(file).parent() {
        vm.source_paths.insert(0, dir.to_string_lossy().into_owned());
    }
    report::watch_interrupts();
    let frozen = vm.eval_text(&source, file).and_then(|v| vm.freeze(v));
    vm.flush_out();
    frozen.map_err(|e| (eval::failed(&mut vm, o, e), String::new()))
}

fn connect(address: &str) -> Result<TcpStream, String> {
    let mut why = format!("{address} is no address");
    for a in address.to_socket_addrs().map_err(|e| format!("{address}: {e}"))? {
        match TcpStream::connect_timeout(&a, PATIENCE) {
            Ok(s) => return Ok(s),
            Err(e) => why = format!("{a}: {e}"),
        }
    }
    Err(why)
}

fn send(o: &Options) -> Result<i32, Failed> {
    let (Some(address), Some((file, arguments))) = (&o.file, o.args.split_first()) else {
        return Err((2, "send takes HOST:PORT, a file, and arguments".into()));
    };
    let key = serve::key(o).map_err(|e| (2, e))?;
    let bytes = bytes_of(o, file)?;
    let parts = freeze::split(&bytes).map_err(|e| (2, format!("{file}: {e}")))?;
    let talk = |e: String| (1, format!("{address}: {e}"));
    let mut tcp = connect(address).and_then(Tcp::new).map_err(|e| (1, e))?;
    tcp.set_patience(Some(PATIENCE)).map_err(talk)?;
    let mut link: Box<dyn Link> = match key {
        Some(k) => Box::new(Sealed::offer(tcp, &k).map_err(talk)?),
        None => Box::new(tcp),
    };
    let link = link.as_mut();
    let offer = Say::Offer {
        skeleton: parts.skeleton,
        forms: parts.forms.iter().map(|f| *blake3::hash(f).as_bytes()).collect(),
        arguments: arguments.to_vec(),
    };
    wire::say(link, &offer).map_err(talk)?;
    let lacks = match wire::hear(link, MOST_BYTES).map_err(talk)? {
        Some(Say::Lacks(which)) => which,
        Some(Say::Refused(why)) => return Err((1, format!("{address} refused: {why}"))),
        _ => return Err(talk("no answer".into())),
    };
    let wanted: Option<Vec<Vec<u8>>> =
        lacks.iter().map(|i| parts.forms.get(usize::try_from(*i).ok()?).map(|f| f.to_vec())).collect();
    let wanted = wanted.ok_or_else(|| talk("it asked for code that was not offered".into()))?;
    if o.stats != Stats::No {
        let Say::Offer { skeleton, forms, .. } = &offer else { unreachable!("made above") };
        let code: usize = wanted.iter().map(Vec::len).sum();
        eprintln!("sent {} bytes of state, {} of {} forms ({code} bytes)", skeleton.len(), wanted.len(), forms.len());
    }
    wire::say(link, &Say::Forms(wanted)).map_err(talk)?;
    link.set_patience(None).map_err(talk)?;
    loop {
        match wire::hear(link, MOST_BYTES).map_err(talk)? {
            Some(Say::Out(b)) => {
                let mut out = std::io::stdout();
                if out.write_all(&b).and_then(|()| out.flush()).is_err() {
                    // Whoever read has seen enough.
                    return Ok(0);
                }
            }
            Some(Say::Err(b)) => {
                let _ = std::io::stderr().write_all(&b);
            }
            Some(Say::Done(d)) => return done(o, d),
            Some(Say::Refused(why)) => return Err((1, format!("{address} refused: {why}"))),
            Some(_) | None => return Err(talk("the other side is gone".into())),
        }
    }
}

fn done(o: &Options, d: Done) -> Result<i32, Failed> {
    if let Some(text) = d.result {
        super::print(&format!("{text}\n"));
    }
    if let Some(file) = &o.out
        && d.status == 0
    {
        let frozen = d.frozen.ok_or_else(|| (1, "the result cannot travel".to_string()))?;
        park::write_whole(file, &frozen).map_err(|e| (1, e))?;
    }
    if let Some(program) = d.parked {
        let file = o.park.as_ref();
        let file = file.ok_or_else(|| (1, "the program parked there, and --park FILE is not given".to_string()))?;
        park::write_whole(file, &program).map_err(|e| (1, e))?;
    }
    Ok(i32::from(d.status))
}
