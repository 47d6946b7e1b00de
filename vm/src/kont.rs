//! Continuations: frames moved to the heap and back, prompts, winds and dynamic bindings.
//!
//! A continuation of everything is a place in a chain of segments; a delimited one is a segment of its own that begins with its
//! prompt. Segments are never written once a program can see them, so each may be gone on with any number of times. Those of
//! threads that give way are seen by nobody but the scheduler, go on once, and are used again for the next time.
//!
//! Frames say what has to happen when they are left or entered again: `Native::Bind` swaps values of vars, `Native::Wind` runs a
//! thunk of the program. Leaving pops frames from the top and stops at each wind, so that its `after` runs where the wind was
//! entered: with the bindings in force there, and with an error of its own going to whoever is outside. Entering puts frames
//! down from the bottom and stops below each wind to run its `before` there. Threads that change places leave and enter nothing
//! (`yin.rt/suspend`): their winds stay as they are.
//!
//! Dynamic bindings are shallow: a var's root slot holds the value in force. A binding node is `[parent, depth, var, other,
//! var, other …]`, where `other` is the value that is not in force: entering and leaving a node swap the two.

use crate::frame::{Native, Regs, Resume, resume_ref, seg_frames, stack_frames};
use crate::freeze::FrameView;
use crate::layout::{Kind, slot};
use crate::machine::{ErrKind, Exit, Vm};
use crate::prim::coll;
use crate::value::{Obj, Value};

/// A frame of a slice that something happens at.
#[derive(Clone, Copy)]
struct Special {
    /// Word of the slice that is its slot 1.
    low: usize,
    native: Native,
}

/// How a slice is taken.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Abort {
    /// Winds are left, the prompt's handler is called.
    Plain,
    /// Winds stay as they are: a thread waits.
    Quiet,
    /// The same, but instead of the handler other threads run.
    Switch,
}

/// Is anything to be done when frames of this continuation are entered?
fn is_special(k: Obj) -> bool {
    k.get(slot::KONT_FLAGS) != Value::FALSE
}
/// `KONT_FLAGS` of a delimited continuation. A quiet one runs no thunks of winds.
pub(crate) fn slice_flags(special: bool, quiet: bool) -> Value {
    if special && quiet { Value::ZERO } else { Value::bool(special) }
}
fn is_quiet(k: Obj) -> bool {
    k.get(slot::KONT_FLAGS) == Value::ZERO
}

impl Vm {
    // ---- the whole stack
    /// Moves every frame of the stack into a segment; the stack is empty afterwards. `top` is the top header. Each frame is
    /// copied once however often it is captured. O(words on the stack).
    pub(crate) fn capture(&mut self, top: Regs) -> Regs {
        let base = Regs(self.stack.base);
        let n = (top.0 as usize - base.0 as usize) / 8;
        if n > 0 {
            let seg = self.heap.alloc(Kind::Seg, 0, slot::SEG_WORDS + n);
            seg.set(slot::SEG_PARENT, self.roots.kseg);
            seg.set(slot::SEG_PARENT_OFF, Value::fix(self.koff as i64));
            for i in 0..n {
                seg.set_raw(slot::SEG_WORDS + i, base.word(1 + i));
            }
            self.roots.kseg = seg.into();
            self.koff = n;
        }
        base
    }

    /// Copies the topmost frame of the heap chain back onto the empty stack. Returns the header to go on from, or `None`
    /// at the end of everything.
    pub(crate) fn underflow(&mut self) -> Option<Regs> {
        let seg = self.roots.kseg.obj()?;
        let base = Regs(self.stack.base);
        debug_assert!(self.koff > 0);
        let header = seg.raw(slot::SEG_WORDS + self.koff - 1);
        let delta = resume_ref(header as *const Resume).delta as usize;
        let low = self.koff - delta;
        for i in 0..delta - 1 {
            base.set_word(1 + i, seg.raw(slot::SEG_WORDS + low + i));
        }
        let top = base.up(delta);
        top.set_word(0, header);
        if low == 0 {
            self.koff = seg.get(slot::SEG_PARENT_OFF).fix_get() as usize;
            self.roots.kseg = seg.get(slot::SEG_PARENT);
        } else {
            self.koff = low;
        }
        Some(top)
    }

    /// The stack is full: its frames move to the heap, the activation at `fp` goes to the bottom.
    pub(crate) fn overflow(&mut self, fp: Regs, argc: usize) -> Regs {
        let base = self.capture(fp);
        for i in 0..=argc {
            base.set_word(1 + i, fp.word(1 + i));
        }
        // A deep recursion fills memory with segments: let the collector and the limits look.
        self.heap.want_poll();
        base
    }

    /// The whole current continuation, whose top header is at `top`, as a value.
    pub(crate) fn current_kont(&mut self, top: Regs) -> Value {
        self.capture(top);
        let words = [self.roots.kseg, Value::fix(self.koff as i64), self.roots.dyn_node, Value::NIL, self.roots.winds];
        let kont = self.alloc(Kind::Kont, &words);
        self.alloc(Kind::KontFn, &[kont])
    }

    // ---- applying
    /// Applies a continuation to `v`. `fp` is the activation that does so.
    pub(crate) fn throw_to(&mut self, fp: Regs, kont: Value, v: Value) {
        let k = kont.obj().expect("a continuation");
        if !k.get(slot::KONT_TAG).is_nil() {
            return self.splice(fp, k, None, v);
        }
        if k.get(slot::KONT_FLAGS) != self.roots.winds {
            return self.unwind(fp, kont, v);
        }
        self.jump_to(k, v)
    }

    fn jump_to(&mut self, k: Obj, v: Value) {
        self.switch_bindings(k.get(slot::KONT_DYN));
        self.roots.winds = k.get(slot::KONT_FLAGS);
        self.roots.kseg = k.get(slot::KONT_SEG);
        self.koff = k.get(slot::KONT_OFF).fix_get() as usize;
        match self.underflow() {
            Some(top) => self.deliver(top, v),
            None => self.done = Some(Ok(v)),
        }
    }

    /// Winds from `w` outwards.
    fn wind_list(&self, mut w: Value) -> Vec<Value> {
        let mut list = Vec::new();
        while let Some(o) = w.obj() {
            list.push(w);
            w = o.get(0);
        }
        list
    }

    /// Pops a frame that is left for good or until it is entered again. Its wind, if it is one: then `after` is to run.
    fn leave_frame(&mut self, native: Option<Native>, fp: Regs) -> Option<Value> {
        match native {
            Some(Native::Bind) => self.leave_binding(),
            Some(Native::Wind) => {
                self.roots.winds = Value(fp.word(3)).obj().expect("a wind").get(0);
                return Some(Value(fp.word(2)));
            }
            _ => {}
        }
        None
    }

    /// Puts `[a, b, c]` as frame `native` at `fp` and calls `thunk` above it.
    fn call_above(&mut self, fp: Regs, native: Native, [a, b, c]: [Value; 3], thunk: Value) {
        fp.set_word(1, a.bits());
        fp.set_word(2, b.bits());
        fp.set_word(3, c.bits());
        let callee = fp.up(4);
        callee.set_word(0, self.natives.get(native) as u64);
        callee.set_word(1, thunk.bits());
        self.activate(callee, 0)
    }

    /// Raises where nothing of the running frames is left to say: at the bottom of the stack.
    fn raise_at_bottom(&mut self, message: &str) {
        let exit = self.err(ErrKind::State, message);
        let base = Regs(self.stack.base);
        self.raise_exit(base, exit)
    }

    /// Leaves frames below the header at `top` until the innermost wind is one that `kont` has too.
    pub(crate) fn unwind(&mut self, mut top: Regs, kont: Value, v: Value) {
        let Some(k) = kont.as_kind(Kind::Kont) else { return self.raise_at_bottom("unexpected frame") };
        let target = self.wind_list(k.get(slot::KONT_FLAGS));
        while !self.roots.winds.is_nil() && !target.contains(&self.roots.winds) {
            let r = resume_ref(top.header());
            if r.native() == Some(Native::Underflow) {
                match self.underflow() {
                    Some(t) => top = t,
                    None => return self.raise_at_bottom("a wind has no frame"),
                }
                continue;
            }
            let fp = top.down(r.delta as usize);
            if let Some(after) = self.leave_frame(r.native(), fp) {
                return self.call_above(fp, Native::Unwind, [kont, v, Value::NIL], after);
            }
            top = fp;
        }
        self.wind(kont, v)
    }
    /// Enters the outermost wind of `kont` not yet entered, in the frames below it; at the end goes on with `kont`.
    fn wind(&mut self, kont: Value, v: Value) {
        let k = kont.obj().expect("a continuation");
        let target = self.wind_list(k.get(slot::KONT_FLAGS));
        let next = match target.iter().position(|w| *w == self.roots.winds) {
            Some(0) => None,
            Some(i) => Some(target[i - 1]),
            None => target.last().copied(),
        };
        let Some(next) = next else { return self.jump_to(k, v) };
        let mut bindings = k.get(slot::KONT_DYN);
        let mut at = k.get(slot::KONT_SEG).obj().map(|seg| (seg, k.get(slot::KONT_OFF).fix_get() as usize));
        while let Some((seg, end)) = at {
            let f = FrameView::of(seg, end);
            at = f.parent_place();
            match f.record().native() {
                Some(Native::Bind) => bindings = f.slot(1),
                Some(Native::Wind) if f.slot(3) == next => {
                    let wind = next.obj().expect("a wind");
                    self.switch_bindings(bindings);
                    self.roots.winds = wind.get(0);
                    (self.roots.kseg, self.koff) = at.map_or((Value::NIL, 0), |(seg, end)| (seg.into(), end));
                    let base = Regs(self.stack.base);
                    return self.call_above(base, Native::Rewind, [kont, v, next], wind.get(1));
                }
                _ => {}
            }
        }
        self.raise_at_bottom("a wind has no frame")
    }
    /// A `before` returned to the frame `[kont, value, wind or place]` at `fp`.
    pub(crate) fn rewind(&mut self, fp: Regs) {
        let (kont, v, entered) = (Value(fp.word(1)), Value(fp.word(2)), Value(fp.word(3)));
        let Some(k) = kont.as_kind(Kind::Kont) else { return self.raise_at_bottom("unexpected frame") };
        match entered.as_fix() {
            Some(low) if !k.get(slot::KONT_TAG).is_nil() => self.splice(fp, k, Some(low as usize), v),
            None if k.get(slot::KONT_TAG).is_nil() => {
                self.roots.winds = entered;
                self.wind(kont, v)
            }
            _ => self.raise_at_bottom("unexpected frame"),
        }
    }

    /// Applies a delimited continuation: its frames are copied above the header at `fp`. `entered`: the place of a wind of it
    /// whose `before` has run; the frames below it are there already.
    fn splice(&mut self, mut fp: Regs, k: Obj, entered: Option<usize>, v: Value) {
        let seg = k.get(slot::KONT_SEG).obj().expect("a segment");
        let all = seg.len() - slot::SEG_WORDS;
        let special = if is_special(k) { specials(seg, all) } else { Vec::new() };
        if entered.is_some_and(|e| !special.iter().any(|s| s.low == e && s.native == Native::Wind)) {
            return self.raise_at_bottom("unexpected frame");
        }
        let from = entered.unwrap_or(0);
        let later = |s: &&Special| s.native == Native::Wind && entered.is_none_or(|e| s.low > e);
        let next = if is_quiet(k) { None } else { special.iter().find(later) };
        let n = next.map_or(all, |s| s.low) - from;
        if n + 16 > self.room(fp) {
            fp = self.capture(fp);
        }
        let in_heap = n + 16 > self.room(fp);
        let frames = if in_heap {
            // Larger than the stack: a segment over what is there.
            let part = self.heap.alloc(Kind::Seg, 0, slot::SEG_WORDS + n);
            part.set(slot::SEG_PARENT, self.roots.kseg);
            part.set(slot::SEG_PARENT_OFF, Value::fix(self.koff as i64));
            part.copy_words(slot::SEG_WORDS, seg, slot::SEG_WORDS + from, n);
            if n > 0 {
                self.roots.kseg = part.into();
                self.koff = n;
            }
            Regs(part.0).up(slot::SEG_WORDS)
        } else {
            (0..n).for_each(|i| fp.set_word(1 + i, seg.raw(slot::SEG_WORDS + from + i)));
            fp
        };
        for s in special.iter().filter(|s| (from..from + n).contains(&s.low)) {
            self.reinstate(s.native, frames.up(s.low - from));
        }
        let top = if in_heap { fp } else { fp.up(n) };
        match next {
            Some(s) => {
                let before = seg.get(slot::SEG_WORDS + s.low);
                self.call_above(top, Native::Rewind, [k.into(), v, Value::fix(s.low as i64)], before)
            }
            None if in_heap => {
                let top = self.underflow().expect("not empty");
                self.deliver(top, v)
            }
            None => self.deliver(top, v),
        }
    }

    pub(crate) fn room(&self, fp: Regs) -> usize {
        (self.stack.limit as usize).saturating_sub(fp.0 as usize) / 8
    }

    /// A frame of a slice was copied to `fp`: what it stands for is in force again.
    fn reinstate(&mut self, native: Native, fp: Regs) {
        match native {
            Native::Bind => {
                let old = self.roots.dyn_node;
                // A fresh node, so that several resumptions do not share the values out of force.
                let words: Vec<Value> = Value(fp.word(1)).obj().expect("a binding node").words().to_vec();
                let node = self.alloc(Kind::Node, &words);
                let depth = old.obj().map_or(0, |o| o.get(1).fix_get());
                let o = node.obj().expect("just made");
                o.set(0, old);
                o.set(1, Value::fix(depth + 1));
                fp.set_word(1, old.bits());
                self.enter_binding(node);
            }
            _ => {
                let own = Value(fp.word(3)).obj().expect("a wind");
                let node = self.alloc(Kind::Node, &[self.roots.winds, own.get(1), own.get(2)]);
                fp.set_word(3, node.bits());
                self.roots.winds = node;
            }
        }
    }

    // ---- taking a slice
    /// `(abort-to-prompt tag v…)` at `fp`.
    pub(crate) fn abort(&mut self, fp: Regs, argc: usize, how: Abort) {
        let tag = fp.get(0);
        // Bring frames to the stack until the prompt is among them.
        let mut base = Regs(self.stack.base);
        let mut fp = fp;
        let prompt = loop {
            let found =
                stack_frames(base.0, fp.0).find(|f| f.record().native() == Some(Native::Prompt) && f.slot(1) == tag);
            match found {
                Some(f) => break Regs(f.fp),
                None if !self.roots.kseg.is_nil() => match self.unspill(fp, argc) {
                    Some(moved) => {
                        fp = moved;
                        base = Regs(self.stack.base);
                    }
                    None => return self.abort_deep(fp, argc, how),
                },
                None => {
                    let exit = self.err(ErrKind::State, "abort-to-prompt: no prompt with this tag is active");
                    return self.raise_exit(fp, exit);
                }
            }
        };
        let args: Args = Args::from_slice(fp.slice(1, argc - 1));
        let n = (fp.0 as usize - prompt.0 as usize) / 8;
        let (k, special) =
            self.take_slice(|seg| (0..n).for_each(|i| seg.set_raw(slot::SEG_WORDS + i, prompt.word(1 + i))), n, how);
        if special {
            return self.leave_to_prompt(fp, tag, k, &args, how);
        }
        self.at_prompt(prompt, k, &args, how)
    }

    /// `(perform operation v…)` at `fp`: an abort to the innermost prompt whose tag is a volatile with a map that has the
    /// operation. A prompt whose tag is a volatile with such a tag hides the innermost prompt of that tag further out.
    pub(crate) fn perform(&mut self, fp: Regs, argc: usize) -> Result<(), Exit> {
        let operation = fp.get(0);
        let mut hidden: Vec<Value> = Vec::new();
        let mut frames = stack_frames(self.stack.base, fp.0);
        let mut below = self.roots.kseg.obj().map(|seg| (seg, self.koff));
        let tag = loop {
            let Some(f) = frames.next() else {
                let Some((seg, off)) = below else {
                    let text = self.show(operation);
                    return Err(self.err(ErrKind::State, format!("perform: nothing handles {text} here")));
                };
                frames = seg_frames(seg, off);
                let off = seg.get(slot::SEG_PARENT_OFF).as_fix().unwrap_or(0) as usize;
                below = seg.get(slot::SEG_PARENT).obj().map(|p| (p, off));
                continue;
            };
            if f.record().native() != Some(Native::Prompt) {
                continue;
            }
            let tag = f.slot(1);
            let Some(what) = tag.as_kind(Kind::Volatile).map(|v| v.get(0)) else { continue };
            if what.is_kind(Kind::Volatile) {
                hidden.push(what);
            } else if let Some(i) = hidden.iter().position(|h| *h == tag) {
                hidden.swap_remove(i);
            } else if coll::is_map(what) && coll::get(self, what, operation, Value::ABSENT)? != Value::ABSENT {
                break tag;
            }
        };
        fp.shift(1, 2, argc - 1);
        fp.set(1, operation);
        fp.set(0, tag);
        self.abort(fp, argc + 1, Abort::Plain);
        Ok(())
    }

    /// Leaves the frames below the header at `top` down to the prompt with that tag and calls its handler in its place.
    fn leave_to_prompt(&mut self, mut top: Regs, tag: Value, k: Value, args: &[Value], how: Abort) {
        loop {
            let r = resume_ref(top.header());
            let native = r.native();
            if native == Some(Native::Underflow) {
                match self.underflow() {
                    Some(t) => top = t,
                    None => return self.raise_at_bottom("abort-to-prompt: the prompt is gone"),
                }
                continue;
            }
            let fp = top.down(r.delta as usize);
            if native == Some(Native::Prompt) && Value(fp.word(1)) == tag {
                return self.at_prompt(fp, k, args, how);
            }
            if native == Some(Native::Halt) {
                return self.raise_at_bottom("abort-to-prompt: the prompt is gone");
            }
            if let Some(after) = self.leave_frame(native, fp).filter(|_| how == Abort::Plain) {
                let args = coll::vector_of(self, args);
                return self.call_above(fp, Native::AbortUnwind, [tag, k, args], after);
            }
            top = fp;
        }
    }
    /// An `after` returned to the frame `[tag, continuation, arguments]` at `fp`.
    pub(crate) fn abort_unwind(&mut self, fp: Regs) {
        let args = coll::vector_values(Value(fp.word(3)));
        self.leave_to_prompt(fp, Value(fp.word(1)), Value(fp.word(2)), &args, Abort::Plain)
    }

    /// In place of the prompt frame at `fp`, everything above which is in `k`: calls its handler.
    fn at_prompt(&mut self, fp: Regs, k: Value, args: &[Value], how: Abort) {
        if how == Abort::Switch {
            return self.change_places(fp, k);
        }
        fp.set_word(1, fp.word(2));
        fp.set(0, k);
        for (i, v) in args.iter().enumerate() {
            fp.set(1 + i, *v);
        }
        self.activate(fp, 1 + args.len())
    }

    /// A delimited continuation of `n` frame words that `fill` writes, and whether something happens when they are left.
    fn take_slice(&mut self, fill: impl FnOnce(Obj), n: usize, how: Abort) -> (Value, bool) {
        let spare = if how == Abort::Switch { self.spare_slice(slot::SEG_WORDS + n) } else { None };
        let seg = match spare {
            Some((_, _, seg)) => seg,
            None => self.heap.alloc(Kind::Seg, 0, slot::SEG_WORDS + n),
        };
        seg.set(slot::SEG_PARENT, Value::NIL);
        seg.set(slot::SEG_PARENT_OFF, Value::ZERO);
        fill(seg);
        let mut special = false;
        let mut bindings = self.roots.dyn_node;
        for f in seg_frames(seg, n) {
            match f.record().native() {
                Some(Native::Bind) => {
                    special = true;
                    // The segment is not published yet: the frame remembers its own node in it, for `reinstate`.
                    f.set_slot(1, bindings);
                    bindings = bindings.obj().expect("a binding node").get(0);
                }
                Some(Native::Wind) => special = true,
                _ => {}
            }
        }
        let flags = slice_flags(special, how != Abort::Plain);
        if let Some((f, kont, _)) = spare {
            self.heap.barrier(seg);
            self.heap.write(kont, slot::KONT_FLAGS, flags);
            return (f, special);
        }
        let words = [seg.into(), Value::fix(n as i64), Value::NIL, Value::TRUE, flags];
        let kont = self.alloc(Kind::Kont, &words);
        (self.alloc(Kind::KontFn, &[kont]), special)
    }

    /// Puts the heap's topmost segment back below the frames on the stack, if they fit. Returns where `fp` moved to.
    fn unspill(&mut self, fp: Regs, argc: usize) -> Option<Regs> {
        let seg = self.roots.kseg.obj()?;
        let base = Regs(self.stack.base);
        let n = self.koff;
        let used = (fp.0 as usize - base.0 as usize) / 8 + argc + 2;
        if used + n + 64 > self.room(base) {
            return None;
        }
        // Everything on the stack moves up by `n`; the header at the base is replaced by the segment's top header.
        for i in (1..=used).rev() {
            base.set_word(n + i, base.word(i));
        }
        for i in 0..n {
            base.set_word(1 + i, seg.raw(slot::SEG_WORDS + i));
        }
        self.koff = seg.get(slot::SEG_PARENT_OFF).fix_get() as usize;
        self.roots.kseg = seg.get(slot::SEG_PARENT);
        Some(fp.up(n))
    }

    /// An abort whose slice is larger than the stack.
    fn abort_deep(&mut self, fp: Regs, argc: usize, how: Abort) {
        let tag = fp.get(0);
        let args: Args = Args::from_slice(fp.slice(1, argc - 1));
        let base = self.capture(fp);
        let mut parts: Vec<Vec<u64>> = Vec::new();
        let mut at = self.roots.kseg.obj().map(|seg| (seg, self.koff));
        while let Some((o, off)) = at {
            let words: Vec<u64> = (0..off).map(|i| o.raw(slot::SEG_WORDS + i)).collect();
            let mut end = off;
            while end > 0 {
                let r = resume_ref(words[end - 1] as *const Resume);
                let low = end - r.delta as usize;
                if r.native() == Some(Native::Prompt) && Value(words[low]) == tag {
                    parts.push(words[low..].to_vec());
                    parts.reverse();
                    let all: Vec<u64> = parts.concat();
                    let fill = |s: Obj| all.iter().enumerate().for_each(|(i, w)| s.set_raw(slot::SEG_WORDS + i, *w));
                    let (k, _) = self.take_slice(fill, all.len(), how);
                    return self.leave_to_prompt(base, tag, k, &args, how);
                }
                end = low;
            }
            parts.push(words);
            at = o.get(slot::SEG_PARENT).obj().map(|p| (p, o.get(slot::SEG_PARENT_OFF).fix_get() as usize));
        }
        let exit = self.err(ErrKind::State, "abort-to-prompt: no prompt with this tag is active");
        self.raise_exit(base, exit)
    }

    // ---- dynamic bindings
    fn swap_binding(&mut self, node: Value) {
        let o = node.obj().expect("a binding node");
        let mut i = 2;
        while i < o.len() {
            let var = o.get(i).obj().expect("a var");
            let (inside, other) = (var.get(slot::VAR_ROOT), o.get(i + 1));
            self.set_root(var, other);
            self.heap.write(o, i + 1, inside);
            i += 2;
        }
    }
    pub(crate) fn enter_binding(&mut self, node: Value) {
        self.swap_binding(node);
        self.roots.dyn_node = node;
    }
    pub(crate) fn leave_binding(&mut self) {
        let node = self.roots.dyn_node;
        self.swap_binding(node);
        self.roots.dyn_node = node.obj().expect("a binding node").get(0);
    }
    /// Takes every binding out of force; what `enter_bindings` puts back.
    pub(crate) fn leave_all_bindings(&mut self) -> Value {
        let node = self.roots.dyn_node;
        self.switch_bindings(Value::NIL);
        node
    }
    pub(crate) fn enter_bindings(&mut self, node: Value) {
        self.switch_bindings(node);
    }
    /// Makes `target` the innermost node in force: leaves up to the common ancestor, then enters.
    fn switch_bindings(&mut self, target: Value) {
        if target == self.roots.dyn_node {
            return;
        }
        let depth = |v: Value| v.obj().map_or(0, |o| o.get(1).fix_get());
        let mut enter = Vec::new();
        let mut t = target;
        while depth(t) > depth(self.roots.dyn_node) {
            enter.push(t);
            t = t.obj().expect("deeper than nil").get(0);
        }
        while depth(self.roots.dyn_node) > depth(t) {
            self.leave_binding();
        }
        while t != self.roots.dyn_node {
            enter.push(t);
            t = t.obj().expect("not the root").get(0);
            self.leave_binding();
        }
        for node in enter.into_iter().rev() {
            self.enter_binding(node);
        }
    }
}

type Args = smallvec::SmallVec<[Value; 6]>;

/// The frames of bindings and winds among the `n` words of a slice, outermost first.
fn specials(seg: Obj, n: usize) -> Vec<Special> {
    let first = Regs(seg.0).up(slot::SEG_WORDS);
    let mut out: Vec<Special> = seg_frames(seg, n)
        .filter_map(|f| {
            let native = f.record().native().filter(|n| matches!(n, Native::Bind | Native::Wind))?;
            Some(Special { low: (f.fp as usize - first.0 as usize) / 8, native })
        })
        .collect();
    out.reverse();
    out
}
