//! A bound on things of a worker that are in use at the same time.

use std::cell::Cell;
use std::rc::Rc;

/// How many may be in use, and how many are.
#[derive(Debug)]
pub(crate) struct Quota {
    most: usize,
    used: Rc<Cell<usize>>,
}

/// The right to one of them, given back when dropped: a connection may end without a word to whoever lent it.
#[derive(Debug)]
pub(crate) struct Share(Rc<Cell<usize>>);

impl Quota {
    /// A quota of which nothing is in use.
    pub(crate) fn new(most: usize) -> Quota {
        Quota { most, used: Rc::default() }
    }

    /// The right to one more; `None` if that would be too many.
    pub(crate) fn take(&self) -> Option<Share> {
        let used = self.used.get();
        (used < self.most).then(|| {
            self.used.set(used + 1);
            Share(self.used.clone())
        })
    }

    /// How many are in use.
    #[cfg(test)]
    pub(crate) fn used(&self) -> usize {
        self.used.get()
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}
