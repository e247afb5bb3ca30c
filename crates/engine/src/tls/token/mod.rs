//! Private keys that are in a token (`SSLEngine`), behind a PKCS#11 module.
//!
//! ```text
//!   accept, connect ──state of a handshake──▶ helpers ──rustls──▶ key ──digest──▶ Token ─▶ module ─▶ the token
//!          ◀────────────── the same, gone on ─────┘
//! ```
//!
//! `module` speaks PKCS#11, `key` is what rustls signs with, `helpers` are the threads that may wait for a token, and
//! `handshake` sends a handshake there and back. Workers never call the token, and never hold its locks.
//!
//! The token is opened in the process that serves (PKCS#11 does not survive a fork), before it gives up its rights. When
//! it goes away, handshakes fail and everything else goes on; the next handshake opens it again.

mod handshake;
mod helpers;
mod key;
mod module;

use std::collections::VecDeque;
use std::fmt;
use std::fs;
use std::io::Read;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use cryptoki::types::AuthPin;
use plan::tls::FileName;
use plan::token::{Pin, Secret, Token as Plan};
use rustls::SignatureScheme;

use self::helpers::Helpers;
use self::key::Schemes;
use self::module::{Cure, Module, Opened, Problem};
use super::ending::News;
use super::files::TlsError;
use crate::clock::{Clock, Moment};
use crate::limits;

pub(super) use self::handshake::{Begun, accept, finish};
pub(super) use self::key::{PublicKey, Signing, TokenKey, Unsigned};

/// The token of a configuration, shared by all threads.
pub(crate) struct Token {
    plan: Plan,
    clock: Clock,
    module: OnceLock<Arc<Module>>,
    pin: OnceLock<AuthPin>,
    /// Whoever signs reads; whoever opens it again writes.
    state: RwLock<State>,
    /// When a check was not answered, if the last one was not.
    silence: Mutex<Option<Moment>>,
    news: Mutex<VecDeque<(News, String)>>,
    helpers: Arc<Helpers>,
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({})", self.plan)
    }
}

#[derive(Default)]
struct State {
    opened: Option<Opened>,
    /// How often it was opened, or was tried to.
    tries: u64,
    /// Since when it cannot be opened, as of the last try, and why.
    failed: Option<(Moment, Problem)>,
    /// When it was last opened again.
    reopened: Option<Moment>,
    /// When it was last told of that.
    told: Option<Moment>,
}

/// Whose fault it is that there is no signature.
enum Failed {
    /// The token's, for all of its keys; its news are told.
    Token(Problem),
    /// One key's.
    Key(Problem),
}

impl Failed {
    fn problem(self) -> Problem {
        let (Failed::Token(problem) | Failed::Key(problem)) = self;
        problem
    }
}

/// How it goes with one key.
#[derive(Default)]
struct Health(Mutex<Option<(Moment, Problem)>>);

impl Token {
    /// One that is not open yet.
    pub(crate) fn new(plan: &Plan, clock: Clock) -> Token {
        Token {
            plan: plan.clone(),
            clock,
            module: OnceLock::new(),
            pin: OnceLock::new(),
            state: RwLock::default(),
            silence: Mutex::default(),
            news: Mutex::default(),
            helpers: Arc::default(),
        }
    }

    /// Loads the module, finds the token and logs in. In the process that serves, and while files can be read. Blocks.
    ///
    /// # Errors
    /// Any of it fails; in a sentence.
    pub(crate) fn open(&self) -> Result<(), TlsError> {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.tries += 1;
        match self.try_to_open() {
            Ok(opened) => {
                state.opened = Some(opened);
                Ok(())
            }
            Err(problem) => {
                let error = self.error(problem.text.clone());
                state.failed = Some((self.clock.now(), problem));
                Err(error)
            }
        }
    }

    /// Whether its PIN was refused, or not tried since a wrong one would be the last.
    pub(crate) fn has_refused_pin(&self) -> bool {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        state.failed.as_ref().is_some_and(|(_, problem)| problem.cure == Cure::StayAway)
    }

    fn try_to_open(&self) -> Result<Opened, Problem> {
        let module = match self.module.get() {
            Some(module) => module,
            None => {
                let module = Arc::new(Module::load(&self.plan)?);
                self.module.get_or_init(|| module)
            }
        };
        let pin = match (self.pin.get(), &self.plan.pin) {
            (Some(pin), _) => Some(pin),
            (None, None) => None,
            (None, Some(pin)) => {
                let pin = AuthPin::from(read(pin)?.reveal().to_owned());
                Some(self.pin.get_or_init(|| pin))
            }
        };
        Opened::new(module, &self.plan, pin)
    }

    /// What is wrong with the token, at the line that names it.
    fn error(&self, reason: String) -> TlsError {
        let named = FileName { path: "".into(), directive: "SSLEngine", place: self.plan.place.clone() };
        TlsError::whole(&named, reason)
    }

    /// Whether the key is in the token and signs; else the end of a sentence. Blocks.
    pub(super) fn check(&self, key: &TokenKey) -> Result<(), String> {
        let found = self.attempt(|opened| opened.check(&self.plan, key.public()));
        self.learn(key, found.map_err(|failed| failed.problem().text)?);
        Ok(())
    }

    /// As `check`, by a helper, who gets no more than a moment for it: a token that does not answer stops no one else. If
    /// it has not answered a moment ago it is not asked again yet, since whoever calls this has many keys to ask for.
    pub(super) fn check_soon(self: &Arc<Self>, key: &Arc<TokenKey>) -> Result<(), String> {
        let silent = || "the token does not answer".to_owned();
        let mut silence = self.silence.lock().unwrap_or_else(PoisonError::into_inner);
        if silence.is_some_and(|at| self.clock.now().since(at) < limits::TOKEN_PAUSE) {
            return Err(silent());
        }
        let (token, key) = (self.clone(), key.clone());
        let done = self.helpers.run_within(limits::TOKEN_CHECK, move || token.check(&key));
        *silence = done.is_none().then(|| self.clock.now());
        done.unwrap_or_else(|| Err(silent()))
    }

    fn learn(&self, key: &TokenKey, schemes: Schemes) {
        if key.learn(schemes) && !key.is_for_tls13() {
            let text = format!(
                "SSLEngine: the {} signs by PKCS #1 v1.5 (CKM_RSA_PKCS) and not by PSS, so TLS 1.3 is not spoken with it",
                key.public()
            );
            self.tell(News::Warning, text);
        }
    }

    /// A signature over a message. Blocks.
    fn sign(&self, key: &TokenKey, scheme: SignatureScheme, message: &[u8]) -> Result<Vec<u8>, Problem> {
        if let Some(problem) = key.health().pause(self.clock.now()) {
            return Err(problem);
        }
        let signed = self.attempt(|opened| opened.sign(&self.plan, key.public(), scheme, message)).and_then(
            |(raw, schemes)| {
                self.learn(key, schemes);
                key.public().signature(raw).map_err(Failed::Key)
            },
        );
        self.judge(key, signed)
    }

    /// Takes note of how it went with a key.
    fn judge<T>(&self, key: &TokenKey, done: Result<T, Failed>) -> Result<T, Problem> {
        match done {
            Ok(done) => {
                if key.health().recovers() {
                    self.tell(News::Good, format!("SSLEngine: the {} signs again", key.public()));
                }
                Ok(done)
            }
            Err(Failed::Token(problem)) => Err(problem),
            // Other clients want other schemes: none of them may take the key away from the others.
            Err(Failed::Key(problem)) if problem.cure == Cure::OtherScheme => {
                if key.health().is_well() && key.dislikes() {
                    self.tell(News::Bad, format!("SSLEngine: {problem}; handshakes that want this fail"));
                }
                Err(problem)
            }
            Err(Failed::Key(problem)) => {
                if key.health().falls_ill(self.clock.now(), &problem) {
                    self.tell(News::Bad, format!("SSLEngine: {problem}; handshakes that need it fail"));
                }
                Err(problem)
            }
        }
    }

    /// Does something with the token; if that fails for a reason that may pass, opens it again and does it once more.
    fn attempt<T>(&self, act: impl Fn(&Opened) -> Result<T, Problem>) -> Result<T, Failed> {
        let read = || self.state.read().unwrap_or_else(PoisonError::into_inner);
        let (problem, tries) = {
            let state = read();
            let problem = match state.opened.as_ref().map(&act) {
                Some(Ok(done)) => return Ok(done),
                Some(Err(problem)) if problem.cure != Cure::BeginAgain => return Err(Failed::Key(problem)),
                Some(Err(problem)) => Some(problem),
                None => None,
            };
            (problem, state.tries)
        };
        self.open_again(tries, problem).map_err(Failed::Token)?;
        match &read().opened {
            Some(opened) => act(opened).map_err(Failed::Key),
            None => Err(Failed::Token(Problem::new("the token is closed"))),
        }
    }

    /// Opens the token again, unless someone else has done so since there were so many tries.
    fn open_again(&self, tries: u64, why: Option<Problem>) -> Result<(), Problem> {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now();
        match &state.failed {
            None if state.tries != tries => return Ok(()),
            Some((at, problem))
                if state.tries != tries
                    || problem.cure == Cure::StayAway
                    || now.since(*at) < limits::TOKEN_PAUSE =>
            {
                return Err(problem.clone());
            }
            _ => {}
        }
        // Opened a moment ago and no better for it: once more would not help, and everybody else would wait.
        if let Some(problem) = &why
            && state.reopened.is_some_and(|at| now.since(at) < limits::TOKEN_PAUSE)
        {
            return Err(problem.clone());
        }
        state.tries += 1;
        if let Some(opened) = state.opened.take() {
            opened.close();
        }
        let why = why.map(|problem| format!("{problem}; ")).unwrap_or_default();
        match self.try_to_open() {
            Ok(opened) => {
                state.opened = Some(opened);
                state.reopened = Some(self.clock.now());
                if state.failed.take().is_some() {
                    self.tell(News::Good, format!("SSLEngine: the {} is back", self.plan));
                } else if state.told.is_none_or(|told| now.since(told) >= limits::TOKEN_NEWS) {
                    state.told = Some(now);
                    self.tell(News::Warning, format!("SSLEngine: {why}the {} was opened again", self.plan));
                }
                Ok(())
            }
            Err(problem) => {
                if state.failed.is_none() {
                    let hope = match problem.cure {
                        Cure::StayAway => "this is not tried again",
                        Cure::BeginAgain | Cure::OtherScheme | Cure::None => {
                            "this is tried again with the next client"
                        }
                    };
                    let text = format!("SSLEngine: {why}{problem}; handshakes with its keys fail, {hope}");
                    self.tell(News::Bad, text);
                }
                // A try may take its time, and the pause begins when it is over.
                state.failed = Some((self.clock.now(), problem.clone()));
                Err(problem)
            }
        }
    }

    fn tell(&self, news: News, text: String) {
        let mut queue = self.news.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.len() < limits::TOKEN_NEWS_KEPT {
            queue.push_back((news, text));
        }
    }

    /// What is to be told and was not yet.
    pub(crate) fn next_news(&self) -> Option<(News, String)> {
        self.news.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    /// Starts the helpers.
    ///
    /// # Errors
    /// A thread cannot be made.
    pub(crate) fn start(&self) -> std::io::Result<()> {
        self.helpers.start()
    }

    /// Lets go of the token, if the helpers end soon. Nobody asks for signatures any more.
    pub(crate) fn stop(&self) {
        if !self.helpers.stop(limits::TOKEN_STOP) {
            // One of them waits for the token. It ends with the process.
            return;
        }
        let opened = self.state.write().unwrap_or_else(PoisonError::into_inner).opened.take();
        if let Some(opened) = opened {
            opened.close();
        }
    }
}

impl Health {
    /// Whether the last signature did not fail.
    fn is_well(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }

    /// Why not to try again yet.
    fn pause(&self, now: Moment) -> Option<Problem> {
        let health = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        health
            .as_ref()
            .filter(|(at, _)| now.since(*at) < limits::TOKEN_PAUSE)
            .map(|(_, problem)| problem.clone())
    }

    /// Notes a failure; whether it is the first.
    fn falls_ill(&self, now: Moment, problem: &Problem) -> bool {
        let mut health = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        health.replace((now, problem.clone())).is_none()
    }

    /// Notes a success; whether there was a failure before.
    fn recovers(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take().is_some()
    }
}

/// The PIN, wherever it is.
fn read(pin: &Pin) -> Result<Secret, Problem> {
    let path = match pin {
        Pin::Value(secret) => return Ok(secret.clone()),
        Pin::File(path) => path,
    };
    let failed =
        |reason: String| Problem::new(format!("the PIN in {} cannot be read: {reason}", path.display()));
    let mut bytes = Vec::new();
    fs::File::open(path)
        .and_then(|file| file.take(limits::PIN_BYTES).read_to_end(&mut bytes))
        .map_err(|error| failed(error.to_string()))?;
    // A byte order mark would be a wrong PIN, of which a token takes few.
    let text = plan::text::decode(bytes).map_err(|foreign| failed(foreign.to_string()))?;
    if text.contains(char::REPLACEMENT_CHARACTER) {
        return Err(failed("it is not UTF-8".to_owned()));
    }
    match text.lines().next() {
        Some(line) if !line.is_empty() => Ok(Secret::new(line)),
        _ => Err(failed("its first line is empty".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    pub(super) fn token() -> Arc<Token> {
        token_at(Clock::system())
    }

    fn token_at(clock: Clock) -> Arc<Token> {
        let plan = Plan::at("/nowhere/module.so", "pound.cfg:1");
        Arc::new(Token::new(&plan, clock))
    }

    fn failed(cure: Cure) -> Result<(), Failed> {
        let mut problem = Problem::new("CKM_X fails");
        problem.cure = cure;
        Err(Failed::Key(problem))
    }

    #[test]
    fn a_scheme_that_is_refused_takes_the_key_from_nobody() {
        let key = key::tests::key(key::tests::rsa(), &[SignatureScheme::RSA_PSS_SHA256]);
        let token = key.token().clone();
        for _ in 0..2 {
            assert!(token.judge(&key, failed(Cure::OtherScheme)).is_err());
            assert!(key.health().pause(token.clock.now()).is_none());
        }
        let told = token.next_news().unwrap().1;
        assert!(told.contains("CKM_X fails; handshakes that want this fail"), "{told}");
        assert!(token.next_news().is_none());
        assert!(token.judge(&key, failed(Cure::None)).is_err());
        assert!(key.health().pause(token.clock.now()).is_some());
    }

    #[test]
    fn a_key_without_pss_is_told_of() {
        let key = key::tests::key(key::tests::rsa(), &[]);
        let token = key.token().clone();
        let mut pkcs1 = Schemes::default();
        pkcs1.add(key.public(), SignatureScheme::RSA_PKCS1_SHA256);
        token.learn(&key, pkcs1);
        token.learn(&key, pkcs1);
        assert!(token.next_news().unwrap().1.contains("TLS 1.3 is not spoken with it"));
        assert!(token.next_news().is_none());
    }

    #[test]
    fn a_token_that_was_silent_is_not_asked_for_every_key() {
        let key = key::tests::key(key::tests::ecdsa(), &[SignatureScheme::ECDSA_NISTP256_SHA256]);
        let token = key.token().clone();
        // There are no helpers, so nobody answers.
        let begun = std::time::Instant::now();
        for _ in 0..50 {
            assert_eq!(token.check_soon(&key), Err("the token does not answer".to_owned()));
        }
        assert!(begun.elapsed() < 2 * limits::TOKEN_CHECK);
    }

    #[test]
    fn a_token_is_not_begun_again_more_than_once_a_second() {
        let (clock, hand) = Clock::manual();
        let token = token_at(clock);
        let mut problem = Problem::new("a signature fails");
        problem.cure = Cure::BeginAgain;
        let tries = || token.state.read().unwrap().tries;
        let again = || {
            let before = tries();
            token.open_again(before, Some(problem.clone())).unwrap_err().text
        };
        token.state.write().unwrap().reopened = Some(token.clock.now());
        hand.advance(limits::TOKEN_PAUSE - Duration::from_millis(1));
        assert_eq!(again(), "a signature fails");
        assert_eq!(tries(), 0);
        hand.advance(Duration::from_millis(1));
        assert!(again().contains("cannot be loaded"));
        assert_eq!(tries(), 1);
    }

    #[test]
    fn a_key_that_fails_rests_for_a_moment() {
        let health = Health::default();
        let (clock, hand) = Clock::manual();
        let start = clock.now();
        let at = |ms: u64| {
            let ahead = Duration::from_millis(ms).saturating_sub(clock.now().since(start));
            hand.advance(ahead);
            clock.now()
        };
        let problem = Problem::new("x");
        assert!(health.pause(at(0)).is_none());
        assert!(health.falls_ill(at(0), &problem));
        assert!(health.pause(at(999)).is_some());
        assert!(health.pause(at(1000)).is_none());
        assert!(!health.falls_ill(at(1000), &problem), "told already");
        assert!(health.recovers());
        assert!(!health.recovers());
        assert!(health.pause(at(1001)).is_none());
    }

    #[test]
    fn a_pin_is_the_first_line_of_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pin");
        let check = |text: &str, expect: Option<&str>| {
            fs::write(&file, text).unwrap();
            let found = read(&Pin::File(file.clone())).ok();
            assert_eq!(found.as_ref().map(Secret::reveal), expect);
        };
        check("4711\n", Some("4711"));
        check("4711\r\nsecond", Some("4711"));
        check("", None);
        check("\n4711\n", None);
        fs::remove_file(&file).unwrap();
        assert!(read(&Pin::File(file)).unwrap_err().text.contains("cannot be read"));
    }
}
