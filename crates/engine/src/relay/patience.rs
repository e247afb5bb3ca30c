//! How long each side of an exchange may do nothing, what that is called when it ends, and whether the client is still
//! there meanwhile.

use std::task::{Context, Poll};

use plan::{Silence, Times};

use crate::buffer::Store;
use crate::client::{is_begun, late};
use crate::exchange::Exchange;
use crate::fault::Cause;
use crate::h1::Conn;
use crate::watchdog::{Bark, Watchdog};

/// What the exchange waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    /// The back-end has the request and has not begun to answer.
    Answer,
    BackendTakes,
    BackendSends,
    ClientTakes,
    ClientSends,
}

/// How long each of them may do nothing, and what a client may do without having left.
#[derive(Clone, Copy)]
pub(super) struct Patience<'a> {
    pub(super) client: Silence,
    pub(super) times: &'a Times,
    /// A client over TCP without TLS that ends its side may still read.
    half_close: bool,
}

impl<'a> Patience<'a> {
    pub(super) fn of(x: &Exchange, times: &'a Times) -> Patience<'a> {
        let listener = x.listener();
        Patience { client: listener.client_stream, times, half_close: listener.half_close }
    }

    pub(super) fn silence(self, wait: Wait) -> Silence {
        match wait {
            Wait::Answer => self.times.answer,
            Wait::BackendTakes | Wait::BackendSends => self.times.stream,
            Wait::ClientTakes | Wait::ClientSends => self.client,
        }
    }

    /// What it is called when it ends.
    pub(super) fn ends(self, wait: Wait, bark: Bark) -> Cause {
        let silence = self.silence(wait);
        match wait {
            Wait::Answer => Cause::BackendTimeout(silence),
            Wait::BackendTakes => Cause::BackendReadsNothing(silence),
            Wait::BackendSends => Cause::BackendPaused(silence),
            Wait::ClientTakes => late(bark, Cause::ClientReadsNothing(silence)),
            Wait::ClientSends => late(bark, Cause::ClientPaused(silence)),
        }
    }
}

/// Notices a client that leaves while the back-end works: then this work is for nobody, and the back-end's connection is
/// closed. A client that has only ended its side may still read, where `half_close` says so.
pub(super) fn watch(
    client: &mut Conn,
    watchdog: &Watchdog,
    patience: Patience<'_>,
    cx: &mut Context<'_>,
    store: &Store,
) -> Result<(), Cause> {
    if is_begun(client.unread()) {
        // What comes now is the next request; it waits where it is.
        return Ok(());
    }
    if client.has_ended() {
        // Its upload was cut short, or it has been looked at before: nothing more comes that could be read.
        return left(client, patience);
    }
    if client.stream().is_fresh() && watchdog.looks_soon() {
        // Mostly the answer is here before that, and then two system calls are spared.
        return Ok(());
    }
    while let Poll::Ready(ready) = client.poll_readable(cx) {
        ready.map_err(Cause::of_client)?;
        match client.poll_fill(cx, store) {
            Poll::Ready(Ok(0)) => return left(client, patience),
            Poll::Ready(Ok(_)) if is_begun(client.unread()) => break,
            // The empty line that old clients send after a body.
            Poll::Ready(Ok(_)) => {}
            Poll::Ready(Err(error)) => return Err(Cause::of_client(error)),
            Poll::Pending => break,
        }
    }
    Ok(())
}

/// What it means that the client has ended its side.
fn left(client: &Conn, patience: Patience<'_>) -> Result<(), Cause> {
    if client.stream().is_gone(patience.half_close) { Err(Cause::ClientLeft) } else { Ok(()) }
}
