//! What the allocator holds, and giving it back. Only glibc has calls for this; elsewhere they say nothing and do
//! nothing.

/// Bytes that this process has allocated and not freed. The library counts in 32 bits where it is old, so `near` says
/// about how many they may be. Takes the lock of each arena in turn: not for the request path.
#[cfg(target_env = "gnu")]
pub(crate) fn allocated(near: u64) -> Option<u64> {
    // mallinfo2(3) has 64 bits, and glibc has it since 2.33 only; a program that names it does not start on an older one.
    // SAFETY: mallinfo(3) has no arguments, gives a plain struct, and takes the locks that it needs itself.
    let info = unsafe { libc::mallinfo() };
    let sum = (info.uordblks as u32).wrapping_add(info.hblkhd as u32);
    Some(unwrap(sum, near))
}

/// Gives pages that hold nothing back to the system; true if some were. Walks the arenas under their locks: not for the
/// request path.
#[cfg(target_env = "gnu")]
pub(crate) fn trim() -> bool {
    // SAFETY: malloc_trim(3) takes the locks of the arenas itself, and touches only memory that nobody has been given.
    unsafe { libc::malloc_trim(0) != 0 }
}

#[cfg(not(target_env = "gnu"))]
pub(crate) fn allocated(_near: u64) -> Option<u64> {
    None
}

#[cfg(not(target_env = "gnu"))]
pub(crate) fn trim() -> bool {
    false
}

/// Bytes of a page of memory.
pub(crate) fn page_bytes() -> u64 {
    // SAFETY: sysconf(3) has no pointers.
    u64::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096)
}

/// The number nearest to `near` of which only the lowest 32 bits are known.
#[cfg(target_env = "gnu")]
fn unwrap(low: u32, near: u64) -> u64 {
    let off = low.wrapping_sub(near as u32) as i32;
    near.saturating_add_signed(i64::from(off))
}

#[cfg(all(test, target_env = "gnu"))]
mod tests {
    use super::*;

    #[test]
    fn what_is_allocated_is_counted() {
        let before = allocated(0).unwrap();
        let held: Vec<Vec<u8>> = (0..1000).map(|_| vec![1; 32 * 1024]).collect();
        let now = allocated(before).unwrap();
        // Other tests run in threads of this process.
        assert!(now >= before + 16 * 1024 * 1024, "{before} {now}");
        drop(held);
        trim();
    }

    #[test]
    fn numbers_beyond_32_bits_are_told_by_their_neighbours() {
        let gib = 1u64 << 30;
        for number in [0, 1, gib, 4 * gib - 1, 4 * gib, 9 * gib + 7] {
            for near in [number, number.saturating_sub(gib), number + gib] {
                assert_eq!(unwrap(number as u32, near), number, "{near}");
            }
        }
    }
}
