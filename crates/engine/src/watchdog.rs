//! One timer for a connection.
//!
//! A connection has one deadline at a time. Moving it ahead, as every byte of progress does, only stores a number: the
//! timer itself is touched when it fires too early, or when the deadline comes nearer. So a busy connection costs
//! the timer wheel one entry per timeout, not several per request.
//!
//! Where bodies are moved it also measures the client's rate (`MinRate`), window by window, over the time in which it was
//! the client's turn. That is looked at when the timer fires, so it costs no clock read for a byte that moves.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use crate::pace::{Crowd, Pace, micros};
use crate::{clock, limits};

/// Barks when its deadline has passed.
pub(crate) struct Watchdog {
    deadline: Instant,
    /// Its own deadline is when we look next.
    sleep: Pin<Box<Sleep>>,
    /// How far ahead the deadline was set, in microseconds. Smaller than a `Duration`: every idle connection has one.
    delay_us: u64,
    pace: Pace,
    /// The most that had been moved at a look in this wait; [`NO_LOOK`] before the first.
    seen: u64,
}

/// How many looks are taken while a client may be silent; by as much of that time a bark may come late, and never early.
const LOOKS: u64 = 8;

/// No look has been taken yet.
const NO_LOOK: u64 = u64::MAX;

/// Why it barks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bark {
    /// Nothing moved until the deadline.
    Silent,
    /// The client moved less than it has to.
    Slow,
}

impl Watchdog {
    /// A watchdog that barks after `delay`, and at clients that are too slow among too many, see [`Crowd`]. The task is woken once after `look`,
    /// if that is sooner; see [`Watchdog::looks_soon`].
    pub(crate) fn new(delay: Duration, crowd: Rc<Crowd>, look: Duration) -> Watchdog {
        let now = clock::instant();
        Watchdog {
            deadline: now + delay,
            sleep: Box::pin(sleep_until(now + delay.min(look))),
            delay_us: micros(delay),
            pace: Pace::new(crowd),
            seen: NO_LOOK,
        }
    }

    /// Moves the deadline to `delay` from now.
    pub(crate) fn set(&mut self, delay: Duration) {
        self.turn(delay, false);
    }

    /// From here on bodies are moved, and what is moved is counted from zero. `free`: at whatever rate.
    pub(crate) fn measure(&mut self, free: bool) {
        self.pace.begin(free);
    }

    /// Moves the deadline to `delay` from now, and says whether it is the client who has to move until then.
    pub(crate) fn turn(&mut self, delay: Duration, clients: bool) {
        let now = clock::instant();
        self.deadline = now + delay;
        let mut next = self.deadline;
        // Mostly it is not the client's turn, nor was it.
        if clients || self.pace.is_clients_turn() {
            self.delay_us = micros(delay);
            self.seen = NO_LOOK;
            self.pace.turn(now, clients);
            next = self.next(now);
        }
        if next < self.sleep.deadline() {
            self.arm(next);
        }
    }

    /// Whether the task of a new connection will be woken within [`limits::FRESH_LOOK`], whatever happens until then,
    /// provided that it asks [`Watchdog::poll`] before it waits.
    pub(crate) fn looks_soon(&self) -> bool {
        let (at, now) = (self.sleep.deadline(), clock::instant());
        at > now && at <= now + limits::FRESH_LOOK
    }

    /// Ready when the deadline has passed; else the task is woken when it has.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_moving(cx, || 0).map(drop)
    }

    /// The same while bodies are moved: also ready when the client is too slow. `moved` says how many bytes it has sent
    /// and taken since [`Watchdog::measure`]; it is asked when the timer fires.
    pub(crate) fn poll_moving(&mut self, cx: &mut Context<'_>, moved: impl Fn() -> u64) -> Poll<Bark> {
        loop {
            if self.sleep.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            let now = clock::instant();
            if self.pace.is_clients_turn() {
                let moved = moved();
                // The system takes what we write in large pieces, so a client may have taken some without any sign. When
                // it did is not known, nor whether it did before the first look: the silence begins at this look.
                if self.seen == NO_LOOK || moved > self.seen {
                    self.seen = moved;
                    self.deadline = now + Duration::from_micros(self.delay_us);
                }
                if self.pace.is_to_go(now, moved) {
                    return Poll::Ready(Bark::Slow);
                }
            }
            if now >= self.deadline {
                return Poll::Ready(Bark::Silent);
            }
            self.arm(self.next(now));
        }
    }

    /// When to look next.
    fn next(&self, now: Instant) -> Instant {
        if !self.pace.is_clients_turn() {
            return self.deadline;
        }
        // Looks on the way, to know at the deadline since when nothing has moved.
        let look = now + Duration::from_micros(self.delay_us / LOOKS);
        look.min(self.deadline).min(self.pace.judged(now).unwrap_or(look))
    }

    fn arm(&mut self, at: Instant) {
        self.sleep.as_mut().reset(at);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::poll_fn;
    use std::num::NonZeroU64;

    use plan::MinRate;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn rate(bytes: u64, seconds: u64) -> Rc<Crowd> {
        crowd(bytes, seconds, 0)
    }

    fn crowd(bytes: u64, seconds: u64, spare: u32) -> Rc<Crowd> {
        let window = Duration::from_secs(seconds);
        Crowd::new(MinRate { bytes: NonZeroU64::new(bytes), window, spare })
    }

    fn dog(seconds: u64) -> Watchdog {
        Watchdog::new(Duration::from_secs(seconds), rate(0, 30), Duration::from_secs(seconds))
    }

    #[tokio::test(start_paused = true)]
    async fn barks_when_the_last_deadline_has_passed_and_not_before() {
        let start = Instant::now();
        let mut dog = dog(10);
        tokio::time::advance(Duration::from_secs(6)).await;
        dog.set(Duration::from_secs(10));
        poll_fn(|cx| dog.poll(cx)).await;
        assert_eq!(start.elapsed().as_secs(), 16);
    }

    #[tokio::test(start_paused = true)]
    async fn a_nearer_deadline_is_kept() {
        let start = Instant::now();
        let mut dog = dog(100);
        dog.set(Duration::from_secs(5));
        poll_fn(|cx| dog.poll(cx)).await;
        assert_eq!(start.elapsed().as_secs(), 5);
    }

    /// Moves `step` bytes a second for `seconds`, with 10 s of silence allowed; says when and why it barked.
    async fn drip(rate: Rc<Crowd>, step: u64, seconds: u64) -> Option<(Bark, u64)> {
        let start = Instant::now();
        let mut dog = Watchdog::new(10 * SECOND, rate, 10 * SECOND);
        dog.measure(false);
        let moved = Cell::new(0);
        for _ in 0..seconds {
            moved.set(moved.get() + step);
            dog.turn(10 * SECOND, true);
            let bark = poll_fn(|cx| dog.poll_moving(cx, || moved.get()));
            if let Ok(bark) = tokio::time::timeout(SECOND, bark).await {
                return Some((bark, start.elapsed().as_secs()));
            }
        }
        None
    }

    #[tokio::test(start_paused = true)]
    async fn a_drip_ends_with_its_window_and_a_steady_client_goes_on() {
        assert_eq!(drip(rate(240, 30), 1, 100).await, Some((Bark::Slow, 30)));
        assert_eq!(drip(rate(240, 30), 239, 100).await, Some((Bark::Slow, 30)));
        assert_eq!(drip(rate(240, 30), 250, 1000).await, None);
        assert_eq!(drip(rate(0, 30), 1, 1000).await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_timeout_does_not_put_the_look_at_the_rate_off() {
        let start = Instant::now();
        let mut dog = Watchdog::new(600 * SECOND, rate(240, 30), 600 * SECOND);
        dog.measure(false);
        dog.turn(600 * SECOND, true);
        assert_eq!(poll_fn(|cx| dog.poll_moving(cx, || 100)).await, Bark::Slow);
        assert_eq!(start.elapsed().as_secs(), 30);
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_does_not_pay_for_a_drip_after_it() {
        let start = Instant::now();
        let mut dog = Watchdog::new(10 * SECOND, rate(240, 30), 10 * SECOND);
        dog.measure(false);
        let mut moved = 1 << 30;
        let bark = loop {
            moved += 1;
            dog.turn(10 * SECOND, true);
            let bark = poll_fn(|cx| dog.poll_moving(cx, || moved));
            if let Ok(bark) = tokio::time::timeout(SECOND, bark).await {
                break bark;
            }
        };
        assert_eq!((bark, start.elapsed().as_secs()), (Bark::Slow, 60));
    }

    #[tokio::test(start_paused = true)]
    async fn time_that_is_the_back_ends_is_not_the_clients() {
        let mut dog = Watchdog::new(10 * SECOND, rate(240, 30), 10 * SECOND);
        dog.measure(false);
        // Ten rounds of a slow back-end: two seconds of the client's and 300 bytes of his in each, of thirty seconds.
        let mut moved = 0;
        for _ in 0..100 {
            moved += 600;
            for (seconds, clients) in [(28, false), (2, true)] {
                dog.turn(60 * SECOND, clients);
                let bark = poll_fn(|cx| dog.poll_moving(cx, || moved));
                assert!(tokio::time::timeout(seconds * SECOND, bark).await.is_err());
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_system_has_passed_on_is_progress() {
        let start = Instant::now();
        let mut dog = Watchdog::new(10 * SECOND, rate(100, 30), 10 * SECOND);
        dog.measure(false);
        dog.turn(10 * SECOND, true);
        // Nothing is written: the client takes a thousand bytes a second of what was, for a minute, and then no more.
        let moved = || 1000 * start.elapsed().as_secs().min(60);
        assert_eq!(poll_fn(|cx| dog.poll_moving(cx, moved)).await, Bark::Silent);
        assert!((70..=72).contains(&start.elapsed().as_secs()), "{}", start.elapsed().as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_much_at_a_time_and_seldom_is_not_silent() {
        let start = Instant::now();
        // A window opens when much has been read: seven seconds of ten between two signs, and none at a round time.
        let mut dog = Watchdog::new(10 * SECOND, rate(0, 30), 10 * SECOND);
        dog.measure(false);
        dog.turn(10 * SECOND, true);
        let moved = || 70_000 * ((start.elapsed().as_secs() + 3) / 7).min(20);
        assert_eq!(poll_fn(|cx| dog.poll_moving(cx, moved)).await, Bark::Silent);
        assert!(start.elapsed().as_secs() >= 137 + 10, "{}", start.elapsed().as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn a_few_slow_clients_are_borne_and_a_crowd_of_them_is_not() {
        let start = Instant::now();
        let crowd = crowd(240, 30, 2);
        let dog = || {
            let mut dog = Watchdog::new(60 * SECOND, crowd.clone(), 60 * SECOND);
            dog.measure(false);
            dog
        };
        // Each sends 20 bytes every three seconds.
        let mut few = [dog(), dog()];
        let step = async |dogs: &mut [Watchdog]| {
            let moved = start.elapsed().as_secs() / 3 * 20;
            let mut left = Vec::new();
            for dog in dogs.iter_mut() {
                dog.turn(60 * SECOND, true);
                let bark = poll_fn(|cx| dog.poll_moving(cx, || moved));
                left.push(tokio::time::timeout(Duration::from_millis(1), bark).await.ok());
            }
            tokio::time::advance(3 * SECOND).await;
            left
        };
        for _ in 0..40 {
            assert_eq!(step(&mut few).await, [None, None]);
        }
        let [first, second] = few;
        let mut crowd = [first, second, dog()];
        let begun = Instant::now();
        // The third one is judged after its window, and the others at their next look.
        let mut ended = [None; 3];
        while ended.contains(&None) {
            for (end, bark) in ended.iter_mut().zip(step(&mut crowd).await) {
                *end = end.or(bark.map(|bark| {
                    assert_eq!(bark, Bark::Slow);
                    begun.elapsed().as_secs()
                }));
            }
            assert!(begun.elapsed().as_secs() < 60, "{ended:?}");
        }
        assert!(ended.iter().all(|end| end.is_some_and(|end| (30..=45).contains(&end))), "{ended:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_channel_is_never_too_slow() {
        let mut dog = Watchdog::new(60 * SECOND, rate(240, 30), 60 * SECOND);
        dog.measure(true);
        for moved in 0..100 {
            dog.turn(60 * SECOND, true);
            let bark = poll_fn(|cx| dog.poll_moving(cx, || moved));
            assert!(tokio::time::timeout(3 * SECOND, bark).await.is_err());
        }
    }
}
