//! The Clojure reader: whole text syntax, exact byte spans, one form at a time because namespaces change between forms.
//!
//! Syntax-quote and `#()` are expanded here, as in Clojure; everything that needs the program (current namespace, aliases)
//! is asked of a [`Resolver`]. Nesting is bounded by [`MAX_DEPTH`].
//!
//! # After an error
//! A mistake costs the smallest form around it: it is noted, and reading goes on behind it, so that one pass finds every
//! mistake. A closing delimiter of the wrong kind closes what lacks its own if something further out waits for it, and is
//! skipped otherwise. A form that never ends (or nests too deeply) is given up, and reading goes on at the next line that
//! begins with `(`: that is where people begin forms.

use std::collections::VecDeque;
use yin_ast::diag::Diag;

/// Forms nested deeper are an error.
pub const MAX_DEPTH: usize = 1000;

/// A piece of source.
#[derive(Clone, Debug, PartialEq)]
pub struct Form {
    pub kind: FormKind,
    /// Byte offsets.
    pub start: u32,
    pub end: u32,
    /// `^meta`, already a map form.
    pub meta: Option<Box<Form>>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum FormKind {
    Nil,
    Bool(bool),
    /// Text of a number token; `##Inf` and the like too.
    Number(String),
    Char(char),
    Str(String),
    Regex(String),
    /// `name` or `ns/name`, resolved.
    Keyword(String),
    Symbol(String),
    List(Vec<Form>),
    Vector(Vec<Form>),
    /// Keys and values alternating.
    Map(Vec<Form>),
    Set(Vec<Form>),
    Tagged(String, Box<Form>),
}

/// What the reader must ask the program.
pub trait Resolver {
    /// Name of the current namespace.
    fn current_ns(&self) -> String;
    /// Full name behind an alias.
    fn alias(&self, alias: &str) -> Option<String>;
    /// What syntax-quote makes of a symbol: qualified, or itself for special forms.
    fn quote_symbol(&self, name: &str) -> String;
    /// A number no generated name had yet.
    fn gensym(&mut self) -> u64;
}

/// What the reader refuses.
#[derive(Clone, Debug, PartialEq)]
pub struct ReadError {
    pub diag: Diag,
    pub message: String,
    /// Where the mistake may really be.
    pub hint: Option<String>,
    /// Byte offsets of the text at fault; never beyond the text, never between two bytes of a character.
    pub start: u32,
    pub end: u32,
    /// The text ended too soon: more input could complete it.
    pub incomplete: bool,
}

type Res<T> = Result<T, ReadError>;

/// Reads forms off a text.
pub struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    /// Parameters of the `#()` being read: highest `%n` and whether `%&` was seen, with their names.
    fn_args: Option<(usize, bool, u64)>,
    /// EDN only: no reader macros that make code.
    data_only: bool,
    gensyms: Vec<Vec<(String, String)>>,
    /// Features of reader conditionals beside those always on.
    features: Vec<String>,
    /// Closing delimiters that the collections being read wait for, outermost first.
    open: Vec<char>,
    /// Spliced forms that come before what the text has next.
    pending: VecDeque<Form>,
    /// Inside a branch that is not taken, names need not resolve.
    skipping: usize,
    /// Mistakes in the form being read.
    errors: Vec<ReadError>,
}

fn form(kind: FormKind, start: usize, end: usize) -> Form {
    Form { kind, start: start as u32, end: end as u32, meta: None }
}
fn sym(s: &str, at: &Form) -> Form {
    Form { kind: FormKind::Symbol(s.into()), start: at.start, end: at.end, meta: None }
}
fn list(items: Vec<Form>, at: &Form) -> Form {
    Form { kind: FormKind::List(items), start: at.start, end: at.end, meta: None }
}
fn is_ws(c: char) -> bool {
    c.is_whitespace() || c == ','
}
fn is_terminating(c: char) -> bool {
    is_ws(c) || matches!(c, '"' | ';' | '@' | '^' | '`' | '~' | '(' | ')' | '[' | ']' | '{' | '}' | '\\')
}

impl<'a> Reader<'a> {
    pub fn new(text: &'a str) -> Reader<'a> {
        let at = if text.starts_with("#!") { text.find('\n').unwrap_or(text.len()) } else { 0 };
        Reader {
            text,
            at,
            depth: 0,
            fn_args: None,
            data_only: false,
            gensyms: Vec::new(),
            features: Vec::new(),
            open: Vec::new(),
            pending: VecDeque::new(),
            skipping: 0,
            errors: Vec::new(),
        }
    }
    /// Reads data: `#()`, `@`, quotes and the like are refused.
    pub fn data(text: &'a str) -> Reader<'a> {
        Reader { data_only: true, ..Reader::new(text) }
    }
    /// Also takes the branches of these features in reader conditionals.
    pub fn with_features(self, features: Vec<String>) -> Reader<'a> {
        Reader { features, ..self }
    }
    /// Goes on at this byte offset, which must be the start of a character.
    pub fn at(self, at: usize) -> Reader<'a> {
        Reader { at, ..self }
    }
    /// Byte offset behind what was read.
    pub fn position(&self) -> usize {
        self.at
    }

    /// The next form, `None` at the end.
    ///
    /// # Errors
    /// Every mistake in that form, in the order they were met, at least one. Reading can go on behind it.
    pub fn next_form(&mut self, r: &mut dyn Resolver) -> Result<Option<Form>, Vec<ReadError>> {
        self.depth = 0;
        self.fn_args = None;
        self.gensyms.clear();
        self.open.clear();
        self.pending.clear();
        self.skipping = 0;
        self.errors.clear();
        loop {
            self.skip_ws();
            if self.at >= self.text.len() {
                return Ok(None);
            }
            let start = self.at;
            let form = match self.read(r) {
                Ok(f) => f,
                Err(e) => {
                    let give_up = gives_up(&e);
                    self.errors.push(e);
                    if give_up {
                        let rest = &self.text[start..];
                        self.at = rest.find("\n(").map_or(self.text.len(), |i| start + i + 1);
                        // What lies behind is read again.
                        let at = self.at as u32;
                        self.errors.retain(|e| e.start < at);
                    }
                    None
                }
            };
            if !self.errors.is_empty() {
                return Err(std::mem::take(&mut self.errors));
            }
            if form.is_some() {
                return Ok(form);
            }
        }
    }

    /// Every mistake from here to the end of the text. Aliases need not be known: the forms that would make them may not
    /// have been evaluated.
    pub fn remaining_errors(&mut self, r: &mut dyn Resolver) -> Vec<ReadError> {
        let mut lenient = Lenient(r);
        let mut all = Vec::new();
        loop {
            match self.next_form(&mut lenient) {
                Ok(Some(_)) => {}
                Ok(None) => return all,
                Err(errors) => all.extend(errors),
            }
        }
    }

    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }
    fn peek2(&self) -> Option<char> {
        self.text[self.at..].chars().nth(1)
    }
    fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }
    /// The text from `start` to where the reader is, is wrong.
    fn error<T>(&self, start: usize, diag: Diag, holes: &[&str]) -> Res<T> {
        self.error_at(start, self.at, diag, holes)
    }
    fn error_at<T>(&self, start: usize, end: usize, diag: Diag, holes: &[&str]) -> Res<T> {
        Err(self.read_error(start, end, diag, holes))
    }
    fn read_error(&self, start: usize, end: usize, diag: Diag, holes: &[&str]) -> ReadError {
        let message = diag.message(holes);
        ReadError { diag, message, hint: None, start: start as u32, end: end as u32, incomplete: false }
    }
    /// The text ends inside what began at `start`.
    fn eof<T>(&self, start: usize, diag: Diag, holes: &[&str]) -> Res<T> {
        let opener = self.text[start..].chars().next().map_or(0, char::len_utf8);
        let rest = &self.text[start..];
        let hint = rest.find("\n(").map(|i| {
            let line = self.line_of(start + i + 1);
            format!("line {line} begins a form at the left edge: a delimiter may be missing before it")
        });
        Err(ReadError { hint, incomplete: true, ..self.read_error(start, start + opener, diag, holes) })
    }
    fn line_of(&self, at: usize) -> usize {
        self.text[..at].matches('\n').count() + 1
    }
    fn skip_ws(&mut self) {
        loop {
            match self.peek() {
                Some(c) if is_ws(c) => self.at += c.len_utf8(),
                Some(';') => self.skip_line(),
                Some('#') if self.peek2() == Some('!') => self.skip_line(),
                _ => return,
            }
        }
    }
    fn skip_line(&mut self) {
        self.at += self.text[self.at..].find('\n').unwrap_or(self.text.len() - self.at);
    }
    fn token(&mut self) -> &'a str {
        let start = self.at;
        while let Some(c) = self.peek() {
            if is_terminating(c) {
                break;
            }
            self.at += c.len_utf8();
        }
        &self.text[start..self.at]
    }

    /// Exactly one form.
    fn one(&mut self, r: &mut dyn Resolver, start: usize, what: &str) -> Res<Form> {
        loop {
            if let Some(f) = self.pending.pop_front() {
                return Ok(f);
            }
            self.skip_ws();
            match self.peek() {
                None => return self.eof(start, Diag::EofForm, &[what]),
                Some(c @ (')' | ']' | '}')) => {
                    // Left to whoever waits for it.
                    let (at, end) = (self.at, self.at + 1);
                    if !self.open.contains(&c) {
                        self.at = end;
                    }
                    return self.error_at(at, end, Diag::UnmatchedForm, &[&c.to_string(), what]);
                }
                _ => {
                    if let Some(f) = self.read(r)? {
                        return Ok(f);
                    }
                }
            }
        }
    }

    /// Forms up to the delimiter that closes what began at `start`.
    fn until(&mut self, r: &mut dyn Resolver, close: char, start: usize) -> Res<Vec<Form>> {
        self.open.push(close);
        let items = self.until_closed(r, close, start);
        self.open.pop();
        items
    }
    fn until_closed(&mut self, r: &mut dyn Resolver, close: char, start: usize) -> Res<Vec<Form>> {
        let mut items = Vec::new();
        loop {
            if let Some(f) = self.pending.pop_front() {
                items.push(f);
                continue;
            }
            self.skip_ws();
            match self.peek() {
                None => return self.eof(start, Diag::EofCollection, &[&self.line_of(start).to_string()]),
                Some(c) if c == close => {
                    self.at += 1;
                    return Ok(items);
                }
                Some(c @ (')' | ']' | '}')) => {
                    let (open, line) = (close.to_string(), self.line_of(start).to_string());
                    let holes: [&str; 3] = [&c.to_string(), &open, &line];
                    self.errors.push(self.read_error(self.at, self.at + 1, Diag::UnmatchedInside, &holes));
                    if self.open.contains(&c) {
                        return Ok(items);
                    }
                    self.at += 1;
                }
                _ => {
                    let before = self.at;
                    match self.read(r) {
                        Ok(f) => items.extend(f),
                        Err(e) if gives_up(&e) => return Err(e),
                        Err(e) => {
                            self.errors.push(e);
                            debug_assert!(self.at > before, "a mistake is passed");
                        }
                    }
                }
            }
        }
    }

    /// One form; none for what is discarded or not taken.
    fn read(&mut self, r: &mut dyn Resolver) -> Res<Option<Form>> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            self.bump();
            return self.error(self.at - 1, Diag::TooDeep, &[&MAX_DEPTH.to_string()]);
        }
        let out = self.read_inner(r);
        self.depth -= 1;
        out
    }

    fn read_inner(&mut self, r: &mut dyn Resolver) -> Res<Option<Form>> {
        let start = self.at;
        let c = self.peek().expect("callers look first");
        let code_macro = matches!(c, '\'' | '`' | '~' | '@');
        if code_macro && self.data_only {
            self.at += 1;
            return self.error(start, Diag::NotData, &[&c.to_string()]);
        }
        let kind = match c {
            '(' => {
                self.at += 1;
                FormKind::List(self.until(r, ')', start)?)
            }
            '[' => {
                self.at += 1;
                FormKind::Vector(self.until(r, ']', start)?)
            }
            '{' => {
                self.at += 1;
                let items = self.until(r, '}', start)?;
                self.map(items, start)?
            }
            ')' | ']' | '}' => {
                self.at += 1;
                return self.error(start, Diag::Unmatched, &[&c.to_string()]);
            }
            '"' => FormKind::Str(self.string(start)?),
            '\\' => FormKind::Char(self.character(start)?),
            '\'' => self.wrap(r, start, 1, "quote")?,
            '@' => self.wrap(r, start, 1, "clojure.core/deref")?,
            '`' => {
                self.at += 1;
                self.gensyms.push(Vec::new());
                let f = self.one(r, start, "a syntax-quoted form");
                let f = f.and_then(|f| self.syntax_quote(r, f));
                self.gensyms.pop();
                return f.map(Some);
            }
            '~' if self.peek2() == Some('@') => self.wrap(r, start, 2, "clojure.core/unquote-splicing")?,
            '~' => self.wrap(r, start, 1, "clojure.core/unquote")?,
            '^' => {
                self.at += 1;
                return self.with_meta(r, start).map(Some);
            }
            '%' if self.fn_args.is_some() => self.fn_arg(start)?,
            '#' => return self.dispatch(r, start),
            _ => {
                let t = self.token();
                if t.is_empty() {
                    self.bump();
                    return self.error(start, Diag::UnexpectedCharacter, &[&c.to_string()]);
                }
                self.atom(r, t, start)?
            }
        };
        Ok(Some(form(kind, start, self.at)))
    }

    fn wrap(&mut self, r: &mut dyn Resolver, start: usize, n: usize, with: &str) -> Res<FormKind> {
        self.at += n;
        let f = self.one(r, start, "a form")?;
        let at = form(FormKind::Nil, start, self.at);
        Ok(FormKind::List(vec![sym(with, &at), f]))
    }

    fn map(&mut self, items: Vec<Form>, start: usize) -> Res<FormKind> {
        self.no_duplicates(items.iter().step_by(2));
        if !items.len().is_multiple_of(2) {
            return self.error(start, Diag::OddMap, &[]);
        }
        Ok(FormKind::Map(items))
    }
    fn no_duplicates<'f>(&mut self, items: impl Iterator<Item = &'f Form>) {
        let mut seen = std::collections::BTreeSet::new();
        for f in items {
            let mut key = String::new();
            if constant_key(f, &mut key) && !seen.insert(key) {
                let (start, end) = (f.start as usize, f.end as usize);
                let e = self.read_error(start, end, Diag::DuplicateKey, &[&self.text[start..end]]);
                self.errors.push(e);
            }
        }
    }

    /// A string; mistakes in escapes are noted one by one.
    fn string(&mut self, start: usize) -> Res<String> {
        self.at += 1;
        let mut out = String::new();
        loop {
            let from = self.at;
            match self.bump() {
                None => return self.eof(start, Diag::EofString, &[]),
                Some('"') => return Ok(out),
                Some('\\') => match self.escape(from) {
                    Ok(c) => out.push(c),
                    Err(e) if gives_up(&e) => return Err(e),
                    Err(e) => self.errors.push(e),
                },
                Some(c) => out.push(c),
            }
        }
    }
    /// What stands behind the backslash at `from`.
    fn escape(&mut self, from: usize) -> Res<char> {
        Ok(match self.bump() {
            None => return self.eof(from, Diag::EofString, &[]),
            Some('n') => '\n',
            Some('t') => '\t',
            Some('r') => '\r',
            Some('b') => '\x08',
            Some('f') => '\x0c',
            Some(c @ ('"' | '\\')) => c,
            Some('u') => {
                let mut n = self.hex(from)?;
                // A pair of surrogates is one character.
                if (0xD800..0xDC00).contains(&n) && self.text[self.at..].starts_with("\\u") {
                    self.at += 2;
                    let low = self.hex(from)?;
                    if (0xDC00..0xE000).contains(&low) {
                        n = 0x10000 + ((n - 0xD800) << 10) + (low - 0xDC00);
                    }
                }
                match char::from_u32(n) {
                    Some(c) => c,
                    None => return self.error(from, Diag::UnicodeEscape, &[]),
                }
            }
            Some(c @ '0'..='7') => {
                let mut n = c.to_digit(8).unwrap_or(0);
                for _ in 0..2 {
                    match self.peek().and_then(|c| c.to_digit(8)) {
                        Some(d) => {
                            n = n * 8 + d;
                            self.at += 1;
                        }
                        None => break,
                    }
                }
                match char::from_u32(n).filter(|_| n <= 0o377) {
                    Some(c) => c,
                    None => return self.error(from, Diag::OctalEscape, &[]),
                }
            }
            Some(c) => return self.error(from, Diag::Escape, &[&c.to_string()]),
        })
    }
    fn hex(&mut self, start: usize) -> Res<u32> {
        let digits = self.text.get(self.at..self.at + 4).unwrap_or("");
        match u32::from_str_radix(digits, 16) {
            Ok(n) if digits.len() == 4 && !digits.starts_with('+') => {
                self.at += 4;
                Ok(n)
            }
            _ => self.error(start, Diag::UnicodeEscape, &[]),
        }
    }

    fn character(&mut self, start: usize) -> Res<char> {
        self.at += 1;
        let Some(first) = self.bump() else { return self.eof(start, Diag::EofForm, &["a character"]) };
        let from = self.at - first.len_utf8();
        if !is_terminating(first) {
            self.token();
        }
        let name = &self.text[from..self.at];
        let mut chars = name.chars();
        Ok(match name {
            _ if chars.clone().count() == 1 => chars.next().unwrap_or(first),
            "newline" => '\n',
            "space" => ' ',
            "tab" => '\t',
            "return" => '\r',
            "backspace" => '\x08',
            "formfeed" => '\x0c',
            _ => {
                let code = match name.split_at_checked(1) {
                    Some(("u", hex)) if hex.len() == 4 => u32::from_str_radix(hex, 16).ok(),
                    Some(("o", oct)) if oct.len() <= 3 => u32::from_str_radix(oct, 8).ok().filter(|n| *n <= 0o377),
                    _ => None,
                };
                match code.and_then(char::from_u32) {
                    Some(c) => c,
                    None => return self.error(start, Diag::Character, &[name]),
                }
            }
        })
    }

    fn atom(&mut self, r: &mut dyn Resolver, t: &str, start: usize) -> Res<FormKind> {
        Ok(match t {
            "nil" => FormKind::Nil,
            "true" => FormKind::Bool(true),
            "false" => FormKind::Bool(false),
            _ => {
                let digits = t.strip_prefix(['+', '-']).unwrap_or(t);
                if digits.starts_with(|c: char| c.is_ascii_digit()) {
                    if !is_number(digits) {
                        return self.error(start, Diag::NumberToken, &[t]);
                    }
                    FormKind::Number(t.into())
                } else if let Some(k) = t.strip_prefix(':') {
                    FormKind::Keyword(self.keyword(r, k, start)?)
                } else {
                    self.check_name(t, start)?;
                    FormKind::Symbol(t.into())
                }
            }
        })
    }
    fn check_name(&self, t: &str, start: usize) -> Res<()> {
        let bad = t != "/"
            && (t.ends_with('/') && !t.ends_with("//")
                || t.starts_with('/')
                || t.contains("::")
                || (t.ends_with(':') && t.len() > 1));
        if bad { self.error(start, Diag::Token, &[t]) } else { Ok(()) }
    }
    fn keyword(&mut self, r: &mut dyn Resolver, k: &str, start: usize) -> Res<String> {
        let token = format!(":{k}");
        if let Some(auto) = k.strip_prefix(':') {
            if auto.is_empty() || auto.starts_with(':') || self.data_only {
                return self.error(start, Diag::Token, &[&token]);
            }
            return match auto.split_once('/') {
                Some((a, n)) if !a.is_empty() && !n.is_empty() => match self.alias(r, a) {
                    Some(ns) => Ok(format!("{ns}/{n}")),
                    None => self.error(start, Diag::KeywordAlias, &[&token, a]),
                },
                Some(_) => self.error(start, Diag::Token, &[&token]),
                None => Ok(format!("{}/{auto}", r.current_ns())),
            };
        }
        if k.is_empty()
            || k.ends_with('/') && k != "/"
            || k.starts_with('/') && k != "/"
            || k.ends_with(':')
            || k.contains("::")
        {
            return self.error(start, Diag::Token, &[&token]);
        }
        Ok(k.into())
    }
    fn alias(&self, r: &mut dyn Resolver, alias: &str) -> Option<String> {
        r.alias(alias).or_else(|| (self.skipping > 0).then(|| alias.to_string()))
    }

    fn with_meta(&mut self, r: &mut dyn Resolver, start: usize) -> Res<Form> {
        let m = self.one(r, start, "metadata")?;
        let key = |s: &str| Form { kind: FormKind::Keyword(s.into()), ..m.clone() };
        let entries = match &m.kind {
            FormKind::Map(items) => items.clone(),
            FormKind::Keyword(_) => vec![m.clone(), form(FormKind::Bool(true), start, self.at)],
            FormKind::Symbol(_) | FormKind::Str(_) => vec![key("tag"), m.clone()],
            FormKind::Vector(_) => vec![key("param-tags"), m.clone()],
            _ => return self.error_at(m.start as usize, m.end as usize, Diag::MetaForm, &[]),
        };
        let mut f = self.one(r, start, "the form that has this metadata")?;
        if !matches!(
            f.kind,
            FormKind::Symbol(_) | FormKind::List(_) | FormKind::Vector(_) | FormKind::Map(_) | FormKind::Set(_)
        ) {
            return self.error(start, Diag::MetaTarget, &[]);
        }
        let mut all = match f.meta.take().map(|m| m.kind) {
            Some(FormKind::Map(items)) => items,
            _ => Vec::new(),
        };
        for e in entries.chunks(2) {
            match all.chunks(2).position(|x| x[0].kind == e[0].kind) {
                Some(i) => all[2 * i + 1] = e[1].clone(),
                None => all.extend_from_slice(e),
            }
        }
        f.meta = Some(Box::new(form(FormKind::Map(all), start, self.at)));
        Ok(f)
    }

    fn fn_arg(&mut self, start: usize) -> Res<FormKind> {
        let t = self.token();
        let (max, rest, id) = self.fn_args.expect("inside #()");
        let name = match &t[1..] {
            "" | "1" => {
                self.fn_args = Some((max.max(1), rest, id));
                format!("p1__{id}#")
            }
            "&" => {
                self.fn_args = Some((max, true, id));
                format!("rest__{id}#")
            }
            n => match n.parse::<usize>() {
                Ok(n @ 1..=20) => {
                    self.fn_args = Some((max.max(n), rest, id));
                    format!("p{n}__{id}#")
                }
                _ => return self.error(start, Diag::FnArg, &[]),
            },
        };
        Ok(FormKind::Symbol(name))
    }

    fn dispatch(&mut self, r: &mut dyn Resolver, start: usize) -> Res<Option<Form>> {
        let Some(c) = self.peek2() else {
            self.at += 1;
            return self.eof(start, Diag::EofForm, &["a dispatch macro"]);
        };
        if self.data_only && matches!(c, '(' | '\'' | '?' | '=') {
            self.at += 2;
            return self.error(start, Diag::NotData, &[&format!("#{c}")]);
        }
        let kind = match c {
            '{' => {
                self.at += 2;
                let items = self.until(r, '}', start)?;
                self.no_duplicates(items.iter());
                FormKind::Set(items)
            }
            '(' => {
                if self.fn_args.is_some() {
                    self.at += 1;
                    return self.error_at(start, start + 2, Diag::NestedFn, &[]);
                }
                self.fn_args = Some((0, false, r.gensym()));
                self.at += 2;
                let body = self.until(r, ')', start);
                let (max, rest, id) = self.fn_args.take().expect("set above");
                let at = form(FormKind::Nil, start, self.at);
                let body = list(body?, &at);
                let mut params: Vec<Form> = (1..=max).map(|i| sym(&format!("p{i}__{id}#"), &at)).collect();
                if rest {
                    params.extend([sym("&", &at), sym(&format!("rest__{id}#"), &at)]);
                }
                let params = Form { kind: FormKind::Vector(params), ..at.clone() };
                FormKind::List(vec![sym("fn*", &at), params, body])
            }
            '"' => {
                self.at += 1;
                let open = self.at;
                self.at += 1;
                let mut escaped = false;
                loop {
                    match self.bump() {
                        None => return self.eof(start, Diag::EofForm, &["a regex"]),
                        Some('"') if !escaped => break,
                        Some('\\') => escaped = !escaped,
                        Some(_) => escaped = false,
                    }
                }
                FormKind::Regex(self.text[open + 1..self.at - 1].to_string())
            }
            '_' => {
                self.at += 2;
                self.skipping += 1;
                let discarded = self.one(r, start, "the form to discard");
                self.skipping -= 1;
                return discarded.map(|_| None);
            }
            '\'' => self.wrap(r, start, 2, "var")?,
            '^' => {
                self.at += 2;
                return self.with_meta(r, start).map(Some);
            }
            '#' => {
                self.at += 2;
                let t = self.token();
                match t {
                    "Inf" | "-Inf" | "NaN" => FormKind::Number(format!("##{t}")),
                    _ => return self.error(start, Diag::Symbolic, &[t]),
                }
            }
            '?' => return self.conditional(r, start),
            ':' => {
                self.at += 1;
                let t = self.token();
                let ns = match t.strip_prefix("::") {
                    Some("") => r.current_ns(),
                    Some(a) => match self.alias(r, a) {
                        Some(ns) => ns,
                        None => return self.error(start, Diag::MapAlias, &[a]),
                    },
                    None => t[1..].to_string(),
                };
                self.skip_ws();
                if self.peek() != Some('{') || ns.is_empty() || ns.contains('/') {
                    return self.error(start, Diag::NamespacedMap, &[]);
                }
                self.at += 1;
                let mut items = self.until(r, '}', start)?;
                for f in items.iter_mut().step_by(2) {
                    let qualify = |n: &mut String| {
                        if let Some(bare) = n.strip_prefix("_/") {
                            *n = bare.into();
                        } else if !n.contains('/') || n == "/" {
                            *n = format!("{ns}/{n}");
                        }
                    };
                    match &mut f.kind {
                        FormKind::Keyword(n) | FormKind::Symbol(n) => qualify(n),
                        _ => {}
                    }
                }
                self.map(items, start)?
            }
            '<' => {
                self.at += 2;
                return self.error(start, Diag::Unreadable, &[]);
            }
            '=' => {
                self.at += 2;
                return self.error(start, Diag::EvalReader, &[]);
            }
            c if c.is_alphabetic() => {
                self.at += 1;
                let t = self.token().to_string();
                let f = self.one(r, start, "the form behind a tag")?;
                FormKind::Tagged(t, Box::new(f))
            }
            c => {
                self.at += 1 + c.len_utf8();
                return self.error(start, Diag::Dispatch, &[&c.to_string()]);
            }
        };
        Ok(Some(form(kind, start, self.at)))
    }

    /// `#?(feature form …)` and `#?@`: the form of the first feature that is on.
    fn conditional(&mut self, r: &mut dyn Resolver, start: usize) -> Res<Option<Form>> {
        self.at += 2;
        let splice = self.peek() == Some('@');
        if splice {
            self.at += 1;
        }
        self.skip_ws();
        if self.peek() != Some('(') {
            return self.error(start, Diag::ConditionalBody, &[]);
        }
        let open = self.at;
        self.at += 1;
        self.open.push(')');
        let chosen = self.branches(r, start, open);
        let chosen = match chosen {
            Err(e) if !gives_up(&e) => {
                // The rest of it is read for its mistakes only.
                self.errors.push(e);
                self.skipping += 1;
                let rest = self.until_closed(r, ')', open);
                self.skipping -= 1;
                rest.map(|_| None)
            }
            c => c,
        };
        self.open.pop();
        let Some(f) = chosen? else { return Ok(None) };
        if !splice {
            return Ok(Some(f));
        }
        if self.depth <= 1 {
            return self.error(start, Diag::TopLevelSplice, &[]);
        }
        match f.kind {
            FormKind::List(items) | FormKind::Vector(items) => {
                for (i, f) in items.into_iter().enumerate() {
                    self.pending.insert(i, f);
                }
                Ok(None)
            }
            _ => self.error_at(f.start as usize, f.end as usize, Diag::SpliceForm, &[]),
        }
    }
    fn branches(&mut self, r: &mut dyn Resolver, start: usize, open: usize) -> Res<Option<Form>> {
        let mut chosen: Option<Form> = None;
        loop {
            self.skip_ws();
            match self.peek() {
                None => return self.eof(open, Diag::EofForm, &["a reader conditional"]),
                Some(')') => {
                    self.at += 1;
                    return Ok(chosen);
                }
                _ => {}
            }
            let feature = self.one(r, start, "a feature")?;
            let FormKind::Keyword(name) = &feature.kind else {
                return self.error_at(feature.start as usize, feature.end as usize, Diag::Feature, &[]);
            };
            let on = matches!(name.as_str(), "clj" | "yin" | "default") || self.features.contains(name);
            let active = chosen.is_none() && on;
            self.skip_ws();
            if self.peek() == Some(')') {
                return self.error_at(feature.start as usize, feature.end as usize, Diag::OddConditional, &[]);
            }
            self.skipping += !active as usize;
            let f = self.one(r, start, "a form of a reader conditional");
            self.skipping -= !active as usize;
            if active {
                chosen = Some(f?);
            } else {
                f?;
            }
        }
    }

    // ---- syntax-quote
    fn syntax_quote(&mut self, r: &mut dyn Resolver, f: Form) -> Res<Form> {
        let at = form(FormKind::Nil, f.start as usize, f.end as usize);
        let quote = |x: Form| list(vec![sym("quote", &at), x], &at);
        let out = match &f.kind {
            FormKind::Symbol(name) => {
                let full = if name.ends_with('#') && !name.contains('/') {
                    let base = &name[..name.len() - 1];
                    let known = self.gensyms.last().and_then(|g| g.iter().find(|x| x.0 == base)).map(|x| x.1.clone());
                    match known {
                        Some(n) => n,
                        None => {
                            let n = format!("{base}__{}__auto__", r.gensym());
                            if let Some(g) = self.gensyms.last_mut() {
                                g.push((base.into(), n.clone()));
                            }
                            n
                        }
                    }
                } else {
                    r.quote_symbol(name)
                };
                quote(sym(&full, &at))
            }
            FormKind::List(items) => match items.first().map(|i| &i.kind) {
                Some(FormKind::Symbol(s)) if s == "clojure.core/unquote" => {
                    return Ok(items.get(1).cloned().unwrap_or(at));
                }
                Some(FormKind::Symbol(s)) if s == "clojure.core/unquote-splicing" => {
                    return self.error_at(f.start as usize, f.end as usize, Diag::SpliceNotInList, &[]);
                }
                None => list(vec![sym("clojure.core/list", &at)], &at),
                _ => {
                    let c = self.quote_items(r, items, &at)?;
                    list(vec![sym("clojure.core/seq", &at), c], &at)
                }
            },
            FormKind::Vector(items) => {
                let c = self.quote_items(r, items, &at)?;
                list(vec![sym("clojure.core/apply", &at), sym("clojure.core/vector", &at), c], &at)
            }
            FormKind::Map(items) => {
                let c = self.quote_items(r, items, &at)?;
                list(vec![sym("clojure.core/apply", &at), sym("clojure.core/hash-map", &at), c], &at)
            }
            FormKind::Set(items) => {
                let c = self.quote_items(r, items, &at)?;
                list(vec![sym("clojure.core/apply", &at), sym("clojure.core/hash-set", &at), c], &at)
            }
            _ => return Ok(f),
        };
        if let Some(m) = f.meta {
            let m = self.syntax_quote(r, *m)?;
            return Ok(list(vec![sym("clojure.core/with-meta", &at), out, m], &at));
        }
        Ok(out)
    }
    fn quote_items(&mut self, r: &mut dyn Resolver, items: &[Form], at: &Form) -> Res<Form> {
        let mut parts = vec![sym("clojure.core/concat", at)];
        for i in items {
            if let FormKind::List(xs) = &i.kind
                && let Some(FormKind::Symbol(s)) = xs.first().map(|x| &x.kind)
                && s == "clojure.core/unquote-splicing"
            {
                parts.push(xs.get(1).cloned().unwrap_or_else(|| at.clone()));
                continue;
            }
            let q = self.syntax_quote(r, i.clone())?;
            parts.push(list(vec![sym("clojure.core/list", at), q], at));
        }
        Ok(list(parts, at))
    }
}

/// Is there no going on inside the form?
fn gives_up(e: &ReadError) -> bool {
    e.incomplete || e.diag == Diag::TooDeep
}

/// Is it a number, sign left out? `42 0x2A 052 2r101010 42N 22/7 1.5 1e3 1.5M`.
fn is_number(t: &str) -> bool {
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|c| c.is_ascii_digit());
    if let Some((n, d)) = t.split_once('/') {
        return digits(n) && digits(d);
    }
    let int = t.strip_suffix('N').unwrap_or(t);
    if digits(int) {
        return int == "0" || !int.starts_with('0') || int.bytes().all(|c| c < b'8');
    }
    if let Some(hex) = int.strip_prefix("0x").or_else(|| int.strip_prefix("0X")) {
        return !hex.is_empty() && hex.bytes().all(|c| c.is_ascii_hexdigit());
    }
    if let Some((radix, ds)) = int.split_once(['r', 'R'])
        && digits(radix)
        && let Ok(radix @ 2..=36) = radix.parse()
    {
        return !ds.is_empty() && ds.chars().all(|c| c.is_digit(radix));
    }
    let float = t.strip_suffix('M').unwrap_or(t);
    let (mantissa, exponent) = float.split_once(['e', 'E']).map_or((float, None), |(m, e)| (m, Some(e)));
    let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    digits(whole)
        && (part.is_empty() || digits(part))
        && exponent.is_none_or(|e| digits(e.strip_prefix(['+', '-']).unwrap_or(e)))
}

/// Resolves every alias, to itself if need be.
struct Lenient<'r>(&'r mut dyn Resolver);

impl Resolver for Lenient<'_> {
    fn current_ns(&self) -> String {
        self.0.current_ns()
    }
    fn alias(&self, alias: &str) -> Option<String> {
        self.0.alias(alias).or_else(|| Some(alias.to_string()))
    }
    fn quote_symbol(&self, name: &str) -> String {
        self.0.quote_symbol(name)
    }
    fn gensym(&mut self) -> u64 {
        self.0.gensym()
    }
}

/// Text that is equal for equal constants; false for what is not constant.
fn constant_key(f: &Form, out: &mut String) -> bool {
    match &f.kind {
        FormKind::Nil => out.push_str("nil"),
        FormKind::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        FormKind::Number(n) => out.push_str(n),
        FormKind::Char(c) => {
            out.push('\\');
            out.push(*c);
        }
        FormKind::Str(s) => out.push_str(&format!("{s:?}")),
        FormKind::Keyword(k) => out.push_str(&format!(":{k}")),
        FormKind::Symbol(s) => out.push_str(s),
        FormKind::Vector(items) => {
            out.push('[');
            for i in items {
                if !constant_key(i, out) {
                    return false;
                }
                out.push(' ');
            }
            out.push(']');
        }
        _ => return false,
    }
    true
}
