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

/// How long the wall clock is told by the monotonic one before it is read again. Both run at the same rate, so this is
/// only how late a step of it (a clock that is set, a machine that was asleep) is noticed.
const WALL_KEPT: Duration = Duration::from_millis(10);

/// How often the two clocks are read until they belong together.
const WALL_TRIES: u32 = 3;

/// How far the two clocks may be apart at a reading.
const WALL_GRAIN: Duration = Duration::from_micros(100);

thread_local! {
    static TURN: Cell<Option<Instant>> = const { Cell::new(None) };
    /// When the wall clock was read last, and what it said.
    static WALL: Cell<Option<(Instant, Duration)>> = const { Cell::new(None) };
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

/// The wall clock at `now`, which is this turn or the present.
fn wall_at(now: Instant) -> Duration {
    if let Some((read, wall)) = WALL.get() {
        match now.checked_duration_since(read) {
            Some(passed) if passed < WALL_KEPT => return wall + passed,
            Some(_) => {}
            // This turn had begun when another one of its lines had the clock read.
            None => return wall.saturating_sub(read.saturating_duration_since(now)),
        }
    }
    let mut tries = 0;
    loop {
        tries += 1;
        let read = Instant::now();
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        // If the thread was stopped in between, the two say nothing of each other.
        let apart = read.elapsed() >= WALL_GRAIN;
        if !apart || tries == WALL_TRIES {
            WALL.set((!apart).then_some((read, wall)));
            return wall.saturating_sub(read.saturating_duration_since(now));
        }
    }
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

    /// Now, on the monotonic clock, whatever this turn says: for the length of something that is done within one.
    pub fn fresh(&self) -> Moment {
        match &self.0 {
            Source::System(origin) => Moment(
                u64::try_from(Instant::now().saturating_duration_since(*origin).as_micros())
                    .unwrap_or(u64::MAX),
            ),
            Source::Manual(_) => self.now(),
        }
    }

    /// Now, on the wall clock, as time since the epoch; zero if the system's clock stands before it.
    pub fn wall(&self) -> Duration {
        match &self.0 {
            Source::System(_) => wall_at(instant()),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn wall() -> Duration {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
    }

    #[test]
    fn the_wall_clock_is_the_systems_at_the_moment_asked_for() {
        // A reading that was kept is this exact; both clocks may be slewed meanwhile, by far less.
        const SLACK: Duration = WALL_GRAIN;
        for step in 0..30 {
            // Within a reading's time, beyond it, and before it.
            let (before, now) = (wall(), Instant::now());
            let after = wall();
            for back in [0, 3] {
                let back = Duration::from_millis(back);
                let Some(moment) = now.checked_sub(back) else { continue };
                let told = wall_at(moment);
                assert!(told + SLACK >= before - back && told <= after - back + SLACK, "{step}: {told:?}");
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn a_step_of_the_wall_clock_is_noticed_soon() {
        let now = Instant::now();
        let hour = Duration::from_secs(3600);
        // As if the clock had stood an hour behind when it was read.
        WALL.set(Some((now, wall() - hour)));
        assert!(wall_at(now) < wall() - hour / 2);
        assert!(wall_at(now + WALL_KEPT) > wall() - hour / 2);
    }
}
