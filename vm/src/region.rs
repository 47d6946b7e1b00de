//! Memory from the operating system: reserved address ranges that are committed as they are touched.

/// A reserved, zeroed, readable and writable range of addresses. Untouched pages cost nothing.
pub struct Region {
    base: *mut u8,
    size_bytes: usize,
}

impl Region {
    /// Reserves `size_bytes`, at `preferred` if that range is free (0 = anywhere). All regions lie above 4 GiB, as tagged
    /// references require.
    ///
    /// # Errors
    /// The operating system's refusal, as text.
    pub fn reserve(preferred: usize, size_bytes: usize) -> Result<Region, String> {
        #[cfg(miri)]
        {
            let layout =
                std::alloc::Layout::from_size_align(size_bytes.min(64 << 20), 4096).map_err(|e| e.to_string())?;
            let _ = preferred;
            // SAFETY: the layout has non-zero size.
            let base = unsafe { std::alloc::alloc_zeroed(layout) };
            return Ok(Region { base, size_bytes: layout.size() });
        }
        #[cfg(not(miri))]
        {
            let prot = libc::PROT_READ | libc::PROT_WRITE;
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
            if preferred != 0 {
                // SAFETY: NOREPLACE never touches an existing mapping.
                let p = unsafe {
                    let fixed = flags | libc::MAP_FIXED_NOREPLACE;
                    libc::mmap(preferred as *mut _, size_bytes, prot, fixed, -1, 0)
                };
                if p as usize == preferred {
                    return Ok(Region { base: p as *mut u8, size_bytes });
                }
                if p != libc::MAP_FAILED {
                    // SAFETY: an older kernel ignored the flag and mapped elsewhere; the mapping is ours.
                    unsafe { libc::munmap(p, size_bytes) };
                }
            }
            // SAFETY: a fresh anonymous mapping.
            let p = unsafe { libc::mmap(std::ptr::null_mut(), size_bytes, prot, flags, -1, 0) };
            if p == libc::MAP_FAILED {
                return Err(format!("cannot reserve {} MiB: {}", size_bytes >> 20, std::io::Error::last_os_error()));
            }
            if p as usize >= 1 << 32 {
                return Ok(Region { base: p as *mut u8, size_bytes });
            }
            // SAFETY: the mapping is ours.
            unsafe { libc::munmap(p, size_bytes) };
            Region::reserve_high(size_bytes)
        }
    }

    /// The same where the system prefers low addresses, as under valgrind: asks for one high place after the other.
    #[cfg(not(miri))]
    #[cold]
    fn reserve_high(size_bytes: usize) -> Result<Region, String> {
        use std::sync::atomic::{AtomicUsize, Ordering};
        const FIRST: usize = 0x20_0000_0000;
        const END: usize = 0x3000_0000_0000;
        static NEXT: AtomicUsize = AtomicUsize::new(FIRST);
        let step = size_bytes.next_multiple_of(4096);
        for _ in 0..1024 {
            let mut at = NEXT.fetch_add(step, Ordering::Relaxed);
            if at > END - step.min(END) {
                // Long ago used, perhaps free again.
                NEXT.store(FIRST + step, Ordering::Relaxed);
                at = FIRST;
            }
            let prot = libc::PROT_READ | libc::PROT_WRITE;
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
            // SAFETY: without MAP_FIXED the address is a wish, never taken from another mapping.
            let p = unsafe { libc::mmap(at as *mut _, size_bytes, prot, flags, -1, 0) };
            if p == libc::MAP_FAILED {
                break;
            }
            if p as usize >= 1 << 32 {
                return Ok(Region { base: p as *mut u8, size_bytes });
            }
            // SAFETY: the mapping is ours.
            unsafe { libc::munmap(p, size_bytes) };
        }
        Err(format!("cannot reserve {} MiB above 4 GiB: {}", size_bytes >> 20, std::io::Error::last_os_error()))
    }

    pub fn base(&self) -> *mut u8 {
        self.base
    }
    pub fn size_bytes(&self) -> usize {
        self.size_bytes
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        #[cfg(miri)]
        // SAFETY: allocated with this layout in `reserve`.
        unsafe {
            std::alloc::dealloc(self.base, std::alloc::Layout::from_size_align(self.size_bytes, 4096).unwrap())
        };
        #[cfg(not(miri))]
        // SAFETY: the mapping is ours and nothing refers to it once its owner drops it.
        unsafe {
            libc::munmap(self.base as *mut _, self.size_bytes);
        }
    }
}
