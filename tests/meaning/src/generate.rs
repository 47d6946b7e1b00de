//! Programs from a seed: long arithmetic at the edges of fixnums and of 64 bits, loops, closures, recursion, exceptions,
//! continuations, vectors and maps. They end, or run into a limit of steps.
//!
//! A program defines `note`, which records what it is given in the order it happens, and ends with `[result @log]`. Most
//! expressions are of the type their place wants; a few are not, so that slow paths and errors are met too.

/// splitmix64 (Steele, Lea & Flood 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ z >> 31
    }
    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Type {
    /// Long, mostly.
    Int,
    Vector,
    /// A function of one number.
    Fn,
}

struct Generator {
    random: Random,
    locals: Vec<(String, Type)>,
    /// Functions of the program and how many parameters they have.
    functions: Vec<(String, usize)>,
    names: usize,
    /// Inside a prompt that an abort may leave.
    prompts: usize,
    /// Expressions still to spend.
    budget: usize,
}

/// Numbers where representations change.
const EDGES: &[&str] = &[
    "1152921504606846975",
    "1152921504606846976",
    "-1152921504606846976",
    "-1152921504606846977",
    "9223372036854775807",
    "-9223372036854775808",
    "4611686018427387904",
    "2147483647",
    "-2147483648",
    "4294967296",
    "32767",
    "-32769",
    "65536",
];

/// The program of a seed. The same seed gives the same text.
pub fn program(seed: u64) -> String {
    let mut g = Generator {
        random: Random(seed),
        locals: Vec::new(),
        functions: Vec::new(),
        names: 0,
        prompts: 0,
        budget: 30 + (seed % 120) as usize,
    };
    let mut s = String::from("(def log (atom []))\n(defn note [x] (swap! log conj x) x)\n");
    for _ in 0..1 + g.random.below(4) {
        s.push_str(&g.function());
        s.push('\n');
    }
    g.budget = g.budget.max(25);
    let result = if g.random.below(4) == 0 { g.vector(4) } else { g.int(6) };
    s.push_str(&format!("[{result} @log]\n"));
    s
}

impl Generator {
    fn name(&mut self, base: &str) -> String {
        self.names += 1;
        format!("{base}{}", self.names)
    }
    /// Evaluates `f` with locals in sight that vanish again.
    fn with(&mut self, locals: &[(String, Type)], f: impl FnOnce(&mut Self) -> String) -> String {
        let mark = self.locals.len();
        self.locals.extend_from_slice(locals);
        let s = f(self);
        self.locals.truncate(mark);
        s
    }
    fn local(&mut self, t: Type) -> Option<String> {
        let of: Vec<&String> = self.locals.iter().filter(|l| l.1 == t).map(|l| &l.0).collect();
        match of.len() {
            0 => None,
            n => {
                let i = self.random.below(n);
                Some(of[i].clone())
            }
        }
    }

    /// `(defn name [params] body)`; some call themselves, less and less.
    fn function(&mut self) -> String {
        let name = self.name("f");
        let n = 1 + self.random.below(3);
        let params: Vec<(String, Type)> = (0..n).map(|_| (self.name("p"), Type::Int)).collect();
        let list: Vec<&str> = params.iter().map(|p| p.0.as_str()).collect();
        let list = list.join(" ");
        let recursive = self.random.below(3) == 0;
        let outer = std::mem::take(&mut self.locals);
        let body = self.with(&params, |g| {
            if !recursive {
                return g.int(4);
            }
            // Counts its first parameter down; other calls in the body must not make it grow.
            let first = params[0].0.clone();
            let base = g.int(2);
            let mut args = vec![format!("(dec (bit-and {first} 31))")];
            args.extend((1..n).map(|_| g.int(2)));
            let step = format!("({name} {})", args.join(" "));
            let rest = g.int(2);
            match g.random.below(3) {
                0 => format!("(if (pos? {first}) {step} {base})"),
                1 => format!("(if (pos? {first}) (unchecked-add {rest} {step}) {base})"),
                _ => format!("(if (<= {first} 0) {base} (let [r {step}] (bit-xor r {rest})))"),
            }
        });
        self.locals = outer;
        self.functions.push((name.clone(), n));
        format!("(defn {name} [{list}] {body})")
    }

    fn leaf(&mut self) -> String {
        if self.random.below(3) > 0
            && let Some(l) = self.local(Type::Int)
        {
            return l;
        }
        match self.random.below(12) {
            0..=6 => (self.random.below(20) as i64 - 6).to_string(),
            7 | 8 => EDGES[self.random.below(EDGES.len())].to_string(),
            9 if self.random.below(3) == 0 => self.random.one(&["0.5", "2.0", "-1.25", "1.0E10"]).to_string(),
            10 => (self.random.next() as i64 >> self.random.below(64)).to_string(),
            // Not a number: an error, or its absence, is a result too.
            11 if self.random.below(20) == 0 => self.random.one(&["nil", ":k", "true", "[1]"]).to_string(),
            _ => "1".into(),
        }
    }

    fn bool(&mut self, depth: usize) -> String {
        let d = depth.saturating_sub(1);
        match self.random.below(7) {
            0..=2 => {
                let op = self.random.one(&["<", ">", "<=", ">=", "=", "=="]);
                format!("({op} {} {})", self.int(d), self.int(d))
            }
            3 => format!("({} {})", self.random.one(&["pos?", "neg?", "zero?"]), self.int(d)),
            4 => format!("(not {})", self.bool(d)),
            5 => format!("({} {} {})", self.random.one(&["and", "or"]), self.bool(d), self.bool(d)),
            _ => format!("({} {})", self.random.one(&["nil?", "some?"]), self.int(d)),
        }
    }

    fn int(&mut self, depth: usize) -> String {
        if depth == 0 || self.budget == 0 {
            return self.leaf();
        }
        self.budget -= 1;
        let d = depth - 1;
        match self.random.below(33) {
            0..=5 => {
                let op = self.random.one(&["+", "-", "*", "+", "-"]);
                match self.random.below(4) {
                    0 => format!("({op} {} {} {})", self.int(d), self.int(d), self.int(d)),
                    1 => format!("({op} {} {})", self.int(d), self.leaf()),
                    _ => format!("({op} {} {})", self.int(d), self.int(d)),
                }
            }
            6 => format!("({} {})", self.random.one(&["inc", "dec", "-"]), self.int(d)),
            7 => {
                let op = self.random.one(&["unchecked-add", "unchecked-subtract", "unchecked-multiply"]);
                format!("({op} {} {})", self.int(d), self.int(d))
            }
            8 => {
                let op = self.random.one(&["quot", "rem", "mod"]);
                let by = self.random.one(&["3", "-7", "1000", "1", "-1", "0"]);
                // Of longs only: the bits of a long, whatever it was.
                format!("({op} (bit-or 0 {}) {by})", self.int(d))
            }
            9 | 10 => {
                let op = self.random.one(&["bit-and", "bit-or", "bit-xor"]);
                format!("({op} {} {})", self.int(d), self.int(d))
            }
            11 => {
                let op = self.random.one(&["bit-shift-left", "bit-shift-right", "unsigned-bit-shift-right"]);
                format!("({op} {} {})", self.int(d), self.random.below(66))
            }
            12..=14 => format!("(if {} {} {})", self.bool(d), self.int(d), self.int(d)),
            15 | 16 => self.binding(d),
            17 => format!("(do (note {}) {})", self.int(d), self.int(d)),
            18 | 19 => self.counting(d),
            20 => self.call(d),
            21 => self.call_local(d),
            22 | 23 => self.attempt(d),
            24 if self.random.below(6) == 0 => format!("(throw (ex-info \"x\" {{:n {}}}))", self.leaf()),
            25 => format!("(count {})", self.vector(d)),
            26 => format!("(nth {} {} {})", self.vector(d), self.random.below(6), self.int(d)),
            27 => format!("(get {{:a {} :b {}}} {} 7)", self.int(d), self.int(d), self.random.one(&[":a", ":b", ":c"])),
            28 => self.folding(d),
            29 => self.prompt(d),
            30 => self.choice(d),
            31 => self.escape(d),
            _ => self.group(d),
        }
    }

    fn binding(&mut self, d: usize) -> String {
        let name = self.name("x");
        let init = self.int(d);
        let body = self.with(&[(name.clone(), Type::Int)], |g| g.int(d));
        format!("(let [{name} {init}] {body})")
    }

    /// A loop that counts down, with an accumulator; now and then one that is long enough to be hot.
    fn counting(&mut self, d: usize) -> String {
        let (i, acc) = (self.name("i"), self.name("a"));
        let n = if self.random.below(5) == 0 { 100 + self.random.below(400) } else { 1 + self.random.below(6) };
        let init = self.int(d.min(2));
        let locals = [(i.clone(), Type::Int), (acc.clone(), Type::Int)];
        let step = self.with(&locals, |g| g.int(d.min(2)));
        match self.random.below(3) {
            0 => format!("(loop [{i} {n} {acc} {init}] (if (pos? {i}) (recur (dec {i}) {step}) {acc}))"),
            1 => format!(
                "(loop [{i} 0 {acc} {init}] (if (< {i} {n}) (recur (inc {i}) (unchecked-add {acc} {step})) {acc}))"
            ),
            // Closures made in a loop keep the values of their turn.
            _ => format!(
                "(reduce (fn [s f] (unchecked-add s (f))) 0 (loop [{i} {} fs [] {acc} {init}] \
                 (if (zero? {i}) fs (recur (dec {i}) (conj fs (fn [] (bit-xor 0 {step}))) (unchecked-add {i} 1)))))",
                n.min(9)
            ),
        }
    }

    fn call(&mut self, d: usize) -> String {
        if self.functions.is_empty() {
            return self.leaf();
        }
        let i = self.random.below(self.functions.len());
        let (name, n) = self.functions[i].clone();
        // A call with a wrong number of arguments now and then.
        let n = if self.random.below(30) == 0 { n + 1 } else { n };
        let args: Vec<String> = (0..n).map(|_| self.int(d.min(2))).collect();
        format!("({name} {})", args.join(" "))
    }
    fn call_local(&mut self, d: usize) -> String {
        match self.local(Type::Fn) {
            Some(f) => format!("({f} {})", self.int(d)),
            None => {
                let f = self.name("g");
                let function = self.lambda(d);
                let body = self.with(&[(f.clone(), Type::Fn)], |g| g.int(d));
                format!("(let [{f} {function}] {body})")
            }
        }
    }
    /// A function of one number that captures what is in sight.
    fn lambda(&mut self, d: usize) -> String {
        let p = self.name("p");
        let prompts = std::mem::take(&mut self.prompts);
        let body = self.with(&[(p.clone(), Type::Int)], |g| g.int(d));
        self.prompts = prompts;
        format!("(fn [{p}] {body})")
    }

    fn attempt(&mut self, d: usize) -> String {
        let e = self.name("e");
        let body = if self.random.below(2) == 0 {
            format!("(+ {} (throw (ex-info \"x\" {{:n {}}})))", self.int(d), self.leaf())
        } else {
            self.int(d)
        };
        let handler = self.int(d);
        match self.random.below(4) {
            0 => format!("(try {body} (catch Exception {e} {handler}))"),
            1 => format!("(try {body} (catch ArithmeticException {e} {handler}) (finally (note {})))", self.leaf()),
            2 => format!("(try {body} (catch clojure.lang.ExceptionInfo {e} (get (ex-data {e}) :n {handler})))"),
            _ => format!("(try {body} (finally (note {handler})))"),
        }
    }

    fn vector(&mut self, d: usize) -> String {
        if let Some(v) = self.local(Type::Vector)
            && self.random.below(2) == 0
        {
            return v;
        }
        let d = d.saturating_sub(1);
        match self.random.below(5) {
            0 if self.budget > 0 => {
                let v = self.name("v");
                let init = format!("[{} {}]", self.int(d), self.int(d));
                let body = self.with(&[(v.clone(), Type::Vector)], |g| format!("(conj {v} {})", g.int(d)));
                format!("(let [{v} {init}] {body})")
            }
            1 => format!("(assoc [{} {}] {} {})", self.int(d), self.leaf(), self.random.below(3), self.int(d)),
            2 => format!("(mapv {} [1 2 {}])", self.lambda(d.min(2)), self.leaf()),
            _ => {
                let n = self.random.below(4);
                let items: Vec<String> = (0..n).map(|_| self.int(d.min(1))).collect();
                format!("[{}]", items.join(" "))
            }
        }
    }
    fn folding(&mut self, d: usize) -> String {
        let (a, x) = (self.name("a"), self.name("x"));
        let locals = [(a.clone(), Type::Int), (x.clone(), Type::Int)];
        let step = self.with(&locals, |g| g.int(d.min(2)));
        let over = match self.random.below(3) {
            0 => format!("(range {})", self.random.below(30)),
            _ => self.vector(d),
        };
        format!("(reduce (fn [{a} {x}] {step}) {} {over})", self.leaf())
    }

    /// A prompt, an abort to it under some work, and a handler that resumes never, once or twice.
    fn prompt(&mut self, d: usize) -> String {
        if self.prompts > 0 && self.random.below(2) == 0 {
            return format!("(yin.control/abort-to-prompt :t {})", self.int(d.min(1)));
        }
        self.prompts += 1;
        let x = self.name("x");
        let first = self.int(d.min(1));
        let body = self.with(&[(x.clone(), Type::Int)], |g| g.int(d));
        self.prompts -= 1;
        let thunk = format!("(let [{x} (yin.control/abort-to-prompt :t {first})] (note {body}))");
        let (k, v) = (self.name("k"), self.name("w"));
        let handler = match self.random.below(4) {
            0 => v.clone(),
            1 => format!("({k} {v})"),
            2 => format!("(unchecked-add ({k} 1) ({k} {v}))"),
            _ => format!("(do (note {v}) ({k} ({k} {v})))"),
        };
        // An abort while a resumed body runs finds the prompt that came with it.
        format!("(yin.control/call-with-prompt :t (fn [] {thunk}) (fn [{k} {v}] {handler}))")
    }
    /// An escape out of work, or a re-entry that counts up.
    fn escape(&mut self, d: usize) -> String {
        let k = self.name("k");
        if self.random.below(2) == 0 {
            let body = self.int(d);
            return format!("(yin.control/call-cc (fn [{k}] (+ 1 ({k} {body}))))");
        }
        let (cell, r) = (self.name("c"), self.name("r"));
        let again = self.int(d.min(1));
        format!(
            "(let [{cell} (atom nil) {r} (yin.control/call-cc (fn [{k}] (reset! {cell} {k}) 0))] \
             (do (note {again}) (if (< {r} 2) (@{cell} (inc {r})) {r})))"
        )
    }
    fn choice(&mut self, d: usize) -> String {
        let on = format!("(bit-and 3 {})", self.int(d));
        let (a, b, c) = (self.int(d), self.int(d), self.int(d));
        match self.random.below(2) {
            0 => format!("(case {on} 0 {a} (1 2) {b} {c})"),
            _ => format!("(cond (= 0 {on}) {a} {} {b} :else {c})", self.bool(d)),
        }
    }
    /// Functions that know each other.
    fn group(&mut self, d: usize) -> String {
        let (f, g, n, a) = (self.name("f"), self.name("g"), self.name("n"), self.name("a"));
        let locals = [(n.clone(), Type::Int), (a.clone(), Type::Int)];
        let (base, step) = (self.with(&locals, |x| x.int(d.min(1))), self.with(&locals, |x| x.int(d.min(2))));
        format!(
            "(letfn [({f} [{n} {a}] (if (pos? {n}) ({g} (dec {n}) {step}) {base})) \
             ({g} [{n} {a}] (if (pos? {n}) ({f} (dec {n}) (unchecked-add {a} {n})) {a}))] ({f} {} {}))",
            self.random.below(12),
            self.leaf()
        )
    }
}
