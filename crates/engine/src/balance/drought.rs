//! How much is said of requests for which no back-end was alive: the first of them has a line, the others are counted
//! and told of together. A site that is down at night must not fill the disk with it.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::clock::Moment;
use crate::limits;

/// What was said of the requests of one service.
#[derive(Debug, Default)]
pub(super) struct Drought {
    /// When the last line was written; 0 before the first.
    told_at: AtomicU64,
    /// Requests since then.
    untold: AtomicU64,
}

impl Drought {
    /// One more request found nobody. If that is worth a line: how many there were since the last line.
    pub(super) fn meets(&self, now: Moment) -> Option<u64> {
        let last = self.told_at.load(Ordering::Relaxed);
        let soon = last != 0 && now.since(Moment(last)) < limits::NO_BACKEND_NEWS;
        // Of two who come at the same time one tells.
        let mine = !soon
            && self
                .told_at
                .compare_exchange(last, now.0.max(1), Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        if mine {
            return Some(self.take_untold());
        }
        self.untold.fetch_add(1, Ordering::Relaxed);
        None
    }

    /// How many requests have not been told of; from here on none.
    pub(super) fn take_untold(&self) -> u64 {
        self.untold.swap(0, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_has_a_line_and_the_others_are_counted() {
        let drought = Drought::default();
        let at = |second: u64| Moment(second * 1_000_000);
        assert_eq!(drought.meets(at(0)), Some(0));
        for _ in 0..7 {
            assert_eq!(drought.meets(at(1)), None);
        }
        assert_eq!(drought.meets(at(11)), Some(7));
        assert_eq!(drought.meets(at(12)), None);
        assert_eq!(drought.take_untold(), 1);
        assert_eq!(drought.take_untold(), 0);
    }
}
