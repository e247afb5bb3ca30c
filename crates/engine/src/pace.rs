//! How fast a client has to be (`MinRate`), and when it is held to that.
//!
//! A client that moves little is a stream with little to say, or a drip that means to hold a back-end. On the wire the two
//! are the same; what tells them apart is their number. So a few slow clients are borne, and when there are more at
//! once, all that are slow are given up, for as long as the crowd lasts and one window more.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use plan::MinRate;
use tokio::time::Instant;

/// The clients of one listener on one worker, as far as they are slow.
#[derive(Debug)]
pub(crate) struct Crowd {
    rate: MinRate,
    slow: Cell<u32>,
    /// There were too many, or there were until a window ago.
    pressed_until: Cell<Option<Instant>>,
}

impl Crowd {
    /// Nobody yet.
    pub(crate) fn new(rate: MinRate) -> Rc<Crowd> {
        Rc::new(Crowd { rate, slow: Cell::new(0), pressed_until: Cell::new(None) })
    }

    fn is_pressed(&self, now: Instant) -> bool {
        self.pressed_until.get().is_some_and(|until| now < until)
    }

    /// One more has been found slow, or again: whether there are too many.
    fn is_too_many(&self, now: Instant) -> bool {
        if self.slow.get() > self.rate.spare {
            self.pressed_until.set(Some(now + self.rate.window));
        }
        self.is_pressed(now)
    }
}

/// How much a client moves in the time that is its own.
pub(super) struct Pace {
    crowd: Rc<Crowd>,
    /// It is the client's turn, since then.
    turn: Option<Instant>,
    /// Time that was the client's in this window, before this turn, in microseconds.
    spent_us: u64,
    /// What had been moved when this window began.
    base: u64,
    /// It is never judged, see [`Pace::begin`].
    free: bool,
    /// It was too slow in its last window, and counts in the crowd.
    slow: bool,
}

impl Pace {
    pub(super) fn new(crowd: Rc<Crowd>) -> Pace {
        Pace { crowd, turn: None, spent_us: 0, base: 0, free: false, slow: false }
    }

    /// From here on bytes are counted from zero. `free`: what is moved is a channel and no body, and silent by design.
    pub(super) fn begin(&mut self, free: bool) {
        self.turn = None;
        self.spent_us = 0;
        self.base = 0;
        self.free = free;
        self.mark(false);
    }

    pub(super) fn is_clients_turn(&self) -> bool {
        self.turn.is_some()
    }

    pub(super) fn turn(&mut self, now: Instant, clients: bool) {
        match (self.turn, clients) {
            (None, true) => self.turn = Some(now),
            (Some(since), false) => {
                self.spent_us += micros(now.saturating_duration_since(since));
                self.turn = None;
            }
            (None, false) | (Some(_), true) => {}
        }
    }

    /// When this window ends, if the turn goes on.
    pub(super) fn judged(&self, now: Instant) -> Option<Instant> {
        let rate = self.crowd.rate;
        if self.free {
            return None;
        }
        rate.bytes?;
        Some(self.turn.unwrap_or(now) + rate.window.saturating_sub(Duration::from_micros(self.spent_us)))
    }

    /// Whether the client has to be given up: a window is over, too little was moved in it, and so it is with too many
    /// others. The next window begins then. One that was found slow before there were too many is not waited for so long.
    pub(super) fn is_to_go(&mut self, now: Instant, moved: u64) -> bool {
        let rate = self.crowd.rate;
        let (Some(bytes), Some(since), false) = (rate.bytes, self.turn, self.free) else { return false };
        let spent = Duration::from_micros(self.spent_us) + now.saturating_duration_since(since);
        let needed = u128::from(bytes.get()) * spent.as_millis() / 1000;
        let slow = u128::from(moved.saturating_sub(self.base)) < needed;
        if spent < rate.window {
            return slow && self.slow && self.crowd.is_pressed(now);
        }
        self.base = moved;
        self.spent_us = 0;
        self.turn = Some(now);
        self.mark(slow);
        slow && self.crowd.is_too_many(now)
    }

    fn mark(&mut self, slow: bool) {
        let count = &self.crowd.slow;
        match (self.slow, slow) {
            (false, true) => count.set(count.get() + 1),
            (true, false) => count.set(count.get() - 1),
            _ => {}
        }
        self.slow = slow;
    }
}

impl Drop for Pace {
    fn drop(&mut self) {
        self.mark(false);
    }
}

pub(super) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
