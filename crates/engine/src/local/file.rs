//! `SendFile`: files below a directory, and nothing else.
//!
//! The path is decoded once and then resolved by the kernel, which refuses every step out of the directory, be it by
//! `..` or by a symbolic link, with no gap between looking and opening.

use std::borrow::Cow;
use std::fs::{File, Metadata};
use std::io::{self, Seek, SeekFrom};
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use httpdate::{fmt_http_date, parse_http_date};
use rustix::fs::{Mode, OFlags, ResolveFlags, open, openat, openat2};
use rustix::io::Errno;
use wire::{Known, Method, RequestHead, ResponseHead, target};

use crate::exchange::Exchange;
use crate::fault::{self, Cause};
use crate::local::{Answer, Body, add, error_page, head};

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
    let mut file =
        open_below(root_of(root, x)?.as_fd(), &target::percent_decode(request.path())).map_err(cause)?;
    let metadata = file.metadata().map_err(cause)?;
    // Directories have no listing here, and a device or a pipe has no length.
    if !metadata.is_file() {
        return Err(Cause::FileMissing);
    }
    let version = Version::of(&metadata);
    if version.is_held_by(request) {
        let mut head = head(304)?;
        version.tell(&mut head)?;
        return Ok(Answer { head, body: Body::None });
    }
    let size = metadata.len();
    let (status, part) = match part(request, &version, size) {
        Part::Whole => (200, 0..size),
        Part::Some(part) => (206, part),
        Part::None => {
            let mut head = head(416)?;
            add(&mut head, "Content-Range", format!("bytes */{size}").as_bytes())?;
            return Ok(Answer { head, body: Body::Bytes(Cow::Borrowed(b"")) });
        }
    };
    let mut head = head(status)?;
    // Guessing by name is what a web server is for; `SetHeader` in a `Rewrite response` says better.
    add(&mut head, "Content-Type", b"text/plain")?;
    add(&mut head, "Accept-Ranges", b"bytes")?;
    version.tell(&mut head)?;
    if status == 206 {
        let range = format!("bytes {}-{}/{size}", part.start, part.end - 1);
        add(&mut head, "Content-Range", range.as_bytes())?;
        file.seek(SeekFrom::Start(part.start)).map_err(cause)?;
    }
    Ok(Answer { head, body: Body::File { file, length: part.end - part.start } })
}

/// What tells one version of a file from another (RFC 9110 section 8.8).
struct Version {
    modified: Option<SystemTime>,
    /// With its quotes.
    tag: String,
}

impl Version {
    fn of(metadata: &Metadata) -> Version {
        let modified = metadata.modified().ok();
        let since =
            modified.and_then(|modified| modified.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
        let tag = format!("\"{:x}-{:x}\"", since.as_nanos(), metadata.len());
        Version { modified: modified.and_then(whole_seconds), tag }
    }

    fn tell(&self, head: &mut ResponseHead) -> Result<(), Cause> {
        add(head, "ETag", self.tag.as_bytes())?;
        match self.modified {
            Some(modified) => add(head, "Last-Modified", fmt_http_date(modified).as_bytes()),
            None => Ok(()),
        }
    }

    /// Whether the client has this version. If-None-Match goes before If-Modified-Since, and compares weakly (RFC 9110
    /// section 13.2.2 and 13.1.2).
    fn is_held_by(&self, request: &RequestHead) -> bool {
        let fields = request.fields();
        if fields.get(Known::IfNoneMatch).is_some() {
            // A comma in another's tag does no harm: there is none in ours, and no quote in any.
            let mut tags =
                fields.get_all(Known::IfNoneMatch).flat_map(|line| line.split(|byte| *byte == b','));
            return tags.any(|tag| {
                let tag = tag.trim_ascii();
                tag == b"*" || tag.strip_prefix(b"W/").unwrap_or(tag) == self.tag.as_bytes()
            });
        }
        let since = date(fields.get(Known::IfModifiedSince));
        self.modified.zip(since).is_some_and(|(modified, since)| modified <= since)
    }

    /// Whether a part may be sent to a client that has others of the version which it names (RFC 9110 section 13.1.5).
    fn may_be_completed(&self, request: &RequestHead) -> bool {
        match request.fields().get(Known::IfRange) {
            None => true,
            Some(tag) if tag.starts_with(b"\"") => tag == self.tag.as_bytes(),
            // Never a weak tag; a date only if it is exactly ours.
            Some(date_of) => self.modified.is_some() && date(Some(date_of)) == self.modified,
        }
    }
}

/// How much of a file is sent.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    Whole,
    Some(Range<u64>),
    /// What was asked for lies behind its end.
    None,
}

fn part(request: &RequestHead, version: &Version, size: u64) -> Part {
    // RFC 9110 section 14.2: Range means something for GET alone.
    match request.fields().get(Known::Range) {
        Some(range) if request.method_kind() == Method::Get && version.may_be_completed(request) => {
            requested(range, size)
        }
        _ => Part::Whole,
    }
}

/// One range of bytes (RFC 9110 section 14.1.2). What cannot be read, or has several, asks for the whole, as it may.
fn requested(range: &[u8], size: u64) -> Part {
    let number =
        |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u64>().ok());
    let read = || {
        let (unit, set) = std::str::from_utf8(range).ok()?.split_once('=')?;
        let (first, last) = set.trim().split_once('-')?;
        if !unit.eq_ignore_ascii_case("bytes") {
            return None;
        }
        Some(match (first, last) {
            ("", last) => {
                let count = number(last)??;
                if count == 0 || size == 0 {
                    Part::None
                } else {
                    Part::Some(size.saturating_sub(count)..size)
                }
            }
            (first, last) => {
                let first = number(first)??;
                let last = if last.is_empty() { u64::MAX } else { number(last)?? };
                match first {
                    _ if last < first => return None,
                    first if first >= size => Part::None,
                    first => Part::Some(first..last.saturating_add(1).min(size)),
                }
            }
        })
    };
    read().unwrap_or(Part::Whole)
}

fn date(value: Option<&[u8]>) -> Option<SystemTime> {
    parse_http_date(std::str::from_utf8(value?).ok()?).ok()
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

/// HTTP dates have whole seconds, and none before the epoch matters.
fn whole_seconds(time: SystemTime) -> Option<SystemTime> {
    let seconds = time.duration_since(UNIX_EPOCH).ok()?.as_secs();
    // httpdate writes years with four digits.
    const YEAR_9999: u64 = 253_402_300_799;
    (seconds <= YEAR_9999).then(|| UNIX_EPOCH + Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_is_read_and_all_else_asks_for_the_whole() {
        let check = |range: &str, expect| assert_eq!(requested(range.as_bytes(), 10), expect, "{range}");
        check("bytes=0-0", Part::Some(0..1));
        check("bytes=2-", Part::Some(2..10));
        check("Bytes=2-99999999999", Part::Some(2..10));
        check("bytes=-3", Part::Some(7..10));
        check("bytes=-99", Part::Some(0..10));
        check("bytes=10-", Part::None);
        check("bytes=-0", Part::None);
        for whole in
            ["bytes=5-2", "bytes=0-1,3-4", "lines=0-1", "bytes=", "bytes=-", "bytes=+1-2", "0-1", "bytes=a-b"]
        {
            check(whole, Part::Whole);
        }
        assert_eq!(requested(b"bytes=0-", 0), Part::None);
        assert_eq!(requested(b"bytes=0-18446744073709551615", 10), Part::Some(0..10));
    }
}
