//! How many tests passed, failed and were skipped, read from what each test program says of itself.

use std::fmt;
use std::ops::AddAssign;

/// Three counts that add up over all parts of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

impl Tally {
    /// One test with one outcome.
    pub(crate) fn one(passed: bool) -> Self {
        Tally { passed: passed.into(), failed: (!passed).into(), skipped: 0 }
    }

    /// From the lines `test result: ok. 3 passed; 0 failed; 1 ignored; …` of `cargo test`.
    /// `None` if there is no such line.
    pub(crate) fn of_libtest(output: &str) -> Option<Self> {
        let mut sum = None;
        for line in output.lines().filter_map(|line| line.strip_prefix("test result: ")) {
            let sum = sum.get_or_insert_with(Tally::default);
            let line = line.split_once(". ").map_or(line, |(_, counts)| counts);
            for part in line.split(';') {
                sum.take(part);
            }
        }
        sum
    }

    /// From the closing line of `cargo nextest run`:
    /// `Summary [ 0.1s] 4 tests run: 3 passed (1 slow), 1 failed, 2 skipped`.
    /// `None` if there is no such line.
    pub(crate) fn of_nextest(output: &str) -> Option<Self> {
        let last = output.lines().rev().find(|line| line.trim_start().starts_with("Summary ["))?;
        let (_, counts) = last.split_once("run: ")?;
        Some(Tally::of_list(counts))
    }

    /// From the closing line of pytest: `1 failed, 3 passed, 2 skipped, 1 error in 0.12s`.
    /// `None` if there is no such line.
    pub(crate) fn of_pytest(output: &str) -> Option<Self> {
        let counted =
            |line: &str| line.split_once(' ').is_some_and(|(count, _)| count.parse::<u64>().is_ok());
        let last = output.lines().rev().map(|line| line.trim_matches(['=', ' ']));
        let closing = last
            .filter(|line| line.contains(" in "))
            .find(|line| counted(line) || line.starts_with("no tests ran "))?;
        let (counts, _) = closing.rsplit_once(" in ")?;
        Some(Tally::of_list(counts))
    }

    /// From counts with their words, such as `1 failed, 3 passed`.
    fn of_list(counts: &str) -> Self {
        let mut sum = Tally::default();
        for part in counts.split(',') {
            sum.take(part);
        }
        sum
    }

    /// Adds one count with its word, such as `3 passed (1 slow)`; other words count nothing.
    fn take(&mut self, part: &str) {
        let mut words = part.split_whitespace();
        let (Some(count), Some(word)) = (words.next(), words.next()) else { return };
        let Ok(count) = count.parse::<u64>() else { return };
        match word {
            "passed" | "xpassed" => self.passed += count,
            "failed" | "error" | "errors" | "timed" | "exec" => self.failed += count,
            "skipped" | "ignored" | "xfailed" => self.skipped += count,
            _ => {}
        }
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(passed: u64, failed: u64, skipped: u64) -> Tally {
        Tally { passed, failed, skipped }
    }

    #[test]
    fn adds_the_results_of_several_test_programs() {
        let output = "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out\n\
                      noise 7 passed\n\
                      test result: FAILED. 2 passed; 4 failed; 0 ignored; 0 measured\n";
        assert_eq!(Tally::of_libtest(output), Some(tally(5, 4, 1)));
        assert_eq!(Tally::of_libtest("noise 7 passed\n"), None);
    }

    #[test]
    fn reads_the_summary_of_nextest() {
        let output =
            "     Summary [   0.012s] 9 tests run: 6 passed (1 slow), 2 failed, 1 timed out, 3 skipped\n";
        assert_eq!(Tally::of_nextest(output), Some(tally(6, 3, 3)));
        assert_eq!(Tally::of_nextest("all is well: 9 run\n"), None);
    }

    #[test]
    fn reads_the_closing_line_of_pytest() {
        let output = "tests in 3 files\n= 1 failed, 20 passed, 2 skipped, 1 error in 3.21s (0:00:03) =\n";
        assert_eq!(Tally::of_pytest(output), Some(tally(20, 2, 2)));
        assert_eq!(Tally::of_pytest("12 passed in 0.50s\n"), Some(tally(12, 0, 0)));
        assert_eq!(Tally::of_pytest("no tests ran in 0.01s\n"), Some(tally(0, 0, 0)));
        assert_eq!(Tally::of_pytest("all is well\n"), None);
    }
}
