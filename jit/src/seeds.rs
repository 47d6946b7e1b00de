//! Seeds of hash tables: always the same, so that the same program on the same input executes the same instructions.
//!
//! Cranelift's tables are the standard library's, whose seeds come from the system: then it hashes, probes and grows in
//! another way in each process, and compiling takes another number of instructions. The standard library asks through a weak
//! `getrandom` so that a program may step in, and asks for seeds, and for nothing else, with `GRND_INSECURE`. What anybody
//! asks with other flags comes from the system.
//!
//! # Invariants
//! 1. The signature and results are those of getrandom(2).

/// Fills `buffer` with random bytes, and with zeros if bytes that need not be secret are asked for.
///
/// # Safety
/// `buffer` takes `len` bytes.
#[unsafe(no_mangle)]
unsafe extern "C" fn getrandom(buffer: *mut u8, len: usize, flags: u32) -> isize {
    if flags == libc::GRND_INSECURE {
        // SAFETY: the caller's promise.
        unsafe { buffer.write_bytes(0, len) };
        return len as isize;
    }
    // SAFETY: the arguments are those of the system call of the same name, by invariant 1.
    unsafe { libc::syscall(libc::SYS_getrandom, buffer, len, flags) as isize }
}

#[cfg(test)]
mod tests {
    use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher, RandomState};

    #[test]
    fn tables_hash_alike_in_every_process() {
        // Seeds are taken once a thread and counted up.
        let hash = std::thread::spawn(|| RandomState::new().hash_one(7)).join().expect("it ends");
        assert_eq!(hash, BuildHasherDefault::<DefaultHasher>::default().hash_one(7));
    }
    #[test]
    fn what_asks_for_more_gets_random_bytes() {
        let mut bytes = [[0u8; 16]; 2];
        for b in &mut bytes {
            // SAFETY: a buffer of that size.
            assert_eq!(unsafe { super::getrandom(b.as_mut_ptr(), b.len(), 0) }, 16);
        }
        assert_ne!(bytes[0], bytes[1]);
    }
}
