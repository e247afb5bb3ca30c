//! The file that says which process to signal.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// More than any process id and its line end take.
const ID_BYTES_MAX: u64 = 16;
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
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o644)
            // Root writes here: a link that somebody else put in the way must not choose the file.
            .custom_flags(nix::libc::O_NOFOLLOW)
            .open(&path);
        match opened.and_then(|mut file| {
            let holder = holder(&mut file);
            if holder.is_none() {
                file.set_len(0)?;
                file.rewind()?;
            }
            Ok((file, holder))
        }) {
            Ok((_, Some(holder))) => Err(format!(
                "{} is the file of process {holder}, a pound that runs; stop that one (kill {holder}), or name another \
                 file with PIDFile or -p",
                path.display()
            )),
            Ok((file, None)) => Ok(PidFile { path, file: Some(file), owner: Some(std::process::id()) }),
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

/// The process that a file already names, if it lives and is a `pound`: without a file its owner could not be found
/// again. An id that went to another program since is nobody's.
fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    // Whatever else is in there was not written by us.
    file.take(ID_BYTES_MAX).read_to_string(&mut text).ok()?;
    let id: u32 = text.trim().parse().ok()?;
    let (theirs, ours) = (living(id)?, living(std::process::id())?);
    (id != std::process::id() && theirs == ours).then_some(id)
}

/// The name of the program that a process runs; `None` if there is none of this id, or only a dead one that nobody has
/// waited for (proc_pid_stat(5): `id (name) state …`; a name may hold anything).
fn living(id: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let (name, state) = stat.split_once('(')?.1.rsplit_once(") ")?;
    (!state.starts_with(['Z', 'X'])).then(|| name.to_owned())
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
    fn that_of_another_program_or_of_nobody_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pound.pid");
        let mut other = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        for content in [other.id().to_string(), "4194999".into(), "nonsense".into(), "-1".into()] {
            std::fs::write(&path, content).unwrap();
            let mut file = PidFile::open(&path).unwrap();
            file.write().unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{}\n", std::process::id()));
        }
        other.kill().unwrap();
        other.wait().unwrap();
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
