//! The life of the serving process: start the engine, heed signals, stop in good order.

use std::os::fd::AsFd;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use engine::Stopped;
use engine::log::Severity;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, getppid};

use crate::args::Sighup;
use crate::failure::Failure;
use crate::logging::{Sink, Writer};
use crate::process::signals::{Signals, Woken};
use crate::supervise::Witness;

/// A stop that is asked for again this soon is the same one: timeout(1), for instance, signals the process and then the
/// whole group that it is in. A person who has lost patience is slower.
const ECHO: Duration = Duration::from_millis(500);

/// What the serving process has to know besides its plan.
#[derive(Debug)]
pub(crate) struct Settings {
    /// How long requests in flight may take after a stop was asked for.
    pub(crate) grace: Duration,
    /// What SIGHUP does.
    pub(crate) sighup: Sighup,
    /// Say nothing but what the configuration asks for (`-e` without `-v`).
    pub(crate) quiet: bool,
    /// The parent that starts us again, if there is one.
    pub(crate) supervisor: Option<Pid>,
}

/// How long the threads may take to end at once after a second signal. They need some milliseconds; only one that hangs in
/// the system or in a token takes longer, and then nobody waits for it.
const AT_ONCE: Duration = Duration::from_secs(5);

/// Serves until a signal asks for the end.
///
/// # Errors
/// The threads could not be started.
pub(crate) fn run(
    prepared: engine::Prepared,
    sink: Sink,
    signals: &Signals,
    settings: &Settings,
    witness: &mut dyn Witness,
) -> Result<ExitCode, Failure> {
    let started = match settings.quiet {
        true => None,
        false => Some(format!("started: {}", summary(&prepared))),
    };
    let in_jail = prepared.plan().process.root_jail.is_some();
    let mut engine = engine::start(prepared)
        .map_err(|error| Failure::new(format!("cannot start the worker threads: {error}")))?;
    let Some(drain) = engine.log_drain() else {
        return Err(Failure::new("the log of the engine is taken already"));
    };
    let log = Writer::start(drain, sink, in_jail)?;
    if let Some(text) = started {
        log.event(Severity::Notice, text);
    }
    witness.ready();

    let (signal, grace) = loop {
        match signals.next() {
            Signal::SIGQUIT => break (Signal::SIGQUIT, Duration::ZERO),
            signal @ (Signal::SIGTERM | Signal::SIGINT) => break (signal, settings.grace),
            Signal::SIGHUP => match settings.sighup {
                Sighup::Stop => break (Signal::SIGHUP, settings.grace),
                Sighup::Ignore => {
                    let text =
                        "SIGHUP: reloading the configuration is not supported yet; nothing was changed";
                    log.event(Severity::Warning, text);
                }
            },
            Signal::SIGUSR1 => log.reopen(),
            Signal::SIGCHLD => reap(),
            _ => {}
        }
    };
    witness.stopping();
    if !settings.quiet {
        // Its death is told by a TERM, see `supervise::end_with`.
        let orphaned = settings.supervisor.is_some_and(|supervisor| getppid() != supervisor);
        let why = if orphaned { "the supervisor is gone".into() } else { signal.to_string() };
        log.event(Severity::Notice, farewell(&why, grace));
    }
    let world = engine.world().clone();
    match stop(engine, grace, signals, &log) {
        Outcome::Stopped(Stopped { finished: true, .. }) if settings.quiet => {}
        Outcome::Stopped(Stopped { finished: true, .. }) => log.event(Severity::Notice, "stopped"),
        Outcome::Stopped(Stopped { cut, .. }) => log.event(Severity::Warning, cut_off(cut)),
        Outcome::Hangs => {
            // Connections that idled are closed by now; what is left has a request.
            let cut = usize::try_from(world.snapshot().totals.clients).unwrap_or(usize::MAX);
            let seconds = AT_ONCE.as_secs();
            let why =
                format!("a thread has not ended within {seconds} s, so requests may be without a log line");
            log.event(Severity::Error, format!("{}; {why}", cut_off(cut)));
        }
    }
    log.finish();
    Ok(ExitCode::SUCCESS)
}

/// Takes leave of children that have ended: the keeper of certificates is one. The engine tells what that means.
fn reap() {
    while let Ok(status) = waitpid(None, Some(WaitPidFlag::WNOHANG))
        && status != WaitStatus::StillAlive
    {}
}

/// How a stop ended.
enum Outcome {
    /// By itself.
    Stopped(Stopped),
    /// Not even after a second signal.
    Hangs,
}

/// Stops the engine within `grace`, or at once when a second signal asks for it.
fn stop(engine: engine::Engine, grace: Duration, signals: &Signals, log: &Writer) -> Outcome {
    let Ok((end, ended)) = std::io::pipe() else {
        // Out of descriptors: then without an ear for the second signal.
        return Outcome::Stopped(engine.stop(grace));
    };
    let hurry = engine.hurry();
    let stopping = std::thread::Builder::new().name("stop".into()).spawn(move || {
        let stopped = engine.stop(grace);
        drop(ended);
        stopped
    });
    let Ok(stopping) = stopping else {
        return Outcome::Stopped(Stopped { finished: false, cut: 0 });
    };
    let asked = Instant::now();
    let mut at_the_latest: Option<Instant> = None;
    loop {
        let left = at_the_latest.map(|end| end.saturating_duration_since(Instant::now()));
        let signal = match signals.next_or(Some(end.as_fd()), left) {
            Woken::Other => break,
            Woken::Elapsed => return Outcome::Hangs,
            Woken::Signal(signal) => signal,
        };
        match signal {
            Signal::SIGTERM | Signal::SIGINT if asked.elapsed() <= ECHO => {}
            Signal::SIGQUIT | Signal::SIGTERM | Signal::SIGINT if at_the_latest.is_none() => {
                log.event(Severity::Warning, format!("second signal ({signal}): stopping at once"));
                hurry.now();
                at_the_latest = Some(Instant::now() + AT_ONCE);
            }
            // Logrotate comes when it comes.
            Signal::SIGUSR1 => log.reopen(),
            _ => {}
        }
    }
    // A panic in there has been reported by its own thread.
    Outcome::Stopped(stopping.join().unwrap_or(Stopped { finished: false, cut: 0 }))
}

fn cut_off(requests: usize) -> String {
    format!("stopped; requests cut off: {requests}")
}

fn farewell(why: &str, grace: Duration) -> String {
    match grace.as_secs() {
        0 => format!("{why}: stopping at once"),
        seconds => format!("{why}: stopping, requests in flight have {seconds} s"),
    }
}

fn summary(prepared: &engine::Prepared) -> String {
    let plan = prepared.plan();
    let places: Vec<String> = prepared.bound().into_iter().map(|(_, address)| address).collect();
    format!("listening on {}, back-ends: {}", places.join(", "), plan.backends.len())
}
