//! URLs in messages that name one of us: `RewriteLocation` for answers, `RewriteDestination` for requests.
//!
//! A back-end that builds URLs out of its own address sends clients to where they cannot go. Such a Location or
//! Content-Location is turned to the scheme and host that the client asked for. The other way round a back-end refuses the
//! Destination of a WebDAV request that is not of its own scheme and Host; so it is turned to these. Addresses are compared
//! as they are known since start; no name is resolved while a request waits.

use std::net::{IpAddr, SocketAddr};

use plan::listener::RewriteLocation;
use plan::{BackendAddress, ListenAddress};
use wire::target::{self, Authority, Scheme};
use wire::{Known, Method, ParseError};

use crate::backend::{Address, Live};
use crate::exchange::Exchange;

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
    let mode = x.plan_of_service().and_then(|service| service.rewrite_location);
    let mode = mode.unwrap_or(x.listener().rewrite_location);
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
    // A URL of the listener's host is turned whatever its port, as C Pound does. But an application that sends visitors to
    // TLS means it: turned back, the client would ask without TLS for ever.
    let leads_to_tls = url.scheme == Scheme::Https && !x.client.secure;
    let ours = names_backend(&url, x)
        || (mode == RewriteLocation::BackendOrListener && !leads_to_tls && names_listener(&url, x));
    let scheme: &[u8] = if x.client.secure { b"https://" } else { b"http://" };
    ours.then(|| [scheme, asked, url.rest].concat())
}

/// The Host that the client sent, whatever the back-end was told.
fn asked_host(x: &Exchange) -> Option<&[u8]> {
    let now = || x.host_before.as_ref().map_or_else(|| x.request.host(), Option::as_deref);
    x.request.received(Known::Host.name().as_bytes()).or_else(now)
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

/// Whether the host of a URL is the one that was asked for, or an address or name of the listener.
fn names_listener(url: &Url<'_>, x: &Exchange) -> bool {
    let listener = x.listener();
    asked_host(x).and_then(|host| target::authority(host).ok()).is_some_and(|asked| url.is_host(asked.host))
        || matches!(&listener.address, ListenAddress::Name(name, _) if url.is_host(name.as_bytes()))
        || x.client.local.ip().is_some_and(|local| url.is_address(local))
        || matches!(&listener.address, ListenAddress::Inet(address) if url.is_address(address.ip()))
}

/// Whether a URL is on the server that the request was sent to: its host and its port, as the client knows them, which
/// behind a mapped port or another proxy are not the listener's. Another port is another server, of which a back-end
/// must not think that it is itself.
fn is_asked_server(url: &Url<'_>, x: &Exchange) -> bool {
    if !names_listener(url, x) {
        return false;
    }
    // TLS may end before us, so the scheme is the URL's own.
    let asked = asked_host(x).and_then(|host| target::authority(host).ok());
    let asked_port = asked.map(|asked| asked.port.unwrap_or(url.scheme.default_port()));
    asked_port == Some(url.port()) || x.client.local.port() == Some(url.port())
}

/// The fields of a WebDAV request whose URLs are turned to the back-end (`RewriteDestination`): those that stand in it as
/// they were received. What a rule has set stays. To be asked before the first back-end is tried.
pub(crate) fn destinations(x: &Exchange) -> Destinations {
    let wanted = x.plan_of_service().and_then(|service| service.rewrite_destination);
    if !wanted.unwrap_or(x.listener().rewrite_destination) {
        return Destinations::default();
    }
    let kept = |name: &[u8]| {
        let received = x.request.received(name)?;
        let mut now = x.request.fields().find_all(name);
        // Two lines are a matter for the back-end, which refuses them.
        (now.next() == Some(received) && now.next().is_none()).then(|| received.to_vec())
    };
    Destinations { destination: kept(DESTINATION), conditions: kept(IF) }
}

/// Whether a back-end has refused a COPY or MOVE that it may have taken for one to another server: by the status that RFC
/// 4918 section 9.8.5 has for that, or nginx's 400, of a request whose Destination nobody turns.
pub(crate) fn is_destination_refused(x: &Exchange) -> bool {
    let turns = x.plan_of_service().and_then(|service| service.rewrite_destination);
    matches!(x.request.method_kind(), Method::Copy | Method::Move)
        && x.backend.is_some()
        && matches!(x.response.status(), 400 | 502)
        && !turns.unwrap_or(x.listener().rewrite_destination)
        && x.request
            .fields()
            .get(Known::Destination)
            .and_then(Url::parse)
            .is_some_and(|url| is_asked_server(&url, x))
}

const DESTINATION: &[u8] = b"Destination";
const IF: &[u8] = b"If";

/// What [`destinations`] found, as it was received.
#[derive(Debug, Default)]
pub(crate) struct Destinations {
    destination: Option<Vec<u8>>,
    conditions: Option<Vec<u8>>,
}

/// Turns them to the back-end that the request goes to: to the scheme it is spoken to by and the Host that it is sent. Done
/// for each back-end that is tried, after its Host is set.
pub(crate) fn turn_destinations(x: &mut Exchange, found: &Destinations, live: &Live) {
    if found.destination.is_none() && found.conditions.is_none() {
        return;
    }
    let Some(host) = x.request.host().map(<[u8]>::to_vec) else { return };
    let scheme: &[u8] = if live.plan.tls.is_some() { b"https://" } else { b"http://" };
    let turned = |text: &[u8]| {
        let url = Url::parse(text).filter(|url| is_asked_server(url, x))?;
        Some([scheme, &host, url.rest].concat())
    };
    let destination = found.destination.as_deref().and_then(turned);
    let conditions = found.conditions.as_deref().map(|value| turn_tags(value, turned));
    // Only a head at its bound of some megabytes refuses; it then keeps the field as it came.
    if let Some(new) = destination {
        let _ = x.request.fields_mut().set(DESTINATION, &new);
    }
    if let Some(new) = conditions {
        let _ = x.request.fields_mut().set(IF, &new);
    }
}

/// Turns the resource tags of an If field (RFC 4918 section 10.4): what stands in angle brackets outside of the lists in
/// parentheses. Within them such brackets hold state tokens, which are not URLs of ours whatever they look like, and square
/// ones entity tags, which may hold anything.
fn turn_tags(value: &[u8], turned: impl Fn(&[u8]) -> Option<Vec<u8>>) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len());
    let mut rest = value;
    let mut in_list = false;
    while let Some((&byte, behind)) = rest.split_first() {
        let close = match byte {
            b'<' => b'>',
            b'"' => b'"',
            _ => {
                in_list = (in_list || byte == b'(') && byte != b')';
                out.push(byte);
                rest = behind;
                continue;
            }
        };
        let Some(len) = memchr::memchr(close, behind) else { break };
        let inside = &behind[..len];
        out.push(byte);
        match turned(inside).filter(|_| byte == b'<' && !in_list) {
            Some(new) => out.extend_from_slice(&new),
            None => out.extend_from_slice(inside),
        }
        out.push(close);
        rest = &behind[len + 1..];
    }
    out.extend_from_slice(rest);
    out
}

/// Sets Host to the name by which the back-end wants to be called (`ServerName`), or to its address where a rule has
/// removed the client's, since HTTP/1.1 has to name a host; and back to what it was for the next one that is tried.
pub(crate) fn host(x: &mut Exchange, live: &Live) {
    // A head at its bound of some megabytes keeps the Host that it has.
    match x.host_before.take() {
        Some(Some(before)) => drop(x.request.fields_mut().set_known(Known::Host, &before)),
        Some(None) => x.request.fields_mut().remove_known(Known::Host),
        None => {}
    }
    let name = match live.plan.tls.as_ref().and_then(|tls| tls.server_name.as_ref()) {
        Some(name) => name.to_string(),
        None if x.request.host().is_none() => address_of(live),
        None => return,
    };
    x.host_before = Some(x.request.host().map(<[u8]>::to_vec));
    let _ = x.request.fields_mut().set_known(Known::Host, name.as_bytes());
}

/// A back-end's own address, as Host names it.
fn address_of(live: &Live) -> String {
    match &live.plan.address {
        BackendAddress::Unix(_) => "localhost".to_owned(),
        address => address.to_string(),
    }
}

#[cfg(test)]
mod tests;
