//! The system's log, over `/dev/log`.
//!
//! One datagram a line: `<priority>Mmm dd hh:mm:ss tag[pid]: text`, the framing that local log daemons have taken since
//! 4.3BSD (RFC 3164 section 4.1 without the host name, which they know). A daemon that is down, stuck or restarted is
//! never waited for longer than [`PATIENCE_MS`]; what it did not take is counted.

use std::io::ErrorKind;
use std::os::fd::AsFd;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use engine::log::Record;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::process::pid_file::reason;

/// Where local log daemons listen.
const SOCKET: &str = "/dev/log";
/// Longest datagram: what rsyslog and journald take without being told to take more; the rest of a line is cut.
const DATAGRAM_BYTES: usize = 8 * 1024;
/// How long a full queue is waited for. It holds few datagrams (10 on old kernels), so a burst fills it while the
/// daemon is well; one that is stuck costs this once a [`RETRY`], and the ring behind us fills meanwhile.
const PATIENCE_MS: u16 = 200;
/// How often a daemon that was not there, or was stuck, is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// A connection to the log daemon.
#[derive(Debug)]
pub(crate) struct Syslog {
    path: PathBuf,
    socket: Option<UnixDatagram>,
    /// Nothing is tried before this.
    pause: Option<Instant>,
    facility: u8,
    tag: String,
    /// Read once, outside a jail: the files that describe it are seldom inside.
    zone: TimeZone,
    datagram: Vec<u8>,
    lost: u64,
    /// Why the last try failed; `None` if it did not.
    fault: Option<String>,
}

impl Syslog {
    /// Connects if it can. To be called outside a jail: a connection goes on inside it, until the daemon is restarted;
    /// after that `/dev/log` must be there inside the jail.
    pub(crate) fn open(facility: u8, tag: &str) -> Syslog {
        Syslog::open_at(SOCKET.into(), facility, tag)
    }

    fn open_at(path: PathBuf, facility: u8, tag: &str) -> Syslog {
        let mut syslog = Syslog {
            path,
            socket: None,
            pause: None,
            facility,
            tag: tag.to_owned(),
            zone: TimeZone::system(),
            datagram: Vec::with_capacity(DATAGRAM_BYTES),
            lost: 0,
            fault: None,
        };
        syslog.connect();
        syslog
    }

    /// Sends a line, or counts it.
    pub(crate) fn write(&mut self, line: Record<'_>) {
        if !self.send(line) {
            self.lost += 1;
        }
    }

    /// Tries again to connect if it is time to: lines may not come for hours, and the log counts those that were lost as
    /// soon as somebody listens.
    pub(crate) fn look(&mut self) {
        if self.socket.is_none() && self.pause.is_none_or(|end| Instant::now() >= end) {
            self.connect();
            self.pause = self.socket.is_none().then(|| Instant::now() + RETRY);
        }
    }

    /// Connects anew, whatever there was before.
    ///
    /// # Errors
    /// A sentence.
    pub(crate) fn reconnect(&mut self) -> Result<String, String> {
        self.pause = None;
        self.connect();
        match self.fault() {
            None => Ok(format!("connected to {} anew", self.path.display())),
            Some(fault) => Err(fault),
        }
    }

    /// How many lines were lost since the last call.
    pub(crate) fn lost(&mut self) -> u64 {
        std::mem::take(&mut self.lost)
    }

    fn connect(&mut self) {
        let connected = UnixDatagram::unbound().and_then(|socket| {
            socket.set_nonblocking(true)?;
            socket.connect(&self.path)?;
            Ok(socket)
        });
        self.fault = connected.as_ref().err().map(reason);
        self.socket = connected.ok();
    }

    /// Why the last line could not be sent, if it could not.
    pub(crate) fn fault(&self) -> Option<String> {
        let fault = self.fault.as_ref()?;
        Some(format!("cannot write to {}: {fault}", self.path.display()))
    }

    /// What to say at the start if nobody takes lines. `elsewhere`: standard error takes them meanwhile.
    pub(crate) fn misgiving(&self, elsewhere: bool, jail: Option<&Path>) -> Option<String> {
        let fault = self.fault.as_ref()?;
        let path = self.path.display();
        let (what, until) = match self.path.exists() {
            true => (format!("nobody takes log lines at {path} ({fault})"), "somebody does"),
            false => (format!("there is no {path}"), "there is"),
        };
        let within = jail.map(|jail| format!(" inside of {}", jail.display())).unwrap_or_default();
        Some(match elsewhere {
            true => format!(
                "{what}, so the log goes to standard error until {until}{within}; to choose a place, use LogFile \
                 \"/var/log/pound.log\", \"LogFacility -\" or -e"
            ),
            false => format!(
                "{what}, so nothing will be logged until {until}{within}: no request, no refusal and no dead back-end \
                 leaves a trace. Start a syslog daemon, or name a file with LogFile \"/var/log/pound.log\""
            ),
        })
    }

    /// Sends a line; false if nobody took it.
    pub(crate) fn send(&mut self, line: Record<'_>) -> bool {
        if let Some(end) = self.pause {
            if Instant::now() < end {
                return false;
            }
            self.pause = None;
        }
        let stamp = stamp(SystemTime::now(), &self.zone);
        // Asked each time: the process that opened the connection may have forked since.
        frame(&mut self.datagram, self.facility, &stamp, &self.tag, std::process::id(), line);
        // The second turn is for a daemon that was restarted: the old connection is dead, a new one may work at once.
        for _ in 0..2 {
            if self.socket.is_none() {
                self.connect();
            }
            let Some(socket) = &self.socket else { break };
            match socket.send(&self.datagram) {
                Ok(_) => {
                    self.fault = None;
                    return true;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if !has_room(socket) {
                        self.fault = Some("its reader is stuck".to_owned());
                        break;
                    }
                }
                Err(error) => {
                    self.fault = Some(reason(&error));
                    self.socket = None;
                }
            }
        }
        self.pause = Some(Instant::now() + RETRY);
        false
    }
}

/// Waits a little for the daemon to take something out of its queue.
fn has_room(socket: &UnixDatagram) -> bool {
    let mut watched = [PollFd::new(socket.as_fd(), PollFlags::POLLOUT)];
    matches!(poll(&mut watched, PollTimeout::from(PATIENCE_MS)), Ok(ready) if ready > 0)
}

/// Writes the datagram for a line.
fn frame(datagram: &mut Vec<u8>, facility: u8, stamp: &str, tag: &str, pid: u32, line: Record<'_>) {
    datagram.clear();
    let priority = u32::from(facility) * 8 + line.severity as u32;
    datagram.extend_from_slice(format!("<{priority}>{stamp} {tag}[{pid}]: ").as_bytes());
    let room = DATAGRAM_BYTES.saturating_sub(datagram.len());
    datagram.extend_from_slice(&line.text[..line.text.len().min(room)]);
}

/// `Mmm dd hh:mm:ss` in local time, the day padded with a blank (RFC 3164 section 4.1.2).
fn stamp(now: SystemTime, zone: &TimeZone) -> String {
    // A clock outside of the years that can be written is wrong anyhow; the daemon has its own.
    let now = Timestamp::try_from(now).unwrap_or(Timestamp::UNIX_EPOCH);
    now.to_zoned(zone.clone()).strftime("%b %e %H:%M:%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::log::{Kind, Severity};

    fn line(text: &str) -> Record<'_> {
        Record { kind: Kind::Access, severity: Severity::Info, text: text.as_bytes() }
    }

    fn received(daemon: &UnixDatagram) -> String {
        let mut buffer = vec![0; 2 * DATAGRAM_BYTES];
        let size = daemon.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..size].to_vec()).unwrap()
    }

    #[test]
    fn frames_as_local_daemons_expect() {
        let check = |facility, severity, text: &str, expect: &str| {
            let mut datagram = Vec::new();
            let line = Record { kind: Kind::Event, severity, text: text.as_bytes() };
            frame(&mut datagram, facility, "Nov  2 09:03:00", "pound", 7, line);
            assert_eq!(String::from_utf8(datagram).unwrap(), expect);
        };
        check(3, Severity::Info, "GET / - 200", "<30>Nov  2 09:03:00 pound[7]: GET / - 200");
        check(16, Severity::Error, "x", "<131>Nov  2 09:03:00 pound[7]: x");
        check(23, Severity::Debug, "", "<191>Nov  2 09:03:00 pound[7]: ");
    }

    #[test]
    fn stamps_in_local_time_with_the_day_padded() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        assert_eq!(stamp(at(1_793_610_180), &TimeZone::UTC), "Nov  2 09:03:00");
        let east = TimeZone::fixed(jiff::tz::offset(2));
        assert_eq!(stamp(at(1_793_610_180), &east), "Nov  2 11:03:00");
        assert_eq!(stamp(at(0), &TimeZone::UTC), "Jan  1 00:00:00");
    }

    #[test]
    fn a_line_longer_than_a_datagram_is_cut() {
        let mut datagram = Vec::new();
        frame(&mut datagram, 3, "Nov  2 09:03:00", "pound", 7, line(&"x".repeat(2 * DATAGRAM_BYTES)));
        assert_eq!(datagram.len(), DATAGRAM_BYTES);
    }

    #[test]
    fn a_daemon_that_is_restarted_gets_the_next_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let daemon = UnixDatagram::bind(&path).unwrap();
        let mut syslog = Syslog::open_at(path.clone(), 3, "pound");
        syslog.write(line("one"));
        assert!(received(&daemon).ends_with(&format!(" pound[{}]: one", std::process::id())));

        drop(daemon);
        std::fs::remove_file(&path).unwrap();
        let daemon = UnixDatagram::bind(&path).unwrap();
        syslog.write(line("two"));
        assert!(received(&daemon).ends_with(": two"));
        assert_eq!(syslog.lost(), 0);
    }

    #[test]
    fn a_daemon_that_is_away_costs_lines_and_is_tried_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut syslog = Syslog::open_at(path.clone(), 3, "pound");
        syslog.write(line("lost"));
        syslog.write(line("lost too, without another try"));
        assert_eq!(syslog.lost(), 2);
        let place = path.display();
        assert_eq!(syslog.fault(), Some(format!("cannot write to {place}: No such file or directory")));
        let misgiving = syslog.misgiving(false, None).unwrap();
        assert!(
            misgiving.starts_with(&format!("there is no {place}, so nothing will be logged")),
            "{misgiving}"
        );
        let daemon = UnixDatagram::bind(&path).unwrap();
        // The time of the next try comes.
        syslog.pause = Some(Instant::now());
        syslog.write(line("here"));
        assert!(received(&daemon).ends_with(": here"));
        assert_eq!((syslog.lost(), syslog.fault(), syslog.misgiving(false, None)), (0, None, None));
    }

    #[test]
    fn a_daemon_that_is_stuck_is_waited_for_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let _daemon = UnixDatagram::bind(&path).unwrap();
        let mut syslog = Syslog::open_at(path, 3, "pound");
        let begun = Instant::now();
        // More than any queue of datagrams holds: the send buffer has room for a few hundred of this length.
        for _ in 0..2000 {
            syslog.write(line(&"x".repeat(1000)));
        }
        assert!(syslog.lost() > 0);
        // Each try waits once for PATIENCE_MS, and there is one try a RETRY.
        assert!(begun.elapsed() < RETRY, "{:?}", begun.elapsed());
    }
}
