//! One message head: a start line and its fields, in order, as ranges into one buffer that the head owns.
//!
//! There is no map and no allocation per field: a field is three words, and finding one is a walk over a few dozen of
//! them. Edits append bytes to the end of the buffer and point the field there; nothing is ever shifted, so every
//! range taken before stays true until the head is recycled.
//!
//! A head can only be made by parsing or by `compose`, and only be changed by methods that check what they are given.
//! So whatever a rewrite rule or a script does, no byte that would end a line can get into it.

use crate::field::Known;
use crate::h1::error::{EditError, ParseError};
use crate::h1::limits::EDITED_HEAD_MAX;
use crate::method::Method;
use crate::{target, token};

mod fields;

pub(crate) use fields::field_line;
pub use fields::{Field, Fields, Slots};

/// A protocol version this codec speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1. Heads that came over HTTP/2 or HTTP/3 are treated as this one.
    #[default]
    Http11,
}

impl Version {
    /// All that are read.
    pub const ALL: [Version; 2] = [Version::Http10, Version::Http11];

    /// As a request line has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Version::Http10 => "HTTP/1.0",
            Version::Http11 => "HTTP/1.1",
        }
    }
}

/// A range of the head's buffer: `start` inclusive, `end` exclusive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// Offset of the first byte.
    pub start: u32,
    /// Offset after the last byte.
    pub end: u32,
}

impl Span {
    /// A span of two offsets into a buffer that is bounded far below 4 GiB; larger offsets give an empty span.
    pub(crate) fn new(start: usize, end: usize) -> Span {
        match (u32::try_from(start), u32::try_from(end)) {
            (Ok(start), Ok(end)) => Span { start, end },
            _ => Span::default(),
        }
    }
}

/// A parsed request head.
#[derive(Clone, Debug, Default)]
pub struct RequestHead {
    fields: Fields,
    /// The request line as it came, for logs; edits never move it.
    line: Span,
    method: Span,
    kind: Method,
    target: Span,
    path: Span,
    query: Option<Span>,
    version: Version,
    wire_len: u32,
}

/// What the parser found of a request line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestLine {
    pub(crate) line: Span,
    pub(crate) method: Span,
    pub(crate) target: Span,
    pub(crate) version: Version,
}

impl RequestHead {
    /// An empty head, to be filled later by moving a parsed one into its place.
    #[must_use]
    pub fn new() -> RequestHead {
        RequestHead::default()
    }

    pub(crate) fn assemble(fields: Fields, line: RequestLine) -> RequestHead {
        let wire_len = u32::try_from(fields.buffer().len()).unwrap_or(u32::MAX);
        let mut head = RequestHead {
            kind: Method::lookup(fields.bytes(line.method)),
            fields,
            line: line.line,
            method: line.method,
            target: line.target,
            path: Span::default(),
            query: None,
            version: line.version,
            wire_len,
        };
        head.find_path();
        head
    }

    /// Makes a head from parts, as HTTP/2 and HTTP/3 deliver them. `protocol` is only for [`line`](Self::line), for
    /// instance `HTTP/2.0`; the head counts as HTTP/1.1. Fields are then added with [`Fields::append`].
    ///
    /// The buffer is cleared first.
    ///
    /// # Errors
    /// When method or target could not stand in a request line.
    pub fn compose(
        mut buf: Vec<u8>,
        slots: Slots,
        method: &[u8],
        target: &[u8],
        protocol: &str,
    ) -> Result<RequestHead, ParseError> {
        if !token::is_token(method) {
            return Err(ParseError::MethodMalformed);
        }
        if method.len() > crate::h1::limits::METHOD_MAX {
            return Err(ParseError::MethodTooLong);
        }
        if !target::is_visible(target) {
            return Err(ParseError::TargetCharacter);
        }
        if target.len() > EDITED_HEAD_MAX {
            return Err(ParseError::TargetTooLong);
        }
        buf.clear();
        buf.extend_from_slice(method);
        let method = Span::new(0, buf.len());
        buf.push(b' ');
        let start = buf.len();
        buf.extend_from_slice(target);
        let target = Span::new(start, buf.len());
        buf.push(b' ');
        buf.extend_from_slice(protocol.as_bytes());
        let line = Span::new(0, buf.len());
        let line = RequestLine { line, method, target, version: Version::Http11 };
        Ok(RequestHead::assemble(Fields::over(buf, slots), line))
    }

    /// The method as received.
    #[must_use]
    pub fn method(&self) -> &[u8] {
        self.fields.bytes(self.method)
    }

    /// The method, looked up.
    #[must_use]
    pub fn method_kind(&self) -> Method {
        self.kind
    }

    /// The request target, as received or as last set.
    #[must_use]
    pub fn target(&self) -> &[u8] {
        self.fields.bytes(self.target)
    }

    /// The path of the target: everything before the query, without scheme and authority. `*` for the asterisk-form,
    /// empty for the authority-form and for an absolute-form without a path. Never decoded.
    #[must_use]
    pub fn path(&self) -> &[u8] {
        self.fields.bytes(self.path)
    }

    /// What follows the first `?` of the target; `Some(b"")` for an empty query.
    #[must_use]
    pub fn query(&self) -> Option<&[u8]> {
        self.query.map(|span| self.fields.bytes(span))
    }

    /// Replaces the target.
    ///
    /// Only what would break the request line is refused here; whether the target has a valid form is for
    /// [`check::request_semantics`](crate::check::request_semantics).
    ///
    /// # Errors
    /// `TargetInvalid` for an empty target or one with spaces or control bytes, `HeadFull` at the bound.
    pub fn set_target(&mut self, target: &[u8]) -> Result<(), EditError> {
        if !target::is_visible(target) {
            return Err(EditError::TargetInvalid);
        }
        self.target = self.fields.store(target)?;
        self.find_path();
        Ok(())
    }

    /// Turns an absolute-form target into origin-form, as it is forwarded (RFC 9112 section 3.2.1), and gives an
    /// HTTP/1.0 request that had none the Host its target names. Other forms are left alone.
    ///
    /// To be called after [`check::request_semantics`](crate::check::request_semantics), which makes sure that the
    /// target is well formed and agrees with Host.
    ///
    /// # Errors
    /// `HeadFull` at the bound for edits.
    pub fn make_origin_form(&mut self) -> Result<(), EditError> {
        let Ok(target::RequestTarget::Absolute(absolute)) = target::classify(self.target(), self.kind) else {
            return Ok(());
        };
        let host = absolute.authority.raw.to_vec();
        let target = absolute.origin_form(self.kind);
        self.set_target(&target)?;
        if self.host().is_none() {
            self.fields.set(Known::Host.name().as_bytes(), &host)?;
        }
        Ok(())
    }

    /// Takes the segments out of the path that are a plain `.` ([`target::without_plain_dots`]). To be called before
    /// anything is matched, so that what is matched is what is forwarded.
    ///
    /// # Errors
    /// `HeadFull` at the bound for edits.
    pub fn remove_plain_dots(&mut self) -> Result<(), EditError> {
        let Some(path) = target::without_plain_dots(self.path()) else { return Ok(()) };
        let target = self.target();
        let start = (self.path.start - self.target.start) as usize;
        let end = (self.path.end - self.target.start) as usize;
        let target = [&target[..start], &path, &target[end..]].concat();
        self.set_target(&target)
    }

    /// The protocol version.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// The fields, in order.
    #[must_use]
    pub fn fields(&self) -> &Fields {
        &self.fields
    }

    /// The fields, to be edited.
    #[must_use]
    pub fn fields_mut(&mut self) -> &mut Fields {
        &mut self.fields
    }

    /// The value of the first Host.
    #[must_use]
    pub fn host(&self) -> Option<&[u8]> {
        self.fields.get(Known::Host)
    }

    /// The request line as received, without its CRLF: what logs show, whatever was edited since.
    #[must_use]
    pub fn line(&self) -> &[u8] {
        self.fields.bytes(self.line)
    }

    /// The first value of a field by name, in any case, as it was received, whatever was edited since.
    #[must_use]
    pub fn received(&self, name: &[u8]) -> Option<&[u8]> {
        // Behind the line's CRLF.
        self.fields.received(name, Span { start: self.line.end.saturating_add(2), end: self.wire_len })
    }

    /// Bytes the head took on the wire, empty lines included.
    #[must_use]
    pub fn wire_len(&self) -> usize {
        self.wire_len as usize
    }

    /// Gives the emptied buffer and field slots back, for the next head.
    #[must_use]
    pub fn recycle(self) -> (Vec<u8>, Slots) {
        self.fields.recycle()
    }

    fn find_path(&mut self) {
        let target = self.fields.bytes(self.target);
        let (path, query) = target::path_and_query(target);
        let at = |range: std::ops::Range<usize>| {
            let base = self.target.start as usize;
            Span::new(base + range.start, base + range.end)
        };
        (self.path, self.query) = (at(path), query.map(at));
    }
}

/// A parsed response head.
#[derive(Clone, Debug, Default)]
pub struct ResponseHead {
    fields: Fields,
    line: Span,
    status: u16,
    reason: Span,
    version: Version,
    wire_len: u32,
}

/// What the parser found of a status line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StatusLine {
    pub(crate) line: Span,
    pub(crate) status: u16,
    pub(crate) reason: Span,
    pub(crate) version: Version,
}

impl ResponseHead {
    /// An empty head, to be filled later by moving a parsed one into its place. Its status is 0, which no method
    /// but this one gives.
    #[must_use]
    pub fn new() -> ResponseHead {
        ResponseHead::default()
    }

    pub(crate) fn assemble(fields: Fields, line: StatusLine) -> ResponseHead {
        let wire_len = u32::try_from(fields.buffer().len()).unwrap_or(u32::MAX);
        ResponseHead {
            fields,
            line: line.line,
            status: line.status,
            reason: line.reason,
            version: line.version,
            wire_len,
        }
    }

    /// Makes a head of our own. The buffer is cleared first.
    ///
    /// # Errors
    /// As [`set_status`](Self::set_status).
    pub fn compose(
        mut buf: Vec<u8>,
        slots: Slots,
        status: u16,
        reason: &[u8],
    ) -> Result<ResponseHead, EditError> {
        buf.clear();
        let mut head = ResponseHead { fields: Fields::over(buf, slots), ..ResponseHead::default() };
        head.set_status(status, reason)?;
        Ok(head)
    }

    /// The protocol version.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// The status code, 100 to 999.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Whether this is an interim answer (1xx) after which another one follows. 101 is final: it ends HTTP.
    #[must_use]
    pub fn is_interim(&self) -> bool {
        (100..200).contains(&self.status) && self.status != 101
    }

    /// The reason phrase; may be empty.
    #[must_use]
    pub fn reason(&self) -> &[u8] {
        self.fields.bytes(self.reason)
    }

    /// Replaces status and reason.
    ///
    /// # Errors
    /// `StatusInvalid` outside of 100 to 999, `ReasonInvalid` for control bytes, `HeadFull` at the bound.
    pub fn set_status(&mut self, status: u16, reason: &[u8]) -> Result<(), EditError> {
        if !(100..=999).contains(&status) {
            return Err(EditError::StatusInvalid);
        }
        if !token::is_value(reason) {
            return Err(EditError::ReasonInvalid);
        }
        self.reason = self.fields.store(reason)?;
        self.status = status;
        Ok(())
    }

    /// The fields, in order.
    #[must_use]
    pub fn fields(&self) -> &Fields {
        &self.fields
    }

    /// The fields, to be edited.
    #[must_use]
    pub fn fields_mut(&mut self) -> &mut Fields {
        &mut self.fields
    }

    /// The status line as received, without its CRLF; empty for heads of our own.
    #[must_use]
    pub fn line(&self) -> &[u8] {
        self.fields.bytes(self.line)
    }

    /// Bytes the head took on the wire.
    #[must_use]
    pub fn wire_len(&self) -> usize {
        self.wire_len as usize
    }

    /// Gives the emptied buffer and field slots back, for the next head.
    #[must_use]
    pub fn recycle(self) -> (Vec<u8>, Slots) {
        self.fields.recycle()
    }
}

#[cfg(test)]
mod tests;
