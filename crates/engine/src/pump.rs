//! The only thing that moves bodies: from one connection to another, in either direction.
//!
//! What the sink does not take is not read from the source, so a slow reader slows the writer down and never costs
//! memory: at most one read buffer is held for each direction, or one pipe.

use std::io;
use std::task::{Context, Poll, ready};

use wire::BodyError;

use crate::buffer::Store;
use crate::h1::{Conn, Piece, ReadError};
use crate::limits;
use crate::pipe::{self, Pipe};

/// Whom a pump waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waiting {
    /// More of the body must come.
    Source,
    /// The other side must take what is there.
    Sink,
}

/// Why a body could not be moved.
#[derive(Debug)]
pub(crate) enum PumpError {
    /// It could not be read.
    Source(ReadError),
    /// It could not be written.
    Sink(io::Error),
    /// There is more of it than allowed.
    TooLarge,
    /// It ended before its stated length.
    Short(BodyError),
}

/// One body on its way.
#[derive(Debug)]
pub(crate) struct Pump {
    /// Body bytes moved so far, without framing.
    pub(crate) bytes: u64,
    /// Whom it waits for.
    pub(crate) waiting: Waiting,
    bytes_max: u64,
    state: State,
    /// Through which the body goes, past this process; there is only one while it does.
    pipe: Option<Pipe>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Moving,
    /// All is read and framed; the rest of it must leave.
    Flushing,
    Done,
    /// The sink takes no more, or nobody wants the rest.
    Stopped,
}

impl Pump {
    /// A pump for a body of at most `bytes_max` bytes.
    pub(crate) fn new(bytes_max: Option<u64>) -> Pump {
        Pump {
            bytes: 0,
            waiting: Waiting::Source,
            bytes_max: bytes_max.unwrap_or(u64::MAX),
            state: State::Moving,
            pipe: None,
        }
    }

    /// Body bytes that the sink's socket has taken: what waits in the pipe, or behind a head, has not got that far.
    pub(crate) fn passed(&self, sink: &Conn) -> u64 {
        let held = self.pipe.as_ref().map_or(0, Pipe::held) + sink.waiting();
        self.bytes.saturating_sub(held as u64)
    }

    /// Whether the whole body has arrived.
    pub(crate) fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Whether there is still something to move.
    pub(crate) fn is_running(&self) -> bool {
        matches!(self.state, State::Moving | State::Flushing)
    }

    /// Gives up on the rest.
    pub(crate) fn stop(&mut self) {
        self.state = State::Stopped;
    }

    /// Moves what can be moved now; ready when the whole body has been sent.
    pub(crate) fn poll(
        &mut self,
        source: &mut Conn,
        sink: &mut Conn,
        cx: &mut Context<'_>,
        store: &Store,
    ) -> Poll<Result<(), PumpError>> {
        while self.state == State::Moving {
            if self.pipe.is_none() && source.can_splice_from() && sink.can_splice_to() {
                self.pipe = store.pipe();
            }
            if self.pipe.is_some() {
                ready!(self.poll_splice(source, sink, cx, store))?;
            }
            match source.poll_body(cx, store) {
                Poll::Ready(Ok(Piece::Data { len, chunk_left })) => {
                    if self.bytes.saturating_add(len as u64) > self.bytes_max {
                        return Poll::Ready(Err(PumpError::TooLarge));
                    }
                    // With more of the body behind it, a short piece waits for company; a very short one is cheaper to copy
                    // behind its head than to send from where it stands.
                    let together = len <= limits::COPIED_BYTES
                        || (source.unread().len() > len && len <= limits::PIECE_BYTES);
                    if together && sink.waiting() + len <= limits::TOGETHER_BYTES {
                        let taken =
                            sink.queue_body(&source.unread()[..len], chunk_left).map_err(PumpError::Sink)?;
                        source.consume_body(taken);
                        self.bytes += taken as u64;
                        continue;
                    }
                    let taken = match sink.poll_write_body(cx, &source.unread()[..len], chunk_left) {
                        Poll::Ready(taken) => taken.map_err(PumpError::Sink)?,
                        Poll::Pending => {
                            self.waiting = Waiting::Sink;
                            return Poll::Pending;
                        }
                    };
                    source.consume_body(taken);
                    self.bytes += taken as u64;
                }
                Poll::Ready(Ok(Piece::End)) => {
                    sink.finish_body(&source.trailers()).map_err(PumpError::Short)?;
                    self.state = State::Flushing;
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(PumpError::Source(error))),
                Poll::Pending => {
                    // Nothing more to go with it, so what is framed must not wait either: a head whose body takes its
                    // time, the last piece of a stream.
                    let flushed = sink.poll_flush(cx).map_err(PumpError::Sink)?;
                    self.waiting = if flushed.is_ready() { Waiting::Source } else { Waiting::Sink };
                    return Poll::Pending;
                }
            }
        }
        if self.state == State::Flushing {
            match sink.poll_flush(cx) {
                Poll::Ready(flushed) => flushed.map_err(PumpError::Sink)?,
                Poll::Pending => {
                    self.waiting = Waiting::Sink;
                    return Poll::Pending;
                }
            }
            self.state = State::Done;
        }
        Poll::Ready(Ok(()))
    }

    /// Moves the body through the pipe; ready when all that was announced of it has been moved.
    fn poll_splice(
        &mut self,
        source: &mut Conn,
        sink: &mut Conn,
        cx: &mut Context<'_>,
        store: &Store,
    ) -> Poll<Result<(), PumpError>> {
        let Some(mut pipe) = self.pipe.take() else { return Poll::Ready(Ok(())) };
        loop {
            if sink.poll_splice_from(cx, &mut pipe).map_err(PumpError::Sink)?.is_pending() {
                self.waiting = Waiting::Sink;
                break;
            }
            let moved = source.poll_splice_into(cx, &mut pipe, store);
            if let Poll::Ready(Err(ReadError::Io(error))) = &moved
                && pipe::is_refused(error)
            {
                // Nothing is lost: the pipe is empty, and the socket is as it was.
                store.pipes.refuse();
                return Poll::Ready(Ok(()));
            }
            match moved.map_err(PumpError::Source)? {
                Poll::Ready(0) => {
                    store.pipes.keep(pipe);
                    return Poll::Ready(Ok(()));
                }
                Poll::Ready(moved) => {
                    sink.begin_splice(moved).map_err(PumpError::Sink)?;
                    self.bytes += moved as u64;
                    if self.bytes > self.bytes_max {
                        return Poll::Ready(Err(PumpError::TooLarge));
                    }
                }
                Poll::Pending => {
                    self.waiting = Waiting::Source;
                    break;
                }
            }
        }
        self.pipe = Some(pipe);
        Poll::Pending
    }
}

#[cfg(test)]
mod tests;
