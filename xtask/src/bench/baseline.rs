//! Figures with names, their committed file, and what one set is to another.

use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// What was counted, and with what.
///
/// Names are `part/NAME` and `program/NAME:MODE` (instructions), `size/WHAT` and `memory/PROGRAM WHAT` (bytes).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Baseline {
    /// Why it was blessed, latest first.
    pub reasons: Vec<String>,
    /// Versions that counts depend on.
    pub tools: BTreeMap<String, String>,
    pub figures: BTreeMap<String, u64>,
}

/// The committed one.
pub fn path() -> PathBuf {
    root().join("benches/baseline.json")
}

/// The folder of the workspace.
pub fn root() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.parent().map_or(here.clone(), Path::to_path_buf)
}

/// How a figure changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    pub name: String,
    pub before: Option<u64>,
    pub now: Option<u64>,
}

impl Finding {
    /// Most it may rise, in percent.
    pub fn limit(&self) -> f64 {
        if self.name.starts_with("size/") || self.name.starts_with("memory/") { 2.0 } else { 1.0 }
    }
    /// In percent; none if it is new or gone.
    pub fn change(&self) -> Option<f64> {
        let (a, b) = (self.before? as f64, self.now? as f64);
        Some(if a == 0.0 && b == 0.0 { 0.0 } else { (b - a) / a.max(1.0) * 100.0 })
    }
    /// It rose too much, or is not counted any more.
    pub fn fails(&self) -> bool {
        match (self.change(), self.now) {
            (Some(c), _) => c > self.limit(),
            (None, now) => now.is_none(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match (self.before, self.now, self.change()) {
            (Some(a), Some(b), Some(c)) => write!(f, "{}: {a} → {b}, {c:+.2} % (limit {} %)", self.name, self.limit()),
            (Some(a), ..) => write!(f, "{}: was {a}, is not counted any more", self.name),
            (None, b, _) => write!(f, "{}: new, {}", self.name, b.unwrap_or(0)),
        }
    }
}

impl Baseline {
    /// # Errors
    /// As text, with the path.
    pub fn read(path: &Path) -> Result<Baseline, String> {
        let at = |e: String| format!("{}: {e}", path.display());
        let text = std::fs::read_to_string(path).map_err(|e| at(e.to_string()))?;
        let j: Json = serde_json::from_str(&text).map_err(|e| at(e.to_string()))?;
        let texts = |j: &Json| j.as_str().map(String::from);
        let figures = j["figures"].as_object().ok_or_else(|| at("no figures in it".into()))?;
        Ok(Baseline {
            reasons: j["reasons"].as_array().into_iter().flatten().filter_map(texts).collect(),
            tools: j["tools"]
                .as_object()
                .into_iter()
                .flatten()
                .filter_map(|(k, v)| Some((k.clone(), texts(v)?)))
                .collect(),
            figures: figures.iter().filter_map(|(k, v)| Some((k.clone(), v.as_u64()?))).collect(),
        })
    }
    fn json(&self) -> Json {
        let figures: Map<String, Json> = self.figures.iter().map(|(k, v)| (k.clone(), json!(v))).collect();
        json!({ "reasons": self.reasons, "tools": self.tools, "figures": figures })
    }
    /// One figure a line, in order of names, so that differences read well.
    ///
    /// # Errors
    /// As text, with the path.
    pub fn write(&self, path: &Path) -> Result<(), String> {
        let text = serde_json::to_string_pretty(&self.json()).expect("plain data");
        std::fs::write(path, text + "\n").map_err(|e| format!("{}: {e}", path.display()))
    }
    /// Adds one line to a history.
    ///
    /// # Errors
    /// As text, with the path.
    pub fn append(&self, path: &Path) -> Result<(), String> {
        use std::io::Write;
        let mut line = self.json();
        line["commit"] = json!(std::env::var("GITHUB_SHA").unwrap_or_default());
        let mut options = std::fs::OpenOptions::new();
        let file = options.create(true).append(true).open(path);
        file.and_then(|mut f| writeln!(f, "{line}")).map_err(|e| format!("{}: {e}", path.display()))
    }

    /// What changed, best first; `only`: `parts`, `programs` or `sizes`.
    pub fn compare(&self, now: &Baseline, only: Option<&str>) -> Vec<Finding> {
        self.compare_names(now, |name| match only {
            None => true,
            Some("parts") => name.starts_with("part/"),
            Some("programs") => name.starts_with("program/"),
            Some(_) => name.starts_with("size/") || name.starts_with("memory/"),
        })
    }
    /// The same for some names.
    pub fn compare_names(&self, now: &Baseline, wanted: impl Fn(&str) -> bool) -> Vec<Finding> {
        let mut names: Vec<&String> = self.figures.keys().chain(now.figures.keys()).filter(|n| wanted(n)).collect();
        names.sort();
        names.dedup();
        let at = |b: &Baseline, n: &String| b.figures.get(n).copied();
        let mut v: Vec<Finding> = names
            .into_iter()
            .map(|n| Finding { name: n.clone(), before: at(self, n), now: at(now, n) })
            .filter(|f| f.before != f.now)
            .collect();
        v.sort_by(|a, b| a.change().unwrap_or(f64::MAX).total_cmp(&b.change().unwrap_or(f64::MAX)));
        v
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(figures: &[(&str, u64)]) -> Baseline {
        Baseline { figures: figures.iter().map(|(k, v)| (k.to_string(), *v)).collect(), ..Baseline::default() }
    }

    #[test]
    fn what_rises_too_much_or_goes_missing_fails() {
        let old = of(&[
            ("part/a", 1000),
            ("part/b", 1000),
            ("size/c", 1000),
            ("part/d", 1000),
            ("part/e", 0),
            ("part/same", 5),
        ]);
        let now = of(&[
            ("part/a", 1010),
            ("part/b", 1011),
            ("size/c", 1020),
            ("part/e", 0),
            ("part/same", 5),
            ("part/new", 7),
        ]);
        let all = old.compare(&now, None);
        let failing: Vec<&str> = all.iter().filter(|f| f.fails()).map(|f| &*f.name).collect();
        assert_eq!(failing, ["part/b", "part/d"]);
        assert_eq!(all[0].name, "part/a", "best first");
        assert_eq!(old.compare(&now, Some("sizes")).len(), 1);
        assert!(old.compare(&of(&[("size/c", 1021)]), Some("sizes"))[0].fails());
        assert!(now.compare(&now, None).is_empty());
    }

    #[test]
    fn files_give_back_what_was_written() {
        let mut b = of(&[("part/a", 1000)]);
        (b.reasons, b.tools) = (vec!["because".into()], [("rustc".to_string(), "1".to_string())].into());
        let path = std::env::temp_dir().join(format!("yin-baseline-{}", std::process::id()));
        b.write(&path).expect("written");
        assert_eq!(Baseline::read(&path), Ok(b));
        std::fs::remove_file(path).expect("it was there");
    }
}
