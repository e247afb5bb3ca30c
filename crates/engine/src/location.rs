//! URLs in messages that name one of us: `RewriteLocation` for answers, `RewriteDestination` for requests.
//!
//! A back-end that builds URLs out of its own address sends clients to where they cannot go. Such a Location or
//! Content-Location is turned to the scheme and host that the client asked for. Addresses are compared as they are
//! known since start; no name is resolved while a request waits.

use std::net::{IpAddr, SocketAddr};

use plan::listener::RewriteLocation;
use plan::{BackendAddress, ListenAddress};
use wire::target::{self, Authority, Scheme};
use wire::{Known, ParseError};

use crate::backend::{Address, Live};
use crate::exchange::{Endpoint, Exchange};

/// An absolute URL in its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Url<'a> {
    scheme: Scheme,
    authority: Authority<'a>,
    /// Path, query and fragment.
    rest: &'a [u8],
}

impl<'a> Url<'a> {
    fn parse(text: &'a [u8]) -> Option<Url<'a>> {
        let after = |scheme: &[u8]| {
            let (start, rest) = text.split_at_checked(scheme.len())?;
            start.eq_ignore_ascii_case(scheme).then_some(rest)
        };
        let (scheme, rest) = match (after(b"http://"), after(b"https://")) {
            (Some(rest), _) => (Scheme::Http, rest),
            (_, Some(rest)) => (Scheme::Https, rest),
            _ => return None,
        };
        let end = rest.iter().position(|byte| b"/?#".contains(byte)).unwrap_or(rest.len());
        let authority: Result<_, ParseError> = target::authority(&rest[..end]);
        Some(Url { scheme, authority: authority.ok()?, rest: &rest[end..] })
    }

    fn port(&self) -> u16 {
        self.authority.port.unwrap_or(self.scheme.default_port())
    }

    fn is_host(&self, name: &[u8]) -> bool {
        let host = self.authority.host;
        host.strip_suffix(b".").unwrap_or(host).eq_ignore_ascii_case(name.strip_suffix(b".").unwrap_or(name))
    }

    /// Whether the host is this address, or `localhost` and the address is a loopback one.
    fn is_address(&self, address: IpAddr) -> bool {
        let host = self.authority.host;
        let literal = match host {
            [b'[', inner @ .., b']'] => inner,
            host => host,
        };
        let parsed = std::str::from_utf8(literal).ok().and_then(|text| text.parse::<IpAddr>().ok());
        let address = address.to_canonical();
        match parsed {
            Some(parsed) => parsed.to_canonical() == address,
            None => address.is_loopback() && self.is_host(b"localhost"),
        }
    }

    fn is_socket(&self, address: SocketAddr) -> bool {
        self.port() == address.port() && self.is_address(address.ip())
    }
}

/// Turns Location and Content-Location of the answer, where they name the back-end or the listener, to what the client
/// asked for.
pub(crate) fn rewrite(x: &mut Exchange) {
    let mode = x.listener().rewrite_location;
    if mode == RewriteLocation::Keep {
        return;
    }
    for known in [Known::Location, Known::ContentLocation] {
        if let Some(new) = x.response.fields().get(known).and_then(|value| turned(value, mode, x)) {
            // Only a head at its bound of some megabytes refuses; it then keeps the field as it came.
            let _ = x.response.fields_mut().set_known(known, &new);
        }
    }
}

/// The URL as the client should see it; `None` if it is to stay.
fn turned(value: &[u8], mode: RewriteLocation, x: &Exchange) -> Option<Vec<u8>> {
    let url = Url::parse(value)?;
    let asked = asked_host(x)?;
    let ours =
        names_backend(&url, x) || (mode == RewriteLocation::BackendOrListener && names_listener(&url, x));
    let scheme: &[u8] = if x.client.secure { b"https://" } else { b"http://" };
    ours.then(|| [scheme, asked, url.rest].concat())
}

/// The Host that the client sent, whatever the back-end was told.
fn asked_host(x: &Exchange) -> Option<&[u8]> {
    x.request.received(Known::Host.name().as_bytes()).or_else(|| x.request.host())
}

fn names_backend(url: &Url<'_>, x: &Exchange) -> bool {
    let Some(live) = x.backend.and_then(|backend| x.running.backends.get(backend)) else { return false };
    let named = match &live.plan.address {
        BackendAddress::Name(name, port) => url.port() == *port && url.is_host(name.as_bytes()),
        BackendAddress::Inet(..) | BackendAddress::Unix(_) => false,
    };
    let resolved = match &live.address {
        Address::Inet(addresses) => addresses.iter().any(|address| url.is_socket(*address)),
        Address::Unix(_) => false,
    };
    // A back-end that was told another Host than the client's takes that for its own name.
    let told = || {
        let sent = target::authority(x.request.host()?).ok()?;
        let asked = target::authority(asked_host(x)?).ok()?;
        Some(!sent.agrees(&asked, Scheme::Http) && sent.agrees(&url.authority, url.scheme))
    };
    named || resolved || told() == Some(true)
}

fn names_listener(url: &Url<'_>, x: &Exchange) -> bool {
    let asked = asked_host(x).and_then(|host| target::authority(host).ok());
    let listener = x.listener();
    let by_name = asked.is_some_and(|asked| url.is_host(asked.host))
        || matches!(&listener.address, ListenAddress::Name(name, _) if url.is_host(name.as_bytes()));
    let by_address = x.client.local.ip().is_some_and(|local| url.is_address(local))
        || matches!(&listener.address, ListenAddress::Inet(address) if url.is_address(address.ip()));
    if !by_name && !by_address {
        return false;
    }
    // Another port of the same host is another service, except where a back-end that knows of no TLS says http.
    let port = url.port();
    let own = match x.client.local {
        Endpoint::Inet(local) => local.port() == port,
        Endpoint::Unix => false,
    };
    let behind_tls = x.client.secure && url.scheme == Scheme::Http && url.authority.port.is_none();
    own || asked.is_some_and(|asked| asked.port == Some(port)) || behind_tls
}

/// Turns the Destination of a WebDAV request, where it names the listener, to the back-end that the request goes to
/// (`RewriteDestination`). Done for each back-end that is tried, from the field as it was received.
pub(crate) fn destination(x: &mut Exchange, live: &Live) {
    if !x.listener().rewrite_destination || x.request.fields().get(Known::Destination).is_none() {
        return;
    }
    let received = x.request.received(Known::Destination.name().as_bytes());
    let Some(url) = received.and_then(Url::parse).filter(|url| names_listener(url, x)) else { return };
    let authority = match (&live.plan.address, &live.address) {
        (BackendAddress::Unix(_), _) | (_, Address::Unix(_)) => return,
        (address, _) => address.to_string(),
    };
    let scheme: &[u8] = if live.plan.tls.is_some() { b"https://" } else { b"http://" };
    let new = [scheme, authority.as_bytes(), url.rest].concat();
    let _ = x.request.fields_mut().set_known(Known::Destination, &new);
}

/// Sets Host to the name by which the back-end wants to be called (`ServerName`), and back to what it was for the next
/// one that is tried.
pub(crate) fn host(x: &mut Exchange, live: &Live) {
    let name = live.plan.tls.as_ref().and_then(|tls| tls.server_name.as_ref());
    // A head at its bound of some megabytes keeps the Host that it has.
    if let Some(before) = x.host_before.take() {
        let _ = x.request.fields_mut().set_known(Known::Host, &before);
    }
    if let Some(name) = name {
        x.host_before = x.request.host().map(<[u8]>::to_vec);
        let _ = x.request.fields_mut().set_known(Known::Host, name.as_bytes());
    }
}

#[cfg(test)]
mod tests;
