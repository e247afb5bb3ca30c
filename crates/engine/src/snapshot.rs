//! A read-only view of what runs, for people and programs that ask.

use std::time::Duration;

use crate::stats;
use crate::world::World;

/// What runs, at one moment.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Counters over everything.
    pub totals: stats::Totals,
    /// In file order.
    pub backends: Vec<BackendView>,
}

/// One back-end.
#[derive(Debug, Clone)]
pub struct BackendView {
    /// Its name, if it has one.
    pub name: Option<String>,
    /// Its address as configured.
    pub address: String,
    /// It took the last connection.
    pub alive: bool,
    /// The operator lets requests go there.
    pub enabled: bool,
    /// Requests that it was chosen for.
    pub requests: u64,
    /// Of these, how many it failed, whether or not another one answered in its place.
    pub errors: u64,
    /// Connections that were made, or tried to be.
    pub connects: u64,
    /// Requests that are there now.
    pub in_flight: u64,
    /// Mean time from the first byte of a request to the head of its answer; `None` before the first answer.
    pub latency: Option<Duration>,
    /// The last of these times.
    pub latency_last: Option<Duration>,
}

impl World {
    /// What runs now. Adds the counters of all workers up; meant for some calls a second.
    pub fn snapshot(&self) -> Snapshot {
        let running = self.running();
        let totals = stats::Totals::of(self.stats());
        let view = |live: &std::sync::Arc<crate::backend::Live>| {
            let sum = totals.backends.get(live.plan.id).copied().unwrap_or_default();
            let answered = sum.answered > 0;
            BackendView {
                name: live.plan.name.clone(),
                address: live.plan.address.to_string(),
                alive: live.is_alive(),
                enabled: live.is_enabled(),
                requests: sum.requests,
                errors: sum.errors,
                connects: sum.connects,
                in_flight: sum.in_flight,
                latency: answered.then(|| Duration::from_micros(sum.latency_sum_us / sum.answered)),
                latency_last: answered.then(|| Duration::from_micros(sum.latency_last_us)),
            }
        };
        let backends = running.backends.iter().map(view).collect();
        Snapshot { totals, backends }
    }
}
