//! What a request says, once its head is well formed: target, Host, Expect, Connection.
//!
//! The parser has made sure that there is one reading of the bytes; this file makes sure that there is one reading of
//! the request. Whether it is *allowed* (methods, hosts, sizes of a listener) is policy and decided elsewhere.

use crate::field::{self, Known};
use crate::h1::error::ParseError;
use crate::head::{RequestHead, Version};
use crate::method::Method;
use crate::target::{self, Authority, RequestTarget, Scheme};
use crate::token;

/// Checks everything about a request head that does not need configuration. Body framing is
/// [`framing::request`](crate::h1::framing::request)'s.
///
/// # Errors
/// The first breach, in the order target, Host, path, Expect, Connection, TRACE.
pub fn request_semantics(head: &RequestHead) -> Result<(), ParseError> {
    if head.method_kind() == Method::Connect {
        // Said before the target is looked at: whatever it is, it is not served. 501 since no resource of ours could
        // ever allow it, which is what 405 would claim.
        return Err(ParseError::ConnectUnsupported);
    }
    let form = target::classify(head.target(), head.method_kind())?;
    let host = host(head)?;
    if let RequestTarget::Absolute(absolute) = &form {
        agrees(absolute.scheme, &absolute.authority, host.as_ref())?;
    }
    if target::has_dot_segment(head.path()) {
        // Clients resolve `..` before they send (RFC 3986 section 5.2.4), so only probes have it, and resolving it here
        // would lead to another place than rules of other hops saw. The plain `.` that some clients do send has been taken
        // out by `RequestHead::remove_plain_dots`.
        return Err(ParseError::DotSegment);
    }
    expect(head)?;
    connection(head)?;
    trace(head)
}

/// The scheme an absolute-form target names; `None` for other forms. A caller that knows whether the connection is
/// encrypted should answer 421 when they differ (RFC 9110 section 7.4).
#[must_use]
pub fn target_scheme(head: &RequestHead) -> Option<Scheme> {
    match target::classify(head.target(), head.method_kind()) {
        Ok(RequestTarget::Absolute(absolute)) => Some(absolute.scheme),
        _ => None,
    }
}

/// RFC 9112 section 3.2: a server must answer 400 to any HTTP/1.1 request without Host and to any request with several
/// or an invalid one.
fn host(head: &RequestHead) -> Result<Option<Authority<'_>>, ParseError> {
    let mut values = head.fields().get_all(Known::Host);
    match (values.next(), values.next(), head.version()) {
        (_, Some(_), _) => Err(ParseError::TwoHosts),
        (Some(value), None, _) => target::authority(value).map(Some),
        (None, None, Version::Http11) => Err(ParseError::NoHost),
        (None, None, Version::Http10) => Ok(None),
    }
}

/// RFC 9112 section 3.2.2 lets the target win over Host. A client must send both alike (section 3.2), so one that does
/// not is refused: somewhere behind us one of the two would be believed, and nobody can say which.
fn agrees(scheme: Scheme, target: &Authority<'_>, host: Option<&Authority<'_>>) -> Result<(), ParseError> {
    match host {
        Some(host) if !target.agrees(host, scheme) => Err(ParseError::HostDisagrees),
        _ => Ok(()),
    }
}

/// RFC 9110 section 10.1.1: 100-continue is the only expectation; others may be answered with 417. They are, since what
/// a backend makes of `Expect: y 100-continue` cannot be known.
fn expect(head: &RequestHead) -> Result<(), ParseError> {
    let known = |member: &[u8]| member.eq_ignore_ascii_case(b"100-continue");
    match head.fields().get_all(Known::Expect).flat_map(token::list).all(known) {
        true => Ok(()),
        false => Err(ParseError::UnknownExpectation),
    }
}

/// A client that names Content-Length in Connection asks each proxy to remove it (RFC 9110 section 7.6.1), and with it
/// the bounds of its own body; one that names Authorization asks for a request that was checked here and arrives
/// unauthenticated there. The section forbids to name such fields, so these requests are refused. Fields that are only
/// kept against such a wish (Host, X-Forwarded-For) are [`hop`](crate::hop)'s.
fn connection(head: &RequestHead) -> Result<(), ParseError> {
    let critical = |member: &[u8]| field::lookup(member).is_some_and(Known::is_refused_in_connection);
    match head.fields().get_all(Known::Connection).flat_map(token::list).any(critical) {
        true => Err(ParseError::ConnectionNamesCritical),
        false => Ok(()),
    }
}

/// RFC 9110 section 9.3.8: a client must not send content in a TRACE request. Servers that know this read none, whatever
/// the fields say, and take the content for the next request.
fn trace(head: &RequestHead) -> Result<(), ParseError> {
    let fields = head.fields();
    let zero = |value: &[u8]| value.iter().all(|&digit| digit == b'0');
    let has_body =
        fields.get(Known::TransferEncoding).is_some() || !fields.get_all(Known::ContentLength).all(zero);
    if head.method_kind() == Method::Trace && has_body {
        return Err(ParseError::TraceWithBody);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
