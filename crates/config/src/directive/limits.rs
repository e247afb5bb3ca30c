//! Limits of a listener, which may also stand outside of all blocks.

use plan::limits as bound;

use super::Directive as Row;
use super::{Lower, Scope};
use crate::lower::bounds;

const PLACES: &[Scope] = &[Scope::Global, Scope::Listener, Scope::TlsListener];

pub(super) static ROWS: &[Row] = &[
    Row {
        name: "LineBufferSize",
        scopes: PLACES,
        syntax: "SIZE",
        default: "16k",
        since: "4.18",
        doc: "The longest line of a head, 4k to 256k: the request line, a status line or a field, of a request as of a \
              back-end's answer. A longer one is answered by 431 or 414, in an answer by 502.",
        lower: Lower::Bounds(|cx, draft, statement| draft.line_max = cx.line_size(&statement.arguments[0])),
        ..Row::ROW
    },
    Row {
        name: "MaxHead",
        scopes: PLACES,
        syntax: "SIZE",
        default: "64k, or twice LineBufferSize if that is more",
        since: "new",
        doc: "The longest head of a request or an answer, start line and all fields together: from LineBufferSize to \
              1m. A request with more is answered by 431.",
        lower: Lower::Bounds(|cx, draft, statement| {
            let most = bound::HEAD_BYTES_MAX;
            draft.head_max = cx.size_between(&statement.arguments[0], bound::LINE_BYTES_MIN, most);
        }),
        ..Row::ROW
    },
    Row {
        name: "MaxFields",
        scopes: PLACES,
        syntax: "NUMBER",
        default: "128",
        since: "new",
        doc: "The most fields in the head of a request or an answer, 16 to 4096. A request with more is answered by 431.",
        lower: Lower::Bounds(|cx, draft, statement| {
            draft.fields_max = cx.count(&statement.arguments[0], bound::FIELDS_MIN, bound::FIELDS_MAX);
        }),
        ..Row::ROW
    },
    Row {
        name: "MaxChunkLine",
        scopes: PLACES,
        syntax: "SIZE",
        default: "4k",
        since: "new",
        doc: "The longest line before a chunk of a body, which holds its size and its extensions: 32 to 64k.",
        lower: Lower::Bounds(|cx, draft, statement| {
            let (least, most) = (bound::CHUNK_LINE_BYTES_MIN, bound::CHUNK_LINE_BYTES_MAX);
            draft.chunk_line_max = cx.size_between(&statement.arguments[0], least, most);
        }),
        ..Row::ROW
    },
    Row {
        name: "MaxChunkExt",
        scopes: PLACES,
        syntax: "SIZE",
        default: "16k",
        since: "new",
        doc: "How many bytes of chunk extensions a body may have beyond its own bytes, 0 to 1m. They are checked and not \
              passed on.",
        lower: Lower::Bounds(|cx, draft, statement| {
            let most = bound::CHUNK_EXTENSION_BYTES_MAX;
            draft.chunk_extensions_max = cx.size_between(&statement.arguments[0], 0, most);
        }),
        ..Row::ROW
    },
    Row {
        name: "MaxTrailer",
        scopes: PLACES,
        syntax: "SIZE",
        default: "8k",
        since: "new",
        doc: "The longest trailer section, the fields behind a chunked body: 2 to 256k. A request with more is answered \
              by 431.",
        lower: Lower::Bounds(|cx, draft, statement| {
            let (least, most) = (bound::TRAILER_BYTES_MIN, bound::TRAILER_BYTES_MAX);
            draft.trailer_max = cx.size_between(&statement.arguments[0], least, most);
        }),
        ..Row::ROW
    },
    Row {
        name: "MaxTrailerFields",
        scopes: PLACES,
        syntax: "NUMBER",
        default: "32",
        since: "new",
        doc: "The most fields in a trailer section, 0 to 1024. A request with more is answered by 431.",
        lower: Lower::Bounds(|cx, draft, statement| {
            draft.trailer_fields_max = cx.count(&statement.arguments[0], 0, bound::TRAILER_FIELDS_MAX);
        }),
        ..Row::ROW
    },
    Row {
        name: "MaxInterim",
        scopes: PLACES,
        syntax: "NUMBER",
        default: "16",
        since: "new",
        doc: "The most interim answers (1xx) that a back-end may send before its answer to a request, 0 to 1024. One that \
              sends more is answered for by 502.",
        lower: Lower::Bounds(|cx, draft, statement| {
            draft.interim_max = cx.count(&statement.arguments[0], 0, bound::INTERIM_ANSWERS_MAX);
        }),
        ..Row::ROW
    },
    Row {
        name: "MaxConnections",
        scopes: PLACES,
        syntax: "NUMBER",
        default: "no limit but that of open files and of memory",
        since: "new",
        doc: "The most connections of clients at a time: outside of all blocks those of all listeners together, in a \
              listener its own; both hold. New clients wait in the queue of the system then, and the connection that has \
              been idle between two requests for longest, and for a second at least, is closed for them; where a \
              listener has reached its own number, one of that listener. The log says so.",
        example: "MaxConnections 10000",
        lower: Lower::Bounds(|cx, draft, statement| {
            draft.connections_max = cx.count(&statement.arguments[0], 1, bound::CONNECTIONS_MAX as usize);
        }),
        ..Row::ROW
    },
    Row {
        name: "MaxConnRequests",
        scopes: PLACES,
        syntax: "NUMBER",
        default: "1000000",
        since: "new",
        doc: "The most requests on one connection of a client, 1 to 1000000000. The answer to the last one says that the \
              connection closes. Requests that are sent without waiting for answers are served one after the other, and \
              no more of them are read than fit into one buffer, so they need no limit of their own.",
        lower: Lower::Bounds(|cx, draft, statement| {
            draft.requests_max = cx.number(&statement.arguments[0], 1, bound::CONNECTION_REQUESTS_MAX);
        }),
        ..Row::ROW
    },
    Row {
        name: "MinRate",
        scopes: PLACES,
        syntax: "SIZE [DURATION [NUMBER]]",
        arguments: (1, 3),
        default: "240 30s 8; where it is written, 30s and 0",
        since: "new",
        doc: "The least number of bytes in a second, up to 1m, with which a client has to send the body of its request \
              and to take the answer, as a mean over this time. Only time counts in which it is the client's turn: what \
              the back-end takes does not. A client that is slower is answered by 408, or cut off if its answer has \
              begun. The number is that of the clients which may be slower at once, of this listener and on each worker: a \
              stream with little to say looks like a client that means to hold a back-end, and only many of them do \
              harm. When there are more, all that are slow go. 0 bytes ask for nothing. The channels of RPC over HTTP \
              (RPC_IN_DATA, RPC_OUT_DATA, which xHTTP 3 lets pass) and connections that were upgraded, such as WebSockets, are not measured.",
        example: "MinRate 500 20s",
        lower: Lower::Bounds(bounds::rate),
        ..Row::ROW
    },
];
