//! Conditions.

use super::Directive as Row;
use super::{Body, Lower, Scope, Standing};
use crate::lex::Word;
use crate::lower::{acl, condition, tls};

/// About a request.
const REQUEST: &[Scope] = &[Scope::Service, Scope::Rewrite, Scope::Match];
/// About a request or an answer.
const BOTH: &[Scope] =
    &[Scope::Service, Scope::Rewrite, Scope::RewriteResponse, Scope::Match, Scope::MatchResponse];

/// The addresses of an `ACL` condition stand in a block unless a list or a file is named.
fn unnamed(words: &[Word]) -> bool {
    words.iter().all(|word| word.is_flag() && !word.text.to_ascii_lowercase().starts_with("-file"))
}

pub(super) static ROWS: &[Row] = &[
    Row {
        name: "URL",
        since: "2.0",
        doc: "Path and query as they stand in the request line.",
        example: "URL \"^/shop/.*[.]php\"",
        lower: Lower::Condition(condition::url),
        ..PATTERN
    },
    Row {
        name: "Path",
        syntax: "[OPTIONS] [-decode] \"PATTERN\"",
        since: "4.6",
        doc: "The path. With -decode, percent-encoded characters are decoded before it is compared.",
        example: "Path -beg \"/images/\"",
        lower: Lower::Condition(condition::path),
        ..PATTERN
    },
    Row {
        name: "Query",
        since: "4.6",
        doc: "The query, without the question mark. A request without one, or with an empty one, does not match.",
        lower: Lower::Condition(condition::query),
        ..PATTERN
    },
    Row {
        name: "QueryParam",
        syntax: "\"NAME\" [OPTIONS] [-decode] \"PATTERN\"",
        since: "4.6",
        doc: "The value of one parameter of the query, percent-decoded. If the parameter is there several times, any of \
              its values may match.",
        example: "QueryParam \"lang\" -exact \"de\"",
        lower: Lower::Condition(condition::query_param),
        ..PATTERN
    },
    Row {
        name: "Header",
        scopes: BOTH,
        syntax: "[OPTIONS] \"PATTERN\" | \"NAME\" [OPTIONS] \"PATTERN\"",
        since: "4.0",
        doc: "With one text, any field of the message as a whole line, `Name: value`; with two, the value of any \
              field of that name. Case is ignored unless -case is given.",
        example: "Header \"User-Agent\" -contain \"bot\"",
        lower: Lower::Condition(condition::header),
        ..PATTERN
    },
    Row {
        name: "Host",
        since: "4.1",
        doc: "The host that was asked for. Unless options say otherwise, it is compared as a whole and case is ignored. \
              The pattern may match with the port that the client named or without it; groups are those of the match \
              with it, if there is one. A dot at the end of the name does not matter.",
        example: "Host \"www.example.org\"",
        lower: Lower::Condition(condition::host),
        ..PATTERN
    },
    Row {
        name: "Method",
        since: "4.20",
        doc: "The method.",
        example: "Method \"^(GET|HEAD)$\"",
        lower: Lower::Condition(condition::method),
        ..PATTERN
    },
    Row {
        name: "StringMatch",
        scopes: BOTH,
        syntax: "\"TEMPLATE\" [OPTIONS] \"PATTERN\"",
        since: "4.9",
        doc: "Any text with `$1`, `%[host]` and the like replaced.",
        example: "StringMatch \"%[remoteip 1]\" -beg \"192.0.2.\"",
        lower: Lower::Condition(condition::string_match),
        ..PATTERN
    },
    Row {
        name: "ACL",
        scopes: REQUEST,
        syntax: "[-forwarded] \"NAME\" | -file \"FILE\" | -filewatch \"FILE\" | block of addresses",
        arguments: (0, 4),
        options: true,
        once: false,
        body: Body::Entries(unnamed),
        since: "4.1",
        doc: "The client's address is in the list: one with a name, one in a file, or the block that follows. With \
              -forwarded the address is the one that a trusted proxy forwarded.",
        example: "ACL \"office\"",
        lower: Lower::Condition(acl::condition),
        ..Row::ROW
    },
    Row {
        name: "Not",
        scopes: BOTH,
        syntax: "CONDITION",
        arguments: (1, usize::MAX),
        options: true,
        once: false,
        body: Body::Condition,
        since: "4.1",
        doc: "The condition that follows on the line does not hold. It may also be the first line of a Match or ACL \
              block.",
        example: "Not Path -beg \"/private/\"",
        lower: Lower::Condition(condition::not),
        ..Row::ROW
    },
    Row {
        name: "Match",
        scopes: &[Scope::Service, Scope::Rewrite, Scope::Match],
        syntax: "[and|or]",
        arguments: (0, 1),
        once: false,
        body: Body::Block(Scope::Match),
        default: "and",
        since: "4.1",
        doc: "All of the conditions in the block hold, or at least one of them does.",
        example: "Match or\n\tHost \"example.org\"\n\tHost \"www.example.org\"\nEnd",
        lower: Lower::Condition(condition::group),
        ..Row::ROW
    },
    Row {
        name: "Match",
        scopes: &[Scope::RewriteResponse, Scope::MatchResponse],
        syntax: "[and|or]",
        arguments: (0, 1),
        once: false,
        body: Body::Block(Scope::MatchResponse),
        default: "and",
        since: "4.10",
        doc: "The same about an answer.",
        lower: Lower::Condition(condition::group),
        ..Row::ROW
    },
    Row {
        name: "HeadRequire",
        since: "1.0",
        standing: Standing::Deprecated("Header \"PATTERN\""),
        doc: "Any field as a whole line.",
        lower: Lower::Condition(condition::head_require),
        ..PATTERN
    },
    Row {
        name: "HeadDeny",
        since: "1.0",
        standing: Standing::Deprecated("Not Header \"PATTERN\""),
        doc: "No field as a whole line.",
        lower: Lower::Condition(condition::head_deny),
        ..PATTERN
    },
    Row {
        name: "BasicAuth",
        syntax: "[-file|-filewatch] \"FILE\"",
        since: "4.10",
        doc: "User and password are in the file.",
        ..PENDING
    },
    Row {
        name: "ClientCert",
        scopes: REQUEST,
        syntax: "\"FILE\"",
        once: false,
        since: "4.14",
        doc: "The client has shown the certificate in this file, and has its key. In a listener without a ClientCert of \
              its own, clients are asked for a certificate because of this, and any is taken.",
        example: "ClientCert \"/etc/pound/partner.pem\"",
        lower: Lower::Condition(tls::client_certificate),
        ..Row::ROW
    },
    Row {
        name: "TBF",
        syntax: "\"KEY\" RATE BURST",
        arguments: (3, 3),
        since: "4.18",
        doc: "The rate of requests is within a limit.",
        ..PENDING
    },
    Row {
        name: "Eval",
        scopes: BOTH,
        syntax: "\"CONDITION\"",
        since: "4.19",
        doc: "A condition with a name.",
        ..PENDING
    },
    Row {
        name: "LuaMatch",
        scopes: BOTH,
        syntax: "\"FUNCTION\" \"ARGUMENT\" …",
        arguments: (1, 64),
        since: "4.19",
        doc: "A Lua function says yes.",
        ..PENDING
    },
];

/// A condition that compares a part of the request with a pattern.
const PATTERN: Row = Row {
    scopes: REQUEST,
    syntax: "[OPTIONS] \"PATTERN\"",
    arguments: (1, usize::MAX),
    options: true,
    once: false,
    ..Row::ROW
};

const PENDING: Row = Row {
    scopes: REQUEST,
    options: true,
    once: false,
    arguments: (1, 4),
    standing: Standing::Pending,
    ..Row::ROW
};
