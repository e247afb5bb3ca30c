//! Idle connections to back-ends, one pool for each worker: no lock, and a connection never changes threads.
//!
//! A back-end closes what has been idle for too long for it, and a request that meets the close on its way is lost. Some
//! say how long they wait (`Keep-Alive: timeout=5`), and are believed with something to spare; of others it is noted after
//! what time they were seen to close. That decides which connection a request gets: one that can be sent again takes any
//! that still stands, one that cannot only such as is certain to.

use std::collections::VecDeque;
use std::time::Duration;

use wire::Fields;

use super::Live;
use crate::clock::Moment;
use crate::h1::Conn;
use crate::limits;

/// The idle connections of one worker.
#[derive(Default)]
pub(crate) struct Pool {
    /// By back-end id.
    shelves: Vec<Shelf>,
    /// When all connections were looked at last.
    swept: Moment,
}

/// Those to one back-end.
#[derive(Default)]
struct Shelf {
    /// The one used last is at the back and is taken first: it is the warmest, and those at the front grow old and are
    /// dropped.
    idle: VecDeque<Idle>,
    /// After what time at least it closed an idle connection, and when that was seen.
    closes: Option<(Duration, Moment)>,
}

struct Idle {
    /// Boxed: it goes from hand to hand for each request.
    conn: Box<Conn>,
    since: Moment,
    /// How often the back-end had come back to life when it went idle.
    revival: u32,
    /// How long it may be idle.
    patience: Duration,
}

/// How long a connection may be idle after an answer with these fields: as `Keep-Alive: timeout=SECONDS` says, less what
/// an answer may take to get here and a request to get there.
pub(crate) fn patience(fields: &Fields) -> Duration {
    let Some(value) = fields.get(wire::Known::KeepAlive) else { return limits::IDLE_BACKEND };
    let mut parameters = value.split(|byte| matches!(byte, b',' | b';'));
    let seconds = parameters.find_map(|parameter| {
        let (name, value) = parameter.trim_ascii().split_at_checked(b"timeout".len())?;
        let value = value.trim_ascii_start().strip_prefix(b"=")?.trim_ascii();
        if !name.eq_ignore_ascii_case(b"timeout") {
            return None;
        }
        let value = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value);
        std::str::from_utf8(value).ok()?.parse::<u32>().ok()
    });
    let Some(seconds) = seconds else { return limits::IDLE_BACKEND };
    let told = Duration::from_secs(seconds.into());
    told.saturating_sub(limits::IDLE_SPARE.max(told / 10)).max(told / 2).min(limits::IDLE_BACKEND)
}

impl Pool {
    /// A connection to this back-end that nothing has happened on since it went idle, as far as the reactor knows.
    pub(crate) fn take(&mut self, live: &Live, now: Moment) -> Option<Box<Conn>> {
        let swept = self.swept;
        self.shelf(live)?.take(live, now, Duration::MAX, swept)
    }

    /// The same for a request that cannot be sent again: only a connection that was used so lately that the back-end has
    /// no reason to close it yet.
    pub(crate) fn take_warm(&mut self, live: &Live, now: Moment) -> Option<Box<Conn>> {
        let swept = self.swept;
        let shelf = self.shelf(live)?;
        let closes = shelf.closes.filter(|(_, seen)| now.since(*seen) < limits::IDLE_MEMORY);
        let warm = closes.map_or(limits::IDLE_WARM, |(after, _)| limits::IDLE_WARM.min(after / 2));
        shelf.take(live, now, warm, swept)
    }

    /// Notes that the back-end has closed a connection which had been idle for too short a time to be known.
    pub(crate) fn closed(&mut self, live: &Live, now: Moment) {
        if let Some(shelf) = self.shelf(live) {
            shelf.note_close(Duration::ZERO, now);
        }
    }

    /// Keeps a connection for the next request, for at most `patience`, unless there are enough.
    pub(crate) fn put(&mut self, live: &Live, conn: Box<Conn>, patience: Duration, now: Moment) {
        let id = live.plan.id;
        if self.shelves.len() <= id {
            self.shelves.resize_with(id + 1, Shelf::default);
        }
        let idle = &mut self.shelves[id].idle;
        if idle.len() >= limits::IDLE_PER_BACKEND {
            idle.pop_front();
        }
        idle.push_back(Idle { conn, since: now, revival: live.health.revival(), patience });
    }

    /// Drops what has been idle for too long, or on which something has happened.
    pub(crate) fn sweep(&mut self, now: Moment) {
        for shelf in &mut self.shelves {
            let mut closed = None;
            shelf.idle.retain(|idle| {
                if !idle.conn.is_clean() {
                    // At the last look it was still open, if it was idle then.
                    let after = self.swept.since(idle.since);
                    closed = Some(closed.map_or(after, |least: Duration| least.min(after)));
                    return false;
                }
                now.since(idle.since) < idle.patience
            });
            if let Some(after) = closed {
                shelf.note_close(after, now);
            }
        }
        self.swept = now;
    }

    /// Drops all connections to this back-end: it is dead.
    pub(crate) fn forget(&mut self, live: &Live) {
        if let Some(shelf) = self.shelf(live) {
            shelf.idle.clear();
        }
    }

    fn shelf(&mut self, live: &Live) -> Option<&mut Shelf> {
        self.shelves.get_mut(live.plan.id)
    }
}

impl Shelf {
    /// The warmest connection, if it has been idle for less than `most`. Those that were closed are dropped; at `swept`
    /// they were still open, if they were idle then.
    fn take(&mut self, live: &Live, now: Moment, most: Duration, swept: Moment) -> Option<Box<Conn>> {
        loop {
            let warmest = self.idle.back()?;
            let idle = now.since(warmest.since);
            if idle >= most {
                // All others have been idle for longer. A request that can be sent again may still use them.
                return None;
            }
            let Idle { conn, since, patience, revival } = self.idle.pop_back()?;
            // One to the process that was there before a restart is dead, whether the reactor knows it yet or not.
            if idle >= patience || revival != live.health.revival() {
                continue;
            }
            // A back-end that closed, or sent what nobody asked for, must not answer the next request.
            if conn.is_clean() {
                return Some(conn);
            }
            self.note_close(swept.since(since), now);
        }
    }

    /// The back-end has closed a connection that had been idle for at least `after`.
    fn note_close(&mut self, after: Duration, now: Moment) {
        let known = self.closes.filter(|(_, seen)| now.since(*seen) < limits::IDLE_MEMORY);
        self.closes = Some((known.map_or(after, |(known, _)| known.min(after)), now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::answer;

    fn check(field: &str, millis: u64) {
        let answer = answer(&format!("HTTP/1.1 200 OK\r\n{field}\r\n"));
        assert_eq!(patience(answer.fields()).as_millis(), u128::from(millis), "{field}");
    }

    #[test]
    fn a_back_end_that_says_how_long_it_waits_is_believed_with_something_to_spare() {
        check("Keep-Alive: timeout=5\r\n", 4000);
        check("keep-alive: max=100, timeout=5\r\n", 4000);
        check("Keep-Alive: timeout=20, max=1000\r\n", 18_000);
        check("Keep-Alive: Timeout = \"2\"\r\n", 1000);
        check("Keep-Alive: timeout=1\r\n", 500);
        check("Keep-Alive: timeout=0\r\n", 0);
        check("Keep-Alive: timeout=4294967295\r\n", 30_000);
    }

    #[test]
    fn one_that_says_nothing_or_nonsense_has_the_usual_time() {
        for field in ["", "Keep-Alive: max=5\r\n", "Keep-Alive: timeout=x\r\n", "Keep-Alive: timeout=-1\r\n"]
        {
            check(field, 30_000);
        }
        check("Keep-Alive: timeouts=5\r\nX: timeout=1\r\n", 30_000);
        check("Keep-Alive: timeout=99999999999999\r\n", 30_000);
    }
}
