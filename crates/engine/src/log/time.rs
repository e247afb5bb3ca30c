//! Times in log lines: local time, English names, whatever the locale.
//!
//! The rules of the time zone are read once, while the file system is still whole: after `RootJail` there may be no
//! `/etc/localtime`. They are rules and not an offset, so a daemon that runs over a change of the clocks stays right.

use std::cell::RefCell;
use std::io::Write;
use std::sync::OnceLock;
use std::time::Duration;

use jiff::fmt::StdIoWrite;
use jiff::fmt::strtime::{BrokenDownTime, Config};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use plan::log::TimeForm;
use wire::h1::write::decimal;

static ZONE: OnceLock<TimeZone> = OnceLock::new();

/// Reads the time zone of the system (`TZ`, `/etc/localtime`). To be called before the root directory changes; if it is
/// not, the first time that is written does it.
pub fn prepare() {
    zone();
}

fn zone() -> &'static TimeZone {
    // A system without either has UTC.
    ZONE.get_or_init(TimeZone::system)
}

/// Appends a time, given as time since the epoch.
pub(super) fn write(form: &TimeForm, wall: Duration, out: &mut Vec<u8>) {
    match form {
        TimeForm::Clf => clf(wall, out),
        TimeForm::EpochSeconds => decimal(wall.as_secs(), out),
        TimeForm::EpochMillis => wide(wall.as_millis(), out),
        TimeForm::EpochMicros => wide(wall.as_micros(), out),
        // Writing to memory cannot fail.
        TimeForm::MillisFraction => drop(write!(out, "{:03}", wall.subsec_millis())),
        TimeForm::MicrosFraction => drop(write!(out, "{:06}", wall.subsec_micros())),
        TimeForm::Strftime(format) => strftime(format, wall, zone(), out),
    }
}

fn wide(number: u128, out: &mut Vec<u8>) {
    decimal(u64::try_from(number).unwrap_or(u64::MAX), out);
}

/// `[22/Nov/2026:16:03:00 +0000]`. Thousands of lines share a second, so its text is kept, for each thread. Requests
/// that end together have begun at different times, so the texts of several seconds are.
fn clf(wall: Duration, out: &mut Vec<u8>) {
    const SECONDS: usize = 8;
    thread_local! {
        static TEXTS: RefCell<[(u64, Vec<u8>); SECONDS]> =
            const { RefCell::new([const { (u64::MAX, Vec::new()) }; SECONDS]) };
    }
    TEXTS.with_borrow_mut(|texts| {
        let (second, text) = &mut texts[wall.as_secs() as usize % SECONDS];
        if *second != wall.as_secs() {
            text.clear();
            strftime("[%d/%b/%Y:%H:%M:%S %z]", wall, zone(), text);
            *second = wall.as_secs();
        }
        out.extend_from_slice(text);
    });
}

/// A conversion that is unknown stays as it stands in the format.
fn strftime(format: &str, wall: Duration, zone: &TimeZone, out: &mut Vec<u8>) {
    // Only a clock that stands beyond the year 9999 has no such time.
    let since_epoch = jiff::SignedDuration::try_from(wall).ok();
    let Some(timestamp) = since_epoch.and_then(|wall| Timestamp::from_duration(wall).ok()) else { return };
    let time = BrokenDownTime::from(&Zoned::new(timestamp, zone.clone()));
    let begin = out.len();
    // Lenient formatting and memory have no way to fail.
    let _ = time.format_with_config(&Config::new().lenient(true), format, &mut StdIoWrite(&mut *out));
    // The format is the operator's, and may hold anything; a line may not.
    if !out[begin..].iter().all(|byte| matches!(byte, b' '..=b'~')) {
        let text = out.split_off(begin);
        super::escape::escape_sentence(&text, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WALL: Duration = Duration::from_micros(1_795_363_380_012_345);

    fn in_zone(format: &str, zone: &str, wall: Duration) -> String {
        let mut out = Vec::new();
        strftime(format, wall, &TimeZone::posix(zone).unwrap(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn times_are_local_and_follow_the_change_of_clocks() {
        let berlin = "CET-1CEST,M3.5.0,M10.5.0/3";
        let clf = "[%d/%b/%Y:%H:%M:%S %z]";
        assert_eq!(in_zone(clf, "UTC0", WALL), "[22/Nov/2026:16:03:00 +0000]");
        assert_eq!(in_zone(clf, berlin, WALL), "[22/Nov/2026:17:03:00 +0100]");
        let summer = WALL - Duration::from_secs(150 * 24 * 3600);
        assert_eq!(in_zone(clf, berlin, summer), "[25/Jun/2026:18:03:00 +0200]");
        assert_eq!(
            in_zone("%a %A %b %B %Z %F %T %e %j %s", berlin, WALL),
            "Sun Sunday Nov November CET 2026-11-22 17:03:00 22 326 1795363380"
        );
    }

    #[test]
    fn a_format_cannot_break_the_line() {
        assert_eq!(in_zone("%H%n%t%M \u{e9} %! %", "UTC0", WALL), "16\\x0a\\x0903 \\xc3\\xa9 %! %");
    }

    #[test]
    fn numbers_since_the_epoch() {
        let check = |form, expect: &str| {
            let mut out = Vec::new();
            write(&form, WALL, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expect);
        };
        check(TimeForm::EpochSeconds, "1795363380");
        check(TimeForm::EpochMillis, "1795363380012");
        check(TimeForm::EpochMicros, "1795363380012345");
        check(TimeForm::MillisFraction, "012");
        check(TimeForm::MicrosFraction, "012345");
        check(TimeForm::Strftime("%Y".into()), "2026");
    }

    #[test]
    fn the_kept_text_is_that_of_its_second() {
        let clf = |wall| {
            let mut out = Vec::new();
            write(&TimeForm::Clf, wall, &mut out);
            String::from_utf8(out).unwrap()
        };
        let first = clf(WALL);
        assert!(first.starts_with('[') && first.ends_with(']'), "{first}");
        // More seconds than are kept, forwards and back.
        let seconds = || (0..30).map(|second| clf(WALL + Duration::from_secs(second)));
        let all: std::collections::HashSet<String> = seconds().collect();
        assert_eq!(all.len(), 30);
        assert_eq!(clf(WALL), first);
        assert!(seconds().collect::<Vec<_>>().iter().rev().all(|text| all.contains(text)));
        assert_eq!(first.len(), "[22/Nov/2026:16:03:00 +0000]".len());
    }
}
