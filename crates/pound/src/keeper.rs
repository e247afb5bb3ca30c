//! Starts the process that keeps the right to read certificates when the serving one gives its rights up.
//!
//! A serving process that is no longer root, or sees nothing but its jail, could not read a key again that nobody but
//! root may read, and that is what keys should be like. So a child reads them for it: only those that the configuration
//! names, see `engine::keep_tls_files`. It keeps the right to read and no other, see `process::confine`. It has one end of
//! a line and no socket, no log and no signals, and ends when the other end is closed, however that came about.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;

use engine::Prepared;
use engine::sys::process::{Fork, fork};
use nix::unistd::{chdir, dup2_stderr, dup2_stdin, dup2_stdout};

use crate::process::{confine, descriptors, signals};

/// Its name in `ps`.
const NAME: &std::ffi::CStr = c"pound-keys";

/// Starts it, and waits until it is set up; `prepared` reads over it from now on. To be called before there are threads,
/// and before rights are given up.
///
/// # Errors
/// Why there is none: no process or no socket could be had, say. Then nothing is followed.
pub(crate) fn start(prepared: &mut Prepared) -> io::Result<()> {
    let started = begin(prepared);
    if started.is_err() {
        prepared.leave_tls_files();
    }
    started
}

fn begin(prepared: &mut Prepared) -> io::Result<()> {
    let null = OpenOptions::new().read(true).write(true).open("/dev/null")?;
    let (ours, its) = UnixStream::pair()?;
    if let Fork::Parent(_) = fork()? {
        drop(its);
        return prepared.read_tls_files_over(ours);
    }
    // It would wait for its own end.
    drop(ours);
    let names = prepared.tls_files();
    let _ = nix::sys::prctl::set_name(NAME);
    signals::leave_terminal();
    let _ = nix::sys::prctl::set_no_new_privs();
    // No other process of the user, should it become one some day, looks into its memory.
    let _ = nix::sys::prctl::set_dumpable(false);
    // Whoever waits at a stream or a socket of ours must not wait for this process. What they belong to is never
    // dropped here: this process ends below, without returning.
    let _ = (dup2_stdin(&null), dup2_stdout(&null), dup2_stderr(&null));
    if descriptors::close_all_but(its.as_raw_fd()).is_err() {
        // With the sockets of the listeners it would take clients whom nobody answers. The other side sees it go.
        std::process::exit(1);
    }
    // Names in the configuration are absolute, and a folder that somebody stands in cannot be unmounted.
    let _ = chdir("/");
    if confine::confine(&names.folders(), || names.readable()).is_err() {
        // Rights that are not needed are not kept. The other side sees it go.
        std::process::exit(1);
    }
    engine::keep_tls_files(&names, its);
    std::process::exit(0)
}
