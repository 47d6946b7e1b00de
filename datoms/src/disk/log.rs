//! The log: what transactions did, one checksummed record each, and commits that wait for stable storage together.
//!
//! A file is a header of 32 bytes (magic, format, number of the file, id of the store, checksum) and records: length
//! and checksum of 4 bytes each, then the content. Checksums start from the header's, so that bytes of another file are
//! never taken for a record. The first record that does not check out ends the log.
//!
//! Writers put their record into a buffer and wait. One of them writes the buffer and syncs while the others' records
//! collect in the next one, so that many commits share a sync.

use super::codec::{Bytes, Damaged, put_i64, put_u64, put_value};
use super::crc::crc32c;
use super::io::Append;
use crate::edn::Edn;
use crate::store::{Database, Datom, Report};
use std::io;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// The version of the format of all files.
pub const FORMAT: u32 = 1;
const MAGIC: &[u8; 8] = b"yinlog\r\n";
/// How long a header is.
pub const HEADER: usize = 32;
/// How long a record may be.
const MAX_RECORD: usize = 1 << 30;

/// The name of a log file.
pub fn file_name(number: u64) -> String {
    format!("log-{number:010}")
}

/// The number in a log file's name.
pub fn file_number(name: &str) -> Option<u64> {
    name.strip_prefix("log-")?.parse().ok()
}

/// A header, whose last four bytes are the checksum that records start from.
pub fn header(number: u64, store: u64) -> [u8; HEADER] {
    let mut out = [0; HEADER];
    out[..8].copy_from_slice(MAGIC);
    out[8..12].copy_from_slice(&FORMAT.to_le_bytes());
    out[12..20].copy_from_slice(&number.to_le_bytes());
    out[20..28].copy_from_slice(&store.to_le_bytes());
    let crc = crc32c(0, &out[..28]);
    out[28..].copy_from_slice(&crc.to_le_bytes());
    out
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_le_bytes)
}

/// A datom of a record.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The entity.
    pub e: u32,
    /// The attribute.
    pub a: Edn,
    /// The value.
    pub v: Edn,
    /// The transaction.
    pub t: u32,
    /// 0 for a retraction, otherwise the provenance.
    pub m: u32,
}

/// What one transaction did.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// The transaction.
    pub t: u32,
    /// The greatest entity id after it.
    pub max_eid: u32,
    /// Its changes, in order.
    pub changes: Vec<Change>,
}

/// Appends the record of a transaction to a buffer.
pub fn put_record(out: &mut Vec<u8>, seed: u32, report: &Report) {
    let db: &Database = &report.db_after;
    let start = out.len();
    out.extend_from_slice(&[0; 8]);
    out.push(1);
    put_u64(out, db.max_tx().into());
    put_u64(out, db.max_eid().into());
    // Attributes by their place in a list of those that occur.
    let mut attrs: Vec<u32> = Vec::new();
    let place = |attrs: &mut Vec<u32>, d: &Datom| match attrs.iter().position(|a| *a == d.a) {
        Some(i) => i,
        None => {
            attrs.push(d.a);
            attrs.len() - 1
        }
    };
    report.tx_data.iter().for_each(|d| {
        place(&mut attrs, d);
    });
    put_u64(out, attrs.len() as u64);
    attrs.iter().for_each(|a| put_value(out, db.attr_name(*a)));
    put_u64(out, report.tx_data.len() as u64);
    for d in &report.tx_data {
        put_u64(out, d.e.into());
        put_u64(out, place(&mut attrs, d) as u64);
        put_u64(out, d.m.into());
        put_i64(out, i64::from(d.t) - i64::from(db.max_tx()));
        put_value(out, &db.value(d.v));
    }
    seal(out, start, seed);
}

fn seal(out: &mut [u8], start: usize, seed: u32) {
    let len = (out.len() - start - 8) as u32;
    out[start..start + 4].copy_from_slice(&len.to_le_bytes());
    let crc = crc32c(crc32c(seed, &len.to_le_bytes()), &out[start + 8..]);
    out[start + 4..start + 8].copy_from_slice(&crc.to_le_bytes());
}

fn parse_record(content: &[u8]) -> Result<Record, Damaged> {
    let mut b = Bytes(content);
    if b.take(1)? != [1] {
        return Err(Damaged("a record of an unknown kind"));
    }
    let (t, max_eid) = (b.u32()?, b.u32()?);
    let n = b.count()?;
    let attrs = (0..n).map(|_| b.value()).collect::<Result<Vec<Edn>, _>>()?;
    let n = b.count()?;
    let mut changes = Vec::with_capacity(n);
    for _ in 0..n {
        let e = b.u32()?;
        let a = attrs.get(b.u64()? as usize).ok_or(Damaged("an attribute that a record does not list"))?.clone();
        let m = b.u32()?;
        let own = i64::from(t).checked_add(b.i64()?).and_then(|t| u32::try_from(t).ok());
        let v = b.value()?;
        changes.push(Change { e, a, v, t: own.ok_or(Damaged("no transaction"))?, m });
    }
    if b.0.is_empty() { Ok(Record { t, max_eid, changes }) } else { Err(Damaged("a record is too long")) }
}

/// What a log file holds.
#[derive(Debug, Default)]
pub struct Contents {
    /// Its records.
    pub records: Vec<Record>,
    /// How many bytes check out, from the beginning.
    pub valid: u64,
    /// The checksum that records start from.
    pub seed: u32,
    /// True if a record that checks out follows bytes that do not: they were written, but not as one.
    pub more: bool,
}

/// Reads a log file's bytes. A header that does not check out means that the file was never begun.
///
/// # Errors
/// A header of another store, number or format, or a record that checks out but cannot be read.
pub fn parse(bytes: &[u8], number: u64, store: u64) -> Result<Contents, String> {
    let want = header(number, store);
    let Some(found) = bytes.get(..HEADER) else { return Ok(Contents::default()) };
    if found != want {
        let sound = found[..8] == *MAGIC && crc32c(0, &found[..28]) == u32_at(found, 28);
        return match (sound, u32_at(found, 8)) {
            (false, _) => Ok(Contents::default()),
            (true, v) if v > FORMAT => {
                Err(format!("the log has format {v}, which is newer than {FORMAT}: use a newer version"))
            }
            (true, _) => Err("the log belongs to another store".into()),
        };
    }
    let seed = u32_at(&want, 28);
    let mut out = Contents { seed, valid: HEADER as u64, ..Contents::default() };
    let mut at = HEADER;
    while let Some((content, next)) = record_at(bytes, at, seed) {
        out.records.push(parse_record(content).map_err(|e| format!("the record at byte {at}: {}", e.0))?);
        at = next;
        out.valid = at as u64;
    }
    // Bytes past the end are what a crash left, or damage. Records among them tell damage from crash, mostly.
    let end = bytes.len().saturating_sub(8).min(at + (1 << 20));
    out.more = (at + 1..end).any(|i| record_at(bytes, i, seed).is_some());
    Ok(out)
}

/// The content of a record that checks out, and where the next one starts.
fn record_at(bytes: &[u8], at: usize, seed: u32) -> Option<(&[u8], usize)> {
    let head = bytes.get(at..at + 8)?;
    let len = u32_at(head, 0);
    let end = (at + 8).checked_add(len as usize).filter(|_| len > 0 && len as usize <= MAX_RECORD)?;
    let content = bytes.get(at + 8..end)?;
    (crc32c(crc32c(seed, &len.to_le_bytes()), content) == u32_at(head, 4)).then_some((content, end))
}

// ---------------------------------------------------------------- writing

#[derive(Default)]
struct State {
    pending: Vec<u8>,
    /// The checksum that records start from.
    seed: u32,
    /// How many records were put, and how many are on stable storage.
    put: u64,
    synced: u64,
    syncing: bool,
    failed: Option<String>,
}

/// A log that is written to.
pub struct Log {
    state: Mutex<State>,
    changed: Condvar,
    file: Mutex<File>,
}

struct File {
    file: Box<dyn Append>,
    len: u64,
}

fn lock<T>(m: &Mutex<T>) -> MutexGuard<'_, T> {
    m.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Log {
    /// Over a file that has `len` bytes.
    pub fn new(file: Box<dyn Append>, seed: u32, len: u64) -> Self {
        let state = State { seed, ..State::default() };
        Self { state: Mutex::new(state), changed: Condvar::new(), file: Mutex::new(File { file, len }) }
    }

    /// Puts the record of a transaction behind those before it. Returns its number.
    ///
    /// # Errors
    /// Once the disk has failed nothing more is taken: what is on it is found by opening the store again.
    pub fn put(&self, report: &Report) -> Result<u64, String> {
        let mut state = lock(&self.state);
        if let Some(e) = &state.failed {
            return Err(e.clone());
        }
        let seed = state.seed;
        put_record(&mut state.pending, seed, report);
        state.put += 1;
        Ok(state.put)
    }

    /// Returns when a record is on stable storage.
    pub fn wait(&self, number: u64) -> Result<(), String> {
        let mut state = lock(&self.state);
        loop {
            if state.synced >= number {
                return Ok(());
            }
            if let Some(e) = &state.failed {
                return Err(e.clone());
            }
            if state.syncing {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            state.syncing = true;
            let (bytes, upto) = (std::mem::take(&mut state.pending), state.put);
            drop(state);
            let result = self.write(&bytes);
            state = lock(&self.state);
            state.syncing = false;
            match result {
                Ok(()) => state.synced = upto,
                Err(e) => {
                    state.failed = Some(format!("the log could not be written ({e}); open the store again"));
                }
            }
            self.changed.notify_all();
        }
    }

    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let mut f = lock(&self.file);
        if !bytes.is_empty() {
            f.file.append(bytes)?;
            f.len += bytes.len() as u64;
        }
        f.file.sync()
    }

    /// Waits for everything that was put.
    pub fn flush(&self) -> Result<(), String> {
        let put = lock(&self.state).put;
        self.wait(put)
    }

    /// Goes on in another file; everything put must be on stable storage.
    pub fn switch(&self, file: Box<dyn Append>, seed: u32, len: u64) {
        lock(&self.state).seed = seed;
        *lock(&self.file) = File { file, len };
    }

    /// How many bytes the file has.
    pub fn len(&self) -> u64 {
        lock(&self.file).len
    }
}
