//! Start line and field lines: bytes to a head.
//!
//! [`HeadScanner`] finds the end of a head as its bytes come in; [`request`] and [`response`] then turn exactly these
//! bytes into a head. Both are as strict as the grammar: CRLF is the only line end, no line is folded, names are tokens
//! up to their colon, and nothing is repaired (RFC 9112 section 2.2 allows a lone LF; two peers that differ in what they
//! allow are how requests are smuggled). Answers of a back-end that has some [`Tolerance`](super::limits::Tolerance) are put
//! right before they are parsed.

use super::error::ParseError;
use super::limits::{Limits, METHOD_MAX, Tolerance};
use super::{scan, tolerance};
use crate::field::{self, Known};
use crate::head::{Field, Fields, RequestHead, RequestLine, ResponseHead, Slots, Span, StatusLine, Version};
use crate::token;

/// Which start line a head has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A request line; one empty line before it is skipped.
    Request,
    /// A status line; nothing may come before it.
    Response,
}

/// Length of ` HTTP/1.1` and the space before the target: what a request line has besides method and target.
const REQUEST_LINE_REST: usize = 1 + 1 + 8;

/// Finds the end of a head while its bytes come in.
///
/// Each byte is looked at once, however small the pieces, and what can be refused is refused at once: control bytes,
/// bare CR or LF, lines and heads over their limits, a malformed start line, folds. The outcome does not depend on how
/// the bytes were cut.
#[derive(Clone, Debug)]
pub struct HeadScanner {
    kind: Kind,
    /// Everything before has been looked at.
    pos: usize,
    /// Start of the line that `pos` is in.
    line: usize,
    /// Where the start line begins: 0, or 2 after an empty line.
    start: usize,
    /// Start line and field lines that have ended.
    lines: usize,
    /// The verdict, once it is bad: after it no further byte may be parsed.
    refused: Option<ParseError>,
}

impl HeadScanner {
    /// A scanner at the first byte of a head.
    #[must_use]
    pub fn new(kind: Kind) -> HeadScanner {
        HeadScanner { kind, pos: 0, line: 0, start: 0, lines: 0, refused: None }
    }

    /// Ready for the next head of the same kind.
    pub fn reset(&mut self) {
        *self = HeadScanner::new(self.kind);
    }

    /// Bytes of the start line seen so far, for the log of a refused head. `buf` is what was given to `scan`.
    #[must_use]
    pub fn line<'a>(&self, buf: &'a [u8]) -> &'a [u8] {
        let rest = buf.get(self.start..).unwrap_or_default();
        &rest[..scan::control(rest, 0)]
    }

    /// What is here of the field line that is being read, with whatever follows it; for the log of a refused head. Empty
    /// if that is the start line. `buf` is what was given to `scan`.
    #[must_use]
    pub fn field_line<'a>(&self, buf: &'a [u8]) -> &'a [u8] {
        if self.lines == 0 { b"" } else { buf.get(self.line..).unwrap_or_default() }
    }

    /// The byte for which the head was refused, if it was for one that may not stand where it stands, with its line and its
    /// place in it, both from 1; for the log. `buf` is what was given to `scan`.
    #[must_use]
    pub fn stray_byte(&self, buf: &[u8]) -> Option<(u8, usize, usize)> {
        let at = match self.refused? {
            ParseError::BareLf | ParseError::BareCr | ParseError::Nul | ParseError::ControlByte => self.pos,
            ParseError::TargetCharacter | ParseError::MethodMalformed => {
                let line = self.line(buf);
                let method = scan::token_len(line);
                let target = line.get(method + 1..).unwrap_or_default();
                let is_method = self.refused == Some(ParseError::MethodMalformed);
                self.start
                    + if is_method { method } else { method + 1 + crate::target::first_invisible(target)?.0 }
            }
            _ => return None,
        };
        // An empty line before the start line is none of the head's.
        let start = if self.lines == 0 { self.start } else { self.line };
        buf.get(at).map(|byte| (*byte, self.lines + 1, at - start + 1))
    }

    /// Looks at the bytes that are new since the last call.
    ///
    /// `buf` starts at the first byte of the head and must hold everything given before; bytes after the head (a body,
    /// the next request) are not looked at. `Some(n)` says that the first `n` bytes are a head, empty line included.
    ///
    /// # Errors
    /// As soon as the bytes cannot become a head. The connection is then lost; every later call gives the same error
    /// until `reset`.
    pub fn scan(&mut self, buf: &[u8], limits: &Limits) -> Result<Option<usize>, ParseError> {
        if let Some(error) = self.refused {
            return Err(error);
        }
        self.advance(buf, limits).inspect_err(|error| self.refused = Some(*error))
    }

    fn advance(&mut self, buf: &[u8], limits: &Limits) -> Result<Option<usize>, ParseError> {
        // Bytes past the limit are never looked at, so that the verdict cannot depend on how many came at once.
        let view = &buf[..buf.len().min(limits.head_max)];
        loop {
            let end = scan::control(view, self.pos);
            if end - self.line > self.line_max(limits) {
                return Err(self.too_long(view));
            }
            self.pos = end;
            let (first, second) = (view.get(end), view.get(end + 1));
            let width = match (first, second) {
                (Some(b'\r'), Some(b'\n')) => 2,
                (Some(b'\n'), _) if self.tolerates(limits).bare_lf => 1,
                (None, _) | (Some(b'\r'), None) if buf.len() > limits.head_max => {
                    return Err(ParseError::HeadTooLong);
                }
                (None, _) | (Some(b'\r'), None) => return Ok(None),
                (Some(&byte), _) => return Err(stray(byte)),
            };
            let line = &view[self.line..end];
            self.pos = end + width;
            // A line that is refused stays the one that is being read.
            let is_end = self.end_line(line, limits)?;
            self.line = self.pos;
            if is_end {
                return Ok(Some(self.pos));
            }
        }
    }

    /// Takes one complete line; true when it was the empty line that ends the head.
    fn end_line(&mut self, line: &[u8], limits: &Limits) -> Result<bool, ParseError> {
        match (self.lines, line.first()) {
            (0, None) => {
                if self.kind == Kind::Response || self.start > 0 {
                    return Err(ParseError::EmptyLineFirst);
                }
                self.start = self.pos;
                return Ok(false);
            }
            (0, Some(_)) => match self.kind {
                Kind::Request => request_line(line, 0, limits).map(drop)?,
                Kind::Response => status_line(line).map(drop)?,
            },
            (_, None) => return Ok(true),
            (lines, Some(byte)) => {
                if lines == 1 || !self.tolerates(limits).folds {
                    refuse_leading_space(*byte, lines - 1)?;
                }
                if lines > limits.fields_max {
                    return Err(ParseError::TooManyFields);
                }
            }
        }
        self.lines += 1;
        Ok(false)
    }

    /// Nothing of a request.
    fn tolerates(&self, limits: &Limits) -> Tolerance {
        if self.kind == Kind::Response { limits.tolerance } else { Tolerance::default() }
    }

    fn line_max(&self, limits: &Limits) -> usize {
        match (self.lines, self.kind) {
            (0, Kind::Request) => limits.target_max.saturating_add(METHOD_MAX + REQUEST_LINE_REST),
            _ => limits.line_max,
        }
    }

    fn too_long(&self, view: &[u8]) -> ParseError {
        if self.lines > 0 || self.kind == Kind::Response {
            return ParseError::LineTooLong;
        }
        let line = view.get(self.line..).unwrap_or_default();
        match memchr::memchr(b' ', &line[..line.len().min(METHOD_MAX + 1)]) {
            Some(_) => ParseError::TargetTooLong,
            None => ParseError::MethodTooLong,
        }
    }
}

/// A head that was refused, with the buffers it was to live in.
#[derive(Debug)]
pub struct Refused {
    /// What is wrong with it.
    pub error: ParseError,
    /// The bytes as given.
    pub buf: Vec<u8>,
    /// The field slots, emptied.
    pub slots: Slots,
}

impl Refused {
    /// The start line, or as much of it as is printable, for the log.
    #[must_use]
    pub fn line(&self) -> &[u8] {
        let start = if self.buf.starts_with(b"\r\n") { 2 } else { 0 };
        let rest = self.buf.get(start..).unwrap_or_default();
        &rest[..scan::control(rest, 0)]
    }
}

impl Refused {
    /// The first field line that is none, with what follows it; empty if it is the start line that is wrong.
    #[must_use]
    pub fn field_line(&self) -> &[u8] {
        let start = if self.buf.starts_with(b"\r\n") { 2 } else { 0 };
        let mut rest = self.buf.get(start..).unwrap_or_default();
        let mut first = true;
        while let Some(end) = memchr::memmem::find(rest, b"\r\n") {
            // Told apart here once more, so that `field_line` stays where it is inlined.
            let name = scan::token_len(&rest[..end]);
            if !first && end > 0 && (name == 0 || rest[name] != b':') {
                return rest;
            }
            first = false;
            rest = &rest[end + 2..];
        }
        b""
    }
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.error.fmt(f)
    }
}

impl std::error::Error for Refused {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

/// Parses a request head. `buf` must hold exactly the head, as [`HeadScanner`] measured it.
///
/// One empty line before the request line is skipped: RFC 9112 section 2.2 asks for it, since old clients sent one
/// after a POST body. More than one is refused.
///
/// # Errors
/// [`Refused`] with the reason and the buffers.
pub fn request(buf: Vec<u8>, slots: Slots, limits: &Limits) -> Result<RequestHead, Refused> {
    let mut fields = Fields::over(buf, slots);
    match request_parts(&mut fields, limits) {
        Ok(line) => Ok(RequestHead::assemble(fields, line)),
        Err(error) => Err(refused(error, fields)),
    }
}

/// Parses a response head. `buf` must hold exactly the head, as [`HeadScanner`] measured it.
///
/// # Errors
/// [`Refused`] with the reason and the buffers.
pub fn response(buf: Vec<u8>, slots: Slots, limits: &Limits) -> Result<ResponseHead, Refused> {
    if limits.tolerance.is_about_heads() && refuse_long(&buf, limits).is_ok() {
        let repaired = tolerance::repair(&buf, limits.tolerance);
        // Line ends that became whole may have made it longer than a head from the wire.
        let limits = Limits { head_max: limits.head_max.max(repaired.len()), ..*limits };
        return strict_response(repaired, slots, &limits);
    }
    strict_response(buf, slots, limits)
}

fn strict_response(buf: Vec<u8>, slots: Slots, limits: &Limits) -> Result<ResponseHead, Refused> {
    let mut fields = Fields::over(buf, slots);
    match response_parts(&mut fields, limits) {
        Ok(line) => Ok(ResponseHead::assemble(fields, line)),
        Err(error) => Err(refused(error, fields)),
    }
}

fn refused(error: ParseError, fields: Fields) -> Refused {
    let (buf, slots) = fields.into_parts();
    Refused { error, buf, slots }
}

fn request_parts(fields: &mut Fields, limits: &Limits) -> Result<RequestLine, ParseError> {
    refuse_long(fields.buffer(), limits)?;
    let mut start = 0;
    let mut end = line_end(fields.buffer(), start)?;
    if end == start {
        start = 2;
        end = line_end(fields.buffer(), start)?;
        if end == start {
            return Err(ParseError::EmptyLineFirst);
        }
    }
    let line = request_line(&fields.buffer()[start..end], start, limits)?;
    field_lines(fields, end + 2, limits.line_max, limits.fields_max, Blanks::Refused)?;
    Ok(line)
}

fn response_parts(fields: &mut Fields, limits: &Limits) -> Result<StatusLine, ParseError> {
    refuse_long(fields.buffer(), limits)?;
    let end = line_end(fields.buffer(), 0)?;
    if end == 0 {
        return Err(ParseError::EmptyLineFirst);
    }
    if end > limits.line_max {
        return Err(ParseError::LineTooLong);
    }
    let line = status_line(&fields.buffer()[..end])?;
    field_lines(fields, end + 2, limits.line_max, limits.fields_max, Blanks::Removed)?;
    Ok(line)
}

fn refuse_long(buf: &[u8], limits: &Limits) -> Result<(), ParseError> {
    // Offsets are 32 bits, whatever the limits say.
    if buf.len() > limits.head_max || u32::try_from(buf.len()).is_err() {
        return Err(ParseError::HeadTooLong);
    }
    Ok(())
}

/// Where the line that starts at `start` ends (the place of its CR).
fn line_end(buf: &[u8], start: usize) -> Result<usize, ParseError> {
    let end = scan::control(buf, start);
    match (buf.get(end), buf.get(end + 1)) {
        (Some(b'\r'), Some(b'\n')) => Ok(end),
        (None, _) | (Some(b'\r'), None) => Err(ParseError::Incomplete),
        (Some(&byte), _) => Err(stray(byte)),
    }
}

/// The error for a control byte that ends no line.
fn stray(byte: u8) -> ParseError {
    match byte {
        b'\r' => ParseError::BareCr,
        b'\n' => ParseError::BareLf,
        0 => ParseError::Nul,
        _ => ParseError::ControlByte,
    }
}

fn refuse_leading_space(byte: u8, fields_before: usize) -> Result<(), ParseError> {
    match (byte, fields_before) {
        (b' ' | b'\t', 0) => Err(ParseError::SpaceBeforeFields),
        (b' ' | b'\t', _) => Err(ParseError::ObsoleteFold),
        _ => Ok(()),
    }
}

/// `method SP request-target SP HTTP-version` (RFC 9112 section 3). Spans are offset by `base`.
fn request_line(line: &[u8], base: usize, limits: &Limits) -> Result<RequestLine, ParseError> {
    let method = scan::token_len(line);
    if method == 0 || line.get(method) != Some(&b' ') {
        return Err(bad_method(line, method));
    }
    if method > METHOD_MAX {
        return Err(ParseError::MethodTooLong);
    }
    let rest = &line[method + 1..];
    let target = memchr::memchr(b' ', rest).ok_or(ParseError::RequestLineMalformed)?;
    if target == 0 {
        return Err(ParseError::RequestLineMalformed);
    }
    if target > limits.target_max {
        return Err(ParseError::TargetTooLong);
    }
    let version = version(&rest[target + 1..])?;
    if !scan::all_visible(&rest[..target]) {
        return Err(ParseError::TargetCharacter);
    }
    let at = base + method + 1;
    Ok(RequestLine {
        line: Span::new(base, base + line.len()),
        method: Span::new(base, base + method),
        target: Span::new(at, at + target),
        version,
    })
}

fn bad_method(line: &[u8], method: usize) -> ParseError {
    match line.get(method) {
        _ if method > METHOD_MAX => ParseError::MethodTooLong,
        None => ParseError::RequestLineMalformed,
        Some(b' ' | b'\t') => ParseError::RequestLineMalformed,
        Some(_) => ParseError::MethodMalformed,
    }
}

/// `HTTP/1.0` or `HTTP/1.1`, in these letters (RFC 9112 section 2.3).
fn version(bytes: &[u8]) -> Result<Version, ParseError> {
    match bytes {
        b"HTTP/1.1" => Ok(Version::Http11),
        b"HTTP/1.0" => Ok(Version::Http10),
        // A later minor version is refused like another major one: nobody has defined it, so nobody sends it
        // in good faith.
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
            if major.is_ascii_digit() && minor.is_ascii_digit() =>
        {
            Err(ParseError::VersionUnsupported)
        }
        _ if memchr::memchr(b' ', bytes).is_some() => Err(ParseError::RequestLineMalformed),
        _ => Err(ParseError::VersionMalformed),
    }
}

/// `HTTP-version SP status-code SP [ reason-phrase ]` (RFC 9112 section 4).
///
/// The space before an empty reason may be missing: the grammar wants it, but servers leave it out and nothing can be
/// misread.
fn status_line(line: &[u8]) -> Result<StatusLine, ParseError> {
    let Some((protocol, rest)) = line.split_at_checked(8) else {
        return Err(ParseError::StatusLineMalformed);
    };
    let version = version(protocol).map_err(|error| match error {
        ParseError::RequestLineMalformed => ParseError::StatusLineMalformed,
        other => other,
    })?;
    let [b' ', a @ b'1'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9', rest @ ..] = rest else {
        return Err(ParseError::StatusLineMalformed);
    };
    let status = [a, b, c].iter().fold(0, |sum, &&digit| sum * 10 + u16::from(digit - b'0'));
    let reason = match rest {
        [] => rest,
        [b' ', reason @ ..] => reason,
        _ => return Err(ParseError::StatusLineMalformed),
    };
    Ok(StatusLine {
        line: Span::new(0, line.len()),
        status,
        reason: Span::new(line.len() - reason.len(), line.len()),
        version,
    })
}

/// What becomes of blanks between the name of a field and its colon (RFC 9112 section 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blanks {
    /// The message is refused: a request, always.
    Refused,
    /// A proxy removes them from an answer. Where they make it a question how long the body is, it is refused all the same.
    Removed,
}

/// Field lines from `at` to the empty line, which must end the buffer. Shared with trailer sections.
pub(crate) fn field_lines(
    fields: &mut Fields,
    mut at: usize,
    line_max: usize,
    fields_max: usize,
    blanks: Blanks,
) -> Result<(), ParseError> {
    loop {
        let buf = fields.buffer();
        let end = line_end(buf, at)?;
        if end == at {
            return if end + 2 == buf.len() { Ok(()) } else { Err(ParseError::Incomplete) };
        }
        let line = &buf[at..end];
        if line.len() > line_max {
            return Err(ParseError::LineTooLong);
        }
        refuse_leading_space(line[0], fields.len())?;
        if fields.len() == fields_max {
            return Err(ParseError::TooManyFields);
        }
        let field = field_line(line, at, blanks)?;
        fields.push(field);
        at = end + 2;
    }
}

/// `field-name ":" OWS field-value OWS` (RFC 9112 section 5). The value is already free of control bytes.
fn field_line(line: &[u8], base: usize, blanks: Blanks) -> Result<Field, ParseError> {
    let name = scan::token_len(line);
    let mut colon = name;
    if name == 0 || line.get(name) != Some(&b':') {
        colon = match bad_name(line, name) {
            ParseError::SpaceBeforeColon if blanks == Blanks::Removed && !is_framing(&line[..name]) => {
                line.len() - token::trim_start(&line[name..]).len()
            }
            error => return Err(error),
        };
    }
    let after = token::trim_start(&line[colon + 1..]);
    let start = base + line.len() - after.len();
    let value = token::trim_end(after);
    Ok(Field::new(
        Span::new(base, base + name),
        Span::new(start, start + value.len()),
        field::lookup(&line[..name]),
    ))
}

fn is_framing(name: &[u8]) -> bool {
    matches!(field::lookup(name), Some(Known::ContentLength | Known::TransferEncoding))
}

fn bad_name(line: &[u8], name: usize) -> ParseError {
    let Some(colon) = memchr::memchr(b':', line) else {
        return ParseError::NoColon;
    };
    match line[name..colon].iter().all(|&byte| byte == b' ' || byte == b'\t') {
        _ if colon == 0 => ParseError::NameEmpty,
        true => ParseError::SpaceBeforeColon,
        false => ParseError::NameMalformed,
    }
}

#[cfg(test)]
mod tests;
