//! Files whose content follows the disk while we run (`-filewatch`).

use std::path::Path;

/// Something that was read from a file and can be read again.
///
/// The crate does no I/O: whoever watches reads the file and hands the text in.
pub trait Watched: Send + Sync + std::fmt::Debug {
    /// The file to follow; `None` when the content stood in the configuration itself.
    fn path(&self) -> Option<&Path>;

    /// Replaces the content by what the file says now; `None` means that the file is gone, which empties it.
    ///
    /// # Errors
    /// Line number (from 1) and sentence of each line that could not be read; the old content then stays.
    fn replace(&self, text: Option<&str>) -> Result<(), Vec<(usize, String)>>;
}

/// Reads a list file line by line: `#` at the start of a line or after a blank begins a comment, blank lines are skipped.
pub(crate) fn lines<T>(
    text: &str,
    mut read: impl FnMut(&str) -> Result<T, String>,
) -> Result<Vec<T>, Vec<(usize, String)>> {
    let mut values = Vec::new();
    let mut errors = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = match line.find('#') {
            // A pattern may hold a '#' of its own, so only one that stands apart begins a comment.
            Some(at) if at == 0 || line.as_bytes()[at - 1].is_ascii_whitespace() => &line[..at],
            _ => line,
        };
        let line = line.trim();
        if line.is_empty() {
            continue;
        }
        match read(line) {
            Ok(value) => values.push(value),
            Err(sentence) => errors.push((index + 1, sentence)),
        }
    }
    if errors.is_empty() { Ok(values) } else { Err(errors) }
}
