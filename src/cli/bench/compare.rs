//! Two measurements, side by side: what became slower, and whether one may say so.

use super::record::{Metric, Results, Row};
use super::stat::geometric_mean;
use super::table::{Table, kib, ms};

/// A program and engine found in both.
pub struct Change {
    pub program: String,
    pub engine: String,
    pub metric: Metric,
    pub before: f64,
    pub after: f64,
    /// Do the intervals of the two medians lie apart?
    pub clear: bool,
}

impl Change {
    pub fn ratio(&self) -> f64 {
        self.after / self.before
    }
    /// Does it exceed a limit, in percent, and clearly so?
    pub fn fails(&self, percent: f64) -> bool {
        self.clear && (self.ratio() - 1.0) * 100.0 > percent
    }
}

/// What fails outright.
pub struct Comparison {
    /// Worst last.
    pub changes: Vec<Change>,
    /// Fine before, not fine now.
    pub broken: Vec<String>,
    /// Only in one of them.
    pub unmatched: Vec<String>,
}

/// Compares `b` with `a`. Engines are matched by name; if each has but one engine, these are matched.
pub fn compare(a: &Results, b: &Results, metrics: &[Metric]) -> Comparison {
    let single = match (&a.engines()[..], &b.engines()[..]) {
        ([x], [y]) => Some((x.to_string(), y.to_string())),
        _ => None,
    };
    let mut c = Comparison { changes: Vec::new(), broken: Vec::new(), unmatched: Vec::new() };
    for old in &a.rows {
        let engine = match &single {
            Some((x, y)) if *x == old.engine => y,
            _ => &old.engine,
        };
        match b.row(&old.program, engine) {
            None => c.unmatched.push(format!("{} on {}: only before", old.program, old.engine)),
            Some(new) if old.ok() && !new.ok() => {
                c.broken.push(format!("{} on {}: {} ({})", new.program, new.engine, new.status.name(), new.message));
            }
            Some(new) => c.changes.extend(metrics.iter().filter_map(|m| change(old, new, *m))),
        }
    }
    for new in &b.rows {
        let engine = match &single {
            Some((x, y)) if *y == new.engine => x,
            _ => &new.engine,
        };
        if a.row(&new.program, engine).is_none() {
            c.unmatched.push(format!("{} on {}: only now", new.program, new.engine));
        }
    }
    c.changes.sort_by(|x, y| x.ratio().total_cmp(&y.ratio()));
    c
}

fn change(old: &Row, new: &Row, metric: Metric) -> Option<Change> {
    let (before, after) = (old.median(metric)?, new.median(metric)?);
    let (i, j) = (old.interval(metric)?, new.interval(metric)?);
    let clear = i.high < j.low || j.high < i.low;
    let (program, engine) = (new.program.clone(), new.engine.clone());
    (before > 0.0).then_some(Change { program, engine, metric, before, after, clear })
}

impl Comparison {
    /// Best first, worst last, as a table.
    pub fn table(&self) -> Table {
        let mut rows: Vec<Vec<String>> = Vec::new();
        for c in &self.changes {
            let show = |x| if c.metric == Metric::Memory { kib(x) } else { ms(x) };
            let percent = format!("{:+.1} %", (c.ratio() - 1.0) * 100.0);
            let note = if c.clear { "" } else { "within the spread" };
            let name = format!("{} {}", c.program, c.metric.name());
            rows.push(vec![name, c.engine.clone(), show(c.before), show(c.after), percent, note.into()]);
        }
        if let Some(g) = geometric_mean(&self.changes.iter().map(Change::ratio).collect::<Vec<_>>()) {
            let percent = format!("{:+.1} %", (g - 1.0) * 100.0);
            rows.push(vec![
                "geometric mean".into(),
                String::new(),
                String::new(),
                String::new(),
                percent,
                String::new(),
            ]);
        }
        let heads = ["program", "engine", "before", "after", "change", ""].map(String::from).into();
        Table { title: "Changes, best first".into(), heads, rows }
    }

    /// Those that must not pass, in words.
    pub fn offenders(&self, percent: f64) -> Vec<String> {
        let slow = self.changes.iter().rev().filter(|c| c.fails(percent)).map(|c| {
            let (name, engine, up) = (&c.program, &c.engine, (c.ratio() - 1.0) * 100.0);
            format!("{name} on {engine}: {} up {up:.1} %, more than {percent} %", c.metric.name())
        });
        self.broken.iter().cloned().chain(slow).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::{Sample, Status};
    use super::*;

    fn results(engine: &str, programs: &[(&str, &[f64])]) -> Results {
        let row = |(name, times): &(&str, &[f64])| Row {
            program: name.to_string(),
            set: String::new(),
            engine: engine.into(),
            file: String::new(),
            status: if times.is_empty() { Status::Failed } else { Status::Ok },
            message: String::new(),
            samples: times.iter().map(|t| Sample { wall_ms: *t, first_ms: Some(*t), ..Sample::default() }).collect(),
        };
        Results { rows: programs.iter().map(row).collect(), ..Results::default() }
    }

    #[test]
    fn clear_losses_are_named_and_unclear_ones_are_not() {
        let a = results(
            "yin",
            &[("fib", &[10.0, 10.1, 10.2]), ("tak", &[5.0, 6.0, 7.0]), ("old", &[1.0]), ("bad", &[1.0])],
        );
        let b = results(
            "yin-new",
            &[("fib", &[11.0, 11.1, 11.2]), ("tak", &[6.5, 6.9, 8.0]), ("new", &[1.0]), ("bad", &[])],
        );
        let c = compare(&a, &b, &[Metric::Steady]);
        assert_eq!(c.offenders(3.0).len(), 2, "{:?}", c.offenders(3.0));
        assert!(c.offenders(3.0)[0].starts_with("bad on yin-new: failed"));
        assert!(c.offenders(3.0)[1].starts_with("fib on yin-new: steady up 9.9 %"), "{:?}", c.offenders(3.0));
        assert_eq!(c.offenders(20.0).len(), 1);
        assert_eq!(c.unmatched, ["old on yin: only before", "new on yin-new: only now"]);
    }
}
