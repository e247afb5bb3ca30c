//! HTTP/1 bytes and header grammar, and nothing else.
//!
//! This crate turns bytes into message heads and body pieces and back. It never does I/O, never reads a clock, never
//! sees configuration and never keeps body data, so all of it can be tested and fuzzed with plain slices.
//!
//! What it promises to the rest of the proxy:
//!
//! - **One reading.** What two HTTP implementations could read differently is refused, not repaired. Line ends are CRLF,
//!   names are tokens, one framing field decides the length of a body.
//! - **Segmentation does not matter.** Any cut of the same bytes gives the same outcome.
//! - **Output is canonical.** What [`h1::write`] and [`h1::body::Encoder`] produce is computed from parsed parts; framing
//!   is never copied from the other side.
//! - **Nothing grows without bound.** Every maximum is in [`h1::limits`], with its reason.
//! - **No panics, no `unsafe`,** no allocation per field, work linear in the input.
//!
//! The way of a request: [`h1::parse::HeadScanner`] → [`h1::parse::request`] → [`check::request_semantics`] →
//! [`h1::framing::request`] → [`h1::body::Decoder`], and out again by [`h1::write`] and [`h1::body::Encoder`].
#![forbid(unsafe_code)]

pub mod check;
pub mod cookie;
pub mod field;
pub mod h1;
pub mod head;
pub mod hop;
pub mod method;
pub mod target;
pub mod token;

pub use field::Known;
pub use h1::body::{Decoded, Decoder, Encoder};
pub use h1::error::{BodyError, EditError, FramingError, ParseError};
pub use h1::framing::BodyLength;
pub use h1::limits::{Limits, Tolerance};
pub use h1::parse::{HeadScanner, Kind, Refused};
pub use head::{Field, Fields, RequestHead, ResponseHead, Slots, Span, Version};
pub use method::Method;
