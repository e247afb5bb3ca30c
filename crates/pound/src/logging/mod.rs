//! Where log lines go once they have left the request path.
//!
//! The workers put finished lines into a bounded ring (`engine::log`); one thread here takes them out and writes. Only
//! this thread may wait for a slow disk or a stuck syslog: the ring overflows then, drops, and counts. What was lost,
//! there or here, is said in a line as soon as lines get through again.

mod file;
mod losses;
mod standard;
mod syslog;
mod writer;

use std::path::PathBuf;

use engine::log::{Kind, Record, Severity};
use nix::unistd::Uid;
use plan::log::Facility;

use crate::failure::Failure;
use file::LogFile;
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

/// What decides where lines go, besides the configuration.
#[derive(Debug, Clone, Default)]
pub(crate) struct Way {
    /// `-e`: all of them to standard error.
    pub(crate) to_stderr: bool,
    /// Standard error is somebody's terminal until we serve, and nobody's afterwards.
    pub(crate) in_background: bool,
    /// Who serves, if the configuration says so.
    pub(crate) owner: Option<Uid>,
    /// The jail of those who serve, if there is one.
    pub(crate) jail: Option<PathBuf>,
}

/// Somewhere to write lines to.
#[derive(Debug)]
pub(crate) enum Sink {
    /// Standard output and standard error.
    Standard(Standard),
    /// A file (`LogFile`).
    File(LogFile),
    /// The system's log, and what takes its lines while it does not.
    Syslog(Syslog, Option<Deputy>),
}

/// Takes the lines that syslog does not.
#[derive(Debug)]
pub(crate) struct Deputy {
    stream: Standard,
    /// How many it has taken since syslog last worked.
    taken: u64,
}

impl Sink {
    /// Opens what the configuration asks for. To be called as root and outside of a jail.
    pub(crate) fn open(logging: &plan::Logging, way: &Way) -> Result<Sink, Failure> {
        let standard = |requests_apart| {
            Standard::open(&logging.tag, requests_apart)
                .map(Sink::Standard)
                .map_err(|error| Failure::new(format!("cannot write to standard output: {error}")))
        };
        match (&logging.file, logging.facility) {
            _ if way.to_stderr => standard(false),
            (Some(path), _) => LogFile::open(path, &logging.tag, way).map(Sink::File),
            (None, Facility::Standard) => standard(true),
            // A syslog that is not there is no reason not to serve: it is tried again, and its lines go elsewhere if there is
            // an elsewhere that somebody reads; if not, they are dropped and counted.
            (None, Facility::Syslog(facility)) => {
                let syslog = Syslog::open(facility, &logging.tag);
                Ok(Sink::Syslog(syslog, Deputy::find(&logging.tag, way)))
            }
        }
    }

    /// Takes a line; it may wait in a buffer until [`Sink::flush`].
    fn write(&mut self, line: Record<'_>) {
        match self {
            Sink::Standard(standard) => standard.write(line),
            Sink::File(file) => file.lines.write(line),
            Sink::Syslog(syslog, None) => syslog.write(line),
            Sink::Syslog(syslog, Some(deputy)) => {
                if syslog.send(line) {
                    deputy.dismiss(syslog);
                } else {
                    deputy.write(line, syslog.fault().as_deref());
                }
            }
        }
    }

    /// Writes what waits; returns how many lines were lost since the last call.
    fn flush(&mut self) -> u64 {
        match self {
            Sink::Standard(standard) => standard.flush(),
            Sink::File(file) => file.lines.flush(),
            Sink::Syslog(syslog, deputy) => {
                syslog.look();
                let mut lost = syslog.lost();
                if let Some(deputy) = deputy {
                    deputy.dismiss(syslog);
                    lost += deputy.stream.flush();
                }
                lost
            }
        }
    }

    /// Why the last line was lost that could not be written; `None` if the last try worked.
    fn fault(&self) -> Option<String> {
        match self {
            Sink::Standard(standard) => standard.fault(),
            Sink::File(file) => file.lines.fault(),
            Sink::Syslog(syslog, None) => syslog.fault(),
            Sink::Syslog(_, Some(deputy)) => deputy.stream.fault(),
        }
    }

    /// What whoever starts us has to know of a log that takes nothing yet.
    pub(crate) fn misgiving(&self, way: &Way) -> Option<String> {
        match self {
            Sink::Standard(_) | Sink::File(_) => None,
            Sink::Syslog(syslog, deputy) => syslog.misgiving(deputy.is_some(), way.jail.as_deref()),
        }
    }

    /// Whether a daemon's standard error is still to be read once it serves.
    pub(crate) fn keeps_streams(&self) -> bool {
        matches!(self, Sink::Standard(_))
    }

    /// Opens the log again, as after somebody has moved its file away (SIGUSR1), and says in the log how that went.
    /// `in_jail`: this process has entered it.
    pub(crate) fn reopen(&mut self, in_jail: bool) {
        let (severity, text) = match self {
            Sink::Standard(_) => (
                Severity::Notice,
                "USR1: the log goes to standard output or standard error, which pound cannot open again; a file that \
                 LogFile names can be moved away, or let logrotate use copytruncate"
                    .to_owned(),
            ),
            Sink::File(file) => match file.reopen(in_jail) {
                Ok(sentence) => (Severity::Notice, format!("USR1: {sentence}")),
                Err(sentence) => (Severity::Error, format!("USR1: {sentence}")),
            },
            Sink::Syslog(syslog, _) => match syslog.reconnect() {
                Ok(sentence) => (Severity::Notice, format!("USR1: {sentence}")),
                Err(sentence) => (Severity::Warning, format!("USR1: {sentence}")),
            },
        };
        self.write(Record { kind: Kind::Event, severity, text: text.as_bytes() });
    }

    /// The same for the supervisor, and for a process that begins: nothing is said unless it fails.
    pub(crate) fn renew(&mut self) {
        if let Sink::File(file) = self
            && let Err(sentence) = file.reopen(false)
        {
            self.event(Severity::Error, &sentence);
        }
    }

    /// Writes one event now. For the time when there is no writer thread: before the start, and in the supervisor.
    pub(crate) fn event(&mut self, severity: Severity, text: &str) {
        self.write(Record { kind: Kind::Event, severity, text: text.as_bytes() });
        self.flush();
    }
}

impl Deputy {
    /// Standard error, if there is somebody who reads it: whoever runs us in the foreground, or a file that it was
    /// redirected to.
    fn find(tag: &str, way: &Way) -> Option<Deputy> {
        let stream = Standard::open(tag, false).ok()?;
        let read = !way.in_background || stream.is_file();
        read.then_some(Deputy { stream, taken: 0 })
    }

    fn write(&mut self, line: Record<'_>, fault: Option<&str>) {
        if self.taken == 0 {
            let fault = fault.unwrap_or("syslog takes no lines");
            self.say(&format!("{fault}; log lines come here until that works"));
        }
        self.taken += 1;
        self.stream.write(line);
    }

    /// Says in both logs that syslog works again, if it does and has not been told yet.
    fn dismiss(&mut self, syslog: &mut Syslog) {
        if self.taken == 0 || syslog.fault().is_some() {
            return;
        }
        let text = format!("{} log lines went to standard error while nobody took them here", self.taken);
        let line = Record { kind: Kind::Event, severity: Severity::Warning, text: text.as_bytes() };
        if syslog.send(line) {
            self.say("log lines go to syslog again");
            self.taken = 0;
        }
    }

    fn say(&mut self, text: &str) {
        self.stream.write(Record { kind: Kind::Event, severity: Severity::Warning, text: text.as_bytes() });
    }
}
