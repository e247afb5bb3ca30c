//! The outgoing side of a body.

use crate::h1::error::BodyError;
use crate::h1::framing::BodyLength;
use crate::head::{Fields, field_line};

/// What to write for a piece of body data: `prefix`, the first `take` bytes of the data, `suffix`.
#[derive(Clone, Copy, Debug)]
pub struct Framed {
    /// A chunk-size line, or nothing.
    pub prefix: ChunkPrefix,
    /// How many bytes of the data to write. Fewer than offered when the announced length or the chunk ends before; the
    /// caller offers the rest again, and when `take` is 0 there is no room for it.
    pub take: usize,
    /// The end of a chunk, or nothing.
    pub suffix: &'static [u8],
}

/// A chunk-size line of at most eighteen bytes (sixteen digits and CRLF), held inline.
#[derive(Clone, Copy, Debug, Default)]
pub struct ChunkPrefix {
    bytes: [u8; 18],
    len: u8,
}

impl ChunkPrefix {
    fn of(size: u64) -> ChunkPrefix {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut prefix = ChunkPrefix::default();
        // One digit for each four bits, at least one.
        let digits = (64 - size.leading_zeros()).div_ceil(4).max(1) as usize;
        for (at, byte) in prefix.bytes[..digits].iter_mut().enumerate() {
            *byte = DIGITS[(size >> (4 * (digits - 1 - at)) & 15) as usize];
        }
        prefix.bytes[digits..digits + 2].copy_from_slice(b"\r\n");
        prefix.len = digits as u8 + 2;
        prefix
    }
}

impl AsRef<[u8]> for ChunkPrefix {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

/// ```text
///   Length, UntilClose, Chunked ──finish──▶ Finished
/// ```
#[derive(Clone, Copy, Debug)]
enum State {
    Length {
        left: u64,
    },
    UntilClose,
    /// `left` bytes are missing from the chunk whose size line has been written; 0 between chunks.
    Chunked {
        left: u64,
    },
    Finished,
}

/// Frames a body as it goes out, and refuses to end one that is not complete.
#[derive(Clone, Copy, Debug)]
pub struct Encoder {
    state: State,
}

impl Encoder {
    /// An encoder for a body framed so.
    #[must_use]
    pub fn new(length: BodyLength) -> Encoder {
        let state = match length {
            BodyLength::None => State::Length { left: 0 },
            BodyLength::Length(left) => State::Length { left },
            BodyLength::Chunked => State::Chunked { left: 0 },
            BodyLength::UntilClose => State::UntilClose,
        };
        Encoder { state }
    }

    /// Accepts up to `len` bytes of data and says how to frame them.
    ///
    /// `chunk_left` is what [`Decoded::Data`](super::Decoded::Data) said. When the source is chunked its chunks are
    /// kept: the size line of a chunk is written with its first bytes, so a source that dies inside leaves the
    /// reader with a chunk that is visibly cut. Otherwise each call makes one chunk. No data never makes a chunk, since
    /// an empty chunk would end the body.
    #[must_use]
    pub fn frame(&mut self, len: usize, chunk_left: Option<u64>) -> Framed {
        let mut framed = Framed { prefix: ChunkPrefix::default(), take: 0, suffix: b"" };
        if len == 0 {
            return framed;
        }
        match &mut self.state {
            State::Finished => {}
            State::UntilClose => framed.take = len,
            State::Length { left } => framed.take = advance(left, len),
            State::Chunked { left } => {
                if *left == 0 {
                    *left = chunk_left.unwrap_or(len as u64);
                    framed.prefix = ChunkPrefix::of(*left);
                }
                if *left == 0 {
                    // A source chunk with nothing left holds none of these bytes; offering them is a mistake that
                    // must not end the body.
                    framed.prefix = ChunkPrefix::default();
                    return framed;
                }
                framed.take = advance(left, len);
                if *left == 0 {
                    framed.suffix = b"\r\n";
                }
            }
        }
        framed
    }

    /// Ends the body: appends the last chunk and the trailers where the framing has them, nothing otherwise.
    ///
    /// Trailers are written as given, except for names that may not stand there.
    ///
    /// # Errors
    /// `Short` when less was written than announced; the connection must then be closed, so that the peer sees the
    /// message cut.
    pub fn finish(&mut self, trailers: Option<&Fields>, out: &mut Vec<u8>) -> Result<(), BodyError> {
        match self.state {
            State::Length { left: 1.. } | State::Chunked { left: 1.. } => return Err(BodyError::Short),
            State::Chunked { left: 0 } => {
                out.extend_from_slice(b"0\r\n");
                let fields = trailers.iter().flat_map(|fields| fields.iter());
                for (name, value) in fields.filter(|(name, _)| crate::field::allowed_in_trailers(name)) {
                    field_line(name, value, out);
                }
                out.extend_from_slice(b"\r\n");
            }
            State::Length { left: 0 } | State::UntilClose | State::Finished => {}
        }
        self.state = State::Finished;
        Ok(())
    }

    /// Whether `finish` has been called, and succeeded.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        matches!(self.state, State::Finished)
    }

    /// Bytes that the announced length still has room for; `None` when no length was announced.
    #[must_use]
    pub fn left(&self) -> Option<u64> {
        match self.state {
            State::Length { left } => Some(left),
            State::Finished => Some(0),
            State::Chunked { .. } | State::UntilClose => None,
        }
    }
}

/// Takes up to `len` bytes off `left` and gives how many.
fn advance(left: &mut u64, len: usize) -> usize {
    let take = usize::try_from(*left).map_or(len, |left| len.min(left));
    *left -= take as u64;
    take
}
