//! One connection of the origin: read, answer, send the rest when the socket takes it.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::event::epoll::EventFlags;

use crate::answer::{self, FILLER};
use crate::request::{self, Body, Chunks};

/// The longest head, in bytes.
const HEAD_MAX: usize = 16 * 1024;

/// How much of a request body is taken per read, in bytes.
const SINK: usize = 256 * 1024;

thread_local! {
    /// Where all connections read into, one at a time: a request that comes whole is never copied.
    static SCRATCH: std::cell::RefCell<Vec<u8>> = std::cell::RefCell::new(vec![0; SINK]);
}

/// What becomes of a connection after an event.
pub(crate) enum Fate {
    Keep,
    /// Wait for something else than before.
    Watch(EventFlags),
    Close,
}

/// Where in a request the connection stands.
enum Phase {
    Head,
    Length { left: u64, received: u64 },
    Chunked { chunks: Chunks, received: u64 },
}

/// A client of the origin.
pub(crate) struct Connection {
    stream: TcpStream,
    phase: Phase,
    /// The start of a head that has not come whole.
    partial: Vec<u8>,
    /// The target of the request whose body is being read.
    target: Vec<u8>,
    close: bool,
    out: Vec<u8>,
    sent: usize,
    /// Filler bytes still to be sent after `out`.
    filler: u64,
    watches_writes: bool,
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

impl Connection {
    pub(crate) fn new(stream: TcpStream) -> std::io::Result<Self> {
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        Ok(Connection {
            stream,
            phase: Phase::Head,
            partial: Vec::new(),
            target: Vec::new(),
            close: false,
            out: Vec::new(),
            sent: 0,
            filler: 0,
            watches_writes: false,
        })
    }

    /// Does what the socket is ready for.
    pub(crate) fn ready(&mut self, flags: EventFlags) -> Fate {
        if flags.intersects(EventFlags::OUT) && self.watches_writes {
            return match self.flush() {
                Ok(true) if self.close => Fate::Close,
                Ok(true) => {
                    self.watches_writes = false;
                    Fate::Watch(EventFlags::IN)
                }
                Ok(false) => Fate::Keep,
                Err(_) => Fate::Close,
            };
        }
        SCRATCH.with_borrow_mut(|scratch| match self.stream.read(scratch) {
            Ok(0) => Fate::Close,
            Ok(read) => self.take(&scratch[..read]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Fate::Keep,
            Err(_) => Fate::Close,
        })
    }

    /// Reads requests from `bytes` and answers them.
    fn take(&mut self, bytes: &[u8]) -> Fate {
        if self.partial.is_empty() {
            let used = self.consume(bytes);
            if used < bytes.len() {
                self.partial.extend_from_slice(&bytes[used..]);
            }
        } else {
            let mut whole = std::mem::take(&mut self.partial);
            whole.extend_from_slice(bytes);
            let used = self.consume(&whole);
            whole.drain(..used);
            self.partial = whole;
        }
        if self.partial.len() > HEAD_MAX {
            return Fate::Close;
        }
        match self.flush() {
            Ok(true) if self.close && matches!(self.phase, Phase::Head) => Fate::Close,
            Ok(true) => Fate::Keep,
            Ok(false) => {
                self.watches_writes = true;
                Fate::Watch(EventFlags::OUT)
            }
            Err(_) => Fate::Close,
        }
    }

    /// Takes what is whole of requests and bodies; gives back how much that was.
    fn consume(&mut self, bytes: &[u8]) -> usize {
        let mut at = 0;
        while at < bytes.len() {
            let rest = &bytes[at..];
            match &mut self.phase {
                Phase::Head => {
                    let Some(request) = request::parse(rest) else { break };
                    at += request.length;
                    self.close = request.close;
                    if request.expects {
                        self.out.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
                    }
                    match request.body {
                        Body::Length(0) => {
                            let head = &rest[..request.length];
                            self.filler =
                                answer::write(&mut self.out, request.target, head, 0, request.close);
                        }
                        body => {
                            self.target.clear();
                            self.target.extend_from_slice(request.target);
                            self.phase = match body {
                                Body::Length(left) => Phase::Length { left, received: 0 },
                                Body::Chunked => Phase::Chunked { chunks: Chunks::START, received: 0 },
                            };
                        }
                    }
                }
                Phase::Length { left, received } => {
                    let here = (*left).min(rest.len() as u64);
                    at += usize::try_from(here).unwrap_or(rest.len());
                    *left -= here;
                    *received += here;
                    if *left == 0 {
                        let received = *received;
                        self.answer_body(received);
                    }
                }
                Phase::Chunked { chunks, received } => {
                    let (used, data) = chunks.advance(rest);
                    at += used;
                    *received += data;
                    if *chunks == Chunks::Done {
                        let received = *received;
                        self.answer_body(received);
                    }
                }
            }
        }
        at
    }

    fn answer_body(&mut self, received: u64) {
        self.phase = Phase::Head;
        self.filler = answer::write(&mut self.out, &self.target, b"", received, self.close);
    }

    /// Sends what is to be sent; whether all of it went.
    fn flush(&mut self) -> std::io::Result<bool> {
        loop {
            let rest = &self.out[self.sent..];
            let filler = usize::try_from(self.filler).unwrap_or(FILLER.len()).min(FILLER.len());
            if rest.is_empty() && filler == 0 {
                self.out.clear();
                self.sent = 0;
                return Ok(true);
            }
            // Head and filler in one call, so that a body never waits for its head's segment.
            let written = if filler == 0 {
                self.stream.write(rest)
            } else if rest.is_empty() {
                self.stream.write(&FILLER[..filler])
            } else {
                let slices = [std::io::IoSlice::new(rest), std::io::IoSlice::new(&FILLER[..filler])];
                self.stream.write_vectored(&slices)
            };
            match written {
                Ok(written) => {
                    let of_out = written.min(rest.len());
                    self.sent += of_out;
                    self.filler -= (written - of_out) as u64;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
    }
}
