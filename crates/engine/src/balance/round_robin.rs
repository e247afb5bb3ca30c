//! `Balancer iwrr`: interleaved weighted round robin, exact shares without bursts.
//!
//! A cycle has as many rounds as the highest priority. In round `r` each member whose priority is at least `r` is
//! taken once, in file order. Over a cycle a member of priority `p` is thus taken exactly `p` times, and heavy members
//! come spread out instead of `p` times in a row.
//!
//! The position is shared by all workers, behind a lock that is held for one walk over the members: shares are only
//! exact if all requests are counted in one sequence. A position for each worker would need no lock, but every worker
//! would begin with the same member, and after a start with many workers the first one would get a burst.

use std::sync::{Mutex, PoisonError};

use crate::balance::Member;

/// Where a group stands in its cycle.
#[derive(Debug, Default)]
pub(crate) struct RoundRobin {
    position: Mutex<Position>,
}

#[derive(Debug)]
struct Position {
    /// From 1 to the highest priority.
    round: u64,
    /// The member that is looked at next.
    next: usize,
}

impl Default for Position {
    fn default() -> Self {
        Position { round: 1, next: 0 }
    }
}

impl RoundRobin {
    /// Takes the next of the members that `may` be taken; `None` if there is none.
    pub(crate) fn take(&self, members: &[Member], may: impl Fn(&Member) -> bool) -> Option<usize> {
        // Asked once, so that a member that dies meanwhile cannot make the second walk come back empty.
        let open: smallvec::SmallVec<[bool; 16]> = members.iter().map(may).collect();
        let top =
            members.iter().zip(&open).filter(|(_, open)| **open).map(|(member, _)| member.weight()).max()?;
        // The position is two numbers, whole in any case: a panic elsewhere cannot have left them half-written.
        let mut position = self.position.lock().unwrap_or_else(PoisonError::into_inner);
        // The first walk ends the round that was begun. If nobody is left in it, the next one has somebody, since
        // it is not above the highest priority.
        for _ in 0..2 {
            if position.round > top {
                *position = Position::default();
            }
            let round = position.round;
            let found = (position.next..members.len()).find(|&at| open[at] && members[at].weight() >= round);
            if let Some(index) = found {
                position.next = index + 1;
                return Some(index);
            }
            *position = Position { round: round + 1, next: 0 };
        }
        // Only a priority of 0 can bring us here, which the plan does not have.
        open.iter().position(|open| *open)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::balance::tests::members;

    fn sequence(weights: &[u16], takes: usize) -> Vec<usize> {
        let members = members(weights);
        let robin = RoundRobin::default();
        (0..takes).map(|_| robin.take(&members, |_| true).unwrap()).collect()
    }

    #[test]
    fn heavy_members_come_interleaved() {
        assert_eq!(sequence(&[3, 1, 2], 6), [0, 1, 2, 0, 2, 0]);
        assert_eq!(sequence(&[3, 1, 2], 12)[6..], [0, 1, 2, 0, 2, 0]);
    }

    #[test]
    fn shares_are_exact_over_each_cycle() {
        let weights = [5, 5, 1, 65_535];
        let cycle: usize = weights.iter().map(|&weight| usize::from(weight)).sum();
        let taken = sequence(&weights, 2 * cycle);
        for half in taken.chunks(cycle) {
            for (index, &weight) in weights.iter().enumerate() {
                assert_eq!(half.iter().filter(|&&at| at == index).count(), usize::from(weight));
            }
        }
    }

    #[test]
    fn the_others_share_what_a_dead_member_leaves() {
        let members = members(&[4, 1, 2]);
        let robin = RoundRobin::default();
        let taken: Vec<_> =
            (0..6).map(|_| robin.take(&members, |member| member.id() != 0).unwrap()).collect();
        assert_eq!(taken, [1, 2, 2, 1, 2, 2]);
        assert_eq!(robin.take(&members, |_| false), None);
    }

    #[test]
    fn a_round_that_no_living_member_reaches_is_skipped() {
        let members = members(&[9, 1]);
        let robin = RoundRobin::default();
        for _ in 0..8 {
            robin.take(&members, |_| true);
        }
        assert_eq!(robin.take(&members, |member| member.id() == 1), Some(1));
    }
}
