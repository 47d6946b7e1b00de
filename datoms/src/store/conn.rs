//! Connections: a place that holds the newest value of a database, and tells who listens of each change.

use super::db::{Database, Datom, Result};
use super::index::Index;
use super::tx::{Report, TxOptions};
use crate::edn::Edn;
use crate::query::{ErrorKind, QueryError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

/// Called with the report of each transaction.
pub type Listener = Arc<dyn Fn(&Report) + Send + Sync>;

/// Where transactions go so that they last.
pub trait Commit: Send + Sync {
    /// Takes a transaction, after those before it. Returns its number.
    fn put(&self, report: &Report) -> Result<u64>;
    /// Returns when the transaction of a number lasts.
    fn wait(&self, number: u64) -> Result<()>;
}

/// Holds the newest value of a database. Any thread may read it or write to it; writers take turns.
pub struct Conn {
    /// The newest value that lasts.
    now: RwLock<Database>,
    /// The value that the next transaction starts from.
    tip: Mutex<Database>,
    log: Option<Arc<dyn Commit>>,
    listeners: Mutex<Listeners>,
}

#[derive(Default)]
struct Listeners {
    by_key: Vec<(Edn, Listener)>,
    next: i64,
}

/// The turn to write: nobody else does while it is held.
pub struct Turn<'c> {
    conn: &'c Conn,
    tip: MutexGuard<'c, Database>,
}

impl std::ops::Deref for Turn<'_> {
    type Target = Database;

    fn deref(&self) -> &Database {
        &self.tip
    }
}

impl Turn<'_> {
    /// Puts another value in place of the newest one, without telling anybody.
    pub fn replace(mut self, db: Database) {
        *self.tip = db.clone();
        *self.conn.now.write().unwrap_or_else(PoisonError::into_inner) = db;
    }
}

impl Conn {
    /// A connection that starts with a database.
    pub fn new(db: Database) -> Self {
        Self { now: RwLock::new(db.clone()), tip: Mutex::new(db), log: None, listeners: Mutex::default() }
    }

    /// The same, whose transactions go to a log before anybody sees them.
    pub fn logged(db: Database, log: Arc<dyn Commit>) -> Self {
        Self { log: Some(log), ..Self::new(db) }
    }

    /// The newest value.
    pub fn db(&self) -> Database {
        self.now.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits for the turn to write.
    pub fn hold(&self) -> Turn<'_> {
        Turn { conn: self, tip: self.tip.lock().unwrap_or_else(PoisonError::into_inner) }
    }

    /// Runs a transaction on the newest value and tells the listeners.
    ///
    /// # Errors
    /// Those of [`Database::with`]; the connection then holds what it held before. Those of the log; then nothing more
    /// is written.
    pub fn transact(&self, tx_data: &Edn, options: &TxOptions) -> Result<Report> {
        let (report, number) = {
            let mut turn = self.hold();
            let report = turn.tip.transact(tx_data, options)?;
            let number = self.log.as_ref().map(|l| l.put(&report)).transpose()?;
            *turn.tip = report.db_after.clone();
            if number.is_none() {
                *self.now.write().unwrap_or_else(PoisonError::into_inner) = report.db_after.clone();
            }
            (report, number)
        };
        if let (Some(log), Some(number)) = (&self.log, number) {
            log.wait(number)?;
            let mut now = self.now.write().unwrap_or_else(PoisonError::into_inner);
            if report.db_after.max_tx() > now.max_tx() {
                *now = report.db_after.clone();
            }
        }
        self.tell(&report);
        Ok(report)
    }

    /// Puts another database in place of the newest value, and tells the listeners of the difference as a report.
    ///
    /// # Errors
    /// `:conn/logged` if the connection writes to a log, which holds transactions only.
    pub fn reset(&self, db: Database, meta: Edn) -> Result<Report> {
        if self.log.is_some() {
            let message = "A database on disk is changed by transactions only";
            return Err(QueryError::new(ErrorKind::Other("conn/logged"), message));
        }
        let turn = self.hold();
        let before = turn.clone();
        turn.replace(db.clone());
        // Datoms hold words of the new database, into which those of the old one are brought.
        let lineage = &db.0.lineage;
        let mut tx_data = Vec::new();
        for d in before.datoms(Index::Eavt, &[])? {
            let v = lineage.pool.encode(&before.value(d.v));
            tx_data.push(Datom { a: lineage.intern(before.attr_name(d.a)), v, m: 0, ..d });
        }
        tx_data.extend(db.datoms(Index::Eavt, &[])?);
        let report = Report { db_before: before, db_after: db, tx_data, tempids: Vec::new(), tx_meta: meta };
        self.tell(&report);
        Ok(report)
    }

    fn tell(&self, report: &Report) {
        let all: Vec<Listener> = {
            let listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
            listeners.by_key.iter().map(|(_, l)| l.clone()).collect()
        };
        all.iter().for_each(|l| l(report));
    }

    /// Has a listener called after each transaction, under a key; another under the same key takes its place.
    pub fn listen(&self, key: Option<Edn>, listener: Listener) -> Edn {
        let mut listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        let key = key.unwrap_or_else(|| {
            listeners.next += 1;
            Edn::Int(listeners.next)
        });
        listeners.by_key.retain(|(k, _)| *k != key);
        listeners.by_key.push((key.clone(), listener));
        key
    }

    /// Ends the calls of a listener.
    pub fn unlisten(&self, key: &Edn) {
        let mut listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        listeners.by_key.retain(|(k, _)| k != key);
    }
}
