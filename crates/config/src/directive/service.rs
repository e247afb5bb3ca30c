//! Directives of `Service` that are neither conditions nor modifications.

use super::Directive as Row;
use super::{Body, Lower, Scope, Standing};
use crate::lower::{backend, service, session};

const SERVICE: &[Scope] = &[Scope::Service];

pub(super) static ROWS: &[Row] = &[
    Row {
        name: "Backend",
        scopes: SERVICE,
        arguments: (0, 0),
        once: false,
        body: Body::Block(Scope::Backend),
        since: "1.0",
        doc: "A server behind Pound. A service may have several; see Balancer.",
        example: "Backend\n\tAddress 192.0.2.10\n\tPort 8080\nEnd",
        lower: Lower::Service(backend::lower),
        ..Row::ROW
    },
    Row {
        name: "UseBackend",
        scopes: SERVICE,
        syntax: "\"NAME\"",
        once: false,
        since: "4.10",
        doc: "A back-end that was given a name outside of all blocks.",
        lower: Lower::Service(backend::lower_use),
        ..Row::ROW
    },
    Row {
        name: "Emergency",
        scopes: SERVICE,
        arguments: (0, 0),
        once: false,
        body: Body::Block(Scope::Emergency),
        since: "2.2",
        doc: "A back-end that is used only when none of the others is alive. Its TimeOut is 2m unless it says \
              otherwise.",
        lower: Lower::Service(backend::lower_emergency),
        ..Row::ROW
    },
    Row {
        name: "Redirect",
        scopes: SERVICE,
        syntax: "[301|302|303|307|308] \"URL\"",
        arguments: (1, 2),
        once: false,
        default: "302",
        since: "2.0",
        doc: "Answer by a redirect. `$1`, `%[host]` and the like are replaced. A URL with nothing to replace and \
              without a slash behind its host gets the path and query of the request appended. A slash that is the \
              whole path is left out: the browser goes to `/` of that host.",
        example: "Redirect 301 \"https://%[host]%[url]\"",
        lower: Lower::Service(service::redirect),
        ..Row::ROW
    },
    Row {
        name: "Error",
        scopes: SERVICE,
        syntax: "CODE [\"FILE\"]",
        arguments: (1, 2),
        once: false,
        since: "4.5",
        doc: "Answer by an error, with the page in the file or else the listener's (see ErrorFile, also for the codes).",
        example: "Error 404",
        lower: Lower::Service(service::error),
        ..Row::ROW
    },
    Row {
        name: "SendFile",
        scopes: SERVICE,
        syntax: "\"DIRECTORY\"",
        once: false,
        since: "4.17",
        doc: "Answer by files below this directory: the path of the request names the file, and SetPath changes it. \
              Nothing outside of the directory is sent, whatever the path or a symbolic link says. A directory has \
              no listing and no index: it is a 404, and methods other than GET and HEAD are a 405. Content-Type \
              follows from the suffix of the name, with charset=utf-8 for texts, and is application/octet-stream for \
              a suffix that is not known; `SetHeader \"Content-Type: …\"` in Rewrite response says otherwise. \
              Answers have ETag and Last-Modified, and obey If-Match, If-Unmodified-Since, If-None-Match, \
              If-Modified-Since, If-Range and Range (one range; for several the whole file is sent).",
        example: "Path \"^/files(/.+)$\"\nSetPath \"$1\"\nSendFile \"/srv/files\"",
        lower: Lower::Service(service::send_file),
        ..Row::ROW
    },
    Row {
        name: "Success",
        scopes: SERVICE,
        arguments: (0, 0),
        once: false,
        since: "4.20",
        doc: "Answer by 200 and an empty body.",
        lower: Lower::Service(service::success),
        ..Row::ROW
    },
    Row {
        name: "Session",
        scopes: SERVICE,
        arguments: (0, 0),
        body: Body::Block(Scope::Session),
        since: "2.0",
        doc: "Send a client to the same back-end each time.",
        example: "Session\n\tType COOKIE\n\tID \"JSESSIONID\"\n\tTTL 30m\nEnd",
        lower: Lower::Service(session::lower),
        ..Row::ROW
    },
    Row {
        name: "Balancer",
        scopes: SERVICE,
        syntax: "random|iwrr",
        default: "the global Balancer, random",
        since: "4.6",
        doc: "How one of several back-ends is chosen, see the global directive.",
        lower: Lower::Service(|cx, draft, statement| draft.balancer = cx.balancer(&statement.arguments[0])),
        ..Row::ROW
    },
    Row {
        name: "Disabled",
        scopes: SERVICE,
        syntax: "BOOLEAN",
        default: "no",
        since: "2.6",
        doc: "Leave this service out.",
        lower: Lower::Service(|cx, draft, statement| {
            draft.disabled = cx.boolean(&statement.arguments[0]).unwrap_or(false);
        }),
        ..Row::ROW
    },
    Row {
        name: "Tolerant",
        scopes: SERVICE,
        syntax: "all|none|[bare-lf] [fold] [colon-blank] [chunk-blank] [equal-length] [identity]",
        arguments: (1, 8),
        default: "none",
        since: "new",
        doc: "What Tolerant is in each Backend and Emergency of this service that does not say it itself. A named \
              back-end keeps its own.",
        example: "Tolerant colon-blank",
        // Read before the back-ends, wherever it stands.
        lower: Lower::Service(|_, _, _| ()),
        ..Row::ROW
    },
    Row {
        name: "RequireClientCert",
        scopes: SERVICE,
        syntax: "BOOLEAN",
        default: "no",
        since: "new",
        doc: "This service is only for clients that have shown a certificate, on a connection to a ListenHTTPS that \
              verified it (`ClientCert 1` or `2`); others get 403. Nobody is asked a second time within a connection: \
              `ClientCert 1` asks everybody, and this insists.",
        example: "RequireClientCert yes",
        lower: Lower::Service(|cx, draft, statement| {
            draft.client_certificate = cx.boolean(&statement.arguments[0]).unwrap_or(false);
        }),
        ..Row::ROW
    },
    Row {
        name: "LogSuppress",
        scopes: SERVICE,
        syntax: "info|success|redirect|clterr|srverr|all|1|2|3|4|5 …",
        arguments: (1, 16),
        since: "4.9",
        doc: "Answers that are not logged, by class: 1xx `info`, 2xx `success`, 3xx `redirect`, 4xx `clterr`, 5xx \
              `srverr`.",
        example: "LogSuppress success redirect",
        lower: Lower::Service(service::log_suppress),
        ..Row::ROW
    },
    Row {
        name: "IgnoreCase",
        scopes: SERVICE,
        syntax: "BOOLEAN",
        once: false,
        since: "2.0",
        standing: Standing::Deprecated("the option -icase of each pattern"),
        doc: "Whether the patterns that follow in this service ignore case.",
        lower: Lower::Service(|cx, _, statement| cx.set_boolean(statement, |cx, on| cx.ignore_case = on)),
        ..Row::ROW
    },
    Row { name: "Metrics", arguments: (0, 0), since: "4.5", doc: "Answer by metrics.", ..PENDING },
    Row {
        name: "Control",
        arguments: (0, 0),
        since: "4.14",
        doc: "Answer as the control socket does.",
        ..PENDING
    },
    Row {
        name: "LuaBackend",
        syntax: "\"FUNCTION\" \"ARGUMENT\" …",
        arguments: (1, 64),
        since: "4.19",
        doc: "Answer by a Lua function.",
        ..PENDING
    },
    Row {
        name: "FallThrough",
        syntax: "[BOOLEAN]",
        arguments: (0, 1),
        since: "4.24",
        doc: "Change the request and go on to the next service.",
        ..PENDING
    },
    Row {
        name: "ContentCapture",
        syntax: "SIZE",
        since: "4.19",
        doc: "Keep the body of requests for Lua.",
        ..PENDING
    },
];

const PENDING: Row = Row { scopes: SERVICE, standing: Standing::Pending, ..Row::ROW };
