//! `SendFile`: files below a directory, and nothing else.
//!
//! The path is decoded once and then resolved by the kernel, which refuses every step out of the directory, be it by
//! `..` or by a symbolic link, with no gap between looking and opening.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{Mode, OFlags, ResolveFlags, open, openat, openat2};
use rustix::io::Errno;
use wire::{Method, target};

use crate::exchange::Exchange;
use crate::fault::{self, Cause};
use crate::local::range::{self, Part};
use crate::local::version::{Asked, Version};
use crate::local::{Answer, Body, add, error_page, head, media_type};

/// How every file is opened. Not blocking, so that a pipe in the directory cannot hold up a worker.
const FLAGS: OFlags = OFlags::RDONLY.union(OFlags::CLOEXEC).union(OFlags::NONBLOCK).union(OFlags::NOCTTY);

pub(super) fn answer(root: &Path, x: &Exchange) -> Result<Answer, Cause> {
    let request = &x.request;
    if !matches!(request.method_kind(), Method::Get | Method::Head) {
        let row = fault::FILE_METHOD;
        let mut answer = error_page::page(x.listener(), row.status, row.code)?;
        add(&mut answer.head, "Allow", b"GET, HEAD")?;
        return Ok(answer);
    }
    let path = target::percent_decode(request.path());
    let mut file = open_below(root_of(root, x)?.as_fd(), &path).map_err(cause)?;
    let metadata = file.metadata().map_err(cause)?;
    // Directories have no listing here, and a device or a pipe has no length.
    if !metadata.is_file() {
        return Err(Cause::FileMissing);
    }
    let version = Version::of(&metadata);
    match version.asked(request) {
        Asked::Send => {}
        Asked::Unchanged => {
            let mut head = head(304)?;
            version.tell(&mut head)?;
            return Ok(Answer { head, body: Body::None });
        }
        Asked::Other => return Ok(Answer { head: head(412)?, body: Body::Bytes(Cow::Borrowed(b"")) }),
    }
    let size = metadata.len();
    let (status, part) = match range::part(request, &version, size) {
        Part::Whole => (200, 0..size),
        Part::Some(part) => (206, part),
        Part::None => {
            let mut head = head(416)?;
            add(&mut head, "Content-Range", format!("bytes */{size}").as_bytes())?;
            return Ok(Answer { head, body: Body::Bytes(Cow::Borrowed(b"")) });
        }
    };
    let mut head = head(status)?;
    // `SetHeader` in a `Rewrite response` comes later, and wins.
    add(&mut head, "Content-Type", media_type::of(&path).as_bytes())?;
    add(&mut head, "Accept-Ranges", b"bytes")?;
    version.tell(&mut head)?;
    if status == 206 {
        let range = format!("bytes {}-{}/{size}", part.start, part.end - 1);
        add(&mut head, "Content-Range", range.as_bytes())?;
        file.seek(SeekFrom::Start(part.start)).map_err(cause)?;
    }
    Ok(Answer { head, body: Body::File { file, length: part.end - part.start } })
}

/// The directory: opened anew for each request, so that one that is replaced is followed, unless a root jail hides it;
/// then as it was before.
fn root_of<'a>(root: &Path, x: &'a Exchange) -> Result<Root<'a>, Cause> {
    match x.service.and_then(|service| x.running.roots.get(service)?.as_ref()) {
        Some(held) => Ok(Root::Held(held)),
        None => open_root(root).map(Root::Opened).map_err(cause),
    }
}

enum Root<'a> {
    Held(&'a OwnedFd),
    Opened(OwnedFd),
}

impl Root<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Root::Held(held) => held.as_fd(),
            Root::Opened(opened) => opened.as_fd(),
        }
    }
}

/// Opens the directory of a `SendFile`.
pub(crate) fn open_root(root: &Path) -> io::Result<OwnedFd> {
    Ok(open(root, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?)
}

/// Opens what `path` (absolute, decoded) names below `root`.
fn open_below(root: BorrowedFd<'_>, path: &[u8]) -> io::Result<File> {
    let relative: Vec<&[u8]> = path.split(|&byte| byte == b'/').filter(|part| !part.is_empty()).collect();
    // What ends in a slash is asked for as a directory, and those have nothing to send.
    if path.ends_with(b"/") || relative.iter().any(|part| matches!(*part, b".." | b".") || part.contains(&0))
    {
        return Err(Errno::NOENT.into());
    }
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    match openat2(root, relative.join(&b'/').as_slice(), FLAGS, Mode::empty(), resolve) {
        // Linux before 5.6, or a container whose filter does not know the call.
        Err(Errno::NOSYS | Errno::PERM) => walk(root, &relative),
        opened => Ok(File::from(opened?)),
    }
}

/// The same for a kernel without openat2: step by step, symbolic links not followed at all.
pub(super) fn walk(root: BorrowedFd<'_>, parts: &[&[u8]]) -> io::Result<File> {
    let mut at = root.try_clone_to_owned()?;
    for (index, part) in parts.iter().enumerate() {
        let kind = if index + 1 < parts.len() { OFlags::DIRECTORY } else { OFlags::empty() };
        at = openat(at.as_fd(), *part, FLAGS | OFlags::NOFOLLOW | kind, Mode::empty())?;
    }
    Ok(File::from(at))
}

/// What a failure to open says about the request.
fn cause(error: io::Error) -> Cause {
    let missing = [
        Errno::NOENT,
        Errno::NOTDIR,
        Errno::LOOP,
        Errno::XDEV,
        Errno::NAMETOOLONG,
        Errno::NXIO,
        Errno::ISDIR,
    ];
    match Errno::from_io_error(&error) {
        Some(errno) if missing.contains(&errno) => Cause::FileMissing,
        _ => Cause::of_opening(error, Cause::FileUnreadable),
    }
}
