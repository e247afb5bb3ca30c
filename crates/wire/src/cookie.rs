//! Cookies as RFC 6265 has them: reading one by name, and the name and value of a Set-Cookie.
//!
//! Only reading. Cookies of our own are written by whoever signs them.

use crate::field::Known;
use crate::head::Fields;
use crate::token;

/// The pairs of one Cookie value, in order.
///
/// Pairs are separated by semicolons; quotes do not protect a semicolon, as no browser ever let them (RFC 6265 section
/// 5.4). A pair without `=` has no name and is left out. Values are given as they are, quotes included.
pub fn pairs(value: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    value.split(|&byte| byte == b';').filter_map(pair)
}

/// The first cookie of that name in one Cookie value. Names are case-sensitive.
#[must_use]
pub fn value<'a>(header: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    pairs(header).find(|(found, _)| *found == name).map(|(_, value)| value)
}

/// The first cookie of that name over all Cookie lines, of which HTTP/2 clients may send many (RFC 9113 section 8.2.3).
#[must_use]
pub fn find<'a>(fields: &'a Fields, name: &[u8]) -> Option<&'a [u8]> {
    fields.get_all(Known::Cookie).find_map(|header| value(header, name))
}

/// Name and value of a Set-Cookie value, attributes left out; `None` when it has no name (RFC 6265 section 5.2).
#[must_use]
pub fn set_cookie(header: &[u8]) -> Option<(&[u8], &[u8])> {
    header.split(|&byte| byte == b';').next().and_then(pair)
}

fn pair(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = memchr::memchr(b'=', text)?;
    let name = token::trim(&text[..at]);
    (!name.is_empty()).then(|| (name, token::trim(&text[at + 1..])))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(header: &str, name: &str, expect: Option<&str>) {
        let found = value(header.as_bytes(), name.as_bytes());
        assert_eq!(found, expect.map(str::as_bytes), "{header:?} {name:?}");
    }

    #[test]
    fn finds_whole_names_only() {
        check("a=1; b=2", "b", Some("2"));
        check("a=1;b=2;", "b", Some("2"));
        check("ab=1; b=2", "b", Some("2"));
        check("a=1; B=2", "b", None);
        check("a=b=c", "a", Some("b=c"));
        check("a=b=c", "b", None);
        check("a=", "a", Some(""));
        check("a", "a", None);
        check("=x; a=1", "", None);
        check("", "a", None);
    }

    #[test]
    fn the_first_of_two_wins() {
        check("a=1; a=2", "a", Some("1"));
    }

    #[test]
    fn blanks_are_trimmed_and_quotes_kept() {
        check(" a = 1 ;\tb=\"x y\"", "a", Some("1"));
        check(" a = 1 ;\tb=\"x y\"", "b", Some("\"x y\""));
        check("a=\"x;b=2\"", "b", Some("2\""));
    }

    #[test]
    fn reads_over_several_lines() {
        let mut fields = Fields::new();
        fields.append(b"Cookie", b"a=1").expect("valid");
        fields.append(b"X", b"c=9").expect("valid");
        fields.append(b"cookie", b"b=2; c=3").expect("valid");
        assert_eq!(find(&fields, b"c"), Some(&b"3"[..]));
        assert_eq!(find(&fields, b"d"), None);
    }

    #[test]
    fn set_cookie_gives_the_pair_without_attributes() {
        assert_eq!(set_cookie(b"id=a=b; Path=/; Secure"), Some((&b"id"[..], &b"a=b"[..])));
        assert_eq!(set_cookie(b"id=; Path=/"), Some((&b"id"[..], &b""[..])));
        assert_eq!(set_cookie(b"Secure; id=1"), None);
        assert_eq!(set_cookie(b"=1"), None);
    }
}
