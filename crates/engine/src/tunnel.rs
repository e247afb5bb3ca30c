//! After a 101: bytes both ways, until both sides have ended or nothing has moved for too long.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use wire::BodyLength;
use wire::h1::write::Framing;

use crate::buffer::Store;
use crate::client::Client;
use crate::exchange::Exchange;
use crate::fault::{Cause, Fault, Stage};
use crate::h1::Conn;
use crate::parts::Parts;

/// Bytes one way.
#[derive(Default)]
struct Way {
    ended: bool,
    passed: u64,
}

impl Way {
    /// Moves bytes; ready when the source has ended and the sink has been told.
    fn poll(
        &mut self,
        source: &mut Conn,
        sink: &mut Conn,
        cx: &mut Context<'_>,
        store: &Store,
    ) -> Poll<io::Result<()>> {
        while !self.ended {
            while !source.unread().is_empty() {
                let written = ready!(sink.poll_write_raw(cx, source.unread()))?;
                source.consume_raw(written);
                self.passed += written as u64;
            }
            ready!(sink.poll_flush(cx))?;
            // Upgraded connections are silent most of the time, and hold no buffer meanwhile.
            source.idle(store);
            ready!(source.poll_readable(cx))?;
            if ready!(source.poll_fill(cx, store))? == 0 {
                source.idle(store);
                self.ended = true;
                // Half-close: the other side may still have something to say. It may also be gone already.
                let _ = sink.end();
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// Passes the 101 on and runs the tunnel to its end: both sides have ended, one broke, or nothing moved for `idle`.
pub(crate) async fn run(
    x: &mut Exchange,
    client: &mut Client,
    backend: &mut Conn,
    idle: Duration,
    parts: &Parts,
) -> Result<(), Fault> {
    let protocol = x.upgrade.clone();
    let framing = Framing { upgrade: protocol.as_deref(), ..Framing::of(BodyLength::None) };
    client.write_head(x, &framing, &parts.store);
    client.flush(x.listener().client_stream).await.map_err(|cause| Fault::new(Stage::Relay, cause))?;
    client.finish_answer();
    x.keep = false;

    let Client { conn: client, watchdog, .. } = client;
    watchdog.set(idle);
    let (mut up, mut down) = (Way::default(), Way::default());
    let mut before = 0;
    let end = poll_fn(|cx| {
        let upward = up.poll(client, backend, cx, &parts.store);
        let downward = down.poll(backend, client, cx, &parts.store);
        match (upward, downward) {
            (Poll::Ready(Err(error)), _) | (_, Poll::Ready(Err(error))) => {
                return Poll::Ready(Err(Cause::TunnelBroken(error)));
            }
            (Poll::Ready(Ok(())), Poll::Ready(Ok(()))) => return Poll::Ready(Ok(())),
            _ => {}
        }
        let passed = up.passed + down.passed;
        if passed != before {
            before = passed;
            watchdog.set(idle);
        }
        watchdog.poll(cx).map(|()| Err(Cause::TunnelIdle))
    })
    .await;
    x.received = up.passed;
    x.sent.body_bytes = down.passed;
    end.map_err(|cause| Fault::new(Stage::Tunnel, cause))
}
