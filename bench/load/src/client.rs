//! One client connection: what it is sending, what it waits for.

use std::io::{BufRead, Error, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use rustls::ClientConnection;

use crate::response::{Progress, Response};
use crate::tls::Tls;

/// What large bodies are made of; also the most that one write carries.
static FILLER: [u8; 256 * 1024] = [b'x'; 256 * 1024];

/// A connection and the request on it.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    pub(crate) tls: Option<Box<ClientConnection>>,
    pub(crate) response: Response,
    /// The request, and how much of it went.
    pub(crate) out: Vec<u8>,
    sent: usize,
    filler: u64,
    /// When the request on it began, or ought to have; nothing when it is free.
    pub(crate) began: Option<Instant>,
    /// Nagle's algorithm is on, and a request is written by itself.
    nagle: bool,
}

/// How a client stands after the socket was looked at.
#[derive(Clone, Copy)]
pub(crate) enum Step {
    Waits,
    /// The answer has come, with this status; the connection may be used again or not.
    Answered {
        reusable: bool,
    },
    Failed,
}

/// Bytes moved, whatever became of their requests.
#[derive(Clone, Copy, Default)]
pub(crate) struct Volume {
    pub(crate) sent: u64,
    pub(crate) received: u64,
}

impl Client {
    /// Connects; with TLS, the handshake is made when the first request begins.
    pub(crate) fn connect(address: SocketAddr, tls: Option<&Tls>, nagle: bool) -> std::io::Result<Self> {
        // On loopback a connection is made at once or refused at once.
        let stream = TcpStream::connect(address)?;
        stream.set_nonblocking(true)?;
        stream.set_nodelay(!nagle)?;
        let tls = tls.map(Tls::begin).transpose()?.map(Box::new);
        let response = Response::new();
        Ok(Client { stream, tls, response, out: Vec::new(), sent: 0, filler: 0, began: None, nagle })
    }

    /// Begins the request that is in `out`, followed by `filler` bytes.
    pub(crate) fn begin(&mut self, filler: u64, at: Instant, volume: &mut Volume) -> Step {
        self.sent = 0;
        self.filler = filler;
        self.began = Some(at);
        if self.send(volume).is_err() { Step::Failed } else { Step::Waits }
    }

    /// Goes on with what the socket allows.
    pub(crate) fn ready(&mut self, scratch: &mut [u8], volume: &mut Volume) -> Step {
        if self.is_sending() && self.send(volume).is_err() {
            return Step::Failed;
        }
        loop {
            match self.stream.read(scratch) {
                Ok(0) => {
                    let ended = self.response.ends_with_connection() && self.began.is_some();
                    return if ended { Step::Answered { reusable: false } } else { Step::Failed };
                }
                Ok(read) => {
                    let bytes = &scratch[..read];
                    let step = match &mut self.tls {
                        None => {
                            volume.received += read as u64;
                            step(&mut self.response, bytes)
                        }
                        Some(tls) => decrypt(tls, bytes, &mut self.response, volume),
                    };
                    if !matches!(step, Step::Waits) {
                        return step;
                    }
                    // The next flight of a handshake, and what waited for its end.
                    if self.is_sending() && self.send(volume).is_err() {
                        return Step::Failed;
                    }
                    if read < scratch.len() {
                        return Step::Waits;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Step::Waits,
                Err(_) => return Step::Failed,
            }
        }
    }

    fn is_sending(&self) -> bool {
        let encrypted = self.tls.as_ref().is_some_and(|tls| tls.wants_write());
        encrypted || self.sent < self.out.len() || self.filler > 0
    }

    fn send(&mut self, volume: &mut Volume) -> std::io::Result<()> {
        loop {
            if let Some(tls) = &mut self.tls {
                while tls.wants_write() {
                    match tls.write_tls(&mut self.stream) {
                        Ok(_) => {}
                        Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                        Err(error) => return Err(error),
                    }
                }
                // What rustls is given now would go out together with the end of the handshake.
                if self.nagle && tls.is_handshaking() {
                    return Ok(());
                }
            }
            let rest = &self.out[self.sent..];
            let filler = usize::try_from(self.filler).unwrap_or(FILLER.len()).min(FILLER.len());
            if rest.is_empty() && filler == 0 {
                return Ok(());
            }
            let bytes = if rest.is_empty() { &FILLER[..filler] } else { rest };
            let written = match &mut self.tls {
                // During the handshake it keeps some of what will be sent, and then no more.
                Some(tls) => match tls.writer().write(bytes) {
                    Ok(0) => return Ok(()),
                    written => written,
                },
                None => self.stream.write(bytes),
            };
            match written {
                Ok(written) => {
                    volume.sent += written as u64;
                    if rest.is_empty() {
                        self.filler -= written as u64;
                    } else {
                        self.sent += written;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }
}

/// What some bytes of an answer mean for its connection.
fn step(response: &mut Response, bytes: &[u8]) -> Step {
    match response.take(bytes) {
        Progress::Broken => Step::Failed,
        Progress::Done => Step::Answered { reusable: !response.close },
        Progress::More => Step::Waits,
    }
}

/// Reads all of some ciphertext: what stands behind an answer in it (tickets, a farewell) is not seen again.
fn decrypt(tls: &mut ClientConnection, bytes: &[u8], response: &mut Response, volume: &mut Volume) -> Step {
    let mut answered = Step::Waits;
    let mut bytes = bytes;
    while !bytes.is_empty() {
        let taken = tls.read_tls(&mut bytes).and_then(|taken| match tls.process_new_packets() {
            Ok(_) => Ok(taken),
            Err(error) => Err(Error::new(ErrorKind::InvalidData, error)),
        });
        match taken {
            Ok(1..) => {}
            // Behind a farewell there is nothing.
            Ok(0) => return answered,
            Err(_) => return Step::Failed,
        }
        loop {
            let mut reader = tls.reader();
            let chunk = match reader.fill_buf() {
                Ok([]) => break,
                Ok(chunk) => chunk,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => return Step::Failed,
            };
            if !matches!(answered, Step::Waits) {
                // Nobody asked for this.
                return Step::Failed;
            }
            answered = step(response, chunk);
            let length = chunk.len();
            volume.received += length as u64;
            reader.consume(length);
        }
    }
    answered
}
