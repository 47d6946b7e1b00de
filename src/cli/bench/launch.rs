//! One process, measured: started, waited for, its time, processor time and peak memory taken.
//!
//! A small process does this for the runner (`yin bench --launch`), because the system counts memory and processor time of
//! children per parent, and a child begins with the memory of the process that starts it.

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::signal::{Signal, killpg};
use nix::sys::time::TimeValLike;
use nix::unistd::Pid;
use serde_json::{Value as Json, json};
use std::io::Read;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// Most bytes kept of each output of a process; the rest is read and dropped.
const MOST_OUTPUT: usize = 4 << 20;

/// How a process went.
#[derive(Clone, Debug, Default)]
pub struct Process {
    pub wall_ms: f64,
    /// Processor time, of children it waited for too.
    pub cpu_ms: f64,
    pub rss_kb: f64,
    /// Exit status, 128 + number of the signal that ended it.
    pub code: i32,
    pub late: bool,
    pub stdout: String,
    pub stderr: String,
}

/// What to start.
pub struct Job<'a> {
    pub program: &'a Path,
    pub args: &'a [String],
    pub dir: &'a Path,
    pub env: &'a [(String, String)],
    pub timeout: Duration,
}

/// Starts the process through a launcher and waits for it.
///
/// # Errors
/// Why it could not be started; an interrupt (`"interrupted"`).
pub fn measure(job: &Job) -> Result<Process, String> {
    let me = std::env::current_exe().map_err(|e| format!("the yin command itself: {e}"))?;
    let mut c = Command::new(me);
    c.args(["bench", "--launch", &job.timeout.as_millis().to_string()]);
    c.arg(job.program).args(job.args).current_dir(job.dir).envs(job.env.iter().cloned());
    let out = c.stdin(Stdio::null()).stderr(Stdio::inherit()).output().map_err(|e| e.to_string())?;
    if yin_vm::control::INTERRUPTED.load(Ordering::Relaxed) {
        return Err("interrupted".into());
    }
    let j: Json = serde_json::from_slice(&out.stdout).map_err(|e| format!("the launcher said nothing useful: {e}"))?;
    if let Some(e) = j["error"].as_str() {
        return Err(e.to_string());
    }
    let number = |k: &str| j[k].as_f64().unwrap_or(0.0);
    let text = |k: &str| j[k].as_str().unwrap_or("").to_string();
    Ok(Process {
        wall_ms: number("wall_ms"),
        cpu_ms: number("cpu_ms"),
        rss_kb: number("rss_kb"),
        code: number("code") as i32,
        late: j["late"] == true,
        stdout: text("stdout"),
        stderr: text("stderr"),
    })
}

/// `yin bench --launch MILLISECONDS PROGRAM ARG…`: the other side of [`measure`]; one line of JSON.
pub fn launcher(args: &[String]) -> i32 {
    let report = match args {
        [timeout, program, args @ ..] => match timeout.parse() {
            Ok(ms) => launch(program, args, Duration::from_millis(ms)).unwrap_or_else(|e| json!({ "error": e })),
            Err(_) => json!({ "error": "milliseconds are a number" }),
        },
        _ => json!({ "error": "milliseconds and a program are needed" }),
    };
    println!("{report}");
    0
}

fn launch(program: &str, args: &[String], timeout: Duration) -> Result<Json, String> {
    yin_vm::control::watch_interrupts();
    let mut c = Command::new(program);
    c.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // A group of its own: engines started by scripts are ended with them.
    c.process_group(0);
    let started = Instant::now();
    let mut child = c.spawn().map_err(|e| format!("{program}: {e}"))?;
    let group = Pid::from_raw(child.id() as i32);
    let out = reader(child.stdout.take().expect("piped"));
    let err = reader(child.stderr.take().expect("piped"));
    let (done, ended) = mpsc::channel();
    thread::spawn(move || {
        let status = child.wait();
        let _ = done.send((status, started.elapsed()));
    });
    let mut late = false;
    let mut killed = false;
    let (status, wall) = loop {
        match ended.recv_timeout(Duration::from_millis(20)) {
            Ok(r) => break r,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                late |= started.elapsed() > timeout;
                if !killed && (late || yin_vm::control::INTERRUPTED.load(Ordering::Relaxed)) {
                    killed = true;
                    let _ = killpg(group, Signal::SIGKILL);
                }
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => return Err("lost sight of the process".into()),
        }
    };
    let status = status.map_err(|e| e.to_string())?;
    if killed {
        // Processes of the group that the first one left behind hold its outputs open.
        let _ = killpg(group, Signal::SIGKILL);
    }
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).map_err(|e| e.to_string())?;
    let cpu_us = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    // macOS counts bytes, Linux kibibytes.
    let rss_kb = if cfg!(target_os = "macos") { usage.max_rss() / 1024 } else { usage.max_rss() };
    Ok(json!({
        "wall_ms": wall.as_secs_f64() * 1e3,
        "cpu_ms": cpu_us as f64 / 1e3,
        "rss_kb": rss_kb,
        "code": status.code().or(status.signal().map(|s| 128 + s)),
        "late": late,
        "stdout": out.join().unwrap_or_default(),
        "stderr": err.join().unwrap_or_default(),
    }))
}

fn reader(mut from: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut kept = Vec::new();
        let _ = from.by_ref().take(MOST_OUTPUT as u64).read_to_end(&mut kept);
        let _ = std::io::copy(&mut from, &mut std::io::sink());
        String::from_utf8_lossy(&kept).into_owned()
    })
}
