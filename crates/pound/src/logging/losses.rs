//! What is said about lines that were lost: enough to act on, and never so much that it fills a disk itself.

use std::time::{Duration, Instant};

/// At most one report in this time: a disk that is full stays so for hours, and each report is a line itself.
const REPORT_EVERY: Duration = Duration::from_secs(10);
/// No line was lost for this long: then the trouble is over, and not only between two bursts.
const SETTLED: Duration = Duration::from_secs(1);

/// Lines lost since the log was last whole.
#[derive(Debug, Default)]
pub(super) struct Losses {
    /// All since the trouble began.
    total: u64,
    /// Of these, what no report has counted yet.
    untold: u64,
    /// A report of this trouble got through.
    told: bool,
    /// Why; `None` if it is only that they came faster than they could be written.
    because: Option<String>,
    last_loss: Option<Instant>,
    last_report: Option<Instant>,
}

/// Something to be said.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Report {
    /// Lines are being lost.
    Losing(String),
    /// They get through again.
    Over(String),
}

impl Report {
    pub(super) fn text(&self) -> &str {
        let (Report::Losing(text) | Report::Over(text)) = self;
        text
    }
}

impl Losses {
    /// Counts lines that were lost, and remembers the latest reason.
    pub(super) fn add(&mut self, lines: u64, because: Option<String>, now: Instant) {
        if lines > 0 {
            self.total += lines;
            self.untold += lines;
            self.because = because.or(self.because.take());
            self.last_loss = Some(now);
        }
    }

    /// What is to be said now. `works`: all that was tried last was written. `last`: there is no later.
    pub(super) fn report(&self, works: bool, last: bool, now: Instant) -> Option<Report> {
        let passed =
            |since: Option<Instant>, time| since.is_none_or(|since| now.duration_since(since) >= time);
        if self.total == 0 {
            return None;
        }
        let lines =
            format!("{} log {} dropped", self.total, if self.total == 1 { "line was" } else { "lines were" });
        let due = last || passed(self.last_report, REPORT_EVERY);
        if works && (last || passed(self.last_loss, SETTLED)) && (due || self.told) {
            return Some(Report::Over(format!("the log is written again; {lines}")));
        }
        let because = self.because.as_deref().unwrap_or("log lines come faster than they can be written");
        (due && self.untold > 0).then(|| Report::Losing(format!("{because}; {lines} so far")))
    }

    /// The report got through.
    pub(super) fn told(&mut self, report: &Report, now: Instant) {
        match report {
            Report::Losing(_) => {
                (self.untold, self.told, self.last_report) = (0, true, Some(now));
            }
            // The next trouble begins from nothing, but its first report keeps the distance: a log that works every
            // other second must not be told of every other second.
            Report::Over(_) => {
                let last_report = if self.told { self.last_report } else { Some(now) };
                *self = Losses { last_report, ..Losses::default() };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: &str = "cannot write to standard output: No space left on device";

    /// Loses a hundred lines each tenth of a second for 25 s, then none; says what is reported when.
    #[test]
    fn a_long_trouble_has_few_reports_and_an_end() {
        let begin = Instant::now();
        let mut losses = Losses::default();
        let mut said = Vec::new();
        for tenth in 0..400 {
            let now = begin + Duration::from_millis(tenth * 100);
            let full = tenth < 250;
            losses.add(if full { 100 } else { 0 }, full.then(|| FULL.to_owned()), now);
            if let Some(report) = losses.report(!full, false, now) {
                losses.told(&report, now);
                said.push((tenth / 10, report));
            }
        }
        let losing = |lines: u32| Report::Losing(format!("{FULL}; {lines} log lines were dropped so far"));
        assert_eq!(
            said,
            [
                (0, losing(100)),
                (10, losing(10_100)),
                (20, losing(20_100)),
                (25, Report::Over("the log is written again; 25000 log lines were dropped".into())),
            ]
        );
        assert_eq!(losses.report(true, true, begin + REPORT_EVERY * 9), None);
    }

    #[test]
    fn a_log_that_comes_and_goes_is_not_told_of_each_time() {
        let begin = Instant::now();
        let mut losses = Losses::default();
        let mut said = 0;
        for second in (0..100).step_by(2) {
            let at = |seconds| begin + Duration::from_secs(seconds);
            losses.add(1, None, at(second));
            for (works, now) in [(false, at(second)), (true, at(second + 1))] {
                if let Some(report) = losses.report(works, false, now) {
                    losses.told(&report, now);
                    said += 1;
                }
            }
        }
        assert!((10..=21).contains(&said), "{said}");
    }

    #[test]
    fn what_could_not_be_told_is_told_at_the_end() {
        let now = Instant::now();
        let mut losses = Losses::default();
        losses.add(1, Some(FULL.to_owned()), now);
        let report = losses.report(false, false, now).unwrap();
        assert_eq!(report.text(), format!("{FULL}; 1 log line was dropped so far"));
        // It did not get through, so it is still due.
        assert_eq!(losses.report(false, false, now), Some(report));
        assert_eq!(
            losses.report(true, true, now),
            Some(Report::Over("the log is written again; 1 log line was dropped".into()))
        );
    }
}
