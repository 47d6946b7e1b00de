//! The Clojure reader: whole text syntax, exact byte spans, one form at a time because namespaces change between forms.
//!
//! Syntax-quote and `#()` are expanded here, as in Clojure; everything that needs the program (current namespace, aliases)
//! is asked of a [`Resolver`]. Nesting is bounded by [`MAX_DEPTH`].

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
    pub message: String,
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
        Reader { text, at, depth: 0, fn_args: None, data_only: false, gensyms: Vec::new(), features: Vec::new() }
    }
    /// Reads data: `#()`, `@`, quotes and the like are refused.
    pub fn data(text: &'a str) -> Reader<'a> {
        Reader { data_only: true, ..Reader::new(text) }
    }
    /// Also takes the branches of these features in reader conditionals.
    pub fn with_features(self, features: Vec<String>) -> Reader<'a> {
        Reader { features, ..self }
    }
    /// Byte offset behind what was read.
    pub fn position(&self) -> usize {
        self.at
    }

    /// The next form, `None` at the end.
    pub fn next_form(&mut self, r: &mut dyn Resolver) -> Res<Option<Form>> {
        self.depth = 0;
        self.fn_args = None;
        self.gensyms.clear();
        loop {
            self.skip_ws();
            if self.at >= self.text.len() {
                return Ok(None);
            }
            if let Some(f) = self.read(r)?.pop_front() {
                return Ok(Some(f));
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
    fn error<T>(&self, start: usize, message: impl Into<String>) -> Res<T> {
        Err(ReadError { message: message.into(), start: start as u32, end: self.at as u32, incomplete: false })
    }
    fn eof<T>(&self, start: usize, what: &str) -> Res<T> {
        Err(ReadError {
            message: format!("EOF while reading {what}"),
            start: start as u32,
            end: start as u32 + 1,
            incomplete: true,
        })
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
            self.skip_ws();
            match self.peek() {
                None => return self.eof(start, what),
                Some(c @ (')' | ']' | '}')) => {
                    self.at += 1;
                    return self.error(self.at - 1, format!("Unmatched delimiter: {c}"));
                }
                _ => {
                    if let Some(f) = self.read(r)?.pop_front() {
                        return Ok(f);
                    }
                }
            }
        }
    }

    fn until(&mut self, r: &mut dyn Resolver, close: char, start: usize) -> Res<Vec<Form>> {
        let mut items = Vec::new();
        loop {
            self.skip_ws();
            match self.peek() {
                None => {
                    let line = self.text[..start].matches('\n').count() + 1;
                    return self.eof(start, &format!("a collection that starts on line {line}"));
                }
                Some(c) if c == close => {
                    self.at += 1;
                    return Ok(items);
                }
                Some(c @ (')' | ']' | '}')) => {
                    self.at += 1;
                    let line = self.text[..start].matches('\n').count() + 1;
                    return self.error(
                        self.at - 1,
                        format!("Unmatched delimiter: {c}, expected {close} to match what starts on line {line}"),
                    );
                }
                _ => items.extend(self.read(r)?),
            }
        }
    }

    /// Zero, one or (splicing conditionals) several forms.
    fn read(&mut self, r: &mut dyn Resolver) -> Res<std::collections::VecDeque<Form>> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return self.error(self.at, format!("forms are nested deeper than {MAX_DEPTH}"));
        }
        let out = self.read_inner(r);
        self.depth -= 1;
        out
    }

    fn read_inner(&mut self, r: &mut dyn Resolver) -> Res<std::collections::VecDeque<Form>> {
        let start = self.at;
        let c = self.peek().expect("callers look first");
        let one = |f: Form| Ok(std::collections::VecDeque::from([f]));
        let code_macro = matches!(c, '\'' | '`' | '~' | '@');
        if code_macro && self.data_only {
            self.at += 1;
            return self.error(start, format!("{c} has no meaning in data"));
        }
        match c {
            '(' => {
                self.at += 1;
                let items = self.until(r, ')', start)?;
                one(form(FormKind::List(items), start, self.at))
            }
            '[' => {
                self.at += 1;
                let items = self.until(r, ']', start)?;
                one(form(FormKind::Vector(items), start, self.at))
            }
            '{' => {
                self.at += 1;
                let items = self.until(r, '}', start)?;
                one(self.map(items, start)?)
            }
            ')' | ']' | '}' => {
                self.at += 1;
                self.error(start, format!("Unmatched delimiter: {c}"))
            }
            '"' => {
                let s = self.string(start)?;
                one(form(FormKind::Str(s), start, self.at))
            }
            '\\' => one(self.character(start)?),
            '\'' => self.wrap(r, start, 1, "quote"),
            '@' => self.wrap(r, start, 1, "clojure.core/deref"),
            '`' => {
                self.at += 1;
                self.gensyms.push(Vec::new());
                let f = self.one(r, start, "a syntax-quoted form");
                let f = f.and_then(|f| self.syntax_quote(r, f));
                self.gensyms.pop();
                one(f?)
            }
            '~' => {
                if self.peek2() == Some('@') {
                    self.wrap(r, start, 2, "clojure.core/unquote-splicing")
                } else {
                    self.wrap(r, start, 1, "clojure.core/unquote")
                }
            }
            '^' => {
                self.at += 1;
                one(self.with_meta(r, start)?)
            }
            '%' if self.fn_args.is_some() => one(self.fn_arg(start)?),
            '#' => self.dispatch(r, start),
            _ => {
                let t = self.token();
                if t.is_empty() {
                    self.bump();
                    return self.error(start, format!("unexpected character {c:?}"));
                }
                one(self.atom(r, t, start)?)
            }
        }
    }

    fn wrap(
        &mut self,
        r: &mut dyn Resolver,
        start: usize,
        n: usize,
        with: &str,
    ) -> Res<std::collections::VecDeque<Form>> {
        self.at += n;
        let f = self.one(r, start, "a form")?;
        let at = form(FormKind::Nil, start, self.at);
        Ok([list(vec![sym(with, &at), f], &at)].into())
    }

    fn map(&mut self, items: Vec<Form>, start: usize) -> Res<Form> {
        if !items.len().is_multiple_of(2) {
            return self.error(start, "Map literal must contain an even number of forms");
        }
        self.no_duplicates(items.iter().step_by(2), start, "key")?;
        Ok(form(FormKind::Map(items), start, self.at))
    }
    fn no_duplicates<'f>(&self, items: impl Iterator<Item = &'f Form>, start: usize, what: &str) -> Res<()> {
        let mut seen = std::collections::BTreeSet::new();
        for f in items {
            let mut key = String::new();
            if constant_key(f, &mut key) && !seen.insert(key.clone()) {
                let text = &self.text[f.start as usize..(f.end as usize).min(self.text.len())];
                return self.error(start, format!("Duplicate {what}: {text}"));
            }
        }
        Ok(())
    }

    fn string(&mut self, start: usize) -> Res<String> {
        self.at += 1;
        let mut out = String::new();
        loop {
            match self.bump() {
                None => return self.eof(start, "a string"),
                Some('"') => return Ok(out),
                Some('\\') => match self.bump() {
                    None => return self.eof(start, "a string"),
                    Some('n') => out.push('\n'),
                    Some('t') => out.push('\t'),
                    Some('r') => out.push('\r'),
                    Some('b') => out.push('\x08'),
                    Some('f') => out.push('\x0c'),
                    Some(c @ ('"' | '\\')) => out.push(c),
                    Some('u') => {
                        let mut n = self.hex(start)?;
                        // A pair of surrogates is one character.
                        if (0xD800..0xDC00).contains(&n) && self.text[self.at..].starts_with("\\u") {
                            self.at += 2;
                            let low = self.hex(start)?;
                            if (0xDC00..0xE000).contains(&low) {
                                n = 0x10000 + ((n - 0xD800) << 10) + (low - 0xDC00);
                            }
                        }
                        match char::from_u32(n) {
                            Some(c) => out.push(c),
                            None => return self.error(start, "Invalid unicode escape"),
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
                            Some(c) => out.push(c),
                            None => return self.error(start, "Octal escape sequence must be in range [0, 377]."),
                        }
                    }
                    Some(c) => return self.error(start, format!("Unsupported escape character: \\{c}")),
                },
                Some(c) => out.push(c),
            }
        }
    }
    fn hex(&mut self, start: usize) -> Res<u32> {
        let digits = self.text.get(self.at..self.at + 4).unwrap_or("");
        match u32::from_str_radix(digits, 16) {
            Ok(n) if digits.len() == 4 && !digits.starts_with('+') => {
                self.at += 4;
                Ok(n)
            }
            _ => self.error(start, "Invalid unicode escape"),
        }
    }

    fn character(&mut self, start: usize) -> Res<Form> {
        self.at += 1;
        let Some(first) = self.bump() else { return self.eof(start, "a character") };
        let from = self.at - first.len_utf8();
        if !is_terminating(first) {
            self.token();
        }
        let name = &self.text[from..self.at];
        let mut chars = name.chars();
        let c = match name {
            _ if chars.clone().count() == 1 => chars.next().unwrap_or(first),
            "newline" => '\n',
            "space" => ' ',
            "tab" => '\t',
            "return" => '\r',
            "backspace" => '\x08',
            "formfeed" => '\x0c',
            _ => {
                let code = match name.split_at(1) {
                    ("u", hex) if hex.len() == 4 => u32::from_str_radix(hex, 16).ok(),
                    ("o", oct) if oct.len() <= 3 => u32::from_str_radix(oct, 8).ok().filter(|n| *n <= 0o377),
                    _ => None,
                };
                match code.and_then(char::from_u32) {
                    Some(c) => c,
                    None => return self.error(start, format!("Unsupported character: \\{name}")),
                }
            }
        };
        Ok(form(FormKind::Char(c), start, self.at))
    }

    fn atom(&mut self, r: &mut dyn Resolver, t: &str, start: usize) -> Res<Form> {
        let kind = match t {
            "nil" => FormKind::Nil,
            "true" => FormKind::Bool(true),
            "false" => FormKind::Bool(false),
            _ => {
                let digits = t.strip_prefix(['+', '-']).unwrap_or(t);
                if digits.starts_with(|c: char| c.is_ascii_digit()) {
                    FormKind::Number(t.into())
                } else if let Some(k) = t.strip_prefix(':') {
                    FormKind::Keyword(self.keyword(r, k, start)?)
                } else {
                    self.check_name(t, start)?;
                    FormKind::Symbol(t.into())
                }
            }
        };
        Ok(form(kind, start, self.at))
    }
    fn check_name(&self, t: &str, start: usize) -> Res<()> {
        let bad = t != "/"
            && (t.ends_with('/') && !t.ends_with("//")
                || t.starts_with('/')
                || t.contains("::")
                || (t.ends_with(':') && t.len() > 1));
        if bad { self.error(start, format!("Invalid token: {t}")) } else { Ok(()) }
    }
    fn keyword(&mut self, r: &mut dyn Resolver, k: &str, start: usize) -> Res<String> {
        if let Some(auto) = k.strip_prefix(':') {
            if auto.is_empty() || auto.starts_with(':') || self.data_only {
                return self.error(start, format!("Invalid token: :{k}"));
            }
            return match auto.split_once('/') {
                Some((a, n)) if !a.is_empty() && !n.is_empty() => match r.alias(a) {
                    Some(ns) => Ok(format!("{ns}/{n}")),
                    None => self.error(start, format!("Invalid token: :{k} (no alias {a})")),
                },
                Some(_) => self.error(start, format!("Invalid token: :{k}")),
                None => Ok(format!("{}/{auto}", r.current_ns())),
            };
        }
        if k.is_empty()
            || k.ends_with('/') && k != "/"
            || k.starts_with('/') && k != "/"
            || k.ends_with(':')
            || k.contains("::")
        {
            return self.error(start, format!("Invalid token: :{k}"));
        }
        Ok(k.into())
    }

    fn with_meta(&mut self, r: &mut dyn Resolver, start: usize) -> Res<Form> {
        let m = self.one(r, start, "metadata")?;
        let key = |s: &str| Form { kind: FormKind::Keyword(s.into()), ..m.clone() };
        let entries = match &m.kind {
            FormKind::Map(items) => items.clone(),
            FormKind::Keyword(_) => vec![m.clone(), form(FormKind::Bool(true), start, self.at)],
            FormKind::Symbol(_) | FormKind::Str(_) => vec![key("tag"), m.clone()],
            FormKind::Vector(_) => vec![key("param-tags"), m.clone()],
            _ => return self.error(start, "Metadata must be Symbol,Keyword,String or Map"),
        };
        let mut f = self.one(r, start, "the form that has this metadata")?;
        if !matches!(
            f.kind,
            FormKind::Symbol(_) | FormKind::List(_) | FormKind::Vector(_) | FormKind::Map(_) | FormKind::Set(_)
        ) {
            return self.error(start, "Metadata can only be applied to IMetas");
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

    fn fn_arg(&mut self, start: usize) -> Res<Form> {
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
                _ => return self.error(start, "arg literal must be %, %& or %integer"),
            },
        };
        Ok(form(FormKind::Symbol(name), start, self.at))
    }

    fn dispatch(&mut self, r: &mut dyn Resolver, start: usize) -> Res<std::collections::VecDeque<Form>> {
        let Some(c) = self.peek2() else {
            self.at += 1;
            return self.eof(start, "a dispatch macro");
        };
        if self.data_only && matches!(c, '(' | '\'' | '?' | '=') {
            self.at += 2;
            return self.error(start, format!("#{c} has no meaning in data"));
        }
        let one = |f: Form| Ok(std::collections::VecDeque::from([f]));
        match c {
            '{' => {
                self.at += 2;
                let items = self.until(r, '}', start)?;
                self.no_duplicates(items.iter(), start, "key")?;
                one(form(FormKind::Set(items), start, self.at))
            }
            '(' => {
                if self.fn_args.is_some() {
                    self.at += 1;
                    return self.error(start, "Nested #()s are not allowed");
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
                one(list(vec![sym("fn*", &at), params, body], &at))
            }
            '"' => {
                self.at += 1;
                let open = self.at;
                self.at += 1;
                let mut escaped = false;
                loop {
                    match self.bump() {
                        None => return self.eof(start, "a regex"),
                        Some('"') if !escaped => break,
                        Some('\\') => escaped = !escaped,
                        Some(_) => escaped = false,
                    }
                }
                let body = self.text[open + 1..self.at - 1].to_string();
                one(form(FormKind::Regex(body), start, self.at))
            }
            '_' => {
                self.at += 2;
                self.one(r, start, "the form to discard")?;
                Ok(Default::default())
            }
            '\'' => self.wrap(r, start, 2, "var"),
            '^' => {
                self.at += 2;
                one(self.with_meta(r, start)?)
            }
            '#' => {
                self.at += 2;
                let t = self.token();
                match t {
                    "Inf" | "-Inf" | "NaN" => one(form(FormKind::Number(format!("##{t}")), start, self.at)),
                    _ => self.error(start, format!("Invalid symbolic value: ##{t}")),
                }
            }
            '?' => self.conditional(r, start),
            ':' => {
                self.at += 1;
                let t = self.token();
                let ns = match t.strip_prefix("::") {
                    Some("") => r.current_ns(),
                    Some(a) => match r.alias(a) {
                        Some(ns) => ns,
                        None => return self.error(start, format!("Unknown auto-resolved namespace alias: {a}")),
                    },
                    None => t[1..].to_string(),
                };
                self.skip_ws();
                if self.peek() != Some('{') || ns.is_empty() || ns.contains('/') {
                    return self.error(start, "Namespaced map must specify a namespace and a map");
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
                one(self.map(items, start)?)
            }
            '<' => {
                self.at += 2;
                self.error(start, "Unreadable form")
            }
            '=' => {
                self.at += 2;
                self.error(start, "EvalReader is not supported")
            }
            c if c.is_alphabetic() => {
                self.at += 1;
                let t = self.token().to_string();
                let f = self.one(r, start, "the form behind a tag")?;
                one(form(FormKind::Tagged(t, Box::new(f)), start, self.at))
            }
            c => {
                self.at += 2;
                self.error(start, format!("No dispatch macro for: {c}"))
            }
        }
    }

    fn conditional(&mut self, r: &mut dyn Resolver, start: usize) -> Res<std::collections::VecDeque<Form>> {
        self.at += 2;
        let splice = self.peek() == Some('@');
        if splice {
            self.at += 1;
        }
        self.skip_ws();
        if self.peek() != Some('(') {
            return self.error(start, "read-cond body must be a list");
        }
        let open = self.at;
        self.at += 1;
        let mut chosen: Option<Form> = None;
        loop {
            self.skip_ws();
            match self.peek() {
                None => return self.eof(open, "a reader conditional"),
                Some(')') => {
                    self.at += 1;
                    break;
                }
                _ => {}
            }
            let feature = self.one(r, start, "a feature")?;
            let FormKind::Keyword(name) = &feature.kind else {
                return self.error(start, "Feature should be a keyword");
            };
            let on = matches!(name.as_str(), "clj" | "yin" | "default") || self.features.contains(name);
            let active = chosen.is_none() && on;
            self.skip_ws();
            if self.peek() == Some(')') {
                return self.error(start, "read-cond requires an even number of forms");
            }
            let f = self.one(r, start, "a form of a reader conditional")?;
            if active {
                chosen = Some(f);
            }
        }
        let Some(f) = chosen else { return Ok(Default::default()) };
        if !splice {
            return Ok([f].into());
        }
        if self.depth <= 1 {
            return self.error(start, "Reader conditional splicing not allowed at the top level.");
        }
        match f.kind {
            FormKind::List(items) | FormKind::Vector(items) => Ok(items.into()),
            _ => self.error(start, "Spliced form list in read-cond-splicing must be sequential"),
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
                    return self.error(f.start as usize, "splice not in list");
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
