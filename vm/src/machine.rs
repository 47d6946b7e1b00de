//! The machine: one program's values, names, stack and limits.

use crate::heap::Heap;
use crate::layout::{Kind, slot};
use crate::names::Names;
use crate::value::{Obj, Value};
use smallvec::SmallVec;

/// Why a primitive did not return a value. One byte: the details wait in [`Vm::pending`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Exit {
    /// `pending.value` is thrown.
    Throw,
    /// `pending.value` is a lazy seq to realise; run the primitive again.
    Force,
    /// `pending.value` is to be called with `pending.args`; run the primitive again with the answer.
    Call,
    /// The program is over: a limit was reached, an interrupt, or `System/exit`. `pending.stop` says which.
    Stop,
    /// A frame operation has set up the machine's next step itself.
    Switch,
}

/// Why a run ended without a value of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stop {
    Fuel,
    Memory,
    Interrupt,
    Exit(i32),
}

/// Kinds of errors, as programs and checks see them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ErrKind {
    Arity,
    Type,
    Arithmetic,
    Index,
    Argument,
    Parse,
    State,
    NoMethod,
    NoClause,
    Unbound,
    Syntax,
    Read,
    Assert,
    Io,
    User,
}

impl ErrKind {
    /// Kind word of an error report (`error[arity]: …`) and the host class whose name scripts catch.
    pub const fn names(self) -> (&'static str, &'static str) {
        match self {
            ErrKind::Arity => ("arity", "clojure.lang.ArityException"),
            ErrKind::Type => ("type", "java.lang.ClassCastException"),
            ErrKind::Arithmetic => ("arithmetic", "java.lang.ArithmeticException"),
            ErrKind::Index => ("index", "java.lang.IndexOutOfBoundsException"),
            ErrKind::Argument => ("argument", "java.lang.IllegalArgumentException"),
            ErrKind::Parse => ("parse", "java.lang.NumberFormatException"),
            ErrKind::State => ("state", "java.lang.IllegalStateException"),
            ErrKind::NoMethod => ("no-method", "java.lang.IllegalArgumentException"),
            ErrKind::NoClause => ("no-clause", "java.lang.IllegalArgumentException"),
            ErrKind::Unbound => ("unbound", "java.lang.IllegalStateException"),
            ErrKind::Syntax => ("syntax", "clojure.lang.Compiler$CompilerException"),
            ErrKind::Read => ("read", "java.lang.RuntimeException"),
            ErrKind::Assert => ("assert", "java.lang.AssertionError"),
            ErrKind::Io => ("io", "java.io.IOException"),
            ErrKind::User => ("user", "java.lang.Exception"),
        }
    }
}

/// Details of the last [`Exit`].
pub struct Pending {
    pub value: Value,
    pub args: SmallVec<[Value; 6]>,
    pub stop: Stop,
}

/// Answers to call-outs of the primitive that is being run again.
#[derive(Default)]
pub struct Replay {
    pub answers: Vec<Value>,
    pub next: usize,
}

/// One machine.
pub struct Vm {
    pub heap: Heap,
    pub names: Names,
    pub pending: Pending,
    pub replay: Replay,
    /// Compiled patterns by index; a Regex object holds its index.
    pub regexes: Vec<fancy_regex::Regex>,
    /// Next number of a generated name.
    pub gensym: u64,
}

impl Vm {
    /// A machine without programs or names.
    ///
    /// # Errors
    /// The operating system's refusal of memory, as text.
    pub fn bare() -> Result<Vm, String> {
        Ok(Vm {
            heap: Heap::new()?,
            names: Names::default(),
            pending: Pending { value: Value::NIL, args: SmallVec::new(), stop: Stop::Fuel },
            replay: Replay::default(),
            regexes: Vec::new(),
            gensym: 0,
        })
    }

    // ---- making values
    /// Any i64: a fixnum, or a boxed long.
    #[inline(always)]
    pub fn int(&mut self, n: i64) -> Value {
        match Value::try_fix(n) {
            Some(v) => v,
            None => self.heap.alloc_with(Kind::Int64, 0, &[Value(n as u64)]).into(),
        }
    }
    /// Any double: inline, or boxed.
    #[inline(always)]
    pub fn float(&mut self, x: f64) -> Value {
        match Value::try_f64(x) {
            Some(v) => v,
            None => {
                let bits = if x.is_nan() { f64::NAN.to_bits() } else { x.to_bits() };
                self.heap.alloc_with(Kind::Float64, 0, &[Value(bits)]).into()
            }
        }
    }
    /// A string.
    pub fn str(&mut self, s: &str) -> Value {
        self.str_from(s.len(), |o| o.copy_bytes(2, 0, s.as_bytes()), s.chars().count())
    }
    /// A string of `bytes` bytes and `chars` characters whose text `fill` writes from payload word 2 on.
    pub fn str_from(&mut self, bytes: usize, fill: impl FnOnce(Obj), chars: usize) -> Value {
        let o = self.heap.alloc(Kind::Str, 0, 2 + bytes.div_ceil(8));
        o.set_raw(0, bytes as u64 | (chars as u64) << 32);
        fill(o);
        o.into()
    }
    /// The keyword of a text `name` or `ns/name` (no colon).
    pub fn keyword(&mut self, text: &str) -> Value {
        Value::keyword(self.names.intern(text))
    }
    /// The symbol of a text `name` or `ns/name`.
    pub fn symbol(&mut self, text: &str) -> Value {
        Value::symbol(self.names.intern(text))
    }
    pub fn alloc(&mut self, kind: Kind, words: &[Value]) -> Value {
        self.heap.alloc_with(kind, 0, words).into()
    }
    /// Name id of a symbol, with or without metadata.
    pub fn symbol_id(&self, v: Value) -> Option<u32> {
        match v.as_plain_symbol() {
            Some(id) => Some(id),
            None => v.as_kind(Kind::SymbolMeta).and_then(|o| o.get(0).as_plain_symbol()),
        }
    }

    // ---- errors and exits
    /// An exception of `kind`; `return Err(vm.err(…))`.
    #[cold]
    pub fn err(&mut self, kind: ErrKind, message: impl AsRef<str>) -> Exit {
        let (kind_name, class) = kind.names();
        let class = self.symbol(class);
        self.err_of(kind_name, class, message.as_ref())
    }
    /// An exception of a class by name.
    #[cold]
    pub fn err_of(&mut self, kind_name: &str, class: Value, message: &str) -> Exit {
        let message = self.str(message);
        let kind = self.keyword(kind_name);
        let mut words = [Value::NIL; slot::EX_LEN];
        words[slot::EX_CLASS] = class;
        words[slot::EX_MESSAGE] = message;
        words[slot::EX_KIND] = kind;
        let e = self.alloc(Kind::Exception, &words);
        self.throw(e)
    }
    /// Throws any value.
    pub fn throw(&mut self, v: Value) -> Exit {
        self.pending.value = v;
        Exit::Throw
    }
    /// Makes sure that lazy seq `v` is realised: `vm.force(v)?` returns its value (a seq or nil) once it is.
    /// For any other value returns that value.
    pub fn force(&mut self, v: Value) -> Result<Value, Exit> {
        let mut v = v;
        // A realised lazy seq may hold another one.
        while let Some(o) = v.as_kind(Kind::LazySeq) {
            if !o.get(slot::LAZY_THUNK).is_nil() {
                self.pending.value = v;
                return Err(Exit::Force);
            }
            v = o.get(slot::LAZY_VALUE);
        }
        Ok(v)
    }
    /// The answer of calling `f` with `args`, which the interpreter makes between two runs of the primitive.
    pub fn call_out(&mut self, f: Value, args: &[Value]) -> Result<Value, Exit> {
        let i = self.replay.next;
        self.replay.next += 1;
        match self.replay.answers.get(i) {
            Some(&v) => Ok(v),
            None => {
                self.pending.value = f;
                self.pending.args = SmallVec::from_slice(args);
                Err(Exit::Call)
            }
        }
    }
}

impl Value {
    /// Text of a string value.
    #[inline]
    pub fn as_str<'a>(self) -> Option<&'a str> {
        let o = self.as_kind(Kind::Str)?;
        let bytes = o.bytes(2, o.raw(0) as u32 as usize);
        // SAFETY: strings are only made from `str` (`Vm::str`, `str_from` with copied `str` bytes).
        Some(unsafe { std::str::from_utf8_unchecked(bytes) })
    }
    /// Characters of a string value. O(1).
    pub fn str_chars(self) -> Option<usize> {
        self.as_kind(Kind::Str).map(|o| (o.raw(0) >> 32) as usize)
    }
}
