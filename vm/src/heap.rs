//! The heap: allocation, object access and the write barrier. Collection is in `collect`.
//!
//! Young objects are bumped out of the nursery; a full nursery takes another block at once and arms the poll, so allocating
//! never collects. Collections happen only in the driver, between instructions: Rust code may hold raw `Value`s and `Obj`s
//! from one driver turn to the next.
//!
//! # Invariants
//! 1. Every header was written by `alloc*` from a `Kind`, with the true payload length.
//! 2. An object in old, large or permanent space that refers to a young object is in the remembered set.
//! 3. Payload words that `layout::SCAN` calls tagged hold a `Value` or an 8-aligned raw pointer, from allocation on.

use crate::layout::{Kind, LARGE_WORDS, gc};
use crate::region::Region;
use crate::value::{Obj, Value};

/// Where the permanent region is placed if it can be: image words are absolute addresses for this place.
pub const PERM_BASE: usize = 0x8_0000_0000;
const PERM_BYTES: usize = 1 << 30;
/// What one top-level form's code may take at most.
const PERM_RESERVE: usize = 16 << 20;

pub(crate) struct Block {
    pub base: *mut u64,
    pub words: usize,
    pub used: usize,
    _region: Region,
}

impl Block {
    /// Fresh memory from the operating system: the allocator of a static binary may hand out addresses below 4 GiB.
    pub fn new(words: usize) -> Block {
        let region = Region::reserve(0, words * 8).unwrap_or_else(|_| out_of_memory(words * 8));
        Block { base: region.base() as *mut u64, words, used: 0, _region: region }
    }
}

fn out_of_memory(size_bytes: usize) -> ! {
    std::alloc::handle_alloc_error(std::alloc::Layout::from_size_align(size_bytes, 8).expect("a size"))
}

/// Counters a program or `--stats` may ask for.
#[derive(Clone, Copy, Default, Debug)]
pub struct HeapStats {
    pub minor_collections: u64,
    pub major_collections: u64,
    pub copied_words: u64,
    pub allocated_words: u64,
    pub longest_pause_ns: u64,
    /// All pauses together.
    pub pause_ns: u64,
}

/// The memory of one machine.
pub struct Heap {
    pub(crate) alloc: *mut u64,
    pub(crate) alloc_end: *mut u64,
    /// Nursery blocks; the last is the one `alloc` points into.
    pub(crate) nursery: Vec<Block>,
    pub(crate) nursery_words: usize,
    pub(crate) survivors: Vec<Block>,
    pub(crate) old: Vec<Block>,
    /// Objects that live alone, with their memory.
    pub(crate) large: Vec<(Obj, Region)>,
    pub(crate) large_words: usize,
    pub(crate) remembered: Vec<Obj>,
    pub(crate) dirty_perm: Vec<Obj>,
    pub(crate) perm: Region,
    pub(crate) perm_used: usize,
    /// Words of old and large space after the last major collection.
    pub(crate) live_words: usize,
    /// Limit on nursery + survivors + old + large, in words.
    pub(crate) limit_words: usize,
    /// A collection is wanted at the next poll.
    pub(crate) wanted: bool,
    /// Steps (function entries and loop back-edges) until the next poll is served; negative = now.
    pub(crate) steps: i64,
    /// Frames may start up to here; null = somebody wants attention at the next safe point.
    pub(crate) stack_limit: *mut u64,
    /// Steps taken out of `steps` by `want_poll`, to be given back when the poll is served.
    pub(crate) steps_banked: i64,
    pub stats: HeapStats,
}

pub(crate) const NURSERY_START: usize = 256 << 10 >> 3;
pub(crate) const NURSERY_MAX: usize = 4 << 20 >> 3;

impl Heap {
    pub fn new(perm_at: usize) -> Result<Heap, String> {
        let perm = Region::reserve(if perm_at == 0 { PERM_BASE } else { perm_at }, PERM_BYTES)?;
        let mut heap = Heap {
            alloc: std::ptr::null_mut(),
            alloc_end: std::ptr::null_mut(),
            nursery: Vec::new(),
            nursery_words: NURSERY_START,
            survivors: Vec::new(),
            old: Vec::new(),
            large: Vec::new(),
            large_words: 0,
            remembered: Vec::new(),
            dirty_perm: Vec::new(),
            perm,
            perm_used: 0,
            live_words: 0,
            limit_words: usize::MAX,
            wanted: false,
            steps: 0,
            stack_limit: std::ptr::null_mut(),
            steps_banked: 0,
            stats: HeapStats::default(),
        };
        heap.open_block(NURSERY_START);
        Ok(heap)
    }

    /// Makes the next function entry or back-edge give way.
    pub(crate) fn want_poll(&mut self) {
        self.stack_limit = std::ptr::null_mut();
        if self.steps > 0 {
            self.steps_banked += self.steps;
            self.steps = 0;
        }
    }

    /// A major collection at the next poll.
    pub fn want_major(&mut self) {
        self.live_words = 0;
        self.want_collection();
    }

    /// A collection at the next poll.
    pub(crate) fn want_collection(&mut self) {
        self.wanted = true;
        self.want_poll();
    }

    pub(crate) fn open_block(&mut self, words: usize) {
        self.close_block();
        let block = Block::new(words);
        self.alloc = block.base;
        // SAFETY: one past the end of the block.
        self.alloc_end = unsafe { block.base.add(words) };
        self.nursery.push(block);
    }

    /// Notes how much of the open block is used.
    pub(crate) fn close_block(&mut self) {
        if let Some(b) = self.nursery.last_mut() {
            // SAFETY: `alloc` points into this block.
            b.used = unsafe { self.alloc.offset_from(b.base) } as usize;
        }
    }

    /// A new young object of `len` payload words, all of them fixnum zero. Never collects.
    #[inline(always)]
    pub fn alloc(&mut self, kind: Kind, aux: u16, len: usize) -> Obj {
        let o = self.alloc_uninit(kind, aux, len);
        // SAFETY: `len` words were just allocated behind the header.
        unsafe { std::ptr::write_bytes(o.0.add(1), 0, len) };
        o
    }

    /// A new young object holding `words`. Never collects.
    #[inline(always)]
    pub fn alloc_with(&mut self, kind: Kind, aux: u16, words: &[Value]) -> Obj {
        let o = self.alloc_uninit(kind, aux, words.len());
        // SAFETY: `words.len()` words were just allocated behind the header.
        unsafe { std::ptr::copy_nonoverlapping(words.as_ptr() as *const u64, o.0.add(1), words.len()) };
        o
    }

    /// The words of the new object are garbage until the caller, in this module, fills them.
    #[inline(always)]
    fn alloc_uninit(&mut self, kind: Kind, aux: u16, len: usize) -> Obj {
        let p = self.alloc;
        if len < LARGE_WORDS {
            // SAFETY: compared before use.
            let end = unsafe { p.add(len + 1) };
            if end <= self.alloc_end {
                self.alloc = end;
                // SAFETY: inside the open block.
                unsafe { *p = kind as u64 | (aux as u64) << 16 | (len as u64) << 32 };
                return Obj(p);
            }
        }
        self.alloc_slow(kind, aux, len)
    }

    #[cold]
    #[inline(never)]
    fn alloc_slow(&mut self, kind: Kind, aux: u16, len: usize) -> Obj {
        assert!(len < u32::MAX as usize, "object too large");
        if len >= LARGE_WORDS {
            let region = Region::reserve(0, (len + 1) * 8).unwrap_or_else(|_| out_of_memory(len * 8));
            let p = region.base() as *mut u64;
            // It is not young, so its first contents must be found through the remembered set (invariant 2).
            let bits = gc::LARGE | gc::REMEMBERED;
            // SAFETY: just allocated.
            unsafe { *p = kind as u64 | bits << gc::SHIFT | (aux as u64) << 16 | (len as u64) << 32 };
            self.large.push((Obj(p), region));
            self.remembered.push(Obj(p));
            self.large_words += len + 1;
            self.stats.allocated_words += len as u64 + 1;
            if self.large_words > self.live_words + (8 << 20) {
                self.want_collection();
            }
            return Obj(p);
        }
        // Take a reserve block at once; the collection waits for the poll.
        self.want_collection();
        self.open_block(self.nursery_words.max(LARGE_WORDS * 4));
        self.alloc_uninit(kind, aux, len)
    }

    /// A permanent object: never moved, never freed. For vars, primitives, constants of the machine.
    pub fn alloc_perm(&mut self, kind: Kind, aux: u16, words: &[Value]) -> Obj {
        let size = (words.len() + 1) * 8;
        assert!(self.perm_used + size <= self.perm.size_bytes(), "permanent space is full");
        // SAFETY: inside the region by the assert; fresh memory.
        unsafe {
            let p = self.perm.base().add(self.perm_used) as *mut u64;
            self.perm_used += size;
            *p = kind as u64 | gc::PERM << gc::SHIFT | (aux as u64) << 16 | (words.len() as u64) << 32;
            let o = Obj(p);
            for (i, &w) in words.iter().enumerate() {
                *p.add(1 + i) = w.0;
            }
            self.barrier(o);
            o
        }
    }

    /// A copy of a movable object in permanent memory; `h` is its header.
    pub(crate) fn perm_copy(&mut self, o: Obj, h: u64) -> Obj {
        let words = (h >> 32) as usize + 1;
        assert!(self.perm_used + words * 8 <= self.perm.size_bytes(), "permanent space is full");
        // SAFETY: inside the region by the assert.
        unsafe {
            let p = self.perm.base().add(self.perm_used) as *mut u64;
            self.perm_used += words * 8;
            std::ptr::copy_nonoverlapping(o.0, p, words);
            *p = h & !(0xFF << gc::SHIFT) | gc::PERM << gc::SHIFT;
            Obj(p)
        }
    }

    /// Raw 8-aligned memory in the permanent region (code, records, tables), zeroed; never freed.
    pub(crate) fn alloc_raw(&mut self, words: usize) -> *mut u64 {
        // A raw run is hidden in a permanent object without tagged words, so that a walk of the region stays possible.
        let o = self.alloc_perm(Kind::PrimArray, 0xFFFF, &vec![Value::ZERO; words]);
        // SAFETY: one past the header.
        unsafe { o.0.add(1) }
    }

    /// Must follow every store of a value into an object that may not be young.
    #[inline(always)]
    pub fn barrier(&mut self, o: Obj) {
        let bits = o.header() >> gc::SHIFT & 0xFF;
        if bits & gc::SPACE >= gc::OLD && bits & gc::REMEMBERED == 0 {
            self.remember(o);
        }
    }

    #[cold]
    #[inline(never)]
    fn remember(&mut self, o: Obj) {
        let mut h = o.header() | gc::REMEMBERED << gc::SHIFT;
        if h >> gc::SHIFT & gc::SPACE == gc::PERM && h >> gc::SHIFT & gc::DIRTY == 0 {
            h |= gc::DIRTY << gc::SHIFT;
            self.dirty_perm.push(o);
        }
        o.set_header(h);
        self.remembered.push(o);
    }

    /// Stores `v` into slot `i` of a published mutable object.
    #[inline(always)]
    pub fn write(&mut self, o: Obj, i: usize, v: Value) {
        o.set(i, v);
        self.barrier(o);
    }

    /// Is there too little room for code and vars to go on safely?
    pub(crate) fn is_perm_full(&self) -> bool {
        self.perm_used + PERM_RESERVE > self.perm.size_bytes()
    }
    pub(crate) fn perm_base(&self) -> usize {
        self.perm.base() as usize
    }
    /// Is less than an eighth of permanent memory left? What comes from elsewhere must not fill it.
    pub(crate) fn perm_is_nearly_full(&self) -> bool {
        self.perm_used > self.perm.size_bytes() / 8 * 7
    }
    /// Permanent memory in use.
    pub(crate) fn perm_words(&self) -> &[u64] {
        // SAFETY: `perm_used` bytes of the region hold objects.
        unsafe { std::slice::from_raw_parts(self.perm.base() as *const u64, self.perm_used / 8) }
    }
    /// Replaces permanent memory by that of an image; `relocs` are the words that hold addresses, off by `delta`.
    pub(crate) fn restore_perm(&mut self, words: &[u64], relocs: &[u64], delta: u64) {
        assert!(words.len() * 8 <= self.perm.size_bytes());
        // SAFETY: inside the region by the assert; the image's addresses point into it (its maker checked).
        unsafe {
            let p = self.perm.base() as *mut u64;
            std::ptr::copy_nonoverlapping(words.as_ptr(), p, words.len());
            if delta != 0 {
                for &i in relocs {
                    assert!((i as usize) < words.len());
                    *p.add(i as usize) = (*p.add(i as usize)).wrapping_add(delta);
                }
            }
        }
        self.perm_used = words.len() * 8;
        self.dirty_perm.clear();
        self.remembered.clear();
    }
    /// Every permanent object. O(permanent memory).
    pub(crate) fn perm_objects(&self) -> Vec<Obj> {
        let (mut out, mut at) = (Vec::new(), 0);
        while at < self.perm_used {
            // SAFETY: objects lie one behind the other (invariant 1).
            let o = Obj(unsafe { self.perm.base().add(at) } as *mut u64);
            out.push(o);
            at += (o.len() + 1) * 8;
        }
        out
    }

    /// Bytes in use, garbage included.
    pub fn used_bytes(&self) -> usize {
        let blocks = |b: &[Block]| b.iter().map(|b| b.used).sum::<usize>();
        // SAFETY: `alloc` points into the open block.
        let open = self.nursery.last().map_or(0, |b| unsafe { self.alloc.offset_from(b.base) } as usize - b.used);
        (blocks(&self.nursery) + open + blocks(&self.survivors) + blocks(&self.old) + self.large_words) * 8
    }
}

impl Obj {
    #[inline(always)]
    pub(crate) fn header(self) -> u64 {
        // SAFETY: an `Obj` points at a header (invariant 1).
        unsafe { *self.0 }
    }
    #[inline(always)]
    pub(crate) fn set_header(self, h: u64) {
        // SAFETY: as above; only the collector and the barrier call this.
        unsafe { *self.0 = h }
    }
    #[inline(always)]
    pub fn kind(self) -> Kind {
        Kind::from_byte(self.header() as u8)
    }
    #[inline(always)]
    pub fn aux(self) -> u16 {
        (self.header() >> 16) as u16
    }
    /// Is it raw memory dressed as an object (`Heap::alloc_raw`)?
    pub(crate) fn is_raw_run(self) -> bool {
        self.kind() == Kind::PrimArray && self.aux() == 0xFFFF
    }
    /// Payload words.
    #[inline(always)]
    pub fn len(self) -> usize {
        (self.header() >> 32) as usize
    }
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }
    /// Tagged word `i` of the payload.
    #[inline(always)]
    pub fn get(self, i: usize) -> Value {
        Value(self.raw(i))
    }
    /// Word `i` of an object whose kind guarantees it has that many.
    #[inline(always)]
    pub(crate) fn raw_unchecked(self, i: usize) -> u64 {
        debug_assert!(i < self.len());
        // SAFETY: heap invariant 1: the kind's fixed slots exist.
        unsafe { *self.0.add(1 + i) }
    }
    #[inline(always)]
    pub(crate) fn get_unchecked(self, i: usize) -> Value {
        Value(self.raw_unchecked(i))
    }
    #[inline(always)]
    pub fn raw(self, i: usize) -> u64 {
        assert!(i < self.len());
        // SAFETY: in bounds by the assert.
        unsafe { *self.0.add(1 + i) }
    }
    /// Initialises word `i`. On a published object call `Heap::write`, which has the barrier.
    #[inline(always)]
    pub fn set(self, i: usize, v: Value) {
        self.set_raw(i, v.0)
    }
    #[inline(always)]
    pub fn set_raw(self, i: usize, bits: u64) {
        assert!(i < self.len());
        // SAFETY: in bounds by the assert.
        unsafe { *self.0.add(1 + i) = bits }
    }
    /// The payload as tagged words. Only for kinds whose payload is tagged throughout.
    #[inline(always)]
    pub fn words<'a>(self) -> &'a [Value] {
        // SAFETY: invariant 1; the words stay put until the next driver turn, which no borrower outlives.
        unsafe { std::slice::from_raw_parts(self.0.add(1) as *const Value, self.len()) }
    }
    /// The payload from raw word `from` on, as bytes.
    #[inline(always)]
    pub fn bytes<'a>(self, from: usize, len_bytes: usize) -> &'a [u8] {
        assert!(from * 8 + len_bytes <= self.len() * 8);
        // SAFETY: in bounds by the assert; as for `words`.
        unsafe { std::slice::from_raw_parts(self.0.add(1 + from) as *const u8, len_bytes) }
    }
    /// Writes bytes into a raw payload from word `from` on.
    #[inline(always)]
    pub fn copy_bytes(self, from: usize, offset_bytes: usize, bytes: &[u8]) {
        assert!(from * 8 + offset_bytes + bytes.len() <= self.len() * 8);
        // SAFETY: in bounds by the assert; the source is not part of this fresh object.
        unsafe {
            let p = (self.0.add(1 + from) as *mut u8).add(offset_bytes);
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), p, bytes.len())
        }
    }
    /// Copies `n` payload words from `src[from..]` to `self[to..]`. `self` must be fresh.
    #[inline(always)]
    pub fn copy_words(self, to: usize, src: Obj, from: usize, n: usize) {
        assert!(to + n <= self.len() && from + n <= src.len());
        // SAFETY: in bounds by the assert; `ptr::copy` allows overlap.
        unsafe { std::ptr::copy(src.0.add(1 + from), self.0.add(1 + to), n) }
    }
    /// Shortens a fresh young object that was just allocated last is not required: the cut tail becomes a filler object.
    pub fn shrink(self, new_len: usize) {
        let old = self.len();
        assert!(new_len <= old);
        let h = self.header();
        self.set_header(h & 0xFFFF_FFFF | (new_len as u64) << 32);
        if new_len < old {
            let filler = Kind::PrimArray as u64 | h & (gc::SPACE << gc::SHIFT) | ((old - new_len - 1) as u64) << 32;
            // SAFETY: inside what was this object's payload.
            unsafe { *self.0.add(1 + new_len) = filler };
        }
    }
}

/// Bytes as words, where they are aligned.
pub(crate) fn as_words(bytes: &'static [u8]) -> Option<&'static [u64]> {
    // SAFETY: any bits are a word; `align_to` takes care of alignment.
    let (head, words, tail) = unsafe { bytes.align_to::<u64>() };
    (head.is_empty() && tail.is_empty() && cfg!(target_endian = "little")).then_some(words)
}
