//! The live table: what each back-end is doing.

use std::fmt::Write;
use std::time::Duration;

/// Lines of recent events under the table.
pub(super) const EVENTS_SHOWN: usize = 6;

/// One back-end as the engine sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    /// Its name in the configuration.
    pub(super) name: String,
    /// Where it listens.
    pub(super) address: String,
    /// In rotation.
    pub(super) alive: bool,
    /// Requests that were sent to it.
    pub(super) requests: u64,
    /// Of these, those that it did not answer, because it went down; another one then gets them.
    pub(super) unanswered: u64,
    /// Mean time to its answer; `None` before the first.
    pub(super) latency: Option<Duration>,
}

/// The whole table, a line at a time.
pub(super) fn lines(rows: &[Row], events: &[String]) -> Vec<String> {
    let mut lines = vec![format!(
        "  {:<9}{:<18}{:<10}{:>10}{:>10}{:>11}",
        "back-end", "address", "state", "requests", "no answer", "latency"
    )];
    for row in rows {
        lines.push(format!(
            "  {:<9}{:<18}{:<10}{:>10}{:>10}{:>11}",
            row.name,
            row.address,
            state(row),
            row.requests,
            row.unanswered,
            latency(row.latency)
        ));
    }
    lines.push(String::new());
    let from = events.len().saturating_sub(EVENTS_SHOWN);
    lines.extend(events[from..].iter().map(|event| format!("  {event}")));
    lines
}

/// The same on one line, for a log or a pipe.
pub(super) fn line(elapsed: Duration, rows: &[Row]) -> String {
    let mut line = format!("{:>4} s", elapsed.as_secs());
    for row in rows {
        // Writing to a String cannot fail.
        let _ = write!(
            line,
            "   {} {}, {} requests, {} not answered, {}",
            row.name,
            state(row),
            row.requests,
            row.unanswered,
            latency(row.latency)
        );
    }
    line
}

/// What draws `lines` over the `before` lines that stand there (ECMA-48: cursor up, erase below).
pub(super) fn redraw(before: usize, lines: &[String], width: usize) -> String {
    let mut text = String::new();
    if before > 0 {
        let _ = write!(text, "\x1b[{before}A\r\x1b[J");
    }
    let room = width.saturating_sub(1);
    for line in lines {
        // A line that wraps would make two, and the next drawing would begin too low.
        if line.chars().count() > room {
            text.extend(line.chars().take(room.saturating_sub(1)).chain(['…']));
        } else {
            text.push_str(line);
        }
        text.push('\n');
    }
    text
}

fn state(row: &Row) -> &'static str {
    if row.alive { "up" } else { "LEFT OUT" }
}

/// A time as people say it.
pub(super) fn latency(time: Option<Duration>) -> String {
    match time {
        None => "-".into(),
        Some(time) if time < Duration::from_millis(1) => format!("{} us", time.as_micros()),
        Some(time) if time < Duration::from_secs(1) => format!("{:.1} ms", time.as_secs_f64() * 1e3),
        Some(time) => format!("{:.1} s", time.as_secs_f64()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<Row> {
        let row = |name: &str, port, alive, requests, unanswered, latency| Row {
            name: name.into(),
            address: format!("127.0.0.1:{port}"),
            alive,
            requests,
            unanswered,
            latency,
        };
        vec![
            row("amber", 8001, true, 12, 0, Some(Duration::from_micros(340))),
            row("birch", 8002, false, 1_234_567, 3, Some(Duration::from_micros(12_340))),
            row("cedar", 8003, true, 0, 0, None),
        ]
    }

    #[test]
    fn columns_stand_under_their_heads() {
        let events = (0..10).map(|number| format!("{number} s: something")).collect::<Vec<_>>();
        let lines = lines(&rows(), &events);
        assert_eq!(lines[0], "  back-end address           state       requests no answer    latency");
        assert_eq!(lines[1], "  amber    127.0.0.1:8001    up                12         0     340 us");
        assert_eq!(lines[2], "  birch    127.0.0.1:8002    LEFT OUT     1234567         3    12.3 ms");
        assert_eq!(lines[3], "  cedar    127.0.0.1:8003    up                 0         0          -");
        assert_eq!(lines[5..], (4..10).map(|number| format!("  {number} s: something")).collect::<Vec<_>>());
    }

    #[test]
    fn a_log_gets_one_line() {
        let line = line(Duration::from_secs(7), &rows()[..1]);
        assert_eq!(line, "   7 s   amber up, 12 requests, 0 not answered, 340 us");
    }

    #[test]
    fn a_drawing_replaces_the_last_and_never_wraps() {
        let lines = ["one".to_owned(), "a long line".to_owned()];
        assert_eq!(redraw(0, &lines, 80), "one\na long line\n");
        assert_eq!(redraw(2, &lines, 7), "\x1b[2A\r\x1b[Jone\na lon…\n");
    }

    #[test]
    fn times_are_said_in_the_unit_that_fits() {
        for (micros, text) in
            [(0, "0 us"), (999, "999 us"), (1000, "1.0 ms"), (999_940, "999.9 ms"), (1_500_000, "1.5 s")]
        {
            assert_eq!(latency(Some(Duration::from_micros(micros))), text);
        }
    }
}
