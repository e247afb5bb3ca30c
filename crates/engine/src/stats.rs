//! Counters: one table for each worker, added up when somebody asks.
//!
//! A worker is the only writer of its table, so counting is a load and a store without a locked instruction, and tables
//! share no cache line. A reader may see a request counted and its bytes not yet; each number by itself is right.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::clock::Moment;
use crate::exchange::Exchange;
use crate::fault::{Blame, Fault};

/// A number that one thread writes and any may read.
#[derive(Debug, Default)]
struct Counter(AtomicU64);

impl Counter {
    fn add(&self, number: u64) {
        // Not fetch_add: there is one writer, so nothing can come between.
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(number), Ordering::Relaxed);
    }

    fn set(&self, number: u64) {
        self.0.store(number, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The counters of one worker. Aligned so that two never share a cache line, nor the pair that is fetched together.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Cells {
    requests: Counter,
    /// 1xx to 5xx.
    answers: [Counter; 5],
    unanswered: Counter,
    bytes_in: Counter,
    bytes_out: Counter,
    opened: Counter,
    closed: Counter,
    backends: Box<[BackendCells]>,
    /// By code. Rare, so a lock that nobody else wants does; bounded by the number of codes there are.
    faults: Mutex<Vec<(&'static str, u64)>>,
}

/// What one worker counted of one back-end.
#[derive(Debug, Default)]
#[repr(align(128))]
struct BackendCells {
    requests: Counter,
    errors: Counter,
    connects: Counter,
    retries: Counter,
    begun: Counter,
    ended: Counter,
    asked: Counter,
    asked_over: Counter,
    heads: Counter,
    answered: Counter,
    latency_sum: Counter,
    latency_last: Counter,
    latency_at: Counter,
}

impl Cells {
    /// One table for each worker, with room for back-ends of ids below `backends`.
    pub(crate) fn for_workers(workers: usize, backends: usize) -> Vec<Arc<Cells>> {
        (0..workers).map(|_| Arc::new(Cells::new(backends))).collect()
    }

    fn new(backends: usize) -> Cells {
        Cells {
            requests: Counter::default(),
            answers: Default::default(),
            unanswered: Counter::default(),
            bytes_in: Counter::default(),
            bytes_out: Counter::default(),
            opened: Counter::default(),
            closed: Counter::default(),
            backends: (0..backends).map(|_| BackendCells::default()).collect(),
            faults: Mutex::new(Vec::new()),
        }
    }

    /// A client has connected.
    pub(crate) fn opened(&self) {
        self.opened.add(1);
    }

    /// A client's connection is gone.
    pub(crate) fn closed(&self) {
        self.closed.add(1);
    }

    /// A connection to a back-end is being made.
    pub(crate) fn connecting(&self, backend: usize) {
        self.of(backend, |cells| cells.connects.add(1));
    }

    /// A request is sent again because this back-end failed it.
    pub(crate) fn retried(&self, backend: usize) {
        self.of(backend, |cells| cells.retries.add(1));
    }

    /// A request is at this back-end for as long as the result lives.
    pub(crate) fn in_flight(&self, backend: usize) -> InFlight<'_> {
        self.of(backend, |cells| cells.begun.add(1));
        InFlight { cells: self, backend }
    }

    /// A request will wait for the head of this back-end's answer, from [`Waiting::begin`] for as long as the result
    /// lives.
    pub(crate) fn waiting(&self, backend: usize) -> Waiting<'_> {
        Waiting { cells: self, backend, begun: Cell::new(false) }
    }

    /// An exchange is over.
    pub(crate) fn count(&self, x: &Exchange, fault: Option<&Fault>, now: Moment) {
        self.requests.add(1);
        match self.answers.get(usize::from(x.sent.status / 100).wrapping_sub(1)) {
            Some(class) => class.add(1),
            None => self.unanswered.add(1),
        }
        self.bytes_in.add(x.request.wire_len() as u64 + x.received);
        self.bytes_out.add(x.sent.body_bytes);
        for &backend in &x.tried {
            self.of(backend, |cells| {
                cells.requests.add(1);
                cells.errors.add(1);
            });
        }
        if let Some(backend) = x.backend.filter(|backend| !x.tried.contains(backend)) {
            self.of(backend, |cells| {
                cells.requests.add(1);
                if fault.is_some_and(|fault| fault.cause.row().blame == Blame::Backend) {
                    cells.errors.add(1);
                }
                if let Some(answered) = x.answered {
                    let micros = u64::try_from(answered.since(x.began).as_micros()).unwrap_or(u64::MAX);
                    cells.answered.add(1);
                    cells.latency_sum.add(micros);
                    cells.latency_last.set(micros);
                    cells.latency_at.set(now.0);
                }
            });
        }
        if let Some(fault) = fault {
            let code = fault.cause.row().code;
            let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
            add(&mut faults, code, 1);
        }
    }

    fn of(&self, backend: usize, count: impl FnOnce(&BackendCells)) {
        // Out of range only between a reload that adds back-ends and its table.
        if let Some(cells) = self.backends.get(backend) {
            count(cells);
        }
    }
}

/// A request that is at a back-end.
#[derive(Debug)]
pub(crate) struct InFlight<'a> {
    cells: &'a Cells,
    backend: usize,
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.cells.of(self.backend, |cells| cells.ended.add(1));
    }
}

/// A request that waits for the head of an answer.
#[derive(Debug)]
pub(crate) struct Waiting<'a> {
    cells: &'a Cells,
    backend: usize,
    begun: Cell<bool>,
}

impl Waiting<'_> {
    /// It is the back-end's turn: from here on its answer is waited for. Once more does nothing.
    pub(crate) fn begin(&self) {
        if !self.begun.replace(true) {
            self.cells.of(self.backend, |cells| cells.asked.add(1));
        }
    }

    /// The head is here.
    pub(crate) fn heard(self) {
        self.cells.of(self.backend, |cells| cells.heads.add(1));
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if self.begun.get() {
            self.cells.of(self.backend, |cells| cells.asked_over.add(1));
        }
    }
}

/// How many requests wait for the head of a back-end's answer, and how many heads it has sent so far.
pub(crate) fn waits(tables: &[Arc<Cells>], backend: usize) -> (u64, u64) {
    tables.iter().filter_map(|cells| cells.backends.get(backend)).fold((0, 0), |(waiting, heads), cells| {
        // The end before the beginning: so no more is ever seen over than asked.
        let over = cells.asked_over.get();
        (waiting + cells.asked.get().saturating_sub(over), heads + cells.heads.get())
    })
}

fn add(faults: &mut Vec<(&'static str, u64)>, code: &'static str, number: u64) {
    match faults.iter_mut().find(|(known, _)| *known == code) {
        Some((_, count)) => *count += number,
        None => faults.push((code, number)),
    }
}

/// The sum over all workers at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    /// Exchanges that are over.
    pub requests: u64,
    /// Of these, how many were answered with 1xx, 2xx, 3xx, 4xx, 5xx.
    pub answers: [u64; 5],
    /// Of these, how many were not answered: the client was gone.
    pub unanswered: u64,
    /// Bytes received of clients: heads and bodies, without chunk framing.
    pub bytes_in: u64,
    /// Bytes of bodies sent to clients.
    pub bytes_out: u64,
    /// Connections of clients that are open.
    pub clients: u64,
    /// Connections of clients since the start.
    pub clients_total: u64,
    /// Exchanges that ended in a fault, by its code, sorted.
    pub faults: Vec<(&'static str, u64)>,
    /// By `plan::Backend::id`.
    pub backends: Vec<BackendTotals>,
}

/// The sum over all workers of what was counted of one back-end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BackendTotals {
    /// Requests that it was chosen for.
    pub requests: u64,
    /// Of these, how many it failed, whether or not another one answered in its place.
    pub errors: u64,
    /// Connections that were made, or tried to be.
    pub connects: u64,
    /// Requests that were sent again because it failed.
    pub retries: u64,
    /// Requests that are there now.
    pub in_flight: u64,
    /// Answers whose head was received.
    pub answered: u64,
    /// Sum of the times from the first byte of a request to the head of its answer, in microseconds.
    pub latency_sum_us: u64,
    /// The last of these times, in microseconds.
    pub latency_last_us: u64,
}

impl Totals {
    /// Adds the tables up.
    pub(crate) fn of(tables: &[Arc<Cells>]) -> Totals {
        let mut sum = Totals::default();
        let mut closed = 0;
        let mut last_at = Vec::new();
        for cells in tables {
            // The end before the beginning: so no more is ever seen closed than opened.
            closed += cells.closed.get();
            sum.clients_total += cells.opened.get();
            sum.requests += cells.requests.get();
            for (sum, answers) in sum.answers.iter_mut().zip(&cells.answers) {
                *sum += answers.get();
            }
            sum.unanswered += cells.unanswered.get();
            sum.bytes_in += cells.bytes_in.get();
            sum.bytes_out += cells.bytes_out.get();
            for (code, number) in cells.faults.lock().unwrap_or_else(PoisonError::into_inner).iter() {
                add(&mut sum.faults, code, *number);
            }
            sum.backends.resize(sum.backends.len().max(cells.backends.len()), BackendTotals::default());
            last_at.resize(sum.backends.len(), 0);
            for ((sum, last_at), cells) in sum.backends.iter_mut().zip(&mut last_at).zip(&cells.backends) {
                let ended = cells.ended.get();
                sum.in_flight += cells.begun.get().saturating_sub(ended);
                sum.requests += cells.requests.get();
                sum.errors += cells.errors.get();
                sum.connects += cells.connects.get();
                sum.retries += cells.retries.get();
                sum.answered += cells.answered.get();
                sum.latency_sum_us += cells.latency_sum.get();
                let at = cells.latency_at.get();
                if at >= *last_at && cells.answered.get() > 0 {
                    *last_at = at;
                    sum.latency_last_us = cells.latency_last.get();
                }
            }
        }
        sum.clients = sum.clients_total.saturating_sub(closed);
        sum.faults.sort_unstable();
        sum
    }
}

#[cfg(test)]
mod tests;
