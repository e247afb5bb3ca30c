//! Which texts a request must have in it for a condition to hold.
//!
//! A key is certain: where none of a service's keys is in the request, evaluating its condition would say no, and say
//! it without a fault. So a part of an `All` may only give a key if no part before it can end in a fault: the plain
//! walk would meet that fault first.

use plan::condition::{Condition, Match};
use plan::pattern::{Need, Place};

/// What of a request a text is looked for in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Subject {
    /// The host, without and with its port.
    Host,
    /// The path, as it stands and decoded.
    Path,
    /// Path and query as in the request line.
    Url,
    /// A whole field line; any of them.
    Line,
}

/// A text and where it is looked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) subject: Subject,
    pub(super) need: Need,
    /// The subject may be percent-decoded first.
    pub(super) decoded: bool,
}

/// Keys of which one must be in the request.
pub(super) type AnyOf = Vec<Key>;

impl Key {
    /// A text of one byte is in too many requests to be worth a place in the index, if there is anything else.
    pub(super) fn is_broad(&self) -> bool {
        self.need.place != Place::Whole && self.need.text.len() < 2
    }
}

/// The ways in which a condition can be looked up: each one alone is enough. None if it has to be evaluated always.
pub(super) fn keys(condition: &Condition) -> Vec<AnyOf> {
    match condition {
        Condition::All(all) => {
            let faulty = all.iter().position(may_fault).unwrap_or(all.len());
            // The part that can end in a fault has only keys that exclude it.
            all.iter().take(faulty.saturating_add(1)).flat_map(keys).collect()
        }
        Condition::Any(any) => {
            let parts: Option<Vec<AnyOf>> =
                any.iter().map(|part| keys(part).into_iter().min_by_key(rank)).collect();
            parts.map(|parts| parts.concat()).into_iter().collect()
        }
        Condition::Host(matches) => of(Subject::Host, matches, false),
        Condition::Path { matches, decode } => of(Subject::Path, matches, *decode),
        Condition::Url(matches) => of(Subject::Url, matches, false),
        Condition::HeaderLine(matches) => of(Subject::Line, matches, false),
        Condition::Not(_)
        | Condition::Acl { .. }
        | Condition::Method(_)
        | Condition::Query(_)
        | Condition::QueryParam { .. }
        | Condition::HeaderField { .. }
        | Condition::ClientCertificate(_)
        | Condition::StringMatch { .. } => Vec::new(),
    }
}

fn of(subject: Subject, matches: &Match, decoded: bool) -> Vec<AnyOf> {
    let key = |need| Key { subject, need, decoded };
    matches.pattern.needs().into_iter().map(|any| any.into_iter().map(key).collect()).collect()
}

/// Orders what does equally well: the lower the better.
pub(super) fn rank(any: &AnyOf) -> impl Ord + use<> {
    let broad = any.iter().any(Key::is_broad);
    let lines = any.iter().any(|key| key.subject == Subject::Line);
    let place = any.iter().map(|key| key.need.place).min();
    let len = any.iter().map(|key| key.need.text.len()).min();
    (broad, lines, std::cmp::Reverse((place, len)))
}

/// Whether evaluating the condition can end in a fault.
fn may_fault(condition: &Condition) -> bool {
    match condition {
        Condition::All(parts) | Condition::Any(parts) => parts.iter().any(may_fault),
        Condition::Not(part) => may_fault(part),
        // A reference to a match that was not made is a fault.
        Condition::StringMatch { subject, .. } if subject.has_captures() => true,
        _ => condition.matched().is_some_and(|matches| matches.pattern.may_give_up()),
    }
}
