//! Going into the background.

use std::fs::{File, OpenOptions};

use engine::sys::process::{Fork, fork};
use nix::unistd::{chdir, dup2_stderr, dup2_stdin, dup2_stdout, setsid};

use super::ready::{self, Promise};
use super::signals;
use crate::failure::Failure;

/// Which process this is after [`detach`].
pub(crate) enum Side {
    /// The one that was started: it may end now, with this verdict on the daemon's start.
    Caller {
        /// The daemon is up; otherwise it has said why not, and this is how we end too.
        started: Result<(), u8>,
    },
    /// The daemon.
    Daemon(Promise, Null),
}

/// `/dev/null`, opened while it can be seen: there may be none in a jail.
#[derive(Debug)]
pub(crate) struct Null(File);

/// Leaves the terminal and the caller's folder behind. The caller's process stays until the daemon keeps its promise,
/// so that `pound && echo up` tells the truth, and standard error stays open until then, so that a failure is read.
pub(crate) fn detach() -> Result<Side, Failure> {
    let failed = |error: std::io::Error| {
        Failure::new(format!("cannot go into the background: {error}; -F stays in the foreground"))
    };
    let (awaited, promise) = ready::pair()?;
    if let Fork::Parent(_) = fork().map_err(failed)? {
        drop(promise);
        // The daemon heeds signals by itself.
        signals::let_go();
        return Ok(Side::Caller { started: awaited.wait() });
    }
    drop(awaited);
    setsid().map_err(|error| failed(error.into()))?;
    // The leader of a session gets a controlling terminal by opening one; its child never does.
    if let Fork::Parent(_) = fork().map_err(failed)? {
        std::process::exit(0);
    }
    signals::leave_terminal();
    // A daemon that stands in a mounted folder keeps it from being unmounted.
    chdir("/").map_err(|error| failed(error.into()))?;
    let null = OpenOptions::new().read(true).write(true).open("/dev/null").map_err(failed)?;
    dup2_stdin(&null).map_err(|error| failed(error.into()))?;
    Ok(Side::Daemon(promise, Null(null)))
}

impl Null {
    /// Lets go of standard output and standard error, once nobody waits for a message there any more.
    ///
    /// They are replaced and not closed: a socket that got one of their numbers would be written to by a panic.
    pub(crate) fn silence(&self) {
        // dup2 of two open descriptors has no way to fail.
        let _ = dup2_stdout(&self.0);
        let _ = dup2_stderr(&self.0);
    }

    /// The same for another process that this one becomes.
    pub(crate) fn share(&self) -> Option<Null> {
        self.0.try_clone().ok().map(Null)
    }
}
