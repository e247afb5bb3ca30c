//! Whether the machine is quiet: others that compute beside us bend every figure.

use std::time::{Duration, Instant};

use super::system;
use crate::Failure;
use crate::command::say;

/// The share of the whole machine that others may use before and during a run.
const FOREIGN_MAX: f64 = 0.04;

/// How long we look before a run.
const LOOK: Duration = Duration::from_millis(300);

/// How long we wait for quiet, over a whole scenario; then we measure all the same, and the report says so.
pub(super) const PATIENCE: Duration = Duration::from_secs(300);

/// A span of time and how much of the machine's time went to whom.
pub(super) struct Span {
    began: Instant,
    busy_ns: u64,
    ours_ns: u64,
}

impl Span {
    /// Begins now; `ours_ns` is what our processes have used so far.
    pub(super) fn begin(ours_ns: u64) -> Result<Self, Failure> {
        Ok(Span { began: Instant::now(), busy_ns: system::busy_ns()?, ours_ns })
    }

    /// The share of the machine that others used since then.
    pub(super) fn foreign(&self, ours_ns: u64) -> Result<f64, Failure> {
        let busy = system::busy_ns()? - self.busy_ns;
        let capacity = self.began.elapsed().as_nanos() as f64 * system::online()? as f64;
        Ok((busy.saturating_sub(ours_ns.saturating_sub(self.ours_ns))) as f64 / capacity)
    }
}

/// Whether a run with so much foreign work has to be measured again.
pub(super) fn disturbed(foreign: f64) -> bool {
    foreign > FOREIGN_MAX
}

/// Waits until others are quiet, but not beyond `left`, which the time waited is taken from.
pub(super) fn wait(left: &mut Duration) -> Result<(), Failure> {
    let began = Instant::now();
    let mut told = false;
    loop {
        let span = Span::begin(system::own_ns())?;
        std::thread::sleep(LOOK);
        let waited = began.elapsed();
        if !disturbed(span.foreign(system::own_ns())?) {
            *left = left.saturating_sub(waited.saturating_sub(LOOK));
            return Ok(());
        }
        if waited >= *left {
            *left = Duration::ZERO;
            return Ok(());
        }
        if !told && *left == PATIENCE {
            say("others are at work on this machine; waiting until it is quiet");
            told = true;
        }
    }
}
