//! What concerns the process as a whole.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

/// The global directives that `pound` itself acts on.
#[derive(Debug, Clone)]
pub struct Process {
    /// Run as this user once the sockets are bound (`User`): a name or a number.
    pub user: Option<String>,
    /// Run as this group (`Group`): a name or a number.
    pub group: Option<String>,
    /// Change the root directory to this one (`RootJail`).
    pub root_jail: Option<PathBuf>,
    /// Go into the background (`Daemon`).
    pub daemon: bool,
    /// Keep a parent that starts the server again when it dies (`Supervisor`).
    pub supervisor: bool,
    /// Where the process id is written (`PIDFile`).
    pub pid_file: PidFile,
    /// How long requests in flight may go on after a stop (`Grace`).
    pub grace: Duration,
    /// How long after its last answer an idle connection is kept for its next request when we stop (`GraceIdle`).
    pub grace_idle: Duration,
    /// Connections of clients at a time, over all listeners (`MaxConnections`).
    pub connections_max: Option<usize>,
    /// Bytes of memory that the serving process may take (`MaxMemory`); `None` means what the system allows.
    pub memory_max: Option<u64>,
    /// Worker threads; `None` means one for each core that this process may use (`Workers`).
    pub workers: Option<NonZeroUsize>,
}

/// What `PIDFile` asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PidFile {
    /// Nothing was said: the built-in place, in daemon mode only.
    Default,
    /// `-`: none.
    None,
    /// This file.
    Path(PathBuf),
}
