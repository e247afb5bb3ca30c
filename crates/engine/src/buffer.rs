//! Read buffers, and the store that a worker keeps them in.
//!
//! A connection holds a buffer only while bytes are in it or expected within a request: one that idles has none, so
//! an idle client costs no buffer memory. A body that fills its buffer goes on through a larger one, of which there are
//! few: what a reader that stops reading can pin down has a bound.

use std::cell::{Cell, RefCell};

use wire::Slots;

use crate::limits;
use crate::memory::{Gauge, Strain};
use crate::pipe::{Pipe, Pipes};
use crate::quota::{Quota, Share};

/// Bytes that were read and not yet used. Empty of memory until the first read.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    start: usize,
    /// Counts each time bytes that had been used were thrown away: what was used since a mark can be had again only if
    /// this is the same (see `Mark`).
    generation: u32,
    /// Held while `bytes` is a large buffer.
    large: Option<Share>,
}

/// A place in a [`Buffer`] to which it can go back.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark {
    start: usize,
    generation: u32,
}

impl Buffer {
    /// What was read and not used.
    pub(crate) fn unread(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    /// Whether all that was read has been used.
    pub(crate) fn is_empty(&self) -> bool {
        self.start == self.bytes.len()
    }

    /// Uses the first `count` unread bytes.
    pub(crate) fn consume(&mut self, count: usize) {
        debug_assert!(count <= self.bytes.len() - self.start);
        self.start = (self.start + count).min(self.bytes.len());
    }

    /// Whether a read needs memory that there is not.
    pub(crate) fn is_starved(&self, store: &Store) -> bool {
        (self.bytes.capacity() == 0 || self.bytes.len() == self.bytes.capacity())
            && store.gauge.strain() == Strain::Full
            && store.buffers.is_empty()
    }

    /// The vector to read into, with room for at least one byte and for as many as one read should take: many if the
    /// peer has much to send (`bulk`). Unread bytes stay at its front.
    pub(crate) fn room(&mut self, store: &Store, bulk: bool) -> &mut Vec<u8> {
        if self.bytes.capacity() == 0 {
            self.bytes = store.buffer();
            self.restart();
        } else if self.bytes.capacity() < limits::BUFFER_BYTES
            && (self.is_empty() || self.bytes.len() == self.bytes.capacity())
        {
            // The rest of a head that came in pieces, or the body after it.
            let small = std::mem::replace(&mut self.bytes, store.buffer());
            self.bytes.extend_from_slice(&small);
        } else if self.is_empty() && self.start >= limits::REPLAY_BYTES {
            // Until then what was used stays: a short body that came apart from its head can still be sent again.
            match (bulk, &self.large) {
                (true, None) => {
                    if let Some((large, ticket)) = store.large() {
                        store.keep_buffer(std::mem::replace(&mut self.bytes, large));
                        self.large = Some(ticket);
                    }
                }
                (false, Some(_)) => {
                    store.keep_large(std::mem::replace(&mut self.bytes, store.buffer()));
                    self.large = None;
                }
                _ => {}
            }
            self.bytes.clear();
            self.restart();
        } else if self.bytes.len() == self.bytes.capacity() {
            if self.start > 0 {
                self.bytes.drain(..self.start);
                self.restart();
            } else {
                // Full of unread bytes: a head longer than a buffer. Its limit is the codec's, which refuses it in time.
                store.gauge.grow(limits::BUFFER_BYTES);
                self.bytes.reserve(limits::BUFFER_BYTES);
            }
        }
        &mut self.bytes
    }

    /// Forgets what was used, where nothing is unread, and gives the memory back: what comes now comes past this buffer.
    pub(crate) fn forget(&mut self, store: &Store) {
        self.release(store);
        self.restart();
    }

    /// What was used is gone.
    fn restart(&mut self) {
        self.start = 0;
        self.generation = self.generation.wrapping_add(1);
    }

    /// This place.
    pub(crate) fn mark(&self) -> Mark {
        Mark { start: self.start, generation: self.generation }
    }

    /// Whether what was used since `mark` is still here.
    pub(crate) fn reaches(&self, mark: Mark) -> bool {
        self.generation == mark.generation
    }

    /// Goes back to `mark`, if what was used since is still here.
    pub(crate) fn rewind(&mut self, mark: Mark) -> bool {
        let reaches = self.reaches(mark);
        if reaches {
            self.start = mark.start;
        }
        reaches
    }

    /// Gives the memory back if there is nothing in it, be it used or unread.
    pub(crate) fn release_unused(&mut self, store: &Store) {
        if self.bytes.is_empty() {
            self.release(store);
        }
    }

    /// Gives the memory back if nothing unread is in it.
    pub(crate) fn release(&mut self, store: &Store) {
        if self.is_empty() && self.bytes.capacity() > 0 {
            self.replace(Vec::new(), store);
        }
    }

    /// Gives most of the memory back if little is unread, as of a head that drips in. What was used is gone.
    pub(crate) fn shrink(&mut self, store: &Store) {
        let unread = self.unread();
        let is_little = (1..=limits::LITTLE_BYTES_MAX).contains(&unread.len());
        if !is_little || self.bytes.capacity() < limits::BUFFER_BYTES {
            return;
        }
        // Room for as much again, so that each byte is moved a few times at the most, however it comes.
        let mut little = Vec::with_capacity((2 * unread.len()).next_power_of_two().max(limits::LITTLE_BYTES));
        store.gauge.grow(little.capacity());
        little.extend_from_slice(unread);
        self.replace(little, store);
    }

    fn replace(&mut self, by: Vec<u8>, store: &Store) {
        self.restart();
        let bytes = std::mem::replace(&mut self.bytes, by);
        match self.large.take() {
            Some(_) => store.keep_large(bytes),
            None => store.keep_buffer(bytes),
        }
    }
}

/// The memory of a head: its bytes and its field list.
pub(crate) type HeadSpace = (Vec<u8>, Slots);

/// Things that wait to be used again.
struct Spare<T> {
    kept: RefCell<Vec<T>>,
    most: usize,
    /// The fewest there were since the last sweep: so many are not needed.
    fewest: Cell<usize>,
}

impl<T> Spare<T> {
    fn new(most: usize) -> Spare<T> {
        Spare { kept: RefCell::default(), most, fewest: Cell::new(0) }
    }

    fn take(&self) -> Option<T> {
        let mut kept = self.kept.borrow_mut();
        let taken = kept.pop();
        if kept.len() < self.fewest.get() {
            self.fewest.set(kept.len());
        }
        taken
    }

    fn keep(&self, thing: T) {
        let mut kept = self.kept.borrow_mut();
        if kept.len() < self.most {
            kept.push(thing);
        }
    }

    fn is_empty(&self) -> bool {
        self.kept.borrow().is_empty()
    }

    /// Lets go of what nobody has needed since the last time, but for a few.
    fn sweep(&self) {
        let mut kept = self.kept.borrow_mut();
        let needed = kept.len() - self.fewest.get().min(kept.len());
        kept.truncate(needed.max(limits::SPARE_KEPT));
        self.fewest.set(kept.len());
    }
}

/// A worker's spare buffers and heads.
pub(crate) struct Store {
    buffers: Spare<Vec<u8>>,
    large: Spare<Vec<u8>>,
    /// The large buffers that are out.
    large_out: Quota,
    heads: Spare<HeadSpace>,
    outputs: Spare<Vec<u8>>,
    pub(crate) pipes: Pipes,
    pub(crate) gauge: Gauge,
}

impl Default for Store {
    fn default() -> Self {
        Store::new(Gauge::default())
    }
}

impl Store {
    /// An empty one, whose memory is counted.
    pub(crate) fn new(gauge: Gauge) -> Store {
        Store {
            buffers: Spare::new(limits::BUFFERS_KEPT),
            large: Spare::new(limits::LARGE_BUFFERS_KEPT),
            large_out: Quota::new(limits::LARGE_BUFFERS),
            heads: Spare::new(limits::HEADS_KEPT),
            outputs: Spare::new(limits::OUTPUTS_KEPT),
            pipes: Pipes::default(),
            gauge,
        }
    }

    fn buffer(&self) -> Vec<u8> {
        self.buffers.take().unwrap_or_else(|| {
            self.gauge.grow(limits::BUFFER_BYTES);
            Vec::with_capacity(limits::BUFFER_BYTES)
        })
    }

    fn keep_buffer(&self, mut buffer: Vec<u8>) {
        if buffer.capacity() == limits::BUFFER_BYTES {
            buffer.clear();
            self.buffers.keep(buffer);
        }
    }

    /// A large buffer, unless too many are out or memory is short.
    fn large(&self) -> Option<(Vec<u8>, Share)> {
        if self.gauge.strain() > Strain::Easy {
            return None;
        }
        let share = self.large_out.take()?;
        let large = self.large.take().unwrap_or_else(|| {
            self.gauge.grow(limits::LARGE_BYTES);
            Vec::with_capacity(limits::LARGE_BYTES)
        });
        Some((large, share))
    }

    fn keep_large(&self, mut buffer: Vec<u8>) {
        buffer.clear();
        self.large.keep(buffer);
    }

    /// Room for what waits to be sent.
    pub(crate) fn output(&self) -> Vec<u8> {
        self.outputs.take().unwrap_or_default()
    }

    /// Keeps the memory of an output for a later one.
    pub(crate) fn keep_output(&self, mut output: Vec<u8>) {
        if (1..=limits::OUTPUT_KEPT_BYTES).contains(&output.capacity()) {
            output.clear();
            self.outputs.keep(output);
        }
    }

    /// Room for a head, with whatever memory an earlier one has left behind.
    pub(crate) fn head(&self) -> HeadSpace {
        self.heads.take().unwrap_or_else(|| {
            self.gauge.grow(limits::HEAD_KEPT_BYTES / 4);
            HeadSpace::default()
        })
    }

    /// Keeps the memory of a head for a later one.
    pub(crate) fn keep_head(&self, mut space: HeadSpace) {
        if space.0.capacity() <= limits::HEAD_KEPT_BYTES {
            space.0.clear();
            self.heads.keep(space);
        }
    }

    /// A pipe for a long body, unless there are too many or memory is short: what is in it is the kernel's memory.
    pub(crate) fn pipe(&self) -> Option<Pipe> {
        if self.gauge.strain() > Strain::Easy { None } else { self.pipes.take() }
    }

    /// Gives back what nobody has needed since the last sweep.
    pub(crate) fn sweep(&self) {
        self.buffers.sweep();
        self.large.sweep();
        self.heads.sweep();
        self.outputs.sweep();
        self.pipes.sweep();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goes_back_to_a_mark_until_used_bytes_are_thrown_away() {
        let store = Store::default();
        let mut buffer = Buffer::default();
        buffer.room(&store, false).extend_from_slice(b"head body");
        buffer.consume(5);
        let mark = buffer.mark();
        buffer.consume(4);
        assert!(buffer.is_empty());
        assert!(buffer.rewind(mark));
        assert_eq!(buffer.unread(), b"body");
        buffer.consume(4);
        buffer.room(&store, false).extend_from_slice(b" goes on");
        assert!(buffer.rewind(mark));
        assert_eq!(buffer.unread(), b"body goes on");
        buffer.room(&store, false).resize(limits::REPLAY_BYTES, b'x');
        buffer.consume(buffer.unread().len());
        buffer.room(&store, false).extend_from_slice(b"next");
        assert!(!buffer.rewind(mark));
        assert_eq!(buffer.unread(), b"next");
    }

    #[test]
    fn what_drips_in_is_kept_in_little_memory() {
        let store = Store::default();
        let mut buffer = Buffer::default();
        let mut moved = 0;
        for len in 1..=4 * limits::BUFFER_BYTES {
            let before = buffer.bytes.as_ptr();
            buffer.room(&store, false).push(b'x');
            buffer.shrink(&store);
            assert_eq!(buffer.unread().len(), len);
            let little = (4 * len).max(limits::LITTLE_BYTES);
            assert!(buffer.bytes.capacity() <= little || len > limits::LITTLE_BYTES_MAX, "{len}");
            if buffer.bytes.as_ptr() != before {
                moved += len;
            }
        }
        // Work in proportion to the bytes, and no reader of small pieces for what comes after.
        assert!(moved < 16 * limits::BUFFER_BYTES, "{moved}");
        assert!(buffer.bytes.iter().all(|byte| *byte == b'x'));
    }

    #[test]
    fn a_body_after_a_head_that_dripped_is_read_in_large_pieces() {
        let store = Store::default();
        let mut buffer = Buffer::default();
        buffer.room(&store, false).extend_from_slice(b"head");
        buffer.shrink(&store);
        assert_eq!(buffer.bytes.capacity(), limits::LITTLE_BYTES);
        buffer.consume(4);
        let mark = buffer.mark();
        let room = buffer.room(&store, false);
        assert_eq!(room.capacity(), limits::BUFFER_BYTES);
        room.extend_from_slice(b"body");
        buffer.consume(4);
        assert!(buffer.rewind(mark));
        assert_eq!(buffer.unread(), b"body");
    }

    #[test]
    fn an_empty_buffer_gives_its_memory_back() {
        let store = Store::default();
        let mut buffer = Buffer::default();
        buffer.room(&store, false).extend_from_slice(b"x");
        buffer.release(&store);
        assert_eq!(buffer.unread(), b"x");
        buffer.consume(1);
        buffer.release(&store);
        assert_eq!(buffer.bytes.capacity(), 0);
        assert_eq!(store.buffers.kept.borrow().len(), 1);
    }

    #[test]
    fn a_body_that_comes_fast_gets_a_large_buffer_and_a_slow_one_a_usual_one() {
        let store = Store::default();
        let mut buffer = Buffer::default();
        let fill = |buffer: &mut Buffer, bulk, bytes| {
            buffer.room(&store, bulk).resize(bytes, b'x');
            buffer.consume(bytes);
            buffer.bytes.capacity()
        };
        assert_eq!(fill(&mut buffer, false, limits::BUFFER_BYTES), limits::BUFFER_BYTES);
        assert_eq!(fill(&mut buffer, true, limits::LARGE_BYTES), limits::LARGE_BYTES);
        assert_eq!(store.large_out.used(), 1);
        assert_eq!(fill(&mut buffer, false, limits::BUFFER_BYTES), limits::BUFFER_BYTES);
        assert_eq!((store.large_out.used(), store.large.kept.borrow().len()), (0, 1));
    }

    #[test]
    fn spare_buffers_that_nobody_needs_are_given_back() {
        let store = Store::default();
        let fill = |count: usize| {
            let held: Vec<Vec<u8>> = (0..count).map(|_| store.buffer()).collect();
            held.into_iter().for_each(|buffer| store.keep_buffer(buffer));
        };
        let kept = || store.buffers.kept.borrow().len();
        fill(100);
        assert_eq!(kept(), 100);
        // A load that needs fifty keeps fifty.
        for _ in 0..3 {
            store.sweep();
            fill(50);
        }
        store.sweep();
        assert_eq!(kept(), 50);
        store.sweep();
        assert_eq!(kept(), limits::SPARE_KEPT);
    }

    #[test]
    fn large_buffers_have_a_bound_and_come_back_however_a_connection_ends() {
        let store = Store::default();
        let full = || {
            let mut buffer = Buffer::default();
            buffer.room(&store, false).resize(limits::BUFFER_BYTES, b'x');
            buffer.consume(limits::BUFFER_BYTES);
            buffer.room(&store, true);
            buffer
        };
        let held: Vec<Buffer> = (0..limits::LARGE_BUFFERS + 3).map(|_| full()).collect();
        assert_eq!(held.iter().filter(|buffer| buffer.large.is_some()).count(), limits::LARGE_BUFFERS);
        drop(held);
        assert_eq!(store.large_out.used(), 0);
        assert!(full().large.is_some());
    }
}
