//! The hot loops of the head parser: free functions over slices.

use crate::token::class;

const ONES: u64 = 0x0101_0101_0101_0101;
const LOW: u64 = 0x7f * ONES;
const HIGH: u64 = 0x80 * ONES;

/// The high bit of each byte that is a control byte other than HTAB, DEL included.
///
/// Exact for every byte: no sum carries into its neighbour, since all are taken on seven bits.
#[inline]
const fn controls(word: u64) -> u64 {
    let at_least_space = (word & LOW) + 0x60 * ONES;
    let below_space = !(at_least_space | word);
    let tab = word ^ (b'\t' as u64 * ONES);
    let not_tab = ((tab & LOW) + LOW) | tab;
    let delete = word ^ (0x7f * ONES);
    let not_delete = ((delete & LOW) + LOW) | delete;
    ((below_space & not_tab) | !not_delete) & HIGH
}

/// Position of the first control byte (HTAB excepted) at or after `from`, or the length.
///
/// CR and LF are control bytes, so this one search both ends lines and finds what may not be inside them.
#[inline]
#[must_use]
pub fn control(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    // Eight bytes a step. Field lines are short, and all but the last are followed by more head, so the byte-wise
    // tail below runs at most once a head.
    while let Some(word) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let found = controls(u64::from_le_bytes(*word));
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    while let Some(&byte) = bytes.get(at) {
        if !class::is(byte, class::VALUE) {
            return at;
        }
        at += 1;
    }
    at
}

/// Length of the run of `tchar` at the start.
#[inline]
#[must_use]
pub fn token_len(bytes: &[u8]) -> usize {
    bytes.iter().position(|&byte| !class::is(byte, class::TCHAR)).unwrap_or(bytes.len())
}

/// Whether no byte is a space or a control byte: all are visible ASCII (0x21 to 0x7e) or 8-bit.
#[inline]
#[must_use]
pub fn all_visible(bytes: &[u8]) -> bool {
    bytes.iter().all(|&byte| class::is(byte, class::VISIBLE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_test_is_exact_for_every_byte_and_place() {
        for byte in 0..=255u8 {
            let bad = !class::is(byte, class::VALUE);
            for place in 0..8 {
                for neighbour in [b'a', 0xff, 0x80, b'\t', b' '] {
                    let mut word = [neighbour; 8];
                    word[place] = byte;
                    let found = controls(u64::from_le_bytes(word));
                    let expect = if bad { 0x80u64 << (8 * place) } else { 0 };
                    assert_eq!(found, expect, "{byte:#x} at {place} among {neighbour:#x}");
                }
            }
        }
    }

    #[test]
    fn finds_the_first_control_from_any_start() {
        for len in 0..40 {
            for place in 0..=len {
                let mut bytes = vec![b'x'; len];
                if place < len {
                    bytes[place] = b'\r';
                }
                for from in 0..=place {
                    assert_eq!(control(&bytes, from), place, "{len} {place} {from}");
                }
            }
        }
        assert_eq!(control(b"ab", 7), 7);
    }
}
