//! As much JSON as the store reads and writes: DataScript's serialised databases, JSON lines, files of cases.

use crate::edn::{Edn, read};
use std::fmt::Write as _;

/// A JSON value.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// A number without fraction and exponent that fits.
    Int(i64),
    /// Any other number.
    Number(f64),
    /// A string.
    Str(String),
    /// An array.
    Array(Vec<Json>),
    /// An object, in the order written.
    Object(Vec<(String, Json)>),
}

impl Json {
    /// Reads one value. Nesting is limited to 100.
    pub fn parse(text: &str) -> Result<Json, String> {
        let mut at = 0;
        let value = parse_json(text, &mut at, 0)?;
        skip(text, &mut at);
        if at == text.len() { Ok(value) } else { Err(format!("text after the end at {at}")) }
    }

    /// A field of an object.
    pub fn get(&self, key: &str) -> Option<&Json> {
        match self {
            Json::Object(fields) => fields.iter().find(|(k, _)| k == key).map(|(_, v)| v),
            _ => None,
        }
    }

    /// The text of a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Json::Str(s) => Some(s),
            _ => None,
        }
    }

    /// The integer, if it is one.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Json::Int(i) => Some(*i),
            _ => None,
        }
    }

    /// The elements of an array; none for anything else.
    pub fn items(&self) -> &[Json] {
        match self {
            Json::Array(v) => v,
            _ => &[],
        }
    }
}

fn skip(text: &str, at: &mut usize) {
    *at += text[*at..].len() - text[*at..].trim_start_matches([' ', '\n', '\r', '\t']).len();
}

fn parse_json(text: &str, at: &mut usize, depth: usize) -> Result<Json, String> {
    skip(text, at);
    let bad = |at: usize| Err(format!("bad JSON at byte {at}"));
    if depth > 100 {
        return Err("JSON nested deeper than 100".into());
    }
    let rest = &text[*at..];
    for (word, value) in [("null", Json::Null), ("true", Json::Bool(true)), ("false", Json::Bool(false))] {
        if rest.starts_with(word) {
            *at += word.len();
            return Ok(value);
        }
    }
    match rest.as_bytes().first() {
        Some(b'"') => {
            // JSON's escapes but `\/` are EDN's.
            let mut end = 1;
            while let Some(b) = rest.as_bytes().get(end)
                && *b != b'"'
            {
                end += if *b == b'\\' { 2 } else { 1 };
            }
            let Some(raw) = rest.get(..=end) else { return bad(*at) };
            *at += end + 1;
            match read(&raw.replace("\\/", "/")) {
                Ok(Edn::Str(s)) => Ok(Json::Str(s.to_string())),
                _ => bad(*at),
            }
        }
        Some(b'[') => {
            *at += 1;
            let mut out = Vec::new();
            loop {
                skip(text, at);
                match text.as_bytes().get(*at) {
                    Some(b']') => {
                        *at += 1;
                        return Ok(Json::Array(out));
                    }
                    Some(b',') if !out.is_empty() => *at += 1,
                    Some(_) if out.is_empty() => {}
                    _ => return bad(*at),
                }
                out.push(parse_json(text, at, depth + 1)?);
            }
        }
        Some(b'{') => {
            *at += 1;
            let mut out = Vec::new();
            loop {
                skip(text, at);
                match text.as_bytes().get(*at) {
                    Some(b'}') => {
                        *at += 1;
                        return Ok(Json::Object(out));
                    }
                    Some(b',') if !out.is_empty() => *at += 1,
                    Some(_) if out.is_empty() => {}
                    _ => return bad(*at),
                }
                let Json::Str(key) = parse_json(text, at, depth + 1)? else { return bad(*at) };
                skip(text, at);
                if text.as_bytes().get(*at) != Some(&b':') {
                    return bad(*at);
                }
                *at += 1;
                out.push((key, parse_json(text, at, depth + 1)?));
            }
        }
        _ => {
            let end = rest.find(|c: char| !matches!(c, '0'..='9' | '+' | '-' | '.' | 'e' | 'E')).unwrap_or(rest.len());
            let (number, here) = (&rest[..end], *at);
            *at += end;
            match (number.parse::<i64>(), number.parse::<f64>()) {
                (Ok(i), _) => Ok(Json::Int(i)),
                (_, Ok(n)) => Ok(Json::Number(n)),
                _ => bad(here),
            }
        }
    }
}

/// Writes a JSON string.
pub fn write_json_string(out: &mut String, s: &str) {
    out.push('"');
    for c in s.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => {
                let mut units = [0; 2];
                for u in c.encode_utf16(&mut units) {
                    let _ = write!(out, "\\u{u:04x}");
                }
            }
            c => out.push(c),
        }
    }
    out.push('"');
}
