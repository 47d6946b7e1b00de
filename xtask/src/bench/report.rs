//! Comparisons, for people.

use super::baseline::{Baseline, Finding};

/// Changes below this, in percent, are summed up.
const QUIET: f64 = 0.1;

fn loud(f: &&Finding) -> bool {
    f.change().is_none_or(|c| c.abs() >= QUIET)
}

fn summary(now: &Baseline, findings: &[Finding]) -> String {
    let (loud, all) = (findings.iter().filter(loud).count(), now.figures.len());
    format!(
        "{all} figures: {} as they were, {} within {QUIET} %, {loud} changed",
        all - findings.len().min(all),
        findings.len() - loud
    )
}

/// Versions that differ: counts of other tools are other counts.
fn tools(old: &Baseline, now: &Baseline) -> String {
    let other = |(k, v): (&String, &String)| {
        let was = old.tools.get(k).map_or("unknown", |s| s);
        (was != v).then(|| format!("note: the baseline was counted with {k} {was}, this is {v}\n"))
    };
    now.tools.iter().filter_map(other).collect()
}

/// For a terminal: best first, worst last.
pub fn text(old: &Baseline, now: &Baseline, findings: &[Finding]) -> String {
    let width = findings.iter().filter(loud).map(|f| f.name.chars().count()).max().unwrap_or(0);
    let number = |n: Option<u64>| n.map_or("–".to_string(), |n| n.to_string());
    let mut s = tools(old, now);
    for f in findings.iter().filter(loud) {
        let change = match (f.change(), f.now) {
            (Some(c), _) => format!("{c:+.2} %"),
            (None, Some(_)) => "new".into(),
            (None, None) => "gone".into(),
        };
        let mark = if f.fails() { "  ✗" } else { "" };
        s.push_str(&format!("{:width$}  {:>14}  {:>14}  {change:>9}{mark}\n", f.name, number(f.before), number(f.now)));
    }
    s + &summary(now, findings) + "\n"
}

/// For a comment: the worst first, the rest folded.
pub fn markdown(old: &Baseline, now: &Baseline, findings: &[Finding]) -> String {
    let bad = findings.iter().filter(|f| f.fails()).count();
    let verdict = if bad == 0 { "### Counts: fine".to_string() } else { format!("### Counts: {bad} rose too much") };
    let mut s = format!("{verdict}\n\n{}{}\n", tools(old, now), summary(now, findings));
    let rows: Vec<&Finding> = findings.iter().rev().filter(loud).collect();
    if rows.is_empty() {
        return s;
    }
    let head = "\n| | before | now | change |\n|---|---:|---:|---:|\n";
    let number = |n: Option<u64>| n.map_or("–".to_string(), |n| n.to_string());
    let row = |f: &&Finding| {
        let change = f.change().map_or("–".to_string(), |c| format!("{c:+.2} %"));
        let mark = if f.fails() { " **✗**" } else { "" };
        format!("| {} | {} | {} | {change}{mark} |\n", f.name, number(f.before), number(f.now))
    };
    let (first, rest) = rows.split_at(rows.len().min(10));
    s.push_str(head);
    s.extend(first.iter().map(row));
    if !rest.is_empty() {
        s.push_str(&format!("\n<details><summary>{} more</summary>\n{head}", rest.len()));
        s.extend(rest.iter().map(row));
        s.push_str("\n</details>\n");
    }
    s
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comparisons_read_well() {
        let of = |n: &[(&str, u64)]| Baseline {
            figures: n.iter().map(|(k, v)| (k.to_string(), *v)).collect(),
            ..Baseline::default()
        };
        let old = of(&[("part/a", 100_000), ("part/b", 1000), ("part/c", 1000)]);
        let now = of(&[("part/a", 100_001), ("part/b", 900), ("part/c", 1100)]);
        let f = old.compare(&now, None);
        let lines = text(&old, &now, &f);
        let lines: Vec<&str> = lines.lines().collect();
        assert!(lines[0].starts_with("part/b") && lines[0].ends_with("-10.00 %"), "{lines:?}");
        assert!(lines[1].starts_with("part/c") && lines[1].ends_with("+10.00 %  ✗"), "{lines:?}");
        assert_eq!(lines[2], "3 figures: 0 as they were, 1 within 0.1 %, 2 changed");
        assert!(markdown(&old, &now, &f).starts_with("### Counts: 1 rose too much\n"));
    }
}
