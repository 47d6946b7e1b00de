//! Results as one page that needs nothing else: bars, warm-up curves, history, tables; light and dark, narrow and wide.
//!
//! Bars are boxes whose widths are percentages, so that text keeps its size on every screen; curves are drawings that stretch.

use super::record::{Metric, Results, Row};
use super::stat::geometric_mean;
use super::table::{Table, circumstances, kib, ms, tables, times};
use serde_json::Value as Json;
use std::fmt::Write;

const STYLE: &str = include_str!("page.css");

/// The page. `history`: JSON lines as `--history` keeps them, or nothing.
pub fn page(r: &Results, history: &str) -> String {
    let mut s = String::new();
    let engines = r.engines();
    let _ = write!(
        s,
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>Yin benchmarks</title>\n\
         <style>\n{STYLE}</style>\n<main>\n<header><h1>Yin benchmarks</h1>\n<p class=\"muted\">{}</p>\n",
        escape(&circumstances(r))
    );
    tiles(r, &engines, &mut s);
    legend(&engines, &mut s);
    s.push_str("</header>\n");
    bars(
        r,
        &engines,
        Metric::First,
        "First run",
        "One run in a new process, by the program's own clock. Shorter is faster.",
        &mut s,
    );
    if r.rows.iter().any(|x| x.curve().len() > 1) {
        let about = "Later runs in the same process: median of the second half of them.";
        bars(r, &engines, Metric::Steady, "Steady", about, &mut s);
        curves(r, &engines, &mut s);
    }
    phases(r, &mut s);
    bars(
        r,
        &engines,
        Metric::Memory,
        "Peak memory",
        "Largest resident size of the process, start-up included.",
        &mut s,
    );
    past(history, &engines, &mut s);
    s.push_str("<section><h2>Tables</h2>\n");
    for t in tables(r) {
        table(&t, &mut s);
    }
    versions(r, &mut s);
    s.push_str(
        "<p class=\"muted\">Bars are medians over processes that took turns; the thin line is the interval of the median \
         (95 % if there were at least 6 processes, else all of them).</p>\n</section>\n</main>\n</html>\n",
    );
    s
}

fn escape(s: &str) -> String {
    s.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// The colour of what has none of its own.
const GREY: usize = 12;

/// Colours are fixed to the place of an engine in the list; beyond twelve they share one.
fn colour(engines: &[&str], engine: &str) -> usize {
    engines.iter().position(|e| *e == engine).map_or(GREY, |i| i.min(GREY))
}

/// One number for each other engine: how many times as long as the first it takes.
fn tiles(r: &Results, engines: &[&str], s: &mut String) {
    let Some((base, others)) = engines.split_first() else { return };
    s.push_str("<div class=\"tiles\">\n");
    for e in others {
        let ratio = |p: &&str| {
            let of =
                |e: &str| r.row(p, e).filter(|x| x.ok()).and_then(|x| x.median(Metric::First)).filter(|x| *x > 0.0);
            Some(of(e)? / of(base)?)
        };
        let ratios: Vec<f64> = r.programs().iter().filter_map(ratio).collect();
        // A few programs are no picture of an engine.
        if ratios.len() * 3 < r.programs().len() {
            continue;
        }
        if let Some(g) = geometric_mean(&ratios) {
            let _ = writeln!(
                s,
                "<div class=\"tile\"><b>{}</b><span><i class=\"dot c{}\"></i>{}</span><small>of {base}'s time, {} programs</small></div>",
                times(g),
                colour(engines, e),
                escape(e),
                ratios.len()
            );
        }
    }
    s.push_str("</div>\n");
}

fn legend(engines: &[&str], s: &mut String) {
    s.push_str("<p class=\"legend\">");
    for e in engines {
        let _ = write!(s, "<span><i class=\"dot c{}\"></i>{}</span> ", colour(engines, e), escape(e));
    }
    s.push_str("</p>\n");
}

fn bars(r: &Results, engines: &[&str], m: Metric, title: &str, about: &str, s: &mut String) {
    let show = |x: f64| if m == Metric::Memory { kib(x) } else { ms(x) };
    let _ = writeln!(s, "<section><h2>{title}</h2>\n<p class=\"muted\">{about}</p>\n<div class=\"cards\">");
    for p in r.programs() {
        let rows: Vec<&Row> = engines.iter().filter_map(|e| r.row(p, e)).collect();
        let top = |x: &&Row| x.interval(m).map_or(0.0, |i| i.high);
        let most = rows.iter().filter(|x| x.ok()).map(top).fold(0.0, f64::max);
        let _ = writeln!(s, "<div class=\"card\"><h3>{}</h3>", escape(p));
        for x in rows {
            let _ = write!(s, "<div class=\"bar\"><span class=\"name\">{}</span>", escape(&x.engine));
            match (x.ok(), x.median(m), x.interval(m)) {
                (true, Some(v), Some(i)) if most > 0.0 => {
                    let part = |v: f64| v / most * 100.0;
                    let _ = writeln!(
                        s,
                        "<span class=\"track\" title=\"{}: {} ({} to {}, {} processes)\"><i class=\"c{}\" style=\"width:{:.2}%\"></i>\
                         <u style=\"left:{:.2}%;width:{:.2}%\"></u></span><span class=\"value\">{}</span></div>",
                        escape(&x.engine),
                        show(v),
                        show(i.low),
                        show(i.high),
                        x.samples.len(),
                        colour(engines, &x.engine),
                        part(v),
                        part(i.low),
                        part(i.high - i.low),
                        show(v)
                    );
                }
                _ => {
                    let why = if x.ok() { "–" } else { x.status.name() };
                    let title = escape(&x.message);
                    let _ = writeln!(
                        s,
                        "<span class=\"track\"></span><span class=\"value muted\" title=\"{title}\">{why}</span></div>"
                    );
                }
            }
        }
        s.push_str("</div>\n");
    }
    s.push_str("</div></section>\n");
}

/// A drawing of lines over a common range, from 0. Points are (x, y), x from 0 to 1.
fn drawing(lines: &[(usize, Vec<(f64, f64)>)], most: f64, s: &mut String) {
    s.push_str("<svg viewBox=\"0 0 100 100\" preserveAspectRatio=\"none\" role=\"img\">");
    for y in [25, 50, 75] {
        let _ = write!(s, "<path class=\"grid\" d=\"M0 {y}H100\"/>");
    }
    for (c, points) in lines {
        let mut d = String::new();
        for (i, (x, y)) in points.iter().enumerate() {
            let _ = write!(d, "{}{:.2} {:.2}", if i == 0 { "M" } else { "L" }, x * 100.0, 100.0 - y / most * 96.0);
        }
        if let [(x, y)] = points[..] {
            // A single point is a short line.
            let _ = write!(d, "H{:.2}M{:.2} {:.2}", x * 100.0 + 3.0, x * 100.0, 100.0 - y / most * 96.0);
        }
        let _ = write!(s, "<path class=\"line l{c}\" d=\"{d}\"/>");
    }
    s.push_str("</svg>");
}

fn curves(r: &Results, engines: &[&str], s: &mut String) {
    s.push_str(
        "<section><h2>Warm-up</h2>\n<p class=\"muted\">Time of the first run and of each further one in the same process, \
         from 0 up; medians over the processes.</p>\n<div class=\"cards\">\n",
    );
    for p in r.programs() {
        let all: Vec<(usize, Vec<f64>)> = engines
            .iter()
            .filter_map(|e| Some((colour(engines, e), r.row(p, e).filter(|x| x.ok())?.curve())))
            .filter(|(_, c)| c.len() > 1)
            .collect();
        let most = all.iter().flat_map(|(_, c)| c).copied().fold(0.0, f64::max);
        if most <= 0.0 {
            continue;
        }
        let at = |c: &[f64]| c.iter().enumerate().map(|(i, y)| (i as f64 / (c.len() - 1) as f64, *y)).collect();
        let lines: Vec<_> = all.iter().map(|(k, c)| (*k, at(c))).collect();
        let longest = all.iter().map(|(_, c)| c.len()).max().unwrap_or(0);
        let _ = write!(s, "<figure class=\"card\"><h3>{}</h3><small class=\"muted\">{}</small>", escape(p), ms(most));
        drawing(&lines, most, s);
        let _ = writeln!(
            s,
            "<figcaption class=\"muted\"><span>first</span><span>last of up to {longest}</span></figcaption></figure>"
        );
    }
    s.push_str("</div></section>\n");
}

/// Phases of Yin in their order, with the class of their colour.
const PHASES: &[(&str, &str, usize)] = &[
    ("start_ms", "start", GREY),
    ("read_ms", "read", 3),
    ("expand_ms", "expand", 1),
    ("compile_ms", "compile", 2),
    ("jit_ms", "jit", 5),
];

fn phases(r: &Results, s: &mut String) {
    let rows: Vec<&Row> = r.rows.iter().filter(|x| x.ok() && x.inside("read_ms").is_some()).collect();
    if rows.is_empty() {
        return;
    }
    s.push_str("<section><h2>Before the work</h2>\n<p class=\"muted\">Phases of Yin until the program's own clock starts.</p>\n<p class=\"legend\">");
    for (key, name, c) in PHASES.iter().filter(|(key, ..)| rows.iter().any(|x| x.inside(key).is_some())) {
        let _ = write!(s, "<span title=\"{key}\"><i class=\"dot c{c}\"></i>{name}</span> ");
    }
    s.push_str("</p>\n<div class=\"card\">\n");
    let total = |x: &Row| PHASES.iter().filter_map(|p| x.inside(p.0)).sum::<f64>();
    let most = rows.iter().map(|x| total(x)).fold(0.0, f64::max);
    for x in rows {
        let _ = write!(
            s,
            "<div class=\"bar\"><span class=\"name\">{} <small>{}</small></span><span class=\"track\">",
            escape(&x.program),
            escape(&x.engine)
        );
        for (key, name, c) in PHASES {
            if let Some(v) = x.inside(key).filter(|v| *v > 0.0 && most > 0.0) {
                let _ = write!(
                    s,
                    "<i class=\"c{c}\" style=\"width:{:.2}%\" title=\"{name}: {}\"></i>",
                    v / most * 100.0,
                    ms(v)
                );
            }
        }
        let _ = writeln!(s, "</span><span class=\"value\">{}</span></div>", ms(total(x)));
    }
    s.push_str("</div></section>\n");
}

/// Medians of earlier runs, oldest first.
fn past(history: &str, engines: &[&str], s: &mut String) {
    let lines: Vec<Json> = history.lines().filter_map(|l| serde_json::from_str(l).ok()).collect();
    let mut programs: Vec<&str> = Vec::new();
    for p in lines.iter().filter_map(|l| l["program"].as_str()) {
        if !programs.contains(&p) {
            programs.push(p);
        }
    }
    if programs.is_empty() {
        return;
    }
    s.push_str("<section><h2>History</h2>\n<p class=\"muted\">Steady time of every measurement kept, oldest first, from 0 up.</p>\n<div class=\"cards\">\n");
    for p in programs {
        let of = |e: &str| -> Vec<f64> {
            let mine = lines.iter().filter(|l| l["program"] == p && l["engine"] == e);
            mine.filter_map(|l| l["steady_ms"].as_f64()).collect()
        };
        let all: Vec<(usize, Vec<f64>)> =
            engines.iter().map(|e| (colour(engines, e), of(e))).filter(|c| !c.1.is_empty()).collect();
        let most = all.iter().flat_map(|c| &c.1).copied().fold(0.0, f64::max);
        if most <= 0.0 {
            continue;
        }
        let dates: Vec<&str> = lines.iter().filter(|l| l["program"] == p).filter_map(|l| l["date"].as_str()).collect();
        let at = |c: &[f64]| c.iter().enumerate().map(|(i, y)| (i as f64 / (c.len() - 1).max(1) as f64, *y)).collect();
        let drawn: Vec<_> = all.iter().map(|(k, c)| (*k, at(c))).collect();
        let _ = write!(s, "<figure class=\"card\"><h3>{}</h3><small class=\"muted\">{}</small>", escape(p), ms(most));
        drawing(&drawn, most, s);
        let (a, b) = (dates.first().unwrap_or(&""), dates.last().unwrap_or(&""));
        let _ = writeln!(
            s,
            "<figcaption class=\"muted\"><span>{}</span><span>{}</span></figcaption></figure>",
            escape(a),
            escape(b)
        );
    }
    s.push_str("</div></section>\n");
}

fn table(t: &Table, s: &mut String) {
    let _ = write!(s, "<details><summary>{}</summary><div class=\"scroll\"><table><tr>", escape(&t.title));
    t.heads.iter().for_each(|h| s.push_str(&format!("<th>{}</th>", escape(h))));
    s.push_str("</tr>\n");
    for r in &t.rows {
        s.push_str("<tr>");
        r.iter().for_each(|c| s.push_str(&format!("<td>{}</td>", escape(c))));
        s.push_str("</tr>\n");
    }
    s.push_str("</table></div></details>\n");
}

fn versions(r: &Results, s: &mut String) {
    let v: Vec<(&str, &String)> = r.about.iter().filter_map(|(k, v)| Some((k.strip_prefix("version ")?, v))).collect();
    if v.is_empty() {
        return;
    }
    s.push_str("<details><summary>Versions of the engines</summary><ul>\n");
    for (e, v) in v {
        let _ = writeln!(s, "<li>{}: {}</li>", escape(e), escape(v));
    }
    s.push_str("</ul></details>\n");
}

#[cfg(test)]
mod tests {
    use super::super::record::{Sample, Status};
    use super::*;

    #[test]
    fn the_page_is_whole_and_harmless() {
        let sample = Sample { wall_ms: 5.0, first_ms: Some(3.0), iterations_ms: vec![2.0, 1.0], ..Sample::default() };
        let row = |engine: &str, status| Row {
            program: "<script>".into(),
            set: String::new(),
            engine: engine.into(),
            file: String::new(),
            status,
            message: "\"quoted\" & more".into(),
            samples: if status == Status::Ok { vec![sample.clone()] } else { vec![] },
        };
        let r = Results { rows: vec![row("yin", Status::Ok), row("lua", Status::Late)], ..Results::default() };
        let history =
            "{\"program\":\"<script>\",\"engine\":\"yin\",\"steady_ms\":2,\"date\":\"2026-11-25\"}\nnonsense\n";
        let p = page(&r, history);
        assert!(!p.contains("<script") && !p.contains("http"), "self-contained");
        for tag in ["section", "div", "svg", "figure", "details", "table", "tr", "td", "main", "p", "span"] {
            let opened = p.matches(&format!("<{tag}>")).count() + p.matches(&format!("<{tag} ")).count();
            assert_eq!(opened, p.matches(&format!("</{tag}>")).count(), "{tag}");
        }
        assert!(p.contains("History") && p.contains("Warm-up") && p.contains("late"));
    }
}
