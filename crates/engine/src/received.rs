//! Fields of a request as they were received, whatever was changed since.
//!
//! Edits only append to a head's buffer, so its first bytes are the head as it came, already checked by the codec. Logs
//! and the rewriting of Location ask for a field of it now and then; nobody pays for a copy of all of them.

use wire::{RequestHead, Span, token};

/// The first value of the field of this name, in any case.
pub(crate) fn field<'a>(request: &'a RequestHead, name: &[u8]) -> Option<&'a [u8]> {
    let end = u32::try_from(request.wire_len()).ok()?;
    let mut rest = request.fields().bytes(Span { start: 0, end });
    // The codec lets nothing but CRLF end a line, so each LF stands at the end of one. The request line, and an empty
    // line before it, have no colon before a space and are no match for any name.
    while let Some(end) = memchr::memchr(b'\n', rest) {
        let line = rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]);
        rest = &rest[end + 1..];
        if let Some((found, value)) = line.split_at_checked(name.len())
            && let Some(value) = value.strip_prefix(b":")
            && found.eq_ignore_ascii_case(name)
        {
            return Some(token::trim(value));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn finds_what_was_received_after_edits() {
        let mut request = testing::head(
            "GET http://x/ HTTP/1.1\r\nHost:  a.example \r\nX-A: 1\r\nx-a: 2\r\nX-AB: 3\r\n\r\n",
        );
        request.fields_mut().set(b"Host", b"other.example").unwrap();
        request.fields_mut().remove(b"X-A");
        request.fields_mut().append(b"X-New", b"9").unwrap();
        let check = |name: &str, value: Option<&str>| {
            assert_eq!(field(&request, name.as_bytes()), value.map(str::as_bytes), "{name}");
        };
        check("host", Some("a.example"));
        check("X-A", Some("1"));
        check("X-AB", Some("3"));
        check("X-New", None);
        check("X", None);
    }
}
