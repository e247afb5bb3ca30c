//! Files whose content follows the disk while we run (`-filewatch`).

use std::path::Path;

/// Something that was read from a file and can be read again.
///
/// The crate does no I/O: a caller that watches the file reads it ([`crate::text::decode`]) and hands the text in. A file
/// that is gone changes nothing.
pub trait Watched: Send + Sync + std::fmt::Debug {
    /// The file to follow; `None` when the content stood in the configuration itself.
    fn path(&self) -> Option<&Path>;

    /// Replaces the content by what the file says now.
    ///
    /// # Errors
    /// Line number (from 1) and sentence of each line that could not be read; the old content then stays.
    fn replace(&self, text: &str) -> Result<(), Vec<(usize, String)>>;
}
