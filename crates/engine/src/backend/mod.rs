//! A back-end at work: its addresses, its health, its counters.

pub(crate) mod connect;
pub(crate) mod health;
pub(crate) mod pool;
pub(crate) mod probe;
pub(crate) mod stall;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::backend::health::Health;
use crate::tls::Connector;

/// Where to connect to, names resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// Tried in this order; never empty.
    Inet(Vec<SocketAddr>),
    /// A Unix stream socket.
    Unix(PathBuf),
}

/// A back-end at work, shared by all workers.
#[derive(Debug)]
pub struct Live {
    /// What was configured.
    pub plan: Arc<plan::Backend>,
    /// Where to connect to.
    pub address: Address,
    /// How to speak TLS with it; `None` for plain HTTP.
    pub(crate) tls: Option<Arc<Connector>>,
    /// Whether it can be used.
    pub(crate) health: Health,
    enabled: AtomicBool,
    http10: AtomicBool,
}

impl Live {
    /// Starts alive, and enabled unless the plan says otherwise.
    pub(crate) fn new(plan: Arc<plan::Backend>, address: Address, tls: Option<Arc<Connector>>) -> Live {
        let enabled = !plan.disabled;
        Live {
            plan,
            address,
            tls,
            health: Health::default(),
            enabled: AtomicBool::new(enabled),
            http10: AtomicBool::new(false),
        }
    }

    /// Whether it takes connections, as far as we know, and the operator lets requests go there.
    pub fn is_up(&self) -> bool {
        self.is_alive() && self.is_enabled()
    }

    /// Whether it took the last connection.
    pub fn is_alive(&self) -> bool {
        self.health.is_alive()
    }

    /// Whether it is up and answers.
    pub(crate) fn is_well(&self) -> bool {
        self.is_up() && !self.health.is_left_out()
    }

    /// Whether the operator lets requests go there.
    pub fn is_enabled(&self) -> bool {
        self.enabled.load(Ordering::Relaxed)
    }

    /// Whether its last answer was HTTP/1.0: it cannot read a chunked body.
    pub(crate) fn is_http10(&self) -> bool {
        self.http10.load(Ordering::Relaxed)
    }

    /// Records the version of an answer.
    pub(crate) fn saw_http10(&self, http10: bool) {
        // Reading first keeps the cache line shared between the workers; the version hardly ever changes.
        if self.is_http10() != http10 {
            self.http10.store(http10, Ordering::Relaxed);
        }
    }

    /// Puts it up or down, as a test wants it.
    #[cfg(test)]
    pub(crate) fn set_alive(&self, alive: bool) {
        use crate::clock::Moment;
        if alive {
            self.health.came_back(Moment(0));
        } else {
            let unreachable = health::Refusal::Unreachable;
            self.health.died(
                self.health.revival(),
                unreachable,
                Moment(0),
                std::time::Duration::from_secs(30),
            );
        }
    }
}
