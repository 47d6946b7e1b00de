//! The questions that this project set out to answer, each with its answer on a real program; and the page that lists them.

use datoms::edn::{Edn, Keyword, read, read_all};
use std::process::Command;

const FILES: &[(&str, &str)] = &[
    ("structure", "Structure and calls"),
    ("analyses", "Analyses"),
    ("time", "Time and provenance"),
    ("running", "The running program"),
];

fn get<'a>(entry: &'a Edn, key: &str) -> Option<&'a Edn> {
    let key = Edn::Keyword(Keyword::new(key));
    entry.as_map()?.iter().find(|(k, _)| *k == key).map(|(_, v)| v)
}

fn texts(entry: &Edn, key: &str) -> Vec<String> {
    let items = get(entry, key).and_then(Edn::as_seq).unwrap_or_default();
    items.iter().map(|x| x.as_str().unwrap_or("").to_string()).collect()
}

fn source(file: &str) -> String {
    let path = format!("{}/tests/queries/{file}.edn", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).expect("the questions are there")
}

fn label(entry: &Edn) -> String {
    let part = get(entry, "part").and_then(Edn::as_str).unwrap_or("");
    format!("{}{part}", get(entry, "n").expect("every question has a number"))
}

/// The query as the command takes it: with rules of its own in a map.
fn query_of(entry: &Edn) -> String {
    let query = get(entry, "query").expect("a question has a query");
    let Some(rules) = get(entry, "rules") else { return query.to_string() };
    let mut pairs: Vec<(Edn, Vec<Edn>)> = Vec::new();
    for x in query.as_seq().expect("a vector") {
        match (x, pairs.last_mut()) {
            (Edn::Keyword(k), _) if matches!(k.as_str(), "find" | "where" | "in" | "with") => {
                pairs.push((x.clone(), Vec::new()))
            }
            (x, Some((_, items))) => items.push(x.clone()),
            (x, None) => panic!("a query begins with :find, not {x}"),
        }
    }
    let pairs = pairs.into_iter().map(|(k, v)| (k, Edn::vector(v)));
    Edn::map(pairs.chain([(Edn::keyword("rules"), rules.clone())])).to_string()
}

/// What is a set, or has rows in no order, is compared so.
fn unordered(v: &Edn) -> Edn {
    match v.as_coll() {
        Some(items) => {
            let mut items: Vec<Edn> = items.to_vec();
            items.sort();
            Edn::vector(items)
        }
        None => v.clone(),
    }
}

fn ask(entry: &Edn) -> Result<Edn, String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_yin"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).arg("query").arg(query_of(entry)).args(texts(entry, "of"));
    command.args(["--format", "edn"]).args(texts(entry, "options"));
    let out = command.output().expect("yin runs");
    let text = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
    if !out.status.success() {
        return Err(text(&out.stderr));
    }
    // What the program itself prints comes before.
    let answer = text(&out.stdout);
    read(answer.trim_end().lines().last().unwrap_or("")).map_err(|e| e.to_string())
}

#[test]
fn questions_have_their_answers() {
    let (mut n, mut wrong) = (0, Vec::new());
    for (file, _) in FILES {
        for entry in read_all(&source(file)).expect("EDN") {
            if get(&entry, "absent").is_some() {
                continue;
            }
            n += 1;
            let want = get(&entry, "answer").unwrap_or_else(|| panic!("{} has no answer", label(&entry)));
            match ask(&entry) {
                Ok(got) if unordered(&got) == unordered(want) => {}
                Ok(got) => wrong.push(format!("{}: {got}\n  not {want}", label(&entry))),
                Err(e) => wrong.push(format!("{}: {e}", label(&entry))),
            }
        }
    }
    assert!(n > 50, "{n} questions");
    assert!(wrong.is_empty(), "{} of {n}:\n{}", wrong.len(), wrong.join("\n"));
}

/// The text of an entry's query as it is written.
fn written(text: &str) -> String {
    let from = text.find(":query ").expect("a query") + ":query ".len();
    let end = [" :rules ", " :answer ", "\n :in "].iter().filter_map(|k| text[from..].find(k)).min();
    text[from..from + end.unwrap_or(text.len() - from)].trim_end().to_string()
}

fn page() -> String {
    let mut s = String::from(
        "# Questions and answers\n\nGenerated from `tests/queries/*.edn`; a test asks each question and keeps this page \
         fresh. They are the queries that the design this\nproject started from says a program kept as data must answer. \
         Those that do not apply are listed with the reason.\n\nAsk them with `yin query QUERY FILE…` and the options \
         shown.\n",
    );
    for (file, title) in FILES {
        s.push_str(&format!("\n## {title}\n"));
        let text = source(file);
        for part in text.split("\n{").skip(1) {
            let part = format!("{{{}", part.split("\n;;").next().unwrap_or(part).trim_end());
            let entry = read(&part).expect("EDN");
            let ask = get(&entry, "ask").and_then(Edn::as_str).expect("a question");
            s.push_str(&format!("\n**{}.** {ask}\n", label(&entry)));
            if let Some(why) = get(&entry, "absent").and_then(Edn::as_str) {
                s.push_str(&format!("\nNot asked: {why}\n"));
                continue;
            }
            let options = texts(&entry, "options").join(" ");
            let of = texts(&entry, "of").join(" ");
            s.push_str(&format!(
                "\n```clojure\n;; {of}{}{options}\n{}\n",
                if options.is_empty() { "" } else { " " },
                written(&part)
            ));
            if let Some(rules) = get(&entry, "rules") {
                s.push_str(&format!(";; with the rules {rules}\n"));
            }
            let answer = get(&entry, "answer").map(ToString::to_string).unwrap_or_default();
            let short: String = answer.chars().take(200).collect();
            let more = if short.len() < answer.len() { " …" } else { "" };
            s.push_str(&format!(";; => {short}{more}\n```\n"));
        }
    }
    s
}

/// `UPDATE_EXPECT=1 cargo test --test queries` writes the page anew.
#[test]
fn the_page_is_fresh() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reference/queries.md");
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(path, page()).expect("docs can be written");
    }
    let found = std::fs::read_to_string(path).unwrap_or_default();
    assert!(found == page(), "docs/reference/queries.md is stale: UPDATE_EXPECT=1 cargo test --test queries");
}
