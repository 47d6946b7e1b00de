//! Results as columns of text: for a terminal, and as Markdown.

use super::record::{Metric, Results, Row};
use super::stat::geometric_mean;

/// Three digits and a unit.
pub fn ms(x: f64) -> String {
    match x {
        x if x >= 10_000.0 => format!("{:.1} s", x / 1e3),
        x if x >= 1000.0 => format!("{:.2} s", x / 1e3),
        x if x >= 100.0 => format!("{x:.0} ms"),
        x if x >= 10.0 => format!("{x:.1} ms"),
        x if x >= 1.0 => format!("{x:.2} ms"),
        x => format!("{:.0} µs", x * 1e3),
    }
}

/// Kibibytes, readable.
pub fn kib(x: f64) -> String {
    match x {
        x if x >= 1024.0 * 1024.0 => format!("{:.2} GiB", x / 1024.0 / 1024.0),
        x if x >= 1024.0 * 100.0 => format!("{:.0} MiB", x / 1024.0),
        x if x >= 1024.0 => format!("{:.1} MiB", x / 1024.0),
        x => format!("{x:.0} KiB"),
    }
}

/// A quotient of times.
pub fn times(x: f64) -> String {
    if x >= 100.0 {
        format!("{x:.0}×")
    } else if x >= 10.0 {
        format!("{x:.1}×")
    } else {
        format!("{x:.2}×")
    }
}

/// Half the width of the interval, in percent of the median.
fn spread(r: &Row, m: Metric) -> String {
    match (r.median(m), r.interval(m)) {
        (Some(x), Some(i)) if x > 0.0 && r.samples.len() > 1 => {
            format!("±{:.0} %", ((i.high - i.low) / 2.0 / x * 100.0).ceil())
        }
        _ => String::new(),
    }
}

/// A table: heads, then rows. The first column is text, the others are numbers.
pub struct Table {
    pub title: String,
    pub heads: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

impl Table {
    pub fn text(&self) -> String {
        let width = |i: usize| {
            let cells = self.rows.iter().filter_map(|r| r.get(i)).chain(self.heads.get(i));
            cells.map(|c| c.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.heads.len()).map(width).collect();
        let mut s = format!("{}\n", self.title);
        for r in std::iter::once(&self.heads).chain(&self.rows) {
            let mut line = String::new();
            for (i, c) in r.iter().enumerate() {
                let pad = " ".repeat(widths[i] - c.chars().count());
                line.push_str(&if i == 0 { format!("{c}{pad}") } else { format!("  {pad}{c}") });
            }
            s.push_str(line.trim_end());
            s.push('\n');
        }
        s
    }
    pub fn markdown(&self) -> String {
        let line = |r: &[String]| format!("| {} |\n", r.join(" | "));
        let mut s =
            format!("### {}\n\n{}|---|{}\n", self.title, line(&self.heads), "---:|".repeat(self.heads.len() - 1));
        self.rows.iter().for_each(|r| s.push_str(&line(r)));
        s
    }
}

/// Tables of all that was measured.
pub fn tables(r: &Results) -> Vec<Table> {
    let mut tables = Vec::new();
    let engines = r.engines();
    if engines.len() > 1 {
        tables.push(comparison(
            r,
            &engines,
            Metric::First,
            "First run in a new process, and how many times the first engine's time",
        ));
        if r.rows.iter().any(|x| x.samples.iter().any(|s| !s.iterations_ms.is_empty())) {
            tables.push(comparison(r, &engines, Metric::Steady, "Steady: later runs in the same process"));
        }
        tables.push(comparison(r, &engines, Metric::Memory, "Peak memory of the process"));
    }
    for e in engines.iter().filter(|e| r.rows.iter().any(|x| x.engine == **e && x.inside("read_ms").is_some())) {
        tables.push(phases(r, e));
    }
    if tables.is_empty() {
        tables.extend(engines.iter().map(|e| phases(r, e)));
    }
    tables
}

fn comparison(r: &Results, engines: &[&str], m: Metric, title: &str) -> Table {
    let show = |x: f64| if m == Metric::Memory { kib(x) } else { ms(x) };
    let mut ratios: Vec<Vec<f64>> = vec![Vec::new(); engines.len()];
    let mut rows = Vec::new();
    for p in r.programs() {
        let base = engines.first().and_then(|e| r.row(p, e)).filter(|x| x.ok()).and_then(|x| x.median(m));
        let mut line = vec![p.to_string()];
        for (i, e) in engines.iter().enumerate() {
            let cell = match r.row(p, e) {
                None => "–".to_string(),
                Some(x) if !x.ok() => x.status.name().to_string(),
                Some(x) => match (x.median(m), base) {
                    (Some(t), Some(b)) if i > 0 && b > 0.0 => {
                        ratios[i].push(t / b);
                        format!("{} {}", show(t), times(t / b))
                    }
                    (Some(t), _) => format!("{} {}", show(t), spread(x, m)).trim_end().to_string(),
                    (None, _) => "–".to_string(),
                },
            };
            line.push(cell);
        }
        rows.push(line);
    }
    let mut mean = vec!["geometric mean".to_string()];
    for (i, rs) in ratios.iter().enumerate() {
        mean.push(match geometric_mean(rs) {
            Some(g) => format!("{} of {}", times(g), rs.len()),
            None if i == 0 => "1×".into(),
            None => "–".into(),
        });
    }
    rows.push(mean);
    let heads = std::iter::once("program").chain(engines.iter().copied()).map(String::from).collect();
    Table { title: title.to_string(), heads, rows }
}

fn phases(r: &Results, engine: &str) -> Table {
    let mut rows = Vec::new();
    for x in r.rows.iter().filter(|x| x.engine == engine) {
        let mut line = vec![x.program.clone()];
        if !x.ok() {
            line.push(format!("{}: {}", x.status.name(), x.message));
            rows.push(line);
            continue;
        }
        let inside = |name: &str| x.inside(name);
        let time = |t: Option<f64>| t.map_or("–".to_string(), ms);
        let size = |b: Option<f64>| b.map_or("–".to_string(), |b| kib(b / 1024.0));
        let steady = x.samples.iter().any(|s| !s.iterations_ms.is_empty()).then(|| x.median(Metric::Steady)).flatten();
        line.extend([
            time(inside("start_ms")),
            time(inside("read_ms")),
            time(inside("expand_ms")),
            time(inside("compile_ms")),
            time(x.samples.iter().any(|s| s.first_ms > Some(0.0)).then(|| x.median(Metric::First)).flatten()),
            steady.map_or("–".to_string(), |t| {
                format!("{} {}", ms(t), spread(x, Metric::Steady)).trim_end().to_string()
            }),
            time(x.median(Metric::Wall)),
            x.median(Metric::Memory).map_or("–".to_string(), kib),
            size(inside("code_bytes")),
            size(inside("machine_code_bytes")),
            time(inside("jit_ms")),
            match (inside("minor_collections"), inside("major_collections")) {
                (Some(a), Some(b)) => format!("{a:.0}+{b:.0}"),
                _ => "–".into(),
            },
            time(inside("longest_pause_ms")),
        ]);
        rows.push(line);
    }
    let mut heads: Vec<String> = [
        "program",
        "start",
        "read",
        "expand",
        "compile",
        "first run",
        "steady",
        "process",
        "memory",
        "code",
        "machine code",
        "jit",
        "collections",
        "longest pause",
    ]
    .map(String::from)
    .into();
    // Columns of which nothing is known are left out.
    for i in (1..heads.len()).rev() {
        if rows.iter().all(|r| r.len() != heads.len() || r[i] == "–") && rows.iter().any(|r| r.len() == heads.len()) {
            let full = heads.len();
            heads.remove(i);
            rows.iter_mut().filter(|r| r.len() == full).for_each(|r| {
                r.remove(i);
            });
        }
    }
    rows.iter_mut().for_each(|r| r.resize(heads.len(), String::new()));
    Table { title: format!("{engine}: phases and sizes"), heads, rows }
}

/// Where and how it was measured, in a sentence or two.
pub fn circumstances(r: &Results) -> String {
    let mut s = format!("{}, {}, {}", r.about("date"), r.about("cpu"), r.about("system"));
    if !r.about("command").is_empty() {
        s.push_str(&format!("; {}", r.about("command")));
    }
    s
}

/// The whole as text.
pub fn text(r: &Results) -> String {
    let mut s = format!("{}\n", circumstances(r));
    tables(r).iter().for_each(|t| s.push_str(&format!("\n{}", t.text())));
    s
}

/// The whole as Markdown.
pub fn markdown(r: &Results) -> String {
    let mut s = format!("{}\n", circumstances(r));
    tables(r).iter().for_each(|t| s.push_str(&format!("\n{}", t.markdown())));
    let versions: Vec<String> =
        r.about.iter().filter_map(|(k, v)| Some(format!("{} {v}", k.strip_prefix("version ")?))).collect();
    if !versions.is_empty() {
        s.push_str(&format!("\nVersions: {}.\n", versions.join("; ")));
    }
    s.push_str(
        "\nMedians over processes, one after the other in turns; ± is half the interval of the median (95 % if at least 6 \
         processes, else the whole range).\n",
    );
    s
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits_and_a_unit() {
        let all: Vec<String> = [0.5, 1.234, 12.34, 123.4, 1234.0, 12340.0].map(ms).into();
        assert_eq!(all, ["500 µs", "1.23 ms", "12.3 ms", "123 ms", "1.23 s", "12.3 s"]);
        assert_eq!([kib(10.0), kib(2048.0), kib(300_000.0)], ["10 KiB", "2.0 MiB", "293 MiB"]);
        assert_eq!([times(0.5), times(12.34), times(123.0)], ["0.50×", "12.3×", "123×"]);
    }

    #[test]
    fn columns_line_up() {
        let cells = |r: &[&str]| r.iter().map(|s| s.to_string()).collect::<Vec<_>>();
        let t = Table {
            title: "T".into(),
            heads: cells(&["a", "µ"]),
            rows: vec![cells(&["long", "1"]), cells(&["x", "22"])],
        };
        assert_eq!(t.text(), "T\na      µ\nlong   1\nx     22\n");
        assert_eq!(t.markdown(), "### T\n\n| a | µ |\n|---|---:|\n| long | 1 |\n| x | 22 |\n");
    }
}
