//! Lists of patterns of which any may match (`-file`, `-filewatch`).

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::path::{Path, PathBuf};

use arc_swap::ArcSwap;

use super::{Groups, Inner, Kind, MatchError, Matcher, Pattern, Subject};
use crate::text::lines;
use crate::watched::Watched;

/// Patterns of which any may match. The content may be replaced while we run when it stands in a watched file; a
/// reader sees the old list or the new one, never a mixture.
#[derive(Debug)]
pub struct List {
    content: ArcSwap<Content>,
    file: Option<PathBuf>,
    subject: Subject,
    kind: Kind,
    ignore_case: bool,
}

/// The exact texts of a list are looked up, not walked through: a block list has tens of thousands of them.
#[derive(Debug)]
struct Content {
    exact: HashSet<Box<[u8]>>,
    /// In lower case.
    exact_ignore_case: HashSet<Box<[u8]>>,
    others: Vec<Pattern>,
}

impl List {
    /// A list that begins with `patterns`. With a `file` it can be replaced by that file's text, read line by line as
    /// patterns of this `kind` for this `subject`.
    pub fn new(
        patterns: Vec<Pattern>,
        file: Option<PathBuf>,
        subject: Subject,
        kind: Kind,
        ignore_case: bool,
    ) -> List {
        List { content: ArcSwap::from_pointee(Content::new(patterns)), file, subject, kind, ignore_case }
    }

    /// Reads a list file: one pattern a line, `#` begins a comment, blank lines are skipped.
    ///
    /// # Errors
    /// Line number (from 1) and sentence of every line that is no pattern, or one that nothing matches: a list of what is
    /// denied would let pass what such a line is meant for.
    pub fn patterns(
        text: &str,
        subject: Subject,
        kind: Kind,
        ignore_case: bool,
    ) -> Result<Vec<Pattern>, Vec<(usize, String)>> {
        lines(text, |line| match subject.doubt(line, kind, ignore_case) {
            None => Pattern::new(line, kind, ignore_case).map_err(|error| error.message),
            Some(doubt) => Err(format!("no request matches this: {}", doubt.reason)),
        })
    }

    /// How many patterns there are now.
    pub fn len(&self) -> usize {
        let content = self.content.load();
        content.exact.len() + content.exact_ignore_case.len() + content.others.len()
    }

    /// Whether there is none now: nothing matches then.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether a pattern that is now in it, or may come into it, can be one that gives up.
    pub(super) fn may_give_up(&self) -> bool {
        match self.file {
            Some(_) => matches!(self.kind, Kind::Posix | Kind::Perl),
            None => self.content.load().others.iter().any(Pattern::may_give_up),
        }
    }

    pub(super) fn is_match(&self, subject: &[u8]) -> Result<bool, MatchError> {
        let content = self.content.load();
        if content.has_exact(subject) {
            return Ok(true);
        }
        for pattern in &content.others {
            if pattern.is_match(subject)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub(super) fn find(&self, subject: &[u8], groups: &mut Groups) -> Result<bool, MatchError> {
        let content = self.content.load();
        if content.has_exact(subject) {
            return Ok(groups.whole(Some(0..subject.len())));
        }
        for pattern in &content.others {
            if pattern.find(subject, groups)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl Content {
    fn new(patterns: Vec<Pattern>) -> Content {
        let mut content =
            Content { exact: HashSet::new(), exact_ignore_case: HashSet::new(), others: Vec::new() };
        for pattern in patterns {
            match pattern.exact() {
                Some((text, true)) => {
                    content.exact_ignore_case.insert(text.to_ascii_lowercase().into());
                }
                Some((text, false)) => {
                    content.exact.insert(text.into());
                }
                None => content.others.push(pattern),
            }
        }
        content
    }

    fn has_exact(&self, subject: &[u8]) -> bool {
        if !self.exact.is_empty() && self.exact.contains(subject) {
            return true;
        }
        if self.exact_ignore_case.is_empty() {
            return false;
        }
        let lower: Cow<'_, [u8]> = if subject.iter().any(u8::is_ascii_uppercase) {
            subject.to_ascii_lowercase().into()
        } else {
            subject.into()
        };
        self.exact_ignore_case.contains(&*lower)
    }
}

impl Pattern {
    fn exact(&self) -> Option<(&[u8], bool)> {
        match &self.0 {
            Inner::One(compiled) => match &compiled.matcher {
                Matcher::Text(text) => text.exact(),
                _ => None,
            },
            Inner::List(_) => None,
        }
    }
}

impl Watched for List {
    fn path(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    fn replace(&self, text: &str) -> Result<(), Vec<(usize, String)>> {
        let patterns = List::patterns(text, self.subject, self.kind, self.ignore_case)?;
        self.content.store(std::sync::Arc::new(Content::new(patterns)));
        Ok(())
    }
}

impl fmt::Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.file {
            Some(file) => write!(f, "-filewatch {:?} ({} patterns)", file.display().to_string(), self.len()),
            None => write!(f, "-file ({} patterns)", self.len()),
        }
    }
}
