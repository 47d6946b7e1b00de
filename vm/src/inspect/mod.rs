//! Programs and the machine as databases. Nothing here costs anything until it is asked.
//!
//! `load` reads programs for queries without running them; `globals`, `exec` and `run` are sources: what names stand for,
//! the instructions with their type feedback, the live machine. `ask` finds out which attributes a query looks at, and
//! only those are read off the machine, at one moment, between two instructions.

pub mod ask;
pub mod exec;
pub mod globals;
pub mod jit;
pub mod library;
pub mod load;
pub mod moment;
pub mod pass;
pub mod run;
mod show;
pub mod trace;

use datoms::edn::Edn;
use datoms::lazy::{AttrInfo, Lexicon, Relations};
use datoms::value::Word;
use std::sync::Arc;

/// Facts read off the machine: a pair of arrays an attribute, filled only for attributes that were wanted.
pub struct Arrays {
    attrs: &'static [AttrInfo],
    facts: Vec<Vec<(u32, Word)>>,
    wanted: Vec<bool>,
    lexicon: Arc<Lexicon>,
    max: u32,
}

impl Arrays {
    /// For a table of attributes; `wanted` says which of them a query looks at.
    pub fn new(attrs: &'static [AttrInfo], lexicon: &Arc<Lexicon>, wanted: &dyn Fn(&str) -> bool) -> Arrays {
        Arrays {
            attrs,
            facts: attrs.iter().map(|_| Vec::new()).collect(),
            wanted: attrs.iter().map(|a| wanted(a.name)).collect(),
            lexicon: lexicon.clone(),
            max: 0,
        }
    }
    /// Does the query look at any of these?
    pub fn wants(&self, attrs: &[usize]) -> bool {
        attrs.iter().any(|a| self.wanted[*a])
    }
    /// Does it look at none at all?
    pub fn is_unwanted(&self) -> bool {
        !self.wanted.iter().any(|w| *w)
    }
    /// Adds a fact if its attribute is wanted.
    pub fn add(&mut self, attr: usize, e: u32, v: Word) {
        if self.wanted[attr] {
            self.max = self.max.max(e);
            self.facts[attr].push((e, v));
        }
    }
    /// Adds a fact with a value, which is made only if its attribute is wanted.
    pub fn value(&mut self, attr: usize, e: u32, v: impl FnOnce() -> Edn) {
        if self.wanted[attr] {
            let w = self.lexicon.encode(&v());
            self.add(attr, e, w);
        }
    }
    pub fn reference(&mut self, attr: usize, e: u32, v: u32) {
        self.add(attr, e, Word::entity(v));
    }
    pub fn int(&mut self, attr: usize, e: u32, v: i64) {
        if let Some(w) = Word::int(v) {
            self.add(attr, e, w);
        }
    }
    pub fn word(&self, v: &Edn) -> Word {
        self.lexicon.encode(v)
    }
    /// Ready to be a source: facts by entity.
    pub fn finish(mut self) -> Arrays {
        for f in &mut self.facts {
            if !f.is_sorted_by_key(|x| x.0) {
                f.sort_by_key(|x| x.0);
            }
        }
        self
    }
}

impl Relations for Arrays {
    fn attrs(&self) -> &[AttrInfo] {
        self.attrs
    }
    fn fill(&self, attr: usize, out: &mut dyn FnMut(u32, Word)) {
        self.facts[attr].iter().for_each(|(e, v)| out(*e, *v));
    }
    fn values(&self, attr: usize, e: u32, out: &mut Vec<Word>) -> bool {
        let f = &self.facts[attr];
        let from = f.partition_point(|x| x.0 < e);
        out.extend(f[from..].iter().take_while(|x| x.0 == e).map(|x| x.1));
        true
    }
    fn n_entities(&self) -> usize {
        self.facts.iter().map(Vec::len).max().unwrap_or(0)
    }
}

/// A table of attributes with a constant for the index of each.
macro_rules! attr_table {
    (@one value $name:literal $doc:literal) => { datoms::lazy::AttrInfo::value($name, $doc) };
    (@one reference $name:literal $doc:literal) => { datoms::lazy::AttrInfo::reference($name, $doc) };
    (@one values $name:literal $doc:literal) => { datoms::lazy::AttrInfo::value($name, $doc).many() };
    (@one references $name:literal $doc:literal) => { datoms::lazy::AttrInfo::reference($name, $doc).many() };
    ($($id:ident $sort:ident $name:literal $doc:literal;)*) => {
        /// The attributes.
        pub static ATTRS: &[datoms::lazy::AttrInfo] = &[$(attr_table!(@one $sort $name $doc)),*];
        #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
        enum Index { $($id),* }
        $(const $id: usize = Index::$id as usize;)*
    };
}
pub(crate) use attr_table;

/// Where entities of each sort begin; nodes of the AST lie below.
pub mod entity {
    pub const GLOBAL: u32 = 0x2000_0000;
    pub const APPLICATION: u32 = 0x2C00_0000;
    pub const CODE: u32 = 0x3000_0000;
    pub const UNIT: u32 = 0x3800_0000;
    pub const EXIT: u32 = 0x3A00_0000;
    pub const INSTRUCTION: u32 = 0x4000_0000;
    pub const FRAME: u32 = 0x8000_0000;
    pub const LOCAL: u32 = 0x9000_0000;
    pub const THREAD: u32 = 0xA000_0000;
    pub const CALL: u32 = 0xD000_0000;
    pub const STEP: u32 = 0xE000_0000;
    pub const BINDING: u32 = 0xF000_0000;
    pub const CONTINUATION: u32 = 0xA800_0000;
    pub const OBJECT: u32 = 0xC000_0000;
}

/// The reference page of the vocabulary, as Markdown.
pub fn reference() -> String {
    let mut s = String::from(
        "# What can be asked\n\nGenerated from the tables of attributes; a test keeps it fresh. `yin query --source` names \
         the sources.\nEvery fact is `[e a v t m]`; values of refs are entities, so they join.\n",
    );
    let mut section = |title: &str, text: &str, attrs: &[AttrInfo]| {
        s.push_str(&format!("\n## {title}\n\n{text}\n\n| attribute | value |\n|---|---|\n"));
        for a in attrs {
            let sort = match (a.traits.is_ref, a.traits.many) {
                (true, true) => "refs: ",
                (true, false) => "ref: ",
                (false, true) => "any number: ",
                (false, false) => "",
            };
            s.push_str(&format!("| `:{}` | {sort}{} |\n", a.name, a.doc));
        }
    };
    section(
        "Nodes (`ast`)",
        "The Universal AST; see [nodes](nodes.md) for the kinds and their children.",
        &yin_ast::source::attrs(),
    );
    section(
        "Globals (`ast`)",
        "What a name stands for, whether the program defines it or the library.",
        globals::ATTRS,
    );
    section(
        "Instructions and type feedback (`exec`, `types`)",
        "The packed stream, an entity an instruction.",
        exec::ATTRS,
    );
    section(
        "Machine code (`jit`)",
        "An entity for each code that the compiler decided about, and one for each place where machine code left.",
        jit::ATTRS,
    );
    section("Recordings (`trace`)", "What `--trace calls` and `--trace steps` record; `t` is the step.", trace::ATTRS);
    section("Passes", "What `--passes` and `yin explain-pass` derived.", pass::ATTRS);
    section(
        "The running machine (`run`)",
        "Threads, frames, locals, continuations, channels and the heap.",
        run::ATTRS,
    );
    s
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `UPDATE_EXPECT=1 cargo test -p yin-vm` writes the page anew.
    #[test]
    fn the_reference_page_is_fresh() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reference/vocabulary.md");
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::write(path, reference()).expect("docs can be written");
        }
        let page = std::fs::read_to_string(path).unwrap_or_default();
        assert!(page == reference(), "docs/reference/vocabulary.md is stale: UPDATE_EXPECT=1 cargo test -p yin-vm");
    }

    #[test]
    fn no_attribute_is_in_two_tables() {
        let ast = yin_ast::source::attrs();
        let all: Vec<&str> = [&ast[..], globals::ATTRS, exec::ATTRS, jit::ATTRS, pass::ATTRS, run::ATTRS, trace::ATTRS]
            .concat()
            .iter()
            .map(|a| a.name)
            .collect();
        let mut once = all.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len(), all.len());
    }
}
