//! A back-end at work: its addresses, its health, its counters.

pub(crate) mod connect;
pub(crate) mod pool;
pub(crate) mod probe;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

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
    alive: AtomicBool,
    enabled: AtomicBool,
    http10: AtomicBool,
    revivals: AtomicU32,
}

impl Live {
    /// Starts alive, and enabled unless the plan says otherwise.
    pub(crate) fn new(plan: Arc<plan::Backend>, address: Address, tls: Option<Arc<Connector>>) -> Live {
        let enabled = !plan.disabled;
        Live {
            plan,
            address,
            tls,
            alive: AtomicBool::new(true),
            enabled: AtomicBool::new(enabled),
            http10: AtomicBool::new(false),
            revivals: AtomicU32::new(0),
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

    /// How often it has come back to life. Read before a connection is begun and given to [`Live::died`].
    pub(crate) fn revival(&self) -> u32 {
        self.revivals.load(Ordering::Acquire)
    }

    /// Records that it took no connection; says whether that is news. A try that began before it last came back to life
    /// says nothing about it now.
    pub(crate) fn died(&self, revival: u32) -> bool {
        self.revival() == revival && self.alive.swap(false, Ordering::AcqRel)
    }

    /// Records that it took a connection; says whether that is news.
    pub(crate) fn came_back(&self) -> bool {
        if self.is_alive() {
            return false;
        }
        // Before it is seen alive: whoever then finds it dead began after this.
        self.revivals.fetch_add(1, Ordering::AcqRel);
        !self.alive.swap(true, Ordering::AcqRel)
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
        if alive {
            self.came_back()
        } else {
            self.died(self.revival())
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_failure_says_nothing_about_a_back_end_that_came_back_since() {
        let plan = plan::Backend {
            id: 0,
            name: None,
            address: plan::BackendAddress::Unix("/nowhere".into()),
            times: plan::Times::default(),
            disabled: false,
            tls: None,
        };
        let live = Live::new(Arc::new(plan), Address::Unix("/nowhere".into()), None);
        let (first, second) = (live.revival(), live.revival());
        assert!(live.died(first), "news");
        assert!(!live.died(second), "no news");
        assert!(live.came_back());
        assert!(!live.died(second), "it began before the revival");
        assert!(live.is_up());
        assert!(live.died(live.revival()));
    }
}
