//! The services that a request may mean, in the order of the file.

use smallvec::SmallVec;

/// Most lists of services that are walked side by side. A request that meets more texts than this walks through all
/// services instead, which costs no more than if there were no index.
const LISTS_MAX: usize = 32;

/// Lists of services that were found by texts in a request. It yields positions in the listener's list of services,
/// ascending and each once.
#[derive(Debug, Default)]
pub(super) struct Found<'i> {
    /// Each in ascending order.
    lists: SmallVec<[&'i [u32]; LISTS_MAX]>,
    overflown: bool,
}

impl<'i> Found<'i> {
    pub(super) fn add(&mut self, services: &'i [u32]) {
        // The same text may be met twice: in a host without and with its port, and anywhere at any place.
        if services.is_empty() || self.lists.iter().any(|known| std::ptr::eq(*known, services)) {
            return;
        }
        match self.lists.len() < LISTS_MAX {
            true => self.lists.push(services),
            false => self.overflown = true,
        }
    }

    /// Whether there is more than what it yields.
    pub(super) fn is_overflown(&self) -> bool {
        self.overflown
    }
}

impl Iterator for Found<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let next = *self.lists.iter().filter_map(|list| list.first()).min()?;
        for list in &mut self.lists {
            if let [first, rest @ ..] = list
                && *first == next
            {
                *list = rest;
            }
        }
        Some(next as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_walked_in_order_and_once() {
        let lists: [&[u32]; 4] = [&[3, 5, 9], &[0, 5], &[], &[4, 5, 6]];
        let mut found = Found::default();
        lists.iter().chain(&lists[..2]).for_each(|list| found.add(list));
        assert_eq!(found.lists.len(), 3);
        assert_eq!(found.collect::<Vec<_>>(), [0, 3, 4, 5, 6, 9]);
    }

    #[test]
    fn too_many_lists_are_told() {
        let lists: Vec<[u32; 1]> = (0..=LISTS_MAX as u32).map(|number| [number]).collect();
        let mut found = Found::default();
        lists[..LISTS_MAX].iter().for_each(|list| found.add(list));
        assert!(!found.is_overflown());
        found.add(&lists[LISTS_MAX - 1]);
        assert!(!found.is_overflown());
        found.add(&lists[LISTS_MAX]);
        assert!(found.is_overflown());
    }
}
