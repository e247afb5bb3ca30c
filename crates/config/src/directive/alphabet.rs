//! `CheckURL 0|1` of Pound 1.x and the sets of characters that belong to it.

use super::Directive as Row;
use super::Phase::Values;
use super::{Lower, Scope, Standing};
use crate::lower::alphabet;

const PLACES: &[Scope] = &[Scope::Global, Scope::Listener, Scope::TlsListener];

pub(super) static ROWS: &[Row] = &[
    Row {
        name: "CheckURL",
        scopes: &[Scope::Global],
        syntax: "0|1",
        default: "0",
        since: "1.6",
        doc: "Whether the characters of a request's target are looked at, part by part. A part that has other characters \
              than its set is answered by 501. Segments of the path stand between slashes, parameters behind a semicolon \
              in a segment; the query is made of pairs between `&`, and a pair of an id and a value behind its first \
              `=`. Empty parts are allowed. For all listeners that say nothing else. A set can only take away from what \
              RFC 9112 allows in a target, which is looked at in any case.",
        lower: Lower::Global(Values, alphabet::global),
        ..Row::ROW
    },
    Row {
        name: "CSsegment",
        scopes: PLACES,
        syntax: "\"CHARACTERS\"",
        default: "\"A-Za-z0-9_.!~*'()%:@&=+$,-\"",
        since: "1.5",
        doc: "The characters of a segment for CheckURL 1, as a list in which `a-z` is a range; a dash at the beginning or \
              the end stands for itself. Without `%` no escapes are allowed. The default is the set of RFC 2396.",
        example: "CSsegment \"A-Za-z0-9._~-\"",
        lower: Lower::Bounds(|cx, draft, statement| draft.alphabets.segment = alphabet::set(cx, statement)),
        ..Row::ROW
    },
    Row {
        name: "CSparameter",
        scopes: PLACES,
        syntax: "\"CHARACTERS\"",
        default: "that of CSsegment",
        since: "1.5",
        doc: "The same for a parameter of a segment.",
        lower: Lower::Bounds(|cx, draft, statement| draft.alphabets.parameter = alphabet::set(cx, statement)),
        ..Row::ROW
    },
    Row {
        name: "CSqid",
        scopes: PLACES,
        syntax: "\"CHARACTERS\"",
        default: "\"A-Za-z0-9_.!~*'()%;/?:@&=+$,-\"",
        since: "1.5",
        doc: "The same for the id of a pair in the query.",
        lower: Lower::Bounds(|cx, draft, statement| draft.alphabets.query_id = alphabet::set(cx, statement)),
        ..Row::ROW
    },
    Row {
        name: "CSqval",
        scopes: PLACES,
        syntax: "\"CHARACTERS\"",
        default: "that of CSqid",
        since: "1.5",
        doc: "The same for the value of a pair in the query.",
        lower: Lower::Bounds(|cx, draft, statement| {
            draft.alphabets.query_value = alphabet::set(cx, statement);
        }),
        ..Row::ROW
    },
    Row {
        name: "CSfragment",
        scopes: PLACES,
        syntax: "\"CHARACTERS\"",
        since: "1.5",
        standing: Standing::NoEffect("a request whose target has a fragment is always refused"),
        doc: "The same for a fragment, which no request may have (RFC 9112).",
        ..Row::ROW
    },
];
