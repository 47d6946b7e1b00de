//! Columns and dictionaries as blocks of bytes, each found by position and length and checked by checksum.
//!
//! A column block: the numbers of facts, provenances and past facts, then how entities and transactions are kept (all of
//! them, or a first one and a rule), then the arrays, little-endian. A dictionary block: values one after another.

use super::codec::{Bytes, Damaged, Result, put_u64, put_value};
use crate::edn::Edn;
use crate::store::{Col, Fact, Past};
use crate::value::Word;

fn put_u32s(out: &mut Vec<u8>, xs: &[u32]) {
    xs.iter().for_each(|x| out.extend_from_slice(&x.to_le_bytes()));
}

/// Writes an array as a first element and a step between elements if there is one, otherwise as it is.
fn put_run(out: &mut Vec<u8>, xs: &[u32]) {
    let step = match xs {
        [a, b, ..] => b.wrapping_sub(*a),
        _ => 0,
    };
    if step <= 1 && xs.windows(2).all(|w| w[1].wrapping_sub(w[0]) == step) {
        out.push(1 + step as u8);
        put_u64(out, xs.first().copied().unwrap_or(0).into());
    } else {
        out.push(0);
        put_u32s(out, xs);
    }
}

/// Appends a column.
pub fn put_column(out: &mut Vec<u8>, c: &Col) {
    put_u64(out, c.e.len() as u64);
    put_u64(out, c.m.len() as u64);
    put_u64(out, c.past.len() as u64);
    put_run(out, &c.e);
    c.v.iter().for_each(|v| out.extend_from_slice(&v.0.to_le_bytes()));
    put_run(out, &c.t);
    put_u32s(out, &c.m);
    for p in &c.past {
        put_u32s(out, &[p.fact.e, p.fact.t, p.fact.m, p.end]);
        out.extend_from_slice(&p.fact.v.0.to_le_bytes());
    }
}

fn u32s(b: &mut Bytes, n: usize) -> Result<Vec<u32>> {
    let bytes = b.take(n.checked_mul(4).ok_or(Damaged("too many"))?)?;
    Ok(bytes.chunks_exact(4).map(|c| u32::from_le_bytes([c[0], c[1], c[2], c[3]])).collect())
}

fn words(b: &mut Bytes, n: usize) -> Result<Vec<Word>> {
    let bytes = b.take(n.checked_mul(8).ok_or(Damaged("too many"))?)?;
    Ok(bytes
        .chunks_exact(8)
        .map(|c| Word(u64::from_le_bytes([c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7]])))
        .collect())
}

fn run(b: &mut Bytes, n: usize) -> Result<Vec<u32>> {
    match b.take(1)?[0] {
        0 => u32s(b, n),
        k @ (1 | 2) => {
            let first = b.u32()?;
            let step = u32::from(k - 1);
            let last = (n as u64).saturating_sub(1) * u64::from(step) + u64::from(first);
            if last > u64::from(u32::MAX) {
                return Err(Damaged("a run is too long"));
            }
            Ok((0..n as u32).map(|i| first + i * step).collect())
        }
        _ => Err(Damaged("an unknown kind of run")),
    }
}

/// Reads a column whose words have indexes below `coded`.
pub fn column(bytes: &[u8], coded: usize) -> Result<Col> {
    let mut b = Bytes(bytes);
    let (n, n_m, n_past) = (b.u64()? as usize, b.u64()? as usize, b.u64()? as usize);
    // Values take 8 bytes and past facts 24: a count that cannot be is found before memory is taken.
    if n > bytes.len() / 8 || n_past > bytes.len() / 24 || (n_m != 0 && n_m != n) {
        return Err(Damaged("a column counts more than it holds"));
    }
    let e = run(&mut b, n)?;
    let v = words(&mut b, n)?;
    let t = run(&mut b, n)?;
    let m = u32s(&mut b, n_m)?;
    let mut past = Vec::with_capacity(n_past);
    for _ in 0..n_past {
        let x = u32s(&mut b, 4)?;
        let v = words(&mut b, 1)?[0];
        past.push(Past { fact: Fact { e: x[0], v, t: x[1], m: x[2] }, end: x[3] });
    }
    if !b.0.is_empty() {
        return Err(Damaged("a column is too long"));
    }
    if (1..n).any(|i| (e[i - 1], v[i - 1]) >= (e[i], v[i])) {
        return Err(Damaged("a column is not in order"));
    }
    let known = |w: &Word| w.code().is_none_or(|(i, local)| !local && (i as usize) < coded);
    if !v.iter().all(known) || !past.iter().all(|p| known(&p.fact.v)) {
        return Err(Damaged("a column refers to a value that is not there"));
    }
    Ok(Col::new(e, v, t, m, past))
}

/// Appends values of a dictionary.
pub fn put_values<'v>(out: &mut Vec<u8>, values: impl Iterator<Item = &'v Edn>) {
    values.for_each(|v| put_value(out, v));
}

/// Reads so many values.
pub fn values(bytes: &[u8], n: usize) -> Result<Vec<Edn>> {
    if n > bytes.len() {
        return Err(Damaged("a dictionary counts more than it holds"));
    }
    let mut b = Bytes(bytes);
    let out = (0..n).map(|_| b.value()).collect::<Result<Vec<Edn>>>()?;
    if b.0.is_empty() { Ok(out) } else { Err(Damaged("a dictionary is too long")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_come_back_and_damage_is_an_error() {
        let fact = |e: u32, v: i64, t: u32, m: u32| Fact { e, v: Word::int(v).unwrap(), t, m };
        let dense = Col::from_facts((5..50).map(|e| fact(e, i64::from(e) % 7, 9, 1)).collect());
        let mut ragged = Col::from_facts(vec![fact(1, 1, 3, 1), fact(1, 2, 4, 70), fact(9, 1, 3, 1)]);
        ragged.past = vec![Past { fact: fact(1, 9, 1, 1), end: 3 }];
        for c in [&dense, &ragged, &Col::default()] {
            let mut out = Vec::new();
            put_column(&mut out, c);
            let back = column(&out, 0).unwrap();
            assert_eq!((&back.e, &back.v, &back.t, &back.m, &back.past), (&c.e, &c.v, &c.t, &c.m, &c.past));
            for n in 0..out.len() {
                assert!(column(&out[..n], 0).is_err());
            }
            for i in 0..out.len() {
                let mut bad = out.clone();
                bad[i] ^= 0xff;
                let _ = column(&bad, 0);
            }
        }
        let coded = Col::from_facts(vec![Fact { e: 1, v: Word::coded(crate::value::kind::STR, 3, false), t: 1, m: 1 }]);
        let mut out = Vec::new();
        put_column(&mut out, &coded);
        assert!(column(&out, 3).is_err() && column(&out, 4).is_ok());
    }
}
