//! Defaults and bounds of what can be configured, each with its reason.

use std::time::Duration;

/// `Client`: long enough for a slow phone, short enough that idle clients do not pile up.
pub const CLIENT_TIMEOUT: Duration = Duration::from_secs(10);
/// `TimeOut`: how long a back-end may think.
pub const BACKEND_TIMEOUT: Duration = Duration::from_secs(15);
/// `TimeOut` of an `Emergency` back-end, which answers when all else is down and may be slow.
pub const EMERGENCY_TIMEOUT: Duration = Duration::from_secs(120);
/// `WSTimeOut`: upgraded connections are quiet for minutes by design.
pub const TUNNEL_TIMEOUT: Duration = Duration::from_secs(600);
/// `Alive`.
pub const ALIVE: Duration = Duration::from_secs(30);
/// `Grace`.
pub const GRACE: Duration = Duration::from_secs(30);
/// `WatcherTTL`; C Pound's 60 s are for systems without change notification, we look with one `stat` a file.
pub const WATCH_INTERVAL: Duration = Duration::from_secs(1);
/// `Priority` of a back-end where none is given.
pub const PRIORITY: u16 = 5;
/// `LineBufferSize`: the least length of one line of a head that can be asked for.
pub const LINE_BYTES_MIN: usize = 4096;
/// `LineBufferSize` where nothing is said. C Pound has 4 KiB, which single sign-on cookies outgrow.
pub const LINE_BYTES: usize = 16 * 1024;
/// `LineBufferSize`: the most; a head is held in memory as long as its request runs.
pub const LINE_BYTES_MAX: usize = 256 * 1024;
/// Longest duration that a directive takes (a year): beyond it a unit was forgotten or doubled.
pub const DURATION_MAX: Duration = Duration::from_secs(366 * 24 * 3600);
/// Levels to which blocks and includes may nest; a file that includes itself ends here.
pub const NESTING_MAX: usize = 64;
/// `$1(7)`: how many matches back a capture can be looked up.
pub const CAPTURE_BACK_MAX: usize = 7;
