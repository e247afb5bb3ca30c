//! One timer for a connection.
//!
//! A connection has one deadline at a time. Moving it ahead, as every byte of progress does, only stores a number: the
//! timer itself is touched when it fires too early, or when the deadline comes nearer. So a busy connection costs
//! the timer wheel one entry per timeout, not several per request.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use crate::clock;

/// Barks when its deadline has passed.
pub(crate) struct Watchdog {
    deadline: Instant,
    armed: Instant,
    sleep: Pin<Box<Sleep>>,
}

impl Watchdog {
    /// A watchdog that barks after `delay`.
    pub(crate) fn new(delay: Duration) -> Watchdog {
        let deadline = clock::instant() + delay;
        Watchdog { deadline, armed: deadline, sleep: Box::pin(sleep_until(deadline)) }
    }

    /// Moves the deadline to `delay` from now.
    pub(crate) fn set(&mut self, delay: Duration) {
        self.deadline = clock::instant() + delay;
        if self.deadline < self.armed {
            self.arm();
        }
    }

    /// Ready when the deadline has passed; else the task is woken when it has.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if self.sleep.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            if clock::instant() >= self.deadline {
                return Poll::Ready(());
            }
            self.arm();
        }
    }

    fn arm(&mut self) {
        self.armed = self.deadline;
        self.sleep.as_mut().reset(self.armed);
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn barks_when_the_last_deadline_has_passed_and_not_before() {
        let start = Instant::now();
        let mut dog = Watchdog::new(Duration::from_secs(10));
        tokio::time::advance(Duration::from_secs(6)).await;
        dog.set(Duration::from_secs(10));
        poll_fn(|cx| dog.poll(cx)).await;
        assert_eq!(start.elapsed().as_secs(), 16);
    }

    #[tokio::test(start_paused = true)]
    async fn a_nearer_deadline_is_kept() {
        let start = Instant::now();
        let mut dog = Watchdog::new(Duration::from_secs(100));
        dog.set(Duration::from_secs(5));
        poll_fn(|cx| dog.poll(cx)).await;
        assert_eq!(start.elapsed().as_secs(), 5);
    }
}
