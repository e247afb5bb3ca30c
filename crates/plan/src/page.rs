//! Pages that we answer with ourselves.

use std::collections::BTreeMap;

/// Names and values in order.
pub type Fields = Vec<(String, String)>;

/// An answer of ours: fields and a body, both fixed when the configuration is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Fields of the answer besides the framing, in order; always a Content-Type.
    pub fields: Fields,
    /// The body, sent as it is.
    pub body: Vec<u8>,
}

/// The pages for errors, by status code.
pub type Pages = BTreeMap<u16, Page>;

/// The codes for which an operator may give a page (`ErrorFile`, `Error`).
pub const CODES: &[u16] = &[400, 401, 403, 404, 405, 413, 414, 417, 429, 431, 500, 501, 502, 503, 504, 505];

/// What all pages about errors have had since Pound 4: caches of every age leave them alone. `now` is no date, which RFC
/// 9111 section 5.3 has every cache take for one that has passed.
pub const NEVER_KEPT: [(&str, &str); 3] =
    [("Expires", "now"), ("Pragma", "no-cache"), ("Cache-Control", "no-cache,no-store")];

impl Page {
    /// The fields of a page whose file names none: HTML that nobody may keep.
    pub fn default_fields() -> Fields {
        [("Content-Type", "text/html")]
            .into_iter()
            .chain(NEVER_KEPT)
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    /// A page of HTML with the usual fields.
    pub fn html(body: impl Into<Vec<u8>>) -> Page {
        Page { fields: Page::default_fields(), body: body.into() }
    }

    /// Reads a page file: it may begin with fields up to an empty line, unless its first byte is `<` or a newline.
    /// A file whose head is no list of fields is all body.
    pub fn from_file(content: &[u8]) -> Page {
        // Before fields a byte order mark is an editor's; before a body it says the encoding, and goes out with it.
        match Self::split(content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content)) {
            Some((mut fields, body)) => {
                for (name, value) in Page::default_fields() {
                    if !fields.iter().any(|(given, _)| given.eq_ignore_ascii_case(&name)) {
                        fields.push((name, value));
                    }
                }
                Page { fields, body: body.to_vec() }
            }
            None => Page::html(content),
        }
    }

    fn split(content: &[u8]) -> Option<(Fields, &[u8])> {
        if matches!(content.first(), None | Some(b'<' | b'\n' | b'\r')) {
            return None;
        }
        let mut fields = Vec::new();
        let mut rest = content;
        loop {
            let end = rest.iter().position(|&byte| byte == b'\n')?;
            let line = rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]);
            rest = &rest[end + 1..];
            if line.is_empty() {
                return Some((fields, rest));
            }
            let (name, value) = crate::rewrite::field_line(std::str::from_utf8(line).ok()?).ok()?;
            // The framing is ours; a length in the file would be wrong on the first edit of the page.
            if !["content-length", "transfer-encoding", "connection"]
                .contains(&name.to_ascii_lowercase().as_str())
            {
                fields.push((name, value));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_file_may_begin_with_fields() {
        let page = Page::from_file(b"Content-Type: text/plain\r\nRetry-After: 5\n\nsorry\n");
        assert_eq!(page.body, b"sorry\n");
        assert_eq!(page.fields[0], ("Content-Type".into(), "text/plain".into()));
        assert_eq!(page.fields[1], ("Retry-After".into(), "5".into()));
        assert_eq!(page.fields.iter().filter(|(name, _)| name == "Content-Type").count(), 1);
        assert_eq!(Page::from_file(b"\xef\xbb\xbfRetry-After: 5\n\nsorry").body, b"sorry");
    }

    #[test]
    fn a_page_file_without_fields_is_all_body() {
        for body in [&b"<h1>Sorry</h1>"[..], b"\nplain\n", b"one line without end", b"not a field\n\nbody"] {
            assert_eq!(Page::from_file(body).body, body);
        }
    }
}
