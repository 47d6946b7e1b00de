//! `yin check`: queries for what is wrong, with places. A team's own checks are entries of a file of rules.

use super::query::{Question, load_all};
use super::{Options, machine, report};
use datoms::edn::Edn;
use datoms::lazy::{Lexicon, Part};
use yin_ast::Ast;
use yin_vm::driver::Place;
use yin_vm::inspect::ask::Wanted;
use yin_vm::inspect::globals;
use yin_vm::inspect::library::{CHECKS, Rules, get};

/// Something that a check found.
struct Finding {
    check: String,
    severity: String,
    message: String,
    place: Option<Place>,
}

pub fn run(o: &Options) -> i32 {
    match check(o) {
        Ok(code) => code,
        Err((code, message)) => {
            eprintln!("yin: {message}");
            code
        }
    }
}

fn check(o: &Options) -> Result<i32, (i32, String)> {
    let usage = |m: String| (2, m);
    let Some(first) = &o.file else { return Err(usage("check takes files or folders".into())) };
    let format = o.format.as_deref().unwrap_or("text");
    if !matches!(format, "text" | "json" | "edn") {
        return Err(usage(format!("check has the formats text, json and edn, not {format}")));
    }
    let mut rules = Rules::library();
    let from = rules.entries.len();
    rules.add(CHECKS).map_err(usage)?;
    for file in &o.rules {
        let text = std::fs::read_to_string(file).map_err(|e| usage(format!("{file}: {e}")))?;
        rules.add(&text).map_err(|e| usage(format!("{file}: {e}")))?;
    }
    let checks: Vec<Edn> = rules.entries[from..].iter().filter(|e| get(e, "check").is_some()).cloned().collect();
    let files: Vec<String> = std::iter::once(first.clone()).chain(o.args.iter().cloned()).collect();
    let mut vm = machine(o).map_err(|e| (70, e))?;
    load_all(&mut vm, &files)?;
    let lexicon = Lexicon::shared();
    let ast = yin_ast::source::program(&vm.ast, &lexicon);
    let wanted: Vec<Wanted> =
        checks.iter().filter_map(|c| Some(Wanted::of(get(c, "query")?, &rules.branches))).collect();
    let globals = globals::source(&vm, &lexicon, &|a| wanted.iter().any(|w| w.wants(a)));
    let parts: Vec<(&str, &dyn Part)> = vec![("ast", &ast), ("globals", &globals)];
    let mut found: Vec<Finding> = Vec::new();
    for c in &checks {
        let name = get(c, "check").map(|k| k.to_string().trim_start_matches(':').to_string()).unwrap_or_default();
        let query = get(c, "query").cloned().ok_or_else(|| usage(format!("check {name}: it has no :query")))?;
        let severity =
            get(c, "severity").map_or("warning".into(), |s| s.to_string().trim_start_matches(':').to_string());
        let message = get(c, "message").and_then(Edn::as_str).unwrap_or("found by this check").to_string();
        let question = Question {
            query: query.clone(),
            rules: rules.clone(),
            inputs: Vec::new(),
            sources: Vec::new(),
            stores: Vec::new(),
        };
        let out = question.run(&parts).map_err(|e| usage(format!("check {name}: {e}")))?;
        let names: Vec<String> = query.as_seq().unwrap_or_default().iter().skip(1).map(ToString::to_string).collect();
        for row in out.rows() {
            let mut text = message.clone();
            for (n, v) in names.iter().zip(&row) {
                let v = v.as_str().map_or_else(|| v.to_string(), String::from);
                text = text.replace(&format!("{{{n}}}"), v.trim_start_matches(':'));
            }
            let place = row[0].as_int().and_then(|e| place(&vm.ast, u32::try_from(e).ok()?));
            found.push(Finding { check: name.clone(), severity: severity.clone(), message: text, place });
        }
    }
    let key = |f: &Finding| {
        let p = f.place.as_ref().map_or((String::new(), 0, 0), |p| (p.file.clone(), p.line, p.column));
        (p, f.check.clone(), f.message.clone())
    };
    found.sort_by_key(key);
    found.dedup_by_key(|f| key(f));
    for f in &found {
        say(f, format);
    }
    let wrong = found.iter().filter(|f| f.severity != "note").count();
    if format == "text" && !found.is_empty() {
        eprintln!("{wrong} to mend, {} to note", found.len() - wrong);
    }
    Ok(i32::from(wrong > 0))
}

fn place(ast: &Ast, e: u32) -> Option<Place> {
    let id = yin_ast::source::node(e).filter(|id| ast.has(*id))?;
    let span = ast.span(id);
    let file = ast.file(span.file)?;
    let (line, column) = file.line_col(span.start);
    let text = file.line(line).to_string();
    let rest = text.chars().count().saturating_sub(column as usize - 1);
    let meant = file.text.get(span.start as usize..span.end as usize).unwrap_or("");
    let width = meant.lines().next().unwrap_or("").chars().count().min(rest).max(1) as u32;
    Some(Place { file: file.name.clone(), line, column, width, text })
}

fn say(f: &Finding, format: &str) {
    let at = f.place.as_ref();
    match format {
        "json" => println!(
            "{}",
            serde_json::json!({
                "check": f.check, "severity": f.severity, "message": f.message,
                "file": at.map(|p| &p.file), "line": at.map(|p| p.line), "column": at.map(|p| p.column),
            })
        ),
        "edn" => {
            let pairs = vec![
                (Edn::keyword("check"), Edn::keyword(&f.check)),
                (Edn::keyword("severity"), Edn::keyword(&f.severity)),
                (Edn::keyword("message"), Edn::string(f.message.as_str())),
                (Edn::keyword("file"), at.map_or(Edn::Nil, |p| Edn::string(p.file.as_str()))),
                (Edn::keyword("line"), at.map_or(Edn::Nil, |p| Edn::Int(i64::from(p.line)))),
                (Edn::keyword("column"), at.map_or(Edn::Nil, |p| Edn::Int(i64::from(p.column)))),
            ];
            println!("{}", Edn::map(pairs));
        }
        _ => {
            println!("{}[{}]: {}", f.severity, f.check, f.message);
            if let Some(p) = at {
                report::excerpt(p, &mut |line| println!("{line}"));
            }
        }
    }
}
