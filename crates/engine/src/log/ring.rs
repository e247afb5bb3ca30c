//! From the workers to the writer thread: memory between those who must not wait and the one who may.
//!
//! Each worker has a [`Pen`] with a buffer of its own, so that workers never meet. The writer ([`Drain`]) swaps that
//! buffer for an empty one and reads it at leisure; the lock in between is held to put one line together in its place
//! or to swap two pointers. A full buffer takes no more lines: they are dropped and counted, and the count is handed to
//! the writer, who says so in the log. The request path never waits for a disk.
//!
//! The writer is woken by the first line after a rest. Then it lets lines gather for [`GATHER`] before it looks again,
//! unless a buffer has [`BATCH_BYTES`] before that: under load a worker makes one system call for thousands of
//! lines, and the memory that lines go through stays small enough for the cache of a core.

use std::fmt;
use std::io::Write;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use super::escape::escape_sentence;

/// Longest record; what is longer is cut. A request line has up to 16 KiB, and escaped four times as many.
const RECORD_BYTES_MAX: usize = 32 * 1024;

/// How long the writer lets lines gather once there are some. Batches make one write of many lines, and for who reads
/// along a twentieth of a second is as good as at once.
const GATHER: Duration = Duration::from_millis(50);

/// When a buffer has this many bytes they are enough for a batch, and the writer comes before its time. Twice that is
/// what lines go through again and again, so it stays small for the cache of a core; with a quarter of it the wake-ups
/// could be measured.
const BATCH_BYTES: usize = 256 * 1024;

/// What a record is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A request and its answer.
    Access,
    /// Anything else.
    Event,
}

/// How bad it is: the severities of RFC 5424 that we use, by their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// A request failed, or a back-end did.
    Error = 3,
    /// Somebody else's fault, or ours without harm.
    Warning = 4,
    /// Rare and ordinary: a back-end is back.
    Notice = 5,
    /// Ordinary.
    Info = 6,
    /// For who looks for a mistake.
    Debug = 7,
}

impl Severity {
    fn from_number(number: u8) -> Severity {
        match number {
            0..=3 => Severity::Error,
            4 => Severity::Warning,
            5 => Severity::Notice,
            6 => Severity::Info,
            _ => Severity::Debug,
        }
    }
}

/// One line, without its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// What it is about.
    pub kind: Kind,
    /// How bad it is.
    pub severity: Severity,
    /// Printable ASCII.
    pub text: &'a [u8],
}

/// Makes `pens` pens, each of which takes lines while fewer than `capacity` bytes of them wait, and the drain that they
/// all run into. Twice that memory is used while the writer is at work.
pub fn channel(pens: usize, capacity: usize) -> (Vec<Pen>, Drain) {
    let bell = Arc::new(Bell::default());
    let buffers: Vec<_> = (0..pens).map(|_| Arc::new(Mutex::new(Batch::default()))).collect();
    let pens =
        buffers.iter().map(|buffer| Pen { buffer: Arc::clone(buffer), bell: Arc::clone(&bell), capacity });
    (pens.collect(), Drain { buffers, bell, spare: Batch::default(), gathering: false, gather: GATHER })
}

/// Lines that wait.
#[derive(Debug, Default)]
struct Batch {
    /// Each record: severity, kind, length in four bytes, text.
    bytes: Vec<u8>,
    /// So many of them are whole records; what lies behind was begun by somebody who panicked.
    whole: usize,
    dropped: u64,
}

const HEADER_BYTES: usize = 6;

/// Wakes the writer.
#[derive(Debug, Default)]
struct Bell {
    /// What the writer does: [`AWAKE`], [`GATHERING`] or [`IDLE`].
    state: AtomicU8,
    lock: Mutex<()>,
    rung: Condvar,
}

/// The writer is about to look, whatever comes.
const AWAKE: u8 = 0;
/// The writer waits, or is about to, and wants to hear of a full batch.
const GATHERING: u8 = 1;
/// The writer waits, or is about to, and wants to hear of any line.
const IDLE: u8 = 2;

/// Writes lines, for one thread.
#[derive(Debug)]
pub struct Pen {
    buffer: Arc<Mutex<Batch>>,
    bell: Arc<Bell>,
    capacity: usize,
}

impl Pen {
    /// Writes one line, whose text `write` appends to what it is given, leaving alone what is there: printable ASCII. It
    /// is not called when the line is dropped. Never waits for the writer.
    pub fn write(&mut self, kind: Kind, severity: Severity, write: impl FnOnce(&mut Vec<u8>)) {
        let mut batch = lock(&self.buffer);
        if batch.whole >= self.capacity {
            batch.dropped += 1;
            return;
        }
        batch.append(kind, severity, write);
        let waiting = batch.whole;
        drop(batch);
        match self.bell.state.load(Ordering::SeqCst) {
            IDLE => self.bell.ring(),
            GATHERING if waiting >= BATCH_BYTES => self.bell.ring(),
            _ => {}
        }
    }

    /// Writes an event. What the sentence quotes of others is escaped as a whole.
    pub fn event(&mut self, severity: Severity, sentence: fmt::Arguments<'_>) {
        self.write(Kind::Event, severity, |out| {
            let mut text = Vec::new();
            // Writing to memory cannot fail.
            let _ = text.write_fmt(sentence);
            escape_sentence(&text, out);
        });
    }
}

impl Bell {
    fn ring(&self) {
        if self.state.swap(AWAKE, Ordering::SeqCst) != AWAKE {
            // Once the lock is ours the writer is in its wait, and hears it.
            drop(lock(&self.lock));
            self.rung.notify_one();
        }
    }
}

/// Where all pens run into, for the one thread that writes.
#[derive(Debug)]
pub struct Drain {
    buffers: Vec<Arc<Mutex<Batch>>>,
    bell: Arc<Bell>,
    spare: Batch,
    /// The last look found something.
    gathering: bool,
    /// [`GATHER`].
    gather: Duration,
}

impl Drain {
    /// Waits until there is something to take, or `timeout` has passed. What comes on the heels of what was taken last
    /// is left to gather for a moment.
    pub fn wait(&mut self, timeout: Duration) {
        let (state, enough, timeout) = if self.gathering {
            (GATHERING, BATCH_BYTES, self.gather.min(timeout))
        } else {
            (IDLE, 1, timeout)
        };
        let guard = lock(&self.bell.lock);
        self.bell.state.store(state, Ordering::SeqCst);
        // A line that comes after this look finds us waiting, and its pen waits for the lock that we hold until we hear.
        // Nor do we wait for a pen that is at work on a line while others may wait for the lock: after a rest it calls for
        // us, and else it rings itself, or we look in a moment.
        let calls = |buffer: &Arc<Mutex<Batch>>| match buffer.try_lock() {
            Ok(batch) => batch.calls_for_writer(enough),
            Err(TryLockError::Poisoned(batch)) => batch.into_inner().calls_for_writer(enough),
            Err(TryLockError::WouldBlock) => state == IDLE,
        };
        if !self.buffers.iter().any(calls) {
            let bell = &self.bell;
            let wait =
                bell.rung.wait_timeout_while(guard, timeout, |()| bell.state.load(Ordering::SeqCst) != AWAKE);
            drop(wait.unwrap_or_else(PoisonError::into_inner));
        }
        self.bell.state.store(AWAKE, Ordering::SeqCst);
    }

    /// Hands over what has come since the last call, pen by pen, each pen's lines in order; gives the number of lines
    /// that found no room since then.
    pub fn take(&mut self, give: &mut dyn FnMut(Record<'_>)) -> u64 {
        let mut dropped = 0;
        self.gathering = false;
        for buffer in &self.buffers {
            std::mem::swap(&mut *lock(buffer), &mut self.spare);
            dropped += std::mem::take(&mut self.spare.dropped);
            self.gathering |= self.spare.whole > 0;
            let mut rest = &self.spare.bytes[..self.spare.whole];
            while let Some((header, after)) = rest.split_first_chunk::<HEADER_BYTES>() {
                let [severity, kind, length @ ..] = *header;
                // What `append` has written is whole, so the text is there.
                let (text, after) = after.split_at(u32::from_ne_bytes(length) as usize);
                rest = after;
                let kind = if kind == 1 { Kind::Event } else { Kind::Access };
                give(Record { kind, severity: Severity::from_number(severity), text });
            }
            self.spare.clear();
        }
        dropped
    }

    /// Whether all pens are gone: what [`take`](Self::take) gives after this is the last.
    pub fn is_closed(&self) -> bool {
        self.buffers.iter().all(|buffer| Arc::strong_count(buffer) == 1)
    }
}

impl Batch {
    /// Puts a line together in its place.
    fn append(&mut self, kind: Kind, severity: Severity, write: impl FnOnce(&mut Vec<u8>)) {
        let begin = self.whole + HEADER_BYTES;
        self.bytes.truncate(self.whole);
        self.bytes.extend_from_slice(&[severity as u8, u8::from(kind == Kind::Event), 0, 0, 0, 0]);
        write(&mut self.bytes);
        self.bytes.truncate(begin + RECORD_BYTES_MAX);
        // Nothing is there only if `write` has taken away what was not its own.
        if let Some(length) = self.bytes.len().checked_sub(begin) {
            // At most RECORD_BYTES_MAX.
            self.bytes[begin - 4..begin].copy_from_slice(&(length as u32).to_ne_bytes());
            self.whole = self.bytes.len();
        }
    }

    /// Whether the writer should come if `enough` bytes make it worthwhile.
    fn calls_for_writer(&self, enough: usize) -> bool {
        self.whole >= enough || self.dropped > 0
    }

    /// Makes it empty, for the next lines.
    fn clear(&mut self) {
        self.bytes.clear();
        self.whole = 0;
    }
}

/// A panic while a lock was held has left whole records, and [`Batch::whole`] says how far they go.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn write(pen: &mut Pen, text: &str) {
        pen.write(Kind::Access, Severity::Info, |out| out.extend_from_slice(text.as_bytes()));
    }

    fn taken(drain: &mut Drain) -> (Vec<String>, u64) {
        let mut lines = Vec::new();
        let dropped = drain.take(&mut |record| lines.push(String::from_utf8(record.text.to_vec()).unwrap()));
        (lines, dropped)
    }

    #[test]
    fn lines_come_out_as_they_went_in() {
        let (mut pens, mut drain) = channel(2, 1000);
        write(&mut pens[1], "c");
        write(&mut pens[0], "a");
        write(&mut pens[0], "");
        pens[0].write(Kind::Event, Severity::Error, |out| out.extend_from_slice(b"bad"));
        let mut records = Vec::new();
        drain.take(&mut |record| records.push((record.kind, record.severity, record.text.to_vec())));
        assert_eq!(
            records,
            [
                (Kind::Access, Severity::Info, b"a".to_vec()),
                (Kind::Access, Severity::Info, b"".to_vec()),
                (Kind::Event, Severity::Error, b"bad".to_vec()),
                (Kind::Access, Severity::Info, b"c".to_vec()),
            ]
        );
        assert_eq!(taken(&mut drain), (vec![], 0));
        write(&mut pens[0], "d");
        assert_eq!(taken(&mut drain), (vec!["d".to_owned()], 0));
    }

    #[test]
    fn a_full_buffer_drops_and_counts_and_is_emptied_by_the_writer() {
        let (mut pens, mut drain) = channel(1, 100);
        for _ in 0..20 {
            write(&mut pens[0], "0123456789");
        }
        let (lines, dropped) = taken(&mut drain);
        // Sixteen bytes each; the seventh still finds room for its beginning.
        assert_eq!((lines.len(), dropped), (7, 13));
        write(&mut pens[0], "again");
        assert_eq!(taken(&mut drain), (vec!["again".to_owned()], 0));
    }

    #[test]
    fn a_line_without_end_is_cut() {
        let (mut pens, mut drain) = channel(1, 1 << 20);
        write(&mut pens[0], &"x".repeat(RECORD_BYTES_MAX + 5));
        let (lines, dropped) = taken(&mut drain);
        assert_eq!((lines[0].len(), dropped), (RECORD_BYTES_MAX, 0));
    }

    #[test]
    fn the_writer_wakes_for_a_line_and_gives_up_at_its_timeout() {
        let (mut pens, mut drain) = channel(1, 1000);
        drain.wait(Duration::from_millis(1));
        assert_eq!(taken(&mut drain), (vec![], 0));
        let begin = Instant::now();
        std::thread::scope(|scope| {
            let mut pen = pens.remove(0);
            scope.spawn(move || write(&mut pen, "wake"));
            drain.wait(Duration::from_secs(60));
        });
        assert!(begin.elapsed() < Duration::from_secs(30));
        assert_eq!(taken(&mut drain), (vec!["wake".to_owned()], 0));
        assert!(drain.is_closed());
    }

    #[test]
    fn a_line_wakes_a_writer_that_rests_and_a_full_batch_one_that_lets_lines_gather() {
        let (mut pens, drain) = channel(2, 2 * BATCH_BYTES);
        let state = || drain.bell.state.load(Ordering::SeqCst);
        drain.bell.state.store(IDLE, Ordering::SeqCst);
        write(&mut pens[0], "one");
        assert_eq!(state(), AWAKE);
        drain.bell.state.store(GATHERING, Ordering::SeqCst);
        let long = "x".repeat(1000);
        let mut lines = 0;
        while state() == GATHERING {
            write(&mut pens[0], &long);
            // Another pen's few lines are no reason.
            write(&mut pens[1], "x");
            lines += 1;
        }
        assert_eq!(lines, BATCH_BYTES.div_ceil(HEADER_BYTES + 1000));
    }

    #[test]
    fn a_full_batch_ends_the_gathering() {
        let (mut pens, mut drain) = channel(1, 2 * BATCH_BYTES);
        write(&mut pens[0], "before");
        taken(&mut drain);
        drain.gather = Duration::from_secs(60);
        let begin = Instant::now();
        std::thread::scope(|scope| {
            let mut pen = pens.remove(0);
            scope.spawn(move || (0..BATCH_BYTES / 1000).for_each(|_| write(&mut pen, &"x".repeat(1000))));
            drain.wait(Duration::from_secs(60));
            // And is seen by a writer that comes later.
            assert!(taken(&mut drain).0.len() > BATCH_BYTES / 2000);
        });
        assert!(begin.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn a_panic_within_a_line_costs_that_line_alone() {
        let (mut pens, mut drain) = channel(1, 1000);
        let broken = |pen: &mut Pen| {
            let unwound = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                pen.write(Kind::Access, Severity::Info, |out| {
                    out.extend_from_slice(b"half a li");
                    std::panic::resume_unwind(Box::new(()));
                });
            }));
            assert!(unwound.is_err());
        };
        write(&mut pens[0], "before");
        broken(&mut pens[0]);
        write(&mut pens[0], "after");
        broken(&mut pens[0]);
        assert_eq!(taken(&mut drain), (vec!["before".to_owned(), "after".to_owned()], 0));
        write(&mut pens[0], "later");
        assert_eq!(taken(&mut drain), (vec!["later".to_owned()], 0));
    }

    #[test]
    fn no_line_is_lost_between_threads() {
        const LINES: usize = 20_000;
        let (mut pens, mut drain) = channel(3, 8 << 20);
        let mut seen = vec![0usize; 3];
        std::thread::scope(|scope| {
            for (index, mut pen) in pens.drain(..).enumerate() {
                scope.spawn(move || (0..LINES).for_each(|line| write(&mut pen, &format!("{index} {line}"))));
            }
            loop {
                let closed = drain.is_closed();
                drain.wait(Duration::from_millis(20));
                let (lines, dropped) = taken(&mut drain);
                assert_eq!(dropped, 0);
                for line in lines {
                    let (pen, number) = line.split_once(' ').unwrap();
                    let count = &mut seen[pen.parse::<usize>().unwrap()];
                    assert_eq!(number.parse::<usize>().unwrap(), *count, "in order");
                    *count += 1;
                }
                if closed {
                    break;
                }
            }
        });
        assert_eq!(seen, [LINES; 3]);
    }
}
