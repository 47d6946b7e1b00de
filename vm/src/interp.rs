//! The interpreter: a loop over instruction words.
//!
//! `pc`, `fp` and `code` live in locals; everything that can switch frames stores them into the machine, acts there, and
//! loads them again. No `unsafe` here: registers, words and constants are reached through `frame`, whose invariants the
//! verifier establishes.

use crate::frame::{Pc, Regs, code_ref, constant, fast_code, resume_ref, site};
use crate::layout::{Kind, slot};
use crate::machine::{ErrKind, Exit, Vm};
use crate::op::{self, Op, mode};
use crate::prim::{R, coll, num, table};
use crate::value::{Obj, Value};
use std::sync::atomic::Ordering;

/// Fixnum result of a 64-bit sum of tagged words, if it is one.
#[inline(always)]
fn tagged(r: (i64, bool)) -> Option<Value> {
    if r.1 { None } else { Some(Value(r.0 as u64)) }
}
#[inline(always)]
fn both_f64(a: Value, b: Value) -> bool {
    a.is_inline_f64() && b.is_inline_f64()
}

/// Runs until `vm.done` is set or the next step is in machine code.
pub(crate) fn run(vm: &mut Vm) {
    execute::<false>(vm)
}
/// Runs one instruction.
pub(crate) fn step(vm: &mut Vm) {
    execute::<true>(vm)
}

#[inline(always)]
fn execute<const STEP: bool>(vm: &mut Vm) {
    if vm.done.is_some() || !vm.native.code.is_null() {
        return;
    }
    let mut pc: Pc = vm.pc;
    let mut fp: Regs = vm.fp;
    let mut code = vm.code;
    macro_rules! load {
        () => {{
            if STEP || vm.done.is_some() || !vm.native.code.is_null() {
                return;
            }
            pc = vm.pc;
            fp = vm.fp;
            code = vm.code;
        }};
    }
    // Leaves the loop's locals for a machine operation that may change them all; `$n` words back is the instruction.
    macro_rules! fault {
        ($n:expr, $exit:expr) => {{
            vm.pc = pc.back($n);
            vm.fp = fp;
            vm.code = code;
            vm.fault($exit);
            load!();
        }};
    }
    // A register from a fallible computation of a one-word instruction.
    macro_rules! slow {
        ($a:expr, $e:expr) => {
            match $e {
                Ok(v) => {
                    vm.replay.finish();
                    fp.set($a, v)
                }
                Err(exit) => fault!(1, exit),
            }
        };
    }
    // The same for an instruction of two words.
    macro_rules! slow2 {
        ($a:expr, $e:expr) => {
            match $e {
                Ok(v) => {
                    vm.replay.finish();
                    pc.fetch();
                    fp.set($a, v)
                }
                Err(exit) => fault!(1, exit),
            }
        };
    }
    macro_rules! note {
        ($w:expr, $bit:expr) => {
            if $w & ($bit as u64) << 8 == 0 {
                pc.patch_previous($w | ($bit as u64) << 8)
            }
        };
    }
    // Integer fast path, then double fast path, then the tower.
    macro_rules! arith {
        ($w:expr, $x:expr, $y:expr, $fix:expr, $float:expr, $tower:expr) => {{
            let (x, y) = ($x, $y);
            if Value::both_fix(x, y)
                && let Some(v) = $fix(x, y)
            {
                fp.set(op::a($w), v);
            } else if both_f64(x, y)
                && let Some(v) = Value::try_f64($float(x.f64_get(), y.f64_get()))
            {
                note!($w, mode::SAW_DOUBLE);
                fp.set(op::a($w), v);
            } else {
                note!($w, mode::SAW_OTHER);
                slow!(op::a($w), $tower(vm, x, y, op::aux($w) & mode::MASK));
            }
        }};
    }
    macro_rules! compare {
        ($w:expr, $a:expr, $x:expr, $y:expr, $rel:tt, $f:ident) => {{
            let (x, y) = ($x, $y);
            if Value::both_fix(x, y) {
                fp.set($a, Value::bool((x.bits() as i64) $rel (y.bits() as i64)));
            } else if both_f64(x, y) {
                fp.set($a, Value::bool(x.f64_get() $rel y.f64_get()));
            } else {
                slow!($a, num::$f(vm, x, y).map(Value::bool));
            }
        }};
    }
    macro_rules! branch {
        ($w:expr, $x:expr, $y:expr, $rel:tt, $f:ident) => {{
            let (x, y) = ($x, $y);
            if Value::both_fix(x, y) {
                if !((x.bits() as i64) $rel (y.bits() as i64)) {
                    pc.jump(op::sc($w));
                }
            } else if both_f64(x, y) {
                note!($w, mode::SAW_DOUBLE);
                // Not the opposite comparison: with NaN every comparison fails.
                let holds = x.f64_get() $rel y.f64_get();
                if !holds {
                    pc.jump(op::sc($w));
                }
            } else {
                note!($w, mode::SAW_OTHER);
                match num::$f(vm, x, y) {
                    Ok(true) => {}
                    Ok(false) => pc.jump(op::sc($w)),
                    Err(exit) => fault!(1, exit),
                }
            }
        }};
    }
    // Bitwise and shifting ops on fixnums, else the primitive.
    macro_rules! bits {
        ($w:expr, $x:expr, $y:expr, $fix:expr, $f:ident) => {{
            let (x, y) = ($x, $y);
            if Value::both_fix(x, y)
                && let Some(v) = $fix(x, y)
            {
                fp.set(op::a($w), v);
            } else {
                slow!(op::a($w), num::$f(vm, x, y));
            }
        }};
    }
    macro_rules! enter {
        ($nfp:expr, $f:expr, $argc:expr) => {{
            let nfp: Regs = $nfp;
            let f: Value = $f;
            if let Some(o) = f.obj()
                && o.kind() == Kind::Closure
                && let target = fast_code(o, $argc)
                && !target.is_null()
                && {
                    vm.heap.steps -= 1;
                    vm.heap.steps >= 0
                }
                && nfp.0 <= vm.heap.stack_limit
            {
                if !code_ref(target).native.load(Ordering::Relaxed).is_null() {
                    vm.enter_native(target, nfp);
                    load!();
                } else {
                    fp = nfp;
                    code = target;
                    pc = Pc(code_ref(code).words);
                }
            } else {
                vm.activate_slow(nfp, $argc);
                load!();
            }
        }};
    }

    loop {
        let w = pc.fetch();
        match Op::decode(w) {
            Op::Move => fp.set(op::a(w), fp.get(op::b(w))),
            Op::Const => fp.set(op::a(w), constant(code, op::ui(w))),
            Op::Int => fp.set(op::a(w), Value::fix(op::si(w))),
            Op::Imm => fp.set(op::a(w), Value(op::ui(w) as u64)),
            Op::Capture => {
                let me = fp.closure().obj().expect("code with captures runs as a closure");
                fp.set(op::a(w), me.get_unchecked(slot::CLOSURE_CAPTURES + op::b(w)))
            }
            Op::Myself => fp.set(op::a(w), fp.closure()),
            Op::Global => {
                let var = constant(code, op::ui(w)).obj().expect("a var");
                let v = var.get_unchecked(slot::VAR_ROOT);
                if v != Value::UNBOUND {
                    fp.set(op::a(w), v)
                } else {
                    let exit = vm.unbound_var(var);
                    fault!(1, exit)
                }
            }
            Op::Closure => {
                let n = op::aux(w) as usize;
                let proto = constant(code, op::ui(w));
                let o = vm.heap.alloc(Kind::Closure, 0, slot::CLOSURE_CAPTURES + n);
                o.set(slot::CLOSURE_PROTO, proto);
                o.set(slot::CLOSURE_META, Value::NIL);
                let mut regs = 0;
                for i in 0..n {
                    if i % 4 == 0 {
                        regs = pc.fetch();
                    }
                    o.set(slot::CLOSURE_CAPTURES + i, fp.get(regs as u16 as usize));
                    regs >>= 16;
                }
                fp.set(op::a(w), o.into())
            }
            Op::Tie => {
                let o = fp.get(op::a(w)).obj().expect("a closure");
                vm.heap.write(o, slot::CLOSURE_CAPTURES + op::b(w), fp.get(op::c(w)))
            }

            // ---- control
            Op::Jmp => pc.jump(op::si(w)),
            Op::JIf => {
                if fp.get(op::a(w)).truthy() {
                    pc.jump(op::si(w))
                }
            }
            Op::JIfNot => {
                if !fp.get(op::a(w)).truthy() {
                    pc.jump(op::si(w))
                }
            }
            Op::JNil => {
                if fp.get(op::a(w)).is_nil() {
                    pc.jump(op::si(w))
                }
            }
            Op::JNotNil => {
                if !fp.get(op::a(w)).is_nil() {
                    pc.jump(op::si(w))
                }
            }
            Op::JNLt => branch!(w, fp.get(op::a(w)), fp.get(op::b(w)), <, lt),
            Op::JNLe => branch!(w, fp.get(op::a(w)), fp.get(op::b(w)), <=, le),
            Op::JNGt => branch!(w, fp.get(op::a(w)), fp.get(op::b(w)), >, gt),
            Op::JNGe => branch!(w, fp.get(op::a(w)), fp.get(op::b(w)), >=, ge),
            Op::JNNum => branch!(w, fp.get(op::a(w)), fp.get(op::b(w)), ==, num_eq),
            Op::JNLtI => branch!(w, fp.get(op::a(w)), Value::fix(op::sb(w)), <, lt),
            Op::JNLeI => branch!(w, fp.get(op::a(w)), Value::fix(op::sb(w)), <=, le),
            Op::JNGtI => branch!(w, fp.get(op::a(w)), Value::fix(op::sb(w)), >, gt),
            Op::JNGeI => branch!(w, fp.get(op::a(w)), Value::fix(op::sb(w)), >=, ge),
            Op::JNNumI => branch!(w, fp.get(op::a(w)), Value::fix(op::sb(w)), ==, num_eq),
            Op::JNEq => {
                let (x, y) = (fp.get(op::a(w)), fp.get(op::b(w)));
                if x == y && !x.is_ref() {
                } else if !x.is_ref() && !y.is_ref() {
                    // Both inline and different words: equal only as doubles are (0.0 and -0.0).
                    if !(both_f64(x, y) && x.f64_get() == y.f64_get()) {
                        pc.jump(op::sc(w))
                    }
                } else {
                    match coll::equiv(vm, x, y) {
                        Ok(eq) => {
                            vm.replay.finish();
                            if !eq {
                                pc.jump(op::sc(w))
                            }
                        }
                        Err(exit) => fault!(1, exit),
                    }
                }
            }
            Op::JNSame => {
                if fp.get(op::a(w)) != fp.get(op::b(w)) {
                    pc.jump(op::sc(w))
                }
            }
            Op::Case => {
                let t = constant(code, op::ui(w)).obj().expect("a case table");
                if let Some(d) = case_target(t, fp.get(op::a(w))) {
                    pc.jump(d)
                }
            }
            Op::Poll => {
                pc.jump(op::si(w));
                vm.heap.steps -= 1;
                if vm.heap.steps < 0 || vm.heap.stack_limit.is_null() {
                    vm.pc = pc;
                    vm.fp = fp;
                    vm.code = code;
                    vm.poll_loop();
                    load!();
                } else if !code_ref(code).native.load(Ordering::Relaxed).is_null() && vm.enter_loop(code, pc, fp) {
                    load!();
                }
            }
            Op::Ret => {
                let v = fp.get(op::a(w));
                let r = resume_ref(fp.header());
                if r.flags() == 0 {
                    fp = fp.down(r.delta as usize);
                    code = r.owner;
                    pc = Pc(r.pc);
                    fp.set(r.dst as usize, v);
                } else {
                    vm.deliver(fp, v);
                    load!();
                }
            }
            Op::Throw => {
                vm.pending.value = fp.get(op::a(w));
                fault!(1, Exit::Throw)
            }

            // ---- calls
            Op::Call => {
                let nfp = fp.up(op::a(w) + 1);
                nfp.set_word(0, site(code, op::b(w)) as u64);
                enter!(nfp, nfp.closure(), op::aux(w) as usize)
            }
            Op::CallVar => {
                let var = constant(code, op::c(w)).obj().expect("a var");
                let f = var.get_unchecked(slot::VAR_ROOT);
                let nfp = fp.up(op::a(w) + 1);
                nfp.set_word(0, site(code, op::b(w)) as u64);
                nfp.set_word(1, f.bits());
                if f == Value::UNBOUND {
                    let exit = vm.unbound_var(var);
                    fault!(1, exit)
                } else {
                    enter!(nfp, f, op::aux(w) as usize)
                }
            }
            Op::CallSelf => {
                let nfp = fp.up(op::a(w) + 1);
                nfp.set_word(0, site(code, op::b(w)) as u64);
                nfp.set_word(1, fp.closure().bits());
                enter!(nfp, fp.closure(), op::aux(w) as usize)
            }
            Op::TailCall => {
                let (win, n) = (op::a(w), op::aux(w) as usize);
                let f = fp.get(win);
                fp.set_word(1, f.bits());
                fp.shift(win + 1, 0, n);
                enter!(fp, f, n)
            }
            Op::TailCallVar => {
                let var = constant(code, op::c(w)).obj().expect("a var");
                let f = var.get_unchecked(slot::VAR_ROOT);
                if f == Value::UNBOUND {
                    let exit = vm.unbound_var(var);
                    fault!(1, exit)
                } else {
                    let n = op::aux(w) as usize;
                    fp.set_word(1, f.bits());
                    fp.shift(op::a(w) + 1, 0, n);
                    enter!(fp, f, n)
                }
            }
            Op::Prim1 => {
                let f = table::function(op::c(w) as u16);
                slow!(op::a(w), f(vm, &[fp.get(op::b(w))]))
            }
            Op::Prim2 => {
                let x = pc.peek();
                let f = table::function(x as u16);
                slow2!(op::a(w), f(vm, &[fp.get(op::b(w)), fp.get(op::c(w))]))
            }
            Op::Prim3 => {
                let x = pc.peek();
                let f = table::function(x as u16);
                let d = (x >> 16) as u16 as usize;
                slow2!(op::a(w), f(vm, &[fp.get(op::b(w)), fp.get(op::c(w)), fp.get(d)]))
            }
            Op::PrimN => {
                let f = table::function(op::c(w) as u16);
                slow!(op::a(w), f(vm, fp.slice(op::b(w), op::aux(w) as usize)))
            }

            // ---- arithmetic
            Op::Add => arith!(
                w,
                fp.get(op::b(w)),
                fp.get(op::c(w)),
                |x: Value, y: Value| tagged((x.0 as i64).overflowing_add(y.0 as i64)),
                |x: f64, y: f64| x + y,
                num::add_mode
            ),
            Op::AddI => arith!(
                w,
                fp.get(op::b(w)),
                Value::fix(op::sc(w)),
                |x: Value, y: Value| tagged((x.0 as i64).overflowing_add(y.0 as i64)),
                |x: f64, y: f64| x + y,
                num::add_mode
            ),
            Op::Sub => arith!(
                w,
                fp.get(op::b(w)),
                fp.get(op::c(w)),
                |x: Value, y: Value| tagged((x.0 as i64).overflowing_sub(y.0 as i64)),
                |x: f64, y: f64| x - y,
                num::sub_mode
            ),
            Op::Mul => arith!(
                w,
                fp.get(op::b(w)),
                fp.get(op::c(w)),
                |x: Value, y: Value| tagged(x.fix_get().overflowing_mul(y.0 as i64)),
                |x: f64, y: f64| x * y,
                num::mul_mode
            ),
            Op::MulI => arith!(
                w,
                fp.get(op::b(w)),
                Value::fix(op::sc(w)),
                |x: Value, y: Value| tagged(x.fix_get().overflowing_mul(y.0 as i64)),
                |x: f64, y: f64| x * y,
                num::mul_mode
            ),
            Op::Div => {
                let (x, y) = (fp.get(op::b(w)), fp.get(op::c(w)));
                if both_f64(x, y)
                    && let Some(v) = Value::try_f64(x.f64_get() / y.f64_get())
                {
                    note!(w, mode::SAW_DOUBLE);
                    fp.set(op::a(w), v)
                } else {
                    note!(w, mode::SAW_OTHER);
                    slow!(op::a(w), num::div(vm, x, y))
                }
            }
            Op::Quot => bits!(
                w,
                fp.get(op::b(w)),
                fp.get(op::c(w)),
                |x: Value, y: Value| if y.0 == 0 { None } else { Value::try_fix(x.fix_get() / y.fix_get()) },
                quot
            ),
            Op::Rem => bits!(
                w,
                fp.get(op::b(w)),
                fp.get(op::c(w)),
                |x: Value, y: Value| if y.0 == 0 { None } else { Some(Value::fix(x.fix_get() % y.fix_get())) },
                rem
            ),
            Op::Mod => bits!(
                w,
                fp.get(op::b(w)),
                fp.get(op::c(w)),
                |x: Value, y: Value| if y.0 == 0 {
                    None
                } else {
                    Some(Value::fix(floor_mod(x.fix_get(), y.fix_get())))
                },
                modulo
            ),
            Op::QuotI => bits!(
                w,
                fp.get(op::b(w)),
                Value::fix(op::sc(w)),
                |x: Value, y: Value| Value::try_fix(x.fix_get() / y.fix_get()),
                quot
            ),
            Op::RemI => bits!(
                w,
                fp.get(op::b(w)),
                Value::fix(op::sc(w)),
                |x: Value, y: Value| Some(Value::fix(x.fix_get() % y.fix_get())),
                rem
            ),
            Op::And => {
                bits!(w, fp.get(op::b(w)), fp.get(op::c(w)), |x: Value, y: Value| Some(Value(x.0 & y.0)), bit_and)
            }
            Op::AndI => {
                bits!(w, fp.get(op::b(w)), Value::fix(op::sc(w)), |x: Value, y: Value| Some(Value(x.0 & y.0)), bit_and)
            }
            Op::Or => {
                bits!(w, fp.get(op::b(w)), fp.get(op::c(w)), |x: Value, y: Value| Some(Value(x.0 | y.0)), bit_or)
            }
            Op::Xor => {
                bits!(w, fp.get(op::b(w)), fp.get(op::c(w)), |x: Value, y: Value| Some(Value(x.0 ^ y.0)), bit_xor)
            }
            Op::Shl => bits!(w, fp.get(op::b(w)), fp.get(op::c(w)), shift_left, bit_shift_left),
            Op::ShlI => bits!(w, fp.get(op::b(w)), Value::fix(op::sc(w)), shift_left, bit_shift_left),
            Op::Shr => bits!(w, fp.get(op::b(w)), fp.get(op::c(w)), shift_right, bit_shift_right),
            Op::ShrI => bits!(w, fp.get(op::b(w)), Value::fix(op::sc(w)), shift_right, bit_shift_right),
            Op::UShr => bits!(w, fp.get(op::b(w)), fp.get(op::c(w)), |_, _| None, unsigned_bit_shift_right),
            Op::ToDouble => {
                let x = fp.get(op::b(w));
                if x.is_inline_f64() { fp.set(op::a(w), x) } else { slow!(op::a(w), num::to_double(vm, x)) }
            }
            Op::ToLong => {
                let x = fp.get(op::b(w));
                if x.is_fix() { fp.set(op::a(w), x) } else { slow!(op::a(w), num::to_long(vm, x)) }
            }
            Op::Lt => compare!(w, op::a(w), fp.get(op::b(w)), fp.get(op::c(w)), <, lt),
            Op::Le => compare!(w, op::a(w), fp.get(op::b(w)), fp.get(op::c(w)), <=, le),
            Op::Gt => compare!(w, op::a(w), fp.get(op::b(w)), fp.get(op::c(w)), >, gt),
            Op::Ge => compare!(w, op::a(w), fp.get(op::b(w)), fp.get(op::c(w)), >=, ge),
            Op::NumEq => compare!(w, op::a(w), fp.get(op::b(w)), fp.get(op::c(w)), ==, num_eq),
            Op::Eq => slow!(op::a(w), coll::equiv(vm, fp.get(op::b(w)), fp.get(op::c(w))).map(Value::bool)),
            Op::Same => fp.set(op::a(w), Value::bool(fp.get(op::b(w)) == fp.get(op::c(w)))),
            Op::Not => fp.set(op::a(w), Value::bool(!fp.get(op::b(w)).truthy())),
            Op::IsNil => fp.set(op::a(w), Value::bool(fp.get(op::b(w)).is_nil())),

            // ---- data
            Op::GetKw => {
                let (m, k) = (fp.get(op::b(w)), constant(code, op::c(w)));
                if let Some(o) = m.obj()
                    && o.kind() == Kind::ArrayMap
                {
                    // The second word caches where the key was last found.
                    let guess = pc.peek() as usize;
                    if guess + 1 < o.len() && guess > 0 && o.get(guess) == k {
                        pc.fetch();
                        fp.set(op::a(w), o.get(guess + 1));
                    } else {
                        let mut found = Value::NIL;
                        let words = o.words();
                        let mut i = 1;
                        while i < words.len() {
                            if words[i] == k {
                                found = words[i + 1];
                                pc.patch(i as u64);
                                break;
                            }
                            i += 2;
                        }
                        pc.fetch();
                        fp.set(op::a(w), found);
                    }
                } else {
                    slow2!(op::a(w), coll::get(vm, m, k, Value::NIL))
                }
            }
            Op::Get => slow!(op::a(w), coll::get(vm, fp.get(op::b(w)), fp.get(op::c(w)), Value::NIL)),
            Op::Nth => {
                let (x, i) = (fp.get(op::b(w)), fp.get(op::c(w)));
                if i.is_fix()
                    && let Some(v) = coll::vector_at(x, i.fix_get())
                {
                    fp.set(op::a(w), v)
                } else {
                    slow!(op::a(w), coll::nth(vm, x, i, None))
                }
            }
            Op::First => {
                let x = fp.get(op::b(w));
                match x.obj() {
                    Some(o) if matches!(o.kind(), Kind::List | Kind::Cons) => fp.set(op::a(w), o.get(0)),
                    _ => slow!(op::a(w), coll::first(vm, x)),
                }
            }
            Op::Rest => {
                let x = fp.get(op::b(w));
                match x.obj() {
                    Some(o) if o.kind() == Kind::Cons && !o.get(1).is_nil() => fp.set(op::a(w), o.get(1)),
                    _ => slow!(op::a(w), coll::rest(vm, x)),
                }
            }
            Op::NextSeq => slow!(op::a(w), coll::next(vm, fp.get(op::b(w)))),
            Op::Seq => {
                let x = fp.get(op::b(w));
                match x.obj() {
                    None if x.is_nil() => fp.set(op::a(w), x),
                    Some(o) if matches!(o.kind(), Kind::List | Kind::Cons) => fp.set(op::a(w), x),
                    _ => slow!(op::a(w), coll::seq(vm, x)),
                }
            }
            Op::Count => slow!(op::a(w), coll::count(vm, fp.get(op::b(w)))),
            Op::Cons => slow!(op::a(w), coll::cons(vm, fp.get(op::b(w)), fp.get(op::c(w)))),
            Op::Conj => slow!(op::a(w), coll::conj(vm, fp.get(op::b(w)), fp.get(op::c(w)))),
            Op::Assoc => {
                let d = (pc.peek() >> 16) as u16 as usize;
                slow2!(op::a(w), coll::assoc(vm, fp.get(op::b(w)), fp.get(op::c(w)), fp.get(d)))
            }
            Op::AGet => {
                let (x, i) = (fp.get(op::b(w)), fp.get(op::c(w)));
                match array_get(x, i) {
                    Some(v) => {
                        if v.is_inline_f64() {
                            note!(w, mode::SAW_DOUBLE)
                        }
                        fp.set(op::a(w), v)
                    }
                    None => {
                        note!(w, mode::SAW_OTHER);
                        slow!(op::a(w), coll::aget(vm, x, i))
                    }
                }
            }
            Op::ASet => {
                let (x, i, v) = (fp.get(op::a(w)), fp.get(op::b(w)), fp.get(op::c(w)));
                if v.is_inline_f64() {
                    note!(w, mode::SAW_DOUBLE)
                }
                if !array_set(x, i, v) {
                    note!(w, mode::SAW_OTHER);
                    match coll::aset(vm, x, i, v) {
                        Ok(_) => {}
                        Err(exit) => fault!(1, exit),
                    }
                }
            }
            Op::Deref => {
                let x = fp.get(op::b(w));
                match x.obj() {
                    Some(o) if matches!(o.kind(), Kind::Atom | Kind::Volatile) => fp.set(op::a(w), o.get(0)),
                    _ => slow!(op::a(w), coll::deref(vm, x)),
                }
            }
            Op::Vector => {
                let v = coll::vector_of(vm, fp.slice(op::b(w), op::aux(w) as usize));
                fp.set(op::a(w), v)
            }
            Op::MakeBox => {
                let v = vm.alloc(Kind::Box, &[fp.get(op::b(w))]);
                fp.set(op::a(w), v)
            }
            Op::GetBox => {
                let o = fp.get(op::b(w)).obj().expect("a cell");
                fp.set(op::a(w), o.get(0))
            }
            Op::SetBox => {
                let o = fp.get(op::a(w)).obj().expect("a cell");
                vm.heap.write(o, 0, fp.get(op::b(w)))
            }
            Op::Field => slow!(op::a(w), field(vm, fp.get(op::b(w)), op::c(w)).map(|(o, i)| o.get(i))),
            Op::SetField => match field(vm, fp.get(op::a(w)), op::c(w)) {
                Ok((o, i)) => vm.heap.write(o, i, fp.get(op::b(w))),
                Err(exit) => fault!(1, exit),
            },
        }
        if STEP {
            vm.pc = pc;
            vm.fp = fp;
            vm.code = code;
            return;
        }
    }
}

/// Element of an array of longs or doubles by a fixnum, where the element has an inline form.
#[inline(always)]
fn array_get(x: Value, i: Value) -> Option<Value> {
    let o = x.obj()?;
    let n = i.fix_get() as usize;
    if o.kind() != Kind::PrimArray || !i.is_fix() || n >= o.len() {
        return None;
    }
    match o.aux() {
        coll::elem::LONG => Value::try_fix(o.raw_unchecked(n) as i64),
        coll::elem::DOUBLE => Value::try_f64(f64::from_bits(o.raw_unchecked(n))),
        _ => None,
    }
}
/// Stores a number of the array's own sort; false if this is not that case.
#[inline(always)]
fn array_set(x: Value, i: Value, v: Value) -> bool {
    let Some(o) = x.obj() else { return false };
    let n = i.fix_get() as usize;
    if o.kind() != Kind::PrimArray || !i.is_fix() || n >= o.len() {
        return false;
    }
    match o.aux() {
        coll::elem::LONG if v.is_fix() => o.set_raw(n, v.fix_get() as u64),
        coll::elem::DOUBLE if v.is_inline_f64() => o.set_raw(n, v.f64_get().to_bits()),
        _ => return false,
    }
    true
}

/// Object and word of field `i` of an instance or record.
fn field(vm: &mut Vm, v: Value, i: usize) -> R<(Obj, usize)> {
    let first = match v.kind() {
        Some(Kind::Instance) => 1,
        Some(Kind::Record) => 3,
        _ => usize::MAX,
    };
    match v.obj() {
        Some(o) if first != usize::MAX && first + i < o.len() => Ok((o, first + i)),
        _ => Err(vm.err(ErrKind::Type, "a method of a type was called on something else")),
    }
}

/// Distance for `key` in a case table: `[mask, key, distance, key, distance, …]`, open addressing, ABSENT = free.
pub(crate) fn case_target(t: Obj, key: Value) -> Option<i64> {
    let words = t.words();
    let mask = words[0].fix_get() as usize;
    let mut i = case_hash(key) & mask;
    loop {
        let k = words[1 + 2 * i];
        if k == key {
            return Some(words[2 + 2 * i].fix_get());
        }
        if k == Value::ABSENT {
            return None;
        }
        i = (i + 1) & mask;
    }
}
/// Slot of a key in a case table.
pub(crate) fn case_hash(key: Value) -> usize {
    (key.0.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40) as usize
}

fn floor_mod(x: i64, y: i64) -> i64 {
    let r = x % y;
    if r != 0 && (r < 0) != (y < 0) { r + y } else { r }
}

fn shift_left(x: Value, n: Value) -> Option<Value> {
    let (x, n) = (x.fix_get(), n.fix_get());
    if (0..60).contains(&n) && (x << n) >> n == x { Value::try_fix(x << n) } else { None }
}
fn shift_right(x: Value, n: Value) -> Option<Value> {
    let n = n.fix_get();
    if (0..64).contains(&n) { Some(Value::fix(x.fix_get() >> n)) } else { None }
}
