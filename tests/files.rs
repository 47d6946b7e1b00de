//! Runs the files under `tests/lang`: each must give the value its last line states (`;; => value`), plainly and in every
//! stress mode.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

const MODES: &[&str] = &[
    "",
    "gc",
    "capture",
    "gc=3,capture=2",
    "gc,capture",
    "park=61",
    "gc=7,park=97",
    "tier",
    "tier,exit",
    "tier,exit,gc,capture",
    "tier,gc=3,capture=2",
    "tier,park=61",
    "order",
    "order=2",
    "switch",
    "switch=3,gc=5,capture=2",
    "tier,switch=7,park=211",
];

fn eval(source: &str, zeal: &str) -> (bool, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_yin"))
        .args(["eval", "-"])
        .env("YIN_ZEAL", zeal)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    child.stdin.take().expect("piped").write_all(source.as_bytes()).expect("it reads");
    let out = child.wait_with_output().expect("it ends");
    let text = |b: Vec<u8>| String::from_utf8_lossy(&b).trim_end().to_string();
    (out.status.success(), text(out.stdout), text(out.stderr))
}

#[test]
fn files_give_their_answers_in_every_mode() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lang");
    let mut files: Vec<_> = std::fs::read_dir(dir).expect("tests/lang").flatten().map(|e| e.path()).collect();
    files.sort();
    assert!(files.len() > 5, "the test files are there");
    let mut wrong = Vec::new();
    for f in &files {
        let source = std::fs::read_to_string(f).expect("readable");
        let expected = source.lines().rev().find_map(|l| l.strip_prefix(";; => ")).expect("an answer at the end");
        for mode in MODES {
            let (ok, out, err) = eval(&source, mode);
            // Errors are expected as `error[kind]`.
            let got =
                if ok { out } else { err.lines().next().unwrap_or("").split(':').next().unwrap_or("").to_string() };
            if got != expected {
                wrong.push(format!("{} [{mode}]: expected {expected}, got {got} {err}", f.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn limits_are_real() {
    let run = |args: &[&str]| {
        let out = Command::new(env!("CARGO_BIN_EXE_yin")).args(args).output().expect("it runs");
        (out.status.code(), String::from_utf8_lossy(&out.stderr).to_string())
    };
    let (code, err) = run(&["--fuel", "10000", "eval", "(loop [] (recur))"]);
    assert_eq!(code, Some(3), "{err}");
    let (code, err) = run(&["--mem", "64M", "eval", "(loop [v []] (recur (conj v (str v))))"]);
    assert_eq!(code, Some(3), "{err}");
    let (code, err) = run(&["--mem", "256M", "eval", "(defn f [n] (inc (f n))) (f 1)"]);
    assert_eq!(code, Some(3), "{err}");
    let (code, err) = run(&["eval", "(inc"]);
    assert_eq!(code, Some(2), "{err}");
    assert!(err.contains("error[read]"), "{err}");
}

#[test]
fn winds_far_down_are_left_and_entered() {
    let source = "
        (require '[yin.control :as c])
        (def out (atom []))
        (defn winding [f] (c/dynamic-wind (fn [] (swap! out conj :in)) f (fn [] (swap! out conj :out))))
        (defn deep [n f] (if (zero? n) (f) (inc (deep (dec n) f))))
        [(c/call-with-prompt :p
           (fn [] (deep 40000 (fn [] (winding (fn [] (deep 40000 (fn [] (c/abort-to-prompt :p 7))))))))
           (fn [k v] [v (k 1)]))
         @out]";
    assert_eq!(eval(source, "").1, "[[7 80001] [:in :out :in :out]]");
}

#[test]
fn a_thread_that_never_waits_gives_way() {
    let source = "
        (require '[yin.control :as c])
        (def stop (atom false))
        (defn spin [] (loop [i 0] (if @stop :stopped (recur (rem (inc i) 7)))))
        (let [ts (mapv (fn [_] (c/spawn spin)) (range 3))
              u (c/spawn (fn [] (loop [i 0] (when (< i 3000000) (recur (inc i)))) (reset! stop true)))]
          [(mapv c/join ts) (c/join u)])";
    for mode in ["off", "auto", "always"] {
        let out =
            Command::new(env!("CARGO_BIN_EXE_yin")).args(["--jit", mode, "eval", source]).output().expect("it runs");
        let text = String::from_utf8_lossy(&out.stdout);
        assert_eq!(text.trim_end(), "[[:stopped :stopped :stopped] true]", "--jit {mode}");
    }
}

#[test]
fn steps_are_exact() {
    let steps = || {
        let out = Command::new(env!("CARGO_BIN_EXE_yin"))
            .args(["--stats", "eval", "(reduce + (map inc (filter odd? (range 10000))))"])
            .output()
            .expect("it runs");
        let err = String::from_utf8_lossy(&out.stderr).to_string();
        err.lines().find(|l| l.starts_with("steps")).expect("steps are counted").to_string()
    };
    let first = steps();
    (0..4).for_each(|_| assert_eq!(steps(), first));
}

#[test]
fn a_clock_of_steps_is_the_same_every_time() {
    let run = || {
        let source = "(let [t #(System/nanoTime) a (t)] (dotimes [i 1000] (rand)) [(< a (t)) (- (t) a) (t) (rand) (System/currentTimeMillis)])";
        let out = Command::new(env!("CARGO_BIN_EXE_yin")).args(["eval", "--clock", "steps", source]).output();
        String::from_utf8_lossy(&out.expect("it runs").stdout).to_string()
    };
    let first = run();
    assert!(first.starts_with("[true ") && first.ends_with(" 0]\n"), "{first}");
    assert_eq!(run(), first);
}

#[test]
fn an_interrupt_ends_compiled_loops() {
    for mode in ["off", "always"] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_yin"))
            .args(["--jit", mode, "eval", "(println 1) (flush) (loop [i 0] (recur (rem (inc i) 7)))"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        // The program says when it runs.
        let mut line = [0; 2];
        std::io::Read::read_exact(child.stdout.as_mut().expect("piped"), &mut line).expect("it prints");
        let pid = child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().expect("kill is there").success());
        // A minute is no measure of speed: it turns a program that does not stop into a failure.
        let mut waited = 0;
        while child.try_wait().expect("it is ours").is_none() {
            if waited == 6000 {
                child.kill().expect("it is ours");
                panic!("--jit {mode}: the interrupt was lost");
            }
            waited += 1;
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        assert_eq!(child.wait().expect("it ended").code(), Some(130), "--jit {mode}");
    }
}
