//! How much and how slowly a client of a listener may send, and a back-end answer it.
//!
//! Each has a directive of its own; the default and what may be asked for stand in [`limits`], with their reasons. None
//! can be made infinite but the rate, which can be switched off.

use std::num::NonZeroU64;
use std::time::Duration;

use crate::limits;

/// The bounds of one listener. Sizes are in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Longest line of a head (`LineBufferSize`).
    pub line_max: usize,
    /// Whole head (`MaxHead`); refused with 431.
    pub head_max: usize,
    /// Fields in a head (`MaxFields`); refused with 431.
    pub fields_max: usize,
    /// One chunk-size line (`MaxChunkLine`).
    pub chunk_line_max: usize,
    /// Chunk extensions that may run ahead of the body (`MaxChunkExt`).
    pub chunk_extensions_max: usize,
    /// Whole trailer section (`MaxTrailer`).
    pub trailer_max: usize,
    /// Fields in it (`MaxTrailerFields`).
    pub trailer_fields_max: usize,
    /// Interim answers (1xx) to one request (`MaxInterim`).
    pub interim_max: usize,
    /// Connections of clients at a time (`MaxConnections` in the listener).
    pub connections_max: Option<usize>,
    /// Requests on one connection (`MaxConnRequests`).
    pub requests_max: u64,
    /// The least rate of a body whose turn is the client's (`MinRate`).
    pub rate_min: MinRate,
}

/// `MinRate`: bytes that a client has to send or take in each second in which it is its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MinRate {
    /// Bytes in a second; `None` asks for nothing.
    pub bytes: Option<NonZeroU64>,
    /// The time over which the rate is measured, again and again. The first one is a grace: nobody is judged before.
    pub window: Duration,
    /// So many clients of a listener may be slower at once, on each worker, before any of them is held to the rate.
    pub spare: u32,
}

impl Default for MinRate {
    fn default() -> MinRate {
        MinRate {
            bytes: NonZeroU64::new(limits::RATE_BYTES),
            window: limits::RATE_WINDOW,
            spare: limits::RATE_SPARE,
        }
    }
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds {
            line_max: limits::LINE_BYTES,
            head_max: limits::HEAD_BYTES,
            fields_max: limits::FIELDS,
            chunk_line_max: limits::CHUNK_LINE_BYTES,
            chunk_extensions_max: limits::CHUNK_EXTENSION_BYTES,
            trailer_max: limits::TRAILER_BYTES,
            trailer_fields_max: limits::TRAILER_FIELDS,
            interim_max: limits::INTERIM_ANSWERS,
            connections_max: None,
            requests_max: limits::CONNECTION_REQUESTS,
            rate_min: MinRate::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_asked_for_unless_somebody_says_otherwise() {
        let rate = Bounds::default().rate_min;
        assert_eq!((rate.bytes.map(NonZeroU64::get), rate.window.as_secs(), rate.spare), (Some(240), 30, 8));
    }
}
