//! A handshake whose key is in a token: its state goes to a helper whenever there is something to compute, and comes back.
//!
//! rustls signs in the middle of reading, and has no way to wait there. Bytes are moved by the worker, as everywhere. When
//! the client goes away or its time is over, the worker drops its end: what is under way is finished by the helper and
//! thrown away, what has not begun never does.
//!
//! A handshake has one signature by us. Once that is there, or a session goes on and there will be none, the rest is done
//! by the worker as for any other key: it must not wait behind those who only begin, or in a flood of these nobody who has
//! a signature would ever get to the end.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use rustls::server::{Accepted, AcceptedAlert};
use rustls::{Connection, HandshakeKind, IoState, ServerConfig};
use tokio::io::ReadBuf;

use super::{Token, key};
use crate::stream::Stream;
use crate::tls::stream::{RECORD, Scratch, TlsStream, flush};

/// A handshake, and whether the token may still be asked for something.
pub(in crate::tls) struct Begun {
    tls: Connection,
    signs: bool,
}

impl Begun {
    /// One in which nothing has been said yet.
    pub(in crate::tls) fn new(tls: Connection) -> Begun {
        Begun { tls, signs: true }
    }

    /// After a step in which a signature was asked for or was not.
    fn after(tls: Connection, asked: bool) -> Begun {
        let signs = !asked && tls.handshake_kind() != Some(HandshakeKind::Resumed);
        Begun { tls, signs }
    }
}

/// Answers a greeting.
pub(in crate::tls) async fn accept(
    token: &Token,
    accepted: Box<Accepted>,
    config: Arc<ServerConfig>,
) -> Option<Result<Begun, (rustls::Error, AcceptedAlert)>> {
    let answer = move || {
        let (made, asked) = key::with_asked(|| accepted.into_connection(config));
        made.map(|tls| Begun::after(tls.into(), asked))
    };
    token.helpers.run(answer).await
}

/// Brings a handshake to its end. `rest` is what the peer has sent behind its greeting.
///
/// # Errors
/// As of sockets; [`io::ErrorKind::InvalidData`] with rustls' error where TLS is to blame.
pub(in crate::tls) async fn finish(
    token: &Token,
    mut stream: Stream,
    begun: Begun,
    rest: Vec<u8>,
    scratch: &Scratch,
) -> io::Result<TlsStream> {
    let Begun { mut tls, mut signs } = begun;
    let mut bytes = rest;
    let (mut plaintext, mut ended) = (0, false);
    while signs && tls.is_handshaking() {
        if !bytes.is_empty() {
            let step = token.helpers.run(move || {
                let (outcome, asked) = key::with_asked(|| work(&mut tls, &bytes));
                (Begun::after(tls, asked), outcome)
            });
            let (begun, outcome) = step.await.ok_or(io::ErrorKind::Other)?;
            (tls, signs) = (begun.tls, begun.signs);
            bytes = Vec::new();
            match outcome {
                Ok(state) => (plaintext, ended) = (state.plaintext_bytes_to_read(), state.peer_has_closed()),
                Err(error) => {
                    // The peer should hear what was wrong; whether it does changes nothing.
                    let _ = flush(&mut tls, &mut stream, &mut Context::from_waker(Waker::noop()));
                    return Err(error);
                }
            }
        } else {
            if !tls.wants_write() {
                stream.acknowledge();
            }
            poll_fn(|cx| flush(&mut tls, &mut stream, cx)).await?;
            bytes = read(&mut stream, scratch).await?;
        }
    }
    let mut tls = TlsStream::resume(stream, tls, scratch.clone(), plaintext, ended);
    tls.feed(&bytes)?;
    while !poll_fn(|cx| tls.poll_handshake(cx)).await? {}
    Ok(tls)
}

/// Lets rustls work on what has come.
fn work(tls: &mut Connection, mut bytes: &[u8]) -> io::Result<IoState> {
    loop {
        let taken = tls.read_tls(&mut bytes)?;
        let state =
            tls.process_new_packets().map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        if taken == 0 || bytes.is_empty() {
            return Ok(state);
        }
    }
}

/// Reads once, and no more than rustls has room for: behind the last message of a handshake there may be a request. An end
/// is an error, as it is in the middle of a handshake.
async fn read(stream: &mut Stream, scratch: &Scratch) -> io::Result<Vec<u8>> {
    poll_fn(|cx| {
        scratch.with(|scratch| {
            let mut read = ReadBuf::new(&mut scratch[..RECORD]);
            match stream.poll_read_into(cx, &mut read) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                Poll::Ready(Ok(())) if read.filled().is_empty() => {
                    Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()))
                }
                // The scratch buffer is everybody's, and a helper needs bytes of its own.
                Poll::Ready(Ok(())) => Poll::Ready(Ok(read.filled().to_vec())),
            }
        })
    })
    .await
}
