//! Databases for programs: what `datascript.core` and `yin.db` stand on.
//!
//! A database is an object of the host: the heap has a `Native` with its number, [`Held`] has the database. `data` turns
//! values into data and back, `calls` lets queries and transactions call functions of the program, `query` and `prims` are
//! the primitives. Everything a user sees is written in `vm/lib/datascript/core.clj` and `vm/lib/yin/db.clj`.

mod calls;
mod data;
mod prims;
pub(crate) mod query;

use crate::layout::{Kind, slot};
use crate::machine::{Exit, Vm};
use crate::value::{Obj, Value};
use datoms::disk::Store;
use datoms::query::QueryError;
use datoms::store::Database;
use std::sync::Arc;

pub use prims::TABLE;

/// Something of the host that a program holds.
#[derive(Clone)]
pub enum Thing {
    Db(Database),
    /// A store on disk, open for writing.
    Store(Arc<Store>),
}

/// The things that programs hold, by number. The collector lets go of those whose objects are gone.
#[derive(Default)]
pub struct Held {
    things: Vec<Option<Thing>>,
    free: Vec<usize>,
    objects: Vec<Obj>,
    /// How many were added since the last collection.
    fresh: usize,
}

/// After so many new things a collection is wanted: they may be large, and the heap does not know.
const FRESH: usize = 256;

impl Held {
    fn add(&mut self, thing: Thing) -> usize {
        self.fresh += 1;
        match self.free.pop() {
            Some(i) => {
                self.things[i] = Some(thing);
                i
            }
            None => {
                self.things.push(Some(thing));
                self.things.len() - 1
            }
        }
    }

    /// Lets go of a thing whose object is still there.
    pub(crate) fn close(&mut self, i: usize) {
        if let Some(t) = self.things.get_mut(i) {
            *t = None;
        }
    }

    /// After a collection: `now` says where an object is, if it lives.
    pub(crate) fn sweep(&mut self, now: impl Fn(Obj) -> Option<Obj>) {
        self.fresh = 0;
        let (things, free) = (&mut self.things, &mut self.free);
        self.objects.retain_mut(|o| match now(*o) {
            Some(there) => {
                *o = there;
                true
            }
            None => {
                // The numbers of dead objects are still readable: their memory is reused after this.
                let i = o.get(0).fix_get() as usize;
                things[i] = None;
                free.push(i);
                false
            }
        });
    }
}

impl Vm {
    /// An object that stands for a thing.
    pub(crate) fn hold(&mut self, thing: Thing) -> Value {
        let name = self.symbol(match thing {
            Thing::Db(_) => "datoms/database",
            Thing::Store(_) => "datoms/store",
        });
        let i = self.held.add(thing);
        let v = self.alloc(Kind::Native, &[Value::fix(i as i64), name, Value::NIL]);
        self.held.objects.push(v.obj().expect("just allocated"));
        if self.held.fresh >= FRESH {
            self.heap.want_collection();
        }
        v
    }

    /// The thing that an object stands for, or that the first field of an instance does.
    pub(crate) fn thing(&self, v: Value) -> Option<&Thing> {
        let o = match v.obj()? {
            o if o.kind() == Kind::Native => o,
            o if o.kind() == Kind::Instance && o.len() > 1 => o.get(1).as_kind(Kind::Native)?,
            _ => return None,
        };
        self.held.things.get(usize::try_from(o.get(0).as_fix()?).ok()?)?.as_ref()
    }

    /// The database that a value is.
    pub(crate) fn database(&self, v: Value) -> Option<Database> {
        match self.thing(v)? {
            Thing::Db(db) => Some(db.clone()),
            Thing::Store(_) => None,
        }
    }

    /// An exception with data, as `ex-info` makes.
    pub(crate) fn ex_info(&mut self, message: &str, data: Value) -> Exit {
        let mut words = [Value::NIL; slot::EX_LEN];
        words[slot::EX_CLASS] = self.symbol("clojure.lang.ExceptionInfo");
        words[slot::EX_MESSAGE] = self.str(message);
        words[slot::EX_DATA] = data;
        words[slot::EX_KIND] = self.keyword("user");
        let e = self.alloc(Kind::Exception, &words);
        self.throw(e)
    }

    /// The exception for an error of the store: `{:error class, :form form}`.
    pub(crate) fn store_error(&mut self, objects: &data::Objects, e: &QueryError) -> Exit {
        let class = self.keyword(e.kind.keyword());
        let mut pairs = vec![(self.keyword("error"), class)];
        if !e.form.is_nil() {
            let form = data::value(self, objects, &e.form);
            pairs.push((self.keyword("form"), form));
        }
        match crate::prim::hamt::of(self, &pairs) {
            Ok(m) => self.ex_info(&e.message, m),
            Err(e) => e,
        }
    }
}
