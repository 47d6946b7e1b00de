//! The engine against the evaluator that defines the meaning, on generated data, queries and rules.

use super::*;
use crate::edn::{Edn, read};
use crate::source::Source;

/// A generator with a fixed seed: each test is the same in each run.
struct Draw(u64);

impl Draw {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n as u64) as usize
    }

    fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }
}

fn edn(text: &str) -> Edn {
    read(text).unwrap_or_else(|e| panic!("{text}: {e}"))
}

/// A database of about 12 entities with one-valued, many-valued, unique and text attributes.
fn database(d: &mut Draw) -> Facts {
    let mut facts = Vec::new();
    let k = Edn::keyword;
    for e in 1..=12u32 {
        if d.below(8) > 0 {
            facts.push((e, k("n"), Edn::Int(d.below(4) as i64)));
        }
        if d.below(3) > 0 {
            facts.push((e, k("p"), Edn::Int(1 + d.below(12) as i64)));
        }
        for _ in 0..d.below(3) {
            facts.push((e, k("to"), Edn::Int(1 + d.below(12) as i64)));
        }
        for _ in 0..d.below(3) {
            facts.push((e, k("s"), Edn::from(*d.pick(&["a", "b", "c"]))));
        }
        facts.push((e, k("u"), Edn::Int(100 + i64::from(e))));
    }
    Facts::new(facts, &["p", "to"])
}

fn term(d: &mut Draw, vars: &[&str], constants: &[&str]) -> String {
    match d.below(10) {
        0 => "_".into(),
        1 | 2 => d.pick(constants).to_string(),
        _ => d.pick(vars).to_string(),
    }
}

const VARS: &[&str] = &["?a", "?b", "?c", "?d"];

fn clause(d: &mut Draw, depth: usize, rules: bool) -> String {
    let ids = &["1", "2", "3", "7"];
    match d.below(if depth == 0 { 9 } else { 14 }) {
        0 | 1 => format!("[{} :to {}]", term(d, VARS, ids), term(d, VARS, ids)),
        2 => format!("[{} :p {}]", term(d, VARS, ids), term(d, VARS, ids)),
        3 => format!("[{} :n {}]", term(d, VARS, ids), term(d, VARS, &["0", "1", "2"])),
        4 => format!("[{} :s {}]", term(d, VARS, ids), term(d, VARS, &["\"a\"", "\"b\""])),
        5 => format!("[{} :u {}]", term(d, VARS, ids), term(d, VARS, &["101", "105"])),
        6 => format!("[{} {} {}]", term(d, VARS, ids), term(d, VARS, &[":to", ":n"]), term(d, VARS, ids)),
        7 => match d.below(4) {
            0 => format!(
                "[({} {} {})]",
                d.pick(&["<", ">", "<=", ">=", "=", "not="]),
                d.pick(VARS),
                d.pick(&["?a", "?b", "2", "5"])
            ),
            1 => format!("[(identity {}) {}]", d.pick(VARS), d.pick(VARS)),
            2 => format!("[(vector {} 1) [{} _]]", d.pick(VARS), d.pick(VARS)),
            _ => format!("[(get-else $ {} :n 9) {}]", d.pick(VARS), d.pick(VARS)),
        },
        8 if rules => {
            let r = d.pick(&["r", "r", "s", "t", "w"]);
            format!("({r} {} {})", term(d, VARS, ids), term(d, VARS, ids))
        }
        8 => format!("[{} :to {}]", d.pick(VARS), d.pick(VARS)),
        9 | 10 => format!("(not {})", clause(d, depth - 1, rules)),
        11 => {
            let v = d.pick(VARS);
            format!("(not-join [{v}] {} {})", clause(d, depth - 1, rules), clause(d, depth - 1, rules))
        }
        12 => format!("(or {} {})", clause(d, depth - 1, rules), clause(d, depth - 1, rules)),
        _ => {
            let (v, w) = (d.pick(VARS), d.pick(VARS));
            format!(
                "(or-join [{v} {w}] {} (and {} {}))",
                clause(d, depth - 1, rules),
                clause(d, depth - 1, rules),
                clause(d, 0, rules)
            )
        }
    }
}

fn sorted(o: &Output) -> Vec<Vec<Edn>> {
    let mut rows: Vec<Vec<Edn>> = o.rows().collect();
    rows.sort();
    rows
}

/// Runs a query in all three ways; they must agree. Returns the number of rows, or `None` for an error.
fn agree(db: &dyn Source, query: &str, rules: Option<&str>) -> Option<usize> {
    let form = edn(query);
    let prepared = match Prepared::new(&form) {
        Ok(p) => p,
        Err(_) => return None,
    };
    let mut inputs = vec![Input::Source(db)];
    inputs.extend(rules.map(|r| Input::Value(edn(r))));
    let run = |order| prepared.run(&inputs, &Options { order, fuel: Some(3_000_000), ..Options::default() });
    let naive = run(Order::Naive);
    let (planned, written) = (run(Order::Planned), run(Order::Written));
    match naive {
        Err(e) if e.kind == ErrorKind::Limit => None,
        Err(e) => {
            if e.kind != ErrorKind::Function {
                assert!(
                    planned.is_err() && written.is_err(),
                    "{query} {rules:?}: naive failed with {e}, engine did not"
                );
            }
            None
        }
        Ok(n) => {
            for (name, o) in [("planned", planned), ("written", written)] {
                let o = o.unwrap_or_else(|e| panic!("{name} failed on {query} {rules:?}: {e}"));
                assert_eq!(sorted(&o), sorted(&n), "{name} differs on {query}\n{rules:?}");
            }
            Some(n.len())
        }
    }
}

#[test]
fn engine_and_meaning_agree_on_generated_queries() {
    let mut d = Draw(0x1234_5678_9abc_def1);
    let (mut ran, mut found) = (0, 0);
    for _ in 0..80 {
        let db = database(&mut d);
        for _ in 0..60 {
            let clauses: Vec<String> = (0..1 + d.below(5)).map(|_| clause(&mut d, 2, false)).collect();
            let find: Vec<&str> =
                VARS.iter().copied().filter(|v| clauses.iter().any(|c| c.contains(v)) && d.below(2) == 0).collect();
            if find.is_empty() {
                continue;
            }
            let query = format!("[:find {} :in $ :where {}]", find.join(" "), clauses.join(" "));
            if let Some(n) = agree(&db, &query, None) {
                ran += 1;
                found += usize::from(n > 0);
            }
        }
    }
    assert!(ran > 800 && found > 300, "{ran} ran, {found} with rows");
}

/// Rule programs: each defines `r`, `s`, `t` and `w` of two arguments.
const PROGRAMS: &[&str] = &[
    // Right-linear, left-linear, non-linear and mutual closures.
    "[[(r ?x ?y) [?x :to ?y]] [(r ?x ?y) [?x :to ?z] (r ?z ?y)]
      [(s ?x ?y) [?x :to ?y]] [(s ?x ?y) (s ?x ?z) [?z :to ?y]]
      [(t ?x ?y) [?x :to ?y]] [(t ?x ?y) (t ?x ?z) (t ?z ?y)]
      [(w ?x ?y) [?x :p ?y]] [(w ?x ?y) [?x :p ?z] (w ?z ?y)]]",
    // The other direction, and a closure of what is not an edge.
    "[[(r ?x ?y) [?y :p ?x]] [(r ?x ?y) (r ?z ?y) [?z :p ?x]]
      [(s ?x ?y) [?x :n ?v] [?y :n ?v]] [(s ?x ?y) [?x :to ?z] (s ?z ?y)]
      [(t ?x ?y) [?x :to ?y] (not [?y :n 1])] [(t ?x ?y) (t ?x ?z) [?z :to ?y] (not [?y :n 1])]
      [(w ?x ?y) (or [?x :to ?y] [?x :p ?y])] [(w ?x ?y) (w ?x ?z) (or-join [?z ?y] [?z :to ?y] (and [?z :p ?q] [?q :p ?y]))]]",
    // Three rules that call each other, and same generation.
    "[[(r ?x ?y) [?x :to ?y]] [(r ?x ?y) (s ?x ?y)]
      [(s ?x ?y) [?x :p ?y]] [(s ?x ?y) (t ?x ?z) (r ?z ?y)]
      [(t ?x ?y) [?x :to ?z] [?z :to ?y]] [(t ?x ?y) (r ?x ?z) (s ?z ?y)]
      [(w ?x ?x2) [?x :p ?q] [?x2 :p ?q]] [(w ?x ?y) [?x :p ?u] (w ?u ?v) [?y :p ?v]]]",
    // Negation of another component, recursion inside an alternative, functions, arguments that must be bound.
    "[[(r ?x ?y) [?x :to ?y]] [(r ?x ?y) [?x :to ?z] (r ?z ?y)]
      [(s ?x ?y) [?x :u _] [?y :u _] (not (r ?x ?y))]
      [(t ?x ?y) [?x :to ?y]] [(t ?x ?y) [?x :to ?z] (or (t ?z ?y) (and [?z :p ?y] (not (r ?y ?x))))]
      [(w ?x ?y) [?x :n ?v] [(inc ?v) ?w] [?y :n ?w]] [(w ?x ?y) (w ?x ?z) (w ?z ?y)]]",
    // Constants and repeated variables in heads' calls.
    "[[(r ?x ?y) [?x :to ?y] (s ?y ?y)] [(r ?x ?y) (r ?x 3) (r 3 ?y)]
      [(s ?x ?y) [?x :to ?y]] [(s ?x ?y) (r ?x ?y)] [(s ?x ?y) [?x :p ?x] [?x :to ?y]]
      [(t ?x ?y) (t ?y ?x)] [(t ?x ?y) [?x :p ?y]]
      [(w ?x ?y) [?x :s ?v] [?y :s ?v] (not= ?x ?y)]]",
];

#[test]
fn rules_agree_with_the_meaning_in_every_binding() {
    let mut d = Draw(0xfeed_beef_dead_1235);
    let mut ran = 0;
    for round in 0..12 {
        let db = database(&mut d);
        for program in PROGRAMS {
            let program = &program.replace("(not= ?x ?y)", "[(not= ?x ?y)]");
            for rule in ["r", "s", "t", "w"] {
                for query in [
                    format!("[:find ?x ?y :in $ % :where ({rule} ?x ?y)]"),
                    format!("[:find ?y :in $ % :where ({rule} 3 ?y)]"),
                    format!("[:find ?x :in $ % :where ({rule} ?x 3)]"),
                    format!("[:find ?x :in $ % :where ({rule} ?x ?x)]"),
                    format!("[:find ?x :in $ % :where ({rule} ?x _)]"),
                    format!("[:find ?x ?y :in $ % :where [?x :n 1] ({rule} ?x ?y)]"),
                    format!("[:find ?x ?y :in $ % :where [?y :n 1] ({rule} ?x ?y)]"),
                    format!("[:find ?x ?y :in $ % :where [?y :n 1] [?x :p ?y] ({rule} ?x ?y)]"),
                    format!("[:find ?x ?y :in $ % :where [?x :to ?y] (not ({rule} ?x ?y))]"),
                    format!("[:find ?n :in $ % :where [?x :n ?n] (not ({rule} ?x _))]"),
                    format!("[:find ?x :in $ % :where ({rule} 2 3) [?x :n 1]]"),
                ] {
                    let n = agree(&db, &query, Some(program));
                    assert!(n.is_some(), "round {round}: {query} must run");
                    ran += 1;
                }
            }
            for _ in 0..6 {
                let clauses: Vec<String> = (0..1 + d.below(4)).map(|_| clause(&mut d, 1, true)).collect();
                let find: Vec<&str> = VARS.iter().copied().filter(|v| clauses.iter().any(|c| c.contains(v))).collect();
                if find.is_empty() {
                    continue;
                }
                let query = format!("[:find {} :in $ % :where {}]", find.join(" "), clauses.join(" "));
                ran += usize::from(agree(&db, &query, Some(program)).is_some());
            }
        }
    }
    assert!(ran > 2500, "{ran}");
}

#[test]
fn collections_and_several_sources_agree() {
    let mut d = Draw(0xabc_def0_1234_5679);
    for _ in 0..200 {
        let rows = |d: &mut Draw| {
            Edn::vector(
                (0..d.below(7))
                    .map(|_| Edn::vector((0..1 + d.below(4)).map(|_| Edn::Int(d.below(4) as i64)).collect::<Vec<_>>()))
                    .collect::<Vec<_>>(),
            )
        };
        let (a, b, ids) =
            (rows(&mut d), rows(&mut d), Edn::vector((0..d.below(4)).map(Edn::from_usize).collect::<Vec<_>>()));
        let db = database(&mut d);
        for query in [
            "[:find ?x ?y :in $ $b $db [?z ...] :where [?x ?y] [$b ?y _ ?z] [$db ?x :n _]]",
            "[:find ?x ?z :in $ $b $db [?z ...] :where [$b ?x ?z] (not [?x ?z]) [$db ?e :n ?x]]",
            "[:find ?x ?w :in $ $b $db [?z ...] :where [$db ?x :to ?w] ($b or [?w ?z] [?x ?z])]",
            "[:find ?x ?x2 :in $ $b $db [?z ...] :where [?x ?x2] [$b ?x2 ?x] [$db ?x2 ?a ?x]]",
        ] {
            let p = Prepared::parse(query).unwrap();
            let inputs =
                [Input::Value(a.clone()), Input::Value(b.clone()), Input::Source(&db), Input::Value(ids.clone())];
            let run = |order| sorted(&p.run(&inputs, &Options { order, ..Options::default() }).unwrap());
            assert_eq!(run(Order::Planned), run(Order::Naive), "{query} {a} {b} {ids}");
            assert_eq!(run(Order::Written), run(Order::Naive), "{query} {a} {b} {ids}");
        }
    }
}

impl Edn {
    fn from_usize(i: usize) -> Edn {
        Edn::Int(i as i64)
    }
}

fn chain(n: u32) -> Facts {
    Facts::new((1..=n).map(|i| (i, Edn::keyword("to"), Edn::Int(i64::from(i) + 1))), &["to"])
}

const REACH: &str = "[[(reach ?x ?y) [?x :to ?y]] [(reach ?x ?y) [?x :to ?t] (reach ?t ?y)]]";
/// The same closure, written so that it is not recognised as one.
const REACH_PLAIN: &str = "[[(reach ?x ?y) [?x :to ?y] [(= 1 1)]] [(reach ?x ?y) [?x :to ?t] (reach ?t ?y)]]";

/// The left-linear form, for which one start asks for nothing but itself.
const REACH_LEFT: &str = "[[(reach ?x ?y) [?x :to ?y] [(= 1 1)]] [(reach ?x ?y) (reach ?x ?t) [?t :to ?y]]]";

#[test]
fn closures_go_deeper_than_ten_thousand() {
    let db = chain(30_000);
    let from_start = "[:find ?y :in $ % :where (reach 1 ?y)]";
    let to_end = "[:find ?y :in $ % :where (reach ?y 30001)]";
    let both = "[:find ?y :in $ % :where [(ground 1) ?x] (reach ?x 30001) [?y :to 2]]";
    for (query, rules, n) in [
        (from_start, REACH, 30_000),
        (to_end, REACH, 30_000),
        (both, REACH, 1),
        (from_start, REACH_LEFT, 30_000),
        (to_end, REACH_PLAIN, 30_000),
        (both, REACH_PLAIN, 1),
        (both, REACH_LEFT, 1),
    ] {
        let out = q_text(query, &[Input::Source(&db), Input::Value(edn(rules))]).unwrap();
        assert_eq!(out.len(), n, "{query} {rules}");
    }
}

#[test]
fn closures_go_wider_than_a_million() {
    // 1100 sources reach 1000 targets through one node, and a cycle of 1100 reaches itself.
    let mut facts = Vec::new();
    for i in 1..=1100u32 {
        facts.push((i, Edn::keyword("to"), Edn::Int(5000)));
        facts.push((10_000 + i, Edn::keyword("cycle"), Edn::Int(10_000 + i64::from(i % 1100) + 1)));
    }
    for i in 0..1000 {
        facts.push((5000, Edn::keyword("to"), Edn::Int(6000 + i)));
    }
    let db = Facts::new(facts, &["to", "cycle"]);
    for rules in [REACH, REACH_PLAIN] {
        let run = |q: &str, rules: &str| q_text(q, &[Input::Source(&db), Input::Value(edn(rules))]).unwrap().len();
        assert_eq!(run("[:find ?x ?y :in $ % :where (reach ?x ?y)]", rules), 1100 + 1100 * 1000 + 1000);
        assert_eq!(run("[:find ?x ?y :in $ % :where (reach ?x ?y)]", &rules.replace(":to", ":cycle")), 1100 * 1100);
    }
}

#[test]
fn functions_work_on_values() {
    let call = |form: &str| {
        let out = q_text(&format!("[:find ?x . :in ?unused :where [{form} ?x]]"), &[Input::Value(Edn::Nil)]);
        out.map_or_else(|e| format!("error {e}"), |o| o.to_edn().to_string())
    };
    for (form, value) in [
        ("(== 1 1.0)", "true"),
        ("(= 1 1.0)", "false"),
        ("(+ 1 2 3.5)", "6.5"),
        ("(- 5)", "-5"),
        ("(/ 6 4)", "3/2"),
        ("(+ 1/2 1/2)", "1"),
        ("(* 1.5M 2)", "3.0M"),
        ("(quot -7 2)", "-3"),
        ("(rem -7 2)", "-1"),
        ("(mod -7 2)", "1"),
        ("(max 1 2.5)", "2.5"),
        ("(str 1 :a \"b\" nil)", "\"1:ab\""),
        ("(subs \"hello\" 1 3)", "\"el\""),
        ("(count \"é😀\")", "3"),
        ("(re-find #\"(a)(b)?\" \"xa\")", "[\"a\" \"a\" nil]"),
        ("(re-matches #\"a|ab\" \"ab\")", "\"ab\""),
        ("(re-seq #\"[0-9]+\" \"1 22\")", "(\"1\" \"22\")"),
        ("(range 1 10 4)", "(1 5 9)"),
        ("(hash-map :a 1)", "{:a 1}"),
        ("(get {:a 1} :b 9)", "9"),
        ("(contains? #{1 2} 2)", "true"),
        ("(namespace :a/b)", "\"a\""),
        ("(compare 2 1)", "1"),
        ("(clojure.string/join \",\" [1 2])", "\"1,2\""),
        ("(and 1 nil)", "nil"),
        ("(or nil 2)", "2"),
        ("(nth [7 8] 1)", "8"),
        ("(keyword \"a\")", ":a"),
        ("(even? 4)", "true"),
    ] {
        assert_eq!(call(form), value, "{form}");
    }
    for form in [
        "(+ 9223372036854775807 1)",
        "(/ 1 0)",
        "(+ 1 \"a\")",
        "(range 100000000)",
        "(re-find \"(\" \"a\")",
        "(nth [1] 5)",
        "(inc)",
    ] {
        assert!(call(form).starts_with("error"), "{form}: {}", call(form));
    }
}

#[test]
fn limits_end_a_query() {
    let db = chain(2000);
    let p = Prepared::parse("[:find ?a ?b ?c :where [?a :to _] [?b :to _] [?c :to _]]").unwrap();
    let limited = |o: Options| p.run(&[Input::Source(&db)], &o).unwrap_err().kind;
    assert_eq!(limited(Options { fuel: Some(1_000_000), ..Options::default() }), ErrorKind::Limit);
    let cancel = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    assert_eq!(limited(Options { cancel: Some(cancel), ..Options::default() }), ErrorKind::Limit);
    let p = Prepared::parse("[:find ?a :where [?a :to _]]").unwrap();
    let few = Options { max_rows: Some(10), ..Options::default() };
    assert_eq!(p.run(&[Input::Source(&db)], &few).unwrap_err().kind, ErrorKind::Limit);
    // Rules that make new values without end stop too.
    let p = Prepared::parse("[:find ?x :in $ % :where (up 0 ?x)]").unwrap();
    let rules = edn("[[(up ?x ?y) [(inc ?x) ?y]] [(up ?x ?y) [(inc ?x) ?z] (up ?z ?y)]]");
    let o = Options { fuel: Some(100_000), ..Options::default() };
    assert_eq!(p.run(&[Input::Source(&db), Input::Value(rules)], &o).unwrap_err().kind, ErrorKind::Limit);
}

#[test]
fn order_limit_and_offset() {
    let db = chain(9);
    let run = |q: &str| q_text(q, &[Input::Source(&db)]).unwrap().to_edn().to_string();
    assert_eq!(run("[:find ?a ?b :where [?a :to ?b] :order-by ?b :desc :limit 2 :offset 1]"), "([8 9] [7 8])");
    assert_eq!(run("[:find [?a ...] :where [?a :to _] :order-by 0 :limit 3]"), "[1 2 3]");
    assert_eq!(run("{:find [(max ?a)] :where [[?a :to _]] :limit 0}"), "()");
}

#[test]
fn explain_shows_expected_and_real_rows() {
    let db = chain(100);
    let p = Prepared::parse("[:find ?a ?c :where [?a :to ?b] [?b :to ?c] [?a :to 5]]").unwrap();
    let out = p.run(&[Input::Source(&db)], &Options { explain: true, ..Options::default() }).unwrap();
    let text = out.explain();
    let steps: Vec<&str> = text.lines().skip(1).map(|l| l.trim()).collect();
    assert_eq!(
        steps.iter().map(|s| s.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>(),
        ["1 1 1 [?a :to 5]", "1 1 1 [?a :to ?b]", "- 1 1 [?b :to ?c]"],
        "{text}"
    );
}

#[test]
fn errors_have_their_classes() {
    let db = chain(3);
    let rules = "[[(r ?x ?y) [?x :to ?y]]]";
    for (query, rules, kind) in [
        ("[:find ?z :where [?e :to]]", None, "parser/query"),
        ("[:find ?e :where [$2 ?e :to]]", None, "parser/query"),
        ("[:find ?e :where [?e :to] (r ?e ?x)]", None, "parser/query"),
        ("[:find ?e :where ?e]", None, "parser/where"),
        ("[:find ?e :where (and [?e :to])]", None, "parser/where"),
        ("[:find ?e :where [(> ?a 5)] [?e :to ?a]]", None, "query/where"),
        ("[:find ?e :where [?e :to] (not [?x :to 2])]", None, "query/where"),
        ("[:find ?e :where (or [?e :to ?x] [?e :to])]", None, "query/where"),
        ("[:find ?e :in $ % :where (r ?e)]", Some(rules), "query/where"),
        ("[:find ?e :in $ % :where (q ?e)]", Some(rules), "query/where"),
        ("[:find ?e :in $ % :where (r ?e ?x)]", Some("[[(r ?x ?y) [?x :to ?y]] [(r ?x) [?x :to]]]"), "parser/rule"),
        (
            "[:find ?e :in $ % :where (r ?e ?x)]",
            Some("[[(r ?x ?y) [?x :to _] (not (r ?y ?x)) [?x :to ?y]]]"),
            "query/where",
        ),
        ("[:find ?x :in $ % :where (r ?x ?y)]", Some("[[(r [?x] ?y) [?x :to ?y]]]"), "query/where"),
        ("[:find ?e :in $ [?e ...]]", Some("5"), "query/binding"),
        ("[:find ?e :in $ [?e ?f]]", Some("[1]"), "query/binding"),
        ("[:find ?e :in $]", Some("5"), "parser/query"),
        ("[:find ?e :in $ :where [?e :to]]", Some("5"), "query/inputs"),
        ("[:find ?e :in $ ?x :where [?e :to]]", None, "query/inputs"),
    ] {
        let mut inputs = vec![Input::Source(&db as &dyn Source)];
        inputs.extend(rules.map(|r| Input::Value(edn(r))));
        let e = q_text(query, &inputs).expect_err(query);
        assert_eq!(e.kind.keyword(), kind, "{query}: {e}");
    }
}

#[test]
fn random_forms_never_panic() {
    let mut d = Draw(0x51_7cc1_b727_2204);
    let pieces = [
        "?a",
        "?b",
        "$",
        "$2",
        "%",
        "_",
        ":find",
        ":in",
        ":where",
        ":with",
        ":keys",
        ":limit",
        ":order-by",
        ":desc",
        "[",
        "]",
        "(",
        ")",
        "[[",
        "]]",
        "[(",
        ")]",
        "{",
        "}",
        "...",
        ".",
        "1",
        "nil",
        "\"s\"",
        ":to",
        "not",
        "or",
        "and",
        "or-join",
        "not-join",
        "count",
        "pull",
        "r",
        "[*]",
        "[?a :to ?b]",
        "(r ?a ?b)",
        "[(inc ?a) ?b]",
        "[?a ?b]",
        "(or [?a :to ?b] [?b :to ?a])",
        "(not [?a :to _])",
        "[:find ?a :in $ % :where [?a :to ?b] ",
    ];
    let db = chain(4);
    let rules = edn("[[(r ?x ?y) [?x :to ?y]] [(r ?x ?y) (r ?x ?z) (r ?z ?y)]]");
    let (mut parsed, mut ran) = (0, 0);
    for i in 0..60_000 {
        let mut text: String = (0..1 + d.below(9)).map(|_| format!("{} ", d.pick(&pieces))).collect();
        if i % 2 == 0 {
            text = format!("[:find ?a :in $ % :where {text}]");
        }
        let Ok(form) = read(&text) else { continue };
        let _ = parse_rules(&form);
        if let Ok(p) = Prepared::new(&form) {
            parsed += 1;
            let o = Options { fuel: Some(10_000), ..Options::default() };
            ran += usize::from(p.run(&[Input::Source(&db), Input::Value(rules.clone())], &o).is_ok());
        }
    }
    assert!(parsed > 200 && ran > 100, "{parsed} parsed, {ran} ran");
}

/// On the small stack of a test thread: clauses in clauses and rules in rules end in an answer or an error.
#[test]
fn deep_nesting_never_exhausts_the_stack() {
    let db = chain(4);
    for depth in [10, 60, 64, 65, 1500] {
        for open in ["(not ", "(or ", "(not-join [?e] ", "(or-join [?e] "] {
            let clause = format!("{}[?e :to ?x]{}", open.repeat(depth), ")".repeat(depth));
            let query = format!("[:find ?e :where [?e :to] {}]", clause.replace("?x", "_"));
            for order in [Order::Planned, Order::Written, Order::Naive] {
                let result = Prepared::parse(&query)
                    .and_then(|p| p.run(&[Input::Source(&db)], &Options { order, ..Options::default() }));
                assert_eq!(result.is_ok(), depth <= 64, "{open} {depth}: {result:?}");
            }
        }
    }
    for depth in [10, 100, 3000] {
        let mut rules = format!("[(r{depth} ?x ?y) [?x :to ?y]]");
        for i in 0..depth {
            rules += &format!("[(r{i} ?x ?y) (r{} ?x ?y)]", i + 1);
        }
        let rules = edn(&format!("[{rules}]"));
        let p = Prepared::parse("[:find ?y :in $ % :where (r0 1 ?y)]").unwrap();
        match p.run(&[Input::Source(&db), Input::Value(rules)], &Options::default()) {
            Ok(out) => assert_eq!(out.len(), 1, "{depth}"),
            Err(e) => assert_eq!((e.kind, depth > 100), (ErrorKind::Limit, true), "{depth}: {e}"),
        }
    }
}
