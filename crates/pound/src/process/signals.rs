//! Signals, read one after the other like any other input.
//!
//! Those that mean something are blocked before there is a second thread or a second process, so that none is lost and
//! none interrupts anything; a descriptor (signalfd(2)) says which have come. All others that would end or stop a process
//! are ignored, in each process of ours: one that is sent by mistake must not take a server down.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use crate::failure::Failure;

/// The signals that mean something here.
const HEEDED: [Signal; 6] =
    [Signal::SIGTERM, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGHUP, Signal::SIGCHLD, Signal::SIGUSR1];

/// Signals that mean nothing here and end a process that says nothing about them; and those that would stop one which
/// uses its terminal from the background. What is in neither list ends the process: a fault (SEGV, BUS, FPE, ILL, TRAP,
/// SYS) and ABRT, since nothing can be relied on after them, and KILL.
const IGNORED: [Signal; 12] = [
    Signal::SIGUSR2,
    Signal::SIGALRM,
    Signal::SIGVTALRM,
    Signal::SIGPROF,
    Signal::SIGIO,
    Signal::SIGPWR,
    Signal::SIGSTKFLT,
    Signal::SIGXCPU,
    // A write beyond the limit of a file's size fails then, and is counted as any other that fails.
    Signal::SIGXFSZ,
    Signal::SIGPIPE,
    Signal::SIGTTIN,
    Signal::SIGTTOU,
];

/// Makes sure that no signal without a meaning ends this process or one that it makes. To be called first of all. TERM,
/// INT, QUIT and HUP still end it, as they should: nothing has begun.
pub(crate) fn settle() {
    let real_time = engine::sys::signal::real_time();
    for signal in IGNORED.into_iter().map(|signal| signal as i32).chain(real_time) {
        // Each of them can be ignored (signal(7)).
        let _ = engine::sys::signal::ignore(signal);
    }
    // Whoever started us may ignore it, and then there would be no word of a child's end.
    let _ = engine::sys::signal::restore(Signal::SIGCHLD as i32);
    // It waits until somebody reads it.
    let _ = SigSet::from(Signal::SIGUSR1).thread_block();
}

/// For a process that has no terminal: it is not stopped as a program on one is, by Ctrl-Z.
pub(crate) fn leave_terminal() {
    let _ = engine::sys::signal::ignore(Signal::SIGTSTP as i32);
}

/// For a process that only waits for another: a person who is tired of it may end it.
pub(crate) fn let_go() {
    let mut set = SigSet::empty();
    [Signal::SIGTERM, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGHUP]
        .into_iter()
        .for_each(|signal| set.add(signal));
    let _ = set.thread_unblock();
}

/// Where signals are read.
#[derive(Debug)]
pub(crate) struct Signals(SignalFd);

/// What ended a wait.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Woken {
    /// This signal came.
    Signal(Signal),
    /// The other descriptor became readable, or its writer is gone.
    Other,
    /// Neither, in the time that was given.
    Elapsed,
}

impl Signals {
    /// Blocks the signals for this thread and all that it starts, and makes them readable.
    pub(crate) fn take_over() -> Result<Signals, Failure> {
        let failed = |error: Errno| Failure::new(format!("cannot read signals: {}", error.desc()));
        let mut set = SigSet::empty();
        HEEDED.into_iter().for_each(|signal| set.add(signal));
        set.thread_block().map_err(failed)?;
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        Ok(Signals(SignalFd::with_flags(&set, flags).map_err(failed)?))
    }

    /// Waits for a signal, without end.
    pub(crate) fn next(&self) -> Signal {
        loop {
            if let Woken::Signal(signal) = self.next_or(None, None) {
                return signal;
            }
        }
    }

    /// Waits for a signal, for `other` to become readable, or for `time` to pass.
    pub(crate) fn next_or(&self, other: Option<BorrowedFd<'_>>, time: Option<Duration>) -> Woken {
        let end = time.map(|time| Instant::now() + time);
        loop {
            if let Ok(Some(info)) = self.0.read_signal()
                && let Ok(number) = i32::try_from(info.ssi_signo)
                && let Ok(signal) = Signal::try_from(number)
            {
                return Woken::Signal(signal);
            }
            let left = match end {
                None => PollTimeout::NONE,
                Some(end) => {
                    let left = end.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return Woken::Elapsed;
                    }
                    // Rounded up: a remainder below a millisecond would otherwise be waited for in a busy loop.
                    PollTimeout::try_from(left + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX)
                }
            };
            let mut watched = vec![PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
            watched.extend(other.map(|other| PollFd::new(other, PollFlags::POLLIN)));
            // An error is an interruption or a want of memory; either way the next turn looks again.
            if poll(&mut watched, left).is_ok()
                && let Some(other) = watched.get(1)
                && other.any().unwrap_or(false)
            {
                return Woken::Other;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One test for all, since signals belong to the whole process: each thread of the test runner that does not
    /// block them would be hit. `raise` reaches only the calling thread.
    #[test]
    fn a_wait_ends_by_a_signal_a_descriptor_or_time() {
        let signals = Signals::take_over().unwrap();
        assert_eq!(signals.next_or(None, Some(Duration::from_millis(5))), Woken::Elapsed);

        nix::sys::signal::raise(Signal::SIGHUP).unwrap();
        assert_eq!(signals.next(), Signal::SIGHUP);

        let (reader, writer) = std::io::pipe().unwrap();
        assert_eq!(signals.next_or(Some(reader.as_fd()), Some(Duration::from_millis(5))), Woken::Elapsed);
        drop(writer);
        assert_eq!(signals.next_or(Some(reader.as_fd()), None), Woken::Other);
    }
}
