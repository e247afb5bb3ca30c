//! Pipes through which long bodies go from socket to socket without being copied into this process (splice(2)).
//!
//! A pipe belongs to one body while that is moved, and holds some of its bytes meanwhile. Only an empty one is kept for
//! the next body: what is left in a pipe of a body that came to no end must reach nobody.

use std::cell::{Cell, RefCell};
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice};

use crate::limits;
use crate::quota::{Quota, Share};

/// A pipe, and how many bytes are in it.
#[derive(Debug)]
pub(crate) struct Pipe {
    into: OwnedFd,
    out: OwnedFd,
    held: usize,
    _share: Share,
}

impl Pipe {
    /// How many bytes are in it.
    pub(crate) fn held(&self) -> usize {
        self.held
    }

    /// Takes at most `most` bytes from a socket into the pipe, which must be empty; 0 means that the peer has ended its
    /// side.
    ///
    /// # Errors
    /// `WouldBlock` if nothing is there; else the socket is broken.
    pub(crate) fn fill(&mut self, from: impl AsFd, most: usize) -> io::Result<usize> {
        // A full pipe would block too, and nothing that the socket does would ever end that.
        debug_assert_eq!(self.held, 0);
        let moved = splice(from, None, &self.into, None, most.min(limits::PIPE_BYTES), FLAGS)?;
        self.held += moved;
        Ok(moved)
    }

    /// Gives what is in the pipe, or some of it, to a socket.
    ///
    /// # Errors
    /// `WouldBlock` if it takes nothing now; else it is broken.
    pub(crate) fn empty(&mut self, to: impl AsFd) -> io::Result<usize> {
        let moved = splice(&self.out, None, to, None, self.held, FLAGS)?;
        self.held = self.held.saturating_sub(moved);
        Ok(moved)
    }
}

/// Whether the system does not do this at all with such a socket, or may not: the stream is as good as before.
pub(crate) fn is_refused(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EINVAL | libc::ENOSYS | libc::EPERM))
}

const FLAGS: SpliceFlags = SpliceFlags::MOVE.union(SpliceFlags::NONBLOCK);

/// The pipes of one worker.
pub(crate) struct Pipes {
    spare: RefCell<Vec<Pipe>>,
    /// All there are, those in use and the spare ones.
    all: Quota,
    /// The system would not have it, or not at a size that pays; not asked again until the next sweep.
    refused: Cell<bool>,
}

impl Default for Pipes {
    fn default() -> Self {
        Pipes { spare: RefCell::default(), all: Quota::new(limits::PIPES), refused: Cell::new(false) }
    }
}

impl Pipes {
    /// An empty pipe; `None` if too many are in use or the system has none left. The body is then copied.
    pub(crate) fn take(&self) -> Option<Pipe> {
        if self.refused.get() {
            return None;
        }
        if let Some(pipe) = self.spare.borrow_mut().pop() {
            return Some(pipe);
        }
        let share = self.all.take()?;
        // Where the user's share of pipe memory (`pipe-user-pages-soft`, pipe(7)) is used up, a new pipe holds two pieces
        // of a few KB, and copying costs less than that.
        let made = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)
            .and_then(|(out, into)| fcntl_setpipe_size(&into, limits::PIPE_BYTES).map(|_| (out, into)));
        let Ok((out, into)) = made else {
            self.refuse();
            return None;
        };
        Some(Pipe { into, out, held: 0, _share: share })
    }

    /// Hands out no more for now; bodies are copied.
    pub(crate) fn refuse(&self) {
        self.refused.set(true);
    }

    /// Closes the spare ones: descriptors are for who needs them.
    pub(crate) fn sweep(&self) {
        self.spare.borrow_mut().clear();
        self.refused.set(false);
    }

    /// Keeps a pipe for the next body if it is empty and there are not enough.
    pub(crate) fn keep(&self, pipe: Pipe) {
        let mut spare = self.spare.borrow_mut();
        if pipe.held == 0 && spare.len() < limits::PIPES_KEPT {
            spare.push(pipe);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn a_pipe_that_still_holds_bytes_serves_nobody_else() {
        let pipes = Pipes::default();
        let mut pipe = pipes.take().unwrap();
        let (mut near, far) = UnixStream::pair().unwrap();
        near.write_all(b"secret").unwrap();
        assert_eq!(pipe.fill(&far, 100).unwrap(), 6);
        pipes.keep(pipe);
        assert_eq!(pipes.all.used(), 0, "it is closed");
        let mut pipe = pipes.take().unwrap();
        near.write_all(b"public").unwrap();
        assert_eq!(pipe.fill(&far, 4).unwrap(), 4);
        let (mut reader, writer) = UnixStream::pair().unwrap();
        assert_eq!(pipe.empty(&writer).unwrap(), 4);
        let mut bytes = [0; 4];
        reader.read_exact(&mut bytes).unwrap();
        assert_eq!(&bytes, b"publ");
        pipes.keep(pipe);
        assert_eq!(pipes.spare.borrow().len(), 1);
    }

    #[test]
    fn pipes_have_a_bound_and_come_back_however_a_body_ends() {
        let pipes = Pipes::default();
        let held: Vec<Pipe> = std::iter::from_fn(|| pipes.take()).collect();
        assert_eq!(held.len(), limits::PIPES);
        drop(held);
        let spare = pipes.take().unwrap();
        pipes.keep(spare);
        pipes.refuse();
        assert!(pipes.take().is_none());
        pipes.sweep();
        assert!(pipes.take().is_some());
    }
}
