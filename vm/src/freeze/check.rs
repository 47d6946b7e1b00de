//! What must hold of objects that came from elsewhere before a program may meet them: what the machine relies on without
//! looking again. One row a kind; rows are checked in order of numbers, so what an immutable object refers to was checked
//! before it.

use super::read::{FrameData, Graph};
use crate::driver::loader;
use crate::frame::{Native, proto_of};
use crate::layout::{Kind, slot};
use crate::prim::coll;
use crate::value::{Obj, Value};

type Res<T = ()> = Result<T, String>;

/// Of a node of a collection: entries below it, and how deep it is.
#[derive(Clone, Copy, Default)]
pub(super) struct Measure {
    count: u64,
    depth: u32,
}

/// Deepest trie of hashes: five bits a level of 32, and collisions.
const TRIE_DEPTH: u32 = 9;
/// Deepest balanced tree: weights are halved at least every three levels.
const TREE_DEPTH: u32 = 160;

fn integer(v: Value) -> bool {
    v.is_fix() || matches!(v.kind(), Some(Kind::Int64 | Kind::BigInt | Kind::SmallBig))
}
fn number(v: Value) -> bool {
    integer(v) || v.is_inline_f64() || matches!(v.kind(), Some(Kind::Float64 | Kind::Ratio | Kind::Decimal))
}
fn natural(v: Value) -> Option<u64> {
    v.as_fix().and_then(|n| u64::try_from(n).ok())
}
fn symbol(v: Value) -> bool {
    v.as_plain_symbol().is_some() || v.is_kind(Kind::SymbolMeta)
}
fn map(v: Value) -> bool {
    matches!(v.kind(), Some(Kind::ArrayMap | Kind::HashMap | Kind::SortedMap | Kind::Record))
}
fn meta(v: Value) -> bool {
    v.is_nil() || map(v) || v.is_kind(Kind::SpanMeta)
}
/// A node of binding or winding: `[outer, …]`.
fn chain(v: Value) -> bool {
    v.is_nil() || v.is_kind(Kind::Node)
}

impl Graph {
    fn measure(&self, v: Value) -> Measure {
        v.obj().and_then(|o| self.id_of(o)).map_or(Measure::default(), |id| self.measures[id as usize])
    }
    /// Nodes of objects that the library made are sound; others have been measured.
    fn measured(&self, v: Value) -> bool {
        v.obj().is_some_and(|o| self.id_of(o).is_some())
    }

    /// Is an object of `kind` with these words sound? What it measures.
    ///
    /// # Errors
    /// What is wrong.
    pub(super) fn sound(&self, kind: Kind, aux: u16, w: &[Value]) -> Res<Measure> {
        let n = w.len();
        let wrong = || Err(format!("a {} is not well-formed", kind.name()));
        let optional_meta = |at: usize| n == at || n == at + 1 && meta(w[at]);
        let mut m = Measure::default();
        let ok = match kind {
            Kind::Float64 | Kind::Int64 | Kind::Inst | Kind::Uuid | Kind::BigInt | Kind::Str | Kind::SpanMeta => true,
            Kind::PrimArray | Kind::Buffer | Kind::Native => true,
            Kind::Ratio => n == 2 && integer(w[0]) && integer(w[1]) && w[1] != Value::ZERO,
            Kind::Decimal => n == 2 && integer(w[0]) && w[1].as_fix().is_some_and(|s| i32::try_from(s).is_ok()),
            Kind::SmallBig => n == 1 && (w[0].is_fix() || w[0].is_kind(Kind::Int64)),
            Kind::SymbolMeta => n == 2 && w[0].as_plain_symbol().is_some() && meta(w[1]),
            Kind::Regex => n == 2 && w[0].is_kind(Kind::Str),
            Kind::Matcher => n == 4 && w[0].is_kind(Kind::Regex) && w[1].is_kind(Kind::Str) && natural(w[2]).is_some(),
            Kind::EmptyList => optional_meta(0),
            Kind::List => {
                let rest = match w.get(1).and_then(|r| r.obj()) {
                    Some(r) if r.kind() == Kind::List => natural(r.get(2)),
                    Some(r) if r.kind() == Kind::EmptyList => Some(0),
                    _ => None,
                };
                optional_meta(3) && rest.is_some() && natural(w[2]) == rest.map(|r| r + 1)
            }
            Kind::Cons => optional_meta(2),
            Kind::LazySeq => n == 3 && meta(w[2]),
            Kind::IndexedSeq => {
                let len = w.first().and_then(|b| b.obj()).and_then(coll::indexed_len);
                optional_meta(2) && len.zip(natural(w[1])).is_some_and(|(len, i)| i < len as u64)
            }
            Kind::ChunkedCons => {
                let len = w.first().and_then(|c| c.as_kind(Kind::Node)).map(|c| c.len() as u64);
                optional_meta(3) && len.zip(natural(w[1])).is_some_and(|(len, i)| i < len)
            }
            Kind::ChunkBuffer => {
                let len = w.first().and_then(|c| c.as_kind(Kind::Node)).map(|c| c.len() as u64);
                n == 2 && len.zip(natural(w[1])).is_some_and(|(len, i)| i <= len)
            }
            Kind::Range => optional_meta(3) && number(w[0]) && (number(w[1]) || w[1] == Value::ABSENT) && number(w[2]),
            Kind::Node => {
                let deepest = w.iter().filter(|v| v.is_kind(Kind::Node)).map(|v| self.measure(*v).depth).max();
                m.depth = deepest.unwrap_or(0).saturating_add(1);
                true
            }
            Kind::Vector => n == 5 && meta(w[4]) && self.vector(w, false),
            Kind::MapEntry => n == 2,
            Kind::ArrayMap => n % 2 == 1 && n <= 33 && meta(w[0]),
            Kind::HashMap => {
                n == 3
                    && meta(w[2])
                    && match w[1].kind() {
                        None => w[1].is_nil() && w[0] == Value::ZERO,
                        Some(Kind::HashNode | Kind::HashCollision) => {
                            !self.measured(w[1]) || natural(w[0]) == Some(self.measure(w[1]).count)
                        }
                        _ => false,
                    }
            }
            Kind::HashNode => {
                let bits = |v: Value| natural(v).and_then(|b| u32::try_from(b).ok());
                match (w.first().copied().and_then(bits), w.get(1).copied().and_then(bits)) {
                    (Some(data), Some(nodes)) if data & nodes == 0 => {
                        let first = 2 + 2 * data.count_ones() as usize;
                        m.count = u64::from(data.count_ones());
                        let right = n == first + nodes.count_ones() as usize;
                        right
                            && w[first..].iter().all(|c| {
                                let below = self.measure(*c);
                                m.count = m.count.saturating_add(below.count);
                                m.depth = m.depth.max(below.depth);
                                matches!(c.kind(), Some(Kind::HashNode | Kind::HashCollision))
                            })
                            && {
                                m.depth += 1;
                                m.depth <= TRIE_DEPTH && m.count <= self.words
                            }
                    }
                    _ => false,
                }
            }
            Kind::HashCollision => {
                m = Measure { count: n as u64 / 2, depth: 1 };
                n >= 5 && n % 2 == 1 && w[0].is_fix()
            }
            Kind::HashSet => n == 2 && matches!(w[0].kind(), Some(Kind::ArrayMap | Kind::HashMap)) && meta(w[1]),
            Kind::SortedMap => {
                n == 4
                    && meta(w[3])
                    && match w[1].as_kind(Kind::TreeNode) {
                        Some(t) => w[0] == t.get(0),
                        None => w[1].is_nil() && w[0] == Value::ZERO,
                    }
            }
            Kind::TreeNode => {
                let side = |v: Value| v.is_nil() || v.is_kind(Kind::TreeNode);
                n == 5 && side(w[3]) && side(w[4]) && {
                    let (l, r) = (self.measure(w[3]), self.measure(w[4]));
                    let size = |v: Value| v.obj().map_or(Some(0), |o| natural(o.get(0)));
                    m.depth = l.depth.max(r.depth) + 1;
                    m.depth <= TREE_DEPTH
                        && natural(w[0]).is_some_and(|s| s <= self.words.max(1 << 20))
                        && size(w[3]).zip(size(w[4])).and_then(|(a, b)| a.checked_add(b)).map(|s| s + 1)
                            == natural(w[0])
                }
            }
            Kind::SortedSet => n == 2 && w[0].is_kind(Kind::SortedMap) && meta(w[1]),
            Kind::Queue => {
                n == 4 && (w[1].is_nil() || w[1].is_kind(Kind::Vector)) && natural(w[2]).is_some() && meta(w[3])
            }
            Kind::Transient => match aux {
                a if a == Kind::Vector as u16 => n == 5 && w[4].is_bool() && self.vector(w, true),
                _ => {
                    let kind = w.first().and_then(|v| v.kind());
                    let fits = matches!(
                        kind,
                        Some(Kind::ArrayMap | Kind::HashMap | Kind::HashSet | Kind::SortedMap | Kind::SortedSet)
                    );
                    n == 2 && fits && w[1].is_bool()
                }
            },
            Kind::Closure => {
                n >= slot::CLOSURE_CAPTURES
                    && meta(w[slot::CLOSURE_META])
                    && self.is_proto(w[slot::CLOSURE_PROTO].bits() as usize)
            }
            Kind::MultiFn => n == 8 && symbol(w[0]) && map(w[4]) && map(w[5]) && meta(w[7]),
            Kind::Protocol => n == 5 && symbol(w[0]) && map(w[2]) && w[4].is_fix(),
            Kind::ProtocolFn => {
                n == slot::PFN_LEN && w[0].is_kind(Kind::Protocol) && w[1].is_keyword() && meta(w[slot::PFN_META])
            }
            Kind::KontFn => n == 1 && w[0].is_kind(Kind::Kont),
            Kind::Type => {
                n == 5 && w[0].as_plain_symbol().is_some() && w[1].is_kind(Kind::Vector) && w[2].is_fix() && map(w[3])
            }
            Kind::Instance => n >= 1 && self.fields(w[0]).is_some_and(|f| n == 1 + f),
            Kind::Record => {
                n >= 3 && self.fields(w[0]).is_some_and(|f| n == 3 + f) && meta(w[1]) && (w[2].is_nil() || map(w[2]))
            }
            Kind::Exception => n == slot::EX_LEN && w[slot::EX_TRACE].is_nil(),
            Kind::Atom => n == 4 && meta(w[1]),
            Kind::Volatile | Kind::Box | Kind::Reduced => n == 1,
            Kind::Delay => n == 3,
            Kind::Promise => n == 2,
            Kind::Ref => n == 5 && meta(w[1]),
            Kind::Array => true,
            Kind::TaggedLiteral => n == 2,
            Kind::Kont => true,
            Kind::Loader => {
                let text = w.first().copied().unwrap_or(Value::NIL);
                let forms = |v: Value| v.is_nil() || v.is_kind(Kind::Cons);
                n == loader::LEN
                    && (text.is_nil() || text.is_kind(Kind::Str))
                    && [loader::AT, loader::START, loader::END]
                        .iter()
                        .all(|i| natural(w[*i]).is_some_and(|x| x < 1 << 32))
                    && text.as_str().is_none_or(|t| t.is_char_boundary(natural(w[loader::AT]).unwrap_or(0) as usize))
                    && w[loader::FILE].is_fix()
                    && forms(w[loader::FORMS])
                    && w[loader::NS].as_plain_symbol().is_some()
            }
            Kind::PrimFn | Kind::Var | Kind::Namespace | Kind::Seg | Kind::MapSeq | Kind::GenSeq | Kind::Generator => {
                false
            }
        };
        if ok { Ok(m) } else { wrong() }
    }

    fn fields(&self, t: Value) -> Option<usize> {
        let fields = t.as_kind(Kind::Type)?.get(1);
        // The type's own words may come later in the table; its fields are immutable and there already.
        fields.as_kind(Kind::Vector).and_then(|v| natural(v.get(0))).map(|n| n as usize)
    }

    /// A vector or transient vector: every element can be reached by the trie.
    fn vector(&self, w: &[Value], transient: bool) -> bool {
        let (Some(count), Some(shift)) = (natural(w[0]), natural(w[1])) else { return false };
        let Some(tail) = w[3].as_kind(Kind::Node) else { return false };
        if count > self.words.max(1 << 24) {
            return false;
        }
        let cut = if count == 0 { 0 } else { (count - 1) & !31 };
        let tail_len = count - cut;
        let tail_ok = if transient { tail.len() == 32 } else { tail.len() as u64 == tail_len };
        if !tail_ok {
            return false;
        }
        if cut == 0 {
            return shift <= 60 && (w[2].is_nil() || w[2].is_kind(Kind::Node));
        }
        if shift == 0 || shift % 5 != 0 || shift > 60 || cut > 32u64 << shift {
            return false;
        }
        self.trie(w[2], shift, cut)
    }
    /// Does the trie under `node` hold `count` elements at every place below it?
    fn trie(&self, node: Value, shift: u64, count: u64) -> bool {
        let Some(o) = node.as_kind(Kind::Node) else { return false };
        if shift == 0 {
            return o.len() as u64 == 32 && count == 32;
        }
        // Versions of a vector share most of their nodes.
        if !self.tries.borrow_mut().insert((o.0 as u64, shift, count)) {
            return true;
        }
        let each = 32u64 << (shift - 5);
        let full = count / each;
        let children = full + u64::from(!count.is_multiple_of(each));
        children <= 32
            && o.len() as u64 >= children
            && (0..children).all(|i| self.trie(o.get(i as usize), shift - 5, (count - i * each).min(each)))
    }

    /// Are the slots of a frame what its record says they are?
    pub(super) fn frame(&self, f: &FrameData) -> Res {
        let s = &f.slots;
        let Some(native) = f.record().native() else {
            let code = f.record().owner().ok_or("a frame without code")?;
            // Slot 1, when it is live, is the running closure.
            if f.record().is_live(1) {
                let own = s.first().and_then(|v| v.as_kind(Kind::Closure));
                if own.is_none_or(|c| !std::ptr::eq(proto_of(c), code.proto())) {
                    return Err("a frame's function is another than its code's".into());
                }
            }
            return Ok(());
        };
        let wind = |v: Value| v.as_kind(Kind::Node).is_some_and(|o| o.len() == 3);
        let ok = match native {
            Native::Halt | Native::Activate | Native::Prompt | Native::WindBefore | Native::WindAfter => true,
            Native::Force => s[0].is_kind(Kind::LazySeq) && natural(s[1]).is_some() && natural(s[2]).is_some(),
            Native::Replay => s[0].is_kind(Kind::Vector),
            Native::Wind => wind(s[2]) && self.winds(s[2]),
            Native::Rewind | Native::Unwind => {
                // Of a delimited continuation the place of a wind, looked at when the frame goes on.
                s[0].is_kind(Kind::Kont) && (s[2].is_fix() || self.winds(s[2]))
            }
            Native::AbortUnwind => s[1].is_kind(Kind::KontFn) && s[2].is_kind(Kind::Vector),
            Native::Bind => chain(s[0]) && self.bindings(s[0]),
            Native::Load => s[0].is_kind(Kind::Loader),
            Native::Delay => s[0].is_kind(Kind::Delay),
            Native::Underflow => false,
        };
        if ok { Ok(()) } else { Err(format!("a frame of the machine ({native:?}) is not well-formed")) }
    }
    /// `[outer, before, after]` or nil, and so on outwards.
    pub(super) fn winds(&self, v: Value) -> bool {
        self.nodes(v, |o| o.len() == 3)
    }
    /// `[outer, depth, global, value, …]` or nil, and so on outwards.
    pub(super) fn bindings(&self, v: Value) -> bool {
        let depth = |v: Value| v.obj().map_or(0, |o| o.get(1).as_fix().unwrap_or(i64::MIN));
        self.nodes(v, |o| {
            let vars = |o: Obj| (2..o.len()).step_by(2).all(|i| o.get(i).is_kind(Kind::Var));
            o.len() >= 2 && o.len() % 2 == 0 && depth(o.into()) == depth_of(o.get(0)) + 1 && vars(o)
        })
    }
    fn nodes(&self, v: Value, sound: impl Fn(Obj) -> bool) -> bool {
        let mut at = v;
        while let Some(o) = at.as_kind(Kind::Node) {
            if o.is_empty() || !sound(o) {
                return false;
            }
            at = o.get(0);
        }
        at.is_nil()
    }
}

fn depth_of(v: Value) -> i64 {
    match v.as_kind(Kind::Node) {
        Some(o) if o.len() >= 2 => o.get(1).as_fix().unwrap_or(-1),
        _ => 0,
    }
}
