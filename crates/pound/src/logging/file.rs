//! A file as a log (`LogFile`), and how it is opened again after somebody has moved it away (SIGUSR1).
//!
//! It is opened to append, so that what the supervisor and the server write stands one behind the other, and so that a
//! file which is emptied in its place goes on from its beginning.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::libc;
use nix::unistd::{Uid, fchown, geteuid};

use super::Way;
use super::standard::Standard;
use crate::failure::Failure;
use crate::process::pid_file::reason;

/// A log file that is open.
#[derive(Debug)]
pub(crate) struct LogFile {
    /// As the configuration names it.
    path: PathBuf,
    /// Where it is for a process in the jail, if it is in there.
    inside: Option<PathBuf>,
    /// Who serves, if that is not root.
    owner: Option<Uid>,
    pub(super) lines: Standard,
}

impl LogFile {
    /// Opens it, while we may: as root, outside of the jail.
    pub(super) fn open(path: &Path, tag: &str, way: &Way) -> Result<LogFile, Failure> {
        let file = open(path, way.owner)
            .map_err(|error| Failure::new(format!("LogFile {}: {}", path.display(), advice(&error))))?;
        let inside = match &way.jail {
            None => Some(path.to_owned()),
            Some(jail) => path.strip_prefix(jail).ok().map(|rest| Path::new("/").join(rest)),
        };
        let lines = Standard::over_one(tag, path.display().to_string(), file);
        Ok(LogFile { path: path.to_owned(), inside, owner: way.owner, lines })
    }

    /// Opens what has the name now; what waits is written to the old one first. `in_jail`: this process has entered it.
    ///
    /// # Errors
    /// A sentence; the old one stays in use.
    pub(super) fn reopen(&mut self, in_jail: bool) -> Result<String, String> {
        let place = self.path.display();
        let stays = "log lines still go to the file that was open before";
        let path = match (in_jail, &self.inside) {
            (false, _) => &self.path,
            (true, Some(inside)) => inside,
            (true, None) => {
                return Err(format!(
                    "LogFile {place} lies outside of RootJail and cannot be opened again; {stays}: let logrotate use \
                     copytruncate, or put the file inside"
                ));
            }
        };
        match open(path, self.owner) {
            Ok(file) => {
                self.lines.replace(file);
                Ok(format!("{place} was opened again"))
            }
            Err(error) => Err(format!(
                "LogFile {place} cannot be opened again: {}; {stays}: let logrotate make the new file for the user that \
                 serves (create 0640 USER GROUP), or use copytruncate",
                advice(&error)
            )),
        }
    }
}

/// Opens a log to append to, and gives it to the user that serves, so that the serving process can open it again.
fn open(path: &Path, owner: Option<Uid>) -> io::Result<File> {
    let root = geteuid().is_root();
    // A pipe without a reader must not hold up the start. Root writes here, and gives the file away: a link that somebody
    // else put in its place must not choose which.
    let flags = libc::O_NONBLOCK | if root && owner.is_some() { libc::O_NOFOLLOW } else { 0 };
    let file = OpenOptions::new().append(true).create(true).mode(0o640).custom_flags(flags).open(path)?;
    let metadata = file.metadata()?;
    if let Some(owner) = owner
        && root
        && metadata.is_file()
        && metadata.nlink() == 1
        && metadata.uid() != owner.as_raw()
    {
        fchown(&file, Some(owner), None)?;
    }
    Ok(file)
}

fn advice(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(libc::ELOOP) => "it is a symbolic link; name the file that it leads to".into(),
        Some(libc::ENXIO) => "it is a socket, or a pipe that nobody reads".into(),
        Some(libc::ENOENT) => "there is no such directory".into(),
        _ => reason(error),
    }
}

#[cfg(test)]
mod tests {
    use engine::log::{Kind, Record, Severity};

    use super::*;

    fn write(log: &mut LogFile, text: &str) {
        log.lines.write(Record { kind: Kind::Access, severity: Severity::Info, text: text.as_bytes() });
    }

    #[test]
    fn what_waits_goes_to_the_old_file_and_the_rest_to_the_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let (path, moved) = (folder.path().join("log"), folder.path().join("log.1"));
        let mut log = LogFile::open(&path, "pound", &Way::default()).unwrap();
        write(&mut log, "one");
        log.lines.flush();
        std::fs::rename(&path, &moved).unwrap();
        write(&mut log, "two");
        assert_eq!(log.reopen(false), Ok(format!("{} was opened again", path.display())));
        write(&mut log, "three");
        assert_eq!(log.lines.flush(), 0);
        assert_eq!(std::fs::read_to_string(moved).unwrap(), "one\ntwo\n");
        assert_eq!(std::fs::read_to_string(path).unwrap(), "three\n");
    }

    #[test]
    fn a_file_that_cannot_be_opened_again_leaves_the_old_one_in_use() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let way = Way { jail: Some("/nowhere".into()), ..Way::default() };
        let mut log = LogFile::open(&path, "pound", &way).unwrap();
        assert!(log.reopen(true).unwrap_err().contains("outside of RootJail"));
        std::fs::rename(&path, folder.path().join("log.1")).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert!(log.reopen(false).unwrap_err().contains("Is a directory"));
        write(&mut log, "kept");
        assert_eq!(log.lines.flush(), 0);
        assert_eq!(std::fs::read_to_string(folder.path().join("log.1")).unwrap(), "kept\n");
    }

    #[test]
    fn a_file_that_is_emptied_in_its_place_goes_on_from_its_beginning() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut log = LogFile::open(&path, "pound", &Way::default()).unwrap();
        write(&mut log, "before");
        log.lines.flush();
        File::options().write(true).truncate(true).open(&path).unwrap();
        write(&mut log, "after");
        log.lines.flush();
        assert_eq!(std::fs::read_to_string(path).unwrap(), "after\n");
    }
}
