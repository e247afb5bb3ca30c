//! Expressions of characters, dots and `.*` only: `Host:.*www.example.org.*`.
//!
//! Most expressions of real configurations are of this kind. Compared directly they cost nothing to compile and no
//! memory for an automaton; the time is that of a text search for each piece between two `.*`.

use std::ops::Range;

use super::need::{self, Need};

/// One character of such an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token {
    /// This byte.
    Byte(u8),
    /// `.`: any byte.
    Any,
    /// `.*`: any bytes.
    Gap,
}

/// Pieces with anything between them.
#[derive(Debug)]
pub(super) struct Wild {
    /// Never empty.
    pieces: Box<[Piece]>,
    anchored_start: bool,
    anchored_end: bool,
    ignore_case: bool,
}

/// Bytes side by side; `None` is any byte. In lower case where case does not count.
type Piece = Box<[Option<u8>]>;

impl Wild {
    pub(super) fn new(tokens: &[Token], anchored_start: bool, anchored_end: bool, ignore_case: bool) -> Wild {
        let piece = |tokens: &[Token]| -> Piece {
            let byte = |token: &Token| match token {
                Token::Byte(byte) if ignore_case => Some(byte.to_ascii_lowercase()),
                Token::Byte(byte) => Some(*byte),
                Token::Any | Token::Gap => None,
            };
            tokens.iter().map(byte).collect()
        };
        let pieces = tokens.split(|token| *token == Token::Gap).map(piece).collect();
        Wild { pieces, anchored_start, anchored_end, ignore_case }
    }

    /// The match that begins first, and of those the longest.
    pub(super) fn find(&self, subject: &[u8]) -> Option<Range<usize>> {
        let [first, others @ ..] = &*self.pieces else { return None };
        let Some((last, middle)) = others.split_last() else {
            let start = match (self.anchored_start, self.anchored_end) {
                (false, false) => self.first(first, subject, 0)?,
                (_, true) => self.at_end(first, subject, 0)?,
                (true, false) => self.is_at(first, subject, 0).then_some(0)?,
            };
            let whole = !(self.anchored_start && self.anchored_end) || start == 0;
            return whole.then(|| start..start + first.len());
        };
        let start = match self.anchored_start {
            true => self.is_at(first, subject, 0).then_some(0)?,
            false => self.first(first, subject, 0)?,
        };
        // The earliest place of each piece leaves the most room for those behind it.
        let mut from = start + first.len();
        for piece in middle {
            from = self.first(piece, subject, from)? + piece.len();
        }
        let at = match self.anchored_end {
            true => self.at_end(last, subject, from)?,
            false => (from..=subject.len().checked_sub(last.len())?)
                .rev()
                .find(|at| self.is_at(last, subject, *at))?,
        };
        Some(start..at + last.len())
    }

    pub(super) fn is_match(&self, subject: &[u8]) -> bool {
        self.find(subject).is_some()
    }

    pub(super) fn needs(&self) -> Vec<Vec<Need>> {
        need::of_pieces(&self.pieces, self.anchored_start, self.anchored_end)
    }

    pub(super) fn matches_all(&self) -> bool {
        let empty = self.pieces.iter().all(|piece| piece.is_empty());
        // With a gap it stretches between the anchors.
        empty && (self.pieces.len() > 1 || !(self.anchored_start && self.anchored_end))
    }

    fn is_at(&self, piece: &Piece, subject: &[u8], at: usize) -> bool {
        let Some(bytes) = subject.get(at..at + piece.len()) else { return false };
        let equal = |(wanted, byte): (&Option<u8>, &u8)| match wanted {
            None => true,
            Some(wanted) if self.ignore_case => *wanted == byte.to_ascii_lowercase(),
            Some(wanted) => wanted == byte,
        };
        piece.iter().zip(bytes).all(equal)
    }

    fn at_end(&self, piece: &Piece, subject: &[u8], from: usize) -> Option<usize> {
        let at = subject.len().checked_sub(piece.len()).filter(|at| *at >= from)?;
        self.is_at(piece, subject, at).then_some(at)
    }

    /// The first place from `from` on.
    fn first(&self, piece: &Piece, subject: &[u8], from: usize) -> Option<usize> {
        let last = subject.len().checked_sub(piece.len())?;
        let Some(Some(lead)) = piece.first() else {
            return (from..=last).find(|at| self.is_at(piece, subject, *at));
        };
        let mut at = from;
        while at <= last {
            let rest = &subject[at..];
            at += match self.ignore_case {
                true => memchr::memchr2(*lead, lead.to_ascii_uppercase(), rest)?,
                false => memchr::memchr(*lead, rest)?,
            };
            if self.is_at(piece, subject, at) {
                return Some(at);
            }
            at += 1;
        }
        None
    }
}
