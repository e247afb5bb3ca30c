//! The files of listening Unix sockets, which the kernel leaves behind.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use plan::ListenAddress;

/// Socket files that were made at the start. The process that made them, or took them over, removes them when it drops
/// this; a copy that a fork made is worth nothing.
///
/// Where the process gave up its rights or is in a jail it may be unable to, and they stay: the next start removes
/// sockets that nobody listens on.
#[derive(Debug)]
pub(crate) struct SocketFiles {
    /// Each with its device and inode: a successor may have made its own under the same name.
    files: Vec<(PathBuf, u64, u64)>,
    owner: Option<u32>,
}

impl SocketFiles {
    /// Those of the listeners of a plan, which are bound.
    pub(crate) fn of(plan: &plan::Plan) -> SocketFiles {
        SocketFiles::at(plan.listeners.iter().filter_map(|listener| match &listener.address {
            ListenAddress::Unix(path) => Some(path.as_path()),
            _ => None,
        }))
    }

    fn at<'a>(paths: impl Iterator<Item = &'a Path>) -> SocketFiles {
        let files = paths.filter_map(|path| {
            let path = std::path::absolute(path).ok()?;
            let (device, inode) = identity(&path)?;
            Some((path, device, inode))
        });
        SocketFiles { files: files.collect(), owner: Some(std::process::id()) }
    }

    /// This process removes them from now on.
    pub(crate) fn take_over(&mut self) {
        self.owner = Some(std::process::id());
    }

    /// Leaves them to another process, which goes on with a copy of this.
    pub(crate) fn leave(mut self) {
        self.owner = None;
    }
}

impl Drop for SocketFiles {
    fn drop(&mut self) {
        if self.owner != Some(std::process::id()) {
            return;
        }
        for (path, device, inode) in &self.files {
            if identity(path) == Some((*device, *inode)) {
                let _ = std::fs::remove_file(path);
            }
        }
    }
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    std::fs::symlink_metadata(path).ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    #[test]
    fn our_own_are_removed_and_those_of_a_successor_stay() {
        let folder = tempfile::tempdir().unwrap();
        let (ours, theirs) = (folder.path().join("ours"), folder.path().join("theirs"));
        let first = [&ours, &theirs].map(|path| UnixListener::bind(path).unwrap());
        let files = SocketFiles::at([ours.as_path(), &theirs].into_iter());
        std::fs::rename(&theirs, folder.path().join("old")).unwrap();
        let _successor = UnixListener::bind(&theirs).unwrap();
        drop((first, files));
        assert!(!ours.exists() && theirs.exists());
    }

    #[test]
    fn they_stay_when_they_are_left_to_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let _listener = UnixListener::bind(&path).unwrap();
        SocketFiles::at([path.as_path()].into_iter()).leave();
        assert!(path.exists());
    }
}
