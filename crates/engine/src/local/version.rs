//! Versions of a file, and the conditions that requests set on them.
//!
//! A version is told by its ETag and its date; a file is not read for it.

use std::fs::Metadata;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use httpdate::{fmt_http_date, parse_http_date};
use wire::{Known, RequestHead, ResponseHead};

use crate::fault::Cause;
use crate::local::add;

/// What tells one version of a file from another (RFC 9110 section 8.8).
pub(super) struct Version {
    modified: Option<SystemTime>,
    /// With its quotes.
    tag: String,
}

/// What a request that sets conditions asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// The file.
    Send,
    /// Nothing: the client has this version. 304.
    Unchanged,
    /// Another version, which is not there any more. 412.
    Other,
}

/// How tags are compared (RFC 9110 section 8.8.3.2).
#[derive(Debug, Clone, Copy)]
enum Comparison {
    /// Two tags with the same opaque part.
    Weak,
    /// A weak tag equals none.
    Strong,
}

impl Version {
    pub(super) fn of(metadata: &Metadata) -> Version {
        let modified = metadata.modified().ok();
        let since =
            modified.and_then(|modified| modified.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
        let tag = format!("\"{:x}-{:x}\"", since.as_nanos(), metadata.len());
        Version { modified: modified.and_then(whole_seconds), tag }
    }

    /// Adds the fields that name it.
    pub(super) fn tell(&self, head: &mut ResponseHead) -> Result<(), Cause> {
        add(head, "ETag", self.tag.as_bytes())?;
        match self.modified {
            Some(modified) => add(head, "Last-Modified", fmt_http_date(modified).as_bytes()),
            None => Ok(()),
        }
    }

    /// What the conditions of a request for this version come to, in the order of RFC 9110 section 13.2.2. Only
    /// If-Range is left, which changes what is sent and not whether.
    pub(super) fn asked(&self, request: &RequestHead) -> Asked {
        let fields = request.fields();
        let is_wanted = if fields.get(Known::IfMatch).is_some() {
            self.is_in(request, Known::IfMatch, Comparison::Strong)
        } else {
            let since = date(fields.get(Known::IfUnmodifiedSince));
            self.modified.zip(since).is_none_or(|(modified, since)| modified <= since)
        };
        if !is_wanted {
            return Asked::Other;
        }
        let is_held = if fields.get(Known::IfNoneMatch).is_some() {
            self.is_in(request, Known::IfNoneMatch, Comparison::Weak)
        } else {
            let since = date(fields.get(Known::IfModifiedSince));
            self.modified.zip(since).is_some_and(|(modified, since)| modified <= since)
        };
        if is_held { Asked::Unchanged } else { Asked::Send }
    }

    /// Whether a list of tags names this version.
    fn is_in(&self, request: &RequestHead, list: Known, comparison: Comparison) -> bool {
        // A comma in another's tag does no harm: there is none in ours, and no quote in any.
        let mut tags = request.fields().get_all(list).flat_map(|line| line.split(|byte| *byte == b','));
        tags.any(|tag| {
            let tag = tag.trim_ascii();
            let opaque = match comparison {
                Comparison::Weak => tag.strip_prefix(b"W/").unwrap_or(tag),
                Comparison::Strong => tag,
            };
            tag == b"*" || opaque == self.tag.as_bytes()
        })
    }

    /// Whether a part may be sent to a client that has others of the version which it names (RFC 9110 section 13.1.5).
    pub(super) fn may_be_completed(&self, request: &RequestHead) -> bool {
        match request.fields().get(Known::IfRange) {
            None => true,
            Some(tag) if tag.starts_with(b"\"") => tag == self.tag.as_bytes(),
            // Never a weak tag; a date only if it is exactly ours.
            Some(date_of) => self.modified.is_some() && date(Some(date_of)) == self.modified,
        }
    }
}

fn date(value: Option<&[u8]>) -> Option<SystemTime> {
    parse_http_date(std::str::from_utf8(value?).ok()?).ok()
}

/// HTTP dates have whole seconds, and none before the epoch matters.
fn whole_seconds(time: SystemTime) -> Option<SystemTime> {
    let seconds = time.duration_since(UNIX_EPOCH).ok()?.as_secs();
    // httpdate writes years with four digits.
    const YEAR_9999: u64 = 253_402_300_799;
    (seconds <= YEAR_9999).then(|| UNIX_EPOCH + Duration::from_secs(seconds))
}
