//! Making a second process.

use std::io;

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
