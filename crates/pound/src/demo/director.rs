//! Takes one origin down, and up again, and measures how long pound takes to notice each.

use std::time::{Duration, Instant};

use super::origin::Origin;

/// A back-end that is not left out, or not back, after this long is a fault. `Alive` is one second in the demo.
const NOTICE_MAX: Duration = Duration::from_secs(5);

/// When each origin goes, in turn.
#[derive(Debug)]
pub(super) struct Director {
    schedule: Schedule,
    act: Act,
    next: usize,
    falls: Vec<Fall>,
}

/// The rhythm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Schedule {
    /// From the start, or the last return, to the next fall.
    pub(super) up: Duration,
    /// From a fall to the return.
    pub(super) down: Duration,
    /// Nothing falls later than this after the start; it would not be back in time.
    pub(super) last: Option<Duration>,
}

/// Where the play is.
#[derive(Debug)]
enum Act {
    /// All are up since.
    Up(Instant),
    /// One is down.
    Down { since: Instant },
    /// It listens again, and is not back in rotation.
    Returning { since: Instant },
}

/// One origin's absence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fall {
    /// Which.
    pub(super) origin: usize,
    /// From its fall until pound left it out; `None` if that was not seen.
    pub(super) left_out: Option<Duration>,
    /// From its return until pound used it again; `None` if that was not seen.
    pub(super) back: Option<Duration>,
}

impl Schedule {
    /// The rhythm of a demo that is watched.
    pub(super) const WATCHED: Schedule =
        Schedule { up: Duration::from_secs(6), down: Duration::from_secs(4), last: None };

    /// The rhythm of a run of this length; `None` if it is too short for a fall and a return.
    pub(super) fn within(length: Duration) -> Option<Schedule> {
        let (up, down) = (Duration::from_secs(1), Duration::from_millis(1500));
        let last = length.checked_sub(down + Duration::from_millis(1500))?;
        // A long run need not be all falls: three or so are seen.
        let up = up.max(length / 4).min(Duration::from_secs(6));
        (last >= up).then_some(Schedule { up, down, last: Some(last) })
    }
}

impl Director {
    /// Begins now, with all origins up.
    pub(super) fn new(schedule: Schedule) -> Director {
        Director { schedule, act: Act::Up(Instant::now()), next: 0, falls: Vec::new() }
    }

    /// Looks what is to be done. `alive` is what pound thinks of each origin now; `elapsed` is the time since the start
    /// of the demo. Gives a sentence if something happened.
    ///
    /// # Errors
    /// An origin cannot have its port back.
    pub(super) fn look(
        &mut self,
        origins: &[Origin],
        alive: &[bool],
        elapsed: Duration,
    ) -> std::io::Result<Option<String>> {
        match self.act {
            Act::Up(since) => {
                let in_time = self.schedule.last.is_none_or(|last| elapsed <= last);
                if since.elapsed() < self.schedule.up || !in_time {
                    return Ok(None);
                }
                origins[self.next].go_down();
                self.falls.push(Fall { origin: self.next, left_out: None, back: None });
                self.act = Act::Down { since: Instant::now() };
                Ok(Some(format!("{} goes down", origins[self.next].name)))
            }
            Act::Down { since } => {
                let mut told = None;
                if let Some(fall) = self.falls.last_mut()
                    && fall.left_out.is_none()
                    && !alive[fall.origin]
                {
                    fall.left_out = Some(since.elapsed());
                    told = Some(format!("{} is left out", origins[fall.origin].name));
                }
                if since.elapsed() >= self.schedule.down {
                    origins[self.next].come_up()?;
                    self.act = Act::Returning { since: Instant::now() };
                    told = Some(format!("{} listens again", origins[self.next].name));
                }
                Ok(told)
            }
            Act::Returning { since } => {
                let is_back = alive[self.next];
                if !is_back && since.elapsed() < NOTICE_MAX {
                    return Ok(None);
                }
                if let Some(fall) = self.falls.last_mut()
                    && is_back
                    && fall.left_out.is_some()
                {
                    fall.back = Some(since.elapsed());
                }
                let name = origins[self.next].name;
                self.next = (self.next + 1) % origins.len();
                self.act = Act::Up(Instant::now());
                Ok(Some(if is_back {
                    format!("{name} is back")
                } else {
                    format!("{name} does not come back")
                }))
            }
        }
    }

    /// Whether an origin is away: a run ends only when all are back.
    pub(super) fn busy(&self) -> bool {
        !matches!(self.act, Act::Up(_))
    }

    /// What happened so far.
    pub(super) fn falls(&self) -> &[Fall] {
        &self.falls
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn a_run_too_short_for_a_fall_has_none() {
        for seconds in 1..=3 {
            assert_eq!(Schedule::within(Duration::from_secs(seconds)), None, "{seconds}");
        }
        for seconds in 4..=100 {
            let length = Duration::from_secs(seconds);
            let schedule = Schedule::within(length).unwrap();
            let last = schedule.last.unwrap();
            assert!(schedule.up <= last && last + schedule.down < length, "{seconds}: {schedule:?}");
        }
    }

    #[test]
    fn measures_from_the_fall_to_the_return() {
        let visits = Arc::default();
        let origins = [Origin::start("amber", 0, &[], &visits).unwrap()];
        let mut director = Director::new(Schedule {
            up: Duration::ZERO,
            down: Duration::ZERO,
            last: Some(Duration::from_secs(1)),
        });
        let mut told = Vec::new();
        let mut look = |director: &mut Director, alive| {
            told.push(director.look(&origins, &[alive], Duration::from_secs(1)).unwrap().unwrap());
        };
        look(&mut director, true);
        assert!(director.busy());
        // The port is free again once the thread that listened has seen the fall.
        let end = Instant::now() + Duration::from_secs(10);
        while std::net::TcpListener::bind(origins[0].address).is_err() {
            assert!(Instant::now() < end, "the port is still taken");
            std::thread::yield_now();
        }
        look(&mut director, false);
        look(&mut director, true);
        assert!(!director.busy());
        assert_eq!(
            director.look(&origins, &[true], Duration::from_secs(2)).unwrap(),
            None,
            "too late for another"
        );
        assert_eq!(told, ["amber goes down", "amber listens again", "amber is back"]);
        let [fall] = director.falls() else { panic!("one fall") };
        assert!(fall.left_out.is_some() && fall.back.is_some());
    }
}
