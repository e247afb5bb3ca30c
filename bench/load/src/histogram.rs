//! Latencies counted in buckets: 64 to each power of two, so a percentile is off by at most 1.6 %.

/// Buckets per power of two.
const FINE: u64 = 64;

/// Powers of two covered: 2^36 us is far beyond any run.
const POWERS: usize = 36;

/// How often each latency occurred.
pub(crate) struct Histogram {
    counts: Vec<u64>,
    total: u64,
}

impl Histogram {
    pub(crate) fn new() -> Self {
        Histogram { counts: vec![0; POWERS * FINE as usize], total: 0 }
    }

    /// Counts one latency, in nanoseconds.
    pub(crate) fn add(&mut self, latency_ns: u64) {
        let bucket = Self::bucket(latency_ns).min(self.counts.len() - 1);
        self.counts[bucket] += 1;
        self.total += 1;
    }

    /// The latency in microseconds that the share `of` (0 to 1) of all requests did not exceed.
    pub(crate) fn percentile_us(&self, of: f64) -> f64 {
        let wanted = ((self.total as f64 * of).ceil() as u64).max(1);
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return Self::upper_ns(bucket) as f64 / 1000.0;
            }
        }
        0.0
    }

    fn bucket(value: u64) -> usize {
        if value < FINE {
            return value as usize;
        }
        // The leading bit chooses the power, the six bits after it the bucket in it.
        let power = u64::from(value.ilog2()) - u64::from(FINE.ilog2());
        ((power + 1) * FINE + ((value >> power) - FINE)) as usize
    }

    fn upper_ns(bucket: usize) -> u64 {
        let bucket = bucket as u64;
        if bucket < FINE {
            return bucket;
        }
        let power = bucket / FINE - 1;
        ((bucket % FINE + FINE + 1) << power) - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_close_to_the_values_counted() {
        let mut histogram = Histogram::new();
        for value in 1..=100_000u64 {
            histogram.add(value * 1000);
        }
        for (share, expected) in [(0.5, 50_000.0), (0.99, 99_000.0), (0.999, 99_900.0)] {
            let got = histogram.percentile_us(share);
            assert!((got / expected - 1.0).abs() < 0.016, "{share}: {got} instead of {expected}");
        }
    }

    #[test]
    fn every_value_lies_below_the_upper_end_of_its_bucket() {
        for value in [0, 1, 63, 64, 65, 127, 128, 1000, 123_456, 10_000_000_000] {
            let upper = Histogram::upper_ns(Histogram::bucket(value));
            assert!(upper >= value && upper as f64 <= value as f64 * 1.017 + 1.0, "{value} in {upper}");
        }
    }
}
