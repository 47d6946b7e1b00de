//! Continuations and programs that travel: through bytes, files, processes, and through damage.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use yin_vm::freeze::OnConflict;
use yin_vm::{Exit, Value, Vm};

static IMAGE: OnceLock<&'static [u8]> = OnceLock::new();

fn machine() -> Vm {
    let image = IMAGE.get_or_init(|| yin_vm::image::build().expect("the library").leak());
    let mut vm = Vm::from_image(image).expect("a machine");
    vm.fuel = Some(20_000_000);
    vm.hold_output = true;
    vm
}
/// A test's own thread is too small for what nests.
fn roomy(f: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(256 << 20).spawn(f).expect("a thread").join().expect("it passes")
}
fn eval(vm: &mut Vm, source: &str) -> Value {
    match vm.eval_text(source, "test.clj") {
        Ok(v) => v,
        Err(_) => panic!("{}: {source}", vm.failure().message),
    }
}
fn text(vm: &mut Vm, v: Value) -> String {
    vm.pr_now(v).unwrap_or_else(|_| vm.failure().message)
}
fn freeze(vm: &mut Vm, source: &str) -> Vec<u8> {
    let v = eval(vm, source);
    match vm.freeze(v) {
        Ok(b) => b,
        Err(_) => panic!("{}", vm.failure().message),
    }
}
/// What `source` is in a fresh machine where `it` is the thawed value.
fn thawed(bytes: &[u8], source: &str) -> Result<String, String> {
    let mut vm = machine();
    let v = vm.thaw(bytes, OnConflict::Error).map_err(|_| vm.failure().message)?;
    let ns = vm.var("user/it");
    vm.heap.write(ns, yin_vm::layout::slot::VAR_ROOT, v);
    match vm.eval_text(source, "there.clj") {
        Ok(v) => Ok(text(&mut vm, v)),
        Err(_) => Err(vm.failure().message),
    }
}

const SLICE: &str = "
(require '[yin.control :as c])
(defn double-all [xs] (map (fn [x] (* 2 x)) xs))
(defrecord Point [x y])
(let [a (atom 1) m {:a [1 2 3] \"s\" #{1/2 1.5 'q}} p (->Point 1 2)]
  (c/call-with-prompt :p
    (fn [] (let [v (c/abort-to-prompt :p)] (swap! a + v) [@a m (double-all [1 v]) (:x p) (instance? Point p)]))
    (fn [k] k)))";

#[test]
fn a_continuation_goes_to_another_machine() {
    roomy(|| {
        let bytes = freeze(&mut machine(), SLICE);
        let want = "[42 {:a [1 2 3], \"s\" #{1/2 1.5 q}} (2 82) 1 true]";
        assert_eq!(thawed(&bytes, "(it 41)").as_deref(), Ok(want));
        // Twice from one value: what the program made is shared, as it would be without bytes.
        assert_eq!(thawed(&bytes, "[(first (it 1)) (first (it 1))]").as_deref(), Ok("[2 3]"));
        assert_eq!(freeze(&mut machine(), SLICE), bytes, "the same state gives the same bytes");
    });
}

#[test]
fn generated_values_come_back_as_they_were() {
    roomy(|| {
        let mut vm = machine();
        let generate = "
            (def seed (atom 1))
            (defn r [n] (mod (quot (swap! seed (fn [s] (mod (+ (* s 1103515245) 12345) 2147483648))) 65536) n))
            (defn value [depth]
              (case (r (if (pos? depth) 26 14))
                0 nil 1 true 2 (r 1000) 3 (- (r 1000000000)) 4 (* 1.5 (r 9)) 5 (str \"s\" (r 99)) 6 (keyword (str \"k\" (r 99)))
                7 (symbol \"n\" (str \"s\" (r 9))) 8 \\a 9 (/ (inc (r 9)) 7) 10 (* 123456789012345678901N (inc (r 9)))
                11 1.5M 12 (* 1e300 1e10) 13 9223372036854775807
                14 (vec (repeatedly (r 70) (fn [] (value (dec depth)))))
                15 (apply list (repeatedly (r 5) (fn [] (value (dec depth)))))
                16 (into {} (repeatedly (r 40) (fn [] [(value 0) (value (dec depth))])))
                17 (set (repeatedly (r 20) (fn [] (value 0))))
                18 (into (sorted-map) (map (fn [i] [i (value (dec depth))]) (range (r 30))))
                19 (doall (map inc (range (r 40))))
                20 (with-meta [(value (dec depth))] {:m (value 0)})
                21 (subvec (vec (range 50)) (r 20) (+ 20 (r 20)))
                22 (let [x (value (dec depth))] [x x])
                23 (sorted-set (r 9) (r 99))
                24 (range (r 50))
                25 (reduce conj clojure.lang.PersistentQueue/EMPTY (range (r 5)))))";
        eval(&mut vm, generate);
        for seed in 1..150 {
            eval(&mut vm, &format!("(reset! seed {seed})"));
            let v = eval(&mut vm, "(def v (value 4)) v");
            let bytes = vm.freeze(v).unwrap_or_else(|_| panic!("seed {seed}: {}", vm.failure().message));
            let there = vm.thaw(&bytes, OnConflict::Error);
            let there = there.unwrap_or_else(|_| panic!("seed {seed}: {}", vm.failure().message));
            let again = vm.freeze(there).expect("it was frozen before");
            assert!(again == bytes, "seed {seed}: frozen twice gives other bytes");
            let it = vm.var("user/it");
            vm.heap.write(it, yin_vm::layout::slot::VAR_ROOT, there);
            assert_eq!(eval(&mut vm, "(= v it)"), Value::TRUE, "seed {seed}");
        }
    });
}

#[test]
fn sharing_and_cycles_stay() {
    roomy(|| {
        let bytes = freeze(
            &mut machine(),
            "(let [a (atom nil) v [a a] big (vec (range 1000))] (reset! a {:me v :bigs [big big]}) v)",
        );
        let source = "(let [[a b] it m @a] [(identical? a b) (identical? it (:me m)) (apply identical? (:bigs m)) (count (first (:bigs m)))])";
        assert_eq!(thawed(&bytes, source).as_deref(), Ok("[true true true 1000]"));
    });
}

#[test]
fn types_of_the_library_stay_the_same_types() {
    roomy(|| {
        let bytes = freeze(&mut machine(), "(require '[yin.control :as c]) (let [ch (c/chan 1)] (c/put! ch :x) ch)");
        let source = "(require '[yin.control :as c]) [(identical? (class it) (class (c/chan))) (c/take! it)]";
        assert_eq!(thawed(&bytes, source).as_deref(), Ok("[true :x]"));
    });
}

#[test]
fn definitions_that_differ_are_named() {
    roomy(|| {
        let bytes = freeze(&mut machine(), "(defn f [x] (* 2 x)) (def k 3) (fn [] (+ k (f 10)))");
        let there = |first: &str, how: OnConflict| {
            let mut vm = machine();
            eval(&mut vm, first);
            match vm.thaw(&bytes, how) {
                Ok(f) => match vm.call_now(f, &[]) {
                    Ok(v) => text(&mut vm, v),
                    Err(_) => vm.failure().message,
                },
                Err(_) => vm.failure().message,
            }
        };
        assert_eq!(there("", OnConflict::Error), "23");
        // Names of locals and places are no difference.
        assert_eq!(there("\n\n(defn f [n]\n (* 2 n))", OnConflict::Error), "23");
        let told = there("(defn f [x] (* 3 x))", OnConflict::Error);
        assert!(told.contains("#'user/f") && !told.contains("user/k"), "{told}");
        assert_eq!(there("(defn f [x] (* 3 x))", OnConflict::Ours), "33");
        assert_eq!(there("(defn f [x] (* 3 x))", OnConflict::Theirs), "23");
    });
}

/// Bytes with their checksum made right again, as an attacker would.
fn resealed(bytes: &[u8]) -> Vec<u8> {
    let n = bytes.len() - 32;
    let mut out = bytes[..n].to_vec();
    out.extend(blake3::hash(&bytes[..n]).as_bytes());
    out
}

#[test]
fn damage_is_an_error() {
    roomy(|| {
        let bytes = freeze(&mut machine(), SLICE);
        let mut vm = machine();
        for i in 0..bytes.len() {
            for flip in [1u8, 0x80, 0xFF] {
                let mut damaged = bytes.clone();
                damaged[i] ^= flip;
                assert!(vm.thaw(&damaged, OnConflict::Error).is_err(), "byte {i}");
            }
            assert!(vm.thaw(&bytes[..i], OnConflict::Error).is_err(), "cut at {i}");
        }
    });
}

/// Damage behind a right checksum: an error, or something that runs without harm to the machine.
fn attack(bytes: &[u8], seed: u64, rounds: usize, enter: impl Fn(&mut Vm, &[u8])) {
    let mut x = seed;
    let mut next = move || {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        x
    };
    for round in 0..rounds {
        let mut damaged = bytes.to_vec();
        let n = damaged.len() - 32;
        let at = 10 + round % (n - 10);
        match next() % 4 {
            0 => damaged[at] ^= 1 << (next() % 8),
            1 => damaged[at] = next() as u8,
            2 => damaged[at] = damaged[at].wrapping_add(1),
            _ => {
                let other = 10 + next() as usize % (n - 10);
                damaged[at] = damaged[other];
            }
        }
        let mut vm = machine();
        vm.fuel = Some(20_000);
        vm.set_memory_limit(64 << 20);
        enter(&mut vm, &resealed(&damaged));
    }
}

#[test]
fn hostile_values_do_no_harm() {
    roomy(|| {
        let bytes = freeze(&mut machine(), SLICE);
        attack(&bytes, 88172645463325252, 3 * bytes.len(), |vm, b| {
            if let Ok(k) = vm.thaw(b, OnConflict::Error) {
                if let Ok(v) = vm.call_now(k, &[Value::fix(7)]) {
                    let _ = vm.pr_now(v);
                }
                let _ = vm.freeze(k);
            }
        });
    });
}

#[test]
fn hostile_programs_do_no_harm() {
    roomy(|| {
        let mut vm = machine();
        vm.parking.allowed = true;
        let source = "
            (require '[yin.control :as c])
            (def ^:dynamic *d* 1)
            (defn f [n] (if (zero? n) (c/park :here) (+ *d* (f (dec n)))))
            (def t (c/spawn (fn [] (c/sleep 1) :slept)))
            (binding [*d* 2] (c/dynamic-wind (fn []) (fn [] (println (f 3) (c/join t))) (fn [])))
            (println :end)";
        assert!(matches!(vm.eval_text(source, "p.clj"), Err(Exit::Stop)));
        let bytes = vm.parking.bytes.take().expect("it parked");
        let mut fresh = machine();
        fresh.read_program(&bytes, OnConflict::Error).expect("it is a program");
        assert!(fresh.go_on(Value::fix(10)).is_ok(), "{}", fresh.failure().message);
        assert_eq!(fresh.out, "16 :slept\n:end\n");
        attack(&bytes, 1442695040888963407, bytes.len(), |vm, b| {
            if vm.read_program(b, OnConflict::Error).is_ok() {
                let _ = vm.go_on(Value::fix(7));
            }
        });
    });
}

// ---- the command

struct Dir(PathBuf);
impl Dir {
    fn new(name: &str) -> Dir {
        let d = std::env::temp_dir().join(format!("yin-travel-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&d).expect("a folder");
        Dir(d)
    }
    fn file(&self, name: &str, text: &str) -> String {
        let p = self.0.join(name);
        std::fs::write(&p, text).expect("writable");
        p.to_string_lossy().into_owned()
    }
    fn path(&self, name: &str) -> String {
        self.0.join(name).to_string_lossy().into_owned()
    }
}
impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn yin(args: &[&str]) -> (Option<i32>, String, String) {
    let out = Command::new(env!("CARGO_BIN_EXE_yin")).args(args).output().expect("it runs");
    let text = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
    (out.status.code(), text(&out.stdout), text(&out.stderr))
}

#[test]
fn a_program_parks_and_is_resumed_many_times() {
    let d = Dir::new("park");
    let p = d.file(
        "p.clj",
        "(def a (atom 5))
         (defn deep [n] (if (zero? n) (yin.control/park {:at \"the bottom\"}) (+ 1 (deep (dec n)))))
         (println :before)
         (println (deep 1000) @a)
         (swap! a inc)
         (println :after @a)",
    );
    let f = d.path("frozen");
    assert_eq!(yin(&["run", "--park", &f, &p]), (Some(0), ":before\n{:at \"the bottom\"}\n".into(), String::new()));
    let size = std::fs::metadata(&f).expect("it is there").len();
    assert!(size <= 64 << 10, "1000 frames take {size} bytes");
    for v in ["1", "41", "41"] {
        let n: i64 = v.parse::<i64>().expect("a number") + 1000;
        assert_eq!(yin(&["resume", &f, v]), (Some(0), format!("{n} 5\n:after 6\n"), String::new()));
    }
    let (code, out, err) = yin(&["resume", &f, "\"x\""]);
    assert!(code == Some(1) && out.is_empty() && err.starts_with("error[type]") && err.contains("p.clj:2"), "{err}");
    let (code, out, _) = yin(&["inspect", &f]);
    assert!(code == Some(0) && out.contains("user/deep") && out.contains("p.clj:2"), "{out}");
    // The same by Datalog; nothing runs.
    let q = "[:find (count ?f) . :where [?f :yin.frame/function user/deep] [?f :yin.frame/line 2]]";
    let (code, out, err) = yin(&["query", "--source", "frozen", "--format", "edn", q, &f]);
    assert!(code == Some(0) && out == "1000\n", "{out}{err}");
    assert_eq!(yin(&["run", &p]).0, Some(1), "without --park a program cannot park");
    std::fs::write(&f, "nothing").expect("writable");
    assert_eq!(yin(&["resume", &f]).0, Some(2));
}

#[test]
fn a_program_goes_on_with_definitions_of_this_side() {
    let d = Dir::new("conflict");
    let p = d.file(
        "p.clj",
        "(def seen (atom []))
         (def same (atom 0))
         (defn price [x] (* 2 x))
         (swap! seen conj :before)
         (swap! same inc)
         (println (+ (price 1) (yin.control/park :here) (price 10)) @seen @same)",
    );
    let f = d.path("frozen");
    assert_eq!(yin(&["run", "--park", &f, &p]).0, Some(0));
    let l = d.file("new.clj", "(def same (atom 7)) (defn price [x] (* 3 x)) (defn more [] 1)");
    let (code, out, err) = yin(&["resume", &f, "100", "--load", &l]);
    assert!(code == Some(2) && out.is_empty() && err.contains("#'user/price") && !err.contains("#'user/same"), "{err}");
    assert!(err.contains("--on-conflict"), "{err}");
    let got = |how: &str| yin(&["resume", "--on-conflict", how, "--load", &l, &f, "100"]);
    assert_eq!(got("ours"), (Some(0), "132 [:before] 1\n".into(), String::new()));
    assert_eq!(got("theirs"), (Some(0), "122 [:before] 1\n".into(), String::new()));
    assert_eq!(got("error").0, Some(2));
    assert_eq!(got("mine").0, Some(2));
    // Without definitions of its own, this side has nothing that could conflict.
    assert_eq!(yin(&["resume", "--on-conflict", "error", &f, "100"]).1, "122 [:before] 1\n");
}

#[test]
fn a_program_goes_on_from_its_last_checkpoint() {
    let d = Dir::new("checkpoint");
    let p = d.file(
        "p.clj",
        "(defn work [n acc] (if (zero? n) acc (recur (dec n) (mod (+ (* acc 31) n) 1000003))))
         (def parts (atom []))
         (dotimes [i 1000000] (swap! parts (fn [ps] (if (< (count ps) 40) (conj ps (work 100000 i)) ps))))
         (println (reduce + @parts))",
    );
    let f = d.path("frozen");
    let want = yin(&["run", &p]).1;
    let start = || {
        let mut c = Command::new(env!("CARGO_BIN_EXE_yin"));
        c.args(["run", "--checkpoint", &f, "--every", "50000", &p]).stdout(Stdio::null());
        c.spawn().expect("it starts")
    };
    let mut child = start();
    while std::fs::metadata(&f).is_err() {
        assert!(child.try_wait().expect("it can be asked").is_none(), "it ended without a checkpoint");
        std::thread::yield_now();
    }
    child.kill().expect("it was running");
    child.wait().expect("it is gone");
    assert_eq!(yin(&["resume", &f]), (Some(0), want, String::new()));
}

#[test]
fn compiled_loops_take_checkpoints() {
    let d = Dir::new("compiled-checkpoint");
    let p = d.file("p.clj", "(loop [i 0 s 0] (if (< i 3000000) (recur (inc i) (rem (+ s i) 1000003)) (println s)))");
    let f = d.path("frozen");
    let want = yin(&["run", "--jit", "always", &p]).1;
    assert_eq!(yin(&["run", "--jit", "always", "--checkpoint", &f, "--every", "1000000", &p]).1, want);
    // The last was in the middle of the loop, and what is left of it gives the same.
    let (code, out, _) = yin(&["resume", "--stats", &f]);
    assert_eq!((code, out), (Some(0), want));
}

#[cfg(unix)]
#[test]
fn a_request_to_terminate_parks_all_threads() {
    let d = Dir::new("term");
    let go = d.path("go");
    let p = d.file(
        "p.clj",
        &format!(
            "(require '[yin.control :as c])
             (def n (atom 0))
             (def ts (doall (map (fn [i] (c/spawn (fn [] (dotimes [_ 3] (c/sleep 1) (swap! n + i)) i))) (range 10))))
             (spit {go:?} \"\")
             (loop [] (when-not (.exists (java.io.File. {:?})) (c/sleep 1) (recur)))
             (let [vs (mapv c/join ts)] (println vs @n))",
            d.path("stop")
        ),
    );
    let f = d.path("frozen");
    let child = Command::new(env!("CARGO_BIN_EXE_yin"))
        .args(["run", "--park-on-term", &f, &p])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    while std::fs::metadata(&go).is_err() {
        std::thread::yield_now();
    }
    let killed = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().expect("kill exists");
    assert!(killed.success());
    let out = child.wait_with_output().expect("it ends");
    assert_eq!(out.status.code(), Some(0), "{}", String::from_utf8_lossy(&out.stderr));
    std::fs::write(d.path("stop"), "").expect("writable");
    assert_eq!(yin(&["resume", &f]), (Some(0), "[0 1 2 3 4 5 6 7 8 9] 135\n".into(), String::new()));
}
