//! A client's socket that the reactor does not know yet.
//!
//! Who connects has mostly sent the request when we take the connection, and who wants one answer on each is gone when
//! the reactor would be of use for the first time. So a new socket is read and written as it is, and becomes the reactor's
//! when it would block, or has lived so long that its breaking must be noticed: two system calls less for each client
//! that has one request, and one more for a client that is slow to send its first.

use std::fmt;
use std::io::{self, IoSlice, Write};
use std::mem::MaybeUninit;
use std::net::TcpStream;

use rustix::buffer::spare_capacity;
use rustix::net::{RecvFlags, recv};
use socket2::SockRef;

use crate::limits;

/// A TCP connection, not blocking, of which the reactor knows nothing.
#[derive(Debug)]
pub(crate) struct Fresh {
    /// `None` after the reactor has refused it.
    socket: Option<TcpStream>,
    /// How often it may still be read and written: the reactor is also what makes one busy client wait for others.
    left: u8,
}

impl Fresh {
    /// A socket that was just accepted and does not block.
    pub(crate) fn new(socket: TcpStream) -> Fresh {
        Fresh { socket: Some(socket), left: limits::FRESH_CALLS }
    }

    /// The socket.
    ///
    /// # Errors
    /// The reactor has refused it (`NotConnected`).
    pub(crate) fn socket(&self) -> io::Result<&TcpStream> {
        self.socket.as_ref().ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// Reads what is there into the spare room of `buffer`; `None` if the reactor has to take over.
    pub(crate) fn read(&mut self, buffer: &mut Vec<u8>) -> Option<io::Result<usize>> {
        self.attempt(|socket| Ok(recv(socket, spare_capacity(buffer), RecvFlags::empty())?.0))
    }

    /// Writes some of `slices`; `None` if the reactor has to take over.
    pub(crate) fn write(&mut self, slices: &[IoSlice<'_>]) -> Option<io::Result<usize>> {
        self.attempt(|mut socket| match slices {
            [slice] => socket.write(slice),
            slices => socket.write_vectored(slices),
        })
    }

    /// Whether bytes have arrived that were not read; in doubt they have. An end is none. To be asked before a close alone:
    /// it takes a reset with it that a read would have met.
    pub(crate) fn has_unread(&self) -> bool {
        let mut byte = [MaybeUninit::uninit()];
        match self.socket().and_then(|socket| SockRef::from(socket).peek(&mut byte)) {
            Ok(peeked) => peeked > 0,
            Err(error) => error.kind() != io::ErrorKind::WouldBlock,
        }
    }

    fn attempt(&mut self, call: impl FnOnce(&TcpStream) -> io::Result<usize>) -> Option<io::Result<usize>> {
        self.left = self.left.checked_sub(1)?;
        match call(self.socket.as_ref()?) {
            // An interrupted call is made again by the reactor's own.
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                None
            }
            done => Some(done),
        }
    }

    /// Hands the socket to the reactor.
    ///
    /// # Errors
    /// The system cannot watch it, which [`is_unwatched`] tells from errors of the connection; it is closed.
    pub(crate) fn register(&mut self) -> io::Result<tokio::net::TcpStream> {
        let socket = self.socket.take().ok_or(io::ErrorKind::NotConnected)?;
        tokio::net::TcpStream::from_std(socket).map_err(|error| io::Error::other(Unwatched(error)))
    }
}

/// The system could not watch a socket: its fault and not the client's.
#[derive(Debug)]
struct Unwatched(io::Error);

impl fmt::Display for Unwatched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the system cannot watch the connection: {} (see fs.epoll.max_user_watches)", self.0)
    }
}

impl std::error::Error for Unwatched {}

/// Whether a stream failed because the system cannot watch one more.
pub(crate) fn is_unwatched(error: &io::Error) -> bool {
    matches!(error.get_ref(), Some(inner) if inner.is::<Unwatched>())
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::TcpListener;
    use std::os::fd::OwnedFd;
    use std::os::unix::fs::OpenOptionsExt;

    use super::*;

    fn pair() -> (Fresh, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let far = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (near, _) = listener.accept().unwrap();
        near.set_nonblocking(true).unwrap();
        (Fresh::new(near), far)
    }

    #[test]
    fn what_would_block_is_the_reactors() {
        let (mut near, mut far) = pair();
        let mut buffer = Vec::with_capacity(64);
        assert!(near.read(&mut buffer).is_none());
        near.write(&[IoSlice::new(b"an"), IoSlice::new(b"swer")]).unwrap().unwrap();
        let mut answer = [0; 6];
        far.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"answer");
        assert!(!near.has_unread());
        far.write_all(b"request").unwrap();
        // Loopback delivers within the call that writes.
        assert!(near.has_unread());
        assert_eq!(near.read(&mut buffer).unwrap().unwrap(), 7);
        assert_eq!(buffer, b"request");
        drop(far);
        assert!(!near.has_unread(), "an end is nothing to read");
        assert_eq!(near.read(&mut buffer).unwrap().unwrap(), 0);
    }

    #[test]
    fn what_the_system_does_not_watch_is_not_the_clients_fault() {
        let (mut near, _far) = pair();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
        // What is always ready cannot be watched.
        let file =
            std::fs::File::options().read(true).custom_flags(libc::O_NONBLOCK).open("/dev/null").unwrap();
        let error = runtime.block_on(async {
            near.socket = Some(TcpStream::from(OwnedFd::from(file)));
            near.register().unwrap_err()
        });
        assert!(is_unwatched(&error), "{error}");
        assert!(error.to_string().contains("max_user_watches"));
        let mut buffer = Vec::with_capacity(1);
        assert!(near.read(&mut buffer).is_none());
        assert!(!is_unwatched(&runtime.block_on(async { near.register().unwrap_err() })));
    }

    #[test]
    fn a_busy_client_becomes_the_reactors() {
        let (mut near, _far) = pair();
        let calls = (0..1000).take_while(|_| near.write(&[IoSlice::new(b"x")]).is_some()).count();
        assert_eq!(calls, usize::from(limits::FRESH_CALLS));
    }
}
