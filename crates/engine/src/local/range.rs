//! The part of a file that a request asks for (RFC 9110 section 14.2).

use std::ops::Range;

use wire::{Known, Method, RequestHead};

use crate::local::version::Version;

/// How much of a file is sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part {
    Whole,
    Some(Range<u64>),
    /// What was asked for lies behind its end.
    None,
}

pub(super) fn part(request: &RequestHead, version: &Version, size: u64) -> Part {
    // RFC 9110 section 14.2: Range means something for GET alone.
    match request.fields().get(Known::Range) {
        Some(range) if request.method_kind() == Method::Get && version.may_be_completed(request) => {
            requested(range, size)
        }
        _ => Part::Whole,
    }
}

/// One range of bytes (RFC 9110 section 14.1.2). What cannot be read, or has several, asks for the whole, as it may.
fn requested(range: &[u8], size: u64) -> Part {
    let number =
        |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u64>().ok());
    let read = || {
        let (unit, set) = std::str::from_utf8(range).ok()?.split_once('=')?;
        let (first, last) = set.trim().split_once('-')?;
        if !unit.eq_ignore_ascii_case("bytes") {
            return None;
        }
        Some(match (first, last) {
            ("", last) => {
                let count = number(last)??;
                if count == 0 || size == 0 {
                    Part::None
                } else {
                    Part::Some(size.saturating_sub(count)..size)
                }
            }
            (first, last) => {
                let first = number(first)??;
                let last = if last.is_empty() { u64::MAX } else { number(last)?? };
                match first {
                    _ if last < first => return None,
                    first if first >= size => Part::None,
                    first => Part::Some(first..last.saturating_add(1).min(size)),
                }
            }
        })
    };
    read().unwrap_or(Part::Whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_is_read_and_all_else_asks_for_the_whole() {
        let check = |range: &str, expect| assert_eq!(requested(range.as_bytes(), 10), expect, "{range}");
        check("bytes=0-0", Part::Some(0..1));
        check("bytes=2-", Part::Some(2..10));
        check("Bytes=2-99999999999", Part::Some(2..10));
        check("bytes=-3", Part::Some(7..10));
        check("bytes=-99", Part::Some(0..10));
        check("bytes=10-", Part::None);
        check("bytes=-0", Part::None);
        for whole in
            ["bytes=5-2", "bytes=0-1,3-4", "lines=0-1", "bytes=", "bytes=-", "bytes=+1-2", "0-1", "bytes=a-b"]
        {
            check(whole, Part::Whole);
        }
        assert_eq!(requested(b"bytes=0-", 0), Part::None);
        assert_eq!(requested(b"bytes=0-18446744073709551615", 10), Part::Some(0..10));
    }
}
