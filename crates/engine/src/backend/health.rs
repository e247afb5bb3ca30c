//! Whether a back-end may be used: whether it takes connections, and whether it answers on them.
//!
//! ```text
//!            took no connection                    answered TRIALS times
//!      up ───────────────────────▶ dead        ┌──────────────────────────┐
//!       ▲                           │          ▼                          │
//!       └── took one, or a probe ───┘          up ── MaxFails in a row ──▶ left out ── every now and then one request
//! ```
//!
//! The two are independent: one that was left out and dies comes back left out. All workers share this. A request that
//! goes well reads it and writes nothing.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::Moment;
use crate::limits;

/// No moment at all.
const NEVER: u64 = u64::MAX;

/// How a request comes to a back-end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Attempt {
    /// It is up, or as good as any other.
    #[default]
    Usual,
    /// It is left out, and this request finds out whether it answers again.
    Trial,
    /// It is dead, and so are all others: the request finds out whether it still is.
    LastResort,
}

/// Why there was no connection, as far as it matters for the next try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The answer was no, at once: asking again costs next to nothing.
    Refused,
    /// Nothing came, or the network says that it cannot: asking again may take long.
    Unreachable,
}

/// The health of one back-end.
#[derive(Debug)]
pub(crate) struct Health {
    alive: AtomicBool,
    left_out: AtomicBool,
    /// Several requests wait for it, and it has answered none for a while.
    stalled: AtomicBool,
    /// Requests in a row that it gave no answer.
    fails: AtomicU32,
    revivals: AtomicU32,
    /// From when on a request may try it although it is dead.
    resort_at: AtomicU64,
    /// From when on a request that may be sent again may find out whether it answers again.
    trial_at: AtomicU64,
    /// The same for any request: where nobody sends others, it must not stay out for ever.
    trial_any_at: AtomicU64,
    /// What only failures touch.
    past: Mutex<Past>,
}

#[derive(Debug, Default)]
struct Past {
    /// When it died last.
    died: Moment,
    /// When it came back last, and how far apart probes were by then.
    back: Option<(Moment, Duration)>,
    /// Between the last probe and the next.
    probe_pause: Duration,
    /// When it is probed next; `None` while it is alive, or being probed.
    probe_at: Option<Moment>,
    /// When it was left out last.
    out: Moment,
    /// How long it is left alone after a failure.
    out_pause: Duration,
    /// When it was let in again last.
    let_in: Option<Moment>,
    /// Answers in a row since it was left out.
    passed: u32,
}

impl Default for Health {
    /// Alive and well.
    fn default() -> Self {
        Health {
            alive: AtomicBool::new(true),
            left_out: AtomicBool::new(false),
            stalled: AtomicBool::new(false),
            fails: AtomicU32::new(0),
            revivals: AtomicU32::new(0),
            resort_at: AtomicU64::new(NEVER),
            trial_at: AtomicU64::new(NEVER),
            trial_any_at: AtomicU64::new(NEVER),
            past: Mutex::default(),
        }
    }
}

/// Whether it takes connections.
impl Health {
    /// Whether it took the last connection.
    pub(crate) fn is_alive(&self) -> bool {
        self.alive.load(Ordering::Relaxed)
    }

    /// How often it has come back to life. Read before a connection is begun and given to [`Health::died`].
    pub(crate) fn revival(&self) -> u32 {
        self.revivals.load(Ordering::Acquire)
    }

    /// Records that it took no connection; says whether that is news. A try that began before it last came back to life
    /// says nothing about it now. Probes are at most `rarest` apart.
    pub(crate) fn died(&self, revival: u32, refusal: Refusal, now: Moment, rarest: Duration) -> bool {
        let mut past = self.past();
        if self.revival() != revival {
            return false;
        }
        self.resort_at.store(
            match refusal {
                Refusal::Refused => (now + limits::RESORT_PAUSE).0,
                Refusal::Unreachable => NEVER,
            },
            Ordering::Relaxed,
        );
        if !self.alive.swap(false, Ordering::AcqRel) {
            return false;
        }
        past.died = now;
        // One that dies again and again is probed no more often than before.
        past.probe_pause = match past.back {
            Some((back, pause)) if now.since(back) < pause * limits::PROBE_MEMORY => pause * 2,
            _ => limits::PROBE_FIRST,
        }
        .min(rarest);
        past.probe_at = Some(now + past.probe_pause);
        true
    }

    /// Records that it took a connection; says since when it had taken none, if that is news.
    pub(crate) fn came_back(&self, now: Moment) -> Option<Duration> {
        if self.is_alive() {
            return None;
        }
        let mut past = self.past();
        if self.is_alive() {
            return None;
        }
        // Before it is seen alive: whoever then finds it dead began after this.
        self.revivals.fetch_add(1, Ordering::AcqRel);
        past.back = Some((now, past.probe_pause));
        past.probe_at = None;
        self.alive.store(true, Ordering::Release);
        Some(now.since(past.died))
    }

    /// Whether a request for which there is no other back-end may try this one although it is dead: it said no at once
    /// when it was tried last, and that was not just now.
    pub(crate) fn is_worth_a_try(&self, now: Moment) -> bool {
        now.0 >= self.resort_at.load(Ordering::Relaxed)
    }

    /// Since when it is dead, and when it is probed next; `None` if it is alive.
    pub(crate) fn death(&self) -> Option<(Moment, Option<Moment>)> {
        let past = self.past();
        (!self.is_alive()).then_some((past.died, past.probe_at))
    }

    /// When it is to be probed; `None` if not.
    pub(crate) fn probe_at(&self) -> Option<Moment> {
        // Without the lock for those that are alive, which are most.
        if self.is_alive() { None } else { self.past().probe_at }
    }

    /// A probe of it begins.
    pub(crate) fn probing(&self) {
        self.past().probe_at = None;
    }

    /// A probe has found it dead still: the next one comes after twice the time, at most `rarest`.
    pub(crate) fn still_dead(&self, refusal: Refusal, now: Moment, rarest: Duration) {
        let mut past = self.past();
        if self.is_alive() {
            return;
        }
        past.probe_pause = (past.probe_pause * 2).min(rarest);
        past.probe_at = Some(now + past.probe_pause);
        if refusal == Refusal::Refused {
            // Whatever was in the way is gone, so that a request may try as well.
            let _ = self.resort_at.compare_exchange(NEVER, now.0, Ordering::Relaxed, Ordering::Relaxed);
        } else {
            self.resort_at.store(NEVER, Ordering::Relaxed);
        }
    }
}

/// Whether it answers.
impl Health {
    /// Whether it is left out for having failed too many requests in a row.
    pub(crate) fn is_left_out(&self) -> bool {
        self.left_out.load(Ordering::Relaxed)
    }

    /// Whether requests should rather go to others for now: several wait for it, and it answers none.
    pub(crate) fn is_stalled(&self) -> bool {
        self.stalled.load(Ordering::Relaxed)
    }

    /// Records whether it seems to hang. Any answer says that it does not.
    pub(crate) fn set_stalled(&self, stalled: bool) {
        self.stalled.store(stalled, Ordering::Relaxed);
    }

    /// Records that it gave an answer; says how long it had been left out, if this is what lets it in again.
    pub(crate) fn answered(&self, attempt: Attempt, now: Moment) -> Option<Duration> {
        // Reading first keeps the cache line shared between the workers.
        if self.fails.load(Ordering::Relaxed) != 0 {
            self.fails.store(0, Ordering::Relaxed);
        }
        if self.is_stalled() {
            self.set_stalled(false);
        }
        if !self.is_left_out() {
            return None;
        }
        let mut past = self.past();
        if !self.is_left_out() {
            return None;
        }
        past.passed += 1;
        if past.passed < limits::TRIALS {
            if attempt == Attempt::Trial {
                self.next_trial(now, past.out_pause);
            }
            return None;
        }
        past.let_in = Some(now);
        self.left_out.store(false, Ordering::Relaxed);
        Some(now.since(past.out))
    }

    /// Records that it gave a request no answer; gives the number of such requests in a row. A trial that fails is the
    /// last one for twice the time, at most `rarest`.
    pub(crate) fn failed(&self, attempt: Attempt, now: Moment, rarest: Duration) -> u32 {
        if attempt == Attempt::Trial {
            let mut past = self.past();
            past.passed = 0;
            past.out_pause = (past.out_pause * 2).min(rarest.max(limits::OUT_FIRST));
            self.next_trial(now + past.out_pause, past.out_pause);
        }
        self.fails.fetch_add(1, Ordering::Relaxed).saturating_add(1)
    }

    /// Leaves it out; gives how long it is left alone, `None` if it was left out already. One that fails again soon after
    /// it was let in is left alone for twice as long as before, at most `rarest`.
    pub(crate) fn leave_out(&self, now: Moment, rarest: Duration) -> Option<Duration> {
        let mut past = self.past();
        if self.is_left_out() {
            return None;
        }
        past.out = now;
        past.passed = 0;
        past.out_pause = match past.let_in {
            Some(at) if now.since(at) < past.out_pause * limits::OUT_MEMORY => {
                (past.out_pause * 2).min(rarest.max(limits::OUT_FIRST))
            }
            _ => limits::OUT_FIRST,
        };
        self.next_trial(now + past.out_pause, past.out_pause);
        self.left_out.store(true, Ordering::Relaxed);
        Some(past.out_pause)
    }

    /// Whether this request is the one that finds out whether it answers again; then no other one is until that is known,
    /// or `lease` is over. `again`: the request may be sent again if it does not.
    pub(crate) fn claim_trial(&self, now: Moment, again: bool, lease: Duration) -> bool {
        if !self.is_left_out() {
            return false;
        }
        let at = if again { &self.trial_at } else { &self.trial_any_at };
        if now.0 < at.load(Ordering::Relaxed) {
            return false;
        }
        // Under the lock, so that two workers do not both take it.
        let _past = self.past();
        if now.0 < at.load(Ordering::Relaxed) {
            return false;
        }
        self.next_trial(now + lease, Duration::ZERO);
        true
    }

    /// A trial ended without a finding: the client has gone.
    pub(crate) fn trial_over(&self, now: Moment) {
        let past = self.past();
        self.next_trial(now, past.out_pause);
    }

    /// The next trial may begin at `at`; with a request that cannot be sent again, `later` after that.
    fn next_trial(&self, at: Moment, later: Duration) {
        self.trial_at.store(at.0, Ordering::Relaxed);
        self.trial_any_at.store((at + later).0, Ordering::Relaxed);
    }

    fn past(&self) -> MutexGuard<'_, Past> {
        // It is whole at any time: a panic elsewhere cannot have left it half-written.
        self.past.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RAREST: Duration = Duration::from_secs(30);

    fn at(millis: u64) -> Moment {
        Moment(millis * 1000)
    }

    fn die(health: &Health, now: u64) -> bool {
        health.died(health.revival(), Refusal::Refused, at(now), RAREST)
    }

    #[test]
    fn a_late_failure_says_nothing_about_a_back_end_that_came_back_since() {
        let health = Health::default();
        let (first, second) = (health.revival(), health.revival());
        assert!(health.died(first, Refusal::Refused, at(0), RAREST), "news");
        assert!(!health.died(second, Refusal::Refused, at(0), RAREST), "no news");
        assert_eq!(health.came_back(at(70)), Some(Duration::from_millis(70)));
        assert!(!health.died(second, Refusal::Refused, at(80), RAREST), "it began before the revival");
        assert!(health.is_alive());
        assert!(die(&health, 90));
    }

    #[test]
    fn probes_begin_soon_and_become_rare() {
        let health = Health::default();
        assert_eq!(health.probe_at(), None);
        die(&health, 0);
        let mut now = at(0);
        let mut pauses = Vec::new();
        while pauses.len() < 9 {
            let next = health.probe_at().unwrap();
            pauses.push(next.since(now).as_millis());
            health.probing();
            assert_eq!(health.probe_at(), None, "one at a time");
            now = next;
            health.still_dead(Refusal::Refused, now, RAREST);
        }
        assert_eq!(pauses, [250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
        health.came_back(now);
        assert_eq!(health.probe_at(), None);
    }

    #[test]
    fn a_short_alive_is_the_longest_pause_from_the_beginning() {
        let health = Health::default();
        health.died(0, Refusal::Refused, at(0), Duration::from_millis(100));
        assert_eq!(health.probe_at(), Some(at(100)));
    }

    #[test]
    fn one_that_dies_again_and_again_is_probed_ever_more_seldom() {
        let health = Health::default();
        let mut now = 0;
        for pause in [250, 500, 1000, 2000] {
            die(&health, now);
            assert_eq!(health.probe_at(), Some(at(now + pause)));
            now += pause;
            health.came_back(at(now));
            now += 10;
        }
        now += 3_600_000;
        die(&health, now);
        assert_eq!(health.probe_at(), Some(at(now + 250)), "it was well for an hour");
    }

    #[test]
    fn the_last_resort_is_for_those_that_say_no_at_once() {
        let health = Health::default();
        die(&health, 0);
        assert!(!health.is_worth_a_try(at(0)), "it has just said no");
        assert!(health.is_worth_a_try(at(50)));
        health.died(health.revival(), Refusal::Unreachable, at(60), RAREST);
        assert!(!health.is_worth_a_try(at(10_000)), "it may take long");
        health.still_dead(Refusal::Refused, at(11_000), RAREST);
        assert!(health.is_worth_a_try(at(11_050)), "the probe got an answer");
        health.still_dead(Refusal::Unreachable, at(12_000), RAREST);
        assert!(!health.is_worth_a_try(at(13_000)));
    }

    #[test]
    fn only_failures_in_a_row_count() {
        let health = Health::default();
        assert_eq!(health.failed(Attempt::Usual, at(0), RAREST), 1);
        assert_eq!(health.failed(Attempt::Usual, at(0), RAREST), 2);
        assert_eq!(health.answered(Attempt::Usual, at(0)), None);
        assert_eq!(health.failed(Attempt::Usual, at(0), RAREST), 1);
    }

    /// Whether a request gets the trial; it may be sent again or not.
    fn trial(health: &Health, now: u64, again: bool) -> bool {
        health.claim_trial(at(now), again, Duration::from_secs(20))
    }

    #[test]
    fn one_that_is_left_out_comes_back_by_single_requests() {
        let health = Health::default();
        assert!(!trial(&health, 0, true), "it is not left out");
        assert_eq!(health.leave_out(at(0), RAREST), Some(Duration::from_secs(1)));
        assert_eq!(health.leave_out(at(0), RAREST), None, "no news");
        assert!(!trial(&health, 999, true));
        assert!(!trial(&health, 1000, false), "what cannot be sent again waits longer");
        assert!(trial(&health, 1000, true));
        assert!(!trial(&health, 1001, true) && !trial(&health, 5000, false), "one at a time");
        assert_eq!(health.answered(Attempt::Trial, at(1002)), None);
        assert!(trial(&health, 1002, true));
        health.trial_over(at(1003));
        assert!(trial(&health, 1003, true), "the last one found nothing out");
        assert_eq!(health.answered(Attempt::Trial, at(1004)), None);
        assert!(trial(&health, 1004, true));
        assert_eq!(health.answered(Attempt::Trial, at(1500)), Some(Duration::from_millis(1500)));
        assert!(!health.is_left_out());
    }

    #[test]
    fn each_failed_trial_doubles_the_pause() {
        let health = Health::default();
        health.leave_out(at(0), RAREST);
        let mut now = 1000;
        for pause in [2, 4, 8, 16, 30, 30] {
            assert!(trial(&health, now, true));
            health.failed(Attempt::Trial, at(now), RAREST);
            assert!(!trial(&health, now + pause * 1000 - 1, true));
            now += pause * 1000;
        }
        assert!(!trial(&health, now, false));
        assert!(trial(&health, now + 30_000, false), "without others, one that cannot be sent again");
    }

    #[test]
    fn a_trial_that_is_never_heard_of_again_does_not_keep_it_out() {
        let health = Health::default();
        health.leave_out(at(0), RAREST);
        assert!(trial(&health, 1000, true));
        assert!(!trial(&health, 20_999, true));
        assert!(trial(&health, 21_000, true));
    }

    #[test]
    fn one_that_fails_again_soon_is_left_out_for_longer() {
        let health = Health::default();
        let let_in =
            |now| (0..limits::TRIALS).filter_map(|_| health.answered(Attempt::Trial, at(now))).count();
        health.leave_out(at(0), RAREST);
        assert_eq!(let_in(1000), 1);
        assert_eq!(health.leave_out(at(2000), RAREST), Some(Duration::from_secs(2)));
        assert_eq!(let_in(4000), 1);
        assert_eq!(health.leave_out(at(3_600_000), RAREST), Some(Duration::from_secs(1)));
    }
}
