//! Databases as text: DataScript's tagged literal, its serialised form, EDN and JSON lines.

use super::db::{Database, Datom, Result, TX0};
use super::index::Index;
use crate::edn::{Edn, read};
use crate::json::{Json, write_json_string};
use crate::query::{ErrorKind, QueryError};
use rustc_hash::FxHashMap;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::sync::Arc;

fn bad(message: impl Into<String>) -> QueryError {
    QueryError::new(ErrorKind::Other("import/syntax"), message)
}

impl Database {
    fn all(&self) -> Vec<Datom> {
        let all = self.datoms(Index::Eavt, &[]);
        all.unwrap_or_default()
    }

    /// The same with other bounds of ids, which a text may carry along.
    pub(crate) fn bounded(mut self, max_eid: Option<i64>, max_tx: Option<i64>) -> Self {
        if let Some(inner) = Arc::get_mut(&mut self.0) {
            let id = |x: Option<i64>| x.and_then(|x| u32::try_from(x).ok());
            inner.max_eid = id(max_eid).unwrap_or(inner.max_eid).max(inner.max_eid);
            inner.max_tx = id(max_tx).unwrap_or(inner.max_tx).max(TX0);
        }
        self
    }

    /// As DataScript prints it: `#datascript/DB {:schema …, :datoms [[e a v t] …]}`.
    pub fn to_literal(&self) -> String {
        let mut out = String::from("#datascript/DB {:schema ");
        let _ = write!(out, "{}, :datoms [", self.schema().form());
        for (i, d) in self.all().iter().enumerate() {
            let _ = write!(out, "{}[{} {} ", if i > 0 { " " } else { "" }, d.e, self.attr_name(d.a));
            let _ = write!(out, "{} {}]", self.value(d.v), d.t);
        }
        out.push_str("]}");
        out
    }

    /// From what [`to_literal`](Self::to_literal) gives, read.
    ///
    /// # Errors
    /// `:import/syntax` and `:schema/validation`.
    pub fn from_literal(form: &Edn) -> Result<Self> {
        let form = match form {
            Edn::Tagged(t) if t.0.as_str() == "datascript/DB" => &t.1,
            _ => form,
        };
        let datoms = form.get_kw("datoms").and_then(Edn::as_coll).ok_or_else(|| bad("Expected :datoms"))?;
        let mut facts = Vec::with_capacity(datoms.len());
        for d in datoms {
            let d = match d {
                Edn::Tagged(t) => &t.1,
                d => d,
            };
            facts.push(fact(d)?);
        }
        Self::from_datoms(form.get_kw("schema").unwrap_or(&Edn::Nil), facts)
    }

    /// As the JSON text of DataScript's `serializable`.
    pub fn to_serializable(&self) -> String {
        let all = self.all();
        let attrs = self.attributes();
        let number: FxHashMap<&Edn, usize> = attrs.iter().enumerate().map(|(i, a)| (a, i)).collect();
        let mut keywords: Vec<String> = Vec::new();
        let mut known: FxHashMap<Edn, usize> = FxHashMap::default();
        let mut out = String::new();
        let _ = write!(
            out,
            "{{\"count\":{},\"tx0\":{TX0},\"max-eid\":{},\"max-tx\":{},\"schema\":",
            all.len(),
            self.max_eid(),
            self.max_tx()
        );
        write_json_string(&mut out, &self.schema().form().to_string());
        let list = |out: &mut String, names: &mut dyn Iterator<Item = String>| {
            out.push('[');
            for (i, n) in names.enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_json_string(out, &n);
            }
            out.push(']');
        };
        out.push_str(",\"attrs\":");
        let text = |a: &Edn| match a {
            Edn::Str(s) => s.to_string(),
            a => a.to_string(),
        };
        list(&mut out, &mut attrs.iter().map(text));
        out.push_str(",\"eavt\":[");
        for (i, d) in all.iter().enumerate() {
            if i > 0 {
                out.push(',');
            }
            let a = number.get(self.attr_name(d.a)).copied().unwrap_or(0);
            let _ = write!(out, "[{},{a},", d.e);
            match self.value(d.v) {
                Edn::Str(s) => write_json_string(&mut out, &s),
                Edn::Int(i) => {
                    let _ = write!(out, "{i}");
                }
                Edn::Bool(b) => {
                    let _ = write!(out, "{b}");
                }
                Edn::Float(f) if f.is_finite() => {
                    let _ = write!(out, "{}", Edn::Float(f));
                }
                v @ Edn::Keyword(_) => {
                    let k = *known.entry(v.clone()).or_insert_with(|| {
                        keywords.push(v.to_string());
                        keywords.len() - 1
                    });
                    let _ = write!(out, "[0,{k}]");
                }
                v => {
                    out.push_str("[1,");
                    write_json_string(&mut out, &v.to_string());
                    out.push(']');
                }
            }
            let _ = write!(out, ",{}]", i64::from(d.t) - i64::from(TX0));
        }
        out.push_str("],\"keywords\":");
        list(&mut out, &mut keywords.into_iter());
        // The other orders, as positions in the first.
        let mut at: FxHashMap<(u32, u32, u64), usize> = FxHashMap::default();
        for (i, d) in all.iter().enumerate() {
            at.insert((d.e, d.a, d.v.0), i);
        }
        for (name, index) in [("aevt", Index::Aevt), ("avet", Index::Avet)] {
            let _ = write!(out, ",\"{name}\":[");
            for (i, d) in self.datoms(index, &[]).unwrap_or_default().iter().enumerate() {
                let comma = if i > 0 { "," } else { "" };
                let _ = write!(out, "{comma}{}", at.get(&(d.e, d.a, d.v.0)).copied().unwrap_or(0));
            }
            out.push(']');
        }
        out.push('}');
        out
    }

    /// From the JSON text of DataScript's `serializable`. Orders are made anew.
    ///
    /// # Errors
    /// `:import/syntax` and `:schema/validation`.
    pub fn from_serializable(text: &str) -> Result<Self> {
        let json = Json::parse(text).map_err(bad)?;
        let field = |k: &str| json.get(k).ok_or_else(|| bad(format!("Expected the field {k}")));
        let edn = |s: &str| read(s).map_err(|e| bad(e.to_string()));
        let names = |k: &str| -> Result<Vec<Edn>> {
            field(k)?
                .items()
                .iter()
                .map(|n| match n.as_str() {
                    Some(s) if s.starts_with(':') => edn(s),
                    Some(s) => Ok(Edn::from(s)),
                    None => Err(bad(format!("Expected names under {k}"))),
                })
                .collect()
        };
        let (attrs, keywords) = (names("attrs")?, names("keywords")?);
        let tx0 = field("tx0")?.as_int().unwrap_or(TX0.into());
        let schema = edn(field("schema")?.as_str().ok_or_else(|| bad("Expected a schema"))?)?;
        let mut facts = Vec::new();
        for row in field("eavt")?.items() {
            let wrong = || bad(format!("Not a datom: {row:?}"));
            let [e, a, v, t] = row.items() else { return Err(wrong()) };
            let number = |x: &Json| x.as_int().ok_or_else(wrong);
            let nth = |list: &[Edn], i: i64| usize::try_from(i).ok().and_then(|i| list.get(i)).cloned();
            let v = match v {
                Json::Str(s) => Edn::from(s.as_str()),
                Json::Int(i) => Edn::Int(*i),
                Json::Number(f) => Edn::Float(*f),
                Json::Bool(b) => Edn::Bool(*b),
                Json::Array(parts) => match &parts[..] {
                    [Json::Int(0), Json::Int(k)] => nth(&keywords, *k).ok_or_else(wrong)?,
                    [Json::Int(1), Json::Str(s)] => edn(s)?,
                    _ => return Err(wrong()),
                },
                _ => return Err(wrong()),
            };
            let id = |x: i64| u32::try_from(x).map_err(|_| wrong());
            let a = nth(&attrs, number(a)?).ok_or_else(wrong)?;
            facts.push((id(number(e)?)?, a, v, id(tx0.saturating_add(number(t)?))?));
        }
        let bound = |k: &str| json.get(k).and_then(Json::as_int);
        Ok(Self::from_datoms(&schema, facts)?.bounded(bound("max-eid"), bound("max-tx")))
    }

    /// Writes all datoms as lines `[e a v t]`, after a line with the schema.
    pub fn write_edn(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{{:schema {}, :max-eid {}, :max-tx {}}}", self.schema().form(), self.max_eid(), self.max_tx())?;
        for d in self.all() {
            writeln!(out, "{}", self.datom_edn(&d))?;
        }
        Ok(())
    }

    /// From what [`write_edn`](Self::write_edn) writes, from a tagged literal, or from a sequence of facts.
    ///
    /// # Errors
    /// `:import/syntax` and `:schema/validation`.
    pub fn read_edn(text: &str) -> Result<Self> {
        let forms = crate::edn::read_all(text).map_err(|e| bad(e.to_string()))?;
        if let [Edn::Tagged(_)] = &forms[..] {
            return Self::from_literal(&forms[0]);
        }
        let (head, rows): (Edn, &[Edn]) = match forms.split_first() {
            Some((head @ Edn::Map(_), rows)) => (head.clone(), rows),
            _ => (Edn::map([]), &forms),
        };
        if head.get_kw("datoms").is_some() {
            return Self::from_literal(&head);
        }
        let rows = match rows {
            [Edn::Vector(all) | Edn::List(all)] if all.iter().all(|r| r.as_seq().is_some()) => all,
            rows => rows,
        };
        let facts = rows.iter().map(fact).collect::<Result<Vec<_>>>()?;
        let bound = |k: &str| head.get_kw(k).and_then(Edn::as_int);
        let db = Self::from_datoms(head.get_kw("schema").unwrap_or(&Edn::Nil), facts)?;
        Ok(db.bounded(bound("max-eid"), bound("max-tx")))
    }

    /// Writes all datoms as JSON lines `{"e":1,"a":"name","v":"Ada","t":536870913}`. Values that JSON has not are EDN
    /// in a string, under `"edn"` instead of `"v"`.
    pub fn write_json_lines(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut line = String::new();
        for d in self.all() {
            line.clear();
            let _ = write!(line, "{{\"e\":{},\"a\":", d.e);
            let name = match self.attr_name(d.a) {
                Edn::Keyword(k) => k.as_str().to_string(),
                Edn::Str(s) => s.to_string(),
                a => a.to_string(),
            };
            write_json_string(&mut line, &name);
            match self.value(d.v) {
                Edn::Str(s) => {
                    line.push_str(",\"v\":");
                    write_json_string(&mut line, &s);
                }
                v @ (Edn::Int(_) | Edn::Bool(_)) => {
                    let _ = write!(line, ",\"v\":{v}");
                }
                Edn::Float(f) if f.is_finite() => {
                    let _ = write!(line, ",\"v\":{}", Edn::Float(f));
                }
                v => {
                    line.push_str(",\"edn\":");
                    write_json_string(&mut line, &v.to_string());
                }
            }
            writeln!(out, "{line},\"t\":{}}}", d.t)?;
        }
        Ok(())
    }

    /// From lines that [`write_json_lines`](Self::write_json_lines) writes, under a schema, which they do not have.
    ///
    /// # Errors
    /// `:import/syntax`, with the line, and `:schema/validation`.
    pub fn read_json_lines(schema: &Edn, text: &str) -> Result<Self> {
        let mut facts = Vec::new();
        for (i, line) in text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty()) {
            let wrong = |why: &str| bad(format!("line {}: {why}", i + 1));
            let row = Json::parse(line).map_err(|e| wrong(&e))?;
            let id = |k: &str| row.get(k).and_then(Json::as_int).and_then(|x| u32::try_from(x).ok());
            let e = id("e").ok_or_else(|| wrong("a datom needs an entity under \"e\""))?;
            let a =
                row.get("a").and_then(Json::as_str).ok_or_else(|| wrong("a datom needs an attribute under \"a\""))?;
            let v = match (row.get("v"), row.get("edn").and_then(Json::as_str)) {
                (Some(Json::Str(s)), _) => Edn::from(s.as_str()),
                (Some(Json::Int(i)), _) => Edn::Int(*i),
                (Some(Json::Number(f)), _) => Edn::Float(*f),
                (Some(Json::Bool(b)), _) => Edn::Bool(*b),
                (None, Some(s)) => read(s).map_err(|e| wrong(&e.to_string()))?,
                _ => return Err(wrong("a datom needs a value under \"v\", or as EDN under \"edn\"")),
            };
            facts.push((e, Edn::keyword(a.trim_start_matches(':')), v, id("t").unwrap_or(TX0)));
        }
        Self::from_datoms(schema, facts)
    }
}

/// A fact from `[e a v]` or `[e a v t …]`.
fn fact(d: &Edn) -> Result<(u32, Edn, Edn, u32)> {
    let wrong = || bad(format!("Not a datom: {d}"));
    let [e, a, v, rest @ ..] = d.as_seq().ok_or_else(wrong)? else { return Err(wrong()) };
    let id = |x: &Edn| x.as_int().and_then(|i| u32::try_from(i).ok()).ok_or_else(wrong);
    let t = match rest.first() {
        Some(t) => id(t)?,
        None => TX0,
    };
    Ok((id(e)?, a.clone(), v.clone(), t))
}
