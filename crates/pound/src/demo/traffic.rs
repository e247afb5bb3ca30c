//! The demo's own traffic, and what became of it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::client::{Answer, Client};
use super::origin::Origin;

/// What a small form sends.
const FORM: &[u8] = b"name=pound&year=2003";
/// Failures whose words are kept; the count goes on.
const FAILURES_TOLD: usize = 5;

/// Clients that ask until they are stopped.
#[derive(Debug)]
pub(super) struct Traffic {
    stop: Arc<AtomicBool>,
    tally: Arc<Mutex<Tally>>,
    clients: Vec<JoinHandle<()>>,
}

/// What was seen so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    /// Requests that were answered, rightly or not, or failed.
    pub(super) requests: u64,
    /// Of these, those that changed something (POST).
    pub(super) posts: u64,
    /// Answers by origin, in the order of the origins.
    pub(super) answers: Vec<u64>,
    /// Requests that failed.
    pub(super) failed: u64,
    /// The first few failures in words.
    pub(super) failures: Vec<String>,
    /// Sessions that were begun.
    pub(super) sessions: u64,
    /// Times that a session went on at another origin because its own was down.
    pub(super) moved: u64,
    /// The longest that a request took.
    pub(super) slowest: Duration,
}

impl Traffic {
    /// Starts `clients` threads that each send a request, wait for the answer, and rest for `pause`.
    pub(super) fn start(
        address: SocketAddr,
        origins: &Arc<Vec<Origin>>,
        clients: usize,
        pause: Duration,
    ) -> std::io::Result<Traffic> {
        let mut traffic = Traffic {
            stop: Arc::new(AtomicBool::new(false)),
            tally: Arc::new(Mutex::new(Tally { answers: vec![0; origins.len()], ..Tally::default() })),
            clients: Vec::new(),
        };
        for number in 0..clients {
            let (stop, tally, origins) = (traffic.stop.clone(), traffic.tally.clone(), origins.clone());
            let mut visitor = Visitor { client: Client::new(address), session: None, origins };
            let thread = std::thread::Builder::new().name(format!("client {number}")).spawn(move || {
                // Each begins at another point of the round, so that they do not all do the same at once.
                for turn in number.. {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    visitor.turn(turn, &tally);
                    std::thread::sleep(pause);
                }
            })?;
            traffic.clients.push(thread);
        }
        Ok(traffic)
    }

    /// Stops the clients, each after the answer it waits for, and tells what was seen.
    pub(super) fn finish(self) -> Tally {
        self.stop.store(true, Ordering::Relaxed);
        let mut crashed = 0;
        for client in self.clients {
            crashed += u64::from(client.join().is_err());
        }
        let mut tally = lock(&self.tally).clone();
        tally.failed += crashed;
        tally
    }
}

/// One client and what it remembers.
struct Visitor {
    client: Client,
    session: Option<Session>,
    origins: Arc<Vec<Origin>>,
}

/// A session as its owner sees it.
struct Session {
    cookie: String,
    /// Which origin answered last, and the turns (see [`Origin::turns`]) of the life in which it did. An origin that goes
    /// away still answers what comes over open connections; that belongs to the life that ends.
    origin: usize,
    life: usize,
}

impl Visitor {
    /// Sends the request of this turn: mostly pages, now and then a form, a session's page, a path of its own.
    fn turn(&mut self, turn: usize, tally: &Mutex<Tally>) {
        let (method, target, body, in_session) = match turn % 10 {
            3 => ("POST", "/form", FORM, false),
            5 | 8 => ("GET", "/session/cart", &b""[..], true),
            7 => ("GET", "/api/list", &b""[..], false),
            _ => ("GET", "/", &b""[..], false),
        };
        let cookie = match &self.session {
            Some(session) if in_session => Some(session.cookie.clone()),
            _ => None,
        };
        let lives: Vec<usize> = self.origins.iter().map(|origin| life(origin.turns())).collect();
        let begun = Instant::now();
        let outcome = self.client.send(method, target, cookie.as_deref(), body);
        let took = begun.elapsed();

        let mut tally = lock(tally);
        tally.requests += 1;
        tally.posts += u64::from(method == "POST");
        tally.slowest = tally.slowest.max(took);
        let judged = match outcome {
            Ok(answer) => self.judge(answer, in_session, &lives, &mut tally),
            Err(error) => Err(error.to_string()),
        };
        if let Err(sentence) = judged {
            tally.failed += 1;
            if tally.failures.len() < FAILURES_TOLD {
                tally.failures.push(format!("{method} {target}: {sentence}"));
            }
        }
    }

    /// Whether an answer is as it must be. `lives` tells in which life each origin was before the request was sent.
    fn judge(
        &mut self,
        answer: Answer,
        in_session: bool,
        lives: &[usize],
        tally: &mut Tally,
    ) -> Result<(), String> {
        if answer.status != 200 {
            return Err(format!("answered with {}", answer.status));
        }
        let Some(origin) = self.origins.iter().position(|origin| origin.name == answer.who) else {
            return Err(format!("answered by \"{}\", which is none of the back-ends", answer.who));
        };
        tally.answers[origin] += 1;
        if !in_session {
            return Ok(());
        }
        match &mut self.session {
            None => {
                let cookie = answer.session.ok_or("no session was given")?;
                tally.sessions += 1;
                self.session = Some(Session { cookie, origin, life: lives[origin] });
            }
            Some(session) if session.origin == origin => session.life = lives[origin],
            Some(session) => {
                // It may have gone away while the request was on its way, so it is asked as it is now.
                let home = &self.origins[session.origin];
                let torn = home.turns() == session.life;
                session.origin = origin;
                session.life = lives[origin];
                if torn {
                    return Err(format!(
                        "the session left {} for {}, though that was up",
                        home.name, answer.who
                    ));
                }
                tally.moved += 1;
            }
        }
        Ok(())
    }
}

/// The life that an origin with this many turns is in, or that comes to its end.
fn life(turns: usize) -> usize {
    turns - turns % 2
}

fn lock(tally: &Mutex<Tally>) -> std::sync::MutexGuard<'_, Tally> {
    tally.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn visitor() -> (Visitor, Tally) {
        let visits = Arc::default();
        let origins: Vec<Origin> = ["amber", "birch"]
            .into_iter()
            .map(|name| Origin::start(name, 0, &[], &visits).unwrap())
            .collect();
        let client = Client::new(origins[0].address);
        let tally = Tally { answers: vec![0; 2], ..Tally::default() };
        (Visitor { client, session: None, origins: Arc::new(origins) }, tally)
    }

    fn answer(status: u16, who: &str) -> Answer {
        let session = Some("amber-1".to_owned());
        Answer { status, who: who.to_owned(), session, closes: false, body: String::new() }
    }

    #[test]
    fn a_session_may_move_only_when_its_origin_went_away() {
        let (mut visitor, mut tally) = visitor();
        visitor.judge(answer(200, "amber"), true, &[0, 0], &mut tally).unwrap();
        visitor.judge(answer(200, "amber"), true, &[0, 0], &mut tally).unwrap();
        visitor.origins[0].go_down();
        // It answers once more over an open connection, and then the session moves.
        let lives = [life(visitor.origins[0].turns()), 0];
        visitor.judge(answer(200, "amber"), true, &lives, &mut tally).unwrap();
        visitor.judge(answer(200, "birch"), true, &lives, &mut tally).unwrap();
        visitor.judge(answer(200, "birch"), true, &lives, &mut tally).unwrap();
        assert_eq!((tally.sessions, tally.moved), (1, 1));
        assert!(
            visitor.judge(answer(200, "amber"), true, &lives, &mut tally).is_err(),
            "it does not move back"
        );
    }

    #[test]
    fn an_error_page_and_a_stranger_are_failures() {
        let (mut visitor, mut tally) = visitor();
        assert_eq!(
            visitor.judge(answer(503, ""), false, &[0, 0], &mut tally).unwrap_err(),
            "answered with 503"
        );
        assert!(visitor.judge(answer(200, "oak"), false, &[0, 0], &mut tally).is_err());
    }
}
