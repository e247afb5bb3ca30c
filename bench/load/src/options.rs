//! The command line of the load generator.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use lexopt::{Arg, ValueExt};

pub(crate) const HELP: &str = "\
Requests at a rate, in unusual shapes, over TLS or held idle, from one thread.

Usage: bench-load ADDRESS:PORT [OPTIONS]

  --connections N    clients at once (64)
  --warm-up-ms N     not counted before the window (500)
  --duration-ms N    the window that is counted (2000)
  --rate N           so many requests per second at set times, not each after the last answer;
                     latency counts from the set time, so waiting is not left out
  --path PATH        the target; {} becomes the number of the variant (/)
  --host NAME        the Host; {} becomes the number of the variant (bench.test)
  --field LINE       another field line, {} as above
  --variants N       numbers 0 to N-1, in an order that jumps (1)
  --in-turn          variants in their order and once each: the run ends after the last
  --upload BYTES     a POST with so long a body
  --chunked          the body in chunks of 4 KiB
  --close            a new connection for each request
  --hold             one request on each connection, then idle until standard input ends
  --tls FILE         TLS 1.3 with AES-128-GCM and X25519, from servers that the authority in FILE knows
                     as bench.test; every handshake a full one
  --resume           with --close: every handshake but the first ones goes on with an earlier session
  --nagle            leave Nagle's algorithm on, as ab(1) does, and write a request behind the end of the
                     handshake and not with it
  --flood N          with --rate and --tls: a window as long as the counted one in calm, and then, during
                     the counted one, N more clients that make a handshake and a request and go

Writes `begin` and `end` at the edges of the window, then one `name value` a line.
";

/// What the command line asks for.
#[derive(Clone)]
pub(crate) struct Options {
    pub(crate) address: SocketAddr,
    pub(crate) connections: usize,
    pub(crate) warm_up: Duration,
    pub(crate) duration: Duration,
    pub(crate) rate: Option<u64>,
    pub(crate) path: String,
    pub(crate) host: String,
    pub(crate) field: Option<String>,
    pub(crate) variants: u64,
    pub(crate) in_turn: bool,
    pub(crate) upload: u64,
    pub(crate) chunked: bool,
    pub(crate) close: bool,
    pub(crate) hold: bool,
    /// The authority that servers have to be known to; without one there is no TLS.
    pub(crate) tls: Option<PathBuf>,
    pub(crate) resume: bool,
    /// Small writes wait until the ones before them are acknowledged.
    pub(crate) nagle: bool,
    /// Clients of the flood; 0 for none.
    pub(crate) flood: usize,
}

/// Clients at once: each has a descriptor, a slot and a buffer.
const CONNECTIONS_MAX: usize = 20_000;

/// Reads the command line; nothing if only the help text is wanted.
pub(crate) fn parse() -> Result<Option<Options>, lexopt::Error> {
    let mut options = Options {
        address: SocketAddr::from(([127, 0, 0, 1], 0)),
        connections: 64,
        warm_up: Duration::from_millis(500),
        duration: Duration::from_secs(2),
        rate: None,
        path: "/".into(),
        host: "bench.test".into(),
        field: None,
        variants: 1,
        in_turn: false,
        upload: 0,
        chunked: false,
        close: false,
        hold: false,
        tls: None,
        resume: false,
        nagle: false,
        flood: 0,
    };
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Value(value) => options.address = value.parse()?,
            Arg::Long("connections") => options.connections = parser.value()?.parse()?,
            Arg::Long("warm-up-ms") => options.warm_up = Duration::from_millis(parser.value()?.parse()?),
            Arg::Long("duration-ms") => options.duration = Duration::from_millis(parser.value()?.parse()?),
            Arg::Long("rate") => options.rate = Some(parser.value()?.parse()?),
            Arg::Long("path") => options.path = parser.value()?.string()?,
            Arg::Long("host") => options.host = parser.value()?.string()?,
            Arg::Long("field") => options.field = Some(parser.value()?.string()?),
            Arg::Long("variants") => options.variants = parser.value()?.parse()?,
            Arg::Long("in-turn") => options.in_turn = true,
            Arg::Long("upload") => options.upload = parser.value()?.parse()?,
            Arg::Long("chunked") => options.chunked = true,
            Arg::Long("close") => options.close = true,
            Arg::Long("hold") => options.hold = true,
            Arg::Long("tls") => options.tls = Some(parser.value()?.into()),
            Arg::Long("resume") => options.resume = true,
            Arg::Long("nagle") => options.nagle = true,
            Arg::Long("flood") => options.flood = parser.value()?.parse()?,
            Arg::Short('h') | Arg::Long("help") => return Ok(None),
            other => return Err(other.unexpected()),
        }
    }
    if options.address.port() == 0 {
        return Err("which ADDRESS:PORT?".into());
    }
    if options.connections == 0 || options.connections > CONNECTIONS_MAX {
        return Err(format!("--connections: 1 to {CONNECTIONS_MAX}").into());
    }
    if options.flood > CONNECTIONS_MAX {
        return Err(format!("--flood: at most {CONNECTIONS_MAX}").into());
    }
    if options.flood > 0 && (options.tls.is_none() || options.rate.is_none()) {
        return Err("--flood goes with --tls and --rate: what it does to others is what it is for".into());
    }
    if options.resume && (options.tls.is_none() || !options.close) {
        return Err("--resume goes with --tls and --close: a kept connection makes one handshake".into());
    }
    if options.variants == 0 || options.rate == Some(0) {
        return Err("--variants and --rate: 1 or more".into());
    }
    Ok(Some(options))
}
