//! The collector: precise, moving, generational.
//!
//! Minor: nursery objects are copied to survivor space, survivors to old space; roots are the stack, the machine's fields,
//! young constants and the remembered set. Major: everything that moves is copied to fresh old blocks, large objects are
//! marked and swept. Both trace with an explicit work list. Source: Appel's simple generational scheme with one ageing step,
//! Cheney copying with a list instead of a scan pointer.

use crate::frame::{Resume, Walk};
use crate::heap::{Block, Heap, NURSERY_MAX};
use crate::layout::{LARGE_WORDS, SCAN, Scan, gc, slot};
use crate::machine::Vm;
use crate::value::{Obj, Value};

const FORWARDED: u64 = 0xFF;
const BLOCK_WORDS: usize = 32 << 10;

struct Collector<'a> {
    heap: &'a mut Heap,
    major: bool,
    /// Everything goes to permanent memory (making an image).
    to_perm: bool,
    work: Vec<Obj>,
    new_survivors: Vec<Block>,
    new_old: Vec<Block>,
    copied_words: u64,
    /// Set when the object being scanned turned out to refer to a young object.
    saw_young: bool,
}

fn bump(blocks: &mut Vec<Block>, words: usize, block_words: usize) -> *mut u64 {
    if blocks.last().is_none_or(|b| b.used + words > b.words) {
        blocks.push(Block::new(block_words.max(words)));
    }
    let b = blocks.last_mut().expect("just pushed");
    // SAFETY: room was checked above.
    let p = unsafe { b.base.add(b.used) };
    b.used += words;
    p
}

impl Collector<'_> {
    /// Updates one tagged word.
    #[inline(always)]
    fn visit(&mut self, p: *mut u64) {
        // SAFETY: callers pass addresses of tagged words.
        let v = Value(unsafe { *p });
        let Some(o) = v.obj() else { return };
        let h = o.header();
        if h as u8 as u64 == FORWARDED {
            let to = Obj((h >> 8) as *mut u64);
            self.saw_young |= to.header() >> gc::SHIFT & gc::SPACE < gc::OLD;
            // SAFETY: as above.
            unsafe { *p = Value::from(to).0 };
            return;
        }
        let space = h >> gc::SHIFT & gc::SPACE;
        match space {
            gc::NURSERY | gc::SURVIVOR => {}
            gc::OLD if self.major => {}
            gc::LARGE if self.to_perm => {}
            gc::LARGE if self.major && h >> gc::SHIFT & gc::MARK == 0 => {
                o.set_header(h | gc::MARK << gc::SHIFT);
                self.work.push(o);
                return;
            }
            _ => return,
        }
        let words = o.len() + 1;
        if self.to_perm {
            let to = self.heap.perm_copy(o, h);
            self.work.push(to);
            // SAFETY: as above; the old copy is never looked at again but for its forwarding address.
            unsafe {
                *o.0 = (to.0 as u64) << 8 | FORWARDED;
                *p = Value::from(to).0;
            }
            return;
        }
        let age = if space == gc::NURSERY && !self.major { gc::SURVIVOR } else { gc::OLD };
        let to = if age == gc::SURVIVOR {
            self.saw_young = true;
            bump(&mut self.new_survivors, words, BLOCK_WORDS)
        } else {
            bump(&mut self.new_old, words, BLOCK_WORDS * 4)
        };
        // SAFETY: `words` words of a live object, to fresh memory of that size.
        unsafe {
            std::ptr::copy_nonoverlapping(o.0, to, words);
            *to = h & !(0xFF << gc::SHIFT) | age << gc::SHIFT;
            *o.0 = (to as u64) << 8 | FORWARDED;
            *p = Value::from(Obj(to)).0;
        }
        self.copied_words += words as u64;
        self.work.push(Obj(to));
    }

    fn scan(&mut self, o: Obj) {
        // SAFETY: heap invariant 1: the header tells kind and length.
        unsafe {
            let p = o.0.add(1);
            match SCAN[o.header() as u8 as usize] {
                Scan::None => {}
                Scan::All => (0..o.len()).for_each(|i| self.visit(p.add(i))),
                Scan::Prefix(n) => (0..n as usize).for_each(|i| self.visit(p.add(i))),
                Scan::Seg => {
                    self.visit(p.add(slot::SEG_PARENT));
                    self.frames(p.add(slot::SEG_WORDS), p.add(o.len()));
                }
            }
        }
    }

    /// Visits the live slots of the frames in `base..end` (see `Walk`).
    fn frames(&mut self, base: *mut u64, end: *mut u64) {
        // SAFETY: callers pass frame words of the stack or a segment.
        for frame in unsafe { Walk::new(base, end) } {
            // SAFETY: frame invariant 1.
            let r: &Resume = unsafe { &*frame.resume };
            for i in 1..r.delta as usize {
                if r.is_live(i) {
                    // SAFETY: inside the frame.
                    self.visit(unsafe { frame.fp.add(i) });
                }
            }
        }
    }

    /// Scans everything reachable; objects left in old space with young references are remembered.
    fn drain(&mut self) {
        while let Some(o) = self.work.pop() {
            self.saw_young = false;
            self.scan(o);
            if self.saw_young && o.header() >> gc::SHIFT & gc::SPACE >= gc::OLD {
                self.heap.barrier(o);
            }
        }
    }
}

impl Vm {
    /// Collects. `top` is the address of the top header word: every frame is suspended at a record.
    ///
    /// A major collection runs when old space has doubled since the last, or when the limit is near.
    pub(crate) fn collect(&mut self, top: *mut u64, force_major: bool) {
        let started = crate::clock::now_ns();
        self.heap.close_block();
        let old_words = self.heap.old.iter().map(|b| b.used).sum::<usize>() + self.heap.large_words;
        let threshold =
            (self.heap.live_words * 2).max(4 << 20).min(self.heap.limit_words / 2 + self.heap.live_words / 2);
        let major = force_major || old_words > threshold;
        let allocated: usize = self.heap.nursery.iter().map(|b| b.used).sum();
        self.heap.stats.allocated_words += allocated as u64;

        let remembered = std::mem::take(&mut self.heap.remembered);
        for o in &remembered {
            o.set_header(o.header() & !(gc::REMEMBERED << gc::SHIFT));
        }
        let dirty = std::mem::take(&mut self.heap.dirty_perm);
        let stacks: Vec<(*mut u64, *mut u64)> =
            self.outer_stacks.iter().map(|s| (s.base, s.top)).chain([(self.stack.base, top)]).collect();
        let (young_codes, all_codes) = (std::mem::take(&mut self.young_codes), std::mem::take(&mut self.codes));
        let mut roots = self.root_words();
        let mut c = Collector {
            heap: &mut self.heap,
            major,
            to_perm: false,
            work: Vec::new(),
            new_survivors: Vec::new(),
            new_old: Vec::new(),
            copied_words: 0,
            saw_young: false,
        };
        for p in roots.drain(..) {
            c.visit(p);
        }
        for (base, top) in stacks {
            // SAFETY: the words between a stack's base and its top header are frames.
            unsafe { c.frames(base.add(1), top.add(1)) };
        }
        let mut still_young = Vec::new();
        for &code in if major { &all_codes } else { &young_codes } {
            c.saw_young = false;
            // SAFETY: codes are permanent.
            let (consts, n) = unsafe { ((*code).consts, (*code).n_consts as usize) };
            // SAFETY: `n` constants lie there.
            (0..n).for_each(|i| c.visit(unsafe { consts.add(i) as *mut u64 }));
            if c.saw_young {
                still_young.push(code);
            }
        }
        // Permanent objects written since the image was made are roots of a major collection; a minor one finds those that
        // matter in the remembered set.
        for &o in if major { &dirty } else { &remembered } {
            c.work.push(o);
        }
        c.drain();

        // Old copies are still there: what was not moved, and should have been, is dead.
        self.held.sweep(|o| {
            let h = o.header();
            match (h as u8 as u64 == FORWARDED, h >> gc::SHIFT & gc::SPACE) {
                (true, _) => Some(Obj((h >> 8) as *mut u64)),
                (false, gc::NURSERY | gc::SURVIVOR) => None,
                (false, gc::OLD) if major => None,
                _ => Some(o),
            }
        });
        let (new_survivors, mut new_old, copied) = (c.new_survivors, c.new_old, c.copied_words);
        self.codes = all_codes;
        self.young_codes = still_young;
        self.heap.dirty_perm.extend(dirty);
        self.heap.survivors = new_survivors;
        if major {
            self.sweep_large();
            self.heap.old = new_old;
            self.heap.live_words = self.heap.old.iter().map(|b| b.used).sum::<usize>() + self.heap.large_words;
            self.heap.stats.major_collections += 1;
        } else {
            self.heap.old.append(&mut new_old);
            self.heap.stats.minor_collections += 1;
        }
        self.heap.stats.copied_words += copied;
        self.reset_nursery(allocated, copied as usize);
        self.heap.wanted = false;
        let ns = crate::clock::now_ns() - started;
        self.heap.stats.pause_ns += ns;
        self.heap.stats.longest_pause_ns = self.heap.stats.longest_pause_ns.max(ns);
    }

    /// Moves every object into permanent memory. The machine must be idle: no frames.
    pub(crate) fn heap_to_perm(&mut self) {
        self.resume_points.clear();
        self.heap.close_block();
        let codes = self.codes.clone();
        let mut roots = self.root_words();
        let objects = self.heap.perm_objects();
        let mut c = Collector {
            heap: &mut self.heap,
            major: true,
            to_perm: true,
            work: objects,
            new_survivors: Vec::new(),
            new_old: Vec::new(),
            copied_words: 0,
            saw_young: false,
        };
        roots.drain(..).for_each(|p| c.visit(p));
        for &code in &codes {
            // SAFETY: codes are permanent.
            let (consts, n) = unsafe { ((*code).consts, (*code).n_consts as usize) };
            // SAFETY: `n` constants lie there.
            (0..n).for_each(|i| c.visit(unsafe { consts.add(i) as *mut u64 }));
        }
        while let Some(o) = c.work.pop() {
            c.scan(o);
        }
        self.young_codes.clear();
        for o in self.heap.perm_objects() {
            o.set_header(o.header() & !((gc::REMEMBERED | gc::DIRTY) << gc::SHIFT));
        }
        self.heap.remembered.clear();
        self.heap.dirty_perm.clear();
    }

    fn reset_nursery(&mut self, allocated: usize, copied: usize) {
        // Grow while much survives: a larger nursery gives objects more time to die.
        let h = &mut self.heap;
        if h.nursery_words < NURSERY_MAX && copied * 8 > allocated.min(h.nursery_words) {
            h.nursery_words *= 2;
        }
        let keep = h.nursery.iter().position(|b| b.words >= h.nursery_words);
        let block = keep.map(|i| h.nursery.swap_remove(i));
        h.nursery.clear();
        let mut block = block.unwrap_or_else(|| Block::new(h.nursery_words));
        if self.poison {
            // SAFETY: the block is ours; stress mode makes stale references visible.
            unsafe { std::ptr::write_bytes(block.base as *mut u8, 0xFD, block.words * 8) };
        }
        block.used = 0;
        h.alloc = block.base;
        // SAFETY: one past the end.
        h.alloc_end = unsafe { block.base.add(block.words.min(h.nursery_words.max(LARGE_WORDS * 4))) };
        h.nursery.push(block);
    }

    fn sweep_large(&mut self) {
        let h = &mut self.heap;
        let mut words = 0;
        // Nothing is young after a major collection, so nothing needs to be remembered.
        debug_assert!(h.remembered.is_empty());
        // Dropping the memory of what was not marked frees it.
        h.large.retain(|(o, _)| {
            let bits = o.header();
            let live = bits >> gc::SHIFT & gc::MARK != 0;
            if live {
                o.set_header(bits & !(gc::MARK << gc::SHIFT));
                words += o.len() + 1;
            }
            live
        });
        h.large_words = words;
    }

    /// Addresses of the machine's own tagged words.
    fn root_words(&mut self) -> Vec<*mut u64> {
        let mut roots: Vec<*mut u64> = Vec::with_capacity(32);
        let mut add = |v: &mut Value| roots.push(v as *mut Value as *mut u64);
        add(&mut self.pending.value);
        self.pending.args.iter_mut().for_each(&mut add);
        self.replay.answers.iter_mut().for_each(&mut add);
        self.roots.each(&mut add);
        self.outer_stacks.iter_mut().for_each(|s| add(&mut s.kseg));
        roots
    }
}
