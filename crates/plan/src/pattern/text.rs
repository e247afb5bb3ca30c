//! Patterns without an operator: compared byte by byte, nothing to compile.

use std::ops::Range;

use memchr::memmem::Finder;

use super::{Kind, Need, Place};

/// A text and where in the subject it must stand.
#[derive(Debug)]
pub(super) enum Text {
    Exact(Box<[u8]>),
    ExactIgnoreCase(Box<[u8]>),
    Prefix(Box<[u8]>),
    PrefixIgnoreCase(Box<[u8]>),
    Suffix(Box<[u8]>),
    SuffixIgnoreCase(Box<[u8]>),
    // Boxed: ten times the size of the others.
    Contains(Box<Finder<'static>>),
}

impl Text {
    /// `None` for a text anywhere in any case.
    pub(super) fn new(kind: Kind, ignore_case: bool, text: Vec<u8>) -> Option<Text> {
        // A text without letters has no case.
        let ignore_case = ignore_case && text.iter().any(u8::is_ascii_alphabetic);
        match (kind, ignore_case) {
            (Kind::Exact, false) => Some(Text::Exact(text.into())),
            (Kind::Exact, true) => Some(Text::ExactIgnoreCase(text.into())),
            (Kind::Prefix, false) => Some(Text::Prefix(text.into())),
            (Kind::Prefix, true) => Some(Text::PrefixIgnoreCase(text.into())),
            (Kind::Suffix, false) => Some(Text::Suffix(text.into())),
            (Kind::Suffix, true) => Some(Text::SuffixIgnoreCase(text.into())),
            (Kind::Contains, false) => Some(Text::Contains(Box::new(Finder::new(&text).into_owned()))),
            (Kind::Contains, true) | (Kind::Posix | Kind::Perl, _) => None,
        }
    }

    pub(super) fn find(&self, subject: &[u8]) -> Option<Range<usize>> {
        let end = subject.len();
        match self {
            Text::Exact(text) => (subject == &**text).then_some(0..end),
            Text::ExactIgnoreCase(text) => subject.eq_ignore_ascii_case(text).then_some(0..end),
            Text::Prefix(text) => subject.starts_with(text).then_some(0..text.len()),
            Text::PrefixIgnoreCase(text) => {
                let start = subject.get(..text.len())?;
                start.eq_ignore_ascii_case(text).then_some(0..text.len())
            }
            Text::Suffix(text) => subject.ends_with(text).then(|| end - text.len()..end),
            Text::SuffixIgnoreCase(text) => {
                let at = end.checked_sub(text.len())?;
                subject[at..].eq_ignore_ascii_case(text).then_some(at..end)
            }
            Text::Contains(finder) => finder.find(subject).map(|at| at..at + finder.needle().len()),
        }
    }

    /// The text of an exact comparison and whether case counts: those can stand in a hash table.
    pub(super) fn exact(&self) -> Option<(&[u8], bool)> {
        match self {
            Text::Exact(text) => Some((text, false)),
            Text::ExactIgnoreCase(text) => Some((text, true)),
            _ => None,
        }
    }

    /// `None` if every subject matches.
    pub(super) fn need(&self) -> Option<Need> {
        let need = match self {
            Text::Exact(text) | Text::ExactIgnoreCase(text) => return Some(Need::new(Place::Whole, text)),
            Text::Prefix(text) | Text::PrefixIgnoreCase(text) => Need::new(Place::Start, text),
            Text::Suffix(text) | Text::SuffixIgnoreCase(text) => Need::new(Place::End, text),
            Text::Contains(finder) => Need::new(Place::Anywhere, finder.needle()),
        };
        (!need.text.is_empty()).then_some(need)
    }

    pub(super) fn matches_all(&self) -> bool {
        match self {
            Text::Exact(_) | Text::ExactIgnoreCase(_) => false,
            Text::Prefix(text) | Text::PrefixIgnoreCase(text) => text.is_empty(),
            Text::Suffix(text) | Text::SuffixIgnoreCase(text) => text.is_empty(),
            Text::Contains(finder) => finder.needle().is_empty(),
        }
    }
}
