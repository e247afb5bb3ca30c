//! How long is this body, or is it an attack? RFC 9112 section 6.3 as one function for each direction.
//!
//! Wherever the RFC lets a recipient choose between repairing and refusing, this refuses: each repair is a bet that the
//! next hop repairs alike.

use super::error::FramingError;
use crate::field::Known;
use crate::head::{Fields, RequestHead, ResponseHead, Version};
use crate::method::Method;
use crate::token;

/// How the end of a body is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyLength {
    /// There is no body, whatever the fields say.
    None,
    /// Exactly this many bytes.
    Length(u64),
    /// Chunked coding, ended by its last chunk.
    Chunked,
    /// Everything until the connection closes; answers only. A reset cannot be told from a cut here.
    UntilClose,
}

/// Largest Content-Length: 2^63-1, so that it fits a signed 64-bit offset everywhere.
pub const LENGTH_MAX: u64 = i64::MAX as u64;

/// The framing of a request (RFC 9112 section 6.3, rules 3 to 7).
///
/// # Errors
/// When Transfer-Encoding or Content-Length are anything but one clear statement. Answer and close.
pub fn request(head: &RequestHead) -> Result<BodyLength, FramingError> {
    // Rule 7: no field, no body. The method plays no part.
    Ok(stated(head.fields(), head.version())?.unwrap_or(BodyLength::None))
}

/// The framing of an answer to a request of the given method (RFC 9112 section 6.3, rules 1 to 8).
///
/// Bad framing fields are an error even where there is no body by rule 1: an answer that lies there comes from a
/// server, or through an attacker, that cannot be trusted with the next one. Rule 2 (CONNECT) does not apply, since
/// CONNECT is never forwarded.
///
/// # Errors
/// As for requests. Answer 502 and close the connection to the backend.
pub fn response(head: &ResponseHead, request_method: Method) -> Result<BodyLength, FramingError> {
    let stated = stated(head.fields(), head.version())?;
    // Rule 1.
    if request_method == Method::Head || matches!(head.status(), 100..=199 | 204 | 304) {
        return Ok(BodyLength::None);
    }
    // Rule 8: neither field, so the connection's end is the body's.
    Ok(stated.unwrap_or(BodyLength::UntilClose))
}

/// The length a HEAD or 304 answer states for the body it does not have, to be passed on as information (RFC 9110
/// section 8.6). `None` when there is none or when it is not valid.
#[must_use]
pub fn stated_length(head: &ResponseHead) -> Option<u64> {
    match stated(head.fields(), head.version()) {
        Ok(Some(BodyLength::Length(length))) => Some(length),
        _ => None,
    }
}

/// What the two framing fields say together; `None` when neither is present.
fn stated(fields: &Fields, version: Version) -> Result<Option<BodyLength>, FramingError> {
    let (mut codings, mut lengths) = (None, None);
    let (mut coding_lines, mut length_lines) = (0, 0);
    for (known, _, value) in fields.iter_known() {
        match known {
            Some(Known::TransferEncoding) => {
                codings = codings.or(Some(value));
                coding_lines += 1;
            }
            Some(Known::ContentLength) => {
                lengths = lengths.or(Some(value));
                length_lines += 1;
            }
            _ => {}
        }
    }
    match (codings, lengths) {
        (None, None) => Ok(None),
        // Rule 3: might be an attempt at smuggling and ought to be handled as an error.
        (Some(_), Some(_)) => Err(FramingError::TransferEncodingWithLength),
        (None, Some(_)) if length_lines > 1 => Err(FramingError::LengthTwice),
        (None, Some(value)) => length(value).map(|length| Some(BodyLength::Length(length))),
        // Section 6.1: faulty framing; the sender, or a gateway in between, does not know the coding.
        (Some(_), None) if version == Version::Http10 => Err(FramingError::TransferEncodingInHttp10),
        (Some(_), None) if coding_lines > 1 => Err(FramingError::TransferEncodingTwice),
        (Some(value), None) => coding(value).map(|()| Some(BodyLength::Chunked)),
    }
}

/// Exactly `chunked`, in any case. No other coding is implemented, none is asked for (TE is never forwarded), and
/// parameters of chunked are an error (section 7).
fn coding(value: &[u8]) -> Result<(), FramingError> {
    if value.eq_ignore_ascii_case(b"chunked") {
        return Ok(());
    }
    let is_chunked = |member: &[u8]| member.eq_ignore_ascii_case(b"chunked");
    let names_chunked = |member: &[u8]| token::parts(member).next().is_some_and(is_chunked);
    let well_formed = |member: &[u8]| {
        let mut parts = token::parts(member);
        parts.next().is_some_and(token::is_token) && parts.all(|part| token::parameter(part).is_some())
    };
    if token::list(value).next().is_none() || !token::list(value).all(well_formed) {
        return Err(FramingError::TransferEncodingMalformed);
    }
    let count = token::list(value).filter(|member| is_chunked(member)).count();
    // A coding that we do not know comes to 501 (section 6.1) wherever the length may still be meant to be known: alone, or
    // before the last one, which is chunked.
    match token::list(value).last().is_some_and(is_chunked) {
        false if !token::list(value).any(names_chunked) => Err(FramingError::TransferCodingUnknown),
        true if count == 1 && token::list(value).count() > 1 => Err(FramingError::TransferCodingUnknown),
        // `chunked,` and the like: one member, but not written as one.
        true if count == 1 => Err(FramingError::TransferEncodingMalformed),
        _ => Err(FramingError::ChunkedNotFinal),
    }
}

/// `1*DIGIT` up to [`LENGTH_MAX`] (RFC 9110 section 8.6). Lists are refused, equal members or not: the section allows
/// that, and a sender of `5, 5` has already merged two messages once.
fn length(value: &[u8]) -> Result<u64, FramingError> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return Err(FramingError::LengthMalformed);
    }
    value
        .iter()
        .try_fold(0u64, |sum, digit| sum.checked_mul(10)?.checked_add(u64::from(digit - b'0')))
        .filter(|&length| length <= LENGTH_MAX)
        .ok_or(FramingError::LengthTooLarge)
}

#[cfg(test)]
mod tests;
