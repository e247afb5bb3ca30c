//! Where log lines go once they have left the request path.
//!
//! The workers put finished lines into a bounded ring (`engine::log`); one thread here takes them out and writes. Only
//! this thread may wait for a slow disk or a stuck syslog: the ring overflows then, drops, and counts. What was lost,
//! there or here, is said in a line as soon as lines get through again.

mod losses;
mod standard;
mod syslog;
mod writer;

use engine::log::{Kind, Record, Severity};
use plan::log::Facility;

use crate::failure::Failure;
use standard::Standard;
use syslog::Syslog;

pub(crate) use writer::Writer;

/// How a line on a terminal begins; nothing where the text says it all.
fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error: ",
        Severity::Warning => "warning: ",
        Severity::Notice | Severity::Info => "",
        Severity::Debug => "debug: ",
    }
}

/// Somewhere to write lines to.
#[derive(Debug)]
pub(crate) enum Sink {
    /// Standard output and standard error.
    Standard(Standard),
    /// The system's log.
    Syslog(Syslog),
}

impl Sink {
    /// Opens what the configuration asks for. `to_stderr` (`-e`) sends everything to standard error instead.
    pub(crate) fn open(logging: &plan::Logging, to_stderr: bool) -> Result<Sink, Failure> {
        let standard = |requests_apart| {
            Standard::open(&logging.tag, requests_apart)
                .map(Sink::Standard)
                .map_err(|error| Failure::new(format!("cannot write to standard output: {error}")))
        };
        match logging.facility {
            _ if to_stderr => standard(false),
            Facility::Standard => standard(true),
            // A syslog that is not there is no reason not to serve: lines are dropped, counted, and it is tried again.
            Facility::Syslog(facility) => Ok(Sink::Syslog(Syslog::open(facility, &logging.tag))),
        }
    }

    /// Takes a line; it may wait in a buffer until [`Sink::flush`].
    fn write(&mut self, line: Record<'_>) {
        match self {
            Sink::Standard(standard) => standard.write(line),
            Sink::Syslog(syslog) => syslog.write(line),
        }
    }

    /// Writes what waits; returns how many lines were lost since the last call.
    fn flush(&mut self) -> u64 {
        match self {
            Sink::Standard(standard) => standard.flush(),
            Sink::Syslog(syslog) => syslog.lost(),
        }
    }

    /// Why the last line was lost that could not be written; `None` if the last try worked.
    fn fault(&self) -> Option<String> {
        match self {
            Sink::Standard(standard) => standard.fault(),
            Sink::Syslog(syslog) => syslog.fault(),
        }
    }

    /// What whoever starts us has to know of a log that takes nothing yet; one sentence.
    pub(crate) fn misgiving(&self) -> Option<String> {
        match self {
            Sink::Standard(_) => None,
            Sink::Syslog(syslog) => syslog.misgiving(),
        }
    }

    /// Writes one event now. For the time when there is no writer thread: before the start, and in the supervisor.
    pub(crate) fn event(&mut self, severity: Severity, text: &str) {
        self.write(Record { kind: Kind::Event, severity, text: text.as_bytes() });
        self.flush();
    }
}
