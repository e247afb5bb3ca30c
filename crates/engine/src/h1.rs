//! One HTTP/1 connection, to a client or a back-end: a stream, what was read and not used, what is framed and not sent,
//! and where in a body each direction stands.
//!
//! This owns framing only. It decides nothing about a message; `client` and `backend` give it heads, `relay` moves
//! bodies through it.

use std::borrow::Cow;
use std::io::{self, IoSlice};
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use wire::{
    BodyError, BodyLength, Decoded, Decoder, Encoder, Fields, HeadScanner, Kind, Known, Limits, ParseError,
    Version,
};

use crate::buffer::{Buffer, Mark, Store};
use crate::limits;
use crate::pipe::Pipe;
use crate::stream::Stream;

/// Removes fields from a trailer section.
pub(crate) type TrailerRule = Box<dyn Fn(&mut Fields)>;

/// A connection that speaks HTTP/1.
pub(crate) struct Conn {
    stream: Stream,
    input: Buffer,
    scanner: HeadScanner,
    decoder: Decoder,
    /// Takes from the trailers what may not be passed on.
    trailer_rule: Option<TrailerRule>,
    encoder: Encoder,
    /// Heads and framing that wait to be sent, from `sent` on.
    output: Vec<u8>,
    sent: usize,
    /// Where in `output` the last head begins, as long as nothing has been sent since it was put there.
    unsent_head: Option<u32>,
    /// Body bytes that the framing in `output` has announced and that have not been sent.
    frame_left: usize,
    /// They end a chunk.
    ends_chunk: bool,
    limits: Rc<Limits>,
    /// The peer has ended its side.
    ended: bool,
    /// The last read took as much as there was room for, or more than a usual buffer holds: more will be there.
    bulk: bool,
    /// Something has been read since the last head was handed over.
    heard: bool,
    /// The short piece that was read last was acknowledged, because it was not the whole message.
    acknowledged: bool,
}

/// Why reading failed.
#[derive(Debug)]
pub(crate) enum ReadError {
    /// The stream broke.
    Io(io::Error),
    /// The peer ended its side within a head, or before one.
    Ended,
    /// A head is malformed.
    Head(ParseError),
    /// A body breaks its framing, or ended early.
    Body(BodyError),
}

/// The next piece of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Piece {
    /// This many bytes at the front of [`Conn::unread`].
    Data {
        /// How many.
        len: usize,
        /// Bytes left in the chunk that they are part of, themselves included; `None` if the body is not chunked.
        chunk_left: Option<u64>,
    },
    /// The body is over.
    End,
}

/// A place in a message body to which a sender can go back as long as [`Conn::rewind`] allows.
#[derive(Debug, Clone)]
pub(crate) struct BodyMark {
    input: Mark,
    /// `None` if there is no body: then nothing moves.
    decoder: Option<Decoder>,
}

/// Whether the sender of a head lets the connection carry another message: `close` wins; without it HTTP/1.1 persists,
/// and HTTP/1.0 only if it says so (RFC 9112 section 9.3).
pub(crate) fn persists(version: Version, fields: &Fields) -> bool {
    !fields.contains_token(Known::Connection, b"close")
        && (version == Version::Http11 || fields.contains_token(Known::Connection, b"keep-alive"))
}

impl Conn {
    /// A connection whose peer sends heads of this kind.
    pub(crate) fn new(stream: Stream, kind: Kind, limits: Rc<Limits>) -> Conn {
        Conn {
            stream,
            input: Buffer::default(),
            scanner: HeadScanner::new(kind),
            decoder: Decoder::new(BodyLength::None),
            trailer_rule: None,
            encoder: Encoder::new(BodyLength::None),
            output: Vec::new(),
            sent: 0,
            unsent_head: None,
            frame_left: 0,
            ends_chunk: false,
            limits,
            ended: false,
            heard: false,
            acknowledged: false,
            bulk: false,
        }
    }

    /// Waits until the peer has sent something, or has closed.
    pub(crate) fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.poll_readable(cx)
    }

    /// The stream below.
    pub(crate) fn stream(&self) -> &Stream {
        &self.stream
    }

    /// Ends our side; the peer may go on sending.
    pub(crate) fn end(&mut self) -> io::Result<()> {
        self.stream.end()
    }

    /// Puts bytes in that were read before this was a connection.
    pub(crate) fn preload(&mut self, bytes: &[u8], store: &Store) {
        self.input.room(store, false).extend_from_slice(bytes);
        self.heard = true;
    }

    /// The codec's limits for this connection.
    pub(crate) fn limits(&self) -> &Rc<Limits> {
        &self.limits
    }

    /// What was read and not used.
    pub(crate) fn unread(&self) -> &[u8] {
        self.input.unread()
    }

    /// Reads once; `Ok(0)` means that the peer has ended its side.
    pub(crate) fn poll_fill(&mut self, cx: &mut Context<'_>, store: &Store) -> Poll<io::Result<usize>> {
        if self.input.is_starved(store) {
            // Who says nothing needs nothing.
            ready!(self.stream.poll_readable(cx))?;
            return Poll::Ready(Err(io::ErrorKind::OutOfMemory.into()));
        }
        let room = self.input.room(store, self.bulk);
        let space = room.capacity() - room.len();
        let Poll::Ready(read) = self.stream.poll_read(cx, room) else {
            // A thousand who wait for an answer need no thousand buffers.
            self.input.release_unused(store);
            return Poll::Pending;
        };
        let read = read?;
        self.bulk = read == space || read > limits::BUFFER_BYTES;
        // Nagle's algorithm holds nothing back behind a full segment.
        self.acknowledged &= read >= limits::SHORT_BYTES;
        self.ended |= read == 0;
        self.heard |= read > 0;
        Poll::Ready(Ok(read))
    }

    /// Reads until a whole head stands at the front of [`Conn::unread`]; gives its length.
    pub(crate) fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        store: &Store,
    ) -> Poll<Result<usize, ReadError>> {
        loop {
            if !self.input.is_empty()
                && let Some(len) =
                    self.scanner.scan(self.input.unread(), &self.limits).map_err(ReadError::Head)?
            {
                self.scanner.reset();
                return Poll::Ready(Ok(len));
            }
            let begun = !self.input.is_empty();
            let Poll::Ready(read) = self.poll_fill(cx, store) else {
                self.acknowledge_piece(begun);
                return Poll::Pending;
            };
            if read.map_err(ReadError::Io)? == 0 {
                return Poll::Ready(Err(ReadError::Ended));
            }
        }
    }

    /// Acknowledges a message of which only a piece is here, so that a peer which waits for that sends the rest at once:
    /// a body that was written after its head, a head that was written line by line, a chunk behind another. Once for
    /// each short piece: how many there are depends on how fast the peer writes.
    fn acknowledge_piece(&mut self, begun: bool) {
        if begun && !self.acknowledged {
            self.acknowledged = true;
            self.stream.acknowledge();
        }
    }

    /// The start line of the head that is being read, as far as it is here and printable; for the log.
    pub(crate) fn head_line(&self) -> &[u8] {
        self.scanner.line(self.input.unread())
    }

    /// The byte for which the head that is being read was refused, with its line and place; for the log.
    pub(crate) fn stray_byte(&self) -> Option<(u8, usize, usize)> {
        self.scanner.stray_byte(self.input.unread())
    }

    /// The field line of the head that is being read, as far as it is here; for the log.
    pub(crate) fn head_field_line(&self) -> &[u8] {
        self.scanner.field_line(self.input.unread())
    }

    /// Throws away what was read and not used, and gives its memory back.
    pub(crate) fn discard_unread(&mut self, store: &Store) {
        self.input.consume(self.input.unread().len());
        self.input.release(store);
    }

    /// Uses the first `len` unread bytes.
    pub(crate) fn consume_head(&mut self, len: usize) {
        self.input.consume(len);
    }

    /// From here on the peer sends a body of this length.
    pub(crate) fn begin_read(&mut self, length: BodyLength) {
        self.decoder = Decoder::new(length);
        self.trailer_rule = None;
    }

    /// Gives the read buffer back where nothing more is expected for now: the message has come to its end.
    pub(crate) fn rest(&mut self, store: &Store) {
        if self.decoder.is_done() {
            self.input.release(store);
        }
    }

    /// From here on `rule` decides what of the trailers is passed on; it ends with the body.
    pub(crate) fn set_trailer_rule(&mut self, rule: TrailerRule) {
        self.trailer_rule = Some(rule);
    }

    /// The next piece of the body that the peer sends.
    pub(crate) fn poll_body(
        &mut self,
        cx: &mut Context<'_>,
        store: &Store,
    ) -> Poll<Result<Piece, ReadError>> {
        loop {
            let step = self.decoder.decode(self.input.unread(), &self.limits).map_err(ReadError::Body)?;
            match step {
                Decoded::Data { skip, len, chunk_left } => {
                    self.input.consume(skip);
                    return Poll::Ready(Ok(Piece::Data { len, chunk_left }));
                }
                Decoded::Done { skip } => {
                    self.input.consume(skip);
                    return Poll::Ready(Ok(Piece::End));
                }
                Decoded::NeedMore { skip } => self.input.consume(skip),
            }
            let Poll::Ready(read) = self.poll_fill(cx, store) else {
                self.acknowledge_piece(self.heard);
                return Poll::Pending;
            };
            if read.map_err(ReadError::Io)? == 0 {
                self.decoder.eof().map_err(ReadError::Body)?;
            }
        }
    }

    /// Whether much of a body of known length is still to come from the peer, fast, with nothing of it here.
    pub(crate) fn can_splice_from(&self) -> bool {
        self.bulk
            && self.input.is_empty()
            && self.decoder.left().is_some_and(|left| left >= limits::SPLICE_BYTES)
            && self.stream.can_splice()
    }

    /// Whether what we send is the body as it is, its length having been told.
    pub(crate) fn can_splice_to(&self) -> bool {
        self.encoder.left().is_some() && self.frame_left == 0 && self.stream.can_splice()
    }

    /// Moves some of the body that the peer sends into an empty pipe; gives how much of it, 0 at the end of the body.
    pub(crate) fn poll_splice_into(
        &mut self,
        cx: &mut Context<'_>,
        pipe: &mut Pipe,
        store: &Store,
    ) -> Poll<Result<usize, ReadError>> {
        let left = self.decoder.left().unwrap_or(0);
        if left == 0 {
            // Only a read that was refused tells the reactor that nothing more is there, and without that the connection
            // would never be taken for clean again.
            self.stream.settle();
            return Poll::Ready(Ok(0));
        }
        let most = usize::try_from(left).unwrap_or(usize::MAX);
        let moved = ready!(self.stream.poll_splice_into(cx, pipe, most)).map_err(ReadError::Io)?;
        if moved == 0 {
            self.ended = true;
            self.decoder.eof().map_err(ReadError::Body)?;
        }
        self.heard = true;
        self.decoder.consume(moved);
        // What is gone through the pipe can never be sent again.
        self.input.forget(store);
        Poll::Ready(Ok(moved))
    }

    /// Moves all that is in the pipe to the peer, as part of the body; what waits goes first.
    pub(crate) fn poll_splice_from(&mut self, cx: &mut Context<'_>, pipe: &mut Pipe) -> Poll<io::Result<()>> {
        ready!(self.poll_flush(cx))?;
        while pipe.held() > 0 {
            if ready!(self.stream.poll_splice_from(cx, pipe))? == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Announces `len` bytes of the body that reach the peer through a pipe.
    ///
    /// # Errors
    /// There is more of the body than was announced.
    pub(crate) fn begin_splice(&mut self, len: usize) -> io::Result<()> {
        self.begin_frame(len, None)?;
        let short = std::mem::take(&mut self.frame_left) < len;
        if short { Err(io::ErrorKind::InvalidData.into()) } else { Ok(()) }
    }

    /// The line of the body's framing that could not be read; for the log.
    pub(crate) fn body_line(&self) -> &[u8] {
        self.decoder.offending(self.input.unread())
    }

    /// Uses the first `len` bytes of the piece last given.
    pub(crate) fn consume_body(&mut self, len: usize) {
        self.input.consume(len);
        self.decoder.consume(len);
    }

    /// The fields that came after a chunked body and may be passed on; empty until it is read to its end.
    pub(crate) fn trailers(&self) -> Cow<'_, Fields> {
        let trailers = self.decoder.trailers();
        match &self.trailer_rule {
            Some(rule) if !trailers.is_empty() => {
                let mut kept = trailers.clone();
                rule(&mut kept);
                Cow::Owned(kept)
            }
            _ => Cow::Borrowed(trailers),
        }
    }

    /// This place in the body that the peer sends.
    pub(crate) fn mark(&self) -> BodyMark {
        let decoder = (!self.decoder.is_done()).then(|| self.decoder.clone());
        BodyMark { input: self.input.mark(), decoder }
    }

    /// Goes back to `mark`; false, and nothing is changed, if bytes since then are gone.
    pub(crate) fn rewind(&mut self, mark: &BodyMark) -> bool {
        let rewound = self.input.rewind(mark.input);
        if rewound && let Some(decoder) = &mark.decoder {
            self.decoder = decoder.clone();
        }
        rewound
    }

    /// Hands a head to the connection: `write` appends it to what waits to be sent. A body of this length follows.
    pub(crate) fn begin_write(
        &mut self,
        length: BodyLength,
        store: &Store,
        write: impl FnOnce(&mut Vec<u8>),
    ) {
        if self.output.capacity() == 0 {
            self.output = store.output();
        }
        self.encoder = Encoder::new(length);
        // An output is never near to 4 GiB; if it were, its head could not be taken back.
        self.unsent_head = u32::try_from(self.output.len()).ok();
        self.heard = false;
        self.acknowledged = false;
        write(&mut self.output);
    }

    /// Takes the head last given to [`Conn::begin_write`] back, if not a byte has been sent since; says whether.
    pub(crate) fn take_head_back(&mut self) -> bool {
        match self.unsent_head.take() {
            Some(len) => {
                self.output.truncate(len as usize);
                self.frame_left = 0;
                true
            }
            None => false,
        }
    }

    /// Announces the next `len` bytes of the body, unless earlier framing has announced them already.
    fn begin_frame(&mut self, len: usize, chunk_left: Option<u64>) -> io::Result<()> {
        if self.frame_left > 0 {
            return Ok(());
        }
        let framed = self.encoder.frame(len, chunk_left);
        self.output.extend_from_slice(framed.prefix.as_ref());
        self.frame_left = framed.take;
        self.ends_chunk = !framed.suffix.is_empty();
        if self.frame_left == 0 {
            // More body than was announced. The source's own framing rules it out; sending it anyway would put bytes
            // where the peer expects the next head.
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a body is longer than announced"));
        }
        Ok(())
    }

    /// What follows the bytes that were announced.
    fn frame_end(&self) -> &'static [u8] {
        if self.ends_chunk { b"\r\n" } else { b"" }
    }

    /// Puts some of the first piece of `data` to what waits to be sent; gives how many of its bytes were taken.
    ///
    /// # Errors
    /// There is more of the body than was announced.
    pub(crate) fn queue_body(&mut self, data: &[u8], chunk_left: Option<u64>) -> io::Result<usize> {
        self.begin_frame(data.len(), chunk_left)?;
        let taken = data.len().min(self.frame_left);
        self.output.extend_from_slice(&data[..taken]);
        self.frame_left -= taken;
        if self.frame_left == 0 {
            self.output.extend_from_slice(self.frame_end());
        }
        Ok(taken)
    }

    /// How many bytes wait to be sent.
    pub(crate) fn waiting(&self) -> usize {
        self.output.len() - self.sent
    }

    /// Sends some of the first piece of `data`; gives how many of its bytes were sent. What waits goes first.
    pub(crate) fn poll_write_body(
        &mut self,
        cx: &mut Context<'_>,
        data: &[u8],
        chunk_left: Option<u64>,
    ) -> Poll<io::Result<usize>> {
        self.begin_frame(data.len(), chunk_left)?;
        let data = &data[..data.len().min(self.frame_left)];
        loop {
            let waiting = &self.output[self.sent..];
            let end = if data.len() == self.frame_left { self.frame_end() } else { b"" };
            let slices = [IoSlice::new(waiting), IoSlice::new(data), IoSlice::new(end)];
            let first = usize::from(waiting.is_empty());
            let last = if end.is_empty() { 2 } else { 3 };
            let waiting = waiting.len();
            let written = ready!(self.stream.poll_write(cx, &slices[first..last]))?;
            self.unsent_head = None;
            self.sent += written.min(waiting);
            if self.sent == self.output.len() {
                self.output.clear();
                self.sent = 0;
            }
            if written <= waiting {
                // Not a byte of the data yet: the socket is full, and the next try says so.
                continue;
            }
            let taken = (written - waiting).min(data.len());
            self.frame_left -= taken;
            if self.frame_left == 0 {
                self.output.extend_from_slice(&self.frame_end()[written - waiting - taken..]);
            }
            return Poll::Ready(Ok(taken));
        }
    }

    /// Ends the body: the last chunk and `trailers` where it is chunked. They wait until the next flush.
    ///
    /// # Errors
    /// The body is shorter than its length.
    pub(crate) fn finish_body(&mut self, trailers: &Fields) -> Result<(), BodyError> {
        self.encoder.finish(Some(trailers), &mut self.output)
    }

    /// Sends what waits.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.sent < self.output.len() {
            let written = ready!(self.stream.poll_write(cx, &[IoSlice::new(&self.output[self.sent..])]))?;
            self.unsent_head = None;
            self.sent += written;
        }
        ready!(self.stream.poll_flush(cx))?;
        self.output.clear();
        self.sent = 0;
        if self.output.capacity() > limits::OUTPUT_BYTES {
            self.output = Vec::new();
        }
        Poll::Ready(Ok(()))
    }

    /// Whether the peer has ended its side.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Whether the peer has sent anything since [`Conn::begin_write`].
    pub(crate) fn has_answered(&self) -> bool {
        self.heard
    }

    /// Gives memory back that an idle connection does not need.
    pub(crate) fn idle(&mut self, store: &Store) {
        self.input.release(store);
        if self.sent == self.output.len() && self.output.capacity() > 0 {
            store.keep_output(std::mem::take(&mut self.output));
            self.sent = 0;
        }
    }

    /// The same while a head is waited for of which something is here: that is kept in as little memory as it takes.
    pub(crate) fn idle_in_head(&mut self, store: &Store) {
        self.input.shrink(store);
        self.idle(store);
    }

    /// Whether nothing of the peer's is left over that has been read, and nothing of ours waits to be sent.
    pub(crate) fn is_between_messages(&self) -> bool {
        !self.ended && self.input.is_empty() && self.output.is_empty() && self.frame_left == 0
    }

    /// Whether nothing of the peer's is left over and nothing has come since: the connection may carry another message.
    pub(crate) fn is_clean(&self) -> bool {
        self.is_between_messages() && self.stream.is_quiet()
    }

    /// Whether the message that the peer was sending has been read to its end, or there was none.
    pub(crate) fn is_message_over(&self) -> bool {
        self.decoder.is_done()
    }

    /// Whether the message that the peer was sending is here to its end, and nothing has come after it.
    pub(crate) fn is_read_out(&self) -> bool {
        self.decoder.is_done() && self.input.is_empty() && !self.stream.has_unread()
    }

    /// Uses `len` unread bytes of a tunnel, where nothing is framed any more.
    pub(crate) fn consume_raw(&mut self, len: usize) {
        self.input.consume(len);
    }

    /// Writes bytes of a tunnel as they are.
    pub(crate) fn poll_write_raw(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.stream.poll_write(cx, &[IoSlice::new(bytes)])
    }
}
