//! Read buffers, and the store that a worker keeps them in.
//!
//! A connection holds a buffer only while bytes are in it or expected within a request: one that idles has none, so
//! an idle client costs no buffer memory.

use std::cell::RefCell;

use wire::Slots;

use crate::limits;

/// Bytes that were read and not yet used. Empty of memory until the first read.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    start: usize,
    /// Counts each time bytes that had been used were thrown away: what was used since a mark can be had again only if
    /// this is the same (see `Mark`).
    generation: u32,
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

    /// The vector to read into, with room for at least one byte and for as many as one read should take. Unread bytes
    /// stay at its front.
    pub(crate) fn room(&mut self, store: &Store) -> &mut Vec<u8> {
        if self.bytes.capacity() == 0 {
            self.bytes = store.buffer();
            self.start = 0;
            self.generation = self.generation.wrapping_add(1);
        } else if self.is_empty() && self.start >= limits::REPLAY_BYTES {
            // Until then what was used stays: a short body that came apart from its head can still be sent again.
            self.bytes.clear();
            self.start = 0;
            self.generation = self.generation.wrapping_add(1);
        } else if self.bytes.len() == self.bytes.capacity() {
            if self.start > 0 {
                self.bytes.drain(..self.start);
                self.start = 0;
                self.generation = self.generation.wrapping_add(1);
            } else {
                // Full of unread bytes: a head longer than a buffer. Its limit is the codec's, which refuses it in time.
                self.bytes.reserve(limits::BUFFER_BYTES);
            }
        }
        &mut self.bytes
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

    /// Gives the memory back if nothing unread is in it.
    pub(crate) fn release(&mut self, store: &Store) {
        if self.is_empty() && self.bytes.capacity() > 0 {
            self.start = 0;
            self.generation = self.generation.wrapping_add(1);
            store.keep_buffer(std::mem::take(&mut self.bytes));
        }
    }
}

/// The memory of a head: its bytes and its field list.
pub(crate) type HeadSpace = (Vec<u8>, Slots);

/// A worker's spare buffers and heads.
#[derive(Default)]
pub(crate) struct Store {
    buffers: RefCell<Vec<Vec<u8>>>,
    heads: RefCell<Vec<HeadSpace>>,
}

impl Store {
    fn buffer(&self) -> Vec<u8> {
        self.buffers.borrow_mut().pop().unwrap_or_else(|| Vec::with_capacity(limits::BUFFER_BYTES))
    }

    fn keep_buffer(&self, mut buffer: Vec<u8>) {
        let mut buffers = self.buffers.borrow_mut();
        if buffers.len() < limits::BUFFERS_KEPT && buffer.capacity() == limits::BUFFER_BYTES {
            buffer.clear();
            buffers.push(buffer);
        }
    }

    /// Room for a head, with whatever memory an earlier one has left behind.
    pub(crate) fn head(&self) -> HeadSpace {
        self.heads.borrow_mut().pop().unwrap_or_default()
    }

    /// Keeps the memory of a head for a later one.
    pub(crate) fn keep_head(&self, mut space: HeadSpace) {
        let mut heads = self.heads.borrow_mut();
        if heads.len() < limits::HEADS_KEPT && space.0.capacity() <= limits::HEAD_KEPT_BYTES {
            space.0.clear();
            heads.push(space);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goes_back_to_a_mark_until_used_bytes_are_thrown_away() {
        let store = Store::default();
        let mut buffer = Buffer::default();
        buffer.room(&store).extend_from_slice(b"head body");
        buffer.consume(5);
        let mark = buffer.mark();
        buffer.consume(4);
        assert!(buffer.is_empty());
        assert!(buffer.rewind(mark));
        assert_eq!(buffer.unread(), b"body");
        buffer.consume(4);
        buffer.room(&store).extend_from_slice(b" goes on");
        assert!(buffer.rewind(mark));
        assert_eq!(buffer.unread(), b"body goes on");
        buffer.room(&store).resize(limits::REPLAY_BYTES, b'x');
        buffer.consume(buffer.unread().len());
        buffer.room(&store).extend_from_slice(b"next");
        assert!(!buffer.rewind(mark));
        assert_eq!(buffer.unread(), b"next");
    }

    #[test]
    fn an_empty_buffer_gives_its_memory_back() {
        let store = Store::default();
        let mut buffer = Buffer::default();
        buffer.room(&store).extend_from_slice(b"x");
        buffer.release(&store);
        assert_eq!(buffer.unread(), b"x");
        buffer.consume(1);
        buffer.release(&store);
        assert_eq!(buffer.bytes.capacity(), 0);
        assert_eq!(store.buffers.borrow().len(), 1);
    }
}
