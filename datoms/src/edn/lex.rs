//! Atoms of the notation: where a token ends, and what numbers, strings, characters and names mean.
//!
//! Shared by the EDN reader and by readers of larger languages. Positions are byte offsets into the whole source; each
//! function returns the offset after what it read, so spans cost nothing.

use super::name::{Keyword, Symbol};
use super::number::{Decimal, Ratio};
use super::value::Edn;
use num_bigint::BigInt;
use num_traits::Num;
use std::sync::Arc;

/// Why an atom could not be read, and where (bytes from the start of the source).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LexError {
    /// The rule that was broken and what was found.
    pub message: String,
    /// Start of the offending text.
    pub start: usize,
    /// End of the offending text.
    pub end: usize,
}

fn error<T>(message: impl Into<String>, start: usize, end: usize) -> Result<T, LexError> {
    Err(LexError { message: message.into(), start, end })
}

/// White space of EDN and Clojure: Unicode white space and the comma.
pub fn is_whitespace(c: char) -> bool {
    c == ',' || c.is_whitespace()
}

/// True for characters that end a token wherever they stand. `#`, `'` and `%` do not.
pub fn ends_token(c: char) -> bool {
    matches!(c, '"' | ';' | '@' | '^' | '`' | '~' | '(' | ')' | '[' | ']' | '{' | '}' | '\\') || is_whitespace(c)
}

/// The end of the token that starts at `at`.
pub fn token_end(src: &str, at: usize) -> usize {
    src[at..].char_indices().find(|(_, c)| ends_token(*c)).map_or(src.len(), |(i, _)| at + i)
}

/// The end of white space, commas and `;` comments from `at` on. `#!` starts a comment too.
pub fn skip_blank(src: &str, mut at: usize) -> usize {
    loop {
        let rest = &src[at..];
        let Some(c) = rest.chars().next() else { return at };
        if is_whitespace(c) {
            at += c.len_utf8();
        } else if c == ';' || rest.starts_with("#!") {
            at += rest.find('\n').unwrap_or(rest.len());
        } else {
            return at;
        }
    }
}

/// True if a token must be a number: it starts with a digit, or with a sign and a digit.
pub fn is_numeric(token: &str) -> bool {
    let b = token.as_bytes();
    matches!(b, [b'0'..=b'9', ..] | [b'+' | b'-', b'0'..=b'9', ..])
}

/// Parses a number of EDN or Clojure: `42 -7 +3 017 0xff 2r101 36rZ 1N 1/2 1.5 1e3 1.5M`. `base` is the offset of the
/// token in its source, for the error.
pub fn number(token: &str, base: usize) -> Result<Edn, LexError> {
    let bad = |what: &str| error(format!("{what}: {token}"), base, base + token.len());
    let (negative, body) = match token.as_bytes() {
        [b'-', ..] => (true, &token[1..]),
        [b'+', ..] => (false, &token[1..]),
        _ => (false, token),
    };
    if !body.starts_with(|c: char| c.is_ascii_digit()) {
        return bad("Invalid number");
    }
    let all = |s: &str, radix: u32| !s.is_empty() && s.chars().all(|c| c.is_digit(radix));
    let signed = |n: BigInt| if negative { -n } else { n };
    let integer = |digits: &str, radix: u32, big: bool| -> Result<Edn, LexError> {
        if !all(digits, radix) {
            return bad("Invalid number");
        }
        // The common case needs no big integer; the sign goes in first so that the least integer fits.
        if !big && digits.len() <= 18 && radix == 10 {
            let n: i64 = digits.parse().unwrap_or(0);
            return Ok(Edn::Int(if negative { -n } else { n }));
        }
        match BigInt::from_str_radix(digits, radix) {
            Ok(n) if big => Ok(Edn::BigInt(Arc::new(signed(n)))),
            Ok(n) => Ok(Edn::integer(signed(n))),
            Err(_) => bad("Invalid number"),
        }
    };
    if all(body, 10) && !(body.len() > 1 && body.starts_with('0')) {
        return integer(body, 10, false);
    }
    if let Some((n, d)) = body.split_once('/') {
        if !all(n, 10) || !all(d, 10) {
            return bad("Invalid number");
        }
        let (Ok(n), Ok(d)) = (BigInt::from_str_radix(n, 10), BigInt::from_str_radix(d, 10)) else {
            return bad("Invalid number");
        };
        return match Ratio::quotient(signed(n), d) {
            Some(q) => Ok(q),
            None => bad("Divide by zero"),
        };
    }
    if let Some(hex) = body.strip_prefix("0x").or_else(|| body.strip_prefix("0X")) {
        return match hex.strip_suffix('N') {
            Some(hex) => integer(hex, 16, true),
            None => integer(hex, 16, false),
        };
    }
    if let Some(at) = body.find(['r', 'R']) {
        return match body[..at].parse::<u32>() {
            Ok(radix @ 2..=36) if at <= 2 => integer(&body[at + 1..], radix, false),
            Ok(_) => bad("Radix out of range"),
            Err(_) => bad("Invalid number"),
        };
    }
    if let Some(digits) = body.strip_suffix('N') {
        return if digits.len() > 1 && digits.starts_with('0') {
            integer(&digits[1..], 8, true)
        } else {
            integer(digits, 10, true)
        };
    }
    if body.len() > 1 && body.starts_with('0') && all(&body[1..], 10) {
        return integer(&body[1..], 8, false);
    }
    // What is left is a decimal: digits [. digits?] [e [sign] digits] [M].
    let (text, exact) = match body.strip_suffix('M') {
        Some(t) => (t, true),
        None => (body, false),
    };
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if !all(whole, 10) || !(fraction.is_empty() || all(fraction, 10)) {
        return bad("Invalid number");
    }
    if let Some(e) = exponent
        && !all(e.strip_prefix(['+', '-']).unwrap_or(e), 10)
    {
        return bad("Invalid number");
    }
    if !exact {
        return match text.parse::<f64>() {
            Ok(f) => Ok(Edn::Float(if negative { -f } else { f })),
            Err(_) => bad("Invalid number"),
        };
    }
    let shift: i64 = match exponent.map(str::parse::<i64>) {
        None => 0,
        Some(Ok(e)) => e,
        Some(Err(_)) => return bad("Exponent out of range"),
    };
    let Ok(unscaled) = BigInt::from_str_radix(&format!("{whole}{fraction}"), 10) else {
        return bad("Invalid number");
    };
    let scale = i32::try_from((fraction.len() as i64).saturating_sub(shift)).ok();
    match scale.and_then(|s| Decimal::new(signed(unscaled), s)) {
        Some(d) => Ok(Edn::Decimal(Arc::new(d))),
        None => bad("Exponent out of range"),
    }
}

/// Four hexadecimal digits at `at`.
fn unit(src: &str, at: usize) -> Option<u32> {
    let hex = src.get(at..at + 4)?;
    hex.bytes().all(|b| b.is_ascii_hexdigit()).then(|| u32::from_str_radix(hex, 16).ok())?
}

/// Reads the rest of a string whose opening quote ends at `at`. Returns the text and the offset after the closing
/// quote. Escapes: `\t \r \n \\ \" \b \f \uXXXX` (pairs of surrogates combine) and octal `\o` up to `\377`.
pub fn string(src: &str, at: usize) -> Result<(String, usize), LexError> {
    let start = at.saturating_sub(1);
    let bytes = src.as_bytes();
    let mut out = String::new();
    let (mut from, mut i) = (at, at);
    loop {
        match bytes.get(i) {
            None => return error("Unexpected end of input in a string", start, src.len()),
            Some(b'"') => {
                out.push_str(&src[from..i]);
                return Ok((out, i + 1));
            }
            Some(b'\\') => {
                out.push_str(&src[from..i]);
                let (c, end) = escape(src, i)?;
                out.push(c);
                (from, i) = (end, end);
            }
            Some(_) => i += 1,
        }
    }
}

/// Reads one escape; `at` is the offset of the backslash.
fn escape(src: &str, at: usize) -> Result<(char, usize), LexError> {
    let Some(c) = src[at + 1..].chars().next() else {
        return error("Unexpected end of input in a string", at, src.len());
    };
    let next = at + 1 + c.len_utf8();
    Ok(match c {
        't' => ('\t', next),
        'r' => ('\r', next),
        'n' => ('\n', next),
        'b' => ('\u{8}', next),
        'f' => ('\u{c}', next),
        '\\' | '"' => (c, next),
        'u' => {
            let Some(u) = unit(src, next) else {
                return error("Invalid unicode escape, expected four hexadecimal digits", at, next);
            };
            let mut end = next + 4;
            let mut code = u;
            if (0xd800..0xdc00).contains(&u)
                && src[end..].starts_with("\\u")
                && let Some(low @ 0xdc00..=0xdfff) = unit(src, end + 2)
            {
                code = 0x10000 + ((u - 0xd800) << 10) + (low - 0xdc00);
                end += 6;
            }
            match char::from_u32(code) {
                Some(c) => (c, end),
                None => return error("Half of a surrogate pair is no character", at, end),
            }
        }
        '0'..='7' => {
            let n = src[at + 1..].bytes().take(3).take_while(|b| (b'0'..=b'7').contains(b)).count();
            let code = src[at + 1..at + 1 + n].bytes().fold(0u32, |v, b| v * 8 + u32::from(b - b'0'));
            match char::from_u32(code) {
                Some(c) if code <= 0o377 => (c, at + 1 + n),
                _ => return error("Octal escape must be in range [0, 377]", at, at + 1 + n),
            }
        }
        c => return error(format!("Unsupported escape character: \\{c}"), at, next),
    })
}

/// Reads the text of a regular expression whose opening quote ends at `at`: as written, a backslash keeps the next
/// character from ending it.
pub fn regex(src: &str, at: usize) -> Result<(&str, usize), LexError> {
    let bytes = src.as_bytes();
    let mut i = at;
    loop {
        match bytes.get(i) {
            None => return error("Unexpected end of input in a regular expression", at.saturating_sub(2), src.len()),
            Some(b'"') => return Ok((&src[at..i], i + 1)),
            Some(b'\\') => i += 2,
            Some(_) => i += 1,
        }
    }
}

/// Reads a character literal whose backslash ends at `at`: one character, a name such as `newline`, `uXXXX` or `oNNN`.
pub fn character(src: &str, at: usize) -> Result<(char, usize), LexError> {
    let start = at.saturating_sub(1);
    let Some(first) = src[at..].chars().next() else {
        return error("Unexpected end of input in a character", start, src.len());
    };
    // The first character belongs to the literal even if it would end a token: `\(`, `\"`.
    let end = token_end(src, at + first.len_utf8());
    let token = &src[at..end];
    if token.len() == first.len_utf8() {
        return Ok((first, end));
    }
    let named = match token {
        "newline" => Some('\n'),
        "space" => Some(' '),
        "tab" => Some('\t'),
        "backspace" => Some('\u{8}'),
        "formfeed" => Some('\u{c}'),
        "return" => Some('\r'),
        _ => match token.as_bytes() {
            [b'u', hex @ ..] if hex.len() == 4 => unit(src, at + 1).and_then(char::from_u32),
            [b'o', oct @ ..] if oct.len() <= 3 && oct.iter().all(|b| (b'0'..=b'7').contains(b)) => {
                u32::from_str_radix(&token[1..], 8).ok().filter(|c| *c <= 0o377).and_then(char::from_u32)
            }
            _ => None,
        },
    };
    match named {
        Some(c) => Ok((c, end)),
        None => error(format!("Unsupported character: \\{token}"), start, end),
    }
}

/// True if the text is a name: `name`, `ns/name`, `/`, `ns//`; no empty part, no `::`, no colon at the end.
fn is_name(text: &str) -> bool {
    if text == "/" {
        return true;
    }
    let whole = !text.is_empty() && !text.contains("::") && !text.ends_with(':') && !text.starts_with('/');
    whole
        && match text.split_once('/') {
            None => true,
            Some((ns, name)) => {
                !ns.is_empty() && !name.is_empty() && !ns.ends_with(':') && (name == "/" || !name.ends_with('/'))
            }
        }
}

/// Makes a symbol of a token; `nil`, `true` and `false` are the caller's business. `base` is the token's offset.
pub fn symbol(token: &str, base: usize) -> Result<Symbol, LexError> {
    if is_name(token) && !token.starts_with(':') && !is_numeric(token) {
        Ok(Symbol::new(token))
    } else {
        error(format!("Invalid token: {token}"), base, base + token.len())
    }
}

/// Makes a keyword of a token that starts with one colon. Auto-resolved `::name` is an error here: it needs a
/// namespace that only the caller can know.
pub fn keyword(token: &str, base: usize) -> Result<Keyword, LexError> {
    match token.strip_prefix(':') {
        Some(name) if is_name(name) && !name.starts_with(':') => Ok(Keyword::new(name)),
        _ => error(format!("Invalid token: {token}"), base, base + token.len()),
    }
}

/// Makes a value of a whole token: number, `nil`, `true`, `false`, keyword or symbol.
pub fn atom(token: &str, base: usize) -> Result<Edn, LexError> {
    match token {
        "nil" => Ok(Edn::Nil),
        "true" => Ok(Edn::Bool(true)),
        "false" => Ok(Edn::Bool(false)),
        _ if is_numeric(token) => number(token, base),
        _ if token.starts_with(':') => keyword(token, base).map(Edn::Keyword),
        _ => symbol(token, base).map(Edn::Symbol),
    }
}

/// The value of a symbolic token after `##`.
pub fn symbolic(token: &str, base: usize) -> Result<Edn, LexError> {
    match token {
        "Inf" => Ok(Edn::Float(f64::INFINITY)),
        "-Inf" => Ok(Edn::Float(f64::NEG_INFINITY)),
        "NaN" => Ok(Edn::Float(f64::NAN)),
        _ => error(format!("Unknown symbolic value: ##{token}"), base, base + token.len()),
    }
}
