//! What a program is, where programs come from.

use crate::source;
use serde_json::Value as Json;
use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};

/// Names and texts.
type Files = &'static [(&'static str, &'static str)];

include!(concat!(env!("OUT_DIR"), "/corpus.rs"));

/// Which group of the corpus a program belongs to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub enum Set {
    /// Well-known small programs; README shows them.
    Headline,
    /// Wider work: collections, strings, dispatch, control.
    Other,
    /// One feature of the language each.
    Micro,
    /// Not of the corpus.
    Own,
}

impl Set {
    /// The sets of the corpus, in order.
    pub const ALL: [Set; 3] = [Set::Headline, Set::Other, Set::Micro];

    /// Name of the set, also of its folder.
    pub const fn name(self) -> &'static str {
        match self {
            Set::Headline => "headline",
            Set::Other => "other",
            Set::Micro => "micro",
            Set::Own => "own",
        }
    }
    /// The set of a name.
    pub fn named(name: &str) -> Option<Set> {
        Set::ALL.into_iter().find(|s| s.name() == name)
    }
}

/// How much work a program is asked to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Size {
    /// Milliseconds, for tests.
    Small,
    /// Some tenths of a second, for measuring.
    #[default]
    Full,
}

/// A program in several languages.
#[derive(Clone, Debug)]
pub struct Program {
    pub name: String,
    pub set: Set,
    /// What the program does.
    pub about: String,
    /// What its time tells.
    pub measures: String,
    /// What its time does not tell.
    pub misses: String,
    /// Constants and their values at full size.
    pub params: Vec<(String, String)>,
    /// Constants and their values at small size; empty when the program has no small size.
    pub small: Vec<(String, String)>,
    /// Answer at full size, if it is known.
    pub checksum: Option<String>,
    /// Answer at small size, if it is known.
    pub small_checksum: Option<String>,
    /// By language (`clj`, `py`, …): how it does what it lacks.
    pub style: Vec<(String, String)>,
    /// Engines whose stack is known to overflow.
    pub overflow_expected: Vec<String>,
    /// Programs by file name, in order of name.
    pub files: Vec<(String, Cow<'static, str>)>,
    /// Folder it was read from; none for the corpus.
    pub dir: Option<PathBuf>,
}

/// Why a folder could not be read as a program. Nothing was kept of it.
#[derive(Debug)]
pub struct LoadError {
    pub path: PathBuf,
    pub why: String,
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.why)
    }
}

impl std::error::Error for LoadError {}

/// Suffixes of programs.
const SUFFIXES: &[&str] = &["clj", "cljc", "py", "lua", "scm", "rkt", "js"];

/// Largest file taken for a program, in bytes.
const MOST_BYTES: u64 = 4 << 20;

/// The corpus, in order: headline, other, micro, each by name.
pub fn all() -> Vec<Program> {
    PROGRAMS
        .iter()
        .map(|(set, name, files)| {
            let params = files.iter().find(|f| f.0 == "params.json").map_or("{}", |f| f.1);
            let sources = files.iter().filter(|f| f.0 != "params.json");
            let mut p = Program::described(name, params).expect("a test reads every params.json");
            p.set = Set::named(set).expect("build.rs knows the same sets");
            p.files = sources.map(|f| (f.0.to_string(), Cow::Borrowed(f.1))).collect();
            p
        })
        .collect()
}

/// The program of a name in the corpus.
pub fn find(name: &str) -> Option<Program> {
    all().into_iter().find(|p| p.name == name)
}

/// Text that lets an engine run programs of another (`guile.scm`, `nbb.clj`, `racket.rkt`), to be put in front of them.
pub fn shim(name: &str) -> Option<&'static str> {
    SHIMS.iter().find(|s| s.0 == name).map(|s| s.1)
}

/// The programs under a path: a file is one; a folder with `params.json` or `main.*` is one; of any other folder, every folder
/// inside that is one, and every single file of a known language that lies directly in it.
///
/// # Errors
/// What cannot be read, and a folder in which nothing was found.
pub fn load_path(path: &Path) -> Result<Vec<Program>, LoadError> {
    if path.is_file() {
        return Program::load_file(path).map(|p| vec![p]);
    }
    let mut found = Vec::new();
    collect(path, 0, &mut found)?;
    if found.is_empty() {
        return Err(LoadError { path: path.into(), why: "no programs here".into() });
    }
    Ok(found)
}

fn collect(dir: &Path, depth: usize, found: &mut Vec<Program>) -> Result<(), LoadError> {
    if let Some(p) = Program::load(dir)? {
        found.push(p);
        return Ok(());
    }
    for path in sorted(dir)? {
        if path.is_dir() {
            // Two levels: sets, and programs in them.
            if depth < 2 && !hidden(&path) {
                collect(&path, depth + 1, found)?;
            }
        } else if depth == 0 && language(&path).is_some() {
            found.push(Program::load_file(&path)?);
        }
    }
    Ok(())
}

fn hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|n| n.to_string_lossy().starts_with('.'))
}

fn language(path: &Path) -> Option<&'static str> {
    let ext = path.extension()?.to_str()?;
    SUFFIXES.iter().copied().find(|s| *s == ext)
}

fn sorted(dir: &Path) -> Result<Vec<PathBuf>, LoadError> {
    let refused = |e: std::io::Error| LoadError { path: dir.into(), why: e.to_string() };
    let mut v = Vec::new();
    for e in std::fs::read_dir(dir).map_err(refused)? {
        v.push(e.map_err(refused)?.path());
    }
    v.sort();
    Ok(v)
}

fn read(path: &Path) -> Result<String, LoadError> {
    let refused = |e: std::io::Error| LoadError { path: path.into(), why: e.to_string() };
    if std::fs::metadata(path).map_err(refused)?.len() > MOST_BYTES {
        return Err(LoadError { path: path.into(), why: "too large for a program".into() });
    }
    std::fs::read_to_string(path).map_err(refused)
}

impl Program {
    fn bare(name: &str) -> Program {
        Program {
            name: name.to_string(),
            set: Set::Own,
            about: String::new(),
            measures: String::new(),
            misses: String::new(),
            params: Vec::new(),
            small: Vec::new(),
            checksum: None,
            small_checksum: None,
            style: Vec::new(),
            overflow_expected: Vec::new(),
            files: Vec::new(),
            dir: None,
        }
    }

    /// A program as its `params.json` describes it, without files.
    fn described(name: &str, params: &str) -> Result<Program, String> {
        let json: Json = serde_json::from_str(params).map_err(|e| e.to_string())?;
        if !json.is_object() {
            return Err("an object is needed".into());
        }
        let text = |key: &str| json[key].as_str().map(String::from);
        let pairs = |key: &str| -> Vec<(String, String)> {
            let spell = |v: &Json| v.as_str().map_or_else(|| v.to_string(), String::from);
            json[key].as_object().map_or_else(Vec::new, |o| o.iter().map(|(k, v)| (k.clone(), spell(v))).collect())
        };
        let mut p = Program::bare(name);
        p.about = text("about").unwrap_or_default();
        p.measures = text("measures").unwrap_or_default();
        p.misses = text("misses").unwrap_or_default();
        p.params = pairs("params");
        p.small = pairs("small");
        p.checksum = text("checksum");
        p.small_checksum = text("small_checksum");
        p.style = pairs("style");
        p.overflow_expected = json["overflow_expected"]
            .as_array()
            .map_or_else(Vec::new, |a| a.iter().filter_map(|v| v.as_str().map(String::from)).collect());
        Ok(p)
    }

    /// Reads a folder; none if it holds neither `params.json` nor a `main` of a known language.
    ///
    /// # Errors
    /// Files that cannot be read, a `params.json` that is not JSON.
    pub fn load(dir: &Path) -> Result<Option<Program>, LoadError> {
        let files = sorted(dir)?;
        let params = dir.join("params.json");
        let has_main = files.iter().any(|f| f.file_stem().is_some_and(|s| s == "main") && language(f).is_some());
        if !params.is_file() && !has_main {
            return Ok(None);
        }
        let name = dir.canonicalize().unwrap_or_else(|_| dir.into());
        let name = name.file_name().map_or_else(|| "program".into(), |n| n.to_string_lossy().into_owned());
        let mut p = if params.is_file() {
            Program::described(&name, &read(&params)?).map_err(|why| LoadError { path: params, why })?
        } else {
            Program::bare(&name)
        };
        for f in files.iter().filter(|f| f.is_file() && language(f).is_some()) {
            let file_name = f.file_name().expect("a file has a name").to_string_lossy().into_owned();
            p.files.push((file_name, Cow::Owned(read(f)?)));
        }
        p.dir = Some(dir.into());
        Ok(Some(p))
    }

    /// A program that is one file, in one language.
    ///
    /// # Errors
    /// A file that cannot be read or whose suffix is not known.
    pub fn load_file(path: &Path) -> Result<Program, LoadError> {
        let Some(ext) = language(path) else {
            return Err(LoadError { path: path.into(), why: format!("a suffix of {} is needed", SUFFIXES.join(", ")) });
        };
        let mut p = Program::bare(&path.file_stem().expect("it has an extension").to_string_lossy());
        p.files.push((format!("main.{ext}"), Cow::Owned(read(path)?)));
        p.dir = path.parent().map(Path::to_path_buf);
        Ok(p)
    }

    /// The text of a file as it stands.
    pub fn file(&self, name: &str) -> Option<&str> {
        self.files.iter().find(|f| f.0 == name).map(|f| &*f.1)
    }

    /// The first of some files that there is.
    pub fn first_of<'a>(&self, names: &[&'a str]) -> Option<&'a str> {
        names.iter().copied().find(|n| self.file(n).is_some())
    }

    /// The file Yin runs: its own variant if there is one. `suffix` is `clj` or `py`.
    pub fn for_yin(&self, suffix: &str) -> Option<&'static str> {
        match suffix {
            "clj" => self.first_of(&["yin.clj", "main.clj", "main.cljc"]),
            "py" => self.first_of(&["yin.py", "main.py"]),
            _ => None,
        }
    }

    /// The text of a file at a size: the constants at its top replaced by those of `params.json`.
    pub fn source(&self, file: &str, size: Size) -> Option<String> {
        let text = self.file(file)?;
        Some(match size {
            Size::Full => text.to_string(),
            Size::Small => source::with_constants(file, text, &self.small),
        })
    }

    /// The answer expected at a size.
    pub fn answer(&self, size: Size) -> Option<&str> {
        match size {
            Size::Full => self.checksum.as_deref(),
            // Without a small size both are the same.
            Size::Small if self.small.is_empty() => self.small_checksum.as_deref().or(self.checksum.as_deref()),
            Size::Small => self.small_checksum.as_deref(),
        }
    }
}
