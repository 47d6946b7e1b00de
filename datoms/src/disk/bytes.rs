//! A whole database as bytes: the files of a store, one after another.

use super::io::{Append, Disk};
use super::store::{Limits, Store};
use super::{Check, verify};
use crate::query::{ErrorKind, QueryError};
use crate::store::{Database, Index};
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

type Contents = Arc<Mutex<BTreeMap<String, Vec<u8>>>>;

/// Files in memory.
#[derive(Clone, Default)]
struct Files(Contents);

fn lock(c: &Contents) -> MutexGuard<'_, BTreeMap<String, Vec<u8>>> {
    c.lock().unwrap_or_else(PoisonError::into_inner)
}

struct File(Contents, String);

impl Append for File {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        lock(&self.0).entry(self.1.clone()).or_default().extend_from_slice(bytes);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn missing(name: &str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, name.to_string())
}

impl Disk for Files {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(lock(&self.0).keys().cloned().collect())
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn Append>> {
        lock(&self.0).insert(name.into(), Vec::new());
        Ok(Box::new(File(self.0.clone(), name.into())))
    }

    fn reopen(&self, name: &str, len: u64) -> io::Result<Box<dyn Append>> {
        let mut files = lock(&self.0);
        let f = files.get_mut(name).ok_or_else(|| missing(name))?;
        f.truncate(usize::try_from(len).unwrap_or(usize::MAX));
        Ok(Box::new(File(self.0.clone(), name.into())))
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        lock(&self.0).get(name).cloned().ok_or_else(|| missing(name))
    }

    fn read_at(&self, name: &str, at: u64, len: usize) -> io::Result<Vec<u8>> {
        let files = lock(&self.0);
        let f = files.get(name).ok_or_else(|| missing(name))?;
        let part = usize::try_from(at).ok().and_then(|at| f.get(at..at.checked_add(len)?));
        part.map(<[u8]>::to_vec)
            .ok_or_else(|| io::Error::new(io::ErrorKind::UnexpectedEof, format!("{name} ends early")))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut files = lock(&self.0);
        let f = files.remove(from).ok_or_else(|| missing(from))?;
        files.insert(to.into(), f);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        lock(&self.0).remove(name);
        Ok(())
    }

    fn sync_names(&self) -> io::Result<()> {
        Ok(())
    }
}

fn damaged() -> QueryError {
    QueryError::new(ErrorKind::Other("store/corrupt"), "these bytes are no database")
}

impl Database {
    /// Everything about a database as bytes, its past with it; of a view, such as a filtered database, what it shows. The
    /// same database gives the same bytes.
    ///
    /// # Errors
    /// `:store/bytes` for a history, which is no database.
    pub fn to_bytes(&self) -> Result<Vec<u8>, QueryError> {
        if self.is_history() {
            let message = "A history cannot be written as bytes; the database it is of can";
            return Err(QueryError::new(ErrorKind::Other("store/bytes"), message));
        }
        let files = Files::default();
        let store = Store::create_as(Arc::new(files.clone()), self.schema().form(), Limits::default(), 1)?;
        if self.is_filtered() {
            let all = self.datoms(Index::Eavt, &[])?;
            let facts = all.iter().map(|d| (d.e, self.attr_name(d.a).clone(), self.value(d.v), d.t));
            let shown = Self::from_datoms(self.schema().form(), facts)?;
            store.load(&shown.bounded(Some(self.max_eid().into()), Some(self.max_tx().into())))?;
        } else if !self.is_empty() || self.max_tx() > crate::store::TX0 {
            store.load(self)?;
        }
        drop(store);
        let mut out = vec![u8::from(self.is_filtered())];
        for (name, bytes) in lock(&files.0).iter() {
            out.extend((name.len() as u32).to_le_bytes());
            out.extend(name.as_bytes());
            out.extend((bytes.len() as u64).to_le_bytes());
            out.extend(bytes);
        }
        Ok(out)
    }

    /// The database of such bytes. All of them are checked before any is relied on.
    ///
    /// # Errors
    /// `:store/corrupt`.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, QueryError> {
        let (view, mut rest) = bytes.split_first().ok_or_else(damaged)?;
        let files = Files::default();
        let mut take = |n: usize| -> Result<&[u8], QueryError> {
            let (part, more) = rest.split_at_checked(n).ok_or_else(damaged)?;
            rest = more;
            Ok(part)
        };
        while let Ok(n) = take(4) {
            let n = u32::from_le_bytes(n.try_into().map_err(|_| damaged())?) as usize;
            let name = std::str::from_utf8(take(n)?).map_err(|_| damaged())?.to_string();
            let n = u64::from_le_bytes(take(8)?.try_into().map_err(|_| damaged())?);
            let content = take(usize::try_from(n).map_err(|_| damaged())?)?.to_vec();
            lock(&files.0).insert(name, content);
        }
        let disk: Arc<dyn Disk> = Arc::new(files);
        let Check { errors, torn, .. } = verify(&disk)?;
        if let Some(e) = errors.first() {
            return Err(QueryError::new(ErrorKind::Other("store/corrupt"), e.clone()));
        }
        if torn > 0 || *view > 1 {
            return Err(damaged());
        }
        let db = Store::read_only_on(&disk)?;
        Ok(if *view == 1 { db.filter(Arc::new(|_, _| true)) } else { db })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edn::{Edn, read};

    fn db() -> Database {
        let schema = read("{:aka {:db/cardinality :db.cardinality/many} :boss {:db/valueType :db.type/ref}}");
        let mut db = Database::empty(&schema.expect("valid")).expect("valid");
        for tx in ["[{:db/id 1 :name \"a\" :aka [\"x\" \"y\"]}]", "[[:db/add 1 :name \"b\"] [:db/add 2 :boss 1]]"] {
            db = db.db_with(&read(tx).expect("valid")).expect("it runs");
        }
        db
    }

    #[test]
    fn a_database_and_its_past_survive() {
        let db = db();
        let bytes = db.to_bytes().expect("written");
        assert_eq!(bytes, db.to_bytes().expect("written"));
        let back = Database::from_bytes(&bytes).expect("read");
        assert_eq!(back.to_literal(), db.to_literal());
        assert_eq!((back.max_eid(), back.max_tx()), (db.max_eid(), db.max_tx()));
        let past = |db: &Database| {
            let h = db.history();
            h.datoms(Index::Eavt, &[]).expect("read").iter().map(|d| h.change_edn(d)).collect::<Vec<Edn>>()
        };
        assert_eq!(past(&back), past(&db));
        let old = db.as_of(db.max_tx() - 1);
        let back = Database::from_bytes(&old.to_bytes().expect("written")).expect("read");
        assert_eq!(back.to_literal(), old.to_literal());
        assert!(back.is_filtered());
        let empty = Database::empty(&Edn::Nil).expect("valid");
        assert!(Database::from_bytes(&empty.to_bytes().expect("written")).expect("read").is_empty());
        assert!(db.history().to_bytes().is_err());
    }

    #[test]
    fn damage_is_an_error() {
        let bytes = db().to_bytes().expect("written");
        for n in 0..bytes.len() {
            assert!(Database::from_bytes(&bytes[..n]).is_err(), "cut at {n}");
        }
        for n in 0..bytes.len() {
            let mut b = bytes.clone();
            b[n] ^= 0x41;
            if let Ok(back) = Database::from_bytes(&b) {
                // Names of files that nothing reads may change.
                assert_eq!(back.to_literal(), db().to_literal(), "byte {n}");
            }
        }
    }
}
