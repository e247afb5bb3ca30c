//! Limits: what a listener says, else what the file says for all, else the default.

use std::num::NonZeroU64;
use std::time::Duration;

use plan::bounds::{Bounds, MinRate};
use plan::limits::{HEAD_BYTES, RATE_BYTES_MAX, RATE_SPARE_MAX, RATE_WINDOW, RATE_WINDOW_MIN};

use super::Lowering;
use super::alphabet::AlphabetsDraft;
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::syntax::Statement;

/// Limits that were given in one place.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct BoundsDraft {
    pub(crate) line_max: Option<usize>,
    pub(crate) head_max: Option<usize>,
    pub(crate) fields_max: Option<usize>,
    pub(crate) chunk_line_max: Option<usize>,
    pub(crate) chunk_extensions_max: Option<usize>,
    pub(crate) trailer_max: Option<usize>,
    pub(crate) trailer_fields_max: Option<usize>,
    pub(crate) interim_max: Option<usize>,
    pub(crate) connections_max: Option<usize>,
    pub(crate) requests_max: Option<u64>,
    pub(crate) rate_min: Option<MinRate>,
    pub(crate) client: Option<Duration>,
    pub(crate) stream_client: Option<Duration>,
    /// Not limits, but given in the same places.
    pub(crate) half_close: Option<bool>,
    pub(crate) alphabets: AlphabetsDraft,
}

impl BoundsDraft {
    /// The limits of a listener that says this, where the file says `global` for all. `span` is the listener's place.
    pub(crate) fn finish(&self, global: &BoundsDraft, span: Span, cx: &mut Lowering<'_>) -> Bounds {
        let standard = Bounds::default();
        let line_given = self.line_max.or(global.line_max);
        let head_given = self.head_max.or(global.head_max);
        let line_max = line_given.unwrap_or(standard.line_max.min(head_given.unwrap_or(usize::MAX)));
        // A line that may be long must not meet its bound in a head that may not.
        let head_max = head_given.unwrap_or(HEAD_BYTES.max(2 * line_max));
        if head_max < line_max {
            let message =
                format!("MaxHead is {head_max}, less than one line (LineBufferSize), which is {line_max}");
            cx.push(Diagnostic::error(span, message).help("raise MaxHead or lower LineBufferSize"));
        }
        Bounds {
            line_max,
            head_max,
            fields_max: self.fields_max.or(global.fields_max).unwrap_or(standard.fields_max),
            chunk_line_max: self.chunk_line_max.or(global.chunk_line_max).unwrap_or(standard.chunk_line_max),
            chunk_extensions_max: self
                .chunk_extensions_max
                .or(global.chunk_extensions_max)
                .unwrap_or(standard.chunk_extensions_max),
            trailer_max: self.trailer_max.or(global.trailer_max).unwrap_or(standard.trailer_max),
            trailer_fields_max: self
                .trailer_fields_max
                .or(global.trailer_fields_max)
                .unwrap_or(standard.trailer_fields_max),
            interim_max: self.interim_max.or(global.interim_max).unwrap_or(standard.interim_max),
            // Outside of all blocks it counts the clients of all listeners together.
            connections_max: self.connections_max,
            requests_max: self.requests_max.or(global.requests_max).unwrap_or(standard.requests_max),
            rate_min: self.rate_min.or(global.rate_min).unwrap_or(standard.rate_min),
        }
    }
}

/// `MinRate`
pub(crate) fn rate(cx: &mut Lowering<'_>, draft: &mut BoundsDraft, statement: &Statement) {
    let Some(bytes) = cx.size_between(&statement.arguments[0], 0, RATE_BYTES_MAX as usize) else { return };
    let window = match statement.arguments.get(1) {
        None => RATE_WINDOW,
        Some(word) => match cx.duration(word) {
            Some(window) if window >= RATE_WINDOW_MIN => window,
            Some(_) => {
                cx.refuse::<()>(word, "expected a time of at least one second");
                return;
            }
            None => return,
        },
    };
    let spare = match statement.arguments.get(2) {
        None => 0,
        Some(word) => match cx.number(word, 0, RATE_SPARE_MAX.into()) {
            Some(spare) => spare as u32,
            None => return,
        },
    };
    draft.rate_min = Some(MinRate { bytes: NonZeroU64::new(bytes as u64), window, spare });
}
