//! One thread: a runtime, its listening sockets, its connections. Nothing of it is seen by another worker.

mod health;
mod room;

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::sync::Arc;

use socket2::Socket;
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use crate::accept;
use crate::client::{Client, Next};
use crate::clock::Moment;
use crate::drain::{Connections, Ticket};
use crate::exchange::{ClientFacts, Exchange};
use crate::fault::Fault;
use crate::fresh;
use crate::limits;
use crate::log::{Pen, Severity};
use crate::memory::Strain;
use crate::parts::Parts;
use crate::respond::Keep;
use crate::serve::{Begun, serve};
use crate::stream::Stream;
use crate::tls;
use crate::world::{Current, World};

/// What a worker has at hand.
pub(crate) struct Worker {
    pub(crate) parts: Parts,
    pub(crate) connections: Rc<Connections>,
    world: Arc<World>,
    /// The configuration, counted within this thread; see [`Worker::running`].
    running: RefCell<Current>,
    pen: RefCell<Pen>,
    /// The last failure of accept(2) that was reported, so that a full table is reported once and not ten times a second.
    accept_failed: Cell<Option<io::ErrorKind>>,
    /// When it was last reported that there is no room for a client, and how many were told to go since.
    no_room: Cell<Option<Moment>>,
    shed: Cell<usize>,
    /// The second in which a handshake last failed, and how many did.
    handshakes_failed: Cell<(u64, u32)>,
    /// The second in which it was last reported that the system could not watch a client.
    unwatched: Cell<u64>,
}

/// What a worker thread starts with.
pub(crate) struct Setup {
    pub(crate) world: Arc<World>,
    pub(crate) parts: Parts,
    pub(crate) pen: Pen,
    /// Listener id and socket.
    pub(crate) sockets: Vec<(usize, Socket)>,
    pub(crate) order: watch::Receiver<Order>,
}

/// What the workers are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// Take no clients yet: another thread is not ready. A flood must not take the descriptors that it needs to start.
    Hold,
    /// Take clients.
    Run,
    /// Take no more clients; be gone at this time at the latest.
    Stop(Instant),
}

/// Runs a worker until it is told to stop; gives the number of requests that were cut off.
///
/// # Errors
/// The runtime or a socket cannot be set up; before the first client is taken.
pub(crate) fn run(setup: Setup, ready: &std::sync::mpsc::Sender<io::Result<()>>) -> usize {
    let report = |result| {
        // Whoever starts workers waits for each; if it has gone, so will this worker.
        let _ = ready.send(result);
    };
    let runtime = match Builder::new_current_thread().enable_all().build_local(LocalOptions::default()) {
        Ok(runtime) => runtime,
        Err(error) => {
            report(Err(error));
            return 0;
        }
    };
    runtime.block_on(async move {
        let Setup { world, parts, pen, sockets, mut order } = setup;
        let running = RefCell::new(Current::new(world.running()));
        let worker = Rc::new(Worker {
            parts,
            connections: Rc::default(),
            world,
            running,
            pen: RefCell::new(pen),
            accept_failed: Cell::new(None),
            no_room: Cell::new(None),
            shed: Cell::new(0),
            handshakes_failed: Cell::new((0, 0)),
            unwatched: Cell::new(0),
        });
        let mut doors = Vec::with_capacity(sockets.len());
        for (listener, socket) in sockets {
            match accept::spawn(&worker, listener, socket, order.clone()) {
                Ok(door) => doors.push(door),
                Err(error) => {
                    report(Err(error));
                    return 0;
                }
            }
        }
        let sweep = tokio::task::spawn_local(sweep(worker.clone()));
        report(Ok(()));

        // An order that can no longer come is an order to stop at once.
        let mut end = match order.wait_for(|order| matches!(order, Order::Stop(_))).await.map(|order| *order)
        {
            Ok(Order::Stop(end)) => end,
            Ok(Order::Hold | Order::Run) | Err(_) => Instant::now(),
        };
        for door in doors {
            // One that panicked has closed its socket as well.
            let _ = door.await;
        }
        worker.parts.stopping.set(true);
        worker.connections.stop();
        loop {
            tokio::select! {
                biased;
                () = worker.connections.empty() => break,
                () = sleep_until(end) => break,
                // Somebody has lost patience.
                changed = order.changed() => match (changed, *order.borrow_and_update()) {
                    (Ok(()), Order::Stop(sooner)) => end = end.min(sooner),
                    (Ok(()), Order::Hold | Order::Run) => {}
                    (Err(_), _) => end = Instant::now(),
                },
            }
        }
        sweep.abort();
        // What is left is dropped with the runtime, and each request among it writes its line then.
        worker.connections.busy()
    })
}

/// Makes the TLS handshake with a client, and then serves it as any other.
pub(crate) fn secure_connection(
    worker: Rc<Worker>,
    ticket: Ticket,
    stream: Stream,
    facts: ClientFacts,
) -> impl Future<Output = ()> {
    // The state of a handshake takes some kilobytes; boxed, it is there only while there is one.
    let handshake = Box::pin(secure(worker.clone(), stream, facts));
    async move {
        if let Some(client) = handshake.await {
            connection(worker, ticket, client).await;
        }
    }
}

/// Makes the TLS handshake. A client that speaks HTTP without TLS is let in to be told so.
async fn secure(worker: Rc<Worker>, stream: Stream, mut facts: ClientFacts) -> Option<Client> {
    let running = worker.running();
    let server = running.tls[facts.listener].as_ref()?;
    let limit = limits::HANDSHAKE.min(running.plan.listeners[facts.listener].client_timeout);
    let Parts { handshakes, scratch, store, .. } = &worker.parts;
    let (stream, said) = match tls::accept(stream, server, handshakes, scratch, limit).await {
        Ok(tls::Arrival::Secure(stream, agreed)) => {
            facts.secure = true;
            facts.tls = Some(Box::new(agreed));
            (stream, Vec::new())
        }
        Ok(tls::Arrival::Plain(stream, said)) => {
            facts.misplaced = true;
            (stream, said)
        }
        Err(failure) => {
            worker.note_handshake(&facts, &failure);
            return None;
        }
    };
    let mut client = Client::new(stream, facts, &running);
    if !said.is_empty() {
        client.conn.preload(&said, store);
    }
    Some(client)
}

/// Serves one client until either side has had enough.
#[expect(
    clippy::manual_async_fn,
    reason = "an async fn keeps room for its arguments beside what becomes of them, and every idle client pays for it"
)]
pub(crate) fn connection(worker: Rc<Worker>, ticket: Ticket, mut client: Client) -> impl Future<Output = ()> {
    async move {
        let _open = Open::new(&worker.parts);
        loop {
            client.watchdog.set(client.timeout());
            let since = worker.parts.clock.now();
            let mut told = false;
            let next = poll_fn(|cx| {
                client.poll_next(cx, &worker.parts.store, |cx, watchdog, timeout| {
                    if ticket.sheds_idle(cx, since) {
                        return true;
                    }
                    if !ticket.stopping(cx) {
                        return false;
                    }
                    // A client that has just come, or got an answer that said nothing of an end, counts on the
                    // connection. Its next request gets an answer that does say so.
                    let most = worker.running().plan.process.grace_idle.min(timeout);
                    let left = most.saturating_sub(worker.parts.clock.now().since(since));
                    if !told && !left.is_zero() {
                        told = true;
                        watchdog.set(left);
                    }
                    left.is_zero()
                })
            });
            match next.await {
                // One that was told to go while its request was on its way is served: it has not waited with this head.
                Next::Request => ticket.busy(),
                Next::Close => break,
                Next::Broken(error) => {
                    worker.note_unwatched(&error);
                    break;
                }
            }
            // The whole head has this long, however it drips in.
            client.watchdog.set(client.timeout());
            let begun = Begun::new(&client, &worker);
            let head = poll_fn(|cx| {
                client.poll_head(cx, &worker.parts.store, |cx| ticket.sheds_head(cx, begun.at()))
            });
            let head = head.await;
            ticket.busy();
            // The state of a request takes some kilobytes; boxed, it is there only while there is a whole request.
            match Box::pin(serve(&mut client, begun, head)).await {
                Keep::Open => {}
                // Memory is short: then the connection is worth more than the certainty that the answer arrives.
                Keep::Close if worker.parts.store.gauge.strain() > Strain::Easy => break,
                Keep::Close => {
                    Box::pin(client.linger(&worker.parts.store)).await;
                    break;
                }
                Keep::Drop => break,
            }
        }
    }
}

/// Counts a client connection for as long as it lives, however its task ends.
struct Open<'a>(&'a Parts);

impl<'a> Open<'a> {
    fn new(parts: &'a Parts) -> Open<'a> {
        parts.stats.opened();
        Open(parts)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.stats.closed();
    }
}

/// Looks after idle connections to back-ends, and memory and pipes that nobody needs any more.
async fn sweep(worker: Rc<Worker>) {
    let mut ticks = interval(limits::IDLE_SWEEP);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        worker.parts.pool.borrow_mut().sweep(worker.parts.clock.now());
        worker.parts.store.sweep();
        worker.connections.shrink();
        // A client of another worker waits for a place that one of ours may not need.
        for (listener, waiting) in worker.world.seats().waits() {
            worker.connections.shed(waiting, false, listener, worker.parts.clock.now());
        }
    }
}

impl Worker {
    /// The configuration that a new request sees.
    pub(crate) fn running(&self) -> Current {
        let mut running = self.running.borrow_mut();
        if !self.world.is_current(running.shared()) {
            *running = Current::new(self.world.running());
        }
        running.clone()
    }

    /// Writes the line of a request, and what went wrong with it.
    pub(crate) fn log(&self, x: &Exchange, fault: Option<&Fault>) {
        // This may run while a panic unwinds, which must not become another one.
        if let Ok(mut pen) = self.pen.try_borrow_mut() {
            crate::log::exchange(&mut pen, x, fault, &self.parts.clock);
        }
    }

    /// Reports that a request is sent again, and why.
    pub(crate) fn note_retry(&self, x: &Exchange, from: usize, fault: &Fault) {
        // A death has a line of its own, once; the requests that meet it need none.
        if !fault.cause.is_death() {
            crate::log::retry(&mut self.pen.borrow_mut(), x, from, fault);
        }
    }

    /// Reports that a handshake failed; only so many in a second, for whoever wants to can make thousands.
    fn note_handshake(&self, facts: &ClientFacts, failure: &tls::Failure) {
        // A client that just goes away is no news, nor is one that never says a word. What a token does not sign is told
        // of by the token.
        if matches!(failure, tls::Failure::Gone | tls::Failure::Slow | tls::Failure::Unsigned) {
            return;
        }
        let second = self.parts.clock.wall().as_secs();
        let (last, reported) = self.handshakes_failed.get();
        let reported = if last == second { reported } else { 0 };
        self.handshakes_failed.set((second, reported.saturating_add(1)));
        if reported < limits::HANDSHAKE_REPORTS {
            let peer = facts.peer.ip().map_or_else(|| "a local client".to_owned(), |ip| ip.to_string());
            self.pen.borrow_mut().event(Severity::Info, format_args!("no TLS with {peer}: {failure}"));
        }
    }

    /// Reports that a client had to go because the system could not watch it, once in a second.
    fn note_unwatched(&self, error: &io::Error) {
        let second = self.parts.clock.wall().as_secs();
        if fresh::is_unwatched(error) && self.unwatched.replace(second) != second {
            self.pen.borrow_mut().event(Severity::Error, format_args!("a client had to go: {error}"));
        }
    }

    /// Clients can be taken again; the next failure is news.
    pub(crate) fn accepts_again(&self) {
        self.accept_failed.set(None);
    }

    /// Reports that no client can be taken.
    pub(crate) fn note_accept(&self, error: &io::Error) {
        if self.accept_failed.replace(Some(error.kind())) != Some(error.kind()) {
            self.pen.borrow_mut().event(
                Severity::Error,
                format_args!("cannot take a client: {error}; raise the limit of open files (LimitNOFILE, ulimit -n) or lower Client"),
            );
        }
    }
}
