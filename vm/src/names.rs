//! Interned names: a keyword or symbol is the id of its text. One table serves both; ids are dense and never reused.

/// Text and precomputed hashes of every keyword and symbol. `ns/name` is one text; the slash's place is kept.
#[derive(Clone, Default)]
pub struct Names {
    bytes: Vec<u8>,
    /// End of the text and length of its namespace part (0 = none; the slash is not counted).
    rows: Vec<Row>,
    /// Open addressing: id + 1, or 0.
    table: Vec<u32>,
}

#[derive(Clone, Copy)]
struct Row {
    end: u32,
    ns_len: u32,
    hash: u32,
}

fn hash_text(text: &str) -> u32 {
    // FNV-1a, then mixed: names are short and the table is small.
    let mut h = 0xcbf2_9ce4_8422_2325u64;
    for b in text.bytes() {
        h = (h ^ b as u64).wrapping_mul(0x0100_0000_01b3);
    }
    (h ^ h >> 29).wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_shr(32) as u32
}

impl Names {
    /// The id of `text` (`name` or `ns/name`), interning it if new. O(length).
    pub fn intern(&mut self, text: &str) -> u32 {
        // `/` alone is a name; `a/` and `/a` cannot be split.
        let ns_len = match text.find('/') {
            Some(i) if i > 0 && i + 1 < text.len() => i as u32,
            _ => 0,
        };
        if (self.rows.len() + 1) * 2 > self.table.len() {
            self.grow();
        }
        let hash = hash_text(text);
        let mask = self.table.len() - 1;
        let mut i = hash as usize & mask;
        loop {
            match self.table[i] {
                0 => break,
                id if self.text(id - 1) == text => return id - 1,
                _ => i = (i + 1) & mask,
            }
        }
        let id = self.rows.len() as u32;
        assert!(id < 1 << 24, "too many names");
        self.bytes.extend_from_slice(text.as_bytes());
        self.rows.push(Row { end: self.bytes.len() as u32, ns_len, hash });
        self.table[i] = id + 1;
        id
    }

    /// The id of `text` if it was interned. O(length).
    pub fn find(&self, text: &str) -> Option<u32> {
        let mask = self.table.len().checked_sub(1)?;
        let mut i = hash_text(text) as usize & mask;
        loop {
            match self.table[i] {
                0 => return None,
                id if self.text(id - 1) == text => return Some(id - 1),
                _ => i = (i + 1) & mask,
            }
        }
    }

    /// Interns `name` in `ns`, if there is one.
    pub fn intern_in(&mut self, ns: Option<&str>, name: &str) -> u32 {
        match ns {
            Some(ns) => self.intern(&format!("{ns}/{name}")),
            None => self.intern(name),
        }
    }

    /// The whole text, `ns/name` or `name`.
    pub fn text(&self, id: u32) -> &str {
        let end = self.rows[id as usize].end as usize;
        let start = if id == 0 { 0 } else { self.rows[id as usize - 1].end as usize };
        std::str::from_utf8(&self.bytes[start..end]).expect("names are UTF-8")
    }
    /// Namespace part, if any.
    pub fn ns(&self, id: u32) -> Option<&str> {
        match self.rows[id as usize].ns_len as usize {
            0 => None,
            n => Some(&self.text(id)[..n]),
        }
    }
    /// Text without the namespace.
    pub fn name(&self, id: u32) -> &str {
        match self.rows[id as usize].ns_len as usize {
            0 => self.text(id),
            n => &self.text(id)[n + 1..],
        }
    }
    /// A well-mixed hash of the text, fixed for ever.
    pub fn hash(&self, id: u32) -> u32 {
        self.rows[id as usize].hash
    }
    pub fn len(&self) -> usize {
        self.rows.len()
    }
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The tables as words, for images.
    pub(crate) fn encode(&self, out: &mut Vec<u64>) {
        out.extend([self.bytes.len() as u64, self.rows.len() as u64, self.table.len() as u64]);
        for chunk in self.bytes.chunks(8) {
            let mut w = [0u8; 8];
            w[..chunk.len()].copy_from_slice(chunk);
            out.push(u64::from_le_bytes(w));
        }
        for r in &self.rows {
            out.push(r.end as u64 | (r.hash as u64) << 32);
            out.push(r.ns_len as u64);
        }
        out.extend(self.table.chunks(2).map(|c| c[0] as u64 | (*c.get(1).unwrap_or(&0) as u64) << 32));
    }
    /// The tables from words; the words behind them. Images are trusted: they are part of the binary.
    pub(crate) fn decode(words: &[u64]) -> (Names, &[u64]) {
        let (nb, nr, nt) = (words[0] as usize, words[1] as usize, words[2] as usize);
        let (b, rest) = words[3..].split_at(nb.div_ceil(8));
        let mut bytes: Vec<u8> = b.iter().flat_map(|w| w.to_le_bytes()).collect();
        bytes.truncate(nb);
        let (r, rest) = rest.split_at(2 * nr);
        let rows =
            r.chunks(2).map(|c| Row { end: c[0] as u32, hash: (c[0] >> 32) as u32, ns_len: c[1] as u32 }).collect();
        let (t, rest) = rest.split_at(nt.div_ceil(2));
        let table = t.iter().flat_map(|w| [*w as u32, (*w >> 32) as u32]).collect();
        (Names { bytes, rows, table }, rest)
    }

    fn grow(&mut self) {
        let size = (self.table.len() * 2).max(1024);
        let mut table = vec![0u32; size];
        for (id, row) in self.rows.iter().enumerate() {
            let mut i = row.hash as usize & (size - 1);
            while table[i] != 0 {
                i = (i + 1) & (size - 1);
            }
            table[i] = id as u32 + 1;
        }
        self.table = table;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn ids_are_dense_and_stable() {
        let mut n = Names::default();
        let ids: Vec<u32> = (0..5000).map(|i| n.intern(&format!("n{i}"))).collect();
        assert!(ids.iter().enumerate().all(|(i, &id)| i == id as usize && n.intern(&format!("n{i}")) == id));
        let q = n.intern("a.b/c");
        assert_eq!((n.ns(q), n.name(q)), (Some("a.b"), "c"));
        let slash = n.intern("/");
        assert_eq!((n.ns(slash), n.name(slash)), (None, "/"));
    }
}
