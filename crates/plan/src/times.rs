//! How long peers may be silent, and which word of the file says so.

use std::fmt;
use std::time::Duration;

use crate::limits;

/// A longest silence, and the directive that decided it. Several may decide, and the log names the one that did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Silence {
    /// How long; more than zero.
    pub time: Duration,
    /// The directive.
    pub word: &'static str,
}

impl Silence {
    /// `time` as `word` says.
    pub const fn new(time: Duration, word: &'static str) -> Silence {
        Silence { time, word }
    }
}

/// `15 s (TimeOut)`.
impl fmt::Display for Silence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} s ({})", self.time.as_secs_f64(), self.word)
    }
}

/// How long one back-end may take for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// Until the head of its answer is here (`TimeOut`).
    pub answer: Silence,
    /// For a connection (`ConnTO`).
    pub connect: Duration,
    /// Between two pieces of its answer, or until it takes the next piece of a request (`StreamTimeOut`, or the `TimeOut`
    /// of a file that has no such word).
    pub stream: Silence,
    /// Of both sides, on an upgraded connection (`WSTimeOut`).
    pub tunnel: Duration,
}

impl Default for Times {
    fn default() -> Times {
        Times {
            answer: Silence::new(limits::BACKEND_TIMEOUT, "TimeOut"),
            connect: limits::BACKEND_TIMEOUT,
            stream: Silence::new(limits::STREAM_TIMEOUT, "StreamTimeOut"),
            tunnel: limits::TUNNEL_TIMEOUT,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silence_says_how_long_and_who_says_so() {
        let shown = |time| Silence::new(time, "TimeOut").to_string();
        assert_eq!(shown(Duration::from_secs(15)), "15 s (TimeOut)");
        assert_eq!(shown(Duration::from_millis(1500)), "1.5 s (TimeOut)");
    }
}
