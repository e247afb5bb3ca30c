//! What ties a client to a back-end.

use std::time::Duration;

/// The `Session` block of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// What identifies a client.
    pub key: SessionKey,
    /// How long after its last request a client is remembered; more than zero.
    pub ttl: Duration,
}

/// What identifies a client (`Type`, with `ID` where one is needed).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionKey {
    /// The client's address.
    Ip,
    /// The user name of Basic authentication.
    Basic,
    /// A query parameter of this name.
    Url(String),
    /// What follows the last `;` of the path, the path parameter of RFC 3986 section 3.3 (`;jsessionid…`).
    Parm,
    /// A cookie of this name, set by the back-end.
    Cookie(String),
    /// A request field of this name.
    Header(String),
}
