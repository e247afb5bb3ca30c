//! A small HTTP client: what asks in the demo. `std::net` and nothing of pound's own HTTP code, as with the origins.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::origin::{COOKIE, WHO};

/// Longer than any answer of the demo may take; whoever waits longer has found a fault.
const PATIENCE: Duration = Duration::from_secs(10);
/// Longest head or body of an answer that is taken.
const MESSAGE_BYTES: usize = 64 * 1024;

/// One client with one keep-alive connection.
#[derive(Debug)]
pub(super) struct Client {
    address: SocketAddr,
    stream: Option<TcpStream>,
    buffer: Vec<u8>,
}

/// An answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// The status code.
    pub(super) status: u16,
    /// Who answered; empty if it was none of the origins.
    pub(super) who: String,
    /// The session that was given.
    pub(super) session: Option<String>,
    /// The connection is closed after it.
    pub(super) closes: bool,
    /// The content.
    pub(super) body: String,
}

impl Client {
    /// One that asks at this address; it connects when it has something to ask.
    pub(super) fn new(address: SocketAddr) -> Client {
        Client { address, stream: None, buffer: Vec::new() }
    }

    /// Sends a request and waits for the answer. The connection is kept if the answer allows it.
    ///
    /// # Errors
    /// No connection, a connection that breaks, or an answer that is no HTTP: the demo counts each as failed.
    pub(super) fn send(
        &mut self,
        method: &str,
        target: &str,
        session: Option<&str>,
        body: &[u8],
    ) -> io::Result<Answer> {
        let outcome = self.exchange(method, target, session, body);
        if outcome.as_ref().map_or(true, |answer| answer.closes) {
            self.stream = None;
            self.buffer.clear();
        }
        outcome
    }

    fn exchange(
        &mut self,
        method: &str,
        target: &str,
        session: Option<&str>,
        body: &[u8],
    ) -> io::Result<Answer> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            None => {
                let stream = TcpStream::connect(self.address)?;
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_write_timeout(Some(PATIENCE))?;
                self.stream.insert(stream)
            }
        };
        let mut request = format!("{method} {target} HTTP/1.1\r\nHost: {}\r\n", self.address);
        if let Some(session) = session {
            request += &format!("Cookie: {COOKIE}={session}\r\n");
        }
        if !body.is_empty() {
            request += &format!("Content-Type: text/plain\r\nContent-Length: {}\r\n", body.len());
        }
        request += "\r\n";
        let mut bytes = request.into_bytes();
        bytes.extend_from_slice(body);
        stream.write_all(&bytes)?;

        let buffer = &mut self.buffer;
        let end = loop {
            match buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                Some(end) => break end,
                None => more(stream, buffer)?,
            }
        };
        let (mut answer, size) = parse(&String::from_utf8_lossy(&buffer[..end]))
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "an answer that is no HTTP"))?;
        while buffer.len() < end + 4 + size {
            more(stream, buffer)?;
        }
        answer.body = String::from_utf8_lossy(&buffer[end + 4..end + 4 + size]).into_owned();
        buffer.drain(..end + 4 + size);
        Ok(answer)
    }
}

fn more(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<()> {
    let mut chunk = [0; 4096];
    match stream.read(&mut chunk)? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ if buffer.len() > 2 * MESSAGE_BYTES => {
            Err(io::Error::new(io::ErrorKind::InvalidData, "an answer without end"))
        }
        size => {
            buffer.extend_from_slice(&chunk[..size]);
            Ok(())
        }
    }
}

/// Reads the head of an answer, and how long its content is. Origins and pound give the length of what they send.
fn parse(head: &str) -> Option<(Answer, usize)> {
    let mut lines = head.split("\r\n");
    let mut words = lines.next()?.split(' ');
    let version = words.next().filter(|version| version.starts_with("HTTP/1."))?;
    let mut answer = Answer {
        status: words.next()?.parse().ok()?,
        who: String::new(),
        session: None,
        closes: version == "HTTP/1.0",
        body: String::new(),
    };
    let mut size = None;
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        let value = value.trim();
        if name.eq_ignore_ascii_case("Content-Length") {
            size = value.parse().ok().filter(|size| *size <= MESSAGE_BYTES);
        } else if name.eq_ignore_ascii_case("Connection") {
            answer.closes |= value.eq_ignore_ascii_case("close");
        } else if name.eq_ignore_ascii_case(WHO) {
            value.clone_into(&mut answer.who);
        } else if name.eq_ignore_ascii_case("Set-Cookie") {
            let pair = value.split(';').next()?.split_once('=')?;
            answer.session = (pair.0 == COOKIE).then(|| pair.1.to_owned());
        }
    }
    Some((answer, size?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_an_answer() {
        let (answer, size) = parse(
            "HTTP/1.1 200 OK\r\ncontent-length: 7\r\nx-origin: amber\r\nSet-Cookie: demo=amber-1; Path=/\r\nConnection: close",
        )
        .unwrap();
        assert_eq!((answer.status, answer.who.as_str(), size), (200, "amber", 7));
        assert_eq!(answer.session.as_deref(), Some("amber-1"));
        assert!(answer.closes);
    }

    #[test]
    fn refuses_what_is_no_answer() {
        for head in ["", "SSH-2.0-x", "HTTP/1.1 fine\r\nContent-Length: 1", "HTTP/1.1 200 OK", "HTTP/2 200"] {
            assert!(parse(head).is_none(), "{head}");
        }
    }
}
