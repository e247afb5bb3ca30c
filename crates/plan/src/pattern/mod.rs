//! Patterns: what a part of a request is compared with.
//!
//! A regular expression is POSIX extended by default (`ere` turns it into the syntax of the `regex-automata` crate,
//! which runs in linear time whatever the peer sends), or Perl's (`perl`). Only a pattern that needs look-around or
//! back-references goes to a backtracking engine, with a limit on its steps. Subjects are bytes: nothing here knows
//! Unicode, and letters are those of ASCII, as in the C locale in which Pound has always matched.

mod ere;
mod linear;
mod list;
mod need;
mod perl;
mod steps;
mod subject;
#[cfg(test)]
mod tests;
mod text;
mod wild;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

pub use list::List;
pub use need::{Need, Place};
pub use subject::{Doubt, Subject};

use linear::Linear;
use steps::Steps;
use text::Text;
use wild::{Token, Wild};

/// Most bytes that a pattern may have: a list belongs into a file (`-file`).
pub const PATTERN_BYTES_MAX: usize = 64 * 1024;
/// Most bytes of a compiled expression: bounds what nested intervals such as `(a{99}){99}` may cost.
pub const COMPILED_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Levels to which groups may nest.
pub const NESTING_MAX: u32 = 100;
/// Instructions of a pattern for the backtracking engine. A pattern that calls itself (`\g<0>`) is unrolled, which could
/// go on for ever.
pub const PROGRAM_MAX: usize = 10_000;
/// Steps that the backtracking engine may take for one match: some milliseconds of one worker.
pub const BACKTRACK_MAX: usize = 100_000;

/// How a pattern is compared (`-re -exact -beg -end -contain`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A POSIX extended regular expression, found anywhere (`-re`, `-posix`).
    Posix,
    /// A Perl-compatible regular expression, found anywhere (`-pcre`, `-perl`).
    Perl,
    /// The whole subject (`-exact`).
    Exact,
    /// Its beginning (`-beg`).
    Prefix,
    /// Its end (`-end`).
    Suffix,
    /// Anywhere in it (`-contain`).
    Contains,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Posix => "-re",
            Kind::Perl => "-perl",
            Kind::Exact => "-exact",
            Kind::Prefix => "-beg",
            Kind::Suffix => "-end",
            Kind::Contains => "-contain",
        })
    }
}

/// Something a subject can be compared with. A clone shares what was compiled.
#[derive(Debug, Clone)]
pub struct Pattern(Inner);

#[derive(Debug, Clone)]
enum Inner {
    One(Arc<Compiled>),
    List(Arc<List>),
}

#[derive(Debug)]
struct Compiled {
    source: Box<str>,
    kind: Kind,
    ignore_case: bool,
    matcher: Matcher,
}

#[derive(Debug)]
enum Matcher {
    Text(Text),
    Wild(Wild),
    Steps(Steps),
    Regex(Linear),
    Backtracking(fancy_regex::Regex),
}

/// Capture groups of the last match, as ranges into the subject; group 0 is the whole match.
#[derive(Debug, Default, Clone)]
pub struct Groups(pub Vec<Option<Range<usize>>>);

/// Why a pattern could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatternError {
    /// Byte offset of the fault in the text.
    pub at: usize,
    /// Length of the faulty part in bytes.
    pub len: usize,
    /// What is wrong and what was expected.
    pub message: String,
}

/// Why it is not known whether a pattern matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MatchError {
    /// The backtracking engine took [`BACKTRACK_MAX`] steps and knew no answer.
    GaveUp,
    /// The pattern could not be compiled when it was first asked.
    NotCompiled,
}

impl fmt::Display for MatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MatchError::GaveUp => write!(
                f,
                "a pattern with look-around or back-references gave no answer within {BACKTRACK_MAX} steps"
            ),
            MatchError::NotCompiled => f.write_str("a pattern could not be compiled"),
        }
    }
}

impl std::error::Error for MatchError {}

impl Pattern {
    /// Reads `text` as a pattern of this kind.
    ///
    /// # Errors
    /// Where the text is no pattern of the kind, or would need more than the limits of this module.
    pub fn new(text: &str, kind: Kind, ignore_case: bool) -> Result<Pattern, PatternError> {
        if text.len() > PATTERN_BYTES_MAX {
            return Err(PatternError {
                at: PATTERN_BYTES_MAX,
                len: text.len() - PATTERN_BYTES_MAX,
                message: format!(
                    "a pattern has at most {PATTERN_BYTES_MAX} bytes; put a long list into a file (-file)"
                ),
            });
        }
        let matcher = match kind {
            Kind::Posix => {
                let ere = ere::translate(text)?;
                match ere.without_regex(ignore_case) {
                    Some(matcher) => matcher,
                    None if ere.back_references => Matcher::Backtracking(
                        backtracking(&ere.regex, ignore_case).map_err(|_| too_big(text))?,
                    ),
                    None => linear::read(&ere.regex, ignore_case).map_err(|_| too_big(text))?,
                }
            }
            Kind::Perl => perl::compile(text, ignore_case)?,
            Kind::Exact | Kind::Prefix | Kind::Suffix | Kind::Contains => {
                plain(kind, ignore_case, text.as_bytes())
            }
        };
        Ok(Pattern(Inner::One(Arc::new(Compiled { source: text.into(), kind, ignore_case, matcher }))))
    }

    /// Matches whatever one of `patterns` matches (`-file`).
    pub fn list(patterns: Vec<Pattern>) -> Pattern {
        Pattern(Inner::List(Arc::new(List::new(patterns, None, Subject::Other, Kind::Posix, false))))
    }

    /// Whether it is a list of patterns, from a file.
    pub fn is_list(&self) -> bool {
        matches!(self.0, Inner::List(_))
    }

    /// Matches whatever one of the patterns now in `list` matches (`-filewatch`).
    pub fn watched(list: Arc<List>) -> Pattern {
        Pattern(Inner::List(list))
    }

    /// Whether the pattern is found in `subject`.
    ///
    /// # Errors
    /// See [`MatchError`].
    pub fn is_match(&self, subject: &[u8]) -> Result<bool, MatchError> {
        match &self.0 {
            Inner::List(list) => list.is_match(subject),
            Inner::One(compiled) => match &compiled.matcher {
                Matcher::Text(text) => Ok(text.find(subject).is_some()),
                Matcher::Wild(wild) => Ok(wild.is_match(subject)),
                Matcher::Steps(steps) => Ok(steps.is_match(subject)),
                Matcher::Regex(linear) => Ok(linear.regex()?.is_match(subject)),
                Matcher::Backtracking(regex) => regex.is_match(subject).map_err(|_| MatchError::GaveUp),
            },
        }
    }

    /// As [`Pattern::is_match`]; where it is found, `groups` tells what each pair of parentheses has matched.
    /// `groups` is left alone otherwise.
    ///
    /// # Errors
    /// As [`Pattern::is_match`].
    pub fn find(&self, subject: &[u8], groups: &mut Groups) -> Result<bool, MatchError> {
        let compiled = match &self.0 {
            Inner::List(list) => return list.find(subject, groups),
            Inner::One(compiled) => compiled,
        };
        match &compiled.matcher {
            Matcher::Text(text) => Ok(groups.whole(text.find(subject))),
            Matcher::Wild(wild) => Ok(groups.whole(wild.find(subject))),
            Matcher::Steps(steps) => Ok(steps.find(subject, groups)),
            // A search without groups is several times cheaper than one with them.
            Matcher::Regex(linear) if linear.groups == 1 => {
                Ok(groups.whole(linear.regex()?.find(subject).map(|found| found.range())))
            }
            Matcher::Regex(linear) => {
                let regex = linear.regex()?;
                let mut captures = regex.create_captures();
                regex.captures(subject, &mut captures);
                if captures.is_match() {
                    groups.0.clear();
                    groups.0.extend(captures.iter().map(|group| group.map(|found| found.range())));
                }
                Ok(captures.is_match())
            }
            Matcher::Backtracking(regex) => match regex.captures(subject).map_err(|_| MatchError::GaveUp)? {
                Some(captures) => {
                    groups.0.clear();
                    for index in 0..captures.len() {
                        groups.0.push(captures.get(index).map(|found| found.start()..found.end()));
                    }
                    Ok(true)
                }
                None => Ok(false),
            },
        }
    }

    /// How many groups a match has, the whole match included; `None` where that changes with a file.
    pub fn groups(&self) -> Option<usize> {
        match &self.0 {
            Inner::List(_) => None,
            Inner::One(compiled) => Some(match &compiled.matcher {
                Matcher::Text(_) | Matcher::Wild(_) => 1,
                Matcher::Steps(steps) => steps.groups,
                Matcher::Regex(linear) => linear.groups,
                Matcher::Backtracking(regex) => regex.captures_len(),
            }),
        }
    }

    /// What a subject must have in it to match: of each inner list at least one text. Empty where nothing is certain,
    /// as for a list that may change while we run.
    pub fn needs(&self) -> Vec<Vec<Need>> {
        match &self.0 {
            Inner::List(_) => Vec::new(),
            Inner::One(compiled) => match &compiled.matcher {
                Matcher::Text(text) => text.need().map(|need| vec![need]).into_iter().collect(),
                Matcher::Wild(wild) => wild.needs(),
                Matcher::Steps(steps) => steps.needs.clone(),
                Matcher::Regex(linear) => linear.needs.clone(),
                Matcher::Backtracking(_) => Vec::new(),
            },
        }
    }

    /// Whether it can happen that nobody knows whether the pattern matches, see [`MatchError::GaveUp`].
    pub fn may_give_up(&self) -> bool {
        match &self.0 {
            Inner::List(list) => list.may_give_up(),
            Inner::One(compiled) => matches!(compiled.matcher, Matcher::Backtracking(_)),
        }
    }

    /// True for the patterns that every subject matches.
    pub fn matches_all(&self) -> bool {
        match &self.0 {
            Inner::List(_) => false,
            Inner::One(compiled) => match &compiled.matcher {
                Matcher::Text(text) => text.matches_all(),
                Matcher::Wild(wild) => wild.matches_all(),
                Matcher::Steps(_) | Matcher::Regex(_) => {
                    matches!(&*compiled.source, ".*" | "^.*" | "^.*$" | ".*$" | "^(.*)$" | "(.*)")
                }
                Matcher::Backtracking(_) => false,
            },
        }
    }
}

/// The flags and the text as they would stand in a configuration file.
impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Inner::List(list) => list.fmt(f),
            Inner::One(compiled) => {
                let case = if compiled.ignore_case { "-icase" } else { "-case" };
                write!(f, "{} {case} {:?}", compiled.kind, compiled.source)
            }
        }
    }
}

impl Groups {
    fn whole(&mut self, found: Option<Range<usize>>) -> bool {
        let Some(range) = found else { return false };
        self.0.clear();
        self.0.push(Some(range));
        true
    }
}

/// A text without operators: by its own comparison, or where there is none (anywhere, in any case) as a wild one.
fn plain(kind: Kind, ignore_case: bool, text: &[u8]) -> Matcher {
    match Text::new(kind, ignore_case, text.to_vec()) {
        Some(text) => Matcher::Text(text),
        None => {
            let tokens: Vec<Token> = text.iter().copied().map(Token::Byte).collect();
            Matcher::Wild(Wild::new(&tokens, false, false, ignore_case))
        }
    }
}

fn backtracking(regex: &str, ignore_case: bool) -> Result<fancy_regex::Regex, fancy_regex::Error> {
    fancy_regex::RegexBuilder::new(regex)
        .bytes_mode(fancy_regex::BytesMode::Ascii)
        .case_insensitive(ignore_case)
        .delegate_size_limit(COMPILED_BYTES_MAX)
        .max_prog_size(PROGRAM_MAX)
        .backtrack_limit(BACKTRACK_MAX)
        .build()
}

/// What is left to go wrong once the syntax is known to be good.
fn too_big(text: &str) -> PatternError {
    PatternError {
        at: 0,
        len: text.len(),
        message: format!(
            "the pattern is too large: compiled, it may take {} MiB, and groups may nest {NESTING_MAX} deep",
            COMPILED_BYTES_MAX / (1024 * 1024)
        ),
    }
}
