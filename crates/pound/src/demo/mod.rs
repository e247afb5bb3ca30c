//! `pound demo`: three origin servers, `pound` in front of them, and a back-end that goes away now and then.
//!
//! The way in is the one that every configuration takes: text, `config::load_text`, `engine::prepare`, `engine::start`.
//! What is shown is the engine's own snapshot; what is judged is what clients saw over their sockets.

mod client;
mod director;
mod origin;
mod paper;
mod screen;
mod table;
mod traffic;

use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use engine::log::{Drain, Kind, Severity};
use nix::sys::signal::Signal;

use crate::args::Demo;
use crate::failure::Failure;
use crate::process::signals::{self, Signals, Woken};
use director::{Director, Schedule};
use origin::Origin;
use screen::Screen;
use table::Row;
use traffic::Traffic;

/// Trees that bend and stand up again.
const NAMES: [&str; 3] = ["amber", "birch", "cedar"];
/// Where the first origin tries to listen.
const ORIGIN_PORT: u16 = 8001;
/// Ports tried in a row; more taken ones mean that something else is wrong.
const PORTS_TRIED: usize = 100;
/// How often pound's view of the back-ends is looked at: this bounds how finely a fall is measured.
const LOOK: Duration = Duration::from_millis(5);
/// Time for requests in flight at the end.
const GRACE: Duration = Duration::from_secs(5);
/// After the time asked for, this long for a back-end to be back.
const ENCORE: Duration = Duration::from_secs(8);

/// Runs the demo.
///
/// # Errors
/// One sentence, if it cannot be set up.
pub(crate) fn run(options: &Demo) -> Result<ExitCode, Failure> {
    signals::settle();
    let signals = Signals::take_over()?;
    let visits = Arc::default();
    let mut origins: Vec<Origin> = Vec::new();
    for name in NAMES {
        // Beside the origins there are, and the port that pound is to have.
        let mut taken: Vec<u16> = origins.iter().map(|origin| origin.address.port()).collect();
        taken.push(options.port);
        let origin = Origin::start(name, ORIGIN_PORT, &taken, &visits)
            .map_err(|error| Failure::new(format!("cannot start the origin server {name}: {error}")))?;
        origins.push(origin);
    }
    let (prepared, listen, text) = prepare(options.port, &origins)?;
    let mut engine = engine::start(prepared)
        .map_err(|error| Failure::new(format!("cannot start the worker threads: {error}")))?;
    let Some(drain) = engine.log_drain() else {
        return Err(Failure::new("the log of the engine is taken already"));
    };

    let mut screen = Screen::open();
    screen.say(&text);
    if listen.port() != options.port {
        screen.say(&format!("Port {} is taken; this demo is at {}.\n", options.port, listen.port()));
    }
    let origins = Arc::new(origins);
    screen.say(&introduction(options, listen, &origins));

    let (clients, pause) = match options.duration {
        // Enough to have requests in flight at any time, little enough to leave the machine to the person.
        None => (2, Duration::from_millis(100)),
        Some(_) => (8, Duration::from_millis(10)),
    };
    let traffic = Traffic::start(listen, &origins, clients, pause)
        .map_err(|error| Failure::new(format!("cannot start the clients: {error}")))?;
    let mut play = Play { engine, drain, origins, events: Vec::new(), begun: Instant::now() };
    let falls = play.perform(options.duration, &signals, &mut screen)?;
    let elapsed = play.begun.elapsed();

    let tally = traffic.finish();
    let unanswered = play.rows().iter().map(|row| row.unanswered).sum();
    screen.say(&format!("\n{}", paper::summary(&tally, unanswered, elapsed, &play.origins, &falls)));
    play.engine.stop(GRACE);
    Ok(match paper::verdict(&tally, &falls) {
        Ok(_) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    })
}

/// Reads the configuration and binds it, on the first port from `port` on that is free.
fn prepare(port: u16, origins: &[Origin]) -> Result<(engine::Prepared, SocketAddr, String), Failure> {
    let taken: Vec<u16> = origins.iter().map(|origin| origin.address.port()).collect();
    let mut refused = None;
    for port in (port..=u16::MAX).filter(|port| !taken.contains(port)).take(PORTS_TRIED) {
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let text = paper::configuration(listen, origins);
        let (plan, diagnostics) = config::load_text("demo", &text, &config::Options::default());
        let Some(plan) = plan.filter(|_| !diagnostics.has_errors()) else {
            return Err(Failure::new(format!(
                "the demo's own configuration is wrong: {}",
                diagnostics.render(false)
            )));
        };
        match engine::prepare(plan) {
            Ok(prepared) => return Ok((prepared, listen, text)),
            // Taken, or not for us (below 1024): the next one may be free.
            Err(error) => refused = Some(error),
        }
    }
    let why = refused.map_or("there is none left".into(), |error| error.to_string());
    Err(Failure::new(format!("no port from {port} on can be used: {why}; choose another with --port")))
}

fn introduction(options: &Demo, listen: SocketAddr, origins: &[Origin]) -> String {
    match options.duration {
        None => format!(
            "\npound is at http://{listen}/ with the configuration above.\n\n{}\n\
             Now and then one back-end goes down and comes up again. Two small clients ask\n\
             all the time, so that there is something to see. Ctrl-C ends this.\n\n",
            paper::suggestions(listen, origins)
        ),
        Some(duration) => format!(
            "\npound is at http://{listen}/ with the configuration above. Eight clients ask for {} s.\n\n",
            duration.as_secs()
        ),
    }
}

/// The demo at work.
struct Play {
    engine: engine::Engine,
    drain: Drain,
    origins: Arc<Vec<Origin>>,
    /// The latest, for the table.
    events: Vec<String>,
    begun: Instant,
}

impl Play {
    /// Lets back-ends fall and return until the time is over or somebody ends it.
    fn perform(
        &mut self,
        duration: Option<Duration>,
        signals: &Signals,
        screen: &mut Screen,
    ) -> Result<Vec<director::Fall>, Failure> {
        let schedule = match duration {
            None => Some(Schedule::WATCHED),
            Some(duration) => Schedule::within(duration),
        };
        let mut director = schedule.map(Director::new);
        let interrupted = loop {
            let rows = self.rows();
            let elapsed = self.begun.elapsed();
            let alive: Vec<bool> = rows.iter().map(|row| row.alive).collect();
            if let Some(director) = &mut director {
                let told = director.look(&self.origins, &alive, elapsed).map_err(|error| {
                    Failure::new(format!("an origin server cannot listen again: {error}"))
                })?;
                if let Some(sentence) = told {
                    self.note(&sentence, screen);
                }
            }
            self.read_log(screen);
            screen.show(elapsed, &rows, &self.events);

            let busy = director.as_ref().is_some_and(Director::busy);
            let over =
                duration.is_some_and(|length| elapsed >= length && (!busy || elapsed >= length + ENCORE));
            if over || screen.is_gone() {
                break screen.is_gone();
            }
            if let Woken::Signal(Signal::SIGINT | Signal::SIGTERM | Signal::SIGQUIT) =
                signals.next_or(None, Some(LOOK))
            {
                break true;
            }
        };
        let Some(director) = director else { return Ok(Vec::new()) };
        let mut falls = director.falls().to_vec();
        // A fall that somebody cut short is no fault of pound's.
        if interrupted && director.busy() {
            falls.pop();
        }
        Ok(falls)
    }

    /// What pound knows of the back-ends.
    fn rows(&self) -> Vec<Row> {
        let snapshot = self.engine.world().snapshot();
        let row = |origin: &Origin| {
            let address = origin.address.to_string();
            let seen = snapshot.backends.iter().find(|backend| backend.address == address);
            Row {
                name: origin.name.to_owned(),
                alive: seen.is_some_and(|seen| seen.alive),
                requests: seen.map_or(0, |seen| seen.requests),
                unanswered: seen.map_or(0, |seen| seen.errors),
                latency: seen.and_then(|seen| seen.latency),
                address,
            }
        };
        self.origins.iter().map(row).collect()
    }

    /// Takes pound's own words about its back-ends; the lines of requests are left out, there are too many.
    fn read_log(&mut self, screen: &mut Screen) {
        let mut told = Vec::new();
        let _dropped = self.drain.take(&mut |record| {
            if record.kind == Kind::Event && record.severity <= Severity::Notice {
                told.push(format!("pound: {}", String::from_utf8_lossy(record.text)));
            }
        });
        for sentence in told {
            self.note(&sentence, screen);
        }
    }

    fn note(&mut self, sentence: &str, screen: &mut Screen) {
        let event = format!("{:>5.1} s  {sentence}", self.begun.elapsed().as_secs_f64());
        screen.event(&event);
        self.events.push(event);
        // Only the latest are shown.
        let surplus = self.events.len().saturating_sub(table::EVENTS_SHOWN);
        self.events.drain(..surplus);
    }
}
