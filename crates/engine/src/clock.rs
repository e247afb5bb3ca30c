//! The only place that asks what time it is.
//!
//! Timers and durations use the monotonic clock; the wall clock is for log lines and dates alone, so a jump of it
//! changes nothing else. A test holds the clock in its hand ([`Clock::manual`]).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A point on the monotonic clock: microseconds since the clock was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Moment(pub u64);

impl Moment {
    /// Time from `earlier` to this; zero if it lies ahead.
    pub fn since(self, earlier: Moment) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl std::ops::Add<Duration> for Moment {
    type Output = Moment;

    fn add(self, duration: Duration) -> Moment {
        Moment(self.0.saturating_add(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)))
    }
}

/// Tells the time.
#[derive(Debug, Clone)]
pub struct Clock(Source);

#[derive(Debug, Clone)]
enum Source {
    System(Instant),
    Manual(Arc<AtomicU64>),
}

impl Clock {
    /// The clock of the system.
    pub fn system() -> Clock {
        Clock(Source::System(Instant::now()))
    }

    /// A clock that stands still until the returned handle moves it; for tests.
    pub fn manual() -> (Clock, ManualClock) {
        let micros = Arc::new(AtomicU64::new(0));
        (Clock(Source::Manual(micros.clone())), ManualClock(micros))
    }

    /// Now, on the monotonic clock.
    pub fn now(&self) -> Moment {
        Moment(match &self.0 {
            Source::System(origin) => u64::try_from(origin.elapsed().as_micros()).unwrap_or(u64::MAX),
            Source::Manual(micros) => micros.load(Ordering::Relaxed),
        })
    }

    /// Now, on the wall clock, as time since the epoch; zero if the system's clock stands before it.
    pub fn wall(&self) -> Duration {
        match &self.0 {
            Source::System(_) => SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
            Source::Manual(micros) => Duration::from_micros(micros.load(Ordering::Relaxed)),
        }
    }
}

/// Moves a [`Clock::manual`].
#[derive(Debug, Clone)]
pub struct ManualClock(Arc<AtomicU64>);

impl ManualClock {
    /// Lets `duration` pass.
    pub fn advance(&self, duration: Duration) {
        self.0.fetch_add(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}
