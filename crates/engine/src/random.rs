//! Random numbers for choosing, not for secrets.
//!
//! Balancing needs one number per request and nobody gains by guessing it, so a few instructions must do. The seed
//! comes from the system, so that workers and restarts do not walk in step.

use std::hash::{BuildHasher, RandomState};

/// A generator of its own for each worker: SplitMix64, which passes the usual batteries and cannot get stuck.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    /// Seeded from the operating system.
    pub(crate) fn new() -> Random {
        // RandomState is the standard library's only door to the system's entropy; each one has other keys.
        Random(RandomState::new().hash_one(0u64))
    }

    /// A sequence that is the same in each run; for tests.
    #[cfg(test)]
    pub(crate) fn seeded(seed: u64) -> Random {
        Random(seed)
    }

    /// The next number, all 64 bits alike.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }
}

/// A number from zero to `bound - 1`; zero when `bound` is zero.
///
/// Multiplying and keeping the upper half favours no number by more than `bound / 2^64`, and needs no division.
pub(crate) fn below(bits: u64, bound: u64) -> u64 {
    // The upper half of a product of two 64-bit numbers fits in 64 bits.
    ((u128::from(bits) * u128::from(bound)) >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_generators_differ() {
        assert_ne!(Random::new().next(), Random::new().next());
    }

    #[test]
    fn numbers_stay_below_their_bound_and_reach_all_of_it() {
        let mut random = Random::seeded(7);
        let mut seen = [0u32; 5];
        for _ in 0..10_000 {
            seen[usize::try_from(below(random.next(), 5)).unwrap()] += 1;
        }
        // Five standard deviations (40 each) around 2000.
        assert!(seen.iter().all(|&count| (1800..2200).contains(&count)), "{seen:?}");
        assert_eq!(below(u64::MAX, 5), 4);
        assert_eq!(below(u64::MAX, 0), 0);
    }
}
