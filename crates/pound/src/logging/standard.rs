//! Standard output and standard error as a log.
//!
//! Events begin with the local time, unless whoever reads the stream stamps them itself (systemd's journal). Lines of
//! requests are as the configuration writes them: a format has a time if it asks for one.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

use engine::log::{Kind, Record};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::word;
use crate::process::pid_file::reason;

/// Bytes gathered before they are written: one call for several hundred lines.
const BATCH_BYTES: usize = 64 * 1024;
/// How long a pipe that is full, and in non-blocking mode, is waited for before its lines are given up.
const PATIENCE_MS: u16 = 1000;

/// The two streams. `requests` is `None` when all goes to standard error.
#[derive(Debug)]
pub(crate) struct Standard {
    tag: String,
    /// For the time before an event; `None` if it has none. Read once, outside a jail.
    zone: Option<TimeZone>,
    requests: Option<Stream>,
    events: Stream,
}

/// One stream with what waits to be written.
#[derive(Debug)]
struct Stream {
    /// For people.
    name: Cow<'static, str>,
    file: File,
    waiting: Vec<u8>,
    lost: u64,
    /// Why the last try to write failed; `None` if it did not.
    fault: Option<String>,
}

impl Standard {
    /// Takes copies of the two descriptors: the standard library's own handles lock and buffer by line.
    pub(crate) fn open(tag: &str, requests_apart: bool) -> io::Result<Standard> {
        let events = File::from(io::stderr().as_fd().try_clone_to_owned()?);
        let requests = match requests_apart {
            true => Some(File::from(io::stdout().as_fd().try_clone_to_owned()?)),
            false => None,
        };
        let zone = if is_journal(&events) { None } else { Some(TimeZone::system()) };
        Ok(Standard::over(tag, zone, requests, events))
    }

    /// The same over any two files.
    pub(super) fn over(tag: &str, zone: Option<TimeZone>, requests: Option<File>, events: File) -> Standard {
        let requests = requests.map(|file| Stream::new("standard output".into(), file));
        Standard { tag: tag.to_owned(), zone, requests, events: Stream::new("standard error".into(), events) }
    }

    /// The same for a file of this name that takes all lines.
    pub(super) fn over_one(tag: &str, name: String, file: File) -> Standard {
        let events = Stream::new(name.into(), file);
        Standard { tag: tag.to_owned(), zone: Some(TimeZone::system()), requests: None, events }
    }

    /// Goes on with another file in the place of the one that takes events; what waits is written before.
    pub(super) fn replace(&mut self, file: File) {
        self.events.flush();
        self.events.file = file;
    }

    /// Whether events go to a file, and not to a terminal, a pipe or nowhere.
    pub(super) fn is_file(&self) -> bool {
        self.events.file.metadata().is_ok_and(|stream| stream.is_file())
    }

    /// Puts a line behind those that wait.
    pub(crate) fn write(&mut self, line: Record<'_>) {
        if line.kind == Kind::Access {
            self.requests.as_mut().unwrap_or(&mut self.events).push(&[line.text]);
        } else {
            let stamp = self.zone.as_ref().map(|zone| stamp(Timestamp::now(), zone)).unwrap_or_default();
            let word = word(line.severity).as_bytes();
            self.events.push(&[stamp.as_bytes(), self.tag.as_bytes(), b": ", word, line.text]);
        }
    }

    /// Writes what waits; returns how many lines were lost since the last call.
    pub(crate) fn flush(&mut self) -> u64 {
        let mut lost = 0;
        for stream in self.requests.iter_mut().chain([&mut self.events]) {
            stream.flush();
            lost += std::mem::take(&mut stream.lost);
        }
        lost
    }

    /// Why the last try of a stream failed, if one did.
    pub(crate) fn fault(&self) -> Option<String> {
        let streams = self.requests.iter().chain([&self.events]);
        streams
            .filter_map(|stream| Some((&stream.name, stream.fault.as_ref()?)))
            .next()
            .map(|(name, fault)| format!("cannot write to {name}: {fault}"))
    }
}

/// Whether this stream is the journal's, which has the time already (systemd.exec(5), JOURNAL_STREAM): the variable
/// alone does not say so, since the stream may have been redirected since.
fn is_journal(stream: &File) -> bool {
    let Some(named) = std::env::var_os("JOURNAL_STREAM") else { return false };
    stream
        .metadata()
        .is_ok_and(|stream| named.to_str() == Some(&format!("{}:{}", stream.dev(), stream.ino())))
}

/// The local time with its distance from UTC (RFC 3339) and a blank.
fn stamp(now: Timestamp, zone: &TimeZone) -> String {
    now.to_zoned(zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%:z ").to_string()
}

impl Stream {
    fn new(name: Cow<'static, str>, file: File) -> Stream {
        append(&file);
        Stream { name, file, waiting: Vec::with_capacity(BATCH_BYTES), lost: 0, fault: None }
    }

    fn push(&mut self, parts: &[&[u8]]) {
        let size: usize = parts.iter().map(|part| part.len()).sum();
        if !self.waiting.is_empty() && self.waiting.len() + size >= BATCH_BYTES {
            self.flush();
        }
        parts.iter().for_each(|part| self.waiting.extend_from_slice(part));
        self.waiting.push(b'\n');
    }

    /// Writes all that waits, or counts what could not be written. Nothing waits afterwards: a disk that is full must
    /// not make us hold lines without bound.
    fn flush(&mut self) {
        let mut done = 0;
        while done < self.waiting.len() {
            match self.file.write(&self.waiting[done..]) {
                Ok(size) if size > 0 => {
                    done += size;
                    self.fault = None;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock && self.wait() => {}
                // Full disk, closed pipe, and whatever else: the next flush tries again.
                failed => {
                    self.fault =
                        Some(failed.map_or_else(|error| reason(&error), |_| "it takes nothing".into()));
                    self.lost += line_ends(&self.waiting[done..]);
                    break;
                }
            }
        }
        self.waiting.clear();
    }

    /// Waits for room in a pipe that somebody put into non-blocking mode; false if it does not come in time.
    fn wait(&self) -> bool {
        let mut watched = [PollFd::new(self.file.as_fd(), PollFlags::POLLOUT)];
        matches!(poll(&mut watched, PollTimeout::from(PATIENCE_MS)), Ok(ready) if ready > 0)
    }
}

/// Has each line written behind the last one there is: a file that somebody empties in its place (logrotate's
/// copytruncate) would otherwise begin with a hole as long as what was taken out of it.
fn append(file: &File) {
    if file.metadata().is_ok_and(|metadata| metadata.is_file())
        && let Ok(flags) = fcntl(file, FcntlArg::F_GETFL)
    {
        let flags = OFlag::from_bits_retain(flags) | OFlag::O_APPEND;
        // A file that may not be appended to is written to as it is.
        let _ = fcntl(file, FcntlArg::F_SETFL(flags));
    }
}

/// Lines that end in `text`; a line of which only the beginning was written counts as lost.
fn line_ends(text: &[u8]) -> u64 {
    text.iter().map(|byte| u64::from(*byte == b'\n')).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::log::Severity;
    use std::io::Read;

    fn line(kind: Kind, severity: Severity, text: &str) -> Record<'_> {
        Record { kind, severity, text: text.as_bytes() }
    }

    fn streams() -> (Standard, io::PipeReader, io::PipeReader) {
        let (requests_out, requests) = io::pipe().unwrap();
        let (events_out, events) = io::pipe().unwrap();
        let file = |writer: io::PipeWriter| File::from(std::os::fd::OwnedFd::from(writer));
        let standard = Standard::over("pound", None, Some(file(requests)), file(events));
        (standard, requests_out, events_out)
    }

    #[test]
    fn requests_and_events_go_their_own_ways() {
        let (mut standard, mut requests, mut events) = streams();
        standard.write(line(Kind::Access, Severity::Info, "127.0.0.1 GET / - 200"));
        standard.write(line(Kind::Event, Severity::Notice, "started"));
        standard.write(line(Kind::Event, Severity::Error, "no back-end left"));
        assert_eq!(standard.flush(), 0);
        drop(standard);
        let mut text = String::new();
        requests.read_to_string(&mut text).unwrap();
        assert_eq!(text, "127.0.0.1 GET / - 200\n");
        text.clear();
        events.read_to_string(&mut text).unwrap();
        assert_eq!(text, "pound: started\npound: error: no back-end left\n");
    }

    #[test]
    fn one_stream_takes_all_in_order() {
        let (mut standard, _requests, mut events) = streams();
        standard.requests = None;
        standard.write(line(Kind::Event, Severity::Info, "one"));
        standard.write(line(Kind::Access, Severity::Info, "two"));
        assert_eq!(standard.flush(), 0);
        drop(standard);
        let mut text = String::new();
        events.read_to_string(&mut text).unwrap();
        assert_eq!(text, "pound: one\ntwo\n");
    }

    #[test]
    fn a_closed_pipe_loses_lines_and_counts_them() {
        let (mut standard, requests, _events) = streams();
        drop(requests);
        for _ in 0..3 {
            standard.write(line(Kind::Access, Severity::Info, "nobody reads this"));
        }
        standard.write(line(Kind::Event, Severity::Info, "somebody reads this"));
        assert_eq!(standard.flush(), 3);
        assert_eq!(standard.flush(), 0);
    }

    #[test]
    fn a_full_device_loses_lines_and_counts_them() {
        let (mut standard, _requests, _events) = streams();
        let full = File::options().write(true).open("/dev/full").unwrap();
        standard.requests = Some(Stream::new("standard output".into(), full));
        standard.write(line(Kind::Access, Severity::Info, "no room for this"));
        assert_eq!(standard.flush(), 1);
        assert_eq!(
            standard.fault().as_deref(),
            Some("cannot write to standard output: No space left on device")
        );
        // The other stream works, which does not mend this one.
        standard.write(line(Kind::Event, Severity::Info, "room for this"));
        assert_eq!(standard.flush(), 0);
        assert!(standard.fault().is_some());
        let null = File::options().write(true).open("/dev/null").unwrap();
        standard.requests.as_mut().unwrap().file = null;
        standard.write(line(Kind::Access, Severity::Info, "room again"));
        assert_eq!((standard.flush(), standard.fault()), (0, None));
    }

    #[test]
    fn events_begin_with_the_local_time_and_requests_do_not() {
        let now = Timestamp::from_second(1_793_610_180).unwrap();
        assert_eq!(stamp(now, &TimeZone::UTC), "2026-11-02T09:03:00+00:00 ");
        let west = TimeZone::fixed(jiff::tz::offset(-3));
        assert_eq!(stamp(now, &west), "2026-11-02T06:03:00-03:00 ");

        let (mut standard, mut requests, mut events) = streams();
        standard.zone = Some(TimeZone::UTC);
        standard.write(line(Kind::Access, Severity::Info, "GET /"));
        standard.write(line(Kind::Event, Severity::Notice, "started"));
        assert_eq!(standard.flush(), 0);
        drop(standard);
        let mut text = String::new();
        requests.read_to_string(&mut text).unwrap();
        assert_eq!(text, "GET /\n");
        text.clear();
        events.read_to_string(&mut text).unwrap();
        let (time, rest) = text.split_once(' ').unwrap();
        assert!(time.parse::<Timestamp>().is_ok() && time.len() == 25, "{time}");
        assert_eq!(rest, "pound: started\n");
    }

    #[test]
    fn a_full_pipe_in_non_blocking_mode_is_given_up_after_a_while() {
        let (mut standard, _requests, _events) = streams();
        let stream = standard.requests.as_mut().unwrap();
        nix::fcntl::fcntl(&stream.file, nix::fcntl::FcntlArg::F_SETFL(nix::fcntl::OFlag::O_NONBLOCK))
            .unwrap();
        let long = "x".repeat(1000);
        // A pipe holds 64 KiB unless told otherwise; a hundred lines of a thousand bytes do not fit.
        for _ in 0..100 {
            standard.write(line(Kind::Access, Severity::Info, &long));
        }
        let lost = standard.flush();
        assert!((30..=50).contains(&lost), "{lost}");
    }
}
