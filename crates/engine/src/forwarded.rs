//! Who the client is: what proxies before us say about it, whom we believe, and what we tell the back-end.
//!
//! A request may come through proxies that add the address they got it from to a list (`ForwardedHeader`, usually
//! X-Forwarded-For). Only peers in `TrustedIP` are believed. From all others every field that makes a claim about
//! address, scheme or certificate is removed before any rule sees it, X-Forwarded-For too. The reasons are in
//! `docs/why/forwarded-headers.md`.

use std::net::IpAddr;

use plan::{Acl, Listener, Service, TlsHeaders};
use smallvec::SmallVec;
use wire::{Fields, Known, field, token};

use crate::exchange::{Claims, ClientFacts, Endpoint, Exchange};
use crate::text::Text;
use crate::tls;

/// Families of names by which proxies vouch for a client, in lower case.
const CLAIM_FAMILIES: &[&[u8]] = &[b"x-forwarded-", b"x-ssl-", b"ssl-client-", b"x-client-cert"];

/// Single names of that kind, in lower case.
const CLAIM_NAMES: &[&[u8]] = &[
    b"forwarded",
    b"x-real-ip",
    b"front-end-https",
    b"x-url-scheme",
    b"x-scheme",
    b"x-client-verify",
    b"x-client-dn",
    b"x-client-s-dn",
    b"x-client-i-dn",
    b"x-client-ip",
    b"x-cluster-client-ip",
    b"true-client-ip",
    b"client-ip",
    // No field of HTTP, but CGI makes the variable HTTP_PROXY of it, and libraries believe that.
    b"proxy",
];

/// Removes what the peer has no right to claim and finds the client's address, as far as the listener knows.
pub(crate) fn admit(x: &mut Exchange) {
    let Exchange { running, request, client, origin, claims, .. } = x;
    let listener = &running.plan.listeners[client.listener];
    let fields = request.fields_mut();
    let believed = believes(client, &listener.trusted);
    *claims = Claims { believed, kept: false };
    let custom = custom_name(&listener.forwarded_header);
    let claimed =
        fields.iter_known().any(|(known, name, _)| is_twin(known, name) || is_claim(known, name, custom));
    if claimed {
        // A service may trust peers that its listener does not. Then claims stay until the service is known, and go
        // in `apply` if it is another one.
        claims.kept = believed || trusted_by_a_service(listener, client);
        fields.retain_known(|known, name, _| {
            !is_twin(known, name) && (claims.kept || !is_claim(known, name, custom))
        });
    }
    *origin = if believed {
        find(client, fields, &listener.forwarded_header, &listener.trusted)
    } else {
        client.peer.ip()
    };
}

/// Removes every claim from trailers, where not even a trusted peer has reason to make one.
pub(crate) fn strip(trailers: &mut Fields, listener: &Listener, service: &Service) {
    let own = service.forwarded_header.as_deref().and_then(custom_name);
    let custom = custom_name(&listener.forwarded_header);
    trailers.retain_known(|known, name, _| {
        !is_twin(known, name) && !is_claim(known, name, custom) && !is_claim(known, name, own)
    });
}

/// The client's address as the service sees it, which may have a `ForwardedHeader` or `TrustedIP` of its own.
pub(crate) fn origin(
    client: &ClientFacts,
    fields: &Fields,
    listener: &Listener,
    service: &Service,
) -> Option<IpAddr> {
    let name = service.forwarded_header.as_deref().unwrap_or(&listener.forwarded_header);
    find(client, fields, name, service.trusted.as_deref().unwrap_or(&listener.trusted))
}

/// Tells the back-end who the client is: X-Forwarded-For, -Proto and -Port, where `HeaderOption` wants them.
pub(crate) fn apply(x: &mut Exchange) {
    let Exchange { running, request, client, service, claims, .. } = x;
    let plan = &running.plan;
    let listener = &plan.listeners[client.listener];
    let service = service.and_then(|service| plan.services.get(service));
    let own = service.and_then(|service| service.trusted.as_deref());
    let believed = own.map_or(claims.believed, |own| believes(client, own));
    let fields = request.fields_mut();
    let name = service.and_then(|service| service.forwarded_header.as_deref());
    if !believed && (claims.kept || name.is_some()) {
        // What `admit` left because another service would have believed it, or because it did not know the name.
        let custom = custom_name(name.unwrap_or(&listener.forwarded_header));
        fields.retain_known(|known, name, _| !is_claim(known, name, custom));
    }
    if let Some(facts) = &client.tls {
        tell_tls(facts, listener.tls_headers, fields);
    }
    if !listener.forwarded_headers {
        return;
    }
    // Each edit only fails when the head is at its bound of some megabytes; the request then goes on without the
    // field. A list without its last entry would make the back-end believe that the client is its peer.
    if append_peer(client.peer, fields).is_err() {
        fields.remove_known(Known::XForwardedFor);
    }
    // What stands there now is the word of somebody we believe.
    if fields.get(Known::XForwardedProto).is_none() {
        let scheme: &[u8] = if client.secure { b"https" } else { b"http" };
        let _ = fields.append_known(Known::XForwardedProto, scheme);
    }
    if let Some(port) = client.local.port().filter(|_| fields.get(Known::XForwardedPort).is_none()) {
        let _ = fields.append_known(Known::XForwardedPort, Text::number(port).bytes());
    }
}

/// Tells what TLS has agreed on, and what the client's certificate says. Whatever stood there goes: this connection is
/// ours.
fn tell_tls(facts: &tls::Facts, wanted: TlsHeaders, fields: &mut Fields) {
    if wanted == TlsHeaders::None {
        return;
    }
    let _ = fields.set(b"X-SSL-cipher", facts.suite.description().as_bytes());
    let Some(peer) = &facts.peer else { return };
    for (name, value) in [
        ("X-SSL-Subject", &peer.subject),
        ("X-SSL-Issuer", &peer.issuer),
        ("X-SSL-notBefore", &peer.not_before),
        ("X-SSL-notAfter", &peer.not_after),
        ("X-SSL-serial", &peer.serial),
    ] {
        let _ = fields.set(name.as_bytes(), value.as_bytes());
    }
    let _ = match wanted {
        TlsHeaders::Folded => fields.set_folded(b"X-SSL-certificate", peer.pem_lines()),
        _ => fields.set(b"X-SSL-certificate", peer.pem.as_bytes()),
    };
}

/// Adds the peer's address to the list, which is then one line.
fn append_peer(peer: Endpoint, fields: &mut Fields) -> Result<(), wire::EditError> {
    // A peer on a Unix socket has no address; what it says stands (see `believes`).
    let Some(address) = peer.ip() else { return Ok(()) };
    let text = Text::address(address);
    if fields.get(Known::XForwardedFor).is_none() {
        return fields.append_known(Known::XForwardedFor, text.bytes());
    }
    let mut list = Vec::new();
    for value in fields.get_all(Known::XForwardedFor).filter(|value| !value.is_empty()) {
        list.extend_from_slice(value);
        list.extend_from_slice(b", ");
    }
    list.extend_from_slice(text.bytes());
    fields.set_known(Known::XForwardedFor, &list)
}

/// Whether the word of this peer counts. Who reaches a Unix socket was let in by its file mode, and has no address
/// that `TrustedIP` could name.
fn believes(client: &ClientFacts, trusted: &Acl) -> bool {
    client.peer.ip().is_none_or(|peer| trusted.contains(peer))
}

fn trusted_by_a_service(listener: &Listener, client: &ClientFacts) -> bool {
    let lists = listener.services.iter().filter_map(|service| service.trusted.as_deref());
    lists.into_iter().any(|trusted| believes(client, trusted))
}

/// Walks the list from its right end, where the nearest proxy wrote, as long as the writer is trusted.
fn find(client: &ClientFacts, fields: &Fields, name: &str, trusted: &Acl) -> Option<IpAddr> {
    let mut nearest = client.peer.ip();
    if !believes(client, trusted) {
        return nearest;
    }
    let lines: SmallVec<[&[u8]; 4]> = fields.find_all(name.as_bytes()).collect();
    let members = lines.iter().rev().flat_map(|line| line.rsplit(|&byte| byte == b','));
    for member in members.map(token::trim).filter(|member| !member.is_empty()) {
        // A trusted proxy that hides whom it got the request from (`unknown`) is as far as we can see.
        let Some(address) = address(member) else { break };
        nearest = Some(address);
        if !trusted.contains(address) {
            break;
        }
    }
    nearest
}

/// An address as proxies write it: `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:4711`.
fn address(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?;
    let address = match text.strip_prefix('[') {
        Some(rest) => IpAddr::V6(rest.split_once(']')?.0.parse().ok()?),
        None => text.parse().ok().or_else(|| IpAddr::V4(text.split_once(':')?.0.parse().ok()?).into())?,
    };
    Some(address.to_canonical())
}

/// The name of `ForwardedHeader` where it is not the usual one.
fn custom_name(name: &str) -> Option<&str> {
    // Nearly all leave it as it is, and comparing exactly is several times faster.
    let usual = Known::XForwardedFor.name();
    (name != usual && !name.eq_ignore_ascii_case(usual)).then_some(name)
}

/// Whether CGI and its heirs, which turn `-` into `_`, would take the field for one that means something to us. Nobody
/// honest sends such a name.
fn is_twin(known: Option<Known>, name: &[u8]) -> bool {
    if known.is_some() || memchr::memchr(b'_', name).is_none() {
        return false;
    }
    field::underscore_twin(name).is_some() || in_claim_table(name)
}

/// Whether the field claims something about the client that only a trusted proxy may say.
fn is_claim(known: Option<Known>, name: &[u8], custom: Option<&str>) -> bool {
    match known {
        // The table knows no claim but these; most fields are known and end here.
        Some(known) if custom.is_none() => matches!(
            known,
            Known::XForwardedFor
                | Known::XForwardedHost
                | Known::XForwardedPort
                | Known::XForwardedProto
                | Known::Forwarded
                | Known::XRealIp
                | Known::FrontEndHttps
        ),
        _ => {
            in_claim_table(name) || custom.is_some_and(|custom| name.eq_ignore_ascii_case(custom.as_bytes()))
        }
    }
}

fn in_claim_table(name: &[u8]) -> bool {
    // Nearly all names end here.
    if !matches!(
        name.first(),
        Some(b'x' | b'X' | b's' | b'S' | b'f' | b'F' | b't' | b'T' | b'c' | b'C' | b'p' | b'P')
    ) {
        return false;
    }
    let same = |&(&given, &claim): &(&u8, &u8)| {
        given.to_ascii_lowercase() == claim || (given == b'_' && claim == b'-')
    };
    let begins = |claim: &[u8]| name.len() >= claim.len() && name.iter().zip(claim).all(|pair| same(&pair));
    CLAIM_FAMILIES.iter().any(|family| begins(family))
        || CLAIM_NAMES.iter().any(|claim| claim.len() == name.len() && begins(claim))
}

#[cfg(test)]
mod tests;
