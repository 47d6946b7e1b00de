//! Figures of a store on disk: bulk load, opening, durable commits by several writers.
//!
//! `cargo run --release -p datoms --example bulk DIR [DATOMS]`. DIR is made and must not exist; put it on the disk that is
//! meant. Times are wall times.

use datoms::disk::Store;
use datoms::edn::{Edn, read};
use datoms::query::{Input, q_text};
use datoms::store::{Database, TX0};
use std::path::PathBuf;
use std::time::Instant;

fn timed<T>(what: &str, f: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let out = f();
    println!("{what:<44} {:>10.1} ms", start.elapsed().as_secs_f64() * 1e3);
    out
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let dir = PathBuf::from(args.next().ok_or("usage: bulk DIR [DATOMS]")?);
    let n: u32 = args.next().map_or(Ok(10_000_000), |a| a.replace('_', "").parse())?;
    let schema = read("{:friend {:db/valueType :db.type/ref}}")?;
    let attrs = ["name", "age", "salary", "city", "friend"].map(Edn::keyword);
    let names: Vec<Edn> = (0..50_000).map(|i| Edn::string(format!("name {i}"))).collect();
    let cities: Vec<Edn> = (0..500).map(|i| Edn::string(format!("city {i}"))).collect();
    let people = n / 5;
    let facts = (0..n).map(|i| {
        let (e, a) = (i / 5 + 1, (i % 5) as usize);
        let x = e.wrapping_mul(2_654_435_761);
        let v = match a {
            0 => names[x as usize % names.len()].clone(),
            1 => Edn::Int(i64::from(x % 90)),
            2 => Edn::Int(i64::from(x % 100_000)),
            3 => cities[x as usize % cities.len()].clone(),
            _ => Edn::Int(i64::from(x % people + 1)),
        };
        (e, attrs[a].clone(), v, TX0 + 1)
    });
    let db = timed(&format!("{n} facts into columns"), || Database::from_datoms(&schema, facts))?;
    println!("{:<44} {:>10.1}", "bytes a datom, without orders by value", db.column_bytes() as f64 / f64::from(n));
    let store = Store::create(&dir, &schema)?;
    timed("columns to disk", || store.load(&db))?;
    drop((store, db));
    let db = timed("open, read only", || Store::read_only(&dir))?;
    let query = "[:find ?n . :in $ ?e :where [?e :friend ?f] [?f :name ?n]]";
    let inputs = [Input::Source(&db), Input::Value(Edn::Int(77))];
    timed("first query, which reads two columns", || q_text(query, &inputs))?;
    timed("the same again", || q_text(query, &inputs))?;
    drop(db);
    let store = timed("open for writing", || Store::open(&dir))?;
    for writers in [1, 8, 64] {
        let each = 512 / writers;
        let start = Instant::now();
        std::thread::scope(|s| {
            for w in 0..writers {
                let store = &store;
                s.spawn(move || {
                    for i in 0..each {
                        let tx = format!("[{{:name \"new {w} {i}\" :age {i}}}]");
                        if let Err(e) = read(&tx)
                            .map_err(|e| e.to_string())
                            .and_then(|t| store.transact(&t).map_err(|e| e.to_string()))
                        {
                            eprintln!("{e}");
                        }
                    }
                });
            }
        });
        let seconds = start.elapsed().as_secs_f64();
        println!(
            "{:<44} {:>10.0} a second",
            format!("durable commits, {writers} writers"),
            f64::from(each * writers) / seconds
        );
    }
    Ok(())
}
