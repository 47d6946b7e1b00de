//! What can run programs: this Yin, other builds of it, and engines of other languages.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use yin_bench_corpus::{Program, shim};

/// An engine of another language, as the table below states it.
pub struct Peer {
    pub name: &'static str,
    /// Names of its program; the first that is installed is taken.
    programs: &'static [&'static str],
    /// Arguments before the file.
    args: &'static [&'static str],
    /// Programs it can run, in order of preference.
    files: &'static [&'static str],
    /// Shim put in front, and suffix of what comes out.
    shim: Option<(&'static str, &'static str)>,
    version: &'static [&'static str],
    /// Runs to throw away first: it keeps compiled programs in a cache.
    pub warm: u32,
    /// How to get it.
    pub install: &'static str,
}

const fn peer(name: &'static str, programs: &'static [&'static str], files: &'static [&'static str]) -> Peer {
    Peer { name, programs, args: &[], files, shim: None, version: &["--version"], warm: 0, install: "" }
}

/// Engines `--peers` looks for.
pub const PEERS: &[Peer] = &[
    Peer { version: &["-v"], install: "Debian: luajit", ..peer("luajit", &["luajit"], &["main.lua"]) },
    Peer {
        version: &["-v"],
        install: "Debian: lua5.4",
        ..peer("lua5.4", &["lua5.4", "lua54", "lua"], &["main54.lua", "main.lua"])
    },
    Peer {
        args: &["--script"],
        install: "Debian: chezscheme",
        ..peer("chez", &["chezscheme", "chez", "scheme"], &["main.scm"])
    },
    Peer {
        shim: Some(("guile.scm", "scm")),
        warm: 1,
        install: "Debian: guile-3.0",
        ..peer("guile", &["guile", "guile-3.0"], &["main.scm"])
    },
    Peer { shim: Some(("racket.rkt", "rkt")), install: "Debian: racket", ..peer("racket", &["racket"], &["main.scm"]) },
    Peer { install: "Debian: nodejs", ..peer("node", &["node", "nodejs"], &["main.js"]) },
    Peer { install: "Debian: pypy3", ..peer("pypy", &["pypy3", "pypy"], &["main.py"]) },
    Peer { install: "Debian: python3", ..peer("cpython", &["python3"], &["main.py"]) },
    Peer {
        version: &["-e", "(clojure-version)"],
        install: "Debian: clojure default-jre-headless",
        ..peer("clojure", &["clojure"], &["main.clj"])
    },
    Peer { shim: Some(("nbb.clj", "clj")), install: "npm: nbb", ..peer("nbb", &["nbb"], &["main.clj"]) },
    Peer { install: "Debian: racket", ..peer("racket-imm", &["racket"], &["imm.rkt"]) },
    Peer { install: "Debian: nodejs, npm: immutable", ..peer("node-imm", &["node", "nodejs"], &["imm.js"]) },
];

enum Kind {
    Yin { lang: &'static str, jit: Option<String>, stats: bool },
    Peer(&'static Peer),
}

/// An engine that is there.
pub struct Engine {
    pub name: String,
    pub version: String,
    path: PathBuf,
    kind: Kind,
}

/// Why an engine is left out, and what would help.
pub struct Missing {
    pub name: String,
    pub why: String,
}

impl Engine {
    pub fn warm(&self) -> u32 {
        match &self.kind {
            Kind::Peer(p) => p.warm,
            Kind::Yin { .. } => 0,
        }
    }
    pub fn path(&self) -> &Path {
        &self.path
    }
    /// The file of a program it runs, if there is one.
    pub fn file(&self, p: &Program) -> Option<&'static str> {
        match &self.kind {
            Kind::Yin { lang, .. } => p.for_yin(lang),
            Kind::Peer(e) => p.first_of(e.files),
        }
    }
    /// A program's text made ready for it: text and suffix.
    pub fn prepared(&self, file: &str, text: &str) -> (String, String) {
        let suffix = file.rsplit_once('.').map_or("", |p| p.1);
        match &self.kind {
            Kind::Peer(Peer { shim: Some((name, suffix)), .. }) => {
                (format!("{}{text}", shim(name).expect("the corpus has the shims of the table")), suffix.to_string())
            }
            _ => (text.to_string(), suffix.to_string()),
        }
    }
    /// Arguments that run a file.
    pub fn args(&self, file: &Path) -> Vec<String> {
        let mut args: Vec<String> = Vec::new();
        match &self.kind {
            Kind::Yin { jit, stats, .. } => {
                args.push("run".into());
                if let Some(j) = jit {
                    args.extend(["--jit".into(), j.clone()]);
                }
                if *stats {
                    args.push("--stats=json".into());
                }
            }
            Kind::Peer(p) => args.extend(p.args.iter().map(|a| a.to_string())),
        }
        args.push(file.to_string_lossy().into_owned());
        args
    }
}

/// A Yin by the name `yin[-py][:JIT]`, at a path; `name` is what it is called in results.
///
/// # Errors
/// It cannot run, or cannot do what its name says.
pub fn yin(name: &str, path: &Path) -> Result<Engine, Missing> {
    let (base, jit) = match name.split_once(':') {
        Some((b, j)) => (b, Some(j.to_string())),
        None => (name, None),
    };
    let lang = if base.ends_with("-py") { "py" } else { "clj" };
    let missing = |why: String| Missing { name: name.to_string(), why };
    let version = said(path, &["--version"]).ok_or_else(|| missing(format!("{} does not run", path.display())))?;
    let mut probe = vec!["eval", "--lang", lang];
    if let Some(j) = &jit {
        probe.extend(["--jit", j]);
    }
    let able = |more: Option<&'static str>| {
        let args: Vec<&str> = probe.iter().copied().chain(more).chain(["1"]).collect();
        said(path, &args).is_some_and(|t| t.trim() == "1")
    };
    if !able(None) {
        let what = match &jit {
            Some(j) => format!("--lang {lang} --jit {j}"),
            None => format!("--lang {lang}"),
        };
        return Err(missing(format!("this build of yin has no {what}")));
    }
    let stats = able(Some("--stats=json"));
    Ok(Engine { name: name.to_string(), version, path: path.to_path_buf(), kind: Kind::Yin { lang, jit, stats } })
}

/// A peer by name.
///
/// # Errors
/// What to install.
pub fn peer_named(name: &str) -> Result<Engine, Missing> {
    let Some(p) = PEERS.iter().find(|p| p.name == name) else {
        let names: Vec<&str> = PEERS.iter().map(|p| p.name).collect();
        let why = format!("no such engine; there are yin, yin:off, yin:always, yin-py, {}", names.join(", "));
        return Err(Missing { name: name.into(), why });
    };
    match p.programs.iter().find_map(|n| installed(n)) {
        Some(path) => {
            let version = said(&path, p.version).unwrap_or_default();
            let version = version.lines().next().unwrap_or("").trim().to_string();
            Ok(Engine { name: name.into(), version, path, kind: Kind::Peer(p) })
        }
        None => Err(Missing { name: name.into(), why: format!("not installed ({})", p.install) }),
    }
}

/// Output of a quick command, both streams, if it succeeds.
fn said(path: &Path, args: &[&str]) -> Option<String> {
    let out = Command::new(path).args(args).stdin(Stdio::null()).output().ok()?;
    let text = |b: &[u8]| String::from_utf8_lossy(b).trim().to_string();
    let (a, b) = (text(&out.stdout), text(&out.stderr));
    out.status.success().then_some(if a.is_empty() { b } else { a })
}

/// A program by name on the search path.
fn installed(name: &str) -> Option<PathBuf> {
    let path = env::split_paths(&env::var_os("PATH")?).map(|d| d.join(name)).find(|p| is_program(p))?;
    if !name.starts_with("python") {
        return Some(path);
    }
    // Launcher scripts would add to the start-up time.
    let real = said(&path, &["-c", "import sys; print(sys.executable)"]).map(PathBuf::from);
    Some(real.filter(|p| is_program(p)).unwrap_or(path))
}

fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}
