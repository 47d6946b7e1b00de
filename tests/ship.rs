//! Computations that go to another process over TCP: what comes back, what is refused, and what does not travel twice.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

const YIN: &str = env!("CARGO_BIN_EXE_yin");

/// A folder with a key and programs.
struct Dir(PathBuf);
impl Dir {
    fn new(name: &str) -> Dir {
        let d = std::env::temp_dir().join(format!("yin-ship-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&d).expect("a folder");
        let dir = Dir(d);
        assert_eq!(yin(&["key", &dir.path("key")]).0, Some(0));
        dir
    }
    fn path(&self, name: &str) -> String {
        self.0.join(name).to_string_lossy().into_owned()
    }
    fn file(&self, name: &str, text: &str) -> String {
        std::fs::write(self.0.join(name), text).expect("writable");
        self.path(name)
    }
}
impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn finished(c: &mut Command) -> (Option<i32>, String, String) {
    let out = c.output().expect("it runs");
    let text = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
    (out.status.code(), text(&out.stdout), text(&out.stderr))
}
fn yin(args: &[&str]) -> (Option<i32>, String, String) {
    finished(Command::new(YIN).args(args))
}

/// A server that listens; killed at the end.
struct Server {
    child: Child,
    address: String,
}
impl Server {
    fn start(args: &[&str]) -> Server {
        Server::start_by(Command::new(YIN).args(["serve", "--accept", "--listen", "127.0.0.1:0"]).args(args))
    }
    fn start_by(c: &mut Command) -> Server {
        let mut child = c.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().expect("it starts");
        let mut err = BufReader::new(child.stderr.take().expect("piped"));
        let mut line = String::new();
        let address = loop {
            line.clear();
            assert!(err.read_line(&mut line).expect("it can be read") > 0, "the server ended");
            if let Some(a) = line.trim_end().strip_prefix("listening on ") {
                break a.to_string();
            }
        };
        // What it says later must not fill the pipe.
        std::thread::spawn(move || std::io::copy(&mut err, &mut std::io::sink()));
        Server { child, address }
    }
    fn send(&self, args: &[&str]) -> (Option<i32>, String, String) {
        yin(&[&["send", self.address.as_str()], args].concat())
    }
}
impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const WORK: &str = "
(defn twice [x] (* 2 x))
(def factor (atom 10))
(fn [n & more]
  (println \"there\" n)
  (if (neg? n) (throw (ex-info \"negative\" {:n n})) [(reduce + (map twice (range n))) @factor more]))";

#[test]
fn a_function_runs_there_and_its_value_comes_back() {
    let d = Dir::new("value");
    let (key, work) = (d.path("key"), d.file("work.clj", WORK));
    let s = Server::start(&["--key", &key]);
    let first = s.send(&["--key", &key, "--stats", &work, "10", "{:a [1 2]}"]);
    assert!(first.0 == Some(0) && first.1 == "there 10\n[90 10 ({:a [1 2]})]\n", "{first:?}");
    let forms = |err: &str| {
        let line = err.lines().find(|l| l.starts_with("sent ")).unwrap_or_else(|| panic!("{err}")).to_string();
        let numbers: Vec<u64> = line.split(|c: char| !c.is_ascii_digit()).filter_map(|w| w.parse().ok()).collect();
        (numbers[1], numbers[2])
    };
    let (sent, all) = forms(&first.2);
    assert!(sent == all && all >= 2, "{}", first.2);
    // What the other side has seen does not travel again.
    let again = s.send(&["--key", &key, "--stats", &work, "3"]);
    assert_eq!((again.0, again.1.as_str(), forms(&again.2)), (Some(0), "there 3\n[6 10 nil]\n", (0, all)));
    // Of a program that is nearly the same, only what is different.
    d.file("work.clj", &WORK.replace("(* 2 x)", "(* 3 x)"));
    let third = s.send(&["--key", &key, "--stats", &work, "3"]);
    assert_eq!((third.0, third.1.as_str(), forms(&third.2)), (Some(0), "there 3\n[9 10 nil]\n", (1, all)));
    // An error there is an error here.
    let (code, out, err) = s.send(&["--key", &key, &work, "--", "-1"]);
    assert!(code == Some(1) && out == "there -1\n" && err.contains("negative") && err.contains("work.clj:6"), "{err}");
}

#[test]
fn values_and_continuations_go_on_there() {
    let d = Dir::new("chain");
    let key = d.path("key");
    let s = Server::start(&["--key", &key]);
    // The result is a continuation; it comes back as bytes and goes there again.
    let source = "
        (require '[yin.control :as c])
        (fn [n] (c/call-with-prompt :p (fn [] (let [v (c/abort-to-prompt :p)] [n v])) (fn [k] k)))";
    let (work, out) = (d.file("k.clj", source), d.path("k"));
    let (code, _, err) = s.send(&["--key", &key, &work, "5", "--out", &out]);
    assert_eq!(code, Some(0), "{err}");
    for v in ["1", ":again"] {
        assert_eq!(s.send(&["--key", &key, &out, v]), (Some(0), format!("[5 {v}]\n"), String::new()));
    }
}

#[test]
fn a_program_that_parked_goes_on_there_and_may_come_back() {
    let d = Dir::new("program");
    let key = d.path("key");
    let p = d.file(
        "p.clj",
        "(require '[yin.control :as c])
         (def t (c/spawn (fn [] (c/sleep 1) :thread)))
         (println :here)
         (println (+ 1 (c/park :first)) (c/join t))
         (println (* 2 (c/park :second)))",
    );
    let (one, two) = (d.path("one"), d.path("two"));
    assert_eq!(yin(&["run", "--park", &one, &p]).1, ":here\n:first\n");
    let s = Server::start(&["--key", &key]);
    assert_eq!(
        s.send(&["--key", &key, "--park", &two, &one, "41"]),
        (Some(0), "42 :thread\n:second\n".into(), String::new())
    );
    assert_eq!(yin(&["resume", &two, "21"]), (Some(0), "42\n".into(), String::new()));
    assert_eq!(s.send(&["--key", &key, &two, "5"]), (Some(0), "10\n".into(), String::new()));
    let (code, _, err) = s.send(&["--key", &key, &one, "41"]);
    assert!(code == Some(1) && err.contains("--park"), "{err}");
}

#[test]
fn limits_hold_there() {
    let d = Dir::new("limits");
    let key = d.path("key");
    let s = Server::start(&["--key", &key, "--fuel", "200000", "--mem", "64M", "--most", "20K"]);
    let send = |source: &str| {
        let work = d.file("work.clj", source);
        s.send(&["--key", &key, &work])
    };
    assert_eq!(send("(fn [] (loop [] (recur)))").0, Some(3));
    assert_eq!(send("(fn [] (loop [v []] (recur (conj v (vec (range 1000))))))").0, Some(3));
    let (code, _, err) = send("(let [s (apply str (range 20000))] (fn [] s))");
    assert!(code == Some(1) && err.contains("refused") && err.contains("20480"), "{err}");
    assert_eq!(send("(fn [] :fine)").1, ":fine\n");
}

#[test]
fn definitions_there_may_conflict() {
    let d = Dir::new("conflict");
    let (key, mine) = (d.path("key"), d.file("mine.clj", "(defn twice [x] (* 200 x))"));
    let work = d.file("work.clj", WORK);
    let got = |how: &str| {
        let s = Server::start(&["--key", &key, "--load", &mine, "--on-conflict", how]);
        s.send(&["--key", &key, &work, "3"])
    };
    let (code, _, err) = got("error");
    assert!(code == Some(1) && err.contains("#'user/twice"), "{err}");
    assert_eq!(got("ours").1, "there 3\n[600 10 nil]\n");
    assert_eq!(got("theirs").1, "there 3\n[6 10 nil]\n");
}

#[test]
fn without_the_key_nothing_runs() {
    let d = Dir::new("key");
    let (key, work) = (d.path("key"), d.file("work.clj", "(fn [] :ran)"));
    let needs =
        |(code, _, err): (Option<i32>, String, String)| assert!(code == Some(2) && err.contains("--key"), "{err}");
    needs(yin(&["serve", "--accept"]));
    needs(yin(&["send", "127.0.0.1:1", &work]));
    assert_eq!(yin(&["key", &key]).0, Some(2), "a key is not written over");
    let s = Server::start(&["--key", &key]);
    let wrong = d.path("wrong");
    assert_eq!(yin(&["key", &wrong]).0, Some(0));
    let (code, out, err) = s.send(&["--key", &wrong, &work]);
    assert!(code == Some(1) && out.is_empty() && err.contains("another key"), "{err}");
    let (code, out, _) = s.send(&["--insecure", &work]);
    assert!(code == Some(1) && out.is_empty());
    assert_eq!(yin(&["send", "--key", &work, &s.address, &work]).0, Some(2), "a program is no key");
    // Whoever talks nonsense is no trouble for the others.
    for nonsense in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0; 100], &[0xFF; 8], &[0, 0, 0, 48]] {
        let mut t = TcpStream::connect(&s.address).expect("it listens");
        t.write_all(nonsense).expect("it reads");
        let _ = t.shutdown(std::net::Shutdown::Write);
        let _ = t.read_to_end(&mut Vec::new());
    }
    assert_eq!(s.send(&["--key", &key, &work]).1, ":ran\n");
    let open = Server::start(&["--insecure"]);
    assert_eq!(open.send(&["--insecure", &work]).1, ":ran\n");
    assert_eq!(open.send(&["--key", &key, &work]).0, Some(1));
}

/// Two machines, as far as the network can tell. Needs the right to make network namespaces.
#[cfg(target_os = "linux")]
#[test]
fn between_two_network_namespaces() {
    let id = std::process::id() % 10_000;
    let (a, b) = (format!("yina{id}"), format!("yinb{id}"));
    struct Spaces(Vec<String>);
    impl Drop for Spaces {
        fn drop(&mut self) {
            self.0.iter().for_each(|n| drop(Command::new("ip").args(["netns", "delete", n]).output()));
        }
    }
    let ip = |args: &str| {
        let out = Command::new("ip").args(args.split(' ')).output().map_err(|e| e.to_string())?;
        if out.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&out.stderr).trim().to_string()) }
    };
    let mut spaces = Spaces(Vec::new());
    let mut set_up = || {
        for n in [&a, &b] {
            ip(&format!("netns add {n}"))?;
            spaces.0.push(n.clone());
        }
        ip(&format!("link add v{a} netns {a} type veth peer name v{b} netns {b}"))?;
        for (n, host) in [(&a, "10.77.0.1"), (&b, "10.77.0.2")] {
            ip(&format!("-n {n} addr add {host}/24 dev v{n}"))?;
            ip(&format!("-n {n} link set v{n} up"))?;
        }
        Ok::<(), String>(())
    };
    if let Err(why) = set_up() {
        eprintln!("skipped: no network namespaces here: {why}");
        return;
    }
    let d = Dir::new("netns");
    let (key, work) = (d.path("key"), d.file("work.clj", WORK));
    let inside = |n: &str| {
        let mut c = Command::new("ip");
        c.args(["netns", "exec", n, YIN]);
        c
    };
    let s = Server::start_by(inside(&b).args(["serve", "--accept", "--listen", "10.77.0.2:0", "--key", &key]));
    let got = finished(inside(&a).args(["send", &s.address, "--key", &key, &work, "10"]));
    assert_eq!(got, (Some(0), "there 10\n[90 10 nil]\n".into(), String::new()));
    // From here there is no way.
    assert!(
        TcpStream::connect_timeout(&s.address.parse().expect("an address"), std::time::Duration::from_millis(300))
            .is_err()
    );
}
