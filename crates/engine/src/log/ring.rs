//! From the workers to the writer thread: memory between those who must not wait and the one who may.
//!
//! Each worker has a [`Pen`] with a buffer of its own, so that workers never meet. The writer ([`Drain`]) swaps that
//! buffer for an empty one and reads it at leisure; the lock in between is held to copy one line or to swap two
//! pointers. A full buffer takes no more lines: they are dropped and counted, and the count is handed to the writer,
//! who says so in the log. The request path never waits for a disk.
//!
//! The writer is woken only when it sleeps. After it has found something it looks again a moment later without asking
//! to be woken, so under load no worker makes a system call for the log.

use std::fmt;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::escape::escape_sentence;

/// Longest record; what is longer is cut. A request line has up to 16 KiB, and escaped four times as many.
const RECORD_BYTES_MAX: usize = 32 * 1024;

/// How long the writer lets lines gather once there are some. Batches make one write of many lines, and for who reads
/// along a twentieth of a second is as good as at once.
const GATHER: Duration = Duration::from_millis(50);

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

/// Makes `pens` pens, whose lines wait in up to `capacity` bytes each, and the drain that they all run into. Twice
/// that memory is used while the writer is at work.
pub fn channel(pens: usize, capacity: usize) -> (Vec<Pen>, Drain) {
    let bell = Arc::new(Bell::default());
    let buffers: Vec<_> = (0..pens).map(|_| Arc::new(Mutex::new(Batch::default()))).collect();
    let pens = buffers.iter().map(|buffer| Pen {
        buffer: Arc::clone(buffer),
        bell: Arc::clone(&bell),
        capacity,
        scratch: Vec::new(),
    });
    (pens.collect(), Drain { buffers, bell, spare: Batch::default(), gathering: false })
}

/// Lines that wait.
#[derive(Debug, Default)]
struct Batch {
    /// Each record: severity, kind, length in four bytes, text.
    bytes: Vec<u8>,
    dropped: u64,
}

const HEADER_BYTES: usize = 6;

/// Wakes the writer.
#[derive(Debug, Default)]
struct Bell {
    /// The writer waits, or is about to.
    asleep: AtomicBool,
    lock: Mutex<()>,
    rung: Condvar,
}

/// Writes lines, for one thread.
#[derive(Debug)]
pub struct Pen {
    buffer: Arc<Mutex<Batch>>,
    bell: Arc<Bell>,
    capacity: usize,
    scratch: Vec<u8>,
}

impl Pen {
    /// Writes one line, whose text `write` appends to what it is given: printable ASCII. Never waits for the writer.
    pub fn write(&mut self, kind: Kind, severity: Severity, write: impl FnOnce(&mut Vec<u8>)) {
        // Put together outside of the lock, which is then held for a copy.
        self.scratch.clear();
        write(&mut self.scratch);
        self.scratch.truncate(RECORD_BYTES_MAX);
        self.push(kind, severity, &self.scratch);
        if self.scratch.capacity() > RECORD_BYTES_MAX {
            self.scratch = Vec::new();
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

    fn push(&self, kind: Kind, severity: Severity, text: &[u8]) {
        let mut batch = lock(&self.buffer);
        if batch.bytes.len() + HEADER_BYTES + text.len() > self.capacity {
            batch.dropped += 1;
            return;
        }
        batch.bytes.push(severity as u8);
        batch.bytes.push(u8::from(kind == Kind::Event));
        // At most RECORD_BYTES_MAX.
        batch.bytes.extend_from_slice(&(text.len() as u32).to_ne_bytes());
        batch.bytes.extend_from_slice(text);
        drop(batch);
        // Only a load, unless the writer sleeps.
        if self.bell.asleep.load(Ordering::SeqCst) && self.bell.asleep.swap(false, Ordering::SeqCst) {
            // Once the lock is ours the writer is in its wait, and hears it.
            drop(lock(&self.bell.lock));
            self.bell.rung.notify_one();
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
}

impl Drain {
    /// Waits until there is something to take, or `timeout` has passed.
    pub fn wait(&mut self, timeout: Duration) {
        if self.gathering {
            std::thread::sleep(GATHER.min(timeout));
            return;
        }
        let guard = lock(&self.bell.lock);
        self.bell.asleep.store(true, Ordering::SeqCst);
        // A line that comes after this look finds us asleep, and its pen waits for the lock that we hold until we hear.
        let here = self.buffers.iter().any(|buffer| !lock(buffer).is_empty());
        if !here {
            let bell = &self.bell;
            let wait = bell.rung.wait_timeout_while(guard, timeout, |()| bell.asleep.load(Ordering::SeqCst));
            drop(wait.unwrap_or_else(PoisonError::into_inner));
        }
        self.bell.asleep.store(false, Ordering::SeqCst);
    }

    /// Hands over what has come since the last call, pen by pen, each pen's lines in order; gives the number of lines
    /// that found no room since then.
    pub fn take(&mut self, give: &mut dyn FnMut(Record<'_>)) -> u64 {
        let mut dropped = 0;
        self.gathering = false;
        for buffer in &self.buffers {
            std::mem::swap(&mut *lock(buffer), &mut self.spare);
            dropped += std::mem::take(&mut self.spare.dropped);
            self.gathering |= !self.spare.bytes.is_empty();
            let mut rest = &self.spare.bytes[..];
            while let Some((header, after)) = rest.split_first_chunk::<HEADER_BYTES>() {
                let [severity, kind, length @ ..] = *header;
                // What `push` has written is whole, so the text is there.
                let (text, after) = after.split_at(u32::from_ne_bytes(length) as usize);
                rest = after;
                let kind = if kind == 1 { Kind::Event } else { Kind::Access };
                give(Record { kind, severity: Severity::from_number(severity), text });
            }
            self.spare.bytes.clear();
        }
        dropped
    }

    /// Whether all pens are gone: what [`take`](Self::take) gives after this is the last.
    pub fn is_closed(&self) -> bool {
        self.buffers.iter().all(|buffer| Arc::strong_count(buffer) == 1)
    }
}

impl Batch {
    fn is_empty(&self) -> bool {
        self.bytes.is_empty() && self.dropped == 0
    }
}

/// A panic while a lock was held has left whole records: they are appended in one go under it.
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
        assert_eq!((lines.len(), dropped), (6, 14));
        write(&mut pens[0], "again");
        assert_eq!(taken(&mut drain), (vec!["again".to_owned()], 0));
    }

    #[test]
    fn a_line_without_end_is_cut() {
        let (mut pens, mut drain) = channel(1, 1 << 20);
        write(&mut pens[0], &"x".repeat(RECORD_BYTES_MAX + 5));
        let (lines, dropped) = taken(&mut drain);
        assert_eq!((lines[0].len(), dropped), (RECORD_BYTES_MAX, 0));
        assert_eq!(pens[0].scratch.capacity(), 0);
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
