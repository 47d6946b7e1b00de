//! Code memory, and taking out the prologues that pieces do not need.
//!
//! One reserved region, filled from the front. Pages are writable while a unit is installed and executable otherwise, never
//! both. Installing happens in the driver, when nothing native is running.
//!
//! # Prologue elision
//! Cranelift opens every function on x86-64 with `push rbp; mov rbp, rsp` and undoes it before each tail call: a chain
//! through memory on every jump between pieces. A piece that makes no native call does not need it, so both become no-ops.
//! The check is strict: one missed epilogue would unbalance the stack.

use cranelift_codegen::CompiledCode;
use cranelift_jit::{BranchProtection, JITMemoryKind, JITMemoryProvider};
use cranelift_module::ModuleResult;
use std::io;

/// Bytes of the region.
pub const REGION_BYTES: usize = 64 << 20;
/// Where the region is placed if it can be, so that two runs have the same addresses.
const REGION_AT: usize = 0x7_0000_0000;
const PAGE: usize = 4096;

/// The region, as Cranelift's memory provider.
pub struct Region {
    base: *mut u8,
    used: usize,
    /// Start of what was handed out since the last `finalize`.
    open: usize,
}

// SAFETY: the region is only reached through the module that owns it.
unsafe impl Send for Region {}

impl Region {
    pub fn reserve() -> io::Result<Region> {
        // SAFETY: a fresh mapping.
        let p = unsafe {
            libc::mmap(
                REGION_AT as *mut _,
                REGION_BYTES,
                libc::PROT_NONE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
                -1,
                0,
            )
        };
        if p == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Region { base: p as *mut u8, used: 0, open: 0 })
    }

    fn protect(&self, from: usize, to: usize, prot: i32) -> io::Result<()> {
        let (from, to) = (from & !(PAGE - 1), to.next_multiple_of(PAGE));
        // SAFETY: pages of the region.
        let r = unsafe { libc::mprotect(self.base.add(from) as *mut _, to - from, prot) };
        if r == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}

impl JITMemoryProvider for Region {
    fn allocate(&mut self, size: usize, align: u64, _kind: JITMemoryKind) -> io::Result<*mut u8> {
        let at = self.used.next_multiple_of(align as usize);
        if at + size > REGION_BYTES {
            return Err(io::Error::new(io::ErrorKind::OutOfMemory, "the code region is full"));
        }
        self.protect(at, at + size, libc::PROT_READ | libc::PROT_WRITE)?;
        self.used = at + size;
        // SAFETY: inside the region.
        Ok(unsafe { self.base.add(at) })
    }
    unsafe fn free_memory(&mut self) {
        // SAFETY: the owner drops the module: no code of it runs any more.
        unsafe { libc::munmap(self.base as *mut _, REGION_BYTES) };
    }
    fn finalize(&mut self, _: BranchProtection) -> ModuleResult<()> {
        if self.open < self.used {
            self.protect(self.open, self.used, libc::PROT_READ | libc::PROT_EXEC)
                .map_err(|err| cranelift_module::ModuleError::Allocation { err })?;
        }
        self.open = self.used;
        Ok(())
    }
}

/// Gives the code of a module back. Its machine is gone: nothing runs or will run it.
pub fn free(module: cranelift_jit::JITModule) {
    // SAFETY: called when the owner of the pieces, a machine, is dropped.
    unsafe { module.free_memory() }
}

const PROLOGUE: [u8; 4] = [0x55, 0x48, 0x89, 0xE5];
const EPILOGUE: [u8; 4] = [0x48, 0x89, 0xEC, 0x5D];
const NOP: [u8; 4] = [0x0F, 0x1F, 0x40, 0x00];

/// Takes the prologue and the epilogues out of a piece without native calls whose tail calls have the source locations
/// `1..=n_tails`. False, and nothing changed, if anything looks unexpected.
pub fn elide(compiled: &CompiledCode, bytes: &mut [u8], n_tails: u32) -> bool {
    if bytes.len() < 4 || bytes[..4] != PROLOGUE {
        return false;
    }
    let mut at = Vec::new();
    for l in compiled.buffer.get_srclocs_sorted() {
        let n = l.loc.bits();
        if n == 0 || n > n_tails {
            continue;
        }
        let s = &bytes[l.start as usize..l.end as usize];
        let e = s.len();
        let jump = if e >= 9 && s[e - 5] == 0xE9 {
            e - 5
        } else if e >= 7 && s[e - 3] == 0x41 && s[e - 2] == 0xFF && s[e - 1] & 0xF8 == 0xE0 {
            e - 3
        } else if e >= 6 && s[e - 2] == 0xFF && s[e - 1] & 0xF8 == 0xE0 {
            e - 2
        } else {
            return false;
        };
        if s[jump - 4..jump] != EPILOGUE {
            return false;
        }
        at.push(l.start as usize + jump - 4);
    }
    // Every epilogue belongs to a tail call that was found. Identical tails may have been merged, so there can be fewer.
    let all = bytes.windows(4).filter(|w| *w == EPILOGUE).count();
    if at.is_empty() || all != at.len() {
        return false;
    }
    bytes[..4].copy_from_slice(&NOP);
    at.into_iter().for_each(|i| bytes[i..i + 4].copy_from_slice(&NOP));
    true
}
