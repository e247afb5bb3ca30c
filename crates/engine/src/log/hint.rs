//! What an operator needs besides the sentence of a fault: the directive whose bound it is and its value, the directive that
//! would let it pass, the byte that is wrong and where. Made when the line is written, never while a request waits.

use std::fmt;
use std::io::Write;

use wire::{BodyError, FramingError, Limits, ParseError};

use crate::exchange::Exchange;
use crate::fault::{Cause, Fault, Stage};

/// Appends what there is to say, in brackets; mostly nothing.
pub(super) fn hint(fault: &Fault, x: &Exchange, out: &mut Vec<u8>) {
    // Writing to memory cannot fail.
    let mut say = |text: fmt::Arguments<'_>| drop(write!(out, " ({text})"));
    match &fault.cause {
        Cause::MethodNotAllowed => method(x, &mut say),
        Cause::MethodUnknown => {
            let name = String::from_utf8_lossy(x.request.method());
            say(format_args!("Methods \"{name}\" in the listener lets it pass"));
        }
        Cause::ClientClosed if fault.stage == Stage::Parse => {
            say(format_args!("within the head of a request"));
        }
        Cause::TargetTooLong => {
            if let Some(max) = x.listener().target_max {
                say(format_args!("MaxURI is {max}"));
            }
        }
        Cause::BodyTooLarge => {
            if let Some(max) = x.listener().body_max {
                say(format_args!("MaxRequest is {max}"));
            }
        }
        cause => {
            if let Some((directive, value)) = bound(cause, x.running.limits(x.client.listener).as_ref()) {
                say(format_args!("{directive} is {value}"));
            }
        }
    }
    if let Some(word) = tolerant(fault, x) {
        say(format_args!("Tolerant {word} in this Backend would accept it"));
    }
    if let Some((byte, line, place)) = x.stray.filter(|_| is_about_a_byte(&fault.cause)) {
        say(format_args!("{} in line {line} of the head, at byte {place}", Character(byte)));
    }
}

/// The word of `Tolerant` that an answer needs to pass.
fn tolerant(fault: &Fault, x: &Exchange) -> Option<&'static str> {
    let quotes = |text: &[u8]| memchr::memmem::find(&x.offending.to_ascii_lowercase(), text).is_some();
    match fault.cause {
        Cause::BadAnswer(ParseError::BareLf) => Some("bare-lf"),
        Cause::BadAnswer(ParseError::ObsoleteFold) => Some("fold"),
        Cause::BadAnswer(ParseError::SpaceBeforeColon) => Some("colon-blank"),
        Cause::BadAnswerBody(BodyError::ChunkSizeMalformed) if has_blank_at_end(&x.offending) => {
            Some("chunk-blank")
        }
        Cause::BadAnswerFraming(FramingError::LengthTwice) if is_one_length(&x.offending) => {
            Some("equal-length")
        }
        Cause::BadAnswerFraming(FramingError::LengthMalformed) if is_one_length(&x.offending) => {
            Some("equal-length")
        }
        Cause::BadAnswerFraming(
            FramingError::TransferCodingUnknown | FramingError::TransferEncodingWithLength,
        ) if quotes(b"identity") => Some("identity"),
        _ => None,
    }
}

/// Whether an excerpt is digits with blanks behind them.
fn has_blank_at_end(excerpt: &[u8]) -> bool {
    let line = excerpt.trim_ascii_end();
    let line = line.split(|&byte| byte == b'\r').next().unwrap_or_default();
    // The digits may have come before.
    excerpt.len() > line.len() && line.iter().all(u8::is_ascii_hexdigit)
}

/// Whether an excerpt of Content-Length fields says the same number all over. By now the answer itself has made room for the
/// page that the client got.
fn is_one_length(excerpt: &[u8]) -> bool {
    let mut members = excerpt.split(|&byte| byte == b',').map(|member| {
        let member = member.trim_ascii();
        member.strip_prefix(b"Content-Length:").unwrap_or(member).trim_ascii()
    });
    let first = members.next().unwrap_or_default();
    !first.is_empty() && first.iter().all(u8::is_ascii_digit) && members.all(|member| member == first)
}

fn is_about_a_byte(cause: &Cause) -> bool {
    matches!(cause, Cause::BadRequest(_) | Cause::BadAnswer(_))
}

/// Which level of `xHTTP` the method needs.
fn method(x: &Exchange, say: &mut dyn FnMut(fmt::Arguments<'_>)) {
    let method = x.request.method_kind();
    let level = x.listener().methods as u8;
    let default = if level == 0 { ", the default," } else { "" };
    match (method.name(), method.group()) {
        (Some("CONNECT"), _) | (None, _) | (_, None) => {
            say(format_args!("no level of xHTTP lets CONNECT pass: Pound opens no tunnels"));
        }
        (Some(name), Some(needed)) => {
            say(format_args!(
                "xHTTP {level}{default} does not allow {name}; xHTTP {needed} does, or Methods \"{name}\""
            ));
        }
    }
}

/// The directive whose bound was passed, and its value.
fn bound(cause: &Cause, limits: &Limits) -> Option<(&'static str, usize)> {
    match cause {
        Cause::BadRequest(error) | Cause::BadAnswer(error) => match error {
            ParseError::LineTooLong => Some(("LineBufferSize", limits.line_max)),
            ParseError::TargetTooLong => {
                Some(("the bound, LineBufferSize or 16 KiB if that is less,", limits.target_max))
            }
            ParseError::HeadTooLong => Some(("MaxHead", limits.head_max)),
            ParseError::TooManyFields => Some(("MaxFields", limits.fields_max)),
            _ => None,
        },
        Cause::BadBody(error) | Cause::BadAnswerBody(error) => match error {
            BodyError::ChunkLineTooLong => Some(("MaxChunkLine", limits.chunk_line_max)),
            BodyError::ChunkExtensionsTooLong => Some(("MaxChunkExt", limits.chunk_ext_total_max)),
            BodyError::TrailersTooLong => Some(("MaxTrailer", limits.trailer_max)),
            BodyError::TrailersTooMany => Some(("MaxTrailerFields", limits.trailer_fields_max)),
            _ => None,
        },
        _ => None,
    }
}

/// A byte for a reader: as it looks, or its number and name.
struct Character(u8);

impl fmt::Display for Character {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.0 {
            0 => "NUL",
            b'\t' => "tab",
            b'\n' => "line feed",
            b'\r' => "carriage return",
            b' ' => "space",
            0x1b => "escape",
            0x7f => "delete",
            byte if byte.is_ascii_graphic() => return write!(f, "{}", char::from(byte)),
            byte if byte.is_ascii() => "control character",
            byte => return write!(f, "byte 0x{byte:02X}"),
        };
        write!(f, "U+{:04X} {name}", self.0)
    }
}
