//! One request and its answer, from the first byte of the head to the log line.
//!
//! The Exchange travels through all stages and carries what each of them found out; everything the log needs is in
//! it. It is made when the first byte of a request is here (an idle keep-alive connection has none).

use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use smallvec::SmallVec;
use wire::hop::Nominated;
use wire::{BodyLength, RequestHead, ResponseHead};

use crate::backend::health::Attempt;
use crate::buffer::Store;
use crate::clock::Moment;
use crate::tls;
use crate::world::Current;

/// One end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// TCP.
    Inet(SocketAddr),
    /// A Unix socket; the other end has no address.
    Unix,
}

impl Endpoint {
    /// The address, IPv4-mapped ones turned into IPv4; `None` for a Unix socket.
    pub(crate) fn ip(self) -> Option<IpAddr> {
        match self {
            Endpoint::Inet(address) => Some(address.ip().to_canonical()),
            Endpoint::Unix => None,
        }
    }

    /// The port; `None` for a Unix socket.
    pub(crate) fn port(self) -> Option<u16> {
        match self {
            Endpoint::Inet(address) => Some(address.port()),
            Endpoint::Unix => None,
        }
    }
}

/// What is known of a client connection, the same for all of its requests.
#[derive(Debug)]
pub(crate) struct ClientFacts {
    /// The other end.
    pub peer: Endpoint,
    /// Our end.
    pub local: Endpoint,
    /// Index into `Plan::listeners`.
    pub listener: usize,
    /// The client came over TLS.
    pub secure: bool,
    /// It came without TLS where TLS is spoken: it gets told so, and nothing else.
    pub misplaced: bool,
    /// What the TLS handshake has agreed on. Boxed: whoever comes without TLS pays for no room.
    pub tls: Option<Box<tls::Facts>>,
}

/// The groups of one match, copied out of the subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Captured {
    /// `-tag` of the pattern.
    pub tag: Option<String>,
    /// Group 0 is the whole match.
    pub groups: Vec<Option<Box<[u8]>>>,
}

/// What became of the claims that a request makes about its client.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Claims {
    /// The listener believes the peer.
    pub believed: bool,
    /// There were claims, and they were left standing until the service is known.
    pub kept: bool,
}

/// A request and its answer.
pub(crate) struct Exchange {
    /// Facts of the connection.
    pub client: Rc<ClientFacts>,
    /// The configuration that this request sees from start to end. Counted within the worker, so that taking it for a
    /// request touches no cache line of another.
    pub running: Current,
    /// The request; changed by sanitising and rewriting. `request.line()` stays what was received.
    pub request: RequestHead,
    /// The answer, once its head is here or made.
    pub response: ResponseHead,
    /// The start line of a head that could not be parsed, as far as it is printable; for the log.
    pub unparsed: Vec<u8>,
    /// The part of the request or answer that a fault is about; for the log.
    pub offending: Vec<u8>,
    /// The byte that a fault is about: itself, its line in the head and its place in the line, from 1; for the log.
    pub stray: Option<(u8, usize, usize)>,
    /// How the body of the request is framed.
    pub body: BodyLength,
    /// The client lets the connection carry another request.
    pub keep: bool,
    /// Fields that the request's Connection names: they end here, in trailers too.
    pub nominated: Nominated,
    /// The Host before the back-end's own name took its place (`ServerName`); within, `None` if there was no Host.
    pub host_before: Option<Option<Vec<u8>>>,
    /// Body bytes that were received, without framing.
    pub received: u64,
    /// Index into `Plan::services`, once routed.
    pub service: Option<usize>,
    /// Index into `Plan::backends`: the one that the request went to last.
    pub backend: Option<usize>,
    /// How often that one had come back to life when a connection to it was last begun.
    pub(crate) revival: u32,
    /// How it comes to that one.
    pub(crate) attempt: Attempt,
    /// It was last sent on a connection that had carried another one before.
    pub(crate) reused: bool,
    /// That one was taken for dead, for so long, and has taken a connection now.
    pub(crate) revived: Option<Duration>,
    /// Times the request was sent, in whole or in part.
    pub(crate) sends: u32,
    /// How often it has gone to a listener of our own before it came here.
    pub(crate) hops: u8,
    /// Back-ends that were given up on, by index.
    pub tried: SmallVec<[usize; 4]>,
    /// Matches so far, the latest last. Only kept when some template refers to one (`Plan::captures`).
    pub captures: Vec<Captured>,
    /// The client's address as trusted proxies report it; the peer's where none is trusted.
    pub origin: Option<IpAddr>,
    /// What the peer claims about the client, as far as it may.
    pub claims: Claims,
    /// The protocol that the client asked to switch to, when it may.
    pub upgrade: Option<Vec<u8>>,
    /// The first byte of the request was here.
    pub began: Moment,
    /// The head of a back-end's final answer was here.
    pub answered: Option<Moment>,
    /// What has been sent to the client so far.
    pub sent: Sent,
    /// The code of the fault that it ended with.
    pub(crate) fault: Option<&'static str>,
}

impl Exchange {
    /// Opens one, whose first byte was here at `began`.
    pub(crate) fn open(client: Rc<ClientFacts>, running: Current, began: Moment) -> Exchange {
        let origin = client.peer.ip();
        Exchange {
            client,
            running,
            request: RequestHead::new(),
            response: ResponseHead::new(),
            unparsed: Vec::new(),
            offending: Vec::new(),
            stray: None,
            body: BodyLength::None,
            keep: false,
            nominated: Nominated::default(),
            host_before: None,
            received: 0,
            service: None,
            backend: None,
            revival: 0,
            attempt: Attempt::Usual,
            reused: false,
            revived: None,
            sends: 0,
            hops: 0,
            tried: SmallVec::new(),
            captures: Vec::new(),
            origin,
            claims: Claims::default(),
            upgrade: None,
            began,
            answered: None,
            sent: Sent::default(),
            fault: None,
        }
    }

    /// The listener that the client came in by.
    pub(crate) fn listener(&self) -> &plan::Listener {
        &self.running.plan.listeners[self.client.listener]
    }

    /// The service, once one was found.
    pub(crate) fn plan_of_service(&self) -> Option<&plan::Service> {
        self.service.and_then(|service| self.running.plan.services.get(service)).map(|service| &**service)
    }

    /// Gives the memory of the heads back.
    pub(crate) fn close(&mut self, store: &Store) {
        store.keep_head(std::mem::take(&mut self.request).recycle());
        store.keep_head(std::mem::take(&mut self.response).recycle());
    }
}

/// What of the answer is on its way to the client.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Sent {
    /// Status of the final answer, once its head has been handed to the connection; 0 before.
    pub status: u16,
    /// Body bytes, without framing.
    pub body_bytes: u64,
}
