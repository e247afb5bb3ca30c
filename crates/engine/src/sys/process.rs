//! Making a second process.

use std::io;
use std::os::fd::RawFd;

/// Which side of a [`fork`] this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fork {
    /// The new process.
    Child,
    /// The old one, with the new one's process id.
    Parent(i32),
}

/// Makes a copy of this process (fork(2)).
///
/// # Errors
/// As fork(2); and `Unsupported` if this process has more than one thread, since the child would hold the locks of
/// threads that it does not have.
pub fn fork() -> io::Result<Fork> {
    let threads = std::fs::read_dir("/proc/self/task")?.take(2).count();
    if threads != 1 {
        return Err(io::Error::new(io::ErrorKind::Unsupported, "fork of a process with several threads"));
    }
    // SAFETY: fork itself has no memory preconditions. What makes it dangerous is another thread that holds a lock (the
    // allocator's, say) which the child would wait for without end; the count above shows that there is none, and
    // only this thread could start one between the count and the call.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(Fork::Child),
        pid => Ok(Fork::Parent(pid)),
    }
}

/// Closes all descriptors above standard error but this one (close_range(2)). For a process that was just made: nothing
/// that owns another descriptor may be used or dropped afterwards.
///
/// # Errors
/// As close_range(2): before Linux 5.9 there is no such call.
pub fn close_all_but(kept: RawFd) -> io::Result<()> {
    let kept = u32::try_from(kept).map_err(|_| io::ErrorKind::InvalidInput)?;
    let below = (3, kept.saturating_sub(1));
    let above = (kept.saturating_add(1).max(3), u32::MAX);
    for (first, last) in [below, above] {
        if first > last {
            continue;
        }
        // SAFETY: the call has no pointers, and changes nothing but the table of descriptors. What was closed under
        // somebody is his error at his next call, and not one of memory: who calls us promises that there is nobody.
        let result = unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
        if result != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}
