//! The file that says which process to signal.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Where a daemon writes its process id if nothing was said.
pub(crate) const DEFAULT: &str = "/run/pound.pid";

/// A process id file. The process that made it, or whose id is in it, removes it when it drops it; a copy that a fork
/// made is worth nothing.
///
/// An unprivileged process or one in a jail may be unable to, and the file stays: whoever reads it finds a process that
/// is gone, which is what programs that read such files are prepared for.
#[derive(Debug)]
pub(crate) struct PidFile {
    path: PathBuf,
    /// Until it is written: a server that gave up its rights must not keep what root opened.
    file: Option<File>,
    owner: Option<u32>,
}

impl PidFile {
    /// Opens it, while we may still write there. It is empty until [`PidFile::write`].
    ///
    /// # Errors
    /// A sentence without the place.
    pub(crate) fn open(path: &Path) -> Result<PidFile, String> {
        let path = std::path::absolute(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let opened = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o644)
            // Root writes here: a link that somebody else put in the way must not choose the file.
            .custom_flags(nix::libc::O_NOFOLLOW)
            .open(&path);
        match opened {
            Ok(file) => Ok(PidFile { path, file: Some(file), owner: Some(std::process::id()) }),
            Err(error) => Err(format!(
                "cannot write the process id to {}: {}; name another file with PIDFile or -p, or \"-\" for none",
                path.display(),
                reason(&error)
            )),
        }
    }

    /// Writes the id of this process, once.
    ///
    /// # Errors
    /// A sentence without the place.
    pub(crate) fn write(&mut self) -> Result<(), String> {
        let id = std::process::id();
        self.owner = Some(id);
        let Some(mut file) = self.file.take() else { return Ok(()) };
        writeln!(file, "{id}").map_err(|error| {
            format!("cannot write the process id to {}: {}", self.path.display(), reason(&error))
        })
    }

    /// Leaves it to another process, which goes on with a copy of this.
    pub(crate) fn leave(mut self) {
        self.owner = None;
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        if self.owner == Some(std::process::id()) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// The system's words without the number that std appends.
pub(crate) fn reason(error: &std::io::Error) -> String {
    match error.raw_os_error() {
        Some(number) => nix::errno::Errno::from_raw(number).desc().to_owned(),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_the_id_and_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pound.pid");
        std::fs::write(&path, "a longer line that an earlier process left\n").unwrap();
        let mut file = PidFile::open(&path).unwrap();
        file.write().unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{}\n", std::process::id()));
        drop(file);
        assert!(!path.exists());
    }

    #[test]
    fn stays_when_it_is_left_to_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pound.pid");
        PidFile::open(&path).unwrap().leave();
        assert!(path.exists());
    }

    #[test]
    fn does_not_write_through_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let victim = folder.path().join("victim");
        std::fs::write(&victim, "precious\n").unwrap();
        let path = folder.path().join("pound.pid");
        std::os::unix::fs::symlink(&victim, &path).unwrap();
        let sentence = PidFile::open(&path).unwrap_err();
        assert!(sentence.contains("PIDFile or -p"), "{sentence}");
        assert_eq!(std::fs::read_to_string(&victim).unwrap(), "precious\n");
    }

    #[test]
    fn a_folder_that_is_not_there_is_a_sentence() {
        let sentence = PidFile::open(Path::new("/nonexistent/pound.pid")).unwrap_err();
        assert!(
            sentence.starts_with("cannot write the process id to /nonexistent/pound.pid: No such file"),
            "{sentence}"
        );
    }
}
