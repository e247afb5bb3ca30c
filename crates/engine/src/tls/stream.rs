//! A connection after its handshake: bytes through rustls, in both directions.
//!
//! Ciphertext is read into a buffer that all connections of a worker share, so that a connection which idles holds
//! nothing but its keys and what rustls keeps. What is written is encrypted at once, into records that go out with one
//! system call; what the socket does not take waits in rustls, and no more is taken until it has gone.

use std::cell::{Cell, RefCell};
use std::io::{self, BufRead, IoSlice, Write};
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use rustls::{Connection, ProtocolVersion};
use tokio::io::ReadBuf;

use crate::limits;
use crate::stream::Stream;

/// Where the connections of a worker read ciphertext into, one at a time.
#[derive(Clone)]
pub(crate) struct Scratch(Rc<RefCell<Box<[u8]>>>);

impl Default for Scratch {
    fn default() -> Self {
        Scratch(Rc::new(RefCell::new(vec![0; limits::TLS_READ_BYTES].into_boxed_slice())))
    }
}

impl Scratch {
    /// Lends it.
    pub(super) fn with<R>(&self, use_it: impl FnOnce(&mut [u8]) -> R) -> R {
        use_it(&mut self.0.borrow_mut())
    }
}

/// The longest plaintext of a record (RFC 8446 section 5.1), and what rustls keeps ready at most.
pub(super) const RECORD: usize = 16 * 1024;

/// A stream within TLS.
pub(crate) struct TlsStream {
    inner: Stream,
    tls: Connection,
    scratch: Scratch,
    /// Plaintext that rustls has ready.
    ready: usize,
    /// The peer has ended its side, with a close_notify or, where that is enough, without.
    ended: bool,
    /// We have ended ours, or must not seem to.
    silent: Cell<bool>,
    /// Something was read since something was last written.
    heard: bool,
    /// About how much of what was encrypted the socket has not taken.
    unsent: usize,
    /// Nothing but session tickets waits to be sent.
    tickets_wait: bool,
    debt: Debt,
}

/// Whether the peer may be waiting for an acknowledgement of records that nobody above answers, since there is no plaintext
/// in them: those of a handshake, session tickets. See [`Stream::acknowledge`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Debt {
    /// Nothing was read since something was last written, or what was read goes to those who answer it.
    None,
    /// There was no plaintext in what was read last.
    Open,
    /// It is acknowledged, and so is what comes until something is written.
    Paid,
}

impl std::fmt::Debug for TlsStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsStream").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl TlsStream {
    /// A stream whose handshake may be under way.
    pub(super) fn new(inner: Stream, mut tls: Connection, scratch: Scratch) -> TlsStream {
        tls.set_buffer_limit(Some(limits::TLS_WRITE_BYTES));
        TlsStream {
            inner,
            tls,
            scratch,
            ready: 0,
            ended: false,
            silent: Cell::new(false),
            heard: false,
            unsent: 0,
            tickets_wait: false,
            debt: Debt::None,
        }
    }

    /// A stream whose handshake was made elsewhere: with so much plaintext ready, and whether the peer has ended already.
    pub(super) fn resume(
        inner: Stream,
        tls: Connection,
        scratch: Scratch,
        ready: usize,
        ended: bool,
    ) -> TlsStream {
        let mut stream = TlsStream::new(inner, tls, scratch);
        (stream.ready, stream.ended) = (ready, ended);
        stream.debt = if ready == 0 { Debt::Open } else { Debt::None };
        stream
    }

    /// The state of TLS.
    pub(super) fn tls(&self) -> &Connection {
        &self.tls
    }

    /// Reads plaintext into the spare room of `buffer`; 0 means that the peer has ended its side.
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut Vec<u8>,
    ) -> Poll<io::Result<usize>> {
        let before = buffer.len();
        loop {
            self.take_plaintext(buffer)?;
            if buffer.len() > before || self.ended {
                return Poll::Ready(Ok(buffer.len() - before));
            }
            ready!(self.poll_ciphertext(cx, Some(buffer)))?;
        }
    }

    /// Reads ciphertext once and lets rustls work on it. Plaintext goes into the spare room of `buffer`, and waits where
    /// that is used up: hardly more ciphertext is read than there is room, so what waits is little more than one record.
    fn poll_ciphertext(
        &mut self,
        cx: &mut Context<'_>,
        buffer: Option<&mut Vec<u8>>,
    ) -> Poll<io::Result<()>> {
        // What a server has to say when its handshake ends are tickets, or what `poll_handshake` sends.
        let ending = self.tls.is_handshaking() && matches!(self.tls, Connection::Server(_));
        let scratch = self.scratch.clone();
        let mut scratch = scratch.0.borrow_mut();
        let room = buffer.as_ref().map_or(RECORD, |buffer| buffer.capacity() - buffer.len());
        // Not only as much as there is room: whoever leaves us room for one byte would get a system call for each.
        let len = scratch.len().min(room.max(limits::TLS_READ_LEAST));
        let mut read = ReadBuf::new(&mut scratch[..len]);
        if self.inner.poll_read_into(cx, &mut read)?.is_pending() {
            self.pay();
            return Poll::Pending;
        }
        if read.filled().is_empty() {
            // Whoever answers a request can do without a farewell, since every request tells its length. An answer may
            // last until the end of its connection, and then only a farewell tells it from one that was cut short
            // (RFC 9112 section 9.8); one that has not begun is not cut short.
            let done = matches!(self.tls, Connection::Server(_)) || !self.heard;
            self.ended = done && !self.tls.is_handshaking();
            return Poll::Ready(match self.ended {
                true => Ok(()),
                false => Err(io::ErrorKind::UnexpectedEof.into()),
            });
        }
        self.work(read.filled(), buffer)?;
        // An answer to a request for new keys; if it has to wait, it goes with what is written next.
        if self.tls.wants_write() && !self.tls.is_handshaking() && !self.tickets_wait && !ending {
            // With the waker of this task and no other: whoever writes may be waiting for the same socket.
            let _ = self.poll_flush(cx)?;
        }
        Poll::Ready(Ok(()))
    }

    /// Lets rustls work on ciphertext that was read before this was a connection.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.work(bytes, None)
    }

    fn work(&mut self, mut rest: &[u8], mut buffer: Option<&mut Vec<u8>>) -> io::Result<()> {
        let mut silent = true;
        while !rest.is_empty() {
            if self.tls.read_tls(&mut rest)? == 0 {
                break;
            }
            match self.tls.process_new_packets() {
                Ok(state) => {
                    self.ready = state.plaintext_bytes_to_read();
                    silent &= self.ready == 0;
                    self.ended = state.peer_has_closed();
                }
                Err(error) => {
                    self.silent.set(true);
                    // The peer should hear what was wrong; whether it does changes nothing.
                    let _ = self.poll_flush(&mut Context::from_waker(Waker::noop()));
                    return Err(io::Error::new(io::ErrorKind::InvalidData, error));
                }
            }
            if let Some(buffer) = buffer.as_deref_mut() {
                self.take_plaintext(buffer)?;
            }
        }
        if self.debt != Debt::Paid {
            self.debt = if silent { Debt::Open } else { Debt::None };
        }
        Ok(())
    }

    /// Acknowledges what nobody answers, before more is waited for: once for each time that something is written, so that
    /// a long record which comes in pieces costs no call for each.
    fn pay(&mut self) {
        if self.debt == Debt::Open {
            self.debt = Debt::Paid;
            self.inner.acknowledge();
        }
    }

    /// See [`Stream::acknowledge`].
    pub(crate) fn acknowledge(&self) {
        self.inner.acknowledge();
    }

    /// Moves plaintext that is ready into the spare room of `buffer`.
    fn take_plaintext(&mut self, buffer: &mut Vec<u8>) -> io::Result<()> {
        while self.ready > 0 && buffer.len() < buffer.capacity() {
            let mut reader = self.tls.reader();
            let chunk = reader.fill_buf()?;
            let taken = chunk.len().min(buffer.capacity() - buffer.len());
            buffer.extend_from_slice(&chunk[..taken]);
            reader.consume(taken);
            self.ready -= taken;
            self.heard = true;
        }
        Ok(())
    }

    /// Drives the handshake by one step: sends what is to be sent, reads once. Ready with `true` when it is done.
    pub(super) fn poll_handshake(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let done = !self.tls.is_handshaking();
        if done && self.tls.protocol_version() == Some(ProtocolVersion::TLSv1_3) {
            // What is left to send are tickets, and they can go with the first answer.
            self.tickets_wait = self.tls.wants_write();
            self.pay();
            return Poll::Ready(Ok(true));
        }
        ready!(self.poll_flush(cx))?;
        if done {
            // In an abbreviated handshake of TLS 1.2 the client has the last word.
            self.pay();
            return Poll::Ready(Ok(true));
        }
        ready!(self.poll_ciphertext(cx, None))?;
        Poll::Ready(Ok(false))
    }

    /// Encrypts some of `slices` and sends it. What was taken counts as written.
    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if !std::mem::take(&mut self.tickets_wait) {
            ready!(self.poll_flush(cx))?;
        }
        let written = self.tls.writer().write_vectored(slices)?;
        self.unsent += written;
        self.heard = false;
        match self.poll_flush(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            _ => Poll::Ready(Ok(written)),
        }
    }

    /// Sends what was encrypted and not sent.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.tls.wants_write() {
            let mut socket = Socket { stream: &mut self.inner, cx };
            match self.tls.write_tls(&mut socket) {
                Ok(sent) => {
                    self.unsent = self.unsent.saturating_sub(sent);
                    self.debt = Debt::None;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Poll::Pending,
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        self.unsent = 0;
        Poll::Ready(Ok(()))
    }

    /// Bytes that were written and that the peer's system has not taken yet; see [`Stream::queued`].
    pub(crate) fn queued(&self) -> u64 {
        self.inner.queued() + self.unsent as u64
    }

    /// Waits until there may be something to read.
    pub(crate) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.ready > 0 || self.ended {
            return Poll::Ready(Ok(()));
        }
        // The handshake has made it the reactor's.
        self.inner.poll_registered(cx)
    }

    /// Whether nothing has arrived since the last read; see [`Stream::is_quiet`].
    pub(crate) fn is_quiet(&self) -> bool {
        self.ready == 0 && !self.ended && self.inner.is_quiet()
    }

    /// Whether nothing has arrived, as the kernel says now.
    pub(crate) fn is_quiet_now(&self) -> bool {
        self.ready == 0 && !self.ended && self.inner.is_quiet_now()
    }

    /// Ends our side, with a farewell if the socket takes it at once.
    pub(crate) fn end(&mut self) -> io::Result<()> {
        self.say_farewell();
        self.inner.end()
    }

    /// Makes the coming close a reset, without a farewell that would make it look whole.
    pub(crate) fn reset_on_close(&self) {
        self.silent.set(true);
        self.inner.reset_on_close();
    }

    fn say_farewell(&mut self) {
        if !self.silent.replace(true) {
            self.tls.send_close_notify();
            // A socket that is full, or broken, has nobody behind it who waits for this.
            let _ = self.poll_flush(&mut Context::from_waker(Waker::noop()));
        }
    }
}

impl Drop for TlsStream {
    fn drop(&mut self) {
        // Without it a careful client would take an answer that ends with the connection for one that was cut short.
        if !self.tls.is_handshaking() {
            self.say_farewell();
        }
    }
}

/// Sends what rustls has ready.
pub(super) fn flush(tls: &mut Connection, stream: &mut Stream, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
    while tls.wants_write() {
        match tls.write_tls(&mut Socket { stream, cx }) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Poll::Pending,
            Err(error) => return Poll::Ready(Err(error)),
        }
    }
    Poll::Ready(Ok(()))
}

/// The socket as rustls writes to it.
struct Socket<'a, 'b> {
    stream: &'a mut Stream,
    cx: &'a mut Context<'b>,
}

impl Write for Socket<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self.stream.poll_write(self.cx, slices) {
            Poll::Ready(written) => written,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
