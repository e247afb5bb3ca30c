//! The handshakes of one worker: how many there may be at once, and that one at a time computes.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::yield_now;

use crate::limits;

/// Handshakes that have begun and are not over.
pub(crate) struct Handshakes {
    /// By age. One that is no longer in here has to make room.
    open: RefCell<BTreeMap<u64, Option<Waker>>>,
    next: Cell<u64>,
    turn: Semaphore,
}

impl Default for Handshakes {
    fn default() -> Self {
        Handshakes { open: RefCell::default(), next: Cell::new(0), turn: Semaphore::new(1) }
    }
}

/// The place of one handshake, until dropped.
pub(super) struct Place {
    handshakes: Rc<Handshakes>,
    id: u64,
}

/// The right to compute, until given back.
pub(super) struct Turn<'a>(SemaphorePermit<'a>);

impl Handshakes {
    /// Takes a place for a new handshake. If all are taken, the oldest handshake ends: an honest one takes a few round
    /// trips, so whoever is old among so many is most likely one that will never finish.
    pub(super) fn enter(self: &Rc<Self>) -> Place {
        let id = self.next.get();
        self.next.set(id + 1);
        let mut open = self.open.borrow_mut();
        let displaced = if open.len() >= limits::HANDSHAKES { open.pop_first() } else { None };
        open.insert(id, None);
        drop(open);
        if let Some((_, Some(waker))) = displaced {
            waker.wake();
        }
        Place { handshakes: self.clone(), id }
    }

    /// Waits for the right to compute. A signature takes up to a millisecond; while one handshake computes others wait
    /// here, not in front of requests.
    pub(super) async fn turn(&self) -> Option<Turn<'_>> {
        self.turn.acquire().await.ok().map(Turn)
    }
}

impl Turn<'_> {
    /// Gives the right back, after everything else that is ready has had its chance: the runtime looks at its sockets
    /// before it comes back here.
    pub(super) async fn end(self) {
        yield_now().await;
        drop(self.0);
    }
}

impl Place {
    /// Ready if this handshake has to make room.
    pub(super) fn poll_displaced(&self, cx: &Context<'_>) -> Poll<()> {
        match self.handshakes.open.borrow_mut().get_mut(&self.id) {
            None => Poll::Ready(()),
            Some(waker) => {
                if !waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
                    *waker = Some(cx.waker().clone());
                }
                Poll::Pending
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.handshakes.open.borrow_mut().remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_makes_room_when_all_places_are_taken() {
        let handshakes = Rc::new(Handshakes::default());
        let cx = Context::from_waker(Waker::noop());
        let mut places: Vec<Place> = (0..limits::HANDSHAKES).map(|_| handshakes.enter()).collect();
        assert!(places.iter().all(|place| place.poll_displaced(&cx).is_pending()));
        places.push(handshakes.enter());
        assert!(places[0].poll_displaced(&cx).is_ready());
        assert!(places[1..].iter().all(|place| place.poll_displaced(&cx).is_pending()));
        places.pop();
        places.push(handshakes.enter());
        assert!(places[1].poll_displaced(&cx).is_pending(), "one that ended has left its place");
    }
}
