//! Defaults and bounds of what can be configured, each with its reason.

use std::num::NonZeroU32;
use std::time::Duration;

/// Largest text file, be it a configuration or a list: a hundred thousand services take a quarter of it.
pub const TEXT_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// `Client`: how long a client may take for the head of a request, and idle before the next; long enough for a slow
/// phone, short enough that idle clients do not pile up.
pub const CLIENT_TIMEOUT: Duration = Duration::from_secs(10);
/// `StreamClient`: how long a client may pause within a body. A phone in a tunnel, a player whose buffer is full, a
/// program that computes what it sends: a minute is what applications are used to from other proxies.
pub const STREAM_CLIENT: Duration = Duration::from_secs(60);
/// `TimeOut`: how long a back-end may think.
pub const BACKEND_TIMEOUT: Duration = Duration::from_secs(15);
/// `StreamTimeOut`: how long a back-end may pause within an answer. Streams of events send a sign of life every 15 to 60
/// s, so that two minutes without one mean that nobody is there.
pub const STREAM_TIMEOUT: Duration = Duration::from_secs(120);
/// `TimeOut` of an `Emergency` back-end, which answers when all else is down and may be slow.
pub const EMERGENCY_TIMEOUT: Duration = Duration::from_secs(120);
/// `WSTimeOut`: upgraded connections are quiet for minutes by design.
pub const TUNNEL_TIMEOUT: Duration = Duration::from_secs(600);
/// `MaxFails`: a process that dies takes all requests with it that it had in hand, often one or two.
pub const BACKEND_FAILS: Option<NonZeroU32> = NonZeroU32::new(3);
/// `Alive`.
pub const ALIVE: Duration = Duration::from_secs(30);
/// `Grace`.
pub const GRACE: Duration = Duration::from_secs(30);
/// `GraceIdle`: longer than the three seconds between two requests of a page that asks for news, and short enough that a
/// restart with nothing in flight keeps new clients out for less than five.
pub const GRACE_IDLE: Duration = Duration::from_secs(4);
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
/// `MaxHead` where nothing is said: what large single-sign-on cookies and tokens need, and ten thousand heads that are
/// never finished still fit into less than a gigabyte. A longer `LineBufferSize` raises it to twice a line.
pub const HEAD_BYTES: usize = 64 * 1024;
/// `MaxHead`: the most; a head is held in memory as long as its request runs.
pub const HEAD_BYTES_MAX: usize = 1024 * 1024;
/// `MaxFields` where nothing is said: requests have 10 to 30; many tiny fields cost more than their bytes.
pub const FIELDS: usize = 128;
/// `MaxFields`: the least; a browser's request has up to 20.
pub const FIELDS_MIN: usize = 16;
/// `MaxFields`: the most; each takes some bytes besides its own for as long as the request runs.
pub const FIELDS_MAX: usize = 4096;
/// `MaxChunkLine` where nothing is said: sizes have 16 digits, the longest extensions in use (signatures) less than 200
/// bytes.
pub const CHUNK_LINE_BYTES: usize = 4 * 1024;
/// `MaxChunkLine`: the least; the longest size and its line end fit.
pub const CHUNK_LINE_BYTES_MIN: usize = 32;
/// `MaxChunkLine`: the most; nothing of it is kept, but it is work.
pub const CHUNK_LINE_BYTES_MAX: usize = 64 * 1024;
/// `MaxChunkExt` where nothing is said. They are dropped, so a body of them is work without a result. Each byte of the
/// body pays for one of them; this is the credit before that.
pub const CHUNK_EXTENSION_BYTES: usize = 16 * 1024;
/// `MaxChunkExt`: the most.
pub const CHUNK_EXTENSION_BYTES_MAX: usize = 1024 * 1024;
/// `MaxTrailer` where nothing is said: a digest or a status; held until its end.
pub const TRAILER_BYTES: usize = 8 * 1024;
/// `MaxTrailer`: the least; the empty line that ends every section.
pub const TRAILER_BYTES_MIN: usize = 2;
/// `MaxTrailer`: the most.
pub const TRAILER_BYTES_MAX: usize = 256 * 1024;
/// `MaxTrailerFields` where nothing is said: gRPC, the largest user, sends three.
pub const TRAILER_FIELDS: usize = 32;
/// `MaxTrailerFields`: the most.
pub const TRAILER_FIELDS_MAX: usize = 1024;
/// `MaxInterim` where nothing is said: one 100 and a few 103; a back-end that sends more is not answering. RFC 9110
/// section 15.2 sets no bound.
pub const INTERIM_ANSWERS: usize = 16;
/// `MaxInterim`: the most.
pub const INTERIM_ANSWERS_MAX: usize = 1024;
/// `MaxConnections`: the most. More descriptors than this no system has.
pub const CONNECTIONS_MAX: u64 = 1_000_000_000;
/// `MaxMemory`: the least. Pound takes about half of it before the first client.
pub const MEMORY_BYTES_MIN: u64 = 16 * 1024 * 1024;
/// `MaxConnRequests` where nothing is said: a connection that lives for ever never follows a new configuration.
pub const CONNECTION_REQUESTS: u64 = 1_000_000;
/// `MaxConnRequests`: the most.
pub const CONNECTION_REQUESTS_MAX: u64 = 1_000_000_000;
/// `MinRate` where nothing is said. Web servers that have such a bound ask for 240 (Microsoft's) to 500 bytes (Apache's
/// mod_reqtimeout); the worst line that still carries pages, GPRS at the edge of its cell, has 1000.
pub const RATE_BYTES: u64 = 240;
/// `MinRate`: the most. More is not a bound but a quarrel with every line that has a bad minute.
pub const RATE_BYTES_MAX: u64 = 1024 * 1024;
/// `MinRate`: over which time it is measured where nothing is said. A tunnel or a change of cells takes a phone some
/// seconds, and what it sent before and after counts in full.
pub const RATE_WINDOW: Duration = Duration::from_secs(30);
/// `MinRate`: the shortest time over which a rate says something.
pub const RATE_WINDOW_MIN: Duration = Duration::from_secs(1);
/// `MinRate`: how many clients at once may be slower on each worker where nothing is said. A stream with little to say looks
/// like a drip that means to hold a back-end; eight of either kind hold little.
pub const RATE_SPARE: u32 = 8;
/// `MinRate`: the most clients at once; more than a worker has connections is no bound.
pub const RATE_SPARE_MAX: u32 = 1_000_000;
/// Longest duration that a directive takes (a year): beyond it a unit was forgotten or doubled.
pub const DURATION_MAX: Duration = Duration::from_secs(366 * 24 * 3600);
/// Levels to which blocks and includes may nest; a file that includes itself ends here.
pub const NESTING_MAX: usize = 64;
/// `$1(7)`: how many matches back a capture can be looked up.
pub const CAPTURE_BACK_MAX: usize = 7;
