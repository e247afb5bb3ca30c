//! Between a client and a back-end: the request up, the answer down.
//!
//! [`request`] goes until the head of the final answer is here; the body of the request may still be on its way then,
//! since a server may answer early. [`response`] moves the rest, both ways, through the same pump.

mod patience;

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use plan::Silence;
use wire::h1::framing;
use wire::h1::parse;
use wire::h1::write::{self, Framing};
use wire::{BodyLength, Kind, Known, Method, ResponseHead, Version, hop};

use crate::backend::Live;
use crate::backend::connect::{ConnectError, connect};
use crate::backend::health::Attempt;
use crate::backend::pool;
use crate::client::Client;
use crate::excerpt;
use crate::exchange::Exchange;
use crate::fault::{Cause, Fault, Retry, Stage, is_shortage};
use crate::h1::{self, BodyMark, Conn, ReadError};
use crate::limits;
use crate::loops;
use crate::parts::Parts;
use crate::pump::{Pump, PumpError, Waiting};
use crate::rewrite;
use crate::stats;

use patience::{Patience, Wait, watch};

/// A back-end that has begun its final answer.
pub(crate) struct Upstream {
    pub(crate) conn: Box<Conn>,
    upload: Pump,
    /// How the body of the answer is framed.
    length: BodyLength,
    /// What an answer without a body says about the body it would have had.
    length_info: Option<u64>,
    /// How long the connection may wait for another request; `None` if it can carry none.
    keep: Option<Duration>,
}

/// Sends the request to a back-end and waits for the head of its final answer.
///
/// A connection that was idle may have been closed by the back-end while the request was on its way. If it died without
/// a byte of an answer, the request is sent again on a fresh one, provided that it may be (RFC 9110 section 9.2.2) and
/// that its body is still here.
pub(crate) async fn request(
    x: &mut Exchange,
    client: &mut Client,
    parts: &Parts,
    service: usize,
    backend: usize,
) -> Result<Upstream, Fault> {
    let running = x.running.clone();
    let live = &running.backends[backend];
    let times = running.times(service, backend);
    let _there = parts.stats.in_flight(backend);
    let waiting = parts.stats.waiting(backend);
    if x.body == BodyLength::Chunked && live.is_http10() {
        return Err(Fault::new(Stage::Forward, Cause::LengthRequired));
    }
    let hops = loops::mark(x, backend).map_err(|cause| Fault::new(Stage::Connect, cause))?;
    let patience = Patience::of(x, &times);
    let body = client.conn.mark();
    let mut pooled = true;
    x.reused = false;
    loop {
        let idle = if pooled { take_idle(x, parts, live) } else { None };
        let reused = idle.is_some();
        let mut conn = match idle {
            Some(conn) => conn,
            None => {
                x.revival = live.health.revival();
                open(x, client, parts, live, patience).await?
            }
        };
        x.reused = reused;
        let framing = Framing { upgrade: x.upgrade.as_deref(), hops: hops.as_deref(), ..Framing::of(x.body) };
        x.sends += 1;
        conn.begin_write(x.body, &parts.store, |out| write::request_head(&x.request, &framing, out));
        let answer = match until_answer(x, client, parts, patience, &mut conn, &waiting).await {
            Ok(upload) => first_bytes(begin_answer(x, live, conn, upload)?, client, parts, patience).await,
            Err(fault) => Err(fault),
        };
        match answer {
            Ok(upstream) => {
                waiting.heard();
                return Ok(upstream);
            }
            Err(fault)
                if reused
                    && matches!(fault.cause, Cause::BackendSilent)
                    && may_send_again(x, client, &body, &fault) =>
            {
                pooled = false;
                parts.stats.retried(backend);
            }
            Err(fault) => return Err(fault),
        }
    }
}

/// Whether the request may be sent again after this fault; if so, its body stands at its beginning now.
///
/// What never reached a back-end always may. What was sent and met silence may only if doing it twice is like doing
/// it once, and if its body, if it has one, is still in the read buffer.
pub(crate) fn may_send_again(x: &Exchange, client: &mut Client, body: &BodyMark, fault: &Fault) -> bool {
    match fault.cause.retry() {
        Retry::Never => false,
        Retry::Unsent => true,
        Retry::Idempotent => {
            x.sends < limits::SENDS
                && x.request.method_kind().is_idempotent()
                && (is_bodyless(x.body) || client.conn.rewind(body))
        }
    }
}

/// Whether the request may be sent once more after the next time, whatever comes of that.
pub(crate) fn may_be_sent_again(x: &Exchange) -> bool {
    x.sends + 1 < limits::SENDS && is_replayable(x)
}

/// Whether sending it twice is like sending it once, and all of it is at hand.
fn is_replayable(x: &Exchange) -> bool {
    x.request.method_kind().is_idempotent() && is_bodyless(x.body)
}

fn is_bodyless(body: BodyLength) -> bool {
    matches!(body, BodyLength::None | BodyLength::Length(0))
}

/// An idle connection that is most likely still good.
fn take_idle(x: &Exchange, parts: &Parts, live: &Live) -> Option<Box<Conn>> {
    let (mut pool, now) = (parts.pool.borrow_mut(), parts.clock.now());
    if is_replayable(x) && x.sends == 0 {
        // It can be sent again, and needs no more care than the reactor's word. What has failed once takes no chances.
        return pool.take(live, now);
    }
    while let Some(conn) = pool.take_warm(live, now) {
        // Worth asking the kernel.
        if conn.stream().is_quiet_now() {
            return Some(conn);
        }
        pool.closed(live, now);
    }
    None
}

async fn open(
    x: &mut Exchange,
    client: &mut Client,
    parts: &Parts,
    live: &Live,
    patience: Patience<'_>,
) -> Result<Box<Conn>, Fault> {
    parts.stats.connecting(live.plan.id);
    let connect_time = patience.times.connect;
    let limit = match x.attempt {
        Attempt::LastResort => connect_time.min(limits::RESORT_TIMEOUT),
        Attempt::Usual | Attempt::Trial => connect_time,
    };
    let Client { conn: client, watchdog, .. } = client;
    // The attempt ends by its own time; the watchdog only sees to it that the client is looked at.
    watchdog.set(limit.saturating_add(limits::FRESH_LOOK));
    let mut attempt = pin!(connect(live, limit, &parts.scratch));
    let outcome = poll_fn(|cx| {
        if let Poll::Ready(outcome) = attempt.as_mut().poll(cx) {
            return Poll::Ready(outcome.map_err(|error| match error {
                ConnectError::Io(error) => Cause::of_opening(error, Cause::ConnectFailed),
                ConnectError::Tls(reason) => Cause::BackendTls(reason),
                ConnectError::Timeout => Cause::ConnectTimeout,
            }));
        }
        if client.is_message_over() {
            watch(client, watchdog, patience, cx, &parts.store)?;
        }
        watchdog.poll(cx).map(|()| Err(Cause::ConnectTimeout))
    });
    let stream = outcome.await.map_err(|cause| Fault::new(Stage::Connect, cause))?;
    // At once, so that nobody else holds it for dead while this request is under way.
    x.revived = x.revived.or(live.health.came_back(parts.clock.now()));
    Ok(Box::new(Conn::new(stream, Kind::Response, limits_of(client, live))))
}

/// The codec's limits for a back-end: those of the listener, and what its operator lets it do.
fn limits_of(client: &Conn, live: &Live) -> Rc<wire::Limits> {
    let limits = client.limits();
    let plan::Tolerance { bare_lf, folds, colon_blanks, chunk_blanks, equal_lengths, identity } =
        live.plan.tolerance;
    if live.plan.tolerance == plan::Tolerance::default() {
        return limits.clone();
    }
    let tolerance = wire::Tolerance { bare_lf, folds, colon_blanks, chunk_blanks, equal_lengths, identity };
    Rc::new(wire::Limits { tolerance, ..**limits })
}

/// What ends the wait for a head.
enum Event {
    Head(usize),
    Failed(Cause),
}

/// Sends head and body, passes interim answers on, and returns when the final head stands in `x.response`.
async fn until_answer(
    x: &mut Exchange,
    client: &mut Client,
    parts: &Parts,
    patience: Patience<'_>,
    conn: &mut Conn,
    waiting: &stats::Waiting<'_>,
) -> Result<Pump, Fault> {
    let fault = |cause| Fault::new(Stage::Forward, cause);
    let store = &parts.store;
    let mut upload = Pump::new(x.running.plan.listeners[x.client.listener].body_max);
    // The two channels of RPC over HTTP announce a GiB and send some bytes now and then, by design.
    let free = matches!(x.request.method_kind(), Method::RpcInData | Method::RpcOutData);
    client.watchdog.measure(free);
    let mut interim = 0;
    loop {
        let asked = interim == 0 && x.request.fields().get(Known::Expect).is_some();
        let event = wait_for_head(client, parts, patience, conn, &mut upload, asked, waiting).await;
        x.received = upload.bytes;
        let len = match event {
            Event::Head(len) => len,
            Event::Failed(cause) => {
                x.stray = conn.stray_byte().filter(|_| matches!(cause, Cause::BadAnswer(_)));
                x.offending = match cause {
                    Cause::BadBody(_) => excerpt::framing(client.conn.body_line()),
                    Cause::BadAnswer(_) => excerpt::line(conn.head_field_line()),
                    _ => Vec::new(),
                };
                return Err(fault(cause));
            }
        };
        let (mut bytes, slots) = store.head();
        bytes.extend_from_slice(&conn.unread()[..len]);
        conn.consume_head(len);
        let head = parse::response(bytes, slots, conn.limits()).map_err(|refused| {
            x.offending = excerpt::line(refused.field_line());
            fault(Cause::BadAnswer(refused.error))
        })?;
        if !head.is_interim() || head.status() == 101 {
            x.response = head;
            x.answered = Some(parts.clock.now());
            return Ok(upload);
        }
        interim += 1;
        if interim > conn.limits().interim_max {
            return Err(fault(Cause::AnswerUnexpected("interim answers without end")));
        }
        pass_interim(x, client, parts, head, patience.client).await?;
    }
}

/// Moves the body up until a head is here. `asked`: the client asked for a 100 and has got none yet.
async fn wait_for_head(
    client: &mut Client,
    parts: &Parts,
    patience: Patience<'_>,
    conn: &mut Conn,
    upload: &mut Pump,
    asked: bool,
    unanswered: &stats::Waiting<'_>,
) -> Event {
    let store = &parts.store;
    let Client { conn: client, watchdog, .. } = client;
    watchdog.set(patience.times.answer.time);
    let mut before = None;
    poll_fn(|cx| {
        if upload.is_running() {
            match upload.poll(client, conn, cx, store) {
                // A server that has had enough closes its side, but may have answered before: read on.
                Poll::Ready(Err(PumpError::Sink(_))) => upload.stop(),
                Poll::Ready(Err(error)) => return Poll::Ready(Event::Failed(request_cause(error))),
                Poll::Ready(Ok(())) | Poll::Pending => {}
            }
        }
        match conn.poll_head(cx, store) {
            Poll::Ready(Ok(len)) => return Poll::Ready(Event::Head(len)),
            Poll::Ready(Err(error)) => return Poll::Ready(Event::Failed(answer_cause(error, conn))),
            Poll::Pending => {}
        }
        if !upload.is_running()
            && let Err(cause) = watch(client, watchdog, patience, cx, store)
        {
            return Poll::Ready(Event::Failed(cause));
        }
        let wait = match upload.waiting {
            Waiting::Sink if upload.is_running() => Wait::BackendTakes,
            // A client that waits for a 100 owes us nothing: it is the back-end that is silent.
            Waiting::Source if upload.is_running() && !(asked && upload.bytes == 0) => Wait::ClientSends,
            _ => Wait::Answer,
        };
        if wait == Wait::Answer {
            // Not before: a client that sends slowly is no sign of a back-end that hangs.
            unanswered.begin();
        }
        let now = Some((upload.bytes, upload.passed(conn), upload.waiting, upload.is_running()));
        if now != before {
            before = now;
            watchdog.turn(patience.silence(wait).time, wait == Wait::ClientSends);
        }
        watchdog.poll_moving(cx, || upload.bytes).map(|bark| Event::Failed(patience.ends(wait, bark)))
    })
    .await
}

async fn pass_interim(
    x: &mut Exchange,
    client: &mut Client,
    parts: &Parts,
    mut head: ResponseHead,
    silence: Silence,
) -> Result<(), Fault> {
    // RFC 9110 section 15.2: not to an HTTP/1.0 client.
    if x.request.version() == Version::Http11 {
        hop::remove_hop_by_hop(head.fields_mut());
        // What the operator hides in answers is hidden in these too.
        x.response = head;
        rewrite::response(x)?;
        head = std::mem::take(&mut x.response);
        client.write_interim(&head, &parts.store);
        client.flush(silence).await.map_err(|cause| Fault::new(Stage::Forward, cause))?;
    }
    parts.store.keep_head(head.recycle());
    Ok(())
}

/// Checks the head of the final answer and says what follows it.
fn begin_answer(x: &mut Exchange, live: &Live, mut conn: Box<Conn>, upload: Pump) -> Result<Upstream, Fault> {
    let fault = |cause| Fault::new(Stage::Forward, cause);
    let head = &mut x.response;
    if head.status() == 101 {
        if !upload.is_done() {
            return Err(fault(Cause::AnswerUnexpected(
                "a switch of protocols before the end of the request",
            )));
        }
        // RFC 9110 section 7.8: only to a protocol that was asked for.
        let switched = hop::upgrade(head.fields()).map(<[u8]>::to_vec);
        match (&x.upgrade, switched) {
            (Some(asked), Some(got)) if asked.eq_ignore_ascii_case(&got) => {}
            _ => return Err(fault(Cause::AnswerUnexpected("a switch to a protocol that was not asked for"))),
        }
    }
    let method = x.request.method_kind();
    let length = framing::response(head, method).map_err(|error| {
        x.offending = excerpt::fields(head.fields(), error.fields());
        fault(Cause::BadAnswerFraming(error))
    })?;
    let length_info =
        if method == Method::Head || head.status() == 304 { framing::stated_length(head) } else { None };
    let http10 = head.version() == Version::Http10;
    live.saw_http10(http10);
    let persists = length != BodyLength::UntilClose && h1::persists(head.version(), head.fields());
    let keep = persists.then(|| pool::patience(head.fields())).filter(|patience| !patience.is_zero());
    let nominated = hop::remove_hop_by_hop(head.fields_mut());
    conn.begin_read(length);
    if length == BodyLength::Chunked {
        let (running, listener, service) = (x.running.clone(), x.client.listener, x.service);
        conn.set_trailer_rule(Box::new(move |trailers| {
            nominated.remove_from(trailers);
            rewrite::response_trailers(&running.plan, listener, service, trailers);
        }));
    }
    Ok(Upstream { conn, upload, length, length_info, keep })
}

/// Waits for the first byte of a body of known length. A head alone is of no use to the client, and as long as it has not
/// been passed on, a server that dies between head and body has answered nothing: many send the two apart. Answers whose
/// head matters by itself (streams of events, long polls) have no length.
async fn first_bytes(
    mut upstream: Upstream,
    client: &mut Client,
    parts: &Parts,
    patience: Patience<'_>,
) -> Result<Upstream, Fault> {
    let has_body = matches!(upstream.length, BodyLength::Length(1..));
    if !has_body || !upstream.upload.is_done() {
        return Ok(upstream);
    }
    let Client { conn: client, watchdog, .. } = client;
    let silence = patience.times.stream;
    watchdog.set(silence.time);
    let conn = &mut upstream.conn;
    let begun = poll_fn(|cx| {
        match conn.poll_body(cx, &parts.store) {
            Poll::Ready(Ok(_)) => return Poll::Ready(Ok(())),
            // What we have no memory for is no fault of the back-end.
            Poll::Ready(Err(ReadError::Io(error))) if is_shortage(&error) => {
                return Poll::Ready(Err(Cause::NoMemory));
            }
            Poll::Ready(Err(_)) => return Poll::Ready(Err(Cause::BackendSilent)),
            Poll::Pending => {}
        }
        watch(client, watchdog, patience, cx, &parts.store)?;
        watchdog.poll(cx).map(|()| Err(Cause::BackendPaused(silence)))
    })
    .await;
    begun.map(|()| upstream).map_err(|cause| Fault::new(Stage::Forward, cause))
}

impl Upstream {
    /// How the answer is framed for the client, and whether its connection may stay open after it.
    fn framing(&self, x: &mut Exchange, stopping: bool) -> Framing<'static> {
        let http10 = x.request.version() == Version::Http10;
        let body = match self.length {
            // A body that ends with the back-end's connection gets an end of its own, where the client can read one.
            BodyLength::UntilClose if !http10 => BodyLength::Chunked,
            BodyLength::Chunked if http10 => BodyLength::UntilClose,
            length => length,
        };
        // An answer before the end of the request: what is still to come of it may never be read.
        x.keep = x.keep && !stopping && body != BodyLength::UntilClose && self.upload.is_done();
        let connection: Option<&[u8]> = match (x.keep, http10) {
            (false, _) => Some(b"close"),
            (true, true) => Some(b"keep-alive"),
            (true, false) => None,
        };
        Framing { connection, length_info: self.length_info, ..Framing::of(body) }
    }
}

/// Passes the answer on, and what is left of the request; gives the back-end's connection back if it may be used again.
pub(crate) async fn response(
    x: &mut Exchange,
    client: &mut Client,
    parts: &Parts,
    mut upstream: Upstream,
    service: usize,
    backend: usize,
) -> Result<(), Fault> {
    let running = x.running.clone();
    let live = &running.backends[backend];
    let _there = parts.stats.in_flight(backend);
    let framing = upstream.framing(x, parts.stopping.get());
    client.write_head(x, &framing, &parts.store);

    let mut download = Pump::new(None);
    let times = running.times(service, backend);
    let patience = Patience::of(x, &times);
    let result = move_bodies(client, parts, patience, &mut upstream, &mut download).await;
    x.sent.body_bytes = download.passed(&client.conn);
    x.received = upstream.upload.bytes;
    result.map_err(|cause| {
        if matches!(cause, Cause::BadAnswerBody(_)) {
            x.offending = excerpt::framing(upstream.conn.body_line());
        }
        Fault::new(Stage::Relay, cause)
    })?;
    client.finish_answer();

    let Upstream { mut conn, upload, keep, .. } = upstream;
    if let Some(patience) = keep
        && upload.is_done()
    {
        conn.idle(&parts.store);
        if conn.is_between_messages() {
            parts.pool.borrow_mut().put(live, conn, patience, parts.clock.now());
        }
    }
    Ok(())
}

async fn move_bodies(
    client: &mut Client,
    parts: &Parts,
    patience: Patience<'_>,
    upstream: &mut Upstream,
    download: &mut Pump,
) -> Result<(), Cause> {
    let store = &parts.store;
    let Client { conn: client, watchdog, .. } = client;
    let Upstream { conn: backend, upload, .. } = upstream;
    let mut before = None;
    poll_fn(|cx| {
        if upload.is_running() {
            // Whatever ends the upload now, the answer is what counts: a server that has answered early may have
            // closed its side, and a client that has seen the answer may send no more. Neither connection is used again.
            if let Poll::Ready(Err(_)) = upload.poll(client, backend, cx, store) {
                upload.stop();
            }
        }
        match download.poll(backend, client, cx, store) {
            Poll::Ready(Ok(())) => return Poll::Ready(Ok(())),
            Poll::Ready(Err(PumpError::Sink(error))) => return Poll::Ready(Err(Cause::of_client(error))),
            Poll::Ready(Err(PumpError::Source(error))) => {
                return Poll::Ready(Err(answer_cause(error, backend)));
            }
            Poll::Ready(Err(PumpError::Short(error))) => {
                return Poll::Ready(Err(Cause::BadAnswerBody(error)));
            }
            // This pump was given no greatest size.
            Poll::Ready(Err(PumpError::TooLarge)) => {
                return Poll::Ready(Err(Cause::AnswerUnexpected("more bytes than can be counted")));
            }
            Poll::Pending => {}
        }
        if !upload.is_running()
            && let Err(cause) = watch(client, watchdog, patience, cx, store)
        {
            return Poll::Ready(Err(cause));
        }
        // Whose turn it is: the client's if it has to take the answer, or to send what the back-end waits for.
        let wait = match download.waiting {
            Waiting::Sink => Wait::ClientTakes,
            Waiting::Source if upload.is_running() && upload.waiting == Waiting::Source => Wait::ClientSends,
            Waiting::Source => Wait::BackendSends,
        };
        let passed = download.passed(client);
        let now = Some((upload.bytes, upload.passed(backend), passed, wait));
        if now != before {
            before = now;
            // Once an answer has begun, a client that sends little may just have little to say: only how it takes what
            // is there for it is held against the least rate.
            watchdog.turn(patience.silence(wait).time, wait == Wait::ClientTakes);
        }
        watchdog
            .poll_moving(cx, || upload.bytes + passed.saturating_sub(client.stream().queued()))
            .map(|bark| Err(patience.ends(wait, bark)))
    })
    .await
}

/// Why the body of a request could not be moved.
fn request_cause(error: PumpError) -> Cause {
    match error {
        PumpError::Source(ReadError::Body(error)) | PumpError::Short(error) => Cause::BadBody(error),
        PumpError::Source(ReadError::Head(error)) => Cause::BadRequest(error),
        PumpError::Source(ReadError::Io(error)) => Cause::of_client(error),
        PumpError::Source(ReadError::Ended) => Cause::ClientClosed,
        PumpError::Sink(error) => Cause::BackendBroken(error),
        PumpError::TooLarge => Cause::BodyTooLarge,
    }
}

/// Why an answer could not be read. Not a byte of a head is another matter than half of one: only then the request may
/// be sent again.
fn answer_cause(error: ReadError, conn: &Conn) -> Cause {
    match error {
        ReadError::Head(error) => Cause::BadAnswer(error),
        ReadError::Body(error) => Cause::BadAnswerBody(error),
        ReadError::Io(error) if is_shortage(&error) => Cause::NoMemory,
        ReadError::Ended | ReadError::Io(_) if !conn.has_answered() => Cause::BackendSilent,
        ReadError::Io(error) => Cause::BackendBroken(error),
        ReadError::Ended => Cause::BackendBroken(io::ErrorKind::UnexpectedEof.into()),
    }
}
