//! `Balancer random`: each living member is drawn as often as its priority says, in the long run.
//!
//! No state at all, so workers share nothing; the price is that shares are only met on average.

use crate::balance::Member;
use crate::random::below;

/// Draws one of the members that `may` be taken; `None` if there is none. `bits` is a random number.
pub(crate) fn draw(members: &[Member], may: impl Fn(&Member) -> bool, bits: u64) -> Option<usize> {
    let total: u64 = members.iter().filter(|member| may(member)).map(Member::weight).sum();
    let mut ticket = below(bits, total);
    let mut last = None;
    for (index, member) in members.iter().enumerate().filter(|(_, member)| may(member)) {
        if ticket < member.weight() {
            return Some(index);
        }
        ticket -= member.weight();
        last = Some(index);
    }
    // Reached only when a member died between the two looks: the ticket was one of its own.
    last
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::balance::tests::members;
    use crate::random::Random;

    #[test]
    fn shares_follow_the_priorities() {
        let members = members(&[1, 2, 7]);
        let mut random = Random::seeded(1);
        let mut seen = [0u32; 3];
        for _ in 0..10_000 {
            seen[draw(&members, |_| true, random.next()).unwrap()] += 1;
        }
        for (count, share) in seen.iter().zip([1000, 2000, 7000]) {
            assert!(count.abs_diff(share) < 250, "{seen:?}");
        }
    }

    #[test]
    fn members_that_may_not_be_taken_leave_the_sum() {
        let members = members(&[1, 60_000, 1]);
        for bits in [0, 1 << 62, u64::MAX] {
            assert_ne!(draw(&members, |member| member.weight() == 1, bits), Some(1));
        }
        assert_eq!(draw(&members, |_| false, 5), None);
        assert_eq!(draw(&[], |_| true, 5), None);
    }

    #[test]
    fn a_member_that_dies_while_we_draw_is_not_taken() {
        let members = members(&[5, 5]);
        let looks = Cell::new(0);
        // Alive while the sum is made, dead after; the highest ticket was the dead one's.
        let may = |member: &Member| {
            looks.set(looks.get() + 1);
            member.id() == 0 || looks.get() <= 2
        };
        assert_eq!(draw(&members, may, u64::MAX), Some(0));
    }
}
