//! The client connections of a worker: a stop waits for requests in flight and wakes those that wait for nothing, and
//! those that have waited longest go when others need their place.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use slab::Slab;

use crate::clock::Moment;
use crate::limits;
use crate::seats::Seat;

/// The client connections of one worker.
#[derive(Default)]
pub(crate) struct Connections {
    all: RefCell<Slab<Connection>>,
    open: Cell<usize>,
    stopping: Cell<bool>,
    /// Who waits for the last to go.
    waiter: RefCell<Option<Waker>>,
}

/// What is known of one connection.
#[derive(Default)]
struct Connection {
    /// Wakes its task.
    waker: Option<Waker>,
    wait: Wait,
    /// By `plan::Listener::id`.
    listener: usize,
}

/// What a connection waits for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Wait {
    /// Nothing that is its own affair: a handshake, or a request is being served.
    #[default]
    Busy,
    /// A request, since then.
    Request(Moment),
    /// The rest of the head of one.
    Head(Moment),
    /// It has been told to go.
    Told,
}

/// The presence of one connection, from the moment that it is taken; it counts until dropped.
pub(crate) struct Ticket {
    connections: Rc<Connections>,
    key: usize,
    _seat: Seat,
}

impl Connections {
    /// How many there are.
    pub(crate) fn open(&self) -> usize {
        self.open.get()
    }

    /// How many of them wait for something else than the next request of their client.
    pub(crate) fn busy(&self) -> usize {
        let all = self.all.borrow();
        all.iter().filter(|(_, one)| matches!(one.wait, Wait::Busy | Wait::Head(_))).count()
    }

    /// Counts a new one.
    pub(crate) fn enter(self: &Rc<Self>, seat: Seat) -> Ticket {
        self.open.set(self.open.get() + 1);
        let key =
            self.all.borrow_mut().insert(Connection { listener: seat.listener(), ..Connection::default() });
        Ticket { connections: self.clone(), key, _seat: seat }
    }

    /// Tells those who have waited longest to go, for the sake of others: `most` of those who wait for a request, or,
    /// where memory is short (`heads`), a share of all, first of those who drip a head, which costs more and is more
    /// likely to be an attack. With a `listener` only its clients go: the place of another one's would help nobody. None
    /// goes that has waited less than [`limits::SHED_AFTER`]. Gives how many were told.
    pub(crate) fn shed(&self, most: usize, heads: bool, listener: Option<usize>, now: Moment) -> usize {
        let is_old = |since: Moment| now.since(since) >= limits::SHED_AFTER;
        let mut waiting: Vec<(bool, Moment, usize)> = self
            .all
            .borrow()
            .iter()
            .filter(|(_, connection)| listener.is_none_or(|listener| connection.listener == listener))
            .filter_map(|(key, connection)| match connection.wait {
                Wait::Head(since) if heads && is_old(since) => Some((false, since, key)),
                Wait::Request(since) if is_old(since) => Some((true, since, key)),
                _ => None,
            })
            .collect();
        let share = if heads { waiting.len() / limits::SHED_SHARE } else { 0 };
        let count = most.max(share).min(waiting.len());
        if count == 0 {
            return 0;
        }
        waiting.select_nth_unstable(count - 1);
        let mut wakers = Vec::with_capacity(count);
        for (_, _, key) in &waiting[..count] {
            if let Some(connection) = self.all.borrow_mut().get_mut(*key) {
                connection.wait = Wait::Told;
                wakers.extend(connection.waker.clone());
            }
        }
        wakers.into_iter().for_each(Waker::wake);
        count
    }

    /// Gives the memory of a list back that was once much longer.
    pub(crate) fn shrink(&self) {
        let mut all = self.all.borrow_mut();
        if all.is_empty() && all.capacity() > limits::SHED_LEAST {
            *all = Slab::new();
        }
    }

    /// From now on a connection that idles closes.
    pub(crate) fn stop(&self) {
        self.stopping.set(true);
        // Waking runs no task here, but a waker's own code is not ours; so nothing is borrowed meanwhile.
        let wakers: Vec<Waker> =
            self.all.borrow_mut().iter_mut().filter_map(|(_, connection)| connection.waker.take()).collect();
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
        self.know(cx, |_| {});
        false
    }

    /// Asked before each wait for a request, which began then: whether to close for the sake of others.
    pub(crate) fn sheds_idle(&self, cx: &Context<'_>, since: Moment) -> bool {
        self.sheds(cx, Wait::Request(since))
    }

    /// Asked before each wait for the rest of a head, which began then: whether to give up for the sake of others.
    pub(crate) fn sheds_head(&self, cx: &Context<'_>, since: Moment) -> bool {
        self.sheds(cx, Wait::Head(since))
    }

    fn sheds(&self, cx: &Context<'_>, wait: Wait) -> bool {
        let mut told = false;
        self.know(cx, |connection| {
            told = connection.wait == Wait::Told;
            if !told {
                connection.wait = wait;
            }
        });
        told
    }

    /// What comes now is not for others to end.
    pub(crate) fn busy(&self) {
        if let Some(connection) = self.connections.all.borrow_mut().get_mut(self.key) {
            connection.wait = Wait::Busy;
        }
    }

    fn know(&self, cx: &Context<'_>, look: impl FnOnce(&mut Connection)) {
        let mut all = self.connections.all.borrow_mut();
        if let Some(connection) = all.get_mut(self.key) {
            if !connection.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
                connection.waker = Some(cx.waker().clone());
            }
            look(connection);
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let connections = &self.connections;
        connections.all.borrow_mut().try_remove(self.key);
        connections.open.set(connections.open.get() - 1);
        if connections.open.get() == 0
            && let Some(waiter) = connections.waiter.borrow_mut().take()
        {
            waiter.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::seats::Seats;

    #[test]
    fn those_who_have_waited_longest_go_first() {
        let seats = Arc::new(Seats::default());
        let connections = Rc::new(Connections::default());
        let cx = Context::from_waker(Waker::noop());
        let at = |seconds: u64| Moment(seconds * 1_000_000);
        let tickets: Vec<Ticket> =
            (0..10).map(|_| connections.enter(Seats::take(&seats, 0).unwrap())).collect();
        for (number, ticket) in (0..).zip(&tickets) {
            let told = if number < 5 {
                ticket.sheds_idle(&cx, at(number))
            } else {
                ticket.sheds_head(&cx, at(number))
            };
            assert!(!told);
        }
        tickets[0].busy();
        let who = || {
            let all = connections.all.borrow();
            all.iter().filter(|(_, one)| one.wait == Wait::Told).map(|(key, _)| key).collect::<Vec<_>>()
        };
        // Nobody has waited long enough.
        assert_eq!(connections.shed(9, false, None, at(1)), 0);
        assert_eq!(connections.shed(2, false, None, at(60)), 2);
        assert_eq!(who(), [1, 2]);
        assert!(tickets[1].sheds_idle(&cx, at(60)));
        // Memory is short: heads first.
        assert_eq!(connections.shed(3, true, None, at(60)), 3);
        assert_eq!(who(), [1, 2, 5, 6, 7]);
        assert_eq!(connections.shed(99, true, None, at(60)), 4);
        assert!(tickets[9].sheds_head(&cx, at(9)));
        assert_eq!(connections.shed(99, true, None, at(60)), 0, "a busy one stays");
        assert_eq!(connections.busy(), 1);
        drop(tickets);
        connections.shrink();
        assert_eq!((seats.open(), connections.open()), (0, 0));
    }

    #[test]
    fn clients_of_other_listeners_stay_where_their_place_would_help_nobody() {
        let seats = Arc::new(Seats::default());
        let connections = Rc::new(Connections::default());
        let cx = Context::from_waker(Waker::noop());
        let tickets: Vec<Ticket> =
            [0, 1, 0].map(|listener| connections.enter(Seats::take(&seats, listener).unwrap())).into();
        assert!(!tickets.iter().any(|ticket| ticket.sheds_idle(&cx, Moment(0))));
        let now = Moment(60_000_000);
        assert_eq!(connections.shed(9, false, Some(2), now), 0);
        assert_eq!(connections.shed(9, false, Some(1), now), 1);
        assert_eq!([0, 1, 2].map(|number: usize| tickets[number].sheds_idle(&cx, now)), [false, true, false]);
        assert_eq!(connections.shed(9, false, None, now + limits::SHED_AFTER), 2);
        // Its request has begun in the meantime.
        tickets[0].busy();
        assert!(!tickets[0].sheds_head(&cx, now) && tickets[2].sheds_head(&cx, now));
    }
}
