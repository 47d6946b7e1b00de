//! The reader: text to values, with an explicit stack so that no input can exhaust the machine's.

use super::inst;
use super::lex::{self, LexError};
use super::name::{Keyword, Symbol};
use super::value::{Edn, Uuid};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// How deeply collections and tags may be nested in text.
pub const MAX_DEPTH: usize = 2000;

/// Why text could not be read, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadError {
    /// The rule that was broken and what was found.
    pub message: String,
    /// Bytes of the offending text.
    pub span: Range<usize>,
    /// Line of its start, from 1.
    pub line: usize,
    /// Column of its start in characters, from 1.
    pub column: usize,
}

impl ReadError {
    fn new(src: &str, message: impl Into<String>, span: Range<usize>) -> Self {
        let mut start = span.start.min(src.len());
        while !src.is_char_boundary(start) {
            start -= 1;
        }
        let before = &src[..start];
        let line_start = before.rfind('\n').map_or(0, |i| i + 1);
        Self {
            message: message.into(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            span,
        }
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)
    }
}

impl std::error::Error for ReadError {}

/// Where a value and its parts stood. Children are in the order written: elements, keys and values in turn, or the
/// value of a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spans {
    /// Bytes of the whole value.
    pub span: Range<usize>,
    /// Its parts.
    pub children: Vec<Spans>,
}

/// Reads exactly one value; blanks and comments around it are fine.
pub fn read(src: &str) -> Result<Edn, ReadError> {
    one(src, false).map(|(v, _)| v)
}

/// Like [`read`], and says where each part stood.
pub fn read_with_spans(src: &str) -> Result<(Edn, Spans), ReadError> {
    one(src, true).map(|(v, s)| (v, s.unwrap_or(Spans { span: 0..0, children: Vec::new() })))
}

fn one(src: &str, spans: bool) -> Result<(Edn, Option<Spans>), ReadError> {
    let mut reader = Reader { src, at: 0, spans };
    let Some(found) = reader.next()? else {
        return Err(ReadError::new(src, "Unexpected end of input, expected a value", src.len()..src.len()));
    };
    let before = lex::skip_blank(src, reader.at);
    match reader.next()? {
        None => Ok(found),
        Some(_) => Err(ReadError::new(src, "Expected one value, found another", before..reader.at)),
    }
}

/// Reads all values of a text.
pub fn read_all(src: &str) -> Result<Vec<Edn>, ReadError> {
    let mut reader = Reader { src, at: 0, spans: false };
    let mut out = Vec::new();
    while let Some((v, _)) = reader.next()? {
        out.push(v);
    }
    Ok(out)
}

/// Like [`read_all`], and says where each part stood.
pub fn read_all_with_spans(src: &str) -> Result<Vec<(Edn, Spans)>, ReadError> {
    let mut reader = Reader { src, at: 0, spans: true };
    let mut out = Vec::new();
    while let Some((v, s)) = reader.next()? {
        out.extend(s.map(|s| (v, s)));
    }
    Ok(out)
}

/// Reads the first value and says how many bytes it took; `None` if there is none.
pub fn read_prefix(src: &str) -> Result<Option<(Edn, usize)>, ReadError> {
    let mut reader = Reader { src, at: 0, spans: false };
    Ok(reader.next()?.map(|(v, _)| (v, reader.at)))
}

/// What a finished value is put into.
enum Open {
    List,
    Vector,
    Set,
    /// The namespace of `#:ns{…}`, if it has one.
    Map(Option<Arc<str>>),
    /// `#tag`, waits for one value.
    Tag(Symbol),
    /// `#_`, swallows one value.
    Discard,
}

struct Frame {
    open: Open,
    start: usize,
    items: Vec<Edn>,
    spans: Vec<Spans>,
}

struct Reader<'a> {
    src: &'a str,
    at: usize,
    spans: bool,
}

impl Reader<'_> {
    fn error<T>(&self, message: impl Into<String>, span: Range<usize>) -> Result<T, ReadError> {
        Err(ReadError::new(self.src, message, span))
    }

    fn lexed<T>(&self, result: Result<T, LexError>) -> Result<T, ReadError> {
        result.map_err(|e| ReadError::new(self.src, e.message, e.start..e.end))
    }

    /// The next value at top level, or `None` at the end.
    fn next(&mut self) -> Result<Option<(Edn, Option<Spans>)>, ReadError> {
        let mut stack: Vec<Frame> = Vec::new();
        loop {
            self.at = lex::skip_blank(self.src, self.at);
            let start = self.at;
            let Some(c) = self.src[start..].chars().next() else {
                return match stack.last() {
                    None => Ok(None),
                    Some(frame) => {
                        let what = match frame.open {
                            Open::List => "a list",
                            Open::Vector => "a vector",
                            Open::Set => "a set",
                            Open::Map(_) => "a map",
                            Open::Tag(_) => "a tagged value",
                            Open::Discard => "what #_ discards",
                        };
                        self.error(format!("Unexpected end of input in {what}"), frame.start..self.src.len())
                    }
                };
            };
            self.at += c.len_utf8();
            let mut value = match c {
                '(' => self.push(&mut stack, Open::List, start)?,
                '[' => self.push(&mut stack, Open::Vector, start)?,
                '{' => self.push(&mut stack, Open::Map(None), start)?,
                ')' | ']' | '}' => {
                    let Some(frame) = stack.pop() else {
                        return self.error(format!("Unmatched delimiter: {c}"), start..self.at);
                    };
                    Some(self.close(frame, c, start)?)
                }
                '#' => self.dispatch(&mut stack, start)?,
                _ => Some((self.atom(c, start)?, self.leaf(start))),
            };
            // A finished value goes into its frame; a tag or discard is finished by it.
            while let Some((v, span)) = value.take() {
                match stack.last_mut() {
                    None => return Ok(Some((v, span))),
                    Some(Frame { open: Open::Discard, .. }) => {
                        stack.pop();
                    }
                    Some(Frame { open: Open::Tag(_), .. }) => {
                        if let Some(Frame { open: Open::Tag(tag), start, .. }) = stack.pop() {
                            let tagged = self.tagged(tag, v, start)?;
                            let span = span.map(|s| Spans { span: start..self.at, children: vec![s] });
                            value = Some((tagged, span));
                        }
                    }
                    Some(frame) => {
                        frame.items.push(v);
                        frame.spans.extend(span);
                    }
                }
            }
        }
    }

    fn leaf(&self, start: usize) -> Option<Spans> {
        self.spans.then(|| Spans { span: start..self.at, children: Vec::new() })
    }

    #[allow(clippy::type_complexity, reason = "the shape of a value in progress, local to the reader")]
    fn push(
        &self,
        stack: &mut Vec<Frame>,
        open: Open,
        start: usize,
    ) -> Result<Option<(Edn, Option<Spans>)>, ReadError> {
        if stack.len() >= MAX_DEPTH {
            return self.error(format!("Nested deeper than {MAX_DEPTH}"), start..self.at);
        }
        stack.push(Frame { open, start, items: Vec::new(), spans: Vec::new() });
        Ok(None)
    }

    fn close(&self, frame: Frame, c: char, at: usize) -> Result<(Edn, Option<Spans>), ReadError> {
        let Frame { open, start, items, spans } = frame;
        let span = self.spans.then_some(Spans { span: start..self.at, children: spans });
        let value = match (open, c) {
            (Open::List, ')') => Edn::List(items.into()),
            (Open::Vector, ']') => Edn::Vector(items.into()),
            (Open::Set, '}') => {
                if let Some(x) = duplicate(items.iter()) {
                    return self.error(format!("Duplicate key: {x}"), start..self.at);
                }
                Edn::Set(items.into())
            }
            (Open::Map(ns), '}') => {
                if items.len() % 2 == 1 {
                    return self.error("Map literal must contain an even number of forms", start..self.at);
                }
                let mut pairs = Vec::with_capacity(items.len() / 2);
                let mut items = items.into_iter();
                while let (Some(k), Some(v)) = (items.next(), items.next()) {
                    pairs.push((qualify(k, ns.as_deref()), v));
                }
                if let Some(x) = duplicate(pairs.iter().map(|(k, _)| k)) {
                    return self.error(format!("Duplicate key: {x}"), start..self.at);
                }
                Edn::Map(pairs.into())
            }
            _ => return self.error(format!("Unmatched delimiter: {c}"), at..self.at),
        };
        Ok((value, span))
    }

    fn dispatch(&mut self, stack: &mut Vec<Frame>, start: usize) -> Result<Option<(Edn, Option<Spans>)>, ReadError> {
        let src = self.src;
        match src[self.at..].chars().next() {
            Some('{') => {
                self.at += 1;
                self.push(stack, Open::Set, start)
            }
            Some('_') => {
                self.at += 1;
                self.push(stack, Open::Discard, start)
            }
            Some('"') => {
                let (text, end) = self.lexed(lex::regex(src, self.at + 1))?;
                self.at = end;
                Ok(Some((Edn::Regex(text.into()), self.leaf(start))))
            }
            Some('#') => {
                let from = self.at + 1;
                self.at = lex::token_end(src, from);
                let value = self.lexed(lex::symbolic(&src[from..self.at], start))?;
                Ok(Some((value, self.leaf(start))))
            }
            Some(':') => {
                let from = self.at;
                self.at = lex::token_end(src, from);
                let ns = self.lexed(lex::keyword(&src[from..self.at], from))?;
                self.at = lex::skip_blank(src, self.at);
                if ns.namespace().is_some() || !src[self.at..].starts_with('{') {
                    return self.error("Namespaced map must be #:name{…}", start..self.at);
                }
                self.at += 1;
                self.push(stack, Open::Map(Some(ns.text().clone())), start)
            }
            Some(c) if !lex::ends_token(c) => {
                let from = self.at;
                self.at = lex::token_end(src, from);
                let tag = self.lexed(lex::symbol(&src[from..self.at], from))?;
                if !c.is_alphabetic() {
                    return self.error(format!("A tag starts with a letter: #{tag}"), start..self.at);
                }
                self.push(stack, Open::Tag(tag), start)
            }
            _ => self.error("Expected a dispatch character after #", start..self.at),
        }
    }

    fn tagged(&self, tag: Symbol, value: Edn, start: usize) -> Result<Edn, ReadError> {
        let known = match tag.as_str() {
            "inst" => value.as_str().and_then(inst::parse).map(Edn::Inst),
            "uuid" => value.as_str().and_then(Uuid::parse).map(Edn::Uuid),
            _ => return Ok(Edn::Tagged(Arc::new((tag, value)))),
        };
        match known {
            Some(v) => Ok(v),
            None => self.error(format!("Unrecognized #{tag}: {value}"), start..self.at),
        }
    }

    fn atom(&mut self, c: char, start: usize) -> Result<Edn, ReadError> {
        let src = self.src;
        match c {
            '"' => {
                let (text, end) = self.lexed(lex::string(src, self.at))?;
                self.at = end;
                Ok(Edn::Str(text.into()))
            }
            '\\' => {
                let (c, end) = self.lexed(lex::character(src, self.at))?;
                self.at = end;
                Ok(Edn::Char(c))
            }
            '@' | '^' | '`' | '~' | '\'' => self.error(format!("{c} has no meaning in EDN"), start..self.at),
            _ => {
                self.at = lex::token_end(src, start);
                self.lexed(lex::atom(&src[start..self.at], start))
            }
        }
    }
}

/// Puts a key of `#:ns{…}` into the namespace; `:_/key` has none.
fn qualify(key: Edn, ns: Option<&str>) -> Edn {
    let Some(ns) = ns else { return key };
    match &key {
        Edn::Keyword(k) if k.namespace().is_none() => Edn::Keyword(Keyword::with_namespace(ns, k.name())),
        Edn::Keyword(k) if k.namespace() == Some("_") => Edn::Keyword(Keyword::new(k.name())),
        Edn::Symbol(s) if s.namespace().is_none() => Edn::Symbol(Symbol::with_namespace(ns, s.name())),
        Edn::Symbol(s) if s.namespace() == Some("_") => Edn::Symbol(Symbol::new(s.name())),
        _ => key,
    }
}

/// The first value that occurs twice.
fn duplicate<'a>(items: impl Iterator<Item = &'a Edn> + Clone) -> Option<&'a Edn> {
    if items.clone().count() <= 8 {
        return items.clone().enumerate().find(|(i, x)| items.clone().take(*i).any(|y| y == *x)).map(|(_, x)| x);
    }
    let mut seen = rustc_hash::FxHashSet::default();
    items.into_iter().find(|x| !seen.insert(*x))
}
