//! A small origin server: what stands behind `pound` in the demo.
//!
//! One thread for each connection and `std::net`, nothing of pound's own HTTP code: the demo shows pound speaking to a
//! stranger. It can go away and come back as a server does that is restarted: it stops listening, answers what still
//! comes over open connections with `Connection: close`, and closes those that stay idle.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// The cookie that carries a session.
pub(super) const COOKIE: &str = "demo";
/// The field that says who answered.
pub(super) const WHO: &str = "X-Origin";

/// How often a thread that waits looks whether the server is to go away.
const LOOK_MS: u16 = 20;
/// How long an idle connection is kept after the server stopped listening. It is longer than any pause between two
/// requests of the demo's own traffic, so that none is on its way when the connection is closed.
const LINGER: Duration = Duration::from_secs(1);
/// Longest head or body; the demo's own are below 1 KiB.
const MESSAGE_BYTES: usize = 64 * 1024;
/// Connections at a time; pound keeps a few idle ones for each of its workers.
const CONNECTIONS_MAX: usize = 512;
/// Visitors that are remembered; then the memory starts anew, as if the servers had been restarted.
const VISITORS_MAX: usize = 10_000;

/// Visits by session, shared by the origins as a cluster shares its database: a session that moves goes on.
#[derive(Debug, Default)]
pub(super) struct Visits {
    by_session: Mutex<HashMap<String, u64>>,
    given: AtomicU64,
}

/// One origin. It runs until it is dropped.
#[derive(Debug)]
pub(super) struct Origin {
    /// What it calls itself in its answers.
    pub(super) name: &'static str,
    /// Where it listens while it is up.
    pub(super) address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    name: &'static str,
    visits: Arc<Visits>,
    /// How often it has gone away or come back: even while it listens.
    turns: AtomicUsize,
    connections: AtomicUsize,
}

impl Origin {
    /// Starts one on the first free port from `port` on that is not in `not`.
    pub(super) fn start(
        name: &'static str,
        port: u16,
        not: &[u16],
        visits: &Arc<Visits>,
    ) -> io::Result<Origin> {
        let listener = first_free(port, not)?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            name,
            visits: visits.clone(),
            turns: AtomicUsize::new(0),
            connections: AtomicUsize::new(0),
        });
        let origin = Origin { name, address, shared };
        origin.listen(listener)?;
        Ok(origin)
    }

    /// Goes away, if it is there.
    pub(super) fn go_down(&self) {
        if self.shared.is_up() {
            self.shared.turns.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Listens again, on the port it had.
    pub(super) fn come_up(&self) -> io::Result<()> {
        // std binds with SO_REUSEADDR, so connections of the former life that are still dying do not matter.
        let listener = TcpListener::bind(self.address)?;
        if !self.shared.is_up() {
            self.shared.turns.fetch_add(1, Ordering::SeqCst);
        }
        self.listen(listener)
    }

    /// How often it has gone away or come back so far: even while it listens.
    pub(super) fn turns(&self) -> usize {
        self.shared.turns.load(Ordering::SeqCst)
    }

    fn listen(&self, listener: TcpListener) -> io::Result<()> {
        listener.set_nonblocking(true)?;
        let shared = self.shared.clone();
        let life = self.turns();
        std::thread::Builder::new()
            .name(format!("origin {}", self.name))
            .spawn(move || accept(&listener, &shared, life))?;
        Ok(())
    }
}

impl Shared {
    fn is_up(&self) -> bool {
        self.turns.load(Ordering::SeqCst).is_multiple_of(2)
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.go_down();
    }
}

fn first_free(port: u16, not: &[u16]) -> io::Result<TcpListener> {
    let mut last = io::Error::from(io::ErrorKind::AddrInUse);
    for port in (port..=u16::MAX).filter(|port| !not.contains(port)).take(super::PORTS_TRIED) {
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(listener) => return Ok(listener),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Takes connections until the server goes away; `life` is the number of its turns while it is there.
fn accept(listener: &TcpListener, shared: &Arc<Shared>, life: usize) {
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                if shared.connections.fetch_add(1, Ordering::Relaxed) >= CONNECTIONS_MAX {
                    shared.connections.fetch_sub(1, Ordering::Relaxed);
                    continue;
                }
                let for_thread = shared.clone();
                let thread =
                    std::thread::Builder::new().name(format!("origin {}", shared.name)).spawn(move || {
                        // A connection that breaks is pound's to notice.
                        let _ = converse(stream, &for_thread);
                        for_thread.connections.fetch_sub(1, Ordering::Relaxed);
                    });
                if thread.is_err() {
                    shared.connections.fetch_sub(1, Ordering::Relaxed);
                }
            }
            // Only with nobody waiting: who is in the queue when a listening socket closes is cut off.
            Err(_) if shared.turns.load(Ordering::SeqCst) != life => return,
            Err(_) => {
                let mut watched = [PollFd::new(listener.as_fd(), PollFlags::POLLIN)];
                let _ = poll(&mut watched, PollTimeout::from(LOOK_MS));
            }
        }
    }
}

/// Answers one request after the other.
fn converse(mut stream: TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(Duration::from_millis(u64::from(LOOK_MS))))?;
    let mut buffer = Vec::new();
    loop {
        let Some(head) = read_head(&mut stream, &mut buffer, shared)? else { return Ok(()) };
        let request = Request::parse(&head);
        let Some(size) = request.body_size.filter(|size| *size <= MESSAGE_BYTES) else {
            stream.write_all(
                b"HTTP/1.1 411 Length Required\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            )?;
            return Ok(());
        };
        while buffer.len() < size {
            if !more(&mut stream, &mut buffer, shared, false)? {
                return Ok(());
            }
        }
        buffer.drain(..size);
        let leaving = !shared.is_up() || request.close;
        stream.write_all(&answer(&request, size, leaving, shared))?;
        if leaving {
            return Ok(());
        }
    }
}

/// Reads up to the empty line; `None` if the connection ends, or if the server goes away and nothing comes.
fn read_head(stream: &mut TcpStream, buffer: &mut Vec<u8>, shared: &Shared) -> io::Result<Option<String>> {
    loop {
        if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
            buffer.drain(..end + 4);
            return Ok(Some(head));
        }
        if buffer.len() > MESSAGE_BYTES || !more(stream, buffer, shared, buffer.is_empty())? {
            return Ok(None);
        }
    }
}

/// Reads what comes; false at the end. A connection that is `idle` ends when the server has gone away.
fn more(stream: &mut TcpStream, buffer: &mut Vec<u8>, shared: &Shared, idle: bool) -> io::Result<bool> {
    let mut leaving: Option<Instant> = None;
    let mut chunk = [0; 4096];
    loop {
        match stream.read(&mut chunk) {
            Ok(0) => return Ok(false),
            Ok(size) => {
                buffer.extend_from_slice(&chunk[..size]);
                return Ok(true);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                if !shared.is_up() {
                    let since = *leaving.get_or_insert_with(Instant::now);
                    if idle && since.elapsed() >= LINGER {
                        return Ok(false);
                    }
                } else {
                    leaving = None;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// As much of a request as an answer needs.
#[derive(Debug, PartialEq, Eq)]
struct Request {
    method: String,
    target: String,
    session: Option<String>,
    /// `None` if it cannot be told.
    body_size: Option<usize>,
    close: bool,
}

impl Request {
    fn parse(head: &str) -> Request {
        let mut lines = head.split("\r\n");
        let mut words = lines.next().unwrap_or_default().split(' ');
        let mut request = Request {
            method: words.next().unwrap_or_default().to_owned(),
            target: words.next().unwrap_or_default().to_owned(),
            session: None,
            body_size: Some(0),
            close: words.next() == Some("HTTP/1.0"),
        };
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            let value = value.trim();
            match name.to_ascii_lowercase().as_str() {
                "content-length" => request.body_size = value.parse().ok(),
                "transfer-encoding" => request.body_size = None,
                "connection" => request.close |= value.eq_ignore_ascii_case("close"),
                "cookie" => {
                    let pairs = value.split(';').filter_map(|pair| pair.trim().split_once('='));
                    request.session =
                        pairs.filter(|(name, _)| *name == COOKIE).map(|(_, value)| value.to_owned()).next();
                }
                _ => {}
            }
        }
        request
    }
}

fn answer(request: &Request, size: usize, leaving: bool, shared: &Shared) -> Vec<u8> {
    use std::fmt::Write;
    let mut body = format!("{}: {} {}\n", shared.name, request.method, request.target);
    let mut cookie = String::new();
    // Writing to a String cannot fail.
    if size > 0 {
        let _ = writeln!(body, "took {size} bytes");
    }
    if request.target.starts_with("/session") {
        let (session, new) = match &request.session {
            Some(session) => (session.clone(), false),
            None => (shared.visits.give(shared.name), true),
        };
        let visit = shared.visits.count(&session);
        let _ = writeln!(body, "session {session}, visit {visit}");
        if new {
            cookie = format!("Set-Cookie: {COOKIE}={session}; Path=/\r\n");
        }
    }
    let close = if leaving { "Connection: close\r\n" } else { "" };
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n{WHO}: {}\r\n{cookie}{close}\r\n",
        body.len(),
        shared.name
    );
    if request.method == "HEAD" { head.into_bytes() } else { (head + &body).into_bytes() }
}

impl Visits {
    /// A new session, named after the server that began it.
    fn give(&self, name: &str) -> String {
        format!("{name}-{}", self.given.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// Counts a visit.
    fn count(&self, session: &str) -> u64 {
        let mut by_session = self.by_session.lock().unwrap_or_else(PoisonError::into_inner);
        if by_session.len() >= VISITORS_MAX && !by_session.contains_key(session) {
            by_session.clear();
        }
        // A visitor may send any text for a session; what is remembered of it is bounded.
        let session: String = session.chars().take(64).collect();
        let visits = by_session.entry(session).or_default();
        *visits += 1;
        *visits
    }
}

#[cfg(test)]
mod tests {
    use super::super::client::Client;
    use super::*;

    #[test]
    fn reads_what_an_answer_needs() {
        let request = Request::parse(
            "POST /session?a=b HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nCookie: a=b; demo=amber-1\r\nConnection: close",
        );
        let expect = Request {
            method: "POST".into(),
            target: "/session?a=b".into(),
            session: Some("amber-1".into()),
            body_size: Some(5),
            close: true,
        };
        assert_eq!(request, expect);
        assert_eq!(Request::parse("GET / HTTP/1.1\r\nTransfer-Encoding: chunked").body_size, None);
        assert_eq!(Request::parse("").body_size, Some(0));
    }

    #[test]
    fn answers_goes_away_and_comes_back() {
        let visits = Arc::default();
        // Port 0 in a range of one: the system chooses, so tests that run side by side never meet.
        let origin = Origin::start("amber", 0, &[], &visits).unwrap();
        let mut client = Client::new(origin.address);
        let first = client.send("GET", "/session", None, b"").unwrap();
        assert_eq!((first.status, first.who.as_str()), (200, "amber"));
        let session = first.session.unwrap();
        assert!(first.body.ends_with(&format!("session {session}, visit 1\n")), "{}", first.body);
        let second = client.send("POST", "/session", Some(&session), b"hello").unwrap();
        assert!(
            second.body.contains("took 5 bytes") && second.body.ends_with("visit 2\n"),
            "{}",
            second.body
        );

        origin.go_down();
        let last = client.send("GET", "/", None, b"").unwrap();
        assert!(last.closes, "an open connection is answered once more, and closed");
        let end = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(origin.address).is_ok() {
            assert!(Instant::now() < end, "it still listens");
            std::thread::yield_now();
        }
        origin.come_up().unwrap();
        assert_eq!(Client::new(origin.address).send("GET", "/", None, b"").unwrap().who, "amber");
        assert_eq!(origin.turns(), 2);
    }
}
