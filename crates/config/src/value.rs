//! Values: numbers, sizes, times, booleans, addresses. Pure functions from a word's text; a refusal says what was
//! expected.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use plan::limits::DURATION_MAX;

pub(crate) type Parsed<T> = Result<T, String>;

/// A whole number.
pub(crate) fn number(text: &str, min: u64, max: u64) -> Parsed<u64> {
    let expected = || format!("expected a number from {min} to {max}");
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(expected());
    }
    match text.parse() {
        Ok(number) if (min..=max).contains(&number) => Ok(number),
        _ => Err(expected()),
    }
}

/// A number of bytes: `4096`, `64k`, `16m`, `2g`; a k is 1024.
pub(crate) fn size(text: &str) -> Parsed<u64> {
    let expected = || "expected a size such as 4096, 64k, 16m or 2g".to_owned();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let shift = match &text[digits..] {
        "" => 0,
        "k" | "K" => 10,
        "m" | "M" => 20,
        "g" | "G" => 30,
        _ => return Err(expected()),
    };
    let number: u64 = text[..digits].parse().map_err(|_| expected())?;
    // What follows counts bytes in signed 64 bits at times.
    number
        .checked_mul(1 << shift)
        .filter(|size| *size <= i64::MAX as u64)
        .ok_or_else(|| "expected a size below 8 exabytes".to_owned())
}

/// A time: `30` seconds, `500ms`, `1h30m`, `2d`.
pub(crate) fn duration(text: &str) -> Parsed<Duration> {
    let expected = || "expected a time such as 30 (seconds), 500ms, 10m or 1h30m".to_owned();
    let mut total = Duration::ZERO;
    let mut rest = text;
    let mut smallest = u64::MAX;
    loop {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number: u64 = rest[..digits].parse().map_err(|_| expected())?;
        rest = &rest[digits..];
        let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        let millis: u64 = match rest[..letters].to_ascii_lowercase().as_str() {
            "" if total.is_zero() && rest.is_empty() && smallest == u64::MAX => 1000,
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(expected()),
        };
        // Units go down, so that 30m1h and 5m5m are seen as slips.
        if millis >= smallest {
            return Err(expected());
        }
        smallest = millis;
        let part = Duration::from_millis(number.saturating_mul(millis));
        total = total.saturating_add(part);
        if total > DURATION_MAX {
            return Err("expected a time of at most a year".to_owned());
        }
        rest = &rest[letters..];
        if rest.is_empty() {
            return Ok(total);
        }
    }
}

/// `yes true on 1`, `no false off 0`
pub(crate) fn boolean(text: &str) -> Parsed<bool> {
    match text.to_ascii_lowercase().as_str() {
        "yes" | "true" | "on" | "1" => Ok(true),
        "no" | "false" | "off" | "0" => Ok(false),
        _ => Err("expected yes or no (also true, on, 1, false, off, 0)".to_owned()),
    }
}

/// What an `Address` can be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Host {
    Ip(IpAddr),
    Name(String),
    Unix(PathBuf),
}

/// Longest path of a Unix socket (`sun_path` of Linux less the final NUL).
const SOCKET_PATH_MAX: usize = 107;

/// An address, a host name or the path of a Unix socket.
pub(crate) fn host(text: &str) -> Parsed<Host> {
    if text.starts_with('/') {
        if text.len() > SOCKET_PATH_MAX {
            return Err(format!(
                "expected a path of at most {SOCKET_PATH_MAX} bytes, which is all that a socket can have"
            ));
        }
        return Ok(Host::Unix(text.into()));
    }
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    if let Ok(address) = bare.parse() {
        return Ok(Host::Ip(address));
    }
    if is_host_name(text) {
        // Four numbers, or some of an IPv6 address: no name looks like that.
        if text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
            return Err("expected an address such as 192.0.2.1: four numbers from 0 to 255".to_owned());
        }
        return Ok(Host::Name(text.to_owned()));
    }
    Err("expected an address such as 192.0.2.1 or 2001:db8::1, a host name, or a path that begins with /"
        .to_owned())
}

/// Letters, digits, hyphens and (as names in private networks have them) underscores, in labels of 1 to 63.
fn is_host_name(text: &str) -> bool {
    let text = text.strip_suffix('.').unwrap_or(text);
    !text.is_empty()
        && text.len() <= 253
        && text.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
                && !label.starts_with('-')
                && !label.ends_with('-')
        })
}

/// Services that are known without `/etc/services`, which small images do not have.
const SERVICES: &[(&str, u16)] =
    &[("http", 80), ("www", 80), ("https", 443), ("http-alt", 8080), ("webcache", 8080), ("https-alt", 8443)];

/// A port by number or name. `services` is the content of `/etc/services`, read only if it is needed.
pub(crate) fn port(text: &str, min: u16, services: impl FnOnce() -> String) -> Parsed<u16> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return number(text, min.into(), u16::MAX.into()).map(|port| port as u16);
    }
    if let Some((_, port)) = SERVICES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)) {
        return Ok(*port);
    }
    for line in services().lines() {
        let line = line.split('#').next().unwrap_or_default();
        let mut words = line.split_whitespace();
        let (Some(name), Some(port)) = (words.next(), words.next()) else { continue };
        let Some(port) = port.strip_suffix("/tcp").and_then(|port| port.parse().ok()) else { continue };
        if name == text || words.any(|alias| alias == text) {
            return Ok(port);
        }
    }
    Err(format!("expected a port from {min} to 65535 or the name of a service, such as http"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_1024_based() {
        for (text, expect) in [
            ("0", Some(0)),
            ("4096", Some(4096)),
            ("4k", Some(4096)),
            ("1M", Some(1 << 20)),
            ("2g", Some(2 << 30)),
            ("", None),
            ("k", None),
            ("4kb", None),
            ("-1", None),
            ("1.5m", None),
            ("9223372036854775808", None),
            ("99999999999g", None),
        ] {
            assert_eq!(size(text).ok(), expect, "{text}");
        }
    }

    #[test]
    fn times_have_units() {
        let ms = Duration::from_millis;
        for (text, expect) in [
            ("30", Some(ms(30_000))),
            ("0", Some(ms(0))),
            ("500ms", Some(ms(500))),
            ("1h30m", Some(ms(5_400_000))),
            ("1D2H3M4S5MS", Some(ms(93_784_005))),
            ("0h5m", Some(ms(300_000))),
            ("", None),
            ("m", None),
            ("5m30", None),
            ("0m30", None),
            ("30m1h", None),
            ("5m5m", None),
            ("5 m", None),
            ("-1", None),
            ("1.5s", None),
            ("3w", None),
            ("367d", None),
            ("99999999999999999999d", None),
            ("18446744073709551615h", None),
        ] {
            assert_eq!(duration(text).ok(), expect, "{text}");
        }
    }

    #[test]
    fn addresses_are_told_from_names() {
        let ip = |text: &str| Some(Host::Ip(text.parse().unwrap()));
        for (text, expect) in [
            ("192.0.2.1", ip("192.0.2.1")),
            ("::0", ip("::")),
            ("[::1]", ip("::1")),
            ("2001:db8::1", ip("2001:db8::1")),
            ("app-1.example.org", Some(Host::Name("app-1.example.org".into()))),
            ("my_host", Some(Host::Name("my_host".into()))),
            ("localhost.", Some(Host::Name("localhost.".into()))),
            ("/run/app.sock", Some(Host::Unix("/run/app.sock".into()))),
            ("192.0.2.256", None),
            ("192.0.2", None),
            ("a:b", None),
            ("1.2.3.4,80", None),
            ("*", None),
            ("a..b", None),
            ("-a", None),
            ("", None),
        ] {
            assert_eq!(host(text).ok(), expect, "{text}");
        }
        assert!(host(&format!("/{}", "x".repeat(SOCKET_PATH_MAX))).is_err());
    }

    #[test]
    fn ports_have_names() {
        let services = || "# all\ntelnet 23/tcp\ndomain 53/udp\nfinger 79/tcp who # old\n".to_owned();
        for (text, expect) in [
            ("80", Some(80)),
            ("65535", Some(65535)),
            ("http", Some(80)),
            ("HTTPS", Some(443)),
            ("telnet", Some(23)),
            ("who", Some(79)),
            ("domain", None),
            ("0", None),
            ("65536", None),
            ("", None),
            ("nowhere", None),
        ] {
            assert_eq!(port(text, 1, services).ok(), expect, "{text}");
        }
    }

    #[test]
    fn booleans_have_several_names() {
        for text in ["yes", "TRUE", "On", "1"] {
            assert_eq!(boolean(text), Ok(true), "{text}");
        }
        for text in ["no", "False", "off", "0"] {
            assert_eq!(boolean(text), Ok(false), "{text}");
        }
        for text in ["2", "", "yess"] {
            assert!(boolean(text).is_err(), "{text}");
        }
    }
}
