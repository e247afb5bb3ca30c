//! Basic authentication as far as a proxy needs it: who the client says it is (RFC 7617).
//!
//! Nothing is verified here. The password is decoded only as far as the colon before it.

use wire::{Fields, Known, token};

/// Longest user name that is looked at. A longer one is nobody's; without a bound it would be copied into logs.
const USER_BYTES_MAX: usize = 256;

/// The user name in the Authorization field; `None` when there is none or it is malformed.
pub(crate) fn user(fields: &Fields) -> Option<Vec<u8>> {
    let value = fields.get(Known::Authorization)?;
    let (scheme, rest) = value.split_at_checked(6)?;
    if !scheme.eq_ignore_ascii_case(b"Basic ") {
        return None;
    }
    let mut user = Vec::new();
    for group in token::trim(rest).chunks(4) {
        let (bytes, count) = decode(group)?;
        for &byte in &bytes[..count] {
            if byte == b':' {
                return Some(user);
            }
            if user.len() == USER_BYTES_MAX {
                return None;
            }
            user.push(byte);
        }
    }
    // Without a colon it is not `user-id ":" password`.
    None
}

/// Decodes up to four characters of base64 (RFC 4648 section 4), the last group with or without its padding.
fn decode(group: &[u8]) -> Option<([u8; 3], usize)> {
    let digits = match group {
        [rest @ .., b'=', b'='] | [rest @ .., b'='] => rest,
        all => all,
    };
    if digits.len() < 2 {
        return None;
    }
    let mut bits = 0u32;
    for &digit in digits {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
    }
    bits <<= 6 * (4 - digits.len());
    let [_, first, second, third] = bits.to_be_bytes();
    Some(([first, second, third], digits.len() - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: &str, expect: Option<&str>) {
        let mut fields = Fields::new();
        fields.append(b"Authorization", value.as_bytes()).unwrap();
        assert_eq!(user(&fields).as_deref(), expect.map(str::as_bytes), "{value}");
    }

    #[test]
    fn reads_the_name_before_the_colon() {
        check("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", Some("Aladdin"));
        check("basic  QWxhZGRpbjpvcGVuIHNlc2FtZQ", Some("Aladdin"));
        check("Basic YTpi", Some("a"));
        check("Basic Og==", Some(""));
        check("Basic YTpiOmM6ZA==", Some("a"));
    }

    #[test]
    fn refuses_what_is_malformed() {
        for value in
            ["Basic", "Basic ", "Basic YWJj", "Basic Y*pi", "Basic A", "Bearer YTpi", "Basic YT=pi", "Bas"]
        {
            check(value, None);
        }
        check(&format!("Basic {}", "QUFB".repeat(200)), None);
        assert_eq!(user(&Fields::new()), None);
    }
}
