//! Starting and stopping: one thread for each worker, and one beside them.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::backend::pool::Pool;
use crate::buffer::Store;
use crate::control;
use crate::log;
use crate::memory::Gauge;
use crate::parts::Parts;
use crate::random::Random;
use crate::reload::Prepared;
use crate::stats;
use crate::tls;
use crate::worker::{self, Order, Setup};
use crate::world::World;

/// A running engine.
#[derive(Debug)]
pub struct Engine {
    world: Arc<World>,
    order: watch::Sender<Order>,
    workers: Vec<JoinHandle<usize>>,
    control: Option<JoinHandle<()>>,
    /// What the thread beside the workers may be waiting for, if that is another process.
    line: Option<tls::End>,
    drain: Option<log::Drain>,
}

/// Ends a stop that is under way, from another thread than the one that waits for it.
#[derive(Debug, Clone)]
pub struct Hurry(watch::Sender<Order>);

impl Hurry {
    /// Cuts off what is still in flight, now. Each request that is cut off has its log line, as at the end of the grace.
    pub fn now(&self) {
        stop_by(&self.0, Instant::now());
    }
}

/// Orders the end at that time, unless it was ordered for an earlier one.
fn stop_by(order: &watch::Sender<Order>, end: Instant) {
    order.send_modify(|order| {
        *order = match *order {
            Order::Stop(sooner) => Order::Stop(sooner.min(end)),
            Order::Hold | Order::Run => Order::Stop(end),
        };
    });
}

/// How a stop went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped {
    /// All requests in flight came to their end.
    pub finished: bool,
    /// Those that were cut off because they did not.
    pub cut: usize,
}

/// Starts the workers. From here on clients are served.
///
/// # Errors
/// A thread or its runtime cannot be made; nothing runs then.
pub fn start(prepared: Prepared) -> io::Result<Engine> {
    let Prepared { running, bound, workers, clock, source, seats, budget } = prepared;
    budget.watch();
    let (mut pens, drain) = log::channel(workers + 1, budget.log_bytes(workers + 1));
    let cells = stats::Cells::for_workers(workers, running.plan.backends.len());
    let world = Arc::new(World::new(running, clock.clone(), cells.clone(), seats, budget.clone()));
    let (order, orders) = watch::channel(Order::Hold);
    let (ready, readiness) = mpsc::channel();

    let mut sockets: Vec<Vec<_>> = (0..workers).map(|_| Vec::new()).collect();
    for bound in bound {
        for (worker, own) in bound.sockets.into_iter().enumerate() {
            sockets[worker].extend(own.into_iter().map(|socket| (bound.listener, socket)));
        }
    }

    let control_pen = pens.pop();
    let mut engine = Engine {
        world: world.clone(),
        order,
        workers: Vec::new(),
        control: None,
        line: source.end(),
        drain: Some(drain),
    };
    if let Some(Err(error)) = world.running().token.as_ref().map(|token| token.start()) {
        return Err(engine.undo(error));
    }
    for (id, ((sockets, pen), stats)) in sockets.into_iter().zip(pens).zip(cells).enumerate() {
        let budget = budget.clone();
        let (world, clock, order, ready) = (world.clone(), clock.clone(), orders.clone(), ready.clone());
        let thread = std::thread::Builder::new().name(format!("pound-worker-{id}")).spawn(move || {
            // What a worker owns is made in its thread: it may not leave it.
            let parts = Parts {
                clock,
                store: Store::new(Gauge::new(budget)),
                pool: RefCell::new(Pool::default()),
                random: RefCell::new(Random::new()),
                stats,
                handshakes: Rc::default(),
                scratch: tls::Scratch::default(),
                stopping: Cell::new(false),
            };
            worker::run(Setup { world, parts, pen, sockets, order }, &ready)
        });
        match thread {
            Ok(thread) => engine.workers.push(thread),
            Err(error) => return Err(engine.undo(error)),
        }
    }
    if let Some(pen) = control_pen {
        let ready = ready.clone();
        let thread = std::thread::Builder::new()
            .name("pound-control".to_owned())
            .spawn(move || control::run(&world, source, pen, orders, &ready));
        match thread {
            Ok(thread) => engine.control = Some(thread),
            Err(error) => return Err(engine.undo(error)),
        }
    }
    drop(ready);
    // The workers, and the thread beside them.
    for _ in 0..=workers {
        match readiness.recv() {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(engine.undo(error)),
            Err(_) => return Err(engine.undo(io::Error::other("a thread ended before it was ready"))),
        }
    }
    engine.order.send_replace(Order::Run);
    Ok(engine)
}

impl Engine {
    /// What runs.
    pub fn world(&self) -> &Arc<World> {
        &self.world
    }

    /// Where log lines come out; given once, to whoever writes them.
    pub fn log_drain(&mut self) -> Option<log::Drain> {
        self.drain.take()
    }

    /// What can cut a stop short.
    pub fn hurry(&self) -> Hurry {
        Hurry(self.order.clone())
    }

    /// Takes no more clients, lets requests in flight finish within `grace`, and cuts off what is left. Blocks.
    pub fn stop(mut self, grace: Duration) -> Stopped {
        let cut = self.halt(grace);
        Stopped { finished: cut == 0, cut }
    }

    fn halt(&mut self, grace: Duration) -> usize {
        stop_by(&self.order, Instant::now() + grace);
        // A worker that panicked has no connections left to count.
        let cut = self.workers.drain(..).map(|worker| worker.join().unwrap_or(0)).sum();
        // A keeper that does not answer must not hold up the end.
        drop(self.line.take());
        if let Some(control) = self.control.take() {
            let _ = control.join();
        }
        if let Some(token) = &self.world.running().token {
            token.stop();
        }
        cut
    }

    fn undo(mut self, error: io::Error) -> io::Error {
        self.halt(Duration::ZERO);
        error
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.halt(Duration::ZERO);
    }
}

#[cfg(test)]
mod tests;
