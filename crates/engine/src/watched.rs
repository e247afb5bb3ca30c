//! Reads a watched list (`-filewatch`) again: the thread beside the workers does while we serve, and the supervisor before it
//! starts another serving process.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::SystemTime;

use crate::limits;
use crate::tls;

/// What tells that a file has changed.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub(crate) enum Look {
    Missing,
    /// The time of its last change counts rights, too: a file that becomes readable looks otherwise.
    Seen {
        modified: Option<SystemTime>,
        changed: (i64, i64),
        len: u64,
        inode: u64,
    },
}

impl Look {
    /// How the file looks now.
    pub(crate) fn at(path: &Path) -> Look {
        match std::fs::metadata(path) {
            Ok(metadata) => Look::Seen {
                modified: metadata.modified().ok(),
                changed: (metadata.ctime(), metadata.ctime_nsec()),
                len: metadata.len(),
                inode: metadata.ino(),
            },
            Err(_) => Look::Missing,
        }
    }
}

/// Replaces the content by what the file at `path` says now. One that is gone, cannot be read, or holds nonsense changes
/// nothing: what the list keeps out must not come in by a slip.
///
/// # Errors
/// A sentence for each thing that is wrong, at most [`limits::WATCHED_ERRORS`] and one that counts the rest.
pub(crate) fn read(content: &dyn plan::Watched, path: &Path) -> Result<(), Vec<String>> {
    let shown = path.display();
    let bytes = tls::read_file(path, plan::limits::TEXT_BYTES_MAX).map_err(|error| {
        vec![match error.kind() {
            io::ErrorKind::NotFound => {
                format!("{shown} is gone; put it back, with nothing but a comment in it if the list is to be empty")
            }
            _ => format!("{shown} cannot be read again: {error}"),
        }]
    })?;
    let text = plan::text::decode(bytes).map_err(|foreign| vec![format!("{shown}: {foreign}")])?;
    content.replace(&text).map_err(|errors| {
        let left_out = errors.len().saturating_sub(limits::WATCHED_ERRORS);
        let mut sentences: Vec<String> = errors
            .iter()
            .take(limits::WATCHED_ERRORS)
            .map(|(line, sentence)| format!("{shown}:{line}: {sentence}"))
            .collect();
        if left_out > 0 {
            sentences.push(format!("{shown}: {left_out} more lines cannot be read"));
        }
        sentences
    })
}
