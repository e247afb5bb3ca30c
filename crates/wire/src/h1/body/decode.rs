//! The incoming side of a body.

use super::chunk::ChunkLine;
use super::trailer::TrailerSection;
use crate::h1::error::BodyError;
use crate::h1::framing::BodyLength;
use crate::h1::limits::Limits;
use crate::head::Fields;

/// What the input holds next. In each case the first `skip` bytes are framing that has been read: the caller discards
/// them before anything else and never offers them again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decoded {
    /// Nothing more can be said without further input.
    NeedMore {
        /// Framing bytes to discard.
        skip: usize,
    },
    /// Body data.
    Data {
        /// Framing bytes to discard first.
        skip: usize,
        /// Bytes of data after them; at least one.
        len: usize,
        /// Bytes left in the chunk these come from, including `len`; `None` when the source is not chunked.
        chunk_left: Option<u64>,
    },
    /// The body has ended; what follows belongs to the next message.
    Done {
        /// Framing bytes to discard.
        skip: usize,
    },
}

/// ```text
///   Length ─────────────────────────────▶ Done
///   UntilClose ──────────eof────────────▶ Done
///   Size ─▶ Data ─▶ DataCr ─▶ DataLf ─▶ Size …
///     └─ size 0 ─▶ Trailer ─────────────▶ Done
///   any ──error─▶ Failed                     (and never out of it)
/// ```
#[derive(Clone, Debug)]
enum State {
    Length {
        left: u64,
    },
    UntilClose,
    Size(ChunkLine),
    Data {
        left: u64,
    },
    DataCr,
    DataLf,
    Trailer(TrailerSection),
    Done,
    /// And where in the input that it failed on the line begins that is to blame.
    Failed(BodyError, usize),
}

/// Takes a body apart as it comes in, without ever holding its data.
///
/// The outcome does not depend on how the input is cut: byte by byte gives the same data, trailers and errors as one
/// piece.
#[derive(Clone, Debug)]
pub struct Decoder {
    state: State,
    /// Extension bytes that no body byte has paid for yet.
    extension_debt: usize,
    /// Boxed: hardly any message has some, and every idle connection would pay for the room.
    trailers: Option<Box<Fields>>,
}

static NO_FIELDS: Fields = Fields::none();

impl Decoder {
    /// A decoder for a body framed so.
    #[must_use]
    pub fn new(length: BodyLength) -> Decoder {
        let state = match length {
            BodyLength::None | BodyLength::Length(0) => State::Done,
            BodyLength::Length(left) => State::Length { left },
            BodyLength::Chunked => State::Size(ChunkLine::new()),
            BodyLength::UntilClose => State::UntilClose,
        };
        Decoder { state, extension_debt: 0, trailers: None }
    }

    /// Looks at input that has not been looked at and says what to do next.
    ///
    /// `input` starts after everything skipped and consumed so far. Calling again without having consumed data offers
    /// the same data again.
    ///
    /// # Errors
    /// When the bytes break the framing. The connection is lost; every later call gives the same error.
    pub fn decode(&mut self, input: &[u8], limits: &Limits) -> Result<Decoded, BodyError> {
        let mut skip = 0;
        loop {
            let rest = &input[skip..];
            match &mut self.state {
                State::Done => return Ok(Decoded::Done { skip }),
                State::Failed(error, _) => return Err(*error),
                State::Length { .. } | State::UntilClose | State::Data { .. } => {
                    return Ok(self.offer(skip, rest.len()));
                }
                _ if rest.is_empty() => return Ok(Decoded::NeedMore { skip }),
                _ => {}
            }
            match self.framing(rest, limits) {
                Ok(taken) => skip += taken,
                Err(error) => {
                    self.state = State::Failed(error, skip);
                    return Err(error);
                }
            }
        }
    }

    fn offer(&self, skip: usize, available: usize) -> Decoded {
        let (len, chunk_left) = match self.state {
            State::Length { left } => (at_most(available, left), None),
            State::Data { left } => (at_most(available, left), Some(left)),
            _ => (available, None),
        };
        if len == 0 { Decoded::NeedMore { skip } } else { Decoded::Data { skip, len, chunk_left } }
    }

    /// Takes framing bytes from the front of a non-empty `input` and gives how many.
    fn framing(&mut self, input: &[u8], limits: &Limits) -> Result<usize, BodyError> {
        match &mut self.state {
            State::Size(line) => {
                let debt = self.extension_debt;
                for (at, &byte) in input.iter().enumerate() {
                    let size = line.take(byte, limits)?;
                    if debt + line.extension_len() > limits.chunk_ext_total_max {
                        return Err(BodyError::ChunkExtensionsTooLong);
                    }
                    if let Some(size) = size {
                        self.extension_debt += line.extension_len();
                        self.state = match size {
                            0 => State::Trailer(TrailerSection::default()),
                            left => State::Data { left },
                        };
                        return Ok(at + 1);
                    }
                }
                Ok(input.len())
            }
            State::DataCr if input[0] == b'\r' => {
                self.state = State::DataLf;
                Ok(1)
            }
            State::DataLf if input[0] == b'\n' => {
                self.state = State::Size(ChunkLine::new());
                Ok(1)
            }
            // Any two bytes taken for the CRLF would hide two bytes of the next chunk from one of two readers.
            State::DataCr | State::DataLf => Err(BodyError::ChunkEndMalformed),
            State::Trailer(section) => {
                let (taken, fields) = section.take(input, limits)?;
                if let Some(fields) = fields {
                    self.trailers = (!fields.is_empty()).then(|| Box::new(fields));
                    self.state = State::Done;
                }
                Ok(taken)
            }
            State::Length { .. }
            | State::UntilClose
            | State::Data { .. }
            | State::Done
            | State::Failed(..) => Ok(0),
        }
    }

    /// The caller has taken `n` bytes of the data last offered.
    ///
    /// Taking more than was offered is the caller's mistake; the count then stops at the end of the chunk or body, so
    /// that what follows is read as framing and refused.
    pub fn consume(&mut self, n: usize) {
        let taken = n as u64;
        self.state = match std::mem::replace(&mut self.state, State::Done) {
            State::Length { left } if taken >= left => State::Done,
            State::Length { left } => State::Length { left: left - taken },
            State::Data { left } => {
                self.extension_debt = self.extension_debt.saturating_sub(n);
                if taken >= left { State::DataCr } else { State::Data { left: left - taken } }
            }
            other => other,
        };
    }

    /// What is here of the chunk-size line or trailer that `decode` failed on, with whatever follows it; for the log.
    /// `input` is what it was given.
    #[must_use]
    pub fn offending<'a>(&self, input: &'a [u8]) -> &'a [u8] {
        match self.state {
            // What should have been a line end is data, and nobody's business.
            State::Failed(BodyError::ChunkEndMalformed, _) => b"",
            State::Failed(_, at) => input.get(at..).unwrap_or_default(),
            _ => b"",
        }
    }

    /// Whether the body has ended; nothing of it is then left in the input.
    #[must_use]
    pub fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// Bytes that are still to come before the end of the body, when that is known.
    #[must_use]
    pub fn left(&self) -> Option<u64> {
        match self.state {
            State::Length { left } => Some(left),
            State::Done => Some(0),
            _ => None,
        }
    }

    /// The input has ended.
    ///
    /// # Errors
    /// `Truncated`, unless the body was complete or this is how it ends.
    pub fn eof(&mut self) -> Result<(), BodyError> {
        match &self.state {
            State::Done => Ok(()),
            State::UntilClose => {
                self.state = State::Done;
                Ok(())
            }
            State::Failed(error, _) => Err(*error),
            _ => {
                self.state = State::Failed(BodyError::Truncated, usize::MAX);
                Err(BodyError::Truncated)
            }
        }
    }

    /// The trailer fields that may be forwarded; empty until the body has ended. Fields that a Connection field
    /// nominated are still to be removed with [`hop::Nominated`](crate::hop::Nominated).
    #[must_use]
    pub fn trailers(&self) -> &Fields {
        self.trailers.as_deref().unwrap_or(&NO_FIELDS)
    }

    /// Takes the trailer fields out.
    #[must_use]
    pub fn take_trailers(&mut self) -> Fields {
        self.trailers.take().map_or_else(Fields::new, |fields| *fields)
    }
}

fn at_most(available: usize, left: u64) -> usize {
    usize::try_from(left).map_or(available, |left| available.min(left))
}
