//! Back-ends and how a service spreads requests over them.

use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;

use crate::session::Session;
use crate::times::Times;
use crate::tls::BackendTls;

/// Where a back-end listens.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum BackendAddress {
    /// A numeric address and port.
    Inet(IpAddr, u16),
    /// A host name, resolved when the plan is made ready to run, and a port.
    Name(String, u16),
    /// A Unix stream socket.
    Unix(PathBuf),
}

impl fmt::Display for BackendAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BackendAddress::Inet(IpAddr::V4(ip), port) => write!(f, "{ip}:{port}"),
            BackendAddress::Inet(IpAddr::V6(ip), port) => write!(f, "[{ip}]:{port}"),
            BackendAddress::Name(name, port) => write!(f, "{name}:{port}"),
            BackendAddress::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

/// One server behind us.
#[derive(Debug)]
pub struct Backend {
    /// Index into `Plan::backends`.
    pub id: usize,
    /// The name of a named back-end (`Backend "name"` at top level).
    pub name: Option<String>,
    /// Where in which file it stands: `pound.cfg:20.3-23.5`.
    pub locus: String,
    /// Where it listens.
    pub address: BackendAddress,
    /// How long it may take for what; a service may say otherwise, see [`BackendSet::times`].
    pub times: Times,
    /// Requests in a row without an answer after which it is left out for a while (`MaxFails`); `None` if it never is.
    pub fails_max: Option<NonZeroU32>,
    /// Starts out of rotation (`Disabled`).
    pub disabled: bool,
    /// How TLS is spoken with it; `None` for plain HTTP.
    pub tls: Option<BackendTls>,
    /// What of its answers is put right instead of being refused (`Tolerant`).
    pub tolerance: Tolerance,
}

/// Breaches of HTTP in a back-end's answers that are put right (`Tolerant`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tolerance {
    /// `bare-lf`: lines of a head that end with LF alone.
    pub bare_lf: bool,
    /// `fold`: fields over several lines.
    pub folds: bool,
    /// `colon-blank`: blanks before the colon of Content-Length and Transfer-Encoding; of other fields they always are.
    pub colon_blanks: bool,
    /// `chunk-blank`: blanks behind a chunk size.
    pub chunk_blanks: bool,
    /// `equal-length`: Content-Length several times, and equal.
    pub equal_lengths: bool,
    /// `identity`: the transfer coding of that name.
    pub identity: bool,
}

impl Tolerance {
    /// All of them.
    pub const ALL: Tolerance = Tolerance {
        bare_lf: true,
        folds: true,
        colon_blanks: true,
        chunk_blanks: true,
        equal_lengths: true,
        identity: true,
    };
}

impl fmt::Display for Tolerance {
    /// As in a file, with commas.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = [
            (self.bare_lf, "bare-lf"),
            (self.folds, "fold"),
            (self.colon_blanks, "colon-blank"),
            (self.chunk_blanks, "chunk-blank"),
            (self.equal_lengths, "equal-length"),
            (self.identity, "identity"),
        ];
        let words: Vec<&str> = words.iter().filter(|(on, _)| *on).map(|(_, word)| *word).collect();
        f.write_str(&words.join(","))
    }
}

/// How one back-end is chosen among several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Balancer {
    /// At random, weighted by priority.
    Random,
    /// Interleaved weighted round robin: exact shares.
    Iwrr,
}

/// A back-end as one service uses it.
#[derive(Debug, Clone)]
pub struct Member {
    /// The server.
    pub backend: Arc<Backend>,
    /// Share of the traffic relative to the other members, 1 to 65535.
    pub priority: u16,
}

/// Back-ends that are tried together; a later group only when no earlier one has a living member.
#[derive(Debug)]
pub struct Group {
    /// Rank: 0 are the ordinary back-ends, [`Group::EMERGENCY`] those of `Emergency`.
    pub number: u16,
    /// Never empty.
    pub members: Vec<Member>,
}

impl Group {
    /// The last resort.
    pub const EMERGENCY: u16 = u16::MAX;
}

/// All back-ends of one service.
#[derive(Debug)]
pub struct BackendSet {
    /// By ascending number.
    pub groups: Vec<Group>,
    /// How one of a group is chosen.
    pub balancer: Balancer,
    /// What this service says of the times of back-ends that stand outside of it: index into `Plan::backends`, and the
    /// times. The rest have [`Backend::times`].
    pub times: Vec<(usize, Times)>,
    /// What ties a client to one back-end, if anything does.
    pub session: Option<Session>,
}

impl BackendSet {
    /// How long this back-end may take for what when it serves this service.
    pub fn times(&self, backend: &Backend) -> Times {
        self.times.iter().find(|(id, _)| *id == backend.id).map_or(backend.times, |(_, times)| *times)
    }
}
