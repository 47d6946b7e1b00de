//! The store's workloads: fixed data, fixed queries, and answers that must match before a time means anything.
//!
//! Each line of [`run`] is `name, median ms, least ms, CPU ms, count, checksum, samples` between tabs. A sample is a
//! batch of iterations of at least 20 ms. What is timed is the call itself; data is made before and checksums are
//! taken after. CPU time is the calling thread's where the system tells it, wall time otherwise.

mod store;

use crate::edn::{Edn, read};
use crate::query::{Input, Options, Output, Prepared};
use crate::store::Database;
use std::hint::black_box;
use std::time::Instant;

/// The linear congruential generator that all data comes from.
struct Lcg(u32);

impl Lcg {
    fn draw(&mut self, n: u32) -> u32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        ((u64::from(self.0) * u64::from(n)) >> 32) as u32
    }
}

const NAMES: [&str; 8] = ["Ivan", "Petr", "Sergei", "Oleg", "Yuri", "Dmitry", "Fedor", "Denis"];
const LASTS: [&str; 6] = ["Ivanov", "Petrov", "Sidorov", "Kovalev", "Kuznetsov", "Voronoi"];
const SEXES: [&str; 2] = ["male", "female"];
const KINDS: [&str; 8] = ["call", "fn", "if", "let", "var", "const", "loop", "do"];

type Fact = (u32, Edn, Edn);

fn person(r: &mut Lcg, id: u32, out: &mut Vec<Fact>) {
    let k = Edn::keyword;
    out.push((id, k("name"), Edn::from(NAMES[r.draw(8) as usize])));
    out.push((id, k("last-name"), Edn::from(LASTS[r.draw(6) as usize])));
    out.push((id, k("sex"), Edn::from(SEXES[r.draw(2) as usize])));
    out.push((id, k("age"), Edn::Int(r.draw(100).into())));
    out.push((id, k("salary"), Edn::Int(r.draw(100_000).into())));
}

/// The people: 20 000 persons, five facts each, by entity.
pub fn people(n: u32) -> Vec<Fact> {
    let (mut r, mut out) = (Lcg(42), Vec::new());
    (1..=n).for_each(|id| person(&mut r, id, &mut out));
    out
}

/// A tree of persons: `depth` levels below the root, `width` children each.
pub fn wide(depth: u32, width: u32) -> Vec<Fact> {
    let (mut r, mut out) = (Lcg(99), Vec::new());
    let mut stack = vec![(1u32, depth)];
    while let Some((id, depth)) = stack.pop() {
        person(&mut r, id, &mut out);
        out.push((id, Edn::keyword("id"), Edn::Int(id.into())));
        for _ in 0..r.draw(10) {
            let alias = format!("alias{}", r.draw(11));
            out.push((id, Edn::keyword("alias"), Edn::from(alias)));
        }
        if depth > 0 {
            for i in (0..width).rev() {
                stack.push((id * width + i, depth - 1));
            }
            out.extend((0..width).map(|i| (id, Edn::keyword("follows"), Edn::Int((id * width + i).into()))));
        }
    }
    out
}

/// Chains of `depth` edges, `width` of them.
pub fn long(depth: u32, width: u32) -> Vec<Fact> {
    let mut out = Vec::new();
    for x in 0..width {
        for y in 0..depth {
            let from = x * (depth + 1) + y + 1;
            out.push((from, Edn::keyword("name"), Edn::from("Ivan")));
            out.push((from, Edn::keyword("follows"), Edn::Int((from + 1).into())));
            out.push((from + 1, Edn::keyword("name"), Edn::from("Ivan")));
        }
    }
    out
}

/// A random recursive tree of `n` nodes.
pub fn tree(n: u32) -> Vec<Fact> {
    let (mut r, mut out) = (Lcg(1234), Vec::new());
    for i in 1..=n {
        out.push((i, Edn::keyword("kind"), Edn::from(KINDS[r.draw(8) as usize])));
        out.push((i, Edn::keyword("pos"), Edn::Int(r.draw(1000).into())));
        let p = r.draw(1.max(i - 1));
        if i > 1 {
            out.push((i, Edn::keyword("parent"), Edn::Int((p + 1).into())));
        }
    }
    out
}

fn edges(pairs: impl IntoIterator<Item = (u32, u32)>) -> Vec<Fact> {
    pairs.into_iter().map(|(a, b)| (a, Edn::keyword("to"), Edn::Int(b.into()))).collect()
}

/// A random graph of `n` nodes and `m` edges.
pub fn graph(n: u32, m: usize, seed: u32, skew: bool) -> Vec<Fact> {
    let (mut r, mut seen, mut out) = (Lcg(seed), std::collections::BTreeSet::new(), Vec::new());
    while out.len() < m {
        let (mut a, mut b) = (r.draw(n), r.draw(n));
        if skew {
            a = (u64::from(a) * u64::from(r.draw(n)) / u64::from(n)) as u32;
            b = (u64::from(b) * u64::from(r.draw(n)) / u64::from(n)) as u32;
        }
        if a != b && seen.insert((a, b)) {
            out.push((a + 1, b + 1));
        }
    }
    edges(out)
}

fn grid(n: u32) -> Vec<Fact> {
    let mut out = Vec::new();
    for x in 0..n {
        for y in 0..n {
            let i = x * n + y + 1;
            if y + 1 < n {
                out.push((i, i + 1));
            }
            if x + 1 < n {
                out.push((i, i + n));
            }
        }
    }
    edges(out)
}

fn ids1000() -> Vec<u32> {
    let mut r = Lcg(5);
    (0..1000).map(|_| 1 + r.draw(20_000)).collect()
}

/// Number of rows and their checksum, whatever their order.
fn text_checksum<R: IntoIterator<Item = Edn>>(rows: impl Iterator<Item = R>) -> (usize, u32) {
    let (mut n, mut sum) = (0, 0u32);
    for row in rows {
        let text: Vec<String> = row
            .into_iter()
            .map(|v| match v {
                Edn::Str(s) => s.to_string(),
                v => v.to_string(),
            })
            .collect();
        let hash = text.join("|").bytes().fold(0x811c_9dc5u32, |h, b| (h ^ u32::from(b)).wrapping_mul(0x0100_0193));
        sum = sum.wrapping_add(hash);
        n += 1;
    }
    (n, sum)
}

fn checksum(out: &Output) -> (usize, u32) {
    text_checksum(out.rows())
}

/// CPU time of this thread in nanoseconds, if the system tells.
fn cpu_ns() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split_whitespace().next()?.parse().ok()
}

/// One line of the table.
#[derive(Clone, Debug)]
pub struct Line {
    /// The workload.
    pub name: String,
    /// Median wall time of an iteration in milliseconds.
    pub median_ms: f64,
    /// Least wall time.
    pub min_ms: f64,
    /// Median CPU time.
    pub cpu_ms: f64,
    /// Rows.
    pub count: usize,
    /// Their checksum.
    pub checksum: u32,
    /// How many samples were taken.
    pub samples: usize,
}

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ms = |x: f64| {
            if x >= 100.0 {
                format!("{x:.0}")
            } else if x >= 1.0 {
                format!("{x:.2}")
            } else {
                format!("{x:.4}")
            }
        };
        let Line { name, count, checksum, samples, .. } = self;
        write!(
            f,
            "{name}\t{}\t{}\t{}\t{count}\t{checksum}\t{samples}",
            ms(self.median_ms),
            ms(self.min_ms),
            ms(self.cpu_ms)
        )
    }
}

fn median(mut v: Vec<f64>) -> f64 {
    v.sort_by(f64::total_cmp);
    v.get(v.len() / 2).copied().unwrap_or(0.0)
}

fn measure<T>(name: &str, mut work: impl FnMut() -> T, check: impl Fn(&T) -> (usize, u32), quick: bool) -> Line {
    let (warm, budget, most) = if quick { (0.02, 0.15, 3) } else { (0.2, 1.5, 9) };
    let start = Instant::now();
    let mut n = 0u32;
    let mut last;
    loop {
        last = black_box(work());
        n += 1;
        if start.elapsed().as_secs_f64() > warm {
            break;
        }
    }
    let each = start.elapsed().as_secs_f64() / f64::from(n);
    let batch = (0.02 / each).ceil().max(1.0) as u32;
    let (mut wall, mut cpu, start) = (Vec::new(), Vec::new(), Instant::now());
    while wall.len() < most && (wall.len() < 3 || start.elapsed().as_secs_f64() < budget) {
        let (c, t) = (cpu_ns(), Instant::now());
        for _ in 0..batch {
            last = black_box(work());
        }
        let seconds = t.elapsed().as_secs_f64();
        let used = cpu_ns().zip(c).map_or(seconds * 1e9, |(b, a)| b.saturating_sub(a) as f64);
        wall.push(seconds * 1e3 / f64::from(batch));
        cpu.push(used / 1e6 / f64::from(batch));
    }
    let (count, checksum) = check(&last);
    let min_ms = wall.iter().copied().fold(f64::INFINITY, f64::min);
    let samples = wall.len();
    Line { name: name.into(), median_ms: median(wall), min_ms, cpu_ms: median(cpu), count, checksum, samples }
}

/// A query workload: its name, its data, its query, its inputs as EDN, its answer.
struct Workload {
    name: &'static str,
    data: Data,
    query: &'static str,
    inputs: Vec<Edn>,
    answer: (usize, u32),
}

#[derive(Clone, Copy, PartialEq)]
enum Data {
    People,
    Wide(u32, u32),
    Long(u32, u32),
    Tree(u32),
    Graph(u32, usize, u32, bool),
    Chain(u32),
    Grid(u32),
}

const PEOPLE: &str = "{:id {:db/unique :db.unique/identity}, :alias {:db/cardinality :db.cardinality/many}, \
                       :follows {:db/valueType :db.type/ref, :db/cardinality :db.cardinality/many}}";
const TREE: &str = "{:parent {:db/valueType :db.type/ref}}";
const GRAPH: &str = "{:to {:db/valueType :db.type/ref, :db/cardinality :db.cardinality/many}}";

impl Data {
    fn database(self) -> Database {
        let (schema, facts) = match self {
            Data::People => (PEOPLE, people(20_000)),
            Data::Wide(d, w) => (PEOPLE, wide(d, w)),
            Data::Long(d, w) => (PEOPLE, long(d, w)),
            Data::Tree(n) => (TREE, tree(n)),
            Data::Graph(n, m, seed, skew) => (GRAPH, graph(n, m, seed, skew)),
            Data::Chain(n) => (GRAPH, edges((1..=n).map(|i| (i, i + 1)))),
            Data::Grid(n) => (GRAPH, grid(n)),
        };
        let facts = facts.into_iter().map(|(e, a, v)| (e, a, v, crate::store::TX0 + 1));
        Database::from_datoms(&read(schema).unwrap_or(Edn::Nil), facts).expect("the data of the workloads is right")
    }
}

fn workloads() -> Vec<Workload> {
    let edn = |t: &str| read(t).unwrap_or(Edn::Nil);
    let w = |name, data, query, inputs: &[&str], answer| Workload {
        name,
        data,
        query,
        inputs: inputs.iter().map(|i| edn(i)).collect(),
        answer,
    };
    let rules = |name: &str, attr: &str| {
        format!("[[({name} ?x ?y) [?x :{attr} ?y]] [({name} ?x ?y) [?x :{attr} ?t] ({name} ?t ?y)]]")
    };
    let (follows, anc, reach) = (rules("follows", "follows"), rules("anc", "parent"), rules("reach", "to"));
    let ids = format!("{:?}", ids1000());
    let p = Data::People;
    let all_follows = "[:find ?e ?e2 :in $ % :where (follows ?e ?e2)]";
    let all_reach = "[:find ?x ?y :in $ % :where (reach ?x ?y)]";
    vec![
        w("q1", p, "[:find ?e :where [?e :name \"Ivan\"]]", &[], (2468, 2324666011)),
        w("q2", p, "[:find ?e ?a :where [?e :name \"Ivan\"] [?e :age ?a]]", &[], (2468, 862320803)),
        w("q2-switch", p, "[:find ?e ?a :where [?e :age ?a] [?e :name \"Ivan\"]]", &[], (2468, 862320803)),
        w("q3", p, "[:find ?e ?a :where [?e :name \"Ivan\"] [?e :age ?a] [?e :sex \"male\"]]", &[], (1243, 4028250633)),
        w(
            "q4",
            p,
            "[:find ?e ?l ?a :where [?e :name \"Ivan\"] [?e :last-name ?l] [?e :age ?a] [?e :sex \"male\"]]",
            &[],
            (1243, 48425739),
        ),
        w(
            "q5-shortcircuit",
            p,
            "[:find ?e ?n ?l ?a ?s ?al :in $ ?n ?a :where [?e :name ?n] [?e :age ?a] [?e :last-name ?l] [?e :sex ?s] [?e :alias ?al]]",
            &["\"Anastasia\"", "35"],
            (0, 0),
        ),
        w("qpred1", p, "[:find ?e ?s :where [?e :salary ?s] [(> ?s 50000)]]", &[], (10098, 3310717082)),
        w(
            "qpred2",
            p,
            "[:find ?e ?s :in $ ?min :where [?e :salary ?s] [(> ?s ?min)]]",
            &["50000"],
            (10098, 3310717082),
        ),
        w(
            "x-agg",
            p,
            "[:find ?n (count ?e) (sum ?s) (max ?s) :where [?e :name ?n] [?e :salary ?s]]",
            &[],
            (8, 2568182560),
        ),
        w(
            "x-selfjoin",
            p,
            "[:find ?e1 ?e2 :where [?e1 :name \"Ivan\"] [?e1 :salary ?s] [?e2 :salary ?s] [(< ?e1 ?e2)]]",
            &[],
            (226, 1523911808),
        ),
        w(
            "x-in-coll",
            p,
            "[:find ?e ?a :in $ [?n ...] :where [?e :name ?n] [?e :age ?a] [(< ?a 18)]]",
            &["[\"Ivan\" \"Oleg\" \"Yuri\"]"],
            (1301, 1496084290),
        ),
        w("x-in-ids", p, "[:find ?e ?n :in $ [?e ...] :where [?e :name ?n]]", &[&ids], (977, 3913488215)),
        w("x-or", p, "[:find ?e :where (or [?e :name \"Ivan\"] [?e :age 42])]", &[], (2669, 3708189518)),
        w("x-not", p, "[:find ?e :where [?e :name \"Ivan\"] (not [?e :sex \"male\"])]", &[], (1225, 200495550)),
        w("x-fn", p, "[:find ?e ?y :where [?e :name \"Ivan\"] [?e :age ?a] [(+ ?a 1) ?y]]", &[], (2468, 421871133)),
        w("rules-wide-3x3", Data::Wide(3, 3), all_follows, &[&follows], (102, 2072819766)),
        w("rules-wide-5x3", Data::Wide(5, 3), all_follows, &[&follows], (1641, 28926806)),
        w("rules-wide-7x3", Data::Wide(7, 3), all_follows, &[&follows], (21324, 1038541418)),
        w("rules-wide-4x6", Data::Wide(4, 6), all_follows, &[&follows], (5910, 2312593741)),
        w("rules-long-10x3", Data::Long(10, 3), all_follows, &[&follows], (165, 1021729441)),
        w("rules-long-30x3", Data::Long(30, 3), all_follows, &[&follows], (1395, 1094118051)),
        w("rules-long-30x5", Data::Long(30, 5), all_follows, &[&follows], (2325, 3102566071)),
        w(
            "tree-join",
            Data::Tree(20_000),
            "[:find ?c ?p :where [?c :kind \"call\"] [?c :parent ?p] [?p :kind \"fn\"]]",
            &[],
            (334, 301700947),
        ),
        w(
            "tree-grand",
            Data::Tree(20_000),
            "[:find ?c ?g :where [?c :kind \"call\"] [?c :parent ?p] [?p :parent ?g] [?g :kind \"loop\"]]",
            &[],
            (296, 860533279),
        ),
        w(
            "tree-anc-bound",
            Data::Tree(20_000),
            "[:find ?a :in $ % ?x :where (anc ?x ?a)]",
            &[&anc, "20000"],
            (11, 2236519349),
        ),
        w(
            "tree-desc-bound",
            Data::Tree(20_000),
            "[:find ?x :in $ % ?a :where (anc ?x ?a)]",
            &[&anc, "2"],
            (222, 1852040470),
        ),
        w(
            "tree-closure-2k",
            Data::Tree(2000),
            "[:find ?x ?a :in $ % :where (anc ?x ?a)]",
            &[&anc],
            (15108, 1125095619),
        ),
        w(
            "tree-closure-20k",
            Data::Tree(20_000),
            "[:find ?x ?a :in $ % :where (anc ?x ?a)]",
            &[&anc],
            (197875, 2336978578),
        ),
        w(
            "graph-tri",
            Data::Graph(1000, 5000, 77, true),
            "[:find ?a ?b ?c :where [?a :to ?b] [?b :to ?c] [?a :to ?c]]",
            &[],
            (1025, 570907604),
        ),
        w("reach-chain-200", Data::Chain(200), all_reach, &[&reach], (20100, 1187155478)),
        w("reach-grid-7", Data::Grid(7), all_reach, &[&reach], (735, 149968405)),
        w("reach-rand-40x80", Data::Graph(40, 80, 3, false), all_reach, &[&reach], (1191, 2227706330)),
        w("reach-rand-60x120", Data::Graph(60, 120, 3, false), all_reach, &[&reach], (2357, 1334754660)),
        w("reach-rand-1000x3000", Data::Graph(1000, 3000, 3, false), all_reach, &[&reach], (865801, 1329440969)),
    ]
}

/// Runs the workloads whose names start with any of `only`, or all, and gives each line to `emit`. A workload whose
/// query fails or whose answer is wrong is an error that names it.
pub fn run(only: &[String], quick: bool, emit: &mut dyn FnMut(&Line)) -> Result<(), String> {
    let wanted = |name: &str| only.is_empty() || only.iter().any(|o| name.starts_with(o.as_str()));
    let mut kept: Vec<(Data, Database)> = Vec::new();
    let mut wrong = Vec::new();
    store::run(&wanted, quick, &mut wrong, emit);
    for w in workloads() {
        if !wanted(w.name) {
            continue;
        }
        let db = database(&mut kept, w.data);
        let mut inputs = vec![Input::Source(&db)];
        inputs.extend(w.inputs.iter().cloned().map(Input::Value));
        let query = Prepared::parse(w.query).map_err(|e| format!("{}: {e}", w.name))?;
        let options = Options::default();
        query.run(&inputs, &options).map_err(|e| format!("{}: {e}", w.name))?;
        let line = measure(w.name, || query.run(&inputs, &options), |r| r.as_ref().map_or((0, 1), checksum), quick);
        if (line.count, line.checksum) != w.answer {
            wrong.push(format!("{}: expected {:?}", w.name, w.answer));
        }
        emit(&line);
    }
    if wanted("x-point-q") {
        let db = database(&mut kept, Data::People);
        let text = "[:find ?n ?l :in $ ?e :where [?e :name ?n] [?e :last-name ?l]]";
        let ids: Vec<Edn> = ids1000().into_iter().take(200).map(|i| Edn::Int(i.into())).collect();
        let work = || -> Result<Vec<Output>, String> {
            ids.iter()
                .map(|id| {
                    let query = Prepared::of_text(text)?;
                    query.run(&[Input::Source(&db), Input::Value(id.clone())], &Options::default())
                })
                .collect::<Result<_, _>>()
                .map_err(|e| e.to_string())
        };
        let check = |r: &Result<Vec<Output>, String>| {
            r.as_ref().map_or((0, 1), |outs| {
                outs.iter().map(checksum).fold((0, 0u32), |(n, s), (m, t)| (n + m, s.wrapping_add(t)))
            })
        };
        let line = measure("x-point-q", work, check, quick);
        if (line.count, line.checksum) != (200, 3760064269) {
            wrong.push("x-point-q: expected (200, 3760064269)".into());
        }
        emit(&line);
    }
    if wrong.is_empty() { Ok(()) } else { Err(format!("wrong answers: {}", wrong.join("; "))) }
}

fn database(kept: &mut Vec<(Data, Database)>, data: Data) -> Database {
    if let Some((_, db)) = kept.iter().find(|(d, _)| *d == data) {
        return db.clone();
    }
    let made = data.database();
    kept.push((data, made.clone()));
    made
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_workload_gives_its_answer() {
        let mut n = 0;
        let result = super::run(&[], true, &mut |_| n += 1);
        assert_eq!(result, Ok(()));
        assert!(n >= 50, "{n}");
    }
}
