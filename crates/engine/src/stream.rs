//! A byte stream to a client or a back-end, whatever carries it.

use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use rustix::net::sockopt::set_tcp_quickack;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, Interest, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

use crate::fresh::Fresh;
use crate::pipe::Pipe;
use crate::sys;
use crate::tls::TlsStream;

/// A connected stream.
#[derive(Debug)]
pub(crate) enum Stream {
    /// A client's that has just come. It becomes a `Tcp` when it has to be waited for.
    Fresh(Fresh),
    Tcp(TcpStream),
    Unix(UnixStream),
    /// One of the others within TLS.
    Tls(Box<TlsStream>),
}

impl Stream {
    /// Reads what is there into the spare room of `buffer`, which must have some; 0 means that the peer has ended its
    /// side.
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut Vec<u8>,
    ) -> Poll<io::Result<usize>> {
        if let Stream::Fresh(fresh) = self {
            match fresh.read(buffer) {
                Some(read) => return Poll::Ready(read),
                None => self.register()?,
            }
        }
        // `read_buf` keeps no state between polls, so making the future anew each time is free, and it is the safe way
        // to read into room that was never written. It also spares the read that would only say "would block": a short
        // read has emptied an edge-triggered socket.
        match self {
            Stream::Tcp(stream) => pin!(stream.read_buf(buffer)).poll(cx),
            Stream::Unix(stream) => pin!(stream.read_buf(buffer)).poll(cx),
            Stream::Tls(stream) => stream.poll_read(cx, buffer),
            Stream::Fresh(_) => Poll::Ready(Err(unregistered())),
        }
    }

    /// Hands the socket to the reactor, if that has not been done.
    ///
    /// # Errors
    /// The system cannot watch it; it is closed.
    fn register(&mut self) -> io::Result<()> {
        if let Stream::Fresh(fresh) = self {
            *self = Stream::Tcp(fresh.register()?);
        }
        Ok(())
    }

    /// Whether the reactor does not know the socket yet, so that nothing wakes the task which waits for it.
    pub(crate) fn is_fresh(&self) -> bool {
        matches!(self, Stream::Fresh(_))
    }

    /// Reads what is there into `buffer`; for TLS, which stands on one of the others.
    pub(crate) fn poll_read_into(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.register()?;
        match self {
            Stream::Tcp(stream) => Pin::new(stream).poll_read(cx, buffer),
            Stream::Unix(stream) => Pin::new(stream).poll_read(cx, buffer),
            Stream::Tls(_) | Stream::Fresh(_) => Poll::Ready(Err(unregistered())),
        }
    }

    /// Writes some of `slices`, in order.
    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let Stream::Fresh(fresh) = self {
            match fresh.write(slices) {
                Some(written) => return Poll::Ready(written),
                None => self.register()?,
            }
        }
        match (self, slices) {
            // One slice is the common case, and write(2) costs less than writev(2).
            (Stream::Tcp(stream), [slice]) => Pin::new(stream).poll_write(cx, slice),
            (Stream::Tcp(stream), _) => Pin::new(stream).poll_write_vectored(cx, slices),
            (Stream::Unix(stream), _) => Pin::new(stream).poll_write_vectored(cx, slices),
            (Stream::Tls(stream), _) => stream.poll_write(cx, slices),
            (Stream::Fresh(_), _) => Poll::Ready(Err(unregistered())),
        }
    }

    /// Sends what was taken by [`Stream::poll_write`] and kept back. Only TLS keeps anything back: what it has encrypted
    /// cannot be taken back, so it counts as written before the socket has it.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Stream::Tcp(_) | Stream::Unix(_) | Stream::Fresh(_) => Poll::Ready(Ok(())),
            Stream::Tls(stream) => stream.poll_flush(cx),
        }
    }

    /// Whether bytes can go from socket to socket past this process: what is encrypted has to come through it.
    pub(crate) fn can_splice(&self) -> bool {
        matches!(self, Stream::Tcp(_) | Stream::Unix(_) | Stream::Fresh(_))
    }

    /// Moves at most `most` bytes into an empty pipe; 0 means that the peer has ended its side.
    pub(crate) fn poll_splice_into(
        &mut self,
        cx: &mut Context<'_>,
        pipe: &mut Pipe,
        most: usize,
    ) -> Poll<io::Result<usize>> {
        self.register()?;
        loop {
            let moved = match &*self {
                Stream::Tcp(stream) => {
                    ready!(stream.poll_read_ready(cx))?;
                    stream.try_io(Interest::READABLE, || pipe.fill(stream, most))
                }
                Stream::Unix(stream) => {
                    ready!(stream.poll_read_ready(cx))?;
                    stream.try_io(Interest::READABLE, || pipe.fill(stream, most))
                }
                Stream::Tls(_) | Stream::Fresh(_) => return Poll::Ready(Err(unregistered())),
            };
            match moved {
                // Now the reactor knows, and wakes the task when there is more.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                moved => return Poll::Ready(moved),
            }
        }
    }

    /// Lets the reactor know if nothing is there to read; one system call. A read that takes less than it could does so by
    /// itself, a splice does not.
    pub(crate) fn settle(&self) {
        let mut byte = [MaybeUninit::<u8>::uninit()];
        // What is there stays there, and is found by whoever reads next.
        let _ = match self {
            Stream::Tcp(stream) => {
                stream.try_io(Interest::READABLE, || SockRef::from(stream).peek(&mut byte))
            }
            Stream::Unix(stream) => {
                stream.try_io(Interest::READABLE, || SockRef::from(stream).peek(&mut byte))
            }
            Stream::Tls(_) | Stream::Fresh(_) => return,
        };
    }

    /// Moves what is in a pipe, or some of it, to the peer.
    pub(crate) fn poll_splice_from(
        &mut self,
        cx: &mut Context<'_>,
        pipe: &mut Pipe,
    ) -> Poll<io::Result<usize>> {
        self.register()?;
        loop {
            let moved = match &*self {
                Stream::Tcp(stream) => {
                    ready!(stream.poll_write_ready(cx))?;
                    stream.try_io(Interest::WRITABLE, || pipe.empty(stream))
                }
                Stream::Unix(stream) => {
                    ready!(stream.poll_write_ready(cx))?;
                    stream.try_io(Interest::WRITABLE, || pipe.empty(stream))
                }
                Stream::Tls(_) | Stream::Fresh(_) => return Poll::Ready(Err(unregistered())),
            };
            match moved {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                moved => return Poll::Ready(moved),
            }
        }
    }

    /// Waits until there is something to read, or the peer has closed.
    pub(crate) fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Not even a look before that: a look takes the reset with it that a read would have met.
        self.register()?;
        self.poll_registered(cx)
    }

    /// The same of a stream that is the reactor's already.
    pub(crate) fn poll_registered(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Stream::Tcp(stream) => stream.poll_read_ready(cx),
            Stream::Unix(stream) => stream.poll_read_ready(cx),
            Stream::Tls(stream) => stream.poll_readable(cx),
            Stream::Fresh(_) => Poll::Ready(Err(unregistered())),
        }
    }

    /// Whether nothing has arrived since the last read, as far as the reactor knows; costs no system call. A stream that
    /// the reactor does not know is never quiet.
    pub(crate) fn is_quiet(&self) -> bool {
        if let Stream::Tls(stream) = self {
            return stream.is_quiet();
        }
        // Outside of the task's budget: a task that has used it up is told "pending" whatever the socket holds, and a
        // client that pipelines enough requests could choose that moment.
        let look = tokio::task::unconstrained(poll_fn(|cx| self.poll_registered(cx)));
        pin!(look).poll(&mut Context::from_waker(Waker::noop())).is_pending()
    }

    /// Whether a close would throw bytes away that have arrived, which the peer is told by a reset: as far as the reactor
    /// knows, and else as the kernel says now, by one system call. In doubt it would.
    pub(crate) fn has_unread(&self) -> bool {
        match self {
            Stream::Fresh(fresh) => fresh.has_unread(),
            Stream::Tcp(_) | Stream::Unix(_) | Stream::Tls(_) => !self.is_quiet(),
        }
    }

    /// Whether nothing has arrived and the peer has not closed, as the kernel says now; one system call.
    pub(crate) fn is_quiet_now(&self) -> bool {
        let mut byte = [MaybeUninit::<u8>::uninit()];
        let peeked = match self {
            Stream::Tcp(stream) => SockRef::from(stream).peek(&mut byte),
            Stream::Unix(stream) => SockRef::from(stream).peek(&mut byte),
            Stream::Tls(stream) => return stream.is_quiet_now(),
            // Nobody asks this of one who has just come.
            Stream::Fresh(_) => return false,
        };
        matches!(peeked, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Bytes that were written and that the peer's system has not taken yet; one system call.
    pub(crate) fn queued(&self) -> u64 {
        sys::queued(match self {
            Stream::Tcp(stream) => stream.as_fd(),
            Stream::Unix(stream) => stream.as_fd(),
            Stream::Tls(stream) => return stream.queued(),
            Stream::Fresh(fresh) => match fresh.socket() {
                Ok(socket) => socket.as_fd(),
                Err(_) => return 0,
            },
        })
    }

    /// Acknowledges what has arrived now, and what arrives until something is written; one system call.
    ///
    /// The kernel holds an acknowledgement back for 40 ms where it expects an answer to carry it (RFC 1122 section
    /// 4.2.3.2), and a peer that has left Nagle's algorithm on (RFC 1122 section 4.2.3.4) holds its next write back until it
    /// comes. So it is for those who have read something and must have more before they write.
    pub(crate) fn acknowledge(&self) {
        // A failure leaves things as they were: slow for such a peer.
        let _ = match self {
            Stream::Tcp(stream) => set_tcp_quickack(stream, true),
            Stream::Fresh(fresh) => match fresh.socket() {
                Ok(socket) => set_tcp_quickack(socket, true),
                Err(_) => return,
            },
            Stream::Unix(_) => return,
            Stream::Tls(stream) => return stream.acknowledge(),
        };
    }

    /// Whether a peer that has ended its side is gone, and does not wait for what we have to say. Over TCP nothing tells:
    /// `half_close` is whether it may wait. Within TLS nobody ends one side alone who means to go on. Where a Unix socket
    /// was closed and not only its one side, it takes nothing more; one system call.
    pub(crate) fn is_gone(&self, half_close: bool) -> bool {
        match self {
            Stream::Tls(_) => true,
            Stream::Unix(stream) => !half_close || SockRef::from(stream).send(&[]).is_err(),
            Stream::Tcp(_) | Stream::Fresh(_) => !half_close,
        }
    }

    /// Ends our side; the peer may go on sending.
    pub(crate) fn end(&mut self) -> io::Result<()> {
        match self {
            Stream::Tcp(stream) => SockRef::from(&*stream).shutdown(std::net::Shutdown::Write),
            Stream::Unix(stream) => SockRef::from(&*stream).shutdown(std::net::Shutdown::Write),
            Stream::Tls(stream) => stream.end(),
            Stream::Fresh(fresh) => fresh.socket()?.shutdown(std::net::Shutdown::Write),
        }
    }

    /// Makes the coming close a reset: the peer must not take what it has for a whole message (a body that ends with
    /// the connection has no other sign).
    pub(crate) fn reset_on_close(&self) {
        // A failure leaves an orderly close, and there is nobody to tell.
        let _ = match self {
            Stream::Tcp(stream) => SockRef::from(stream).set_linger(Some(Duration::ZERO)),
            Stream::Fresh(fresh) => {
                fresh.socket().and_then(|socket| SockRef::from(socket).set_linger(Some(Duration::ZERO)))
            }
            Stream::Unix(_) => return,
            Stream::Tls(stream) => return stream.reset_on_close(),
        };
    }
}

/// What is asked of a stream that is not, or no longer, the reactor's; nobody asks it.
fn unregistered() -> io::Error {
    io::ErrorKind::Unsupported.into()
}
