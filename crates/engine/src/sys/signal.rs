//! Signals that must not end a process although nobody reads them.

use std::io;

/// Has this process, and those that it makes, pay no heed to a signal (signal(7)).
///
/// # Errors
/// There is no such signal, or it cannot be ignored: KILL, STOP, and those that the C library keeps for itself.
pub fn ignore(signal: i32) -> io::Result<()> {
    set(signal, libc::SIG_IGN)
}

/// Undoes what the process that started this one may have set: ignored signals stay ignored over execve(2).
///
/// # Errors
/// As [`ignore`].
pub fn restore(signal: i32) -> io::Result<()> {
    set(signal, libc::SIG_DFL)
}

/// The real-time signals of programs: the C library keeps the first ones for itself.
pub fn real_time() -> std::ops::RangeInclusive<i32> {
    libc::SIGRTMIN()..=libc::SIGRTMAX()
}

fn set(signal: i32, action: libc::sighandler_t) -> io::Result<()> {
    // SAFETY: signal(2) is dangerous for the code that it has called within any other. SIG_IGN and SIG_DFL call none; a
    // fault of the processor ends the process whatever is set here.
    match unsafe { libc::signal(signal, action) } {
        libc::SIG_ERR => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_that_is_ignored_ends_nothing() {
        let last = *real_time().end();
        ignore(last).unwrap();
        // SAFETY: raise(3) has no pointers.
        assert_eq!(unsafe { libc::raise(last) }, 0);
        restore(last).unwrap();
        assert!(ignore(libc::SIGKILL).is_err());
        assert!(ignore(0).is_err());
    }
}
