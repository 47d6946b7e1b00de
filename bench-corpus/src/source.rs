//! Changing a program's text: other sizes, more iterations.

/// Language of a file by its suffix.
fn suffix(file: &str) -> &str {
    file.rsplit_once('.').map_or("", |p| p.1)
}

/// The text with the first definition of every constant replaced. A constant that the text does not define is passed over.
///
/// Definitions are `(def NAME …)` in Clojure, `(define NAME …)` in Scheme, and elsewhere a line `NAME = …` with `local` or
/// `const` before it or not.
pub fn with_constants(file: &str, text: &str, constants: &[(String, String)]) -> String {
    let mut text = text.to_string();
    for (name, value) in constants {
        let found = match suffix(file) {
            "clj" | "cljc" => lisp_constant(&text, &format!("(def {name} ")),
            "scm" | "rkt" => lisp_constant(&text, &format!("(define {name} ")),
            _ => line_constant(&text, name),
        };
        if let Some((from, to)) = found {
            text.replace_range(from..to, value);
        }
    }
    text
}

fn lisp_constant(text: &str, head: &str) -> Option<(usize, usize)> {
    let from = text.find(head)? + head.len();
    let to = from + text[from..].find(['(', ')'])?;
    text[to..].starts_with(')').then_some((from, to))
}

fn line_constant(text: &str, name: &str) -> Option<(usize, usize)> {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let rest = line.strip_prefix("local ").or_else(|| line.strip_prefix("const ")).unwrap_or(line);
        if let Some(value) = rest.strip_prefix(name).and_then(|r| r.strip_prefix(" = ")) {
            let from = at + line.len() - value.len();
            let to = from + value.find([';', '\n']).unwrap_or(value.len());
            return Some((from, to));
        }
        at += line.len();
    }
    None
}

/// The text followed by `times` more calls of `run`, each of which writes `iteration_ms N ANSWER` to standard error; none if
/// the program has no `run` or its language is not known.
pub fn repeated(file: &str, text: &str, times: usize) -> Option<String> {
    let (has_run, tail) = match suffix(file) {
        "clj" | "cljc" => (text.contains("(defn run []"), CLJ),
        "py" => (text.contains("\ndef run():"), PY),
        "lua" => (text.contains("\nlocal function run()"), LUA),
        "js" => (text.contains("\nfunction run()"), JS),
        "scm" => (text.contains("(define (run)"), SCM),
        _ => (false, ""),
    };
    if !has_run {
        return None;
    }
    let tail = tail.replace("TIMES", &times.to_string());
    let text = text.trim_end();
    Some(match suffix(file) {
        // The whole program is one `let`; the calls go inside.
        "scm" => format!("{}\n{tail})\n", text.strip_suffix(')')?),
        _ => format!("{text}\n{tail}"),
    })
}

const CLJ: &str = "
(dotimes [_ TIMES]
  (let [result (atom nil)
        report (with-out-str (time (reset! result (run))))]
    (binding [*out* *err*]
      (println \"iteration_ms\" (re-find #\"[0-9.]+\" report) @result))))
";

const PY: &str = "
for _ in range(TIMES):
    t0 = time.perf_counter()
    result = run()
    t1 = time.perf_counter()
    sys.stderr.write(\"iteration_ms \" + str((t1 - t0) * 1000.0) + \" \" + str(result) + \"\\n\")
";

const LUA: &str = "
for _ = 1, TIMES do
  local t0 = os.clock()
  local result = run()
  local t1 = os.clock()
  if type(result) == \"number\" then result = string.format(\"%d\", result) end
  io.stderr:write(\"iteration_ms \", (t1 - t0) * 1000, \" \", result, \"\\n\")
end
";

const JS: &str = "
for (let i = 0; i < TIMES; i++) {
  const t0 = performance.now();
  const result = run();
  const t1 = performance.now();
  process.stderr.write(\"iteration_ms \" + (t1 - t0) + \" \" + String(result) + \"\\n\");
}
";

const SCM: &str = "
  (let again ((i 0))
    (if (< i TIMES)
        (let* ((t0 (real-time)) (result (run)) (t1 (real-time)))
          (display \"iteration_ms \" (current-error-port))
          (display (- t1 t0) (current-error-port))
          (display \" \" (current-error-port))
          (display result (current-error-port))
          (newline (current-error-port))
          (again (+ i 1)))
        #t))
";

#[cfg(test)]
mod tests {
    use super::*;

    fn small(file: &str, text: &str) -> String {
        with_constants(file, text, &[("N".into(), "7".into())])
    }

    #[test]
    fn constants_are_replaced_once_and_whole() {
        assert_eq!(small("main.clj", "(def NN 1)\n(def N 37)\n(def N 1)"), "(def NN 1)\n(def N 7)\n(def N 1)");
        assert_eq!(small("main.clj", "(def N (inc 3))"), "(def N (inc 3))", "only plain values");
        assert_eq!(small("main.scm", "(let ()\n  (define N 37)"), "(let ()\n  (define N 7)");
        assert_eq!(small("main.js", "const NN = 1;\nconst N = 37;\n"), "const NN = 1;\nconst N = 7;\n");
        assert_eq!(small("main.lua", "local N = 37\nlocal M = N"), "local N = 7\nlocal M = N");
        assert_eq!(small("main.py", "x = 1\nN = 37"), "x = 1\nN = 7");
        assert_eq!(small("main.py", "x = 1"), "x = 1");
    }

    #[test]
    fn only_programs_with_a_run_can_be_repeated() {
        assert_eq!(repeated("main.clj", "(println 42)", 3), None);
        assert_eq!(repeated("main.txt", "(defn run [])", 3), None);
        assert!(repeated("main.clj", "(defn run [] 1)", 3).is_some_and(|t| t.contains("(dotimes [_ 3]")));
        let scheme = repeated("main.scm", "(let ()\n  (define (run) 1)\n  (run))\n", 3).expect("it has one");
        assert_eq!(scheme.matches('(').count(), scheme.matches(')').count());
    }
}
