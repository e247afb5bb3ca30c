//! The only place that asks what time it is.
//!
//! Timers and durations use the monotonic clock; the wall clock is for log lines and dates alone, so a jump of it
//! changes nothing else. A test holds the clock in its hand ([`Clock::manual`]).
//!
//! A task is polled for microseconds, and within one poll it is always the same time: the clock is read once for each
//! ([`Turn`]), not for each deadline that is moved and each moment that is noted.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

thread_local! {
    static TURN: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// One poll of a task: as long as it lives, the clock of this thread stands still.
struct Turn(());

impl Turn {
    /// Begins one.
    fn begin() -> Turn {
        TURN.set(Some(Instant::now()));
        Turn(())
    }
}

pin_project_lite::pin_project! {
    /// A task each of whose polls is a [`Turn`].
    pub(crate) struct InTurns<Task> {
        #[pin]
        task: Task,
    }
}

impl<Task> InTurns<Task> {
    /// This task, in turns.
    pub(crate) fn new(task: Task) -> InTurns<Task> {
        InTurns { task }
    }
}

impl<Task: Future> Future for InTurns<Task> {
    type Output = Task::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Task::Output> {
        let _turn = Turn::begin();
        self.project().task.poll(cx)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        TURN.set(None);
    }
}

/// Now, as a deadline of tokio's is told.
pub(crate) fn instant() -> Instant {
    TURN.get().unwrap_or_else(Instant::now)
}

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
            Source::System(origin) => {
                u64::try_from(instant().saturating_duration_since(*origin).as_micros()).unwrap_or(u64::MAX)
            }
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
