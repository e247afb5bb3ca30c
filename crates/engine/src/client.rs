//! A client's connection: it waits for requests, reads their heads and takes answers. It frames and does not decide.

use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use plan::Silence;
use tokio::time::{Instant, timeout_at};
use wire::h1::write::{self, Framing};
use wire::h1::{framing, parse};
use wire::{BodyLength, Kind, ResponseHead};

use crate::buffer::Store;
use crate::excerpt;
use crate::exchange::{ClientFacts, Exchange};
use crate::fault::{Cause, Fault, Stage, is_shortage};
use crate::h1::{self, Conn, Piece, ReadError};
use crate::limits;
use crate::stream::Stream;
use crate::watchdog::{Bark, Watchdog};
use crate::world::Current;

/// One client connection.
pub(crate) struct Client {
    pub(crate) conn: Conn,
    pub(crate) watchdog: Watchdog,
    facts: Rc<ClientFacts>,
    timeout: Duration,
    /// How many more requests the connection may carry.
    requests_left: u64,
    /// Bytes of an answer of ours that were written, for its rate.
    written: u64,
    /// An answer has been begun and not come to its end.
    unfinished: bool,
    /// The client has said that it sends no request after this one.
    last: bool,
}

/// What ends the wait for a request.
#[derive(Debug)]
pub(crate) enum Next {
    /// The first bytes of one are here.
    Request,
    /// The client closed, or was silent for too long; or we are stopping.
    Close,
    /// The connection broke.
    Broken(io::Error),
}

/// How the wait for the head of a request ended.
#[derive(Debug)]
pub(crate) enum Head {
    /// It is here and has this length.
    Whole(usize),
    /// It did not come in time.
    Late,
    /// Others needed the memory that it took, and it was the one that had waited longest.
    Shed,
    /// It cannot be read.
    Failed(ReadError),
}

impl Client {
    /// A new connection.
    pub(crate) fn new(stream: Stream, facts: ClientFacts, running: &Current) -> Client {
        let listener = &running.plan.listeners[facts.listener];
        let (bounds, timeout) = (&listener.bounds, listener.client_timeout);
        let look = if stream.is_fresh() { limits::FRESH_LOOK } else { timeout };
        Client {
            conn: Conn::new(stream, Kind::Request, running.limits(facts.listener)),
            watchdog: Watchdog::new(timeout, running.crowd(facts.listener), look),
            facts: Rc::new(facts),
            timeout,
            requests_left: bounds.requests_max,
            written: 0,
            unfinished: false,
            last: false,
        }
    }

    /// What is known of the connection.
    pub(crate) fn facts(&self) -> &Rc<ClientFacts> {
        &self.facts
    }

    /// The longest silence that we bear where no body is moved.
    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Waits for a request. `stopping` is asked before each wait and sees the waker, so that a stop can end it, and the
    /// timer, so that it can shorten it.
    pub(crate) fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        store: &Store,
        stopping: impl FnOnce(&mut Context<'_>, &mut Watchdog, Duration) -> bool,
    ) -> Poll<Next> {
        if is_begun(self.conn.unread()) {
            return Poll::Ready(Next::Request);
        }
        match self.conn.poll_fill(cx, store) {
            Poll::Ready(Ok(0)) => Poll::Ready(Next::Close),
            // It is answered as a request that we cannot read.
            Poll::Ready(Err(error)) if is_shortage(&error) => Poll::Ready(Next::Request),
            Poll::Ready(Err(error)) => Poll::Ready(Next::Broken(error)),
            Poll::Ready(Ok(_)) if is_begun(self.conn.unread()) => Poll::Ready(Next::Request),
            Poll::Ready(Ok(_)) => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Poll::Pending => {
                self.conn.idle_in_head(store);
                if stopping(cx, &mut self.watchdog, self.timeout) || self.watchdog.poll(cx).is_ready() {
                    return Poll::Ready(Next::Close);
                }
                Poll::Pending
            }
        }
    }

    /// Waits until the whole head of a request is here, or never will be. What waits is kept in as little memory as it
    /// takes. `shed` is asked before each wait and sees the waker: whether to give up for the sake of others.
    pub(crate) fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        store: &Store,
        shed: impl FnOnce(&mut Context<'_>) -> bool,
    ) -> Poll<Head> {
        match self.conn.poll_head(cx, store) {
            Poll::Ready(Ok(len)) => Poll::Ready(Head::Whole(len)),
            Poll::Ready(Err(error)) => Poll::Ready(Head::Failed(error)),
            Poll::Pending => {
                self.conn.idle_in_head(store);
                if shed(cx) {
                    return Poll::Ready(Head::Shed);
                }
                self.watchdog.poll(cx).map(|()| Head::Late)
            }
        }
    }

    /// Takes the head of a request into the exchange and says how its body is framed.
    pub(crate) fn take_head(&mut self, x: &mut Exchange, head: Head, store: &Store) -> Result<(), Fault> {
        let fault = |cause| Fault::new(Stage::Parse, cause);
        let conn = &mut self.conn;
        let len = match head {
            Head::Whole(len) => len,
            Head::Late | Head::Shed | Head::Failed(_) => {
                x.unparsed = conn.head_line().to_vec();
                if let Head::Failed(ReadError::Head(_)) = head {
                    x.offending = excerpt::line(conn.head_field_line());
                    x.stray = conn.stray_byte();
                }
                return Err(fault(match head {
                    Head::Failed(ReadError::Head(error)) => Cause::BadRequest(error),
                    Head::Failed(ReadError::Io(error)) => Cause::of_client(error),
                    Head::Failed(ReadError::Ended | ReadError::Body(_)) => Cause::ClientClosed,
                    Head::Shed => Cause::NoMemory,
                    Head::Late | Head::Whole(_) => Cause::ClientTimeout(Silence::new(self.timeout, "Client")),
                }));
            }
        };
        let (mut bytes, slots) = store.head();
        bytes.extend_from_slice(&conn.unread()[..len]);
        conn.consume_head(len);
        match parse::request(bytes, slots, conn.limits()) {
            Ok(head) => x.request = head,
            Err(refused) => {
                x.unparsed = refused.line().to_vec();
                x.offending = excerpt::line(refused.field_line());
                return Err(fault(Cause::BadRequest(refused.error)));
            }
        }
        x.body = framing::request(&x.request).map_err(|error| {
            x.offending = excerpt::fields(x.request.fields(), error.fields());
            fault(Cause::BadFraming(error))
        })?;
        conn.begin_read(x.body);
        // A request without a body needs no buffer while its answer is waited for.
        conn.rest(store);
        let persists = h1::persists(x.request.version(), x.request.fields());
        // After a body old clients may send an empty line, which closing at once would answer with a reset.
        self.last = !persists && matches!(x.body, BodyLength::None | BodyLength::Length(0));
        self.requests_left = self.requests_left.saturating_sub(1);
        x.keep = persists && self.requests_left > 0;
        self.written = 0;
        self.watchdog.measure(false);
        Ok(())
    }

    /// Hands an interim answer (1xx) to the connection.
    pub(crate) fn write_interim(&mut self, head: &ResponseHead, store: &Store) {
        let framing = Framing::of(BodyLength::None);
        self.conn.begin_write(BodyLength::None, store, |out| write::response_head(head, &framing, out));
    }

    /// Hands the head of the final answer to the connection; it is sent with the body, or by [`Client::flush`].
    pub(crate) fn write_head(&mut self, x: &mut Exchange, framing: &Framing<'_>, store: &Store) {
        x.sent.status = x.response.status();
        self.unfinished = true;
        self.conn.begin_write(framing.body, store, |out| write::response_head(&x.response, framing, out));
    }

    /// An answer of our own begins: from here on the client is held to how it takes that.
    pub(crate) fn begin_own_answer(&mut self) {
        self.written = 0;
        self.watchdog.measure(false);
    }

    /// The answer has been sent to its end.
    pub(crate) fn finish_answer(&mut self) {
        self.unfinished = false;
    }

    /// Takes the head of an answer back of which nothing has been sent; says whether that was so.
    pub(crate) fn take_head_back(&mut self) -> bool {
        let taken = self.conn.take_head_back();
        self.unfinished &= !taken;
        taken
    }

    /// Sends what waits; the client may take nothing of it for so long.
    pub(crate) async fn flush(&mut self, silence: Silence) -> Result<(), Cause> {
        self.watchdog.set(silence.time);
        let Client { conn, watchdog, .. } = self;
        poll_fn(|cx| match conn.poll_flush(cx) {
            Poll::Ready(flushed) => Poll::Ready(flushed.map_err(Cause::of_client)),
            Poll::Pending => watchdog.poll(cx).map(|()| Err(Cause::ClientReadsNothing(silence))),
        })
        .await
    }

    /// Sends a whole body, progress keeping the connection alive.
    pub(crate) async fn write_body(&mut self, body: &[u8], silence: Silence) -> Result<(), Cause> {
        let mut rest = body;
        while !rest.is_empty() {
            self.watchdog.turn(silence.time, true);
            let Client { conn, watchdog, written, .. } = self;
            let taken = poll_fn(|cx| match conn.poll_write_body(cx, rest, None) {
                Poll::Ready(taken) => Poll::Ready(taken.map_err(Cause::of_client)),
                Poll::Pending => watchdog
                    .poll_moving(cx, || written.saturating_sub(conn.stream().queued()))
                    .map(|bark| Err(late(bark, Cause::ClientReadsNothing(silence)))),
            })
            .await?;
            *written += taken as u64;
            rest = &rest[taken..];
        }
        Ok(())
    }

    /// Throws away what is already here of the request's body; true if that was all of it.
    pub(crate) async fn discard_body(&mut self, store: &Store) -> bool {
        poll_fn(|cx| Poll::Ready(self.poll_discard(cx, store) == Poll::Ready(true))).await
    }

    fn poll_discard(&mut self, cx: &mut Context<'_>, store: &Store) -> Poll<bool> {
        let mut discarded = 0u64;
        loop {
            match ready!(self.conn.poll_body(cx, store)) {
                Ok(Piece::End) => return Poll::Ready(true),
                Ok(Piece::Data { len, .. }) => {
                    self.conn.consume_body(len);
                    discarded += len as u64;
                    if discarded > limits::LINGER_BYTES {
                        return Poll::Ready(false);
                    }
                }
                Err(_) => return Poll::Ready(false),
            }
        }
    }

    /// Ends the connection so that the last answer arrives: our side first, then what the client still sends is read
    /// and thrown away for a while (RFC 9112 section 9.6). A client that announced the end of the connection and has sent
    /// a request without a body has nothing more to say, so it gets a plain close, which spares three system calls.
    pub(crate) async fn linger(&mut self, store: &Store) {
        if self.last && self.conn.is_read_out() {
            return;
        }
        if self.conn.end().is_err() {
            return;
        }
        let until = Instant::now() + limits::LINGER;
        let mut thrown_away = 0u64;
        let drain = poll_fn(|cx| {
            while thrown_away < limits::LINGER_BYTES {
                self.conn.discard_unread(store);
                match ready!(self.conn.poll_fill(cx, store)) {
                    Ok(0) | Err(_) => break,
                    Ok(read) => thrown_away += read as u64,
                }
            }
            Poll::Ready(())
        });
        // Nobody waits for this; either end of it is as good.
        let _ = timeout_at(until, drain).await;
    }
}

/// What a client's lateness is called, where its silence is called so.
pub(crate) fn late(bark: Bark, silent: Cause) -> Cause {
    match bark {
        Bark::Silent => silent,
        Bark::Slow => Cause::ClientSlow,
    }
}

/// Whether a request has begun. One empty line before it is none of it: old clients send one after a body, and the
/// codec skips it (RFC 9112 section 2.2).
pub(crate) fn is_begun(unread: &[u8]) -> bool {
    !matches!(unread, b"" | b"\r" | b"\r\n")
}

impl Drop for Client {
    /// Whatever ends the connection within an answer, a stop or a panic of ours included, must not make it look whole.
    fn drop(&mut self) {
        if self.unfinished {
            self.conn.stream().reset_on_close();
        }
    }
}
