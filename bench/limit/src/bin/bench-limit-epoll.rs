//! The floor for any proxy: bytes copied between pairs of sockets by a plain, edge-triggered epoll loop.
//!
//! One thread, one connection to the origin for each of the client's, no look at the bytes. With `--splice` they go from
//! socket to socket through a pipe (splice(2)) and never into this program: to see where that pays.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::ExitCode;

use rustix::event::epoll;
use rustix::fd::OwnedFd;
use rustix::pipe::{PipeFlags, SpliceFlags, pipe_with, splice};

/// Bytes moved per read. On loopback 16 KiB cost 490 ms of CPU per GiB, 64 KiB 210 and 256 KiB 135 (sum of both ends).
const BUFFER: usize = 256 * 1024;

/// Events taken from the kernel per call.
const EVENTS: usize = 256;

/// Clients that may wait to be taken.
const QUEUE: i32 = 4096;

/// Pairs served at once.
const PAIRS_MAX: usize = 32_768;

/// The token of the listener; pairs use `2 * index` and `2 * index + 1`.
const LISTENER: u64 = u64::MAX;

fn main() -> ExitCode {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let all = arguments.len();
    arguments.retain(|argument| argument != "--splice");
    let spliced = arguments.len() < all;
    let [listen, origin] = arguments.as_slice() else {
        eprintln!("Usage: bench-limit-epoll [--splice] ADDRESS:PORT ORIGIN:PORT");
        return ExitCode::from(2);
    };
    let result = origin
        .parse()
        .map_err(|error| std::io::Error::new(ErrorKind::InvalidInput, error))
        .and_then(|origin| serve(listen, origin, spliced));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-limit-epoll {listen} {origin}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Two sockets and what one has not taken of the other's bytes.
struct Pair {
    sockets: [TcpStream; 2],
    /// `waiting[i]` was read from the other socket and is still to be written to socket `i`.
    waiting: [Vec<u8>; 2],
    /// Whether socket `i` has told its end.
    ended: [bool; 2],
    /// With `--splice`: `pipes[i]` holds what waits for socket `i`.
    pipes: Option<[Pipe; 2]>,
}

/// A pipe and how many bytes are in it.
struct Pipe {
    out: OwnedFd,
    into: OwnedFd,
    held: usize,
}

impl Pipe {
    fn new() -> std::io::Result<Pipe> {
        let (out, into) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        // As much as a read into the buffer takes; where the user's share of pipe memory is used up, the usual size.
        let _ = rustix::pipe::fcntl_setpipe_size(&into, BUFFER);
        Ok(Pipe { out, into, held: 0 })
    }
}

impl Pair {
    /// Moves what can be moved through the pipe; whether the pair lives on.
    fn splice(&mut self, from: usize) -> bool {
        let to = 1 - from;
        let Pair { sockets, ended, pipes: Some(pipes), .. } = self else { return false };
        let pipe = &mut pipes[to];
        let flags = SpliceFlags::MOVE | SpliceFlags::NONBLOCK;
        loop {
            while pipe.held > 0 {
                match splice(&pipe.out, None, &sockets[to], None, pipe.held, flags) {
                    Ok(moved) => pipe.held -= moved,
                    Err(rustix::io::Errno::AGAIN) => return true,
                    Err(_) => return false,
                }
            }
            if ended[from] {
                return !ended[to];
            }
            match splice(&sockets[from], None, &pipe.into, None, BUFFER, flags) {
                Ok(0) => {
                    ended[from] = true;
                    let _ = sockets[to].shutdown(Shutdown::Write);
                }
                Ok(moved) => pipe.held += moved,
                Err(rustix::io::Errno::AGAIN) => return true,
                Err(_) => return false,
            }
        }
    }

    /// Moves what can be moved from one side to the other; whether the pair lives on.
    fn copy(&mut self, from: usize, buffer: &mut [u8]) -> bool {
        if self.pipes.is_some() {
            return self.splice(from);
        }
        let to = 1 - from;
        while self.waiting[to].is_empty() && !self.ended[from] {
            match self.sockets[from].read(buffer) {
                Ok(0) => {
                    self.ended[from] = true;
                    let _ = self.sockets[to].shutdown(Shutdown::Write);
                }
                Ok(read) => {
                    if !self.write(to, &buffer[..read]) {
                        return false;
                    }
                    // A short read has emptied the socket; the next bytes bring a new event.
                    if read < buffer.len() {
                        break;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => return false,
            }
        }
        !(self.ended[0] && self.ended[1])
    }

    fn write(&mut self, to: usize, bytes: &[u8]) -> bool {
        match self.sockets[to].write(bytes) {
            Ok(written) => self.waiting[to].extend_from_slice(&bytes[written..]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => self.waiting[to].extend_from_slice(bytes),
            Err(_) => return false,
        }
        true
    }

    /// Writes what waited for socket `to`, then goes on reading from the other.
    fn drain(&mut self, to: usize, buffer: &mut [u8]) -> bool {
        if self.pipes.is_some() {
            return self.splice(1 - to);
        }
        if self.waiting[to].is_empty() {
            return true;
        }
        let bytes = std::mem::take(&mut self.waiting[to]);
        self.write(to, &bytes) && (!self.waiting[to].is_empty() || self.copy(1 - to, buffer))
    }
}

fn serve(listen: &str, origin: SocketAddr, spliced: bool) -> std::io::Result<()> {
    let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let listener = TcpListener::bind(listen)?;
    // The standard library queues 128: of a thousand clients that come at once, the others would wait a second and more.
    rustix::net::listen(&listener, QUEUE)?;
    listener.set_nonblocking(true)?;
    epoll::add(&poll, &listener, epoll::EventData::new_u64(LISTENER), epoll::EventFlags::IN)?;
    let mut pairs: Vec<Option<Pair>> = Vec::new();
    let mut free: Vec<usize> = Vec::new();
    let mut buffer = vec![0; BUFFER];
    let mut events = Vec::with_capacity(EVENTS);
    loop {
        events.clear();
        match epoll::wait(&poll, rustix::buffer::spare_capacity(&mut events), None) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        }
        for event in &events {
            let token = event.data.u64();
            if token == LISTENER {
                accept(&poll, &listener, origin, spliced, &mut pairs, &mut free)?;
                continue;
            }
            let (index, side) = ((token / 2) as usize, (token % 2) as usize);
            let Some(Some(pair)) = pairs.get_mut(index) else { continue };
            let flags = event.flags;
            let mut lives = true;
            if flags.intersects(epoll::EventFlags::OUT) {
                lives = pair.drain(side, &mut buffer);
            }
            if lives
                && flags.intersects(epoll::EventFlags::IN | epoll::EventFlags::HUP | epoll::EventFlags::ERR)
            {
                lives = pair.copy(side, &mut buffer);
            }
            if !lives {
                pairs[index] = None;
                free.push(index);
            }
        }
    }
}

fn accept(
    poll: &OwnedFd,
    listener: &TcpListener,
    origin: SocketAddr,
    spliced: bool,
    pairs: &mut Vec<Option<Pair>>,
    free: &mut Vec<usize>,
) -> std::io::Result<()> {
    loop {
        let client = match listener.accept() {
            Ok((client, _)) => client,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) if error.kind() == ErrorKind::ConnectionAborted => continue,
            Err(error) => return Err(error),
        };
        // On loopback a connection is made at once or refused at once.
        let Ok(server) = TcpStream::connect(origin) else { continue };
        let index = match free.pop() {
            Some(index) => index,
            None if pairs.len() < PAIRS_MAX => {
                pairs.push(None);
                pairs.len() - 1
            }
            None => continue,
        };
        let sockets = [client, server];
        for (socket, side) in sockets.iter().zip(0u64..) {
            socket.set_nonblocking(true)?;
            socket.set_nodelay(true)?;
            epoll::add(
                poll,
                socket,
                epoll::EventData::new_u64(2 * index as u64 + side),
                epoll::EventFlags::IN | epoll::EventFlags::OUT | epoll::EventFlags::ET,
            )?;
        }
        let pipes = if spliced { Some([Pipe::new()?, Pipe::new()?]) } else { None };
        pairs[index] = Some(Pair { sockets, waiting: [Vec::new(), Vec::new()], ended: [false; 2], pipes });
    }
}
