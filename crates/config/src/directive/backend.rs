//! Directives of `Backend` and `Emergency`.

use std::num::NonZeroU32;

use super::Directive as Row;
use super::{Lower, Scope, Standing};
use crate::lower::{backend, ciphers, tls};

const ALL: &[Scope] = &[Scope::Backend, Scope::NamedBackend, Scope::Emergency];
const ORDINARY: &[Scope] = &[Scope::Backend, Scope::NamedBackend];

pub(super) static ROWS: &[Row] = &[
    Row {
        name: "Address",
        scopes: ALL,
        syntax: "ADDRESS|NAME|PATH",
        since: "2.0",
        doc: "Where the server listens: an IPv4 or IPv6 address, a host name, or the path of a Unix socket, which \
              begins with `/`. Always needed, except with Use.",
        lower: Lower::Backend(backend::address),
        ..Row::ROW
    },
    Row {
        name: "Port",
        scopes: ALL,
        syntax: "NUMBER|NAME",
        default: "80, with HTTPS 443",
        since: "2.0",
        doc: "Its port, a number or the name of a service such as `http`.",
        lower: Lower::Backend(|cx, draft, statement| {
            draft.port = cx.port(&statement.arguments[0], 1).map(|port| (port, statement.span));
        }),
        ..Row::ROW
    },
    Row {
        name: "Priority",
        scopes: ORDINARY,
        syntax: "NUMBER",
        default: "5",
        since: "1.0",
        doc: "The back-end's share of the requests relative to the others, 1 to 65535. In a named back-end it is the \
              default for those who use it.",
        lower: Lower::Backend(|cx, draft, statement| {
            let priority = cx.number(&statement.arguments[0], 1, u16::MAX.into());
            draft.priority = priority.map(|priority| priority as u16);
        }),
        ..Row::ROW
    },
    Row {
        name: "MaxFails",
        scopes: ALL,
        syntax: "NUMBER",
        default: "the global MaxFails, 3",
        since: "new",
        doc: "Leave this back-end out for a while after so many requests in a row that it gave no answer; see the directive \
              of this name outside of all blocks. 0 never does.",
        lower: Lower::Backend(|cx, draft, statement| {
            let fails = cx.number(&statement.arguments[0], 0, u32::MAX.into());
            draft.fails_max = fails.map(|fails| (NonZeroU32::new(fails as u32), statement.span));
        }),
        ..Row::ROW
    },
    Row {
        name: "Tolerant",
        scopes: ALL,
        syntax: "all|none|[bare-lf] [fold] [colon-blank] [chunk-blank] [equal-length] [identity]",
        arguments: (1, 8),
        default: "that of the service, none",
        since: "new",
        doc: "Breaches of HTTP in the answers of this back-end that are put right instead of being answered by 502: \
              `bare-lf` lines of a head that end without CR; `fold` a field over several lines, which a space joins; \
              `colon-blank` blanks before the colon of Content-Length and Transfer-Encoding (of other fields they \
              always are removed); `chunk-blank` blanks behind the size of a chunk; `equal-length` Content-Length more \
              than once, if all are equal; `identity` the transfer coding of that name, which means none. The client \
              gets a correct answer. The log names the word that an answer would need. There is nothing like it for \
              requests.",
        example: "Tolerant bare-lf identity",
        lower: Lower::Backend(|cx, draft, statement| {
            draft.tolerance = cx.tolerance(statement).map(|tolerance| (tolerance, statement.span));
        }),
        ..Row::ROW
    },
    Row {
        name: "Disabled",
        scopes: ORDINARY,
        syntax: "BOOLEAN",
        default: "no",
        since: "2.6",
        doc: "Begin without this back-end.",
        lower: Lower::Backend(|cx, draft, statement| draft.disabled = cx.boolean(&statement.arguments[0])),
        ..Row::ROW
    },
    Row {
        name: "Use",
        scopes: &[Scope::Backend],
        syntax: "\"NAME\"",
        since: "4.24",
        doc: "A back-end that was given a name outside of all blocks. Only Priority and Disabled may stand beside it.",
        example: "Backend\n\tUse \"app1\"\n\tPriority 9\nEnd",
        lower: Lower::Backend(|_, draft, statement| draft.uses = Some(statement.arguments[0].clone())),
        ..Row::ROW
    },
    Row {
        name: "HTTPS",
        syntax: "[\"FILE\"]",
        arguments: (0, 1),
        since: "2.5",
        scopes: ALL,
        doc: "Speak TLS with it. Its certificate is verified: it has to be for the name of the back-end, and signed by an \
              authority that the system believes; CAlist and Verify say otherwise. C Pound verifies nothing. The file is \
              the same as Cert.",
        example: "Backend\n\tAddress app.example.org\n\tHTTPS\nEnd",
        lower: Lower::Backend(|cx, draft, statement| {
            draft.https = Some(statement.span);
            if let Some(word) = statement.arguments.first() {
                draft.certificate = Some((cx.file_name(statement, word), statement.span));
            }
        }),
        ..Row::ROW
    },
    Row {
        name: "Cert",
        scopes: ALL,
        syntax: "\"FILE\"",
        since: "2.7",
        doc: "The certificate that Pound shows to the back-end, if that asks for one: PEM, with those that it was signed \
              with and its private key.",
        lower: Lower::Backend(|cx, draft, statement| {
            draft.certificate = Some((cx.file_name(statement, &statement.arguments[0]), statement.span));
        }),
        ..Row::ROW
    },
    Row {
        name: "CAlist",
        scopes: ALL,
        syntax: "\"FILE\"",
        default: "the authorities that the system believes",
        since: "new",
        doc: "Authorities that may have signed the certificate of the back-end.",
        lower: Lower::Backend(|cx, draft, statement| {
            draft.authorities = Some((cx.file_name(statement, &statement.arguments[0]), statement.span));
        }),
        ..Row::ROW
    },
    Row {
        name: "Verify",
        scopes: ALL,
        syntax: "yes|no|\"sha256:DIGITS\"",
        default: "yes",
        since: "new",
        doc: "How the certificate of the back-end is judged: `yes`, by name, time and signature; `no`, not at all, so that \
              whoever is in between can read and change everything; or by the SHA-256 of the certificate itself, in \
              hexadecimal digits, with or without colons, as `openssl x509 -fingerprint -sha256` prints it.",
        example: "Backend\n\tAddress 192.0.2.7\n\tHTTPS\n\tVerify no\nEnd",
        lower: Lower::Backend(tls::verify),
        ..Row::ROW
    },
    Row {
        name: "ServerName",
        scopes: ALL,
        syntax: "\"NAME\"",
        default: "the name or address in Address",
        since: "4.11",
        doc: "The name that the back-end is asked for in TLS, that its certificate has to be for, and that the Host of \
              requests is set to.",
        lower: Lower::Backend(tls::server_name),
        ..Row::ROW
    },
    Row {
        name: "Ciphers",
        scopes: ALL,
        syntax: "[-cipherlist|-ciphersuites] \"LIST\" …",
        arguments: (1, 16),
        options: true,
        default: "all that are not broken",
        since: "2.7",
        doc: "How the traffic with the back-end may be encrypted; see the directive of `ListenHTTPS`.",
        lower: Lower::Backend(|cx, draft, statement| ciphers::ciphers(cx, &mut draft.policy, statement)),
        ..Row::ROW
    },
    Row {
        name: "Disable",
        scopes: ALL,
        syntax: "SSLv2|SSLv3|TLSv1|TLSv1_1|TLSv1_2|TLSv1_3",
        once: false,
        since: "2.7",
        doc: "Do not speak this protocol and those before it with the back-end. Those before TLS 1.2 are never spoken.",
        lower: Lower::Backend(|cx, draft, statement| ciphers::disable(cx, &mut draft.policy, statement)),
        ..Row::ROW
    },
    Row {
        name: "Resolve",
        syntax: "first|all|srv",
        since: "4.14",
        doc: "How its name is resolved.",
        ..PENDING
    },
    Row {
        name: "Family",
        syntax: "any|inet|inet6",
        since: "4.14",
        doc: "Which addresses are used.",
        ..PENDING
    },
    Row {
        name: "OverrideTTL",
        syntax: "DURATION",
        since: "4.15",
        doc: "How long addresses are kept.",
        ..PENDING
    },
    Row {
        name: "RetryInterval",
        syntax: "DURATION",
        since: "4.14",
        doc: "When to resolve again.",
        ..PENDING
    },
    Row { name: "IgnoreSRVWeight", syntax: "BOOLEAN", since: "4.15", doc: "About SRV records.", ..PENDING },
];

const PENDING: Row = Row { scopes: ALL, once: false, options: true, standing: Standing::Pending, ..Row::ROW };
