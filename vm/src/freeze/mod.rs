//! Continuations that travel: values, code and whole programs as self-contained bytes, and back.
//!
//! `code` gives functions names that hold everywhere; `write` turns a graph of values into bytes; `read` turns bytes into a
//! graph; `check` decides whether a graph may be let loose; `program` does it to everything a machine runs. The bytes are
//! described in `docs/frozen.md`. They are data, not authority: reading them compiles the code they bring, and runs nothing.

mod check;
pub(crate) mod code;
mod inspect;
mod parts;
pub(crate) mod prims;
mod program;
mod read;
mod write;

pub use inspect::{FrameInfo, Inspection};
pub use parts::{Parts, join, split};
pub use program::{Parking, Resumed};
pub(crate) use write::FrameView;

use crate::machine::{ErrKind, Exit, Vm};
use crate::value::Value;

/// First bytes of everything frozen.
pub const MAGIC: &[u8; 8] = b"\x89yin\r\n\x1a\n";
/// Version of the format. It changes with the bytes, with the hash function of maps, and with what compiling a node gives.
pub const VERSION: u8 = 1;
/// Bytes of the checksum at the end.
const SUM: usize = 32;

/// What a definition becomes that both sides have, differently.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum OnConflict {
    /// Nothing is thawed.
    #[default]
    Error,
    /// This side's stays.
    Ours,
    /// The arriving one replaces it.
    Theirs,
}

impl OnConflict {
    pub fn word(self) -> &'static str {
        match self {
            OnConflict::Error => "error",
            OnConflict::Ours => "ours",
            OnConflict::Theirs => "theirs",
        }
    }
    /// By its word: `error`, `ours`, `theirs`.
    pub fn named(word: &str) -> Option<OnConflict> {
        match word {
            "error" => Some(OnConflict::Error),
            "ours" => Some(OnConflict::Ours),
            "theirs" => Some(OnConflict::Theirs),
            _ => None,
        }
    }
}

/// How the error about definitions that conflict begins.
pub const CONFLICT: &str = "definitions differ from those here";

/// What is in frozen bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
enum Content {
    /// A value and what it needs.
    Value = 0,
    /// A program that was stopped.
    Program = 1,
}

/// Tags of words. Above them: `0x40..0x80` small integers from -8, `0x80..` the first objects.
mod tag {
    pub const NIL: u8 = 0;
    pub const FALSE: u8 = 1;
    pub const TRUE: u8 = 2;
    pub const UNBOUND: u8 = 3;
    pub const ABSENT: u8 = 4;
    pub const INT: u8 = 5;
    pub const DOUBLE: u8 = 6;
    pub const CHAR: u8 = 7;
    pub const KEYWORD: u8 = 8;
    pub const SYMBOL: u8 = 9;
    pub const OBJECT: u8 = 10;
    pub const SMALL: u8 = 0x40;
    pub const SMALL_ZERO: i64 = 8;
    pub const NEAR: u8 = 0x80;
}

/// Entries of the object table that are no heap objects of their own; the others are kinds by name.
mod entry {
    /// A frame of a continuation.
    pub const FRAME: &str = "frame";
    /// A global by its name.
    pub const VAR: &str = "var";
    pub const NAMESPACE: &str = "namespace";
    pub const PRIMITIVE: &str = "primitive";
    /// A type by its name.
    pub const TYPE: &str = "type";
    /// The value the library gives a global.
    pub const LIBRARY_VALUE: &str = "library-value";
    /// An object of the library, by its place in that build's image.
    pub const LIBRARY_OBJECT: &str = "library-object";
}

/// The bytes without their checksum, and what they hold.
///
/// # Errors
/// They are not frozen bytes of this version, or damaged.
fn open(bytes: &[u8]) -> Result<(Content, &[u8]), String> {
    let Some(body) = bytes.strip_prefix(MAGIC) else {
        return Err("these bytes are nothing frozen by Yin".into());
    };
    match body.first() {
        Some(&VERSION) => {}
        Some(v) => return Err(format!("the format's version is {v}; this build reads {VERSION}")),
        None => return Err("the bytes end too early".into()),
    }
    let Some(n) = bytes.len().checked_sub(SUM).filter(|n| *n >= MAGIC.len() + 2) else {
        return Err("the bytes end too early".into());
    };
    if blake3::hash(&bytes[..n]).as_bytes() != &bytes[n..] {
        return Err("the bytes are damaged: their checksum is another".into());
    }
    let content = match bytes[MAGIC.len() + 1] {
        0 => Content::Value,
        1 => Content::Program,
        k => return Err(format!("unknown content {k}")),
    };
    Ok((content, &bytes[MAGIC.len() + 2..n]))
}

/// Are these bytes a whole program, or a value?
///
/// # Errors
/// They are not frozen bytes of this version, or damaged.
pub fn holds_program(bytes: &[u8]) -> Result<bool, String> {
    open(bytes).map(|(content, _)| content == Content::Program)
}

fn seal(content: Content, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len() + 64);
    out.extend(MAGIC);
    out.extend([VERSION, content as u8]);
    out.extend(body);
    let sum = blake3::hash(&out);
    out.extend(sum.as_bytes());
    out
}

impl Vm {
    /// Nanoseconds of the program's own clock.
    pub(crate) fn nano_time(&self) -> i64 {
        let now = if self.clock_is_steps { self.steps() as i64 } else { self.started.elapsed().as_nanos() as i64 };
        now.wrapping_add(self.clock_ahead_ns)
    }

    /// A value as self-contained bytes: code by content hash, sharing and cycles kept, the globals it needs with it. The same
    /// state gives the same bytes. O(size of what is reachable).
    ///
    /// # Errors
    /// Something reachable cannot travel; the message says what and how it is reached.
    pub fn freeze(&mut self, v: Value) -> Result<Vec<u8>, Exit> {
        // Frozen nodes of bindings hold what is in force inside them.
        let bindings = self.leave_all_bindings();
        let body = write::value(self, v);
        self.enter_bindings(bindings);
        match body {
            Ok(b) => Ok(seal(Content::Value, &b)),
            Err(why) => Err(self.err(ErrKind::State, format!("cannot freeze: {why}"))),
        }
    }

    /// The value of frozen bytes. Whatever the bytes are, nothing of them runs and no invariant breaks; code in them was
    /// compiled and verified here.
    ///
    /// # Errors
    /// The bytes are damaged, foreign or of another version, or a definition conflicts.
    pub fn thaw(&mut self, bytes: &[u8], on_conflict: OnConflict) -> Result<Value, Exit> {
        let r = open(bytes).and_then(|(content, body)| match content {
            Content::Value => read::value(self, body, on_conflict),
            Content::Program => Err("this is a whole program: `yin resume` continues it".into()),
        });
        r.map_err(|why| self.err(ErrKind::Argument, format!("cannot thaw: {why}")))
    }
}
