//! Taking clients from the listening sockets of a worker.

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use socket2::{Domain, Socket};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch;
use tokio::task::{JoinHandle, spawn_local, unconstrained, yield_now};

use crate::client::Client;
use crate::clock::InTurns;
use crate::exchange::{ClientFacts, Endpoint};
use crate::limits;
use crate::stream::Stream;
use crate::worker::{self, Order, Worker};

/// A listening socket of one worker.
enum Door {
    Tcp {
        socket: TcpListener,
        /// Our end of every connection, where the listener is bound to one address: getsockname(2) would say no more.
        local: Option<SocketAddr>,
    },
    Unix(UnixListener),
}

impl Door {
    fn new(socket: Socket) -> io::Result<Door> {
        Ok(match socket.domain()? {
            Domain::UNIX => Door::Unix(UnixListener::from_std(std::os::unix::net::UnixListener::from(
                OwnedFd::from(socket),
            ))?),
            _ => {
                // What we write is whole messages; waiting for more to send would only delay them. Linux hands the option
                // on to every connection that it takes here (tcp(7)), which spares a system call for each.
                socket.set_tcp_nodelay(true)?;
                let socket = TcpListener::from_std(std::net::TcpListener::from(OwnedFd::from(socket)))?;
                let local = Some(socket.local_addr()?).filter(|local| !local.ip().is_unspecified());
                Door::Tcp { socket, local }
            }
        })
    }

    async fn accept(&self) -> io::Result<(Stream, Endpoint, Endpoint)> {
        match self {
            Door::Tcp { socket, local } => {
                let (stream, peer) = socket.accept().await?;
                let local = match local {
                    Some(local) => *local,
                    None => stream.local_addr()?,
                };
                Ok((Stream::Tcp(stream), Endpoint::Inet(peer), Endpoint::Inet(local)))
            }
            Door::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                Ok((Stream::Unix(stream), Endpoint::Unix, Endpoint::Unix))
            }
        }
    }
}

/// Takes clients from one socket until the worker is told to stop, and then those who are already in its queue: they
/// were given a connection and may have sent a request.
///
/// # Errors
/// The socket cannot be watched.
pub(crate) fn spawn(
    worker: &Rc<Worker>,
    listener: usize,
    socket: Socket,
    mut order: watch::Receiver<Order>,
) -> io::Result<JoinHandle<()>> {
    let door = Door::new(socket)?;
    let worker = worker.clone();
    Ok(spawn_local(async move {
        if order.wait_for(|order| *order != Order::Hold).await.is_err() {
            return;
        }
        let mut in_a_row = 0;
        loop {
            let taken = tokio::select! {
                taken = door.accept(), if worker.connections.open() < limits::CONNECTIONS_PER_WORKER => taken,
                () = tokio::time::sleep(limits::ACCEPT_PAUSE),
                    if worker.connections.open() >= limits::CONNECTIONS_PER_WORKER => continue,
                _ = order.wait_for(|order| matches!(order, Order::Stop(_))) => break,
            };
            match taken {
                Ok(taken) => {
                    worker.accepts_again();
                    serve(&worker, listener, taken);
                }
                // A client that was gone before we took it is no news.
                Err(error) if is_the_clients(&error) => {}
                Err(error) => {
                    // Out of descriptors or memory: those we have go on, and ending ones make room.
                    worker.note_accept(&error);
                    tokio::time::sleep(limits::ACCEPT_PAUSE).await;
                }
            }
            in_a_row += 1;
            if in_a_row == limits::ACCEPTS_PER_TURN {
                in_a_row = 0;
                yield_now().await;
            }
        }
        // The reactor has to look once more before a socket that is not ready can be believed.
        yield_now().await;
        for _ in 0..limits::LISTEN_QUEUE {
            let next = unconstrained(poll_fn(|cx| Poll::Ready(pin!(door.accept()).poll(cx)))).await;
            match next {
                Poll::Ready(Ok(taken)) => serve(&worker, listener, taken),
                Poll::Ready(Err(_)) | Poll::Pending => break,
            }
        }
    }))
}

fn serve(worker: &Rc<Worker>, listener: usize, (stream, peer, local): (Stream, Endpoint, Endpoint)) {
    let facts = ClientFacts { peer, local, listener, secure: false, misplaced: false, tls: None };
    // Counted from here on, so that a stop in between waits for it.
    let ticket = worker.connections.enter();
    let running = worker.running();
    if running.tls[listener].is_some() {
        spawn_local(InTurns::new(worker::secure_connection(worker.clone(), ticket, stream, facts)));
        return;
    }
    let client = Client::new(stream, facts, &running);
    spawn_local(InTurns::new(worker::connection(worker.clone(), ticket, client)));
}

/// Errors of accept(2) that concern one connection and not the socket.
fn is_the_clients(error: &io::Error) -> bool {
    use io::ErrorKind::{
        ConnectionAborted, ConnectionReset, HostUnreachable, Interrupted, InvalidInput, NotConnected,
    };
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionReset | HostUnreachable | Interrupted | InvalidInput | NotConnected
    )
}
