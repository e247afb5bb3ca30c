//! A back-end at work: its addresses, its health, its counters.

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
}

impl Live {
    /// Starts alive, and enabled unless the plan says otherwise.
    pub fn new(plan: Arc<plan::Backend>, address: Address) -> Live {
        let enabled = !plan.disabled;
        Live { plan, address, alive: AtomicBool::new(true), enabled: AtomicBool::new(enabled) }
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
}
