//! The reader on texts right, wrong and damaged.

use super::reader::{Form, FormKind, ReadError, Reader, Resolver};
use yin_ast::diag::Diag;

struct Plain(u64);

impl Resolver for Plain {
    fn current_ns(&self) -> String {
        "user".into()
    }
    fn alias(&self, alias: &str) -> Option<String> {
        (alias == "str").then(|| "clojure.string".into())
    }
    fn quote_symbol(&self, name: &str) -> String {
        format!("user/{name}")
    }
    fn gensym(&mut self) -> u64 {
        self.0 += 1;
        self.0
    }
}

/// Every form and every mistake of a text.
fn read_all(text: &str) -> (Vec<Form>, Vec<ReadError>) {
    let mut r = Reader::new(text);
    let (mut forms, mut errors) = (Vec::new(), Vec::new());
    loop {
        let at = r.position();
        match r.next_form(&mut Plain(0)) {
            Ok(Some(f)) => forms.push(f),
            Ok(None) => return (forms, errors),
            Err(e) => {
                assert!(!e.is_empty());
                errors.extend(e);
            }
        }
        assert!(r.position() > at, "the reader moves on in {text:?}");
    }
}

/// The mistakes as `code text-at-fault`.
fn mistakes(text: &str) -> Vec<String> {
    let all = read_all(text).1;
    all.iter().map(|e| format!("{} {}", e.diag.code(), &text[e.start as usize..e.end as usize])).collect()
}

#[test]
fn one_pass_finds_every_mistake() {
    let text = "(defn f [x]\n  (str \"a\\qb\\u12\" \\spoce :a/)\n  {:a 1 :a 2 :b})\n\n(inc 1))\n(f ::nope/x #\"re\" ##Infinite)\n";
    assert_eq!(
        mistakes(text),
        [
            "Y0114 \\q",
            "Y0112 \\u",
            "Y0115 \\spoce",
            "Y0108 :a/",
            "Y0111 :a",
            "Y0110 {:a 1 :a 2 :b}",
            "Y0101 )",
            "Y0109 ::nope/x",
            "Y0122 ##Infinite"
        ]
    );
}

#[test]
fn a_wrong_delimiter_closes_what_lacks_its_own() {
    assert_eq!(mistakes("(let [a (inc 1] a)\n(inc 2))"), ["Y0102 ]", "Y0101 )"]);
    // Nothing waits for it: it is skipped.
    assert_eq!(mistakes("(inc 1] )\n:fine"), ["Y0102 ]"]);
    assert_eq!(mistakes("[1 (list ') 2]"), ["Y0103 )"]);
}

#[test]
fn a_form_without_end_costs_only_itself() {
    let text = "(defn f [x]\n  (inc x)\n\n(defn g [y] (dec y))\n(def :a/ 1)\n";
    let (forms, errors) = read_all(text);
    assert_eq!(forms.len(), 1, "g is read");
    assert_eq!(mistakes(text), ["Y0104 (", "Y0108 :a/"]);
    assert!(errors[0].incomplete && !errors[1].incomplete);
    assert_eq!(
        errors[0].hint.as_deref(),
        Some("line 4 begins a form at the left edge: a delimiter may be missing before it")
    );
    assert_eq!(mistakes("(str \"abc)\n(inc 1)"), ["Y0105 \""]);
}

#[test]
fn branches_not_taken_need_not_resolve() {
    let (forms, errors) = read_all("[#?(:cljs ::nope/x :clj 1) #?@(:clj [2 3]) '#?@(:clj [4 5])]");
    assert!(errors.is_empty(), "{errors:?}");
    let FormKind::Vector(items) = &forms[0].kind else { panic!("a vector") };
    assert_eq!(items.len(), 5, "{items:?}");
    assert_eq!(mistakes("[#?(:clj 1 :cljs) #?(clj (a/ b/)) 3]"), ["Y0129 :cljs", "Y0128 clj", "Y0108 a/", "Y0108 b/"]);
}

#[test]
fn deep_nesting_is_an_error_and_costs_only_its_form() {
    let text = format!("{}\n(inc 1)", "[".repeat(100_000));
    let (forms, errors) = read_all(&text);
    assert_eq!((forms.len(), errors.len()), (1, 1));
    assert_eq!(errors[0].diag, Diag::TooDeep);
    assert_eq!(read_all(&"'".repeat(5000)).1[0].diag, Diag::TooDeep);
}

#[test]
fn spans_are_exact() {
    let text = "(défn f [x] #\"é\" {:ü \"ß\"})";
    fn check(f: &Form, text: &str) {
        let s = &text[f.start as usize..f.end as usize];
        assert!(!s.starts_with(char::is_whitespace) && !s.ends_with(char::is_whitespace), "{s:?}");
        match &f.kind {
            FormKind::List(i) | FormKind::Vector(i) | FormKind::Map(i) | FormKind::Set(i) => {
                i.iter().for_each(|f| check(f, text))
            }
            FormKind::Symbol(n) => assert_eq!(n, s),
            FormKind::Keyword(n) => assert_eq!(n, &s[1..]),
            _ => {}
        }
    }
    read_all(text).0.iter().for_each(|f| check(f, text));
}

#[test]
fn numbers_are_spelt_right_or_refused() {
    for good in
        "0 00 017 42 -1 +1 0x2A 0Xff 2r101 36rZZ 42N 0x2AN 017N 22/7 -1/2 1. 1.5 1e3 1.5e-3 1E+3 1.5M 1M 1e3M 08.5"
            .split(' ')
    {
        assert_eq!(mistakes(good), [""; 0], "{good}");
    }
    for bad in "08 0x 0x1_0 0x-1 1_000 2r2 1r0 37r1 2r 1/ 1/a 1/2/3 1.5N 1e 1e+ 1.2.3 12abc 1M2 --1x 1-".split(' ') {
        let want = if bad.starts_with('-') { vec![] } else { vec![format!("Y0134 {bad}")] };
        assert_eq!(mistakes(bad), want, "{bad}");
    }
}

/// xorshift64 (Marsaglia 2003).
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n as u64) as usize
    }
}

/// What must hold of any text at all.
fn holds(text: &str) {
    let (forms, errors) = read_all(text);
    for (start, end) in forms.iter().map(|f| (f.start, f.end)).chain(errors.iter().map(|e| (e.start, e.end))) {
        assert!(start <= end && text.get(start as usize..end as usize).is_some(), "{start}..{end} in {text:?}");
    }
    // Data differs in what it takes, not in what holds.
    let mut r = Reader::data(text);
    while !matches!(r.next_form(&mut Plain(0)), Ok(None)) {}
    let mut r = Reader::new(text);
    r.remaining_errors(&mut Plain(0));
}

#[test]
fn any_text_is_read_or_refused() {
    const PIECES: &[&str] = &[
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        "#{",
        "#(",
        "#_",
        "#'",
        "#?(",
        "#?@(",
        "#:a{",
        "#::str{",
        "#::x{",
        "'",
        "`",
        "~",
        "~@",
        "@",
        "^",
        "#^",
        "\"",
        "\\",
        "\\u00e9",
        "\\ud800",
        "\"\\ud83d\\ude00\"",
        "#\"",
        ";",
        "\n",
        "\n(",
        " ",
        ",",
        ":a",
        "::b",
        "::str/c",
        ":clj",
        ":cljs",
        "%",
        "%&",
        "%2",
        "%99",
        "a#",
        "1",
        "1/2",
        "0x",
        "-",
        "nil",
        "##Inf",
        "#!",
        "#=",
        "#<",
        "#inst",
        "é",
        "\u{feff}",
        "𝄞",
        "\0",
        "/",
        "a/b",
        "a/",
        "::",
    ];
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    for _ in 0..20_000 {
        let n = random.below(12);
        let text: String = (0..n).map(|_| PIECES[random.below(PIECES.len())]).collect();
        holds(&text);
    }
}

#[test]
fn damaged_programs_are_read_or_refused() {
    let source = include_str!("../../../vm/lib/clojure/core/refs.clj");
    assert_eq!(read_all(source).1, []);
    let mut random = Random(42);
    for _ in 0..300 {
        let mut bytes = source.as_bytes().to_vec();
        for _ in 0..1 + random.below(4) {
            let at = random.below(bytes.len());
            match random.below(3) {
                0 => bytes[at] = random.below(256) as u8,
                1 => drop(bytes.drain(at..(at + random.below(40)).min(bytes.len()))),
                _ => bytes.insert(at, b"()[]{}\"\\#'`~@^;"[random.below(15)]),
            }
        }
        holds(&String::from_utf8_lossy(&bytes));
    }
}
