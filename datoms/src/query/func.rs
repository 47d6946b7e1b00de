//! Functions of queries: the trait by which a host adds its own, and the ones that are always there.

use super::error::{ErrorKind, QueryError};
use super::num::{self, Whole};
use crate::edn::{Edn, Keyword, Symbol};
use crate::source::Source;
use rustc_hash::FxHashMap;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

type Result<T> = std::result::Result<T, QueryError>;

/// A function, predicate or aggregate of the host. It must be pure: the engine calls it as often and in such order as
/// it likes.
pub trait Function: Send + Sync {
    /// Calls it. `sources` are the sources among the arguments, in order; `args` are the other arguments. A predicate
    /// holds unless it gives `nil` or `false`; a function that gives `nil` drops the row; an aggregate gets its
    /// constants first and then a vector of the values of the group.
    fn call(&self, sources: &[&dyn Source], args: &[Edn]) -> Result<Edn>;

    /// True if the function wants to see the arguments of many calls before the first of them: the engine then calls
    /// [`foresee`](Self::foresee).
    fn looks_ahead(&self) -> bool {
        false
    }

    /// The arguments of calls that follow if this gives no error. A function whose answers come from elsewhere gathers
    /// here what it has to ask, and stops the query with an error until it has the answers.
    fn foresee(&self, _sources: &[&dyn Source], _calls: &mut dyn Iterator<Item = Vec<Edn>>) -> Result<()> {
        Ok(())
    }
}

impl<F: Fn(&[Edn]) -> Result<Edn> + Send + Sync> Function for F {
    fn call(&self, _sources: &[&dyn Source], args: &[Edn]) -> Result<Edn> {
        self(args)
    }
}

/// Functions of the host by name. A name here hides a built-in one.
#[derive(Clone, Default)]
pub struct Registry {
    by_name: BTreeMap<String, Arc<dyn Function>>,
}

impl Registry {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds or replaces a function.
    pub fn add(&mut self, name: &str, function: impl Function + 'static) -> &mut Self {
        self.add_shared(name, Arc::new(function))
    }

    /// Adds or replaces a function that is already shared.
    pub fn add_shared(&mut self, name: &str, function: Arc<dyn Function>) -> &mut Self {
        self.by_name.insert(name.to_string(), function);
        self
    }

    /// The function of a name.
    pub fn get(&self, name: &str) -> Option<&Arc<dyn Function>> {
        self.by_name.get(name)
    }
}

/// A comparison of the built-in ones, which the engine runs on words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cmp {
    /// `=`
    Eq,
    /// `!=`, `not=`
    Ne,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
}

impl Cmp {
    /// Whether two values in this order satisfy it.
    #[inline]
    pub fn holds(self, o: Ordering) -> bool {
        match self {
            Cmp::Eq => o.is_eq(),
            Cmp::Ne => o.is_ne(),
            Cmp::Lt => o.is_lt(),
            Cmp::Le => o.is_le(),
            Cmp::Gt => o.is_gt(),
            Cmp::Ge => o.is_ge(),
        }
    }

    fn values(self, a: &Edn, b: &Edn) -> bool {
        match self {
            Cmp::Eq => a == b,
            Cmp::Ne => a != b,
            // Numbers compare by size alone: 1 is neither below nor above 1.0.
            _ => self.holds(a.compare_numbers(b).unwrap_or_else(|| a.cmp(b))),
        }
    }
}

/// A function that asks a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// `(get-else $ ?e :attr default)`
    GetElse,
    /// `(get-some $ ?e :attr…)`
    GetSome,
    /// `(missing? $ ?e :attr)`
    Missing,
}

type Builtin = fn(&[Edn]) -> Result<Edn>;

/// Anything that can be called.
#[derive(Clone)]
pub enum Func {
    /// A comparison of two or more arguments.
    Cmp(Cmp),
    /// `and`, `or`: here they take values.
    Builtin(Builtin),
    /// Asks a source.
    Ask(Ask),
    /// A function of the host.
    Host(Arc<dyn Function>),
}

impl std::fmt::Debug for Func {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Func::Cmp(c) => write!(f, "{c:?}"),
            Func::Builtin(_) => f.write_str("builtin"),
            Func::Ask(a) => write!(f, "{a:?}"),
            Func::Host(_) => f.write_str("host"),
        }
    }
}

impl Func {
    /// Calls it on values. `Ask` is answered by the engine and is an error here.
    pub fn call(&self, sources: &[&dyn Source], args: &[Edn]) -> Result<Edn> {
        match self {
            Func::Cmp(Cmp::Ne) => Ok(Edn::Bool(!args.windows(2).all(|w| Cmp::Eq.values(&w[0], &w[1])))),
            Func::Cmp(c) => Ok(Edn::Bool(args.windows(2).all(|w| c.values(&w[0], &w[1])))),
            Func::Builtin(f) => f(args),
            Func::Ask(_) => fail("A function that asks a database takes it as its first argument"),
            Func::Host(f) => f.call(sources, args),
        }
    }
}

fn fail<T>(message: impl Into<String>) -> Result<T> {
    Err(QueryError::new(ErrorKind::Function, message))
}

/// The built-in function of a name.
pub fn builtin(name: &str) -> Option<Func> {
    let b = |f: Builtin| Some(Func::Builtin(f));
    match name.strip_prefix("clojure.core/").unwrap_or(name) {
        "=" => Some(Func::Cmp(Cmp::Eq)),
        "==" => b(|a| match a.iter().find(|x| !x.is_number()) {
            Some(x) => fail(format!("== takes numbers, found {x}")),
            None => Ok(Edn::Bool(a.windows(2).all(|w| w[0].compare_numbers(&w[1]).is_some_and(Ordering::is_eq)))),
        }),
        "not=" | "!=" => Some(Func::Cmp(Cmp::Ne)),
        "<" => Some(Func::Cmp(Cmp::Lt)),
        "<=" => Some(Func::Cmp(Cmp::Le)),
        ">" => Some(Func::Cmp(Cmp::Gt)),
        ">=" => Some(Func::Cmp(Cmp::Ge)),
        "get-else" | "-get-else" => Some(Func::Ask(Ask::GetElse)),
        "get-some" | "-get-some" => Some(Func::Ask(Ask::GetSome)),
        "missing?" | "-missing?" => Some(Func::Ask(Ask::Missing)),
        "+" => b(|a| fold(a, Edn::Int(0), num::add)),
        "*" => b(|a| fold(a, Edn::Int(1), num::mul)),
        "-" => b(|a| match a {
            [] => arity("-"),
            [x] => num::sub(&Edn::Int(0), x),
            [x, rest @ ..] => fold(rest, x.clone(), num::sub),
        }),
        "/" => b(|a| match a {
            [] => arity("/"),
            [x] => num::div(&Edn::Int(1), x),
            [x, rest @ ..] => fold(rest, x.clone(), num::div),
        }),
        "quot" => b(|a| two("quot", a, |x, y| num::whole(Whole::Quot, x, y))),
        "rem" => b(|a| two("rem", a, |x, y| num::whole(Whole::Rem, x, y))),
        "mod" => b(|a| two("mod", a, |x, y| num::whole(Whole::Mod, x, y))),
        "inc" => b(|a| one("inc", a, |x| num::add(x, &Edn::Int(1)))),
        "dec" => b(|a| one("dec", a, |x| num::sub(x, &Edn::Int(1)))),
        "max" => b(|a| extreme("max", a, Ordering::Greater)),
        "min" => b(|a| extreme("min", a, Ordering::Less)),
        "zero?" => b(|a| one("zero?", a, |x| Ok(Edn::Bool(num::sign(x)? == 0)))),
        "pos?" => b(|a| one("pos?", a, |x| Ok(Edn::Bool(num::sign(x)? > 0)))),
        "neg?" => b(|a| one("neg?", a, |x| Ok(Edn::Bool(num::sign(x)? < 0)))),
        "even?" => {
            b(|a| one("even?", a, |x| Ok(Edn::Bool(num::sign(&num::whole(Whole::Rem, x, &Edn::Int(2))?)? == 0))))
        }
        "odd?" => b(|a| one("odd?", a, |x| Ok(Edn::Bool(num::sign(&num::whole(Whole::Rem, x, &Edn::Int(2))?)? != 0)))),
        "compare" => {
            b(|a| two("compare", a, |x, y| Ok(Edn::Int(x.compare_numbers(y).unwrap_or_else(|| x.cmp(y)) as i64))))
        }
        "identity" | "ground" | "untuple" => b(|a| one("identity", a, |x| Ok(x.clone()))),
        "tuple" | "vector" => b(|a| Ok(Edn::vector(a.to_vec()))),
        "list" => b(|a| Ok(Edn::list(a.to_vec()))),
        "true?" => b(|a| one("true?", a, |x| Ok(Edn::Bool(*x == Edn::Bool(true))))),
        "false?" => b(|a| one("false?", a, |x| Ok(Edn::Bool(*x == Edn::Bool(false))))),
        "nil?" => b(|a| one("nil?", a, |x| Ok(Edn::Bool(x.is_nil())))),
        "some?" => b(|a| one("some?", a, |x| Ok(Edn::Bool(!x.is_nil())))),
        "not" => b(|a| one("not", a, |x| Ok(Edn::Bool(!x.is_truthy())))),
        "and" => b(|a| Ok(a.iter().find(|x| !x.is_truthy()).or(a.last()).cloned().unwrap_or(Edn::Bool(true)))),
        "or" => b(|a| Ok(a.iter().find(|x| x.is_truthy()).or(a.last()).cloned().unwrap_or(Edn::Nil))),
        "identical?" => b(|a| two("identical?", a, |x, y| Ok(Edn::Bool(x == y)))),
        "-differ?" => b(|a| Ok(Edn::Bool(a[..a.len() / 2] != a[a.len() / 2..]))),
        "number?" => b(|a| one("number?", a, |x| Ok(Edn::Bool(x.is_number())))),
        "integer?" | "int?" => b(|a| one("integer?", a, |x| Ok(Edn::Bool(matches!(x, Edn::Int(_) | Edn::BigInt(_)))))),
        "string?" => b(|a| one("string?", a, |x| Ok(Edn::Bool(x.as_str().is_some())))),
        "keyword?" => b(|a| one("keyword?", a, |x| Ok(Edn::Bool(x.as_keyword().is_some())))),
        "symbol?" => b(|a| one("symbol?", a, |x| Ok(Edn::Bool(x.as_symbol().is_some())))),
        "vector?" => b(|a| one("vector?", a, |x| Ok(Edn::Bool(x.as_vector().is_some())))),
        "map?" => b(|a| one("map?", a, |x| Ok(Edn::Bool(x.as_map().is_some())))),
        "set?" => b(|a| one("set?", a, |x| Ok(Edn::Bool(matches!(x, Edn::Set(_)))))),
        "coll?" => b(|a| one("coll?", a, |x| Ok(Edn::Bool(x.as_coll().is_some() || x.as_map().is_some())))),
        "keyword" => b(|a| match a {
            [Edn::Str(s)] => Ok(Edn::keyword(s)),
            [Edn::Keyword(_)] => Ok(a[0].clone()),
            [Edn::Symbol(s)] => Ok(Edn::keyword(s.as_str())),
            [Edn::Str(ns), Edn::Str(n)] => Ok(Edn::Keyword(Keyword::with_namespace(ns, n))),
            _ => fail("keyword takes a name, or a namespace and a name"),
        }),
        "symbol" => b(|a| match a {
            [Edn::Str(s)] => Ok(Edn::symbol(s)),
            [Edn::Symbol(_)] => Ok(a[0].clone()),
            [Edn::Str(ns), Edn::Str(n)] => Ok(Edn::Symbol(Symbol::with_namespace(ns, n))),
            _ => fail("symbol takes a name, or a namespace and a name"),
        }),
        "name" => b(|a| match a {
            [Edn::Str(_)] => Ok(a[0].clone()),
            [Edn::Keyword(k)] => Ok(Edn::from(k.name())),
            [Edn::Symbol(s)] => Ok(Edn::from(s.name())),
            _ => fail("name takes a keyword, symbol or string"),
        }),
        "namespace" => b(|a| match a {
            [Edn::Keyword(k)] => Ok(Edn::from(k.namespace())),
            [Edn::Symbol(s)] => Ok(Edn::from(s.namespace())),
            _ => fail("namespace takes a keyword or symbol"),
        }),
        "meta" => b(|a| one("meta", a, |_| Ok(Edn::Nil))),
        "set" => b(|a| one("set", a, |x| Ok(Edn::set(elements(x)?)))),
        "vec" => b(|a| one("vec", a, |x| Ok(Edn::vector(elements(x)?)))),
        "hash-map" | "array-map" => b(|a| {
            if a.len() % 2 == 1 {
                return fail(format!("No value supplied for key: {}", a[a.len() - 1]));
            }
            Ok(Edn::map(a.chunks(2).map(|c| (c[0].clone(), c[1].clone()))))
        }),
        "count" => b(|a| one("count", a, |x| Ok(Edn::Int(length(x)? as i64)))),
        "empty?" => b(|a| one("empty?", a, |x| Ok(Edn::Bool(length(x)? == 0)))),
        "not-empty" => b(|a| one("not-empty", a, |x| Ok(if length(x)? == 0 { Edn::Nil } else { x.clone() }))),
        "range" => b(range),
        "first" => b(|a| one("first", a, |x| Ok(elements(x)?.into_iter().next().unwrap_or(Edn::Nil)))),
        "second" => b(|a| one("second", a, |x| Ok(elements(x)?.into_iter().nth(1).unwrap_or(Edn::Nil)))),
        "last" => b(|a| one("last", a, |x| Ok(elements(x)?.pop().unwrap_or(Edn::Nil)))),
        "rest" => b(|a| one("rest", a, |x| Ok(Edn::list(elements(x)?.into_iter().skip(1).collect::<Vec<_>>())))),
        "keys" => b(|a| one("keys", a, |x| pairs(x, |(k, _)| k.clone()))),
        "vals" => b(|a| one("vals", a, |x| pairs(x, |(_, v)| v.clone()))),
        "get" => b(|a| match a {
            [m, k] => Ok(get(m, k).unwrap_or(Edn::Nil)),
            [m, k, default] => Ok(get(m, k).unwrap_or_else(|| default.clone())),
            _ => arity("get"),
        }),
        "nth" => b(|a| match a {
            [c, Edn::Int(i)] => match elements(c)?.get(*i as usize) {
                Some(x) => Ok(x.clone()),
                None => fail("nth: index out of bounds"),
            },
            _ => fail("nth takes a sequence and an index"),
        }),
        "contains?" => b(|a| two("contains?", a, |c, k| Ok(Edn::Bool(get(c, k).is_some())))),
        "str" => b(|a| Ok(Edn::from(a.iter().map(text).collect::<String>()))),
        "pr-str" => b(|a| Ok(Edn::from(a.iter().map(Edn::to_string).collect::<Vec<_>>().join(" ")))),
        "prn-str" => b(|a| Ok(Edn::from(a.iter().map(Edn::to_string).collect::<Vec<_>>().join(" ") + "\n"))),
        "print-str" => b(|a| Ok(Edn::from(a.iter().map(text).collect::<Vec<_>>().join(" ")))),
        "println-str" => b(|a| Ok(Edn::from(a.iter().map(text).collect::<Vec<_>>().join(" ") + "\n"))),
        "subs" => b(subs),
        "re-pattern" => b(|a| match a {
            [Edn::Str(s)] => regex(s).map(|_| Edn::Regex(s.clone())),
            [Edn::Regex(_)] => Ok(a[0].clone()),
            _ => fail("re-pattern takes a string"),
        }),
        "re-find" => b(|a| {
            matches("re-find", a, |re, s| Ok(re.captures(s).map_err(bad_match)?.map_or(Edn::Nil, |c| groups(&c))))
        }),
        "re-matches" => b(|a| {
            matches("re-matches", a, |re, s| {
                let whole = re.captures(s).map_err(bad_match)?.filter(|c| c.get(0).is_some_and(|m| m.as_str() == s));
                if let Some(c) = whole {
                    return Ok(groups(&c));
                }
                // The first match may be shorter than another that takes the whole text.
                let anchored = regex(&format!("^(?:{})$", re.as_str()))?;
                Ok(anchored.captures(s).map_err(bad_match)?.map_or(Edn::Nil, |c| groups(&c)))
            })
        }),
        "re-seq" => b(|a| {
            matches("re-seq", a, |re, s| {
                let all: Vec<Edn> =
                    re.captures_iter(s).map(|c| c.map(|c| groups(&c)).map_err(bad_match)).collect::<Result<_>>()?;
                Ok(if all.is_empty() { Edn::Nil } else { Edn::list(all) })
            })
        }),
        name => string_function(name),
    }
}

fn string_function(name: &str) -> Option<Func> {
    let b = |f: Builtin| Some(Func::Builtin(f));
    match name.strip_prefix("clojure.string/").or_else(|| name.strip_prefix("str/"))? {
        "blank?" => b(|a| match a {
            [Edn::Nil] => Ok(Edn::Bool(true)),
            _ => string("blank?", a, |s, _| Ok(Edn::Bool(s.trim().is_empty()))),
        }),
        "includes?" => b(|a| string("includes?", a, |s, x| Ok(Edn::Bool(s.contains(x))))),
        "starts-with?" => b(|a| string("starts-with?", a, |s, x| Ok(Edn::Bool(s.starts_with(x))))),
        "ends-with?" => b(|a| string("ends-with?", a, |s, x| Ok(Edn::Bool(s.ends_with(x))))),
        "lower-case" => b(|a| string("lower-case", a, |s, _| Ok(Edn::from(s.to_lowercase())))),
        "upper-case" => b(|a| string("upper-case", a, |s, _| Ok(Edn::from(s.to_uppercase())))),
        "trim" => b(|a| string("trim", a, |s, _| Ok(Edn::from(s.trim())))),
        "index-of" => b(|a| {
            string("index-of", a, |s, x| {
                Ok(s.find(x).map_or(Edn::Nil, |i| Edn::Int(s[..i].encode_utf16().count() as i64)))
            })
        }),
        "join" => b(|a| match a {
            [c] => Ok(Edn::from(elements(c)?.iter().map(text).collect::<String>())),
            [sep, c] => Ok(Edn::from(elements(c)?.iter().map(text).collect::<Vec<_>>().join(&text(sep)))),
            _ => arity("join"),
        }),
        _ => None,
    }
}

fn arity<T>(name: &str) -> Result<T> {
    fail(format!("Wrong number of args passed to: {name}"))
}

fn one(name: &str, a: &[Edn], f: impl Fn(&Edn) -> Result<Edn>) -> Result<Edn> {
    if let [x] = a { f(x) } else { arity(name) }
}

fn two(name: &str, a: &[Edn], f: impl Fn(&Edn, &Edn) -> Result<Edn>) -> Result<Edn> {
    if let [x, y] = a { f(x, y) } else { arity(name) }
}

fn fold(a: &[Edn], start: Edn, f: impl Fn(&Edn, &Edn) -> Result<Edn>) -> Result<Edn> {
    a.iter().try_fold(start, |acc, x| f(&acc, x))
}

fn extreme(name: &str, a: &[Edn], want: Ordering) -> Result<Edn> {
    let Some(mut best) = a.first() else { return arity(name) };
    for x in a {
        match x.compare_numbers(best) {
            Some(o) if o == want => best = x,
            Some(_) => {}
            None => return fail(format!("{name} takes numbers, found {x}")),
        }
    }
    Ok(best.clone())
}

fn string(name: &str, a: &[Edn], f: impl Fn(&str, &str) -> Result<Edn>) -> Result<Edn> {
    match a {
        [Edn::Str(s)] => f(s, ""),
        [Edn::Str(s), Edn::Str(x)] => f(s, x),
        _ => fail(format!("{name} takes strings")),
    }
}

/// The elements of any collection; a map's are its entries, a string's its characters, and `nil` has none.
pub fn elements(x: &Edn) -> Result<Vec<Edn>> {
    match x {
        Edn::Nil => Ok(Vec::new()),
        Edn::List(v) | Edn::Vector(v) | Edn::Set(v) => Ok(v.to_vec()),
        Edn::Map(m) => Ok(m.iter().map(|(k, v)| Edn::vector([k.clone(), v.clone()])).collect()),
        Edn::Str(s) => Ok(s.chars().map(Edn::Char).collect()),
        _ => fail(format!("Expected a collection, found {x}")),
    }
}

fn length(x: &Edn) -> Result<usize> {
    match x {
        Edn::Nil => Ok(0),
        Edn::List(v) | Edn::Vector(v) | Edn::Set(v) => Ok(v.len()),
        Edn::Map(m) => Ok(m.len()),
        Edn::Str(s) => Ok(s.encode_utf16().count()),
        _ => fail(format!("count not supported on {x}")),
    }
}

fn pairs(x: &Edn, f: impl Fn(&(Edn, Edn)) -> Edn) -> Result<Edn> {
    match x {
        Edn::Map(m) => Ok(Edn::list(m.iter().map(f).collect::<Vec<_>>())),
        _ => fail(format!("Expected a map, found {x}")),
    }
}

fn get(c: &Edn, k: &Edn) -> Option<Edn> {
    match (c, k) {
        (Edn::Map(_), _) => c.get(k).cloned(),
        (Edn::Set(s), _) => s.iter().find(|x| *x == k).cloned(),
        (Edn::Vector(v), Edn::Int(i)) => usize::try_from(*i).ok().and_then(|i| v.get(i)).cloned(),
        _ => None,
    }
}

/// `(str x)`
fn text(x: &Edn) -> String {
    match x {
        Edn::Nil => String::new(),
        Edn::Str(s) => s.to_string(),
        Edn::Char(c) => c.to_string(),
        Edn::BigInt(i) => i.to_string(),
        Edn::Decimal(d) => d.to_text(),
        Edn::Float(f) if f.is_nan() => "NaN".into(),
        Edn::Float(f) if f.is_infinite() => if *f > 0.0 { "Infinity" } else { "-Infinity" }.into(),
        Edn::Uuid(u) => u.to_string(),
        Edn::Regex(s) => s.to_string(),
        x => x.to_string(),
    }
}

/// How many elements `range` gives at most; more is an error rather than all of the memory.
const MAX_RANGE: i64 = 4_000_000;

fn range(a: &[Edn]) -> Result<Edn> {
    let (from, to, step) = match a {
        [Edn::Int(to)] => (0, *to, 1),
        [Edn::Int(from), Edn::Int(to)] => (*from, *to, 1),
        [Edn::Int(from), Edn::Int(to), Edn::Int(step)] if *step != 0 => (*from, *to, *step),
        _ => return fail("range takes an end, or start, end and step, as integers"),
    };
    let span = i128::from(to) - i128::from(from);
    let n =
        if (span > 0) == (step > 0) { (span.abs() + i128::from(step).abs() - 1) / i128::from(step).abs() } else { 0 };
    if n > i128::from(MAX_RANGE) {
        return fail(format!("range of more than {MAX_RANGE} elements"));
    }
    Ok(Edn::list((0..n as i64).map(|i| Edn::Int(from.wrapping_add(i.wrapping_mul(step)))).collect::<Vec<_>>()))
}

fn subs(a: &[Edn]) -> Result<Edn> {
    let (s, from, to) = match a {
        [Edn::Str(s), Edn::Int(from)] => (s, *from, None),
        [Edn::Str(s), Edn::Int(from), Edn::Int(to)] => (s, *from, Some(*to)),
        _ => return fail("subs takes a string, a start and perhaps an end"),
    };
    let units: Vec<u16> = s.encode_utf16().collect();
    let to = to.unwrap_or(units.len() as i64);
    let part = usize::try_from(from).ok().zip(usize::try_from(to).ok()).and_then(|(a, b)| units.get(a..b));
    match part.map(String::from_utf16) {
        Some(Ok(s)) => Ok(Edn::from(s)),
        _ => fail("String index out of range"),
    }
}

fn bad_match(e: fancy_regex::Error) -> QueryError {
    QueryError::new(ErrorKind::Function, e.to_string())
}

/// Compiles a pattern, or finds it among the last ones compiled.
fn regex(pattern: &str) -> Result<Arc<fancy_regex::Regex>> {
    static CACHE: Mutex<Option<FxHashMap<String, Arc<fancy_regex::Regex>>>> = Mutex::new(None);
    let mut guard = CACHE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let cache = guard.get_or_insert_default();
    if let Some(re) = cache.get(pattern) {
        return Ok(re.clone());
    }
    let re = Arc::new(fancy_regex::Regex::new(pattern).map_err(bad_match)?);
    if cache.len() >= 64 {
        cache.clear();
    }
    cache.insert(pattern.to_string(), re.clone());
    Ok(re)
}

fn matches(name: &str, a: &[Edn], f: impl Fn(&fancy_regex::Regex, &str) -> Result<Edn>) -> Result<Edn> {
    match a {
        [Edn::Regex(p) | Edn::Str(p), Edn::Str(s)] => f(&*regex(p)?, s),
        _ => fail(format!("{name} takes a pattern and a string")),
    }
}

/// The whole match, or a vector of it and its groups where the pattern has any.
fn groups(c: &fancy_regex::Captures<str>) -> Edn {
    let at = |i: usize| c.get(i).map_or(Edn::Nil, |m| Edn::from(m.as_str()));
    if c.len() == 1 { at(0) } else { Edn::vector((0..c.len()).map(at).collect::<Vec<_>>()) }
}

// ---------------------------------------------------------------- aggregates

/// An aggregate: constants, values of the group.
pub type Aggregate = fn(&[Edn], &[Edn]) -> Result<Edn>;

/// The built-in aggregate of a name: constants first, then the values of the group.
pub fn aggregate(name: &str) -> Option<Aggregate> {
    Some(match name {
        "sum" => |_, xs| fold(xs, Edn::Int(0), num::add),
        "avg" => |_, xs| num::div(&fold(xs, Edn::Int(0), num::add)?, &Edn::Int(xs.len() as i64)),
        "count" => |_, xs| Ok(Edn::Int(xs.len() as i64)),
        "count-distinct" => |_, xs| Ok(Edn::Int(distinct(xs).len() as i64)),
        "distinct" => |_, xs| Ok(Edn::Set(distinct(xs).into())),
        "min" => |k, xs| smallest("min", k, xs, false),
        "max" => |k, xs| smallest("max", k, xs, true),
        "median" => |_, xs| {
            let xs = sorted(xs);
            let mid = xs.len() / 2;
            match xs.len() {
                0 => Ok(Edn::Nil),
                n if n % 2 == 1 => Ok(xs[mid].clone()),
                _ => num::div(&num::add(&xs[mid - 1], &xs[mid])?, &Edn::Int(2)),
            }
        },
        "variance" => |_, xs| variance(xs),
        "stddev" => |_, xs| Ok(Edn::Float(variance(xs)?.as_f64().unwrap_or(f64::NAN).sqrt())),
        // Any choice is right for these two; the same each time is better than a different one.
        "rand" => |k, xs| match k {
            [] => xs.get(xs.len() / 2).cloned().map_or_else(|| fail("rand of nothing"), Ok),
            [Edn::Int(n)] if !xs.is_empty() && (0..=MAX_RANGE).contains(n) => {
                Ok(Edn::vector((0..*n as usize).map(|i| xs[i % xs.len()].clone()).collect::<Vec<_>>()))
            }
            _ => fail("rand takes a number and values"),
        },
        "sample" => |k, xs| match k {
            [Edn::Int(n)] if *n >= 0 => Ok(Edn::vector(distinct(xs).into_iter().take(*n as usize).collect::<Vec<_>>())),
            _ => fail("sample takes a number and values"),
        },
        _ => return None,
    })
}

fn distinct(xs: &[Edn]) -> Vec<Edn> {
    let mut seen = rustc_hash::FxHashSet::default();
    xs.iter().filter(|x| seen.insert(*x)).cloned().collect()
}

fn sorted(xs: &[Edn]) -> Vec<Edn> {
    let mut xs = xs.to_vec();
    xs.sort();
    xs
}

fn smallest(name: &str, k: &[Edn], xs: &[Edn], largest: bool) -> Result<Edn> {
    match k {
        [] => {
            let best = if largest { xs.iter().max() } else { xs.iter().min() };
            Ok(best.cloned().unwrap_or(Edn::Nil))
        }
        [Edn::Int(n)] if *n >= 0 => {
            let xs = sorted(xs);
            let n = (*n as usize).min(xs.len());
            Ok(Edn::vector(if largest { &xs[xs.len() - n..] } else { &xs[..n] }.to_vec()))
        }
        _ => fail(format!("{name} takes a number and values")),
    }
}

fn variance(xs: &[Edn]) -> Result<Edn> {
    let n = Edn::Int(xs.len() as i64);
    let mean = num::div(&fold(xs, Edn::Int(0), num::add)?, &n)?;
    let mut sum = Edn::Int(0);
    for x in xs {
        let d = num::sub(x, &mean)?;
        sum = num::add(&sum, &num::mul(&d, &d)?)?;
    }
    num::div(&sum, &n)
}
