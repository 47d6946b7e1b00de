//! `datascript.core` and `yin.db`: the store's shared cases through the namespace, and a store on disk. What databases are
//! under stress is in `tests/lang`.

use std::process::Command;

fn yin(args: &[&str]) -> String {
    let root = env!("CARGO_MANIFEST_DIR");
    let out = Command::new(env!("CARGO_BIN_EXE_yin")).current_dir(root).args(args).output().expect("yin runs");
    String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr)
}

#[test]
fn the_shared_cases_pass() {
    let out = yin(&["tests/datascript/conform.clj", "datoms/tests/data/datalog.json"]);
    assert_eq!(out, "423 passed, 0 failed\n");
}

#[test]
fn a_store_on_disk() {
    let dir = std::env::temp_dir().join(format!("yin-store-{}", std::process::id()));
    let backup = format!("{}-backup", dir.display());
    let out = yin(&["tests/datascript/store.clj", &dir.to_string_lossy()]);
    let _ = (std::fs::remove_dir_all(&dir), std::fs::remove_dir_all(&backup));
    let want = "\
told [[1 false] [2 true]]
true {:db/id 1, :n 2, :name a}
:transact/data 2
:store/locked :store/locked
{:facts 2, :past 1, :errors []} true
2 1 ([1 true] [1 false] [2 true])
{\"e\":1,\"a\":\"n\",\"v\":2,\"t\":536870914}
{\"e\":1,\"a\":\"name\",\"v\":\"a\",\"t\":536870913}
true
   estimated      rows in     rows out  clause
           1            1            1  [?e :n ?n]
           -            1            1  [(> ?n 1)]
(2)
:store/missing
";
    assert_eq!(out, want);
}
