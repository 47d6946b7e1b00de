//! Types: host classes as type objects, deftypes, records, protocol and multimethod dispatch.
//!
//! A Type is `[name symbol, fields (vector of symbols), flags, methods (map symbol → function), metadata]`. Built-in kinds
//! have one Type per host class, made on first use; `ancestors_of` lists a class's parents, most specific first.

use super::coll::{self, equiv};
use super::{MANY, PURE, PrimDef, R, hamt, num, prim, vector};
use crate::layout::{Kind, slot};
use crate::machine::{ErrKind, Exit, Vm};
use crate::value::{Obj, Value};

/// Short names that need no import, with their full class names. The first of a class is its name.
const SHORT: &[(&str, &str)] = &[
    ("String", "java.lang.String"),
    ("Long", "java.lang.Long"),
    ("Integer", "java.lang.Integer"),
    ("Short", "java.lang.Short"),
    ("Byte", "java.lang.Byte"),
    ("Double", "java.lang.Double"),
    ("Float", "java.lang.Float"),
    ("Number", "java.lang.Number"),
    ("Boolean", "java.lang.Boolean"),
    ("Character", "java.lang.Character"),
    ("Object", "java.lang.Object"),
    ("Class", "java.lang.Class"),
    ("Math", "java.lang.Math"),
    ("System", "java.lang.System"),
    ("Thread", "java.lang.Thread"),
    ("StringBuilder", "java.lang.StringBuilder"),
    ("Iterable", "java.lang.Iterable"),
    ("Comparable", "java.lang.Comparable"),
    ("CharSequence", "java.lang.CharSequence"),
    ("Runnable", "java.lang.Runnable"),
    ("Throwable", "java.lang.Throwable"),
    ("Exception", "java.lang.Exception"),
    ("Error", "java.lang.Error"),
    ("RuntimeException", "java.lang.RuntimeException"),
    ("AssertionError", "java.lang.AssertionError"),
    ("ArithmeticException", "java.lang.ArithmeticException"),
    ("ClassCastException", "java.lang.ClassCastException"),
    ("NullPointerException", "java.lang.NullPointerException"),
    ("IllegalArgumentException", "java.lang.IllegalArgumentException"),
    ("IllegalStateException", "java.lang.IllegalStateException"),
    ("IndexOutOfBoundsException", "java.lang.IndexOutOfBoundsException"),
    ("StringIndexOutOfBoundsException", "java.lang.StringIndexOutOfBoundsException"),
    ("ArrayIndexOutOfBoundsException", "java.lang.ArrayIndexOutOfBoundsException"),
    ("NumberFormatException", "java.lang.NumberFormatException"),
    ("UnsupportedOperationException", "java.lang.UnsupportedOperationException"),
    ("InterruptedException", "java.lang.InterruptedException"),
    ("StackOverflowError", "java.lang.StackOverflowError"),
    ("OutOfMemoryError", "java.lang.OutOfMemoryError"),
    ("ClassNotFoundException", "java.lang.ClassNotFoundException"),
    ("CloneNotSupportedException", "java.lang.CloneNotSupportedException"),
    ("BigInteger", "java.math.BigInteger"),
    ("BigDecimal", "java.math.BigDecimal"),
    ("Compiler", "clojure.lang.Compiler"),
];
/// Class, its parents.
const PARENTS: &[(&str, &[&str])] = &[
    ("java.lang.Exception", &["java.lang.Throwable"]),
    ("java.lang.Error", &["java.lang.Throwable"]),
    ("java.lang.RuntimeException", &["java.lang.Exception"]),
    ("java.lang.AssertionError", &["java.lang.Error"]),
    ("java.lang.StackOverflowError", &["java.lang.VirtualMachineError"]),
    ("java.lang.OutOfMemoryError", &["java.lang.VirtualMachineError"]),
    ("java.lang.VirtualMachineError", &["java.lang.Error"]),
    ("java.lang.ArithmeticException", &["java.lang.RuntimeException"]),
    ("java.lang.ClassCastException", &["java.lang.RuntimeException"]),
    ("java.lang.NullPointerException", &["java.lang.RuntimeException"]),
    ("java.lang.IllegalArgumentException", &["java.lang.RuntimeException"]),
    ("java.lang.IllegalStateException", &["java.lang.RuntimeException"]),
    ("java.lang.IndexOutOfBoundsException", &["java.lang.RuntimeException"]),
    ("java.lang.StringIndexOutOfBoundsException", &["java.lang.IndexOutOfBoundsException"]),
    ("java.lang.ArrayIndexOutOfBoundsException", &["java.lang.IndexOutOfBoundsException"]),
    ("java.lang.NumberFormatException", &["java.lang.IllegalArgumentException"]),
    ("java.util.regex.PatternSyntaxException", &["java.lang.IllegalArgumentException"]),
    ("java.lang.UnsupportedOperationException", &["java.lang.RuntimeException"]),
    ("java.util.NoSuchElementException", &["java.lang.RuntimeException"]),
    ("java.io.IOException", &["java.lang.Exception"]),
    ("java.io.FileNotFoundException", &["java.io.IOException"]),
    ("java.lang.InterruptedException", &["java.lang.Exception"]),
    ("java.lang.ClassNotFoundException", &["java.lang.Exception"]),
    ("clojure.lang.ExceptionInfo", &["java.lang.RuntimeException", "clojure.lang.IExceptionInfo"]),
    ("clojure.lang.ArityException", &["java.lang.IllegalArgumentException"]),
    ("clojure.lang.Compiler$CompilerException", &["java.lang.RuntimeException"]),
    ("java.lang.Long", &["java.lang.Number", "java.lang.Comparable"]),
    ("java.lang.Integer", &["java.lang.Number", "java.lang.Comparable"]),
    ("java.lang.Double", &["java.lang.Number", "java.lang.Comparable"]),
    ("clojure.lang.BigInt", &["java.lang.Number"]),
    ("clojure.lang.Ratio", &["java.lang.Number", "java.lang.Comparable"]),
    ("java.math.BigDecimal", &["java.lang.Number", "java.lang.Comparable"]),
    ("java.lang.String", &["java.lang.CharSequence", "java.lang.Comparable"]),
    ("clojure.lang.Keyword", &["clojure.lang.Named", "clojure.lang.IFn", "java.lang.Comparable"]),
    ("clojure.lang.Symbol", &["clojure.lang.Named", "clojure.lang.IFn", "clojure.lang.IObj", "java.lang.Comparable"]),
    ("clojure.lang.PersistentVector", &["clojure.lang.APersistentVector", "clojure.lang.IObj"]),
    ("clojure.lang.MapEntry", &["java.util.Map$Entry", "clojure.lang.APersistentVector"]),
    ("clojure.lang.APersistentVector", &["clojure.lang.IPersistentVector", "clojure.lang.IFn", "java.util.List"]),
    (
        "clojure.lang.IPersistentVector",
        &[
            "clojure.lang.Associative",
            "clojure.lang.Sequential",
            "clojure.lang.Indexed",
            "clojure.lang.IPersistentStack",
            "clojure.lang.Reversible",
        ],
    ),
    ("clojure.lang.PersistentArrayMap", &["clojure.lang.APersistentMap", "clojure.lang.IObj"]),
    ("clojure.lang.PersistentHashMap", &["clojure.lang.APersistentMap", "clojure.lang.IObj"]),
    ("clojure.lang.PersistentTreeMap", &["clojure.lang.APersistentMap", "clojure.lang.Sorted", "clojure.lang.IObj"]),
    (
        "clojure.lang.APersistentMap",
        &["clojure.lang.IPersistentMap", "clojure.lang.IFn", "java.util.Map", "java.lang.Iterable"],
    ),
    ("clojure.lang.IPersistentMap", &["clojure.lang.Associative", "clojure.lang.Counted"]),
    ("clojure.lang.Associative", &["clojure.lang.IPersistentCollection", "clojure.lang.ILookup"]),
    ("clojure.lang.PersistentHashSet", &["clojure.lang.APersistentSet", "clojure.lang.IObj"]),
    ("clojure.lang.PersistentTreeSet", &["clojure.lang.APersistentSet", "clojure.lang.Sorted", "clojure.lang.IObj"]),
    ("clojure.lang.APersistentSet", &["clojure.lang.IPersistentSet", "clojure.lang.IFn", "java.util.Set"]),
    ("clojure.lang.IPersistentSet", &["clojure.lang.IPersistentCollection", "clojure.lang.Counted"]),
    ("clojure.lang.PersistentList", &["clojure.lang.IPersistentList", "clojure.lang.ASeq", "clojure.lang.Counted"]),
    (
        "clojure.lang.PersistentList$EmptyList",
        &["clojure.lang.IPersistentList", "clojure.lang.ISeq", "clojure.lang.Counted", "clojure.lang.IObj"],
    ),
    ("clojure.lang.IPersistentList", &["clojure.lang.IPersistentStack", "clojure.lang.Sequential"]),
    ("clojure.lang.IPersistentStack", &["clojure.lang.IPersistentCollection"]),
    ("clojure.lang.Cons", &["clojure.lang.ASeq"]),
    ("clojure.lang.LongRange", &["clojure.lang.ASeq", "clojure.lang.Counted"]),
    ("clojure.lang.ArraySeq", &["clojure.lang.ASeq", "clojure.lang.Counted"]),
    ("clojure.lang.ChunkedCons", &["clojure.lang.ASeq"]),
    ("clojure.lang.LazySeq", &["clojure.lang.ISeq", "clojure.lang.Sequential", "java.util.List", "clojure.lang.IObj"]),
    ("clojure.lang.ASeq", &["clojure.lang.ISeq", "clojure.lang.Sequential", "java.util.List", "clojure.lang.IObj"]),
    ("clojure.lang.PersistentQueue", &["clojure.lang.IPersistentList", "clojure.lang.Counted", "clojure.lang.IObj"]),
    ("clojure.lang.ISeq", &["clojure.lang.IPersistentCollection"]),
    ("clojure.lang.IPersistentCollection", &["clojure.lang.Seqable"]),
    ("java.util.List", &["java.util.Collection"]),
    ("java.util.Set", &["java.util.Collection"]),
    ("java.util.Collection", &["java.lang.Iterable"]),
    ("clojure.lang.AFunction", &["clojure.lang.AFn", "clojure.lang.Fn", "clojure.lang.IObj"]),
    ("clojure.lang.AFn", &["clojure.lang.IFn"]),
    ("clojure.lang.IFn", &["java.lang.Runnable", "java.util.concurrent.Callable"]),
    ("clojure.lang.MultiFn", &["clojure.lang.AFn"]),
    ("clojure.lang.Var", &["clojure.lang.IFn", "clojure.lang.IDeref", "clojure.lang.IRef"]),
    ("clojure.lang.Atom", &["clojure.lang.IDeref", "clojure.lang.IRef", "clojure.lang.IAtom"]),
    ("clojure.lang.Volatile", &["clojure.lang.IDeref"]),
    ("clojure.lang.Delay", &["clojure.lang.IDeref", "clojure.lang.IPending"]),
    ("clojure.lang.Ref", &["clojure.lang.IDeref", "clojure.lang.IRef"]),
    ("clojure.lang.Agent", &["clojure.lang.IDeref", "clojure.lang.IRef"]),
    ("clojure.lang.Reduced", &["clojure.lang.IDeref"]),
    ("clojure.lang.IObj", &["clojure.lang.IMeta"]),
    ("java.io.EOFException", &["java.io.IOException"]),
    ("java.io.UncheckedIOException", &["java.lang.RuntimeException"]),
    ("java.util.concurrent.ExecutionException", &["java.lang.Exception"]),
    ("java.util.concurrent.TimeoutException", &["java.lang.Exception"]),
    ("java.util.concurrent.CancellationException", &["java.lang.IllegalStateException"]),
    ("java.util.ConcurrentModificationException", &["java.lang.RuntimeException"]),
    ("java.util.InputMismatchException", &["java.util.NoSuchElementException"]),
    ("java.lang.NegativeArraySizeException", &["java.lang.RuntimeException"]),
    ("java.lang.SecurityException", &["java.lang.RuntimeException"]),
    ("java.lang.NoSuchFieldException", &["java.lang.ReflectiveOperationException"]),
    ("java.lang.NoSuchMethodException", &["java.lang.ReflectiveOperationException"]),
    ("java.lang.ReflectiveOperationException", &["java.lang.Exception"]),
    ("java.net.URISyntaxException", &["java.lang.Exception"]),
    ("java.text.ParseException", &["java.lang.Exception"]),
    ("java.time.DateTimeException", &["java.lang.RuntimeException"]),
    ("java.io.BufferedReader", &["java.io.Reader"]),
    ("java.io.PushbackReader", &["java.io.Reader"]),
    ("java.io.StringReader", &["java.io.Reader"]),
    ("java.io.InputStreamReader", &["java.io.Reader"]),
    ("java.io.Reader", &["java.io.Closeable"]),
    ("java.io.BufferedWriter", &["java.io.Writer"]),
    ("java.io.PrintWriter", &["java.io.Writer"]),
    ("java.io.StringWriter", &["java.io.Writer"]),
    ("java.io.FileWriter", &["java.io.Writer"]),
    ("java.io.Writer", &["java.io.Closeable"]),
    ("java.io.Closeable", &["java.lang.AutoCloseable"]),
    ("clojure.lang.LineNumberingPushbackReader", &["java.io.PushbackReader"]),
    ("clojure.lang.IReduceInit", &["clojure.lang.IReduce"]),
    ("clojure.lang.IKVReduce", &["java.lang.Object"]),
    ("clojure.lang.IHashEq", &["java.lang.Object"]),
    ("clojure.lang.IRecord", &["java.lang.Object"]),
    ("clojure.lang.IType", &["java.lang.Object"]),
    ("clojure.lang.IPending", &["java.lang.Object"]),
    ("clojure.lang.IBlockingDeref", &["java.lang.Object"]),
    ("clojure.lang.IEditableCollection", &["java.lang.Object"]),
    ("clojure.lang.IMapEntry", &["java.util.Map$Entry"]),
    ("clojure.lang.IMapIterable", &["java.lang.Object"]),
    ("clojure.lang.IChunkedSeq", &["clojure.lang.ISeq"]),
    ("clojure.lang.ITransientCollection", &["java.lang.Object"]),
    ("clojure.lang.PersistentStructMap", &["clojure.lang.APersistentMap"]),
    ("java.util.Comparator", &["java.lang.Object"]),
    ("java.util.Iterator", &["java.lang.Object"]),
    ("java.util.Queue", &["java.util.Collection"]),
    ("java.util.Deque", &["java.util.Queue"]),
    ("java.util.ArrayDeque", &["java.util.Deque"]),
    ("java.util.LinkedList", &["java.util.List", "java.util.Deque"]),
    ("java.util.ArrayList", &["java.util.List"]),
    ("java.util.HashMap", &["java.util.Map"]),
    ("java.util.LinkedHashMap", &["java.util.HashMap"]),
    ("java.util.TreeMap", &["java.util.Map"]),
    ("java.util.HashSet", &["java.util.Set"]),
    ("java.util.LinkedHashSet", &["java.util.HashSet"]),
    ("java.util.TreeSet", &["java.util.Set"]),
    ("java.util.Random", &["java.lang.Object"]),
    ("java.util.concurrent.Callable", &["java.lang.Object"]),
    ("java.util.concurrent.Future", &["java.lang.Object"]),
    ("java.util.concurrent.ConcurrentHashMap", &["java.util.Map"]),
    ("java.util.concurrent.atomic.AtomicLong", &["java.lang.Number"]),
    ("java.util.concurrent.atomic.AtomicInteger", &["java.lang.Number"]),
    ("java.util.concurrent.atomic.AtomicReference", &["java.lang.Object"]),
    ("java.util.concurrent.TimeUnit", &["java.lang.Object"]),
    ("java.util.function.Function", &["java.lang.Object"]),
    ("java.util.stream.Stream", &["java.lang.Object"]),
    ("java.util.regex.Pattern", &["java.lang.Object"]),
    ("java.util.regex.Matcher", &["java.lang.Object"]),
    ("java.util.Date", &["java.lang.Comparable"]),
    ("java.util.UUID", &["java.lang.Comparable"]),
    ("java.util.Locale", &["java.lang.Object"]),
    ("java.util.Base64", &["java.lang.Object"]),
    ("java.lang.ProcessBuilder", &["java.lang.Object"]),
    ("java.lang.Runtime", &["java.lang.Object"]),
    ("java.lang.StringBuffer", &["java.lang.CharSequence"]),
    ("java.math.RoundingMode", &["java.lang.Object"]),
    ("java.math.MathContext", &["java.lang.Object"]),
    ("java.time.LocalDate", &["java.lang.Object"]),
    ("java.time.LocalDateTime", &["java.lang.Object"]),
    ("java.time.Duration", &["java.lang.Object"]),
];

/// Full class name of a host name as programs write it.
pub fn full_name(name: &str) -> String {
    match SHORT.iter().find(|(s, _)| *s == name) {
        Some((_, full)) => full.to_string(),
        None => name.to_string(),
    }
}
/// Is it a class name programs may mention without import?
pub fn is_known_class(name: &str) -> bool {
    let full = full_name(name);
    SHORT.iter().any(|(_, f)| *f == full)
        || PARENTS.iter().any(|(c, ps)| *c == full || ps.contains(&full.as_str()))
        || matches!(
            full.as_str(),
            "java.util.UUID"
                | "java.util.Date"
                | "java.util.regex.Pattern"
                | "java.io.File"
                | "clojure.lang.Namespace"
                | "clojure.lang.RT"
                | "java.util.Arrays"
                | "java.util.Collections"
                | "java.io.StringWriter"
                | "java.io.StringReader"
                | "java.util.ArrayList"
                | "java.util.HashMap"
                | "java.time.Instant"
        )
}

/// Class name of a value.
pub fn class_name(vm: &Vm, v: Value) -> String {
    let s = if v.is_nil() {
        "nil"
    } else if v.is_fix() {
        "java.lang.Long"
    } else if v.is_inline_f64() {
        "java.lang.Double"
    } else if v.is_bool() {
        "java.lang.Boolean"
    } else if v.is_char() {
        "java.lang.Character"
    } else if v.is_keyword() {
        "clojure.lang.Keyword"
    } else {
        match v.obj().map(|o| (o, o.kind())) {
            None => "clojure.lang.Symbol",
            Some((o, k)) => match k {
                Kind::Int64 => "java.lang.Long",
                Kind::Float64 => "java.lang.Double",
                Kind::BigInt | Kind::SmallBig => "clojure.lang.BigInt",
                Kind::Ratio => "clojure.lang.Ratio",
                Kind::Decimal => "java.math.BigDecimal",
                Kind::Str => "java.lang.String",
                Kind::SymbolMeta => "clojure.lang.Symbol",
                Kind::Uuid => "java.util.UUID",
                Kind::Inst => "java.util.Date",
                Kind::Regex => "java.util.regex.Pattern",
                Kind::Matcher => "java.util.regex.Matcher",
                Kind::EmptyList => "clojure.lang.PersistentList$EmptyList",
                Kind::List => "clojure.lang.PersistentList",
                Kind::Cons => "clojure.lang.Cons",
                Kind::LazySeq => "clojure.lang.LazySeq",
                Kind::IndexedSeq => "clojure.lang.ArraySeq",
                Kind::ChunkedCons => "clojure.lang.ChunkedCons",
                Kind::Range => "clojure.lang.LongRange",
                Kind::Vector => "clojure.lang.PersistentVector",
                Kind::MapEntry => "clojure.lang.MapEntry",
                Kind::ArrayMap => "clojure.lang.PersistentArrayMap",
                Kind::HashMap => "clojure.lang.PersistentHashMap",
                Kind::SortedMap => "clojure.lang.PersistentTreeMap",
                Kind::HashSet => "clojure.lang.PersistentHashSet",
                Kind::SortedSet => "clojure.lang.PersistentTreeSet",
                Kind::Queue => "clojure.lang.PersistentQueue",
                Kind::Closure | Kind::PrimFn | Kind::ProtocolFn | Kind::KontFn => "clojure.lang.AFunction",
                Kind::MultiFn => "clojure.lang.MultiFn",
                Kind::Type => "java.lang.Class",
                Kind::Var => "clojure.lang.Var",
                Kind::Namespace => "clojure.lang.Namespace",
                Kind::Atom => "clojure.lang.Atom",
                Kind::Volatile => "clojure.lang.Volatile",
                Kind::Delay => "clojure.lang.Delay",
                Kind::Reduced => "clojure.lang.Reduced",
                Kind::Ref => {
                    if o.aux() == 1 {
                        "clojure.lang.Agent"
                    } else {
                        "clojure.lang.Ref"
                    }
                }
                Kind::Buffer => "java.lang.StringBuilder",
                Kind::Array | Kind::PrimArray => "[Ljava.lang.Object;",
                Kind::Exception => return name_text(vm, o.get(slot::EX_CLASS)),
                Kind::Instance | Kind::Record => return name_text(vm, o.get(0).obj().expect("a type").get(0)),
                Kind::Transient => "clojure.lang.ITransientCollection",
                _ => "java.lang.Object",
            },
        }
    };
    s.to_string()
}
fn name_text(vm: &Vm, v: Value) -> String {
    vm.symbol_id(v).map_or(String::new(), |id| vm.names.text(id).to_string())
}
/// The name errors show.
pub fn type_name(vm: &Vm, v: Value) -> String {
    class_name(vm, v)
}
/// A class's direct parents.
pub fn parents_of(name: &str) -> &'static [&'static str] {
    PARENTS.iter().find(|(c, _)| *c == name).map_or(&[], |(_, ps)| ps)
}
/// A class's parents, their parents and so on, nearest first, the class itself left out.
pub fn ancestors_of(name: &str) -> Vec<&'static str> {
    let mut out: Vec<&'static str> = Vec::new();
    let parents = |n: &str| PARENTS.iter().find(|(c, _)| *c == n).map_or(&[][..], |(_, ps)| ps);
    out.extend(parents(name));
    let mut i = 0;
    while i < out.len() {
        for p in parents(out[i]) {
            if !out.contains(p) {
                out.push(p);
            }
        }
        i += 1;
    }
    out
}

impl Vm {
    /// The type object of a class by its full name, made on first use.
    pub fn class_value(&mut self, full: &str) -> Value {
        let id = self.names.intern(full);
        if let Some(&i) = self.classes.get(&id) {
            return self.roots.extra[i];
        }
        let fields = vector::of(self, &[]);
        let methods = hamt::empty(self);
        let words = [Value::symbol(id), fields, Value::ZERO, methods, Value::NIL];
        let t: Value = self.heap.alloc_perm(Kind::Type, 0, &words).into();
        self.classes.insert(id, self.roots.extra.len());
        self.roots.extra.push(t);
        t
    }
    /// The type object of a value's type.
    pub fn type_of(&mut self, v: Value) -> Value {
        match v.obj() {
            Some(o) if matches!(o.kind(), Kind::Instance | Kind::Record) => o.get(0),
            _ => {
                let name = class_name(self, v);
                self.class_value(&name)
            }
        }
    }
    /// The function a protocol function or multimethod calls for these arguments.
    pub(crate) fn resolve_dispatch(&mut self, f: Obj, args: &[Value]) -> R {
        if f.kind() == Kind::MultiFn {
            let dispatch = self.call_out(f.get(1), args)?;
            let table = f.get(4);
            let found = coll::get(self, table, dispatch, Value::NIL)?;
            if !found.is_nil() {
                return Ok(found);
            }
            let find = self.var("clojure.core/-find-method").get(slot::VAR_ROOT);
            return self.call_out(find, &[f.into(), dispatch]);
        }
        let Some(&this) = args.first() else {
            return Err(self.err(ErrKind::Arity, "Wrong number of args (0) passed to a protocol function"));
        };
        let t = self.type_of(this);
        let protocol = f.get(0).obj().expect("a protocol");
        let current = f.get(slot::PFN_VERSION) == protocol.get(4);
        if current && let Some(way) = slot::PFN_WAYS.into_iter().find(|w| f.get(*w) == t) {
            return Ok(f.get(way + 1));
        }
        match self.protocol_method(protocol, f.get(1), this, t)? {
            Some(m) => {
                // The newest comes first, the oldest is forgotten.
                for to in slot::PFN_WAYS.into_iter().rev() {
                    let first = to == slot::PFN_WAYS[0];
                    let (ty, method) = match (first, current) {
                        (true, _) => (t, m),
                        (false, true) => (f.get(to - 2), f.get(to - 1)),
                        (false, false) => (Value::NIL, Value::NIL),
                    };
                    self.heap.write(f, to, ty);
                    self.heap.write(f, to + 1, method);
                }
                self.heap.write(f, slot::PFN_VERSION, protocol.get(4));
                Ok(m)
            }
            None => {
                let method = f.get(1).as_keyword().map_or(String::new(), |k| self.names.name(k).to_string());
                let pname = name_text(self, protocol.get(0));
                let tname = class_name(self, this);
                let message =
                    format!("No implementation of method: :{method} of protocol: #'{pname} found for class: {tname}");
                Err(self.err(ErrKind::NoMethod, message))
            }
        }
    }
    fn protocol_method(&mut self, protocol: Obj, method: Value, this: Value, t: Value) -> R<Option<Value>> {
        if let Some(m) = self.impl_of(protocol, t, method)? {
            return Ok(Some(m));
        }
        if protocol.get(3).truthy() {
            // :extend-via-metadata
            let meta = meta_of(self, this);
            let key = self.symbol_of_method(protocol, method);
            let m = coll::get(self, meta, key, Value::NIL)?;
            if !m.is_nil() {
                return Ok(Some(m));
            }
        }
        let name = class_name(self, this);
        let mut parents: Vec<String> = ancestors_of(&name).into_iter().map(String::from).collect();
        if this.is_kind(Kind::Record) {
            for c in ["clojure.lang.IRecord", "clojure.lang.IPersistentMap", "java.util.Map"] {
                parents.push(c.into());
                parents.extend(ancestors_of(c).into_iter().map(String::from));
            }
        }
        if this.is_kind(Kind::Instance) {
            let interfaces = t.obj().expect("a type").get(4);
            for i in coll::spread(self, interfaces, usize::MAX).unwrap_or_default() {
                let n = name_text(self, i);
                parents.extend(ancestors_of(&n).into_iter().map(String::from));
                parents.push(n);
            }
        }
        if !this.is_nil() {
            parents.push("java.lang.Object".into());
        }
        for p in parents {
            let c = self.class_value(&p);
            if let Some(m) = self.impl_of(protocol, c, method)? {
                return Ok(Some(m));
            }
        }
        Ok(None)
    }
    fn symbol_of_method(&mut self, protocol: Obj, method: Value) -> Value {
        let p = name_text(self, protocol.get(0));
        let ns = p.rsplit_once('/').map_or("", |x| x.0).to_string();
        let m = method.as_keyword().map_or(String::new(), |k| self.names.name(k).to_string());
        self.symbol(&format!("{ns}/{m}"))
    }
    /// `protocol`'s implementation of `method` for exactly type `t`.
    fn impl_of(&mut self, protocol: Obj, t: Value, method: Value) -> R<Option<Value>> {
        let key = t.obj().expect("a type").get(0);
        let methods = coll::get(self, protocol.get(2), key, Value::NIL)?;
        if methods.is_nil() {
            return Ok(None);
        }
        let m = coll::get(self, methods, method, Value::NIL)?;
        Ok(if m.is_nil() { None } else { Some(m) })
    }
}

/// An interface method of an instance or record, by its name.
pub fn method_of(vm: &mut Vm, v: Value, name: &str) -> Option<Value> {
    let o = v.obj()?;
    if !matches!(o.kind(), Kind::Instance | Kind::Record) {
        return None;
    }
    let methods = o.get(0).obj()?.get(3);
    let key = vm.symbol(name);
    match coll::get(vm, methods, key, Value::NIL) {
        Ok(m) if !m.is_nil() => Some(m),
        _ => None,
    }
}

// ---- records: [type, metadata, extension map or nil, fields…]
fn field_index(vm: &mut Vm, o: Obj, k: Value) -> Option<usize> {
    let name = k.as_keyword()?;
    let fields = o.get(0).obj()?.get(1).obj()?;
    (0..vector::count(fields)).find(|&i| vector::get(fields, i).and_then(|f| vm.symbol_id(f)) == Some(name))
}
pub fn record_entries(vm: &mut Vm, o: Obj) -> Vec<(Value, Value)> {
    let fields = o.get(0).obj().expect("a type").get(1);
    let mut out: Vec<(Value, Value)> = coll::vector_values(fields)
        .into_iter()
        .enumerate()
        .map(|(i, f)| (Value::keyword(vm.symbol_id(f).expect("a field name")), o.get(3 + i)))
        .collect();
    if let Some(ext) = o.get(2).obj() {
        out.extend(hamt::entries(vm, ext));
    }
    out
}
pub fn record_get(vm: &mut Vm, o: Obj, k: Value) -> R {
    match field_index(vm, o, k) {
        Some(i) => Ok(o.get(3 + i)),
        None if o.get(2).is_nil() => Ok(Value::ABSENT),
        None => hamt::get(vm, o.get(2).obj().expect("a map"), k),
    }
}
pub fn record_assoc(vm: &mut Vm, o: Obj, k: Value, x: Value) -> R {
    let mut words = o.words().to_vec();
    match field_index(vm, o, k) {
        Some(i) => words[3 + i] = x,
        None => {
            let ext = if words[2].is_nil() { hamt::empty(vm) } else { words[2] };
            words[2] = hamt::assoc(vm, ext.obj().expect("a map"), k, x)?;
        }
    }
    Ok(vm.alloc(Kind::Record, &words))
}
pub fn record_dissoc(vm: &mut Vm, o: Obj, k: Value) -> R {
    if field_index(vm, o, k).is_some() {
        // Without one of its fields it is a plain map.
        let rest: Vec<_> = record_entries(vm, o).into_iter().filter(|(f, _)| *f != k).collect();
        return hamt::of(vm, &rest);
    }
    if o.get(2).is_nil() {
        return Ok(o.into());
    }
    let mut words = o.words().to_vec();
    words[2] = hamt::dissoc(vm, words[2].obj().expect("a map"), k)?;
    Ok(vm.alloc(Kind::Record, &words))
}

// ---- metadata
/// Slot of a kind's metadata, given the object.
fn meta_slot(o: Obj) -> Option<usize> {
    let optional = |at: usize| (o.len() > at).then_some(at);
    match o.kind() {
        Kind::Vector => Some(4),
        Kind::ArrayMap => Some(0),
        Kind::HashMap => Some(2),
        Kind::HashSet | Kind::SortedSet => Some(1),
        Kind::SortedMap => Some(3),
        Kind::Queue => Some(3),
        Kind::Record => Some(1),
        Kind::List => optional(3),
        Kind::EmptyList => optional(0),
        Kind::Cons | Kind::IndexedSeq => optional(2),
        Kind::ChunkedCons | Kind::Range => optional(3),
        Kind::LazySeq => Some(slot::LAZY_META),
        Kind::Closure => Some(slot::CLOSURE_META),
        Kind::PrimFn => Some(1),
        Kind::SymbolMeta => Some(1),
        Kind::Var => Some(slot::VAR_META),
        Kind::Atom | Kind::Ref => Some(1),
        Kind::Namespace => Some(3),
        Kind::MultiFn => Some(7),
        Kind::ProtocolFn => Some(slot::PFN_META),
        _ => None,
    }
}
pub fn meta_of(vm: &mut Vm, v: Value) -> Value {
    let Some(o) = v.obj() else { return Value::NIL };
    if o.kind() == Kind::Instance {
        return match method_of(vm, v, "meta") {
            Some(m) => vm.call_out(m, &[v]).unwrap_or(Value::NIL),
            None => Value::NIL,
        };
    }
    let m = meta_slot(o).map_or(Value::NIL, |i| o.get(i));
    if o.kind() == Kind::Var && o.get(slot::VAR_NAME) != o.get(slot::VAR_NS) {
        let m = if m.is_nil() { hamt::empty(vm) } else { m };
        let (name, ns) = (vm.keyword("name"), vm.keyword("ns"));
        let space = o.get(slot::VAR_NS).as_plain_symbol().and_then(|n| vm.namespaces.get(&n)).and_then(|n| n.object);
        let m = coll::assoc(vm, m, name, o.get(slot::VAR_NAME)).unwrap_or(m);
        return coll::assoc(vm, m, ns, space.unwrap_or(Value::NIL)).unwrap_or(m);
    }
    match m.as_kind(Kind::SpanMeta) {
        // Source positions show as a map, on lists only.
        Some(s) if o.kind() == Kind::List => {
            let (line, col) = (Value::fix((s.raw(1) >> 32) as i64), Value::fix(s.raw(2) as i64));
            let (l, c) = (vm.keyword("line"), vm.keyword("column"));
            // The exact place hides where the map's own metadata would be, so that `(with-meta x (meta form))` keeps it.
            vm.alloc(Kind::ArrayMap, &[m, l, line, c, col])
        }
        Some(_) => Value::NIL,
        None => m,
    }
}
/// The `SpanMeta` of a form: its metadata, or hidden in it.
pub fn span_of(v: Value) -> Option<Obj> {
    let o = v.obj()?;
    if !matches!(o.kind(), Kind::List | Kind::Cons | Kind::LazySeq) {
        return None;
    }
    let m = meta_slot(o).filter(|i| *i < o.len()).map_or(Value::NIL, |i| o.get(i));
    m.as_kind(Kind::SpanMeta).or_else(|| m.as_kind(Kind::ArrayMap).and_then(|m| m.get(0).as_kind(Kind::SpanMeta)))
}
/// `v` with metadata `m` (a map or nil).
pub fn with_meta(vm: &mut Vm, v: Value, m: Value) -> R {
    if let Some(id) = vm.symbol_id(v) {
        if m.is_nil() {
            return Ok(Value::symbol(id));
        }
        return Ok(vm.alloc(Kind::SymbolMeta, &[Value::symbol(id), m]));
    }
    let Some(o) = v.obj() else { return Err(coll::type_err(vm, v, "this type has no metadata")) };
    let mut words = match o.kind() {
        Kind::Var | Kind::Atom | Kind::Ref | Kind::Namespace => {
            return Err(coll::type_err(vm, v, "metadata of this type is changed with alter-meta!"));
        }
        Kind::LazySeq => {
            // The copy shares the realisation: it is a cell that holds this one.
            let words = [Value::NIL, v, m];
            return Ok(vm.alloc(Kind::LazySeq, &words));
        }
        Kind::Instance => {
            return match method_of(vm, v, "withMeta") {
                Some(f) => vm.call_out(f, &[v, m]),
                None => Err(coll::type_err(vm, v, "this type has no metadata")),
            };
        }
        Kind::MapEntry => {
            let v = vector::of(vm, &[o.get(0), o.get(1)]);
            return with_meta(vm, v, m);
        }
        _ => o.words().to_vec(),
    };
    let at = match o.kind() {
        Kind::List | Kind::ChunkedCons | Kind::Range => 3,
        Kind::EmptyList => 0,
        Kind::Cons | Kind::IndexedSeq => 2,
        _ => match meta_slot(o) {
            Some(i) => i,
            None => return Err(coll::type_err(vm, v, "this type has no metadata")),
        },
    };
    if at == words.len() {
        words.push(m);
    } else {
        words[at] = m;
    }
    Ok(vm.heap.alloc_with(o.kind(), o.aux(), &words).into())
}

/// Is `v` an instance of the class or type `t`?
pub fn instance_of(vm: &mut Vm, t: Value, v: Value) -> R<bool> {
    let Some(ty) = t.as_kind(Kind::Type) else {
        if let Some(p) = t.as_kind(Kind::Protocol) {
            let k = vm.type_of(v);
            let key = k.obj().expect("a type").get(0);
            return Ok(!coll::get(vm, p.get(2), key, Value::NIL)?.is_nil());
        }
        return Err(coll::type_err(vm, t, "not a class"));
    };
    if v.is_nil() {
        return Ok(false);
    }
    if vm.type_of(v) == t {
        return Ok(true);
    }
    let want = name_text(vm, ty.get(0));
    if want == "java.lang.Object" {
        return Ok(true);
    }
    let own = class_name(vm, v);
    if own == want || ancestors_of(&own).contains(&want.as_str()) {
        return Ok(true);
    }
    if v.is_kind(Kind::Record)
        && (want == "clojure.lang.IRecord"
            || want == "clojure.lang.IPersistentMap"
            || ancestors_of("clojure.lang.IPersistentMap").contains(&want.as_str())
            || want == "java.util.Map"
            || want == "clojure.lang.IObj")
    {
        return Ok(true);
    }
    if v.is_kind(Kind::Exception)
        && !own.contains('.')
        && matches!(want.as_str(), "java.lang.Throwable" | "java.lang.Exception")
    {
        return Ok(true);
    }
    if let Some(Kind::Instance | Kind::Record) = v.kind() {
        // Interfaces a deftype was declared with are in its metadata.
        let interfaces = v.obj().expect("has a kind").get(0).obj().expect("a type").get(4);
        for i in coll::spread(vm, interfaces, usize::MAX)? {
            let n = name_text(vm, i);
            if n == want || ancestors_of(&n).contains(&want.as_str()) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

macro_rules! fns {
    ($($name:ident |$vm:ident, $a:ident| $e:expr;)*) => {$(
        fn $name($vm: &mut Vm, $a: &[Value]) -> R { $e }
    )*};
}
fn not_type(vm: &mut Vm, v: Value) -> Exit {
    coll::type_err(vm, v, "not a type")
}
fns! {
    p_meta |vm, a| Ok(meta_of(vm, a[0]));
    p_with_meta |vm, a| { if !a[1].is_nil() && !coll::is_map(a[1]) { return Err(coll::type_err(vm, a[1], "metadata must be a map")); } with_meta(vm, a[0], a[1]) };
    set_meta |vm, a| match a[0].obj() {
        Some(o) if matches!(o.kind(), Kind::Var | Kind::Atom | Kind::Ref | Kind::Namespace) => {
            let i = meta_slot(o).expect("has metadata");
            vm.heap.write(o, i, a[1]);
            Ok(a[1])
        }
        _ => Err(coll::type_err(vm, a[0], "metadata of this type cannot be changed")),
    };
    // (yin.rt/make-type 'name fields flags interfaces)
    make_type |vm, a| {
        let methods = hamt::empty(vm);
        Ok(vm.alloc(Kind::Type, &[a[0], a[1], a[2], methods, a[3]]))
    };
    add_method |vm, a| match a[0].as_kind(Kind::Type) {
        Some(t) => {
            let m = coll::assoc(vm, t.get(3), a[1], a[2])?;
            vm.heap.write(t, 3, m);
            Ok(a[0])
        }
        None => Err(not_type(vm, a[0])),
    };
    new_instance |vm, a| match a[0].as_kind(Kind::Type) {
        Some(t) => {
            let n = vector::count(t.get(1).obj().expect("fields"));
            if a.len() - 1 != n {
                let name = name_text(vm, t.get(0));
                return Err(vm.err(ErrKind::Arity, format!("Wrong number of args ({}) passed to: {name}", a.len() - 1)));
            }
            let (kind, first) = if t.get(2) == Value::fix(1) { (Kind::Record, 3) } else { (Kind::Instance, 1) };
            let o = vm.heap.alloc(kind, 0, first + n);
            o.set(0, a[0]);
            (1..first).for_each(|i| o.set(i, Value::NIL));
            a[1..].iter().enumerate().for_each(|(i, v)| o.set(first + i, *v));
            Ok(o.into())
        }
        None => Err(not_type(vm, a[0])),
    };
    type_fields |vm, a| match a[0].as_kind(Kind::Type) { Some(t) => Ok(t.get(1)), None => Err(not_type(vm, a[0])) };
    type_symbol |vm, a| match a[0].as_kind(Kind::Type) { Some(t) => Ok(t.get(0)), None => Err(not_type(vm, a[0])) };
    type_of |vm, a| Ok(if a[0].is_nil() { Value::NIL } else { vm.type_of(a[0]) });
    class_by_name |vm, a| {
        let name = match vm.symbol_id(a[0]) { Some(id) => vm.names.text(id).to_string(), None => a[0].as_str().unwrap_or("").to_string() };
        let full = full_name(&name);
        Ok(vm.class_value(&full))
    };
    // The class's ancestors as type objects.
    class_ancestors |vm, a| match a[0].as_kind(Kind::Type) {
        Some(t) => {
            let name = name_text(vm, t.get(0));
            let mut names: Vec<String> = ancestors_of(&name).into_iter().map(String::from).collect();
            for i in coll::spread(vm, t.get(4), usize::MAX).unwrap_or_default() { names.push(name_text(vm, i)); }
            if name != "java.lang.Object" { names.push("java.lang.Object".into()); }
            let items: Vec<Value> = names.iter().map(|n| vm.class_value(n)).collect();
            Ok(coll::list_of(vm, &items))
        }
        None => Ok(Value::NIL),
    };
    p_instance |vm, a| Ok(Value::bool(instance_of(vm, a[0], a[1])?));
    record_p |_vm, a| Ok(Value::bool(a[0].is_kind(Kind::Record)));
    class_p |_vm, a| Ok(Value::bool(a[0].is_kind(Kind::Type)));
    satisfies |vm, a| match a[0].as_kind(Kind::Protocol) {
        Some(p) => {
            let t = vm.type_of(a[1]);
            let mut names = vec![t.obj().expect("a type").get(0)];
            let own = class_name(vm, a[1]);
            let mut more: Vec<String> = ancestors_of(&own).into_iter().map(String::from).collect();
            if a[1].is_kind(Kind::Record) { more.extend(["clojure.lang.IRecord".into(), "clojure.lang.IPersistentMap".into()]); }
            if !a[1].is_nil() { more.push("java.lang.Object".into()); }
            names.extend(more.iter().map(|n| vm.symbol(n)).collect::<Vec<_>>());
            for n in names {
                if !coll::get(vm, p.get(2), n, Value::NIL)?.is_nil() { return Ok(Value::TRUE); }
            }
            Ok(Value::FALSE)
        }
        None => Err(coll::type_err(vm, a[0], "not a protocol")),
    };
    // (yin.rt/make-protocol 'ns/Name methods via-meta?)
    make_protocol |vm, a| {
        let impls = hamt::empty(vm);
        Ok(vm.alloc(Kind::Protocol, &[a[0], a[1], impls, a[2], Value::ZERO]))
    };
    protocol_fn |vm, a| {
        let mut words = [Value::NIL; slot::PFN_LEN];
        (words[0], words[1], words[slot::PFN_VERSION]) = (a[0], a[1], Value::fix(-1));
        Ok(vm.alloc(Kind::ProtocolFn, &words))
    };
    // (yin.rt/extend protocol type method-map): adds to what is there.
    extend |vm, a| match a[0].as_kind(Kind::Protocol) {
        Some(p) => {
            let key = match a[1].as_kind(Kind::Type) {
                Some(t) => t.get(0),
                None if a[1].is_nil() => vm.symbol("nil"),
                None => return Err(not_type(vm, a[1])),
            };
            let impls = coll::assoc(vm, p.get(2), key, a[2])?;
            vm.heap.write(p, 2, impls);
            vm.heap.write(p, 4, Value::fix(p.get(4).fix_get() + 1));
            Ok(Value::NIL)
        }
        None => Err(coll::type_err(vm, a[0], "not a protocol")),
    };
    protocol_impls |vm, a| match a[0].as_kind(Kind::Protocol) { Some(p) => Ok(p.get(2)), None => Err(coll::type_err(vm, a[0], "not a protocol")) };
    protocol_symbol |vm, a| match a[0].as_kind(Kind::Protocol) { Some(p) => Ok(p.get(0)), None => Err(coll::type_err(vm, a[0], "not a protocol")) };
    protocol_p |_vm, a| Ok(Value::bool(a[0].is_kind(Kind::Protocol)));
    // (yin.rt/make-multi 'name dispatch default hierarchy-var)
    make_multi |vm, a| {
        let (t, p) = (hamt::empty(vm), hamt::empty(vm));
        Ok(vm.alloc(Kind::MultiFn, &[a[0], a[1], a[2], a[3], t, p, Value::NIL, Value::NIL]))
    };
    multi_get |vm, a| match (a[0].as_kind(Kind::MultiFn), a[1].as_fix()) {
        (Some(m), Some(i)) if (0..8).contains(&i) => Ok(m.get(i as usize)),
        _ => Err(coll::type_err(vm, a[0], "not a multimethod")),
    };
    multi_set |vm, a| match (a[0].as_kind(Kind::MultiFn), a[1].as_fix()) {
        (Some(m), Some(i)) if (0..8).contains(&i) => { vm.heap.write(m, i as usize, a[2]); Ok(a[0]) }
        _ => Err(coll::type_err(vm, a[0], "not a multimethod")),
    };
    multi_p |_vm, a| Ok(Value::bool(a[0].is_kind(Kind::MultiFn)));
    // (yin.rt/make-exception class message data cause kind)
    make_exception |vm, a| {
        let mut w = [Value::NIL; slot::EX_LEN];
        w[slot::EX_CLASS] = a[0];
        w[slot::EX_MESSAGE] = a[1];
        w[slot::EX_DATA] = a[2];
        w[slot::EX_CAUSE] = a[3];
        w[slot::EX_KIND] = a[4];
        Ok(vm.alloc(Kind::Exception, &w))
    };
    ex_get |_vm, a| Ok(match (a[0].as_kind(Kind::Exception), a[1].as_fix()) {
        (Some(e), Some(i)) if (0..slot::EX_LEN as i64).contains(&i) => e.get(i as usize),
        _ => Value::NIL,
    });
    exception_p |_vm, a| Ok(Value::bool(a[0].is_kind(Kind::Exception)));
    // (yin.rt/catches? class exception)
    catches |vm, a| Ok(Value::bool(instance_of(vm, a[0], a[1])?));
    p_throw |vm, a| {
        if a[0].is_nil() { return Err(vm.err(ErrKind::Type, "nil cannot be thrown")); }
        if !a[0].is_kind(Kind::Exception) { return Err(coll::type_err(vm, a[0], "only exceptions can be thrown")); }
        Err(vm.throw(a[0]))
    };
    raise_kind |vm, a| {
        let kinds = [ErrKind::Arity, ErrKind::Type, ErrKind::Arithmetic, ErrKind::Index, ErrKind::Argument, ErrKind::Parse, ErrKind::State, ErrKind::NoMethod, ErrKind::NoClause, ErrKind::Unbound, ErrKind::Syntax, ErrKind::Read, ErrKind::Assert, ErrKind::Io];
        let name = a[0].as_keyword().map_or(String::new(), |k| vm.names.text(k).to_string());
        let kind = kinds.into_iter().find(|k| k.names().0 == name).unwrap_or(ErrKind::User);
        let text = a[1].as_str().unwrap_or("").to_string();
        Err(vm.err(kind, text))
    };
    p_equiv_type |vm, a| Ok(Value::bool(equiv(vm, a[0], a[1])? && num::is_number(a[0]) == num::is_number(a[1])));
}

macro_rules! rows {
    ($($name:literal $min:tt $max:tt $flags:tt $f:ident $doc:literal;)*) => { &[$(prim($name, $min, $max, $flags, $f, $doc),)*] };
}
pub const TABLE: &[PrimDef] = rows! {
    "clojure.core/meta" 1 1 0 p_meta "Metadata of x, or nil.";
    "clojure.core/with-meta" 2 2 0 p_with_meta "x with metadata m.";
    "yin.rt/set-meta!" 2 2 0 set_meta "Replaces the metadata of a reference.";
    "yin.rt/make-type" 4 4 0 make_type "A new type.";
    "yin.rt/add-method!" 3 3 0 add_method "Adds an interface method to a type.";
    "yin.rt/new-instance" 1 MANY 0 new_instance "An instance of a type.";
    "yin.rt/type-fields" 1 1 PURE type_fields "Fields of a type.";
    "yin.rt/type-symbol" 1 1 PURE type_symbol "Name of a type.";
    "clojure.core/class" 1 1 0 type_of "The class of x.";
    "yin.rt/class" 1 1 0 class_by_name "The class of a name.";
    "yin.rt/class-ancestors" 1 1 0 class_ancestors "Ancestors of a class.";
    "clojure.core/instance?" 2 2 0 p_instance "Is x an instance of the class?";
    "clojure.core/record?" 1 1 PURE record_p "Is x a record?";
    "clojure.core/class?" 1 1 PURE class_p "Is x a class?";
    "clojure.core/satisfies?" 2 2 0 satisfies "Does x satisfy the protocol?";
    "yin.rt/make-protocol" 3 3 0 make_protocol "A new protocol.";
    "yin.rt/protocol-fn" 2 2 0 protocol_fn "The function of a protocol's method.";
    "yin.rt/extend!" 3 3 0 extend "Implements a protocol for a type.";
    "yin.rt/protocol-impls" 1 1 0 protocol_impls "Implementations of a protocol.";
    "yin.rt/protocol-symbol" 1 1 0 protocol_symbol "Name of a protocol.";
    "yin.rt/protocol?" 1 1 PURE protocol_p "Is x a protocol?";
    "yin.rt/make-multi" 4 4 0 make_multi "A new multimethod.";
    "yin.rt/multi-get" 2 2 0 multi_get "Part of a multimethod.";
    "yin.rt/multi-set!" 3 3 0 multi_set "Replaces a part of a multimethod.";
    "yin.rt/multi?" 1 1 PURE multi_p "Is x a multimethod?";
    "yin.rt/make-exception" 5 5 0 make_exception "A new exception.";
    "yin.rt/ex-get" 2 2 0 ex_get "Part of an exception.";
    "yin.rt/exception?" 1 1 PURE exception_p "Is x an exception?";
    "yin.rt/catches?" 2 2 0 catches "Does a catch clause of this class take x?";
    "yin.rt/throw" 1 1 0 p_throw "Throws x.";
    "yin.rt/raise" 2 2 0 raise_kind "Raises an error of a kind.";
    "yin.rt/same-number?" 2 2 PURE p_equiv_type "Equal, and both or neither numbers.";
};
