//! Shapes of heap objects and everything compiled code may rely on, stated once.
//!
//! Header, one word: `kind:8 | gc:8 | aux:16 | len:32`, `len` in payload words. A forwarded object's header is
//! `address << 8 | 0xFF`.

/// How the collector finds the tagged words of an object's payload.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scan {
    /// Every payload word is tagged.
    All,
    /// No payload word is tagged.
    None,
    /// The first `n` payload words are tagged, the rest is raw.
    Prefix(u8),
    /// A stack segment: frames, walked through their resume records.
    Seg,
}

/// Can the object be written after it was published?
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mutability {
    Frozen,
    Mutable,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident $scan:expr, $mutability:ident;)*) => {
        /// Kinds of heap objects.
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Kind { $($(#[$doc])* $name,)* }
        /// One row per kind, in order.
        pub const KINDS: &[(Kind, &str, Scan, Mutability)] =
            &[$((Kind::$name, stringify!($name), $scan, Mutability::$mutability),)*];
    };
}

kinds! {
    // ---- numbers
    /// Double outside the inline range. raw: bits
    Float64 Scan::None, Frozen;
    /// Long outside 61 bits. raw: i64
    Int64 Scan::None, Frozen;
    /// Integer outside i64. aux: 1 if negative; raw: magnitude, little-endian u64 words, top word non-zero
    BigInt Scan::None, Frozen;
    /// numerator, denominator (> 1), coprime
    Ratio Scan::All, Frozen;
    /// unscaled integer, scale (fixnum)
    Decimal Scan::All, Frozen;
    /// A BigInt that is small (`1N`): one tagged word, a fixnum or Int64. Prints with N, equal to the integer.
    SmallBig Scan::All, Frozen;
    // ---- text and names
    /// raw: `byte_len:32 | char_len:32 << 32`, hash cache (0 = not yet), UTF-8 bytes padded to words
    Str Scan::None, Frozen;
    /// symbol (immediate), metadata
    SymbolMeta Scan::All, Frozen;
    /// Source position as metadata of a form. raw: `file:32 | start:32 << 32`, `end:32 | line:32 << 32`, column
    SpanMeta Scan::None, Frozen;
    /// raw: two words
    Uuid Scan::None, Frozen;
    /// raw: milliseconds since the epoch
    Inst Scan::None, Frozen;
    /// source (Str), index into `Vm::regexes` (fixnum; -1 until compiled)
    Regex Scan::All, Mutable;
    /// regex, string, mutable matcher state
    Matcher Scan::All, Mutable;
    // ---- sequences
    /// `()`; optional metadata
    EmptyList Scan::All, Frozen;
    /// first, rest (list), count (fixnum), optional metadata
    List Scan::All, Frozen;
    /// first, rest (any seqable), optional metadata
    Cons Scan::All, Frozen;
    /// thunk or nil when realised, value (seq or nil), metadata
    LazySeq Scan::All, Mutable;
    /// backing (Vector, Str, array, ...), index (fixnum), optional metadata
    IndexedSeq Scan::All, Frozen;
    /// chunk (Node), offset (fixnum), rest, optional metadata
    ChunkedCons Scan::All, Frozen;
    /// chunk under construction: node, count
    ChunkBuffer Scan::All, Mutable;
    /// start, end (ABSENT = infinite), step, optional metadata
    Range Scan::All, Frozen;
    /// map, position state, optional metadata: seq over a hash or sorted map
    MapSeq Scan::All, Frozen;
    /// Reserved for seqs of repeated and iterated values: kind-specific words
    GenSeq Scan::All, Mutable;
    // ---- persistent collections
    /// Array of tagged words inside collections
    Node Scan::All, Frozen;
    /// count (fixnum), shift (fixnum), root (Node or nil), tail (Node), metadata
    Vector Scan::All, Frozen;
    /// key, value
    MapEntry Scan::All, Frozen;
    /// metadata, then up to 8 keys and values in insertion order
    ArrayMap Scan::All, Frozen;
    /// count, root, metadata
    HashMap Scan::All, Frozen;
    /// Bitmap node: tagged entries and children; last word raw-as-fixnum bitmap pair
    HashNode Scan::All, Frozen;
    /// hash (fixnum), then keys and values with that hash
    HashCollision Scan::All, Frozen;
    /// backing map, metadata
    HashSet Scan::All, Frozen;
    /// count, root, comparator (nil = default), metadata
    SortedMap Scan::All, Frozen;
    /// Balanced tree node of sorted collections
    TreeNode Scan::All, Frozen;
    /// backing SortedMap, metadata
    SortedSet Scan::All, Frozen;
    /// front (seq), rear (vector), count, metadata
    Queue Scan::All, Frozen;
    /// Transient of aux = kind of the persistent collection: kind-specific words, last word owner token
    Transient Scan::All, Mutable;
    // ---- functions
    /// raw: `*const Proto` (8-aligned, so it reads as a fixnum), metadata, captures
    Closure Scan::All, Mutable;
    /// aux: primitive id; name symbol, metadata
    PrimFn Scan::All, Frozen;
    /// name, dispatch fn, default value, hierarchy var, method table (map), prefers, cache, metadata
    MultiFn Scan::All, Mutable;
    /// name, method names, implementations (map type -> map), metadata, version
    Protocol Scan::All, Mutable;
    /// protocol, method name, cache
    ProtocolFn Scan::All, Mutable;
    /// A continuation as a function: Kont, flags
    KontFn Scan::All, Frozen;
    // ---- types and instances
    /// Type made by deftype/defrecord/reify or a built-in class: name symbol, fields (vector), flags, methods (map), metadata
    Type Scan::All, Mutable;
    /// Instance of a deftype or reify: type, fields...
    Instance Scan::All, Mutable;
    /// Record: type, metadata, extension map, fields...
    Record Scan::All, Frozen;
    /// Exception value: class symbol, message, data, cause, trace, kind keyword
    Exception Scan::All, Mutable;
    // ---- mutable cells
    /// ns symbol, name symbol, root value, metadata, flags (fixnum), watches, validator
    Var Scan::All, Mutable;
    /// name symbol, mappings (mutable map), aliases, metadata, interned names
    Namespace Scan::All, Mutable;
    /// value, metadata, watches, validator
    Atom Scan::All, Mutable;
    /// value
    Volatile Scan::All, Mutable;
    /// value
    Box Scan::All, Mutable;
    /// thunk or nil when done, value, failed?
    Delay Scan::All, Mutable;
    /// value or ABSENT, waiters
    Promise Scan::All, Mutable;
    /// value
    Reduced Scan::All, Frozen;
    /// Ref or agent: aux says which; value, metadata, watches, validator, error
    Ref Scan::All, Mutable;
    // ---- arrays
    /// aux: element type of a reference array; elements
    Array Scan::All, Mutable;
    /// aux: element type; raw elements, one word each (long, double, int, char, boolean, byte ...)
    PrimArray Scan::None, Mutable;
    // ---- control
    /// Frames copied off the stack: parent Seg, parent offset (fixnum), then frame words
    Seg Scan::Seg, Frozen;
    /// Continuation: seg, offset (fixnum), dynamic bindings, prompt tag or nil, flags
    Kont Scan::All, Frozen;
    /// Generator: kind-specific words
    Generator Scan::All, Mutable;
    // ---- the rest
    /// tag symbol, form
    TaggedLiteral Scan::All, Frozen;
    /// Handle to something of the host: number in `Vm::held` (fixnum), type name, extra.
    Native Scan::All, Mutable;
    /// StringBuilder and other text sinks: aux = which; index into `Vm::buffers`
    Buffer Scan::All, Mutable;
    /// A source being evaluated: see `driver::loader`
    Loader Scan::All, Mutable;
}

pub const KIND_COUNT: usize = KINDS.len();

const fn scan_table() -> [Scan; 256] {
    let mut table = [Scan::None; 256];
    let mut i = 0;
    while i < KINDS.len() {
        assert!(KINDS[i].0 as usize == i);
        table[i] = KINDS[i].2;
        i += 1;
    }
    table
}
/// Scan rule by kind byte.
pub static SCAN: [Scan; 256] = scan_table();

impl Kind {
    /// The kind of a header's low byte. Heap headers are only written by `Heap`, so the byte is always a kind.
    #[inline(always)]
    pub(crate) fn from_byte(b: u8) -> Kind {
        debug_assert!((b as usize) < KIND_COUNT);
        // SAFETY: invariant 1 of `heap`: every header's low byte was written from a `Kind`.
        unsafe { std::mem::transmute(b) }
    }
    pub fn name(self) -> &'static str {
        KINDS[self as usize].1
    }
}

/// Bits of the header's gc byte.
pub mod gc {
    pub const SPACE: u64 = 7;
    pub const NURSERY: u64 = 0;
    pub const SURVIVOR: u64 = 1;
    pub const OLD: u64 = 2;
    pub const LARGE: u64 = 3;
    /// Never moved, never freed: vars, the image.
    pub const PERM: u64 = 4;
    /// In the remembered set.
    pub const REMEMBERED: u64 = 8;
    /// Marked in this major collection (large objects only).
    pub const MARK: u64 = 16;
    /// A permanent object that was written since the image was made: a root of major collections.
    pub const DIRTY: u64 = 32;
    pub const SHIFT: u64 = 8;
}

/// Objects with more payload words than this live alone and never move.
pub const LARGE_WORDS: usize = 1024;

/// Words of a frame before its registers: resume record of the caller, callee closure.
pub const FRAME_HEADER: usize = 2;

// Fixed slots that several modules know.
pub mod slot {
    pub const CLOSURE_PROTO: usize = 0;
    pub const CLOSURE_META: usize = 1;
    pub const CLOSURE_CAPTURES: usize = 2;
    pub const VAR_NS: usize = 0;
    pub const VAR_NAME: usize = 1;
    pub const VAR_ROOT: usize = 2;
    pub const VAR_META: usize = 3;
    pub const VAR_FLAGS: usize = 4;
    pub const VAR_WATCHES: usize = 5;
    pub const VAR_VALIDATOR: usize = 6;
    pub const VAR_LEN: usize = 7;
    pub const LAZY_THUNK: usize = 0;
    pub const LAZY_VALUE: usize = 1;
    pub const LAZY_META: usize = 2;
    pub const EX_CLASS: usize = 0;
    pub const EX_MESSAGE: usize = 1;
    pub const EX_DATA: usize = 2;
    pub const EX_CAUSE: usize = 3;
    pub const EX_TRACE: usize = 4;
    pub const EX_KIND: usize = 5;
    pub const EX_LEN: usize = 6;
    pub const SEG_PARENT: usize = 0;
    pub const SEG_PARENT_OFF: usize = 1;
    pub const SEG_WORDS: usize = 2;
    /// A protocol's function: protocol, method's keyword, then what it found last: four types with their methods, good for one
    /// version of the protocol.
    pub const PFN_META: usize = 2;
    pub const PFN_VERSION: usize = 3;
    pub const PFN_WAYS: [usize; 4] = [4, 6, 8, 10];
    pub const PFN_LEN: usize = 12;
    pub const KONT_SEG: usize = 0;
    pub const KONT_OFF: usize = 1;
    pub const KONT_DYN: usize = 2;
    pub const KONT_TAG: usize = 3;
    pub const KONT_FLAGS: usize = 4;
}

/// Bits of a var's flags (fixnum in `slot::VAR_FLAGS`).
pub mod var_flag {
    pub const DYNAMIC: i64 = 1;
    pub const MACRO: i64 = 2;
    pub const PRIVATE: i64 = 4;
    pub const CONST: i64 = 8;
}
