//! `yin db`: every command over a store in a directory.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Place {
        let dir = std::env::temp_dir().join(format!("yin-db-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).expect("a folder");
        Place(dir)
    }
    fn path(&self, name: &str) -> String {
        self.0.join(name).to_string_lossy().into_owned()
    }
    fn run(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_yin")).arg("db").args(args).current_dir(&self.0).output().expect("yin runs")
    }
    /// Standard output; the command must succeed.
    fn ok(&self, args: &[&str]) -> String {
        let out = self.run(args);
        let text = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
        assert!(out.status.success(), "{args:?}: {}", text(&out.stderr));
        text(&out.stdout)
    }
    /// Exit status and the first line of standard error.
    fn fails(&self, args: &[&str]) -> (i32, String) {
        let out = self.run(args);
        let text = String::from_utf8_lossy(&out.stderr).into_owned();
        (out.status.code().unwrap_or(-1), text.lines().next().unwrap_or("").to_string())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const SCHEMA: &str = "{:name {:db/unique :db.unique/identity} :boss {:db/valueType :db.type/ref}}";

fn filled(name: &str) -> Place {
    let p = Place::new(name);
    p.ok(&["create", "s", SCHEMA]);
    p.ok(&[
        "transact",
        "s",
        "[{:name \"Ada\" :age 36} {:name \"Bob\" :age 12 :boss [:name \"Ada\"]}]",
        "[[:db/add 2 :age 13]]",
    ]);
    p
}

#[test]
fn transactions_and_queries() {
    let p = Place::new("query");
    p.ok(&["create", "s", SCHEMA]);
    assert_eq!(
        p.ok(&["transact", "s", "{:db/id -1 :name \"Ada\" :age 36}"]),
        "{:tx 536870913, :tempids {-1 1, :db/current-tx 536870913}, \
         :tx-data [[1 :name \"Ada\" 536870913 true] [1 :age 36 536870913 true]]}\n"
    );
    std::fs::write(p.0.join("tx.edn"), "[{:name \"Bob\" :age 12 :boss 1}]\n[[:db/add 2 :age 13]]").expect("written");
    let out = p.ok(&["transact", "s", "tx.edn", "--format", "json"]);
    assert_eq!(out.lines().count(), 2, "{out}");
    assert_eq!(
        p.ok(&["query", "s", "[:find ?n ?a :where [?e :name ?n] [?e :age ?a]]"]),
        "?n   ?a\n───  ──\nAda  36\nBob  13\n"
    );
    let two = "[:find [?n ...] :where [_ :name ?n]]";
    assert_eq!(p.ok(&["query", "s", two, "--limit", "1", "--format", "json"]).matches("\"").count(), 2);
    let older = "[:find [?n ...] :in $ ?least :where [?e :age ?a] [(>= ?a ?least)] [?e :name ?n]]";
    assert_eq!(p.ok(&["query", "s", older, "--in", "least=20", "--format", "edn"]), "[\"Ada\"]\n");
    assert_eq!(p.ok(&["query", "s", "[:find ?a . :where [2 :age ?a]]", "--as-of", "2", "--format", "json"]), "12\n");
    std::fs::write(p.0.join("r.edn"), "[[(over ?x ?y) [?y :boss ?x]]]").expect("written");
    assert_eq!(
        p.ok(&[
            "query",
            "s",
            "[:find [?n ...] :where (over 1 ?y) [?y :name ?n]]",
            "--rules",
            "r.edn",
            "--format",
            "edn"
        ]),
        "[\"Bob\"]\n"
    );
    assert_eq!(
        p.ok(&["pull", "s", "[:name {:boss [:name]}]", "[:name \"Bob\"]"]),
        "{:name \"Bob\", :boss {:name \"Ada\"}}\n"
    );
    assert_eq!(
        p.ok(&["datoms", "s", ":aevt", ":age", "--format", "edn"]),
        "[1 :age 36 536870913]\n[2 :age 13 536870915]\n"
    );
    assert_eq!(
        p.ok(&["history", "s", "[:name \"Bob\"]", ":age", "--format", "edn"]),
        "[2 :age 12 536870914 true]\n[2 :age 12 536870915 false]\n[2 :age 13 536870915 true]\n"
    );
    assert!(p.ok(&["explain", "s", "[:find ?n :where [?e :age 13] [?e :name ?n]]"]).contains("[?e :age 13]"));
    // Two stores in one query.
    p.ok(&["create", "t"]);
    p.ok(&["transact", "t", "[{:who \"Ada\" :city \"London\"}]"]);
    let both =
        "[:find ?city ?age :in $ $t :where [$t ?x :who ?n] [$t ?x :city ?city] [$ ?e :name ?n] [$ ?e :age ?age]]";
    assert_eq!(p.ok(&["query", "s", both, "--in", "$t=t", "--format", "edn"]), "#{[\"London\" 36]}\n");
}

#[test]
fn texts_and_copies() {
    let p = filled("texts");
    for format in ["edn", "json"] {
        let file = format!("all.{format}");
        p.ok(&["export", "s", &file, "--format", format]);
        let copy = format!("copy-{format}");
        let schema: &[&str] = if format == "json" { &["--schema", SCHEMA] } else { &[] };
        p.ok(&[&["import", &copy, &file], schema].concat());
        assert_eq!(p.ok(&["export", &copy]), p.ok(&["export", "s"]), "{format}");
    }
    p.ok(&["backup", "s", "b"]);
    assert_eq!(p.ok(&["history", "b"]), p.ok(&["history", "s"]));
    p.ok(&["compact", "s"]);
    assert_eq!(p.ok(&["export", "b"]), p.ok(&["export", "s"]));
    p.ok(&["schema", "s", "{:age {:db/index true}}"]);
    assert_eq!(p.ok(&["schema", "s"]), "{:age {:db/index true}}\n");
    let info = p.ok(&["info", "s", "--format", "edn"]);
    assert!(info.starts_with("{:datoms 5, :attributes 3, :transactions 2,"), "{info}");
    assert!(p.ok(&["verify", "s", "--format", "edn"]).contains(":errors []"));
}

#[test]
fn failures_have_their_status() {
    let p = filled("failures");
    let (code, line) = p.fails(&["transact", "s", "[{:name \"Cid\"}] [[:db/add 1 :boss [:name \"Nobody\"]]]"]);
    assert_eq!((code, line.starts_with("error[entity-id/missing]")), (1, true), "{line}");
    // The one before it is stored.
    assert_eq!(p.ok(&["query", "s", "[:find (count ?e) . :where [?e :name]]", "--format", "edn"]), "3\n");
    assert_eq!(p.fails(&["query", "s", "[:find ?x"]).0, 2);
    assert_eq!(p.fails(&["query", "s", "[:find ?x :where [?y :name]]"]).0, 2);
    assert_eq!(p.fails(&["query", "nothing", "[:find ?x :where [?x :name]]"]).0, 2);
    assert_eq!(p.fails(&["query", "s", "[:find ?x ?y :where [?x _ _] [?y _ _]]", "--fuel", "3"]).0, 3);
    assert_eq!(p.fails(&["create", "s"]).0, 1);
    assert_eq!(p.fails(&["import", "s", "nothing.edn"]).0, 2);
    assert_eq!(p.fails(&["frobnicate", "s"]).0, 2);
    assert_eq!(p.fails(&["query", "s"]).0, 2);
    assert_eq!(p.fails(&["query", "s", "[:find ?x :where [?x :name]]", "--colour"]).0, 2);
    // Damage is found, and said.
    p.ok(&["compact", "s"]);
    let segment = std::fs::read_dir(Path::new(&p.path("s")))
        .expect("listed")
        .flatten()
        .map(|e| e.path())
        .find(|f| f.file_name().is_some_and(|n| n.to_string_lossy().starts_with("segment-")))
        .expect("a segment");
    let mut bytes = std::fs::read(&segment).expect("read");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x20;
    std::fs::write(&segment, bytes).expect("written");
    let out = p.run(&["verify", "s"]);
    assert_eq!(out.status.code(), Some(1));
}

#[test]
fn a_store_joins_with_a_program() {
    let p = Place::new("join");
    p.ok(&["create", "s"]);
    p.ok(&["transact", "s", "[{:fn user/f :owner \"Ada\"} {:fn user/h :owner \"Bob\"}]"]);
    std::fs::write(p.0.join("a.clj"), "(defn f [x] x) (defn g [x] (f x))").expect("written");
    let query = "[:find ?by ?owner :in $ % $s :where (caller ?f ?by) [$s ?r :fn ?f] [$s ?r :owner ?owner]]";
    let out = Command::new(env!("CARGO_BIN_EXE_yin"))
        .args(["query", query, "a.clj", "--in", "$s=s", "--format", "edn"])
        .current_dir(&p.0)
        .output()
        .expect("yin runs");
    assert_eq!(
        String::from_utf8_lossy(&out.stdout),
        "#{[user/g \"Ada\"]}\n",
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
}
