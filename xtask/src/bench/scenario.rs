//! The scenarios: what is asked for, of which configuration, and which figure decides.

/// Which figure a scenario is about; smaller is better in all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Figure {
    /// Processor time per request.
    Request,
    /// Processor time per connection with a handshake of TLS and one request.
    Handshake,
    /// Processor time per GiB of bodies.
    Gibibyte,
    /// Latency, at a rate that leaves the proxy idle at times.
    Latency,
    /// Latency on kept connections while others make handshakes as fast as they can.
    Flooded,
    /// Memory per connection held idle.
    Connection,
    /// Time from the start to the first answer.
    Start,
}

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Load {
    /// wrk with so many connections, each asking for `path` again and again.
    Wrk { connections: u32, path: &'static str, close: bool },
    /// Our generator with these words.
    Own(&'static str),
    /// Our generator at 70 % of the requests per second that this proxy managed in `small-64`.
    Paced,
    /// The same for all: 70 % of what the best peer managed there.
    PacedAlike,
    /// So many connections held idle, or as many as the descriptors allow.
    Hold(u32),
    /// A million requests of a million sessions to fill the table, then requests of those sessions.
    Sessions,
    /// Nothing but the start.
    Nothing,
}

/// How services are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Services {
    One,
    Host(u32),
    Path(u32),
    Regex(u32),
    Sessions,
}

/// One line of the plan.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scenario {
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    pub(super) figure: Figure,
    pub(super) load: Load,
    pub(super) services: Services,
    pub(super) log: &'static str,
    /// Over TLS, and with which certificate.
    pub(super) tls: Option<Certificate>,
}

/// The key of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Certificate {
    /// P-256.
    Ecdsa,
    /// 2048 bits.
    Rsa,
}

impl Certificate {
    /// What its files are called.
    pub(super) fn name(self) -> &'static str {
        match self {
            Certificate::Ecdsa => "ecdsa",
            Certificate::Rsa => "rsa",
        }
    }
}

/// A small answer on some kept connections: the scenario that most others are variants of.
const SMALL: Scenario = Scenario {
    name: "small-64",
    title: "A small answer, 64 kept connections",
    figure: Figure::Request,
    load: Load::Wrk { connections: 64, path: "/", close: false },
    services: Services::One,
    log: "log-off",
    tls: None,
};

const fn small(name: &'static str, title: &'static str, load: Load) -> Scenario {
    Scenario { name, title, load, ..SMALL }
}

const fn large(name: &'static str, title: &'static str, load: Load) -> Scenario {
    Scenario { name, title, load, figure: Figure::Gibibyte, ..SMALL }
}

const fn secure(
    name: &'static str,
    title: &'static str,
    figure: Figure,
    certificate: Certificate,
    load: Load,
) -> Scenario {
    Scenario { name, title, figure, load, tls: Some(certificate), ..SMALL }
}

const fn logged(name: &'static str, title: &'static str, log: &'static str) -> Scenario {
    Scenario { name, title, log, ..SMALL }
}

const fn routed(name: &'static str, title: &'static str, services: Services, load: &'static str) -> Scenario {
    Scenario { name, title, services, load: Load::Own(load), ..SMALL }
}

const fn wrk(connections: u32, path: &'static str) -> Load {
    Load::Wrk { connections, path, close: false }
}

/// All of them, in the order of the report. `small-64` stands first: the paced ones build on it.
pub(super) const SCENARIOS: [Scenario; 32] = [
    SMALL,
    small("small-1000", "A small answer, 1,000 kept connections", wrk(1000, "/")),
    small(
        "new-connection",
        "A new connection for each request",
        Load::Wrk { connections: 64, path: "/", close: true },
    ),
    logged("log-file", "A small answer, combined access log to a file", "log-file"),
    logged("log-syslog", "A small answer, combined access log to syslog", "log-syslog"),
    small("answer-16k", "An answer of 16 KiB", wrk(64, "/bytes/16384")),
    large("answer-1m", "An answer of 1 MiB", wrk(16, "/bytes/1048576")),
    large("answer-100m", "An answer of 100 MiB", wrk(4, "/bytes/104857600")),
    large(
        "upload-100m",
        "An upload of 100 MiB",
        Load::Own("--connections 4 --upload 104857600 --path /upload"),
    ),
    small(
        "chunked",
        "16 KiB in chunks, both ways",
        Load::Own("--upload 16384 --chunked --path /chunked/16384"),
    ),
    Scenario {
        figure: Figure::Latency,
        ..small("paced", "Latency at 70 % of its own saturation", Load::Paced)
    },
    Scenario {
        figure: Figure::Latency,
        ..small("paced-alike", "Latency at the same load for all", Load::PacedAlike)
    },
    Scenario {
        figure: Figure::Connection,
        ..small("idle-10000", "10,000 idle kept connections", Load::Hold(10_000))
    },
    routed("hosts-10", "10 services by host", Services::Host(10), "--variants 10 --host h{}.bench.test"),
    routed(
        "hosts-1000",
        "1,000 services by host",
        Services::Host(1000),
        "--variants 1000 --host h{}.bench.test",
    ),
    routed(
        "hosts-10000",
        "10,000 services by host",
        Services::Host(10_000),
        "--variants 10000 --host h{}.bench.test",
    ),
    routed("paths-10", "10 services by path prefix", Services::Path(10), "--variants 10 --path /p{}/page"),
    routed(
        "paths-1000",
        "1,000 services by path prefix",
        Services::Path(1000),
        "--variants 1000 --path /p{}/page",
    ),
    routed(
        "paths-10000",
        "10,000 services by path prefix",
        Services::Path(10_000),
        "--variants 10000 --path /p{}/page",
    ),
    routed(
        "regexes-10",
        "10 services by regular expression",
        Services::Regex(10),
        "--variants 10 --path /r{}/page",
    ),
    routed(
        "regexes-1000",
        "1,000 services by regular expression",
        Services::Regex(1000),
        "--variants 1000 --path /r{}/page",
    ),
    routed(
        "regexes-10000",
        "10,000 services by regular expression",
        Services::Regex(10_000),
        "--variants 10000 --path /r{}/page",
    ),
    Scenario {
        services: Services::Sessions,
        ..small("sessions-1m", "A table of 1,000,000 sessions", Load::Sessions)
    },
    secure(
        "tls-small",
        "TLS: a small answer, 64 kept connections",
        Figure::Request,
        Certificate::Ecdsa,
        Load::Own("--connections 64"),
    ),
    secure(
        "tls-ecdsa",
        "TLS: a full handshake for each request, ECDSA P-256",
        Figure::Handshake,
        Certificate::Ecdsa,
        Load::Own("--connections 32 --close"),
    ),
    secure(
        "tls-rsa",
        "TLS: a full handshake for each request, RSA 2048",
        Figure::Handshake,
        Certificate::Rsa,
        Load::Own("--connections 32 --close"),
    ),
    secure(
        "tls-resumed",
        "TLS: a resumed handshake for each request",
        Figure::Handshake,
        Certificate::Ecdsa,
        Load::Own("--connections 32 --close --resume"),
    ),
    secure(
        "tls-nagle",
        "TLS: the first answer to clients that leave Nagle's algorithm on",
        Figure::Latency,
        Certificate::Ecdsa,
        Load::Own("--connections 1 --close --nagle"),
    ),
    secure(
        "tls-answer-1m",
        "TLS: an answer of 1 MiB",
        Figure::Gibibyte,
        Certificate::Ecdsa,
        Load::Own("--connections 16 --path /bytes/1048576"),
    ),
    secure(
        "tls-flood",
        "TLS: 1,000 requests a second on kept connections during a flood of RSA handshakes",
        Figure::Flooded,
        Certificate::Rsa,
        Load::Own("--connections 16 --rate 1000 --flood 64"),
    ),
    secure(
        "tls-idle-10000",
        "TLS: 10,000 idle kept connections",
        Figure::Connection,
        Certificate::Ecdsa,
        Load::Hold(10_000),
    ),
    Scenario { figure: Figure::Start, ..small("start", "Start-up", Load::Nothing) },
];

/// Those whose figures are compared with each other. The machine is not equally fast for long, so in each round a
/// proxy runs all of a group, one after the other.
const GROUPS: [&[&str]; 4] = [
    &["small-64", "log-file", "log-syslog"],
    &["hosts-10", "hosts-1000", "hosts-10000"],
    &["paths-10", "paths-1000", "paths-10000"],
    &["regexes-10", "regexes-1000", "regexes-10000"],
];

/// The chosen scenarios as they run: a group stands where the first of it stood, all others for themselves.
pub(super) fn in_groups(chosen: &[&'static Scenario]) -> Vec<Vec<&'static Scenario>> {
    let group_of = |scenario: &Scenario| GROUPS.iter().position(|group| group.contains(&scenario.name));
    let mut groups: Vec<Vec<&'static Scenario>> = Vec::new();
    for scenario in chosen {
        let group = group_of(scenario);
        match groups.iter_mut().find(|others| group.is_some() && group_of(others[0]) == group) {
            Some(others) => others.push(scenario),
            None => groups.push(vec![scenario]),
        }
    }
    groups
}

impl Scenario {
    /// The flags that the templates of the peers see; the scenario's own name is one of them.
    pub(super) fn flags(&self) -> Vec<String> {
        let services: &[&str] = match self.services {
            Services::One => &["one-service"],
            Services::Host(_) => &["services", "services-host"],
            Services::Path(_) => &["services", "services-path"],
            Services::Regex(_) => &["services", "services-regex"],
            Services::Sessions => &["sessions"],
        };
        let tls = if self.tls.is_some() { "tls" } else { "plain" };
        [self.name, self.log, tls].iter().chain(services).map(|flag| (*flag).to_owned()).collect()
    }

    /// How many services there are.
    pub(super) fn count(&self) -> u32 {
        match self.services {
            Services::Host(count) | Services::Path(count) | Services::Regex(count) => count,
            Services::One | Services::Sessions => 1,
        }
    }

    /// A request that any proxy set up for this scenario answers.
    pub(super) fn probe(&self) -> String {
        let (path, host) = match self.services {
            Services::Host(_) => ("/", "h0.bench.test"),
            Services::Path(_) => ("/p0/page", "bench.test"),
            Services::Regex(_) => ("/r0/page", "bench.test"),
            Services::One | Services::Sessions => ("/", "bench.test"),
        };
        format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique() {
        let names: std::collections::BTreeSet<_> = SCENARIOS.iter().map(|scenario| scenario.name).collect();
        assert_eq!(names.len(), SCENARIOS.len());
        assert!(GROUPS.iter().flat_map(|group| *group).all(|name| names.contains(name)));
    }

    #[test]
    fn what_is_compared_runs_together_where_the_first_of_it_stood() {
        let chosen: Vec<&Scenario> = SCENARIOS
            .iter()
            .filter(|scenario| {
                ["small-64", "start", "hosts-10", "paced", "log-file", "hosts-10000"].contains(&scenario.name)
            })
            .collect();
        let names: Vec<Vec<&str>> = in_groups(&chosen)
            .iter()
            .map(|group| group.iter().map(|scenario| scenario.name).collect())
            .collect();
        let expected: [&[&str]; 4] =
            [&["small-64", "log-file"], &["paced"], &["hosts-10", "hosts-10000"], &["start"]];
        assert_eq!(names, expected);
    }
}
