//! Heads back to bytes, in one canonical form.
//!
//! Whatever spelling came in, what goes out is `METHOD SP target SP HTTP/1.1 CRLF`, `Name: value CRLF` with the blanks
//! around the value gone, and framing that is computed from [`BodyLength`], never copied. So a message that was read in
//! one way here cannot be read in another behind us because of how it was written.

use super::framing::BodyLength;
use crate::field::Known;
use crate::head::{Fields, RequestHead, ResponseHead};
use crate::token;

/// What the writer decides instead of the message: everything about body and connection.
#[derive(Clone, Copy, Debug)]
pub struct Framing<'a> {
    /// How the body that follows is framed. `None` and `UntilClose` write no framing field.
    pub body: BodyLength,
    /// Value of Connection, for instance `close` or `keep-alive`; none is written for `None`. With `upgrade` set it is
    /// ignored, as Connection must then say `upgrade`.
    pub connection: Option<&'a [u8]>,
    /// Protocol to switch to: writes Upgrade and the connection option.
    pub upgrade: Option<&'a [u8]>,
    /// Content-Length as information, in a message without a body: what an answer to HEAD, or a 304, would have had
    /// (RFC 9110 section 8.6). Only written with [`BodyLength::None`].
    pub length_info: Option<u64>,
    /// Value of Pound-Hops, in a request that goes to a listener of our own.
    pub hops: Option<&'a [u8]>,
}

impl Framing<'_> {
    /// Framing for a body, saying nothing about the connection: HTTP/1.1's default, persistent.
    #[must_use]
    pub fn of(body: BodyLength) -> Framing<'static> {
        Framing { body, connection: None, upgrade: None, length_info: None, hops: None }
    }
}

/// Appends a request head.
///
/// Hop-by-hop and framing fields of `head` are left out; everything else is written in order. A head without Host gets
/// an empty one, which is what RFC 9112 section 3.2 wants when there is nothing to name (HTTP/1.0 clients); a caller
/// that knows the backend's name should set it before.
pub fn request_head(head: &RequestHead, framing: &Framing<'_>, out: &mut Vec<u8>) {
    reserve(head.fields(), head.target().len(), out);
    put(out, &[head.method(), b" ", head.target(), b" HTTP/1.1\r\n"]);
    if head.host().is_none() {
        out.extend_from_slice(b"Host:\r\n");
    }
    field_lines(head.fields(), out);
    framing_lines(framing, out);
    out.extend_from_slice(b"\r\n");
}

/// Appends a response head; as [`request_head`] otherwise. The version is always ours (RFC 9110 section 2.5); whether
/// the client can read chunked coding is decided by who chooses the framing.
pub fn response_head(head: &ResponseHead, framing: &Framing<'_>, out: &mut Vec<u8>) {
    reserve(head.fields(), head.reason().len(), out);
    out.extend_from_slice(b"HTTP/1.1 ");
    decimal(u64::from(head.status()), out);
    put(out, &[b" ", head.reason(), b"\r\n"]);
    field_lines(head.fields(), out);
    framing_lines(framing, out);
    out.extend_from_slice(b"\r\n");
}

/// Room for a head in one go: start line, framing fields and four bytes a line besides the bytes of the fields.
fn reserve(fields: &Fields, start_line: usize, out: &mut Vec<u8>) {
    const REST: usize = 160;
    out.reserve(fields.lines_len() + start_line + REST);
}

fn field_lines(fields: &Fields, out: &mut Vec<u8>) {
    fields.write_lines(|known| !known.is_some_and(is_ours), out);
}

/// Whether the field is the writer's and never the message's.
fn is_ours(known: Known) -> bool {
    known == Known::ContentLength || known.is_hop_by_hop()
}

fn framing_lines(framing: &Framing<'_>, out: &mut Vec<u8>) {
    match (framing.body, framing.length_info) {
        (BodyLength::Length(length), _) | (BodyLength::None, Some(length)) => {
            out.extend_from_slice(b"Content-Length: ");
            decimal(length, out);
            out.extend_from_slice(b"\r\n");
        }
        (BodyLength::Chunked, _) => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
        (BodyLength::None | BodyLength::UntilClose, _) => {}
    }
    // All come from us or from `hop::upgrade`, which gives tokens only; a byte of a peer has no other way here.
    debug_assert!(
        [framing.upgrade, framing.connection, framing.hops]
            .iter()
            .flatten()
            .all(|value| token::is_value(value))
    );
    match (framing.upgrade, framing.connection) {
        (Some(protocol), _) => put(out, &[b"Connection: upgrade\r\nUpgrade: ", protocol, b"\r\n"]),
        (None, Some(value)) => put(out, &[b"Connection: ", value, b"\r\n"]),
        (None, None) => {}
    }
    if let Some(hops) = framing.hops {
        put(out, &[Known::PoundHops.name().as_bytes(), b": ", hops, b"\r\n"]);
    }
}

fn put(out: &mut Vec<u8>, pieces: &[&[u8]]) {
    for piece in pieces {
        out.extend_from_slice(piece);
    }
}

/// Appends a number in decimal, without going through `fmt`.
pub fn decimal(mut number: u64, out: &mut Vec<u8>) {
    // 2^64 has twenty digits.
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

#[cfg(test)]
mod tests;
