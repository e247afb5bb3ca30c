//! What *is* running: the Plan joined to live back-ends, sessions and counters, and what outlives a reload.

use std::ops::Deref;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use plan::{Bounds, Plan};
use tokio::sync::Notify;

use crate::backend;
use crate::balance;
use crate::clock::Clock;
use crate::loops::Loops;
use crate::memory::Budget;
use crate::pace::Crowd;
use crate::route;
use crate::seats::Seats;
use crate::stats;
use crate::tls;

/// One configuration at work. Immutable; a request sees one from start to end.
#[derive(Debug)]
pub struct Running {
    /// What it was made from.
    pub plan: Plan,
    /// By `plan::Backend::id`.
    pub backends: Vec<Arc<backend::Live>>,
    /// By `plan::Service::id`; `None` for a service that answers by itself.
    pub sets: Vec<Option<balance::LiveSet>>,
    /// By `plan::Service::id`: the directory of a `SendFile`, held open where a root jail is going to hide it.
    pub roots: Vec<Option<OwnedFd>>,
    /// By `plan::Listener::id`; `None` for a listener with few services.
    pub(crate) routes: Vec<Option<route::Index>>,
    /// By `plan::Listener::id`; `None` for one without TLS.
    pub(crate) tls: Vec<Option<Arc<tls::Server>>>,
    /// Which back-ends are listeners of our own.
    pub(crate) loops: Loops,
    /// Where private keys are that no file holds.
    pub(crate) token: Option<Arc<tls::Token>>,
}

impl Running {
    /// How long a back-end may take for what when it serves this service.
    pub(crate) fn times(&self, service: usize, backend: usize) -> plan::Times {
        let backend = &self.backends[backend].plan;
        match &self.plan.services[service].target {
            plan::Target::Backends(set) => set.times(backend),
            _ => backend.times,
        }
    }
}

/// The configuration that a request sees, counted within its worker: taking one touches no cache line that another
/// worker writes.
#[derive(Debug, Clone)]
pub(crate) struct Current(Rc<Held>);

#[derive(Debug)]
struct Held {
    running: Arc<Running>,
    /// By `plan::Listener::id`: the bounds as the codec takes them, for all connections of the worker together.
    limits: Vec<Rc<wire::Limits>>,
    /// By `plan::Listener::id`: the slow clients of this worker.
    crowds: Vec<Rc<Crowd>>,
}

impl Current {
    /// Holds a configuration for the requests of one worker.
    pub(crate) fn new(running: Arc<Running>) -> Current {
        let listeners = &running.plan.listeners;
        let limits = listeners.iter().map(|listener| Rc::new(codec_limits(&listener.bounds))).collect();
        let crowds = listeners.iter().map(|listener| Crowd::new(listener.bounds.rate_min)).collect();
        Current(Rc::new(Held { running, limits, crowds }))
    }

    pub(crate) fn shared(&self) -> &Arc<Running> {
        &self.0.running
    }

    /// What the codec bounds on connections of this listener.
    pub(crate) fn limits(&self, listener: usize) -> Rc<wire::Limits> {
        self.0.limits[listener].clone()
    }

    /// The clients of this listener that are slow.
    pub(crate) fn crowd(&self, listener: usize) -> Rc<Crowd> {
        self.0.crowds[listener].clone()
    }
}

impl Deref for Current {
    type Target = Running;

    fn deref(&self) -> &Running {
        &self.0.running
    }
}

/// Everything that runs, shared by all threads.
#[derive(Debug)]
pub struct World {
    running: ArcSwap<Running>,
    clock: Clock,
    stats: Vec<Arc<stats::Cells>>,
    deaths: Notify,
    leaving_out: Mutex<()>,
    seats: Arc<Seats>,
    budget: Arc<Budget>,
}

impl World {
    pub(crate) fn new(
        running: Running,
        clock: Clock,
        stats: Vec<Arc<stats::Cells>>,
        seats: Arc<Seats>,
        budget: Arc<Budget>,
    ) -> World {
        World {
            running: ArcSwap::from_pointee(running),
            clock,
            stats,
            deaths: Notify::new(),
            leaving_out: Mutex::default(),
            seats,
            budget,
        }
    }

    /// The places for clients.
    pub(crate) fn seats(&self) -> &Arc<Seats> {
        &self.seats
    }

    /// The memory for all of it.
    pub(crate) fn budget(&self) -> &Arc<Budget> {
        &self.budget
    }

    /// The configuration that new requests see.
    pub fn running(&self) -> Arc<Running> {
        self.running.load_full()
    }

    /// Whether this is still the configuration that new requests see; costs less than asking for it.
    pub(crate) fn is_current(&self, running: &Arc<Running>) -> bool {
        Arc::ptr_eq(&self.running.load(), running)
    }

    /// The clock that all timers of this world go by.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Tells whoever probes dead back-ends that one more has died.
    pub(crate) fn deaths(&self) -> &Notify {
        &self.deaths
    }

    /// Held while it is decided whether one more back-end is left out, so that two workers do not leave out the last two.
    pub(crate) fn leaving_out(&self) -> MutexGuard<'_, ()> {
        self.leaving_out.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The counters of all workers.
    pub(crate) fn stats(&self) -> &[Arc<stats::Cells>] {
        &self.stats
    }
}

/// The bounds of a listener as the codec takes them.
fn codec_limits(bounds: &Bounds) -> wire::Limits {
    wire::Limits {
        line_max: bounds.line_max,
        // A longer line is of no use if the target may not be long; `MaxURI` bounds that by itself.
        target_max: wire::Limits::default().target_max.max(bounds.line_max),
        head_max: bounds.head_max,
        fields_max: bounds.fields_max,
        chunk_line_max: bounds.chunk_line_max,
        chunk_ext_total_max: bounds.chunk_extensions_max,
        trailer_max: bounds.trailer_max,
        trailer_fields_max: bounds.trailer_fields_max,
        interim_max: bounds.interim_max,
        tolerance: wire::Tolerance::default(),
    }
}

#[cfg(test)]
mod tests {
    use wire::Limits;

    use super::*;

    #[test]
    fn the_defaults_of_the_plan_are_those_of_the_codec() {
        let line_max = plan::limits::LINE_BYTES;
        assert_eq!(codec_limits(&Bounds::default()), Limits { line_max, ..Limits::default() });
    }
}
