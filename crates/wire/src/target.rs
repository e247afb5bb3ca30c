//! Request targets and authorities: the four forms of RFC 9112 section 3.2, and RFC 3986 where it matters to a proxy.
//!
//! Nothing here decodes on its own: a path is matched and forwarded byte for byte as it came. Browsers send more than
//! RFC 3986 lets stand in a URI (the URL standard escapes fewer bytes, and never a bare `%`), so all visible bytes pass but
//! the ones that end a target. What could be read in two ways (a fragment, an encoded NUL, a dot segment) is refused.

use crate::h1::error::ParseError;
use crate::h1::limits::HOST_MAX;
use crate::h1::scan;
use crate::method::Method;
use crate::token::class;
use std::net::Ipv6Addr;
use std::ops::Range;

/// A target in one of its four forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestTarget<'a> {
    /// `/path?query`: every ordinary request.
    Origin {
        /// From the slash to the query.
        path: &'a [u8],
        /// After the first `?`.
        query: Option<&'a [u8]>,
    },
    /// `http://authority/path?query`: what clients send to a proxy, and a server must accept too.
    Absolute(Absolute<'a>),
    /// `host:port`: CONNECT only.
    Authority(Authority<'a>),
    /// `*`: OPTIONS only.
    Asterisk,
}

/// The parts of an absolute-form target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Absolute<'a> {
    /// Its scheme.
    pub scheme: Scheme,
    /// Host and port.
    pub authority: Authority<'a>,
    /// From the slash to the query; may be empty.
    pub path: &'a [u8],
    /// After the first `?`.
    pub query: Option<&'a [u8]>,
}

impl Absolute<'_> {
    /// The target to forward (RFC 9112 sections 3.2.1 and 3.2.4): an empty path becomes `/`, or `*` for an OPTIONS
    /// request that has no query either.
    #[must_use]
    pub fn origin_form(&self, method: Method) -> Vec<u8> {
        if self.path.is_empty() && self.query.is_none() && method == Method::Options {
            return b"*".to_vec();
        }
        let mut out = if self.path.is_empty() { b"/".to_vec() } else { self.path.to_vec() };
        if let Some(query) = self.query {
            out.push(b'?');
            out.extend_from_slice(query);
        }
        out
    }
}

/// The schemes a gateway serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `http`
    Http,
    /// `https`
    Https,
}

impl Scheme {
    /// The port meant when none is given.
    #[must_use]
    pub fn default_port(self) -> u16 {
        match self {
            Scheme::Http => 80,
            Scheme::Https => 443,
        }
    }
}

/// A host and an optional port, as Host and absolute targets have them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Authority<'a> {
    /// As written.
    pub raw: &'a [u8],
    /// The host, with the brackets of an IPv6 address.
    pub host: &'a [u8],
    /// The port; `None` when it is missing or empty (`host:`).
    pub port: Option<u16>,
}

impl Authority<'_> {
    /// Whether both name the same host and port, a missing port being that of the scheme. Hosts are compared without
    /// case.
    #[must_use]
    pub fn agrees(&self, other: &Authority<'_>, scheme: Scheme) -> bool {
        let port = scheme.default_port();
        self.host.eq_ignore_ascii_case(other.host) && self.port.unwrap_or(port) == other.port.unwrap_or(port)
    }
}

/// Whether the bytes could stand as a target at all: not empty, no space, no control byte.
#[must_use]
pub fn is_visible(target: &[u8]) -> bool {
    !target.is_empty() && scan::all_visible(target)
}

/// The first byte that cannot stand in a target, and its place.
#[must_use]
pub fn first_invisible(target: &[u8]) -> Option<(usize, u8)> {
    target.iter().copied().enumerate().find(|&(_, byte)| !class::is(byte, class::VISIBLE))
}

/// Says which form a target has and checks it whole: form by method, characters, escapes, authority.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn classify(target: &[u8], method: Method) -> Result<RequestTarget<'_>, ParseError> {
    match (target, method) {
        // CONNECT has the authority-form and no other, and no other method has it (RFC 9112 section 3.2.3).
        (_, Method::Connect) => Ok(RequestTarget::Authority(authority(target)?)),
        ([b'/', ..], _) => {
            let (path, query) = hierarchy(target)?;
            Ok(RequestTarget::Origin { path, query })
        }
        (b"*", Method::Options) => Ok(RequestTarget::Asterisk),
        _ => absolute(target).map(RequestTarget::Absolute),
    }
}

fn absolute(target: &[u8]) -> Result<Absolute<'_>, ParseError> {
    let rest = after_scheme(target).ok_or_else(|| {
        if memchr::memchr(b'#', target).is_some() { ParseError::Fragment } else { ParseError::TargetForm }
    })?;
    let scheme = match &target[..target.len() - rest.len()] {
        name if name.eq_ignore_ascii_case(b"http://") => Scheme::Http,
        name if name.eq_ignore_ascii_case(b"https://") => Scheme::Https,
        _ => return Err(ParseError::SchemeUnsupported),
    };
    let end = authority_len(rest);
    let (path, query) = hierarchy(&rest[end..])?;
    Ok(Absolute { scheme, authority: authority(&rest[..end])?, path, query })
}

/// What follows `scheme://`, when the target starts so.
fn after_scheme(target: &[u8]) -> Option<&[u8]> {
    let colon = target.iter().position(|&byte| !(byte.is_ascii_alphanumeric() || b"+-.".contains(&byte)))?;
    if !target[0].is_ascii_alphabetic() {
        return None;
    }
    target[colon..].strip_prefix(b"://")
}

fn authority_len(rest: &[u8]) -> usize {
    rest.iter().position(|byte| b"/?#".contains(byte)).unwrap_or(rest.len())
}

/// Splits and checks a path and query.
fn hierarchy(bytes: &[u8]) -> Result<(&[u8], Option<&[u8]>), ParseError> {
    let (path, query) = split_query(bytes);
    characters(path)?;
    if ends_within_escape(path) {
        return Err(ParseError::PercentMalformed);
    }
    if let Some(query) = query {
        characters(query)?;
    }
    Ok((path, query))
}

fn split_query(bytes: &[u8]) -> (&[u8], Option<&[u8]>) {
    match memchr::memchr(b'?', bytes) {
        Some(at) => (&bytes[..at], Some(&bytes[at + 1..])),
        None => (bytes, None),
    }
}

/// Every visible byte passes: the URL standard lets browsers send `[ ] { } | ^ \`` and `\` raw here or there, curl sends
/// the rest and 8-bit bytes too. A `%` that begins no escape stands for itself, as that standard reads it, and so do we
/// where a condition decodes.
fn characters(bytes: &[u8]) -> Result<(), ParseError> {
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        if byte == b'%' {
            match &bytes[at + 1..] {
                [b'0', b'0', ..] => return Err(ParseError::PercentNul),
                // `%uXXXX` is how `escape()` of JavaScript writes what is above U+00FF, and IIS reads. Nothing honest
                // writes a lower character so: it hides a letter, a slash or a NUL from what we match.
                [b'u' | b'U', b'0', b'0', b'0', b'0', ..] => return Err(ParseError::PercentNul),
                [b'u' | b'U', b'0', b'0', high, low, ..] if hex_byte(*high, *low).is_some() => {
                    return Err(ParseError::PercentMalformed);
                }
                _ => at += 1,
            }
        } else if class::is(byte, class::VISIBLE) && byte != b'#' {
            at += 1;
        } else if byte == b'#' {
            return Err(ParseError::Fragment);
        } else {
            return Err(ParseError::TargetCharacter);
        }
    }
    Ok(())
}

/// Whether a path ends with a `%` or with `%` and one hexadecimal digit: an escape that lacks its end. What a back-end or
/// a rule puts behind the path would complete it to an escape that nobody has looked at, and some decoders read on.
fn ends_within_escape(path: &[u8]) -> bool {
    match path {
        [.., b'%'] => true,
        [.., b'%', digit] => digit.is_ascii_hexdigit(),
        _ => false,
    }
}

/// Where path and query of a target are, whatever its form; used before it has been checked, so it never fails.
#[must_use]
pub fn path_and_query(target: &[u8]) -> (Range<usize>, Option<Range<usize>>) {
    let start = match target {
        [b'/', ..] => 0,
        b"*" => return (0..1, None),
        _ => match after_scheme(target) {
            Some(rest) => target.len() - rest.len() + authority_len(rest),
            None => target.len(),
        },
    };
    let (path, query) = split_query(&target[start..]);
    let end = start + path.len();
    (start..end, query.map(|_| end + 1..target.len()))
}

/// Checks a host and its optional port (`uri-host [ ":" port ]`, RFC 9110 section 7.2).
///
/// Narrower than RFC 3986 in four places, each because a backend could read the same bytes as something else: no user
/// information; the host is not empty; labels are not empty (a closing dot is fine), so `..` is no directory;
/// escapes in a name stand for unreserved or 8-bit bytes only, so `%2F` and `%00` cannot hide in it. IPvFuture
/// addresses, which do not exist, are refused.
///
/// # Errors
/// `Userinfo`, `HostMalformed`, `HostTooLong` or `PortMalformed`.
pub fn authority(raw: &[u8]) -> Result<Authority<'_>, ParseError> {
    if memchr::memchr(b'@', raw).is_some() {
        return Err(ParseError::Userinfo);
    }
    let host_len = match raw {
        [b'[', ..] => memchr::memchr(b']', raw).ok_or(ParseError::HostMalformed)? + 1,
        _ => memchr::memchr(b':', raw).unwrap_or(raw.len()),
    };
    let (host, rest) = raw.split_at(host_len);
    let port = match rest {
        [] | [b':'] => None,
        [b':', digits @ ..] => Some(port(digits)?),
        _ => return Err(ParseError::HostMalformed),
    };
    match host {
        [b'[', inner @ .., b']'] => ipv6(inner)?,
        _ => reg_name(host)?,
    }
    Ok(Authority { raw, host, port })
}

/// Most digits of a port. `*DIGIT` allows leading zeros; more than these are not written by anyone.
const PORT_DIGITS_MAX: usize = 5;

fn port(digits: &[u8]) -> Result<u16, ParseError> {
    if digits.len() > PORT_DIGITS_MAX || !digits.iter().all(u8::is_ascii_digit) {
        return Err(ParseError::PortMalformed);
    }
    let number = digits.iter().fold(0u32, |sum, digit| sum * 10 + u32::from(digit - b'0'));
    u16::try_from(number).map_err(|_| ParseError::PortMalformed)
}

fn ipv6(inner: &[u8]) -> Result<(), ParseError> {
    let text = std::str::from_utf8(inner).map_err(|_| ParseError::HostMalformed)?;
    text.parse::<Ipv6Addr>().map(drop).map_err(|_| ParseError::HostMalformed)
}

fn reg_name(host: &[u8]) -> Result<(), ParseError> {
    if host.len() > HOST_MAX {
        return Err(ParseError::HostTooLong);
    }
    let mut at = 0;
    let mut label_empty = true;
    while let Some(&byte) = host.get(at) {
        let (byte, width) = match (byte, host.get(at + 1..at + 3)) {
            (b'%', Some(&[high, low])) => (hex_byte(high, low).ok_or(ParseError::HostMalformed)?, 3),
            (b'%', _) => return Err(ParseError::HostMalformed),
            _ => (byte, 1),
        };
        let allowed = match width {
            1 => class::is(byte, class::UNRESERVED | class::SUB_DELIM),
            _ => class::is(byte, class::UNRESERVED) || !byte.is_ascii(),
        };
        if !allowed || (byte == b'.' && label_empty) {
            return Err(ParseError::HostMalformed);
        }
        label_empty = byte == b'.';
        at += width;
    }
    if host.is_empty() { Err(ParseError::HostMalformed) } else { Ok(()) }
}

fn hex_byte(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(high)? << 4 | digit(low)?).ok()
}

/// Whether a path has a dot segment (`.` or `..`), plain or encoded.
///
/// Segments are taken as the most generous backend would take them: separated by slashes or backslashes, plain or
/// encoded, and ended by a semicolon, after which some containers see a parameter (`/..;/`).
#[must_use]
pub fn has_dot_segment(path: &[u8]) -> bool {
    // No dot, no dot segment; this ends the search for most paths at the speed of memchr.
    if memchr::memchr2(b'.', b'%', path).is_none() {
        return false;
    }
    let mut rest = path;
    let mut at_start = true;
    while !rest.is_empty() {
        let (byte, width) = generous(rest);
        if at_start && byte == b'.' {
            let (second, second_width) = generous(&rest[width..]);
            let after = if second == b'.' { &rest[width + second_width..] } else { &rest[width..] };
            if after.is_empty() || matches!(generous(after).0, b'/' | b'\\' | b';' | b'?') {
                return true;
            }
        }
        at_start = matches!(byte, b'/' | b'\\');
        rest = &rest[width..];
    }
    false
}

/// The first byte of a path, decoded once, and its width; NUL and 0 at the end. Some servers take `%uXXXX` for a
/// character, and one of full width for the ASCII one that looks like it.
fn generous(path: &[u8]) -> (u8, usize) {
    match path {
        [b'%', b'u' | b'U', a, b, c, d, ..] => match (hex_byte(*a, *b), hex_byte(*c, *d)) {
            (Some(0), Some(byte)) => (byte, 6),
            (Some(0xff), Some(byte @ 0x01..=0x5e)) => (byte + 0x20, 6),
            _ => (b'%', 1),
        },
        [b'%', high, low, ..] => {
            (hex_byte(*high, *low).unwrap_or(b'%'), if hex_byte(*high, *low).is_some() { 3 } else { 1 })
        }
        [byte, ..] => (*byte, 1),
        [] => (0, 0),
    }
}

/// Removes dot segments from an absolute path (RFC 3986 section 5.2.4), encoded dots included (section 6.2.2).
///
/// Nothing else is decoded or merged: `%2F` stays, `//` stays. For listeners that are told to normalise instead of
/// refusing; the result must then be both matched and forwarded. A `..` at the root has nothing to remove and vanishes.
/// What still [`has_dot_segment`] afterwards (an encoded slash or backslash beside the dots) should be refused.
#[must_use]
pub fn remove_dot_segments(path: &[u8]) -> Vec<u8> {
    let Some(rest) = path.strip_prefix(b"/") else { return path.to_vec() };
    let mut out = Vec::with_capacity(path.len());
    let mut segments = rest.split(|&byte| byte == b'/').peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        match dots(segment) {
            Some(1) => {}
            Some(_) => out.truncate(memchr::memrchr(b'/', &out).unwrap_or(0)),
            None => {
                out.push(b'/');
                out.extend_from_slice(segment);
                continue;
            }
        }
        // A dot segment at the end leaves the directory it stands for.
        if last {
            out.push(b'/');
        }
    }
    out
}

/// Removes the segments of a path that are a plain `.` and nothing else (RFC 3986 section 5.2.4): `/./a` becomes `/a`,
/// `/a/.` becomes `/a/`. Clients send them (apt does, for a repository at `./`), they mean nothing, and what is left is one
/// path that is both matched and forwarded. `..` and what is encoded stay, for [`has_dot_segment`] to find. `None` when
/// there is none.
#[must_use]
pub fn without_plain_dots(path: &[u8]) -> Option<Vec<u8>> {
    // No dot, no dot segment: most paths end here.
    memchr::memchr(b'.', path)?;
    let ends = path.ends_with(b"/.");
    if !path.starts_with(b"/") || !(ends || memchr::memmem::find(path, b"/./").is_some()) {
        return None;
    }
    let mut out = Vec::with_capacity(path.len());
    for segment in path[1..].split(|&byte| byte == b'/').filter(|segment| segment != b".") {
        out.push(b'/');
        out.extend_from_slice(segment);
    }
    // A dot at the end leaves the directory that it stands for.
    if ends {
        out.push(b'/');
    }
    Some(out)
}

/// 1 or 2 when the segment is that many dots, plain or encoded.
fn dots(segment: &[u8]) -> Option<usize> {
    let mut rest = segment;
    let mut count = 0;
    while !rest.is_empty() {
        let (byte, width) = generous(rest);
        if byte != b'.' || count == 2 {
            return None;
        }
        count += 1;
        rest = &rest[width..];
    }
    (count > 0).then_some(count)
}

/// Resolves percent escapes, once. Malformed escapes are left as they are.
#[must_use]
pub fn percent_decode(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&first, behind)) = rest.split_first() {
        match rest {
            [b'%', high, low, after @ ..] if let Some(byte) = hex_byte(*high, *low) => {
                out.push(byte);
                rest = after;
            }
            _ => {
                out.push(first);
                rest = behind;
            }
        }
    }
    out
}

/// Writes `bytes` so that they can stand as one piece of data in any part of a URI: everything but `unreserved`
/// becomes an escape in upper case (RFC 3986 section 2.4).
pub fn percent_encode(bytes: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for &byte in bytes {
        if class::is(byte, class::UNRESERVED) {
            out.push(byte);
        } else {
            out.extend([b'%', DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
        }
    }
}

#[cfg(test)]
mod tests;
