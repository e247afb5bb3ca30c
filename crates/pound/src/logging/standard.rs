//! Standard output and standard error as a log.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;

use engine::log::{Kind, Record};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::word;

/// Bytes gathered before they are written: one call for several hundred lines.
const BATCH_BYTES: usize = 64 * 1024;
/// How long a pipe that is full, and in non-blocking mode, is waited for before its lines are given up.
const PATIENCE_MS: u16 = 1000;

/// The two streams. `requests` is `None` when all goes to standard error.
#[derive(Debug)]
pub(crate) struct Standard {
    tag: String,
    requests: Option<Stream>,
    events: Stream,
}

/// One stream with what waits to be written.
#[derive(Debug)]
struct Stream {
    file: File,
    waiting: Vec<u8>,
    lost: u64,
}

impl Standard {
    /// Takes copies of the two descriptors: the standard library's own handles lock and buffer by line.
    pub(crate) fn open(tag: &str, requests_apart: bool) -> io::Result<Standard> {
        let events = File::from(io::stderr().as_fd().try_clone_to_owned()?);
        let requests = match requests_apart {
            true => Some(File::from(io::stdout().as_fd().try_clone_to_owned()?)),
            false => None,
        };
        Ok(Standard::over(tag, requests, events))
    }

    /// The same over any two files.
    pub(super) fn over(tag: &str, requests: Option<File>, events: File) -> Standard {
        Standard { tag: tag.to_owned(), requests: requests.map(Stream::new), events: Stream::new(events) }
    }

    /// Puts a line behind those that wait.
    pub(crate) fn write(&mut self, line: Record<'_>) {
        if line.kind == Kind::Access {
            self.requests.as_mut().unwrap_or(&mut self.events).push(&[line.text]);
        } else {
            let word = word(line.severity).as_bytes();
            self.events.push(&[self.tag.as_bytes(), b": ", word, line.text]);
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
}

impl Stream {
    fn new(file: File) -> Stream {
        Stream { file, waiting: Vec::with_capacity(BATCH_BYTES), lost: 0 }
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
                Ok(size) if size > 0 => done += size,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock && self.wait() => {}
                // Full disk, closed pipe, and whatever else: the next flush tries again.
                Ok(_) | Err(_) => {
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
        let standard = Standard::over("pound", Some(file(requests)), file(events));
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
        standard.requests = Some(Stream::new(full));
        standard.write(line(Kind::Access, Severity::Info, "no room for this"));
        assert_eq!(standard.flush(), 1);
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
