//! The type of a file, told by its name.
//!
//! The table is compiled in: there is no `/etc/mime.types` in a jail.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// The Content-Type of the file at this path, decoded.
///
/// A name that is not known gives bytes, which a browser saves. As a text they could fill its window with rubbish, and
/// without any type it would look for HTML in them.
pub(super) fn of(path: &[u8]) -> Cow<'static, str> {
    match mime_infer::from_path(Path::new(OsStr::from_bytes(path))).first_raw() {
        None => Cow::Borrowed("application/octet-stream"),
        // XML says for itself how it is encoded, and a charset would overrule it (RFC 7303 section 3.2).
        Some(kind @ ("text/xml" | "text/xml-external-parsed-entity")) => Cow::Borrowed(kind),
        Some(kind) if kind.starts_with("text/") => Cow::Owned(format!("{kind}; charset=utf-8")),
        Some(kind) => Cow::Borrowed(kind),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_type_is_that_of_the_last_suffix() {
        let check = |path: &str, expect: &str| assert_eq!(of(path.as_bytes()), expect, "{path}");
        for (suffix, expect) in [
            ("html", "text/html; charset=utf-8"),
            ("htm", "text/html; charset=utf-8"),
            ("css", "text/css; charset=utf-8"),
            ("js", "text/javascript; charset=utf-8"),
            ("mjs", "text/javascript; charset=utf-8"),
            ("txt", "text/plain; charset=utf-8"),
            ("csv", "text/csv; charset=utf-8"),
            ("md", "text/markdown; charset=utf-8"),
            ("xml", "text/xml"),
            ("json", "application/json"),
            ("webmanifest", "application/manifest+json"),
            ("wasm", "application/wasm"),
            ("pdf", "application/pdf"),
            ("zip", "application/zip"),
            ("gz", "application/gzip"),
            ("svg", "image/svg+xml"),
            ("png", "image/png"),
            ("jpg", "image/jpeg"),
            ("jpeg", "image/jpeg"),
            ("gif", "image/gif"),
            ("webp", "image/webp"),
            ("avif", "image/avif"),
            ("woff", "font/woff"),
            ("woff2", "font/woff2"),
            ("ttf", "font/ttf"),
            ("otf", "font/otf"),
            ("mp4", "video/mp4"),
            ("webm", "video/webm"),
            ("mp3", "audio/mpeg"),
            ("ics", "text/calendar; charset=utf-8"),
            ("vtt", "text/vtt; charset=utf-8"),
        ] {
            check(&format!("/a.{suffix}"), expect);
        }
        check("/a.b/c.HTML", "text/html; charset=utf-8");
        check("/a.html.gz", "application/gzip");
    }

    #[test]
    fn what_is_not_known_is_bytes() {
        let folder: &[u8] = b"/a.html/b";
        for path in [folder, b"/README", b"/.html", b"/a.", b"/a.xyzzy", b"/a.ht\xffml", b"/a.html~", b"/"] {
            assert_eq!(of(path), "application/octet-stream", "{path:?}");
        }
        assert_eq!(of(format!("/a.{}", "x".repeat(5000)).as_bytes()), "application/octet-stream");
    }
}
