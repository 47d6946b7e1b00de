//! What was measured, and its form as JSON lines: one line for the machine, then one a program and engine.

use super::stat::{Interval, interval, median};
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;
use std::path::Path;

/// One process.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sample {
    pub wall_ms: f64,
    pub cpu_ms: f64,
    pub rss_kb: f64,
    /// The program's own clock for its first run.
    pub first_ms: Option<f64>,
    /// The same for further runs in the same process.
    pub iterations_ms: Vec<f64>,
    /// What Yin says about itself: phases, collections, sizes.
    pub inside: BTreeMap<String, f64>,
}

/// How a program fared on an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Ok,
    /// It printed another answer.
    Wrong,
    Failed,
    /// Its stack overflowed.
    Overflow,
    Late,
    /// A library it needs is not there.
    Missing,
}

impl Status {
    const ALL: [(Status, &'static str); 6] = [
        (Status::Ok, "ok"),
        (Status::Wrong, "wrong"),
        (Status::Failed, "failed"),
        (Status::Overflow, "overflow"),
        (Status::Late, "late"),
        (Status::Missing, "missing"),
    ];
    pub fn name(self) -> &'static str {
        Status::ALL.iter().find(|s| s.0 == self).map_or("", |s| s.1)
    }
    fn named(name: &str) -> Option<Status> {
        Status::ALL.iter().find(|s| s.1 == name).map(|s| s.0)
    }
}

/// A program on an engine.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub program: String,
    pub set: String,
    pub engine: String,
    pub file: String,
    pub status: Status,
    /// Why, if it is not ok.
    pub message: String,
    pub samples: Vec<Sample>,
}

/// Quantities of a row that are numbers in milliseconds unless said otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// The work, once warm; else the first run; else the whole process.
    Steady,
    First,
    /// The whole process without the further runs.
    Wall,
    /// Processor time of the whole process, further runs included.
    Cpu,
    /// Peak memory in KiB.
    Memory,
}

impl Metric {
    pub const ALL: [(Metric, &'static str); 5] = [
        (Metric::Steady, "steady"),
        (Metric::First, "first"),
        (Metric::Wall, "wall"),
        (Metric::Cpu, "cpu"),
        (Metric::Memory, "memory"),
    ];
    pub fn named(name: &str) -> Option<Metric> {
        Metric::ALL.iter().find(|m| m.1 == name).map(|m| m.0)
    }
    pub fn name(self) -> &'static str {
        Metric::ALL.iter().find(|m| m.0 == self).map_or("", |m| m.1)
    }
}

impl Sample {
    /// Median of the later half of the further runs.
    pub fn steady_ms(&self) -> Option<f64> {
        median(&self.iterations_ms[self.iterations_ms.len() / 2..])
    }
    fn metric(&self, m: Metric) -> Option<f64> {
        match m {
            Metric::Steady if self.iterations_ms.is_empty() => self.metric(Metric::First),
            Metric::Steady => self.steady_ms().filter(|ms| *ms > 0.0),
            // Some clocks are coarse: 0 says nothing.
            Metric::First => self.first_ms.map_or_else(|| self.metric(Metric::Wall), Some).filter(|ms| *ms > 0.0),
            Metric::Wall => Some(self.wall_ms - self.iterations_ms.iter().sum::<f64>()),
            Metric::Cpu => Some(self.cpu_ms),
            Metric::Memory => Some(self.rss_kb),
        }
    }
}

impl Row {
    /// One value a process.
    pub fn values(&self, m: Metric) -> Vec<f64> {
        self.samples.iter().filter_map(|s| s.metric(m)).collect()
    }
    pub fn median(&self, m: Metric) -> Option<f64> {
        median(&self.values(m))
    }
    pub fn interval(&self, m: Metric) -> Option<Interval> {
        interval(&self.values(m))
    }
    /// Median of something Yin says about itself.
    pub fn inside(&self, name: &str) -> Option<f64> {
        median(&self.samples.iter().filter_map(|s| s.inside.get(name).copied()).collect::<Vec<_>>())
    }
    /// Warm-up: the median of the first run and of every further one, over the processes.
    pub fn curve(&self) -> Vec<f64> {
        let runs = self.samples.iter().map(|s| s.iterations_ms.len()).max().unwrap_or(0);
        let first = median(&self.samples.iter().filter_map(|s| s.first_ms).collect::<Vec<_>>());
        let later = (0..runs).filter_map(|i| {
            median(&self.samples.iter().filter_map(|s| s.iterations_ms.get(i).copied()).collect::<Vec<_>>())
        });
        first.into_iter().chain(later).collect()
    }
    pub fn ok(&self) -> bool {
        self.status == Status::Ok
    }
}

/// A set of measurements.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Results {
    /// Where and how: date, machine, command, versions.
    pub about: BTreeMap<String, String>,
    pub rows: Vec<Row>,
}

impl Results {
    /// Names of programs, in order of appearance.
    pub fn programs(&self) -> Vec<&str> {
        unique(self.rows.iter().map(|r| &*r.program))
    }
    pub fn engines(&self) -> Vec<&str> {
        unique(self.rows.iter().map(|r| &*r.engine))
    }
    pub fn row(&self, program: &str, engine: &str) -> Option<&Row> {
        self.rows.iter().find(|r| r.program == program && r.engine == engine)
    }
    pub fn about(&self, key: &str) -> &str {
        self.about.get(key).map_or("", |s| s)
    }

    /// As JSON lines.
    pub fn to_lines(&self) -> String {
        let mut about = Map::new();
        about.insert("yin-bench".into(), json!(1));
        about.extend(self.about.iter().map(|(k, v)| (k.clone(), json!(v))));
        let mut s = format!("{}\n", Json::Object(about));
        for r in &self.rows {
            s.push_str(&format!("{}\n", r.to_json()));
        }
        s
    }

    /// From JSON lines. Lines that are neither are passed over; several results in one file add up.
    ///
    /// # Errors
    /// Text that is not JSON, or holds no measurement.
    pub fn from_lines(text: &str) -> Result<Results, String> {
        let mut r = Results::default();
        for (n, line) in text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty()) {
            let j: Json = serde_json::from_str(line).map_err(|e| format!("line {}: {e}", n + 1))?;
            if j.get("yin-bench").is_some() {
                let texts = j.as_object().into_iter().flatten();
                r.about.extend(texts.filter_map(|(k, v)| Some((k.clone(), v.as_str()?.to_string()))));
            } else if j.get("program").is_some() {
                let new = Row::from_json(&j).map_err(|e| format!("line {}: {e}", n + 1))?;
                match r.rows.iter_mut().find(|x| x.program == new.program && x.engine == new.engine) {
                    Some(old) => old.samples.extend(new.samples),
                    None => r.rows.push(new),
                }
            }
        }
        if r.rows.is_empty() { Err("no measurements in it".into()) } else { Ok(r) }
    }

    /// # Errors
    /// As text, with the path: it cannot be read, or is something else.
    pub fn read(path: &Path) -> Result<Results, String> {
        let text = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
        Results::from_lines(&text).map_err(|e| format!("{}: {e}", path.display()))
    }
}

fn unique<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut v: Vec<&str> = Vec::new();
    for n in names {
        if !v.contains(&n) {
            v.push(n);
        }
    }
    v
}

/// Microseconds are enough.
fn rounded(x: f64) -> Json {
    json!((x * 1e3).round() / 1e3)
}

impl Row {
    fn to_json(&self) -> Json {
        let sample = |s: &Sample| {
            let mut o = Map::new();
            o.insert("wall_ms".into(), rounded(s.wall_ms));
            o.insert("cpu_ms".into(), rounded(s.cpu_ms));
            o.insert("rss_kb".into(), rounded(s.rss_kb));
            if let Some(f) = s.first_ms {
                o.insert("first_ms".into(), rounded(f));
            }
            if !s.iterations_ms.is_empty() {
                o.insert("iterations_ms".into(), s.iterations_ms.iter().map(|x| rounded(*x)).collect());
            }
            if !s.inside.is_empty() {
                o.insert("inside".into(), s.inside.iter().map(|(k, v)| (k.clone(), rounded(*v))).collect());
            }
            Json::Object(o)
        };
        let mut j = json!({
            "program": self.program, "set": self.set, "engine": self.engine, "file": self.file, "status": self.status.name(),
        });
        let o = j.as_object_mut().expect("made as one");
        if !self.message.is_empty() {
            o.insert("message".into(), json!(self.message));
        }
        // For readers that do not want to compute.
        for (m, name) in Metric::ALL {
            let unit = if m == Metric::Memory { "kb" } else { "ms" };
            if let (Some(x), Some(i)) = (self.median(m), self.interval(m)) {
                o.insert(
                    format!("{name}_{unit}"),
                    json!({
                        "median": rounded(x), "low": rounded(i.low), "high": rounded(i.high),
                        "confidence": rounded(i.confidence),
                    }),
                );
            }
        }
        o.insert("samples".into(), self.samples.iter().map(sample).collect());
        j
    }

    fn from_json(j: &Json) -> Result<Row, String> {
        let text = |k: &str| j[k].as_str().unwrap_or("").to_string();
        let need = |k: &str| j[k].as_str().map(String::from).ok_or_else(|| format!("{k} is missing"));
        let sample = |s: &Json| {
            let n = |k: &str| s[k].as_f64();
            let list = |k: &str| s[k].as_array().map_or_else(Vec::new, |a| a.iter().filter_map(Json::as_f64).collect());
            let inside = s["inside"].as_object().into_iter().flatten();
            Ok::<Sample, String>(Sample {
                wall_ms: n("wall_ms").ok_or("a sample without wall_ms")?,
                cpu_ms: n("cpu_ms").unwrap_or(0.0),
                rss_kb: n("rss_kb").unwrap_or(0.0),
                first_ms: n("first_ms"),
                iterations_ms: list("iterations_ms"),
                inside: inside.filter_map(|(k, v)| Some((k.clone(), v.as_f64()?))).collect(),
            })
        };
        let status = match j["status"].as_str() {
            None => Status::Ok,
            Some(s) => Status::named(s).ok_or_else(|| format!("no status {s}"))?,
        };
        Ok(Row {
            program: need("program")?,
            set: text("set"),
            engine: need("engine")?,
            file: text("file"),
            status,
            message: text("message"),
            samples: j["samples"].as_array().into_iter().flatten().map(sample).collect::<Result<_, _>>()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(ms: &[f64]) -> Row {
        let sample = |x: &f64| Sample {
            wall_ms: x * 2.0 + 3.0,
            cpu_ms: *x,
            rss_kb: 1000.0,
            first_ms: Some(*x),
            iterations_ms: vec![0.5, 0.5, *x / 2.0, *x / 2.0],
            inside: [("read_ms".to_string(), 0.25)].into(),
        };
        Row {
            program: "fib".into(),
            set: "headline".into(),
            engine: "yin".into(),
            file: "main.clj".into(),
            status: Status::Ok,
            message: String::new(),
            samples: ms.iter().map(sample).collect(),
        }
    }

    #[test]
    fn lines_give_back_what_they_were_made_of() {
        let mut late = row(&[]);
        (late.engine, late.status, late.message) = ("luajit".into(), Status::Late, "too \"long\"".into());
        let r =
            Results { about: [("date".to_string(), "today".to_string())].into(), rows: vec![row(&[1.0, 2.0]), late] };
        assert_eq!(Results::from_lines(&r.to_lines()), Ok(r));
        assert!(Results::from_lines("{}").is_err() && Results::from_lines("nonsense").is_err());
    }

    #[test]
    fn metrics_of_a_row() {
        let r = row(&[4.0, 2.0, 3.0]);
        let all: Vec<_> = Metric::ALL.iter().map(|m| r.median(m.0)).collect();
        assert_eq!(all, [Some(1.5), Some(3.0), Some(5.0), Some(3.0), Some(1000.0)]);
        assert_eq!(
            (r.curve(), r.inside("read_ms"), r.inside("nothing")),
            (vec![3.0, 0.5, 0.5, 1.5, 1.5], Some(0.25), None)
        );
    }
}
