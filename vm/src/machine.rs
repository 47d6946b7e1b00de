//! The machine: one program's values, names, stack and limits.

use crate::control::NativeRecords;
use crate::frame::{Code, Native, Pc, Regs, Resume};
use crate::heap::Heap;
use crate::layout::{Kind, slot};
use crate::names::Names;
use crate::region::Region;
use crate::tier::{NativeCall, Stubs, Tier};
use crate::value::{Obj, Value};
use rustc_hash::{FxHashMap as HashMap, FxHashSet as HashSet};
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
    /// The program became bytes: `Vm::parking` has them.
    Parked,
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
    /// How often the primitive was started over for an unrealised seq.
    pub restarts: usize,
}

/// Values the machine itself holds on to.
pub struct Roots {
    /// Innermost node of the dynamic bindings in force (see `control`), or nil.
    pub dyn_node: Value,
    /// Innermost dynamic-wind in force, or nil.
    pub winds: Value,
    /// Frames below the stack: segment (or nil), words of it in use.
    pub kseg: Value,
    /// Vector-like table of everything else that must stay: see `Vm::root`.
    pub extra: Vec<Value>,
}

impl Roots {
    /// Visits every word.
    pub(crate) fn each(&mut self, f: &mut impl FnMut(&mut Value)) {
        f(&mut self.dyn_node);
        f(&mut self.winds);
        f(&mut self.kseg);
        self.extra.iter_mut().for_each(f);
    }
}

/// A stack of frames that waits below a nested run.
pub(crate) struct OuterStack {
    pub stack: Stack,
    pub base: *mut u64,
    pub top: *mut u64,
    pub kseg: Value,
    pub koff: usize,
    pub fp: Regs,
    pub pc: Pc,
    pub code: *const Code,
}

/// The stack frames are pushed on.
pub(crate) struct Stack {
    pub _region: Region,
    pub base: *mut u64,
    /// Frames start below this word; a frame fits behind it.
    pub limit: *mut u64,
}

/// Words of a stack chunk.
const STACK_WORDS: usize = 1 << 17;
/// Words behind the limit: the largest frame plus the largest call window.
pub const STACK_SLACK: usize = 8192;

impl Stack {
    fn new() -> Result<Stack, String> {
        let region = Region::reserve(0, (STACK_WORDS + STACK_SLACK) * 8)?;
        let base = region.base() as *mut u64;
        // SAFETY: inside the region.
        let limit = unsafe { base.add(STACK_WORDS) };
        Ok(Stack { _region: region, base, limit })
    }
}

/// Stress modes (`YIN_ZEAL`).
#[derive(Clone, Copy, Default, Debug)]
pub struct Zeal {
    /// Collect at every k-th poll (0 = off).
    pub gc: u32,
    /// Capture and resume everything at every k-th poll.
    pub capture: u32,
    /// Make everything bytes and read them back at every k-th poll.
    pub park: u32,
    /// Threads change places at every k-th poll.
    pub switch: u32,
    /// Every guard of compiled code fails the first time.
    pub exit: bool,
    /// Seed of the order in which hash maps and sets are gone through (0 = that of their hashes).
    pub order: u64,
    pub count: u32,
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
    pub roots: Roots,
    /// Words in use of `roots.kseg`.
    pub(crate) koff: usize,
    pub(crate) stack: Stack,
    pub(crate) outer_stacks: Vec<OuterStack>,
    spare_stacks: Vec<Stack>,
    /// The running activation, while the interpreter is not looking.
    pub(crate) fp: Regs,
    pub(crate) pc: Pc,
    pub(crate) code: *const Code,
    /// Top header of this stack while Rust code that may nest runs.
    pub(crate) nest_top: Regs,
    /// Set when the run is over: its value, or why there is none.
    pub(crate) done: Option<Result<Value, Exit>>,
    /// Every installed code, and those whose constants may be young.
    pub(crate) codes: Vec<*const Code>,
    pub(crate) young_codes: Vec<*const Code>,
    pub(crate) natives: NativeRecords,
    /// Records made on demand, by instruction.
    pub(crate) resume_points: HashMap<usize, *const Resume>,
    /// Collections are put off while this is not zero: Rust code holds values across a nested run.
    pub(crate) no_gc: u32,
    /// Overwrite freed memory (stress mode `gc`).
    pub(crate) poison: bool,
    pub zeal: Zeal,
    /// Steps left under `--fuel`, beyond the slice in `heap.steps`; None = no limit.
    pub fuel: Option<u64>,
    /// Steps executed in slices that are over.
    pub steps_done: u64,
    pub(crate) slice: i64,
    /// The library this machine was started from.
    pub(crate) library: crate::freeze::code::Library,
    /// Names of the functions that programs brought.
    pub(crate) book: crate::freeze::code::CodeBook,
    /// Added to the time since the start: a program that travelled does not see its clock jump.
    pub(crate) clock_ahead_ns: i64,
    pub parking: crate::freeze::Parking,
    pub(crate) threads: crate::thread::Threads,
    /// Every program text of this machine as AST.
    pub ast: yin_ast::Ast,
    /// By name id.
    pub namespaces: HashMap<u32, crate::namespace::Ns>,
    /// `*ns*`.
    pub ns_var: Option<Obj>,
    /// Namespaces whose file was evaluated.
    pub loaded: HashSet<u32>,
    /// Folders where namespaces' files are looked for.
    pub source_paths: Vec<String>,
    /// Arguments of the command.
    pub args: Vec<String>,
    /// Place of the last error before running.
    pub err_span: Option<yin_ast::Span>,
    /// What else is wrong with the text that could not be read last.
    pub(crate) unread: Option<crate::driver::Unread>,
    /// Name the function being analysed is given: that of its `def`.
    pub(crate) def_name: Option<String>,
    /// `#'ns/name` also sees private vars.
    pub(crate) see_private: bool,
    pub prim_ids: HashMap<&'static str, u16>,
    /// Type objects of host classes by name id: index into `roots.extra`.
    pub(crate) classes: HashMap<u32, usize>,
    pub(crate) regex_ids: HashMap<String, usize>,
    /// Databases and stores that objects stand for.
    pub(crate) held: crate::store::Held,
    /// Text sinks in memory.
    pub buffers: Vec<String>,
    /// Standard output not yet written.
    pub out: String,
    pub broken_pipe: bool,
    /// Keep standard output in `out` instead of writing it.
    pub hold_output: bool,
    pub started: std::time::Instant,
    pub(crate) clock_is_steps: bool,
    pub(crate) random_state: u64,
    /// Print instructions of what is compiled to standard error.
    pub dump_ops: bool,
    /// Print each top-level form's AST to standard error.
    pub dump_ast: bool,
    /// Times of reading, expanding and compiling, if they are to be taken.
    pub phases: Option<crate::phases::Phases>,
    /// Instruction words installed since the machine was made.
    pub code_words: u64,
    /// The compiler, if there is one.
    pub tier: Option<Box<dyn Tier>>,
    pub(crate) stubs: Option<Stubs>,
    /// The next step, when it is in machine code.
    pub(crate) native: NativeCall,
    /// Activations of interpreted code that no poll sees.
    pub(crate) activations: u32,
    /// Why machine code left: see `tier::leave`, or an exit point's address.
    pub(crate) native_leave: u64,
    pub(crate) native_exit: Exit,
    pub(crate) native_args: [u64; 8],
    /// Operands seen by failed guards, by instruction.
    pub(crate) profile: HashMap<u64, u16>,
    /// Vars whose roots compiled code relies on.
    pub(crate) watched: HashSet<u64>,
    /// Primitives whose vars have another root now, by name: what is compiled from here on asks the var.
    pub redefined: HashSet<String>,
    /// Compile everything before it runs.
    pub(crate) always: bool,
    /// Rewrites every top-level form before it is compiled, if there are passes.
    pub passes: Option<Box<crate::inspect::pass::Passes>>,
    /// Records every step, if somebody wants that.
    pub trace: Option<Box<crate::inspect::trace::Trace>>,
    /// Called at moments, if somebody wants to ask.
    pub asker: Option<crate::inspect::moment::Asker>,
}

impl Vm {
    /// A machine without programs or names.
    ///
    /// # Errors
    /// The operating system's refusal of memory, as text.
    pub fn bare() -> Result<Vm, String> {
        Vm::bare_at(0)
    }
    /// The same with permanent memory at an address; 0 = where images want it.
    pub fn bare_at(perm_at: usize) -> Result<Vm, String> {
        let mut heap = Heap::new(perm_at)?;
        let natives = NativeRecords::new(&mut heap);
        let stack = Stack::new()?;
        let nil_roots = Roots { dyn_node: Value::NIL, winds: Value::NIL, kseg: Value::NIL, extra: Vec::new() };
        let fp = Regs(stack.base);
        heap.stack_limit = stack.limit;
        fp.set_word(0, natives.get(Native::Underflow) as u64);
        Ok(Vm {
            heap,
            roots: nil_roots,
            koff: 0,
            stack,
            outer_stacks: Vec::new(),
            spare_stacks: Vec::new(),
            fp,
            pc: Pc(std::ptr::null()),
            code: std::ptr::null(),
            nest_top: fp,
            done: None,
            codes: Vec::new(),
            young_codes: Vec::new(),
            natives,
            resume_points: HashMap::default(),
            no_gc: 0,
            poison: false,
            zeal: Zeal::default(),
            fuel: None,
            steps_done: 0,
            slice: 0,
            library: Default::default(),
            book: Default::default(),
            clock_ahead_ns: 0,
            parking: Default::default(),
            threads: Default::default(),
            ast: yin_ast::Ast::new(),
            namespaces: HashMap::default(),
            ns_var: None,
            loaded: HashSet::default(),
            source_paths: vec![".".into()],
            args: Vec::new(),
            err_span: None,
            unread: None,
            def_name: None,
            see_private: false,
            prim_ids: HashMap::default(),
            classes: HashMap::default(),
            regex_ids: HashMap::default(),
            held: Default::default(),
            buffers: Vec::new(),
            out: String::new(),
            broken_pipe: false,
            hold_output: false,
            started: std::time::Instant::now(),
            clock_is_steps: false,
            random_state: std::time::SystemTime::now()
                .duration_since(std::time::UNIX_EPOCH)
                .map_or(1, |d| d.as_nanos() as u64),
            dump_ops: false,
            dump_ast: false,
            phases: None,
            code_words: 0,
            tier: None,
            stubs: None,
            native: NativeCall::NONE,
            activations: 0,
            native_leave: 0,
            native_exit: Exit::Switch,
            native_args: [0; 8],
            profile: HashMap::default(),
            watched: HashSet::default(),
            redefined: HashSet::default(),
            always: false,
            passes: None,
            trace: None,
            asker: None,
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

impl Vm {
    // ---- running
    /// Calls `f` and runs until it returns: the entry for embedders and for macro expansion.
    ///
    /// The run has a stack of its own, so that captures inside cannot reach frames outside. When Rust code further out holds
    /// values, it must have forbidden collections (`without_gc`).
    pub fn call_now(&mut self, f: Value, args: &[Value]) -> Result<Value, Exit> {
        if self.outer_stacks.len() >= 60 {
            return Err(self.err(ErrKind::State, "too many nested evaluations"));
        }
        if args.len() > 250 {
            return Err(self.err(ErrKind::Arity, "too many arguments"));
        }
        self.nested(|vm| {
            let halt = Regs(vm.stack.base).up(1);
            halt.set_word(0, vm.natives.get(Native::Halt) as u64);
            halt.set_word(1, f.bits());
            for (i, &v) in args.iter().enumerate() {
                halt.set(i, v);
            }
            vm.activate(halt, args.len());
        })
    }

    /// Runs the frames in `roots.kseg`, which `start` makes the first step of.
    pub(crate) fn run_captured(&mut self, start: impl FnOnce(&mut Vm)) -> Result<Value, Exit> {
        let (kseg, koff) = (std::mem::replace(&mut self.roots.kseg, Value::NIL), std::mem::take(&mut self.koff));
        self.nested(|vm| {
            (vm.roots.kseg, vm.koff) = (kseg, koff);
            start(vm)
        })
    }

    /// A run on a stack of its own; `start` sets its first step.
    fn nested(&mut self, start: impl FnOnce(&mut Vm)) -> Result<Value, Exit> {
        let stack = match self.spare_stacks.pop() {
            Some(s) => s,
            None => match Stack::new() {
                Ok(s) => s,
                Err(e) => return Err(self.err(ErrKind::State, e)),
            },
        };
        let outer = std::mem::replace(&mut self.stack, stack);
        self.rearm();
        let waiting = std::mem::replace(&mut self.native, NativeCall::NONE);
        let top = self.nest_top.0;
        self.outer_stacks.push(OuterStack {
            base: outer.base,
            stack: outer,
            top,
            kseg: std::mem::replace(&mut self.roots.kseg, Value::NIL),
            koff: std::mem::take(&mut self.koff),
            fp: self.fp,
            pc: self.pc,
            code: self.code,
        });
        let replay = std::mem::take(&mut self.replay);
        let base = Regs(self.stack.base);
        base.set_word(0, self.natives.get(Native::Underflow) as u64);
        self.done = None;
        start(self);
        self.drive();
        let result = self.done.take().expect("a run ends with a result");
        self.replay = replay;
        let outer = self.outer_stacks.pop().expect("pushed above");
        let used = std::mem::replace(&mut self.stack, outer.stack);
        self.spare_stacks.push(used);
        self.rearm();
        self.native = waiting;
        self.roots.kseg = outer.kseg;
        self.koff = outer.koff;
        self.nest_top = Regs(outer.top);
        (self.fp, self.pc, self.code) = (outer.fp, outer.pc, outer.code);
        result
    }

    /// The driver: machine code and interpreter in turn, until the run has a result.
    fn drive(&mut self) {
        crate::control::watch_limit(&raw mut self.heap.stack_limit);
        self.rearm();
        while self.done.is_none() {
            if self.native.code.is_null() { crate::interp::run(self) } else { self.run_native() }
        }
        if self.outer_stacks.len() <= 1 {
            crate::control::watch_limit(std::ptr::null_mut());
        }
    }

    /// The limit of the stack in use, unless attention is wanted.
    pub(crate) fn rearm(&mut self) {
        self.heap.stack_limit = if self.heap.steps <= 0 { std::ptr::null_mut() } else { self.stack.limit };
        if crate::control::attention_wanted() {
            self.heap.stack_limit = std::ptr::null_mut();
        }
    }

    /// Runs `f` with collections put off, so that it may hold values across nested runs.
    pub fn without_gc<T>(&mut self, f: impl FnOnce(&mut Vm) -> T) -> T {
        self.no_gc += 1;
        let r = f(self);
        self.no_gc -= 1;
        r
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
