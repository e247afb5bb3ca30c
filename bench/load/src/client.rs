//! One client connection: what it is sending, what it waits for.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use crate::response::{Progress, Response};

/// What large bodies are made of; also the most that one write carries.
static FILLER: [u8; 256 * 1024] = [b'x'; 256 * 1024];

/// A connection and the request on it.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    pub(crate) response: Response,
    /// The request, and how much of it went.
    pub(crate) out: Vec<u8>,
    sent: usize,
    filler: u64,
    /// When the request on it began, or ought to have; nothing when it is free.
    pub(crate) began: Option<Instant>,
}

/// How a client stands after the socket was looked at.
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
    pub(crate) fn connect(address: SocketAddr) -> std::io::Result<Self> {
        // On loopback a connection is made at once or refused at once.
        let stream = TcpStream::connect(address)?;
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        let response = Response::new();
        Ok(Client { stream, response, out: Vec::new(), sent: 0, filler: 0, began: None })
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
        if (self.sent < self.out.len() || self.filler > 0) && self.send(volume).is_err() {
            return Step::Failed;
        }
        loop {
            match self.stream.read(scratch) {
                Ok(0) => {
                    let ended = self.response.ends_with_connection() && self.began.is_some();
                    return if ended { Step::Answered { reusable: false } } else { Step::Failed };
                }
                Ok(read) => {
                    volume.received += read as u64;
                    match self.response.take(&scratch[..read]) {
                        Progress::Broken => return Step::Failed,
                        Progress::Done => return Step::Answered { reusable: !self.response.close },
                        Progress::More if read < scratch.len() => return Step::Waits,
                        Progress::More => {}
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Step::Waits,
                Err(_) => return Step::Failed,
            }
        }
    }

    fn send(&mut self, volume: &mut Volume) -> std::io::Result<()> {
        loop {
            let rest = &self.out[self.sent..];
            let filler = usize::try_from(self.filler).unwrap_or(FILLER.len()).min(FILLER.len());
            if rest.is_empty() && filler == 0 {
                return Ok(());
            }
            let bytes = if rest.is_empty() { &FILLER[..filler] } else { rest };
            match self.stream.write(bytes) {
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
