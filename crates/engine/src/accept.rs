//! Taking clients from the listening sockets of a worker.

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use rustix::net::{SocketFlags, acceptfrom_with};
use socket2::{Domain, Socket};
use tokio::net::UnixListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, spawn_local, unconstrained, yield_now};

use crate::client::Client;
use crate::clock::InTurns;
use crate::exchange::{ClientFacts, Endpoint};
use crate::fresh::Fresh;
use crate::limits;
use crate::seats::Seat;
use crate::stream::Stream;
use crate::sys::Watched;
use crate::worker::{self, Order, Worker};

/// A listening socket of one worker.
enum Door {
    Tcp {
        socket: Watched,
        /// Our end of every connection, where the listener is bound to one address: getsockname(2) would say no more.
        local: Option<SocketAddr>,
    },
    Unix(UnixListener),
}

/// A client, its end and ours.
type Arrival = (Stream, Endpoint, Endpoint);

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
                let local = socket.local_addr()?.as_socket().filter(|local| !local.ip().is_unspecified());
                Door::Tcp { socket: Watched::new(socket.into())?, local }
            }
        })
    }

    /// Takes a client, if there is one.
    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Arrival>> {
        match self {
            Door::Tcp { socket, local } => socket.poll_take(cx, |socket| accept_tcp(socket, *local)),
            Door::Unix(listener) => {
                let (stream, _) = ready!(listener.poll_accept(cx))?;
                Poll::Ready(Ok((Stream::Unix(stream), Endpoint::Unix, Endpoint::Unix)))
            }
        }
    }
}

/// What there is to do.
enum Next {
    Taken(io::Result<Arrival>),
    /// There is no room for one more.
    Full,
    Stop,
}

/// Takes a client that the reactor need not know yet.
fn accept_tcp(listener: BorrowedFd<'_>, local: Option<SocketAddr>) -> io::Result<Arrival> {
    let (socket, peer) = acceptfrom_with(listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)?;
    let socket = std::net::TcpStream::from(socket);
    // A TCP socket's other end has an address, unless it is gone.
    let peer = peer.and_then(|peer| SocketAddr::try_from(peer).ok()).ok_or(io::ErrorKind::NotConnected)?;
    let local = match local {
        Some(local) => local,
        None => socket.local_addr()?,
    };
    Ok((Stream::Fresh(Fresh::new(socket)), Endpoint::Inet(peer), Endpoint::Inet(local)))
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
        let mut stop = pin!(order.wait_for(|order| matches!(order, Order::Stop(_))));
        let mut in_a_row = 0;
        loop {
            if in_a_row == limits::ACCEPTS_PER_TURN {
                in_a_row = 0;
                yield_now().await;
            }
            let next = poll_fn(|cx| {
                // However many clients come, a stop is seen once in each turn.
                if in_a_row == 0 && stop.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(Next::Stop);
                }
                if worker.connections.open() >= limits::CONNECTIONS_PER_WORKER {
                    return Poll::Ready(Next::Full);
                }
                if let Poll::Ready(taken) = door.poll_accept(cx) {
                    return Poll::Ready(Next::Taken(taken));
                }
                stop.as_mut().poll(cx).map(|_| Next::Stop)
            });
            let next = next.await;
            in_a_row += 1;
            match next {
                Next::Stop => break,
                Next::Taken(Ok(taken)) => {
                    worker.accepts_again();
                    // It has a connection already, and the next ones wait in the queue of the system.
                    let seat = tokio::select! {
                        biased;
                        seat = worker.seat(listener) => seat,
                        _ = &mut stop => {
                            serve(&worker, listener, taken, worker.squeeze(listener));
                            break;
                        }
                    };
                    serve(&worker, listener, taken, seat);
                    continue;
                }
                // A client that was gone before we took it is no news.
                Next::Taken(Err(error)) if is_the_clients(&error) => continue,
                // Out of descriptors or memory: those we have go on, and ending ones make room.
                Next::Taken(Err(error)) => worker.note_accept(&error),
                Next::Full => {}
            }
            tokio::select! {
                () = tokio::time::sleep(limits::ACCEPT_PAUSE) => {}
                _ = &mut stop => break,
            }
        }
        // The reactor has to look once more before a socket that is not ready can be believed.
        yield_now().await;
        for _ in 0..limits::LISTEN_QUEUE {
            let next = unconstrained(poll_fn(|cx| Poll::Ready(door.poll_accept(cx)))).await;
            match next {
                Poll::Ready(Ok(taken)) => serve(&worker, listener, taken, worker.squeeze(listener)),
                Poll::Ready(Err(error)) if is_the_clients(&error) => {}
                Poll::Ready(Err(_)) | Poll::Pending => break,
            }
        }
    }))
}

fn serve(worker: &Rc<Worker>, listener: usize, (stream, peer, local): Arrival, seat: Seat) {
    let facts = ClientFacts { peer, local, listener, secure: false, misplaced: false, tls: None };
    // Counted from here on, so that a stop in between waits for it.
    let ticket = worker.connections.enter(seat);
    let running = worker.running();
    if running.tls[listener].is_some() {
        worker.parts.store.gauge.grow(limits::TLS_CLIENT_BYTES);
        spawn_local(InTurns::new(worker::secure_connection(worker.clone(), ticket, stream, facts)));
        return;
    }
    worker.parts.store.gauge.grow(limits::CLIENT_BYTES + limits::SOCKET_BYTES as usize);
    let client = Client::new(stream, facts, &running);
    spawn_local(InTurns::new(worker::connection(worker.clone(), ticket, client)));
}

/// Errors of accept(2) that concern one connection and not the socket.
fn is_the_clients(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, HostUnreachable, Interrupted, NotConnected};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | HostUnreachable | Interrupted | NotConnected)
}
