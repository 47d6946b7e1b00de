//! The few operations that durability rests on, as a trait: the real directory, and one in memory for tests that can
//! fail at any operation and forget what was not synced.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// A file that is appended to.
pub trait Append: Send {
    /// Appends all of some bytes.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Returns when everything appended is on stable storage.
    fn sync(&mut self) -> io::Result<()>;
}

/// A directory.
pub trait Disk: Send + Sync {
    /// The names of its files.
    fn list(&self) -> io::Result<Vec<String>>;
    /// A new, empty file; one of that name is emptied.
    fn create(&self, name: &str) -> io::Result<Box<dyn Append>>;
    /// A file to go on appending to after its first `len` bytes; what follows them is cut off.
    fn reopen(&self, name: &str, len: u64) -> io::Result<Box<dyn Append>>;
    /// All bytes of a file.
    fn read(&self, name: &str) -> io::Result<Vec<u8>>;
    /// Some bytes of a file; fewer than asked for are an error.
    fn read_at(&self, name: &str, at: u64, len: usize) -> io::Result<Vec<u8>>;
    /// Keeps a file readable although its name may go away.
    fn hold(&self, _name: &str) -> io::Result<()> {
        Ok(())
    }
    /// Gives a file another name, in place of one that has it.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Returns when names that were made, changed or removed are on stable storage.
    fn sync_names(&self) -> io::Result<()>;
}

/// A directory of the file system.
pub struct Directory {
    path: PathBuf,
    /// Files that stay readable though their names may be gone.
    held: Mutex<BTreeMap<String, File>>,
    /// Held for as long as the directory is open for writing.
    _lock: Option<File>,
}

impl Directory {
    /// Opens a directory for writing; it is made if it is missing. Only one process can have it open so.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] if another process has it.
    pub fn open(path: &Path) -> io::Result<Self> {
        fs::create_dir_all(path)?;
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(path.join("lock"))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.into(), held: Mutex::default(), _lock: Some(lock) }),
            Err(TryLockError::WouldBlock) => Err(io::Error::new(
                io::ErrorKind::WouldBlock,
                format!("{} is open for writing elsewhere", path.display()),
            )),
            Err(TryLockError::Error(e)) => Err(e),
        }
    }

    /// Opens a directory to be read only. Nothing in it is changed, and another process may be writing to it.
    pub fn read_only(path: &Path) -> io::Result<Self> {
        if !path.is_dir() {
            return Err(io::Error::new(io::ErrorKind::NotFound, format!("{} is no directory", path.display())));
        }
        Ok(Self { path: path.into(), held: Mutex::default(), _lock: None })
    }
}

struct Appended(File);

impl Append for Appended {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_data()
    }
}

impl Disk for Directory {
    fn list(&self) -> io::Result<Vec<String>> {
        let mut out = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            if let Ok(name) = entry?.file_name().into_string() {
                out.push(name);
            }
        }
        out.sort();
        Ok(out)
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn Append>> {
        Ok(Box::new(Appended(File::create(self.path.join(name))?)))
    }

    fn reopen(&self, name: &str, len: u64) -> io::Result<Box<dyn Append>> {
        let mut f = OpenOptions::new().write(true).open(self.path.join(name))?;
        f.set_len(len)?;
        f.seek(SeekFrom::End(0))?;
        Ok(Box::new(Appended(f)))
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        fs::read(self.path.join(name))
    }

    fn read_at(&self, name: &str, at: u64, len: usize) -> io::Result<Vec<u8>> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let opened;
        let mut f: &File = match held.get(name) {
            Some(f) => f,
            None => {
                opened = File::open(self.path.join(name))?;
                &opened
            }
        };
        let end = f.metadata()?.len();
        // A damaged length must not take memory that the file does not have.
        if at.checked_add(len as u64).is_none_or(|e| e > end) {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, format!("{name} ends early")));
        }
        f.seek(SeekFrom::Start(at))?;
        let mut out = vec![0; len];
        f.read_exact(&mut out)?;
        Ok(out)
    }

    fn hold(&self, name: &str) -> io::Result<()> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if !held.contains_key(name) {
            held.insert(name.into(), File::open(self.path.join(name))?);
        }
        Ok(())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path.join(from), self.path.join(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path.join(name))
    }

    fn sync_names(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }
}

/// A directory in memory that fails when it is told to, and forgets what was not synced.
#[cfg(test)]
pub mod memory {
    use super::*;
    use std::collections::BTreeMap;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Content {
        bytes: Vec<u8>,
        synced: usize,
    }

    #[derive(Default)]
    struct State {
        /// Files by number; names refer to them.
        files: Vec<Content>,
        names: BTreeMap<String, usize>,
        synced_names: BTreeMap<String, usize>,
        /// How many operations may still succeed.
        left: Option<usize>,
        done: usize,
    }

    impl State {
        fn step(&mut self) -> io::Result<()> {
            self.done += 1;
            match &mut self.left {
                Some(0) => Err(io::Error::other("the disk fails")),
                Some(n) => {
                    *n -= 1;
                    Ok(())
                }
                None => Ok(()),
            }
        }
    }

    /// See the module.
    #[derive(Clone, Default)]
    pub struct Memory(Arc<Mutex<State>>);

    impl Memory {
        /// Lets so many operations succeed and all after them fail.
        pub fn fail_after(&self, n: Option<usize>) {
            self.0.lock().unwrap().left = n;
        }

        /// How many operations there were.
        pub fn done(&self) -> usize {
            self.0.lock().unwrap().done
        }

        /// What is found after the power went: of each file what was synced and some part of the rest, chosen by
        /// `keep` from the length that was not synced; names as they were synced, or as they were last.
        pub fn after_power_loss(&self, keep: &mut dyn FnMut(usize) -> usize, last_names: bool) -> Self {
            let s = self.0.lock().unwrap();
            let mut files = s.files.clone();
            for f in &mut files {
                let unsynced = f.bytes.len() - f.synced;
                let kept = if unsynced == 0 { 0 } else { keep(unsynced).min(unsynced) };
                f.bytes.truncate(f.synced + kept);
                f.synced = f.bytes.len();
            }
            let names = if last_names { s.names.clone() } else { s.synced_names.clone() };
            let state = State { files, synced_names: names.clone(), names, ..State::default() };
            Self(Arc::new(Mutex::new(state)))
        }

        /// Puts bytes in place of a file's.
        pub fn put(&self, name: &str, bytes: Vec<u8>) {
            let mut s = self.0.lock().unwrap();
            let synced = bytes.len();
            s.files.push(Content { bytes, synced });
            let i = s.files.len() - 1;
            s.names.insert(name.into(), i);
            s.synced_names.insert(name.into(), i);
        }

        /// A copy with everything as it is.
        pub fn copy(&self) -> Self {
            self.after_power_loss(&mut |n| n, true)
        }

        fn find(s: &State, name: &str) -> io::Result<usize> {
            s.names.get(name).copied().ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, name.to_string()))
        }
    }

    struct Open(Memory, usize);

    impl Append for Open {
        fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
            let mut s = self.0.0.lock().unwrap();
            match s.step() {
                Ok(()) => {
                    s.files[self.1].bytes.extend_from_slice(bytes);
                    Ok(())
                }
                // A write that fails may have written some of it.
                Err(e) => {
                    let part = bytes.len() / 2;
                    s.files[self.1].bytes.extend_from_slice(&bytes[..part]);
                    Err(e)
                }
            }
        }

        fn sync(&mut self) -> io::Result<()> {
            let mut s = self.0.0.lock().unwrap();
            s.step()?;
            let f = &mut s.files[self.1];
            f.synced = f.bytes.len();
            Ok(())
        }
    }

    impl Disk for Memory {
        fn list(&self) -> io::Result<Vec<String>> {
            Ok(self.0.lock().unwrap().names.keys().cloned().collect())
        }

        fn create(&self, name: &str) -> io::Result<Box<dyn Append>> {
            let mut s = self.0.lock().unwrap();
            s.step()?;
            s.files.push(Content::default());
            let i = s.files.len() - 1;
            s.names.insert(name.into(), i);
            Ok(Box::new(Open(self.clone(), i)))
        }

        fn reopen(&self, name: &str, len: u64) -> io::Result<Box<dyn Append>> {
            let mut s = self.0.lock().unwrap();
            s.step()?;
            let i = Self::find(&s, name)?;
            let f = &mut s.files[i];
            f.bytes.truncate(len as usize);
            f.synced = f.synced.min(f.bytes.len());
            Ok(Box::new(Open(self.clone(), i)))
        }

        fn read(&self, name: &str) -> io::Result<Vec<u8>> {
            let s = self.0.lock().unwrap();
            Ok(s.files[Self::find(&s, name)?].bytes.clone())
        }

        fn read_at(&self, name: &str, at: u64, len: usize) -> io::Result<Vec<u8>> {
            let all = self.read(name)?;
            let short = || io::Error::new(io::ErrorKind::UnexpectedEof, format!("{name} ends early"));
            let end = (at as usize).checked_add(len).ok_or_else(short)?;
            all.get(at as usize..end).map(<[u8]>::to_vec).ok_or_else(short)
        }

        fn rename(&self, from: &str, to: &str) -> io::Result<()> {
            let mut s = self.0.lock().unwrap();
            s.step()?;
            let i = Self::find(&s, from)?;
            s.names.remove(from);
            s.names.insert(to.into(), i);
            Ok(())
        }

        fn remove(&self, name: &str) -> io::Result<()> {
            let mut s = self.0.lock().unwrap();
            s.step()?;
            Self::find(&s, name)?;
            s.names.remove(name);
            Ok(())
        }

        fn sync_names(&self) -> io::Result<()> {
            let mut s = self.0.lock().unwrap();
            s.step()?;
            s.synced_names = s.names.clone();
            Ok(())
        }
    }
}
