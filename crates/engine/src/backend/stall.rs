//! Notices a back-end that hangs before `TimeOut` is over for the first request: several wait for it, and for a while it
//! has answered none of anybody's. New requests then go to others, if there are any; the first answer ends it.
//!
//! It is looked for beside the workers, in what they count anyway: a timer for each request would cost more than it saves.
//! A back-end that is slow with everything (long polls) may be taken for one that hangs. All that follows is that others
//! of its group get the next requests until it answers one.

use std::time::Duration;

use super::Live;
use crate::clock::Moment;
use crate::limits;

/// What was seen of one back-end.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Look {
    heads: u64,
    /// Since when requests have been waiting without an answer to any.
    since: Option<Moment>,
    told: Option<Moment>,
}

impl Look {
    /// Looks again: so many requests wait, and so many heads of answers have come so far. Says for how long none has, if
    /// that is news.
    pub(crate) fn again(&mut self, live: &Live, waiting: u64, heads: u64, now: Moment) -> Option<Duration> {
        let most = live.plan.fails_max.map_or(u64::MAX, |most| most.get().into());
        if waiting < most || heads != self.heads {
            (self.heads, self.since) = (heads, None);
            if live.health.is_stalled() {
                live.health.set_stalled(false);
            }
            return None;
        }
        let silence = now.since(*self.since.get_or_insert(now));
        if silence < limits::STALL || live.health.is_stalled() {
            return None;
        }
        live.health.set_stalled(true);
        let known = self.told.is_some_and(|told| now.since(told) < limits::STALL_NEWS);
        if known {
            return None;
        }
        self.told = Some(now);
        Some(silence)
    }
}
