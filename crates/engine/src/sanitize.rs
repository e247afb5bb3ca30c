//! Between parsed and trusted: what a request has to be before any rule looks at it.
//!
//! The codec has made sure that there is one reading of the bytes. Here the request is held against its own semantics
//! and the listener's bounds, is brought into origin-form, and loses what ends at this hop and what its sender has
//! no right to claim. Nothing after this stage looks at raw client bytes, and nothing before it is believed.

use std::net::SocketAddr;

use wire::hop::{self, Nominated};
use wire::target::{self, Scheme};
use wire::{BodyLength, Known, ParseError, RequestHead, Version, check};

use crate::excerpt;
use crate::exchange::{ClientFacts, Endpoint, Exchange};
use crate::fault::{Cause, Fault, Stage};
use crate::forwarded;
use crate::loops;

/// Checks the request and cleans it.
///
/// # Errors
/// What is wrong with it, by the client's fault; or `Evaluation` when `CheckURL` cannot be evaluated.
pub(crate) fn request(x: &mut Exchange) -> Result<(), Fault> {
    check_request(x).map_err(|cause| Fault::new(Stage::Sanitize, cause))?;
    loops::note(x);
    remove_hop_by_hop(x);
    forwarded::admit(x);
    Ok(())
}

fn check_request(x: &mut Exchange) -> Result<(), Cause> {
    let Exchange { running, request, client, body, offending, .. } = x;
    let listener = &running.plan.listeners[client.listener];
    if listener.target_max.is_some_and(|max| request.target().len() > max) {
        return Err(Cause::TargetTooLong);
    }
    request.remove_plain_dots().map_err(|error| Cause::Evaluation(error.to_string()))?;
    // Validity comes before policy: a request that could be read in two ways is refused as such, whatever its method.
    // Only CONNECT is never looked at, and where xHTTP does not list it, it is not allowed rather than not implemented.
    let level = listener.methods as u8;
    let group = request.method_kind().group();
    match check::request_semantics(request) {
        Err(ParseError::ConnectUnsupported) if group.is_some_and(|group| group > level) => {
            return Err(Cause::MethodNotAllowed);
        }
        verdict => verdict.map_err(|error| {
            *offending = excerpt::fields(request.fields(), error.fields());
            Cause::BadRequest(error)
        })?,
    }
    if client.misplaced {
        return Err(Cause::PlainHttp);
    }
    match group {
        Some(group) if group <= level => {}
        _ if listener.methods_named.iter().any(|name| name.as_bytes() == request.method()) => {}
        None => return Err(Cause::MethodUnknown),
        Some(_) => return Err(Cause::MethodNotAllowed),
    }
    if !request.target().starts_with(b"/") {
        // RFC 9110 section 7.4: an https resource that is asked for over plain HTTP was meant for somebody else, or is
        // to make the back-end believe in a TLS that is not there.
        if check::target_scheme(request).is_some_and(|scheme| (scheme == Scheme::Https) != client.secure) {
            return Err(Cause::SchemeElsewhere);
        }
        request.make_origin_form().map_err(|error| Cause::Evaluation(error.to_string()))?;
    }
    if let Some(facts) = &client.tls
        && let Some(server) = &running.tls[client.listener]
        && let Some(host) = request.host().and_then(|host| target::authority(host).ok())
        // The grammar of a host has nothing but ASCII.
        && !std::str::from_utf8(host.host).is_ok_and(|host| server.admits(facts, host))
    {
        return Err(Cause::HostElsewhere);
    }
    // HTTP/1.1 has one by now.
    if request.version() == Version::Http10 && request.host().is_none() {
        name_host(request, client)?;
    }
    if let Some(pattern) = &listener.check_url {
        match pattern.is_match(request.target()) {
            Ok(true) => {}
            Ok(false) => return Err(Cause::TargetRefused),
            Err(error) => return Err(Cause::Evaluation(format!("CheckURL: {error}"))),
        }
    }
    if let Some(sets) = &listener.alphabets
        && request.target().starts_with(b"/")
        && let Some((part, text)) = sets.refuses(request.target())
    {
        *offending = excerpt::text(text);
        return Err(Cause::CharacterRefused(part));
    }
    // A chunked body is counted while it is relayed.
    match (*body, listener.body_max) {
        (BodyLength::Length(length), Some(max)) if length > max => {
            *offending = excerpt::fields(request.fields(), &[Known::ContentLength]);
            Err(Cause::BodyTooLarge)
        }
        _ => Ok(()),
    }
}

/// Gives an HTTP/1.0 request that names no host the address it came to: that is the authority of what it asks for (RFC
/// 9110 section 7.1), and what we send on has to name one.
fn name_host(request: &mut RequestHead, client: &ClientFacts) -> Result<(), Cause> {
    let usual = if client.secure { Scheme::Https } else { Scheme::Http }.default_port();
    let host = match client.local {
        Endpoint::Inet(local) => {
            let address = local.ip().to_canonical();
            match local.port() {
                port if port == usual && address.is_ipv6() => format!("[{address}]"),
                port if port == usual => address.to_string(),
                port => SocketAddr::new(address, port).to_string(),
            }
        }
        // A Unix socket is of this machine.
        Endpoint::Unix => "localhost".to_owned(),
    };
    let set = request.fields_mut().set_known(Known::Host, host.as_bytes());
    set.map_err(|error| Cause::Evaluation(error.to_string()))
}

/// Takes out what is about this connection (RFC 9110 section 7.6.1), after noting the one wish in it that we pass on.
fn remove_hop_by_hop(x: &mut Exchange) {
    x.upgrade = hop::upgrade_request(&x.request).map(<[u8]>::to_vec);
    if x.upgrade.is_none() {
        x.nominated = hop::remove_hop_by_hop(x.request.fields_mut());
        return;
    }
    // `Header "Upgrade: websocket"` is how operators send WebSockets to a back-end of their own, so these two stay for
    // conditions to see. They are not forwarded: the codec writes the connection's fields itself.
    let fields = x.request.fields_mut();
    let nominated = Nominated::by(fields);
    fields.retain_known(|known, name, _| match known {
        Some(Known::Connection | Known::Upgrade) => true,
        known => !known.is_some_and(Known::is_hop_by_hop) && !nominated.contains(name),
    });
    x.nominated = nominated;
}

#[cfg(test)]
mod tests;
