//! Directives of `Session`.

use super::Directive as Row;
use super::{Lower, Scope};
use crate::lower::session;

const SESSION: &[Scope] = &[Scope::Session];

pub(super) static ROWS: &[Row] = &[
    Row {
        name: "Type",
        scopes: SESSION,
        syntax: "IP|BASIC|URL|PARM|COOKIE|HEADER",
        since: "1.0",
        doc: "What tells clients apart: their address; their user name of Basic authentication; a parameter of the \
              query; what follows the last `;` of the path; a cookie; a field of the request.",
        lower: Lower::Session(session::kind),
        ..Row::ROW
    },
    Row {
        name: "TTL",
        scopes: SESSION,
        syntax: "DURATION",
        since: "1.0",
        doc: "How long a client is remembered after its last request. Always needed.",
        lower: Lower::Session(session::ttl),
        ..Row::ROW
    },
    Row {
        name: "ID",
        scopes: SESSION,
        syntax: "\"NAME\"",
        since: "1.0",
        doc: "The name of the query parameter, cookie or field. Needed by URL, COOKIE and HEADER.",
        lower: Lower::Session(session::id),
        ..Row::ROW
    },
];
