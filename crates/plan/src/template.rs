//! Strings with references to the request: `https://%[host]/new$1`.

use std::fmt;

/// A string that is expanded for each request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
}

/// A piece of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Taken as it is.
    Literal(String),
    /// `$1`, `${1}`, `%1`, `$1(2)`, `$1(tag)`: a group of an earlier match.
    Capture {
        /// The group; 0 is the whole match.
        group: u8,
        /// Which match.
        of: Which,
    },
    /// `%[host]` and the like.
    Accessor(Accessor),
}

/// Which of the matches that have been made so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// This many matches back; 0 is the latest.
    Back(u8),
    /// The latest one with this tag (`-tag`).
    Tag(String),
}

/// A part of the request by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Accessor {
    /// `%[url]`: path and query.
    Url,
    /// `%[path]`
    Path,
    /// `%[query]`, without the question mark.
    Query,
    /// `%[param NAME]`: a query parameter.
    Param(String),
    /// `%[header NAME]`: the value of the first field of that name; the answer's in a rewrite of answers.
    Header(String),
    /// `%[host]`: what was asked for, without the port.
    Host,
    /// `%[port]`: the port in what was asked for, empty if there is none.
    Port,
    /// `%[remoteip 0]` is the peer's address, `%[remoteip 1]` the one that a trusted proxy forwarded.
    RemoteIp {
        /// True for `%[remoteip 1]`.
        forwarded: bool,
    },
    /// `%[user]`: the user name of Basic authentication.
    User,
}

/// Why a template could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateError {
    /// Byte offset of the fault in the text.
    pub at: usize,
    /// Length of the faulty part in bytes.
    pub len: usize,
    /// What is wrong and what was expected.
    pub message: String,
}
