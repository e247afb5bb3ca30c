//! Logging: one line for each request, in the operator's words, and lines for what goes wrong.
//!
//! Lines are put into memory on the request path ([`Pen`]) and written to their place by a thread of the daemon
//! ([`Drain`]), so that a full disk or a dead syslog stalls nobody. Every byte from the network is escaped: no peer can
//! end a line, forge one, or talk to a terminal.

mod escape;
mod event;
mod hint;
mod line;
mod ring;
mod time;

pub(crate) use event::{exchange, retry};
pub use ring::{Drain, Kind, Pen, Record, Severity, channel};
pub use time::prepare;
