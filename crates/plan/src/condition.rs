//! Conditions on a request (in a service or a rewrite) or on an answer (in a rewrite of answers).

use std::sync::Arc;

use crate::acl::Acl;
use crate::pattern::Pattern;
use crate::template::Template;

/// A truth about a message.
///
/// In a rewrite of answers only `Header*`, `StringMatch`, `All`, `Any` and `Not` occur, and fields are the answer's.
#[derive(Debug)]
pub enum Condition {
    /// All hold; true when empty.
    All(Vec<Condition>),
    /// At least one holds; false when empty.
    Any(Vec<Condition>),
    /// The other one does not hold.
    Not(Box<Condition>),
    /// The client's address is in the list.
    Acl {
        /// The list.
        acl: Arc<Acl>,
        /// Look at the address that a trusted proxy forwarded (`-forwarded`).
        forwarded: bool,
    },
    /// The method.
    Method(Match),
    /// Path and query as they stand in the request line.
    Url(Match),
    /// The path.
    Path {
        /// What it must match.
        matches: Match,
        /// Percent-decode it first (`-decode`).
        decode: bool,
    },
    /// The query, without the question mark.
    Query(Match),
    /// The value of one query parameter.
    QueryParam {
        /// Its name.
        name: String,
        /// What the value must match.
        matches: Match,
        /// Percent-decode it first (`-decode`).
        decode: bool,
    },
    /// A whole field line, `Name: value`; any line of the message.
    HeaderLine(Match),
    /// The value of a field of this name; any such line.
    HeaderField {
        /// Its name, in any case.
        name: String,
        /// What the value must match.
        matches: Match,
    },
    /// The host that was asked for, with the port if one was given.
    Host(Match),
    /// The client has shown exactly this certificate, in DER, and has its key (`ClientCert`).
    ClientCertificate(Box<[u8]>),
    /// Any expanded string.
    StringMatch {
        /// What is expanded.
        subject: Template,
        /// What the result must match.
        matches: Match,
    },
}

impl Condition {
    /// The condition that always holds.
    pub const ALWAYS: Condition = Condition::All(Vec::new());

    /// What a part of the message is compared with; none for a condition that compares no text, or is made of others.
    pub fn matched(&self) -> Option<&Match> {
        match self {
            Condition::Method(matches)
            | Condition::Url(matches)
            | Condition::Path { matches, .. }
            | Condition::Query(matches)
            | Condition::QueryParam { matches, .. }
            | Condition::HeaderLine(matches)
            | Condition::HeaderField { matches, .. }
            | Condition::Host(matches)
            | Condition::StringMatch { matches, .. } => Some(matches),
            Condition::All(_)
            | Condition::Any(_)
            | Condition::Not(_)
            | Condition::Acl { .. }
            | Condition::ClientCertificate(_) => None,
        }
    }

    /// True for [`Condition::ALWAYS`].
    pub fn is_always(&self) -> bool {
        matches!(self, Condition::All(all) if all.is_empty())
    }
}

/// A pattern and the name under which its captures are kept (`-tag`).
#[derive(Debug)]
pub struct Match {
    /// What the subject must match.
    pub pattern: Pattern,
    /// `$1(tag)` finds the captures by this.
    pub tag: Option<String>,
}
