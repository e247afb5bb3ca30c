//! Who is connected, so that a stop can wait for requests in flight and wake those that wait for nothing.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use slab::Slab;

/// The client connections of one worker.
#[derive(Default)]
pub(crate) struct Connections {
    /// The waker of each that idles.
    idle: RefCell<Slab<Option<Waker>>>,
    open: Cell<usize>,
    stopping: Cell<bool>,
    /// Who waits for the last to go.
    waiter: RefCell<Option<Waker>>,
}

/// The presence of one connection, from the moment that it is taken; it counts until dropped.
pub(crate) struct Ticket {
    connections: Rc<Connections>,
    key: usize,
}

impl Connections {
    /// How many there are.
    pub(crate) fn open(&self) -> usize {
        self.open.get()
    }

    /// Counts a new one.
    pub(crate) fn enter(self: &Rc<Self>) -> Ticket {
        self.open.set(self.open.get() + 1);
        let key = self.idle.borrow_mut().insert(None);
        Ticket { connections: self.clone(), key }
    }

    /// From now on a connection that idles closes.
    pub(crate) fn stop(&self) {
        self.stopping.set(true);
        // Waking runs no task here, but a waker's own code is not ours; so nothing is borrowed meanwhile.
        let wakers: Vec<Waker> =
            self.idle.borrow_mut().iter_mut().filter_map(|(_, waker)| waker.take()).collect();
        for waker in wakers {
            waker.wake();
        }
    }

    /// Waits until none is left.
    pub(crate) async fn empty(&self) {
        poll_fn(|cx| {
            if self.open.get() == 0 {
                return Poll::Ready(());
            }
            *self.waiter.borrow_mut() = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

impl Ticket {
    /// Asked before each wait for a request: whether to close instead. A stop wakes the task.
    pub(crate) fn stopping(&self, cx: &Context<'_>) -> bool {
        if self.connections.stopping.get() {
            return true;
        }
        let mut idle = self.connections.idle.borrow_mut();
        if let Some(waker) = idle.get_mut(self.key)
            && !waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker()))
        {
            *waker = Some(cx.waker().clone());
        }
        false
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let connections = &self.connections;
        connections.idle.borrow_mut().try_remove(self.key);
        connections.open.set(connections.open.get() - 1);
        if connections.open.get() == 0
            && let Some(waiter) = connections.waiter.borrow_mut().take()
        {
            waiter.wake();
        }
    }
}
