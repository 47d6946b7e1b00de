//! Numbers and values as bytes.
//!
//! Integers are LEB128, signed ones zigzag. A value is a tag and its content; collections are a count and their
//! elements. Reading checks every length against what is left, so damaged bytes give an error and take no memory.

use crate::edn::{Edn, Keyword, MAX_DEPTH, Symbol, Uuid, read};

/// Bytes that are not what they should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damaged(pub &'static str);

pub type Result<T> = std::result::Result<T, Damaged>;

/// Appends an unsigned integer.
#[inline]
pub fn put_u64(out: &mut Vec<u8>, mut x: u64) {
    while x >= 0x80 {
        out.push(x as u8 | 0x80);
        x >>= 7;
    }
    out.push(x as u8);
}

/// Appends a signed integer.
pub fn put_i64(out: &mut Vec<u8>, x: i64) {
    put_u64(out, ((x << 1) ^ (x >> 63)) as u64);
}

fn put_text(out: &mut Vec<u8>, tag: u8, s: &str) {
    out.push(tag);
    put_u64(out, s.len() as u64);
    out.extend_from_slice(s.as_bytes());
}

fn put_all(out: &mut Vec<u8>, tag: u8, items: &[Edn]) {
    out.push(tag);
    put_u64(out, items.len() as u64);
    items.iter().for_each(|x| put_value(out, x));
}

/// Appends a value.
pub fn put_value(out: &mut Vec<u8>, v: &Edn) {
    match v {
        Edn::Nil => out.push(0),
        Edn::Bool(false) => out.push(1),
        Edn::Bool(true) => out.push(2),
        Edn::Int(i) => {
            out.push(3);
            put_i64(out, *i);
        }
        Edn::Float(f) => {
            out.push(4);
            out.extend_from_slice(&f.to_bits().to_le_bytes());
        }
        Edn::Str(s) => put_text(out, 5, s),
        Edn::Keyword(k) => put_text(out, 6, k.as_str()),
        Edn::Symbol(s) => put_text(out, 7, s.as_str()),
        Edn::Char(c) => {
            out.push(8);
            put_u64(out, u32::from(*c).into());
        }
        Edn::Inst(ms) => {
            out.push(9);
            put_i64(out, *ms);
        }
        Edn::Uuid(u) => {
            out.push(10);
            out.extend_from_slice(&u.0);
        }
        Edn::Vector(items) => put_all(out, 11, items),
        Edn::List(items) => put_all(out, 12, items),
        Edn::Set(items) => put_all(out, 13, items),
        Edn::Map(pairs) => {
            out.push(14);
            put_u64(out, pairs.len() as u64);
            for (k, v) in pairs.iter() {
                put_value(out, k);
                put_value(out, v);
            }
        }
        Edn::BigInt(_) | Edn::Ratio(_) => put_text(out, 15, &v.to_string()),
        Edn::Decimal(d) => put_text(out, 16, &format!("{}M", d.to_text())),
        Edn::Tagged(t) => {
            put_text(out, 17, t.0.as_str());
            put_value(out, &t.1);
        }
        Edn::Regex(s) => put_text(out, 18, s),
    }
}

/// Bytes being read.
pub struct Bytes<'a>(pub &'a [u8]);

impl<'a> Bytes<'a> {
    /// The next so many bytes.
    pub fn take(&mut self, n: usize) -> Result<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(n).ok_or(Damaged("bytes end early"))?;
        self.0 = tail;
        Ok(head)
    }

    /// An unsigned integer.
    #[inline]
    pub fn u64(&mut self) -> Result<u64> {
        let mut x = 0u64;
        for shift in (0..64).step_by(7) {
            let (b, rest) = self.0.split_first().ok_or(Damaged("an integer ends early"))?;
            self.0 = rest;
            if shift == 63 && *b > 1 {
                break;
            }
            x |= u64::from(b & 0x7f) << shift;
            if b & 0x80 == 0 {
                return Ok(x);
            }
        }
        Err(Damaged("an integer is too long"))
    }

    /// An unsigned integer of 32 bits.
    pub fn u32(&mut self) -> Result<u32> {
        u32::try_from(self.u64()?).map_err(|_| Damaged("a number is too large"))
    }

    /// A signed integer.
    pub fn i64(&mut self) -> Result<i64> {
        let x = self.u64()?;
        Ok((x >> 1) as i64 ^ -((x & 1) as i64))
    }

    /// A count of things that take at least a byte each.
    pub fn count(&mut self) -> Result<usize> {
        let n = self.u64()?;
        if n > self.0.len() as u64 { Err(Damaged("a count is larger than what follows")) } else { Ok(n as usize) }
    }

    fn text(&mut self) -> Result<&'a str> {
        let n = self.count()?;
        std::str::from_utf8(self.take(n)?).map_err(|_| Damaged("text is not UTF-8"))
    }

    fn all(&mut self, depth: usize) -> Result<Vec<Edn>> {
        let n = self.count()?;
        (0..n).map(|_| self.nested(depth)).collect()
    }

    /// A value.
    pub fn value(&mut self) -> Result<Edn> {
        self.nested(0)
    }

    fn nested(&mut self, depth: usize) -> Result<Edn> {
        if depth > MAX_DEPTH {
            return Err(Damaged("values are nested too deep"));
        }
        let deeper = depth + 1;
        Ok(match self.take(1)?[0] {
            0 => Edn::Nil,
            1 => Edn::Bool(false),
            2 => Edn::Bool(true),
            3 => Edn::Int(self.i64()?),
            4 => {
                let b: [u8; 8] = self.take(8)?.try_into().map_err(|_| Damaged("a double ends early"))?;
                Edn::Float(f64::from_bits(u64::from_le_bytes(b)))
            }
            5 => Edn::from(self.text()?),
            6 => Edn::Keyword(Keyword::new(self.text()?)),
            7 => Edn::Symbol(Symbol::new(self.text()?)),
            8 => Edn::Char(char::from_u32(self.u32()?).ok_or(Damaged("no character"))?),
            9 => Edn::Inst(self.i64()?),
            10 => Edn::Uuid(Uuid(self.take(16)?.try_into().map_err(|_| Damaged("a UUID ends early"))?)),
            11 => Edn::vector(self.all(deeper)?),
            12 => Edn::list(self.all(deeper)?),
            13 => Edn::set(self.all(deeper)?),
            14 => {
                let n = self.count()?;
                let pairs: Result<Vec<(Edn, Edn)>> =
                    (0..n).map(|_| Ok((self.nested(deeper)?, self.nested(deeper)?))).collect();
                Edn::map(pairs?)
            }
            15 | 16 => {
                let v = read(self.text()?).map_err(|_| Damaged("no number"))?;
                if v.is_number() { v } else { return Err(Damaged("no number")) }
            }
            17 => {
                let tag = Symbol::new(self.text()?);
                Edn::Tagged(std::sync::Arc::new((tag, self.nested(deeper)?)))
            }
            18 => Edn::Regex(self.text()?.into()),
            _ => return Err(Damaged("an unknown kind of value")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edn::read_all;

    #[test]
    fn values_come_back_and_damage_is_an_error() {
        let vs = read_all(
            "nil true false 0 -1 9223372036854775807 -9223372036854775808 1.5 -0.0 ##NaN \"é\\n\" :a/b sym \\λ #inst \"2020\" \
             #uuid \"00000000-0000-0000-0000-0000000000ff\" [1 [2 nil]] (1) #{1 2} {:a {:b 1}} 123456789012345678901234 \
             1/3 1.50M #tag [1]",
        )
        .unwrap();
        for v in &vs {
            let mut out = Vec::new();
            put_value(&mut out, v);
            let mut b = Bytes(&out);
            assert_eq!(b.value().as_ref(), Ok(v));
            assert!(b.0.is_empty(), "{v}");
            for n in 0..out.len() {
                // A prefix is never the whole value.
                let r = Bytes(&out[..n]).value();
                assert!(r.is_err() || r.as_ref() != Ok(v), "{v}");
            }
        }
        // Anything at all: an error or a value, and no crash.
        let mut s = 1u32;
        for _ in 0..200_000 {
            let bytes: Vec<u8> = (0..12)
                .map(|_| {
                    s = s.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (s >> 24) as u8 % 24
                })
                .collect();
            let _ = Bytes(&bytes).value();
        }
        for x in [0, 1, 127, 128, u64::MAX, 1 << 63] {
            let mut out = Vec::new();
            put_u64(&mut out, x);
            assert_eq!(Bytes(&out).u64(), Ok(x));
        }
        assert!(Bytes(&[0xff; 11]).u64().is_err());
    }
}
