//! Walking through a text line by line.

use std::ops::Range;
use std::sync::Arc;

use crate::diagnostic::Diagnostics;
use crate::lex::{self, Word};

/// A place in a text that is being read.
pub(super) struct Cursor {
    pub(super) source: u32,
    pub(super) text: Arc<str>,
    pub(super) at: usize,
}

/// A line taken apart.
pub(super) struct Line {
    pub(super) start: usize,
    pub(super) indent: usize,
    pub(super) words: Vec<Word>,
}

impl Cursor {
    /// The next line's start and text.
    pub(super) fn raw(&mut self) -> Option<(usize, Arc<str>, Range<usize>)> {
        if self.at >= self.text.len() {
            return None;
        }
        let start = self.at;
        let end = self.text[start..].find('\n').map_or(self.text.len(), |at| start + at);
        self.at = end + 1;
        Some((start, self.text.clone(), start..end))
    }

    /// The next line that is not empty.
    pub(super) fn line(&mut self, diagnostics: &mut Diagnostics) -> Option<Line> {
        loop {
            let (start, text, range) = self.raw()?;
            let words = lex::words(&text[range.clone()], self.source, start, diagnostics);
            if !words.is_empty() {
                return Some(Line { start, indent: indent(&text[range]), words });
            }
        }
    }

    /// The first word of the next line that has one, and its indentation; the line itself stays to be read.
    pub(super) fn peek(&self) -> Option<(usize, &str)> {
        self.text[self.at.min(self.text.len())..].lines().find_map(|line| {
            let word = line.split_ascii_whitespace().next()?;
            (!word.starts_with('#')).then(|| (indent(line), word))
        })
    }
}

/// Blanks before the first word; a tab reaches to the next multiple of eight.
fn indent(line: &str) -> usize {
    let mut column = 0;
    for byte in line.bytes() {
        match byte {
            b' ' => column += 1,
            b'\t' => column = column / 8 * 8 + 8,
            _ => break,
        }
    }
    column
}
