//! How many clients there are, over all workers, and how many there may be (`MaxConnections`).
//!
//! Touched when a connection is taken and when it ends, and not in between.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use plan::Plan;
use tokio::sync::Notify;

/// The places for clients.
#[derive(Debug, Default)]
pub(crate) struct Seats {
    all: Row,
    /// By `plan::Listener::id`.
    listeners: Vec<Row>,
    /// How many workers have a client that waits for a place of any kind.
    waiting: AtomicUsize,
    freed: Notify,
}

#[derive(Debug, Default)]
struct Row {
    open: AtomicUsize,
    most: Option<usize>,
    /// How many workers have a client that waits for a place in it.
    waiting: AtomicUsize,
}

/// The place of one client, free again when dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    seats: Arc<Seats>,
    listener: usize,
}

/// Why there is no place for one more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Taken {
    /// `MaxConnections`.
    pub(crate) most: usize,
    /// It is that of the listener, and not of all.
    pub(crate) of_listener: bool,
}

impl Seats {
    pub(crate) fn new(plan: &Plan) -> Seats {
        let row = |most| Row { most, ..Row::default() };
        Seats {
            all: row(plan.process.connections_max),
            listeners: plan.listeners.iter().map(|listener| row(listener.bounds.connections_max)).collect(),
            waiting: AtomicUsize::new(0),
            freed: Notify::new(),
        }
    }

    /// How many clients there are.
    pub(crate) fn open(&self) -> usize {
        self.all.open.load(Ordering::Relaxed)
    }

    /// A place for a client of this listener.
    ///
    /// # Errors
    /// All are taken.
    pub(crate) fn take(seats: &Arc<Seats>, listener: usize) -> Result<Seat, Taken> {
        seats.all.enter(false)?;
        if let Some(row) = seats.listeners.get(listener)
            && let Err(taken) = row.enter(true)
        {
            seats.all.open.fetch_sub(1, Ordering::Relaxed);
            return Err(taken);
        }
        Ok(Seat { seats: seats.clone(), listener })
    }

    /// A place beyond all bounds: for those who were taken before a stop.
    pub(crate) fn squeeze(seats: &Arc<Seats>, listener: usize) -> Seat {
        seats.all.open.fetch_add(1, Ordering::Relaxed);
        if let Some(row) = seats.listeners.get(listener) {
            row.open.fetch_add(1, Ordering::Relaxed);
        }
        Seat { seats: seats.clone(), listener }
    }

    /// Waits until a place may be free, or for this long: one of this listener, where those are taken, or any.
    pub(crate) async fn wait(&self, listener: Option<usize>, longest: Duration) {
        let freed = self.freed.notified();
        let row = listener.and_then(|listener| self.listeners.get(listener)).unwrap_or(&self.all);
        let _waits = [&self.waiting, &row.waiting].map(Waits::new);
        let _ = tokio::time::timeout(longest, freed).await;
    }

    /// How many workers have a client that waits, and for a place of which listener; `None`: any.
    pub(crate) fn waits(&self) -> impl Iterator<Item = (Option<usize>, usize)> {
        let listeners = self.listeners.iter().enumerate().map(|(listener, row)| (Some(listener), row));
        std::iter::once((None, &self.all))
            .chain(listeners)
            .map(|(listener, row)| (listener, row.waiting.load(Ordering::Relaxed)))
            .filter(|(_, waiting)| *waiting > 0)
    }
}

impl Seat {
    /// Whose client has it, by `plan::Listener::id`.
    pub(crate) fn listener(&self) -> usize {
        self.listener
    }
}

struct Waits<'a>(&'a AtomicUsize);

impl<'a> Waits<'a> {
    fn new(count: &'a AtomicUsize) -> Waits<'a> {
        count.fetch_add(1, Ordering::SeqCst);
        Waits(count)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Row {
    fn enter(&self, of_listener: bool) -> Result<(), Taken> {
        let before = self.open.fetch_add(1, Ordering::Relaxed);
        match self.most {
            Some(most) if before >= most => {
                self.open.fetch_sub(1, Ordering::Relaxed);
                Err(Taken { most, of_listener })
            }
            _ => Ok(()),
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(row) = self.seats.listeners.get(self.listener) {
            row.open.fetch_sub(1, Ordering::Relaxed);
        }
        self.seats.all.open.fetch_sub(1, Ordering::Relaxed);
        if self.seats.waiting.load(Ordering::Relaxed) > 0 {
            self.seats.freed.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seats(all: Option<usize>, listeners: &[Option<usize>]) -> Arc<Seats> {
        let row = |most: &Option<usize>| Row { most: *most, ..Row::default() };
        Arc::new(Seats { all: row(&all), listeners: listeners.iter().map(row).collect(), ..Seats::default() })
    }

    #[test]
    fn there_are_as_many_places_as_was_said_and_they_come_back() {
        let seats = seats(Some(3), &[Some(1), None]);
        let take = |listener| Seats::take(&seats, listener);
        let first = take(0).unwrap();
        assert_eq!(take(0).unwrap_err(), Taken { most: 1, of_listener: true });
        let others = [take(1).unwrap(), take(1).unwrap()];
        assert_eq!(take(1).unwrap_err(), Taken { most: 3, of_listener: false });
        drop(first);
        assert_eq!(seats.open(), 2);
        drop((take(0).unwrap(), others));
        assert_eq!(seats.open(), 0);
        let squeezed: Vec<Seat> = (0..9).map(|_| Seats::squeeze(&seats, 0)).collect();
        assert_eq!(seats.open(), 9);
        drop(squeezed);
        assert_eq!((seats.open(), seats.listeners[0].open.load(Ordering::Relaxed)), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_known_of_which_listener_a_place_is_waited_for() {
        let seats = seats(Some(3), &[None, Some(1)]);
        let waits = || seats.waits().collect::<Vec<_>>();
        assert_eq!(waits(), []);
        let second = Duration::from_secs(1);
        tokio::join!(
            seats.wait(Some(1), second),
            seats.wait(Some(1), second),
            seats.wait(None, second),
            async {
                assert_eq!(waits(), [(None, 1), (Some(1), 2)]);
            }
        );
        assert_eq!(waits(), []);
    }
}
