//! The origin of every benchmark: HTTP/1 on one thread, level-triggered epoll, one read and one write
//! per small request.
//!
//! It trusts its peers (our own load tool and proxies under test) as no server may: heads must fit
//! into one buffer and are looked at for the few fields that matter here. What it answers is in
//! `answer.rs`; how it reads a request in `request.rs`.

mod answer;
mod connection;
mod request;

use std::net::TcpListener;
use std::os::fd::AsFd;
use std::process::ExitCode;

use rustix::event::epoll;

use crate::connection::{Connection, Fate};

const HELP: &str = "\
An HTTP/1 origin that costs as little as it can.

Usage: bench-origin ADDRESS:PORT...

  GET  /             a small fixed answer
  GET  /bytes/N      N bytes with Content-Length
  GET  /chunked/N    N bytes in chunks
  GET  /head         the head of the request as it arrived
  POST anything      reads the body (by length or in chunks) and answers with its size
";

/// Connections served at once; the idle scenario opens 10,000 through a proxy that may keep as many.
const CONNECTIONS_MAX: usize = 32_768;

/// Events taken from the kernel per call.
const EVENTS: usize = 256;

/// Connections waiting to be accepted: 1,000 arrive in one go.
const BACKLOG_TAKEN: usize = 64;

/// Connections that may wait to be taken.
const QUEUE: i32 = 4096;

fn main() -> ExitCode {
    let addresses: Vec<String> = std::env::args().skip(1).collect();
    if addresses.is_empty() || addresses.iter().any(|word| word.starts_with('-')) {
        eprint!("{HELP}");
        return ExitCode::from(2);
    }
    match serve(&addresses) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-origin {}: {error}", addresses.join(" "));
            ExitCode::FAILURE
        }
    }
}

/// Serves for ever: the one who started this process ends it.
fn serve(addresses: &[String]) -> std::io::Result<()> {
    let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let mut listeners = Vec::new();
    for (index, address) in addresses.iter().enumerate() {
        let listener = TcpListener::bind(address)?;
        // The standard library queues 128: of a thousand that come at once, the others would wait a second and more.
        rustix::net::listen(&listener, QUEUE)?;
        listener.set_nonblocking(true)?;
        epoll::add(
            &poll,
            &listener,
            epoll::EventData::new_u64(listener_token(index)),
            epoll::EventFlags::IN,
        )?;
        listeners.push(listener);
    }
    let mut connections: Vec<Option<Connection>> = Vec::new();
    let mut free: Vec<usize> = Vec::new();
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
            if let Some(listener) = listener_of(token, &listeners) {
                accept(&poll, listener, &mut connections, &mut free)?;
                continue;
            }
            let Ok(index) = usize::try_from(token) else { continue };
            let Some(Some(connection)) = connections.get_mut(index) else { continue };
            match connection.ready(event.flags) {
                Fate::Keep => {}
                Fate::Watch(flags) => {
                    epoll::modify(&poll, connection.as_fd(), epoll::EventData::new_u64(index as u64), flags)?;
                }
                Fate::Close => {
                    // Closing the socket takes it out of the epoll set.
                    connections[index] = None;
                    free.push(index);
                }
            }
        }
    }
}

/// Tokens of listeners count down from the top, those of connections up from 0.
fn listener_token(index: usize) -> u64 {
    u64::MAX - index as u64
}

fn listener_of(token: u64, listeners: &[TcpListener]) -> Option<&TcpListener> {
    listeners.get(usize::try_from(u64::MAX - token).ok()?)
}

fn accept(
    poll: &rustix::fd::OwnedFd,
    listener: &TcpListener,
    connections: &mut Vec<Option<Connection>>,
    free: &mut Vec<usize>,
) -> std::io::Result<()> {
    for _ in 0..BACKLOG_TAKEN {
        let stream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return Ok(()),
            // The client went away before we came: its affair.
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionAborted => continue,
            Err(error) => return Err(error),
        };
        let connection = Connection::new(stream)?;
        let index = match free.pop() {
            Some(index) => index,
            None if connections.len() < CONNECTIONS_MAX => {
                connections.push(None);
                connections.len() - 1
            }
            None => continue,
        };
        epoll::add(poll, connection.as_fd(), epoll::EventData::new_u64(index as u64), epoll::EventFlags::IN)?;
        connections[index] = Some(connection);
    }
    Ok(())
}
