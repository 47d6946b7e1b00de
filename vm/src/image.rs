//! Images: a machine with its library, as bytes that a new machine starts from without reading or evaluating anything.
//!
//! Making one moves every object into permanent memory, which lies at a fixed address, so that the memory itself is the
//! image. Words that hold addresses are found by making the image twice at two places and comparing: what differs by the
//! distance is an address. That list is only needed where the usual place is taken.
//!
//! Layout, little-endian words: magic, words of permanent memory, rest, hash of permanent memory; permanent memory;
//! relocations (word offsets); tables of the machine, first the names of its functions.

use crate::frame::Code;
use crate::freeze::code::Library;
use crate::heap::PERM_BASE;
use crate::machine::Vm;
use crate::names::Names;
use crate::namespace::Ns;
use crate::prim::table;
use crate::value::Value;
use rustc_hash::{FxHashMap as HashMap, FxHashSet as HashSet};

const MAGIC: u64 = 0x0002_4547_414d_4959;

/// The image of the library, from its sources. Deterministic: the same sources and build give the same bytes.
///
/// # Errors
/// A failure of the library, or of memory.
pub fn build() -> Result<Vec<u8>, String> {
    const OTHER: usize = PERM_BASE + (64 << 30);
    let (a, tables) = snapshot(PERM_BASE)?;
    let (b, _) = snapshot(OTHER)?;
    if a.len() != b.len() {
        return Err(format!(
            "two runs gave images of {} and {} words: the library is not deterministic",
            a.len(),
            b.len()
        ));
    }
    let delta = (OTHER - PERM_BASE) as u64;
    let mut relocs = Vec::new();
    for (i, (x, y)) in a.iter().zip(&b).enumerate() {
        if y.wrapping_sub(*x) == delta {
            relocs.push(i as u64);
        } else if x != y {
            return Err(format!("word {i} differs between two runs: {x:x} and {y:x}"));
        }
    }
    let mut hasher = blake3::Hasher::new();
    a.iter().for_each(|w| {
        hasher.update(&w.to_le_bytes());
    });
    let mut out = vec![MAGIC, a.len() as u64, relocs.len() as u64];
    let hash = *hasher.finalize().as_bytes();
    out.extend(hash.chunks_exact(8).map(|c| u64::from_le_bytes(c.try_into().expect("eight bytes"))));
    out.extend(&a);
    out.extend(&relocs);
    out.extend(&tables);
    Ok(out.into_iter().flat_map(u64::to_le_bytes).collect())
}

/// Permanent memory and tables of a machine that has just evaluated the library.
fn snapshot(perm_at: usize) -> Result<(Vec<u64>, Vec<u64>), String> {
    let mut vm = Vm::from_sources(perm_at)?;
    if vm.heap.perm_base() != perm_at {
        return Err("permanent memory is not where an image needs it".into());
    }
    vm.heap_to_perm();
    let mut t = Library::table(&vm, perm_at);
    vm.names.encode(&mut t);
    // Values in tables are stored relative to the base.
    let rel = |v: Value| if v.is_ref() { (v.bits() - perm_at as u64) | (1 << 63) } else { v.bits() };
    let mut ids: Vec<u32> = vm.namespaces.keys().copied().collect();
    ids.sort();
    t.push(ids.len() as u64);
    for id in ids {
        let ns = &vm.namespaces[&id];
        let (mut m, mut a): (Vec<_>, Vec<_>) = (ns.mappings.iter().collect(), ns.aliases.iter().collect());
        m.sort_by_key(|x| x.0);
        a.sort();
        t.extend([id as u64, rel(ns.object.expect("made with its object")), m.len() as u64, a.len() as u64]);
        m.iter().for_each(|(k, v)| t.extend([**k as u64, rel(**v)]));
        a.iter().for_each(|(k, v)| t.extend([**k as u64, **v as u64]));
    }
    let mut loaded: Vec<u32> = vm.loaded.iter().copied().collect();
    loaded.sort();
    t.push(loaded.len() as u64);
    t.extend(loaded.iter().map(|x| *x as u64));
    t.push(vm.roots.extra.len() as u64);
    t.extend(vm.roots.extra.iter().map(|v| rel(*v)));
    let mut classes: Vec<(u32, usize)> = vm.classes.iter().map(|(k, v)| (*k, *v)).collect();
    classes.sort();
    t.push(classes.len() as u64);
    classes.iter().for_each(|(k, v)| t.extend([*k as u64, *v as u64]));
    t.push(vm.codes.len() as u64);
    t.extend(vm.codes.iter().map(|c| *c as u64 - perm_at as u64));
    t.extend([vm.gensym, vm.ast.len() as u64, vm.ast.n_files() as u64]);
    Ok((vm.heap.perm_words().to_vec(), t))
}

impl Vm {
    /// A machine from an image. O(size of the image), a few hundred microseconds.
    ///
    /// # Errors
    /// The bytes are no image of this build, or memory is refused.
    pub fn from_image(bytes: &'static [u8]) -> Result<Vm, String> {
        let words: &'static [u64] = match crate::heap::as_words(bytes) {
            Some(w) => w,
            None => bytes
                .chunks_exact(8)
                .map(|c| u64::from_le_bytes(c.try_into().expect("8 bytes")))
                .collect::<Vec<_>>()
                .leak(),
        };
        if words.len() < 7 || words[0] != MAGIC {
            return Err("not an image of this build".into());
        }
        let (n, nr) = (words[1] as usize, words[2] as usize);
        let mut hash = [0; 32];
        for (to, w) in hash.chunks_exact_mut(8).zip(&words[3..7]) {
            to.copy_from_slice(&w.to_le_bytes());
        }
        let (perm, rest) = words[7..].split_at(n);
        let (relocs, t) = rest.split_at(nr);
        let mut vm = Vm::bare()?;
        let base = vm.heap.perm_base();
        let (library, mut t) = Library::read(t, hash, base, base + 8 * n);
        vm.library = library;
        // The first words are the records of native frames that `bare` has just made: the same in every machine.
        vm.heap.restore_perm(perm, relocs, base as u64 - PERM_BASE as u64);
        let abs = |w: u64| {
            if w >> 63 != 0 { Value::from_bits((w & !(1 << 63)) + base as u64) } else { Value::from_bits(w) }
        };
        let (names, rest) = Names::decode(t);
        t = rest;
        vm.names = names;
        let mut take = |n: usize| {
            let (a, b) = t.split_at(n);
            t = b;
            a
        };
        for _ in 0..take(1)[0] {
            let h = take(4);
            let mut ns = Ns { object: Some(abs(h[1])), ..Ns::default() };
            ns.mappings = take(2 * h[2] as usize).chunks(2).map(|c| (c[0] as u32, abs(c[1]))).collect();
            ns.aliases = take(2 * h[3] as usize).chunks(2).map(|c| (c[0] as u32, c[1] as u32)).collect();
            vm.namespaces.insert(h[0] as u32, ns);
        }
        let k = take(1)[0] as usize;
        vm.loaded = take(k).iter().map(|x| *x as u32).collect::<HashSet<_>>();
        let k = take(1)[0] as usize;
        vm.roots.extra = take(k).iter().map(|w| abs(*w)).collect();
        let k = take(1)[0] as usize;
        vm.classes = take(2 * k).chunks(2).map(|c| (c[0] as u32, c[1] as usize)).collect::<HashMap<_, _>>();
        let k = take(1)[0] as usize;
        vm.codes = take(k).iter().map(|w| (*w + base as u64) as *const Code).collect();
        let last = take(3);
        vm.gensym = last[0];
        vm.ast = yin_ast::Ast::after_image(last[1] as u32, last[2] as u32);
        vm.prim_ids = table::all().map(|(id, d)| (d.name, id)).collect();
        vm.ns_var = Some(vm.var("clojure.core/*ns*"));
        let user = vm.names.intern("user");
        vm.set_current_ns(user);
        Ok(vm)
    }
}
