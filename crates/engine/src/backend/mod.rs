//! A back-end at work: its addresses, its health, its counters.

pub(crate) mod connect;
pub(crate) mod pool;
pub(crate) mod probe;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

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
    alive: AtomicBool,
    enabled: AtomicBool,
    http10: AtomicBool,
}

impl Live {
    /// Starts alive, and enabled unless the plan says otherwise.
    pub fn new(plan: Arc<plan::Backend>, address: Address) -> Live {
        let enabled = !plan.disabled;
        Live {
            plan,
            address,
            alive: AtomicBool::new(true),
            enabled: AtomicBool::new(enabled),
            http10: AtomicBool::new(false),
        }
    }

    /// Whether requests may go there now.
    pub fn is_up(&self) -> bool {
        self.is_alive() && self.is_enabled()
    }

    /// Whether it took the last connection.
    pub fn is_alive(&self) -> bool {
        self.alive.load(Ordering::Relaxed)
    }

    /// Whether the operator lets requests go there.
    pub fn is_enabled(&self) -> bool {
        self.enabled.load(Ordering::Relaxed)
    }

    /// Records that it took a connection, or not; says whether that is news.
    pub fn set_alive(&self, alive: bool) -> bool {
        self.alive.swap(alive, Ordering::Relaxed) != alive
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
}
