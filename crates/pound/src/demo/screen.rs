//! Where the demo shows itself: a table that is drawn over on a terminal, a line now and then elsewhere.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use super::table::{self, Row};

/// How often a terminal is drawn.
const DRAW: Duration = Duration::from_millis(250);
/// How often a log or a pipe gets a line.
const LINE: Duration = Duration::from_secs(2);
/// Columns that are used; the table needs 69, and a terminal narrower than this is rare.
const WIDTH: usize = 80;

/// Standard output.
#[derive(Debug)]
pub(super) struct Screen {
    terminal: bool,
    /// Lines of the table that stand there.
    drawn: usize,
    last: Option<Instant>,
    gone: bool,
}

impl Screen {
    /// Looks what standard output is.
    pub(super) fn open() -> Screen {
        Screen { terminal: io::stdout().is_terminal(), drawn: 0, last: None, gone: false }
    }

    /// Prints a text below what there is.
    pub(super) fn say(&mut self, text: &str) {
        self.drawn = 0;
        self.write(text);
    }

    /// Tells of an event where there is no table that shows it.
    pub(super) fn event(&mut self, event: &str) {
        if !self.terminal {
            self.write(&format!("{event}\n"));
        }
    }

    /// Shows the table, if it is time to.
    pub(super) fn show(&mut self, elapsed: Duration, rows: &[Row], events: &[String]) {
        let pause = if self.terminal { DRAW } else { LINE };
        if self.last.is_some_and(|last| last.elapsed() < pause) {
            return;
        }
        self.last = Some(Instant::now());
        if self.terminal {
            let lines = table::lines(rows, events);
            let text = table::redraw(self.drawn, &lines, WIDTH);
            self.drawn = lines.len();
            self.write(&text);
        } else {
            self.write(&format!("{}\n", table::line(elapsed, rows)));
        }
    }

    /// Nobody reads any more: the other end of the pipe is closed.
    pub(super) fn is_gone(&self) -> bool {
        self.gone
    }

    fn write(&mut self, text: &str) {
        let mut out = io::stdout().lock();
        self.gone |= out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_err();
    }
}
