//! The rounds: every proxy in its turn, started anew, loaded, looked at and ended.

use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use super::load::{Loader, Outcome};
use super::options::Options;
use super::origin;
use super::pace;
use super::peer::Peer;
use super::proxy::{Process, Proxy, answers};
use super::quiet::{self, Span};
use super::results::{Results, Run};
use super::scenario::{Certificate, Figure, Load, Scenario, Services};
use super::syslog::Sink;
use super::system;
use super::template::Values;
use crate::Failure;
use crate::command::say;
use crate::workspace::Workspace;

/// How often a disturbed turn is measured again.
const TRIES: u32 = 3;

/// Ports for listeners: below those that the kernel gives to clients, or a client may sit on one.
const PORTS: std::ops::Range<u16> = 21_000..31_000;

/// Descriptors that a proxy needs beside those of connections.
const DESCRIPTORS_SPARE: u32 = 500;

/// Times the rounds of others that latency is measured: tails differ most from round to round.
const ROUNDS_OF_LATENCY: u32 = 2;

/// A scenario while its group is measured.
struct Course<'a> {
    scenario: &'a Scenario,
    /// Names of those who can do it and have not failed yet.
    taking_part: Vec<String>,
    /// Where the log goes, if it goes to syslog.
    sink: Option<Sink>,
    rounds: u32,
    patience: Duration,
}

/// Everything that runs as long as the command.
pub(super) struct Bench<'a> {
    options: &'a Options,
    peers: Vec<Peer>,
    folder: PathBuf,
    /// Those that this program may use when nothing is measured.
    processors: Vec<u32>,
    proxy_core: u32,
    loader: Loader,
    origin: Process,
    origin_port: u16,
    /// What is measured, in the terms of git; nothing where that cannot tell.
    commit: Option<String>,
}

impl<'a> Bench<'a> {
    /// Takes two processors and starts the origin.
    pub(super) fn begin(
        workspace: &Workspace,
        options: &'a Options,
        peers: Vec<Peer>,
    ) -> Result<Self, Failure> {
        let processors = system::processors();
        let (proxy_core, load_core) = match processors.as_slice() {
            [proxy, load, ..] => (*proxy, *load),
            // Enough to see that everything runs.
            [only] if options.quick => (*only, *only),
            _ => {
                return Err(Failure::new(
                    "one processor is not enough: the proxy needs one, the load another",
                ));
            }
        };
        let release = workspace.target.join("release");
        let certificates = workspace.target.join("bench/certificates");
        crate::command::run(Command::new(release.join("bench-certificates")).arg(&certificates))?;
        // This program's own work is done beside the load, not beside the proxy.
        stay_on(&[load_core])?;
        let origin_port = free_port()?;
        let addresses = ["127.0.0.1", "127.0.0.2"].map(|address| format!("{address}:{origin_port}"));
        let origin = origin::start(&release, load_core, &addresses)?;
        Ok(Bench {
            options,
            peers,
            folder: workspace.target.join("bench/run"),
            processors,
            proxy_core,
            loader: Loader {
                generator: release.join("bench-load"),
                script: workspace.root.join("bench/wrk.lua"),
                core: load_core,
                certificates,
            },
            origin,
            origin_port,
            commit: commit(workspace),
        })
    }

    /// Runs a group of scenarios: round by round, and in a round proxy by proxy, each with all of them.
    pub(super) fn group(&self, group: &[&Scenario], results: &mut Results) {
        let mut courses: Vec<Course<'_>> =
            group.iter().map(|scenario| self.course(scenario, results)).collect();
        if let [_, _, ..] = group {
            let names: Vec<&str> = group.iter().map(|scenario| scenario.name).collect();
            for name in &names {
                results.note(&format!("interleaved {name}"), &names.join(" "));
            }
        }
        for round in 1..=courses.iter().map(|course| course.rounds).max().unwrap_or(0) {
            for peer in &self.peers {
                for course in &mut courses {
                    if round <= course.rounds && course.taking_part.contains(&peer.name) {
                        self.turn_of(course, peer, round, results);
                    }
                }
            }
        }
    }

    /// Forgets what was known of a scenario and sees who can do it.
    fn course<'s>(&self, scenario: &'s Scenario, results: &mut Results) -> Course<'s> {
        say(&format!("{}: {}", scenario.name, scenario.title));
        results.forget_scenario(scenario.name);
        results.note(&format!("date {}", scenario.name), &today());
        if let Some(commit) = &self.commit {
            results.note(&format!("commit {}", scenario.name), commit);
        }
        if scenario.load == Load::PacedAlike
            && let Some(best) = pace::best(results)
        {
            let rate = format!("{:.0} requests a second, 70 % of {}'s saturation", best.rate(), best.peer);
            results.note(&format!("rate {}", scenario.name), &rate);
        }
        let mut course = Course {
            scenario,
            taking_part: Vec::new(),
            sink: None,
            rounds: self.rounds(scenario),
            patience: quiet::PATIENCE,
        };
        let mut nobody_can = None;
        if scenario.log == "log-syslog" {
            match Sink::begin() {
                Ok(sink) => course.sink = Some(sink),
                Err(Failure(why)) => {
                    say(&why);
                    nobody_can = Some(why);
                }
            }
        }
        let flags = scenario.flags();
        for peer in &self.peers {
            let cannot =
                nobody_can.clone().or_else(|| peer.kind.cannot(&flags).map(str::to_owned)).or_else(|| {
                    let paced = matches!(scenario.load, Load::Paced | Load::PacedAlike);
                    paced.then(|| pace::rate(scenario.load, results, &peer.name).err()).flatten()
                });
            match cannot {
                Some(why) => results.note(&format!("left-out {} {}", scenario.name, peer.name), &why),
                None => course.taking_part.push(peer.name.clone()),
            }
        }
        course
    }

    /// One turn, and what came of it; who fails takes no part any more.
    fn turn_of(&self, course: &mut Course<'_>, peer: &Peer, round: u32, results: &mut Results) {
        let scenario = course.scenario;
        let lines = course.sink.as_ref().map(Sink::lines);
        match self.turn(peer, scenario, results, &mut course.patience) {
            Ok((mut run, start)) => {
                run.round = round;
                if let (Some(sink), Some(before)) = (&course.sink, lines) {
                    let came = sink.lines() - before;
                    say(&format!("{}: {came} lines came at the log daemon", peer.name));
                }
                let outcome = &run.outcome;
                println!(
                    "    round {round} {:<13} {:<13} {:>8.1} us/request {:>9.0} requests/s p99 {:>7.0} us, \
                     {:.0} errors, {} KiB, start {start:.0} ms, others {:.0} %",
                    scenario.name,
                    peer.name,
                    outcome.processor_ns as f64 / 1000.0 / outcome.requests.max(1.0),
                    outcome.requests / outcome.seconds.max(1e-9),
                    outcome.p99_us,
                    outcome.errors,
                    outcome.resident_kib,
                    run.foreign * 100.0
                );
                results.runs.push(run);
            }
            Err(Failure(why)) => {
                say(&format!("{} in {}: {why}", peer.name, scenario.name));
                results.forget(scenario.name, &peer.name);
                results.note(&format!("left-out {} {}", scenario.name, peer.name), &why);
                course.taking_part.retain(|name| *name != peer.name);
            }
        }
    }

    /// A million sessions take a minute to make; the figure is the memory, which hardly varies.
    fn rounds(&self, scenario: &Scenario) -> u32 {
        match (scenario.services, scenario.figure) {
            _ if self.options.quick => 1,
            (Services::Sessions, _) => 1,
            (_, Figure::Latency) => self.options.rounds * ROUNDS_OF_LATENCY,
            _ => self.options.rounds,
        }
    }

    /// One turn of one proxy, measured again when others disturbed it.
    fn turn(
        &self,
        peer: &Peer,
        scenario: &Scenario,
        results: &Results,
        patience: &mut Duration,
    ) -> Result<(Run, f64), Failure> {
        let mut tries = 0;
        loop {
            tries += 1;
            let calm = self.options.quick || self.options.noisy;
            if !calm {
                quiet::wait(patience)?;
            }
            let run = self.once(peer, scenario, results)?;
            if calm || tries == TRIES || patience.is_zero() || !quiet::disturbed(run.foreign) {
                let start = run.start_ms;
                return Ok((run, start));
            }
        }
    }

    fn once(&self, peer: &Peer, scenario: &Scenario, results: &Results) -> Result<Run, Failure> {
        let port = free_port()?;
        let folder = self.folder.join(&peer.name);
        let certificate = scenario.tls.unwrap_or(Certificate::Ecdsa).name();
        let values = Values {
            names: vec![
                ("port", port.to_string()),
                ("origin", format!("127.0.0.1:{}", self.origin_port)),
                ("origin_port", self.origin_port.to_string()),
                ("dir", folder.display().to_string()),
                ("program", peer.program.display().to_string()),
                ("count", scenario.count().to_string()),
                ("certificate", self.loader.certificates.join(certificate).display().to_string()),
            ],
            flags: scenario.flags().into_iter().collect(),
            count: scenario.count(),
        };
        let origin = [self.origin.id()];
        let span = Span::begin(system::own_ns() + system::processor_ns(&origin))?;
        let mut proxy = Proxy::start(peer, &folder, self.proxy_core, &values, &|| match scenario.tls {
            None => answers(port, &scenario.probe()),
            Some(_) => self.loader.answers_in_tls(port),
        })?;
        let outcome = self.load(peer, scenario, results, &mut proxy, port)?;
        let ours = system::own_ns() + system::processor_ns(&origin) + proxy.processor_ns();
        let foreign = span.foreign(ours)?;
        let size = fs::metadata(&peer.program).map_or(0, |metadata| metadata.len());
        Ok(Run {
            scenario: scenario.name.into(),
            peer: peer.name.clone(),
            round: 0,
            outcome,
            start_ms: proxy.start.as_secs_f64() * 1000.0,
            foreign,
            program_bytes: size,
        })
    }

    fn load(
        &self,
        peer: &Peer,
        scenario: &Scenario,
        results: &Results,
        proxy: &mut Proxy,
        port: u16,
    ) -> Result<Outcome, Failure> {
        match scenario.load {
            Load::Wrk { connections, path, close } if self.options.quick => {
                let close = if close { " --close" } else { "" };
                self.own(proxy, port, &format!("--connections {connections} --path {path}{close}"))
            }
            Load::Wrk { connections, path, close } => {
                let url = format!("http://127.0.0.1:{port}{path}");
                self.loader.wrk(proxy, &url, connections, close, self.options.seconds)
            }
            Load::Own(words) if scenario.tls.is_some() => {
                self.own(proxy, port, &format!("{} {words}", self.loader.tls().join(" ")))
            }
            Load::Own(words) => self.own(proxy, port, words),
            Load::Paced | Load::PacedAlike => {
                let rate = pace::rate(scenario.load, results, &peer.name).map_err(Failure::new)?;
                self.own(proxy, port, &format!("--rate {rate:.0}"))
            }
            Load::Hold(connections) => {
                let connections = connections.min(connections_max(scenario));
                let tls = scenario.tls.map(|_| self.loader.tls());
                let tls = tls.as_ref().map_or(&[][..], |words| &words[..]);
                self.loader.hold(proxy, port, connections, tls)
            }
            Load::Sessions => {
                proxy.look_for_family();
                let before = proxy.resident_kib();
                let field = "--field X-Session:s{} --variants 1000000";
                let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
                let filled = self.loader.own(proxy, port, &words(&format!("{field} --in-turn")))?;
                let mut outcome = self.own(proxy, port, field)?;
                outcome.errors += filled.errors;
                outcome.resident_before_kib = before;
                Ok(outcome)
            }
            Load::Nothing => {
                proxy.look_for_family();
                let resident_kib = proxy.resident_kib();
                Ok(Outcome { resident_kib, seconds: 1.0, ..Outcome::default() })
            }
        }
    }

    fn own(&self, proxy: &mut Proxy, port: u16, words: &str) -> Result<Outcome, Failure> {
        let (warm_up, window) =
            if self.options.quick { (100, 300) } else { (500, self.options.seconds * 1000) };
        let words = format!("{words} --warm-up-ms {warm_up} --duration-ms {window}");
        let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
        self.loader.own(proxy, port, &words)
    }
}

impl Drop for Bench<'_> {
    fn drop(&mut self) {
        if let Err(Failure(why)) = stay_on(&self.processors) {
            say(&why);
        }
    }
}

/// Keeps this program on some processors, with the children that it starts from now on.
fn stay_on(processors: &[u32]) -> Result<(), Failure> {
    let list: Vec<String> = processors.iter().map(u32::to_string).collect();
    let own = std::process::id().to_string();
    crate::command::run(Command::new("taskset").args(["-acp", &list.join(","), &own]).stdout(Stdio::null()))
}

/// So many clients have room in any proxy of a scenario: what ends TLS and knows no HTTP has a connection to the
/// origin for each.
fn connections_max(scenario: &Scenario) -> u32 {
    let descriptors = system::descriptors_max().unwrap_or(u32::MAX);
    if scenario.tls.is_some() { descriptors.saturating_sub(DESCRIPTORS_SPARE) / 2 } else { u32::MAX }
}

/// A port that was free a moment ago.
fn free_port() -> Result<u16, Failure> {
    use std::sync::atomic::{AtomicU16, Ordering};
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let span = PORTS.end - PORTS.start;
    // Two commands at once begin at different places.
    let offset = (std::process::id() % u32::from(span)) as u16;
    for _ in 0..span {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = PORTS.start + (offset + step % span) % span;
        // On both addresses: the origin wants both.
        if ["127.0.0.1", "127.0.0.2"].iter().all(|address| TcpListener::bind((*address, port)).is_ok()) {
            return Ok(port);
        }
    }
    Err(Failure::new(format!("no free port from {} to {}", PORTS.start, PORTS.end)))
}

/// The commit that the program was built from, `-dirty` if anything that is built was changed since.
fn commit(workspace: &Workspace) -> Option<String> {
    let git = |words: &[&str]| {
        let out =
            crate::command::output(Command::new("git").current_dir(&workspace.root).args(words)).ok()?;
        out.status.success().then(|| String::from_utf8_lossy(&out.stdout).trim().to_owned())
    };
    let commit = git(&["rev-parse", "--short", "HEAD"])?;
    // The runs and the report change while one measures.
    let changed = git(&["status", "--porcelain", "--", ":!docs"])?;
    Some(if changed.is_empty() { commit } else { format!("{commit}-dirty") })
}

/// The day, as `date` tells it.
fn today() -> String {
    crate::command::output(Command::new("date").arg("+%Y-%m-%d"))
        .map(|out| String::from_utf8_lossy(&out.stdout).trim().to_owned())
        .unwrap_or_else(|_| {
            let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            format!("{} s since 1970", since.as_secs())
        })
}
