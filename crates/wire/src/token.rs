//! The small grammar that field values share: tokens, comma lists, quoted strings, parameters.
//!
//! RFC 9110 sections 5.6.1 to 5.6.6. Values reach this file already free of control bytes other than HTAB; it never
//! changes them, it only says where their parts are.

/// Class bits of a byte. One table for all grammars, so that a byte is classified by one load.
pub(crate) mod class {
    /// `tchar`: may stand in a method, a field name, a coding.
    pub(crate) const TCHAR: u8 = 1;
    /// Hexadecimal digit.
    pub(crate) const HEX: u8 = 2;
    /// `unreserved` of RFC 3986.
    pub(crate) const UNRESERVED: u8 = 4;
    /// `sub-delims` of RFC 3986.
    pub(crate) const SUB_DELIM: u8 = 8;
    /// Neither space nor control byte: visible ASCII and 8-bit bytes.
    pub(crate) const VISIBLE: u8 = 16;
    /// May stand in a field value: HTAB, space, visible ASCII, obs-text.
    pub(crate) const VALUE: u8 = 64;

    const fn contains(set: &[u8], byte: u8) -> bool {
        let mut at = 0;
        while at < set.len() {
            if set[at] == byte {
                return true;
            }
            at += 1;
        }
        false
    }

    const fn build() -> [u8; 256] {
        let mut table = [0u8; 256];
        let mut index = 0;
        while index < 256 {
            let byte = index as u8;
            let alnum = byte.is_ascii_alphanumeric();
            let mut bits = 0;
            if alnum || contains(b"!#$%&'*+-.^_`|~", byte) {
                bits |= TCHAR;
            }
            if byte.is_ascii_hexdigit() {
                bits |= HEX;
            }
            if alnum || contains(b"-._~", byte) {
                bits |= UNRESERVED;
            }
            if contains(b"!$&'()*+,;=", byte) {
                bits |= SUB_DELIM;
            }
            if byte > b' ' && byte != 0x7f {
                bits |= VISIBLE;
            }
            if byte == b'\t' || (byte >= b' ' && byte != 0x7f) {
                bits |= VALUE;
            }
            table[index] = bits;
            index += 1;
        }
        table
    }

    pub(crate) static TABLE: [u8; 256] = build();

    /// Whether `byte` is in one of the classes `bits`.
    #[inline]
    pub(crate) fn is(byte: u8, bits: u8) -> bool {
        TABLE[usize::from(byte)] & bits != 0
    }
}

/// Whether the bytes are a `token`: one or more `tchar` (RFC 9110 section 5.6.2).
#[inline]
#[must_use]
pub fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|&byte| class::is(byte, class::TCHAR))
}

/// Whether the bytes may stand in a field value as they are: no CR, LF, NUL or other control byte but HTAB
/// (RFC 9110 section 5.5).
#[inline]
#[must_use]
pub fn is_value(bytes: &[u8]) -> bool {
    bytes.iter().all(|&byte| class::is(byte, class::VALUE))
}

/// The bytes without the optional white space (SP and HTAB only) around them.
#[inline]
#[must_use]
pub fn trim(bytes: &[u8]) -> &[u8] {
    trim_end(trim_start(bytes))
}

#[inline]
pub(crate) fn trim_start(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = bytes {
        bytes = rest;
    }
    bytes
}

#[inline]
pub(crate) fn trim_end(mut bytes: &[u8]) -> &[u8] {
    while let [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

/// The members of a comma list, trimmed, empty ones left out (RFC 9110 section 5.6.1.2).
///
/// Commas inside quoted strings do not separate. A string that is never closed runs to the end of the value.
#[must_use]
pub fn list(value: &[u8]) -> Split<'_> {
    Split { rest: Some(value), separator: b',' }
}

/// A value and its parameters: the parts between semicolons, trimmed, empty ones left out.
///
/// The first part is the value itself; split the others with [`parameter`].
#[must_use]
pub fn parts(value: &[u8]) -> Split<'_> {
    Split { rest: Some(value), separator: b';' }
}

/// Parts of a value between separators that stand outside quoted strings.
#[derive(Clone, Debug)]
pub struct Split<'a> {
    rest: Option<&'a [u8]>,
    separator: u8,
}

impl<'a> Iterator for Split<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        while let Some(rest) = self.rest {
            let end = unquoted(rest, self.separator);
            self.rest = end.map(|at| &rest[at + 1..]);
            let part = trim(&rest[..end.unwrap_or(rest.len())]);
            if !part.is_empty() {
                return Some(part);
            }
        }
        None
    }
}

/// Position of the first `wanted` outside of a quoted string.
fn unquoted(bytes: &[u8], wanted: u8) -> Option<usize> {
    let mut quoted = false;
    let mut escaped = false;
    for (at, &byte) in bytes.iter().enumerate() {
        if escaped {
            escaped = false;
        } else if quoted {
            match byte {
                b'\\' => escaped = true,
                b'"' => quoted = false,
                _ => {}
            }
        } else if byte == wanted {
            return Some(at);
        } else if byte == b'"' {
            quoted = true;
        }
    }
    None
}

/// Splits `name=value` at its first `=`. White space around the sign is dropped; `None` when the name is no token or
/// there is no `=`.
#[must_use]
pub fn parameter(part: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = memchr::memchr(b'=', part)?;
    let name = trim(&part[..at]);
    is_token(name).then(|| (name, trim(&part[at + 1..])))
}

/// The content of a quoted string (RFC 9110 section 5.6.4) with its backslashes resolved; `None` when `bytes` is not
/// exactly one quoted string.
#[must_use]
pub fn unquote(bytes: &[u8]) -> Option<Vec<u8>> {
    let [b'"', inner @ .., b'"'] = bytes else { return None };
    let mut out = Vec::with_capacity(inner.len());
    let mut rest = inner.iter();
    while let Some(&byte) = rest.next() {
        match byte {
            b'"' => return None,
            b'\\' => out.push(*rest.next()?),
            _ => out.push(byte),
        }
    }
    Some(out)
}

/// Whether a comma list has the given member, in any case. Members with parameters do not match a bare word.
#[must_use]
pub fn has_member(value: &[u8], member: &[u8]) -> bool {
    list(value).any(|part| part.eq_ignore_ascii_case(member))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: &str, expect: &[&str]) {
        let found: Vec<_> =
            list(value.as_bytes()).map(|part| String::from_utf8_lossy(part).into_owned()).collect();
        assert_eq!(found, expect, "{value:?}");
    }

    #[test]
    fn lists_split_at_commas_outside_quotes() {
        check("", &[]);
        check(" , ,, ", &[]);
        check("a", &["a"]);
        check("a,b , c\t,", &["a", "b", "c"]);
        check(r#"a="x,y";q=1, b"#, &[r#"a="x,y";q=1"#, "b"]);
        check(r#""a\",b",c"#, &[r#""a\",b""#, "c"]);
        check(r#"a, "open, b"#, &["a", r#""open, b"#]);
    }

    #[test]
    fn tokens_are_tchars_only() {
        assert!(is_token(b"!#$%&'*+-.^_`|~09azAZ"));
        for byte in 0..=255u8 {
            let wanted = byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
            assert_eq!(is_token(&[byte]), wanted, "{byte:#x}");
        }
        assert!(!is_token(b""));
    }

    #[test]
    fn values_hold_no_controls() {
        for byte in 0..=255u8 {
            assert_eq!(is_value(&[byte]), byte == b'\t' || (byte >= 32 && byte != 127), "{byte:#x}");
        }
        assert!(is_value(b""));
    }

    #[test]
    fn parameters_need_a_token_and_a_sign() {
        assert_eq!(parameter(b"q=0.5"), Some((&b"q"[..], &b"0.5"[..])));
        assert_eq!(parameter(b"q = a=b"), Some((&b"q"[..], &b"a=b"[..])));
        assert_eq!(parameter(b"q"), None);
        assert_eq!(parameter(b"=1"), None);
    }

    #[test]
    fn quoted_strings_are_unescaped_whole() {
        assert_eq!(unquote(br#""a\"b\\c""#).as_deref(), Some(&br#"a"b\c"#[..]));
        for bad in [&br#""a"#[..], br#"a"#, br#""a"b""#, br#""a\""#, br#"""#] {
            assert_eq!(unquote(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn members_match_whole_and_in_any_case() {
        assert!(has_member(b"keep-alive, Close", b"close"));
        assert!(!has_member(b"closed, not-close", b"close"));
        assert!(!has_member(br#""close""#, b"close"));
    }

    #[test]
    fn trimming_takes_space_and_tab_only() {
        assert_eq!(trim(b" \ta b\t "), b"a b");
        assert_eq!(trim(b"\x0b5"), b"\x0b5");
        assert_eq!(trim(b" \t "), b"");
    }
}
