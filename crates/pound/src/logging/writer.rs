//! The thread that takes lines out of the engine's ring and writes them.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, atomic::AtomicBool, atomic::Ordering};
use std::time::{Duration, Instant};

use engine::log::{Drain, Kind, Record, Severity};

use super::Sink;
use super::losses::Losses;
use crate::failure::Failure;

/// How long the thread sleeps when no line comes; a line wakes it. It looks for our own events and for its end then.
const IDLE: Duration = Duration::from_millis(250);
/// Events of the daemon itself that may wait for the thread; there is one a signal, so this is plenty.
const EVENTS_MAX: usize = 64;
/// How long the end of the process may wait for the last lines: a disk that hangs must not hang the stop.
const FAREWELL: Duration = Duration::from_secs(2);

/// What the daemon itself wants of the thread.
#[derive(Debug)]
enum Errand {
    /// Write this event.
    Event(Severity, String),
    /// Open the log again.
    Reopen,
}

/// The running thread.
#[derive(Debug)]
pub(crate) struct Writer {
    errands: SyncSender<Errand>,
    ending: Arc<AtomicBool>,
    done: Receiver<()>,
}

impl Writer {
    /// Starts it. `in_jail`: this process sees nothing but the jail.
    pub(crate) fn start(drain: Drain, sink: Sink, in_jail: bool) -> Result<Writer, Failure> {
        let (errands, inbox) = sync_channel(EVENTS_MAX);
        let (finished, done) = sync_channel(1);
        let ending = Arc::new(AtomicBool::new(false));
        let flag = ending.clone();
        std::thread::Builder::new()
            .name("log".into())
            .spawn(move || {
                run(drain, sink, &inbox, &flag, in_jail);
                let _ = finished.send(());
            })
            .map_err(|error| Failure::new(format!("cannot start the thread that writes the log: {error}")))?;
        Ok(Writer { errands, ending, done })
    }

    /// Logs an event of the daemon itself.
    pub(crate) fn event(&self, severity: Severity, text: impl Into<String>) {
        self.send(Errand::Event(severity, text.into()));
    }

    /// Opens the log again: its file may have been moved away.
    pub(crate) fn reopen(&self) {
        self.send(Errand::Reopen);
    }

    fn send(&self, errand: Errand) {
        match self.errands.try_send(errand) {
            // The thread is stuck on a disk, and 64 signals have come: one more changes nothing.
            Ok(()) | Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {}
        }
    }

    /// Writes what is there and ends; false if that took too long and the last lines are lost.
    pub(crate) fn finish(self) -> bool {
        self.ending.store(true, Ordering::Release);
        !matches!(self.done.recv_timeout(FAREWELL), Err(RecvTimeoutError::Timeout))
    }
}

fn run(mut drain: Drain, mut sink: Sink, inbox: &Receiver<Errand>, ending: &AtomicBool, in_jail: bool) {
    let mut losses = Losses::default();
    loop {
        // Read before the ring is emptied: what was in it when the end was asked for is still written.
        let last = ending.load(Ordering::Acquire);
        if !last {
            drain.wait(IDLE);
        }
        // Our own first, since the start of the server belongs before its first request; at the end behind the last.
        if !last {
            run_errands(&mut sink, inbox, in_jail);
        }
        let dropped = drain.take(&mut |record| sink.write(record));
        run_errands(&mut sink, inbox, in_jail);
        confess(&mut sink, &mut losses, dropped, last);
        if last {
            return;
        }
    }
}

/// Writes the events of the daemon itself, and opens the log again if somebody asks.
fn run_errands(sink: &mut Sink, inbox: &Receiver<Errand>, in_jail: bool) {
    for errand in inbox.try_iter() {
        match errand {
            Errand::Event(severity, text) => {
                sink.write(Record { kind: Kind::Event, severity, text: text.as_bytes() });
            }
            Errand::Reopen => sink.reopen(in_jail),
        }
    }
}

/// Flushes, and says what was lost, here and before (`dropped`), if it is time to.
fn confess(sink: &mut Sink, losses: &mut Losses, dropped: u64, last: bool) {
    let lost = dropped + sink.flush();
    let (fault, now) = (sink.fault(), Instant::now());
    let works = fault.is_none();
    losses.add(lost, fault, now);
    if let Some(report) = losses.report(works, last, now) {
        sink.write(Record { kind: Kind::Event, severity: Severity::Warning, text: report.text().as_bytes() });
        // The line that says so is not counted itself if it is lost: the sum stays that of the lines that mattered.
        if sink.flush() == 0 {
            losses.told(&report, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{BufRead, BufReader, Read};
    use std::os::fd::OwnedFd;

    use engine::log::channel;

    use super::super::Standard;
    use super::*;

    /// A writer whose lines come out of a pipe.
    fn writer(drain: Drain) -> (Writer, std::io::PipeReader) {
        let (reader, events) = std::io::pipe().unwrap();
        let standard = Standard::over("pound", None, None, File::from(OwnedFd::from(events)));
        (Writer::start(drain, Sink::Standard(standard), false).unwrap(), reader)
    }

    #[test]
    fn what_was_written_before_the_end_comes_out() {
        let (mut pens, drain) = channel(2, 10_000);
        let (writer, mut reader) = writer(drain);
        pens[0].write(Kind::Access, Severity::Info, |out| out.extend_from_slice(b"one request"));
        writer.event(Severity::Warning, "an event of the daemon");
        pens[1].write(Kind::Event, Severity::Error, |out| out.extend_from_slice(b"an event of a worker"));
        assert!(writer.finish());
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        let mut lines: Vec<&str> = text.lines().collect();
        lines.sort_unstable();
        assert_eq!(
            lines,
            ["one request", "pound: error: an event of a worker", "pound: warning: an event of the daemon"]
        );
    }

    #[test]
    fn lines_come_out_without_others_behind_them() {
        let (mut pens, drain) = channel(1, 10_000);
        let (writer, reader) = writer(drain);
        let mut lines = BufReader::new(reader).lines();
        // The first finds the writer at rest, the others while it lets lines gather. None has another one behind it.
        for number in 0..4 {
            pens[0].write(Kind::Access, Severity::Info, |out| out.push(b'0' + number));
            assert_eq!(lines.next().unwrap().unwrap(), number.to_string());
        }
        assert!(writer.finish());
        assert!(lines.next().is_none());
    }

    #[test]
    fn lines_of_a_thread_that_panicked_come_out() {
        let (mut pens, drain) = channel(2, 10_000);
        let (writer, reader) = writer(drain);
        let mut lines = BufReader::new(reader).lines();
        let mut pen = pens.remove(0);
        let worker = std::thread::spawn(move || {
            pen.write(Kind::Access, Severity::Info, |out| out.extend_from_slice(b"a request"));
            pen.write(Kind::Event, Severity::Error, |out| out.extend_from_slice(b"an event"));
            std::panic::resume_unwind(Box::new(()));
        });
        assert!(worker.join().is_err());
        assert_eq!(lines.next().unwrap().unwrap(), "a request");
        assert_eq!(lines.next().unwrap().unwrap(), "pound: error: an event");
        assert!(writer.finish());
    }

    #[test]
    fn a_burst_comes_out_whole_and_in_order() {
        const LINES: usize = 100_000;
        let (mut pens, drain) = channel(1, 1024 * LINES);
        let (writer, reader) = writer(drain);
        let reading = std::thread::spawn(move || {
            let lines = BufReader::new(reader).lines().map(|line| line.unwrap());
            lines.enumerate().map(|(number, line)| assert_eq!(line, format!("request {number:>60}"))).count()
        });
        for number in 0..LINES {
            pens[0].write(Kind::Access, Severity::Info, |out| {
                out.extend_from_slice(format!("request {number:>60}").as_bytes());
            });
        }
        assert!(writer.finish());
        assert_eq!(reading.join().unwrap(), LINES);
    }

    #[test]
    fn a_reader_that_stops_costs_lines_and_is_told_how_many() {
        // Far more than the pipe (64 KiB) and the ring hold together.
        const LINES: usize = 50_000;
        let (mut pens, drain) = channel(1, 64 * 1024);
        let (writer, mut reader) = writer(drain);
        for number in 0..LINES {
            pens[0].write(Kind::Access, Severity::Info, |out| {
                out.extend_from_slice(format!("request {number:>60}").as_bytes());
            });
        }
        // None of these waited for the reader, who begins only now.
        let reading = std::thread::spawn(move || {
            let mut text = String::new();
            reader.read_to_string(&mut text).unwrap();
            text
        });
        assert!(writer.finish());
        let text = reading.join().unwrap();
        let came = text.lines().filter(|line| line.starts_with("request ")).count();
        let told: Vec<usize> = text
            .lines()
            .filter_map(|line| line.strip_prefix("pound: warning: ")?.split_once("; "))
            .map(|(_, lines)| lines.split(' ').next().unwrap().parse().unwrap())
            .collect();
        assert!(came < LINES);
        assert_eq!(came + told.last().unwrap(), LINES, "every line is there or counted");
        assert!(told.len() <= 3, "few lines tell of many: {told:?}");
    }

    #[test]
    fn a_full_disk_is_told_of_once_with_the_reason() {
        let (mut pens, drain) = channel(1, 64 * 1024);
        let (reader, events) = std::io::pipe().unwrap();
        let full = File::options().write(true).open("/dev/full").unwrap();
        let standard = Standard::over("pound", None, Some(full), File::from(OwnedFd::from(events)));
        let writer = Writer::start(drain, Sink::Standard(standard), false).unwrap();
        let mut lines = BufReader::new(reader).lines();
        let mut request = || pens[0].write(Kind::Access, Severity::Info, |out| out.extend_from_slice(b"x"));
        request();
        let reason = "pound: warning: cannot write to standard output: No space left on device; ";
        assert_eq!(lines.next().unwrap().unwrap(), format!("{reason}1 log line was dropped so far"));
        (0..500).for_each(|_| request());
        assert!(writer.finish());
        // The end says what nothing has said yet; in between it was quiet.
        assert_eq!(lines.next().unwrap().unwrap(), format!("{reason}501 log lines were dropped so far"));
        assert!(lines.next().is_none());
    }

    #[test]
    fn a_stuck_log_does_not_hold_up_the_end() {
        let (mut pens, drain) = channel(1, 1024 * 1024);
        let (writer, reader) = writer(drain);
        for _ in 0..1000 {
            pens[0].write(Kind::Access, Severity::Info, |out| out.extend_from_slice(&[b'x'; 500]));
        }
        assert!(!writer.finish(), "the pipe is full and nobody reads");
        drop(reader);
    }
}
