//! Idle connections to back-ends, one pool for each worker: no lock, and a connection never changes threads.

use std::collections::VecDeque;

use super::Live;
use crate::clock::Moment;
use crate::h1::Conn;
use crate::limits;

/// The idle connections of one worker.
#[derive(Default)]
pub(crate) struct Pool {
    /// By back-end id. The one used last is at the back and is taken first: it is the warmest, and those at the front
    /// grow old and are dropped.
    idle: Vec<VecDeque<Idle>>,
}

struct Idle {
    /// Boxed: it goes from hand to hand for each request.
    conn: Box<Conn>,
    since: Moment,
}

impl Pool {
    /// A connection to this back-end that nothing has happened on since it went idle.
    pub(crate) fn take(&mut self, live: &Live) -> Option<Box<Conn>> {
        let idle = self.idle.get_mut(live.plan.id)?;
        while let Some(Idle { conn, .. }) = idle.pop_back() {
            // A back-end that closed, or sent what nobody asked for, must not answer the next request.
            if conn.is_clean() {
                return Some(conn);
            }
        }
        None
    }

    /// Keeps a connection for the next request, unless there are enough.
    pub(crate) fn put(&mut self, live: &Live, conn: Box<Conn>, now: Moment) {
        let id = live.plan.id;
        if self.idle.len() <= id {
            self.idle.resize_with(id + 1, VecDeque::new);
        }
        let idle = &mut self.idle[id];
        if idle.len() >= limits::IDLE_PER_BACKEND {
            idle.pop_front();
        }
        idle.push_back(Idle { conn, since: now });
    }

    /// Drops what has been idle for too long, or on which something has happened.
    pub(crate) fn sweep(&mut self, now: Moment) {
        for idle in &mut self.idle {
            idle.retain(|idle| now.since(idle.since) < limits::IDLE_BACKEND && idle.conn.is_clean());
        }
    }

    /// Drops all connections to this back-end: it is dead.
    pub(crate) fn forget(&mut self, live: &Live) {
        if let Some(idle) = self.idle.get_mut(live.plan.id) {
            idle.clear();
        }
    }
}
