//! Connections: a place that holds the newest value of a database, and tells who listens of each change.

use super::db::{Database, Result};
use super::tx::{Report, TxOptions};
use crate::edn::Edn;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

/// Called with the report of each transaction.
pub type Listener = Arc<dyn Fn(&Report) + Send + Sync>;

/// Holds the newest value of a database. Any thread may read it or write to it; writers take turns.
pub struct Conn {
    now: RwLock<Database>,
    writing: Mutex<()>,
    listeners: Mutex<Listeners>,
}

#[derive(Default)]
struct Listeners {
    by_key: Vec<(Edn, Listener)>,
    next: i64,
}

impl Conn {
    /// A connection that starts with a database.
    pub fn new(db: Database) -> Self {
        Self { now: RwLock::new(db), writing: Mutex::new(()), listeners: Mutex::default() }
    }

    /// The newest value.
    pub fn db(&self) -> Database {
        self.now.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Runs a transaction on the newest value and tells the listeners.
    ///
    /// # Errors
    /// Those of [`Database::with`]; the connection then holds what it held before.
    pub fn transact(&self, tx_data: &Edn, options: &TxOptions) -> Result<Report> {
        let report = {
            let _turn = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
            let report = self.db().transact(tx_data, options)?;
            *self.now.write().unwrap_or_else(PoisonError::into_inner) = report.db_after.clone();
            report
        };
        self.tell(&report);
        Ok(report)
    }

    /// Puts another database in place of the newest value, and tells the listeners of the difference as a report.
    pub fn reset(&self, db: Database, meta: Edn) -> Report {
        let before = {
            let _turn = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *self.now.write().unwrap_or_else(PoisonError::into_inner), db.clone())
        };
        // Datoms hold words of the new database, into which those of the old one are brought.
        let pool = &db.0.lineage;
        let mut tx_data = Vec::new();
        for d in before.datoms(super::Index::Eavt, &[]).unwrap_or_default() {
            let v = pool.pool.encode(&before.value(d.v));
            tx_data.push(super::Datom { a: pool.intern(before.attr_name(d.a)), v, m: 0, ..d });
        }
        tx_data.extend(db.datoms(super::Index::Eavt, &[]).unwrap_or_default());
        let report = Report { db_before: before, db_after: db, tx_data, tempids: Vec::new(), tx_meta: meta };
        self.tell(&report);
        report
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
