//! How rows and values are written: as a table for people, as EDN or JSON for programs.

use datoms::edn::Edn;
use std::io::Write;

/// A format.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Shape {
    Table,
    Edn,
    Json,
}

impl Shape {
    /// By name; `default` if none is given.
    pub fn named(name: Option<&str>, default: Shape) -> Result<Shape, (i32, String)> {
        Ok(match name {
            None => default,
            Some("table") => Shape::Table,
            Some("edn") => Shape::Edn,
            Some("json") => Shape::Json,
            Some(n) => return Err((2, format!("the formats are table, edn and json, not {n}"))),
        })
    }
}

/// A value as JSON; what JSON has not is EDN in a string.
pub fn json(v: &Edn) -> serde_json::Value {
    use serde_json::Value as J;
    match v {
        Edn::Nil => J::Null,
        Edn::Bool(b) => J::Bool(*b),
        Edn::Int(i) if i.unsigned_abs() < 1 << 53 => J::from(*i),
        Edn::Float(f) if f.is_finite() => J::from(*f),
        Edn::Str(s) => J::from(s.to_string()),
        Edn::Vector(items) | Edn::List(items) => J::Array(items.iter().map(json).collect()),
        Edn::Set(items) => J::Array(items.iter().map(json).collect()),
        Edn::Map(m) => J::Object(
            m.iter().map(|(k, v)| (k.as_str().map_or_else(|| k.to_string(), String::from), json(v))).collect(),
        ),
        other => J::from(other.to_string()),
    }
}

/// A value as text, its line ended. As a table a map is a row for each key.
pub fn value(v: &Edn, shape: Shape) -> String {
    match (shape, v.as_map()) {
        (Shape::Json, _) => format!("{}\n", json(v)),
        (Shape::Table, Some(pairs)) => {
            let rows: Vec<Vec<Edn>> = pairs.iter().map(|(k, v)| vec![k.clone(), v.clone()]).collect();
            let wide = pairs.iter().map(|(k, _)| k.to_string().chars().count()).max().unwrap_or(0);
            rows.iter().map(|r| format!("{:<wide$}  {}\n", r[0].to_string(), cell(&r[1]))).collect()
        }
        _ => format!("{v}\n"),
    }
}

fn cell(v: &Edn) -> String {
    v.as_str().map_or_else(|| v.to_string(), String::from).replace('\n', "⏎")
}

/// Rows under a heading, columns as wide as their widest cell, 80 at most.
pub fn table(head: &[String], rows: &[Vec<Edn>]) -> String {
    let cells: Vec<Vec<String>> = rows.iter().map(|r| r.iter().map(cell).collect()).collect();
    let width = |i: usize| {
        cells.iter().map(|r| r[i].chars().count()).chain([head[i].chars().count()]).max().unwrap_or(0).min(80)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |row: &[String]| {
        let parts: Vec<String> = row.iter().zip(&widths).map(|(c, w)| format!("{c:<w$}")).collect();
        parts.join("  ").trim_end().to_string() + "\n"
    };
    let mut s = line(head);
    s += &line(&widths.iter().map(|w| "─".repeat(*w)).collect::<Vec<_>>());
    cells.iter().for_each(|r| s += &line(r));
    s
}

/// Writes to standard output. A reader that has seen enough is no error.
pub fn put(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}
