//! Time-outs. Those of clients stand in listeners, those of back-ends in services and back-ends, and all of them outside
//! of all blocks.

use super::Directive as Row;
use super::{Lower, Scope};

const OF_CLIENTS: &[Scope] = &[Scope::Global, Scope::Listener, Scope::TlsListener];
const OF_BACKENDS: &[Scope] =
    &[Scope::Global, Scope::Service, Scope::Backend, Scope::NamedBackend, Scope::Emergency];

pub(super) static ROWS: &[Row] = &[
    Row {
        name: "Client",
        scopes: OF_CLIENTS,
        syntax: "DURATION",
        default: "10s",
        since: "1.0",
        doc: "How long a client may take for the whole head of a request, and how long it may be idle before its next \
              request. Where no StreamClient is given and this is, it holds within bodies too, as in older Pounds.",
        lower: Lower::Bounds(|cx, draft, statement| draft.client = cx.timeout(&statement.arguments[0])),
        ..Row::ROW
    },
    Row {
        name: "StreamClient",
        scopes: OF_CLIENTS,
        syntax: "DURATION",
        default: "the Client that the file gives; 60s if it gives none",
        since: "new",
        doc: "The longest silence of a client within a body: how long it may send nothing of a request that has begun, \
              and how long it may take nothing of its answer. How much it has to move in the long run is MinRate.",
        example: "StreamClient 5m",
        lower: Lower::Bounds(|cx, draft, statement| {
            draft.stream_client = cx.timeout(&statement.arguments[0]);
        }),
        ..Row::ROW
    },
    Row {
        name: "HalfClose",
        scopes: &[Scope::Global, Scope::Listener],
        syntax: "BOOLEAN",
        default: "yes",
        since: "new",
        doc: "Whether a client that ends its side of the connection after its request still gets the answer. Over TCP \
              that looks the same as a client that has left. With `no` it has left: the request is given up, and the \
              back-end's connection is closed, so that it can stop working. A client that resets the connection has \
              left in any case, and so has one that ends its side of TLS.",
        example: "HalfClose no",
        lower: Lower::Bounds(|cx, draft, statement| draft.half_close = cx.boolean(&statement.arguments[0])),
        ..Row::ROW
    },
    Row {
        name: "TimeOut",
        scopes: OF_BACKENDS,
        syntax: "DURATION",
        default: "15s; of Emergency 2m, whatever is said outside of its service",
        since: "2.0",
        doc: "How long a back-end may take until the head of its answer is here, counted from the end of the request. \
              Long polling (Socket.IO without WebSocket waits 25 s for an event) and jobs whose answer comes when they \
              are done (a commit with a slow hook) need more. Where no StreamTimeOut is given and this is, it holds \
              within bodies too, as in older Pounds.",
        example: "Service\n\tPath -beg \"/socket.io/\"\n\tTimeOut 60\n\tBackend\n\t\tAddress 127.0.0.1\n\t\tPort 3000\n\tEnd\nEnd",
        lower: Lower::Times(|cx, draft, statement| draft.answer = cx.timeout(&statement.arguments[0])),
        ..Row::ROW
    },
    Row {
        name: "StreamTimeOut",
        scopes: OF_BACKENDS,
        syntax: "DURATION",
        default: "the TimeOut that the file gives; 2m if it gives none",
        since: "new",
        doc: "The longest silence of a back-end in the middle of its answer, such as a stream of events, and the longest \
              time in which it takes nothing of a request that is on its way.",
        example: "StreamTimeOut 10m",
        lower: Lower::Times(|cx, draft, statement| draft.stream = cx.timeout(&statement.arguments[0])),
        ..Row::ROW
    },
    Row {
        name: "ConnTO",
        scopes: OF_BACKENDS,
        syntax: "DURATION",
        default: "the TimeOut that holds for the back-end",
        since: "2.5",
        doc: "The longest wait for a connection to a back-end.",
        lower: Lower::Times(|cx, draft, statement| draft.connect = cx.timeout(&statement.arguments[0])),
        ..Row::ROW
    },
    Row {
        name: "WSTimeOut",
        scopes: OF_BACKENDS,
        syntax: "DURATION",
        default: "10m",
        since: "2.8",
        doc: "The longest silence on a connection that was upgraded, for instance to WebSocket.",
        lower: Lower::Times(|cx, draft, statement| draft.tunnel = cx.timeout(&statement.arguments[0])),
        ..Row::ROW
    },
];
