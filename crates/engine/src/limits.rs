//! Every maximum of the engine, with its reason.
//!
//! What an operator may change is in `plan::limits`; what the codec bounds is in `wire::h1::Limits`.

use std::time::Duration;

/// Bytes of a read buffer. One read takes a browser's head whole, and an answer of 16 KiB with its head, as most pages
/// and scripts are. A page of memory that no read has reached costs nothing.
pub(crate) const BUFFER_BYTES: usize = 32 * 1024;

/// Bytes of the buffer through which a body goes that fills the other kind: on loopback, moving a GiB took 83 ms of
/// processor time for each 100 MiB with 16 KiB at a time, and half of that with these.
pub(crate) const LARGE_BYTES: usize = 256 * 1024;

/// Large buffers of one worker that are in use at the same time: 16 MiB. Whoever comes when all are taken, perhaps by
/// readers that have stopped reading, goes on with the usual kind.
pub(crate) const LARGE_BUFFERS: usize = 64;

/// Large buffers that a worker keeps for the next body.
pub(crate) const LARGE_BUFFERS_KEPT: usize = 4;

/// The least that is held of a head which has begun and not ended: most of those that drip are probes of some lines.
pub(crate) const LITTLE_BYTES: usize = 256;

/// Above this a head that has not ended keeps its read buffer: moving it would cost more than it gives back.
pub(crate) const LITTLE_BYTES_MAX: usize = BUFFER_BYTES / 4;

/// Bytes of a body that go from socket to socket through a pipe at once; a pipe of this size may be had without special
/// rights (pipe(7)).
pub(crate) const PIPE_BYTES: usize = 256 * 1024;

/// A body of which at least so much is still to come goes through a pipe. On loopback that takes 0.6 of the processor time
/// of copying for 1 MiB and half of it for 100 MiB; below a quarter of a MiB there is nothing to gain.
pub(crate) const SPLICE_BYTES: u64 = 256 * 1024;

/// Pipes of one worker: two descriptors each, and 16 MiB in all, which is a quarter of what a user who is not root may
/// have (`pipe-user-pages-soft`). Whoever comes when all are in use is copied for.
pub(crate) const PIPES: usize = 64;

/// Pipes that a worker keeps for the next body, until idle connections are looked at again ([`IDLE_SWEEP`]).
pub(crate) const PIPES_KEPT: usize = 4;

/// Bytes of a request, head included, that stay in the read buffer after they were used, as long as nothing more has to be
/// read: within them a body can be sent again. Half of a buffer, so that a long body is still read in large pieces.
pub(crate) const REPLAY_BYTES: usize = BUFFER_BYTES / 2;

/// Read buffers that a worker keeps for the next request; more are given back to the allocator.
pub(crate) const BUFFERS_KEPT: usize = 128;

/// Heads (buffer and field list) that a worker keeps for the next request.
pub(crate) const HEADS_KEPT: usize = 256;

/// A head buffer that has grown beyond this is not kept: one large head must not cost memory for ever.
pub(crate) const HEAD_KEPT_BYTES: usize = 16 * 1024;

/// Output buffers that a worker keeps for the next message.
pub(crate) const OUTPUTS_KEPT: usize = 128;

/// An output buffer that has grown beyond this is not kept: most heads are shorter.
pub(crate) const OUTPUT_KEPT_BYTES: usize = 4 * 1024;

/// Bytes of a body that are put together before they are sent, where it comes in pieces that stand one behind the other:
/// small chunks. A write costs as much as copying some 30 KiB.
pub(crate) const TOGETHER_BYTES: usize = 32 * 1024;

/// A piece of a body so short is copied to the head before it: one write of one buffer costs less than one of two.
pub(crate) const COPIED_BYTES: usize = 1024;

/// A piece longer than this is sent from where it stands.
pub(crate) const PIECE_BYTES: usize = 8 * 1024;

/// An output buffer that has grown beyond this is given back when it is empty: one large head must not cost memory for
/// as long as the connection lives.
pub(crate) const OUTPUT_BYTES: usize = 64 * 1024;

/// Idle connections that one worker keeps to one back-end. There are never more than requests were there at the same time
/// within the last [`IDLE_BACKEND`]; when answers come in bursts, as they do under load, a smaller number would close and
/// open connections all the time (with 128 and 1,000 clients a request cost twice as much).
pub(crate) const IDLE_PER_BACKEND: usize = 1024;

/// How long a connection to a back-end may stay idle, unless it says itself how long it waits. Servers close theirs after
/// 2 to 75 s; a connection that they close is noticed, but the less often the better.
pub(crate) const IDLE_BACKEND: Duration = Duration::from_secs(30);

/// How much sooner a connection is dropped than the back-end says that it will close it, at least: answer and request take
/// their time between us, and a busy server looks late.
pub(crate) const IDLE_SPARE: Duration = Duration::from_secs(1);

/// How long a connection to a back-end may have been idle for a request that cannot be sent again. No server in use closes
/// sooner than a second after an answer, unless it is told to.
pub(crate) const IDLE_WARM: Duration = Duration::from_millis(750);

/// How long it is remembered that a back-end closes sooner than that.
pub(crate) const IDLE_MEMORY: Duration = Duration::from_secs(300);

/// How often idle connections to back-ends are looked at for a close or stray bytes.
pub(crate) const IDLE_SWEEP: Duration = Duration::from_secs(1);

/// Back-ends that one request may find taking no connection before it is given up.
pub(crate) const ATTEMPTS: usize = 8;

/// Times that one request may go to a listener of our own. Who stacks listeners (TLS, then rules, then another service) needs
/// two or three; a circle is over after this many, which costs as many connections and log lines.
pub(crate) const HOPS: u8 = 8;

/// Times that one request is sent. A request that kills whoever reads it must not be led through the whole farm; one
/// more than a back-end's restart needs (an idle connection that was closed, then a process that dies).
pub(crate) const SENDS: u32 = 3;

/// Bytes of a refused message that are quoted in the log: enough to see what is wrong, too few to fill a disk with.
pub(crate) const EXCERPT_BYTES: usize = 100;

/// Client connections of one worker; beyond it new ones wait in the listen queue.
pub(crate) const CONNECTIONS_PER_WORKER: usize = 250_000;

/// Length of the listen queue; the kernel caps it at `net.core.somaxconn`.
pub(crate) const LISTEN_QUEUE: i32 = 4096;

/// Pause after an accept that failed for want of descriptors or memory: long enough not to spin, short enough to be back
/// within a second.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long we go on reading what a client still sends after our last answer, so that the answer is not lost to a reset
/// (RFC 9112 section 9.6).
pub(crate) const LINGER: Duration = Duration::from_secs(2);

/// Bytes that we read and throw away for the same reason.
pub(crate) const LINGER_BYTES: u64 = 1024 * 1024;

/// Reads and writes of a new connection before the reactor watches it: a head, an answer, and a few more. Beyond them a
/// client could keep the worker to itself, for it is the reactor that says when its turn is over.
pub(crate) const FRESH_CALLS: u8 = 16;

/// How long the first request of a new connection may take before the reactor watches whether the client is still there.
/// Most are answered sooner, and need not be watched.
pub(crate) const FRESH_LOOK: Duration = Duration::from_millis(50);

/// Connections accepted in a row before others of the worker get their turn.
pub(crate) const ACCEPTS_PER_TURN: u32 = 64;

/// A read shorter than this may be a segment behind which the peer's Nagle algorithm holds the next one back. Full segments
/// are longer on nearly every path (1,200 bytes and more).
pub(crate) const SHORT_BYTES: usize = 1024;

/// Bytes of a file read at once (`SendFile`).
pub(crate) const FILE_READ_BYTES: usize = 128 * 1024;

/// Bytes of log lines that wait for the writer thread, for each worker. At 200 bytes a line some 20,000 lines: a stall of
/// a second at 20,000 requests a second.
pub(crate) const LOG_BYTES: usize = 4 * 1024 * 1024;

/// How long a client may take for its TLS handshake, or as long as `Client` allows where that is less: four round trips
/// to the moon, and a browser that asks its user for a certificate asks before.
pub(crate) const HANDSHAKE: Duration = Duration::from_secs(10);

/// Bytes of ciphertext that are read at least, if they are there, however little room there is for what is in them.
pub(crate) const TLS_READ_LEAST: usize = 4096;

/// Bytes of ciphertext read at once, into the one buffer that a worker has for this: four records.
pub(crate) const TLS_READ_BYTES: usize = 64 * 1024;

/// Bytes that are encrypted at once and wait until the socket has taken them: all of a large buffer, and what is in front
/// of it.
pub(crate) const TLS_WRITE_BYTES: usize = LARGE_BYTES + BUFFER_BYTES;

/// TLS handshakes of one worker that have begun and are not over. Each holds some 10 KiB; an honest one is over within
/// three round trips, so that 4096 are 20,000 a second, which is more than a core can compute.
pub(crate) const HANDSHAKES: usize = 4096;

/// Failed handshakes that a worker reports in one second; scanners make thousands.
pub(crate) const HANDSHAKE_REPORTS: u32 = 10;

/// Sessions that a listener keeps for TLS 1.2 clients that take no tickets.
pub(crate) const TLS_SESSIONS: usize = 4096;

/// Sessions kept for resumption with one back-end: as many connections as are likely to be begun at once.
pub(crate) const TLS_SESSIONS_PER_BACKEND: usize = 64;

/// Bytes of a file with certificates: all public authorities together are a quarter of this.
pub(crate) const PEM_BYTES: u64 = 4 * 1024 * 1024;

/// Certificates of one `Cert`, or within one file.
pub(crate) const CERTIFICATES: usize = 10_000;

/// How long a watched list has to look the same before it is read: programs write in pieces.
pub(crate) const WATCHED_SETTLES: Duration = Duration::from_millis(300);

/// How often the supervisor looks whether the files have settled, before it puts the start of a serving process off.
pub(crate) const WATCHED_LOOKS: usize = 10;

/// Lines of a watched list of which the log says why they cannot be read; the others are counted. A list may have a
/// million lines.
pub(crate) const WATCHED_ERRORS: usize = 10;

/// How often files of certificates are looked at. A change is believed when it is seen twice, so it is in use within a
/// second. Looking at a file takes a few microseconds.
pub(crate) const CERTIFICATE_LOOK: Duration = Duration::from_millis(300);

/// How long the keeper of certificates may take for an answer. The back-ends' probes wait with it, and a disk that takes
/// longer than this for one file has failed.
pub(crate) const KEEPER_ANSWER: Duration = Duration::from_secs(10);

/// Entries of a directory that are looked at for certificates.
pub(crate) const CERTIFICATE_ENTRIES: usize = 100_000;

/// Threads that wait for the token of `SSLEngine`. One in a network answers within some milliseconds, so that they get
/// about 2,000 signatures a second out of it; one on a card makes a few a second, whatever waits for it.
pub(crate) const TOKEN_HELPERS: usize = 8;

/// Handshakes that wait in front of them; others wait for a place, and all within [`HANDSHAKE`].
pub(crate) const TOKEN_QUEUE: usize = 64;

/// How long a token, or a key in it, is left alone that could not be used: most likely it still cannot be.
pub(crate) const TOKEN_PAUSE: Duration = Duration::from_secs(1);

/// How long a check may take whether a token has the key of a new certificate. Who asks has other things to do.
pub(crate) const TOKEN_CHECK: Duration = Duration::from_secs(2);

/// How often, in seconds, a token is asked again for the key of a new certificate that it did not have.
pub(crate) const TOKEN_LOOK: i64 = 5;

/// How long we wait at the end for signatures that are under way.
pub(crate) const TOKEN_STOP: Duration = Duration::from_secs(1);

/// How often it is told that a token had to be opened again.
pub(crate) const TOKEN_NEWS: Duration = Duration::from_secs(10);

/// News of a token that wait to be told: one for each of a good many keys.
pub(crate) const TOKEN_NEWS_KEPT: usize = 64;

/// Private keys of a token that are tried for one certificate, where the token does not tell their public half.
pub(crate) const TOKEN_CANDIDATES: usize = 64;

/// Bytes of a file with a PIN that are looked at; tokens take at most 255 characters.
pub(crate) const PIN_BYTES: u64 = 4096;

/// Addresses taken of one host name; more are not tried.
pub(crate) const ADDRESSES_PER_NAME: usize = 16;

/// How long a probe of a dead back-end waits for a connection, at most; `ConnTO` if that is shorter.
pub(crate) const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

/// When a back-end that died is probed first; each later pause is twice as long, up to `Alive`. A server that is started
/// again is away for half a second or two.
pub(crate) const PROBE_FIRST: Duration = Duration::from_millis(250);

/// One that dies again within so many of its last pauses goes on where the probes stood.
pub(crate) const PROBE_MEMORY: u32 = 8;

/// How long a request for which there is no other back-end leaves one alone that has just said no: requests without end
/// make some hundred connections a second then, and not one each.
pub(crate) const RESORT_PAUSE: Duration = Duration::from_millis(10);

/// How long a request may wait for a connection to a back-end that is held for dead. Those that are tried at all said no
/// at once the last time.
pub(crate) const RESORT_TIMEOUT: Duration = Duration::from_millis(500);

/// How long a back-end that gave no answer to `MaxFails` requests in a row is left alone before one request tries it, and
/// by how much later that may be one which cannot be sent again. Twice as long after each trial that fails, up to `Alive`.
pub(crate) const OUT_FIRST: Duration = Duration::from_secs(1);

/// One that fails again within so many of its last pauses goes on where they stood.
pub(crate) const OUT_MEMORY: u32 = 8;

/// How often it is looked whether a back-end hangs.
pub(crate) const STALL_LOOK: Duration = Duration::from_millis(500);

/// How long as many requests as `MaxFails` says wait for a back-end without an answer to any before others are preferred.
/// Few applications are that slow with all that they are asked.
pub(crate) const STALL: Duration = Duration::from_secs(2);

/// How often, at most, the log has a line of that for one back-end.
pub(crate) const STALL_NEWS: Duration = Duration::from_secs(60);

/// How often, at most, the log has a line of a request for which no back-end of a service was alive.
pub(crate) const NO_BACKEND_NEWS: Duration = Duration::from_secs(10);

/// Names of a certificate that a log line tells, when the one that is wanted is not among them.
pub(crate) const CERTIFICATE_NAMES: usize = 4;

/// Dead back-ends that such a line names.
pub(crate) const NO_BACKEND_NAMES: usize = 4;

/// Requests in a row, one at a time, that a back-end which was left out answers before it gets its share again.
pub(crate) const TRIALS: u32 = 3;

/// Bytes that a worker takes anew from the allocator before it looks how much memory is left: at the least, since a look
/// costs a few microseconds.
pub(crate) const MEMORY_STEP_MIN: u64 = 128 * 1024;

/// The same at the most: what all workers together may take between two looks must be little.
pub(crate) const MEMORY_STEP_MAX: u64 = 4 * 1024 * 1024;

/// Bytes of the kernel's memory that a connection of a client takes, which no count of ours sees: the socket, its file and
/// its place in the reactor.
pub(crate) const SOCKET_BYTES: u64 = 4096;

/// Bytes that a connection of a client takes from the allocator, about.
pub(crate) const CLIENT_BYTES: usize = 2048;

/// The same of one that speaks TLS.
pub(crate) const TLS_CLIENT_BYTES: usize = 32 * 1024;

/// Clients that are served however little memory there is: without any, nothing would ever get better.
pub(crate) const CLIENTS_ALWAYS: usize = 16;

/// How often memory is looked at while there is enough.
pub(crate) const MEMORY_LOOK: Duration = Duration::from_secs(1);

/// The same while there is not.
pub(crate) const MEMORY_LOOK_TIGHT: Duration = Duration::from_millis(100);

/// The same after giving back has brought next to nothing.
pub(crate) const MEMORY_LOOK_HOPELESS: Duration = Duration::from_secs(30);

/// Bytes that the allocator may hold for nobody: giving less back is not worth the locks.
pub(crate) const MEMORY_RETAINED: u64 = 1024 * 1024;

/// Of those who wait for nothing but themselves, one of so many goes at a time when there is no memory for others.
pub(crate) const SHED_SHARE: usize = 8;

/// At least so many go at a time.
pub(crate) const SHED_LEAST: usize = 32;

/// No client is told to go that has waited less than this: what it waits for may be on its way.
pub(crate) const SHED_AFTER: Duration = Duration::from_secs(1);

/// How often a worker says that clients wait for a place.
pub(crate) const ROOM_REPORT: Duration = Duration::from_secs(10);

/// Bytes of log lines that wait, of all memory that there is for us: one of so many, for all workers together. They are
/// held twice while the writer is at work.
pub(crate) const LOG_SHARE: u64 = 32;

/// But so many bytes for each worker.
pub(crate) const LOG_BYTES_MIN: usize = 64 * 1024;

/// Spare buffers and the like that a worker keeps although it has not needed them for a second.
pub(crate) const SPARE_KEPT: usize = 4;
