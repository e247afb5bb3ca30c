//! Directives of `ListenHTTP` and `ListenHTTPS`.

use super::Directive as Row;
use super::{Body, Lower, Scope, Standing, without_arguments};
use crate::lower::{alphabet, ciphers, listener, tls};

const LISTENER: &[Scope] = &[Scope::Listener, Scope::TlsListener];
const INNER: &[Scope] = &[Scope::Listener, Scope::TlsListener, Scope::Service];

const TLS: &[Scope] = &[Scope::TlsListener];

/// The page directives of Pound 2.x differ in nothing but the code.
macro_rules! page {
    ($name:literal, $code:literal) => {
        Row {
            name: $name,
            scopes: LISTENER,
            syntax: "\"FILE\"",
            since: "1.0",
            standing: Standing::Deprecated(concat!("ErrorFile ", $code, " \"FILE\"")),
            doc: concat!("The page for errors with code ", $code, "."),
            lower: Lower::Listener(|cx, draft, statement| listener::error_page(cx, draft, statement, $code)),
            ..Row::ROW
        }
    };
}

pub(super) static ROWS: &[Row] = &[
    Row {
        name: "Address",
        scopes: LISTENER,
        syntax: "ADDRESS|NAME|PATH",
        default: "::, every address of the machine",
        since: "2.0",
        doc: "Where to listen: an IPv4 or IPv6 address, a host name, all addresses of which are bound, or the path \
              of a Unix socket, which begins with `/`.",
        example: "Address 192.0.2.1",
        lower: Lower::Listener(listener::address),
        ..Row::ROW
    },
    Row {
        name: "Port",
        scopes: LISTENER,
        syntax: "NUMBER|NAME",
        default: "80, in ListenHTTPS 443",
        since: "2.0",
        doc: "The port to listen on, a number or the name of a service such as `http`. With 0 the system chooses one.",
        lower: Lower::Listener(|cx, draft, statement| {
            draft.port = cx.port(&statement.arguments[0], 0).map(|port| (port, statement.span));
        }),
        ..Row::ROW
    },
    Row {
        name: "SocketFrom",
        scopes: LISTENER,
        syntax: "\"PATH\"",
        since: "4.0",
        doc: "Receive a listening socket over this Unix socket, in place of Address and Port.",
        lower: Lower::Listener(|_, draft, statement| {
            draft.socket_from = Some((statement.arguments[0].text.as_ref().into(), statement.span));
        }),
        ..Row::ROW
    },
    Row {
        name: "xHTTP",
        scopes: LISTENER,
        syntax: "0|1|2|3",
        default: "0",
        since: "2.0",
        doc: "Which methods pass: 0 GET, POST, HEAD; 1 also PUT, PATCH, DELETE; 2 also those of WebDAV and OPTIONS; 3 \
              also those of Microsoft's WebDAV. A known method that does not pass is answered by 405, an unknown one by \
              501; Methods lets single ones pass. CONNECT never passes. 4, a level of Pound 2.x, is taken for 3.",
        lower: Lower::Listener(listener::methods),
        ..Row::ROW
    },
    Row {
        name: "Methods",
        scopes: LISTENER,
        syntax: "\"NAME\" …",
        arguments: (1, 64),
        default: "none besides those of xHTTP",
        once: false,
        since: "new",
        doc: "Methods that pass besides those of xHTTP, by their exact names: of a higher level, or such as xHTTP knows \
              none of. May stand several times.",
        example: "Methods \"PURGE\" \"BAN\"",
        lower: Lower::Listener(listener::methods_named),
        ..Row::ROW
    },
    Row {
        name: "CheckURL",
        scopes: LISTENER,
        syntax: "[OPTIONS] \"PATTERN\" | 0|1",
        options: true,
        once: false,
        since: "2.0",
        doc: "What the target of every request must match; others are answered by 501. A bare 0 or 1 is the global \
              CheckURL for this listener alone: the characters of each part are looked at. Each of the two may stand \
              once, and both then hold.",
        example: "CheckURL \"^/[[:alnum:]/._-]*$\"",
        lower: Lower::Listener(alphabet::check_url),
        ..Row::ROW
    },
    Row {
        name: "MaxRequest",
        scopes: LISTENER,
        syntax: "SIZE",
        default: "no limit",
        since: "1.5",
        doc: "The largest body of a request; more is answered by 413.",
        example: "MaxRequest 16m",
        lower: Lower::Listener(|cx, draft, statement| draft.body_max = cx.size(&statement.arguments[0])),
        ..Row::ROW
    },
    Row {
        name: "MaxURI",
        scopes: LISTENER,
        syntax: "SIZE",
        default: "what LineBufferSize leaves",
        since: "4.12",
        doc: "The longest target of a request; longer ones are answered by 414.",
        lower: Lower::Listener(|cx, draft, statement| draft.target_max = cx.length(&statement.arguments[0])),
        ..Row::ROW
    },
    Row {
        name: "ErrorFile",
        scopes: LISTENER,
        syntax: "CODE \"FILE\"",
        arguments: (2, 2),
        once: false,
        since: "4.12",
        doc: "The page for errors with this code: 400, 401, 403, 404, 405, 413, 414, 417, 429, 431, 500, 501, 502, \
              503, 504 or 505. The file may begin with fields up to an empty line, unless its first character is \
              `<` or a line end. It is read when Pound starts.",
        example: "ErrorFile 503 \"/etc/pound/sorry.html\"",
        lower: Lower::Listener(listener::error_file),
        ..Row::ROW
    },
    page!("Err400", 400),
    page!("Err401", 401),
    page!("Err403", 403),
    page!("Err404", 404),
    page!("Err405", 405),
    page!("Err413", 413),
    page!("Err414", 414),
    page!("Err429", 429),
    page!("Err500", 500),
    page!("Err501", 501),
    page!("Err503", 503),
    Row {
        name: "RewriteLocation",
        scopes: INNER,
        syntax: "0|1|2",
        default: "that of the outer block, 1",
        since: "2.1",
        doc: "What happens to Location and Content-Location of an answer: 0 nothing; 1 when they name the back-end, the \
              Host of the request or the address of this listener, with whatever port, they are turned to the scheme and \
              Host that the client asked for; 2 only when they name the back-end. Under 1 a URL with `https` stays where \
              the client came without TLS, unless it names the back-end: an application that sends its visitors to TLS \
              must not be answered by a loop.",
        lower: Lower::Inner(listener::rewrite_location),
        ..Row::ROW
    },
    Row {
        name: "RewriteDestination",
        scopes: INNER,
        syntax: "BOOLEAN",
        default: "that of the outer block, no",
        since: "2.2",
        doc: "Turn the Destination of WebDAV requests (COPY, MOVE), and the URLs in If that a list of conditions is for, \
              to the scheme and Host that the back-end is sent, where they name the Host of the request or this \
              listener. A back-end that compares them with its own takes them for its own then. What a rule such as \
              SetHeader puts into these fields stays. WebDAV through ListenHTTPS to a back-end without TLS needs it.",
        example: "RewriteDestination yes",
        lower: Lower::Inner(|cx, draft, statement| {
            draft.rewrite_destination = cx.boolean(&statement.arguments[0]);
        }),
        ..Row::ROW
    },
    Row {
        name: "HeaderOption",
        scopes: LISTENER,
        syntax: "none|all|[no-]forwarded|[no-]ssl|ssl-folded …",
        arguments: (1, 16),
        once: false,
        default: "the global HeaderOption, forwarded ssl",
        since: "4.4",
        doc: "Which fields are added to requests, see the global directive.",
        lower: Lower::Listener(|cx, draft, statement| {
            let before = draft.headers.unwrap_or(cx.global.headers);
            draft.headers = cx.header_options(statement, before);
        }),
        ..Row::ROW
    },
    Row {
        name: "LogLevel",
        scopes: LISTENER,
        syntax: "NUMBER|NAME",
        default: "the global LogLevel, 1",
        since: "2.3",
        doc: "How requests are logged, see the global directive.",
        lower: Lower::Listener(|cx, draft, statement| {
            draft.log_format = cx.log_format(&statement.arguments[0]);
        }),
        ..Row::ROW
    },
    Row {
        name: "ForwardedHeader",
        scopes: INNER,
        syntax: "NAME",
        default: "the one of the outer block, X-Forwarded-For",
        since: "4.9",
        doc: "The field that names the client when a trusted proxy stands before Pound.",
        lower: Lower::Inner(|cx, draft, statement| {
            draft.forwarded_header = cx.field_name(&statement.arguments[0]);
        }),
        ..Row::ROW
    },
    Row {
        name: "TrustedIP",
        scopes: INNER,
        syntax: "\"ACL\" | -file \"FILE\" | -filewatch \"FILE\" | block of addresses",
        arguments: (0, 2),
        options: true,
        body: Body::Entries(without_arguments),
        default: "that of the outer block, nobody",
        since: "4.9",
        doc: "The proxies whose ForwardedHeader is believed, see the global directive.",
        lower: Lower::Inner(|cx, draft, statement| draft.trusted = cx.acl_reference(statement)),
        ..Row::ROW
    },
    Row {
        name: "RewriteErrors",
        scopes: INNER,
        syntax: "BOOLEAN",
        since: "4.17",
        standing: Standing::Pending,
        doc: "Whether Rewrite response changes error pages too.",
        ..Row::ROW
    },
    Row {
        name: "ACME",
        scopes: LISTENER,
        syntax: "\"DIRECTORY\"",
        since: "4.1",
        standing: Standing::Pending,
        doc: "Answer challenges of certificate authorities from this directory.",
        ..Row::ROW
    },
    Row {
        name: "Cert",
        scopes: TLS,
        syntax: "\"FILE|DIRECTORY|PATTERN\"",
        once: false,
        since: "2.0",
        doc: "The certificates that clients are shown. A file of PEM holds one certificate, those that it was signed \
              with, and its private key; a key may also stand beside it in a file that ends in `.key`, or in `privkey.pem` \
              beside `fullchain.pem`, as certbot has it. Of a directory all files count, and of a directory of directories \
              `fullchain.pem` in each; of a pattern such as `*.pem` those that match, in the order of their names. What \
              cannot be used among them is passed over with a warning. A client \
              that asks for a name gets the first certificate that covers it, exact names before those with a `*`; \
              where several do, an ECDSA one if it can use that. The first of all is shown to those who name no other.",
        example: "Cert \"/etc/pound/certs/\"",
        lower: Lower::Listener(|cx, draft, statement| {
            let file = cx.file_name(statement, &statement.arguments[0]);
            draft.certificates.push(file);
        }),
        ..Row::ROW
    },
    Row {
        name: "StrictSNI",
        scopes: TLS,
        syntax: "BOOLEAN",
        default: "no",
        since: "new",
        doc: "Turn clients away that ask for a name of which there is no certificate, in place of showing them the \
              first one. Those that ask for no name are let in.",
        lower: Lower::Listener(|cx, draft, statement| {
            draft.strict_sni = cx.boolean(&statement.arguments[0]).unwrap_or(false);
        }),
        ..Row::ROW
    },
    Row {
        name: "CheckHost",
        scopes: TLS,
        syntax: "yes|name|no",
        default: "name",
        since: "new",
        doc: "Answer a request by 421 when its Host does not go with the certificate that the connection began with: it \
              asks one site for what belongs to another. With `yes` the certificate has to cover the Host. With `name`, \
              for files that were written for older Pounds and certificates that are for other names, two more pass: a \
              Host that is the name which the client asked for in TLS, and one that no certificate covers on a \
              connection for which no name was asked. With `no` all pass.",
        example: "CheckHost yes",
        lower: Lower::Listener(tls::check_host),
        ..Row::ROW
    },
    Row {
        name: "ClientCert",
        scopes: TLS,
        syntax: "0|1|2|3 [DEPTH]",
        arguments: (1, 2),
        default: "0",
        since: "2.0",
        doc: "Whether clients are asked for a certificate: 0 no; 1 yes, and what they show is verified, but they need not \
              show one; 2 they must; 3 they are asked, and what they show is passed on, whoever has signed it. DEPTH is \
              how many authorities may stand between the certificate and one in VerifyList, 9 unless it is given.",
        example: "ClientCert 2 1\nVerifyList \"/etc/pound/clients-ca.pem\"",
        lower: Lower::Listener(tls::client_certificates),
        ..Row::ROW
    },
    Row {
        name: "Disable",
        scopes: TLS,
        syntax: "SSLv2|SSLv3|TLSv1|TLSv1_1|TLSv1_2|TLSv1_3",
        once: false,
        since: "2.7",
        doc: "Do not speak this protocol and those before it. Those before TLS 1.2 are never spoken.",
        example: "Disable TLSv1_2",
        lower: Lower::Listener(|cx, draft, statement| ciphers::disable(cx, &mut draft.policy, statement)),
        ..Row::ROW
    },
    Row {
        name: "Ciphers",
        scopes: TLS,
        syntax: "[-cipherlist|-ciphersuites] \"LIST\" …",
        arguments: (1, 16),
        options: true,
        default: "all that are not broken",
        since: "2.0",
        doc: "How traffic may be encrypted, as OpenSSL writes it (ciphers(1)): names, groups such as ECDHE+AESGCM, and !, - \
              and + before them. Of those that OpenSSL knows six are spoken in TLS 1.2, which -cipherlist or no option is \
              about, and three in TLS 1.3, which -ciphersuites is about. What a list asks for besides is told at the start.",
        example: "Ciphers \"ECDHE+AESGCM:!AES256\"",
        lower: Lower::Listener(|cx, draft, statement| ciphers::ciphers(cx, &mut draft.policy, statement)),
        ..Row::ROW
    },
    Row {
        name: "SSLHonorCipherOrder",
        scopes: TLS,
        syntax: "BOOLEAN",
        default: "yes",
        since: "2.7",
        doc: "Whether our order of ciphers counts, which is that of the list, or the client's. A client that likes ChaCha20 \
              best gets it in any case where the list has it: it cannot do AES well.",
        lower: Lower::Listener(|cx, draft, statement| {
            draft.policy.our_order = cx.boolean(&statement.arguments[0]);
        }),
        ..Row::ROW
    },
    Row {
        name: "SSLAllowClientRenegotiation",
        scopes: TLS,
        syntax: "0|1|2",
        default: "0",
        since: "2.7",
        doc: "Whether a client may agree on new keys within a connection of TLS 1.2. It never may; 1 and 2 are told of.",
        lower: Lower::Listener(tls::renegotiation),
        ..Row::ROW
    },
    Row {
        name: "CAlist",
        scopes: TLS,
        syntax: "\"FILE\"",
        default: "the certificates of VerifyList",
        since: "2.0",
        doc: "Authorities whose names are told to clients, so that they can choose among their certificates. Without \
              VerifyList they are also those whose signature counts.",
        lower: Lower::Listener(|cx, draft, statement| {
            draft.announced = Some(cx.file_name(statement, &statement.arguments[0]));
        }),
        ..Row::ROW
    },
    Row {
        name: "VerifyList",
        scopes: TLS,
        syntax: "\"FILE\"",
        default: "the certificates of CAlist",
        since: "2.0",
        doc: "Authorities whose signature on the certificate of a client counts.",
        lower: Lower::Listener(|cx, draft, statement| {
            draft.authorities = Some(cx.file_name(statement, &statement.arguments[0]));
        }),
        ..Row::ROW
    },
    Row {
        name: "CRLlist",
        scopes: TLS,
        syntax: "\"FILE\"",
        since: "2.2",
        doc: "Lists of revoked certificates, in PEM, one of each authority in a chain. A client whose certificate is in \
              one is turned away, and so is one of whose authority there is no list, or one that has run out.",
        lower: Lower::Listener(|cx, draft, statement| {
            draft.revoked = Some(cx.file_name(statement, &statement.arguments[0]));
        }),
        ..Row::ROW
    },
    Row {
        name: "NoHTTPS11",
        scopes: TLS,
        syntax: "0|1|2",
        since: "2.0",
        standing: Standing::NoEffect("the browsers of 2003 that could not do HTTP/1.1 over TLS are gone"),
        doc: "Treat clients as if they spoke HTTP/1.0.",
        ..Row::ROW
    },
];
