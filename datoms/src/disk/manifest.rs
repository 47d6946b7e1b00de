//! The manifest: which files make up a store, where its columns are, and where its log goes on.
//!
//! A line of EDN and a line with its checksum. It is replaced as a whole, by a rename.

use super::crc::crc32c;
use super::log::FORMAT;
use crate::edn::{Edn, read};

/// The name of the file.
pub const NAME: &str = "manifest";
/// The name it has before it takes the place of the old one.
pub const NEXT: &str = "manifest.next";

/// Where a block is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// The number of the segment.
    pub segment: u64,
    /// Its first byte.
    pub at: u64,
    /// Its length.
    pub len: u64,
    /// Its checksum.
    pub crc: u32,
    /// How many facts or values it has.
    pub n: u64,
    /// How many past facts it has.
    pub past: u64,
}

/// See the module.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// What tells stores apart.
    pub store: u64,
    /// The schema.
    pub schema: Edn,
    /// The greatest entity id in the columns.
    pub max_eid: u32,
    /// The last transaction in the columns.
    pub max_tx: u32,
    /// The first log file that is not in the columns.
    pub log: u64,
    /// The number of the last segment.
    pub segment: u64,
    /// Attributes by number, each with its column if it has facts.
    pub attrs: Vec<(Edn, Option<Block>)>,
    /// The parts of the dictionary, in order.
    pub dict: Vec<Block>,
}

/// The name of a segment.
pub fn segment_name(number: u64) -> String {
    format!("segment-{number:010}")
}

impl Block {
    fn to_edn(self) -> Edn {
        let number = |x: u64| Edn::Int(x as i64);
        Edn::vector([
            number(self.segment),
            number(self.at),
            number(self.len),
            number(self.crc.into()),
            number(self.n),
            number(self.past),
        ])
    }

    fn from_edn(form: &Edn) -> Option<Self> {
        let numbers = form.as_vector()?.iter().map(|x| u64::try_from(x.as_int()?).ok()).collect::<Option<Vec<_>>>()?;
        let [segment, at, len, crc, n, past] = numbers[..] else { return None };
        Some(Self { segment, at, len, crc: u32::try_from(crc).ok()?, n, past })
    }
}

impl Manifest {
    /// As text.
    pub fn to_text(&self) -> String {
        let k = Edn::keyword;
        let number = |x: u64| Edn::Int(x as i64);
        let attrs =
            self.attrs.iter().map(|(name, block)| Edn::vector([name.clone(), block.map_or(Edn::Nil, Block::to_edn)]));
        let form = Edn::map([
            (k("format"), number(FORMAT.into())),
            (k("store"), Edn::from(format!("{:016x}", self.store))),
            (k("max-eid"), number(self.max_eid.into())),
            (k("max-tx"), number(self.max_tx.into())),
            (k("log"), number(self.log)),
            (k("segment"), number(self.segment)),
            (k("schema"), self.schema.clone()),
            (k("dict"), Edn::vector(self.dict.iter().map(|b| b.to_edn()).collect::<Vec<_>>())),
            (k("attrs"), Edn::vector(attrs.collect::<Vec<_>>())),
        ]);
        let mut text = form.to_string();
        text.push('\n');
        let crc = crc32c(0, text.as_bytes());
        format!("{text};crc32c {crc:08x}\n")
    }

    /// From text.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(bytes).map_err(|_| "the manifest is not text")?;
        let at = text.rfind(";crc32c ").ok_or("the manifest has no checksum")?;
        let crc = text[at + 8..].trim_end();
        if format!("{:08x}", crc32c(0, &bytes[..at])) != crc {
            return Err("the manifest does not match its checksum".into());
        }
        let form = read(&text[..at]).map_err(|e| format!("the manifest cannot be read: {e}"))?;
        let int = |key: &str| -> Result<u64, String> {
            let v = form.get_kw(key).and_then(Edn::as_int).and_then(|i| u64::try_from(i).ok());
            v.ok_or_else(|| format!("the manifest has no {key}"))
        };
        let small = |key: &str| u32::try_from(int(key)?).map_err(|_| format!("{key} of the manifest is too large"));
        let format = small("format")?;
        if format > FORMAT {
            return Err(format!("the store has format {format}, which is newer than {FORMAT}: use a newer version"));
        }
        let items = |key: &str| form.get_kw(key).and_then(Edn::as_vector).unwrap_or(&[]);
        let block = |b: &Edn| Block::from_edn(b).ok_or("the manifest has a bad block");
        let store = form.get_kw("store").and_then(Edn::as_str).and_then(|s| u64::from_str_radix(s, 16).ok());
        let mut attrs = Vec::new();
        for a in items("attrs") {
            let Some([name, at]) = a.as_vector() else { return Err("the manifest has a bad attribute".into()) };
            attrs.push((name.clone(), if at.is_nil() { None } else { Some(block(at)?) }));
        }
        Ok(Self {
            store: store.ok_or("the manifest has no id")?,
            schema: form.get_kw("schema").cloned().unwrap_or(Edn::Nil),
            max_eid: small("max-eid")?,
            max_tx: small("max-tx")?,
            log: int("log")?,
            segment: int("segment")?,
            attrs,
            dict: items("dict").iter().map(block).collect::<Result<_, _>>()?,
        })
    }

    /// The segments that it refers to.
    pub fn segments(&self) -> Vec<u64> {
        let blocks = self.attrs.iter().filter_map(|(_, b)| b.as_ref()).chain(&self.dict);
        let mut out: Vec<u64> = blocks.map(|b| b.segment).collect();
        out.sort_unstable();
        out.dedup();
        out
    }
}
