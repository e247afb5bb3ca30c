//! The part of a refused message that is to blame, for the log: bounded, and without secrets. Escaping is the log's.

use wire::{Fields, Known};

use crate::limits::EXCERPT_BYTES;

/// Words in the name or value of a field that make its value a secret.
const SECRETS: [&[u8]; 7] = [b"auth", b"cookie", b"token", b"secret", b"passw", b"session", b"key"];

/// A field line that is malformed, from its first byte on: `rest` may go on behind it.
pub(crate) fn line(rest: &[u8]) -> Vec<u8> {
    let end = memchr::memmem::find(rest, b"\r\n").unwrap_or(rest.len());
    let line = &rest[..end];
    if is_secret(line) {
        let name = line.iter().take_while(|byte| byte.is_ascii_graphic() && **byte != b':').count();
        return [cut(&line[..name]), b": ..."].concat();
    }
    cut(line).to_vec()
}

/// The lines of these fields.
pub(crate) fn fields(fields: &Fields, names: &[Known]) -> Vec<u8> {
    let mut out = Vec::new();
    for &name in names {
        for value in fields.get_all(name) {
            if out.len() >= EXCERPT_BYTES {
                return out;
            }
            let before: &[u8] = if out.is_empty() { b"" } else { b", " };
            out.extend_from_slice(&[before, name.name().as_bytes(), b": ", cut(value)].concat());
        }
    }
    out
}

/// A part of a target.
pub(crate) fn text(text: &[u8]) -> Vec<u8> {
    cut(text).to_vec()
}

/// What breaks the framing of a body: the rest of a line, up to its end. No more than a chunk size or the beginning of a
/// trailer is ever of use, and what follows may be anybody's.
pub(crate) fn framing(rest: &[u8]) -> Vec<u8> {
    let end = rest.iter().position(u8::is_ascii_control).map_or(rest.len(), |at| at + 1);
    line(&rest[..end])
}

fn cut(text: &[u8]) -> &[u8] {
    &text[..text.len().min(EXCERPT_BYTES)]
}

fn is_secret(line: &[u8]) -> bool {
    let lower = line.to_ascii_lowercase();
    SECRETS.iter().any(|word| memchr::memmem::find(&lower, word).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn a_line_ends_where_the_next_begins_and_is_bounded() {
        let check =
            |rest: &str, expect: &str| assert_eq!(line(rest.as_bytes()), expect.as_bytes(), "{rest:?}");
        check("X y: z\r\nHost: a\r\n", "X y: z");
        check("X: a\nY: b\r\n", "X: a\nY: b");
        check("", "");
        assert_eq!(line(&[b'x'; 5000]).len(), EXCERPT_BYTES);
    }

    #[test]
    fn secrets_are_left_out() {
        let check =
            |rest: &str, expect: &str| assert_eq!(line(rest.as_bytes()), expect.as_bytes(), "{rest:?}");
        check("Cookie : a=b\r\n", "Cookie: ...");
        check("Authorization Basic dTpw\r\n", "Authorization: ...");
        check("X-API-Key\x01: abc", "X-API-Key: ...");
        check("X: a\nAuthorization: Basic dTpw\r\n", "X: ...");
        check("set-COOKIE\t: a", "set-COOKIE: ...");
    }

    #[test]
    fn fields_are_shown_with_their_values() {
        let head = testing::head("GET / HTTP/1.1\r\nHost: a\r\nX: y\r\nhost: b\r\n\r\n");
        assert_eq!(fields(head.fields(), &[Known::Host]), b"Host: a, Host: b");
        assert_eq!(fields(head.fields(), &[Known::ContentLength]), b"");
        let many = testing::head(&format!(
            "GET / HTTP/1.1\r\n{}\r\n",
            format!("Host: {}\r\n", "h".repeat(100)).repeat(100)
        ));
        assert!(fields(many.fields(), &[Known::Host]).len() < 3 * EXCERPT_BYTES);
    }

    #[test]
    fn of_a_body_only_the_line_is_shown() {
        assert_eq!(framing(b"5;x\x01y\r\nbody"), b"5;x\x01");
        assert_eq!(framing(b"zz\r\nbody"), b"zz\r");
    }
}
