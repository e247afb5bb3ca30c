//! One chunk-size line, byte by byte.
//!
//! ```text
//!   chunk-size  = 1*HEXDIG
//!   chunk-ext   = *( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] )
//!
//!   Digits ──BWS──▶ BeforeSemicolon        (a blank must lead to a semicolon: `5 ` is no size, unless it is tolerated)
//!     │ ;               │ ;
//!     ▼                 ▼
//!   BeforeName ──tchar──▶ Name ──=──▶ BeforeValue ──tchar──▶ Value
//!     ▲                    │                └──"──▶ Quoted ⇄ Escaped
//!     └───────── ; ────────┴──────────── ; ─────────┴─ AfterQuoted
//!
//!   CR in Digits, Name, Value or AfterQuoted ends the line and must be followed by LF.
//! ```
//!
//! Extensions are checked and dropped (RFC 9112 section 7.1.1). Checked, because a peer that ends its lines at a lone LF
//! or skips a quoted string differently reads other chunks than we do out of the same bytes.

use crate::h1::error::BodyError;
use crate::h1::framing::LENGTH_MAX;
use crate::h1::limits::{CHUNK_DIGITS_MAX, Limits};
use crate::token::class;

/// Where in the line the next byte stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Digits,
    BeforeSemicolon,
    BeforeName,
    Name,
    AfterName,
    BeforeValue,
    Value,
    Quoted,
    Escaped,
    AfterQuoted,
    Lf,
}

/// A chunk-size line that is being read.
#[derive(Clone, Copy, Debug)]
pub(super) struct ChunkLine {
    place: Place,
    size: u64,
    digits: usize,
    /// Bytes of the line, CRLF excepted.
    len: usize,
}

impl ChunkLine {
    pub(super) fn new() -> ChunkLine {
        ChunkLine { place: Place::Digits, size: 0, digits: 0, len: 0 }
    }

    /// Bytes of extension read so far.
    pub(super) fn extension_len(&self) -> usize {
        self.len - self.digits
    }

    /// Takes one byte; the size when it was the last of the line.
    pub(super) fn take(&mut self, byte: u8, limits: &Limits) -> Result<Option<u64>, BodyError> {
        if self.place == Place::Lf {
            return if byte == b'\n' { Ok(Some(self.size)) } else { Err(BodyError::ChunkLineBareCr) };
        }
        match byte {
            b'\r' => return self.end(limits).map(|()| None),
            b'\n' => return Err(BodyError::ChunkLineBareLf),
            _ => {}
        }
        self.len += 1;
        if self.len > limits.chunk_line_max {
            return Err(BodyError::ChunkLineTooLong);
        }
        if self.place == Place::Digits && byte.is_ascii_hexdigit() {
            self.digit(byte)?;
        } else {
            self.place = self.step(byte)?;
        }
        Ok(None)
    }

    fn end(&mut self, limits: &Limits) -> Result<(), BodyError> {
        match self.place {
            Place::Digits if self.digits > 0 => {}
            Place::BeforeSemicolon if limits.tolerance.chunk_blanks => {}
            Place::Name | Place::Value | Place::AfterQuoted => {}
            Place::Digits | Place::BeforeSemicolon => return Err(BodyError::ChunkSizeMalformed),
            _ => return Err(BodyError::ChunkExtensionMalformed),
        }
        self.place = Place::Lf;
        Ok(())
    }

    fn digit(&mut self, byte: u8) -> Result<(), BodyError> {
        let value = char::from(byte).to_digit(16).ok_or(BodyError::ChunkSizeMalformed)?;
        self.digits += 1;
        // Sixteen digits cannot overflow the shift; what they may exceed is the bound shared with Content-Length.
        self.size = self.size << 4 | u64::from(value);
        if self.digits > CHUNK_DIGITS_MAX || self.size > LENGTH_MAX {
            return Err(BodyError::ChunkSizeTooLarge);
        }
        Ok(())
    }

    /// The place after a byte that is neither digit nor line end.
    fn step(&self, byte: u8) -> Result<Place, BodyError> {
        let blank = byte == b' ' || byte == b'\t';
        let tchar = class::is(byte, class::TCHAR);
        match self.place {
            Place::Digits if self.digits == 0 => Err(BodyError::ChunkSizeMalformed),
            Place::Digits | Place::BeforeSemicolon => match byte {
                b';' => Ok(Place::BeforeName),
                _ if blank => Ok(Place::BeforeSemicolon),
                _ => Err(BodyError::ChunkSizeMalformed),
            },
            Place::BeforeName if blank => Ok(Place::BeforeName),
            Place::BeforeName | Place::Name if tchar => Ok(Place::Name),
            Place::Name | Place::AfterName => match byte {
                b'=' => Ok(Place::BeforeValue),
                b';' => Ok(Place::BeforeName),
                _ if blank => Ok(Place::AfterName),
                _ => Err(BodyError::ChunkExtensionMalformed),
            },
            Place::BeforeValue if blank => Ok(Place::BeforeValue),
            Place::BeforeValue if byte == b'"' => Ok(Place::Quoted),
            Place::BeforeValue | Place::Value if tchar => Ok(Place::Value),
            Place::Value | Place::AfterQuoted => match byte {
                b';' => Ok(Place::BeforeName),
                // A blank here can only lead to the next semicolon.
                _ if blank => Ok(Place::BeforeSemicolon),
                _ => Err(BodyError::ChunkExtensionMalformed),
            },
            Place::Quoted if byte == b'"' => Ok(Place::AfterQuoted),
            Place::Quoted if byte == b'\\' => Ok(Place::Escaped),
            Place::Quoted | Place::Escaped if class::is(byte, class::VALUE) => Ok(Place::Quoted),
            _ => Err(BodyError::ChunkExtensionMalformed),
        }
    }
}
