//! The trailer section of a chunked body: collected until its empty line, then parsed like the fields of a head.
//!
//! It is the one thing of a body that is buffered here, bounded by `trailer_max`, since a field means nothing before
//! its line is complete and the caller's buffer may be smaller than a line.

use crate::field;
use crate::h1::error::{BodyError, ParseError};
use crate::h1::limits::Limits;
use crate::h1::parse::{self, Blanks};
use crate::h1::scan;
use crate::head::{Fields, Slots};

/// A trailer section that is being read.
#[derive(Clone, Debug, Default)]
pub(super) struct TrailerSection {
    buf: Vec<u8>,
    line_start: usize,
    lines: usize,
    cr: bool,
}

impl TrailerSection {
    /// Takes bytes from the front of `input`; gives how many, and the fields when the empty line was among them.
    pub(super) fn take(
        &mut self,
        input: &[u8],
        limits: &Limits,
    ) -> Result<(usize, Option<Fields>), BodyError> {
        let mut at = 0;
        loop {
            if self.cr {
                match input.get(at) {
                    None => return Ok((at, None)),
                    Some(b'\n') => at += 1,
                    Some(_) => return Err(BodyError::TrailerMalformed),
                }
                if self.end_line(limits)? {
                    return self.fields(limits).map(|fields| (at, Some(fields)));
                }
            }
            let end = scan::control(input, at);
            self.store(&input[at..end], limits)?;
            at = end;
            match input.get(at) {
                None => return Ok((at, None)),
                Some(b'\r') => self.cr = true,
                Some(_) => return Err(BodyError::TrailerMalformed),
            }
            at += 1;
        }
    }

    /// Takes a line end; true when it was the end of the empty line.
    fn end_line(&mut self, limits: &Limits) -> Result<bool, BodyError> {
        self.cr = false;
        let empty = self.buf.len() == self.line_start;
        self.store(b"\r\n", limits)?;
        self.line_start = self.buf.len();
        self.lines += 1;
        // The empty line is one of the lines.
        if !empty && self.lines > limits.trailer_fields_max {
            return Err(BodyError::TrailersTooMany);
        }
        Ok(empty)
    }

    fn store(&mut self, bytes: &[u8], limits: &Limits) -> Result<(), BodyError> {
        if self.buf.len() + bytes.len() > limits.trailer_max {
            return Err(BodyError::TrailersTooLong);
        }
        self.buf.extend_from_slice(bytes);
        Ok(())
    }

    /// RFC 9110 section 6.5.1: fields that decide about framing, routing, authentication or the reading of the content
    /// are never taken from here. They are dropped rather than refused: the RFC lets a recipient ignore them, and the
    /// message before them has long been forwarded.
    fn fields(&mut self, limits: &Limits) -> Result<Fields, BodyError> {
        let mut fields = Fields::over(std::mem::take(&mut self.buf), Slots::default());
        parse::field_lines(&mut fields, 0, limits.trailer_max, limits.trailer_fields_max, Blanks::Refused)
            .map_err(|error| match error {
                ParseError::TooManyFields => BodyError::TrailersTooMany,
                _ => BodyError::TrailerMalformed,
            })?;
        fields.retain(|name, _| field::allowed_in_trailers(name));
        Ok(fields)
    }
}
