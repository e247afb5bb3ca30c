//! What the reactor watches that is none of its own types.

use std::io;
use std::os::fd::OwnedFd;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Has the reactor of this thread watch a descriptor that does not block; it ends when what is returned is dropped.
///
/// # Errors
/// The system cannot watch it.
pub(crate) fn watch(descriptor: OwnedFd, interest: Interest) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` is open for as long as it lives, and its number never changes; it is moved into what is
    // returned, which takes it out of the reactor before it drops it.
    let watched = unsafe { AsyncFd::register_with_interest(descriptor, interest) };
    watched.map_err(Into::into)
}
