//! A store that is written to: commits, compaction, backup.

use super::crc::crc32c;
use super::io::{Append, Directory, Disk};
use super::log::{self, FORMAT, HEADER, Log, file_name};
use super::manifest::{self, Block, Manifest, segment_name};
use super::open::{self, agrees, corrupt, failed};
use super::segment::{put_column, put_values};
use crate::edn::Edn;
use crate::query::{ErrorKind, QueryError};
use crate::store::{Commit, Conn, Database, Report, Slot, TxOptions};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

type Result<T> = std::result::Result<T, QueryError>;

/// When a store does what by itself.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How large the log grows, in bytes, before its transactions are brought into columns.
    pub log: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { log: 64 << 20 }
    }
}

fn lock<T>(m: &Mutex<T>) -> MutexGuard<'_, T> {
    m.lock().unwrap_or_else(PoisonError::into_inner)
}

fn io_error(e: String) -> QueryError {
    QueryError::new(ErrorKind::Other("store/io"), e)
}

/// A database in a directory.
///
/// ```
/// use datoms::disk::Store;
/// use datoms::edn::read;
/// let dir = std::env::temp_dir().join(format!("datoms-doc-{}", std::process::id()));
/// let schema = read("{:email {:db/unique :db.unique/identity}}").unwrap();
/// let store = Store::create(&dir, &schema).unwrap();
/// store.transact(&read("[{:email \"ada@x\" :name \"Ada\"}]").unwrap()).unwrap();
/// drop(store);
/// let store = Store::open(&dir).unwrap();
/// assert_eq!(store.db().len(), 2);
/// # drop(store); std::fs::remove_dir_all(&dir).unwrap();
/// ```
pub struct Store {
    shared: Arc<Shared>,
    worker: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    disk: Arc<dyn Disk>,
    conn: Conn,
    log: Option<Arc<Writer>>,
    files: Mutex<Files>,
    limits: Limits,
    compacting: AtomicBool,
    /// Why the last compaction in the background failed.
    trouble: Mutex<Option<QueryError>>,
}

/// What the directory holds, and which columns in memory are those on disk.
struct Files {
    manifest: Manifest,
    log: u64,
    on_disk: Vec<Option<Arc<Slot>>>,
}

/// The log as a connection sees it.
struct Writer {
    log: Log,
}

impl Commit for Writer {
    fn put(&self, report: &Report) -> Result<u64> {
        self.log.put(report).map_err(io_error)
    }

    fn wait(&self, number: u64) -> Result<()> {
        self.log.wait(number).map_err(io_error)
    }
}

/// A new log file with its header, on stable storage.
fn begin_log(disk: &dyn Disk, number: u64, store: u64) -> std::io::Result<(Box<dyn Append>, u32)> {
    let header = log::header(number, store);
    let mut file = disk.create(&file_name(number))?;
    file.append(&header)?;
    file.sync()?;
    disk.sync_names()?;
    Ok((file, u32::from_le_bytes([header[28], header[29], header[30], header[31]])))
}

fn write_manifest(disk: &dyn Disk, m: &Manifest) -> std::io::Result<()> {
    let mut file = disk.create(manifest::NEXT)?;
    file.append(m.to_text().as_bytes())?;
    file.sync()?;
    drop(file);
    disk.rename(manifest::NEXT, manifest::NAME)?;
    disk.sync_names()
}

/// Something that no other store has.
fn new_id(schema: &Edn) -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_nanos());
    let text = format!("{now} {} {schema}", std::process::id());
    u64::from(crc32c(0, text.as_bytes())) << 32 | u64::from(crc32c(FORMAT, text.as_bytes()))
}

impl Store {
    /// A new store in a directory, which is made if it is missing and holds no store yet.
    ///
    /// # Errors
    /// `:store/exists`, `:store/locked`, `:store/io`, `:schema/validation`.
    pub fn create(path: &Path, schema: &Edn) -> Result<Self> {
        let disk = Directory::open(path).map_err(|e| failed(&path.display().to_string(), e))?;
        Self::create_on(Arc::new(disk), schema, Limits::default())
    }

    /// The store in a directory, to be read and written.
    ///
    /// # Errors
    /// `:store/missing`, `:store/locked`, `:store/corrupt`, `:store/io`.
    pub fn open(path: &Path) -> Result<Self> {
        if !path.join(manifest::NAME).is_file() {
            let message = format!("{} holds no store", path.display());
            return Err(QueryError::new(ErrorKind::Other("store/missing"), message));
        }
        let disk = Directory::open(path).map_err(|e| failed(&path.display().to_string(), e))?;
        Self::open_on(Arc::new(disk), &Edn::Nil, Limits::default())
    }

    /// The database in a directory as it is now, whoever is writing to it. Nothing in the directory is changed.
    ///
    /// # Errors
    /// `:store/missing`, `:store/corrupt`, `:store/io`.
    pub fn read_only(path: &Path) -> Result<Database> {
        let disk: Arc<dyn Disk> =
            Arc::new(Directory::read_only(path).map_err(|e| failed(&path.display().to_string(), e))?);
        Self::read_only_on(&disk)
    }

    /// As [`read_only`](Self::read_only), on any disk.
    pub fn read_only_on(disk: &Arc<dyn Disk>) -> Result<Database> {
        // The writer may replace files between our looks at them: then look again.
        let mut tries = 0;
        loop {
            let m = open::manifest(&**disk)?
                .ok_or_else(|| QueryError::new(ErrorKind::Other("store/missing"), "there is no store here"))?;
            let read = (|| {
                m.segments().iter().try_for_each(|n| disk.hold(&segment_name(*n)).map_err(|e| failed("segment", e)))?;
                let db = open::columns(disk, &m)?;
                db.replay(&open::records(&**disk, &m)?.0)
            })();
            match read {
                Err(_) if tries < 10 && open::manifest(&**disk).is_ok_and(|now| now.as_ref() != Some(&m)) => tries += 1,
                other => return other,
            }
        }
    }

    /// As [`create`](Self::create), on any disk.
    pub fn create_on(disk: Arc<dyn Disk>, schema: &Edn, limits: Limits) -> Result<Self> {
        Self::create_as(disk, schema, limits, new_id(schema))
    }

    /// The same under an identity that is given.
    pub(super) fn create_as(disk: Arc<dyn Disk>, schema: &Edn, limits: Limits, id: u64) -> Result<Self> {
        if open::manifest(&*disk)?.is_some() {
            return Err(QueryError::new(ErrorKind::Other("store/exists"), "there is a store already"));
        }
        let db = Database::empty(schema)?;
        let m = Manifest {
            store: id,
            schema: db.schema().form().clone(),
            max_eid: db.max_eid(),
            max_tx: db.max_tx(),
            log: 1,
            segment: 0,
            attrs: Vec::new(),
            dict: Vec::new(),
        };
        // The log comes first: a store without a manifest is none, and can be made again.
        begin_log(&*disk, 1, m.store).map_err(|e| failed("the log cannot be made", e))?;
        write_manifest(&*disk, &m).map_err(|e| failed("the manifest cannot be written", e))?;
        Self::open_on(disk, schema, limits)
    }

    /// As [`open`](Self::open), on any disk. A schema that is given must be the one that is stored.
    pub fn open_on(disk: Arc<dyn Disk>, schema: &Edn, limits: Limits) -> Result<Self> {
        let m = open::manifest(&*disk)?
            .ok_or_else(|| QueryError::new(ErrorKind::Other("store/missing"), "there is no store here"))?;
        if !agrees(schema, &m.schema) {
            let message = "the store has another schema; set it with set_schema";
            return Err(QueryError::new(ErrorKind::Other("store/schema"), message));
        }
        let (records, end) = open::records(&*disk, &m)?;
        let base = open::columns(&disk, &m)?;
        let on_disk = base.slots();
        let db = base.replay(&records)?;
        drop(records);
        let name = file_name(end.number);
        let trouble = |e| failed("the log cannot be opened", e);
        if end.more {
            // Never throw away what may have been committed: it stays beside, for someone to look at.
            let bytes = disk.read(&name).map_err(trouble)?;
            let mut copy = disk.create(&format!("torn-{name}")).map_err(trouble)?;
            copy.append(&bytes).and_then(|()| copy.sync()).map_err(trouble)?;
        }
        let (file, seed, len) = if end.valid >= HEADER as u64 {
            let mut file = disk.reopen(&name, end.valid).map_err(trouble)?;
            // What was read may not have been synced when the power went.
            file.sync().map_err(trouble)?;
            (file, end.seed, end.valid)
        } else {
            let (file, seed) = begin_log(&*disk, end.number, m.store).map_err(trouble)?;
            (file, seed, HEADER as u64)
        };
        let writer = Arc::new(Writer { log: Log::new(file, seed, len) });
        let store = Self {
            shared: Arc::new(Shared {
                conn: Conn::logged(db, writer.clone()),
                log: Some(writer),
                files: Mutex::new(Files { manifest: m, log: end.number, on_disk }),
                disk,
                limits,
                compacting: AtomicBool::new(false),
                trouble: Mutex::default(),
            }),
            worker: Mutex::default(),
        };
        store.shared.sweep(&mut lock(&store.shared.files));
        Ok(store)
    }

    /// The connection: the newest value and the listeners.
    pub fn conn(&self) -> &Conn {
        &self.shared.conn
    }

    /// The newest value that is on stable storage.
    pub fn db(&self) -> Database {
        self.shared.conn.db()
    }

    /// Runs a transaction and returns when it is on stable storage. Threads that commit at the same time share a sync.
    ///
    /// # Errors
    /// Those of [`Database::with`], and `:store/io` when the disk fails. Then it is unknown whether the transaction is on
    /// disk, and nothing more is written; opening the store again finds out.
    pub fn transact(&self, tx_data: &Edn) -> Result<Report> {
        self.transact_with(tx_data, &TxOptions::default())
    }

    /// The same with functions and what else [`TxOptions`] says.
    pub fn transact_with(&self, tx_data: &Edn, options: &TxOptions) -> Result<Report> {
        let report = self.shared.conn.transact(tx_data, options)?;
        self.compact_if_large();
        Ok(report)
    }

    fn compact_if_large(&self) {
        let shared = &self.shared;
        let large = shared.log.as_ref().is_some_and(|w| w.log.len() > shared.limits.log);
        if !large || shared.compacting.swap(true, Ordering::AcqRel) {
            return;
        }
        let background = shared.clone();
        let work = move || {
            if let Err(e) = background.compact() {
                *lock(&background.trouble) = Some(e);
            }
            background.compacting.store(false, Ordering::Release);
        };
        let mut worker = lock(&self.worker);
        if let Some(done) = worker.take() {
            let _ = done.join();
        }
        match std::thread::Builder::new().name("compaction".into()).spawn(work) {
            Ok(handle) => *worker = Some(handle),
            Err(_) => shared.compacting.store(false, Ordering::Release),
        }
    }

    /// Brings everything in the log into columns, and removes files that are not needed any more. Others may go on
    /// writing meanwhile.
    ///
    /// # Errors
    /// `:store/io`, `:store/corrupt`. The store is then as it was.
    pub fn compact(&self) -> Result<()> {
        self.shared.compact()
    }

    /// Why the last compaction in the background failed, if it did. Asked once, it is forgotten.
    pub fn trouble(&self) -> Option<QueryError> {
        lock(&self.shared.trouble).take()
    }

    /// Bytes in the log.
    pub fn log_bytes(&self) -> u64 {
        self.shared.log.as_ref().map_or(0, |w| w.log.len())
    }

    /// Puts another schema in place of the present one.
    ///
    /// # Errors
    /// `:schema/validation`, `:store/io`.
    pub fn set_schema(&self, schema: &Edn) -> Result<()> {
        // Checked before anything is written.
        self.db().with_schema(schema)?;
        self.shared.compact_as(Some(schema))
    }

    /// Brings a database that was made elsewhere into an empty store.
    ///
    /// # Errors
    /// `:store/exists` if the store has facts, `:store/io`.
    pub fn load(&self, db: &Database) -> Result<()> {
        let shared = &self.shared;
        let mut files = lock(&shared.files);
        let turn = shared.conn.hold();
        if !turn.is_empty() || turn.max_tx() > crate::store::TX0 {
            return Err(QueryError::new(ErrorKind::Other("store/exists"), "the store holds facts already"));
        }
        let db = db.columns_only();
        shared.write_columns(&mut files, &db, None)?;
        turn.replace(db);
        Ok(())
    }

    /// Copies the store into another directory while it is in use.
    ///
    /// # Errors
    /// `:store/exists` if there is a store, `:store/io`.
    pub fn backup(&self, path: &Path) -> Result<()> {
        let to = Directory::open(path).map_err(|e| failed(&path.display().to_string(), e))?;
        self.backup_on(&to)
    }

    /// As [`backup`](Self::backup), onto any disk.
    pub fn backup_on(&self, to: &dyn Disk) -> Result<()> {
        if open::manifest(to)?.is_some() {
            return Err(QueryError::new(ErrorKind::Other("store/exists"), "there is a store already"));
        }
        let shared = &self.shared;
        // Files are not removed while this is held. The log grows: only whole records are copied.
        let files = lock(&shared.files);
        if let Some(w) = &shared.log {
            w.log.flush().map_err(io_error)?;
        }
        let copy = |name: &str, bytes: &[u8]| -> std::io::Result<()> {
            let mut f = to.create(name)?;
            f.append(bytes)?;
            f.sync()
        };
        let io = |e| failed("the backup cannot be written", e);
        for n in files.manifest.segments() {
            let name = segment_name(n);
            copy(&name, &shared.disk.read(&name).map_err(|e| failed(&name, e))?).map_err(io)?;
        }
        for n in open::log_files(&*shared.disk, &files.manifest)? {
            let name = file_name(n);
            let bytes = shared.disk.read(&name).map_err(|e| failed(&name, e))?;
            let sound = log::parse(&bytes, n, files.manifest.store).map_err(corrupt)?.valid as usize;
            copy(&name, &bytes[..sound]).map_err(io)?;
        }
        to.sync_names().map_err(io)?;
        write_manifest(to, &files.manifest).map_err(io)
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if let Some(worker) = lock(&self.worker).take() {
            let _ = worker.join();
        }
    }
}

impl Shared {
    fn compact(&self) -> Result<()> {
        self.compact_as(None)
    }

    fn compact_as(&self, schema: Option<&Edn>) -> Result<()> {
        let mut files = lock(&self.files);
        let Some(writer) = &self.log else { return Ok(()) };
        // Begin a new log file at a moment when nobody commits; what came before is on stable storage.
        let db = {
            let turn = self.conn.hold();
            if writer.log.len() <= HEADER as u64 && schema.is_none() && files.log == files.manifest.log {
                return Ok(());
            }
            writer.log.flush().map_err(io_error)?;
            let number = files.log + 1;
            let (file, seed) = begin_log(&*self.disk, number, files.manifest.store)
                .map_err(|e| failed("the log cannot be made", e))?;
            writer.log.switch(file, seed, HEADER as u64);
            files.log = number;
            let mut db = (*turn).clone();
            if let Some(schema) = schema {
                // The schema takes effect for writers only when it is on disk; nobody writes until then.
                db = db.with_schema(schema)?;
                let db = db.columns_only();
                self.write_columns(&mut files, &db, Some(schema))?;
                turn.replace(db);
                return Ok(());
            }
            db
        };
        let compact = db.columns_only();
        self.write_columns(&mut files, &compact, None)?;
        // If nobody wrote meanwhile, the columns that were just made serve from now on.
        let turn = self.conn.hold();
        if turn.is_same(&db) {
            turn.replace(compact);
        }
        Ok(())
    }

    /// Writes the columns that are not on disk yet, then the manifest; then removes what it does not refer to.
    fn write_columns(&self, files: &mut Files, db: &Database, schema: Option<&Edn>) -> Result<()> {
        let mut m = files.manifest.clone();
        m.segment += 1;
        let name = segment_name(m.segment);
        let io = |e| failed("the columns cannot be written", e);
        let mut file = self.disk.create(&name).map_err(io)?;
        let mut at = 0u64;
        let mut put = |bytes: &[u8], n: usize, past: usize| -> Result<Block> {
            file.append(bytes).map_err(io)?;
            let block = Block {
                segment: m.segment,
                at,
                len: bytes.len() as u64,
                crc: crc32c(0, bytes),
                n: n as u64,
                past: past as u64,
            };
            at += block.len;
            Ok(block)
        };
        let known: u64 = m.dict.iter().map(|b| b.n).sum();
        let pool = db.pool();
        let mut bytes = Vec::new();
        let all = pool.len();
        if all as u64 > known {
            put_values(&mut bytes, (known as u32..all as u32).filter_map(|i| pool.borrow(i)));
            m.dict.push(put(&bytes, all - known as usize, 0)?);
        }
        let slots = db.slots();
        let mut on_disk = Vec::with_capacity(slots.len());
        for (a, name) in db.all_attributes().into_iter().enumerate() {
            let slot = slots.get(a).cloned().flatten();
            let before = m.attrs.get(a).and_then(|(_, b)| *b);
            let same = match (&slot, files.on_disk.get(a)) {
                (Some(x), Some(Some(y))) => Arc::ptr_eq(x, y),
                (None, _) => true,
                _ => false,
            };
            let block = match &slot {
                _ if same => before,
                Some(slot) if slot.weight() > 0 => {
                    let col = slot.get();
                    bytes.clear();
                    put_column(&mut bytes, col);
                    Some(put(&bytes, col.len(), col.past.len())?)
                }
                _ => None,
            };
            if a < m.attrs.len() {
                m.attrs[a].1 = block;
            } else {
                m.attrs.push((name, block));
            }
            on_disk.push(slot);
        }
        if let Some(fault) = db.fault_of() {
            return Err(corrupt(fault));
        }
        file.sync().map_err(io)?;
        drop(file);
        self.disk.sync_names().map_err(io)?;
        m.max_eid = db.max_eid();
        m.max_tx = db.max_tx();
        m.log = files.log;
        if let Some(schema) = schema {
            m.schema = schema.clone();
        } else {
            m.schema = db.schema().form().clone();
        }
        write_manifest(&*self.disk, &m).map_err(io)?;
        files.manifest = m;
        files.on_disk = on_disk;
        self.sweep(files);
        Ok(())
    }

    /// Removes files that nothing refers to. What cannot be removed is left for the next time.
    fn sweep(&self, files: &mut Files) {
        let used = files.manifest.segments();
        for name in self.disk.list().unwrap_or_default() {
            let number = name.strip_prefix("segment-").and_then(|n| n.parse::<u64>().ok());
            let unused = match (number, log::file_number(&name)) {
                (Some(n), _) => !used.contains(&n),
                (_, Some(n)) => n < files.manifest.log || n > files.log,
                _ => name == manifest::NEXT,
            };
            if unused {
                let _ = self.disk.remove(&name);
            }
        }
    }
}
