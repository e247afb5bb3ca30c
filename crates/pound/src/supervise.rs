//! The supervisor: a parent that starts the serving process again when it dies (`Supervisor`).
//!
//! It keeps the listening sockets, so that clients wait in their queue instead of being refused while there is no
//! serving process, and it keeps its rights, since the next child has to drop them anew. It serves nothing, reads
//! nothing from the network, and has one thread. It follows no files either, so it reads them again before it starts another
//! child: a deny list as old as its own start would let in whom the last child has kept out.
//!
//! ```text
//!   start ──fork──▶ child: worker, ready ──▶ serving ──dies──▶ pause ──fork──▶ …
//!                     └─ dies before ready: give up, exit 1        (first start only; later ones are tried again,
//!                                                                   except after a refused PIN: give up, exit 77)
//!                                    └─ before each but the first: what is followed is read again; no start with a
//!                                       guarding list that cannot be used, but another try after a second
//!   TERM, INT, QUIT, HUP, USR1: handed on; after a stop the child's death ends the supervisor too
//! ```

use std::time::{Duration, Instant};

use engine::sys::process::{Fork, fork};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, getppid, setpgid};

use crate::failure::{FAILED, Failure, NOT_AGAIN};
use crate::process::ready::{self, Awaited, Promise};
use crate::process::signals::{Signals, Woken};

/// Pause before the first restart.
const PAUSE_MIN: Duration = Duration::from_secs(1);
/// The longest pause: short enough that a cause which went away is soon noticed, long enough not to fill the log.
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// A child that served this long was healthy: the next death is met with the shortest pause again.
const HEALTHY: Duration = Duration::from_secs(60);

/// Which process this is after [`supervise`].
pub(crate) enum Role<T> {
    /// The serving one, with what it was promised.
    Worker(T, Promise),
    /// The supervisor, whose work is done: stopped on request.
    Stopped,
    /// The supervisor, which has given up with this exit status; why has been said.
    GivenUp(u8),
}

/// Brings what a child serves with up to date before it is started; or says why it must not be started now.
pub(crate) type Refresh<'a, T> = &'a mut dyn FnMut(&T, &mut dyn Witness) -> Result<(), String>;

/// What the supervisor tells of.
pub(crate) trait Witness {
    /// The first child serves.
    fn ready(&mut self);
    /// A stop was asked for.
    fn stopping(&mut self);
    /// The log is to be opened again.
    fn reopen(&mut self);
    /// Something to log that is in order.
    fn note(&mut self, sentence: &str);
    /// Something to log that is not.
    fn report(&mut self, sentence: &str);
}

/// Starts a worker and stays with it. Returns in each child as [`Role::Worker`], and once in this process.
///
/// `sockets` is what the worker serves with; this process drops it when a stop is asked for, so that nobody waits in the
/// queue of a server that is going away.
///
/// # Errors
/// The first child could not be made.
pub(crate) fn supervise<T>(
    sockets: T,
    signals: &Signals,
    witness: &mut dyn Witness,
    refresh: Refresh<'_, T>,
) -> Result<Role<T>, Failure> {
    let mut pause = Pause::default();
    let mut first = true;
    loop {
        // For the first one all has just been read.
        if !first && let Some(signal) = refreshed(&sockets, refresh, signals, witness) {
            witness.report(&format!("{signal} while there was no serving process: stopping"));
            witness.stopping();
            return Ok(Role::Stopped);
        }
        let (awaited, promise) = ready::pair()?;
        let begun = Instant::now();
        let child = match fork() {
            Ok(Fork::Child) => {
                drop(awaited);
                tie_to_parent();
                return Ok(Role::Worker(sockets, promise));
            }
            Ok(Fork::Parent(pid)) => Some(Pid::from_raw(pid)),
            Err(error) if first => {
                return Err(Failure::new(format!("cannot start the serving process: {error}")));
            }
            // A want of processes or memory: it may pass.
            Err(error) => {
                witness.report(&format!("cannot start the serving process: {error}"));
                None
            }
        };
        drop(promise);
        if let Some(child) = child {
            match wait_for(awaited, child, signals, witness) {
                Awaiting::Ready if first => witness.ready(),
                Awaiting::Gone(status) if first => {
                    reap(child);
                    return Ok(Role::GivenUp(status));
                }
                Awaiting::Ready | Awaiting::Gone(_) => {}
                Awaiting::Asked(signal) => {
                    witness.stopping();
                    drop(sockets);
                    stop(child, signal, signals);
                    // Whoever waits for us to be ready should not take this for it.
                    return Ok(if first { Role::GivenUp(FAILED) } else { Role::Stopped });
                }
            }
            first = false;
        }
        match watch(child, signals, witness) {
            Ended::OnRequest => return Ok(Role::Stopped),
            Ended::Asked(child, signal) => {
                witness.stopping();
                drop(sockets);
                stop(child, signal, signals);
                return Ok(Role::Stopped);
            }
            Ended::ForGood(status) => {
                witness.report(
                    "the token of SSLEngine does not take the PIN and would lock itself after a few tries; the serving \
                     process is not started again, and the supervisor ends",
                );
                witness.stopping();
                return Ok(Role::GivenUp(status));
            }
            Ended::Died(how) => {
                let pause = pause.after(begun.elapsed());
                witness.report(&format!(
                    "the serving process {how}; starting it again in {} s",
                    pause.as_secs()
                ));
                if let Some(signal) = asked_within(signals, pause, witness) {
                    witness.report(&format!("{signal} while there was no serving process: stopping"));
                    witness.stopping();
                    return Ok(Role::Stopped);
                }
            }
        }
    }
}

/// Tries until what the next child serves with is up to date; a stop that comes meanwhile is returned.
fn refreshed<T>(
    sockets: &T,
    refresh: Refresh<'_, T>,
    signals: &Signals,
    witness: &mut dyn Witness,
) -> Option<Signal> {
    let mut told = String::new();
    while let Err(reason) = refresh(sockets, witness) {
        if reason != told {
            witness.report(&format!(
                "the serving process is not started again, since it would serve with an older list than the last one had: {reason}; put this right, it is looked at every second and clients wait meanwhile"
            ));
            told = reason;
        }
        if let Some(signal) = asked_within(signals, PAUSE_MIN, witness) {
            return Some(signal);
        }
    }
    None
}

/// How the watch over a child ended.
enum Ended {
    /// It stopped with exit status 0, as it does when a stop reached it directly.
    OnRequest,
    /// This signal asks us to stop it.
    Asked(Pid, Signal),
    /// It died; in words.
    Died(String),
    /// It ended with a status that says not to start it again.
    ForGood(u8),
}

/// How the wait for a child that starts ended.
enum Awaiting {
    Ready,
    /// It is gone, or about to go with this status.
    Gone(u8),
    /// This signal asks us to stop it.
    Asked(Signal),
}

/// Waits until a child is ready. It may wait for a token, so that we must not be deaf meanwhile.
fn wait_for(awaited: Awaited, child: Pid, signals: &Signals, witness: &mut dyn Witness) -> Awaiting {
    loop {
        match signals.next_or(Some(awaited.as_fd()), None) {
            Woken::Signal(signal @ (Signal::SIGTERM | Signal::SIGINT | Signal::SIGQUIT)) => {
                return Awaiting::Asked(signal);
            }
            Woken::Signal(Signal::SIGUSR1) => reopen(child, witness),
            // Of its death the pipe tells too.
            Woken::Signal(_) | Woken::Elapsed => {}
            Woken::Other => {
                return match awaited.wait() {
                    Ok(()) => Awaiting::Ready,
                    Err(status) => Awaiting::Gone(status),
                };
            }
        }
    }
}

/// Stays with the child until it dies or is to be stopped.
fn watch(child: Option<Pid>, signals: &Signals, witness: &mut dyn Witness) -> Ended {
    let Some(child) = child else { return Ended::Died("could not be started".into()) };
    loop {
        if let Some(ended) = death(child) {
            return ended;
        }
        match signals.next() {
            signal @ (Signal::SIGTERM | Signal::SIGINT | Signal::SIGQUIT) => {
                return Ended::Asked(child, signal);
            }
            // The worker knows what HUP means; with -W sighup=stop it ends with status 0.
            Signal::SIGHUP => hand_on(child, Signal::SIGHUP),
            Signal::SIGUSR1 => reopen(child, witness),
            _ => {}
        }
    }
}

/// Hands the stop on and waits for the child's end; it keeps the time itself (`Grace`). A second signal is handed on too
/// and ends it at once.
fn stop(child: Pid, signal: Signal, signals: &Signals) {
    hand_on(child, signal);
    while death(child).is_none() {
        match signals.next() {
            Signal::SIGCHLD => {}
            signal => hand_on(child, signal),
        }
    }
}

/// Whether it is dead, and how.
fn death(child: Pid) -> Option<Ended> {
    match waitpid(child, Some(WaitPidFlag::WNOHANG)) {
        Ok(WaitStatus::StillAlive) | Err(Errno::EINTR) => None,
        Ok(WaitStatus::Exited(_, 0)) => Some(Ended::OnRequest),
        Ok(WaitStatus::Exited(_, status)) if status == i32::from(NOT_AGAIN) => {
            Some(Ended::ForGood(NOT_AGAIN))
        }
        Ok(WaitStatus::Exited(_, status)) => Some(Ended::Died(format!("ended with status {status}"))),
        Ok(WaitStatus::Signaled(_, signal, _)) => Some(Ended::Died(format!("was ended by {signal}"))),
        Ok(_) => None,
        // It is no child of ours (any more): gone, however it went.
        Err(error) => Some(Ended::Died(format!("is gone ({})", error.desc()))),
    }
}

/// Opens our way to the log again, and has the child do so. We first: we may make the file that it may only open.
fn reopen(child: Pid, witness: &mut dyn Witness) {
    witness.reopen();
    hand_on(child, Signal::SIGUSR1);
}

fn hand_on(child: Pid, signal: Signal) {
    // It may be dead already, which the next look at it tells.
    let _ = kill(child, signal);
}

/// Waits out a pause; a stop that comes meanwhile ends it.
fn asked_within(signals: &Signals, pause: Duration, witness: &mut dyn Witness) -> Option<Signal> {
    let end = Instant::now() + pause;
    loop {
        match signals.next_or(None, Some(end.saturating_duration_since(Instant::now()))) {
            Woken::Signal(signal @ (Signal::SIGTERM | Signal::SIGINT | Signal::SIGQUIT)) => {
                return Some(signal);
            }
            Woken::Signal(Signal::SIGUSR1) => witness.reopen(),
            Woken::Signal(_) | Woken::Other => {}
            Woken::Elapsed => return None,
        }
    }
}

fn reap(child: Pid) {
    let _ = waitpid(child, None);
}

/// In the child: a group of its own, so that Ctrl-C at a terminal reaches only the supervisor, which hands it on; twice
/// would mean a stop at once.
fn tie_to_parent() {
    let _ = setpgid(Pid::from_raw(0), Pid::from_raw(0));
}

/// Asks the kernel to stop this worker when its supervisor dies. To be called after the user changed, which cancels it.
pub(crate) fn end_with(supervisor: Pid) {
    let _ = nix::sys::prctl::set_pdeathsig(Signal::SIGTERM);
    if getppid() != supervisor {
        // It died between the fork and the call above.
        let _ = nix::sys::signal::raise(Signal::SIGTERM);
    }
}

/// How long to wait before the next start: doubled from death to death, short again after a healthy life.
#[derive(Debug, Default)]
struct Pause(Option<Duration>);

impl Pause {
    fn after(&mut self, life: Duration) -> Duration {
        let next = match self.0 {
            Some(last) if life < HEALTHY => (last * 2).min(PAUSE_MAX),
            _ => PAUSE_MIN,
        };
        self.0 = Some(next);
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_while_it_dies_young() {
        let mut pause = Pause::default();
        let young = Duration::from_secs(1);
        let pauses: Vec<u64> = (0..9).map(|_| pause.after(young).as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(pause.after(HEALTHY), PAUSE_MIN);
        assert_eq!(pause.after(young).as_secs(), 2);
    }
}
