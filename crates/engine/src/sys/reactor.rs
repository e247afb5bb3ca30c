//! What the reactor watches that is none of its own types.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::task::{Context, Poll, ready};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A descriptor that the reactor of this thread watches until it is dropped.
pub(crate) struct Watched(AsyncFd<OwnedFd>);

impl Watched {
    /// Has the reactor watch a descriptor that does not block, for something to be taken from it.
    ///
    /// # Errors
    /// The system cannot watch it.
    pub(crate) fn new(descriptor: OwnedFd) -> io::Result<Watched> {
        // SAFETY: an `OwnedFd` is open for as long as it lives, and its number stays the same, since nobody can reach it
        // to put another in its place. What owns it takes it out of the reactor before it drops it.
        let watched = unsafe { AsyncFd::register_with_interest(descriptor, Interest::READABLE) };
        Ok(Watched(watched?))
    }

    /// Takes what is there with a call that does not block.
    pub(crate) fn poll_take<T>(
        &self,
        cx: &mut Context<'_>,
        mut take: impl FnMut(BorrowedFd<'_>) -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        loop {
            let mut there = ready!(self.0.poll_read_ready(cx))?;
            // An error within says that nothing is there any more.
            if let Ok(taken) = there.try_io(|descriptor| take(descriptor.get_ref().as_fd())) {
                return Poll::Ready(taken);
            }
        }
    }
}
