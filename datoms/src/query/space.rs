//! The words of one query: the dictionary of its first source, and an overlay for what that does not hold.
//!
//! Inputs, results of functions and values of other sources are put into the overlay when the dictionary lacks them. A
//! value that another thread adds to the dictionary meanwhile cannot occur in a snapshot taken before, so the overlay
//! is asked first and a value keeps its word for the whole query.

use crate::edn::Edn;
use crate::value::{Dict, LocalDict, SharedDict, Word};
use std::cell::RefCell;
use std::sync::Arc;

/// Encodes and decodes the values of one query.
#[derive(Default)]
pub struct Space {
    dict: Option<SharedDict>,
    overlay: RefCell<LocalDict>,
}

impl Space {
    /// A space over a dictionary, if there is any source.
    pub fn new(dict: Option<SharedDict>) -> Self {
        Self { dict, overlay: RefCell::new(LocalDict::new()) }
    }

    /// The address of the dictionary, to tell sources that share it.
    pub fn is_native(&self, dict: &SharedDict) -> bool {
        self.dict.as_ref().is_some_and(|d| std::ptr::addr_eq(Arc::as_ptr(d), Arc::as_ptr(dict)))
    }

    /// The word of any value.
    pub fn encode(&self, v: &Edn) -> Word {
        if let Some(w) = Word::inline(v) {
            return w;
        }
        let kind = Word::coded_kind(v);
        let mut overlay = self.overlay.borrow_mut();
        if !overlay.is_empty()
            && let Some(i) = overlay.find(v)
        {
            return Word::coded(kind, i, true);
        }
        match self.dict.as_ref().and_then(|d| d.find(v)) {
            Some(i) => Word::coded(kind, i, false),
            None => Word::coded(kind, overlay.add(v), true),
        }
    }

    /// The value of a word of this space.
    pub fn decode(&self, w: Word) -> Edn {
        decode(self.dict.as_ref(), &self.overlay.borrow(), w)
    }

    /// Ends the query: what is needed to decode its result.
    pub fn finish(self) -> Decoder {
        Decoder { dict: self.dict, overlay: Arc::new(self.overlay.into_inner()) }
    }
}

fn decode(dict: Option<&SharedDict>, overlay: &LocalDict, w: Word) -> Edn {
    match (w.as_inline(), w.code()) {
        (Some(v), _) => v,
        (None, Some((i, true))) => overlay.get(i),
        (None, Some((i, false))) => dict.map_or(Edn::Nil, |d| d.get(i)),
        (None, None) => Edn::Nil,
    }
}

/// Decodes the words of a result, for as long as the result lives.
#[derive(Clone, Default)]
pub struct Decoder {
    dict: Option<SharedDict>,
    overlay: Arc<LocalDict>,
}

impl Decoder {
    /// The value of a word of the result.
    pub fn decode(&self, w: Word) -> Edn {
        decode(self.dict.as_ref(), &self.overlay, w)
    }
}
