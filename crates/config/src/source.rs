//! The texts that were read: configuration files, and the lists and pages that they name.
//!
//! A [`Span`] is a place in one of them. Files are only read here, each at most once and with a limit on its size.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(crate) use plan::limits::TEXT_BYTES_MAX;
use plan::text;

/// Largest page file: it is held in memory for good.
pub(crate) const PAGE_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// Most files that one configuration may be made of.
pub(crate) const FILES_MAX: usize = 10_000;

/// A range of bytes in one of the texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Span {
    pub(crate) source: u32,
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Span {
    /// From the start of this one to the end of the other, which lies behind it in the same text.
    pub(crate) fn to(self, last: Span) -> Span {
        Span { end: last.end.max(self.end), ..self }
    }
}

#[derive(Debug)]
struct Source {
    name: String,
    text: Arc<str>,
}

/// All texts of one configuration.
#[derive(Debug, Default)]
pub(crate) struct Sources(Vec<Source>);

impl Sources {
    /// Adds a text. Its bytes are counted in 32 bits, which `TEXT_BYTES_MAX` and the caller's own text respect.
    pub(crate) fn add(&mut self, name: String, text: String) -> u32 {
        let mut text = text;
        if text.len() as u64 > TEXT_BYTES_MAX {
            let end =
                (0..=TEXT_BYTES_MAX as usize).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
            text.truncate(end);
        }
        self.0.push(Source { name, text: text.into() });
        (self.0.len() - 1) as u32
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn name(&self, source: u32) -> &str {
        &self.0[source as usize].name
    }

    pub(crate) fn text(&self, source: u32) -> &Arc<str> {
        &self.0[source as usize].text
    }

    /// The text of a span.
    pub(crate) fn slice(&self, span: Span) -> &str {
        self.text(span.source).get(span.start as usize..span.end as usize).unwrap_or("")
    }

    /// Line and column, both from 1, the column in characters.
    pub(crate) fn line_column(&self, span: Span) -> (usize, usize) {
        let text = self.text(span.source);
        let start = (span.start as usize).min(text.len());
        let before = &text.as_bytes()[..start];
        let line_start = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
        (line, text[line_start..start].chars().count() + 1)
    }

    /// Name and line of a span, as log lines have it: `pound.cfg:12`.
    pub(crate) fn locus(&self, span: Span) -> String {
        format!("{}:{}", self.name(span.source), self.line_column(span).0)
    }

    /// Name, lines and columns of a span as C Pound writes them, both ends included: `pound.cfg:19.2-22.4`,
    /// `pound.cfg:20.3-14`.
    pub(crate) fn locus_range(&self, span: Span) -> String {
        let last = Span { start: span.end.saturating_sub(1).max(span.start), ..span };
        let ((line, column), (end_line, end_column)) = (self.line_column(span), self.line_column(last));
        let name = self.name(span.source);
        match (line == end_line, column == end_column) {
            (true, true) => format!("{name}:{line}.{column}"),
            (true, false) => format!("{name}:{line}.{column}-{end_column}"),
            (false, _) => format!("{name}:{line}.{column}-{end_line}.{end_column}"),
        }
    }

    /// The span of a whole line, counted from 1, without blanks at its ends.
    pub(crate) fn line_span(&self, source: u32, line: usize) -> Span {
        let text = self.text(source);
        let mut start = 0;
        for (index, content) in text.split_inclusive('\n').enumerate() {
            if index + 1 == line {
                let blank = content.len() - content.trim_start().len();
                let len = content.trim().len();
                return Span { source, start: (start + blank) as u32, end: (start + blank + len) as u32 };
            }
            start += content.len();
        }
        Span { source, start: text.len() as u32, end: text.len() as u32 }
    }
}

/// Reads a file of text, as [`text::decode`] has it.
pub(crate) fn read_text(path: &Path) -> io::Result<String> {
    text::decode(read_bytes(path, TEXT_BYTES_MAX)?).map_err(|foreign| io::Error::other(foreign.to_string()))
}

/// Reads a file of at most `max` bytes.
pub(crate) fn read_bytes(path: &Path, max: u64) -> io::Result<Vec<u8>> {
    // A device could deliver without end, and a pipe without a writer holds up whoever opens it.
    let kind = |metadata: fs::Metadata| match (metadata.is_file(), metadata.is_dir()) {
        (true, _) => Ok(()),
        (_, true) => Err(io::Error::other("it is a directory")),
        _ => Err(io::Error::other("not a regular file")),
    };
    kind(fs::metadata(path)?)?;
    let file = fs::File::open(path)?;
    kind(file.metadata()?)?;
    let mut bytes = Vec::new();
    file.take(max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max {
        return Err(io::Error::other(format!("larger than {} MiB", max / (1024 * 1024))));
    }
    Ok(bytes)
}

/// The reason in the operating system's words, without Rust's number behind it.
pub(crate) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error") {
        Some(at) => text[..at].to_owned(),
        None => text,
    }
}

/// What identifies a file whatever the name by which it was reached.
pub(crate) fn identity(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_count_from_one() {
        let mut sources = Sources::default();
        let source = sources.add("x".into(), "ab\n\té c\n".into());
        let place = |start| sources.line_column(Span { source, start, end: start + 1 });
        assert_eq!(place(0), (1, 1));
        assert_eq!(place(1), (1, 2));
        assert_eq!(place(3), (2, 1));
        assert_eq!(place(7), (2, 4));
        assert_eq!(place(99), (3, 1));
        let line = sources.line_span(source, 2);
        assert_eq!(sources.slice(line), "é c");
    }

    #[test]
    fn devices_are_not_read() {
        assert_eq!(reason(&read_text(Path::new("/dev/zero")).unwrap_err()), "not a regular file");
        assert_eq!(
            reason(&read_text(Path::new("/nowhere/at/all")).unwrap_err()),
            "No such file or directory"
        );
    }
}
