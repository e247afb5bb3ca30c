//! The handshake with a client.

use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use plan::tls::Suite;
use rustls::server::{Accepted, AcceptedAlert, Acceptor};
use tokio::io::ReadBuf;
use tokio::time::timeout;

use super::clients::{self, Peer};
use super::handshakes::{Handshakes, Place};
use super::sites::{Facts, Server, Site, asked_for, supported};
use super::stream::{Scratch, TlsStream};
use super::token::{self, Unsigned};
use crate::fresh;
use crate::stream::Stream;

/// Who came.
pub(crate) enum Arrival {
    /// A client that speaks TLS.
    Secure(Stream, Facts),
    /// One that speaks HTTP without it, and what it has said so far.
    Plain(Stream, Vec<u8>),
}

/// Why there is no connection.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The client went away, or said nothing at all.
    Gone,
    /// The system could not watch it.
    Unwatched(io::Error),
    /// It took too long, or had to make room.
    Slow,
    /// It asked for a name that we do not have.
    UnknownName(String),
    /// What it said is no TLS, or nothing that we can agree on.
    Refused(String),
    /// The token has not signed; it tells of that itself.
    Unsigned,
}

impl Failure {
    /// Why reading failed: mostly the client has gone.
    fn of(error: io::Error) -> Failure {
        if fresh::is_unwatched(&error) { Failure::Unwatched(error) } else { Failure::Gone }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Gone => f.write_str("the client went away"),
            Failure::Unwatched(error) => error.fmt(f),
            Failure::Slow => f.write_str("the client took too long"),
            Failure::UnknownName(name) => write!(f, "no certificate is for {name} (StrictSNI)"),
            Failure::Refused(reason) => f.write_str(reason),
            Failure::Unsigned => f.write_str("the token of SSLEngine has not signed"),
        }
    }
}

/// A fatal alert before anything was agreed on (RFC 8446 section 6.2): unrecognized_name.
const UNRECOGNIZED_NAME: &[u8] = &[21, 3, 3, 0, 2, 2, 112];

/// Another: internal_error.
const INTERNAL_ERROR: &[u8] = &[21, 3, 3, 0, 2, 2, 80];

/// Another: handshake_failure, for what rustls refuses without a word: that there is no signature both sides can do with.
const HANDSHAKE_FAILURE: &[u8] = &[21, 3, 3, 0, 2, 2, 40];

/// The first byte of a TLS record with a handshake message.
const HANDSHAKE: u8 = 22;

/// Makes a handshake; all of it may take as long as `limit`.
pub(crate) async fn accept(
    stream: Stream,
    server: &Server,
    handshakes: &Rc<Handshakes>,
    scratch: &Scratch,
    limit: Duration,
) -> Result<Arrival, Failure> {
    timeout(limit, greet(stream, server, handshakes, scratch)).await.unwrap_or(Err(Failure::Slow))
}

async fn greet(
    mut stream: Stream,
    server: &Server,
    handshakes: &Rc<Handshakes>,
    scratch: &Scratch,
) -> Result<Arrival, Failure> {
    // A client that has said nothing yet costs nothing, so it needs no place. The runtime takes a Unix socket that it has
    // just accepted for readable without a look, which would give one to each.
    stream.settle();
    poll_fn(|cx| stream.poll_readable(cx)).await.map_err(Failure::of)?;
    let place = handshakes.enter();
    let mut negotiation = pin!(negotiate(stream, server, handshakes, scratch));
    poll_fn(|cx| match Place::poll_displaced(&place, cx) {
        Poll::Ready(()) => Poll::Ready(Err(Failure::Slow)),
        Poll::Pending => negotiation.as_mut().poll(cx),
    })
    .await
}

async fn negotiate(
    mut stream: Stream,
    server: &Server,
    handshakes: &Handshakes,
    scratch: &Scratch,
) -> Result<Arrival, Failure> {
    let (accepted, rest) = match hello(&mut stream, scratch).await? {
        Hello::Tls(accepted, rest) => (accepted, rest),
        Hello::Http(bytes) => return Ok(Arrival::Plain(stream, bytes)),
    };
    let server_name = asked_for(&accepted.client_hello());
    let Some(site) = server.choose(&accepted.client_hello()) else {
        send(&mut stream, UNRECOGNIZED_NAME).await;
        return Err(Failure::UnknownName(server_name.unwrap_or_default().into()));
    };
    let config = site.config(&accepted.client_hello());
    if let Some(token) = site.token().cloned() {
        // A token takes its time, which is not ours.
        let begun = match token::accept(&token, accepted, config).await {
            Some(Ok(begun)) => begun,
            Some(Err((error, _))) if Unsigned::is(&error) => {
                send(&mut stream, INTERNAL_ERROR).await;
                return Err(Failure::Unsigned);
            }
            Some(Err((error, alert))) => return Err(refuse(&mut stream, &error, alert).await),
            None => return Err(Failure::Unsigned),
        };
        let finished = token::finish(&token, stream, begun, rest, scratch).await;
        return facts(finished.map_err(|error| failure(&error))?, server, site, server_name);
    }
    // Computing a shared secret and signing it is most of the work of a handshake, and all of it that counts.
    let turn = handshakes.turn().await;
    let connection = accepted.into_connection(config);
    if let Some(turn) = turn {
        turn.end().await;
    }
    let connection = match connection {
        Ok(connection) => connection,
        Err((error, alert)) => return Err(refuse(&mut stream, &error, alert).await),
    };
    let mut tls = TlsStream::new(stream, connection.into(), scratch.clone());
    tls.feed(&rest).map_err(|error| failure(&error))?;
    while !poll_fn(|cx| tls.poll_handshake(cx)).await.map_err(|error| failure(&error))? {}
    facts(tls, server, site, server_name)
}

fn facts(
    tls: TlsStream,
    server: &Server,
    site: Arc<Site>,
    server_name: Option<Box<str>>,
) -> Result<Arrival, Failure> {
    let agreed = tls.tls().negotiated_cipher_suite();
    let ours = |suite: &&Suite| agreed.is_some_and(|agreed| agreed.suite() == supported(**suite).suite());
    // One that is not ours was never offered.
    let suite = *Suite::ALL.iter().find(ours).ok_or(Failure::Gone)?;
    let shown = tls.tls().peer_certificates().and_then(|chain| chain.first());
    let peer = shown.and_then(Peer::new).map(Box::new);
    let alpn = tls.tls().alpn_protocol().is_some();
    let facts = Facts { site, server_name, suite, alpn, peer, verified: server.verifies() };
    Ok(Arrival::Secure(Stream::Tls(Box::new(tls)), facts))
}

/// What a client begins with.
enum Hello {
    /// The greeting of TLS, and what came behind it.
    Tls(Box<Accepted>, Vec<u8>),
    /// Something that looks like HTTP.
    Http(Vec<u8>),
}

/// Reads the greeting.
async fn hello(stream: &mut Stream, scratch: &Scratch) -> Result<Hello, Failure> {
    let mut acceptor = Acceptor::default();
    let mut first = true;
    loop {
        // The scratch buffer is everybody's, so nothing of it is kept while this waits.
        let step = poll_fn(|cx| {
            scratch.with(|scratch| {
                let mut read = ReadBuf::new(scratch);
                match stream.poll_read_into(cx, &mut read) {
                    Poll::Pending => Poll::Pending,
                    Poll::Ready(Err(error)) => Poll::Ready(Err(Failure::of(error))),
                    Poll::Ready(Ok(())) => Poll::Ready(Ok(look(&mut acceptor, read.filled(), first))),
                }
            })
        })
        .await?;
        first = false;
        match step {
            Step::More => {}
            Step::End => return Err(Failure::Gone),
            Step::Hello(hello) => return Ok(hello),
            Step::Refused(error, alert) => return Err(refuse(stream, &error, alert).await),
        }
    }
}

/// What some bytes of the greeting say.
enum Step {
    More,
    End,
    Hello(Hello),
    Refused(rustls::Error, AcceptedAlert),
}

fn look(acceptor: &mut Acceptor, mut bytes: &[u8], first: bool) -> Step {
    match bytes.first() {
        None => return Step::End,
        // No record of TLS begins with a letter, and every request line does.
        Some(byte)
            if first && *byte != HANDSHAKE && (byte.is_ascii_alphabetic() || b"\r\n".contains(byte)) =>
        {
            return Step::Hello(Hello::Http(bytes.to_vec()));
        }
        Some(_) => {}
    }
    while !bytes.is_empty() {
        match acceptor.read_tls(&mut bytes) {
            Ok(1..) => {}
            // A greeting larger than rustls puts up with.
            Ok(0) | Err(_) => return Step::End,
        }
        match acceptor.accept() {
            Ok(None) => {}
            Ok(Some(accepted)) => return Step::Hello(Hello::Tls(Box::new(accepted), bytes.to_vec())),
            Err((error, alert)) => return Step::Refused(error, alert),
        }
    }
    Step::More
}

/// Tells the client why not.
async fn refuse(stream: &mut Stream, error: &rustls::Error, mut alert: AcceptedAlert) -> Failure {
    let mut bytes = Vec::new();
    // Writing to memory cannot fail.
    let _ = alert.write_all(&mut bytes);
    if bytes.is_empty() {
        bytes.extend(HANDSHAKE_FAILURE);
    }
    send(stream, &bytes).await;
    Failure::Refused(error.to_string())
}

/// Sends a few last bytes, if the socket takes them at once.
async fn send(stream: &mut Stream, bytes: &[u8]) {
    let slice = [io::IoSlice::new(bytes)];
    poll_fn(|cx| {
        let _ = stream.poll_write(cx, &slice);
        Poll::Ready(())
    })
    .await;
    let _ = stream.end();
}

fn failure(error: &io::Error) -> Failure {
    let inner = error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>());
    match error.kind() {
        _ if inner.is_some_and(Unsigned::is) => Failure::Unsigned,
        io::ErrorKind::InvalidData => {
            let cause = error.get_ref();
            let about_certificate = cause.and_then(|cause| clients::refusal(cause.downcast_ref()?));
            Failure::Refused(
                about_certificate
                    .unwrap_or_else(|| cause.map_or_else(|| error.to_string(), ToString::to_string)),
            )
        }
        _ => Failure::Gone,
    }
}
