//! From a directory to a database, and the check of everything in it.

use super::crc::crc32c;
use super::io::Disk;
use super::log::{self, Record};
use super::manifest::{self, Block, Manifest, segment_name};
use super::segment;
use crate::edn::Edn;
use crate::query::{ErrorKind, QueryError};
use crate::store::{Col, Database, Lineage, Slot, Stored};
use std::sync::Arc;

type Result<T> = std::result::Result<T, QueryError>;

pub(super) fn corrupt(message: impl Into<String>) -> QueryError {
    QueryError::new(ErrorKind::Other("store/corrupt"), message)
}

pub(super) fn failed(what: &str, e: std::io::Error) -> QueryError {
    let class = match e.kind() {
        std::io::ErrorKind::WouldBlock => "store/locked",
        std::io::ErrorKind::NotFound => "store/missing",
        _ => "store/io",
    };
    QueryError::new(ErrorKind::Other(class), format!("{what}: {e}"))
}

/// The bytes of a block, checked.
pub(super) fn block(disk: &dyn Disk, b: &Block) -> std::result::Result<Vec<u8>, String> {
    let name = segment_name(b.segment);
    let len = usize::try_from(b.len).map_err(|_| format!("{name}: a block is too long"))?;
    let bytes = disk.read_at(&name, b.at, len).map_err(|e| format!("{name}: {e}"))?;
    if crc32c(0, &bytes) != b.crc {
        return Err(format!("{name}: the block at byte {} does not match its checksum", b.at));
    }
    Ok(bytes)
}

/// A column in a segment.
struct OnDisk {
    disk: Arc<dyn Disk>,
    block: Block,
    /// How many values the dictionary has.
    coded: usize,
    lineage: Arc<Lineage>,
}

impl Stored for OnDisk {
    fn len(&self) -> usize {
        self.block.n as usize
    }

    fn weight(&self) -> usize {
        (self.block.n + self.block.past) as usize
    }

    fn load(&self) -> Arc<Col> {
        let read = block(&*self.disk, &self.block)
            .and_then(|bytes| segment::column(&bytes, self.coded).map_err(|e| e.0.to_string()));
        match read {
            Ok(col) => Arc::new(col),
            Err(e) => {
                let _ = self.lineage.fault.set(e);
                Arc::default()
            }
        }
    }
}

/// The database that the columns of a manifest make.
pub(super) fn columns(disk: &Arc<dyn Disk>, m: &Manifest) -> Result<Database> {
    let lineage = Arc::new(Lineage::default());
    for b in &m.dict {
        let bytes = block(&**disk, b).map_err(corrupt)?;
        let n = usize::try_from(b.n).map_err(|_| corrupt("a dictionary is too large"))?;
        for v in segment::values(&bytes, n).map_err(|e| corrupt(e.0))? {
            lineage.pool.append(v);
        }
    }
    let coded = lineage.pool.len();
    let mut base = Vec::new();
    for (i, (name, at)) in m.attrs.iter().enumerate() {
        if lineage.intern(name) as usize != i {
            return Err(corrupt(format!("the manifest has the attribute {name} twice")));
        }
        base.push(match at {
            None => Slot::ready(Arc::default()),
            Some(b) => {
                Slot::stored(Box::new(OnDisk { disk: disk.clone(), block: *b, coded, lineage: lineage.clone() }))
            }
        });
    }
    Database::of_columns(lineage, &m.schema, base, m.max_eid, m.max_tx)
}

/// The log files from the manifest's on, in order.
pub(super) fn log_files(disk: &dyn Disk, m: &Manifest) -> Result<Vec<u64>> {
    let names = disk.list().map_err(|e| failed("the directory cannot be read", e))?;
    let mut all: Vec<u64> = names.iter().filter_map(|n| log::file_number(n)).filter(|n| *n >= m.log).collect();
    all.sort_unstable();
    // A file can be missing only at the end, where it was not begun yet.
    let there: Vec<u64> = all.iter().enumerate().take_while(|(i, n)| **n == m.log + *i as u64).map(|x| *x.1).collect();
    if there.len() != all.len() {
        return Err(corrupt(format!("the log file {} is missing", log::file_name(m.log + there.len() as u64))));
    }
    Ok(there)
}

/// Where the last log file ends.
#[derive(Debug, Default)]
pub(super) struct End {
    /// Its number.
    pub number: u64,
    /// How many of its bytes are sound, and how many there are.
    pub valid: u64,
    pub len: u64,
    pub seed: u32,
    /// Sound records follow unsound bytes.
    pub more: bool,
}

/// All records of the log.
pub(super) fn records(disk: &dyn Disk, m: &Manifest) -> Result<(Vec<Record>, End)> {
    let files = log_files(disk, m)?;
    let mut all = Vec::new();
    let mut end = End { number: m.log, ..End::default() };
    for (i, n) in files.iter().enumerate() {
        let name = log::file_name(*n);
        let bytes = disk.read(&name).map_err(|e| failed(&name, e))?;
        let contents = log::parse(&bytes, *n, m.store).map_err(|e| corrupt(format!("{name}: {e}")))?;
        let last = i + 1 == files.len();
        // A file that another follows was whole before that was begun. A header alone may be missing in the last.
        if !last && (contents.valid < bytes.len() as u64 || contents.valid == 0) {
            // The next one may have been named but not begun: then this is where the log ends.
            let rest = files[i + 1..].iter().all(|k| {
                disk.read(&log::file_name(*k))
                    .is_ok_and(|b| log::parse(&b, *k, m.store).is_ok_and(|c| c.records.is_empty()))
            });
            if !rest {
                return Err(corrupt(format!("{name} is damaged at byte {}, and the log goes on", contents.valid)));
            }
        }
        all.extend(contents.records);
        end = End {
            number: *n,
            valid: contents.valid,
            len: bytes.len() as u64,
            seed: contents.seed,
            more: contents.more,
        };
        if !last && contents.valid < bytes.len() as u64 {
            break;
        }
    }
    let mut before = m.max_tx;
    for r in &all {
        if r.t <= before {
            return Err(corrupt(format!("transaction {} follows {before} in the log", r.t)));
        }
        before = r.t;
    }
    Ok((all, end))
}

/// The manifest of a directory, if there is one.
pub(super) fn manifest(disk: &dyn Disk) -> Result<Option<Manifest>> {
    match disk.read(manifest::NAME) {
        Ok(bytes) => Manifest::parse(&bytes).map(Some).map_err(corrupt),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(failed(manifest::NAME, e)),
    }
}

/// What [`verify`] found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Check {
    /// Facts in the columns.
    pub facts: u64,
    /// Facts that no longer hold.
    pub past: u64,
    /// Values in the dictionary.
    pub values: u64,
    /// Transactions in the log.
    pub records: u64,
    /// Bytes at the end of the log that are no whole record: what a crash leaves.
    pub torn: u64,
    /// Everything that is wrong.
    pub errors: Vec<String>,
}

/// Reads everything in a store and checks it: checksums, orders, references to values, the log.
///
/// # Errors
/// A directory that holds no store, or cannot be read at all. What is wrong inside is in the result.
pub fn verify(disk: &Arc<dyn Disk>) -> Result<Check> {
    let mut out = Check::default();
    let m = match manifest(&**disk) {
        Ok(Some(m)) => m,
        Ok(None) => return Err(QueryError::new(ErrorKind::Other("store/missing"), "there is no store here")),
        Err(e) => {
            out.errors.push(e.message);
            return Ok(out);
        }
    };
    let mut sound = true;
    let mut wrong = |out: &mut Check, e: String| {
        sound = false;
        out.errors.push(e);
    };
    for b in &m.dict {
        match block(&**disk, b).and_then(|x| segment::values(&x, b.n as usize).map_err(|e| e.0.to_string())) {
            Ok(values) => out.values += values.len() as u64,
            Err(e) => wrong(&mut out, format!("dictionary: {e}")),
        }
    }
    for (name, at) in &m.attrs {
        let Some(b) = at else { continue };
        let read = block(&**disk, b)
            .and_then(|x| segment::column(&x, out.values as usize).map_err(|e| e.0.to_string()))
            .and_then(|c| {
                let same = (c.len() as u64, c.past.len() as u64) == (b.n, b.past);
                if same { Ok(c) } else { Err("the manifest counts other facts than there are".to_string()) }
            });
        match read {
            Ok(c) => {
                out.facts += c.len() as u64;
                out.past += c.past.len() as u64;
            }
            Err(e) => wrong(&mut out, format!("column {name}: {e}")),
        }
    }
    match records(&**disk, &m) {
        Ok((records, end)) => {
            out.records = records.len() as u64;
            out.torn = end.len - end.valid;
            if end.more {
                let name = log::file_name(end.number);
                wrong(&mut out, format!("{name} is damaged at byte {}: sound records follow", end.valid));
            }
            if sound {
                let db = columns(disk, &m)?;
                if let Err(e) = db.replay(&records) {
                    out.errors.push(e.message);
                }
            }
        }
        Err(e) => wrong(&mut out, e.message),
    }
    Ok(out)
}

/// A schema given beside one that is stored: the same, or nothing.
pub(super) fn agrees(given: &Edn, stored: &Edn) -> bool {
    given.is_nil() || given == stored
}
