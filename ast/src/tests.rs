//! Identities between nodes, facts and text, on generated programs and on facts as other systems write them.

use crate::datoms::{Fact, Format, facts, write};
use crate::hash::hashes;
use crate::{Ast, Kind, NodeId, Span, parse, program, read};
use datoms::edn::Edn;

/// A generator of programs in which every binder is in scope (splitmix64).
struct Gen {
    seed: u64,
    ast: Ast,
    file: u32,
    scope: Vec<NodeId>,
}

impl Gen {
    fn n(&mut self, below: u64) -> u64 {
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.seed;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % below
    }
    fn span(&mut self) -> Span {
        let (start, len) = (self.n(60) as u32, self.n(10) as u32);
        if self.n(9) == 0 { Span::NONE } else { Span { file: self.file, start, end: start + len } }
    }
    fn name(&mut self) -> String {
        ["x", "y", "z'", "λ"][self.n(4) as usize].into()
    }
    fn value(&mut self) -> Edn {
        let text = [
            "1",
            "nil",
            "\"a\\n\\\"b\"",
            "[1 :k]",
            "{:a #{1 2}}",
            "2.5",
            "1/3",
            "99999999999999999999",
            "\\a",
            "#\"x+\"",
        ];
        let i = self.n(text.len() as u64) as usize;
        datoms::edn::read(text[i]).expect("valid")
    }
    fn param(&mut self) -> NodeId {
        let (s, n) = (self.span(), self.name());
        let p = self.ast.named(Kind::Parameter, s, &n, &[]);
        self.scope.push(p);
        p
    }
    fn many(&mut self, depth: u64) -> Vec<NodeId> {
        let n = self.n(3);
        (0..n).map(|_| self.expr(depth)).collect()
    }
    fn binding(&mut self, depth: u64) -> NodeId {
        let init = self.expr(depth);
        let (s, n) = (self.span(), self.name());
        let b = self.ast.named(Kind::Binding, s, &n, &[init]);
        self.scope.push(b);
        b
    }
    fn lambda(&mut self, n: usize, depth: u64) -> NodeId {
        let mark = self.scope.len();
        let mut c: Vec<NodeId> = (0..n).map(|_| self.param()).collect();
        c.push(NodeId::NONE);
        if self.n(3) == 0 && n == 2 {
            c[n] = self.param();
        }
        let body = self.expr(depth);
        c.push(body);
        self.scope.truncate(mark);
        let s = self.span();
        self.ast.add(Kind::Lambda, s, &c)
    }
    fn opt(&mut self, depth: u64) -> NodeId {
        if self.n(2) == 0 { NodeId::NONE } else { self.expr(depth) }
    }
    fn expr(&mut self, depth: u64) -> NodeId {
        let pick = if depth == 0 { self.n(3) } else { self.n(18) };
        let d = depth.saturating_sub(1);
        let mark = self.scope.len();
        let id = match pick {
            0 => {
                let (s, v) = (self.span(), self.value());
                self.ast.literal(s, v)
            }
            1 if !self.scope.is_empty() => {
                let i = self.n(mark as u64) as usize;
                let b = self.scope[i];
                let (s, other) = (self.span(), self.n(10) == 0);
                let n = if other { "this".into() } else { self.ast.name(b).unwrap_or("").to_string() };
                self.ast.local(s, &n, b)
            }
            1 | 2 => {
                let s = self.span();
                self.ast.named(Kind::Variable, s, "clojure.core/+", &[])
            }
            3..=6 => {
                let mut c = vec![self.expr(d)];
                c.extend(self.many(d));
                let s = self.span();
                let id = self.ast.add(Kind::Application, s, &c);
                if self.n(2) == 0 {
                    self.ast.set_tail(id);
                }
                id
            }
            7 => {
                let c = [self.expr(d), self.expr(d), self.opt(d)];
                let s = self.span();
                self.ast.add(Kind::If, s, &c)
            }
            8 | 9 => {
                let n = self.n(3);
                let mut c: Vec<NodeId> = (0..n).map(|_| self.binding(d)).collect();
                c.push(self.expr(d));
                let s = self.span();
                self.ast.add(if pick == 8 { Kind::Let } else { Kind::Loop }, s, &c)
            }
            10 => {
                let own = if self.n(2) == 0 { NodeId::NONE } else { self.param() };
                let c = [own, self.lambda(1, d), self.lambda(2, d)];
                let s = self.span();
                self.ast.named(Kind::Function, s, "f", &c)
            }
            11 => {
                let ps: Vec<NodeId> = (0..2).map(|_| self.param()).collect();
                let mut c = Vec::new();
                for p in ps {
                    let f = self.lambda(1, d);
                    let (s, n) = (self.span(), self.ast.name(p).unwrap_or("").to_string());
                    let b = self.ast.named(Kind::Binding, s, &n, &[f]);
                    self.ast.set_refers_to(b, p);
                    c.push(b);
                }
                c.push(self.expr(d));
                let s = self.span();
                self.ast.add(Kind::Letrec, s, &c)
            }
            12 => {
                let mut c = vec![self.expr(d)];
                for _ in 0..self.n(2) {
                    let class = self.expr(0);
                    let p = self.param();
                    let body = self.expr(d);
                    self.scope.truncate(mark);
                    let s = self.span();
                    c.push(self.ast.add(Kind::Catch, s, &[class, p, body]));
                }
                c.push(self.opt(d));
                let s = self.span();
                self.ast.add(Kind::Try, s, &c)
            }
            13 => {
                let c = [self.expr(d), self.expr(d), self.expr(d)];
                let s = self.span();
                let id = self.ast.add(Kind::Case, s, &c);
                self.ast.set_value(id, Edn::vector(vec![Edn::vector(vec![Edn::Int(1), Edn::keyword("k")])]));
                id
            }
            14 => {
                let (c, s) = ([self.expr(d)], self.span());
                let id = self.ast.named(Kind::Field, s, "width", &c);
                self.ast.set_value(id, Edn::Int(1));
                id
            }
            15 => {
                let (c, s) = ([self.opt(d), self.opt(d)], self.span());
                self.ast.named(Kind::Define, s, "user/x", &c)
            }
            16 => {
                let n = 2 * self.n(3);
                let c: Vec<NodeId> = (0..n).map(|_| self.expr(d)).collect();
                let s = self.span();
                self.ast.add(Kind::MapOf, s, &c)
            }
            _ => {
                let (c, s) = (self.many(d), self.span());
                self.ast.add(Kind::Do, s, &c)
            }
        };
        self.scope.truncate(mark);
        id
    }
}

fn generated(seed: u64) -> Ast {
    let mut ast = Ast::after_image(if seed.is_multiple_of(2) { 0 } else { 1000 }, 0);
    let file = ast.add_file("gen.clj", "one line\nand another λλλ with more\nand a third that is rather long, too\n");
    let mut g = Gen { seed, ast, file, scope: Vec::new() };
    for t in 0..1 + seed % 3 {
        g.ast.set_t(t as i64);
        let root = g.expr(5);
        g.ast.add_root(root);
    }
    g.ast
}

fn all(ast: &Ast) -> Vec<Fact> {
    facts(ast, ast.ids())
}

#[test]
fn ast_to_facts_to_ast_is_the_identity() {
    for seed in 0..400 {
        let a = generated(seed);
        let problems = crate::check::check(&a, NodeId(0));
        assert!(problems.is_empty(), "seed {seed}: {problems:?}");
        let b = program(&all(&a)).unwrap_or_else(|e| panic!("seed {seed}: {e:?}"));
        assert_eq!(a.len(), b.len(), "seed {seed}");
        assert_eq!(a.roots, b.roots, "seed {seed}");
        for id in a.ids() {
            let view = |a: &Ast| {
                let s = a.span(id);
                let file = a.file(s.file).map(|f| (f.name.clone(), s.start, s.end));
                let node = (a.kind(id), a.children(id).to_vec(), a.name(id).map(String::from), a.value(id).cloned());
                (node, a.refers_to(id), a.parent(id), a.is_tail(id), a.t(id), file, a.line_col(id))
            };
            assert_eq!(view(&a), view(&b), "seed {seed} {id:?}");
        }
    }
}

#[test]
fn facts_to_text_to_facts_to_ast_to_facts_is_the_identity() {
    for seed in 0..200 {
        let a = generated(seed);
        let mut text = Vec::new();
        write(&a, a.ids(), Format::Edn, &mut text).expect("memory takes all");
        let text = String::from_utf8(text).expect("text");
        let fs = parse(&text).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
        assert_eq!(fs, all(&a), "seed {seed}");
        assert_eq!(all(&program(&fs).expect("the same")), fs, "seed {seed}");
    }
}

#[test]
fn any_numbers_and_order_give_the_same_meaning() {
    for seed in 0..200 {
        let a = generated(seed);
        let mut fs = all(&a);
        // Negative numbers in the opposite order, parents before children, nothing that can be found out.
        fs.retain(|f| !matches!(f.a.as_str(), "yin/parent" | "yin/child-index" | "yin/hash" | "yin/start" | "yin/end"));
        fs.reverse();
        let number = |v: &Edn| Edn::Int(-17 - v.as_int().expect("a reference"));
        let refs: Vec<&str> = crate::schema::KINDS
            .iter()
            .flat_map(|k| k.children.iter().map(|c| c.attr))
            .chain(["yin/refers-to"])
            .collect();
        for f in &mut fs {
            f.e = -17 - f.e;
            f.t = 0;
            if refs.contains(&f.a.as_str()) {
                f.v = match &f.v {
                    Edn::Vector(v) => Edn::vector(v.iter().map(number).collect::<Vec<_>>()),
                    v => number(v),
                };
            }
        }
        let b = program(&fs).unwrap_or_else(|e| panic!("seed {seed}: {e:?}"));
        let meaning = |a: &Ast| {
            let (first, h) = (a.ids().next().map_or(0, |i| i.0), hashes(a));
            let mut m: Vec<_> = a.roots.iter().map(|r| h[(r.0 - first) as usize]).collect();
            m.sort();
            m
        };
        assert_eq!(meaning(&a), meaning(&b), "seed {seed}");
    }
}

/// `((fn [self n] (if (< n 1) 0 (self self (- n 1)))) …)` in few attributes, root unnamed, one lambda shared.
const SMALL: &str = "
[-17 :yin/type :application 0 1] [-17 :yin/operator -18 0 1] [-17 :yin/operands [-18 -30] 0 1]
[-18 :yin/type :lambda 0 1] [-18 :yin/params [self n] 0 1] [-18 :yin/body -19 0 1]
[-19 :yin/type :if 0 1] [-19 :yin/test -20 0 1] [-19 :yin/consequent -24 0 1] [-19 :yin/alternate -25 0 1]
[-20 :yin/type :application 0 1] [-20 :yin/operator -21 0 1] [-20 :yin/operands -22] [-20 :yin/operands -23]
[-21 :yin/type :variable] [-21 :yin/name <] [-22 :yin/type :variable] [-22 :yin/name n]
[-23 :yin/type :literal] [-23 :yin/value 1] [-24 :yin/type :literal] [-24 :yin/value 7] [-24 :yin/value 0]
[-25 :yin/type :application] [-25 :yin/tail? true] [-25 :yin/operator -26] [-25 :yin/operands [-26 -27]]
[-26 :yin/type :variable] [-26 :yin/name self]
[-27 :yin/type :application] [-27 :yin/operator -28] [-27 :yin/operands [-22 -23]]
[-28 :yin/type :variable] [-28 :yin/name -]
[-30 :yin/type :literal] [-30 :yin/value 1000]";

#[test]
fn facts_that_say_less_are_completed() {
    let a = program(&parse(SMALL).expect("facts")).expect("a program");
    let root = a.roots[0];
    assert_eq!(a.roots.len(), 1);
    assert_eq!((a.kind(root), a.children(root).len()), (Kind::Application, 3));
    let (f, g) = (a.child(root, 0), a.child(root, 1));
    assert_ne!(f, g, "a shared entity becomes two nodes");
    for l in [f, g] {
        assert_eq!(a.repeated(l).iter().map(|p| a.name(*p)).collect::<Vec<_>>(), [Some("self"), Some("n")]);
        let test = a.child(a.child(l, -1), 0);
        assert_eq!(a.refers_to(a.child(test, 1)), Some(a.repeated(l)[1]));
        assert_eq!(a.refers_to(a.child(test, 0)), None);
        let again = a.child(a.child(l, -1), 2);
        assert!(a.is_tail(again));
        assert_eq!(a.refers_to(a.child(again, 0)), Some(a.repeated(l)[0]));
        assert_eq!(a.value(a.child(a.child(l, -1), 1)), Some(&Edn::Int(0)), "the last assertion counts");
    }
    let h = hashes(&a);
    assert_eq!(h[f.0 as usize], h[g.0 as usize]);
    // Full facts of it are complete.
    let full = all(&a);
    assert_eq!(all(&program(&full).expect("a program")), full);
}

#[test]
fn what_is_no_program_is_refused_with_the_entity() {
    let check = |text: &str, e: i64, part: &str| {
        let mut ast = Ast::new();
        let errors = read(&mut ast, &parse(text).expect("facts")).expect_err(text);
        assert!(errors.iter().any(|x| x.e == e && x.message.contains(part)), "{text}: {errors:?}");
        assert!(ast.is_empty(), "nothing was appended");
    };
    check("[1 :yin/type :literal] [2 :yin/type :nonsense]", 2, "no node type :nonsense");
    check("[1 :yin/type :if] [1 :yin/test 9] [1 :yin/consequent 1]", 1, "which is no node");
    check("[1 :yin/type :if] [1 :yin/test 1] [1 :yin/consequent 1]", 1, "contains itself");
    check("[1 :yin/type :throw]", 1, "needs :yin/val-node");
    check("[1 :yin/type :recur]", 1, "outside the tail");
    check("[1 :yin/type :let] [1 :yin/body 2] [1 :yin/bindings [2]] [2 :yin/type :literal]", 1, "cannot stand there");
    check(
        "[1 :yin/type :lambda] [1 :yin/params [x & y z]] [1 :yin/body 2] [2 :yin/type :literal]",
        1,
        "one name follows &",
    );
    check("[1 :yin/type :variable]", 1, "needs :yin/name");
    check("[1 :other/attr 1]", 0, "no root");
    check("[1 :yin/type :literal 0 1] [1 :yin/type :literal 1 0]", 0, "no root");
    let mut doubling = String::from("[0 :yin/type :literal]");
    for i in 1..40 {
        doubling.push_str(&format!("[{i} :yin/type :do] [{i} :yin/statements [{0} {0}]]", i - 1));
    }
    check(&doubling, 24, "unfold to more than");
    let mut deep = String::from("[0 :yin/type :literal]");
    for i in 1..100_000 {
        deep.push_str(&format!("[{i} :yin/type :throw] [{i} :yin/val-node {}]", i - 1));
    }
    check(&deep, 2000, "deeper than");
    assert!(parse("[1 :a]").is_err() && parse("[1 :a 2 3 4 5]").is_err() && parse("[").is_err());
    // A use outside the scope of its binder.
    check(
        "[16 :yin/type :parameter] [16 :yin/name x] [17 :yin/type :literal] \
         [18 :yin/type :lambda] [18 :yin/parameters [16]] [18 :yin/body 17] \
         [19 :yin/type :variable] [19 :yin/name x] [19 :yin/refers-to 16] \
         [20 :yin/type :do] [20 :yin/statements [18 19]] [20 :yin/root true]",
        19,
        "not in scope",
    );
}

#[test]
fn trees_and_tables_are_readable() {
    let a = program(
        &parse(
            "[16 :yin/type :variable] [16 :yin/name f] [17 :yin/type :literal] [17 :yin/value \"a\\\"b\"] \
        [18 :yin/type :application] [18 :yin/operator 16] [18 :yin/operands [17]] [18 :yin/tail? true]",
        )
        .expect("facts"),
    )
    .expect("a program");
    let text = |f| {
        let mut out = Vec::new();
        write(&a, a.ids(), f, &mut out).expect("memory takes all");
        String::from_utf8(out).expect("text")
    };
    assert_eq!(
        text(Format::Tree),
        "application  #18 tail\n  operator: variable f  #16\n  operands: literal \"a\\\"b\"  #17\n"
    );
    assert!(text(Format::Json).contains("[17,\":yin/value\",\"a\\\"b\",0,1]\n"), "{}", text(Format::Json));
    assert!(text(Format::Json).contains("[18,\":yin/operands\",[17],0,1]\n"));
    assert!(text(Format::Table).starts_with("     16  yin/type           0 1  :variable\n"));
}
